"""Constants of Python source, token by token; nothing is executed."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any, Final

__all__ = ["Literals"]

MAX_DEPTH: Final = 16
MAX_STRING: Final = 1 << 20
_TOKEN: Final = re.compile(
    r"""(?:[ \t\r\n\f]++|\#[^\n]*+)*+(?:
      (?P<text>[bB]?(?:'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"))
    | (?P<number>[-+]?(?:0[xX][0-9A-Fa-f]{1,16}(?![\w.])|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])))
    | (?P<word>[A-Za-z_]\w*+)
    | (?P<mark>[\[\]{}():,=])
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_CONSTANTS: Final = {"None": None, "True": True, "False": False}
_CLOSING: Final = {"[": "]", "(": ")", "{": "}"}
_NUMBERS: Final = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


class Literals:
    """Constants of a source text, one after the other; nothing is executed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.kind = ""
        self.token = ""
        self.start = 0
        self._counted = (0, 1)

    def line(self) -> int:
        """Line of the current token; asked for with rising places."""
        at, line = self._counted
        line += self.text.count("\n", at, self.start)
        self._counted = (max(at, self.start), line)
        return line

    def step(self) -> None:
        """Go to the next token."""
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            blank = re.compile(r"(?:\s++|#[^\n]*+)*+").match(self.text, self.at)
            self.start = blank.end() if blank else self.at
            raise ValueError(f"{self.text[self.start : self.start + 20]!r} is no constant")
        self.kind = match.lastgroup or "end"
        self.token = match[self.kind]
        self.start = match.start(self.kind)
        self.at = match.end()

    def take(self, token: str) -> bool:
        """Step over a token when it is the current one."""
        if self.token != token or self.kind not in ("mark", "word"):
            return False
        self.step()
        return True

    def need(self, token: str) -> None:
        """Step over a token that has to be here.

        Raises:
            ValueError: another one is.
        """
        if not self.take(token):
            raise ValueError(f"{token!r} is missing before {self.token[:20]!r}")

    def target(self) -> str:
        """The name that a value is assigned to."""
        name = self.token
        if self.kind != "word":
            raise ValueError(f"{name[:20]!r} stands where a name is due")
        self.step()
        self.need("=")
        return name

    def value(self, depth: int = 0) -> Any:
        """The constant that starts here.

        Raises:
            ValueError: something else stands here.
        """
        if depth > MAX_DEPTH:
            raise ValueError("lists are nested too deeply")
        kind, token = self.kind, self.token
        if kind == "text":
            return self._text()
        if kind == "number":
            self.step()
            return _number(token)
        if kind == "word":
            return self._word()
        if kind == "mark" and token in _CLOSING:
            self.step()
            return self._items(_CLOSING[token], depth + 1)
        raise ValueError(f"{token[:20] or 'the end'!r} stands where a constant is due")

    def _text(self) -> str | bytes:
        parts = []
        while self.kind == "text":
            parts.append(_unquoted(self.token))
            self.step()
        if len(set(map(type, parts))) > 1:
            raise ValueError("texts and bytes stand side by side")
        return parts[0] if len(parts) == 1 else parts[0][:0].join(parts)  # type: ignore[arg-type]

    def _word(self) -> Any:
        word = self.token
        self.step()
        if word in _CONSTANTS:
            return _CONSTANTS[word]
        if word == "float":
            self.need("(")
            text = self._text() if self.kind == "text" else ""
            self.need(")")
            if text in _NUMBERS:
                return _NUMBERS[str(text)]
        raise ValueError(f"{word[:40]!r} is no constant")

    def _items(self, closing: str, depth: int) -> Any:
        if closing == "}":
            return self._pairs(depth)
        found: list[Any] = []
        while not self.take(closing):
            found.append(self.value(depth))
            if not self.take(","):
                self.need(closing)
                if closing == ")" and len(found) == 1:
                    return found[0]
                break
        return found

    def _pairs(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self.take("}"):
            key = self.value(depth)
            self.need(":")
            if not isinstance(key, str) or key in found:
                raise ValueError(f"key {str(key)[:40]!r} is no text, or stands twice")
            found[key] = self.value(depth)
            if not self.take(","):
                self.need("}")
                break
        return found


def _number(token: str) -> int | float:
    if token.lstrip("+-")[:2].lower() == "0x":
        return int(token, 16)
    if len(token) > 400:
        raise ValueError(f"{token[:20]}… has {len(token)} characters")
    return float(token) if set(token) & set(".eE") else int(token)


def _unquoted(token: str) -> str | bytes:
    if len(token) > MAX_STRING:
        raise ValueError(f"a text has {len(token)} characters")
    if "\\" not in token and token[0] not in "bB":
        return token[1:-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes that mean nothing
        try:
            found = ast.literal_eval(token)
        except (SyntaxError, ValueError):
            raise ValueError(f"{token[:40]} is no text") from None
    assert isinstance(found, str | bytes), "the token is one text"
    return found
