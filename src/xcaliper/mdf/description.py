"""What a recording looks like: header, sources, groups, channels, attachments."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from xcaliper.mdf.conversion import Conversion, Identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

__all__ = ["Attachment", "Channel", "Group", "Header", "Source"]


@dataclass(frozen=True, slots=True)
class Header:
    """Start time and description of a recording.

    Attributes:
        start_ns: UTC start time, ns since 1970.
        tz_offset_min: offset of local standard time to UTC.
        dst_offset_min: daylight saving on top of it.
        properties: more entries for the common properties.
    """

    start_ns: int
    tz_offset_min: int = 0
    dst_offset_min: int = 0
    author: str = ""
    department: str = ""
    project: str = ""
    subject: str = ""
    comment: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    tool_version: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the values of a group come from.

    Attributes:
        kind: SI type: 0 other, 1 ECU, 2 bus, 3 I/O, 4 tool, 5 user.
        bus: SI bus: 0 none, 1 other, 2 CAN, 5 FlexRay, 7 Ethernet, 8 USB.
    """

    name: str
    path: str = ""
    kind: int = 1
    bus: int = 0
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """One signal of a group, a view of one field of its rows.

    Data type, byte order, size, array shape and position come from the dtype of that field.

    Attributes:
        name: name in the file; made unique inside the group.
        field: field of the group's dtype; empty = same as ``name``.
        lower: lowest physical limit; limits that are no finite range are left out.
        bit_mask: bits of the word that belong to the signal; contiguous masks become bit fields.
        bit_shift: right shift behind the mask; ``None`` = down to the lowest bit of the mask.
        sign_extend: the highest bit of the mask is the sign.
        axes: fixed axis values, one tuple per dimension of an array.
        encoding: of text fields: ``latin-1``, ``utf-8``, ``utf-16-le`` or ``utf-16-be``.
        vlsd: store a text field as values of variable length besides the fixed bytes.
        raw: leave the conversion out.
        calibration: the channel is a calibration parameter.
        calculated: computed from other channels, not measured.
    """

    name: str
    field: str = ""
    unit: str = ""
    conversion: Conversion = Identity()  # noqa: RUF009  # frozen and without fields
    comment: str = ""
    display_name: str = ""
    linker_name: str = ""
    address: int | None = None
    lower: float = float("nan")
    upper: float = float("nan")
    bit_mask: int | None = None
    bit_shift: int | None = None
    sign_extend: bool = False
    axes: tuple[tuple[float, ...], ...] = ()
    encoding: str = "latin-1"
    vlsd: bool = False
    raw: bool = False
    calibration: bool = False
    calculated: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """One raster: channels over the rows of one event.

    Attributes:
        dtype: structured dtype of the rows, in ECU byte order; padding is kept.
        cycle_ns: expected distance of two rows, for the reader's information.
    """

    name: str
    dtype: np.dtype[Any]
    channels: Sequence[Channel] = ()
    source: Source | None = None
    comment: str = ""
    cycle_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside the file, stored deflated.

    Attributes:
        deflated: the data as it is stored, see ``packed``; empty = not deflated yet.
    """

    name: str
    data: bytes = field(repr=False)
    mime: str = "application/octet-stream"
    comment: str = ""
    deflated: bytes = field(default=b"", repr=False)

    def packed(self) -> Attachment:
        """The same with its data deflated, for those who attach it to several files."""
        return self if self.deflated else replace(self, deflated=zlib.compress(self.data, 6))
