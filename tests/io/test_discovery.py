"""The search for slaves over the loopback interface: multicast out, answers to its own port."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, TypeVar

import pytest

from support.served import multicasts_pass
from xcaliper import connect
from xcaliper.cli.main import main
from xcaliper.core.errors import UsageError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.transport.discovery import DiscoveryPort, discover
from xcaliper.xcp.slave_link import LinkReply

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "127.0.0.1"
T = TypeVar("T")


@pytest.fixture(autouse=True)
def multicasts() -> None:
    if not multicasts_pass():
        pytest.skip("no multicast on the loopback interface of this host")


@pytest.fixture
def group() -> tuple[str, int]:
    """A group with a port of this test alone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return "239.255.0.0", probe.getsockname()[1]


def patiently(look: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    """What is found, after some searches on a busy machine, whose answers come late."""
    for _ in range(20):
        found = look()
        if wanted(found):
            break
    return found


def test_a_virtual_ecu_is_found_free_and_busy() -> None:
    with EcuServer(build_ecu("demo-engine"), (f"udp://{HERE}:0", f"tcp://{HERE}:0")) as server:
        if server.discovery is None:
            pytest.skip("another program has the port of the search for itself")
        urls = {str(endpoint) for endpoint in server.endpoints}

        def own() -> dict[str, object]:
            found = [s for s in discover(timeout_s=0.5, interface=HERE) if urls & set(s.urls)]
            return {url: slave for slave in found for url in slave.urls}

        found = patiently(own, lambda found: set(found) == urls)
        assert set(found) == urls
        assert {slave.busy for slave in found.values()} == {False}
        assert {len(slave.mac) for slave in found.values()} == {6}
        assert {slave.name for slave in found.values()} == {server.ecu.declaration.name}
        with connect(server.url, cache=False) as ecu:
            assert ecu.is_open
            found = patiently(own, lambda found: set(found) == urls)
            assert {slave.busy for slave in found.values()} == {True}


def test_the_verb_lists_what_it_finds(capsys: pytest.CaptureFixture[str]) -> None:
    with EcuServer(build_ecu("demo-engine"), (f"udp://{HERE}:0",)) as server:
        if server.discovery is None:
            pytest.skip("another program has the port of the search for itself")

        def told(*words: str) -> str:
            assert main(["discover", "--interface", HERE, "--timeout", "0.5", *words]) == 0
            return capsys.readouterr().out

        text = patiently(lambda: told("--json"), lambda text: server.url in text)
        rows = [json.loads(line) for line in text.splitlines()]
        assert any(server.url in row["urls"] for row in rows)
        assert server.url in patiently(told, lambda text: server.url in text)


def test_packets_that_are_no_search(group: tuple[str, int]) -> None:
    seen: list[bytes] = []

    def answer(packet: bytes) -> list[LinkReply]:
        seen.append(packet)
        return [LinkReply("no address", 1, b"x"), LinkReply(HERE, 0x1_0000, b"x")]

    port = DiscoveryPort(answer, interface=HERE, address=group)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for data in (b"", b"\x05\0", b"\x02\0\0\0\xff\0", b"\x02\0\0\0\xf2\xff"):
            sock.sendto(data, (HERE, group[1]))
    try:
        for _ in range(200):
            assert port.read() == []
            if seen:
                break
        assert seen == [b"\xf2\xff"]
        assert (port.strangers, port.broken) == (1, 2)
        assert port.url == f"udp://239.255.0.0:{group[1]}"
    finally:
        port.close()


def test_nobody_answers(group: tuple[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    assert discover(timeout_s=0.05, interface=HERE, address=group) == []
    with pytest.raises(UsageError):
        discover(timeout_s=0, interface=HERE)
    with pytest.raises(UsageError):
        discover(interface="nowhere")
    with pytest.raises(UsageError):
        discover(interface="::1")


def test_wrong_answers_and_slaves_on_every_interface(group: tuple[str, int]) -> None:
    """Somebody sends rubbish; a slave that tells 0.0.0.0 is where its answer came from."""
    import threading

    from xcaliper.wire.codec import encode
    from xcaliper.xcp import tlcmd

    def answer(packet: bytes) -> list[LinkReply]:
        where = int.from_bytes(packet[2:4], "little")
        good = tlcmd.EthGetSlaveIdResponse(
            ip=bytes(16), port=7, status=tlcmd.EthSlaveStatus.of(protocol=1), resource=0, length=0
        )
        return [LinkReply(HERE, where, b"rubbish"), LinkReply(HERE, where, encode(good))]

    port = DiscoveryPort(answer, interface=HERE, address=group)
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            port.read()
            done.wait(0.005)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        found = patiently(lambda: discover(timeout_s=0.5, interface=HERE, address=group), bool)
    finally:
        done.set()
        thread.join()
        port.close()
    assert [slave.urls for slave in found] == [(f"udp://{HERE}:7",)]
