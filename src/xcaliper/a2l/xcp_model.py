"""What IF_DATA XCP says, as frozen values, and the words it says it with (ASAP2, IF_DATA XCP, 1.0)."""

from dataclasses import dataclass, replace
from typing import Final

from xcaliper.a2l.ifdata import IfItem
from xcaliper.a2l.xcp_extras import (
    XcpCpuLoad,
    XcpEcuState,
    XcpMemoryConsumption,
    XcpOdt,
    XcpPackedMode,
    XcpQueueLoad,
    XcpTimeCorrelation,
)
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.ticks import unit_ns

__all__ = [
    "XcpChecksum",
    "XcpDaq",
    "XcpDaqEvent",
    "XcpDaqList",
    "XcpDescription",
    "XcpEvent",
    "XcpOnCan",
    "XcpOnIp",
    "XcpOnOther",
    "XcpOnTcpIp",
    "XcpOnUdpIp",
    "XcpPag",
    "XcpPage",
    "XcpPgm",
    "XcpProtocolLayer",
    "XcpSector",
    "XcpSegment",
    "XcpStim",
    "XcpTimestamp",
    "XcpTransport",
]

ORDERS: Final = {
    "BYTE_ORDER_MSB_LAST": ByteOrder.INTEL,
    "BYTE_ORDER_MSB_FIRST": ByteOrder.MOTOROLA,
}
GRANULARITIES: Final = {
    "ADDRESS_GRANULARITY_BYTE": 1,
    "ADDRESS_GRANULARITY_WORD": 2,
    "ADDRESS_GRANULARITY_DWORD": 4,
}
OPTIMISATIONS: Final = {
    "OPTIMISATION_TYPE_DEFAULT": 0,
    "OPTIMISATION_TYPE_ODT_TYPE_16": 1,
    "OPTIMISATION_TYPE_ODT_TYPE_32": 2,
    "OPTIMISATION_TYPE_ODT_TYPE_64": 3,
    "OPTIMISATION_TYPE_ODT_TYPE_ALIGNMENT": 4,
    "OPTIMISATION_TYPE_MAX_ENTRY_SIZE": 5,
}
EXTENSIONS: Final = {
    "ADDRESS_EXTENSION_FREE": 0,
    "ADDRESS_EXTENSION_ODT": 1,
    "ADDRESS_EXTENSION_DAQ": 3,
}
IDENTIFICATIONS: Final = {
    "IDENTIFICATION_FIELD_TYPE_ABSOLUTE": 0,
    "IDENTIFICATION_FIELD_TYPE_RELATIVE_BYTE": 1,
    "IDENTIFICATION_FIELD_TYPE_RELATIVE_WORD": 2,
    "IDENTIFICATION_FIELD_TYPE_RELATIVE_WORD_ALIGNED": 3,
}
DAQ_GRANULARITIES: Final = {
    "GRANULARITY_ODT_ENTRY_SIZE_DAQ_BYTE": 1,
    "GRANULARITY_ODT_ENTRY_SIZE_DAQ_WORD": 2,
    "GRANULARITY_ODT_ENTRY_SIZE_DAQ_DWORD": 4,
    "GRANULARITY_ODT_ENTRY_SIZE_DAQ_DLONG": 8,
}
STIM_GRANULARITIES: Final = {k.replace("_DAQ_", "_STIM_"): v for k, v in DAQ_GRANULARITIES.items()}
OVERLOADS: Final = {
    "NO_OVERLOAD_INDICATION": 0,
    "OVERLOAD_INDICATION_PID": 1,
    "OVERLOAD_INDICATION_EVENT": 2,
}
TIMESTAMP_SIZES: Final = {"NO_TIME_STAMP": 0, "SIZE_BYTE": 1, "SIZE_WORD": 2, "SIZE_DWORD": 4}
UNITS: Final = {
    "UNIT_1NS": 0,
    "UNIT_10NS": 1,
    "UNIT_100NS": 2,
    "UNIT_1US": 3,
    "UNIT_10US": 4,
    "UNIT_100US": 5,
    "UNIT_1MS": 6,
    "UNIT_10MS": 7,
    "UNIT_100MS": 8,
    "UNIT_1S": 9,
    "UNIT_1PS": 10,
    "UNIT_10PS": 11,
    "UNIT_100PS": 12,
}
CONFIG_TYPES: Final = {"STATIC": "STATIC", "DYNAMIC": "DYNAMIC"}
DIRECTIONS: Final = {"DAQ": "DAQ", "STIM": "STIM", "DAQ_STIM": "DAQ_STIM"}
PGM_MODES: Final = {
    "PGM_MODE_ABSOLUTE": 1,
    "PGM_MODE_FUNCTIONAL": 2,
    "PGM_MODE_ABSOLUTE_AND_FUNCTIONAL": 3,
}
CHECKSUMS: Final = {
    "XCP_ADD_11": 1,
    "XCP_ADD_12": 2,
    "XCP_ADD_14": 3,
    "XCP_ADD_22": 4,
    "XCP_ADD_24": 5,
    "XCP_ADD_44": 6,
    "XCP_CRC_16": 7,
    "XCP_CRC_16_CITT": 8,
    "XCP_CRC_32": 9,
    "XCP_USER_DEFINED": 255,
}
ECU_ACCESS: Final = {
    "ECU_ACCESS_NOT_ALLOWED": 0,
    "ECU_ACCESS_WITHOUT_XCP_ONLY": 1,
    "ECU_ACCESS_WITH_XCP_ONLY": 2,
    "ECU_ACCESS_DONT_CARE": 3,
}
READ_ACCESS: Final = {
    "XCP_READ_ACCESS_NOT_ALLOWED": 0,
    "XCP_READ_ACCESS_WITHOUT_ECU_ONLY": 1,
    "XCP_READ_ACCESS_WITH_ECU_ONLY": 2,
    "XCP_READ_ACCESS_DONT_CARE": 3,
}
WRITE_ACCESS: Final = {k.replace("READ", "WRITE"): v for k, v in READ_ACCESS.items()}
ALIGNMENTS: Final = {"PACKET_ALIGNMENT_8": 1, "PACKET_ALIGNMENT_16": 2, "PACKET_ALIGNMENT_32": 4}
DAQ_LIST_FIELDS: Final = {
    "MAX_ODT": "max_odt",
    "MAX_ODT_ENTRIES": "max_odt_entries",
    "FIRST_PID": "first_pid",
    "EVENT_FIXED": "event_fixed",
}
DAQ_FLAGS: Final = {
    "PRESCALER_SUPPORTED": "prescaler_supported",
    "RESUME_SUPPORTED": "resume_supported",
    "STORE_DAQ_SUPPORTED": "store_daq_supported",
    "PID_OFF_SUPPORTED": "pid_off_supported",
    "DTO_CTR_FIELD_SUPPORTED": "dto_ctr_field_supported",
    "OPTIMISATION_TYPE_ODT_STRICT": "optimisation_strict",
}
DAQ_TOTALS: Final = {
    "MAX_DAQ_TOTAL": "max_daq_total",
    "MAX_ODT_TOTAL": "max_odt_total",
    "MAX_ODT_DAQ_TOTAL": "max_odt_daq_total",
    "MAX_ODT_STIM_TOTAL": "max_odt_stim_total",
    "MAX_ODT_ENTRIES_TOTAL": "max_odt_entries_total",
    "MAX_ODT_ENTRIES_DAQ_TOTAL": "max_odt_entries_daq_total",
    "MAX_ODT_ENTRIES_STIM_TOTAL": "max_odt_entries_stim_total",
}
DAQ_LOADS: Final = {
    "CPU_LOAD_MAX_TOTAL": "cpu_load_max_total",
    "CORE_LOAD_MAX_TOTAL": "core_load_max_total",
}
EVENT_FLAGS: Final = {
    "EVENT_COUNTER_PRESENT": "event_counter_present",
    "RELATED_EVENT_CHANNEL_NUMBER_FIXED": "related_event_fixed",
    "DTO_CTR_DAQ_MODE_FIXED": "dto_ctr_daq_mode_fixed",
    "DTO_CTR_STIM_MODE_FIXED": "dto_ctr_stim_mode_fixed",
    "STIM_DTO_CTR_COPY_PRESENT": "stim_dto_ctr_copy_present",
}
EVENT_NUMBERS: Final = {
    "COMPLEMENTARY_BYPASS_EVENT_CHANNEL_NUMBER": "complementary_bypass_event",
    "RELATED_EVENT_CHANNEL_NUMBER": "related_event",
}
EVENT_WORDS: Final = {
    "CONSISTENCY": "consistency",
    "DTO_CTR_DAQ_MODE": "dto_ctr_daq_mode",
    "DTO_CTR_STIM_MODE": "dto_ctr_stim_mode",
}
EVENT_PAIRS: Final = {
    "MIN_CYCLE_TIME": "min_cycle_time",
    "BUFFER_RESERVE_EVENT": "buffer_reserve",
}
EVENT_CPU_LOADS: Final = {
    "CPU_LOAD_CONSUMPTION_DAQ": "cpu_load_daq",
    "CPU_LOAD_CONSUMPTION_STIM": "cpu_load_stim",
}
EVENT_QUEUE_LOADS: Final = {
    "CPU_LOAD_CONSUMPTION_QUEUE": "cpu_load_queue",
    "CPU_LOAD_CONSUMPTION_QUEUE_STIM": "cpu_load_queue_stim",
}
IP_TEXTS: Final = {
    "HOST_NAME": "host",
    "ADDRESS": "address",
    "IPV6": "ipv6",
    "TRANSPORT_LAYER_INSTANCE": "instance",
}
CAN_NUMBERS: Final = {
    "CAN_ID_BROADCAST": "can_id_broadcast",
    "CAN_ID_MASTER": "can_id_master",
    "CAN_ID_SLAVE": "can_id_slave",
    "CAN_ID_GET_DAQ_CLOCK_MULTICAST": "can_id_get_daq_clock_multicast",
    "BAUDRATE": "baudrate",
    "SAMPLE_POINT": "sample_point",
    "BTL_CYCLES": "btl_cycles",
    "SJW": "sjw",
    "MAX_BUS_LOAD": "max_bus_load",
}
CAN_WORDS: Final = {"SAMPLE_RATE": "sample_rate", "SYNC_EDGE": "sync_edge"}
CAN_FD_NUMBERS: Final = {
    "MAX_DLC": "can_fd_max_dlc",
    "CAN_FD_DATA_TRANSFER_BAUDRATE": "can_fd_data_transfer_baudrate",
    "SAMPLE_POINT": "can_fd_sample_point",
    "BTL_CYCLES": "can_fd_btl_cycles",
    "SJW": "can_fd_sjw",
    "SECONDARY_SAMPLE_POINT": "can_fd_secondary_sample_point",
}
CAN_FD_WORDS: Final = {
    "SYNC_EDGE": "can_fd_sync_edge",
    "TRANSCEIVER_DELAY_COMPENSATION": "can_fd_delay_compensation",
}
CAN_FLAGS: Final = {
    "CAN_ID_MASTER_INCREMENTAL": "can_id_master_incremental",
    "MAX_DLC_REQUIRED": "max_dlc_required",
    "MEASUREMENT_SPLIT_ALLOWED": "measurement_split_allowed",
}


