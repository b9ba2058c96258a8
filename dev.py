#!/usr/bin/env python3
"""Everything a developer runs: python3 dev.py <command>. Standard library only.

Commands:
    setup           make .venv with everything that the other commands need
    demo [args]     start the demo engine, measure it, record and draw the result
    test [part]     run the tests; a part is a folder below tests/, further arguments go to pytest
    check           formatting, lint, types, layers, spelling
    coverage [path] branch coverage of core, wire, proto and xcp: what no test runs, and fail below 100 %
    fmt             format the code and apply safe lint fixes
    docs            build the documentation with its examples checked, warnings are errors
    bench [name]    run the benchmarks, or one of them
    build           make wheel and sdist in dist/
    all             check, test, docs and build

The packages live in .venv beside this file, made on first use: with uv when it is on PATH, with pip otherwise.
XCALIPER_PYTHON names an interpreter that has everything already; nothing is installed then.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the message is for older ones
    sys.exit(
        "dev.py: Python 3.11 or later is needed, this is %d.%d (%s). "  # noqa: UP031
        "Call it with a newer one, for example: python3.11 dev.py"
        % (*sys.version_info[:2], sys.executable)
    )

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parent
VENV: Final = ROOT / ".venv"
STAMP: Final = VENV / ".xcaliper-setup.json"

#: Level → extras and dependency groups it installs. A level contains the ones before it.
LEVELS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "demo": ((), ()),
    "test": (("mdf", "fast"), ("test",)),
    "dev": (("mdf", "fast"), ("dev",)),
}

#: Test folders in the order they run, and the worker processes for each core: more than one where tests wait.
PARTS: Final[dict[str, float]] = {
    "unit": 1,
    "property": 1,
    "pair": 1,
    "faults": 1,
    "meta": 1,
    "io": 1.5,
    "interop": 1,
}
MOST_WORKERS: Final = 12

NO_TESTS: Final = 5  # pytest's exit code for an empty selection
SETUP_FAILED: Final = 3
USAGE: Final = 2
INTERRUPTED: Final = 130


class SetupError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def say(text: str) -> None:
    """Print one progress line; results own stdout."""
    print(f"dev: {text}", file=sys.stderr, flush=True)


# --- environment -----------------------------------------------------------------------------------------------------


def venv_python() -> Path:
    """Interpreter inside .venv."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint() -> str:
    """Hash of everything the environment depends on, this folder and this Python included."""
    digest = hashlib.sha256(f"{ROOT}\0{sys.version_info[:2]}\0".encode())
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def group_requirements(groups: dict[str, list[Any]], name: str) -> list[str]:
    """Requirements of a dependency group, included groups resolved, without duplicates."""
    found: dict[str, None] = {}
    for entry in groups[name]:
        names = (
            group_requirements(groups, entry["include-group"])
            if isinstance(entry, dict)
            else [entry]
        )
        found.update(dict.fromkeys(names))
    return list(found)


def installed_level(mark: str) -> str:
    """Level that .venv holds; empty when it is missing, broken, or made from other pins."""
    try:
        stamp = json.loads(STAMP.read_text("utf-8"))
        if stamp["fingerprint"] != mark or stamp["level"] not in LEVELS:
            return ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return str(stamp["level"]) if venv_works() else ""


def venv_works() -> bool:
    """True when the interpreter of .venv starts, is ours, and finds the package and numpy."""
    probe = (
        "import sys, importlib.util as u; "
        f"sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])} or not u.find_spec('numpy') "
        "or not u.find_spec('xcaliper'))"
    )
    return starts([str(venv_python()), "-c", probe])


def starts(command: list[str]) -> bool:
    """True when a command runs and succeeds; its output is dropped."""
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def make_venv(uv: str | None) -> None:
    """Create .venv, or replace it when it does not start or belongs to another Python."""
    same = f"import sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    usable = starts([str(venv_python()), "-c", same])
    if usable and (uv or starts([str(venv_python()), "-m", "pip", "--version"])):
        return
    if VENV.exists() or VENV.is_symlink():
        say(f"{VENV.name} is broken or of another Python: making it anew")
        if VENV.is_symlink() or VENV.is_file():
            VENV.unlink()
        else:
            shutil.rmtree(VENV)
    say(f"making {VENV.name} with Python {sys.version_info[0]}.{sys.version_info[1]}")
    command = [uv, "venv", "--quiet", "--seed", "--python", sys.executable, str(VENV)] if uv else []
    if command and starts(command):
        return
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        detail = (done.stdout + done.stderr).strip()
        raise SetupError(
            f"{VENV.name}: the venv module of {sys.executable} failed:\n{detail}\n"
            "Install the venv package of your system (Debian: apt install python3-venv), or uv."
        )


