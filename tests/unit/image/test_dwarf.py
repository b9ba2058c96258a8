"""Debug information made by hand: the cases that every reader trips over."""

from __future__ import annotations

import pytest

from support.dwarf_maker import Maker, die
from xcaliper.core.errors import ImageError
from xcaliper.image.c_types import Array, Base, Enum, Pointer, Struct, Typedef, Void, strip
from xcaliper.image.dwarf import read_debug_info
from xcaliper.image.dwarf_types import bit_field_place
from xcaliper.image.elf import read_elf
from xcaliper.image.program import Program

U32 = die("base", "u32", name="unsigned int", size=4, encoding=7)
I16 = die("base", "i16", name="short int", size=2, encoding=5)


def read(maker: Maker, *entries, symbols=(), extra=None, **top):
    data = maker.elf(die("cu", "", *entries, name="unit.c", language=0x0C, **top), symbols, extra)
    return read_debug_info(read_elf(data))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_every_width_order_and_version(big, wide, version) -> None:
    maker = Maker(big=big, wide=wide, version=version)
    info = read(
        maker,
        U32,
        die("volatile", "v", type="u32"),
        die("typedef", "t", name="counter_t", type="v"),
        die("variable", name="counter", type="t", external=1, location=maker.at(0x1010)),
    )
    (counter,) = info.find("counter")
    assert counter.address == 0x1010
    assert counter.type == Typedef("counter_t", Base("unsigned int", "unsigned", 4))
    assert counter.unit == "unit.c"
    assert counter.is_external
    assert info.diagnostics == ()


@pytest.mark.parametrize(
    ("big", "attributes", "shift"),
    [
        (False, {"bit_offset_old": 24, "offset": 0}, 3),  # 5 bits from bit 3 on: 32 - 24 - 5
        (True, {"bit_offset_old": 24, "offset": 0}, 3),  # counted from the most significant bit
        (False, {"bit_offset": 3}, 3),
        (True, {"bit_offset": 24}, 3),
        (False, {"bit_offset_old": 24, "offset_expr": b"\x23\x00"}, 3),
    ],
)
def test_bit_fields_old_and_new_in_both_orders(big, attributes, shift) -> None:
    maker = Maker(big=big)
    member = die("member", name="f", type="u32", bit_size=5, size=4, **attributes)
    info = read(
        maker,
        U32,
        die("struct", "s", member, name="s", size=4),
        die("variable", name="v", type="s", location=maker.at(0x1000)),
    )
    place = Program(types=info).locate("v.f")
    assert place is not None
    assert (place.address, place.storage_bytes, place.bit_mask) == (0x1000, 4, 0x1F << shift)


def test_negative_old_bit_offset_reaches_into_the_next_unit() -> None:
    maker = Maker()
    member = die(
        "member", name="f", type="u32", bit_size=10, size=4, offset=2, bit_offset_old=0xFFFFFFF6
    )
    info = read(
        maker,
        U32,
        die("struct", "s", member, name="s", size=8),
        die("variable", name="v", type="s", location=maker.at(0x1000)),
    )
    place = Program(types=info).locate("v.f")
    # 16 + 32 + 10 - 10 = bit 48: storage unit at byte 4, shift 16
    assert place is not None
    assert (place.address, place.bit_shift) == (0x1004, 16)


@pytest.mark.parametrize("big", [False, True])
def test_packed_field_across_its_units(big) -> None:
    offset, bits, shift, storage = bit_field_place(30, 4, 4, big=big)
    assert bits == 4
    # a window of whole bytes that holds bits 30 to 33
    start = 8 * offset + (8 * storage - shift - bits if big else shift)
    assert start == 30
    assert shift + bits <= 8 * storage


