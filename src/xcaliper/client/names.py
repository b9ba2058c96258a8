"""Names and patterns."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.quantity.catalog import Catalog

__all__ = ["exists", "expand_names", "names_of", "nearest_names"]

_PLAIN: Final = frozenset({"MEASUREMENT", "CHARACTERISTIC", "AXIS_PTS"})


def nearest_names(catalog: Catalog, name: str) -> tuple[str, ...]:
    """Up to three existing names that look alike in any case, best first."""
    folded = {known.casefold(): known for known in catalog.names}
    return tuple(folded[one] for one in get_close_matches(name.casefold(), folded, n=3))


def names_of(catalog: Catalog, pattern: str, kind: str) -> list[str]:
    """Names that match; kind is ``all``, ``measurement``, ``characteristic`` or ``axis``.

    Raises:
        UsageError: no such kind.
    """
    pools = {
        "all": catalog.names,
        "measurement": catalog.measurements,
        "characteristic": catalog.characteristics,
        "axis": catalog.axis_pts,
    }
    if kind not in pools:
        raise UsageError(f"kind {kind!r} is none of {', '.join(pools)}.")
    pool = set(pools[kind])
    return [name for name in catalog.find(pattern) if name in pool]


def expand_names(catalog: Catalog, names: str | Iterable[str]) -> list[str]:
    """Names and patterns as names, each once, in order of asking and of the description.

    Raises:
        NotFoundError: nothing has this name; carries the nearest ones.
    """
    found: dict[str, None] = {}
    for name in [names] if isinstance(names, str) else names:
        matches = [name] if _is_plain(catalog, name) else catalog.find(name)
        if not matches:
            raise NotFoundError(
                name, kind="name in the description", nearest=nearest_names(catalog, name)
            )
        found.update(dict.fromkeys(matches))
    return list(found)


def _is_plain(catalog: Catalog, name: str) -> bool:
    """True for the exact name of an object; told without a look at all the others."""
    made = catalog.index.object(name)
    return made is not None and made.KEYWORD in _PLAIN


def exists(catalog: Catalog, name: str) -> bool:
    """True when a name or pattern means something."""
    return _is_plain(catalog, name) or bool(catalog.find(name))
