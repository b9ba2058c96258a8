"""Way through the blocks of a file, with everything from the file distrusted.

Positions stay inside the file, no block is visited twice in a list, sizes are capped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from xcaliper.core.errors import MdfError, WireError
from xcaliper.mdf import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.mdf.storage import ReadableFile

__all__ = ["DAMAGED", "MAX_META_SIZE", "BlockReader", "DataPiece", "walk_data"]

MAX_BLOCKS: Final = 4_000_000
MAX_META_SIZE: Final = 1 << 28
MAX_TEXT_SIZE: Final = 1 << 24
DAMAGED: Final = "The file is damaged; try its repair."
_B = TypeVar("_B", bound=blocks.Block)


class BlockReader:
    """Blocks of a file by position, checked against its size."""

    def __init__(self, file: ReadableFile) -> None:
        self._file = file

    @property
    def size(self) -> int:
        """Bytes in the file now."""
        return self._file.size()

    def header(self, at: int) -> tuple[bytes, int]:
        """Id and length of the block at a position; the block lies inside the file.

        Raises:
            MdfError: position or length leave the file.
        """
        if at < blocks.ID_SIZE or at % 8:
            raise MdfError(f"block at {at}: not a position of a block.", hint=DAMAGED)
        try:
            block_id, length, _ = blocks.peek_header(self._file.read_at(at, blocks.HEADER_SIZE))
        except WireError as error:
            raise MdfError(f"block at {at}: {error}", hint=DAMAGED) from error
        if at + length > self._file.size():
            raise MdfError(f"block at {at}: {length} bytes leave the file.", hint=DAMAGED)
        return block_id, length

    def block(self, at: int, kind: type[_B], limit: int = MAX_META_SIZE) -> _B:
        """Block of a known kind.

        Raises:
            MdfError: another block, or one that does not fit its layout or the limit.
        """
        _, length = self.header(at)
        if length > limit:
            raise MdfError(f"block at {at}: {length} bytes are too many.", hint=DAMAGED)
        try:
            return kind.decode(self._file.read_at(at, length))
        except WireError as error:
            raise MdfError(f"block at {at}: {error}", hint=DAMAGED) from error

    def data(self, at: int, count: int) -> bytes:
        """Plain bytes.

        Raises:
            MdfError: the file ends before.
        """
        found = self._file.read_at(at, count)
        if len(found) != count:
            raise MdfError(f"data at {at}: {count} bytes leave the file.", hint=DAMAGED)
        return found

    def chain(self, at: int, kind: type[_B], following: str) -> Iterator[tuple[int, _B]]:
        """Blocks of a linked list with their positions.

        Raises:
            MdfError: the list runs in a circle, is endless, or leads to another kind of block.
        """
        seen: set[int] = set()
        while at:
            if at in seen or len(seen) >= MAX_BLOCKS:
                raise MdfError(f"block at {at}: its list runs in a circle.", hint=DAMAGED)
            seen.add(at)
            block = self.block(at, kind)
            yield at, block
            at = getattr(block, following)

    def text(self, at: int) -> str:
        """Text of a TX or MD block; empty for no block."""
        if not at:
            return ""
        kind = blocks.MdBlock if self.header(at)[0] == b"##MD" else blocks.TxBlock
        return self.block(at, kind, MAX_TEXT_SIZE).text


@dataclass(frozen=True, slots=True)
class DataPiece:
    """One data block of a list: where it is and which bytes of the stream it holds."""

    at: int
    start: int
    size: int
    compressed: bool = False


def _piece(reader: BlockReader, at: int, start: int) -> DataPiece:
    block_id, length = reader.header(at)
    if block_id in {b"##DT", b"##SD"}:
        return DataPiece(at, start, length - blocks.HEADER_SIZE)
    if block_id == b"##DZ":
        return DataPiece(at, start, reader.block(at, blocks.DzBlock).dz_org_data_length, True)
    raise MdfError(f"block at {at}: {block_id!a} holds no data.", hint=DAMAGED)


def walk_data(
    reader: BlockReader, at: int, start: int = 0
) -> Iterator[tuple[int, list[DataPiece]]]:
    """Data list by list: position of the DL block (0 for a lone data block) and its pieces.

    Args:
        reader: the file.
        at: position of a DL, HL, DT, SD or DZ block; 0 = nothing.
        start: byte of the stream where the first piece begins.

    Raises:
        MdfError: at the first block that is not complete; everything before was yielded.
    """
    if not at:
        return
    block_id, _ = reader.header(at)
    if block_id == b"##HL":
        at = reader.block(at, blocks.HlBlock).hl_dl_first
    elif block_id != b"##DL":
        yield 0, [_piece(reader, at, start)]
        return
    for position, entry in reader.chain(at, blocks.DlBlock, "dl_dl_next"):
        pieces: list[DataPiece] = []
        for target in entry.dl_data:
            if target:
                pieces.append(_piece(reader, target, start))
                start += pieces[-1].size
        yield position, pieces
