"""The text of a description as it was given: sources, includes in place, places, edits, bytes again."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xcaliper.a2l.lines import Lines, bytes_of
from xcaliper.a2l.scan import Engine, Include, Scan, scan
from xcaliper.a2l.tokens import Finding, transcode
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import A2lError, UsageError

if TYPE_CHECKING:
    from xcaliper.a2l.grammar import Keyword
    from xcaliper.core.progress import Progress

__all__ = ["Document", "Loader", "Patch", "Source", "SourceText", "open_document"]

MAX_INCLUDE_DEPTH: Final = 32
MAX_INCLUDES: Final = 10_000
MAX_INCLUDED_BYTES: Final = 1 << 30
MAX_REPEATED_BYTES: Final = 1 << 24
MAX_DIAGNOSTICS: Final = 1000

_MARKS: Final = {
    "utf-8-sig": (b"\xef\xbb\xbf",),
    "utf-16": (b"\xff\xfe", b"\xfe\xff"),
    "utf-32": (b"\xff\xfe\0\0", b"\0\0\xfe\xff"),
}


@dataclass(frozen=True, slots=True)
class SourceText:
    """A text given by a loader under a name of its own.

    Attributes:
        name: for messages, and for the loader when the text includes others.
        data: bytes of the file, or its text; None when the loader must not read it.
    """

    name: str
    data: bytes | str | None


Loader = Callable[[str, str], str | bytes | SourceText | None]
"""Takes the requested name and the name of the including text; gives the text or None."""


@dataclass(slots=True)
class Source:
    """One file of a description.

    Attributes:
        name: for messages.
        data: its bytes; None when it was given as text.
        text: its content, UTF-8 without mark.
        encoding: as ``decode_text`` names it.
        lines: places in ``text``.
        old_ends: its lines end with CR alone; in ``text`` they end with LF.
    """

    name: str
    data: bytes | None
    text: bytes
    encoding: str
    lines: Lines
    old_ends: bool = False

    @classmethod
    def of(cls, name: str, data: bytes | str) -> Source:
        """The source of bytes or of a text."""
        if isinstance(data, str):
            text, encoding, raw = data.encode("utf-8", "surrogatepass"), "utf-8", None
        else:
            text, encoding = transcode(data)
            raw = data
        old_ends = b"\n" not in text and b"\r" in text
        if old_ends:
            raw = text if raw is None else raw
            text = text.replace(b"\r", b"\n")
        return cls(name, raw, text, encoding, Lines(text, name), old_ends)

    def to_bytes(self, patches: list[Patch]) -> bytes:
        """The file with some stretches of ``text`` exchanged, all other bytes as they were.

        Args:
            patches: in order, without overlap; offsets are those of ``text``.

        Raises:
            A2lError: a new text cannot be said in the file's encoding.
        """
        raw = bytes_of(self.text if self.data is None else self.data)
        if not patches:
            return raw
        mark = next((m for m in _MARKS.get(self.encoding, ()) if raw.startswith(m)), b"")
        codec = self.codec(mark)
        parts: list[bytes] = []
        done, at = 0, len(mark) if self.data is not None else 0
        parts.append(raw[:at])
        for patch in patches:
            kept = self.size(done, patch.start, codec)
            parts.append(raw[at : at + kept])
            parts.append(self.encode(patch, codec))
            at += kept + self.size(patch.start, patch.stop, codec)
            done = patch.stop
        parts.append(raw[at:])
        return b"".join(parts)

    def codec(self, mark: bytes) -> str:
        """Name of the encoding behind the mark."""
        order = "le" if mark.startswith(b"\xff") else "be"
        return {
            "utf-8-sig": "utf-8",
            "utf-16": f"utf-16-{order}",
            "utf-32": f"utf-32-{order}",
        }.get(self.encoding, self.encoding)

    def size(self, start: int, stop: int, codec: str) -> int:
        """Bytes that a stretch of the text takes in the file."""
        if codec == "utf-8":
            return stop - start
        text = self.text[start:stop].decode("utf-8", "surrogatepass")
        return len(text.encode(codec, "surrogatepass"))

    def encode(self, patch: Patch, codec: str) -> bytes:
        """New text in the file's encoding."""
        text = patch.text.replace("\n", "\r") if self.old_ends else patch.text
        try:
            return text.encode(codec)
        except UnicodeEncodeError as error:
            raise A2lError(
                f"the new text has characters that {codec} does not know: {error.object[error.start]!r}.",
                source=self.name,
                hint="Use other characters, or save the file as UTF-8 first.",
            ) from error


