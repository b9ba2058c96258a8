"""Types of the program into a description: data types, dimensions, limits, conversions, layouts, typedefs."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from math import isfinite, prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.describe.enums import EnumConversions
from xcaliper.describe.links import LINK_MAP_TYPES, LinkMap, link_maps_of
from xcaliper.describe.report import SilentSink
from xcaliper.image.c_types import (
    Array,
    CType,
    Pointer,
    Struct,
    datatype_of,
    element_of,
    integer_type,
    size_of,
    strip,
)
from xcaliper.image.debug_info import Place, type_text
from xcaliper.quantity.compu import compile_conversion

if TYPE_CHECKING:
    from xcaliper.a2l.index import ModuleIndex
    from xcaliper.core.datatypes import DataType
    from xcaliper.describe.links import Link
    from xcaliper.describe.report import ChangeSink

__all__ = ["Takeover", "free_name", "leaf_at", "matrix_dim"]

_MAX_DEPTH: Final = 32
_AXES: Final = ("x", "y", "z", "4", "5")


def leaf_at(kind: CType, offset: int) -> CType | None:
    """The scalar that lies exactly at a byte of a type; None inside of one or in a gap."""
    for _ in range(_MAX_DEPTH):
        bare = strip(kind)
        if isinstance(bare, Struct):
            inside = [
                m for m in bare.flat() if m.offset <= offset < m.offset + max(1, size_of(m.type))
            ]
            if not inside or inside[0].bit_size:
                return None
            kind, offset = inside[0].type, offset - inside[0].offset
        elif isinstance(bare, Array):
            size = size_of(bare.element)
            if not size or offset >= size_of(bare):
                return None
            kind, offset = bare.element, offset % size
        else:
            return kind if offset == 0 else None
    return None


def matrix_dim(dims: tuple[int, ...], version: str, *, by_column: bool = False) -> tuple[int, ...]:
    """MATRIX_DIM of an array of C; exactly three numbers before 1.7 (ASAP2, MATRIX_DIM).

    Args:
        dims: counts, slowest first.
        version: of the description.
        by_column: LAYOUT COLUMN_DIR, where the first index is the slow one.
    """
    found = dims if by_column else tuple(reversed(dims))
    return found + (1,) * (3 - len(found)) if version < "1.70" else found


def _used(dims: tuple[int, ...] | None) -> tuple[int, ...]:
    found = [max(1, n) for n in dims or ()]
    while found and found[-1] == 1:
        found.pop()
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Target:
    """An object and what the program has at its place."""

    made: Any
    element: CType
    dims: tuple[int, ...]
    place: Place
    alone: bool


class Takeover:
    """Compares objects with types.

    Args:
        index: the module.
        editor: takes the changes.
        version: of the description.
    """

    def __init__(self, index: ModuleIndex, editor: ChangeSink, version: str) -> None:
        self.index = index
        self.editor = editor
        self.version = version
        self.enums = EnumConversions(index, editor)
        self.structures: dict[str, Struct] = {}
        self.axis_users: dict[str, list[tuple[Any, Any]]] | None = None
        self.retyped: dict[tuple[str, tuple[str, ...]], Any] = {}

    def object(self, made: Any, place: Place, link: Link, *, alone: bool) -> None:
        """Take over the type of an object; what does not fit gives a finding.

        Args:
            made: the object.
            place: its symbol.
            link: how it was found.
            alone: no other object uses the symbol.
        """
        kind = place.type
        assert kind is not None, "only called with types"
        if link.offset:
            leaf = leaf_at(kind, link.offset)
            if leaf is None:
                return  # inside of something: whoever set the offset knows more
            kind = leaf
        element, dims = element_of(kind)
        if 0 in dims:
            return  # the program does not say how long it is
        handler = {
            "MEASUREMENT": self.measurement,
            "CHARACTERISTIC": self.characteristic,
            "AXIS_PTS": self.axis_pts,
            "BLOB": self.blob,
            "INSTANCE": self.instance,
        }[made.KEYWORD]
        handler(_Target(made, element, dims, place, alone=alone))
        self.link_map(made, place, element)

    def scalar(self, made: Any, element: CType, place: Place | None) -> DataType | None:
        """The data type of an element; a finding where ASAP2 has none."""
        if place is not None and place.bit_size:
            bare = strip(element)
            signed = getattr(bare, "kind", "") == "signed" or getattr(bare, "is_signed", False)
            return integer_type(place.storage_bytes, signed=signed)
        found = datatype_of(element)
        if found is None:
            self.editor.finding(
                "type-unfit",
                made,
                f"its symbol is {type_text(element)}, which is no number.",
                "Link it to a member, or describe it as INSTANCE or BLOB.",
            )
        return found

    # ---- objects

    def measurement(self, target: _Target) -> None:
        """Data type, mask, dimensions, conversion and limits."""
        made, element, dims, place = target.made, target.element, target.dims, target.place
        datatype = self.scalar(made, element, place)
        if datatype is None:
            return
        self.editor.set(made, "datatype", datatype.value, "type")
        self.bits(made, place)
        self.dimensions(made, dims, alone=target.alone)
        self.enums.apply(made, element, self.editor)
        self.limits(made, datatype, place)

    def characteristic(self, target: _Target) -> None:
        """Layout, dimensions, mask, conversion and limits."""
        made, element, dims, place = target.made, target.element, target.dims, target.place
        bare = strip(element)
        if isinstance(bare, Struct):
            self.record(made, made.deposit, bare, "deposit")
            return
        if made.type == "ASCII":
            self.block(made, dims)
            return  # a character is a byte, signed or not
        datatype = self.scalar(made, element, place)
        if datatype is None:
            return
        self.relayout(made, "deposit", {"fnc_values": datatype})
        if made.type == "VAL_BLK":
            self.block(made, dims)
        elif made.type != "VALUE" and dims:
            self.table(made, dims)
        self.bits(made, place)
        self.enums.apply(made, element, self.editor)
        self.limits(made, datatype, place)

    def axis_pts(self, target: _Target) -> None:
        """Layout, count of points and limits."""
        made, element, dims, place = target.made, target.element, target.dims, target.place
        bare = strip(element)
        if isinstance(bare, Struct):
            self.record(made, made.deposit_record, bare, "deposit_record")
            return
        datatype = self.scalar(made, element, place)
        if datatype is None:
            return
        layout = self.index.find(made.deposit_record, "RECORD_LAYOUT")
        self.relayout(made, "deposit_record", {"axis_pts_x": datatype})
        if dims and layout is not None and layout.no_axis_pts_x is None:
            self.points(made, prod(dims))
        self.limits(made, datatype, place)

    def blob(self, target: _Target) -> None:
        """Size."""
        made, element, dims = target.made, target.element, target.dims
        size = size_of(element) * prod(dims)
        if size:
            self.editor.set(made, "size", size, "dimension")

    def instance(self, target: _Target) -> None:
        """Typedef and dimensions."""
        made, element, dims = target.made, target.element, target.dims
        if made.address_type not in (None, "DIRECT") or isinstance(strip(element), Pointer):
            return  # the typedef describes what lies behind the pointer
        inner = self.typedef(made, made.typedef_name, element, dims, "typedef_name")
        if inner is not None and (dims or made.matrix_dim):
            self.matrix(made, inner)

    # ---- parts of objects

    def points(self, made: Any, count: int) -> None:
        """Count of points of an axis object, and of the tables that follow it."""
        old = made.max_axis_points
        self.editor.set(made, "max_axis_points", count, "dimension")
        for user, axis in self.users_of_axes().get(made.name, ()):
            if axis.max_axis_points == old:
                self.editor.set(axis, "max_axis_points", count, "dimension", owner=user)

    def users_of_axes(self) -> dict[str, list[tuple[Any, Any]]]:
        """Tables and their AXIS_DESCR by the axis object that they name."""
        if self.axis_users is None:
            self.axis_users = {}
            for user in self.index.module.characteristic:
                for axis in user.axis_descr:
                    if axis.attribute == "COM_AXIS" and axis.axis_pts_ref:
                        self.axis_users.setdefault(axis.axis_pts_ref, []).append((user, axis))
        return self.axis_users

    def bits(self, made: Any, place: Place) -> None:
        """BIT_MASK of a bit field; masks of other values are somebody's wish and stay."""
        if not place.bit_size:
            return
        self.editor.set(made, "bit_mask", place.bit_mask, "bits")
        operation = made.bit_operation
        if operation is not None and operation.right_shift is not None:
            self.editor.set(operation, "right_shift", place.bit_shift, "bits", owner=made)

    def dimensions(self, made: Any, dims: tuple[int, ...], *, alone: bool) -> None:
        """MATRIX_DIM or ARRAY_SIZE of a measurement; one of several objects in an array stays an element."""
        described = made.matrix_dim is not None or made.array_size is not None
        if not dims and described and prod(_used(made.matrix_dim)) * (made.array_size or 1) > 1:
            self.editor.set(made, "matrix_dim", None, "dimension")
            self.editor.set(made, "array_size", None, "dimension")
        elif dims and (described or alone):
            if made.array_size is not None and made.matrix_dim is None:
                self.editor.set(made, "array_size", prod(dims), "dimension")
            else:
                self.matrix(made, dims)

    def matrix(self, made: Any, dims: tuple[int, ...]) -> None:
        """MATRIX_DIM; the same numbers in another length are left alone."""
        by_column = getattr(made, "layout", None) == "COLUMN_DIR"
        wanted = matrix_dim(dims, self.version, by_column=by_column)
        if _used(made.matrix_dim) != _used(wanted):
            self.editor.set(made, "matrix_dim", wanted or None, "dimension")

    def block(self, made: Any, dims: tuple[int, ...]) -> None:
        """Count of a value block or text."""
        if not dims:
            return
        if made.number is not None:
            self.editor.set(made, "number", prod(dims), "dimension")
        if made.matrix_dim is not None or made.number is None:
            self.matrix(made, (prod(dims),) if made.type == "ASCII" else dims)

    def table(self, made: Any, dims: tuple[int, ...]) -> None:
        """Values of a table without axes inside: their count is that of the axes."""
        count = prod(axis.max_axis_points for axis in made.axis_descr)
        if made.axis_descr and count != prod(dims):
            self.editor.finding(
                "table-size",
                made,
                f"its axes have {count} points together, its symbol has {prod(dims)} elements.",
                "Correct its axes.",
            )

    def limits(self, made: Any, datatype: DataType, place: Place | None) -> None:
        """Limits clipped to what the raw value can be; never widened (ASAP2, limits)."""
        lowest, highest = datatype.limits
        if place is not None and place.bit_size:
            lowest, highest = 0, (1 << place.bit_size) - 1
            if datatype.is_signed and getattr(made, "bit_operation", None) is not None:
                lowest, highest = -(1 << (place.bit_size - 1)), (1 << (place.bit_size - 1)) - 1
        ends = self.physical(made.conversion, lowest, highest)
        if ends is None:
            return
        for attr, better in (("lower_limit", max), ("upper_limit", min)):
            now = getattr(made, attr)
            end = ends[0] if attr == "lower_limit" else ends[1]
            outside = now < end if attr == "lower_limit" else now > end
            if outside and abs(now - end) > 1e-9 * abs(end):
                self.editor.set(made, attr, better(now, end), "limits")

    def physical(self, conversion: str, lowest: float, highest: float) -> tuple[Any, Any] | None:
        """Physical ends of a raw range; None where the conversion does not tell."""
        if conversion == "NO_COMPU_METHOD":
            return lowest, highest
        try:
            compiled = compile_conversion(conversion, self.index, version=self.version)
            if compiled.kind == "identical":
                return lowest, highest
            if compiled.kind not in ("linear", "rational"):
                return None
            with np.errstate(all="ignore"):
                ends = [
                    float(end) for end in compiled.to_phys(np.array([lowest, highest], dtype=float))
                ]
        except (UsageError, ArithmeticError, ValueError):
            return None
        if not all(map(isfinite, ends)):
            return None
        low, high = min(ends), max(ends)
        return (int(low) if low.is_integer() and abs(low) < 2**53 else low), (
            int(high) if high.is_integer() and abs(high) < 2**53 else high
        )

    # ---- layouts

    def relayout(self, made: Any, attr: str, wanted: dict[str, DataType]) -> None:
        """Another record layout where the data types of this one differ from the program's."""
        layout = self.index.find(getattr(made, attr), "RECORD_LAYOUT")
        if layout is None or all(getattr(layout, part) is None for part in wanted):
            return
        now = {part: getattr(layout, part).datatype for part in wanted if getattr(layout, part)}
        if all(wanted[part].value == word for part, word in now.items()):
            return
        key = (layout.name, tuple(f"{part}={wanted[part].value}" for part in now))
        other = self.retyped.get(key)
        if other is None:
            other = self.retyped[key] = self.other_layout(layout, {p: wanted[p].value for p in now})
        self.editor.note(
            "type",
            made,
            "data type",
            " ".join(now.values()),
            " ".join(wanted[part].value for part in now),
        )
        self.editor.set(made, attr, other.name, "layout")

    def other_layout(self, layout: Any, words: dict[str, str]) -> Any:
        """A layout that differs in its data types only; an existing one, else a new one."""
        wanted = copy.deepcopy(layout)
        for part, word in words.items():
            getattr(wanted, part).datatype = word
        module = self.index.module
        for other in module.record_layout:
            wanted.name = other.name
            if other == wanted:
                return other
        names = {other.name for other in module.record_layout}
        old = next(getattr(layout, part).datatype for part in words)
        new = "_".join(dict.fromkeys(words.values()))
        name = layout.name.replace(old, new) if old in layout.name else f"{layout.name}_{new}"
        wanted.name = free_name(name, names)
        self.editor.add(module.record_layout, wanted)
        return wanted

    def record(self, made: Any, layout_name: str, struct: Struct, attr: str) -> None:
        """A structure that holds axes and values: its members are the elements of the layout, in order."""
        layout = self.index.find(layout_name, "RECORD_LAYOUT")
        if layout is None:
            return
        parts = ["fnc_values"]
        parts += [f"{part}_{axis}" for axis in _AXES for part in ("axis_pts", "no_axis_pts")]
        present = [part for part in parts if getattr(layout, part) is not None]
        present.sort(key=lambda part: getattr(layout, part).position)
        members = struct.flat()
        types = [datatype_of(element_of(m.type)[0]) for m in members]
        if len(members) != len(present) or None in types:
            self.editor.finding(
                "record-unfit",
                made,
                f"the {len(members)} members of {type_text(struct)} are not the {len(present)} parts of {layout_name}.",
                "Check the record layout by hand.",
            )
            return
        self.relayout(made, attr, {part: t for part, t in zip(present, types, strict=True) if t})
        for part, member in zip(present, members, strict=True):
            count = prod(element_of(member.type)[1])
            if part == "axis_pts_x" and made.KEYWORD == "AXIS_PTS":
                self.points(made, count)
            elif part.startswith("axis_pts_") and made.KEYWORD == "CHARACTERISTIC":
                axis = _AXES.index(part.rpartition("_")[2])
                if axis < len(made.axis_descr):
                    self.editor.set(
                        made.axis_descr[axis], "max_axis_points", count, "dimension", owner=made
                    )

    # ---- typedefs

    def typedef(
        self,
        made: Any,
        name: str,
        element: CType,
        dims: tuple[int, ...],
        attr: str,
        place: Place | None = None,
    ) -> tuple[int, ...] | None:
        """Fit a typedef to a type; gives the dimensions that are left for the user of it, None when it does not fit."""
        typedef = self.index.find(
            name,
            "TYPEDEF_STRUCTURE",
            "TYPEDEF_MEASUREMENT",
            "TYPEDEF_CHARACTERISTIC",
            "TYPEDEF_AXIS",
            "TYPEDEF_BLOB",
        )
        bare = strip(element)
        if typedef is None:
            return None
        if typedef.KEYWORD == "TYPEDEF_BLOB":
            self.editor.set(typedef, "size", size_of(element) * prod(dims), "dimension")
            return ()
        if (typedef.KEYWORD == "TYPEDEF_STRUCTURE") != isinstance(bare, Struct):
            self.editor.finding(
                "typedef-unfit",
                made,
                f"{typedef.KEYWORD} {name} cannot describe {type_text(element)}.",
                "Correct the typedef or the link.",
            )
            return None
        if isinstance(bare, Struct):
            self.structure(typedef, bare)
            return dims
        if typedef.KEYWORD == "TYPEDEF_AXIS":
            self.editor.set(typedef, "max_axis_points", prod(dims), "dimension")
            return ()
        return self.simple(made, typedef, element, dims, attr, place)

    def simple(
        self,
        made: Any,
        typedef: Any,
        element: CType,
        dims: tuple[int, ...],
        attr: str,
        place: Place | None,
    ) -> tuple[int, ...] | None:
        """A typedef of a number; one that others share is replaced instead of changed."""
        datatype = self.scalar(made, element, place)
        if datatype is None:
            return None
        wanted = copy.deepcopy(typedef)
        quiet = SilentSink(self.editor)
        other = Takeover(self.index, quiet, self.version)
        other.enums, other.retyped = self.enums, self.retyped
        inner = bool(typedef.matrix_dim) or getattr(typedef, "number", None) is not None
        if typedef.KEYWORD == "TYPEDEF_MEASUREMENT":
            quiet.set(wanted, "datatype", datatype.value, "type")
        elif typedef.type != "ASCII":
            other.relayout(wanted, "deposit", {"fnc_values": datatype})
        if inner and dims:
            if typedef.KEYWORD == "TYPEDEF_CHARACTERISTIC":
                other.block(wanted, dims)
            else:
                other.matrix(wanted, dims)
        if place is not None and place.bit_size:
            quiet.set(wanted, "bit_mask", place.bit_mask, "bits")
            operation = getattr(wanted, "bit_operation", None)
            if operation is not None and operation.right_shift is not None:
                operation.right_shift = place.bit_shift
        if getattr(typedef, "type", "") != "ASCII":
            other.enums.apply(wanted, element, quiet)
            other.limits(wanted, datatype, place)
        if wanted != typedef:
            self.replace(made, typedef, wanted, attr)
        return () if inner else dims

    def replace(self, made: Any, typedef: Any, wanted: Any, attr: str) -> None:
        """Point to a typedef like the wanted one, or make it."""
        things = getattr(self.index.module, typedef.KEYWORD.lower())
        for other in things:
            wanted.name = other.name
            if other == wanted:
                break
        else:
            key = (typedef.name, (repr(wanted.__class__), _without_name(wanted)))
            other = self.retyped.get(key)
            if other is None:
                names = {t.name for space in self.index.spaces["typedef"].values() for t in [space]}
                names |= {t.name for t in things} | {t.name for t in self.retyped.values()}
                suffix = getattr(wanted, "datatype", "") or "new"
                wanted.name = free_name(f"{typedef.name}_{suffix}", names)
                self.retyped[key] = other = wanted
                self.editor.add(things, wanted)
        self.editor.set(made, attr, other.name, "type")

    def structure(self, typedef: Any, struct: Struct) -> None:
        """Size and offsets of a structure, and of those inside it."""
        known = self.structures.get(typedef.name)
        if known is not None:
            if known != struct:
                self.editor.finding(
                    "typedef-shared",
                    typedef,
                    f"it stands for {type_text(known)} and for {type_text(struct)}.",
                    "Give each type its own TYPEDEF_STRUCTURE.",
                )
            return
        self.structures[typedef.name] = struct
        if not struct.is_complete:
            return
        self.editor.set(typedef, "total_size", struct.size_bytes, "dimension")
        for component in typedef.structure_component:
            member = struct.find(component.symbol_type_link or component.name)
            if member is None:
                self.editor.finding(
                    "member-missing",
                    typedef,
                    f"component {component.name}: {type_text(struct)} has no such member.",
                    "Remove it or correct its SYMBOL_TYPE_LINK.",
                )
                continue
            self.editor.set(component, "address_offset", member.offset, "address")
            element, dims = element_of(member.type)
            if 0 in dims or component.address_type not in (None, "DIRECT"):
                continue
            if isinstance(strip(element), Pointer) and not dims:
                continue
            place = Place(
                0,
                member.type,
                size_of(member.type),
                member.bit_size,
                member.bit_shift,
                member.storage_bytes,
            )
            left = self.typedef(
                component, component.typedef_name, element, dims, "typedef_name", place
            )
            if left is not None and (left or component.matrix_dim):
                self.matrix(component, left)

    # ---- interface data

    def link_map(self, made: Any, place: Place, element: CType) -> None:
        """Data type and bit offset of LINK_MAP, where it says that they are valid."""
        datatype = (
            integer_type(place.storage_bytes, signed=False)
            if place.bit_size
            else datatype_of(element)
        )
        code = LINK_MAP_TYPES.get(datatype) if datatype else None
        for entry in link_maps_of(getattr(made, "if_data", [])):
            if code is None or entry.number(LinkMap.TYPE_VALID) != 1:
                continue
            for index, new, what in (
                (LinkMap.TYPE, code, "LINK_MAP type"),
                (LinkMap.BIT_OFFSET, place.bit_shift, "LINK_MAP bit offset"),
            ):
                old = entry.number(index)
                if old is not None and old != new:
                    self.editor.note("interface", made, what, old, new)
                    if self.editor.apply:
                        entry.put(index, new)


def _without_name(made: Any) -> str:
    unnamed = copy.copy(made)
    unnamed.name = ""
    return repr(unnamed)


def free_name(wanted: str, names: set[str]) -> str:
    """The name, or the first numbered one that is free."""
    name, count = wanted, 1
    while name in names:
        count += 1
        name = f"{wanted}_{count}"
    return name
