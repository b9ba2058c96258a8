"""Key functions from what the user gives: a callable, one per resource, a library, or the A2L's library."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.core.errors import AccessLockedError, LibraryError, SettingsError
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.seed_key import KeyFunction, resource_name, resource_named

if TYPE_CHECKING:
    from xcaliper.xcp.codes import Resource

__all__ = ["Keys", "beside_a2l", "key_function", "python_function"]

Keys: TypeAlias = "KeyFunction | Mapping[str, KeyFunction | str | Path] | str | Path"
"""A callable ``(resource, seed) -> key``; resource name → callable or library; a library; or ``"a2l"``."""

_FROM_A2L: Final = "a2l"


@dataclass(frozen=True, slots=True)
class _PerResource:
    """Key functions by resource."""

    functions: Mapping[Resource, KeyFunction]

    def __call__(self, resource: Resource, seed: bytes) -> bytes:
        function = self.functions.get(resource)
        if function is None:  # as if there were no keys: the resource stays locked
            code = ErrorCode.ERR_ACCESS_LOCKED
            raise AccessLockedError(
                "UNLOCK",
                code=code,
                code_name=code.name,
                meaning=f"{resource_name(resource)} is protected, and the keys have none for it",
                remedy="Add it to the mapping.",
            )
        return function(resource, seed)


def key_function(
    keys: Keys, *, a2l: Path | None = None, described: str | None = None
) -> KeyFunction:
    """One key function for every resource.

    Args:
        keys: what the user gave.
        a2l: description, for ``"a2l"``: a library is looked for beside it.
        described: what it names as SEED_AND_KEY_EXTERNAL_FUNCTION.

    Raises:
        NotFoundError: a name of the mapping is no resource.
        SettingsError: it is none of all that, or the description names no library.
        LibraryError: the library of the description is not beside it.
    """
    if isinstance(keys, Mapping):
        functions = {
            resource_named(name): key_function(one, a2l=a2l, described=described)
            for name, one in keys.items()
        }
        return _PerResource(functions)
    if isinstance(keys, str | Path):
        from xcaliper.sandbox.keys import KeyLibrary

        if str(keys) == _FROM_A2L:
            return KeyLibrary(beside_a2l(described, a2l, "SEED_AND_KEY_EXTERNAL_FUNCTION"))
        return KeyLibrary(keys)
    if callable(keys):
        return keys
    raise SettingsError(
        "keys",
        f"{keys!r} is neither a callable nor a library",
        hint="Give a function of resource and seed, a mapping resource → function, or a file.",
    )


def beside_a2l(named: str | None, a2l: Path | None, keyword: str) -> Path:
    """The library that a description names, if it lies beside the description.

    The name is taken as written below the folder of the A2L, then without its folders there; then with
    the suffix of this system's libraries, and regardless of case. A path that leads elsewhere is never
    followed: a description must not choose what runs here.

    Args:
        named: what the description says.
        a2l: its file; None for one that the slave gave.
        keyword: what the name stands behind, for messages.

    Raises:
        SettingsError: the description names none, or is no file.
        LibraryError: it is not there.
    """
    if not named:
        raise SettingsError("a2l", f"the A2L has no {keyword}", hint="Give the library itself.")
    if a2l is None:
        raise SettingsError(
            "a2l",
            f"the A2L names {named}, but it is the slave's own, so nothing lies beside it",
            hint="Give the library itself.",
        )
    folder = a2l.absolute().parent
    written = PureWindowsPath(named)  # its separators are those of either system
    inside = not written.is_absolute() and not written.anchor and ".." not in written.parts
    wanted = [written.name, *_own_spellings(written)]
    places = [folder.joinpath(*written.parts)] if inside else []
    places += [folder / name for name in wanted]
    lower = {name.lower() for name in wanted}
    places += sorted(p for p in _files(folder) if p.name.lower() in lower)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise LibraryError(
            str(folder / written.name),
            "missing",
            f"the A2L names {named} ({keyword}), and it is not beside the A2L",
            hint="Put it there, or give the library itself.",
        )
    return found


def _own_spellings(written: PureWindowsPath) -> list[str]:
    """What the library may be called where this system builds it."""
    suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    return [f"{written.stem}{suffix}", f"lib{written.stem}{suffix}"]


def _files(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def python_function(target: str) -> KeyFunction:
    """The function ``module:name``; the current folder is looked into as well.

    Raises:
        SettingsError: there is no such module or function.
    """
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise SettingsError("key-python", f"{target!r} is not MODULE:FUNCTION")
    sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise SettingsError("key-python", f"{module_name} cannot be imported ({error})") from error
    finally:
        sys.path.remove(str(Path.cwd()))
    function: Callable[..., bytes] | None = getattr(module, name, None)
    if not callable(function):
        raise SettingsError("key-python", f"{module_name} has no function {name}")
    return function
