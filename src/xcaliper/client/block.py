"""Samples as users take them: a time axis and columns in physical units."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from xcaliper.calib.values import format_number
from xcaliper.core.samples import Gap, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from xcaliper.record.description import SignalDescription

__all__ = ["Block", "ColumnRule", "join_blocks"]

_SHOWN_NAMES: Final = 20


class ColumnRule(Protocol):
    """How the column of a signal reads; measured and calculated signals have one."""

    @property
    def name(self) -> str:
        """Name of the column."""

    @property
    def unit(self) -> str:
        """Physical unit."""

    def raw(self, column: NDArray[Any]) -> NDArray[Any]:
        """Raw values in native byte order; array[n, *shape]."""

    def phys(self, column: NDArray[Any]) -> NDArray[Any]:
        """Physical values; array[n, *shape]."""

    def description(self) -> SignalDescription:
        """What a recording needs to know."""


class Block:
    """Consecutive samples of one event: a time axis and columns.

    Attributes:
        event: name of the raster, that is of the event.
        t: float64[n], seconds since the start on the slave's clock.
        names: signals in the block.
        gaps: losses inside or just before the block.
    """

    __slots__ = ("_cache", "_raw_only", "_samples", "_signals", "event", "gaps", "names", "t")

    def __init__(
        self, event: str, samples: SampleBlock, signals: Mapping[str, ColumnRule], *, raw_only: bool
    ) -> None:
        self.event = event
        self.t: NDArray[np.float64] = samples.t_ns / 1e9
        self.names = tuple(samples.rows.dtype.names or ())
        self.gaps = samples.gaps
        self._samples = samples
        self._signals = signals
        self._raw_only = raw_only
        self._cache: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.t)

    def __repr__(self) -> str:
        from xcaliper.core.wording import counted

        samples, signals = counted(len(self), "sample"), counted(len(self.names), "signal")
        return f"<Block {self.event}: {samples} of {signals}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(self._newest(name))}</td>"
            f"<td>{escape(self.unit(name))}</td></tr>"
            for name in self.names[:_SHOWN_NAMES]
        )
        more = len(self.names) - _SHOWN_NAMES
        rest = f"<tr><td>… {more} more</td></tr>" if more > 0 else ""
        return f"<table><caption>{escape(repr(self)[1:-1])}</caption>{rows}{rest}</table>"

    def unit(self, name: str) -> str:
        """Physical unit of a signal; empty when the measurement is raw."""
        return "" if self._raw_only else self._signals[name].unit

    def _newest(self, name: str) -> str:
        if not len(self):
            return "–"
        value = self.latest(name)
        return "…" if np.shape(value) else format_number(value)

    def _column(self, name: str) -> NDArray[Any]:
        if name not in self.names:
            there = ", ".join(self.names[:_SHOWN_NAMES])
            raise KeyError(f"{name} is not in this block of {self.event}, which has {there}")
        return self._samples.column(name)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Values of a signal, physical unless the measurement is raw; array[n] or array[n, *shape].

        Raises:
            KeyError: the signal is not in this block.
        """
        if name not in self._cache:
            column = self._column(name)
            signal = self._signals[name]
            self._cache[name] = signal.raw(column) if self._raw_only else signal.phys(column)
        return self._cache[name]

    def raw(self, name: str) -> NDArray[Any]:
        """ECU values of a signal in native byte order, masks applied.

        Raises:
            KeyError: the signal is not in this block.
        """
        column = self._column(name)
        return self._signals[name].raw(column)

    def latest(self, name: str) -> Any:
        """The newest value of a signal, as ``block[name][-1]`` but cheap.

        Raises:
            KeyError: the signal is not in this block.
        """
        column = self._column(name)[-1:]
        signal = self._signals[name]
        return (signal.raw(column) if self._raw_only else signal.phys(column))[0]


def join_blocks(blocks: list[SampleBlock]) -> SampleBlock:
    """Blocks of one raster as one; gaps move along."""
    if len(blocks) == 1:
        return blocks[0]
    gaps: list[Gap] = []
    offset = 0
    for block in blocks:
        gaps += [
            Gap(gap.before_row + offset, gap.t_from_ns, gap.t_to_ns, gap.lost, gap.reason)
            for gap in block.gaps
        ]
        offset += len(block)
    times = np.concatenate([block.t_ns for block in blocks])
    return SampleBlock(blocks[0].raster, times, _join_rows([b.rows for b in blocks]), tuple(gaps))


def _join_rows(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Rows behind each other, as bytes where they are laid out alike.

    Joining structures goes field by field and holds the interpreter for milliseconds.
    """
    dtype = parts[0].dtype
    if any(part.dtype != dtype for part in parts):
        return np.concatenate(parts)
    joined = np.concatenate([_bytes_of(part) for part in parts])
    return np.ndarray((len(joined),), dtype, buffer=joined)


def _bytes_of(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """The same memory, uint8[n, bytes of a row]."""
    whole = np.ascontiguousarray(rows)
    return np.ndarray((len(rows), rows.dtype.itemsize), np.uint8, buffer=whole)
