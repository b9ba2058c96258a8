"""Updates against a program made by hand: every link, every keyword, every policy."""

from __future__ import annotations

import pytest

from support.dwarf_maker import Maker, die
from xcaliper.a2l import parse, write
from xcaliper.core.errors import NotFoundError, PlanError, UsageError
from xcaliper.describe import update
from xcaliper.image.c_types import Array, Base, Enum, Member, Pointer, Struct, Typedef
from xcaliper.image.debug_info import DebugInfo, Variable
from xcaliper.image.elf import read_elf
from xcaliper.image.program import Program

U8 = Base("unsigned char", "unsigned", 1)
U16 = Base("unsigned short", "unsigned", 2)
I16 = Base("short", "signed", 2)
U32 = Base("unsigned int", "unsigned", 4)
F32 = Base("float", "float", 4)
MODE = Enum("mode", 4, is_signed=False, values=(("OFF", 0), ("ON", 1), ("STANDBY", 2)))
CELL = Struct("struct", "cell", 8, (Member("v", F32, 4), Member("n", U16, 0)))
PACK = Struct(
    "struct",
    "pack",
    24,
    (
        Member("flags", U32, 0, 5, 3, 4),
        Member("sub", Typedef("cell_t", CELL), 4),
        Member("rows", Array(I16, (2, 3)), 12),
    ),
)
RECORD = Struct(
    "struct", "rec", 20, (Member("x", Array(U16, (5,)), 0), Member("z", Array(U16, (5,)), 10))
)


def program(**more) -> Program:
    kinds = {
        "speed": (0x1000, U16), "pack": (0x2000, PACK), "mode": (0x3000, MODE), "table": (0x4000, Array(I16, (4, 5))),
        "cells": (0x5000, Array(CELL, (3,))), "name": (0x6000, Array(Base("char", "signed", 1), (16,))),
        "axis": (0x7000, Array(U16, (6,))), "rec": (0x8000, RECORD), "ptr": (0x9000, Pointer(4, "cell")),
    }  # fmt: skip
    kinds.update(more)
    return Program(types=DebugInfo(Variable(n, a, k) for n, (a, k) in kinds.items()))


def module(body: str, version: str = "1 71"):
    tree = parse(
        f'ASAP2_VERSION {version} /begin PROJECT p "" /begin MODULE m "" {body} /end MODULE /end PROJECT'
    )
    assert tree.diagnostics == []
    return tree


def measurement(name: str, datatype: str = "UWORD", more: str = "", limits: str = "0 65535", method: str = "NO_COMPU_METHOD") -> str:  # fmt: skip
    return f'/begin MEASUREMENT {name} "" {datatype} {method} 0 0 {limits} ECU_ADDRESS 0x10 {more} /end MEASUREMENT\n'


def first(tree):
    return tree.module.measurement[0]


@pytest.mark.parametrize(
    ("name", "more", "address"),
    [
        ("a", 'SYMBOL_LINK "speed" 0', 0x1000),
        ("a", 'SYMBOL_LINK "pack.sub.v" 0', 0x2008),
        ("a", 'SYMBOL_LINK "pack.rows[1][2]" 0', 0x200C + 10),
        ("a", 'SYMBOL_LINK "pack.rows._1_._2_" 0', 0x200C + 10),
        ("a", 'SYMBOL_LINK "pack" 8', 0x2008),
        ("a", 'SYMBOL_LINK "cells[2].v" 1', 0x5000 + 21),
        ("a", '/begin IF_DATA CANAPE_EXT 100 LINK_MAP "speed" 0x1 0x0 0 0x4 0 0x0 0x0 /end IF_DATA', 0x1004),
        ("speed", "", 0x1000),
        ("pack.sub.v", "", 0x2008),
        ("cells._1_.n", "", 0x5008),
        ("a", "DISPLAY_IDENTIFIER speed", 0x1000),
        ("speed", 'SYMBOL_LINK "table" 0', 0x4000),
        ("a", 'SYMBOL_LINK "speed{Function:}{CompileUnit:}{Namespace:Global}" 0', 0x1000),
    ],
)  # fmt: skip
def test_links(name, more, address) -> None:
    tree = module(measurement(name, more=more))
    report = update(tree, program())
    assert first(tree).ecu_address == address
    assert [c.new for c in report.moved if c.kind == "address"] == [address]
    assert report.missing == ()
    if first(tree).symbol_link:
        assert str(first(tree).symbol_link.offset) == more.split()[-1]
    text = write(tree)
    again = update(tree, program())
    assert again.is_current
    assert again.unchanged == 1
    assert write(tree) == text


