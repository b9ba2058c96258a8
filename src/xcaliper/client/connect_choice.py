"""ECU and working data brought together after connecting: who wins is a choice.

The order of the steps keeps the ECU stable: program compared first, XCP on the RAM page, a checksum over
each segment, then a decision; while data is downloaded the ECU works with its flash page, and takes the RAM
page at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from xcaliper.calib.groups import How
from xcaliper.calib.history import Kind
from xcaliper.calib.port import MemoryPort
from xcaliper.calib.settle import Settle
from xcaliper.calib.staging import StagedMemory
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xcaliper.calib.dirty import Dirty
    from xcaliper.calib.history import Transaction
    from xcaliper.calib.segments import CalibSegment
    from xcaliper.calib.settle import Found
    from xcaliper.client.calibration import Calibration
    from xcaliper.client.connection import Connection
    from xcaliper.core.address import Address

__all__ = [
    "Choice",
    "Choose",
    "Outcome",
    "ParameterDifference",
    "Question",
    "SegmentDifference",
    "Synchronised",
    "WorkingData",
    "synchronise",
]

WorkingData: TypeAlias = MemoryPort
"""An image, or other memory with the values that the user works on."""


class Choice(StrEnum):
    """Who wins where ECU and working data differ."""

    UPLOAD = "upload"
    """The ECU."""
    DOWNLOAD = "download"
    """The working data."""
    OFFLINE = "offline"
    """Nobody; nothing is written until this is decided."""


class Outcome(StrEnum):
    """How it ended."""

    EQUAL = "equal"
    UPLOADED = "uploaded"
    DOWNLOADED = "downloaded"
    DECIDED = "decided"
    """For each parameter by itself."""
    OFFLINE = "offline"
    READ_ONLY = "read-only"
    """The program is another one, and nobody has confirmed that it may be written."""


@dataclass(frozen=True, slots=True)
class SegmentDifference:
    """One segment compared.

    Attributes:
        label: ``segment 0 (Maps)``.
        bytes_changed: bytes that differ.
        uploaded: bytes that were read to know that; a checksum told of all the others.
    """

    label: str
    bytes_changed: int
    uploaded: int


@dataclass(frozen=True, slots=True)
class ParameterDifference:
    """One parameter whose values differ; None where a value cannot be told.

    Attributes:
        name: of the parameter.
        ecu: value in the ECU.
        data: value in the working data.
    """

    name: str
    ecu: Any
    data: Any


@dataclass(frozen=True, slots=True)
class Question:
    """What has to be decided.

    Attributes:
        segments: every segment, with what differs.
        dirty: what differs: parameters, and bytes of none.
        parameters: gives the values of every parameter that differs; costs time with many.
    """

    segments: tuple[SegmentDifference, ...]
    dirty: Dirty
    parameters: Callable[[], list[ParameterDifference]]


Choose: TypeAlias = (
    "Choice | str | Mapping[str, str] | Callable[[Question], Choice | str | Mapping[str, str]]"
)
"""A choice; or name → ``ecu`` or ``data`` for each parameter that differs; or a function that gives one."""


@dataclass(frozen=True, slots=True)
class Synchronised:
    """What was found and done.

    Attributes:
        outcome: how it ended.
        segments: every segment, with what differed.
        transaction: what was written into the ECU; None = nothing.
        kept: parameters whose value in the ECU was kept although the working data had another one.
        settled: what became of transactions that had been cut off.
        note: what was not as usual, such as an ECU that could not be elsewhere meanwhile; may be empty.
    """

    outcome: Outcome
    segments: tuple[SegmentDifference, ...] = ()
    transaction: Transaction | None = None
    kept: tuple[str, ...] = ()
    settled: tuple[Found, ...] = ()
    note: str = ""


@dataclass(slots=True)
class _Compared:
    """Working data over ECU data."""

    segments: tuple[SegmentDifference, ...]
    writes: list[tuple[Address, bytes]] = field(default_factory=list)


def synchronise(
    calib: Calibration,
    connection: Connection,
    data: WorkingData | None,
    choice: Choose,
    *,
    progress: Callable[[str, int, int], object] | None = None,
    reason: str = "",
) -> Synchronised:
    """Compare working data with the ECU and let a choice decide.

    Args:
        calib: calibration of the connection.
        connection: to the slave.
        data: the working data; None = what calibration knew of the ECU before the link was lost.
        choice: see :data:`Choose`.
        progress: called with what is done (``compare``, ``download``, ``upload``), bytes so far, bytes in all.
        reason: why, for the history.

    Raises:
        UsageError: the choice is none, or parameters are missing in it; nothing was written.
        TransactionError: a download was stopped; tells what is known.
        XcaliperError: the slave refuses or is silent.
    """
    told = progress or (lambda _text, _done, _total: None)
    if connection.has_other_program and not connection.confirmed:
        calib.is_offline = True
        return Synchronised(Outcome.READ_ONLY, note="the description is for another program (EPK)")
    settled = tuple(calib.settle(Settle.LOOK)) if calib.history.open() else ()
    known = _Remembered(calib) if data is None else data
    _to_ram(calib)
    found = _compare(calib, known, told)
    if not found.writes:
        calib.is_offline = False
        calib.mark_saved()
        return Synchronised(Outcome.EQUAL, found.segments, settled=settled)
    made = _decided(calib, found, choice)
    if isinstance(made, Mapping):
        return _each(calib, known, found, made, settled, reason, told)
    if made is Choice.OFFLINE:
        calib.is_offline = True
        return Synchronised(Outcome.OFFLINE, found.segments, settled=settled)
    calib.is_offline = False
    if made is Choice.UPLOAD:
        _take(calib, known, [(at, len(new)) for at, new in found.writes], told)
        calib.mark_saved()
        return Synchronised(Outcome.UPLOADED, found.segments, settled=settled)
    transaction, note = _download(calib, found.writes, told, reason)
    calib.mark_saved()
    return Synchronised(Outcome.DOWNLOADED, found.segments, transaction, (), settled, note)


class _Remembered:
    """What calibration knew of the ECU before something may have changed it."""

    def __init__(self, calib: Calibration) -> None:
        self._parts = list(calib.working.remembered())
        self.ag = calib.working.ag
        if not self._parts:
            raise UsageError(
                "synchronise: nothing is known of the ECU from before.",
                hint="Give an image, or other working data.",
            )

    def read(self, address: Address, size_bytes: int) -> bytes:
        for start, data in self._parts:
            begin = (address.value - start.value) * self.ag
            if start.extension == address.extension and 0 <= begin <= len(data) - size_bytes:
                return data[begin : begin + size_bytes]
        raise UsageError(f"nothing is known of {address}, {size_bytes} bytes.")

    def write(self, address: Address, data: bytes) -> None:
        """What is read of the ECU is known anyway."""


def _to_ram(calib: Calibration) -> None:
    """XCP on the page that can be written, in every segment."""
    for segment in calib.working.segments:
        page = segment.working_page
        writable = [one.number for one in segment.pages if one.is_writable]
        if segment.number is None or page is None:
            continue
        seen = calib.working.pages(segment)[1]
        if seen is not None and seen not in writable:
            calib.working.port.switch([segment.number], page, ecu=False, xcp=True)


def _compare(
    calib: Calibration, data: MemoryPort, told: Callable[[str, int, int], object]
) -> _Compared:
    """Where the ECU is not as the working data; where that has gaps, nothing is compared."""
    working = calib.working
    total = sum(one.size_bytes for one in working.segments)
    rows: list[SegmentDifference] = []
    found = _Compared(())
    done = 0
    for segment in working.segments:
        changed = uploaded = 0
        for begin, wanted in _known(data, segment, working.ag):
            stretches, read = working.differing(segment, begin, wanted)
            uploaded += read
            for low, high in stretches:
                part = wanted[low - begin : high - begin]
                at = segment.start + low // working.ag
                now = working.read(at, len(part))
                changed += sum(a != b for a, b in zip(now, part, strict=True))
                found.writes.append((at, part))
        rows.append(SegmentDifference(segment.label, changed, uploaded))
        done += segment.size_bytes
        told("compare", done, total)
    found.segments = tuple(rows)
    return found


def _known(data: MemoryPort, segment: CalibSegment, ag: int) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of every stretch of a segment that the working data has."""
    pieces: list[tuple[int, bytes]] = []
    todo = [(0, segment.size_bytes)]
    while todo:
        low, high = todo.pop()
        try:
            part = data.read(segment.start + low // ag, high - low)
        except UsageError:
            middle = low + (high - low) // 2 // ag * ag
            if middle > low:
                todo += [(middle, high), (low, middle)]
            continue
        if pieces and pieces[-1][0] + len(pieces[-1][1]) == low:
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + part)
        else:
            pieces.append((low, part))
    yield from pieces


