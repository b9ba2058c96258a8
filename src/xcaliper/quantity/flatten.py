"""Instances as plain objects, for versions of the format and for tools that know no typedefs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.clone import clone
from xcaliper.a2l.convert import Expanded
from xcaliper.a2l.grammar import table_of
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.axis import AxisPts
from xcaliper.a2l.keywords.characteristic import Characteristic
from xcaliper.a2l.keywords.measurement import Measurement
from xcaliper.core.errors import UsageError
from xcaliper.quantity.instance import expand, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.a2l.grammar import Keyword
    from xcaliper.a2l.keywords.project import Module
    from xcaliper.a2l.keywords.typedef import Instance
    from xcaliper.quantity.instance import Located

__all__ = ["flatten"]

_CLASSES: Final[dict[str, Any]] = {
    "measurement": Measurement,
    "characteristic": Characteristic,
    "axis_pts": AxisPts,
}
_SCOPED: Final = ("axis_pts_ref", "curve_axis_ref")


def flatten(module: Module) -> dict[str, Expanded]:
    """Plain objects by the name of the instance that they are parts of.

    Parts behind pointers and blobs have no plain form; their names are given, too.

    Args:
        module: the module; it is not changed.
    """
    index = ModuleIndex(module)
    found: dict[str, Expanded] = {}
    for instance in module.instance:
        one = found[instance.name] = Expanded([], [])
        for name in _names(index, instance):
            made = _plain(index, instance, name)
            if made is None:
                one.left_out.append(name)
            else:
                one.objects.append(made)
    return found


def _names(index: ModuleIndex, instance: Instance) -> Iterator[str]:
    try:
        yield from (name for name, _ in expand(index, instance))
    except UsageError:
        return


def _plain(index: ModuleIndex, instance: Instance, name: str) -> Keyword | None:
    """The object of one full name; None when it has no plain form."""
    try:
        found = locate(index, name)
    except UsageError:
        return None
    cls = _CLASSES.get(found.kind) if found is not None else None
    if found is None or cls is None or found.hops or found.address is None:
        return None
    return _made(cls, found, instance)


def _made(cls: Any, found: Located, instance: Instance) -> Keyword:
    given = clone(found.made)
    own: dict[str, Any] = {"name": found.name, "address": found.address}
    table = table_of(cls)
    made: Any = cls(*(own.get(p.attr, getattr(given, p.attr, None)) for p in table.params))
    for entry in table.optional.values():
        value = getattr(given, entry.attr, None)
        if value is not None:
            setattr(made, entry.attr, value)
    made.ecu_address_extension = instance.ecu_address_extension
    made.if_data = [clone(one) for one in found.if_data]
    made.display_identifier = instance.display_identifier if found.name == instance.name else None
    if found.kind == "measurement":
        made.ecu_address = found.address
        made.read_write = found.read_write
    else:
        made.calibration_access = found.access
    if found.dims:
        made.matrix_dim = (*(made.matrix_dim or ()), *found.dims)
        if found.column_dir and hasattr(made, "layout"):
            made.layout = "COLUMN_DIR"
    for axis in getattr(made, "axis_descr", ()):
        for attr in _SCOPED:
            name = getattr(axis, attr)
            if name is not None and name.startswith("THIS."):
                setattr(axis, attr, found.scope + name.removeprefix("THIS."))
    return made  # type: ignore[no-any-return]
