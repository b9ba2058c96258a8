"""The ODTs of one list while they are being filled.

The bytes of a DAQ list's ODTs, joined in entry order, are its row. A signal must be contiguous in
the row, so a region (signals that overlap) is placed whole in one ODT, or runs from the end of one
ODT through the beginning of the next. Elements of up to eight bytes stay whole in one ODT where they
fit, because a slave promises consistency inside an ODT at least.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xcaliper.core.address import Address
from xcaliper.daq.regions import NO_BIT
from xcaliper.xcp.daq_lists import OdtEntry, OdtSetup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcaliper.daq.budget import Budget
    from xcaliper.daq.regions import Limits, Region

__all__ = ["RECENT", "Chain", "Odt", "PackedList", "finish"]

#: ODTs that filling up in order looks back at.
RECENT: Final = 8
#: Entries that are made in one step.
ENTRIES_PER_STEP: Final = 4


@dataclass(frozen=True, slots=True)
class PackedList:
    """Regions packed into ODTs.

    Attributes:
        odts: entries, ready to be written.
        offsets: name of a signal → offset in the row, bytes.
        filler_bytes: bytes in the first ODT that belong to no signal; they keep it from being empty.
        split_elements: signals with an element that two ODTs share.
    """

    odts: tuple[OdtSetup, ...]
    offsets: dict[str, int]
    filler_bytes: int
    split_elements: tuple[str, ...]

    @property
    def entry_count(self) -> int:
        """Entries of all ODTs."""
        return sum(len(odt.entries) for odt in self.odts)


@dataclass(slots=True)
class _Piece:
    extension: int
    start: int
    end: int
    unit: int
    bit: int = NO_BIT


@dataclass(slots=True)
class Odt:
    """An ODT being filled: the end of a region, whole regions, the beginning of a region.

    Attributes:
        free: bytes left.
        entries_left: entries left.
        key: (address extension, element) that everything in it must share; None = it is empty.
        narrowest: bytes of its narrowest element, 0 = it is empty.
    """

    free: int
    entries_left: int
    key: tuple[int, int] | None = None
    narrowest: int = 0
    tail: _Piece | None = None
    whole: list[_Piece] = field(default_factory=list)
    head: _Piece | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing is in it."""
        return self.key is None

    def pieces(self, *, descending: bool = False) -> list[_Piece]:
        """Its content in the order of the row."""
        if descending:
            whole = sorted(self.whole, key=lambda p: (-p.unit, p.extension, p.start))
        else:
            whole = sorted(self.whole, key=lambda p: (p.extension, p.start))
        return [p for p in (self.tail, *whole, self.head) if p is not None]


