"""Holds a description against a live slave: what differs.

What is reported is what :func:`~xcaliper.client.correct.correct` would change, so a corrected description is clean.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l import xcp_model as model
from xcaliper.a2l.if_xcp import XcpEvent, XcpTimestamp, read_xcp
from xcaliper.a2l.ifdata import IfBlock, IfData, item_where, number_of
from xcaliper.a2l.rules import RULES
from xcaliper.client.correct import corrected, corrected_segment, matched_segments, transport_of
from xcaliper.client.facts import LiveFacts, live_facts
from xcaliper.core.diagnostics import Diagnostic, Where
from xcaliper.core.ticks import unit_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xcaliper.a2l import A2lFile
    from xcaliper.a2l.if_xcp import (
        XcpDaq,
        XcpDescription,
        XcpProtocolLayer,
        XcpSegment,
        XcpTransport,
    )
    from xcaliper.client.connection import Connection

    Names = Mapping[str, tuple[str, Mapping[str, Any] | None]]

__all__ = ["LiveFacts", "compare", "live_facts"]

#: Fields of the views: how the standard calls them, and its words for their values.
_LAYER: Final[Names] = {
    "version": ("version", None),
    "max_cto": ("MAX_CTO", None),
    "max_dto": ("MAX_DTO", None),
    "byte_order": ("BYTE_ORDER", model.ORDERS),
    "address_granularity": ("ADDRESS_GRANULARITY", model.GRANULARITIES),
    "block_slave": ("BLOCK SLAVE", None),
    "block_master": ("BLOCK MASTER", None),
    "max_bs": ("MAX_BS", None),
    "min_st": ("MIN_ST", None),
    "interleaved_queue": ("INTERLEAVED queue size", None),
}
_DAQ: Final[Names] = {
    "config_type": ("configuration", None),
    "max_daq": ("MAX_DAQ", None),
    "min_daq": ("MIN_DAQ", None),
    "max_event_channel": ("MAX_EVENT_CHANNEL", None),
    "identification_field": ("IDENTIFICATION_FIELD_TYPE", model.IDENTIFICATIONS),
    "optimisation": ("OPTIMISATION_TYPE", model.OPTIMISATIONS),
    "optimisation_strict": ("OPTIMISATION_TYPE_ODT_STRICT", None),
    "address_extension": ("ADDRESS_EXTENSION", model.EXTENSIONS),
    "granularity_daq": ("GRANULARITY_ODT_ENTRY_SIZE_DAQ", model.DAQ_GRANULARITIES),
    "max_odt_entry_size_daq": ("MAX_ODT_ENTRY_SIZE_DAQ", None),
    "overload": ("OVERLOAD_INDICATION", model.OVERLOADS),
    "prescaler_supported": ("PRESCALER_SUPPORTED", None),
    "resume_supported": ("RESUME_SUPPORTED", None),
    "pid_off_supported": ("PID_OFF_SUPPORTED", None),
}
_TIMESTAMP: Final[Names] = {
    "ticks": ("TIMESTAMP ticks", None),
    "size": ("TIMESTAMP size", model.TIMESTAMP_SIZES),
    "unit": ("TIMESTAMP unit", model.UNITS),
    "fixed": ("TIMESTAMP_FIXED", None),
}
_EVENT: Final[Names] = {
    "name": ("name", None),
    "direction": ("direction", None),
    "max_daq_list": ("MAX_DAQ_LIST", None),
    "priority": ("priority", None),
    "consistency": ("CONSISTENCY", None),
}
_PAG: Final[Names] = {
    "max_segments": ("MAX_SEGMENTS", None),
    "freeze_supported": ("FREEZE_SUPPORTED", None),
}
_SEGMENT: Final[Names] = {
    "number": ("number", None),
    "number_of_pages": ("number of pages", None),
    "address_extension": ("address extension", None),
    "compression_method": ("compression method", None),
    "encryption_method": ("encryption method", None),
}
_PAGE: Final[Names] = {
    "ecu_access": ("ECU_ACCESS", model.ECU_ACCESS),
    "xcp_read_access": ("XCP_READ_ACCESS", model.READ_ACCESS),
    "xcp_write_access": ("XCP_WRITE_ACCESS", model.WRITE_ACCESS),
    "init_segment": ("INIT_SEGMENT", None),
}


def compare(connection: Connection, facts: LiveFacts | None = None) -> list[Diagnostic]:
    """What the description of a connection says otherwise than its slave; the slave is right.

    Args:
        connection: open, with a description.
        facts: what the slave said; asked for when None.
    """
    facts = facts or live_facts(connection)
    file = connection.catalog.file
    found = [*_epk(file, connection, facts)]
    for one in connection.diagnostics:
        if one.slug == "daq-assumed":
            rule = RULES["live-assumed"]
            found.append(replace(one, slug=rule.slug, severity=rule.severity))
    if facts.segments is not None:
        found += _segments(file, facts, connection)
    xcp = read_xcp(file.module.if_data)
    if xcp is None:
        where = file.module.where
        text = "IF_DATA XCP: the A2L has none."
        return [*found, _finding("live-contradiction", text, "XCP", where)]
    chosen = transport_of(xcp, connection)
    wrote = xcp.merged(chosen)
    right = corrected(xcp, connection, facts)
    right = right.merged(transport_of(right, connection))
    places = _Places(file, xcp, chosen)
    if wrote.protocol_layer is None or right.protocol_layer is None:
        text = "PROTOCOL_LAYER: the A2L has none."
        found.append(_finding("live-contradiction", text, "PROTOCOL_LAYER", places.of()))
    else:
        where = places.of("PROTOCOL_LAYER")
        found += _differ(
            _LAYER, wrote.protocol_layer, right.protocol_layer, "PROTOCOL_LAYER", where
        )
        found += _commands(wrote.protocol_layer, right.protocol_layer, where)
    if wrote.daq is None and right.daq is not None:
        text = "DAQ: the slave has it, the A2L has none."
        found.append(_finding("live-contradiction", text, "DAQ", places.of()))
    elif wrote.daq is not None and right.daq is not None:
        found += _daq(wrote.daq, right.daq, places)
    if right.pag is not None:
        pag = wrote.pag or model.XcpPag()
        found += _differ(_PAG, pag, right.pag, "PAG", places.of("PAG"))
    return found


def _finding(slug: str, text: str, subject: str, where: Where) -> Diagnostic:
    return Diagnostic(RULES[slug].severity, slug, where, text, "The slave is right.", subject)


class _Places:
    """Where the blocks of the IF_DATA stand: those of the transport in use first."""

    def __init__(self, file: A2lFile, xcp: XcpDescription, chosen: XcpTransport | None) -> None:
        self.data = next(d for d in file.module.if_data if d.name in ("XCP", "XCPplus"))
        blocks = [i for i in self.data.items if isinstance(i, IfBlock) and i.tag.startswith("XCP_ON_")]  # fmt: skip
        order = [one is chosen for one in xcp.transports]
        same = len(blocks) == len(order) and any(order)
        own = [blocks[order.index(True)]] if same else []
        self.owners: list[IfData | IfBlock] = [*own, self.data]

    def of(self, *path: str) -> Where:
        """Place of a block, or of the innermost one around it that is there."""
        for owner in self.owners:
            place = _place(owner, path)
            if place is not None:
                return place
        return self.data.where

    def event(self, channel: int) -> Where:
        """Place of the EVENT block of a channel."""
        for owner in self.owners:
            daq = owner.block("DAQ")
            for at, item in enumerate(daq.items if daq else ()):
                if isinstance(item, IfBlock) and item.tag == "EVENT" and daq is not None:
                    numbers = [i for i in item.items[2:3] if isinstance(i, str)]
                    if numbers and number_of(numbers[0]) == channel:
                        return item_where(daq, at)
        return self.of("DAQ")


def _place(owner: IfData | IfBlock, path: tuple[str, ...]) -> Where | None:
    where = None
    for tag in path:
        at = next(
            (n for n, i in enumerate(owner.items) if isinstance(i, IfBlock) and i.tag == tag), None
        )
        if at is None:
            return where
        where = item_where(owner, at)
        inner = owner.items[at]
        assert isinstance(inner, IfBlock), "found as one"
        owner = inner
    return where


def _differ(
    names: Names,
    wrote: Any,
    right: Any,
    title: str,
    where: Where,
    slug: str = "live-contradiction",
    subject: str = "",
) -> Iterator[Diagnostic]:
    """A finding per field that is not the same."""
    for key, (name, words) in names.items():
        old, new = getattr(wrote, key), getattr(right, key)
        if old != new:
            shown = [_word(value, words, key) for value in (old, new)]
            text = f"{title} {name}: the A2L says {shown[0]}, the slave says {shown[1]}."
            yield _finding(slug, text, subject or title, where)


def _word(value: Any, words: Mapping[str, Any] | None, key: str) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key in ("version", "address"):
        return f"0x{value:04X}"
    return next((word for word, code in (words or {}).items() if code == value), str(value))


def _commands(
    wrote: XcpProtocolLayer, right: XcpProtocolLayer, where: Where
) -> Iterator[Diagnostic]:
    paper = {*wrote.optional_cmds, *wrote.level1_cmds}
    live = {*right.optional_cmds, *right.level1_cmds}
    for name in sorted(live - paper):
        text = f"OPTIONAL_CMD {name}: the slave has it, the A2L does not say so."
        yield _finding("live-command", text, name, where)
    for name in sorted(paper - live):
        text = f"OPTIONAL_CMD {name}: the A2L says so, the slave does not have it."
        yield _finding("live-command", text, name, where)


def _daq(wrote: XcpDaq, right: XcpDaq, places: _Places) -> Iterator[Diagnostic]:
    where = places.of("DAQ")
    yield from _differ(_DAQ, wrote, right, "DAQ", where)
    if wrote.stim is not None and right.stim is not None:
        names: Names = {"bit_stim": ("BIT_STIM_SUPPORTED", None)}
        yield from _differ(names, wrote.stim, right.stim, "STIM", places.of("DAQ", "STIM"))
    none = XcpTimestamp(0, 0, 0)
    old, new = wrote.timestamp or none, right.timestamp or none
    names = _TIMESTAMP if old.size and new.size else {"size": _TIMESTAMP["size"]}
    place = places.of("DAQ", "TIMESTAMP_SUPPORTED")
    yield from _differ(names, old, new, "DAQ", place)
    paper = {event.channel: event for event in wrote.events}
    live = {event.channel: event for event in right.events}
    for number in sorted(paper.keys() - live.keys()):
        text = f"EVENT {number} {paper[number].name}: the slave does not have it."
        yield _finding("live-event", text, paper[number].name, places.event(number))
    for number in sorted(live.keys() - paper.keys()):
        text = f"EVENT {number} {live[number].name}: the A2L does not describe it."
        yield _finding("live-event", text, live[number].name, where)
    for number in sorted(paper.keys() & live.keys()):
        yield from _event(paper[number], live[number], places.event(number))


def _event(wrote: XcpEvent, right: XcpEvent, where: Where) -> Iterator[Diagnostic]:
    title = f"EVENT {wrote.channel} {right.name}".rstrip()
    yield from _differ(_EVENT, wrote, right, title, where, "live-event", right.name)
    if wrote.period_ns != right.period_ns or wrote.time_unit != right.time_unit:
        old, new = (
            f"{e.time_cycle} × {float(unit_ns(e.time_unit)):g} ns" if e.time_cycle else "not cyclic"
            for e in (wrote, right)
        )
        text = f"{title} period: the A2L says {old}, the slave says {new}."
        yield _finding("live-event", text, right.name, where)


def _segments(file: A2lFile, facts: LiveFacts, connection: Connection) -> Iterator[Diagnostic]:
    par = file.module.mod_par
    ag = connection.session.profile.ag
    both, only_paper, only_live = matched_segments(
        par.memory_segment if par else (), facts.segments or ()
    )
    for made in only_paper:
        text = f"SEGMENT at {made.name}: the slave does not have it."
        yield _finding("live-segment", text, made.name, made.where)
    for state in only_live:
        where = par.where if par else file.module.where
        text = f"SEGMENT {state.number}: the A2L does not describe it."
        yield _finding("live-segment", text, str(state.number), where)
    for made, xcp, state in both:
        title = f"SEGMENT {xcp.number} {made.name}"
        pairs: list[tuple[str, int, int]] = []
        if state.address is not None:
            pairs.append(("address", made.address, state.address.value))
        if state.size_bytes and made.size != state.size_bytes:
            pairs.append(("length", made.size, state.size_bytes // ag))
        for name, wrote, said in pairs:
            if wrote != said:
                text = f"{title} {name}: the A2L says 0x{wrote:X}, the slave says 0x{said:X}."
                yield _finding("live-segment", text, made.name, made.where)
        yield from _segment(made, xcp, corrected_segment(xcp, state, facts), title)


def _segment(made: Any, xcp: XcpSegment, right: XcpSegment, title: str) -> Iterator[Diagnostic]:
    """Findings about what the IF_DATA of a memory segment says."""
    yield from _differ(_SEGMENT, xcp, right, title, made.where, "live-segment", made.name)
    if xcp.checksum is not None and right.checksum is not None:
        names = {"type": ("CHECKSUM", model.CHECKSUMS)}
        yield from _differ(
            names, xcp.checksum, right.checksum, title, made.where, "live-segment", made.name
        )
    paper = {page.number: page for page in xcp.pages}
    for page in right.pages:
        if page.number in paper:
            head = f"{title} PAGE {page.number}"
            yield from _differ(
                _PAGE, paper[page.number], page, head, made.where, "live-segment", made.name
            )
    numbers = {page.number for page in right.pages}
    for number in sorted(paper.keys() ^ numbers):
        says = "the slave does not have it" if number in paper else "the A2L has it not"
        text = f"{title} PAGE {number}: {says}."
        yield _finding("live-segment", text, made.name, made.where)


def _epk(file: A2lFile, connection: Connection, facts: LiveFacts) -> Iterator[Diagnostic]:
    """The identification that the slave tells, and the one in its memory."""
    par = file.module.mod_par
    live = connection.description.epk.strip("\0 ")
    wrote = (par.epk or "").strip("\0 ") if par is not None else ""
    if par is None or not wrote:
        return
    rule = RULES["live-epk"]
    if live and live != wrote:
        text = f"EPK: the A2L is for {wrote!r}, the slave runs {live!r}."
        yield Diagnostic(rule.severity, rule.slug, par.where, text, rule.remedy, "EPK")
    elif facts.epk is not None and facts.epk != wrote:
        text = f"ADDR_EPK 0x{par.addr_epk[0]:X}: the memory there does not hold EPK {wrote!r}."
        yield Diagnostic(rule.severity, rule.slug, par.where, text, rule.remedy, "EPK")
