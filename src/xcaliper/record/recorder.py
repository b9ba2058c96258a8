"""A recorder: sample blocks in, files out, from trigger to trigger."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Final, Self

from xcaliper.core.errors import SettingsError, UsageError, XcaliperError
from xcaliper.record.calculated import CalculatedSignal, Calculation, CalculationStage
from xcaliper.record.description import EventCause, EventType, RecordingEvent
from xcaliper.record.gate import MANUAL, Gate
from xcaliper.record.outputs import FileOptions, Outputs
from xcaliper.record.pipeline import MAX_BYTES, Pipeline, PipelineStats, as_ours
from xcaliper.record.selection import Selection, SelectionStage
from xcaliper.record.sinks.rasters import check_raster
from xcaliper.record.slaves import SlaveInput
from xcaliper.record.watch import make_watches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from xcaliper.core.samples import SampleBlock
    from xcaliper.record.description import RecordingDescription
    from xcaliper.record.sinks import Sink
    from xcaliper.record.slaves import ToAxis
    from xcaliper.record.trigger import Trigger

__all__ = ["CalculatedSignal", "FileOptions", "Recorder", "RecorderStats"]

RING_BYTES: Final = 256 << 20
MAX_SECONDS: Final = 1e9
#: Files of fewer bytes of samples, or of less time, would be hardly more than their headers.
MIN_SPLIT_BYTES: Final = 1 << 16
MIN_SPLIT_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class RecorderStats(PipelineStats):
    """Counters of a recorder: those of its queue, and what came out of it.

    Attributes:
        state: ``waiting`` for a trigger, ``recording`` or ``ended``.
        recordings: recordings begun so far.
        recorded_samples: samples handed to the outputs.
        ring_bytes: bytes kept for the time before a trigger now.
        short_pre_triggers: recordings with less time before the trigger than asked for.
        files: files begun so far.
    """

    state: str = "recording"
    recordings: int = 0
    recorded_samples: int = 0
    ring_bytes: int = 0
    short_pre_triggers: int = 0
    files: tuple[Path, ...] = ()


class Recorder:
    """Records blocks in a thread of its own; ``put`` never waits.

    Several recorders may get the same blocks, each with its own signals, triggers and files.
    Samples are chosen by their time: a recording with trigger at T holds every sample of every
    raster from ``T - pre_s`` to its end, both included, and nothing else.

    Args:
        description: what the blocks contain.
        outputs: files by their suffix (``.mf4``, ``.csv``, ``.parquet``), or sinks of your own,
            which get the samples of all recordings.
        signals: names to record, patterns with ``*`` and ``?`` allowed; ``None`` = all.
        calculated: signals to compute, also from signals that are not recorded; they are recorded
            in groups of their own.
        trigger: what starts a recording, a text as for ``parse_trigger``, or several of which
            each is enough; ``None`` = record from the first block on.
        stop: what ends it, the same way; ``None`` = ``post_s`` behind the trigger.
        pre_s: seconds before the trigger.
        post_s: seconds behind the trigger or, with ``stop``, behind what stopped; ``None`` without
            ``stop`` = until closed.
        max_recordings: how often to record; ``None`` = each trigger again until closed. Each
            recording has its own files, ``name_001`` and so on, unless it is the only one.
        split_bytes: go on in another file when one has so many bytes of samples, 64 KiB or more.
        split_s: go on in another file after so many seconds, 0.1 or more.
        options: how files are written.
        ring_bytes: bound of what is kept for ``pre_s``; what exceeds it is said in the recording.
        queue_bytes: bound of what waits for the thread.
        at_once: open the files of what needs no trigger now, else with ``open_files``.

    Raises:
        SettingsError: settings that contradict each other; a file that exists.
        NotFoundError: no such signal or raster.
        UsageError: an expression that cannot be read; a format nobody knows.
    """

    def __init__(  # noqa: PLR0913  # options by name
        self,
        description: RecordingDescription,
        outputs: str | Path | Sink | Sequence[str | Path | Sink],
        *,
        signals: str | Sequence[str] | None = None,
        calculated: Sequence[CalculatedSignal] = (),
        trigger: Trigger | str | Sequence[Trigger | str] | None = None,
        stop: Trigger | str | Sequence[Trigger | str] | None = None,
        pre_s: float = 0.0,
        post_s: float | None = None,
        max_recordings: int | None = 1,
        split_bytes: int | None = None,
        split_s: float | None = None,
        options: FileOptions | None = None,
        ring_bytes: int = RING_BYTES,
        queue_bytes: int = MAX_BYTES,
        at_once: bool = True,
    ) -> None:
        _check_times(pre_s, post_s, split_s)
        _check_counts(split_bytes, max_recordings, ring_bytes, queue_bytes)
        if trigger is None:
            _check_untriggered(pre_s, max_recordings)
        calculation = Calculation(description, calculated)
        everything = calculation.description
        patterns = None
        if signals is not None:
            chosen = [signals] if isinstance(signals, str) else list(signals)
            patterns = [*chosen, *(c.name for c in calculated)]
            if not patterns:
                raise SettingsError("signals", "none is chosen", hint="None records all of them.")
        selection = Selection(everything, patterns) if patterns is not None else None
        self.description = selection.description if selection else everything
        self._begins_later = not at_once
        self._first_rasters = description.first_rasters
        self._measured = len(description.rasters)
        self._lock = threading.Lock()
        self._errors: list[Exception] = []
        self._unseen: list[Exception] = []
        self._newest_ns = 0
        starts = make_watches(trigger, calculation.book)
        self._outputs = Outputs(
            outputs,
            self.description,
            options or FileOptions(),
            several=trigger is not None and max_recordings != 1,
            later=trigger is not None,
            split_bytes=split_bytes,
            split_ns=None if split_s is None else round(split_s * 1e9),
            report=self._failed,
        )

        def begin(number: int) -> Sink:
            target = self._outputs.begin(number)
            return SelectionStage(selection, target) if selection else target

        self._gate = Gate(
            start=starts,
            stop=make_watches(stop, calculation.book),
            pre_ns=round(pre_s * 1e9),
            post_ns=None if post_s is None else round(post_s * 1e9),
            max_recordings=max_recordings,
            ring_bytes=ring_bytes,
            rasters=selection.numbers if selection else range(len(everything.rasters)),
            begin=begin,
            at_once=at_once,
        )
        stage: Sink = self._gate
        if calculated:
            stage = CalculationStage(calculation, stage)
        self._pipeline = Pipeline([stage], max_bytes=queue_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except XcaliperError:  # an exception on its way out says more
            if kind is None:
                raise

    @property
    def stats(self) -> RecorderStats:
        """Counters now."""
        queue, gate = self._pipeline.stats, self._gate.stats
        return RecorderStats(
            **{name: getattr(queue, name) for name in PipelineStats.__slots__},
            state=gate.state,
            recordings=gate.recordings,
            recorded_samples=gate.samples,
            ring_bytes=gate.ring_bytes,
            short_pre_triggers=gate.short,
            files=tuple(self._outputs.files),
        )

    @property
    def errors(self) -> tuple[Exception, ...]:
        """What failed so far; an output that failed gets nothing more."""
        with self._lock:
            return (*self._errors, *self._pipeline.errors)

    @property
    def is_working(self) -> bool:
        """Whether an output is left that has not failed."""
        return self._outputs.is_working and not self._pipeline.errors

    def open_files(self) -> None:
        """Open the files of what needs no trigger, if ``at_once`` was false.

        Raises:
            XcaliperError: one of them cannot be opened.
        """
        self._gate.open_first()

    def begins(self, start_ns: int, properties: Mapping[str, str]) -> None:
        """Correct the start that was only guessed when files were opened with ``at_once=False``.

        To be called once, before the first block; what was made with ``at_once`` keeps its start.

        Args:
            start_ns: UTC time of ``t_ns == 0``, ns since 1970.
            properties: of the recording, in place of those of the description.

        Raises:
            XcaliperError: a file cannot be written.
        """
        if not self._begins_later:
            return
        self._begins_later = False
        self.description = replace(self.description, start_ns=start_ns, properties=dict(properties))
        self._outputs.begins(start_ns, properties)

    def discard(self) -> None:
        """Close, and remove the files if there is no sample in them; nothing is raised."""
        with suppress(XcaliperError):
            self.close()
        if not self._gate.stats.samples and self._pipeline.is_finished:
            self._outputs.remove()

    def _failed(self, error: Exception) -> None:
        with self._lock:
            self._errors.append(error)
            self._unseen.append(error)

    def put(self, block: SampleBlock) -> bool:
        """Queue a block; its arrays must not change any more.

        Returns:
            Whether it fitted; otherwise its loss is marked in the raster's next block.

        Raises:
            LinkError: an output failed since the last call; the block was queued for the others.
            UsageError: the recorder is closed, or the block belongs to no raster.
        """
        check_raster(block.raster, self._measured)
        if len(block):
            self._newest_ns = max(self._newest_ns, int(block.t_ns[-1]))
        fits = self._pipeline.put(block)
        if self._unseen:
            with self._lock:  # several slaves may put at once
                error = self._unseen.pop(0) if self._unseen else None
            if error is not None:
                raise as_ours(error)
        return fits

    def event(self, event: RecordingEvent) -> bool:
        """Queue an event: it is recorded, and may start or stop a recording.

        Raises:
            UsageError: the recorder is closed.
        """
        return self._pipeline.event(event)

    def slave(self, number: int, to_axis: ToAxis | None = None) -> SlaveInput:
        """Where one slave of a combined description puts its blocks, see ``record.slaves``.

        Args:
            number: position of the slave, from 0.
            to_axis: its times, int64[n] in ns, → those of the recording; ``None`` = equal.

        Raises:
            UsageError: there is no such slave.
        """
        if not 0 <= number < len(self._first_rasters):
            raise UsageError(
                f"slave {number}: the recording has {len(self._first_rasters)}.",
                hint="Describe all slaves with combine().",
            )
        return SlaveInput(self, self._first_rasters[number], to_axis)

    def trigger(self, text: str = "manual", *, t_ns: int | None = None) -> None:
        """Start a recording, unless one runs.

        Args:
            text: reason, for people.
            t_ns: when, on the axis of the samples; ``None`` = newest sample so far.

        Raises:
            UsageError: the recorder is closed.
        """
        self._command(EventType.START_TRIGGER, text, t_ns)

    def stop(self, text: str = "manual", *, t_ns: int | None = None) -> None:
        """End the recording that runs; ``post_s`` is not waited for.

        A time that lies back takes nothing away that has been written.

        Raises:
            UsageError: the recorder is closed.
        """
        self._command(EventType.STOP_TRIGGER, text, t_ns)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits and finish all files.

        Raises:
            LinkError: the thread did not finish in time.
            XcaliperError: what the first failed output raised.
        """
        try:
            self._pipeline.close(timeout_s)
        finally:
            if self._pipeline.is_finished:
                self._outputs.close()
        with self._lock:
            first = next(iter(self._errors), None)
        if first is not None:
            raise as_ours(first)

    def _command(self, kind: EventType, text: str, t_ns: int | None) -> None:
        when = self._newest_ns if t_ns is None else t_ns
        self._pipeline.event(RecordingEvent(kind, when, text, MANUAL, EventCause.USER))


