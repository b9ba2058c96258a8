"""What a terminal shows while something is measured: values, and a line on how it goes."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from xcaliper.calib.values import format_number

if TYPE_CHECKING:
    from rich.console import Console

    from xcaliper.client.block import Block
    from xcaliper.client.measurement import Measurement

__all__ = ["LiveView", "Values", "human_bytes", "short_text", "state_line"]

_DRAWS_PER_S: Final = 5
_STALE_S: Final = 1.0
_STALE_CYCLES: Final = 3
_LINES_BELOW: Final = 5
#: Columns from which the state has room beside the bar.
_WIDE: Final = 120
#: Elements of an array that are all shown.
_ELEMENTS: Final = 3


def human_bytes(count: float) -> str:
    """``12.3 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def state_line(measurement: Measurement) -> str:
    """Samples, rate, load, losses, and what went to the disk."""
    quality = measurement.quality
    elapsed = measurement.elapsed_s
    rate = quality.samples / elapsed if elapsed else 0.0
    parts = [
        f"{quality.samples} samples",
        f"{rate:.0f}/s",
        f"{human_bytes(measurement.load_bytes_per_s)}/s",
        f"lost {quality.lost}",
    ]
    for name, count in (("dropped", quality.dropped), ("reconnects", quality.reconnects)):
        if count:
            parts.append(f"{name} {count}")
    parts += _disk(measurement)
    if any(one.is_down for one in measurement.acquisitions):
        parts.append("ECU lost, looking for it")
    quiet_s = max((one.quiet_s for one in measurement.acquisitions), default=0.0)
    if quiet_s:
        parts.append(f"no data for {quiet_s:.0f} s")
    return ", ".join(parts)


def _disk(measurement: Measurement) -> list[str]:
    """Bytes written, state of triggers, space left."""
    found: list[str] = []
    files: list[Path] = []
    for recorder in measurement.recorders:
        stats = recorder.stats
        state = getattr(stats, "state", "recording")
        if state != "recording":
            found.append({"waiting": "waits for its trigger"}.get(state, state))
        files += getattr(stats, "files", ())
    if files:
        try:
            parts = (
                part for file in files for part in (file.iterdir() if file.is_dir() else [file])
            )
            size = sum(part.stat().st_size for part in parts if part.exists())
            free = shutil.disk_usage(files[-1].parent).free
        except OSError:
            return found
        found.append(f"{human_bytes(size)} written, {human_bytes(free)} free")
    return found


@dataclass(slots=True)
class _Seen:
    """What a signal did so far."""

    value: Any
    low: float | None
    high: float | None
    at: float


