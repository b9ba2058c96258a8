"""Which words of an IF_DATA changed: two contents side by side, and the new one in the spelling of the old one."""

from __future__ import annotations

from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from xcaliper.a2l.ifdata import IfBlock, IfItem, Quoted, number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Step", "carried", "key_of", "respelled", "steps"]

_MAX_MATCHED: Final = 1000
_MAX_DEPTH: Final = 100
#: Blocks that are told apart by another word than their first one: which.
_NUMBERED: Final = {"EVENT": 2}


class Step(NamedTuple):
    """One step on the way from an old content to a new one.

    Attributes:
        old: item before; None when the new one comes in.
        new: item now; None when the old one goes.
        at: position in the old content; of a new item, that behind which it comes, -1 for the front.
    """

    old: IfItem | None
    new: IfItem | None
    at: int


def key_of(item: IfItem) -> Any:
    """What makes two items the same to the letter; strings differ from words."""
    if isinstance(item, IfBlock):
        return ("/", item.tag, tuple(key_of(one) for one in item.items))
    return ("s" if isinstance(item, Quoted) else "w", str(item))


def _meaning(item: IfItem) -> Any:
    """The same, numbers by their value."""
    if isinstance(item, IfBlock):
        return ("/", item.tag, tuple(_meaning(one) for one in item.items))
    if isinstance(item, Quoted):
        return ("s", str(item))
    number = number_of(item)
    return ("w", item) if number is None or number != number else ("n", number)  # noqa: PLR0124


def _head(item: IfItem) -> Any:
    """What an item is called: a block by its tag and its number, or its first word."""
    if not isinstance(item, IfBlock):
        return _meaning(item)
    words = [one for one in item.items if not isinstance(one, IfBlock)]
    at = _NUMBERED.get(item.tag, 0)
    return ("/", item.tag, _meaning(words[at] if at < len(words) else ""))


def _kind(item: IfItem) -> Any:
    if isinstance(item, IfBlock):
        return ("/", item.tag)
    return "s" if isinstance(item, Quoted) else "n" if number_of(item) is not None else "w"


_LEVELS: Final[tuple[Callable[[IfItem], Any], ...]] = (key_of, _meaning, _head, _kind)


def steps(old: Sequence[IfItem], new: Sequence[IfItem]) -> Iterator[Step]:
    """The way from an old content to a new one, in the order of the new one; equal items are steps, too.

    Args:
        old: items before.
        new: items now.
    """
    yield from _steps(old, new, 0, len(old), 0, len(new), 0)


def _steps(
    old: Sequence[IfItem], new: Sequence[IfItem], i1: int, i2: int, j1: int, j2: int, level: int
) -> Iterator[Step]:
    if level == len(_LEVELS) or i1 == i2 or j1 == j2:
        yield from (Step(old[i], None, i) for i in range(i1, i2))
        yield from (Step(None, new[j], i2 - 1) for j in range(j1, j2))
        return
    key = _LEVELS[level]
    before, now = [key(one) for one in old[i1:i2]], [key(one) for one in new[j1:j2]]
    for same, a1, a2, b1, b2 in _runs(before, now):
        if same:
            for number in range(a2 - a1):
                at = i1 + a1 + number
                yield Step(old[at], new[j1 + b1 + number], at)
        else:
            yield from _steps(old, new, i1 + a1, i1 + a2, j1 + b1, j1 + b2, level + 1)


def _runs(before: list[Any], now: list[Any]) -> Iterator[tuple[bool, int, int, int, int]]:
    """Equal and unequal stretches of two lists."""
    head, shorter = 0, min(len(before), len(now))
    while head < shorter and before[head] == now[head]:
        head += 1
    tail = 0
    while tail < shorter - head and before[-1 - tail] == now[-1 - tail]:
        tail += 1
    stop, end = len(before) - tail, len(now) - tail
    yield True, 0, head, 0, head
    if max(stop, end) - head > _MAX_MATCHED:
        yield False, head, stop, head, end
    else:
        found = SequenceMatcher(None, before[head:stop], now[head:end], autojunk=False)
        for tag, a1, a2, b1, b2 in found.get_opcodes():
            yield tag == "equal", head + a1, head + a2, head + b1, head + b2
    yield True, stop, len(before), end, len(now)


# ---- spelling


def respelled(old: Sequence[IfItem], new: Sequence[IfItem]) -> list[IfItem]:
    """A new content; numbers that stayed keep their spelling, others take the base of what they replace.

    Args:
        old: items before.
        new: items now; they are not changed.
    """
    return _respelled(old, new, 0)


