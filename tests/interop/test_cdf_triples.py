"""CDF file, description and image of one ECU, made apart from each other: they tell the same values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.parameter_files import CORPUS, FOLDER
from xcaliper.a2l.parse import parse
from xcaliper.calib.apply import plan_apply
from xcaliper.calib.extract import extract
from xcaliper.calib.formats.cdf import read_cdf, write_cdf
from xcaliper.calib.outcomes import Outcome
from xcaliper.core.diagnostics import Severity
from xcaliper.quantity.catalog import Catalog

if TYPE_CHECKING:
    from pathlib import Path

    from xcaliper.core.address import Address


def image(path: Path) -> dict[int, int]:
    """Bytes of an Intel HEX file by address."""
    found, base = {}, 0
    for line in path.read_text("ascii").split():
        record = bytes.fromhex(line.removeprefix(":"))
        assert sum(record) & 0xFF == 0, line
        at, kind, data = int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        if kind == 0:
            found.update(enumerate(data, base + at))
        elif kind in (2, 4):
            base = int.from_bytes(data, "big") << {2: 4, 4: 16}[kind]
    return found


def reader(memory: dict[int, int]):
    def read(start: Address, size: int) -> bytes:
        return bytes(memory[start.value + n] for n in range(size))

    return read


def beside(path: Path, suffix: str) -> Path | None:
    """The file of the same name with another ending, whatever their case."""
    wanted = path.stem.lower() + suffix
    return next((one for one in path.parent.iterdir() if one.name.lower() == wanted), None)


def test_our_own_triple_to_the_byte() -> None:
    catalog = Catalog(parse((FOLDER / "triple.a2l").read_text("utf-8")))
    assert not catalog.file.diagnostics
    memory = image(FOLDER / "triple.hex")
    read = read_cdf((FOLDER / "triple.cdfx").read_bytes())
    assert read.diagnostics == ()

    plan = plan_apply(read.values, catalog, reader(memory))
    assert plan.counts() == {Outcome.UNCHANGED: len(read.values)}
    assert list(plan.writes) == []

    # Applied to memory that holds nothing but a bit beside the one that is masked, it makes the image.
    empty = dict.fromkeys(memory, 0) | {0x1002: 4}
    for start, data in plan_apply(read.values, catalog, reader(empty)).writes:
        empty.update(enumerate(data, start.value))
    assert empty == memory

    problems: list[object] = []
    taken = extract(catalog, reader(memory), on_problem=lambda *told: problems.append(told))
    assert problems == []
    again = read_cdf(write_cdf(taken, catalog=catalog)).values
    assert {one.key: one for one in again} == {one.key: one for one in taken}
    assert {one.name for one in again} == {one.name for one in read.values}


FILES = sorted(
    path for path in CORPUS.glob("params/**/*") if path.suffix.lower() in (".cdfx", ".cdf")
)


@pytest.mark.skipif(not FILES, reason="the folder of files by others has no CDF files")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_by_others(path: Path) -> None:
    read = read_cdf(path.read_bytes(), source=path.name)
    assert [one for one in read.diagnostics if one.severity is Severity.ERROR] == []
    assert len(read.values)
    once = write_cdf(read.values)
    assert write_cdf(read_cdf(once).values) == once
    description, hex_file = beside(path, ".a2l"), beside(path, ".hex")
    if description is not None and hex_file is not None:
        catalog = Catalog(parse(description.read_text("latin-1")))
        plan = plan_apply(read.values, catalog, reader(image(hex_file)))
        assert plan.is_complete, plan.report(every=True)
        assert plan.size_bytes == 0, plan.report(every=True)
