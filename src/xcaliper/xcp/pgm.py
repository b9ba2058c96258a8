"""Programming commands: clearing, programming and verifying non-volatile memory."""

from __future__ import annotations

from xcaliper.proto.command import Request, Response, command
from xcaliper.wire.layout import BitField, bit, choose, data, packet, u8, u16, u32
from xcaliper.xcp.codes import PID_RES, Group, error_set
from xcaliper.xcp.std import EmptyResponse

__all__ = [
    "CommModePgm",
    "GetPgmProcessorInfo",
    "GetPgmProcessorInfoResponse",
    "GetSectorInfo",
    "GetSectorInfoResponse",
    "PgmProperties",
    "Program",
    "ProgramClear",
    "ProgramFormat",
    "ProgramMax",
    "ProgramNext",
    "ProgramPrepare",
    "ProgramReset",
    "ProgramStart",
    "ProgramStartResponse",
    "ProgramVerify",
    "SectorNameInfo",
    "SectorRangeInfo",
]


class CommModePgm(BitField):
    """COMM_MODE_PGM (XCP Base, PROGRAM_START, 1.0)."""

    __slots__ = ()
    master_block_mode = bit(0)
    interleaved_mode = bit(1)
    slave_block_mode = bit(6)


class PgmProperties(BitField):
    """PGM_PROPERTIES (XCP Base, GET_PGM_PROCESSOR_INFO, 1.0)."""

    __slots__ = ()
    absolute_mode = bit(0)
    functional_mode = bit(1)
    compression_supported = bit(2)
    compression_required = bit(3)
    encryption_supported = bit(4)
    encryption_required = bit(5)
    non_seq_pgm_supported = bit(6)
    non_seq_pgm_required = bit(7)


@packet(PID_RES)
class ProgramStartResponse(Response):
    """How to talk until PROGRAM_RESET (XCP Base, PROGRAM_START, 1.0)."""

    comm_mode_pgm: CommModePgm = u8(2, view=CommModePgm)
    max_cto_pgm: int = u8(3, unit="byte")
    max_bs_pgm: int = u8(4, unit="packet")
    min_st_pgm: int = u8(5, unit="100 µs")
    queue_size_pgm: int = u8(6)


@command(
    0xD2,
    group=Group.PGM,
    timer="T3",
    resource="pgm",
    mandatory=True,
    errors=error_set("B D S L G N"),
)
class ProgramStart(Request[ProgramStartResponse]):
    """Begin programming (XCP Base, PROGRAM_START, 1.0)."""


@command(
    0xD1,
    group=Group.PGM,
    timer="T4",
    recovery="mta",
    resource="pgm",
    mandatory=True,
    errors=error_set("B S R A L Q N"),
)
class ProgramClear(Request[EmptyResponse]):
    """Clear memory: mode 0 a range from the MTA on, 1 areas by bit (XCP Base, PROGRAM_CLEAR, 1.0)."""

    mode: int = u8(1)
    clear_range: int = u32(4, unit="AG")


@command(
    0xD0,
    group=Group.PGM,
    timer="T5",
    recovery="mta",
    resource="pgm",
    mandatory=True,
    errors=error_set("B S R A L Q O N"),
)
class Program(Request[EmptyResponse]):
    """Program elements at the MTA; count 0 ends the segment (XCP Base, PROGRAM, 1.0)."""

    count: int = u8(1, unit="AG")
    data: bytes = data(2, default=b"", count="count", unit="AG", aligned=True)


@command(
    0xCF,
    group=Group.PGM,
    timer="T5",
    resource="pgm",
    mandatory=True,
    errors=error_set("B P S L Q N"),
)
class ProgramReset(Request[EmptyResponse]):
    """End programming; the slave leaves the session, with or without an answer (XCP Base, PROGRAM_RESET, 1.0)."""


@packet(PID_RES)
class GetPgmProcessorInfoResponse(Response):
    """Abilities and number of sectors (XCP Base, GET_PGM_PROCESSOR_INFO, 1.0)."""

    pgm_properties: PgmProperties = u8(1, view=PgmProperties)
    max_sector: int = u8(2)


