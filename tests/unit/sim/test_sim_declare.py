"""A declaration tells every problem at once."""

from dataclasses import replace

import pytest

from xcaliper.core.datatypes import DataType as D
from xcaliper.core.errors import NotFoundError, PlanError
from xcaliper.sim.conversion import Enum, Formula, Linear, RatFunc, TableInterpolated
from xcaliper.sim.declare import EcuDeclaration
from xcaliper.sim.items import (
    Axis,
    BitField,
    Curve,
    Event,
    FixAxis,
    Function,
    Group,
    Map,
    Measurement,
    Scalar,
    Segment,
    StdAxis,
    StructArray,
    StructMember,
    Text,
    TextMeasurement,
    ValueBlock,
)


def make(**changes):
    base = {
        "name": "Ecu",
        "text": "",
        "epk": "E1",
        "events": (Event("T", 0, 10, "t"),),
        "signals": (Measurement(name="a", datatype=D.UBYTE, text="", event="T"),),
        "parameters": (
            Scalar(name="p", datatype=D.UBYTE, default=1, text="", segment="S"),
            Axis(name="ax", datatype=D.UBYTE, default=(1, 2, 3), text="", segment="S"),
        ),
        "segments": (Segment(name="S", number=0, address=0x1000, size_bytes=64),),
    }
    return EcuDeclaration(**(base | changes))


def with_signal(signal):
    return {"signals": (Measurement(name="a", datatype=D.UBYTE, text="", event="T"), signal)}


def with_parameter(item):
    axis = Axis(name="ax", datatype=D.UBYTE, default=(1, 2, 3), text="", segment="S")
    return {"parameters": (axis, item)}


def scalar(**changes):
    base = {"name": "q", "datatype": D.UBYTE, "default": 1, "text": "", "segment": "S"}
    return Scalar(**(base | changes))


