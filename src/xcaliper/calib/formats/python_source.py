"""Parameter sets as Python source: lists and dictionaries of constants, ready to import and never executed to be read."""

from __future__ import annotations

import re
from dataclasses import fields
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.formats.cells import shaped
from xcaliper.calib.formats.findings import Findings
from xcaliper.calib.formats.model import Holds, ReadSet, SetFormat
from xcaliper.calib.formats.python_literals import Literals
from xcaliper.calib.formats.text_parts import (
    cells_of,
    unique_entries,
)
from xcaliper.calib.paramset import (
    AxisKind,
    CollectionInfo,
    Entry,
    EntryKind,
    Flag,
    HistoryEntry,
    Origin,
    ParameterSet,
    SetAxis,
)
from xcaliper.core.errors import ParameterSetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcaliper.quantity.catalog import Catalog

__all__ = ["FORMAT", "read_python", "sniff_python", "write_python"]

VERSION: Final = 1
_MARK: Final = "XCALIPER_SET"
_ODD: Final = re.compile(r"[^\x20-\ud7ff\ue000-\U0010ffff]|[\x7f-\xa0\u2028\u2029\ufeff]")


def sniff_python(data: bytes) -> bool:
    """True when it assigns the mark of such a file."""
    return re.search(rb"(?m)^XCALIPER_SET[ \t]*=", data) is not None


# --- read ----------------------------------------------------------------------------------------


def read_python(data: bytes, *, source: str = "") -> ReadSet:
    """Read a set from Python source; only constants are understood, nothing is executed.

    Args:
        data: bytes of the file, UTF-8.
        source: its name, for messages.

    Raises:
        ParameterSetError: it is no such file, one of a later version, or it is damaged.
    """
    findings = Findings(source)
    parts = _assignments(data, source, findings)
    if parts.get(_MARK) != VERSION:
        raise ParameterSetError(
            f"it is version {parts.get(_MARK)!r}; {VERSION} can be read.",
            source=source,
            hint="Read it with the program that wrote it.",
        )
    entries: list[tuple[int, Entry]] = []
    for line, found in parts.get("PARAMETERS", []):
        try:
            entries.append((line, _entry(found, line)))
        except (ValueError, TypeError) as error:
            name = str(found.get("name", "?"))[:60] if isinstance(found, dict) else "?"
            text = f"{name}: {error}; it is left out."
            findings.error("bad-entry", text, line=line, subject=name)
    try:
        made = ParameterSet(
            unique_entries(entries, findings),
            name=_string(parts.get("NAME", "")),
            origin=_made(Origin, parts.get("ORIGIN", {})),
            functions=[_made(CollectionInfo, one) for one in _list(parts.get("FUNCTIONS", []))],
            criteria=[
                (name, tuple(map(_string, _list(choices))))
                for name, choices in _dict(parts.get("CRITERIA", {})).items()
            ],
            comments=map(_string, _list(parts.get("COMMENTS", []))),
        )
    except (ValueError, TypeError) as error:
        raise ParameterSetError(f"its head is wrong: {error}.", source=source) from None
    return ReadSet(made, findings.all())


def _assignments(data: bytes, source: str, findings: Findings) -> dict[str, Any]:
    """Name → constant; of PARAMETERS the line of every element as well."""
    found: dict[str, Any] = {}
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParameterSetError(f"it is not UTF-8 at byte {error.start}.", source=source) from None
    literals = Literals(text)
    try:
        literals.step()
        if literals.kind == "text":
            literals.value()  # its docstring
        while literals.kind != "end":
            name = literals.target()
            if name == "PARAMETERS":
                _fill(literals, found.setdefault(name, []))
            else:
                found[name] = literals.value()
    except ValueError as error:
        if _MARK not in found:
            raise ParameterSetError(
                f"it is no Python source of parameter values: {error}.",
                source=source,
                line=literals.line(),
            ) from None
        told = f"it cannot be read from here on: {error}."
        findings.error("damaged", told, line=literals.line(), hint="Only constants are understood.")
    if _MARK not in found:
        raise ParameterSetError(f"it does not assign {_MARK}.", source=source)
    return found


