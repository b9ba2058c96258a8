"""The options that the ``cal`` verbs share: how a target is opened, and where changes are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptions
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from xcaliper.image.checksum import ChecksumRegion
    from xcaliper.quantity.catalog import Catalog

__all__ = [
    "ChangeOptions",
    "ChangeOptionsOfVerb",
    "ChoiceOptions",
    "ChoiceOptionsOfVerb",
    "Flag",
    "TargetOptions",
    "TargetOptionsOfVerb",
    "Words",
    "checksum_region",
    "number",
    "offset_of",
    "pairs",
]

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Words = Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)]

_CHECKSUM: Final = re.compile(
    r"(?P<ranges>[^:@]+):(?P<algorithm>\w+)@(?P<at>\w+)(?::(?P<order>big|little))?"
)


@dataclass(frozen=True, slots=True)
class TargetOptions(KeyOptions):
    """How a target is opened.

    Attributes:
        a2l: description to use; without it a slave is asked for its own.
        timeout: seconds to wait for an answer of a slave.
        variant: variant to work on, CRITERION=VALUE; may be given several times.
        offset: where an image has the initial values of parameters in RAM: a number to add to their addresses, or
            SEGMENT=NUMBER; may be given several times.
        address: where an image of plain bytes begins.
    """

    a2l: Path | None = None
    timeout: float = 2.0
    variant: Words = ()
    offset: Words = ()
    address: str | None = None


@dataclass(frozen=True, slots=True)
class ChoiceOptions:
    """Which parameters are meant, besides their names.

    Attributes:
        function: only those of this function, with its sub-functions; may be given several times.
        group: only those of this group, with its sub-groups; may be given several times.
    """

    function: Words = ()
    group: Words = ()

    def __bool__(self) -> bool:
        return bool(self.function or self.group)

    def names(self, catalog: Catalog) -> set[str]:
        """Parameters of these functions and groups.

        Raises:
            NotFoundError: no such function or group.
        """
        from xcaliper.calib.select import names_of_function, names_of_group

        found: set[str] = set()
        if self.function:
            found.update(names_of_function(catalog, *self.function))
        if self.group:
            found.update(names_of_group(catalog, *self.group))
        return found


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """Where changes are kept.

    Attributes:
        reason: why, for the history.
        author: who, for the history; the user of this machine without it.
        history: file of the history; none = keep none. Without it there is one per ECU and program.
        confirm: write although the description is for another program (EPK).
        out: file for a changed image.
        in_place: replace the image itself.
        checksum: what to set right in an image, START..END:ALGORITHM@ADDRESS with +START..END for further ranges
            and :big for the byte order; may be given several times.
    """

    reason: str = ""
    author: str = ""
    history: str | None = None
    confirm: Flag = False
    out: Path | None = None
    in_place: Flag = False
    checksum: Words = ()


TargetOptionsOfVerb = Annotated[TargetOptions | None, Parameter(name="*")]
ChoiceOptionsOfVerb = Annotated[ChoiceOptions | None, Parameter(name="*")]
ChangeOptionsOfVerb = Annotated[ChangeOptions | None, Parameter(name="*")]


def pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """``NAME=VALUE`` words by name.

    Raises:
        UsageError: a word without an equals sign.
    """
    found = {}
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not equals or not name.strip() or not value.strip():
            raise UsageError(f"--{option}: {text!r} is not NAME=VALUE.")
        found[name.strip()] = value.strip()
    return found


def number(text: str, option: str) -> int:
    """A whole number, decimal or 0x.

    Raises:
        UsageError: it is none.
    """
    try:
        return int(text, 0)
    except ValueError:
        raise UsageError(f"--{option}: {text!r} is no whole number.", hint="As 0x80000.") from None


def offset_of(texts: tuple[str, ...]) -> int | dict[str, int] | None:
    """Where initial values are, as :func:`~xcaliper.client.offline.open_image` takes it.

    Raises:
        UsageError: no number, or a plain one beside those of segments.
    """
    if not texts:
        return None
    if len(texts) == 1 and "=" not in texts[0]:
        return number(texts[0], "offset")
    return {name: number(text, "offset") for name, text in pairs(texts, "offset").items()}


def checksum_region(text: str) -> ChecksumRegion:
    """``0x8000..0x8FFB:XCP_CRC_32@0x8FFC`` as a region; both ends of a range belong to it.

    Raises:
        UsageError: it is something else.
    """
    from xcaliper.image.checksum import ChecksumRegion

    found = _CHECKSUM.fullmatch(text.replace(" ", ""))
    if found is None:
        raise UsageError(
            f"--checksum: {text!r} is not understood.",
            hint="--checksum 0x8000..0x8FFB:XCP_CRC_32@0x8FFC",
        )
    ranges = []
    for part in found["ranges"].split("+"):
        low, dots, high = part.partition("..")
        first, last = number(low, "checksum"), number(high if dots else low, "checksum")
        if last < first:
            raise UsageError(f"--checksum: the range {part} ends before it begins.")
        ranges.append(AddressRange(Address(first), last - first + 1))
    order = ByteOrder.MOTOROLA if found["order"] == "big" else ByteOrder.INTEL
    at = Address(number(found["at"], "checksum"))
    return ChecksumRegion(found["ranges"], tuple(ranges), found["algorithm"], at, byte_order=order)
