"""Importing is cheap, and every public name is there."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from typing import Final

import pytest

import xcaliper
from meta.tree import PACKAGE, ROOT, syntax

#: What the plain import must not load: heavy, optional, or needed by one verb only.
KEPT_OUT: Final = frozenset(
    {
        "numba",
        "llvmlite",
        "asyncio",
        "pandas",
        "polars",
        "pyarrow",
        "matplotlib",
        "asammdf",
        "rich",
        "cyclopts",
    }
    | {"multiprocessing", "concurrent.futures", "http", "sqlite3"}
)
#: numpy's own imports are not ours to judge.
PROBE: Final = (
    "import sys, numpy; before = set(sys.modules); import xcaliper; "
    "print(*sorted(set(sys.modules) - before))"
)


def fresh(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_nothing_heavy() -> None:
    loaded = set(fresh(PROBE).split())
    assert "xcaliper" in loaded
    heavy = {name for name in loaded if name in KEPT_OUT or name.split(".")[0] in KEPT_OUT}
    assert not heavy, f"import xcaliper loads {', '.join(sorted(heavy))}"


def test_import_prints_nothing_and_configures_no_logging() -> None:
    code = "import logging; import xcaliper; print(len(logging.getLogger().handlers), end='')"
    assert fresh(code) == "0"


def test_import_starts_no_thread() -> None:
    assert fresh("import xcaliper, threading; print(threading.active_count(), end='')") == "1"


def test_every_public_name_resolves() -> None:
    names = getattr(xcaliper, "__all__", [])
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(xcaliper, name) is not None, name
    assert set(names) <= {*dir(xcaliper), *names}


def names_for_type_checkers() -> dict[str, str]:
    """Public name → module, as the package root imports it for type checkers or at once."""
    return {
        alias.name: node.module or ""
        for node in ast.walk(syntax(PACKAGE / "__init__.py"))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("xcaliper.")
        for alias in node.names
    }


def test_type_checkers_know_every_public_name() -> None:
    assert {*names_for_type_checkers(), "__version__"} == set(xcaliper.__all__)


def test_type_checkers_and_python_see_the_same_objects() -> None:
    for name, home in names_for_type_checkers().items():
        assert getattr(xcaliper, name) is getattr(importlib.import_module(home), name), name


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        _ = xcaliper.there_is_no_such_name  # type: ignore[attr-defined]


def test_version_is_that_of_the_project_file() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert xcaliper.__version__ == project["version"]
