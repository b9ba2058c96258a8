"""The abilities of a slave from what the A2L and the slave itself say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.ticks import TickClock, unit_ns
from xcaliper.daq.capabilities import (
    STRICT,
    AddressExtensionScope,
    DaqCapabilities,
    EventChannel,
    ListCanId,
    Overload,
    StaticList,
)
from xcaliper.daq.resources import ResourceModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.daq.link_load import LinkModel
    from xcaliper.xcp.daq import (
        GetDaqEventInfoResponse,
        GetDaqListInfoResponse,
        GetDaqProcessorInfoResponse,
        GetDaqResolutionInfoResponse,
    )
    from xcaliper.xcp.daq_lists import OdtSetup
    from xcaliper.xcp.profile import Profile

__all__ = ["DaqAnswers", "DeclaredDaq", "EventAnswer", "ListAnswer", "cycle_ns", "merge"]


@dataclass(frozen=True, slots=True)
class DeclaredDaq:
    """What an A2L says about DAQ (ASAP2, IF_DATA XCP, DAQ); None = not said.

    Attributes:
        timestamp_size: bytes, 0 = the A2L says that there are none.
        timestamp_unit: unit code, 0 = 1 ns … 9 = 1 s.
        max_entry_size: AG elements.

    The other attributes are as in DaqCapabilities.
    """

    dynamic: bool | None = None
    max_daq: int | None = None
    min_daq: int | None = None
    max_event_channel: int | None = None
    identification_field: int | None = None
    overload: Overload | None = None
    timestamp_size: int | None = None
    timestamp_unit: int | None = None
    timestamp_ticks: int | None = None
    timestamp_fixed: bool | None = None
    granularity: int | None = None
    max_entry_size: int | None = None
    address_extension: AddressExtensionScope | None = None
    prescaler: bool | None = None
    resume: bool | None = None
    bit_stim: bool | None = None
    pid_off: bool | None = None
    optimisation_type: int | None = None
    write_daq_multiple: bool | None = None
    max_dto: int | None = None
    ag: int | None = None
    byte_order: ByteOrder | None = None
    events: tuple[EventChannel, ...] = ()
    optimisation_strict: bool | None = None
    granularity_stim: int | None = None
    max_entry_size_stim: int | None = None
    max_dto_stim: int | None = None
    dto_ctr: bool | None = None
    alternating_event: int | None = None
    lists: tuple[StaticList, ...] = ()
    can_ids: Mapping[int, ListCanId] = field(default_factory=lambda: MappingProxyType({}))
    resources: ResourceModel = field(default_factory=ResourceModel)
    link: LinkModel | None = None


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """A slave's answer about one event channel, with the name that was uploaded."""

    number: int
    info: GetDaqEventInfoResponse
    name: str = ""


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """A slave's answer about one static or predefined list, with the entries that were read."""

    number: int
    info: GetDaqListInfoResponse
    odts: tuple[OdtSetup, ...] = ()


@dataclass(frozen=True, slots=True)
class DaqAnswers:
    """What the slave itself said; a part it refused is None.

    Attributes:
        lists: static and predefined lists.
        write_daq_multiple: True or False once it is known, None before.
    """

    processor: GetDaqProcessorInfoResponse | None = None
    resolution: GetDaqResolutionInfoResponse | None = None
    events: tuple[EventAnswer, ...] = ()
    write_daq_multiple: bool | None = None
    lists: tuple[ListAnswer, ...] = ()


def cycle_ns(time_cycle: int, time_unit: int) -> int | None:
    """Period of an event channel, None when it is not cyclic (XCP Base, GET_DAQ_EVENT_INFO, 1.0)."""
    period = round(time_cycle * unit_ns(time_unit))
    return period or None


#: What a plan assumes when nobody says anything; contradictions are not looked for here.
_DEFAULTS: Final = DaqCapabilities()

