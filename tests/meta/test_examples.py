"""Every example runs to its end, in an empty folder, without a warning."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from meta.tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "example" in metafunc.fixturenames:
        found = sorted((ROOT / "examples").glob("*.py"))
        metafunc.parametrize("example", found, ids=lambda path: path.name)


@pytest.mark.timeout(90)
def test_example_runs(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "MPLBACKEND": "agg",
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=80,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_examples_say_what_they_show() -> None:
    for path in sorted((ROOT / "examples").glob("*.py")):
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path.name
