"""Findings: order of severities, text with and without a place."""

import pytest

from xcaliper.core.diagnostics import Diagnostic, Severity, Where


def test_severities_compare():
    assert Severity.INFO < Severity.WARNING < Severity.ERROR
    assert max([Severity.WARNING, Severity.INFO]) is Severity.WARNING


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (Where(), ""),
        (Where("a.a2l"), "a.a2l"),
        (Where("a.a2l", 3), "a.a2l:3"),
        (Where("a.a2l", 3, 7), "a.a2l:3:7"),
        (Where("a.a2l", 0, 7), "a.a2l"),
        (Where("", 3, 7), "<text>:3:7"),
    ],
)
def test_where(where, text):
    assert str(where) == text


def test_text_of_a_finding():
    place = Where("a.a2l", 3, 7)
    full = Diagnostic(Severity.ERROR, "no-unit", place, "kp: no unit.", "Add one.", "kp")
    assert str(full) == "a.a2l:3:7: error [no-unit] kp: no unit. Add one."
    assert full.subject == "kp"
    bare = Diagnostic(Severity.INFO, "no-unit", Where(), "kp: no unit.")
    assert str(bare) == "info [no-unit] kp: no unit."


def test_findings_are_values():
    one = Diagnostic(Severity.INFO, "s", Where("f", 1), "t")
    assert one == Diagnostic(Severity.INFO, "s", Where("f", 1), "t")
    assert len({one, Diagnostic(Severity.INFO, "s", Where("f", 1), "t")}) == 1
