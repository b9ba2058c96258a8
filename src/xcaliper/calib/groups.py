"""Changes that belong together: which pages they take, all of them or none, and who finds out.

Three ways: *swap* prepares another writable page and lets the ECU take it at the end; *park* lets the
ECU work with its reference page meanwhile; *in order* writes the page that XCP sees, one run after the
other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from xcaliper.calib.history import PageMove
from xcaliper.calib.staging import StagedMemory
from xcaliper.calib.write_plan import Run, difference, plan_runs
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    LinkError,
    TransactionError,
    UsageError,
    XcaliperError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from xcaliper.calib.history import Transaction
    from xcaliper.calib.segments import CalibSegment
    from xcaliper.calib.working_set import WorkingSet
    from xcaliper.core.address import Address

__all__ = ["Brackets", "Commit", "How", "Prepared", "prepare"]

#: A run is written and verified in pieces of at most this length.
_PIECE_BYTES: Final = 4096
_LOST: Final = (LinkError, ExchangeTimeoutError)


class How(StrEnum):
    """How a group is written."""

    AUTO = "auto"
    """By swap where nothing is lost by it, else in order."""
    SWAP = "swap"
    PARK = "park"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class Brackets:
    """What the ECU is told before and after changes *(XCP Base, USER_CMD, 1.0)*.

    Attributes:
        before: sub-command and parameters; empty = nothing is told.
        after: the same, also when the changes failed.
    """

    before: bytes = b""
    after: bytes = b""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a group will do.

    Attributes:
        runs: changes as the ECU sees them.
        sent: what is written for that, where it is another page's bytes; None = the runs.
        moves: how the pages are used.
        note: why no page is swapped, where one could be; may be empty.
    """

    runs: tuple[Run, ...]
    sent: tuple[Run, ...] | None = None
    moves: tuple[PageMove, ...] = ()
    note: str = ""


def prepare(
    working: WorkingSet,
    writes: Sequence[tuple[Address, bytes]],
    how: How = How.AUTO,
    spare: Collection[int] = (),
) -> Prepared:
    """What to send, and on which pages; nothing is written.

    Args:
        working: what is known of the ECU.
        writes: bytes by address, later ones over earlier ones.
        how: see :class:`How`.
        spare: segments whose other page nobody minds to be overwritten.

    Raises:
        UsageError: the pages do not allow what was asked for.
        XcaliperError: the slave refuses or is silent.
    """
    areas = [one.range for one in working.segments]
    runs = tuple(plan_runs(writes, working.read, ag=working.ag, areas=areas))
    touched = [
        one
        for one in working.segments
        if any(one.touches(run.address, run.size_bytes, ag=working.ag) for run in runs)
    ]
    outside = [run for run in runs if working.segment_at(run.address, run.size_bytes) is None]
    if how is How.PARK:
        paged = [one for one in touched if one.number is not None]
        return Prepared(runs, moves=tuple(_parked(working, one) for one in paged))
    if how is How.ORDER or not runs or (how is How.AUTO and len(runs) == 1):
        return _in_order(working, runs, touched)
    note = "part of it lies outside of the segments" if outside else ""
    moves: list[PageMove] = []
    for one in touched:
        page, reason = _spare_page(working, one)
        if page is None:
            note = note or reason
            break
        if how is How.AUTO and one.number not in spare and not _is_ours(working, one, page):
            note = note or f"page {page} of {one.label} holds something else"
            break
        before = working.pages(one)[0]
        moves.append(PageMove(one.number or 0, before, before, page, page))
    if note or not touched:
        if how is How.SWAP:
            raise UsageError(
                f"swap: {note or 'nothing of it lies in a segment'}.",
                hint='Write it in order (how="order"), or while the ECU is elsewhere (how="park").',
            )
        return _in_order(working, runs, touched, note)
    sent = [
        run
        for one, move in zip(touched, moves, strict=True)
        for run in _other(working, one, move, runs)
    ]
    return Prepared(runs, tuple(sent), tuple(moves))


def _in_order(
    working: WorkingSet, runs: tuple[Run, ...], touched: Sequence[CalibSegment], note: str = ""
) -> Prepared:
    moves = []
    for one in touched:
        if one.number is not None:
            ecu_page, xcp_page = working.pages(one)
            moves.append(PageMove(one.number, ecu_page, ecu_page, xcp_page, ecu_page))
    return Prepared(runs, moves=tuple(moves), note=note)


