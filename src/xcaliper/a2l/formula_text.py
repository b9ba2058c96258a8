"""Formulas from the syntax up to 1.5 to that from 1.6 on, and back (ASAP2, FORMULA).

Up to 1.5 ``& | ~ XOR`` are logical, ``^`` is power and the inverse functions are called arcsin, arccos, arctan. From 1.6
on ``&& || !`` are logical, ``& | ^ ~ << >>`` work on bits, power is ``pow(a, b)``, and the names are asin, acos, atan.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["FORMULA_TOKEN", "translated"]

FORMULA_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][\w.\[\]]*)"
    r"|(?P<op>\|\||&&|==|!=|<>|<=|>=|<<|>>|[-+*/%&|^~!<>=(),]))"
)
"""One token of a formula: group ``number``, ``name`` or ``op``."""
_MAX_TOKENS: Final = 20_000
_MAX_DEPTH: Final = 60
_SHARED: Final = {
    **dict.fromkeys(("==", "=", "!=", "<>"), 6),
    **dict.fromkeys(("<", ">", "<=", ">="), 7),
    **dict.fromkeys(("<<", ">>"), 8),
    **dict.fromkeys(("+", "-"), 9),
    **dict.fromkeys(("*", "/", "%"), 10),
}
_UNARY: Final = 11
_POWER: Final = 12
_ATOM: Final = 13
_NEW: Final = {**_SHARED, "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5}
_OLD: Final = {**_SHARED, "||": 1, "|": 1, "XOR": 2, "&&": 3, "&": 3, "^": _POWER}
_NAMES: Final = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}
_OLD_NAMES: Final = {new: old for old, new in _NAMES.items()}
_LOGICAL: Final = {"|": "||", "||": "||", "&": "&&", "&&": "&&"}
_BITS: Final = frozenset({"|", "&", "^", "<<", ">>"})


class _Part(NamedTuple):
    """A piece of the new text and how tightly it binds."""

    text: str
    level: int


class _NoWayError(Exception):
    """It cannot be read, or the other syntax cannot say it; private control flow."""


def translated(text: str, *, upward: bool) -> str | None:
    """The same formula in the other syntax; as it is where both agree.

    Args:
        text: the formula.
        upward: from the syntax up to 1.5 to that from 1.6 on; else back.

    Returns:
        The formula; None when it cannot be read, or works on bits, which 1.5 cannot say.
    """
    translator = _Translator(text, upward=upward)
    try:
        made = translator.all()
    except _NoWayError:
        return None
    return made if translator.changed else text


class _Translator:
    """Precedence climbing; every part comes back in the other syntax."""

    def __init__(self, text: str, *, upward: bool) -> None:
        self.text = text
        self.upward = upward
        self.operators = _OLD if upward else _NEW
        self.levels = _NEW if upward else _OLD
        self.changed = False
        self.tokens: list[str] = []
        self.at = 0
        self.depth = 0

    def all(self) -> str:
        place, stripped = 0, self.text.rstrip()
        while place < len(stripped):
            match = FORMULA_TOKEN.match(stripped, place)
            if match is None or len(self.tokens) >= _MAX_TOKENS:
                raise _NoWayError
            self.tokens.append(match[match.lastgroup or 0])
            place = match.end()
        part = self.binary(0)
        if self.peek():
            raise _NoWayError
        return part.text

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        found = self.peek()
        if not found or (expected and found != expected):
            raise _NoWayError
        self.at += 1
        return found

    def binary(self, level: int) -> _Part:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise _NoWayError
        left = self.unary()
        while True:
            word = self.peek() if self.peek() in self.operators else self.peek().upper()
            mine = self.operators.get(word)
            if mine is None or mine < level:
                self.depth -= 1
                return left
            self.at += 1
            right = self.binary(mine if mine == _POWER else mine + 1)
            left = self.up(word, left, right) if self.upward else self.down(word, left, right)

    def up(self, word: str, left: _Part, right: _Part) -> _Part:
        """A binary operation in the new syntax."""
        if word == "^":
            self.changed = True
            return _Part(f"pow({left.text}, {right.text})", _ATOM)
        if word == "XOR":
            self.changed = True
            sides = [f"!{_in(side, _UNARY)}" for side in (left, right)]
            return _Part(f"({sides[0]}) != ({sides[1]})", _NEW["!="])
        return self.joined(_LOGICAL.get(word, word), word, left, right)

    def down(self, word: str, left: _Part, right: _Part) -> _Part:
        """A binary operation in the old syntax."""
        if word in _BITS:
            raise _NoWayError
        return self.joined({"||": "|", "&&": "&"}.get(word, word), word, left, right)

    def joined(self, new: str, old: str, left: _Part, right: _Part) -> _Part:
        self.changed = self.changed or new != old
        level = self.levels[new]
        return _Part(f"{_in(left, level)} {new} {_in(right, level + 1)}", level)

    def unary(self) -> _Part:
        sign = self.peek()
        if sign not in ("+", "-", "!", "~"):
            return self.primary()
        self.take()
        part = self.binary(_UNARY)
        if sign == "~" and not self.upward:
            raise _NoWayError
        new = {"~": "!"}.get(sign, sign) if self.upward else {"!": "~"}.get(sign, sign)
        self.changed = self.changed or new != sign
        return _Part(f"{new}{_in(part, _UNARY)}", _UNARY)

    def primary(self) -> _Part:
        word = self.take()
        if word == "(":
            part = self.binary(0)
            self.take(")")
            return _Part(f"({part.text})", _ATOM)
        if self.peek() != "(" or not (word[0].isalpha() or word[0] == "_"):
            if not (word[0].isalnum() or word[0] in "_."):
                raise _NoWayError
            return _Part(word, _ATOM)
        return self.call(word)

    def call(self, name: str) -> _Part:
        self.take("(")
        if name.lower() == "sysc":
            constant = self.take()
            self.take(")")
            return _Part(f"{name}({constant})", _ATOM)
        given = [self.binary(0)]
        while self.peek() == ",":
            self.take()
            given.append(self.binary(0))
        self.take(")")
        if not self.upward and name.lower() == "pow" and len(given) == 2:
            self.changed = True
            return _Part(f"{_in(given[0], _ATOM)} ^ {_in(given[1], _POWER)}", _POWER)
        new = (_NAMES if self.upward else _OLD_NAMES).get(name.lower(), name)
        self.changed = self.changed or new != name
        return _Part(f"{new}({', '.join(part.text for part in given)})", _ATOM)


def _in(part: _Part, level: int) -> str:
    """The text of an operand, in parentheses where it binds less tightly."""
    return part.text if part.level >= level else f"({part.text})"
