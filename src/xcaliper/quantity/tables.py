"""Conversions that are tables: of numbers and of texts (ASAP2, COMPU_TAB, COMPU_VTAB, COMPU_VTAB_RANGE)."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from xcaliper.core.errors import UsageError
from xcaliper.quantity.conversion import Conversion, floats_of, is_text, numbers_of

__all__ = ["Interpolation", "Lookup", "Verbal"]

Array = NDArray[Any]
MAX_TEXTS: Final = 65_536


def _or_default(
    known: NDArray[np.bool_], values: Array, raw: Array, default: float | str | None
) -> Array:
    """Values where known; elsewhere the default, or the raw value when there is none."""
    if isinstance(default, str):
        out = values.astype(object)
        out[~known] = default
        return out
    return np.asarray(np.where(known, values, raw if default is None else default))


@dataclass(frozen=True, slots=True)
class Interpolation(Conversion):
    """Linear between neighbouring pairs, clamped outside unless there is a default (ASAP2, TAB_INTP).

    Attributes:
        raws: raw values, rising.
        physs: their physical values.
        default: what stands for values outside of the table; a number or a text.
    """

    raws: tuple[float, ...] = ()
    physs: tuple[float, ...] = ()
    default: float | str | None = None

    @property
    def kind(self) -> str:
        """``interpolation``."""
        return "interpolation"

    @property
    def linear(self) -> None:
        """Never."""
        return

    def forward(self, raw: Any) -> Array:
        """Interpolated values."""
        x = floats_of(raw)
        y = np.asarray(np.interp(x, self.raws, self.physs))
        if self.default is None:
            return y
        return _or_default((x >= self.raws[0]) & (x <= self.raws[-1]), y, x, self.default)

    def backward(self, phys: Any) -> Array:
        """Reverse interpolation; clamped to the ends, on a plateau the lowest raw value."""
        x = floats_of(numbers_of(phys, self.name))
        steps = np.diff(self.physs)
        if np.all(steps >= 0):
            physs, raws = np.asarray(self.physs), np.asarray(self.raws)
        elif np.all(steps <= 0):
            physs, raws = np.asarray(self.physs)[::-1], np.asarray(self.raws)[::-1]
        else:
            raise UsageError(
                f"conversion {self.name}: the table is not monotonic, there is no way back.",
                hint="Write the raw value.",
            )
        exact, first = np.unique(physs, return_index=True)
        last = np.append(first[1:], len(physs)) - 1
        lowest = np.minimum(raws[first], raws[last])
        # between two plateaus the line runs from the end of one to the start of the next
        out = np.asarray(np.interp(x, physs, raws))
        at = np.clip(np.searchsorted(exact, x), 0, len(exact) - 1)
        out = np.where(exact[at] == x, lowest[at], out)
        out = np.where(x < exact[0], lowest[0], out)
        return np.asarray(np.where(x > exact[-1], lowest[-1], out))

    def outside(self, phys: Any) -> NDArray[np.bool_]:
        """Where a physical value lies beyond the table."""
        x = floats_of(numbers_of(phys, self.name))
        return np.asarray((x < min(self.physs)) | (x > max(self.physs)))


@dataclass(frozen=True, slots=True)
class Lookup(Conversion):
    """Exact match of pairs (ASAP2, TAB_NOINTP); unknown values stay raw or take the default.

    Attributes:
        raws: raw values, rising.
        physs: their physical values.
        default: what stands for all other values; a number or a text.
    """

    raws: tuple[float, ...] = ()
    physs: tuple[float, ...] = ()
    default: float | str | None = None

    @property
    def kind(self) -> str:
        """``lookup``."""
        return "lookup"

    @property
    def linear(self) -> None:
        """Never."""
        return

    def forward(self, raw: Any) -> Array:
        """Matched values."""
        x = floats_of(raw)
        keys = np.asarray(self.raws)
        at = np.clip(np.searchsorted(keys, x), 0, len(keys) - 1)
        return _or_default(keys[at] == x, np.asarray(self.physs)[at], x, self.default)

    def backward(self, phys: Any) -> Array:
        """Matched values, the other way; the lowest raw value where several match."""
        x = floats_of(numbers_of(phys, self.name))
        keys, first = np.unique(np.asarray(self.physs, dtype=float), return_index=True)
        at = np.clip(np.searchsorted(keys, x), 0, len(keys) - 1)
        missing = keys[at] != x
        if missing.any():
            raise UsageError(
                f"conversion {self.name}: {x[missing].flat[0]:g} is not in the table.",
                hint=f"Use one of {', '.join(f'{p:g}' for p in self.physs[:12])}.",
            )
        return np.asarray(np.asarray(self.raws, dtype=float)[first[at]])


@dataclass(frozen=True, slots=True)
class Verbal(Conversion):
    """Texts of raw values or ranges (ASAP2, TAB_VERB, COMPU_VTAB_RANGE).

    A value on the border of two ranges that touch, as float inputs have it, belongs to the upper one.

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
        if not total <= MAX_TEXTS:
            return None
        found: dict[int, str] = {}
        for lo, hi, text in self.rows:
            for raw in range(int(np.ceil(lo)), int(np.floor(hi)) + 1):
                found.setdefault(raw, text)
        return found

    def text_array(self) -> Array:
        """Text of every row, object[n]."""
        texts = np.empty(len(self.rows), dtype=object)
        texts[:] = [text for _, _, text in self.rows]
        return texts

    def index(self, raw: Any) -> NDArray[np.intp]:
        """Row of every raw value, −1 where there is none."""
        given = np.asarray(raw)
        if not self.rows:
            return np.full(given.shape, -1, dtype=np.intp)
        low, high = self.rows[0][0], max(row[1] for row in self.rows)
        narrow = high - low < min(given.size, MAX_TEXTS) and max(-low, high) < 2**53
        if given.dtype.kind in "iu" and narrow:
            # many whole numbers over a narrow table: look each one up once
            first, last = int(np.floor(low)), int(np.ceil(high))
            known = np.append(self._search(np.arange(first, last + 1, dtype=float)), -1)
            inside = (given >= first) & (given <= last)
            at = np.where(inside, given, given.dtype.type(0)).astype(np.int64) - first
            return np.asarray(known[np.where(inside, at, len(known) - 1)])
        return self._search(floats_of(given))

    def _search(self, x: NDArray[np.float64]) -> NDArray[np.intp]:
        lows = np.asarray([row[0] for row in self.rows], dtype=float)
        highs = np.asarray([row[1] for row in self.rows], dtype=float)
        at = np.searchsorted(lows, x, side="right") - 1
        hit = (at >= 0) & (x <= highs[np.clip(at, 0, None)])
        found = np.where(hit, at, -1)
        if np.any(highs[:-1] > lows[1:]):
            # ranges inside of others: the narrower one was looked at, now the wider ones
            for row in range(len(self.rows) - 1, -1, -1):
                open_ = (found < 0) & (x >= lows[row]) & (x <= highs[row])
                found = np.where(open_, row, found)
        return found

    def forward(self, raw: Any) -> Array:
        """Texts as an object array; a value without text and default stays a number."""
        array = np.asarray(raw)
        row = self.index(array)
        found = (
            array.astype(object)
            if self.default is None
            else np.full(array.shape, self.default, object)
        )
        if self.rows:
            found = np.where(row >= 0, self.text_array()[np.clip(row, 0, None)], found)
        return np.asarray(found, dtype=object)

    def backward(self, phys: Any) -> Array:
        """Raw values of texts, the lower end for ranges; numbers are taken as raw values."""
        array = np.asarray(phys)
        if array.dtype.kind in "iufb":
            return array
        back: dict[str, float] = {}
        for lo, _, text in self.rows:
            back.setdefault(text, lo)
        texts = is_text(array)
        if not texts.any():
            return numbers_of(array, self.name)
        flat = array[texts].tolist()
        known = np.fromiter(map(back.__contains__, flat), bool, len(flat))
        if not known.all():
            self._refuse(flat[int(np.argmin(known))], back)
        raw = np.empty(array.shape, dtype=float)
        raw[texts] = np.fromiter(map(back.__getitem__, flat), float, len(flat))
        if not texts.all():
            raw[~texts] = floats_of(numbers_of(array[~texts], self.name))
        return raw

    def _refuse(self, text: str, back: Mapping[str, float]) -> None:
        nearest = get_close_matches(text, back, n=3)
        raise UsageError(
            f"{self.name}: {text!r} is not one of its texts.",
            hint=f"Use one of {', '.join(nearest or list(back)[:8])}.",
        )
