"""What a DAQ list shall hold: the frozen wish that set-up procedures send and decoders follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xcaliper.core.address import Address

__all__ = ["DaqListSetup", "OdtEntry", "OdtSetup"]


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
    """

    daq_list: int
    event_channel: int
    odts: tuple[OdtSetup, ...]
    prescaler: int = 1
    priority: int = 0
    timestamp: bool = True
    dto_ctr: bool = False
    stim: bool = False
