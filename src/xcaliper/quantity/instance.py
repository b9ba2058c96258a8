"""Names to described memory: plain objects, and INSTANCEs expanded on demand (ASAP2, INSTANCE, 1.7)."""

import re
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from xcaliper.a2l.ifdata import IfData
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.typedef import Instance, Overwrite, TypedefStructure
from xcaliper.core.datatypes import DataType
from xcaliper.core.errors import UsageError
from xcaliper.quantity.memory_values import POINTERS, datatype_of
from xcaliper.quantity.record_layout import shape_of
from xcaliper.quantity.sizes import dims_of, is_plain_values, own_dims, stride_of

__all__ = ["Located", "expand", "locate", "wholes_of"]

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
_OVERWRITTEN: Final = (
    "conversion",
    "extended_limits",
    "format",
    "input_quantity",
    "monotony",
    "phys_unit",
)

Step = tuple[str, tuple[int, ...]]


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
        hops: pointers from the address to the data: their type, and the distance in address units
            that follows each.
        column_dir: the array that the instance or component makes lies Y fastest.
        access: CALIBRATION_ACCESS of the object or of the instance, or None.
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
    hops: tuple[tuple[DataType, int], ...] = ()
    column_dir: bool = False
    access: str | None = None


def locate(index: ModuleIndex, name: str, *, ag: int = 1) -> Located | None:
    """Description and address of a name, expanded names included; None when there is none.

    Args:
        index: the module.
        name: ``Object``, ``Array[2]``, ``Instance.member`` or ``Instance.array[2].member``.
        ag: bytes per address unit.

    Raises:
        UsageError: an array index is outside of its array.
    """
    made = index.object(name)
    if made is not None and not isinstance(made, Instance):
        return _plain(index, name, made, (), ag)
    found = _head(index, name)
    if found is None:
        return None
    head, steps = found
    if isinstance(head, Instance):
        return _member(index, head, name, steps, ag)
    return _plain(index, name, head, steps[0][1], ag) if len(steps) == 1 else None


def _head(index: ModuleIndex, name: str) -> tuple[Any, list[Step]] | None:
    """The object a name starts with, and the steps from it; names of objects may hold dots."""
    ends = [len(name), *(m.start() for m in re.finditer(r"[.\[]", name))]
    for end in sorted(ends, reverse=True):
        made = index.object(name[:end])
        if made is not None:
            steps = _split("-" + name[end:])
            return (made, steps) if steps else None
    return None


def _plain(
    index: ModuleIndex, name: str, made: Any, indices: tuple[int, ...], ag: int
) -> Located | None:
    place = _Place(made.ecu_address if made.KEYWORD == "MEASUREMENT" else made.address, ag, name)
    if place.address is not None:
        place.jump(getattr(made, "address_type", None))
    if indices:
        made = place.element_of(index, made, indices)
    return Located(
        name,
        _KINDS[made.KEYWORD],
        made,
        place.address,
        made.ecu_address_extension or 0,
        (),
        "",
        tuple(made.if_data),
        bool(getattr(made, "read_write", False)),
        tuple(place.hops),
        access=getattr(made, "calibration_access", None),
    )


def _split(name: str) -> list[Step]:
    """Parts of a dotted name with their indices; 1.6 style ``a._2_`` is understood."""
    steps: list[Step] = []
    for part in name.split("."):
        old = re.fullmatch(r"((?:_\d{1,9}_)+)", part)
        if old and steps:
            numbers = tuple(int(n) for n in re.findall(r"_(\d+)_", part))
            steps[-1] = (steps[-1][0], (*steps[-1][1], *numbers))
            continue
        match = _STEP.fullmatch(part)
        if match is None:
            return []
        steps.append((match[1], tuple(int(i) for i in _INDEX.findall(match[2]))))
    return steps


