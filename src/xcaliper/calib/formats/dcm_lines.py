"""Lines of a DCM file, one after the other (DCM, KONSERVIERUNG_FORMAT 2.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import re

__all__ = ["COMMENT", "Lines", "split_word"]

COMMENT: Final = "*!."
"""A line that begins with one of them is a comment."""


def split_word(line: str) -> tuple[str, str]:
    """First word and the rest of a line that is not empty."""
    parts = line.split(None, 1)
    return parts[0], parts[1] if len(parts) > 1 else ""


class Lines:
    """Lines of a text without blanks around them.

    Args:
        text: any ends of lines: CR LF, LF or CR.

    Attributes:
        at: number of the line given last; the first one is 1.
    """

    def __init__(self, text: str) -> None:
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        self._text = text + "\n"
        self._begin = self._end = 0
        self.at = 0

    def next(self) -> str | None:
        """The next line, None at the end of the text."""
        begin = self._end
        if begin >= len(self._text):
            return None
        end = self._text.index("\n", begin)
        self._begin, self._end = begin, end + 1
        self.at += 1
        return self._text[begin:end].strip()

    def next_that_counts(self) -> str | None:
        """The next line that is neither empty nor a comment, None at the end of the text."""
        while (line := self.next()) is not None:
            if line and line[0] not in COMMENT:
                return line
        return None

    def back(self) -> None:
        """Give the line given last once more; right behind ``next`` only."""
        self._end = self._begin
        self.at -= 1

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What a pattern finds at the beginning of the next line."""
        return pattern.match(self._text, self._end)

    def line_of(self, place: int) -> int:
        """Number of the line that a place of a match is in."""
        return self.at + self._text.count("\n", self._end, place) + 1

    def skip(self, match: re.Match[str]) -> None:
        """Go on behind a match, which ends with a line."""
        end = match.end()
        self.at += self._text.count("\n", self._end, end)
        self._end = end
