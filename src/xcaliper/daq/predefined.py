"""Signals that lie inside a predefined DAQ list and can be taken from it."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from xcaliper.daq.list_drafts import Group, ListDraft
from xcaliper.daq.odt_chain import PackedList
from xcaliper.daq.regions import NO_BIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcaliper.daq.capabilities import StaticList
    from xcaliper.daq.wanted import WantedSignal
    from xcaliper.xcp.daq_lists import OdtSetup

__all__ = ["offsets_in", "take_predefined"]


def _runs(odts: Sequence[OdtSetup], ag: int) -> list[tuple[int, int, int, int]]:
    """(extension, first byte address, end, offset in the row) of memory that the row shows whole."""
    runs: list[tuple[int, int, int, int]] = []
    at = 0
    for odt in odts:
        for entry in odt.entries:
            start, size = entry.address.value * ag, entry.size * ag
            if entry.bit_offset == NO_BIT:
                last = runs[-1] if runs else None
                if (
                    last
                    and last[0] == entry.address.extension
                    and last[2] == start
                    and last[3] + last[2] - last[1] == at
                ):
                    runs[-1] = (last[0], last[1], start + size, last[3])
                else:
                    runs.append((entry.address.extension, start, start + size, at))
            at += size
    return runs


def offsets_in(one: StaticList, signals: Iterable[WantedSignal], ag: int) -> dict[str, int]:
    """Name → offset in the row, for the signals that a predefined list carries whole."""
    runs = sorted(_runs(one.odts, ag))
    starts = [run[:2] for run in runs]
    reach = list(accumulate(((run[0], run[2]) for run in runs), max))
    found: dict[str, int] = {}
    for signal in signals:
        extension, first = signal.address.extension, signal.address.value * ag
        wanted = extension, first + signal.size_bytes
        place = bisect_right(starts, (extension, first)) - 1
        places: list[int] = []
        while place >= 0 and reach[place] >= wanted:  # before that, no run reaches so far
            _, start, end, at = runs[place]
            if runs[place][0] == extension and end >= wanted[1]:
                places.append(at + first - start)
            place -= 1
        if places:
            found[signal.name] = min(places)
    return found


def take_predefined(
    group: Group, lists: Sequence[StaticList], ag: int, *, eager: bool
) -> tuple[list[ListDraft], Group]:
    """Lists to use as they are, and the signals that still need a place.

    Args:
        group: one event, direction DAQ.
        lists: predefined lists that the event may trigger.
        ag: bytes per address.
        eager: True to take every signal that can be taken; False where at least half of a list is
            wanted only.
    """
    drafts: list[ListDraft] = []
    left = group.signals
    for one in lists:
        offsets = offsets_in(one, left, ag)
        size = sum(entry.size for odt in one.odts for entry in odt.entries) * ag
        wanted = sum(signal.size_bytes for signal in left if signal.name in offsets)
        if not offsets or (not eager and 2 * wanted < size):
            continue
        taken = tuple(signal for signal in left if signal.name in offsets)
        packed = PackedList(one.odts, offsets, 0, ())
        drafts.append(ListDraft(group.event, False, taken, packed, None, one))
        left = tuple(signal for signal in left if signal.name not in offsets)
    return drafts, Group(group.event, group.stim, left)
