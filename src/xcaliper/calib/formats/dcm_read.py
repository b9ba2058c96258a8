"""DCM 2.0 read: lines to blocks, blocks to entries (DCM, KONSERVIERUNG_FORMAT 2.0)."""

from __future__ import annotations

import re
from dataclasses import replace
from math import isnan
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.a2l.tokens import decode_text
from xcaliper.calib.formats.dcm_block import (
    CELLS,
    INFO,
    Block,
    CellError,
    Run,
    cells_of_run,
    entry_of,
    wrong_counts,
)
from xcaliper.calib.formats.dcm_words import BLOCKS, BlockForm, strings_in, words_in
from xcaliper.calib.formats.findings import Findings
from xcaliper.calib.formats.model import ReadSet
from xcaliper.calib.formats.text_parts import (
    Cell,
    numbers_in,
    split_lines,
    unique_entries,
)
from xcaliper.calib.paramset import (
    AxisKind,
    CollectionInfo,
    Entry,
    EntryKind,
    Origin,
    ParameterSet,
    SetAxis,
)
from xcaliper.core.errors import ParameterSetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.calib.paramset import Variant

__all__ = ["read_dcm", "sniff_dcm"]

_COMMENT: Final = "*!."
_FORMAT: Final = re.compile(r"KONSERVIERUNG_FORMAT\s+(\S+)")
_AXIS_OF: Final = re.compile(r"\*\s*SST([XY]?)\b\s*(.*)")
_FACT: Final = re.compile(r'\*\s*(\w+)\s*=\s*(".*")')
_VARIANT: Final = re.compile(r'\s*([^\s=,"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|\Z)')
_ORIGIN: Final = ("a2l", "epk", "image", "tool", "time", "user")
_FACTS: Final = ("encoding", "name", *_ORIGIN)
_PARTS: Final = ("FUNKTIONEN", "VARIANTENKODIERUNG", "MODULKOPF")


def sniff_dcm(data: bytes) -> bool:
    """True when the first line that is no comment names the format."""
    text, _ = decode_text(data)
    line = next((one for one in map(str.strip, split_lines(text)) if _counts(one)), "")
    return line.startswith("KONSERVIERUNG_FORMAT")


def _counts(line: str) -> bool:
    return bool(line) and line[0] not in _COMMENT


def read_dcm(data: bytes, *, source: str = "") -> ReadSet:
    """Read a DCM 2.0 file: UTF-8, else Windows-1252; blocks that are wrong are reported and left out.

    Args:
        data: bytes of the file.
        source: its name, for messages.

    Raises:
        ParameterSetError: it is no DCM file, or one of an older edition.
    """
    text, _ = decode_text(data)
    return _Reader([line.strip() for line in split_lines(text)], source).read()


