"""An image as calibration sees it: addresses of the description, bytes where the file has them.

Parameters in RAM get their values from flash when the ECU starts; a hex file holds those, at other
addresses. The description tells where by pages that are initialised from another segment, by mirrors
and by address mappings; the user may tell it, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.a2l.if_xcp import read_segment
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import GapError, NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xcaliper.a2l.keywords.memory import MemoryLayout, MemorySegment
    from xcaliper.a2l.xcp_model import XcpSegment
    from xcaliper.image.memory_image import MemoryImage
    from xcaliper.quantity.catalog import Catalog

__all__ = [
    "Move",
    "Offset",
    "PageImage",
    "described_moves",
    "described_ranges",
    "given_moves",
    "parameter_ranges",
    "segment_range",
]

Offset: TypeAlias = "int | Mapping[str, int] | Sequence[Move]"
"""Where initial values are: added to every address that the image lacks, per memory segment, or as moves."""

_EVERYTHING: Final = 1 << 40
_PARAMETERS: Final = frozenset({"DATA", "CALIBRATION_VARIABLES"})


@dataclass(frozen=True, slots=True)
class Move:
    """Memory whose bytes an image holds elsewhere.

    Attributes:
        start: first address in the description.
        size_bytes: length.
        to: where the image holds it.
        reason: what says so, for messages.
        is_firm: it counts even where the image holds the address itself.
        every_extension: the extension of an address does not matter.
    """

    start: Address
    size_bytes: int
    to: Address
    reason: str = ""
    is_firm: bool = False
    every_extension: bool = False

    def __call__(self, address: Address, size_bytes: int, ag: int) -> Address | None:
        """The place in the image; None for what does not lie wholly inside."""
        if self.every_extension:
            address = Address(address.value, self.start.extension)
        if not AddressRange(self.start, self.size_bytes).contains(address, size_bytes, ag=ag):
            return None
        return self.to + (address.value - self.start.value)


def given_moves(catalog: Catalog, offset: Offset | None) -> tuple[Move, ...]:
    """Moves that a user gives.

    Args:
        catalog: the description, for names of memory segments.
        offset: added to every address that the image does not hold; or name of a memory segment →
            added to its addresses; or moves.

    Raises:
        NotFoundError: no such memory segment.
        UsageError: an offset that leads below zero.
    """
    if offset is None:
        return ()
    if isinstance(offset, int):
        first = max(0, -offset)
        start, to = Address(first), Address(first + offset)
        return (Move(start, _EVERYTHING, to, "The offset given", every_extension=True),)
    if not isinstance(offset, Mapping):
        return tuple(offset)
    segments = {one.name: one for one in _segments(catalog)}
    made: list[Move] = []
    for name, count in offset.items():
        if name not in segments:
            raise NotFoundError(name, kind="memory segment", nearest=tuple(segments)[:8])
        start, size = _start(segments[name]), segments[name].size
        if start.value + count < 0:
            raise UsageError(f"{name}: offset {count} leads below address 0.")
        to = Address(start.value + count)
        made.append(Move(start, size, to, f"the offset of {name}", is_firm=True))
    return tuple(made)


def described_ranges(catalog: Catalog) -> tuple[AddressRange, ...]:
    """Memory segments of a description, with their address extensions."""
    return tuple(AddressRange(_start(one), one.size) for one in _segments(catalog))


def parameter_ranges(catalog: Catalog) -> tuple[tuple[str, AddressRange], ...]:
    """Names and ranges of memory segments of parameters, in whole addresses (ASAP2, MEMORY_SEGMENT, PrgType, 1.0)."""
    found = []
    for one in _segments(catalog):
        size = one.size - one.size % catalog.ag
        if one.prg_type in _PARAMETERS and size > 0:
            found.append((one.name, AddressRange(_start(one), size)))
    return tuple(found)


def segment_range(catalog: Catalog, number: int) -> AddressRange:
    """The memory segment with a number of XCP (ASAP2, IF_DATA XCP SEGMENT).

    Raises:
        NotFoundError: there is none.
    """
    known = {}
    for one in _segments(catalog):
        xcp = read_segment(one.if_data)
        if xcp is not None:
            known[xcp.number] = AddressRange(_start(one), one.size)
    if number not in known:
        nearest = tuple(str(one) for one in known)
        raise NotFoundError(str(number), kind="segment", nearest=nearest)
    return known[number]


def described_moves(catalog: Catalog) -> tuple[Move, ...]:
    """Moves that a description tells: pages initialised from a segment, address mappings, mirrors.

    *(ASAP2, IF_DATA XCP SEGMENT, INIT_SEGMENT and ADDRESS_MAPPING; ASAP2, MEMORY_SEGMENT, mirrors)*
    """
    segments = _segments(catalog)
    known = [(one, read_segment(one.if_data)) for one in segments]
    moves = [move for one, xcp in known if xcp for move in _by_page(one, xcp, known)]
    moves += [move for one, xcp in known if xcp for move in _by_mapping(one, xcp)]
    for segment in segments:
        moves += _by_mirror(segment, segment.name, _start(segment))
    par = catalog.index.module.mod_par
    for layout in par.memory_layout if par else ():
        moves += _by_mirror(layout, layout.prg_type, Address(layout.address))
    return tuple(moves)


def _segments(catalog: Catalog) -> list[MemorySegment]:
    par = catalog.index.module.mod_par
    return list(par.memory_segment) if par else []


def _start(segment: MemorySegment) -> Address:
    xcp = read_segment(segment.if_data)
    return Address(segment.address, xcp.address_extension if xcp else 0)


def _by_page(
    segment: MemorySegment,
    xcp: XcpSegment,
    known: Sequence[tuple[MemorySegment, XcpSegment | None]],
) -> Iterator[Move]:
    """The segment that a page is initialised from, when it is another one."""
    for page in xcp.pages:
        for other, its in known:
            if its is not None and its.number == page.init_segment and other is not segment:
                size = min(segment.size, other.size)
                reason = f"{segment.name} is initialised from {other.name}"
                yield Move(_start(segment), size, _start(other), reason)


def _by_mapping(segment: MemorySegment, xcp: XcpSegment) -> Iterator[Move]:
    extension = xcp.address_extension
    for source, destination, length in xcp.address_mappings:
        reason = f"ADDRESS_MAPPING of {segment.name}"
        ends = Address(source, extension), Address(destination, extension)
        yield Move(ends[0], length, ends[1], reason)
        yield Move(ends[1], length, ends[0], reason)


def _by_mirror(one: MemorySegment | MemoryLayout, name: str, start: Address) -> Iterator[Move]:
    """Mirrors of a segment, and the segment for each of its mirrors; −1 and 0 are none."""
    for offset in (one.offset_1, one.offset_2, one.offset_3, one.offset_4, one.offset_5):
        if offset in (-1, 0, 0xFFFF_FFFF) or start.value + offset < 0:
            continue
        reason = f"mirror of {name}"
        yield Move(start, one.size, start + offset, reason)
        yield Move(start + offset, one.size, start, reason)


class PageImage:
    """The memory of one page, held by an image: a :class:`~xcaliper.calib.port.MemoryPort`.

    An address leads, in this order, to where firm moves say; to itself; to where the other moves say.
    An image with one address extension, as hex files have it, serves the others as well, because such
    files know none; but never where the description has a memory segment under that one extension.

    Args:
        image: the bytes.
        moves: where the image holds what lies elsewhere in the description.
        described: memory segments of the description.
    """

    def __init__(
        self,
        image: MemoryImage,
        moves: Iterable[Move] = (),
        described: Iterable[AddressRange] = (),
    ) -> None:
        self.image = image
        self._described = tuple(described)
        moves = tuple(moves)
        self._firm = tuple(one for one in moves if one.is_firm)
        self._moves = tuple(one for one in moves if not one.is_firm)

    @property
    def ag(self) -> int:
        """Bytes per address."""
        return self.image.ag

    def locate(self, address: Address, size_bytes: int) -> Address:
        """Where the image holds something.

        Raises:
            GapError: it does not hold all of it.
        """
        for one in self._firm:
            place = one(address, size_bytes, self.ag)
            if place is not None:
                return self._held(place, size_bytes) or self._miss(place, size_bytes, one)
        found = self._held(address, size_bytes)
        if found is not None:
            return found
        tried: Move | None = None
        for one in self._moves:
            place = one(address, size_bytes, self.ag)
            if place is None:
                continue
            tried = tried or one
            found = self._held(place, size_bytes)
            if found is not None:
                return found
        return self._miss(address, size_bytes, tried)

    def _held(self, place: Address, size_bytes: int) -> Address | None:
        if self.image.holds(place, size_bytes):
            return place
        other = self._unextended(place)
        return other if other != place and self.image.holds(other, size_bytes) else None

    def _unextended(self, place: Address) -> Address:
        """The address under the image's only extension, where that is nobody else's memory."""
        extensions = self.image.extensions
        if len(extensions) != 1:
            return place
        other = Address(place.value, extensions[0])
        if any(one.contains(other, ag=self.ag) for one in self._described):
            return place
        return other

    def _miss(self, address: Address, size_bytes: int, tried: Move | None) -> Address:
        wanted = AddressRange(self._unextended(address), max(1, size_bytes))
        hint = "Its initial value may be elsewhere: give the offset, or another image."
        if tried is not None:
            hint = f"{tried.reason or 'A move'}: nothing is there either. Give another image."
        elif wanted.start.extension not in self.image.extensions:
            known = ", ".join(map(str, self.image.extensions)) or "nothing"
            hint = f"The image holds address extension {known}: say which one its file has."
        raise GapError(address, size_bytes, self.image.gaps(wanted)[0], hint=hint)

    def _parts(self, address: Address, size_bytes: int) -> list[tuple[Address, int, int]]:
        """Place in the image, offset and size of every part, cut where a move begins or ends.

        Raises:
            GapError: the image does not hold all of them.
        """
        try:
            return [(self.locate(address, size_bytes), 0, size_bytes)]
        except GapError:
            cuts = self._cuts(address, size_bytes)
            if len(cuts) < 3:
                raise
        try:
            return [
                (self.locate(address + begin // self.ag, end - begin), begin, end - begin)
                for begin, end in pairwise(cuts)
            ]
        except GapError as error:
            raise GapError(address, size_bytes, error.gap, hint=error.hint) from None

    def _cuts(self, address: Address, size_bytes: int) -> list[int]:
        """Offsets at which moves begin or end, with 0 and the size."""
        found = {0, size_bytes}
        for one in (*self._firm, *self._moves):
            if one.every_extension or one.start.extension == address.extension:
                begin = (one.start.value - address.value) * self.ag
                found.update((begin, begin + one.size_bytes))
        return sorted(cut for cut in found if 0 <= cut <= size_bytes)

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes at an address of the description.

        Raises:
            GapError: the image does not hold all of them.
        """
        parts = self._parts(address, size_bytes)
        return b"".join(self.image.read(place, size) for place, _, size in parts)

    def read_many(self, places: Sequence[tuple[Address, int]]) -> list[bytes]:
        """Bytes of several places.

        Raises:
            GapError: the image does not hold all of them.
        """
        return [self.read(address, size_bytes) for address, size_bytes in places]

    def places(self, address: Address, size_bytes: int) -> list[AddressRange]:
        """Where the image holds something, in parts where it is torn apart.

        Raises:
            GapError: it does not hold all of it.
        """
        return [AddressRange(place, size) for place, _, size in self._parts(address, size_bytes)]

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes at an address of the description.

        Raises:
            GapError: the image does not hold all of them; nothing was written.
        """
        for place, begin, size in self._parts(address, len(data)):
            self.image.write(place, data[begin : begin + size])
