"""Links in trouble: silent, late, lying and vanishing peers; everything ends in bounded time."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from support.served import (
    BASE,
    CONNECTED,
    CONTENT,
    FAST,
    TalkativeSlave,
    linked,
    message,
    open_link,
    scripted,
    serving,
    slave,
    tcp_server,
    udp_server,
    wait_for,
)
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    LinkError,
    ProtocolError,
    XcaliperError,
)
from xcaliper.proto.procedure import ask
from xcaliper.transport.ports import TcpPort, UdpPort
from xcaliper.transport.server import SlaveServer
from xcaliper.xcp.std import Connect, GetStatus


class Slow:
    """Answers like a slave, but what and when is up to the test."""

    def __init__(self) -> None:
        self.counter = 0
        self.seen: list[int] = []
        self.silent = False
        self.delay_s = 0.0

    def __call__(self, data: bytes) -> list[bytes]:
        code = data[4]
        self.seen.append(code)
        if code == 0xFF:
            self.counter = 0
            return [self.frame(CONNECTED)]
        if self.silent:
            return []
        if self.delay_s:
            delay, self.delay_s = self.delay_s, 0.0
            time.sleep(delay)
        if code == 0xF4:
            at = int.from_bytes(data[8:12], "little") - BASE
            return [self.frame(b"\xff" + CONTENT[at : at + data[5]])]
        if code == 0xFC:
            return [self.frame(b"\xfe\x00")]
        return [self.frame(b"\xff" + bytes(7))]

    def frame(self, packet: bytes) -> bytes:
        self.counter += 1
        return message(self.counter - 1, packet)


def test_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    started = time.monotonic()
    with open_link(f"udp://127.0.0.1:{port}") as link, pytest.raises(LinkError, match="listens"):
        link.run(ask(Connect()))
    with pytest.raises(LinkError, match="listens"):
        open_link(f"tcp://127.0.0.1:{port}")
    assert time.monotonic() - started < 3


def test_slave_that_never_answers() -> None:
    with scripted(lambda data: []) as url, open_link(url, timers=FAST) as link:
        started = time.monotonic()
        with pytest.raises(ExchangeTimeoutError) as caught:
            link.run(ask(Connect()))
        assert caught.value.command == "CONNECT"
        with pytest.raises(ExchangeTimeoutError):
            link.run(ask(Connect(), timeout_ns=10**12), timeout_s=0.2)
        with pytest.raises(XcaliperError):
            link.short_upload(BASE, 4)
        assert time.monotonic() - started < 3


def test_late_answer_is_not_taken_for_the_next_one() -> None:
    peer = Slow()
    with scripted(peer) as url, open_link(url, timers=FAST) as link:
        link.run(ask(Connect()))
        assert link.short_upload(BASE, 4) == CONTENT[:4]
        peer.delay_s = 0.09
        assert link.short_upload(BASE + 4, 4) == CONTENT[4:8]
        for at in range(8, 40, 4):
            assert link.short_upload(BASE + at, 4) == CONTENT[at : at + 4]
        assert 0xFC in peer.seen, "no SYNCH was sent"


def test_answers_missing_for_a_while_then_there_again() -> None:
    peer = Slow()
    with scripted(peer) as url, open_link(url, timers=FAST) as link:
        link.run(ask(Connect()))
        peer.silent = True
        started = time.monotonic()
        with pytest.raises(ExchangeTimeoutError):
            link.short_upload(BASE, 4)
        assert time.monotonic() - started < 3
        peer.silent = False
        assert link.short_upload(BASE + 12, 4) == CONTENT[12:16]
        assert link.run(ask(GetStatus())) is not None


@pytest.mark.parametrize(
    "noise",
    [
        b"",
        b"\x00",
        b"\x05\x00\x00\x00\xff",
        b"\xff\xff\x00\x00" + bytes(60),
        bytes(1400),
        message(0, b"\xff"),
        message(0, b"\xfd\x06") * 30,
        message(0, b"\xfc\x01hello\x00"),
    ],
)
def test_garbage_ends_in_an_answer_or_an_error(noise: bytes) -> None:
    peer = Slow()

    def answer(data: bytes) -> list[bytes]:
        found = peer(data)
        return found if data[4] == 0xFF else [noise, noise, *found, noise]

    with scripted(answer) as url, open_link(url, timers=FAST) as link:
        link.run(ask(Connect()))
        started = time.monotonic()
        for at in range(0, 40, 4):
            try:
                assert link.short_upload(BASE + at, 4) == CONTENT[at : at + 4]
            except ProtocolError:
                assert noise == message(0, b"\xff"), "only a wrong answer may end a command"
        assert time.monotonic() - started < 20


def test_strangers_do_not_disturb_the_master() -> None:
    with linked() as (link, _), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        own = link.transport.local.rpartition(":")[2]
        for _ in range(20):
            stranger.sendto(message(0, b"\xff\x66\x66\x66\x66"), ("127.0.0.1", int(own)))
            assert link.short_upload(BASE, 4) == CONTENT[:4]
        assert link.lost_messages == 0


def test_strangers_do_not_disturb_the_slave() -> None:
    with linked() as (link, server), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(0.1)
        for packet in (b"\xfe", b"\xf4\x04\x00\x00\x00\x10\x00\x00", b"\xfd"):
            stranger.sendto(message(0, packet), server.ports[0].address)
            assert link.short_upload(BASE, 4) == CONTENT[:4]
        with pytest.raises(TimeoutError):
            stranger.recv(100)
        assert server.counters.strangers == 3
        stranger.settimeout(5)
        stranger.sendto(message(0, b"\xff\x00"), server.ports[0].address)
        assert stranger.recv(100)[4] == 0xFF


def test_random_datagrams_do_not_end_the_server() -> None:
    import random

    rnd = random.Random(7)
    with serving(udp_server(slave())) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(500):
                sock.sendto(rnd.randbytes(rnd.randrange(40)), server.ports[0].address)
        with open_link(server.url, timers=FAST) as link:
            link.run(ask(Connect()))
            assert link.short_upload(BASE, 4) == CONTENT[:4]


def tcp_peer(
    answers: list[bytes], gap_s: float = 0.0, step: int = 1
) -> tuple[str, threading.Thread]:
    """A TCP slave that gives canned answers, cut into small pieces, then closes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as client:
            client.settimeout(5)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for answer in answers:
                if not client.recv(1000):
                    return
                for at in range(0, len(answer), step):
                    client.sendall(answer[at : at + step])
                    time.sleep(gap_s)

    thread = threading.Thread(target=serve)
    thread.start()
    return f"tcp://127.0.0.1:{listener.getsockname()[1]}", thread


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7])
def test_stream_cut_anywhere_is_put_together(step: int) -> None:
    answers = [
        message(0, CONNECTED),
        message(1, b"\x01dto-1") + message(2, b"\xff" + CONTENT[:4]) + message(3, b"\x01dto-2"),
        message(4, b"\xff" + CONTENT[4:8]),
    ]
    url, thread = tcp_peer(answers, 0.001, step)
    packets: list[bytes] = []
    with open_link(url) as link:
        link.run(ask(Connect()))
        link.start_daq(lambda batch: packets.extend(batch.packets))
        assert link.short_upload(BASE, 4) == CONTENT[:4]
        assert link.short_upload(BASE + 4, 4) == CONTENT[4:8]
        link.stop_daq()
        assert packets == [b"\x01dto-1", b"\x01dto-2"]
        assert link.lost_messages == 0
    thread.join(5)