class _Place:
    """Where a walk through structures is: an address, perhaps behind pointers."""

    def __init__(self, address: int | None, ag: int, name: str) -> None:
        self.address = address
        self.ag = ag
        self.name = name
        self.hops: list[tuple[DataType, int]] = []
        self._rest = 0

    def jump(self, address_type: str | None) -> None:
        """Go through a pointer; DIRECT stays."""
        pointer = POINTERS.get(address_type or "DIRECT")
        if pointer is not None:
            self.hops.append((pointer, 0))
            self._rest = 0

    def move(self, size_bytes: int) -> None:
        """Go some bytes further."""
        units, self._rest = divmod(self._rest + size_bytes, self.ag)
        if self.hops:
            pointer, offset = self.hops[-1]
            self.hops[-1] = (pointer, offset + units)
        elif self.address is not None:
            self.address += units

    def element_of(self, index: ModuleIndex, made: Any, indices: tuple[int, ...]) -> Any:
        """Go to one element of an array that the object is by itself; gives its description."""
        dims = own_dims(made)
        single = copy(made)
        single.matrix_dim = None
        if made.KEYWORD in ("MEASUREMENT", "TYPEDEF_MEASUREMENT") and dims:
            at = _element(self.name, dims, indices, column_dir=made.layout == "COLUMN_DIR")
            self.move(at * datatype_of(made.datatype, self.name).size_bytes)
            if made.KEYWORD == "MEASUREMENT":
                single.array_size = None
            return single
        if getattr(made, "type", "") == "VAL_BLK" and dims and is_plain_values(index, made):
            (values,) = shape_of(made.deposit, index, self.name).elements
            at = _element(self.name, dims, indices, column_dir=values.mode == "COLUMN_DIR")
            self.move(at * values.size_bytes)
            single.type, single.number = "VALUE", None
            return single
        raise UsageError(
            f"{self.name}: it has no elements of its own.", hint="Name the whole object."
        )


def _member(
    index: ModuleIndex, instance: Instance, name: str, steps: list[Step], ag: int
) -> Located | None:
    place = _Place(instance.address, ag, name)
    typedef = index.find(instance.typedef_name, *_TYPEDEFS)
    place.jump(instance.address_type)
    dims, column_dir = dims_of(instance.matrix_dim), instance.layout == "COLUMN_DIR"
    inside: TypedefStructure | None = None
    for depth, (part, indices) in enumerate(steps):
        if depth:
            if not isinstance(typedef, TypedefStructure) or depth > MAX_DEPTH:
                return None
            inside = typedef
            component = next((c for c in inside.structure_component if c.name == part), None)
            if component is None:
                return None
            place.move(component.address_offset * ag)
            place.jump(component.address_type)
            typedef = index.find(component.typedef_name, *_TYPEDEFS)
            dims, column_dir = dims_of(component.matrix_dim), component.layout == "COLUMN_DIR"
        if typedef is None:
            return None
        outer, inner = _shares(dims, indices, typedef)
        if outer:
            at = _element(name, dims, outer, column_dir=column_dir)
            place.move(at * stride_of(index, typedef, name, inside))
            dims = ()
        elif dims and (isinstance(typedef, TypedefStructure) or _one_by_one(index, typedef)):
            _refuse_whole_array(name, dims, typedef)
            return None
        place.jump(getattr(typedef, "address_type", None))
        if inner:
            typedef = place.element_of(index, typedef, inner)
    if isinstance(typedef, TypedefStructure) or typedef is None:
        return None
    scope = name.rpartition(".")[0]
    return Located(
        name,
        _KINDS[typedef.KEYWORD],
        _overwritten(instance.overwrite, steps[1:], typedef),
        place.address,
        instance.ecu_address_extension or 0,
        dims,
        f"{scope}." if scope else "",
        tuple(instance.if_data),
        instance.read_write,
        tuple(place.hops),
        column_dir,
        instance.calibration_access,
    )


def _refuse_whole_array(name: str, dims: tuple[int, ...], typedef: Any) -> None:
    """Refuse a whole array of tables by name; arrays of structures are simply no object."""
    if isinstance(typedef, TypedefStructure):
        return
    first = name + "[0]" * len(dims)
    raise UsageError(
        f"{name}: it is an array of tables or texts.", hint=f"Name one element, as {first}."
    )


