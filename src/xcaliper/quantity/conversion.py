"""Conversions that are arithmetic: identity, linear, rational and formulas (ASAP2, COMPU_METHOD)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import compress, repeat
from operator import is_
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from xcaliper.core.errors import UsageError
from xcaliper.quantity.formula import Formula

if TYPE_CHECKING:
    from xcaliper.quantity.tables import Verbal

__all__ = [
    "Conversion",
    "FormulaConversion",
    "Linear",
    "Rational",
    "floats_of",
    "is_text",
    "numbers_of",
]

Array = NDArray[Any]
MAX_BITS: Final = 1000
_IDENTITY: Final = (1.0, 0.0)


def numbers_of(phys: Any, name: str) -> Array:
    """An array of numbers.

    Raises:
        UsageError: something is not a number.
    """
    array = np.asarray(phys)
    if array.dtype.kind not in "iufb":
        flat = array.ravel().tolist()
        whole = list(map(is_, map(type, flat), repeat(int)))
        if any(whole) and max(map(int.bit_length, compress(flat, whole))) > MAX_BITS:
            raise UsageError(f"{name or 'value'}: the number is too large.", hint="Check it.")
        if array.dtype.kind == "O" and all(whole):
            return array
        try:
            with np.errstate(all="ignore"):
                array = array.astype(float)
        except (TypeError, ValueError):
            raise UsageError(
                f"{name or 'value'}: {str(_no_number(flat))[:60]!r} is not a number.",
                hint="Give a number; this quantity has no such text.",
            ) from None
    return array


def _no_number(flat: list[Any]) -> Any:
    """The first value that is no number."""
    for value in flat:
        try:
            float(value)
        except (TypeError, ValueError):
            return value
    return flat


def floats_of(values: Any) -> NDArray[np.float64]:
    """Float64 of the same shape; a signalling NaN of memory becomes a quiet one without a warning."""
    with np.errstate(all="ignore"):
        return np.asarray(values).astype(float)


def is_text(values: Array) -> NDArray[np.bool_]:
    """Where an array holds texts, bool of the same shape."""
    if values.dtype.kind in "US":
        return np.ones(values.shape, dtype=bool)
    if values.dtype.kind != "O":
        return np.zeros(values.shape, dtype=bool)
    every = list(map(type, values.ravel().tolist()))
    kinds = {kind for kind in set(every) if issubclass(kind, str)}
    flags = np.fromiter(map(kinds.__contains__, every), bool, len(every))
    return flags.reshape(values.shape)


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
        """Physical values of raw ones; whole numbers stay exact under the identity.

        Where a raw value has a status text, the array holds objects and the text stands in it.
        """
        found = self.forward(raw)
        return found if self.status is None else self._with_status(np.asarray(raw), found)

    def _with_status(self, raw: Array, phys: Array) -> Array:
        assert self.status is not None, "asked by the caller"
        row = self.status.index(raw)
        if not np.any(row >= 0):
            return phys
        out = phys.astype(object)
        out[row >= 0] = self.status.text_array()[row[row >= 0]]
        return out

    def to_numbers(self, raw: Any) -> Array:
        """Physical values as numbers, float; not-a-number where a text stands."""
        found = self.to_phys(raw)
        if found.dtype.kind != "O":
            return floats_of(found)
        return floats_of(np.where(is_text(found), np.nan, found))

    def to_raw(self, phys: Any) -> Array:
        """Raw values of physical ones, before rounding.

        A status text inside an array gives its raw value again, so that a table survives a change
        of other cells; on its own it is refused *(ASAP2, STATUS_STRING_REF, 1.6)*.

        Raises:
            UsageError: there is no way back, or a text is unknown.
        """
        if self.status is None:
            return self.backward(phys)
        given = np.asarray(phys)
        flags = self.status_flags(given)
        if not flags.any():
            return self.backward(phys)
        if given.ndim == 0:
            raise UsageError(
                f"{self.name}: {given.item()!r} is a status the ECU reports, not a value to write.",
                hint="Give a number.",
            )
        raw = np.zeros(given.shape, dtype=float)
        if not flags.all():
            rest = given[~flags]
            raw[~flags] = self.backward(rest)
        raw[flags] = self.status.backward(given[flags])
        return raw

    def status_flags(self, phys: Any) -> NDArray[np.bool_]:
        """Where physical values are status texts."""
        given = np.asarray(phys)
        texts = is_text(given)
        if self.status is None or not texts.any():
            return np.zeros(given.shape, dtype=bool)
        known = set(self.status.text_array().tolist())
        flat = given[texts].tolist()
        texts[texts] = np.fromiter(map(known.__contains__, flat), bool, len(flat))
        return texts

    def forward(self, raw: Any) -> Array:
        """Physical values without regard to status texts."""
        return np.asarray(raw)

    def backward(self, phys: Any) -> Array:
        """Raw values without regard to status texts.

        Raises:
            UsageError: there is no way back, or a text is unknown.
        """
        return numbers_of(phys, self.name)

    def outside(self, phys: Any) -> NDArray[np.bool_]:
        """Where the way back has to clamp because the rule ends before the value."""
        return np.zeros(np.shape(phys), dtype=bool)


def _exact(values: Array) -> bool:
    """Whole numbers that a float cannot hold: those of 64 bit."""
    return (values.dtype.kind in "iu" and values.dtype.itemsize == 8) or values.dtype.kind == "O"


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

    def forward(self, raw: Any) -> Array:
        """a·raw + b; whole numbers of 64 bit stay exact where that is the identity."""
        values = np.asarray(raw)
        if self.linear == _IDENTITY and _exact(values):
            return values
        with np.errstate(all="ignore"):
            return np.asarray(values.astype(float) * self.a + self.b)

    def backward(self, phys: Any) -> Array:
        """(phys − b) / a."""
        if self.a == 0:
            raise UsageError(
                f"conversion {self.name}: its factor is 0, there is no way back.",
                hint="Correct COEFFS_LINEAR.",
            )
        values = numbers_of(phys, self.name)
        if self.linear == _IDENTITY and _exact(values):
            return values
        with np.errstate(all="ignore"):
            return np.asarray((values.astype(float) - self.b) / self.a)


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

    def backward(self, phys: Any) -> Array:
        """The rational function itself."""
        a, b, c, d, e, f = self.coeffs
        given = numbers_of(phys, self.name)
        if self.linear == _IDENTITY and _exact(given):
            return given
        x = floats_of(given)
        with np.errstate(all="ignore"):
            return np.asarray((a * x * x + b * x + c) / (d * x * x + e * x + f))

    def forward(self, raw: Any) -> Array:
        """The solution of the rational function for x."""
        a, b, c, d, e, f = self.coeffs
        given = np.asarray(raw)
        if self.linear == _IDENTITY and _exact(given):
            return given
        y = floats_of(given)
        with np.errstate(all="ignore"):
            if self.linear:
                return np.asarray((f * y - c) / b + 0.0)
            qa, qb, qc = a - y * d, b - y * e, c - y * f
            straight = -qc / qb
            root = np.sqrt(qb * qb - 4 * qa * qc)
            # the form that does not cancel, for the second root
            q = -0.5 * (qb + np.where(qb < 0, -1.0, 1.0) * root)
            first = q / qa
            second = np.where(q == 0, first, qc / q)
            inside_first, inside_second = self._inside(first), self._inside(second)
        decided = np.where(inside_first & ~inside_second, first, np.nan)
        decided = np.where(inside_second & ~inside_first, second, decided)
        decided = np.where(first == second, first, decided)
        return np.asarray(np.where(qa == 0, straight, decided) + 0.0)

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        """Inside the limits; the last digits of the root are forgiven."""
        near = 1e-12 * np.abs(x)
        return np.asarray((x >= self.lower - near) & (x <= self.upper + near))


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

    def forward(self, raw: Any) -> Array:
        """Values of the formula."""
        assert self.formula is not None, "set by compile_conversion"
        x = floats_of(raw)
        return np.asarray(np.broadcast_to(self.formula(x), x.shape))

    def backward(self, phys: Any) -> Array:
        """Values of the inverse formula."""
        if self.inverse is None:
            raise UsageError(
                f"conversion {self.name}: it has no FORMULA_INV, there is no way back.",
                hint="Write the raw value.",
            )
        x = floats_of(numbers_of(phys, self.name))
        return np.asarray(np.broadcast_to(self.inverse(x), x.shape))
