"""The slave's side of DAQ: gather and send against a C program of the same algorithm, and in real time.

Run: ``python3 dev.py bench slave``. Figures are medians of interleaved rounds of CPU time; the ratios
are the result. Without a C compiler the gather is held against memcpy.
"""

from __future__ import annotations

import ctypes
import json
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.transport.ports import UdpPort
from xcaliper.transport.server import SlaveServer
from xcaliper.wire.codec import codec_for
from xcaliper.xcp import daq
from xcaliper.xcp.codes import DaqListModeRequest
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import EventConfig, SlaveConfig

ROUNDS = 9
EVENTS = 2_000
BATCH = 40  # events between two turns of the server, which come every 4 ms, at 10 kHz
IMAGE = 1 << 20
MAX_DTO = 1468
SECONDS = 6.0
BAR_C = 0.35
BAR_SHARE = 0.15


class Image:
    """1 MiB of variables, with the slave's scratch room behind it."""

    def __init__(self):
        self.data = bytearray(IMAGE + 8192)
        self.data[:IMAGE] = random.Random(1).randbytes(IMAGE)

    def view(self, address, size_bytes):
        return memoryview(self.data)[address.value : address.value + size_bytes]

    def scratch(self):
        return memoryview(self.data)[IMAGE:]


def scattered(count):
    """(offset, size) of variables of 1 to 8 bytes, all over the image, in random order of place."""
    slots = random.Random(2).sample(range(IMAGE // 8), count)
    return [(8 * slot, (1, 2, 4, 4, 8)[n % 5]) for n, slot in enumerate(slots)]


def cut(variables):
    """ODTs of at most 255 entries; the first one is as long as the others, its timestamp included."""
    first, rest = variables[:255], variables[255:]
    late = next(variable for variable in first if variable[1] == 4)
    first.remove(late)
    odts = [first, *(rest[at : at + 255] for at in range(0, len(rest), 255))]
    odts[-1].append(late)
    for odt in odts:
        random.Random(3).shuffle(odt)
    return odts


class Sink:
    """A receiver that never reads: once its buffer is full, both senders pay for sending alone."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.address = self.sock.getsockname()

    def close(self):
        self.sock.close()


class Slave:
    """A slave machine behind a UDP port, with one list that runs; nobody reads what it sends."""

    def __init__(self, odts):
        config = SlaveConfig(max_dto=MAX_DTO, events=(EventConfig(0, "fast", 100, 3),))
        self.machine = SlaveMachine(config, Image())
        self.port = UdpPort("127.0.0.1", 0)
        self.server = SlaveServer(Adapter(self.machine), [self.port])
        self.sink = Sink()
        self.sink.sock.sendto(b"\x02\0\0\0\xff\0", self.port.address)
        self.server.step(100_000_000)
        self.at = 0
        for request in requests(odts):
            codec = codec_for(type(request), config.byte_order, 1)
            self.machine.receive(codec.encode(request), 0)
            (answer,) = self.machine.outgoing()
            assert answer[0] == 0xFF, (request, answer)

    def run(self, events, send=True):
        for _ in range(events // BATCH):
            for _ in range(BATCH):
                self.at += 100_000
                self.machine.event(0, self.at)
            if send:
                self.server.flush()
            else:
                for block in self.machine.outgoing_blocks():
                    block.release()
        assert self.machine.counters.lost_samples == 0

    def close(self):
        self.server.close()
        self.sink.close()


class Adapter:
    """The machine as its server wants it, without a clock."""

    def __init__(self, machine):
        self.machine = machine
        self.alignment = 1
        for name in ("receive", "outgoing", "outgoing_blocks", "drop"):
            setattr(self, name, getattr(machine, name))

    @property
    def connected(self):
        return self.machine.connected

    def due(self):
        return None

    def on_time(self, now_ns):
        """Nothing is due."""


def requests(odts):
    yield daq.FreeDaq()
    yield daq.AllocDaq(daq_count=1)
    yield daq.AllocOdt(daq_list=0, odt_count=len(odts))
    for number, odt in enumerate(odts):
        yield daq.AllocOdtEntry(daq_list=0, odt=number, entry_count=len(odt))
    for number, odt in enumerate(odts):
        yield daq.SetDaqPtr(daq_list=0, odt=number, odt_entry=0)
        for offset, size in odt:
            yield daq.WriteDaq(size=size, address=offset)
    yield daq.SetDaqListMode(mode=DaqListModeRequest(0x10), daq_list=0, event_channel=0)
    yield daq.StartStopDaqList(mode=1, daq_list=0)


class Reference:
    """The C program, in this process by ctypes; one call runs all events of a round."""

    def __init__(self, odts):
        folder = tempfile.TemporaryDirectory()
        self.folder = folder
        library = Path(folder.name) / "reference.so"
        source = Path(__file__).with_name("slave_reference.c")
        command = ["gcc", "-O3", "-shared", "-fPIC", "-o", str(library), str(source)]
        subprocess.run(command, check=True)
        self.run_c = ctypes.CDLL(str(library)).run
        flat = [variable for odt in odts for variable in odt]
        self.image = np.frombuffer(Image().data, np.uint8)
        self.offsets = np.array([offset for offset, _ in flat], np.uint32)
        self.sizes = np.array([size for _, size in flat], np.uint8)
        self.first = np.cumsum([0, *map(len, odts)]).astype(np.uint32)
        self.odts = len(odts)
        frames = [6 + 4 * (n == 0) + sum(s for _, s in odt) for n, odt in enumerate(odts)]
        self.total, self.segment = sum(frames), frames[0]
        assert len({*frames[:-1]}) == 1, "one run of equal datagrams"
        assert frames[-1] <= frames[0]
        self.out = np.zeros(self.total, np.uint8)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.sink = Sink()

        place = int.from_bytes(socket.inet_aton("127.0.0.1"), sys.byteorder)
        self.arguments = [
            *(ctypes.c_void_p(one.ctypes.data) for one in (self.image, self.offsets, self.sizes)),
            *(
                ctypes.c_void_p(self.first.ctypes.data),
                self.odts,
                ctypes.c_void_p(self.out.ctypes.data),
            ),
            *(self.total, ctypes.c_uint16(self.segment)),
        ]
        self.to = [place, ctypes.c_uint16(self.sink.address[1])]

    def run(self, events, send=True):
        handle = self.sock.fileno() if send else -1
        sent = self.run_c(*self.arguments, handle, *self.to, events)
        assert sent == events, "the C program could not send"

    def close(self):
        self.sock.close()
        self.sink.close()
        self.folder.cleanup()


def cpu(run, events, send):
    begin = time.process_time()
    run(events, send)
    return time.process_time() - begin


def memcpy_time(size):
    source, target = np.zeros(size, np.uint8), np.empty(size, np.uint8)
    begin = time.process_time()
    for _ in range(EVENTS):
        target[:] = source
    return time.process_time() - begin


def interleaved(ours, theirs):
    """Medians of CPU seconds per round, taken in turns."""
    a, b = [], []
    for _ in range(ROUNDS):
        a.append(ours())
        b.append(theirs())
    return statistics.median(a), statistics.median(b)


def gather_and_send(count):
    odts = cut(scattered(count))
    slave = Slave(odts)
    rows = []
    if shutil.which("gcc"):
        reference = Reference(odts)
        for title, send in (("gather", False), ("gather + send", True)):
            slave.run(EVENTS // 4, send), reference.run(EVENTS // 4, send)
            ours, theirs = interleaved(
                lambda send=send: cpu(slave.run, EVENTS, send),
                lambda send=send: cpu(reference.run, EVENTS, send),
            )
            rows.append(
                {
                    "case": f"{title}, {count} variables",
                    "us_per_event": round(ours / EVENTS * 1e6, 2),
                    "of_c": round(theirs / ours, 3),
                    "bar": BAR_C if send and count == 1000 else None,
                }
            )
        reference.close()
    else:
        print("no C compiler: the gather is held against memcpy only")
        size = sum(size for odt in odts for _, size in odt)
        ours, theirs = interleaved(lambda: cpu(slave.run, EVENTS, False), lambda: memcpy_time(size))
        rows.append(
            {
                "case": f"gather, {count} variables",
                "us_per_event": round(ours / EVENTS * 1e6, 2),
                "of_memcpy": round(theirs / ours, 3),
                "bar": None,
            }
        )
    slave.close()
    return rows


def real_time(signals, rate_hz, limit):
    """A virtual ECU in this process, in real time: CPU share of its thread, events missed, bytes sent."""
    ecu = build_ecu("many-signals", SlaveConfig(max_dto=MAX_DTO), signals=signals, rate_hz=rate_hz)
    with EcuServer(ecu, datagram_limit=limit) as server:
        port = server.endpoints[0].port
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", port))
        sock.settimeout(5)
        sock.send(b"\x02\0\0\0\xff\0")
        sock.recv(2000)
        for n, request in enumerate(requests(cut_signals(ecu, signals))):
            packet = codec_for(type(request), ecu.slave.config.byte_order, 1).encode(request)
            sock.send(len(packet).to_bytes(2, "little") + (n + 1).to_bytes(2, "little") + packet)
            assert sock.recv(2000)[4] == 0xFF, request
        machine = ecu.slave
        time.sleep(0.5)
        before, begin, start = machine.counters.dtos, time.perf_counter(), thread_cpu(server)
        time.sleep(SECONDS)
        took, used = time.perf_counter() - begin, thread_cpu(server) - start
        sent = machine.counters.dtos - before
        sock.close()
    odts = len(cut_signals(ecu, signals))
    return {
        "case": f"{signals} variables at {rate_hz} Hz, datagrams of {limit}",
        "share_of_a_core": round(used / took, 3),
        "events_per_s": round(sent / odts / took),
        "missed": ecu.scheduler.skipped + machine.counters.lost_samples,
        "bar": BAR_SHARE if rate_hz == 10_000 else None,
    }


def cut_signals(ecu, signals):
    """ODTs over all signals in the order of memory; neighbours share an entry, as a master does it."""
    start = ecu.image["Sig00000"].address
    last = ecu.image[f"Sig{signals - 1:05d}"]
    size = last.address + last.size_bytes - start
    entries = [(start + at, min(240, size - at)) for at in range(0, size, 240)]
    per_odt = (MAX_DTO - 6) // 240
    return [entries[at : at + per_odt] for at in range(0, len(entries), per_odt)]


def thread_cpu(server):
    """CPU seconds of the server's thread."""
    return time.clock_gettime(time.pthread_getcpuclockid(server.thread_id))


def measure():
    rows = [row for count in (1000, 10_000) for row in gather_and_send(count)]
    rows.append(real_time(1000, 10_000, 1472))
    rows.append(real_time(1000, 10_000, 60_000))
    rows.append(real_time(10_000, 1000, 1472))
    return rows


def told(row):
    """One line of the report: figure, ratio, bar."""
    if "missed" in row:
        verdict = f"{row['share_of_a_core']:6.1%} of a core {row['events_per_s']:8} events/s {row['missed']} missed"
        bar = "" if row["bar"] is None else f" (bar {row['bar']:.0%})"
        return f"{row['case']:52} {verdict} (bar 0){bar}"
    ratio = f"{row['of_c']:.3f} of C" if "of_c" in row else f"{row['of_memcpy']:.3f} of memcpy"
    bar = "" if row["bar"] is None else f" (bar {row['bar']})"
    return f"{row['case']:52} {row['us_per_event']:7.2f} us/event {ratio}{bar}"


def main():
    rows = measure()
    if "--json" in sys.argv:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(told(row))


if __name__ == "__main__":
    main()
