"""``xcaliper info``: what the slave is and can do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from xcaliper.cli.key_options import KeyOptionsOfVerb
from xcaliper.cli.opening import open_ecu

if TYPE_CHECKING:
    from xcaliper.client.info import ConnectionInfo

__all__ = ["info", "show"]


def info(
    url: str,
    /,
    *,
    a2l: Path | None = None,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    timeout: float = 2.0,
    keys: KeyOptionsOfVerb = None,
) -> int:
    """Connect and show what the slave is and can do.

    Args:
        url: where the slave listens, such as udp://127.0.0.1:5555 or tcp://host:5555.
        a2l: description to use; without it the slave is asked for its own.
        json: print one JSON object instead of tables.
        timeout: seconds to wait for an answer.
        keys: of protected resources.
    """
    from xcaliper.cli.shell import print_json

    with open_ecu(url, a2l, timeout=timeout, keys=keys) as ecu:
        if json:
            print_json(ecu.info.as_dict())
        else:
            show(ecu.info)
    return 0


def show(found: ConnectionInfo) -> None:
    """Print what a connection found out, as tables."""
    from rich.table import Table

    from xcaliper.cli.shell import errors, print_table, stdout

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    for label, value in found.rows():
        table.add_row(label, value)
    print_table(table)
    if found.events:
        events = Table(title="Events", title_justify="left", box=None, padding=(0, 2, 0, 0))
        for name in ("no", "name", "period", "direction", "lists"):
            events.add_column(name, justify="right" if name in ("no", "period") else "left")
        for row in found.event_rows():
            events.add_row(*row)
        stdout().print()
        print_table(events)
    if found.segments:
        segments = Table(title="Segments", title_justify="left", box=None, padding=(0, 2, 0, 0))
        for name in ("no", "name", "address", "bytes", "pages", "ECU page", "XCP page"):
            segments.add_column(name)
        for cells in found.segment_rows():
            segments.add_row(*cells)
        stdout().print()
        print_table(segments)
    notes = errors()
    for diagnostic in found.diagnostics:
        notes.print(f"note: {diagnostic}", markup=False, soft_wrap=True)
