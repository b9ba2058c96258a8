"""Scenes for the golden vectors, by command: how a slave comes to take it, and to answer as it says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pair.golden_daq_scenes import DAQ_SCENES
from pair.golden_pgm_scenes import PGM_SCENES, at
from pair.golden_slaves import (
    ALL,
    KEY,
    PATTERN,
    RAM,
    Scene,
    Served,
    events,
    program,
    security,
    segments,
    selected,
)
from support.golden import asked, name_of
from xcaliper.core.address import Address
from xcaliper.xcp import cal, daq, pag, std, timecorr
from xcaliper.xcp.codes import ChecksumType, Resource, SetRequestMode
from xcaliper.xcp.slave_session import SessionSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    Vector = dict[str, Any]

EXTENDED_CLOCKS = timecorr.TimeCorrelationProperties(
    set_properties=timecorr.SetProperties.of(response_fmt=2, set_cluster_id=1),
    cluster_identifier=1,
)


def poke(address: int, data: bytes, extension: int = 0) -> Callable[[Served], None]:
    """Put bytes into the slave's memory."""
    return lambda served: served.memory.write(Address(address, extension), data)


def connect(f: Any) -> Scene:
    if not hasattr(f, "resource"):
        return Scene()
    kinds = events(stim=bool(f.stim)) if f.daq else ()
    return Scene(
        {
            "max_cto": f.max_cto,
            "max_dto": f.max_dto,
            "ag": f.address_granularity,
            "granularity_odt_entry": f.address_granularity,
            "slave_block_mode": bool(f.slave_block_mode),
            "disabled": frozenset() if f.optional else frozenset({"GET_COMM_MODE_INFO"}),
            "events": kinds,
            "program": program(decoders={}) if f.pgm else None,
            "debug": SimpleNamespace() if f.dbg else None,
            "transport_major": f.transport_layer_version,
        },
        request=std.Connect(mode=0),
    )


def get_status(f: Any) -> Scene:
    if not hasattr(f, "session_status"):
        return Scene()
    store = std.SetRequest(
        mode=SetRequestMode.of(store_daq_req_no_resume=1),
        session_configuration_id=f.session_configuration_id,
    )
    return Scene(
        {
            "security": security(protected=Resource(f.protection_status)),
            "session": SessionSettings(keeps_lists=True),
        },
        (
            std.GetSeed(mode=0, resource=Resource.of(daq=1)),
            std.Unlock(length=4, key=KEY),
            *selected(),
            store,
            lambda served: served.wait(20_000_000),
            daq.StartStopDaqList(mode=1, daq_list=0),
            daq.StartStopDaqList(mode=2, daq_list=0),
            store,
            std.Connect(),
        ),
    )


def get_comm_mode_info(f: Any) -> Scene:
    if not hasattr(f, "max_bs"):
        return Scene()
    return Scene(
        {
            "master_block_mode": bool(f.master_block_mode),
            "interleaved": bool(f.interleaved_mode),
            "max_bs": f.max_bs,
            "min_st": f.min_st,
            "queue_size_commands": f.queue_size or 1,
            "driver_version": f.driver_version,
        }
    )


def get_id(f: Any) -> Scene:
    text = b"XCPSIM"[: getattr(f, "length", 6)]
    inline = len(text) if getattr(f, "transfer_mode", 0) else 0
    return Scene({"ids": {1: text} if text else {}, "id_in_packet_limit": inline})


def set_request(f: Any) -> Scene:
    return Scene(before=selected())


def get_seed(f: Any) -> Scene:
    if getattr(f, "mode", 0):
        begun = std.GetSeed(mode=0, resource=Resource.of(pgm=1))
        seeds = {"protected": ALL, "seeds": lambda n: bytes(20)}
        return Scene({"security": security(**seeds), "max_cto": 8}, (begun,))
    locked = ALL if getattr(f, "length", 4) else Resource(0)
    return Scene({"security": security(protected=locked)}, request=std.GetSeed(mode=0, resource=16))


def unlock(f: Any) -> Scene:
    return Scene(
        {"security": security(protected=ALL)},
        (std.GetSeed(mode=0, resource=Resource.of(pgm=1)),),
        std.Unlock(length=4, key=KEY),
    )


def upload(f: Any) -> Scene:
    data = bytes.fromhex(getattr(f, "data_hex", ""))
    return Scene(before=(at(RAM), poke(RAM, data)))


def build_checksum(f: Any) -> Scene:
    kind = ChecksumType[getattr(f, "type_name", "XCP_CRC_32")]
    block = std.BuildChecksum(block_size=len(PATTERN))
    return Scene({"checksum": kind}, (at(RAM), poke(RAM, PATTERN)), block)


