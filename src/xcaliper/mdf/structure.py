"""The blocks of a recording before its first record."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import UsageError
from xcaliper.mdf import blocks
from xcaliper.mdf.comments import wrap
from xcaliper.mdf.conversion import Conversion, Identity, prescaled, to_parts
from xcaliper.mdf.placement import Placement, place, text_type, unique_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from xcaliper.mdf.description import Attachment, Channel, Group, Header, Source

__all__ = ["JOURNAL", "GroupPlace", "Structure", "build", "file_history", "header_comment"]

JOURNAL: Final = "first data list 0x"
"""Text in the comment of a data group in front of 16 hexadecimal digits: its first DL block."""

TIME_SIZE: Final = 8
MAX_RECORD_SIZE: Final = 1 << 28


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
        hd_md_comment=arena.md(header_comment(header)),
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


def header_comment(header: Header) -> str:
    """Comment of the HD block: text and properties *(MDF4, HD block)*."""
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
                at_embedded_data=item.packed().deflated,
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
    base, shape = dtype[channel.field or channel.name].base, spot.shape
    octets = base.kind in "ui" and base.itemsize == 1 and len(shape) == 1
    if not octets and (base.kind != "S" or shape):
        raise UsageError(
            f"{channel.name}: only text can have a variable length.", hint="Leave vlsd out."
        )
    return Placement(text_type(channel.encoding), slot - TIME_SIZE, 0, 64)


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
            cn_flags=(0x10 if limits else 0)
            | (0x80 if channel.calibration else 0)
            | (0x100 if channel.calculated else 0),
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
