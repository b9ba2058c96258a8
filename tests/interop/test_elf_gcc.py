"""Programs of a real compiler: types, generated descriptions, values in their memory, updates after a change."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from xcaliper.a2l import parse, write
from xcaliper.a2l.check import check
from xcaliper.a2l.if_xcp import read_xcp
from xcaliper.cli.main import main
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.diagnostics import Severity
from xcaliper.core.errors import XcaliperError
from xcaliper.describe import GenerateOptions, generate, parse_header, update
from xcaliper.image.drgn_types import open_drgn
from xcaliper.image.dwarf import read_debug_info
from xcaliper.image.elf import read_elf
from xcaliper.image.map_file import read_map
from xcaliper.image.program import Program
from xcaliper.quantity import BoundMeasurement, Catalog

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

SOURCE = r"""
#include <stdint.h>
#include <stdbool.h>
enum mode { OFF, ON = 5, BROKEN = -3 };
typedef enum { RED = 1, GREEN = 2 } color_t;
struct inner { int16_t a; uint8_t b[3]; float f; };
typedef struct {
    uint32_t x:5; uint32_t y:11; int32_t z:7; bool flag:1; enum mode m;
    union { uint16_t u; int8_t s; };
    struct inner in[2]; double d[2][3]; color_t c:4; struct inner *next; uint64_t big; GAP
} outer_t;
struct __attribute__((packed)) tight { uint8_t a; uint32_t b:20; uint32_t c:12; int16_t d; };
outer_t outer = {17, 1234, -23, 1, BROKEN, {0xBEEF}, {{-5,{1,2,3},1.5f},{-6,{4,5,6},2.5f}},
                 {{1,2,3},{4,5,6}}, GREEN, 0, 0x123456789ABCDEF0ull};
struct tight packed = {1, 0xABCDE, 0xFED, -2};
FILLER
volatile uint16_t grid[2][3][4] = {{{1,2,3,4},{5,6,7,8},{9,10,11,12}},{{13,14,15,16},{17,18,19,20},{21,22,23,24}}};
volatile int8_t small = -7;
enum mode state = ON;
const float gain = 2.75f;
const char label[12] = "EPK_1.2.3";
const struct inner cal[2] = {{10,{1,2,3},0.5f},{11,{4,5,6},0.25f}};
COUNT_TYPE wide = 40000;
int counter(void) { static volatile uint32_t calls = 99; calls += 1; return (int)calls; }
int main(void) { return counter() + (int)outer.x + packed.d + small; }
"""
EXPECTED = {
    "counter_calls": 99,
    "grid": [[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], [[13, 14, 15, 16], [17, 18, 19, 20], [21, 22, 23, 24]]],
    "small": -7, "state": 5, "wide": 40000,
    "outer.x": 17, "outer.y": 1234, "outer.z": -23, "outer.flag": 1, "outer.m": -3, "outer.u": 0xBEEF, "outer.s": -17,
    "outer.in[0].a": -5, "outer.in[0].b": [1, 2, 3], "outer.in[0].f": 1.5,
    "outer.in[1].a": -6, "outer.in[1].b": [4, 5, 6], "outer.in[1].f": 2.5,
    "outer.d": [[1, 2, 3], [4, 5, 6]], "outer.c": 2, "outer.next": 0, "outer.big": 0x123456789ABCDEF0,
    "packed.a": 1, "packed.b": 0xABCDE, "packed.c": 0xFED, "packed.d": -2,
    "gain": 2.75, "label": "EPK_1.2.3",
    "cal[0].a": 10, "cal[0].b": [1, 2, 3], "cal[0].f": 0.5, "cal[1].a": 11, "cal[1].b": [4, 5, 6], "cal[1].f": 0.25,
}  # fmt: skip


def compile_c(
    folder: Path, name: str, *flags: str, gap: str = "", filler: str = "", count: str = "uint16_t"
) -> Path:
    source = folder / f"{name}.c"
    text = SOURCE.replace("GAP", gap).replace("FILLER", filler).replace("COUNT_TYPE", count)
    source.write_text(text)
    made = folder / name
    base = ["gcc", "-fno-pie", "-no-pie", "-fdata-sections", "-w", "-o", str(made), str(source)]
    subprocess.run([*base, *flags], check=True, timeout=60, capture_output=True)
    return made


def load(path: Path) -> Program:
    elf = read_elf(path.read_bytes(), source=path.name)
    return Program(types=read_debug_info(elf), elf=elf)


def values(tree, program: Program) -> dict[str, object]:
    """Everything a description names, read from the program's own memory."""
    catalog, memory = Catalog(tree), program.elf.memory()
    found: dict[str, object] = {}

    def read(address: Address, size: int) -> bytes:
        return memory.read(address, size)

    for name in catalog.names:
        bound = catalog.bind(name)
        if isinstance(bound, BoundMeasurement):
            raw = bound.decode(memory.read(bound.address, bound.size_bytes))
        else:
            raw = bound.decode(read)
            if bound.type == "ASCII":
                found[name] = bound.to_phys(raw).values
                continue
            raw = raw.values
        found[name] = raw.tolist()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("gcc")


