"""Behaviour of the programming commands."""

# ruff: noqa: ARG001 -- every handler has the same signature
from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from xcaliper.core.address import Address
from xcaliper.xcp import pgm
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.slave_program import ProgramBlock
from xcaliper.xcp.slave_state import refuse
from xcaliper.xcp.std import EmptyResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xcaliper.proto.command import Request, Response
    from xcaliper.xcp.slave_program import FlashMemory, ProgramSettings, ProgramState, SectorConfig
    from xcaliper.xcp.slave_state import Handler, SlaveState

__all__ = [
    "HANDLERS",
    "get_pgm_processor_info",
    "get_sector_info",
    "program",
    "program_clear",
    "program_format",
    "program_max",
    "program_next",
    "program_prepare",
    "program_reset",
    "program_start",
    "program_verify",
]

_ABSOLUTE: Final = 0
_FUNCTIONAL: Final = 1
_NAME: Final = 2
#: Bits 3 to 7 of the areas of functional clearing.
_RESERVED_AREAS: Final = 0xF8
_RESERVED_TYPES: Final = 0xF8
_PLAIN: Final = (0, 0)


def _settings(slave: SlaveState) -> ProgramSettings:
    settings = slave.config.program
    assert settings is not None, "a slave without programming refuses these commands as unknown"
    return settings


def _flash(slave: SlaveState) -> FlashMemory:
    # SlaveState has checked that a memory which is programmed can be.
    return cast("FlashMemory", slave.memory)


def _active(slave: SlaveState) -> ProgramState:
    if not slave.program.active:
        raise refuse(ErrorCode.ERR_SEQUENCE)
    return slave.program


def program_start(slave: SlaveState, request: pgm.ProgramStart) -> Response | None:
    """Enter programming; again inside of it tells the same (XCP Base, PROGRAM_START, 1.0)."""
    state, settings = slave.program, _settings(slave)
    if slave.daq.running:
        raise refuse(ErrorCode.ERR_DAQ_ACTIVE)
    if state.forbidden is not None:
        order: Any = slave.config.byte_order.value
        raise refuse(ErrorCode.ERR_GENERIC, state.forbidden.to_bytes(2, order))
    if state.prepared is not None and not state.active:
        start, size_bytes = state.prepared
        entry = slave.mta
        if entry is None or not 0 <= (entry.value - start.value) * slave.config.ag < size_bytes:
            raise refuse(ErrorCode.ERR_GENERIC)  # the MTA must name the entry of the kernel

    def finish() -> pgm.ProgramStartResponse:
        state.active = state.engaged = True
        block = settings.master_block_mode
        return pgm.ProgramStartResponse(
            comm_mode_pgm=pgm.CommModePgm.of(
                master_block_mode=int(block), slave_block_mode=int(settings.slave_block_mode)
            ),
            max_cto_pgm=slave.max_cto,
            max_bs_pgm=settings.max_bs if block else 0,
            min_st_pgm=settings.min_st if block else 0,
            queue_size_pgm=0,
        )

    return state.work(slave.now_ns, 0 if state.active else settings.start_ns, finish)


def program_clear(slave: SlaveState, request: pgm.ProgramClear) -> Response | None:
    """Erase whole sectors from the MTA on, or all of some areas (XCP Base, PROGRAM_CLEAR, 1.0)."""
    state, settings = _active(slave), _settings(slave)
    if request.mode == _ABSOLUTE and settings.absolute:
        sectors = _range_sectors(slave, request.clear_range * slave.config.ag)
    elif request.mode == _FUNCTIONAL and settings.functional:
        areas = request.clear_range
        sectors = [sector for sector in settings.sectors if sector.area & areas]
        if areas & _RESERVED_AREAS or not sectors:
            raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    else:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)

    def finish() -> EmptyResponse:
        flash = _flash(slave)
        for sector in sorted(sectors, key=lambda one: one.clear_sequence_number):
            flash.clear(sector)
        kept = [one for one in state.cleared if one not in sectors]
        state.cleared = sorted([*kept, *sectors], key=lambda one: one.program_sequence_number)
        state.stream_at = 0
        return EmptyResponse()

    return state.work(slave.now_ns, settings.clear_ns * len(sectors), finish)


def _range_sectors(slave: SlaveState, size_bytes: int) -> list[SectorConfig]:
    """The sectors that a range consists of."""
    start = slave.address()
    at, end = start.value * slave.config.ag, start.value * slave.config.ag + size_bytes
    found: list[SectorConfig] = []
    touched = False
    for sector in _settings(slave).sectors:
        if sector.address.extension != start.extension:
            continue
        first = sector.address.value * slave.config.ag
        last = first + sector.size_bytes
        touched = touched or first <= at < last
        if at <= first and last <= end:
            found.append(sector)
    if not touched:
        raise refuse(ErrorCode.ERR_ACCESS_DENIED)
    if sum(sector.size_bytes for sector in found) != size_bytes:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    return found


