"""What a recording looks like before its first record: header, groups, channels, attachments."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from math import isfinite, prod
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import UsageError
from xcaliper.mdf import blocks
from xcaliper.mdf.comments import wrap
from xcaliper.mdf.conversion import Conversion, Identity, prescaled, to_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np

__all__ = [
    "JOURNAL",
    "Attachment",
    "Channel",
    "Group",
    "GroupPlace",
    "Header",
    "Placement",
    "Source",
    "Structure",
    "build",
    "file_history",
    "place",
    "unique_names",
]

JOURNAL: Final = "first data list 0x"
"""Text in the comment of a data group in front of 16 hexadecimal digits: its first DL block."""

TIME_SIZE: Final = 8
MAX_RECORD_SIZE: Final = 1 << 28
_TEXT_TYPES: Final = {"latin-1": 6, "utf-8": 7, "utf-16-le": 8, "utf-16-be": 9}
_NUMBER_TYPES: Final = {"u": 0, "b": 0, "i": 2, "f": 4}
_BYTE_ARRAY: Final = 10


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
        axes: fixed axis values, one tuple per dimension of an array.
        encoding: of text fields: ``latin-1``, ``utf-8``, ``utf-16-le`` or ``utf-16-be``.
        vlsd: store a text field as values of variable length besides the fixed bytes.
        raw: leave the conversion out.
        calibration: the channel is a calibration parameter.
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
    axes: tuple[tuple[float, ...], ...] = ()
    encoding: str = "latin-1"
    vlsd: bool = False
    raw: bool = False
    calibration: bool = False


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
    """A file inside the file, stored deflated."""

    name: str
    data: bytes = field(repr=False)
    mime: str = "application/octet-stream"
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a channel lies in its row *(MDF4, CN block)*.

    Attributes:
        data_type: CN data type code.
        shape: dimensions of an array, () for a scalar.
        stride: distance of two array elements in bytes.
        scale: raw value per stored unit, other than 1 where a mask is not shifted down.
        remark: what could not be expressed; empty when everything was.
    """

    data_type: int
    byte_offset: int
    bit_offset: int
    bit_count: int
    shape: tuple[int, ...] = ()
    stride: int = 0
    scale: float = 1.0
    remark: str = ""


def _is_big_endian(dtype: np.dtype[Any]) -> bool:
    return dtype.str[0] == ">"


def _number_place(channel: Channel, base: np.dtype[Any], offset: int) -> Placement:
    big = _is_big_endian(base)
    size = base.itemsize
    data_type = _NUMBER_TYPES[base.kind] + big
    whole = Placement(data_type, offset, 0, 8 * size)
    full = (1 << 8 * size) - 1
    if channel.bit_mask is None or base.kind == "f":
        return whole
    mask = channel.bit_mask & full
    if mask == full and not channel.bit_shift:
        return whole
    low = (mask & -mask).bit_length() - 1
    count = mask.bit_length() - low
    if not mask or mask != ((1 << count) - 1) << low:
        remark = f"Bit mask 0x{mask:X} is not contiguous: the whole word is recorded."
        return Placement(data_type, offset, 0, 8 * size, remark=remark)
    shift = low if channel.bit_shift is None else channel.bit_shift
    start = low // 8
    if big:  # the byte that holds the lowest bits comes last
        start = size - (low + count + 7) // 8
    scale = 2.0 ** (low - shift)
    return Placement(int(big), offset + start, low % 8, count, scale=scale)


def place(channel: Channel, dtype: np.dtype[Any]) -> Placement:
    """Position and type of a channel in the rows of a group.

    Raises:
        UsageError: no such field, or a type that MDF4 cannot hold.
    """
    name = channel.field or channel.name
    fields = dtype.fields
    if fields is None or name not in fields:
        raise UsageError(
            f"{channel.name}: the rows have no field {name!r}.", hint="Check the raster's dtype."
        )
    item, offset = fields[name][:2]
    base, shape = item.subdtype or (item, ())
    if base.kind in _NUMBER_TYPES and base.itemsize <= 8:
        if not shape:
            return _number_place(channel, base, offset)
        found = Placement(_NUMBER_TYPES[base.kind] + _is_big_endian(base), offset, 0, 0)
    elif base.kind == "S" and not shape:
        found = Placement(_TEXT_TYPES.get(channel.encoding, 6), offset, 0, 0)
    elif base.kind in "SV":
        found = Placement(_BYTE_ARRAY, offset, 0, 0)
    else:
        raise UsageError(
            f"{channel.name}: MDF4 has no type for {base}.",
            hint="Use integers or floats of up to 8 bytes, bytes or fixed text.",
        )
    if base.itemsize == 0 or prod(shape) == 0:
        raise UsageError(f"{channel.name}: its field is empty.", hint="Leave the signal out.")
    remark = ""
    if shape and channel.bit_mask is not None:
        remark = f"Bit mask 0x{channel.bit_mask:X} is not applied to the elements of an array."
    return Placement(
        found.data_type, offset, 0, 8 * base.itemsize, tuple(shape), base.itemsize, remark=remark
    )


