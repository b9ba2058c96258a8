"""Every MDF4 block layout: links and data fields, declared once for writer, reader and repair.

All numbers are little endian, links are absolute file positions, 0 means "none" *(MDF4, 4.1)*.
A block is a frozen dataclass; its terms say where each field lies:

* ``link()`` and ``links()`` go to the link section, in the order of the class body;
* ``u8()`` … ``f64()`` go to the data section, reserved bytes are declared by ``pad``;
* ``counted()`` is a scalar that always equals the length of another field;
* ``array()`` and ``rest()`` follow behind all scalars.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, fields
from math import prod
from operator import attrgetter
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Protocol,
    Self,
    TypeVar,
    cast,
    dataclass_transform,
)

from xcaliper.core.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

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

HEADER_SIZE: Final = 24
ID_SIZE: Final = 64
_HEADER: Final = struct.Struct("<4sIQQ")
_LINK: Final = 8


class _Fields(Protocol):
    """What a count rule may look at: the fields decoded so far, by name."""

    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Term:
    """Place of one field: role, struct code, reserved bytes behind it, count rule."""

    role: str
    code: str = ""
    pad: int = 0
    count: Callable[[_Fields], int] | None = None
    of: str = ""
    per: int = 1


def _scalar(code: str, default: float, pad: int) -> Any:
    return field(default=default, metadata={"term": _Term("scalar", code, pad)})


def u8(default: int = 0, *, pad: int = 0) -> Any:
    """Unsigned byte, with ``pad`` reserved bytes behind it."""
    return _scalar("B", default, pad)


def u16(default: int = 0, *, pad: int = 0) -> Any:
    """Unsigned 16 bit."""
    return _scalar("H", default, pad)


def u32(default: int = 0, *, pad: int = 0) -> Any:
    """Unsigned 32 bit."""
    return _scalar("I", default, pad)


def u64(default: int = 0, *, pad: int = 0) -> Any:
    """Unsigned 64 bit."""
    return _scalar("Q", default, pad)


def i16(default: int = 0, *, pad: int = 0) -> Any:
    """Signed 16 bit."""
    return _scalar("h", default, pad)


def i32(default: int = 0, *, pad: int = 0) -> Any:
    """Signed 32 bit."""
    return _scalar("i", default, pad)


def i64(default: int = 0, *, pad: int = 0) -> Any:
    """Signed 64 bit."""
    return _scalar("q", default, pad)


def f64(default: float = 0.0, *, pad: int = 0) -> Any:
    """IEEE double."""
    return _scalar("d", default, pad)


def octets(size: int, default: bytes = b"") -> Any:
    """Exactly ``size`` bytes, zero filled."""
    return field(default=default.ljust(size, b"\0"), metadata={"term": _Term("scalar", f"{size}s")})


def counted(code: str, of: str, *, per: int = 1, pad: int = 0) -> Any:
    """Scalar that equals the number of entries (groups of ``per``) in the field ``of``."""
    return field(
        default=0, init=False, metadata={"term": _Term("count", code, pad, of=of, per=per)}
    )


def link() -> Any:
    """One link."""
    return field(default=0, metadata={"term": _Term("link")})


def links(count: Callable[[_Fields], int]) -> Any:
    """As many links as ``count`` says from the data fields."""
    return field(default=(), metadata={"term": _Term("links", count=count)})


def array(code: str, count: Callable[[_Fields], int]) -> Any:
    """As many numbers as ``count`` says from the fields before it."""
    return field(default=(), metadata={"term": _Term("array", code, count=count)})


def rest() -> Any:
    """All remaining bytes of the block."""
    return field(default=b"", metadata={"term": _Term("rest")})


@dataclass(frozen=True, slots=True)
class _Layout:
    """Compiled terms of one block class."""

    id: bytes
    link_terms: tuple[tuple[str, _Term], ...]
    scalars: tuple[str, ...]
    counts: tuple[tuple[str, str, int], ...]
    fixed: struct.Struct
    offsets: dict[str, int]
    tail: tuple[tuple[str, _Term], ...]
    least_links: int
    link_lists: tuple[str, ...]
    whole: struct.Struct
    values: Callable[[Any], tuple[Any, ...]]


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Function that reads several attributes at once, as a tuple also for one or none."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda block: tuple(getattr(block, name) for name in names)


def _compile(block_id: bytes, cls: type) -> _Layout:
    link_terms: list[tuple[str, _Term]] = []
    scalars: list[str] = []
    counts: list[tuple[str, str, int]] = []
    tail: list[tuple[str, _Term]] = []
    offsets: dict[str, int] = {}
    code = "<"
    for item in fields(cls):
        term: _Term = item.metadata["term"]
        if term.role in {"link", "links"}:
            offsets[item.name] = HEADER_SIZE + _LINK * len(link_terms)
            link_terms.append((item.name, term))
        elif term.role in {"array", "rest"}:
            tail.append((item.name, term))
        else:
            offsets[item.name] = struct.calcsize(code)
            code += term.code + (f"{term.pad}x" if term.pad else "")
            scalars.append(item.name)
            if term.role == "count":
                counts.append((item.name, term.of, term.per))
    singles = tuple(name for name, term in link_terms if term.role == "link")
    lists = tuple(name for name, term in link_terms if term.role == "links")
    assert [name for name, _ in link_terms] == [*singles, *lists], "single links come first"
    return _Layout(
        id=block_id,
        link_terms=tuple(link_terms),
        scalars=tuple(scalars),
        counts=tuple(counts),
        fixed=struct.Struct(code),
        offsets=offsets,
        tail=tuple(tail),
        least_links=len(singles),
        link_lists=lists,
        whole=struct.Struct(f"{_HEADER.format}{len(singles)}Q{code[1:]}"),
        values=_getter((*singles, *scalars)),
    )


class Block:
    """Base of every block with a header."""

    __slots__ = ()
    layout: ClassVar[_Layout]

    def __post_init__(self) -> None:
        for name, of, per in self.layout.counts:
            object.__setattr__(self, name, len(getattr(self, of)) // per)

    @classmethod
    def position(cls, name: str) -> int:
        """Byte position of a link, or of a scalar when all links are single, inside the block."""
        layout = cls.layout
        at = layout.offsets[name]
        if name in layout.scalars:
            assert layout.least_links == len(layout.link_terms), "position depends on the block"
            at += HEADER_SIZE + _LINK * layout.least_links
        return at

    def encode(self) -> bytes:
        """The whole block, header included, without padding behind it."""
        layout = self.layout
        tail = b""
        more: tuple[int, ...] = ()
        try:
            for name in layout.link_lists:
                more += getattr(self, name)
            for name, term in layout.tail:
                value = getattr(self, name)
                tail += (
                    value
                    if term.role == "rest"
                    else struct.pack(f"<{len(value)}{term.code}", *value)
                )
            size = layout.whole.size + _LINK * len(more) + len(tail)
            head = (layout.id, 0, size, layout.least_links + len(more))
            if not more:
                return layout.whole.pack(*head, *layout.values(self)) + tail
            values = layout.values(self)
            singles, scalars = values[: layout.least_links], values[layout.least_links :]
            count = len(singles) + len(more)
            links = struct.pack(f"<{count}Q", *singles, *more)
            return _HEADER.pack(*head) + links + layout.fixed.pack(*scalars) + tail
        except struct.error as error:
            raise WireError(
                layout.id.decode(), need="values in range", got=str(error), what="field"
            ) from None

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a block from bytes that start with its header.

        Raises:
            WireError: wrong id, or lengths and counts that do not fit together.
        """
        layout = cls.layout
        name = layout.id.decode()
        block_id, length, link_count = peek_header(data)
        if block_id != layout.id:
            raise WireError(name, need=name, got=ascii(block_id.decode("latin-1")), what="id")
        body_at = HEADER_SIZE + _LINK * link_count
        if len(data) < length or length < body_at + layout.fixed.size:
            raise WireError(name, need=body_at + layout.fixed.size, got=min(length, len(data)))
        targets = struct.unpack_from(f"<{link_count}Q", data, HEADER_SIZE)
        values: dict[str, Any] = dict(
            zip(layout.scalars, layout.fixed.unpack_from(data, body_at), strict=True)
        )
        cls._decode_tail(values, data[body_at + layout.fixed.size : length])
        cls._decode_links(values, targets)
        for count_name, _, _ in layout.counts:
            del values[count_name]
        return cls(**values)

    @classmethod
    def _decode_tail(cls, values: dict[str, Any], data: bytes) -> None:
        at = 0
        for name, term in cls.layout.tail:
            if term.role == "rest":
                values[name] = data[at:]
                continue
            assert term.count is not None, "arrays carry a count rule"
            count = term.count(values)
            size = count * struct.calcsize(term.code)
            if at + size > len(data):
                raise WireError(cls.layout.id.decode(), need=at + size, got=len(data), what=name)
            values[name] = struct.unpack_from(f"<{count}{term.code}", data, at)
            at += size

    @classmethod
    def _decode_links(cls, values: dict[str, Any], targets: tuple[int, ...]) -> None:
        at = 0
        for name, term in cls.layout.link_terms:
            count = 1 if term.count is None else term.count(values)
            if at + count > len(targets):
                raise WireError(
                    cls.layout.id.decode(), need=at + count, got=len(targets), what="link count"
                )
            part = targets[at : at + count]
            values[name] = part[0] if term.role == "link" else part
            at += count


