"""Received DTOs × DaqPlan → sample blocks; the numpy tier.

Per DTO there is one dictionary look-up and one append. The bytes of a list's DTOs are then joined
and checked and copied as arrays. What does not come regularly (a missing, short or foreign ODT) goes
through a loop per DTO that keeps the complete cycles, and then the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import RemoteProtocolError, UsageError
from xcaliper.core.samples import Gap, SampleBlock
from xcaliper.daq.packed_layout import packed_index, spread_times
from xcaliper.daq.quality import GapRecord, Quality
from xcaliper.daq.timeline import ClockReading, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from xcaliper.core.frames import DtoBatch
    from xcaliper.daq.plan import DaqPlan, Raster
    from xcaliper.xcp.profile import DtoFormat

__all__ = ["DaqDecoder"]

#: Below this many data bytes per ODT an index is quicker than a slice assignment per ODT.
INDEX_BYTES_PER_ODT: Final = 300

#: Blocks of a raster that may hold the end of the gap that an EV_DAQ_OVERLOAD told of: rows that
#: were queued before it may share its batch, the first row behind the gap follows it.
DOUBTFUL_BLOCKS: Final = 2
#: The slave tells of an overload once; while it lasts, losses follow each other sooner than this, or
#: than so many periods.
OVERLOAD_NS: Final = 1_000_000_000
OVERLOAD_PERIODS: Final = 16

#: The DTO counter has one byte.
EVENT_MODULUS: Final = 256
#: Events by which timestamps may be off where they tell how often that counter went round.
UNSURE_EVENTS: Final = 4
#: Steps that tell how long the period of a raster really is.
PACE_STEPS: Final = 1000

#: What a later reason at the same row does not replace.
_RANK: Final = {"counter": 0, "sequence": 1, "overload": 2, "unknown": 3, "clock": 4}
#: Of these only the times tell how much was lost.
_BY_TIME: Final = ("overload", "unknown")
#: An identifier of no planned list that comes more often is a list of somebody else.
STRAYS: Final = 64


class _Inbox(dict[int, "Callable[[bytes], None]"]):
    """PID or list number → append of the stream's packets; unknown keys go to one list."""

    def __init__(self) -> None:
        super().__init__()
        self.unknown: list[bytes] = []

    def __missing__(self, key: int) -> Callable[[bytes], None]:
        return self.unknown.append


@dataclass(slots=True)
class _Trouble:
    """What happened just before a row."""

    lost: int
    reason: str


@dataclass(slots=True)
class _Stream:
    """State of one DAQ list.

    Attributes:
        raster: what it yields.
        first_pid: of its first ODT, 0 for relative identification fields.
        offsets: where the data of each ODT begins.
        planned: bytes of each DTO as planned; all samples of it where they are packed.
        lengths: bytes of each DTO as seen; slaves may fill up.
        packets: not yet decoded, in order of arrival.
        pending_lost: messages lost since the oldest of ``packets`` came.
        skipping: True while the rest of a broken cycle is thrown away.
        trouble: cycle in the coming block → what happened before it.
        parts: (ticks, rows) decoded in this batch.
        row_count: cycles in ``parts``; each is a row, or several where samples are packed.
        counter: last DTO counter.
        skipped: cycle in the coming block → events that the DTO counter leaves out before it.
        paced: steps of about one period that were seen, the first ones only.
        paced_ns: how long they were together.
        stamp_ns: time of the last cycle, as stamped.
        last_ns: time of the last row.
        doubt: blocks whose times are still to be searched for what an overload has cost.
        overload_until_ns: time until which the latest overload may last.
        marked: cycle in the coming block that is the last one whose PID tells of an overload.
        strays: DTOs that seemed to be of no list: how many explain no more what comes, being used or
            too long ago, and how many there were at the last block.
        stopped_ns: newest time of any raster when the list was told to stop; None = it runs.
        opened: gaps in front of the next row, noted already.
        layout: where the bytes of a cycle are, for the lengths seen last.
    """

    raster: Raster
    first_pid: int
    offsets: tuple[int, ...]
    planned: list[int]
    lengths: list[int]
    packets: list[bytes] = field(default_factory=list)
    pending_lost: int = 0
    skipping: bool = False
    trouble: dict[int, _Trouble] = field(default_factory=dict)
    parts: list[tuple[NDArray[Any], NDArray[np.uint8]]] = field(default_factory=list)
    row_count: int = 0
    counter: int | None = None
    skipped: dict[int, int] = field(default_factory=dict)
    paced: int = 0
    paced_ns: int = 0
    stamp_ns: int | None = None
    last_ns: int | None = None
    doubt: int = 0
    overload_until_ns: int | None = None
    marked: int | None = None
    strays: tuple[int, int] = (0, 0)
    stopped_ns: int | None = None
    opened: tuple[Gap, ...] = ()
    layout: _Layout | None = None

    def blame(self, row: int, lost: int, reason: str) -> None:
        """Mark a loss before a row of the coming block."""
        known = self.trouble.get(row)
        if known is None or _RANK[reason] < _RANK[known.reason]:
            self.trouble[row] = _Trouble(lost, reason)
        elif known.reason == reason:
            known.lost += lost


