"""Signals → regions of memory: what shares bytes, what is aligned how, and where it may be cut."""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcaliper.daq.wanted import WantedSignal

__all__ = ["NO_BIT", "Limits", "Region", "join_runs", "regions_of"]


#: Bytes of the widest element.
WIDEST: Final = 8
#: BIT_OFFSET of whole elements (XCP Base, WRITE_DAQ, 1.0).
NO_BIT: Final = 0xFF


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
        odt_type: bytes of the widest element of a homogeneous ODT, 0 = ODTs may be mixed
            (ODT_TYPE_16, 32, 64).
        descending: True when the entries of an ODT go from wide to narrow elements
            (ODT_TYPE_ALIGNMENT).
        strict: True when the slave refuses ODTs that break the rule of odt_type.
        block_bytes: fixed length of every entry, 0 = any (MAX_ENTRY_SIZE).
        crossing: False when no region may run from one ODT into the next.
        filler: False when bytes that belong to no signal must not be transferred.
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
    odt_type: int = 0
    descending: bool = False
    strict: bool = False
    block_bytes: int = 0
    crossing: bool = True
    filler: bool = True

    @property
    def filler_bytes(self) -> int:
        """Length of an entry that only keeps the first ODT from being empty."""
        return self.block_bytes or self.granularity

    def unit_of(self, start: int, end: int) -> int:
        """Bytes of the elements that a slave may copy a run of memory with."""
        if self.block_bytes:
            return self.block_bytes
        top = self.odt_type or (WIDEST if self.descending else 0)
        if not top:
            return self.granularity
        places = start | (end - start) | top
        unit = min(places & -places, 1 << self.max_entry_bytes.bit_length() - 1)
        return max(unit, self.granularity)

    def entry_bytes(self, unit: int) -> int:
        """Largest entry made of whole elements.

        Under strict rules elements narrower than the widest stand alone; sorted ones come in odd
        numbers, so that the length of an entry tells the width of its elements.
        """
        if self.strict and unit < self.odt_type:
            return unit
        most = self.max_entry_bytes // unit
        if self.descending and unit < WIDEST:
            most -= 1 - most % 2
        return most * unit

    def entry_sizes(self, size: int, unit: int) -> list[int]:
        """Lengths of the entries that a run of memory is read with, bytes."""
        most = self.entry_bytes(unit)
        sizes = [most] * (size // most)
        rest = size % most
        if rest and self.descending and unit < WIDEST and rest // unit % 2 == 0:
            return [*sizes, rest - unit, unit]
        return [*sizes, rest] if rest else sizes

    def entry_count(self, size: int, unit: int) -> int:
        """Number of these entries."""
        most = self.entry_bytes(unit)
        rest = size % most
        odd = bool(rest and self.descending and unit < WIDEST and rest // unit % 2 == 0)
        return size // most + bool(rest) + odd

    def room(self, entries: int, unit: int) -> int:
        """Bytes that so many entries can always hold."""
        if self.descending and unit < WIDEST:
            entries = max(entries - 1, 0)
        return entries * self.entry_bytes(unit)


@dataclass(frozen=True, slots=True)
class Region:
    """A run of memory that is contiguous in the row.

    Attributes:
        extension: address extension.
        start: byte address (address × AG).
        cuts: byte addresses where an ODT may end, ascending; the last one is the end of the region.
        signals: what lies inside.
        unit: bytes of its elements, which entries are multiples of.
        bit: BIT_OFFSET, 0xFF = whole elements.
    """

    extension: int
    start: int
    cuts: Sequence[int]
    signals: tuple[WantedSignal, ...]
    unit: int = 1
    bit: int = NO_BIT

    @property
    def end(self) -> int:
        """First byte address behind the region."""
        return self.cuts[-1]

    @property
    def size_bytes(self) -> int:
        """Length."""
        return self.cuts[-1] - self.start


def regions_of(signals: Iterable[WantedSignal], limits: Limits) -> list[Region]:
    """Overlapping signals joined, sorted by extension and address; each with its places to cut.

    Single bits to be stimulated stand alone: each is an entry of its own.
    """
    grain, block, ag = limits.granularity, limits.block_bytes or limits.granularity, limits.ag
    ranges = []
    bits: list[Region] = []
    for order, signal in enumerate(signals):
        first = signal.address.value * ag
        if signal.stim and signal.bit is not None:
            cut = (first + grain,)
            bits.append(Region(signal.address.extension, first, cut, (signal,), grain, signal.bit))
            continue
        start = first - first % grain
        ranges.append((signal.address.extension, start, order, first + signal.size_bytes, signal))
    ranges.sort(key=lambda item: item[:3])
    regions: list[Region] = []
    group: list[WantedSignal] = []
    extension = low = high = 0
    for item_extension, start, _, end, signal in ranges:
        if group and (item_extension != extension or start >= high):
            regions.append(_region(extension, low, high, group, limits))
            group = []
        if not group:
            extension, low, high = item_extension, start, start
        group.append(signal)
        if end > high:
            high = low + -(-(end - low) // block) * block
    if group:
        regions.append(_region(extension, low, high, group, limits))
    return regions + bits


def _element_size(signal: WantedSignal) -> int:
    base = signal.dtype.base
    return 1 if base.kind == "S" else max(base.itemsize, 1)


def _region(
    extension: int, start: int, end: int, group: list[WantedSignal], limits: Limits
) -> Region:
    unit = limits.unit_of(start, end)
    cuts: Sequence[int] = (end,)
    step = lcm(unit, _element_size(group[0]))
    if len(group) == 1 and (start + group[0].size_bytes, 0) == (end, (end - start) % step):
        if group[0].dtype.subdtype is not None or group[0].dtype.kind == "S":
            cuts = range(start + step, end + 1, step)
    elif len(group) > 1 or group[0].dtype.subdtype is not None or group[0].dtype.kind == "S":
        places = np.arange(start + unit, end, unit, dtype=np.int64)
        free = np.ones(len(places), np.bool_)
        for signal in group:
            first = signal.address.value * limits.ag
            inside = slice(
                int(np.searchsorted(places, first, "right")),
                int(np.searchsorted(places, first + signal.size_bytes, "left")),
            )
            free[inside] &= (places[inside] - first) % _element_size(signal) == 0
        cuts = [*places[free].tolist(), end]
    return Region(extension, start, cuts, tuple(group), unit)


def join_runs(regions: Sequence[Region], limits: Limits) -> list[Region]:
    """Neighbours without a gap joined up to the size of an entry, so that they cost one."""
    most = min(limits.max_entry_bytes, limits.payload)
    joined: list[Region] = []
    parts: list[Region] = []

    def close() -> None:
        if len(parts) > 1:
            cuts = [cut for part in parts for cut in part.cuts]
            unit = limits.unit_of(parts[0].start, cuts[-1])
            signals = tuple(signal for part in parts for signal in part.signals)
            joined.append(Region(parts[0].extension, parts[0].start, cuts, signals, unit))
        else:
            joined.extend(parts)
        parts.clear()

    for region in regions:
        if parts and (
            region.extension != parts[0].extension
            or region.start != parts[-1].end
            or region.unit != parts[0].unit
            or region.bit != NO_BIT
            or parts[0].bit != NO_BIT
            or region.end - parts[0].start > most
        ):
            close()
        parts.append(region)
    close()
    return joined
