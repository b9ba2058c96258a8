"""Settings of ``a2l check`` in a file beside the description or above it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from xcaliper.core.errors import SettingsError

__all__ = ["NAMES", "find_settings"]

#: Files that are looked for, in this order, and the table of each.
NAMES: Final = (("xcaliper.toml", ("a2l-check",)), ("pyproject.toml", ("tool", "xcaliper", "a2l-check")))  # fmt: skip
_KEYS: Final = {"select": list, "ignore": list, "levels": dict, "severity": str, "limit": int}
_MAX_LEVELS: Final = 64


def find_settings(start: Path) -> dict[str, Any]:
    """The nearest table of settings in the folder of a description or above; empty where there is none.

    Args:
        start: the description.

    Raises:
        SettingsError: the table has a key or value that it cannot have, or its file is no TOML.
    """
    folder = start.resolve().parent
    for place in (folder, *folder.parents)[:_MAX_LEVELS]:
        for name, path in NAMES:
            file = place / name
            try:
                table: Any = tomllib.loads(file.read_text("utf-8"))
            except OSError:
                continue
            except ValueError as error:
                if name == "pyproject.toml":
                    continue  # that of somebody else
                raise SettingsError(
                    "a2l-check", f"it is no TOML: {error}", source=str(file)
                ) from error
            for key in path:
                table = table.get(key) if isinstance(table, dict) else None
            if table is not None:
                return _checked(table, file)
    return {}


def _checked(table: Any, file: Path) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise SettingsError("a2l-check", "a table is needed", source=str(file))
    for key, value in table.items():
        kind = _KEYS.get(key)
        if kind is None:
            text = f"it is none of {', '.join(_KEYS)}"
            raise SettingsError(key, text, source=str(file))
        texts = value.values() if kind is dict and isinstance(value, dict) else value
        plain = kind in (int, str) or all(isinstance(one, str) for one in texts)
        if not isinstance(value, kind) or isinstance(value, bool) or not plain:
            raise SettingsError(key, f"a {_SHOWN[kind]} is needed", source=str(file))
    return table


_SHOWN: Final = {list: "list of codes", dict: "table of codes and severities", str: "text", int: "number"}  # fmt: skip
