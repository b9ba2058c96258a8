"""XCaliper: measure, calibrate and simulate electronic control units over XCP.

The public names are loaded when they are first used, so importing the package costs less than
importing numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xcaliper.core.errors import XcaliperError

if TYPE_CHECKING:
    from xcaliper.calib.values import Table
    from xcaliper.client.a2l_source import read_a2l
    from xcaliper.client.block import Block
    from xcaliper.client.connecting import connect
    from xcaliper.client.connection import Connection
    from xcaliper.client.label_file import read_label_file
    from xcaliper.client.measurement import Measurement
    from xcaliper.client.offline import OfflineImage, open_image
    from xcaliper.client.offline_plan import plan_offline
    from xcaliper.client.parameter_copy import copy_parameters
    from xcaliper.client.recorded_set import recorded_set
    from xcaliper.client.recording import Recording
    from xcaliper.client.set_file import load_set, save_set
    from xcaliper.client.together import measure_together

__version__ = "0.1.0"

__all__ = [
    "Block",
    "Connection",
    "Measurement",
    "OfflineImage",
    "Recording",
    "Table",
    "XcaliperError",
    "__version__",
    "connect",
    "copy_parameters",
    "load_set",
    "measure_together",
    "open_image",
    "plan_offline",
    "read_a2l",
    "read_label_file",
    "recorded_set",
    "save_set",
]


def __getattr__(name: str) -> Any:
    homes = {
        "Block": "client.block",
        "Connection": "client.connection",
        "connect": "client.connecting",
        "copy_parameters": "client.parameter_copy",
        "recorded_set": "client.recorded_set",
        "load_set": "client.set_file",
        "save_set": "client.set_file",
        "Measurement": "client.measurement",
        "OfflineImage": "client.offline",
        "open_image": "client.offline",
        "Table": "calib.values",
        "Recording": "client.recording",
        "measure_together": "client.together",
        "plan_offline": "client.offline_plan",
        "read_a2l": "client.a2l_source",
        "read_label_file": "client.label_file",
    }
    if name not in homes:
        raise AttributeError(f"module 'xcaliper' has no attribute {name!r}")
    return getattr(import_module(f"xcaliper.{homes[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
