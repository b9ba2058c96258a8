"""A recorder: sample blocks in, files out, from trigger to trigger."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from xcaliper.core.errors import SettingsError, XcaliperError
from xcaliper.record.description import EventCause, EventType, RecordingEvent
from xcaliper.record.pipeline import MAX_BYTES, Pipeline, PipelineStats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.core.samples import SampleBlock
    from xcaliper.record.description import RecordingDescription
    from xcaliper.record.sinks import Sink
    from xcaliper.record.trigger import Trigger

__all__ = ["CalculatedSignal", "FileOptions", "Recorder", "RecorderStats"]

RING_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class CalculatedSignal:
    """A signal that is computed from others while recording.

    Attributes:
        name: name in the recording.
        expression: text, see ``quantity.expression``.
        raster: name of the raster at whose samples it is computed; empty = that of its first
            signal. Signals of other rasters count with their last value.
        unit: physical unit of the result.
        comment: for people; empty = the expression.
    """

    name: str
    expression: str
    raster: str = ""
    unit: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How files are written; each format takes what concerns it.

    Attributes:
        overwrite: replace existing files, else they are refused.
        numbered: choose a free name ``name_001`` and so on instead of refusing.
        compressed: smaller files, more work (MDF4: transposed deflate, Parquet: zstd).
        durable: survive a power loss, not only the death of the process (MDF4).
        flush_period_s: how old samples may get before they are in the file; ``None`` = as is
            good for the format (MDF4 and CSV below 1 s, Parquet 5 s).
        physical: write physical values where the format does not hold both (CSV, Parquet).
    """

    overwrite: bool = False
    numbered: bool = False
    compressed: bool = False
    durable: bool = False
    flush_period_s: float | None = None
    physical: bool = True


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
    files: tuple[Path, ...] = field(default=())


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
        calculated: signals to compute; they are recorded in groups of their own.
        trigger: what starts a recording, a text as for ``parse_trigger``, or several of which
            each is enough; ``None`` = record from the first block on.
        stop: what ends it, the same way; ``None`` = ``post_s`` behind the trigger.
        pre_s: seconds before the trigger.
        post_s: seconds behind the trigger or, with ``stop``, behind what stopped; ``None`` without
            ``stop`` = until closed.
        max_recordings: how often to record; ``None`` = each trigger again until closed. Each
            recording has its own files, ``name_001`` and so on, unless it is the only one.
        split_bytes: go on in another file when one has so many bytes of samples.
        split_s: go on in another file after so many seconds.
        options: how files are written.
        ring_bytes: bound of what is kept for ``pre_s``; what exceeds it is said in the recording.
        queue_bytes: bound of what waits for the thread.

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
        signals: Sequence[str] | None = None,
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
    ) -> None:
        del signals, calculated, trigger, stop, pre_s, post_s, max_recordings, ring_bytes
        del split_bytes, split_s
        self.description = description
        self._newest_ns = 0
        self._pipeline = Pipeline(_sinks(description, outputs, options or FileOptions()))
        del queue_bytes

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
        queue = self._pipeline.stats
        return RecorderStats(*(getattr(queue, name) for name in queue.__slots__))

    @property
    def errors(self) -> tuple[Exception, ...]:
        """What failed so far; an output that failed gets nothing more."""
        return self._pipeline.errors

    def put(self, block: SampleBlock) -> bool:
        """Queue a block; its arrays must not change any more.

        Returns:
            Whether it fitted; otherwise its loss is marked in the raster's next block.

        Raises:
            LinkError: an output failed since the last call; the block was queued for the others.
            UsageError: the recorder is closed.
        """
        if len(block):
            self._newest_ns = max(self._newest_ns, int(block.t_ns[-1]))
        return self._pipeline.put(block)

    def event(self, event: RecordingEvent) -> bool:
        """Queue an event: it is recorded, and may start or stop a recording.

        Raises:
            UsageError: the recorder is closed.
        """
        return self._pipeline.event(event)

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
        self._pipeline.close(timeout_s)

    def _command(self, kind: EventType, text: str, t_ns: int | None) -> None:
        when = self._newest_ns if t_ns is None else t_ns
        self._pipeline.event(RecordingEvent(kind, when, text, "manual", EventCause.USER))


def _sinks(
    description: RecordingDescription,
    outputs: str | Path | Sink | Sequence[str | Path | Sink],
    options: FileOptions,
) -> list[Sink]:
    from xcaliper.record.sinks.csv import CsvSink
    from xcaliper.record.sinks.mdf4 import Mdf4Sink

    several = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    sinks: list[Sink] = []
    for output in several:
        if not isinstance(output, (str, Path)):
            sinks.append(output)
        elif Path(output).suffix.lower() in {".mf4", ".mdf"}:
            sinks.append(Mdf4Sink(output, description, overwrite=options.overwrite))
        elif Path(output).suffix.lower() == ".csv":
            sinks.append(CsvSink(output, description, overwrite=options.overwrite))
        else:
            raise SettingsError("outputs", f"{output}: no format of this suffix")
    return sinks