def test_slave_that_closes_the_connection_is_noticed_without_a_command() -> None:
    url, thread = tcp_peer([message(0, CONNECTED)])
    with open_link(url) as link:
        link.run(ask(Connect()))
        thread.join(5)
        wait_for(lambda: link.failure is not None)
        assert not link.is_open
        with pytest.raises(LinkError, match="closed the connection"):
            link.short_upload(BASE, 4)
        with pytest.raises(LinkError):
            link.submit(ask(GetStatus())).result(5)


def test_closing_is_bounded_while_a_caller_waits() -> None:
    with scripted(Slow()) as url:
        peerless = open_link(url)
        peerless.run(ask(Connect()))
        caught: list[BaseException] = []

        def wait_long() -> None:
            try:
                peerless.run(ask(GetStatus(), timeout_ns=60_000_000_000))
            except XcaliperError as error:
                caught.append(error)

        silent = Slow()
        silent.silent = True
        with scripted(silent) as other:
            link = open_link(other)
            link.run(ask(Connect()))
            peerless.close()
            peerless = link
            thread = threading.Thread(target=wait_long)
            thread.start()
            time.sleep(0.05)
            future = link.submit(ask(GetStatus()))
            started = time.monotonic()
            closers = [threading.Thread(target=link.close) for _ in range(3)]
            for closer in closers:
                closer.start()
            for closer in [*closers, thread]:
                closer.join(5)
                assert not closer.is_alive()
            assert time.monotonic() - started < 3
            assert isinstance(caught[0], LinkError)
            with pytest.raises(XcaliperError):
                future.result(5)
            with pytest.raises(LinkError):
                link.run(ask(GetStatus()))
            with pytest.raises(LinkError):
                link.short_upload(BASE, 4)
            with pytest.raises(LinkError):
                link.submit(ask(GetStatus())).result(5)
            link.close()