def install(uv: str | None, packages: list[str]) -> None:
    """Install packages into .venv under the pins; pip steps in where uv fails.

    Raises:
        SetupError: neither could.
    """
    tail = ["-c", str(ROOT / "constraints.txt"), *packages]
    if uv:
        target = ["--python", str(venv_python()), "--compile-bytecode"]  # as pip does
        if run_install([uv, "pip", "install", *target, *tail]) == 0:
            return
        say("uv could not install; trying pip")
    pip = [
        str(venv_python()),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
    ]
    if run_install([*pip, *tail]):
        raise SetupError(
            "the packages could not be installed; the reason is above. Without network, point pip to a folder "
            "with the wheels named in constraints.txt (PIP_FIND_LINKS, PIP_NO_INDEX=1), or set XCALIPER_PYTHON to an "
            "interpreter that has them. Calling dev.py again goes on where this stopped."
        )


def run_install(command: list[str]) -> int:
    """Run an installer; its steps become progress lines, its last words are shown when it fails."""
    tail: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None  # asked for above
        for raw in process.stdout:
            line = raw.strip()
            tail = [*tail[-24:], line]
            if line.startswith(
                ("Collecting ", "Building ", "Preparing ", "Resolved ", "Prepared ")
            ):
                say(f"  {line.split(' (from ')[0]}")
            elif line.startswith("Installing collected"):
                say("  installing the packages")
    if process.returncode:
        print("\n".join(tail), file=sys.stderr)
    return process.returncode


def ensure(level: str) -> str:
    """Path of an interpreter that has at least a level; makes or mends .venv when needed.

    Raises:
        SetupError: the environment cannot be made.
    """
    if given := os.environ.get("XCALIPER_PYTHON"):
        if not starts([given, "-c", "import numpy"]):
            raise SetupError(
                f"XCALIPER_PYTHON={given}: does not start or lacks numpy. Correct it or unset it."
            )
        return given
    mark = fingerprint()
    have = installed_level(mark)
    order = list(LEVELS)
    if have and order.index(have) >= order.index(level):
        return str(venv_python())
    began = time.monotonic()
    uv = shutil.which("uv")
    make_venv(uv)
    known = read_stamp_level()
    if known and order.index(known) > order.index(level):
        level = known  # pins changed: renew all that was there
    STAMP.unlink(missing_ok=True)
    extras, groups = LEVELS[level]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [
        need for group in groups for need in group_requirements(project["dependency-groups"], group)
    ]
    say(
        f"installing the packages for '{level}' with {'uv' if uv else 'pip'}; the first time takes a few minutes"
    )
    own = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    install(uv, ["-e", own, *wanted])
    if not venv_works():
        raise SetupError(
            f"{VENV.name}: installed, yet the package is not found. Delete {VENV.name} and try again."
        )
    STAMP.write_text(json.dumps({"fingerprint": mark, "level": level}), "utf-8")
    say(f"{VENV.name} is ready after {time.monotonic() - began:.0f} s")
    return str(venv_python())


