"""Hand-made DTOs of every header form, losses, and oddities."""

from __future__ import annotations

import numpy as np
import pytest

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import RemoteProtocolError, UsageError
from xcaliper.core.frames import DtoBatch
from xcaliper.core.ticks import TickClock
from xcaliper.daq import DaqDecoder, DaqPlan, EventChannel, Raster
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.profile import DtoFormat


def plan_of(head, *lists, order=ByteOrder.INTEL, prescaler=1):
    """A plan by hand: each list is (number, dtype, sizes of the ODTs)."""
    setups, rasters = [], []
    for index, (number, dtype, sizes) in enumerate(lists):
        odts = tuple(OdtSetup((OdtEntry(Address(0), size),)) for size in sizes)
        setups.append(DaqListSetup(number, index, odts))
        event = EventChannel(index, f"e{index}", 1_000_000)
        rasters.append(Raster(index, f"e{index}", event, number, prescaler, np.dtype(dtype), sizes))
    clock = TickClock(1, 3, head.timestamp_size) if head.timestamp_size else None
    return DaqPlan(tuple(setups), tuple(rasters), head, order, clock, 1400)


def feed(decoder, *packets, lost=(), t_ns=0):
    return decoder.feed(DtoBatch(t_ns, [bytes.fromhex(p) for p in packets], list(lost)))


# (name in the golden set, header, list, FIRST_PID, order, bytes, value, ticks)
GOLDEN = [
    ("daq_abs_nots", DtoFormat(0), 7, 0, "<", "0011223344", "11223344", 0),
    ("daq_abs_ts4_first", DtoFormat(0, 4), 0, 10, "<", "0a04030201aabb", "aabb", 0x01020304),
    ("daq_abs_overload_msb", DtoFormat(0, 2, False, True), 0, 10, "<", "8a0605aabb", "aabb", 1286),
    ("daq_rel_byte_ts4", DtoFormat(1, 4), 1, 0, "<", "0001e80300000102", "0102", 1000),
    ("daq_rel_word_ts4_le", DtoFormat(2, 4), 258, 0, "<", "000201e80300000102", "0102", 1000),
    (
        "daq_rel_word_aligned_ts4_le",
        DtoFormat(3, 4),
        258,
        0,
        "<",
        "00000201e80300000102",
        "0102",
        1000,
    ),
    ("daq_rel_word_ts4_be", DtoFormat(2, 4), 258, 0, ">", "000102000003e80102", "0102", 1000),
    (
        "daq_rel_word_aligned_ts4_be",
        DtoFormat(3, 4),
        258,
        0,
        ">",
        "00000102000003e80102",
        "0102",
        1000,
    ),
    ("daq_rel_word_aligned_ctr", DtoFormat(3, 4, True), 1, 0, "<", "002a01000700000099", "99", 7),
    ("daq_abs_ctr_ts2", DtoFormat(0, 2, True), 0, 5, "<", "052a070099", "99", 7),
    ("daq_rel_byte_ctr_noTS", DtoFormat(1, 0, True), 1, 0, "<", "00012a99", "99", 0),
    (
        "daq_pid_off",
        DtoFormat(0, 0, pid_off=True),
        0,
        0,
        "<",
        "1122334455667788",
        "1122334455667788",
        0,
    ),
]


@pytest.mark.parametrize("case", GOLDEN, ids=[case[0] for case in GOLDEN])
def test_every_header_form(case):
    _, head, number, first_pid, mark, packet, value, ticks = case
    order = ByteOrder.INTEL if mark == "<" else ByteOrder.MOTOROLA
    size = len(value) // 2
    plan = plan_of(head, (number, [("v", f"V{size}")], (size,)), order=order)
    decoder = DaqDecoder(plan, {number: first_pid})
    first = feed(decoder, packet)
    assert first[0].rows["v"][0].tobytes().hex() == value
    assert first[0].t_ns.tolist() == [0]
    if ticks:  # the same sample 8 ticks (µs) later
        stamp = bytes.fromhex(packet)
        at = head.first_header_size - head.timestamp_size
        order_name = "little" if mark == "<" else "big"
        assert int.from_bytes(stamp[at : head.first_header_size], order_name) == ticks
        later = (ticks + 8).to_bytes(head.timestamp_size, order_name)
        again = stamp[:at] + later + stamp[head.first_header_size :]
        assert feed(decoder, again.hex())[0].t_ns.tolist() == [8000]
    assert decoder.quality.overloads == (2 if head.overload_msb else 0)


