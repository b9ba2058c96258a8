"""What a DAQ list shall hold: the frozen wish that set-up procedures send and decoders follow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xcaliper.core.address import Address

__all__ = ["DaqListSetup", "ListKind", "OdtEntry", "OdtSetup", "PackedMode"]


class ListKind(Enum):
    """Where a DAQ list comes from (XCP Base, DAQ lists, 1.0)."""

    DYNAMIC = "dynamic"
    STATIC = "static"
    PREDEFINED = "predefined"


@dataclass(frozen=True, slots=True)
class PackedMode:
    """Several samples of a list in one set of DTOs (XCP Base, SET_DAQ_PACKED_MODE, 1.4).

    Attributes:
        mode: 1 = the samples of an entry stand together, 2 = the entries of a sample do.
        sample_count: samples in a set.
        timestamp_mode: 0 = the timestamp is that of the last sample, 1 = of the first.
    """

    mode: int
    sample_count: int
    timestamp_mode: int = 0


@dataclass(frozen=True, slots=True)
class OdtEntry:
    """One ODT entry (XCP Base, WRITE_DAQ, 1.0).

    Attributes:
        address: first address.
        size: AG elements.
        bit_offset: 0xFF = whole elements.
    """

    address: Address
    size: int
    bit_offset: int = 0xFF


@dataclass(frozen=True, slots=True)
class OdtSetup:
    """The entries of one ODT, in order."""

    entries: tuple[OdtEntry, ...]


@dataclass(frozen=True, slots=True)
class DaqListSetup:
    """One DAQ list (XCP Base, SET_DAQ_LIST_MODE, 1.0).

    Attributes:
        daq_list: number of the list on the wire.
        event_channel: number of the event.
        odts: ODTs in order of their relative number.
        prescaler: every how many events a sample is sent, from 1.
        priority: 0 may be buffered.
        timestamp: True to switch timestamps on.
        dto_ctr: True to insert the counter *(1.3)*.
        stim: True for direction STIM.
        pid_off: True to leave the identification field out.
        alternating: True for the display event, which serves the list every second cycle.
        packed: how samples are collected *(1.4)*, None = each one is sent.
        kind: what has to be done to the list before it can be used.
        capacity: (MAX_ODT, MAX_ODT_ENTRIES) of a static list, None otherwise.
        can_id: CAN identifier of its DTOs; None = that of the slave.
        can_id_fixed: False when the slave has to be told the identifier.
    """

    daq_list: int
    event_channel: int
    odts: tuple[OdtSetup, ...]
    prescaler: int = 1
    priority: int = 0
    timestamp: bool = True
    dto_ctr: bool = False
    stim: bool = False
    pid_off: bool = False
    alternating: bool = False
    packed: PackedMode | None = None
    kind: ListKind = ListKind.DYNAMIC
    capacity: tuple[int, int] | None = None
    can_id: int | None = None
    can_id_fixed: bool = True
