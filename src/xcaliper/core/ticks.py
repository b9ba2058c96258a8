"""Time units of XCP and CCP, ticks to nanoseconds, unwrapping of counters."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UNIT_NS", "TickClock", "TickUnwrapper", "unit_ns"]

#: Unit code of timestamps and event cycles → nanoseconds (XCP Base, TIMESTAMP_MODE, 1.0; ps since 1.1).
UNIT_NS: Final[dict[int, Fraction]] = {
    **{code: Fraction(10**code) for code in range(10)},
    10: Fraction(1, 1000),
    11: Fraction(1, 100),
    12: Fraction(1, 10),
}

#: A wider counter has nothing to extend: it is as wide as the result.
_MAX_MODULUS: Final = 1 << 56


def unit_ns(code: int) -> Fraction:
    """Nanoseconds of one unit; codes above 0x0F carry the unit in the high nibble."""
    return UNIT_NS.get(code >> 4 if code > 0x0F else code, Fraction(0))


@dataclass(frozen=True, slots=True)
class TickClock:
    """Resolution and width of a clock.

    Attributes:
        ticks: units per increment (TIMESTAMP_TICKS).
        unit: unit code.
        size_bytes: width of the counter as transmitted.
    """

    ticks: int
    unit: int
    size_bytes: int

    @property
    def tick_ns(self) -> Fraction:
        """Length of one increment in nanoseconds."""
        return self.ticks * unit_ns(self.unit)

    @property
    def modulus(self) -> int:
        """Number of values before the counter wraps."""
        return 1 << (8 * self.size_bytes)


class TickUnwrapper:
    """Extends a wrapping counter to 64 bits.

    Steps forward of up to half the modulus are time going on; steps back of less than half are
    time going back (lists may deliver late).

    Args:
        modulus: number of values before the counter wraps; counters of 64 bits stay as they are.
    """

    def __init__(self, modulus: int) -> None:
        self._modulus = modulus
        self._last: int | None = None

    @property
    def last(self) -> int | None:
        """Latest extended value, None before the first."""
        return self._last

    def extend(self, ticks: NDArray[Any]) -> NDArray[np.int64]:
        """Extended counters of consecutive raw counters, int64[n]."""
        raw = ticks.astype(np.int64)
        if not len(raw):
            return raw
        if self._modulus > _MAX_MODULUS:
            self._last = int(raw[-1])
            return raw
        half = self._modulus // 2
        first = int(raw[0])
        if self._last is not None:
            first = self._last + half - (half - (first - self._last)) % self._modulus
        steps = half - (half - np.diff(raw)) % self._modulus
        out = np.empty(len(raw), np.int64)
        out[0] = first
        np.cumsum(steps, out=out[1:])
        out[1:] += first
        self._last = int(out[-1])
        return out