def test_a_sample_of_two_odts_with_absolute_pids():
    plan = plan_of(DtoFormat(0, 4), (0, [("a", "V2"), ("b", "V2")], (2, 2)))
    decoder = DaqDecoder(plan, {0: 10})
    assert feed(decoder, "0a04030201aabb") == []
    (block,) = feed(decoder, "0bccdd")
    assert block.rows[0].tobytes().hex() == "aabbccdd"
    assert decoder.finish().is_clean


LIST2 = (1, [("a", "<u2"), ("b", "<u2")], (2, 2))
HEAD = DtoFormat(1, 2)


def test_lists_interleave_and_batches_cut_samples():
    plan = plan_of(HEAD, LIST2, (2, [("c", "u1")], (1,)))
    decoder = DaqDecoder(plan)
    blocks = feed(decoder, "00010100aa00", "0002010001", "0101bb00", "0002020002", "00010200ac00")
    assert [(b.raster, b.rows.tolist()) for b in blocks] == [(0, [(0xAA, 0xBB)]), (1, [(1,), (2,)])]
    assert blocks[1].t_ns.tolist() == [0, 1000]
    (block,) = feed(decoder, "0101bd00")
    assert block.rows.tolist() == [(0xAC, 0xBD)]
    assert decoder.finish().is_clean


def test_a_missing_odt_drops_its_cycle_and_marks_it():
    decoder = DaqDecoder(plan_of(HEAD, LIST2))
    (block,) = feed(decoder, "00010100a100", "0101b100", "00010200a200", "00010300a300", "0101b300")
    assert block.column("a").tolist() == [0xA1, 0xA3]
    (gap,) = block.gaps
    assert (gap.before_row, gap.t_from_ns, gap.t_to_ns, gap.lost, gap.reason) == (
        1,
        0,
        2000,
        1,
        "sequence",
    )
    (block,) = feed(decoder, "0101b400", "00010500a500", "0101b500")
    assert block.column("a").tolist() == [0xA5]
    assert block.gaps[0].t_from_ns == 2000
    assert decoder.quality.incomplete == 2


def test_a_counter_gap_marks_every_raster_and_counts_once():
    plan = plan_of(HEAD, (1, [("a", "u1")], (1,)), (2, [("b", "u1")], (1,)))
    decoder = DaqDecoder(plan)
    packets = ("0001010001", "0002010001", "0001040004", "0002040004")
    blocks = feed(decoder, *packets, lost=[(2, 4), (4, 1)])
    for block in blocks:
        assert [(g.before_row, g.lost, g.reason) for g in block.gaps] == [(1, 4, "counter")]
    assert decoder.quality.lost_messages == 5
    (block,) = feed(decoder, "0002060004")
    assert [(g.before_row, g.lost) for g in block.gaps] == [(0, 1)]
    assert block.gaps[0].t_from_ns == 3000
    assert len(decoder.quality.gaps) == 3
    assert decoder.finish().gaps[-1] == ("e0", 3000, 3000, 1, "counter")  # no row came behind it


def test_halves_of_two_samples_are_never_joined():
    """ODT 1 of sample 1 and ODT 0 of sample 2 are lost: what remains looks complete."""
    decoder = DaqDecoder(plan_of(HEAD, LIST2))
    assert feed(decoder, "00010100a100", "0101b200", lost=[(1, 2)]) == []
    (block,) = feed(decoder, "00010300a300", "0101b300")
    assert block.rows.tolist() == [(0xA3, 0xB3)]
    assert [(g.before_row, g.reason) for g in block.gaps] == [(0, "counter")]
    assert decoder.quality.incomplete == 1


