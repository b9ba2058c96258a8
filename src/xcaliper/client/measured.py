"""What is asked of a measurement: blocks and frames of what it kept, counters and other facts."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from xcaliper.client import frames
from xcaliper.client.block import Block, ColumnRule, join_blocks
from xcaliper.client.quality import Quality, QueueState, Track
from xcaliper.client.slave_time import axis_error_ns
from xcaliper.client.waiting import Waiting, block_bytes
from xcaliper.core.errors import PlanError, UsageError, XcaliperError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xcaliper.client.acquisition import Acquisition
    from xcaliper.client.callbacks import Callback
    from xcaliper.client.recording import Output
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.core.samples import SampleBlock
    from xcaliper.daq.correlation import Correlation
    from xcaliper.daq.plan import DaqPlan

__all__ = ["MAX_KEPT_BYTES", "MAX_WAITING_BYTES", "RECORD_BYTES", "Measured"]

#: Blocks that nobody takes are dropped, oldest first and counted, beyond this size.
MAX_WAITING_BYTES: Final = 256 << 20
#: Blocks kept for frames are dropped, oldest first and counted, beyond this size.
MAX_KEPT_BYTES: Final = 512 << 20
#: Bytes that may wait for a recorder.
RECORD_BYTES: Final = 64 << 20


class Measured:
    """What a measurement took and counted; see :class:`~xcaliper.client.measurement.Measurement`.

    Args:
        acquisitions: one per slave.
        raw: blocks give raw values.
        keep: keep blocks for frames.
    """

    signals: Mapping[str, ColumnRule]

    def __init__(self, acquisitions: Sequence[Acquisition], *, raw: bool, keep: bool) -> None:
        self.acquisitions = tuple(acquisitions)
        self.recorders: list[Output] = []
        self.tracks: list[Track] = []
        self._recorder_names: list[str] = []
        self._raw = raw
        self._keep = keep
        self._failed_outputs: dict[int, XcaliperError] = {}
        self._waiting = Waiting(MAX_WAITING_BYTES)
        self._callbacks: list[Callback] = []
        self._kept: dict[int, deque[SampleBlock]] = {}
        self._kept_bytes = 0
        self._forgotten = 0
        self._started_ns = 0
        self._ended_ns = 0
        self._state = "new"

    # --- blocks ---

    def _block(self, samples: SampleBlock) -> Block:
        track = self.tracks[samples.raster]
        return Block(track.name, samples, track.rules, raw_only=self._raw)

    def _remember(self, samples: SampleBlock) -> None:
        self._kept.setdefault(samples.raster, deque()).append(samples)
        self._kept_bytes += block_bytes(samples)
        while self._kept_bytes > MAX_KEPT_BYTES:
            raster = max(self._kept, key=lambda at: sum(map(block_bytes, self._kept[at])))
            old = self._kept[raster].popleft()
            self._kept_bytes -= block_bytes(old)
            self._forgotten += len(old)

    def blocks(self) -> list[Block]:
        """Everything taken so far, one block per event; once it ended, everything measured.

        Raises:
            UsageError: nothing was kept, because of ``keep=False``.
        """
        if not self._keep:
            raise UsageError(
                "measurement: keep=False, so nothing that was measured is kept.",
                hint="Take blocks as they come, or measure with keep=True.",
            )
        if self._state == "ended":
            for samples in self._waiting.take():
                self._remember(samples)
        return [self._block(join_blocks(list(blocks))) for _, blocks in sorted(self._kept.items())]

    def gaps(self) -> dict[str, list[dict[str, Any]]]:
        """Event name → where samples are missing in :meth:`blocks`, in order; empty = nowhere.

        Of each: ``t_from`` and ``t_to``, seconds of the samples at its ends; ``lost``, how many are
        missing, 0 = unknown; ``reason``, such as ``counter``, ``overload``, ``reconnect`` or ``queue``.
        One behind the last sample of an event ends with the measurement.

        Raises:
            UsageError: nothing was kept, because of ``keep=False``.
        """
        return {block.event: frames.gap_rows(block) for block in self.blocks()}

    def to_pandas(self) -> dict[str, Any]:
        """Event name → DataFrame with the time in seconds as index; ``attrs["gaps"]`` as of :meth:`gaps`.

        Raises:
            UsageError: pandas is not installed.
        """
        return frames.to_pandas(self.blocks())

    def to_polars(self) -> dict[str, Any]:
        """Event name → DataFrame with a column ``t [s]``; :meth:`gaps` tells where samples are missing.

        Raises:
            UsageError: polars is not installed.
        """
        return frames.to_polars(self.blocks())

    def to_xarray(self) -> dict[str, Any]:
        """Event name → Dataset over ``t`` in seconds; arrays keep their shape, units are attributes.

        So are its gaps: their number in ``gaps``, and the fields of :meth:`gaps` as lists in
        ``gap_t_from``, ``gap_t_to``, ``gap_lost`` and ``gap_reason``.

        Raises:
            UsageError: xarray is not installed.
        """
        return frames.to_xarray(self.blocks())

    def plot(self, *names: str) -> Any:
        """Draw signals over time, one strip per unit, gaps left open; gives a matplotlib figure.

        Args:
            names: signals; without any all that have one number per sample, up to 16.

        Raises:
            NotFoundError: a signal was not measured.
            UsageError: there is nothing to draw; the measurement was made with ``keep=False``.
        """
        return frames.plot(self.blocks(), names, {n: self.unit(n) for n in self.signals})

    # --- facts ---

    @property
    def plan(self) -> DaqPlan:
        """What the slave was told to do; that of the first one where there are several."""
        return self.acquisitions[0].plan

    @property
    def plans(self) -> dict[str, DaqPlan]:
        """Label of the slave → what it was told to do."""
        return {one.label: one.plan for one in self.acquisitions}

    @property
    def rasters(self) -> tuple[Track, ...]:
        """One per event (and DAQ list), one for what is polled, one per calculated group."""
        return tuple(self.tracks)

    def unit(self, name: str) -> str:
        """Unit of a signal; empty for raw measurements."""
        return "" if self._raw else self.signals[name].unit

    def event_of(self, name: str) -> str:
        """Name of the raster that a signal is measured in.

        Raises:
            PlanError: no raster has it.
        """
        for track in self.tracks:
            if name in track.rules:
                return track.name
        raise PlanError("plan", (f"{name} is not measured",))

    @property
    def queues(self) -> tuple[QueueState, ...]:
        """Fill and losses of every bounded queue."""
        reader = self._waiting
        found = [QueueState("reader", reader.bytes, reader.max_bytes, reader.dropped)]
        for name, output in zip(self._recorder_names, self.recorders, strict=True):
            stats = output.stats
            found.append(
                QueueState(
                    f"record {name}", stats.queued_bytes, RECORD_BYTES, stats.dropped_samples
                )
            )
        for one in self._callbacks:
            queue = one.waiting
            found.append(
                QueueState(f"callback {one.name}", queue.bytes, queue.max_bytes, queue.dropped)
            )
        return tuple(found)

    @property
    def quality(self) -> Quality:
        """Counters so far."""
        counted: dict[str, int] = {}
        for one in self.acquisitions:
            for name, value in one.counters().items():
                counted[name] = counted.get(name, 0) + value
        return Quality(
            samples=sum(track.samples for track in self.tracks if track.is_measured),
            lost=counted["lost_messages"] + counted["lost_samples"],
            gaps=sum(track.gaps for track in self.tracks if track.is_measured),
            dropped=self._forgotten + sum(queue.dropped for queue in self.queues),
            reconnects=sum(one.reconnects for one in self.acquisitions),
            silences=sum(one.silences for one in self.acquisitions),
            **{
                name: counted[name]
                for name in (
                    "incomplete", "overloads", "unknown", "malformed", "late", "backward",
                )
            },
        )  # fmt: skip

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What was odd while measuring, each told once."""
        return tuple(found for one in self.acquisitions for found in one.diagnostics)

    @property
    def record_error(self) -> XcaliperError | None:
        """Why nothing is recorded any more; None while every wanted recording goes on."""
        return next(iter(self._failed_outputs.values()), None)

    @property
    def correlations(self) -> dict[str, Correlation | None]:
        """Label of the slave → how its time lies on the host's or a grandmaster's, as known now."""
        return {one.label: one.correlation for one in self.acquisitions}

    @property
    def correlation(self) -> Correlation | None:
        """How the time of the (first) slave lies on the host's or a grandmaster's clock.

        With one slave, times of blocks are what its ticks say; ``correlation.correlate(t_ns)`` gives
        the other axis.
        """
        return next(iter(self.correlations.values()))

    @property
    def axis_error_ns(self) -> int | None:
        """How far apart samples that several slaves took at one instant may lie; None = unknown."""
        return axis_error_ns(self.acquisitions)

    def _time_summary(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            label or "slave": one.properties() if one is not None else {}
            for label, one in self.correlations.items()
        }
        if len(self.acquisitions) > 1:
            found["axis_error_ns"] = self.axis_error_ns
        return found

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start; 0 before it, the length once it ended."""
        if not self._started_ns:
            return 0.0
        return ((self._ended_ns or time.monotonic_ns()) - self._started_ns) * 1e-9

    @property
    def now_ns(self) -> int:
        """Newest time on the axis of the samples."""
        return max((track.last_ns for track in self.tracks), default=0)

    @property
    def load_bytes_per_s(self) -> float:
        """Bytes of samples per second so far, all slaves, headers not counted."""
        total = sum(t.samples * t.dtype.itemsize for t in self.tracks if t.is_measured)
        return total / self.elapsed_s if self.elapsed_s else 0.0

    def summary(self) -> dict[str, Any]:
        """Counters per event and in all, ready for JSON."""
        quality = self.quality
        found: dict[str, Any] = {"events": [track.summary() for track in self.tracks]}
        found |= {name: getattr(quality, name) for name in Quality.__slots__}
        found["queues"] = [
            {name: getattr(queue, name) for name in QueueState.__slots__} for queue in self.queues
        ]
        found["time"] = self._time_summary()
        found["diagnostics"] = [str(one) for one in self.diagnostics]
        return found

    def __repr__(self) -> str:
        from xcaliper.core.wording import counted

        events = ", ".join(track.name for track in self.tracks)
        count = self.quality.samples
        return (
            f"<Measurement {self._state}: {counted(len(self.signals), 'signal')} over {events}, "
            f"{counted(count, 'sample')}>"
        )

    def _repr_html_(self) -> str:
        return frames.summary_html(repr(self)[1:-1], self.summary()["events"])
