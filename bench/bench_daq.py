"""DAQ from the socket to rows: the compiled and the numpy tier against C, and against pyxcp.

The C programs are compiled here. Contenders take turns, ratios are medians over the rounds, and CPU
time is what ratios are made of, because it does not depend on what else the machine does.

Without a C compiler, and with --python, the sender is daq_sender.py and there is no kernel in C to hold
the decoder against: losses and shares of a core are measured as before, and in place of the ratios to C
those to a bare loop over recv in Python are printed, for information. That sender needs a good part of a
core for itself, so rows may be lost at rates where the one in C loses none.

What waking up costs on this machine, which may change from hour to hour, is printed first.

    python bench/bench_daq.py [--rounds 5] [--only kernel,tcp,udp,line,busy,pyxcp] [--check] [--python]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
PIECE = 256 << 10
NARROW = [[20, 38, 1], [20, 38, 2], [20, 38, 10], [20, 38, 10]]
WIDE = [[20, 381, 1], [20, 381, 2], [20, 381, 10], [20, 381, 10]]
PARTS = ("kernel", "tcp", "udp", "line", "busy", "pyxcp")
#: Title, signals of each list, MB/s, bar. What a signal costs is told by a link that is full: both then do
#: nothing else, and pyxcp needs the least for each signal that it decodes. On a link that is nearly idle
#: the cost is that of being there at all, which is shared by whatever signals come; it is printed, too.
SIGNALS = (
    ("narrow", [2] * 4, 60, 10),
    ("wide", [340] * 4, 118, 4),
    ("narrow", [2] * 4, 1, None),
    ("wide", [340] * 4, 20, None),
)
#: The highest rates that are tried for a rate without loss, MB/s.
RATES = (2, 4, 8, 15, 30, 60, 120, 240, 400)


class Report:
    """Prints figures with their bars and remembers what was missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def at_least(self, name: str, value: float, bar: float | None, more: str = "") -> None:
        self._line(name, f"{value:8.2f}", bar, bar is None or value >= bar, "at least", more)

    def at_most(self, name: str, value: float, bar: float, more: str = "") -> None:
        self._line(name, f"{value:8.2f}", bar, value <= bar, "at most", more)

    def _line(self, name, value, bar, met, what, more) -> None:
        words = "(for information)" if bar is None else f"({what} {bar:g})  "
        words += "" if bar is None else ("met" if met else "MISSED")
        print(f"{name:52} {value}  {words}  {more}".rstrip(), flush=True)
        if not met:
            self.missed.append(name)


# --- programs ---


