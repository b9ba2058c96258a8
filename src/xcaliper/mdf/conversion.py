"""Conversion rules raw → physical: values, their CC blocks, and their vectorised use.

A rule is a frozen dataclass. ``to_parts`` gives what a CC block holds, ``from_parts`` reads it
back, ``to_phys`` applies it *(MDF4, CC block)*.
"""

from __future__ import annotations

import ast
import operator
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import MdfError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = [
    "Algebraic",
    "CcParts",
    "Conversion",
    "Identity",
    "Linear",
    "RangeToText",
    "Rational",
    "TableInterpolated",
    "TableStep",
    "ValueToText",
    "from_parts",
    "prescaled",
    "to_parts",
    "to_phys",
]

MAX_ENTRIES: Final = 0xFFFF
MAX_FORMULA: Final = 4096


@dataclass(frozen=True, slots=True)
class Identity:
    """phys = raw."""


@dataclass(frozen=True, slots=True)
class Linear:
    """phys = offset + factor · raw."""

    offset: float
    factor: float


@dataclass(frozen=True, slots=True)
class Rational:
    """phys = (p1·raw² + p2·raw + p3) / (p4·raw² + p5·raw + p6), from raw to physical."""

    p1: float
    p2: float
    p3: float
    p4: float
    p5: float
    p6: float


@dataclass(frozen=True, slots=True)
class Algebraic:
    """phys = formula of the variable ``X``, with ``+ - * / ^`` and the usual functions."""

    formula: str


@dataclass(frozen=True, slots=True)
class TableInterpolated:
    """Straight lines between (key, value) points; the ends are held."""

    keys: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TableStep:
    """Value of the nearest key; the lower one where two are equally near."""

    keys: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ValueToText:
    """Text per raw value.

    Attributes:
        default: of values without a text; ``None`` = their number, which MDF4 cannot say: there they
            have an empty text.
    """

    keys: tuple[float, ...]
    texts: tuple[str, ...]
    default: str | None = ""


