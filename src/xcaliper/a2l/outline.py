"""Which blocks stand directly in the file, its PROJECT and its MODULEs, and where each of them ends.

Where all marks match, arrays answer that at once. Where they do not, every mark is looked at and repaired, so that a
defect costs at most the block it sits in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.grammar import Table, table_of
from xcaliper.a2l.keywords.project import Module, Project
from xcaliper.a2l.scan import MAX_FINDINGS, Marks, fnv
from xcaliper.a2l.tokens import BEGIN, TOKEN, Finding
from xcaliper.core.diagnostics import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.a2l.document import Document

__all__ = ["Container", "Outline", "outline"]

_ROOT: Final = 0
_PROJECT: Final = fnv(b"PROJECT")
_MODULE: Final = fnv(b"MODULE")
_OBJECTS: Final = (
    b"AXIS_PTS",
    b"CHARACTERISTIC",
    b"COMPU_METHOD",
    b"COMPU_TAB",
    b"COMPU_VTAB",
    b"COMPU_VTAB_RANGE",
    b"INSTANCE",
    b"MEASUREMENT",
    b"RECORD_LAYOUT",
)
_FREE: Final = {name: Table(None, name, True, (), None, {}) for name in ("A2ML", "IF_DATA")}
_OBJECT_KEYS: Final = frozenset(fnv(name) for name in _OBJECTS)
_MAX_LEVEL: Final = 30_000


@dataclass(slots=True)
class Container:
    """The file, a PROJECT or a MODULE.

    Attributes:
        key: ``fnv`` of its keyword, 0 for the file.
        parent: index of the container around it, -1 for the file.
        begin: index of its mark, -1 for the file.
        head: offsets of its own first words: from behind its keyword to its first block.
        blocks: int64[n], indices of the marks that begin the blocks in it, in order.
        stops: int64[n], where each of them ends.
        broken: blocks that end without an ``/end`` of their own, as positions in ``blocks``.
        gaps: stretches between blocks that are not blank.
    """

    key: int
    parent: int
    begin: int
    head: tuple[int, int] = (0, 0)
    blocks: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    stops: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    broken: frozenset[int] = frozenset()
    gaps: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Outline:
    """The containers, outer ones first, and what was wrong with their ends."""

    containers: list[Container]
    findings: list[Finding] = field(default_factory=list)


def outline(document: Document) -> Outline:
    """Find the containers of a description and the blocks in them."""
    marks = document.scan.marks
    paired = _pair(marks)
    if paired is None:
        return _Repair(document, balanced=False).run()
    level, mate = paired
    if _misplaced(marks, level):
        return _Repair(document, balanced=True).run()
    return _regular(document, level, mate)


@cache
def _blocks_of(cls: Any) -> dict[int, Table]:
    """Grammars of the blocks that may stand in one, by ``fnv`` of their keywords."""
    return {
        fnv(name.encode()): _FREE[name] if name in _FREE else table_of(entry.cls)
        for name, entry in table_of(cls).optional.items()
        if entry.block and entry.mode == "object"
    }


def _pair(marks: Marks) -> tuple[NDArray[np.int32], NDArray[np.int64]] | None:
    """Level and partner of each mark when all of them match by name; else None."""
    begins = marks.kinds == BEGIN
    after = np.cumsum(np.where(begins, 1, -1), dtype=np.int32)
    if len(after) and (after[-1] != 0 or after.min() < 0 or after.max() > _MAX_LEVEL):
        return None
    level = after + ~begins
    order = np.argsort(level.astype(np.int16), kind="stable")
    first, last = order[0::2], order[1::2]
    keys = marks.keys
    if (keys[first] != keys[last]).any() or (keys[first] == 0).any():
        return None
    mate = np.empty(len(order), np.int64)
    mate[first] = last
    mate[last] = first
    return level, mate


def _misplaced(marks: Marks, level: NDArray[np.int32]) -> bool:
    """True when an object of a MODULE stands inside of another block, or beside the MODULE."""
    top = marks.keys[:1]
    inside = 3 if len(top) and int(top[0]) == _PROJECT else 2
    begins = marks.kinds == BEGIN
    deep = begins & (level > inside)
    if inside == 3 and np.count_nonzero(begins & (level == 1)) == 1:
        deep |= begins & (level == 2)
    return bool(np.isin(marks.keys[deep], np.array(sorted(_OBJECT_KEYS), np.uint64)).any())


def _regular(document: Document, level: NDArray[np.int32], mate: NDArray[np.int64]) -> Outline:
    marks = document.scan.marks
    begins = marks.kinds == BEGIN
    by_level = [np.flatnonzero(begins & (level == n)) for n in (1, 2, 3)]
    root = Container(_ROOT, -1, -1)
    found = [root]

    def fill(index: int, first: int, last: int, depth: int) -> None:
        one = found[index]
        rows = by_level[depth]
        one.blocks = rows[slice(*np.searchsorted(rows, (first, last)))]
        ends = mate[one.blocks]
        one.stops = marks.key_stops[ends]
        closing = document.scan.stop if last == len(marks) else int(marks.starts[last])
        start = 0 if one.begin < 0 else int(marks.key_stops[one.begin])
        one.head = (start, int(marks.starts[one.blocks[0]]) if len(one.blocks) else closing)
        for end in ends[marks.first_starts[ends] >= 0].tolist():
            behind = int(marks.starts[end + 1]) if end + 1 < len(marks) else document.scan.stop
            one.gaps.append((int(marks.first_starts[end]), behind))
        if depth == 2:
            return
        inner = marks.keys[one.blocks]
        wanted = (inner == np.uint64(_MODULE)) | (inner == np.uint64(_PROJECT)) & (depth == 0)
        for block in one.blocks[wanted].tolist():
            found.append(Container(int(marks.keys[block]), index, block))
            fill(len(found) - 1, block + 1, int(mate[block]), depth + 1)

    fill(0, 0, len(marks), 0)
    return Outline(found)


@dataclass(slots=True)
class _Open:
    """A block that is open while marks are repaired."""

    key: int
    begin: int
    table: Table | None
    container: int = -1


class _Repair:
    """Work in progress: blocks and their ends from marks that do not match."""

    def __init__(self, document: Document, *, balanced: bool) -> None:
        self.document = document
        self.balanced = balanced
        self.marks = document.scan.marks
        self.starts = self.marks.starts.tolist()
        self.stops = self.marks.key_stops.tolist()
        self.keys = self.marks.keys.tolist()
        self.result = Outline([Container(_ROOT, -1, -1)])
        self.rows: list[list[tuple[int, int, bool]]] = [[]]
        self.stack = [_Open(_ROOT, -1, None, 0)]
        self.open_keys: dict[int, int] = {_ROOT: 1}
        self.ends = [0]
        self.closed: dict[int, int] = {}

    def run(self) -> Outline:
        kinds = self.marks.kinds.tolist()
        for at, key in enumerate(self.keys):
            if kinds[at] == BEGIN:
                self.begin(at, key)
            else:
                ends_next = at + 1 < len(kinds) and kinds[at + 1] != BEGIN
                self.end(at, key, self.keys[at + 1] if ends_next else 0)
        self.rest()
        for index in range(len(self.result.containers)):
            self.finish(index)
        return self.result

    # ---- marks

    def begin(self, at: int, key: int) -> None:
        top = self.stack[-1]
        if top.container < 0 and not self.belongs(top, key):
            owner = self.owner(key)
            if owner is not None:
                self.close_down(owner, self.starts[at])
        self.reopen(key)
        top = self.stack[-1]
        if top.container >= 0 and self.opens_container(top, key):
            made = Container(key, top.container, at)
            self.result.containers.append(made)
            self.rows.append([])
            self.ends.append(0)
            opened = _Open(key, at, self.table(top, key), len(self.rows) - 1)
        else:
            opened = _Open(key, at, self.table(top, key))
        self.stack.append(opened)
        self.open_keys[key] = self.open_keys.get(key, 0) + 1

    def reopen(self, key: int) -> None:
        """Go on with the MODULE that was closed last when one of its objects follows: it was closed too early."""
        if key not in _OBJECT_KEYS:
            return
        again: list[_Open] = []
        at = self.stack[-1].container
        while at >= 0 and self.result.containers[at].key != _MODULE and self.rows[at]:
            if self.balanced and at == 0:
                return
            begin = self.rows[at][-1][0]
            at = self.closed.get(begin, -1)
            if at >= 0:
                one = self.result.containers[at]
                outer = again[-1] if again else self.stack[-1]
                again.append(_Open(one.key, begin, self.table(outer, one.key), at))
        if not again or again[-1].key != _MODULE:
            return
        for opened in again:
            self.rows[self.stack[-1].container].pop()
            self.stack.append(opened)
            self.open_keys[opened.key] = self.open_keys.get(opened.key, 0) + 1

    def opens_container(self, top: _Open, key: int) -> bool:
        if key == _MODULE:
            return top.key in (_ROOT, _PROJECT)
        return key == _PROJECT and top.key == _ROOT

    def table(self, top: _Open, key: int) -> Table | None:
        """Grammar of a block inside another; None where it has none."""
        if key in (_PROJECT, _MODULE) and top.container >= 0:
            return table_of(Project if key == _PROJECT else Module)
        outer = table_of(Module) if top.key == _ROOT else top.table
        return None if outer is None or outer.cls is None else _blocks_of(outer.cls).get(key)

    def belongs(self, top: _Open, key: int) -> bool:
        """True when a block may stand in the innermost open one."""
        if top.table is _FREE["A2ML"]:
            return False
        if top.table is None or top.table.name in _FREE:
            return self.balanced or key not in _OBJECT_KEYS
        return self.table(top, key) is not None

    def owner(self, key: int) -> int | None:
        """Position in the stack of the innermost outer block that may contain one."""
        for at in range(len(self.stack) - 2, -1, -1):
            outer = self.stack[at]
            if outer.key == _ROOT:
                if key in (_PROJECT, _MODULE) or (
                    self.table(outer, key) is not None and len(self.result.containers) == 1
                ):
                    return at
            elif (
                outer.table is not None
                and outer.table.name not in _FREE
                and self.table(outer, key) is not None
            ):
                return at
        return None

    def end(self, at: int, key: int, following: int) -> None:
        top = self.stack[-1]
        if key and key == top.key:
            self.pop(self.stops[at], closed=True)
        elif key and self.open_keys.get(key, 0):
            owner = next(n for n in range(len(self.stack) - 1, 0, -1) if self.stack[n].key == key)
            self.close_down(owner, self.starts[at])
            self.pop(self.stops[at], closed=True)
        elif top.container < 0 and not (following and following == top.key):
            self.pop(self.stops[at], closed=True)
        # else it closes nothing; whoever reads the block or the gap says so

    def close_down(self, owner: int, stop: int) -> None:
        """Close everything inside a position of the stack; their ends are missing."""
        while len(self.stack) - 1 > owner:
            self.pop(stop, closed=False)

    def pop(self, stop: int, *, closed: bool) -> None:
        one = self.stack.pop()
        self.open_keys[one.key] -= 1
        outer = self.stack[-1]
        if outer.container >= 0:
            self.rows[outer.container].append((one.begin, stop, closed))
        if one.container >= 0:
            self.closed[one.begin] = one.container
            self.ends[one.container] = stop if not closed else self.last_mark(stop)
        if not closed and (outer.container >= 0 or one.container >= 0):
            self.end_missing(one, stop)

    def last_mark(self, stop: int) -> int:
        """Start of the ``/end`` whose keyword ends at an offset."""
        return int(self.starts[int(np.searchsorted(self.marks.key_stops, stop))])

    def end_missing(self, one: _Open, stop: int) -> None:
        keyword, name = self.names(one.begin)
        self.found(
            Finding(
                stop,
                Severity.ERROR,
                "end-missing",
                f"{keyword} {name}".rstrip() + f": /end {keyword} is missing.",
                f"Add /end {keyword} before this place.",
                name,
            )
        )

    def names(self, begin: int) -> tuple[str, str]:
        """Keyword and name of a block."""
        text, marks = self.document.text, self.marks
        keyword = text[max(0, marks.key_starts[begin]) : marks.key_stops[begin]]
        name = text[max(0, marks.first_starts[begin]) : max(0, marks.first_stops[begin])]
        return keyword.decode("utf-8", "replace")[:80], name.decode("utf-8", "replace")[:200]

    def found(self, finding: Finding) -> None:
        if len(self.result.findings) < MAX_FINDINGS:
            self.result.findings.append(finding)

    def rest(self) -> None:
        """The text ends: whatever is open is cut off."""
        stop = self.document.scan.stop
        if len(self.stack) > 1:
            keyword, name = self.names(self.stack[-1].begin)
            self.found(
                Finding(
                    stop,
                    Severity.ERROR,
                    "cut-off",
                    f"{keyword} {name}".rstrip() + ": the text ends inside the block.",
                    "Get the complete file.",
                    name,
                )
            )
        while len(self.stack) > 1:
            one = self.stack.pop()
            outer = self.stack[-1]
            if outer.container >= 0:
                self.rows[outer.container].append((one.begin, stop, False))
            if one.container >= 0:
                self.ends[one.container] = stop
        self.ends[0] = stop

    # ---- results

    def finish(self, index: int) -> None:
        one = self.result.containers[index]
        rows = self.rows[index]
        one.blocks = np.array([row[0] for row in rows], np.int64)
        one.stops = np.array([row[1] for row in rows], np.int64)
        one.broken = frozenset(n for n, row in enumerate(rows) if not row[2])
        start = 0 if one.begin < 0 else self.stops[one.begin]
        end = self.ends[index]
        one.head = (start, self.starts[rows[0][0]] if rows else end)
        one.gaps = list(self.gaps(rows, end))

    def gaps(self, rows: list[tuple[int, int, bool]], end: int) -> Iterator[tuple[int, int]]:
        text = self.document.text
        for at, (_, stop, _) in enumerate(rows):
            behind = self.starts[rows[at + 1][0]] if at + 1 < len(rows) else end
            token = TOKEN.match(text, stop, max(stop, behind))
            if token and token[1]:
                yield token.start(1), behind
