"""The options of every verb that connects: where keys of protected resources come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from xcaliper.client.keys import Keys

__all__ = ["KeyOptions", "KeyOptionsOfVerb", "keys_of"]


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """Where keys come from.

    Attributes:
        key_library: library with the ASAM interface of seed and key; a2l = the one that the A2L names.
        key_python: function of resource and seed that gives the key, MODULE:FUNCTION.
    """

    key_library: Path | None = None
    key_python: str | None = None


KeyOptionsOfVerb = Annotated[KeyOptions | None, Parameter(name="*")]


def keys_of(options: KeyOptions | None) -> Keys | None:
    """The keys that the options name; None without them.

    Raises:
        UsageError: both options are given.
        SettingsError: there is no such function.
    """
    from xcaliper.client.keys import python_function
    from xcaliper.core.errors import UsageError

    if options is None:
        return None
    if options.key_library is not None and options.key_python is not None:
        raise UsageError("--key-library and --key-python: one of them is enough.")
    if options.key_python is not None:
        return python_function(options.key_python)
    return options.key_library
