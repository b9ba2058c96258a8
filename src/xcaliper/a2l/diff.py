"""What differs between two descriptions: objects and attributes, whatever their order, layout and number spelling."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from xcaliper.a2l.diff_renames import Renaming, renamings
from xcaliper.a2l.grammar import Keyword, table_of
from xcaliper.a2l.ifdata import A2ml, IfBlock, IfData, Quoted, number_of
from xcaliper.core.progress import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xcaliper.a2l.grammar import Entry, Param
    from xcaliper.a2l.keywords.project import Module
    from xcaliper.a2l.parse import A2lFile
    from xcaliper.core.progress import Progress

__all__ = ["AttributeChange", "FileDiff", "ObjectChange", "compare", "diff"]

_ORDERED: Final = frozenset(
    {"DEPENDENT_CHARACTERISTIC", "MAP_LIST", "VIRTUAL", "VIRTUAL_CHARACTERISTIC", "VAR_CRITERION"}
)
_ADDRESSES: Final = frozenset({"address", "address_offset", "ecu_address", "ecu_address_extension"})
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """One value that differs.

    Attributes:
        path: where in the object, as ``axis_descr[0].upper_limit``.
        old: value before; None when there was none.
        new: value now; None when there is none.
    """

    path: str
    old: Any
    new: Any

    def __str__(self) -> str:
        if self.old is None:
            return f"{self.path}: + {_shown(self.new)}"
        if self.new is None:
            return f"{self.path}: - {_shown(self.old)}"
        return f"{self.path}: {_shown(self.old)} -> {_shown(self.new)}"


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """One object that came, went or changed.

    Attributes:
        status: what happened.
        keyword: kind of the object.
        name: its name; empty for blocks that stand once.
        module: module it belongs to; empty for what stands outside of modules.
        attributes: what changed in it.
        old_line: line in the old file, 0 when it was not there.
        new_line: line in the new file, 0 when it is not there.
    """

    status: Literal["added", "removed", "changed"]
    keyword: str
    name: str
    module: str = ""
    attributes: tuple[AttributeChange, ...] = ()
    old_line: int = 0
    new_line: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The change as plain values."""
        return {
            "status": self.status,
            "keyword": self.keyword,
            "name": self.name,
            "module": self.module,
            "old_line": self.old_line,
            "new_line": self.new_line,
            "attributes": [
                {"path": a.path, "old": _plain(a.old), "new": _plain(a.new)}
                for a in self.attributes
            ],
        }

    def lines(self) -> list[str]:
        """The change as text: its headline, then the attributes."""
        mark = {"added": "+", "removed": "-", "changed": "~"}[self.status]
        return [
            f"{mark} {self.keyword} {self.name}".rstrip(),
            *(f"    {one}" for one in self.attributes),
        ]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """All differences of two descriptions.

    Attributes:
        changes: in the order of keywords, then names.
        renamed: pairs of objects that went and came and seem to be one.
    """

    changes: list[ObjectChange] = field(default_factory=list)
    renamed: list[Renaming] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changes)

    def of(self, status: str) -> list[ObjectChange]:
        """Changes of one status."""
        return [one for one in self.changes if one.status == status]

    def summary(self) -> str:
        """How many objects came, went and changed."""
        counts = [len(self.of(status)) for status in ("added", "removed", "changed")]
        return "{} added, {} removed, {} changed".format(*counts)

    def as_dict(self) -> dict[str, Any]:
        """The differences as plain values."""
        return {
            "added": len(self.of("added")),
            "removed": len(self.of("removed")),
            "changed": len(self.of("changed")),
            "changes": [one.as_dict() for one in self.changes],
            "renamed": [one.as_dict() for one in self.renamed],
        }

    def text(self) -> str:
        """The differences for readers, one object after the other."""
        lines = [line for one in self.changes for line in one.lines()]
        return "\n".join([*lines, *map(str, self.renamed)])

    def addresses(self, which: Literal["only", "never"]) -> FileDiff:
        """The differences of addresses alone, or all others.

        Args:
            which: ``only`` addresses of objects that both descriptions have; ``never`` leaves these out.
        """
        found: list[ObjectChange] = []
        for one in self.changes:
            if one.status != "changed":
                found += [one] if which == "never" else []
                continue
            kept = tuple(a for a in one.attributes if _is_address(a.path) == (which == "only"))
            if kept:
                found.append(replace(one, attributes=kept))
        return FileDiff(found, self.renamed if which == "never" else [])


def _is_address(path: str) -> bool:
    return path.rpartition(".")[2].partition("[")[0] in _ADDRESSES


