"""Words of the calibration data format and what they mean in the model *(CDF 2.0; 2.1 for cubes and BLOB)*."""

from __future__ import annotations

from typing import Final

from xcaliper.calib.paramset import AxisKind, EntryKind

__all__ = [
    "CATEGORY_OF_KIND",
    "CONTAINERS",
    "DIMENSIONS",
    "EXTRA",
    "HISTORY_FIELDS",
    "KINDS",
    "LATER_KINDS",
    "PUBLIC_ID",
    "QUANTITY",
    "SYSTEM_ID",
    "VARIANT",
    "axis_kind_of",
    "normal",
]

PUBLIC_ID: Final = "-//ASAM//DTD CALIBRATION DATA FORMAT:V2.0.0:LAI:IAI:XML:CDF200.XSD//EN"
SYSTEM_ID: Final = "cdf_v2.0.0.sl.dtd"

KINDS: Final = {
    "VALUE": EntryKind.VALUE,
    "DEPENDENT_VALUE": EntryKind.VALUE,
    "BOOLEAN": EntryKind.VALUE,
    "ASCII": EntryKind.ASCII,
    "VAL_BLK": EntryKind.VAL_BLK,
    "VALUE_ARRAY": EntryKind.VAL_BLK,
    "CURVE": EntryKind.CURVE,
    "CURVE_AXIS": EntryKind.CURVE,
    "MAP": EntryKind.MAP,
    "CUBOID": EntryKind.CUBOID,
    "CUBE_4": EntryKind.CUBE_4,
    "CUBE_5": EntryKind.CUBE_5,
    "COM_AXIS": EntryKind.AXIS_PTS,
    "RES_AXIS": EntryKind.AXIS_PTS,
    "BLOB": EntryKind.BLOB,
}
"""CATEGORY of SW-INSTANCE → kind of an entry."""

CATEGORY_OF_KIND: Final = {
    kind: "COM_AXIS" if kind is EntryKind.AXIS_PTS else kind.value for kind in EntryKind
}
"""Kind → the CATEGORY that says no more than the kind."""

CONTAINERS: Final = frozenset(
    {
        "STRUCTURE",
        "UNION",
        "STRUCTURE_ARRAY",
        "UNION_ARRAY",
        "VALUE_ARRAY",
        "CURVE_ARRAY",
        "MAP_ARRAY",
    }
)
"""CATEGORY of instances whose values are those of the instances within."""

LATER_KINDS: Final = frozenset(
    {EntryKind.CUBOID, EntryKind.CUBE_4, EntryKind.CUBE_5, EntryKind.BLOB}
)
"""Kinds that need CDF 2.1."""

DIMENSIONS: Final = {
    EntryKind.CURVE: 1,
    EntryKind.AXIS_PTS: 1,
    EntryKind.MAP: 2,
    EntryKind.CUBOID: 3,
    EntryKind.CUBE_4: 4,
    EntryKind.CUBE_5: 5,
}
"""Dimensions of the values; those of a value block vary, those of other kinds are none."""

HISTORY_FIELDS: Final = {
    "state": "STATE",
    "date": "DATE",
    "user": "CSUS",
    "project": "CSPR",
    "work_package": "CSWP",
    "test_object": "CSTO",
    "test_variant": "CSTV",
    "program": "CSPI",
    "data": "CSDI",
}
"""Field of HistoryEntry → element of CS-ENTRY, in the order that is due; the first three are always there."""

EXTRA: Final = "XCALIPER"
"""GID of the SDG at the end of a file that holds what the elements before it have no place for."""

VARIANT: Final = "VARIANT-"
"""Begin of the GID, before a criterion, that says which variant of a parameter such data is for."""
QUANTITY: Final = "QUANTITY-"
"""Begin of the GID, before the number of an axis, of its input quantity."""

_AXES: Final = {kind.value: kind for kind in AxisKind}


def normal(category: str) -> str:
    """A category as the tables have it: upper case, with underscores."""
    return category.strip().upper().replace("-", "_").replace(" ", "_")


def axis_kind_of(category: str, ref: str) -> AxisKind:
    """Kind of an axis; where the category does not tell, a reference means a common axis."""
    return _AXES.get(normal(category), AxisKind.COM if ref else AxisKind.STD)
