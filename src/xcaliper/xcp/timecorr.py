"""Time correlation: DAQ clock, clock properties, clock information blocks, DTO counter."""

from __future__ import annotations

from dataclasses import dataclass

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import WireError
from xcaliper.proto.command import Request, Response, command
from xcaliper.wire.codec import codec_for
from xcaliper.wire.layout import (
    AFTER,
    BitField,
    Packet,
    bit,
    bits,
    choose,
    fixed,
    packet,
    sized,
    u8,
    u16,
    u32,
    u64,
)
from xcaliper.xcp.codes import PID_RES, Group, error_set

__all__ = [
    "ClockBlocks",
    "ClockInfo",
    "ClockInformation",
    "ClockRelation",
    "DaqClockExtended",
    "DaqClockLegacy",
    "DtoCtrMode",
    "DtoCtrModifier",
    "DtoCtrProperties",
    "DtoCtrPropertiesResponse",
    "DtoCtrPropertyBits",
    "GetDaqClock",
    "GetDaqClockResponse",
    "GetPropertiesRequest",
    "GrandmasterInformation",
    "ObservableClocks",
    "PayloadFmt",
    "SetProperties",
    "SlaveConfigBits",
    "SyncState",
    "TimeCorrelationProperties",
    "TimeCorrelationPropertiesResponse",
    "TriggerInfo",
    "decode_clock_blocks",
]

#: Bytes of a timestamp by its code in PAYLOAD_FMT; 3 is reserved.
_TIMESTAMP_SIZES = (0, 4, 8)


class TriggerInfo(BitField):
    """TRIGGER_INFO (XCP Base, EV_TIME_SYNC, 1.3)."""

    __slots__ = ()
    trigger_initiator = bits(
        0,
        3,
        "0 trigger line, 1 sync event, 2 multicast, 3 multicast over bridge, 4 sync state, "
        "5 leap second, 6 ECU reset released",
    )
    time_of_sampling = bits(3, 2, "0 protocol processor, 1 low jitter, 2 transmission, 3 reception")


class PayloadFmt(BitField):
    """PAYLOAD_FMT: timestamps in the packet, 0 absent, 1 u32, 2 u64 (XCP Base, GET_DAQ_CLOCK, 1.3)."""

    __slots__ = ()
    slave = bits(0, 2)
    grandmaster = bits(2, 2)
    ecu = bits(4, 2)
    cluster = bit(6, "cluster identifier and counter follow")


class SetProperties(BitField):
    """SET_PROPERTIES (XCP Base, TIME_CORRELATION_PROPERTIES, 1.3)."""

    __slots__ = ()
    response_fmt = bits(0, 2, "0 as it is, 1 events for initiators 0, 2, 3, 2 for all")
    time_sync_bridge = bits(2, 2, "0 as it is, 1 enable, 2 disable")
    set_cluster_id = bit(4)


class GetPropertiesRequest(BitField):
    """GET_PROPERTIES_REQUEST (XCP Base, TIME_CORRELATION_PROPERTIES, 1.3)."""

    __slots__ = ()
    get_clk_info = bit(0, "set the MTA to the clock information")


class SlaveConfigBits(BitField):
    """SLAVE_CONFIG (XCP Base, TIME_CORRELATION_PROPERTIES, 1.3)."""

    __slots__ = ()
    response_fmt = bits(0, 2, "0 legacy, 1 events for initiators 0, 2, 3, 2 for all")
    daq_ts_relation = bit(2, "0 slave clock, 1 ECU clock")
    time_sync_bridge = bits(3, 2, "0 none, 1 disabled, 2 enabled")


class ObservableClocks(BitField):
    """OBSERVABLE_CLOCKS (XCP Base, TIME_CORRELATION_PROPERTIES, 1.3)."""

    __slots__ = ()
    xcp_slv_clk = bits(0, 2, "0 free running, 1 can be synchronised, 2 none")
    grandm_clk = bits(2, 2, "0 none, 1 readable, 2 only in EV_TIME_SYNC")
    ecu_clk = bits(4, 2, "0 none, 1 readable, 2 only in EV_TIME_SYNC, 3 not readable")


class SyncState(BitField):
    """SYNC_STATE (XCP Base, TIME_CORRELATION_PROPERTIES, 1.3)."""

    __slots__ = ()
    slv_clk_sync_state = bits(
        0, 3, "0 synchronising, 1 synchronised, 2 syntonising, 3 syntonised, 7 not available"
    )
    grandm_clk_sync_state = bit(3)
    ecu_clk_sync_state = bits(4, 2, "0 no, 1 yes, 2 not known")


