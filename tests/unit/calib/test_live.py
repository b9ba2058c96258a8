"""Variants in effect, computed values, what follows a write; cells, axes and guard rails, on bytes by hand."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.calib.live import LiveValues, Overlay
from xcaliper.calib.parameters import carry_out, plan_write, read_value
from xcaliper.core.address import Address
from xcaliper.core.errors import LimitError, NotFoundError, UsageError
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog

BODY = """
/begin RECORD_LAYOUT L FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT Q FNC_VALUES 1 A_INT64 ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT F FNC_VALUES 1 FLOAT32_IEEE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT A AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT SM FNC_VALUES 2 UBYTE ROW_DIR DIRECT AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT
/end RECORD_LAYOUT
/begin COMPU_METHOD BANDS "" TAB_VERB "" "" COMPU_TAB_REF BANDS_T /end COMPU_METHOD
/begin COMPU_VTAB_RANGE BANDS_T "" 2 0 9 "low" 10 19 "high" /end COMPU_VTAB_RANGE
/begin COMPU_METHOD HALF "" LINEAR "%5.1" "V" COEFFS_LINEAR 0.5 0 /end COMPU_METHOD
/begin COMPU_METHOD SUM "" FORM "%5.1" "A" /begin FORMULA "X1 + 10*X2" /end FORMULA /end COMPU_METHOD
/begin COMPU_METHOD GEARS "" TAB_VERB "" "" COMPU_TAB_REF GEARS_T /end COMPU_METHOD
/begin COMPU_VTAB GEARS_T "" TAB_VERB 2 0 "by hand" 1 "by itself" /end COMPU_VTAB
/begin CHARACTERISTIC a "" VALUE 0x100 L 0 HALF 0 100 /end CHARACTERISTIC
/begin CHARACTERISTIC b "" VALUE 0x101 L 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin CHARACTERISTIC sum "" VALUE 0x102 L 0 NO_COMPU_METHOD 0 120
  /begin DEPENDENT_CHARACTERISTIC "X1 + X2" a b /end DEPENDENT_CHARACTERISTIC /end CHARACTERISTIC
/begin CHARACTERISTIC twice "" VALUE 0 L 0 NO_COMPU_METHOD 0 255
  /begin VIRTUAL_CHARACTERISTIC "2*X1" sum /end VIRTUAL_CHARACTERISTIC /end CHARACTERISTIC
/begin CHARACTERISTIC last "" VALUE 0x103 L 0 NO_COMPU_METHOD 0 255
  /begin DEPENDENT_CHARACTERISTIC "X1 + 1" twice /end DEPENDENT_CHARACTERISTIC /end CHARACTERISTIC
/begin CHARACTERISTIC block "" VAL_BLK 0x110 L 0 NO_COMPU_METHOD 0 255 MATRIX_DIM 3 /end CHARACTERISTIC
/begin CHARACTERISTIC shadow "" VAL_BLK 0x118 L 0 NO_COMPU_METHOD 0 255 MATRIX_DIM 3
  /begin DEPENDENT_CHARACTERISTIC "X1*2" block /end DEPENDENT_CHARACTERISTIC /end CHARACTERISTIC
