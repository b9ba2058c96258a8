"""Calibration RAM that is granted piece by piece: dynamic overlay and pointer tables in RAM.

The parameters lie in flash. The first write to a piece (a block of the overlay, a structure of the
program) copies it to RAM and lets the ECU use the copy; RAM ends when it ends.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcaliper.core.errors import SettingsError
from xcaliper.sim.memory import EcuMemory, refusal
from xcaliper.xcp.codes import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xcaliper.sim.flash import Flash
    from xcaliper.sim.image import EcuImage
    from xcaliper.sim.log import EcuLog
    from xcaliper.sim.memory import PagedSegment

__all__ = [
    "FLASH_PAGE",
    "RAM_PAGE",
    "CalibrationRam",
    "GrantedMemory",
    "Piece",
    "SinglePointerMemory",
    "blocks",
    "structures",
]

#: Page of the copies in RAM, and of what has no copy.
RAM_PAGE = 0
#: Page of the flash.
FLASH_PAGE = 1


@dataclass(frozen=True, slots=True)
class Piece:
    """What is copied as a whole.

    Attributes:
        name: of the block or structure.
        offset: bytes from the start of the segment.
        size_bytes: length.
    """

    name: str
    offset: int
    size_bytes: int


def blocks(size_bytes: int, block_bytes: int) -> tuple[Piece, ...]:
    """A segment as blocks of equal size, the last one may be shorter."""
    return tuple(
        Piece(f"block {at // block_bytes}", at, min(block_bytes, size_bytes - at))
        for at in range(0, size_bytes, block_bytes)
    )


def structures(image: EcuImage, members: Mapping[str, Sequence[str]]) -> tuple[Piece, ...]:
    """Structures of parameters, each from its first member to the end of its last one.

    Args:
        image: where the parameters lie.
        members: name of the structure → names of its parameters.

    Raises:
        SettingsError: structures overlap.
    """
    made: list[Piece] = []
    for name, names in members.items():
        placed = [image[one] for one in names]
        start = min(one.offset for one in placed)
        end = max(one.offset + one.size_bytes for one in placed)
        made.append(Piece(name, start, end - start))
    made.sort(key=lambda piece: piece.offset)
    for one, other in itertools.pairwise(made):
        if one.offset + one.size_bytes > other.offset:
            raise SettingsError("structures", f"{one.name} and {other.name} overlap")
    return tuple(made)


class CalibrationRam:
    """Which pieces have a copy in RAM, and where.

    Args:
        pieces: of the segment, in order.
        size_bytes: of the RAM.

    Attributes:
        size_bytes: as given.
        places: name of a piece that has a copy → bytes from the start of the RAM.
    """

    def __init__(self, pieces: Sequence[Piece], size_bytes: int) -> None:
        self.pieces = tuple(pieces)
        self.size_bytes = size_bytes
        self.places: dict[str, int] = {}
        self._used = 0

    @property
    def used_bytes(self) -> int:
        """Bytes that copies take."""
        return self._used

    @property
    def free_bytes(self) -> int:
        """Bytes that are left."""
        return self.size_bytes - self._used

    def touched(self, offset: int, size_bytes: int) -> list[Piece]:
        """Pieces that a range of the segment reaches into."""
        end = offset + size_bytes
        return [
            piece
            for piece in self.pieces
            if piece.offset < end and offset < piece.offset + piece.size_bytes
        ]

    def grant(self, pieces: Sequence[Piece]) -> bool:
        """Give all of these a copy, or none when they do not fit."""
        missing = [piece for piece in pieces if piece.name not in self.places]
        if sum(piece.size_bytes for piece in missing) > self.free_bytes:
            return False
        for piece in missing:
            self.places[piece.name] = self._used
            self._used += piece.size_bytes
        return True

    def release(self) -> None:
        """Take every copy back."""
        self.places.clear()
        self._used = 0


class GrantedMemory(EcuMemory):
    """A memory whose first segment gets RAM piece by piece.

    The ECU and XCP switch between RAM page and flash page at once, as with an overlay that is on or off
    and with a second pointer that chooses between two pointer tables. Copying the flash page onto the
    RAM page takes all RAM back. What was stored is programmed into the flash.

    Args:
        image: placements and initial bytes.
        flash: sectors that XCP can program.
        stored: segment → bytes that were stored.
        log: of the ECU.
        pieces: makes the pieces of the first segment.
        room_bytes: size of the calibration RAM.

    Attributes:
        calibration_ram: which pieces have a copy.
    """

    def __init__(  # the four of every memory, and two of its own
        self,
        image: EcuImage,
        flash: Flash | None = None,
        stored: Mapping[int, bytes] | None = None,
        log: EcuLog | None = None,
        *,
        pieces: Callable[[EcuImage], Sequence[Piece]],
        room_bytes: int,
    ) -> None:
        self.calibration_ram = CalibrationRam(pieces(image), room_bytes)
        super().__init__(image, flash, stored, log)

    def _restore(self, paged: PagedSegment, data: bytes) -> None:
        for page in paged.pages:
            page[:] = data
        paged.show()

    def _write_page(self, paged: PagedSegment, offset: int, data: bytes) -> None:
        if paged.segment.number == 0:
            self._grant(paged, offset, len(data))
        super()._write_page(paged, offset, data)

    def _grant(self, paged: PagedSegment, offset: int, size_bytes: int) -> None:
        ram = self.calibration_ram
        touched = ram.touched(offset, size_bytes)
        held = sum(
            min(piece.offset + piece.size_bytes, offset + size_bytes) - max(piece.offset, offset)
            for piece in touched
        )
        if held < size_bytes:
            raise refusal(
                ErrorCode.ERR_WRITE_PROTECTED,
                f"{paged.segment.name}: part of {size_bytes} bytes at offset {offset} can have no copy",
            )
        if ram.grant(touched):
            return
        missing = [piece for piece in touched if piece.name not in ram.places]
        names = ", ".join(piece.name for piece in missing)
        text = (
            f"{names} of {paged.segment.name} ({sum(one.size_bytes for one in missing)} bytes) does not "
            f"fit the calibration RAM: {ram.free_bytes} of {ram.size_bytes} bytes are left"
        )
        self.log.add("calibration-ram-exhausted", f"{text}.")
        raise refusal(ErrorCode.ERR_MEMORY_OVERFLOW, text)

    def copy_page(self, source: tuple[int, int], destination: tuple[int, int]) -> None:
        """Copy a page; the flash page onto the RAM page of its segment takes all RAM back.

        Raises:
            WriteProtectedError: the target page is flash.
            NegativeResponseError: a page does not exist, or the RAM is too small.
        """
        origin, goal = self._page(*source), self._page(*destination)
        if destination == (0, RAM_PAGE) and origin is not goal:
            self._grant(goal, 0, len(goal.window))
        super().copy_page(source, destination)
        if (source, destination) == ((0, FLASH_PAGE), (0, RAM_PAGE)):
            self._release()

    def _release(self) -> None:
        self.calibration_ram.release()

    def _reprogrammed(self) -> None:
        """What has no copy follows the flash."""
        paged = self._paged[0]
        fresh = bytearray(paged.pages[FLASH_PAGE])
        for piece in self.calibration_ram.pieces:
            if piece.name in self.calibration_ram.places:
                inside = slice(piece.offset, piece.offset + piece.size_bytes)
                fresh[inside] = paged.pages[RAM_PAGE][inside]
        paged.pages[RAM_PAGE][:] = fresh
        super()._reprogrammed()

    def figures(self) -> dict[str, int]:
        """Bytes of calibration RAM in use and left, and pieces that have a copy."""
        ram = self.calibration_ram
        return {
            "CalRamUsed": ram.used_bytes,
            "CalRamFree": ram.free_bytes,
            "CalRamPieces": len(ram.places),
        }


class SinglePointerMemory(GrantedMemory):
    """Structures behind one table of pointers in RAM *(AUTOSAR, single pointered calibration)*.

    When the page of the ECU changes, :meth:`step` bends one pointer after the other: until the last one
    the ECU works with structures of both pages.

    Attributes:
        on_flash: structures that the ECU takes from flash, by name.
    """

    def __init__(  # as for every granted memory
        self,
        image: EcuImage,
        flash: Flash | None = None,
        stored: Mapping[int, bytes] | None = None,
        log: EcuLog | None = None,
        *,
        pieces: Callable[[EcuImage], Sequence[Piece]],
        room_bytes: int,
    ) -> None:
        super().__init__(image, flash, stored, log, pieces=pieces, room_bytes=room_bytes)
        self.on_flash = {piece.name for piece in self.calibration_ram.pieces}

    def _write_page(self, paged: PagedSegment, offset: int, data: bytes) -> None:
        before = set(self.calibration_ram.places)
        super()._write_page(paged, offset, data)
        if paged.segment.number == 0 and paged.ecu == RAM_PAGE:
            self.on_flash -= set(self.calibration_ram.places) - before
        self.generation += 1

    def _release(self) -> None:
        super()._release()
        self.on_flash = {piece.name for piece in self.calibration_ram.pieces}

    def step(self) -> None:
        """Bend the next pointer that does not lead where the page of the ECU is."""
        wants_ram = self._paged[0].ecu == RAM_PAGE
        for piece in self.calibration_ram.pieces:
            has_copy = piece.name in self.calibration_ram.places
            if has_copy and (piece.name in self.on_flash) == wants_ram:
                self.on_flash ^= {piece.name}
                self.generation += 1
                return

    def ecu_bytes(self, region: str) -> bytearray:
        """The bytes of a segment as the ECU sees them through its pointers, a copy.

        Raises:
            UsageError: there is no such segment.
        """
        paged = self._paged[0]
        if region != paged.segment.name:
            return super().ecu_bytes(region)
        found = bytearray(paged.pages[FLASH_PAGE])
        for piece in self.calibration_ram.pieces:
            if piece.name not in self.on_flash:
                inside = slice(piece.offset, piece.offset + piece.size_bytes)
                found[inside] = paged.pages[RAM_PAGE][inside]
        return found

    def figures(self) -> dict[str, int]:
        """As for every granted memory, and how many pointers lead to RAM."""
        pointers = len(self.calibration_ram.pieces) - len(self.on_flash)
        return {**super().figures(), "PointersInRam": pointers}