class ClockInfo(BitField):
    """CLOCK_INFO: blocks at the MTA, in order of bits (XCP Base, TIME_CORRELATION_PROPERTIES, 1.3)."""

    __slots__ = ()
    slave = bit(0)
    grandmaster = bit(1)
    relation = bit(2)
    ecu = bit(3)
    ecu_grandmaster = bit(4)


class GetDaqClockResponse(Response):
    """Answer by PAYLOAD_FMT: :class:`DaqClockLegacy` (0) or :class:`DaqClockExtended`.

    *(XCP Base, GET_DAQ_CLOCK, 1.0)*
    """

    __slots__ = ()


@packet(PID_RES)
class DaqClockLegacy(GetDaqClockResponse):
    """The DAQ clock as a dword (XCP Base, GET_DAQ_CLOCK, 1.0)."""

    trigger_info: TriggerInfo = u8(2, default=TriggerInfo(0), view=TriggerInfo)
    payload_fmt: PayloadFmt = u8(3, default=PayloadFmt(0), view=PayloadFmt)
    timestamp: int = u32(4, unit="tick")


@packet(PID_RES)
class DaqClockExtended(GetDaqClockResponse):
    """Every readable clock at one instant (XCP Base, GET_DAQ_CLOCK, 1.3)."""

    trigger_info: TriggerInfo = u8(2, view=TriggerInfo)
    payload_fmt: PayloadFmt = u8(3, view=PayloadFmt)
    slave_timestamp: int | None = sized(
        4, by="payload_fmt.slave", sizes=_TIMESTAMP_SIZES, unit="tick"
    )
    grandmaster_timestamp: int | None = sized(
        AFTER, by="payload_fmt.grandmaster", sizes=_TIMESTAMP_SIZES, unit="tick"
    )
    ecu_timestamp: int | None = sized(
        AFTER, by="payload_fmt.ecu", sizes=_TIMESTAMP_SIZES, unit="tick"
    )
    sync_state: SyncState | None = u8(AFTER, view=SyncState, optional=True)


choose(GetDaqClockResponse, "packet.3", {0: DaqClockLegacy}, default=DaqClockExtended)


@command(0xDC, group=Group.DAQ, resource="daq", errors=error_set("B P U S L N"))
class GetDaqClock(Request[GetDaqClockResponse]):
    """Ask for the clock of DAQ timestamps (XCP Base, GET_DAQ_CLOCK, 1.0)."""


@packet(PID_RES)
class TimeCorrelationPropertiesResponse(Response):
    """Clocks of the slave and their state (XCP Base, TIME_CORRELATION_PROPERTIES, 1.3)."""

    slave_config: SlaveConfigBits = u8(1, view=SlaveConfigBits)
    observable_clocks: ObservableClocks = u8(2, view=ObservableClocks)
    sync_state: SyncState = u8(3, view=SyncState)
    clock_info: ClockInfo = u8(4, view=ClockInfo)
    cluster_identifier: int = u16(6)


@command(0xC6, group=Group.TIME, since="1.3", errors=error_set("B U S R N T"))
class TimeCorrelationProperties(Request[TimeCorrelationPropertiesResponse]):
    """Choose event format, bridge and cluster; ask for clocks (XCP Base, TIME_CORRELATION_PROPERTIES, 1.3)."""

    set_properties: SetProperties = u8(1, default=SetProperties(0), view=SetProperties)
    get_properties_request: GetPropertiesRequest = u8(
        2, default=GetPropertiesRequest(0), view=GetPropertiesRequest
    )
    cluster_identifier: int = u16(4, default=0)


@packet()
class ClockInformation(Packet):
    """Slave or ECU clock, 24 bytes (XCP Base, clock information, 1.3)."""

    clock_id: bytes = fixed(0, 8)
    timestamp_ticks: int = u16(8)
    timestamp_unit: int = u8(10)
    stratum_level: int = u8(11, default=255)
    native_timestamp_size: int = u8(12, unit="byte")
    max_timestamp_before_wrap: int = u64(16)


@packet()
class GrandmasterInformation(Packet):
    """Grandmaster clock, 24 bytes; epoch 0 TAI, 1 UTC, 2 arbitrary (XCP Base, clock information, 1.3)."""

    clock_id: bytes = fixed(0, 8)
    timestamp_ticks: int = u16(8)
    timestamp_unit: int = u8(10)
    stratum_level: int = u8(11, default=255)
    native_timestamp_size: int = u8(12, unit="byte")
    epoch: int = u8(13)
    max_timestamp_before_wrap: int = u64(16)


