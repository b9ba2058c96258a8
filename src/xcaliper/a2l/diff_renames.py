"""Objects that went and came back under another name, told from their content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.write import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Renaming", "renamings"]

_ADDRESSES: Final = ("address", "ecu_address")


@dataclass(frozen=True, slots=True)
class Renaming:
    """Two objects that seem to be one under another name; only a suggestion.

    Attributes:
        keyword: kind of both.
        old: name of the one that went.
        new: name of the one that came.
        reason: what they have in common.
    """

    keyword: str
    old: str
    new: str
    reason: str

    def __str__(self) -> str:
        return f"? {self.keyword} {self.old} -> {self.new}: renamed? ({self.reason})"

    def as_dict(self) -> dict[str, str]:
        """The suggestion as plain values."""
        return {
            "keyword": self.keyword,
            "old": self.old,
            "new": self.new,
            "reason": self.reason,
        }


def renamings(gone: Iterable[Any], came: Iterable[Any]) -> Iterator[Renaming]:
    """Pairs of objects of one kind that only their name tells apart, or that lie at the same address.

    A content or address that several share suggests nothing.

    Args:
        gone: objects of the old description that the new one lacks, all of one kind.
        came: objects of the new one that the old one lacks.
    """
    left, more = [[one for one in side if getattr(one, "name", "")] for side in (gone, came)]
    for reason, key in (("equal but for the name", _content), ("same address", _address)):
        if not left or not more:
            return
        old, new = _unique(left, key), _unique(more, key)
        pairs = [(old[k], new[k]) for k in old if k in new]
        for one, other in pairs:
            yield Renaming(one.KEYWORD, one.name, other.name, reason)
        paired = {id(one) for pair in pairs for one in pair}
        left = [one for one in left if id(one) not in paired]
        more = [one for one in more if id(one) not in paired]


def _unique(objects: list[Any], key: Callable[[Any], Any]) -> dict[Any, Any]:
    """Objects by a key that no other one has."""
    found: dict[Any, list[Any]] = {}
    for one in objects:
        mine = key(one)
        if mine is not None:
            found.setdefault(mine, []).append(one)
    return {mine: same[0] for mine, same in found.items() if len(same) == 1}


def _content(made: Any) -> str | None:
    """Everything but the name."""
    from xcaliper.a2l.clone import clone

    copy = clone(made)
    copy.name = "_"
    return write(copy)


def _address(made: Any) -> tuple[int, int] | None:
    """Where it lies; nothing for objects that lie nowhere or at 0, where unlinked ones are."""
    address = next((a for attr in _ADDRESSES if (a := getattr(made, attr, None))), None)
    return None if address is None else (getattr(made, "ecu_address_extension", None) or 0, address)
