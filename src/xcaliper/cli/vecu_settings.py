"""Settings of a virtual ECU by name: ``--set overload=1``."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import NotFoundError, SettingsError, UsageError
from xcaliper.xcp.slave_config import SlaveConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Setting", "known_settings", "with_settings"]

_WORDS: Final = {
    "true": True, "on": True, "yes": True, "1": True,
    "false": False, "off": False, "no": False, "0": False,
}  # fmt: skip
#: Kinds that can be written in one word; others are for Python.
_KINDS: Final = {"bool": bool, "int": int, "float": float}
_ATTRIBUTE: Final = re.compile(r"(?m)^    (\w+): (.*(?:\n        .*)*)")


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of ``SlaveConfig`` that a word can say.

    Attributes:
        name: of the field.
        kind: ``bool``, ``int`` or ``float``.
        default: without ``--set``.
        may_lack: ``none`` is a value.
        meaning: what it does.
    """

    name: str
    kind: str
    default: Any
    may_lack: bool
    meaning: str

    def value(self, text: str) -> Any:
        """The value that a text means.

        Raises:
            SettingsError: it means none.
        """
        word = text.strip().casefold()
        if self.may_lack and word == "none":
            return None
        try:
            if self.kind == "bool":
                return _WORDS[word]
            return int(word, 0) if self.kind == "int" else float(word)
        except (KeyError, ValueError) as cause:
            wanted = {"bool": "on nor off", "int": "a whole number", "float": "a number"}[self.kind]
            no = "neither" if self.kind == "bool" else "not"
            raise SettingsError(self.name, f"{text!r} is {no} {wanted}", source="--set") from cause


def known_settings() -> dict[str, Setting]:
    """Name → setting, in the order of ``SlaveConfig``."""
    meanings = dict(_ATTRIBUTE.findall(inspect.getdoc(SlaveConfig) or ""))
    found = {}
    for one in fields(SlaveConfig):
        kind, _, lack = str(one.type).partition(" | ")
        if kind in _KINDS and lack in ("", "None"):
            meaning = " ".join(meanings[one.name].split())
            found[one.name] = Setting(one.name, kind, one.default, bool(lack), meaning)
    return found


def with_settings(settings: SlaveConfig, texts: Sequence[str]) -> SlaveConfig:
    """Settings with some of them chosen by ``name=value``.

    Raises:
        NotFoundError: no such setting.
        SettingsError: a value that it cannot have, alone or beside the others.
        UsageError: a text without a value.
    """
    known = known_settings()
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_").casefold()
        if not equals:
            raise UsageError(f"set: {text!r} is not 'name=value'.", hint="--set overload=1")
        if name not in known:
            near = tuple(get_close_matches(name, known, n=3))
            raise NotFoundError(name, kind="setting", nearest=near, hint="See --list-settings.")
        values[name] = known[name].value(value)
    return replace(settings, **values) if values else settings
