"""What a recording contains, for every kind of sink."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from xcaliper.mdf.conversion import Conversion, Identity
from xcaliper.mdf.writer import EventCause, EventType

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

__all__ = [
    "EventCause",
    "EventType",
    "RasterDescription",
    "RecordingDescription",
    "RecordingEvent",
    "SignalDescription",
]


@dataclass(frozen=True, slots=True)
class SignalDescription:
    """One signal of a raster.

    Attributes:
        name: name in the recording.
        field: field of the raster's rows; empty = same as ``name``.
        unit: physical unit.
        conversion: rule raw → physical.
        lower: lowest physical limit, NaN = none.
        upper: highest physical limit, NaN = none.
        comment: for people.
        address: of the object in the ECU.
        bit_mask: bits of the word that belong to the signal, applied before the conversion.
        bit_shift: right shift behind the mask; ``None`` = down to its lowest bit.
        sign_extend: the highest bit of the mask is the sign.
        axes: fixed axis values, one tuple per dimension of an array.
        encoding: of text fields: ``latin-1``, ``utf-8``, ``utf-16-le`` or ``utf-16-be``.
        is_text: record the text field with variable length, which more readers understand.
        display_name: another name for people.
        linker_name: symbol in the program.
        raw: leave the conversion out of the recording.
        calibration: the signal is a calibration parameter.
        calculated: computed from other signals, not measured.
    """

    name: str
    field: str = ""
    unit: str = ""
    conversion: Conversion = Identity()  # noqa: RUF009  # frozen and without fields
    lower: float = float("nan")
    upper: float = float("nan")
    comment: str = ""
    address: int | None = None
    bit_mask: int | None = None
    bit_shift: int | None = None
    sign_extend: bool = False
    axes: tuple[tuple[float, ...], ...] = ()
    encoding: str = "latin-1"
    is_text: bool = False
    display_name: str = ""
    linker_name: str = ""
    raw: bool = False
    calibration: bool = False
    calculated: bool = False

    @property
    def column(self) -> str:
        """Field of the rows."""
        return self.field or self.name


@dataclass(frozen=True, slots=True)
class RasterDescription:
    """One raster: the rows of one event channel; its position is ``SampleBlock.raster``.

    Attributes:
        name: name of the group in the file.
        event_channel: number of the event channel in the ECU, ``None`` for polling.
        cycle_ns: expected distance of two samples, ``None`` = not cyclic.
        dtype: structured dtype of the rows, in ECU byte order, padding included.
        signals: what is in the rows.
        comment: for people.
        source: name of the ECU where it is not that of the recording.
        source_path: how that ECU is connected.
        bus: MDF4 bus code of that connection.
    """

    name: str
    event_channel: int | None
    cycle_ns: int | None
    dtype: np.dtype[Any]
    signals: tuple[SignalDescription, ...]
    comment: str = ""
    source: str = ""
    source_path: str = ""
    bus: int = 0


@dataclass(frozen=True, slots=True)
class RecordingDescription:
    """A whole recording.

    Attributes:
        start_ns: UTC time of ``t_ns == 0``, ns since 1970.
        rasters: in the order of ``SampleBlock.raster``.
        source: name of the ECU.
        source_path: how it is connected.
        bus: MDF4 bus code: 0 none, 2 CAN, 5 FlexRay, 7 Ethernet, 8 USB.
        epk: identification of the program in the ECU.
        a2l_name: file name of the description.
        a2l: its content, attached to the recording; ``None`` = not attached.
        tz_offset_min: offset of local standard time to UTC.
        dst_offset_min: daylight saving on top of it.
        properties: more entries for the file header.
        attachments: more files to attach, name and content.
        first_rasters: number of the first raster of each slave, where several are in it.
    """

    start_ns: int
    rasters: tuple[RasterDescription, ...]
    source: str = ""
    source_path: str = ""
    bus: int = 0
    epk: str = ""
    a2l_name: str = ""
    a2l: bytes | None = field(default=None, repr=False)
    comment: str = ""
    author: str = ""
    department: str = ""
    project: str = ""
    subject: str = ""
    tool_version: str = ""
    tz_offset_min: int = 0
    dst_offset_min: int = 0
    properties: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    first_rasters: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class RecordingEvent:
    """Something that happened while recording.

    Attributes:
        kind: loss is ``ACQUISITION_INTERRUPT``, a written parameter or a comment ``MARKER``.
        t_ns: when, on the time axis of the samples.
        text: for people.
        name: short name.
        cause: who caused it.
        raster: raster it belongs to, ``None`` = all.
    """

    kind: EventType
    t_ns: int
    text: str
    name: str = ""
    cause: EventCause = EventCause.TOOL
    raster: int | None = None