def test_close_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    with serving(udp_server(slave())) as server:
        for _ in range(20):
            with open_link(server.url) as link:
                link.run(ask(Connect()))
    assert threading.active_count() == before


def test_stuck_sink_does_not_hold_up_the_end_for_ever() -> None:
    release = threading.Event()
    with linked("udp", TalkativeSlave()) as (link, _server):
        link.start_daq(lambda batch: release.wait(20))
        from xcaliper.xcp.std import UserCmd

        link.run(ask(UserCmd(sub_command=0, parameters=b"\x05\0\0\0")))
        time.sleep(0.05)
        threading.Timer(0.5, release.set).start()
        started = time.monotonic()
        link.close()
        assert time.monotonic() - started < 8


def test_tcp_stream_that_is_no_xcp_ends_the_connection_but_not_the_server() -> None:
    with serving(tcp_server(slave(), max_packet=255)) as server:
        with socket.create_connection(server.ports[0].address, timeout=5) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert sock.recv(10) == b""
        wait_for(lambda: server.counters.broken == 1)
        with open_link(server.url) as link:
            link.run(ask(Connect()))
            assert link.short_upload(BASE, 4) == CONTENT[:4]


def test_last_words_before_the_end_of_a_connection_are_served() -> None:
    machine = slave()
    with serving(tcp_server(machine)) as server:
        with socket.create_connection(server.ports[0].address, timeout=5) as sock:
            write = b"\xf0\x02\xaa\xbb"  # DOWNLOAD of two bytes
            at = b"\xf6\x00\x00\x00" + BASE.to_bytes(4, "little")
            for counter, packet in enumerate((b"\xff\x00", at, write)):
                sock.sendall(message(counter, packet))
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(1000):
                pass
        assert machine.counters.commands == 3
        wait_for(lambda: not machine.connected)
        with open_link(server.url) as link:
            link.run(ask(Connect()))
            assert link.short_upload(BASE, 2) == b"\xaa\xbb"
            assert link.machine.counters.stray == 0


def test_slave_that_says_the_session_is_over() -> None:
    machine = slave()
    with linked("udp", machine) as (link, _server):
        assert link.short_upload(BASE, 4) == CONTENT[:4]
        machine.terminate(0)
        wait_for(lambda: any(event.name == "EV_SESSION_TERMINATED" for event in link.events()))
        with pytest.raises(ProtocolError):
            link.short_upload(BASE, 4)
        link.run(ask(Connect()))
        assert link.short_upload(BASE, 4) == CONTENT[:4]


class CyclicSlave(TalkativeSlave):
    """One with a task: it says a DTO in every period, once somebody is connected."""

    def __init__(self, period_ns: int) -> None:
        super().__init__()
        self.fired: list[int] = []
        self.start_ns = time.monotonic_ns()
        self.period_ns = period_ns

    def due(self) -> int:
        return self.start_ns + len(self.fired) * self.period_ns

    def on_time(self, now_ns: int) -> None:
        self.fired.append(now_ns)
        if self.connected:
            self.out += [b"\x01" + bytes(39)] * 70  # two datagrams


