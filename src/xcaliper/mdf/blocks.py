"""Every MDF4 block: links and data fields, declared once for writer, reader and repair.

All numbers are little endian, links are absolute file positions, 0 means "none" *(MDF4, 4.1)*.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar, Final, Self

from xcaliper.core.errors import WireError
from xcaliper.mdf.layout import (
    HEADER_SIZE,
    Block,
    array,
    block,
    block_header,
    counted,
    f64,
    i16,
    i32,
    i64,
    link,
    links,
    octets,
    peek_header,
    rest,
    u8,
    u16,
    u32,
    u64,
)

__all__ = [
    "BLOCKS",
    "HEADER_SIZE",
    "ID_SIZE",
    "AtBlock",
    "Block",
    "CaBlock",
    "CcBlock",
    "CgBlock",
    "ChBlock",
    "CnBlock",
    "DgBlock",
    "DlBlock",
    "DtBlock",
    "DzBlock",
    "EvBlock",
    "FhBlock",
    "HdBlock",
    "HlBlock",
    "IdBlock",
    "MdBlock",
    "SdBlock",
    "SiBlock",
    "TxBlock",
    "block_header",
    "peek_header",
]

ID_SIZE: Final = 64


@dataclass(frozen=True, slots=True)
class IdBlock:
    """First 64 bytes of a file; the only block without a header *(MDF4, ID block)*.

    Attributes:
        id_file: ``MDF`` for a finished file, ``UnFinMF`` for one whose counters may lag.
        id_unfin_flags: what a reader must mend, bit 0 = cycle counters.
    """

    id_file: str = "MDF"
    id_vers: str = "4.10"
    id_prog: str = "XCaliper"
    id_ver: int = 410
    id_unfin_flags: int = 0
    id_custom_unfin_flags: int = 0

    _LAYOUT: ClassVar[struct.Struct] = struct.Struct("<8s8s8s4xH30xHH")

    def encode(self) -> bytes:
        """The 64 bytes."""
        texts = (
            t.encode("ascii", "replace")[:8].ljust(8)
            for t in (self.id_file, self.id_vers, self.id_prog)
        )
        return self._LAYOUT.pack(
            *texts, self.id_ver, self.id_unfin_flags, self.id_custom_unfin_flags
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the identification.

        Raises:
            WireError: too short or not an MDF4 identification.
        """
        if len(data) < ID_SIZE:
            raise WireError("ID", need=ID_SIZE, got=len(data))
        file, version, program, number, flags, custom = cls._LAYOUT.unpack_from(data)
        texts = [t.split(b"\0")[0].decode("latin-1").rstrip() for t in (file, version, program)]
        if texts[0] not in {"MDF", "UnFinMF"}:
            raise WireError("ID", need="MDF or UnFinMF", got=ascii(texts[0]), what="file id")
        return cls(texts[0], texts[1], texts[2], number, flags, custom)


@block(b"##HD")
class HdBlock(Block):
    """Header of the measurement, always at byte 64 *(MDF4, HD block)*."""

    hd_dg_first: int = link()
    hd_fh_first: int = link()
    hd_ch_first: int = link()
    hd_at_first: int = link()
    hd_ev_first: int = link()
    hd_md_comment: int = link()
    hd_start_time_ns: int = u64()
    hd_tz_offset_min: int = i16()
    hd_dst_offset_min: int = i16()
    hd_time_flags: int = u8(2)
    hd_time_class: int = u8()
    hd_flags: int = u8(pad=1)
    hd_start_angle_rad: float = f64()
    hd_start_distance_m: float = f64()


@block(b"##FH")
class FhBlock(Block):
    """One entry of the file history *(MDF4, FH block)*."""

    fh_fh_next: int = link()
    fh_md_comment: int = link()
    fh_time_ns: int = u64()
    fh_tz_offset_min: int = i16()
    fh_dst_offset_min: int = i16()
    fh_time_flags: int = u8(2, pad=3)


class _TextBlock(Block):
    """UTF-8 text behind a header, zero terminated and padded to eight bytes."""

    __slots__ = ()
    if TYPE_CHECKING:
        text_data: bytes

    @classmethod
    def of(cls, text: str) -> Self:
        """Block for a text; what follows a zero character would be lost, so it is cut there."""
        data = text.split("\0", 1)[0].encode("utf-8", "replace")
        return cls(text_data=data.ljust(len(data) + 8 - len(data) % 8, b"\0"))  # type: ignore[call-arg]

    @property
    def text(self) -> str:
        """The text up to its terminating zero."""
        return self.text_data.split(b"\0", 1)[0].decode("utf-8", "replace")


