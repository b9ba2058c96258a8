"""How large described things are: points of fixed axes, sizes of the elements of arrays."""

from math import prod
from typing import Any, Final

from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.axis import AxisDescr
from xcaliper.a2l.keywords.typedef import TypedefStructure
from xcaliper.quantity.memory_values import POINTERS, datatype_of
from xcaliper.quantity.record_layout import shape_of

__all__ = ["AXES_OF", "dims_of", "fixed_points", "is_plain_values", "own_dims", "stride_of"]

MAX_POINTS: Final = 65_535
AXES_OF: Final = {"CURVE": 1, "MAP": 2, "CUBOID": 3, "CUBE_4": 4, "CUBE_5": 5}
"""Number of axes of a type of parameter (ASAP2, CHARACTERISTIC)."""


def dims_of(matrix_dim: tuple[int, ...] | None) -> tuple[int, ...]:
    """Dimensions without the unused ones at the end, X first."""
    dims = [max(1, n) for n in matrix_dim or ()]
    while dims and dims[-1] == 1:
        dims.pop()
    return tuple(dims)


def own_dims(made: Any) -> tuple[int, ...]:
    """Dimensions that a measurement, a value block or a text has by itself, X first."""
    if made.KEYWORD in ("CHARACTERISTIC", "TYPEDEF_CHARACTERISTIC"):
        if made.type not in ("VAL_BLK", "ASCII"):
            return ()
        return dims_of(made.matrix_dim or ((made.number,) if made.number else None))
    if made.KEYWORD in ("MEASUREMENT", "TYPEDEF_MEASUREMENT"):
        size = getattr(made, "array_size", None)
        return dims_of(made.matrix_dim or ((size,) if size else None))
    return ()


def fixed_points(descr: AxisDescr) -> tuple[float, ...] | None:
    """Raw points that the description itself gives; None when they are in memory."""
    if descr.fix_axis_par_list is not None:
        return tuple(descr.fix_axis_par_list.axis_pts_value[:MAX_POINTS])
    if descr.fix_axis_par is not None:
        par = descr.fix_axis_par
        step = 2.0**par.shift if -64 <= par.shift <= 64 else 1.0
        return tuple(par.offset + i * step for i in range(min(par.number_apo, MAX_POINTS)))
    if descr.fix_axis_par_dist is not None:
        dist = descr.fix_axis_par_dist
        count = min(dist.number_apo, MAX_POINTS)
        return tuple(dist.offset + i * dist.distance for i in range(count))
    return None


def is_plain_values(index: ModuleIndex, made: Any) -> bool:
    """True for a parameter without axes whose record is its values and nothing else."""
    layout = index.find(made.deposit, "RECORD_LAYOUT")
    if layout is None or made.type not in ("VALUE", "VAL_BLK"):
        return False
    shape = shape_of(made.deposit, index, made.name)
    return len(shape.elements) == 1 and shape.elements[0].pointer is None


def stride_of(index: ModuleIndex, typedef: Any, owner: str, inside: TypedefStructure | None) -> int:
    """Bytes from one element of an array of a typedef to the next.

    Args:
        index: the module.
        typedef: what the elements are.
        owner: the object, for messages.
        inside: the structure that holds the array, for THIS.

    Raises:
        UsageError: the layout or the data type is missing.
    """
    pointer = POINTERS.get(getattr(typedef, "address_type", None) or "DIRECT")
    if pointer is not None:
        return pointer.size_bytes
    if isinstance(typedef, TypedefStructure):
        return typedef.total_size
    if typedef.KEYWORD == "TYPEDEF_BLOB":
        return int(typedef.size)
    if typedef.KEYWORD == "TYPEDEF_MEASUREMENT":
        return datatype_of(typedef.datatype, owner).size_bytes * prod(own_dims(typedef))
    if typedef.KEYWORD == "TYPEDEF_AXIS":
        shape = shape_of(typedef.deposit_record, index, owner)
        size = shape.place(0, (max(0, typedef.max_axis_points),)).size_bytes
        return size + -size % shape.border()
    shape = shape_of(typedef.deposit, index, owner)
    need = AXES_OF.get(typedef.type, 0)
    axes = tuple(_points(index, descr, inside) for descr in typedef.axis_descr[:need])
    size = shape.place(0, axes, values=None if need else prod(own_dims(typedef))).size_bytes
    return size if len(shape.elements) == 1 and not need else size + -size % shape.border()


def _points(index: ModuleIndex, descr: AxisDescr, inside: TypedefStructure | None) -> int:
    """Largest number of points of an axis."""
    if descr.attribute == "FIX_AXIS":
        return len(fixed_points(descr) or ()) or max(0, descr.max_axis_points)
    name = descr.axis_pts_ref or ""
    shared = index.find(name, "AXIS_PTS", "TYPEDEF_AXIS")
    sibling = name.removeprefix("THIS.")
    for part in inside.structure_component if inside is not None else ():
        if part.name == sibling:
            shared = index.find(part.typedef_name, "TYPEDEF_AXIS") or shared
    return max(0, shared.max_axis_points if shared is not None else descr.max_axis_points)
