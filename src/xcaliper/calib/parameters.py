"""Reading and writing bound objects through memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import isinf, lcm
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.calib.values import Axis, Table, plain
from xcaliper.calib.write_plan import changed_runs
from xcaliper.core.datatypes import DataType
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import IntegrityError, UsageError
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.compu import Conversion
from xcaliper.quantity.measurement import BoundMeasurement
from xcaliper.quantity.points import MIN_GUARDED
from xcaliper.quantity.rounding import check_limits, round_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from xcaliper.core.address import Address
    from xcaliper.quantity.catalog import Bound
    from xcaliper.quantity.characteristic import BoundCharacteristic, RawCharacteristic

    Read = Callable[[Address, int], bytes]
    Write = Callable[[Address, bytes], None]

__all__ = [
    "WritePlan",
    "WriteResult",
    "carry_out",
    "plan_write",
    "read_value",
    "write_value",
]


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write did.

    Attributes:
        name: of the parameter.
        before: value before, of the cell when one was written.
        after: value read back.
        bytes_sent: bytes written into the ECU; unchanged ones are not sent.
        changed: number of changed values.
        size: number of values of the parameter, or 1 for a cell.
        diagnostics: rounding to what the ECU can hold, and the like.
        dependents: what was written because it is computed from the parameter.
        verified: True when what was written was read back and compared.
        repeated: commands, those for dependents included, that were sent again because their answer
            was lost, so that the ECU may have carried them out more than once; what it changed there
            itself in between is gone.
    """

    name: str
    before: Any
    after: Any
    bytes_sent: int
    changed: int
    size: int
    diagnostics: tuple[Diagnostic, ...] = ()
    dependents: tuple[WriteResult, ...] = ()
    verified: bool = True
    repeated: int = 0

    @property
    def is_scalar(self) -> bool:
        """True for one value or text."""
        return not isinstance(self.after, np.ndarray | Table)

    @property
    def rounded(self) -> bool:
        """True when the ECU holds something else than was asked for."""
        return any(d.slug == "rounded" for d in self.diagnostics)

    def with_repeated(self, count: int) -> WriteResult:
        """The same with so many commands that were sent again, and a finding about them."""
        if not count:
            return self
        note = Diagnostic(
            Severity.WARNING,
            "write-repeated",
            Where(),
            f"{self.name}: {count} of its commands were sent again, for their answer was lost.",
            "The ECU may have done them more than once; what it changed in between is overwritten.",
            self.name,
        )
        return replace(self, repeated=count, diagnostics=(*self.diagnostics, note))

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""

        def bare(value: Any) -> Any:
            values = value.values if isinstance(value, Table) else value
            return values.tolist() if isinstance(values, np.ndarray) else values

        return {
            "name": self.name,
            "before": bare(self.before),
            "after": bare(self.after),
            "bytes_sent": self.bytes_sent,
            "changed": self.changed,
            "notes": [d.text for d in self.diagnostics],
            "dependents": [one.as_dict() for one in self.dependents],
            "verified": self.verified,
            "repeated": self.repeated,
        }


def read_value(bound: Bound, read: Read, *, raw: bool) -> Any:
    """The value of an object: number, text, array or table.

    Args:
        bound: the object.
        read: gives bytes for an address and a size.
        raw: ECU values instead of physical ones.
    """
    bound = bound.resolve(read)
    if isinstance(bound, BoundMeasurement):
        values = bound.decode(read(bound.address, bound.size_bytes))
        return _single(values if raw else bound.to_phys(values))
    if isinstance(bound, AxisPoints):
        points = bound.decode(read)
        return points if raw else bound.conversion.to_phys(points)
    return _characteristic(bound, bound.decode(read), raw=raw)


def _single(values: Any) -> Any:
    array = np.asarray(values)
    return plain(array[()]) if array.ndim == 0 else array


def _characteristic(bound: BoundCharacteristic, found: RawCharacteristic, *, raw: bool) -> Any:
    if bound.type == "ASCII" and not raw:
        return bound.to_phys(found).values
    phys = None if raw else bound.to_phys(found)
    values = found.values if phys is None else phys.values
    if not bound.axes:
        return _single(values)
    points = found.axes if phys is None else phys.axes
    axes = tuple(
        Axis(_axis_name(axis), np.asarray(values_), "" if raw else axis.unit)
        for axis, values_ in zip(bound.axes, points, strict=True)
    )
    return Table(bound.name, np.asarray(values), axes, "" if raw else bound.unit)


