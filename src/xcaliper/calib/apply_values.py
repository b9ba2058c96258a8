"""One entry of a set beside its description and memory: does it fit, and which bytes would it be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from xcaliper.calib.compare import Tolerance
from xcaliper.calib.entries import EntryKind
from xcaliper.calib.entry_values import entry_of, physical
from xcaliper.calib.interpolate import interpolate
from xcaliper.calib.live import Overlay
from xcaliper.calib.memory_blocks import REFUSALS
from xcaliper.calib.outcomes import Outcome
from xcaliper.core.errors import LimitError, UsageError
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.blob import BoundBlob
from xcaliper.quantity.characteristic import RawCharacteristic
from xcaliper.quantity.compu import Conversion
from xcaliper.quantity.conversion import floats_of, is_text
from xcaliper.quantity.points import check_monotony
from xcaliper.quantity.record_layout import AXES
from xcaliper.quantity.rounding import fit

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from numpy.typing import NDArray

    from xcaliper.calib.entries import Entry, SetAxis
    from xcaliper.calib.parameters import Read
    from xcaliper.core.address import Address
    from xcaliper.quantity.axis import BoundAxis
    from xcaliper.quantity.characteristic import BoundCharacteristic

    Parameter = BoundCharacteristic | AxisPoints | BoundBlob
    Writes = list[tuple[Address, bytes]]

__all__ = ["OnAxis", "Refused", "Rules", "Wanted", "plan_entry"]

OnAxis = Literal["refuse", "keep", "interpolate"]
"""What becomes of a table whose axis in memory has other points and cannot be changed with it."""

_MAX_BITS: Final = 64
_NEAR: Final = 1e-5
"""How far points of shared axes may be apart, as tools print them with six digits."""


class Refused(Exception):  # noqa: N818  # an answer, never leaves this package
    """Why an entry is not taken.

    Args:
        outcome: what becomes of it.
        text: why.
        before: what memory holds.
    """

    def __init__(self, outcome: Outcome, text: str, before: Any = None) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.before = before


@dataclass(frozen=True, slots=True)
class Rules:
    """How entries are taken.

    Attributes:
        clamp: bring values outside of the limits to them.
        on_axis: what becomes of a table whose axis in memory has other points.
        own_axes: places of axes that are in the set and were taken: their points win over those that
            tables repeat.
        ag: bytes per address unit.
    """

    clamp: bool
    on_axis: OnAxis
    own_axes: Container[Address]
    ag: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an entry would do.

    Attributes:
        writes: bytes by address, changed or not.
        before: values now.
        after: values afterwards.
        outcome: APPLIED, ROUNDED or CLAMPED.
        text: what was changed about it.
        warnings: what else to know.
    """

    writes: Writes
    before: Any
    after: Any
    outcome: Outcome = Outcome.APPLIED
    text: str = ""
    warnings: tuple[str, ...] = ()


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
        made = _Points(entry, bound, held, rules).plan(then)
    elif bound.type == "ASCII":
        made = _text(entry, bound, held, then, rules)
    else:
        made = _Cells(entry, bound, held, rules).plan(then)
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
        return _Cells(entry, bound, now, rules).plan(memory)
    if not isinstance(entry.values, str):
        raise Refused(Outcome.TYPE_DIFFERS, "numbers in the set, a text in memory", now.values)
    try:
        writes = bound.encode(entry.values, read=memory)
    except UsageError as error:
        slug = (
            Outcome.SIZE_DIFFERS if "there is room for" in error.message else Outcome.TYPE_DIFFERS
        )
        raise Refused(slug, _without(error.message, bound.name), now.values) from None
    return Wanted(writes, now.values, entry.values)


def _without(message: str, name: str) -> str:
    """A message without the name in front, which a report says already."""
    return message.removeprefix(f"{name}: ")


def _after(bound: Any, memory: Read, writes: Writes, ag: int, *, raw: bool) -> Any:
    then = Overlay(memory, ag)
    then.add(writes)
    return entry_of(bound, then, raw=raw).values


def _judge(rounded: Any, clamped: Any, rails: bool) -> tuple[Outcome, str, tuple[str, ...]]:  # noqa: FBT001
    """Outcome, text and warnings of values that were brought into what memory can hold."""
    warnings = ("the outermost cells are guard rails and follow",) if rails else ()
    if np.any(clamped):
        return Outcome.CLAMPED, f"{int(np.sum(clamped))} values brought to the limits", warnings
    if np.any(rounded):
        return Outcome.ROUNDED, f"{int(np.sum(rounded))} values rounded", warnings
    return Outcome.APPLIED, "", warnings


