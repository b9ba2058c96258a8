"""COMPU_METHOD to vectorised raw ↔ physical conversion (ASAP2, COMPU_METHOD)."""

from typing import Any

import numpy as np

from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.compu import CompuMethod, CompuTab, CompuVtab, CompuVtabRange
from xcaliper.core.errors import UsageError
from xcaliper.quantity.conversion import Conversion, FormulaConversion, Linear, Rational
from xcaliper.quantity.formula import compile_formula
from xcaliper.quantity.rounding import PhysToRaw, round_to
from xcaliper.quantity.tables import Interpolation, Lookup, Verbal

__all__ = [
    "Conversion",
    "FormulaConversion",
    "Interpolation",
    "Linear",
    "Lookup",
    "PhysToRaw",
    "Rational",
    "Verbal",
    "compile_conversion",
    "round_to",
    "system_constants",
]


def compile_conversion(
    name: str,
    index: ModuleIndex,
    *,
    limits: tuple[float, float] = (-np.inf, np.inf),
    phys_unit: str | None = None,
    version: str = "1.71",
) -> Conversion:
    """The conversion of an object.

    Args:
        name: name of the COMPU_METHOD, or ``NO_COMPU_METHOD``.
        index: the module.
        limits: physical limits of the object; they decide between two solutions.
        phys_unit: unit of the object, which wins over that of the method.
        version: version of ASAP2, for formulas.

    Raises:
        UsageError: the method is missing or incomplete.
    """
    if name == "NO_COMPU_METHOD":
        return Conversion("", phys_unit or "")
    method: CompuMethod | None = index.find(name, "COMPU_METHOD")
    if method is None:
        raise UsageError(f"conversion {name}: it does not exist.", hint="Add the COMPU_METHOD.")
    unit = phys_unit or method.unit
    if not unit and method.ref_unit:
        reference = index.find(method.ref_unit, "UNIT")
        unit = reference.display if reference else ""
    common: dict[str, Any] = {"name": name, "unit": unit, "status": _status(method, index)}
    return _by_type(method, index, common, limits, version)


def _by_type(
    method: CompuMethod,
    index: ModuleIndex,
    common: dict[str, Any],
    limits: tuple[float, float],
    version: str,
) -> Conversion:
    kind = method.conversion_type
    if kind == "IDENTICAL":
        return Conversion(**common)
    if kind == "LINEAR" and method.coeffs_linear:
        return Linear(**common, a=method.coeffs_linear.a, b=method.coeffs_linear.b)
    if kind == "RAT_FUNC" and method.coeffs:
        c = method.coeffs
        if c.a == c.b == c.d == c.e == 0:
            raise _incomplete(method, "its COEFFS do not depend on the value")
        return Rational(
            **common, coeffs=(c.a, c.b, c.c, c.d, c.e, c.f), lower=limits[0], upper=limits[1]
        )
    if kind == "FORM" and method.formula:
        constants = system_constants(index)
        inverse = method.formula.formula_inv
        return FormulaConversion(
            **common,
            formula=compile_formula(method.formula.fx, version=version, constants=constants),
            inverse=compile_formula(inverse, version=version, constants=constants)
            if inverse is not None
            else None,
        )
    if kind in ("TAB_INTP", "TAB_NOINTP", "TAB_VERB") and method.compu_tab_ref:
        return _table(method, index, common)
    raise _incomplete(method, f"{kind} lacks its parameters")


def _incomplete(method: CompuMethod, what: str) -> UsageError:
    return UsageError(
        f"conversion {method.name}: {what}.", hint="Correct the COMPU_METHOD, or use raw values."
    )


def system_constants(index: ModuleIndex) -> dict[str, str]:
    """SYSTEM_CONSTANT values of a module by name, for ``sysc(NAME)``."""
    mod_par = index.module.mod_par
    return {c.name: c.value for c in mod_par.system_constant} if mod_par else {}


def _table(method: CompuMethod, index: ModuleIndex, common: dict[str, Any]) -> Conversion:
    assert method.compu_tab_ref, "checked by the caller"
    table = index.find(method.compu_tab_ref, "COMPU_TAB", "COMPU_VTAB", "COMPU_VTAB_RANGE")
    if table is None:
        raise _incomplete(method, f"table {method.compu_tab_ref} does not exist")
    if isinstance(table, (CompuVtab, CompuVtabRange)):
        return _verbal(table, common)
    rows = sorted(table.pairs, key=lambda row: row[0])
    if not rows:
        raise _incomplete(method, f"table {table.name} has no rows")
    raws, physs = zip(*rows, strict=True)
    default = _default(table)
    cls = Interpolation if method.conversion_type == "TAB_INTP" else Lookup
    return cls(**common, raws=raws, physs=physs, default=default)


def _default(table: CompuTab) -> float | str | None:
    """What stands for values outside: the number; before 1.6 a text, perhaps with a number in it."""
    if table.default_value_numeric is not None or not table.default_value:
        return table.default_value_numeric
    try:
        number = float(table.default_value)
    except ValueError:
        return table.default_value
    return number if np.isfinite(number) else table.default_value


def _verbal(table: CompuVtab | CompuVtabRange, common: dict[str, Any]) -> Verbal:
    rows: list[tuple[float, float, str]] = (
        [(raw, raw, text) for raw, text in table.pairs]
        if isinstance(table, CompuVtab)
        else list(table.triples)
    )
    first: dict[tuple[float, float], str] = {}
    for low, high, text in rows:
        first.setdefault((low, high), text)
    ordered = sorted(first.items(), key=lambda row: (row[0][0], -row[0][1]))
    made = tuple((low, high, text) for (low, high), text in ordered)
    return Verbal(**common, rows=made, default=table.default_value)


def _status(method: CompuMethod, index: ModuleIndex) -> Verbal | None:
    if not method.status_string_ref:
        return None
    table = index.find(method.status_string_ref, "COMPU_VTAB", "COMPU_VTAB_RANGE")
    return _verbal(table, {"name": table.name}) if table else None
