"""``xcaliper a2l show | diff | merge | convert | format | rename | prune``: compare and change descriptions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from xcaliper.cli.a2l_change import NO_TARGET, Change, Target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.a2l import A2lFile

__all__ = ["convert", "diff", "format_text", "merge", "prune", "rename", "show"]

_SHOWN = 40

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Json = Annotated[bool, Parameter(negative=(), show_default=False)]


def show(
    file: Path,
    /,
    *names: str,
    references: Flag = False,
    outside: Flag = False,
    json: Json = False,
) -> int:
    """Show objects as they stand in the file.

    Args:
        file: the A2L file.
        names: names of objects of any kind; * and ? are wildcards.
        references: also list who names them.
        outside: includes may lie outside of the file's folder.
        json: one JSON object per object, with its text and users.
    """
    from xcaliper.a2l.index import ModuleIndex
    from xcaliper.cli.shell import print_json, stdout
    from xcaliper.core.errors import UsageError

    if not names:
        raise UsageError("show: no name given.", hint="xcaliper a2l show ecu.a2l 'Engine*'")
    tree = _read(file, outside=outside)
    console = stdout()
    indices = [ModuleIndex(module) for module in tree.modules]
    missing = _missing(indices, names)
    for index in indices:
        users = _users(index) if references or json else {}
        for made in _chosen(index, names):
            text = _text_of(tree, made)
            where = made.where
            of_it = [u for n, targets, u in users.get(made.name, ()) if made.KEYWORD in targets]
            if json:
                print_json(
                    {
                        "keyword": made.KEYWORD,
                        "name": made.name,
                        "file": where.source or str(file),
                        "line": where.line,
                        "text": text,
                        "used_by": of_it,
                    }
                )
                continue
            console.print(f"{where}", style="dim", markup=False, soft_wrap=True)
            console.print(text, markup=False, soft_wrap=True)
            for user in of_it:
                console.print(f"  used by {user}", style="dim", markup=False, soft_wrap=True)
    if missing is not None:
        raise missing
    return 0


def diff(
    old: Path,
    new: Path,
    /,
    *,
    addresses: Literal["also", "only", "never"] = "also",
    outside: Flag = False,
    json: Json = False,
) -> int:
    """Compare two descriptions by meaning. Exit code 6 when they differ.

    Order of objects, layout, comments and the spelling of numbers do not count. Objects that seem to have another
    name now are suggested.

    Args:
        old: the A2L file before.
        new: the A2L file after.
        addresses: tell changed addresses also, only, or never.
        outside: includes may lie outside of the files' folders.
        json: print all differences as one JSON object.
    """
    from xcaliper.a2l.diff import diff as compare
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK, errors, print_json, stdout, working

    before, after = _read(old, outside=outside), _read(new, outside=outside)
    with working("Comparing …", before, after) as told:
        found = compare(before, after, progress=told)
        if addresses != "also":
            found = found.addresses(addresses)
    if json:
        print_json(found.as_dict())
    else:
        if found:
            stdout().print(found.text(), markup=False, soft_wrap=True)
        errors().print(found.summary(), markup=False)
    return EXIT_FOUND if found else EXIT_OK


def merge(
    first: Path,
    /,
    *others: Path,
    conflict: Literal["fail", "first", "second", "rename"] = "fail",
    modules: Literal["join", "by-name"] = "join",
    target: Target = NO_TARGET,
    json: Json = False,
) -> int:
    """Put descriptions into the first one; groups and functions of equal names are united.

    Args:
        first: the A2L file that takes the objects; its own text stays.
        others: A2L files whose objects come in, one after the other.
        conflict: where objects of a name differ: fail, keep the first or the second one, or rename the second one
            with its references.
        modules: modules of equal names are joined; join puts others into the first one, by-name keeps them beside it.
        target: where the result goes.
        json: print the report as one JSON object.
    """
    from xcaliper.a2l.merge import merge as run_merge
    from xcaliper.cli.shell import print_json, stdout, working
    from xcaliper.core.errors import UsageError

    if not others:
        raise UsageError(
            "merge: a second file is needed.",
            hint="xcaliper a2l merge a.a2l b.a2l --out both.a2l",
        )
    tree = _read(first, outside=target.outside)
    work = Change(first, tree, target)
    reports = []
    editor = None
    for other in others:
        given = _read(other, outside=target.outside)
        with working(f"Merging {other.name} …", tree, given) as told:
            editor, report = run_merge(
                tree, given, conflict=conflict, modules=modules, progress=told
            )
            editor.apply(told)
        reports.append((other, report))
        if other != others[-1]:
            tree = _again(tree, first)
    if json:
        reported = [{"file": str(other), **report.as_dict()} for other, report in reports]
        print_json({"merged": reported, **work.save(tree)})
        return 0
    facts = work.save(tree)
    for other, report in reports:
        _lines(str(one) for one in report.objects if one.action not in ("added", "same"))
        counts = ", ".join(f"{n} {action}" for action, n in sorted(report.counts().items()))
        stdout().print(f"{other.name}: {counts or 'nothing'}", markup=False, soft_wrap=True)
    work.tell(facts)
    return 0


def convert(
    file: Path,
    /,
    *,
    to: Literal["1.50", "1.51", "1.60", "1.61", "1.70", "1.71"],
    expand: bool = True,
    target: Target = NO_TARGET,
    json: Json = False,
) -> int:
    """Bring a description to another version of ASAP2. Exit code 6 when something cannot be said in it.

    Args:
        file: the A2L file.
        to: the version.
        expand: put plain objects in place of instances, for versions without them.
        target: where the result goes.
        json: print the report as one JSON object.
    """
    from xcaliper.a2l.convert import convert as run_convert
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK, print_json, stdout, working
    from xcaliper.quantity.flatten import flatten

    tree = _read(file, outside=target.outside)
    work = Change(file, tree, target)
    with working(f"Converting {file.name} …", tree) as told:
        result = run_convert(tree, to, expand=flatten if expand else None, progress=told)
        result.editor.apply(told)
    if json:
        print_json({**result.as_dict(), **work.save(tree)})
    else:
        facts = work.save(tree)
        _lines(str(note) for note in result.notes)
        rewritten = len(result.notes) - len(result.lost)
        text = f"{result.source} to {to}: {rewritten} rewritten, {len(result.lost)} cannot be said"
        stdout().print(text, markup=False)
        work.tell(facts)
    return EXIT_FOUND if result.lost else EXIT_OK


def format_text(
    file: Path,
    /,
    *,
    order: Literal["keep", "name", "address"] = "keep",
    target: Target = NO_TARGET,
    json: Json = False,
) -> int:
    """Lay a description out anew, sorted on request. Exit code 6 when something does not come along.

    Comments stay beside what they stood at; parts that could not be read are listed and left out.

    Args:
        file: the A2L file; included files become part of it.
        order: keep the order of objects, or sort those of each keyword by name or address.
        target: where the result goes.
        json: print the report as one JSON object.
    """
    from xcaliper.a2l.tidy import tidy
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK, print_json, working

    tree = _read(file, outside=target.outside)
    work = Change(file, tree, target)
    with working(f"Formatting {file.name} …", tree) as told:
        found = tidy(tree, order=order, progress=told)
    encoding = tree.document.sources[0].encoding if tree.document else "utf-8"
    try:
        data = found.text.encode(encoding)
    except UnicodeEncodeError:
        data = found.text.encode()
    if json:
        lost = [{"code": d.slug, "line": d.where.line, "text": d.text} for d in found.lost]
        print_json({"lost": lost, **work.save(tree, data)})
    else:
        facts = work.save(tree, data)
        _lines(str(one) for one in found.lost)
        work.tell(facts)
    return EXIT_FOUND if found.lost else EXIT_OK


def rename(
    file: Path,
    old: str,
    new: str,
    /,
    *,
    kind: str = "",
    target: Target = NO_TARGET,
    json: Json = False,
) -> int:
    """Give an object another name, in every place that names it; tells where IF_DATA mentions it and stays.

    Args:
        file: the A2L file.
        old: its name.
        new: its new name.
        kind: keyword of the object, when the name means several; MEMORY_SEGMENT, SYSTEM_CONSTANT and VAR_CRITERION
            must be said.
        target: where the result goes.
        json: print the report as one JSON object.
    """
    from xcaliper.a2l.edit import Editor
    from xcaliper.cli.shell import print_json, stdout, working
    from xcaliper.core.errors import NotFoundError

    tree = _read(file, outside=target.outside)
    work = Change(file, tree, target)
    editor = Editor(tree)
    done = []
    with working(f"Renaming {old} …", tree) as told:
        missing: NotFoundError | None = None
        for module in tree.modules:
            try:
                done += editor.rename(module, {old: new}, kind.upper())
            except NotFoundError as error:
                missing = missing or error
        if missing is not None and not done:
            raise missing
        editor.apply(told)
    work.renamed = {(one.keyword, one.old): one.new for one in done}
    if json:
        renamed = [
            {
                "keyword": d.keyword,
                "old": d.old,
                "new": d.new,
                "references": d.references,
                "mentions": [str(one) for one in d.mentions],
            }
            for d in done
        ]
        print_json({"renamed": renamed, **work.save(tree)})
        return 0
    facts = work.save(tree)
    for one in done:
        text = f"{one.keyword} {one.old} -> {one.new}, {one.references} references"
        stdout().print(text, markup=False, soft_wrap=True)
    _lines(str(mention) for one in done for mention in one.mentions)
    work.tell(facts)
    return 0


def prune(
    file: Path,
    /,
    *,
    kind: Annotated[list[str] | None, Parameter(negative=())] = None,
    target: Target = NO_TARGET,
    json: Json = False,
) -> int:
    """Remove conversions, tables, layouts, units, typedefs and empty groups that nobody uses.

    Args:
        file: the A2L file.
        kind: only this keyword, as COMPU_METHOD; may be repeated.
        target: where the result goes.
        json: print the report as one JSON object.
    """
    from xcaliper.a2l.edit import PRUNABLE, Editor
    from xcaliper.cli.shell import print_json, stdout, working

    tree = _read(file, outside=target.outside)
    work = Change(file, tree, target)
    editor = Editor(tree)
    with working(f"Looking for users in {file.name} …", tree) as told:
        kinds = [one.upper() for one in kind] if kind else PRUNABLE
        gone: list[Any] = [made for m in tree.modules for made in editor.prune(m, kinds)]
        editor.apply(told)
    if json:
        removed = [{"keyword": made.KEYWORD, "name": made.name} for made in gone]
        print_json({"removed": removed, **work.save(tree)})
        return 0
    facts = work.save(tree)
    _lines(f"- {made.KEYWORD} {made.name}" for made in gone)
    stdout().print(f"{len(gone)} unused", markup=False)
    work.tell(facts)
    return 0


# ---- what they share


def _read(file: Path, *, outside: bool = False) -> A2lFile:
    from xcaliper.cli.shell import working
    from xcaliper.client.a2l_source import read_a2l

    with working(f"Reading {file.name} …") as told:
        tree = read_a2l(file, outside=outside, progress=told)
        _ = tree.module  # an error when there is none
    return tree


def _again(tree: A2lFile, file: Path) -> A2lFile:
    """The description with its edits as if it had been read."""
    from xcaliper.a2l import parse
    from xcaliper.core.errors import UsageError

    if tree.document is not None and len(tree.document.sources) > 1:
        raise UsageError(
            "merge: a file with includes takes one other file at a time.",
            hint="Merge step by step.",
        )
    return parse(tree.to_bytes(), source=str(file))


def _lines(lines: Iterable[str]) -> None:
    """Lines on standard output, cut to a screen."""
    from xcaliper.cli.shell import stdout

    console = stdout()
    every = list(lines)
    for line in every[:_SHOWN]:
        console.print(line, markup=False, soft_wrap=True)
    if len(every) > _SHOWN:
        console.print(f"… and {len(every) - _SHOWN} more; --json has all", markup=False)


def _matching(index: Any, pattern: str) -> list[Any]:
    """Objects of a module that a name or wildcard means."""
    from fnmatch import fnmatchcase

    found: list[Any] = []
    for space in index.spaces.values():
        made = space.get(pattern)
        if made is not None:
            found.append(made)
        elif any(c in pattern for c in "*?"):
            found += [space[name] for name in list(space) if fnmatchcase(name, pattern)]
    return found


def _chosen(index: Any, names: tuple[str, ...]) -> list[Any]:
    """Objects of some names, each once."""
    every = (made for pattern in names for made in _matching(index, pattern))
    return list({id(made): made for made in every}.values())


def _missing(indices: list[Any], names: tuple[str, ...]) -> Exception | None:
    """An error for the first name that no module has."""
    from difflib import get_close_matches

    from xcaliper.core.errors import NotFoundError

    for name in names:
        if not any(_matching(index, name) for index in indices):
            every = [n for index in indices for space in index.spaces.values() for n in space]
            return NotFoundError(
                name, kind="object", nearest=tuple(get_close_matches(name, every, 3))
            )
    return None


def _users(index: Any) -> dict[str, list[tuple[str, tuple[str, ...], str]]]:
    """Who names what: by name, the kinds that may be meant and the user."""
    found: dict[str, list[tuple[str, tuple[str, ...], str]]] = {}
    for ref in index.references():
        user = f"{ref.user.KEYWORD} {getattr(ref.user, 'name', '')}".rstrip()
        row = (ref.name, ref.targets, user)
        if row not in found.setdefault(ref.name, []):
            found[ref.name].append(row)
    return found


def _text_of(tree: A2lFile, made: Any) -> str:
    """Text of an object as it stands in the file, with the indent of its first line."""
    document = tree.document
    assert document is not None, "the description was read from a file"
    start, stop = document.span(made)
    text = document.text[start:stop].decode("utf-8", "replace").replace("\r\n", "\n")
    return f"{document.indent_of(start)}{text}"