#: Attribute → name in the standards, for what is compared one to one.
_NAMES: Final[dict[str, str]] = {
    "dynamic": "DAQ_CONFIG_TYPE dynamic",
    "min_daq": "MIN_DAQ",
    "max_daq": "MAX_DAQ",
    "max_event_channel": "MAX_EVENT_CHANNEL",
    "identification_field": "IDENTIFICATION_FIELD_TYPE",
    "overload": "OVERLOAD_INDICATION",
    "timestamp_size": "TIMESTAMP size",
    "timestamp_unit": "TIMESTAMP unit",
    "timestamp_ticks": "TIMESTAMP_TICKS",
    "timestamp_fixed": "TIMESTAMP_FIXED",
    "granularity": "GRANULARITY_ODT_ENTRY_SIZE_DAQ",
    "max_entry_size": "MAX_ODT_ENTRY_SIZE_DAQ",
    "address_extension": "ADDRESS_EXTENSION",
    "prescaler": "PRESCALER_SUPPORTED",
    "resume": "RESUME_SUPPORTED",
    "bit_stim": "BIT_STIM_SUPPORTED",
    "pid_off": "PID_OFF_SUPPORTED",
    "optimisation_type": "OPTIMISATION_TYPE",
    "write_daq_multiple": "WRITE_DAQ_MULTIPLE",
    "max_dto": "MAX_DTO",
    "ag": "ADDRESS_GRANULARITY",
    "byte_order": "BYTE_ORDER",
    "granularity_stim": "GRANULARITY_ODT_ENTRY_SIZE_STIM",
    "max_entry_size_stim": "MAX_ODT_ENTRY_SIZE_STIM",
}

#: Without these a plan rests on a guess, which is reported.
_ESSENTIAL: Final = ("dynamic", "identification_field", "granularity", "max_entry_size")


def merge(
    declared: DeclaredDaq | None, answers: DaqAnswers, profile: Profile
) -> tuple[DaqCapabilities, tuple[Diagnostic, ...]]:
    """The abilities that count, and what is odd about them.

    The slave's answers beat the A2L; each contradiction is one diagnostic naming both values, and
    so is each guess where neither says anything.

    Args:
        declared: the A2L's DAQ section, None without an A2L.
        answers: what the slave said.
        profile: what CONNECT settled; always beats the A2L.
    """
    found: list[Diagnostic] = []
    said = _said(answers, profile, found)
    paper = declared or DeclaredDaq()
    values: dict[str, Any] = {}
    for key, name in _NAMES.items():
        live, wrote = said.get(key), getattr(paper, key)
        if (
            live is not None
            and wrote is not None
            and live != wrote
            and _comparable(key, said, paper)
        ):
            found.append(_contradiction(name, wrote, live))
        values[key] = wrote if live is None else live
    for key in _ESSENTIAL:
        if values[key] is None:
            values[key] = profile.ag if key == "granularity" else getattr(_DEFAULTS, key)
            found.append(_guess(_NAMES[key], values[key]))
    if values["dynamic"]:
        values["max_daq"] = _most_lists(paper, said, values["min_daq"] or 0)
    events = _merge_events(paper.events, answers.events, found)
    made = replace(
        _build(values, events, profile, found),
        optimisation_strict=bool(paper.optimisation_strict),
        max_dto_stim=paper.max_dto_stim or 0,
        dto_ctr=paper.dto_ctr,
        alternating_event=paper.alternating_event,
        lists=_merge_lists(paper.lists, answers.lists, found),
        can_ids=paper.can_ids,
        resources=paper.resources,
        link=paper.link,
    )
    return made, tuple(found)


def _most_lists(paper: DeclaredDaq, said: Mapping[str, Any], min_daq: int) -> int:
    """Lists that there can be, 0 = not known.

    A slave that allocates lists may count those that there are now, and an A2L may have 0 there. So only
    the A2L limits, and not where the slave has more.
    """
    told = paper.max_daq or 0
    return max(told, said.get("max_daq") or 0) if told > min_daq else 0


def _comparable(key: str, said: dict[str, Any], paper: DeclaredDaq) -> bool:
    """Whether a difference is a contradiction; a dynamic slave counts allocated lists only.

    A2Ls tell strict optimisation by a flag of its own, slaves within the type.
    """
    if key == "max_daq":
        return not said.get("dynamic")
    if key == "optimisation_type" and paper.optimisation_strict:
        return said.get(key) != (paper.optimisation_type or 0) | STRICT
    if key == "max_event_channel":
        return bool(said.get(key))
    if key in ("timestamp_unit", "timestamp_ticks", "timestamp_fixed"):
        return bool(said.get("timestamp_size"))
    return True


