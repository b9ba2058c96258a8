"""Serial and SPI: ``header | packet | fill | checksum``, optionally between SYNC bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from xcaliper.core.errors import FramingError, SettingsError
from xcaliper.xcp.framing.counter import CounterWatch, FramingCounts, Gap
from xcaliper.xcp.framing.header import LengthHeader

__all__ = ["SxiChecksum", "SxiFormat", "SxiFraming", "SxiReader"]

#: What stands behind ESC for an ESC and for a SYNC byte *(XCP on SxI, framing, 1.3)*.
_ESC_ESC: Final = 0
_ESC_SYNC: Final = 1


class SxiChecksum(IntEnum):
    """Checksum behind the packet; the number is its size in bytes (XCP on SxI, tail, 1.0)."""

    NONE = 0
    BYTE = 1
    WORD = 2

    def of(self, body: bytes) -> bytes:
        """Checksum of header, packet and fill."""
        if self is SxiChecksum.BYTE:
            return bytes([sum(body) & 0xFF])
        if self is SxiChecksum.WORD:
            total = sum(body[::2]) + (sum(body[1::2]) << 8)
            return (total & 0xFFFF).to_bytes(2, "little")
        return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SxiFormat:
    """How messages look on a line.

    Attributes:
        header: one of six.
        checksum: none, sum of bytes or sum of words.
        unit: bytes of an SPI transfer; messages are filled up to a multiple.
        min_packet: shorter packets are filled up to it; MAX_CTO for SPI with one clock, where the
            other side can only send while this one does *(XCP on SxI, SPI, 1.0)*.
        sync: byte before each message; negative = no framing *(XCP on SxI, framing, 1.3)*.
        esc: byte that replaces SYNC and ESC inside a message.
    """

    header: LengthHeader = LengthHeader.LEN_BYTE
    checksum: SxiChecksum = SxiChecksum.NONE
    unit: int = 1
    min_packet: int = 0
    sync: int = -1
    esc: int = -1

    def __post_init__(self) -> None:
        if self.unit not in (1, 2, 4):
            raise SettingsError("unit", f"{self.unit} is none of 1, 2, 4 bytes")
        if (self.sync < 0) != (self.esc < 0) or self.sync > 255 or self.esc > 255:
            raise SettingsError("sync", "SYNC and ESC are two byte values, or both absent")
        if self.sync >= 0 and self.sync == self.esc:
            raise SettingsError("esc", "SYNC and ESC must differ")

    def body_size(self, packet_size: int) -> int:
        """Bytes of header, packet and fill."""
        size = self.header.size + max(packet_size, self.min_packet)
        if self.checksum is SxiChecksum.WORD:
            size += size % 2
            return size + -(size + 2) % self.unit
        return size + -(size + self.checksum) % self.unit


class SxiFraming:
    """Makes messages of packets; owns the counter of one direction.

    Args:
        form: how messages look.
    """

    def __init__(self, form: SxiFormat) -> None:
        self._form = form
        self._counter = 0

    def reset(self) -> None:
        """Start again with counter 0."""
        self._counter = 0

    def frame(self, packet: bytes) -> bytes:
        """One message.

        Raises:
            FramingError: the packet is empty or too long for LEN.
        """
        form = self._form
        size = len(packet)
        if not 0 < size < form.header.modulus:
            raise FramingError(
                "SxI message", need=f"1 to {form.header.modulus - 1} bytes", got=size
            )
        body = form.header.pack(size, self._counter) + packet
        self._counter = (self._counter + 1) % form.header.modulus
        body = body.ljust(form.body_size(size), b"\0")
        message = body + form.checksum.of(body)
        if form.sync < 0:
            return message
        sync, esc = bytes([form.sync]), bytes([form.esc])
        escaped = message.replace(esc, esc + bytes([_ESC_ESC]))
        return sync + escaped.replace(sync, esc + bytes([_ESC_SYNC]))


class SxiReader:
    """Takes packets out of a byte stream, cut anywhere; never raises.

    A wrong checksum drops its message. An impossible LEN drops everything that waits; without SYNC
    bytes the reader is in step again after :meth:`idle` *(XCP on SxI, error handling, 1.0)*.

    Args:
        form: how messages look.
        max_packet: longest packet that the peer may send.

    Attributes:
        counts: messages given out and damage met.
    """

    def __init__(self, form: SxiFormat, *, max_packet: int = 0xFFFF) -> None:
        self._form = form
        self._max_packet = min(max_packet, form.header.modulus - 1)
        self._watch = CounterWatch(form.header.modulus)
        self._buffer = bytearray()
        self._escaped = False
        self._inside = form.sync < 0
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
        self.idle()

    def idle(self) -> None:
        """Tell that the line was silent between two bytes for too long: drop what is incomplete."""
        if self._buffer:
            self.counts.malformed += 1
        self._drop()

    def _drop(self) -> None:
        self._buffer.clear()
        self._escaped = False
        self._inside = self._form.sync < 0

    def feed(self, chunk: bytes | bytearray | memoryview, t_ns: int = 0) -> list[bytes]:
        """The packets that are complete now, in order."""
        packets: list[bytes] = []
        if self._form.sync < 0:
            self._buffer += chunk
            while self._take(packets, t_ns):
                pass
            return packets
        for byte in bytes(chunk):
            self._feed_byte(byte)
            if self._inside:
                while self._take(packets, t_ns):
                    self._drop()  # the next message begins with SYNC
        return packets

    def _feed_byte(self, byte: int) -> None:
        """Unescape; SYNC begins a message wherever it comes."""
        form = self._form
        if byte == form.sync:
            self.idle()
            self._inside = True
        elif not self._inside:
            return
        elif self._escaped:
            self._escaped = False
            if byte == _ESC_ESC:
                self._buffer.append(form.esc)
            elif byte == _ESC_SYNC:
                self._buffer.append(form.sync)
            else:
                self.counts.malformed += 1
                self._drop()
        elif byte == form.esc:
            self._escaped = True
        else:
            self._buffer.append(byte)

    def _take(self, packets: list[bytes], t_ns: int) -> bool:
        """Take one message off the buffer; False when none is complete."""
        form, buffer = self._form, self._buffer
        head = form.header.size
        if len(buffer) < head:
            return False
        size, counter = form.header.unpack(buffer, 0)
        if not 0 < size <= self._max_packet:
            if size:
                self.counts.malformed += 1
            else:
                self.counts.empty += 1
            self._drop()
            return False
        body_size = form.body_size(size)
        end = body_size + form.checksum
        if len(buffer) < end:
            return False
        body = bytes(buffer[:body_size])
        if form.checksum.of(body) == bytes(buffer[body_size:end]):
            if form.header.has_counter:
                self._watch.see(counter, t_ns)
            packets.append(body[head : head + size])
            self.counts.messages += 1
        else:
            self.counts.checksum += 1
        del buffer[:end]
        return True
