"""Runs rules one after the other on one slave and leaves it as it was."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.locks import open_up
from xcaliper.conformance.model import (
    End,
    FaultError,
    Group,
    Permission,
    Result,
    Rule,
    Severity,
    SkippedError,
    StoppedError,
    TimeIsUpError,
    Verdict,
)
from xcaliper.conformance.paper import take_from_slave
from xcaliper.core.errors import LinkError, XcaliperError
from xcaliper.xcp.daq import StartStopSynch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from xcaliper.conformance.probe import Probe

__all__ = ["Outcome", "begin", "judge", "leave", "run", "run_each"]

_TRIES: Final = 3
#: Questions in a row without an answer after which a slave counts as gone.
_DEAF: Final = 12
_VIOLATED: Final = 6
_DEFECT: Final = 1
#: Groups that see the slave as a session finds it: locked.
_LOCKED: Final = (Group.SESSION, Group.STATUS, Group.SECURITY, Group.OBSERVED, Group.TRANSPORT)
_WITHOUT_CONNECT: Final = (Group.SESSION, Group.OBSERVED, Group.TRANSPORT)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found.

    Attributes:
        results: one per rule, in order.
        stopped: why the run could not go on; empty when it went through.
        end: how it ended.
    """

    results: tuple[Result, ...]
    stopped: str = ""
    end: End = End.COMPLETE

    def count(self, verdict: Verdict, severity: Severity | None = None) -> int:
        """Rules with a verdict, of one severity or of all."""
        return sum(
            one.verdict is verdict and (severity is None or one.rule.severity is severity)
            for one in self.results
        )

    @property
    def exit_code(self) -> int:
        """As of every verb: 0 no violation, 6 violations, 4 the slave is gone, 1 failure, 130 interrupted."""
        if self.end is not End.COMPLETE:
            code: int = self.end.value
            return code
        if self.count(Verdict.ERROR):
            return _DEFECT
        return _VIOLATED if self.count(Verdict.FAILED, Severity.VIOLATION) else 0


def run(
    probe: Probe,
    rules: Iterable[Rule],
    told: Callable[[Result], None] | None = None,
    *,
    take_over_lists: bool = False,
) -> Outcome:
    """Run rules, tell each result, and end the session whatever happens.

    An interrupt from the keyboard ends the run as well: what was found until then is the outcome.

    Args:
        probe: the slave.
        rules: in order.
        told: called with each result as it comes.
        take_over_lists: configure DAQ lists also when lists ran at the first CONNECT.
    """
    results: list[Result] = []
    stopped, end = "", End.COMPLETE
    try:
        with closing(run_each(probe, rules, take_over_lists=take_over_lists)) as found:
            for result in found:
                results.append(result)
                if told is not None:
                    told(result)
    except TimeIsUpError as error:
        stopped, end = str(error), End.OUT_OF_TIME
    except (StoppedError, LinkError) as error:
        stopped, end = str(error), End.GONE
    except KeyboardInterrupt:
        stopped, end = "interrupted.", End.INTERRUPTED
    return Outcome(tuple(results), stopped, end)


def run_each(
    probe: Probe, rules: Iterable[Rule], *, take_over_lists: bool = False
) -> Generator[Result, None, None]:
    """Results one by one; closing the generator ends the session as well.

    Raises:
        StoppedError: the slave does not answer, or the time is up.
    """
    try:
        begin(probe, take_over_lists=take_over_lists)
        for rule in rules:
            yield judge(probe, rule)
    finally:
        leave(probe)


def begin(probe: Probe, *, take_over_lists: bool = False) -> None:
    """Connect and look whether lists run, which are then left alone.

    Raises:
        StoppedError: CONNECT is not answered.
        NotFoundError: the description was to be that of the slave, and it carries none.
    """
    probe.begin_rule()
    if not _connected(probe):
        raise StoppedError(
            "CONNECT was not answered positively.",
            hint="Check address and power, and that no other master is connected.",
        )
    probe.note_status()
    probe.settle()
    if probe.running_at_start and not take_over_lists:
        probe.allow -= {Permission.DAQ}
    if probe.own_paper:
        probe.begin_rule()
        take_from_slave(probe)


def _connected(probe: Probe) -> bool:
    """Be in a session, after a slave that may need a second CONNECT."""
    if not any(probe.connected or probe.connect() is not None for _ in range(_TRIES)):
        return False
    if probe.unsettled:  # the answer to another CONNECT may come, or one from before
        probe.synchronise()
        probe.unsettled = False  # also for slaves without SYNCH, which are not asked on and on
    return True


def judge(probe: Probe, rule: Rule) -> Result:
    """Run one rule.

    Raises:
        StoppedError: the whole run cannot go on.
    """
    if probe.silent >= _DEAF:
        raise StoppedError("the slave does not answer any more.")
    begun = probe.port.now_ns()
    probe.begin_rule()
    reason = _not_allowed(probe, rule)
    if reason:
        return Result(rule, Verdict.SKIPPED, reason)
    verdict, reason = Verdict.PASSED, ""
    try:
        _prepare(probe, rule)
        rule.check(probe)
    except FaultError as error:
        verdict, reason = Verdict.FAILED, str(error)
    except SkippedError as error:
        verdict, reason = Verdict.SKIPPED, str(error)
    except (StoppedError, LinkError):
        raise
    except XcaliperError as error:
        verdict, reason = Verdict.ERROR, f"{type(error).__name__}: {error}"
    steps, left_out = probe.transcript()
    probe.begin_rule()
    probe.settle()
    took = probe.port.now_ns() - begun
    return Result(rule, verdict, reason, steps, took, left_out)


def _prepare(probe: Probe, rule: Rule) -> None:
    """Be in a session that a rule can build on."""
    if rule.group is not Group.OBSERVED and not _connected(probe):
        raise SkippedError("the slave does not answer CONNECT any more.")
    if probe.unusable and rule.group not in _WITHOUT_CONNECT:
        raise SkippedError(f"builds on CONNECT: {probe.unusable}.")
    if rule.group not in _LOCKED and not probe.opened:
        open_up(probe)
        probe.opened = probe.connected


def _not_allowed(probe: Probe, rule: Rule) -> str:
    missing = [one.value for one in rule.needs if one not in probe.allow]
    if missing:
        why = "lists ran at the first CONNECT" if probe.running_at_start else "not allowed"
        return f"{why}; --allow {','.join(missing)} runs it."
    return ""


def leave(probe: Probe) -> None:
    """End the session: stop what a rule left running, say DISCONNECT."""
    if not (probe.connected or probe.in_flight):
        return
    probe.begin_last()
    try:
        if probe.measuring and Permission.DAQ in probe.allow:
            probe.ask(StartStopSynch(mode=0))
        probe.disconnect()
    except (XcaliperError, OSError):
        return  # the link is gone, and the session with it
