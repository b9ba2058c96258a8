"""Rules that need the meaning of objects: one defect, one finding."""

import pytest

from xcaliper.a2l import parse
from xcaliper.quantity.lint import lint
from xcaliper.sim.describe import describe_tree
from xcaliper.sim.gallery.demo_engine import demo_engine
from xcaliper.sim.image import build_image
from xcaliper.sim.xcp_section import slave_config
from xcaliper.xcp.slave_config import SlaveConfig

COMMON = """/begin RECORD_LAYOUT L FNC_VALUES 1 UWORD ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT A AXIS_PTS_X 1 UWORD INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin COMPU_METHOD half "" LINEAR "%5.1" "" COEFFS_LINEAR 0.5 10 /end COMPU_METHOD
/begin COMPU_METHOD oneway "" FORM "%5.1" "" /begin FORMULA "X1*X1" /end FORMULA /end COMPU_METHOD
"""
MEASURED = '/begin MEASUREMENT {} "" UBYTE {} 0 0 {} {} ECU_ADDRESS {} {} /end MEASUREMENT\n'
VALUE = '/begin CHARACTERISTIC {} "" VALUE {} L 0 {} 0 1 {} /end CHARACTERISTIC\n'
SEGMENT = '/begin MOD_PAR "" /begin MEMORY_SEGMENT s "" {} FLASH INTERN 0x100 0x100 -1 -1 -1 -1 -1 /end MEMORY_SEGMENT /end MOD_PAR\n'
NONE = "NO_COMPU_METHOD"
STRUCT = """/begin TYPEDEF_CHARACTERISTIC T "" VALUE L 0 NO_COMPU_METHOD 0 1 /end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_STRUCTURE S "" 4 /begin STRUCTURE_COMPONENT x T 0 /end STRUCTURE_COMPONENT
/begin STRUCTURE_COMPONENT y T {} /end STRUCTURE_COMPONENT /end TYPEDEF_STRUCTURE
/begin INSTANCE i "" S 0x100 /end INSTANCE\n"""
CURVE = """/begin AXIS_PTS ax "" 0x110 NO_INPUT_QUANTITY A 0 NO_COMPU_METHOD 4 0 9 /end AXIS_PTS
/begin CHARACTERISTIC cu "" CURVE 0x100 L 0 NO_COMPU_METHOD 0 1
/begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 4 0 9 AXIS_PTS_REF ax /end AXIS_DESCR
/end CHARACTERISTIC\n"""


def found(body):
    text = f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {COMMON}{body} /end MODULE /end PROJECT'
    tree = parse(text)
    assert tree.diagnostics == []
    return [(d.slug, d.subject) for d in lint(tree)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (MEASURED.format("a", NONE, 0, 255, 1, ""), []),
        (MEASURED.format("a", NONE, 0, 300, 1, ""), [("limits-beyond-type", "a")]),
        (MEASURED.format("a", NONE, -5, 10, 1, ""), [("limits-beyond-type", "a")]),
        (MEASURED.format("a", "half", 10, 137.5, 1, ""), []),
        (MEASURED.format("a", "half", 0, 137.5, 1, ""), [("limits-beyond-type", "a")]),
        (MEASURED.format("a", NONE, 0, 15, 1, "BIT_MASK 0xF0"), []),
        (MEASURED.format("a", NONE, 0, 99, 1, "BIT_MASK 0xF0"), [("limits-beyond-type", "a")]),
        (MEASURED.format("a", NONE, 0, 15, 1, "BIT_MASK 0xF00"), [("mask-beyond-type", "a")]),
        (VALUE.format("a", 0, "oneway", ""), [("conversion-one-way", "a")]),
        (VALUE.format("a", 0, "oneway", "READ_ONLY"), []),
        (SEGMENT.format("DATA") + VALUE.format("a", "0x1FE", NONE, ""), []),
        (SEGMENT.format("DATA") + VALUE.format("a", "0x1FF", NONE, ""), [("memory-outside", "a")]),
        (SEGMENT.format("CODE") + VALUE.format("a", "0x1FF", NONE, ""), []),
        (SEGMENT.format("DATA") + MEASURED.format("a", NONE, 0, 1, 9, ""), []),
        (
            SEGMENT.format("VARIABLES") + MEASURED.format("a", NONE, 0, 1, 9, ""),
            [("memory-outside", "a")],
        ),
        (VALUE.format("a", 0, NONE, "") + VALUE.format("b", 2, NONE, ""), []),
        (
            VALUE.format("a", 0, NONE, "") + VALUE.format("b", 1, NONE, ""),
            [("memory-overlap", "b")],
        ),
        (VALUE.format("a", 0, NONE, "") + VALUE.format("b", 1, NONE, "READ_ONLY"), []),
        (
            VALUE.format("a", 0, NONE, "BIT_MASK 1") + VALUE.format("b", 0, NONE, "BIT_MASK 2"),
            [],
        ),
        (STRUCT.format(2), []),
        (STRUCT.format(1), [("memory-overlap", "i.y")]),
        (STRUCT.format(0), []),  # a union
        (STRUCT.format(2) + VALUE.format("i.x", 0, NONE, ""), [("name-collision", "i.x")]),
        (CURVE, []),
        (
            '/begin CHARACTERISTIC a "" CURVE 0 L 0 NO_COMPU_METHOD 0 1 /end CHARACTERISTIC',
            [("object-unusable", "a")],
        ),
        (VALUE.format("a", 0, "missing", ""), []),  # the dangling reference is a finding already
    ],
)
def test_rule(body, expected):
    assert found(body) == expected


def test_components_are_named():
    text = f'/begin PROJECT p "" /begin MODULE m "" {COMMON}{STRUCT.format(1)} /end MODULE /end PROJECT'
    (finding,) = lint(parse(text))
    assert finding.text.startswith("INSTANCE i: i.y: it shares 0x101 with i.x")
    assert finding.where.line == 8


def test_virtual_ecu_is_clean():
    declaration = demo_engine()
    tree = describe_tree(build_image(declaration), slave_config(declaration, SlaveConfig()))
    assert lint(tree) == []


def test_nothing_to_look_at():
    assert lint(parse("")) == []
