"""What the slave tells about its data acquisition; live answers beat the A2L."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import NegativeResponseError
from xcaliper.xcp import daq
from xcaliper.xcp.procedures.connect import Session, optional
from xcaliper.xcp.procedures.memory import upload

if TYPE_CHECKING:
    from xcaliper.proto.procedure import Procedure

__all__ = ["DaqInfo", "EventInfo", "daq_info"]

_MAX_EVENTS: Final = 4096


@dataclass(frozen=True, slots=True)
class EventInfo:
    """An event channel as the slave describes it; the name may be empty."""

    channel: int
    name: str
    info: daq.GetDaqEventInfoResponse


@dataclass(frozen=True, slots=True)
class DaqInfo:
    """Answers of the slave; None where it does not tell.

    Attributes:
        processor: general abilities, header format.
        resolution: entry sizes, clock.
        events: channels that could be asked for, in order; None when the slave does not tell.
    """

    processor: daq.GetDaqProcessorInfoResponse | None
    resolution: daq.GetDaqResolutionInfoResponse | None
    events: tuple[EventInfo, ...] | None


def daq_info(session: Session, *, max_events: int = _MAX_EVENTS) -> Procedure[DaqInfo]:
    """General abilities, clock and events; every answer is optional.

    Args:
        session: of the connection.
        max_events: events beyond are not asked for.
    """
    processor = yield from optional(daq.GetDaqProcessorInfo())
    resolution = yield from optional(daq.GetDaqResolutionInfo())
    events: list[EventInfo] = []
    told = processor is not None and processor.max_event_channel > 0
    for channel in range(min(processor.max_event_channel, max_events) if processor else 0):
        info = yield from optional(daq.GetDaqEventInfo(event_channel=channel))
        if info is None:
            told = bool(events)
            break
        name = b""
        if info.name_length:
            try:
                name = yield from upload(session, -(-info.name_length // session.profile.ag))
            except NegativeResponseError:
                name = b""
        text = name[: info.name_length].rstrip(b"\0").decode("utf-8", "replace")
        events.append(EventInfo(channel, text, info))
    return DaqInfo(processor, resolution, tuple(events) if told else None)
