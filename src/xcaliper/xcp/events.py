"""Event and service request packets of the slave."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import WireError
from xcaliper.wire.codec import codec_for
from xcaliper.wire.layout import AFTER, Packet, data, packet, sized, u8, u16, u32
from xcaliper.xcp.codes import PID_EV, PID_SERV, EventCode, ServiceCode
from xcaliper.xcp.timecorr import PayloadFmt, SyncState, TriggerInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EvClearDaq",
    "EvCmdPending",
    "EvDaqOverload",
    "EvEcuStateChange",
    "EvResumeMode",
    "EvSessionTerminated",
    "EvSleep",
    "EvStimTimeout",
    "EvStoreCal",
    "EvStoreDaq",
    "EvTimeSyncExtended",
    "EvTimeSyncLegacy",
    "EvTimeSyncShort",
    "EvTransport",
    "EvUser",
    "EvWakeUp",
    "Event",
    "ServReset",
    "ServText",
    "Service",
    "UnknownEvent",
    "UnknownService",
    "decode_event",
    "decode_service",
]


class Event(Packet):
    """Base of event packets (XCP Base, EV, 1.0)."""

    __slots__ = ()

    @property
    def code(self) -> int:
        """Event code."""
        return self.__layout__.prefix[1]

    @property
    def name(self) -> str:
        """Standard name, ``EV_CMD_PENDING``."""
        return EventCode(self.code).name


@packet(PID_EV)
class UnknownEvent(Event):
    """An event of a code that no edition knows (XCP Base, EV, 1.0)."""

    event_code: int = u8(1)
    data: bytes = data(2, default=b"")

    @property
    def code(self) -> int:
        """Event code."""
        return self.event_code

    @property
    def name(self) -> str:
        """``EV_`` and the code."""
        return f"EV_{self.event_code:02X}"


@packet(PID_EV, 0x00)
class EvResumeMode(Event):
    """Acquisition runs since power-up; the timestamp needs TIMESTAMP_SUPPORTED (XCP Base, EV_RESUME_MODE, 1.0)."""

    session_configuration_id: int = u16(2)
    timestamp: int | None = u32(4, unit="tick", optional=True)


@packet(PID_EV, 0x01)
class EvClearDaq(Event):
    """The stored DAQ configuration was erased (XCP Base, EV_CLEAR_DAQ, 1.0)."""


@packet(PID_EV, 0x02)
class EvStoreDaq(Event):
    """The DAQ configuration was stored (XCP Base, EV_STORE_DAQ, 1.0)."""


@packet(PID_EV, 0x03)
class EvStoreCal(Event):
    """The calibration data was stored (XCP Base, EV_STORE_CAL, 1.0)."""


@packet(PID_EV, 0x05)
class EvCmdPending(Event):
    """The command needs longer: restart the timer (XCP Base, EV_CMD_PENDING, 1.0)."""


@packet(PID_EV, 0x06)
class EvDaqOverload(Event):
    """Samples were lost inside the slave (XCP Base, EV_DAQ_OVERLOAD, 1.0)."""


@packet(PID_EV, 0x07)
class EvSessionTerminated(Event):
    """The slave ended the session (XCP Base, EV_SESSION_TERMINATED, 1.0)."""


@packet(PID_EV, 0x0A)
class EvSleep(Event):
    """The slave sleeps; send nothing (XCP Base, EV_SLEEP, 1.1)."""


@packet(PID_EV, 0x0B)
class EvWakeUp(Event):
    """The slave is awake again (XCP Base, EV_WAKE_UP, 1.1)."""


class _TimeSync(Event):
    __slots__ = ()

    @property
    def name(self) -> str:
        """``EV_TIME_SYNC`` for each of its forms."""
        return "EV_TIME_SYNC"


@packet(PID_EV, 0x08)
class EvTimeSyncLegacy(_TimeSync):
    """The DAQ clock at a trigger (XCP Base, EV_TIME_SYNC, 1.0)."""

    timestamp: int = u32(4, unit="tick")


@packet(PID_EV, 0x08)
class EvTimeSyncShort(_TimeSync):
    """As slaves with MAX_CTO 8 send it; legacy where both first fields are 0 (XCP Base, EV_TIME_SYNC, 1.3)."""

    trigger_info: TriggerInfo = u8(2, default=TriggerInfo(0), view=TriggerInfo)
    counter: int = u8(3, default=0)
    timestamp: int = u32(4, unit="tick")


@packet(PID_EV, 0x08)
class EvTimeSyncExtended(_TimeSync):
    """Every observable clock at one instant (XCP Base, EV_TIME_SYNC, 1.3)."""

    trigger_info: TriggerInfo = u8(2, view=TriggerInfo)
    payload_fmt: PayloadFmt = u8(3, view=PayloadFmt)
    slave_timestamp: int | None = sized(4, by="payload_fmt.slave", sizes=(0, 4, 8), unit="tick")
    grandmaster_timestamp: int | None = sized(
        AFTER, by="payload_fmt.grandmaster", sizes=(0, 4, 8), unit="tick"
    )
    ecu_timestamp: int | None = sized(AFTER, by="payload_fmt.ecu", sizes=(0, 4, 8), unit="tick")
    cluster_identifier: int | None = u16(AFTER, when="payload_fmt.cluster")
    counter: int | None = u8(AFTER, when="payload_fmt.cluster")
    sync_state: SyncState | None = u8(AFTER, view=SyncState, optional=True)


@packet(PID_EV, 0x09)
class EvStimTimeout(Event):
    """STIM data was missing or wrong (XCP Base, EV_STIM_TIMEOUT, 1.0; failure type 1.3).

    Information type 0: the number is an event channel, 1: a list. Failure type 0: time-out, 1: the
    counter was wrong.
    """

    info_type: int = u8(2)
    failure_type: int = u8(3)
    number: int = u16(4)


@packet(PID_EV, 0x0C)
class EvEcuStateChange(Event):
    """The ECU is in another state (XCP Base, EV_ECU_STATE_CHANGE, 1.3)."""

    state_number: int = u8(2)


@packet(PID_EV, 0xFE)
class EvUser(Event):
    """Whatever the maker of the ECU defined (XCP Base, EV_USER, 1.0)."""

    data: bytes = data(2, default=b"")


@packet(PID_EV, 0xFF)
class EvTransport(Event):
    """Event of the transport; on SPI a dummy packet (XCP Base, EV_TRANSPORT, 1.0)."""

    data: bytes = data(2, default=b"")


_EVENTS: Final[Mapping[int, type[Event]]] = MappingProxyType(
    {
        kind.__layout__.prefix[1]: kind
        for kind in (
            EvResumeMode,
            EvClearDaq,
            EvStoreDaq,
            EvStoreCal,
            EvCmdPending,
            EvDaqOverload,
            EvSessionTerminated,
            EvTimeSyncLegacy,
            EvStimTimeout,
            EvSleep,
            EvWakeUp,
            EvEcuStateChange,
            EvUser,
            EvTransport,
        )
    }
)


def decode_event(packet: bytes, order: ByteOrder = ByteOrder.INTEL, *, max_cto: int = 255) -> Event:
    """The event of an EV packet; unknown and damaged ones become :class:`UnknownEvent`.

    Args:
        packet: bytes from PID EV on.
        order: byte order of the slave.
        max_cto: MAX_CTO of the slave; with 8 it has a form of EV_TIME_SYNC of its own.

    Raises:
        WireError: not an EV packet, or shorter than two bytes.
    """
    plain: Event = codec_for(UnknownEvent, order).decode(packet)
    kind = _EVENTS.get(plain.code, UnknownEvent)
    if kind is EvTimeSyncLegacy:
        if max_cto == 8:
            kind = EvTimeSyncShort
        elif len(packet) > 3 and packet[3]:
            kind = EvTimeSyncExtended
    try:
        event: Event = codec_for(kind, order).decode(packet)
    except WireError:
        return plain
    return event


class Service(Packet):
    """Base of service request packets (XCP Base, SERV, 1.0)."""

    __slots__ = ()

    @property
    def code(self) -> int:
        """Service code."""
        return self.__layout__.prefix[1]

    @property
    def name(self) -> str:
        """Standard name, ``SERV_TEXT``."""
        return ServiceCode(self.code).name


@packet(PID_SERV)
class UnknownService(Service):
    """A service request of a code that no edition knows (XCP Base, SERV, 1.0)."""

    service_code: int = u8(1)
    data: bytes = data(2, default=b"")

    @property
    def code(self) -> int:
        """Service code."""
        return self.service_code

    @property
    def name(self) -> str:
        """``SERV_`` and the code."""
        return f"SERV_{self.service_code:02X}"


@packet(PID_SERV, 0x00)
class ServReset(Service):
    """The slave asks to be reset (XCP Base, SERV_RESET, 1.0)."""


@packet(PID_SERV, 0x01)
class ServText(Service):
    """A piece of plain text; a NUL ends the whole text (XCP Base, SERV_TEXT, 1.0)."""

    data: bytes = data(2, default=b"")

    @property
    def text(self) -> str:
        """The text up to its NUL."""
        return self.data.partition(b"\0")[0].decode("ascii", "replace")

    @property
    def is_last(self) -> bool:
        """True when the text ends in this packet."""
        return b"\0" in self.data


_SERVICES: Final[Mapping[int, type[Service]]] = MappingProxyType({0x00: ServReset, 0x01: ServText})


def decode_service(packet: bytes, order: ByteOrder = ByteOrder.INTEL) -> Service:
    """The request of a SERV packet; unknown ones become :class:`UnknownService`.

    Raises:
        WireError: not a SERV packet, or shorter than two bytes.
    """
    plain: Service = codec_for(UnknownService, order).decode(packet)
    kind = _SERVICES.get(plain.code)
    if kind is None:
        return plain
    service: Service = codec_for(kind, order).decode(packet)
    return service
