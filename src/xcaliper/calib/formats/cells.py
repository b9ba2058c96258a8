"""Numbers as they stand in files, and arrays of them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = ["cell_array", "number_text", "parse_number", "plain", "shaped"]

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,300}", re.ASCII)
_HEX: Final = re.compile(r"([+-]?)0[xX]([0-9a-fA-F]{1,240})", re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?", re.ASCII)
_SPECIAL: Final = {
    "nan": math.nan,
    "inf": math.inf,
    "infinity": math.inf,
    "1.#inf": math.inf,
    "1.#qnan": math.nan,
    "1.#ind": math.nan,
}
_COMMA: Final = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?", re.ASCII)


def parse_number(text: str) -> int | float:
    """Number of a text: decimal, hexadecimal with ``0x``, with exponent, not-a-number or infinite.

    Without point and exponent it is an int, otherwise a float.

    Raises:
        ValueError: it is none; the message says what it looks like.
    """
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text.replace("d", "e").replace("D", "e"))
        if math.isinf(number):
            raise ValueError(f"{text[:40]!r} is beyond what a number can hold")
        return number
    if found := _HEX.fullmatch(text):
        whole = int(found[2], 16)
        return -whole if found[1] == "-" else whole
    sign, bare = (-1.0, text[1:]) if text[:1] == "-" else (1.0, text.removeprefix("+"))
    if (special := _SPECIAL.get(bare.lower().rstrip("0"))) is not None:
        return math.copysign(special, sign)
    shown = text if len(text) <= 40 else text[:37] + "..."
    if _COMMA.fullmatch(text):
        raise ValueError(f"{shown!r} has a decimal comma; a point is due")
    raise ValueError(f"{shown!r} is no number" if text else "a number is missing")


def number_text(number: float) -> str:
    """Shortest text that gives the number back: ``NaN``, ``INF`` and ``-INF`` where it is none."""
    if isinstance(number, int):
        return str(number)
    if math.isfinite(number):
        return repr(float(number))
    return "NaN" if math.isnan(number) else "INF" if number > 0 else "-INF"


def plain(cell: Any) -> Any:
    """Scalars of numpy as int, float or str of Python; truth values as int."""
    cell = cell.item() if isinstance(cell, np.generic) else cell
    return int(cell) if isinstance(cell, bool) else cell


def cell_array(cells: Iterable[int | float | str]) -> NDArray[Any]:
    """Cells of a file as array[n]: int64, uint64, float64, or object where a text is among them.

    Whole numbers that no 64-bit type holds become float64.
    """
    listed = list(cells)
    kinds = set(map(type, listed))
    if listed and kinds <= {int, bool}:
        low, high = min(map(int, listed)), max(map(int, listed))
        if low >= -(1 << 63) and high < 1 << 63:
            return np.array(listed, dtype=np.int64)
        if low >= 0 and high < 1 << 64:
            return np.array(listed, dtype=np.uint64)
    if any(issubclass(kind, str) for kind in kinds):
        texts = np.empty(len(listed), dtype=object)
        texts[:] = listed
        return texts
    return np.asarray(list(map(float, listed)), dtype=np.float64)


def shaped(cells: Sequence[int | float | str], shape: tuple[int, ...]) -> NDArray[Any]:
    """Cells in the order of the file as an array of that shape, slowest dimension first.

    Raises:
        ValueError: the number of cells does not fit the shape.
    """
    need = math.prod(shape)
    if len(cells) != need:
        raise ValueError(f"{len(cells)} values, {' × '.join(map(str, shape))} = {need} are due")
    return cell_array(cells).reshape(shape)