/begin MEASUREMENT m1 "" UBYTE HALF 0 0 0 127 ECU_ADDRESS 0x100 /end MEASUREMENT
/begin MEASUREMENT vm "" FLOAT64_IEEE SUM 0 0 -1e9 1e9 /begin VIRTUAL m1 b /end VIRTUAL /end MEASUREMENT
/begin CHARACTERISTIC bands "" VAL_BLK 0x120 L 0 BANDS 0 255 MATRIX_DIM 3 /end CHARACTERISTIC
/begin CHARACTERISTIC wide "" VAL_BLK 0x130 Q 0 NO_COMPU_METHOD -9.3e18 9.3e18 MATRIX_DIM 2 /end CHARACTERISTIC
/begin CHARACTERISTIC holes "" VAL_BLK 0x140 F 0 NO_COMPU_METHOD 0 10 MATRIX_DIM 2 /end CHARACTERISTIC
/begin AXIS_PTS ax "" 0x150 NO_INPUT_QUANTITY A 0 HALF 4 0 100 GUARD_RAILS /end AXIS_PTS
/begin RECORD_LAYOUT A64 AXIS_PTS_X 1 A_INT64 INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin AXIS_PTS a64 "" 0x130 NO_INPUT_QUANTITY A64 0 HALF 2 -1e19 1e19 /end AXIS_PTS
/begin CHARACTERISTIC text "" ASCII 0x1B0 L 0 NO_COMPU_METHOD 0 255 NUMBER 4 /end CHARACTERISTIC
/begin RECORD_LAYOUT NA NO_AXIS_PTS_X 1 UBYTE AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin AXIS_PTS counted "" 0x1C0 NO_INPUT_QUANTITY NA 0 NO_COMPU_METHOD 3 0 255 /end AXIS_PTS
/begin CHARACTERISTIC over "" CURVE 0x1C8 L 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 3 0 255 AXIS_PTS_REF counted /end AXIS_DESCR
/end CHARACTERISTIC
/begin AXIS_PTS ay "" 0x158 NO_INPUT_QUANTITY A 0 HALF 3 0 100 MONOTONY STRICT_INCREASE /end AXIS_PTS
/begin CHARACTERISTIC map "" MAP 0x160 L 0 NO_COMPU_METHOD 0 255 GUARD_RAILS
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY HALF 4 0 100 AXIS_PTS_REF ax /end AXIS_DESCR
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY HALF 3 0 100 AXIS_PTS_REF ay /end AXIS_DESCR
/end CHARACTERISTIC
/begin CHARACTERISTIC coded "" CURVE 0x170 L 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 255 AXIS_PTS_REF cx /end AXIS_DESCR
/end CHARACTERISTIC
/begin AXIS_PTS cx "" 0x174 NO_INPUT_QUANTITY A 0 NO_COMPU_METHOD 2 0 255 /end AXIS_PTS
/begin CHARACTERISTIC gear "" VALUE 0x178 L 0 GEARS 0 255 /end CHARACTERISTIC
/begin CHARACTERISTIC plain "" VALUE 0x179 L 0 NO_COMPU_METHOD 0 255 /end CHARACTERISTIC
/begin CHARACTERISTIC from_coded "" CURVE 0x17C L 0 NO_COMPU_METHOD 0 255
  /begin DEPENDENT_CHARACTERISTIC "X1+1" coded /end DEPENDENT_CHARACTERISTIC
  /begin AXIS_DESCR FIX_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 2 0 255 FIX_AXIS_PAR 0 0 2 /end AXIS_DESCR
/end CHARACTERISTIC
/begin VARIANT_CODING
  /begin VAR_CRITERION Gear "" Manual Automatic VAR_SELECTION_CHARACTERISTIC gear /end VAR_CRITERION
  /begin VAR_CRITERION Silent "" Yes No /end VAR_CRITERION
  /begin VAR_CHARACTERISTIC coded Gear /begin VAR_ADDRESS 0x180 0x190 /end VAR_ADDRESS /end VAR_CHARACTERISTIC
  /begin VAR_CHARACTERISTIC cx Gear /begin VAR_ADDRESS 0x188 0x198 /end VAR_ADDRESS /end VAR_CHARACTERISTIC
  /begin VAR_CHARACTERISTIC b Gear /end VAR_CHARACTERISTIC
  /begin VAR_CHARACTERISTIC plain Silent /begin VAR_ADDRESS 0x1A0 0x1A1 /end VAR_ADDRESS /end VAR_CHARACTERISTIC