@dataclass(slots=True)
class _Layout:
    """Where headers and data are in the joined DTOs of a cycle.

    Attributes:
        lengths: bytes of each DTO.
        heads: positions of the first byte of each DTO.
        expected: uint8[n], what stands there.
        spans: (first position, bytes) of the data of each DTO.
        row_size: bytes of a row.
        samples: rows in a cycle.
        index: position of every data byte; made when first needed.
    """

    lengths: list[int]
    heads: slice | NDArray[np.intp]
    expected: NDArray[np.uint8]
    spans: list[tuple[int, int]]
    row_size: int
    samples: int = 1
    index: NDArray[np.intp] | None = None

    @classmethod
    def of(cls, stream: _Stream, lengths: Sequence[int]) -> _Layout:
        starts = [0, *accumulate(lengths)][:-1]
        raster = stream.raster
        data = [start + offset for start, offset in zip(starts, stream.offsets, strict=True)]
        return cls(
            lengths=list(lengths),
            heads=slice(0, 1) if len(starts) == 1 else np.array(starts, np.intp),
            expected=np.arange(len(starts), dtype=np.uint8) + np.uint8(stream.first_pid),
            spans=list(zip(data, raster.odt_sizes, strict=True)),
            row_size=raster.dtype.itemsize,
            samples=raster.samples_per_set,
            index=packed_index(raster, data) if raster.packed else None,
        )

    def gather(self, cycles: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Data bytes of all ODTs side by side: slice by slice, or small ones by one index."""
        if self.samples > 1:
            assert self.index is not None, "packed layouts are made with their index"
            return cycles.take(self.index, axis=1).reshape(-1, self.row_size)
        rows = np.empty((len(cycles), self.row_size), np.uint8)
        if len(self.spans) > 1 and rows.size < INDEX_BYTES_PER_ODT * len(self.spans):
            if self.index is None:
                self.index = np.concatenate([np.arange(at, at + n) for at, n in self.spans])
            # clip, because any other mode takes a copy of the output first
            np.take(cycles, self.index, axis=1, out=rows, mode="clip")
            return rows
        end = 0
        for at, size in self.spans:
            rows[:, end : end + size] = cycles[:, at : at + size]
            end += size
        return rows


class DaqDecoder:
    """Turns batches of DTOs into sample blocks.

    Without a transport counter (CAN) exactly as many lost DTOs in a row as a list has ODTs, inside a
    cycle, cannot be noticed; with it or with one ODT per list every loss is.

    Args:
        plan: what was set up.
        first_pids: DAQ list → FIRST_PID of its START_STOP_DAQ_LIST response; needed for absolute
            identification fields only.
        start: the slave's clock at the start, from GET_DAQ_CLOCK.

    Attributes:
        plan: what was set up.
        quality: counters of the measurement.
        timeline: the time axis.
        ends: after :meth:`finish`, blocks without rows; they carry the gaps behind the last rows.

    Raises:
        UsageError: a FIRST_PID is missing.
        RemoteProtocolError: the PIDs of two lists overlap or exceed their range.
    """

    def __init__(
        self,
        plan: DaqPlan,
        first_pids: Mapping[int, int] | None = None,
        start: ClockReading | None = None,
    ) -> None:
        self.plan = plan
        self.quality = Quality()
        self.timeline = Timeline(plan.clock, [r.set_cycle_ns for r in plan.rasters], start)
        self._format = plan.dto_format
        self._mask = 0x7F if plan.dto_format.overload_msb else 0xFF
        self._key = _key_slice(plan.dto_format)
        self._order: Any = "big" if plan.byte_order.mark == ">" else "little"
        self._tick_dtype = np.dtype(f"{plan.byte_order.mark}u{plan.dto_format.timestamp_size or 1}")
        self._ended = False
        self.ends: tuple[SampleBlock, ...] = ()
        self._told_ns: int | None = None
        self._strays = 0
        self._streams = [self._stream(raster, dict(first_pids or {})) for raster in plan.rasters]
        self._inbox = self._routes()

    # ----------------------------------------------------------------------------- preparation

    def _stream(self, raster: Raster, first_pids: Mapping[int, int]) -> _Stream:
        head = self._format
        first_pid = 0
        if head.identification_field == 0 and not head.pid_off:
            if raster.daq_list not in first_pids:
                raise UsageError(
                    f"DAQ list {raster.daq_list}: no FIRST_PID is known.",
                    hint="Hand over what START_STOP_DAQ_LIST answered.",
                )
            first_pid = first_pids[raster.daq_list] & self._mask
        offsets = (head.first_header_size,) + (head.header_size,) * (len(raster.odt_sizes) - 1)
        samples = raster.samples_per_set
        planned = [o + n * samples for o, n in zip(offsets, raster.odt_sizes, strict=True)]
        return _Stream(raster, first_pid, offsets, planned, list(planned))

    def _routes(self) -> _Inbox:
        inbox = _Inbox()
        if self._format.pid_off:
            self._route_by_source(inbox)
            return inbox
        for stream in self._streams:
            for key in self._keys(stream):
                if key in inbox:
                    raise RemoteProtocolError(
                        f"START_STOP_DAQ_LIST: PID {key} would belong to two DAQ lists.",
                        hint="Stop the measurement and set it up again.",
                    )
                inbox[key] = stream.packets.append
        return inbox

    def _route_by_source(self, inbox: _Inbox) -> None:
        """Without identification fields the identifier on the link tells the list."""
        alone = len(self._streams) == 1
        for stream in self._streams:
            key = stream.raster.transport_id
            if len(stream.planned) != 1 or (key is None and not alone) or key in inbox:
                raise UsageError(
                    f"PID_OFF: DAQ list {stream.raster.daq_list} cannot be told apart.",
                    hint="Each list needs one ODT and an identifier on the link of its own.",
                )
            inbox[0 if key is None else key] = stream.packets.append

    def _keys(self, stream: _Stream) -> list[int]:
        """Every value of the identifying bytes that a list's DTOs may have, read little endian."""
        kind, daq_list = self._format.identification_field, stream.raster.daq_list
        if kind == 1:
            return [daq_list]
        if kind in (2, 3):
            return [int.from_bytes(daq_list.to_bytes(2, self._order), "little")]
        pids = range(stream.first_pid, stream.first_pid + len(stream.planned))
        if pids.stop - 1 > min(self._mask, 0xFB):
            raise RemoteProtocolError(
                f"START_STOP_DAQ_LIST: FIRST_PID {stream.first_pid} leaves no room for "
                f"{len(stream.planned)} ODTs.",
                hint="Measure fewer signals.",
            )
        return [*pids, *(pid | 0x80 for pid in pids)] if self._mask == 0x7F else list(pids)

    # --------------------------------------------------------------------------------- feeding

    def feed(self, batch: DtoBatch) -> list[SampleBlock]:
        """The samples that this batch completes, one block per raster that has any."""
        self.absorb(batch)
        return [] if self._ended else self.blocks(batch.t_ns)

    def absorb(self, batch: DtoBatch) -> None:
        """Decode a batch; :meth:`blocks` gives the samples."""
        if self._ended:
            self.quality.late += len(batch.packets)
            return
        begin = 0
        packets, sources = batch.packets, batch.sources
        for index, lost in sorted(batch.lost):
            if lost <= 0:
                continue
            end = min(max(index, begin), len(packets))
            if end > begin:
                self._sort(packets[begin:end], sources[begin:end])
                self._decode_streams()
            begin = end
            self._note_lost(lost)
        self._sort(packets[begin:] if begin else packets, sources[begin:])
        self._decode_streams()

    def blocks(self, t_ns: int) -> list[SampleBlock]:
        """What was decoded since the last call, one block per raster that has any.

        Args:
            t_ns: host time at which the newest of it arrived.
        """
        return [b for b in (self._block(s, t_ns) for s in self._streams) if b is not None]

    def note_overload(self) -> None:
        """The slave says that it has lost samples, not of which list (EV_DAQ_OVERLOAD).

        Rasters whose timestamps should be evenly spaced are marked where they are not; of the
        others nobody knows, so they are marked before their next row. A DTO counter knows better than
        both.
        """
        self.quality.overloads += 1
        if self._format.dto_ctr:
            return
        for stream in self._streams:
            if stream.stopped_ns is not None:
                continue
            if self._is_even(stream):
                stream.doubt = DOUBTFUL_BLOCKS
            else:
                stream.blame(0, 0, "overload")

    def pause(self, raster: int) -> None:
        """A list was told to stop: what it does not send is no loss, until :meth:`go_on`.

        Rows that are on their way are still taken.

        Args:
            raster: index.
        """
        newest = max((stream.last_ns or 0 for stream in self._streams), default=0)
        self._streams[raster].stopped_ns = newest

    def go_on(self, raster: int) -> None:
        """A paused list is about to start again; its counters begin anew.

        Args:
            raster: index.
        """
        stream = self._streams[raster]
        if stream.stopped_ns is None:
            return
        gaps = self._starved(stream, stream.stopped_ns)
        self._note_gaps(stream, gaps)
        stream.opened = tuple(gaps)
        stream.doubt, stream.overload_until_ns = 0, None
        stream.counter = stream.stamp_ns = stream.stopped_ns = None
        stream.trouble = {}  # behind its last row, where nothing was due

    def finish(self) -> Quality:
        """End the measurement: an unfinished cycle counts as incomplete, what follows as late.

        What is missing behind the last rows is in :attr:`ends`.
        """
        if not self._ended:
            end_ns = max((stream.last_ns or 0 for stream in self._streams), default=0)
            ends: list[SampleBlock] = []
            for stream in self._streams:
                if stream.packets:
                    self.quality.incomplete += 1
                    stream.packets.clear()
                if stream.stopped_ns is None:
                    gaps = [*self._open_end(stream), *self._starved(stream, end_ns)]
                else:
                    gaps = self._starved(stream, stream.stopped_ns)
                raster = stream.raster
                if gaps:
                    self._note_gaps(stream, gaps)
                if gaps or stream.opened:
                    times, rows = np.zeros(0, np.int64), np.zeros(0, raster.dtype)
                    ends.append(SampleBlock(raster.index, times, rows, (*stream.opened, *gaps)))
            self.ends = tuple(ends)
        self._ended = True
        return self.quality

    def _starved(self, stream: _Stream, end_ns: int) -> list[Gap]:
        """Blame an overload, or DTOs of no list, for the rows that a raster lacks behind its last one.

        Args:
            stream: of the raster.
            end_ns: when the last row of any raster was taken.
        """
        set_ns = stream.raster.set_cycle_ns
        if not set_ns or not self._is_even(stream):
            return []
        at = stream.last_ns or 0
        sets = int((end_ns - at) / set_ns - 0.5)  # half a period late is no loss yet
        told = stream.doubt or (self._told_ns is not None and at < self._told_ns <= end_ns)
        if sets <= 0 or not (told or sets <= self._strays - stream.strays[0]):
            return []
        lost = sets * stream.raster.samples_per_set
        self.quality.lost_samples += lost
        return [Gap(0, at, end_ns, lost, "overload" if told else "unknown")]

    def _open_end(self, stream: _Stream) -> list[Gap]:
        """A loss behind the last row that no later one tells the length of."""
        at = stream.last_ns or 0
        gaps = [Gap(0, at, at, one.lost, one.reason) for one in stream.trouble.values()]
        stream.trouble = {}
        return gaps

    def _note_gaps(self, stream: _Stream, gaps: Sequence[Gap]) -> None:
        name = stream.raster.name
        for gap in gaps:
            record = GapRecord(name, gap.t_from_ns, gap.t_to_ns, gap.lost, gap.reason)
            self.quality.note_gap(record)

    def _sort(self, packets: Sequence[bytes], sources: Sequence[int] = ()) -> None:
        """Hand each packet to its stream; the one loop over every DTO."""
        get = self._inbox.__getitem__
        kind = self._format.identification_field
        if self._format.pid_off:
            self._sort_by_source(packets, sources)
            return
        try:
            if kind == 0:
                for packet in packets:
                    get(packet[0])(packet)
            elif kind == 1:
                for packet in packets:
                    get(packet[1])(packet)
            else:
                low, high = self._key
                for packet in packets:
                    get(packet[low] | packet[high] << 8)(packet)
        except IndexError:
            self._sort_with_care(packets)
            return
        if self._inbox.unknown:
            self._count_unknown()

    def _sort_by_source(self, packets: Sequence[bytes], sources: Sequence[int]) -> None:
        alone = self._streams[0] if len(self._streams) == 1 else None
        if alone is not None and (not sources or alone.raster.transport_id is None):
            alone.packets.extend(packets)
            return
        if len(sources) != len(packets):
            raise UsageError(
                "PID_OFF: the transport does not tell the identifiers of the packets.",
                hint="Use a transport that does (CAN), or switch PID_OFF off.",
            )
        for packet, source in zip(packets, sources, strict=True):
            if source in self._inbox:
                self._inbox[source](packet)
            else:
                self.quality.note_unknown(source)

    def _sort_with_care(self, packets: Sequence[bytes]) -> None:
        """As _sort, where some packets are shorter than their identification field."""
        shortest = self._format.header_size
        whole = [packet for packet in packets if len(packet) >= shortest]
        done = next(i for i, packet in enumerate(packets) if len(packet) < shortest)
        self.quality.malformed += len(packets) - len(whole)
        self._sort(whole[done:])

    def _count_unknown(self) -> None:
        unknown = self._inbox.unknown
        low, high = self._key
        for packet in unknown:
            kind = self._format.identification_field
            key = packet[low] if kind < 2 else int.from_bytes(packet[low : high + 1], self._order)
            self._note_stray(key)
        unknown.clear()

    def _note_stray(self, key: int) -> None:
        """A DTO of no planned list; unless its like comes all the time, a row of one may be missing."""
        self.quality.note_unknown(key)
        self._strays += self.quality.unknown_keys.get(key, 0) <= STRAYS

    def _note_lost(self, lost: int) -> None:
        """A gap of the transport counter: nobody knows whose messages are missing."""
        self.quality.lost_messages += lost
        for stream in self._streams:
            stream.blame(stream.row_count, lost, "counter")
            if stream.packets:
                stream.pending_lost += lost
                if stream.pending_lost >= len(stream.planned):
                    # the end of this cycle and the beginning of a later one may be missing
                    self._drop(stream)
                    stream.skipping = True

    def _drop(self, stream: _Stream) -> None:
        self.quality.incomplete += 1
        stream.packets.clear()
        stream.pending_lost = 0

    # -------------------------------------------------------------------------------- decoding

    def _decode_streams(self) -> None:
        for stream in self._streams:
            if stream.packets:
                self._decode(stream)

    def _decode(self, stream: _Stream) -> None:
        packets, count = stream.packets, len(stream.planned)
        whole = len(packets) - len(packets) % count
        rest = packets[whole:]
        if stream.skipping or not (self._in_order(stream, rest) and self._regular(stream, whole)):
            self._decode_irregular(stream)
            return
        if whole:
            stream.pending_lost = 0
            packets[:] = rest

    def _regular(self, stream: _Stream, whole: int) -> bool:
        """Decode packets that are complete cycles; False, and nothing done, if they are not."""
        if not whole:
            return True
        packets = stream.packets if whole == len(stream.packets) else stream.packets[:whole]
        count = len(stream.planned)
        sizes = list(map(len, packets))
        if sizes != stream.lengths * (whole // count):
            seen = sizes[:count]
            longer = all(s >= p for s, p in zip(seen, stream.planned, strict=True))
            if not longer or sizes != seen * (whole // count):
                return False
            stream.lengths = seen
        cycle = np.frombuffer(b"".join(packets), np.uint8).reshape(whole // count, -1)
        return self._take(stream, cycle, stream.lengths)

    def _take(self, stream: _Stream, cycles: NDArray[np.uint8], lengths: list[int]) -> bool:
        """Rows of complete cycles, uint8[n, sum(lengths)]; False if an ODT number is wrong."""
        layout = stream.layout
        if layout is None or layout.lengths != lengths:
            layout = stream.layout = _Layout.of(stream, lengths)
        overload: NDArray[Any] | None = None
        if not self._format.pid_off:
            heads = cycles[:, layout.heads]
            if ((heads & np.uint8(self._mask)) != layout.expected).any():
                return False
            if self._mask == 0x7F:
                overload = np.bitwise_or.reduce(heads, axis=1) & np.uint8(0x80)
        rows = layout.gather(cycles)
        if overload is not None and overload.any():
            self._mark_overloads(stream, np.flatnonzero(overload).tolist())
        if self._format.dto_ctr:
            self._check_counter(stream, cycles[:, self._counter_offset()])
        stream.parts.append((self._ticks(cycles, stream), rows))
        stream.row_count += len(cycles)
        return True

    def _ticks(self, cycles: NDArray[np.uint8], stream: _Stream) -> NDArray[Any]:
        size = self._format.timestamp_size
        if not size:
            return np.zeros(len(cycles), np.uint8)
        end = stream.offsets[0]
        return np.ascontiguousarray(cycles[:, end - size : end]).view(self._tick_dtype)[:, 0]

    def _counter_offset(self) -> int:
        head = self._format
        return 1 if head.identification_field == 3 and not head.pid_off else head.header_size

    def _mark_overloads(self, stream: _Stream, rows: list[int]) -> None:
        self.quality.overloads += len(rows)
        stream.marked = stream.row_count + rows[-1]
        for row in rows:
            stream.blame(stream.row_count + row, 0, "overload")

    def _check_counter(self, stream: _Stream, counters: NDArray[np.uint8]) -> None:
        """Note where the DTO counter leaves out events; what that means is told with the times."""
        events = _events(stream.raster)
        before = int(counters[0]) - events if stream.counter is None else stream.counter
        counts: NDArray[np.int64] = np.array([before, *counters.tolist()], np.int64)
        missing = (counts[1:] - counts[:-1] - events) % EVENT_MODULUS
        for row in np.flatnonzero(missing).tolist():
            stream.skipped[stream.row_count + row] = int(missing[row])
        stream.counter = int(counters[-1])

    def _count_skipped(self, stream: _Stream, stamps: NDArray[np.int64]) -> None:
        """Losses by the DTO counter, which counts events and not samples (XCP Base, DTO, 1.3).

        Samples whose messages the transport's counter missed at that place are counted already.
        """
        skipped = stream.skipped
        if self._is_even(stream):
            self._add_rounds(stream, stamps)
        events, samples = _events(stream.raster), stream.raster.samples_per_set
        for place, missing in sorted(skipped.items()):
            lost = max(1, missing // events) * samples
            known = stream.trouble.get(place)
            if known is None or known.reason != "counter":
                stream.trouble[place] = _Trouble(lost, "sequence")
            else:
                lost = max(lost - known.lost * samples, 0)
                known.lost += lost
            self.quality.lost_samples += lost
        skipped.clear()

    def _add_rounds(self, stream: _Stream, stamps: NDArray[np.int64]) -> None:
        """Rounds of the DTO counter that only the timestamps tell of.

        Believed of a raster that was seen to keep its period, and where counter and time agree: an
        event that paused has lost nothing.
        """
        period = stream.raster.set_cycle_ns
        assert period is not None, "the caller has looked"
        events = _events(stream.raster)
        first = stamps[0] if stream.stamp_ns is None else stream.stamp_ns
        stream.stamp_ns = int(stamps[-1])
        steps = np.diff(stamps, prepend=first)
        if stream.paced < PACE_STEPS:
            ordinary = steps[np.abs(steps - period) * 4 < period]
            stream.paced += len(ordinary)
            stream.paced_ns += int(ordinary.sum())
        if not stream.paced:
            return
        per_event = stream.paced_ns / stream.paced / events
        for row in np.flatnonzero(steps > per_event * EVENT_MODULUS // 2).tolist():
            by_time = round(int(steps[row]) / per_event) - events
            missing = stream.skipped.get(row, 0)
            missing += round((by_time - missing) / EVENT_MODULUS) * EVENT_MODULUS
            if missing > 0 and abs(missing - by_time) <= UNSURE_EVENTS:
                stream.skipped[row] = missing

    # ------------------------------------------------------------------------- irregular input

    def _in_order(self, stream: _Stream, rest: Sequence[bytes]) -> bool:
        """Whether the beginning of a cycle is one."""
        return all(
            self._odt(stream, packet) == odt and len(packet) >= stream.planned[odt]
            for odt, packet in enumerate(rest)
        )

    def _odt(self, stream: _Stream, packet: bytes) -> int:
        if self._format.pid_off:
            return 0
        return (packet[0] & self._mask) - stream.first_pid

    def _decode_irregular(self, stream: _Stream) -> None:
        """Keep the complete cycles, count and mark the others, packet by packet."""
        planned, last = stream.planned, len(stream.planned)
        cycle: list[bytes] = []
        good: list[bytes] = []
        row = stream.row_count
        for packet in stream.packets:
            odt = self._odt(stream, packet)
            usable = 0 <= odt < last and len(packet) >= planned[odt]
            self.quality.malformed += not usable
            if usable and odt == len(cycle) and not (stream.skipping and odt):
                stream.skipping = False
                cycle.append(packet[: planned[odt]])
                if len(cycle) == last:
                    good += cycle
                    cycle = []
                    row += 1
                    stream.pending_lost = 0
                continue
            if cycle or not stream.skipping:
                self.quality.incomplete += 1
                stream.blame(row, stream.raster.samples_per_set, "sequence")
            restart = usable and odt == 0
            cycle = [packet[: planned[0]]] if restart else []
            stream.skipping = not restart
            stream.pending_lost = 0
        if good:
            joined = np.frombuffer(b"".join(good), np.uint8).reshape(row - stream.row_count, -1)
            taken = self._take(stream, joined, planned)
            assert taken, "the loop above has checked every ODT number"
        stream.packets[:] = cycle

    # ----------------------------------------------------------------------------------- blocks

    def _block(self, stream: _Stream, t_ns: int) -> SampleBlock | None:
        if not stream.parts:
            return None
        if len(stream.parts) == 1:
            ticks, rows = stream.parts[0]
        else:
            ticks = np.concatenate([part[0] for part in stream.parts])
            rows = np.concatenate([part[1] for part in stream.parts])
        index = stream.raster.index
        times = self._times(stream, ticks, t_ns)
        self.quality.backward = self.timeline.backward
        self.quality.samples += len(times)
        until_ns = stream.overload_until_ns
        if stream.doubt or (until_ns is not None and times[0] < until_ns):
            stream.doubt = max(stream.doubt - 1, 0)
            self._search(stream, times)
        self._search_strays(stream, times)
        gaps = self._gaps(stream, times)
        if stream.marked is not None:
            told_ns = int(times[stream.marked * stream.raster.samples_per_set])
            self._told_ns = max(self._told_ns or 0, told_ns)
            stream.marked = None
        stream.parts.clear()
        stream.row_count = 0
        stream.last_ns = int(times[-1])
        # ndarray() instead of rows.view(): the latter looks at every field of the dtype
        shaped: NDArray[Any] = np.ndarray((len(rows),), stream.raster.dtype, buffer=rows)
        return SampleBlock(index, times, shaped, gaps)

    def _times(self, stream: _Stream, ticks: NDArray[Any], t_ns: int) -> NDArray[np.int64]:
        """Time of every row; samples of a packed set lie between its timestamp and a neighbour's."""
        raster = stream.raster
        stamps = self.timeline.place(raster.index, ticks, t_ns)
        if self._format.dto_ctr:
            self._count_skipped(stream, stamps)
        for row in self.timeline.marks:
            stream.blame(row, 0, "clock")
        if raster.packed is None:
            return stamps
        samples = raster.samples_per_set
        stream.trouble = {cycle * samples: what for cycle, what in stream.trouble.items()}
        stamped = self._format.timestamp_size > 0
        return spread_times(stamps, raster, stream.last_ns, stamped=stamped)

    def _is_even(self, stream: _Stream) -> bool:
        """True when timestamps of the slave are one known period apart."""
        return bool(self._format.timestamp_size and stream.raster.cycle_ns)

    def _missing(self, stream: _Stream, step_ns: int) -> int:
        """Samples that a step of the time axis leaves out, 0 when the raster cannot tell."""
        cycle_ns = stream.raster.cycle_ns
        if not cycle_ns or not self._is_even(stream):
            return 0
        return max((step_ns + cycle_ns // 2) // cycle_ns - 1, 0)

    def _search(self, stream: _Stream, times: NDArray[np.int64]) -> None:
        """Blame an overload for every step that leaves out a sample."""
        rows, _ = self._leaps(stream, times)
        for row in rows:
            stream.blame(row, 0, "overload")
        period = stream.raster.cycle_ns or 0
        if rows:
            lasts_ns = max(OVERLOAD_NS, OVERLOAD_PERIODS * period)
            stream.overload_until_ns = int(times[rows[-1]]) + lasts_ns

    def _search_strays(self, stream: _Stream, times: NDArray[np.int64]) -> None:
        """Blame DTOs of no planned list for steps that leave out no more samples than so many have.

        They may have been of this list and come with a wrong number. Other rasters cannot tell whether
        one of theirs is missing, let alone where, so they are not marked. A DTO counter tells by itself.
        """
        used, before = stream.strays
        stream.strays = (before, self._strays)
        if used == self._strays or self._format.dto_ctr or not self._is_even(stream):
            return
        for row, step_ns in zip(*self._leaps(stream, times), strict=True):
            sets = -(-self._missing(stream, step_ns) // stream.raster.samples_per_set)
            if row not in stream.trouble and sets <= self._strays - used:
                used += sets
                stream.blame(row, 0, "unknown")
        stream.strays = (max(before, used), self._strays)

    def _leaps(self, stream: _Stream, times: NDArray[np.int64]) -> tuple[list[int], list[int]]:
        """Rows in front of which an even raster leaves out a sample, and the steps in ns."""
        before = times[0] if stream.last_ns is None else stream.last_ns
        steps = np.diff(times, prepend=before)
        rows = np.flatnonzero(steps * 2 > 3 * (stream.raster.cycle_ns or 0))
        return rows.tolist(), steps[rows].tolist()

    def _gaps(self, stream: _Stream, times: NDArray[np.int64]) -> tuple[Gap, ...]:
        """Gaps of the block; one behind its last row stays for the next block."""
        gaps: list[Gap] = []
        opened, stream.opened = stream.opened, ()
        carried: dict[int, _Trouble] = {}
        for row, trouble in sorted(stream.trouble.items()):
            if row >= len(times):
                carried[0] = trouble
                continue
            to = int(times[row])
            before = int(times[row - 1]) if row else stream.last_ns
            lost = trouble.lost
            if trouble.reason in _BY_TIME and before is not None:
                lost = self._missing(stream, to - before)
                self.quality.lost_samples += lost
            gap = Gap(row, to if before is None else before, to, lost, trouble.reason)
            gaps.append(gap)
        self._note_gaps(stream, gaps)
        stream.trouble = carried
        return (*opened, *gaps)


def _events(raster: Raster) -> int:
    """Events between two sets of DTOs."""
    return raster.prescaler * raster.samples_per_set * (2 if raster.alternating else 1)


def _key_slice(head: DtoFormat) -> tuple[int, int]:
    """Positions of the first and last identifying byte."""
    return ((0, 0), (1, 1), (1, 2), (2, 3))[head.identification_field]