_B = TypeVar("_B", bound=type)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def _block(block_id: bytes) -> Callable[[_B], _B]:
    def decorate(cls: _B) -> _B:
        made: Any = dataclass(frozen=True, slots=True, kw_only=True)(cls)
        made.layout = _compile(block_id, made)
        return cast("_B", made)  # dataclass() returns the same class, rebuilt with slots

    return decorate


def block_header(block_id: bytes, size: int, link_count: int = 0) -> bytes:
    """Header of a block whose links and data take ``size`` bytes."""
    return _HEADER.pack(block_id, 0, HEADER_SIZE + size, link_count)


def peek_header(data: bytes) -> tuple[bytes, int, int]:
    """Id, length and link count from the first 24 bytes of a block.

    Raises:
        WireError: fewer bytes, or a length that cannot hold header and links.
    """
    if len(data) < HEADER_SIZE:
        raise WireError("block header", need=HEADER_SIZE, got=len(data))
    block_id, _, length, link_count = _HEADER.unpack_from(data)
    if length < HEADER_SIZE + _LINK * link_count:
        raise WireError("block header", need=f"{HEADER_SIZE} + 8·{link_count}", got=length)
    return block_id, length, link_count


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


@_block(b"##HD")
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


@_block(b"##FH")
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


@_block(b"##TX")
class TxBlock(_TextBlock):
    """Plain text *(MDF4, TX block)*."""

    text_data: bytes = rest()


