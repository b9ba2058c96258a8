"""Ethernet: ``LEN u16 | CTR u16 | packet | fill`` in datagrams and streams.

Header words are little endian whatever the slave's byte order is *(XCP on Ethernet, header, 1.0)*.
"""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import FramingError, SettingsError
from xcaliper.xcp.framing.counter import CounterWatch, FramingCounts, Gap

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HEADER_SIZE", "DatagramReader", "EthFraming", "StreamReader"]

#: Bytes of LEN and CTR.
HEADER_SIZE: Final = 4

_HEADER: Final = Struct("<HH")
_LEN: Final = Struct("<H")
_MODULUS: Final = 1 << 16
_MAX_PACKET: Final = 0xFFFF
_RECENT: Final = 16
_ERR: Final = 0xFE
#: Above every first byte: nothing that comes in a stream can have been overtaken.
_NO_ANSWERS: Final = 0x100
#: Answers that have to count upwards before one with a lower counter is known to be late.
_COUNTING: Final = 3
_read_header: Final = _HEADER.unpack_from
#: What is further behind the latest answer is no late answer, but of a sender that has begun again.
_FAR_BEHIND: Final = 256


def _check_alignment(alignment: int) -> int:
    if alignment not in (1, 2, 4):
        raise SettingsError("alignment", f"{alignment} is none of 1, 2, 4 bytes")
    return alignment


class EthFraming:
    """Puts headers before packets; owns the counter of one direction.

    Args:
        alignment: bytes, 1, 2 or 4; PACKET_ALIGNMENT_8/16/32 *(XCP on Ethernet, 1.3)*.
    """

    def __init__(self, alignment: int = 1) -> None:
        self._alignment = _check_alignment(alignment)
        self._counter = 0

    @property
    def counter(self) -> int:
        """CTR of the next message."""
        return self._counter

    def reset(self) -> None:
        """Start again with 0, as after CONNECT *(XCP on Ethernet, header, 1.0)*."""
        self._counter = 0

    @property
    def alignment(self) -> int:
        """Bytes that messages are aligned to."""
        return self._alignment

    def take(self, count: int) -> int:
        """CTR of the first of so many messages that somebody else puts together, or loses."""
        first = self._counter
        self._counter = (first + count) % _MODULUS
        return first

    def frame(self, packet: bytes) -> bytes:
        """One message: header, packet, fill.

        Raises:
            FramingError: the packet is empty or too long for LEN.
        """
        size = len(packet)
        if not 0 < size <= _MAX_PACKET:
            raise FramingError("Ethernet message", need=f"1 to {_MAX_PACKET} bytes", got=size)
        counter = self._counter
        self._counter = (counter + 1) % _MODULUS
        message = _HEADER.pack(size, counter) + packet
        if self._alignment == 1:
            return message
        return message + bytes(-len(message) % self._alignment)

    def frame_many(self, packets: Iterable[bytes], limit: int = 1472) -> list[bytes]:
        """Messages gathered into datagrams of at most ``limit`` bytes, in order.

        A message never spans two datagrams; one that is longer than the limit alone travels alone.

        Raises:
            FramingError: a packet is empty or too long for LEN.
        """
        datagrams: list[bytes] = []
        parts: list[bytes] = []
        size = 0
        for packet in packets:
            message = self.frame(packet)
            if parts and size + len(message) > limit:
                datagrams.append(b"".join(parts))
                parts, size = [], 0
            parts.append(message)
            size += len(message)
        if parts:
            datagrams.append(b"".join(parts))
        return datagrams