def test_addresses_that_linkers_leave_behind_are_dropped() -> None:
    maker = Maker()
    info = read(
        maker,
        U32,
        die("variable", name="gone", type="u32", location=maker.at(0)),
        die("variable", name="minus1", type="u32", location=maker.at(0xFFFFFFFF)),
        die("variable", name="minus2", type="u32", location=maker.at(0xFFFFFFFE)),
        die("variable", name="zero", type="u32", location=maker.at(0)),
        die("variable", name="kept", type="u32", location=maker.at(0x1000)),
        symbols=(("zero", 0, 4),),
    )
    assert {v.name: v.address for v in info} == {"zero": 0, "kept": 0x1000}


def test_location_forms() -> None:
    maker = Maker(version=5)
    table = maker.pack("IHBB", 12, 5, 4, 0) + maker.address(0x1004) + maker.address(0x1008)
    info = read(
        maker,
        U32,
        die("variable", name="indexed", type="u32", location=b"\xa1\x01"),
        die("variable", name="shifted", type="u32", location=maker.at(0x1000) + b"\x23\x0c"),
        die("variable", name="stack", type="u32", location=b"\x91\x10"),
        die("variable", name="thread", type="u32", location=maker.at(0x10) + b"\xe0"),
        die("variable", name="cut", type="u32", location=b"\x03\x00"),
        die("variable", name="constant", type="u32", const_value=7),
        extra={".debug_addr": table},
        addr_base=8,
    )
    assert {v.name: v.address for v in info} == {"indexed": 0x1008, "shifted": 0x100C}


def test_declaration_is_completed_by_name_and_by_symbol() -> None:
    maker = Maker()
    info = read(
        maker,
        U32,
        die("struct", "stub", name="s", declaration=1),
        die("struct", "full", die("member", name="m", type="u32", offset=4), name="s", size=8),
        die("array", "a", die("subrange"), type="u32"),
        die("variable", name="v", type="stub", location=maker.at(0x1000)),
        die("variable", name="elsewhere", type="u32", external=1, declaration=1),
        die("variable", name="open", type="a", external=1, location=maker.at(0x1020)),
        symbols=(("elsewhere", 0x1010, 4), ("open", 0x1020, 12)),
    )
    program = Program(types=info)
    assert program.locate("v.m").address == 0x1004
    assert program.locate("elsewhere").address == 0x1010
    assert info.find("open")[0].type == Array(Base("unsigned int", "unsigned", 4), (3,))


def test_specification_takes_name_type_and_scope_from_its_declaration() -> None:
    maker = Maker()
    data = maker.elf(
        die(
            "cu",
            "",
            U32,
            die(
                "namespace",
                "",
                die(
                    "class",
                    "",
                    die(
                        "member",
                        "decl",
                        name="rows",
                        type="u32",
                        declaration=1,
                        external=1,
                        linkage="_ZN1n1C4rowsE",
                    ),
                    name="C",
                    size=1,
                ),
                name="n",
            ),
            die("variable", specification="decl", location=maker.at(0x1008)),
            name="unit.cpp",
            language=0x04,
        )
    )
    info = read_debug_info(read_elf(data))
    (rows,) = info.find("n::C::rows")
    assert (rows.address, rows.linkage_name) == (0x1008, "_ZN1n1C4rowsE")
    assert info.find("_ZN1n1C4rowsE") == (rows,)


def test_progress_in_bytes_of_debug_information() -> None:
    maker = Maker()
    speed = die("variable", name="speed", type="u32", external=1, location=maker.at(0x1010))
    data = maker.elf(die("cu", "", U32, speed, name="unit.c", language=0x0C))
    told = []
    info = read_debug_info(read_elf(data), progress=lambda *words: told.append(words))
    assert len(info) == 1
    ((what, done, total),) = told
    assert what == "bytes of debug information read"
    assert done == total > 20


def test_types_that_contain_themselves_end() -> None:
    maker = Maker()
    info = read(
        maker,
        die("array", "a", die("subrange", upper=1), type="a"),
        die("struct", "s", die("member", name="m", type="s", offset=0), name="s", size=4),
        die("typedef", "t", name="t", type="t"),
        die("const", "c"),
        die("pointer", "p", size=4, type="s"),
        *(
            die("variable", name=f"v_{key}", type=key, location=maker.at(0x1000))
            for key in ("a", "s", "t", "c", "p")
        ),
    )
    assert len(info) == 5
    assert info.find("v_c")[0].type == Void()
    assert info.find("v_p")[0].type == Pointer(4, "s")
    assert isinstance(info.find("v_s")[0].type, Struct)
    assert info.find("v_t")[0].type == Typedef("t", Void())


