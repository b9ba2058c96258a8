"""Round trips per second of the public ``short_upload``, against a raw socket and against pyxcp.

All contenders and the slave share one core, so that software cost is what counts. The contenders
take turns, the figures are medians of the rounds, and the ratios are the result.

    python bench/bench_roundtrip.py [--rounds 7] [--seconds 0.4] [--python-slave]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
SIZE = 4
ADDRESS = 0x2000_0000
DAQ_RATE = 10_000
DAQ_BYTES = 1400
BATCH = 200
BARS = {"raw": 0.75, "pyxcp": 8.0, "raw with DAQ": 0.65}


@contextlib.contextmanager
def slave(command: list[str], rate: int) -> Iterator[int]:
    """A running responder; gives its port."""
    process = subprocess.Popen(
        [*command, str(rate), str(DAQ_BYTES)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def slave_command(folder: str, *, python: bool) -> list[str]:
    """The C responder where there is a compiler, else the one in Python."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler and not python:
        target = str(Path(folder) / "xcp_responder")
        source = str(HERE / "xcp_responder.c")
        subprocess.run([compiler, "-O2", "-pthread", "-o", target, source], check=True)
        return [target]
    return [sys.executable, str(HERE / "xcp_responder.py")]


class Raw:
    """A blocking ping-pong with the same bytes and nothing else; DAQ datagrams are counted."""

    name = "raw socket"

    def __init__(self, port: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.connect(("127.0.0.1", port))
        self.daq = 0
        self.ask(b"\xff\x00")

    def ask(self, packet: bytes) -> bytes:
        self.sock.send(len(packet).to_bytes(2, "little") + b"\0\0" + packet)
        while (data := self.sock.recv(2048))[4] < 0xFC:
            self.daq += 1
        return data[4:]

    def batch(self) -> None:
        packet = bytes((8, 0, 0, 0, 0xF4, SIZE, 0, 0)) + ADDRESS.to_bytes(4, "little")
        send, recv = self.sock.send, self.sock.recv
        for _ in range(BATCH):
            send(packet)
            while recv(2048)[4] < 0xFC:
                self.daq += 1

    def start(self) -> None:
        self.daq = 0
        self.ask(b"\xdd\x01")

    def stop(self) -> tuple[int, int]:
        self.ask(b"\xdd\x00")
        time.sleep(0.02)
        sent = int.from_bytes(self.ask(b"\xf1\x00")[1:5], "little")
        return sent, self.daq

    def close(self) -> None:
        self.sock.close()


class Ours:
    """The public way: lock, framing, checks, bytes; a pump thread beside it."""

    name = "xcaliper"

    def __init__(self, port: int) -> None:
        from xcaliper.proto.procedure import ask
        from xcaliper.transport.pump import Link
        from xcaliper.transport.url import open_transport
        from xcaliper.xcp.daq import StartStopSynch
        from xcaliper.xcp.master import MasterMachine
        from xcaliper.xcp.std import Connect, UserCmd

        self._ask, self._synch, self._user = ask, StartStopSynch, UserCmd
        self.link = Link(open_transport(f"udp://127.0.0.1:{port}"), MasterMachine())
        self.link.run(ask(Connect()))
        self.daq = 0

    def batch(self) -> None:
        short_upload = self.link.short_upload
        for _ in range(BATCH):
            short_upload(ADDRESS, SIZE)

    def count(self, batch: object) -> None:
        self.daq += len(batch.packets)

    def start(self) -> None:
        self.daq = 0
        self.link.start_daq(self.count)
        self.link.run(self._ask(self._synch(mode=1)))

    def stop(self) -> tuple[int, int]:
        self.link.run(self._ask(self._synch(mode=0)))
        time.sleep(0.02)
        reply = self.link.run(self._ask(self._user(sub_command=0)))
        self.link.stop_daq()
        assert self.link.lost_messages == 0, f"{self.link.lost_messages} messages lost"
        return int.from_bytes(reply.data[:4], "little"), self.daq

    def close(self) -> None:
        self.link.close()


class Pyxcp:
    """pyxcp's shortUpload."""

    name = "pyxcp"

    def __init__(self, port: int) -> None:
        import logging

        from pyxcp.config import create_application_from_config
        from pyxcp.master import Master

        eth = {"host": "127.0.0.1", "port": port, "protocol": "UDP"}
        app = create_application_from_config(
            {"Transport": {"layer": "ETH", "Eth": eth}}, log_level=logging.CRITICAL
        )
        self.master = Master("eth", config=app)
        self.master.__enter__()
        self.master.connect()

    def batch(self) -> None:
        short_upload = self.master.shortUpload
        for _ in range(BATCH):
            short_upload(SIZE, ADDRESS)

    def close(self) -> None:
        self.master.close()


def rate_of(batch: Callable[[], None], seconds: float) -> float:
    """Round trips per second over about the time."""
    start = time.perf_counter()
    end, done = start + seconds, 0
    while True:
        batch()
        done += BATCH
        now = time.perf_counter()
        if now >= end:
            return done / (now - start)


def quiet(command: list[str], rounds: int, seconds: float) -> dict[str, list[float]]:
    """All contenders in turn, no DAQ."""
    rates: dict[str, list[float]] = {}
    with slave(command, 0) as port, contextlib.ExitStack() as stack:
        contenders = []
        for kind in (Raw, Ours, Pyxcp):
            try:
                contender = kind(port)
            except ImportError:
                print(f"{kind.name}: not installed, left out")
                continue
            stack.callback(contender.close)
            contender.batch()
            contenders.append(contender)
        for _ in range(rounds):
            for contender in contenders:
                rates.setdefault(contender.name, []).append(rate_of(contender.batch, seconds))
    return rates


def busy(command: list[str], rounds: int, seconds: float) -> tuple[dict[str, list[float]], int]:
    """Raw socket and ours in turn, DAQ on the same socket; also gives lost DAQ datagrams."""
    rates: dict[str, list[float]] = {}
    lost = 0
    with slave(command, DAQ_RATE) as port:
        contenders = [Raw(port), Ours(port)]
        for _ in range(rounds):
            for contender in contenders:
                contender.start()
                rates.setdefault(contender.name, []).append(rate_of(contender.batch, seconds))
                sent, got = contender.stop()
                if contender.name == Ours.name:
                    lost += sent - got
                    assert sent > 0.5 * DAQ_RATE * seconds, f"only {sent} DAQ datagrams were sent"
        for contender in contenders:
            contender.close()
    return rates, lost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--python-slave", action="store_true")
    parser.add_argument("--check", action="store_true", help="exit code 1 when a bar is missed")
    options = parser.parse_args()
    rounds = max(options.rounds, 1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        command = slave_command(folder, python=options.python_slave)
        calm = quiet(command, rounds, options.seconds)
        load, lost = busy(command, rounds, options.seconds)
    print(
        f"slave: {'C' if len(command) == 1 else 'Python'}, UDP loopback, one core, {rounds} rounds"
    )
    rows = [("no DAQ", calm), (f"{DAQ_RATE} DAQ datagrams/s", load)]
    for title, rates in rows:
        for name, values in rates.items():
            print(f"{title:24} {name:12} {statistics.median(values):10.0f} round trips/s")
    results = [
        ("raw", ratio(calm, Raw)),
        ("pyxcp", ratio(calm, Pyxcp)),
        ("raw with DAQ", ratio(load, Raw)),
    ]
    missed = lost != 0
    for name, value in results:
        if value is None:
            continue
        met = value >= BARS[name]
        missed |= not met
        print(
            f"xcaliper : {name:14} {value:6.2f}  (at least {BARS[name]})  {'met' if met else 'MISSED'}"
        )
    if Pyxcp.name in calm:
        pairs = zip(calm[Raw.name], calm[Pyxcp.name], strict=True)
        ceiling = statistics.median(raw / theirs for raw, theirs in pairs)
        print(
            f"raw socket : pyxcp      {ceiling:6.2f}  (what a client without any cost would reach)"
        )
    print(f"DAQ datagrams lost: {lost}  {'met' if lost == 0 else 'MISSED'}")
    return int(missed and options.check)


def ratio(rates: dict[str, list[float]], other: type[Raw | Pyxcp]) -> float | None:
    """Median over the rounds of ours to another's."""
    if other.name not in rates:
        return None
    pairs = zip(rates[Ours.name], rates[other.name], strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


if __name__ == "__main__":
    sys.exit(main())
