"""SW-VALUES-PHYS → cells and arrays *(CDF 2.0, SW-VALUES-PHYS, VG)*."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.formats.cdf_words import DIMENSIONS
from xcaliper.calib.formats.cells import parse_number, shaped
from xcaliper.calib.paramset import EntryKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xcaliper.calib.formats.xml_records import Node

__all__ = ["Cells", "entry_values", "point_values", "read_cells", "read_sizes"]

MAX_DIMENSIONS: Final = 8
_NUMBERS: Final = ("VF", "VH")
"""Elements that other editions of the same family have for numbers."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one container.

    Attributes:
        flat: int, float or str in the order of the file.
        shape: as the groups tell, slowest dimension first.
    """

    flat: list[int | float | str]
    shape: tuple[int, ...]


def read_cells(values: Node) -> Cells:
    """Cells of SW-VALUES-PHYS.

    Raises:
        ValueError: a value is no number, or groups differ in size; the message says which.
    """
    flat: list[int | float | str] = []
    return Cells(flat, _collect(values, flat, 1))


def _collect(group: Node, flat: list[int | float | str], depth: int) -> tuple[int, ...]:
    if depth > MAX_DIMENSIONS:
        raise ValueError(f"more than {MAX_DIMENSIONS} groups inside each other")
    inner: list[tuple[int, ...]] = []
    count = 0
    for one in group.children:
        if isinstance(one, str):
            flat.append(parse_number(one))
        elif one.tag == "VG":
            inner.append(_collect(one, flat, depth + 1))
            continue
        elif one.tag == "VT":
            flat.append(one.text)
        elif one.tag in _NUMBERS:
            flat.append(parse_number(one.text))
        elif one.tag == "LABEL":
            continue
        else:
            raise ValueError(f"element {one.tag[:40]!r} is no value")
        count += 1
    if not inner:
        return (count,)
    if count:
        raise ValueError("values stand beside groups")
    if any(shape != inner[0] for shape in inner):
        raise ValueError("groups differ in size")
    return (len(inner), *inner[0])


def read_sizes(container: Node) -> tuple[int, ...]:
    """SW-ARRAYSIZE, slowest dimension first; empty without.

    Raises:
        ValueError: it holds something else than sizes.
    """
    element = container.child("SW-ARRAYSIZE")
    if element is None:
        return ()
    sizes = [parse_number(one) for one in element.children if isinstance(one, str)]
    if (
        not all(isinstance(n, int) and 0 <= n < 1 << 31 for n in sizes)
        or len(sizes) > MAX_DIMENSIONS
    ):
        raise ValueError("SW-ARRAYSIZE does not hold sizes")
    return tuple(int(n) for n in reversed(sizes))


def entry_values(
    kind: EntryKind,
    cells: Cells,
    sizes: tuple[int, ...],
    points: Sequence[int | None],
    *,
    pairs: bool = False,
) -> int | float | str | bytes | NDArray[Any]:
    """Values of an entry of a kind.

    Args:
        kind: of the entry.
        cells: of its container.
        sizes: SW-ARRAYSIZE, slowest dimension first.
        points: number of points of each axis, X first; None where not told.
        pairs: an axis that holds pairs, as a rescale axis does.

    Raises:
        ValueError: cells, sizes, axes and kind do not fit each other.
    """
    if kind is EntryKind.BLOB:
        return _blob(cells)
    if kind in (EntryKind.VALUE, EntryKind.ASCII):
        return _single(kind, cells)
    if pairs and kind is EntryKind.AXIS_PTS and len(cells.flat) == 2 * cells.shape[0]:
        return shaped(cells.flat, (cells.shape[0], 2))
    shape = _shape(kind, cells, sizes, points)
    for n, count in enumerate(points):
        if count is not None and n < len(shape) and shape[-1 - n] != count:
            raise ValueError(f"axis {n} has {count} points, the values have {shape[-1 - n]}")
    return shaped(cells.flat, shape)


def _single(kind: EntryKind, cells: Cells) -> int | float | str | NDArray[Any]:
    if kind is EntryKind.ASCII:
        if any(not isinstance(cell, str) for cell in cells.flat):
            raise ValueError("V instead of VT, but a text is due")
        if len(cells.flat) > 1:
            return shaped(cells.flat, cells.shape)
    if len(cells.flat) == 1:
        return cells.flat[0]
    raise ValueError(f"{len(cells.flat)} values, one is due")


def _blob(cells: Cells) -> bytes:
    flat = cells.flat
    if len(flat) == 1 and isinstance(flat[0], str):
        return bytes.fromhex(flat[0])
    if any(not isinstance(cell, int) or not 0 <= cell <= 255 for cell in flat):
        raise ValueError("a BLOB holds bytes only")
    return bytes(int(cell) for cell in flat)


def _shape(
    kind: EntryKind, cells: Cells, sizes: tuple[int, ...], points: Sequence[int | None]
) -> tuple[int, ...]:
    count, given = len(cells.flat), cells.shape
    if sizes and (math.prod(sizes) != count or _contradict(sizes, given)):
        told, there = (" × ".join(map(str, reversed(one))) for one in (sizes, given))
        raise ValueError(f"SW-ARRAYSIZE says {told}, {there} values are there")
    if kind is EntryKind.VAL_BLK:
        return sizes or ((count,) if given[:-1] == (1,) else given)
    wanted = DIMENSIONS[kind]
    if wanted == 1:
        if len([n for n in given if n != 1]) > 1:
            raise ValueError(f"values of {len(given)} dimensions, one is due")
        return (count,)
    if len(given) == wanted:
        return given
    if len(sizes) == wanted:
        return sizes
    counts = [n for n in points if n is not None]
    if len(counts) == wanted and math.prod(counts) == count:
        return tuple(reversed(counts))
    raise ValueError(f"values of {len(given)} dimensions, {wanted} are due")


def _contradict(sizes: tuple[int, ...], groups: tuple[int, ...]) -> bool:
    """True when groups tell another shape; without groups, and of dimensions of one, they tell nothing."""
    told, there = ([n for n in one if n != 1] for one in (sizes, groups))
    return len(there) > 1 and told != there


def point_values(cells: Cells) -> NDArray[Any]:
    """Points of an axis, array[n].

    Raises:
        ValueError: they have more than one dimension.
    """
    if len([n for n in cells.shape if n != 1]) > 1:
        raise ValueError(f"points of {len(cells.shape)} dimensions, one is due")
    return np.asarray(shaped(cells.flat, (len(cells.flat),)))