def _room(slave: SlaveState) -> int:
    """Elements that fit one PROGRAM packet."""
    ag = slave.config.ag
    return (slave.max_cto - max(2, ag)) // ag


def program(slave: SlaveState, request: pgm.Program) -> Response | None:
    """Program at the MTA, begin a block, or end the segment (XCP Base, PROGRAM, 1.0)."""
    state, settings = _active(slave), _settings(slave)
    room, ag = _room(slave), slave.config.ag
    if request.count == 0:
        return state.work(slave.now_ns, settings.program_ns, lambda: _end_segment(slave))
    _ready(slave)
    most = settings.max_bs * room if settings.master_block_mode else room
    if request.count > max(most, room):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    size_bytes = min(request.count, room) * ag
    if len(request.data) < size_bytes:
        raise refuse(ErrorCode.ERR_CMD_SYNTAX)
    if request.count <= room:
        return _store(slave, request.data)
    state.block = ProgramBlock(request.count, bytearray(request.data[:size_bytes]))
    return None


def program_next(slave: SlaveState, request: pgm.ProgramNext) -> Response | None:
    """Go on with the block; only its end is answered (XCP Base, PROGRAM_NEXT, 1.0)."""
    state = _active(slave)
    block, state.block = state.block, None
    ag = slave.config.ag
    missing = block.total - len(block.data) // ag if block else 0
    if block is None or request.count != missing:
        raise refuse(ErrorCode.ERR_SEQUENCE, bytes((missing,)))
    size_bytes = min(missing, _room(slave)) * ag
    if len(request.data) < size_bytes:
        raise refuse(ErrorCode.ERR_CMD_SYNTAX)
    block.data += request.data[:size_bytes]
    if len(block.data) < block.total * ag:
        state.block = block
        return None
    return _store(slave, bytes(block.data))


def program_max(slave: SlaveState, request: pgm.ProgramMax) -> Response | None:
    """Program MAX_CTO_PGM / AG - 1 elements at the MTA (XCP Base, PROGRAM_MAX, 1.0)."""
    _active(slave)
    _ready(slave)
    size_bytes = slave.max_cto - slave.config.ag
    if len(request.data) < size_bytes:
        raise refuse(ErrorCode.ERR_CMD_SYNTAX)
    return _store(slave, request.data[:size_bytes])


def _ready(slave: SlaveState) -> None:
    """Refuse data for which a needed PROGRAM_FORMAT is missing, or the MTA."""
    if slave.program.format is None and _settings(slave).format_required:
        raise refuse(ErrorCode.ERR_SEQUENCE)
    slave.address()


def _end_segment(slave: SlaveState) -> EmptyResponse:
    _flash(slave).end_segment()
    return EmptyResponse()


def _store(slave: SlaveState, data: bytes) -> Response | None:
    """Bring data to the flash by the access method of the transfer; the MTA moves on."""
    state, settings = slave.program, _settings(slave)
    wanted = state.format
    functional = wanted is not None and wanted.access_method == _FUNCTIONAL
    put: Callable[[SlaveState, bytes, bytes], None] = _put_next if functional else _put_there
    methods = (wanted.compression_method, wanted.encryption_method) if wanted else _PLAIN

    def finish() -> EmptyResponse:
        plain = settings.decoders[methods](data) if methods in settings.decoders else data
        put(slave, data, plain)
        return EmptyResponse()

    return state.work(slave.now_ns, settings.program_ns, finish)


