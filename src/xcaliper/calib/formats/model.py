"""What every file format of parameter sets offers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.quantity.catalog import Catalog

__all__ = ["Holds", "ReadSet", "Reader", "SetFormat", "Writer"]


class Holds(StrEnum):
    """What a file format can hold of a set besides names, numbers and one-dimensional blocks."""

    TEXTS = "texts"
    AXES = "axis points"
    CUBOIDS = "cuboids"
    BLOBS = "raw bytes"
    UNITS = "units"
    NAMES = "long and display names"
    FUNCTIONS = "functions"
    VARIANTS = "variants"
    HISTORY = "history and maturity"
    FLAGS = "flags"
    ORIGIN = "origin of the values"
    RAW = "ECU values"


@dataclass(frozen=True, slots=True)
class ReadSet:
    """What was read from a file.

    Attributes:
        values: all entries that could be understood.
        diagnostics: everything that could not, with its line; nothing is skipped silently.
    """

    values: ParameterSet
    diagnostics: tuple[Diagnostic, ...] = ()


class Reader(Protocol):
    """Bytes of a file → set."""

    def __call__(self, data: bytes, *, source: str = "") -> ReadSet:
        """Read a file.

        Args:
            data: its bytes, whole.
            source: its name, for messages.

        Raises:
            ParameterSetError: it is no file of this format at all.
        """
        ...


class Writer(Protocol):
    """Set → bytes of a file."""

    def __call__(self, values: ParameterSet, *, catalog: Catalog | None = None) -> bytes:
        """Write a file.

        Args:
            values: what to write.
            catalog: description of the parameters, for formats that hold ECU values or data types.

        Raises:
            UsageError: the format cannot hold an entry, or needs a description.
        """
        ...


@dataclass(frozen=True, slots=True)
class SetFormat:
    """One file format.

    Attributes:
        name: as the shell knows it, such as ``dcm``.
        title: for people.
        suffixes: file name endings, with the dot, lower case.
        read: or None.
        write: or None.
        sniff: True when the first bytes of a file look like this format.
        holds: what it can hold; what a set has beyond that is lost or refused when it is written.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    read: Reader | None = None
    write: Writer | None = None
    sniff: Callable[[bytes], bool] | None = None
    holds: frozenset[Holds] = frozenset()
