"""Sampling of DAQ lists: one gather and ready-made headers."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Sampler", "dto_head"]

#: Below this number of memory runs joining views is faster than a numpy gather.
_JOIN_LIMIT: Final = 24


def dto_head(identification_field: int, pid: int, daq_list: int, mark: str) -> bytes:
    """The identification field of a DTO (XCP Base, identification field, 1.0)."""
    if identification_field == 0:
        return bytes((pid,))
    if identification_field == 1:
        return bytes((pid, daq_list))
    code = "BH" if identification_field == 2 else "BxH"
    return struct.pack(mark + code, pid, daq_list)


class Sampler:
    """Turns memory into the DTOs of one list.

    Args:
        views: current views of the entries, in order of transmission.
        heads: identification field of each ODT that carries data.
        spans: slice of the gathered bytes of each of these ODTs.
        timestamp: struct of the timestamp, None without.
        counter_at: position of the DTO counter in the first packet, -1 without; position 1 of a
            four-byte head replaces the fill byte.
    """

    __slots__ = (
        "_counter_at",
        "_data",
        "_first",
        "_gathers",
        "_heads",
        "_modulus",
        "_spans",
        "_timestamp",
        "_views",
    )

    def __init__(
        self,
        views: Sequence[memoryview],
        heads: Sequence[bytes],
        spans: Sequence[tuple[int, int]],
        *,
        timestamp: struct.Struct | None,
        counter_at: int,
    ) -> None:
        runs = _merge(views)
        self._views = [view for _, _, view in runs]
        self._heads = list(heads)
        self._spans = list(spans)
        self._timestamp = timestamp
        self._modulus = 1 << (8 * timestamp.size) if timestamp else 1
        self._counter_at = counter_at
        self._first = heads[0]
        self._gathers: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
        self._data = np.empty(0, np.uint8)
        if len(runs) > _JOIN_LIMIT:
            self._data = np.empty(sum(view.nbytes for view in self._views), np.uint8)
            self._gathers = _gathers(runs)

    def sample(self, ticks: int, counter: int, *, lost: bool = False) -> list[bytes]:
        """The DTOs of one event: first the timestamped one.

        Args:
            ticks: DAQ clock, cut to the width of the timestamp here.
            counter: event counter for DTO_CTR.
            lost: True to set the overload bit of the first byte.
        """
        raw = self._gather()
        head = self._first
        if self._counter_at >= 0:
            head = _insert(head, self._counter_at, counter)
        if lost:
            head = bytes((head[0] | 0x80,)) + head[1:]
        if self._timestamp is not None:
            head += self._timestamp.pack(ticks % self._modulus)
        spans = self._spans
        if len(spans) == 1:
            return [head + raw]
        out = [head + raw[: spans[0][1]]]
        for begin_end, rest in zip(spans[1:], self._heads[1:], strict=True):
            out.append(rest + raw[begin_end[0] : begin_end[1]])
        return out

    def _gather(self) -> bytes:
        if not self._gathers:
            return b"".join(self._views)
        data = self._data
        if len(self._gathers) == 1:
            base, index, _ = self._gathers[0]
            base.take(index, out=data, mode="clip")
        else:
            for base, index, positions in self._gathers:
                data[positions] = base.take(index, mode="clip")
        return data.tobytes()

    @property
    def packets(self) -> int:
        """DTOs per sample."""
        return len(self._heads)


def _insert(head: bytes, at: int, counter: int) -> bytes:
    skip = 1 if at < len(head) else 0  # the fill byte of the aligned head gives way
    return head[:at] + bytes((counter & 0xFF,)) + head[at + skip :]


def _merge(views: Sequence[memoryview]) -> list[tuple[Any, int, memoryview]]:
    """(owner, offset in it, view) of each run of neighbouring bytes, in order."""
    runs: list[tuple[Any, int, memoryview]] = []
    origins: dict[int, int] = {}
    for view in views:
        owner = view.obj
        if id(owner) not in origins:
            origins[id(owner)] = _origin(memoryview(owner))
        offset = _origin(view) - origins[id(owner)]
        if runs and runs[-1][0] is owner and runs[-1][1] + runs[-1][2].nbytes == offset:
            begin = runs[-1][1]
            flat = memoryview(owner).cast("B").toreadonly()
            runs[-1] = (owner, begin, flat[begin : offset + view.nbytes])
        else:
            runs.append((owner, offset, view))
    return runs


def _origin(view: memoryview) -> int:
    found: int = np.frombuffer(view, np.uint8).__array_interface__["data"][0]
    return found


def _gathers(
    runs: list[tuple[Any, int, memoryview]],
) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """(memory, bytes to take, where they go) of each object that owns memory."""
    found: dict[int, tuple[Any, list[NDArray[Any]], list[NDArray[Any]]]] = {}
    at = 0
    for owner, offset, view in runs:
        _, index, positions = found.setdefault(id(owner), (owner, [], []))
        index.append(np.arange(offset, offset + view.nbytes, dtype=np.intp))
        positions.append(np.arange(at, at + view.nbytes, dtype=np.intp))
        at += view.nbytes
    return [
        (np.frombuffer(owner, np.uint8), np.concatenate(index), np.concatenate(positions))
        for owner, index, positions in found.values()
    ]
