"""USB: the length headers of SxI, alignment fill, and three ways to pack transfers."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from xcaliper.core.errors import FramingError, SettingsError
from xcaliper.xcp.framing.counter import CounterWatch, FramingCounts, Gap
from xcaliper.xcp.framing.header import LengthHeader

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MessagePacking", "UsbFraming", "UsbReader"]


class MessagePacking(IntEnum):
    """What a transfer of an endpoint may hold (XCP on USB, MESSAGE_PACKING, 1.0)."""

    SINGLE = 0
    MULTIPLE = 1
    STREAMING = 2


def _check_alignment(alignment: int) -> int:
    if alignment not in (1, 2, 4, 8):
        raise SettingsError("alignment", f"{alignment} is none of 1, 2, 4, 8 bytes")
    return alignment


class UsbFraming:
    """Makes transfers of packets; owns the counter of one direction.

    Args:
        header: one of six.
        alignment: bytes between the starts of messages, 1, 2, 4 or 8.
        packing: what a transfer may hold.
    """

    def __init__(
        self,
        header: LengthHeader = LengthHeader.LEN_CTR_WORD,
        *,
        alignment: int = 1,
        packing: MessagePacking = MessagePacking.SINGLE,
    ) -> None:
        self._header = header
        self._alignment = _check_alignment(alignment)
        self._packing = packing
        self._counter = 0

    def reset(self) -> None:
        """Start again with counter 0."""
        self._counter = 0

    def frame(self, packet: bytes) -> bytes:
        """One message: header, packet, fill.

        Raises:
            FramingError: the packet is empty or too long for LEN.
        """
        limit = self._header.modulus
        if not 0 < len(packet) < limit:
            raise FramingError("USB message", need=f"1 to {limit - 1} bytes", got=len(packet))
        message = self._header.pack(len(packet), self._counter) + packet
        self._counter = (self._counter + 1) % limit
        return message + bytes(-len(message) % self._alignment)

    def transfers(self, packets: Iterable[bytes], limit: int = 512) -> list[bytes]:
        """Messages in transfers of at most ``limit`` bytes, as the packing allows.

        Raises:
            FramingError: a packet is empty or too long for LEN.
        """
        messages = [self.frame(packet) for packet in packets]
        if self._packing is MessagePacking.SINGLE:
            return messages
        if self._packing is MessagePacking.STREAMING:
            stream = b"".join(messages)
            return [stream[at : at + limit] for at in range(0, len(stream), limit)]
        found: list[bytearray] = []
        for message in messages:
            if found and len(found[-1]) + len(message) <= limit:
                found[-1] += message
            else:
                found.append(bytearray(message))
        return [bytes(transfer) for transfer in found]


class UsbReader:
    """Takes packets out of transfers; never raises.

    An impossible LEN drops the rest of the transfer, and what waits in a stream.

    Args:
        header: one of six.
        alignment: bytes, as at the sender.
        packing: what a transfer may hold.
        max_packet: longest packet that the peer may send.

    Attributes:
        counts: messages given out and damage met.
    """

    def __init__(
        self,
        header: LengthHeader = LengthHeader.LEN_CTR_WORD,
        *,
        alignment: int = 1,
        packing: MessagePacking = MessagePacking.SINGLE,
        max_packet: int = 0xFFFF,
    ) -> None:
        self._header = header
        self._alignment = _check_alignment(alignment)
        self._packing = packing
        self._max_packet = min(max_packet, header.modulus - 1)
        self._watch = CounterWatch(header.modulus)
        self._buffer = bytearray()
        self._skip = 0
        self.counts = FramingCounts()

    @property
    def lost(self) -> int:
        """Messages missing so far, by the counter."""
        return self._watch.lost

    @property
    def gaps(self) -> list[Gap]:
        """The latest gaps, oldest first, bounded."""
        return list(self._watch.gaps)

    def reset(self) -> None:
        """Forget a message under way and the counter."""
        self._watch.reset()
        self._buffer.clear()
        self._skip = 0

    def feed(self, transfer: bytes | bytearray | memoryview, t_ns: int = 0) -> list[bytes]:
        """The packets that are complete now, in order."""
        buffer = self._buffer
        buffer += transfer
        packets: list[bytes] = []
        skipped = min(self._skip, len(buffer))
        self._skip -= skipped
        at = skipped
        head = self._header.size
        while len(buffer) - at >= head:
            size, counter = self._header.unpack(buffer, at)
            if size > self._max_packet:
                self.counts.malformed += 1
                at = len(buffer)
                break
            end = at + head + size
            if end > len(buffer):
                break
            self._message(packets, bytes(buffer[at + head : end]), counter, t_ns)
            at = end + -(head + size) % self._alignment
            if self._packing is MessagePacking.SINGLE:
                break
        self._skip += max(0, at - len(buffer))
        del buffer[:at]
        if self._packing is not MessagePacking.STREAMING:
            self.counts.malformed += bool(buffer)
            buffer.clear()
            self._skip = 0
        return packets

    def _message(self, packets: list[bytes], packet: bytes, counter: int, t_ns: int) -> None:
        if self._header.has_counter:
            self._watch.see(counter, t_ns)
        if packet:
            packets.append(packet)
            self.counts.messages += 1
        else:
            self.counts.empty += 1
