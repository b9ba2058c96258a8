"""Round trip of a bypass, against a plain socket that sends back what it gets.

A slave in a process of its own samples, sends, waits for the STIM packet and takes the time; the same process
takes that of a plain echo, by the same socket calls. Both share one core with the master and take
turns; the figures are medians of the rounds, and the ratios are the result.

    python bench/bench_bypass.py [--rounds 5] [--count 2000]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time

EVENT = 1
ECHO_BYTES = 21
TIMEOUT_S = 2.0
WARM_UP = 100


# -- the slave's process --------------------------------------------------------------------------


def peer() -> int:
    """Serve XCP and echo measurements on two sockets until the first line of the input."""
    import select

    from xcaliper.sim.gallery import build_ecu
    from xcaliper.xcp.framing.eth import DatagramReader, EthFraming

    ecu = build_ecu("demo-engine")
    xcp, echo = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for sock in (xcp, echo):
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(TIMEOUT_S)
    print(json.dumps([xcp.getsockname()[1], echo.getsockname()[1]]), flush=True)
    framing, reader = EthFraming(), DatagramReader()
    trips: list[int] = []

    def serve() -> int:
        """Take one datagram; the time at which it came when a STIM packet was in it, else 0."""
        data, address = xcp.recvfrom(65536)
        now = time.perf_counter_ns()
        came = False
        for packet in reader.feed(data, now):
            if packet[0] == 0xFF:
                framing.reset()
                reader.reset()
            came |= packet[0] < 0xC0
            ecu.slave.receive(packet, now)
        for packet in ecu.slave.outgoing():
            xcp.sendto(framing.frame(packet), address)
        nonlocal master
        master = address
        return now if came else 0

    master: object = None
    while True:
        ready, _, _ = select.select([xcp, echo, sys.stdin], [], [], TIMEOUT_S)
        if sys.stdin in ready:
            if sys.stdin.readline().strip() != "report":
                return 0
            print(json.dumps(trips), flush=True)
            trips.clear()
        if echo in ready:
            data, address = echo.recvfrom(65536)
            for _ in range(int(data)):
                begun = time.perf_counter_ns()
                echo.sendto(bytes(ECHO_BYTES), address)
                echo.recv(65536)
                trips.append(time.perf_counter_ns() - begun)
            echo.sendto(b"", address)
        if xcp in ready:
            serve()
        while ecu.slave.stim_running:
            ecu.slave.event(EVENT, time.perf_counter_ns())
            (frame,) = [framing.frame(packet) for packet in ecu.slave.outgoing()]
            begun = time.perf_counter_ns()
            xcp.sendto(frame, master)
            try:
                while not (came_ns := serve()) and ecu.slave.stim_running:
                    pass
                if came_ns:
                    trips.append(came_ns - begun)
            except TimeoutError:
                print("no answer in time", file=sys.stderr)
                return 1


# -- the master's process -------------------------------------------------------------------------


class Peer:
    """The other process."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--peer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.xcp, self.echo = json.loads(self.process.stdout.readline())

    def report(self) -> list[int]:
        """Round trips since the last report, ns."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("report\n")
        self.process.stdin.flush()
        found: list[int] = json.loads(self.process.stdout.readline())
        return found[WARM_UP:]

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def echoed(peer_: Peer, count: int) -> list[int]:
    """Round trips of a blocking loop that sends back what it gets."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", peer_.echo))
        sock.settimeout(TIMEOUT_S)
        sock.send(str(count + WARM_UP).encode())
        while data := sock.recv(65536):
            sock.send(data)
    return peer_.report()


def bypassed(ecu, peer_: Peer, count: int, form: str) -> list[int]:
    """Round trips of a bypass with a function of two numbers."""

    def plain(speed: float, target: float) -> float:
        return 4.0 + 0.001 * (target - speed)

    def arrays(taken, given) -> None:
        given[0] = 4.0 + 0.001 * (taken[1] - taken[0])

    bypass = ecu.bypass(
        ["EngineSpeed", "IdleSpeedTarget"],
        "IdleThrottle",
        arrays if form == "arrays" else plain,
        event=EVENT,
        arrays=form == "arrays",
        keep=0,
    )
    with bypass:
        while bypass.samples < count + WARM_UP:
            time.sleep(0.05)
    return peer_.report()


def main() -> int:
    """Run all contenders in turn and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer()
    import xcaliper

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rows: dict[str, list[tuple[float, float]]] = {}
    peer_ = Peer()
    try:
        with xcaliper.connect(f"udp://127.0.0.1:{peer_.xcp}", timeout_s=TIMEOUT_S) as ecu:
            for _ in range(max(options.rounds, 1)):
                found = {"echo": echoed(peer_, options.count)}
                for form in ("scalars", "arrays"):
                    found[form] = bypassed(ecu, peer_, options.count, form)
                for name, trips in found.items():
                    trips.sort()
                    row = trips[len(trips) // 2] / 1e3, trips[len(trips) * 99 // 100] / 1e3
                    rows.setdefault(name, []).append(row)
    finally:
        peer_.close()
    print(f"UDP loopback, one core, {options.rounds} rounds of {options.count} round trips")
    for name, values in rows.items():
        median, p99 = (statistics.median(one) for one in zip(*values, strict=True))
        print(f"{name:8} median {median:8.1f} µs   p99 {p99:8.1f} µs")
    for name in ("scalars", "arrays"):
        median, p99 = (
            statistics.median(
                ours[at] / plain[at] for ours, plain in zip(rows[name], rows["echo"], strict=True)
            )
            for at in (0, 1)
        )
        print(f"bypass ({name}) : echo  median {median:5.2f}, p99 {p99:5.2f}  (for information)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
