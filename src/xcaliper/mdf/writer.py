"""Records → an MDF4 file that is valid at every instant.

Order of a commit: append the records as a block, append a list block that names it, patch the link
to the list, patch the cycle counter. Whatever moment the process dies, the file holds everything
committed before. Compressed groups patch the counter first, because readers stumble over records
that no counter announces but not over the opposite *(MDF4, DG, DL and HL blocks)*.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.core.rows import RowCopy
from xcaliper.mdf import blocks
from xcaliper.mdf.compress import compress
from xcaliper.mdf.description import Attachment, Channel, Group, Header, Source
from xcaliper.mdf.structure import GroupPlace, Structure, build, file_history, header_comment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from xcaliper.mdf.storage import WritableFile

__all__ = [
    "Attachment",
    "Channel",
    "EventCause",
    "EventType",
    "Group",
    "Header",
    "MdfWriter",
    "Source",
    "WriterOptions",
]

CHUNK_BYTES: Final = 1 << 20
_U64: Final = struct.Struct("<Q")
_U32: Final = struct.Struct("<I")
_HL_FIRST: Final = blocks.HlBlock.position("hl_dl_first")
_DL_NEXT: Final = blocks.DlBlock.position("dl_dl_next")


class EventType(IntEnum):
    """Kinds of events *(MDF4, EV block)*."""

    RECORDING = 0
    RECORDING_INTERRUPT = 1
    ACQUISITION_INTERRUPT = 2
    START_TRIGGER = 3
    STOP_TRIGGER = 4
    TRIGGER = 5
    MARKER = 6


class EventCause(IntEnum):
    """Who caused an event *(MDF4, EV block)*."""

    OTHER = 0
    ERROR = 1
    TOOL = 2
    SCRIPT = 3
    USER = 4


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """How records get into the file.

    Attributes:
        flush_period_ns: how old uncommitted rows may be at a ``commit``.
        chunk_bytes: buffered bytes that make ``append`` commit by itself.
        compressed: write transposed deflated blocks.
        durable: ask the file to survive a power loss after each commit.
        unfinished: mark the file ``UnFinMF`` until closed; some readers refuse such files.
    """

    flush_period_ns: int = 0
    chunk_bytes: int = CHUNK_BYTES
    compressed: bool = False
    durable: bool = False
    unfinished: bool = False


@dataclass(slots=True)
class _Chain:
    """The data list of one group or one VLSD channel.

    Attributes:
        head: position of the link that leads to the list.
        journal: position of the digits that name the first list block, 0 = none.
        hl: position of the HL block, 0 = none.
        tail: position of the link of the last list block, 0 = empty chain.
    """

    head: int
    journal: int = 0
    hl: int = 0
    tail: int = 0
    size: int = 0
    placed: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _GroupState:
    """Buffer and counters of one group while it is recorded."""

    group: Group
    place: GroupPlace
    dtype: np.dtype[Any]
    chain: _Chain
    vlsd: tuple[_Chain, ...]
    texts: tuple[bytearray, ...]
    buffer: bytearray
    pending: int = 0
    cycles: int = 0
    patched: int = 0
    committed_ns: int | None = None
    accepted: np.dtype[Any] | None = None
    copy: RowCopy | None = None


class MdfWriter:
    """Streams records of several groups into one file.

    One thread calls it; times come as arguments. When the file raises, nothing half-written is
    linked and the rows stay in the buffer, so a later commit can succeed.

    Args:
        file: an empty file.
        header: time and description.
        groups: one per raster; ``append`` names them by index.
        attachments: files to embed.
        options: how to write.
        structure: what ``build`` made of header, groups and attachments, so that a file is not
            made long before its first bytes; ``None`` = build it here.
    """

    def __init__(  # the file and what is in it
        self,
        file: WritableFile,
        header: Header,
        groups: Sequence[Group],
        attachments: Sequence[Attachment] = (),
        options: WriterOptions | None = None,
        structure: Structure | None = None,
    ) -> None:
        self._file = file
        self._header = header
        self._options = options = options or WriterOptions()
        self._closed = False
        self._event_tail = blocks.ID_SIZE + blocks.HdBlock.position("hd_ev_first")
        if structure is None:
            structure = build(header, groups, attachments, unfinished=options.unfinished)
        self._fh = structure.fh
        file.append(structure.start)
        file.append(structure.rest)
        file.write_at(blocks.ID_SIZE, structure.hd)
        self._groups = tuple(
            _group_state(group, place, options.chunk_bytes)
            for group, place in zip(groups, structure.groups, strict=True)
        )
        if options.durable:
            file.sync()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def redescribe(self, header: Header) -> None:
        """Put another start and description in place of those of the beginning; before the first record.

        The file is valid at every instant, with one of the two.
        """
        self._check_open()
        comment = self._place(blocks.MdBlock.of(header_comment(header)))
        for name, value in (("hd_md_comment", comment), ("hd_start_time_ns", header.start_ns)):
            self._file.write_at(blocks.ID_SIZE + blocks.HdBlock.position(name), _U64.pack(value))
        begun = self._fh + blocks.FhBlock.position("fh_time_ns")
        self._file.write_at(begun, _U64.pack(header.start_ns))
        self._header = header

    @property
    def cycles(self) -> tuple[int, ...]:
        """Committed records per group."""
        return tuple(state.cycles for state in self._groups)

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait in the buffers."""
        return sum(state.pending * state.dtype.itemsize for state in self._groups)

    def append(self, group_index: int, t_ns: NDArray[np.int64], rows: NDArray[Any]) -> None:
        """Take rows into the buffer of a group; commits when the buffer is full.

        Args:
            group_index: position in the ``groups`` given at the start.
            t_ns: int64[n], time since the start of the recording.
            rows: structured[n] of the group's dtype, or with its fields at other places.

        Raises:
            UsageError: no such group, rows without a field of the group, or a closed writer.
        """
        self._check_open()
        if not 0 <= group_index < len(self._groups):
            raise UsageError(
                f"group {group_index}: the recording has {len(self._groups)} groups.",
                hint="Describe every raster before the start.",
            )
        state = self._groups[group_index]
        _check_rows(state, t_ns, rows)
        room = _capacity(state)
        start = 0
        while start < len(rows):
            if state.pending >= room:
                self._commit_group(state)
            stop = min(len(rows), start + room - state.pending)
            _fill(state, t_ns[start:stop], rows[start:stop])
            start = stop
        if state.pending >= room:
            self._commit_group(state)

    def commit(self, now_ns: int) -> None:
        """Make buffered rows part of the file, unless the group was committed a moment ago.

        Args:
            now_ns: monotonic time; decides with ``flush_period_ns`` which groups are due.
        """
        self._check_open()
        for state in self._groups:
            last = state.committed_ns
            due = last is None or not 0 <= now_ns - last < self._options.flush_period_ns
            if due and (state.pending or state.patched != state.cycles):
                self._commit_group(state)
                state.committed_ns = now_ns

    def flush(self) -> None:
        """Make all buffered rows part of the file."""
        self._check_open()
        for state in self._groups:
            self._commit_group(state)

    def add_event(
        self,
        kind: EventType,
        t_ns: int,
        text: str,
        *,
        name: str = "",
        cause: EventCause = EventCause.TOOL,
        group_index: int | None = None,
    ) -> None:
        """Append an event to the file.

        Args:
            kind: what happened.
            t_ns: when, since the start of the recording.
            text: for people.
            name: short name; empty = none.
            cause: who caused it.
            group_index: group it belongs to; ``None`` = all.
        """
        self._check_open()
        scope = () if group_index is None else (self._groups[group_index].place.cg,)
        block = blocks.EvBlock(
            ev_tx_name=self._place(blocks.TxBlock.of(name)) if name else 0,
            ev_md_comment=self._place(blocks.TxBlock.of(text)) if text else 0,
            ev_scope=scope,
            ev_type=int(kind),
            ev_cause=int(cause),
            ev_sync_base_value=t_ns,
        )
        offset = self._place(block)
        self._file.write_at(self._event_tail, _U64.pack(offset))
        self._event_tail = offset + blocks.EvBlock.position("ev_ev_next")

    def close(self, now_ns: int | None = None) -> None:
        """Flush, put one list in place of the many, note the end in the file history.

        Args:
            now_ns: UTC time of closing, ns since 1970; ``None`` = start time.
        """
        if self._closed:
            return
        self.flush()
        for state in self._groups:
            self._consolidate(state.chain)  # texts keep their chain: only groups have a journal
        comment = self._place(file_history("Recording closed.", self._header.tool_version))
        end = self._place(
            blocks.FhBlock(
                fh_md_comment=comment,
                fh_time_ns=self._header.start_ns if now_ns is None else now_ns,
                fh_tz_offset_min=self._header.tz_offset_min,
                fh_dst_offset_min=self._header.dst_offset_min,
            )
        )
        self._file.write_at(self._fh + blocks.FhBlock.position("fh_fh_next"), _U64.pack(end))
        self._file.sync()
        if self._options.unfinished:
            self._file.write_at(0, blocks.IdBlock().encode())
            self._file.sync()
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError("recording: already closed.", hint="Start a new recording.")

    def _place(self, block: blocks.Block) -> int:
        encoded = block.encode()
        return self._file.append(encoded + bytes(-len(encoded) % 8))

    def _commit_group(self, state: _GroupState) -> None:
        if state.pending:
            for chain, texts in zip(state.vlsd, state.texts, strict=True):
                self._commit_texts(chain, texts)
            self._commit_records(state)
        if state.patched != state.cycles:
            self._patch_counter(state, state.cycles)
            if self._options.durable:
                self._file.sync()

    def _commit_texts(self, chain: _Chain, texts: bytearray) -> None:
        if texts:
            header = blocks.block_header(b"##SD", len(texts))
            block = self._file.append(header + texts + bytes(-len(texts) % 8))
            self._link(chain, block, len(texts))
            texts.clear()

    def _commit_records(self, state: _GroupState) -> None:
        size = state.pending * state.dtype.itemsize
        cycles = state.cycles + state.pending
        with memoryview(state.buffer) as view:
            if self._options.compressed:
                records = view[blocks.HEADER_SIZE : blocks.HEADER_SIZE + size]
                block = self._place(compress(records, state.dtype.itemsize))
            else:
                padded = blocks.HEADER_SIZE + size + -size % 8
                view[: blocks.HEADER_SIZE] = blocks.block_header(b"##DT", size)
                view[blocks.HEADER_SIZE + size : padded] = bytes(-size % 8)
                block = self._file.append(view[:padded])
        if self._options.compressed:
            self._link(
                state.chain, block, size, announce=lambda: self._patch_counter(state, cycles)
            )
        else:
            self._link(state.chain, block, size)
        state.pending = 0
        state.cycles = cycles

    def _patch_counter(self, state: _GroupState, cycles: int) -> None:
        at = state.place.cg + blocks.CgBlock.position("cg_cycle_count")
        self._file.write_at(at, _U64.pack(cycles))
        state.patched = cycles

    def _link(
        self, chain: _Chain, block: int, size: int, announce: Callable[[], None] | None = None
    ) -> None:
        """Append a list block that names a data block, then make the chain lead to it."""
        entry = self._place(blocks.DlBlock(dl_data=(block,), dl_offset=(chain.size,)))
        first = not chain.tail
        target = entry
        if first and announce is not None:
            chain.hl = self._place(blocks.HlBlock(hl_dl_first=entry, hl_zip_type=1))
            target = chain.hl
        if self._options.durable:
            self._file.sync()
        if first and chain.journal:
            self._file.write_at(chain.journal, b"%016x" % entry)
        if announce is not None:
            announce()
        self._file.write_at(chain.head if first else chain.tail, _U64.pack(target))
        chain.tail = entry + _DL_NEXT
        chain.placed.append(block)
        chain.offsets.append(chain.size)
        chain.size += size

    def _consolidate(self, chain: _Chain) -> None:
        if len(chain.placed) < 2:
            return
        whole = self._place(
            blocks.DlBlock(dl_data=tuple(chain.placed), dl_offset=tuple(chain.offsets))
        )
        self._file.write_at(chain.hl + _HL_FIRST if chain.hl else chain.head, _U64.pack(whole))


