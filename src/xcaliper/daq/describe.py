"""A plan in words, as plain values and as HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.wording import counted
from xcaliper.daq.event_choice import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xcaliper.daq.link_load import LinkModel
    from xcaliper.daq.plan import DaqPlan, Raster
    from xcaliper.xcp.daq_lists import DaqListSetup

__all__ = ["describe_plan", "plan_to_dict", "plan_to_html"]

#: Polled signals of one reason that are told by name.
_SHOWN: Final = 8


def _rate(load: float) -> str:
    if load < 1e3:
        return f"{load:.0f} B/s"
    return f"{load / 1e6:.2f} MB/s" if load >= 1e6 else f"{load / 1e3:.1f} kB/s"


def _period(raster: Raster) -> str:
    if raster.cycle_ns is None:
        return "not cyclic" if raster.prescaler == 1 else f"1 of {raster.prescaler} events"
    return f"{raster.cycle_ns / 1e6:g} ms"


def _rows(plan: DaqPlan) -> Iterator[tuple[Raster, DaqListSetup]]:
    yield from zip((*plan.rasters, *plan.stim_rasters), plan.lists, strict=True)


def _polled_lines(plan: DaqPlan) -> list[str]:
    """What is polled, signals with the same reason together."""
    names: dict[str, list[str]] = {}
    for one in plan.polled:
        names.setdefault(one.reason, []).append(one.name)
    return [f"polled: {some(found, _SHOWN)}, {reason}" for reason, found in names.items()]


def _features(raster: Raster, setup: DaqListSetup) -> list[str]:
    found = []
    if setup.kind.value != "dynamic":
        found.append(setup.kind.value)
    if raster.packed:
        group = "element" if raster.packed.mode == 1 else "event"
        sets = "DTO" if len(setup.odts) == 1 else "set of DTOs"
        found.append(f"{raster.packed.sample_count} samples per {sets}, {group}-grouped")
    if setup.pid_off:
        found.append("no identification field")
    if setup.alternating:
        found.append("alternating")
    if setup.can_id is not None:
        found.append(f"CAN identifier {setup.can_id:#x}")
    return found


def _line(
    plan: DaqPlan, raster: Raster, setup: DaqListSetup, overhead: int, link: LinkModel | None
) -> str:
    load = plan.load(raster, overhead)
    entries = sum(len(odt.entries) for odt in setup.odts)
    per = "set of samples" if raster.packed else "sample"
    parts = [
        f"{raster.name}: event {raster.event_channel}",
        _period(raster),
        f"DAQ list {raster.daq_list}",
        *_features(raster, setup),
        counted(len(raster.signals), "signal"),
        counted(len(setup.odts), "ODT"),
        counted(entries, "entry", "entries"),
        f"{plan.sample_bytes(raster)} bytes per {per}",
        "not cyclic" if load is None else _rate(load),
    ]
    percent = plan.link_percent(raster, link)
    if link is not None and percent is not None:
        parts.append(f"{percent:.1f} % of {link.label}")
    return ", ".join(parts)


def describe_plan(plan: DaqPlan, overhead_bytes: int, link: LinkModel | None) -> str:
    """The plan in words, see :meth:`~xcaliper.daq.plan.DaqPlan.describe`."""
    lines = [_line(plan, raster, setup, overhead_bytes, link) for raster, setup in _rows(plan)]
    total = sum(plan.load(raster, overhead_bytes) or 0.0 for raster, _ in _rows(plan))
    dtos = sum(len(setup.odts) for setup in plan.lists)
    text = (
        f"total: {counted(len(plan.lists), 'DAQ list')}, {counted(dtos, 'ODT')}, "
        f"{_rate(total)} from cyclic events"
    )
    if link is not None and any(raster.set_cycle_ns for raster, _ in _rows(plan)):
        percent = _total_percent(plan, link)
        text += f", {percent:.1f} % of {link.label}"
        if link.max_load is not None:
            text += f", of which {link.max_load:g} % may be used"
        if percent > 100 and not link.is_assumed:
            text += ", which is more than it carries"
    lines.append(text)
    lines += [f"ECU: {text}" for text in _use_lines(plan)]
    lines += _polled_lines(plan)
    lines += [f"note: {finding.text} {finding.hint}".rstrip() for finding in plan.diagnostics]
    return "\n".join(lines)


def _total_percent(plan: DaqPlan, link: LinkModel) -> float:
    return sum(plan.link_percent(raster, link) or 0.0 for raster, _ in _rows(plan))


def _of(value: float, limit: float | None) -> str:
    if limit is None:
        return f"{value:g}"
    share = f" ({100 * value / limit:.0f} %)" if limit > 0 else ""
    return f"{value:g} of {limit:g}{share}"


def _use_lines(plan: DaqPlan) -> list[str]:
    use, model = plan.use, plan.resources
    if use is None or model is None:
        return []
    lines = []
    if use.memory is not None:
        lines.append(f"memory {_of(use.memory, use.memory_limit)} AG elements")
    for number, load in sorted(use.cpu_load.items()):
        lines.append(f"CPU load of event {number} {_of(load, model.events[number].limit)}")
    if use.cpu_load and model.cpu_load_max is not None:
        lines.append(
            f"CPU load of all events {_of(sum(use.cpu_load.values()), model.cpu_load_max)}"
        )
    limits = dict(model.core_load_max)
    for core, load in sorted(use.core_load.items()):
        lines.append(f"load of core {core} {_of(load, limits.get(core))}")
    totals = model.totals
    for name, value, limit in (
        ("DAQ lists", sum(use.lists), totals.daq),
        ("ODTs", sum(use.odts), totals.odt),
        ("entries", sum(use.entries), totals.entries),
    ):
        if limit is not None:
            lines.append(f"{name} {_of(value, limit)}")
    return lines


def plan_to_dict(plan: DaqPlan, link: LinkModel | None = None) -> dict[str, Any]:
    """The plan as plain values, see :meth:`~xcaliper.daq.plan.DaqPlan.to_dict`."""
    use = plan.use
    return {
        "lists": [_list_to_dict(plan, raster, setup, link) for raster, setup in _rows(plan)],
        "bytes_per_second": sum(plan.load(raster) or 0.0 for raster, _ in _rows(plan)),
        "link_percent": None if link is None else _total_percent(plan, link),
        "resources": None
        if use is None
        else {
            "memory": use.memory,
            "memory_limit": use.memory_limit,
            "cpu_load": {str(number): load for number, load in use.cpu_load.items()},
            "core_load": {str(core): load for core, load in use.core_load.items()},
            "lists": list(use.lists),
            "odts": list(use.odts),
            "entries": list(use.entries),
        },
        "polled": [{"name": one.name, "reason": one.reason} for one in plan.polled],
        "notes": [
            {"slug": finding.slug, "text": finding.text, "hint": finding.hint}
            for finding in plan.diagnostics
        ],
    }


def _list_to_dict(
    plan: DaqPlan, raster: Raster, setup: DaqListSetup, link: LinkModel | None
) -> dict[str, Any]:
    packed = raster.packed
    fields: Mapping[str, Any] = raster.dtype.fields or {}
    return {
        "name": raster.name,
        "event_channel": raster.event_channel,
        "cycle_ns": raster.cycle_ns,
        "prescaler": raster.prescaler,
        "daq_list": raster.daq_list,
        "direction": "STIM" if raster.is_stim else "DAQ",
        "kind": setup.kind.value,
        "packed": packed
        and {
            "mode": packed.mode,
            "sample_count": packed.sample_count,
            "timestamp_mode": packed.timestamp_mode,
        },
        "pid_off": setup.pid_off,
        "alternating": setup.alternating,
        "can_id": setup.can_id,
        "priority": setup.priority,
        "signals": {name: fields[name][1] for name in raster.signals},
        "row_bytes": raster.dtype.itemsize,
        "sample_bytes": plan.sample_bytes(raster),
        "odts": [
            [
                {
                    "address": entry.address.value,
                    "extension": entry.address.extension,
                    "size": entry.size,
                    "bit_offset": entry.bit_offset,
                }
                for entry in odt.entries
            ]
            for odt in setup.odts
        ],
        "bytes_per_second": plan.load(raster),
        "link_percent": plan.link_percent(raster, link),
    }


_COLUMNS = ("event", "period", "DAQ list", "signals", "ODTs", "entries", "bytes", "load", "")


def plan_to_html(plan: DaqPlan) -> str:
    """A table of the lists with notes below, for notebooks."""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    body = []
    for raster, setup in _rows(plan):
        load, percent = plan.load(raster), plan.link_percent(raster)
        part = (
            ""
            if percent is None or plan.link is None
            else f" ({percent:.1f} % of {plan.link.label})"
        )
        cells = (
            raster.name,
            _period(raster),
            raster.daq_list,
            len(raster.signals),
            len(setup.odts),
            sum(len(odt.entries) for odt in setup.odts),
            plan.sample_bytes(raster),
            "" if load is None else _rate(load) + part,
            ", ".join(_features(raster, setup)),
        )
        body.append("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>")
    more = [f"ECU: {text}" for text in _use_lines(plan)]
    more += _polled_lines(plan)
    more += [f"note: {finding.text} {finding.hint}" for finding in plan.diagnostics]
    notes = "".join(f"<li>{escape(text)}</li>" for text in more)
    return (
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        f"<ul>{notes}</ul>"
    )