def _axis_name(axis: Any) -> str:
    name: str = axis.input_quantity or (axis.shared.name if axis.shared is not None else "")
    return "" if name == "NO_INPUT_QUANTITY" else name


def _as_raw(bound: Bound) -> Any:
    """The same object without conversion, limited only by its type."""
    if isinstance(bound, AxisPoints):
        return replace(bound, conversion=Conversion(), unit="", lower=-np.inf, upper=np.inf)
    lower, upper = bound.datatype.limits
    if bound.bits is not None:
        lower, upper = -np.inf, np.inf
    return replace(bound, conversion=Conversion(), unit="", lower=lower, upper=upper)


@dataclass(frozen=True, slots=True)
class WritePlan:
    """A write that was checked and not sent yet.

    Attributes:
        bound: the object, pointers resolved.
        before: value before.
        wanted: value to write, of the cell when one is written.
        size: number of values of the parameter, or 1 for a cell.
        at: the cell from 0, or None.
        raw: values are ECU values.
        writes: bytes by address.
    """

    bound: Bound
    before: Any
    wanted: Any
    size: int
    at: tuple[int, ...] | None
    raw: bool
    writes: list[tuple[Address, bytes]]


def plan_write(
    bound: Bound, value: Any, *, at: tuple[int, ...] | None, raw: bool, read: Read
) -> WritePlan:
    """Check a value and work out what to write; nothing is sent.

    Args:
        bound: the object.
        value: physical, or raw.
        at: one cell, None = everything.
        raw: the value is an ECU value.
        read: gives bytes for an address and a size.

    Raises:
        LimitError: outside of its limits.
        UsageError: wrong shape or kind, or read-only.
    """
    if not bound.writable:
        raise UsageError(
            f"{bound.name}: the description says that it is read-only.",
            hint="Write the parameters that it depends on.",
        )
    bound = bound.resolve(read)
    target = _as_raw(bound) if raw else bound
    _refuse_early(target, value, at)
    once = cache(read)  # what was read for the value before serves the cell as well
    before = read_value(bound, once, raw=raw)
    wanted, size, at = _wanted(bound, value, before, at)
    try:
        if at is not None:
            writes = _encode_cell(bound, target, wanted, at, once)
        elif raw and getattr(bound, "type", "") in ("AXIS_PTS", "ASCII"):
            writes = bound.encode_raw(wanted, read=read)
        else:
            writes = _encode(target, wanted, read)
    except UsageError as error:
        rule = getattr(bound.conversion, "name", "")
        if type(error) is UsageError and rule and error.message.startswith(f"{rule}: "):
            raise _named(bound, error) from None
        raise
    return WritePlan(bound, before, wanted, size, at, raw, writes)


def carry_out(
    plan: WritePlan, *, verify: bool, read: Read, write: Write, ag: int = 1
) -> WriteResult:
    """Write what a plan changes, read it back.

    Args:
        plan: what to write.
        verify: read back and compare.
        read: gives bytes for an address and a size.
        write: takes whole address units.
        ag: bytes per address unit.

    Raises:
        IntegrityError: the ECU holds something else than was written.
    """
    bound, before, at = plan.bound, plan.before, plan.at
    sent = _send_changes(plan.writes, lcm(_element_size(bound), ag), ag, read, write)
    if verify:
        _verify(bound.name, plan.writes, read)
    after = read_value(bound, read, raw=plan.raw)
    notes = _notes(bound, plan.wanted, _cell(after, at))
    if at is not None:
        before, after = _cell(before, at), _cell(after, at)
    changed = _changed(before, after)
    return WriteResult(bound.name, before, after, sent, changed, plan.size, notes, verified=verify)


def write_value(  # noqa: PLR0913  # options by name
    bound: Bound,
    value: Any,
    *,
    at: tuple[int, ...] | None,
    raw: bool,
    verify: bool,
    read: Read,
    write: Write,
    ag: int = 1,
) -> WriteResult:
    """Check a value, write what it changes, read it back; see :func:`plan_write`, :func:`carry_out`.

    Raises:
        LimitError: outside of its limits; nothing was sent.
        UsageError: wrong shape or kind, or read-only; nothing was sent.
        IntegrityError: the ECU holds something else than was written.
    """
    plan = plan_write(bound, value, at=at, raw=raw, read=read)
    return carry_out(plan, verify=verify, read=read, write=write, ag=ag)


