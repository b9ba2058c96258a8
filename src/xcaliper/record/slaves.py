"""Several slaves in one recording, on one time axis."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.core.samples import SampleBlock
from xcaliper.mdf.placement import unique_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from xcaliper.record.description import (
        RasterDescription,
        RecordingDescription,
        RecordingEvent,
    )

    ToAxis = Callable[[NDArray[np.int64]], NDArray[np.int64]]

__all__ = ["SlaveInput", "combine"]

_UNSAFE: Final = re.compile(r"[^\w.-]+")


def combine(parts: Sequence[RecordingDescription]) -> RecordingDescription:
    """One description of a recording with the rasters of several slaves.

    Names of rasters get the slave's in front (``engine/10ms``); each keeps its source, and all A2L files are
    attached, with the slave's name in front where names are equal and files are not. Time, tool and people are those of the first one; properties that differ get the
    slave's name in front.

    Args:
        parts: one per slave, with a ``source`` each.

    Raises:
        UsageError: there is none.
    """
    if not parts:
        raise UsageError("recording: of no slave.", hint="Give one description per slave.")
    names = unique_names([part.source or "ECU" for part in parts])
    rasters: list[RasterDescription] = []
    firsts: list[int] = []
    properties: dict[str, str] = {}
    files: list[tuple[str, bytes]] = []
    owners: list[str] = []
    for name, part in zip(names, parts, strict=True):
        firsts.append(len(rasters))
        facts = {"epk": part.epk, "a2l": part.a2l_name, **part.properties}
        properties |= {f"{name} {key}": value for key, value in facts.items() if value}
        if part.a2l is not None:
            files.append((part.a2l_name or f"{name}.a2l", part.a2l))
        files += part.attachments
        owners += [name] * (len(files) - len(owners))
        rasters += [
            replace(
                raster,
                name=f"{name}/{raster.name}",
                source=raster.source or name,
                source_path=raster.source_path or part.source_path,
                bus=raster.bus or part.bus,
            )
            for raster in part.rasters
        ]
    return replace(
        parts[0],
        rasters=tuple(rasters),
        source=", ".join(names),
        source_path="",
        epk="",
        a2l_name="",
        a2l=None,
        properties=properties,
        attachments=_told_apart(files, owners),
        first_rasters=tuple(firsts),
    )


def _told_apart(
    files: Sequence[tuple[str, bytes]], owners: Sequence[str]
) -> tuple[tuple[str, bytes], ...]:
    """Each file once; where different ones have one name, the slave's stands in front."""
    contents: dict[str, set[bytes]] = {}
    for name, data in files:
        contents.setdefault(name, set()).add(data)
    named = [
        (name if len(contents[name]) == 1 else f"{_UNSAFE.sub('_', owner)}_{name}", data)
        for owner, (name, data) in zip(owners, files, strict=True)
    ]
    return tuple(dict.fromkeys(named))


class SlaveInput:
    """Where the blocks of one slave go in: its rasters and its clock become those of the recording.

    Args:
        recorder: takes blocks and events (a ``Recorder`` or a ``Pipeline``).
        first_raster: number of the slave's first raster in the recording.
        to_axis: times of the slave, int64[n] → those of the recording; ``None`` = equal.
    """

    def __init__(self, recorder: Any, first_raster: int, to_axis: ToAxis | None = None) -> None:
        self._recorder = recorder
        self._first = first_raster
        self._to_axis = to_axis

    def put(self, block: SampleBlock) -> bool:
        """Queue a block, see ``Recorder.put``."""
        t_ns, gaps = block.t_ns, block.gaps
        if self._to_axis is not None:
            t_ns = self._to_axis(t_ns)
            gaps = tuple(
                replace(gap, t_from_ns=self._time(gap.t_from_ns), t_to_ns=self._time(gap.t_to_ns))
                for gap in gaps
            )
        fits: bool = self._recorder.put(
            SampleBlock(self._first + block.raster, t_ns, block.rows, gaps)
        )
        return fits

    def event(self, event: RecordingEvent) -> bool:
        """Queue an event, see ``Recorder.event``."""
        raster = None if event.raster is None else self._first + event.raster
        moved = replace(event, t_ns=self._time(event.t_ns), raster=raster)
        fits: bool = self._recorder.event(moved)
        return fits

    @property
    def stats(self) -> Any:
        """Counters of the recorder."""
        return self._recorder.stats

    def close(self, timeout_s: float = 10.0) -> None:
        """The slave has ended; the recorder goes on with the others."""

    def _time(self, t_ns: int) -> int:
        if self._to_axis is None:
            return t_ns
        return int(self._to_axis(np.array([t_ns], np.int64))[0])
