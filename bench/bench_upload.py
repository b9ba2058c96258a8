"""UPLOAD of 1 MB over UDP loopback, against a plain socket loop with the same packets and against pyxcp.

The slave is another process. All contenders and the slave share one core, so that software cost is
what counts. They take turns, and the ratios, medians over the rounds, are the result. Three slaves: a
canned one that answers each command with one large packet, one with packets of 64 bytes in slave block
mode, and our own. Before the rounds a tap checks that the plain loop and XCaliper move the same packets.

    python bench/bench_upload.py [--rounds 7] [--size 1048576] [--python-slave] [--check]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

from bench_roundtrip import slave_command

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS = 0x2000_0000
HEADER = struct.Struct("<HH")
BARS = {"raw socket": 0.7, "pyxcp": 5.0}
MAX_CTOS = (255, 64)


@contextlib.contextmanager
def slave(command: list[str], max_cto: int) -> Iterator[int]:
    """A running responder; gives its port."""
    arguments = [*command, "0", "1400", str(max_cto)]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
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


@contextlib.contextmanager
def virtual_ecu() -> Iterator[int]:
    """Our own slave as a process of its own; gives its port."""
    process = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def serve() -> int:
    """The virtual ECU's slave with one run of memory of 2 MB."""
    from xcaliper.core.address import Address
    from xcaliper.core.memory import SparseMemory
    from xcaliper.transport.ports import UdpPort
    from xcaliper.transport.server import SlaveServer
    from xcaliper.xcp.slave import SlaveMachine
    from xcaliper.xcp.slave_config import SlaveConfig

    memory = SparseMemory(1)
    memory.add(Address(ADDRESS), bytes(range(256)) * (1 << 13))
    machine = SlaveMachine(SlaveConfig(), memory)
    server = SlaveServer(machine, [UdpPort("127.0.0.1", 0)])
    print(server.ports[0].address[1], flush=True)
    while True:
        server.step(1_000_000_000)


