"""The memory and pages of a live slave, as calibration works on them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from xcaliper.calib.page_image import parameter_ranges
from xcaliper.calib.segments import CalibSegment, PageUse
from xcaliper.client.checksums import verify
from xcaliper.core.address import Address
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    NegativeResponseError,
    UnknownCommandError,
    UsageError,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp.std import Synch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xcaliper.client.checksums import Checksums
    from xcaliper.client.connection import Connection
    from xcaliper.client.info import SegmentInfo
    from xcaliper.client.memory_access import MemoryAccess

__all__ = ["SlavePort", "calibration_segments"]

_CHECKSUM: Final = "BUILD_CHECKSUM"


class SlavePort:
    """One connection as a :class:`~xcaliper.calib.port.PagedPort`.

    Args:
        connection: to the slave.
        memory: its memory, with the rights of pages.

    Attributes:
        checksums: for slaves with an algorithm of their own, see :meth:`Connection.verify_memory`.
        busy: what is written and switched now is calibration's own doing.
    """

    def __init__(self, connection: Connection, memory: MemoryAccess) -> None:
        self._connection = connection
        self._memory = memory
        self.checksums: Checksums | None = None
        self.busy = False

    @property
    def ag(self) -> int:
        """Bytes per address."""
        return self._connection.session.profile.ag

    @contextmanager
    def _own(self) -> Iterator[None]:
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as XCP sees them now."""
        return self._memory.read(address, size_bytes)

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes, by blocks where the slave can."""
        with self._own():
            self._memory.write(address, data)

    def matches(self, address: Address, data: bytes) -> bool | None:
        """Whether memory holds these bytes, by BUILD_CHECKSUM; None where the slave cannot tell, or does not answer.

        Raises:
            ExchangeTimeoutError: it does not answer SYNCH either; it is gone.
        """
        refused = self._connection.session.refused
        if _CHECKSUM in refused:
            return None
        try:
            return verify(self._connection, address, data, self.checksums)
        except UnknownCommandError:
            refused.add(_CHECKSUM)
        except ExchangeTimeoutError as error:
            if error.command != _CHECKSUM:
                raise
            self._connection.link.run(ask(Synch()))  # unanswered as well: it is gone
            refused.add(_CHECKSUM)
        except (NegativeResponseError, UsageError):
            pass  # not this block, or an algorithm that nobody gave: reading tells
        return None

    def pages(self, segment: int) -> tuple[int | None, int | None]:
        """Page of the ECU and of XCP, as they were last seen."""
        return self._connection.paging.used(segment)

    def switch(self, segments: Sequence[int], page: int, *, ecu: bool, xcp: bool) -> None:
        """Choose a page; every segment of the slave at once where all are meant."""
        paging = self._connection.paging
        every = len(segments) > 1 and len(segments) == len(paging)
        with self._own():
            paging.switch(segments, page, ecu=ecu, xcp=xcp, every=every)

    def user_command(self, content: bytes) -> None:
        """Send USER_CMD (XCP Base, USER_CMD, 1.0)."""
        self._connection.commands.user(content)


def calibration_segments(connection: Connection) -> tuple[CalibSegment, ...]:
    """The segments of the slave, then memory of parameters that only the description tells of."""
    found = [_paged(one) for one in connection.info.segments]
    made = [one for one in found if one is not None]
    ag = connection.session.profile.ag
    known = connection.description.file is not None
    described = parameter_ranges(connection.catalog) if known else ()
    for name, one in described:
        if not any(other.touches(one.start, one.size_bytes, ag=ag) for other in made):
            made.append(CalibSegment(None, name, one.start, one.size_bytes))
    return tuple(made)


def _paged(one: SegmentInfo) -> CalibSegment | None:
    """A segment, if its place is known."""
    if one.address is None or not one.size_bytes:
        return None
    pages = tuple(
        PageUse(number, rules.ecu_access, rules.xcp_read_access, rules.xcp_write_access)
        for number, rules in enumerate(one.page_rules)
        if rules is not None
    )
    start = Address(one.address, one.extension)
    return CalibSegment(one.number, one.name, start, one.size_bytes, pages)
