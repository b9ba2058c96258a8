"""A new session with a slave that was lost or has restarted, if it still is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from xcaliper.client.description import fingerprint
from xcaliper.core.errors import IntegrityError
from xcaliper.xcp.procedures.connect import connect as connect_procedure
from xcaliper.xcp.procedures.identify import IdType, identify

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.client.connection import Connection
    from xcaliper.client.description import Description
    from xcaliper.transport.pump import Link
    from xcaliper.xcp.procedures.connect import Session

__all__ = ["find_again"]


def find_again(connection: Connection, reopen: Callable[[], Link]) -> tuple[Link, Session]:
    """Another link to the same slave, with its new session; the link is closed where that fails.

    Args:
        connection: what was known of the slave.
        reopen: makes the link.

    Raises:
        LinkError: nobody listens there.
        ExchangeTimeoutError: no answer.
        IntegrityError: it runs another program now (EPK), is another slave, or has another description.
    """
    link = reopen()
    try:
        refused = connection.session.refused
        session = link.run(
            connect_procedure(attempts=1, transport=connection.scheme, refused=refused)
        )
        texts = link.run(identify(session))
        _check_same(connection, session, texts.get(int(IdType.EPK), ""))
        _check_description(connection.description, link, session)
    except BaseException:
        link.close()
        raise
    return link, session


def _check_same(connection: Connection, session: Session, epk: str) -> None:
    """The program and the packets must be those that plans and addresses were made for."""
    name = connection.link.name
    if epk != connection.description.epk:
        raise IntegrityError(
            f"{name}: another program answers, EPK",
            expected=connection.description.epk,
            actual=epk,
            hint="Connect anew, so that names are looked up in its own description.",
        )
    if session.profile != connection.session.profile:
        raise IntegrityError(
            f"{name}: another slave answers, its packets",
            expected=connection.session.profile,
            actual=session.profile,
            hint="Connect anew.",
        )


def _check_description(mine: Description, link: Link, session: Session) -> None:
    """A description of the slave's own may be another one after a restart, for the same EPK."""
    told = link.run(fingerprint(session)) if mine.origin in ("upload", "cache") else None
    if told is not None and told != (len(mine.data), crc32(mine.data)):
        raise IntegrityError(
            f"{link.name}: the slave has another description now, bytes and CRC-32",
            expected=(len(mine.data), crc32(mine.data)),
            actual=told,
            hint="Connect anew, so that names are looked up in it.",
        )