@pytest.mark.parametrize("structures", ["typedef", "flat"])
@pytest.mark.parametrize("flags", ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5", "-gdwarf-4 -fdebug-types-section", "-gdwarf-5 -fdebug-types-section", "-gdwarf-5 -gz -O2"])  # fmt: skip
def test_generated_description_reads_the_program(folder, flags, structures) -> None:
    path = compile_c(folder, "p" + flags.replace(" ", "").replace("-", ""), *flags.split())
    program = load(path)
    text = write(generate(program, GenerateOptions(structures=structures, epk="label")))
    tree = parse(text)
    assert tree.diagnostics == []
    assert [f for f in check(tree) if f.severity is Severity.ERROR] == []
    assert tree.module.mod_par.epk == "EPK_1.2.3"
    assert values(tree, program) == EXPECTED
    report = update(tree, program, mode="report")
    assert report.is_current, [str(c) for c in (*report.moved, *report.changed, *report.missing)]
    assert report.findings == ()


def test_addresses_of_files_that_are_not_placed_are_told(folder) -> None:
    source = folder / "loose.c"
    source.write_text("int speed = 5; int main(void) { return speed; }\n")
    for flags, slug in ((["-c"], "not-linked"), (["-pie", "-fpie"], "movable"), (["-no-pie"], "")):
        made = folder / f"loose{''.join(flags)}"
        subprocess.run(
            ["gcc", "-g", "-o", str(made), str(source), *flags],
            check=True, timeout=60, capture_output=True,
        )  # fmt: skip
        tree = generate(load(made), GenerateOptions(include=("speed",)))
        assert [f.slug for f in tree.diagnostics] == [slug] * bool(slug)
        findings = update(tree, load(made), mode="report").findings
        assert [f.slug for f in findings] == ["not-linked"] * (slug == "not-linked")


@pytest.mark.parametrize("version", [2, 5])
@pytest.mark.parametrize("compiler", ["powerpc-linux-gnu-gcc", "arm-none-eabi-gcc"])
def test_programs_for_other_processors(folder, compiler, version) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"needs {compiler}")
    source = folder / f"{compiler}{version}.c"
    text = SOURCE.replace("GAP", "").replace("FILLER", "").replace("COUNT_TYPE", "uint16_t")
    source.write_text(text + "void _start(void) { main(); }\n")
    made = source.with_suffix(".elf")
    flags = ["-ffreestanding", "-nostdlib", "-static", "-w", f"-gdwarf-{version}"]
    command = [compiler, *flags, "-o", str(made), str(source), "-lgcc"]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    program = load(made)
    big = program.byte_order is ByteOrder.MOTOROLA
    assert big is compiler.startswith("powerpc")
    expected = {**EXPECTED, "outer.s": -66} if big else EXPECTED  # the first byte of 0xBEEF
    for structures in ("typedef", "flat"):
        tree = parse(write(generate(program, GenerateOptions(structures=structures))))
        assert values(tree, program) == expected
        assert update(tree, program, mode="report").is_current


