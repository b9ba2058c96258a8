"""Fields of the model ↔ JSON values, by one table for each class."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from xcaliper.calib.formats.cells import number_text, plain
from xcaliper.calib.paramset import (
    AxisKind,
    CollectionInfo,
    Entry,
    EntryKind,
    Flag,
    HistoryEntry,
    Origin,
    SetAxis,
)

if TYPE_CHECKING:
    from enum import StrEnum

__all__ = [
    "AXIS",
    "ENTRY",
    "FLAG",
    "FUNCTION",
    "HISTORY",
    "ORIGIN",
    "Codec",
    "Field",
    "FieldError",
    "from_json",
    "text_of",
    "to_json",
]

T = TypeVar("T")
Field = Callable[[str], None]
"""Called with the name of a field that is not known."""

MAX_CELLS: Final = 16_000_000
MAX_DIMENSIONS: Final = 8
_DTYPES: Final = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
    "float64", "object",
)  # fmt: skip
_SPECIAL: Final = {"NaN": math.nan, "INF": math.inf, "-INF": -math.inf}

_INFINITE: Final = (math.inf, -math.inf)


class FieldError(ValueError):
    """A field does not fit: what and why, without a full stop."""


Codec = tuple[Callable[[Any], Any], Callable[[Any, str], Any]]
"""To JSON; from JSON, given the name of the field for messages."""


def text_of(value: Any, name: str) -> str:
    """A text.

    Raises:
        FieldError: it is something else.
    """
    if not isinstance(value, str):
        raise FieldError(f"{name}: a text is due, not {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{type(value).__name__} {shown[:30]}..."


def _same(value: Any) -> Any:
    return value


def _truth(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise FieldError(f"{name}: true or false is due, not {_shown(value)}")
    return value


def _items(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise FieldError(f"{name}: a list is due, not {_shown(value)}")
    return value


def _texts(value: Any, name: str) -> tuple[str, ...]:
    return tuple(text_of(one, name) for one in _items(value, name))


def _pairs(value: Any, name: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for one in _items(value, name):
        if len(_items(one, name)) != 2:
            raise FieldError(f"{name}: pairs of texts are due, not {_shown(one)}")
        pairs.append((text_of(one[0], name), text_of(one[1], name)))
    return tuple(pairs)


def _word(kind: type[StrEnum]) -> Codec:
    def read(value: Any, name: str) -> StrEnum:
        try:
            return kind(value)
        except ValueError:
            raise FieldError(f"{name}: {_shown(value)} is none of {', '.join(kind)}") from None

    return str, read


def _number(value: Any, name: str) -> int | float:
    """A cell that is a number, not-a-number and infinite as a text."""
    if isinstance(value, str) and value in _SPECIAL:
        return _SPECIAL[value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FieldError(f"{name}: a number is due, not {_shown(value)}")
    if isinstance(value, float) and math.isinf(value):
        raise FieldError(f"{name}: a number is beyond what a float can hold")
    return value


def _scalar_out(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": number_text(value)}
    if not isinstance(value, (int, float, str)):
        raise FieldError(f"a {type(value).__name__} is no number and no text")
    return value


def _array_out(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    dtype = "object" if array.dtype.kind == "U" else array.dtype.name
    if dtype not in _DTYPES:
        raise FieldError(f"an array of {array.dtype} is no array of numbers or texts")
    cells = array.ravel().tolist()
    if dtype == "object":
        cells = [_scalar_out(cell) for cell in cells]
    elif array.dtype.kind == "f":
        cells = [cell if math.isfinite(cell) else number_text(cell) for cell in cells]
    return {"dtype": dtype, "shape": list(array.shape), "cells": cells}


def _values_out(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _array_out(value)
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": value.hex()}
    return _scalar_out(value)


def _values_in(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return _object_in(value, name)
    if isinstance(value, str):
        return value
    return _number(value, name)


def _object_in(value: dict[str, Any], name: str) -> Any:
    keys = set(value)
    if keys == {"number"} and value["number"] in _SPECIAL:
        return _SPECIAL[value["number"]]
    if keys == {"bytes"}:
        try:
            return bytes.fromhex(text_of(value["bytes"], name))
        except ValueError as error:
            raise FieldError(f"{name}: no hexadecimal bytes") from error
    if keys == {"dtype", "shape", "cells"}:
        return _array_in(value, name)
    raise FieldError(f"{name}: {_shown(value)} is no value")


def _array_in(value: dict[str, Any], name: str) -> np.ndarray[Any, Any]:
    dtype, cells = value["dtype"], _items(value["cells"], name)
    shape = tuple(_items(value["shape"], name))
    if dtype not in _DTYPES:
        raise FieldError(f"{name}: dtype {_shown(dtype)} is not known")
    if len(shape) > MAX_DIMENSIONS or any(
        isinstance(n, bool) or not isinstance(n, int) or not 0 <= n <= MAX_CELLS for n in shape
    ):
        raise FieldError(f"{name}: {_shown(value['shape'])} is no shape")
    if math.prod(shape) != len(cells):
        raise FieldError(f"{name}: {len(cells)} cells do not fill the shape {list(shape)}")
    array = np.empty(len(cells), dtype=dtype)
    if dtype == "object":
        array[:] = [_values_in(cell, name) for cell in cells]
    elif dtype == "bool":
        array[:] = [_truth(cell, name) for cell in cells]
    else:
        _fill(array, [_number(cell, name) for cell in cells], name)
    return array.reshape(shape)


def _fill(array: np.ndarray[Any, Any], cells: list[int | float], name: str) -> None:
    if array.dtype.kind != "f":
        limits = np.iinfo(array.dtype)
        if not all(isinstance(n, int) and limits.min <= n <= limits.max for n in cells):
            raise FieldError(f"{name}: cells do not fit {array.dtype}")
    try:
        with np.errstate(over="ignore"):
            array[:] = cells
    except OverflowError as error:
        raise FieldError(f"{name}: cells do not fit {array.dtype}") from error
    if array.dtype.kind == "f" and np.isinf(array).sum() != sum(n in _INFINITE for n in cells):
        raise FieldError(f"{name}: cells do not fit {array.dtype}")


def _rows(kind: type[Any], table: Mapping[str, Codec]) -> Codec:
    """A tuple of objects of one class."""

    def read(value: Any, name: str) -> tuple[Any, ...]:
        return tuple(
            from_json(one, kind, table, _refuse(f"{name}[{i}]"))
            for i, one in enumerate(_items(value, name))
        )

    return lambda rows: [to_json(one, table) for one in rows], read


def _refuse(place: str) -> Field:
    def unknown(name: str) -> None:
        raise FieldError(f"{place}: field {_shown(name)} is not known")

    return unknown


_TEXT: Final[Codec] = (_same, text_of)
_TEXTS: Final[Codec] = (list, _texts)
_PAIRS: Final[Codec] = (lambda pairs: [list(pair) for pair in pairs], _pairs)
_TRUTH: Final[Codec] = (bool, _truth)
_VALUES: Final[Codec] = (_values_out, _values_in)


def _points_in(value: Any, name: str) -> np.ndarray[Any, Any]:
    points = _values_in(value, name)
    if not isinstance(points, np.ndarray):
        raise FieldError(f"{name}: an array is due, not {_shown(value)}")
    return points


AXIS: Final[Mapping[str, Codec]] = {
    "kind": _word(AxisKind),
    "values": (_values_out, _points_in),
    "ref": _TEXT,
    "unit": _TEXT,
    "quantity": _TEXT,
}
HISTORY: Final[Mapping[str, Codec]] = {
    **dict.fromkeys(
        ("state", "date", "user", "project", "work_package", "test_object", "test_variant", "program", "data"),
        _TEXT,
    ),
    "remark": _TEXTS,
    "special": _PAIRS,
}  # fmt: skip
FLAG: Final[Mapping[str, Codec]] = {
    **dict.fromkeys(("category", "flag", "user", "date"), _TEXT),
    "remark": _TEXTS,
}
ENTRY: Final[Mapping[str, Codec]] = {
    "name": _TEXT,
    "kind": _word(EntryKind),
    "variant": _PAIRS,
    "values": _VALUES,
    "axes": _rows(SetAxis, AXIS),
    **dict.fromkeys(("unit", "long_name", "display_name"), _TEXT),
    "functions": _TEXTS,
    "history": _rows(HistoryEntry, HISTORY),
    "flags": _rows(Flag, FLAG),
    "category": _TEXT,
    "is_raw": _TRUTH,
}
"""Fields of an entry; ``where`` is told by the place in the file."""
FUNCTION: Final[Mapping[str, Codec]] = {
    **dict.fromkeys(("name", "version", "long_name"), _TEXT),
    "is_collection": _TRUTH,
    "history": _rows(HistoryEntry, HISTORY),
}
ORIGIN: Final[Mapping[str, Codec]] = dict.fromkeys(
    ("a2l", "epk", "image", "tool", "time", "user"), _TEXT
)


_DEFAULTS: Final[Mapping[type[Any], Mapping[str, Any]]] = {
    kind: {one.name: one.default for one in fields(kind) if one.default is not MISSING}
    for kind in (Entry, SetAxis, HistoryEntry, Flag, CollectionInfo, Origin)
}


def to_json(value: Any, table: Mapping[str, Codec]) -> dict[str, Any]:
    """Fields of one object that differ from their defaults.

    Raises:
        FieldError: a value has no form in JSON.
    """
    defaults = _DEFAULTS[type(value)]
    row: dict[str, Any] = {}
    for name, (write, _) in table.items():
        content = getattr(value, name)
        if name not in defaults or (content is not None and _differs(content, defaults[name])):
            row[name] = write(content)
    return row


def _differs(content: Any, default: Any) -> bool:
    return isinstance(content, np.ndarray) or bool(content != default)


def from_json(
    value: Any, kind: type[T], table: Mapping[str, Codec], unknown: Field, **more: Any
) -> T:
    """Object of a class from its fields.

    Args:
        value: what JSON gave.
        kind: class to make.
        table: its fields.
        unknown: told the names of fields that the table does not have.
        more: further fields.

    Raises:
        FieldError: a field is missing or wrong.
    """
    if not isinstance(value, dict):
        raise FieldError(f"an object is due, not {_shown(value)}")
    given: dict[str, Any] = dict(more)
    for name, content in value.items():
        if name in table:
            given[name] = table[name][1](content, name)
        else:
            unknown(name)
    defaults = _DEFAULTS[kind]
    for name in table:
        if name not in given and name not in defaults:
            raise FieldError(f"field {name!r} is missing")
    return kind(**given)
