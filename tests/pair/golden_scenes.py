"""Scenes for the golden vectors, by command: how a slave comes to take it, and to answer as it says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pair.golden_slaves import (
    ALL,
    FLASH,
    KEY,
    PATTERN,
    RAM,
    SECTOR_SIZE,
    Scene,
    Served,
    bound,
    events,
    lists,
    program,
    ready,
    sectors,
    security,
    segments,
    selected,
)
from support.golden import asked, name_of
from xcaliper.core.address import Address
from xcaliper.core.ticks import TickClock
from xcaliper.xcp import cal, daq, level1, pag, pgm, std, timecorr
from xcaliper.xcp.codes import ChecksumType, Resource, SetRequestMode
from xcaliper.xcp.slave_config import EventConfig, FixedList
from xcaliper.xcp.slave_daq_config import PackedConfig
from xcaliper.xcp.slave_link import CanLink, EthLink, EthPort, FlexRayLink, FlxBuffer
from xcaliper.xcp.slave_session import SessionSettings
from xcaliper.xcp.tlcmd import (
    CanGetSlaveId,
    CanIdentifier,
    EthGetSlaveId,
    EthGetSlaveIdExtended,
    FlxGetDaqBuffers,
    FlxPacketTypes,
    FlxSetDaqBuffers,
    ip_to_bytes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Vector = dict[str, Any]

STARTED = (pgm.ProgramStart(), std.SetMta(address=FLASH))
CLEARED = (*STARTED, pgm.ProgramClear(mode=0, clear_range=SECTOR_SIZE))
EXTENDED_CLOCKS = timecorr.TimeCorrelationProperties(
    set_properties=timecorr.SetProperties.of(response_fmt=2, set_cluster_id=1),
    cluster_identifier=1,
)


def at(address: int, extension: int = 0) -> std.SetMta:
    return std.SetMta(address=address, address_extension=extension)


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


def clear_daq_list(f: Any) -> Scene:
    return Scene(before=lists(f.daq_list))


def set_daq_ptr(f: Any) -> Scene:
    return Scene(before=lists(f.daq_list, f.odt + 1, f.odt_entry + 1))


def write_daq(f: Any) -> Scene:
    pointer = daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)
    return Scene(before=(*lists(0, entries=getattr(f, "n", 1)), pointer))


def set_daq_list_mode(f: Any) -> Scene:
    # lists of direction STIM cannot leave out the identification field: see NOT_BY_SLAVE
    return Scene(before=lists(f.daq_list))


def get_daq_list_mode(f: Any) -> Scene:
    if not hasattr(f, "event_channel"):
        return Scene(before=lists(f.daq_list))
    return Scene(
        before=(
            *ready(1),
            bound(1, f.event_channel, priority=f.priority),
            daq.StartStopDaqList(mode=1, daq_list=1),
            daq.StartStopDaqList(mode=2, daq_list=1),
        ),
        request=daq.GetDaqListMode(daq_list=1),
    )


def start_stop_daq_list(f: Any) -> Scene:
    first = getattr(f, "first_pid", 0)
    number = getattr(f, "daq_list", 1)
    made = ready(number, first=first)
    start = daq.StartStopDaqList(mode=getattr(f, "mode", 1), daq_list=number)
    return Scene({"identification_field": 0 if first else 2}, made, start)


def start_stop_synch(f: Any) -> Scene:
    return Scene(before=selected())


def get_daq_clock(f: Any) -> Scene:
    return Scene(at_ns=getattr(f, "timestamp", 0) * 1000)


def read_daq(f: Any) -> Scene:
    pointer = daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)
    if not hasattr(f, "size"):
        return Scene(before=(*lists(0), pointer))
    entry = daq.WriteDaq(
        bit_offset=f.bit_offset, size=f.size, address_extension=0, address=f.address
    )
    return Scene(before=(*lists(0), pointer, entry, pointer))


def get_daq_processor_info(f: Any) -> Scene:
    if not hasattr(f, "max_daq"):
        return Scene()
    return Scene(
        {
            "events": events()[: f.max_event_channel],
            "max_daq_lists": f.max_daq,
            "max_daq_is_limit": True,
            "overload": 1 if f.overload_msb else 0,
            "identification_field": f.identification_field_type,
            "pid_off": bool(f.pid_off_supported),
            "bit_stim": bool(f.bit_stim_supported),
        }
    )


def get_daq_resolution_info(f: Any) -> Scene:
    if not hasattr(f, "granularity_daq"):
        return Scene()
    clock = TickClock(f.timestamp_ticks, f.timestamp_unit, f.timestamp_size)
    return Scene({"max_odt_entry_size": f.max_entry_size_daq, "timestamp": clock})


def get_daq_list_info(f: Any) -> Scene:
    if not hasattr(f, "max_odt"):
        return Scene(before=lists(f.daq_list))
    one = FixedList(max_odt=f.max_odt, max_odt_entries=f.max_odt_entries, event_fixed=f.fixed_event)
    return Scene({"dynamic": False, "fixed_lists": (one,)}, request=daq.GetDaqListInfo(daq_list=0))


def get_daq_event_info(f: Any) -> Scene:
    if not hasattr(f, "name_length"):
        return Scene()
    one = EventConfig(
        0,
        "n" * f.name_length,
        time_cycle=f.time_cycle,
        time_unit=f.time_unit,
        priority=f.priority,
        stim=bool(f.stim),
        max_daq_list=f.max_daq_list,
        consistency=f.consistency,
    )
    return Scene({"events": (one,)}, request=daq.GetDaqEventInfo(event_channel=0))


def alloc_daq(f: Any) -> Scene:
    return Scene(before=(daq.FreeDaq(),))


def alloc_odt(f: Any) -> Scene:
    return Scene(before=lists(f.daq_list)[:2])


def alloc_odt_entry(f: Any) -> Scene:
    return Scene(before=lists(f.daq_list, f.odt + 1)[:3])


def set_daq_packed_mode(f: Any) -> Scene:
    return Scene(before=ready(f.daq_list, mode=0))


def get_daq_packed_mode(f: Any) -> Scene:
    if hasattr(f, "daq_list"):
        return Scene(before=lists(f.daq_list))
    asks = level1.GetDaqPackedMode(daq_list=0)
    if not f.daq_packed_mode:
        return Scene(before=lists(0), request=asks)
    one = PackedConfig(f.daq_packed_mode, f.timestamp_mode, f.sample_count)
    wanted = level1.SetDaqPackedMode(
        daq_list=0,
        daq_packed_mode=f.daq_packed_mode,
        timestamp_mode=f.timestamp_mode,
        sample_count=f.sample_count,
    )
    return Scene({"events": events(packed=one)}, (*ready(0, mode=0), wanted), asks)


def program_start(f: Any) -> Scene:
    if not hasattr(f, "max_bs_pgm"):
        return Scene()
    made = program(
        max_cto=f.max_cto_pgm,
        max_bs=f.max_bs_pgm,
        min_st=f.min_st_pgm,
        slave_block_mode=bool(f.slave_block_mode),
    )
    return Scene({"program": made})


def program_clear(f: Any) -> Scene:
    size = 0x100
    cut = sectors(1)
    cut = tuple(
        type(s)(s.number, s.name, s.address, size, area=f.clear_range & 7 or 1) for s in cut
    )
    cleared = b"\xff" * size
    return Scene(
        {"program": program(sectors=cut)},
        STARTED,
        result=lambda m: m.read(Address(FLASH), size) == cleared,
    )


def program_data(f: Any) -> Scene:
    data = bytes.fromhex(f.data_hex)
    return Scene(
        before=CLEARED,
        result=lambda m: m.read(Address(FLASH), len(data)) == data if data else m.ended,
    )


def program_next(f: Any) -> Scene:
    begun = pgm.Program(count=f.n + 250, data=bytes(250))
    data = bytes.fromhex(f.data_hex)
    return Scene(
        before=(*CLEARED, begun),
        result=lambda m: m.read(Address(FLASH + 250), len(data)) == data,
    )


def program_reset(f: Any) -> Scene:
    return Scene(before=(pgm.ProgramStart(),))


def get_pgm_processor_info(f: Any) -> Scene:
    if not hasattr(f, "max_sector"):
        return Scene()
    made = program(sectors=sectors(f.max_sector), functional=False, decoders={(0x80, 0): bytes})
    return Scene({"program": made})


def get_sector_info(f: Any) -> Scene:
    if hasattr(f, "sector"):
        return Scene()
    numbers = ("clear_sequence_number", "program_sequence_number", "programming_method")
    made = sectors(1, **{n: getattr(f, n) for n in numbers if hasattr(f, n)})
    return Scene(
        {"program": program(sectors=made)}, request=pgm.GetSectorInfo(mode=f.mode, sector=0)
    )


def program_prepare(f: Any) -> Scene:
    return Scene(before=(at(RAM),))


def can_get_slave_id(f: Any) -> Scene:
    inverse = getattr(f, "mode", 0) or getattr(f, "echo_hex", "a7bcaf") == "a7bcaf"
    link = CanLink(CanIdentifier(getattr(f, "can_id_cmd_stim", 5)))
    echo, other = (CanGetSlaveId(mode=mode) for mode in (0, 1))
    both = (echo,) if inverse else ()
    return Scene({"link": link}, both, other if inverse else echo)


def can_daq_id(f: Any) -> Scene:
    number = CanIdentifier(getattr(f, "can_id", 5))
    fixed = frozenset({1} if getattr(f, "can_id_fixed", 0) else ())
    return Scene({"link": CanLink(CanIdentifier(5), {1: number}, fixed)}, lists(1))


def flx_buffer(f: Any) -> Scene:
    link = FlexRayLink(tuple(FlxBuffer(n, packet_types=FlxPacketTypes.of(daq=1)) for n in range(5)))
    return Scene({"link": link})


def flx_assign(f: Any) -> Scene:
    return Scene({"link": FlexRayLink((FlxBuffer(1),))})


def daq_flx_buf(f: Any) -> Scene:
    link = flx_buffer(f).changes
    given = FlxSetDaqBuffers(daq_list=2, count=2, buffers=b"\3\4")
    asks = FlxGetDaqBuffers(daq_list=2) if hasattr(f, "fixed") else None
    return Scene(link, (*lists(2), given), asks)


def discovery(f: Any) -> Scene:
    if not hasattr(f, "status"):
        return Scene({"link": EthLink(settable=True)})
    ports = tuple(
        EthPort(f.ip, f.port, tcp)
        for tcp in {0: (True,), 1: (False,), 2: (False, True)}[f.protocol]
    )
    link = EthLink(bytes.fromhex(getattr(f, "mac", "").replace(":", "")) or bytes(6), ports)
    ids = {1: bytes.fromhex(f.identification_hex)}
    changes = {"link": link, "ids": ids, "events": events(stim=False), "program": None}
    kind = EthGetSlaveIdExtended if hasattr(f, "mac") else EthGetSlaveId
    asks = kind(port=5557, ip=ip_to_bytes("239.255.0.1"))
    return Scene(changes, () if f.busy else (std.Disconnect(),), asks)


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
    "CLEAR_DAQ_LIST": clear_daq_list,
    "SET_DAQ_PTR": set_daq_ptr,
    "WRITE_DAQ": write_daq,
    "WRITE_DAQ_MULTIPLE": write_daq,
    "SET_DAQ_LIST_MODE": set_daq_list_mode,
    "GET_DAQ_LIST_MODE": get_daq_list_mode,
    "START_STOP_DAQ_LIST": start_stop_daq_list,
    "START_STOP_SYNCH": start_stop_synch,
    "GET_DAQ_CLOCK": get_daq_clock,
    "READ_DAQ": read_daq,
    "GET_DAQ_PROCESSOR_INFO": get_daq_processor_info,
    "GET_DAQ_RESOLUTION_INFO": get_daq_resolution_info,
    "GET_DAQ_LIST_INFO": get_daq_list_info,
    "GET_DAQ_EVENT_INFO": get_daq_event_info,
    "ALLOC_DAQ": alloc_daq,
    "ALLOC_ODT": alloc_odt,
    "ALLOC_ODT_ENTRY": alloc_odt_entry,
    "SET_DAQ_PACKED_MODE": set_daq_packed_mode,
    "GET_DAQ_PACKED_MODE": get_daq_packed_mode,
    "PROGRAM_START": program_start,
    "PROGRAM_CLEAR": program_clear,
    "PROGRAM": program_data,
    "PROGRAM_MAX": program_data,
    "PROGRAM_NEXT": program_next,
    "PROGRAM_RESET": program_reset,
    "PROGRAM_FORMAT": program_reset,
    "PROGRAM_VERIFY": program_reset,
    "GET_PGM_PROCESSOR_INFO": get_pgm_processor_info,
    "GET_SECTOR_INFO": get_sector_info,
    "PROGRAM_PREPARE": program_prepare,
    "can GET_SLAVE_ID": can_get_slave_id,
    "GET_DAQ_ID": can_daq_id,
    "SET_DAQ_ID": can_daq_id,
    "FLX_ASSIGN": flx_assign,
    "FLX_ACTIVATE": flx_buffer,
    "FLX_DEACTIVATE": flx_buffer,
    "GET_DAQ_FLX_BUF": daq_flx_buf,
    "SET_DAQ_FLX_BUF": daq_flx_buf,
    "eth GET_SLAVE_ID": discovery,
    "GET_SLAVE_ID_EXTENDED": discovery,
    "SET_SLAVE_IP_ADDRESS": discovery,
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
