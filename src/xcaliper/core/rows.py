"""Rows of one layout into rows of another: the same fields at other places."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import NDArray

__all__ = ["RowCopy", "packed_fields"]


def _place(dtype: np.dtype[Any], name: str) -> tuple[int, int]:
    """Offset and size of a field."""
    assert dtype.fields is not None, "a structured dtype"
    base, offset = dtype.fields[name][:2]
    return offset, base.itemsize


def _joined(spans: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Spans (source, target, size) with those joined that touch or overlap on both sides."""
    joined: list[tuple[int, int, int]] = []
    for source, target, size in sorted(spans):
        if joined:
            start, begin, length = joined[-1]
            if source - start == target - begin and source <= start + length:
                joined[-1] = (start, begin, max(length, source + size - start))
                continue
        joined.append((source, target, size))
    return joined


def packed_fields(dtype: np.dtype[Any], names: Collection[str]) -> np.dtype[Any]:
    """Layout with some of the fields of another one and no byte between them.

    Fields that share bytes still do.
    """
    wanted = set(names)
    chosen = [name for name in dtype.names or () if name in wanted]
    spans = _joined((offset, offset, size) for offset, size in (_place(dtype, n) for n in chosen))
    starts = [start for start, _, _ in spans]
    targets, end = [], 0
    for _, _, size in spans:
        targets.append(end)
        end += size
    offsets = []
    for name in chosen:
        offset, _ = _place(dtype, name)
        at = bisect_right(starts, offset) - 1
        offsets.append(targets[at] + offset - starts[at])
    formats = [dtype[name] for name in chosen]
    return np.dtype({"names": chosen, "formats": formats, "offsets": offsets, "itemsize": end})


class RowCopy:
    """Copies the fields of one layout to those of equal names in another.

    Args:
        source: layout of the given rows.
        target: wanted layout; each of its fields is in the source, with equal type.

    Raises:
        UsageError: a field is missing or of another type.
    """

    def __init__(self, source: np.dtype[Any], target: np.dtype[Any]) -> None:
        missing = [
            name
            for name in target.names or ()
            if name not in (source.names or ()) or source[name] != target[name]
        ]
        if missing:
            raise UsageError(
                f"rows of another layout: no {missing[0]!r} of the described type.",
                hint="Give rows with the fields that were described.",
            )
        places = [(_place(source, n), _place(target, n)) for n in target.names or ()]
        spans = _joined((a, b, size) for (a, size), (b, _) in places if size)
        names = [f"r{number}" for number in range(len(spans))]
        formats = [f"V{size}" for _, _, size in spans]
        self.target = target
        self._names = names
        self._whole = sum(size for _, _, size in spans) == target.itemsize
        self._source = np.dtype(
            {"names": names, "formats": formats, "offsets": [a for a, _, _ in spans],
             "itemsize": source.itemsize}
        )  # fmt: skip
        self._target = np.dtype(
            {"names": names, "formats": formats, "offsets": [b for _, b, _ in spans],
             "itemsize": target.itemsize}
        )  # fmt: skip

    def into(self, out: NDArray[Any], rows: NDArray[Any]) -> None:
        """Copy rows to where ``out`` has room for as many; bytes of no field become 0.

        Args:
            out: array[n] of items as large as those of the target layout.
            rows: structured[n] of the source layout.
        """
        if not self._whole:
            out[...] = np.zeros((), out.dtype)
        pieces, given = out.view(self._target), rows.view(self._source)
        for name in self._names:
            pieces[name] = given[name]

    def __call__(self, rows: NDArray[Any]) -> NDArray[Any]:
        """New rows of the target layout."""
        out = np.empty(len(rows), self.target)
        self.into(out.view(f"V{self.target.itemsize}"), rows)
        return out
