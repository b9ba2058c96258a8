"""Receivers of bench_daq.py, each a process of its own: arguments as JSON, result as JSON.

python bench/daq_receiver.py '{"kind": "link", "mode": "udp", "port": 5555, ...}'
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

SETTLE_S = 0.3
QUEUED_BYTES = 16 << 20


def raster_plan(lists: list[list[int]]):
    """A plan for lists of (ODTs, data bytes per ODT, weight), as the sender's arguments say."""
    from xcaliper.core.address import Address
    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.core.ticks import TickClock
    from xcaliper.daq import DaqPlan, EventChannel, Raster
    from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
    from xcaliper.xcp.profile import DtoFormat

    rasters, setups = [], []
    for index, (odts, size, weight) in enumerate(lists):
        sizes = tuple(size - 4 if odt == 0 else size for odt in range(odts))
        dtype = np.dtype([(f"s{index}", "u1", (sum(sizes),))])
        event = EventChannel(index, f"e{index}", 100_000 * weight)
        rasters.append(Raster(index, event.name, event, index, 1, dtype, sizes))
        entries = tuple(OdtSetup((OdtEntry(Address(0), one),)) for one in sizes)
        setups.append(DaqListSetup(index, index, entries))
    head = DtoFormat(1, 4)
    return DaqPlan(tuple(setups), tuple(rasters), head, ByteOrder.INTEL, TickClock(1, 3, 4), 1400)


def use_tier(tier: str) -> None:
    """Compile now, or never."""
    from xcaliper.transport import drain

    if tier == "compiled":
        if not drain.prepare(wait_s=120):
            raise SystemExit("the extra fast (numba) is not installed")
    else:
        drain.prepare = lambda **_: False
        drain.drain_kernel = drain.reside_kernel = lambda: None


def is_sending(link) -> bool:
    """What the slave says."""
    from xcaliper.proto.procedure import ask
    from xcaliper.xcp.std import GetStatus

    return bool(link.run(ask(GetStatus())).session_status.daq_running)


class RawFiles:
    """A sink that appends rows to a file per raster, as the C reference does."""

    def __init__(self, folder: str, rasters: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        self._files = [os.open(Path(folder) / f"p{n}", flags, 0o600) for n in range(rasters)]
        self.rows = 0

    def write(self, block) -> None:
        os.write(self._files[block.raster], np.ascontiguousarray(block.rows).view(np.uint8).data)
        self.rows += len(block)

    def event(self, event) -> None:
        pass

    def tick(self, now_ns: int) -> None:
        pass

    def close(self) -> None:
        for file in self._files:
            os.close(file)


def link(job: dict) -> dict:
    """The project's link, decoder and recording; the lists are the sender's own."""
    from xcaliper.daq.framed import FramedDecoder
    from xcaliper.proto.procedure import ask
    from xcaliper.record.pipeline import Pipeline
    from xcaliper.transport import drain
    from xcaliper.transport.pump import Link
    from xcaliper.transport.url import open_transport
    from xcaliper.xcp.daq import StartStopSynch
    from xcaliper.xcp.master import MasterMachine
    from xcaliper.xcp.std import Connect

    use_tier(job["tier"])
    plan = raster_plan(job["lists"])
    decoder = FramedDecoder(
        plan,
        kernel=drain.drain_kernel,
        resident=drain.reside_kernel,
        control=drain.control_block(),
    )
    rows = 0

    with contextlib.ExitStack() as stack:
        pipeline = None
        if job["record"]:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=job["folder"]))
            pipeline = Pipeline([RawFiles(folder, len(plan.rasters))], max_bytes=1 << 30)

        def sink(blocks) -> None:
            nonlocal rows
            for block in blocks:
                rows += len(block)
                if pipeline is not None:
                    pipeline.put(block)
            # C writes before it reads on; so the stream waits for the files here as well
            while pipeline is not None and pipeline.stats.queued_bytes > QUEUED_BYTES:
                time.sleep(0.0005)

        transport = open_transport(f"{job['mode']}://127.0.0.1:{job['port']}")
        connection = stack.enter_context(Link(transport, MasterMachine()))
        connection.run(ask(Connect()))
        connection.start_blocks(decoder, sink)
        used, began = time.process_time(), time.perf_counter()
        connection.run(ask(StartStopSynch(mode=1)))
        last = (0, began)
        deadline = began + job["limit_s"]
        while time.perf_counter() < deadline:
            time.sleep(0.1)
            now = (decoder.daq_received, time.perf_counter())
            if now[0] != last[0] or not now[0]:
                last = now
            elif now[1] - last[1] > SETTLE_S and not is_sending(connection):
                break
        connection.stop_daq()
        if pipeline is not None:
            pipeline.close()
        used = time.process_time() - used
        dropped = pipeline.stats.dropped_samples if pipeline else 0
        return {
            "cpu_s": used,
            "s": last[1] - began,
            "rows": rows - dropped,
            "lost": decoder.quality.lost_messages,
            "clean": decoder.quality.is_clean,
        }


