"""The keyword mechanism: a typed dataclass is the grammar of its keyword.

Fields without a default are the positional parameters, in order. A field with a default is an optional keyword
named like the field; ``list`` fields hold keywords that may repeat. A list marked with ``Rest`` is a positional
list that runs until something else begins. Parser, writer and checker all work from the same table.
"""

import re
import types
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    Protocol,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
)

from xcaliper.core.diagnostics import Where

__all__ = [
    "Entry",
    "Hex",
    "Ident",
    "Key",
    "Keyword",
    "Origin",
    "Param",
    "Places",
    "Ref",
    "Rest",
    "Since",
    "Table",
    "Text",
    "TokenOffsets",
    "Unit",
    "Until",
    "Words",
    "field",
    "keyword",
    "number_of",
    "table_of",
]

_INTEGER: Final = re.compile(r"[+-]?[0-9]+|[+-]?0[xX][0-9a-fA-F]+")

T = TypeVar("T")
Kind = Literal["ident", "text", "int", "num"]


@dataclass(frozen=True, slots=True)
class _Form:
    """How a plain value is spelled."""

    kind: Kind
    hexadecimal: bool = False


Ident = Annotated[str, _Form("ident")]
"""A bare word naming something."""
Text = Annotated[str, _Form("text")]
"""A quoted string."""
Hex = Annotated[int, _Form("int", hexadecimal=True)]
"""An integer that is customarily written in hexadecimal."""


@dataclass(frozen=True, slots=True)
class Since:
    """First version that has the keyword or parameter, as ``"1.60"``."""

    version: str


@dataclass(frozen=True, slots=True)
class Until:
    """Last version that has the keyword, as ``"1.51"``."""

    version: str


@dataclass(frozen=True, slots=True)
class Unit:
    """Unit of a number, for documentation and messages."""

    text: str


