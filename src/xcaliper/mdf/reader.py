"""Reads files that the writer of this package made: live view, recovery, tests.

Everything from the file is distrusted: positions stay inside the file, no block is visited twice
in a list, sizes are capped. Other people's files are a task for asammdf.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import MdfError, NotFoundError, WireError
from xcaliper.mdf import blocks
from xcaliper.mdf.comments import comment_text, element_text, properties_of
from xcaliper.mdf.compress import decompress
from xcaliper.mdf.conversion import CcParts, Conversion, Identity, from_parts, to_phys
from xcaliper.mdf.walk import DAMAGED, MAX_META_SIZE, BlockReader, DataPiece, walk_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.mdf.storage import ReadableFile

__all__ = [
    "MdfReader",
    "ReadAttachment",
    "ReadChannel",
    "ReadEvent",
    "ReadGroup",
]

_DTYPES: Final = {0: "<u", 1: ">u", 2: "<i", 3: ">i", 4: "<f", 5: ">f"}
_ENCODINGS: Final = {6: "latin-1", 7: "utf-8", 8: "utf-16-le", 9: "utf-16-be"}


@dataclass(frozen=True, slots=True)
class ReadChannel:
    """One channel as the file describes it."""

    name: str
    unit: str
    comment: str
    conversion: Conversion
    data_type: int
    byte_offset: int
    bit_offset: int
    bit_count: int
    shape: tuple[int, ...] = ()
    lower: float | None = None
    upper: float | None = None
    display_name: str = ""
    address: int | None = None
    vlsd_at: int = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of raw values: the ECU's byte order; bit fields in the smallest unsigned type."""
        if self.data_type in _ENCODINGS:
            return np.dtype(f"S{self.bit_count // 8}")
        prefix = _DTYPES.get(self.data_type)
        if prefix is None:
            return np.dtype(f"V{self.bit_count // 8}")
        size = next((n for n in (1, 2, 4, 8) if 8 * n >= self.bit_count), 8)
        if prefix[1] == "f" and self.bit_count not in {16, 32, 64}:
            return np.dtype(f"V{self.bit_count // 8}")
        return np.dtype(f"{prefix}{size}")

    @property
    def is_bit_field(self) -> bool:
        """Whether the value is less than whole, aligned bytes."""
        return self.dtype.kind in "ui" and (
            self.bit_offset != 0 or self.bit_count not in {8, 16, 32, 64}
        )


@dataclass(slots=True)
class ReadGroup:
    """One channel group; ``cycles`` is what the file said when it was last asked."""

    name: str
    comment: str
    source: str
    channels: tuple[ReadChannel, ...]
    master: str
    record_size: int
    dg: int
    cg: int
    cycle_ns: int | None = None
    cycles: int = 0
    _pieces: list[DataPiece] = field(default_factory=list, repr=False)
    _last_list: int = 0

    def channel(self, name: str) -> ReadChannel:
        """Channel of that name.

        Raises:
            NotFoundError: no such channel.
        """
        for channel in self.channels:
            if channel.name == name:
                return channel
        raise NotFoundError(name, kind="channel")


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """One event; ``groups`` are indices of the groups it belongs to, empty = all."""

    kind: int
    t_ns: int
    text: str
    name: str
    cause: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadAttachment:
    """One embedded file."""

    name: str
    mime: str
    comment: str
    data: bytes


