"""Whole blocks of DCM that stand there plainly, read at once (DCM, KONSERVIERUNG_FORMAT 2.0).

Nearly every block is a head, lines that describe, lines of finite numbers of the announced count, and END. One
pattern finds all of it. Whatever else stands in a block makes it one to be read line by line, which takes
longer and tells what is wrong.
"""

from __future__ import annotations

import re
from math import isfinite, prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.formats.dcm_block import INFO, BlockFacts, entry_with
from xcaliper.calib.formats.dcm_words import BLOCKS, sizes_in
from xcaliper.calib.formats.text_parts import MAX_DIGITS
from xcaliper.calib.paramset import EntryKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.calib.formats.dcm_lines import Lines
    from xcaliper.calib.paramset import Entry

__all__ = ["plain_block"]

_WORDS: Final = [word for word, form in BLOCKS.items() if form.kind != EntryKind.ASCII]
_ROW: Final = r"[ \t]*+{}[ \t]++[-+0-9.eE \t]++\n"
_TEXT: Final = r'(?:[ \t]*+{}[ \t]++"([^"\\\n]*+)"[ \t]*+\n)?+'
_UNITS: Final = ("EINHEIT_X", "EINHEIT_Y", "EINHEIT_W")
_BLOCK: Final = re.compile(
    r"(?:[ \t]*+(?:[*!.][^\n]*+)?\n)*+"
    rf"[ \t]*+({'|'.join(_WORDS)})[ \t]++(\S++)[ \t]*+([0-9@ \t]*+)\n"
    rf"{_TEXT.format('LANGNAME')}(?:[ \t]*+FUNKTION[ \t]++([^\s\"]++)[ \t]*+\n)?+"
    rf"{''.join(map(_TEXT.format, _UNITS))}"
    rf"((?:[ \t]*+(?:(?:{'|'.join(sorted(INFO))}|FUNKTION|VAR)[ \t]|\*)[^\n]*+\n)*+)"
    rf"((?:{_ROW.format('ST/X')})*+)"
    rf"((?:(?:[ \t]*+ST/Y[ \t]++[-+0-9.eE]++[ \t]*+\n)?+{_ROW.format('WERT')})*+)"
    r"[ \t]*+END[ \t]*+\n"
)
_FACT: Final = re.compile(r"^[ \t]*+([A-Z_]++)[ \t]++([^\n]*+)", re.MULTILINE)
_AXIS_OF: Final = re.compile(r"^[ \t]*+\*[ \t]*+SST([XY]?)\b[ \t]*+([^\n]*+)", re.MULTILINE)


def plain_block(lines: Lines) -> tuple[BlockFacts, Entry] | None:
    """The block that is next, and its entry; None, and nothing has happened, where it is not plain.

    Comments and empty lines in front of it are passed over.
    """
    match = lines.match(_BLOCK)
    if match is None:
        return None
    keyword, name, words, *facts, x, rows = match.groups()
    form, make = _PLAIN[keyword]
    sizes = sizes_in(words, form)
    if sizes is None:
        return None
    block = BlockFacts(form, name, sizes, lines.line_of(match.start(1)))
    try:
        _take_facts(block, *facts)
        entry = make(block, x.replace("ST/X", " ").split(), rows.replace("WERT", " ").split())
    except (ValueError, OverflowError):
        return None
    if entry is None:
        return None
    lines.skip(match)
    return block, entry


def _take_facts(
    block: BlockFacts, long_name: str | None, function: str | None, *units_and_rest: str | None
) -> None:
    """Take over all lines that describe: the usual ones in their usual order, then whatever follows.

    Raises:
        ValueError: what stands behind a keyword is wrong.
    """
    *units, rest = units_and_rest
    if long_name is not None:
        block.info["LANGNAME"] = long_name
    if function is not None:
        block.functions = (function,)
    for word, text in zip(_UNITS, units, strict=True):
        if text is not None:
            block.info[word] = text
    if not rest:
        return
    for word, behind in _FACT.findall(rest):
        block.take(word, behind.strip())
    found = _AXIS_OF.findall(rest)
    block.refs.update((letter or "X", ref.strip()) for letter, ref in found)


def _scalar(block: BlockFacts, x: list[str], words: list[str]) -> Entry | None:
    return entry_with(block, _number(words[0]), ()) if not x and len(words) == 1 else None


def _list(block: BlockFacts, x: list[str], words: list[str]) -> Entry | None:
    """Entry of a block of one or two dimensions."""
    if x or len(words) != prod(block.sizes):
        return None
    return entry_with(block, _array(words).reshape(block.sizes[::-1]), ())


def _curve(block: BlockFacts, x: list[str], words: list[str]) -> Entry | None:
    count = block.sizes[0]
    if not len(x) == len(words) == count:
        return None
    return entry_with(block, _array(words), (_array(x),))


def _points(block: BlockFacts, x: list[str], words: list[str]) -> Entry | None:
    """Entry of a distribution."""
    return entry_with(block, _array(x), ()) if len(x) == block.sizes[0] and not words else None


def _map(block: BlockFacts, x: list[str], words: list[str]) -> Entry | None:
    """Entry of a map by its points of X and its rows ``ST/Y point value...``."""
    columns, rows = block.sizes
    width = columns + 2
    if len(x) != columns or len(words) != width * rows or words[::width] != ["ST/Y"] * rows:
        return None
    del words[::width]
    y = words[:: columns + 1]
    del words[:: columns + 1]
    return entry_with(block, _array(words).reshape(rows, columns), (_array(x), _array(y)))


def _number(word: str) -> int | float:
    """Number of a word that is made of digits, signs, points and E only.

    Raises:
        ValueError: it is none, or not finite, or has too many digits.
    """
    if len(word) > MAX_DIGITS:
        raise ValueError("it has too many digits")
    if "." not in word and "e" not in word and "E" not in word:
        return int(word)
    number = float(word)
    if not isfinite(number):
        raise ValueError("it is not finite")
    return number


def _array(words: list[str]) -> NDArray[Any]:
    """Numbers of such words: int64, or float64 where one of them is not whole.

    Raises:
        ValueError: one is no number, or not finite.
        OverflowError: one needs more than 64 bits.
    """
    if "." not in words[0]:
        try:
            return np.array(list(map(int, words)), np.int64)
        except ValueError:
            pass
    numbers = list(map(float, words))
    if not isfinite(sum(numbers)):
        raise ValueError("one is not finite, or they are so large that their sum is not")
    return np.array(numbers)


_MAKERS: Final = {
    EntryKind.VALUE: _scalar,
    EntryKind.VAL_BLK: _list,
    EntryKind.CURVE: _curve,
    EntryKind.MAP: _map,
    EntryKind.AXIS_PTS: _points,
}
_PLAIN: Final = {word: (BLOCKS[word], _MAKERS[BLOCKS[word].kind]) for word in _WORDS}
