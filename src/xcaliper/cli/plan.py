"""``xcaliper plan``: what a measurement would use, from the description alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from xcaliper.cli.list_options import ListOptionsOfVerb, plan_options

if TYPE_CHECKING:
    from xcaliper.daq.plan import DaqPlan

__all__ = ["plan", "plan_rows", "show_plan"]

#: As it is left of an URL taken for a path.
_URL: Final = re.compile(r"\w+:[/\\]{1,2}[^/\\]+:\d+$")
_Flag = Parameter(negative=(), show_default=False)


def plan(  # noqa: PLR0913  # options by name
    a2l: Path,
    /,
    *signals: str,
    list_: Annotated[Path | None, Parameter(name=["--list", "-l"])] = None,
    event: Annotated[list[str], Parameter(name=["--event", "-e"], negative=())] = [],  # noqa: B006
    prescaler: int = 1,
    polling: float = 0.0,
    packed: str = "0",
    lists: ListOptionsOfVerb = None,
    link: str | None = None,
    skip_unknown: Annotated[bool, _Flag] = False,
    json: Annotated[bool, _Flag] = False,
) -> int:
    """Show the DAQ lists that a measurement would use, from the description alone; no ECU is asked.

    Args:
        a2l: description.
        signals: names of the A2L; * and ? are wildcards.
        list_: LAB file with more names, each with its event in the second column if wanted.
        event: event for all signals, by name, number or period (10ms), or for some ('Lambda*=100ms').
        prescaler: take every n-th event only.
        polling: read what cannot be measured, so many times a second at most.
        packed: samples that one set of packets carries, or 'max', where the slave can.
        lists: choices about lists.
        link: which transport of the description, and how fast: can, can:500k, canfd:500k/2M, udp,
            tcp:100M, or udp://HOST:PORT for the one of that port; without it the first one, as the
            description has it.
        skip_unknown: leave out lines of the list that the A2L does not know.
        json: one JSON object per DAQ list, a summary last.
    """
    from xcaliper import plan_offline
    from xcaliper.cli.choice import choose, packed_count
    from xcaliper.cli.shell import EXIT_OK, working
    from xcaliper.client.a2l_source import read_a2l
    from xcaliper.client.binding import declared_daq
    from xcaliper.client.offline_plan import offline_description
    from xcaliper.client.selection import event_number
    from xcaliper.core.errors import UsageError
    from xcaliper.quantity.catalog import Catalog

    if _URL.match(str(a2l)):
        raise UsageError(
            f"plan: {a2l.parts[0]} … is an ECU, not a description.",
            hint="xcaliper plan ecu.a2l …, or xcaliper measure URL … --plan",
        )
    choice = choose("plan", signals, event, list_)
    with working(f"reading {a2l.name}"):
        file = read_a2l(a2l)
        declared = declared_daq(offline_description(file, link))

        def number(text: str) -> int:
            return event_number(declared.events if declared is not None else (), text)

        names, events = choice.resolve(Catalog(file), number, skip_unknown=skip_unknown)
        made = plan_offline(
            file,
            names,
            event=events,
            prescaler=prescaler,
            polling=polling,
            packed=packed_count(packed),
            link=link,
            **plan_options(lists),
        )
    show_plan(made, as_json=json)
    return EXIT_OK


def plan_rows(made: DaqPlan) -> list[dict[str, Any]]:
    """One entry per DAQ list and one for what is polled, ready for JSON."""
    rasters = (*made.rasters, *made.stim_rasters)
    rows: list[dict[str, Any]] = [
        {
            "event": raster.name,
            "event_channel": raster.event_channel,
            "cycle_ns": raster.cycle_ns,
            "signals": list(raster.signals),
            "row_bytes": raster.dtype.itemsize,
            "sample_bytes": made.sample_bytes(raster),
            "daq_list": raster.daq_list,
            "kind": setup.kind.value,
            "priority": setup.priority,
            "pid_off": setup.pid_off,
            "can_id": setup.can_id,
            "alternating": setup.alternating,
            "odts": len(setup.odts),
            "entries": sum(len(odt.entries) for odt in setup.odts),
            "bytes_per_second": made.load(raster),
            "link_percent": made.link_percent(raster),
        }
        for raster, setup in zip(rasters, made.lists, strict=True)
    ]
    if made.polled:
        rows.append(
            {
                "event": "polling",
                "event_channel": None,
                "cycle_ns": None,
                "signals": [one.name for one in made.polled],
                "row_bytes": sum(one.wanted.size_bytes for one in made.polled),
                "reasons": {one.name: one.reason for one in made.polled},
            }
        )
    return rows


def show_plan(made: DaqPlan, *, as_json: bool) -> None:
    """Print a plan."""
    from xcaliper.cli.shell import print_json, stdout

    if as_json:
        for row in plan_rows(made):
            print_json(row)
        whole = made.to_dict()
        told = ("bytes_per_second", "link_percent", "resources", "notes")
        print_json({"summary": {name: whole[name] for name in told}})
        return
    stdout().print(made.describe(), markup=False, soft_wrap=True)