class _Reader:
    def __init__(self, lines: list[str], source: str) -> None:
        self.lines = lines
        self.at = 0
        self.findings = Findings(source)
        self.source = source
        self.entries: list[tuple[int, Entry]] = []
        self.functions: list[CollectionInfo] = []
        self.criteria: list[tuple[str, tuple[str, ...]]] = []
        self.comments: list[str] = []
        self.facts: dict[str, str] = {}

    def read(self) -> ReadSet:
        self._head()
        parts: dict[str, Callable[[str], None]] = {
            "FUNKTIONEN": self._functions,
            "VARIANTENKODIERUNG": self._variants,
            "MODULKOPF": self._module,
        }
        while (line := self._next()) is not None:
            word, rest = _split(line)
            if word in BLOCKS:
                self._block(BLOCKS[word], word, rest)
            elif word in parts:
                parts[word](rest)
            else:
                self._error("outside-block", f"{line[:60]!r} stands outside of any block.")
        entries = unique_entries(self.entries, self.findings)
        found = ParameterSet(
            self._with_distributions(entries),
            name=self.facts.get("name", ""),
            origin=Origin(**{key: self.facts.get(key, "") for key in _ORIGIN}),
            functions=self.functions,
            criteria=self.criteria,
            comments=self.comments,
        )
        return ReadSet(found, self.findings.all())

    def _next(self) -> str | None:
        """The next line that is neither empty nor a comment."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            if _counts(line):
                return line
        return None

    def _error(self, slug: str, text: str, *, hint: str = "", subject: str = "") -> None:
        self.findings.error(slug, text, line=self.at, hint=hint, subject=subject)

    def _head(self) -> None:
        """Comments and facts at the top, then the line that names the format."""
        for bare in self.lines:
            self.at += 1
            if _counts(bare):
                self._check_format(bare)
                return
            if bare and not self._is_fact(bare):
                self.comments.append(bare[1:].strip())
        raise ParameterSetError(
            "it holds no KONSERVIERUNG_FORMAT line.",
            source=self.source,
            hint="It is no DCM file, or an empty one.",
        )

    def _is_fact(self, line: str) -> bool:
        """Take over a comment that tells where the values come from."""
        match = _FACT.fullmatch(line)
        if match is None or match[1] not in _FACTS:
            return False
        try:
            found = strings_in(match[2])
        except ValueError:
            return False
        self.facts[match[1]] = found[0]
        return len(found) == 1

    def _check_format(self, line: str) -> None:
        match = _FORMAT.fullmatch(line)
        if match and match[1].startswith("2."):
            return
        if match or _split(line)[0] in (*BLOCKS, *_PARTS, "KENNLINIEN", "KENNFELDER"):
            edition = match[1] if match else "1.x, which has no KONSERVIERUNG_FORMAT line"
            raise ParameterSetError(
                f"it is DCM {edition}; only 2.0 can be read.",
                source=self.source,
                line=self.at,
                hint="Save it as DCM 2.0 with the program that wrote it.",
            )
        raise ParameterSetError(
            "it does not begin with KONSERVIERUNG_FORMAT 2.0.",
            source=self.source,
            line=self.at,
            hint="It is no DCM file.",
        )

    # --- parts that are no parameters ------------------------------------------------------------

    def _module(self, rest: str) -> None:
        self.comments.append(" ".join(words_in(rest)))

    def _until_end(self, part: str, keyword: str) -> list[list[str]]:
        """Words of every line of a part that starts with the keyword."""
        found: list[list[str]] = []
        while (line := self._next()) is not None:
            word, rest = _split(line)
            if word == "END":
                return found
            if word in BLOCKS or word in _PARTS:
                self.at -= 1
                break
            words = words_in(rest)
            if word != keyword or not words:
                self._error("unknown-line", f"{line[:60]!r} is nothing {part} holds.")
                continue
            found.append(words)
        self._error("no-end", f"{part}: its END is missing.", hint="Is the file whole?")
        return found

    def _functions(self, _rest: str) -> None:
        for name, *texts in self._until_end("FUNKTIONEN", "FKT"):
            version, long_name = (*texts, "", "")[:2]
            self.functions.append(CollectionInfo(name, version, long_name))

    def _variants(self, _rest: str) -> None:
        for name, *values in self._until_end("VARIANTENKODIERUNG", "KRITERIUM"):
            self.criteria.append((name, tuple(values)))

    # --- blocks ----------------------------------------------------------------------------------

    def _block(self, form: BlockForm, keyword: str, rest: str) -> None:
        block = self._opened(form, keyword, rest)
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            if not line:
                continue
            word, rest = _split(line)
            if word in CELLS:
                is_text, put = CELLS[word]
                put(block, (self.at, is_text, rest))
                continue
            if line[0] in _COMMENT:
                if found := _AXIS_OF.fullmatch(line):
                    block.refs[found[1] or "X"] = found[2].strip()
                continue
            if word == "END":
                self._close(block)
                return
            if word in BLOCKS or word in _PARTS:
                self.at -= 1
                self.findings.warn(
                    "no-end", f"{block.name}: its END is missing.", line=self.at, subject=block.name
                )
                self._close(block)
                return
            self._line(block, word, rest)
        text = f"{block.name}: the file ends inside of it; it is left out."
        self._error("no-end", text, hint="Is the file whole?", subject=block.name)

    def _opened(self, form: BlockForm, keyword: str, rest: str) -> Block:
        name, sizes = _split(rest) if rest else ("", "")
        words = sizes.replace("@", " ").split()
        least, most = form.sizes
        sound = all(w.isdecimal() and len(w) < 9 and int(w) for w in words)
        block = Block(form, name, tuple(map(int, words)) if sound else (), self.at)
        if not name or not sound or not least <= len(words) <= most:
            wants = {0: "no size", 1: "its size", 2: "two sizes"}[most]
            text = f"{keyword} {rest[:60]}: a name and {wants} are needed."
            self._fail(block, "bad-head", text)
        return block

    def _fail(self, block: Block, slug: str, text: str, hint: str = "") -> None:
        block.is_sound = False
        self._error(slug, text, hint=hint, subject=block.name)

    def _line(self, block: Block, word: str, rest: str) -> None:
        """One line inside a block that holds no cells."""
        try:
            if word in INFO:
                block.info[word] = " ".join(words_in(rest))
            elif word == "FUNKTION":
                block.functions = (*block.functions, *words_in(rest))
            elif word == "VAR":
                block.variant = (*block.variant, *_variant_of(rest))
            else:
                text = f"{block.name}: {word[:40]} is no keyword of a block; the line is not used."
                self.findings.warn("unknown-line", text, line=self.at, subject=block.name)
        except ValueError as error:
            self._fail(block, "bad-value", f"{block.name}: {error}; it is left out.", _hint(error))

    def _read_cells(self, block: Block) -> None:
        """Numbers and texts of all lines of cells."""
        try:
            block.x = self._cells(block, block.x_runs)
            block.y = self._cells(block, block.y_runs)
            block.rows = [self._cells(block, runs) for runs in block.row_runs]
        except CellError as error:
            text, at = f"{block.name}: {error}; it is left out.", self.at
            self.at = error.line
            self._fail(block, "bad-value", text, _hint(error))
            self.at = at

    def _cells(self, block: Block, runs: list[Run]) -> list[Cell]:
        if not runs:
            return []
        texts = [rest for _, is_text, rest in runs if not is_text]
        if len(texts) != len(runs):
            return [cell for run in runs for cell in cells_of_run(run)]
        text = " ".join(texts)
        try:
            numbers = numbers_in(text.split())
        except ValueError:
            for run in runs:
                cells_of_run(run)
            raise AssertionError("one of the lines is wrong, as all together are") from None
        if ("n" in text or "N" in text) and any(map(isnan, numbers)):
            text = f"{block.name}: it holds NaN."
            self.findings.warn("not-a-number", text, line=runs[0][0], subject=block.name)
        return list(numbers)

    def _close(self, block: Block) -> None:
        if block.is_sound:
            self._read_cells(block)
        if not block.is_sound:
            return
        for text in wrong_counts(block):
            self._fail(block, "wrong-count", f"{block.name}: {text}; it is left out.")
        if block.is_sound:
            self.entries.append((block.line, entry_of(block)))
            if block.refs and block.form.axis in (AxisKind.STD, AxisKind.FIX):
                text = f"{block.name}: its axes are its own; SSTX and SSTY are not used."
                self.findings.note("axis-name", text, line=block.line, subject=block.name)

    def _with_distributions(self, entries: list[Entry]) -> list[Entry]:
        """Entries whose shared axes are those of the distributions, where the file has them."""
        known = {e.key: np.asarray(e.values) for e in entries if e.kind == EntryKind.AXIS_PTS}
        return [
            replace(entry, axes=tuple(self._shared(entry, axis, known) for axis in entry.axes))
            if any(axis.ref for axis in entry.axes)
            else entry
            for entry in entries
        ]

    def _shared(self, entry: Entry, axis: SetAxis, known: dict[Any, Any]) -> SetAxis:
        points = known.get((axis.ref, entry.variant), known.get((axis.ref, ())))
        if points is None or np.array_equal(points, np.asarray(axis.values)):
            return axis
        text = f"{entry.name}: its points differ from those of {axis.ref}, which count."
        hint = "Correct the axis, or the block."
        if len(points) != len(np.asarray(axis.values)):
            text = f"{entry.name}: {axis.ref} has another number of points than it."
            hint = "The distribution does not fit; its own points are kept."
            points = axis.values
        line = int(entry.where.removeprefix("line "))
        self.findings.warn("axis-differs", text, line=line, hint=hint, subject=entry.name)
        return replace(axis, values=points)


def _split(line: str) -> tuple[str, str]:
    """First word and the rest of a line."""
    parts = line.split(None, 1)
    return parts[0], parts[1] if len(parts) > 1 else ""


def _hint(error: ValueError) -> str:
    return "Write a decimal point." if "comma" in str(error) else ""


def _variant_of(rest: str) -> Variant:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(rest):
        match = _VARIANT.match(rest, at)
        if match is None:
            raise ValueError(f"VAR {rest[:60]} is not of the form criterion=value")
        value = match[3] if match[3] is not None else strings_in(f'"{match[2]}"')[0]
        found.append((match[1], value))
        at = match.end()
    return tuple(found)
