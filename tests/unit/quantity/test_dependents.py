"""Computed quantities: order, values, cycles."""

import numpy as np
import pytest

from xcaliper.a2l import open_a2l, parse
from xcaliper.core.address import Address
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog

LAYOUT = "/begin RECORD_LAYOUT L FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT "


def catalog(body):
    file = parse(
        f'ASAP2_VERSION 1 61 /begin PROJECT p "" /begin MODULE m "" {LAYOUT} {body} /end MODULE /end PROJECT'
    )
    assert not file.diagnostics
    return Catalog(file)


def value(name, address=0, options="", conversion="NO_COMPU_METHOD"):
    return f'/begin CHARACTERISTIC {name} "" VALUE {address} L 0 {conversion} 0 255 {options} /end CHARACTERISTIC '


def dependent(name, formula, *inputs, kind="DEPENDENT", address=0):
    rule = f'/begin {kind}_CHARACTERISTIC "{formula}" {" ".join(inputs)} /end {kind}_CHARACTERISTIC'
    return value(name, address, rule)


CHAIN = (
    value("a", 0x100)
    + value("b", 0x101)
    + dependent("sum", "X1 + X2", "a", "b", address=0x102)
    + dependent("twice", "2 * X1", "sum", kind="VIRTUAL")
    + dependent("all", "X1 + X2 + X3", "twice", "sum", "a", address=0x103)
    + dependent("other", "X1 - 1", "b", address=0x104)
)


def test_order_follows_the_inputs():
    graph = catalog(CHAIN).dependencies
    assert graph.affected_by(["a"]) == ("sum", "twice", "all")
    assert graph.affected_by(["twice"]) == ("all",)
    assert set(graph.affected_by(["b"])) == {"sum", "twice", "all", "other"}
    assert graph.affected_by(["nothing"]) == ()
    assert graph["all"].inputs == ("twice", "sum", "a")
    assert (graph["twice"].has_memory, graph["sum"].has_memory) == (False, True)
    assert "a" not in graph
    assert graph.names == ("sum", "twice", "all", "other")


def test_a_description_read_on_access_finds_them_by_their_words():
    text = f'ASAP2_VERSION 1 61 /begin PROJECT p "" /begin MODULE m "" {LAYOUT} {CHAIN} /end MODULE /end PROJECT'
    graph = Catalog(open_a2l(text.encode(), source="x.a2l")).dependencies
    assert graph.affected_by(["a"], measurements=False) == ("sum", "twice", "all")
    assert set(graph.names) == {"sum", "twice", "all", "other"}
    assert graph.find("a") is None


def test_values_are_computed_not_read_where_they_can_be():
    graph = catalog(CHAIN).dependencies
    asked = []

    def read_phys(name):
        asked.append(name)
        return {"a": 3, "b": 4}[name]

    assert graph.evaluate("all", read_phys) == 14 + 7 + 3
    assert set(asked) == {"a", "b"}
    assert graph.recompute(["a"], read_phys) == {"sum": 7.0, "twice": 14.0, "all": 24.0}
    with pytest.raises(NotFoundError):
        graph.evaluate("a", read_phys)


def test_dependents_are_written_by_recomputation():
    made = catalog(CHAIN)
    memory = SparseMemory()
    memory.add(Address(0x100), bytearray(b"\5\6\0\0\0"))

    def read_phys(name):
        bound = made.bind(name)
        return bound.to_phys(bound.decode(memory.read)).values

    for name, phys in made.dependencies.recompute(["a", "b"], read_phys).items():
        if made.dependencies[name].has_memory:
            bound = made.bind(name)
            assert not bound.writable
            for address, data in bound.encode(phys):
                memory.write(address, data)
    assert memory.read(Address(0x100), 5) == bytes([5, 6, 11, 22 + 11 + 5, 5])
    with pytest.raises(UsageError, match=r"twice: it is virtual.*evaluate"):
        made.bind("twice")


def test_cycles_are_named():
    body = (
        dependent("x", "X1", "y")
        + dependent("y", "X1", "z")
        + dependent("z", "X1 + X2", "free", "x")
        + dependent("free", "X1", "a")
        + dependent("self", "X1", "self")
        + value("a")
    )
    graph = catalog(body).dependencies
    with pytest.raises(UsageError, match="x: it depends on itself: x → y → z → x"):
        graph.evaluate("x", lambda _: 1)
    with pytest.raises(UsageError, match="depends on itself"):
        graph.affected_by(["z"])
    assert graph.evaluate("free", lambda _: 1) == 1
    assert sorted(map(len, graph.cycles())) == [2, 4]
    assert graph.affected_by(["other"]) == ()


