"""Names to described memory: plain objects, and INSTANCEs expanded on demand (ASAP2, INSTANCE, 1.7)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Final

from xcaliper.a2l.ifdata import IfData
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.typedef import Instance, TypedefStructure
from xcaliper.core.datatypes import DataType
from xcaliper.core.errors import UsageError

__all__ = ["Located", "expand", "locate"]

MAX_DEPTH: Final = 16
MAX_NAMES: Final = 1_000_000

_KINDS: Final = {
    "MEASUREMENT": "measurement",
    "TYPEDEF_MEASUREMENT": "measurement",
    "CHARACTERISTIC": "characteristic",
    "TYPEDEF_CHARACTERISTIC": "characteristic",
    "AXIS_PTS": "axis_pts",
    "TYPEDEF_AXIS": "axis_pts",
    "BLOB": "blob",
    "TYPEDEF_BLOB": "blob",
}
_TYPEDEFS: Final = (
    "TYPEDEF_AXIS",
    "TYPEDEF_BLOB",
    "TYPEDEF_CHARACTERISTIC",
    "TYPEDEF_MEASUREMENT",
    "TYPEDEF_STRUCTURE",
)
_STEP: Final = re.compile(r"([^.\[\]]+)((?:\[\d{1,9}\])*)")
_INDEX: Final = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Located:
    """A description and where its memory is.

    Attributes:
        name: full name.
        kind: ``measurement``, ``characteristic``, ``axis_pts`` or ``blob``.
        made: the keyword object that describes it, perhaps a typedef.
        address: first address; None for objects without memory.
        extension: address extension.
        dims: MATRIX_DIM that the instance or component puts around it, X first.
        scope: name of the enclosing structure with its dot, for THIS.
        if_data: interface data of the object or of the instance.
        read_write: READ_WRITE of the measurement or of the instance.
    """

    name: str
    kind: str
    made: Any
    address: int | None
    extension: int
    dims: tuple[int, ...]
    scope: str
    if_data: tuple[IfData, ...]
    read_write: bool


def locate(index: ModuleIndex, name: str, *, ag: int = 1) -> Located | None:
    """Description and address of a name, expanded names included; None when there is none.

    Args:
        index: the module.
        name: ``Object``, ``Instance.member`` or ``Instance.array[2].member``.
        ag: bytes per address unit.

    Raises:
        UsageError: an array index is outside of its array.
    """
    made = index.object(name)
    if made is not None and not isinstance(made, Instance):
        return _plain(name, made)
    found = _head(index, name)
    return _member(index, found[0], name, found[1], ag) if found else None


def _head(
    index: ModuleIndex, name: str
) -> tuple[Instance, list[tuple[str, tuple[int, ...]]]] | None:
    """The instance a name starts with, and the steps from it; instance names may hold dots."""
    ends = [len(name), *(m.start() for m in re.finditer(r"[.\[]", name))]
    for end in sorted(ends, reverse=True):
        instance = index.object(name[:end])
        if isinstance(instance, Instance):
            steps = _split("-" + name[end:])
            return (instance, steps) if steps else None
    return None


def _plain(name: str, made: Any) -> Located:
    address = made.ecu_address if made.KEYWORD == "MEASUREMENT" else made.address
    return Located(
        name,
        _KINDS[made.KEYWORD],
        made,
        address,
        made.ecu_address_extension or 0,
        (),
        "",
        tuple(made.if_data),
        bool(getattr(made, "read_write", False)),
    )


def _split(name: str) -> list[tuple[str, tuple[int, ...]]]:
    """Parts of a dotted name with their indices; 1.6 style ``a._2_`` is understood."""
    steps: list[tuple[str, tuple[int, ...]]] = []
    for part in name.split("."):
        old = re.fullmatch(r"_(\d{1,9})_", part)
        if old and steps:
            steps[-1] = (steps[-1][0], (*steps[-1][1], int(old[1])))
            continue
        match = _STEP.fullmatch(part)
        if match is None:
            return []
        steps.append((match[1], tuple(int(i) for i in _INDEX.findall(match[2]))))
    return steps


def _member(
    index: ModuleIndex,
    instance: Instance,
    name: str,
    steps: list[tuple[str, tuple[int, ...]]],
    ag: int,
) -> Located | None:
    typedef = index.find(instance.typedef_name, *_TYPEDEFS)
    dims = _dims(instance.matrix_dim)
    offset = 0
    for depth, (part, indices) in enumerate(steps):
        if depth:
            if not isinstance(typedef, TypedefStructure) or depth > MAX_DEPTH:
                return None
            component = next((c for c in typedef.structure_component if c.name == part), None)
            if component is None:
                return None
            offset += component.address_offset * ag
            _direct(component, name)
            typedef = index.find(component.typedef_name, *_TYPEDEFS)
            dims = _dims(component.matrix_dim)
        if typedef is None:
            return None
        if indices:
            offset += _element(name, dims, indices) * _size(index, typedef, name)
            dims = ()
        elif dims and depth < len(steps) - 1:
            return None
    if isinstance(typedef, TypedefStructure) or typedef is None:
        return None
    _direct(instance, name)
    scope = name.rpartition(".")[0]
    return Located(
        name,
        _KINDS[typedef.KEYWORD],
        typedef,
        instance.address + offset // ag,
        instance.ecu_address_extension or 0,
        dims,
        f"{scope}." if scope else "",
        tuple(instance.if_data),
        instance.read_write,
    )


def _direct(made: Any, name: str) -> None:
    if made.address_type not in (None, "DIRECT"):
        raise UsageError(
            f"{name}: it is reached through a pointer ({made.address_type}), which is not supported.",
            hint="Describe the object with its own address.",
        )


def _dims(matrix_dim: tuple[int, ...] | None) -> tuple[int, ...]:
    """Dimensions without the unused ones at the end, X first."""
    dims = [max(1, n) for n in matrix_dim or ()]
    while dims and dims[-1] == 1:
        dims.pop()
    return tuple(dims)


def _element(name: str, dims: tuple[int, ...], indices: tuple[int, ...]) -> int:
    """Number of an element; indices are given slowest first, as in C."""
    shape = tuple(reversed(dims)) or (1,)
    if len(indices) != len(shape) or any(i >= n for i, n in zip(indices, shape, strict=False)):
        raise UsageError(
            f"{name}: index outside of the array, whose shape is {shape}.",
            hint="Indices start at 0.",
        )
    at = 0
    for i, n in zip(indices, shape, strict=True):
        at = at * n + i
    return at


def _size(index: ModuleIndex, typedef: Any, name: str) -> int:
    """Bytes of one element of a typedef."""
    if isinstance(typedef, TypedefStructure):
        return typedef.total_size
    if typedef.KEYWORD == "TYPEDEF_BLOB":
        return int(typedef.size)
    if typedef.KEYWORD == "TYPEDEF_MEASUREMENT":
        word = typedef.datatype
    else:
        layout_name = getattr(typedef, "deposit", "")
        layout = index.find(layout_name, "RECORD_LAYOUT") if layout_name else None
        if layout is None or layout.fnc_values is None or getattr(typedef, "axis_descr", None):
            raise UsageError(
                f"{name}: arrays of {typedef.KEYWORD} {typedef.name} are not supported.",
                hint="Describe the elements one by one.",
            )
        word = layout.fnc_values.datatype
    try:
        size = DataType(word).size_bytes
    except ValueError:
        raise UsageError(f"{name}: data type {word} is unknown.", hint="Correct it.") from None
    return size * prod(_dims(typedef.matrix_dim))


def expand(index: ModuleIndex, instance: Instance) -> Iterator[tuple[str, str]]:
    """Name and kind of every object of an instance, one at a time."""
    typedef = index.find(instance.typedef_name, *_TYPEDEFS)
    budget = iter(range(MAX_NAMES))
    yield from _expand(index, instance.name, typedef, _dims(instance.matrix_dim), (), budget)


def _expand(
    index: ModuleIndex,
    name: str,
    typedef: Any,
    dims: tuple[int, ...],
    path: tuple[str, ...],
    budget: Iterator[int],
) -> Iterator[tuple[str, str]]:
    """Depth first; structures behind pointers and structures inside themselves are left out."""
    if typedef is None or typedef.name in path or len(path) > MAX_DEPTH:
        return
    if not isinstance(typedef, TypedefStructure):
        yield name, _KINDS[typedef.KEYWORD]
        return
    for indices in product(*(range(n) for n in reversed(dims))) if dims else ((),):
        base = name + "".join(f"[{i}]" for i in indices)
        if next(budget, None) is None:
            return
        for part in typedef.structure_component:
            if next(budget, None) is None:
                return
            if part.address_type in (None, "DIRECT"):
                inner = index.find(part.typedef_name, *_TYPEDEFS)
                yield from _expand(
                    index,
                    f"{base}.{part.name}",
                    inner,
                    _dims(part.matrix_dim),
                    (*path, typedef.name),
                    budget,
                )