class Values:
    """Latest, least and largest value of each signal."""

    def __init__(self, measurement: Measurement) -> None:
        self._measurement = measurement
        self._seen: dict[str, _Seen] = {}
        self._cycles = {
            name: (track.cycle_ns or 0) * 1e-9
            for track in measurement.tracks
            for name in track.rules
        }

    def take(self, block: Block, *, extremes: bool) -> None:
        """Take a block.

        Args:
            block: new samples.
            extremes: also find the least and largest value, which looks at every sample.
        """
        if not len(block):
            return
        now = time.monotonic()
        for name in block.names:
            low = high = None
            value = block.latest(name)
            if extremes:
                column = block[name]
                if column.dtype.kind in "iufb" and column.ndim == 1:
                    low, high = float(column.min()), float(column.max())
            seen = self._seen.get(name)
            if seen is not None and seen.low is not None and low is not None:
                assert seen.high is not None and high is not None, "set together"  # noqa: PT018
                low, high = min(low, seen.low), max(high, seen.high)
            self._seen[name] = _Seen(value, low, high, now)

    def rows(self, *, by: str = "order") -> list[dict[str, Any]]:
        """One row per signal that was seen, ready for JSON.

        Args:
            by: ``name``, ``event`` or ``order``, that of the measurement.
        """
        measurement, now = self._measurement, time.monotonic()
        found = []
        for name, seen in list(self._seen.items()):  # drawn in another thread
            patience = max(_STALE_S, _STALE_CYCLES * self._cycles[name])
            found.append(
                {
                    "name": name,
                    "value": seen.value,
                    "unit": measurement.unit(name),
                    "min": seen.low,
                    "max": seen.high,
                    "event": measurement.event_of(name),
                    "stale": now - seen.at > patience,
                }
            )
        if by == "name":
            found.sort(key=lambda row: row["name"].casefold())
        elif by == "event":
            found.sort(key=lambda row: (row["event"], row["name"].casefold()))
        return found

    def table(self, rows: int, *, by: str = "order", extremes: bool = False) -> Any:
        """The rows as a table of at most so many lines."""
        from rich.table import Table
        from rich.text import Text

        def cell(text: str) -> Text:
            """One line, never markup."""
            return Text(text, no_wrap=True, overflow="ellipsis")

        table = Table(box=None, padding=(0, 2, 0, 0))
        columns = ["signal", "value", "unit", *(["min", "max"] if extremes else []), "event", ""]
        for column in columns:
            right = column in ("value", "min", "max")
            # Where a terminal is narrow, names and arrays are cut, numbers last.
            table.add_column(
                column,
                justify="right" if right else "left",
                no_wrap=column not in ("signal", "value", "event"),
            )
        found = self.rows(by=by)
        shown = found[: max(rows, 4)]
        for row in shown:
            cells = [row["name"], short_text(row["value"]), row["unit"]]
            if extremes:
                cells += [short_text(row["min"]), short_text(row["max"])]
            cells += [row["event"], "stale" if row["stale"] else ""]
            table.add_row(*map(cell, cells), style="dim" if row["stale"] else None)
        if len(shown) < len(found):
            table.add_row(f"… {len(found) - len(shown)} more")
        return table


def short_text(value: Any) -> str:
    """A value in a cell of a table; of a long array its ends and its shape."""
    if value is None:
        return ""
    shape = getattr(value, "shape", ())
    if not shape:
        return format_number(value)
    if value.size <= _ELEMENTS:
        return f"[{' '.join(map(format_number, value.flat))}]"
    first, last = format_number(value.flat[0]), format_number(value.flat[-1])
    return f"{first} … {last} ({'×'.join(map(str, shape))})"


class LiveView:
    """Values and a progress line on a terminal; a context manager.

    Args:
        console: terminal.
        measurement: that runs.
        duration: seconds, None = without end.
        by: order of the signals.
        extremes: show the least and largest values as well.
    """

    def __init__(
        self,
        console: Console,
        measurement: Measurement,
        duration: float | None,
        *,
        by: str = "order",
        extremes: bool = False,
    ) -> None:
        from rich.live import Live
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.table import Column

        self._console = console
        self._measurement = measurement
        self._duration = duration
        self._by = by
        self._extremes = extremes
        self._values = Values(measurement)
        self._is_wide = console.width >= _WIDE
        columns = [
            TextColumn("measuring"),
            BarColumn(bar_width=None if duration else 12),
            TimeElapsedColumn(table_column=Column(min_width=len("0:00:00"), no_wrap=True)),
        ]
        if self._is_wide:
            columns.append(TextColumn("{task.fields[state]}", markup=False))
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task("measure", total=duration, state="")
        # drawn by the clock: silence has to be seen as well
        self._live = Live(
            get_renderable=self._render, console=console, refresh_per_second=_DRAWS_PER_S
        )

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def take(self, block: Block) -> None:
        """Take a block; it is drawn with the next refresh."""
        self._values.take(block, extremes=self._extremes)

    def _render(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        done = self._measurement.elapsed_s if self._duration else None
        state = state_line(self._measurement)
        self._progress.update(self._task, completed=done, state=state)
        rows = self._console.height - _LINES_BELOW
        table = self._values.table(rows, by=self._by, extremes=self._extremes)
        below = () if self._is_wide else (Text(state),)  # folded where it is too long
        return Group(table, self._progress, *below)

    def finish(self) -> None:
        """The last state, with a full bar."""
        self._live.refresh()
