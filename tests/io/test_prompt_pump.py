"""A link whose pump waits for the socket: packets are handed on at once, commands go on, failures are told."""

from __future__ import annotations

import select
import socket
import threading

import pytest

from support.served import wait_for
from xcaliper.core.errors import LinkError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.transport.base import readable_within
from xcaliper.transport.pump import Link
from xcaliper.transport.url import open_transport, parse_url
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures import daq_setup
from xcaliper.xcp.procedures.connect import connect

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("with_poll", [True, False])
def test_waiting_for_a_socket(monkeypatch, with_poll) -> None:
    if not with_poll:
        monkeypatch.delattr(select, "poll")
    one, other = socket.socketpair()
    with one, other:
        is_readable = readable_within(one.fileno())
        assert not is_readable(0.001)
        other.send(b"x")
        assert is_readable(1.0)
    assert is_readable(0.001)  # closed: the receive tells


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_commands_and_submissions_go_on(scheme) -> None:
    with EcuServer(build_ecu("demo-engine"), (f"{scheme}://127.0.0.1:0",)) as server:
        where = parse_url(server.url)
        with Link(open_transport(where), MasterMachine()) as link:
            link.run(connect())
            link.start_daq(lambda _batch: None, prompt=True)
            for _ in range(20):
                assert link.run(daq_setup.clock()) is not None
                assert link.submit(daq_setup.clock()).result(10) is not None
            link.send_data([b"\0\0\1", b"\1\0\2"])
            wait_for(lambda: server.ecu.slave.counters.ignored >= 2)
            link.stop_daq()


def test_a_peer_that_goes_is_noticed_without_a_command() -> None:
    server = EcuServer(build_ecu("demo-engine"), ("tcp://127.0.0.1:0",)).start()
    with Link(open_transport(parse_url(server.url)), MasterMachine()) as link:
        link.run(connect())
        link.start_daq(lambda _batch: None, prompt=True)
        server.close()
        wait_for(lambda: link.failure is not None)
        with pytest.raises(LinkError):
            link.send_data([b"\0"])
        with pytest.raises(LinkError):
            link.submit(daq_setup.clock()).result(10)
        assert threading.active_count() < 50
