"""Programming the flash over a connection: what there is, and the plain sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xcaliper.core.address import Address
from xcaliper.core.errors import UsageError
from xcaliper.xcp.procedures.program import Sector, program_info
from xcaliper.xcp.procedures.program_sequence import program_absolute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xcaliper.a2l.if_xcp import XcpPgm
    from xcaliper.transport.pump import Link
    from xcaliper.xcp.procedures.connect import Session
    from xcaliper.xcp.procedures.program import ProgramInfo
    from xcaliper.xcp.procedures.program_sequence import ProgramStep

__all__ = ["Programming", "described_sectors"]


def described_sectors(pgm: XcpPgm | None, ag: int) -> tuple[Sector, ...]:
    """The sectors of a description (ASAP2, IF_DATA XCP PGM); their lengths count elements.

    Args:
        pgm: PGM of the description, None = it has none.
        ag: bytes per address.
    """
    return tuple(
        Sector(
            number=sector.number,
            address=Address(sector.address),
            size_bytes=sector.length * ag,
            name=sector.name,
            clear_sequence_number=sector.clear_sequence_number,
            program_sequence_number=sector.program_sequence_number,
            programming_method=sector.program_method,
        )
        for sector in (pgm.sectors if pgm is not None else ())
    )


class Programming:
    """The flash of one slave.

    Args:
        link: the road to the slave.
        session: what CONNECT settled.
        described: PGM of the description.
        check: raises where writing is forbidden.
    """

    def __init__(
        self, link: Link, session: Session, described: XcpPgm | None, check: Callable[[str], None]
    ) -> None:
        self._link = link
        self._session = session
        self._described = described_sectors(described, session.profile.ag)
        self._check = check
        self._info: ProgramInfo | None = None

    @property
    def available(self) -> bool:
        """True when the slave says that it can be programmed."""
        return bool(self._session.resource.pgm)

    @property
    def info(self) -> ProgramInfo | None:
        """What the slave tells about programming, asked once; None when it does not tell."""
        if self._info is None:
            self._info = self._link.run(program_info(self._session))
        return self._info

    @property
    def sectors(self) -> tuple[Sector, ...]:
        """Sectors as the slave tells them, else as the description does."""
        info = self.info
        return info.sectors if info is not None and info.sectors else self._described

    def write(
        self,
        parts: Iterable[tuple[int | Address, bytes]],
        *,
        verification: tuple[int, int, int] | None = None,
        step: Callable[[ProgramStep], None] | None = None,
    ) -> bool:
        """Clear the sectors that the parts touch, program, verify, let the ECU start anew.

        Everything else in those sectors is erased. The session is over at the end, also for the
        slave: connect again. After a failure the slave stays in programming, with an incomplete
        flash; it takes a new try.

        Args:
            parts: addresses and bytes.
            verification: mode, type and value of PROGRAM_VERIFY; None = none is sent.
            step: told what comes next.

        Returns:
            Whether the slave answered PROGRAM_RESET, which it need not.

        Raises:
            UsageError: the slave cannot, there is nothing to program, or a part is in no sector.
            IntegrityError: the description is for another EPK, see ``Connection.confirm``.
            NegativeResponseError: the slave refuses.
        """
        if not self.available:
            raise UsageError(f"{self._link.name}: the slave does not offer programming.")
        self._check("flash")
        placed = [
            (where if isinstance(where, Address) else Address(where), bytes(data))
            for where, data in parts
        ]
        return self._link.run(
            program_absolute(
                self._session, placed, sectors=self.sectors, verification=verification, step=step
            )
        )
