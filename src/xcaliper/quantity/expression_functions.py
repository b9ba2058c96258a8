"""Operators and functions of expressions: arrays whose first axis is the time."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.quantity.formula import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Function = Callable[..., Any]

__all__ = [
    "BINARY",
    "BOOLEAN",
    "COMPARISONS",
    "CONSTANTS",
    "ELEMENTWISE",
    "MAX_ELEMENTS",
    "REDUCTIONS",
    "UNARY",
]

MAX_ELEMENTS: Final = 1 << 16
"""Elements of one sample of any array in an expression."""

CONSTANTS: Final = {"pi": np.pi, "inf": np.inf, "nan": np.nan}


def _aligned(values: tuple[Any, ...]) -> list[NDArray[Any]]:
    """Arrays with the axes of one sample on the right, as numpy compares shapes.

    Raises:
        ValueError: the result would be too large, or shapes do not fit.
    """
    arrays = _agreed([np.asarray(value) for value in values])
    depth = max(array.ndim for array in arrays)
    shaped = [
        a.reshape(a.shape[0], *(1,) * (depth - a.ndim), *a.shape[1:]) if 0 < a.ndim < depth else a
        for a in arrays
    ]
    if depth > 1:
        size = 1
        for length in np.broadcast_shapes(*(a.shape[1:] for a in shaped)):
            size *= length
        if size > MAX_ELEMENTS:
            raise ValueError(f"{size} elements per sample, at most {MAX_ELEMENTS} are computed")
    return shaped


def _agreed(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Whole constants beside unsigned signals of 64 bits are unsigned too, as numpy takes them.

    As signed ones they would make floating-point numbers of them, which lose the lowest bits.
    """
    if not any(array.dtype == np.uint64 and array.ndim for array in arrays):
        return arrays
    return [
        array.astype(np.uint64)
        if array.dtype == np.int64 and not array.ndim and array >= 0
        else array
        for array in arrays
    ]


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.int64) if array.dtype.kind == "b" else array


def _logical(function: Function) -> Function:
    return lambda *values: function(*_aligned(values))


def _numeric(function: Function) -> Function:
    """Conditions count as 0 and 1."""
    return lambda *values: function(*(_plain(array) for array in _aligned(values)))


def _floating(function: Function) -> Function:
    return lambda *values: function(*(array.astype(float) for array in _aligned(values)))


def _power(base: NDArray[Any], exponent: NDArray[Any]) -> NDArray[Any]:
    whole = base.dtype.kind in "iu" and exponent.dtype.kind in "iu" and exponent.ndim == 0
    if whole and 0 <= int(exponent) < 64:
        return np.asarray(np.power(base, exponent))
    return np.asarray(np.float_power(base, exponent))


def _shift(function: Function) -> Function:
    """Shifts beyond the word give 0, or -1 for what is negative, as in Python."""

    def shifted(values: NDArray[Any], by: NDArray[Any]) -> NDArray[Any]:
        if by.dtype.kind not in "iu" or values.dtype.kind not in "iu":
            raise TypeError("ufunc")
        word = np.uint64 if values.dtype == np.uint64 else np.int64
        result = function(values.astype(word), np.clip(by, 0, 63).astype(word))
        negative = (values < 0) & (function is np.right_shift)
        gone = np.where(negative, -1, 0).astype(word)  # none of an unsigned word is negative
        return np.where(by > 63, gone, result)

    return shifted


def _least(*values: NDArray[Any]) -> NDArray[Any]:
    result = values[0]
    for value in values[1:]:
        result = np.minimum(result, value)
    return result


def _most(*values: NDArray[Any]) -> NDArray[Any]:
    result = values[0]
    for value in values[1:]:
        result = np.maximum(result, value)
    return result


def _where(condition: NDArray[Any], yes: NDArray[Any], no: NDArray[Any]) -> NDArray[Any]:
    return np.where(condition != 0, yes, no)


def _over_elements(function: Function) -> Function:
    def reduced(values: Any) -> NDArray[Any]:
        array = _plain(np.asarray(values))
        if array.ndim < 2:
            return array
        return np.asarray(function(array, axis=tuple(range(1, array.ndim))))

    return reduced


BINARY: Final[dict[type[ast.operator], Function]] = {
    ast.Add: _numeric(np.add),
    ast.Sub: _numeric(np.subtract),
    ast.Mult: _numeric(np.multiply),
    ast.Div: _numeric(np.true_divide),
    ast.FloorDiv: _numeric(np.floor_divide),
    ast.Mod: _numeric(np.mod),
    ast.Pow: _numeric(_power),
    ast.BitAnd: _logical(np.bitwise_and),
    ast.BitOr: _logical(np.bitwise_or),
    ast.BitXor: _logical(np.bitwise_xor),
    ast.LShift: _numeric(_shift(np.left_shift)),
    ast.RShift: _numeric(_shift(np.right_shift)),
}
UNARY: Final[dict[type[ast.unaryop], Function]] = {
    ast.UAdd: _numeric(np.positive),
    ast.USub: _numeric(np.negative),
    ast.Not: _logical(np.logical_not),
    ast.Invert: _logical(np.invert),
}
BOOLEAN: Final[dict[type[ast.boolop], Function]] = {
    ast.And: _logical(np.logical_and),
    ast.Or: _logical(np.logical_or),
}
COMPARISONS: Final[dict[type[ast.cmpop], Function]] = {
    ast.Eq: _logical(np.equal),
    ast.NotEq: _logical(np.not_equal),
    ast.Lt: _logical(np.less),
    ast.LtE: _logical(np.less_equal),
    ast.Gt: _logical(np.greater),
    ast.GtE: _logical(np.greater_equal),
}
ELEMENTWISE: Final[dict[str, tuple[int, int, Function]]] = {
    **{name: (n, n, _floating(f)) for name, (n, f) in FUNCTIONS.items()},
    "abs": (1, 1, _numeric(np.abs)),
    "pow": (2, 2, _numeric(_power)),
    "atan2": (2, 2, _floating(np.arctan2)),
    "hypot": (2, 2, _floating(np.hypot)),
    "degrees": (1, 1, _floating(np.degrees)),
    "radians": (1, 1, _floating(np.radians)),
    "log2": (1, 1, _floating(np.log2)),
    "floor": (1, 1, _floating(np.floor)),
    "ceil": (1, 1, _floating(np.ceil)),
    "round": (1, 1, _floating(np.rint)),
    "trunc": (1, 1, _floating(np.trunc)),
    "sign": (1, 1, _numeric(np.sign)),
    "isnan": (1, 1, _floating(np.isnan)),
    "isfinite": (1, 1, _floating(np.isfinite)),
    "clip": (3, 3, _numeric(lambda x, low, high: np.minimum(np.maximum(x, low), high))),
    "where": (3, 3, _logical(_where)),
    "min": (2, 8, _numeric(_least)),
    "max": (2, 8, _numeric(_most)),
}
"""Name → least and most arguments, and the function."""

REDUCTIONS: Final[dict[str, Function]] = {
    "sum": _over_elements(np.sum),
    "mean": _over_elements(np.mean),
    "min": _over_elements(np.min),
    "max": _over_elements(np.max),
    "any": _over_elements(np.any),
    "all": _over_elements(np.all),
}
"""Functions over the elements of each sample, by name."""
