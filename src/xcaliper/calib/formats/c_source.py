"""Parameters as C: a header with types and declarations, and a source with raw values laid out as the ECU has them.

Every object is what its record layout says, padding included, and the source asks the compiler to check its size and the
places of its members.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isinf, isnan
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.formats.model import Holds, SetFormat
from xcaliper.calib.formats.raw_values import RawEntry, raw_entries, record_of
from xcaliper.calib.formats.text_parts import cells_of, refuse
from xcaliper.core.datatypes import DataType
from xcaliper.core.errors import UsageError
from xcaliper.quantity.record_layout import AXES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.quantity.catalog import Catalog
    from xcaliper.quantity.record_access import OpenRecord
    from xcaliper.quantity.record_layout import Element

__all__ = ["FORMAT", "HEADER_FORMAT", "header_stem", "write_c_header", "write_c_source"]

PER_LINE: Final = 12
_TYPES: Final[dict[DataType, str]] = {
    DataType.UBYTE: "uint8_t",
    DataType.SBYTE: "int8_t",
    DataType.UWORD: "uint16_t",
    DataType.SWORD: "int16_t",
    DataType.ULONG: "uint32_t",
    DataType.SLONG: "int32_t",
    DataType.A_UINT64: "uint64_t",
    DataType.A_INT64: "int64_t",
    DataType.FLOAT32_IEEE: "float",
    DataType.FLOAT64_IEEE: "double",
}
_SUFFIXES: Final[dict[DataType, str]] = {
    DataType.UBYTE: "u",
    DataType.UWORD: "u",
    DataType.ULONG: "ul",
    DataType.A_UINT64: "ull",
    DataType.A_INT64: "ll",
    DataType.FLOAT32_IEEE: "f",
}
_WORDS: Final = frozenset(
    [
        "alignas",
        "alignof",
        "asm",
        "auto",
        "bool",
        "break",
        "case",
        "char",
        "const",
        "constexpr",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "false",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "nullptr",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "static_assert",
        "struct",
        "switch",
        "thread_local",
        "true",
        "typedef",
        "typeof",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
    ]
)
_UNTOLD: Final = frozenset(
    {"identification", "src_addr", "rip_addr", "shift_op", "offset", "dist_op", "reserved"}
)


@dataclass(frozen=True, slots=True)
class _Member:
    """A run of values inside an object.

    Attributes:
        name: of the member.
        offset: bytes from the start.
        datatype: type of one value; None for bytes that nobody uses.
        values: raw values in the order of memory; for unused bytes their number of zeros.
    """

    name: str
    offset: int
    datatype: DataType | None
    values: NDArray[Any]

    @property
    def size_bytes(self) -> int:
        return len(self.values) * (self.datatype.size_bytes if self.datatype else 1)


@dataclass(frozen=True, slots=True)
class _Object:
    """A parameter as a C object.

    Attributes:
        raw: its values.
        name: C identifier.
        members: in the order of memory, padding included.
        size_bytes: of all.
    """

    raw: RawEntry
    name: str
    members: tuple[_Member, ...]
    size_bytes: int

    @property
    def is_plain(self) -> bool:
        """True for values alone, without a structure around them."""
        return len(self.members) == 1


def write_c_source(values: ParameterSet, *, catalog: Catalog | None = None) -> bytes:
    """The C source that defines every parameter of a set; it includes the header of the same set.

    Args:
        values: physical or raw.
        catalog: the description.

    Raises:
        UsageError: no description is given.
        PlanError: entries that cannot be objects of C; names every one.
    """
    objects = _objects(values, catalog)
    stem = header_stem(values)
    lines = ["#include <stddef.h>", f'#include "{stem}.h"', ""]
    for one in objects:
        lines += _definition(one)
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def write_c_header(values: ParameterSet, *, catalog: Catalog | None = None) -> bytes:
    """The C header that declares every parameter of a set.

    Args:
        values: physical or raw.
        catalog: the description.

    Raises:
        UsageError: no description is given.
        PlanError: entries that cannot be objects of C; names every one.
    """
    objects = _objects(values, catalog)
    guard = f"{header_stem(values).upper()}_H"
    lines = [f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", ""]
    for one in objects:
        lines += _declaration(one)
    return ("\n".join([*lines, "", "#endif"]) + "\n").encode("utf-8", "replace")


def header_stem(values: ParameterSet) -> str:
    """Name of the header without its suffix: that of the set, else ``parameters``."""
    return re.sub(r"\W+", "_", values.name, flags=re.ASCII).strip("_").lower() or "parameters"


# --- objects -------------------------------------------------------------------------------------


def _objects(values: ParameterSet, catalog: Catalog | None) -> list[_Object]:
    if catalog is None:
        raise UsageError(
            "C source holds ECU values in their layout.", hint="Give the description as well."
        )
    raws, problems = raw_entries(values, catalog)
    taken: set[str] = set()
    objects: list[_Object] = []
    for raw in raws:
        if raw.entry.variant:
            problems.append(f"{raw.entry.name}: C has one object of a name, not one per variant")
            continue
        try:
            objects.append(_object(raw, _identifier(raw.entry.name, taken)))
        except UsageError as error:
            problems.append(error.message.rstrip("."))
    refuse("C source", problems, "Correct them, or leave them out.")
    return objects


def _identifier(name: str, taken: set[str]) -> str:
    """An identifier for a name; further ones of the same get a number."""
    base = re.sub(r"\W", "_", name, flags=re.ASCII)
    if base in _WORDS or base[:1].isdigit():
        base = f"{base}_" if base in _WORDS else f"_{base}"
    found, number = base, 2
    while found in taken or f"{found}_t" in taken:
        found, number = f"{base}_{number}", number + 1
    taken |= {found, f"{found}_t"}
    return found


def _object(raw: RawEntry, name: str) -> _Object:
    record = record_of(raw)
    pieces = sorted(_pieces(raw, record), key=lambda one: one.offset)
    members: list[_Member] = []
    at = 0
    for one in [*pieces, _Member("", record.record.size_bytes, None, np.zeros(0))]:
        if one.offset > at:
            gap = np.zeros(one.offset - at, dtype=np.uint8)
            members.append(_Member(f"unused_{at}", at, None, gap))
        if len(one.values):
            members.append(one)
        at = max(at, one.offset + one.size_bytes)
    if not members:
        raise UsageError(f"{raw.entry.name}: its record is empty.")
    return _Object(raw, name, tuple(members), record.record.size_bytes)


def _pieces(raw: RawEntry, record: OpenRecord) -> Iterator[_Member]:
    """Runs of values of every element of the record."""
    orders = {n: axis.byte_order for n, axis in enumerate(getattr(raw.bound, "axes", ()))}
    for placed in record.record.placed:
        element = placed.element
        if element.datatype is None:
            continue
        if element.datatype not in _TYPES:
            raise UsageError(f"{raw.entry.name}: C has no {element.datatype.value}.")
        own = element.kind in ("axis_pts", "axis_rescale")
        order = orders.get(element.axis, raw.bound.byte_order) if own else raw.bound.byte_order
        found = record.values(placed, order)
        at = 0
        runs = placed.pieces()
        for number, (offset, size) in enumerate(runs):
            count = size // element.size_bytes
            name = _member_name(element) + (f"_{number}" if len(runs) > 1 else "")
            yield _Member(name, offset, element.datatype, found[at : at + count])
            at += count


def _member_name(element: Element) -> str:
    letter = f"_{AXES[element.axis]}" if element.axis >= 0 else ""
    return f"{element.kind}{letter}"


# --- text ----------------------------------------------------------------------------------------


def _comment(text: str) -> str:
    return " ".join(text.replace("*/", "* /").replace("/*", "/ *").split())


def _told(one: _Object) -> str:
    """Name, text and unit of a parameter, as a comment."""
    entry = one.raw.entry
    unit = f" [{entry.unit}]" if entry.unit else ""
    text = f": {entry.long_name}" if entry.long_name else ""
    return f"/* {_comment(entry.name + unit + text)} */"


def _type_of(member: _Member) -> str:
    return _TYPES[member.datatype] if member.datatype else "uint8_t"


def _is_array(one: _Object, member: _Member) -> bool:
    """True for what is an array by its kind, with one value as well."""
    if member.name.startswith(("fnc_values", "axis_")):
        return np.ndim(one.raw.values) > 0 or one.raw.bound.type == "ASCII"
    return member.datatype is None


def _declared(one: _Object, member: _Member, name: str) -> str:
    size = f"[{len(member.values)}]" if _is_array(one, member) else ""
    return f"{_type_of(member)} {name}{size}"


def _declaration(one: _Object) -> Iterator[str]:
    yield _told(one)
    if one.is_plain:
        yield f"extern const {_declared(one, one.members[0], one.name)};"
        return
    yield "typedef struct {"
    for member in one.members:
        note = "  /* not in the set, 0 */" if _is_untold(member) else ""
        yield f"    {_declared(one, member, member.name)};{note}"
    yield f"}} {one.name}_t;"
    yield f"extern const {one.name}_t {one.name};"


def _is_untold(member: _Member) -> bool:
    return member.name.startswith(tuple(_UNTOLD)) and not np.any(member.values)


def _definition(one: _Object) -> Iterator[str]:
    yield _told(one)
    if one.is_plain:
        member = one.members[0]
        yield f"const {_declared(one, member, one.name)} = {_initialiser(one, member, '')};"
    else:
        yield f"const {one.name}_t {one.name} = {{"
        for member in one.members:
            yield f"    .{member.name} = {_initialiser(one, member, '    ')},"
        yield "};"
        for member in one.members:
            place = f"offsetof({one.name}_t, {member.name}) == {member.offset}"
            yield f'_Static_assert({place}, "{one.name}.{member.name}");'
    yield f'_Static_assert(sizeof {one.name} == {_size(one)}, "{one.name}");'
    yield ""


def _size(one: _Object) -> str:
    """Size of the object; a structure may end with room up to its alignment."""
    if one.is_plain:
        return str(one.size_bytes)
    border = f"_Alignof({one.name}_t)"
    return f"({one.size_bytes} + {border} - 1) / {border} * {border}"


def _initialiser(one: _Object, member: _Member, indent: str) -> str:
    cells = [_number(cell, member.datatype) for cell in cells_of(member.values)]
    if not _is_array(one, member):
        return cells[0]
    if member.datatype is None:
        return "{0}"
    if len(cells) <= PER_LINE:
        return "{" + ", ".join(cells) + "}"
    rows = [", ".join(cells[at : at + PER_LINE]) for at in range(0, len(cells), PER_LINE)]
    return "{\n" + "".join(f"{indent}    {row},\n" for row in rows) + f"{indent}}}"


def _number(cell: Any, datatype: DataType | None) -> str:
    """A constant of C with the value exactly; floats that are no numbers by division."""
    suffix = _SUFFIXES.get(datatype, "") if datatype else ""
    if isinstance(cell, float):
        if isnan(cell):
            return f"(0.0{suffix} / 0.0{suffix})"
        if isinf(cell):
            return f"({'-' if cell < 0 else ''}1.0{suffix} / 0.0{suffix})"
        return f"{cell!r}{suffix}"
    if datatype in (DataType.SLONG, DataType.A_INT64) and cell == datatype.limits[0]:
        return f"(-{-cell - 1}{suffix} - 1)"  # there is no constant for it, only an expression
    return f"{cell}{suffix}"


FORMAT: Final = SetFormat(
    "c",
    "C source",
    (".c",),
    None,
    write_c_source,
    holds=frozenset({Holds.TEXTS, Holds.AXES, Holds.CUBOIDS, Holds.RAW, Holds.UNITS}),
)
HEADER_FORMAT: Final = SetFormat(
    "c-header",
    "C header",
    (".h",),
    None,
    write_c_header,
    holds=FORMAT.holds,
)
