"""From a described parameter to a bound one (ASAP2, CHARACTERISTIC)."""

from math import prod
from typing import Any, Final

from xcaliper.a2l.if_xcp import read_daq_event
from xcaliper.a2l.index import ModuleIndex
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.axis import BoundAxis, bind_axis, sibling
from xcaliper.quantity.bits import bit_field
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.compu import compile_conversion
from xcaliper.quantity.instance import Located, locate
from xcaliper.quantity.measurement import chain_of, dims_to_shape, joined_order
from xcaliper.quantity.memory_values import byte_order_of
from xcaliper.quantity.record_layout import RecordShape, shape_of
from xcaliper.quantity.sizes import AXES_OF, own_dims

__all__ = ["bind_characteristic", "bind_located_characteristic"]

MAX_CHAIN: Final = 8


def bind_characteristic(
    index: ModuleIndex, name: str, *, ag: int = 1, version: str = "1.71"
) -> BoundCharacteristic:
    """A parameter by name, instances included.

    Args:
        index: the module.
        name: its name, as ``IdleSpeed`` or ``Inst.arr[2].member``.
        ag: bytes per address unit.
        version: version of ASAP2.

    Raises:
        NotFoundError: no such parameter.
        UsageError: its description cannot be used.
    """
    located = locate(index, name, ag=ag)
    if located is None or located.kind != "characteristic":
        raise NotFoundError(name, kind="characteristic")
    return bind_located_characteristic(index, located, ag=ag, version=version)


def bind_located_characteristic(
    index: ModuleIndex,
    located: Located,
    *,
    ag: int = 1,
    version: str = "1.71",
    chain: tuple[str, ...] = (),
) -> BoundCharacteristic:
    """A parameter whose description was found already.

    Args:
        index: the module.
        located: the description and its place.
        ag: bytes per address unit.
        version: version of ASAP2.
        chain: tables whose axis or part it is, outermost first.

    Raises:
        UsageError: its description cannot be used.
    """
    made, name = located.made, located.name
    assert located.address is not None, "characteristics have an address by grammar"
    if name in chain or len(chain) > MAX_CHAIN:
        loop = " → ".join((*chain, name))
        raise UsageError(f"{name}: it refers to itself: {loop}.", hint="Correct its references.")
    if getattr(made, "virtual_characteristic", None) is not None:
        raise UsageError(
            f"{name}: it is virtual and has no memory.",
            hint="Compute it: Catalog.dependencies.evaluate().",
        )
    layout = _layout(index, located)
    values = layout.find("fnc_values")
    if values is None or values.datatype is None:
        raise UsageError(f"{name}: its record layout has no FNC_VALUES.", hint="Add it.")
    order = byte_order_of(made.byte_order, index)
    inner = (*chain, name)
    axes = _axes(index, located, order, (ag, version), inner)
    hard = made.extended_limits
    soft = (made.lower_limit, made.upper_limit)
    limits = (hard.lower_limit, hard.upper_limit) if hard else soft
    conversion = compile_conversion(
        made.conversion, index, limits=limits, phys_unit=made.phys_unit, version=version
    )
    outer, own = dims_to_shape(located.dims), _own_shape(located)
    dependent = getattr(made, "dependent_characteristic", None) is not None
    readable = not getattr(made, "read_only", False) and located.access in (None, "CALIBRATION")
    return BoundCharacteristic(
        name=name,
        description=made.long_identifier,
        type=made.type if not (made.type == "VALUE" and located.dims) else "VAL_BLK",
        address=Address(located.address, located.extension),
        ag=ag,
        layout=layout,
        datatype=values.datatype,
        byte_order=order,
        shape=tuple(axis.max_points for axis in reversed(axes)) if axes else outer + own,
        axes=axes,
        bits=bit_field(made.bit_mask, getattr(made, "bit_operation", None), values.datatype),
        conversion=conversion,
        unit=conversion.unit,
        lower=limits[0],
        upper=limits[1],
        soft_limits=soft,
        writable=readable and not dependent,
        encoding=made.encoding or "",
        events=read_daq_event(located.if_data),
        format=made.format or "",
        memory_order=() if axes else joined_order(located, outer, own, values.mode),
        pointers=chain_of(index, located),
        dependent=dependent,
        guard_rails=bool(getattr(made, "guard_rails", False)),
        maps=_maps(index, located, (ag, version), inner),
    )


