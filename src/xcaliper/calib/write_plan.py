"""Writes, few and in order: only what differs, neighbours together, later writes over earlier ones."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.address import Address, AddressRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Read = Callable[[Address, int], bytes]

__all__ = ["JOIN_BYTES", "Run", "changed_runs", "difference", "plan_runs"]

#: Equal bytes between two changes that cost less than another packet; an element is never torn apart.
JOIN_BYTES: Final = 8
#: The largest element of ASAP2; a write of this length is one, and is sent whole.
_ELEMENT_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Run:
    """Bytes that change at one place.

    Attributes:
        address: of the first byte.
        old: bytes before.
        new: bytes after, as many.
    """

    address: Address
    old: bytes
    new: bytes

    @property
    def size_bytes(self) -> int:
        """Length."""
        return len(self.new)

    @property
    def range(self) -> AddressRange:
        """Where it is."""
        return AddressRange(self.address, len(self.new))

    def back(self) -> Run:
        """The run that undoes it."""
        return Run(self.address, self.new, self.old)


def changed_runs(
    now: bytes, data: bytes, step: int, join: int = JOIN_BYTES
) -> list[tuple[int, int]]:
    """Where bytes differ, as begin and end; whole steps, those less than ``join`` bytes apart in one.

    Args:
        now: bytes as they are.
        data: bytes as they shall be, as many.
        step: bytes that belong together: an element, or an address.
        join: equal bytes that separate two runs.
    """
    runs: list[tuple[int, int]] = []
    for begin in _differing(now, data, step):
        end = min(begin + step, len(data))
        if runs and begin - runs[-1][1] < join:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((begin, end))
    return runs


def _differing(now: bytes, data: bytes, step: int, stride: int = 4096) -> Iterable[int]:
    """Begin of every step that differs; long equal stretches are passed over at once."""
    stride -= stride % step
    for start in range(0, len(data), max(stride, step)):
        end = start + max(stride, step)
        if now[start:end] == data[start:end]:
            continue
        for begin in range(start, min(end, len(data)), step):
            if now[begin : begin + step] != data[begin : begin + step]:
                yield begin


def difference(start: Address, now: bytes, data: bytes, *, ag: int = 1) -> list[Run]:
    """The runs that turn bytes at an address into others of the same length."""
    return [
        Run(start + begin // ag, now[begin:end], data[begin:end])
        for begin, end in changed_runs(now, data, ag)
    ]


@dataclass(slots=True)
class _Span:
    """A stretch that some writes cover."""

    extension: int
    begin: int
    end: int
    order: int
    writes: list[int]


def plan_runs(
    writes: Sequence[tuple[Address, bytes]],
    read: Read,
    *,
    ag: int = 1,
    areas: Sequence[AddressRange] = (),
) -> list[Run]:
    """What has to be sent so that memory is as these writes, one after the other, would leave it.

    A run stands where the first write that it serves stood; so axis points that were written before the
    values are sent before them.

    Args:
        writes: bytes by address, later ones over earlier ones.
        read: gives bytes for an address and a size, as memory is now.
        ag: bytes per address.
        areas: where bytes between two writes may be sent as well, because all of it is parameters;
            elsewhere only writes that touch each other are joined.
    """
    found: list[tuple[int, Run]] = []
    for span in _spans(writes, ag, areas):
        size = -(-(span.end - span.begin) // ag) * ag
        start = Address(span.begin // ag, span.extension)
        now = read(start, size)
        wanted = bytearray(now)
        for number in span.writes:
            address, data = writes[number]
            at = address.value * ag - span.begin
            wanted[at : at + len(data)] = data
        atoms = _atoms(span, writes, ag)
        for begin, end in _whole(changed_runs(now, bytes(wanted), ag), atoms):
            run = Run(start + begin // ag, now[begin:end], bytes(wanted[begin:end]))
            found.append((span.order, run))
    found.sort(key=lambda item: (item[0], item[1].address))
    return [run for _, run in found]


def _atoms(span: _Span, writes: Sequence[tuple[Address, bytes]], ag: int) -> list[tuple[int, int]]:
    """Begin and end of every write that is as short as an element; they are sent whole."""
    found = []
    for number in span.writes:
        address, data = writes[number]
        if len(data) <= _ELEMENT_BYTES:
            begin = address.value * ag - span.begin
            found.append((begin, -(-(begin + len(data)) // ag) * ag))
    return sorted(found)


def _whole(
    runs: Sequence[tuple[int, int]], atoms: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The runs, each as long as the elements that it begins and ends in."""
    found: list[tuple[int, int]] = []
    starts = [begin for begin, _ in atoms]
    for begin, end in runs:
        first, last = bisect_right(starts, begin) - 1, bisect_left(starts, end) - 1
        if first >= 0 and atoms[first][1] > begin:
            begin = atoms[first][0]  # noqa: PLW2901
        if last >= 0:
            end = max(end, atoms[last][1])  # noqa: PLW2901
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def _spans(
    writes: Sequence[tuple[Address, bytes]], ag: int, areas: Sequence[AddressRange]
) -> list[_Span]:
    """Writes that touch, overlap, or are close in one area, together."""
    spans: list[_Span] = []
    places = sorted(
        (address.extension, address.value * ag, address.value * ag + len(data), number)
        for number, (address, data) in enumerate(writes)
        if data
    )
    for extension, begin, end, number in places:
        last = spans[-1] if spans else None
        if last is not None and _joins(last, extension, begin, ag, areas):
            last.end = max(last.end, end)
            last.order = min(last.order, number)
            last.writes.append(number)
        else:
            spans.append(_Span(extension, begin, end, number, [number]))
    for span in spans:
        span.writes.sort()
    return spans


def _joins(last: _Span, extension: int, begin: int, ag: int, areas: Sequence[AddressRange]) -> bool:
    if extension != last.extension:
        return False
    if begin <= -(-last.end // ag) * ag:
        return True
    if begin - last.end >= JOIN_BYTES:
        return False
    start, size = Address(last.end // ag, extension), begin - last.end // ag * ag
    return any(area.contains(start, size, ag=ag) for area in areas)