def _group_state(group: Group, place: GroupPlace, chunk_bytes: int) -> _GroupState:
    dtype = np.dtype(
        [("time", "<f8"), ("row", f"V{group.dtype.itemsize}"), ("vlsd", "<u8", (len(place.vlsd),))]
    )
    assert dtype.itemsize == place.record_size, "structure and record agree"
    count = max(1, chunk_bytes // dtype.itemsize)
    return _GroupState(
        group,
        place,
        dtype,
        _Chain(place.dg + blocks.DgBlock.position("dg_data"), place.journal),
        tuple(_Chain(cn + blocks.CnBlock.position("cn_data")) for cn, _ in place.vlsd),
        tuple(bytearray() for _ in place.vlsd),
        bytearray(blocks.HEADER_SIZE + count * dtype.itemsize + 8),
    )


def _check_rows(state: _GroupState, t_ns: NDArray[np.int64], rows: NDArray[Any]) -> None:
    if len(t_ns) != len(rows):
        raise UsageError(
            f"{state.group.name}: {len(t_ns)} times for {len(rows)} rows.",
            hint="Give one time per row.",
        )
    if rows.dtype is not state.accepted:  # comparing is slow for many fields, done once
        same = rows.dtype == state.group.dtype
        try:
            state.copy = None if same else RowCopy(rows.dtype, state.group.dtype)
        except UsageError as error:
            raise UsageError(
                f"{state.group.name}: {error.message}", hint="Give rows as described."
            ) from None
        state.accepted = rows.dtype


def _capacity(state: _GroupState) -> int:
    return (len(state.buffer) - blocks.HEADER_SIZE - 8) // state.dtype.itemsize


def _fill(state: _GroupState, t_ns: NDArray[np.int64], rows: NDArray[Any]) -> None:
    """Write records behind those that wait: seconds, the bytes of the row, text offsets."""
    at = blocks.HEADER_SIZE + state.pending * state.dtype.itemsize
    records = np.frombuffer(state.buffer, state.dtype, len(rows), at)
    np.divide(t_ns, 1e9, out=records["time"])
    if state.copy is not None:
        state.copy.into(records["row"], rows)
    elif rows.dtype.itemsize:
        records["row"] = rows.view(state.dtype["row"])
    for n, (chain, texts) in enumerate(zip(state.vlsd, state.texts, strict=True)):
        for row, text in enumerate(_texts(rows[state.place.vlsd[n][1]])):
            records["vlsd"][row, n] = chain.size + len(texts)
            texts.extend(_U32.pack(len(text) + 1) + text + b"\0")
    state.pending += len(rows)


def _texts(column: NDArray[Any]) -> list[bytes]:
    """Texts of a field of fixed width, also when it is declared as an array of bytes."""
    if column.ndim == 2:
        column = np.ascontiguousarray(column).view(f"S{column.shape[1]}")[:, 0]
    return [text.split(b"\0", 1)[0] for text in column.tolist()]
