"""Objects of one keyword that are read when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from xcaliper.a2l.grammar import Keyword

__all__ = ["Objects"]


class Objects(MutableSequence[Any]):
    """A list whose items are read on access.

    A block that turns out to be unreadable drops out when it is met, as it would from a list that was read at once.

    Args:
        items: objects, or numbers that ``read`` knows.
        read: the object of a number, the same one each time; None when it cannot be read.
        names: the names of some numbers, without reading the objects.
        mentions: which numbers have a word anywhere in their text.
        find: the numbers of a name, in order; None where that takes all names.
    """

    __slots__ = ("_find", "_holes", "_items", "_mentions", "_names", "_read")

    def __init__(
        self,
        items: Iterable[int | Keyword],
        read: Callable[[int], Any],
        names: Callable[[list[int]], list[str]],
        mentions: Callable[[str], set[int]],
        find: Callable[[str], list[int] | None] | None = None,
    ) -> None:
        self._items: list[Any] = list(items)
        self._read = read
        self._names = names
        self._mentions = mentions
        self._find = find  # until an item is exchanged, read or moved
        self._holes = 0

    def _get(self, at: int) -> Any:
        """The item at a position; None where there is a hole now."""
        item = self._items[at]
        if type(item) is int:
            self._find = None
            item = self._items[at] = self._read(item)
            self._holes += item is None
        return item

    def _close(self) -> None:
        """Remove the holes."""
        if self._holes:
            self._items = [item for item in self._items if item is not None]
            self._holes = 0

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        self._close()
        if isinstance(index, slice):
            return [
                made for at in range(*index.indices(len(self._items))) if (made := self._get(at))
            ]
        made = self._get(index)
        while made is None:
            self._close()
            made = self._get(index)
        return made

    def __iter__(self) -> Iterator[Any]:
        at = 0
        while at < len(self._items):
            made = self._get(at)
            at += 1
            if made is not None:
                yield made

    def __len__(self) -> int:
        return len(self._items) - self._holes

    def __setitem__(self, index: Any, value: Any) -> None:
        self._close()
        self._find = None
        self._items[index] = value

    def __delitem__(self, index: int | slice) -> None:
        self._close()
        self._find = None
        del self._items[index]

    def insert(self, index: int, value: Any) -> None:
        """Put an object before a position."""
        self._close()
        self._find = None
        self._items.insert(index, value)

    def loaded(self) -> list[Any]:
        """All objects as a plain list."""
        return list(self)

    def names(self) -> list[str]:
        """Names of all objects, without reading them."""
        self._close()
        numbers = [item for item in self._items if type(item) is int]
        names = self._names(numbers)
        if len(numbers) == len(self._items):
            return names
        unread = iter(names)
        return [next(unread) if type(item) is int else item.name for item in self._items]

    def find(self, name: str) -> list[int] | None:
        """What ``read`` knows the objects of a name by, in order; None where only ``names`` can tell."""
        return None if self._find is None else self._find(name)

    def mentioning(self, word: str) -> Iterator[Any]:
        """Objects that may contain a word: all that were read already, of the others those whose text has it."""
        self._close()
        numbers = self._mentions(word)
        for item in list(self._items):
            if type(item) is not int:
                yield item
            elif item in numbers and (made := self._read(item)) is not None:
                yield made

    def items(self) -> list[Any]:
        """Objects, or numbers for ``read`` where they are not read yet; in the order of ``names``."""
        self._close()
        return list(self._items)

    def read(self, item: Any) -> Any:
        """The object that one of ``items`` stands for."""
        return self._read(item) if type(item) is int else item

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, Objects)):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Iterable[Any]) -> list[Any]:
        return [*self, *other]

    def __radd__(self, other: Iterable[Any]) -> list[Any]:
        return [*other, *self]

    def __repr__(self) -> str:
        return f"<{len(self)} objects>"

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (self.loaded(),)
