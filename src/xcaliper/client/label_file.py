"""LAB files: lists of signals as measurement tools exchange them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from xcaliper.client.names import exists, nearest_names
from xcaliper.core.errors import NotFoundError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.quantity.catalog import Catalog

__all__ = ["LabelEntry", "LabelFile", "parse_label_file", "read_label_file"]

MAX_BYTES: Final = 64 << 20
MAX_NAME: Final = 1024
_SECTION: Final = re.compile(r"\[\s*([^\]]*?)\s*\]\s*(?:[;#].*)?")
_COMMENTS: Final = (";", "#", "//")
_NAME: Final = re.compile(r"[^\W\d][\w.$@?*:/-]*(?:\[[^\[\];\s]*\][\w.$@?*:/-]*)*")
#: Section → what its lines are.
_KINDS: Final = {
    "ramcell": "measurement",
    "measurement": "measurement",
    "measurements": "measurement",
    "label": "parameter",
    "labels": "parameter",
    "settings": "setting",
    "": "measurement",
}


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """One line of a list.

    Attributes:
        name: name or pattern.
        raster: event to measure it with, as written; empty = not said.
        line: number of the line, from 1.
        kind: ``measurement`` or ``parameter``.
    """

    name: str
    raster: str = ""
    line: int = 0
    kind: str = "measurement"


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A list of signals.

    Attributes:
        source: name of the file, for messages.
        entries: its lines, each name once per kind.
        settings: of the section SETTINGS.
        skipped: (line, section) of sections that nobody knows.
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
        found: list[SourceError] = []
        for entry in self.measurements:
            if not exists(catalog, entry.name):
                near = nearest_names(catalog, entry.name)
                found.append(
                    self._error(
                        f"no such signal: {entry.name!r}.",
                        entry.line,
                        f"Did you mean {' or '.join(near)}?" if near else "Correct the list.",
                    )
                )
            if entry.raster:
                try:
                    event(entry.raster)
                except NotFoundError as error:
                    found.append(
                        self._error(
                            f"{entry.name}: no such event: {entry.raster!r}.",
                            entry.line,
                            f"There are {', '.join(error.nearest)}." if error.nearest else "",
                        )
                    )
        return found

    def without(self, lines: set[int]) -> LabelFile:
        """The list without some of its lines."""
        left = tuple(entry for entry in self.entries if entry.line not in lines)
        return LabelFile(self.source, left, self.settings, self.skipped)

    def _error(self, text: str, line: int, hint: str) -> SourceError:
        return SourceError(text, source=self.source, line=line, hint=hint)


def parse_label_file(text: str, source: str = "list") -> LabelFile:
    """Read a LAB file: sections in brackets, one name per line, columns behind ``;``.

    Names stand in ``[RAMCELL]``, or in a file without sections; those of ``[Label]`` are parameters.
    The second column is the raster. Lines that begin with ``;``, ``#`` or ``//`` are comments; tabs,
    spaces and quotes around names do not count.

    Raises:
        SourceError: a line that is no name; says which.
    """
    entries: dict[tuple[str, str], LabelEntry] = {}
    settings: dict[str, str] = {}
    skipped: list[tuple[int, str]] = []
    kind: str | None = "measurement"
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith(_COMMENTS):
            continue
        section = _SECTION.fullmatch(words)
        if section is not None:
            kind = _KINDS.get(section[1].casefold())
            if kind is None:
                skipped.append((number, section[1]))
        elif kind == "setting":
            key, _, value = words.partition(";")
            settings[key.strip()] = value.strip().rstrip(";")
        elif kind is not None:
            entry = _entry(words, number, kind, source, settings)
            entries.setdefault((kind, entry.name), entry)
    return LabelFile(source, tuple(entries.values()), settings, tuple(skipped))


def _entry(words: str, number: int, kind: str, source: str, settings: dict[str, str]) -> LabelEntry:
    first, _, rest = words.partition(";")
    name, *behind = first.split(None, 1)
    if behind:  # columns by tabs or spaces
        rest = behind[0]
    name = name.strip("\"'")
    if len(name) > MAX_NAME or _NAME.fullmatch(name) is None:
        raise SourceError(
            f"{name[:60]!r} is no name of a signal.",
            source=source,
            line=number,
            hint="One name per line; comments begin with a semicolon.",
        )
    separator = settings.get("MultiRasterSeparator", "&") or "&"
    raster = rest.split(";")[0].split(separator)[0].strip().strip("\"'")
    return LabelEntry(name, raster, number, kind)


def read_label_file(path: str | Path) -> LabelFile:
    """Read a LAB file from disk; UTF-8, or else Latin-1.

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
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return parse_label_file(text, str(path))
