"""What a measurement records, as told by the user, and how that becomes recorders."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.client.acquisition import Acquisition
    from xcaliper.client.measurement import Measurement
    from xcaliper.client.quality import Track
    from xcaliper.core.samples import SampleBlock
    from xcaliper.record.description import (
        RasterDescription,
        RecordingDescription,
        RecordingEvent,
    )
    from xcaliper.record.pipeline import PipelineStats
    from xcaliper.record.recorder import Recorder
    from xcaliper.record.sinks import Sink
    from xcaliper.record.trigger import Trigger

__all__ = [
    "Output",
    "Record",
    "Recording",
    "describe_recording",
    "describe_track",
    "discard",
    "open_recordings",
    "recordings_of",
    "tell_begin",
]

_BUS: Final = {"udp": 7, "tcp": 7}


class Output(Protocol):
    """Takes blocks and events without waiting: a recorder, or anything of its shape."""

    def put(self, block: SampleBlock) -> bool:
        """Queue a block."""

    def event(self, event: RecordingEvent) -> bool:
        """Queue an event."""

    def close(self) -> None:
        """Write what waits and finish."""

    @property
    def stats(self) -> PipelineStats:
        """Counters."""


@dataclass(frozen=True)
class Recording:
    """A file (or several) to record into, and when; the names are those of the recorder.

    Attributes:
        path: file; its suffix tells the format (``.mf4``, ``.csv``, ``.parquet``). Several are
            written at once when it is a list; a sink, such as a ``MemorySink``, may be one of them.
        signals: names and patterns to record; None = everything that is measured.
        trigger: what starts it, such as ``"EngineSpeed > 3000"``, ``"manual"`` or ``"page"``; None =
            from the first sample on.
        stop: what ends it; None = ``post_s`` behind the trigger.
        pre_s: seconds before the trigger.
        post_s: seconds behind it; None = until the measurement ends.
        repeat: record again at each further trigger, into files with numbers.
        split_bytes: go on in another file after so many bytes of samples, 64 KiB or more.
        split_s: go on in another file after so many seconds, 0.1 or more.
        compressed: smaller files, more work.
        overwrite: replace files that exist.
        numbered: take a free name, ``name_001`` and so on, where a file exists.
        durable: survive a power loss, not only the death of the process (MDF4).
        physical: write physical values where the format does not hold both (CSV, Parquet).
        flush_period_s: how old samples may get before they are in the file; None = as is good for
            the format.
        options: further ones of the recorder, such as ``ring_bytes`` and ``queue_bytes``.
    """

    path: str | Path | Sink | Sequence[str | Path | Sink]
    signals: str | Sequence[str] | None = None
    trigger: Trigger | str | Sequence[Trigger | str] | None = None
    stop: Trigger | str | Sequence[Trigger | str] | None = None
    pre_s: float = 0.0
    post_s: float | None = None
    repeat: bool = False
    split_bytes: int | None = None
    split_s: float | None = None
    compressed: bool = False
    overwrite: bool = False
    numbered: bool = False
    durable: bool = False
    physical: bool = True
    flush_period_s: float | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """File name, for people."""
        return ", ".join(
            str(one) if isinstance(one, str | Path) else type(one).__name__ for one in self.paths
        )

    @property
    def paths(self) -> list[Any]:
        """Files and sinks, one by one."""
        return list(self.path) if isinstance(self.path, list | tuple) else [self.path]

    def open(self, description: RecordingDescription, *, at_once: bool = True) -> Recorder:
        """The recorder, ready to take blocks.

        Args:
            description: of what is measured.
            at_once: open files that need no trigger now, else with its ``open_files``.

        Raises:
            SettingsError: settings contradict each other, or the file exists.
            NotFoundError: no such signal.
            UsageError: an expression cannot be read, or nobody knows the format.
        """
        from xcaliper.record.recorder import FileOptions, Recorder

        if self.repeat and self.trigger is None:
            raise UsageError(
                f"recording {self.name}: it cannot be repeated without a trigger.",
                hint="Add one that starts each recording, such as trigger='EngineSpeed > 3000'.",
            )
        options = FileOptions(
            overwrite=self.overwrite,
            numbered=self.numbered,
            compressed=self.compressed,
            durable=self.durable,
            physical=self.physical,
            flush_period_s=self.flush_period_s,
        )
        return Recorder(
            description,
            self.paths,
            signals=self.signals,
            trigger=self.trigger,
            stop=self.stop,
            pre_s=self.pre_s,
            post_s=self.post_s,
            max_recordings=None if self.repeat else 1,
            split_bytes=self.split_bytes,
            split_s=self.split_s,
            at_once=at_once,
            **{"options": options} | self.options,
        )


Record = str | Path | Recording | Output


def recordings_of(
    record: Record | Sequence[Record] | None, *, overwrite: bool
) -> list[Recording | Output]:
    """What ``record=`` means: paths become recordings, everything else is as it is.

    Raises:
        UsageError: it is something else.
    """
    if record is None:
        return []
    several: list[Any] = list(record) if isinstance(record, list | tuple) else [record]
    found: list[Recording | Output] = []
    for one in several:
        if isinstance(one, str | Path):
            found.append(Recording(one, overwrite=overwrite))
        elif isinstance(one, Recording) or (hasattr(one, "put") and hasattr(one, "close")):
            found.append(one)
        else:
            raise UsageError(
                f"record: {one!r} is neither a path nor a Recording nor a recorder.",
                hint='record="run.mf4", or record=Recording("run.mf4", trigger="Speed > 3000")',
            )
    return found


def open_recordings(
    recordings: Sequence[Recording | Output], description: RecordingDescription
) -> list[tuple[str, Output]]:
    """Name and recorder of each.

    All settings are looked at before the first file is made or replaced; when one of them cannot
    be opened nevertheless, none is left open, and no file without samples stays.

    Raises:
        SettingsError: a file exists, cannot be made, or is named twice.
    """
    _check_names(recordings)
    found: list[tuple[str, Output]] = []
    try:
        for one in recordings:
            if isinstance(one, Recording):
                found.append((one.name, one.open(description, at_once=False)))
            else:
                found.append((type(one).__name__, one))
        for _, output in found:
            if hasattr(output, "open_files"):
                output.open_files()
    except BaseException:
        for _, output in found:
            discard(output)
        raise
    return found


def tell_begin(measurement: Measurement, begin_ns: int) -> None:
    """Tell files, which are open already, when time 0 was and how well that is known.

    Args:
        measurement: about to start.
        begin_ns: host's monotonic time of its time 0.

    Raises:
        XcaliperError: a file cannot be written.
    """
    told = [output for output in measurement.recorders if hasattr(output, "begins")]
    if told:
        known = describe_recording(measurement, begin_ns)
        for output in told:
            output.begins(known.start_ns, known.properties)


def discard(output: Output) -> None:
    """Close what recorded nothing, without a trace where it can."""
    getattr(output, "discard", output.close)()


def _check_names(recordings: Sequence[Recording | Output]) -> None:
    """Refuse two recordings to one file."""
    seen: set[Path] = set()
    for one in recordings:
        for path in one.paths if isinstance(one, Recording) else ():
            if not isinstance(path, str | Path):
                continue
            place = Path(path).absolute()
            if place in seen:
                raise UsageError(
                    f"record: {path} is named twice.", hint="Give each recording its own file."
                )
            seen.add(place)


def describe_recording(measurement: Measurement, begin_ns: int) -> RecordingDescription:
    """What the files of a measurement say about it.

    Args:
        measurement: about to start.
        begin_ns: host's monotonic time of its time 0, a guess as long as files are opened.
    """
    from xcaliper.record.slaves import combine

    start_ns = _start_utc_ns(measurement, begin_ns)
    parts = [_describe_slave(one, start_ns) for one in measurement.acquisitions]
    whole = combine(parts) if len(parts) > 1 else parts[0]
    computed = tuple(
        describe_track(track) for track in measurement.tracks if track.kind == "calculated"
    )
    return replace(whole, rasters=whole.rasters + computed)


def _describe_slave(one: Acquisition, start_ns: int) -> RecordingDescription:
    """What a recording of one slave alone says about it.

    Args:
        one: the slave's part of the measurement.
        start_ns: UTC time of the measurement's time 0, ns since 1970.
    """
    from xcaliper import __version__
    from xcaliper.record.description import RecordingDescription

    local = time.localtime()
    summer_min = 60 if local.tm_isdst > 0 else 0
    connection = one.port.connection
    info = connection.info
    line = one.correlation
    return RecordingDescription(
        start_ns=start_ns,
        rasters=tuple(describe_track(track, one.label) for track in one.tracks),
        source=one.label or info.ecu_name or "ECU",
        source_path=info.url,
        bus=_BUS.get(connection.scheme, 0),
        epk=info.epk,
        a2l_name=info.a2l_name,
        a2l=connection.description.data or None,
        tool_version=__version__,
        tz_offset_min=local.tm_gmtoff // 60 - summer_min,
        dst_offset_min=summer_min,
        properties=line.properties() if line is not None else {},
    )


def _start_utc_ns(measurement: Measurement, begin_ns: int) -> int:
    """UTC of time 0: by a grandmaster that knows it, else by this host.

    Args:
        measurement: about to start.
        begin_ns: host's monotonic time of its time 0.
    """
    by_host = time.time_ns() - (time.monotonic_ns() - begin_ns)
    line = measurement.correlation
    if line is None or line.epoch not in ("UTC", "TAI"):
        return by_host
    host = measurement.acquisitions[0].correlator
    host_line = host.to_host() if host is not None else None
    later_ns = 0 if host_line is None else begin_ns - host_line.offset_ns
    return line.utc_ns(0) + (later_ns if len(measurement.acquisitions) > 1 else 0)


def describe_track(track: Track, label: str = "") -> RasterDescription:
    """A raster for recorders and expressions.

    Args:
        track: the raster.
        label: of its slave; its name is given without.
    """
    from xcaliper.record.description import RasterDescription

    comments = {
        "polling": "polled: the values of a row were read one after another",
        "calculated": "calculated from other signals",
        "sent": "sent to the slave, at the time of the sample that it answers",
    }
    return RasterDescription(
        name=track.name.removeprefix(f"{label}/") if label else track.name,
        event_channel=track.event_channel,
        cycle_ns=track.cycle_ns,
        dtype=track.dtype,
        signals=tuple(rule.description() for rule in track.rules.values()),
        comment=comments.get(track.kind, ""),
        source=track.source,
    )