@dataclass(frozen=True, slots=True)
class XcpProtocolLayer:
    """PROTOCOL_LAYER; timers in ms, sizes in bytes (ASAP2, IF_DATA XCP PROTOCOL_LAYER)."""

    version: int = 0x0104
    t1: int = 1000
    t2: int = 1000
    t3: int = 1000
    t4: int = 1000
    t5: int = 1000
    t6: int = 1000
    t7: int = 1000
    max_cto: int = 8
    max_dto: int = 8
    byte_order: ByteOrder = ByteOrder.INTEL
    address_granularity: int = 1
    optional_cmds: tuple[str, ...] = ()
    level1_cmds: tuple[str, ...] = ()
    block_slave: bool = False
    block_master: bool = False
    max_bs: int = 0
    min_st: int = 0
    interleaved_queue: int | None = None
    seed_and_key: str | None = None
    max_dto_stim: int | None = None
    ecu_states: tuple[XcpEcuState, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpTimestamp:
    """TIMESTAMP_SUPPORTED: increments per unit, bytes, unit code, always present or not."""

    ticks: int
    size: int
    unit: int
    fixed: bool = False

    @property
    def tick_ns(self) -> float:
        """Length of one increment in nanoseconds."""
        return float(self.ticks * unit_ns(self.unit))


@dataclass(frozen=True, slots=True)
class XcpEvent:
    """EVENT: a channel that triggers DAQ lists; time_cycle 0 is not cyclic (ASAP2, IF_DATA XCP EVENT).

    Attributes:
        min_cycle_time: MIN_CYCLE_TIME as cycle and unit code.
        buffer_reserve: BUFFER_RESERVE_EVENT for DAQ and STIM.
        cpu_load_max: load that all lists of the event may cause.
    """

    name: str
    short_name: str
    channel: int
    direction: str = "DAQ"
    max_daq_list: int = 255
    time_cycle: int = 0
    time_unit: int = 6
    priority: int = 0
    consistency: str | None = None
    complementary_bypass_event: int | None = None
    related_event: int | None = None
    related_event_fixed: bool = False
    event_counter_present: bool = False
    dto_ctr_daq_mode: str | None = None
    dto_ctr_daq_mode_fixed: bool = False
    dto_ctr_stim_mode: str | None = None
    dto_ctr_stim_mode_fixed: bool = False
    stim_dto_ctr_copy_present: bool = False
    packed_mode: XcpPackedMode | None = None
    min_cycle_time: tuple[int, int] | None = None
    buffer_reserve: tuple[int, int] | None = None
    cpu_load_max: float | None = None
    cpu_load_daq: XcpCpuLoad | None = None
    cpu_load_stim: XcpCpuLoad | None = None
    cpu_load_queue: XcpQueueLoad | None = None
    cpu_load_queue_stim: XcpQueueLoad | None = None

    @property
    def period_ns(self) -> int:
        """Nominal period in nanoseconds, 0 for events that are not cyclic."""
        return int(self.time_cycle * unit_ns(self.time_unit))


@dataclass(frozen=True, slots=True)
class XcpDaqList:
    """DAQ_LIST of a static configuration; ``predefined`` are ODTs that cannot be changed."""

    number: int
    direction: str = "DAQ"
    max_odt: int = 0
    max_odt_entries: int = 0
    first_pid: int | None = None
    event_fixed: int | None = None
    packed_mode_supported: bool = False
    predefined: tuple[XcpOdt, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpStim:
    """STIM: what stimulation may carry; min_st_stim in 100 µs."""

    granularity: int = 1
    max_odt_entry_size: int = 0
    bit_stim: bool = False
    min_st_stim: int | None = None


@dataclass(frozen=True, slots=True)
class XcpDaq:
    """DAQ: what the slave can measure (ASAP2, IF_DATA XCP DAQ).

    Attributes:
        core_load_max: core and its largest load.
    """

    config_type: str = "DYNAMIC"
    max_daq: int = 0
    max_event_channel: int = 0
    min_daq: int = 0
    optimisation: int = 0
    address_extension: int = 0
    identification_field: int = 0
    granularity_daq: int = 1
    max_odt_entry_size_daq: int = 0
    overload: int = 0
    timestamp: XcpTimestamp | None = None
    alternating_event: int | None = None
    prescaler_supported: bool = False
    resume_supported: bool = False
    store_daq_supported: bool = False
    pid_off_supported: bool = False
    dto_ctr_field_supported: bool = False
    optimisation_strict: bool = False
    max_daq_total: int | None = None
    max_odt_total: int | None = None
    max_odt_daq_total: int | None = None
    max_odt_stim_total: int | None = None
    max_odt_entries_total: int | None = None
    max_odt_entries_daq_total: int | None = None
    max_odt_entries_stim_total: int | None = None
    cpu_load_max_total: float | None = None
    core_load_max_total: float | None = None
    core_load_max: tuple[tuple[int, float], ...] = ()
    memory_consumption: XcpMemoryConsumption | None = None
    stim: XcpStim | None = None
    daq_lists: tuple[XcpDaqList, ...] = ()
    events: tuple[XcpEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpPag:
    """PAG: number of segments, and whether they can be frozen."""

    max_segments: int = 0
    freeze_supported: bool = False


@dataclass(frozen=True, slots=True)
class XcpSector:
    """SECTOR of PGM."""

    name: str
    number: int
    address: int
    length: int
    clear_sequence_number: int = 0
    program_sequence_number: int = 0
    program_method: int = 0


@dataclass(frozen=True, slots=True)
class XcpPgm:
    """PGM: how the flash is programmed."""

    mode: int = 1
    max_sectors: int = 0
    max_cto_pgm: int = 0
    sectors: tuple[XcpSector, ...] = ()
    block_slave: bool = False
    block_master: bool = False
    max_bs: int = 0
    min_st: int = 0
    interleaved_queue: int | None = None


@dataclass(frozen=True, slots=True)
class XcpPage:
    """PAGE: access rights as the wire codes 0 to 3 (ASAP2, IF_DATA XCP PAGE)."""

    number: int
    ecu_access: int = 3
    xcp_read_access: int = 3
    xcp_write_access: int = 3
    init_segment: int | None = None


@dataclass(frozen=True, slots=True)
class XcpChecksum:
    """CHECKSUM: algorithm as the wire code, block size in bytes."""

    type: int
    max_block_size: int | None = None
    external_function: str | None = None
    mta_block_size_align: int | None = None


@dataclass(frozen=True, slots=True)
class XcpSegment:
    """SEGMENT at a MEMORY_SEGMENT."""

    number: int
    number_of_pages: int = 1
    address_extension: int = 0
    compression_method: int = 0
    encryption_method: int = 0
    checksum: XcpChecksum | None = None
    default_page_number: int | None = None
    pages: tuple[XcpPage, ...] = ()
    address_mappings: tuple[tuple[int, int, int], ...] = ()
    pgm_verify: int | None = None


@dataclass(frozen=True, slots=True)
class XcpDaqEvent:
    """DAQ_EVENT at an object.

    Attributes:
        fixed: the only events allowed; empty for a variable choice.
        available: events to choose from; empty means any.
        default: events to use when nobody chooses.
        consistency: events that keep the object consistent.
        variable: True for the VARIABLE form.
    """

    fixed: tuple[int, ...] = ()
    available: tuple[int, ...] = ()
    default: tuple[int, ...] = ()
    consistency: tuple[int, ...] = ()
    variable: bool = False


@dataclass(frozen=True, slots=True)
class XcpTransport:
    """Common to all transports: their own blocks override those of the module."""

    protocol_layer: XcpProtocolLayer | None = None
    daq: XcpDaq | None = None
    pag: XcpPag | None = None
    pgm: XcpPgm | None = None
    time_correlation: XcpTimeCorrelation | None = None
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class XcpOnIp(XcpTransport):
    """Common to UDP and TCP: port, host name or address, and sizes (ASAP2, IF_DATA XCP)."""

    version: int = 0x0104
    port: int = 5555
    host: str | None = None
    address: str | None = None
    ipv6: str | None = None
    max_bus_load: int | None = None
    max_bit_rate: int | None = None
    packet_alignment: int | None = None
    optional_subcmds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpOnUdpIp(XcpOnIp):
    """XCP_ON_UDP_IP: where the slave listens (ASAP2, IF_DATA XCP XCP_ON_UDP_IP)."""


@dataclass(frozen=True, slots=True)
class XcpOnTcpIp(XcpOnIp):
    """XCP_ON_TCP_IP: where the slave listens (ASAP2, IF_DATA XCP XCP_ON_TCP_IP)."""


@dataclass(frozen=True, slots=True)
class XcpOnCan(XcpTransport):
    """XCP_ON_CAN: identifiers with bit 31 set are extended (ASAP2, IF_DATA XCP XCP_ON_CAN)."""

    version: int = 0x0104
    can_id_broadcast: int | None = None
    can_id_master: int | None = None
    can_id_slave: int | None = None
    can_id_get_daq_clock_multicast: int | None = None
    can_id_master_incremental: bool = False
    baudrate: int | None = None
    sample_point: int | None = None
    sample_rate: str | None = None
    btl_cycles: int | None = None
    sjw: int | None = None
    sync_edge: str | None = None
    max_bus_load: int | None = None
    max_dlc_required: bool = False
    measurement_split_allowed: bool = False
    can_fd: bool = False
    can_fd_max_dlc: int | None = None
    can_fd_data_transfer_baudrate: int | None = None
    can_fd_sample_point: int | None = None
    can_fd_btl_cycles: int | None = None
    can_fd_sjw: int | None = None
    can_fd_sync_edge: str | None = None
    can_fd_max_dlc_required: bool = False
    can_fd_secondary_sample_point: int | None = None
    can_fd_delay_compensation: str | None = None
    daq_list_can_ids: tuple[tuple[int, int | None], ...] = ()
    event_can_ids: tuple[tuple[int, tuple[int, ...]], ...] = ()
    optional_subcmds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpOnOther(XcpTransport):
    """A transport that is kept as its tree, because it is not a standard one.

    Attributes:
        tag: keyword of the block.
        items: its content.
    """

    tag: str = ""
    items: tuple[IfItem, ...] = ()


@dataclass(frozen=True, slots=True)
class XcpDescription:
    """Everything a module says about XCP.

    Attributes:
        plus_version: version of the XCPplus form, None for the XCP form.
        protocol_layer: common PROTOCOL_LAYER.
        daq: common DAQ.
        pag: common PAG.
        pgm: common PGM.
        time_correlation: common TIME_CORRELATION.
        transports: every transport, in order.
    """

    plus_version: int | None = None
    protocol_layer: XcpProtocolLayer | None = None
    daq: XcpDaq | None = None
    pag: XcpPag | None = None
    pgm: XcpPgm | None = None
    time_correlation: XcpTimeCorrelation | None = None
    transports: tuple[XcpTransport, ...] = ()

    def merged(self, transport: XcpTransport | None = None) -> "XcpDescription":
        """The common blocks with those of one transport over them; without one, of the first."""
        chosen = transport or next(iter(self.transports), None)
        if chosen is None:
            return self
        return replace(
            self,
            protocol_layer=chosen.protocol_layer or self.protocol_layer,
            daq=chosen.daq or self.daq,
            pag=chosen.pag or self.pag,
            pgm=chosen.pgm or self.pgm,
            time_correlation=chosen.time_correlation or self.time_correlation,
            transports=(chosen,),
        )

    def transport_at(self, url: str) -> XcpTransport | None:
        """The transport that a link is: of its kind, and of its port where there are several.

        Through a gateway it is another kind; then the first one speaks for the ECU.

        Args:
            url: such as ``udp://127.0.0.1:5555``.
        """
        kind = XcpOnTcpIp if url.startswith("tcp") else XcpOnUdpIp
        mine = [one for one in self.transports if isinstance(one, kind)]
        port = url.rpartition(":")[2]
        exact = [one for one in mine if str(one.port) == port]
        return next(iter((*exact, *mine, *self.transports)), None)
