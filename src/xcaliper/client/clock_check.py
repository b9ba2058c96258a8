"""Whether the clock that stamps data is the one that a slave describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.core.diagnostics import Diagnostic, Severity, Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from xcaliper.core.samples import SampleBlock
    from xcaliper.daq.timeline import Timeline

__all__ = ["ClockCheck"]

#: Time of the host after which the rate is judged.
LONG_NS: Final = 5_000_000_000
#: Difference of the two that no host explains that takes data late.
LATE_NS: Final = 2_000_000_000
#: Part by which no clock drifts.
FAR_OFF: Final = 0.1


class ClockCheck:
    """Compares times of samples with the host's during one session.

    Args:
        timeline: of the samples; None = there are none.
    """

    def __init__(self, timeline: Timeline | None) -> None:
        self._timeline = timeline
        self._first: tuple[int, int] | None = None
        self._latest = (0, 0)

    def take(self, blocks: Sequence[SampleBlock], now_ns: int) -> None:
        """Samples have come, at a time of the host."""
        newest = max((int(block.t_ns[-1]) for block in blocks if len(block)), default=None)
        if newest is None:
            return
        if self._first is None:
            self._first = newest, now_ns
        self._latest = newest, now_ns

    def findings(self, name: str, moved: tuple[int, int] | None = None) -> Iterable[Diagnostic]:
        """What is odd, again and again.

        Args:
            name: of the slave.
            moved: when its clock was set and by how much, as :attr:`ClockFit.moved` of the readings.
        """
        timeline = self._timeline
        if timeline is None or timeline.clock is None:
            return
        if timeline.is_other_clock:
            yield _warning(
                "daq-other-clock",
                f"{name}: the timestamps are not of the clock that GET_DAQ_CLOCK shows.",
                "The axis begins when the first sample came, and goes on by the timestamps; the "
                "host's time is known by arrival only.",
            )
        if timeline.first_step is not None:
            at_ns, by_ns = timeline.first_step
            yield _warning(
                "daq-clock-set",
                f"{name}: its clock was set {_way(by_ns)} while it was measured, about "
                f"{at_ns * 1e-9:.1f} s behind the start.",
                "The step is taken out of the times of samples; the rows behind it are marked as gaps "
                "of reason 'clock'.",
            )
        elif moved is not None:
            at_ns, by_ns = moved
            yield _warning(
                "daq-clock-set",
                f"{name}: its clock was set {_way(by_ns)} or more while it was measured, "
                f"{at_ns * 1e-9:.1f} s behind the start at the latest.",
                "Timestamps alone do not show a step forward of less than a second: times of samples "
                "behind it are off by as much against those before.",
            )
        if self._first is None:
            return
        by_slave = self._latest[0] - self._first[0]
        by_host = self._latest[1] - self._first[1]
        off = abs(by_slave - by_host)
        if by_host > LONG_NS and off > max(LATE_NS, FAR_OFF * by_host):
            yield _warning(
                "daq-clock-rate",
                f"{name}: by its timestamps {by_slave * 1e-9:.1f} s have passed, by the host's "
                f"clock {by_host * 1e-9:.1f} s.",
                "The slave counts other ticks than it says (TIMESTAMP_UNIT, TIMESTAMP_TICKS), and "
                "times of samples are off as much.",
            )


def _way(by_ns: int) -> str:
    return f"{'forward' if by_ns > 0 else 'back'} by {abs(by_ns) * 1e-9:.3f} s"


def _warning(slug: str, text: str, hint: str) -> Diagnostic:
    return Diagnostic(Severity.WARNING, slug, Where(), text, hint, subject="DAQ")