def test_a_loss_elsewhere_does_not_cost_an_open_sample():
    decoder = DaqDecoder(plan_of(HEAD, LIST2, (2, [("c", "u1")], (1,))))
    (block,) = feed(decoder, "00010100a100", "0101b100", lost=[(1, 1)])
    assert block.rows.tolist() == [(0xA1, 0xB1)]


def test_the_dto_counter_counts_events_not_samples():
    head = DtoFormat(1, 0, dto_ctr=True)
    decoder = DaqDecoder(plan_of(head, (1, [("a", "u1")], (1,)), prescaler=2))
    (block,) = feed(decoder, "0001fc01", "0001fe02", "00010004", "00010407")
    assert [(g.before_row, g.lost, g.reason) for g in block.gaps] == [(3, 1, "sequence")]
    (block,) = feed(decoder, "00010c07")
    assert [(g.before_row, g.lost) for g in block.gaps] == [(0, 3)]
    assert decoder.quality.lost_samples == 4


def test_overload_by_bit_and_by_event():
    head = DtoFormat(0, 0, overload_msb=True)
    decoder = DaqDecoder(plan_of(head, (0, [("a", "u1"), ("b", "u1")], (1, 1))), {0: 3})
    (block,) = feed(decoder, "0301", "0402", "0303", "8404", "0305", "0406")
    assert block.rows.tolist() == [(1, 2), (3, 4), (5, 6)]
    assert [(g.before_row, g.reason) for g in block.gaps] == [(1, "overload")]
    decoder.note_overload()
    (block,) = feed(decoder, "0301", "0402")
    assert [(g.before_row, g.reason) for g in block.gaps] == [(0, "overload")]
    assert decoder.quality.overloads == 2


def test_filled_up_dtos_are_decoded_by_plan():
    decoder = DaqDecoder(plan_of(HEAD, LIST2))
    (block,) = feed(decoder, "00010100a1000000", "0101b1000000", "00010200a2000000", "0101b2000000")
    assert block.rows.tolist() == [(0xA1, 0xB1), (0xA2, 0xB2)]
    (block,) = feed(decoder, "00010300a300", "0101b30055", "00010400a400", "0101b400")
    assert block.rows.tolist() == [(0xA3, 0xB3), (0xA4, 0xB4)]
    assert decoder.finish().is_clean


def test_short_unknown_and_empty_packets_are_counted():
    decoder = DaqDecoder(plan_of(HEAD, LIST2))
    blocks = feed(decoder, "00010100a100", "", "0007", "00", "0101b100", "00010200a2", "0909")
    assert blocks[0].rows.tolist() == [(0xA1, 0xB1)]
    quality = decoder.finish()
    assert (quality.malformed, quality.unknown, quality.incomplete) == (3, 2, 1)
    assert quality.unknown_keys == {7: 1, 9: 1}
    assert quality.summary() == "1 sample, 1 incomplete cycle, 2 unknown DTOs, 3 malformed DTOs"


def test_unknown_list_numbers_are_named_in_the_slaves_order():
    plan = plan_of(DtoFormat(3), (1, [("a", "u1")], (1,)), order=ByteOrder.MOTOROLA)
    decoder = DaqDecoder(plan)
    assert feed(decoder, "0000010201") == []
    assert decoder.quality.unknown_keys == {0x0102: 1}


def test_what_comes_after_the_end_is_late():
    decoder = DaqDecoder(plan_of(HEAD, LIST2))
    feed(decoder, "00010100a100")
    assert decoder.finish().incomplete == 1
    assert feed(decoder, "0101b100") == []
    assert decoder.finish().late == 1
    assert decoder.quality.incomplete == 1


def test_first_pids_that_are_missing_or_overlap():
    plan = plan_of(DtoFormat(0), (0, [("a", "u1"), ("b", "u1")], (1, 1)), (1, [("c", "u1")], (1,)))
    with pytest.raises(UsageError, match="no FIRST_PID"):
        DaqDecoder(plan, {0: 0})
    with pytest.raises(RemoteProtocolError, match="PID 1 would belong to two"):
        DaqDecoder(plan, {0: 0, 1: 1})
    with pytest.raises(RemoteProtocolError, match="no room"):
        DaqDecoder(plan, {0: 0xFB, 1: 1})


