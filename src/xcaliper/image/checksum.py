"""Checksums that an image carries: checked, and set right after its bytes changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from xcaliper.core.address import Address, AddressRange
from xcaliper.core.checksum import checksum_of, find_algorithm
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import GapError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xcaliper.image.memory_image import MemoryImage

__all__ = [
    "Algorithm",
    "ChecksumRegion",
    "ChecksumState",
    "check_checksums",
    "compute_checksum",
    "repair_checksums",
]

Algorithm: TypeAlias = "str | Callable[[bytes], int]"
"""A name of :data:`~xcaliper.core.checksum.ALGORITHMS`, or a function of bytes that gives the number."""


@dataclass(frozen=True, slots=True)
class ChecksumRegion:
    """One checksum of an image.

    Attributes:
        name: for messages.
        ranges: what it is computed over, in this order.
        algorithm: name, or function of the bytes.
        stored_at: where the result is kept; None when it is only computed.
        size_bytes: of the result; that of the algorithm when None, needed with a function.
        byte_order: of the result, and of words that are added.
        inverted: the stored result is the bitwise complement.
        blank: value of the stored bytes while it is computed, where they lie inside of the ranges;
            None leaves them out.
    """

    name: str
    ranges: tuple[AddressRange, ...]
    algorithm: Algorithm
    stored_at: Address | None = None
    size_bytes: int | None = None
    byte_order: ByteOrder = ByteOrder.INTEL
    inverted: bool = False
    blank: int | None = None

    def stored_range(self) -> AddressRange | None:
        """Where the result is kept.

        Raises:
            NotFoundError: no such algorithm.
            UsageError: a function without the size of its result.
        """
        return None if self.stored_at is None else AddressRange(self.stored_at, self.result_bytes())

    def result_bytes(self) -> int:
        """Bytes of the result.

        Raises:
            NotFoundError: no such algorithm.
            UsageError: a function without the size of its result.
        """
        if self.size_bytes is not None:
            if not 1 <= self.size_bytes <= 64:
                raise UsageError(f"checksum {self.name}: {self.size_bytes} bytes are no result.")
            return self.size_bytes
        if not isinstance(self.algorithm, str):
            raise UsageError(
                f"checksum {self.name}: how many bytes its function's result takes is not said.",
                hint="Give size_bytes.",
            )
        return find_algorithm(self.algorithm).size_bytes


@dataclass(frozen=True, slots=True)
class ChecksumState:
    """What was found about one checksum.

    Attributes:
        name: of the region.
        computed: over the bytes as they are, as it is stored.
        stored: in the image before; None when it is not kept there.
    """

    name: str
    computed: int
    stored: int | None

    @property
    def is_right(self) -> bool:
        """True when the stored result is the computed one."""
        return self.stored is None or self.stored == self.computed

    def __str__(self) -> str:
        if self.stored is None:
            return f"checksum {self.name}: 0x{self.computed:X}"
        if self.is_right:
            return f"checksum {self.name}: 0x{self.computed:X}, right"
        return f"checksum {self.name}: 0x{self.stored:X} is stored, 0x{self.computed:X} is right"


def compute_checksum(image: MemoryImage, region: ChecksumRegion) -> int:
    """The checksum of a region over the bytes as they are, as it is stored.

    Raises:
        GapError: the image does not hold all of the region.
        NotFoundError: no such algorithm.
        UsageError: the region does not suit the algorithm, or its function gives no number.
    """
    place = region.stored_range()
    data = b"".join(_bytes(image, one, place, region) for one in region.ranges)
    if isinstance(region.algorithm, str):
        value = checksum_of(region.algorithm, data, region.byte_order)
    else:
        given = region.algorithm(data)
        if isinstance(given, bool) or not hasattr(given, "__index__"):
            raise UsageError(
                f"checksum {region.name}: its function gave {given!r}.",
                hint="It takes bytes and gives a whole number.",
            )
        value = given.__index__()
    return (~value if region.inverted else value) & ((1 << 8 * region.result_bytes()) - 1)


def _bytes(
    image: MemoryImage, one: AddressRange, place: AddressRange | None, region: ChecksumRegion
) -> bytes:
    """Bytes of a range, with those of the result blanked or left out."""
    try:
        data = image.read(one.start, one.size_bytes)
    except GapError as error:
        raise error.named(f"checksum {region.name}") from None
    if place is None or place.start.extension != one.start.extension:
        return data
    begin = (place.start.value - one.start.value) * image.ag
    low, high = max(0, begin), min(len(data), begin + place.size_bytes)
    if low >= high:
        return data
    filling = b"" if region.blank is None else bytes([region.blank]) * (high - low)
    return data[:low] + filling + data[high:]


def check_checksums(
    image: MemoryImage, regions: Iterable[ChecksumRegion]
) -> tuple[ChecksumState, ...]:
    """What each checksum should be, and what is stored.

    Raises:
        GapError: the image does not hold all of a region, or its result.
        UsageError: as :func:`compute_checksum`.
    """
    return tuple(_state(image, one) for one in regions)


def _state(image: MemoryImage, region: ChecksumRegion) -> ChecksumState:
    place = region.stored_range()
    stored = None
    if place is not None:
        try:
            data = image.read(place.start, place.size_bytes)
        except GapError as error:
            raise error.named(f"result of checksum {region.name}") from None
        stored = int.from_bytes(data, _order(region))
    return ChecksumState(region.name, compute_checksum(image, region), stored)


def _order(region: ChecksumRegion) -> Literal["little", "big"]:
    return "little" if region.byte_order is ByteOrder.INTEL else "big"


def repair_checksums(
    image: MemoryImage, regions: Sequence[ChecksumRegion]
) -> tuple[ChecksumState, ...]:
    """Store every checksum anew, those first that others are computed over; gives what was found before.

    Raises:
        GapError: the image does not hold all of a region, or its result; nothing was written.
        UsageError: as :func:`compute_checksum`, or checksums that are computed over each other.
    """
    ordered = _ordered(image, regions)
    check_checksums(image, ordered)  # everything is there before the first byte changes
    found: dict[str, ChecksumState] = {}
    for region in ordered:
        state = found[region.name] = _state(image, region)
        place = region.stored_range()
        if place is not None and not state.is_right:
            image.write(place.start, state.computed.to_bytes(place.size_bytes, _order(region)))
    return tuple(found[one.name] for one in regions)


def _ordered(image: MemoryImage, regions: Sequence[ChecksumRegion]) -> list[ChecksumRegion]:
    """Regions so that each comes behind those whose results it covers."""
    names = [one.name for one in regions]
    if len(set(names)) < len(names):
        raise UsageError("checksums: two of them have the same name.", hint="Name them apart.")
    left, made = list(regions), []
    while left:
        ready = [
            one
            for one in left
            if not any(_covers(one, other, image.ag) for other in left if other is not one)
        ]
        if not ready:
            raise UsageError(
                f"checksums {', '.join(one.name for one in left)}: they are computed over each other.",
                hint="Leave the results of one out of the ranges of the other.",
            )
        made += ready
        left = [one for one in left if one not in ready]
    return made


def _covers(region: ChecksumRegion, other: ChecksumRegion, ag: int) -> bool:
    """True when the result of another checksum lies in a region."""
    place = other.stored_range()
    return place is not None and any(_touch(one, place, ag) for one in region.ranges)


def _touch(one: AddressRange, other: AddressRange, ag: int) -> bool:
    if one.start.extension != other.start.extension:
        return False
    a, b = one.start.value * ag, other.start.value * ag
    return a < b + other.size_bytes and b < a + one.size_bytes
