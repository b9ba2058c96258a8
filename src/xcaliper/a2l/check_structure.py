"""Findings about how objects hang together: groups, variants, layouts, identification, what nobody uses."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from xcaliper.a2l.finding import finding
from xcaliper.a2l.grammar import Keyword, table_of
from xcaliper.a2l.ifdata import A2ml, IfData
from xcaliper.a2l.index import SERVANTS, ModuleIndex
from xcaliper.a2l.keywords.layout import RecordLayout
from xcaliper.a2l.parse import A2lFile
from xcaliper.core.diagnostics import Diagnostic

__all__ = ["STRUCTURE_CHECKS"]

_AXES: Final = ("x", "y", "z", "4", "5")
_MAX_COMBINATIONS: Final = 1 << 16


def _forest(index: ModuleIndex, kind: str, attr: str) -> Iterator[Diagnostic]:
    """Cycles, second parents and missing roots in the tree of groups or functions."""
    made: dict[str, Any] = {m.name: m for m in getattr(index.module, kind)}
    below: dict[str, list[str]] = {
        name: [n for n in getattr(getattr(m, attr), "names", ()) if n in made]
        for name, m in made.items()
    }
    parents = Counter(child for children in below.values() for child in set(children))
    for name in _in_cycles(below):
        yield finding(
            "group-cycle", made[name], "it is its own ancestor.", "Take it out of one list."
        )
    if kind != "group":
        return
    for name, group in made.items():
        if parents[name] > 1:
            yield finding(
                "group-parents",
                group,
                f"{parents[name]} groups contain it.",
                "Leave it in one of them.",
            )
        if not parents[name] and not group.root:
            yield finding(
                "group-no-root",
                group,
                "no group contains it and it is no ROOT.",
                "Add ROOT or put it into a SUB_GROUP.",
            )
        if parents[name] and group.root:
            yield finding(
                "group-root-inside", group, "it is ROOT and inside another.", "Remove ROOT."
            )


def _in_cycles(below: dict[str, list[str]]) -> list[str]:
    """Names that can reach themselves, each cycle at its first member; iterative, linear."""
    state: dict[str, int] = {}
    found: list[str] = []
    for start in below:
        stack: list[tuple[str, int]] = [(start, 0)] if start not in state else []
        while stack:
            name, at = stack.pop()
            if at == 0:
                state[name] = 1
            if at < len(below[name]):
                stack.append((name, at + 1))
                child = below[name][at]
                if state.get(child) == 1:
                    found.append(child)
                elif child not in state:
                    stack.append((child, 0))
            else:
                state[name] = 2
    return list(dict.fromkeys(found))


def _groups(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    yield from _forest(index, "group", "sub_group")
    yield from _forest(index, "function", "sub_function")


def _variants(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    coding = index.module.variant_coding
    if coding is None:
        return
    sizes = {c.name: len(c.value) for c in coding.var_criterion}
    values = {c.name: set(c.value) for c in coding.var_criterion}
    for combination in coding.var_forbidden_comb:
        for name, value in combination.combination:
            if name in values and value not in values[name]:
                yield finding(
                    "variant-value",
                    combination,
                    f"{name} has no value {value}.",
                    "Correct the value.",
                )
    for made in coding.var_characteristic:
        if made.var_address is None or any(n not in sizes for n in made.criterion_name):
            continue
        count = _combinations(made.criterion_name, coding, sizes)
        given = len(made.var_address.address)
        if count is not None and given != count:
            yield finding(
                "variant-addresses",
                made,
                f"{count} combinations are permitted, {given} addresses are there.",
                "Give one address for each.",
            )


def _combinations(names: list[str], coding: Any, sizes: dict[str, int]) -> int | None:
    """Permitted combinations of criteria; None when there are too many to count."""
    total = 1
    for name in names:
        total *= sizes[name]
    forbidden = [
        dict(c.combination) for c in coding.var_forbidden_comb if {n for n, _ in c.combination} <= set(names)
    ]  # fmt: skip
    if not forbidden:
        return total
    if total > _MAX_COMBINATIONS or total * len(forbidden) > _MAX_COMBINATIONS:
        return None
    values = {c.name: c.value for c in coding.var_criterion}
    chosen: list[dict[str, str]] = [{}]
    for name in names:
        chosen = [{**one, name: value} for one in chosen for value in values[name]]
    return sum(
        not any(all(one.get(n) == v for n, v in comb.items()) for comb in forbidden)
        for one in chosen
    )


def _layouts(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    module = index.module
    objects: list[Any] = [*module.characteristic, *module.typedef_characteristic]
    for made in objects:
        layout = index.find(getattr(made, "deposit", "") or made.record_layout, "RECORD_LAYOUT")
        if layout is None:
            continue
        if layout.fnc_values is None:
            yield _layout_lacks(made, layout, "FNC_VALUES")
        for n, axis in enumerate(made.axis_descr[:5]):
            letter = _AXES[n]
            if axis.attribute == "STD_AXIS" and not _has(layout, f"axis_pts_{letter}"):
                yield _layout_lacks(made, layout, f"AXIS_PTS_{letter.upper()}")
            yield from _dimension(made, layout, letter, axis.max_axis_points)
    axes: list[Any] = [*module.axis_pts, *module.typedef_axis]
    for made in axes:
        name = getattr(made, "deposit_record", "") or getattr(made, "record_layout", "")
        layout = index.find(name, "RECORD_LAYOUT")
        if layout is not None and not (
            _has(layout, "axis_pts_x") or _has(layout, "axis_rescale_x")
        ):
            yield _layout_lacks(made, layout, "AXIS_PTS_X")
        if layout is not None:
            yield from _dimension(made, layout, "x", made.max_axis_points)
    for layout in module.record_layout:
        yield from _positions(layout)


def _dimension(made: Any, layout: RecordLayout, letter: str, points: int) -> Iterator[Diagnostic]:
    fixed = getattr(layout, f"fix_no_axis_pts_{letter}")
    if fixed is not None and fixed != points:
        word = f"FIX_NO_AXIS_PTS_{letter.upper()}"
        text = f"{points} points are announced, {word} of {layout.name} says {fixed}."
        yield finding("layout-dimension", made, text, "Correct one of them.")


def _has(layout: RecordLayout, attr: str) -> bool:
    return getattr(layout, attr, None) not in (None, [])


def _layout_lacks(made: Any, layout: RecordLayout, word: str) -> Diagnostic:
    text = f"its record layout {layout.name} has no {word}."
    return finding("layout-incomplete", made, text, f"Add {word} or use another layout.")


def _positions(layout: RecordLayout) -> Iterator[Diagnostic]:
    seen: dict[int, str] = {}
    for entry in table_of(RecordLayout).optional.values():
        value = getattr(layout, entry.attr)
        for one in value if isinstance(value, list) else [value]:
            at = getattr(one, "position", None)
            if at is None:
                continue
            if at in seen:
                text = f"{entry.name} and {seen[at]} share position {at}."
                yield finding("layout-position", layout, text, "Number them in order.")
            seen[at] = entry.name


def _unused(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    used = {(ref.name, target) for ref in index.references() for target in ref.targets}
    for user in index.users():
        name = str(getattr(user, "name", ""))
        if user.KEYWORD in SERVANTS and (name, user.KEYWORD) not in used:
            yield finding("unused", user, "nothing refers to it.", "Remove it.")


def _deprecated(file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    if file.asap2_version is None:
        return
    declared = (file.asap2_version.version_no, file.asap2_version.upgrade_no)
    for made in index.parts():
        if isinstance(made, (IfData, A2ml)):
            continue
        for entry in table_of(made.__class__).optional.values():
            if not entry.until or getattr(made, entry.attr) in (None, False, []):
                continue
            major, minor = entry.until.split(".")
            if (int(major), int(minor)) < declared:
                text = f"{entry.name} ended with {entry.until}, the file declares {file.version}."
                yield finding("version-deprecated", made, text, "Use what replaced it.")


def _epk(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    par = index.module.mod_par
    writable = index.module.characteristic or index.module.axis_pts
    if par is None:
        return
    if par.epk and not par.addr_epk:
        yield finding("epk-address", par, "EPK without ADDR_EPK.", "Add ADDR_EPK.")
    elif par.addr_epk and not par.epk:
        yield finding("epk-missing", par, "ADDR_EPK without EPK.", "Add EPK.")
    elif not par.epk and writable:
        text = "without EPK nobody knows whether the description fits the program."
        yield finding("epk-missing", par, text, "Add EPK and ADDR_EPK.")
    for address in par.addr_epk if par.epk and par.memory_segment else ():
        size = len(par.epk or "")
        if not any(s.address <= address and address + size <= s.address + s.size for s in par.memory_segment):  # fmt: skip
            text = f"EPK at 0x{address:X} lies in no memory segment."
            yield finding("memory-outside", par, text, "Correct ADDR_EPK or add a segment.")


def _segments(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    par = index.module.mod_par
    segments: list[Any] = sorted(par.memory_segment, key=lambda s: s.address) if par else []
    names: set[str] = set()
    for made in segments:
        if made.name in names:
            yield finding("name-duplicate", made, "the name is taken already.", "Rename one.")
        names.add(made.name)
    usable = [s for s in segments if s.memory_type != "NOT_IN_ECU" and s.prg_type != "OFFLINE_DATA"]
    for before, made in itertools.pairwise(usable):
        if made.address < before.address + before.size and made.size:
            text = f"it overlaps {before.name} at 0x{made.address:X}."
            yield finding("segment-overlap", made, text, "Correct address or size.")


def _table_rows(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    for made in index.module.compu_tab:
        yield from _keys(
            made, [row[0] for row in made.pairs], sorted_=made.conversion_type == "TAB_INTP"
        )
    for vtab in index.module.compu_vtab:
        yield from _keys(vtab, [row[0] for row in vtab.pairs], sorted_=False)


def _keys(made: Keyword, keys: list[float], *, sorted_: bool) -> Iterator[Diagnostic]:
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        text = f"{twice[0]:g} occurs more than once; the first row counts."
        yield finding("table-duplicate", made, text, "Remove the other rows.")
    elif sorted_ and any(b < a for a, b in itertools.pairwise(keys)):
        yield finding("table-unsorted", made, "its rows do not ascend.", "Sort them.")


STRUCTURE_CHECKS: Final = (
    _groups,
    _variants,
    _layouts,
    _unused,
    _deprecated,
    _epk,
    _segments,
    _table_rows,
)
