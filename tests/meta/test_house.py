"""The task runner, the pins and the project file fit together."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from meta.tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def dev() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev_under_test", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name)[0]).lower()


def test_task_runner_needs_the_standard_library_only() -> None:
    tree = ast.parse((ROOT / "dev.py").read_text("utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in imported if name.split(".")[0] not in sys.stdlib_module_names}


def test_help_names_every_command(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in dev.COMMANDS:
        assert re.search(rf"^    {name}\b", text, re.MULTILINE), name


def test_unknown_command_is_a_usage_error(
    dev: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dev.main(["tset"]) == 2
    assert "test" in capsys.readouterr().err


def test_unknown_part_is_a_usage_error(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(["test", "no-such-part"]) == 2
    assert "meta" in capsys.readouterr().err


def test_groups_are_resolved_without_duplicates(dev: ModuleType) -> None:
    groups = {"a": ["x", "y>=1"], "b": [{"include-group": "a"}, "x", "z"]}
    assert dev.group_requirements(groups, "b") == ["x", "y>=1", "z"]


def test_levels_name_extras_and_groups_that_exist(dev: ModuleType) -> None:
    found = project()
    for extras, groups in dev.LEVELS.values():
        assert set(extras) <= set(found["project"]["optional-dependencies"])
        assert set(groups) <= set(found["dependency-groups"])


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ({"unit": (0, 3), "io": (5, 0)}, 0),
        ({"unit": (5, 0), "io": (5, 0)}, 5),
        ({"unit": (1, 3), "io": (0, 2)}, 1),
        ({"unit": (0, 3), "io": (2, 0)}, 2),
        ({}, 5),
    ],
)
def test_closing_summary_gives_the_exit_code(
    dev: ModuleType,
    results: dict[str, tuple[int, int]],
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    full = {
        name: (part, {"passed": ran, "failed": 0, "skipped": 0}, 0.1)
        for name, (part, ran) in results.items()
    }
    assert dev.sum_up(full) == code
    last = capsys.readouterr().out.splitlines()[-1]
    ran = sum(count for _, count in results.values())
    told = f"{ran} passed" if ran else "no tests ran"
    assert last.startswith(f"tests: {'FAILED' if code else 'ok'}, {told} in 0.")


def test_a_part_runs_in_several_processes_that_keep_bytecode(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []
    monkeypatch.setattr(dev, "run", lambda command, env: ran.append((command, env)) or 0)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("XCALIPER_CACHE", "kept")
    for name in dev.test_parts():
        dev.run_part("python", name, ["-x"])
        dev.run_part("python", name, ["-n", "0"])
    assert [command.count("-n") for command, _ in ran] == [1] * len(ran)
    assert {command[-1] for command, _ in ran[::2]} == {"-x"}
    assert {command[command.index("-n") + 1] for command, _ in ran[1::2]} == {"0"}
    for _, env in ran:
        assert "PYTHONDONTWRITEBYTECODE" not in env
        assert env["XCALIPER_CACHE"] == "kept"


@pytest.mark.parametrize(("cores", "expected"), [(1, 2), (2, 3), (4, 6), (64, 12)])
def test_workers_follow_the_cores(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, cores: int, expected: int
) -> None:
    monkeypatch.delattr(dev.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(dev.os, "cpu_count", lambda: cores)
    assert dev.workers(1.5) == expected


def test_counts_come_from_the_report(dev: ModuleType, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="2" errors="1" skipped="3"/></testsuites>',
        "utf-8",
    )
    assert dev.read_counts(report) == {"passed": 3, "failed": 3, "skipped": 3}
    assert dev.read_counts(tmp_path / "none.xml") == {"passed": 0, "failed": 0, "skipped": 0}


def test_damaged_stamp_means_install_again(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = tmp_path / "stamp.json"
    monkeypatch.setattr(dev, "STAMP", stamp)
    monkeypatch.setattr(dev, "venv_works", lambda: True)
    for text in (
        "",
        "{",
        "[]",
        '{"fingerprint": "old", "level": "dev"}',
        '{"fingerprint": "now", "level": "x"}',
    ):
        stamp.write_text(text, "utf-8")
        assert not dev.installed_level("now")
    stamp.write_text(json.dumps({"fingerprint": "now", "level": "test"}), "utf-8")
    assert dev.installed_level("now") == "test"
    monkeypatch.setattr(dev, "venv_works", lambda: False)
    assert not dev.installed_level("now")


def test_every_dependency_is_pinned_and_every_pin_is_plain() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.+!]*", pin) for pin in pins)
    names = [normal(pin) for pin in pins]
    assert names == sorted(set(names))
    found = project()
    wanted = list(found["project"]["dependencies"])
    for group in (
        *found["project"]["optional-dependencies"].values(),
        *found["dependency-groups"].values(),
    ):
        wanted += [need for need in group if isinstance(need, str)]
    missing = {normal(need) for need in wanted} - {*names, "xcaliper"}
    assert not missing, f"constraints.txt: no pin for {', '.join(sorted(missing))}"


def test_gate_is_a_sound_script() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(script)], check=False, timeout=20).returncode == 0


def test_fragments_are_named_as_towncrier_reads_them() -> None:
    kinds = "feature|bugfix|doc|removal|misc"
    for path in (ROOT / "changes").glob("*.md"):
        assert re.fullmatch(rf"\+[a-z0-9-]+\.({kinds})\.md", path.name), path.name
        assert path.read_text("utf-8").strip(), f"{path.name}: empty"
