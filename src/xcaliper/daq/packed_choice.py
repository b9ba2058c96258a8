"""How many samples one set of DTOs carries (XCP Base, SET_DAQ_PACKED_MODE, 1.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.xcp.daq_lists import PackedMode

if TYPE_CHECKING:
    from xcaliper.daq.capabilities import EventChannel
    from xcaliper.daq.event_choice import Findings

__all__ = ["packed_options"]

MAX_SAMPLES: Final = 0xFFFF
_ELEMENT_GROUPED: Final = 1
_EVENT_GROUPED: Final = 2


def _mode(event: EventChannel, count: int) -> PackedMode | None:
    if count < 2 and not _is_mandatory(event):
        return None
    offer = event.packed_mode
    if offer is None:
        return PackedMode(_EVENT_GROUPED, count)
    mode = _EVENT_GROUPED if offer.grouping.startswith("EVENT") else _ELEMENT_GROUPED
    return PackedMode(mode, count, int(offer.timestamp.endswith("FIRST")))


def _is_mandatory(event: EventChannel) -> bool:
    return event.packed_mode is not None and event.packed_mode.duty == "MANDATORY"


def packed_options(
    event: EventChannel, wanted: int | None, sample_bytes: int, room: int, findings: Findings
) -> list[PackedMode | None]:
    """The modes worth trying, None = each sample is sent; at least one.

    Args:
        event: what triggers the samples.
        wanted: samples per set, 0 = as few as allowed, None = as many as fill MAX_DTO.
        sample_bytes: data of one sample.
        room: bytes for data in the first DTO.
        findings: gets the problem when the wish cannot be met.
    """
    offer = event.packed_mode
    counts: list[int] = []
    if offer is not None:
        counts = sorted({n for n in (offer.samples, *offer.alternatives) if 1 <= n <= MAX_SAMPLES})
    if wanted is not None and wanted > 1 and not (event.packs and (not counts or wanted in counts)):
        findings.problem(_refusal(event, wanted, counts))
        return [None]
    if _is_mandatory(event) and counts:
        chosen = [wanted] if wanted in counts else counts[:1] if wanted == 0 else counts
        return [_mode(event, count or 1) for count in chosen]
    if wanted in {0, 1} or not event.packs:
        return [None]
    if wanted is not None:
        return [_mode(event, wanted)]
    if counts:
        return [None, *(_mode(event, count) for count in counts if count > 1)]
    fills = min(room // max(sample_bytes, 1), MAX_SAMPLES)
    return [_mode(event, fills)] if fills > 1 else [None]


def _refusal(event: EventChannel, wanted: int, counts: list[int]) -> str:
    text = f"event {event.number} ({event.label}) cannot collect {wanted} samples"
    if not event.packs:
        return f"{text}, it has no packed mode; use packed=0"
    return f"{text}; use packed={', '.join(map(str, counts))} or packed=0"