@_block(b"##MD")
class MdBlock(_TextBlock):
    """XML text *(MDF4, MD block)*."""

    text_data: bytes = rest()


@_block(b"##DG")
class DgBlock(Block):
    """Data group *(MDF4, DG block)*."""

    dg_dg_next: int = link()
    dg_cg_first: int = link()
    dg_data: int = link()
    dg_md_comment: int = link()
    dg_rec_id_size: int = u8(pad=7)


@_block(b"##CG")
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


@_block(b"##CN")
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


@_block(b"##CC")
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


@_block(b"##SI")
class SiBlock(Block):
    """Source of a group or channel *(MDF4, SI block)*."""

    si_tx_name: int = link()
    si_tx_path: int = link()
    si_md_comment: int = link()
    si_type: int = u8()
    si_bus_type: int = u8()
    si_flags: int = u8(pad=5)


@_block(b"##CA")
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


@_block(b"##DT")
class DtBlock(Block):
    """Records back to back *(MDF4, DT block)*."""

    dt_data: bytes = rest()


@_block(b"##SD")
class SdBlock(Block):
    """Values of variable length, each behind its u32 length *(MDF4, SD block)*."""

    sd_data: bytes = rest()


@_block(b"##DZ")
class DzBlock(Block):
    """Compressed DT or SD block *(MDF4, DZ block, 4.1)*."""

    dz_org_block_type: bytes = octets(2, b"DT")
    dz_zip_type: int = u8(pad=1)
    dz_zip_parameter: int = u32()
    dz_org_data_length: int = u64()
    dz_data_length: int = counted("Q", "dz_data")
    dz_data: bytes = rest()


@_block(b"##DL")
class DlBlock(Block):
    """List of data blocks *(MDF4, DL block)*."""

    dl_dl_next: int = link()
    dl_data: tuple[int, ...] = links(lambda f: f["dl_count"])
    dl_flags: int = u8(pad=3)
    dl_count: int = counted("I", "dl_data")
    dl_equal_length: tuple[int, ...] = array("Q", lambda f: f["dl_flags"] & 1)
    dl_offset: tuple[int, ...] = array("Q", lambda f: 0 if f["dl_flags"] & 1 else f["dl_count"])


@_block(b"##HL")
class HlBlock(Block):
    """Head of a list with compressed blocks *(MDF4, HL block, 4.1)*."""

    hl_dl_first: int = link()
    hl_flags: int = u16()
    hl_zip_type: int = u8(pad=5)


@_block(b"##AT")
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


@_block(b"##EV")
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


@_block(b"##CH")
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