def _numbers(values: Any, now: Any) -> NDArray[Any]:
    """Values that have to be numbers.

    Raises:
        Refused: they are not.
    """
    array = np.asarray(values)
    if is_text(array).any():
        raise Refused(Outcome.TYPE_DIFFERS, "texts in the set, numbers in memory", now)
    if array.dtype.kind == "O":
        flat = array.ravel().tolist()
        if not all(type(v) in (int, float) for v in flat):
            raise Refused(Outcome.TYPE_DIFFERS, "something that is no number", now)
        if any(type(v) is int and v.bit_length() > _MAX_BITS for v in flat):
            raise Refused(Outcome.OUTSIDE_LIMITS, "a number is too large", now)
    return array


@dataclass(frozen=True, slots=True)
class _Points:
    """Points of an axis object."""

    entry: Entry
    bound: AxisPoints
    now: Entry
    rules: Rules

    def plan(self, memory: Read) -> Wanted:
        """Writes that give the axis its points.

        Raises:
            Refused: they do not fit.
        """
        bound, now = self.bound, self.now.values
        verbal = bound.conversion.kind == "verbal" and not self.entry.is_raw
        points = np.asarray(self.entry.values) if verbal else _numbers(self.entry.values, now)
        if np.shape(points) != np.shape(now):
            raise Refused(Outcome.SIZE_DIFFERS, _sizes(points, now), now)
        clamped: Any = False
        if self.rules.clamp and not self.entry.is_raw and not verbal:
            points, clamped = _clipped(points, bound)
        _check_points(points, bound, now, raw=self.entry.is_raw)
        try:
            encode = bound.encode_raw if self.entry.is_raw else bound.encode
            writes = encode(points, read=memory)
        except LimitError as error:
            raise Refused(
                Outcome.OUTSIDE_LIMITS, _without(error.message, bound.name), now
            ) from None
        after = _after(bound, memory, writes, self.rules.ag, raw=self.entry.is_raw)
        _check_rising(after, bound.monotony, now)
        rounded = () if verbal else self._rounded(points)
        outcome, text, warnings = _judge(rounded, clamped, bound.guard_rails)
        return Wanted(writes, now, after, outcome, text, warnings)

    def _rounded(self, points: NDArray[Any]) -> Any:
        element = self.bound.layout.find("axis_pts", 0) or self.bound.layout.find("axis_rescale", 0)
        if element is None or element.datatype is None:
            return ()
        one = points[:, 0] if points.ndim > 1 else points
        raw = one if self.entry.is_raw else self.bound.conversion.to_raw(one)
        return fit(raw, element.datatype, name=self.bound.name, clamp=True).rounded


