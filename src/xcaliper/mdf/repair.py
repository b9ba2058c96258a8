"""Mend what a crash left: cut lists at their first bad link, count records, note it.

A file of the writer needs no repair after the process died. This is for files that a power loss or
a copy cut short, and for files marked ``UnFinMF``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import MdfError, WireError
from xcaliper.mdf import blocks
from xcaliper.mdf.structure import JOURNAL, file_history
from xcaliper.mdf.walk import BlockReader, walk_data

if TYPE_CHECKING:
    from xcaliper.mdf.storage import ReadableFile, RepairableFile

__all__ = ["GroupRepair", "RepairReport", "examine", "repair"]

_U64: Final = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class GroupRepair:
    """What was found in one group: records announced before, and records that are there."""

    name: str
    cycles_before: int
    cycles: int


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair did.

    Attributes:
        groups: per group, in file order.
        cuts: links that led nowhere and were cleared.
        changed: whether anything was wrong.
        bytes_cut: bytes at the end of the damaged file that belong to no whole block and are given up.
    """

    groups: tuple[GroupRepair, ...]
    cuts: int
    changed: bool
    bytes_cut: int


@dataclass(frozen=True, slots=True)
class _Data:
    """A data list as far as it is complete: its bytes, and the link where to cut it."""

    size: int
    last_link: int
    cut: bool


class _MarkedReader(BlockReader):
    """Remembers where the last block ends that was seen."""

    end: int = blocks.ID_SIZE

    def header(self, at: int) -> tuple[bytes, int]:
        block_id, length = super().header(at)
        self.end = max(self.end, at + length)
        return block_id, length


class _Repair:
    def __init__(self, file: ReadableFile) -> None:
        self.reader = _MarkedReader(file)
        self.cuts = 0
        self.patches: list[tuple[int, bytes]] = []
        self.heads: list[tuple[int, int]] = []  # link of a group, its first compressed list

    def cut(self, at: int) -> None:
        """Clear a link."""
        self.cuts += 1
        self.patches.append((at, _U64.pack(0)))

    def data(self, at: int, link: int) -> _Data:
        """Follow a data list to its last complete block."""
        size, last_link = 0, link
        end = self.reader.end
        try:
            if at and self.reader.header(at)[0] == b"##HL":
                last_link = at + blocks.HlBlock.position("hl_dl_first")
            for position, pieces in walk_data(self.reader, at):
                size += sum(piece.size for piece in pieces)
                if position:
                    last_link = position + blocks.DlBlock.position("dl_dl_next")
                end = self.reader.end
        except MdfError:
            self.reader.end = end
            return _Data(size, last_link, cut=True)
        return _Data(size, last_link, cut=False)

    def simple_list(self, link: int, kind: type[blocks.Block], following: str) -> None:
        """Cut a list at its first block that cannot be read, texts included."""
        seen: set[int] = set()
        at = _U64.unpack(self.reader.data(link, 8))[0]
        while at:
            block = None if at in seen else self.complete(at, kind, following)
            if block is None:
                self.cut(link)
                return
            seen.add(at)
            link = at + kind.position(following)
            at = getattr(block, following)

    def complete(self, at: int, kind: type[blocks.Block], following: str) -> blocks.Block | None:
        """Block of a list when it and its texts lie in the file, else nothing."""
        end = self.reader.end
        try:
            block = self.reader.block(at, kind)
            for name, term in kind.layout.link_terms:
                if term.role == "link" and name != following and getattr(block, name):
                    self.reader.header(getattr(block, name))
        except MdfError:
            self.reader.end = end
            return None
        return block

    def is_complete(self, at: int) -> bool:
        """Whether a block lies in the file."""
        try:
            self.reader.header(at)
        except MdfError:
            return False
        return True

    def last_fh(self, link: int) -> int:
        """Position of the link of the last readable FH block."""
        try:
            for at, _ in self.reader.chain(
                _U64.unpack(self.reader.data(link, 8))[0], blocks.FhBlock, "fh_fh_next"
            ):
                link = at + blocks.FhBlock.position("fh_fh_next")
        except MdfError:
            self.cut(link)
        return link

    def group(self, at: int, dg: blocks.DgBlock) -> GroupRepair:
        """Find the records of one group, mend its lists and its counter."""
        cg = self.reader.block(dg.dg_cg_first, blocks.CgBlock)
        if dg.dg_rec_id_size or not cg.cg_data_bytes:
            raise MdfError(
                f"group at {at}: not sorted, not one of ours.", hint="Open the file with asammdf."
            )
        link = at + blocks.DgBlock.position("dg_data")
        found = self.data(dg.dg_data, link)
        if found.cut:
            found = self.from_journal(dg, found, link)
        for position, cn in self.reader.chain(cg.cg_cn_first, blocks.CnBlock, "cn_cn_next"):
            if cn.cn_type == 1 and cn.cn_data:
                texts = self.data(cn.cn_data, position + blocks.CnBlock.position("cn_data"))
                if texts.cut:
                    self.cut(texts.last_link)
        cycles = found.size // (cg.cg_data_bytes + cg.cg_inval_bytes)
        if cycles != cg.cg_cycle_count:
            counter = dg.dg_cg_first + blocks.CgBlock.position("cg_cycle_count")
            self.patches.append((counter, _U64.pack(cycles)))
        return GroupRepair(self.reader.text(cg.cg_tx_acq_name), cg.cg_cycle_count, cycles)

    def from_journal(self, dg: blocks.DgBlock, found: _Data, link: int) -> _Data:
        """Where the list of a closed file was cut off: the chain that grew while recording."""
        note = self.reader.text(dg.dg_md_comment)
        digits = note[note.rfind(JOURNAL) + len(JOURNAL) :][:16] if JOURNAL in note else ""
        try:
            first = int(digits, 16)
        except ValueError:
            first = 0
        if first:
            chained = self.data(first, link)
            if chained.size > found.size:
                self.cuts += 1
                if chained.cut:
                    self.cut(chained.last_link)
                self.relink(link, found.last_link, first)
                return chained
        self.cut(found.last_link)
        return found

    def relink(self, link: int, last_link: int, first: int) -> None:
        """Let a data group lead to its first list, through an HL block for compressed data."""
        entry = self.reader.block(first, blocks.DlBlock)
        if last_link == link and self.reader.header(entry.dl_data[0])[0] == b"##DZ":
            self.heads.append((link, first))  # placed at the end: nothing grows while we look
        else:
            self.patches.append((last_link, _U64.pack(first)))