@block(b"##TX")
class TxBlock(_TextBlock):
    """Plain text *(MDF4, TX block)*."""

    text_data: bytes = rest()


@block(b"##MD")
class MdBlock(_TextBlock):
    """XML text *(MDF4, MD block)*."""

    text_data: bytes = rest()


@block(b"##DG")
class DgBlock(Block):
    """Data group *(MDF4, DG block)*."""

    dg_dg_next: int = link()
    dg_cg_first: int = link()
    dg_data: int = link()
    dg_md_comment: int = link()
    dg_rec_id_size: int = u8(pad=7)


@block(b"##CG")
class CgBlock(Block):
    """Channel group *(MDF4, CG block)*."""

    cg_cg_next: int = link()
    cg_cn_first: int = link()
    cg_tx_acq_name: int = link()
    cg_si_acq_source: int = link()
    cg_sr_first: int = link()
    cg_md_comment: int = link()
    cg_record_id: int = u64()
    cg_cycle_count: int = u64()
    cg_flags: int = u16()
    cg_path_separator: int = u16(pad=4)
    cg_data_bytes: int = u32()
    cg_inval_bytes: int = u32()


@block(b"##CN")
class CnBlock(Block):
    """Channel *(MDF4, CN block)*."""

    cn_cn_next: int = link()
    cn_composition: int = link()
    cn_tx_name: int = link()
    cn_si_source: int = link()
    cn_cc_conversion: int = link()
    cn_data: int = link()
    cn_md_unit: int = link()
    cn_md_comment: int = link()
    cn_at_reference: tuple[int, ...] = links(lambda f: f["cn_attachment_count"])
    cn_default_x: tuple[int, ...] = links(lambda f: 3 if f["cn_flags"] & 0x1000 else 0)
    cn_type: int = u8()
    cn_sync_type: int = u8()
    cn_data_type: int = u8()
    cn_bit_offset: int = u8()
    cn_byte_offset: int = u32()
    cn_bit_count: int = u32()
    cn_flags: int = u32()
    cn_inval_bit_pos: int = u32()
    cn_precision: int = u8(pad=1)
    cn_attachment_count: int = counted("H", "cn_at_reference")
    cn_val_range_min: float = f64()
    cn_val_range_max: float = f64()
    cn_limit_min: float = f64()
    cn_limit_max: float = f64()
    cn_limit_ext_min: float = f64()
    cn_limit_ext_max: float = f64()


@block(b"##CC")
class CcBlock(Block):
    """Conversion rule *(MDF4, CC block)*."""

    cc_tx_name: int = link()
    cc_md_unit: int = link()
    cc_md_comment: int = link()
    cc_cc_inverse: int = link()
    cc_ref: tuple[int, ...] = links(lambda f: f["cc_ref_count"])
    cc_type: int = u8()
    cc_precision: int = u8()
    cc_flags: int = u16()
    cc_ref_count: int = counted("H", "cc_ref")
    cc_val_count: int = counted("H", "cc_val")
    cc_phy_range_min: float = f64()
    cc_phy_range_max: float = f64()
    cc_val: tuple[float, ...] = array("d", lambda f: f["cc_val_count"])


@block(b"##SI")
class SiBlock(Block):
    """Source of a group or channel *(MDF4, SI block)*."""

    si_tx_name: int = link()
    si_tx_path: int = link()
    si_md_comment: int = link()
    si_type: int = u8()
    si_bus_type: int = u8()
    si_flags: int = u8(pad=5)


@block(b"##CA")
class CaBlock(Block):
    """Array of channels *(MDF4, CA block)*."""

    ca_composition: int = link()
    ca_data: tuple[int, ...] = links(
        lambda f: prod(f["ca_dim_size"]) if f["ca_storage"] == 2 else 0
    )
    ca_dynamic_size: tuple[int, ...] = links(lambda f: 3 * f["ca_ndim"] * (f["ca_flags"] & 1))
    ca_input_quantity: tuple[int, ...] = links(
        lambda f: 3 * f["ca_ndim"] if f["ca_flags"] & 0x02 else 0
    )
    ca_output_quantity: tuple[int, ...] = links(lambda f: 3 if f["ca_flags"] & 0x04 else 0)
    ca_comparison_quantity: tuple[int, ...] = links(lambda f: 3 if f["ca_flags"] & 0x08 else 0)
    ca_cc_axis_conversion: tuple[int, ...] = links(
        lambda f: f["ca_ndim"] if f["ca_flags"] & 0x10 else 0
    )
    ca_axis: tuple[int, ...] = links(
        lambda f: 3 * f["ca_ndim"] if f["ca_flags"] & 0x30 == 0x10 else 0
    )
    ca_type: int = u8()
    ca_storage: int = u8()
    ca_ndim: int = counted("H", "ca_dim_size")
    ca_flags: int = u32()
    ca_byte_offset_base: int = i32()
    ca_inval_bit_pos_base: int = u32()
    ca_dim_size: tuple[int, ...] = array("Q", lambda f: f["ca_ndim"])
    ca_axis_value: tuple[float, ...] = array(
        "d", lambda f: sum(f["ca_dim_size"]) if f["ca_flags"] & 0x20 else 0
    )
    ca_cycle_count: tuple[int, ...] = array(
        "Q", lambda f: prod(f["ca_dim_size"]) if f["ca_storage"] else 0
    )


