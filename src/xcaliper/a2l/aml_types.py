"""The types an A2ML text declares: what may stand inside an IF_DATA block (ASAP2, A2ML)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "NUMBERS",
    "Aml",
    "AmlArray",
    "AmlEnum",
    "AmlNumber",
    "AmlOpaque",
    "AmlSequence",
    "AmlStruct",
    "AmlTag",
    "AmlTaggedStruct",
    "AmlTaggedUnion",
    "AmlText",
    "AmlType",
    "depth_of",
    "is_complete",
]

NUMBERS: Final[dict[str, tuple[int, int] | None]] = {
    "char": (-(1 << 7), (1 << 7) - 1),
    "uchar": (0, (1 << 8) - 1),
    "int": (-(1 << 15), (1 << 15) - 1),
    "uint": (0, (1 << 16) - 1),
    "long": (-(1 << 31), (1 << 31) - 1),
    "ulong": (0, (1 << 32) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint64": (0, (1 << 64) - 1),
    "float16": None,
    "float": None,
    "double": None,
}
"""Number words and what they hold; None for floating point (ASAP2, A2ML)."""


@dataclass(frozen=True, slots=True)
class AmlNumber:
    """One number.

    Attributes:
        kind: key of ``NUMBERS``.
    """

    kind: str


@dataclass(frozen=True, slots=True)
class AmlText:
    """One string of at most ``size`` characters."""

    size: int


@dataclass(frozen=True, slots=True)
class AmlArray:
    """A fixed count of equal elements."""

    element: AmlType
    size: int


@dataclass(frozen=True, slots=True)
class AmlEnum:
    """One word out of a list.

    Attributes:
        words: word → number.
        name: what it is referred to by; empty for none.
    """

    words: dict[str, int]
    name: str = ""


@dataclass(frozen=True, slots=True)
class AmlStruct:
    """Members in order.

    Attributes:
        members: their types.
        name: what it is referred to by; empty for none.
        required: leading members that must be there; None for all. A2ML has no word for this, it serves built-in
            definitions that are to read older and newer files alike.
    """

    members: tuple[AmlType, ...]
    name: str = ""
    required: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class AmlSequence:
    """One type any number of times."""

    element: AmlType


@dataclass(frozen=True, slots=True)
class AmlTag:
    """A tag and what follows it.

    Attributes:
        tag: the word.
        type: content; None when the tag stands alone.
        block: stands between ``/begin`` and ``/end``.
        repeated: may come more than once.
    """

    tag: str
    type: AmlType | None = None
    block: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class AmlTaggedStruct:
    """Any of the tags, in any order."""

    tags: tuple[AmlTag, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class AmlTaggedUnion:
    """One of the tags."""

    tags: tuple[AmlTag, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class AmlOpaque:
    """A type that is not known: a reference to something that is not there.

    Attributes:
        name: what was referred to.
    """

    name: str = ""


AmlType = (
    AmlNumber
    | AmlText
    | AmlArray
    | AmlEnum
    | AmlStruct
    | AmlSequence
    | AmlTaggedStruct
    | AmlTaggedUnion
    | AmlOpaque
)


@dataclass(frozen=True, slots=True)
class Aml:
    """What an A2ML text says.

    Attributes:
        root: the tags IF_DATA may have.
        named: named types in order of definition, as ``("struct", name) → type``.
        missing: included texts that were not there.
    """

    root: AmlTaggedUnion = AmlTaggedUnion(())
    named: dict[tuple[str, str], AmlType] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def tag(self, name: str) -> AmlTag | None:
        """What IF_DATA of a name holds; None when the text does not say."""
        return next((t for t in self.root.tags if t.tag == name), None)

    def with_tags(self, *tags: AmlTag) -> Aml:
        """The same with further tags of IF_DATA; present ones stay."""
        known = {t.tag for t in self.root.tags}
        more = tuple(t for t in tags if t.tag not in known)
        return replace(self, root=replace(self.root, tags=(*self.root.tags, *more)))


def _children(made: AmlType) -> Iterator[AmlType]:
    if isinstance(made, AmlStruct):
        yield from made.members
    elif isinstance(made, (AmlTaggedStruct, AmlTaggedUnion)):
        yield from (t.type for t in made.tags if t.type is not None)
    elif isinstance(made, (AmlSequence, AmlArray)):
        yield made.element


def depth_of(made: AmlType, known: dict[int, int]) -> int:
    """Levels of nesting.

    Args:
        made: the type.
        known: depths by identity, filled on the way so that shared parts are looked at once.
    """
    found = known.get(id(made))
    if found is None:
        found = known[id(made)] = 1 + max((depth_of(c, known) for c in _children(made)), default=0)
    return found


def is_complete(made: AmlType) -> bool:
    """True when nothing inside is unknown."""
    seen: set[int] = set()
    stack = [made]
    while stack:
        one = stack.pop()
        if isinstance(one, AmlOpaque):
            return False
        if id(one) not in seen:
            seen.add(id(one))
            stack.extend(_children(one))
    return True
