"""LAB files: lists of signals as measurement tools exchange them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l import decode_text
from xcaliper.client.names import exists, nearest_names
from xcaliper.core.errors import NotFoundError, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from xcaliper.quantity.catalog import Catalog

__all__ = ["LabelEntry", "LabelFile", "parse_label_file", "read_label_file"]

MAX_BYTES: Final = 64 << 20
MAX_NAME: Final = 1024
#: Names that are compared with all of a description for those that look alike.
_COMPARED: Final = 20
#: Read instead of measured; no event of a slave has this name.
_POLLING: Final = "polling"
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_SECTION: Final = re.compile(r"\[\s*([^\]]*?)\s*\]\s*(?:[;#].*)?")
_COMMENTS: Final = (";", "#", "//")
_NAME: Final = re.compile(r"[^\W\d][\w.$@?*:/-]*(?:\[[^\[\];\s]*\][\w.$@?*:/-]*)*")
#: Section → what its lines are; None = nothing that is measured or written.
_KINDS: Final = {
    "ramcell": "measurement",
    "measurement": "measurement",
    "measurements": "measurement",
    "label": "parameter",
    "labels": "parameter",
    "settings": "setting",
    "function": None,
    "functions": None,
    "group": None,
    "groups": None,
}


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """One line of a list.

    Attributes:
        name: name or pattern.
        raster: event to measure it with, as written; empty = not said.
        line: number of the line, from 1.
        kind: ``measurement`` or ``parameter``.
        further: more rasters that the list gives it.
    """

    name: str
    raster: str = ""
    line: int = 0
    kind: str = "measurement"
    further: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A list of signals.

    Attributes:
        source: name of the file, for messages.
        entries: its lines, each name once per kind.
        settings: of the section SETTINGS.
        skipped: (line, section) of sections that are not used and hold something.
    """

    source: str
    entries: tuple[LabelEntry, ...]
    settings: dict[str, str] = field(default_factory=dict)
    skipped: tuple[tuple[int, str], ...] = ()

    @property
    def measurements(self) -> tuple[LabelEntry, ...]:
        """What is to be measured."""
        return tuple(entry for entry in self.entries if entry.kind == "measurement")

    @property
    def names(self) -> list[str]:
        """Names of what is to be measured, for ``measure()``."""
        return [entry.name for entry in self.measurements]

    @property
    def events(self) -> dict[str, str]:
        """Name → event, where the list says one, for ``measure(…, event=…)``."""
        return {entry.name: entry.raster for entry in self.measurements if entry.raster}

    def check(self, catalog: Catalog, event: Callable[[str], int]) -> list[SourceError]:
        """What cannot be measured, each with its line.

        Args:
            catalog: names there are.
            event: number of an event by its name; raises NotFoundError.
        """
        unknown = self.unknown_names(catalog)
        found = [*unknown, *self.unknown_events(event)]
        return sorted(found, key=lambda error: error.line)

    def unknown_names(self, catalog: Catalog) -> list[SourceError]:
        """Lines whose name the description does not know."""
        found: list[SourceError] = []
        for entry in self.measurements:
            if exists(catalog, entry.name):
                continue
            near = nearest_names(catalog, entry.name) if len(found) < _COMPARED else ()
            found.append(
                self._error(
                    f"no such signal: {entry.name!r}.",
                    entry.line,
                    f"Did you mean {' or '.join(near)}?" if near else "Correct the list.",
                )
            )
        return found

    def unknown_events(self, event: Callable[[str], int]) -> list[SourceError]:
        """Lines whose raster the slave does not have."""
        found: list[SourceError] = []
        known: dict[str, UsageError | None] = {_POLLING: None}
        for entry in self.measurements:
            raster = entry.raster
            if raster and raster not in known:
                try:
                    event(raster)
                    known[raster] = None
                except UsageError as error:
                    known[raster] = error
            wrong = known.get(raster)
            if isinstance(wrong, NotFoundError):
                hint = f"There are {', '.join(wrong.nearest)}." if wrong.nearest else ""
                text = f"{entry.name}: no such event: {raster!r}."
                found.append(self._error(text, entry.line, hint))
            elif wrong is not None:
                text = f"{entry.name}: {wrong.message}"
                found.append(self._error(text, entry.line, wrong.hint))
        return found

    def without(self, lines: AbstractSet[int]) -> LabelFile:
        """The list without some of its lines."""
        return replace(
            self, entries=tuple(entry for entry in self.entries if entry.line not in lines)
        )

    def without_events(self, lines: AbstractSet[int]) -> LabelFile:
        """The list, some lines of which say no event any more."""
        entries = tuple(
            replace(entry, raster="", further=()) if entry.line in lines else entry
            for entry in self.entries
        )
        return replace(self, entries=entries)

    def _error(self, text: str, line: int, hint: str) -> SourceError:
        return SourceError(text, source=self.source, line=line, hint=hint)