def read_stamp_level() -> str:
    """Level noted in the stamp, whatever pins it was made from; empty when there is none."""
    try:
        level = json.loads(STAMP.read_text("utf-8"))["level"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return level if level in LEVELS else ""


# --- running ---------------------------------------------------------------------------------------------------------


def run(command: list[str], *, cwd: Path | None = ROOT, env: dict[str, str] | None = None) -> int:
    """Run a command on our own output; the exit code a shell would show."""
    code = subprocess.run(command, cwd=cwd, env=env, check=False).returncode
    return 128 - code if code < 0 else code


def run_steps(steps: dict[str, list[str]]) -> int:
    """Run every step, also behind a failed one; the first failure is the result."""
    codes: dict[str, int] = {}
    for name, command in steps.items():
        say(f"{name} …")
        codes[name] = run(command)
    print(
        "\n"
        + "\n".join(
            f"  {'ok    ' if code == 0 else 'FAILED'} {name}" for name, code in codes.items()
        )
    )
    return next((code for code in codes.values() if code), 0)


def setup(_args: list[str]) -> int:
    """Make the environment with everything in it."""
    python = ensure("dev")
    say(f"ready: {python}")
    return 0


def demo(args: list[str]) -> int:
    """Run the demo in the caller's folder, where its files are wanted."""
    return run([ensure("demo"), "-m", "xcaliper", "demo", *args], cwd=None)


def check(_args: list[str]) -> int:
    """Every static check."""
    python = ensure("dev")
    module = [python, "-m"]
    return run_steps(
        {
            "format": [*module, "ruff", "format", "--check", "."],
            "lint": [*module, "ruff", "check", "."],
            "types": [*module, "mypy"],
            "layers": [python, "-c", LINT_IMPORTS],
            "spelling": [*module, "codespell_lib", *tracked_text()],
        }
    )


#: import-linter has no ``-m`` entry; the script may be missing beside a given interpreter.
LINT_IMPORTS: Final = (
    "import sys; sys.path.insert(0, 'src'); "
    "from importlinter.cli import lint_imports_command; lint_imports_command(args=['--no-cache'])"
)


def tracked_text() -> list[str]:
    """Places whose spelling is ours."""
    places = ("src", "tests", "docs", "bench", "examples", "changes", "dev.py", "pyproject.toml")
    return [
        place
        for place in (*places, *sorted(path.name for path in ROOT.glob("*.md")))
        if (ROOT / place).exists()
    ]


def fmt(_args: list[str]) -> int:
    """Format, then fix what lint can fix, then format what that moved."""
    ruff = [ensure("dev"), "-m", "ruff"]
    run([*ruff, "format", "--quiet", "."])
    code = run([*ruff, "check", "--fix", "."])
    return run([*ruff, "format", "."]) or code


def docs(_args: list[str]) -> int:
    """Build the pages and run their examples."""
    sphinx = [ensure("dev"), "-m", "sphinx", "-n", "-W", "--keep-going", "-q"]
    code = run_steps(
        {
            "pages": [*sphinx, "-b", "html", "docs", "docs/_build/html"],
            "examples in the pages": [*sphinx, "-b", "doctest", "docs", "docs/_build/doctest"],
        }
    )
    say(f"pages: {ROOT / 'docs/_build/html/index.html'}")
    return code


def bench(args: list[str]) -> int:
    """Run all benchmarks, or the one that is named; further arguments go to it."""
    scripts = {
        path.stem.removeprefix("bench_"): path
        for path in sorted((ROOT / "bench").glob("bench_*.py"))
    }
    chosen = dict(scripts)
    if args and not args[0].startswith("-"):
        name = args.pop(0).removesuffix(".py").removeprefix("bench_")
        if name not in scripts:
            say(f"bench {name}: there is none. Choose from: {', '.join(scripts)}.")
            return USAGE
        chosen = {name: scripts[name]}
    python = ensure("test")
    return run_steps({name: [python, str(path), *args] for name, path in chosen.items()})


def build(_args: list[str]) -> int:
    """Make wheel and sdist and look into the wheel."""
    python = ensure("dev")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    if code := run([python, "-m", "build", "--outdir", "dist", "."]):
        return code
    wheel = next((ROOT / "dist").glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    wanted = ("xcaliper/__init__.py", "xcaliper/py.typed", "licenses/LICENSE", "entry_points.txt")
    missing = [need for need in wanted if not any(name.endswith(need) for name in names)]
    if missing:
        say(f"{wheel.name}: lacks {', '.join(missing)}")
        return 1
    say(f"dist/{wheel.name}: {len(names)} files")
    return 0


def everything(_args: list[str]) -> int:
    """Check, test, docs and build; the first failure is the result."""
    codes = [command([]) for command in (check, test, docs, build)]
    return next((code for code in codes if code), 0)


# --- tests -----------------------------------------------------------------------------------------------------------


def test_parts() -> list[str]:
    """Folders below tests/ that hold tests: the known ones in their order, then the others."""
    tests = ROOT / "tests"
    have = [
        path.name
        for path in sorted(tests.iterdir())
        if path.is_dir() and any(path.rglob("test_*.py"))
    ]
    return [
        *(name for name in PARTS if name in have),
        *(name for name in have if name not in PARTS),
    ]


def test(args: list[str]) -> int:
    """Run the tests part by part and sum up; no test at all is a failure."""
    parts = test_parts()
    chosen: list[str] = []
    rest = list(args)
    while rest and not rest[0].startswith("-"):
        name = rest[0].rstrip("/\\").replace("\\", "/").removeprefix("tests/")
        if name not in parts:
            break
        chosen.append(name)
        rest.pop(0)
    if rest and not rest[0].startswith("-"):
        if chosen or not (ROOT / rest[0].split("::")[0]).exists():
            say(
                f"test {rest[0]}: no such part. Choose from: {', '.join(parts)}; or give a path below tests/."
            )
            return USAGE
        return run([ensure("test"), "-m", "pytest", *rest], env=test_environment())
    python = ensure("test")
    results = {name: run_part(python, name, rest) for name in chosen or parts}
    return sum_up(results)


def run_part(python: str, name: str, extra: list[str]) -> tuple[int, dict[str, int], float]:
    """Exit code, counts and seconds of one part."""
    say(f"tests/{name}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", "-q", f"tests/{name}", f"--junitxml={report}"]
        own_workers = any(re.match(r"-n|--numprocesses|-p$|--pdb|--co", arg) for arg in extra)
        if name in PARTS and not own_workers:
            command += ["-n", str(workers(PARTS[name])), "--dist", "worksteal"]
        code = run([*command, *extra], env=test_environment())
        return code, read_counts(report), time.monotonic() - began


def workers(per_core: float) -> int:
    """Worker processes for a part on this machine, from two to MOST_WORKERS."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(max(2, round(per_core * (cores or 1))), MOST_WORKERS)


def test_environment() -> dict[str, str]:
    """Ours, with bytecode kept: hundreds of processes start, and each would compile every module again."""
    return {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


#: Tests that show the protocol; nothing in them is drawn by chance. Paths below tests/.
COVERING: Final = ("unit/core", "unit/wire", "unit/proto", "unit/xcp", "pair")


def coverage(args: list[str]) -> int:
    """Run the tests of the protocol, or those named, and list every branch of it that none takes."""
    python = ensure("dev")
    first = next((at for at, arg in enumerate(args) if arg.startswith("-")), len(args))
    tests = args[:first] or [f"tests/{name}" for name in COVERING]
    data = ROOT / ".coverage"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    pytest = ["-m", "pytest", "-q", "-n", "2", "--timeout=600", *args[first:], *tests]
    measured = [python, "-m", "coverage"]
    code = run([*measured, "run", *pytest])
    run([*measured, "combine", "-q"])
    return run([*measured, "report"]) or code


def read_counts(report: Path) -> dict[str, int]:
    """Number of passed, failed and skipped tests in a JUnit report; zeros when there is none."""
    counts = dict.fromkeys(("passed", "failed", "skipped"), 0)
    try:
        suites = ET.parse(report).getroot().iter("testsuite")
    except (OSError, ET.ParseError):
        return counts
    for suite in suites:
        failed = int(suite.get("failures", "0")) + int(suite.get("errors", "0"))
        skipped = int(suite.get("skipped", "0"))
        counts["failed"] += failed
        counts["skipped"] += skipped
        counts["passed"] += max(0, int(suite.get("tests", "0")) - failed - skipped)
    return counts


def sum_up(results: dict[str, tuple[int, dict[str, int], float]]) -> int:
    """Print the closing table; the exit code of the whole run."""
    print("\npart        result  passed  failed  skipped  seconds")
    for name, (code, counts, seconds) in results.items():
        word = {0: "ok", NO_TESTS: "empty"}.get(code, "FAILED")
        numbers = f"{counts['passed']:6}  {counts['failed']:6}  {counts['skipped']:7}"
        print(f"{name:<12}{word:<6}  {numbers}  {seconds:7.1f}")
    bad = [code for code, _, _ in results.values() if code not in (0, NO_TESTS)]
    ran = sum(counts["passed"] + counts["failed"] for _, counts, _ in results.values())
    code = bad[0] if bad else 0 if ran else NO_TESTS
    print(f"tests: {'FAILED' if code else 'ok'}, {closing_line(results)}", flush=True)
    return code


def closing_line(results: dict[str, tuple[int, dict[str, int], float]]) -> str:
    """What pytest prints last, over all parts."""
    kinds = ("failed", "passed", "skipped")
    sums = {kind: sum(counts[kind] for _, counts, _ in results.values()) for kind in kinds}
    told = ", ".join(f"{count} {kind}" for kind, count in sums.items() if count)
    return f"{told or 'no tests ran'} in {sum(seconds for *_, seconds in results.values()):.2f}s"


COMMANDS: Final[dict[str, Callable[[list[str]], int]]] = {
    "setup": setup,
    "demo": demo,
    "test": test,
    "check": check,
    "coverage": coverage,
    "fmt": fmt,
    "docs": docs,
    "bench": bench,
    "build": build,
    "all": everything,
}


def main(args: list[str]) -> int:
    """Run one command and give its exit code."""
    if not args or args[0] in ("-h", "--help", "help"):
        print(__doc__)
        return 0 if args else USAGE
    command = COMMANDS.get(args[0])
    if command is None:
        say(f"{args[0]}: no such command. Choose from: {', '.join(COMMANDS)}.")
        return USAGE
    try:
        return command(args[1:])
    except SetupError as error:
        say(str(error))
        return SETUP_FAILED
    except OSError as error:
        say(
            f"{error.filename or 'operating system'}: {error.strerror or error}. Nothing else was done."
        )
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