def bare(job: dict) -> dict:
    """Nothing but a loop over recv in Python: the least that a receiver in Python can cost."""
    import socket

    style = socket.SOCK_STREAM if job["mode"] == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, style) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.connect(("127.0.0.1", job["port"]))
        sock.settimeout(SETTLE_S * 4)
        buffer = memoryview(bytearray(QUEUED_BYTES >> 6))
        used, size = time.process_time(), 0
        for command in (b"\xff\x00", b"\xdd\x01"):  # CONNECT, START_STOP_SYNCH
            sock.send(len(command).to_bytes(2, "little") + b"\x00\x00" + command)
            sock.recv_into(buffer)
        with contextlib.suppress(TimeoutError):
            while more := sock.recv_into(buffer):
                size += more
        return {"cpu_s": time.process_time() - used, "bytes": size}


def description(signals: list[int]) -> str:
    """An A2L with so many floats per event."""
    head = 'ASAP2_VERSION 1 71\n/begin PROJECT bench ""\n/begin MODULE m ""\n'
    parts = [head]
    address = 0x1000
    for event, count in enumerate(signals):
        for number in range(count):
            parts.append(
                f'/begin MEASUREMENT e{event}_{number} "" FLOAT32_IEEE NO_COMPU_METHOD 0 0 '
                f"-1e9 1e9 ECU_ADDRESS {address:#x} /end MEASUREMENT\n"
            )
            address += 4
    return "".join([*parts, "/end MODULE\n/end PROJECT\n"])


def burn(stop: threading.Event) -> None:
    """What a busy thread of an application does: Python, without a pause."""
    value = 0
    while not stop.is_set():
        for number in range(1000):
            value = (value * 31 + number) & 0xFFFF


def api(job: dict) -> dict:
    """connect() and measure(), as a user would."""
    from xcaliper import connect
    from xcaliper.proto.procedure import ask
    from xcaliper.xcp.std import UserCmd

    use_tier(job["tier"])
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        a2l = Path(folder) / "bench.a2l"
        a2l.write_text(description(job["signals"]), encoding="ascii")
        connection = stack.enter_context(
            connect(f"{job['mode']}://127.0.0.1:{job['port']}", a2l, cache=False)
        )
        events = {f"e{event}_*": event for event in range(len(job["signals"]))}
        measurement = connection.measure(
            "*", event=events, keep=False, raw=True, duration_s=job["send_s"]
        )
        stop = threading.Event()
        if job["busy"]:
            thread = threading.Thread(target=burn, args=(stop,), daemon=True)
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        names = [raster.name for raster in measurement.plan.rasters]
        rows = dict.fromkeys(names, 0)
        measurement.start()
        # From the start of the lists to the last samples, as of the other contender.
        first = last = time.process_time(), time.perf_counter()
        for block in measurement:
            rows[block.event] += len(block)
            last = time.process_time(), time.perf_counter()
        used, took = last[0] - first[0], last[1] - first[1]
        stop.set()
        sent = [
            int.from_bytes(connection.link.run(ask(UserCmd(sub_command=n))).data[:4], "little")
            for n in range(len(names))
        ]
        quality = measurement.quality
        return {
            "cpu_s": used,
            "s": took,
            "rows": sum(rows.values()),
            "sent": sum(sent),
            "signals": sum(rows[r.name] * len(r.signals) for r in measurement.plan.rasters),
            "lost": quality.lost,
            "dropped": quality.dropped,
        }


def main() -> None:
    job = json.loads(sys.argv[1])
    if job.get("core") is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {job["core"]})
    print(json.dumps({"link": link, "api": api, "bare": bare}[job["kind"]](job)))


if __name__ == "__main__":
    main()