def unique_names(names: Iterable[str]) -> list[str]:
    """The names in their order, with ``_2``, ``_3`` … behind those that came before."""
    wanted = [name or "unnamed" for name in names]
    taken = set(wanted)
    seen: set[str] = set()
    counters: dict[str, int] = {}
    result: list[str] = []
    for name in wanted:
        unique = name
        while unique in seen or (unique != name and unique in taken):
            counters[name] = counters.get(name, 1) + 1
            unique = f"{name}_{counters[name]}"
        seen.add(unique)
        result.append(unique)
    return result


@dataclass(frozen=True, slots=True)
class GroupPlace:
    """Positions that the writer patches while it records one group.

    Attributes:
        dg: offset of the DG block.
        cg: offset of the CG block.
        journal: offset of the 16 hexadecimal digits that name the first DL block.
        record_size: bytes per record: time, row, one u64 per VLSD channel.
        vlsd: offset of the CN block and field name, per VLSD channel, in record order.
    """

    dg: int
    cg: int
    journal: int
    record_size: int
    vlsd: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """Bytes of a file without records.

    Attributes:
        start: ID, HD and first FH block: a valid file without groups.
        rest: all other blocks, to be placed directly behind ``start``.
        hd: HD block with all links, to be written last.
        fh: offset of the FH block.
    """

    start: bytes
    rest: bytes
    hd: bytes
    fh: int
    groups: tuple[GroupPlace, ...]


class _Arena:
    """Blocks placed one behind the other; equal texts, sources and conversions only once."""

    def __init__(self, start: int) -> None:
        self.data = bytearray()
        self.start = start
        self._placed: dict[bytes, int] = {}

    def place(self, block: blocks.Block) -> int:
        encoded = block.encode()
        offset = self.start + len(self.data)
        self.data += encoded
        self.data += bytes(-len(self.data) % 8)
        return offset

    def share(self, block: blocks.Block) -> int:
        encoded = block.encode()
        offset = self._placed.get(encoded)
        if offset is None:
            offset = self._placed[encoded] = self.place(block)
        return offset

    def tx(self, text: str) -> int:
        return self.share(blocks.TxBlock.of(text)) if text else 0

    def md(self, xml: str) -> int:
        return self.share(blocks.MdBlock.of(xml))


def file_history(comment: str, version: str) -> blocks.MdBlock:
    """Comment of an FH block: what was done, by which tool *(MDF4, FH block)*."""
    elements = {"tool_id": "XCaliper", "tool_vendor": "XCaliper", "tool_version": version or "0"}
    return blocks.MdBlock.of(wrap("FHcomment", comment, elements=elements))


def build(
    header: Header,
    groups: Sequence[Group],
    attachments: Sequence[Attachment] = (),
    *,
    unfinished: bool = False,
) -> Structure:
    """All blocks of a recording before its first record.

    Args:
        header: time and description.
        groups: rasters; each becomes a data group with one channel group.
        attachments: files to embed.
        unfinished: mark the file as ``UnFinMF`` until it is closed.

    Raises:
        UsageError: a field that does not exist, a type MDF4 cannot hold, a row that is too large.
    """
    hd_size = len(_hd(header).encode())
    start = _Arena(blocks.ID_SIZE + hd_size)
    comment = start.place(file_history("Recording started.", header.tool_version))
    fh = start.place(
        blocks.FhBlock(
            fh_md_comment=comment,
            fh_time_ns=header.start_ns,
            fh_tz_offset_min=header.tz_offset_min,
            fh_dst_offset_min=header.dst_offset_min,
        )
    )
    arena = _Arena(start.start + len(start.data))
    dg_first, places = _place_groups(arena, groups)
    hd = _hd(
        header,
        hd_dg_first=dg_first,
        hd_fh_first=fh,
        hd_at_first=_place_attachments(arena, attachments),
        hd_md_comment=arena.md(_header_comment(header)),
    )
    ident = blocks.IdBlock("UnFinMF", id_unfin_flags=1) if unfinished else blocks.IdBlock()
    head = ident.encode() + _hd(header, hd_fh_first=fh).encode() + start.data
    return Structure(bytes(head), bytes(arena.data), hd.encode(), fh, places)


