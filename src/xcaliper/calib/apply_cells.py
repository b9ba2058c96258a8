"""Values of a parameter out of a set, with the axes of its own: do they fit, and which bytes would they be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.apply_checks import (
    Refused,
    Wanted,
    check_points,
    check_rising,
    clip_points,
    judge,
    numbers_in,
    sizes,
    values_after,
    without_name,
)
from xcaliper.calib.compare import Tolerance
from xcaliper.calib.entry_values import entry_of, physical
from xcaliper.calib.interpolate import interpolate
from xcaliper.calib.live import Overlay
from xcaliper.calib.outcomes import Outcome
from xcaliper.core.errors import LimitError, UsageError
from xcaliper.quantity.characteristic import RawCharacteristic
from xcaliper.quantity.compu import Conversion
from xcaliper.quantity.conversion import is_text
from xcaliper.quantity.record_layout import AXES
from xcaliper.quantity.rounding import fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.calib.apply_checks import Rules
    from xcaliper.calib.entries import Entry, SetAxis
    from xcaliper.calib.parameters import Read
    from xcaliper.core.address import Address
    from xcaliper.quantity.axis import BoundAxis
    from xcaliper.quantity.characteristic import BoundCharacteristic

    Writes = list[tuple[Address, bytes]]

__all__ = ["Cells"]

_NEAR: Final = 1e-5
"""How far points of shared axes may be apart, as tools print them with six digits."""


@dataclass(frozen=True, slots=True)
class Cells:
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
            after = values_after(self.bound, memory, writes, self.rules.ag, raw=entry.is_raw)
        rails = self.bound.guard_rails and bool(self.bound.axes)
        outcome, text, told = judge(rounded, np.any(more) or np.any(clamped), rails)
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
        raise Refused(Outcome.SIZE_DIFFERS, sizes(values, now), now)

    def _encode(self, values: Any, memory: Read) -> tuple[Writes, Any, Any, NDArray[Any] | None]:
        """Writes, where values were rounded and brought to limits, and raw values where one rule gave them."""
        bound = self.bound
        if self.entry.is_raw:
            numbers = numbers_in(values, self.now.values)
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
            numbers_in(values, self.now.values)
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
            text = f"it cannot be interpolated: {without_name(error.message, self.entry.label)}"
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
        points = given.values if verbal else numbers_in(given.values, now)
        if held is None or points.shape != held.shape:
            raise Refused(Outcome.SIZE_DIFFERS, f"axis {AXES[n]}: {sizes(points, held)}", now)
        if not Tolerance().beyond(points, held).any():
            return [], False
        if axis.read_only:
            raise Refused(Outcome.READ_ONLY, f"axis {AXES[n]} cannot be written", now)
        clipped: Any = False
        if self.rules.clamp and not raw and not verbal:
            points, clipped = clip_points(points, axis)
        check_points(points, axis, now, raw=raw)
        try:
            writes = self._with_axis(n, raw=raw).encode_axis(n, points, read=memory)
        except LimitError as error:
            text = f"axis {AXES[n]}: {error.message}"
            raise Refused(Outcome.OUTSIDE_LIMITS, text, now) from None
        then = Overlay(memory, self.rules.ag)
        then.add(writes)
        check_rising(entry_of(self.bound, then).axes[n].values, axis.monotony, now)
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
