"""Program the flash: the commands one by one, data by address or as a flow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from xcaliper.core.address import Address
from xcaliper.core.errors import ExchangeTimeoutError, UsageError
from xcaliper.proto.procedure import ask
from xcaliper.xcp import pgm
from xcaliper.xcp.procedures import memory
from xcaliper.xcp.procedures.blocks import PROGRAM, blocks, set_mta
from xcaliper.xcp.procedures.connect import Session, optional

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.proto.procedure import Procedure

__all__ = [
    "ProgramInfo",
    "Sector",
    "check_elements",
    "clear",
    "clear_areas",
    "end_segment",
    "prepare",
    "program",
    "program_functional",
    "program_info",
    "reset",
    "start",
    "verify",
]

_COUNTERS: Final = 0x100


@dataclass(frozen=True, slots=True)
class Sector:
    """A sector as the slave, or a description, tells of it.

    Attributes:
        number: counts from 0.
        name: empty when nobody tells.
        address: first address.
        size_bytes: length.
        clear_sequence_number: order of clearing.
        program_sequence_number: order of programming.
        programming_method: 0 sequential, 0x80 to 0xFF of the maker.
    """

    number: int
    address: Address
    size_bytes: int
    name: str = ""
    clear_sequence_number: int = 0
    program_sequence_number: int = 0
    programming_method: int = 0


@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """What a slave tells about programming.

    Attributes:
        properties: abilities.
        max_sector: number of sectors.
        sectors: those that it describes, in order of number.
    """

    properties: pgm.PgmProperties
    max_sector: int
    sectors: tuple[Sector, ...] = ()


# --- what there is -------------------------------------------------------------------------------


def program_info(session: Session, *, sectors: bool = True) -> Procedure[ProgramInfo | None]:
    """Abilities and sectors; None when the slave does not tell (take the A2L's then).

    *(XCP Base, GET_PGM_PROCESSOR_INFO and GET_SECTOR_INFO, 1.0)*

    Args:
        session: of the connection.
        sectors: False leaves out the sectors, which cost four exchanges each.
    """
    if not session.resource.pgm:
        return None
    told = yield from optional(session, pgm.GetPgmProcessorInfo())
    if told is None:
        return None
    found: list[Sector] = []
    for number in range(told.max_sector if sectors else 0):
        sector = yield from _sector(session, number)
        if sector is None:
            break
        found.append(sector)
    return ProgramInfo(told.pgm_properties, told.max_sector, tuple(found))


def _sector(session: Session, number: int) -> Procedure[Sector | None]:
    start_info = yield from optional(session, pgm.GetSectorInfo(mode=0, sector=number))
    length = yield from optional(session, pgm.GetSectorInfo(mode=1, sector=number))
    if not (
        isinstance(start_info, pgm.SectorRangeInfo) and isinstance(length, pgm.SectorRangeInfo)
    ):
        return None
    name = ""
    told = yield from optional(session, pgm.GetSectorInfo(mode=2, sector=number))
    if isinstance(told, pgm.SectorNameInfo) and told.name_length:
        count = -(-told.name_length // session.profile.ag)
        raw = yield from memory.upload(session, count)
        name = raw[: told.name_length].decode("ascii", "replace")
    return Sector(
        number=number,
        address=Address(start_info.sector_info),
        size_bytes=length.sector_info * session.profile.ag,
        name=name,
        clear_sequence_number=start_info.clear_sequence_number,
        program_sequence_number=start_info.program_sequence_number,
        programming_method=start_info.programming_method,
    )


# --- the commands --------------------------------------------------------------------------------


def prepare(session: Session, address: Address, code: bytes, entry: Address) -> Procedure[None]:
    """Bring a flash kernel to RAM and point the MTA to its entry (XCP Base, PROGRAM_PREPARE, 1.0).

    :func:`start` has to follow in the same procedure, for it is the MTA that names the entry.

    Raises:
        UsageError: the code is no whole elements.
    """
    ag = session.profile.ag
    if not code or len(code) % ag:
        raise UsageError(f"kernel: {len(code)} bytes are no whole elements of {ag} bytes.")
    yield from set_mta(address)
    yield from ask(pgm.ProgramPrepare(code_size=len(code) // ag))
    yield from memory.write(session, address, code)
    yield from set_mta(entry)


def start(session: Session) -> Procedure[Session]:
    """Enter programming; the session with packet sizes and block mode that hold from now on.

    *(XCP Base, PROGRAM_START, 1.0)*
    """
    reply = yield from ask(pgm.ProgramStart())
    mode = reply.comm_mode_pgm
    block = bool(mode.master_block_mode)
    profile = replace(
        session.profile,
        max_cto=max(reply.max_cto_pgm, 8),
        slave_block_mode=bool(mode.slave_block_mode),
    )
    return replace(
        session,
        profile=profile,
        max_bs=reply.max_bs_pgm if block else 0,
        min_st_ns=reply.min_st_pgm * 100_000 if block else 0,
    )


def clear(session: Session, address: Address, size_bytes: int) -> Procedure[None]:
    """Erase whole sectors from an address on (XCP Base, PROGRAM_CLEAR, 1.0).

    Raises:
        UsageError: the size is no whole number of elements.
    """
    ag = session.profile.ag
    if size_bytes <= 0 or size_bytes % ag:
        raise UsageError(f"clear: {size_bytes} bytes are no whole elements of {ag} bytes.")
    yield from set_mta(address)
    yield from ask(pgm.ProgramClear(mode=0, clear_range=size_bytes // ag))


def clear_areas(areas: int) -> Procedure[None]:
    """Erase by purpose: 1 calibration, 2 code, 4 NVRAM, 0x100 and more of the project.

    *(XCP Base, PROGRAM_CLEAR, 1.0)*
    """
    yield from ask(pgm.ProgramClear(mode=1, clear_range=areas))


def end_segment() -> Procedure[None]:
    """Let the slave write what it has buffered (XCP Base, PROGRAM, 1.0)."""
    yield from ask(pgm.Program(count=0))


def verify(*, mode: int = 0, verification_type: int = 0, value: int = 0) -> Procedure[None]:
    """Start the slave's own test (mode 0), or hand it a value (1) (XCP Base, PROGRAM_VERIFY, 1.0).

    Raises:
        NegativeResponseError: ERR_VERIFY: the flash is not as it should be, and the session is over.
    """
    yield from ask(
        pgm.ProgramVerify(mode=mode, verification_type=verification_type, verification_value=value)
    )


def reset() -> Procedure[bool]:
    """Leave programming and the session; False when the slave was gone before it answered.

    The answer is optional *(XCP Base, PROGRAM_RESET, 1.0)*.
    """
    try:
        yield from ask(pgm.ProgramReset(), attempts=1)
    except ExchangeTimeoutError:
        return False
    return True


# --- data ----------------------------------------------------------------------------------------


def program(
    session: Session, address: Address, data: bytes, told: Callable[[int], None] | None = None
) -> Procedure[None]:
    """Program bytes at an address (XCP Base, absolute access, 1.0).

    Args:
        session: as :func:`start` gave it; learns what the slave refuses.
        address: first address.
        data: whole elements.
        told: called with the number of bytes that are programmed.

    Raises:
        UsageError: the bytes are no whole elements.
    """
    check_elements(data, session.profile.ag)
    yield from set_mta(address)
    yield from blocks(session, address, data, PROGRAM, progress=told)


def program_functional(
    session: Session,
    data: bytes,
    *,
    compression: int = 0,
    encryption: int = 0,
    method: int = 0,
) -> Procedure[None]:
    """Let data flow into the areas that were cleared (XCP Base, functional access, 1.0).

    The master does not compress or encrypt: it passes the numbers of the methods, and the data as
    they are given.

    Args:
        session: as :func:`start` gave it.
        data: as the slave's methods want them, whole elements.
        compression: method, 0 or 0x80 to 0xFF.
        encryption: method, likewise.
        method: programming method, likewise.

    Raises:
        UsageError: the bytes are no whole elements.
    """
    ag = session.profile.ag
    check_elements(data, ag)
    yield from ask(
        pgm.ProgramFormat(
            compression_method=compression,
            encryption_method=encryption,
            programming_method=method,
            access_method=1,
        )
    )
    first = Address(1)  # a block counter, not an address
    yield from blocks(
        session, first, data, PROGRAM, place=lambda _, done: Address((1 + done) % _COUNTERS)
    )
    yield from end_segment()


def check_elements(data: bytes, ag: int) -> None:
    """Refuse data that are no whole elements.

    Raises:
        UsageError: they are not.
    """
    if len(data) % ag:
        raise UsageError(f"program: {len(data)} bytes are no whole elements of {ag} bytes.")
