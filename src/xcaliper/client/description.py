"""Finds the description of a slave: a given file, the cache, or an upload."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xcaliper.a2l import decode_text, parse
from xcaliper.client.a2l_source import A2lCache, read_a2l
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import NegativeResponseError, ProtocolError
from xcaliper.proto.procedure import ask
from xcaliper.xcp import std
from xcaliper.xcp.codes import ChecksumType
from xcaliper.xcp.procedures.connect import optional
from xcaliper.xcp.procedures.identify import IdType, identify, upload_a2l

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.a2l import A2lFile
    from xcaliper.proto.procedure import Procedure
    from xcaliper.transport.pump import Link
    from xcaliper.xcp.procedures.connect import Session

__all__ = ["Description", "epk_problem", "find_description", "fingerprint"]

_NO_A2L: Final = "no-a2l"


@dataclass(frozen=True, slots=True)
class Description:
    """A parsed description and where it came from.

    Attributes:
        file: the tree; None when there is no description.
        data: its bytes as they were.
        name: file name.
        origin: ``file``, ``upload``, ``cache``, or empty.
        texts: identification type → text, as the slave told.
        diagnostics: what is odd about it.
    """

    file: A2lFile | None
    data: bytes
    name: str
    origin: str
    texts: dict[int, str]
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def epk(self) -> str:
        """EPK that the slave told; empty when it did not."""
        return self.texts.get(int(IdType.EPK), "")


def find_description(
    link: Link,
    session: Session,
    path: str | Path | None,
    *,
    cache: A2lCache | None,
    progress: Callable[[int, int], None] | None = None,
) -> Description:
    """The description of the slave behind a link.

    Args:
        link: connected.
        session: of the connection.
        path: file to use instead of the slave's own.
        cache: earlier uploads; None = always upload.
        progress: called with bytes so far and bytes in all while uploading.

    Raises:
        A2lError: the file cannot be read.
        ExchangeTimeoutError: the slave does not answer.
    """
    silent: list[int] = []
    texts = link.run(identify(session, unanswered=silent))
    notes = [_unanswered(silent)] if silent else []
    if path is not None:
        given = Path(path)
        tree = read_a2l(given)
        return Description(tree, given.read_bytes(), given.name, "file", texts, tuple(notes))
    epk = texts.get(int(IdType.EPK), "")
    name = texts.get(int(IdType.A2L_FILE)) or f"{texts.get(int(IdType.A2L_NAME), 'slave')}.a2l"
    deaf = bool(silent) and not texts  # then the A2L need not be asked for
    data = b"" if deaf else _from_cache(link, session, epk, cache) if cache is not None else None
    origin = "cache"
    if data is None:
        origin = "upload"
        try:
            data = link.run(upload_a2l(session, progress))
        except ProtocolError as error:
            data = b""
            notes.append(_no_a2l(f"the slave does not give its A2L: {error.message}"))
        if data and cache is not None:
            cache.store(epk, data)
    if not data:
        if not any(note.slug == _NO_A2L for note in notes):
            notes.append(_no_a2l("the slave carries no A2L"))
        return Description(None, b"", "", "", texts, tuple(notes))
    tree = parse(decode_text(data)[0], source=name)
    return Description(tree, data, name, origin, texts, tuple(notes))


def _no_a2l(text: str) -> Diagnostic:
    hint = "Names cannot be used; give a file with a2l=…"
    return Diagnostic(Severity.WARNING, _NO_A2L, Where(), f"{text}.", hint)


def _unanswered(kinds: list[int]) -> Diagnostic:
    text = f"the slave leaves GET_ID unanswered, type {' and '.join(map(str, kinds))}."
    hint = (
        "Its name and EPK are not known for certain; check that the description is the right one."
    )
    return Diagnostic(Severity.WARNING, "id-unanswered", Where(), text, hint)


def _from_cache(link: Link, session: Session, epk: str, cache: A2lCache) -> bytes | None:
    """A cached content that is proven to be the slave's: same EPK, length and checksum."""
    found = link.run(fingerprint(session))
    if found is None:
        return None
    length, checksum = found
    for data in cache.candidates(epk, length):
        if zlib.crc32(data) == checksum:
            return data
    return None


def fingerprint(session: Session) -> Procedure[tuple[int, int] | None]:
    """Length and CRC-32 of the slave's A2L; None when the slave cannot tell, or leaves that unanswered.

    GET_ID leaves the MTA at the text, so BUILD_CHECKSUM can read it there.

    Args:
        session: remembers a command that the slave lacks.
    """
    try:
        reply = yield from ask(std.GetId(identification_type=int(IdType.A2L)))
        if reply.mode.transfer_mode or not reply.length:
            return None
        built = yield from optional(session, std.BuildChecksum(block_size=reply.length))
    except (NegativeResponseError, ProtocolError):
        return None
    if built is None or built.checksum_type != ChecksumType.XCP_CRC_32:
        return None
    return reply.length, built.checksum


def epk_problem(description: Description) -> Diagnostic | None:
    """The finding that the description belongs to another program than the slave's, by its EPK."""
    file, live = description.file, description.epk
    mod_par = file.module.mod_par if file is not None else None
    paper = mod_par.epk if mod_par is not None else None
    if not live or not paper or live.strip("\0 ") == paper.strip("\0 "):
        return None
    return Diagnostic(
        Severity.ERROR,
        "epk-mismatch",
        Where(description.name),
        f"the description is for EPK {paper!r}, the slave runs {live!r}.",
        "Writing is refused until confirm() is called.",
    )
