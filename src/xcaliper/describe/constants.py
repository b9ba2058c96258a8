"""Whole numbers that a C header spells: literals, ``#define`` names and arithmetic of both."""

from __future__ import annotations

import ast
import operator
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Constants"]

_DEFINE: Final = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+([^\n]{1,200})$", re.MULTILINE)
_COMMENT: Final = re.compile(r"/\*.*?\*/|/[/*].*")
_SUFFIX: Final = re.compile(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b")
_MAX_LENGTH: Final = 200
_MAX_DEPTH: Final = 16
_LARGEST: Final = 1 << 31
_BINARY: Final[dict[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.floordiv,
    ast.Mod: operator.mod,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}


class Constants:
    """The constants of a header.

    Args:
        text: the header.
    """

    def __init__(self, text: str) -> None:
        self._texts = {
            match[1]: _COMMENT.sub("", match[2]).strip() for match in _DEFINE.finditer(text)
        }

    def number(self, text: str) -> int:
        """Value of an expression, such as the size of an array; 0 when it cannot be told or is no size."""
        try:
            value = self._text(text, 0)
        except (ArithmeticError, LookupError, MemoryError, RecursionError, SyntaxError, ValueError):
            return 0
        return value if 0 < value <= _LARGEST else 0

    def _text(self, text: str, depth: int) -> int:
        if len(text) > _MAX_LENGTH or depth > _MAX_DEPTH:
            raise ValueError(text)
        return self._node(ast.parse(_SUFFIX.sub(r"\1", text.strip()), mode="eval").body, depth)

    def _node(self, node: ast.expr, depth: int) -> int:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            value = node.value
        elif isinstance(node, ast.Name):
            value = self._text(self._texts[node.id], depth + 1)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = -self._node(node.operand, depth)
        elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            left, right = self._node(node.left, depth), self._node(node.right, depth)
            if isinstance(node.op, (ast.LShift, ast.RShift)) and not 0 <= right < 32:
                raise ValueError(right)
            value = _BINARY[type(node.op)](left, right)
        else:
            raise ValueError(ast.dump(node)[:_MAX_LENGTH])
        if abs(value) > _LARGEST:
            raise ValueError(value)
        return value
