"""Sampling of DAQ lists: one gather over a prepared index, headers included."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.xcp.dto_block import BlockLayout, DtoBlock
from xcaliper.xcp.framing.eth import HEADER_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["Head", "ListSampler", "PackedSampler", "SamplePlan", "dto_head"]

_LEN: Final = struct.Struct("<H")
_UNITS: Final = (8, 4, 2)


def dto_head(identification_field: int, pid: int, daq_list: int, mark: str) -> bytes:
    """The identification field of a DTO (XCP Base, identification field, 1.0)."""
    if identification_field == 0:
        return bytes((pid,))
    if identification_field == 1:
        return bytes((pid, daq_list))
    code = "BH" if identification_field == 2 else "BxH"
    return struct.pack(mark + code, pid, daq_list)


class Head:
    """Headers of the DTOs of one sample.

    Args:
        fields: identification field of each ODT that carries data.
        timestamp: struct of the timestamp, None without.
        counter_at: position of the DTO counter in the first header, -1 without; inside a four-byte
            head it replaces the fill byte.
        msb: True when the first byte can tell of lost samples.

    Attributes:
        sizes: bytes of each header.
    """

    __slots__ = ("counter_at", "fields", "msb", "sizes", "timestamp")

    def __init__(
        self,
        fields: Sequence[bytes],
        *,
        timestamp: struct.Struct | None,
        counter_at: int,
        msb: bool = False,
    ) -> None:
        first = fields[0]
        if counter_at >= len(first):
            first += b"\0"
        if timestamp is not None:
            first += bytes(timestamp.size)
        self.fields = (first, *fields[1:])
        self.sizes = tuple(map(len, self.fields))
        self.timestamp = timestamp
        self.counter_at = counter_at
        self.msb = msb


class SamplePlan:
    """Which bytes of memory and of headers make up a sample, and where each one goes.

    Args:
        odts: current views of the entries of each ODT that carries data, in order.
        head: their headers.
        alignment: bytes that messages are aligned to.
        order: takes the views of an ODT and gives (position in the data, view) pairs.
        scratch: room behind the memory that most views belong to; None without.

    Attributes:
        layout: of a sample.
    """

    __slots__ = (
        "_counter_at",
        "_gathers",
        "_heads",
        "_index",
        "_modulus",
        "_msb",
        "_places",
        "_scratch",
        "_stamp",
        "_stamp_at",
        "_take",
        "layout",
        "size_bytes",
    )

    def __init__(
        self,
        odts: Sequence[Sequence[memoryview]],
        head: Head,
        *,
        alignment: int = 1,
        scratch: memoryview | None = None,
    ) -> None:
        sizes = [
            size + sum(view.nbytes for view in views)
            for size, views in zip(head.sizes, odts, strict=True)
        ]
        self.layout = BlockLayout(sizes, alignment)
        self.size_bytes = sum(sizes)
        self._modulus = 1 << (8 * head.timestamp.size) if head.timestamp else 1
        self._heads, own = _headers(self.layout, head)
        runs: list[tuple[Any, int, int, int]] = []  # owner, offset, place, size
        for start, size, views in zip(self.layout.starts, head.sizes, odts, strict=True):
            _append_runs(runs, views, start + HEADER_SIZE + size)
        self._stamp = head.timestamp.pack_into if head.timestamp else None
        self._stamp_at = (
            HEADER_SIZE + head.sizes[0] - (head.timestamp.size if head.timestamp else 0)
        )
        self._counter_at = HEADER_SIZE + head.counter_at if head.counter_at >= 0 else -1
        self._msb = head.msb
        self._take: Callable[..., Any] | None = None
        self._gathers: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        self._places = np.empty(0, np.intp)
        self._index = np.empty(0, np.intp)
        self._scratch = memoryview(bytearray())
        owners = {id(owner) for owner, _, _, _ in runs}
        fits = scratch is not None and len(self._heads) <= scratch.nbytes
        if fits and scratch is not None and owners == {id(scratch.obj)}:
            self._scratch = scratch[: len(self._heads)]
            base, self._index = _whole(runs, own, scratch, self.layout.stride)
            self._take, self.layout.unit = base.take, base.dtype
        else:
            self._gathers = _gathers(runs)
            self._places = np.concatenate(
                [np.arange(place, place + size, dtype=np.intp) for _, place, size in own]
            )

    def fill(self, row: NDArray[Any], ticks: int, counter: int, lost: bool) -> None:  # noqa: FBT001  # hot path
        """Write the messages of one sample as it is now, all but CTR.

        Args:
            row: of a block of this layout.
            ticks: DAQ clock, cut to the width of the timestamp here.
            counter: event counter for DTO_CTR.
            lost: True to set the overload bit of the first byte.
        """
        heads = self._heads
        if self._stamp is not None:
            self._stamp(heads, self._stamp_at, ticks % self._modulus)
        if self._counter_at >= 0:
            heads[self._counter_at] = counter & 0xFF
        if self._msb:
            heads[HEADER_SIZE] = heads[HEADER_SIZE] & 0x7F | (0x80 if lost else 0)
        if self._take is not None:
            self._scratch[:] = heads
            self._take(self._index, None, row, "wrap")  # all indices are inside: this costs least
            return
        for base, index, places in self._gathers:
            row[places] = base.take(index, mode="wrap")
        row[self._places] = np.frombuffer(heads, np.uint8)


def _headers(layout: BlockLayout, head: Head) -> tuple[bytearray, list[tuple[int, int, int]]]:
    """All headers and fill bytes of a sample, and (position there, place in the sample, size) of each."""
    heads = bytearray()
    own: list[tuple[int, int, int]] = []
    for start, end, size, fields in zip(
        layout.starts, layout.ends, layout.sizes, head.fields, strict=True
    ):
        own.append((len(heads), start, HEADER_SIZE + len(fields)))
        heads += _LEN.pack(size) + b"\0\0" + fields
        behind = start + HEADER_SIZE + size
        if end > behind:
            own.append((len(heads), behind, end - behind))
            heads += bytes(end - behind)
    return heads, own


def _append_runs(
    runs: list[tuple[Any, int, int, int]], views: Sequence[memoryview], place: int
) -> None:
    """Add what views show, neighbours joined."""
    for view in views:
        owner = view.obj
        offset = _origin(view) - _origin(memoryview(owner))
        if runs:
            last, begin, at, size = runs[-1]
            if last is owner and begin + size == offset and at + size == place:
                runs[-1] = (owner, begin, at, size + view.nbytes)
                place += view.nbytes
                continue
        runs.append((owner, offset, place, view.nbytes))
        place += view.nbytes


def _origin(view: memoryview) -> int:
    found: int = np.frombuffer(view, np.uint8).__array_interface__["data"][0]
    return found


def _whole(
    runs: Sequence[tuple[Any, int, int, int]],
    own: Sequence[tuple[int, int, int]],
    scratch: memoryview,
    stride: int,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """(memory, index of every unit of a sample), in the widest unit that everything fits."""
    base: NDArray[Any] = np.frombuffer(memoryview(scratch.obj), np.uint8)
    behind = _origin(scratch) - _origin(memoryview(scratch.obj))
    pieces = [(offset, place, size) for _, offset, place, size in runs]
    pieces += [(behind + at, place, size) for at, place, size in own]
    address: int = base.__array_interface__["data"][0]
    unit = 1
    for wide in _UNITS:
        numbers = (address, stride, *(n for piece in pieces for n in piece))
        if not any(n % wide for n in numbers):
            unit = wide
            break
    index = np.zeros(stride // unit, np.intp)
    for offset, place, size in pieces:
        first, count = place // unit, size // unit
        index[first : first + count] = np.arange(offset // unit, offset // unit + count)
    base = base[: len(base) // unit * unit]
    return base.view(f"u{unit}"), index


def _gathers(
    runs: Sequence[tuple[Any, int, int, int]],
) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """(memory, bytes to take, where they go) of each object that owns memory."""
    found: dict[int, tuple[Any, list[NDArray[Any]], list[NDArray[Any]]]] = {}
    for owner, offset, place, size in runs:
        _, index, places = found.setdefault(id(owner), (owner, [], []))
        index.append(np.arange(offset, offset + size, dtype=np.intp))
        places.append(np.arange(place, place + size, dtype=np.intp))
    return [
        (np.frombuffer(owner, np.uint8), np.concatenate(index), np.concatenate(places))
        for owner, index, places in found.values()
    ]


class ListSampler:
    """Turns memory into the DTOs of one list, one sample per event.

    Args:
        plan: what a sample is made of.

    Attributes:
        packets: DTOs that one call of :meth:`take` adds when it is due.
        size_bytes: bytes of these, without the transport's headers.
        samples: events that they hold.
    """

    __slots__ = ("_open", "_plan", "packets", "samples", "size_bytes")

    def __init__(self, plan: SamplePlan) -> None:
        self._plan = plan
        self._open: DtoBlock | None = None
        self.packets = plan.layout.packets
        self.size_bytes = plan.size_bytes
        self.samples = 1

    def take(
        self, out: list[bytes | DtoBlock], ticks: int, counter: int, *, lost: bool = False
    ) -> None:
        """Queue the sample.

        Args:
            out: the queue; its last block takes the sample if it is this list's and has room.
            ticks: DAQ clock.
            counter: event counter for DTO_CTR.
            lost: True to tell of lost samples in the first byte.
        """
        block = self._open
        if block is None or not out or out[-1] is not block or block.count == block.room:
            block = DtoBlock(self._plan.layout) if block is None else block.follow(turns=bool(out))
            self._open = block
            out.append(block)
        at = block.count
        block.count = at + 1
        self._plan.fill(block.rows[at], ticks, counter, lost)

    def drop(self) -> None:
        """Forget what was collected: there was no room."""


class PackedSampler(ListSampler):
    """Several samples of one list in one set of DTOs (XCP Base, SET_DAQ_PACKED_MODE, 1.4).

    Args:
        odts: current views of the entries of each ODT, in order.
        head: headers.
        mode: 1 grouped by element, 2 grouped by event.
        first: True when the timestamp is that of the first sample.
        samples: in one set.
        alignment: bytes that messages are aligned to.
    """

    __slots__ = ("_filled", "_first", "_first_ticks", "_raw", "_stage")

    def __init__(
        self,
        odts: Sequence[Sequence[memoryview]],
        head: Head,
        *,
        mode: int,
        first: bool,
        samples: int,
        alignment: int = 1,
    ) -> None:
        flat = [view for views in odts for view in views]
        runs: list[tuple[Any, int, int, int]] = []
        _append_runs(runs, flat, 0)
        self._raw = _gathers(runs)
        width = sum(view.nbytes for view in flat)
        self._stage = np.zeros((samples, width), np.uint8)
        stage = memoryview(self._stage.reshape(-1).data)
        grouped: list[list[memoryview]] = []
        at = 0
        for views in odts:
            places = [(at := at + view.nbytes) - view.nbytes for view in views]
            pairs = [(place, view.nbytes) for place, view in zip(places, views, strict=True)]
            order = (
                [(n, pair) for pair in pairs for n in range(samples)]
                if mode == 1
                else [(n, pair) for n in range(samples) for pair in pairs]
            )
            grouped.append(
                [stage[n * width + place : n * width + place + size] for n, (place, size) in order]
            )
        super().__init__(SamplePlan(grouped, head, alignment=alignment))
        self.samples = samples
        self._first = first
        self._first_ticks = 0
        self._filled = 0

    def collect(self, ticks: int) -> bool:
        """Keep the sample of an event; True when the set is complete."""
        if self._filled == 0:
            self._first_ticks = ticks
        row = self._stage[self._filled]
        for base, index, places in self._raw:
            row[places] = base.take(index, mode="wrap")
        self._filled += 1
        return self._filled == self.samples

    def take(
        self, out: list[bytes | DtoBlock], ticks: int, counter: int, *, lost: bool = False
    ) -> None:
        """Queue the set that is complete."""
        self._filled = 0
        super().take(out, self._first_ticks if self._first else ticks, counter, lost=lost)

    def drop(self) -> None:
        """Begin a new set."""
        self._filled = 0
