"""Text in XML."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["escape", "is_writable"]

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKUP: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_MARKUP_CHARS: Final = re.compile('[&<>"]')


def escape(text: str) -> str:
    """Text that may stand in XML: markup escaped, characters XML forbids replaced."""
    return _MARKUP_CHARS.sub(lambda m: _MARKUP[m[0]], _FORBIDDEN.sub("\ufffd", text))


def is_writable(text: str) -> bool:
    """True when XML can hold every character of the text (XML 1.0, Char)."""
    return _FORBIDDEN.search(text) is None
