"""How to cut memory into commands: the fewest packets, then the fewest round trips; arithmetic only.

Packets count both ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["MAX_COUNT", "Piece", "download_pieces", "read_commands", "short_counts", "upload_counts"]

#: The count of a command is one byte.
MAX_COUNT: Final = 0xFF
#: Up to so many SHORT_UPLOADs spare the SET_MTA. Beyond, the requests of UPLOAD, which are a quarter
#: as long, make up for it; so does a link that sends them in a row.
_FEW: Final = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what is to be written: one command, or one block.

    Attributes:
        count: elements.
        packets: of the block; 1 = a single command.
        is_max: by DOWNLOAD_MAX or PROGRAM_MAX, which carry a full packet.
    """

    count: int
    packets: int = 1
    is_max: bool = False


def short_counts(count: int, room: int) -> tuple[int, ...]:
    """Elements of each SHORT_UPLOAD.

    Args:
        count: elements in all.
        room: elements that fit one response.
    """
    return _steps(count, min(room, MAX_COUNT))


def upload_counts(count: int, room: int, *, block: bool) -> tuple[int, ...]:
    """Elements of each UPLOAD.

    Args:
        count: elements in all.
        room: elements that fit one response.
        block: one command may be answered by several responses.
    """
    if not block or room >= MAX_COUNT:
        return short_counts(count, room)
    filled = MAX_COUNT // room * room  # every response is full
    plans = [_steps(count, step) for step in (filled, MAX_COUNT)]
    return min(plans, key=lambda plan: _read_cost(plan, room))


def _read_cost(counts: tuple[int, ...], room: int) -> tuple[int, int]:
    """Packets and round trips."""
    return len(counts) + sum(-(-n // room) for n in counts), len(counts)


def _steps(count: int, step: int) -> tuple[int, ...]:
    whole, rest = divmod(count, step)
    return (step,) * whole + ((rest,) if rest else ())


def read_commands(count: int, room: int, *, block: bool) -> tuple[bool, tuple[int, ...]]:
    """The fastest way to read: True for SHORT_UPLOADs, else SET_MTA comes first; and their elements."""
    short = short_counts(count, room)
    uploads = upload_counts(count, room, block=block)
    packets, trips = _read_cost(uploads, room)
    is_cheap = _read_cost(short, room) <= (packets + 2, trips + 1)
    return (True, short) if is_cheap and len(short) <= _FEW else (False, uploads)


def download_pieces(
    count: int, *, room: int, max_room: int = 0, packets: int = 1
) -> tuple[Piece, ...]:
    """Cut what is to be written at the MTA.

    Args:
        count: elements in all.
        room: elements that fit a DOWNLOAD or PROGRAM.
        max_room: elements of a DOWNLOAD_MAX or PROGRAM_MAX; 0 = there is none.
        packets: of a block at most; 1 = no blocks.
    """
    room = min(room, MAX_COUNT)
    single = _singles(count, room, max_room)
    limit = min(packets * room, MAX_COUNT)
    if limit <= room:
        return single
    block = tuple(Piece(n, -(-n // room)) for n in _steps(count, limit))
    return min((single, block), key=_cost)


def _singles(count: int, room: int, max_room: int) -> tuple[Piece, ...]:
    """Full packets of the larger kind, and the rest."""
    if max_room > room:
        full, rest = divmod(count, max_room)
        tail = (Piece(rest),) if rest else ()  # rest < max_room, which is one element more than room
        return (Piece(max_room, is_max=True),) * full + tail
    return tuple(Piece(n) for n in _steps(count, room))


def _cost(pieces: tuple[Piece, ...]) -> tuple[int, int]:
    """Packets and round trips."""
    return len(pieces) + sum(piece.packets for piece in pieces), len(pieces)
