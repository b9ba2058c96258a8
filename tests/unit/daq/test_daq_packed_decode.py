"""Packed sets and lists without identification field, from hand-made bytes."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import UsageError
from xcaliper.core.frames import DtoBatch
from xcaliper.core.ticks import TickClock
from xcaliper.daq import ClockReading, DaqDecoder, DaqPlan, EventChannel, Raster
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup, PackedMode
from xcaliper.xcp.profile import DtoFormat

MS = 1_000_000
STAMPED = DtoFormat(1, 4)
#: u2 and u1 in the first ODT, u4 in the second.
ROW = np.dtype(
    {"names": ["a", "b", "c"], "formats": ["<u2", "u1", "<u4"], "offsets": [0, 2, 3], "itemsize": 7}
)


def packed_plan(mode, count, stamp=0, *, cycle=MS, head=STAMPED, prescaler=1):
    event = EventChannel(0, "e", cycle)
    odts = (
        OdtSetup((OdtEntry(Address(0), 2), OdtEntry(Address(9), 1))),
        OdtSetup((OdtEntry(Address(20), 4),)),
    )
    packed = PackedMode(mode, count, stamp)
    raster = Raster(
        0, "e", event, 3, prescaler, ROW, (3, 4), packed=packed, entry_sizes=((2, 1), (4,))
    )
    clock = TickClock(1, 3, 4) if head.timestamp_size else None
    return DaqPlan(
        (DaqListSetup(3, 0, odts, packed=packed),), (raster,), head, ByteOrder.INTEL, clock, 64
    )


def samples(first, count):
    return [(100 * i + 7, i % 256, 1_000_000 + i) for i in range(first, first + count)]


def dtos(mode, rows, ticks, counter=None):
    """The two DTOs of a set, element by element or event by event (XCP Base, packed mode, 1.4)."""
    a, b, c = zip(*rows, strict=True)
    n = len(rows)
    if mode == 1:
        first = struct.pack(f"<{n}H", *a) + bytes(b)
    else:
        first = b"".join(struct.pack("<HB", x, y) for x, y in zip(a, b, strict=True))
    mark = b"" if counter is None else bytes([counter])
    stamp = b"" if ticks is None else struct.pack("<I", ticks)
    return [b"\0\3" + mark + stamp + first, b"\1\3" + struct.pack(f"<{n}I", *c)]


@pytest.mark.parametrize("mode", [1, 2])
def test_every_value_of_every_sample(mode):
    decoder = DaqDecoder(packed_plan(mode, 5), {}, ClockReading(0, 0))
    packets = dtos(mode, samples(0, 5), 4000) + dtos(mode, samples(5, 5), 9000)
    (block,) = decoder.feed(DtoBatch(0, packets))
    rows = list(zip(*(block.column(name).tolist() for name in "abc"), strict=True))
    assert rows == samples(0, 10)
    assert block.t_ns.tolist() == [i * MS for i in range(10)]
    assert decoder.finish().samples == 10


def times(decoder, sets, stamped=True):
    found = []
    for ticks in sets:
        for block in decoder.feed(
            DtoBatch(ticks * 1000, dtos(2, samples(0, 4), ticks if stamped else None))
        ):
            found += block.t_ns.tolist()
    return found


def test_times_of_the_first_sample():
    decoder = DaqDecoder(packed_plan(2, 4, 1), {}, ClockReading(0, 0))
    assert times(decoder, [1000, 5000]) == [i * MS for i in range(1, 9)]


def test_the_drift_of_a_clock_makes_no_steps():
    # the slave's clock is 2 % slow: sets of 4 ms are 3920 ticks apart
    decoder = DaqDecoder(packed_plan(2, 4), {}, ClockReading(0, 0))
    found = times(decoder, [3920, 7840, 11760])
    assert found[4:] == [3_920_000 + i * 980_000 for i in range(1, 9)]
    assert (np.diff(found) > 0).all()


def test_a_gap_is_not_filled_by_stretching():
    decoder = DaqDecoder(packed_plan(2, 4), {}, ClockReading(0, 0))
    found = times(decoder, [4000, 20_000])
    assert found == [MS * i for i in (1, 2, 3, 4, 17, 18, 19, 20)]


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        (0, [0.25, 1.5, 2.75, 4, 5.25, 6.5, 7.75, 9]),
        (1, [4, 5.25, 6.5, 7.75, 9, 10.25, 11.5, 12.75]),
    ],
)
def test_events_without_a_cycle_are_spread_between_timestamps(stamp, expected):
    decoder = DaqDecoder(packed_plan(2, 4, stamp, cycle=None), {}, ClockReading(0, 0))
    packets = dtos(2, samples(0, 4), 4000) + dtos(2, samples(4, 4), 9000)
    (block,) = decoder.feed(DtoBatch(0, packets))
    assert [t / MS for t in block.t_ns.tolist()] == expected


def test_without_timestamps_the_last_sample_has_the_time_of_arrival():
    decoder = DaqDecoder(packed_plan(2, 4, 1, head=DtoFormat(1)), {}, None)
    assert times(decoder, [10_000, 14_000], stamped=False)[-5:] == [0, MS, 2 * MS, 3 * MS, 4 * MS]


def test_a_lost_set_is_as_many_lost_samples():
    head = DtoFormat(1, 4, dto_ctr=True)
    decoder = DaqDecoder(packed_plan(1, 4, head=head, prescaler=2), {}, ClockReading(0, 0))
    packets = dtos(1, samples(0, 4), 8000, 8) + dtos(1, samples(8, 4), 24_000, 24)
    (block,) = decoder.feed(DtoBatch(0, packets))
    (gap,) = block.gaps
    assert (gap.before_row, gap.lost, gap.reason) == (4, 4, "sequence")
    assert (gap.t_from_ns, gap.t_to_ns) == (8 * MS, 18 * MS)
    assert decoder.quality.lost_samples == 4


def test_an_incomplete_set_is_dropped_and_marked():
    decoder = DaqDecoder(packed_plan(1, 4), {}, ClockReading(0, 0))
    packets = (
        dtos(1, samples(0, 4), 4000)
        + dtos(1, samples(4, 4), 8000)[1:]
        + dtos(1, samples(8, 4), 12_000)
    )
    (block,) = decoder.feed(DtoBatch(0, packets))
    assert block.column("c").tolist() == [row[2] for row in samples(0, 4) + samples(8, 4)]
    (gap,) = block.gaps
    assert (gap.before_row, gap.lost, gap.reason) == (4, 4, "sequence")


# ------------------------------------------------------------------------------------- PID_OFF


def pid_off_plan(*identifiers, odts=(2,)):
    rasters = tuple(
        Raster(
            i,
            f"e{i}",
            EventChannel(i, f"e{i}", MS),
            i,
            1,
            np.dtype([("x", f"<u{sum(odts)}")]),
            odts,
            transport_id=one,
        )
        for i, one in enumerate(identifiers)
    )
    entry = OdtEntry(Address(0), 2)
    lists = tuple(
        DaqListSetup(i, i, (OdtSetup((entry,)),), pid_off=True, can_id=one)
        for i, one in enumerate(identifiers)
    )
    return DaqPlan(lists, rasters, DtoFormat(0, 0, pid_off=True), ByteOrder.INTEL, None, 8)


def test_the_identifier_on_the_link_tells_the_list():
    decoder = DaqDecoder(pid_off_plan(0x101, 0x80000202))
    batch = DtoBatch(
        0, [b"\1\0", b"\2\0", b"\3\0", b"\4\0"], [(2, 1)], [0x101, 0x80000202, 0x101, 0x7]
    )
    first, second = decoder.feed(batch)
    assert (first.column("x").tolist(), second.column("x").tolist()) == ([1, 3], [2])
    assert [gap.reason for gap in first.gaps] == ["counter"]
    assert decoder.quality.unknown_keys == {0x7: 1}


def test_one_list_needs_no_identifiers():
    for plan in (pid_off_plan(None), pid_off_plan(0x101)):
        (block,) = DaqDecoder(plan).feed(DtoBatch(0, [b"\1\0", b"\2\0"]))
        assert block.column("x").tolist() == [1, 2]
    (block,) = DaqDecoder(pid_off_plan(0x101)).feed(
        DtoBatch(0, [b"\1\0", b"\2\0"], [], [0x101, 0x9])
    )
    assert block.column("x").tolist() == [1]


@pytest.mark.parametrize(
    "plan", [pid_off_plan(1, 1), pid_off_plan(None, 2), pid_off_plan(1, odts=(1, 1))]
)
def test_lists_that_cannot_be_told_apart(plan):
    with pytest.raises(UsageError, match="cannot be told apart"):
        DaqDecoder(plan)


def test_a_transport_that_keeps_identifiers_to_itself():
    decoder = DaqDecoder(pid_off_plan(1, 2))
    with pytest.raises(UsageError, match="does not tell the identifiers"):
        decoder.feed(DtoBatch(0, [b"\1\0"]))
