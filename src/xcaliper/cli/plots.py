"""Pictures of a measurement: a PNG file and lines in the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["Line", "Mark", "Strip", "draw_terminal", "save_png"]

#: The dark theme of the studio: background, surface, line, text and signal colours.
_THEME: Final = {
    "bg": "#0e1115",
    "surface": "#14181e",
    "line": "#2b333e",
    "text": "#e4e8ee",
    "text2": "#a3adba",
    "mark": "#e8b339",
    "lost": "#ff6b63",
}
_COLOURS: Final = ("#5aa2ff", "#43c463", "#e3c04b", "#f29e4c", "#b692f6", "#2cc5b5", "#f57fb0")
_MAX_POINTS: Final = 4000


@dataclass(frozen=True, slots=True)
class Line:
    """One curve.

    Attributes:
        name: of the signal.
        t: float64[n], seconds.
        y: float64[n].
        gaps: (from, to) in seconds; the line is broken there.
    """

    name: str
    t: NDArray[Any]
    y: NDArray[Any]
    gaps: tuple[tuple[float, float], ...] = ()

    def broken(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Times and values with a NaN in every gap."""
        t, y = np.asarray(self.t, float), np.asarray(self.y, float)
        cuts = [int(np.searchsorted(t, until)) for _, until in self.gaps]
        return np.insert(t, cuts, [until for _, until in self.gaps]), np.insert(y, cuts, np.nan)


@dataclass(frozen=True, slots=True)
class Strip:
    """Curves that share a y axis."""

    unit: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened: a time in seconds and a few words."""

    t: float
    text: str


def save_png(path: Path, strips: Sequence[Strip], marks: Sequence[Mark], title: str) -> None:
    """Draw strips below each other, sharing the time axis; losses are hatched, never bridged."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1.5 + 1.75 * len(strips)), dpi=110, facecolor=_THEME["bg"])
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(strips), 1, sharex=True, squeeze=False)[:, 0]
    colours = iter(_COLOURS * 4)
    for at, (strip, axis) in enumerate(zip(strips, axes, strict=True)):
        _style(axis, strip.unit)
        for line in strip.lines:
            t, y = line.broken()
            axis.plot(t, y, color=next(colours), linewidth=1.2, label=line.name)
            for since, until in line.gaps:
                axis.axvspan(since, until, color=_THEME["lost"], alpha=0.25, hatch="///", lw=0)
        for mark in marks:
            axis.axvline(mark.t, color=_THEME["mark"], linewidth=1, linestyle=(0, (4, 3)))
            if at == 0:
                axis.annotate(
                    mark.text,
                    (mark.t, 1.0),
                    xycoords=("data", "axes fraction"),
                    xytext=(3, 4),
                    textcoords="offset points",
                    color=_THEME["mark"],
                    fontsize=8,
                )
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.25 * (high - low))  # room for the legend
        axis.legend(
            loc="upper right",
            fontsize=8,
            frameon=True,
            facecolor=_THEME["surface"],
            edgecolor=_THEME["line"],
            labelcolor=_THEME["text"],
            ncols=len(strip.lines),
        )
    axes[-1].set_xlim(left=0)
    axes[-1].set_xlabel("time since start [s]", color=_THEME["text2"], fontsize=9)
    figure.suptitle(title, color=_THEME["text"], fontsize=12, x=0.02, ha="left")
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    figure.savefig(path, facecolor=_THEME["bg"])


def _style(axis: Any, unit: str) -> None:
    axis.set_facecolor(_THEME["surface"])
    axis.grid(visible=True, color=_THEME["line"], linewidth=0.6)
    axis.tick_params(colors=_THEME["text2"], labelsize=8)
    axis.set_ylabel(unit, color=_THEME["text2"], fontsize=9)
    axis.margins(x=0, y=0.12)
    for spine in axis.spines.values():
        spine.set_color(_THEME["line"])


def draw_terminal(strip: Strip, *, width: int, height: int = 12, colour: bool = True) -> str:
    """One strip as lines of text, with ANSI colours unless told otherwise."""
    from uniplot import plot_to_string

    step = max(1, max(len(line.t) for line in strip.lines) // _MAX_POINTS)
    text: str = plot_to_string(
        xs=[np.asarray(line.t, float)[::step] for line in strip.lines],
        ys=[np.asarray(line.y, float)[::step] for line in strip.lines],
        lines=True,
        color=["blue", "green", "yellow", "cyan"][: len(strip.lines)] if colour else False,
        legend_labels=[line.name for line in strip.lines],
        title=strip.unit,
        x_unit=" s",
        width=max(30, min(width, 110) - 12),
        height=height,
        character_set="braille",
    )
    return text