def test_link_that_leads_nowhere_does_not_fall_back_to_the_name() -> None:
    tree = module(measurement("speed", more='SYMBOL_LINK "spead" 0'))
    report = update(tree, program())
    assert first(tree).ecu_address == 0x10
    assert report.missing[0].symbols == ("spead",)
    assert report.missing[0].nearest == ("speed",)
    assert "did you mean speed?" in str(report.missing[0])


def test_policies_for_missing_symbols() -> None:
    body = (
        measurement("gone")
        + measurement("speed")
        + '/begin GROUP g "" /begin REF_MEASUREMENT gone speed /end REF_MEASUREMENT /end GROUP'
    )
    tree = module(body)
    update(tree, program(), missing="keep")
    assert first(tree).ecu_address == 0x10
    update(tree, program(), missing="zero")
    assert first(tree).ecu_address == 0
    tree = module(body)
    with pytest.raises(PlanError, match="gone"):
        update(tree, program(), missing="fail")
    assert [m.ecu_address for m in tree.module.measurement] == [0x10, 0x10]
    report = update(tree, program(), missing="remove")
    assert [m.name for m in tree.module.measurement] == ["speed"]
    assert tree.module.group[0].ref_measurement.names == ["speed"]
    assert [c.kind for c in report.changed] == ["removed"]


def test_report_changes_nothing() -> None:
    body = measurement("speed", "UBYTE") + measurement("mode") + measurement("gone")
    tree = module(body)
    before = write(tree)
    report = update(tree, program(), mode="report", missing="remove")
    assert write(tree) == before
    assert not report.applied
    assert {(c.name, c.kind) for c in report.changed} >= {("speed", "type"), ("mode", "conversion"), ("gone", "removed")}  # fmt: skip
    assert update(tree, program(), mode="report", types=False).changed == ()
    assert report.as_dict()["moved"][0]["new"] == 0x1000


def test_objects_without_memory_are_left_alone() -> None:
    tree = module(
        '/begin MEASUREMENT v "" UWORD NO_COMPU_METHOD 0 0 0 1 /begin VIRTUAL speed /end VIRTUAL /end MEASUREMENT'
        '/begin MEASUREMENT n "" UWORD NO_COMPU_METHOD 0 0 0 1 /end MEASUREMENT'
        + measurement("speed", more="ECU_ADDRESS_EXTENSION 0x2")
    )
    report = update(tree, program())
    assert report.skipped == ("v", "n", "speed")
    assert report.moved == ()


