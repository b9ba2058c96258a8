"""Signals → regions of memory → ODTs: what shares bytes, what is split where, what fits.

The bytes of a DAQ list's ODTs, joined in entry order, are its row. A signal must be contiguous in
the row, so a region (signals that overlap) is placed whole in one ODT, or runs from the end of one
ODT through the beginning of the next. Elements of up to eight bytes stay whole in one ODT where they
fit, because a slave promises consistency inside an ODT at least.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from xcaliper.core.address import Address
from xcaliper.xcp.daq_lists import OdtEntry, OdtSetup

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcaliper.daq.wanted import WantedSignal

__all__ = ["Limits", "PackedList", "Region", "join_runs", "pack", "regions_of"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the ODTs of one list may hold.

    Attributes:
        granularity: multiple of addresses and sizes, bytes.
        ag: bytes per address.
        max_entry_bytes: largest entry, a multiple of the granularity.
        first_payload: bytes for data in the first ODT, a multiple of the granularity.
        payload: bytes for data in every other ODT, a multiple of the granularity.
        max_odts: ODTs in the list.
        max_entries: entries in an ODT.
        one_extension: True when an ODT may hold one address extension only.
        may_split: True when the slave keeps whole lists consistent, so that ODTs may share an
            element.
    """

    granularity: int
    ag: int
    max_entry_bytes: int
    first_payload: int
    payload: int
    max_odts: int
    max_entries: int = 255
    one_extension: bool = False
    may_split: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """A run of memory that is contiguous in the row.

    Attributes:
        extension: address extension.
        start: byte address (address × AG).
        cuts: byte addresses where an ODT may end, ascending; the last one is the end of the region.
        signals: what lies inside.
    """

    extension: int
    start: int
    cuts: Sequence[int]
    signals: tuple[WantedSignal, ...]

    @property
    def end(self) -> int:
        """First byte address behind the region."""
        return self.cuts[-1]

    @property
    def size_bytes(self) -> int:
        """Length."""
        return self.cuts[-1] - self.start


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


# ------------------------------------------------------------------------------------- regions


