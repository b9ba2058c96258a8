"""One late answer, wherever it falls: it costs the rule whose question it belongs to, and no other one."""

from __future__ import annotations

import pytest

from pair.link import config
from pair.test_conformance_broken import varied
from support.conforming import ALL, MachinePort
from xcaliper.conformance.model import Verdict
from xcaliper.conformance.probe import Probe
from xcaliper.conformance.rules import choose
from xcaliper.conformance.runner import Outcome, run

ANSWER_NS = 1_000_000_000
APART_NS = 1_000_000


class Late(MachinePort):
    """Holds back one RES or ERR, and those that come behind it meanwhile: answers keep their order."""

    def __init__(self, nth: int, late_ns: int) -> None:
        super().__init__(config(), varied(1))
        self.nth, self.late_ns = nth, late_ns
        self.count = 0
        self.held: list[tuple[int, bytes]] = []

    def receive(self, until_ns: int) -> bytes | None:
        while True:
            if self.held and self.held[0][0] <= until_ns and not self.waiting:
                due, packet = self.held.pop(0)
                self.now = max(self.now, due)
                return packet
            found = super().receive(until_ns)
            if found is None or found[4] < 0xFE:
                return found
            self.count += 1
            if self.count == self.nth:
                self.held.append((self.now + self.late_ns, found))
            elif self.held:
                self.held.append((max(self.now, self.held[-1][0] + APART_NS), found))
            else:
                return found


def runs(groups: tuple[str, ...], late_ns: int) -> list[Outcome]:
    """A run for each answer of a run, in which that one is late."""
    found: list[Outcome] = []
    while True:
        port = Late(len(found) + 1, late_ns)
        outcome = run(Probe(port, allow=ALL), choose(groups=groups))
        if port.count < port.nth:
            return found
        found.append(outcome)


@pytest.mark.parametrize("late", [1.1, 1.5, 2.5])
@pytest.mark.parametrize(
    ("groups", "answers"),
    [
        (("session", "status", "syntax", "observed"), 50),
        (("unknown", "transport", "observed"), 40),
    ],
)
def test_a_late_answer_costs_one_rule_at_most(groups, answers, late):
    outcomes = runs(groups, int(late * ANSWER_NS))
    assert len(outcomes) >= answers
    for nth, outcome in enumerate(outcomes, 1):
        assert not outcome.stopped
        wrong = [
            (one.rule.id, one.reason)
            for one in outcome.results
            if one.verdict in (Verdict.FAILED, Verdict.ERROR)
        ]
        assert len(wrong) <= 1, f"answer {nth}"