def test_long_chains_are_no_trouble():
    count = 3000
    body = value("n0") + "".join(dependent(f"n{i}", "X1 + 1", f"n{i - 1}") for i in range(1, count))
    graph = catalog(body).dependencies
    assert graph.evaluate(f"n{count - 1}", lambda _: 5) == 5 + count - 1
    assert len(graph.affected_by(["n0"])) == count - 1


def test_tables_are_computed_element_by_element():
    graph = catalog(value("a") + value("k") + dependent("t", "X1 * X2 + 1", "a", "k")).dependencies
    found = graph.evaluate("t", {"a": np.array([[1, 2], [3, 4]]), "k": 10}.__getitem__)
    assert found.tolist() == [[11, 21], [31, 41]]
    with pytest.raises(UsageError, match=r"t: its inputs differ in shape: \(2,\), \(3,\)"):
        graph.evaluate("t", {"a": [1, 2], "k": [1, 2, 3]}.__getitem__)


def test_virtual_measurements_use_their_conversion():
    body = (
        """/begin COMPU_METHOD MEAN "" FORM "" "rpm" /begin FORMULA "(X1 + X2) / 2" /end FORMULA /end COMPU_METHOD
        /begin COMPU_METHOD KMH "" LINEAR "" "km/h" COEFFS_LINEAR 3.6 0 /end COMPU_METHOD """
        '/begin MEASUREMENT mean "" FLOAT32_IEEE MEAN 0 0 0 1e4 /begin VIRTUAL left right /end VIRTUAL /end MEASUREMENT '
        '/begin MEASUREMENT kmh "" FLOAT32_IEEE KMH 0 0 0 1e4 /begin VIRTUAL mean /end VIRTUAL /end MEASUREMENT '
        '/begin MEASUREMENT bad "" FLOAT32_IEEE KMH 0 0 0 1 /begin VIRTUAL left right /end VIRTUAL /end MEASUREMENT '
    )
    made = catalog(body)
    read_phys = {"left": 10.0, "right": 20.0}.__getitem__
    assert made.dependencies.evaluate("kmh", read_phys) == pytest.approx(54)
    assert made.dependencies["mean"].unit == "rpm"
    samples = {"left": np.array([1.0, 2.0]), "right": np.array([3.0, 4.0])}.__getitem__
    assert made.dependencies.evaluate("mean", samples).tolist() == [2, 3]
    with pytest.raises(UsageError, match="bad: its conversion takes one input"):
        made.dependencies.evaluate("bad", read_phys)
    with pytest.raises(UsageError, match=r"mean: it has no address.*evaluate"):
        made.bind("mean")


def test_texts_count_by_their_raw_value():
    body = (
        '/begin COMPU_METHOD V "" TAB_VERB "" "" COMPU_TAB_REF T /end COMPU_METHOD '
        '/begin COMPU_VTAB T "" TAB_VERB 2 0 "off" 4 "on" /end COMPU_VTAB '
        + value("switch", conversion="V")
        + dependent("d", "X1 + 1", "switch")
    )
    graph = catalog(body).dependencies
    assert graph.evaluate("d", lambda _: "on") == 5
    with pytest.raises(UsageError, match="oon"):
        graph.evaluate("d", lambda _: "oon")


def test_parts_of_a_quantity_touch_its_dependents():
    graph = catalog(
        value("a") + dependent("d", "X1", "a") + dependent("e", "X1", "s.k")
    ).dependencies
    assert graph.affected_by(["a[2]"]) == ("d",)
    assert graph.affected_by(["s.k[1].x"]) == ("e",)


def test_bad_formulas_fail_when_they_are_needed():
    graph = catalog(
        value("a") + dependent("d", "X1 +", "a") + dependent("e", "X2", "a")
    ).dependencies
    with pytest.raises(UsageError, match="formula"):
        graph.evaluate("d", lambda _: 1)
    with pytest.raises(UsageError, match="needs 2 inputs"):
        graph.evaluate("e", lambda _: 1)
