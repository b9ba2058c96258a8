"""Two descriptions become one: objects side by side, groups and functions united, conflicts by a rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from xcaliper.a2l.clone import clone
from xcaliper.a2l.diff import compare
from xcaliper.a2l.edit import Editor, space_of
from xcaliper.a2l.grammar import Keyword, table_of
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.project import Module
from xcaliper.a2l.merge_defaults import (
    defaults_of,
    hold_back,
    joined_defaults,
    spell_out,
    unsaid,
)
from xcaliper.a2l.parse import A2lFile
from xcaliper.core.errors import PlanError
from xcaliper.core.progress import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.core.progress import Progress

__all__ = ["Conflict", "MergeReport", "Merged", "merge", "merge_modules"]

Conflict = Literal["fail", "first", "second", "rename"]
Action = Literal["added", "same", "kept", "replaced", "renamed", "joined", "spelled", "unsaid"]

_JOINED: Final = frozenset(
    {"FUNCTION", "GROUP", "MOD_COMMON", "MOD_PAR", "USER_RIGHTS", "VARIANT_CODING"}
)
_REMARKS: Final = frozenset({"comment", "long_identifier"})
_MAX_ROUNDS: Final = 100


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of one object of the second description.

    Attributes:
        action: ``added``; ``same`` as in the first; ``kept`` the first one; ``replaced`` it; ``renamed`` and added;
            ``joined`` with the first one; ``spelled``: it also says now what its module said for it; ``unsaid``: it
            relies on something its module said, for which it has no word.
        keyword: kind of the object.
        name: its name in the second description.
        note: new name, or what differed.
    """

    action: Action
    keyword: str
    name: str
    note: str = ""

    def __str__(self) -> str:
        head = f"{self.action} {self.keyword} {self.name}".rstrip()
        return f"{head}: {self.note}" if self.note else head


@dataclass(slots=True)
class MergeReport:
    """What became of the objects of the second description.

    Attributes:
        objects: one entry per object, in the order of keywords; then one per word that objects got, or lack.
    """

    objects: list[Merged] = field(default_factory=list)

    def of(self, action: Action) -> list[Merged]:
        """Entries of one action."""
        return [one for one in self.objects if one.action == action]

    def counts(self) -> dict[str, int]:
        """How many objects there are of each action."""
        return dict(Counter(one.action for one in self.objects))

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "counts": self.counts(),
            "objects": [
                {"action": o.action, "keyword": o.keyword, "name": o.name, "note": o.note}
                for o in self.objects
            ],
        }


def merge(
    first: A2lFile,
    second: A2lFile,
    *,
    conflict: Conflict = "fail",
    modules: Literal["join", "by-name"] = "join",
    progress: Progress | None = None,
) -> tuple[Editor, MergeReport]:
    """Put a description into another one; whatever the first one had stays byte for byte.

    Objects read from memory as before: where the modules differ in BYTE_ORDER, DEPOSIT or alignments, objects that
    leave these to MOD_COMMON get words of their own. With the rule ``second`` these are objects of the first one, too.

    Args:
        first: takes the objects; it is changed.
        second: gives them; it is not changed.
        conflict: what happens where both have different objects of a name: ``fail``, keep the ``first`` or the
            ``second`` one, or ``rename`` that of the second together with its references.
        modules: modules of equal names are joined; ``join`` puts the objects of others into the first module,
            ``by-name`` keeps them beside it.
        progress: told how many objects are merged, for large files.

    Returns:
        The editor of the first description, to write it, and the report.

    Raises:
        PlanError: objects are in conflict and the rule is to fail; nothing was changed.
    """
    editor = Editor(first)
    report = MergeReport()
    pairs: list[tuple[Module, Module | None]] = []
    known = {module.name: module for module in first.modules}
    for module in second.modules:
        into = known.get(module.name, None if modules == "by-name" else first.module)
        pairs.append((module, into))
    problems = [
        problem
        for module, into in pairs
        if into is not None and conflict == "fail"
        for problem in _problems(into, _adapted(into, module))
    ]
    if problems:
        raise PlanError(
            "Merge",
            tuple(problems),
            hint="Choose what happens to conflicts: first, second or rename.",
        )
    for module, into in pairs:
        if into is None:
            editor.add_module(clone(module))
            report.objects.append(Merged("added", "MODULE", module.name))
        else:
            merge_modules(editor, into, module, conflict, report, progress)
    if _number(second.version) > _number(first.version):
        editor.set_version(second.version)
    return editor, report


