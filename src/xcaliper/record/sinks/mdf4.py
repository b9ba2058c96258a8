"""The MDF4 sink: a recording that can be opened at any moment, also after a crash."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import MdfError, XcaliperError
from xcaliper.mdf.description import Attachment, Channel, Group, Header, Source
from xcaliper.mdf.structure import build
from xcaliper.mdf.writer import EventCause, EventType, MdfWriter, WriterOptions
from xcaliper.record.columns import gap_event
from xcaliper.record.files import DiskFile, free_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.core.samples import Gap, SampleBlock
    from xcaliper.mdf.storage import WritableFile
    from xcaliper.record.description import (
        RasterDescription,
        RecordingDescription,
        RecordingEvent,
        SignalDescription,
    )

__all__ = ["Mdf4Sink", "attachments_of"]

FLUSH_PERIOD_S: Final = 0.25
MAX_LOSS_EVENTS: Final = 10_000


class Mdf4Sink:
    """Streams sample blocks into an MDF4 file.

    An existing file is refused unless one of the two options says otherwise.

    Args:
        path: file to create.
        description: what is recorded.
        overwrite: remove an existing file of that name.
        numbered: record to ``name_001.mf4`` and so on when the file exists.
        flush_period_s: how old rows may get before they are in the file.
        compressed: smaller file, more work.
        durable: survive a power loss, not only the death of the process.
        attachments: what ``attachments_of`` gave for the description; spares doing it again.
        file: write there instead of to ``path``.

    Attributes:
        path: file that is written.

    Raises:
        SettingsError: the file exists or its folder does not.
        UsageError: a signal that cannot be recorded.
        MdfError: the file cannot be written.
    """

    def __init__(  # noqa: PLR0913  # options by name
        self,
        path: str | Path,
        description: RecordingDescription,
        *,
        overwrite: bool = False,
        numbered: bool = False,
        flush_period_s: float = FLUSH_PERIOD_S,
        compressed: bool = False,
        durable: bool = False,
        attachments: Sequence[Attachment] | None = None,
        file: WritableFile | None = None,
    ) -> None:
        target = free_path(path) if numbered and not overwrite else path
        header = _header(description)
        groups = [_group(raster, description) for raster in description.rasters]
        files = attachments_of(description) if attachments is None else attachments
        structure = build(header, groups, files)  # takes a while; the file is made behind it
        self._disk = DiskFile(target, create=True, overwrite=overwrite) if file is None else None
        self.path = Path(target)
        self._error: XcaliperError | None = None
        self._loss_events = 0
        self._closed = False
        self._last_ns = 0
        options = WriterOptions(
            flush_period_ns=round(min(max(flush_period_s, 0.0), 1.0) * 1e9),
            compressed=compressed,
            durable=durable,
        )
        storage = self._disk or file
        assert storage is not None, "one of the two was given"
        try:
            self._writer = MdfWriter(
                storage, header, groups, files, options=options, structure=structure
            )
        except BaseException:
            self._discard()
            raise

    def begins(self, description: RecordingDescription) -> None:
        """Take start and properties, known by now, of a description; before the first sample.

        Raises:
            MdfError: the file cannot be written.
        """
        self._check()
        try:
            self._writer.redescribe(_header(description))
        except MdfError as error:
            self._error = error
            raise

    def write(self, block: SampleBlock) -> None:
        """Take the samples of a block; rows get into the file at the flush period.

        Raises:
            MdfError: the file could not be written, now or before.
            UsageError: the block does not fit the description.
        """
        self._check()
        try:
            for gap in block.gaps:
                self._lost(block.raster, gap)
            self._writer.append(block.raster, block.t_ns, block.rows)
            if len(block):
                self._last_ns = max(self._last_ns, int(block.t_ns[-1]))
            self._writer.commit(time.monotonic_ns())
        except MdfError as error:
            self._error = error
            raise

    def event(self, event: RecordingEvent) -> None:
        """Put an event into the file, at once.

        Raises:
            MdfError: the file could not be written, now or before.
        """
        self._check()
        self._add(event.kind, event.t_ns, event.text, event.name, event.cause, event.raster)

    def tick(self, now_ns: int) -> None:
        """Put rows into the file that waited for the flush period.

        Raises:
            MdfError: the file could not be written.
        """
        if self._error is None and not self._closed:
            try:
                self._writer.commit(now_ns)
            except MdfError as error:
                self._error = error
                raise

    def close(self) -> None:
        """Write what waits and finish the file; after a full disk it tries once more.

        Raises:
            MdfError: rows could not be written; the file holds all that was committed.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._loss_events > MAX_LOSS_EVENTS:
                more = self._loss_events - MAX_LOSS_EVENTS
                self._writer.add_event(
                    EventType.ACQUISITION_INTERRUPT,
                    self._last_ns,
                    f"{more} more losses that are not listed one by one",
                    name="loss",
                    cause=EventCause.ERROR,
                )
            self._writer.close(time.time_ns())
        finally:
            if self._disk is not None:
                self._disk.close()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self._closed:
            raise MdfError("recording is closed.", source=str(self.path), hint="Start a new one.")

    def _discard(self) -> None:
        """Remove the file of a recording that never began."""
        if self._disk is not None:
            self._disk.close()
            self._disk.path.unlink(missing_ok=True)

    def _add(
        self,
        kind: EventType,
        t_ns: int,
        text: str,
        name: str,
        cause: EventCause,
        raster: int | None,
    ) -> None:
        try:
            self._writer.add_event(kind, t_ns, text, name=name, cause=cause, group_index=raster)
        except MdfError as error:
            self._error = error
            raise

    def _lost(self, raster: int, gap: Gap) -> None:
        self._loss_events += 1
        if self._loss_events > MAX_LOSS_EVENTS:
            return
        event = gap_event(raster, gap)
        self._add(event.kind, event.t_ns, event.text, event.name, event.cause, event.raster)


