"""What went wrong in a measurement, counted and dated."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ["GapRecord", "Quality"]

MAX_RECORDS: Final = 1000
MAX_UNKNOWN_KEYS: Final = 32


class GapRecord(NamedTuple):
    """A gap, dated.

    Attributes:
        raster: name of the raster; empty when the gap concerns the link.
        t_from_ns: time of the last sample before the gap.
        t_to_ns: time of the first sample behind it.
        lost: samples or messages, 0 = unknown.
        reason: as in Gap.
    """

    raster: str
    t_from_ns: int
    t_to_ns: int
    lost: int
    reason: str


@dataclass(slots=True)
class Quality:
    """Counters of one measurement.

    Attributes:
        samples: rows delivered, all rasters.
        lost_messages: messages that the transport counter missed, each counted once.
        lost_samples: samples that the DTO counter missed beyond the messages missed there, or that a
            periodic raster lacks where the slave told of an overload, or DTOs of no planned list came.
        incomplete: cycles that were dropped because an ODT was missing, short or out of order.
        overloads: times the slave said that it had lost samples.
        unknown: DTOs of no planned list.
        malformed: DTOs shorter than planned, or of an ODT that the list does not have.
        late: DTOs that came after the end.
        backward: timestamps that went back inside a raster.
        unknown_keys: how often each unknown PID or list number came, the first few only.
        gaps: the latest gaps; older ones are only counted.
        gaps_total: all gaps.
    """

    samples: int = 0
    lost_messages: int = 0
    lost_samples: int = 0
    incomplete: int = 0
    overloads: int = 0
    unknown: int = 0
    malformed: int = 0
    late: int = 0
    backward: int = 0
    unknown_keys: dict[int, int] = field(default_factory=dict)
    gaps: deque[GapRecord] = field(default_factory=lambda: deque(maxlen=MAX_RECORDS))
    gaps_total: int = 0

    @property
    def is_clean(self) -> bool:
        """True when nothing was lost or odd."""
        return not any(value for name, value in self.counters().items() if name != "samples")

    def counters(self) -> dict[str, int]:
        """Every counter by its name."""
        return {
            "samples": self.samples,
            "lost_messages": self.lost_messages,
            "lost_samples": self.lost_samples,
            "incomplete": self.incomplete,
            "overloads": self.overloads,
            "unknown": self.unknown,
            "malformed": self.malformed,
            "late": self.late,
            "backward": self.backward,
        }

    def note_gap(self, record: GapRecord) -> None:
        """Remember a gap."""
        self.gaps.append(record)
        self.gaps_total += 1

    def note_unknown(self, key: int, count: int = 1) -> None:
        """Count DTOs of a PID or list number that nobody planned."""
        self.unknown += count
        if key in self.unknown_keys or len(self.unknown_keys) < MAX_UNKNOWN_KEYS:
            self.unknown_keys[key] = self.unknown_keys.get(key, 0) + count

    def summary(self) -> str:
        """One line for people: ``5000 samples, 3 messages lost``, only what is not zero."""
        words = (
            (self.lost_messages, "message lost", "messages lost"),
            (self.lost_samples, "sample lost", "samples lost"),
            (self.incomplete, "incomplete cycle", "incomplete cycles"),
            (self.overloads, "overload", "overloads"),
            (self.unknown, "unknown DTO", "unknown DTOs"),
            (self.malformed, "malformed DTO", "malformed DTOs"),
            (self.late, "late DTO", "late DTOs"),
            (self.backward, "backward timestamp", "backward timestamps"),
        )
        parts = [f"{self.samples} sample" + ("" if self.samples == 1 else "s")]
        parts += [f"{n} {one if n == 1 else many}" for n, one, many in words if n]
        if len(parts) == 1:
            parts.append("nothing lost")
        return ", ".join(parts)