class _Reader:
    """What both readers share: limits, counters, the positions of gaps.

    Attributes:
        counts: messages given out and damage met.
        new_gaps: (index into the list just given out, number of missing messages before it), each
            index once. What is missing before a message without a packet, or before the end, counts
            for the next packet.
    """

    def __init__(
        self,
        alignment: int = 1,
        *,
        max_packet: int = _MAX_PACKET,
        answers_from: int = _NO_ANSWERS,
    ) -> None:
        self._alignment = _check_alignment(alignment)
        self._max_packet = max_packet
        self._answers_from = answers_from
        self._answers: deque[int] = deque(maxlen=_COUNTING)
        self._watch = CounterWatch(_MODULUS)
        self.counts = FramingCounts()
        self.new_gaps: list[tuple[int, int]] = []
        self._owed = 0  # messages missing before the next packet

    def take_owed(self) -> int:
        """Messages missing before a packet that has not come yet; whoever asks takes care of them."""
        owed, self._owed = self._owed, 0
        return owed

    @property
    def lost(self) -> int:
        """Messages missing so far, by the counter."""
        return self._watch.lost

    @property
    def late(self) -> int:
        """Messages that came out of order or twice."""
        return self._watch.late

    @property
    def late_run(self) -> tuple[int, int, int]:
        """Where another scanner of the same bytes has to go on, see :class:`CounterWatch`."""
        return self._watch.late_run

    @property
    def gaps(self) -> deque[Gap]:
        """The latest gaps as (t_from_ns, t_to_ns, missing), oldest first, bounded."""
        return self._watch.gaps

    @property
    def alignment(self) -> int:
        """Bytes that messages are aligned to."""
        return self._alignment

    @property
    def max_packet(self) -> int:
        """A longer LEN is damage."""
        return self._max_packet

    @property
    def expected(self) -> int:
        """CTR of the next message; -1 when any will do."""
        return self._watch.expected

    def settle(
        self, expected: int, t_ns: int, *, lost: int, late: int, gaps: Iterable[tuple[int, bool]]
    ) -> None:
        """Take over what another scanner of the same bytes has seen, at least one message.

        Args:
            expected: CTR of the next message.
            t_ns: host time of the messages.
            lost: messages missing among them.
            late: messages out of order among them.
            gaps: missing messages, and whether they were missing before the first message.
        """
        watch = self._watch
        watch.expected = expected
        watch.lost += lost
        watch.late += late
        for missing, first in gaps:
            watch.gaps.append(Gap(watch.last_t_ns if first else t_ns, t_ns, missing))
        watch.last_t_ns = t_ns

    def admit(self, packet: bytes, counter: int, behind: int) -> bool:
        """Whether a packet may be given out; if not, it is an answer that later ones have overtaken.

        Whoever asked has given such an answer up and asked again: it would pass for the answer to
        another command, and an old command would be carried out behind newer ones. That an answer is
        late is believed of a sender only whose answers have counted upwards.

        Args:
            packet: or its beginning.
            counter: CTR of it.
            behind: how far it is behind the expected CTR, 0 for one that is not late.
        """
        if packet[0] < self._answers_from:
            return True
        answers = self._answers
        if behind and len(answers) == _COUNTING:
            first, second, latest = answers
            half = _MODULUS // 2
            counts = 0 < (second - first) % _MODULUS < half
            counts = counts and 0 < (latest - second) % _MODULUS < half
            # A latest answer of the round before has not overtaken anything.
            if counts and (latest - counter) % _MODULUS < min(behind, _FAR_BEHIND + 1):
                self.counts.overtaken += 1
                return False
        answers.append(counter)
        return True

    def _scan(self, data: bytes, packets: list[bytes], t_ns: int) -> int:
        """Append the packets of whole messages; gives where it stopped.

        It stops before a message that is not complete or is too long. Every received byte of DAQ
        comes by here, hence the locals and the counter kept at hand.
        """
        unpack, watch = _HEADER.unpack_from, self._watch
        limit, alignment, end = self._max_packet, self._alignment, len(data)
        expected = watch.expected
        answers_from, admit = self._answers_from, self.admit
        owed = self._owed
        at = 0
        while end - at >= HEADER_SIZE:
            size, counter = unpack(data, at)
            start = at + HEADER_SIZE
            stop = start + size
            if stop > end or size > limit:
                break
            behind = 0
            if counter == expected:
                expected = (counter + 1) & 0xFFFF
            else:
                if at:
                    watch.last_t_ns = t_ns
                watch.expected = expected
                owed += watch.see(counter, t_ns)
                if watch.expected == expected:
                    behind = (expected - counter) & 0xFFFF
                expected = watch.expected
            at = stop if alignment == 1 else stop + -stop % alignment
            if not size:
                self.counts.empty += 1
                continue
            packet = data[start:stop]
            if packet[0] >= answers_from and not admit(packet, counter, behind):
                continue
            if owed:
                self.new_gaps.append((len(packets), owed))
                owed = 0
            packets.append(packet)
        if at:
            watch.expected = expected
            watch.last_t_ns = t_ns
            self._owed = owed
            self.counts.messages += len(packets)
        return at


