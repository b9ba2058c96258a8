"""What a small receive buffer of the kernel asks for before the lists of a slave start."""

from __future__ import annotations

import pytest

from support.served import hasty
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.transport import drain

pytestmark = pytest.mark.timeout(60)
MUCH = ["Wave*", "Engine*", "WheelSpeed", "TaskCounter*"]


@pytest.mark.parametrize(
    ("scheme", "option", "waits"),
    [
        ("udp", "?receive_buffer=8192", True),
        ("udp", "?receive_buffer=1000000", False),
        ("tcp", "?receive_buffer=8192", False),
    ],
)
def test_a_compiler_begins_before_the_lists_where_its_delays_would_cost_samples(
    scheme: str, option: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To import and to compile keep the interpreter for 0.1 s at a time; meanwhile the kernel has to hold
    what comes.
    """
    waited: list[float] = []
    monkeypatch.setattr(drain, "prepare", lambda *, wait_s=0.0: waited.append(wait_s))
    with (
        EcuServer(build_ecu("demo-engine"), (f"{scheme}://127.0.0.1:0",)) as server,
        hasty(server.url + option, 2.0) as ecu,
    ):
        ecu.measure(MUCH, event="Task1ms", duration_s=0.1).run()
    assert [wait_s > 0 for wait_s in waited] == [waits]