def test_copies_inside_if_data_follow() -> None:
    tree = module(
        measurement(
            "speed",
            more="/begin IF_DATA ASAP1B_CCP KP_BLOB 0x0 0x10 1 RASTER 1 /end IF_DATA "
            '/begin IF_DATA CANAPE_EXT 100 LINK_MAP "speed" 0x10 0x0 0 0x0 1 0x87 0x0 /end IF_DATA',
        )
        + '/begin CHARACTERISTIC table "" VAL_BLK 0x20 L 0 NO_COMPU_METHOD 0 1 MATRIX_DIM 5 4 '
        "/begin IF_DATA ASAP1B_CCP /begin DP_BLOB 0x0 0x24 0x10 /end DP_BLOB /end IF_DATA /end CHARACTERISTIC"
        "/begin RECORD_LAYOUT L FNC_VALUES 1 SWORD ROW_DIR DIRECT /end RECORD_LAYOUT"
    )
    report = update(tree, program(), mode="full")
    ccp, canape = first(tree).if_data
    assert ccp.items[:4] == ["KP_BLOB", "0x0", "0x1000", "2"]
    assert canape.items[2:] == ["speed", "0x1000", "0x0", "0", "0x0", "1", "0x8F", "0x0"]
    blob = tree.module.characteristic[0].if_data[0].block("DP_BLOB")
    assert blob.items == [
        "0x0",
        "0x4004",
        "0x28",
    ]  # it stood 4 bytes behind the object, and still does
    assert {c.attribute for c in report.moved} == {
        "ECU_ADDRESS", "ADDRESS", "BLOB address", "BLOB length", "LINK_MAP", "LINK_MAP type",
    }  # fmt: skip
    assert update(tree, program(), mode="full").is_current


def test_variants_move_with_their_object() -> None:
    tree = module(
        '/begin CHARACTERISTIC speed "" VALUE 0x10 L 0 NO_COMPU_METHOD 0 1 /end CHARACTERISTIC '
        "/begin VARIANT_CODING /begin VAR_CHARACTERISTIC speed c /begin VAR_ADDRESS 0x10 0x30 /end VAR_ADDRESS "
        "/end VAR_CHARACTERISTIC /end VARIANT_CODING"
    )
    update(tree, program())
    coded = tree.module.variant_coding.var_characteristic[0]
    assert coded.var_address.address == [0x1000, 0x1020]


def test_identification() -> None:
    tree = module('/begin MOD_PAR "" ADDR_EPK 0x1 EPK "old" /end MOD_PAR')
    update(tree, program(), epk="name")
    assert tree.module.mod_par.addr_epk == [0x6000]
    with pytest.raises(NotFoundError, match="nam"):
        update(tree, program(), epk="nam")


def test_data_type_and_bits() -> None:
    tree = module(
        measurement("speed", "SBYTE", limits="-128 127")
        + measurement("pack.flags", "UBYTE", "BIT_MASK 0x1", limits="0 1000")
        + measurement("own", "ULONG", 'BIT_MASK 0xF0 SYMBOL_LINK "speed" 0')
    )
    update(tree, program(), mode="full")
    speed, flags, own = tree.module.measurement
    assert (speed.datatype, speed.lower_limit, speed.upper_limit) == ("UWORD", 0, 127)
    assert (flags.datatype, flags.bit_mask, flags.upper_limit) == ("ULONG", 0xF8, 31)
    assert (own.datatype, own.bit_mask) == ("UWORD", 0xF0)


@pytest.mark.parametrize(
    ("version", "more", "wanted"),
    [
        ("1 71", "MATRIX_DIM 2", (5, 4)),
        ("1 60", "MATRIX_DIM 2 1 1", (5, 4, 1)),
        ("1 71", "MATRIX_DIM 4 5 LAYOUT COLUMN_DIR", (4, 5)),
        ("1 71", "MATRIX_DIM 5 4 1", (5, 4, 1)),
        ("1 71", "", (5, 4)),
    ],
)
def test_dimensions(version, more, wanted) -> None:
    tree = module(measurement("table", "SWORD", more, limits="0 1"), version)
    update(tree, program(), mode="full")
    assert first(tree).matrix_dim == wanted


def test_array_size_and_elements() -> None:
    tree = module(measurement("table", "SWORD", "ARRAY_SIZE 3", limits="0 1"), "1 50")
    update(tree, program(), mode="full")
    assert (first(tree).array_size, first(tree).matrix_dim) == (20, None)
    # two objects in one array are elements of it
    tree = module(
        measurement("e0", "UWORD", 'SYMBOL_LINK "axis" 0')
        + measurement("e1", "UBYTE", 'SYMBOL_LINK "axis" 2')
    )
    update(tree, program(), mode="full")
    assert [(m.ecu_address, m.datatype, m.matrix_dim) for m in tree.module.measurement] == [
        (0x7000, "UWORD", None),
        (0x7002, "UWORD", None),
    ]
    tree = module(measurement("speed", more="MATRIX_DIM 7"))
    update(tree, program(), mode="full")
    assert first(tree).matrix_dim is None