class _Reader:
    """Reads the lines of a list.

    Args:
        source: name of the file, for messages.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.settings: dict[str, str] = {}
        self._entries: dict[tuple[str, str], LabelEntry] = {}
        self._others: list[tuple[int, str]] = []
        self._skipped: dict[str, int] = {}

    def read(self, text: str) -> LabelFile:
        """The whole list."""
        section, kind = "", "measurement"
        for number, line in enumerate(_LINE_END.split(text), 1):
            words = line.strip().strip("\x1a")
            if not words or words.startswith(_COMMENTS):
                continue
            header = _SECTION.fullmatch(words)
            if header is not None:
                section = header[1]
                kind = _KINDS.get(section.casefold(), "other") or ""
                began = number
            elif kind == "setting":
                key, _, value = words.replace("=", ";", 1).partition(";")
                self.settings[key.strip()] = value.strip().rstrip(";")
            elif kind in ("measurement", "parameter"):
                self._take(self._entry(words, number, kind))
            else:
                self._skipped.setdefault(section, began)
                if kind == "other":
                    self._others.append((number, words))
        self._adopt()
        skipped = tuple((line, section) for section, line in self._skipped.items())
        return LabelFile(self.source, tuple(self._entries.values()), self.settings, skipped)

    def _adopt(self) -> None:
        """Sections with names of their own are what is meant in a list that has no others."""
        if self._entries:
            return
        for number, words in self._others:
            self._take(self._entry(words, number, "measurement"))
        if self._others:
            self._skipped = {
                name: line
                for name, line in self._skipped.items()
                if _KINDS.get(name.casefold(), "other") is None
            }

    def _take(self, entry: LabelEntry) -> None:
        """Each name once; further lines of it may say further rasters."""
        first = self._entries.setdefault((entry.kind, entry.name), entry)
        if first is entry or not entry.raster:
            return
        rasters = dict.fromkeys([first.raster, *first.further, entry.raster, *entry.further])
        raster, *further = filter(None, rasters)
        self._entries[entry.kind, entry.name] = replace(
            first, raster=raster, further=tuple(further)
        )

    def _setting(self, name: str) -> str:
        """A setting, in whatever case its name is written."""
        return next((v for key, v in self.settings.items() if key.casefold() == name), "")

    def _entry(self, words: str, number: int, kind: str) -> LabelEntry:
        first, _, rest = words.partition(";")
        first, quote, behind = _unquoted(first)
        if not quote:
            first, *more = first.split(None, 1)
            behind = more[0] if more else ""
        name = first.partition("\\")[0]  # the device that it is of
        if len(name) > MAX_NAME or _NAME.fullmatch(name) is None:
            comma = " Columns are parted by semicolons." if "," in name else ""
            raise SourceError(
                f"{name[:60]!r} is no name of a signal.",
                source=self.source,
                line=number,
                hint=f"One name per line; comments begin with a semicolon.{comma}",
            )
        if self._setting("version").casefold().lstrip("v") == "1.0":
            return LabelEntry(name, "", number, kind)  # the second column is a remark
        column = (behind.strip() or rest).split(";")[0]
        separator = self._setting("multirasterseparator") or "&"
        rasters = [one.strip().strip("\"'") for one in column.split(separator)]
        raster, *further = [*filter(None, dict.fromkeys(rasters)), ""]
        return LabelEntry(name, raster, number, kind, tuple(filter(None, further)))


def _unquoted(text: str) -> tuple[str, str, str]:
    """What stands in quotes, the quote, and what follows; the text itself without quotes."""
    text = text.strip()
    quote = text[:1]
    if quote not in ("'", '"') or quote not in text[1:]:
        return text, "", ""
    inner, _, behind = text[1:].partition(quote)
    return inner.strip(), quote, behind


def parse_label_file(text: str, source: str = "list") -> LabelFile:
    """Read a LAB file: sections in brackets, one name per line, columns behind ``;``.

    Names stand in ``[RAMCELL]``, or in a file without sections, or in sections with any name in a file
    without that one; those of ``[Label]`` are parameters. The second column is the raster, of which
    there may be several (not in files of version 1.0, where it is a remark). Lines that begin with
    ``;``, ``#`` or ``//`` are comments; tabs, spaces and quotes around names do not count, nor does the
    device behind a backslash.

    Raises:
        SourceError: a line that is no name; says which.
    """
    return _Reader(source).read(text)


def read_label_file(path: str | Path) -> LabelFile:
    """Read a LAB file from disk; UTF-8, UTF-16, or else Windows-1252.

    Raises:
        SourceError: it cannot be read, or a line is no name.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_BYTES:
            raise SourceError("it is too large for a list of signals.", source=str(path))
        data = file.read_bytes()
    except (OSError, ValueError) as error:
        reason: Any = getattr(error, "strerror", None) or error
        raise SourceError(
            f"the list cannot be read: {reason}.", source=str(path), hint="Check path and rights."
        ) from error
    return parse_label_file(decode_text(data)[0].lstrip("\ufeff"), str(path))