def _hd(header: Header, **targets: int) -> blocks.HdBlock:
    return blocks.HdBlock(
        hd_start_time_ns=header.start_ns,
        hd_tz_offset_min=header.tz_offset_min,
        hd_dst_offset_min=header.dst_offset_min,
        **targets,
    )


def _header_comment(header: Header) -> str:
    properties = {
        "author": header.author,
        "department": header.department,
        "project": header.project,
        "subject": header.subject,
    }
    return wrap("HDcomment", header.comment, properties=properties | dict(header.properties))


def _place_attachments(arena: _Arena, attachments: Sequence[Attachment]) -> int:
    following = 0
    for item in reversed(attachments):
        following = arena.place(
            blocks.AtBlock(
                at_at_next=following,
                at_tx_filename=arena.tx(item.name),
                at_tx_mimetype=arena.tx(item.mime),
                at_md_comment=arena.tx(item.comment),
                at_flags=0b111,
                at_md5_checksum=hashlib.md5(item.data, usedforsecurity=False).digest(),
                at_original_size=len(item.data),
                at_embedded_data=zlib.compress(item.data, 6),
            )
        )
    return following


def _place_groups(arena: _Arena, groups: Sequence[Group]) -> tuple[int, tuple[GroupPlace, ...]]:
    places: list[GroupPlace] = []
    following = 0
    for group in reversed(groups):
        placed = _place_group(arena, group, following)
        following = placed.dg
        places.append(placed)
    return following, tuple(reversed(places))


def _place_group(arena: _Arena, group: Group, following: int) -> GroupPlace:
    vlsd = [c for c in group.channels if c.vlsd]
    record_size = TIME_SIZE + group.dtype.itemsize + 8 * len(vlsd)
    if record_size > MAX_RECORD_SIZE:
        raise UsageError(
            f"{group.name}: rows of {record_size} bytes; at most {MAX_RECORD_SIZE} are supported.",
            hint="Split the raster.",
        )
    names = unique_names([*(c.name for c in group.channels), "time"])
    cn_next = 0
    vlsd_at: dict[int, int] = {}
    slot = TIME_SIZE + group.dtype.itemsize + 8 * len(vlsd)
    for channel, name in zip(reversed(group.channels), reversed(names[:-1]), strict=True):
        spot = place(channel, group.dtype)
        if channel.vlsd:
            slot -= 8
            spot = _vlsd_place(channel, group.dtype, spot, slot)
        cn_next = _place_channel(arena, channel, name, spot, cn_next)
        if channel.vlsd:
            vlsd_at[slot] = cn_next
    cn_first = _place_master(arena, names[-1], cn_next)
    cycle = {"cycle_ns": str(group.cycle_ns)} if group.cycle_ns else {}
    cg = arena.place(
        blocks.CgBlock(
            cg_cn_first=cn_first,
            cg_tx_acq_name=arena.tx(group.name),
            cg_si_acq_source=_place_source(arena, group.source),
            cg_md_comment=arena.md(wrap("CGcomment", group.comment, properties=cycle))
            if cycle
            else arena.tx(group.comment),
            cg_data_bytes=record_size,
        )
    )
    journal = wrap("DGcomment", f"{group.name[:200]}: {JOURNAL}{0:016x}")
    comment = arena.place(blocks.MdBlock.of(journal))  # patched, so never shared
    digits = journal.encode("utf-8", "replace").rindex(JOURNAL.encode()) + len(JOURNAL)
    dg = arena.place(blocks.DgBlock(dg_dg_next=following, dg_cg_first=cg, dg_md_comment=comment))
    return GroupPlace(
        dg,
        cg,
        comment + blocks.HEADER_SIZE + digits,
        record_size,
        tuple(
            (vlsd_at[at], c.field or c.name) for at, c in zip(sorted(vlsd_at), vlsd, strict=True)
        ),
    )


