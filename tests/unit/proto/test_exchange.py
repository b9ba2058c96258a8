"""Book-keeping of one exchange and one procedure."""

from __future__ import annotations

import pytest

from xcaliper.core.errors import LocalProtocolError
from xcaliper.proto.exchange import Exchange, Running
from xcaliper.proto.procedure import run_script


def exchange() -> Exchange:
    return Exchange("UPLOAD", "T1", timeout_ns=10, attempts=3, patience_ns=25, started_ns=100)


def test_the_timer_starts_with_each_attempt() -> None:
    one = exchange()
    one.send(100)
    assert (one.sent, one.deadline_ns) == (1, 110)
    one.send(200)
    assert (one.sent, one.deadline_ns) == (2, 210)


def test_more_time_ends_with_the_patience() -> None:
    one = exchange()
    one.send(100)
    for now_ns, deadline_ns in ((108, 118), (117, 125), (124, 125), (300, 125)):
        one.restart(now_ns)
        assert one.deadline_ns == deadline_ns


def test_sleep_of_the_peer_puts_every_deadline_off() -> None:
    """EV_SLEEP to EV_WAKE_UP (XCP Base, 1.1) counts for no timer."""
    one = exchange()
    one.send(100)
    one.suspend(1000)
    assert (one.deadline_ns, one.limit_ns, one.until_ns) == (1110, 1125, 0)
    one.until_ns = 1200
    one.suspend(1000)
    assert (one.deadline_ns, one.limit_ns, one.until_ns) == (2110, 2125, 2200)


def test_the_error_tells_what_was_tried() -> None:
    one = exchange()
    one.send(100)
    one.send(150)
    error = one.timed_out(160, "Look.")
    assert (error.command, error.timer, error.attempts, error.elapsed_ns) == ("UPLOAD", "T1", 2, 60)
    assert str(error).endswith("Look.")


def test_a_running_procedure_has_no_result() -> None:
    def nothing():
        yield from ()

    running = Running(nothing())
    assert not running.done()
    with pytest.raises(LocalProtocolError):
        running.result()
    running.succeed(5)
    assert running.result() == 5
    running.fail(LocalProtocolError("x"))
    with pytest.raises(LocalProtocolError):
        running.result()


def test_a_script_that_ends_too_early() -> None:
    def two():
        yield "first"
        yield "second"

    with pytest.raises(LocalProtocolError, match="after 2 steps"):
        run_script(two(), [None])
