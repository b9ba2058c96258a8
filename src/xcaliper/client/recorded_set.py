"""Values of parameters that were measured, as a parameter set of one moment of a recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.calib.extract import parameter_names
from xcaliper.calib.named_values import from_values
from xcaliper.calib.paramset import Origin
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import MdfError
from xcaliper.mdf.blocks import ID_SIZE, IdBlock
from xcaliper.mdf.reader import MdfReader
from xcaliper.record.files import DiskFile
from xcaliper.record.libraries import optional_library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.mdf.reader import ReadGroup
    from xcaliper.quantity.catalog import Catalog

    Found = tuple[float, Any]

__all__ = ["recorded_set"]


def recorded_set(
    path: str | Path,
    catalog: Catalog | None = None,
    *,
    on_problem: Callable[[Diagnostic], None],
    at_s: float | None = None,
    names: Iterable[str] | None = None,
) -> ParameterSet:
    """A set of the parameters that a recording has, each with its last value until some time.

    Recordings of other tools are read where asammdf is installed.

    Args:
        path: MDF4 file.
        catalog: names and descriptions; tells kinds and units.
        on_problem: is told of names that the recording does not have, or not until then.
        at_s: seconds since the start of the recording; None for its end.
        names: what to take; None for every parameter of the description, or every channel without one.

    Raises:
        MdfError: no recording, or a damaged one.
        UsageError: it takes asammdf, which is not installed.
    """
    limit = np.inf if at_s is None else at_s
    wanted = None if names is None else tuple(dict.fromkeys(names))
    taken = wanted
    if taken is None and catalog is not None:
        taken = parameter_names(catalog)
    only = None if taken is None else frozenset(taken)
    found: dict[str, Found] = {}
    for name, t_s, value in _recorded(Path(path), limit, only):
        if name not in found or found[name][0] <= t_s:
            found[name] = (t_s, value)
    for name in wanted or ():
        if name not in found:
            until = "" if at_s is None else f" until {at_s:g} s"
            text = f"{name}: the recording has no value of it{until}; it is left out."
            on_problem(Diagnostic(Severity.WARNING, "not-recorded", Where(), text, subject=name))
    order = found if wanted is None else [name for name in wanted if name in found]
    values = {name: found[name][1] for name in order}
    origin = Origin(
        a2l=catalog.file.source if catalog is not None else "", tool=f"recording {Path(path).name}"
    )
    return from_values(values, catalog, on_problem=on_problem, origin=origin)


def _recorded(
    path: Path, limit: float, only: frozenset[str] | None
) -> Iterator[tuple[str, float, Any]]:
    """Name, time and value of the last record of each channel until some time."""
    file = DiskFile(path, writable=False)
    try:
        if not _is_ours(file):
            yield from _foreign(path, limit, only)
            return
        reader = MdfReader(file)
        for group in reader.groups:
            yield from _last_values(reader, group, limit, only)
    finally:
        file.close()


def _is_ours(file: DiskFile) -> bool:
    """True for a recording of this program, which is read without further libraries.

    Raises:
        MdfError: it is no MDF file.
    """
    head = file.read_at(0, ID_SIZE)
    if head[:3] != b"MDF" and head[:5] != b"UnFin":
        raise MdfError(f"{file.path}: it is no recording.", hint="Give an MDF4 file.")
    return head[16:24] == IdBlock().encode()[16:24]


def _last_values(
    reader: MdfReader, group: ReadGroup, limit: float, only: frozenset[str] | None
) -> Iterator[tuple[str, float, Any]]:
    row = _last_row(reader, group, limit)
    if row < 0:
        return
    t_s = _time(reader, group, row)
    for channel in group.channels:
        if only is None or channel.name in only:
            (value,) = reader.phys(group, channel.name, row, row + 1)
            yield (
                channel.name,
                t_s,
                value.decode("utf-8", "replace") if isinstance(value, bytes) else value,
            )


def _time(reader: MdfReader, group: ReadGroup, row: int) -> float:
    return float(reader.octets(group, row, row + 1)[0, :8].copy().view("<f8")[0])


def _last_row(reader: MdfReader, group: ReadGroup, limit: float) -> int:
    """The last record until some time, −1 for none; few records are looked at."""
    low, high = 0, reader.refresh(group)
    if limit == np.inf:
        return high - 1
    while low < high:
        middle = (low + high) // 2
        if _time(reader, group, middle) <= limit:
            low = middle + 1
        else:
            high = middle
    return low - 1


def _foreign(
    path: Path, limit: float, only: frozenset[str] | None
) -> Iterator[tuple[str, float, Any]]:
    """The same of a file of another tool."""
    asammdf = optional_library("asammdf", "mdf")
    with asammdf.MDF(path) as file:
        for name, places in file.channels_db.items():
            if only is not None and name not in only:
                continue
            for group, index in places:
                if file.masters_db.get(group) == index:
                    continue
                signal = file.get(name, group=group, index=index)
                row = int(np.searchsorted(signal.timestamps, limit, side="right")) - 1
                if row < 0:
                    continue
                value = signal.samples[row]
                if getattr(value, "dtype", None) is not None and value.dtype.names:
                    value = value[value.dtype.names[0]]  # a table: values first, then axes
                if isinstance(value, bytes):
                    value = value.rstrip(b"\0").decode("utf-8", "replace")
                yield name, float(signal.timestamps[row]), value
