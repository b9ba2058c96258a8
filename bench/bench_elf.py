"""Updating a description from a large program: drgn against pyelftools, and both against reading the bytes.

Run: ``PYTHONPATH=src python bench/bench_elf.py``. The program is generated C, compiled here by gcc with ``-g``: units
with structures, bit fields, enumerations and arrays of their own. Figures are medians of CPU time; the ratios are the
result. Memory is the peak of a fresh process that updates once, above one that only imports the same modules.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from xcaliper.a2l import parse, write
from xcaliper.describe import GenerateOptions, generate, update
from xcaliper.image.drgn_types import open_drgn
from xcaliper.image.dwarf import read_debug_info
from xcaliper.image.elf import read_elf
from xcaliper.image.program import Program

UNIT = r"""
#include <stdint.h>
enum mode_{u} {{ OFF_{u}, ON_{u} = 5, BROKEN_{u} = -3 }};
struct part_{u} {{ uint16_t a : 3; uint16_t b : 9; float rows[4]; enum mode_{u} mode; struct part_{u} *next; }};
typedef struct {{ struct part_{u} parts[3]; uint32_t count; union {{ int32_t i; float f; }}; }} whole_{u};
"""
ONE = "volatile uint16_t word_{u}_{n} = {n}; whole_{u} state_{u}_{n}; static volatile float local_{u}_{n};\n"
PROBE = """
import sys
from bench_elf import container, contender, parse
tree = parse(open(sys.argv[2], encoding="utf-8").read())
if sys.argv[3] == "run":
    contender(sys.argv[1], sys.argv[4])(tree)
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) * 1024)
"""


def compile_program(folder: Path, units: int, variables: int) -> Path:
    sources = []
    for unit in range(units):
        lines = [UNIT.format(u=unit), *(ONE.format(u=unit, n=n) for n in range(variables))]
        uses = "".join(f"local_{unit}_{n} += 1;" for n in range(variables))
        lines.append(f"void use_{unit}(void) {{ {uses} }}\n")
        sources.append(folder / f"unit{unit}.c")
        sources[-1].write_text("".join(lines))
    calls = "".join(f"void use_{u}(void);" for u in range(units))
    body = "".join(f"use_{u}();" for u in range(units))
    (folder / "main.c").write_text(f"{calls} int main(void) {{ {body} return 0; }}\n")
    made = folder / "program"
    names = [str(s) for s in (*sources, folder / "main.c")]
    subprocess.run(["gcc", "-g", "-no-pie", "-o", str(made), *names], check=True)
    return made


def container(path):
    return read_elf(Path(path).read_bytes(), source=str(path))


def contender(path, reader):
    """One update in report mode, types and all, from the file on the disk."""

    def run(tree):
        elf = container(path)
        if reader == "symbols":
            return update(tree, Program(elf=elf), mode="report", types=False)
        types = None
        if reader == "drgn":
            types = open_drgn(str(path), elf, lambda: read_debug_info(elf))
            assert types is not None
        return update(tree, Program(types=types or read_debug_info(elf), elf=elf), mode="report")

    return run


def has_drgn() -> bool:
    try:
        import drgn  # noqa: F401
    except ImportError:
        return False
    return True


def timed(action, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        action()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def peak(path: Path, description: Path, reader: str) -> int:
    used = [
        int(
            subprocess.run(
                [sys.executable, "-c", PROBE, str(path), str(description), what, reader],
                capture_output=True, text=True, check=True, cwd=Path(__file__).parent,
            ).stdout
        )
        for what in ("run", "import")
    ]  # fmt: skip
    return used[0] - used[1]


def measure(folder: Path, options: argparse.Namespace) -> dict[str, float]:
    path = compile_program(folder, options.units, options.variables)
    size = path.stat().st_size
    elf = container(path)
    full = Program(types=read_debug_info(elf), elf=elf)
    text = write(generate(full, GenerateOptions(include=("word_*", "state_*"))))
    description = folder / "program.a2l"
    description.write_text(text, encoding="utf-8")
    few = write(generate(full, GenerateOptions(include=("word_0_*", "state_0_*"))))
    trees = {"all": parse(text), "few": parse(few)}
    readers = ["symbols", "pyelftools", *(["drgn"] if has_drgn() else [])]
    read = timed(path.read_bytes, 5)
    results = {
        "program [MB]": size / 1e6,
        "variables with types": float(len(full.variables())),
        "objects of the description": float(text.count("SYMBOL_LINK")),
        "read [ms]": read * 1e3,
    }
    spent: dict[tuple[str, str], float] = {}
    for many, tree in trees.items():
        reports = set()
        for reader in readers:
            run = contender(path, reader)
            spent[many, reader] = timed(lambda run=run, tree=tree: run(tree), options.rounds)
            results[f"update {many}, {reader} [ms]"] = spent[many, reader] * 1e3
            if reader != "symbols":
                reports.add(json.dumps(run(tree).as_dict()))
        assert len(reports) == 1, "the readers disagree"
        results[f"update {many}, pyelftools / read"] = spent[many, "pyelftools"] / max(read, 1e-5)
        if has_drgn():
            results[f"update {many}, pyelftools / drgn"] = (
                spent[many, "pyelftools"] / spent[many, "drgn"]
            )
    if sys.platform == "linux":
        for reader in readers:
            results[f"peak memory / program size, {reader}"] = (
                peak(path, description, reader) / size
            )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--units", type=int, default=40)
    parser.add_argument("--variables", type=int, default=50, help="of each kind in each unit")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if shutil.which("gcc") is None:
        print("bench_elf: it needs gcc.", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name:
        results = measure(Path(name), options)
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for key, value in results.items():
        print(f"{key:44} {value:12.3f}")


if __name__ == "__main__":
    main()
