"""Quirks that need sockets and real time: takeovers, deaf servers, silence; all together at the end."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import contextmanager

import numpy as np
import pytest

import xcaliper
from support.served import wait_for
from support.strange import ALL_FAST, ECU, SLOW, Counters, truth
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    LinkError,
    RemoteProtocolError,
    XcaliperError,
)
from xcaliper.proto.procedure import ask
from xcaliper.sim.ecu import VirtualEcu
from xcaliper.sim.quirky_ports import DeafTcpPort
from xcaliper.sim.server import EcuServer
from xcaliper.xcp import daq
from xcaliper.xcp.quirks import ALL_COMPATIBLE, Quirk
from xcaliper.xcp.slave_config import SlaveConfig

pytestmark = pytest.mark.timeout(90)
#: Silence is noticed within this, whatever the machine does meanwhile.
BOUND_S = 20.0


@contextmanager
def served(*quirks: Quirk, scheme: str = "udp"):
    ecu = VirtualEcu(ECU, Counters, SlaveConfig(quirks=frozenset(quirks)))
    with EcuServer(ecu, (f"{scheme}://127.0.0.1:0",)) as server:
        yield server


def connect(server):
    return xcaliper.connect(server.url, cache=False, timeout_s=0.3)


def stranger(server, packet: bytes) -> None:
    """A datagram from another port."""
    endpoint = server.endpoints[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(struct.pack("<HH", len(packet), 0) + packet, (endpoint.host, endpoint.port))


def check(block, signals) -> None:
    counts = block["FastCount"].astype(np.int64)
    assert (np.diff(counts) >= 1).all()
    for name in signals:
        np.testing.assert_array_equal(block[name], truth(name, counts), name)


@pytest.mark.parametrize("packet", [b"\xfd", b"\xff\x00"])
def test_silent_takeover_is_found_by_silence(packet: bytes) -> None:
    with served(Quirk.SILENT_TAKEOVER) as server, connect(server) as client:
        measurement = client.measure(ALL_FAST)
        measurement.start()
        wait_for(lambda: measurement.quality.samples > 20)
        stranger(server, packet)
        begin = time.monotonic()
        with pytest.raises(XcaliperError) as caught:
            for _ in measurement:
                pass
        assert time.monotonic() - begin < BOUND_S
        assert isinstance(caught.value, ExchangeTimeoutError)
        for block in measurement.blocks():
            check(block, ALL_FAST)


def test_silent_takeover_is_survived() -> None:
    with served(Quirk.SILENT_TAKEOVER) as server, connect(server) as client:
        measurement = client.measure(ALL_FAST, reconnect=BOUND_S)
        measurement.start()
        wait_for(lambda: measurement.quality.samples > 20)
        stranger(server, b"\xfd")
        wait_for(lambda: measurement.quality.reconnects == 1, BOUND_S)
        before = measurement.quality.samples
        wait_for(lambda: measurement.quality.samples > before + 20)
        measurement.stop()
        for block in measurement.blocks():
            check(block, ALL_FAST)
        assert client.write("Gain", 4.0).after == 4.0
        assert server.counters.strangers > 0


def test_deaf_after_close() -> None:
    """Our client leaves the server well, however it ends; others do not."""
    with served(Quirk.DEAF_AFTER_CLOSE, scheme="tcp") as server:
        for at in range(4):
            client = connect(server)
            if at % 2:
                check(client.measure(ALL_FAST, duration_s=0.2).run().blocks()[0], ALL_FAST)
                assert client.write("Gain", at + 1.0).after == at + 1.0
            else:
                client.measure(ALL_FAST).start()  # and it is closed while that runs
            client.close()
        with pytest.raises(RuntimeError), connect(server):
            raise RuntimeError("the caller fails")
        with connect(server) as client:
            assert client.read("Count") == 5
        port = server._server.ports[0]
        assert isinstance(port, DeafTcpPort)
        assert not port.is_deaf
        endpoint = server.endpoints[0]
        with socket.create_connection((endpoint.host, endpoint.port), 2) as sock:
            sock.settimeout(20)  # a busy machine answers late
            sock.sendall(struct.pack("<HH", 2, 0) + b"\xff\x00")
            assert sock.recv(100)
        wait_for(lambda: port.is_deaf)
        begin = time.monotonic()
        with pytest.raises((LinkError, ExchangeTimeoutError)):
            connect(server)
        assert time.monotonic() - begin < BOUND_S


def test_stopped_lists_are_found_without_a_cycle() -> None:
    with served(Quirk.UNKNOWN_CYCLES) as server, connect(server) as client:
        measurement = client.measure(ALL_FAST)
        measurement.start()
        wait_for(lambda: measurement.quality.samples > 300)
        (track,) = measurement.tracks
        assert track.cycle_ns is None
        assert 500 < track.rate_hz <= 1001, "estimated from timestamps"
        client.link.run(ask(daq.StartStopSynch(mode=0)))
        with pytest.raises(RemoteProtocolError, match="stopped its DAQ lists"):
            for _ in measurement:
                pass


@pytest.mark.parametrize("quirk", [Quirk.UNKNOWN_INFO, Quirk.SILENT_INFO])
def test_silence_of_a_rare_event_is_no_loss(quirk: Quirk) -> None:
    """A slave that cannot tell its state is alive as long as it answers anything."""
    with served(quirk) as server, connect(server) as client:
        measurement = client.measure("RareCount", event="Rare", duration_s=3.2).run()
        assert measurement.quality.reconnects == 0
        assert client.read("Count") == 5


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_all_that_go_together_on_sockets(scheme: str) -> None:
    with served(*ALL_COMPATIBLE, scheme=scheme) as server:
        with connect(server) as client:
            blocks = client.measure((*ALL_FAST, *SLOW), duration_s=0.5).run().blocks()
            fast = next(block for block in blocks if "FastCount" in block)
            check(fast, ALL_FAST)
            assert client.write("Gain", 6.5).after == 6.5
            assert client.read("Gain") == 6.5
        with connect(server) as client:
            assert client.read("Count") == 5
