"""The search for slaves over the loopback interface: multicast out, answers to its own port."""

from __future__ import annotations

import json
import socket

import pytest

from xcaliper import connect
from xcaliper.cli.main import main
from xcaliper.core.errors import LinkError, UsageError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.transport.discovery import DiscoveryPort, discover
from xcaliper.xcp.slave_link import LinkReply

HERE = "127.0.0.1"


@pytest.fixture
def group() -> tuple[str, int]:
    """A group with a port of this test alone, where multicasts pass; else the test is skipped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        place = ("239.255.0.0", probe.getsockname()[1])
    try:
        DiscoveryPort(lambda packet: [], interface=HERE, address=place).close()
    except LinkError as error:
        pytest.skip(f"no multicast on the loopback interface: {error}")
    return place


def test_a_virtual_ecu_is_found_free_and_busy() -> None:
    with EcuServer(build_ecu("demo-engine"), (f"udp://{HERE}:0", f"tcp://{HERE}:0")) as server:
        if server.discovery is None:
            pytest.skip("the port of the search is taken, or there is no multicast")
        urls = {str(endpoint) for endpoint in server.endpoints}

        def own() -> dict[str, object]:
            found = [s for s in discover(timeout_s=0.5, interface=HERE) if urls & set(s.urls)]
            return {url: slave for slave in found for url in slave.urls}

        found = own()
        if not found:
            pytest.skip("no multicast on the loopback interface of this host")
        assert set(found) == urls
        assert {slave.busy for slave in found.values()} == {False}
        assert {len(slave.mac) for slave in found.values()} == {6}
        assert {slave.name for slave in found.values()} == {server.ecu.declaration.name}
        with connect(server.url, cache=False) as ecu:
            assert ecu.is_open
            assert {slave.busy for slave in own().values()} == {True}


def test_the_verb_lists_what_it_finds(capsys: pytest.CaptureFixture[str]) -> None:
    with EcuServer(build_ecu("demo-engine"), (f"udp://{HERE}:0",)) as server:
        if server.discovery is None:
            pytest.skip("the port of the search is taken, or there is no multicast")
        assert main(["discover", "--interface", HERE, "--timeout", "0.5", "--json"]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        if not any(server.url in row["urls"] for row in rows):
            pytest.skip("no multicast on the loopback interface of this host")
        assert main(["discover", "--interface", HERE, "--timeout", "0.5"]) == 0
        assert server.url in capsys.readouterr().out


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
        found = discover(timeout_s=0.5, interface=HERE, address=group)
    finally:
        done.set()
        thread.join()
        port.close()
    if not found:
        pytest.skip("no multicast on the loopback interface of this host")
    assert [slave.urls for slave in found] == [(f"udp://{HERE}:7",)]
