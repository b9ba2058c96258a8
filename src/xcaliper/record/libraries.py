"""Libraries that only some outputs need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from xcaliper.core.errors import UsageError

__all__ = ["optional_library"]


def optional_library(name: str, extra: str = "frames") -> Any:
    """A module that only an extra of the package installs.

    Args:
        name: of the module.
        extra: what to install for it.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            f"{name} is not installed.", hint=f'pip install "xcaliper[{extra}]"'
        ) from error
