"""Settings of a slave: what it is, what it can, what it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import SettingsError
from xcaliper.core.ticks import TickClock
from xcaliper.xcp.codes import ChecksumType, Resource
from xcaliper.xcp.slave_clock import ClockSettings

if TYPE_CHECKING:
    from xcaliper.core.address import Address

__all__ = [
    "EventConfig",
    "MappingConfig",
    "PageConfig",
    "SegmentConfig",
    "SlaveConfig",
    "SlaveMemory",
]


@dataclass(frozen=True, slots=True)
class EventConfig:
    """An event channel of the slave (XCP Base, GET_DAQ_EVENT_INFO, 1.0).

    Attributes:
        channel: number, from 0 without holes.
        name: ASCII text.
        time_cycle: period in units, 0 = not cyclic.
        time_unit: unit code, 0 = 1 ns … 9 = 1 s.
        priority: 255 is highest.
        daq: lists of direction DAQ may use it.
        stim: lists of direction STIM may use it.
        max_daq_list: 255 = no limit.
        consistency: 0 ODT, 1 DAQ list, 2 event channel, 3 none.
    """

    channel: int
    name: str
    time_cycle: int = 0
    time_unit: int = 6
    priority: int = 0
    daq: bool = True
    stim: bool = False
    max_daq_list: int = 0xFF
    consistency: int = 1


@dataclass(frozen=True, slots=True)
class PageConfig:
    """A page of a segment; access codes as in PAGE_PROPERTIES (XCP Base, GET_PAGE_INFO, 1.0)."""

    number: int
    ecu_access: int = 3
    xcp_read_access: int = 3
    xcp_write_access: int = 3
    init_segment: int = 0


@dataclass(frozen=True, slots=True)
class MappingConfig:
    """An address mapping of a segment (XCP Base, GET_SEGMENT_INFO mode 2, 1.0)."""

    source: int
    destination: int
    length: int


@dataclass(frozen=True, slots=True)
class SegmentConfig:
    """A calibration segment (XCP Base, GET_SEGMENT_INFO, 1.0)."""

    number: int
    name: str
    address: Address
    size_bytes: int
    pages: tuple[PageConfig, ...]
    mappings: tuple[MappingConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class SlaveConfig:
    """Everything that can be chosen about a slave.

    Attributes:
        byte_order: Intel or Motorola.
        ag: bytes per address unit, 1, 2 or 4.
        max_cto: 8 to 255 bytes, multiple of AG.
        max_dto: 8 to 65535 bytes, multiple of AG.
        identification_field: 0 to 3, see :class:`~xcaliper.xcp.profile.DtoFormat`.
        timestamp: clock of DTO timestamps; size 0 = no timestamps.
        timestamp_fixed: timestamps cannot be switched off.
        disabled: standard names of optional commands that the slave refuses as unknown.
        events: event channels in order of number.
        segments: calibration segments in order of number.
        ids: identification type → bytes (GET_ID).
        id_in_packet_limit: texts up to this length travel in the GET_ID response when they fit.
        checksum: algorithm of BUILD_CHECKSUM.
        max_checksum_block: largest block in bytes, 0 = no limit.
        slave_block_mode: UPLOAD may be answered by several responses.
        master_block_mode: DOWNLOAD blocks are accepted.
        max_bs: packets per master block.
        min_st: separation in 100 µs.
        freeze: SET_SEGMENT_MODE may mark segments for storing.
        protected: resources that a new session finds locked.
        prescaler: SET_DAQ_LIST_MODE accepts prescalers above 1.
        overload: 0 none, 1 MSB of the first byte, 2 EV_DAQ_OVERLOAD.
        granularity_odt_entry: bytes.
        max_odt_entry_size: bytes.
        max_daq_lists: limit of ALLOC_DAQ.
        max_odt_entries_total: limit over all lists: the slave's memory.
        queue_size: DTOs that may wait for the transport; more are dropped and counted.
        dto_ctr: SET_DAQ_LIST_MODE may switch the DTO counter on.
        protocol_version: minor version announced by GET_VERSION; 0 = 1.0.
        transport_version: minor version of the transport.
        transport_major: major version of the transport, as CONNECT tells.
        clocks: clocks of slave, ECU and grandmaster, and how they run.
        driver_version: high nibble major, low nibble minor (GET_COMM_MODE_INFO).
    """

    byte_order: ByteOrder = ByteOrder.INTEL
    ag: int = 1
    max_cto: int = 255
    max_dto: int = 1468
    identification_field: int = 1
    timestamp: TickClock = field(default_factory=lambda: TickClock(1, 3, 4))
    timestamp_fixed: bool = False
    disabled: frozenset[str] = frozenset()
    events: tuple[EventConfig, ...] = ()
    segments: tuple[SegmentConfig, ...] = ()
    ids: dict[int, bytes] = field(default_factory=dict)
    id_in_packet_limit: int = 0
    checksum: ChecksumType = ChecksumType.XCP_CRC_32
    max_checksum_block: int = 0
    slave_block_mode: bool = True
    master_block_mode: bool = True
    max_bs: int = 32
    min_st: int = 0
    freeze: bool = False
    protected: Resource = field(default_factory=lambda: Resource(0))
    prescaler: bool = True
    overload: int = 2
    granularity_odt_entry: int = 1
    max_odt_entry_size: int = 255
    max_daq_lists: int = 256
    max_odt_entries_total: int = 65_535
    queue_size: int = 16_384
    dto_ctr: bool = True
    protocol_version: int = 5
    transport_version: int = 5
    transport_major: int = 1
    driver_version: int = 0x10
    clocks: ClockSettings = field(default_factory=ClockSettings)

    def __post_init__(self) -> None:
        self._check_sizes()
        self._check_lists()

    def _check_sizes(self) -> None:
        if self.ag not in (1, 2, 4):
            raise SettingsError("ag", f"{self.ag} is not 1, 2 or 4")
        for key, value, top in (
            ("max_cto", self.max_cto, 0xFF),
            ("max_dto", self.max_dto, 0xFFFF),
        ):
            if not 8 <= value <= top or value % self.ag:
                raise SettingsError(key, f"{value} is not a multiple of AG between 8 and {top}")
        if self.timestamp.size_bytes not in (0, 1, 2, 4):
            raise SettingsError("timestamp", f"{self.timestamp.size_bytes} bytes is not 0, 1, 2, 4")
        if not self.timestamp.tick_ns > 0:
            raise SettingsError("timestamp", "a tick must last longer than nothing")
        if self.granularity_odt_entry not in (1, 2, 4, 8) or self.granularity_odt_entry % self.ag:
            raise SettingsError(
                "granularity_odt_entry",
                f"{self.granularity_odt_entry} is not 1, 2, 4 or 8 and a multiple of AG",
            )

    def _check_lists(self) -> None:
        if self.checksum is ChecksumType.XCP_USER_DEFINED:
            raise SettingsError("checksum", "a user-defined algorithm cannot be served")
        if self.identification_field not in range(4):
            raise SettingsError("identification_field", f"{self.identification_field} is not 0 … 3")
        if self.overload not in range(3):
            raise SettingsError("overload", f"{self.overload} is not 0, 1 or 2")
        if [event.channel for event in self.events] != list(range(len(self.events))):
            raise SettingsError("events", "channels must count from 0 without holes")
        if [segment.number for segment in self.segments] != list(range(len(self.segments))):
            raise SettingsError("segments", "numbers must count from 0 without holes")
        for segment in self.segments:
            if [page.number for page in segment.pages] != list(range(len(segment.pages))):
                raise SettingsError("segments", f"pages of {segment.name} must count from 0")

    @property
    def resources(self) -> Resource:
        """What CONNECT announces."""
        return Resource.of(cal_pag=1, daq=int(bool(self.events)))

    @property
    def takes_blocks(self) -> bool:
        """True when DOWNLOAD may begin a block."""
        return self.master_block_mode and "DOWNLOAD_NEXT" not in self.disabled

    @property
    def max_odt(self) -> int:
        """ODT numbers that fit the first byte of a DTO (XCP Base, PID range, 1.0)."""
        return 124 if self.overload == 1 else 252


class SlaveMemory(Protocol):
    """What the slave reads and writes, as XCP sees it: pages and access rules already applied.

    Errors are raised as :class:`~xcaliper.core.errors.AccessDeniedError` (no such memory) and
    :class:`~xcaliper.core.errors.WriteProtectedError`; sizes are bytes, addresses count AG.
    """

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as XCP sees them."""
        ...

    def write(self, address: Address, data: bytes) -> None:
        """Write all bytes or none."""
        ...

    def view(self, address: Address, size_bytes: int) -> memoryview:
        """A view that stays valid and current, for DAQ sampling of measurement memory."""
        ...

    def set_page(self, segment: int, page: int, *, ecu: bool, xcp: bool) -> None:
        """Choose a page of a segment for the ECU, XCP or both."""
        ...

    def get_page(self, segment: int, *, ecu: bool) -> int:
        """The page in use by the ECU, or by XCP."""
        ...

    def copy_page(self, source: tuple[int, int], destination: tuple[int, int]) -> None:
        """Copy (segment, page) onto (segment, page)."""
        ...
