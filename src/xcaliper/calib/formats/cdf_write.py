"""Parameter sets → CDF files *(CDF 2.0, MSRSW to SW-CS-FLAG)*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.formats.cdf_nest import nest
from xcaliper.calib.formats.cdf_words import (
    CATEGORY_OF_KIND,
    DIMENSIONS,
    EXTRA,
    HISTORY_FIELDS,
    KINDS,
    LATER_KINDS,
    PUBLIC_ID,
    QUANTITY,
    SYSTEM_ID,
    VARIANT,
    normal,
)
from xcaliper.calib.formats.cells import number_text, plain
from xcaliper.calib.formats.text_parts import refuse
from xcaliper.calib.paramset import AxisKind, EntryKind
from xcaliper.core.markup import escape, is_writable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from xcaliper.calib.formats.cdf_nest import Branch
    from xcaliper.calib.paramset import (
        CollectionInfo,
        Entry,
        Flag,
        HistoryEntry,
        ParameterSet,
        SetAxis,
    )

__all__ = ["write_set"]


_UNNAMED: Final = "parameters"
_OUTER: Final = ("SW-SYSTEMS", "SW-SYSTEM")


def _text(text: str) -> str:
    return escape(text).replace("\r", "&#13;")


def _attribute(text: str) -> str:
    return _text(text).replace("\n", "&#10;").replace("\t", "&#9;")


def _element(tag: str, text: str) -> str:
    return f"<{tag}>{_text(text)}</{tag}>"


def _optional(tag: str, text: str) -> str:
    return _element(tag, text) if text else ""


def _remark(paragraphs: Iterable[str]) -> str:
    body = "".join(_element("P", one) for one in paragraphs)
    return f"<REMARK>{body}</REMARK>" if body else ""


def write_set(values: ParameterSet, instances: Collection[str] = ()) -> bytes:
    """Write a set as CDF 2.0; as 2.1 where it holds cubes or BLOBs, which 2.0 does not know.

    Args:
        values: what to write.
        instances: names of structures and arrays whose parts are written inside them.

    Raises:
        PlanError: entries hold ECU values, texts that XML cannot hold, or values that do not fit their kind.
    """
    problems = [f"{one.name}: {why}" for one in values if (why := _problem(one))]
    refuse("CDF", problems, "Leave them out, or write JSON.")
    later = any(one.kind in LATER_KINDS for one in values)
    name = values.name or _UNNAMED
    tool = f' CREATOR="{_attribute(values.origin.tool)}"' if values.origin.tool else ""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    if not later:
        lines.append(f'<!DOCTYPE MSRSW PUBLIC "{PUBLIC_ID}" "{SYSTEM_ID}">')
    lines += [
        f"<MSRSW{tool}>",
        _element("SHORT-NAME", name),
        _element("CATEGORY", "CDF21" if later else "CDF20"),
        "<SW-SYSTEMS><SW-SYSTEM>",
        _element("SHORT-NAME", name),
        "<SW-INSTANCE-SPEC><SW-INSTANCE-TREE>",
        _element("SHORT-NAME", name),
        _element("CATEGORY", "VCD" if any(one.variant for one in values) else "NO_VCD"),
    ]
    origin = values.origin
    files = _optional("SYMBOLIC-FILE", origin.a2l) + _optional("DATA-FILE", origin.image)
    if files:
        lines.append(f"<SW-INSTANCE-TREE-ORIGIN>{files}</SW-INSTANCE-TREE-ORIGIN>")
    if values.functions:
        lines.append("<SW-CS-COLLECTIONS>")
        lines += [_collection(one) for one in values.functions]
        lines.append("</SW-CS-COLLECTIONS>")
    curves = {axis.ref for one in values for axis in one.axes if axis.kind is AxisKind.CURVE}
    for branch in nest(_grouped(values), instances):
        lines += _instance(branch, curves)
    lines += ["</SW-INSTANCE-TREE></SW-INSTANCE-SPEC>", "</SW-SYSTEM></SW-SYSTEMS>"]
    lines += _special(values)
    lines.append("</MSRSW>")
    return ("\n".join(lines) + "\n").encode()


# -- what cannot be written -----------------------------------------------------------------------


def _problem(entry: Entry) -> str:
    """Why an entry cannot be written; empty when it can."""
    if entry.is_raw:
        return "it holds ECU values, physical ones are due; convert them by the description"
    if not entry.name or entry.name != entry.name.strip():
        return "the name is empty or has blanks around it"
    told = (entry.name, entry.unit, *(text for pair in entry.variant for text in pair))
    arrays = [axis.values for axis in entry.axes if axis.values is not None]
    if not all(is_writable(text) for text in (*told, *_texts(entry.values, *arrays))):
        return "a text has characters that XML forbids"
    return _misfit(entry)


def _texts(*values: Any) -> Iterator[str]:
    for one in values:
        if isinstance(one, str):
            yield one
        elif isinstance(one, np.ndarray) and one.dtype.kind in "OU":
            yield from (cell for cell in one.ravel().tolist() if isinstance(cell, str))


def _misfit(entry: Entry) -> str:
    kind, values = entry.kind, entry.values
    if kind is EntryKind.BLOB:
        return "" if isinstance(values, bytes) else "a BLOB holds bytes"
    dimensions = values.ndim if isinstance(values, np.ndarray) else 0
    cells = values.ravel().tolist() if isinstance(values, np.ndarray) else [plain(values)]
    points = [axis.values for axis in entry.axes if axis.values is not None]
    if any(one.ndim != 1 for one in points):
        return "points of an axis have more than one dimension"
    cells += [cell for one in points for cell in one.tolist()]
    if any(not isinstance(plain(cell), (int, float, str)) for cell in cells):
        return "a value is neither number nor text"
    if kind is EntryKind.ASCII:
        return "" if all(isinstance(cell, str) for cell in cells) else "a text is due"
    pairs = kind is EntryKind.AXIS_PTS and dimensions == 2 and np.shape(values)[1] == 2
    if pairs or (kind is EntryKind.VAL_BLK and dimensions):
        return ""
    wanted = DIMENSIONS.get(kind, 0)
    return "" if dimensions == wanted else f"{kind} has {dimensions} dimensions, not {wanted}"


# -- instances ------------------------------------------------------------------------------------


def _grouped(values: ParameterSet) -> Iterable[list[Entry]]:
    """Entries that differ in their variant only, where the first of them stands."""
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for one in values:
        facts = one.kind, one.category, one.long_name, one.display_name, one.functions[:1]
        groups.setdefault((one.name, *facts), []).append(one)
    return groups.values()


def _instance(branch: Branch, curves: set[str]) -> list[str]:
    own = _element("SW-ARRAY-INDEX" if branch.is_index else "SHORT-NAME", branch.name)
    if branch.group:
        first = branch.group[0]
        own += _optional("LONG-NAME", first.long_name)
        own += _optional("DISPLAY-NAME", first.display_name)
        own += _element("CATEGORY", _category(first, curves))
        own += _optional("SW-FEATURE-REF", first.functions[0] if first.functions else "")
    else:
        own += _element("CATEGORY", branch.category)
    lines = [f"<SW-INSTANCE>{own}", *_bodies(branch.group)]
    for inner in branch.inner.values():
        lines += _instance(inner, curves)
    return [*lines, "</SW-INSTANCE>"]


def _bodies(group: list[Entry]) -> list[str]:
    if len(group) == 1 and not group[0].variant:
        return [_body(group[0])]
    if not group:
        return []
    lines = [
        f"<SW-INSTANCE-PROPS-VARIANT>{_criteria(one)}{_body(one)}\n</SW-INSTANCE-PROPS-VARIANT>"
        for one in group
    ]
    return ["<SW-INSTANCE-PROPS-VARIANTS>", *lines, "</SW-INSTANCE-PROPS-VARIANTS>"]


def _category(entry: Entry, curves: set[str]) -> str:
    known = normal(entry.category)
    if KINDS.get(known) is entry.kind:
        return known
    if entry.kind is EntryKind.AXIS_PTS and np.ndim(entry.values) == 2:
        return "RES_AXIS"
    if entry.kind is EntryKind.CURVE and entry.name in curves:
        return "CURVE_AXIS"
    return CATEGORY_OF_KIND[entry.kind]


def _criteria(entry: Entry) -> str:
    body = "".join(
        f"<SW-VCD-CRITERION-VALUE>{_element('SW-VCD-CRITERION-REF', criterion)}"
        f"{_element('VT', value)}</SW-VCD-CRITERION-VALUE>"
        for criterion, value in entry.variant
    )
    return f"<SW-VCD-CRITERION-VALUES>{body}</SW-VCD-CRITERION-VALUES>" if body else ""


def _body(entry: Entry) -> str:
    labels = [axis.values for axis in entry.axes]
    sizes = np.shape(entry.values) if isinstance(entry.values, np.ndarray) else ()
    is_truth = normal(entry.category) == "BOOLEAN"
    content = _phys(entry.values, labels, is_truth=is_truth)
    body = (
        f"<SW-VALUE-CONT>{_optional('UNIT-DISPLAY-NAME', entry.unit)}{_sizes(sizes)}"
        f"{content}</SW-VALUE-CONT>"
    )
    if entry.axes:
        body += f"<SW-AXIS-CONTS>{''.join(map(_axis, entry.axes))}</SW-AXIS-CONTS>"
    if entry.history:
        body += f"<SW-CS-HISTORY>{''.join(map(_history, entry.history))}</SW-CS-HISTORY>"
    if entry.flags:
        body += f"<SW-CS-FLAGS>{''.join(map(_flag, entry.flags))}</SW-CS-FLAGS>"
    return body


def _sizes(shape: tuple[int, ...]) -> str:
    if len(shape) < 2:
        return ""
    return f"<SW-ARRAYSIZE>{''.join(f'<V>{n}</V>' for n in reversed(shape))}</SW-ARRAYSIZE>"


def _phys(values: Any, labels: list[Any], *, is_truth: bool = False) -> str:
    if isinstance(values, bytes):
        content = _element("VT", values.hex())
    elif isinstance(values, np.ndarray) and values.ndim:
        content = _group(values.tolist(), values.ndim, labels)
    else:
        cell = plain(values.item() if isinstance(values, np.ndarray) else values)
        truth = is_truth and not isinstance(cell, str) and cell in (0, 1)
        content = _cell(("false", "true")[int(cell)] if truth else cell)
    return f"<SW-VALUES-PHYS>{content}</SW-VALUES-PHYS>"


def _group(cells: list[Any], depth: int, labels: list[Any]) -> str:
    """Cells of one dimension; groups are labelled by the points of their axis."""
    if depth == 1:
        return "".join(map(_cell, cells))
    points = labels[depth - 1] if depth <= len(labels) else None
    texts = [""] * len(cells)
    if points is not None and len(points) == len(cells):
        texts = [
            _element("LABEL", one if isinstance(one, str) else number_text(one))
            for one in map(plain, points.tolist())
        ]
    return "".join(
        f"<VG>{label}{_group(inner, depth - 1, labels)}</VG>"
        for label, inner in zip(texts, cells, strict=True)
    )


def _cell(cell: Any) -> str:
    if isinstance(cell, str):
        kept = ' xml:space="preserve"' if cell != cell.strip() or "\n" in cell else ""
        return f"<VT{kept}>{_text(cell)}</VT>"
    return f"<V>{number_text(cell)}</V>"


def _axis(axis: SetAxis) -> str:
    points = "" if axis.values is None else _phys(axis.values, [])
    return (
        f"<SW-AXIS-CONT>{_element('CATEGORY', axis.kind.value)}"
        f"{_optional('UNIT-DISPLAY-NAME', axis.unit)}{_optional('SW-INSTANCE-REF', axis.ref)}"
        f"{points}</SW-AXIS-CONT>"
    )


# -- history, functions and what has no place elsewhere ---------------------------------------------


def _history(entry: HistoryEntry) -> str:
    told = [(tag, getattr(entry, field)) for field, tag in HISTORY_FIELDS.items()]
    body = "".join(_element(tag, text) for tag, text in told[:3])
    body += "".join(_optional(tag, text) for tag, text in told[3:])
    special = "".join(_special_text(name, text) for name, text in entry.special)
    return f"<CS-ENTRY>{body}{_remark(entry.remark)}{special}</CS-ENTRY>"


def _flag(flag: Flag) -> str:
    body = _optional("CATEGORY", flag.category) + _optional("FLAG", flag.flag)
    body += _optional("CSUS", flag.user) + _optional("DATE", flag.date)
    return f"<SW-CS-FLAG>{body}{_remark(flag.remark)}</SW-CS-FLAG>"


def _collection(info: CollectionInfo) -> str:
    name, version = info.name, _optional("REVISION", info.version)
    if info.is_collection:
        body = f"<CATEGORY>COLLECTION</CATEGORY>{version}{_element('SW-COLLECTION-REF', name)}"
    else:
        body = f"<CATEGORY>FEATURE</CATEGORY>{_element('SW-FEATURE-REF', name)}{version}"
    if info.history:
        body += f"<SW-CS-HISTORY>{''.join(map(_history, info.history))}</SW-CS-HISTORY>"
    return f"<SW-CS-COLLECTION>{body}</SW-CS-COLLECTION>"


def _special_text(name: str, text: str) -> str:
    return f'<SD GID="{_attribute(name)}">{_text(text)}</SD>'


def _captioned(kind: str, name: str, told: Iterable[tuple[str, str]]) -> str:
    body = "".join(_special_text(key, text) for key, text in told)
    caption = f"<SDG-CAPTION>{_element('SHORT-NAME', name)}</SDG-CAPTION>"
    return f'<SDG GID="{kind}">{caption}{body}</SDG>'


def _special(values: ParameterSet) -> list[str]:
    """What the elements above have no place for, as special data."""
    origin = values.origin
    told = [("EPK", origin.epk), ("TIME", origin.time), ("USER", origin.user)]
    lines = [_special_text(key, text) for key, text in told if text]
    lines += [_special_text("COMMENT", text) for text in values.comments]
    lines += [
        _captioned("CRITERION", name, [("VALUE", text) for text in texts])
        for name, texts in values.criteria.items()
    ]
    lines += [
        _captioned("FUNCTION", one.name, [("LONG-NAME", one.long_name)])
        for one in values.functions
        if one.long_name
    ]
    for one in values:
        more = [("FUNCTION", name) for name in one.functions[1:]]
        more += [(f"{QUANTITY}{n}", a.quantity) for n, a in enumerate(one.axes) if a.quantity]
        if more:
            which = [(f"{VARIANT}{criterion}", value) for criterion, value in one.variant]
            lines.append(_captioned("INSTANCE", one.name, which + more))
    return ["<SDGS>", f'<SDG GID="{EXTRA}">', *lines, "</SDG>", "</SDGS>"] if lines else []
