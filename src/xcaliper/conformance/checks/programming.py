"""Rules about programming; nothing is erased but the sector that the user names for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import connect_response, read
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule
from xcaliper.core.address import Address
from xcaliper.xcp import pgm, std
from xcaliper.xcp.codes import PID_RES, ErrorCode

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_PGM: Final = Group.PROGRAMMING
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_SEQUENCE: Final = ErrorCode.ERR_SEQUENCE
_LEAST_CTO: Final = 8
_START_BYTES: Final = 7
_MOST_BYTES: Final = 64
_TRIES: Final = 10


def _announced(probe: Probe) -> None:
    if not connect_response(probe).resource.pgm:
        raise SkippedError("the slave does not announce PGM.")


@rule(
    "PGM-001",
    _PGM,
    "GET_PGM_PROCESSOR_INFO response is complete",
    "The answer to GET_PGM_PROCESSOR_INFO has 3 bytes.",
    "GET_PGM_PROCESSOR_INFO, 1.0",
)
def _pgm_info(probe: Probe) -> None:
    _announced(probe)
    probe.subject(pgm.GetPgmProcessorInfo(), 3)


@rule(
    "PGM-002",
    _PGM,
    "Some programming mode",
    "A slave with PGM has absolute or functional mode.",
    "GET_PGM_PROCESSOR_INFO, 1.0",
)
def _pgm_mode(probe: Probe) -> None:
    _announced(probe)
    found = probe.use(pgm.GetPgmProcessorInfo()).pgm_properties
    probe.demand(found.absolute_mode or found.functional_mode, "no mode is announced.")


@rule(
    "PGM-003",
    _PGM,
    "What is required is supported",
    "Compression, encryption and non-sequential programming are required only where supported.",
    "GET_PGM_PROCESSOR_INFO, 1.0",
)
def _pgm_required(probe: Probe) -> None:
    _announced(probe)
    found = int(probe.use(pgm.GetPgmProcessorInfo()).pgm_properties)
    probe.demand(not (found & 0xA8) >> 1 & ~found, f"PGM_PROPERTIES is 0x{found:02X}.")


@rule(
    "PGM-004",
    _PGM,
    "Sectors that are announced exist",
    "GET_SECTOR_INFO gives address and length of every sector.",
    "GET_SECTOR_INFO, 1.0",
)
def _sectors(probe: Probe) -> None:
    _announced(probe)
    for number in range(min(probe.use(pgm.GetPgmProcessorInfo()).max_sector, 32)):
        for mode in (0, 1):
            probe.subject(pgm.GetSectorInfo(mode=mode, sector=number), 8)


@rule(
    "PGM-005",
    _PGM,
    "Sector that does not exist",
    "GET_SECTOR_INFO beyond the last sector is refused with ERR_SEGMENT_NOT_VALID or "
    "ERR_OUT_OF_RANGE.",
    "GET_SECTOR_INFO, 1.0",
)
def _no_sector(probe: Probe) -> None:
    _announced(probe)
    count = probe.use(pgm.GetPgmProcessorInfo()).max_sector
    if count > 0xFE:
        raise SkippedError("every sector number exists.")
    probe.refused(pgm.GetSectorInfo(mode=0, sector=count), ErrorCode.ERR_SEGMENT_NOT_VALID, _RANGE)


@rule(
    "PGM-006",
    _PGM,
    "No programming without a start",
    "PROGRAM_CLEAR before PROGRAM_START is refused with ERR_SEQUENCE.",
    "PROGRAM_START, 1.0",
    severity=Severity.VIOLATION,
    needs=Permission.PROGRAM,
)
def _no_start(probe: Probe) -> None:
    _announced(probe)
    answer = probe.ask(pgm.ProgramClear(mode=0, clear_range=0))
    probe.demand(answer is not None, "PROGRAM_CLEAR was not answered.")
    if answer and answer[0] == PID_RES:
        probe.demand(met=False, text="PROGRAM_CLEAR was accepted without PROGRAM_START.")
    probe.refused(pgm.ProgramClear(mode=0, clear_range=0), _SEQUENCE)


# -- a sector that may be erased ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Programmed:
    """What came of erasing and programming one sector.

    Attributes:
        start: answer to PROGRAM_START.
        wrote: what was programmed, by two commands.
        found: what was read at the same place in the next session.
        status: answer to GET_STATUS behind PROGRAM_RESET; None = silence.
    """

    start: bytes
    wrote: bytes
    found: bytes
    status: bytes | None


def _programmed(probe: Probe) -> _Programmed:
    """Done once a run.

    Raises:
        SkippedError: no sector may be erased, or some step was refused.
    """
    _announced(probe)
    return probe.fact("programmed", _program)


def _program(probe: Probe) -> _Programmed:
    if probe.scratch is None:
        raise SkippedError("no sector may be erased; name one with --scratch.")
    told = probe.use(pgm.GetPgmProcessorInfo()).pgm_properties
    if not told.absolute_mode or int(told) & 0xA8:
        raise SkippedError("the slave wants another way to program than plain bytes at addresses.")
    place, length = (probe.use(pgm.GetSectorInfo(mode=n, sector=probe.scratch)) for n in (0, 1))
    if not (isinstance(place, pgm.SectorRangeInfo) and isinstance(length, pgm.SectorRangeInfo)):
        raise SkippedError(f"sector {probe.scratch} has no address and length.")
    start = probe.ask(pgm.ProgramStart(), wait_ns=probe.limits.patience_ns)
    if start is None or start[0] != PID_RES:
        raise SkippedError("PROGRAM_START was refused.")
    try:
        wrote = _fill(probe, start, place.sector_info, length.sector_info)
    finally:
        probe.ask(pgm.ProgramReset(), wait_ns=probe.limits.patience_ns)
        status = probe.ask(std.GetStatus(), wait_ns=probe.limits.quiet_ns)
        _connect_again(probe)
    at = Address(place.sector_info)
    found = read(probe, at, len(wrote) // probe.profile.ag)
    return _Programmed(start, wrote, found, status)


def _fill(probe: Probe, start: bytes, address: int, length: int) -> bytes:
    """Erase the sector and program its beginning by two commands; gives what was programmed."""
    ag = probe.profile.ag
    room = max(start[3] if len(start) > 3 else 0, _LEAST_CTO) - max(2, ag)
    count = min(room, _MOST_BYTES, length * ag // 2) // ag
    data = bytes((11 * at + 5) & 0xFF for at in range(2 * count * ag))
    probe.use(std.SetMta(address=address))
    _slowly(probe, pgm.ProgramClear(mode=0, clear_range=length))
    probe.use(std.SetMta(address=address))
    for part in (data[: count * ag], data[count * ag :]):
        _slowly(probe, pgm.Program(count=count, data=part))
    _slowly(probe, pgm.Program(count=0))
    return data


def _slowly(probe: Probe, request: pgm.ProgramClear | pgm.Program) -> None:
    """A step that takes the time of the flash.

    Raises:
        SkippedError: it was refused, or not answered.
    """
    answer = probe.ask(request, wait_ns=probe.limits.patience_ns)
    if answer is None or answer[0] != PID_RES:
        raise SkippedError(f"builds on {request.__command__.name}, which was not done.")


def _connect_again(probe: Probe) -> None:
    """A slave may restart first.

    Raises:
        SkippedError: it does not come back.
    """
    probe.connected = False
    for _ in range(_TRIES):
        if probe.connect() is not None:
            return
        probe.listen(probe.limits.quiet_ns)
    raise SkippedError("the slave did not come back after PROGRAM_RESET.")


@rule(
    "PGM-007",
    _PGM,
    "PROGRAM_START response is complete",
    "The answer to PROGRAM_START has 7 bytes, and MAX_CTO_PGM is at least 8.",
    "PROGRAM_START, 1.0",
    needs=Permission.PROGRAM,
)
def _started(probe: Probe) -> None:
    start = _programmed(probe).start
    probe.demand(len(start) >= _START_BYTES, f"the answer has {len(start)} bytes.")
    probe.demand(start[3] >= _LEAST_CTO, f"MAX_CTO_PGM is {start[3]}.")


@rule(
    "PGM-008",
    _PGM,
    "What was programmed can be read",
    "An erased sector holds what two PROGRAM commands wrote, one behind the other.",
    "PROGRAM, 1.0",
    needs=Permission.PROGRAM,
)
def _kept(probe: Probe) -> None:
    done = _programmed(probe)
    wrong = [at for at, byte in enumerate(done.wrote) if done.found[at : at + 1] != bytes((byte,))]
    probe.demand(
        not wrong, f"{len(wrong)} of {len(done.wrote)} bytes differ, the first at {wrong[:1]}."
    )


@rule(
    "PGM-009",
    _PGM,
    "PROGRAM_RESET ends the session",
    "Behind PROGRAM_RESET the slave is disconnected and answers CONNECT only.",
    "PROGRAM_RESET, 1.0",
    needs=Permission.PROGRAM,
)
def _ended(probe: Probe) -> None:
    probe.demand(_programmed(probe).status is None, "GET_STATUS was answered.")


RULES: Final[tuple[Rule, ...]] = (
    _pgm_info,
    _pgm_mode,
    _pgm_required,
    _sectors,
    _no_sector,
    _no_start,
    _started,
    _kept,
    _ended,
)