@packet()
class ClockRelation(Packet):
    """The same instant in two clocks, 16 bytes (XCP Base, clock information, 1.3)."""

    origin: int = u64(0)
    slave_timestamp: int = u64(8)


@dataclass(frozen=True, slots=True)
class ClockBlocks:
    """Clock information as uploaded from the MTA; None for what CLOCK_INFO does not announce."""

    slave: ClockInformation | None = None
    grandmaster: GrandmasterInformation | None = None
    relation: ClockRelation | None = None
    ecu: ClockInformation | None = None
    ecu_grandmaster: bytes | None = None

    @staticmethod
    def size_bytes(info: ClockInfo) -> int:
        """Bytes to upload (XCP Base, clock information, 1.3)."""
        sizes = (24, 24, 16, 24, 8)
        return sum(size for i, size in enumerate(sizes) if info >> i & 1)


def decode_clock_blocks(
    info: ClockInfo, memory: bytes, order: ByteOrder = ByteOrder.INTEL
) -> ClockBlocks:
    """The blocks behind the MTA after GET_CLK_INFO, one per bit of CLOCK_INFO.

    Raises:
        WireError: fewer bytes than the blocks take.
    """
    need = ClockBlocks.size_bytes(info)
    if len(memory) < need:
        raise WireError("clock information", need=f"{need} bytes", got=len(memory))
    at = 0
    parts: list[bytes | None] = []
    for number, size in enumerate((24, 24, 16, 24, 8)):
        there = info >> number & 1
        parts.append(memory[at : at + size] if there else None)
        at += size if there else 0
    slave, grandmaster, relation, ecu, ecu_grandmaster = parts
    clock = codec_for(ClockInformation, order)
    return ClockBlocks(
        slave=clock.decode(slave) if slave else None,
        grandmaster=codec_for(GrandmasterInformation, order).decode(grandmaster)
        if grandmaster
        else None,
        relation=codec_for(ClockRelation, order).decode(relation) if relation else None,
        ecu=clock.decode(ecu) if ecu else None,
        ecu_grandmaster=ecu_grandmaster,
    )


class DtoCtrModifier(BitField):
    """MODIFIER of DTO_CTR_PROPERTIES; 0 asks only (XCP Base, DTO_CTR_PROPERTIES, 1.3)."""

    __slots__ = ()
    related_event = bit(0)
    daq_mode = bit(1)
    stim_mode = bit(2)


class DtoCtrMode(BitField):
    """MODE of DTO_CTR_PROPERTIES (XCP Base, DTO_CTR_PROPERTIES, 1.3)."""

    __slots__ = ()
    daq_mode = bit(0, "0 insert the counter, 1 copy that of the STIM packet")
    stim_mode = bit(1, "1 check the counter")


class DtoCtrPropertyBits(BitField):
    """PROPERTIES of the DTO_CTR_PROPERTIES response (XCP Base, DTO_CTR_PROPERTIES, 1.3)."""

    __slots__ = ()
    related_event_fixed = bit(0)
    daq_mode_fixed = bit(1)
    stim_mode_fixed = bit(2)
    related_event_present = bit(3)
    daq_mode_present = bit(4)
    stim_mode_present = bit(5)
    stim_dto_ctr_copy_present = bit(6)
    evt_ctr_present = bit(7)


@packet(PID_RES)
class DtoCtrPropertiesResponse(Response):
    """How the counter of an event behaves (XCP Base, DTO_CTR_PROPERTIES, 1.3)."""

    properties: DtoCtrPropertyBits = u8(1, view=DtoCtrPropertyBits)
    related_event_channel: int = u16(2)
    mode: DtoCtrMode = u8(4, view=DtoCtrMode)


@command(0xC5, group=Group.DAQ, resource="daq", since="1.3", errors=error_set("B P U S R L N"))
class DtoCtrProperties(Request[DtoCtrPropertiesResponse]):
    """Choose or ask how the DTO counter of an event behaves (XCP Base, DTO_CTR_PROPERTIES, 1.3)."""

    modifier: DtoCtrModifier = u8(1, default=DtoCtrModifier(0), view=DtoCtrModifier)
    event_channel: int = u16(2)
    related_event_channel: int = u16(4, default=0)
    mode: DtoCtrMode = u8(6, default=DtoCtrMode(0), view=DtoCtrMode)