def diff(old: A2lFile, new: A2lFile, *, progress: Progress | None = None) -> FileDiff:
    """What came, went and changed between two descriptions.

    Modules belong together by name; the only ones of their files always do. Objects belong together by keyword and
    name. The order of objects and of names in groups and functions does not count.

    Args:
        old: the description before.
        new: the description after.
        progress: told how many objects are compared, for large files.
    """
    found: list[ObjectChange] = []
    renamed: list[Renaming] = []
    if old.version != new.version:
        change = AttributeChange("version", old.version, new.version)
        found.append(ObjectChange("changed", "ASAP2_VERSION", "", "", (change,)))
    found += _project(old, new)
    for before, now in _modules(old, new):
        if before is None or now is None:
            one: Any = before or now
            status: Literal["added", "removed"] = "added" if before is None else "removed"
            found.append(ObjectChange(status, "MODULE", one.name, one.name))
        else:
            found += _module(before, now, renamed, progress)
    return FileDiff(found, renamed)


def compare(old: Keyword, new: Keyword) -> list[AttributeChange]:
    """What differs between two objects of one kind."""
    return list(_object("", old, new))


# ---- files and modules


def _project(old: A2lFile, new: A2lFile) -> Iterator[ObjectChange]:
    before, now = old.project, new.project
    if before is None or now is None:
        return
    changes: list[AttributeChange] = []
    for attr in ("name", "long_identifier"):
        changes += _value(attr, getattr(before, attr), getattr(now, attr))
    for path, one, other in _pairs("header", [before.header], [now.header]):
        changes += _inner(path, one, other)
    if changes:
        yield ObjectChange("changed", "PROJECT", now.name, "", tuple(changes))


def _modules(old: A2lFile, new: A2lFile) -> Iterator[tuple[Module | None, Module | None]]:
    old_values, nows = old.modules, new.modules
    if len(old_values) == len(nows) == 1:
        yield old_values[0], nows[0]
        return
    left = {module.name: module for module in nows}
    for module in old_values:
        yield module, left.pop(module.name, None)
    yield from ((None, module) for module in left.values())


def _module(
    old: Module, new: Module, renamed: list[Renaming], progress: Progress | None = None
) -> Iterator[ObjectChange]:
    table = table_of(type(new))
    changes: list[AttributeChange] = []
    for param in table.params:
        changes += _value(param.attr, getattr(old, param.attr), getattr(new, param.attr))
    if changes:
        yield ObjectChange("changed", "MODULE", new.name, new.name, tuple(changes))
    for entry in table.optional.values():
        if entry.mode != "object":
            continue
        old_values = _keyed(_listed(getattr(old, entry.attr), entry))
        nows = _keyed(_listed(getattr(new, entry.attr), entry))
        keys = sorted(old_values.keys() | nows.keys())
        for key in counted(keys, f"{entry.name} compared", len(keys), progress):
            one = _change(entry.name, key, old_values.get(key), nows.get(key), new.name)
            if one is not None:
                yield one
        gone = [made for key, made in old_values.items() if key not in nows]
        came = [made for key, made in nows.items() if key not in old_values]
        renamed += renamings(gone, came)


def _change(
    keyword: str, key: tuple[str, int], old: Any, new: Any, module: str
) -> ObjectChange | None:
    name = key[0] if key[1] == 0 else f"{key[0]} #{key[1] + 1}"
    if old is None:
        return ObjectChange("added", keyword, name, module, (), 0, new.line)
    if new is None:
        return ObjectChange("removed", keyword, name, module, (), old.line, 0)
    if old == new:
        return None
    changes = tuple(_object("", old, new))
    if not changes:
        return None
    return ObjectChange("changed", keyword, name, module, changes, old.line, new.line)


def _listed(value: Any, entry: Entry) -> Iterable[Any]:
    if entry.repeated:
        return value  # type: ignore[no-any-return]
    return () if value is None else (value,)


def _name(made: Any) -> str:
    """What tells an object from its neighbours of the same kind."""
    for attr in ("name", "user_level_id", "prg_type", "method"):
        value = getattr(made, attr, None)
        if isinstance(value, str):
            return value
    return ""


def _keyed(objects: Iterable[Any]) -> dict[tuple[str, int], Any]:
    """Objects by name and by their number among those of the same name."""
    seen: Counter[str] = Counter()
    found: dict[tuple[str, int], Any] = {}
    for made in objects:
        name = _name(made)
        found[name, seen[name]] = made
        seen[name] += 1
    return found


# ---- objects


def _object(path: str, old: Any, new: Any) -> Iterator[AttributeChange]:
    if isinstance(new, IfData):
        yield from _items(path, [old.name, *old.items], [new.name, *new.items])
        return
    if isinstance(new, A2ml):
        if old.text.split() != new.text.split():
            yield AttributeChange(_join(path, "text"), old.text, new.text)
        return
    table = table_of(type(new))
    for param in table.params:
        attr = param.attr
        yield from _value(_join(path, attr), getattr(old, attr), getattr(new, attr))
    if table.rest is not None:
        attr, params = table.rest
        before, now = getattr(old, attr), getattr(new, attr)
        yield from _rest(_join(path, attr), before, now, params, table.name)
    for entry in table.optional.values():
        before, now = getattr(old, entry.attr), getattr(new, entry.attr)
        where = _join(path, entry.attr)
        if entry.mode != "object":
            yield from (
                _value(where, before or None, now or None)
                if (entry.mode == "flag" or entry.repeated)
                else _value(where, before, now)
            )
            continue
        pairs = _pairs(where, _listed(before, entry), _listed(now, entry), many=entry.repeated)
        for inner, one, other in pairs:
            yield from _inner(inner, one, other)