/end VARIANT_CODING
"""


class Ecu:
    """Memory with a description over it; counts bytes that are written."""

    def __init__(self) -> None:
        file = parse(
            f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {BODY} /end MODULE /end PROJECT'
        )
        assert not file.diagnostics
        self.memory = SparseMemory()
        self.memory.add(Address(0x100), bytearray(0x100))
        self.live = LiveValues(Catalog(file), self.memory.read)
        self.sent: list[int] = []

    def poke(self, address, data):
        self.memory.write(Address(address), bytes(data))

    def peek(self, address, size):
        return self.memory.read(Address(address), size)

    def _write(self, address, data):
        self.sent.append(address.value)
        self.memory.write(address, data)

    def write(self, name, value, *, at=None, raw=False):
        self.live.check_writable(name)
        plan = plan_write(self.live.bound(name), value, at=at, raw=raw, read=self.memory.read)
        plans = [plan, *self.live.followers(name, plan)]
        return [
            carry_out(one, verify=True, read=self.memory.read, write=self._write) for one in plans
        ]


@pytest.fixture
def ecu():
    return Ecu()


def test_virtual_values_are_computed_from_what_the_ecu_holds(ecu):
    ecu.poke(0x100, [9, 7, 11])  # a = 4.5, b = 7, sum as kept by the ECU
    assert ecu.live.read("vm") == 4.5 + 70
    assert ecu.live.read("twice") == 2 * (4.5 + 7)  # computed all the way down
    assert ecu.live.read("sum") == 11  # has memory: what the ECU holds
    with pytest.raises(UsageError, match="no ECU value"):
        ecu.live.read("twice", raw=True)
    with pytest.raises(NotFoundError):
        ecu.live.read("nothing")


def test_what_depends_on_a_parameter_is_written_after_it(ecu):
    ecu.poke(0x100, [0, 7])
    done = ecu.write("a", 50)
    assert ecu.peek(0x100, 4) == bytes([100, 7, 57, 115])  # a, b, sum, 2·sum + 1
    assert [one.name for one in done] == ["a", "sum", "last"]
    assert ecu.sent == [0x100, 0x102, 0x103]


def test_one_cell_reaches_dependents_through_memory(ecu):
    ecu.poke(0x110, [1, 2, 3])
    ecu.write("block", 9, at=(1,))
    assert ecu.peek(0x110, 3) == bytes([1, 9, 3])
    assert ecu.peek(0x118, 3) == bytes([2, 18, 6])


def test_nothing_is_sent_when_a_dependent_leaves_its_limits(ecu):
    ecu.poke(0x101, [100])
    with pytest.raises(LimitError, match="sum"):
        ecu.write("a", 50)  # 50 + 100 > 120
    assert not ecu.sent


@pytest.mark.parametrize(("name", "word"), [("sum", "from a, b; it follows"), ("vm", "no memory")])
def test_computed_ones_are_not_written_directly(ecu, name, word):
    with pytest.raises(UsageError, match=word):
        ecu.write(name, 1)


def test_the_variant_in_effect_with_its_axis(ecu):
    ecu.poke(0x180, [1, 2])
    ecu.poke(0x188, [10, 20])
    ecu.poke(0x190, [3, 4])
    ecu.poke(0x198, [30, 40])
    found = ecu.live.read("coded")  # the selector's text is none of the values; its number is 0
    assert (found.name, found.values.tolist()) == ("coded.0", [1, 2])
    assert found.axes[0].points.tolist() == [10, 20]
    ecu.poke(0x178, [1])
    found = ecu.live.read("coded")
    assert (found.values.tolist(), found.axes[0].points.tolist()) == ([3, 4], [30, 40])
    ecu.live.choose("Gear", "Manual")  # the user knows better
    assert ecu.live.read("cx").tolist() == [10, 20]
    ecu.live.choose("Gear", None)
    assert ecu.live.read("cx").tolist() == [30, 40]
    one = ecu.live.read("coded.0")
    assert (one.values.tolist(), one.axes[0].points.tolist()) == ([1, 2], [10, 20])
    assert ecu.live.read("b") == 0  # coded without addresses: the same place in every variant


def test_a_write_goes_to_the_variant_in_effect_and_on_to_what_depends(ecu):
    ecu.poke(0x178, [1])
    ecu.write("coded", [5, 6])
    assert ecu.peek(0x190, 2) == bytes([5, 6])
    assert ecu.peek(0x180, 2) == ecu.peek(0x170, 2) == bytes(2)
    assert ecu.peek(0x17C, 2) == bytes([6, 7])
    ecu.write("coded.0", [8, 9])  # not in effect: the dependent stays
    assert ecu.peek(0x180, 2) == bytes([8, 9])
    assert ecu.peek(0x17C, 2) == bytes([6, 7])
    ecu.write("gear", "by hand")  # another variant comes into effect
    assert ecu.peek(0x17C, 2) == bytes([9, 10])


def test_an_unknown_variant_says_how_to_choose(ecu):
    with pytest.raises(UsageError, match="its variant is not known: Silent") as told:
        ecu.live.read("plain")
    assert "choose_variant" in told.value.hint
    with pytest.raises(UsageError):
        ecu.live.variants()
    ecu.live.choose("Silent", "No")
    ecu.write("plain", 77)
    assert ecu.peek(0x1A0, 2) == bytes([0, 77])
    assert ecu.live.variants() == {"Gear": "Manual", "Silent": "No"}
    ecu.poke(0x178, [7])
    with pytest.raises(UsageError, match="none of its values"):
        ecu.live.read("coded")
    with pytest.raises(UsageError, match="no value 'Perhaps'"):
        ecu.live.choose("Silent", "Perhaps")
    with pytest.raises(NotFoundError):
        ecu.live.choose("Loud", "Yes")


def test_a_cell_leaves_the_raw_values_of_the_others_alone(ecu):
    ecu.poke(0x120, [5, 12, 19])  # low, high, high: not the lowest numbers of their ranges
    ecu.write("bands", "high", at=(0,))
    assert ecu.peek(0x120, 3) == bytes([10, 12, 19])
    big = 2**62 + 1
    ecu.poke(0x130, struct.pack("<qq", big, 0))
    ecu.write("wide", 3.0, at=(1,))
    assert struct.unpack("<qq", ecu.peek(0x130, 16)) == (big, 3)
    ecu.write("wide", -big, at=(-1,), raw=True)
    assert struct.unpack("<qq", ecu.peek(0x130, 16)) == (big, -big)
    ecu.poke(0x140, struct.pack("<ff", float("nan"), 1))
    ecu.write("holes", 2.5, at=(1,))
    assert struct.unpack("<ff", ecu.peek(0x140, 8))[1] == 2.5
    with pytest.raises(LimitError):
        ecu.write("holes", 11, at=(1,))


def test_axis_points_raw_and_by_cell(ecu):
    ecu.poke(0x158, [2, 4, 6])
    ecu.write("ay", [20, 40, 60], raw=True)
    assert ecu.peek(0x158, 3) == bytes([20, 40, 60])
    ecu.write("ay", 15, at=(1,))
    assert ecu.peek(0x158, 3) == bytes([20, 30, 60])
    ecu.write("ay", 33, at=(1,), raw=True)
    assert ecu.peek(0x158, 3) == bytes([20, 33, 60])
    with pytest.raises(UsageError, match="STRICT_INCREASE"):
        ecu.write("ay", 40, at=(1,))
    with pytest.raises(LimitError):
        ecu.write("ay", 101, at=(1,))
    assert ecu.peek(0x158, 3) == bytes([20, 33, 60])
    big = 2**62 + 1
    ecu.poke(0x130, struct.pack("<qq", 0, big))
    ecu.write("a64", 3.7, at=(0,))  # 7.4 halves
    assert struct.unpack("<qq", ecu.peek(0x130, 16)) == (7, big)


def test_texts_as_ecu_values(ecu):
    ecu.write("text", "abc")
    assert ecu.live.read("text", raw=True).tolist() == [97, 98, 99, 0]
    ecu.write("text", [65, 0xFF, 0, 1], raw=True)
    assert ecu.peek(0x1B0, 4) == bytes([65, 0xFF, 0, 1])
    ecu.write("text", 66, at=(1,), raw=True)
    assert (ecu.live.read("text"), ecu.peek(0x1B0, 4)) == ("AB", bytes([65, 66, 0, 1]))
    for value in ([65, 256, 0, 0], [65], "abcd"):
        with pytest.raises((UsageError, LimitError)):
            ecu.write("text", value, raw=True)
    assert ecu.peek(0x1B0, 4) == bytes([65, 66, 0, 1])


def test_an_impossible_count_is_told_once(ecu):
    ecu.poke(0x1C0, [2, 10, 20, 30])
    assert ecu.live.read("over").values.shape == (2,)
    assert not ecu.live.diagnostics
    ecu.poke(0x1C0, [4])
    for _ in range(2):
        assert ecu.live.read("over").values.shape == (3,)
        assert ecu.live.read("counted").tolist() == [10, 20, 30]
    (told,) = ecu.live.diagnostics.values()
    assert (told.slug, told.subject) == ("count", "counted")
    assert told.text == "counted: NO_AXIS_PTS_X is 4 where 1 to 3 can be; 3 are taken."


def test_guard_rails(ecu):
    ecu.poke(0x150, [0, 20, 40, 255])
    ecu.poke(0x158, [2, 4, 6])
    (done,) = ecu.write("ax", [1, 11, 21, 99])
    assert ecu.peek(0x150, 4) == bytes([0, 22, 42, 255])  # the outermost points stay
    assert [d.slug for d in done.diagnostics] == ["guard-rails"]
    (done,) = ecu.write("map", np.arange(1, 13).reshape(3, 4))
    # 1 2 3 4 / 5 6 7 8 / 9 10 11 12: only 6 and 7 are inside
    assert ecu.peek(0x160, 12) == bytes([6, 6, 7, 7] * 3)
    assert [d.slug for d in done.diagnostics] == ["guard-rails"]
    (done,) = ecu.write("map", 50, at=(1, 2))
    assert ecu.peek(0x160, 12) == bytes([6, 6, 50, 50] * 3)
    for name, at in (("map", (0, 1)), ("map", (1, -1)), ("ax", (0,))):
        with pytest.raises(UsageError, match="guard rail"):
            ecu.write(name, 50, at=at)
    assert read_value(ecu.live.bound("map"), ecu.memory.read, raw=True).values.max() == 50


def test_an_overlay_shows_only_what_was_planned():
    data = bytes(range(16))
    seen = Overlay(lambda address, size: data[2 * address.value : 2 * address.value + size], ag=2)
    seen.add([(Address(2), b"\xaa\xbb\xcc"), (Address(3), b"\xdd"), (Address(2, 1), b"\xee")])
    assert seen(Address(1), 8) == b"\x02\x03\xaa\xbb\xdd\x07\x08\x09"
    assert seen(Address(3), 2) == b"\xdd\x07"
    assert seen(Address(6), 2) == b"\x0c\x0d"
