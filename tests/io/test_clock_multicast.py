"""GET_DAQ_CLOCK_MULTICAST over the loopback interface: one packet, an event of every slave."""

from __future__ import annotations

import socket

import pytest

from support.served import multicasts_pass, wait_for
from xcaliper.core.errors import UsageError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.transport.multicast import ClockMulticast, MulticastPort
from xcaliper.transport.pump import Link
from xcaliper.transport.url import open_transport
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures.clock import COMMON_INITIATORS, clock_properties, sample_of_event
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.slave_clock import ClockModel, ClockSettings
from xcaliper.xcp.slave_config import SlaveConfig


@pytest.fixture
def multicast_works() -> None:
    if not multicasts_pass():
        pytest.skip("no multicast on the loopback interface of this host")


@pytest.mark.usefixtures("multicast_works")
def test_every_slave_of_the_cluster_answers_over_its_own_link() -> None:
    servers = [
        EcuServer(
            build_ecu(
                "demo-engine",
                SlaveConfig(clocks=ClockSettings(slave=ClockModel(start_ns=at * 10**12))),
            )
        ).start()
        for at in range(3)
    ]
    # the numbers of ports: nobody else on this host has them now, and all hear the same port
    cluster, other = servers[0].endpoints[0].port, servers[2].endpoints[0].port
    clusters = (cluster, cluster, other)
    links = []
    sender = ClockMulticast(cluster, interface="127.0.0.1")
    try:
        for server, number in zip(servers, clusters, strict=True):
            link = Link(open_transport(server.url), MasterMachine())
            links.append(link)
            session = link.run(connect())
            found = link.run(
                clock_properties(session, response_fmt=COMMON_INITIATORS, cluster=number)
            )
            assert found.cluster == number
        wait_for(
            lambda: all(
                s.multicast.address[0] == f"239.255.{c >> 8}.{c & 255}"
                for s, c in zip(servers, clusters, strict=True)
            )
        )
        for _ in range(3):
            sender.send()
        events: list[list] = [[], [], []]

        def collect() -> bool:
            for link, seen in zip(links, events, strict=True):
                seen += [e for e in link.events() if e.name == "EV_TIME_SYNC"]
            return len(events[0]) == len(events[1]) == 3

        wait_for(collect)
        assert events[2] == []
        for at, seen in enumerate(events[:2]):
            samples = [sample_of_event(e.content, e.t_ns) for e in seen]
            assert [s.cluster for s in samples] == [(cluster, n) for n in range(3)]
            assert all(s.slave.ticks // 10**9 >= at for s in samples)
    finally:
        sender.close()
        for link in links:
            link.close()
        for server in servers:
            server.close()


@pytest.mark.usefixtures("multicast_works")
def test_other_packets_to_the_group_are_counted_and_ignored() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        alone = probe.getsockname()[1]  # the standard's port hears the other programs of this host
    port = MulticastPort(lambda: 7, interface="127.0.0.1", port=alone)
    sender = ClockMulticast(7, interface="127.0.0.1")
    sender._address = ("239.255.0.7", alone)
    try:
        for data in (
            b"",
            b"\x05\x00",
            b"\x02\x00\x00\x00\xff\x00",
            b"\x03\x00\x00\x00\xf2\xfa\x07",
        ):
            sender._sock.sendto(data, sender._address)
        sender.send()
        heard: list[bytes] = []
        wait_for(lambda: heard.extend(port.read()) or heard)
        assert heard == [b"\xf2\xfa\x07\x00\x00"]
        assert port.strangers == 2
    finally:
        port.close()
        sender.close()


def test_a_cluster_has_sixteen_bits() -> None:
    with pytest.raises(UsageError, match="16 bits"):
        ClockMulticast(0x10000)
