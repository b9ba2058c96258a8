"""Findings about a description that was read: references, names, versions, limits, tables."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from xcaliper.a2l.check_interface import INTERFACE_CHECKS
from xcaliper.a2l.check_structure import STRUCTURE_CHECKS
from xcaliper.a2l.choice import suppress
from xcaliper.a2l.finding import finding
from xcaliper.a2l.grammar import Keyword, table_of
from xcaliper.a2l.ifdata import A2ml, IfData
from xcaliper.a2l.index import ModuleIndex, Reference, spans_of
from xcaliper.a2l.keywords.axis import AxisDescr
from xcaliper.a2l.parse import A2lFile
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.progress import Progress, counted

__all__ = ["check", "suppress", "suppressions"]

_SUPPRESSION: Final = re.compile(rb"(?:/\*|//)\s*xcaliper:\s*ignore\s+([^\n]*?)\s*(?:\*/|\n|$)")

_LARGE: Final = 1000

_AXES: Final = {"CURVE": 1, "MAP": 2, "CUBOID": 3, "CUBE_4": 4, "CUBE_5": 5}
_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "LINEAR": ("coeffs_linear",),
    "RAT_FUNC": ("coeffs",),
    "FORM": ("formula",),
    "TAB_INTP": ("compu_tab_ref",),
    "TAB_NOINTP": ("compu_tab_ref",),
    "TAB_VERB": ("compu_tab_ref",),
}
_FIXED: Final = ("fix_axis_par", "fix_axis_par_dist", "fix_axis_par_list")
#: Type of an axis → keywords of which it needs one; on an axis of another type they mean nothing.
_AXIS_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "COM_AXIS": ("axis_pts_ref",),
    "RES_AXIS": ("axis_pts_ref",),
    "CURVE_AXIS": ("curve_axis_ref",),
    "FIX_AXIS": _FIXED,
    "STD_AXIS": (),
}
_AXIS_KEYWORDS: Final = ("axis_pts_ref", "curve_axis_ref", *_FIXED)


def check(
    file: A2lFile,
    *,
    ignore: Iterable[str] = (),
    encoding: str | None = None,
    progress: Progress | None = None,
) -> list[Diagnostic]:
    """Everything found, module by module, rule by rule.

    Args:
        file: the description.
        ignore: what not to report, see ``suppress``.
        encoding: how the file was stored, as ``decode_text`` tells it; None when unknown.
        progress: told how many rules are done, for large files.
    """
    file.load_all()
    found = list(_encoding(file, encoding)) if encoding else []
    for module in file.modules:
        index = ModuleIndex(module)
        few = 0 if len(index.spaces["object"]) >= _LARGE else len(_RULES) + 1
        for rule in counted(_RULES, "rules checked", len(_RULES), progress, few=few):
            found.extend(rule(file, index))
    return suppress(found, ignore)


def suppressions(text: str | bytes) -> list[str]:
    """What a text, UTF-8 as bytes, asks not to report, in comments such as ``/* xcaliper: ignore unused:Tmp* */``."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    found: list[str] = []
    for match in _SUPPRESSION.finditer(raw) if b"xcaliper:" in raw else ():
        found += match[1].decode("utf-8", "replace").replace(",", " ").split()
    return found


def _encoding(file: A2lFile, encoding: str) -> Iterator[Diagnostic]:
    version = file.asap2_version
    if version is None:
        return
    declared = (version.version_no, version.upgrade_no)
    marked = encoding.startswith(("utf-16", "utf-32")) or encoding == "utf-8-sig"
    where = Where(file.source)
    if declared < (1, 60) and (marked or encoding == "utf-8"):
        yield Diagnostic(
            Severity.WARNING,
            "encoding-utf",
            where,
            f"encoding: {encoding} in a file that declares {file.version}.",
            "Raise ASAP2_VERSION to 1 60, or save in the code page.",
        )
    elif declared >= (1, 60) and encoding == "utf-8":
        yield Diagnostic(
            Severity.INFO,
            "encoding-mark",
            where,
            "encoding: UTF-8 without a byte order mark.",
            "Save with the mark.",
        )


