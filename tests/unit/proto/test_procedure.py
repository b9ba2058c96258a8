"""Procedures on scripts: steps in order, answers back, errors thrown in."""

import pytest

from xcaliper.core.errors import (
    BusyError,
    ExchangeTimeoutError,
    LocalProtocolError,
    UsageError,
)
from xcaliper.proto.procedure import Ask, Burst, Collect, Tell, ask, run_script
from xcaliper.xcp.std import EmptyResponse, SetMta, Synch, Upload

DONE = EmptyResponse()


def two_steps():
    first = yield from ask(SetMta(address=4), attempts=2, timeout_ns=7)
    second = yield from ask(Synch())
    return [first, second]


def forgiving():
    try:
        return (yield from ask(Synch()))
    except ExchangeTimeoutError as error:
        yield Tell(Synch())
        return error.timer


def test_answers_and_steps_in_order():
    result, steps = run_script(two_steps(), ["a", "b"])
    assert result == ["a", "b"]
    assert steps == [Ask(SetMta(address=4), attempts=2, timeout_ns=7), Ask(Synch())]
    assert (steps[1].attempts, steps[1].timeout_ns) == (0, 0)


def test_the_other_kinds_of_steps():
    def mixed():
        yield Tell(Synch())
        yield Burst((Upload(count=1),), separation_ns=5)
        return (yield Collect(Upload(count=9), 3))

    result, steps = run_script(mixed(), (item for item in [None, DONE, [DONE, DONE, DONE]]))
    assert result == [DONE] * 3
    assert steps == [
        Tell(Synch()),
        Burst((Upload(count=1),), separation_ns=5),
        Collect(Upload(count=9), 3),
    ]


def test_errors_are_thrown_in_and_can_be_handled():
    timeout = ExchangeTimeoutError("SYNCH", timer="T1", attempts=1, elapsed_ns=1)
    result, steps = run_script(forgiving(), [timeout, None])
    assert result == "T1"
    assert steps == [Ask(Synch()), Tell(Synch())]


def test_errors_that_nobody_handles_come_out():
    busy = BusyError("SET_MTA", code=0x10, code_name="ERR_CMD_BUSY")
    with pytest.raises(BusyError) as caught:
        run_script(two_steps(), [busy, DONE])
    assert caught.value is busy


def test_a_procedure_without_steps():
    def nothing():
        return 5
        yield

    assert run_script(nothing(), []) == (5, [])


def test_errors_of_the_procedure_come_out():
    def wrong():
        raise UsageError("wrong: no.")
        yield

    with pytest.raises(UsageError, match="wrong"):
        run_script(wrong(), [])


@pytest.mark.parametrize("answers", [[], [DONE]])
def test_a_short_script_is_an_error_and_closes_the_procedure(answers):
    closed = []

    def watched():
        try:
            yield from two_steps()
        finally:
            closed.append(True)

    with pytest.raises(LocalProtocolError, match=f"after {len(answers) + 1} steps"):
        run_script(watched(), answers)
    assert closed == [True]
