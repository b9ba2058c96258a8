"""Words of our CSV: its columns, and texts that a spreadsheet would take for something else."""

from __future__ import annotations

from typing import Final

from xcaliper.calib.formats.text_parts import (
    numbers_in,
)

__all__ = ["ALWAYS", "COLUMNS", "LETTERS", "bare", "guard", "needs_guard"]

ALWAYS: Final = ("name", "index", "axis", "value", "unit", "comment")
COLUMNS: Final = (
    *ALWAYS,
    "kind",
    "ref",
    "quantity",
    "variant",
    "function",
    "display",
    "raw",
)
"""Columns; those behind ``comment`` are written only where a set has something for them."""

LETTERS: Final = "xyz45"
"""Letters of the axes, X first."""


def _is_number(text: str) -> bool:
    try:
        numbers_in([text])
    except ValueError as error:
        return "is no number" not in str(error)
    return True


def needs_guard(text: str) -> bool:
    """True for a text that a spreadsheet, or this reader, would take for a number or a formula."""
    if text[:1] == "'":
        return needs_guard(text[1:])
    formula = len(text) > 1 and text[0] in "=+-@"
    return formula or not text or _is_number(text) or text != text.strip()


def guard(text: str) -> str:
    """The text with an apostrophe in front where it needs one."""
    return f"'{text}" if needs_guard(text) else text


def bare(text: str) -> str:
    """The text of a cell without the apostrophe that guards it."""
    return text[1:] if text[:1] == "'" and needs_guard(text[1:]) else text.strip()
