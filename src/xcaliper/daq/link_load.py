"""How much of a link DTOs take: bits on CAN and CAN FD, bytes on Ethernet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["LinkModel", "can_fd_time_s", "can_frame_bits", "read_rate"]

#: Data bytes that a CAN FD frame can have.
_FD_SIZES: Final = (*range(9), 12, 16, 20, 24, 32, 48, 64)
#: Ethernet preamble, header, checksum and gap; IPv4 and UDP headers (IEEE 802.3, RFC 791, RFC 768).
_DATAGRAM_OVERHEAD: Final = 8 + 14 + 4 + 12 + 20 + 8
#: Payload of the shortest Ethernet frame without the IP and UDP headers.
_SHORTEST_DATAGRAM: Final = 46 - 28
#: LEN and CTR in front of each packet (XCP on Ethernet, header).
_HEADER: Final = 4
_KINDS: Final = ("can", "canfd", "ethernet")
_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kMG]?)(?:bit/s)?")
_FACTOR: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


def read_rate(text: str) -> float:
    """Bits per second of ``500k``, ``2M`` or ``1000000``.

    Raises:
        UsageError: it is no speed.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise UsageError(f"{text!r} is no speed of a link.", hint="500k, 2M or 1G bit per second.")
    return float(found[1]) * _FACTOR[found[2]]


def can_frame_bits(size_bytes: int, *, extended: bool = False) -> int:
    """Bits of a classical CAN frame with as many stuff bits as there can be, the gap included.

    Args:
        size_bytes: data bytes, 0 to 8.
        extended: 29 instead of 11 bits of identifier.
    """
    stuffed = (54 if extended else 34) + 8 * size_bytes
    return stuffed + 13 + (stuffed - 1) // 4


def can_fd_time_s(
    size_bytes: int, bit_rate: float, data_rate: float, *, extended: bool = False
) -> float:
    """Seconds that a CAN FD frame takes with as many stuff bits as there can be, the gap included.

    Args:
        size_bytes: data bytes, rounded up to a size that exists.
        bit_rate: of the arbitration phase, bit/s.
        data_rate: of the data phase, bit/s.
        extended: 29 instead of 11 bits of identifier.
    """
    size = next((s for s in _FD_SIZES if s >= size_bytes), 64)
    arbitration = (36 if extended else 17) + 12  # up to BRS; from CRC delimiter to the gap
    slow = arbitration + (arbitration - 13) // 4
    data = 5 + 8 * size  # ESI, DLC, data
    crc = 17 if size <= 16 else 21
    fast = data + data // 4 + 4 + crc + -(-(4 + crc) // 4)  # stuff count, fixed stuff bits
    return slow / bit_rate + fast / data_rate


def _frames(sizes: Iterable[int], most: int) -> Iterator[int]:
    for size in sizes:
        whole, rest = divmod(size, most)
        yield from [most] * whole
        if rest or not whole:
            yield rest


@dataclass(frozen=True, slots=True)
class LinkModel:
    """A link and its speed.

    Attributes:
        kind: ``can``, ``canfd`` or ``ethernet``.
        bit_rate: bit/s; of the arbitration phase for CAN FD.
        data_rate: bit/s of the data phase of CAN FD, 0 = as bit_rate.
        extended: CAN identifiers of 29 bits.
        datagram_bytes: what a datagram may carry.
        max_load: percent of its time that measuring may take (ASAP2, MAX_BUS_LOAD, 1.1); None = nobody
            says.
        is_assumed: True when nobody says how fast it is, and bit_rate is a usual speed.

    Raises:
        UsageError: no such kind, or no speed.
    """

    kind: str
    bit_rate: float
    data_rate: float = 0
    extended: bool = False
    datagram_bytes: int = 1472
    max_load: float | None = None
    is_assumed: bool = False

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise UsageError(
                f"link kind {self.kind!r} is not known.", hint=f"Use one of {', '.join(_KINDS)}."
            )
        if not self.bit_rate > 0 or self.data_rate < 0:
            raise UsageError("a link needs a speed above 0 bit/s.")

    @property
    def label(self) -> str:
        """What percents are of: the link, or a speed where nobody says how fast it is."""
        if not self.is_assumed:
            return "the link"
        unit = next(u for u in "GMk" if self.bit_rate >= _FACTOR[u] or u == "k")
        return f"{self.bit_rate / _FACTOR[unit]:g} {unit}bit/s"

    def time_s(self, dto_sizes: Sequence[int]) -> float:
        """Seconds that the DTOs of one sample occupy the link.

        On CAN the stuff bits are as many as there can be; a DTO that no frame carries counts as several.
        On Ethernet DTOs of one sample share datagrams, those of others do not.
        """
        if self.kind == "can":
            bits = sum(
                can_frame_bits(size, extended=self.extended) for size in _frames(dto_sizes, 8)
            )
            return bits / self.bit_rate
        if self.kind == "canfd":
            rate = self.data_rate or self.bit_rate
            return sum(
                can_fd_time_s(size, self.bit_rate, rate, extended=self.extended)
                for size in _frames(dto_sizes, 64)
            )
        return 8 * sum(self._datagrams(dto_sizes)) / self.bit_rate

    def _datagrams(self, dto_sizes: Iterable[int]) -> list[int]:
        """Bytes on the wire of each datagram."""
        filled: list[int] = []
        for size in dto_sizes:
            need = size + _HEADER
            if filled and filled[-1] + need <= self.datagram_bytes:
                filled[-1] += need
            else:
                filled.append(need)
        return [max(size, _SHORTEST_DATAGRAM) + _DATAGRAM_OVERHEAD for size in filled]
