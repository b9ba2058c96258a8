"""Parameters by function and group of the description (ASAP2, FUNCTION and GROUP), and copies of them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.lazy import Objects
from xcaliper.calib.entries import CollectionInfo
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.instance import expand, locate, wholes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.quantity.catalog import Catalog

__all__ = [
    "copy_entries",
    "functions_of",
    "is_read_only",
    "known_functions",
    "names_of_function",
    "names_of_group",
    "without_read_only",
]

_PARAMETERS: Final = frozenset(("characteristic", "axis_pts", "blob"))
_MAY_WRITE: Final = (None, "CALIBRATION")
_TOLD: Final = 8


def names_of_function(catalog: Catalog, *functions: str, deep: bool = True) -> tuple[str, ...]:
    """Names of the parameters of functions, each once; those of an instance singly.

    A function has what it defines (DEF_CHARACTERISTIC) and what names it in FUNCTION_LIST; one that defines
    nothing has what it refers to (REF_CHARACTERISTIC).

    Args:
        catalog: names and descriptions.
        functions: names of functions.
        deep: functions inside of them as well (SUB_FUNCTION).

    Raises:
        NotFoundError: no such function.
    """
    listed = _listing(catalog)
    found: dict[str, None] = {}
    for made in _tree(catalog, functions, "FUNCTION", "sub_function", deep=deep):
        own = [*_names(made.def_characteristic), *listed.get(made.name, ())]
        found.update(dict.fromkeys(own or _names(made.ref_characteristic)))
    return tuple(_expanded(catalog, found))


def names_of_group(catalog: Catalog, *groups: str, deep: bool = True) -> tuple[str, ...]:
    """Names of the parameters of groups, each once; those of functions that a group lists as well.

    Args:
        catalog: names and descriptions.
        groups: names of groups.
        deep: groups inside of them as well (SUB_GROUP).

    Raises:
        NotFoundError: no such group.
    """
    found: dict[str, None] = {}
    for made in _tree(catalog, groups, "GROUP", "sub_group", deep=deep):
        found.update(dict.fromkeys(_expanded(catalog, _names(made.ref_characteristic))))
        known = [n for n in _names(made.function_list) if catalog.index.find(n, "FUNCTION")]
        if known:
            found.update(dict.fromkeys(names_of_function(catalog, *known, deep=deep)))
    return tuple(found)


def functions_of(catalog: Catalog) -> Callable[[str], tuple[str, ...]]:
    """What gives the functions of a parameter by its name: those that define it, else those that refer to it."""
    defined: dict[str, list[str]] = {}
    referred: dict[str, list[str]] = {}
    for made in catalog.index.module.function:
        for part, into in (
            (made.def_characteristic, defined),
            (made.ref_characteristic, referred),
        ):
            for name in _names(part):
                into.setdefault(name, []).append(made.name)
    for function, names in _listing(catalog).items():
        for name in names:
            known = defined.setdefault(name, [])
            if function not in known:
                known.append(function)

    def find(name: str) -> tuple[str, ...]:
        found = defined.get(name) or referred.get(name)
        if "." in name or "[" in name:  # a structure may be listed as a whole
            parts = wholes_of(name)
            lists = (table[one] for table in (defined, referred) for one in parts if one in table)
            found = next(lists, None)
        return tuple(found or ())

    return find


def known_functions(catalog: Catalog) -> tuple[CollectionInfo, ...]:
    """What the description tells of its functions."""
    return tuple(
        CollectionInfo(made.name, made.function_version or "", made.long_identifier)
        for made in catalog.index.module.function
    )


def copy_entries(
    source: ParameterSet, target: ParameterSet, names: Iterable[str], *, axes: bool = False
) -> ParameterSet:
    """A set with some entries taken from another one, in every variant that the other one has.

    Args:
        source: where values come from.
        target: the set to change.
        names: what to take, as :func:`names_of_function` gives it; names that the source does not have
            are left as they are.
        axes: take the shared axes of tables as well; other tables may use them too.
    """
    wanted = dict.fromkeys(names)
    if axes:
        for name in tuple(wanted):
            for entry in source.of(name):
                wanted.update(dict.fromkeys(axis.ref for axis in entry.axes if axis.ref))
    return target.with_entries(entry for name in wanted for entry in source.of(name))


def _names(part: Any) -> list[str]:
    return list(part.names) if part is not None else []


def _tree(
    catalog: Catalog, names: Iterable[str], keyword: str, inner: str, *, deep: bool
) -> Iterator[Any]:
    """Objects of names and what is inside of them, each once; a tree that closes in itself ends."""
    waiting = list(names)[::-1]
    first = set(waiting)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        made = catalog.index.find(name, keyword)
        if made is None and name in first:
            known = list(catalog.index.spaces[keyword.lower()])
            nearest = tuple(get_close_matches(name, known, n=3))
            raise NotFoundError(name, kind=keyword.lower(), nearest=nearest)
        if made is None or name in seen:
            continue
        seen.add(name)
        yield made
        if deep:
            waiting.extend(_names(getattr(made, inner))[::-1])


def _listing(catalog: Catalog) -> dict[str, list[str]]:
    """Function → parameters that name it in FUNCTION_LIST."""
    found: dict[str, list[str]] = {}
    module = catalog.index.module
    parts: tuple[Any, ...] = (module.characteristic, module.axis_pts)
    for objects in parts:
        some = objects.mentioning("FUNCTION_LIST") if isinstance(objects, Objects) else objects
        for made in some:
            for function in _names(made.function_list):
                found.setdefault(function, []).append(made.name)
    return found


def _expanded(catalog: Catalog, names: Iterable[str]) -> Iterator[str]:
    """Names of parameters; an instance, or a structure inside of one, gives those inside of it."""
    index = catalog.index
    opened: dict[str, dict[str, None]] = {}
    for name in names:
        made = index.object(name)
        wholes = wholes_of(name) if made is None else [name]
        whole = next((o for one in wholes if (o := index.object(one)) is not None), None)
        if whole is None or whole.KEYWORD != "INSTANCE":
            yield name
            continue
        if whole.name not in opened:
            parts = (part for part, kind in expand(index, whole) if kind in _PARAMETERS)
            opened[whole.name] = dict.fromkeys(parts)
        known = opened[whole.name]
        if made is not None:
            yield from known
        elif name in known:
            yield name
        else:
            inside = (f"{name}.", f"{name}[")
            yield from [part for part in known if part.startswith(inside)] or [name]


def is_read_only(catalog: Catalog, name: str) -> bool:
    """True where the description forbids to calibrate a parameter (ASAP2, READ_ONLY and CALIBRATION_ACCESS).

    Args:
        catalog: names and descriptions.
        name: of the parameter; an unknown one is not read-only.
    """
    try:
        found = locate(catalog.index, name, ag=catalog.ag)
    except UsageError:
        return False
    if found is None:
        return False
    return bool(getattr(found.made, "read_only", False)) or found.access not in _MAY_WRITE


def without_read_only(
    catalog: Catalog, names: Iterable[str], on_problem: Callable[[Diagnostic], None]
) -> list[str]:
    """The names that may be calibrated: what a set for writing is made of.

    Args:
        catalog: names and descriptions.
        names: of parameters.
        on_problem: told once of all that are left out.
    """
    given = list(names)
    fixed = dict.fromkeys(one for one in given if is_read_only(catalog, one))
    if not fixed:
        return given
    more = f" and {len(fixed) - _TOLD} more" if len(fixed) > _TOLD else ""
    text = f"left out, the description calls them read-only: {', '.join(list(fixed)[:_TOLD])}{more}"
    on_problem(Diagnostic(Severity.INFO, "read-only", Where(), text))
    return [one for one in given if one not in fixed]