def _shares(
    dims: tuple[int, ...], indices: tuple[int, ...], typedef: Any
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indices into the array of the instance or component, and into the object's own array."""
    if isinstance(typedef, TypedefStructure) or not own_dims(typedef):
        return indices, ()
    return indices[: len(dims)], indices[len(dims) :]


def _one_by_one(index: ModuleIndex, typedef: Any) -> bool:
    """True where the elements of an array are objects of their own, False where it is one block."""
    if POINTERS.get(getattr(typedef, "address_type", None) or "DIRECT") is not None:
        return True
    if typedef.KEYWORD == "TYPEDEF_CHARACTERISTIC":
        return not is_plain_values(index, typedef)
    return bool(typedef.KEYWORD == "TYPEDEF_AXIS")


def _overwritten(changes: list[Overwrite], steps: list[Step], typedef: Any) -> Any:
    """The description with what the instance changes (ASAP2, OVERWRITE, 1.7)."""
    names = {
        ".".join(part for part, _ in steps) or "THIS",
        ".".join(part + "".join(f"[{i}]" for i in indices) for part, indices in steps) or "THIS",
    }
    own = [o for o in changes if o.name.removeprefix("THIS.") in names]
    if not own:
        return typedef
    made = copy(typedef)
    if getattr(made, "axis_descr", None):
        made.axis_descr = [copy(axis) for axis in made.axis_descr]
    for change in own:
        axes = getattr(made, "axis_descr", [])
        target = made
        if change.axis_number and made.KEYWORD != "TYPEDEF_AXIS":
            if not 0 < change.axis_number <= len(axes):
                continue
            target = axes[change.axis_number - 1]
        for attr in _OVERWRITTEN:
            value = getattr(change, attr)
            if value is not None and hasattr(target, attr):
                setattr(target, attr, value)
        if change.limits is not None:
            target.lower_limit = change.limits.lower_limit
            target.upper_limit = change.limits.upper_limit
    return made


def _element(
    name: str, dims: tuple[int, ...], indices: tuple[int, ...], *, column_dir: bool
) -> int:
    """Number of an element in memory; indices are given slowest first, as in C."""
    shape = tuple(reversed(dims)) or (1,)
    if len(indices) != len(shape) or any(i >= n for i, n in zip(indices, shape, strict=False)):
        raise UsageError(
            f"{name}: index outside of the array, whose shape is {shape}.",
            hint="Indices start at 0.",
        )
    pairs = list(zip(indices, shape, strict=True))
    if column_dir and len(pairs) > 1:
        pairs[-1], pairs[-2] = pairs[-2], pairs[-1]
    at = 0
    for i, n in pairs:
        at = at * n + i
    return at


def wholes_of(name: str) -> list[str]:
    """The name, and what it is a part of, the innermost first: ``a.b[2]``, ``a.b``, ``a``."""
    return [name, *(name[:at] for at in range(len(name) - 1, 0, -1) if name[at] in ".[")]


def expand(index: ModuleIndex, instance: Instance) -> Iterator[tuple[str, str]]:
    """Name and kind of every object of an instance, one at a time."""
    typedef = index.find(instance.typedef_name, *_TYPEDEFS)
    budget = iter(range(MAX_NAMES))
    yield from _expand(index, instance.name, typedef, dims_of(instance.matrix_dim), (), budget)


def _expand(
    index: ModuleIndex,
    name: str,
    typedef: Any,
    dims: tuple[int, ...],
    path: tuple[str, ...],
    budget: Iterator[int],
) -> Iterator[tuple[str, str]]:
    """Depth first; structures inside themselves, as lists are, end where they repeat."""
    if typedef is None or typedef.name in path or len(path) > MAX_DEPTH:
        return
    parts = typedef.structure_component if isinstance(typedef, TypedefStructure) else None
    if parts is None and not (dims and _one_by_one(index, typedef)):
        yield name, _KINDS[typedef.KEYWORD]
        return
    for indices in product(*(range(n) for n in reversed(dims))) if dims else ((),):
        base = name + "".join(f"[{i}]" for i in indices)
        if next(budget, None) is None:
            return
        if parts is None:
            yield base, _KINDS[typedef.KEYWORD]
            continue
        for part in parts:
            if next(budget, None) is None:
                return
            yield from _expand(
                index,
                f"{base}.{part.name}",
                index.find(part.typedef_name, *_TYPEDEFS),
                dims_of(part.matrix_dim),
                (*path, typedef.name),
                budget,
            )