def _said(answers: DaqAnswers, profile: Profile, found: list[Diagnostic]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "max_dto": profile.max_dto,
        "ag": profile.ag,
        "byte_order": profile.byte_order,
        "write_daq_multiple": answers.write_daq_multiple,
    }
    if answers.processor is not None:
        said |= _said_by_processor(answers.processor, found)
    if answers.resolution is not None:
        mode = answers.resolution.timestamp_mode
        said |= {
            "granularity": answers.resolution.granularity_daq,
            "max_entry_size": answers.resolution.max_entry_size_daq,
            "granularity_stim": answers.resolution.granularity_stim or None,
            "max_entry_size_stim": answers.resolution.max_entry_size_stim or None,
            "timestamp_size": mode.size,
            "timestamp_unit": mode.unit,
            "timestamp_ticks": answers.resolution.timestamp_ticks,
            "timestamp_fixed": bool(mode.fixed),
        }
    if answers.processor is not None and not answers.processor.daq_properties.timestamp_supported:
        said["timestamp_size"] = 0
    return said


def _said_by_processor(
    info: GetDaqProcessorInfoResponse, found: list[Diagnostic]
) -> dict[str, Any]:
    properties, key = info.daq_properties, info.daq_key_byte
    if properties.overload_msb and properties.overload_event:
        found.append(
            _finding(
                Severity.WARNING,
                "daq-overload-both",
                "DAQ_PROPERTIES: the slave names both overload indications, which is not allowed.",
                "The bit in the identification field is believed.",
            )
        )
    if key.address_extension == 2:
        found.append(
            _finding(
                Severity.WARNING,
                "daq-address-extension",
                "DAQ_KEY_BYTE: address extension rule 2 does not exist.",
                "One extension per DAQ list is used, which fits every rule.",
            )
        )
    overload = Overload.EVENT if properties.overload_event else Overload.NONE
    return {
        "dynamic": bool(properties.dynamic),
        "prescaler": bool(properties.prescaler_supported),
        "resume": bool(properties.resume_supported),
        "bit_stim": bool(properties.bit_stim_supported),
        "pid_off": bool(properties.pid_off_supported),
        "overload": Overload.MSB if properties.overload_msb else overload,
        "max_daq": info.max_daq,
        "min_daq": info.min_daq,
        "max_event_channel": info.max_event_channel,
        "identification_field": key.identification_field,
        "optimisation_type": key.optimisation_type,
        "address_extension": (
            AddressExtensionScope.DAQ_LIST
            if key.address_extension == 2
            else AddressExtensionScope(key.address_extension)
        ),
    }


def _merge_events(
    paper: tuple[EventChannel, ...], live: tuple[EventAnswer, ...], found: list[Diagnostic]
) -> tuple[EventChannel, ...]:
    events = {event.number: event for event in paper}
    for answer in live:
        wrote = events.get(answer.number)
        said = _event_of(answer)
        if wrote is not None:
            said = _merge_event(wrote, said, found)
        events[answer.number] = said
    return tuple(events[number] for number in sorted(events))


def _event_of(answer: EventAnswer) -> EventChannel:
    info = answer.info
    properties = info.daq_event_properties
    return EventChannel(
        number=answer.number,
        name=answer.name,
        cycle_ns=cycle_ns(info.time_cycle, info.time_unit),
        max_daq_list=None if info.max_daq_list == 0xFF else info.max_daq_list,
        priority=info.priority,
        daq=bool(properties.daq) or not properties.stim,  # neither is invalid: tried as DAQ
        stim=bool(properties.stim),
        consistency=properties.consistency,
        packs=bool(properties.packed),
    )


def _merge_lists(
    paper: tuple[StaticList, ...], live: tuple[ListAnswer, ...], found: list[Diagnostic]
) -> tuple[StaticList, ...]:
    """The slave's view; entries of predefined lists from the A2L where they cannot be read."""
    lists = {one.number: one for one in paper}
    for answer in live:
        info, bits = answer.info, answer.info.daq_list_properties
        wrote = lists.get(answer.number)
        said = StaticList(
            number=answer.number,
            max_odt=info.max_odt,
            max_odt_entries=info.max_odt_entries,
            daq=bool(bits.daq) or not bits.stim,  # neither is invalid: tried as DAQ
            stim=bool(bits.stim),
            event=info.fixed_event if bits.event_fixed else None,
            is_predefined=bool(bits.predefined),
            odts=answer.odts or (wrote.odts if wrote else ()),
            packs=bool(bits.packed),
        )
        if wrote is not None:
            for key, name in (("max_odt", "MAX_ODT"), ("max_odt_entries", "MAX_ODT_ENTRIES")):
                old, new = getattr(wrote, key), getattr(said, key)
                if old != new:
                    found.append(_contradiction(f"DAQ_LIST {answer.number}: {name}", old, new))
        lists[answer.number] = said
    return tuple(lists[number] for number in sorted(lists))


