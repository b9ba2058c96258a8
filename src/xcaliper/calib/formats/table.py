"""Every file format of parameter sets, and reading and writing by name, file name or content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from xcaliper.calib.formats import (
    c_source,
    cdf,
    csv_set,
    cvx,
    dcm,
    json_set,
    paco,
    par,
    python_source,
)
from xcaliper.calib.formats.model import Holds, ReadSet, SetFormat
from xcaliper.calib.paramset import EntryKind, Origin
from xcaliper.core.errors import NotFoundError, ParameterSetError, PlanError, UsageError

if TYPE_CHECKING:
    from xcaliper.calib.paramset import Entry, ParameterSet
    from xcaliper.quantity.catalog import Catalog

__all__ = ["FORMATS", "find_format", "fitting", "format_of", "losses", "read_set", "write_set"]

FORMATS: Final[tuple[SetFormat, ...]] = (
    cdf.FORMAT,
    dcm.FORMAT,
    par.FORMAT,
    csv_set.FORMAT,
    json_set.FORMAT,
    python_source.FORMAT,
    paco.FORMAT,
    cvx.FORMAT,
    c_source.FORMAT,
    c_source.HEADER_FORMAT,
)
"""All of them, in the order they are asked whether a file is theirs."""
HEAD_BYTES: Final = 1 << 16


def find_format(name: str) -> SetFormat:
    """A format by its name, as ``dcm``; upper or lower case.

    Raises:
        NotFoundError: no such format; carries all names.
    """
    wanted = name.strip().lower()
    for one in FORMATS:
        if one.name == wanted:
            return one
    names = tuple(one.name for one in FORMATS)
    raise NotFoundError(name, kind="format of parameter sets", nearest=names)


def format_of(data: bytes, *, source: str = "") -> SetFormat:
    """The format of a file: what its content shows, else what its name says.

    Args:
        data: bytes of the file.
        source: its name.

    Raises:
        ParameterSetError: neither tells.
    """
    suffix = "." + source.lower().rpartition(".")[2] if "." in source else ""
    named = [one for one in FORMATS if one.read and suffix in one.suffixes]
    head = data[:HEAD_BYTES]
    shown = [one for one in FORMATS if one.read and one.sniff and one.sniff(head)]
    for one in (*(one for one in named if one in shown), *shown, *named):
        return one
    names = ", ".join(one.name for one in FORMATS if one.read)
    raise ParameterSetError(
        "neither its name nor its content tells what format it has.",
        source=source,
        hint=f"Name the format: {names}.",
    )


def read_set(data: bytes, *, source: str = "", format: str = "") -> ReadSet:  # noqa: A002  # the word users know
    """Read a file of parameter values.

    Args:
        data: bytes of the file, whole.
        source: its name, for messages and for its format.
        format: name of its format; found out when empty.

    Raises:
        NotFoundError: no such format.
        ParameterSetError: it is no file of that format.
        UsageError: the format can only be written.
    """
    found = find_format(format) if format else format_of(data, source=source)
    if found.read is None:
        raise UsageError(f"{found.title}: it can only be written.", hint="Read another format.")
    return found.read(data, source=source)


def write_set(
    values: ParameterSet,
    format: str,  # noqa: A002  # the word users know
    *,
    catalog: Catalog | None = None,
) -> bytes:
    """A set as the bytes of a file.

    Args:
        values: what to write.
        format: name of the format.
        catalog: description of the parameters, for formats that hold ECU values or data types.

    Raises:
        NotFoundError: no such format.
        UsageError: it can only be read, cannot hold an entry, or needs a description.
    """
    found = find_format(format)
    if found.write is None:
        raise UsageError(f"{found.title}: it can only be read.", hint="Write another format.")
    return found.write(values, catalog=catalog)


def fitting(
    values: ParameterSet,
    format: str,  # noqa: A002  # the word users know
    *,
    catalog: Catalog | None = None,
) -> tuple[ParameterSet, tuple[str, ...]]:
    """The part of a set that a format can hold, and about every entry that is left out, why.

    Args:
        values: what to write.
        format: name of the format.
        catalog: as for :func:`write_set`.

    Raises:
        NotFoundError: no such format.
        UsageError: it can only be read, or needs a description.
    """
    why: list[str] = []
    while True:
        try:
            write_set(values, format, catalog=catalog)
        except PlanError as error:
            known = set(values.names)
            gone = {one.partition(": ")[0] for one in error.problems} & known
            if not gone:
                raise
            why += [one for one in error.problems if one.partition(": ")[0] in gone]
            values = values.without(gone)
        else:
            return values, tuple(why)


def losses(values: ParameterSet, format: str) -> tuple[Holds, ...]:  # noqa: A002  # the word users know
    """What a set has that a format has no place for; a file in it would lack that.

    Args:
        values: the set.
        format: name of the format.

    Raises:
        NotFoundError: no such format.
    """
    lacking = set(Holds) - find_format(format).holds
    if values.origin == Origin():
        lacking.discard(Holds.ORIGIN)
    found = lacking & {Holds.ORIGIN}
    for entry in values:
        found |= lacking & _parts_of(entry)
    return tuple(one for one in Holds if one in found)


def _parts_of(entry: Entry) -> set[Holds]:
    """What an entry has besides its name and numbers."""
    parts = {
        Holds.AXES: any(axis.values is not None for axis in entry.axes),
        Holds.CUBOIDS: entry.kind in (EntryKind.CUBOID, EntryKind.CUBE_4, EntryKind.CUBE_5),
        Holds.BLOBS: isinstance(entry.values, bytes),
        Holds.TEXTS: np.asarray(entry.values).dtype.kind in "OU",
        Holds.UNITS: bool(entry.unit) or any(axis.unit for axis in entry.axes),
        Holds.NAMES: bool(entry.long_name or entry.display_name),
        Holds.FUNCTIONS: bool(entry.functions),
        Holds.VARIANTS: bool(entry.variant),
        Holds.HISTORY: bool(entry.history),
        Holds.FLAGS: bool(entry.flags),
        Holds.RAW: entry.is_raw,
    }
    return {one for one, has in parts.items() if has}