def merge_modules(
    editor: Editor,
    into: Module,
    module: Module,
    conflict: Conflict,
    report: MergeReport,
    progress: Progress | None = None,
) -> None:
    """Put the objects of a module into another one.

    Args:
        editor: of the file that takes the objects.
        into: a module of that file.
        module: gives the objects; it is not changed.
        conflict: as in ``merge``; ``fail`` must have been checked before.
        report: what happened is added here.
        progress: as in ``merge``.
    """
    given = clone(module)
    second = conflict == "second"
    wanted = joined_defaults(into, module, second_wins=second)
    notes = _spelled(given, wanted)
    if second:
        own = _spelled(into, wanted)
        for made, _ in own.values():
            editor.touch(made)
        report.objects += _notes(own)
    hold_back(given, wanted, into)
    names = _renamed(into, given) if conflict == "rename" else {}
    work = _Work(editor, into, given, conflict, report)
    back = {(space, new): old for (space, old), new in names.items()}
    every = list(_objects(given))
    for made in counted(every, "objects merged", len(every), progress):
        old = back.get((space_of(made.KEYWORD), getattr(made, "name", "")))
        work.take(made, old)
    work.finish()
    came = {id(made) for made in work.came}
    report.objects += _notes({key: note for key, note in notes.items() if key in came})


_Notes = dict[int, tuple[Any, list[tuple[Action, str]]]]


def _spelled(module: Module, wanted: dict[str, Any]) -> _Notes:
    """Objects that got words for what their module said, or have none, by their identity."""
    own = defaults_of(module)
    found: _Notes = {}
    if own == wanted:
        return found
    for one in spell_out(module, own, wanted):
        found.setdefault(id(one.made), (one.made, []))[1].append(("spelled", one.words))
    for lack in unsaid(module, own, wanted):
        found.setdefault(id(lack.made), (lack.made, []))[1].append(("unsaid", lack.text))
    return found


def _notes(notes: _Notes) -> Iterator[Merged]:
    for made, told in notes.values():
        yield from (Merged(action, made.KEYWORD, _label(made), text) for action, text in told)


def _adapted(into: Module, module: Module) -> Module:
    """A module as it goes into another one, words of its own for what differs; itself where nothing does."""
    wanted = joined_defaults(into, module, second_wins=False)
    if defaults_of(module) == wanted:
        return module
    given = clone(module)
    _spelled(given, wanted)
    return given


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _objects(module: Module) -> Iterator[Any]:
    for entry in table_of(Module).optional.values():
        value: Any = getattr(module, entry.attr)
        if entry.mode == "object" and value is not None:
            yield from list(value) if entry.repeated else (value,)


def _label(made: Any) -> str:
    return str(getattr(made, "name", getattr(made, "user_level_id", "")))


class _Known:
    """The objects of a module by what tells them apart; a name that several have leads to all of them."""

    def __init__(self, module: Module) -> None:
        self.spaces = ModuleIndex(module).spaces
        self.objects: dict[tuple[str, str], list[Any]] = {}
        for made in _objects(module):
            self.objects.setdefault(self.key(made), []).append(made)

    @staticmethod
    def key(made: Any) -> tuple[str, str]:
        return space_of(made.KEYWORD) or made.KEYWORD, _label(made)

    def counterpart(self, made: Any) -> Any | None:
        """The object that an object of the other module would collide with: an equal one if there is one."""
        known = self.objects.get(self.key(made), [])
        equal = (one for one in known if one.KEYWORD == made.KEYWORD and one == made)
        return next(equal, known[0] if known else None)


def _differences(known: Any, made: Any) -> list[str]:
    """Paths of what cannot be true of both objects; for objects that are joined, only what contradicts."""
    if known.KEYWORD != made.KEYWORD:
        return [f"{known.KEYWORD} and {made.KEYWORD}"]
    if made.KEYWORD in _JOINED:
        return _join(clone(known), made, second=False)[1]
    return [change.path for change in compare(known, made)]


def _problems(into: Module, module: Module) -> Iterator[str]:
    known = _Known(into)
    for made in _objects(module):
        other = known.counterpart(made)
        differing = _differences(other, made) if other is not None else []
        if differing:
            yield (
                f"{made.KEYWORD} {_label(made)}".rstrip()
                + f" differs in {', '.join(differing[:3])}"
            )


def _renamed(into: Module, given: Module) -> dict[tuple[str, str], str]:
    """Give objects in conflict free names, until none is left; gives the new names by space and old name."""
    editor = Editor(A2lFile(fragment=given))
    known = _Known(into)
    done: dict[tuple[str, str], str] = {}
    for _ in range(_MAX_ROUNDS):
        wanted: dict[str, dict[str, str]] = {}
        index = ModuleIndex(given)
        for made in _objects(given):
            space = space_of(made.KEYWORD)
            if not space or made.KEYWORD in _JOINED:
                continue
            other = known.counterpart(made)
            if other is None or not _differences(other, made):
                continue
            names = wanted.setdefault(space, {})
            names[made.name] = _free(made.name, space, known, index, names)
        if not wanted:
            break
        for space, names in wanted.items():
            editor.rename(given, names, space)
            done.update({(space, old): new for old, new in names.items()})
    return done


