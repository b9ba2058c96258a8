"""COMPU_METHOD to vectorised raw ↔ physical conversion (ASAP2, COMPU_METHOD)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.compu import CompuMethod, CompuVtab, CompuVtabRange
from xcaliper.core.datatypes import DataType
from xcaliper.core.errors import LimitError, UsageError
from xcaliper.quantity.formula import Formula, compile_formula

__all__ = [
    "Conversion",
    "FormulaConversion",
    "Interpolation",
    "Linear",
    "Lookup",
    "Rational",
    "Verbal",
    "compile_conversion",
    "round_to",
]

Array = NDArray[Any]
MAX_TEXTS: Final = 65_536


@dataclass(frozen=True, slots=True)
class Conversion:
    """The identity, and the base of all conversions.

    Attributes:
        name: name of the COMPU_METHOD; empty for none.
        unit: unit to show.
        status: texts that stand for single raw values instead of a physical one.
    """

    name: str = ""
    unit: str = ""
    status: "Verbal | None" = field(default=None, kw_only=True)

    @property
    def kind(self) -> str:
        """``identical``, ``linear``, ``rational``, ``interpolation``, ``lookup``, ``verbal``, ``formula``."""
        return "identical"

    @property
    def linear(self) -> tuple[float, float] | None:
        """Factor and offset when phys = factor·raw + offset, else None."""
        return 1.0, 0.0

    @property
    def texts(self) -> Mapping[int, str] | None:
        """Text of every raw value, for verbal conversions of moderate size; else None."""
        return None

    def to_phys(self, raw: Any) -> Array:
        """Physical values of raw ones; whole numbers stay exact under the identity."""
        return np.asarray(raw)

    def to_raw(self, phys: Any) -> Array:
        """Raw values of physical ones, before rounding.

        Raises:
            UsageError: there is no way back, or a text is unknown.
        """
        return _numbers(phys, self.name)


def _numbers(phys: Any, name: str) -> Array:
    array = np.asarray(phys)
    if array.dtype.kind not in "iufb":
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            raise UsageError(
                f"{name or 'value'}: {str(phys)[:60]!r} is not a number.",
                hint="Give a number; this quantity has no texts.",
            ) from None
    return array


@dataclass(frozen=True, slots=True)
class Linear(Conversion):
    """phys = a·raw + b (ASAP2, LINEAR, 1.6)."""

    a: float = 1.0
    b: float = 0.0

    @property
    def kind(self) -> str:
        """``linear``."""
        return "linear"

    @property
    def linear(self) -> tuple[float, float]:
        """Factor and offset."""
        return self.a, self.b

    def to_phys(self, raw: Any) -> Array:
        """a·raw + b."""
        return np.asarray(raw, dtype=float) * self.a + self.b

    def to_raw(self, phys: Any) -> Array:
        """(phys − b) / a."""
        if self.a == 0:
            raise UsageError(
                f"conversion {self.name}: its factor is 0, there is no way back.",
                hint="Correct COEFFS_LINEAR.",
            )
        return (_numbers(phys, self.name).astype(float) - self.b) / self.a


@dataclass(frozen=True, slots=True)
class Rational(Conversion):
    """raw = (a·x² + b·x + c) / (d·x² + e·x + f) with x = phys (ASAP2, RAT_FUNC).

    Where two solutions exist, the one inside the limits is taken; where that does not decide,
    the physical value is not-a-number.
    """

    coeffs: tuple[float, float, float, float, float, float] = (0, 1, 0, 0, 0, 1)
    lower: float = -np.inf
    upper: float = np.inf

    @property
    def kind(self) -> str:
        """``rational``, or ``linear`` when it is one."""
        return "linear" if self.linear else "rational"

    @property
    def linear(self) -> tuple[float, float] | None:
        """Factor and offset of the everyday case 0 b c 0 0 f."""
        a, b, c, d, e, f = self.coeffs
        return (f / b, -c / b) if a == d == e == 0 and b != 0 else None

    def to_raw(self, phys: Any) -> Array:
        """The rational function itself."""
        a, b, c, d, e, f = self.coeffs
        x = _numbers(phys, self.name).astype(float)
        with np.errstate(all="ignore"):
            return np.asarray((a * x * x + b * x + c) / (d * x * x + e * x + f))

    def to_phys(self, raw: Any) -> Array:
        """The solution of the rational function for x."""
        a, b, c, d, e, f = self.coeffs
        y = np.asarray(raw, dtype=float)
        if self.linear:
            return np.asarray((f * y - c) / b + 0.0)
        qa, qb, qc = a - y * d, b - y * e, c - y * f
        with np.errstate(all="ignore"):
            straight = -qc / qb
            root = np.sqrt(qb * qb - 4 * qa * qc)
            # the form that does not cancel, for the second root
            q = -0.5 * (qb + np.where(qb < 0, -1.0, 1.0) * root)
            first = q / qa
            second = np.where(q == 0, first, qc / q)
        inside_first = (first >= self.lower) & (first <= self.upper)
        inside_second = (second >= self.lower) & (second <= self.upper)
        decided = np.where(inside_first & ~inside_second, first, np.nan)
        decided = np.where(inside_second & ~inside_first, second, decided)
        decided = np.where(first == second, first, decided)
        return np.asarray(np.where(qa == 0, straight, decided) + 0.0)


@dataclass(frozen=True, slots=True)
class Interpolation(Conversion):
    """Linear between neighbouring pairs, clamped outside unless there is a default (ASAP2, TAB_INTP)."""

    raws: tuple[float, ...] = ()
    physs: tuple[float, ...] = ()
    default: float | None = None

    @property
    def kind(self) -> str:
        """``interpolation``."""
        return "interpolation"

    @property
    def linear(self) -> None:
        """Never."""
        return

    def to_phys(self, raw: Any) -> Array:
        """Interpolated values."""
        x = np.asarray(raw, dtype=float)
        y = np.interp(x, self.raws, self.physs)
        if self.default is not None:
            y = np.where((x < self.raws[0]) | (x > self.raws[-1]), self.default, y)
        return np.asarray(y)

    def to_raw(self, phys: Any) -> Array:
        """Reverse interpolation."""
        steps = np.diff(self.physs)
        x = _numbers(phys, self.name).astype(float)
        if np.all(steps > 0):
            return np.asarray(np.interp(x, self.physs, self.raws))
        if np.all(steps < 0):
            return np.asarray(np.interp(x, self.physs[::-1], self.raws[::-1]))
        raise UsageError(
            f"conversion {self.name}: the table is not monotonic, there is no way back.",
            hint="Write the raw value.",
        )


@dataclass(frozen=True, slots=True)
class Lookup(Conversion):
    """Exact match of pairs (ASAP2, TAB_NOINTP); unknown values stay raw or take the default."""

    raws: tuple[float, ...] = ()
    physs: tuple[float, ...] = ()
    default: float | None = None

    @property
    def kind(self) -> str:
        """``lookup``."""
        return "lookup"

    @property
    def linear(self) -> None:
        """Never."""
        return

    def to_phys(self, raw: Any) -> Array:
        """Matched values."""
        x = np.asarray(raw, dtype=float)
        keys = np.asarray(self.raws)
        at = np.clip(np.searchsorted(keys, x), 0, len(keys) - 1)
        other = x if self.default is None else np.full(x.shape, self.default)
        return np.asarray(np.where(keys[at] == x, np.asarray(self.physs)[at], other))

    def to_raw(self, phys: Any) -> Array:
        """Matched values, the other way."""
        x = _numbers(phys, self.name).astype(float)
        back = {p: r for r, p in reversed(list(zip(self.raws, self.physs, strict=True)))}
        try:
            return np.asarray([back[v] for v in x.ravel().tolist()]).reshape(x.shape)
        except KeyError as missing:
            raise UsageError(
                f"conversion {self.name}: {missing.args[0]:g} is not in the table.",
                hint=f"Use one of {', '.join(f'{p:g}' for p in self.physs[:12])}.",
            ) from None


@dataclass(frozen=True, slots=True)
class Verbal(Conversion):
    """Texts of raw values or ranges (ASAP2, TAB_VERB, COMPU_VTAB_RANGE).

    Attributes:
        rows: lowest raw value, highest raw value, text; sorted, both ends belong to the range.
        default: text of every other value.
    """

    rows: tuple[tuple[float, float, str], ...] = ()
    default: str | None = None

    @property
    def kind(self) -> str:
        """``verbal``."""
        return "verbal"

    @property
    def linear(self) -> None:
        """Never."""
        return

    @property
    def texts(self) -> Mapping[int, str] | None:
        """Text of every whole raw value; None when there are too many."""
        total = sum(max(0.0, np.floor(hi) - np.ceil(lo) + 1) for lo, hi, _ in self.rows)
        if total > MAX_TEXTS:
            return None
        found: dict[int, str] = {}
        for lo, hi, text in self.rows:
            for raw in range(int(np.ceil(lo)), int(np.floor(hi)) + 1):
                found.setdefault(raw, text)
        return found

    def index(self, raw: Any) -> NDArray[np.intp]:
        """Row of every raw value, −1 where there is none."""
        x = np.asarray(raw, dtype=float)
        if not self.rows:
            return np.full(x.shape, -1, dtype=np.intp)
        lows = np.asarray([row[0] for row in self.rows])
        highs = np.asarray([row[1] for row in self.rows])
        at = np.searchsorted(lows, x, side="right") - 1
        hit = (at >= 0) & (x <= highs[np.clip(at, 0, None)])
        return np.where(hit, at, -1)

    def to_phys(self, raw: Any) -> Array:
        """Texts as an object array; a value without text and default stays a number."""
        array = np.asarray(raw)
        row = self.index(array)
        found = (
            array.astype(object)
            if self.default is None
            else np.full(array.shape, self.default, object)
        )
        if self.rows:
            texts = np.empty(len(self.rows), dtype=object)
            texts[:] = [text for _, _, text in self.rows]
            found = np.where(row >= 0, texts[np.clip(row, 0, None)], found)
        return np.asarray(found, dtype=object)

    def to_raw(self, phys: Any) -> Array:
        """Raw values of texts, the lower end for ranges; numbers are taken as raw values."""
        array = np.asarray(phys, dtype=object)
        back: dict[str, float] = {}
        for lo, _, text in self.rows:
            back.setdefault(text, lo)
        flat = [self._raw_of(v, back) for v in array.ravel().tolist()]
        return np.asarray(flat).reshape(array.shape)

    def _raw_of(self, value: Any, back: Mapping[str, float]) -> Any:
        if not isinstance(value, str):
            return _numbers(value, self.name).item()
        if value in back:
            return back[value]
        nearest = get_close_matches(value, back, n=3)
        raise UsageError(
            f"{self.name}: {value!r} is not one of its texts.",
            hint=f"Use one of {', '.join(nearest or list(back)[:8])}.",
        )


@dataclass(frozen=True, slots=True)
class FormulaConversion(Conversion):
    """phys = f(X1), raw = g(X1) when the description gives g (ASAP2, FORM)."""

    formula: Formula | None = None
    inverse: Formula | None = None

    @property
    def kind(self) -> str:
        """``formula``."""
        return "formula"

    @property
    def linear(self) -> None:
        """Never."""
        return

    def to_phys(self, raw: Any) -> Array:
        """Values of the formula."""
        assert self.formula is not None, "set by compile_conversion"
        x = np.asarray(raw, dtype=float)
        return np.asarray(np.broadcast_to(self.formula(x), x.shape))

    def to_raw(self, phys: Any) -> Array:
        """Values of the inverse formula."""
        if self.inverse is None:
            raise UsageError(
                f"conversion {self.name}: it has no FORMULA_INV, there is no way back.",
                hint="Write the raw value.",
            )
        x = _numbers(phys, self.name).astype(float)
        return np.asarray(np.broadcast_to(self.inverse(x), x.shape))


def round_to(values: Any, datatype: DataType, *, name: str = "") -> Array:
    """Raw values of a data type: rounded half away from zero, never wrapped.

    Args:
        values: raw values before rounding.
        datatype: type in memory.
        name: name for the message.

    Raises:
        LimitError: a value does not fit the type.
    """
    array = np.asarray(values)
    lower, upper = datatype.limits
    if not datatype.is_float and array.dtype.kind == "f":
        whole = np.trunc(array)
        array = whole + np.sign(array) * (np.abs(array - whole) >= 0.5)
    for value in array.ravel().tolist():
        if datatype.is_float and value in (np.inf, -np.inf):
            continue
        if not lower <= value <= upper and not (datatype.is_float and value != value):  # noqa: PLR0124
            raise LimitError(name or datatype.value, phys=value, lower=lower, upper=upper)
    return array.astype(datatype.dtype())


def compile_conversion(
    name: str,
    index: ModuleIndex,
    *,
    limits: tuple[float, float] = (-np.inf, np.inf),
    phys_unit: str | None = None,
    version: str = "1.71",
) -> Conversion:
    """The conversion of an object.

    Args:
        name: name of the COMPU_METHOD, or ``NO_COMPU_METHOD``.
        index: the module.
        limits: physical limits of the object; they decide between two solutions.
        phys_unit: unit of the object, which wins over that of the method.
        version: version of ASAP2, for formulas.

    Raises:
        UsageError: the method is missing or incomplete.
    """
    if name == "NO_COMPU_METHOD":
        return Conversion("", phys_unit or "")
    method: CompuMethod | None = index.find(name, "COMPU_METHOD")
    if method is None:
        raise UsageError(f"conversion {name}: it does not exist.", hint="Add the COMPU_METHOD.")
    unit = phys_unit or method.unit
    if not unit and method.ref_unit:
        reference = index.find(method.ref_unit, "UNIT")
        unit = reference.display if reference else ""
    common: dict[str, Any] = {"name": name, "unit": unit, "status": _status(method, index)}
    return _by_type(method, index, common, limits, version)


def _by_type(
    method: CompuMethod,
    index: ModuleIndex,
    common: dict[str, Any],
    limits: tuple[float, float],
    version: str,
) -> Conversion:
    kind = method.conversion_type
    if kind == "IDENTICAL":
        return Conversion(**common)
    if kind == "LINEAR" and method.coeffs_linear:
        return Linear(**common, a=method.coeffs_linear.a, b=method.coeffs_linear.b)
    if kind == "RAT_FUNC" and method.coeffs:
        c = method.coeffs
        if c.a == c.b == c.d == c.e == 0:
            raise _incomplete(method, "its COEFFS do not depend on the value")
        return Rational(
            **common, coeffs=(c.a, c.b, c.c, c.d, c.e, c.f), lower=limits[0], upper=limits[1]
        )
    if kind == "FORM" and method.formula:
        constants = _constants(index)
        inverse = method.formula.formula_inv
        return FormulaConversion(
            **common,
            formula=compile_formula(method.formula.fx, version=version, constants=constants),
            inverse=compile_formula(inverse, version=version, constants=constants)
            if inverse is not None
            else None,
        )
    if kind in ("TAB_INTP", "TAB_NOINTP", "TAB_VERB") and method.compu_tab_ref:
        return _table(method, index, common)
    raise _incomplete(method, f"{kind} lacks its parameters")


def _incomplete(method: CompuMethod, what: str) -> UsageError:
    return UsageError(
        f"conversion {method.name}: {what}.", hint="Correct the COMPU_METHOD, or use raw values."
    )


def _constants(index: ModuleIndex) -> dict[str, str]:
    mod_par = index.module.mod_par
    return {c.name: c.value for c in mod_par.system_constant} if mod_par else {}


def _table(method: CompuMethod, index: ModuleIndex, common: dict[str, Any]) -> Conversion:
    assert method.compu_tab_ref, "checked by the caller"
    table = index.find(method.compu_tab_ref, "COMPU_TAB", "COMPU_VTAB", "COMPU_VTAB_RANGE")
    if table is None:
        raise _incomplete(method, f"table {method.compu_tab_ref} does not exist")
    if isinstance(table, (CompuVtab, CompuVtabRange)):
        return _verbal(table, common)
    rows = sorted(table.pairs)
    if not rows:
        raise _incomplete(method, f"table {table.name} has no rows")
    raws, physs = zip(*rows, strict=True)
    default = table.default_value_numeric
    cls = Interpolation if method.conversion_type == "TAB_INTP" else Lookup
    return cls(**common, raws=raws, physs=physs, default=default)


def _verbal(table: CompuVtab | CompuVtabRange, common: dict[str, Any]) -> Verbal:
    rows: list[tuple[float, float, str]] = (
        [(raw, raw, text) for raw, text in table.pairs]
        if isinstance(table, CompuVtab)
        else list(table.triples)
    )
    rows.sort(key=lambda row: row[0])
    return Verbal(**common, rows=tuple(rows), default=table.default_value)


def _status(method: CompuMethod, index: ModuleIndex) -> Verbal | None:
    if not method.status_string_ref:
        return None
    table = index.find(method.status_string_ref, "COMPU_VTAB", "COMPU_VTAB_RANGE")
    return _verbal(table, {"name": table.name}) if table else None
