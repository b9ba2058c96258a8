"""The options of every verb that connects: where keys of protected resources come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from xcaliper.core.errors import SettingsError, UsageError, XcaliperError

if TYPE_CHECKING:
    from xcaliper.client.keys import Keys
    from xcaliper.xcp.codes import Resource
    from xcaliper.xcp.seed_key import KeyFunction

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

    if options is None:
        return None
    if options.key_library is not None and options.key_python is not None:
        raise UsageError("--key-library and --key-python: one of them is enough.")
    if options.key_python is not None:
        return _guarded(options.key_python, python_function(options.key_python))
    return options.key_library


def _guarded(name: str, function: KeyFunction) -> KeyFunction:
    """The function, whose failure is a mistake in it and not a defect of ours."""

    def key(resource: Resource, seed: bytes) -> bytes:
        try:
            made = function(resource, seed)
        except XcaliperError:
            raise
        except Exception as cause:
            problem = f"{name} failed ({type(cause).__name__}: {cause})"
            hint = "It is called with a resource and a seed, and returns the key as bytes."
            raise SettingsError("key-python", problem, hint=hint) from cause
        return made

    return key