def regions_of(signals: Iterable[WantedSignal], *, granularity: int, ag: int) -> list[Region]:
    """Overlapping signals joined, sorted by extension and address; each with its places to cut."""
    ranges = []
    for order, signal in enumerate(signals):
        first = signal.address.value * ag
        start = first - first % granularity
        end = -(-(first + signal.size_bytes) // granularity) * granularity
        ranges.append((signal.address.extension, start, end, order, signal))
    ranges.sort(key=lambda item: item[:4])
    regions: list[Region] = []
    group: list[WantedSignal] = []
    extension = low = high = 0
    for item_extension, start, end, _, signal in ranges:
        if group and (item_extension != extension or start >= high):
            regions.append(_region(extension, low, high, group, granularity, ag))
            group = []
        if not group:
            extension, low, high = item_extension, start, end
        group.append(signal)
        high = max(high, end)
    if group:
        regions.append(_region(extension, low, high, group, granularity, ag))
    return regions


def _element_size(signal: WantedSignal) -> int:
    base = signal.dtype.base
    return 1 if base.kind == "S" else max(base.itemsize, 1)


def _region(
    extension: int,
    start: int,
    end: int,
    group: list[WantedSignal],
    granularity: int,
    ag: int,
) -> Region:
    cuts: Sequence[int]
    if len(group) == 1 and group[0].dtype.subdtype is None and group[0].dtype.kind != "S":
        cuts = (end,)
    else:
        places = np.arange(start + granularity, end, granularity, dtype=np.int64)
        free = np.ones(len(places), np.bool_)
        for signal in group:
            first = signal.address.value * ag
            inside = slice(
                int(np.searchsorted(places, first, "right")),
                int(np.searchsorted(places, first + signal.size_bytes, "left")),
            )
            free[inside] &= (places[inside] - first) % _element_size(signal) == 0
        cuts = [*places[free].tolist(), end]
    return Region(extension, start, cuts, tuple(group))


def join_runs(regions: Sequence[Region], max_bytes: int) -> list[Region]:
    """Neighbours without a gap joined up to a size, so that they cost one entry."""
    joined: list[Region] = []
    parts: list[Region] = []

    def close() -> None:
        if len(parts) > 1:
            joined.append(
                Region(
                    parts[0].extension,
                    parts[0].start,
                    [cut for part in parts for cut in part.cuts],
                    tuple(signal for part in parts for signal in part.signals),
                )
            )
        else:
            joined.extend(parts)
        parts.clear()

    for region in regions:
        if parts and (
            region.extension != parts[0].extension
            or region.start != parts[-1].end
            or region.end - parts[0].start > max_bytes
        ):
            close()
        parts.append(region)
    close()
    return joined


# ---------------------------------------------------------------------------------------- ODTs


@dataclass(slots=True)
class _Piece:
    extension: int
    start: int
    end: int


@dataclass(slots=True)
class _Odt:
    """An ODT being filled: the end of a region, whole regions, the beginning of a region."""

    free: int
    entries_left: int
    extension: int | None = None
    tail: _Piece | None = None
    whole: list[_Piece] = field(default_factory=list)
    head: _Piece | None = None

    def takes(self, extension: int, size: int, entries: int, *, one_extension: bool) -> bool:
        if size > self.free or entries > self.entries_left:
            return False
        return not one_extension or self.extension in (None, extension)

    def charge(self, piece: _Piece, max_entry_bytes: int) -> None:
        size = piece.end - piece.start
        self.free -= size
        self.entries_left -= -(-size // max_entry_bytes)
        self.extension = piece.extension

    def lay(self, piece: _Piece, region: Region, max_entry_bytes: int) -> None:
        """Add a part of a region that is laid out along the chain."""
        self.charge(piece, max_entry_bytes)
        if piece.start == region.start and piece.end == region.end:
            self.whole.append(piece)
        elif piece.start == region.start:
            self.head = piece
        else:
            self.tail = piece
            if piece.end != region.end:
                self.free = 0  # anything behind it would stand in the middle of the region's row

    @property
    def is_empty(self) -> bool:
        return self.extension is None

    def pieces(self) -> list[_Piece]:
        whole = sorted(self.whole, key=lambda piece: (piece.extension, piece.start))
        return [p for p in (self.tail, *whole, self.head) if p is not None]


class _Chain:
    """The growing ODTs of one list; False from a method means that they became too many."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.odts: list[_Odt] = [_Odt(limits.first_payload, limits.max_entries)]
        self.split: list[Region] = []
        self._from = (0, 0, 0)  # size and extension last fitted, first ODT worth trying for it

    def open(self) -> bool:
        self.odts.append(_Odt(self.limits.payload, self.limits.max_entries))
        return len(self.odts) <= self.limits.max_odts

    def pour(self, region: Region) -> bool:
        """Lay a region from the end of the chain onwards, cutting it where it may be cut."""
        limits, at = self.limits, region.start
        while True:
            odt = self.odts[-1]
            end = self._cut(odt, region, at)
            if end > at:
                odt.lay(_Piece(region.extension, at, end), region, limits.max_entry_bytes)
                at = end
            if at == region.end:
                return True
            if not self.open():
                return False

    def _cut(self, odt: _Odt, region: Region, at: int) -> int:
        """How far the region may reach in this ODT; ``at`` when nothing of it fits."""
        limits = self.limits
        if limits.one_extension and odt.extension not in (None, region.extension):
            return at
        room = min(odt.free, odt.entries_left * limits.max_entry_bytes)
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
        """Put a region whole into the first ODT that has room, a new one if none has."""
        limits = self.limits
        size = region.size_bytes
        entries = -(-size // limits.max_entry_bytes)
        piece = _Piece(region.extension, region.start, region.end)
        known = self._from[:2] == (size, region.extension)
        index = self._from[2] if known else 0
        while index < len(self.odts) and not self.odts[index].takes(
            region.extension, size, entries, one_extension=limits.one_extension
        ):
            index += 1
        if index == len(self.odts) and not self.open():
            return False
        self._from = (size, region.extension, index)
        odt = self.odts[index]
        odt.whole.append(piece)
        odt.charge(piece, limits.max_entry_bytes)
        return True


def pack(regions: Sequence[Region], limits: Limits) -> PackedList | None:
    """The fewest ODTs that the ways tried here need, None when the list has too few.

    Tried are first-fit-decreasing of whole regions (long ones laid out first), with and without
    joined neighbours, and laying everything out in address order, cutting between elements, or
    anywhere where the slave's consistency allows that.
    """
    runs = join_runs(regions, min(limits.max_entry_bytes, limits.payload))
    chains = (
        _first_fit(runs, limits),
        _first_fit(regions, limits) if len(runs) < len(regions) else None,
        _poured(runs, limits),
        _poured([_cut_anywhere(run, limits) for run in runs], limits) if limits.may_split else None,
    )
    packed = [
        _finish(chain, used, limits)
        for chain, used in zip(chains, (runs, regions, runs, runs), strict=True)
        if chain is not None
    ]
    return min(packed, key=lambda p: (len(p.odts), p.entry_count), default=None)


def _cut_anywhere(region: Region, limits: Limits) -> Region:
    step = limits.granularity
    return Region(
        region.extension,
        region.start,
        range(region.start + step, region.end + 1, step),
        region.signals,
    )


def _first_fit(regions: Sequence[Region], limits: Limits) -> _Chain | None:
    chain = _Chain(limits)
    most = min(limits.payload, limits.max_entries * limits.max_entry_bytes)
    small = [region for region in regions if region.size_bytes <= most]
    for region in regions:
        if region.size_bytes > most and not chain.pour(region):
            return None
    small.sort(key=lambda region: (-region.size_bytes, region.extension, region.start))
    return chain if all(chain.fit(region) for region in small) else None


def _poured(regions: Sequence[Region], limits: Limits) -> _Chain | None:
    chain = _Chain(limits)
    return chain if all(chain.pour(region) for region in regions) else None


def _finish(chain: _Chain, regions: Sequence[Region], limits: Limits) -> PackedList:
    """Entries and row offsets of a filled chain."""
    filler = 0
    if chain.odts[0].is_empty:
        filler = limits.granularity
        start = chain.odts[1].pieces()[0]
        chain.odts[0].whole.append(_Piece(start.extension, start.start, start.start + filler))
    where: dict[tuple[int, int], int] = {}
    odts: list[OdtSetup] = []
    offset = 0
    for number, odt in enumerate(chain.odts):
        pieces = odt.pieces()
        for piece in pieces:
            if number or not filler:
                where.setdefault((piece.extension, piece.start), offset)
            offset += piece.end - piece.start
        odts.append(OdtSetup(tuple(_entries(pieces, limits))))
    offsets = {
        signal.name: where[region.extension, region.start]
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
        if last and last.extension == piece.extension and last.end == piece.start:
            last.end = piece.end
        else:
            runs.append(_Piece(piece.extension, piece.start, piece.end))
    for run in runs:
        for start in range(run.start, run.end, limits.max_entry_bytes):
            size = min(limits.max_entry_bytes, run.end - start)
            yield OdtEntry(Address(start // limits.ag, run.extension), size // limits.ag)