def test_anonymous_members_belong_to_the_parent() -> None:
    maker = Maker()
    inner = die(
        "union",
        "u",
        die("member", name="word", type="u32"),
        die("member", name="half", type="i16"),
        size=4,
    )
    info = read(
        maker,
        U32,
        I16,
        inner,
        die("struct", "s", die("member", name="first", type="u32", offset=0), die("member", type="u", offset=4), name="s", size=8),
        die("variable", name="v", type="s", location=maker.at(0x1000)),
    )  # fmt: skip
    program = Program(types=info)
    assert program.locate("v.half").address == 0x1004
    assert program.locate("v.half").type == Base("short", "signed", 2)
    assert program.locate("v.none") is None


def test_enum_said_to_be_unsigned_with_negative_values() -> None:
    maker = Maker()
    kind = die(
        "enum", "e", die("enumerator", name="BAD", const_value=-1), die("enumerator", name="OK", const_value=0), name="e", size=4, type="u32"
    )  # fmt: skip
    info = read(maker, U32, kind, die("variable", name="v", type="e", location=maker.at(0x1000)))
    assert info.find("v")[0].type == Enum("e", 4, is_signed=True, values=(("BAD", -1), ("OK", 0)))


def test_function_statics_carry_their_function() -> None:
    maker = Maker()
    functions = [
        die(
            "subprogram", "", die("variable", name="count", type="u32", location=maker.at(at)), name=name
        )
        for name, at in (("first", 0x1000), ("second", 0x1004))
    ]  # fmt: skip
    info = read(maker, U32, *functions)
    program = Program(types=info)
    assert program.locate("count{Function:second}{CompileUnit:unit_c}").address == 0x1004
    assert program.locate("count{Function:third}") is None
    assert program.locate("unit_c.count").address == 0x1000


def test_multi_dimensional_arrays_and_their_elements() -> None:
    maker = Maker()
    info = read(
        maker,
        I16,
        die("array", "inner", die("subrange", count=3), type="i16"),
        die("array", "a", die("subrange", upper=1), die("subrange", upper=3), type="inner"),
        die("variable", name="v", type="a", location=maker.at(0x1000)),
    )
    program = Program(types=info)
    assert strip(program.locate("v").type) == Array(Base("short", "signed", 2), (2, 4, 3))
    assert program.locate("v[1][2][1]").address == 0x1000 + 2 * (1 * 12 + 2 * 3 + 1)
    assert program.locate("v._1_._2_").type == Array(Base("short", "signed", 2), (3,))
    assert program.locate("v[2]") is None


def test_damaged_unit_costs_itself_only() -> None:
    maker = Maker()
    good = maker.elf(
        die("cu", "", U32, die("variable", name="v", type="u32", location=maker.at(0x1000)), name="u", language=0x0C)
    )  # fmt: skip
    at = (
        good.index(b"unsigned int") + 13
    )  # size and encoding of the type follow; then the next entry's code
    damaged = good[: at + 2] + b"\x7e" + good[at + 3 :]
    info = read_debug_info(read_elf(damaged, source="prog.elf"))
    assert len(info) == 0
    assert info.diagnostics[0].slug == "dwarf-damaged"
    assert "prog.elf" in str(info.diagnostics[0])


def test_no_debug_information_is_no_error() -> None:
    data = Maker().elf(die("cu", "", name="u")).replace(b".debug_info", b".nothing_xx")
    assert len(read_debug_info(data)) == 0


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"MZ" * 100, b"\x7fELF" + bytes(100)])
def test_other_files_are_refused(data) -> None:
    with pytest.raises(ImageError):
        read_debug_info(data, source="x.bin")
