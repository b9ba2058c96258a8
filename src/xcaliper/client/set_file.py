"""Files of parameter sets: read whole, written at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from xcaliper.calib.formats.table import FORMATS, HEAD_BYTES, format_of, read_set, write_set
from xcaliper.client.whole_file import write_whole
from xcaliper.core.errors import ParameterSetError, UsageError

if TYPE_CHECKING:
    from os import PathLike

    from xcaliper.calib.formats.model import ReadSet, SetFormat
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.quantity.catalog import Catalog

__all__ = ["MAX_FILE_BYTES", "format_for", "format_in", "load_set", "save_set"]

#: Larger files are refused before they are read.
MAX_FILE_BYTES: Final = 1 << 30


def load_set(path: str | PathLike[str], *, format: str = "") -> ReadSet:  # noqa: A002  # the word users know
    """Read a file of parameter values, with everything in it that could not be understood.

    Args:
        path: the file.
        format: name of its format; found out by content and name when empty.

    Raises:
        NotFoundError: no such format.
        ParameterSetError: it cannot be read, or is no file of that format.
    """
    place = Path(path)
    try:
        size = place.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ParameterSetError(
                f"it has {size} bytes; {MAX_FILE_BYTES} are the most.", source=str(place)
            )
        data = place.read_bytes()
    except OSError as error:
        raise _unreadable(place, error) from error
    return read_set(data, source=str(place), format=format)


def format_in(path: str | PathLike[str]) -> SetFormat:
    """The format of a file that is there, by its content and name.

    Raises:
        ParameterSetError: it cannot be read, or is of none.
    """
    place = Path(path)
    try:
        with place.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise _unreadable(place, error) from error
    return format_of(head, source=str(place))


def _unreadable(place: Path, error: OSError) -> ParameterSetError:
    return ParameterSetError(
        f"the set cannot be read: {error.strerror or error}.",
        source=str(place),
        hint="Check path and rights.",
    )


def save_set(
    values: ParameterSet,
    path: str | PathLike[str],
    *,
    format: str = "",  # noqa: A002  # the word users know
    catalog: Catalog | None = None,
) -> None:
    """Write a set into a file; one that is there is replaced at once, or stays as it is.

    Args:
        values: what to write.
        path: the file.
        format: name of the format; told by the name of the file when empty.
        catalog: description of the parameters, for formats that hold ECU values or data types.

    Raises:
        NotFoundError: no such format.
        ParameterSetError: the file cannot be written.
        UsageError: the format cannot hold an entry, needs a description, or is not told.
    """
    place = Path(path)
    data = write_set(values, format or format_for(place), catalog=catalog)
    try:
        write_whole(place, data)
    except OSError as error:
        raise ParameterSetError(
            f"the set cannot be written: {error.strerror or error}.",
            source=str(place),
            hint="Check path, rights and free space.",
        ) from error


def format_for(path: Path) -> str:
    """The format that the name of a file to write asks for.

    Raises:
        UsageError: none, or one that can only be read.
    """
    suffix = path.suffix.lower()
    named = [one for one in FORMATS if suffix in one.suffixes]
    for one in named:
        if one.write is not None:
            return one.name
    told = ", ".join(one.suffixes[0] for one in FORMATS if one.write is not None)
    what = "can only be read" if named else "tells no format of parameter sets"
    raise UsageError(
        f"{path.name}: the ending {suffix or '(none)'} {what}.",
        hint=f"Use one of {told}, or name the format.",
    )
