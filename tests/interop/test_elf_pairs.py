"""Descriptions and programs that belong together, through the verb: files that only get back what was taken."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from xcaliper import read_a2l
from xcaliper.a2l.edit import Editor
from xcaliper.cli.main import main
from xcaliper.client.a2l_source import save_a2l
from xcaliper.image import drgn_types

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("XCALIPER_CORPUS", ROOT.parent / "shared" / "data"))
PROGRAMS = sorted(p for p in CORPUS.glob("elf/*/*") if p.suffix in (".elf", ".out"))
#: The largest descriptions of each program.
PAIRS = [
    (program, description)
    for program in PROGRAMS
    for description in sorted(
        CORPUS.glob(f"a2l/{program.parent.name}/*.a2l"), key=lambda path: -path.stat().st_size
    )[:3]
]

pytestmark = pytest.mark.skipif(not PAIRS, reason="needs the corpus")


def objects(module) -> list:
    kinds = ("measurement", "characteristic", "axis_pts", "instance", "blob")
    return [made for kind in kinds for made in getattr(module, kind)]


def shift(source: Path, out: Path, seed: int) -> int:
    """The same file with other addresses; gives how many."""
    tree = read_a2l(source)
    tree.load_all()
    before = [Editor.inventory(module) for module in tree.modules]
    chance, moved = random.Random(seed), 0
    for module in tree.modules:
        for made in objects(module):
            attr = "ecu_address" if made.KEYWORD == "MEASUREMENT" else "address"
            if getattr(made, attr) and not made.if_data:
                setattr(made, attr, chance.randrange(0x1000, 0x7FFF_FFFF))
                moved += 1
    editor = Editor(tree)
    for module, known in zip(tree.modules, before, strict=True):
        editor.adopt(module, known)
    editor.apply()
    save_a2l(tree, out)
    return moved


def update(source: Path, program: Path, mode: str, out: Path | None, capsys) -> dict:
    words = ["a2l", "update", str(source), "--elf", str(program), "--mode", mode, "--json"]
    assert main([*words, *(["--out", str(out)] if out else [])]) in (0, 6)
    return json.loads(capsys.readouterr().out)


def addresses(path: Path) -> list[tuple[str, int | None]]:
    return [
        (made.name, made.ecu_address if made.KEYWORD == "MEASUREMENT" else made.address)
        for module in read_a2l(path).modules
        for made in objects(module)
    ]


@pytest.mark.parametrize(
    ("program", "description"), PAIRS, ids=[f"{p.stem}-{a.stem}" for p, a in PAIRS]
)
def test_update_gives_back_what_was_taken(
    program, description, tmp_path, capsys, monkeypatch
) -> None:
    truth, shifted, back, again = (
        tmp_path / f"{n}.a2l" for n in ("truth", "moved", "back", "again")
    )
    update(description, program, "full", truth, capsys)
    shift(truth, shifted, seed=11)
    for mode in ("addresses", "full"):
        report = update(shifted, program, mode, back, capsys)
        missing = {gone["name"] for gone in report["missing"]} | set(report["skipped"])
        assert [one for one in addresses(back) if one[0] not in missing] == [
            one for one in addresses(truth) if one[0] not in missing
        ]
        # Comments, order and everything else that is no address stay byte for byte.
        lines = zip(truth.read_bytes().split(b"\n"), back.read_bytes().split(b"\n"), strict=True)
        other = [(old, new) for old, new in lines if old.split() != new.split()]
        assert len(other) <= len(missing) + len(report["moved"])
        repeated = update(back, program, mode, again, capsys)
        assert (repeated["moved"], repeated["changed"]) == ([], [])
        assert again.read_bytes() == back.read_bytes()
    quick = update(shifted, program, "report", None, capsys)
    monkeypatch.setattr(drgn_types, "open_drgn", lambda *_: None)
    assert update(shifted, program, "report", None, capsys) == quick
