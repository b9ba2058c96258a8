"""What a rule is, what it may touch, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.words import answer_text, question_text
from xcaliper.core.errors import XcaliperError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.conformance.probe import Probe
    from xcaliper.xcp.profile import Profile

__all__ = [
    "End",
    "FaultError",
    "Group",
    "Permission",
    "Result",
    "Rule",
    "Severity",
    "SkippedError",
    "Step",
    "StoppedError",
    "TimeIsUpError",
    "Verdict",
    "rule",
]


class Severity(Enum):
    """How much a failed rule weighs.

    ``VIOLATION``: the standard demands it. ``DEVIATION``: it demands it, but editions or well-known slaves
    differ. ``NOTE``: good to know, a master lives with it.
    """

    VIOLATION = "violation"
    DEVIATION = "deviation"
    NOTE = "note"


class Permission(Enum):
    """What a rule does to the slave beyond asking.

    ``WRITE``: bytes at the address of the run are written and restored. ``PAGE``: calibration pages and
    segment modes are switched and put back. ``DAQ``: lists are configured and run. ``STIM``: lists of
    direction STIM run, whose data the ECU takes. ``STORE``: something is stored for good. ``PROGRAM``: programming commands. ``KEYS``: keys that are known to be wrong.
    """

    WRITE = "write"
    PAGE = "page"
    DAQ = "daq"
    STIM = "stim"
    STORE = "store"
    PROGRAM = "program"
    KEYS = "keys"


class Group(Enum):
    """Parts of the suite; the value is what ``--group`` takes."""

    SESSION = "session"
    STATUS = "status"
    IDENTIFICATION = "identification"
    COMM_MODE = "comm-mode"
    UNKNOWN = "unknown"
    SYNTAX = "syntax"
    MEMORY = "memory"
    CALIBRATION = "calibration"
    PAGING = "paging"
    DAQ_INFO = "daq-info"
    DAQ_CONFIG = "daq-config"
    DAQ_RUN = "daq-run"
    STIMULATION = "stimulation"
    STORING = "storing"
    TIME = "time"
    SECURITY = "security"
    PROGRAMMING = "programming"
    TRANSPORT = "transport"
    OBSERVED = "observed"
    A2L = "a2l"


class Verdict(Enum):
    """What became of a rule in a run."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    ERROR = "error"


class End(Enum):
    """How a run ended; the value is its exit code when no verdict says more."""

    COMPLETE = 0
    OUT_OF_TIME = 1
    GONE = 4
    INTERRUPTED = 130


class FaultError(XcaliperError):
    """The slave does not do what the rule demands."""

    slug = "conformance-fault"


class SkippedError(XcaliperError):
    """The rule does not apply to this slave, or something that it builds on is missing."""

    slug = "conformance-skipped"


class StoppedError(XcaliperError):
    """The run cannot go on: no answer any more, or its time is up."""

    slug = "conformance-stopped"


class TimeIsUpError(StoppedError):
    """The time of the whole run is up, though the slave answers."""

    slug = "conformance-time"


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand of the standard, and the function that finds out.

    Attributes:
        id: stable, such as ``MEM-003``.
        group: part of the suite.
        title: in a few words.
        demands: what the standard demands, in own words.
        source: standard, item, first edition.
        check: asks the slave; returns when the demand is met, raises :class:`FaultError` or
            :class:`SkippedError`.
        severity: weight when it fails.
        needs: what has to be allowed.
    """

    id: str
    group: Group
    title: str
    demands: str
    source: str
    check: Callable[[Probe], None]
    severity: Severity = Severity.VIOLATION
    needs: frozenset[Permission] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was asked, and what came.

    Attributes:
        asked: packet; empty when the suite only listened.
        came: packets in order of arrival.
        t_ns: when it was asked, since the start of the run.
        profile: how its bytes are to be read.
    """

    asked: bytes
    came: tuple[bytes, ...]
    t_ns: int
    profile: Profile

    @property
    def question(self) -> str:
        """The packet in words."""
        return question_text(self.asked, self.profile)

    @property
    def answers(self) -> tuple[str, ...]:
        """The packets that came, in words."""
        return tuple(answer_text(packet, self.asked, self.profile) for packet in self.came)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one rule.

    Attributes:
        rule: the rule.
        verdict: passed, failed, skipped or error.
        reason: why, empty when it passed.
        steps: what was asked and what came, in order, as far as kept.
        duration_ns: how long it took.
        left_out: steps that were not kept.
    """

    rule: Rule
    verdict: Verdict
    reason: str = ""
    steps: tuple[Step, ...] = field(default=())
    duration_ns: int = 0
    left_out: int = 0


_SOURCE: Final = "XCP Base, "


def rule(
    number: str,
    group: Group,
    title: str,
    demands: str,
    source: str,
    *,
    severity: Severity = Severity.VIOLATION,
    needs: Permission | tuple[Permission, ...] | None = None,
) -> Callable[[Callable[[Probe], None]], Rule]:
    """Make a rule of the function below; ``source`` without a comma's worth of standard is XCP Base."""
    where = source if source.startswith(("XCP", "ASAP2")) else _SOURCE + source

    def made(check: Callable[[Probe], None]) -> Rule:
        several = needs if isinstance(needs, tuple) else (needs,)
        wanted = frozenset(one for one in several if one is not None)
        return Rule(number, group, title, demands, where, check, severity, wanted)

    return made
