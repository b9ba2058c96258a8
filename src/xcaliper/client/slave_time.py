"""Clocks of the slaves of a measurement: read now and then, correlated, brought onto one axis."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import XcaliperError
from xcaliper.daq.correlation import HOST, Correlator, MonotoneAxis, common_axis
from xcaliper.xcp.procedures.clock import read_clocks, sample_of_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from xcaliper.client.acquisition import Acquisition
    from xcaliper.client.daq_port import DaqPort
    from xcaliper.core.samples import SampleBlock
    from xcaliper.daq.correlation import Correlation
    from xcaliper.daq.decode import DaqDecoder
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.procedures.clock import ClockProperties

__all__ = ["SharedAxis", "SlaveTime", "axis_error_ns", "share_axis"]

#: Readings before the start, so that there is a correlation from the first sample on.
FIRST_READINGS: Final = 8
#: (seconds since the start, seconds between groups of readings): often at first, then rarely.
PACE: Final = ((10.0, 1.0), (60.0, 2.5), (float("inf"), 10.0))
#: Readings of a group, one right after the other: waking up for one costs more than the others, and
#: among answers of nearly one instant the quickest tells most.
GROUP: Final = 20
#: Pause before the rest of a group of which an answer was lost, seconds.
REST_S: Final = 0.1
#: Readings in a row without an answer, refused or lost, before the slave is asked less and less.
FEW_MISSES: Final = 3
#: Longest pause of readings then, seconds.
LONGEST_PAUSE_S: Final = 60.0
_TIMEOUT_S: Final = 1.0
#: After so long a group ends for now: on a slow link others want to be served, too.
LONGEST_GROUP_NS: Final = 200_000_000
#: One answer; a lost one shall not keep the link from other commands for long.
ANSWER_NS: Final = 200_000_000
#: Counters of multicasts repeat after 256.
_MAX_SENT: Final = 128


class SlaveTime:
    """What is known of the time of one slave during one session.

    Args:
        port: of the slave.
        decoder: whose time axis is correlated.
        properties: what the slave says about its clocks; None = legacy.

    Attributes:
        correlator: everything that is known.
    """

    def __init__(
        self, port: DaqPort, decoder: DaqDecoder, properties: ClockProperties | None
    ) -> None:
        self.correlator = Correlator(decoder.timeline, properties)
        self._port = port
        self._has_clock = decoder.plan.clock is not None
        self._missed = self._left = 0
        self._sent: dict[int, int] = {}
        self._begin_ns = self._due_ns = time.monotonic_ns()

    def begin(self) -> None:
        """Read the clock a few times; bounded by the time-out of one command."""
        if self._wants_reading:
            self._read(FIRST_READINGS)

    @property
    def _wants_reading(self) -> bool:
        return self._has_clock and self.correlator.needs_reading

    def rest_s(self, now_ns: int) -> float:
        """Seconds until the next reading is due; without end where none is wanted."""
        return (self._due_ns - now_ns) * 1e-9 if self._wants_reading else float("inf")

    def tick(self, now_ns: int) -> bool:
        """Read when it is time; True when something new is known."""
        if now_ns < self._due_ns or not self._wants_reading:
            return False
        since_s = (now_ns - self._begin_ns) * 1e-9
        pause_s = next(gap for until, gap in PACE if since_s < until)
        if self._missed >= FEW_MISSES:
            pause_s = max(pause_s, min(2.0 ** (self._missed - FEW_MISSES), LONGEST_PAUSE_S))
        wanted = self._left or GROUP
        taken = self._read(wanted)
        self._left = wanted - taken
        if self._left and self._missed < FEW_MISSES:
            pause_s = REST_S
        self._due_ns = now_ns + int(pause_s * 1e9)
        return taken > 0

    def _read(self, count: int) -> int:
        """Read up to so many times while nobody else drives the link.

        It ends early with a lost answer, or when it takes too long.

        Returns:
            The number of readings.
        """
        taken = 0

        def procedure() -> Procedure[None]:
            nonlocal taken
            until_ns = time.monotonic_ns() + LONGEST_GROUP_NS
            while taken < count and time.monotonic_ns() < until_ns:
                sample = yield from read_clocks(time.monotonic_ns, timeout_ns=ANSWER_NS)
                if sample is None:
                    return
                self.correlator.add(sample)
                taken += 1

        with suppress(XcaliperError):  # whoever watches the slave finds out why
            self._port.connection.link.run(procedure(), _TIMEOUT_S)
        self._missed = 0 if taken else self._missed + 1
        return taken

    def take_events(self, events: Iterable[Any]) -> bool:
        """Use what the slave told by EV_TIME_SYNC; True when something new is known."""
        fresh = False
        for event in events:
            sample = sample_of_event(event.content, event.t_ns)
            if sample is not None:
                if sample.cluster is not None:
                    sent_ns = self._sent.get(sample.cluster[1])
                    if sent_ns is not None and sent_ns <= sample.received_ns:
                        sample = sample.since(sent_ns)
                self.correlator.add(sample)
                fresh = True
        return fresh

    def multicast_sent(self, counter: int, sent_ns: int) -> None:
        """A GET_DAQ_CLOCK_MULTICAST of this host left at a time; its event bounds the reading."""
        self._sent[counter] = sent_ns
        while len(self._sent) > _MAX_SENT:
            del self._sent[next(iter(self._sent))]

    def take_blocks(self, blocks: Sequence[SampleBlock], now_ns: int) -> None:
        """Where no clock can be read, arrival has to do."""
        if self._has_clock and not self._missed and self.correlator.needs_reading:
            return
        newest = max((int(block.t_ns[-1]) for block in blocks if len(block)), default=None)
        if newest is not None:
            self.correlator.add_arrival(newest, now_ns)


class SharedAxis:
    """Times of one slave → times since the start of a measurement of several.

    Args:
        is_host: the axis is the host's clock, else a grandmaster's.
        begin_ns: the axis at the measurement's time 0.
        first: the line to begin with.
    """

    def __init__(self, first: Correlation, begin_ns: int, *, is_host: bool) -> None:
        self._is_host = is_host
        self._begin_ns = begin_ns
        self._axis = MonotoneAxis()
        self._axis.follow(first)
        self._lock = threading.Lock()

    def restart(self, correlator: Correlator) -> None:
        """The slave's own time began anew; the axis goes on."""
        with self._lock:
            self._axis = MonotoneAxis()
            line = self._line(correlator)
            if line is not None:
                self._axis.follow(line)

    def follow(self, correlator: Correlator) -> None:
        """More is known."""
        line = self._line(correlator)
        if line is not None:
            with self._lock:
                self._axis.follow(line)

    def _line(self, correlator: Correlator) -> Correlation | None:
        return correlator.to_host() if self._is_host else correlator.to_grandmaster()

    def place(self, t_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Times of samples on the axis of the measurement, int64[n]."""
        with self._lock:
            return self._axis.correlate(t_ns) - self._begin_ns


def share_axis(acquisitions: Sequence[Acquisition]) -> int | None:
    """Give all slaves one axis; gives the host's time of its 0.

    A grandmaster that all of them know is better than the host's clock.

    Returns:
        None where a slave has told nothing yet; the host's times of their starts have to do then.
    """
    correlators = [one.correlator for one in acquisitions]
    if any(one is None for one in correlators):
        return None
    known = [one for one in correlators if one is not None]
    try:
        lines, _ = common_axis(known)
    except ValueError:
        return None
    begin_ns = min(line.offset_ns for line in lines)
    is_host = lines[0].axis == HOST
    for one, line in zip(acquisitions, lines, strict=True):
        one.axis = SharedAxis(line, begin_ns, is_host=is_host)
    host = known[0].to_host()
    if is_host or host is None:
        return begin_ns
    return begin_ns - (lines[0].offset_ns - host.offset_ns)


def axis_error_ns(acquisitions: Sequence[Acquisition]) -> int | None:
    """How far two samples of one instant may lie apart, ns; None when nobody knows."""
    known = [one.correlator for one in acquisitions if one.correlator is not None]
    if len(known) < 2 or len(known) < len(acquisitions):
        return None
    try:
        return common_axis(known)[1]
    except ValueError:
        return None
