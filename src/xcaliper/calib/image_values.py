"""Parameters of an image: its memory with what must stay, and how it differs from other values."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from xcaliper.calib.compare import SetDifference, compare
from xcaliper.calib.extract import extract
from xcaliper.calib.places import PlaceIndex
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.calib.page_image import PageImage
    from xcaliper.core.address import Address, AddressRange
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.quantity.catalog import Catalog

__all__ = ["GuardedImage", "ParameterDifference", "compare_images"]


class GuardedImage:
    """The memory of an image that calibration may write: a :class:`~xcaliper.calib.port.MemoryPort`.

    Args:
        page: where the bytes are.
        kept: places in the image that nobody may write, with what is there.
    """

    def __init__(self, page: PageImage, kept: Iterable[tuple[AddressRange, str]] = ()) -> None:
        self.page = page
        self._kept = tuple(kept)

    @property
    def ag(self) -> int:
        """Bytes per address."""
        return self.page.ag

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes at an address of the description.

        Raises:
            GapError: the image does not hold all of them.
        """
        return self.page.read(address, size_bytes)

    def check(self, address: Address, size_bytes: int, name: str = "image") -> None:
        """Refuse what lies on something that stays what it is.

        Args:
            address: in the description.
            size_bytes: length.
            name: of the parameter, for the message.

        Raises:
            GapError: the image does not hold all of it.
            UsageError: something lies there that is kept.
        """
        for place in self.page.places(address, size_bytes):
            for one, what in self._kept:
                if _touch(one, place, self.ag):
                    raise UsageError(
                        f"{name}: {what} lies at {one.start}, and is kept.",
                        hint="Correct the address of the parameter.",
                    )

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes at an address of the description.

        Raises:
            GapError: the image does not hold all of them; nothing was written.
            UsageError: something lies there that stays what it is; nothing was written.
        """
        self.check(address, len(data))
        self.page.write(address, data)


def _touch(one: AddressRange, other: AddressRange, ag: int) -> bool:
    if one.start.extension != other.start.extension:
        return False
    first, second = one.start.value * ag, other.start.value * ag
    return first < second + other.size_bytes and second < first + one.size_bytes


@dataclass(frozen=True, slots=True)
class ParameterDifference:
    """Two images, compared as parameters.

    Attributes:
        parameters: parameters that differ.
        alike: parameters with other bytes and equal values: spare bits, fill between values.
        unnamed: places in the image that differ and belong to no parameter: code, checksums.
        left_only: places that only the left image holds.
        right_only: places that only the right image holds.
        diagnostics: parameters that could not be compared, with the reason.
    """

    parameters: SetDifference
    alike: tuple[str, ...] = ()
    unnamed: tuple[AddressRange, ...] = ()
    left_only: tuple[AddressRange, ...] = ()
    right_only: tuple[AddressRange, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    def __bool__(self) -> bool:
        """True when there is a difference of any kind."""
        return bool(self.names or self.alike or self.unnamed or self.left_only or self.right_only)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters that differ, each once."""
        both = self.parameters
        found = [one.name for one in both.changed]
        found += [name for name, _ in (*both.left_only, *both.right_only)]
        return tuple(dict.fromkeys(found))

    def text(self) -> str:
        """A line per parameter, then what is no parameter."""
        lines = [self.parameters.text()]
        if self.alike:
            lines.append(f"other bytes, equal values: {', '.join(self.alike)}")
        for what, ranges in (
            ("no parameter", self.unnamed),
            ("only in the left image", self.left_only),
            ("only in the right image", self.right_only),
        ):
            if ranges:
                size = sum(one.size_bytes for one in ranges)
                places = ", ".join(f"{one.start} ({one.size_bytes})" for one in ranges[:8])
                more = f" and {len(ranges) - 8} more" if len(ranges) > 8 else ""
                lines.append(f"{what}: {size} bytes at {places}{more}")
        lines += [str(one) for one in self.diagnostics]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""

        def listed(ranges: tuple[AddressRange, ...]) -> list[dict[str, int]]:
            return [
                {
                    "address": one.start.value,
                    "extension": one.start.extension,
                    "size": one.size_bytes,
                }
                for one in ranges
            ]

        return {
            **self.parameters.as_dict(),
            "alike": list(self.alike),
            "unnamed": listed(self.unnamed),
            "left_image_only": listed(self.left_only),
            "right_image_only": listed(self.right_only),
            "problems": [one.text for one in self.diagnostics],
        }

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text())}</pre>"


def compare_images(
    catalog: Catalog,
    left: PageImage,
    right: PageImage,
    *,
    absolute: float = 0.0,
    relative: float = 0.0,
) -> ParameterDifference:
    """Where two images of one description differ, in parameters.

    Only parameters whose bytes differ, in one image or the other, are read.

    Args:
        catalog: the description of both.
        left: one image.
        right: the other one.
        absolute: how far numbers may be apart, in their unit.
        relative: how far they may be apart, as a part of the larger one.

    Raises:
        UsageError: a tolerance is below 0, or the granularities differ.
    """
    bytes_ = left.image.compare(right.image)
    told: dict[str, Diagnostic] = {}

    def note(found: Diagnostic) -> None:
        told.setdefault(str(found), found)

    names: dict[str, None] = {}
    unnamed: list[list[AddressRange]] = []
    places = (*bytes_.changed, *bytes_.left_only, *bytes_.right_only)
    for page in (left, right):
        index = PlaceIndex(catalog, page.read, page.locate)
        found, others = index.names_in(places)
        names.update(dict.fromkeys(found))
        unnamed.append(others)
        for one in index.diagnostics:
            note(one)
    sets = [extract(catalog, page.read, names, on_problem=note) for page in (left, right)]
    parameters = compare(*sets, absolute=absolute, relative=relative)
    differing = {one.name for one in parameters.changed}
    differing |= {name for name, _ in (*parameters.left_only, *parameters.right_only)}
    both = [one for one in unnamed[0] if one in unnamed[1] and one in bytes_.changed]
    return ParameterDifference(
        parameters,
        tuple(name for name in names if name not in differing),
        tuple(both),
        bytes_.left_only,
        bytes_.right_only,
        tuple(told.values()),
    )
