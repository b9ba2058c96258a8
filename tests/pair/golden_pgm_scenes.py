"""Scenes for the golden vectors of programming and of transports, by command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pair.golden_slaves import (
    FLASH,
    RAM,
    SECTOR_SIZE,
    Scene,
    events,
    lists,
    program,
    sectors,
)
from xcaliper.core.address import Address
from xcaliper.xcp import pgm, std
from xcaliper.xcp.slave_link import CanLink, EthLink, EthPort, FlexRayLink, FlxBuffer
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


def at(address: int, extension: int = 0) -> std.SetMta:
    return std.SetMta(address=address, address_extension=extension)


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


PGM_SCENES: dict[str, Callable[[Any], Scene]] = {
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
