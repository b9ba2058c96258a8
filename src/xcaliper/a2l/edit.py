"""Create, change, rename, remove and prune objects; everything else in the file stays as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Literal

from xcaliper.a2l.document import Patch
from xcaliper.a2l.grammar import Keyword, Param, table_of
from xcaliper.a2l.ifdata import A2ml, IfData
from xcaliper.a2l.index import NAME_SPACES, SERVANTS, ModuleIndex, Reference, owner_of
from xcaliper.a2l.keywords.project import Module, Project
from xcaliper.a2l.lines import bytes_of
from xcaliper.a2l.parse import A2lFile
from xcaliper.a2l.patch import insertion, patches_of, removal
from xcaliper.a2l.rename_parts import PART_KINDS, Mention, formulas_with, mentions, parts_of
from xcaliper.a2l.write import write
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.core.progress import counted

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    from xcaliper.core.progress import Progress

__all__ = ["PRUNABLE", "Editor", "Renamed", "space_of"]

PRUNABLE: Final = (*SERVANTS, "GROUP")
"""Objects that only serve others, so that an unused one may go."""

_END_PROJECT: Final = re.compile(rb"/end\s+PROJECT")
_SPACE_OF: Final = {kw: space for space, kws in NAME_SPACES.items() for kw in kws}
_NEEDED: Final = frozenset({"axis_pts_ref", "curve_axis_ref", "compu_tab_ref"})
_PARTS: Final = frozenset({"VAR_CHARACTERISTIC", "STRUCTURE_COMPONENT"})

References = Literal["refuse", "clean", "cascade"]


def space_of(keyword: str) -> str:
    """Name space of a kind of object of a module; empty when it has no name that others use."""
    return _SPACE_OF.get(keyword, "")


@dataclass(frozen=True, slots=True)
class Renamed:
    """A rename that was done.

    Attributes:
        keyword: kind of the object.
        old: its name before.
        new: its name now.
        references: how many places were rewritten.
        mentions: places in IF_DATA that have the old name and keep it, as their meaning is unknown.
    """

    keyword: str
    old: str
    new: str
    references: int
    mentions: tuple[Mention, ...] = ()


@dataclass(slots=True)
class Editor:
    """Edits a description that was read, object by object.

    The objects change at once; ``apply`` brings the text after them. Only the words that differ are exchanged, so
    comments, order and the spelling of everything else stay.

    Attributes:
        file: the description.
    """

    file: A2lFile
    _dirty: dict[int, Keyword] = field(default_factory=dict)
    _added: dict[int, tuple[Any, str, Keyword]] = field(default_factory=dict)
    _gone: dict[int, tuple[int, int]] = field(default_factory=dict)
    _patches: list[Patch] = field(default_factory=list)

    # ---- text

    def apply(self, progress: Progress | None = None) -> None:
        """Bring the text after the objects; may be called again after further edits.

        Args:
            progress: told how many of many changed objects are in the text.

        Raises:
            UsageError: an edit overlaps one that was made to the text directly.
        """
        document = self.file.document
        if document is None:
            return
        patches: list[Patch] = []
        gone = sorted(self._gone.values())
        for start, stop in gone:
            patches.append(removal(document, start, stop))
        spans = sorted(
            ((document.span(made), made) for made in self._dirty.values()),
            key=lambda pair: (pair[0][0], -pair[0][1]),
        )
        reach = -1
        for (start, stop), made in counted(spans, "texts changed", len(spans), progress):
            if start >= reach and not any(a <= start and stop <= b for a, b in gone):
                patches += patches_of(document, made)
                reach = stop
        patches += self._insertions()
        document.edit(patches, instead_of=self._patches)
        self._patches = patches

    def to_bytes(self) -> bytes:
        """The file with all edits.

        Raises:
            A2lError: an edit cannot be said in the file's encoding.
        """
        self.apply()
        return self.file.to_bytes()

    def _insertions(self) -> Iterator[Patch]:
        document = self.file.document
        assert document is not None, "only called for files with a text"
        anchors: dict[tuple[int, str], tuple[int, tuple[int, int] | None]] = {}
        for owner, attr, made in self._added.values():
            if isinstance(owner, A2lFile):
                yield Patch(0, 0, write(made).replace("\n", document.newline()))
                continue
            if isinstance(owner, Project):
                yield self._module_patch(made)
                continue
            key = (id(owner), attr)
            if key not in anchors:
                anchors[key] = self._anchor(owner, attr)
            offset, like = anchors[key]
            if like is not None:
                yield insertion(document, offset, made, like)
                continue
            text = write(made).rstrip("\n").replace("\n", document.newline())
            yield Patch(offset, offset, document.newline() + text + document.newline())

    def _module_patch(self, made: Keyword) -> Patch:
        """A new module before the end of the project, or at the end of a text that lacks it."""
        document = self.file.document
        assert document is not None, "only called for files with a text"
        text = bytes_of(document.text)
        ends = list(_END_PROJECT.finditer(text))
        at = ends[-1].start() if ends else len(text)
        made_text = write(made).replace("\n", document.newline())
        return Patch(at, at, made_text if text[max(0, at - 1) : at] in b"\n" else f" {made_text}")

    def _anchor(self, owner: Any, attr: str) -> tuple[int, tuple[int, int] | None]:
        """Where a new object goes: behind the last one of its kind, else behind the last of all."""
        document = self.file.document
        assert document is not None, "only called for files with a text"
        spans: list[tuple[int, int]] = []
        for entry in table_of(type(owner)).optional.values():
            value = getattr(owner, entry.attr)
            if entry.mode != "object" or value is None:
                continue
            own = value if entry.repeated else [value]
            last = next((one for one in reversed(own) if self._is_old(one)), None)
            if last is None:
                continue
            if entry.attr == attr:
                span = document.span(last)
                return span[1], span
            spans.append(document.span(last))
        if spans:
            span = max(spans, key=lambda one: one[1])
            return span[1], span
        origin = owner.origin
        if origin is None:  # a text without MODULE
            return len(document.text), None
        return origin.tokens(origin.first + len(table_of(type(owner)).params))[1], None

    def _is_old(self, made: Keyword) -> bool:
        return made.origin is not None and made.origin.places is self.file.document

    # ---- edits

    def touch(self, *objects: Keyword) -> None:
        """Say that objects were changed from outside; for new parts, give the object that was read."""
        for made in objects:
            if self._is_old(made):
                self._dirty[id(made)] = made

    def change(self, made: Keyword, **values: Any) -> None:
        """Set attributes of an object, or of something inside it.

        Args:
            made: an object of the file.
            values: new values by attribute.

        Raises:
            UsageError: there is no such attribute; names are changed by ``rename``.
        """
        known = {item.name for item in fields(made)}  # type: ignore[arg-type]  # a dataclass
        for attr in values:
            if attr not in known:
                raise UsageError(
                    f"{made.KEYWORD}: it has no attribute {attr}.",
                    hint=f"It has {', '.join(sorted(known))}.",
                )
            if attr == "name" and _SPACE_OF.get(made.KEYWORD):
                raise UsageError(f"{made.KEYWORD}: its name has references.", hint="Use rename.")
        for attr, value in values.items():
            setattr(made, attr, value)
        self.touch(made)

    def assign(self, made: Keyword, other: Keyword) -> None:
        """Give an object all values of another one of its kind, which must not be used any more."""
        for item in fields(made):  # type: ignore[arg-type]  # keyword classes are dataclasses
            setattr(made, item.name, getattr(other, item.name))
        self.touch(made)

    def add_module(self, module: Module) -> None:
        """Put a new module behind those of the project.

        Raises:
            UsageError: the file has no project, or the name is taken.
        """
        project = self.file.project
        if project is None:
            raise UsageError("MODULE: the file has no PROJECT.", hint="Add its objects instead.")
        if any(other.name == module.name for other in project.module):
            raise UsageError(f"MODULE {module.name}: the name is taken.", hint="Join the modules.")
        project.module.append(module)
        self._added[id(module)] = (project, "module", module)

    def add(self, module: Module, made: Keyword) -> None:
        """Put a new object into a module.

        Args:
            module: a module of the file.
            made: an object that is not in the file yet.

        Raises:
            UsageError: the name is taken, or a module has no such objects.
        """
        entry = next(
            (
                e
                for e in table_of(Module).optional.values()
                if e.mode == "object" and e.cls is type(made)
            ),
            None,
        )
        if entry is None:
            raise UsageError(
                f"{made.KEYWORD}: a module does not contain it.", hint="Add it to its owner."
            )
        space = _SPACE_OF.get(made.KEYWORD)
        name = str(getattr(made, "name", ""))
        if space and name in ModuleIndex(module).spaces[space]:
            raise UsageError(
                f"{made.KEYWORD} {name}: the name is taken.", hint="Choose another, or rename."
            )
        self._put(module, entry.attr, entry.repeated, made)

    def add_all(self, module: Module, objects: Iterable[Keyword]) -> None:
        """Put many new objects into a module whose names are known to be free."""
        entries = {e.cls: e for e in table_of(Module).optional.values() if e.mode == "object"}
        for made in objects:
            entry = entries[type(made)]
            self._put(module, entry.attr, entry.repeated, made)

    def _put(self, owner: Any, attr: str, repeated: bool, made: Keyword) -> None:  # noqa: FBT001 -- private
        if self._is_old(made) and id(made) not in self._gone:
            raise UsageError(f"{made.KEYWORD}: it is in the file.", hint="Make a copy of it.")
        if repeated:
            getattr(owner, attr).append(made)
        else:
            if getattr(owner, attr) is not None:
                raise UsageError(
                    f"{made.KEYWORD}: it may stand once.", hint="Change the one that is there."
                )
            setattr(owner, attr, made)
        if isinstance(owner, Keyword) and not isinstance(owner, Module):
            self.touch(owner)
        else:
            self._added[id(made)] = (owner, attr, made)

    def set_version(self, version: str) -> None:
        """Declare another version of the format.

        Args:
            version: as ``"1.71"``.
        """
        from xcaliper.a2l.keywords.project import Asap2Version

        first, _, second = version.partition(".")
        declared = self.file.asap2_version
        if declared is None:
            declared = self.file.asap2_version = Asap2Version(int(first), int(second))
            self._added[id(declared)] = (self.file, "asap2_version", declared)
            return
        declared.version_no, declared.upgrade_no = int(first), int(second)
        self.touch(declared)

    def rename(self, module: Module, names: Mapping[str, str], kind: str = "") -> list[Renamed]:
        """Give objects other names, in every place that names them; IF_DATA stay as they are.

        Members of an instance follow, as ``engine.speed`` follows ``engine``; so does ``sysc(NAME)`` in formulas.

        Args:
            module: where they are.
            names: new names by old names.
            kind: keyword or name space of the objects; needed only when a name means several things, and for
                memory segments, system constants and criteria of variants.

        Raises:
            NotFoundError: there is no object of a name.
            UsageError: a new name is taken or no identifier, or an old one is ambiguous.
        """
        if kind in PART_KINDS:
            return self._rename_parts(module, names, kind)
        if kind and kind not in _SPACE_OF and kind not in NAME_SPACES:
            raise UsageError(
                f"{kind}: there are no names of this kind.",
                hint=f"Use one of {', '.join([*_SPACE_OF, *PART_KINDS])}.",
            )
        index = ModuleIndex(module)
        chosen = {old: self._chosen(index, old, kind) for old in names}
        spaces = {old: _SPACE_OF[made.KEYWORD] for old, made in chosen.items()}
        self._free(index, names, spaces)
        counts = dict.fromkeys(names, 0)
        for user in index.users():
            changes: dict[tuple[int, str, int], tuple[Any, dict[str, str]]] = {}
            for holder, attr, column, param, value in _places(user):
                head = owner_of(value, names)
                if not head or param.ref is None:
                    continue
                tail = value[len(head) :]
                targets = {_SPACE_OF.get(t, t) for t in param.ref.targets}
                if spaces[head] not in targets or (tail and spaces[head] != "object"):
                    continue
                if tail and value in index.spaces["object"]:
                    continue
                key = (id(holder), attr, column)
                changes.setdefault(key, (holder, {}))[1][value] = names[head] + tail
                counts[head] += 1
            for (_, attr, column), (holder, new) in changes.items():
                _put_names(holder, attr, column, new)
            if changes:
                self.touch(user)
        for old, made in chosen.items():
            made.name = names[old]
            self.touch(made)
        left = list(mentions(index.users(), names))
        return [
            Renamed(
                chosen[old].KEYWORD, old, new, counts[old], tuple(m for m in left if m.name == old)
            )
            for old, new in names.items()
        ]

    def _rename_parts(self, module: Module, names: Mapping[str, str], kind: str) -> list[Renamed]:
        """Give things that have no place of their own in a module other names."""
        parts = parts_of(module, kind)
        _check_parts(parts, names, kind)
        counts = dict.fromkeys(names, 0)
        users = list(ModuleIndex(module).users())
        for user in users:
            changes: dict[tuple[int, str, int], tuple[Any, dict[str, str]]] = {}
            for holder, attr, column, param, value in _places(user):
                if value in names and param.ref is not None and kind in param.ref.targets:
                    key = (id(holder), attr, column)
                    changes.setdefault(key, (holder, {}))[1][value] = names[value]
                    counts[value] += 1
            for (_, attr, column), (holder, new_names) in changes.items():
                _put_names(holder, attr, column, new_names)
            if changes:
                self.touch(user)
        for user, found in formulas_with(users, names) if kind == "SYSTEM_CONSTANT" else ():
            self.touch(user)
            counts = {old: count + found.get(old, 0) for old, count in counts.items()}
        for old, new in names.items():
            holder, part = parts[old]
            part.name = new
            self.touch(holder)
        return [Renamed(kind, old, new, counts[old]) for old, new in names.items()]

    def _chosen(self, index: ModuleIndex, name: str, kind: str) -> Any:
        found = [
            made
            for space, kws in NAME_SPACES.items()
            if (made := index.spaces[space].get(name)) is not None
            and kind in ("", space, made.KEYWORD)
        ]
        if not found:
            known = [n for names in index.spaces.values() for n in names]
            raise NotFoundError(
                name, kind=kind or "object", nearest=tuple(get_close_matches(name, known, 3))
            )
        if len(found) > 1:
            kinds = ", ".join(made.KEYWORD for made in found)
            raise UsageError(
                f"{name}: it names several objects: {kinds}.",
                hint=f"Say which kind; in the shell, --kind {found[0].KEYWORD}.",
            )
        return found[0]

    def _free(
        self, index: ModuleIndex, names: Mapping[str, str], spaces: Mapping[str, str]
    ) -> None:
        targets: set[tuple[str, str]] = set()
        for old, new in names.items():
            space = spaces[old]
            taken = new in index.spaces[space] and new not in names
            _check_identifier(new)
            if taken or (space, new) in targets:
                raise UsageError(f"{new}: the name is taken.", hint="Choose another name.")
            targets.add((space, new))

    def remove(
        self, module: Module, objects: Iterable[Keyword], *, references: References = "refuse"
    ) -> list[Keyword]:
        """Take objects out of a module; gives everything that went.

        Args:
            module: where they are.
            objects: the objects.
            references: what to do about places that name them: ``refuse``; ``clean`` takes the names out of lists
                and optional keywords and refuses where an object cannot do without; ``cascade`` removes such
                objects, too.

        Raises:
            UsageError: there are references that forbid it.
        """
        leaving: dict[int, Any] = {id(made): made for made in objects}
        result: dict[int, Any] = dict(leaving)
        while leaving:
            index = ModuleIndex(module)
            names = {
                (_SPACE_OF.get(made.KEYWORD, made.KEYWORD), made.name)
                for made in leaving.values()
                if hasattr(made, "name")
            }
            leaving = self._release(index, names, result, references)
            result.update(leaving)
        self._drop(module, result)
        return list(result.values())

    def _release(
        self,
        index: ModuleIndex,
        names: set[tuple[str, str]],
        leaving: Mapping[int, Any],
        references: References,
    ) -> dict[int, Any]:
        """Clean the places that name leaving objects; gives objects that cannot do without."""
        objects = {name for space, name in names if space == "object"}
        needed: list[tuple[Reference, Keyword]] = []
        cleaned: dict[tuple[int, str], tuple[Keyword, Any, Param, set[str]]] = {}
        for user in index.users():
            if id(user) in leaving:
                continue
            for holder, attr, _, param, value in _places(user):
                assert param.ref is not None, "only places with a reference are given"
                spaces = {_SPACE_OF.get(t, t) for t in param.ref.targets}
                whole = any((space, value) in names for space in spaces)
                part = "object" in spaces and bool(owner_of(value, objects))
                if not whole and not (part and value not in index.spaces["object"]):
                    continue
                reference = Reference(user, holder, attr, value, param.ref.targets)
                if references == "refuse" or not _can_clean(holder, attr, param):
                    needed.append((reference, user))
                else:
                    key = (id(holder), attr)
                    cleaned.setdefault(key, (user, holder, param, set()))[3].add(value)
        if needed and references != "cascade":
            first = needed[0][0]
            more = f" and {len(needed) - 1} more" if len(needed) > 1 else ""
            raise UsageError(
                f"{first.name}: {first.user.KEYWORD} {getattr(first.user, 'name', '')}".rstrip()
                + f" needs it{more}.",
                hint="Remove the references first, or let them be cleaned or removed, too.",
            )
        for (_, attr), (user, holder, param, gone) in cleaned.items():
            _clean(holder, attr, param, gone)
            self.touch(user)
        more_leaving: dict[int, Any] = {}
        for reference, user in needed:
            if not self._without_part(user, reference.holder):
                more_leaving[id(user)] = user
        return more_leaving

    def _without_part(self, user: Keyword, holder: Keyword) -> bool:
        """Remove a part that may go alone; False when the whole object depends on it."""
        if holder.KEYWORD not in _PARTS:
            return False
        for entry in table_of(type(user)).optional.values():
            if entry.cls is type(holder):
                kept = [one for one in getattr(user, entry.attr) if one is not holder]
                setattr(user, entry.attr, kept)
                self.touch(user)
                return True
        return False

    def adopt(self, module: Module, before: Mapping[str, list[Keyword]]) -> None:
        """Take over what was done to a module directly: objects changed, put in or taken out.

        Args:
            module: a module of the file, as it is now.
            before: what :meth:`inventory` gave for it before the changes.
        """
        document = self.file.document
        now = self.inventory(module)
        for attr, objects in now.items():
            known = {id(made) for made in before.get(attr, [])}
            for made in objects:
                if id(made) in known:
                    self.touch(made)
                else:
                    self._added[id(made)] = (module, attr, made)
        for attr, objects in before.items():
            kept = {id(made) for made in now.get(attr, [])}
            for made in objects:
                if id(made) not in kept and document is not None and self._is_old(made):
                    self._gone[id(made)] = document.span(made)

    @staticmethod
    def inventory(module: Module) -> dict[str, list[Keyword]]:
        """Objects of a module by attribute, in order; all of them are read."""
        found: dict[str, list[Keyword]] = {}
        for entry in table_of(Module).optional.values():
            if entry.mode == "object":
                value = getattr(module, entry.attr)
                held = list(value) if entry.repeated else [value]
                found[entry.attr] = [made for made in held if made is not None]
        return found

    def drop(self, module: Module, objects: Iterable[Keyword]) -> None:
        """Take objects out whose names are given to others at once; references stay."""
        self._drop(module, {id(made): made for made in objects})

    def _drop(self, module: Module, leaving: Mapping[int, Any]) -> None:
        document = self.file.document
        kinds = {type(made) for made in leaving.values()}
        for entry in table_of(Module).optional.values():
            if entry.cls not in kinds or entry.mode != "object":
                continue
            held = getattr(module, entry.attr)
            if entry.repeated:
                setattr(module, entry.attr, [one for one in held if id(one) not in leaving])
            elif id(held) in leaving:
                setattr(module, entry.attr, None)
        for key, made in leaving.items():
            self._dirty.pop(key, None)
            if self._added.pop(key, None) is None and document is not None:
                self._gone[key] = document.span(made)

    def prune(self, module: Module, kinds: Iterable[str] = PRUNABLE) -> list[Keyword]:
        """Remove conversions, tables, layouts, units, typedefs and empty groups that nobody uses.

        What becomes unused by that goes, too.

        Args:
            module: where to look.
            kinds: keywords out of ``PRUNABLE``.

        Raises:
            UsageError: a kind is not one of them.
        """
        wanted = set(kinds)
        if wanted - set(PRUNABLE):
            odd = ", ".join(sorted(wanted - set(PRUNABLE)))
            raise UsageError(f"{odd}: it cannot be unused.", hint=f"Use {', '.join(PRUNABLE)}.")
        index = ModuleIndex(module)
        using: dict[int, set[tuple[str, str]]] = {}
        counts: dict[tuple[str, str], int] = {}
        for user in index.users():
            mine = {
                (_SPACE_OF.get(t, t), value)
                for _, _, _, param, value in _places(user)
                if param.ref is not None
                for t in param.ref.targets
            }
            own = (_SPACE_OF.get(user.KEYWORD, ""), str(getattr(user, "name", "")))
            using[id(user)] = mine - {own}
            for key in using[id(user)]:
                counts[key] = counts.get(key, 0) + 1
        left = [made for made in index.users() if made.KEYWORD in wanted]
        gone: dict[int, Any] = {}
        while True:
            unused = [made for made in left if self._unused(made, counts)]
            if not unused:
                break
            for made in unused:
                gone[id(made)] = made
                for key in using[id(made)]:
                    counts[key] -= 1
            left = [made for made in left if id(made) not in gone]
            self._empty_groups(index, unused)
        self._drop(module, gone)
        return list(gone.values())

    def _unused(self, made: Any, counts: Mapping[tuple[str, str], int]) -> bool:
        if made.KEYWORD == "GROUP":
            lists = (made.ref_characteristic, made.ref_measurement, made.sub_group)
            functions = made.function_list
            return not any(one.names for one in (*lists, functions) if one) and not made.if_data
        return counts.get((_SPACE_OF[made.KEYWORD], made.name), 0) == 0

    def _empty_groups(self, index: ModuleIndex, unused: list[Any]) -> None:
        """Take groups that go out of the lists of others."""
        names = {made.name for made in unused if made.KEYWORD == "GROUP"}
        if not names:
            return
        for user in index.users():
            for holder, attr, _, param, value in list(_places(user)):
                if param.ref is not None and "GROUP" in param.ref.targets and value in names:
                    _clean(holder, attr, param, names)
                    self.touch(user)


def _check_parts(parts: Mapping[str, Any], names: Mapping[str, str], kind: str) -> None:
    for old, new in names.items():
        if old not in parts:
            raise NotFoundError(old, kind=kind, nearest=tuple(get_close_matches(old, parts, 3)))
        _check_identifier(new)
        if (new in parts and new not in names) or list(names.values()).count(new) > 1:
            raise UsageError(f"{new}: the name is taken.", hint="Choose another name.")


def _check_identifier(new: str) -> None:
    if not new or any(c.isspace() or c in '"/' for c in new):
        raise UsageError(f"{new!r}: it is no identifier.", hint="Use letters, digits, _ and dots.")


def _places(user: Keyword) -> Iterator[tuple[Any, str, int, Param, str]]:
    """Every place in an object that names another one: holder, attribute, column, parameter and name."""
    from xcaliper.a2l.index import walk

    for holder in walk(user):
        if isinstance(holder, (IfData, A2ml)):
            continue
        table = table_of(type(holder))
        plain = [*table.params, *(e.param for e in table.optional.values() if e.param is not None)]
        for param in plain:
            value = getattr(holder, param.attr)
            if param.ref is None or value is None:
                continue
            for one in (value,) if isinstance(value, str) else value:
                if one not in param.ref.none:
                    yield holder, param.attr, -1, param, one
        if table.rest is not None:
            attr, params = table.rest
            for column, param in enumerate(params):
                if param.ref is None:
                    continue
                for row in getattr(holder, attr):
                    yield holder, attr, column, param, row[column] if len(params) > 1 else row


def _put_names(holder: Any, attr: str, column: int, names: Mapping[str, str]) -> None:
    """Exchange names in their place, all at once."""
    value = getattr(holder, attr)
    if isinstance(value, str):
        setattr(holder, attr, names[value])
        return
    made = [
        (*row[:column], names.get(row[column], row[column]), *row[column + 1 :])
        if isinstance(row, tuple)
        else names.get(row, row)
        for row in value
    ]
    setattr(holder, attr, made if isinstance(value, list) else tuple(made))


def _can_clean(holder: Any, attr: str, param: Param) -> bool:
    """True when a place may do without the name."""
    table = table_of(type(holder))
    if table.rest is not None and table.rest[0] == attr:
        formula = any(p.attr == "formula" for p in table.params)
        return len(table.rest[1]) == 1 and not formula and holder.KEYWORD != "MAP_LIST"
    if param.ref is not None and param.ref.none:
        return True
    return attr not in _NEEDED and any(e.attr == attr for e in table.optional.values())


def _clean(holder: Any, attr: str, param: Param, names: Container[str]) -> None:
    """Take names out of their place."""
    value = getattr(holder, attr)
    if isinstance(value, list):
        setattr(holder, attr, [one for one in value if one not in names])
    elif param.ref is not None and param.ref.none:
        setattr(holder, attr, param.ref.none[0])
    else:
        setattr(holder, attr, None)