def _decided(calib: Calibration, found: _Compared, choice: Choose) -> Choice | Mapping[str, str]:
    made = choice
    if callable(made):
        dirty = calib.dirty_by(found.writes)
        made = made(Question(found.segments, dirty, lambda: _differences(calib, found)))
    if isinstance(made, Mapping):
        return made
    try:
        return Choice(made)
    except ValueError:
        raise UsageError(
            f"synchronise: {made!r} is no choice.",
            hint=f"Use one of {', '.join(Choice)}, or name → ecu or data.",
        ) from None


def _differences(calib: Calibration, found: _Compared) -> list[ParameterDifference]:
    staged = StagedMemory(calib.working.read, calib.working.ag)
    for address, data in found.writes:
        staged.write(address, data)
    return [
        ParameterDifference(one.name, one.old, one.new) for one in calib.changes_between(staged)
    ]


def _take(
    calib: Calibration,
    data: MemoryPort,
    places: Sequence[tuple[Address, int]],
    told: Callable[[str, int, int], object],
) -> None:
    """Give the working data what the ECU has."""
    total, done = sum(size for _, size in places), 0
    for address, size in places:
        data.write(address, calib.working.read(address, size))
        done += size
        told("upload", done, total)


def _download(
    calib: Calibration,
    writes: Sequence[tuple[Address, bytes]],
    told: Callable[[str, int, int], object],
    reason: str,
) -> tuple[Transaction | None, str]:
    """Send what differs while the ECU is elsewhere; in order where it has nowhere to go."""

    def progress(done: int, total: int) -> None:
        told("download", done, total)

    how, note = How.PARK, ""
    try:
        calib.check_park(writes)
    except UsageError as error:
        how, note = How.ORDER, error.message
    group = calib.send(
        writes, kind=Kind.DOWNLOAD, reason=reason, how=how, land=how is How.PARK, progress=progress
    )
    return group.transaction, note


