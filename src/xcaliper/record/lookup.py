"""Names of a recording → rasters and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.expression import Known, as_numbers
from xcaliper.record.columns import has_texts, number_values, raw_values, text_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from xcaliper.quantity.expression import Input
    from xcaliper.record.description import RasterDescription, SignalDescription

__all__ = ["SignalBook", "chosen_signals"]

_MANY = -1


class SignalBook(Mapping[str, Known]):
    """Signals by name: plain where only one raster has it, else ``raster:name``.

    Args:
        rasters: in the order of their numbers.
    """

    def __init__(self, rasters: Sequence[RasterDescription]) -> None:
        self.rasters = list(rasters)
        self._places: dict[str, tuple[int, int]] = {}
        for number, raster in enumerate(rasters):
            self._enter(number, raster)

    def _enter(self, number: int, raster: RasterDescription, first: int = 0) -> None:
        for at, signal in enumerate(raster.signals[first:], first):
            self._places.setdefault(f"{raster.name}:{signal.name}", (number, at))
            known = self._places.get(signal.name)
            self._places[signal.name] = (number if known is None else _MANY, at)

    def add(self, raster: RasterDescription) -> int:
        """One more raster; its number."""
        self.rasters.append(raster)
        self._enter(len(self.rasters) - 1, raster)
        return len(self.rasters) - 1

    def grow(self, number: int, raster: RasterDescription) -> None:
        """The same raster with more signals behind those it had."""
        known = len(self.rasters[number].signals)
        self.rasters[number] = raster
        self._enter(number, raster, known)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> Known:
        number, signal = self.find(name)
        dtype = self.rasters[number].dtype
        row = np.zeros(1, dtype)
        base = dtype[signal.column].base
        return Known(
            number_values(signal, row).dtype if base.kind in "biuf" else base,
            raw_values(signal, row).dtype,
            dtype[signal.column].shape,
            has_texts(signal, dtype),
        )

    def find(self, name: str) -> tuple[int, SignalDescription]:
        """Number of the raster and signal of a name.

        Raises:
            NotFoundError: no such signal; carries the nearest names.
            UsageError: several rasters have it.
        """
        place = self._places.get(name)
        if place is None:
            nearest = tuple(get_close_matches(name, self._places, n=3))
            raise NotFoundError(name, kind="signal in the recording", nearest=nearest)
        number, at = place
        if number == _MANY:
            full = [f"`{r.name}:{name}`" for r in self.rasters if f"{r.name}:{name}" in self]
            raise UsageError(
                f"{name}: {len(full)} rasters have it.", hint=f"Write {' or '.join(full[:4])}."
            )
        return number, self.rasters[number].signals[at]

    def raster(self, name: str) -> int:
        """Number of the raster of a name.

        Raises:
            NotFoundError: no such raster.
        """
        names = [raster.name for raster in self.rasters]
        if name not in names:
            nearest = tuple(get_close_matches(name, names, n=3))
            raise NotFoundError(name, kind="raster", nearest=nearest)
        return names.index(name)

    def take(self, item: Input, rows: NDArray[Any]) -> NDArray[Any]:
        """What an expression wants of the rows of the signal's raster; array[n, *shape]."""
        _, signal = self.find(item.name)
        if item.kind == "text":
            return text_values(signal, rows)
        if item.kind == "raw":
            return as_numbers(raw_values(signal, rows))
        return as_numbers(number_values(signal, rows))


def chosen_signals(
    rasters: Sequence[RasterDescription], patterns: Sequence[str]
) -> dict[int, tuple[SignalDescription, ...]]:
    """Signals that names or patterns with ``*`` and ``?`` choose, by raster.

    Names of rasters count where a pattern tells that it means one, ``10ms:Lambda*`` or ``engine/*``:
    else ``Task*`` would choose all that a raster ``Task1ms`` has.

    Raises:
        NotFoundError: a pattern that chooses nothing.
    """
    plain = {pattern for pattern in patterns if not set(pattern) & set("*?")}
    wild = [pattern for pattern in dict.fromkeys(patterns) if pattern not in plain]
    used: set[str] = set()
    chosen: dict[int, tuple[SignalDescription, ...]] = {}
    for number, raster in enumerate(rasters):
        taken = []
        for signal in raster.signals:
            names = (signal.name, f"{raster.name}:{signal.name}")
            found = {name for name in names if name in plain}
            found |= {
                pattern
                for pattern in wild
                if any(
                    fnmatchcase(n, pattern)
                    for n in (names if set(pattern) & set(":/") else names[:1])
                )
            }
            used |= found
            if found:
                taken.append(signal)
        if taken:
            chosen[number] = tuple(taken)
    for pattern in patterns:
        if pattern not in used:
            every = [signal.name for raster in rasters for signal in raster.signals]
            nearest = tuple(get_close_matches(pattern, every, n=3))
            raise NotFoundError(pattern, kind="signal in the recording", nearest=nearest)
    return chosen
