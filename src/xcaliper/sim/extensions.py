"""Address extension maps: which memory an ECU shows under which address extension.

What the values mean is the project's choice *(XCP Base, address extension, 1.0)*. A wrong one reaches
other memory or none; the ECU notes it in its log.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final, Self

from xcaliper.core.errors import SettingsError
from xcaliper.sim.items import Area, MemoryKind
from xcaliper.xcp.quirks import Quirk

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from xcaliper.sim.declare import EcuDeclaration

__all__ = ["ExtensionMap", "check_extensions"]

_REGISTERS: Final = 0x4000_0000
_REGISTERS_SIZE: Final = 0x100
_EXTERNAL_SIZE: Final = 0x2000
_EXTERNAL_FILL: Final = 0xE7


#: Quirks that give the RAM extensions of their own.
_OWN: Final = frozenset({Quirk.MIXED_EXTENSIONS, Quirk.EVENT_IN_ADDRESS, Quirk.A2L_PER_RUN})


def check_extensions(quirks: AbstractSet[Quirk]) -> None:
    """Refuse a map beside quirks that move the RAM themselves.

    Raises:
        SettingsError: there is such a quirk.
    """
    rivals = sorted(quirk.label for quirk in quirks & _OWN)
    if rivals:
        raise SettingsError(
            "extensions", f"the quirks {', '.join(rivals)} have addresses of their own"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionMap:
    """Address extension of each kind of memory; kinds may share one.

    Attributes:
        flash: program, parameters and initial values.
        ram: measurements, and parameters that live in RAM.
        peripherals: registers, from 0x40000000 on.
        external_flash: flash beside the chip. Its addresses are those of the flash inside, so that only
            the extension tells them apart.
    """

    flash: int = 0
    ram: int = 1
    peripherals: int = 2
    external_flash: int = 3

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if not 0 <= value <= 0xFF:
                raise SettingsError(f"extensions.{one.name}", f"{value} is not from 0 to 255")
        if self.external_flash in (self.flash, self.ram):
            raise SettingsError(
                "extensions.external_flash",
                f"{self.external_flash} has memory at the same addresses already",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """A map from a text like ``flash=0,ram=1,peripherals=2,external-flash=3``; what is left out keeps its default.

        Raises:
            SettingsError: a word is no kind of memory, or a value no extension.
        """
        kinds = tuple(one.name for one in fields(cls))
        chosen: dict[str, int] = {}
        for part in text.split(","):
            word, _, value = part.partition("=")
            key = word.strip().replace("-", "_")
            if key not in kinds:
                names = ", ".join(kind.replace("_", "-") for kind in kinds)
                raise SettingsError("extensions", f"{word.strip()!r} is none of {names}")
            try:
                chosen[key] = int(value, 0)
            except ValueError as cause:
                raise SettingsError("extensions", f"{part.strip()!r} needs a number") from cause
        return cls(**chosen)

    def applied(self, declaration: EcuDeclaration) -> EcuDeclaration:
        """The declaration with its memory under these extensions, and registers and external flash beside it.

        External flash covers the addresses of the first segment in flash, or of the program where there
        is none.
        """
        of_kind = {
            MemoryKind.FLASH: self.flash,
            MemoryKind.RAM: self.ram,
            MemoryKind.EEPROM: self.flash,
            MemoryKind.PERIPHERALS: self.peripherals,
            MemoryKind.EXTERNAL_FLASH: self.external_flash,
        }
        segments = tuple(replace(one, extension=of_kind[one.kind]) for one in declaration.segments)
        inside = [
            one.address if one.initial_at is None else one.initial_at
            for one in segments
            if one.kind is MemoryKind.FLASH or one.initial_at is not None
        ]
        registers = Area(
            name="PERIPHERALS",
            kind=MemoryKind.PERIPHERALS,
            address=_REGISTERS,
            size_bytes=_REGISTERS_SIZE,
            extension=self.peripherals,
            writable=True,
            text="Registers",
        )
        external = Area(
            name="EXTERNAL_FLASH",
            kind=MemoryKind.EXTERNAL_FLASH,
            address=min(inside, default=declaration.epk_address & ~0xFF),
            size_bytes=_EXTERNAL_SIZE,
            extension=self.external_flash,
            fill=_EXTERNAL_FILL,
            text="Flash beside the chip",
        )
        return replace(
            declaration,
            segments=segments,
            ram_extension=self.ram,
            flash_extension=self.flash,
            areas=(*declaration.areas, registers, external),
        )
