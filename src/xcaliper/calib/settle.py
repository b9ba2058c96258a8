"""What became of a transaction that nobody saw the end of: the ECU is asked, byte by byte."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from xcaliper.calib.history import PageMove, State
from xcaliper.calib.staging import StagedMemory
from xcaliper.calib.write_plan import Run, plan_runs

if TYPE_CHECKING:
    from xcaliper.calib.history import History, Transaction
    from xcaliper.calib.segments import CalibSegment
    from xcaliper.calib.working_set import WorkingSet

__all__ = ["Found", "Settle", "disagreements", "look", "record", "remainder"]


class Settle(StrEnum):
    """What to do about it."""

    LOOK = "look"
    """Only find out, and let the history say so."""
    FINISH = "finish"
    """Write what is missing."""
    BACK = "back"
    """Put back what is there."""


@dataclass(frozen=True, slots=True)
class Found:
    """A transaction as the ECU shows it.

    Attributes:
        transaction: which.
        state: what became of it.
        runs: what it changed in what the ECU works with, as it is now.
        actual: each run of what was to be sent, with the bytes that are there instead of those before.
        away: segments whose ECU page is still the one for meanwhile.
    """

    transaction: Transaction
    state: State
    runs: tuple[Run, ...]
    actual: tuple[Run, ...]
    away: tuple[int, ...] = ()

    @property
    def written(self) -> int:
        """Runs that are wholly there."""
        return sum(one.old == one.new for one in self.actual)


def look(working: WorkingSet, transaction: Transaction) -> Found:
    """Find out what became of a transaction; XCP is brought back to where it was before.

    Raises:
        XcaliperError: the slave refuses or is silent.
    """
    moves = {move.segment: move for move in transaction.moves}
    actual = _actual(working, transaction, moves)
    used = {number: working.port.pages(number)[0] for number in moves}
    away = tuple(
        n for n, one in moves.items() if one.meanwhile != one.before and used[n] == one.meanwhile
    )
    if transaction.is_swap:
        for number, move in moves.items():
            _follow(working, move, used[number])
        taken = [number for number, move in moves.items() if used[number] == move.after]
        runs = tuple(run for run in transaction.runs if _number(working, run) in taken)
        state = State.DONE if len(taken) == len(moves) else State.PARTIAL if taken else State.UNDONE
        return Found(transaction, state, runs, actual, away)
    pairs = list(zip(transaction.to_send, actual, strict=True))
    if all(now.old == now.new for _, now in pairs):
        return Found(transaction, State.DONE, transaction.runs, actual, away)
    runs = tuple(Run(a.address, a.old, now.old) for a, now in pairs if a.old != now.old)
    state = State.PARTIAL if runs else State.UNDONE
    return Found(transaction, state, runs, actual, away)


def _actual(
    working: WorkingSet, transaction: Transaction, moves: dict[int, PageMove]
) -> tuple[Run, ...]:
    """Each run with the bytes that its page holds now in place of those before."""
    found: dict[int, Run] = {}
    for segment in (*working.segments, None):
        mine = [
            (number, run)
            for number, run in enumerate(transaction.to_send)
            if _segment(working, run) is segment
        ]
        if not mine:
            continue
        move = (
            moves.get(segment.number)
            if segment is not None and segment.number is not None
            else None
        )
        if segment is not None and move is not None:
            with working.seeing(segment, move.written):
                found.update((n, _now(working, run)) for n, run in mine)
        else:
            found.update((n, _now(working, run)) for n, run in mine)
    return tuple(found[number] for number in range(len(transaction.to_send)))


def _segment(working: WorkingSet, run: Run) -> CalibSegment | None:
    return working.segment_at(run.address, run.size_bytes)


def _number(working: WorkingSet, run: Run) -> int | None:
    segment = _segment(working, run)
    return None if segment is None else segment.number


def _now(working: WorkingSet, run: Run) -> Run:
    return Run(run.address, working.read_live(run.address, run.size_bytes), run.new)


def _follow(working: WorkingSet, move: PageMove, ecu_page: int | None) -> None:
    """XCP goes to the page that the ECU uses, where it was left on the one that was prepared."""
    seen = working.port.pages(move.segment)[1]
    if ecu_page is not None and seen == move.written != ecu_page:
        working.port.switch([move.segment], ecu_page, ecu=False, xcp=True)


def remainder(found: Found, how: Settle) -> Transaction:
    """The transaction that finishes what was found, or puts it back.

    Args:
        found: what :func:`look` found.
        how: ``finish`` or ``back``.
    """
    transaction = found.transaction
    if how is Settle.FINISH:
        missing = tuple(one for one in found.actual if one.old != one.new)
        return replace(transaction, sent=missing)
    if transaction.is_swap:  # of a page that the ECU does not use nothing has to be put back
        moves = tuple(
            PageMove(one.segment, one.after, one.after, one.before, one.before)
            for one in transaction.moves
        )
        return replace(transaction, sent=(), moves=moves)
    pairs = zip(transaction.to_send, found.actual, strict=True)
    back = tuple(Run(a.address, now.old, a.old) for a, now in pairs if now.old != a.old)
    return replace(transaction, sent=back)


def record(history: History, found: Found, how: Settle) -> Transaction:
    """Say in the history what became of it, once that is done."""
    number = found.transaction.number
    if how is Settle.FINISH:
        return history.settle(number, State.DONE)
    if how is Settle.BACK:
        return history.settle(number, State.UNDONE, ())
    return history.settle(number, found.state, found.runs)


def disagreements(working: WorkingSet, history: History) -> list[Run]:
    """Where memory is not as the history says: bytes that it should hold, and those that it holds.

    Raises:
        XcaliperError: the slave refuses or is silent.
    """
    kept = [one for one in history if one.state in (State.DONE, State.PARTIAL)]
    writes = [(run.address, run.new) for one in kept for run in one.runs]
    areas = [one.range for one in working.segments]
    staged = StagedMemory(working.read_live, working.ag)
    for address, data in writes:
        staged.write(address, data)
    runs = plan_runs(writes, working.read_live, ag=working.ag, areas=areas)
    return [Run(one.address, staged.read(one.address, one.size_bytes), one.old) for one in runs]
