"""Programs of others, big endian and small: symbols as readelf sees them, updates that restore the truth."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from xcaliper import read_a2l
from xcaliper.a2l import parse, write
from xcaliper.core.datatypes import ByteOrder
from xcaliper.describe import GenerateOptions, generate, update
from xcaliper.image.drgn_types import open_drgn
from xcaliper.image.dwarf import read_debug_info
from xcaliper.image.elf import read_elf
from xcaliper.image.program import Program
from xcaliper.quantity import BoundMeasurement, Catalog

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("XCALIPER_CORPUS", ROOT.parent / "shared" / "data"))
PROGRAMS = sorted(p for p in CORPUS.glob("elf/*/*") if p.suffix in (".elf", ".out"))
PAIRS = [(p, a) for p in PROGRAMS for a in sorted(CORPUS.glob(f"a2l/{p.parent.name}/*.a2l"))]

pytestmark = pytest.mark.skipif(not PROGRAMS, reason="needs the corpus")
every_program = pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.name)


@cache
def load(path: Path) -> Program:
    elf = read_elf(path.read_bytes(), source=path.name)
    return Program(types=read_debug_info(elf), elf=elf)


def objects(module) -> list:
    return [
        *module.measurement,
        *module.characteristic,
        *module.axis_pts,
        *module.instance,
        *module.blob,
    ]


def address_of(made) -> int | None:
    return made.ecu_address if made.KEYWORD == "MEASUREMENT" else made.address


def put(made, address: int) -> None:
    setattr(made, "ecu_address" if made.KEYWORD == "MEASUREMENT" else "address", address)


def test_both_byte_orders_are_there() -> None:
    assert {read_elf(p.read_bytes()).byte_order for p in PROGRAMS} == {
        ByteOrder.INTEL,
        ByteOrder.MOTOROLA,
    }


@every_program
def test_symbols_are_those_of_readelf(path) -> None:
    if shutil.which("readelf") is None:
        pytest.skip("needs readelf")
    text = subprocess.run(
        ["readelf", "-sW", str(path)], capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=60
    ).stdout  # fmt: skip
    theirs = set()
    for line in text.splitlines():
        parts = line.split()
        if (
            len(parts) >= 8
            and parts[0].endswith(":")
            and parts[3] in ("OBJECT", "FUNC")
            and parts[6] != "UND"
        ):
            size = int(parts[2], 16 if parts[2].startswith("0x") else 10)
            theirs.add((parts[7].partition("@")[0], int(parts[1], 16), size))
    elf = read_elf(path.read_bytes())
    ours = {
        (s.name.partition("@")[0], s.address, s.size_bytes)
        for s in elf.symbols
        if s.kind in ("object", "function") and s.section
    }
    assert theirs == ours
    assert ours


@every_program
def test_variables_lie_where_their_symbols_do(path) -> None:
    program = load(path)
    assert program.types.diagnostics == ()
    compared = 0
    for variable in program.variables():
        symbols = program.elf.find(variable.linkage_name or variable.name)
        if symbols and not variable.function:
            compared += 1
            same = [s for s in symbols if s.address == variable.address]
            assert same, variable
            assert not same[0].size_bytes or same[0].size_bytes == variable.size_bytes, variable
    assert len(program.variables()) > 50
    assert compared > 100 or not any(
        s.kind == "object" and s.size_bytes > 40 for s in program.elf.symbols
    )


@every_program
def test_drgn_and_pyelftools_agree(path) -> None:
    pytest.importorskip("drgn")
    elf = read_elf(path.read_bytes())
    full = read_debug_info(elf)
    quick = open_drgn(str(path), elf, lambda: full)
    assert quick is not None
    for variable in full:
        ours = [(v.address, v.type) for v in full.find(variable.name)]
        assert [(v.address, v.type) for v in quick.find(variable.name)] == ours
    assert quick.answered > 50 or not elf.find(full.variables[0].name)


@every_program
@pytest.mark.parametrize("structures", ["typedef", "flat"])
def test_shifted_descriptions_are_restored(path, structures) -> None:
    program = load(path)
    include = ("*",) if structures == "typedef" else ("[a-mA-M]*",)
    tree = generate(
        program,
        GenerateOptions(
            structures=structures, include=include, exclude=("xcp*", "*stack*", "*heap*")
        ),
    )
    tree = parse(write(tree))
    assert tree.diagnostics == []
    truth = [(made.name, address_of(made)) for made in objects(tree.module)]
    assert len(truth) > 10
    chance = random.Random(7)
    for made in objects(tree.module):
        put(made, max(0, address_of(made) + chance.randrange(-4096, 4096)))
    before = write(tree)
    report = update(tree, program, mode="report", types=False)
    assert write(tree) == before
    done = update(tree, program, mode="addresses")
    assert done.moved == report.moved
    assert done.missing == ()
    assert [(made.name, address_of(made)) for made in objects(tree.module)] == truth
    assert update(tree, program, mode="full").is_current


@every_program
def test_types_are_restored(path) -> None:
    program = load(path)
    tree = generate(program)
    truth = write(tree)
    for made in tree.module.measurement:
        made.datatype, made.conversion = "UBYTE", "NO_COMPU_METHOD"
        if made.matrix_dim != (1,):
            made.matrix_dim = None
    for typedef in tree.module.typedef_structure:
        typedef.total_size = 1
        for component in typedef.structure_component:
            component.address_offset += 3
    report = update(tree, program, mode="full")
    assert report.findings == ()
    wanted = parse(truth).module
    assert [(m.name, m.datatype, m.matrix_dim) for m in tree.module.measurement] == [
        (m.name, m.datatype, m.matrix_dim) for m in wanted.measurement
    ]
    assert tree.module.typedef_structure == wanted.typedef_structure


@every_program
def test_initial_values_can_be_read(path) -> None:
    """Scalars of the generated description equal the number at their address in the file's own byte order."""
    program = load(path)
    tree = generate(program)
    catalog, memory = Catalog(tree), program.elf.memory()
    order = "big" if program.elf.byte_order is ByteOrder.MOTOROLA else "little"
    known = 0
    for made in tree.module.measurement:
        bound = catalog.bind(made.name)
        assert isinstance(bound, BoundMeasurement)
        if made.matrix_dim or bound.datatype.is_float:
            continue
        place = program.elf.read(made.ecu_address, bound.size_bytes)
        if place is None:
            continue
        raw = bound.decode(memory.read(bound.address, bound.size_bytes))
        assert raw.item() == int.from_bytes(place, order, signed=bound.datatype.is_signed)
        known += raw.item() != 0
    assert known or path.suffix == ".out"


@pytest.mark.parametrize(("program", "description"), PAIRS, ids=lambda p: p.name)
def test_pairs_of_the_corpus(program, description) -> None:
    known = load(program)
    tree = read_a2l(description)
    if not tree.modules:
        return
    update(tree, known, mode="addresses")
    found = {
        made.name: address_of(made)
        for made in objects(tree.module)
        if known.locate(made.name) is not None and made.symbol_link is None and not made.if_data
    }
    for name, address in found.items():
        assert known.locate(name).address == address
    chance = random.Random(3)
    truth = {made.name: address_of(made) for made in objects(tree.module)}
    links = [made.symbol_link for made in objects(tree.module)]
    for made in objects(tree.module):
        if known.locate(made.name) is not None and address_of(made) is not None:
            put(made, address_of(made) + chance.randrange(1, 4096))
    missing = {gone.name for gone in update(tree, known, mode="addresses").missing}
    after = {made.name: address_of(made) for made in objects(tree.module)}
    assert {n: a for n, a in after.items() if n not in missing} == {
        n: a for n, a in truth.items() if n not in missing
    }
    assert [made.symbol_link for made in objects(tree.module)] == links