@dataclass(frozen=True, slots=True, order=True)
class Patch:
    """A stretch of text and what replaces it."""

    start: int
    stop: int
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the whole text that comes from one source."""

    start: int
    source: int
    offset: int
    size: int


@dataclass(slots=True, eq=False)
class Document:
    """The whole text, includes in place, and where each part of it came from.

    Attributes:
        sources: the files; the first one is the description itself, included ones follow.
        text: the whole text, UTF-8.
        scan: its marks.
        diagnostics: findings about includes.
    """

    sources: list[Source]
    text: bytes
    scan: Scan
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _pieces: list[_Piece] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _patches: list[Patch] = field(default_factory=list)

    @classmethod
    def single(cls, source: Source, found: Scan) -> Document:
        """The document of one source without includes."""
        piece = _Piece(0, 0, 0, len(source.text))
        return cls([source], source.text, found, [], [piece], [0])

    # ---- places

    def _piece(self, offset: int) -> _Piece:
        return self._pieces[max(0, bisect_right(self._starts, offset) - 1)]

    def where(self, offset: int) -> Where:
        """Source, line and column of an offset in the whole text."""
        piece = self._piece(offset)
        inside = min(offset - piece.start, piece.size)
        return self.sources[piece.source].lines.where(piece.offset + inside)

    def line_of(self, offset: int) -> int:
        """1-based line in its source of an offset in the whole text."""
        piece = self._piece(offset)
        inside = min(offset - piece.start, piece.size)
        return self.sources[piece.source].lines.line_of(piece.offset + inside)

    def report(self, finding: Finding) -> Diagnostic:
        """The finding with its place."""
        offset, severity, slug, text, hint, subject = finding
        return Diagnostic(severity, slug, self.where(offset), text, hint, subject)

    def span(self, made: Keyword) -> tuple[int, int]:
        """Start and end of an object in the whole text, block marks included.

        Raises:
            UsageError: the object was not read from this text.
        """
        origin = made.origin
        if origin is None or origin.places is not self:
            raise UsageError(
                f"{made.KEYWORD}: it was not read from this file.",
                hint="Take the object from the file itself.",
            )
        return origin.span()

    # ---- edits

    @property
    def patches(self) -> tuple[Patch, ...]:
        """Edits so far, in order; offsets are those of the text as it was read."""
        return tuple(self._patches)

    def replace(self, made: Keyword, text: str) -> None:
        """Give an object a new text; an earlier new text of the same object is forgotten.

        Args:
            made: an object that was read from this text.
            text: what stands in its place, block marks included.

        Raises:
            UsageError: the object is not from here, or it overlaps another edit.
        """
        start, stop = self.span(made)
        self.replace_span(start, stop, text)

    def remove(self, made: Keyword) -> None:
        """Take an object out, with its line when it stands alone on lines.

        Raises:
            UsageError: the object is not from here, or it overlaps another edit.
        """
        start, stop = self.span(made)
        before = self.text.rfind(b"\n", 0, start) + 1
        behind = self.text.find(b"\n", stop)
        behind = len(self.text) if behind < 0 else behind + 1
        alone = not self.text[before:start].strip() and not self.text[stop:behind].strip()
        if alone and self._piece(before) == self._piece(max(before, behind - 1)):
            start, stop = before, behind
        self.replace_span(start, stop, "")

    def insert(self, offset: int, text: str) -> None:
        """Put a text at an offset of the whole text.

        Raises:
            UsageError: the offset lies inside of another edit.
        """
        self.replace_span(offset, offset, text)

    def replace_span(self, start: int, stop: int, text: str) -> None:
        """Exchange a stretch of the whole text.

        Raises:
            UsageError: it reaches over several files or overlaps another edit.
        """
        piece = self._piece(start)
        if not 0 <= start <= stop <= piece.start + piece.size:
            raise UsageError(
                "Edit: the stretch reaches over several files.", hint="Edit the parts one by one."
            )
        patch = Patch(start, stop, text)
        if start < stop:  # an insertion never replaces another one
            self._patches = [p for p in self._patches if (p.start, p.stop) != (start, stop)]
        for other in self._patches:
            if other.start < stop and start < other.stop:
                raise UsageError(
                    f"Edit: {self.where(start)} overlaps an edit at {self.where(other.start)}.",
                    hint="Save first, or edit the outer object only.",
                )
        insort(self._patches, patch)

    def edit(self, patches: Iterable[Patch], *, instead_of: Iterable[Patch] = ()) -> None:
        """Make many edits at once, or none of them.

        Args:
            patches: the edits; insertions at one place keep their order.
            instead_of: earlier edits, out of ``patches``, that are forgotten.

        Raises:
            UsageError: one reaches over several files or overlaps another edit.
        """
        new = list(patches)
        gone = {id(patch) for patch in instead_of}
        again = {(p.start, p.stop) for p in new if p.start < p.stop}
        kept = [p for p in self._patches if id(p) not in gone and (p.start, p.stop) not in again]
        reach = -1
        for patch in (whole := sorted([*kept, *new])):
            piece = self._piece(patch.start)
            if not 0 <= patch.start <= patch.stop <= piece.start + piece.size:
                raise UsageError(
                    "Edit: the stretch reaches over several files.",
                    hint="Edit the parts one by one.",
                )
            if patch.start < reach:
                raise UsageError(
                    f"Edit: {self.where(patch.start)} overlaps another edit.",
                    hint="Save first, or edit the outer object only.",
                )
            reach = max(reach, patch.stop)
        self._patches = whole

    def to_bytes(self, source: int = 0) -> bytes:
        """A file with its edits; without edits exactly as it was read.

        Args:
            source: which of ``sources``.

        Raises:
            A2lError: a new text cannot be said in the file's encoding.
        """
        moved: list[Patch] = []
        for patch in self._patches:
            piece = self._piece(patch.start)
            if piece.source == source:
                by = piece.offset - piece.start
                moved.append(Patch(patch.start + by, patch.stop + by, patch.text))
        return self.sources[source].to_bytes(sorted(moved))

    def edited(self, source: int) -> bool:
        """True when there are edits of a file.

        Args:
            source: which of ``sources``.
        """
        return any(self._piece(patch.start).source == source for patch in self._patches)

    def indent_of(self, offset: int) -> str:
        """Whitespace between the start of the line and an offset; empty when other text is there."""
        start = self.text.rfind(b"\n", 0, offset) + 1
        before = self.text[start:offset]
        return before.decode("utf-8", "replace") if not before.strip(b" \t") else ""

    def step_of(self, start: int, stop: int) -> str:
        """How much deeper the first inner line of a block is indented; two blanks where that cannot be seen."""
        outer = self.indent_of(start)
        at = self.text.find(b"\n", start, stop) + 1
        while 0 < at < stop:
            line = self.text[at : min(stop, at + 200)]
            blank = line[: len(line) - len(line.lstrip(b" \t"))].decode()
            if line.strip(b" \t\r\n") and not line.lstrip().startswith(b"/end"):
                return blank[len(outer) :] if blank.startswith(outer) and blank != outer else "  "
            at = self.text.find(b"\n", at, stop) + 1
        return "  "

    def newline(self) -> str:
        """Line end of the description: that of its first line."""
        end = self.text.find(b"\n")
        return "\r\n" if end > 0 and self.text[end - 1 : end] == b"\r" else "\n"


def open_document(
    data: bytes | str,
    *,
    source: str = "",
    loader: Loader | None = None,
    engine: Engine = "auto",
    progress: Progress | None = None,
) -> Document:
    """Scan a description and put its includes in place.

    Args:
        data: bytes of the file, or its text.
        source: its name, for messages and for the loader.
        loader: gives the text of an include, or None when there is none.
        engine: as in ``scan``.
        progress: as in ``scan``.
    """
    first = Source.of(source, data)
    found = scan(first.text, engine=engine, progress=progress)
    if not found.includes:
        return Document.single(first, found)
    work = _Assembly(loader, engine)
    work.add(first, found)
    text = b"".join(work.parts)
    starts = [piece.start for piece in work.pieces]
    final = scan(text, engine=engine, progress=progress)
    return Document(work.sources, text, final, work.diagnostics, work.pieces, starts)


class _Assembly:
    """Work in progress of putting includes in place."""

    def __init__(self, loader: Loader | None, engine: Engine) -> None:
        self.loader = loader
        self.engine = engine
        self.sources: list[Source] = []
        self.known: dict[str, int] = {}
        self.diagnostics: list[Diagnostic] = []
        self.parts: list[bytes] = []
        self.pieces: list[_Piece] = []
        self.size = 0
        self.stack: list[Source] = []
        self.includes = 0
        self.bytes = 0
        self.repeated = 0

    def add(self, source: Source, found: Scan) -> None:
        """Append one text; includes recurse, at most MAX_INCLUDE_DEPTH deep."""
        index = len(self.sources)
        self.sources.append(source)
        self.known[source.name] = index
        self.stack.append(source)
        at = 0
        for include in found.includes:
            if include.a2ml:
                if include.name:
                    self.load(include, source)
                continue
            self.piece(index, at, include.start)
            at = include.stop
            if include.name:
                self.include(include, source)
        self.piece(index, at, found.own_stop)
        self.stack.pop()
        for finding in found.findings:  # these are not in the joined text any more
            if finding.slug in ("comment-open", "include-unnamed"):
                self.report(finding, source)

    def piece(self, index: int, start: int, stop: int) -> None:
        if start == stop and self.pieces:
            return
        self.pieces.append(_Piece(self.size, index, start, stop - start))
        self.parts += [self.sources[index].text[start:stop], b"\n"]
        self.size += stop - start + 1

    def report(self, finding: Finding, source: Source) -> None:
        if len(self.diagnostics) < MAX_DIAGNOSTICS:
            offset, severity, slug, text, hint, subject = finding
            where = source.lines.where(offset)
            self.diagnostics.append(Diagnostic(severity, slug, where, text, hint, subject))

    def load(self, include: Include, source: Source) -> tuple[str, str | bytes] | None:
        """Name and content of an included text; None when there is none, which is reported."""
        loaded = self.loader(include.name, source.name) if self.loader else None
        if isinstance(loaded, SourceText):
            if loaded.data is not None:
                return loaded.name, loaded.data
            why, hint = (
                "it lies outside of the folder of the description",
                "Allow it by --outside, or move it.",
            )
        elif loaded is not None:
            return include.name, loaded
        else:
            why, hint = "the text was not found", "Put the file beside the description."
        text = f"/include {include.name[:200]}: {why}; reading goes on without it."
        name = include.name[:200]
        finding = Finding(include.start, Severity.WARNING, "include-missing", text, hint, name)
        self.report(finding, source)
        return None

    def include(self, include: Include, source: Source) -> None:
        loaded = self.load(include, source)
        if loaded is None:
            return
        name, data = loaded
        made = Source.of(name, data)
        self.includes += 1
        self.bytes += len(made.text)
        before = self.known.get(name)
        if before is not None and self.sources[before].text == made.text:
            self.repeated += len(made.text) + 1000
        flat = name.replace("\\", "/")
        if any(s.name.replace("\\", "/") == flat or s.text == made.text for s in self.stack):
            slug, text, hint = (
                "include-cycle",
                "the text includes itself; it was left out.",
                "Remove the cycle.",
            )
        elif (
            len(self.stack) > MAX_INCLUDE_DEPTH
            or self.includes > MAX_INCLUDES
            or self.bytes > MAX_INCLUDED_BYTES
            or self.repeated > MAX_REPEATED_BYTES
        ):
            slug, text, hint = (
                "include-limit",
                "too deep, too many or too large; it was left out.",
                "Flatten the includes.",
            )
        else:
            self.add(made, scan(made.text, engine=self.engine))
            return
        self.report(
            Finding(
                include.start,
                Severity.ERROR,
                slug,
                f"/include {include.name[:200]}: {text}",
                hint,
                include.name[:200],
            ),
            source,
        )
