"""Changes of a typed view, carried over to the IF_DATA it was read from: order, spelling and strangers stay."""

from collections import Counter
from difflib import SequenceMatcher
from typing import Final

from xcaliper.a2l.ifdata import IfBlock, IfData, IfItem, Quoted, number_of

__all__ = ["amend"]

#: Blocks that are told apart by one of their items: its position.
_NUMBERED: Final = {"EVENT": 2, "PAGE": 0, "DAQ_LIST": 0, "SEGMENT": 0, "CLOCK": 0}

_Key = tuple[object, ...]


def amend(data: IfData, before: IfData, after: IfData) -> None:
    """Change a block as much as two views of it differ.

    Args:
        data: the block as it stands in the file; changed in place.
        before: what a writer makes of the view that was read from it.
        after: what the writer makes of the view as it shall be.
    """
    _items(data.items, before.items, after.items)


def _key(item: IfItem) -> _Key:
    """What makes two items the same one: the number, the word, the text or the block."""
    if isinstance(item, IfBlock):
        at = _NUMBERED.get(item.tag)
        word = item.items[at] if at is not None and at < len(item.items) else ""
        return "block", item.tag, number_of(word) if isinstance(word, str) else None
    number = None if isinstance(item, Quoted) else number_of(item)
    if number is not None:
        return "number", number
    return "text" if isinstance(item, Quoted) else "word", str(item)


def _matcher(old: list[IfItem], new: list[IfItem]) -> SequenceMatcher[_Key]:
    return SequenceMatcher(None, [*map(_key, old)], [*map(_key, new)], autojunk=False)


def _items(held: list[IfItem], before: list[IfItem], after: list[IfItem]) -> None:
    if before == after:
        return
    place = _places(before, held)
    gone: set[int] = set()
    added: dict[int, list[IfItem]] = {}
    for kind, b0, b1, a0, a1 in _matcher(before, after).get_opcodes():
        if kind == "equal":
            for b, a in zip(range(b0, b1), range(a0, a1), strict=True):
                old, inner, new = held[place[b]] if b in place else None, before[b], after[a]
                if isinstance(old, IfBlock) and isinstance(inner, IfBlock) and isinstance(new, IfBlock):  # fmt: skip
                    _items(old.items, inner.items, new.items)
            continue
        pairs = min(b1 - b0, a1 - a0)
        for b, a in zip(range(b0, b0 + pairs), range(a0, a0 + pairs), strict=True):
            _exchange(held, place.get(b), before[b], after[a])
        gone.update(place[b] for b in range(b0 + pairs, b1) if b in place)
        if a0 + pairs < a1:
            mapped = (place[b] + 1 for b in range(b0 + pairs - 1, -1, -1) if b in place)
            behind = next(mapped, 0)
            added.setdefault(behind, []).extend(after[a0 + pairs : a1])
    made: list[IfItem] = []
    for at in range(len(held) + 1):
        made += added.get(at, [])
        if at < len(held) and at not in gone:
            made.append(held[at])
    held[:] = made


def _places(before: list[IfItem], held: list[IfItem]) -> dict[int, int]:
    """Item of the view → item in the file; words and blocks that come once may stand in another order."""
    place: dict[int, int] = {}
    for start, own, size in _matcher(before, held).get_matching_blocks():
        place.update(zip(range(start, start + size), range(own, own + size), strict=True))
    keys, own_keys = [*map(_key, before)], [*map(_key, held)]
    often, own_often = Counter(keys), Counter(own_keys)
    taken = set(place.values())
    free = {k: n for n, k in enumerate(own_keys) if own_often[k] == 1 and n not in taken}
    for at, key in enumerate(keys):
        if at not in place and often[key] == 1 and key[0] in ("word", "block") and key in free:
            place[at] = free.pop(key)
    return place


def _exchange(held: list[IfItem], at: int | None, before: IfItem, after: IfItem) -> None:
    """One item for another; a block of the same kind keeps what did not change."""
    if at is None:
        return
    old = held[at]
    blocks = isinstance(old, IfBlock) and isinstance(before, IfBlock) and isinstance(after, IfBlock)
    if blocks and before.tag == after.tag:  # type: ignore[union-attr]
        _items(old.items, before.items, after.items)  # type: ignore[union-attr]
    else:
        held[at] = _spelled(after, old)


def _spelled(item: IfItem, like: IfItem) -> IfItem:
    """A number in the manner of the one it replaces."""
    if isinstance(item, IfBlock) or isinstance(like, IfBlock) or isinstance(item, Quoted):
        return item
    number = number_of(item)
    if like[:2] in ("0x", "0X") and isinstance(number, int) and number >= 0:
        width = len(like) - 2 if like[2:3] == "0" else 0
        digits = f"{number:0{width}X}"
        return like[:2] + (digits.lower() if like[2:].islower() else digits)
    return item
