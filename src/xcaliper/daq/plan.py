"""compile_plan(): what was wanted × what the slave can → lists to set up and rows to expect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xcaliper.core.errors import PlanError

if TYPE_CHECKING:
    import numpy as np

    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.core.ticks import TickClock
    from xcaliper.daq.capabilities import DaqCapabilities, EventChannel
    from xcaliper.daq.link_load import LinkModel
    from xcaliper.daq.resources import ResourceModel, ResourceUse
    from xcaliper.daq.wanted import Wanted, WantedSignal
    from xcaliper.xcp.daq_lists import DaqListSetup, PackedMode
    from xcaliper.xcp.profile import DtoFormat

__all__ = ["DaqPlan", "PolledSignal", "Raster", "compile_plan"]


@dataclass(frozen=True, slots=True)
class Raster:
    """Rows of one DAQ list: what a SampleBlock with this index holds.

    One event has one raster per DAQ list: usually one, more when a list was full.

    Attributes:
        index: SampleBlock.raster.
        name: unique; the event's name, ``(2)`` and so on behind it for further lists of the event.
        event: what triggers it.
        daq_list: number on the wire.
        prescaler: every how many events there is a row.
        dtype: of a row: the data bytes of all ODTs in order, one field per signal.
        odt_sizes: data bytes of each ODT.
        filler_bytes: bytes at the beginning that belong to no signal.
        packed: several samples in one set of DTOs; None = one each. Rows are single samples always.
        entry_sizes: bytes of each entry of each ODT; told for packed lists.
        alternating: sampled every second time only.
        transport_id: CAN identifier of the DTOs, where the list has one of its own.
        is_stim: True for rows that are sent to the slave.
    """

    index: int
    name: str
    event: EventChannel
    daq_list: int
    prescaler: int
    dtype: np.dtype[Any]
    odt_sizes: tuple[int, ...]
    filler_bytes: int = 0
    packed: PackedMode | None = None
    entry_sizes: tuple[tuple[int, ...], ...] = ()
    alternating: bool = False
    transport_id: int | None = None
    is_stim: bool = False

    @property
    def event_channel(self) -> int:
        """Number of the event."""
        return self.event.number

    @property
    def cycle_ns(self) -> int | None:
        """Time between rows; None = not cyclic or unknown."""
        if self.event.cycle_ns is None:
            return None
        return self.event.cycle_ns * self.prescaler * (2 if self.alternating else 1)

    @property
    def samples_per_set(self) -> int:
        """Rows that one set of DTOs carries."""
        return self.packed.sample_count if self.packed else 1

    @property
    def set_cycle_ns(self) -> int | None:
        """Time between sets of DTOs; None = not cyclic or unknown."""
        return None if self.cycle_ns is None else self.cycle_ns * self.samples_per_set

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the fields, as wanted."""
        return self.dtype.names or ()


@dataclass(frozen=True, slots=True)
class PolledSignal:
    """A signal that cannot be measured and is read again and again instead.

    Attributes:
        name: as wanted.
        wanted: what it is.
        reason: why it cannot be measured.
    """

    name: str
    wanted: WantedSignal
    reason: str


@dataclass(frozen=True, slots=True)
class DaqPlan:
    """A measurement, decided and checked; nothing of it was sent yet.

    Attributes:
        lists: what to set up: those of direction DAQ first, then those of direction STIM.
        rasters: what will come, one per list of direction DAQ and in the same order.
        dto_format: header of the DTOs.
        byte_order: of the slave.
        clock: of the timestamps, None = there are none.
        max_dto: largest DTO, bytes.
        diagnostics: choices that the user should know of.
        polled: signals to be read instead, because they cannot be measured.
        stim_rasters: rows to be sent, one per list of direction STIM and in the same order.
        stim_format: header of the STIM DTOs, None without any.
        use: what the lists cost the ECU.
        resources: what they may cost it.
        link: what the DTOs travel on; None = not known.
    """

    lists: tuple[DaqListSetup, ...]
    rasters: tuple[Raster, ...]
    dto_format: DtoFormat
    byte_order: ByteOrder
    clock: TickClock | None
    max_dto: int
    diagnostics: tuple[Diagnostic, ...] = ()
    polled: tuple[PolledSignal, ...] = ()
    stim_rasters: tuple[Raster, ...] = ()
    stim_format: DtoFormat | None = None
    use: ResourceUse | None = None
    resources: ResourceModel | None = None
    link: LinkModel | None = None

    def raster_of(self, signal: str) -> Raster:
        """The raster that a signal is measured in.

        Raises:
            PlanError: no raster has it.
        """
        for raster in self.rasters:
            if signal in raster.signals:
                return raster
        raise PlanError("plan", (f"{signal} is not measured",))

    def dto_sizes(self, raster: Raster) -> tuple[int, ...]:
        """Bytes of each DTO of one sample, or set of packed samples; transport headers not."""
        head, count = self.dto_format, raster.samples_per_set
        if raster.is_stim and self.stim_format is not None:
            head = self.stim_format
        first, *rest = raster.odt_sizes
        return (
            head.first_header_size + first * count,
            *(head.header_size + size * count for size in rest),
        )

    def sample_bytes(self, raster: Raster) -> int:
        """Bytes of all DTOs of one sample, or set of packed samples; transport headers not."""
        return sum(self.dto_sizes(raster))

    def load(self, raster: Raster, overhead_bytes: int = 0) -> float | None:
        """Bytes per second on the link, None when the event is not cyclic.

        Args:
            raster: one of the plan's rasters.
            overhead_bytes: transport header of each DTO.
        """
        if not raster.set_cycle_ns:
            return None
        size = self.sample_bytes(raster) + overhead_bytes * len(raster.odt_sizes)
        return size * 1e9 / raster.set_cycle_ns

    def link_percent(self, raster: Raster, link: LinkModel | None = None) -> float | None:
        """Part of the link's time that a list takes, percent.

        None when the event is not cyclic, or when nothing is known of the link.

        Args:
            raster: one of the plan's rasters.
            link: another link than the plan's.
        """
        link = link or self.link
        if link is None or not raster.set_cycle_ns:
            return None
        return link.time_s(self.dto_sizes(raster)) * 1e11 / raster.set_cycle_ns

    def describe(self, overhead_bytes: int = 0, link: LinkModel | None = None) -> str:
        """The plan in words: a line per list, totals, and what was decided on the way.

        Args:
            overhead_bytes: transport header of each DTO, counted into the load.
            link: to tell the load in percent of another link than the plan's; its own headers are
                counted in place of ``overhead_bytes``.
        """
        from xcaliper.daq.describe import describe_plan

        return describe_plan(self, overhead_bytes, link or self.link)

    def to_dict(self, link: LinkModel | None = None) -> dict[str, Any]:
        """The plan as plain values, ready for JSON.

        Args:
            link: to tell the load in percent of another link than the plan's.
        """
        from xcaliper.daq.describe import plan_to_dict

        return plan_to_dict(self, link or self.link)

    def _repr_html_(self) -> str:
        from xcaliper.daq.describe import plan_to_html

        return plan_to_html(self)


def compile_plan(wanted: Wanted, capabilities: DaqCapabilities) -> DaqPlan:
    """Choose events, pack the signals into ODTs and describe the rows that will come.

    Raises:
        PlanError: something does not fit; carries every reason with the smallest change that helps.
    """
    from xcaliper.daq.planner import Planner

    return Planner(wanted, capabilities).compile()
