"""Descriptions: opened by their outline, read object by object; never an exception for content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.a2l.document import Document, Loader, SourceText, open_document
from xcaliper.a2l.grammar import Entry, Keyword, Table, table_of
from xcaliper.a2l.hidden import hidden_blocks
from xcaliper.a2l.ifdata import A2ml
from xcaliper.a2l.keywords.project import A2mlVersion, Asap2Version, Module, Project
from xcaliper.a2l.lazy import Objects
from xcaliper.a2l.lines import bytes_of
from xcaliper.a2l.objects import ObjectParser
from xcaliper.a2l.outline import Container, Outline, outline
from xcaliper.a2l.scan import Engine, fnv
from xcaliper.a2l.tokens import Finding, tokens_of
from xcaliper.core.diagnostics import Diagnostic, Severity
from xcaliper.core.errors import A2lError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.a2l.names import NameTable
    from xcaliper.core.progress import Progress

__all__ = ["A2lFile", "Loader", "SourceText", "open_a2l", "parse", "read_outline"]

MAX_DIAGNOSTICS: Final = 1000
TOLD_EVERY: Final = 1000

_MAGIC: Final = (
    (b"\x7fELF", "an ELF file"),
    (b"MZ", "a Windows program"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"MDF     ", "an MDF recording"),
    (b"%PDF", "a PDF document"),
    (b"<?xml", "an XML document"),
    (b"S0", "an S-record image"),
    (b":1", "an Intel HEX image"),
)


@dataclass(slots=True)
class A2lFile:
    """A description as a tree.

    Attributes:
        asap2_version: declared version of the format.
        a2ml_version: declared version of the A2ML part.
        project: the outermost block; None for a fragment.
        fragment: objects that stood outside of any MODULE, as a module without a name.
        diagnostics: everything that was odd, in order; of objects that are read on access, once they were.
        source: name of the text.
        document: the text it was read from; None when it was made by hand.
    """

    asap2_version: Asap2Version | None = None
    a2ml_version: A2mlVersion | None = None
    project: Project | None = None
    fragment: Module | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list, compare=False)
    source: str = field(default="", compare=False)
    document: Document | None = field(default=None, compare=False, repr=False)
    _reading: _Reading | None = field(default=None, compare=False, repr=False)

    @property
    def modules(self) -> list[Module]:
        """Every module; a fragment counts as one."""
        found = list(self.project.module) if self.project else []
        return [*found, self.fragment] if self.fragment is not None else found

    @property
    def module(self) -> Module:
        """The first module.

        Raises:
            A2lError: there is none.
        """
        modules = self.modules
        if not modules:
            raise A2lError(
                "description without MODULE.",
                source=self.source,
                hint="Check that this is an ASAP2 file.",
            )
        return modules[0]

    @property
    def version(self) -> str:
        """Declared version as ``"1.71"``; ``"1.71"`` too when nothing is declared."""
        if self.asap2_version is None:
            return "1.71"
        return f"{self.asap2_version.version_no}.{self.asap2_version.upgrade_no:02d}"

    def watch(self, progress: Progress | None) -> None:
        """Have a callback told how many objects are read, whoever asks for them; None ends that."""
        if self._reading is not None:
            self._reading.progress = progress

    def load_all(self) -> None:
        """Read every object that was not read yet; ``diagnostics`` is complete afterwards."""
        if self._reading is not None:
            reading, self._reading = self._reading, None
            reading.load_all()

    def update(self, made: Keyword) -> None:
        """Put the present values of an object in place of its text, indented as before; all else stays.

        Args:
            made: an object of this file that was changed.

        Raises:
            UsageError: the object was not read from this file, or it overlaps another edit.
        """
        from xcaliper.a2l.write import write

        document = self.document
        if document is None:
            raise UsageError(
                f"{made.KEYWORD}: the description was made by hand and has no text to edit.",
                hint="Write the whole description.",
            )
        start, stop = document.span(made)
        indent, step = document.indent_of(start), document.step_of(start, stop)
        lines = write(made).rstrip("\n").split("\n")
        if not isinstance(made, A2ml):
            depths = [(len(line) - len(line.lstrip(" "))) // 2 for line in lines]
            lines = [
                step * depth + line.lstrip(" ") for depth, line in zip(depths, lines, strict=True)
            ]
            lines[1:] = [indent + line for line in lines[1:]]
        document.replace(made, document.newline().join(lines))

    def to_bytes(self) -> bytes:
        """The file: exactly as it was read, but for the edits of ``document``; UTF-8 when made by hand.

        Raises:
            A2lError: an edit cannot be said in the file's encoding.
        """
        if self.document is None:
            from xcaliper.a2l.write import write

            return write(self).encode()
        return self.document.to_bytes()


def parse(
    text: str | bytes, *, source: str = "", loader: Loader | None = None, engine: Engine = "auto"
) -> A2lFile:
    """Read a description; a text without PROJECT is read as the body of a MODULE.

    Args:
        text: the description; bytes as in a file.
        source: its name, for messages and for the loader.
        loader: gives the text of an include, or None when there is none.
        engine: as in ``scan``.
    """
    file = open_a2l(text, source=source, loader=loader, engine=engine)
    file.load_all()
    return file


def open_a2l(
    data: bytes | str,
    *,
    source: str = "",
    loader: Loader | None = None,
    engine: Engine = "auto",
    progress: Progress | None = None,
) -> A2lFile:
    """Open a description; objects of its modules are read when they are asked for.

    Args:
        data: the description; bytes as in a file.
        source: its name, for messages and for the loader.
        loader: gives the text of an include, or None when there is none.
        engine: as in ``scan``.
        progress: told how many bytes are scanned, and later how many objects are read; see ``A2lFile.watch``.
    """
    kind = _foreign(data)
    if kind:
        file = A2lFile(source=source)
        file.document = open_document(b"", source=source)
        file.document.sources[0].data = data if isinstance(data, bytes) else None
        _not_asap2(file, f"Text: this is {kind}, no ASAP2 description.")
        return file
    document = open_document(data, source=source, loader=loader, engine=engine, progress=progress)
    file = _Reading(document, outline(document)).file
    file.watch(progress)
    return file


def read_outline(document: Document, shape: Outline, *, names: NameTable | None = None) -> A2lFile:
    """The description of an outline that is known already.

    Args:
        document: the text; of its marks those that the outline names suffice.
        shape: the outline.
        names: what ``all_names`` gave then.
    """
    return _Reading(document, shape, names).file


def _foreign(data: bytes | str) -> str:
    """What a file is that is evidently no text; empty when it may be one."""
    head = data[:8].encode("utf-8", "replace") if isinstance(data, str) else data[:8]
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), "")


def _not_asap2(file: A2lFile, text: str) -> None:
    assert file.document is not None, "set by whoever opens a text"
    finding = Finding(0, Severity.ERROR, "not-asap2", text, "Give an A2L file.")
    file.diagnostics[:] = [file.document.report(finding)]


class _Findings:
    """Findings with their offsets, at most MAX_DIAGNOSTICS."""

    def __init__(self, document: Document, diagnostics: list[Diagnostic]) -> None:
        self.document = document
        self.diagnostics = diagnostics
        self.offsets: list[int] = []

    def add(self, finding: Finding) -> None:
        """Keep a finding; beyond the limit, say once that there are more."""
        if len(self.diagnostics) < MAX_DIAGNOSTICS:
            self.offsets.append(finding.offset)
            self.diagnostics.append(self.document.report(finding))
        elif len(self.diagnostics) == MAX_DIAGNOSTICS:
            self.offsets.append(len(self.document.text) + 1)
            text = "Description: further findings are not listed."
            more = Finding(finding.offset, Severity.WARNING, "too-many", text, "Mend these first.")
            self.diagnostics.append(self.document.report(more))

    def sort(self) -> None:
        """Bring the findings into the order of the text."""
        last = [d.slug == "cut-off" for d in self.diagnostics]
        order = sorted(range(len(last)), key=lambda n: (self.offsets[n], last[n]))
        self.diagnostics[:] = [self.diagnostics[n] for n in order]
        self.offsets = [self.offsets[n] for n in order]


class _Reading:
    """What is needed to read further objects of an opened description."""

    def __init__(self, document: Document, shape: Outline, names: NameTable | None = None) -> None:
        self.document = document
        self.shape = shape
        self.table = names
        self.progress: Progress | None = None
        self.count = 0
        self.total = 0
        self.file = A2lFile(source=document.sources[0].name, document=document, _reading=self)
        self.found = _Findings(document, self.file.diagnostics)
        self.homes: list[_Home] = []
        self.known = False
        self.open()
        if names is not None and len(names) != sum(len(home.one.blocks) for home in self.homes):
            self.table = None

    # ---- opening

    def open(self) -> None:
        """Build the containers and whatever is no list of objects."""
        document = self.document
        shape = self.shape
        for diagnostic in document.diagnostics:
            self.found.offsets.append(-1)
            self.file.diagnostics.append(diagnostic)
        for finding in [*document.scan.findings, *shape.findings]:
            self.found.add(finding)
        owners: list[Any] = []
        for one in shape.containers:
            owners.append(self.container(one, owners))
        if not self.known:
            _not_asap2(self.file, "Text: no ASAP2 keyword was found.")
            self.file._reading = None  # noqa: SLF001 -- our own file

    def container(self, one: Container, owners: list[Any]) -> Any:
        """Make a container and hang it into the one around it."""
        if one.begin < 0:
            self.root(one)
            return self.file
        self.known = True
        cls = Project if one.key == _PROJECT else Module
        made = self.parser(int(self.document.scan.marks.starts[one.begin]), one.head[1]).head(
            cls, ""
        )
        self.attach(made, owners[one.parent])
        self.contents(made, one, self.around(cls))
        return made

    def around(self, cls: Any) -> tuple[Table, ...]:
        return (table_of(Project), table_of(Module)) if cls is Module else (table_of(Project),)

    def attach(self, made: Any, owner: Any) -> None:
        """A bare MODULE gets a nameless project; of two projects the first counts."""
        file = self.file
        if isinstance(made, Module):
            if isinstance(owner, A2lFile):
                file.project = file.project or Project("", "")
                owner = file.project
            owner.module.append(made)
        elif file.project is None:
            file.project = made
        else:
            self.twice(made.origin.span()[0], "PROJECT", made.name)

    def twice(self, offset: int, keyword: str, name: str) -> None:
        self.found.add(
            Finding(
                offset,
                Severity.WARNING,
                "keyword-twice",
                f"{keyword}: it stands here a second time; the first one counts.",
                "Remove one.",
                name,
            )
        )

    def root(self, one: Container) -> None:
        """Read what stands outside of all blocks; objects there go to a fragment."""
        words = _root_words()
        inner = table_of(Module).optional
        keys = self.document.scan.marks.keys[one.blocks]
        known = {fnv(name.encode()) for name in inner}
        if any(key in known for key in set(keys.tolist())):
            self.known = True
            self.file.fragment = Module("", "")
        both = Table(None, "file", False, (), None, words)
        for start, stop in [one.head, *one.gaps]:
            if self.parser(start, stop).loose(self.file, both):
                self.known = True
        if self.file.fragment is not None:
            self.contents(self.file.fragment, one, (table_of(Module),))
        else:
            self.unknown(one, {_PROJECT, _MODULE}, "file")

    def contents(self, made: Any, one: Container, around: tuple[Table, ...]) -> None:
        """Sort the blocks of a container to the attributes of its object."""
        table = table_of(made.__class__)
        if one.begin >= 0:
            for start, stop in one.gaps:
                self.parser(start, stop, around).loose(made, table)
        marks = self.document.scan.marks
        keys = marks.keys[one.blocks]
        entries = {fnv(name.encode()): entry for name, entry in table.optional.items()}
        taken = {_PROJECT, _MODULE}
        order: dict[int, list[int]] = {}
        for key in set(keys.tolist()):
            entry = entries.get(key)
            if entry is not None and entry.cls is not Module:
                taken.add(key)
                order[key] = np.flatnonzero(keys == np.uint64(key)).tolist()
        base = self.homes[-1].base + len(self.homes[-1].one.blocks) if self.homes else 0
        home = _Home(self, one, around, base)
        self.homes.append(home)
        for key, rows in order.items():
            entry = entries[key]
            home.entries[key] = entry
            self.total += len(rows)
            if entry.repeated:
                objects = Objects(rows, home.read, home.names, home.mentions, home.finder(key))
                setattr(made, entry.attr, objects)
                home.lists.append((made, entry.attr))
            else:
                self.single(made, entry, home, rows)
        self.unknown(one, taken, table.name if one.begin >= 0 else "file")

    def single(self, made: Any, entry: Entry, home: _Home, rows: list[int]) -> None:
        """Read a block that may stand once."""
        for row in rows:
            value = home.read(row)
            if value is None:
                continue
            if getattr(made, entry.attr) is None:
                setattr(made, entry.attr, value)
            else:
                self.twice(home.start(row), entry.name, str(getattr(value, "name", "")))

    def unknown(self, one: Container, taken: set[int], owner: str) -> None:
        """Report the blocks that nobody knows."""
        marks = self.document.scan.marks
        strange = ~np.isin(marks.keys[one.blocks], np.array(sorted(taken), np.uint64))
        for number in one.blocks[strange][: MAX_DIAGNOSTICS + 1].tolist():
            name = self.word(int(marks.key_starts[number]), int(marks.key_stops[number]))[:80]
            self.found.add(
                Finding(
                    int(marks.starts[number]),
                    Severity.WARNING,
                    "block-unknown",
                    f"{owner}: /begin {name} is not known here; the block was skipped.",
                    "Check the spelling and the version.",
                    name,
                )
            )

    def parser(
        self, start: int, stop: int, around: tuple[Table, ...] = (), *, complete: bool = True
    ) -> ObjectParser:
        tokens = tokens_of(self.document.text, start, stop, self.document)
        return ObjectParser(tokens, self.found, around, complete=complete)

    def word(self, start: int, stop: int) -> str:
        return self.document.text[start:stop].decode("utf-8", "replace") if start >= 0 else ""

    def tell(self) -> None:
        """Say how many objects are read."""
        if self.progress is not None:
            self.progress("objects read", self.count, self.total)

    def all_names(self) -> list[str]:
        """Names of all blocks of all containers, one container after the other."""
        return [name for home in self.homes for name in home.all_names()]

    def known_names(self, home: _Home) -> list[str] | None:
        """The names of one container from an earlier opening."""
        if self.table is None:
            return None
        found = self.table.names()
        for other in self.homes:
            other.given = found[other.base : other.base + len(other.one.blocks)]
        return home.given

    def load_all(self) -> None:
        """Read what is left, in the order of the text, and make plain lists."""
        for home in self.homes:
            home.load_all()
        for finding in hidden_blocks(bytes_of(self.document.text)):
            self.found.add(finding)
        self.found.sort()


class _Home:
    """The blocks of one container, read one by one; rows are positions in ``Container.blocks``.

    Args:
        reading: the description.
        one: the container.
        around: grammars of the blocks around.
        base: how many blocks the containers before have.
    """

    def __init__(
        self, reading: _Reading, one: Container, around: tuple[Table, ...], base: int
    ) -> None:
        self.reading = reading
        self.one = one
        self.around = around
        self.base = base
        self.entries: dict[int, Entry] = {}
        self.lists: list[tuple[Any, str]] = []
        self.made: dict[int, Any] = {}
        self.given: list[str] | None = None

    def start(self, row: int) -> int:
        """Offset of the block in the text."""
        return int(self.reading.document.scan.marks.starts[self.one.blocks[row]])

    def read(self, row: int) -> Any:
        """The object of a block, the same one each time; None when it cannot be read."""
        if row not in self.made:
            reading, one = self.reading, self.one
            marks = reading.document.scan.marks
            number = one.blocks[row]
            complete = row not in one.broken
            reading.count += 1
            if reading.count % TOLD_EVERY == 0:
                reading.tell()
            parser = reading.parser(
                int(marks.starts[number]), int(one.stops[row]), self.around, complete=complete
            )
            self.made[row] = parser.block(self.entries[int(marks.keys[number])].cls)
        return self.made[row]

    def names(self, rows: list[int]) -> list[str]:
        """Names of the objects, without reading them."""
        names = self.given
        if names is None:
            names = self.given = self.reading.known_names(self) or self.all_names()
        return names if len(rows) == len(names) else [names[row] for row in rows]

    def finder(self, key: int) -> Callable[[str], list[int] | None]:
        """Finds the rows of one keyword by name; it gives None where that takes all names."""
        marks = self.reading.document.scan.marks
        blocks, base = self.one.blocks, self.base

        def find(name: str) -> list[int] | None:
            table = self.reading.table
            if table is None:
                return None
            rows = [n - base for n in table.find(name) if base <= n < base + len(blocks)]
            return [row for row in rows if int(marks.keys[blocks[row]]) == key]

        return find

    def mentions(self, word: str) -> set[int]:
        """Blocks whose text has a word, as part of a longer one too."""
        text = bytes_of(self.reading.document.text)
        starts = self.reading.document.scan.marks.starts[self.one.blocks]
        wanted = word.encode("utf-8", "surrogatepass")
        places: list[int] = []
        at = text.find(wanted) if wanted else -1
        while at >= 0:
            places.append(at)
            at = text.find(wanted, at + 1)
        rows = np.searchsorted(starts, np.array(places, np.int64), side="right") - 1
        return set(rows.tolist())

    def all_names(self) -> list[str]:
        """Names of all blocks, from the text."""
        document = self.reading.document
        marks, text = document.scan.marks, bytes_of(document.text)
        numbers = self.one.blocks
        starts = np.maximum(marks.first_starts[numbers], 0).tolist()
        stops = np.maximum(marks.first_stops[numbers], 0).tolist()
        raw = [text[a:b] for a, b in zip(starts, stops, strict=True)]
        joined = b"\0".join(raw)
        if b'"' in joined:
            raw = [word.strip(b'"') for word in raw]
            joined = b"\0".join(raw)
        names = joined.decode("utf-8", "replace").split("\0")
        if len(names) != len(raw):  # a NUL in a name
            names = [w.decode("utf-8", "replace").replace("\0", "\ufffd") for w in raw]
        return names

    def load_all(self) -> None:
        """Read what is left, in the order of the text, and make plain lists."""
        keys = self.reading.document.scan.marks.keys[self.one.blocks].tolist()
        for row, key in enumerate(keys):
            if key in self.entries:
                self.read(row)
        for made, attr in self.lists:
            held = getattr(made, attr)
            if isinstance(held, Objects):
                setattr(made, attr, held.loaded())


_PROJECT: Final = fnv(b"PROJECT")
_MODULE: Final = fnv(b"MODULE")


def _root_words() -> dict[str, Entry]:
    """Keywords without block marks that may stand outside of all blocks."""
    return {
        "ASAP2_VERSION": Entry("ASAP2_VERSION", "asap2_version", "object", Asap2Version),
        "A2ML_VERSION": Entry("A2ML_VERSION", "a2ml_version", "object", A2mlVersion),
    }
