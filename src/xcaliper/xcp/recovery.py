"""Timers T1 to T7 and the error handling matrix: what a master does about each error of each command.

*(XCP Base, error handling matrix and time-out handling, 1.0)*

The matrix is declared once, as default rows per error code and as exceptions per command; the master
machine carries out what it says. Where it asks for another command or for a whole sequence again, the
machine raises the error and the procedure that knows the sequence goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from xcaliper.core.errors import SettingsError
from xcaliper.xcp.codes import ErrorCode, meaning_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from xcaliper.proto.command import CommandInfo

__all__ = [
    "FOREVER",
    "RECOVERY",
    "Action",
    "MatrixRow",
    "PreAction",
    "Reaction",
    "Timers",
    "matrix",
    "reaction_to",
    "timeout_reaction",
]

_MS: Final = 1_000_000
#: Repetitions without a number: the machine's patience ends them.
FOREVER: Final = -1


@dataclass(frozen=True, slots=True)
class Timers:
    """Time-outs in nanoseconds, in the order of the A2L's PROTOCOL_LAYER."""

    t1_ns: int = 1000 * _MS
    t2_ns: int = 2000 * _MS
    t3_ns: int = 2000 * _MS
    t4_ns: int = 10_000 * _MS
    t5_ns: int = 1000 * _MS
    t6_ns: int = 100 * _MS
    t7_ns: int = 200 * _MS

    def __post_init__(self) -> None:
        for number, value in enumerate(self._values(), 1):
            if value <= 0:
                raise SettingsError(f"t{number}_ns", f"{value} is not a time")

    def _values(self) -> tuple[int, ...]:
        return (
            self.t1_ns,
            self.t2_ns,
            self.t3_ns,
            self.t4_ns,
            self.t5_ns,
            self.t6_ns,
            self.t7_ns,
        )

    @classmethod
    def of_ms(cls, *times_ms: int) -> Timers:
        """T1 to T7 in milliseconds; those left out, and zeros, keep their defaults.

        A time of 0 in a description means that nobody filled it in.
        """
        given = {f"t{i}_ns": ms * _MS for i, ms in enumerate(times_ms[:7], 1) if ms > 0}
        return cls(**given)

    def named(self, timer: str) -> int:
        """Nanoseconds of ``T1`` … ``T7``."""
        return self._values()[int(timer[1:]) - 1]


class PreAction(StrEnum):
    """What comes before the repetition, in this order."""

    WAIT_T7 = "wait T7"
    SYNCH = "SYNCH"
    STOP_DAQ = "START_STOP_SYNCH(stop all)"
    UNLOCK = "GET_SEED + UNLOCK"
    SET_MTA = "SET_MTA"
    SET_DAQ_PTR = "SET_DAQ_PTR"
    FREE_DAQ = "FREE_DAQ"


class Action(StrEnum):
    """What the master does then."""

    CONTINUE = "go on: it is no failure"
    REPEAT = "repeat"
    RAISE = "give up the command and say so"
    ALTERNATIVE = "use another command"
    FROM_A2L = "take the value from the description"
    SKIP = "do without it"
    BEGIN_AGAIN = "begin the sequence again"
    END_SESSION = "end the session; CONNECT begins a new one"


@dataclass(frozen=True, slots=True)
class Reaction:
    """A cell of the matrix.

    Attributes:
        action: what is done.
        pre: what comes before it.
        repeats: how often the command is repeated; ``FOREVER`` within the machine's patience.
        note: why it differs from the standard, or what it leaves to the procedure.
    """

    action: Action
    pre: tuple[PreAction, ...] = ()
    repeats: int = 0
    note: str = ""


class MatrixRow(NamedTuple):
    """One command and one condition; the code is None for a time-out, which has no severity."""

    command: str
    code: int | None
    severity: int | None
    reaction: Reaction


_TWICE: Final = 2
_SYNCH: Final = (PreAction.SYNCH,)

#: Reactions to a time-out; names are those of ``CommandInfo.recovery``. ``alloc``: a lost ALLOC_DAQ
#: may add lists when it is repeated, so FREE_DAQ precedes it; the other ALLOC commands are safe to
#: repeat. ``block`` repeats the whole block.
RECOVERY: Final[Mapping[str, Reaction]] = MappingProxyType(
    {
        "synch": Reaction(Action.REPEAT, _SYNCH, _TWICE),
        "mta": Reaction(Action.REPEAT, (*_SYNCH, PreAction.SET_MTA), _TWICE),
        "daq_ptr": Reaction(Action.REPEAT, (*_SYNCH, PreAction.SET_DAQ_PTR), _TWICE),
        "block": Reaction(Action.REPEAT, (*_SYNCH, PreAction.SET_MTA), _TWICE),
        "alloc": Reaction(
            Action.REPEAT,
            (*_SYNCH, PreAction.FREE_DAQ),
            _TWICE,
            "FREE_DAQ for ALLOC_DAQ only, which would count twice.",
        ),
        "connect": Reaction(Action.REPEAT, repeats=FOREVER, note="Within a number or a time."),
        "connect-user": Reaction(
            Action.REPEAT, (PreAction.WAIT_T7,), FOREVER, "Mode 1, with T6; within a time."
        ),
        "again": Reaction(Action.REPEAT, repeats=_TWICE),
    }
)

_RAISE: Final = Reaction(Action.RAISE)
_WAIT: Final = Reaction(Action.REPEAT, (PreAction.WAIT_T7,), FOREVER)
_AGAIN: Final = Reaction(Action.REPEAT, repeats=_TWICE)
_END: Final = Reaction(Action.END_SESSION)
_OTHER: Final = Reaction(Action.ALTERNATIVE)
_REMAKE: Final = Reaction(Action.BEGIN_AGAIN, note="FREE_DAQ and the whole allocation.")

