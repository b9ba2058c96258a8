"""Findings about IF_DATA: against the A2ML, events that do not exist, blobs that lie elsewhere."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from xcaliper.a2l.aml_match import match
from xcaliper.a2l.builtin_aml import module_aml
from xcaliper.a2l.finding import finding
from xcaliper.a2l.if_ccp import read_ccp, read_ccp_blob
from xcaliper.a2l.if_xcp import XcpDescription, read_daq_event, read_segment, read_xcp
from xcaliper.a2l.ifdata import A2ml, IfData
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.keywords.project import Module
from xcaliper.a2l.parse import A2lFile
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.diagnostics import Diagnostic

__all__ = ["INTERFACE_CHECKS"]


def _interface_data(index: ModuleIndex) -> Iterator[IfData]:
    return (made for made in index.parts() if isinstance(made, IfData))


#: Blocks of vendors that no A2ML here describes; they are kept as they are, and nothing is wrong with them.
_VENDORS: Final = frozenset(
    {
        "ASAP1B_ADDRESS",
        "ASAP1B_BYPASS",
        "ASAP1B_DIAGNOSTIC_SERVICES",
        "ASAP1B_KWP2000",
        "ASAP1B_UDS",
        "CANAPE_ADDRESS_UPDATE",
        "CANAPE_CAL_METHOD",
        "CANAPE_EXT",
        "CANAPE_GROUP",
        "CANAPE_MODULE",
        "CCP_VISION",
        "Cummins",
        "DISTAB_CFG",
        "ETK",
        "ETK_XETK_ACCESS",
        "KWP2000",
        "SPECIFIC_SYNCH",
        "VECTOR_XCP",
    }
)


def _byte_orders(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    common, xcp = index.module.mod_common, read_xcp(index.module.if_data)
    if common is None or xcp is None or common.byte_order not in ("MSB_FIRST", "MSB_LAST"):
        return
    layers = [xcp.merged(one).protocol_layer for one in xcp.transports or (None,)]
    orders = {layer.byte_order for layer in layers if layer is not None}
    if orders - {ByteOrder.MOTOROLA if common.byte_order == "MSB_FIRST" else ByteOrder.INTEL}:
        text = f"BYTE_ORDER is {common.byte_order}, that of PROTOCOL_LAYER is the other one."
        yield finding("byte-order-differs", common, text, "Compare both with the controller.")


def _aml(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    """IF_DATA by the A2ML, then what the typed views could not read and the A2ML did not tell."""
    found: list[Diagnostic] = []
    aml = module_aml(index.module, found)
    strange: Counter[str] = Counter()
    for data in _interface_data(index):
        for one in match(aml, data).diagnostics:
            if one.slug == "aml-tag-unknown":
                strange[data.name] += 1
                if strange[data.name] > 1 or data.name in _VENDORS:
                    continue
            found.append(one)
    for one in found:
        many = strange[one.subject] if one.slug == "aml-tag-unknown" else 0
        yield replace(one, text=f"{one.text} {many} such blocks.") if many > 1 else one
    told = {one.where for one in found}
    typed: list[Diagnostic] = []
    read_xcp(index.module.if_data, typed)
    read_ccp(index.module.if_data, typed)
    for one in typed:
        if one.where not in told:  # one finding for one word
            told.add(one.where)
            yield one


def _objects(module: Module) -> Iterator[Any]:
    for name in ("measurement", "characteristic", "axis_pts", "instance", "blob"):
        yield from getattr(module, name)


def _channels(xcp: XcpDescription) -> set[int]:
    daqs = [xcp.daq, *(t.daq for t in xcp.transports)]
    return {event.channel for daq in daqs if daq for event in daq.events}


def _events(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    module = index.module
    xcp = read_xcp(module.if_data)
    if xcp is not None:
        for daq in (xcp.daq, *(t.daq for t in xcp.transports)):
            numbers = [event.channel for event in daq.events] if daq else []
            for number in sorted(n for n, count in Counter(numbers).items() if count > 1):
                text = f"event channel {number} is described more than once."
                yield finding("event-duplicate", module, text, "Give each event its own number.")
            if daq and len(numbers) > daq.max_event_channel > 0:
                text = f"MAX_EVENT_CHANNEL is {daq.max_event_channel}, {len(numbers)} events are described."
                yield finding("event-count", module, text, "Correct MAX_EVENT_CHANNEL.")
    known = _channels(xcp) if xcp else set()
    for made in _objects(module):
        events = read_daq_event(made.if_data)
        if events is None:
            continue
        if xcp is None:
            text = "objects have DAQ_EVENT, but the module has no IF_DATA XCP."
            yield finding("event-unknown", module, text, "Add IF_DATA XCP to the module.")
            return
        used = {*events.fixed, *events.available, *events.default, *events.consistency}
        unknown = sorted(used - known)
        if unknown and not known:
            text = "objects ask for events, but no EVENT is described."
            yield finding("event-unknown", module, text, "Add the EVENT blocks.")
            return
        for number in unknown:
            text = f"event channel {number} is not described in the module."
            yield finding("event-unknown", made, text, "Add the EVENT or correct the number.")
        outside = set(events.default) - set(events.available) if events.available else set()
        for number in sorted(outside):
            text = f"default event {number} is not among the available ones."
            yield finding("event-default", made, text, "Add it to AVAILABLE_EVENT_LIST.")


def _rasters(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    ccp = read_ccp(index.module.if_data)
    known = {raster.event_channel for raster in ccp.rasters} if ccp else set()
    for made in _objects(index.module):
        blob = read_ccp_blob(made.if_data)
        if blob is None:
            continue
        for number in sorted(set(blob.rasters) - known) if ccp else ():
            text = f"RASTER {number} is not described in the module."
            yield finding("event-unknown", made, text, "Add the RASTER or correct the number.")
        address = getattr(made, "ecu_address", None)
        address = getattr(made, "address", None) if address is None else address
        if address is not None and blob.address != address:
            text = f"KP_BLOB or DP_BLOB says 0x{blob.address:X}, the object 0x{address:X}."
            yield finding("blob-address", made, text, "Update both from the map file.")


def _segments(_file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    par = index.module.mod_par
    seen: dict[int, str] = {}
    for made in par.memory_segment if par else ():
        xcp = read_segment(made.if_data)
        if xcp is None:
            continue
        if xcp.number in seen:
            text = f"SEGMENT {xcp.number} is described at {seen[xcp.number]} already."
            yield finding("segment-number", made, text, "Give each segment its own number.")
        seen[xcp.number] = made.name
        if xcp.pages and len(xcp.pages) != xcp.number_of_pages:
            text = f"{xcp.number_of_pages} pages are announced, {len(xcp.pages)} are described."
            yield finding("segment-pages", made, text, "Correct the number of pages.")
        numbers = [page.number for page in xcp.pages]
        if len(set(numbers)) != len(numbers):
            text = "two pages have one number."
            yield finding("segment-pages", made, text, "Give each page its own number.")


def _a2ml_there(file: A2lFile, index: ModuleIndex) -> Iterator[Diagnostic]:
    a2ml: A2ml | None = index.module.a2ml
    included = any(
        d.slug == "include-missing" and ".aml" in d.text.lower() for d in file.diagnostics
    )
    if a2ml is None and not included and index.module.if_data:
        text = "it has IF_DATA, but no A2ML that explains them to other tools."
        yield finding("aml-missing", index.module, text, "Add an A2ML block.")


INTERFACE_CHECKS: Final = (_aml, _byte_orders, _events, _rasters, _segments, _a2ml_there)