def _inner(path: str, old: Any, new: Any) -> Iterator[AttributeChange]:
    """Differences of an inner object, which may be missing on one side."""
    if old is None or new is None:
        yield AttributeChange(path, old, new)
    else:
        yield from _object(path, old, new)


def _pairs(
    path: str, olds: Iterable[Any], news: Iterable[Any], *, many: bool = False
) -> Iterator[tuple[str, Any, Any]]:
    """Inner objects that belong together, with their paths."""
    old_values = _keyed(one for one in olds if one is not None)
    nows = _keyed(one for one in news if one is not None)
    for key in [*old_values, *(key for key in nows if key not in old_values)]:
        name, number = key
        label = name if name and not number else f"{name}#{number + 1}" if name else str(number)
        yield f"{path}[{label}]" if many else path, old_values.get(key), nows.get(key)


def _rest(
    path: str, old: list[Any], new: list[Any], params: tuple[Param, ...], keyword: str
) -> Iterator[AttributeChange]:
    """Lists: names and rows as sets, numbers one by one."""
    if old == new:
        return
    free = len(params) > 1 or (params[0].ref is not None and keyword not in _ORDERED)
    if free:
        before, now = Counter(old), Counter(new)
        yield from (AttributeChange(path, row, None) for row in (before - now).elements())
        yield from (AttributeChange(path, None, row) for row in (now - before).elements())
    elif len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _value(f"{path}[{number}]", one, other)
    else:
        yield AttributeChange(path, tuple(old), tuple(new))


def _items(path: str, old: list[Any], new: list[Any]) -> Iterator[AttributeChange]:
    """IF_DATA: blocks belong together by tag, words by position; numbers count by value."""
    words = [[_word(i) for i in items if not isinstance(i, IfBlock)] for items in (old, new)]
    where = path or "content"
    if len(words[0]) == len(words[1]):
        for number, (one, other) in enumerate(zip(*words, strict=True)):
            yield from _value(f"{where}[{number}]", one, other)
    else:
        yield AttributeChange(where, tuple(words[0]), tuple(words[1]))
    for label, before, now in _blocks(old, new):
        inner = f"{path}/{label}"
        if before is None or now is None:
            yield AttributeChange(inner.lstrip("/"), before and _flat(before), now and _flat(now))
        else:
            yield from _items(inner.lstrip("/"), before.items, now.items)


def _blocks(old: list[Any], new: list[Any]) -> Iterator[tuple[str, IfBlock | None, IfBlock | None]]:
    """Blocks that belong together: by tag and first word, as events by their name; else by tag and order."""
    sides = [[i for i in items if isinstance(i, IfBlock)] for items in (old, new)]
    partner: dict[int, IfBlock] = {}
    taken: set[int] = set()
    for key in (_called, lambda block: block.tag):
        free: dict[Any, list[IfBlock]] = {}
        for one in sides[1]:
            if id(one) not in taken:
                free.setdefault(key(one), []).append(one)
        for one in sides[0]:
            mine = free.get(key(one)) if id(one) not in partner else None
            if mine:
                partner[id(one)] = mine.pop(0)
                taken.add(id(partner[id(one)]))
    for side, known in ((0, partner), (1, None)):
        seen: Counter[str] = Counter()
        for one in sides[side]:
            seen[one.tag] += 1
            number = seen[one.tag]
            label = one.tag if number == 1 else f"{one.tag}#{number}"
            if known is not None:
                yield label, one, known.get(id(one))
            elif id(one) not in taken:
                yield label, None, one


def _called(block: IfBlock) -> tuple[str, Any]:
    first = next((one for one in block.items if not isinstance(one, IfBlock)), "")
    return block.tag, _word(first)


def _word(item: str) -> Any:
    """A word as it counts."""
    if isinstance(item, Quoted):
        return str(item)
    number = number_of(item)
    return item if number is None else number


def _flat(block: IfBlock) -> str:
    parts = [_flat(i) if isinstance(i, IfBlock) else str(i) for i in block.items]
    return " ".join([block.tag, *parts])


def _value(path: str, old: Any, new: Any) -> Iterator[AttributeChange]:
    if old == new and isinstance(old, str) == isinstance(new, str):
        return
    if old != old and new != new:  # noqa: PLR0124 -- both not a number
        return
    yield AttributeChange(path, old, new)


def _join(path: str, attr: str) -> str:
    return f"{path}.{attr}" if path else attr


def _plain(value: Any) -> Any:
    """A value that JSON has."""
    if isinstance(value, Keyword):
        from xcaliper.a2l.write import write

        return write(value).rstrip("\n")
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value


def _shown(value: Any) -> str:
    """A value on one line of moderate length."""
    plain = _plain(value)
    text = " ".join(plain.split()) if isinstance(value, Keyword) else str(plain)
    if isinstance(value, str):
        text = f'"{value}"' if not value or " " in value else value
    text = text.replace("\n", " ")
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