def examine(file: ReadableFile) -> RepairReport:
    """What a repair would do; changes nothing.

    Args:
        file: the file that may be damaged.

    Raises:
        MdfError: as for :func:`repair`.
    """
    return _look(file).report


def repair(file: RepairableFile, now_ns: int, *, tool_version: str = "") -> RepairReport:
    """Make a file of ours complete and consistent again; reads no records.

    Args:
        file: the damaged file; only links, counters and flags of existing blocks are patched.
        now_ns: UTC time for the file history, ns since 1970.
        tool_version: for the file history.

    Raises:
        MdfError: not an MDF4 file, or cut before its description was complete.
    """
    found = _look(file)
    if found.report.changed:
        _finish(found, file, now_ns, tool_version)
    return found.report


@dataclass(frozen=True, slots=True)
class _Found:
    """What is to be done, and the last link of the history."""

    work: _Repair
    report: RepairReport
    hd: blocks.HdBlock
    history: int


def _look(file: ReadableFile) -> _Found:
    """What there is to be done, as far as links and counters tell.

    Raises:
        MdfError: as for :func:`repair`.
    """
    work = _Repair(file)
    size = file.size()
    if size < blocks.ID_SIZE:
        raise MdfError(
            f"identification: {size} bytes are too few for one.", hint="This is no MDF4 file."
        )
    try:
        ident = blocks.IdBlock.decode(work.reader.data(0, blocks.ID_SIZE))
    except WireError as error:
        raise MdfError(f"identification: {error}", hint="This is no MDF4 file.") from error
    if not 400 <= ident.id_ver < 500:  # 410 is 4.10
        raise MdfError(f"its format is MDF {ident.id_vers}.", hint="Only MDF 4 can be repaired.")
    hd = work.reader.block(blocks.ID_SIZE, blocks.HdBlock)
    history = work.last_fh(blocks.ID_SIZE + blocks.HdBlock.position("hd_fh_first"))
    groups = tuple(
        work.group(at, dg)
        for at, dg in work.reader.chain(hd.hd_dg_first, blocks.DgBlock, "dg_dg_next")
    )
    events = blocks.ID_SIZE + blocks.HdBlock.position("hd_ev_first")
    work.simple_list(events, blocks.EvBlock, "ev_ev_next")
    attachments = blocks.ID_SIZE + blocks.HdBlock.position("hd_at_first")
    work.simple_list(attachments, blocks.AtBlock, "at_at_next")
    if hd.hd_md_comment and not work.is_complete(hd.hd_md_comment):
        work.cut(blocks.ID_SIZE + blocks.HdBlock.position("hd_md_comment"))
    changed = (
        bool(work.patches or work.heads) or ident.id_file != "MDF" or ident.id_unfin_flags != 0
    )
    bytes_cut = max(0, file.size() - work.reader.end) if work.cuts else 0
    return _Found(work, RepairReport(groups, work.cuts, changed, bytes_cut), hd, history)


def _place(file: RepairableFile, block: blocks.Block) -> int:
    """Append a block at the next multiple of eight."""
    encoded = block.encode()
    gap = -file.size() % 8
    return file.append(bytes(gap) + encoded + bytes(-len(encoded) % 8)) + gap


def _finish(found: _Found, file: RepairableFile, now_ns: int, tool_version: str) -> None:
    work, hd = found.work, found.hd
    comment = _place(file, file_history("Recording repaired.", tool_version))
    entry = _place(
        file,
        blocks.FhBlock(
            fh_md_comment=comment,
            fh_time_ns=now_ns,
            fh_tz_offset_min=hd.hd_tz_offset_min,
            fh_dst_offset_min=hd.hd_dst_offset_min,
        ),
    )
    for link, first in work.heads:
        head = _place(file, blocks.HlBlock(hl_dl_first=first, hl_zip_type=1))
        work.patches.append((link, _U64.pack(head)))
    for at, patch in work.patches:
        file.write_at(at, patch)
    file.write_at(found.history, _U64.pack(entry))
    file.sync()
    file.write_at(0, blocks.IdBlock().encode())
    file.sync()
