"""``xcaliper write``: one parameter, checked and read back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptionsOfVerb
from xcaliper.cli.opening import open_ecu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.calib.parameters import WriteResult
    from xcaliper.quantity.catalog import Catalog

__all__ = ["parse_target", "parse_value", "print_result", "target_of", "value_of", "write"]

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
    from xcaliper.cli.shell import print_json
    from xcaliper.core.errors import UsageError

    if not values:
        raise UsageError(f"{name}: no value given.", hint=f"xcaliper write {url} {name} VALUE")
    with open_ecu(url, a2l, timeout=timeout, keys=keys) as ecu:
        target, at = target_of(ecu.catalog, name)
        facts = ecu.describe(target)
        is_text = facts["kind"] == "ASCII" and not raw
        done = ecu.write(target, value_of(values, is_text=is_text), at=at, raw=raw)
        unit = "" if raw else facts["unit"]
        if json:
            print_json({**done.as_dict(), "unit": unit})
        else:
            print_result(done, unit, label=name)
    return 0


def print_result(done: WriteResult, unit: str, *, label: str = "", summary: str = "") -> None:
    """Say what a write did: values, what follows from it, and what is worth noting.

    Args:
        done: what it did.
        unit: of the values.
        label: what was written; the name of the parameter without it.
        summary: to say instead of the values.
    """
    from xcaliper.calib.values import format_number
    from xcaliper.cli.shell import stdout

    console = stdout()
    label = label or done.name
    if done.is_scalar:
        text = f"{label}: {format_number(done.before)} → {format_number(done.after)} {unit}"
    else:
        text = f"{label}: {done.changed} of {done.size} values changed"
    console.print(summary or text.rstrip(), markup=False)
    for other in done.dependents:
        if other.changed:
            now = format_number(other.after) if other.is_scalar else f"{other.changed} values"
            console.print(f"{other.name} follows: {now}", markup=False)
    for diagnostic in done.diagnostics:
        console.print(f"note: {diagnostic.text}", markup=False)


def value_of(values: Sequence[str], *, is_text: bool) -> Any:
    """Words of a command line as a value: one, or a list of them; joined to one text where it is one."""
    if is_text:
        return " ".join(values)
    parsed = [parse_value(text) for text in values]
    return parsed[0] if len(parsed) == 1 else parsed


def target_of(catalog: Catalog, name: str) -> tuple[str, tuple[int, ...] | None]:
    """Parameter and cell that a word means: names of a description may look like cells themselves."""
    return (name, None) if name in catalog.names else parse_target(name)


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
