"""Kill the recorder at random moments: the file opens and lacks at most the last second."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHILD = ROOT / "tests" / "io" / "recorder_child.py"
KILLS = 50
CONCURRENT = 4
ALLOWED_LOSS_S = 1.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="kill -9 and file size limits are POSIX"),
]


def start_child(
    path: Path, *, compressed: bool = False, limit: int = 0, how: str = "plain"
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(path), str(int(compressed)), str(limit), how],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )


def kill_after(
    path: Path, alive_s: float, *, compressed: bool, how: str = "plain"
) -> tuple[list[tuple[int, int]], int]:
    """Let a child record for a while, kill it; what it had produced when, and when it died."""
    child = start_child(path, compressed=compressed, how=how)
    produced: list[tuple[int, int]] = []
    first = threading.Event()

    def read() -> None:
        for line in child.stdout:
            word, count, at = line.split()
            assert word == "produced", line
            produced.append((int(count), int(at)))
            first.set()
        first.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert first.wait(30), "the child never began"
        time.sleep(alive_s)  # the moment of the kill is the point of this test
        killed_ns = time.monotonic_ns()
    finally:
        child.kill()
        child.wait(10)
        reader.join(10)
        errors = child.stderr.read()
        child.stdout.close()
        child.stderr.close()
    assert produced, errors
    return produced, killed_ns


def counters(path: Path) -> list[list[int]]:
    from asammdf import MDF

    if not path.stat().st_size:
        return []  # killed between making the file and its first bytes
    with MDF(path) as mdf:
        return [mdf.get("counter", group=n).samples.tolist() for n in range(len(mdf.groups))]


def check(path: Path, produced: list[tuple[int, int]], killed_ns: int) -> str:
    """Empty, or what is wrong with the file that a killed recorder left."""
    due = [count for count, at in produced if at <= killed_ns - ALLOWED_LOSS_S * 1e9]
    must = due[-1] if due else 0
    most = produced[-1][0] + 1000  # the last line may be lost in the pipe
    groups = counters(path)
    if must and not groups:
        return f"{path.name}: empty, at least {must} records were a second old"
    for found in groups:
        if found != list(range(len(found))):
            return f"{path.name}: the counter has a gap or a duplicate"
        if not must <= len(found) <= most:
            return f"{path.name}: {len(found)} records, at least {must} were a second old"
    return ""


@pytest.mark.timeout(240)
def test_killed_recorder_loses_at_most_the_last_second(tmp_path):
    seed = int(os.environ.get("XCALIPER_KILL_SEED", "20240611"))
    print(f"seed {seed}")
    rng = random.Random(seed)
    jobs = [(n, rng.uniform(0.0, 3.0), n % 2 == 1) for n in range(KILLS)]

    def run(job: tuple[int, float, bool]) -> tuple[Path, list[tuple[int, int]], int]:
        number, alive_s, compressed = job
        path = tmp_path / f"{number}.mf4"
        return path, *kill_after(path, alive_s, compressed=compressed)

    with ThreadPoolExecutor(CONCURRENT) as pool:
        runs = list(pool.map(run, jobs))
    problems = [text for text in (check(*item) for item in runs) if text]
    assert not problems, problems
    assert sum(bool((counters(path) or [[]])[0]) for path, _, _ in runs) > KILLS / 2, (
        "most have records"
    )


def recorded(how: str, count: int) -> set[int]:
    """Counters that recordings hold when so many samples were produced."""
    if how == "split":
        return set(range(count))
    return {n for n in range(count) if any(0 <= n - at <= 300 for at in range(100, count, 500))}


@pytest.mark.parametrize("how", ["split", "triggered"])
@pytest.mark.timeout(240)
def test_killed_while_splitting_or_triggered(tmp_path, how):
    rng = random.Random(int(os.environ.get("XCALIPER_KILL_SEED", "20240611")))
    jobs = [(n, rng.uniform(0.2, 2.5), n % 2 == 1) for n in range(8)]

    def run(job: tuple[int, float, bool]) -> tuple[Path, list[tuple[int, int]], int]:
        number, alive_s, compressed = job
        folder = tmp_path / str(number)
        folder.mkdir()
        return folder, *kill_after(folder / "r.mf4", alive_s, compressed=compressed, how=how)

    with ThreadPoolExecutor(CONCURRENT) as pool:
        runs = list(pool.map(run, jobs))
    files = 0
    for folder, produced, killed_ns in runs:
        due = [count for count, at in produced if at <= killed_ns - ALLOWED_LOSS_S * 1e9]
        must = recorded(how, due[-1] if due else 0)
        may = recorded(how, produced[-1][0] + 1000)
        paths = sorted(folder.iterdir())
        files += len(paths)
        groups = [counters(path) for path in paths]
        for raster in (0, 1):
            parts = [found[raster] for found in groups if found]
            together = [n for part in parts for n in part]
            assert together == sorted(set(together)), f"{folder.name}: a duplicate"
            assert must <= set(together) <= may, f"{folder.name}: {len(must - set(together))} miss"
            for part in filter(None, parts):
                assert part == list(range(part[0], part[0] + len(part)))
    assert files >= 2 * len(runs)


def test_killed_while_writing_parquet(tmp_path):
    """Parts that are there are complete; what came since the last one is lost."""
    from pyarrow import parquet

    for number, alive_s in enumerate((0.4, 1.3)):
        path = tmp_path / f"r{number}.parquet"
        produced, killed_ns = kill_after(path, alive_s, compressed=False, how="files")
        due = [count for count, at in produced if at <= killed_ns - ALLOWED_LOSS_S * 1e9]
        for raster in ("1ms", "second"):
            table = parquet.read_table(path.with_name(f"r{number}_{raster}.parquet"))
            found = table["counter"].to_pylist() if table.num_rows else []
            assert found == list(range(len(found)))
            assert len(found) >= (due[-1] if due else 0)


@pytest.mark.parametrize("limit", [30_000, 100_000])
@pytest.mark.parametrize("compressed", [False, True])
def test_full_disk_ends_in_a_clear_error_and_a_good_file(tmp_path, limit, compressed):
    path = tmp_path / "full.mf4"
    child = start_child(path, compressed=compressed, limit=limit)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 3, (out[-500:], err)
    assert "Traceback" not in err
    lines = [line for line in out.splitlines() if not line.startswith("produced")]
    assert lines[0].startswith("error MdfError")
    assert "disk is full" in lines[0]
    assert "Free some space" in lines[0]
    found = counters(path)
    assert path.stat().st_size <= limit
    for group in found:
        assert group == list(range(len(group)))
    # the last block alone may miss: more than half of the allowed bytes hold records
    assert sum(len(group) for group in found) > 0


@pytest.mark.parametrize("how", ["split", "triggered"])
def test_full_disk_while_splitting_or_triggered(tmp_path, how):
    child = start_child(tmp_path / "r.mf4", limit=9_000, how=how)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 3, (out[-500:], err)
    assert "Traceback" not in err
    lines = [line for line in out.splitlines() if not line.startswith("produced")]
    assert lines[0].startswith("error MdfError")
    assert "disk is full" in lines[0]
    first = sorted(tmp_path.iterdir())[0]
    for group in counters(first):
        assert group == list(range(group[0], group[0] + len(group)))
