"""Words of DCM 2.0: blocks, and how texts are quoted (DCM, KONSERVIERUNG_FORMAT 2.0)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from xcaliper.calib.paramset import AxisKind, EntryKind

__all__ = ["BLOCKS", "BlockForm", "bare_or_quoted", "quote", "strings_in", "words_in"]


@dataclass(frozen=True, slots=True)
class BlockForm:
    """One kind of block.

    Attributes:
        kind: what its parameter is.
        sizes: smallest and largest number of sizes behind its name.
        axis: where the points of its axes are; None without axes.
    """

    kind: EntryKind
    sizes: tuple[int, int]
    axis: AxisKind | None = None


BLOCKS: Final = {
    "FESTWERT": BlockForm(EntryKind.VALUE, (0, 0)),
    "FESTWERTEBLOCK": BlockForm(EntryKind.VAL_BLK, (1, 2)),
    "KENNLINIE": BlockForm(EntryKind.CURVE, (1, 1), AxisKind.STD),
    "FESTKENNLINIE": BlockForm(EntryKind.CURVE, (1, 1), AxisKind.FIX),
    "GRUPPENKENNLINIE": BlockForm(EntryKind.CURVE, (1, 1), AxisKind.COM),
    "KENNFELD": BlockForm(EntryKind.MAP, (2, 2), AxisKind.STD),
    "FESTKENNFELD": BlockForm(EntryKind.MAP, (2, 2), AxisKind.FIX),
    "GRUPPENKENNFELD": BlockForm(EntryKind.MAP, (2, 2), AxisKind.COM),
    "STUETZSTELLENVERTEILUNG": BlockForm(EntryKind.AXIS_PTS, (1, 1)),
    "TEXTSTRING": BlockForm(EntryKind.ASCII, (0, 0)),
}
"""Keyword that opens a block → what is in it."""

_STRING: Final = re.compile(r'\s*"((?:[^"\\]|\\.)*)"')
_SIMPLE: Final = re.compile(r'\s*"([^"]*)"\s*')
_SLASHES: Final = re.compile(r'(?<!\\)(\\++)(?="|\Z)')
_QUOTES: Final = re.compile(r'(?<!\\)(\\*+)("|\Z)')
_WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"|\Z)|([^\s"]++)')
_NAME: Final = re.compile(r"[A-Za-z_][\w.\[\]]*")


def quote(text: str) -> str:
    r"""A text in quotes; a quote inside is ``\"``, and backslashes double in front of quotes only."""
    inner = _QUOTES.sub(lambda m: m[1] * 2 + ('\\"' if m[2] else ""), text)
    return f'"{inner}"'


def bare_or_quoted(text: str) -> str:
    """A name as it is, any other text in quotes."""
    return text if _NAME.fullmatch(text) else quote(text)


def _unquote(inner: str) -> str:
    if "\\" not in inner:
        return inner
    return _SLASHES.sub(lambda m: "\\" * (len(m[1]) // 2), inner)


def strings_in(rest: str) -> list[str]:
    """Texts in quotes of the rest of a line.

    Raises:
        ValueError: something else stands there.
    """
    if (simple := _SIMPLE.fullmatch(rest)) and "\\" not in simple[1]:
        return [simple[1]]
    found: list[str] = []
    at = 0
    while at < len(rest):
        match = _STRING.match(rest, at)
        if match is None:
            if not found and simple:
                return [simple[1]]  # written by who does not know of backslashes
            if rest[at:].strip():
                raise ValueError(f"{rest[at:].strip()[:60]} is no text in quotes")
            break
        found.append(_unquote(match[1]))
        at = match.end()
    return found


def words_in(rest: str) -> list[str]:
    """Words of the rest of a line; texts in quotes without their quotes."""
    if '"' not in rest:
        return rest.split()
    if rest[0] == '"' and "\\" not in rest and rest.find('"', 1) == len(rest) - 1:
        return [rest[1:-1]]
    return [bare or _unquote(inner) for inner, bare in _WORD.findall(rest)]
