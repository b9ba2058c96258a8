"""The compiled loop as an option: there, not there, and what its receive is told."""

from __future__ import annotations

import os
import select
import sys

import numpy as np
import pytest

from xcaliper.daq import kernels
from xcaliper.transport import drain


def test_without_numba_there_is_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError):
        drain.compile_drain()


def test_no_thread_is_begun_where_compiling_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert not drain.prepare(wait_s=1)


def test_every_function_of_the_loop_is_compiled_with_its_callees_first() -> None:
    seen: set[str] = set(kernels.PRIMITIVES)
    for name in kernels.FUNCTIONS:
        used = set(getattr(kernels, name).__code__.co_names)
        assert used & set(kernels.FUNCTIONS) <= seen, name
        seen.add(name)


def test_the_message_header_points_at_its_own_parts() -> None:
    block = drain.control_block()
    inside = range(block.ctypes.data, block.ctypes.data + block.nbytes)
    pointers = [value for value in block.tolist() if value in inside]
    assert len(pointers) == 2
    assert block.dtype == np.int64


def test_a_wish_to_leave_is_seen_once_and_may_be_repeated() -> None:
    block = drain.control_block()
    stay = drain.Stay(block)
    for _ in range(2):
        stay.begin(0.001)
        assert not block[kernels.LEAVE]
        for _ in range(70_000):  # more than a pipe holds
            stay.end()
            if block[kernels.LEAVE]:
                break
        stay.end()
        assert block[kernels.LEAVE]
    stay.close()
    stay.end()  # harmless


@pytest.mark.parametrize("at", ["before", "between", "behind"])
def test_a_wish_that_meets_a_new_stay_leaves_no_byte_that_keeps_it_awake(
    at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = drain.control_block()
    stay = drain.Stay(block)
    write = os.write

    def interrupted(end: int, data: bytes) -> int:
        if at == "before":
            stay.begin(0.001)
        written = write(end, data)
        if at == "between":
            stay.begin(0.001)
        return written

    monkeypatch.setattr(os, "write", interrupted)
    stay.end()
    if at == "behind":
        stay.begin(0.001)
    reader = int(block[drain._POLLFD]) & 0xFFFFFFFF
    waiting = select.select([reader], [], [], 0)[0]
    assert not waiting or block[kernels.LEAVE], "else every nap is over at once"
    stay.begin(0.001)
    assert not select.select([reader], [], [], 0)[0]
    stay.close()


def test_without_machine_code_a_stay_is_one_drain() -> None:
    from xcaliper.daq.kernels import Conf, Field, Odt, State, Stop

    state = np.zeros(len(State), np.int64)
    state[State.SEGMENT_END] = -1
    rows = np.zeros(64, np.int64)
    why = kernels.reside(
        -1,
        1000,
        np.zeros(drain.CONTROL_SIZE, np.int64),
        np.zeros(kernels.SLACK + kernels.LARGEST, np.uint8),
        np.zeros(len(Conf), np.int64),
        state,
        np.full(256, -1, np.int32),
        np.zeros((1, len(Field)), np.int64),
        np.zeros((1, len(Odt)), np.int64),
        rows.view(np.uint8),
        rows,
        np.zeros((16, 4), np.int64),
        np.zeros((kernels.RECENT, 2), np.int64),
    )
    assert why == Stop.DONE