def _respelled(old: Sequence[IfItem], new: Sequence[IfItem], depth: int) -> list[IfItem]:
    made: list[IfItem] = []
    for step in steps(old, new):
        if step.new is None:
            continue
        if isinstance(step.new, IfBlock):
            inner = step.old.items if isinstance(step.old, IfBlock) else []
            deeper = depth < _MAX_DEPTH
            items = _respelled(inner, step.new.items, depth + 1) if deeper else step.new.items
            place = step.old.place if isinstance(step.old, IfBlock) else None
            made.append(IfBlock(step.new.tag, items, place))
        else:
            made.append(_word(step.old, step.new))
    return made


def _word(old: IfItem | None, new: str) -> str:
    if not isinstance(old, str) or isinstance(old, Quoted) or isinstance(new, Quoted):
        return new
    if _meaning(old) == _meaning(new):
        return old
    value = number_of(new)
    if old[:2] in ("0x", "0X") and isinstance(value, int) and value >= 0:
        width = len(old) - 2 if old[2:3] == "0" else 0
        digits = f"{value:0{width}X}"
        return old[:2] + (digits.lower() if old[2:] != old[2:].upper() else digits)
    return new


# ---- edits of a view


def carried(
    held: Sequence[IfItem], base: Sequence[IfItem], wanted: Sequence[IfItem]
) -> list[IfItem] | None:
    """What is held, with the edits that lead from a base to what is wanted.

    The base is what a typed view says of what is held; what the view does not know stays.

    Args:
        held: items as they stand in the file.
        base: what the view makes of them.
        wanted: what the view makes of the changed values.

    Returns:
        The new content; None when an edit concerns something that is not held in that form.
    """
    places = _places(held, base)
    result: dict[int, IfItem | None] = dict(enumerate(held))
    more: dict[int, list[IfItem]] = {}
    for step in steps(base, wanted):
        at = places.get(step.at)
        if step.old is None and at is None:  # behind the nearest one that is held
            at = next((places[one] for one in range(step.at, -1, -1) if one in places), -1)
        if step.old is not None and step.new is not None and key_of(step.old) == key_of(step.new):
            continue
        if at is None:
            return None
        if step.old is None:
            assert step.new is not None, "a step has a side"
            more.setdefault(at, []).append(step.new)
        elif step.new is None:
            result[at] = None
        elif isinstance(step.old, IfBlock) and isinstance(step.new, IfBlock):
            mine = held[at]
            assert isinstance(mine, IfBlock), "blocks belong to blocks"
            inner = carried(mine.items, step.old.items, step.new.items)
            if inner is None:
                return None
            result[at] = IfBlock(mine.tag, inner, mine.place)
        else:
            result[at] = step.new
    made = list(more.get(-1, []))
    for at in range(len(held)):
        item = result[at]
        made += [] if item is None else [item]
        made += more.get(at, [])
    return respelled(held, made)


def _places(held: Sequence[IfItem], base: Sequence[IfItem]) -> dict[int, int]:
    """Where the items of a base are held.

    Words in their order, those that come once also elsewhere; blocks by tag wherever they stand.
    """
    found: dict[int, int] = {}
    where = {id(one): at for at, one in enumerate(base) if isinstance(one, IfBlock)}
    taken: set[int] = set()
    for kind in (_meaning, _head, _kind):
        free: dict[Any, list[int]] = {}
        for at, one in enumerate(held):
            if isinstance(one, IfBlock) and at not in taken:
                free.setdefault(kind(one), []).append(at)
        for at in where.values():
            mine = free.get(kind(base[at])) if at not in found else None
            if mine:
                found[at] = mine.pop(0)
                taken.add(found[at])
    words = [[at for at, one in enumerate(side) if isinstance(one, str)] for side in (base, held)]
    keys = [
        [_meaning(side[at]) for at in ats] for side, ats in zip((base, held), words, strict=True)
    ]
    for same, a1, a2, b1, _ in _runs(*keys):
        if same:
            found.update({words[0][a1 + n]: words[1][b1 + n] for n in range(a2 - a1)})
    often, held_often = (Counter(side) for side in keys)
    taken = set(found.values())
    spare = {key: at for key, at in zip(keys[1], words[1], strict=True) if at not in taken}
    for key, at in zip(keys[0], words[0], strict=True):
        once = often[key] == 1 and held_often[key] == 1 and key[0] == "w"
        if once and at not in found and key in spare:
            found[at] = spare[key]
    return found