def test_good_declaration_finds_its_objects():
    ecu = make()
    assert ecu["a"].datatype is D.UBYTE
    assert ecu["p"].phys_limits == (0, 255)
    with pytest.raises(NotFoundError):
        ecu["b"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (with_signal(Measurement(name="a", datatype=D.UBYTE, text="", event="T")), "2 times"),
        (with_signal(Measurement(name="b", datatype=D.UBYTE, text="", event="X")), "event 'X'"),
        (with_signal(Measurement(name="1b", datatype=D.UBYTE, text="", event="T")), "identifier"),
        (
            with_signal(Measurement(name="b", datatype=D.UBYTE, text="", event="T", shape=(0,))),
            "shape",
        ),
        (
            with_signal(Measurement(name="b", datatype=D.UBYTE, text="", event="T", limits=(3, 2))),
            "reversed",
        ),
        (with_signal(BitField(name="b", of="a", mask=0x100, text="")), "does not fit"),
        (with_signal(BitField(name="b", of="a", mask=0b101, text="")), "holes"),
        (with_signal(BitField(name="b", of="p", mask=1, text="")), "no integer measurement"),
        (with_signal(TextMeasurement(name="b", size_bytes=0, text="", event="T")), "size 0"),
        (
            with_signal(
                StructArray(name="b", type_name="B", members=(), text="", event="T", shape=(2,))
            ),
            "no members",
        ),
        (
            with_signal(
                StructArray(
                    name="b",
                    type_name="B",
                    members=(
                        StructMember(name="m", datatype=D.UBYTE, text=""),
                        StructMember(name="m", datatype=D.UBYTE, text=""),
                    ),
                    text="",
                    event="T",
                    shape=(2,),
                )
            ),
            "b.m is declared 2 times",
        ),
        (with_parameter(scalar(default=256)), "outside"),
        (with_parameter(scalar(default=300, limits=(0, 400))), "does not fit UBYTE"),
        (with_parameter(scalar(segment="X")), "segment 'X'"),
        (
            with_parameter(Text(name="q", size_bytes=2, default="abc", text="", segment="S")),
            "longer",
        ),
        (
            with_parameter(
                Curve(name="q", datatype=D.UBYTE, x="ax", default=(1, 2), text="", segment="S")
            ),
            "the axes need (3,)",
        ),
        (
            with_parameter(
                Curve(name="q", datatype=D.UBYTE, x="no", default=(1, 2), text="", segment="S")
            ),
            "shared axis 'no'",
        ),
        (
            with_parameter(
                Curve(
                    name="q",
                    datatype=D.UBYTE,
                    x=StdAxis(datatype=D.UBYTE, default=(2.0, 1.0)),
                    default=(1, 2),
                    text="",
                    segment="S",
                )
            ),
            "rise strictly",
        ),
        (
            with_parameter(
                Curve(
                    name="q",
                    datatype=D.UBYTE,
                    x=FixAxis(offset=0, distance=1, count=2, input="no"),
                    default=(1, 2),
                    text="",
                    segment="S",
                )
            ),
            "input 'no'",
        ),
        (
            with_parameter(
                Map(
                    name="q",
                    datatype=D.UBYTE,
                    x="ax",
                    y="ax",
                    default=((1, 2, 3), (1, 2, 3)),
                    text="",
                    segment="S",
                )
            ),
            "shape (2, 3), the axes need (3, 3)",
        ),
        (
            with_parameter(
                ValueBlock(name="q", datatype=D.UBYTE, default=((1, 2), (3,)), text="", segment="S")
            ),
            "no regular array",
        ),
        ({"events": (Event("T", 1, 10, "t"),)}, "without holes"),
        ({"events": (Event("T", 0, 10, "much too long"),)}, "short name"),
        ({"events": (Event("T", 0, 0, "t"),)}, "cycle 0"),
        ({"epk": "é"}, "EPK"),
        ({"segments": (Segment(name="S", number=1, address=0, size_bytes=8),)}, "holes"),
        ({"segments": (Segment(name="S", number=0, address=4, size_bytes=8),)}, "multiples of 8"),
        (
            {"segments": (Segment(name="S", number=0, address=0, size_bytes=8, init_page=7),)},
            "first page 7",
        ),
        ({"groups": (Group(name="G", text="", members=("zz",)),)}, "member 'zz'"),
        (
            {
                "groups": (
                    Group(name="G", text="", groups=("H",)),
                    Group(name="H", text="", groups=("G",)),
                )
            },
            "circle",
        ),
        ({"functions": (Function(name="F", text="", parameters=("a",)),)}, "parameter 'a'"),
    ],
)
def test_each_mistake_is_named(changes, words):
    with pytest.raises(PlanError) as caught:
        make(**changes)
    assert any(words in problem for problem in caught.value.problems), caught.value.problems


def test_all_problems_come_together():
    with pytest.raises(PlanError) as caught:
        make(**with_parameter(scalar(default=256, segment="X")), epk="")
    assert len(caught.value.problems) == 4  # EPK, segment, limits, data type


def test_replacing_a_part_checks_again():
    with pytest.raises(PlanError):
        replace(make(), epk="")


@pytest.mark.parametrize(
    ("rule", "raw", "phys"),
    [
        (Linear(0.25, 10.0), 8, 12.0),
        (RatFunc(4.0, 0.0, 0.0, 1.0), 8, 2.0),
        (RatFunc(0.0, 7.5e6, 1.0, 0.0), 7500, 1000.0),
        (TableInterpolated(((0, 100), (10, 50), (20, 0))), 5, 75.0),
        (Formula("square"), 3, 9.0),
        (Formula("root"), 9, 3.0),
        (Enum("E", ((0, "no"), (1, "yes"))), 1, 1.0),
    ],
)
def test_conversions_go_both_ways(rule, raw, phys):
    assert float(rule.to_phys(raw)) == pytest.approx(phys)
    assert float(rule.to_raw(phys)) == pytest.approx(raw)


def test_rational_line_knows_that_it_is_linear():
    factor, offset = RatFunc(10.0, 5.0, 0.0, 1.0).linear
    assert (factor, offset) == (0.1, -0.5)
    assert RatFunc(0.0, 1.0, 1.0, 0.0).linear is None
