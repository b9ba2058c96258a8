"""What a measurement records, as told by the user, and how that becomes recorders."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.client.connection import Connection
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
    from xcaliper.record.trigger import Trigger

__all__ = [
    "Output",
    "Record",
    "Recording",
    "describe_recording",
    "describe_track",
    "open_recordings",
    "recordings_of",
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
            written at once when it is a list.
        signals: names and patterns to record; None = everything that is measured.
        trigger: what starts it, such as ``"EngineSpeed > 3000"``, ``"manual"`` or ``"page"``; None =
            from the first sample on.
        stop: what ends it; None = ``post_s`` behind the trigger.
        pre_s: seconds before the trigger.
        post_s: seconds behind it; None = until the measurement ends.
        repeat: record again at each further trigger, into files with numbers.
        split_bytes: go on in another file after so many bytes of samples.
        split_s: go on in another file after so many seconds.
        compressed: smaller files, more work.
        overwrite: replace files that exist.
    """

    path: str | Path | Sequence[str | Path]
    signals: tuple[str, ...] | None = None
    trigger: Trigger | str | Sequence[Trigger | str] | None = None
    stop: Trigger | str | Sequence[Trigger | str] | None = None
    pre_s: float = 0.0
    post_s: float | None = None
    repeat: bool = False
    split_bytes: int | None = None
    split_s: float | None = None
    compressed: bool = False
    overwrite: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """File name, for people."""
        paths = self.path if isinstance(self.path, list | tuple) else [self.path]
        return ", ".join(str(one) for one in paths)

    def open(self, description: RecordingDescription) -> Recorder:
        """The recorder, ready to take blocks.

        Raises:
            SettingsError: settings contradict each other, or the file exists.
            NotFoundError: no such signal.
            UsageError: an expression cannot be read, or nobody knows the format.
        """
        from xcaliper.record.recorder import FileOptions, Recorder

        return Recorder(
            description,
            self.path,
            signals=self.signals,
            trigger=self.trigger,
            stop=self.stop,
            pre_s=self.pre_s,
            post_s=self.post_s,
            max_recordings=None if self.repeat else 1,
            split_bytes=self.split_bytes,
            split_s=self.split_s,
            options=FileOptions(overwrite=self.overwrite, compressed=self.compressed),
            **self.options,
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
    """Name and recorder of each; none is left open when one of them cannot be opened.

    Raises:
        SettingsError: a file exists, or cannot be made.
    """
    found: list[tuple[str, Output]] = []
    try:
        for one in recordings:
            if isinstance(one, Recording):
                found.append((one.name, one.open(description)))
            else:
                found.append((type(one).__name__, one))
    except BaseException:
        for _, output in found:
            output.close()
        raise
    return found


def describe_recording(measurement: Measurement, begin_ns: int) -> RecordingDescription:
    """What the files of a measurement say about it.

    Args:
        measurement: about to start.
        begin_ns: host's monotonic time of its time 0.
    """
    from xcaliper import __version__
    from xcaliper.record.description import RecordingDescription

    local = time.localtime()
    connections = [one.port.connection for one in measurement.acquisitions]
    first = connections[0]
    info = first.info
    labels = [one.label for one in measurement.acquisitions if one.label]
    paths = {one.label: one.port.connection.info.url for one in measurement.acquisitions}
    summer_min = 60 if local.tm_isdst > 0 else 0
    return RecordingDescription(
        start_ns=_start_utc_ns(measurement, begin_ns),
        rasters=tuple(
            describe_track(track, paths.get(track.source, "")) for track in measurement.tracks
        ),
        source=", ".join(labels) or info.ecu_name or "ECU",
        source_path=info.url,
        bus=_BUS.get(first.scheme, 0),
        epk=info.epk,
        a2l_name=info.a2l_name,
        a2l=first.description.data or None,
        tool_version=__version__,
        tz_offset_min=local.tm_gmtoff // 60 - summer_min,
        dst_offset_min=summer_min,
        properties={**_further(connections[1:]), **_times(measurement)},
        attachments=tuple(
            (one.info.a2l_name or "slave.a2l", one.description.data)
            for one in connections[1:]
            if one.description.data
        ),
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


def _times(measurement: Measurement) -> dict[str, str]:
    """How the slaves' times are known, at the start."""
    found: dict[str, str] = {}
    for label, one in measurement.correlations.items():
        prefix = f"{label} " if label else ""
        for name, value in one.properties().items() if one is not None else ():
            found[prefix + name] = value
    return found


def _further(connections: Sequence[Connection]) -> dict[str, str]:
    """Facts of further slaves; those of the first one have their own places."""
    found = {}
    for number, one in enumerate(connections, 2):
        info = one.info
        found[f"slave {number}"] = f"{info.ecu_name or 'ECU'} at {info.url}, EPK {info.epk or '–'}"
    return found


def describe_track(track: Track, source_path: str = "") -> RasterDescription:
    """A raster for recorders and expressions.

    Args:
        track: the raster.
        source_path: URL of its slave, where there are several.
    """
    from xcaliper.record.description import RasterDescription

    comments = {
        "polling": "polled: the values of a row were read one after another",
        "calculated": "calculated from other signals",
    }
    return RasterDescription(
        name=track.name,
        event_channel=track.event_channel,
        cycle_ns=track.cycle_ns,
        dtype=track.dtype,
        signals=tuple(rule.description() for rule in track.rules.values()),
        comment=comments.get(track.kind, ""),
        source=track.source,
        source_path=source_path,
    )