def compile_c(folder: str) -> dict[str, str]:
    """The C programs, none where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return {}
    made = {}
    for name in ("daq_reference", "daq_sender"):
        target = str(Path(folder) / name)
        source = str(HERE / f"{name}.c")
        subprocess.run([compiler, "-O3", "-pthread", "-o", target, source], check=True)
        made[name] = target
    return made


def spec(lists: list[list[int]], *, weights: bool) -> str:
    return ",".join(":".join(map(str, one if weights else one[:2])) for one in lists)


@contextlib.contextmanager
def sender(programs, mode, rate, megabytes, max_dto, lists):
    """A running sender: its port, and a function that waits for what it has sent."""
    command = [sys.executable, str(HERE / "daq_sender.py")]
    if "daq_sender" in programs:
        command = [programs["daq_sender"]]
    arguments = [mode, rate, megabytes, 1400, max_dto, spec(lists, weights=True)]
    process = subprocess.Popen(
        [*command, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield int(process.stdout.readline()), process.stdout.readline
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def run_python(job: dict) -> dict:
    name = "daq_pyxcp.py" if job["kind"] == "pyxcp" else "daq_receiver.py"
    done = subprocess.run(
        [sys.executable, str(HERE / name), json.dumps(job)],
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def run_c(programs, mode, port, folder, lists) -> dict:
    done = subprocess.run(
        [programs["daq_reference"], mode, str(port), folder, spec(lists, weights=False)],
        capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    cpu_s, _, _, rows, lost = done.stdout.split()
    return {"cpu_s": float(cpu_s), "rows": int(rows), "lost": int(lost)}


# --- decode, in memory ---


def messages(lists: list[list[int]], total: int) -> bytes:
    """What the sender would send."""
    parts, counter, size, step = [], 0, 0, 0
    while size < total:
        for index, (odts, count, weight) in enumerate(lists):
            if step % weight:
                continue
            for odt in range(odts):
                stamp = struct.pack("<I", step * 100) if odt == 0 else b""
                body = bytes((odt, index)) + stamp + bytes([odt]) * (count - len(stamp))
                parts.append(struct.pack("<HH", len(body), counter & 0xFFFF) + body)
                counter += 1
                size += len(body) + 4
        step += 1
    return b"".join(parts)


class Compiled:
    """The kernel over bytes in memory, in pieces, as the C program does it."""

    def __init__(self, plan, data: bytes) -> None:
        from xcaliper.daq.framed import FramedDecoder
        from xcaliper.transport.drain import compile_drain
        from xcaliper.xcp.framing.eth import StreamReader

        self.kernel = compile_drain()
        self.size = len(data)
        self.decoder = FramedDecoder(plan, kernel=lambda: self.kernel, storage_bytes=4 << 20)
        self.decoder.attach(StreamReader())
        self.decoder.feed_bytes(b"", 0)
        self.decoder._buffer = np.frombuffer(data + bytes(64), np.uint8).copy()
        self.decoder._storage.ticks.fill(0)

    def run(self) -> float:
        from xcaliper.daq.kernels import Field, State, Stop

        one = self.decoder
        state, lists, storage = one._state, one._lists, one._storage
        state[:] = 0
        state[State.EXPECTED] = -1
        state[State.SEGMENT_END] = -1
        rows = end = 0
        lists[:, Field.ROW] = lists[:, Field.ODT] = 0
        begin = time.perf_counter()
        while end < self.size:
            end = min(end + PIECE, self.size)
            state[State.END] = end
            while (
                self.kernel(
                    -1, 0, one.control, one._buffer, one._conf, state, one._table, lists,
                    one._odts, storage.rows, storage.ticks, one._log, one._recent,
                )
                == Stop.ROWS_FULL
            ):  # fmt: skip
                rows += int(lists[:, Field.ROW].sum())
                lists[:, Field.ROW] = 0
                state[State.FULL] = 0
        took = time.perf_counter() - begin
        self.rows = rows + int(lists[:, Field.ROW].sum())
        assert state[State.LOST] == state[State.INCOMPLETE] == 0
        return took


def numpy_seconds(plan, data: bytes) -> float:
    from xcaliper.daq.framed import FramedDecoder
    from xcaliper.xcp.framing.eth import StreamReader

    decoder = FramedDecoder(plan)
    decoder.attach(StreamReader())
    pieces = [data[at : at + PIECE] for at in range(0, len(data), PIECE)]
    begin = time.perf_counter()
    for number, piece in enumerate(pieces):
        decoder.feed_bytes(piece, number * 1_000_000)
        decoder.take_ready()
    took = time.perf_counter() - begin
    decoder.detach(len(pieces) * 1_000_000)
    assert decoder.finish().is_clean
    return took


def bench_kernel(programs, report: Report, rounds: int) -> None:
    from daq_receiver import raster_plan

    for title, lists in (("44-byte frames", NARROW), ("387-byte frames", WIDE)):
        plan, data = raster_plan(lists), messages(lists, 32 << 20)
        compiled = Compiled(plan, data)
        compiled.run()
        figures: dict[str, list[float]] = {"c": [], "memcpy": [], "kernel": [], "numpy": []}
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            text = spec(lists, weights=False)
            for _ in range(rounds):
                for name in ("decode", "memcpy"):
                    done = subprocess.run(
                        [programs["daq_reference"], name, file.name, "7", text],
                        capture_output=True, text=True, check=True,
                    )  # fmt: skip
                    figures["c" if name == "decode" else name].append(
                        min(map(float, done.stdout.split()))
                    )
                figures["kernel"].append(min(compiled.run() for _ in range(7)))
                figures["numpy"].append(min(numpy_seconds(plan, data) for _ in range(2)))
        speed = {name: len(data) / statistics.median(v) / 1e6 for name, v in figures.items()}
        more = ", ".join(f"{name} {value:.0f} MB/s" for name, value in speed.items())
        report.at_least(f"decode kernel : C, {title}", ratio(figures, "kernel"), 0.80, more)
        report.at_least(f"decode numpy : C, {title}", ratio(figures, "numpy"), None)
        report.at_least(
            f"decode kernel : memcpy, {title}", ratio(figures, "kernel", "memcpy"), None
        )


def ratio(figures: dict[str, list[float]], ours: str, limit: str = "c") -> float:
    """How near ours comes to the limit; both are times."""
    pairs = zip(figures[limit], figures[ours], strict=True)
    return statistics.median(theirs / own for theirs, own in pairs)


# --- from the socket ---


def receive(programs, contender, mode, rate, megabytes, lists, folder) -> dict:
    """One run of one contender: ``c``, ``python`` (a bare loop), ``compiled`` or ``numpy``."""
    with sender(programs, mode, rate, megabytes, 1396, lists) as (port, sent):
        if contender == "c":
            found = run_c(programs, mode, port, folder, lists)
        else:
            found = run_python(
                {
                    "kind": "bare" if contender == "python" else "link", "tier": contender, "mode": mode, "port": port, "lists": lists,
                    "record": mode == "tcp", "folder": folder, "limit_s": 120, "core": None,
                }
            )  # fmt: skip
        rows, _, late_ms = sent().split()
    found["missing"] = int(rows) - found["rows"] if "rows" in found else 0
    found["late_ms"] = float(late_ms)
    return found


def bench_socket(programs, report: Report, rounds: int, mode: str) -> None:
    limit = "c" if "daq_reference" in programs else "python"
    title_of = {"c": "C", "python": "bare Python loop"}[limit]
    shared = "/dev/shm" if Path("/dev/shm").is_dir() else None
    cases = [(0, 1000)] if mode == "tcp" else [(100, 300), (200, 600)]
    sizes = (
        (("1000 signals", NARROW), ("10 k signals", WIDE))
        if mode == "tcp"
        else (("1000 signals", NARROW),)
    )
    for title, lists in sizes:
        for rate, megabytes in cases:
            figures: dict[str, list[float]] = {}
            missing: dict[str, int] = {}
            speed: dict[str, list[float]] = {}
            with tempfile.TemporaryDirectory(dir=shared) as folder:
                for _ in range(rounds):
                    for contender in (limit, "compiled", "numpy"):
                        found = receive(programs, contender, mode, rate, megabytes, lists, folder)
                        figures.setdefault(contender, []).append(found["cpu_s"])
                        missing[contender] = missing.get(contender, 0) + found["missing"]
                        if "s" in found:
                            speed.setdefault(contender, []).append(megabytes / found["s"])
            name = "TCP to files" if mode == "tcp" else f"UDP at {rate} MB/s"
            for contender in ("compiled", "numpy"):
                bar = 0.80 if contender == "compiled" else 0.30 if mode == "tcp" else None
                bar = bar if limit == "c" else None
                ns = statistics.median(figures[contender]) / megabytes * 1e3
                least = statistics.median(figures[limit]) / megabytes * 1e3
                more = f"{ns:.2f} ns/B, {title_of} {least:.2f}; rows missing {missing[contender]}"
                more += f", C {missing['c']}" if limit == "c" else ""
                if mode == "tcp":
                    more += f"; {statistics.median(speed[contender]):.0f} MB/s"
                report.at_least(
                    f"{name}, {contender} : {title_of}, CPU, {title}",
                    ratio(figures, contender, limit), bar, more,
                )  # fmt: skip
            if mode == "tcp":
                report.at_most(f"{name}: rows missing, {title}", missing["compiled"], 0)


def measure(programs, tier, rate, megabytes, *, busy=False, max_dto=1396, signals, weights) -> dict:
    """The public interface against the sender."""
    lists = [[1, 8, weight] for weight in weights]
    with sender(programs, "udp", rate, megabytes, max_dto, lists) as (port, _):
        return run_python(
            {
                "kind": "pyxcp" if tier == "pyxcp" else "api", "tier": tier, "mode": "udp",
                "port": port, "signals": signals, "busy": busy, "send_s": megabytes / rate + 0.4,
                "core": None,
            }
        )  # fmt: skip


def bench_line(programs, report: Report, rounds: int) -> None:
    for tier in ("compiled", "numpy"):
        found = [
            measure(
                programs, tier, 118, 118 * 8, max_dto=40, signals=[250] * 4, weights=[1, 2, 10, 10]
            )
            for _ in range(min(rounds, 3))
        ]
        missing = [one["sent"] - one["rows"] for one in found]
        share = statistics.median(one["cpu_s"] / one["s"] for one in found) * 100
        more = f"of {found[0]['sent']} rows; each run: {missing}"
        report.at_most(f"118 MB/s for 8 s, {tier}: rows lost", max(missing), 0, more)
        if tier == "compiled":
            report.at_most(f"118 MB/s for 8 s, {tier}: % of a core", share, 30)
        else:
            report.at_least(f"118 MB/s for 8 s, {tier}: % of a core", share, None)


def bench_busy(programs, report: Report, rounds: int) -> None:
    found = [
        measure(
            programs, "compiled", 50, 250, busy=True, max_dto=40, signals=[250] * 4,
            weights=[1, 2, 10, 10],
        )
        for _ in range(min(rounds, 3))
    ]  # fmt: skip
    missing = [one["sent"] - one["rows"] for one in found]
    more = f"of {found[0]['sent']} rows; each run: {missing}"
    report.at_most("50 MB/s beside a busy Python thread: rows lost", max(missing), 0, more)


# --- pyxcp ---


def bench_pyxcp(programs, report: Report, rounds: int) -> None:
    try:
        import pyxcp  # noqa: F401
    except ImportError:
        print("pyxcp: not installed, left out")
        return
    for title, signals, rate, bar in SIGNALS:
        costs: dict[str, list[float]] = {"compiled": [], "pyxcp": []}
        missing = dict.fromkeys(costs, 0)
        for _ in range(rounds):
            for tier, values in costs.items():
                found = measure(
                    programs, tier, rate, rate * 2, signals=signals, weights=[1, 1, 1, 1]
                )
                values.append(found["cpu_s"] / max(found["signals"], 1))
                missing[tier] += found["sent"] - found["rows"]
        each = {tier: statistics.median(values) * 1e9 for tier, values in costs.items()}
        more = f"{each['compiled']:.1f} and {each['pyxcp']:.1f} ns per signal"
        more += f"; rows missing {missing['compiled']} and {missing['pyxcp']}"
        pairs = zip(costs["pyxcp"], costs["compiled"], strict=True)
        value = statistics.median(theirs / own for theirs, own in pairs)
        name = f"CPU per signal, pyxcp : xcaliper, {title}, {rate} MB/s"
        report.at_least(name, value, bar, more)
    best = {tier: lossless(programs, tier) for tier in ("compiled", "pyxcp")}
    report.at_least(
        "lossless UDP, xcaliper : pyxcp", best["compiled"] / max(best["pyxcp"], 0.5), 5,
        f"{best['compiled']:g} and {best['pyxcp']:g} MB/s of 1400-byte datagrams",
    )  # fmt: skip


def lossless(programs, tier: str) -> float:
    """The highest of the rates that loses no row, MB/s; a rate gets two chances."""
    best = 0.0
    for rate in RATES:
        for _ in range(2):
            found = measure(programs, tier, rate, rate * 2, signals=[340] * 4, weights=[1] * 4)
            if found["sent"] and found["sent"] == found["rows"]:
                best = float(rate)
                break
        if best != rate:
            break
    return best


def waking_up() -> float:
    """How many times its hot CPU time a piece of work costs after pauses of 50 ms.

    In a virtual machine it can be 2 in one hour and 8 in another: the host takes back what sleeps, and
    whoever wakes up is charged for it. Receivers that sleep look dear then, those that poll do not.
    """

    def work() -> float:
        begin = time.thread_time()
        values = {str(number): number for number in range(200)}
        for _ in range(20):
            np.linalg.inv(np.eye(4) + len(values))
        return time.thread_time() - begin

    for _ in range(20):
        work()
    hot = statistics.median(work() for _ in range(20))
    cold = []
    for _ in range(20):
        time.sleep(0.05)
        cold.append(work())
    return statistics.median(cold) / hot


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between them")
    parser.add_argument("--check", action="store_true", help="exit code 1 when a bar is missed")
    parser.add_argument("--python", action="store_true", help="as without a C compiler")
    options = parser.parse_args()
    rounds, only = max(options.rounds, 1), options.only.split(",")
    report = Report()
    sys.path.insert(0, str(HERE))
    with tempfile.TemporaryDirectory() as folder:
        print(f"work after a pause of 50 ms costs {waking_up():.1f} times that without a pause")
        programs = {} if options.python else compile_c(folder)
        if not programs:
            print(
                "no C compiler (cc, gcc, clang) or not wanted: the sender is in Python, no ratios to C"
            )
            only = [part for part in only if part != "kernel"]
        for part, function in (
            ("kernel", bench_kernel),
            ("tcp", lambda *a: bench_socket(*a, "tcp")),
            ("udp", lambda *a: bench_socket(*a, "udp")),
            ("line", bench_line),
            ("busy", bench_busy),
            ("pyxcp", bench_pyxcp),
        ):
            if part in only:
                function(programs, report, rounds)
    print(f"cores: {os.cpu_count()}; missed: {', '.join(report.missed) or 'nothing'}")
    return int(bool(report.missed) and options.check)


if __name__ == "__main__":
    sys.exit(main())
