"""The verbs update and generate on small programs made by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.dwarf_maker import Maker, die
from xcaliper import read_a2l
from xcaliper.cli.main import main


def program(path: Path, address: int, size: int = 4) -> Path:
    maker = Maker(big=True)
    data = maker.elf(
        die(
            "cu",
            "",
            die("base", "t", name="unsigned int", size=size, encoding=7),
            die("variable", name="speed", type="t", external=1, location=maker.at(address)),
            name="u.c",
            language=0x0C,
        ),
        (("speed", address, size), ("other", address + 8, 4)),
    )
    path.write_bytes(data)
    return path


@pytest.fixture
def made(tmp_path) -> Path:
    out = tmp_path / "ecu.a2l"
    elf = program(tmp_path / "old.elf", 0x1000)
    assert main(["a2l", "generate", str(out), "--elf", str(elf), "--project", "my ecu"]) == 0
    return out


def test_generate(made, capsys) -> None:
    tree = read_a2l(made)
    assert tree.diagnostics == []
    assert tree.module.name == "my_ecu"
    assert tree.module.mod_common.byte_order == "MSB_FIRST"
    assert [(m.name, m.datatype, m.ecu_address) for m in tree.module.measurement] == [
        ("speed", "ULONG", 0x1000)
    ]


def test_update_reports_first_and_writes_when_told(made, tmp_path, capsys) -> None:
    elf = program(tmp_path / "new.elf", 0x1040, 2)
    before = made.read_bytes()
    assert main(["a2l", "update", str(made), "--elf", str(elf)]) == 6
    assert made.read_bytes() == before
    assert "0x1000 → 0x1040" in capsys.readouterr().out
    out = tmp_path / "out.a2l"
    assert (
        main(
            [
                "a2l",
                "update",
                str(made),
                "--elf",
                str(elf),
                "--mode",
                "full",
                "--out",
                str(out),
                "--json",
            ]
        )
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert report["applied"]
    assert {(c["attribute"], c["new"]) for c in (*report["moved"], *report["changed"])} == {
        ("ECU_ADDRESS", 0x1040),
        ("DATATYPE", "UWORD"),
        ("UPPER_LIMIT", 65535),
    }
    assert report["total"] == {"before": 1, "after": 1}
    assert report["changes"] == {"addresses_moved": 1, "types_changed": 1, "vanished": 0}
    assert read_a2l(out).module.measurement[0].ecu_address == 0x1040
    assert main(["a2l", "update", str(out), "--elf", str(elf), "--mode", "report"]) == 0


def test_update_exchanges_only_the_words_that_changed(made, tmp_path, capsys) -> None:
    text = made.read_text("utf-8").replace("0x1000", "/* kept */ 0x00001000 // kept too")
    text = text.replace("/begin MEASUREMENT", "/* the speed */\n\n  /begin MEASUREMENT")
    made.write_bytes(text.encode("utf-8").replace(b"\n", b"\r\n"))
    elf = program(tmp_path / "new.elf", 0x1040)
    out = tmp_path / "out.a2l"
    assert main(["a2l", "update", str(made), "--elf", str(elf), "--out", str(out)]) == 0
    old, new = made.read_bytes().split(b"\r\n"), out.read_bytes().split(b"\r\n")
    changed = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    assert len(changed) == 1
    assert b"/* kept */" in changed[0][1]
    assert b"1040 // kept too" in changed[0][1]


def test_update_takes_missing_objects_out_and_keeps_the_rest(made, tmp_path, capsys) -> None:
    text = made.read_text("utf-8")
    block = text[text.index("/begin MEASUREMENT") : text.index("/end MEASUREMENT")]
    other = block.replace("speed", "vanished") + "/end MEASUREMENT\n  // last words\n  "
    made.write_text(text.replace("/end MODULE", other + "/end MODULE"), "utf-8")
    elf = program(tmp_path / "new.elf", 0x1000)
    out = tmp_path / "out.a2l"
    arguments = ["a2l", "update", str(made), "--elf", str(elf), "--missing", "remove"]
    main([*arguments, "--out", str(out)])
    told = capsys.readouterr().err
    assert "objects: 2 -> 1\nMEASUREMENT: 2 -> 1\n" in told
    assert "0 addresses moved, 0 types changed, 1 vanished\n" in told
    assert [m.name for m in read_a2l(out).module.measurement] == ["speed"]
    assert "// last words" in out.read_text("utf-8")


def test_update_from_a_map_and_missing_symbols(made, tmp_path, capsys) -> None:
    listing = tmp_path / "ecu.map"
    listing.write_text(" .sdata           40000000+000004        speed\n")
    out = tmp_path / "out.a2l"
    assert main(["a2l", "update", str(made), "--map", str(listing), "--out", str(out)]) == 0
    assert read_a2l(out).module.measurement[0].ecu_address == 0x40000000
    listing.write_text(" .sdata           40000000+000004        speedy\n")
    assert main(["a2l", "update", str(made), "--map", str(listing), "--out", str(out)]) == 6
    assert "did you mean speedy?" in capsys.readouterr().out
    assert (
        main(
            [
                "a2l",
                "update",
                str(made),
                "--map",
                str(listing),
                "--missing",
                "fail",
                "--out",
                str(out),
            ]
        )
        == 2
    )


def test_header_and_declarations(tmp_path, capsys) -> None:
    header = tmp_path / "ecu.h"
    header.write_text("/* @@ measurement Speed */\nextern uint16_t speed;\n")
    out = tmp_path / "ecu.a2l"
    elf = program(tmp_path / "a.elf", 0x1010)
    assert main(["a2l", "generate", str(out), "--header", str(header), "--elf", str(elf)]) == 0
    made = read_a2l(out).module.measurement[0]
    assert (made.name, made.datatype, made.ecu_address) == ("Speed", "ULONG", 0x1010)
    header.write_text("/* @@ measurement Speed */\nextern what speed;\n")
    assert main(["a2l", "generate", "--header", str(header), "--out", str(out)]) == 6
    assert "ecu.h:1" in capsys.readouterr().err
    name = "xcaliper.sim.gallery.demo_engine.declaration:demo_engine"
    assert main(["a2l", "generate", str(out), "--python", name]) == 0
    assert len(read_a2l(out).module.characteristic) > 10


def test_declaration_of_the_manual(tmp_path, capsys) -> None:
    page = Path(__file__).parents[3] / "docs" / "howto" / "generate-a-description.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    source, out = tmp_path / "my_ecu.py", tmp_path / "cooler.a2l"
    source.write_text(block, encoding="utf-8")
    for name in (f"{source}:ECU", str(source)):
        assert main(["a2l", "generate", str(out), "--python", name]) == 0
        module = read_a2l(out).module
        assert [made.name for made in module.measurement] == ["Coolant"]
        assert [(made.name, made.lower_limit) for made in module.characteristic] == [("FanOn", 60)]
    assert main(["a2l", "check", str(out)]) == 0
    source.write_text("ECU = 1 / 0\n", encoding="utf-8")
    assert main(["a2l", "generate", str(out), "--python", str(source)]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["generate", "{out}"], 2, "--elf"),
        (["generate", "{out}", "--python", "json:loads_not"], 2, "imported"),
        (["generate", "{out}", "--python", "string:digits"], 2, "EcuDeclaration"),
        (["generate", "{out}", "--elf", "{none}"], 3, "cannot be read"),
        (["generate", "{out}", "--elf", "{text}"], 1, "not an ELF file"),
        (["generate", "{out}", "--map", "{text}"], 1, "no linker map"),
        (["generate", "{out}", "--header", "{text}", "--python", "x:y"], 2, "too much"),
        (["generate", "{out}", "--elf", "{elf}", "--event", "fast:0:0.0005"], 2, "no unit of XCP"),
        (["generate", "{out}", "--elf", "{elf}", "--event", "fast"], 2, "NAME:CHANNEL"),
        (["generate", "{out}", "--elf", "{elf}", "--include", "sped"], 6, "Did you mean speed?"),
        (["generate", "{out}", "--elf", "{bare}"], 2, "neither debug information nor symbols"),
        (["generate", "{out}", "--header", "{none}"], 3, "cannot be read"),
        (["update", "{out}"], 2, "--elf"),
    ],
)
def test_mistakes(arguments, code, words, made, tmp_path, capsys) -> None:
    text = tmp_path / "text.txt"
    text.write_text("hello")
    bare = tmp_path / "bare.elf"
    bare.write_bytes(Maker().elf(die("cu", "", name="u.c"), ()))
    files = {"elf": tmp_path / "old.elf", "bare": bare, "none": tmp_path / "none"}
    filled = [a.format(out=made, text=text, **files) for a in arguments]
    assert main(["a2l", *filled]) == code
    assert words in " ".join(capsys.readouterr().err.split())