def _clipped(points: NDArray[Any], bound: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Points brought to the limits, and where; the second column of rescale pairs stays."""
    made = floats_of(points)
    view = made[:, 0] if made.ndim > 1 else made
    before = view.copy()
    np.clip(view, bound.lower, bound.upper, out=view)
    clamped = (before != view) & ~np.isnan(before)
    return (made if clamped.any() else points), clamped


def _check_points(points: NDArray[Any], bound: Any, now: Any, *, raw: bool) -> None:
    """Refuse points that are no numbers, or break MONOTONY."""
    if is_text(points).any():
        return
    shown = points[:, 0] if points.ndim > 1 else points
    if np.isnan(floats_of(shown)).any():
        raise Refused(Outcome.OUTSIDE_LIMITS, "a point is no number", now)
    numbers = bound.conversion.to_numbers(shown) if raw else floats_of(shown)
    _check_rising(numbers, bound.monotony, now)
    if points.ndim > 1:
        _check_rising(points[:, 1], "MON_INCREASE", now)


def _check_rising(points: Any, word: str, now: Any) -> None:
    shown = points[:, 0] if np.ndim(points) > 1 else points
    if is_text(np.asarray(shown)).any():
        return
    try:
        check_monotony("", floats_of(shown), word)
    except UsageError:
        raise Refused(Outcome.AXIS_NOT_MONOTONIC, f"the points break {word}", now) from None


def _sizes(given: Any, now: Any) -> str:
    def said(value: Any) -> str:
        return " × ".join(map(str, np.shape(value))) or "one value"

    return f"{said(given)} in the set, {said(now)} in memory"


@dataclass(frozen=True, slots=True)
class _Cells:
    """Values of a parameter, with the points of its own axes."""

    entry: Entry
    bound: BoundCharacteristic
    now: Entry
    rules: Rules

    def plan(self, memory: Read) -> Wanted:
        """Writes that give the parameter its values.

        Raises:
            Refused: they do not fit.
        """
        entry, warnings = self._on_axes(memory)
        now = self.now.values
        values = self._shaped(entry.values)
        axes, clamped = self._axes(entry, memory)
        then = Overlay(memory, self.rules.ag)
        then.add(axes)
        try:
            writes, rounded, more, held = self._encode(values, then)
        except LimitError as error:
            raise Refused(Outcome.OUTSIDE_LIMITS, error.message, now) from None
        writes = [*axes, *writes]
        if held is not None and not self.bound.axes:  # nothing else decides about them
            after, _ = physical(self.bound, RawCharacteristic(held), raw=False)
        else:
            after = _after(self.bound, memory, writes, self.rules.ag, raw=entry.is_raw)
        rails = self.bound.guard_rails and bool(self.bound.axes)
        outcome, text, told = _judge(rounded, np.any(more) or np.any(clamped), rails)
        if np.any(more):
            text = f"{int(np.sum(more))} values brought to the limits"
        return Wanted(writes, now, after, outcome, text, (*warnings, *told))

    def _shaped(self, values: Any) -> Any:
        """Values of the shape in memory; a block may come flat, as formats with two dimensions have it."""
        now = self.now.values
        if np.shape(values) == np.shape(now):
            return values
        flat = self.bound.type == "VAL_BLK" and np.ndim(values) == 1 and isinstance(now, np.ndarray)
        if flat and np.size(values) == now.size:  # type: ignore[union-attr]
            return np.asarray(values).reshape(np.shape(now))
        raise Refused(Outcome.SIZE_DIFFERS, _sizes(values, now), now)

    def _encode(self, values: Any, memory: Read) -> tuple[Writes, Any, Any, NDArray[Any] | None]:
        """Writes, where values were rounded and brought to limits, and raw values where one rule gave them."""
        bound = self.bound
        if self.entry.is_raw:
            numbers = _numbers(values, self.now.values)
            writes = bound.encode_raw(numbers, read=memory)
            return writes, self._raw_rounded(numbers), False, None
        self._check_texts(values)
        if bound.maps:
            parts = list(zip(bound.maps, np.asarray(values), strict=True))
            found = [one.phys_to_raw(slab, clamp=self.rules.clamp) for one, slab in parts]
            writes = bound.encode(values, read=memory, clamp=self.rules.clamp)
            return writes, [f.rounded for f in found], [f.clamped for f in found], None
        made = bound.phys_to_raw(values, clamp=self.rules.clamp)
        writes = bound.encode_raw(made.raw, read=memory)
        return writes, made.rounded, made.clamped, made.raw

    def _raw_rounded(self, numbers: NDArray[Any]) -> Any:
        return fit(numbers, self.bound.datatype, name=self.bound.name, clamp=True).rounded

    def _check_texts(self, values: Any) -> None:
        """Refuse texts that no number stands for."""
        texts = np.asarray(values, dtype=object)
        flags = is_text(texts)
        if not flags.any():
            _numbers(values, self.now.values)
            return
        rule = self.bound.conversion
        try:
            rule.to_raw(texts if texts.ndim else texts.item())
        except UsageError as error:
            verbal = rule.kind == "verbal"
            outcome = Outcome.OUTSIDE_LIMITS if verbal else Outcome.TYPE_DIFFERS
            raise Refused(outcome, error.message, self.now.values) from None

    # --- axes ---

    def _on_axes(self, memory: Read) -> tuple[Entry, tuple[str, ...]]:
        """The entry on the axes that memory has, and what to tell about them."""
        if not self.entry.axes:
            return self.entry, ()
        off = {
            n: self.now.axes[n].values
            for n, (axis, given) in enumerate(zip(self.bound.axes, self.entry.axes, strict=True))
            if (axis.shared is not None or axis.fixed is not None or axis.curve is not None)
            and not self._same_points(axis, given, self.now.axes[n])
        }
        warnings, moved = [], {}
        for n, points in off.items():
            text = f"axis {AXES[n]} has other points in memory"
            shared = self.bound.axes[n].shared
            own = shared is not None and shared.resolve(memory).address in self.rules.own_axes
            if own and self._fits(n):
                warnings.append(f"{text}; those of {self.bound.axes[n].name} in the set count")
            elif self.rules.on_axis == "interpolate":
                moved[n] = points
                warnings.append(f"{text}; values were interpolated")
            elif self.rules.on_axis == "keep" and self._fits(n):
                warnings.append(f"{text}; values are taken for those")
            else:
                outcome = Outcome.AXIS_DIFFERS if self._fits(n) else Outcome.SIZE_DIFFERS
                raise Refused(outcome, text, self.now.values)
        if not moved:
            return self.entry, tuple(warnings)
        try:
            wanted = [moved.get(n) for n in range(len(self.bound.axes))]
            return interpolate(self.entry, wanted), tuple(warnings)
        except UsageError as error:
            text = f"it cannot be interpolated: {_without(error.message, self.entry.label)}"
            raise Refused(Outcome.AXIS_DIFFERS, text, self.now.values) from None

    def _fits(self, n: int) -> bool:
        """True where the set has as many points as memory."""
        given, held = self.entry.axes[n].values, self.now.axes[n].values
        return given is not None and held is not None and len(given) == len(held)

    def _same_points(self, axis: BoundAxis, given: SetAxis, held: SetAxis) -> bool:
        """True for the same points, within half of a step of the ECU and what printing loses."""
        if given.values is None or held.values is None:
            return True
        if given.values.shape != held.values.shape:
            return False
        linear = axis.conversion.linear if axis.curve is None and not self.entry.is_raw else None
        part = axis.shared.layout.find("axis_pts", 0) if axis.shared is not None else None
        whole = part is not None and part.datatype is not None and not part.datatype.is_float
        step = abs(linear[0]) / 2 if linear is not None and whole else 0.0
        return not Tolerance(step, _NEAR).beyond(given.values, held.values).any()

    def _axes(self, entry: Entry, memory: Read) -> tuple[Writes, Any]:
        """Writes of points that lie in the record of the table itself."""
        writes: Writes = []
        clamped: list[Any] = []
        for n, given in enumerate(entry.axes):
            axis = self.bound.axes[n]
            stored = axis.shared is None and axis.fixed is None and axis.curve is None
            if stored and given.values is not None:
                made, clipped = self._own_axis(n, axis, given, memory)
                writes.extend(made)
                clamped.append(np.any(clipped))
        return writes, clamped

    def _own_axis(
        self, n: int, axis: BoundAxis, given: SetAxis, memory: Read
    ) -> tuple[Writes, Any]:
        now, held = self.now.values, self.now.axes[n].values
        raw = self.entry.is_raw
        assert given.values is not None, "asked for by the caller"
        verbal = axis.conversion.kind == "verbal" and not raw
        points = given.values if verbal else _numbers(given.values, now)
        if held is None or points.shape != held.shape:
            raise Refused(Outcome.SIZE_DIFFERS, f"axis {AXES[n]}: {_sizes(points, held)}", now)
        if not Tolerance().beyond(points, held).any():
            return [], False
        if axis.read_only:
            raise Refused(Outcome.READ_ONLY, f"axis {AXES[n]} cannot be written", now)
        clipped: Any = False
        if self.rules.clamp and not raw and not verbal:
            points, clipped = _clipped(points, axis)
        _check_points(points, axis, now, raw=raw)
        try:
            writes = self._with_axis(n, raw=raw).encode_axis(n, points, read=memory)
        except LimitError as error:
            text = f"axis {AXES[n]}: {error.message}"
            raise Refused(Outcome.OUTSIDE_LIMITS, text, now) from None
        then = Overlay(memory, self.rules.ag)
        then.add(writes)
        _check_rising(entry_of(self.bound, then).axes[n].values, axis.monotony, now)
        return writes, clipped

    def _with_axis(self, n: int, *, raw: bool) -> BoundCharacteristic:
        """The table, with an axis that takes ECU values where the entry has them."""
        if not raw:
            return self.bound
        axes = list(self.bound.axes)
        axes[n] = replace(
            axes[n], conversion=Conversion(), lower=-np.inf, upper=np.inf, monotony=""
        )
        return replace(self.bound, axes=tuple(axes))
