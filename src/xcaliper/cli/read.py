"""``xcaliper read``: values by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptionsOfVerb
from xcaliper.cli.opening import open_ecu

if TYPE_CHECKING:
    from xcaliper.client.connection import Connection

__all__ = ["read"]


def read(
    url: str,
    /,
    *names: str,
    a2l: Path | None = None,
    raw: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    timeout: float = 2.0,
    keys: KeyOptionsOfVerb = None,
) -> int:
    """Read measurements and parameters by name, in physical units.

    Args:
        url: where the slave listens, such as udp://127.0.0.1:5555.
        names: names of the A2L; * and ? are wildcards.
        a2l: description to use; without it the slave is asked for its own.
        raw: ECU values instead of physical ones.
        json: one JSON object per line.
        timeout: seconds to wait for an answer.
        keys: of protected resources.
    """
    from xcaliper.core.errors import UsageError

    if not names:
        raise UsageError("read: no name given.", hint="xcaliper read URL EngineSpeed 'c*'")
    with open_ecu(url, a2l, timeout=timeout, keys=keys) as ecu:
        _show(ecu, ecu.expand(names), raw=raw, as_json=json)
    return 0


def _show(ecu: Connection, names: list[str], *, raw: bool, as_json: bool) -> None:
    from xcaliper.cli.shell import print_json
    from xcaliper.cli.value_view import Shown, json_value, show_values

    values = ecu.read(names, raw=raw)
    if as_json:
        for name, value in values.items():
            unit = ecu.describe(name)["unit"]
            print_json({"name": name, "value": json_value(value), "unit": unit})
        return
    show_values(
        Shown(name, value, "" if raw or isinstance(value, str) else str(ecu.describe(name)["unit"]))
        for name, value in values.items()
    )
