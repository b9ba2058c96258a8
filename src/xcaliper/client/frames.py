"""Measured blocks as frames of other libraries, as a picture, and as a table on a page."""

from __future__ import annotations

from functools import cache
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.calib.values import format_number
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.record.libraries import optional_library

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from xcaliper.client.block import Block

__all__ = [
    "columns",
    "gap_rows",
    "plot",
    "summary_html",
    "to_pandas",
    "to_polars",
    "to_xarray",
    "with_breaks",
]

MAX_DRAWN: Final = 16
MAX_POINTS: Final = 20_000
_SUMMARY: Final = ("event", "signals", "samples", "rate_hz", "lost", "gaps", "kind")


def columns(block: Block) -> dict[str, NDArray[Any]]:
    """One-dimensional columns; elements of arrays get an index behind the name."""
    found: dict[str, NDArray[Any]] = {}
    for name in block.names:
        values = block[name]
        if values.ndim == 1:
            found[name] = values
            continue
        for index in np.ndindex(values.shape[1:]):
            label = name + "".join(f"[{i}]" for i in index)
            found[label] = values[(slice(None), *index)]
    return found


def gap_rows(block: Block) -> list[dict[str, Any]]:
    """Places where samples are missing: from and to in seconds, how many were lost, and why."""
    return [
        {
            "t_from": gap.t_from_ns * 1e-9,
            "t_to": gap.t_to_ns * 1e-9,
            "lost": int(gap.lost),
            "reason": gap.reason,
        }
        for gap in block.gaps
    ]


def to_pandas(blocks: Sequence[Block]) -> dict[str, Any]:
    """Event name → DataFrame with the time in seconds as index; its ``attrs["gaps"]`` tell losses."""
    pandas = optional_library("pandas")
    found = {}
    for block in blocks:
        index = pandas.Index(block.t, name="t [s]")
        found[block.event] = pandas.DataFrame(columns(block), index=index)
        found[block.event].attrs["gaps"] = gap_rows(block)
    return found


def to_polars(blocks: Sequence[Block]) -> dict[str, Any]:
    """Event name → DataFrame with a column ``t [s]``."""
    polars = optional_library("polars")
    return {block.event: polars.DataFrame({"t [s]": block.t, **columns(block)}) for block in blocks}


def to_xarray(blocks: Sequence[Block]) -> dict[str, Any]:
    """Event name → Dataset over ``t``; arrays keep their shape, gaps are attributes.

    They are plain lists, one per field and one element per gap, because that is what netCDF can hold.
    """
    xarray = optional_library("xarray")
    found: dict[str, Any] = {}
    for block in blocks:
        variables = {}
        for name in block.names:
            values = block[name]
            dims = ("t", *(f"{name}_{axis}" for axis in range(values.ndim - 1)))
            unit = block.unit(name)
            variables[name] = xarray.Variable(dims, values, {"units": unit} if unit else {})
        gaps = gap_rows(block)
        told = {f"gap_{key}": [row[key] for row in gaps] for key in (gaps[0] if gaps else ())}
        found[block.event] = xarray.Dataset(
            variables,
            coords={"t": xarray.Variable("t", block.t, {"units": "s"})},
            attrs={"event": block.event, "gaps": len(gaps), **told},
        )
    return found


def summary_html(caption: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Counters per event as a table."""
    head = "".join(f"<th>{name}</th>" for name in _SUMMARY)
    body = "".join(
        "<tr>"
        + "".join(f"<td>{escape(format_number(row[name]))}</td>" for name in _SUMMARY)
        + "</tr>"
        for row in rows
    )
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"


# --------------------------------------------------------------------------------------- picture


def with_breaks(
    block: Block, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and values with a NaN right behind the last sample before each gap, where a line stops."""
    rows = sorted({gap.before_row for gap in block.gaps if 0 < gap.before_row < len(block)})
    at = np.array(rows, np.intp)
    return np.insert(block.t, at, block.t[at - 1]), np.insert(values, at, np.nan)


def _drawable(blocks: Sequence[Block]) -> dict[str, Block]:
    """Signals with one number per sample."""
    found: dict[str, Block] = {}
    for block in blocks:
        for name in block.names:
            values = block[name]
            if values.ndim == 1 and values.dtype.kind in "iufb" and len(values):
                found.setdefault(name, block)
    return found


@cache
def _picture() -> type[Figure]:
    """A figure that shows itself in a notebook, whatever has been set up there."""
    from matplotlib import figure

    class Picture(figure.Figure):
        def _repr_png_(self) -> bytes:
            out = BytesIO()
            self.savefig(out, format="png")
            return out.getvalue()

    return Picture


def plot(blocks: Sequence[Block], names: Sequence[str], units: Mapping[str, str]) -> Any:
    """A figure with one strip per unit; lines stop at gaps, which are shaded.

    Args:
        blocks: what was measured.
        names: signals to draw; empty = the first ones that can be drawn.
        units: of the signals.

    Raises:
        NotFoundError: a signal was not measured.
        UsageError: nothing can be drawn.
    """
    there = _drawable(blocks)
    measured = {name for block in blocks for name in block.names}
    for name in names:
        if name not in measured:
            raise NotFoundError(name, kind="measured signal", nearest=tuple(sorted(there))[:8])
        if name not in there:
            raise UsageError(f"{name}: it is not one number per sample.", hint="Draw another one.")
    chosen = list(names) or list(there)[:MAX_DRAWN]
    if not chosen:
        raise UsageError(
            "plot: there is nothing to draw.",
            hint="Measure numbers first, with keep=True, and let it end or take its blocks.",
        )
    strips: dict[str, list[str]] = {}
    for name in chosen:
        strips.setdefault(units.get(name, ""), []).append(name)
    figure = _picture()(figsize=(9, 1.2 + 1.8 * len(strips)), layout="constrained")
    axes = figure.subplots(len(strips), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (unit, signals) in zip(axes, strips.items(), strict=True):
        _draw_strip(axis, unit, [(name, there[name]) for name in signals])
    axes[-1].set_xlabel("t [s]")
    return figure


def _draw_strip(axis: Any, unit: str, lines: Sequence[tuple[str, Block]]) -> None:
    shaded: set[tuple[int, int]] = set()
    for name, block in lines:
        t, values = with_breaks(block, block[name].astype(np.float64))
        t, values = _thinned(t, values)
        axis.plot(t, values, label=name, linewidth=1.0, drawstyle="steps-post")
        shaded |= {(gap.t_from_ns, gap.t_to_ns) for gap in block.gaps if gap.before_row > 0}
    for begin, end in sorted(shaded):
        axis.axvspan(begin * 1e-9, end * 1e-9, color="tab:red", alpha=0.15, linewidth=0)
    axis.set_ylabel(f"[{unit}]" if unit else "")
    axis.grid(visible=True, alpha=0.3)
    axis.margins(x=0)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize="small", frameon=False, ncols=4)


def _thinned(
    t: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest value of each stretch, in order; what a screen cannot show goes."""
    if len(t) <= MAX_POINTS:
        return t, values
    size = -(-len(t) // (MAX_POINTS // 2))
    whole = len(t) // size * size
    parts = values[:whole].reshape(-1, size)
    base = np.arange(len(parts)) * size
    low = base + np.where(np.isnan(parts), np.inf, parts).argmin(axis=1)
    high = base + np.where(np.isnan(parts), -np.inf, parts).argmax(axis=1)
    breaks = np.flatnonzero(np.isnan(values))
    keep = np.unique(np.concatenate([low, high, breaks, np.arange(whole, len(t))]))
    return t[keep], values[keep]