def test_limits_are_clipped_through_the_conversion() -> None:
    method = '/begin COMPU_METHOD lin "" LINEAR "%5.1" "" COEFFS_LINEAR 0.5 -10 /end COMPU_METHOD '
    method += '/begin COMPU_METHOD rat "" RAT_FUNC "%5.1" "" COEFFS 0 -2 0 0 0 1 /end COMPU_METHOD '
    tree = module(
        method
        + measurement("speed", limits="-500 1e9", method="lin")
        + measurement("r", more='SYMBOL_LINK "speed" 0', limits="-1e9 500", method="rat")
        + measurement("ok", more='SYMBOL_LINK "speed" 0', limits="5 10")
    )
    update(tree, program(), mode="full")
    lin, rat, ok = tree.module.measurement
    assert (lin.lower_limit, lin.upper_limit) == (-10, 32757.5)
    assert (rat.lower_limit, rat.upper_limit) == (-32767.5, 0)
    assert (ok.lower_limit, ok.upper_limit) == (5, 10)


def test_enum_becomes_a_conversion_once() -> None:
    tree = module(measurement("mode") + measurement("again", more='SYMBOL_LINK "mode" 0'))
    update(tree, program(), mode="full")
    assert [m.conversion for m in tree.module.measurement] == ["mode", "mode"]
    (table,) = tree.module.compu_vtab
    assert table.pairs == [(0, "OFF"), (1, "ON"), (2, "STANDBY")]
    assert len(tree.module.compu_method) == 1
    assert parse(write(tree)).diagnostics == []
    assert update(tree, program(), mode="full").is_current


def test_enum_texts_follow_the_program_unless_somebody_wrote_them() -> None:
    def tables(pairs: str):
        tree = module(
            f'/begin COMPU_VTAB t "" TAB_VERB 2 {pairs} /end COMPU_VTAB '
            '/begin COMPU_METHOD c "" TAB_VERB "%.0" "" COMPU_TAB_REF t /end COMPU_METHOD '
            + measurement("mode", method="c")
        )
        update(tree, program(), mode="full")
        return tree.module.compu_vtab[0]

    assert tables('0 "OFF" 7 "ON"').pairs == [(0, "OFF"), (1, "ON"), (2, "STANDBY")]
    assert tables('0 "OFF" 7 "ON"').number_value_pairs == 3
    assert tables('0 "Aus" 1 "An"').pairs == [(0, "Aus"), (1, "An")]


CHARACTERISTICS = """
/begin RECORD_LAYOUT RL_UBYTE FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT F FNC_VALUES 1 FLOAT32_IEEE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT A AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT R AXIS_PTS_X 1 UWORD INDEX_INCR DIRECT FNC_VALUES 2 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin CHARACTERISTIC speed "" VALUE 0 RL_UBYTE 0 NO_COMPU_METHOD -5 1e6 /end CHARACTERISTIC
/begin CHARACTERISTIC v "" VALUE 0 RL_UBYTE 0 NO_COMPU_METHOD 0 1 SYMBOL_LINK "pack.sub.v" 0 /end CHARACTERISTIC
/begin CHARACTERISTIC table "" VAL_BLK 0 RL_UBYTE 0 NO_COMPU_METHOD 0 1 NUMBER 3 /end CHARACTERISTIC
/begin CHARACTERISTIC name "" ASCII 0 RL_UBYTE 0 NO_COMPU_METHOD 0 255 NUMBER 3 /end CHARACTERISTIC
/begin CHARACTERISTIC rec "" CURVE 0 R 0 NO_COMPU_METHOD 0 1
  /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 4 0 1 /end AXIS_DESCR /end CHARACTERISTIC
/begin AXIS_PTS axis "" 0 NO_INPUT_QUANTITY A 0 NO_COMPU_METHOD 9 0 255 /end AXIS_PTS
/begin BLOB blob "" 0 3 SYMBOL_LINK "rec" 0 /end BLOB
"""


