"""What arrived in a measurement and what did not: counters in all and per raster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xcaliper.client.block import ColumnRule
    from xcaliper.core.samples import SampleBlock

__all__ = ["Quality", "QueueState", "Track"]


@dataclass(frozen=True, slots=True)
class QueueState:
    """A bounded queue between two parts of a measurement.

    Attributes:
        name: whose: ``reader``, ``record`` and a path, or ``callback`` and a name.
        bytes: that wait now.
        max_bytes: that may wait.
        dropped: samples that found no room.
    """

    name: str
    bytes: int
    max_bytes: int
    dropped: int


@dataclass(frozen=True, slots=True)
class Quality:
    """What arrived and what did not, so far.

    Attributes:
        samples: rows of all events.
        lost: messages that the transport counter missed, and samples that the DTO counter missed beyond
            those.
        gaps: places where something is missing.
        incomplete: samples of which a part was missing.
        overloads: how often the slave said that it lost samples.
        unknown: packets that belong to no list of this measurement.
        dropped: samples that had to be dropped because their reader was too slow.
        malformed: packets shorter than planned, or of an ODT that the list does not have.
        late: packets that came after the end.
        backward: timestamps that went back.
        reconnects: how often a slave was found again after a loss of the link or a restart.
        silences: how often a cyclic event stopped although the slave still answered.
    """

    samples: int = 0
    lost: int = 0
    gaps: int = 0
    incomplete: int = 0
    overloads: int = 0
    unknown: int = 0
    dropped: int = 0
    malformed: int = 0
    late: int = 0
    backward: int = 0
    reconnects: int = 0
    silences: int = 0

    @property
    def oddities(self) -> str:
        """What else was not as it should be, in words: all but ``lost`` and ``gaps``; empty if nothing."""
        words = (
            (self.incomplete, "incomplete sample", "incomplete samples"),
            (self.dropped, "sample dropped by a slow reader", "samples dropped by slow readers"),
            (self.overloads, "overload of the ECU", "overloads of the ECU"),
            (self.unknown, "packet of an unknown list", "packets of unknown lists"),
            (self.malformed, "malformed packet", "malformed packets"),
            (self.late, "packet after the end", "packets after the end"),
            (self.backward, "timestamp that went back", "timestamps that went back"),
            (self.silences, "time without data", "times without data"),
            (self.reconnects, "reconnection", "reconnections"),
        )
        return ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in words if n)


class Track:
    """One raster as users see it, with its counters.

    Attributes:
        index: ``SampleBlock.raster`` on the axis of the measurement.
        name: unique in the measurement.
        kind: ``daq``, ``polling``, ``calculated``, or ``sent`` (to the slave, and how that went).
        source: label of the slave; empty when there is only one.
        event_channel: number of the event; None without one.
        cycle_ns: expected distance of two samples; None = not cyclic.
        dtype: of the rows.
        rules: column → how it reads.
    """

    __slots__ = (
        "cycle_ns", "dtype", "event_channel", "first_ns", "gaps", "index", "kind", "last_ns", "lost",
        "name", "rules", "samples", "source",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913  # one per attribute
        self,
        index: int,
        name: str,
        dtype: Any,
        rules: dict[str, ColumnRule],
        *,
        kind: str = "daq",
        source: str = "",
        event_channel: int | None = None,
        cycle_ns: int | None = None,
    ) -> None:
        self.index = index
        self.name = name
        self.kind = kind
        self.source = source
        self.event_channel = event_channel
        self.cycle_ns = cycle_ns
        self.dtype = dtype
        self.rules = rules
        self.samples = 0
        self.gaps = 0
        self.lost = 0
        self.first_ns = 0
        self.last_ns = 0

    @property
    def is_measured(self) -> bool:
        """True when its rows come from the slave."""
        return self.kind in ("daq", "polling")

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.rules)

    def count(self, block: SampleBlock) -> None:
        """Take a block into the counters."""
        if len(block):
            if not self.samples:
                self.first_ns = int(block.t_ns[0])
            self.last_ns = int(block.t_ns[-1])
        self.samples += len(block)
        self.gaps += len(block.gaps)
        self.lost += sum(gap.lost for gap in block.gaps)

    @property
    def rate_hz(self) -> float:
        """Samples per second, over the time from the first to the last one."""
        span = self.last_ns - self.first_ns
        return (self.samples - 1) * 1e9 / span if span > 0 else 0.0

    def summary(self) -> dict[str, Any]:
        """Counters, ready for JSON."""
        return {
            "event": self.name,
            "kind": self.kind,
            "source": self.source,
            "signals": len(self.rules),
            "samples": self.samples,
            "rate_hz": self.rate_hz,
            "lost": self.lost,
            "gaps": self.gaps,
        }
