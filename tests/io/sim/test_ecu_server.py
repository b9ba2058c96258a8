"""The server on real sockets of the loopback, with ports of the system's choice."""

import contextlib
import itertools
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from support.served import wait_for
from xcaliper.core.errors import LinkError, NotFoundError, UsageError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.process import EcuProcess
from xcaliper.sim.server import EcuServer

CONNECT = b"\xff\x00"
GET_STATUS = b"\xfd"


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::1", 0))
        return True
    return False


class Peer:
    """A raw master on one socket."""

    def __init__(self, endpoint):
        family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
        stream = endpoint.scheme == "tcp"
        kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
        self.sock = socket.socket(family, kind)
        self.sock.settimeout(20)  # a busy machine answers late
        try:
            self.sock.connect((endpoint.host, endpoint.port))
        except OSError:
            self.sock.close()
            raise
        self.counter = 0
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def frame(self, packet):
        self.counter += 1
        return struct.pack("<HH", len(packet), self.counter - 1) + packet

    def send(self, packet):
        self.sock.sendall(self.frame(packet))

    def receive(self):
        while len(self.buffer) < 4 or len(self.buffer) < 4 + self.buffer[0] + 256 * self.buffer[1]:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        size, counter = struct.unpack_from("<HH", self.buffer)
        packet, self.buffer = self.buffer[4 : 4 + size], self.buffer[4 + size :]
        return counter, packet

    def ask(self, packet):
        self.send(packet)
        while True:
            counter, answer = self.receive()
            if answer[0] >= 0xFE:
                return counter, answer


@pytest.fixture
def server():
    urls = ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"]
    with EcuServer(build_ecu("demo-engine"), urls) as made:
        yield made


@pytest.mark.parametrize("index", [0, 1])
def test_commands_are_served_and_counted_from_zero(server, index):
    with Peer(server.endpoints[index]) as peer:
        assert peer.ask(CONNECT)[0] == 0
        assert peer.ask(GET_STATUS)[0] == 1
        assert peer.ask(CONNECT)[0] == 0


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")
@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_ipv6_is_served(scheme):
    with EcuServer(build_ecu("demo-engine"), [f"{scheme}://[::1]:0"]) as server:
        assert server.url.startswith(f"{scheme}://[::1]:")
        with Peer(server.endpoints[0]) as peer:
            assert peer.ask(CONNECT)[1][0] == 0xFF


def test_a2l_names_the_real_port(server):
    assert f"{server.endpoints[0].port} ADDRESS" in server.ecu.a2l


def test_tcp_stream_may_be_cut_anywhere(server):
    with Peer(server.endpoints[1]) as peer:
        data = peer.frame(CONNECT) + peer.frame(GET_STATUS)
        for at in range(len(data)):
            peer.sock.sendall(data[at : at + 1])
        assert peer.receive()[1][0] == 0xFF
        assert peer.receive()[1][0] == 0xFF


def test_several_packets_in_one_datagram(server):
    with Peer(server.endpoints[0]) as peer:
        peer.sock.send(peer.frame(CONNECT) + peer.frame(GET_STATUS))
        assert peer.receive()[1][0] == 0xFF
        assert peer.receive()[1][0] == 0xFF


def test_a_stranger_is_ignored_until_it_connects(server):
    with Peer(server.endpoints[0]) as owner, Peer(server.endpoints[0]) as stranger:
        owner.ask(CONNECT)
        stranger.send(GET_STATUS)
        assert owner.ask(GET_STATUS)[1][0] == 0xFF
        assert server.counters.strangers == 1
        assert stranger.ask(CONNECT)[1][0] == 0xFF
        owner.send(GET_STATUS)
        stranger.ask(GET_STATUS)
        owner.sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            owner.receive()


def test_damage_on_udp_does_no_harm(server):
    with Peer(server.endpoints[0]) as peer:
        for junk in (b"", b"\x01", b"\xff\xff\x00\x00", b"\x00\x00\x00\x00", bytes(2000)):
            peer.sock.send(junk)
        assert peer.ask(CONNECT)[1][0] == 0xFF


def test_broken_stream_is_closed_and_the_next_one_is_served(server):
    with Peer(server.endpoints[1]) as peer:
        peer.ask(CONNECT)
        peer.sock.sendall(b"\xff\xff\x00\x00" * 4)
        with pytest.raises((EOFError, ConnectionError)):
            peer.receive()
    with Peer(server.endpoints[1]) as peer:
        assert peer.ask(CONNECT)[1][0] == 0xFF


def test_second_tcp_master_is_turned_away_during_a_session(server):
    with Peer(server.endpoints[1]) as first:
        first.ask(CONNECT)
        with Peer(server.endpoints[1]) as second, pytest.raises((EOFError, ConnectionError)):
            second.ask(CONNECT)
        assert first.ask(GET_STATUS)[1][0] == 0xFF
    with Peer(server.endpoints[1]) as third:
        assert third.ask(CONNECT)[1][0] == 0xFF