class DatagramReader(_Reader):
    """Takes the packets out of UDP datagrams; never raises.

    Args:
        alignment: bytes, as at the sender.
        max_packet: a longer LEN is damage.
        answers_from: least first byte of packets that are useless when others overtook them: RES and
            ERR at the master, every command at the slave.
    """

    def __init__(
        self,
        alignment: int = 1,
        *,
        max_packet: int = _MAX_PACKET,
        answers_from: int = _ERR,
    ) -> None:
        super().__init__(alignment, max_packet=max_packet, answers_from=answers_from)
        self._recent: deque[bytes] = deque(maxlen=_RECENT)

    def reset(self) -> None:
        """Forget the counter, as after CONNECT; totals stay."""
        self._watch.reset()
        self._recent.clear()
        self._answers.clear()
        self.new_gaps = []
        self._owed = 0

    def remember(self, datagram: bytes) -> None:
        """Know a datagram that somebody else has scanned, should its copy come."""
        self._recent.append(datagram)

    def is_copy(self, datagram: bytes) -> bool:
        """True, and counted, for a datagram whose first CTR is not expected and that came before."""
        if len(datagram) <= HEADER_SIZE or not self._is_duplicate(datagram):
            return False
        self.counts.duplicates += 1
        return True

    def scan(self, piece: bytes, t_ns: int, *, ends: bool) -> list[bytes]:
        """The packets of a part of a datagram that begins with a message.

        Args:
            piece: of a datagram that is no copy.
            t_ns: host time.
            ends: whether the datagram ends with it, so that a rest is damage.
        """
        packets: list[bytes] = []
        self.new_gaps = []
        at = self._scan(piece, packets, t_ns)
        if ends and at < len(piece):
            self.counts.malformed += 1
        return packets

    def _is_duplicate(self, data: bytes) -> bool:
        """True for a datagram that the net doubled: same counter and content as a recent one.

        A second copy of an answer would pass for the answer to the next command. Slaves that never
        count are let be: of theirs, equal datagrams are equal answers.
        """
        recent = self._recent
        return data in recent and any(other[2:4] != data[2:4] for other in recent)

    def feed(self, datagram: bytes | bytearray | memoryview, t_ns: int = 0) -> list[bytes]:
        """The packets of one datagram, in order.

        A message that says more bytes than there are (or than ``max_packet``) ends the datagram and
        counts as malformed; the ones before it are good. A message of length 0 is skipped. A datagram
        that the net doubled gives nothing and is counted, and so does an answer that a later one has
        overtaken.
        """
        data = datagram if type(datagram) is bytes else bytes(datagram)
        watch = self._watch
        length = len(data) - HEADER_SIZE
        if length > 0:
            size, counter = _read_header(data)
            if counter == watch.expected and size == length <= self._max_packet and not self._owed:
                # One message that is in order, as answers are: the same as below in one step.
                watch.expected = (counter + 1) & 0xFFFF
                watch.last_t_ns = t_ns
                self.counts.messages += 1
                self._recent.append(data)
                if data[HEADER_SIZE] >= self._answers_from:
                    self._answers.append(counter)
                if self.new_gaps:
                    self.new_gaps = []
                return [data[HEADER_SIZE:]]
            if counter != watch.expected and self._is_duplicate(data):
                self.counts.duplicates += 1
                self.new_gaps = []
                return []
            self._recent.append(data)
        return self.scan(data, t_ns, ends=True)


class StreamReader(_Reader):
    """Takes the packets out of a TCP stream, cut anywhere.

    Args:
        alignment: bytes, as at the sender.
        max_packet: the longest packet the peer may send, MAX_CTO or MAX_DTO.
    """

    def __init__(self, alignment: int = 1, *, max_packet: int = _MAX_PACKET) -> None:
        super().__init__(alignment, max_packet=max_packet)
        self._rest = b""
        self._skip = 0
        self._broken = False

    def reset(self) -> None:
        """Begin a new stream: drop the rest of the old one and forget the counter."""
        self._watch.reset()
        self.new_gaps = []
        self._owed = 0
        self._rest = b""
        self._skip = 0
        self._broken = False

    def restart_counter(self) -> None:
        """Forget the counter but keep the stream, as after CONNECT."""
        self._watch.reset()
        self._owed = 0

    def _broken_error(self) -> FramingError:
        return FramingError(
            "Ethernet stream", need=f"LEN up to {self._max_packet}", got="more", what="header"
        )

    def feed(self, chunk: bytes | bytearray | memoryview, t_ns: int = 0) -> list[bytes]:
        """The packets that are complete now, in order; the rest waits for the next chunk.

        A stream has no mark to find the next header by. So a LEN above ``max_packet`` breaks it:
        packets before it are given out, and the next call (or this one, when there are none)
        raises. Close the connection and call :meth:`reset`.

        Raises:
            FramingError: the stream is broken.
        """
        if self._broken:
            raise self._broken_error()
        data = self._rest + bytes(chunk) if self._rest else bytes(chunk)
        if self._skip:
            data, self._skip = data[self._skip :], max(self._skip - len(data), 0)
        packets: list[bytes] = []
        self.new_gaps = []
        at = self._scan(data, packets, t_ns)
        self.put_back(data[at:], self._skip + max(at - len(data), 0), calm=bool(packets))
        return packets

    def lend(self) -> tuple[bytes, int]:
        """The beginning of a message whose rest has not come, and bytes of fill still to skip.

        Raises:
            FramingError: the stream is broken.
        """
        if self._broken:
            raise self._broken_error()
        return self._rest, self._skip

    def put_back(self, rest: bytes, skip: int, *, calm: bool) -> None:
        """Keep what is left of the bytes received so far.

        Args:
            rest: from the header of a message on that is not complete, or cannot be one.
            skip: bytes of fill still to come before the next header.
            calm: whether a broken stream is to be told at the next call only.

        Raises:
            FramingError: the stream is broken.
        """
        self._rest, self._skip = rest, skip
        if len(rest) >= HEADER_SIZE:
            (size,) = _LEN.unpack_from(rest)
            if size > self._max_packet:
                self.counts.malformed += 1
                self._broken = True
                if not calm:
                    raise self._broken_error()