class MdfReader:
    """Groups, records, events and attachments of one of our own files, also while it grows.

    Raises:
        MdfError: not an MDF4 file, or its structure is damaged.
    """

    def __init__(self, file: ReadableFile) -> None:
        self._blocks = reader = BlockReader(file)
        try:
            self.ident = blocks.IdBlock.decode(reader.data(0, blocks.ID_SIZE))
        except WireError as error:
            raise MdfError(f"identification: {error}", hint="This is no MDF4 file.") from error
        self.header = reader.block(blocks.ID_SIZE, blocks.HdBlock)
        xml = reader.text(self.header.hd_md_comment)
        self.comment = comment_text(xml)
        self.properties = properties_of(xml)
        self.start_ns = self.header.hd_start_time_ns
        self.groups = tuple(
            self._group(at, block)
            for at, block in reader.chain(self.header.hd_dg_first, blocks.DgBlock, "dg_dg_next")
        )

    @property
    def history(self) -> list[str]:
        """Comments of the file history, oldest first."""
        chain = self._blocks.chain(self.header.hd_fh_first, blocks.FhBlock, "fh_fh_next")
        return [comment_text(self._blocks.text(fh.fh_md_comment)) for _, fh in chain]

    def _group(self, at: int, dg: blocks.DgBlock) -> ReadGroup:
        reader = self._blocks
        cg = reader.block(dg.dg_cg_first, blocks.CgBlock)
        if dg.dg_rec_id_size or cg.cg_cg_next or not 8 <= cg.cg_data_bytes <= MAX_META_SIZE:
            raise MdfError(
                f"group at {at}: not sorted, not one of ours.", hint="Open the file with asammdf."
            )
        source = ""
        if cg.cg_si_acq_source:
            source = reader.text(reader.block(cg.cg_si_acq_source, blocks.SiBlock).si_tx_name)
        comment = reader.text(cg.cg_md_comment)
        cycle = properties_of(comment).get("cycle_ns", "")
        channels = [
            (cn, self._channel(position, cn, cg.cg_data_bytes))
            for position, cn in reader.chain(cg.cg_cn_first, blocks.CnBlock, "cn_cn_next")
        ]
        if not channels or channels[0][0].cn_type != 2:
            raise MdfError(f"group at {at}: its time channel is missing.", hint=DAMAGED)
        if len({channel.name for _, channel in channels}) != len(channels):
            raise MdfError(f"group at {at}: two channels share a name.", hint=DAMAGED)
        return ReadGroup(
            name=reader.text(cg.cg_tx_acq_name),
            comment=comment_text(comment),
            source=source,
            channels=tuple(channel for _, channel in channels[1:]),
            master=channels[0][1].name,
            record_size=cg.cg_data_bytes,
            dg=at,
            cg=dg.dg_cg_first,
            cycle_ns=int(cycle) if cycle.isdecimal() and len(cycle) < 20 else None,
            cycles=cg.cg_cycle_count,
        )

    def _channel(self, at: int, cn: blocks.CnBlock, record_size: int) -> ReadChannel:
        reader = self._blocks
        comment = reader.text(cn.cn_md_comment)
        address = element_text(comment, "address")
        channel = ReadChannel(
            name=reader.text(cn.cn_tx_name),
            unit=reader.text(cn.cn_md_unit),
            comment=comment_text(comment),
            conversion=self._conversion(cn.cn_cc_conversion),
            data_type=cn.cn_data_type,
            byte_offset=cn.cn_byte_offset,
            bit_offset=cn.cn_bit_offset,
            bit_count=cn.cn_bit_count,
            shape=self._shape(cn.cn_composition),
            lower=cn.cn_limit_min if cn.cn_flags & 0x10 else None,
            upper=cn.cn_limit_max if cn.cn_flags & 0x10 else None,
            display_name=element_text(comment, "display"),
            address=_hexadecimal(address),
            vlsd_at=at if cn.cn_type == 1 else 0,
        )
        bits = cn.cn_bit_offset + cn.cn_bit_count
        elements = 1
        for size in channel.shape:
            elements *= size
        if (
            not elements
            or not channel.dtype.itemsize
            or cn.cn_byte_offset + (bits + 7) // 8 * elements > record_size
        ):
            raise MdfError(f"{channel.name}: lies outside its record.", hint=DAMAGED)
        if channel.vlsd_at and cn.cn_bit_count != 64:
            raise MdfError(f"{channel.name}: its offset is not 64 bit.", hint=DAMAGED)
        return channel

    def _conversion(self, at: int) -> Conversion:
        if not at:
            return Identity()
        block = self._blocks.block(at, blocks.CcBlock)
        texts = tuple(self._blocks.text(ref) for ref in block.cc_ref)
        return from_parts(CcParts(block.cc_type, texts, block.cc_val))

    def _shape(self, at: int) -> tuple[int, ...]:
        if not at:
            return ()
        return tuple(self._blocks.block(at, blocks.CaBlock).ca_dim_size[:8])

    def refresh(self, group: ReadGroup) -> int:
        """Ask the file again how many records a group has; the number that can be read now."""
        cg = self._blocks.block(group.cg, blocks.CgBlock)
        dg = self._blocks.block(group.dg, blocks.DgBlock)
        pieces = group._pieces  # noqa: SLF001  # the group is this class's own notebook
        end = pieces[-1].start + pieces[-1].size if pieces else 0
        at = dg.dg_data
        if group._last_list:  # noqa: SLF001
            entry = self._blocks.block(group._last_list, blocks.DlBlock)  # noqa: SLF001
            at = entry.dl_dl_next
        if at and not (pieces and not group._last_list):  # noqa: SLF001
            for position, found in walk_data(self._blocks, at, end):
                pieces.extend(found)
                group._last_list = position  # noqa: SLF001
        end = pieces[-1].start + pieces[-1].size if pieces else 0
        group.cycles = min(cg.cg_cycle_count, end // group.record_size)
        return group.cycles

    def _stream(self, pieces: list[DataPiece], start: int, stop: int) -> bytes:
        parts: list[bytes] = []
        for piece in pieces:
            low, high = max(start, piece.start), min(stop, piece.start + piece.size)
            if low >= high:
                continue
            if piece.compressed:
                try:
                    plain = decompress(self._blocks.block(piece.at, blocks.DzBlock))
                except WireError as error:
                    raise MdfError(f"block at {piece.at}: {error}", hint=DAMAGED) from error
                parts.append(plain[low - piece.start : high - piece.start])
            else:
                at = piece.at + blocks.HEADER_SIZE + low - piece.start
                parts.append(self._blocks.data(at, high - low))
        return b"".join(parts)

    def octets(self, group: ReadGroup, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Records as ``uint8[n, record_size]``."""
        count = self.refresh(group)
        start, stop, _ = slice(start, stop).indices(count)
        size = group.record_size
        data = self._stream(group._pieces, start * size, stop * size)  # noqa: SLF001
        return np.frombuffer(data, np.uint8).reshape(-1, size)

    def records(self, group: ReadGroup, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Structured array: the master in seconds and every channel that is whole bytes."""
        whole = [c for c in group.channels if not c.is_bit_field]
        dtype = np.dtype(
            {
                "names": [group.master, *(c.name for c in whole)],
                "formats": ["<f8", *((c.dtype, c.shape) for c in whole)],
                "offsets": [0, *(c.byte_offset for c in whole)],
                "itemsize": group.record_size,
            }
        )
        return self.octets(group, start, stop).view(dtype)[:, 0]

    def t_s(self, group: ReadGroup) -> NDArray[np.float64]:
        """Time of every record in seconds since the start."""
        times: NDArray[np.float64] = self.octets(group)[:, :8].copy().view("<f8")[:, 0]
        return times

    def span_s(self, group: ReadGroup) -> tuple[float | None, float | None]:
        """Time of the first and of the last record, seconds since the start; None without records."""
        count = self.refresh(group)
        if not count:
            return None, None
        ends = [self.octets(group, at, at + 1)[0, :8].tobytes() for at in (0, count - 1)]
        first, last = (float(np.frombuffer(end, "<f8")[0]) for end in ends)
        return first, last

    def raw(
        self, group: ReadGroup, name: str, start: int = 0, stop: int | None = None
    ) -> NDArray[Any]:
        """Raw values of a channel: array[n, *shape]; texts of variable length as ``bytes``."""
        channel = group.channel(name)
        octets = self.octets(group, start, stop)
        if channel.vlsd_at:
            return self._texts(channel, octets)
        if channel.is_bit_field:
            return _bits(channel, octets)
        size = channel.dtype.itemsize * int(np.prod(channel.shape, dtype=np.int64))
        part = octets[:, channel.byte_offset : channel.byte_offset + size]
        values = np.ascontiguousarray(part).view(channel.dtype)
        return values.reshape(len(octets), *channel.shape)

    def phys(
        self, group: ReadGroup, name: str, start: int = 0, stop: int | None = None
    ) -> NDArray[Any]:
        """Physical values of a channel."""
        return to_phys(group.channel(name).conversion, self.raw(group, name, start, stop))

    def _texts(self, channel: ReadChannel, octets: NDArray[Any]) -> NDArray[Any]:
        cn = self._blocks.block(channel.vlsd_at, blocks.CnBlock)
        pieces = [p for _, found in walk_data(self._blocks, cn.cn_data) for p in found]
        end = pieces[-1].start + pieces[-1].size if pieces else 0
        data = self._stream(pieces, 0, end)
        at = channel.byte_offset
        texts = np.empty(len(octets), dtype=object)
        for n, offset in enumerate(octets[:, at : at + 8].copy().view("<u8")[:, 0].tolist()):
            size = int.from_bytes(data[offset : offset + 4], "little")
            if offset + 4 + size > len(data):
                raise MdfError(f"{channel.name}: text {n} leaves its data.", hint=DAMAGED)
            texts[n] = data[offset + 4 : offset + 4 + size].rstrip(b"\0")
        return texts

    @property
    def events(self) -> list[ReadEvent]:
        """Events in the order they were written."""
        header = self._blocks.block(blocks.ID_SIZE, blocks.HdBlock)
        by_cg = {group.cg: n for n, group in enumerate(self.groups)}
        return [
            ReadEvent(
                kind=ev.ev_type,
                t_ns=round(ev.ev_sync_base_value * (ev.ev_sync_factor * 1e9)),
                text=comment_text(self._blocks.text(ev.ev_md_comment)),
                name=self._blocks.text(ev.ev_tx_name),
                cause=ev.ev_cause,
                groups=tuple(by_cg[at] for at in ev.ev_scope if at in by_cg),
            )
            for _, ev in self._blocks.chain(header.hd_ev_first, blocks.EvBlock, "ev_ev_next")
        ]

    @property
    def attachments(self) -> list[ReadAttachment]:
        """Embedded files, checked against their MD5 sums.

        Raises:
            MdfError: an attachment that does not inflate or does not match its sum.
        """
        chain = self._blocks.chain(self.header.hd_at_first, blocks.AtBlock, "at_at_next")
        return [
            ReadAttachment(
                self._blocks.text(block.at_tx_filename),
                self._blocks.text(block.at_tx_mimetype),
                self._blocks.text(block.at_md_comment),
                _attached(block, at),
            )
            for at, block in chain
        ]


def _attached(block: blocks.AtBlock, at: int) -> bytes:
    size = block.at_original_size
    try:
        data = zlib.decompressobj().decompress(block.at_embedded_data, min(size, MAX_META_SIZE) + 1)
    except zlib.error as error:
        raise MdfError(f"attachment at {at}: {error}.", hint=DAMAGED) from error
    sum_found = hashlib.md5(data, usedforsecurity=False).digest()
    if len(data) != size or sum_found != block.at_md5_checksum:
        raise MdfError(f"attachment at {at}: its checksum does not match.", hint=DAMAGED)
    return data


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None


def _bits(channel: ReadChannel, octets: NDArray[Any]) -> NDArray[Any]:
    """Bit field by the rule of the standard: bytes in channel order, shift, mask, sign."""
    count = (channel.bit_offset + channel.bit_count + 7) // 8
    part = octets[:, channel.byte_offset : channel.byte_offset + count].astype(np.uint64)
    if channel.data_type & 1:
        part = part[:, ::-1]
    word = np.zeros(len(octets), np.uint64)
    for n in range(min(count, 8)):
        word |= part[:, n] << np.uint64(8 * n)
    word >>= np.uint64(channel.bit_offset)
    if channel.bit_count < 64:
        word &= np.uint64((1 << channel.bit_count) - 1)
    dtype = channel.dtype
    if dtype.kind == "i" and channel.bit_count < 64:
        sign = np.uint64(1 << (channel.bit_count - 1))
        return ((word ^ sign).view(np.int64) - np.int64(sign)).astype(dtype)
    return word.astype(dtype)
