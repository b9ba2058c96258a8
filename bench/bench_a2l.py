"""Opening a large description: ratios to reading its bytes, to an ``re`` tokenising pass and to pya2l.

Run: ``PYTHONPATH=src python bench/bench_a2l.py``. The file is generated (100 000 measurements, 50 000 parameters).
Figures are medians of CPU time; the ratios are the result. Memory is the peak of a fresh process that opens the file and finds one
object by name, above one that only imports the same modules. pya2l (``pya2ldb``) is measured where it is installed, on a smaller file,
and scaled by size.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from a2l_generator import describe

from xcaliper.a2l import open_a2l
from xcaliper.a2l.index import ModuleIndex
from xcaliper.client.a2l_source import IndexFolder, read_a2l

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|/\*.*?\*/|//[^\n]*|[^\s"]+', re.DOTALL)
PROBE = """
import sys
from xcaliper.a2l.kernels import compiled_step
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l import open_a2l
open_a2l(b"/begin PROJECT p \\"\\" /end PROJECT", engine="fast")
if len(sys.argv) > 1:
    from pathlib import Path
    file = open_a2l(Path(sys.argv[1]).read_bytes())
    index = ModuleIndex(file.module)
    assert index.object(file.module.measurement[-1].name)
status = open("/proc/self/status").read()
print(1024 * int(status.split("VmHWM:")[1].split()[0]))
"""


def timed(function, rounds):
    taken = []
    for _ in range(rounds):
        begin = time.process_time()
        result = function()
        taken.append(time.process_time() - begin)
        del result
    return statistics.median(taken)


def tokenise(path):
    count = 0
    for _ in TOKEN.finditer(path.read_bytes()):
        count += 1
    return count


def opened(path, engine="auto"):
    file = open_a2l(path.read_bytes(), source=str(path), engine=engine)
    return file, ModuleIndex(file.module)


def reopened(path, folder):
    file = folder.load(path, path.stat())
    assert file is not None, "the index fits"
    return file, ModuleIndex(file.module)


def named(opened_file, name):
    """Find one object by its name, the first look-up in a description."""
    file, index = opened_file
    made = index.object(name)
    assert made.name == name
    return file


def access_us(objects, count, seed):
    """Microseconds per object that is read for the first time, median of many small groups."""
    wanted = random.Random(seed).sample(range(len(objects)), count)
    groups = []
    for start in range(0, count, 50):
        begin = time.process_time()
        for at in wanted[start : start + 50]:
            objects[at]
        groups.append((time.process_time() - begin) / 50)
    return statistics.median(groups) * 1e6


def peak(*arguments):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def pya2l_seconds(folder):
    """Seconds per byte of the peer; None when it is not installed or fails."""
    try:
        from pya2l import DB
    except ImportError:
        return None
    small = folder / "small.a2l"
    small.write_bytes(describe(1000, 500))
    begin = time.process_time()
    try:
        DB().import_a2l(str(small))
    except Exception as error:
        print(f"pya2l: {error}", file=sys.stderr)
        return None
    return (time.process_time() - begin) / small.stat().st_size


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measurements", type=int, default=100_000)
    parser.add_argument("--characteristics", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        results = measure(Path(name), options)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for key, value in results.items():
        print(f"{key:44} " + (value if isinstance(value, str) else f"{value:12.3f}"))


def measure(folder, options):
    path = folder / "large.a2l"
    path.write_bytes(describe(options.measurements, options.characteristics))
    size = path.stat().st_size
    opened(path)  # compiles the kernel once
    read = timed(path.read_bytes, options.rounds)
    tokens = timed(lambda: tokenise(path), max(1, options.rounds // 2))
    fast = timed(lambda: opened(path), options.rounds)
    plain = timed(lambda: opened(path, "re"), max(1, options.rounds // 2))
    index = IndexFolder(folder / "cache")
    read_a2l(path, index=index)
    again = timed(lambda: reopened(path, index), options.rounds)
    file, _ = opened(path)
    module = file.module
    last = module.characteristic[-1].name
    fast_name = timed(lambda: named(opened(path), last), options.rounds)
    again_name = timed(lambda: named(reopened(path, index), last), options.rounds)
    results = {
        "size [MB]": size / 1e6,
        "read [ms]": read * 1e3,
        "re tokenising [ms]": tokens * 1e3,
        "open and index [ms]": fast * 1e3,
        "open and index, re engine [ms]": plain * 1e3,
        "reopen from the cache [ms]": again * 1e3,
        "open and find one name [ms]": fast_name * 1e3,
        "reopen and find one name [ms]": again_name * 1e3,
        "open / read": fast / read,
        "re tokenising / open (bar: 3)": tokens / fast,
        "re tokenising / open with re engine": tokens / plain,
        "open / reopen (bar: 5)": fast / again,
        "open / reopen, with one name each (bar: 5)": fast_name / again_name,
        "measurement, first access [us] (bar: 50)": access_us(module.measurement, 4000, 1),
        "characteristic, first access [us] (bar: 50)": access_us(module.characteristic, 4000, 2),
    }
    del file, module
    if sys.platform == "linux":
        results["peak memory / file size (bar: 6)"] = (peak(str(path)) - peak()) / size
    own = timed(lambda: opened(path), 1) / size
    peer = pya2l_seconds(folder)
    results["pya2l / open, per byte"] = "not installed" if peer is None else peer / own
    return results


if __name__ == "__main__":
    main()
