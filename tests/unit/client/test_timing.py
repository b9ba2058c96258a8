"""Time-outs of a connection: the user's word, else the description's, else the usual ones."""

from __future__ import annotations

import pytest

from xcaliper.a2l.if_xcp import XcpProtocolLayer
from xcaliper.client.timing import timers_of
from xcaliper.core.errors import UsageError
from xcaliper.xcp.recovery import Timers

MS = 1_000_000
LAYER = XcpProtocolLayer(t1=25, t2=50, t3=75, t4=100, t5=125, t6=150, t7=175)


def test_without_a_word_the_usual_ones_hold() -> None:
    found = timers_of(None)
    assert found.t1_ns == 2000 * MS
    assert found.t5_ns == Timers().t5_ns


def test_the_description_sets_all_seven() -> None:
    assert timers_of(None, LAYER) == Timers.of_ms(25, 50, 75, 100, 125, 150, 175)


def test_the_user_has_the_last_word_on_the_first_two() -> None:
    found = timers_of(0.04, LAYER)
    assert (found.t1_ns, found.t2_ns, found.t7_ns) == (40 * MS, 50 * MS, 175 * MS)
    assert timers_of(3.0, LAYER).t2_ns == 3000 * MS
    assert timers_of(3.0).t1_ns == 3000 * MS


@pytest.mark.parametrize("time_s", [0, -1, 1e6, float("nan")])
def test_impossible_times_are_refused(time_s: float) -> None:
    with pytest.raises(UsageError):
        timers_of(time_s)