def test_characteristics_axes_and_blobs() -> None:
    tree = module(CHARACTERISTICS)
    report = update(tree, program(), mode="full")
    assert report.findings == ()
    made = {c.name: c for c in tree.module.characteristic}
    layouts = {r.name: r for r in tree.module.record_layout}
    assert made["speed"].address == 0x1000
    assert made["speed"].deposit == "RL_UWORD"
    assert layouts["RL_UWORD"].fnc_values.datatype == "UWORD"
    assert (made["speed"].lower_limit, made["speed"].upper_limit) == (0, 65535)
    assert made["v"].deposit == "F"  # a layout that was there already
    assert (made["table"].number, made["table"].deposit) == (20, "RL_SWORD")
    assert (made["name"].number, made["name"].deposit) == (16, "RL_UBYTE")
    curve = layouts[made["rec"].deposit]
    assert (curve.axis_pts_x.datatype, curve.fnc_values.datatype) == ("UWORD", "UWORD")
    assert made["rec"].axis_descr[0].max_axis_points == 5
    (axis,) = tree.module.axis_pts
    assert axis.max_axis_points == 6
    assert layouts[axis.deposit_record].axis_pts_x.datatype == "UWORD"
    assert tree.module.blob[0].size == 20
    assert parse(write(tree)).diagnostics == []
    assert update(tree, program(), mode="full").is_current


TYPEDEFS = """
/begin TYPEDEF_MEASUREMENT tm "" UBYTE NO_COMPU_METHOD 0 0 0 255 /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_MEASUREMENT tb "" ULONG NO_COMPU_METHOD 0 0 0 1 BIT_MASK 0x1 /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_STRUCTURE ts "" 0x3
  /begin STRUCTURE_COMPONENT n tm 0x9 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT volts tm 0x9 SYMBOL_TYPE_LINK "v" /end STRUCTURE_COMPONENT
/end TYPEDEF_STRUCTURE
/begin TYPEDEF_STRUCTURE tp "" 0x3
  /begin STRUCTURE_COMPONENT flags tb 0x9 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT sub ts 0x9 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT rows tm 0x9 MATRIX_DIM 1 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT lost tm 0x9 /end STRUCTURE_COMPONENT
/end TYPEDEF_STRUCTURE
/begin INSTANCE pack "" tp 0x0 /end INSTANCE
/begin INSTANCE cells "" ts 0x0 MATRIX_DIM 9 /end INSTANCE
/begin INSTANCE speed "" tm 0x0 /end INSTANCE
/begin INSTANCE ptr "" ts 0x0 ADDRESS_TYPE PLONG /end INSTANCE
"""


def test_typedefs_and_instances() -> None:
    tree = module(TYPEDEFS)
    report = update(tree, program(), mode="full")
    assert [f.slug for f in report.findings] == ["member-missing"]
    structures = {t.name: t for t in tree.module.typedef_structure}
    kinds = {t.name: t for t in tree.module.typedef_measurement}
    assert (structures["ts"].total_size, structures["tp"].total_size) == (8, 24)
    offsets = {c.name: c.address_offset for t in structures.values() for c in t.structure_component}
    assert offsets == {"n": 0, "volts": 4, "flags": 0, "sub": 4, "rows": 12, "lost": 9}
    types = {c.name: kinds[c.typedef_name].datatype for t in structures.values() for c in t.structure_component if c.typedef_name in kinds}  # fmt: skip
    assert types == {
        "n": "UWORD",
        "volts": "FLOAT32_IEEE",
        "flags": "ULONG",
        "rows": "SWORD",
        "lost": "UBYTE",
    }
    flags = kinds[structures["tp"].structure_component[0].typedef_name]
    assert flags.bit_mask == 0xF8
    assert kinds["tm"].datatype == "UBYTE"  # shared, so replaced instead of changed
    assert structures["tp"].structure_component[2].matrix_dim == (3, 2)
    instances = {i.name: i for i in tree.module.instance}
    assert instances["cells"].matrix_dim == (3,)
    assert [instances[n].address for n in ("pack", "cells", "speed", "ptr")] == [
        0x2000,
        0x5000,
        0x1000,
        0x9000,
    ]
    assert kinds[instances["speed"].typedef_name].datatype == "UWORD"
    assert parse(write(tree)).diagnostics == []
    assert update(tree, program(), mode="full").is_current


