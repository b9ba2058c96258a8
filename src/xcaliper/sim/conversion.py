"""Conversions of declared quantities: raw ↔ physical, with unit and display format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Conversion", "Enum", "Formula", "Identical", "Linear", "RatFunc", "TableInterpolated"]

_Floats: TypeAlias = NDArray[np.float64]


def _floats(values: ArrayLike) -> _Floats:
    return np.asarray(values, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Identical:
    """phys = raw (ASAP2, IDENTICAL, 1.6)."""

    unit: str = ""
    format: str = "%8.3"

    @property
    def linear(self) -> tuple[float, float] | None:
        """Factor and offset of phys = factor · raw + offset."""
        return 1.0, 0.0

    def to_raw(self, phys: ArrayLike) -> _Floats:
        """Unrounded raw values."""
        return _floats(phys)

    def to_phys(self, raw: ArrayLike) -> _Floats:
        """Physical values."""
        return _floats(raw)


@dataclass(frozen=True, slots=True)
class Linear:
    """phys = factor · raw + offset (ASAP2, LINEAR, 1.6)."""

    factor: float
    offset: float = 0.0
    unit: str = ""
    format: str = "%8.3"

    @property
    def linear(self) -> tuple[float, float] | None:
        """Factor and offset."""
        return self.factor, self.offset

    def to_raw(self, phys: ArrayLike) -> _Floats:
        """Unrounded raw values."""
        return (_floats(phys) - self.offset) / self.factor

    def to_phys(self, raw: ArrayLike) -> _Floats:
        """Physical values."""
        return self.factor * _floats(raw) + self.offset


@dataclass(frozen=True, slots=True)
class RatFunc:
    """raw = (b · phys + c) / (e · phys + f) (ASAP2, RAT_FUNC); covers lines and hyperbolas."""

    b: float
    c: float
    e: float
    f: float
    unit: str = ""
    format: str = "%8.3"

    @property
    def coeffs(self) -> tuple[float, float, float, float, float, float]:
        """The six numbers of COEFFS; the square terms are 0."""
        return 0.0, self.b, self.c, 0.0, self.e, self.f

    @property
    def linear(self) -> tuple[float, float] | None:
        """Factor and offset when the divisor is constant, else None."""
        if self.e or not self.b or not self.f:
            return None
        return self.f / self.b, -self.c / self.b

    def to_raw(self, phys: ArrayLike) -> _Floats:
        """Unrounded raw values; infinite where the divisor is 0."""
        x = _floats(phys)
        with np.errstate(divide="ignore", invalid="ignore"):
            raw: _Floats = (self.b * x + self.c) / (self.e * x + self.f)
        return raw

    def to_phys(self, raw: ArrayLike) -> _Floats:
        """Physical values; infinite where the divisor is 0."""
        y = _floats(raw)
        with np.errstate(divide="ignore", invalid="ignore"):
            phys: _Floats = (y * self.f - self.c) / (self.b - y * self.e)
        return phys


@dataclass(frozen=True, slots=True)
class TableInterpolated:
    """Pairs of raw and physical value, straight lines between them (ASAP2, TAB_INTP).

    Attributes:
        pairs: (raw, phys), both strictly monotonic, raw rising.
    """

    pairs: tuple[tuple[float, float], ...]
    unit: str = ""
    format: str = "%8.3"

    @property
    def linear(self) -> tuple[float, float] | None:
        """None: the rule is curved."""
        return None

    def to_raw(self, phys: ArrayLike) -> _Floats:
        """Unrounded raw values, clamped to the ends of the table."""
        rows = sorted(self.pairs, key=lambda pair: pair[1])
        found: _Floats = np.interp(_floats(phys), [p for _, p in rows], [r for r, _ in rows])
        return found

    def to_phys(self, raw: ArrayLike) -> _Floats:
        """Physical values, clamped to the ends of the table."""
        found: _Floats = np.interp(
            _floats(raw), [r for r, _ in self.pairs], [p for _, p in self.pairs]
        )
        return found


_ROOT: Final = "sqrt(X1)"
_FORMULAS: Final[dict[str, tuple[str, Callable[[Any], Any], Callable[[Any], Any]]]] = {
    "square": ("X1*X1", np.square, np.sqrt),
    "root": (_ROOT, np.sqrt, np.square),
}


@dataclass(frozen=True, slots=True)
class Formula:
    """phys as a formula of raw (ASAP2, FORM): ``square`` or ``root``."""

    kind: str
    unit: str = ""
    format: str = "%8.3"

    @property
    def linear(self) -> tuple[float, float] | None:
        """None: the rule is curved."""
        return None

    @property
    def text(self) -> str:
        """The formula as ASAP2 writes it, X1 being the raw value."""
        return _FORMULAS[self.kind][0]

    @property
    def inverse(self) -> str:
        """The inverse formula, X1 being the physical value."""
        return _FORMULAS["root" if self.kind == "square" else "square"][0]

    def to_raw(self, phys: ArrayLike) -> _Floats:
        """Unrounded raw values; physical values below 0 count as 0."""
        raw: _Floats = _FORMULAS[self.kind][2](np.fmax(_floats(phys), 0.0))
        return raw

    def to_phys(self, raw: ArrayLike) -> _Floats:
        """Physical values; raw values below 0 count as 0."""
        phys: _Floats = _FORMULAS[self.kind][1](np.fmax(_floats(raw), 0.0))
        return phys


@dataclass(frozen=True, slots=True)
class Enum:
    """Texts of raw values (ASAP2, TAB_VERB).

    Attributes:
        name: name of the table.
        texts: (raw, text), or (lowest raw, highest raw, text) in every row.
        default: text of all other values.
    """

    name: str
    texts: tuple[tuple[int, str], ...] | tuple[tuple[int, int, str], ...]
    default: str = ""
    format: str = "%3.0"

    @property
    def unit(self) -> str:
        """Texts have no unit."""
        return ""

    @property
    def linear(self) -> tuple[float, float] | None:
        """Codes are written as they are."""
        return 1.0, 0.0

    @property
    def is_ranges(self) -> bool:
        """True when each text stands for a range of values."""
        return any(len(row) == 3 for row in self.texts)

    def to_raw(self, phys: ArrayLike) -> _Floats:
        """The codes themselves."""
        return _floats(phys)

    def to_phys(self, raw: ArrayLike) -> _Floats:
        """The codes themselves."""
        return _floats(raw)


Conversion: TypeAlias = Identical | Linear | RatFunc | TableInterpolated | Formula | Enum
