"""IF_DATA XCP of a generated description: the events of the slave, and the event of each measured object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.a2l.builtin_aml import xcp_aml_text
from xcaliper.a2l.if_xcp import (
    XcpDaq,
    XcpDaqEvent,
    XcpDescription,
    XcpEvent,
    XcpProtocolLayer,
    write_daq_event,
    write_xcp,
)
from xcaliper.a2l.ifdata import A2ml
from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from xcaliper.a2l.keywords.project import Module
    from xcaliper.a2l.keywords.typedef import Instance
    from xcaliper.core.datatypes import ByteOrder

__all__ = ["add_events", "parse_event"]

#: Codes of the units of TIME_CYCLE, and how many fit into a millisecond (ASAP2, IF_DATA XCP EVENT).
_UNITS: Final = ((3, 1000.0), (4, 100.0), (5, 10.0), (6, 1.0), (7, 0.1), (8, 0.01), (9, 0.001))
_MAX_CYCLE: Final = 255
_MAX_CHANNEL: Final = 0xFFFF
_EXACT: Final = 1e-9
_SHORT: Final = 8  # characters of a short name


def parse_event(text: str) -> XcpEvent:
    """An event from ``NAME:CHANNEL`` or ``NAME:CHANNEL:MILLISECONDS``.

    Raises:
        UsageError: something else, or a cycle that no unit of XCP can say.
    """
    name, _, rest = text.partition(":")
    channel, _, cycle = rest.partition(":")
    try:
        number, cycle_ms = int(channel), float(cycle or 0)
    except ValueError:
        number, cycle_ms = -1, 0.0
    if not name or not 0 <= number <= _MAX_CHANNEL or not 0 <= cycle_ms <= 1000.0 * _MAX_CYCLE:
        raise UsageError(
            f"event {text}: it is not NAME:CHANNEL:MILLISECONDS.",
            hint="Write 10ms:0:10, or sync:1 for an event without a cycle.",
        )
    exact = [
        (count, unit)
        for unit, per_ms in _UNITS
        if 0 < (count := round(cycle_ms * per_ms)) <= _MAX_CYCLE
        and abs(count - cycle_ms * per_ms) < _EXACT * count
    ]
    if cycle_ms and not exact:
        raise UsageError(
            f"event {text}: no unit of XCP says this cycle.",
            hint="XCP has cycles of 1 to 255 times 1, 10 or 100 µs or ms, or 1 s.",
        )
    count, unit = exact[0] if cycle_ms else (0, 6)
    return XcpEvent(name, name[:_SHORT], number, time_cycle=count, time_unit=unit)


def add_events(
    module: Module, instances: list[Instance], events: tuple[XcpEvent, ...], order: ByteOrder
) -> None:
    """Say which events a slave has, and that every measurement goes with the first one unless the user chooses.

    What the slave says of itself when it is connected, such as sizes and timestamps, stays at its lowest value here.

    Args:
        module: with its objects.
        instances: those of them that are measured.
        events: at least one.
        order: byte order of the slave.
    """
    module.a2ml = A2ml(f"\n{xcp_aml_text()}\n")
    daq = XcpDaq(max_event_channel=len(events), events=events)
    layer = XcpProtocolLayer(byte_order=order)
    module.if_data.append(write_xcp(XcpDescription(protocol_layer=layer, daq=daq)))
    chosen = XcpDaqEvent(variable=True, default=(events[0].channel,))
    for measurement in module.measurement:
        measurement.if_data.append(write_daq_event(chosen))
    for instance in instances:
        instance.if_data.append(write_daq_event(chosen))
