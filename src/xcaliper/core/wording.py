"""Numbers with their words."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: int, one: str, many: str = "") -> str:
    """A number and its word, ``1 signal`` or ``2 signals``."""
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"
