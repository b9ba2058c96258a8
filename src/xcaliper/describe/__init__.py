"""Descriptions from programs: bring an A2L up to date with a linked program, or make one from it.

The public names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xcaliper.describe.generator import GenerateOptions, generate
    from xcaliper.describe.header import parse_header
    from xcaliper.describe.report import Change, MissingSymbol, UpdateReport
    from xcaliper.describe.updater import update

__all__ = [
    "Change",
    "GenerateOptions",
    "MissingSymbol",
    "UpdateReport",
    "generate",
    "parse_header",
    "update",
]


def __getattr__(name: str) -> Any:
    homes = {
        "Change": "report",
        "GenerateOptions": "generator",
        "MissingSymbol": "report",
        "UpdateReport": "report",
        "generate": "generator",
        "parse_header": "header",
        "update": "updater",
    }
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{homes[name]}"), name)
