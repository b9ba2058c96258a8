"""Each rule of the conformance suite has a slave that breaks it, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pair.link import PagedMemory, config
from pair.programming import FlashedMemory
from support.broken_slaves import BROKEN, PAPER, SCRATCH, Broken
from support.conforming import judged
from xcaliper.conformance.model import Verdict
from xcaliper.conformance.rules import RULES
from xcaliper.sim.flash import Flash

if TYPE_CHECKING:
    from xcaliper.xcp.slave_program import ProgramSettings


def varied(ag: int, program: ProgramSettings | None = None) -> PagedMemory:
    """Memory whose content tells places apart, with flash where it can be programmed."""
    memory = PagedMemory(ag)
    if program is not None:
        memory = FlashedMemory(Flash(program.sectors, ag=ag), ag)
    for number, page in enumerate(memory.pages.values()):
        page[:] = bytes((7 * at + at // 64 + 3 * number) & 0xFF for at in range(len(page)))
    for segment in (0, 1):
        memory._show(segment)
    return memory


def failed(broken: Broken, make, paper) -> dict[str, str]:
    made = config(**broken.config)
    options = {"paper": paper, "key": broken.key, "scratch": SCRATCH if made.program else None}
    outcome = judged(made, varied(made.ag, made.program), RULES, make(), **options)
    assert not outcome.stopped
    bad = (Verdict.FAILED, Verdict.ERROR)
    return {one.rule.id: one.reason for one in outcome.results if one.verdict in bad}


@pytest.mark.parametrize("number", BROKEN)
def test_a_broken_slave_breaks_one_rule(number):
    broken = BROKEN[number]
    found = failed(broken, broken.make, broken.paper)
    assert set(found) == {number}, found


def test_sound_slaves_of_the_same_settings_break_nothing():
    seen = set()
    for number, broken in BROKEN.items():
        key = (repr(sorted(broken.config.items())), broken.right)
        if key in seen:
            continue
        seen.add(key)
        assert not failed(broken, broken.right, None), number
    assert len(seen) > 10
    plain = BROKEN["SES-001"]
    assert not failed(plain, plain.right, PAPER)


def test_every_rule_has_a_broken_slave():
    assert set(BROKEN) == {rule.id for rule in RULES}
