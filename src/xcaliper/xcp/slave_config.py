"""Settings of a slave: what it is, what it can, what it refuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import SettingsError
from xcaliper.core.ticks import TickClock
from xcaliper.xcp.codes import ChecksumType, ErrorCode, Group, Resource
from xcaliper.xcp.quirks import Quirk, check_quirks
from xcaliper.xcp.slave_clock import ClockSettings
from xcaliper.xcp.slave_daq_config import (
    DaqMemory,
    DaqTotals,
    EventConfig,
    FixedList,
    check_daq,
)
from xcaliper.xcp.slave_security import SecuritySettings
from xcaliper.xcp.slave_session import SessionSettings
from xcaliper.xcp.slave_stim import StimSettings
from xcaliper.xcp.slave_store import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.core.address import Address
    from xcaliper.xcp.slave_debug import DebugTarget
    from xcaliper.xcp.slave_link import LinkSettings
    from xcaliper.xcp.slave_program import ProgramSettings

__all__ = [
    "DaqMemory",
    "DaqTotals",
    "EventConfig",
    "FixedList",
    "MappingConfig",
    "PageConfig",
    "ScratchMemory",
    "SegmentConfig",
    "SlaveConfig",
    "SlaveMemory",
]

#: Setting → smallest and largest value: what its field in an answer holds, or what works at all.
_RANGES: Final = {
    "max_checksum_block": (0, 0xFFFF_FFFF),
    "id_in_packet_limit": (0, 0xFF),
    "max_bs": (0, 0xFF),
    "min_st": (0, 0xFF),
    "queue_size_commands": (1, 0xFF),
    "max_odt_entry_size": (1, 0xFF * 4),
    "max_odt_entry_size_stim": (1, 0xFF * 4),
    "max_dto_stim": (8, 0xFFFF),
    "max_daq_lists": (0, 0xFFFF),
    "max_odt_entries_total": (0, 0xFFFF_FFFF),
    "cpu_load_max_total": (0, 1e9),
    "queue_size": (1, 1 << 24),
    "link_burst_bytes": (1, 1 << 30),
    "protocol_version": (0, 0xFF),
    "transport_version": (0, 0xFF),
    "transport_major": (0, 0xFF),
    "driver_version": (0, 0xFF),
}
_ALLOCATION: Final = frozenset({"FREE_DAQ", "ALLOC_DAQ", "ALLOC_ODT", "ALLOC_ODT_ENTRY"})


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
        user_checksum: the algorithm itself, where it is XCP_USER_DEFINED.
        max_checksum_block: largest block in bytes, 0 = no limit.
        slave_block_mode: UPLOAD may be answered by several responses.
        master_block_mode: DOWNLOAD blocks are accepted.
        max_bs: packets per master block.
        min_st: separation in 100 µs.
        interleaved: commands may be sent before earlier ones are answered.
        queue_size_commands: commands that may wait besides the one that is worked on; one more is refused
            with ERR_CMD_BUSY.
        freeze: SET_SEGMENT_MODE may mark segments for storing.
        store: whether DAQ lists can be stored, and how long storing takes.
        protected: resources that a new session finds locked, beside those of ``security``.
        security: how resources are protected, and how they are unlocked.
        program: how the flash is programmed; None = it is not.
        link: what the commands of the transport work on; None = it has none. Give the machine the
            table with them, ``COMMANDS.extended(*commands_of(link))``.
        debug: what software debugging works on; None = there is none.
        user_command: sub-command and parameters of USER_CMD → data of the answer; None = unknown.
            It refuses by raising what :func:`~xcaliper.xcp.slave_state.refuse` makes.
        pod_command: the same for XCP on POD, from command and parameters.
        veto: asked with the standard name of each command that would be served, for an application
            that cannot let it be now; gives the error to refuse it with, or None.
        session: how CONNECT is taken.
        prescaler: SET_DAQ_LIST_MODE accepts prescalers above 1.
        overload: 0 none, 1 MSB of the first byte, 2 EV_DAQ_OVERLOAD.
        granularity_odt_entry: bytes.
        max_odt_entry_size: bytes.
        granularity_odt_entry_stim: bytes; None = as for DAQ.
        max_odt_entry_size_stim: bytes; None = as for DAQ.
        max_dto_stim: bytes of a STIM packet; None = MAX_DTO.
        dynamic: the master allocates lists; False = the fixed ones are all there are.
        fixed_lists: predefined lists first, then static ones (those without ``dynamic`` only).
        clear_predefined: CLEAR_DAQ_LIST works on predefined lists; False = ERR_ACCESS_DENIED.
        max_daq_is_limit: MAX_DAQ is what could be allocated; False = what is allocated now.
        max_daq_lists: limit of ALLOC_DAQ.
        max_odt_entries_total: limit over all lists: the slave's memory.
        totals: further limits over all lists.
        daq_memory: what lists cost in memory; None = not counted.
        cpu_load_max_total: what all lists may cost together; None = no limit.
        core_load_max: (core, what all lists may cost it together).
        core_load_max_total: what they may cost all cores; None = no limit.
        optimisation_type: 0 default, 1 to 3 ODT_TYPE_16/32/64, 4 alignment, 5 MAX_ENTRY_SIZE.
        optimisation_strict: ODTs that do not follow it are refused at the start; else tolerated.
        address_extension: 0 may differ, 1 same per ODT, 3 same per list.
        priority: SET_DAQ_LIST_MODE accepts priorities above 0.
        pid_off: lists may leave out the identification field; the transport must tell them apart.
        bit_stim: entries of direction STIM may be single bits.
        alternating: event channel with alternating display; None = not possible.
        queue_size: DTOs that may wait for the transport; more are dropped and counted.
        link_bytes_per_s: what the link takes; samples beyond are dropped and counted. None = no limit.
        link_burst_bytes: what the link takes at once.
        dto_ctr: SET_DAQ_LIST_MODE may switch the DTO counter on.
        protocol_version: minor version announced by GET_VERSION; 0 = 1.0.
        transport_version: minor version of the transport.
        transport_major: major version of the transport, as CONNECT tells.
        clocks: clocks of slave, ECU and grandmaster, and how they run.
        stim: what happens when STIM data is missing or wrong.
        driver_version: high nibble major, low nibble minor (GET_COMM_MODE_INFO).
        quirks: what the slave does differently; see :class:`~xcaliper.xcp.quirks.Quirk`.
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
    user_checksum: Callable[[bytes], int] | None = None
    max_checksum_block: int = 0
    slave_block_mode: bool = True
    master_block_mode: bool = True
    max_bs: int = 32
    min_st: int = 0
    interleaved: bool = False
    queue_size_commands: int = 4
    freeze: bool = False
    store: StoreSettings = field(default_factory=StoreSettings)
    protected: Resource = field(default_factory=lambda: Resource(0))
    security: SecuritySettings = field(default_factory=SecuritySettings)
    program: ProgramSettings | None = None
    link: LinkSettings | None = None
    debug: DebugTarget | None = None
    user_command: Callable[[int, bytes], bytes] | None = None
    pod_command: Callable[[int, bytes], bytes] | None = None
    veto: Callable[[str], ErrorCode | None] | None = None
    session: SessionSettings = field(default_factory=SessionSettings)
    prescaler: bool = True
    overload: int = 2
    granularity_odt_entry: int = 1
    max_odt_entry_size: int = 255
    granularity_odt_entry_stim: int | None = None
    max_odt_entry_size_stim: int | None = None
    max_dto_stim: int | None = None
    dynamic: bool = True
    fixed_lists: tuple[FixedList, ...] = ()
    clear_predefined: bool = True
    max_daq_is_limit: bool = False
    max_daq_lists: int = 256
    max_odt_entries_total: int = 65_535
    totals: DaqTotals = field(default_factory=DaqTotals)
    daq_memory: DaqMemory | None = None
    cpu_load_max_total: float | None = None
    core_load_max: tuple[tuple[int, float], ...] = ()
    core_load_max_total: float | None = None
    optimisation_type: int = 0
    optimisation_strict: bool = False
    address_extension: int = 0
    priority: bool = True
    pid_off: bool = False
    bit_stim: bool = False
    alternating: int | None = None
    queue_size: int = 16_384
    link_bytes_per_s: int | None = None
    link_burst_bytes: int = 65_536
    dto_ctr: bool = True
    protocol_version: int = 5
    transport_version: int = 5
    transport_major: int = 1
    driver_version: int = 0x10
    clocks: ClockSettings = field(default_factory=ClockSettings)
    stim: StimSettings = field(default_factory=StimSettings)
    quirks: frozenset[Quirk] = frozenset()

    def __post_init__(self) -> None:
        self._check_sizes()
        self._check_lists()
        check_quirks(self.quirks)

    def _check_sizes(self) -> None:
        if self.ag not in (1, 2, 4):
            raise SettingsError("ag", f"{self.ag} is not 1, 2 or 4")
        for key, value, top in (
            ("max_cto", self.max_cto, 0xFF),
            ("max_dto", self.max_dto, 0xFFFF),
        ):
            if not 8 <= value <= top or value % self.ag:
                raise SettingsError(key, f"{value} is not a multiple of AG between 8 and {top}")
        for key, (low, high) in _RANGES.items():
            chosen = getattr(self, key)
            if chosen is not None and not low <= chosen <= high:
                raise SettingsError(key, f"{chosen} is not {low} to {high:.10g}")
        if self.timestamp.size_bytes not in (0, 1, 2, 4):
            raise SettingsError("timestamp", f"{self.timestamp.size_bytes} bytes is not 0, 1, 2, 4")
        if not self.timestamp.tick_ns > 0:
            raise SettingsError("timestamp", "a tick must last longer than nothing")

    def _check_lists(self) -> None:
        if self.checksum is ChecksumType.XCP_USER_DEFINED and self.user_checksum is None:
            raise SettingsError("checksum", "a user-defined algorithm needs user_checksum")
        check_daq(self)
        if [segment.number for segment in self.segments] != list(range(len(self.segments))):
            raise SettingsError("segments", "numbers must count from 0 without holes")
        for segment in self.segments:
            if [page.number for page in segment.pages] != list(range(len(segment.pages))):
                raise SettingsError("segments", f"pages of {segment.name} must count from 0")

    @property
    def resources(self) -> Resource:
        """What CONNECT announces."""
        return Resource.of(
            cal_pag=1,
            daq=int(bool(self.events)),
            stim=int(self.takes_stim),
            pgm=int(self.program is not None),
            dbg=int(self.debug is not None),
        )

    @property
    def takes_blocks(self) -> bool:
        """True when DOWNLOAD may begin a block."""
        return self.master_block_mode and "DOWNLOAD_NEXT" not in self.disabled

    @property
    def absent_commands(self) -> frozenset[str]:
        """Commands that are refused as unknown: those switched off, and what nothing here needs."""
        absent = set(self.disabled)
        if self.security.key is None:
            absent |= {"GET_SEED", "UNLOCK"}
        if not self.dynamic:
            absent |= _ALLOCATION
        if not (self.dto_ctr and any(event.counter for event in self.events)):
            absent.add("DTO_CTR_PROPERTIES")
        if not any(event.packed for event in self.events):
            absent |= {"SET_DAQ_PACKED_MODE", "GET_DAQ_PACKED_MODE"}
        program = self.program
        if program is not None and program.kernel is None:
            absent.add("PROGRAM_PREPARE")
        if program is not None and not program.master_block_mode:
            absent.add("PROGRAM_NEXT")
        if self.user_command is None:
            absent.add("USER_CMD")
        if self.pod_command is None:
            absent.add("POD_COMMAND")
        if not (self.freeze or self.store.daq):
            absent.add("SET_REQUEST")
        return frozenset(absent)

    @property
    def absent_groups(self) -> frozenset[str]:
        """Groups of commands that are refused as unknown."""
        missing = {Group.PGM: self.program, Group.DBG: self.debug, Group.DAQ: self.events or None}
        return frozenset(group for group, needed in missing.items() if needed is None)

    @property
    def min_daq(self) -> int:
        """Number of predefined lists."""
        return sum(one.predefined for one in self.fixed_lists)

    def grain(self, *, stim: bool = False) -> int:
        """GRANULARITY_ODT_ENTRY_SIZE of a direction, in bytes."""
        own = self.granularity_odt_entry_stim
        return own if stim and own is not None else self.granularity_odt_entry

    def largest_entry(self, *, stim: bool = False) -> int:
        """MAX_ODT_ENTRY_SIZE of a direction, in bytes."""
        own = self.max_odt_entry_size_stim
        return own if stim and own is not None else self.max_odt_entry_size

    def largest_dto(self, *, stim: bool = False) -> int:
        """MAX_DTO of a direction, in bytes."""
        return self.max_dto_stim if stim and self.max_dto_stim is not None else self.max_dto

    @property
    def takes_stim(self) -> bool:
        """True when some event channel serves direction STIM."""
        return any(event.stim for event in self.events)

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


@runtime_checkable
class ScratchMemory(Protocol):
    """A memory with room of the slave's own behind its variables, so that one gather reads both."""

    def scratch(self) -> memoryview:
        """Writable bytes at the end of the object that views of variables belong to."""
        ...
