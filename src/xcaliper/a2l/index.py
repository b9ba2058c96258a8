"""Names to objects, and who refers to whom, from the ``Ref`` terms of the keyword classes."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from xcaliper.a2l.grammar import Keyword, Param, Table, table_of
from xcaliper.a2l.ifdata import A2ml, IfData
from xcaliper.a2l.keywords.project import Module
from xcaliper.a2l.lazy import Objects
from xcaliper.a2l.tokens import BEGIN, END, STRING, WORD, Tokens

__all__ = [
    "NAME_SPACES",
    "SERVANTS",
    "ModuleIndex",
    "Names",
    "Reference",
    "owner_of",
    "spans_of",
    "walk",
]

SERVANTS: Final = (
    "COMPU_METHOD",
    "COMPU_TAB",
    "COMPU_VTAB",
    "COMPU_VTAB_RANGE",
    "RECORD_LAYOUT",
    "UNIT",
    "TYPEDEF_AXIS",
    "TYPEDEF_BLOB",
    "TYPEDEF_CHARACTERISTIC",
    "TYPEDEF_MEASUREMENT",
    "TYPEDEF_STRUCTURE",
)
"""Keywords that are only there to be referred to."""

NAME_SPACES: Final[dict[str, tuple[str, ...]]] = {
    "object": ("AXIS_PTS", "BLOB", "CHARACTERISTIC", "INSTANCE", "MEASUREMENT"),
    "conversion table": ("COMPU_TAB", "COMPU_VTAB", "COMPU_VTAB_RANGE"),
    "typedef": (
        "TYPEDEF_AXIS",
        "TYPEDEF_BLOB",
        "TYPEDEF_CHARACTERISTIC",
        "TYPEDEF_MEASUREMENT",
        "TYPEDEF_STRUCTURE",
    ),
    "conversion": ("COMPU_METHOD",),
    "record layout": ("RECORD_LAYOUT",),
    "unit": ("UNIT",),
    "function": ("FUNCTION",),
    "group": ("GROUP",),
    "frame": ("FRAME",),
    "transformer": ("TRANSFORMER",),
}
"""Name spaces of a module and the keywords that share them (ASAP2, MODULE)."""

_SPACE_OF: Final = {kw: space for space, kws in NAME_SPACES.items() for kw in kws}


@dataclass(frozen=True, slots=True)
class Reference:
    """One place that names another object.

    Attributes:
        user: the object of the module that contains the place.
        holder: the keyword that has the parameter; the user itself or something inside it.
        attr: attribute of the holder.
        name: what is named.
        targets: keywords of what may be meant.
    """

    user: Keyword
    holder: Keyword
    attr: str
    name: str
    targets: tuple[str, ...]


def walk(made: Keyword) -> Iterator[Keyword]:
    """The keyword and every keyword inside it, outer ones first; IF_DATA and A2ML are leaves."""
    yield made
    cls: Any = type(made)
    for attr, repeated in _inner(cls):
        value = getattr(made, attr)
        if value is not None:
            for one in value if repeated else (value,):
                yield from walk(one)


@cache
def _inner(cls: Any) -> tuple[tuple[str, bool], ...]:
    """Attributes that hold keywords, and whether they are lists."""
    if issubclass(cls, (IfData, A2ml)):
        return ()
    optional = table_of(cls).optional.values()
    return tuple((entry.attr, entry.repeated) for entry in optional if entry.mode == "object")


def owner_of(name: str, owners: Container[str]) -> str:
    """The one of some objects that a name means or is a part of, as ``a.b`` of ``a.b.c[0]``; else empty."""
    if name in owners:
        return name
    cuts = [at for at, char in enumerate(name) if char in ".[" and at]
    return next((name[:at] for at in reversed(cuts) if name[:at] in owners), "")


class Names(Mapping[str, Any]):
    """Names of one name space with their objects, which are read when they are asked for.

    A block that turns out to be unreadable is no member once that is known.
    """

    __slots__ = ("_parts", "_pending", "_twice")

    def __init__(self) -> None:
        self._pending: list[tuple[str, Objects | None, list[Any]]] = []
        self._parts: list[tuple[str, Objects | None, dict[str, Any]]] = []
        self._twice: list[tuple[Objects | None, Any]] = []

    def add(self, keyword: str, objects: Any) -> None:
        """Take in the objects of one keyword; the first one of a name counts."""
        lazy = objects if isinstance(objects, Objects) else None
        self._pending.append((keyword, lazy, [] if lazy is not None else list(objects)))

    def _all(self) -> list[tuple[str, Objects | None, dict[str, Any]]]:
        """Dictionaries of all keywords; made when a name is first asked for."""
        pending, self._pending = self._pending, []
        for keyword, lazy, objects in pending:
            self._take(keyword, lazy, objects)
        return self._parts

    def _take(self, keyword: str, lazy: Objects | None, objects: list[Any]) -> None:
        items = objects if lazy is None else lazy.items()
        names = [made.name for made in items] if lazy is None else lazy.names()
        part = dict(zip(names, items, strict=True))
        others = [known for _, _, known in self._parts]
        if len(part) < len(items) or any(not known.keys().isdisjoint(part) for known in others):
            part = {}
            for name, item in zip(names, items, strict=True):
                if name in part or any(name in known for known in others):
                    self._twice.append((lazy, item))
                else:
                    part[name] = item
        self._parts.append((keyword, lazy, part))

    def _quick(self, name: str) -> tuple[Objects, int] | None:
        """The first object of a name, found without the dictionaries.

        Raises:
            LookupError: it takes the dictionaries to find out.
        """
        if self._parts or not self._pending:
            raise LookupError
        for _, lazy, objects in self._pending:
            numbers = None if lazy is None else lazy.find(name)
            if numbers is None and (lazy is not None or objects):
                raise LookupError
            if numbers and lazy is not None:
                return lazy, numbers[0]
        return None

    def __getitem__(self, name: str) -> Any:
        try:
            quick = self._quick(name)
        except LookupError:
            return self._by_dictionary(name)
        made = None if quick is None else quick[0].read(quick[1])
        if made is None:
            raise KeyError(name)
        return made

    def _by_dictionary(self, name: str) -> Any:
        for _, lazy, part in self._all():
            if name in part:
                item = part[name]
                made = item if lazy is None else lazy.read(item)
                if made is not None:
                    return made
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        try:
            return self._quick(str(name)) is not None
        except LookupError:
            pass
        return any(name in part for _, _, part in self._all())

    def __iter__(self) -> Iterator[str]:
        return (name for _, _, part in self._all() for name in part)

    def __len__(self) -> int:
        return sum(len(part) for _, _, part in self._all())

    def kinds(self) -> Iterator[tuple[str, str]]:
        """Names with keywords."""
        return ((name, keyword) for keyword, _, part in self._all() for name in part)

    def duplicates(self) -> Iterator[Any]:
        """Objects whose name was taken already."""
        self._all()
        for lazy, item in self._twice:
            made = item if lazy is None else lazy.read(item)
            if made is not None:
                yield made


class ModuleIndex:
    """Lookup in one module.

    Args:
        module: the module; changes made to it afterwards are not seen.

    Attributes:
        made: what was made of an object and serves again, by keyword and name; with the object.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self.made: dict[tuple[str, str], tuple[Any, Any]] = {}
        self._parts: list[Keyword] | None = None
        self.spaces: dict[str, Names] = {space: Names() for space in NAME_SPACES}
        for entry in table_of(Module).optional.values():
            space = _SPACE_OF.get(entry.name)
            if space is not None:
                self.spaces[space].add(entry.name, getattr(module, entry.attr))
        segments = module.mod_par.memory_segment if module.mod_par else []
        criteria = module.variant_coding.var_criterion if module.variant_coding else []
        self._extra: dict[str, dict[str, Any]] = {
            "MEMORY_SEGMENT": {s.name: s for s in segments},
            "VAR_CRITERION": {c.name: c for c in criteria},
        }

    @property
    def duplicates(self) -> list[Keyword]:
        """Objects whose name was taken already, the first of each name left out."""
        return [made for names in self.spaces.values() for made in names.duplicates()]

    def kinds(self, space: str) -> Iterator[tuple[str, str]]:
        """Names of a name space with their keywords; reads no objects."""
        return self.spaces[space].kinds()

    def find(self, name: str, *targets: str) -> Any | None:
        """The object of one of some kinds with a name; None when there is none.

        Args:
            name: the name, exactly.
            targets: keywords of the kinds, as in a ``Ref``.
        """
        for target in targets:
            space: Mapping[str, Any] | None = self._extra.get(target)
            if space is None:
                space = self.spaces[_SPACE_OF[target]]
            made = space.get(name)
            if made is not None and target == made.KEYWORD:
                return made
        return None

    def object(self, name: str) -> Any | None:
        """The measurement, characteristic, axis, blob or instance with a name."""
        return self.spaces["object"].get(name)

    def users(self) -> Iterator[Keyword]:
        """Every object directly below the module."""
        for entry in table_of(Module).optional.values():
            value: Any = getattr(self.module, entry.attr)
            if entry.mode == "object" and value is not None:
                yield from value if entry.repeated else (value,)

    def parts(self) -> list[Keyword]:
        """Every keyword of the module, outer ones first, as it was when first asked for."""
        if self._parts is None:
            self._parts = [made for user in self.users() for made in walk(user)]
        return self._parts

    def references(self) -> Iterator[Reference]:
        """Every place of the module that names another object; words for "none" are left out."""
        for user in self.users():
            for holder in walk(user):
                if not isinstance(holder, (IfData, A2ml)):
                    yield from _references(user, holder)

    def resolves(self, reference: Reference) -> bool:
        """True when the named object exists; parts of instances count by their first name."""
        name = reference.name
        if self.find(name, *reference.targets) is not None:
            return True
        if name.startswith("THIS."):
            return True
        head = owner_of(name, self.spaces["object"])
        made = self.object(head) if head and head != name else None
        return (made is not None and made.KEYWORD == "INSTANCE") or (
            made is not None and name.startswith(f"{head}[")
        )

    def dangling(self) -> Iterator[Reference]:
        """References to names that do not exist."""
        return (r for r in self.references() if not self.resolves(r))

    def users_of(self, name: str) -> Iterator[Reference]:
        """References to one name; reads only the objects whose text has it."""
        for entry in table_of(Module).optional.values():
            value: Any = getattr(self.module, entry.attr)
            if entry.mode != "object" or value is None:
                continue
            if isinstance(value, Objects):
                value = value.mentioning(name)
            for user in value if entry.repeated else (value,):
                for holder in walk(user):
                    if not isinstance(holder, (IfData, A2ml)):
                        yield from (r for r in _references(user, holder) if r.name == name)


