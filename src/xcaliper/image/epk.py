"""The identification of a program in its image (ASAP2, EPK and ADDR_EPK)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.address import Address, AddressRange

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.image.memory_image import MemoryImage

__all__ = ["FoundEpk", "find_epk"]

_MAX_PLACES: Final = 16


@dataclass(frozen=True, slots=True)
class FoundEpk:
    """What an image says about its program.

    Attributes:
        wanted: EPK of the description; empty when it has none.
        text: what stands where the EPK should be; empty when the image has nothing there.
        places: where the wanted EPK stands.
        is_searched: no address was given, or the image has nothing there, and the whole image was searched.
    """

    wanted: str
    text: str
    places: tuple[AddressRange, ...]
    is_searched: bool = False

    @property
    def described_places(self) -> tuple[AddressRange, ...]:
        """Where the description says that it stands, and it does."""
        return () if self.is_searched else self.places

    @property
    def is_known(self) -> bool:
        """True when there is something to compare."""
        return bool(self.wanted) and bool(self.text or self.places)

    @property
    def is_right(self) -> bool:
        """True unless the image names another program."""
        return bool(self.places) or not self.is_known


def find_epk(image: MemoryImage, epk: str, addresses: Iterable[int] = ()) -> FoundEpk:
    """Whether an image is of the program of a description.

    Args:
        image: of the program.
        epk: text of the description; its padding does not count.
        addresses: where it should stand; the whole image is searched when there is none, or none of them
            is in the image.
    """
    wanted = epk.strip("\0 ")
    pattern = wanted.encode("latin-1", "replace")
    texts: list[str] = []
    places: list[AddressRange] = []
    for value in addresses:
        start = _place(image, value, len(pattern))
        if start is None:
            continue
        found = _text(image, start, len(pattern))
        texts.append(found)
        if wanted and found == wanted:
            places.append(AddressRange(start, len(pattern)))
    if texts or not pattern:
        return FoundEpk(wanted, texts[0] if texts else "", tuple(places))
    places = _search(image, pattern)
    return FoundEpk(wanted, wanted if places else "", tuple(places), is_searched=True)


def _place(image: MemoryImage, value: int, size_bytes: int) -> Address | None:
    """The address under the extension that the image holds it with; None when it does not."""
    for extension in image.extensions:
        if image.holds(Address(value, extension), max(1, size_bytes)):
            return Address(value, extension)
    return None


def _text(image: MemoryImage, start: Address, size_bytes: int) -> str:
    """The text at an address, as long as the EPK of the description is."""
    return image.read(start, size_bytes).split(b"\0")[0].decode("latin-1").strip()


def _search(image: MemoryImage, pattern: bytes) -> list[AddressRange]:
    found: list[AddressRange] = []
    for start, data in image.runs():
        at = data.find(pattern)
        while at >= 0 and len(found) < _MAX_PLACES:
            if at % image.ag == 0:
                found.append(AddressRange(start + at // image.ag, len(pattern)))
            at = data.find(pattern, at + 1)
    return found
