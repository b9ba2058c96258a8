"""The plain sequence of absolute access: start, clear, program, verify, reset, once through.

Where it fails the slave stays in programming; what it holds then is incomplete and is not started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcaliper.core.errors import UsageError
from xcaliper.xcp.procedures.program import (
    check_elements,
    clear,
    end_segment,
    program,
    program_info,
    reset,
    start,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from xcaliper.core.address import Address
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.procedures.connect import Session
    from xcaliper.xcp.procedures.program import Sector

__all__ = ["ProgramStep", "program_absolute"]


@dataclass(frozen=True, slots=True)
class ProgramStep:
    """How far a sequence has come: told before each step that changes the flash, and at the end.

    Attributes:
        kind: ``start``, ``clear``, ``program``, ``verify``, ``reset`` or ``done``.
        address: where, for clearing and programming.
        done_bytes: programmed so far.
        total_bytes: to be programmed in all.
    """

    kind: str
    address: Address | None = None
    done_bytes: int = 0
    total_bytes: int = 0


def program_absolute(
    session: Session,
    parts: Iterable[tuple[Address, bytes]],
    *,
    sectors: Sequence[Sector] = (),
    verification: tuple[int, int, int] | None = None,
    step: Callable[[ProgramStep], None] | None = None,
) -> Procedure[bool]:
    """Start, clear, program, verify, reset; once through (XCP Base, PGM, 1.0).

    Every sector that a part touches is cleared as a whole, in the order that the sectors give; the
    parts are programmed in the order of their sectors.

    Args:
        session: of the connection; PGM is unlocked.
        parts: addresses and bytes.
        sectors: where the slave does not describe them.
        verification: mode, type and value of PROGRAM_VERIFY; None = it is not sent.
        step: told what comes next.

    Returns:
        Whether the slave answered PROGRAM_RESET.

    Raises:
        UsageError: there is nothing to program, no sector is known, or a part lies outside of them.
    """
    wanted = [(address, data) for address, data in parts if data]
    if not wanted:
        raise UsageError("program: there is nothing to program.")
    ag = session.profile.ag
    for _, data in wanted:
        check_elements(data, ag)
    tell = step or _ignore
    total = sum(len(data) for _, data in wanted)
    known = tuple(sectors)
    if not known:
        info = yield from program_info(session)
        known = info.sectors if info is not None else ()
    ordered = _sort_parts(wanted, known, ag)
    tell(ProgramStep("start", total_bytes=total))
    inner = yield from start(session)
    touched = {sector.number: sector for sector, _, _ in ordered}
    for sector in sorted(touched.values(), key=lambda one: (one.clear_sequence_number, one.number)):
        tell(ProgramStep("clear", sector.address, 0, total))
        yield from clear(inner, sector.address, sector.size_bytes)
    done = 0
    for _, address, data in ordered:
        tell(ProgramStep("program", address, done, total))
        yield from program(inner, address, data)
        yield from end_segment()
        done += len(data)
    if verification is not None:
        tell(ProgramStep("verify", None, done, total))
        mode, kind, value = verification
        yield from verify(mode=mode, verification_type=kind, value=value)
    tell(ProgramStep("reset", None, done, total))
    answered = yield from reset()
    tell(ProgramStep("done", None, done, total))
    return answered


def _ignore(_step: ProgramStep) -> None:
    return


def _sort_parts(
    parts: Sequence[tuple[Address, bytes]], sectors: Sequence[Sector], ag: int
) -> list[tuple[Sector, Address, bytes]]:
    """Parts cut at the borders of sectors, in the order of programming, each with its sector."""
    found: list[tuple[Sector, Address, bytes]] = []
    for whole_address, whole in parts:
        address, data = whole_address, whole
        while data:
            sector = next((one for one in sectors if _holds(one, address, ag)), None)
            if sector is None:
                raise UsageError(
                    f"program: no known sector holds {address}.",
                    hint="Give the sectors, as the A2L has them.",
                )
            room = sector.size_bytes - (address.value - sector.address.value) * ag
            found.append((sector, address, data[:room]))
            address, data = address + room // ag, data[room:]
    found.sort(key=lambda one: (one[0].program_sequence_number, one[0].number, one[1].value))
    return found


def _holds(sector: Sector, address: Address, ag: int) -> bool:
    at = (address.value - sector.address.value) * ag
    return sector.address.extension == address.extension and 0 <= at < sector.size_bytes