def _merge_event(wrote: EventChannel, said: EventChannel, found: list[Diagnostic]) -> EventChannel:
    """The slave's view, with the A2L's name and period where the slave has none."""
    said = replace(
        said,
        name=said.name or wrote.name,
        cycle_ns=wrote.cycle_ns if said.cycle_ns is None else said.cycle_ns,
        packs=said.packs or wrote.packs,
        packed_mode=wrote.packed_mode,
    )
    title = f"EVENT {wrote.number} {said.name}".rstrip()
    for key, name in (("name", "name"), ("cycle_ns", "period in ns"), ("daq", "direction DAQ")):
        old, new = getattr(wrote, key), getattr(said, key)
        if old not in (None, "") and old != new:
            found.append(_contradiction(f"{title}: {name}", old, new))
    return said


def _build(
    values: dict[str, Any],
    events: tuple[EventChannel, ...],
    profile: Profile,
    found: list[Diagnostic],
) -> DaqCapabilities:
    clock = _clock(values, found)
    granularity = _positive(values, "granularity", profile.ag, found)
    if granularity % profile.ag:
        found.append(_guess(f"{_NAMES['granularity']} ({granularity})", profile.ag))
        granularity = profile.ag
    max_entry = _positive(values, "max_entry_size", max(1, granularity // profile.ag), found)
    plain = {
        key: values[key]
        for key in _NAMES
        if values[key] is not None and not key.startswith("timestamp_")
    }
    plain |= {"granularity": granularity, "max_entry_size": min(max_entry, 255)}
    grain_stim = values["granularity_stim"] or granularity
    plain["granularity_stim"] = grain_stim if grain_stim % profile.ag == 0 else profile.ag
    return DaqCapabilities(
        **plain,
        clock=clock,
        timestamp_fixed=bool(clock and values["timestamp_fixed"]),
        events=events,
    )


def _positive(values: dict[str, Any], key: str, smallest: int, found: list[Diagnostic]) -> int:
    value = values[key]
    if value <= 0:
        found.append(_guess(f"{_NAMES[key]} ({value})", smallest))
        value = smallest
    return int(value)


def _clock(values: dict[str, Any], found: list[Diagnostic]) -> TickClock | None:
    size = values["timestamp_size"] or 0
    if not size:
        return None
    if size not in (1, 2, 4):
        found.append(
            _finding(
                Severity.WARNING,
                "daq-timestamp-size",
                f"TIMESTAMP_MODE: {size} bytes are not a size of timestamps.",
                "Samples get the time of the host.",
            )
        )
        return None
    unit = 3 if values["timestamp_unit"] is None else values["timestamp_unit"]
    clock = TickClock(values["timestamp_ticks"] or 1, unit, size)
    if not clock.tick_ns:
        found.append(_guess(f"TIMESTAMP unit ({unit})", "1 µs"))
        clock = TickClock(clock.ticks, 3, size)
    return clock


def _text(value: object) -> str:
    return str(value.value if isinstance(value, Enum) else value)


def _contradiction(name: str, wrote: object, live: object) -> Diagnostic:
    return _finding(
        Severity.WARNING,
        "daq-contradiction",
        f"{name}: the A2L says {_text(wrote)}, the slave says {_text(live)}.",
        "The slave is believed.",
    )


def _guess(name: str, value: object) -> Diagnostic:
    return _finding(
        Severity.WARNING,
        "daq-assumed",
        f"{name}: neither the A2L nor the slave tells a usable value.",
        f"{_text(value)} is assumed.",
    )


def _finding(severity: Severity, slug: str, text: str, hint: str) -> Diagnostic:
    return Diagnostic(severity, slug, Where(), text, hint, subject="DAQ")
