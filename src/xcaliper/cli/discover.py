"""``xcaliper discover``: the slaves on the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from xcaliper.xcp.procedures.transport import FoundSlave

__all__ = ["discover"]


def discover(
    *,
    interface: str = "",
    timeout: float = 1.0,
    json: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
) -> int:
    """List the slaves on the network that can be found, by multicast on UDP.

    Args:
        interface: own address of the network to search, 127.0.0.1 for this machine; without it the
            system chooses.
        timeout: seconds to wait for answers.
        json: one JSON object per slave.
    """
    from xcaliper.cli.shell import errors, print_json
    from xcaliper.transport import discovery

    found = discovery.discover(timeout_s=timeout, interface=interface)
    if json:
        for slave in found:
            print_json(_as_dict(slave))
    elif found:
        _show(found)
    else:
        errors().print("No slave answered. Not every slave can be found; try its address.")
    return 0


def _as_dict(slave: FoundSlave) -> dict[str, Any]:
    return {
        "urls": list(slave.urls),
        "name": slave.name,
        "busy": slave.busy,
        "resource": slave.resource.fields(),
        "mac": slave.mac.hex(":"),
    }


def _show(found: list[FoundSlave]) -> None:
    from rich.table import Table

    from xcaliper.cli.shell import print_table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("slave", "name", "state", "offers", "MAC"):
        table.add_column(name)
    for slave in found:
        offers = ", ".join(name for name, value in slave.resource.fields().items() if value)
        table.add_row(
            "\n".join(slave.urls),
            slave.name,
            "busy" if slave.busy else "free",
            offers,
            slave.mac.hex(":"),
        )
    print_table(table)
