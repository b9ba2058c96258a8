"""How far a long work is: a callback that pure code calls and whoever started the work shows."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

__all__ = ["Progress", "counted"]

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""Takes what is counted, as ``bytes scanned``, how many are done and how many there are."""

_REPORTS: Final = 200
_FEW: Final = 1000


def counted(
    items: Iterable[T], what: str, total: int, progress: Progress | None, *, few: int = _FEW
) -> Iterator[T]:
    """The items; the callback is told about every 200th part of them, and of the last one.

    Args:
        items: what is worked on.
        what: its name, for people.
        total: how many there are.
        progress: the callback; None when nobody looks.
        few: below this total nothing is told.
    """
    if progress is None or total < few:
        yield from items
        return
    step = max(1, total // _REPORTS)
    for done, item in enumerate(items):
        if done % step == 0:
            progress(what, done, total)
        yield item
    progress(what, total, total)