#: Answers questions about its own memory, after it changed some of it.
SERVER = r"""
#include <stdio.h>
static void serve(void) {
    unsigned long address, size;
    outer.x = 9; outer.z = -64; outer.in[1].b[2] = 77; outer.d[1][0] = -0.5; outer.c = RED;
    packed.c = 0x123; grid[1][2][3] = 4321; state = BROKEN; wide = 7;
    while (scanf("%lx %lu", &address, &size) == 2) {
        for (unsigned long n = 0; n < size; n++) printf("%02x", ((volatile unsigned char *)address)[n]);
        printf("\n"); fflush(stdout);
    }
}
"""


@pytest.mark.parametrize("flags", ["-gdwarf-5", "-gdwarf-2 -O2"])
def test_generated_description_reads_the_running_program(folder, flags) -> None:
    source = folder / "running.c"
    text = SOURCE.replace("GAP", "").replace("FILLER", SERVER).replace("COUNT_TYPE", "uint16_t")
    late = "enum mode state;\nextern volatile uint16_t grid[2][3][4];\nuint16_t wide;\n"
    text = text.replace("#include <stdio.h>", f"#include <stdio.h>\n{late}")
    source.write_text(text.replace("return counter()", "serve(); return 0 * counter()"))
    made = folder / "running"
    base = ["gcc", "-fno-pie", "-no-pie", "-w", "-o", str(made), str(source), *flags.split()]
    subprocess.run(base, check=True, timeout=60, capture_output=True)
    program = load(made)
    catalog = Catalog(parse(write(generate(program))))
    with subprocess.Popen([str(made)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None

        def read(address: Address, size: int) -> bytes:
            running.stdin.write(f"{address.value:x} {size}\n".encode())
            running.stdin.flush()
            return bytes.fromhex(running.stdout.readline().decode())

        found: dict[str, object] = {}
        for name in catalog.names:
            bound = catalog.bind(name)
            if isinstance(bound, BoundMeasurement):
                found[name] = bound.decode(read(bound.address, bound.size_bytes)).tolist()
            elif bound.type != "ASCII":
                found[name] = bound.decode(read).values.tolist()
        running.stdin.close()
        assert running.wait(timeout=30) == 0
    changed = {
        "outer.x": 9, "outer.z": -64, "outer.in[1].b": [4, 5, 77], "outer.d": [[1, 2, 3], [-0.5, 5, 6]],
        "outer.c": 1, "packed.c": 0x123, "state": -3, "wide": 7,
        "grid": [[[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], [[13, 14, 15, 16], [17, 18, 19, 20], [21, 22, 23, 4321]]],
    }  # fmt: skip
    expected = {**EXPECTED, **changed}
    assert {name: found[name] for name in changed} == changed
    assert {n: v for n, v in found.items() if n in expected} == {
        n: v for n, v in expected.items() if n in found
    }
    assert len(found) > len(expected) - 5


def test_update_after_types_and_places_changed(folder) -> None:
    old = load(compile_c(folder, "old", "-g"))
    new = load(compile_c(folder, "new", "-g", gap="int32_t extra;", filler="int ballast[100] = {1};", count="uint32_t"))  # fmt: skip
    for structures in ("typedef", "flat"):
        tree = generate(old, GenerateOptions(structures=structures, exclude=("packed",)))
        before = write(tree)
        report = update(tree, new, mode="report")
        assert write(tree) == before
        assert {c.name for c in report.moved} >= {"grid", "small"}
        assert ("wide", "type") in {(c.name, c.kind) for c in report.changed}
        assert not report.missing
        done = update(tree, new, mode="full")
        assert (done.moved, done.changed) == (report.moved, report.changed)
        wanted = {k: v for k, v in EXPECTED.items() if not k.startswith("packed")}
        assert values(parse(write(tree)), new) == wanted
        assert update(tree, new, mode="full").is_current


def test_addresses_from_symbols_and_from_the_map_alone(folder) -> None:
    path = compile_c(folder, "mapped", "-g", "-Wl,-Map=" + str(folder / "mapped.map"))
    program = load(path)
    truth = {v.name: v.address for v in program.variables() if not v.function}
    stripped = compile_c(folder, "plain", "-Wl,-Map=" + str(folder / "plain.map"))
    symbols = Program(elf=read_elf(stripped.read_bytes()))
    listing = Program(linker_map=read_map((folder / "mapped.map").read_text()))
    assert {"outer", "grid", "gain"} <= set(truth)
    for name, address in truth.items():
        assert listing.locate(name).address == address
        assert symbols.locate(name) is not None
    tree = generate(program)
    for made in (*tree.module.measurement, *tree.module.instance, *tree.module.characteristic):
        setattr(made, "ecu_address" if hasattr(made, "ecu_address") else "address", 0x10)
    report = update(tree, listing, mode="addresses")
    assert {m.name for m in report.missing} == {
        "counter_calls"
    }  # locals are not in a map by their name
    assert {m.name: m.ecu_address for m in tree.module.measurement if m.name in truth} == {
        m.name: truth[m.name] for m in tree.module.measurement if m.name in truth
    }


ODD = r"""
#include <stdint.h>
struct flexible { uint16_t count; uint8_t rest[]; } tail = {1, {5}};
long double exact = 1;
static int32_t twin = 1;
const volatile int32_t stable = 4;
int other(void);
int main(void) { static int32_t inner = 9; return other() + twin + stable + inner++ + tail.count + (int)exact; }
"""
OTHER = "#include <stdint.h>\nstatic int32_t twin = 2;\nint other(void) { return twin; }\n"


def compile_odd(folder: Path, name: str, *flags: str) -> Path:
    sources = []
    for part, text in (("one", ODD), ("two", OTHER)):
        source = folder / f"{name}_{part}.c"
        source.write_text(text)
        sources.append(str(source))
    made = folder / name
    base = ["gcc", "-fno-pie", "-no-pie", "-w", "-o", str(made), *sources, *flags]
    subprocess.run(base, check=True, timeout=120, capture_output=True, cwd=folder)
    return made


def test_what_is_left_out_is_told(folder) -> None:
    program = load(compile_odd(folder, "odd", "-g"))
    tree = generate(program, GenerateOptions(include=("*", "Nothing*")))
    told = {f.subject: f.slug for f in tree.diagnostics if f.slug != "no-types"}
    assert told == {
        "exact": "type-unfit",
        "flexible.rest": "type-unfit",
        "Nothing*": "no-match",
    }
    assert "stable" in {made.name for made in tree.module.characteristic}


@pytest.mark.parametrize("flags", ["-g", "-g1", "-g -flto -O0", "-g -gsplit-dwarf", "-g0"])
def test_equal_names_in_two_files_stay_apart(folder, flags) -> None:
    name = "twins" + flags.replace(" ", "").replace("-", "_")
    path = compile_odd(folder, name, *flags.split())
    program = load(path)
    tree = generate(program, GenerateOptions(include=("twin*", "inner*")))
    memory = program.elf.memory()
    found = {
        made.ecu_address: int.from_bytes(memory.read(Address(made.ecu_address), 4), "little")
        for made in tree.module.measurement
    }
    assert sorted(found.values()) == [1, 2, 9]
    # The same program without debug information has the same variables in the same places.
    symbols = Program(elf=program.elf)
    renamed = "lto" in flags  # twin.lto_priv.0
    for used in (program,) if renamed else (program, symbols):
        report = update(tree, used, mode="report", types=False)
        assert report.moved == ()
        assert {gone.name for gone in report.missing} <= {"main_inner"}
    elf = program.elf
    if "split" in flags:
        assert open_drgn(str(path), elf, lambda: program.types) is None


@pytest.mark.parametrize("version", ["1.60", "1.71"])
def test_older_versions_are_flat_and_clean(folder, version) -> None:
    path = compile_c(folder, "versions", "-g")
    out = folder / f"version{version}.a2l"
    words = ["a2l", "generate", str(out), "--elf", str(path), "--to", version, "--exclude", "grid"]
    events = ["--event", "fast:0:0.5", "--event", "slow:1:2000", "--event", "sync:2"]
    assert main([*words, *events]) == 0
    tree = parse(out.read_text(encoding="utf-8"))
    assert tree.version == version
    assert tree.diagnostics == []
    assert [str(f) for f in check(tree) if f.severity > Severity.INFO] == []
    assert bool(tree.module.instance) is (version == "1.71")
    assert not tree.module.typedef_structure or version == "1.71"
    found = values(tree, load(path))
    assert found == {name: value for name, value in EXPECTED.items() if name != "grid"}
    description = read_xcp(tree.module.if_data)
    cycles = [(e.name, e.channel, e.period_ns) for e in description.daq.events]
    assert cycles == [("fast", 0, 500_000), ("slow", 1, 2_000_000_000), ("sync", 2, 0)]
    measured = [*tree.module.measurement, *tree.module.instance]
    wanted = {made.name for made in measured if made.if_data}
    assert {"small", "state", "wide"} <= wanted
    assert not {name for name in wanted if name.startswith("cal")}


def test_split_debug_information_is_told_and_symbols_serve(folder) -> None:
    program = load(compile_c(folder, "split", "-g", "-gsplit-dwarf"))
    assert "separate file" in program.types.diagnostics[0].text
    assert program.locate("wide").address == program.elf.find("wide")[0].address
    assert not program.has_types


def test_symbols_alone_give_unsigned_numbers(folder) -> None:
    path = compile_c(folder, "nodebug")
    program = Program(elf=read_elf(path.read_bytes()))
    tree = generate(program, GenerateOptions(include=("wide", "small", "outer")))
    assert {m.name: m.datatype for m in tree.module.measurement} == {
        "wide": "UWORD",
        "small": "UBYTE",
        "outer": "UBYTE",
    }


def test_drgn_and_pyelftools_agree(folder) -> None:
    pytest.importorskip("drgn")
    # A type that drgn refuses with an error of its own must not end the update.
    odd = "_Complex float phasor = 1; long double exact = 2; const volatile int fixed = 3;"
    for version in (2, 4, 5):
        path = compile_c(folder, f"drgn{version}", f"-gdwarf-{version}", filler=odd)
        elf = read_elf(path.read_bytes())
        full = read_debug_info(elf)
        quick = open_drgn(str(path), elf, lambda: full)  # noqa: B023
        assert quick is not None
        for variable in full:
            ours = [(v.address, v.type, v.is_constant) for v in full.find(variable.name)]
            theirs = [(v.address, v.type, v.is_constant) for v in quick.find(variable.name)]
            assert theirs == ours
        assert quick.answered >= 8
        assert {v.name for v in full if v.is_constant} == {"gain", "label", "cal", "fixed"}


CPP = r"""
#include <cstdint>
namespace engine {
struct Base { int32_t id = 3; };
class Map : public Base { public: uint16_t rows = 7; static int32_t shared; struct Cell { uint8_t v; } cell = {9}; };
int32_t Map::shared = 42;
Map map;
enum class Gear : int8_t { R = -1, N, D };
Gear gear = Gear::R;
namespace { int32_t hidden = 5; }
int use() { static int32_t calls = 11; return hidden + calls++; }
}
template <class T> struct Box { T value; };
Box<float> box = {1.25f};
template <class T> T limit = T(3);
struct Virtual { virtual ~Virtual() {} int16_t level = 6; } plant;
int &alias = engine::Map::shared;
int twice() { static int32_t n = 21; { static int32_t n = 22; n++; } return n; }
int main() { twice(); return limit<int32_t> + limit<int16_t> + plant.level + engine::use() + (int)box.value + alias; }
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
@pytest.mark.parametrize("version", [4, 5])
def test_cpp_names(folder, version) -> None:
    source = folder / "prog.cpp"
    source.write_text(CPP)
    made = folder / f"cpp{version}"
    subprocess.run(
        ["g++", "-fno-pie", "-no-pie", f"-gdwarf-{version}", "-o", str(made), str(source)],
        check=True, timeout=60, capture_output=True,
    )  # fmt: skip
    program = load(made)
    memory = program.elf.memory()

    def number(text: str, size: int) -> int:
        return int.from_bytes(memory.read(Address(program.locate(text).address), size), "little", signed=True)  # fmt: skip

    assert number("engine::Map::shared", 4) == 42
    assert number("_ZN6engine3Map6sharedE", 4) == 42
    assert number("engine::map.rows", 2) == 7
    assert number("engine::map.id", 4) == 3  # of the base class
    assert number("engine::map.cell.v", 1) == 9
    assert number("engine::hidden", 4) == 5
    assert number("engine::gear", 1) == -1
    symbols = Program(elf=program.elf)
    assert symbols.locate("engine::Map::shared").address == program.locate("engine::Map::shared").address  # fmt: skip
    tree = parse(write(generate(program)))
    assert tree.diagnostics == []
    assert [f for f in check(tree) if f.severity is Severity.ERROR] == []
    found = values(tree, program)
    assert found["engine_map.rows"] == 7
    assert found["engine_map.id"] == 3
    assert found["box.value"] == 1.25
    assert found["engine_gear"] == -1
    assert found["plant.level"] == 6
    assert not [name for name in found if "vptr" in name]
    assert sorted(found[n] for n in found if n.startswith("limit")) == [3, 3]
    assert sorted(found[n] for n in found if n.startswith("twice_n")) == [21, 22]
    assert update(tree, program, mode="report").is_current


def test_header_with_a_program(folder) -> None:
    header = """
#define N 4
/* @@ measurement Grid
 * @@ text "Cells of the grid"
 * @@ unit "mV"
 * @@ linear 0.5 -10
 * @@ group Sensors
 */
extern volatile uint16_t grid[2][3][N];
extern const float gain; // @@ parameter Gain
/* @@ parameter */
extern const char label[12];
/* @@ instance Out */
extern outer_t outer;
/* @@ measurement Third
   @@ symbol outer.in[1].f */
extern float whatever;
"""
    program = load(compile_c(folder, "header", "-g"))
    tree = parse_header(header, source="ecu.h", program=program)
    assert tree.diagnostics == []
    tree = parse(write(tree))
    found = values(tree, program)
    assert found["Grid"] == EXPECTED["grid"]
    assert found["Gain"] == 2.75
    assert found["label"] == "EPK_1.2.3"
    assert found["Out.in[1].b"] == [4, 5, 6]
    assert found["Third"] == 2.5
    assert Catalog(tree).bind("Grid").to_phys([[[40]]]).item() == 10.0
    assert tree.module.group[0].ref_measurement.names == ["Grid"]


def test_cut_and_damaged_programs(folder) -> None:
    import random

    victim = compile_c(folder, "victim", "-g")
    data, tree = victim.read_bytes(), generate(load(victim))
    for seed in range(60):
        chance = random.Random(seed)
        damaged = bytearray(data[: chance.randrange(len(data))] if seed % 3 == 0 else data)
        for _ in range(chance.choice((1, 10, 200))):
            if damaged:
                damaged[chance.randrange(len(damaged))] = chance.choice((0, 0xFF, 0x80, 0x7F))
        path = folder / "damaged"
        path.write_bytes(damaged)
        try:
            elf = read_elf(bytes(damaged))
            elf.memory()
            full = read_debug_info(elf)
            generate(Program(types=full, elf=elf))
        except XcaliperError:
            continue
        types = open_drgn(str(path), elf, lambda: full)  # noqa: B023
        update(tree, Program(types=types or full, elf=elf), mode="report")
