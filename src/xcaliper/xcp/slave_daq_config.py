"""Settings of a slave's data acquisition: events, fixed lists, packed mode, counters, resource limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import SettingsError

if TYPE_CHECKING:
    from xcaliper.xcp.daq_lists import OdtEntry
    from xcaliper.xcp.slave_config import SlaveConfig

__all__ = [
    "CounterConfig",
    "CpuLoad",
    "DaqMemory",
    "DaqTotals",
    "EventConfig",
    "FixedList",
    "PackedConfig",
    "QueueLoad",
    "check_daq",
]

_GRAINS: Final = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class PackedConfig:
    """Packed mode of an event channel (XCP Base, SET_DAQ_PACKED_MODE, 1.4; ASAP2, DAQ_PACKED_MODE).

    Attributes:
        mode: 1 grouped by element, 2 grouped by event: the only one that is accepted beside 0.
        timestamp_mode: 0 time of the last sample, 1 of the first.
        sample_count: samples in one set of DTOs, as the A2L says.
        alternatives: other counts that are accepted.
        mandatory: True when lists of the event must be packed.
    """

    mode: int = 1
    timestamp_mode: int = 0
    sample_count: int = 8
    alternatives: tuple[int, ...] = ()
    mandatory: bool = False


@dataclass(frozen=True, slots=True)
class CounterConfig:
    """Where the DTO counter of an event channel comes from (XCP Base, DTO_CTR_PROPERTIES, 1.3).

    Attributes:
        related_event: channel whose counter is inserted; None = the own one.
        related_event_fixed: it cannot be changed.
        daq_mode: 0 DAQ packets carry the counter of the related event, 1 the one that came last in a STIM
            packet for that event.
        daq_mode_fixed: it cannot be changed; without any event for STIM it never can.
        stim_mode: 0 the counter of STIM packets is not looked at, 1 it must be that of the related event.
        stim_mode_fixed: it cannot be changed.
    """

    related_event: int | None = None
    related_event_fixed: bool = False
    daq_mode: int = 0
    daq_mode_fixed: bool = False
    stim_mode: int = 0
    stim_mode_fixed: bool = False


@dataclass(frozen=True, slots=True)
class CpuLoad:
    """What sampling costs, in units of the load limits (ASAP2, CPU_LOAD_CONSUMPTION_DAQ, 1.2).

    Attributes:
        per_list: of each list.
        per_odt: of each ODT.
        per_entry: of each entry.
        sizes: (AG elements, cost) of entries by size; a smaller size costs as the next larger one, a
            larger one as many of the largest as cover it.
        cores: (core, share of the cost); empty = not told.
    """

    per_list: float = 0.0
    per_odt: float = 0.0
    per_entry: float = 0.0
    sizes: tuple[tuple[int, float], ...] = ()
    cores: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """What queueing costs, per ODT and per element of its data (ASAP2, CPU_LOAD_CONSUMPTION_QUEUE, 1.2).

    Attributes:
        cores: (core, share of the cost); empty = not told.
    """

    per_odt: float = 0.0
    per_element: float = 0.0
    cores: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class DaqMemory:
    """AG elements there are and that lists take (ASAP2, DAQ_MEMORY_CONSUMPTION, 1.2).

    Attributes:
        limit: all there is.
        per_list: of each list.
        per_odt: of each ODT.
        per_entry: of each entry.
        daq_buffer: of the buffer, per element that an ODT of direction DAQ carries.
        stim_buffer: the same of direction STIM.
        reserve: percent of buffers kept free, for DAQ and for STIM; None = nothing is said.
    """

    limit: int
    per_list: int = 0
    per_odt: int = 0
    per_entry: int = 0
    daq_buffer: int = 0
    stim_buffer: int = 0
    reserve: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class DaqTotals:
    """Limits over all lists; None = no limit of this kind (ASAP2, MAX_..._TOTAL, 1.2)."""

    daq: int | None = None
    odt: int | None = None
    odt_daq: int | None = None
    odt_stim: int | None = None
    odt_entries_daq: int | None = None
    odt_entries_stim: int | None = None


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
        max_daq_list: 255 = no limit, 0 = it cannot be used.
        consistency: 0 ODT, 1 DAQ list, 2 event channel, 3 none.
        packed: packed mode; None = not possible.
        counter: properties of the DTO counter; None = DTO_CTR_PROPERTIES does not know the channel.
        cpu_load: cost of DAQ lists; None = not counted.
        queue_load: cost of the queue; None = not counted.
        cpu_load_stim: cost of lists of direction STIM; None = not counted.
        queue_load_stim: cost of their queue; None = not counted.
        cpu_load_max: what the lists of the event may cost.
        buffer_reserve: percent of buffers kept free, for DAQ and for STIM; None = as for all events.
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
    packed: PackedConfig | None = None
    counter: CounterConfig | None = None
    cpu_load: CpuLoad | None = None
    queue_load: QueueLoad | None = None
    cpu_load_stim: CpuLoad | None = None
    queue_load_stim: QueueLoad | None = None
    cpu_load_max: float | None = None
    buffer_reserve: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class FixedList:
    """A list that is there from the start (XCP Base, GET_DAQ_LIST_INFO, 1.0).

    Attributes:
        entries: entries of each ODT of a predefined list; empty for a static list.
        max_odt: ODTs of a static list.
        max_odt_entries: entries of each of its ODTs.
        event_fixed: the only event channel it can use.
        daq: direction DAQ is possible.
        stim: direction STIM is possible.
        packed: packed mode is possible, if the event has one.
    """

    entries: tuple[tuple[OdtEntry, ...], ...] = ()
    max_odt: int = 0
    max_odt_entries: int = 0
    event_fixed: int | None = None
    daq: bool = True
    stim: bool = False
    packed: bool = False

    @property
    def predefined(self) -> bool:
        """True when the entries cannot be changed."""
        return bool(self.entries)

    @property
    def odts(self) -> int:
        """How many ODTs it has."""
        return len(self.entries) or self.max_odt

    @property
    def entries_per_odt(self) -> int:
        """Entries of its widest ODT."""
        return max(map(len, self.entries), default=self.max_odt_entries)


def check_daq(config: SlaveConfig) -> None:
    """Find settings of data acquisition that contradict each other.

    Raises:
        SettingsError: the first one.
    """
    _check_key_byte(config)
    _check_fixed(config)
    _check_events(config)
    for key in ("granularity_odt_entry", "granularity_odt_entry_stim"):
        value = getattr(config, key)
        if value is not None and (value not in _GRAINS or value % config.ag):
            raise SettingsError(key, f"{value} is not 1, 2, 4 or 8 and a multiple of AG")
    if config.pid_off and config.identification_field != 0:
        raise SettingsError("pid_off", "identification must be absolute")
    if config.alternating is not None:
        if config.alternating >= len(config.events) > 0:
            raise SettingsError("alternating", f"event channel {config.alternating} does not exist")
        if config.timestamp_fixed:
            raise SettingsError("alternating", "it excludes fixed timestamps")
    if config.link_bytes_per_s is not None and config.link_bytes_per_s <= 0:
        raise SettingsError("link_bytes_per_s", "more than nothing, or None for no limit")


def _check_key_byte(config: SlaveConfig) -> None:
    if config.identification_field not in range(4):
        raise SettingsError("identification_field", f"{config.identification_field} is not 0 … 3")
    if config.optimisation_type not in range(6):
        raise SettingsError("optimisation_type", f"{config.optimisation_type} is not 0 … 5")
    if config.optimisation_strict and config.optimisation_type == 0:
        raise SettingsError(
            "optimisation_strict", "the default type has nothing to be strict about"
        )
    if config.address_extension not in (0, 1, 3):
        raise SettingsError("address_extension", f"{config.address_extension} is not 0, 1 or 3")
    if config.overload not in range(3):
        raise SettingsError("overload", f"{config.overload} is not 0, 1 or 2")


def _check_fixed(config: SlaveConfig) -> None:
    lists = config.fixed_lists
    if config.dynamic and any(not one.predefined for one in lists):
        raise SettingsError("fixed_lists", "static lists need dynamic=False")
    if [one.predefined for one in lists] != sorted((one.predefined for one in lists), reverse=True):
        raise SettingsError("fixed_lists", "predefined lists come first")
    if config.min_daq > 0xFF:
        raise SettingsError("fixed_lists", "MIN_DAQ is at most 255")
    limit = config.max_odt
    if config.identification_field == 0 and sum(one.odts for one in lists) > limit:
        raise SettingsError("fixed_lists", f"more than {limit} ODTs with absolute identification")
    for number, one in enumerate(lists):
        if not 0 < one.odts <= limit or not 0 < one.entries_per_odt <= 0xFF:
            raise SettingsError("fixed_lists", f"list {number}: 1 … {limit} ODTs, 1 … 255 entries")
        if not (one.daq or one.stim):
            raise SettingsError("fixed_lists", f"list {number} has no direction")
        if one.event_fixed is not None and one.event_fixed >= len(config.events) > 0:
            raise SettingsError("fixed_lists", f"list {number}: event {one.event_fixed} is missing")


def _check_events(config: SlaveConfig) -> None:
    if [event.channel for event in config.events] != list(range(len(config.events))):
        raise SettingsError("events", "channels must count from 0 without holes")
    for event in config.events:
        packed, counter = event.packed, event.counter
        if packed is not None and (
            packed.mode not in (1, 2)
            or packed.timestamp_mode not in (0, 1)
            or any(not 0 < n <= 0xFFFF for n in (packed.sample_count, *packed.alternatives))
        ):
            raise SettingsError("events", f"{event.name}: packed mode is not possible like this")
        if counter is not None and not (
            (counter.related_event or 0) < len(config.events)
            and counter.stim_mode in (0, 1)
            and counter.daq_mode in (0, 1)
        ):
            raise SettingsError("events", f"{event.name}: the counter is not possible like this")
