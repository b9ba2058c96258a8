"""CAN and CAN FD: one frame, one packet, padded where the length code demands it."""

from __future__ import annotations

from typing import Final

from xcaliper.core.errors import FramingError, SettingsError
from xcaliper.xcp.framing.counter import FramingCounts

__all__ = ["FD_LENGTHS", "CanFraming", "CanReader", "padded_length"]

#: Data lengths that CAN FD frames can have.
FD_LENGTHS: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)


def padded_length(size_bytes: int) -> int:
    """Shortest data length of a (FD) frame for a packet (ISO 11898-1, DLC).

    Raises:
        FramingError: longer than 64 bytes.
    """
    for length in FD_LENGTHS:
        if length >= size_bytes:
            return length
    raise FramingError("CAN frame", need="at most 64 bytes", got=size_bytes)


class CanFraming:
    """Makes frame payloads of packets.

    Args:
        max_dlc: longest payload in bytes; 8 for classic CAN, up to 64 for CAN FD.
        max_dlc_required: True when every frame must have that length (MAX_DLC_REQUIRED).
        padding: value of fill bytes.
    """

    def __init__(
        self, *, max_dlc: int = 8, max_dlc_required: bool = False, padding: int = 0
    ) -> None:
        if max_dlc not in FD_LENGTHS or max_dlc < 8:
            raise SettingsError("max_dlc", f"{max_dlc} is no CAN data length from 8 on")
        self._max = max_dlc
        self._full = max_dlc_required
        self._fill = bytes([padding & 0xFF])

    def frame(self, packet: bytes) -> bytes:
        """The payload for a packet.

        Raises:
            FramingError: the packet is empty or does not fit the frame.
        """
        if not 0 < len(packet) <= self._max:
            raise FramingError("CAN frame", need=f"1 to {self._max} bytes", got=len(packet))
        length = self._max if self._full else padded_length(len(packet))
        return packet.ljust(length, self._fill)


class CanReader:
    """Takes packets out of frame payloads; never raises.

    The real length of a padded packet follows from its command or DAQ list, so padding stays.

    Attributes:
        counts: packets given out and damage met.
    """

    def __init__(self) -> None:
        self.counts = FramingCounts()

    def feed(self, payload: bytes | bytearray | memoryview) -> list[bytes]:
        """The packet of a frame; empty for empty and impossible frames."""
        if not payload:
            self.counts.empty += 1
            return []
        if len(payload) > FD_LENGTHS[-1]:
            self.counts.malformed += 1
            return []
        self.counts.messages += 1
        return [bytes(payload)]