def _refuse_early(target: Any, value: Any, at: tuple[int, ...] | None) -> None:
    """Refuse a number outside of its limits before anything is sent, reading included.

    Tables and texts are judged beside what is in memory now, which decides about their size.
    """
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    is_text = (
        getattr(target, "type", "") == "ASCII" and at is None
    ) or target.conversion.kind == "verbal"
    if is_number and not is_text:
        cell = "".join(f"[{index}]" for index in at or ())
        phys = np.asarray(value, dtype=float)
        check_limits(target.name + cell, phys, target.lower, target.upper, target.unit)


def _encode(target: Any, wanted: Any, read: Read) -> list[tuple[Address, bytes]]:
    if isinstance(target, AxisPoints):
        return target.encode(wanted, read=read)
    if isinstance(target, BoundMeasurement):
        return target.encode(wanted, current=read(target.address, target.size_bytes))
    writes: list[tuple[Address, bytes]] = target.encode(wanted, read=read)
    return writes


def _encode_cell(
    bound: Bound, target: Any, value: Any, at: tuple[int, ...], read: Read
) -> list[tuple[Address, bytes]]:
    """Writes that change one cell; the raw values of all others stay what they are.

    Converting the others there and back would move those that share a physical value, as the
    numbers inside one range of COMPU_VTAB_RANGE.
    """
    now = np.asarray(_values_of(read_value(bound, read, raw=True)))
    _refuse_rail(bound, at, now.shape)
    rule = target.conversion
    if isinstance(bound, AxisPoints):
        raw = rule.to_raw(value)
        check_limits(bound.name, np.asarray(rule.to_numbers(raw)), target.lower, target.upper)
        if now.dtype.kind in "iu":  # rounded here, so that the other points stay whole numbers
            wide = DataType.A_UINT64 if now.dtype.kind == "u" else DataType.A_INT64
            raw = round_to(raw, wide, name=bound.name)
    else:
        raw = target.phys_to_raw(value).raw
    whole = now.astype(object) if now.dtype.kind in "iu" else now.copy()
    whole[at] = np.asarray(raw).item()
    return bound.encode_raw(whole if _whole_numbers(whole) else whole.astype(float), read=read)


def _whole_numbers(values: Any) -> bool:
    return values.dtype.kind != "O" or all(type(v) is int for v in values.ravel().tolist())


