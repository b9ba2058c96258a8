"""Findings that need the meaning of objects: limits against types, places in memory, what cannot be used."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from xcaliper.a2l.finding import finding
from xcaliper.a2l.if_xcp import read_segment
from xcaliper.a2l.parse import A2lFile
from xcaliper.core.datatypes import DataType
from xcaliper.core.diagnostics import Diagnostic
from xcaliper.core.errors import UsageError
from xcaliper.core.progress import Progress, counted
from xcaliper.quantity.axis import AxisPoints
from xcaliper.quantity.catalog import Bound, Catalog
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.measurement import BoundMeasurement

__all__ = ["lint"]

#: More objects than this are not bound.
MAX_OBJECTS: Final = 500_000
_VIRTUAL: Final = ("virtual", "virtual_characteristic")
_CALIBRATION: Final = ("CALIBRATION_VARIABLES", "DATA", "OFFLINE_DATA", "SERAM")


def lint(file: A2lFile, *, progress: Progress | None = None) -> list[Diagnostic]:
    """Everything found in the first module, rule by rule; an unreadable object costs only itself.

    Args:
        file: the description.
        progress: told how many objects are checked, for large files.
    """
    if not file.modules:
        return []
    catalog = Catalog(file)
    found: list[Diagnostic] = list(_collisions(catalog))
    bound: list[Bound] = []
    missing = {ref.name for ref in catalog.index.dangling()}  # these are findings already
    names = catalog.names[:MAX_OBJECTS]
    for name in counted(names, "objects checked", len(names), progress):
        try:
            bound.append(catalog.bind(name))
        except UsageError as error:
            text = error.message.removeprefix(f"{name}: ")
            hint = error.hint or "Correct the description."
            made = _made(catalog, name)
            if any(getattr(made, attr, None) is not None for attr in _VIRTUAL):
                continue  # computed from others, so it needs no address
            if made.KEYWORD == "MEASUREMENT" and made.ecu_address is None:
                text, hint = "it has no ECU_ADDRESS.", "Add it, or VIRTUAL where it is computed."
                found.append(_found("address-missing", catalog, name, text, hint))
                continue
            if missing.intersection(re.split(r"[\s:]+", error.message)):
                continue
            found.append(_found("object-unusable", catalog, name, text, hint))
    for one in bound:
        found += list(_mask(catalog, one)) or list(_limits(catalog, one))
        found += _way_back(catalog, one)
    bound, unlinked = _unlinked(catalog, bound)
    found += unlinked
    found += _outside(catalog, bound)
    found += _overlaps(catalog, bound)
    if len(catalog.names) > MAX_OBJECTS:
        text = f"{len(catalog.names)} objects are there; only {MAX_OBJECTS} were looked at."
        found.append(finding("too-many", catalog.index.module, text, "Check parts of it."))
    return found


def _made(catalog: Catalog, name: str) -> Any:
    """The object of the module that a name belongs to."""
    made = catalog.index.object(name)
    if made is None:
        made = catalog.index.object(name.split(".", 1)[0].split("[", 1)[0])
    return catalog.index.module if made is None else made


def _found(slug: str, catalog: Catalog, name: str, text: str, hint: str) -> Diagnostic:
    """A finding about an object or about a component of an instance."""
    made = _made(catalog, name)
    text = text if getattr(made, "name", "") == name else f"{name}: {text}"
    return finding(slug, made, text, hint, subject=name)


def _collisions(catalog: Catalog) -> Iterator[Diagnostic]:
    for name, count in Counter(catalog.names).items():
        if count > 1:
            text = "another object or component has this name."
            yield finding("name-collision", _made(catalog, name), text, "Rename one.", subject=name)


def _datatype(bound: Bound) -> DataType | None:
    if isinstance(bound, AxisPoints):
        element = bound.layout.find("axis_pts", 0)
        return element.datatype if element is not None else None
    if isinstance(bound, BoundCharacteristic) and bound.type == "ASCII":
        return None
    return bound.datatype


def _raw_span(bound: Bound, datatype: DataType) -> tuple[float, float]:
    bits = None if isinstance(bound, AxisPoints) else bound.bits
    if bits is not None and not bits.sign_extend and bits.shift >= 0:
        return 0, (bits.mask & ((1 << datatype.size_bytes * 8) - 1)) >> bits.shift
    return datatype.limits


def _limits(catalog: Catalog, bound: Bound) -> Iterator[Diagnostic]:
    """Limits that the data type cannot reach; only where raw and physical are proportional."""
    datatype = _datatype(bound)
    linear = bound.conversion.linear
    if datatype is None or datatype.is_float or linear is None or not bound.lower <= bound.upper:
        return
    factor, offset = linear
    ends = [factor * raw + offset for raw in _raw_span(bound, datatype)]
    lower, upper = min(ends), max(ends)
    slack = abs(factor) + 1e-6 * max(abs(lower), abs(upper))
    if bound.lower < lower - slack or bound.upper > upper + slack:
        text = (
            f"limits {bound.lower:g} … {bound.upper:g}, but {datatype.value} holds "
            f"{lower:g} … {upper:g}."
        )
        hint = "Narrow the limits or widen the type."
        yield _found("limits-beyond-type", catalog, bound.name, text, hint)


def _mask(catalog: Catalog, bound: Bound) -> Iterator[Diagnostic]:
    mask = getattr(catalog.index.object(bound.name), "bit_mask", None)
    datatype = _datatype(bound)
    if mask is None or datatype is None:
        return
    if mask >> (datatype.size_bytes * 8):
        text = f"BIT_MASK 0x{mask:X} has more bits than {datatype.value}."
        hint = "Correct BIT_MASK or the type."
        yield _found("mask-beyond-type", catalog, bound.name, text, hint)


def _way_back(catalog: Catalog, bound: Bound) -> Iterator[Diagnostic]:
    if isinstance(bound, BoundMeasurement) or not bound.writable or bound.conversion.texts:
        return
    try:
        with np.errstate(all="ignore"):
            bound.conversion.to_raw(np.array([bound.lower]))
    except UsageError as error:
        hint = "Add the way back, or mark the object READ_ONLY."
        text = f"it is writable, but {error.message}"
        yield _found("conversion-one-way", catalog, bound.name, text, hint)


def _spans(catalog: Catalog, bound: Bound) -> list[tuple[int, int, int]]:
    """Extension, first address and end of an object's own memory, in address units.

    Shared axes follow the object's own range and are objects themselves.
    """
    try:
        ranges = bound.memory_ranges()[:1]
    except UsageError:
        return []
    return [
        (r.start.extension, r.start.value, r.start.value + -(-r.size_bytes // catalog.ag))
        for r in ranges
        if r.size_bytes
    ]


def _unlinked(catalog: Catalog, bound: list[Bound]) -> tuple[list[Bound], list[Diagnostic]]:
    """Objects with an address, and a finding for those that still wait for theirs."""
    waiting = [
        one
        for one in bound
        if one.address.value == 0 and (made := catalog.index.object(one.name)) is not None
        and made.KEYWORD != "INSTANCE"
        and getattr(one, "bits", None) is None
    ]  # fmt: skip
    names = {one.name for one in waiting}
    if len(names) < 2:  # memory may well begin at 0
        return bound, []
    text = f"{len(names)} objects lie at address 0."
    hint = "Update the addresses from the program."
    found = _found("address-zero", catalog, waiting[0].name, text, hint)
    return [one for one in bound if one.name not in names], [found]


def _outside(catalog: Catalog, bound: list[Bound]) -> Iterator[Diagnostic]:
    """Objects whose memory no segment has, where the kind of memory is described at all."""
    par = catalog.index.module.mod_par
    segments = par.memory_segment if par else []
    calibration = any(s.prg_type in _CALIBRATION for s in segments)
    variables = any(s.prg_type == "VARIABLES" for s in segments)
    areas: dict[int, list[tuple[int, int]]] = {}
    plain: list[tuple[int, int]] = []  # these do not tell their extension
    for segment in segments:
        xcp = read_segment(segment.if_data)
        area = (segment.address, segment.address + segment.size)
        areas.setdefault(xcp.address_extension if xcp else 0, []).append(area)
        if xcp is None:
            plain.append(area)
    for one in bound:
        measured = isinstance(one, BoundMeasurement)
        if not (variables if measured else calibration):
            continue
        for extension, first, end in _spans(catalog, one):
            known = areas.get(extension)
            if known and not any(
                lower <= first and end <= upper for lower, upper in (*known, *plain)
            ):
                text = f"0x{first:X} … 0x{end - 1:X} lies in no memory segment."
                hint = "Correct the address or add a segment."
                yield _found("memory-outside", catalog, one.name, text, hint)
                break


def _overlaps(catalog: Catalog, bound: list[Bound]) -> Iterator[Diagnostic]:
    """Writable parameters that share memory; bit fields may."""
    spans = sorted(
        (extension, first, end, one.name)
        for one in bound
        if not isinstance(one, BoundMeasurement) and one.writable and getattr(one, "bits", None) is None
        for extension, first, end in _spans(catalog, one)
    )  # fmt: skip
    reached: tuple[int, int, int, str] | None = None
    for extension, first, end, name in spans:
        if reached is not None and reached[0] == extension and first < reached[2]:
            nested = first == reached[1] or end <= reached[2]
            if name != reached[3] and not (nested and _siblings(name, reached[3])):
                text = f"it shares 0x{first:X} with {reached[3]}, and both are writable."
                hint = "Correct the addresses, or mark one READ_ONLY."
                yield _found("memory-overlap", catalog, name, text, hint)
            if end <= reached[2]:
                continue
        reached = (extension, first, end, name)


def _siblings(one: str, other: str) -> bool:
    """True for members of one structure: those of a union lie inside each other."""
    return (
        "." in one and "." in other and re.split(r"[.\[]", one)[0] == re.split(r"[.\[]", other)[0]
    )
