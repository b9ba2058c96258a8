"""Drafts of lists → the plan: numbers, identifiers, rows, and what is worth a note."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.daq.event_choice import some
from xcaliper.daq.plan import DaqPlan, Raster
from xcaliper.daq.resources import resource_use
from xcaliper.xcp.daq_lists import DaqListSetup, ListKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.core.ticks import TickClock
    from xcaliper.daq.capabilities import DaqCapabilities
    from xcaliper.daq.event_choice import Findings
    from xcaliper.daq.list_drafts import ListDraft
    from xcaliper.daq.list_limits import ListLimits
    from xcaliper.daq.wanted import Wanted, WantedSignal

__all__ = ["Assembly"]


class Assembly:
    """Turns drafts into a plan.

    Args:
        wanted: what is asked for.
        capabilities: of the slave.
        limits: headers of both directions.
        findings: gets notes, and problems with identifiers.
    """

    def __init__(
        self,
        wanted: Wanted,
        capabilities: DaqCapabilities,
        limits: ListLimits,
        findings: Findings,
    ) -> None:
        self._wanted = wanted
        self._caps = capabilities
        self._limits = limits
        self._findings = findings
        self._names: dict[str, int] = {}

    def plan(self, drafts: Sequence[ListDraft]) -> DaqPlan:
        """The plan; problems are in the findings."""
        numbers = self._numbers(drafts)
        daq = [(draft, n) for draft, n in zip(drafts, numbers, strict=True) if not draft.stim]
        stim = [(draft, n) for draft, n in zip(drafts, numbers, strict=True) if draft.stim]
        setups = self._identify([self._setup(draft, number) for draft, number in daq + stim])
        rasters = [
            self._raster(draft, setup, index)
            for (draft, _), setup, index in zip(
                daq + stim, setups, [*range(len(daq)), *range(len(stim))], strict=True
            )
        ]
        self._note_lists(drafts)
        caps = self._caps
        return DaqPlan(
            lists=tuple(setups),
            rasters=tuple(rasters[: len(daq)]),
            dto_format=self._limits.daq,
            byte_order=caps.byte_order,
            clock=self._clock(),
            max_dto=caps.max_dto,
            diagnostics=tuple({note.text: note for note in self._findings.notes}.values()),
            polled=tuple(self._findings.polled),
            stim_rasters=tuple(rasters[len(daq) :]),
            stim_format=self._limits.stim if stim else None,
            use=resource_use(setups, caps.resources, caps.lists),
            resources=caps.resources,
            link=caps.link,
        )

    def _clock(self) -> TickClock | None:
        clock, size = self._caps.clock, self._limits.daq.timestamp_size
        return replace(clock, size_bytes=size) if clock is not None and size else None

    def _numbers(self, drafts: Sequence[ListDraft]) -> list[int]:
        """Numbers on the wire.

        Dynamic STIM lists come first where PIDs are shared, as theirs end at 0xBF.
        """
        numbers = [draft.static.number if draft.static else -1 for draft in drafts]
        made = [index for index, number in enumerate(numbers) if number < 0]
        if self._caps.identification_field == 0:
            made.sort(key=lambda index: not drafts[index].stim)
        for number, index in enumerate(made, self._caps.min_daq):
            numbers[index] = number
        return numbers

    def _setup(self, draft: ListDraft, number: int) -> DaqListSetup:
        wanted, head, static = self._wanted, self._limits.header(stim=draft.stim), draft.static
        kind = ListKind.DYNAMIC
        if static is not None:
            kind = ListKind.PREDEFINED if static.is_predefined else ListKind.STATIC
        return DaqListSetup(
            daq_list=number,
            event_channel=draft.event.number,
            odts=draft.packed.odts,
            prescaler=1 if draft.stim else wanted.prescaler_of(draft.event.number),
            priority=wanted.priority,
            timestamp=head.timestamp_size > 0,
            dto_ctr=head.dto_ctr,
            stim=draft.stim,
            pid_off=head.pid_off,
            alternating=wanted.alternating and not draft.stim,
            packed=draft.mode,
            kind=kind,
            capacity=(static.max_odt, static.max_odt_entries) if static else None,
        )

    def _identify(self, setups: Sequence[DaqListSetup]) -> list[DaqListSetup]:
        """Each list with its CAN identifier, where it has one of its own."""
        spare = iter(self._wanted.can_ids)
        found: list[DaqListSetup] = []
        for setup in setups:
            known = self._caps.can_ids.get(setup.daq_list)
            can_id, fixed = (known.can_id, True) if known is not None else (None, True)
            if can_id is None and (known is not None or setup.pid_off):
                can_id, fixed = next(spare, None), False
            if can_id is None and setup.pid_off:
                self._findings.problem(
                    f"DAQ list {setup.daq_list} has no CAN identifier of its own, which PID_OFF "
                    "needs; name more in can_ids, or switch pid_off off"
                )
            found.append(replace(setup, can_id=can_id, can_id_fixed=fixed))
        if self._wanted.pid_off:
            counts = Counter(setup.can_id for setup in found if setup.can_id is not None)
            for can_id, count in counts.items():
                if count > 1:
                    self._findings.problem(
                        f"CAN identifier {can_id:#x} belongs to {count} DAQ lists, which PID_OFF "
                        "cannot tell apart; name others in can_ids, or switch pid_off off"
                    )
        return found

    def _raster(self, draft: ListDraft, setup: DaqListSetup, index: int) -> Raster:
        entries = tuple(
            tuple(entry.size * self._caps.ag for entry in odt.entries) for odt in setup.odts
        )
        sizes = tuple(map(sum, entries))
        name = f"{draft.event.label} STIM" if draft.stim else draft.event.label
        return Raster(
            index=index,
            name=_unique(name, self._names),
            event=draft.event,
            daq_list=setup.daq_list,
            prescaler=setup.prescaler,
            dtype=self._row_dtype(draft, sum(sizes)),
            odt_sizes=sizes,
            filler_bytes=draft.packed.filler_bytes,
            packed=draft.mode,
            entry_sizes=entries if draft.mode else (),
            alternating=setup.alternating,
            transport_id=setup.can_id,
            is_stim=draft.stim,
        )

    def _row_dtype(self, draft: ListDraft, size_bytes: int) -> np.dtype[Any]:
        return np.dtype(
            {
                "names": [signal.name for signal in draft.signals],
                "formats": [self._field(signal) for signal in draft.signals],
                "offsets": [draft.packed.offsets[signal.name] for signal in draft.signals],
                "itemsize": size_bytes,
            }
        )

    def _field(self, signal: WantedSignal) -> np.dtype[Any]:
        """Type of a signal's column; a stimulated bit is a truth value as wide as an entry."""
        if signal.stim and signal.bit is not None:
            width = self._limits.granularity(stim=True)
            return np.dtype(f"{self._caps.byte_order.mark}u{width}")
        return signal.dtype

    # ---------------------------------------------------------------------------------- notes

    def _note_lists(self, drafts: Sequence[ListDraft]) -> None:
        note = self._findings.note
        for draft in drafts:
            if draft.packed.split_elements and draft.event.consistency in (0, 3):
                note(
                    "daq-element-split",
                    f"{some(draft.packed.split_elements)}: an ODT of this slave is smaller than one "
                    "element.",
                    f"Two ODTs share it, and event {draft.event.label} keeps ODTs consistent only.",
                )
            if draft.packed.filler_bytes:
                note(
                    "daq-filler",
                    f"{draft.event.label}: no element fits behind the timestamp in the first ODT.",
                    f"It carries {draft.packed.filler_bytes} bytes that nobody needs.",
                )
        for number, count in Counter(d.event.number for d in drafts if not d.stim).items():
            event = next(draft.event for draft in drafts if draft.event.number == number)
            if count > 1 and event.consistency != 2:
                note(
                    "daq-lists-apart",
                    f"{event.label}: {count} DAQ lists are needed, and the event does not keep them "
                    "consistent with each other.",
                    "Rows of the same time may be of different cycles.",
                )


def _unique(name: str, names: dict[str, int]) -> str:
    """The name, with a number behind it if it is known; how often each was given is in ``names``."""
    candidate, number = name, names.get(name, 0)
    while candidate in names:
        number += 1
        candidate = f"{name} ({number})"
    names[name] = max(number, 1)
    names.setdefault(candidate, 1)
    return candidate