def test_cyclic_work_of_the_slave_is_paced() -> None:
    machine = CyclicSlave(2_000_000)
    with udp_server(machine) as server:
        server.serve(lambda: len(machine.fired) >= 50, until_ns=machine.start_ns + 5_000_000_000)
    fired, start = machine.fired, machine.start_ns
    assert len(fired) == 50
    assert all(t >= start + i * 2_000_000 for i, t in enumerate(fired))
    assert fired[-1] - start < 1_000_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell whom they mean")
@pytest.mark.parametrize("segmentation", [False, True])
def test_master_that_vanished_loses_its_session(segmentation: bool) -> None:
    machine = CyclicSlave(1_000_000)
    fast = {"clock": lambda: time.monotonic_ns() * 10, "segmentation": segmentation}
    with serving(udp_server(machine, **fast)) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as master:
            master.settimeout(5)
            master.sendto(message(0, b"\xff\x00"), server.ports[0].address)
            for _ in range(3):
                master.recv(100)
            time.sleep(0.3)  # a silent master is no vanished one
            assert machine.connected
        wait_for(lambda: not machine.connected)
        assert server.counters.broken > 1
        assert server.ports[0].segmentation == segmentation
        with open_link(server.url) as link:
            link.run(ask(Connect()))
            assert link.short_upload(BASE, 4) == CONTENT[:4]


def test_connect_again_with_the_same_counter_is_served_at_once() -> None:
    with (
        serving(udp_server(slave())) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as master,
    ):
        master.settimeout(5)
        for _ in range(3):
            for counter, packet in enumerate((b"\xff\x00", b"\xfd")):
                master.sendto(message(counter, packet), server.ports[0].address)
                assert master.recv(100)[4] == 0xFF
        assert server.machine.counters.commands == 6


def test_newest_connect_owns_the_session_of_all_ports() -> None:
    machine = slave()
    ports = [UdpPort("127.0.0.1", 0), TcpPort("127.0.0.1", 0)]
    with (
        serving(SlaveServer(machine, ports)) as server,
        open_link(ports[0].url, timers=FAST) as first,
        open_link(ports[1].url) as second,
    ):
        first.run(ask(Connect()))
        second.run(ask(Connect()))
        with pytest.raises(ExchangeTimeoutError):
            first.short_upload(BASE, 4)
        assert server.counters.strangers > 0
        assert second.short_upload(BASE, 4) == CONTENT[:4]
        first.run(ask(Connect()))
        second.close()  # the end of a connection without the session ends nothing
        assert first.short_upload(BASE, 4) == CONTENT[:4]


def test_two_masters_in_one_turn_are_both_answered() -> None:
    with udp_server(slave()) as server, contextlib.ExitStack() as stack:
        masters = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
        ]
        for master in masters:
            master.settimeout(5)
            master.sendto(message(0, b"\xff\x00"), server.ports[0].address)
        server.step(1_000_000_000)
        server.step(1_000_000_000)
        assert [master.recv(100)[4] for master in masters] == [0xFF, 0xFF]


def test_broken_stream_ends_behind_the_packets_before_the_damage() -> None:
    with serving(tcp_server(slave(), max_packet=255)) as server:
        with socket.create_connection(server.ports[0].address, timeout=5) as sock:
            sock.sendall(message(0, b"\xff\x00") + b"\xff\xff\x00\x00")
            assert sock.recv(100)[4] == 0xFF
            sock.sendall(b"\0")
            with contextlib.suppress(ConnectionResetError):
                while sock.recv(100):
                    pass
        wait_for(lambda: not server.machine.connected)
        assert server.counters.broken == 1


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
def test_descriptors_above_1024_are_served() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("the system allows too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(1100):
                stack.enter_context(Path(os.devnull).open())
            for make in (udp_server, tcp_server):
                with serving(make(slave())) as server, open_link(server.url) as link:
                    link.run(ask(Connect()))
                    assert link.short_upload(BASE, 4) == CONTENT[:4]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
