"""Names and patterns."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.quantity.catalog import Catalog

__all__ = ["exists", "expand_names", "nearest_names"]

_PLAIN: Final = frozenset({"MEASUREMENT", "CHARACTERISTIC", "AXIS_PTS"})


def nearest_names(catalog: Catalog, name: str) -> tuple[str, ...]:
    """Up to three existing names that look alike in any case, best first."""
    folded = {known.casefold(): known for known in catalog.names}
    return tuple(folded[one] for one in get_close_matches(name.casefold(), folded, n=3))


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
