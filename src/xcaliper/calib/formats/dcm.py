"""DCM 2.0 as a format of parameter sets (DCM, KONSERVIERUNG_FORMAT 2.0)."""

from __future__ import annotations

from typing import Final

from xcaliper.calib.formats.dcm_read import read_dcm, sniff_dcm
from xcaliper.calib.formats.dcm_write import write_dcm
from xcaliper.calib.formats.model import Holds, SetFormat

__all__ = ["FORMAT"]

FORMAT: Final = SetFormat(
    "dcm",
    "DCM 2.0",
    (".dcm",),
    read_dcm,
    write_dcm,
    sniff_dcm,
    holds=frozenset(
        {
            Holds.TEXTS,
            Holds.AXES,
            Holds.UNITS,
            Holds.NAMES,
            Holds.FUNCTIONS,
            Holds.VARIANTS,
            Holds.ORIGIN,
        }
    ),
)