def _put_there(slave: SlaveState, data: bytes, plain: bytes) -> None:
    """Absolute access: the MTA is the address."""
    start = slave.address()
    _flash(slave).program(start, plain)
    slave.point(start + len(plain) // slave.config.ag)


def _put_next(slave: SlaveState, data: bytes, plain: bytes) -> None:
    """Functional access: the MTA counts packets, the data flows into the cleared sectors.

    A packet whose counter was stored already is acknowledged again and not stored twice.
    """
    state, counter = slave.program, slave.address().value
    after = _next_counter(slave, state.stored)
    if counter == state.stored:
        slave.point(Address(after))
        return
    if counter != after:
        raise refuse(ErrorCode.ERR_SEQUENCE)
    ag, flash = slave.config.ag, _flash(slave)
    room = sum(sector.size_bytes for sector in state.cleared)
    if state.stream_at + len(plain) > room:
        raise refuse(ErrorCode.ERR_MEMORY_OVERFLOW)
    skip, left = state.stream_at, plain
    for sector in state.cleared:
        if skip >= sector.size_bytes:
            skip -= sector.size_bytes
            continue
        part, left = left[: sector.size_bytes - skip], left[sector.size_bytes - skip :]
        if part:
            flash.program(sector.address + skip // ag, part)
        skip = 0
    state.stream_at += len(plain)
    state.stored = counter
    slave.point(Address(_next_counter(slave, counter)))


def _next_counter(slave: SlaveState, counter: int | None) -> int:
    """1 for the first packet, 0 behind the largest (XCP Base, functional access, 1.0)."""
    if counter is None:
        return 1
    return 0 if counter >= _settings(slave).counter_max else counter + 1


def program_format(slave: SlaveState, request: pgm.ProgramFormat) -> EmptyResponse:
    """Take the methods of the next transfer (XCP Base, PROGRAM_FORMAT, 1.0)."""
    state = _active(slave)
    if not _settings(slave).takes(request):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    state.format = request
    if request.access_method == _FUNCTIONAL:
        state.stored = None
        slave.point(Address(1))
    return EmptyResponse()


def program_prepare(slave: SlaveState, request: pgm.ProgramPrepare) -> EmptyResponse:
    """Make room for a kernel at the MTA (XCP Base, PROGRAM_PREPARE, 1.0)."""
    kernel = _settings(slave).kernel
    assert kernel is not None, "without room for a kernel the command is unknown"
    if slave.program.active:
        raise refuse(ErrorCode.ERR_SEQUENCE)
    first, room = kernel
    start, ag = slave.mta, slave.config.ag
    if start is None or slave.text is not None or start.extension != first.extension:
        raise refuse(ErrorCode.ERR_GENERIC)
    skip, size_bytes = (start.value - first.value) * ag, request.code_size * ag
    if not 0 <= skip < room:
        raise refuse(ErrorCode.ERR_GENERIC)
    if not 0 < size_bytes <= room - skip:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    slave.program.prepared = (start, size_bytes)
    return EmptyResponse()


def program_verify(slave: SlaveState, request: pgm.ProgramVerify) -> Response | None:
    """Let the ECU test its flash; a failure ends the session (XCP Base, PROGRAM_VERIFY, 1.0)."""
    state, settings = _active(slave), _settings(slave)
    reserved = request.verification_type & _RESERVED_TYPES
    if request.mode > 1 or (request.mode == 1 and reserved):
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)

    def finish() -> EmptyResponse:
        kind, value = request.verification_type, request.verification_value
        if not _flash(slave).verify(request.mode, kind, value):
            slave.reset(connected=False)
            raise refuse(ErrorCode.ERR_VERIFY)
        return EmptyResponse()

    return state.work(slave.now_ns, settings.verify_ns, finish)


def program_reset(slave: SlaveState, request: pgm.ProgramReset) -> EmptyResponse | None:
    """End programming and session; the ECU starts anew (XCP Base, PROGRAM_RESET, 1.0)."""
    _active(slave)
    slave.reset(connected=False)
    slave.program.restart = True
    return EmptyResponse() if _settings(slave).reset_answered else None


def get_pgm_processor_info(
    slave: SlaveState, request: pgm.GetPgmProcessorInfo
) -> pgm.GetPgmProcessorInfoResponse:
    """Tell the abilities (XCP Base, GET_PGM_PROCESSOR_INFO, 1.0)."""
    settings = _settings(slave)
    return pgm.GetPgmProcessorInfoResponse(
        pgm_properties=settings.properties, max_sector=len(settings.sectors)
    )


def get_sector_info(slave: SlaveState, request: pgm.GetSectorInfo) -> pgm.GetSectorInfoResponse:
    """Tell address, length or name of a sector (XCP Base, GET_SECTOR_INFO, 1.0)."""
    sectors = _settings(slave).sectors
    if request.mode > _NAME:
        raise refuse(ErrorCode.ERR_MODE_NOT_VALID)
    if request.sector >= len(sectors):
        raise refuse(ErrorCode.ERR_SEGMENT_NOT_VALID)
    sector = sectors[request.sector]
    if request.mode == _NAME:
        name = sector.name.encode("ascii", "replace")[:0xFF]
        if name:
            slave.point_text(name)
        return pgm.SectorNameInfo(name_length=len(name))
    size_ag = sector.size_bytes // slave.config.ag
    return pgm.SectorRangeInfo(
        clear_sequence_number=sector.clear_sequence_number,
        program_sequence_number=sector.program_sequence_number,
        programming_method=sector.programming_method,
        sector_info=size_ag if request.mode else sector.address.value,
    )


HANDLERS: Final[Mapping[type[Request[Any]], Handler]] = MappingProxyType(
    {
        pgm.ProgramStart: program_start,
        pgm.ProgramClear: program_clear,
        pgm.Program: program,
        pgm.ProgramReset: program_reset,
        pgm.GetPgmProcessorInfo: get_pgm_processor_info,
        pgm.GetSectorInfo: get_sector_info,
        pgm.ProgramPrepare: program_prepare,
        pgm.ProgramFormat: program_format,
        pgm.ProgramNext: program_next,
        pgm.ProgramMax: program_max,
        pgm.ProgramVerify: program_verify,
    }
)
