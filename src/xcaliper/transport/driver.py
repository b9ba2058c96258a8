"""Drives one machine over one transport: send, wait, hand on; no threads, no lock of its own."""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar

from xcaliper.core.errors import (
    ExchangeTimeoutError,
    FramingError,
    LinkError,
    NegativeResponseError,
    UsageError,
    XcaliperError,
)
from xcaliper.proto.exchange import Waiting
from xcaliper.proto.procedure import ask
from xcaliper.transport.acquisition import Acquisition
from xcaliper.transport.base import link_error
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming, StreamReader
from xcaliper.xcp.std import ShortUpload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.daq.framed import FramedDecoder
    from xcaliper.proto.exchange import Exchange
    from xcaliper.proto.procedure import Procedure
    from xcaliper.transport.base import Transport
    from xcaliper.transport.drain import Stay
    from xcaliper.transport.inbox import DaqInbox
    from xcaliper.xcp.master import MasterMachine
    from xcaliper.xcp.master_streams import Bulk

__all__ = ["Driver"]

T = TypeVar("T")

_PID_RES: Final = 0xFF
_PID_ERR: Final = 0xFE
_PID_SERV: Final = 0xFC
_SYNCHED: Final = b"\x00"
_EV_CMD_PENDING: Final = b"\xfd\x05"
_CONNECT: Final = 0xFF
_SHORT_UPLOAD: Final = 0xF4

#: Longest wait in one receive; a closing link is noticed after it.
SLICE_NS: Final = 100_000_000
#: DAQ packets passed on before the time is looked at.
_MAX_PASSED: Final = 256
#: Datagrams of samples met one by one, before everything that waits is taken at once.
_FEW_PASSED: Final = 4
_MILLISECOND_NS: Final = 1_000_000
#: How long to look for an answer before sleeping, while samples come: whoever sleeps is late.
_AWAKE_NS: Final = 150_000
#: Bytes taken in one poll, so that a command never waits long for the lock.
HOLD_BYTES: Final = 256 << 10
_TELL_NS: Final = 1_000_000_000
_WORTHWHILE_BYTES: Final = 32 << 10
_WORTHWHILE_ARRAYS: Final = 192 << 10
#: The same when the one before is long ago, or was full.
LATE_BYTES: Final = 2 << 20


