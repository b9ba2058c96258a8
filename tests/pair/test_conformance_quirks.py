"""What real slaves do, as the conformance suite sees it: named where the standard says otherwise, else passed over."""

from __future__ import annotations

import pytest

from pair.link import config
from pair.test_conformance_broken import varied
from support.conforming import judged
from xcaliper.conformance.model import Verdict
from xcaliper.conformance.rules import RULES
from xcaliper.xcp.quirks import Quirk
from xcaliper.xcp.quirky_slave import quirky_config

#: Rules that a quirk breaks; the others break none.
FOUND = {
    Quirk.SYNCHRONOUS_START_ONLY: {"RUN-022"},
    Quirk.BARE_CONNECT: {"SES-018"},
    Quirk.PRIVATE_COMMANDS: {"UNK-001"},
    Quirk.DENIED_PAGES: {
        "PAG-007",
        "PAG-012",
        "PAG-016",
        "PAG-018",
        "PAG-022",
        "PAG-023",
        "PAG-026",
        "PAG-030",
    },
    Quirk.EXTENDED_CLOCK_CLAIMED: {"TIM-006", "TIM-007", "TIM-009", "TIM-014"},
    Quirk.UNKNOWN_INFO: {"STA-001"},
    Quirk.SILENT_INFO: {"STA-001", "DAQ-001", "DAQ-008"},
    Quirk.STIM_IGNORED: {"DQC-030"},
    Quirk.EARLY_DTOS: {"RUN-005"},
    Quirk.DOUBLE_CONNECT: {"OBS-001"},
}


@pytest.mark.parametrize("quirk", Quirk, ids=lambda one: one.name)
def test_a_quirk_breaks_the_rules_that_it_should(quirk):
    made = quirky_config(config(quirks=frozenset({quirk})))
    outcome = judged(made, varied(made.ag), RULES)
    assert not outcome.stopped
    assert not outcome.count(Verdict.ERROR)
    found = {one.rule.id for one in outcome.results if one.verdict is Verdict.FAILED}
    assert found == FOUND.get(quirk, set())