class Raw:
    """The same packets in a blocking loop and nothing else: no check of counters, no lock."""

    name = "raw socket"

    def __init__(self, port: int) -> None:
        self.counter = 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.connect(("127.0.0.1", port))
        # By the system: a timeout of Python's costs a call of poll() each time.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 5, 0))
        connected = self.ask(b"\xff\x00")
        self.room = connected[3] - 1
        self.step = 255 // self.room * self.room

    def send(self, packet: bytes) -> None:
        head = HEADER.pack(len(packet), self.counter)
        self.counter = (self.counter + 1) & 0xFFFF
        self.sock.send(head + packet)

    def ask(self, packet: bytes) -> bytes:
        self.send(packet)
        return self.sock.recv(2048)[4:]

    def upload(self, size: int) -> bytes:
        self.ask(b"\xf6\0\0\0" + ADDRESS.to_bytes(4, "little"))
        send, recv, room = self.send, self.sock.recv, self.room
        parts: list[bytes] = []
        while size:
            count = min(self.step, size)
            send(bytes((0xF5, count)))
            parts += [recv(2048)[5:] for _ in range(-(-count // room))]
            size -= count
        return b"".join(parts)

    def close(self) -> None:
        self.sock.close()


class Ours:
    """The public way: a procedure with checks and recovery; a pump thread beside it."""

    name = "xcaliper"

    def __init__(self, port: int) -> None:
        from xcaliper.core.address import Address
        from xcaliper.transport.pump import Link
        from xcaliper.transport.url import open_transport
        from xcaliper.xcp.master import MasterMachine
        from xcaliper.xcp.procedures.connect import connect
        from xcaliper.xcp.procedures.memory import XcpMemory

        self.link = Link(open_transport(f"udp://127.0.0.1:{port}"), MasterMachine())
        self.memory = XcpMemory(self.link.run(connect()))
        self.address = Address(ADDRESS)

    def upload(self, size: int) -> bytes:
        return self.link.run(self.memory.read(self.address, size))

    def close(self) -> None:
        counters = self.link.machine.counters
        assert (counters.timeouts, counters.stray, counters.malformed) == (0, 0, 0), counters
        self.link.close()


class Pyxcp:
    """pyxcp's fetch, which cuts into UPLOADs as MAX_CTO allows."""

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

    def upload(self, size: int) -> bytes:
        self.master.setMta(ADDRESS)
        return bytes(self.master.fetch(size))

    def close(self) -> None:
        self.master.close()


class Tap:
    """Stands between a contender and the slave and notes the sizes of what goes by, per direction."""

    def __init__(self, port: int) -> None:
        self.near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.near.bind(("127.0.0.1", 0))
        self.far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.far.connect(("127.0.0.1", port))
        self.port = self.near.getsockname()[1]
        self.seen: list[tuple[str, int]] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.relay)
        self.thread.start()

    def relay(self) -> None:
        master: tuple[str, int] | None = None
        while not self.ended.is_set():
            for sock in select.select([self.near, self.far], [], [], 0.05)[0]:
                if sock is self.near:
                    data, master = self.near.recvfrom(2048)
                    self.seen.append(("to the slave", len(data)))
                    self.far.send(data)
                elif master is not None:
                    data = self.far.recv(2048)
                    self.seen.append(("to the master", len(data)))
                    self.near.sendto(data, master)

    def close(self) -> None:
        self.ended.set()
        self.thread.join()
        self.near.close()
        self.far.close()


def traffic(kind: type[Raw | Ours], port: int, size: int) -> Counter[tuple[str, int]]:
    """How many datagrams of which size one upload takes."""
    with contextlib.closing(Tap(port)) as tap, contextlib.closing(kind(tap.port)) as contender:
        before = len(tap.seen)
        contender.upload(size)
        return Counter(tap.seen[before:])


def seconds_of(contender: Raw | Ours | Pyxcp, size: int) -> float:
    """Time of one upload; the bytes are checked."""
    start = time.perf_counter()
    data = contender.upload(size)
    taken = time.perf_counter() - start
    expected = bytes(range(256)) * (size // 256 + 1)
    assert data == expected[:size], f"{contender.name}: wrong bytes"
    return taken


def measure(port: int, rounds: int, size: int) -> dict[str, list[float]]:
    """Megabytes per second of each contender, round by round."""
    plain, ours = traffic(Raw, port, size), traffic(Ours, port, size)
    assert plain == ours, f"not the same packets: {plain} and {ours}"
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        for kind in (Raw, Ours, Pyxcp):
            try:
                contender = kind(port)  # a new session each time: the virtual ECU has one master
            except ImportError:
                print(f"{kind.name}: not installed, left out")
                continue
            with contextlib.closing(contender):
                contender.upload(4096)
                # A slow peer gets a part of it: its speed does not depend on the amount.
                part = size // 8 if kind is Pyxcp else size
                rates.setdefault(kind.name, []).append(part / seconds_of(contender, part) / 1e6)
    return rates


def show(title: str, rates: dict[str, list[float]], bars: dict[str, float]) -> bool:
    """Print the figures; True when every bar is met. A slow slave bounds what can be reached."""
    met = True
    for name, values in rates.items():
        print(f"{title:34} {name:12} {statistics.median(values):8.2f} MB/s")
    for name, bar in bars.items():
        if name in rates:
            ratio = ratio_of(rates[Ours.name], rates[name])
            met &= ratio >= bar
            word = "met" if ratio >= bar else "MISSED"
            print(f"{title:34} xcaliper : {name:10} {ratio:6.2f}  (at least {bar})  {word}")
    if Pyxcp.name in rates:
        most = ratio_of(rates[Raw.name], rates[Pyxcp.name])
        print(f"{title:34} raw socket : pyxcp    {most:6.2f}  (what a client without cost reaches)")
    return met


def ratio_of(ours: list[float], theirs: list[float]) -> float:
    """Median of the ratios, round by round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=1 << 20)
    parser.add_argument("--python-slave", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help="exit code 1 when a bar is missed")
    options = parser.parse_args()
    if options.serve:
        return serve()
    rounds = max(options.rounds, 1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    met = True
    with tempfile.TemporaryDirectory() as folder:
        command = slave_command(folder, python=options.python_slave)
        for max_cto in MAX_CTOS:
            with slave(command, max_cto) as port:
                rates = measure(port, rounds, options.size)
            met &= show(f"canned slave, MAX_CTO {max_cto}", rates, BARS)
    with virtual_ecu() as port:
        rates = measure(port, rounds, options.size)
    met &= show("virtual ECU, MAX_CTO 255", rates, BARS)
    return int(not met and options.check)


if __name__ == "__main__":
    sys.exit(main())
