"""The compiled loop as an option: there, not there, and what its receive is told."""

from __future__ import annotations

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
