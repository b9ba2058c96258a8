"""Slaves for link tests: a real slave machine behind a server thread, and a scripted socket."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from xcaliper.core.address import Address
from xcaliper.core.memory import SparseMemory
from xcaliper.proto.procedure import ask
from xcaliper.transport.ports import TcpPort, UdpPort
from xcaliper.transport.pump import Link
from xcaliper.transport.server import SlaveServer
from xcaliper.transport.url import open_transport
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.recovery import Timers
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.std import Connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcaliper.client.connection import Connection

BASE = 0x1000
CONTENT = bytes(range(256))
CONNECTED = bytes.fromhex("ff0500ffbc050101")


def memory() -> SparseMemory:
    found = SparseMemory()
    found.add(Address(BASE), bytearray(CONTENT))
    return found


def slave(**settings: object) -> SlaveMachine:
    return SlaveMachine(SlaveConfig(**settings), memory())


class TalkativeSlave:
    """Answers CONNECT, DISCONNECT and SHORT_UPLOAD; USER_CMD n makes it send n DTOs at once.

    Each DTO is 0x01, a running number (u32 LE) and fill up to ``dto_size``.
    """

    def __init__(self, dto_size: int = 40) -> None:
        self.dto_size = dto_size
        self.connected = False
        self.sent = 0
        self.out: list[bytes] = []

    def receive(self, packet: bytes, now_ns: int) -> None:
        code = packet[0]
        if code == 0xFF:
            self.connected = True
            self.out.append(CONNECTED)
        elif code == 0xF4:
            at = int.from_bytes(packet[4:8], "little") - BASE
            self.out.append(b"\xff" + CONTENT[at : at + packet[1]])
        elif code == 0xF1:
            self.out.append(b"\xff")
            for _ in range(int.from_bytes(packet[2:6], "little")):
                self.out.append(
                    (b"\x01" + self.sent.to_bytes(4, "little")).ljust(self.dto_size, b"\0")
                )
                self.sent += 1
        elif code == 0xFE:
            self.connected = False
            self.out.append(b"\xff")
        else:
            self.out.append(b"\xfe\x20")

    def outgoing(self) -> list[bytes]:
        out, self.out = self.out, []
        return out

    def on_time(self, now_ns: int) -> None:
        pass

    def due(self) -> int | None:
        return None

    def drop(self, now_ns: int) -> None:
        self.connected = False


def udp_server(
    machine: object, host: str = "127.0.0.1", port: int = 0, **options: object
) -> SlaveServer:
    return SlaveServer(machine, [UdpPort(host, port, **options)])


def tcp_server(
    machine: object, host: str = "127.0.0.1", port: int = 0, **options: object
) -> SlaveServer:
    return SlaveServer(machine, [TcpPort(host, port, **options)])


@contextlib.contextmanager
def serving(server: SlaveServer) -> Iterator[SlaveServer]:
    """The server, served by a thread of its own."""
    stop = threading.Event()
    thread = threading.Thread(target=server.serve, args=(stop.is_set,))
    thread.start()
    try:
        yield server
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()
        server.close()


@contextlib.contextmanager
def linked(
    scheme: str = "udp", machine: object = None, host: str = "127.0.0.1", **options: object
) -> Iterator[tuple[Link, SlaveServer]]:
    """A connected link to a served slave."""
    make = udp_server if scheme == "udp" else tcp_server
    with (
        serving(make(machine or slave(), host, **options)) as server,
        open_link(server.url) as link,
    ):
        link.run(ask(Connect()))
        yield link, server


def open_link(url: str, *, timers: Timers | None = None, **options: object) -> Link:
    return Link(open_transport(url), MasterMachine(timers=timers), **options)


def hasty(url: str, timeout_s: float = 0.3, **options: Any) -> Connection:
    """A connection made at leisure, that then waits shortly for its answers.

    A busy machine may answer late; what is asked while connecting is asked once.
    """
    from xcaliper.client.connecting import connect
    from xcaliper.client.timing import timers_of

    connection = connect(url, cache=False, **options)
    connection.link.machine.timers = timers_of(timeout_s)
    return connection


FAST = Timers.of_ms(60, 60, 60, 60, 60, 60, 20)


@contextlib.contextmanager
def scripted(answer: Callable[[bytes], list[bytes]]) -> Iterator[str]:
    """A UDP slave made of one function: datagram in, datagrams out; gives its URL."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(0.02)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                data, peer = sock.recvfrom(65536)
            except TimeoutError:
                continue
            for out in answer(data):
                sock.sendto(out, peer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"udp://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        stop.set()
        thread.join(5)
        sock.close()


@functools.cache
def multicasts_pass() -> bool:
    """This host brings a multicast on its loopback interface to a socket that has joined the group."""
    group, here = "239.255.255.77", socket.inet_aton("127.0.0.1")
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth,
        contextlib.suppress(OSError),
    ):
        ear.bind(("", 0))
        ear.settimeout(0.5)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + here)
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        for _ in range(10):
            mouth.sendto(b"heard", (group, ear.getsockname()[1]))
            with contextlib.suppress(TimeoutError):
                return ear.recv(100) == b"heard"
    return False


def message(counter: int, packet: bytes) -> bytes:
    """One Ethernet message."""
    return len(packet).to_bytes(2, "little") + counter.to_bytes(2, "little") + packet


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until it is true; fail when it does not become so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)