def _parked(working: WorkingSet, segment: CalibSegment) -> PageMove:
    """The ECU on another page that it may use alone.

    Raises:
        UsageError: there is none, or the slave does not tell its pages.
    """
    ecu_page, xcp_page = working.pages(segment)
    if segment.number is None or ecu_page is None or xcp_page is None:
        raise UsageError(
            f"{segment.label}: its pages are not known, so the ECU cannot be elsewhere."
        )
    if ecu_page != xcp_page:
        return PageMove(segment.number, ecu_page, ecu_page, xcp_page, ecu_page)
    shelters = [one.number for one in segment.pages if one.is_shelter and one.number != xcp_page]
    best = segment.reference_page if segment.reference_page in shelters else None
    if not shelters:
        raise UsageError(
            f"{segment.label}: it has no other page that the ECU may use.",
            hint='Write in order (how="order").',
        )
    meanwhile = shelters[0] if best is None else best
    return PageMove(segment.number, ecu_page, meanwhile, xcp_page, ecu_page)


def _spare_page(working: WorkingSet, segment: CalibSegment) -> tuple[int | None, str]:
    """Another page that can be written and then taken; None and why there is none."""
    ecu_page, xcp_page = working.pages(segment)
    if ecu_page is None or xcp_page is None:
        return None, f"the pages of {segment.label} are not known"
    if ecu_page != xcp_page:
        return None, f"XCP and ECU are on different pages of {segment.label}"
    for one in segment.pages:
        if one.number != ecu_page and one.is_spare:
            return one.number, ""
    return None, f"{segment.label} has no other page that can be written"


def _is_ours(working: WorkingSet, segment: CalibSegment, page: int) -> bool:
    """Whether nothing is lost with the content of a page: it equals the active one, or we left it."""
    mirror = working.mirror(segment, page)
    if mirror.trusted and mirror.left_by_us:
        return True
    active = working.content(segment)
    return working.content(segment, page) == active


def _other(
    working: WorkingSet, segment: CalibSegment, move: PageMove, runs: Sequence[Run]
) -> Iterator[Run]:
    """What makes another page equal to the active one with changes."""
    active = working.content(segment)
    staged = StagedMemory(
        lambda at, n: _cut(active, segment.offset(at, ag=working.ag), n), working.ag
    )
    for run in runs:
        if segment.holds(run.address, run.size_bytes, ag=working.ag):
            staged.write(run.address, run.new)
    wanted = staged.read(segment.start, segment.size_bytes)
    yield from difference(
        segment.start, working.content(segment, move.written), wanted, ag=working.ag
    )


def _cut(data: bytes, begin: int, size: int) -> bytes:
    return data[begin : begin + size]