def _fill(literals: Literals, found: list[tuple[int, Any]]) -> None:
    """Elements of the list of parameters with their lines; those before a damage are kept."""
    literals.need("[")
    while not literals.take("]"):
        line = literals.line()
        found.append((line, literals.value()))
        if not literals.take(","):
            literals.need("]")
            break


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]} is no text")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:40]} is no list")
    return value


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{str(value)[:40]} is no dictionary")
    return value


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((_string(a), _string(b)) for a, b in map(_list, _list(value)))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(_string, _list(value)))


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "kind": EntryKind,
    "remark": _texts,
    "special": _pairs,
    "functions": _texts,
    "variant": _pairs,
    "is_raw": bool,
    "is_collection": bool,
    "history": lambda value: tuple(_made(HistoryEntry, one) for one in _list(value)),
    "flags": lambda value: tuple(_made(Flag, one) for one in _list(value)),
    "axes": lambda value: tuple(_made(SetAxis, one) for one in _list(value)),
}
"""Field → what makes its value from constants; a text for any other."""


def _made(kind: type[Any], value: Any) -> Any:
    """An object of the model from a dictionary of its fields."""
    given = _dict(value)
    known = {one.name for one in fields(kind)}
    if unknown := set(given) - known:
        raise ValueError(f"{kind.__name__} has no {min(unknown)[:40]}")
    made = {}
    for name, one in given.items():
        if kind is SetAxis and name == "kind":
            made[name] = AxisKind(one)
        elif name == "values":
            made[name] = _shaped(one)
        else:
            read: Callable[[Any], Any] = _READERS.get(name, _string)
            made[name] = read(one)
    return kind(**made)


def _entry(value: Any, line: int) -> Entry:
    entry: Entry = _made(Entry, {**_dict(value), "where": f"line {line}"})
    if not isinstance(entry.values, int | float | str | bytes | np.ndarray):
        raise TypeError("its values are neither numbers nor texts")
    return entry


def _shaped(value: Any) -> Any:
    """Nested lists as an array, anything else as it is."""
    if not isinstance(value, list):
        return value
    shape: list[int] = []
    flat: list[Any] = [value]
    while flat and isinstance(flat[0], list):
        sizes = {len(one) if isinstance(one, list) else -1 for one in flat}
        if len(sizes) != 1:
            raise ValueError("its rows have different lengths")
        shape.append(sizes.pop())
        flat = [item for one in flat for item in one]
    if not all(type(one) in (int, float, str) for one in flat):
        raise TypeError("a cell is neither a number nor a text")
    return shaped(flat, tuple(shape))


# --- write ---------------------------------------------------------------------------------------


def write_python(values: ParameterSet, *, catalog: Catalog | None = None) -> bytes:
    """Write Python source that holds everything of a set; importing it gives lists and dictionaries.

    Args:
        values: what to write.
        catalog: not needed.
    """
    del catalog
    lines = ['"""Values of parameters; PARAMETERS has one dictionary for each."""', ""]
    lines.append(f"{_MARK} = {VERSION}")
    lines.append(f"NAME = {_literal(values.name)}")
    lines.append(f"ORIGIN = {_literal(_plain(values.origin))}")
    lines.append(f"FUNCTIONS = {_literal([_plain(one) for one in values.functions])}")
    lines.append(f"CRITERIA = {_literal({k: list(v) for k, v in values.criteria.items()})}")
    lines.append(f"COMMENTS = {_literal(list(values.comments))}")
    lines.append("PARAMETERS = [")
    lines += [f"    {_literal(_plain(one))}," for one in values]
    lines.append("]")
    return ("\n".join(lines) + "\n").encode("utf-8")


def _plain(thing: Any) -> dict[str, Any]:
    """Fields of an object of the model that differ from their defaults."""
    return dict(_fields(thing))


def _fields(thing: Any) -> Iterator[tuple[str, Any]]:
    for one in fields(thing):
        value = getattr(thing, one.name)
        if one.name == "where" or (one.name != "values" and value == one.default):
            continue
        if value is None and one.name == "values":
            continue
        if one.name in ("axes", "history", "flags"):
            value = [_plain(part) for part in value]
        elif one.name == "kind":
            value = str(value)
        yield one.name, value


def _literal(value: Any) -> str:
    """The source text of a constant."""
    if isinstance(value, str):
        return ascii(value) if _ODD.search(value) else repr(value)
    if isinstance(value, bytes) or value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, np.ndarray):
        return _literal(_nested(value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(k)}: {_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    cell = cells_of(value)[0]
    return repr(cell) if not isinstance(cell, float) or isfinite(cell) else f'float("{cell}")'


def _nested(values: Any) -> Any:
    if values.ndim > 1:
        return [_nested(one) for one in values]
    return cells_of(values)


FORMAT: Final = SetFormat(
    "python",
    "Python source",
    (".py",),
    read_python,
    write_python,
    sniff_python,
    holds=frozenset(Holds),
)