@dataclass(frozen=True, slots=True)
class Key:
    """Keyword of a field whose name differs from it."""

    name: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Marks a positional list without a count."""


@dataclass(frozen=True, init=False, slots=True)
class Ref:
    """An identifier that names another object; checks, renames and merges follow it.

    Attributes:
        targets: keywords of the objects that may be meant.
        none: words that mean "no object".
    """

    targets: tuple[str, ...]
    none: tuple[str, ...]

    def __init__(self, *targets: str, none: str | tuple[str, ...] = ()) -> None:
        object.__setattr__(self, "targets", targets)
        object.__setattr__(self, "none", (none,) if isinstance(none, str) else none)


@dataclass(frozen=True, init=False, slots=True)
class Words:
    """The words an enumeration field accepts; others are kept with a finding."""

    words: tuple[str, ...]

    def __init__(self, *words: str) -> None:
        object.__setattr__(self, "words", words)


class Places(Protocol):
    """Gives the place of an offset in a text."""

    def where(self, offset: int) -> Where:
        """Source, line and column of an offset."""
        ...


class TokenOffsets(Protocol):
    """Finds the tokens of a stretch of text again."""

    def __call__(self, index: int) -> tuple[int, int]:
        """Start and end of a token in the whole text."""
        ...

    def tokens(self, places: Places) -> Any:
        """All of them, as ``tokens.Tokens``."""
        ...


def _no_origin() -> None:
    return None


class Origin:
    """Where an object was read: a stretch of text and the tokens of the object in it.

    Attributes:
        places: gives places; also tells which text it is.
        tokens: finds the offsets of the stretch's tokens again.
        first: index of the keyword.
        last: index of the object's last token.
        block: it starts with ``/begin``, one token earlier.
    """

    __slots__ = ("block", "first", "last", "places", "tokens")

    def __init__(
        self,
        places: Places,
        tokens: TokenOffsets,
        first: int,
        block: bool,  # noqa: FBT001 -- made for every keyword, by position
    ) -> None:
        self.places = places
        self.tokens = tokens
        self.first = first
        self.last = first
        self.block = block

    def __deepcopy__(self, memo: dict[int, Any]) -> "Origin":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _no_origin, ()  # a text does not travel with every object

    def span(self) -> tuple[int, int]:
        """Start and end of the object in the text, block marks included."""
        return self.tokens(self.first - self.block)[0], self.tokens(self.last)[1]

    def where(self) -> Where:
        """Place of the keyword."""
        return self.places.where(self.tokens(self.first)[0])


class Keyword:
    """Base of every keyword class."""

    __slots__ = ("_origin",)

    KEYWORD: ClassVar[str] = ""
    BLOCK: ClassVar[bool] = False
    SINCE: ClassVar[str] = ""

    _origin: Origin

    @property
    def origin(self) -> Origin | None:
        """Where the object was read; None for objects made by hand."""
        return getattr(self, "_origin", None)

    @origin.setter
    def origin(self, origin: Origin) -> None:
        self._origin = origin

    @property
    def where(self) -> Where:
        """Place in the source, empty for objects made by hand."""
        origin = self.origin
        return Where() if origin is None else origin.where()

    @property
    def line(self) -> int:
        """1-based line of the keyword; 0 for objects made by hand."""
        return self.where.line

    @property
    def source(self) -> str:
        """Name of the text it stands in."""
        return self.where.source


@dataclass_transform(field_specifiers=(field,))
def keyword(name: str, *, block: bool = False, since: str = "") -> Callable[[type[T]], type[T]]:
    """Decorate a class as the grammar of one keyword.

    Args:
        name: the keyword.
        block: True when it stands between ``/begin`` and ``/end``.
        since: first version that has it, as ``"1.60"``.
    """

    def decorate(cls: type[T]) -> type[T]:
        made: Any = dataclass(slots=True)(cls)
        made.KEYWORD = name
        made.BLOCK = block
        made.SINCE = since
        return made  # type: ignore[no-any-return]

    return decorate


def number_of(word: str) -> int | float | None:
    """The number a word spells, decimal, hexadecimal or floating; None for other words."""
    if len(word) < 20 and word.isascii():
        if word.isdigit():
            return int(word)
        if word[:2] == "0x" and word[2:].isalnum():
            try:
                return int(word, 16)
            except ValueError:
                return None
    if _INTEGER.fullmatch(word):
        try:
            return int(word, 16) if "x" in word or "X" in word else int(word)
        except ValueError:  # more digits than Python converts
            return None
    if "_" in word:
        return None
    try:
        return float(word)
    except ValueError:
        return None


def _whole(word: str) -> int | None:
    """The integer a word spells; None for other words, fractions too."""
    if word.isdigit() and word.isascii() and len(word) < 20:
        return int(word)
    value = number_of(word)
    return value if type(value) is int else None


@dataclass(frozen=True, slots=True)
class Param:
    """One plain value: a positional parameter or the value of a one-value keyword.

    Attributes:
        attr: attribute that holds it.
        kind: how it is spelled.
        hexadecimal: written in hexadecimal.
        words: the words of an enumeration.
        ref: what it names.
        since: first version that has it.
        usual: gives the value of a word that is as it should be, None for others; None where any will do.
    """

    attr: str
    kind: Kind
    hexadecimal: bool = False
    words: frozenset[str] | None = None
    ref: Ref | None = None
    since: str = ""
    usual: Callable[[str], Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One optional keyword of a class.

    Attributes:
        name: the keyword.
        attr: attribute that holds it.
        mode: ``flag``, ``value`` (one plain value), ``values`` (a tuple) or ``object`` (a keyword class).
        cls: keyword class for ``object``.
        params: plain values for ``value``; the repeated element for ``values``.
        repeated: the attribute is a list.
        block: stands between ``/begin`` and ``/end``.
        since: first version, empty for always.
        until: last version, empty for still valid.
    """

    name: str
    attr: str
    mode: Literal["flag", "value", "values", "object"]
    cls: Any = None
    param: Param | None = None
    repeated: bool = False
    block: bool = False
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The grammar of one keyword class, compiled once.

    Attributes:
        cls: the keyword class.
        name: the keyword.
        block: stands between ``/begin`` and ``/end``.
        params: positional parameters in order.
        rest: the trailing list: attribute and its element parameters, or None.
        optional: optional keywords by name, in the order of the class.
    """

    cls: Any
    name: str
    block: bool
    params: tuple[Param, ...]
    rest: tuple[str, tuple[Param, ...]] | None
    optional: dict[str, Entry]


_PLAIN: Final[dict[Any, Kind]] = {str: "ident", int: "int", float: "num"}
_USUAL: Final[dict[Kind, Callable[[str], Any] | None]] = {
    "ident": None,
    "text": None,
    "int": _whole,
    "num": number_of,
}


def _unwrap(annotation: Any) -> tuple[Any, list[Any], bool]:
    """Bare type, all metadata, and whether None is allowed."""
    meta: list[Any] = []
    optional = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *more = get_args(annotation)
            meta.extend(more)
        elif origin in (Union, types.UnionType):
            args = [a for a in get_args(annotation) if a is not type(None)]
            assert len(args) == 1, "a field has one type, or one type and None"
            annotation = args[0]
            optional = True
        else:
            return annotation, meta, optional


def _find(meta: list[Any], kind: type[T]) -> T | None:
    return next((m for m in meta if isinstance(m, kind)), None)


def _param(attr: str, bare: Any, meta: list[Any]) -> Param:
    form = _find(meta, _Form)
    words = _find(meta, Words)
    since = _find(meta, Since)
    kind = form.kind if form else _PLAIN[bare]
    return Param(
        attr,
        kind,
        hexadecimal=form.hexadecimal if form else False,
        words=frozenset(words.words) if words else None,
        ref=_find(meta, Ref),
        since=since.version if since else "",
        usual={word: word for word in words.words}.get if words else _USUAL[kind],
    )


def _optional(attr: str, bare: Any, meta: list[Any]) -> Entry:
    key = _find(meta, Key)
    since = _find(meta, Since)
    until = _find(meta, Until)
    repeated = get_origin(bare) is list
    if repeated:
        bare, more, _ = _unwrap(get_args(bare)[0])
        meta = meta + more
    shared = {
        "name": key.name if key else attr.upper(),
        "attr": attr,
        "repeated": repeated,
        "since": since.version if since else "",
        "until": until.version if until else "",
    }
    if isinstance(bare, type) and issubclass(bare, Keyword):
        shared["name"] = bare.KEYWORD
        shared["since"] = shared["since"] or bare.SINCE
        return Entry(mode="object", cls=bare, block=bare.BLOCK, **shared)  # type: ignore[arg-type]
    if bare is bool:
        return Entry(mode="flag", **shared)  # type: ignore[arg-type]
    if get_origin(bare) is tuple:
        inner, more, _ = _unwrap(get_args(bare)[0])
        return Entry(mode="values", param=_param(attr, inner, meta + more), **shared)  # type: ignore[arg-type]
    return Entry(mode="value", param=_param(attr, bare, meta), **shared)  # type: ignore[arg-type]


def _rest(attr: str, bare: Any) -> tuple[str, tuple[Param, ...]]:
    element, meta, _ = _unwrap(get_args(bare)[0])
    if get_origin(element) is tuple:
        parts = [_unwrap(a) for a in get_args(element)]
        return attr, tuple(_param(attr, b, m) for b, m, _ in parts)
    return attr, (_param(attr, element, meta),)


@cache
def _compiled(cls: Any) -> Table:
    params: list[Param] = []
    rest: tuple[str, tuple[Param, ...]] | None = None
    optional: dict[str, Entry] = {}
    for item in fields(cls):
        bare, meta, _ = _unwrap(item.type)
        if _find(meta, Rest):
            rest = _rest(item.name, bare)
        elif item.default is MISSING and item.default_factory is MISSING:
            params.append(_param(item.name, bare, meta))
        else:
            entry = _optional(item.name, bare, meta)
            optional[entry.name] = entry
    return Table(cls, cls.KEYWORD, cls.BLOCK, tuple(params), rest, optional)


def table_of(cls: Any) -> Table:
    """The compiled grammar of a keyword class; compiled on first use."""
    return _compiled(cls)