def test_what_does_not_fit_is_told() -> None:
    tree = module(
        measurement("pack", more='SYMBOL_LINK "pack" 0')
        + measurement("before", more='SYMBOL_LINK "speed" -5000')
        + '/begin INSTANCE cells "" none 0x0 /end INSTANCE'
        + '/begin INSTANCE i "" tm 0x0 SYMBOL_LINK "pack" 0 /end INSTANCE'
        + '/begin TYPEDEF_MEASUREMENT tm "" UBYTE NO_COMPU_METHOD 0 0 0 255 /end TYPEDEF_MEASUREMENT'
    )
    report = update(tree, program(), mode="full")
    assert [f.slug for f in report.findings] == ["typedef-unfit", "type-unfit", "offset-outside"]
    assert all(f.hint and f.subject for f in report.findings)


def test_program_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        Program()


def test_tables_follow_their_axis_object() -> None:
    tree = module(
        CHARACTERISTICS
        + """/begin CHARACTERISTIC c "" CURVE 0 F 0 NO_COMPU_METHOD 0 1 SYMBOL_LINK "grown" 0
        /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 9 0 1 AXIS_PTS_REF axis /end AXIS_DESCR
        /end CHARACTERISTIC"""
    )
    report = update(tree, program(grown=(0xA000, Array(F32, (6,)))), mode="full")
    assert tree.module.characteristic[-1].axis_descr[0].max_axis_points == 6
    assert report.findings == ()
    report = update(tree, program(grown=(0xA000, Array(F32, (8,)))), mode="full")
    assert [f.slug for f in report.findings] == ["table-size"]


def test_link_map_of_another_symbol_keeps_its_own_base() -> None:
    body = measurement("a", more='SYMBOL_LINK "speed" 0 /begin IF_DATA CANAPE_EXT 100 LINK_MAP "axis" 0x1 0x0 0 0x0 0 0x0 0x0 LINK_MAP "lost" 0x5 0 0 0 0 0 0 /end IF_DATA')  # fmt: skip
    tree = module(body)
    update(tree, program())
    items = first(tree).if_data[0].items
    assert first(tree).ecu_address == 0x1000
    assert (items[3], items[12]) == ("0x7000", "0x5")


def test_program_of_another_target_is_told() -> None:
    maker = Maker(big=True)
    elf = read_elf(maker.elf(die("cu", "", name="u.c"), (("speed", 0x1000, 2),)))
    common = '/begin MOD_COMMON "" BYTE_ORDER {} /end MOD_COMMON\n'
    for word, told in (("MSB_LAST", True), ("MSB_FIRST", False), ("LITTLE_ENDIAN", False)):
        tree = module(common.format(word) + measurement("speed"))
        report = update(tree, Program(elf=elf), mode="report")
        assert [f.slug for f in report.findings] == (["byte-order"] if told else [])


def test_program_without_the_objects_is_told() -> None:
    body = "".join(measurement(f"gone_{n}") for n in range(9)) + measurement("speed")
    for more, told in ((measurement("gone"), True), (measurement("mode"), False)):
        report = update(module(body + more), program(), mode="report", types=False)
        assert ("other-program" in [f.slug for f in report.findings]) is told
