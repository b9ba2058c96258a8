"""How long answers took: minimum, median, p99, maximum and a histogram, in bounded memory."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Durations"]

#: Latest durations that percentiles are taken of.
KEPT: Final = 1 << 16
#: Borders of the histogram in ns: five to a decade, from 1 µs to 10 s.
EDGES_NS: Final = np.unique(np.round(10 ** (np.arange(36) / 5 + 3)).astype(np.int64))
_WIDTH: Final = 40


class Durations:
    """Collects durations; one thread adds, others may read.

    Attributes:
        count: all there were.
        longest_ns: of all there were.
        shortest_ns: of all there were; 0 without any.
    """

    def __init__(self) -> None:
        self.count = 0
        self.longest_ns = 0
        self.shortest_ns = 0
        self._latest = array("q", bytes(8 * KEPT))  # quicker to write to than numpy
        self._bins = [0] * (len(EDGES_NS) + 1)
        self._edges = EDGES_NS.tolist()

    def add(self, duration_ns: int) -> None:
        """Note one."""
        self._latest[self.count % KEPT] = duration_ns
        self._bins[bisect_right(self._edges, duration_ns)] += 1
        if not self.count or duration_ns < self.shortest_ns:
            self.shortest_ns = duration_ns
        self.longest_ns = max(self.longest_ns, duration_ns)
        self.count += 1

    def latest_ns(self) -> NDArray[np.int64]:
        """The latest ones, int64[n], in no order."""
        return np.array(self._latest, np.int64)[: min(self.count, KEPT)]

    def percentile_ns(self, percent: float) -> float:
        """A percentile of the latest ones, ns; 0 without any."""
        latest = self.latest_ns()
        return float(np.percentile(latest, percent)) if len(latest) else 0.0

    def histogram(self) -> list[tuple[int, int, int]]:
        """(from ns, to ns, how many) of each bin that is not empty; the last bin has no end: -1."""
        edges = [0, *self._edges, -1]
        return [(edges[n], edges[n + 1], count) for n, count in enumerate(self._bins) if count]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON; times in seconds."""
        return {
            "count": self.count,
            "min_s": self.shortest_ns * 1e-9,
            "median_s": self.percentile_ns(50) * 1e-9,
            "p99_s": self.percentile_ns(99) * 1e-9,
            "max_s": self.longest_ns * 1e-9,
            "histogram": [
                {"from_s": low * 1e-9, "to_s": high * 1e-9 if high >= 0 else None, "count": count}
                for low, high, count in self.histogram()
            ],
        }

    def __str__(self) -> str:
        if not self.count:
            return "none"
        return (
            f"min {_time(self.shortest_ns)}, median {_time(self.percentile_ns(50))}, "
            f"p99 {_time(self.percentile_ns(99))}, max {_time(self.longest_ns)}"
        )

    def bars(self) -> str:
        """The histogram as text, a line per bin."""
        rows = self.histogram()
        most = max((count for _, _, count in rows), default=1)
        return "\n".join(
            f"{_time(low):>9} {'█' * max(1, round(count * _WIDTH / most))} {count}"
            for low, _, count in rows
        )


def _time(duration_ns: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(duration_ns) >= size:
            return f"{duration_ns / size:.3g} {unit}"
    return f"{duration_ns:.0f} ns"