def _vlsd_place(channel: Channel, dtype: np.dtype[Any], spot: Placement, slot: int) -> Placement:
    if dtype[channel.field or channel.name].kind != "S":
        raise UsageError(
            f"{channel.name}: only text can have a variable length.", hint="Leave vlsd out."
        )
    return Placement(spot.data_type, slot - TIME_SIZE, 0, 64)


def _place_source(arena: _Arena, source: Source | None) -> int:
    if source is None:
        return 0
    return arena.share(
        blocks.SiBlock(
            si_tx_name=arena.tx(source.name),
            si_tx_path=arena.tx(source.path),
            si_md_comment=arena.tx(source.comment),
            si_type=source.kind,
            si_bus_type=source.bus,
        )
    )


def _place_conversion(arena: _Arena, conversion: Conversion, unit: int) -> int:
    parts = to_parts(conversion)
    if parts.cc_type == 0:
        return 0
    refs = tuple(arena.share(blocks.TxBlock.of(text)) for text in parts.texts)
    return arena.share(
        blocks.CcBlock(cc_md_unit=unit, cc_type=parts.cc_type, cc_ref=refs, cc_val=parts.values)
    )


def _place_array(arena: _Arena, channel: Channel, spot: Placement) -> int:
    if not spot.shape:
        return 0
    fixed = channel.axes and tuple(len(axis) for axis in channel.axes) == spot.shape
    dimensions = len(spot.shape)
    return arena.place(
        blocks.CaBlock(
            ca_type=2 if fixed else 0,
            ca_flags=0x30 if fixed else 0,
            ca_cc_axis_conversion=(0,) * dimensions if fixed else (),
            ca_byte_offset_base=spot.stride,
            ca_dim_size=spot.shape,
            ca_axis_value=tuple(x for axis in channel.axes for x in axis) if fixed else (),
        )
    )


def _place_comment(arena: _Arena, channel: Channel, name: str, spot: Placement) -> int:
    text = "\n".join(part for part in (channel.comment, spot.remark) if part)
    display = channel.display_name or (channel.name if channel.name != name else "")
    names = wrap("names", "", elements={"display": display}).replace("<TX></TX>", "")
    address = "" if channel.address is None else f"0x{channel.address:08X}"
    elements = {"linker_name": channel.linker_name, "address": address}
    if not display and not any(elements.values()):
        return arena.tx(text)  # plain text is shown as it is by every reader
    return arena.md(wrap("CNcomment", text, inner=names if display else "", elements=elements))


def _place_channel(
    arena: _Arena, channel: Channel, name: str, spot: Placement, following: int
) -> int:
    unit = arena.tx(channel.unit)
    limits = isfinite(channel.lower) and isfinite(channel.upper) and channel.lower <= channel.upper
    conversion = Identity() if channel.raw else prescaled(channel.conversion, spot.scale)
    return arena.place(
        blocks.CnBlock(
            cn_cn_next=following,
            cn_composition=_place_array(arena, channel, spot),
            cn_tx_name=arena.share(blocks.TxBlock.of(name)),
            cn_cc_conversion=_place_conversion(arena, conversion, unit),
            cn_md_unit=unit,
            cn_md_comment=_place_comment(arena, channel, name, spot),
            cn_type=1 if channel.vlsd else 0,
            cn_data_type=spot.data_type,
            cn_bit_offset=spot.bit_offset,
            cn_byte_offset=TIME_SIZE + spot.byte_offset,
            cn_bit_count=spot.bit_count,
            cn_flags=(0x10 if limits else 0) | (0x80 if channel.calibration else 0),
            cn_limit_min=channel.lower if limits else 0.0,
            cn_limit_max=channel.upper if limits else 0.0,
        )
    )


def _place_master(arena: _Arena, name: str, following: int) -> int:
    return arena.place(
        blocks.CnBlock(
            cn_cn_next=following,
            cn_tx_name=arena.tx(name),
            cn_md_unit=arena.tx("s"),
            cn_md_comment=arena.tx("Time of the slave's clock since the start."),
            cn_type=2,
            cn_sync_type=1,
            cn_data_type=4,
            cn_bit_count=64,
        )
    )
