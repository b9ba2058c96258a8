"""Write at the MTA by blocks or single packets, for calibration and programming alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import (
    NegativeResponseError,
    OutOfRangeError,
    SequenceError,
    UnknownCommandError,
)
from xcaliper.proto.procedure import Burst, ask
from xcaliper.xcp import cal, pgm, std
from xcaliper.xcp.procedures.chunks import Piece, download_pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.core.address import Address
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.procedures.connect import Session

__all__ = ["DOWNLOAD", "PROGRAM", "BlockKind", "blocks", "set_mta"]


@dataclass(frozen=True, slots=True)
class BlockKind:
    """The commands of one way to write.

    Attributes:
        first: single packet, or the first one of a block.
        following: the other packets of a block.
        full: full packet of a fixed size.
    """

    first: Any
    following: Any
    full: Any

    @property
    def next_name(self) -> str:
        """Standard name of the command that blocks need."""
        name: str = self.following.__command__.name
        return name

    @property
    def full_name(self) -> str:
        """Standard name of the command that carries a full packet."""
        name: str = self.full.__command__.name
        return name


DOWNLOAD: Final = BlockKind(cal.Download, cal.DownloadNext, cal.DownloadMax)
PROGRAM: Final = BlockKind(pgm.Program, pgm.ProgramNext, pgm.ProgramMax)


def set_mta(address: Address) -> Procedure[std.EmptyResponse]:
    """Point to an address; nothing is sent when the slave's pointer is known to be there.

    *(XCP Base, SET_MTA, 1.0)*
    """
    request = std.SetMta(address=address.value, address_extension=address.extension)
    return (yield from ask(request, unless_set=True))


def blocks(  # noqa: PLR0913 - what PROGRAM_START settles differs from CONNECT
    session: Session,
    address: Address,
    data: bytes,
    kind: BlockKind = DOWNLOAD,
    *,
    max_cto: int | None = None,
    max_bs: int | None = None,
    min_st_ns: int | None = None,
    progress: Callable[[int], None] | None = None,
    place: Callable[[int, int], Address] | None = None,
) -> Procedure[None]:
    """Write at the MTA in as few round trips as the slave allows (XCP Base, block transfer, 1.0).

    A slave that refuses blocks, or full packets of the fixed size, gets single packets from there on,
    and is not tried again. Where packets of a block get lost again and again, so that all repetitions of
    the matrix end in ERR_SEQUENCE, the rest of this transfer goes by single packets.

    Args:
        session: of the connection; learns what the slave refuses.
        address: where the MTA points to already.
        data: whole elements.
        kind: DOWNLOAD or PROGRAM.
        max_cto: bytes of a packet; None = as CONNECT settled, else MAX_CTO_PGM.
        max_bs: packets of a block, 0 = none; None = as GET_COMM_MODE_INFO says, else MAX_BS_PGM.
        min_st_ns: least time between two packets of a block; None = as GET_COMM_MODE_INFO says.
        progress: called with the number of bytes that were written.
        place: for bytes and exchanges that are done, what the MTA has to say, where that is no address.
    """
    writer = _Writer(
        session,
        kind,
        session.profile.max_cto if max_cto is None else max_cto,
        session.max_bs if max_bs is None else max_bs,
        session.min_st_ns if min_st_ns is None else min_st_ns,
    )
    ag = session.profile.ag
    at = done = 0
    while at < len(data):
        for piece in writer.pieces((len(data) - at) // ag):
            part = data[at : at + piece.count * ag]
            try:
                yield from writer.send(piece, part)
            except NegativeResponseError as error:
                if not writer.has_learnt(piece, error):
                    raise
                yield from set_mta(place(at, done) if place else address + at // ag)
                break  # the rest is cut anew
            at, done = at + len(part), done + 1
            if progress is not None:
                progress(at)


@dataclass(slots=True)
class _Writer:
    session: Session
    kind: BlockKind
    max_cto: int
    max_bs: int
    min_st_ns: int
    doubted: str = ""  # refused as out of range: not usable at all, or only not there
    broken: str = ""  # the link loses packets of blocks: not usable for this transfer

    def _usable(self, name: str) -> bool:
        return name not in self.session.refused and name not in (self.doubted, self.broken)

    def pieces(self, count: int) -> tuple[Piece, ...]:
        """What is to be sent, as far as it is known what the slave takes."""
        ag = self.session.profile.ag
        return download_pieces(
            count,
            room=(self.max_cto - max(2, ag)) // ag,
            max_room=self.max_cto // ag - 1 if self._usable(self.kind.full_name) else 0,
            packets=max(self.max_bs, 1) if self._usable(self.kind.next_name) else 1,
        )

    def send(self, piece: Piece, part: bytes) -> Procedure[None]:
        """Write a piece at the MTA."""
        if piece.is_max:
            yield from ask(self.kind.full(data=part))
        elif piece.packets > 1:
            yield Burst(self._block(piece, part), self.min_st_ns)
        else:
            yield from ask(self.kind.first(count=piece.count, data=part))
            if self.doubted:  # the same place took it: it was the command that the slave dislikes
                self.session.refused.add(self.doubted)

    def has_learnt(self, piece: Piece, error: NegativeResponseError) -> bool:
        """True when a piece that was refused goes another way from now on."""
        if piece.packets == 1 and not piece.is_max:
            return False
        name = self.kind.full_name if piece.is_max else self.kind.next_name
        if isinstance(error, UnknownCommandError):
            self.session.refused.add(name)
        elif isinstance(error, OutOfRangeError) and not self.doubted:
            self.doubted = name
        elif isinstance(error, SequenceError) and piece.packets > 1:
            self.broken = name
        else:
            return False
        return True

    def _block(self, piece: Piece, part: bytes) -> tuple[Any, ...]:
        ag = self.session.profile.ag
        step = (self.max_cto - max(2, ag)) // ag * ag
        packets: list[Any] = []
        for at in range(0, len(part), step):
            make = self.kind.following if at else self.kind.first
            packets.append(make(count=piece.count - at // ag, data=part[at : at + step]))
        return tuple(packets)