def _layout(index: ModuleIndex, located: Located) -> RecordShape:
    """The record layout, with the place among alternating curves filled in."""
    made = located.made
    layout = shape_of(made.deposit, index, located.name)
    values = layout.find("fnc_values")
    if values is None or values.mode != "ALTERNATE_CURVES" or made.type != "CURVE":
        return layout
    if made.KEYWORD != "CHARACTERISTIC":
        raise UsageError(
            f"{located.name}: curves that alternate cannot be components.",
            hint="Describe them as CHARACTERISTIC each.",
        )
    # curves that alternate share layout and axis, and their first values lie side by side
    addresses = {
        other.address
        for other in index.module.characteristic
        if other.type == "CURVE"
        and other.deposit == made.deposit
        and _axis_key(other) == _axis_key(made)
    }
    size = values.size_bytes
    first = last = made.address
    while first - size in addresses:
        first -= size
    while last + size in addresses:
        last += size
    return layout.among((made.address - first) // size, (last - first) // size + 1)


def _axis_key(made: Any) -> str:
    return (made.axis_descr[0].axis_pts_ref or "") if made.axis_descr else ""


def _axes(
    index: ModuleIndex,
    located: Located,
    order: ByteOrder,
    context: tuple[int, str],
    chain: tuple[str, ...],
) -> tuple[BoundAxis, ...]:
    made = located.made
    need = AXES_OF.get(made.type, 0)
    if len(made.axis_descr) < need:
        raise UsageError(
            f"{located.name}: {made.type} needs {need} AXIS_DESCR, {len(made.axis_descr)} are there.",
            hint="Add the missing axes.",
        )
    ag, version = context
    return tuple(
        bind_axis(
            index,
            descr,
            located,
            order,
            ag=ag,
            version=version,
            curve=_curve(index, located, descr.curve_axis_ref, context, chain)
            if descr.attribute == "CURVE_AXIS"
            else None,
        )
        for descr in made.axis_descr[:need]
    )


def _curve(
    index: ModuleIndex,
    owner: Located,
    name: str | None,
    context: tuple[int, str],
    chain: tuple[str, ...],
) -> BoundCharacteristic:
    """The curve of a curve axis (ASAP2, CURVE_AXIS_REF)."""
    ag, version = context
    located = sibling(index, owner, name or "", ag=ag)
    if located is None or located.kind != "characteristic":
        raise NotFoundError(name or "CURVE_AXIS_REF", kind=f"curve axis of {owner.name}")
    curve = bind_located_characteristic(index, located, ag=ag, version=version, chain=chain)
    if curve.type != "CURVE":
        raise UsageError(
            f"{owner.name}: CURVE_AXIS_REF {curve.name} is a {curve.type}.", hint="Name a CURVE."
        )
    return curve


def _maps(
    index: ModuleIndex, owner: Located, context: tuple[int, str], chain: tuple[str, ...]
) -> tuple[BoundCharacteristic, ...]:
    """The maps of a cuboid that has no values of its own (ASAP2, MAP_LIST)."""
    listed = getattr(owner.made, "map_list", None)
    if listed is None or owner.made.type != "CUBOID":
        return ()
    ag, version = context
    found: list[BoundCharacteristic] = []
    for name in listed.names:
        located = locate(index, name, ag=ag)
        if located is None or located.kind != "characteristic":
            raise NotFoundError(name, kind=f"map of {owner.name}")
        one = bind_located_characteristic(index, located, ag=ag, version=version, chain=chain)
        if one.type != "MAP":
            raise UsageError(
                f"{owner.name}: {name} is a {one.type}, not a MAP.", hint="Correct it."
            )
        found.append(one)
    return tuple(found)


def _own_shape(located: Located) -> tuple[int, ...]:
    made = located.made
    if made.type not in ("VAL_BLK", "ASCII"):
        return ()
    if made.matrix_dim is None and made.number is None:
        raise UsageError(
            f"{located.name}: {made.type} has neither MATRIX_DIM nor NUMBER.", hint="Add one."
        )
    own = tuple(reversed(own_dims(made))) or (1,)
    return (prod(own),) if made.type == "ASCII" else own
