"""Memory compared with bytes by checksum, the user's own algorithms included."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.a2l.if_xcp import read_segment
from xcaliper.client.keys import beside_a2l
from xcaliper.core.errors import UsageError
from xcaliper.xcp.checksum import checksum
from xcaliper.xcp.codes import ChecksumType
from xcaliper.xcp.procedures.memory import XcpMemory

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.client.connection import Connection
    from xcaliper.core.address import Address

__all__ = ["Checksums", "verify"]

Checksums: TypeAlias = "Callable[[bytes], int] | str | Path"
"""A function of bytes, the path of a library, or ``"a2l"``."""

_FROM_A2L: Final = "a2l"
_KEYWORD: Final = "EXTERNAL_FUNCTION"


def verify(
    connection: Connection, address: Address, data: bytes, checksums: Checksums | None
) -> bool:
    """Whether the checksums of memory are those of these bytes, block by block.

    Raises:
        UsageError: the slave's algorithm is its own, and nobody gave it, or is not known.
        LibraryError: the library did not do its work.
    """
    session = connection.session
    order, ag = session.profile.byte_order, session.profile.ag
    user: Callable[[bytes], int] | None = None
    blocks = connection.link.run(XcpMemory(session).checksum(address, len(data)))
    at = 0
    for block in blocks:
        kind = _known(block.checksum_type)
        if kind is ChecksumType.XCP_USER_DEFINED and user is None:
            user = _user_function(connection, address, checksums, ag)
        part = data[at : at + block.size_bytes]
        if checksum(kind, part, order, user) != block.value:
            return False
        at += block.size_bytes
    return True


def _known(kind: int) -> ChecksumType:
    try:
        return ChecksumType(kind)
    except ValueError:
        raise UsageError(
            f"checksum: nobody knows the slave's algorithm {kind}.", hint="Read the memory instead."
        ) from None


def _user_function(
    connection: Connection, address: Address, checksums: Checksums | None, ag: int
) -> Callable[[bytes], int]:
    if checksums is None:
        raise UsageError(
            "checksum: the slave's algorithm is its own (XCP_USER_DEFINED).",
            hint='Give it with checksums=…: a function, a library, or "a2l".',
        )
    if not isinstance(checksums, str | Path):
        return checksums
    from xcaliper.sandbox.checksums import ChecksumLibrary

    if str(checksums) != _FROM_A2L:
        return ChecksumLibrary(checksums)
    named = _described(connection, address, ag)
    return ChecksumLibrary(beside_a2l(named, connection.security.a2l, _KEYWORD))


def _described(connection: Connection, address: Address, ag: int) -> str | None:
    """The library of the segment at an address (ASAP2, IF_DATA XCP, CHECKSUM EXTERNAL_FUNCTION)."""
    file = connection.description.file
    mod_par = file.module.mod_par if file is not None else None
    for segment in mod_par.memory_segment if mod_par else ():
        offset = (address.value - segment.address) * ag
        xcp = read_segment(segment.if_data)
        if xcp is not None and xcp.checksum is not None and 0 <= offset < segment.size:
            return xcp.checksum.external_function
    return None