def _free(name: str, space: str, known: _Known, index: ModuleIndex, taken: dict[str, str]) -> str:
    number = 2
    while True:
        new = f"{name}_{number}"
        used = new in known.spaces[space] or new in index.spaces[space]
        if not used and new not in taken.values():
            return new
        number += 1


class _Work:
    """One merge of modules in progress."""

    def __init__(
        self, editor: Editor, into: Module, given: Module, conflict: Conflict, report: MergeReport
    ) -> None:
        self.editor = editor
        self.into = into
        self.given = given
        self.conflict = conflict
        self.report = report
        self.known = _Known(into)
        self.new: list[Keyword] = []
        self.came: list[Any] = []
        self.gone: list[Keyword] = []

    def take(self, made: Any, old_name: str | None) -> None:
        """Decide about one object."""
        other = self.known.counterpart(made)
        if other is None:
            self.new.append(made)
            self.came.append(made)
            if old_name is None:
                self.say("added", made)
            else:
                entry = Merged("renamed", made.KEYWORD, old_name, made.name)
                self.report.objects.append(entry)
            return
        if made.KEYWORD in _JOINED and other.KEYWORD == made.KEYWORD:
            self.join(other, made)
            return
        differing = _differences(other, made)
        if not differing:
            self.say("same", made)
        elif self.conflict == "second":
            self.replace(other, made)
            self.came.append(made)
            self.say("replaced", made, ", ".join(differing[:5]))
        else:
            self.say("kept", made, ", ".join(differing[:5]))

    def say(self, action: Action, made: Any, note: str = "") -> None:
        self.report.objects.append(Merged(action, made.KEYWORD, _label(made), note))

    def join(self, other: Any, made: Any) -> None:
        added, differing = _join(other, made, second=self.conflict == "second")
        if added or (differing and self.conflict == "second"):
            self.editor.touch(other)
        if not added and not differing:
            self.say("same", made)
            return
        notes = [f"{added} added"] if added else []
        if differing:
            whose = "second" if self.conflict == "second" else "first"
            notes.append(f"{whose} counts in {', '.join(differing[:5])}")
        self.say("joined", made, "; ".join(notes))

    def replace(self, other: Any, made: Any) -> None:
        """The second object takes the place of the first one."""
        if other.KEYWORD != made.KEYWORD:
            self.gone.append(other)
            self.new.append(made)
            return
        self.editor.assign(other, made)

    def finish(self) -> None:
        """Change the file."""
        if self.gone:
            self.editor.drop(self.into, self.gone)
        self.editor.add_all(self.into, self.new)


def _join(known: Any, made: Any, *, second: bool) -> tuple[int, list[str]]:
    """Bring what an object has more into another one; gives how much that was, and what contradicts."""
    table = table_of(type(made))
    added = 0
    differing: list[str] = []
    for param in table.params:
        before, now = getattr(known, param.attr), getattr(made, param.attr)
        if before != now and param.attr not in _REMARKS:
            differing.append(param.attr)
            if second:
                setattr(known, param.attr, now)
    if table.rest is not None:
        added += _join_names(known, made, table.rest[0])
    for entry in table.optional.values():
        before, now = getattr(known, entry.attr), getattr(made, entry.attr)
        if now is None or now is False or before == now:
            continue
        if entry.repeated:
            more_in, odd = _join_lists(before, now, second=second)
            added += more_in
            differing += [f"{entry.attr}.{path}" for path in odd]
        elif before is None or before is False:
            setattr(known, entry.attr, now)
            added += 1
        elif entry.mode == "object":
            more_in, odd = _join(before, now, second=second)
            added += more_in
            differing += [f"{entry.attr}.{path}" for path in odd]
        else:
            differing.append(entry.attr)
            if second:
                setattr(known, entry.attr, now)
    return added, differing


def _join_names(known: Any, made: Any, attr: str) -> int:
    """Elements of a list that are new; gives how many."""
    held = getattr(known, attr)
    have = set(held)
    more = [one for one in dict.fromkeys(getattr(made, attr)) if one not in have]
    if more:
        setattr(known, attr, [*held, *more])
    return len(more)


def _join_lists(held: list[Any], more: list[Any], *, second: bool) -> tuple[int, list[str]]:
    """Inner objects: those of new names come in, others must be equal."""
    added = 0
    differing: list[str] = []
    names = {one.name: one for one in held if hasattr(one, "name")}
    for one in more:
        if any(one == other for other in held):
            continue
        other = names.get(one.name) if hasattr(one, "name") else None
        if other is None:
            held.append(one)
            added += 1
            continue
        differing.append(str(one.name))
        if second:
            held[next(at for at, have in enumerate(held) if have is other)] = one
    return added, differing