def _refuse_rail(bound: Bound, at: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Refuse an outermost cell of what has GUARD_RAILS."""
    if not getattr(bound, "guard_rails", False) or not (
        isinstance(bound, AxisPoints) or bound.axes  # type: ignore[union-attr]
    ):
        return
    if any(n > MIN_GUARDED and i in (0, n - 1) for i, n in zip(at, shape, strict=True)):
        raise UsageError(
            f"{bound.name}{list(at)}: it is a guard rail, which is not for adjustment.",
            hint="Outermost points stay; outermost values follow their neighbours.",
        )


def _named(bound: Bound, error: UsageError) -> UsageError:
    """The error of a conversion rule, with the name of the object in front."""
    return UsageError(f"{bound.name}: {error.message.partition(': ')[2]}", hint=error.hint)


def _values_of(value: Any) -> Any:
    return value.values if isinstance(value, Table) else value


def _cell(value: Any, at: tuple[int, ...] | None) -> Any:
    return value if at is None else plain(np.asarray(_values_of(value))[at])


def _whole(bound: Bound, value: Any, now: Any) -> tuple[Any, int]:
    """A value for the whole object, flat lists shaped, and how many values it has."""
    given = _values_of(value)
    if isinstance(given, str) or not isinstance(now, np.ndarray):
        count = 1 if isinstance(given, str) else np.size(np.asarray(given, dtype=object))
        if not isinstance(now, str) and count != 1:
            raise UsageError(f"{bound.name}: one value is needed, {count} were given.")
        return given, 1
    if isinstance(given, list | tuple):
        try:
            flat = np.asarray(given, dtype=object if _has_text(given) else None)
        except ValueError:
            raise UsageError(
                f"{bound.name}: the rows have different lengths.",
                hint="Give as many values in every row as there are columns.",
            ) from None
        if flat.ndim == 1 and flat.size == now.size:
            given = flat.reshape(now.shape)
    count = np.size(np.asarray(given, dtype=object))
    if count != now.size:
        form = f" ({' × '.join(map(str, now.shape))})" if now.ndim > 1 else ""
        noun = "value was" if count == 1 else "values were"
        raise UsageError(
            f"{bound.name}: {now.size} values{form} are needed, {count} {noun} given.",
            hint="Give all of them row by row, or one cell by its indices.",
        )
    return given, now.size


def _wanted(
    bound: Bound, value: Any, before: Any, at: tuple[int, ...] | None
) -> tuple[Any, int, tuple[int, ...] | None]:
    """The value to write, how many values the caller meant, and the cell from 0."""
    now = _values_of(before)
    if at is None:
        return *_whole(bound, value, now), None
    if not isinstance(now, np.ndarray):
        raise UsageError(f"{bound.name}: it is a single value and has no cells.")
    if len(at) != now.ndim or any(not -n <= i < n for i, n in zip(at, now.shape, strict=False)):
        raise UsageError(
            f"{bound.name}: no cell {list(at)} in shape {list(now.shape)}.",
            hint="Cells count from 0, rows (Y) first.",
        )
    if np.ndim(value) != 0:
        raise UsageError(f"{bound.name}: a cell takes one value, not {value!r}.")
    return value, 1, tuple(i % n for i, n in zip(at, now.shape, strict=True))


def _has_text(values: Any) -> bool:
    return any(isinstance(v, str) for v in values)


def _element_size(bound: Bound) -> int:
    return 1 if isinstance(bound, AxisPoints) else bound.datatype.size_bytes


def _send_changes(
    writes: list[tuple[Address, bytes]], unit: int, ag: int, read: Read, write: Write
) -> int:
    """Send each run of changed units, whole elements and whole addresses; gives the bytes sent.

    A value that fills its last address only in part keeps what lies beside it.
    """
    sent = 0
    for address, data in writes:
        now = read(address, -(-len(data) // ag) * ag)
        wanted = data + now[len(data) :]
        for begin, end in changed_runs(now, wanted, unit):
            write(address + begin // ag, wanted[begin:end])
            sent += end - begin
    return sent


def _verify(name: str, writes: list[tuple[Address, bytes]], read: Read) -> None:
    for address, data in writes:
        found = read(address, len(data))
        if found != data:
            raise IntegrityError(
                f"{name}: read back at {address}",
                expected=data.hex(),
                actual=found.hex(),
                hint="The ECU changed it or did not take it; check page and access rights.",
            )


def _changed(before: Any, after: Any) -> int:
    old, new = _values_of(before), _values_of(after)
    if isinstance(new, np.ndarray):
        return int(np.sum(old != new)) if np.shape(old) == new.shape else new.size
    return int(old != new)


def _differences(
    bound: Bound, asked: NDArray[np.float64], held: NDArray[np.float64]
) -> Iterator[Diagnostic]:
    """Where the ECU holds something else than was asked for: rounded, or kept by guard rails."""
    off = np.abs(asked - held)
    off = np.where(off > 1e-6 * np.maximum(np.abs(asked), np.abs(held)), off, 0.0)
    rails = np.zeros(off.shape, dtype=bool)
    if getattr(bound, "guard_rails", False) and off.ndim == len(bound.shape):
        inner = tuple(slice(1, -1) if n > MIN_GUARDED else slice(None) for n in off.shape)
        rails[...] = True
        rails[inner] = False
    for slug, where, text in (
        ("rounded", ~rails, "rounded to what the ECU can hold"),
        ("guard-rails", rails, "the outermost cells are guard rails, which nobody adjusts"),
    ):
        worst = float(np.max(off, where=where, initial=0.0))
        if worst:
            told = f"{bound.name}: {text}, by up to {worst:g}."
            yield Diagnostic(Severity.INFO, slug, Where(), told, subject=bound.name)


def _notes(bound: Bound, wanted: Any, after: Any) -> tuple[Diagnostic, ...]:
    """Say so when the ECU cannot hold exactly what was asked for, or normal limits are left."""
    notes: list[Diagnostic] = []
    try:
        asked = np.asarray(_values_of(wanted), dtype=float)
        held = np.asarray(_values_of(after), dtype=float)
    except (TypeError, ValueError):
        return ()
    if asked.shape == held.shape:
        notes.extend(_differences(bound, asked, held))
    lower, upper = getattr(bound, "soft_limits", (-np.inf, np.inf))
    weak = not (isinf(lower) and isinf(upper)) and (lower, upper) != (bound.lower, bound.upper)
    if weak and np.any((held < lower) | (held > upper)):
        text = f"{bound.name}: outside of its normal limits {lower:g} … {upper:g}."
        notes.append(Diagnostic(Severity.WARNING, "weak-limit", Where(), text, subject=bound.name))
    return tuple(notes)