def _check_times(pre_s: Any, post_s: Any, split_s: Any) -> None:
    for name, seconds, least in (
        ("pre_s", pre_s, 0),
        ("post_s", post_s, 0),
        ("split_s", split_s, MIN_SPLIT_S),
    ):
        if seconds is None and name != "pre_s":
            continue
        if not isinstance(seconds, Real) or not (
            isfinite(seconds) and least <= float(seconds) <= MAX_SECONDS
        ):
            raise SettingsError(
                name, f"{seconds!r} s is no time from {least:g} s to {MAX_SECONDS:g} s"
            )


def _check_counts(split_bytes: Any, max_recordings: Any, ring_bytes: Any, queue_bytes: Any) -> None:
    for name, number, what in (
        ("max_recordings", 1 if max_recordings is None else max_recordings, "count"),
        ("ring_bytes", ring_bytes, "size"),
        ("queue_bytes", queue_bytes, "size"),
    ):
        if not (isinstance(number, Integral) and int(number) >= 1):
            raise SettingsError(name, f"{number!r} is no {what}")
    if split_bytes is not None and not (
        isinstance(split_bytes, Integral) and int(split_bytes) >= MIN_SPLIT_BYTES
    ):
        raise SettingsError(
            "split_bytes",
            f"{split_bytes!r} is no size of a file; {MIN_SPLIT_BYTES} bytes are the least",
        )


def _check_untriggered(pre_s: float, max_recordings: int | None) -> None:
    """Refuse what has no meaning without a trigger, instead of recording something else."""
    if pre_s:
        raise SettingsError(
            "pre_s",
            f"{pre_s:g} s before a trigger, and there is no trigger",
            hint="Add trigger='EngineSpeed > 3000', or leave the time out.",
        )
    if max_recordings != 1:
        raise SettingsError(
            "max_recordings",
            "without a trigger there is one recording",
            hint="Add a trigger that starts each of them, or leave the repetition out.",
        )