_DEFAULTS: Final[Mapping[int, Reaction]] = MappingProxyType(
    {
        ErrorCode.ERR_CMD_SYNCH: Reaction(
            Action.CONTINUE, note="A late answer to SYNCH; that of the command follows."
        ),
        ErrorCode.ERR_CMD_BUSY: _WAIT,
        ErrorCode.ERR_PGM_ACTIVE: _WAIT,
        ErrorCode.ERR_DAQ_ACTIVE: Reaction(
            Action.REPEAT,
            (PreAction.STOP_DAQ,),
            _TWICE,
            "Only where the step allows it; a measurement is never stopped silently.",
        ),
        ErrorCode.ERR_ACCESS_LOCKED: Reaction(
            Action.REPEAT,
            (PreAction.UNLOCK,),
            1,
            "Once, where a key function is known: slaves count wrong keys.",
        ),
        ErrorCode.ERR_GENERIC: _END,
        ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE: _WAIT,
    }
)


_TOLD_BY_A2L: Final = (
    "GET_PAG_PROCESSOR_INFO",
    "GET_SEGMENT_INFO",
    "GET_PAGE_INFO",
    "GET_DAQ_PROCESSOR_INFO",
    "GET_DAQ_RESOLUTION_INFO",
    "GET_DAQ_LIST_INFO",
    "GET_DAQ_EVENT_INFO",
    "GET_PGM_PROCESSOR_INFO",
    "GET_SECTOR_INFO",
)
_PROGRAMMING: Final = (
    "PROGRAM_CLEAR",
    "PROGRAM",
    "PROGRAM_MAX",
    "PROGRAM_FORMAT",
    "PROGRAM_PREPARE",
    "PROGRAM_VERIFY",
    "PROGRAM_RESET",
)


def _exceptions() -> Iterator[tuple[str, int, Reaction]]:
    """Command, error code, reaction: what differs from the defaults."""
    code = ErrorCode
    short = ("SHORT_UPLOAD", "SHORT_DOWNLOAD", "DOWNLOAD_MAX", "PROGRAM_MAX", "MODIFY_BITS")
    blocks = ("DOWNLOAD_NEXT", "PROGRAM_NEXT")
    for name in (*short, *blocks):
        yield name, code.ERR_CMD_UNKNOWN, _OTHER
    for name in blocks:
        yield (
            name,
            code.ERR_SEQUENCE,
            Reaction(
                Action.REPEAT,
                (*_SYNCH, PreAction.SET_MTA),
                _TWICE,
                "The whole block. SYNCH: errors about its other packets may follow.",
            ),
        )
    for name in _TOLD_BY_A2L:
        yield name, code.ERR_CMD_UNKNOWN, Reaction(Action.FROM_A2L)
    for name in (*_TOLD_BY_A2L, "GET_ID", "GET_COMM_MODE_INFO", "GET_DAQ_CLOCK"):
        yield name, code.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE, Reaction(Action.SKIP)
    yield (
        "SYNCH",
        code.ERR_CMD_UNKNOWN,
        Reaction(
            Action.CONTINUE,
            note="Deviates: the standard ends the session; slaves without SYNCH answer in order too.",
        ),
    )
    yield (
        "UNLOCK",
        code.ERR_SEQUENCE,
        Reaction(Action.BEGIN_AGAIN, note="GET_SEED again, by the procedure that unlocks."),
    )
    yield "UNLOCK", code.ERR_ACCESS_LOCKED, _END
    for name in ("ALLOC_DAQ", "ALLOC_ODT", "ALLOC_ODT_ENTRY"):
        yield name, code.ERR_SEQUENCE, _REMAKE
    yield "SET_DAQ_PTR", code.ERR_DAQ_ACTIVE, _AGAIN
    for name in _PROGRAMMING:
        yield name, code.ERR_SEQUENCE, _AGAIN
    yield "PROGRAM_RESET", code.ERR_PGM_ACTIVE, _AGAIN
    yield "PROGRAM_VERIFY", code.ERR_VERIFY, Reaction(Action.END_SESSION, note="New flashware.")


_EXCEPTIONS: Final[Mapping[tuple[str, int], Reaction]] = MappingProxyType(
    {(name, int(code)): reaction for name, code, reaction in _exceptions()}
)


def timeout_reaction(info: CommandInfo, *, user_defined: bool = False) -> Reaction:
    """What a missing answer calls for.

    Args:
        info: of the command.
        user_defined: CONNECT of mode 1.
    """
    if user_defined and info.recovery == "connect":
        return RECOVERY["connect-user"]
    return RECOVERY[info.recovery]


def reaction_to(info: CommandInfo, code: int) -> Reaction:
    """What an error code calls for, as an answer to a command.

    Codes that the standard does not list for the command go by their severity: 3 ends the session,
    anything less gives up the command. Waiting, unlocking and stopping help all the same.
    """
    found = _EXCEPTIONS.get((info.name, code))
    if found is not None:
        return found
    found = _DEFAULTS.get(code)
    if found is None or (found is _END and code not in info.errors):
        return _END if meaning_of(code).severity >= 3 else _RAISE
    return found


def matrix(commands: Iterable[CommandInfo]) -> Iterator[MatrixRow]:
    """Every row: each command with its time-out and the codes that the standard lists for it."""
    for info in commands:
        yield MatrixRow(info.name, None, None, timeout_reaction(info))
        if info.recovery == "connect":
            yield MatrixRow(info.name, None, None, timeout_reaction(info, user_defined=True))
        for code in sorted(info.errors):
            yield MatrixRow(info.name, code, meaning_of(code).severity, reaction_to(info, code))
