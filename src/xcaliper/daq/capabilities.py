"""What a slave's DAQ processor can do: events, lists, sizes, limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from xcaliper.core.datatypes import ByteOrder
from xcaliper.daq.resources import ResourceModel
from xcaliper.xcp.profile import DtoFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.a2l.xcp_extras import XcpPackedMode
    from xcaliper.core.ticks import TickClock
    from xcaliper.daq.link_load import LinkModel
    from xcaliper.xcp.daq_lists import OdtSetup

__all__ = [
    "AddressExtensionScope",
    "DaqCapabilities",
    "EventChannel",
    "ListCanId",
    "Optimisation",
    "Overload",
    "StaticList",
]

#: Width of an ODT number space: highest number + 1 (XCP Base, PID, 1.0).
MAX_ODTS: Final = 252
#: The same when bit 7 tells of lost samples.
MAX_ODTS_WITH_MSB: Final = 124
#: The same for direction STIM.
MAX_ODTS_STIM: Final = 192
#: In OPTIMISATION_TYPE: other ODTs are refused (XCP Base, DAQ_KEY_BYTE, 1.4).
STRICT: Final = 8


class Overload(Enum):
    """How the slave tells that it lost samples (XCP Base, DAQ_PROPERTIES, 1.0)."""

    NONE = "none"
    MSB = "msb"
    EVENT = "event"


class AddressExtensionScope(Enum):
    """Where address extensions must be equal (XCP Base, DAQ_KEY_BYTE, 1.0)."""

    FREE = 0
    ODT = 1
    DAQ_LIST = 3


class Optimisation(Enum):
    """Which ODTs the slave copies best (XCP Base, DAQ_KEY_BYTE, 1.0; strict ones 1.4).

    The value is the code in OPTIMISATION_TYPE.
    """

    DEFAULT = 0
    ODT_TYPE_16 = 1
    ODT_TYPE_32 = 2
    ODT_TYPE_64 = 3
    ODT_TYPE_ALIGNMENT = 4
    MAX_ENTRY_SIZE = 5
    ODT_TYPE_16_STRICT = 9
    ODT_TYPE_32_STRICT = 10
    ODT_TYPE_64_STRICT = 11

    @property
    def odt_type(self) -> int:
        """Bytes of the widest element of a homogeneous ODT, 0 = ODTs need not be homogeneous."""
        return (0, 2, 4, 8, 0, 0, 0, 0)[self.value & 7]

    @property
    def is_strict(self) -> bool:
        """True when the slave refuses other ODTs instead of copying them slowly."""
        return self.value > STRICT


@dataclass(frozen=True, slots=True)
class EventChannel:
    """An event of the ECU that can trigger DAQ lists (XCP Base, GET_DAQ_EVENT_INFO, 1.0).

    Attributes:
        number: event channel on the wire.
        name: text from the A2L or the slave; empty when unknown.
        cycle_ns: period; None = not cyclic or unknown.
        max_daq_list: lists that the event can serve; None = no limit known, 0 = cannot be used now.
        priority: 255 is highest.
        daq: lists of direction DAQ may use it.
        stim: lists of direction STIM may use it.
        consistency: 0 ODT, 1 DAQ list, 2 event channel, 3 none.
        packs: True when samples can be collected *(1.4)*.
        packed_mode: how they may be collected, as the A2L says (ASAP2, DAQ_PACKED_MODE); None = not
            said.
    """

    number: int
    name: str = ""
    cycle_ns: int | None = None
    max_daq_list: int | None = None
    priority: int = 0
    daq: bool = True
    stim: bool = False
    consistency: int = 0
    packs: bool = False
    packed_mode: XcpPackedMode | None = None

    @property
    def label(self) -> str:
        """The name, or ``event 3`` where there is none."""
        return self.name or f"event {self.number}"


@dataclass(frozen=True, slots=True)
class StaticList:
    """A list that the slave brings along (XCP Base, GET_DAQ_LIST_INFO, 1.0).

    Attributes:
        number: on the wire.
        max_odt: ODTs.
        max_odt_entries: entries in each ODT.
        daq: may have direction DAQ.
        stim: may have direction STIM.
        event: the only event that it works with, None = any.
        is_predefined: its entries cannot be changed.
        odts: entries of a predefined list; empty = not known.
        packs: True when samples can be collected *(1.4)*.
    """

    number: int
    max_odt: int
    max_odt_entries: int
    daq: bool = True
    stim: bool = False
    event: int | None = None
    is_predefined: bool = False
    odts: tuple[OdtSetup, ...] = ()
    packs: bool = False


@dataclass(frozen=True, slots=True)
class ListCanId:
    """CAN identifier of a list's DTOs (ASAP2, DAQ_LIST_CAN_ID, 1.0).

    Attributes:
        can_id: bit 31 set = extended; None = the master chooses it.
    """

    can_id: int | None = None


@dataclass(frozen=True, slots=True)
class DaqCapabilities:
    """Everything that a plan has to respect.

    Attributes:
        dynamic: lists are allocated by the master; False = static lists.
        max_daq: lists in total; 0 = not known. Of a slave that allocates lists, as the A2L has it.
        min_daq: predefined lists; dynamic lists are numbered from here.
        max_event_channel: number of event channels, 0 = unknown.
        identification_field: 0 absolute, 1 relative + list u8, 2 + list u16, 3 + fill + list u16.
        overload: how lost samples are told.
        clock: resolution and width of DTO timestamps; None = there are none.
        timestamp_fixed: timestamps cannot be switched off.
        granularity: entry sizes and addresses are multiples of this, bytes.
        max_entry_size: largest entry, AG elements.
        address_extension: where extensions must be equal.
        prescaler: reduction of the event rate is possible.
        resume: lists can be stored and started at power-up.
        bit_stim: single bits can be stimulated.
        pid_off: the identification field can be switched off.
        optimisation_type: OPTIMISATION_TYPE of DAQ_KEY_BYTE, see Optimisation.
        optimisation_strict: the A2L says that other ODTs are refused.
        events: known event channels, by number.
        write_daq_multiple: several entries per command are possible; None = nobody says.
        max_dto: largest DTO, bytes.
        ag: bytes per address.
        byte_order: of the slave.
        granularity_stim: as granularity, for direction STIM.
        max_entry_size_stim: as max_entry_size, for direction STIM.
        max_dto_stim: largest DTO of direction STIM, bytes; 0 = as MAX_DTO.
        dto_ctr: the DTO counter is possible; None = nobody says.
        alternating_event: the display event, None = nobody says.
        lists: static and predefined lists, by number.
        can_ids: list → its CAN identifier.
        resources: what DAQ may cost the ECU.
        link: what the DTOs travel on; None = not known.
    """

    dynamic: bool = True
    max_daq: int = 0
    min_daq: int = 0
    max_event_channel: int = 0
    identification_field: int = 0
    overload: Overload = Overload.NONE
    clock: TickClock | None = None
    timestamp_fixed: bool = False
    granularity: int = 1
    max_entry_size: int = 255
    address_extension: AddressExtensionScope = AddressExtensionScope.FREE
    prescaler: bool = False
    resume: bool = False
    bit_stim: bool = False
    pid_off: bool = False
    optimisation_type: int = 0
    events: tuple[EventChannel, ...] = ()
    write_daq_multiple: bool | None = None
    max_dto: int = 8
    ag: int = 1
    byte_order: ByteOrder = ByteOrder.INTEL
    optimisation_strict: bool = False
    granularity_stim: int = 1
    max_entry_size_stim: int = 255
    max_dto_stim: int = 0
    dto_ctr: bool | None = None
    alternating_event: int | None = None
    lists: tuple[StaticList, ...] = ()
    can_ids: Mapping[int, ListCanId] = field(default_factory=lambda: MappingProxyType({}))
    resources: ResourceModel = field(default_factory=ResourceModel)
    link: LinkModel | None = None

    def dto_format(
        self, *, timestamp: bool = True, dto_ctr: bool = False, pid_off: bool = False
    ) -> DtoFormat:
        """Header of this slave's DTOs."""
        stamped = self.clock is not None and (timestamp or self.timestamp_fixed)
        return DtoFormat(
            identification_field=self.identification_field,
            timestamp_size=self.clock.size_bytes if stamped and self.clock else 0,
            dto_ctr=dto_ctr,
            overload_msb=self.overload is Overload.MSB and not pid_off,
            pid_off=pid_off,
        )

    def event(self, number: int) -> EventChannel | None:
        """A known event channel by its number."""
        return next((event for event in self.events if event.number == number), None)

    @property
    def max_odts(self) -> int:
        """ODT numbers per list, or for all lists with absolute identification fields."""
        return MAX_ODTS_WITH_MSB if self.overload is Overload.MSB else MAX_ODTS

    @property
    def optimisation(self) -> Optimisation:
        """The rule for ODTs; codes that do not exist count as no rule."""
        code = self.optimisation_type
        if self.optimisation_strict and code in (1, 2, 3):
            code |= STRICT
        try:
            return Optimisation(code)
        except ValueError:
            return Optimisation.DEFAULT
