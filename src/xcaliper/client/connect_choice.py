"""ECU and working data brought together after connecting: who wins is a choice.

The order of the steps keeps the ECU stable: program compared first, XCP on the RAM page, a checksum over
each segment, then a decision; while data is downloaded the ECU works with its flash page, and takes the RAM
page at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from xcaliper.calib.paramset import ParameterSet
from xcaliper.calib.settle import Settle
from xcaliper.calib.staging import StagedMemory
from xcaliper.client.connect_model import (
    Choice,
    Choose,
    Outcome,
    ParameterDifference,
    Question,
    SegmentDifference,
    Synchronised,
    WorkingData,
)
from xcaliper.client.connect_set import synchronise_set
from xcaliper.client.connect_steps import Told, decided, download, sides
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from xcaliper.calib.port import MemoryPort
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
        data: the working data: memory or a set; None = what calibration knew of the ECU before the link was lost.
        choice: see :data:`Choose`.
        progress: called with what is done (``compare``, ``download``, ``upload``), bytes so far, bytes in all.
        reason: why, for the history.

    Raises:
        PlanError: entries of the set that is to be downloaded cannot be taken; nothing was sent.
        UsageError: the choice is none, or parameters are missing in it; nothing was written.
        TransactionError: a download was stopped; tells what is known.
        XcaliperError: the slave refuses or is silent.
    """
    told = progress or (lambda _text, _done, _total: None)
    if connection.has_other_program and not connection.confirmed:
        calib.is_offline = True
        return Synchronised(Outcome.READ_ONLY, note="the description is for another program (EPK)")
    settled = tuple(calib.settle(Settle.LOOK)) if calib.history.open() else ()
    memory = _Remembered(calib) if data is None else data
    _to_ram(calib)
    if isinstance(memory, ParameterSet):
        done = synchronise_set(calib, memory, choice, told, reason)
    else:
        done = _synchronise_memory(calib, memory, choice, told, reason)
    note = f"{done.note} {_home(calib, settled, done.outcome)}".strip()
    return replace(done, settled=settled, note=note)


def _home(calib: Calibration, settled: Sequence[Found], outcome: Outcome) -> str:
    """Bring the ECU back that a download which was cut off had left elsewhere; says where it is."""
    texts: list[str] = []
    for one in settled:
        for move in one.transaction.moves:
            used = calib.working.port.pages(move.segment)[0]
            if move.segment not in one.away or move.after is None or used != move.meanwhile:
                continue
            label = calib.working.segment(move.segment).label
            if outcome is Outcome.OFFLINE:
                texts.append(f"The ECU still works with page {used} of {label}.")
                continue
            calib.working.port.switch([move.segment], move.after, ecu=True, xcp=False)
            texts.append(
                f"The ECU was left with page {used} of {label}, and is back on {move.after}."
            )
    return " ".join(texts)


def _synchronise_memory(
    calib: Calibration, known: MemoryPort, choice: Choose, told: Told, reason: str
) -> Synchronised:
    """Compare memory with the ECU and let a choice decide."""
    found = _compare(calib, known, told)
    if not found.writes:
        calib.is_offline = False
        calib.mark_saved()
        return Synchronised(Outcome.EQUAL, found.segments)
    made = decided(
        choice,
        lambda: Question(
            found.segments, calib.dirty_by(found.writes), lambda: _differences(calib, found)
        ),
    )
    if isinstance(made, Mapping):
        return _each(calib, known, found, made, reason, told)
    if made is Choice.OFFLINE:
        calib.is_offline = True
        return Synchronised(Outcome.OFFLINE, found.segments)
    calib.is_offline = False
    if made is Choice.UPLOAD:
        _take(calib, known, [(at, len(new)) for at, new in found.writes], told)
        calib.mark_saved()
        return Synchronised(Outcome.UPLOADED, found.segments)
    transaction, note = download(calib, found.writes, told, reason)
    calib.mark_saved()
    return Synchronised(Outcome.DOWNLOADED, found.segments, transaction, note=note)


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


def _compare(calib: Calibration, data: MemoryPort, told: Told) -> _Compared:
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
    told: Told,
) -> None:
    """Give the working data what the ECU has."""
    total, done = sum(size for _, size in places), 0
    for address, size in places:
        data.write(address, calib.working.read(address, size))
        done += size
        told("upload", done, total)


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
    reason: str,
    told: Told,
) -> Synchronised:
    """Parameter by parameter; bytes of no parameter stay as the ECU has them."""
    dirty = calib.dirty_by(found.writes)
    taken, kept = sides(dirty.names, made)
    calib.is_offline = False
    transaction, note = download(calib, _within(calib, found, taken), told, reason)
    places = [(at, len(new)) for at, new in _within(calib, found, kept)]
    _take(calib, data, places, told)
    calib.mark_saved()
    if dirty.unnamed:
        note = f"{note} {len(dirty.unnamed)} stretches belong to no parameter.".strip()
    return Synchronised(Outcome.DECIDED, found.segments, transaction, kept, note=note)
