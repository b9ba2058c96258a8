"""A run as plain values, for JSON and for whoever reads on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from xcaliper.conformance.model import Severity, Verdict
from xcaliper.conformance.words import answer_text

if TYPE_CHECKING:
    from xcaliper.conformance.model import Result, Step
    from xcaliper.conformance.probe import Probe
    from xcaliper.conformance.runner import Outcome

__all__ = ["SCHEMA", "Report", "as_values", "report_of"]

#: Name of the layout of the JSON report; a change that breaks readers gets another number.
SCHEMA: Final = "xcaliper-conformance-1"


@dataclass(frozen=True, slots=True)
class Report:
    """A run with what it was about.

    Attributes:
        target: URL of the slave.
        version: of this package.
        started: date and time, ISO 8601 with zone.
        duration_s: of the run.
        slave: the CONNECT response in words.
        allowed: permissions of the run.
        outcome: what was found.
    """

    target: str
    version: str
    started: str
    duration_s: float
    slave: str
    allowed: tuple[str, ...]
    outcome: Outcome


def report_of(
    probe: Probe, outcome: Outcome, *, target: str, version: str, started: str, duration_s: float
) -> Report:
    """The report of a run."""
    slave = ""
    if probe.connect_packet:
        slave = answer_text(probe.connect_packet, b"\xff\x00", probe.profile)
    allowed = tuple(sorted(one.value for one in probe.allow))
    return Report(target, version, started, duration_s, slave, allowed, outcome)


def as_values(report: Report) -> dict[str, Any]:
    """The report as the JSON object that the reference page describes."""
    outcome = report.outcome
    failed = {one.value: outcome.count(Verdict.FAILED, one) for one in Severity}
    return {
        "schema": SCHEMA,
        "version": report.version,
        "target": report.target,
        "started": report.started,
        "duration_s": round(report.duration_s, 3),
        "slave": report.slave,
        "allowed": list(report.allowed),
        "stopped": outcome.stopped,
        "exit_code": outcome.exit_code,
        "summary": {
            "passed": outcome.count(Verdict.PASSED),
            "failed": failed,
            "skipped": outcome.count(Verdict.SKIPPED),
            "error": outcome.count(Verdict.ERROR),
        },
        "results": [_result(one) for one in outcome.results],
    }


def _result(one: Result) -> dict[str, Any]:
    rule = one.rule
    return {
        "id": rule.id,
        "group": rule.group.value,
        "title": rule.title,
        "demands": rule.demands,
        "source": rule.source,
        "severity": rule.severity.value,
        "needs": sorted(need.value for need in rule.needs),
        "verdict": one.verdict.value,
        "reason": one.reason,
        "duration_ms": round(one.duration_ns / 1e6, 3),
        "steps": [_step(step) for step in one.steps],
        "steps_left_out": one.left_out,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "t_ms": round(step.t_ns / 1e6, 3),
        "asked": step.asked.hex(" "),
        "question": step.question,
        "came": [packet.hex(" ") for packet in step.came],
        "answers": list(step.answers),
    }