def _header(description: RecordingDescription) -> Header:
    known = {"ecu": description.source, "epk": description.epk, "a2l": description.a2l_name}
    return Header(
        start_ns=description.start_ns,
        tz_offset_min=description.tz_offset_min,
        dst_offset_min=description.dst_offset_min,
        author=description.author,
        department=description.department,
        project=description.project,
        subject=description.subject,
        comment=description.comment,
        properties=known | dict(description.properties),
        tool_version=description.tool_version,
    )


def attachments_of(description: RecordingDescription) -> list[Attachment]:
    """The files that a recording has in it, A2L first."""
    files = list(description.attachments)
    if description.a2l is not None:
        files.insert(0, (description.a2l_name or "description.a2l", description.a2l))
    text = "ASAP2 description of the ECU"
    return [Attachment(name, data, "text/plain", text) for name, data in files]


def _group(raster: RasterDescription, description: RecordingDescription) -> Group:
    event = "" if raster.event_channel is None else f"event channel {raster.event_channel}"
    source = Source(description.source or "ECU", description.source_path, 1, description.bus)
    if raster.source:
        source = Source(raster.source, raster.source_path, 1, raster.bus)
    return Group(
        name=raster.name,
        dtype=raster.dtype,
        channels=[_channel(signal) for signal in raster.signals],
        source=source,
        comment=", ".join(part for part in (raster.comment, event) if part),
        cycle_ns=raster.cycle_ns,
    )


def _channel(signal: SignalDescription) -> Channel:
    return Channel(
        name=signal.name,
        field=signal.column,
        unit=signal.unit,
        conversion=signal.conversion,
        comment=signal.comment,
        display_name=signal.display_name,
        linker_name=signal.linker_name,
        address=signal.address,
        lower=signal.lower,
        upper=signal.upper,
        bit_mask=signal.bit_mask,
        bit_shift=signal.bit_shift,
        sign_extend=signal.sign_extend,
        axes=signal.axes,
        encoding=signal.encoding,
        vlsd=signal.is_text,
        raw=signal.raw,
        calibration=signal.calibration,
        calculated=signal.calculated,
    )
