"""Blocks that a comment hides because the ``*/`` of a later comment ends it."""

import re
from collections.abc import Iterator
from typing import Final

from xcaliper.a2l.tokens import Finding
from xcaliper.core.diagnostics import Severity

__all__ = ["hidden_blocks"]

_TWO_STARTS: Final = re.compile(rb"/\*(?:[^*/]++|\*(?!/)|/(?!\*))*+/\*")
_PARTS: Final = re.compile(
    rb'"(?:[^"\\\n]++|\\[^\n]|"")*+"?+|//[^\n]*+|/begin\s++A2ML\b(?:[\s\S]*?/end\s++A2ML\b|[\s\S]*+)'
    rb"|(/\*(?:[^*]++|\*(?!/))*+\*/)"
)
_MARK: Final = re.compile(rb"(?:^|\n)[\t ]*+/(?:begin|end)\s++[A-Z]", re.IGNORECASE)


def hidden_blocks(text: bytes) -> Iterator[Finding]:
    """A finding for every block comment in which a ``/begin`` or ``/end`` leads a line and another ``/*`` follows.

    Args:
        text: the text, UTF-8.
    """
    if not any(_MARK.search(text, m.start(), m.end()) for m in _TWO_STARTS.finditer(text)):
        return
    closed = (
        text.rfind(b"*/") + 2
    )  # behind it no comment ends, and each would look for its end in vain
    for found in _PARTS.finditer(text, 0, closed):
        if found[1] is None:
            continue
        inner = text.rfind(b"/*", found.start() + 2, found.end())
        if inner > 0 and _MARK.search(text, found.start(), inner):
            yield Finding(
                found.start(),
                Severity.WARNING,
                "comment-nested",
                "Comment: another /* stands in it, behind block marks; what lies between was not read.",
                "Close it with */ before the blocks, or remove the inner /*.",
            )