def test_columns_are_views_of_the_rows():
    decoder = DaqDecoder(plan_of(HEAD, LIST2))
    (block,) = feed(decoder, "00010100a100", "0101b100")
    assert np.shares_memory(block.column("b"), block.rows)
    assert block.rows.flags.c_contiguous


def stamped(ticks, value=0):
    return bytes([0, 1]).hex() + ticks.to_bytes(4, "little").hex() + f"{value:02x}"


def test_what_an_overload_has_cost_is_found_on_the_time_axis():
    """EV_DAQ_OVERLOAD says neither where nor how many; a raster of 1 ms does."""
    decoder = DaqDecoder(plan_of(DtoFormat(1, 4), (1, [("a", "u1")], (1,))), start=None)
    feed(decoder, stamped(1000), stamped(2000))
    decoder.note_overload()
    (queued,) = feed(decoder, stamped(3000))
    assert queued.gaps == ()
    (block,) = feed(decoder, stamped(4000), stamped(9000), stamped(10_000))
    assert [(g.before_row, g.lost, g.reason) for g in block.gaps] == [(1, 4, "overload")]
    (soon,) = feed(decoder, stamped(11_000), stamped(13_000))
    assert [(g.before_row, g.lost, g.reason) for g in soon.gaps] == [(1, 1, "overload")]
    (later,) = feed(decoder, *(stamped(ticks) for ticks in range(14_000, 1_200_000, 1000)))
    assert later.gaps == ()
    (pause,) = feed(decoder, stamped(1_202_000))
    assert pause.gaps == ()
    assert decoder.quality.lost_samples == 5
    assert decoder.quality.overloads == 1


def test_what_both_counters_miss_is_counted_once():
    """Of three samples that the DTO counter misses, one message was lost on the way."""
    decoder = DaqDecoder(plan_of(DtoFormat(1, 0, True), (1, [("a", "u1")], (1,))))
    (block,) = feed(decoder, "00010011", "00010122", "00010533", "00010744", lost=[(2, 1), (3, 1)])
    gaps = [(g.before_row, g.lost, g.reason) for g in block.gaps]
    assert gaps == [(2, 3, "counter"), (3, 1, "counter")]
    assert (decoder.quality.lost_messages, decoder.quality.lost_samples) == (2, 2)


def test_the_overload_bit_counts_what_a_periodic_raster_lacks():
    head = DtoFormat(0, 2, overload_msb=True)
    decoder = DaqDecoder(plan_of(head, (0, [("a", "u1")], (1,))), {0: 0})
    (block,) = feed(decoder, "00e80300", "80a00f00")
    assert [(g.before_row, g.lost, g.reason) for g in block.gaps] == [(1, 2, "overload")]
    assert decoder.quality.lost_samples == 2


def test_a_clock_that_goes_back_is_marked_and_nothing_counts_as_lost():
    """Scatter holds the time; a clock that somebody sets goes on by one period."""
    decoder = DaqDecoder(plan_of(DtoFormat(1, 4), (1, [("a", "u1")], (1,))))
    (block,) = feed(decoder, stamped(1000), stamped(2000), stamped(1900), stamped(3000))
    assert block.t_ns.tolist() == [0, 10**6, 10**6, 2 * 10**6]
    assert [(g.before_row, g.lost, g.reason) for g in block.gaps] == [(2, 0, "clock")]
    (block,) = feed(decoder, stamped(4000), stamped(4_000_000_000), t_ns=2 * 10**6)
    assert block.t_ns.tolist() == [3 * 10**6, 4 * 10**6]
    assert [(g.before_row, g.lost, g.reason) for g in block.gaps] == [(1, 0, "clock")]
    (block,) = feed(decoder, stamped(4_000_001_000), t_ns=3 * 10**6)
    assert (block.t_ns.tolist(), block.gaps) == ([5 * 10**6], ())
    assert decoder.quality.backward == 2
    assert decoder.quality.lost_samples == 0
    assert [record.reason for record in decoder.quality.gaps] == ["clock", "clock"]
    assert not decoder.quality.is_clean
