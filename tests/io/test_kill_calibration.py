"""Kill the tool at any write of a session of 500: afterwards the history and the ECU agree."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import xcaliper
from xcaliper.calib.history import State
from xcaliper.calib.settle import Settle
from xcaliper.sim.process import EcuProcess

ROOT = Path(__file__).resolve().parents[2]
CHILD = ROOT / "tests" / "io" / "calibrating_child.py"
WRITES = 500
#: A machine with much to do is slow and answers late, which is not what is tested.
ALIVE_S = 300.0
PATIENCE_S = 10.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("XCALIPER_CACHE")
    os.environ["XCALIPER_CACHE"] = str(folder)
    with EcuProcess() as process:
        yield process.url
    if before is None:
        del os.environ["XCALIPER_CACHE"]
    else:
        os.environ["XCALIPER_CACHE"] = before


@pytest.fixture
def folder(tmp_path):
    """In memory where there is such a folder: a killed process needs no disk, and a disk is slow."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


def start(
    url: str, path: Path, seed: int, writes: tuple[int, int], where: str
) -> subprocess.Popen[str]:
    first, last = map(str, writes)
    return subprocess.Popen(
        [sys.executable, str(CHILD), url, str(path), str(seed), first, last, where],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )


def pages(url: str) -> dict[int, bytes]:
    """Bytes of both segments as they are."""
    with xcaliper.connect(url, timeout_s=PATIENCE_S) as ecu:
        return {
            one.start.value: ecu.calib.working.content(one) for one in ecu.calib.working.segments
        }


def check(url: str, path: Path, before: dict[int, bytes], how: Settle, told: int) -> str:
    """Empty, or what the ECU and the history do not agree about."""
    with xcaliper.connect(url, timeout_s=PATIENCE_S) as ecu:
        calib = ecu.calib
        file = calib.keep_history(path)
        opened = calib.history.open()
        if len(opened) > 1:
            return f"{len(opened)} transactions are open"
        calib.settle(how)
        problems = [str(note) for note in file.diagnostics if note.slug != "torn-line"]
        expected = {start: bytearray(data) for start, data in before.items()}
        for one in calib.history:
            if one.state in (State.DONE, State.PARTIAL):
                for run in one.runs:
                    start = max(s for s in expected if s <= run.address.value)
                    at = run.address.value - start
                    if expected[start][at : at + run.size_bytes] != run.old:
                        problems.append(f"{one}: {run.address} was not what it says")
                    expected[start][at : at + run.size_bytes] = run.new
        now = {one.start.value: calib.working.content(one) for one in calib.working.segments}
        problems += [f"segment at {s:#x} differs" for s in now if now[s] != expected[s]]
        problems += [f"{one} disagrees" for one in calib.disagreements()]
        if len([one for one in calib.history if one.state is State.DONE]) < told:
            problems.append(f"{told} transactions came back, fewer are in the history")
        pages_now = {one.number: (one.ecu_page, one.xcp_page) for one in ecu.paging}
        if how is not Settle.LOOK and any(used != (0, 0) for used in pages_now.values()):
            problems.append(f"pages in use are {pages_now}")
        for number in pages_now:  # the next session begins as this one did
            ecu.set_page(number, 0)
        return "; ".join(problems)


def test_killed_at_any_write_history_and_ecu_agree(url, folder):
    """A session of 500 writes in which the tool is killed again and again, and goes on with its history."""
    seed = int(os.environ.get("XCALIPER_KILL_SEED", "20240611"))
    print(f"seed {seed}")
    rng = random.Random(seed)
    wheres = ("intent", "sent", "seen")
    points = [0, 1, *sorted(rng.sample(range(2, WRITES - 1), 3)), WRITES - 1]
    path, before = folder / "session.history", pages(url)
    found = []
    told = 0
    for number, (first, last) in enumerate(zip([0, *points], points, strict=False)):
        where = wheres[number % 3]
        child = start(url, path, seed + number, (first, last), where)
        out, errors = child.communicate(timeout=ALIVE_S)
        assert child.returncode == -9, f"{last} {where}: {errors}"
        told = int(out.split()[-1]) if out else told
        how = tuple(Settle)[number % 3] if number % 2 else Settle.LOOK
        problem = check(url, path, before, how, told)
        if problem:
            found.append(f"write {last}, {where}, {how}: {problem}")
    assert not found, found


def test_killed_from_outside_at_any_moment(url, folder):
    for number, alive_s in enumerate((0.1, 0.4)):
        path = folder / f"{number}.history"
        before = pages(url)
        child = start(url, path, number, (0, -1), "never")
        assert child.stdout.readline(), child.stderr.read()
        time.sleep(alive_s)  # the moment of the kill is the point of this test
        child.kill()
        out, errors = child.communicate(timeout=ALIVE_S)
        assert child.returncode == -9, errors
        lines = [one for one in out.splitlines(keepends=True) if one.endswith("\n")]
        assert not check(url, path, before, Settle.LOOK, int(lines[-1]) if lines else 1)