def spans_of(reference: Reference) -> list[tuple[int, int]]:
    """Where a reference stands in the text of its document: start and end of each of its tokens.

    Empty for objects that were made by hand or whose values were changed since. A name in quotes has them in its span.
    """
    holder = reference.holder
    origin = holder.origin
    if origin is None:
        return []
    tokens = origin.tokens.tokens(origin.places)
    table = table_of(holder.__class__)
    first = origin.first + 1
    for at, param in enumerate(table.params):
        if param.attr == reference.attr:
            found = [first + at]
            break
    else:
        found = list(_places(reference, table, tokens, origin.last))
    return [tokens.span(at) for at in found if tokens.texts[at] == reference.name]


def _places(reference: Reference, table: Table, tokens: Tokens, last: int) -> Iterator[int]:
    """Indices of the tokens of an attribute that is a list or an optional keyword."""
    origin = reference.holder.origin
    assert origin is not None, "asked for by who has looked"
    at = origin.first + 1 + len(table.params)
    taking = table.rest is not None and table.rest[0] == reference.attr
    depth = 0
    while at <= last:
        kind = tokens.kinds[at]
        depth += (kind == BEGIN) - (kind == END)
        entry = table.optional.get(tokens.texts[at]) if kind == WORD and not depth else None
        if entry is not None and not (at > 0 and tokens.kinds[at - 1] in (BEGIN, END)):
            taking = entry.attr == reference.attr
            if taking and entry.mode == "value":
                yield at + 1
                taking = False
                at += 1
        elif kind not in (WORD, STRING):
            taking = False
        elif taking:
            yield at
        at += 1


def _references(user: Keyword, holder: Keyword) -> Iterator[Reference]:
    table = table_of(holder.__class__)
    for param in table.params:
        yield from _one(user, holder, param.attr, param, getattr(holder, param.attr))
    for entry in table.optional.values():
        if entry.param is not None and entry.param.ref is not None:
            value = getattr(holder, entry.attr)
            if value is not None:
                for one in value if entry.repeated or entry.mode == "values" else (value,):
                    yield from _one(user, holder, entry.attr, entry.param, one)
    if table.rest is not None:
        attr, params = table.rest
        for row in getattr(holder, attr):
            cells = row if len(params) > 1 else (row,)
            for param, value in zip(params, cells, strict=True):
                yield from _one(user, holder, attr, param, value)


def _one(
    user: Keyword, holder: Keyword, attr: str, param: Param, value: Any
) -> Iterator[Reference]:
    ref = param.ref
    if ref is not None and value not in ref.none:
        yield Reference(user, holder, attr, value, ref.targets)
