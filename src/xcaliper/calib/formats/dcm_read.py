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
    Block,
    BlockFacts,
    CellError,
    Run,
    cells_of_run,
    entry_of,
    wrong_counts,
)
from xcaliper.calib.formats.dcm_lines import COMMENT, Lines, split_word
from xcaliper.calib.formats.dcm_plain import plain_block
from xcaliper.calib.formats.dcm_words import BLOCKS, BlockForm, sizes_in, strings_in, words_in
from xcaliper.calib.formats.findings import Findings
from xcaliper.calib.formats.model import ReadSet
from xcaliper.calib.formats.text_parts import (
    Cell,
    numbers_in,
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

__all__ = ["read_dcm", "sniff_dcm"]

_FORMAT: Final = re.compile(r"KONSERVIERUNG_FORMAT\s+(\S+)")
_AXIS_OF: Final = re.compile(r"\*\s*SST([XY]?)\b\s*(.*)")
_FACT: Final = re.compile(r'\*\s*(\w+)\s*=\s*(".*")')
_ORIGIN: Final = ("a2l", "epk", "image", "tool", "time", "user")
_FACTS: Final = ("encoding", "name", *_ORIGIN)
_PARTS: Final = ("FUNKTIONEN", "VARIANTENKODIERUNG", "MODULKOPF")


def sniff_dcm(data: bytes) -> bool:
    """True when the first line that is no comment names the format."""
    line = Lines(decode_text(data)[0]).next_that_counts()
    return line is not None and line.startswith("KONSERVIERUNG_FORMAT")


def read_dcm(data: bytes, *, source: str = "") -> ReadSet:
    """Read a DCM 2.0 file: UTF-8, else Windows-1252; blocks that are wrong are reported and left out.

    Args:
        data: bytes of the file.
        source: its name, for messages.

    Raises:
        ParameterSetError: it is no DCM file, or one of an older edition.
    """
    return _Reader(Lines(decode_text(data)[0]), source).read()


class _Reader:
    def __init__(self, lines: Lines, source: str) -> None:
        self.lines = lines
        self.findings = Findings(source)
        self.source = source
        self.entries: list[tuple[int, Entry]] = []
        self.functions: list[CollectionInfo] = []
        self.criteria: list[tuple[str, tuple[str, ...]]] = []
        self.comments: list[str] = []
        self.facts: dict[str, str] = {}
        self.has_shared_axes = False

    def read(self) -> ReadSet:
        self._head()
        parts: dict[str, Callable[[str], None]] = {
            "FUNKTIONEN": self._functions,
            "VARIANTENKODIERUNG": self._variants,
            "MODULKOPF": self._module,
        }
        while True:
            while plain := plain_block(self.lines):
                self._add(*plain)
            if (line := self.lines.next_that_counts()) is None:
                break
            word, rest = split_word(line)
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

    def _error(self, slug: str, text: str, *, hint: str = "", subject: str = "") -> None:
        self.findings.error(slug, text, line=self.lines.at, hint=hint, subject=subject)

    def _head(self) -> None:
        """Comments and facts at the top, then the line that names the format."""
        while (bare := self.lines.next()) is not None:
            if bare and bare[0] not in COMMENT:
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
        if match or split_word(line)[0] in (*BLOCKS, *_PARTS, "KENNLINIEN", "KENNFELDER"):
            edition = match[1] if match else "1.x, which has no KONSERVIERUNG_FORMAT line"
            raise ParameterSetError(
                f"it is DCM {edition}; only 2.0 can be read.",
                source=self.source,
                line=self.lines.at,
                hint="Save it as DCM 2.0 with the program that wrote it.",
            )
        raise ParameterSetError(
            "it does not begin with KONSERVIERUNG_FORMAT 2.0.",
            source=self.source,
            line=self.lines.at,
            hint="It is no DCM file.",
        )

    # --- parts that are no parameters ------------------------------------------------------------

    def _module(self, rest: str) -> None:
        self.comments.append(" ".join(words_in(rest)))

    def _until_end(self, part: str, keyword: str) -> list[list[str]]:
        """Words of every line of a part that starts with the keyword."""
        found: list[list[str]] = []
        while (line := self.lines.next_that_counts()) is not None:
            word, rest = split_word(line)
            if word == "END":
                return found
            if word in BLOCKS or word in _PARTS:
                self.lines.back()
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
        lines = self.lines
        while (line := lines.next()) is not None:
            if not line:
                continue
            word, rest = split_word(line)
            if word in CELLS:
                is_text, put = CELLS[word]
                put(block, (lines.at, is_text, rest))
                continue
            if line[0] in COMMENT:
                if found := _AXIS_OF.fullmatch(line):
                    block.refs[found[1] or "X"] = found[2].strip()
                continue
            if word == "END":
                self._close(block)
                return
            if word in BLOCKS or word in _PARTS:
                self.lines.back()
                self.findings.warn(
                    "no-end",
                    f"{block.name}: its END is missing.",
                    line=self.lines.at,
                    subject=block.name,
                )
                self._close(block)
                return
            self._line(block, word, rest)
        text = f"{block.name}: the file ends inside of it; it is left out."
        self._error("no-end", text, hint="Is the file whole?", subject=block.name)

    def _opened(self, form: BlockForm, keyword: str, rest: str) -> Block:
        name, words = split_word(rest) if rest else ("", "")
        sizes = sizes_in(words, form)
        block = Block(form, name, sizes or (), self.lines.at)
        if not name or sizes is None:
            wants = {0: "no size", 1: "its size", 2: "two sizes"}[form.sizes[1]]
            text = f"{keyword} {rest[:60]}: a name and {wants} are needed."
            self._fail(block, "bad-head", text)
        return block

    def _fail(self, block: Block, slug: str, text: str, hint: str = "", line: int = 0) -> None:
        block.is_sound = False
        self.findings.error(slug, text, line=line or self.lines.at, hint=hint, subject=block.name)

    def _line(self, block: Block, word: str, rest: str) -> None:
        """One line inside a block that holds no cells."""
        try:
            if not block.take(word, rest):
                text = f"{block.name}: {word[:40]} is no keyword of a block; the line is not used."
                self.findings.warn("unknown-line", text, line=self.lines.at, subject=block.name)
        except ValueError as error:
            self._fail(block, "bad-value", f"{block.name}: {error}; it is left out.", _hint(error))

    def _read_cells(self, block: Block) -> None:
        """Numbers and texts of all lines of cells."""
        try:
            block.x = self._cells(block, block.x_runs)
            block.y = self._cells(block, block.y_runs)
            block.rows = [self._cells(block, runs) for runs in block.row_runs]
        except CellError as error:
            text = f"{block.name}: {error}; it is left out."
            self._fail(block, "bad-value", text, _hint(error), line=error.line)

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
            self._add(block, entry_of(block))

    def _add(self, block: BlockFacts, entry: Entry) -> None:
        self.entries.append((block.line, entry))
        if not block.refs:
            return
        if block.form.axis == AxisKind.COM:
            self.has_shared_axes = True
        elif block.form.axis is not None:
            text = f"{block.name}: its axes are its own; SSTX and SSTY are not used."
            self.findings.note("axis-name", text, line=block.line, subject=block.name)

    def _with_distributions(self, entries: list[Entry]) -> list[Entry]:
        """Entries whose shared axes are those of the distributions, where the file has them."""
        if not self.has_shared_axes:
            return entries
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


def _hint(error: ValueError) -> str:
    return "Write a decimal point." if "comma" in str(error) else ""
