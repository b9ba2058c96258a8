"""``xcaliper write``: one parameter, checked and read back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptionsOfVerb
from xcaliper.cli.opening import open_ecu

__all__ = ["parse_target", "parse_value", "write"]

_TARGET = re.compile(r"(?P<name>.+?)(?P<at>(\[\d+(,\d+)*\])?)$")


def write(
    url: str,
    name: str,
    /,
    *values: Annotated[str, Parameter(allow_leading_hyphen=True)],
    a2l: Path | None = None,
    raw: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    timeout: float = 2.0,
    keys: KeyOptionsOfVerb = None,
) -> int:
    """Write a parameter by name, with limits checked and the value read back.

    Args:
        url: where the slave listens, such as udp://127.0.0.1:5555.
        name: name of the parameter; a cell of a curve or map as NAME[x] or NAME[y,x], from 0.
        values: one value, or as many as the array or table has, row by row.
        a2l: description to use; without it the slave is asked for its own.
        raw: ECU values instead of physical ones.
        json: print one JSON object.
        timeout: seconds to wait for an answer.
        keys: of protected resources.
    """
    from xcaliper.calib.values import format_number
    from xcaliper.cli.shell import print_json, stdout
    from xcaliper.core.errors import UsageError

    if not values:
        raise UsageError(f"{name}: no value given.", hint=f"xcaliper write {url} {name} VALUE")
    with open_ecu(url, a2l, timeout=timeout, keys=keys) as ecu:
        target, at = (name, None) if name in ecu.catalog.names else parse_target(name)
        facts = ecu.describe(target)
        is_text = facts["kind"] == "ASCII" and not raw
        done = ecu.write(target, _value(values, is_text=is_text), at=at, raw=raw)
        unit = "" if raw else facts["unit"]
        if json:
            print_json({**done.as_dict(), "unit": unit})
            return 0
        console = stdout()
        if done.is_scalar:
            text = f"{name}: {format_number(done.before)} → {format_number(done.after)} {unit}"
            console.print(text.rstrip(), markup=False)
        else:
            console.print(f"{name}: {done.changed} of {done.size} values changed", markup=False)
        for other in done.dependents:
            if other.changed:
                now = format_number(other.after) if other.is_scalar else f"{other.changed} values"
                console.print(f"{other.name} follows: {now}", markup=False)
        for diagnostic in done.diagnostics:
            console.print(f"note: {diagnostic.text}", markup=False)
    return 0


def _value(values: tuple[str, ...], *, is_text: bool) -> Any:
    if is_text:
        return " ".join(values)
    parsed = [parse_value(text) for text in values]
    return parsed[0] if len(parsed) == 1 else parsed


def parse_target(name: str) -> tuple[str, tuple[int, ...] | None]:
    """``KFZW[3,4]`` → name and cell."""
    found = _TARGET.match(name)
    if found is None or not found["at"]:
        return name, None
    return found["name"], tuple(int(part) for part in found["at"][1:-1].split(","))


def parse_value(text: str) -> int | float | str:
    """A number where it is one (decimal or 0x), text otherwise."""
    try:
        return int(text, 0)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