@block(b"##DT")
class DtBlock(Block):
    """Records back to back *(MDF4, DT block)*."""

    dt_data: bytes = rest()


@block(b"##SD")
class SdBlock(Block):
    """Values of variable length, each behind its u32 length *(MDF4, SD block)*."""

    sd_data: bytes = rest()


@block(b"##DZ")
class DzBlock(Block):
    """Compressed DT or SD block *(MDF4, DZ block, 4.1)*."""

    dz_org_block_type: bytes = octets(2, b"DT")
    dz_zip_type: int = u8(pad=1)
    dz_zip_parameter: int = u32()
    dz_org_data_length: int = u64()
    dz_data_length: int = counted("Q", "dz_data")
    dz_data: bytes = rest()


@block(b"##DL")
class DlBlock(Block):
    """List of data blocks *(MDF4, DL block)*."""

    dl_dl_next: int = link()
    dl_data: tuple[int, ...] = links(lambda f: f["dl_count"])
    dl_flags: int = u8(pad=3)
    dl_count: int = counted("I", "dl_data")
    dl_equal_length: tuple[int, ...] = array("Q", lambda f: f["dl_flags"] & 1)
    dl_offset: tuple[int, ...] = array("Q", lambda f: 0 if f["dl_flags"] & 1 else f["dl_count"])


@block(b"##HL")
class HlBlock(Block):
    """Head of a list with compressed blocks *(MDF4, HL block, 4.1)*."""

    hl_dl_first: int = link()
    hl_flags: int = u16()
    hl_zip_type: int = u8(pad=5)


@block(b"##AT")
class AtBlock(Block):
    """Embedded attachment *(MDF4, AT block)*."""

    at_at_next: int = link()
    at_tx_filename: int = link()
    at_tx_mimetype: int = link()
    at_md_comment: int = link()
    at_flags: int = u16()
    at_creator_index: int = u16(pad=4)
    at_md5_checksum: bytes = octets(16)
    at_original_size: int = u64()
    at_embedded_size: int = counted("Q", "at_embedded_data")
    at_embedded_data: bytes = rest()


@block(b"##EV")
class EvBlock(Block):
    """Something that happened at a time *(MDF4, EV block)*."""

    ev_ev_next: int = link()
    ev_ev_parent: int = link()
    ev_ev_range: int = link()
    ev_tx_name: int = link()
    ev_md_comment: int = link()
    ev_scope: tuple[int, ...] = links(lambda f: f["ev_scope_count"])
    ev_at_reference: tuple[int, ...] = links(lambda f: f["ev_attachment_count"])
    ev_type: int = u8()
    ev_sync_type: int = u8(1)
    ev_range_type: int = u8()
    ev_cause: int = u8()
    ev_flags: int = u8(pad=3)
    ev_scope_count: int = counted("I", "ev_scope")
    ev_attachment_count: int = counted("H", "ev_at_reference")
    ev_creator_index: int = u16()
    ev_sync_base_value: int = i64()
    ev_sync_factor: float = f64(1e-9)


@block(b"##CH")
class ChBlock(Block):
    """Node of the tree that groups channels by function *(MDF4, CH block)*."""

    ch_ch_next: int = link()
    ch_ch_first: int = link()
    ch_tx_name: int = link()
    ch_md_comment: int = link()
    ch_element: tuple[int, ...] = links(lambda f: 3 * f["ch_element_count"])
    ch_element_count: int = counted("I", "ch_element", per=3)
    ch_type: int = u8(pad=3)


BLOCKS: Final[dict[bytes, type[Block]]] = {
    cls.layout.id: cls
    for cls in (
        HdBlock, FhBlock, TxBlock, MdBlock, DgBlock, CgBlock, CnBlock, CcBlock, SiBlock, CaBlock,
        DtBlock, SdBlock, DzBlock, DlBlock, HlBlock, AtBlock, EvBlock, ChBlock,
    )
}  # fmt: skip
"""Every block with a header, by its id."""
