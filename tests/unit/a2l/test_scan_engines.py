"""The kernel is optional: without numba, or without a place for its cache, everything still works."""

import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from xcaliper.a2l import kernels
from xcaliper.a2l.scan import scan

TEXT = b'/begin PROJECT p "" /begin MODULE m "" /end MODULE /end PROJECT'


@pytest.fixture
def fresh():
    kernels.compiled_step.cache_clear()
    yield
    kernels.compiled_step.cache_clear()


def test_without_numba_the_other_engine_serves(fresh, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    assert kernels.compiled_step() is None
    assert scan(TEXT, engine="fast").marks.starts.tolist() == [0, 20, 39, 51]


def test_without_a_cache_folder_it_compiles_anyway(fresh, monkeypatch):
    asked = []

    def njit(*, cache=False, nogil=False):
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setitem(sys.modules, "numba", types.SimpleNamespace(njit=njit))
    assert kernels.compiled_step() is kernels.step_bytes
    assert asked == [True, False]


def test_the_kernel_is_plain_python_too(fresh, monkeypatch):
    fake = types.SimpleNamespace(njit=lambda **_: lambda function: function)
    monkeypatch.setitem(sys.modules, "numba", fake)
    text = TEXT + b' x "y" /* c */ /end a/begin B // d\n/include "e" /begin A2ML f /end A2ML "g'
    with np.errstate(over="ignore"):
        fast = scan(text, engine="fast")
    plain = scan(text, engine="re")
    assert fast.marks.starts.tolist() == plain.marks.starts.tolist()
    assert fast.includes == plain.includes
    assert fast.findings == plain.findings


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = "import sys, xcaliper.a2l; xcaliper.a2l.parse('/begin UNIT'); sys.exit('numba' in sys.modules)"
    source = str(Path(kernels.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": source}, check=False)
    assert done.returncode == 0
