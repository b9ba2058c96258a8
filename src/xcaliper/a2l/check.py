"""Findings about a description that was read: references, names, versions, limits, tables."""

import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

from xcaliper.a2l.check_interface import INTERFACE_CHECKS
from xcaliper.a2l.check_structure import STRUCTURE_CHECKS
from xcaliper.a2l.finding import finding
from xcaliper.a2l.grammar import Keyword, table_of
from xcaliper.a2l.ifdata import A2ml, IfData
from xcaliper.a2l.index import ModuleIndex, walk
from xcaliper.a2l.keywords.axis import AxisDescr
from xcaliper.a2l.parse import A2lFile
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.progress import Progress, counted

__all__ = ["check", "suppress", "suppressions"]

_SUPPRESSION: Final = re.compile(r"(?:/\*|//)\s*xcaliper:\s*ignore\s+([^\n]*?)\s*(?:\*/|\n|$)")

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
_AXIS_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "COM_AXIS": ("axis_pts_ref",),
    "RES_AXIS": ("axis_pts_ref",),
    "CURVE_AXIS": ("curve_axis_ref",),
}


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


def suppress(found: Iterable[Diagnostic], ignore: Iterable[str]) -> list[Diagnostic]:
    """Findings without those that are not wanted.

    Args:
        found: the findings.
        ignore: codes, as ``unused``, or codes and objects, as ``unused:Tmp*``; both may have ``*`` and ``?``.
    """
    patterns = [(slug, name or "*") for slug, _, name in (text.partition(":") for text in ignore)]
    return [
        one
        for one in found
        if not any(
            fnmatchcase(one.slug, slug) and fnmatchcase(one.subject, name)
            for slug, name in patterns
        )
    ]


def suppressions(text: str) -> list[str]:
    """What a text asks not to report, in comments such as ``/* xcaliper: ignore unused:Tmp* */``."""
    found: list[str] = []
    for match in _SUPPRESSION.finditer(text):
        found += match[1].replace(",", " ").split()
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
        severity = Severity.WARNING if ref.attr in soft else Severity.ERROR
        kinds = " or ".join(ref.targets)
        name = str(getattr(ref.user, "name", ""))
        yield Diagnostic(
            severity,
            "reference-dangling",
            ref.holder.where,
            f"{ref.user.KEYWORD} {name}: {ref.name} names no {kinds}.",
            "Add it or correct the name.",
            name,
        )


def _duplicates(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    for made in index.duplicates:
        yield finding(
            "name-duplicate",
            made,
            "the name is taken already; the first one counts.",
            "Rename one of them.",
        )


def _limits(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    for user in index.users():
        for made in walk(user):
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
    for user in index.users():
        for made in walk(user):
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
    for attr in _AXIS_NEEDS.get(axis.attribute, ()):
        if getattr(axis, attr) is None:
            yield finding(
                "axis-incomplete",
                made,
                f"{axis.attribute} needs {attr.upper()}.",
                f"Add {attr.upper()}.",
            )


def _byte_orders(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    for user in index.users():
        for made in walk(user):
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
    _axes,
    _byte_orders,
    *STRUCTURE_CHECKS,
    *INTERFACE_CHECKS,
)
