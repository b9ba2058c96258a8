"""Memory as a file holds it: runs of bytes at addresses, with gaps between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import GapError, ImageError, UsageError
from xcaliper.core.memory import SparseMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["MAX_IMAGE_BYTES", "ImageDifference", "MemoryImage", "Overlap"]

#: More than this is not held in memory: a wrong address makes fills of gigabytes.
MAX_IMAGE_BYTES: Final = 1 << 30


class Overlap(StrEnum):
    """What happens to bytes that two images hold differently."""

    REFUSE = "refuse"
    OURS = "ours"
    THEIRS = "theirs"


class _Span(NamedTuple):
    """Bytes of one extension, from ``begin`` up to ``end``; ordered as memory is."""

    extension: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class ImageDifference:
    """Where two images differ, in whole addresses.

    Attributes:
        changed: both hold it, differently.
        left_only: the first one alone holds it.
        right_only: the second one alone holds it.
    """

    changed: tuple[AddressRange, ...]
    left_only: tuple[AddressRange, ...]
    right_only: tuple[AddressRange, ...]

    def __bool__(self) -> bool:
        """True when there is a difference."""
        return bool(self.changed or self.left_only or self.right_only)


class MemoryImage:
    """Bytes at addresses. Writing replaces bytes; what changes the shape gives another image.

    Args:
        runs: address and bytes of each run, in any order; adjacent ones become one.
        ag: bytes per address, 1, 2 or 4.

    Raises:
        ImageError: two runs hold different bytes for one address, or it is too much.
        UsageError: another granularity.
    """

    def __init__(
        self, runs: Iterable[tuple[Address, bytes | bytearray]] = (), *, ag: int = 1
    ) -> None:
        self._memory = SparseMemory(ag)
        self._ag = ag
        for start, block in _joined(runs, ag):
            self._memory.add(start, block)

    @property
    def ag(self) -> int:
        """Bytes per address."""
        return self._ag

    @property
    def size_bytes(self) -> int:
        """Bytes that it holds."""
        return sum(one.size_bytes for one in self.ranges())

    @property
    def extensions(self) -> tuple[int, ...]:
        """Address extensions that it holds memory of."""
        return tuple(sorted({one.start.extension for one in self.ranges()}))

    def __repr__(self) -> str:
        return f"<MemoryImage, {len(self.ranges())} runs, {self.size_bytes} bytes>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MemoryImage):
            return NotImplemented
        return self._ag == other._ag and list(self.runs()) == list(other.runs())

    __hash__ = None  # type: ignore[assignment]  # equal by content, and the content can change

    # --- bytes ---

    def ranges(self) -> list[AddressRange]:
        """Every run, in order."""
        return self._memory.ranges()

    def runs(self) -> Iterator[tuple[Address, bytes]]:
        """Address and bytes of every run, in order."""
        for one in self._memory.ranges():
            yield one.start, self._memory.read(one.start, one.size_bytes)

    def holds(self, address: Address, size_bytes: int = 1) -> bool:
        """True when every byte is there."""
        try:
            self._memory.view(address, size_bytes)
        except UsageError:
            return False
        return True

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes at an address.

        Raises:
            GapError: the image does not hold all of them.
        """
        try:
            return self._memory.read(address, size_bytes)
        except UsageError:
            raise self._gap(address, size_bytes) from None

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes.

        Raises:
            GapError: the image does not hold all of them; nothing was written.
        """
        try:
            self._memory.write(address, data)
        except UsageError:
            raise self._gap(address, len(data)) from None

    def _gap(self, address: Address, size_bytes: int) -> GapError:
        missing = self.gaps(AddressRange(address, max(1, size_bytes)))
        return GapError(address, size_bytes, missing[0])

    # --- gaps ---

    def gaps(self, within: AddressRange | None = None) -> list[AddressRange]:
        """Runs of a range that are not there; between the runs of each extension when None."""
        spans = self._spans()
        wanted = [self._span(within)] if within is not None else _hulls(spans)
        return [self._range(one) for one in _subtract(wanted, spans)]

    def fill(self, within: AddressRange, pattern: bytes = b"\xff") -> MemoryImage:
        """An image with the gaps of a range filled; what is there stays.

        Args:
            within: whole addresses.
            pattern: repeated from the start of the range on.

        Raises:
            UsageError: no pattern, or too much to fill.
        """
        if not pattern:
            raise UsageError("fill: the pattern is empty.", hint="Give at least one byte.")
        span = self._span(within)
        gaps = list(_subtract([span], self._spans()))
        _check_size(self.size_bytes + sum(gap.end - gap.begin for gap in gaps))
        made = list(self.runs())
        for gap in gaps:
            turn = (gap.begin - span.begin) % len(pattern)
            count = -(-(gap.end - gap.begin + turn) // len(pattern))
            filling = (pattern * count)[turn : turn + gap.end - gap.begin]
            made.append((self._address(gap), filling))
        return MemoryImage(made, ag=self._ag)

    # --- other images ---

    def copy(self) -> MemoryImage:
        """The same bytes, independent of this image."""
        return MemoryImage(self.runs(), ag=self._ag)

    def crop(self, ranges: Iterable[AddressRange]) -> MemoryImage:
        """Only what lies in some ranges."""
        return self._cut(_intersect(self._spans(), _union(self._span(one) for one in ranges)))

    def without(self, ranges: Iterable[AddressRange]) -> MemoryImage:
        """Everything but what lies in some ranges."""
        return self._cut(_subtract(self._spans(), _union(self._span(one) for one in ranges)))

    def moved(self, count_ag: int) -> MemoryImage:
        """The same bytes at other addresses.

        Raises:
            UsageError: an address would be negative.
        """
        return self._placed(lambda start: start + count_ag)

    def with_extension(self, extension: int) -> MemoryImage:
        """The same bytes, all under one address extension.

        Raises:
            ImageError: they would lie on each other.
        """
        return self._placed(lambda start: Address(start.value, extension))

    def _placed(self, place: Callable[[Address], Address]) -> MemoryImage:
        return MemoryImage(((place(start), data) for start, data in self.runs()), ag=self._ag)

    def merge(self, other: MemoryImage, overlap: Overlap = Overlap.REFUSE) -> MemoryImage:
        """Both in one.

        Args:
            other: with the same bytes per address.
            overlap: whose bytes win where both hold different ones.

        Raises:
            ImageError: they hold different bytes for one address, and nobody wins.
            UsageError: another granularity.
        """
        self._check_alike(other)
        if overlap is Overlap.OURS:
            return other.merge(self, Overlap.THEIRS)
        if overlap is Overlap.REFUSE:
            return MemoryImage((*self.runs(), *other.runs()), ag=self._ag)
        return MemoryImage((*self.without(other.ranges()).runs(), *other.runs()), ag=self._ag)

    def compare(self, other: MemoryImage) -> ImageDifference:
        """Where two images differ.

        Raises:
            UsageError: another granularity.
        """
        self._check_alike(other)
        left, right = self._spans(), other._spans()
        changed: list[AddressRange] = []
        for both in _intersect(left, right):
            start, size = self._address(both), both.end - both.begin
            old, new = self.read(start, size), other.read(start, size)
            for begin, end in _differing(old, new, self._ag):
                changed.append(AddressRange(start + begin // self._ag, end - begin))
        return ImageDifference(
            tuple(changed),
            tuple(self._range(one) for one in _subtract(left, right)),
            tuple(self._range(one) for one in _subtract(right, left)),
        )

    def _check_alike(self, other: MemoryImage) -> None:
        if self._ag != other._ag:
            raise UsageError(
                f"images: one has {self._ag} bytes per address, the other {other._ag}.",
                hint="Read both with the granularity of the ECU.",
            )

    # --- spans ---

    def _spans(self) -> list[_Span]:
        return [self._span(one) for one in self._memory.ranges()]

    def _span(self, one: AddressRange) -> _Span:
        begin = one.start.value * self._ag
        return _Span(one.start.extension, begin, begin + one.size_bytes)

    def _address(self, span: _Span) -> Address:
        return Address(span.begin // self._ag, span.extension)

    def _range(self, span: _Span) -> AddressRange:
        return AddressRange(self._address(span), span.end - span.begin)

    def _cut(self, spans: Iterable[_Span]) -> MemoryImage:
        return MemoryImage(
            (
                (self._address(one), self.read(self._address(one), one.end - one.begin))
                for one in spans
            ),
            ag=self._ag,
        )


def _check_size(size_bytes: int) -> None:
    if size_bytes > MAX_IMAGE_BYTES:
        raise UsageError(
            f"image: {size_bytes} bytes are more than {MAX_IMAGE_BYTES}.",
            hint="Check the addresses; crop to the memory that is needed.",
        )


def _joined(
    runs: Iterable[tuple[Address, bytes | bytearray]], ag: int
) -> list[tuple[Address, bytearray]]:
    """Runs in order, adjacent ones as one; the same bytes may be given twice."""
    made: list[tuple[Address, bytearray]] = []
    total = 0
    for start, data in sorted(runs, key=lambda run: (run[0].extension, run[0].value)):
        if start.value < 0 or not 0 <= start.extension <= 0xFF:
            raise UsageError(f"image: there is no address {start.value}:{start.extension}.")
        total += len(data)
        _check_size(total)
        if made and made[-1][0].extension == start.extension:
            first, block = made[-1]
            offset = (start.value - first.value) * ag
            if offset <= len(block):
                _lay(block, offset, data, first, ag)
                continue
        if data:
            made.append((start, bytearray(data)))
    return made


def _lay(block: bytearray, offset: int, data: bytes | bytearray, first: Address, ag: int) -> None:
    """Put bytes behind a block; where it holds some of them already, they must be the same."""
    there = block[offset : offset + len(data)]
    if there != data[: len(there)]:
        at = next(i for i, (old, new) in enumerate(zip(there, data, strict=False)) if old != new)
        place = first + (offset + at) // ag
        raise ImageError(
            f"there are two values for {place}: 0x{there[at]:02X} and 0x{data[at]:02X}.",
            hint="Say which one counts, or cut the range out of one of them.",
        )
    block += data[len(there) :]


def _hulls(spans: list[_Span]) -> list[_Span]:
    """From the first to the last byte of every extension."""
    hulls: dict[int, _Span] = {}
    for one in spans:
        begin = hulls[one.extension].begin if one.extension in hulls else one.begin
        hulls[one.extension] = _Span(one.extension, begin, one.end)
    return list(hulls.values())


def _union(spans: Iterable[_Span]) -> list[_Span]:
    made: list[_Span] = []
    for one in sorted(spans):
        if one.begin >= one.end:
            continue
        if made and made[-1].extension == one.extension and one.begin <= made[-1].end:
            made[-1] = made[-1]._replace(end=max(made[-1].end, one.end))
        else:
            made.append(one)
    return made


def _intersect(left: list[_Span], right: list[_Span]) -> list[_Span]:
    """What both lists of ordered, separate spans have."""
    made: list[_Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        a, b = left[i], right[j]
        if a.extension == b.extension:
            begin, end = max(a.begin, b.begin), min(a.end, b.end)
            if begin < end:
                made.append(_Span(a.extension, begin, end))
        if (a.extension, a.end) <= (b.extension, b.end):
            i += 1
        else:
            j += 1
    return made


def _subtract(left: list[_Span], right: list[_Span]) -> list[_Span]:
    """What only the first of two lists of ordered, separate spans has."""
    made: list[_Span] = []
    common = iter(_intersect(left, right))
    cut = next(common, None)
    for one in left:
        begin = one.begin
        while cut is not None and cut.extension == one.extension and cut.end <= one.end:
            if begin < cut.begin:
                made.append(_Span(one.extension, begin, cut.begin))
            begin = cut.end
            cut = next(common, None)
        if begin < one.end:
            made.append(_Span(one.extension, begin, one.end))
    return made


def _differing(old: bytes, new: bytes, step: int) -> list[tuple[int, int]]:
    """Runs of whole addresses whose bytes differ."""
    if old == new:
        return []
    off = np.frombuffer(old, np.uint8) != np.frombuffer(new, np.uint8)
    units = np.unique(np.flatnonzero(off) // step)
    breaks = np.flatnonzero(np.diff(units) > 1)
    begins = units[np.concatenate(([0], breaks + 1))] * step
    ends = (units[np.concatenate((breaks, [len(units) - 1]))] + 1) * step
    return [(int(b), min(int(e), len(old))) for b, e in zip(begins, ends, strict=True)]
