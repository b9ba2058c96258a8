"""Sample blocks: rows of one event channel; a column is a strided view of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from xcaliper.core.errors import NotFoundError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Gap", "SampleBlock"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that are missing between two rows.

    Attributes:
        before_row: index of the first row behind the gap, in the block that carries it; its length
            where the gap lies behind the last row.
        t_from_ns: time of the last sample before the gap.
        t_to_ns: time of the first sample behind it; at the end of a measurement, of its last sample.
        lost: number of lost samples, or of lost messages when only those are known; 0 = unknown.
        reason: ``counter``, ``sequence``, ``overload``, ``unknown``, ``queue``, ``reconnect``, ``stopped``
            where the list was told to pause, or ``clock`` where nothing is missing but the slave's clock
            went back or was set.
    """

    before_row: int
    t_from_ns: int
    t_to_ns: int
    lost: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no single truth
class SampleBlock:
    """Consecutive samples of one event channel.

    Attributes:
        raster: index of the raster (DAQ event) in its measurement.
        t_ns: int64[n], time since the start of the measurement on the slave's clock.
        rows: structured[n], raw values in the ECU's byte order; one field per signal.
        gaps: losses inside or just before the block.
    """

    raster: int
    t_ns: NDArray[np.int64]
    rows: NDArray[Any]
    gaps: tuple[Gap, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.t_ns)

    def part(self, start: int, stop: int) -> SampleBlock:
        """Rows ``start`` to before ``stop`` as views, with the gaps inside or just before them.

        The parts of a block have each of its gaps once: one that lies behind the last row goes
        with the last row.
        """
        count = len(self)
        if start <= 0 and stop >= count:
            return self
        start, stop = max(start, 0), min(stop, count)
        last = stop == count and start < stop
        gaps = tuple(
            replace(gap, before_row=max(gap.before_row, 0) - start)
            for gap in self.gaps
            if start <= max(gap.before_row, 0) < stop or (last and gap.before_row >= count)
        )
        return SampleBlock(self.raster, self.t_ns[start:stop], self.rows[start:stop], gaps)

    def column(self, name: str) -> NDArray[Any]:
        """Raw values of one signal, array[n] or array[n, *shape], a view without copy.

        Raises:
            NotFoundError: the block has no such signal.
        """
        if name not in (self.rows.dtype.names or ()):
            raise NotFoundError(name, kind="signal in the block")
        column: NDArray[Any] = self.rows[name]
        return column