class Driver:
    """Transport, framing and master of one link; used by one thread at a time.

    Args:
        transport: open.
        machine: the master.
        inbox: where DAQ packets go.
        alignment: bytes that messages are aligned to.
        clock: monotonic nanoseconds.

    Attributes:
        failure: why the link cannot be used any more.
        closing: set from outside; waits end soon after.
        on_wait: called once a second, from the first second on, while the slave says that it is busy.
    """

    def __init__(
        self,
        transport: Transport,
        machine: MasterMachine,
        inbox: DaqInbox,
        *,
        alignment: int,
        clock: Callable[[], int],
    ) -> None:
        self.transport = transport
        self.machine = machine
        self.inbox = inbox
        self.framing = EthFraming(alignment)
        self.reader: DatagramReader | StreamReader = (
            StreamReader(alignment) if transport.is_stream else DatagramReader(alignment)
        )
        self.failure: XcaliperError | None = None
        self.closing = False
        self.on_wait: Callable[[Waiting], object] | None = None
        self._put_off: Exchange | None = None
        self._tell_ns = 0
        self._clock = clock
        self._send = transport.send
        self._sending = Lock()  # counters go out in order, whoever sends
        self._frame = self.framing.frame
        self._feed: Callable[[bytes, int], list[bytes]] = self.reader.feed
        self._acquisition: Acquisition | None = None
        self._stay: Stay | None = None
        self._counted = 0
        self._profile: object = None
        self._ag = 1
        self._max_short = 0
        self._pack: Callable[..., bytes] = Struct("<BBBBI").pack
        self._suspect = False  # an answer that nobody wants may be on its way
        self._careful = True  # go the general way once
        self._moved = False  # short uploads moved the slave's pointer
        machine.offer.wanted = True
        self._patience_ns = self._first_wait_ns = SLICE_NS
        transport.set_wait(SLICE_NS)

    # --- general path ---

    def check(self) -> None:
        """Raise what makes the link unusable.

        Raises:
            LinkError: it is closed, or has failed.
        """
        if self.closing:
            raise LinkError(f"{self.transport.name}: the link is closed.", hint="Connect again.")
        if self.failure is not None:
            raise self.failure

    def drive(
        self,
        procedure: Procedure[T],
        deadline_ns: int | None,
        idle: Callable[[], object] | None = None,
    ) -> T:
        """Run a procedure to its end; ``idle`` is called between receives."""
        self.check()
        machine, clock = self.machine, self._clock
        started = clock()
        if self._moved:
            machine.lose_track()
            self._moved = False
        running = machine.start(procedure, started)
        offer = machine.offer
        try:
            self._transmit()
            while not running.done():
                if offer.bulk is not None:
                    self._do_bulk(offer.bulk, started, deadline_ns, idle)
                    continue
                now = clock()
                self._check_time(now, started, deadline_ns)
                due = machine.due()
                if due is not None and now >= due:
                    machine.on_time(now)
                else:
                    self.receive(self._wait(now, due, deadline_ns))
                self._transmit()
                if machine.busy is not None:
                    self._tell(machine.busy, now)
                if idle is not None:
                    idle()
            return running.result()
        except NegativeResponseError:
            raise
        except BaseException:
            self._suspect = self._careful = True  # an answer may still come
            raise
        finally:
            machine.cancel(running)
            self._learn()

    def _do_bulk(
        self,
        bulk: Bulk,
        started: int,
        deadline_ns: int | None,
        idle: Callable[[], object] | None,
    ) -> None:
        """Do a run of UPLOADs one after the other, as long as nothing unusual happens.

        A packet that does not belong there goes to the machine, which then ends the run.
        """
        machine, offer, frame = self.machine, self.machine.offer, self._frame
        sizes = bulk.sizes
        self.transport.set_wait(self._first_wait_ns)
        for index, packet in enumerate(bulk.packets):
            try:
                self._send_once(frame(packet))
            except OSError as cause:
                raise self._fail(cause, "sending") from cause
            parts = self._bulk_answers(bulk, sizes[index])
            if offer.bulk is not bulk:
                break  # the machine has taken over
            if parts is None:
                machine.bulk_done(self._clock())
                break
            bulk.data += parts
            bulk.done = index + 1
            if deadline_ns is not None:
                self._check_time(self._clock(), started, deadline_ns)
            if idle is not None:
                idle()
        else:
            machine.bulk_done(self._clock())
        self._transmit()

    def _bulk_answers(self, bulk: Bulk, sizes: tuple[int, ...]) -> list[bytes] | None:
        """Data of every response of one command; None when they did not come as they should."""
        parts: list[bytes] = []
        limit = 0
        while True:
            before = len(parts)
            packets = self._single_parts(parts, sizes, bulk.head)
            if not packets and self._acquisition is not None:
                # Datagram by datagram the answer behind a full buffer would never be reached.
                _, packets = self._drain(self._acquisition, HOLD_BYTES, self._clock())
            if packets and not self.reader.new_gaps:
                packets = self._take_parts(packets, parts, sizes, bulk.head)
            if packets:
                self._sort(packets, self._clock())
            if self.machine.offer.bulk is not bulk:
                return None
            if len(parts) == len(sizes):
                return parts
            if len(parts) == before:  # a timer that runs only while there is no answer
                limit = limit or self._clock() + self._patience_ns
                if self._clock() >= limit:
                    return None

    def _single_parts(self, parts: list[bytes], sizes: tuple[int, ...], head: int) -> list[bytes]:
        """Take responses as long as each comes alone; gives the packets that do not, or nothing.

        Raises:
            LinkError: the link failed.
        """
        receive, feed, clock, reader = self.transport.receive, self._feed, self._clock, self.reader
        data = b""
        packets: list[bytes] = []
        try:
            for size in sizes[len(parts) :]:
                data = receive()
                packets = feed(data, clock())
                if len(packets) != 1 or reader.new_gaps:
                    break
                packet = packets[0]
                if packet[0] != _PID_RES or len(packet) < head + size:
                    break
                parts.append(packet[head : head + size])
                packets = []
        except (OSError, FramingError) as cause:
            return self._nothing_came(cause)
        if not data and self.transport.is_stream and not packets:
            raise self._end_of_stream()
        return packets

    def _take_parts(
        self, packets: list[bytes], parts: list[bytes], sizes: tuple[int, ...], head: int
    ) -> list[bytes]:
        """Move data of responses to the parts; gives what does not belong there."""
        for at, packet in enumerate(packets):
            if len(parts) == len(sizes):
                return packets[at:]
            size = head + sizes[len(parts)]
            if packet[0] == _PID_RES and len(packet) >= size:
                parts.append(packet[head:size])
            elif packet[0] < _PID_ERR:
                self._sort((packet,), self._clock())  # an event, a text, a sample
            else:
                return packets[at:]
        return []

    def _nothing_came(self, cause: OSError | FramingError) -> list[bytes]:
        """No packets; raises unless it is only that none has come yet."""
        if isinstance(cause, BlockingIOError):
            self.check()
            return []
        if isinstance(cause, FramingError):
            raise self._damaged(cause) from cause
        raise self._fail(cause, "receiving") from cause

    def _tell(self, busy: Exchange, now: int) -> None:
        """Tell who looks that the slave keeps us waiting."""
        if busy is not self._put_off:
            self._put_off, self._tell_ns = busy, busy.started_ns + _TELL_NS
        if now >= self._tell_ns and self.on_wait is not None:
            self._tell_ns = now + _TELL_NS
            since = busy.started_ns
            self.on_wait(Waiting(busy.command, now - since, busy.granted_ns - since))

    def _check_time(self, now: int, started: int, deadline_ns: int | None) -> None:
        if deadline_ns is not None and now >= deadline_ns:
            raise ExchangeTimeoutError(
                "procedure", timer="caller's time", attempts=1, elapsed_ns=now - started
            )

    def _wait(self, now: int, due: int | None, deadline_ns: int | None) -> int:
        wait = SLICE_NS
        if due is not None and due - now < wait:
            wait = due - now
        if deadline_ns is not None and deadline_ns - now < wait:
            wait = deadline_ns - now
        return wait

    def _transmit(self) -> None:
        for packet in self.machine.outgoing():
            if packet[0] == _CONNECT:
                self._restart_counters()
            try:
                with self._sending:
                    self._send_once(self._frame(packet))
            except OSError as cause:
                raise self._fail(cause, "sending") from cause

    def send_data(self, packets: Sequence[bytes], limit: int) -> None:
        """Send packets that nobody answers, as few datagrams as it takes; any thread may.

        Raises:
            LinkError: the link is closed, or failed.
        """
        self.check()
        try:
            with self._sending:
                if len(packets) == 1:
                    self._send_once(self._frame(packets[0]))
                    return
                for datagram in self.framing.frame_many(packets, limit):
                    self._send_once(datagram)
        except OSError as cause:
            raise self._fail(cause, "sending") from cause

    def _send_once(self, data: bytes) -> None:
        try:
            self._send(data)
        except ConnectionRefusedError:
            if self.transport.is_stream:
                raise
            self._send(data)  # the error was that of an earlier datagram

    def _restart_counters(self) -> None:
        """Both counters begin with 0 after CONNECT *(XCP on Ethernet, header, 1.0)*."""
        self.framing.reset()
        if isinstance(self.reader, StreamReader):
            self.reader.restart_counter()
        else:
            self.reader.reset()

    def _fail(self, cause: OSError, doing: str) -> LinkError:
        error = link_error(self.transport.name, cause, doing)
        if self.transport.is_stream or not isinstance(cause, ConnectionRefusedError):
            self.failure = error
        return error

    def receive(self, wait_ns: int) -> None:
        """Wait for one datagram or piece and hand on what is in it.

        Raises:
            LinkError: the link is closed or failed.
        """
        packets = self._next_packets(wait_ns)
        if packets:
            self._sort(packets, self._clock())

    def take(self, data: bytes, now: int) -> None:
        """Hand on the packets of one datagram or piece: answers to the machine, DAQ to the inbox.

        Raises:
            LinkError: a stream ended or is broken.
        """
        packets = self._unframe(data, now)
        if packets:
            self._sort(packets, now)

    def _unframe(self, data: bytes, now: int) -> list[bytes]:
        if not data and self.transport.is_stream:
            raise self._end_of_stream()
        try:
            return self._feed(data, now)
        except FramingError as cause:
            raise self._damaged(cause) from cause

    def _end_of_stream(self) -> XcaliperError:
        self.failure = LinkError(
            f"{self.transport.name}: the slave closed the connection.", hint="Connect again."
        )
        return self.failure

    def _damaged(self, cause: FramingError) -> XcaliperError:
        self.failure = LinkError(
            f"{self.transport.name}: the stream is damaged ({cause}).",
            hint="Check that an XCP slave listens there; connect again.",
        )
        return self.failure

    def _sort(self, packets: Sequence[bytes], now: int) -> None:
        inbox = self.inbox
        gaps = self.reader.new_gaps
        missing_at = dict(gaps) if gaps else None
        for index, packet in enumerate(packets):
            if missing_at is not None and index in missing_at:
                inbox.put_gap(missing_at[index])
            if packet[0] >= _PID_SERV:
                self.machine.receive(packet, now)
                if self._max_short and not self.machine.connected:
                    self._learn()  # the slave ended the session
                self._careful = self._careful or self.machine.asleep
            else:
                inbox.put(packet)
        if missing_at is not None and len(packets) in missing_at:  # the answer behind it is gone
            inbox.put_gap(missing_at[len(packets)])

    def take_one(self) -> None:
        """Hand on one datagram or piece that is known to wait.

        Raises:
            LinkError: the link failed.
        """
        self.transport.set_wait(_MILLISECOND_NS)
        try:
            data = self.transport.receive()
        except BlockingIOError:  # somebody else was quicker
            return
        except OSError as cause:
            raise self._fail(cause, "receiving") from cause
        self.take(data, self._clock())

    def poll(self, limit: int = HOLD_BYTES, until_ns: int = 0) -> int:
        """Hand on what waits now, without blocking; gives the number of bytes.

        Args:
            limit: bytes after which to stop.
            until_ns: time until which to stay, if the acquisition can; 0 = not at all.

        Raises:
            LinkError: the link failed.
        """
        if self._acquisition is not None:
            return self._poll_framed(self._acquisition, limit, until_ns)
        try:
            pieces = self.transport.poll(limit)
        except OSError as cause:
            raise self._fail(cause, "receiving") from cause
        now = self._clock()
        size = 0
        for data in pieces:
            self.take(data, now)
            size += len(data)
        return size

    # --- samples ---

    def begin_acquisition(self, decoder: FramedDecoder, stay: Stay | None = None) -> None:
        """Give received bytes to a decoder from now on; only other packets become objects.

        Args:
            decoder: of the measurement.
            stay: lets compiled code wait for answers; None = it cannot.
        """
        self._stay = stay
        self._acquisition = Acquisition(decoder, self.transport, self.reader, self._clock())
        self._counted = decoder.daq_received
        self.reader.new_gaps = []
        self._feed = self._feed_framed

    @property
    def can_stay(self) -> bool:
        """True when :meth:`poll` can go on until a given time."""
        return self._acquisition is not None and self._acquisition.can_stay

    @property
    def worthwhile_bytes(self) -> int:
        """Bytes of one poll from which it is not worth to wait for more.

        The numpy tier has a cost per poll that only many samples bear.
        """
        acquisition = self._acquisition
        if acquisition is None or acquisition.decoder.tier == "compiled":
            return _WORTHWHILE_BYTES
        return _WORTHWHILE_ARRAYS

    def end_acquisition(self) -> None:
        """Give packets to the inbox again; nothing is lost or counted twice."""
        if self._acquisition is not None:
            self._acquisition.end(self._clock())
            self._count(self._acquisition)
        self._acquisition = self._stay = None
        self._feed = self.reader.feed

    def _feed_framed(self, data: bytes, now: int) -> list[bytes]:
        acquisition = self._acquisition
        assert acquisition is not None, "set together with this function"
        others = acquisition.feed(data, now)
        self._count(acquisition)
        return others

    def _poll_framed(self, acquisition: Acquisition, limit: int, until_ns: int) -> int:
        now = self._clock()
        size, others = self._drain(acquisition, limit, now, until_ns)
        if others:
            self._sort(others, now)
        if acquisition.ended:
            raise self._end_of_stream()
        return size

    def _drain(
        self, acquisition: Acquisition, limit: int, now: int, until_ns: int = 0
    ) -> tuple[int, list[bytes]]:
        """Decode what waits, without blocking; its size and the packets that are not DAQ."""
        try:
            size, others = acquisition.poll(limit, now, until_ns)
        except FramingError as cause:
            raise self._damaged(cause) from cause
        except OSError as cause:
            raise self._fail(cause, "receiving") from cause
        self._count(acquisition)
        return size, others

    def _count(self, acquisition: Acquisition) -> None:
        """Packets that never were in the inbox count as received all the same."""
        self.reader.new_gaps = []  # the decoder has dealt with them
        received = acquisition.decoder.daq_received
        self.inbox.received += received - self._counted
        self._counted = received

    # --- one round trip ---

    def _learn(self) -> None:
        """Prepare the short way when CONNECT settled how the two sides talk."""
        machine = self.machine
        self._patience_ns = machine.timers.t1_ns
        self._first_wait_ns = min(self._patience_ns, SLICE_NS)
        self.transport.set_wait(self._first_wait_ns)
        profile = machine.profile if machine.connected else None
        if profile is self._profile:
            return
        self._profile = profile
        self._careful = True  # the answer to CONNECT may come twice; the machine knows
        if profile is None:
            self._max_short = 0
            return
        self._ag = profile.ag
        self._max_short = min(profile.max_cto - profile.ag, 255 * profile.ag)
        self._pack = Struct(profile.byte_order.mark + "BBBBI").pack

    def short_upload(self, address: int, size: int, extension: int) -> bytes:
        """Bytes at an address, by the short way when nothing special happens."""
        ag = self._ag
        if self._careful or not 0 < size <= self._max_short or size % ag:
            return self._general_upload(address, size, extension)
        try:
            request = self._pack(_SHORT_UPLOAD, size // ag, 0, extension, address)
        except struct_error:  # the general way says what is wrong
            return self._general_upload(address, size, extension)
        packets: list[bytes] = []
        framed = self._acquisition is not None
        self._moved = True
        try:
            with self._sending:
                self._send(self._frame(request))
            for _ in range(_FEW_PASSED if framed else _MAX_PASSED):
                packets = self._feed(self.transport.receive(), self._clock())
                if not packets and framed:
                    continue
                if len(packets) != 1 or self.reader.new_gaps:
                    break
                packet = packets[0]
                if packet[0] == _PID_RES and len(packet) >= ag + size:
                    return packet[ag : ag + size]
                if packet[0] >= _PID_SERV:
                    break
                self.inbox.put(packet)
                packets = []
        except BlockingIOError:
            return self._await_upload([], address, size, extension, self._first_wait_ns)
        except (OSError, FramingError):  # the general way meets it again and names it
            return self._general_upload(address, size, extension)
        return self._await_upload(packets, address, size, extension)

    def _await_upload(
        self,
        packets: list[bytes],
        address: int,
        size: int,
        extension: int,
        waited_ns: int = 0,
    ) -> bytes:
        """The rest of a short upload whose answer was not the first and only packet."""
        deadline = self._clock() + self._patience_ns - waited_ns
        while True:
            answer = None
            for index, packet in enumerate(packets):
                if packet[0] >= _PID_ERR:
                    answer = packets.pop(index)
                    self._close_up(index)
                    break
                if packet[:2] == _EV_CMD_PENDING:
                    deadline = self._clock() + self._patience_ns
            self._sort(packets, self._clock())
            if answer is not None:
                self.transport.set_wait(self._first_wait_ns)
                if answer[0] == _PID_RES and len(answer) >= self._ag + size:
                    return answer[self._ag : self._ag + size]
                # Too short, or the answer to an old SYNCH: ours may still come.
                self._suspect = answer[0] == _PID_RES or answer[1:2] == _SYNCHED
                self._careful = self._suspect
                break
            wait = deadline - self._clock()
            if wait <= 0:
                self._suspect = self._careful = True
                break
            packets = self._next_packets(min(wait, SLICE_NS))
        return self._general_upload(address, size, extension)

    def _close_up(self, taken: int) -> None:
        """Move the gaps behind a packet that was taken out of the list."""
        moved: dict[int, int] = {}
        for index, missing in self.reader.new_gaps:
            at = index - (index > taken)
            moved[at] = moved.get(at, 0) + missing
        self.reader.new_gaps = list(moved.items())

    def _next_packets(self, wait_ns: int) -> list[bytes]:
        self.check()
        acquisition, stay = self._acquisition, self._stay
        if acquisition is not None and stay is not None and acquisition.can_stay:
            wait_ns = min(wait_ns, SLICE_NS)
            now = self._clock()
            awake_ns = now + _AWAKE_NS
            stay.begin(wait_ns / 1e9, acquisition.descriptor, awake_ns=awake_ns)
            return self._drain(acquisition, HOLD_BYTES, now, now + wait_ns)[1]
        # Whole milliseconds, and the full slice most of the time: changing it costs a system call.
        whole_ms = max(-(-wait_ns // _MILLISECOND_NS), 1) * _MILLISECOND_NS
        self.transport.set_wait(min(whole_ms, SLICE_NS))
        try:
            data = self.transport.receive()
        except BlockingIOError:
            return []
        except OSError as cause:
            raise self._fail(cause, "receiving") from cause
        packets = self._unframe(data, self._clock())
        if self._acquisition is not None and not packets:
            # Datagram by datagram the answer behind a full buffer would never be reached.
            _, packets = self._drain(self._acquisition, LATE_BYTES, self._clock())
        return packets

    def _general_upload(self, address: int, size: int, extension: int) -> bytes:
        """The same through the machine, with its recovery and its errors."""
        wrong = _wrong_upload(address, size, extension, self._max_short, self._ag)
        if wrong is not None:
            raise wrong
        if self._suspect:
            self.machine.suspect()
        self._suspect = self._careful = False
        return self.drive(_upload(address, size // self._ag, extension), None)[:size]


def _wrong_upload(address: int, size: int, extension: int, most: int, ag: int) -> UsageError | None:
    """What makes a short upload impossible; the slave's limits count once they are known."""
    if size <= 0 or (most and size > most):
        upper = f" to {most}" if most else " byte or more"
        return UsageError(f"SHORT_UPLOAD: {size} bytes; the slave answers 1{upper} at once.")
    if size % ag:
        return UsageError(f"SHORT_UPLOAD: {size} bytes are no multiple of {ag}, the granularity.")
    if not (0 <= address <= 0xFFFF_FFFF and 0 <= extension <= 0xFF):
        return UsageError(
            f"SHORT_UPLOAD: address {address:#x} or extension {extension} is out of range."
        )
    return None


def _upload(address: int, count: int, extension: int) -> Procedure[bytes]:
    reply = yield from ask(ShortUpload(count=count, address_extension=extension, address=address))
    return bytes(reply.data)
