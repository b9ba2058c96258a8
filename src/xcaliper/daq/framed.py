"""Bytes as received → sample blocks, without a Python object per message.

Two tiers give what :class:`DaqDecoder` gives for the packets in the same bytes. The compiled one
(``kernels.drain``) writes rows into storage. The numpy one compares whole samples with a template
and hands everything that differs to the packet path, which it therefore never has to imitate.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.core.frames import DtoBatch
from xcaliper.daq.decode import DaqDecoder
from xcaliper.daq.kernels import (
    EMPTIED,
    JOINED,
    JOINS,
    LARGEST,
    RECENT,
    SLACK,
    TIMESPEC,
    UNTIL,
    Conf,
    Field,
    Log,
    Odt,
    State,
    Stop,
)
from xcaliper.daq.ready_blocks import ReadyBlocks
from xcaliper.daq.storage import StoragePool, move_row
from xcaliper.daq.template import FILL_AT, LEAST_BYTES, Templates, datagram_borders
from xcaliper.xcp.codes import EventCode
from xcaliper.xcp.framing.eth import HEADER_SIZE, StreamReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from xcaliper.core.samples import SampleBlock
    from xcaliper.daq.decode import _Stream
    from xcaliper.daq.plan import DaqPlan
    from xcaliper.daq.timeline import ClockReading
    from xcaliper.xcp.framing.eth import DatagramReader

__all__ = ["BUFFER_BYTES", "FramedDecoder", "is_suitable"]

#: Bytes that may be received before anything is decoded.
BUFFER_BYTES: Final = 2 << 20
_SERV: Final = 0xFC
_OVERLOAD: Final = bytes((0xFD, EventCode.EV_DAQ_OVERLOAD))
_LOG_ENTRIES: Final = 4096
#: Blocks are handed out about so often, so that whoever takes them has little to do.
PERIOD_NS: Final = 20_000_000
#: Counters that wrap sooner are placed as they come.
_SLOW_WRAP_NS: Final = 1_000_000_000
STORAGE_BYTES: Final = 1 << 20
#: How often the templates are tried on what one drain brought; in between go single datagrams.
_ATTEMPTS: Final = 8
_QUICKLY_NS: Final = 100_000_000
#: A time to leave that has passed.
_OVER: Final = 1


def is_suitable(plan: DaqPlan) -> bool:
    """True when every sample of the plan is a row of DTOs that tell their list."""
    packed = any(getattr(raster, "packed", None) for raster in plan.rasters)
    return bool(plan.rasters) and not plan.dto_format.pid_off and not packed


class FramedDecoder(DaqDecoder):
    """Decodes messages of Ethernet (LEN, CTR, packet, fill) as they are received.

    One thread at a time feeds it; another may take the blocks that are ready.

    Args:
        plan: what was set up; see :func:`is_suitable`.
        first_pids: as for DaqDecoder.
        start: as for DaqDecoder.
        kernel: gives the compiled ``kernels.drain`` as soon as there is one.
        resident: gives the compiled ``kernels.reside`` likewise.
        control: int64[n], belongs to the kernel's receive.
        period_ns: time between blocks of a raster; 0 = after every feed.
        storage_bytes: of the first storage of the compiled tier; it grows when it is full soon.

    Attributes:
        control: as given.
        daq_received: DAQ packets so far.

    Raises:
        UsageError: the plan is not suitable, or a FIRST_PID is missing.
    """

    def __init__(  # noqa: PLR0913  # options by name
        self,
        plan: DaqPlan,
        first_pids: Mapping[int, int] | None = None,
        start: ClockReading | None = None,
        *,
        kernel: Callable[[], Callable[..., int] | None] = lambda: None,
        resident: Callable[[], Callable[..., int] | None] = lambda: None,
        control: NDArray[np.int64] | None = None,
        period_ns: int = PERIOD_NS,
        storage_bytes: int = STORAGE_BYTES,
    ) -> None:
        super().__init__(plan, first_pids, start)
        if not is_suitable(plan):
            raise UsageError("plan: its packets do not tell their list.", hint="Use DaqDecoder.")
        self.daq_received = 0
        slow = plan.clock is not None and plan.clock.modulus * plan.clock.tick_ns > _SLOW_WRAP_NS
        self._period_ns = period_ns if slow else 0
        self._storage_bytes = storage_bytes
        self._kernel_now, self._resident_now = kernel, resident
        self._kernel: Callable[..., int] | None = None
        self.control = np.zeros(40, np.int64) if control is None else control
        self._buffer = np.zeros(BUFFER_BYTES + LARGEST + SLACK, np.uint8)
        self._view = memoryview(self._buffer.data)[: BUFFER_BYTES + LARGEST]
        self._end = self._skip = 0
        self._given = 0
        self._owed = 0
        self._reader: DatagramReader | StreamReader | None = None
        self._ready = ReadyBlocks()
        self._published_ns = self._data_ns = 0
        self._fresh = False
        self._templates = Templates(plan, self._streams)

    # ----------------------------------------------------------------------------- life

    def attach(self, reader: DatagramReader | StreamReader, *, now_ns: int = 0) -> None:
        """Begin: the reader's counter, and what it still holds of a stream, is where to go on.

        Between feeds the reader is always up to date, so it may go on at any time.
        """
        self._reader = reader
        reader.take_owed()  # before the beginning
        self._published_ns = now_ns

    @property
    def tier(self) -> str:
        """``compiled`` or ``numpy``."""
        return "numpy" if self._kernel is None else "compiled"

    def take_ready(self) -> list[SampleBlock]:
        """Blocks that are due, oldest first."""
        return self._ready.take()

    @property
    def dropped(self) -> int:
        """Rows that were dropped, because nobody took the blocks; marked as a gap."""
        return self._ready.dropped

    @property
    def is_patient(self) -> bool:
        """True when times do not depend on how soon the bytes are decoded."""
        return self._period_ns > 0

    @property
    def can_stay(self) -> bool:
        """True when :meth:`drain` can go on until a given time: samples are placed by timestamps."""
        return self.is_patient and self._kernel is not None and self._resident_now() is not None

    @property
    def is_ready(self) -> bool:
        """True when there are blocks to take."""
        return bool(self._ready)

    def publish(self, now_ns: int, *, at_once: bool = False) -> None:
        """Make blocks of what was decoded when it is time."""
        if not self._fresh or not (at_once or now_ns - self._published_ns >= self._period_ns):
            return
        self._published_ns, self._fresh = now_ns, False
        self._gather()
        self._ready.put(self.blocks(self._data_ns))

    def detach(self, now_ns: int) -> None:
        """End: whatever was decoded becomes ready; the reader is up to date."""
        self.publish(now_ns, at_once=True)
        if self._kernel is not None:
            self._return_streams()
        if self._owed:
            self._put_gap()
        self._reader = None

    # -------------------------------------------------------------------------- feeding

    def room(self) -> memoryview:
        """Where received bytes go, behind what a stream has left over.

        Raises:
            FramingError: the stream is broken.
        """
        rest = b""
        reader = self._reader
        if isinstance(reader, StreamReader):
            rest, self._skip = reader.lend()
            self._view[: len(rest)] = rest
        self._end = len(rest)
        return self._view[self._end :]

    def feed_bytes(self, data: bytes, t_ns: int) -> list[bytes]:
        """Take one datagram or piece of a stream; gives the packets that are not DAQ, in order.

        Raises:
            FramingError: the stream is broken.
        """
        others: list[bytes] = []
        for at in range(0, max(len(data), 1), BUFFER_BYTES):
            piece = data[at : at + BUFFER_BYTES]
            self.room()[: len(piece)] = piece
            others += self.decode([(len(piece), 0)], t_ns)
        return others

    def decode(self, received: Sequence[tuple[int, int]], t_ns: int) -> list[bytes]:
        """Take bytes that were written to :meth:`room`; gives the packets that are not DAQ.

        Args:
            received: bytes of each receive, and of each datagram where several were joined, else 0.
            t_ns: host time.

        Raises:
            FramingError: the stream is broken.
        """
        if self._kernel is None and not self._adopt():
            return self._decode_with_numpy(received, t_ns)
        if isinstance(self._reader, StreamReader):
            received = [(sum(size for size, _ in received), 0)]
        others: list[bytes] = []
        begin = self._end
        for size, segment in received:
            self._open(begin, begin + size, segment or size)
            begin += size
            self._run(-1, 0, t_ns, others)
        self._close(t_ns)
        return others

    def drain(
        self, descriptor: int, limit: int, t_ns: int, *, joined: bool = False, until_ns: int = 0
    ) -> tuple[int, bool, list[bytes]] | None:
        """Receive without blocking until nothing waits, and decode, all in compiled code.

        Args:
            descriptor: of the socket.
            limit: bytes after which to stop.
            t_ns: host time.
            joined: whether the system may have joined datagrams.
            until_ns: monotonic time until which to go on, if :attr:`can_stay`; 0 = not at all. Then
                the limit is what is received between two looks at whether to leave.

        Returns:
            Bytes received, whether the peer has closed the stream, and the packets that are not
            DAQ; None when there is no compiled code, or not yet.

        Raises:
            FramingError: the stream is broken.
        """
        if self._kernel is None and not self._adopt():
            return None
        self.room()
        self._open(self._end, self._end, 0)
        self.control[JOINED] = joined
        self.control[JOINS] = self.control[EMPTIED] = 0
        self.control[UNTIL] = until_ns
        others: list[bytes] = []
        size = self._run(descriptor, limit, t_ns, others)
        ended = bool(self._state[State.ENDED])
        self._close(self._latest(t_ns))
        self.control[UNTIL] = 0
        return size, ended, others

    @property
    def receives(self) -> tuple[int, bool]:
        """Receives of the latest :meth:`drain` that brought joined datagrams, and whether none waited then."""
        return int(self.control[JOINS]), bool(self.control[EMPTIED])

    # -------------------------------------------------------------------- compiled tier

    def _adopt(self) -> bool:
        """Change over to the compiled tier when it has become available."""
        kernel = self._kernel_now()
        reader = self._reader
        if kernel is None or reader is None:
            return False
        self.publish(self._data_ns, at_once=True)
        self._kernel = kernel
        head = self._format
        self._conf = np.zeros(len(Conf), np.int64)
        for column, value in (
            (Conf.KIND, head.identification_field),
            (Conf.MASK, self._mask),
            (Conf.HEADER, head.header_size),
            (Conf.TIMESTAMP, head.timestamp_size),
            (Conf.TIMESTAMP_AT, head.first_header_size - head.timestamp_size),
            (Conf.BIG, self._order == "big"),
            (Conf.COUNTER_AT, self._counter_offset() if head.dto_ctr else -1),
            (Conf.ALIGNMENT, reader.alignment),
            (Conf.MAX_PACKET, reader.max_packet),
            (Conf.STREAM, isinstance(reader, StreamReader)),
            (Conf.ID_MASK, (0xFF, 0xFFFF, 0xFFFFFF, 0xFFFF00FF)[head.identification_field]),
        ):
            self._conf[column] = value
        count = len(self._streams)
        self._state = np.zeros(len(State), np.int64)
        self._state[State.SEGMENT_END] = -1
        self._state[State.RUN : State.RUN_EXPECTED + 1] = reader.late_run
        self._table = np.full(256 if head.identification_field < 2 else 65536, -1, np.int32)
        self._lists = np.zeros((count, len(Field)), np.int64)
        self._begins = [0] * count
        self._log = np.zeros((_LOG_ENTRIES + 2 * count, 4), np.int64)
        self._recent = np.zeros((RECENT, 2), np.int64)
        self._remembered = 0
        self._fill_tables()
        self._pool = StoragePool.for_rasters(self.plan.rasters, self._storage_bytes)
        self._storage = self._pool.next(self._lists)
        self._storage_ns = self._data_ns
        for which, stream in enumerate(self._streams):
            self._adopt_stream(which, stream)
        return True

    def _fill_tables(self) -> None:
        odts: list[tuple[int, int, int, int]] = []
        for which, stream in enumerate(self._streams):
            for key in self._keys(stream):
                self._table[key] = which
            one = self._lists[which]
            one[Field.FIRST_PID] = stream.first_pid
            one[Field.ODTS] = len(stream.planned)
            one[Field.ODT_BASE] = len(odts)
            one[Field.ROW_SIZE] = stream.raster.dtype.itemsize
            at = 0
            for planned, offset, size in zip(
                stream.planned, stream.offsets, stream.raster.odt_sizes, strict=True
            ):
                odts.append((planned, offset, size, at))
                at += size
        self._odts = np.array(odts, np.int64).reshape(-1, len(Odt))

    def _adopt_stream(self, which: int, stream: _Stream) -> None:
        """Take the beginning of a cycle over that the packet path holds."""
        one = self._lists[which]
        one[Field.SKIPPING], one[Field.PENDING] = stream.skipping, stream.pending_lost
        one[Field.ODT] = len(stream.packets)
        base, row_at = int(one[Field.ODT_BASE]), int(one[Field.ROWS_AT])
        for odt, packet in enumerate(stream.packets):
            _, offset, size, at = self._odts[base + odt].tolist()
            data = np.frombuffer(packet, np.uint8)
            self._storage.rows[row_at + at : row_at + at + size] = data[offset : offset + size]
            if self._mask == 0x7F:
                one[Field.OVERLOAD] |= packet[0] & 0x80
        if stream.packets:
            first, size, end = stream.packets[0], self._format.timestamp_size, stream.offsets[0]
            ticks = int.from_bytes(first[end - size : end], self._order)
            self._storage.ticks[one[Field.TICKS_AT]] = ticks
            if self._format.dto_ctr:
                counter = first[self._counter_offset()]
                self._storage.rows[one[Field.COUNTERS_AT]] = counter
        stream.packets.clear()
        stream.pending_lost, stream.skipping = 0, False

    def _return_streams(self) -> None:
        """An unfinished cycle is one for the packet path, too."""
        for which, stream in enumerate(self._streams):
            odt = int(self._lists[which, Field.ODT])
            stream.packets[:] = [b""] * odt  # only their number counts at the end
            stream.pending_lost = int(self._lists[which, Field.PENDING])
            self._lists[which, Field.ODT] = 0

    def _open(self, begin: int, end: int, segment: int) -> None:
        """Say where the bytes are that nobody has looked at."""
        state, reader = self._state, self._reader
        assert reader is not None, "attached before it is fed"
        if isinstance(reader, StreamReader):
            begin = self._skip
        state[State.AT], state[State.END], state[State.SEGMENT] = begin, end, segment
        state[State.EXPECTED] = reader.expected
        state[State.GAP] = self._owed

    def _run(self, descriptor: int, limit: int, t_ns: int, others: list[bytes]) -> int:
        """Let the kernel go on until it is done; gives the bytes it has received."""
        kernel = self._resident_now() if self.control[UNTIL] else self._kernel
        assert kernel is not None, "asked for before"
        state, storage = self._state, self._storage
        most = self._buffer.nbytes + len(self._log)
        gaps: list[tuple[int, bool]] = []
        for _ in range(most):
            why = kernel(
                descriptor, limit, self.control, self._buffer, self._conf, state, self._table,
                self._lists, self._odts, storage.rows, storage.ticks, self._log, self._recent,
            )  # fmt: skip
            if state[State.LOG]:
                self._replay(others, gaps)
            if why == Stop.DONE:
                break
            if why == Stop.ROWS_FULL:
                self._data_ns = self._latest(t_ns)
                self._change_storage(self._data_ns)
                storage = self._storage
                if self.control[UNTIL]:  # the stay is over: what is published once costs once
                    self.control[UNTIL] = _OVER
            elif why == Stop.SUSPECT:
                self._judge()
        size = int(state[State.TAKEN])
        self._settle(self._latest(t_ns), gaps)
        return size

    def _latest(self, t_ns: int) -> int:
        """The host's time when the kernel last looked at it in a stay; else the one given."""
        if not self.control[UNTIL] or len(self.control) <= TIMESPEC + 1:
            return t_ns
        seconds, rest = self.control[TIMESPEC : TIMESPEC + 2].tolist()
        return max(t_ns, int(seconds) * 1_000_000_000 + int(rest))

    def _settle(self, t_ns: int, gaps: list[tuple[int, bool]]) -> None:
        """Bring reader and quality up to date."""
        state, reader, quality = self._state, self._reader, self.quality
        assert reader is not None, "attached before it is fed"
        values = state.tolist()
        if values[State.SEEN]:
            lost, late = values[State.LOST], values[State.LATE]
            reader.settle(values[State.EXPECTED], t_ns, lost=lost, late=late, gaps=gaps)
        counts = reader.counts
        self._given = values[State.MESSAGES]
        counts.messages += self._given
        counts.empty += values[State.EMPTY]
        counts.malformed += values[State.MALFORMED]
        if values[State.DAQ]:
            self.daq_received += values[State.DAQ]
            self._fresh, self._data_ns = True, t_ns
            quality.lost_messages += values[State.LOST_DAQ]
            quality.malformed += values[State.SHORT]
            quality.incomplete += values[State.INCOMPLETE]
        self._owed = values[State.GAP]
        state[State.LOST :] = 0
        state[State.SEEN] = 0

    def _close(self, t_ns: int) -> None:
        """Give the reader what is left over, and remember the latest datagrams."""
        reader = self._reader
        if isinstance(reader, StreamReader):
            at, end = int(self._state[State.AT]), int(self._state[State.END])
            rest = self._view[min(at, end) : end].tobytes()
            reader.put_back(rest, max(at - end, 0), calm=self._given > 0)
        else:
            self._remember()
            self._state[State.RECENT] = self._state[State.LAP] = self._remembered = 0
        self.publish(t_ns)

    def _remember(self) -> None:
        """Hand the latest datagrams to the reader, who knows copies by them."""
        reader = self._reader
        assert not isinstance(reader, StreamReader | None), "datagrams only"
        count, lap = int(self._state[State.RECENT]), int(self._state[State.LAP])
        written = int(self._state[State.END])
        for number in range(max(count - RECENT, self._remembered), count):
            begin, end = self._recent[number % RECENT].tolist()
            if number < lap and begin < written:
                continue  # overwritten since
            reader.remember(self._view[begin:end].tobytes())
        self._remembered = count

    def _judge(self) -> None:
        """Skip the datagram if it is a copy of an earlier one."""
        self._remember()
        reader, state = self._reader, self._state
        assert not isinstance(reader, StreamReader | None), "datagrams only"
        begin = int(state[State.AT])
        end = min(begin + int(state[State.SEGMENT]), int(state[State.END]))
        if reader.is_copy(self._view[begin:end].tobytes()):
            state[State.AT] = end
        else:
            state[State.TRUSTED] = 1

    def _replay(self, others: list[bytes], gaps: list[tuple[int, bool]]) -> None:
        """Act on what the kernel noted."""
        for kind, first, second, third in self._log[: self._state[State.LOG]].tolist():
            if kind == Log.OTHER:
                self._admit_other(first, second, third, others)
            elif kind == Log.GAP:
                gaps.append((first, bool(second)))
            elif kind == Log.UNKNOWN:
                self._note_unknown(first)
            else:
                stream, row = self._streams[first], second - self._begins[first]
                if kind == Log.BLAME:
                    stream.blame(row, third, "counter")
                elif kind == Log.SEQUENCE:
                    stream.blame(row, third, "sequence")
                else:
                    self.quality.overloads += 1
                    stream.marked = row
                    stream.blame(row, 0, "overload")
        self._state[State.LOG] = self._state[State.HELD] = 0

    def _admit_other(self, at: int, size: int, behind: int, others: list[bytes]) -> None:
        """Hand a packet on unless it is an answer that later ones have overtaken."""
        reader = self._reader
        assert reader is not None, "attached before it is fed"
        packet = self._view[at : at + size].tobytes()
        counter = int.from_bytes(self._view[at - 2 : at], "little")
        if reader.admit(packet, counter, behind):
            self._put_other(packet, others)
        else:
            self._state[State.MESSAGES] -= 1

    def _put_other(self, packet: bytes, others: list[bytes]) -> None:
        """Hand a packet on; of an overload the coming blocks have to know."""
        if packet[:2] == _OVERLOAD:
            self.note_overload()
        others.append(packet)

    def _note_unknown(self, key: int) -> None:
        if self._format.identification_field >= 2:
            key = int.from_bytes(key.to_bytes(2, "little"), self._order)
        self._note_stray(key)

    def _gather(self) -> None:
        """Turn the rows in the storage into parts of the coming blocks."""
        if self._kernel is None:
            return
        storage = self._storage
        for which, stream in enumerate(self._streams):
            one = self._lists[which].tolist()
            begin, row, size = self._begins[which], one[Field.ROW], one[Field.ROW_SIZE]
            if row == begin:
                continue
            at, end = one[Field.ROWS_AT] + begin * size, one[Field.ROWS_AT] + row * size
            ticks: NDArray[Any] = np.zeros(row - begin, np.uint8)
            if self._format.timestamp_size:
                ticks = storage.ticks[one[Field.TICKS_AT] + begin : one[Field.TICKS_AT] + row]
            if self._format.dto_ctr:
                counters = one[Field.COUNTERS_AT]
                self._check_counter(stream, storage.rows[counters + begin : counters + row])
            stream.parts.append((ticks, storage.rows[at:end].reshape(row - begin, size)))
            self._begins[which] = row

    def _change_storage(self, t_ns: int) -> None:
        """Hand out what a full storage holds and go on in another one."""
        self._fresh = True
        self.publish(t_ns, at_once=True)
        before, lists = self._lists.copy(), self._lists
        self._pool.learn(
            before[:, Field.ROW].tolist(), quickly_full=t_ns - self._storage_ns < _QUICKLY_NS
        )
        old, self._storage_ns = self._storage, t_ns
        self._storage = self._pool.next(lists)
        for which in range(len(self._streams)):
            if before[which, Field.ODT]:
                move_row(lists, which, before[which], old, self._storage)
            self._begins[which] = 0
        lists[:, Field.ROW] = 0
        self._state[State.FULL] = 0

    # ------------------------------------------------------------------------ numpy tier

    def _decode_with_numpy(self, received: Sequence[tuple[int, int]], t_ns: int) -> list[bytes]:
        reader = self._reader
        assert reader is not None, "attached before it is fed"
        begin = self._end
        end = begin + sum(size for size, _ in received)
        others: list[bytes] = []
        if isinstance(reader, StreamReader):
            self._take_stream(reader, end, t_ns, others)
        else:
            self._take_datagrams(reader, datagram_borders(begin, received), t_ns, others)
        self.publish(t_ns)
        return others

    def _take_stream(self, reader: StreamReader, end: int, t_ns: int, others: list[bytes]) -> None:
        begin = self._skip
        at = begin
        if begin <= end:
            at = self._take_regular(reader, begin, end, t_ns)
        if at > begin:
            reader.put_back(b"", 0, calm=True)
            self._take_packets(reader.feed(self._view[at:end], t_ns), reader, t_ns, others)
            return
        rest = len(reader.lend()[0])
        self._take_packets(reader.feed(self._view[rest:end], t_ns), reader, t_ns, others)

    def _take_datagrams(
        self, reader: DatagramReader, borders: list[int], t_ns: int, others: list[bytes]
    ) -> None:
        """Templates as far as they reach, the rest datagram by datagram, and templates again."""
        at, attempts = borders[0], _ATTEMPTS
        number, end = 0, borders[-1]
        while number < len(borders) - 1:
            first, last = borders[number], borders[number + 1]
            if first >= at and attempts and self._is_next(reader, first, last):
                attempts -= 1
                at = self._take_regular(reader, first, end, t_ns, borders)
                # of those that are done only the latest are remembered
                number = max(number, bisect_right(borders, at) - 1 - RECENT)
                first, last = borders[number], borders[number + 1]
            self._take_datagram(reader, first, last, at, t_ns, others)
            number += 1

    def _is_next(self, reader: DatagramReader, first: int, last: int) -> bool:
        """Whether a datagram begins with the message that is expected."""
        counter = int.from_bytes(self._view[first + 2 : first + HEADER_SIZE], "little")
        return last - first > HEADER_SIZE and counter == reader.expected

    def _take_datagram(  # where it is, and where the template stopped
        self,
        reader: DatagramReader,
        first: int,
        last: int,
        at: int,
        t_ns: int,
        others: list[bytes],
    ) -> None:
        """The part of a datagram that the template has not taken."""
        whole = self._view[first:last].tobytes()
        if last <= at:
            reader.remember(whole)
        elif first >= at:
            self._take_packets(reader.feed(whole, t_ns), reader, t_ns, others)
        else:
            reader.remember(whole)
            packets = reader.scan(whole[at - first :], t_ns, ends=True)
            self._take_packets(packets, reader, t_ns, others)

    def _take_packets(
        self,
        packets: list[bytes],
        reader: DatagramReader | StreamReader,
        t_ns: int,
        others: list[bytes],
    ) -> None:
        """What the packet path does with packets."""
        if not packets:
            self._owed += reader.take_owed()
            return
        batch = DtoBatch(t_ns)
        missing_at = dict(reader.new_gaps)
        for index, packet in enumerate(packets):
            self._owed += missing_at.get(index, 0)
            if packet[0] >= _SERV:
                self._put_other(packet, others)
                continue
            if self._owed:
                batch.lost.append((len(batch.packets), self._owed))
                self._owed = 0
            batch.packets.append(packet)
        self._owed += reader.take_owed()
        if batch.packets:
            self.daq_received += len(batch.packets)
            self._fresh, self._data_ns = True, t_ns
            self.absorb(batch)

    def _take_regular(  # where it is
        self,
        reader: DatagramReader | StreamReader,
        begin: int,
        end: int,
        t_ns: int,
        datagrams: Sequence[int] = (),
    ) -> int:
        """Take whole samples that are exactly as expected; gives where the others begin."""
        if end - begin < LEAST_BYTES or self._owed or reader.expected < 0:
            return begin
        self._templates.refresh(reader.alignment)
        begin = self._complete_cycle(reader, begin, end, t_ns, datagrams)
        if any(stream.packets or stream.skipping for stream in self._streams):
            return begin
        found = self._templates.match(self._buffer, begin, end, reader.expected, datagrams)
        if found is None:
            return begin
        for which, framed in found.samples:
            stream = self._streams[which]
            template = self._templates.of(which)
            if self._format.dto_ctr:
                self._check_counter(stream, framed[:, template.counter_at])
            rows = template.data(framed)
            stream.parts.append((template.ticks(framed), rows))
            stream.row_count += len(rows)
            stream.pending_lost = 0
        self._count(reader, found.messages, found.expected, t_ns)
        return found.end

    def _complete_cycle(  # where it is
        self,
        reader: DatagramReader | StreamReader,
        begin: int,
        end: int,
        t_ns: int,
        datagrams: Sequence[int],
    ) -> int:
        """Take the rest of the one cycle that has begun, if it is as expected and complete."""
        begun = [stream for stream in self._streams if stream.packets]
        if len(begun) != 1:
            return begin
        stream, at, counter = begun[0], begin, reader.expected
        packets: list[bytes] = []
        for odt in range(len(stream.packets), len(stream.planned)):
            size = stream.lengths[odt]
            stop = at + HEADER_SIZE + size
            head = self._templates.head(stream, odt)
            header = size.to_bytes(2, "little") + counter.to_bytes(2, "little") + head
            seen = bytearray(self._view[at : at + len(header)])
            if len(head) == 4 and len(seen) == len(header):
                seen[HEADER_SIZE + FILL_AT] = 0
            border = bisect_right(datagrams, at)
            whole = stop <= (datagrams[border] if border < len(datagrams) else end)
            if not whole or seen != header:
                return begin
            packets.append(self._view[at + HEADER_SIZE : stop].tobytes())
            at = stop + -(size + HEADER_SIZE) % reader.alignment
            counter = (counter + 1) & 0xFFFF
        if at > end:
            return begin
        stream.packets += packets
        self._decode_streams()
        self._count(reader, len(packets), counter, t_ns)
        return at

    def _count(
        self, reader: DatagramReader | StreamReader, messages: int, expected: int, t_ns: int
    ) -> None:
        """Note messages that came as expected."""
        reader.settle(expected, t_ns, lost=0, late=0, gaps=())
        reader.counts.messages += messages
        self.daq_received += messages
        self._fresh, self._data_ns = True, t_ns

    def _put_gap(self) -> None:
        """Messages are missing at the end; what is left of a cycle is not looked at again."""
        self._note_lost(self._owed)
        self._owed = 0
