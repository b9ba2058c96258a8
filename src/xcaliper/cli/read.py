"""``xcaliper read``: values by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from rich.table import Table as Grid

    from xcaliper.calib.values import Table, format_number
    from xcaliper.cli.shell import print_json, print_table, stdout

    values = ecu.read(names, raw=raw)
    if as_json:
        for name, value in values.items():
            unit = ecu.describe(name)["unit"]
            print_json({"name": name, "value": _json_value(value), "unit": unit})
        return
    console = stdout()
    grid = Grid(box=None, padding=(0, 2, 0, 0), show_header=False)
    grid.add_column(overflow="fold")
    grid.add_column(justify="right", overflow="fold")
    grid.add_column()
    tables: list[Table] = []
    for name, value in values.items():
        unit = "" if raw or isinstance(value, str) else ecu.describe(name)["unit"]
        if isinstance(value, Table):
            tables.append(value)
        elif getattr(value, "ndim", 0) > 1:
            tables.append(Table(name, value, (), unit))
        else:
            grid.add_row(name, _text(value, format_number), unit)
    if grid.row_count:
        print_table(grid)
    for table in tables:
        console.print(table.text(), markup=False, soft_wrap=True)


def _text(value: Any, number: Any) -> str:
    if hasattr(value, "tolist"):
        return " ".join(number(item) for item in value.ravel())
    return str(number(value))


def _json_value(value: Any) -> Any:
    from xcaliper.calib.values import Table

    if isinstance(value, Table):
        axes = [
            {"name": axis.name, "unit": axis.unit, "points": axis.points.tolist()}
            for axis in value.axes
        ]
        return {"values": value.values.tolist(), "axes": axes}
    return value.tolist() if hasattr(value, "tolist") else value
