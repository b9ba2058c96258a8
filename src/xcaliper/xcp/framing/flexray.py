"""FlexRay: ``header | packet | tail`` in even payloads of at most 254 bytes."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import FramingError, SettingsError
from xcaliper.xcp.framing.counter import CounterWatch, FramingCounts, Gap

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_PAYLOAD", "FlexRayFraming", "FlexRayReader", "FlxHeader"]

#: Longest payload of a FlexRay frame in bytes.
MAX_PAYLOAD: Final = 254

_MODULUS: Final = 1 << 8


class FlxHeader(IntEnum):
    """Header under its A2L number; NAX is the node address (XCP on FlexRay, header, 1.0)."""

    NAX = 0
    NAX_FILL = 1
    NAX_CTR = 2
    NAX_FILL3 = 3
    NAX_CTR_FILL2 = 4
    NAX_LEN = 5
    NAX_CTR_LEN = 6
    NAX_FILL2_LEN = 7
    NAX_CTR_FILL_LEN = 8

    @property
    def size(self) -> int:
        """Bytes of the header of the first message."""
        return (1, 2, 2, 4, 4, 2, 3, 4, 4)[self]

    @property
    def has_counter(self) -> bool:
        """True when the second byte counts packets."""
        return self in (
            FlxHeader.NAX_CTR,
            FlxHeader.NAX_CTR_FILL2,
            FlxHeader.NAX_CTR_LEN,
            FlxHeader.NAX_CTR_FILL_LEN,
        )

    @property
    def has_length(self) -> bool:
        """True when the last byte is the packet length, so that a frame may hold several."""
        return self >= FlxHeader.NAX_LEN


def _check(alignment: int, max_length: int) -> None:
    if alignment not in (1, 2, 4):
        raise SettingsError("alignment", f"{alignment} is none of 1, 2, 4 bytes")
    if not 8 <= max_length <= MAX_PAYLOAD or max_length % 2:
        raise SettingsError("max_length", f"{max_length} is no even number from 8 to 254")


class FlexRayFraming:
    """Makes frame payloads of packets; owns the counter of one direction.

    Args:
        header: one of nine.
        nax: node address of the slave.
        alignment: bytes, 1, 2 or 4; where packets start.
        max_length: bytes of the buffer (MAX_FLX_LEN_BUF).
        full: True to fill every frame up to ``max_length``.
    """

    def __init__(
        self,
        header: FlxHeader,
        nax: int,
        *,
        alignment: int = 1,
        max_length: int = MAX_PAYLOAD,
        full: bool = False,
    ) -> None:
        _check(alignment, max_length)
        self._header = header
        self._nax = nax & 0xFF
        self._alignment = alignment
        self._max = max_length
        self._full = full
        self._counter = 0

    def reset(self) -> None:
        """Start again with counter 0."""
        self._counter = 0

    def frame(self, packet: bytes) -> bytes:
        """The payload of one packet.

        Raises:
            FramingError: the packet is empty or does not fit the buffer.
        """
        return self.frame_many([packet])[0]

    def frame_many(self, packets: Iterable[bytes]) -> list[bytes]:
        """Payloads of packets in order; several share one where the header has a length.

        Raises:
            FramingError: a packet is empty or does not fit the buffer.
        """
        payloads: list[bytearray] = []
        room = self._max - self._header.size
        for packet in packets:
            if not 0 < len(packet) <= room:
                raise FramingError("FlexRay frame", need=f"1 to {room} bytes", got=len(packet))
            if payloads and self._header.has_length:
                payload = payloads[-1]
                start = -(-(len(payload) + 1) // self._alignment) * self._alignment
                if start + len(packet) <= self._max:
                    payload += bytes(start - 1 - len(payload)) + bytes([len(packet)]) + packet
                    self._counter = (self._counter + 1) % _MODULUS
                    continue
            payloads.append(bytearray(self._first(packet)))
            self._counter = (self._counter + 1) % _MODULUS
        return [self._finish(payload) for payload in payloads]

    def _first(self, packet: bytes) -> bytes:
        head = bytearray(self._header.size)
        head[0] = self._nax
        if self._header.has_counter:
            head[1] = self._counter
        if self._header.has_length:
            head[-1] = len(packet)
        return bytes(head) + packet

    def _finish(self, payload: bytearray) -> bytes:
        size = self._max if self._full else len(payload) + len(payload) % 2
        return bytes(payload.ljust(size, b"\0"))


class FlexRayReader:
    """Takes packets out of frame payloads; never raises.

    Without a length in the header a packet keeps the tail; its real length follows from its command.

    Args:
        header: one of nine.
        nax: node address of the slave; other frames are ignored.
        alignment: bytes, as at the sender.
        sequence_correction: True to hold packets back until the ones before them came.

    Attributes:
        counts: packets given out and damage met.
        foreign: frames for other nodes.
    """

    def __init__(
        self,
        header: FlxHeader,
        nax: int,
        *,
        alignment: int = 1,
        sequence_correction: bool = False,
    ) -> None:
        _check(alignment, MAX_PAYLOAD)
        self._header = header
        self._nax = nax & 0xFF
        self._alignment = alignment
        self._watch = CounterWatch(_MODULUS)
        self._correct = sequence_correction and header.has_counter
        self._expected = -1
        self._held: dict[int, bytes] = {}
        self.counts = FramingCounts()
        self.foreign = 0

    @property
    def lost(self) -> int:
        """Packets missing so far, by the counter."""
        return self._watch.lost

    @property
    def gaps(self) -> list[Gap]:
        """The latest gaps, oldest first, bounded."""
        return list(self._watch.gaps)

    def reset(self) -> None:
        """Forget the counter and what is held back."""
        self._watch.reset()
        self._held.clear()
        self._expected = -1

    def feed(self, payload: bytes | bytearray | memoryview, t_ns: int = 0) -> list[bytes]:
        """The packets of a frame, in order; with sequence correction also earlier held ones."""
        frame = bytes(payload)
        if len(frame) <= self._header.size:
            self.counts.malformed += 1
            return []
        if frame[0] != self._nax:
            self.foreign += 1
            return []
        packets = self._packets(frame)
        self.counts.messages += len(packets)
        if not self._header.has_counter:
            return packets
        if not self._correct:
            for number, _ in enumerate(packets):
                self._watch.see((frame[1] + number) % _MODULUS, t_ns)
            return packets
        for number, packet in enumerate(packets):
            self._held[(frame[1] + number) % _MODULUS] = packet
        if self._expected < 0:
            self._expected = frame[1]
        found = self._release(t_ns)
        if len(self._held) > _MODULUS // 4:  # nothing overtakes that far: the gap is a loss
            found += self.flush(t_ns)
        return found

    def flush(self, t_ns: int = 0) -> list[bytes]:
        """Give out what is held back, with gaps; call it when a cycle has passed."""
        found: list[bytes] = []
        while self._held:
            self._expected = min(self._held, key=lambda c: (c - self._expected) % _MODULUS)
            found += self._release(t_ns)
        return found

    def _release(self, t_ns: int) -> list[bytes]:
        found: list[bytes] = []
        while self._expected in self._held:
            self._watch.see(self._expected, t_ns)
            found.append(self._held.pop(self._expected))
            self._expected = (self._expected + 1) % _MODULUS
        return found

    def _packets(self, frame: bytes) -> list[bytes]:
        at = self._header.size
        if not self._header.has_length:
            return [frame[at:]]
        packets: list[bytes] = []
        while at < len(frame):
            size = frame[at - 1]
            if size == 0:  # the end of the used part
                self.counts.empty += not packets
                break
            if at + size > len(frame):
                self.counts.malformed += 1
                break
            packets.append(frame[at : at + size])
            at = -(-(at + size + 1) // self._alignment) * self._alignment
        return packets