def _within(
    calib: Calibration, found: _Compared, names: Iterable[str]
) -> list[tuple[Address, bytes]]:
    """What differs, as far as it belongs to some parameters."""
    ag = calib.working.ag
    parts: list[tuple[Address, bytes]] = []
    for one in (part for name in names for part in calib.places.ranges_of(name)):
        for at, data in found.writes:
            begin = max(0, (one.start.value - at.value) * ag)
            end = min(len(data), (one.start.value - at.value) * ag + one.size_bytes)
            if one.start.extension == at.extension and begin < end:
                parts.append((at + begin // ag, data[begin:end]))
    return parts


def _each(
    calib: Calibration,
    data: MemoryPort,
    found: _Compared,
    made: Mapping[str, str],
    settled: tuple[Found, ...],
    reason: str,
    told: Callable[[str, int, int], object],
) -> Synchronised:
    """Parameter by parameter; bytes of no parameter stay as the ECU has them."""
    dirty = calib.dirty_by(found.writes)
    missing = [name for name in dirty.names if made.get(name) not in ("ecu", "data")]
    if missing:
        raise UsageError(
            f"synchronise: nothing is decided for {', '.join(missing[:8])}.",
            hint="Say 'ecu' or 'data' for every parameter that differs.",
        )
    taken = [name for name in dirty.names if made[name] == "data"]
    kept = tuple(name for name in dirty.names if made[name] == "ecu")
    calib.is_offline = False
    transaction, note = _download(calib, _within(calib, found, taken), told, reason)
    places = [(at, len(new)) for at, new in _within(calib, found, kept)]
    _take(calib, data, places, told)
    calib.mark_saved()
    if dirty.unnamed:
        note = f"{note} {len(dirty.unnamed)} stretches belong to no parameter.".strip()
    return Synchronised(Outcome.DECIDED, found.segments, transaction, kept, settled, note)
