"""Names and patterns."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from xcaliper.core.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.quantity.catalog import Catalog

__all__ = ["expand_names"]


def expand_names(catalog: Catalog, names: str | Iterable[str]) -> list[str]:
    """Names and patterns as names, each once, in order of asking and of the description.

    Raises:
        NotFoundError: nothing has this name; carries the nearest ones.
    """
    found: dict[str, None] = {}
    for name in [names] if isinstance(names, str) else names:
        matches = catalog.find(name)
        if not matches:
            folded = {known.casefold(): known for known in catalog.names}
            near = get_close_matches(name.casefold(), folded, n=3)
            raise NotFoundError(
                name, kind="name in the description", nearest=tuple(folded[one] for one in near)
            )
        found.update(dict.fromkeys(matches))
    return list(found)