class Commit:
    """Carries out what was prepared: all of it, or none.

    Args:
        working: what is known of the ECU.
        transaction: what to do.
        verify: look after each write whether it is there.
        brackets: what the ECU is told before and after.
        progress: called with bytes that are done and bytes in all.
    """

    def __init__(
        self,
        working: WorkingSet,
        transaction: Transaction,
        *,
        verify: bool = True,
        brackets: Brackets | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        self._working = working
        self._transaction = transaction
        self._verify = verify
        self._brackets = brackets or Brackets()
        self._progress = progress
        self._tried: list[Run] = []
        self._moved: list[tuple[int, int, bool]] = []

    def run(self) -> None:
        """Write, and switch where pages are swapped.

        Raises:
            TransactionError: it was stopped; tells whether everything was put back. Its cause is why.
        """
        told = False
        try:
            told = self._tell(self._brackets.before)
            self._enter()
            self._send()
            self._leave()
        except _LOST as error:
            raise self._lost(error) from error
        except XcaliperError as error:
            left = self._put_back()
            if told:
                self._tell_quietly(self._brackets.after)
            raise self._refused(error, left) from error
        self._remember()
        try:
            self._tell(self._brackets.after)
        except _LOST as error:
            raise self._lost(error) from error

    def _remember(self) -> None:
        """What the pages hold now that all of it is done."""
        for move in self._transaction.moves:
            segment = self._working.segment(move.segment)
            if move.after != move.before:
                self._working.mirror(segment, move.before).left_by_us = True
            elif move.meanwhile != move.before:
                self._working.distrust(segment)  # ECUs may drop what a page held when they leave it

    # --- steps ---

    def _tell(self, content: bytes) -> bool:
        if content:
            self._working.port.user_command(content)
        return bool(content)

    def _tell_quietly(self, content: bytes) -> None:
        try:
            self._tell(content)
        except XcaliperError:
            return  # the first failure is the one to be told

    def _switch(self, segment: int, page: int, *, ecu: bool, back: int) -> None:
        self._moved.append((segment, back, ecu))
        self._working.port.switch([segment], page, ecu=ecu, xcp=not ecu)

    def _enter(self) -> None:
        for move in self._transaction.moves:
            if move.meanwhile != move.before and move.meanwhile is not None:
                self._switch(move.segment, move.meanwhile, ecu=True, back=move.before or 0)
        for move in self._transaction.moves:
            seen = self._working.port.pages(move.segment)[1]
            if move.written is not None and seen is not None and seen != move.written:
                self._switch(move.segment, move.written, ecu=False, back=seen)

    def _send(self) -> None:
        total = self._transaction.bytes_sent
        done = 0
        for run in self._transaction.to_send:
            for piece in _pieces(run, self._working.ag):
                self._tried.append(piece)
                self._working.write(piece, verify=self._verify)
                done += piece.size_bytes
                if self._progress is not None:
                    self._progress(done, total)

    def _leave(self) -> None:
        moving = [one for one in self._transaction.moves if one.after != one.meanwhile]
        pages = {one.after for one in moving}
        numbers = [one.segment for one in moving]
        if len(moving) > 1 and len(pages) == 1 and None not in pages:
            self._moved.extend((one.segment, one.meanwhile or 0, True) for one in moving)
            self._working.port.switch(numbers, pages.pop() or 0, ecu=True, xcp=False)
            return
        for one in moving:
            if one.after is not None:
                self._switch(one.segment, one.after, ecu=True, back=one.meanwhile or 0)

    # --- when it goes wrong ---

    def _put_back(self) -> tuple[list[Run], list[str]]:
        """Undo what was tried, latest first; gives what could not be undone: bytes, and pages."""
        swap = self._transaction.is_swap
        stuck = self._move_back(ecu=True) if swap else []  # it may have taken a page already
        left = [run for run in reversed(self._tried) if not self._is_put_back(run)]
        stuck += self._move_back()
        return (
            [] if swap else left[::-1]
        ), stuck  # a page that the ECU does not use does not count

    def _is_put_back(self, run: Run) -> bool:
        """Write what was there before; where that is refused, look whether it is there anyway."""
        try:
            self._working.write(run.back())
        except XcaliperError:
            try:
                return self._working.read_live(run.address, run.size_bytes) == run.old
            except XcaliperError:
                return False
        return True

    def _move_back(self, *, ecu: bool = False) -> list[str]:
        """Undo page switches, latest first, only those of the ECU if wanted; what could not be undone."""
        stuck: list[str] = []
        for move in reversed(self._moved):
            segment, page, is_ecu = move
            if ecu and not is_ecu:
                continue
            try:
                self._working.port.switch([segment], page, ecu=is_ecu, xcp=not is_ecu)
            except XcaliperError:
                stuck.append(f"{'ECU' if is_ecu else 'XCP'} page of segment {segment}")
        self._moved = [one for one in self._moved if ecu and not one[2]]
        return stuck

    def _refused(self, cause: XcaliperError, left: tuple[list[Run], list[str]]) -> TransactionError:
        runs, stuck = left
        reason = cause.message + (f" Not put back: {', '.join(stuck)}." if stuck else "")
        return TransactionError(
            _what(self._transaction),
            reason,
            number=self._transaction.number,
            restored=not runs and not stuck,
            written=_places(runs),
        )

    def _lost(self, cause: XcaliperError) -> TransactionError:
        """The slave is gone: what is certain to be there, and what is not."""
        self._working.distrust()
        sure, last = self._tried[:-1], self._tried[-1:]
        return TransactionError(
            _what(self._transaction),
            cause.message,
            number=self._transaction.number,
            written=_places(sure),
            unknown=_places(last) or (("pages", 0),),
        )


def _what(transaction: Transaction) -> str:
    names = transaction.names
    if len(names) == 1:
        return names[0]
    return f"{transaction.kind} of {len(names)} parameters" if names else str(transaction.kind)


def _places(runs: Sequence[Run]) -> tuple[tuple[str, int], ...]:
    return tuple((str(run.address), run.size_bytes) for run in runs)


def _pieces(run: Run, ag: int) -> Iterator[Run]:
    """A long run in pieces, so that progress is seen and little has to be done again."""
    for begin in range(0, run.size_bytes, _PIECE_BYTES):
        end = begin + _PIECE_BYTES
        yield Run(run.address + begin // ag, run.old[begin:end], run.new[begin:end])
