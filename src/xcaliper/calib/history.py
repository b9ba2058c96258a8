"""What was changed, when, by whom, from what to what and why; undo and redo over it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from xcaliper.calib.values import Table, format_number
from xcaliper.calib.write_plan import Run
from xcaliper.core.address import Address
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = [
    "Change",
    "History",
    "Journal",
    "Kind",
    "PageMove",
    "State",
    "Transaction",
    "runs_as_lists",
    "runs_from_lists",
    "told",
]

#: Values of tables larger than this are kept as bytes only.
_MAX_CELLS: Final = 4096


class Kind(StrEnum):
    """What a transaction was."""

    WRITE = "write"
    GROUP = "group"
    APPLY = "apply"
    DOWNLOAD = "download"
    UNDO = "undo"
    REDO = "redo"


class State(StrEnum):
    """What became of a transaction."""

    OPEN = "open"
    """It was begun, and nobody knows yet how it ended."""
    DONE = "done"
    UNDONE = "undone"
    """Nothing of it is in the ECU."""
    PARTIAL = "partial"
    """Part of it is in the ECU; its runs tell which bytes."""


@dataclass(frozen=True, slots=True)
class Change:
    """A parameter that was changed.

    Attributes:
        name: of the parameter.
        old: value before: number, text, nested lists; None where a table is too large to be told.
        new: value after.
        cell: the cell from 0, or None for all of it.
        unit: of the values.
        follows: it is computed from what was changed.
    """

    name: str
    old: Any
    new: Any
    cell: tuple[int, ...] | None = None
    unit: str = ""
    follows: bool = False

    def __str__(self) -> str:
        cell = "" if self.cell is None else str(list(self.cell))
        if isinstance(self.old, list) or self.old is None or self.new is None:
            return f"{self.name}{cell} changed"
        text = f"{self.name}{cell}: {format_number(self.old)} → {format_number(self.new)}"
        return f"{text} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class PageMove:
    """How the pages of one segment are used while a transaction is written.

    Attributes:
        segment: number.
        before: page of the ECU before.
        meanwhile: page of the ECU while it is written.
        written: page that is written.
        after: page of the ECU and, where it moved, of XCP afterwards.
    """

    segment: int
    before: int | None
    meanwhile: int | None
    written: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Transaction:
    """Changes that belong together.

    Attributes:
        number: counted from 1.
        kind: what it was.
        time_ns: since 1970-01-01 UTC.
        author: who.
        reason: why.
        changes: of parameters.
        runs: of bytes, as the ECU sees them.
        sent: what is written for that, where another page than the ECU's is prepared: its own bytes; None = the runs.
        moves: segment by segment, which page was written and which one the ECU used.
        of: number of the transaction that was undone or redone; 0 otherwise.
        state: what became of it.
    """

    number: int
    kind: Kind
    time_ns: int
    author: str = ""
    reason: str = ""
    changes: tuple[Change, ...] = ()
    runs: tuple[Run, ...] = ()
    sent: tuple[Run, ...] | None = None
    moves: tuple[PageMove, ...] = ()
    of: int = 0
    state: State = State.OPEN

    @property
    def to_send(self) -> tuple[Run, ...]:
        """What is written into the ECU."""
        return self.runs if self.sent is None else self.sent

    @property
    def bytes_sent(self) -> int:
        """Bytes that are written."""
        return sum(one.size_bytes for one in self.to_send)

    @property
    def is_swap(self) -> bool:
        """Another page is prepared, which the ECU takes at the end."""
        return any(one.before != one.after for one in self.moves)

    @property
    def bytes_changed(self) -> int:
        """Bytes that differ from those before."""
        return sum(a != b for one in self.runs for a, b in zip(one.old, one.new, strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters that changed, each once."""
        return tuple(dict.fromkeys(one.name for one in self.changes))

    def __str__(self) -> str:
        what = "; ".join(map(str, self.changes[:3])) or f"{self.bytes_changed} bytes"
        more = f" and {len(self.changes) - 3} more" if len(self.changes) > 3 else ""
        reason = f" ({self.reason})" if self.reason else ""
        state = "" if self.state is State.DONE else f" [{self.state}]"
        return f"{self.number} {self.kind}: {what}{more}{reason}{state}"

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, without the state."""
        return {
            "number": self.number,
            "kind": str(self.kind),
            "time_ns": self.time_ns,
            "author": self.author,
            "reason": self.reason,
            "of": self.of,
            "changes": [
                [one.name, one.old, one.new, _listed(one.cell), one.unit, one.follows]
                for one in self.changes
            ],
            "runs": runs_as_lists(self.runs),
            "sent": None if self.sent is None else runs_as_lists(self.sent),
            "moves": [
                [one.segment, one.before, one.meanwhile, one.written, one.after]
                for one in self.moves
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Transaction:
        """What :meth:`as_dict` gave.

        Raises:
            ValueError, KeyError, TypeError: it is something else.
        """
        return cls(
            number=int(data["number"]),
            kind=Kind(data["kind"]),
            time_ns=int(data["time_ns"]),
            author=str(data["author"]),
            reason=str(data["reason"]),
            changes=tuple(
                Change(str(name), old, new, _tupled(cell), str(unit), bool(follows))
                for name, old, new, cell, unit, follows in data["changes"]
            ),
            runs=runs_from_lists(data["runs"]),
            sent=None if data["sent"] is None else runs_from_lists(data["sent"]),
            moves=tuple(PageMove(*one) for one in data["moves"]),
            of=int(data["of"]),
        )


def _listed(cell: tuple[int, ...] | None) -> list[int] | None:
    return None if cell is None else list(cell)


def _tupled(cell: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if cell is None else tuple(int(one) for one in cell)


def runs_as_lists(runs: Iterable[Run]) -> list[list[Any]]:
    """Address, extension, bytes before and after as hexadecimal digits."""
    return [
        [one.address.value, one.address.extension, one.old.hex(), one.new.hex()] for one in runs
    ]


def runs_from_lists(rows: Iterable[Sequence[Any]]) -> tuple[Run, ...]:
    """What :func:`runs_as_lists` gave.

    Raises:
        ValueError, TypeError: it is something else.
    """
    runs = tuple(
        Run(Address(int(value), int(extension)), bytes.fromhex(old), bytes.fromhex(new))
        for value, extension, old, new in rows
    )
    if any(len(one.old) != len(one.new) for one in runs):
        raise ValueError("bytes before and after differ in length")
    return runs


def told(value: Any) -> Any:
    """A value for the history: plain, finite, of bounded size."""
    values = value.values if isinstance(value, Table) else value
    if isinstance(values, np.generic):
        values = values.item()
    if isinstance(values, np.ndarray):
        if values.size > _MAX_CELLS:
            return None
        values = values.tolist()
    return _finite(values)


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value if isinstance(value, int | float | str | None) else str(value)


class Journal(Protocol):
    """Where a history is kept so that it survives the tool."""

    def intend(self, transaction: Transaction) -> None:
        """Keep a transaction, for good, before its first byte is sent."""
        ...

    def settle(self, number: int, state: State, runs: tuple[Run, ...] | None) -> None:
        """Keep what became of it, and which bytes are in the ECU because of it; None = all of them."""
        ...


@dataclass(slots=True)
class History:
    """Transactions, oldest first.

    Attributes:
        journal: keeps them; None = nobody does.
        transactions: by number.
    """

    journal: Journal | None = None
    transactions: dict[int, Transaction] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.transactions)

    def __iter__(self) -> Iterator[Transaction]:
        """Every transaction, oldest first."""
        return iter(self.transactions.values())

    def __getitem__(self, number: int) -> Transaction:
        """A transaction by its number.

        Raises:
            UsageError: there is none.
        """
        found = self.transactions.get(number)
        if found is None:
            raise UsageError(f"history: there is no transaction {number}.")
        return found

    @property
    def next_number(self) -> int:
        """The number of the next transaction."""
        return max(self.transactions, default=0) + 1

    def begin(self, transaction: Transaction) -> None:
        """Take a transaction up before its first byte is sent."""
        if self.journal is not None:
            self.journal.intend(transaction)
        self.transactions[transaction.number] = transaction

    def settle(self, number: int, state: State, runs: tuple[Run, ...] | None = None) -> Transaction:
        """Say what became of a transaction.

        Args:
            number: of it.
            state: the outcome.
            runs: what is in the ECU because of it, where that is less than all of it.
        """
        before = self[number]
        found = replace(before, state=state, runs=before.runs if runs is None else runs)
        self.transactions[number] = found
        if self.journal is not None:
            self.journal.settle(number, state, runs)
        return found

    def open(self) -> list[Transaction]:
        """Those that nobody knows the end of, oldest first."""
        return [one for one in self if one.state is State.OPEN]

    def of(self, name: str) -> list[Transaction]:
        """Those that changed a parameter, oldest first."""
        return [one for one in self if name in one.names and one.state is not State.UNDONE]

    def undoable(self) -> Transaction | None:
        """What undo would take back."""
        return self._stacks()[0]

    def redoable(self) -> Transaction | None:
        """What redo would do again."""
        return self._stacks()[1]

    def _stacks(self) -> tuple[Transaction | None, Transaction | None]:
        done: list[Transaction] = []
        undone: list[Transaction] = []
        for one in self:
            if one.state not in (State.DONE, State.PARTIAL) or not one.runs:
                continue
            whole = one.state is State.DONE  # a part of an undo is a change like any other
            if one.kind is Kind.UNDO and done and whole:
                undone.append(done.pop())
            elif one.kind is Kind.REDO and undone and whole:
                done.append(undone.pop())
            else:
                done.append(one)
                undone.clear()
        return (done[-1] if done else None), (undone[-1] if undone else None)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each change: number, time_ns, author, kind, name, cell, old, new, unit, reason, state, pages."""
        return [
            {
                "number": one.number,
                "time_ns": one.time_ns,
                "author": one.author,
                "kind": str(one.kind),
                "name": change.name,
                "cell": _listed(change.cell),
                "old": change.old,
                "new": change.new,
                "unit": change.unit,
                "reason": one.reason,
                "state": str(one.state),
                "pages": {move.segment: move.written for move in one.moves},
            }
            for one in self
            for change in one.changes
        ]
