"""STIM DTOs of rows, by bytes that were put together by hand; and samples from DAQ DTOs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import UsageError
from xcaliper.core.ticks import TickClock
from xcaliper.daq.capabilities import DaqCapabilities, EventChannel
from xcaliper.daq.plan import compile_plan
from xcaliper.daq.stim import StimEncoder, sample_sets
from xcaliper.daq.wanted import Wanted, WantedSignal
from xcaliper.xcp.daq_lists import PackedMode
from xcaliper.xcp.dto_sets import DtoSet, DtoSets
from xcaliper.xcp.profile import DtoFormat

#: Identification field, byte order, the two DTOs of one row: list 1 (FIRST_PID 4), counter 0x2A, timestamp
#: 0x0102, signals a = 0x1122 (u16) and b = 0x33, each in an ODT of its own. From the layouts of the
#: standard (XCP Base, DTO, 1.0; counter 1.3).
GOLDEN = [
    (0, "<", "04 2a 0201 2211", "05 33"),
    (0, ">", "04 2a 0102 1122", "05 33"),
    (1, "<", "00 01 2a 0201 2211", "01 01 33"),
    (2, "<", "00 0100 2a 0201 2211", "01 0100 33"),
    (2, ">", "00 0001 2a 0102 1122", "01 0001 33"),
    (3, "<", "00 2a 0100 0201 2211", "01 00 0100 33"),
    (3, ">", "00 2a 0001 0102 1122", "01 00 0001 33"),
]


def planned(kind: int, mark: str, *, dto_ctr: bool = True, stamp: bool = True):
    caps = DaqCapabilities(
        identification_field=kind,
        clock=TickClock(1, 3, 2),
        events=(EventChannel(0, "10ms", 10_000_000, stim=True),),
        max_dto=(1, 2, 3, 4)[kind] + 5 - (kind == 3),
        byte_order=ByteOrder.INTEL if mark == "<" else ByteOrder.MOTOROLA,
        dto_ctr=True,
    )
    signals = (
        WantedSignal("in", Address(0x10), np.dtype("u1")),
        WantedSignal("a", Address(0x20), np.dtype(f"{mark}u2"), stim=True),
        WantedSignal("b", Address(0x30), np.dtype("u1"), stim=True),
    )
    made = Wanted(signals, event_channel=0, dto_ctr=dto_ctr, stim_timestamp=stamp)
    plan = compile_plan(made, caps)
    raster = replace(plan.stim_rasters[0], daq_list=1)
    return plan, raster


@pytest.mark.parametrize(("kind", "mark", "first", "second"), GOLDEN)
def test_bytes_of_a_row(kind: int, mark: str, first: str, second: str) -> None:
    plan, raster = planned(kind, mark)
    rows = np.zeros(2, raster.dtype)
    rows["a"], rows["b"] = (0x1122, 0xFFFF), (0x33, 0)
    encoder = StimEncoder(plan, raster, 4)
    assert encoder.packets_per_row == 2
    golden = [bytes.fromhex(first), bytes.fromhex(second)]
    assert encoder.packets(rows[:1].tobytes(), counter=0x12A, ticks=0x70102) == golden
    counters, ticks = np.array([0x12A, 1]), np.array([0x70102, 2])
    many = encoder.encode(rows, counters=counters, ticks=ticks)
    assert [odt[0].tobytes() for odt in many] == golden
    plain = encoder.encode(rows)
    assert plain[1][0].tobytes() == golden[1]
    assert plain[0][0].tobytes() != golden[0]


def test_headers_without_counter_and_timestamp() -> None:
    plan, raster = planned(1, "<", dto_ctr=False, stamp=False)
    encoder = StimEncoder(plan, raster)
    row = b"\x22\x11\x33"
    assert encoder.packets(row, counter=1, ticks=2) == [bytes.fromhex("00 01 2211 33")]
    (odt,) = encoder.encode(np.frombuffer(row, raster.dtype), counters=np.ones(1, np.int64))
    assert odt[0].tobytes() == bytes.fromhex("00 01 2211 33")


def test_empty_odts_are_left_out() -> None:
    plan, raster = planned(1, "<", dto_ctr=False, stamp=False)
    raster = replace(raster, odt_sizes=(2, 0, 1))
    encoder = StimEncoder(plan, raster)
    assert encoder.packets(b"\x22\x11\x33") == [b"\x00\x01\x22\x11", b"\x02\x01\x33"]


def test_what_cannot_be_encoded() -> None:
    plan, raster = planned(1, "<")
    with pytest.raises(UsageError, match="not sent"):
        StimEncoder(plan, plan.rasters[0])
    with pytest.raises(UsageError, match="not sent"):
        StimEncoder(replace(plan, stim_format=None), raster)
    with pytest.raises(UsageError, match="rows of 3 bytes"):
        StimEncoder(plan, raster).encode(np.zeros(1, "u8"))


def test_single_samples_need_dtos_that_carry_one_and_tell_their_list() -> None:
    plan, _ = planned(1, "<")
    packed = replace(plan, rasters=(replace(plan.rasters[0], packed=PackedMode(1, 4)),))
    hidden = replace(plan, dto_format=replace(plan.dto_format, pid_off=True))
    for other in (packed, hidden):
        with pytest.raises(UsageError, match="single samples"):
            sample_sets(other, {})


def test_samples_of_two_lists_with_overload_marks() -> None:
    fmt = DtoFormat(1, timestamp_size=2, overload_msb=True)
    one, two = DtoSet(0, fmt, (1, 0, 2)), DtoSet(1, fmt, (3,))
    sets = DtoSets((one, two))
    assert sets.receive(bytes.fromhex("80 00 3412 aa")) is None
    assert sets.receive(bytes.fromhex("00 01 7856 010203")) is two
    assert (two.data, two.ticks, two.counter) == (b"\x01\x02\x03", 0x5678, None)
    assert sets.receive(bytes.fromhex("02 00 bbcc")) is one
    assert (one.data, one.ticks) == (b"\xaa\xbb\xcc", 0x1234)
    assert sets.receive(b"") is None
    assert (sets.counters.packets, sets.counters.unknown) == (3, 1)
