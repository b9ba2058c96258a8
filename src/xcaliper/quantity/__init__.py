"""What ASAP2 objects mean: conversions, layouts, axes and values.

The public names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xcaliper.quantity.axis import AxisPoints, BoundAxis
    from xcaliper.quantity.binding import bind_characteristic
    from xcaliper.quantity.blob import BoundBlob
    from xcaliper.quantity.catalog import Catalog
    from xcaliper.quantity.characteristic import (
        BoundCharacteristic,
        PhysCharacteristic,
        RawCharacteristic,
    )
    from xcaliper.quantity.compu import Conversion, compile_conversion
    from xcaliper.quantity.dependents import DependencyGraph
    from xcaliper.quantity.formula import compile_formula
    from xcaliper.quantity.measurement import BoundMeasurement, bind_measurement
    from xcaliper.quantity.rounding import PhysToRaw
    from xcaliper.quantity.variants import Variants

__all__ = [
    "AxisPoints",
    "BoundAxis",
    "BoundBlob",
    "BoundCharacteristic",
    "BoundMeasurement",
    "Catalog",
    "Conversion",
    "DependencyGraph",
    "PhysCharacteristic",
    "PhysToRaw",
    "RawCharacteristic",
    "Variants",
    "bind_characteristic",
    "bind_measurement",
    "compile_conversion",
    "compile_formula",
]


def __getattr__(name: str) -> Any:
    homes = {
        "Variants": "variants",
        "PhysToRaw": "rounding",
        "DependencyGraph": "dependents",
        "BoundBlob": "blob",
        "AxisPoints": "axis",
        "BoundAxis": "axis",
        "BoundCharacteristic": "characteristic",
        "BoundMeasurement": "measurement",
        "Catalog": "catalog",
        "Conversion": "compu",
        "PhysCharacteristic": "characteristic",
        "RawCharacteristic": "characteristic",
        "bind_characteristic": "binding",
        "bind_measurement": "measurement",
        "compile_conversion": "compu",
        "compile_formula": "formula",
    }
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{homes[name]}"), name)
