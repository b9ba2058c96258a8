"""Parameters behind a table of pointers in flash: only what the table leads to RAM can be written.

Changing the table means programming the flash; the next start follows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.address import Address
from xcaliper.sim.memory import EcuMemory, refusal
from xcaliper.xcp.codes import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xcaliper.sim.flash import Flash
    from xcaliper.sim.granted import Piece
    from xcaliper.sim.image import EcuImage
    from xcaliper.sim.log import EcuLog
    from xcaliper.sim.memory import PagedSegment

__all__ = ["POINTER_BYTES", "FlashTableMemory"]

#: Size of a pointer in the table.
POINTER_BYTES: Final = 4


class FlashTableMemory(EcuMemory):
    """A memory whose first segment is reached through pointers in its second one.

    The table holds one address per structure: that of the structure in flash, or one in the calibration
    RAM, where start-up code has put a copy. The copy can be written by the address of the structure in
    flash, and by its own.

    Args:
        image: placements and initial bytes.
        flash: sectors that XCP can program.
        stored: segment → bytes that were stored.
        log: of the ECU.
        pieces: makes the structures of the first segment, in the order of the table.
        ram_address: of the calibration RAM.
        room_bytes: its size.

    Attributes:
        in_ram: name of each structure that has a copy → address of the copy.
    """

    def __init__(  # the four of every memory, and three of its own
        self,
        image: EcuImage,
        flash: Flash | None = None,
        stored: Mapping[int, bytes] | None = None,
        log: EcuLog | None = None,
        *,
        pieces: Callable[[EcuImage], Sequence[Piece]],
        ram_address: int,
        room_bytes: int,
    ) -> None:
        super().__init__(image, flash, stored, log)
        self._pieces = tuple(pieces(image))
        self._ram_address = ram_address
        self._room_bytes = room_bytes
        self.in_ram: dict[str, int] = {}
        self._follow_table()

    def _follow_table(self) -> None:
        """Read the pointers as start-up code does; those that lead nowhere count as flash."""
        order: Any = self.image.declaration.byte_order.value
        table = self._paged[1].pages[0]
        taken: list[range] = []
        for at, piece in enumerate(self._pieces):
            raw = table[POINTER_BYTES * at : POINTER_BYTES * (at + 1)]
            pointer = int.from_bytes(raw, order)
            if pointer == self._flash_address(piece):
                continue
            start = (pointer - self._ram_address) * self.ag
            room = range(start, start + piece.size_bytes)
            inside = start >= 0 and room.stop <= self._room_bytes
            if not inside or any(room.start < one.stop and one.start < room.stop for one in taken):
                self.log.add(
                    "bad-pointer",
                    f"the pointer of {piece.name} is 0x{pointer:08X}: neither its place in flash nor free "
                    "calibration RAM, so it stays in flash.",
                )
                continue
            taken.append(room)
            self.in_ram[piece.name] = pointer

    def _flash_address(self, piece: Piece) -> int:
        segment = self._paged[0].segment
        return segment.address + piece.offset // self.ag

    def _find(self, address: Address, size_bytes: int) -> tuple[Any, int]:
        """Also by the address of a copy."""
        for piece in self._pieces:
            pointer = self.in_ram.get(piece.name)
            if pointer is None or address.extension != self.image.declaration.ram_extension:
                continue
            offset = (address.value - pointer) * self.ag
            if offset >= 0 and offset + size_bytes <= piece.size_bytes:
                segment = self._paged[0].segment
                start = Address(self._flash_address(piece), segment.extension)
                return super()._find(start + offset // self.ag, size_bytes)
        return super()._find(address, size_bytes)

    def _write_page(self, paged: PagedSegment, offset: int, data: bytes) -> None:
        if paged.segment.number == 0:
            self._check_copies(offset, len(data))
        super()._write_page(paged, offset, data)

    def _check_copies(self, offset: int, size_bytes: int) -> None:
        """Refuse what is not wholly inside of copies."""
        left = size_bytes
        for piece in self._pieces:
            if piece.name in self.in_ram:
                start = max(piece.offset, offset)
                left -= max(min(piece.offset + piece.size_bytes, offset + size_bytes) - start, 0)
        if left:
            raise refusal(
                ErrorCode.ERR_WRITE_PROTECTED,
                f"{size_bytes} bytes at offset {offset}: the pointer table does not lead to RAM",
            )

    def figures(self) -> dict[str, int]:
        """How many structures have a copy in RAM."""
        return {"PointersInRam": len(self.in_ram)}
