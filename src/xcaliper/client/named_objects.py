"""What a live connection and an image in a file share: objects of a description, by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from xcaliper.client.names import expand_names, names_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xcaliper.client.named_values import NamedValues
    from xcaliper.quantity.catalog import Catalog

__all__ = ["NamedObjects"]


class NamedObjects(ABC):
    """Names, patterns and values of a description over whatever memory holds them."""

    _named: NamedValues

    @property
    @abstractmethod
    def catalog(self) -> Catalog:
        """Every object of the description.

        Raises:
            UsageError: there is no description.
        """

    def names(self, pattern: str = "*", *, kind: str = "all") -> list[str]:
        """Names that match; kind is ``all``, ``measurement``, ``characteristic`` or ``axis``.

        Raises:
            UsageError: no such kind.
        """
        return names_of(self.catalog, pattern, kind)

    def expand(self, names: str | Iterable[str]) -> list[str]:
        """Names and patterns as names, each once, in order.

        Raises:
            NotFoundError: a name does not exist; carries the nearest ones.
        """
        return expand_names(self.catalog, names)

    def describe(self, name: str) -> dict[str, Any]:
        """What the description says about an object, ready for JSON.

        Raises:
            NotFoundError: no such name.
        """
        return self._named.describe(name)

    def read(self, name: str | Iterable[str], *, raw: bool = False) -> Any:
        """Values by name: a number, text, array or :class:`~xcaliper.calib.values.Table`.

        Args:
            name: one name; or several names and patterns, which gives a dict.
            raw: ECU values instead of physical ones.

        Raises:
            GapError: an image does not hold it; tells the parameter and what is missing.
            NotFoundError: no such name; carries the nearest ones.
        """
        return self._named.read(name, raw=raw)

    def variants(self) -> dict[str, str]:
        """Variant criterion → value in effect: the chosen one, else what the memory says.

        Raises:
            UsageError: the memory does not tell.
        """
        return self._named.live.variants()

    def choose_variant(self, criterion: str, value: str | None) -> None:
        """Take a value of a variant criterion as in effect, whatever the memory says.

        Args:
            criterion: its name.
            value: one of its values; None asks the memory again.

        Raises:
            NotFoundError: no such criterion.
            UsageError: it has no such value.
        """
        self._named.live.choose(criterion, value)