class Chain:
    """The growing ODTs of one list; False from a method means that they became too many.

    Args:
        limits: of the list.
        budget: gets the work counted; when it is spent, regions look back at few ODTs only.
    """

    def __init__(self, limits: Limits, budget: Budget) -> None:
        self.limits = limits
        self.budget = budget
        self.odts: list[Odt] = [Odt(limits.first_payload, limits.max_entries)]
        self.split: list[Region] = []
        self._from: tuple[int, tuple[int, int], int, int] = (0, (0, 0), 0, 0)

    @property
    def is_usable(self) -> bool:
        """False when bytes that nobody wants would have to fill the first ODT, and must not."""
        limits = self.limits
        if not self.odts[0].is_empty:
            return True
        return limits.filler and limits.filler_bytes <= limits.first_payload and len(self.odts) > 1

    @property
    def cost(self) -> tuple[int, int]:
        """ODTs and entries; neighbours that share an entry are counted apart."""
        most = self.limits.max_entries
        return len(self.odts), sum(most - odt.entries_left for odt in self.odts)

    def open(self) -> bool:
        """Begin another ODT."""
        self.odts.append(Odt(self.limits.payload, self.limits.max_entries))
        return len(self.odts) <= self.limits.max_odts

    def key_of(self, region: Region) -> tuple[int, int]:
        """What a region must share with others in its ODT."""
        limits = self.limits
        return (
            region.extension if limits.one_extension else 0,
            region.unit if limits.odt_type else 0,
        )

    def entries_of(self, size: int, unit: int) -> int:
        """Entries that so many bytes take."""
        return self.limits.entry_count(size, unit)

    def takes(self, odt: Odt, region: Region) -> bool:
        """Whether an ODT has room for a whole region."""
        return (
            region.size_bytes <= odt.free
            and odt.key in (None, self.key_of(region))
            and (not self.limits.descending or _in_order(odt, region.unit))
            and self.entries_of(region.size_bytes, region.unit) <= odt.entries_left
        )

    def put(self, odt: Odt, region: Region) -> None:
        """Place a whole region."""
        odt.whole.append(
            _Piece(region.extension, region.start, region.end, region.unit, region.bit)
        )
        self._charge(odt, region, region.size_bytes)

    def _charge(self, odt: Odt, region: Region, size: int) -> None:
        odt.free -= size
        odt.entries_left -= self.entries_of(size, region.unit)
        odt.key = self.key_of(region)
        odt.narrowest = min(odt.narrowest or region.unit, region.unit)

    def _lay(self, odt: Odt, region: Region, start: int, end: int) -> None:
        """Add a part of a region that is laid out along the chain."""
        piece = _Piece(region.extension, start, end, region.unit, region.bit)
        self._charge(odt, region, end - start)
        if start == region.start and end == region.end:
            odt.whole.append(piece)
        elif start == region.start:
            odt.head = piece
        else:
            odt.tail = piece
            if end != region.end:
                odt.free = 0  # anything behind it would stand in the middle of the region's row

    def pour(self, region: Region) -> bool:
        """Lay a region from the end of the chain onwards, cutting it where it may be cut."""
        at = region.start
        while True:
            self.budget.charge(1)
            odt = self.odts[-1]
            end = self._cut(odt, region, at)
            if end > at:
                self._lay(odt, region, at, end)
                at = end
            if at == region.end:
                return True
            if not self.open():
                return False

    def _cut(self, odt: Odt, region: Region, at: int) -> int:
        """How far the region may reach in this ODT; ``at`` when nothing of it fits."""
        limits = self.limits
        if odt.key not in (None, self.key_of(region)):
            return at
        if limits.descending and not odt.is_empty and region.unit > odt.narrowest:
            return at
        room = min(odt.free, limits.room(odt.entries_left, region.unit))
        room -= room % region.unit
        index = bisect_right(region.cuts, at + room)
        cut = region.cuts[index - 1] if index else at
        if cut > at:
            return cut
        element = region.cuts[bisect_right(region.cuts, at)] - at
        if room and (element > limits.payload or (odt.is_empty and len(self.odts) > 1)):
            if not self.split or self.split[-1] is not region:
                self.split.append(region)
            return at + room
        return at

    def fit(self, region: Region) -> bool:
        """Put a region whole into the first ODT that has room, a new one if none has.

        When the budget is spent, the first of those opened last.
        """
        size = region.size_bytes
        entries = self.entries_of(size, region.unit)
        known = (size, self.key_of(region), region.unit)
        index = self._from[3] if self._from[:3] == known else 0
        if self.budget.is_spent:
            index = max(index, len(self.odts) - RECENT)
        begin = index
        for odt in self.odts[index:]:
            # the numbers first: most ODTs fail by them, and there may be thousands of regions
            if size <= odt.free and entries <= odt.entries_left and self.takes(odt, region):
                break
            index += 1
        self.budget.charge(index - begin + 1)
        if index == len(self.odts) and not self.open():
            return False
        self._from = (*known, index)
        self.put(self.odts[index], region)
        return True

    def fit_recent(self, region: Region) -> bool:
        """Put a region whole into one of the ODTs opened last, or lay it out behind them."""
        self.budget.charge(RECENT)
        for odt in self.odts[-RECENT:]:
            if self.takes(odt, region):
                self.put(odt, region)
                return True
        if self.limits.crossing:
            return self.pour(region)
        return self.open() and self.takes(self.odts[-1], region) and self._put_last(region)

    def _put_last(self, region: Region) -> bool:
        self.put(self.odts[-1], region)
        return True


def _in_order(odt: Odt, unit: int) -> bool:
    """Whether elements of this width find their place between the ends of an ODT."""
    before, behind = odt.tail, odt.head
    return (before is None or before.unit >= unit) and (behind is None or behind.unit <= unit)


def finish(chain: Chain, regions: Sequence[Region]) -> PackedList:
    """Entries and row offsets of a usable chain."""
    limits, filler = chain.limits, 0
    if chain.odts[0].is_empty:
        filler = limits.filler_bytes
        start = chain.odts[1].pieces(descending=limits.descending)[0]
        chain.odts[0].whole.append(
            _Piece(start.extension, start.start, start.start + filler, limits.unit_of(0, filler))
        )
    where: dict[tuple[int, int, int], int] = {}
    odts: list[OdtSetup] = []
    offset = 0
    for number, odt in enumerate(chain.odts):
        pieces = odt.pieces(descending=limits.descending)
        for piece in pieces:
            if number or not filler:
                where.setdefault((piece.extension, piece.start, piece.bit), offset)
            offset += piece.end - piece.start
        odts.append(OdtSetup(tuple(_entries(pieces, limits))))
        chain.budget.charge(1 + len(odts[-1].entries) // ENTRIES_PER_STEP)
    offsets = {
        signal.name: where[region.extension, region.start, region.bit]
        + signal.address.value * limits.ag
        - region.start
        for region in regions
        for signal in region.signals
    }
    split = tuple(signal.name for region in chain.split for signal in region.signals)
    return PackedList(tuple(odts), offsets, filler, split)


def _entries(pieces: Sequence[_Piece], limits: Limits) -> Iterable[OdtEntry]:
    runs: list[_Piece] = []
    for piece in pieces:
        last = runs[-1] if runs else None
        if (
            last
            and last.extension == piece.extension
            and last.end == piece.start
            and last.unit == piece.unit
            and last.bit == piece.bit == NO_BIT
        ):
            last.end = piece.end
        else:
            runs.append(_Piece(piece.extension, piece.start, piece.end, piece.unit, piece.bit))
    for run in runs:
        start = run.start
        for size in limits.entry_sizes(run.end - run.start, run.unit):
            address = Address(start // limits.ag, run.extension)
            yield OdtEntry(address, size // limits.ag, run.bit)
            start += size
