"""Calibration data format, CDFX files *(CDF 2.0; cubes and BLOBs as in 2.1)*.

Values are physical. What the format has no element for (comments, EPK, time, user, criteria without a parameter,
functions after the first, input quantities) is kept in an SDG of our own at the end, which others pass over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.calib.formats.cdf_read import CdfReader
from xcaliper.calib.formats.cdf_write import write_set
from xcaliper.calib.formats.model import Holds, ReadSet, SetFormat

if TYPE_CHECKING:
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.quantity.catalog import Catalog

__all__ = ["FORMAT", "read_cdf", "write_cdf"]

_HEAD_BYTES: Final = 8192
_MARKS: Final = (b"<CATEGORY>CDF2", b"CALIBRATION DATA FORMAT", b"SW-VALUE-CONT")


def read_cdf(data: bytes, *, source: str = "") -> ReadSet:
    """Read a set from a CDFX file.

    Both shapes of instances are read, with values at the instance or in its variants. Members of structures and
    arrays get names such as ``structure.member`` and ``array[2]``. Entries that are wrong are left out and
    reported; so is the rest of a file that breaks off.

    Args:
        data: bytes of the file, encoded as its XML declaration says.
        source: its name, for messages.

    Raises:
        ParameterSetError: no XML, another root than MSRSW, declared entities, or beyond the caps.
    """
    return CdfReader(source).read(data)


def write_cdf(values: ParameterSet, *, catalog: Catalog | None = None) -> bytes:
    """Write a set as a CDFX file, UTF-8, values directly at the instances unless they have variants.

    Args:
        values: what to write.
        catalog: description of the parameters; parts of its instances are then written inside STRUCTURE
            and array instances, without it all names stand in full.

    Raises:
        PlanError: entries hold ECU values, texts that XML cannot hold, or values that do not fit their kind.
    """
    if catalog is None:
        return write_set(values)
    return write_set(values, frozenset(one.name for one in catalog.file.module.instance))


def _looks_so(data: bytes) -> bool:
    return b"<MSRSW" in data and any(mark in data for mark in _MARKS)


FORMAT: Final = SetFormat(
    "cdf",
    "ASAM CDF 2.0 (CDFX)",
    (".cdfx", ".cdf"),
    read=read_cdf,
    write=write_cdf,
    sniff=_looks_so,
    holds=frozenset(Holds) - {Holds.RAW},
)
