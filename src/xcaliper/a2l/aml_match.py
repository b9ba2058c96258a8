"""IF_DATA read and built by the types of an A2ML text (ASAP2, A2ML).

Values are plain Python: a number, a string, a list for structs, arrays and sequences, and ``TagValues`` for tagged
structs and unions. Numbers remember how they were spelled and what does not fit is kept as ``RawItems``, so building
from values that nobody changed gives the same items again.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from xcaliper.a2l.aml_types import (
    NUMBERS,
    Aml,
    AmlArray,
    AmlEnum,
    AmlNumber,
    AmlOpaque,
    AmlSequence,
    AmlStruct,
    AmlTag,
    AmlTaggedStruct,
    AmlTaggedUnion,
    AmlText,
    AmlType,
)
from xcaliper.a2l.ifdata import IfBlock, IfData, IfItem, Quoted, item_where, number_of
from xcaliper.core.diagnostics import Diagnostic, Severity
from xcaliper.core.errors import UsageError

__all__ = [
    "AmlMatch",
    "BlockTag",
    "KeptItems",
    "RawItems",
    "SpelledFloat",
    "SpelledInt",
    "TagValues",
    "build",
    "match",
]

_STEPS_PER_ITEM: Final = 400
_STEPS_FREE: Final = 20_000
_MAX_FINDINGS: Final = 50


class SpelledInt(int):
    """A whole number that remembers its spelling."""

    spelling: str

    @classmethod
    def of(cls, value: int, spelling: str) -> "SpelledInt":
        """The number with a spelling."""
        made = cls(value)
        made.spelling = spelling
        return made


class SpelledFloat(float):
    """A floating-point number that remembers its spelling."""

    spelling: str

    @classmethod
    def of(cls, value: float, spelling: str) -> "SpelledFloat":
        """The number with a spelling."""
        made = cls(value)
        made.spelling = spelling
        return made


class RawItems(list[IfItem]):
    """Items that the types do not explain, kept as they stood."""

    __slots__ = ()


class KeptItems(RawItems):
    """The same, their tag included."""

    __slots__ = ()


class BlockTag(str):
    """A tag that stood between ``/begin`` and ``/end``."""

    __slots__ = ()


class TagValues(list[tuple[str, Any]]):
    """Tags with their values, in order; the value of a tag that stands alone is None."""

    __slots__ = ()

    def value(self, tag: str, default: Any = None) -> Any:
        """Value of the first such tag."""
        return next((value for name, value in self if name == tag), default)

    def values(self, tag: str) -> list[Any]:
        """Values of all such tags."""
        return [value for name, value in self if name == tag]

    def __contains__(self, tag: object) -> bool:
        return any(name == tag for name, _ in self)

    def put(self, tag: str, value: Any = None) -> None:
        """Replace the first such tag, or append it."""
        for at, (name, _) in enumerate(self):
            if name == tag:
                self[at] = (tag, value)
                return
        self.append((tag, value))


@dataclass(frozen=True, slots=True)
class AmlMatch:
    """What an IF_DATA block says by its types.

    Attributes:
        values: one entry: name of the IF_DATA and its content; the content is ``RawItems`` where it does not fit.
        diagnostics: what does not fit.
    """

    values: TagValues
    diagnostics: tuple[Diagnostic, ...] = field(default=())

    @property
    def content(self) -> Any:
        """What stands behind the name."""
        return self.values[0][1]


class _MisfitError(Exception):
    """Items do not fit a type; caught at the block they stand in."""


def match(aml: Aml, data: IfData) -> AmlMatch:
    """Values of an IF_DATA block by the types of an A2ML text.

    Args:
        aml: the types.
        data: the block; it is not changed.
    """
    tag = aml.tag(data.name)
    matcher = _Matcher(data)
    if tag is None:
        matcher.report(Severity.INFO, "aml-tag-unknown", _Items(data), "the A2ML does not know it.")
        content: Any = RawItems(data.items)
    else:
        content = matcher.block(data.name, tag.type, data)
    return AmlMatch(TagValues([(data.name, content)]), tuple(matcher.found))


class _Items:
    """Position in the items of one block."""

    __slots__ = ("at", "items", "owner")

    def __init__(self, owner: IfData | IfBlock) -> None:
        self.owner = owner
        self.items = owner.items
        self.at = 0

    @property
    def next(self) -> IfItem | None:
        return self.items[self.at] if self.at < len(self.items) else None


class _Matcher:
    def __init__(self, data: IfData) -> None:
        self.data = data
        self.found: list[Diagnostic] = []
        self.steps = _STEPS_FREE + _STEPS_PER_ITEM * _count(data)
        self.path: list[str] = []
        self.scopes: list[dict[tuple[str, bool], AmlTag]] = []  # tags around the place in the block
        self.tables: dict[int, dict[tuple[str, bool], AmlTag]] = {}  # by identity of the type

    def table(self, made: AmlTaggedStruct | AmlTaggedUnion) -> dict[tuple[str, bool], AmlTag]:
        found = self.tables.get(id(made))
        if found is None:
            found = self.tables[id(made)] = {(t.tag, t.block): t for t in reversed(made.tags)}
        return found

    def report(
        self, severity: Severity, slug: str, reader: _Items, text: str, at: int | None = None
    ) -> None:
        """Note a finding at the next item, or at another one."""
        if len(self.found) < _MAX_FINDINGS:
            path = " ".join([self.data.name, *self.path[1:]])
            where = self.data.where
            if slug != "aml-tag-unknown":
                where = item_where(reader.owner, reader.at if at is None else at)
            hint = "Correct the data or the A2ML."
            text = f"IF_DATA {path}: {text}"
            self.found.append(Diagnostic(severity, slug, where, text, hint, self.data.name))

    # ---- blocks

    def block(self, tag: str, made: AmlType | None, owner: IfData | IfBlock) -> Any:
        """Value of a block; its raw items when they do not fit."""
        self.path.append(tag)
        scopes, self.scopes = self.scopes, []
        reader = _Items(owner)
        try:
            value = self.value(made, reader) if made is not None else None
            self.leftover(made, value, reader)
        except _MisfitError as misfit:
            self.report(Severity.WARNING, "aml-mismatch", reader, str(misfit))
            value = RawItems(owner.items)
        finally:
            self.path.pop()
            self.scopes = scopes
        return value

    def leftover(self, made: AmlType | None, value: Any, reader: _Items) -> None:
        """Keep what follows in the innermost list of tags at the end of a block."""
        if reader.next is None:
            return
        tail = _tail(made, value)
        if tail is None:
            raise _MisfitError(f"{_shown(reader.next)} and what follows is not expected.")
        kind, values = tail
        seen = {str(name) for name, _ in values}
        while (item := reader.next) is not None:
            self.report(
                Severity.WARNING,
                "aml-mismatch",
                reader,
                f"{_shown(item)} is not expected here; it is kept as it is.",
            )
            self.keep(self.table(kind), reader, values)
            self.tagged(kind, reader, values, seen)

    def keep(
        self, table: dict[tuple[str, bool], AmlTag], reader: _Items, values: TagValues
    ) -> None:
        """Take a block, or a word and what follows it, up to the next known tag."""
        item = reader.next
        assert item is not None, "callers look first"
        reader.at += 1
        if isinstance(item, IfBlock):
            values.append((BlockTag(item.tag), KeptItems([item])))
            return
        kept = KeptItems([item])
        while isinstance(word := reader.next, str) and not self.is_tag(table, word):
            kept.append(word)
            reader.at += 1
        values.append((str(item), kept))

    def is_tag(self, table: dict[tuple[str, bool], AmlTag], word: str) -> bool:
        return (word, False) in table or any((word, False) in t for t in self.scopes)

    # ---- values

    def value(self, made: AmlType, reader: _Items) -> Any:
        self.steps -= 1
        if self.steps < 0:
            raise _MisfitError("the A2ML is too entangled to be followed.")
        if isinstance(made, AmlNumber):
            return self.number(made, reader)
        if isinstance(made, AmlText):
            return self.text(made, reader)
        if isinstance(made, AmlEnum):
            return self.enum(made, reader)
        if isinstance(made, AmlStruct):
            return self.struct(made, reader)
        if isinstance(made, (AmlTaggedStruct, AmlTaggedUnion)):
            values = TagValues()
            self.tagged(made, reader, values)
            return values
        if isinstance(made, AmlArray):
            return [self.value(made.element, reader) for _ in range(made.size)]
        if isinstance(made, AmlSequence):
            return self.sequence(made, reader)
        rest = RawItems(reader.items[reader.at :])  # unknown: everything that is left
        reader.at = len(reader.items)
        return rest

    def number(self, made: AmlNumber, reader: _Items) -> int | float:
        item = reader.next
        value = number_of(item) if isinstance(item, str) and not isinstance(item, Quoted) else None
        if value is None:
            raise _MisfitError(f"a number ({made.kind}) is expected, {_shown(item)} is there.")
        assert isinstance(item, str), "blocks have no number"
        reader.at += 1
        span = NUMBERS[made.kind]
        if span is not None and not _fits(value, span, item):
            self.report(
                Severity.WARNING,
                "aml-range",
                reader,
                f"{_shown(item)} does not fit {made.kind}.",
                reader.at - 1,
            )
        if isinstance(value, int):
            return SpelledInt.of(value, item)
        return SpelledFloat.of(value, item)

    def text(self, made: AmlText, reader: _Items) -> str:
        item = reader.next
        if not isinstance(item, str):
            raise _MisfitError(f"a string is expected, {_shown(item)} is there.")
        reader.at += 1
        if not isinstance(item, Quoted):
            text = f"{_shown(item)} has no quotes."
            self.report(Severity.INFO, "aml-unquoted", reader, text, reader.at - 1)
            return _Bare(item)
        if len(item) > made.size:
            self.report(
                Severity.INFO,
                "aml-text-long",
                reader,
                f"{_shown(item)} has {len(item)} characters, {made.size} are allowed.",
                reader.at - 1,
            )
        return str(item)

    def enum(self, made: AmlEnum, reader: _Items) -> str:
        item = reader.next
        if not isinstance(item, str) or item not in made.words:
            words = ", ".join(list(made.words)[:6]) + (" …" if len(made.words) > 6 else "")
            raise _MisfitError(f"one of {words} is expected, {_shown(item)} is there.")
        reader.at += 1
        return item  # a quoted word stays one

    def struct(self, made: AmlStruct, reader: _Items) -> list[Any]:
        values: list[Any] = []
        for at, member in enumerate(made.members):
            if made.required is not None and at >= made.required:
                start, found = reader.at, len(self.found)
                try:
                    values.append(self.value(member, reader))
                except _MisfitError:
                    reader.at = start
                    del self.found[found:]
                    # Lists of tags may follow a tail that is not there.
                    rest = made.members[at + 1 :]
                    tags = (m for m in rest if isinstance(m, (AmlTaggedStruct, AmlTaggedUnion)))
                    values += [self.value(m, reader) for m in tags]
                    break
            else:
                values.append(self.value(member, reader))
        return values

    def sequence(self, made: AmlSequence, reader: _Items) -> list[Any]:
        values: list[Any] = []
        while reader.next is not None:
            start, found = reader.at, len(self.found)
            try:
                value = self.value(made.element, reader)
            except _MisfitError:
                reader.at = start
                del self.found[found:]
                break
            if reader.at == start:
                break
            values.append(value)
        return values

    def tagged(
        self,
        made: AmlTaggedStruct | AmlTaggedUnion,
        reader: _Items,
        values: TagValues,
        seen: set[str] | None = None,
    ) -> None:
        """Append every tag that follows; the first one only for a union."""
        table = self.table(made)
        seen = set() if seen is None else seen
        self.scopes.append(table)
        while (item := reader.next) is not None:
            is_block = isinstance(item, IfBlock)
            name = item.tag if isinstance(item, IfBlock) else str(item)
            tag = None if isinstance(item, Quoted) else table.get((name, is_block))
            if tag is None:
                break
            self.steps -= 1
            if name in seen and not tag.repeated and isinstance(made, AmlTaggedStruct):
                text = f"{name} may come once only."
                self.report(Severity.WARNING, "aml-tag-repeated", reader, text)
            seen.add(name)
            if isinstance(item, IfBlock):
                reader.at += 1
                values.append((BlockTag(name), self.block(name, tag.type, item)))
            else:
                self.plain(tag, reader, values, table)
            if isinstance(made, AmlTaggedUnion):
                break
        self.scopes.pop()

    def plain(
        self,
        tag: AmlTag,
        reader: _Items,
        values: TagValues,
        table: dict[tuple[str, bool], AmlTag],
    ) -> None:
        start, depth = reader.at, len(self.scopes)
        reader.at += 1
        try:
            values.append((tag.tag, None if tag.type is None else self.value(tag.type, reader)))
        except _MisfitError as misfit:
            del self.scopes[depth:]
            self.report(Severity.WARNING, "aml-mismatch", reader, f"{tag.tag}: {misfit}")
            reader.at = start
            self.keep(table, reader, values)


class _Bare(str):
    """A string that stood without quotes."""

    __slots__ = ()


def _count(data: IfData) -> int:
    total = 0
    stack: list[list[IfItem]] = [data.items]
    while stack:
        items = stack.pop()
        total += len(items)
        stack.extend(item.items for item in items if isinstance(item, IfBlock))
    return total


def _fits(value: float, span: tuple[int, int], spelling: str) -> bool:
    lower, upper = span
    if lower < 0 and "x" in spelling.lower():
        upper = 2 * upper + 1  # hexadecimal digits of a negative number
    return isinstance(value, int) and lower <= value <= upper


def _shown(item: IfItem | None) -> str:
    if item is None:
        return "the end"
    return f"block {item.tag[:60]}" if isinstance(item, IfBlock) else item[:60]


def _tail(
    made: AmlType | None, value: Any
) -> tuple[AmlTaggedStruct | AmlTaggedUnion, TagValues] | None:
    """The list of tags a block ends with, and its values."""
    while isinstance(made, AmlStruct) and made.members and len(value) == len(made.members):
        made, value = made.members[-1], value[-1]
    if isinstance(made, (AmlTaggedStruct, AmlTaggedUnion)) and isinstance(value, TagValues):
        return made, value
    return None


# ---- building


def build(aml: Aml, values: TagValues) -> IfData:
    """IF_DATA of values, the reverse of ``match``.

    Args:
        aml: the types.
        values: one entry: name of the IF_DATA and its content.

    Raises:
        UsageError: the values do not fit the types.
    """
    if len(values) != 1:
        raise UsageError("IF_DATA: exactly one name with its content is needed; split the values.")
    name, content = values[0]
    tag = aml.tag(name)
    if isinstance(content, RawItems):
        return IfData(name, list(content))
    if tag is None:
        raise UsageError(f"IF_DATA {name}: the A2ML does not know it; use a name that it declares.")
    items: list[IfItem] = []
    if tag.type is not None:
        _put(tag.type, content, items, name)
    return IfData(name, items)


def _refuse(path: str, wanted: str, value: object) -> UsageError:
    shown = repr(value)[:60]
    return UsageError(f"IF_DATA {path}: {wanted} is needed, {shown} was given; correct the value.")


def _put(made: AmlType, value: Any, items: list[IfItem], path: str) -> None:
    if isinstance(value, RawItems):
        items.extend(value)
    elif isinstance(made, (AmlNumber, AmlText, AmlEnum)):
        items.append(_plain_word(made, value, path))
    elif isinstance(made, (AmlTaggedStruct, AmlTaggedUnion)):
        _put_tags(made, value, items, path)
    elif isinstance(made, AmlStruct):
        _put_struct(made, value, items, path)
    elif isinstance(made, AmlOpaque):
        raise _refuse(path, "the raw items of an unknown type", value)
    else:
        size = made.size if isinstance(made, AmlArray) else None
        if not isinstance(value, list) or size not in (None, len(value)):
            raise _refuse(path, f"a list of {size}" if size is not None else "a list", value)
        for one in value:
            _put(made.element, one, items, path)


def _plain_word(made: AmlNumber | AmlText | AmlEnum, value: Any, path: str) -> str:
    if isinstance(made, AmlNumber):
        return _number_word(made, value, path)
    if isinstance(made, AmlEnum):
        if not isinstance(value, str) or value not in made.words:
            raise _refuse(path, f"one of {', '.join(made.words)}", value)
        return value
    if not isinstance(value, str):
        raise _refuse(path, "a string", value)
    return str(value) if isinstance(value, _Bare) else Quoted(value)


def _put_struct(made: AmlStruct, value: Any, items: list[IfItem], path: str) -> None:
    if not isinstance(value, list) or isinstance(value, TagValues):
        raise _refuse(path, f"a list of {len(made.members)} members", value)
    members = list(made.members)
    while made.required is not None and len(value) < len(members) > made.required:
        plain = [
            at
            for at, member in enumerate(members[made.required :], made.required)
            if not isinstance(member, (AmlTaggedStruct, AmlTaggedUnion))
        ]
        if not plain:
            break
        del members[plain[-1]]  # the last tail is the first to be left out
    if len(value) != len(members):
        raise _refuse(path, f"a list of {len(members)} members", value)
    for member, one in zip(members, value, strict=True):
        _put(member, one, items, path)


def _put_tags(
    made: AmlTaggedStruct | AmlTaggedUnion, value: Any, items: list[IfItem], path: str
) -> None:
    if not isinstance(value, TagValues):
        raise _refuse(path, "a list of tags", value)
    tags = {(t.tag, t.block): t for t in reversed(made.tags)}
    for name, one in value:
        if isinstance(one, KeptItems):
            items.extend(one)
            continue
        tag = tags.get((str(name), isinstance(name, BlockTag))) or tags.get((str(name), True))
        if tag is None:
            known = ", ".join(word for word, _ in tags)
            raise _refuse(path, f"one of the tags {known}", name)
        inner: list[IfItem] = []
        if tag.type is not None:
            _put(tag.type, one, inner, f"{path} {name}")
        elif isinstance(one, RawItems):
            inner.extend(one)
        elif one is not None:
            raise _refuse(f"{path} {name}", "no value", one)
        if tag.block:
            items.append(IfBlock(tag.tag, inner))
        else:
            items += [tag.tag, *inner]


def _number_word(made: AmlNumber, value: Any, path: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _refuse(path, f"a number ({made.kind})", value)
    if isinstance(value, (SpelledInt, SpelledFloat)):
        return value.spelling
    span = NUMBERS[made.kind]
    if span is not None and not (isinstance(value, int) and span[0] <= value <= span[1]):
        raise _refuse(path, f"a number ({made.kind}, {span[0]} to {span[1]})", value)
    return str(value) if isinstance(value, int) else repr(value)
