"""What somebody wants to measure: signals, events, rates."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from xcaliper.core.address import Address

__all__ = ["Wanted", "WantedSignal"]


@dataclass(frozen=True, slots=True)
class WantedSignal:
    """One quantity of the ECU; arrays of any size are one signal.

    Attributes:
        name: unique in the measurement; becomes the field of the rows.
        address: of the first byte.
        dtype: raw values in the ECU's byte order; a subarray dtype for arrays.
        fixed_event: the only event channel that the A2L allows (FIXED_EVENT_LIST), None = any.
        default_event: the A2L's choice (DEFAULT_EVENT_LIST), None = it has none.
        available_events: allowed event channels (AVAILABLE_EVENT_LIST), empty = all.
        stim: True to stimulate it: its values are sent to the slave.
        bit: the one bit to be stimulated, counted from the lowest one of the 32-bit word at the
            address; None = the whole value.
    """

    name: str
    address: Address
    dtype: np.dtype[Any]
    fixed_event: int | None = None
    default_event: int | None = None
    available_events: tuple[int, ...] = ()
    stim: bool = False
    bit: int | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes in the memory of the ECU."""
        return self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Wanted:
    """A measurement to plan.

    Attributes:
        signals: in the order in which they shall appear.
        event_channel: event for all signals without one of their own; None = as the A2L says.
        event_channels: signal name → event channel, as told by the user; beats everything else.
        prescaler: every how many events a sample is taken.
        prescalers: event channel → prescaler, where it differs.
        priority: of all lists, 0 = may be buffered by the slave.
        timestamp: False to switch timestamps off where the slave allows.
        dto_ctr: True to have the DTO counter inserted *(1.3)*.
        allow_polling: True to read again and again what cannot be measured.
        packed: samples that one set of DTOs carries *(1.4)*: 0 = as few as the slave allows, None = as
            many as fill MAX_DTO, where the slave offers packed mode.
        pid_off: True to leave the identification field out; each list then has one ODT.
        alternating: True to have lists of the display event sampled every second time.
        can_ids: CAN identifiers to give to lists that have none of their own, used in order.
        stim_timestamp: True to echo timestamps in STIM DTOs.
        predefined: False to leave predefined lists alone.
    """

    signals: tuple[WantedSignal, ...]
    event_channel: int | None = None
    event_channels: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    prescaler: int = 1
    prescalers: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    priority: int = 0
    timestamp: bool = True
    dto_ctr: bool = False
    allow_polling: bool = False
    packed: int | None = 0
    pid_off: bool = False
    alternating: bool = False
    can_ids: tuple[int, ...] = ()
    stim_timestamp: bool = False
    predefined: bool = True

    def prescaler_of(self, event_channel: int) -> int:
        """Prescaler for the lists of an event channel."""
        return self.prescalers.get(event_channel, self.prescaler)