def test_daq_runs_in_real_time(server):
    address = server.ecu.image["TaskCounter1ms"].address
    with Peer(server.endpoints[0]) as peer:
        peer.ask(CONNECT)
        for packet in (
            b"\xd6",
            struct.pack("<BBH", 0xD5, 0, 1),
            struct.pack("<BBHB", 0xD4, 0, 0, 1),
            struct.pack("<BBHBB", 0xD3, 0, 0, 0, 1),
            struct.pack("<BBHBB", 0xE2, 0, 0, 0, 0),
            struct.pack("<BBBBI", 0xE1, 0xFF, 4, 0, address),
            struct.pack("<BBHHBB", 0xE0, 0x10, 0, 0, 1, 0),
            struct.pack("<BBH", 0xDE, 1, 0),
        ):
            assert peer.ask(packet)[1][0] == 0xFF
        counts, started = [], time.monotonic()
        while len(counts) < 200:
            packet = peer.receive()[1]
            if packet[0] < 0xFC:
                counts.append(struct.unpack("<BBII", packet)[3])
        elapsed = time.monotonic() - started
    skipped = server.ecu.scheduler.skipped
    steps = [b - a for a, b in itertools.pairwise(counts)]
    assert steps == [1] * 199
    assert 0.1 < elapsed < 2.0 or skipped


def test_close_ends_thread_and_sockets_in_bounded_time():
    server = EcuServer(build_ecu("demo-engine")).start()
    endpoint = server.endpoints[0]
    started = time.monotonic()
    server.close()
    assert time.monotonic() - started < 2
    assert all(thread.name != "virtual-ecu" for thread in threading.enumerate())
    EcuServer(build_ecu("demo-engine"), [str(endpoint)]).close()  # the port is free again
    with pytest.raises(UsageError):
        server.start()


def test_the_end_is_announced_to_the_master(server):
    with Peer(server.endpoints[0]) as peer:
        peer.ask(CONNECT)
        server.close()
        assert peer.receive()[1] == b"\xfd\x07"  # EV_SESSION_TERMINATED


def test_serving_for_a_time_returns():
    started = time.monotonic()
    server = EcuServer(build_ecu("demo-engine"))
    server.serve(0.1)
    assert time.monotonic() - started < 2
    with pytest.raises(UsageError):
        server.serve(0.1)


def test_a_taken_port_is_named(server):
    with pytest.raises(LinkError, match="taken"):
        EcuServer(build_ecu("demo-engine"), ["udp://127.0.0.1:0", str(server.endpoints[0])])
    with pytest.raises(UsageError):
        EcuServer(build_ecu("demo-engine"), [])
    with pytest.raises(UsageError):
        EcuServer(build_ecu("demo-engine"), ["can://x"])


def test_child_process_serves_and_ends():
    with EcuProcess(urls=["tcp://127.0.0.1:0"]) as child:
        assert child.pid
        with Peer(child.endpoints[0]) as peer:
            assert peer.ask(CONNECT)[1][0] == 0xFF
    with pytest.raises(OSError, match="refused"):
        Peer(child.endpoints[0])


def test_child_process_tells_what_is_wrong():
    with pytest.raises(NotFoundError, match="demo-engine"):
        EcuProcess("nothing").start()


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_foreground_server(number):
    code = (
        "from xcaliper.sim.gallery import build_ecu\n"
        "from xcaliper.sim.server import EcuServer\n"
        "server = EcuServer(build_ecu('demo-engine'))\n"
        "print(server.url, flush=True)\n"
        "server.serve_until_signal(20)\n"
        "print('end', flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        assert child.stdout.readline().startswith("udp://")
        time.sleep(0.3)
        child.send_signal(number)
        out, _ = child.communicate(timeout=10)
    assert out.strip() == "end"
    assert child.returncode == 0


@pytest.mark.parametrize("late_s", [-1.0, float("nan"), float("inf")])
def test_how_late_tasks_may_run_is_a_time(late_s):
    with pytest.raises(UsageError, match="how late"):
        EcuServer(build_ecu("demo-engine"), max_late_s=late_s)
    with pytest.raises(UsageError, match="how late"):
        EcuProcess(max_late_s=late_s).start()


@pytest.mark.parametrize(("max_late_s", "made_up"), [(0.2, False), (60.0, True)])
def test_what_is_too_late_is_skipped_and_all_else_made_up_for(max_late_s, made_up):
    now_ns = [0]
    ecu = build_ecu("demo-engine")
    with EcuServer(ecu, max_late_s=max_late_s, clock=lambda: now_ns[0]):
        now_ns[0] = 3_000_000_000
        wait_for(lambda: ecu.due() > 2_900_000_000)
        assert (ecu.scheduler.skipped == 0) == made_up