def _references(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    soft = ("input_quantity", "names", "comparison_quantity", "ref_memory_segment")
    for ref in index.dangling():
        if ref.holder.KEYWORD == "VIRTUAL" and ref.name == "NoInput":
            continue  # how one widespread tool says that there is none
        severity = Severity.WARNING if ref.attr in soft else Severity.ERROR
        kinds = " or ".join(ref.targets)
        name = str(getattr(ref.user, "name", ""))
        yield Diagnostic(
            severity,
            "reference-dangling",
            _where(ref),
            f"{ref.user.KEYWORD} {name}: {ref.name} names no {kinds}.",
            "Add it or correct the name.",
            name,
        )


def _where(ref: Reference) -> Where:
    """Place of the name itself, or of the object where that cannot be told."""
    spans = spans_of(ref)
    origin = ref.holder.origin
    return origin.places.where(spans[0][0]) if spans and origin else ref.holder.where


def _duplicates(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    for made in index.duplicates:
        text = "the name is taken already; the first one counts."
        found = finding("name-duplicate", made, text, "Rename one of them.")
        if made == index.find(str(getattr(made, "name", "")), made.KEYWORD):
            text = f"{made.KEYWORD} {found.subject}: the same object is there already."
            found = replace(found, severity=Severity.WARNING, text=text, hint="Remove one of them.")
        yield found


def _limits(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    for made in index.parts():
        lower = getattr(made, "lower_limit", None)
        upper = getattr(made, "upper_limit", None)
        if lower is not None and upper is not None and lower > upper:
            yield finding(
                "limits-reversed",
                made,
                f"lower limit {lower:g} is above upper limit {upper:g}.",
                "Exchange them.",
            )
        hard: Any = getattr(made, "extended_limits", None)
        if hard is None or lower is None or upper is None:
            continue
        if lower < hard.lower_limit or upper > hard.upper_limit:
            yield finding(
                "limits-beyond-extended",
                made,
                "the limits reach beyond EXTENDED_LIMITS.",
                "Widen EXTENDED_LIMITS.",
            )


def _versions(file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    if file.asap2_version is None:
        return
    declared = (file.asap2_version.version_no, file.asap2_version.upgrade_no)
    for made in index.parts():
        if made.SINCE and _version(made.SINCE) > declared:
            yield _too_new(made, made.KEYWORD, made.SINCE, file.version)
        if not isinstance(made, (IfData, A2ml)):
            for name, since in _set_since(made):
                if _version(since) > declared:
                    yield _too_new(made, name, since, file.version)


def _set_since(made: Any) -> Iterator[tuple[str, str]]:
    """Keywords in use that carry a version of their own and are not checked as objects."""
    for entry in table_of(made.__class__).optional.values():
        if (
            entry.since
            and entry.mode != "object"
            and getattr(made, entry.attr) not in (None, False, [])
        ):
            yield entry.name, entry.since


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def _too_new(made: Keyword, name: str, since: str, declared: str) -> Diagnostic:
    return finding(
        "version-too-new",
        made,
        f"{name} exists since {since}, the file declares {declared}.",
        "Raise ASAP2_VERSION.",
    )


def _tables(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    module = index.module
    tables: list[tuple[Any, int, int]] = [
        *((t, t.number_value_pairs, len(t.pairs)) for t in module.compu_tab),
        *((t, t.number_value_pairs, len(t.pairs)) for t in module.compu_vtab),
        *((t, t.number_value_triples, len(t.triples)) for t in module.compu_vtab_range),
    ]
    for made, count, rows in tables:
        if count != rows:
            yield finding(
                "table-count",
                made,
                f"{count} rows are announced, {rows} are there; the rows count.",
                "Correct the number.",
            )


def _methods(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    for method in index.module.compu_method:
        for attr in _NEEDS.get(method.conversion_type, ()):
            if getattr(method, attr) is None:
                yield finding(
                    "conversion-incomplete",
                    method,
                    f"{method.conversion_type} needs {attr.upper()}.",
                    f"Add {attr.upper()}.",
                )


def _degenerate(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    for method in index.module.compu_method:
        linear = method.coeffs_linear if method.conversion_type == "LINEAR" else None
        if linear is not None and linear.a == 0:  # a constant that is shown may be meant
            text = "COEFFS_LINEAR gives the same physical value for every raw one."
            found = finding("conversion-degenerate", method, text, "Correct COEFFS_LINEAR.")
            yield replace(found, severity=Severity.WARNING)
        if method.conversion_type == "RAT_FUNC" and method.coeffs is not None:
            a, b, c, d, e, f = (getattr(method.coeffs, letter) for letter in "abcdef")
            if not (d or e or f):
                text = "the denominator of COEFFS is 0."
            elif (
                a * e == b * d and a * f == c * d and b * f == c * e
            ):  # one a multiple of the other
                text = "COEFFS give the same raw value for every physical one."
            else:
                continue
            yield finding("conversion-degenerate", method, text, "Correct COEFFS.")


def _ranges(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    for table in index.module.compu_vtab_range:
        rows = sorted((row[0], row[1]) for row in table.triples)
        reached = None
        for lower, upper in rows:
            if reached is not None and (lower < reached[1] or lower == reached[0]):
                text = f"{lower:g} … {upper:g} overlaps {reached[0]:g} … {reached[1]:g}."
                yield finding("table-overlap", table, text, "Separate the ranges.")
                break
            if reached is None or upper >= reached[1]:
                reached = lower, upper


def _axes(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    module = index.module
    objects: list[Any] = [*module.characteristic, *module.typedef_characteristic]
    for made in objects:
        need = _AXES.get(made.type, 0)
        if len(made.axis_descr) != need and made.type in (*_AXES, "VALUE", "VAL_BLK", "ASCII"):
            yield finding(
                "axis-count",
                made,
                f"{made.type} needs {need} AXIS_DESCR, {len(made.axis_descr)} are there.",
                "Add or remove axes.",
            )
        for axis in made.axis_descr:
            yield from _axis(made, axis)
        if made.type in ("VAL_BLK", "ASCII") and made.matrix_dim is None and made.number is None:
            yield finding(
                "size-missing",
                made,
                f"{made.type} has neither MATRIX_DIM nor NUMBER.",
                "Add MATRIX_DIM.",
            )


def _axis(made: Keyword, axis: AxisDescr) -> Iterator[Diagnostic]:
    needs = _AXIS_NEEDS.get(axis.attribute)
    if needs is None:
        return
    subject = str(getattr(made, "name", ""))
    if needs and all(getattr(axis, attr) is None for attr in needs):
        words = " or ".join(attr.upper() for attr in needs)
        text = f"{subject}: {axis.attribute} needs {words}."
        yield finding("axis-incomplete", axis, text, f"Add {words}.", subject=subject)
    for attr in _AXIS_KEYWORDS:
        if attr not in needs and getattr(axis, attr) is not None:
            text = f"{subject}: {attr.upper()} does not belong to {axis.attribute}."
            hint = "Correct the type of the axis, or remove it."
            yield finding("axis-keyword", axis, text, hint, subject=subject)


def _byte_orders(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    for made in index.parts():
        word = getattr(made, "byte_order", None)
        if word in ("LITTLE_ENDIAN", "BIG_ENDIAN"):
            yield finding(
                "byte-order-ambiguous",
                made,
                f"{word} means the reverse of everyday use in old files.",
                "Write MSB_FIRST or MSB_LAST.",
            )


_RULES: Final[tuple[Callable[[A2lFile, ModuleIndex], Iterator[Diagnostic]], ...]] = (
    _references,
    _duplicates,
    _limits,
    _versions,
    _tables,
    _methods,
    _degenerate,
    _ranges,
    _axes,
    _byte_orders,
    *STRUCTURE_CHECKS,
    *INTERFACE_CHECKS,
)
