"""One entry of a set beside its description and memory: does it fit, and which bytes would it be."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from xcaliper.calib.apply_cells import Cells
from xcaliper.calib.apply_checks import OnAxis, Refused, Rules, Wanted, without_name
from xcaliper.calib.apply_points import Points
from xcaliper.calib.entries import EntryKind
from xcaliper.calib.entry_values import entry_of
from xcaliper.calib.live import Overlay
from xcaliper.calib.memory_blocks import REFUSALS
from xcaliper.calib.outcomes import Outcome
from xcaliper.core.errors import UsageError
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.blob import BoundBlob

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.calib.entries import Entry
    from xcaliper.calib.parameters import Read
    from xcaliper.core.address import Address
    from xcaliper.quantity.characteristic import BoundCharacteristic

    Parameter = BoundCharacteristic | AxisPoints | BoundBlob
    Writes = list[tuple[Address, bytes]]

__all__ = ["OnAxis", "Refused", "Rules", "Wanted", "plan_entry"]


def plan_entry(entry: Entry, bound: Parameter, memory: Read, rules: Rules) -> Wanted:
    """Work out what an entry would write; nothing where memory that cannot be written holds it already.

    Args:
        entry: the entry.
        bound: what it is for.
        memory: memory as it will be by then.
        rules: how entries are taken.

    Raises:
        Refused: it cannot be taken.
        UsageError: memory or a pointer cannot be read, or a conversion has no way back.
    """
    if not isinstance(bound, BoundBlob):
        bound = bound.resolve(memory)
    now = entry_of(bound, memory, raw=entry.is_raw)
    if bound.writable:
        return _made(entry, bound, now, memory, rules)
    try:
        made = _made(entry, replace(bound, writable=True), now, memory, rules)
    except (Refused, *REFUSALS):
        made = None
    if made is None or not _held(made.writes, memory, rules.ag):
        raise Refused(Outcome.READ_ONLY, "the description does not let it be written", now.values)
    return replace(made, writes=[])


def _held(writes: Writes, memory: Read, ag: int) -> bool:
    """True when memory has these bytes."""
    return all(memory(at, -(-len(data) // ag) * ag)[: len(data)] == data for at, data in writes)


def _made(entry: Entry, bound: Parameter, now: Entry, memory: Read, rules: Rules) -> Wanted:
    """What an entry would write where it may be written."""
    warnings = []
    if entry.unit and now.unit and entry.unit != now.unit:
        warnings.append(f"unit {entry.unit} in the set, {now.unit} in the description")
    _check_kind(entry, bound, now)
    if isinstance(bound, BoundBlob):
        return _blob(entry, bound, now, memory)
    counts, then = _counts(entry, bound, now, memory), Overlay(memory, rules.ag)
    then.add(counts)
    held = entry_of(bound, then, raw=entry.is_raw) if counts else now
    if isinstance(bound, AxisPoints):
        made = Points(entry, bound, held, rules).plan(then)
    elif bound.type == "ASCII":
        made = _text(entry, bound, held, then, rules)
    else:
        made = Cells(entry, bound, held, rules).plan(then)
    told = (*warnings, *made.warnings)
    return replace(made, writes=[*counts, *made.writes], before=now.values, warnings=told)


def _counts(
    entry: Entry, bound: BoundCharacteristic | AxisPoints, now: Entry, memory: Read
) -> Writes:
    """Writes of numbers of points, where memory tells them and the set has another number."""
    if isinstance(bound, AxisPoints):
        count, held = np.shape(entry.values)[:1], np.shape(now.values)[:1]
        return _count(bound.encode_count, count[0], memory) if count and count != held else []
    writes: Writes = []
    then = Overlay(memory, bound.ag)
    for n, (given, axis) in enumerate(zip(entry.axes, now.axes, strict=False)):
        made = bound.axes[n]
        own = made.shared is None and made.fixed is None
        if not own or given.values is None or axis.values is None:
            continue
        if len(given.values) != len(axis.values):
            found = _count(partial(bound.encode_count, n), len(given.values), then)
            then.add(found)
            writes.extend(found)
    return writes


def _count(encode: Callable[..., Writes], count: int, memory: Read) -> Writes:
    """Writes of a number of points; none where it is fixed or too large, which is met again as a size."""
    try:
        return encode(count, read=memory)
    except UsageError:
        return []


def _check_kind(entry: Entry, bound: Parameter, now: Entry) -> None:
    """Refuse an entry that is something else than what is described.

    A text in memory may come as a single value, as formats without a word for texts have it.
    """
    a_text = isinstance(entry.values, str) and {entry.kind, now.kind} == {
        EntryKind.ASCII,
        EntryKind.VALUE,
    }
    if entry.kind is not now.kind and not a_text:
        text = f"{entry.kind} in the set, {now.kind} in the description"
        raise Refused(Outcome.TYPE_DIFFERS, text, now.values)
    if entry.axes and len(entry.axes) != len(now.axes):
        text = f"{len(entry.axes)} axes in the set, {len(now.axes)} in the description"
        raise Refused(Outcome.TYPE_DIFFERS, text, now.values)
    if isinstance(entry.values, bytes) is not isinstance(bound, BoundBlob):
        raise Refused(Outcome.TYPE_DIFFERS, "bytes on one side only", now.values)


def _blob(entry: Entry, bound: BoundBlob, now: Entry, memory: Read) -> Wanted:
    data = entry.values
    assert isinstance(data, bytes), "checked with the kind"
    if len(data) != bound.size_bytes:
        text = f"{len(data)} bytes in the set, {bound.size_bytes} in the description"
        raise Refused(Outcome.SIZE_DIFFERS, text, now.values)
    return Wanted(bound.encode(data, read=memory), now.values, data)


def _text(
    entry: Entry, bound: BoundCharacteristic, now: Entry, memory: Read, rules: Rules
) -> Wanted:
    if entry.is_raw:
        return Cells(entry, bound, now, rules).plan(memory)
    if not isinstance(entry.values, str):
        raise Refused(Outcome.TYPE_DIFFERS, "numbers in the set, a text in memory", now.values)
    try:
        writes = bound.encode(entry.values, read=memory)
    except UsageError as error:
        slug = (
            Outcome.SIZE_DIFFERS if "there is room for" in error.message else Outcome.TYPE_DIFFERS
        )
        raise Refused(slug, without_name(error.message, bound.name), now.values) from None
    return Wanted(writes, now.values, entry.values)