def multicast(f: Any) -> Scene:
    return Scene(before=(EXTENDED_CLOCKS,))


def download(f: Any) -> Scene:
    data = bytes.fromhex(f.data_hex)
    return Scene(before=(at(RAM),), result=lambda m: m.read(Address(RAM), len(data)) == data)


def download_next(f: Any) -> Scene:
    return Scene(before=(at(RAM), cal.Download(count=f.n + 6, data=bytes(6))))


def short_download(f: Any) -> Scene:
    data, start = bytes.fromhex(f.data_hex), Address(f.address, f.address_extension)
    return Scene(result=lambda m: m.read(start, len(data)) == data)


def modify_bits(f: Any) -> Scene:
    """0xFF00FF00 with AND mask 0xFF0F shifted by 8, then XOR 0x30 likewise, both in their order."""
    order = "little" if f.intel else "big"
    word = 0xF0FF_FF00
    expected = (word & ~((~f.and_mask & 0xFFFF) << f.shift)) ^ f.xor_mask << f.shift
    return Scene(
        before=(at(RAM), poke(RAM, word.to_bytes(4, order))),
        result=lambda m: int.from_bytes(m.read(Address(RAM), 4), order) == expected,
    )


def set_cal_page(f: Any) -> Scene:
    where = {
        (n, who): f.page for n in (range(3) if f.mode & 0x80 else (f.segment,)) for who in (0, 1)
    }
    return Scene(result=lambda m: m.pages == where)


def get_cal_page(f: Any) -> Scene:
    page = getattr(f, "page", 0)
    asks = pag.GetCalPage(access_mode=2, segment=1)
    both = pag.SetCalPage(mode=pag.CalPageMode(3), segment=1, page=page)
    return Scene(before=(both,), request=asks)


def get_pag_processor_info(f: Any) -> Scene:
    return Scene({"segments": segments(getattr(f, "max_segment", 1))})


def get_segment_info(f: Any) -> Scene:
    if hasattr(f, "segment"):
        return Scene()
    asks = pag.GetSegmentInfo(mode=f.mode, segment=0, segment_info=0, mapping_index=0)
    return Scene({"segments": segments(1, pages=2)}, request=asks)


def get_page_info(f: Any) -> Scene:
    return Scene(request=pag.GetPageInfo(segment=0, page=1))


def get_segment_mode(f: Any) -> Scene:
    freeze = pag.SetSegmentMode(mode=pag.SegmentMode.of(freeze=1), segment=0)
    return Scene(before=(freeze,), request=pag.GetSegmentMode(segment=0))


def copy_cal_page(f: Any) -> Scene:
    pages = (f.src_segment, f.src_page), (f.dst_segment, f.dst_page)
    return Scene(result=lambda m: m.copied == pages)


SCENES: dict[str, Callable[[Any], Scene]] = {
    "CONNECT": connect,
    "GET_STATUS": get_status,
    "GET_COMM_MODE_INFO": get_comm_mode_info,
    "GET_ID": get_id,
    "SET_REQUEST": set_request,
    "GET_SEED": get_seed,
    "UNLOCK": unlock,
    "UPLOAD": upload,
    "BUILD_CHECKSUM": build_checksum,
    "GET_DAQ_CLOCK_MULTICAST": multicast,
    "DOWNLOAD": download,
    "DOWNLOAD_NEXT": download_next,
    "DOWNLOAD_MAX": download,
    "SHORT_DOWNLOAD": short_download,
    "MODIFY_BITS": modify_bits,
    "SET_CAL_PAGE": set_cal_page,
    "GET_CAL_PAGE": get_cal_page,
    "GET_PAG_PROCESSOR_INFO": get_pag_processor_info,
    "GET_SEGMENT_INFO": get_segment_info,
    "GET_PAGE_INFO": get_page_info,
    "GET_SEGMENT_MODE": get_segment_mode,
    "COPY_CAL_PAGE": copy_cal_page,
    **DAQ_SCENES,
    **PGM_SCENES,
}


def scene_of(vector: Vector) -> Scene:
    """The scene of a command or of an answer."""
    name = name_of(vector)
    make = SCENES.get(name) or SCENES.get(f"{vector['layer']} {name}")
    fields = SimpleNamespace(**vector["fields"], intel=vector["byte_order"] == "intel")
    scene = make(fields) if make else Scene()
    if vector["direction"] == "cmd" or scene.request is None:
        scene.request = asked(vector)
    return scene
