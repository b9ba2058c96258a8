"""Annotations in the comments of a C header: reading them, and the declarations they belong to."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.a2l.ifdata import number_of
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.describe.constants import Constants
from xcaliper.describe.enums import a2l_name

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Findings", "Note", "ident", "notes_of"]

_COMMENT: Final = re.compile(r"/\*(.*?)\*/|//([^\n]*)", re.DOTALL)
_MARK: Final = re.compile(r"@@\s*(\w+)[ \t]*(.*)")
_EXTENSION: Final = re.compile(
    r"\b(?:__attribute__|__declspec|_Alignas|alignas)\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
)
_DECLARED: Final = re.compile(r"^([\w\s:*]*?[\s*])(\w+)\s*((?:\[[^\]]*\]\s*)*)$", re.DOTALL)
_STORAGE: Final = frozenset(
    {
        "extern",
        "static",
        "const",
        "volatile",
        "register",
        "struct",
        "union",
        "enum",
        "constexpr",
        "inline",
    }
)
_KINDS: Final = frozenset({"measurement", "parameter", "axis", "curve", "map", "instance"})
_KEYS: Final = frozenset(
    {
        "text",
        "unit",
        "limits",
        "hard",
        "linear",
        "enum",
        "format",
        "group",
        "function",
        "symbol",
        "type",
        "x",
        "y",
        "writable",
    }
)
_MAX_OBJECTS: Final = 200_000
_MAX_DECLARATION: Final = 2000


@dataclass(slots=True)
class Note:
    """One annotated declaration; ``at`` and ``places`` are characters from the begin of the header."""

    kind: str
    name: str
    at: int
    places: dict[str, int] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    type_name: str = ""
    dims: tuple[int, ...] = ()
    identifier: str = ""

    def get(self, key: str) -> str:
        """The value of a key, empty when it is not there."""
        return self.keys.get(key, [""])[0]

    def numbers(self, key: str) -> list[float]:
        """The numbers of a key."""
        found = [number_of(word) for word in self.get(key).replace(",", " ").split()]
        return [value for value in found if value is not None]

    @property
    def link(self) -> str:
        """Symbol of the object."""
        return self.get("symbol") or self.identifier


class Findings:
    """Mistakes in a header, with lines and columns.

    Args:
        text: the header.
        source: its name.
        diagnostics: gets them.
    """

    def __init__(self, text: str, source: str, diagnostics: list[Diagnostic]) -> None:
        self.source = source
        self.diagnostics = diagnostics
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def where(self, at: int) -> Where:
        """Line and column of a character."""
        line = bisect_right(self.starts, at)
        return Where(self.source, line, at - self.starts[line - 1] + 1)

    def add(self, note: Note, text: str, hint: str, key: str = "") -> None:
        """Report what is wrong with an annotation, at one of its keys or its begin."""
        self.diagnostics.append(
            Diagnostic(
                Severity.ERROR,
                "annotation",
                self.where(note.places.get(key, note.at)),
                f"@@ {note.kind} {note.name or note.identifier}".rstrip() + f": {text}",
                hint,
                note.name,
            )
        )


def notes_of(text: str, findings: Findings) -> Iterator[Note]:
    """Annotated declarations in order; a comment belongs to the declaration on its line, else to the next one."""
    constants = Constants(text)
    for count, (start, end, rows) in enumerate(_comments(text, findings)):
        if not any("@@" in row for _, row in rows):
            continue
        if count > _MAX_OBJECTS:
            return
        note = _note(rows, findings)
        if note is None:
            continue
        before = _before(text, start)
        if ";" in before:
            declaration = _COMMENT.sub(" ", before).rstrip().rstrip(";").rpartition(";")[2]
        else:
            rest = _COMMENT.sub(" ", text[end : end + _MAX_DECLARATION]).partition(";")[0]
            kept = [row for row in rest.splitlines() if not row.lstrip().startswith("#")]
            declaration = "\n".join(kept)
        if _declare(note, declaration, constants):
            yield note
        elif "," in declaration.partition("=")[0]:
            findings.add(note, "several variables follow at once.", "Declare each one on its own.")
        else:
            findings.add(note, "no declaration follows.", "Put the annotation before a variable.")


_Row: TypeAlias = tuple[int, str]


def _comments(text: str, findings: Findings) -> Iterator[tuple[int, int, list[_Row]]]:
    """Begin, end and rows of every comment; full lines of ``//`` in a row are one."""
    run: tuple[int, int, list[_Row]] | None = None
    end = 0
    for match in _COMMENT.finditer(text):
        end = match.end()
        block = match[1] is not None
        full = not block and not _before(text, match.start()).strip()
        if run is not None:
            if full and text[run[1] : match.start()].strip(" \t") == "\n":
                run = (run[0], end, [*run[2], (match.start(2), match[2])])
                continue
            yield run
            run = None
        if full:
            run = (match.start(), end, [(match.start(2), match[2])])
        else:
            yield (
                match.start(),
                end,
                _rows(match.start(1 if block else 2), match[1 if block else 2]),
            )
    if run is not None:
        yield run
    cut = text.find("/*", end)
    if cut >= 0 and "@@" in text[cut:]:
        findings.add(Note("comment", "", cut), "it has no end.", "Close it with */.")


def _rows(at: int, comment: str) -> list[_Row]:
    """Lines of a comment, each with its place in the header."""
    found = []
    for row in comment.splitlines(keepends=True):
        found.append((at, row))
        at += len(row)
    return found


def _before(text: str, at: int) -> str:
    """What stands on the line before a place."""
    return text[text.rfind("\n", 0, at) + 1 : at]


def _note(rows: list[_Row], findings: Findings) -> Note | None:
    note: Note | None = None
    for at, row in rows:
        mark = _MARK.search(row)
        if mark is None:
            continue
        key, value, place = mark[1], mark[2].strip().strip("*").strip(), at + mark.start()
        if key in _KINDS and note is None:
            note = Note(key, ident(value.split()[0]) if value else "", place)
        elif note is None:
            near = get_close_matches(key, _KINDS, n=1)
            findings.add(
                Note(key, "", place),
                f"{key} stands before the kind.",
                f"Did you mean {near[0]}?"
                if near
                else f"Begin with one of {', '.join(sorted(_KINDS))}.",
            )
            return None
        elif key in _KEYS:
            note.places.setdefault(key, place)
            quoted = len(value) > 1 and value[0] == value[-1] == '"'
            note.keys.setdefault(key, []).append(value[1:-1] if quoted else value)
        else:
            note.places[key] = place
            near = get_close_matches(key, _KEYS, n=1)
            words = (
                f"Did you mean {near[0]}?" if near else f"Use one of {', '.join(sorted(_KEYS))}."
            )
            findings.add(note, f"key {key} is unknown.", words, key)
    return note


def ident(text: str) -> str:
    """An identifier of ASAP2; dots and brackets are part of names there."""
    return re.sub(r"[^\w.\[\]]", "_", text, flags=re.ASCII)


def _declare(note: Note, declaration: str, constants: Constants) -> bool:
    """Type, name and dimensions from a declaration."""
    match = _DECLARED.match(_EXTENSION.sub(" ", declaration.partition("=")[0]).strip())
    if match is None:
        return False
    words = [w for w in match[1].replace("*", " * ").split() if w not in _STORAGE]
    if not words:
        return False
    note.type_name = "pointer" if "*" in words else " ".join(words)
    note.identifier = match[2]
    note.name = note.name or a2l_name(match[2])
    note.dims = tuple(constants.number(size) for size in re.findall(r"\[([^\]]*)\]", match[3]))
    return True