@dataclass(frozen=True, slots=True)
class RangeToText:
    """Text per raw range; both ends belong to the range of an integer.

    Attributes:
        default: as in ``ValueToText``.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    texts: tuple[str, ...]
    default: str | None = ""


Conversion = (
    Identity
    | Linear
    | Rational
    | Algebraic
    | TableInterpolated
    | TableStep
    | ValueToText
    | RangeToText
)


@dataclass(frozen=True, slots=True)
class CcParts:
    """Content of a CC block before texts are placed: type, texts, numbers."""

    cc_type: int
    texts: tuple[str, ...] = ()
    values: tuple[float, ...] = ()


def _pairs(rule: TableInterpolated | TableStep) -> tuple[float, ...]:
    points = sorted(zip(rule.keys, rule.values, strict=True))
    return tuple(number for point in points for number in point)


def _value_texts(rule: ValueToText) -> CcParts:
    entries: dict[float, str] = {}
    for key, text in zip(rule.keys, rule.texts, strict=True):
        entries.setdefault(key, text)  # the first of two equal keys wins, as in a VTAB
    return CcParts(7, (*entries.values(), rule.default or ""), tuple(entries))


def _range_texts(rule: RangeToText) -> CcParts:
    limits = zip(rule.lower, rule.upper, strict=True)
    return CcParts(8, (*rule.texts, rule.default or ""), tuple(x for pair in limits for x in pair))


_TO_PARTS: Final[dict[type, Callable[[Any], CcParts]]] = {
    Identity: lambda _: CcParts(0),
    Linear: lambda r: CcParts(1, (), (r.offset, r.factor)),
    Rational: lambda r: CcParts(2, (), (r.p1, r.p2, r.p3, r.p4, r.p5, r.p6)),
    Algebraic: lambda r: CcParts(3, (r.formula,)),
    TableInterpolated: lambda r: CcParts(4, (), _pairs(r)),
    TableStep: lambda r: CcParts(5, (), _pairs(r)),
    ValueToText: _value_texts,
    RangeToText: _range_texts,
}


def to_parts(conversion: Conversion) -> CcParts:
    """Content of the CC block of a rule.

    Raises:
        UsageError: columns of unequal length, or more entries than a block can count.
    """
    name = type(conversion).__name__
    try:
        parts = _TO_PARTS[type(conversion)](conversion)
    except ValueError:
        raise UsageError(
            f"{name}: its columns differ in length.", hint="Give one value per key."
        ) from None
    if max(len(parts.values), len(parts.texts)) > MAX_ENTRIES:
        raise UsageError(
            f"{name}: {len(parts.values)} numbers, a CC block counts to {MAX_ENTRIES}.",
            hint="Thin the table out or record the raw value.",
        )
    if parts.cc_type in {4, 5, 7, 8} and not parts.values:
        return CcParts(0)  # a table without entries says nothing
    return parts


_FROM_PARTS: Final[dict[int, Callable[[tuple[str, ...], tuple[float, ...]], Conversion]]] = {
    0: lambda _t, _v: Identity(),
    1: lambda _t, v: Linear(v[0], v[1]),
    2: lambda _t, v: Rational(v[0], v[1], v[2], v[3], v[4], v[5]),
    3: lambda t, _v: Algebraic(t[0]),
    4: lambda _t, v: TableInterpolated(v[::2], v[1::2]),
    5: lambda _t, v: TableStep(v[::2], v[1::2]),
    7: lambda t, v: ValueToText(v, t[: len(v)], t[len(v)]),
    8: lambda t, v: RangeToText(v[::2], v[1::2], t[: len(v) // 2], t[len(v) // 2]),
}


def from_parts(parts: CcParts) -> Conversion:
    """Rule that a CC block holds.

    Raises:
        MdfError: unknown type, or fewer texts or numbers than the type needs.
    """
    make = _FROM_PARTS.get(parts.cc_type)
    if make is None:
        raise MdfError(
            f"CC block: conversion type {parts.cc_type} is not one we write.",
            hint="Open the file with asammdf.",
        )
    try:
        return make(parts.texts, parts.values)
    except IndexError:
        raise MdfError(
            f"CC block: type {parts.cc_type} lacks texts or numbers.", hint="The file is damaged."
        ) from None


def prescaled(conversion: Conversion, scale: float) -> Conversion:
    """Rule for a stored number that is the raw value divided by ``scale``.

    Needed where a bit mask is applied without shifting the bits down.
    """
    if scale == 1:
        return conversion
    match conversion:
        case Identity():
            return Linear(0.0, scale)
        case Linear(offset, factor):
            return Linear(offset, factor * scale)
        case Rational(p1, p2, p3, p4, p5, p6):
            return Rational(p1 * scale**2, p2 * scale, p3, p4 * scale**2, p5 * scale, p6)
        case Algebraic(formula):
            return Algebraic(re.sub(r"\bX\b", f"(X*{scale:g})", formula))
        case RangeToText(lower, upper):
            return replace(
                conversion,
                lower=tuple(x / scale for x in lower),
                upper=tuple(x / scale for x in upper),
            )
        case _:
            return replace(conversion, keys=tuple(x / scale for x in conversion.keys))


def to_phys(conversion: Conversion, raw: NDArray[Any]) -> NDArray[Any]:
    """Physical values of raw ones, same shape: float64, or object with one ``str`` each.

    Raises:
        MdfError: a formula that cannot be evaluated.
    """
    return _TO_PHYS[type(conversion)](conversion, raw)


def _rational(rule: Rational, raw: NDArray[Any]) -> NDArray[Any]:
    x = raw.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        top = rule.p1 * x * x + rule.p2 * x + rule.p3
        return np.asarray(top / (rule.p4 * x * x + rule.p5 * x + rule.p6))


def _interpolated(rule: TableInterpolated, raw: NDArray[Any]) -> NDArray[Any]:
    if not rule.keys:
        return raw
    points = np.array(_pairs(rule))
    return np.asarray(np.interp(raw.astype(np.float64), points[::2], points[1::2]))


def _step(rule: TableStep, raw: NDArray[Any]) -> NDArray[Any]:
    if not rule.keys:
        return raw
    points = np.array(_pairs(rule))
    keys, values = points[::2], points[1::2]
    middles = (keys[1:] + keys[:-1]) / 2
    return np.asarray(values[np.searchsorted(middles, raw.astype(np.float64), side="left")])


def _texts(rule: ValueToText | RangeToText, raw: NDArray[Any], index: NDArray[Any]) -> NDArray[Any]:
    choices = np.array([rule.default, *rule.texts], dtype=object)
    found = np.asarray(choices[index + 1])
    if rule.default is None:
        unknown = index < 0
        found[unknown] = [str(value) for value in raw[unknown].tolist()]
    return found


def _value_to_text(rule: ValueToText, raw: NDArray[Any]) -> NDArray[Any]:
    if not rule.keys:
        return raw
    keys = np.array(rule.keys, dtype=np.float64)
    order = np.argsort(keys, kind="stable")
    x = raw.astype(np.float64)
    place = np.minimum(np.searchsorted(keys[order], x, side="left"), len(keys) - 1)
    return _texts(rule, raw, np.where(keys[order][place] == x, order[place], -1))


def _range_to_text(rule: RangeToText, raw: NDArray[Any]) -> NDArray[Any]:
    if not rule.lower:
        return raw
    x = raw.astype(np.float64)
    whole = raw.dtype.kind in "iub"
    index = np.full(x.shape, -1)
    for n in reversed(range(len(rule.texts))):
        lower, upper = rule.lower[n], rule.upper[n]
        inside = (x >= lower) & ((x <= upper) if whole or lower == upper else (x < upper))
        index[inside] = n
    return _texts(rule, raw, index)


_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.BitXor: np.power,
    ast.Mod: np.fmod,
}
_FUNCTIONS: Final[dict[str, tuple[int, Callable[..., Any]]]] = {
    "sin": (1, np.sin), "cos": (1, np.cos), "tan": (1, np.tan),
    "asin": (1, np.arcsin), "acos": (1, np.arccos), "atan": (1, np.arctan),
    "arcsin": (1, np.arcsin), "arccos": (1, np.arccos), "arctan": (1, np.arctan),
    "sinh": (1, np.sinh), "cosh": (1, np.cosh), "tanh": (1, np.tanh),
    "exp": (1, np.exp), "log": (1, np.log), "ln": (1, np.log), "log10": (1, np.log10),
    "sqrt": (1, np.sqrt), "abs": (1, np.abs), "pow": (2, np.power), "power": (2, np.power),
}  # fmt: skip


def _evaluate(node: ast.expr, x: NDArray[Any]) -> Any:
    match node:
        case ast.Name(id="X"):
            return x
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)
        case ast.BinOp(left, op, right) if type(op) in _BINARY:
            return _BINARY[type(op)](_evaluate(left, x), _evaluate(right, x))
        case ast.UnaryOp(ast.USub(), operand):
            return -_evaluate(operand, x)
        case ast.UnaryOp(ast.UAdd(), operand):
            return _evaluate(operand, x)
        case ast.Call(ast.Name(id=name), args, []) if name in _FUNCTIONS:
            count, function = _FUNCTIONS[name]
            if len(args) == count:
                return function(*(_evaluate(arg, x) for arg in args))
    raise ValueError(ast.unparse(node))


def _algebraic(rule: Algebraic, raw: NDArray[Any]) -> NDArray[Any]:
    x = raw.astype(np.float64)
    text = rule.formula.strip().replace("^", "**")
    if len(text) > MAX_FORMULA:
        raise MdfError(
            f"formula {text[:80]!r}: longer than {MAX_FORMULA} characters.",
            hint="Record the raw value.",
        )
    try:
        tree = ast.parse(text, mode="eval")
        with np.errstate(all="ignore"):
            return np.asarray(np.broadcast_to(_evaluate(tree.body, x), x.shape), dtype=np.float64)
    except (
        SyntaxError,
        ValueError,
        TypeError,
        OverflowError,
        RecursionError,
        MemoryError,
    ) as error:
        raise MdfError(
            f"formula {rule.formula[:80]!r}: cannot be evaluated ({error}).",
            hint="Use X, numbers, + - * / ^ and the usual functions.",
        ) from None


_TO_PHYS: Final[dict[type, Callable[[Any, NDArray[Any]], NDArray[Any]]]] = {
    Identity: lambda _r, raw: raw,
    Linear: lambda r, raw: r.offset + r.factor * raw.astype(np.float64),
    Rational: _rational,
    Algebraic: _algebraic,
    TableInterpolated: _interpolated,
    TableStep: _step,
    ValueToText: _value_to_text,
    RangeToText: _range_to_text,
}
