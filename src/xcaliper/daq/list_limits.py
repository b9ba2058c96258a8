"""What one DAQ list may hold: the slave's abilities as limits for packing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from xcaliper.daq.capabilities import (
    MAX_ODTS_STIM,
    AddressExtensionScope,
    DaqCapabilities,
    EventChannel,
    Optimisation,
    StaticList,
)
from xcaliper.daq.regions import Limits

if TYPE_CHECKING:
    from xcaliper.daq.wanted import Wanted
    from xcaliper.xcp.profile import DtoFormat

__all__ = ["ListLimits", "formats"]

MAX_ENTRIES: Final = 255
#: With PID_OFF each ODT becomes a list of its own; the lists are counted elsewhere.
MANY: Final = 0xFFFF


def formats(wanted: Wanted, caps: DaqCapabilities) -> tuple[DtoFormat, DtoFormat]:
    """Headers of DAQ and of STIM DTOs."""
    stamped = wanted.timestamp and not wanted.alternating
    daq = caps.dto_format(timestamp=stamped, dto_ctr=wanted.dto_ctr, pid_off=wanted.pid_off)
    stim = caps.dto_format(timestamp=wanted.stim_timestamp, dto_ctr=wanted.dto_ctr)
    return daq, replace(stim, overload_msb=False)


@dataclass(frozen=True, slots=True)
class ListLimits:
    """Limits of lists for both directions.

    Attributes:
        caps: of the slave.
        daq: header of DAQ DTOs.
        stim: header of STIM DTOs.
    """

    caps: DaqCapabilities
    daq: DtoFormat
    stim: DtoFormat

    def header(self, *, stim: bool) -> DtoFormat:
        """Header of one direction."""
        return self.stim if stim else self.daq

    def granularity(self, *, stim: bool) -> int:
        """Multiple of sizes and addresses, bytes."""
        return self.caps.granularity_stim if stim else self.caps.granularity

    def entry_bytes(self, *, stim: bool) -> int:
        """Largest entry, a multiple of the granularity, bytes."""
        caps, grain = self.caps, self.granularity(stim=stim)
        entry = (caps.max_entry_size_stim if stim else caps.max_entry_size) * caps.ag
        return max(entry - entry % grain, grain)

    def max_dto(self, *, stim: bool) -> int:
        """Largest DTO, bytes."""
        return (stim and self.caps.max_dto_stim) or self.caps.max_dto

    def least_entry(self, *, stim: bool) -> int:
        """Shortest entry that there can be, bytes."""
        if self.caps.optimisation is Optimisation.MAX_ENTRY_SIZE:
            return self.entry_bytes(stim=stim)
        return self.granularity(stim=stim)

    def payload(self, header: int, samples: int = 1, *, stim: bool = False) -> int:
        """Bytes for data of one sample behind a header."""
        room = max(self.max_dto(stim=stim) - header, 0) // samples
        return room - room % self.granularity(stim=stim)

    def of(
        self,
        event: EventChannel,
        *,
        stim: bool,
        odts_left: int,
        samples: int = 1,
        static: StaticList | None = None,
    ) -> Limits:
        """Limits of one list.

        Args:
            event: what the list is bound to.
            stim: its direction.
            odts_left: ODT numbers that nobody has.
            samples: samples in a set of DTOs.
            static: the slave's list, None for a dynamic one.
        """
        caps, head = self.caps, self.header(stim=stim)
        rule, entry = caps.optimisation, self.entry_bytes(stim=stim)
        first = self.payload(head.first_header_size, samples, stim=stim)
        top = MAX_ODTS_STIM if stim else caps.max_odts
        if static is not None:
            top = min(top, static.max_odt)
        elif head.identification_field == 0:
            top = min(top, odts_left)
        if head.pid_off:
            top = MANY if static is None else min(top, 1)
        return Limits(
            granularity=self.granularity(stim=stim),
            ag=caps.ag,
            max_entry_bytes=entry,
            first_payload=first,
            payload=first if head.pid_off else self.payload(head.header_size, samples, stim=stim),
            max_odts=top,
            max_entries=min(MAX_ENTRIES, static.max_odt_entries) if static else MAX_ENTRIES,
            one_extension=caps.address_extension is AddressExtensionScope.ODT,
            may_split=event.consistency in (1, 2),
            odt_type=rule.odt_type,
            strict=rule.is_strict,
            descending=rule is Optimisation.ODT_TYPE_ALIGNMENT,
            block_bytes=entry if rule is Optimisation.MAX_ENTRY_SIZE else 0,
            crossing=not head.pid_off,
            filler=not stim,
        )