@command(0xCE, group=Group.PGM, resource="pgm", errors=error_set("B U S L N"))
class GetPgmProcessorInfo(Request[GetPgmProcessorInfoResponse]):
    """Ask for abilities and number of sectors (XCP Base, GET_PGM_PROCESSOR_INFO, 1.0)."""


class GetSectorInfoResponse(Response):
    """Answer by mode: :class:`SectorRangeInfo` or :class:`SectorNameInfo`.

    *(XCP Base, GET_SECTOR_INFO, 1.0)*
    """

    __slots__ = ()


@packet(PID_RES)
class SectorRangeInfo(GetSectorInfoResponse):
    """Answer to modes 0 (start address) and 1 (length in AG) (XCP Base, GET_SECTOR_INFO, 1.0)."""

    clear_sequence_number: int = u8(1)
    program_sequence_number: int = u8(2)
    programming_method: int = u8(3)
    sector_info: int = u32(4)


@packet(PID_RES)
class SectorNameInfo(GetSectorInfoResponse):
    """Answer to mode 2; the name waits at the MTA (XCP Base, GET_SECTOR_INFO, 1.1)."""

    name_length: int = u8(1, unit="byte")


choose(
    GetSectorInfoResponse,
    "request.mode",
    {0: SectorRangeInfo, 1: SectorRangeInfo, 2: SectorNameInfo},
    default=SectorRangeInfo,
)


@command(0xCD, group=Group.PGM, resource="pgm", errors=error_set("B U S L M Sg N"))
class GetSectorInfo(Request[GetSectorInfoResponse]):
    """Ask for a sector: mode 0 address, 1 length, 2 name (XCP Base, GET_SECTOR_INFO, 1.0)."""

    mode: int = u8(1)
    sector: int = u8(2)


@command(
    0xCC,
    group=Group.PGM,
    timer="T3",
    recovery="mta",
    resource="pgm",
    errors=error_set("B U S R L Q G N"),
)
class ProgramPrepare(Request[EmptyResponse]):
    """Announce a flash kernel that DOWNLOAD brings to the MTA (XCP Base, PROGRAM_PREPARE, 1.0)."""

    code_size: int = u16(2, unit="AG")


@command(0xCB, group=Group.PGM, resource="pgm", errors=error_set("B U S R L Q N"))
class ProgramFormat(Request[EmptyResponse]):
    """Name the format of the following transfer (XCP Base, PROGRAM_FORMAT, 1.0)."""

    compression_method: int = u8(1, default=0)
    encryption_method: int = u8(2, default=0)
    programming_method: int = u8(3, default=0)
    access_method: int = u8(4, default=0)


@command(
    0xCA,
    group=Group.PGM,
    timer="T5",
    recovery="block",
    resource="pgm",
    errors=error_set("B U S R A L Q O N"),
)
class ProgramNext(Request[EmptyResponse]):
    """Go on with a block; count says what is still missing (XCP Base, PROGRAM_NEXT, 1.0)."""

    count: int = u8(1, unit="AG")
    data: bytes = data(2, count="count", unit="AG", aligned=True)


@command(
    0xC9,
    group=Group.PGM,
    timer="T5",
    recovery="mta",
    resource="pgm",
    errors=error_set("B U L Q O N"),
)
class ProgramMax(Request[EmptyResponse]):
    """Program a full packet of MAX_CTO_PGM / AG - 1 elements (XCP Base, PROGRAM_MAX, 1.0)."""

    data: bytes = data(1, unit="AG", aligned=True)


@command(0xC8, group=Group.PGM, timer="T3", resource="pgm", errors=error_set("B U S R L Q G V N"))
class ProgramVerify(Request[EmptyResponse]):
    """Start the slave's own test (mode 0), or send a value to compare (1) (XCP Base, PROGRAM_VERIFY, 1.0)."""

    mode: int = u8(1)
    verification_type: int = u16(2, default=0)
    verification_value: int = u32(4, default=0)
