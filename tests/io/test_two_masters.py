"""Other masters, the slave's own end of a session, sleep, and what is restored afterwards."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import contextmanager

import numpy as np
import pytest
from asammdf import MDF

import xcaliper
from support.served import hasty, wait_for
from xcaliper.client import acquisition
from xcaliper.core.errors import (
    AccessLockedError,
    ExchangeTimeoutError,
    LinkError,
    RemoteProtocolError,
    UsageError,
)
from xcaliper.sim.demo_key import demo_key, demo_security
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.transport.ports import SessionRules
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_session import SessionSettings

TIMEOUT_S = 0.25
pytestmark = pytest.mark.timeout(90)


@contextmanager
def served(*urls: str, rules: SessionRules | None = None, **session: object):
    settings = SlaveConfig(session=SessionSettings(**session)) if session else None
    ecu = build_ecu("demo-engine", settings=settings) if settings else build_ecu("demo-engine")
    with EcuServer(ecu, urls or ("udp://127.0.0.1:0",), rules=rules) as server:
        yield server


def attach(url: str, **options: object) -> xcaliper.Connection:
    return xcaliper.connect(url, cache=False, timeout_s=TIMEOUT_S, **options)


def leisurely(url: str, **options: object) -> xcaliper.Connection:
    """The same for what is to succeed also on a busy machine."""
    return hasty(url, TIMEOUT_S, **options)


def connect_by_hand(url: str) -> bytes | None:
    """What a slave answers to the CONNECT of a second master, None after a while."""
    port = int(url.rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(0.4)
        sock.send(struct.pack("<HHBB", 2, 0, 0xFF, 0))
        try:
            return sock.recv(100)
        except TimeoutError:
            return None


def test_second_master_on_udp_takes_the_session_over_by_default():
    with served() as server, leisurely(server.url) as ecu:
        measurement = ecu.measure("TaskCounter1ms", keep=False)
        measurement.start()
        wait_for(lambda: measurement.quality.samples > 0)
        answer = connect_by_hand(server.url)
        assert answer is not None
        assert answer[4] == 0xFF
        with pytest.raises((ExchangeTimeoutError, RemoteProtocolError)) as caught:
            for _ in measurement:
                pass
        assert caught.value.hint


@pytest.mark.parametrize("refuses", [False, True])
def test_second_master_on_udp_is_kept_out_by_rule(refuses):
    rules = SessionRules(takeover=False, refuses=refuses)
    with served(rules=rules) as server, leisurely(server.url) as ecu:
        measurement = ecu.measure("TaskCounter1ms")
        measurement.start()
        answer = connect_by_hand(server.url)
        assert answer == (bytes.fromhex("02000000fe25") if refuses else None)
        expected = AccessLockedError if refuses else ExchangeTimeoutError
        with pytest.raises(expected) as caught:
            attach(server.url)
        assert "CONNECT" in str(caught.value)
        time.sleep(0.2)
        measurement.stop()
        assert measurement.quality.lost == 0
        counts = measurement.blocks()[0]["TaskCounter1ms"].astype(np.int64)
        assert (np.diff(counts) == 1).all(), "the first master noticed nothing"
        assert server.counters.strangers >= 2
    with served(rules=rules) as server:
        leisurely(server.url).close()
        leisurely(server.url).close()


def test_second_client_on_tcp_is_turned_away():
    with served("tcp://127.0.0.1:0") as server, leisurely(server.url) as ecu:
        begin = time.monotonic()
        with pytest.raises((LinkError, ExchangeTimeoutError)) as caught:
            attach(server.url)
        assert time.monotonic() - begin < 5
        assert str(caught.value)
        assert ecu.read("cIdleSpeedTarget") == 820
        assert server.counters.refused == 1


@pytest.mark.parametrize("second", [0, 1])
def test_the_other_port_of_a_server_is_another_master(second):
    urls = ("udp://127.0.0.1:0", "tcp://127.0.0.1:0")
    with served(*urls, rules=SessionRules(takeover=False)) as server:
        places = [str(endpoint) for endpoint in server.endpoints]
        with leisurely(places[1 - second]) as ecu:
            with pytest.raises((LinkError, ExchangeTimeoutError)):
                attach(places[second])
            assert ecu.read("cIdleSpeedTarget") == 820
        with leisurely(places[second]) as ecu:
            assert ecu.read("cIdleSpeedTarget") == 820
    with served(*urls) as server:
        places = [str(endpoint) for endpoint in server.endpoints]
        with leisurely(places[1 - second]), leisurely(places[second]) as ecu:
            assert ecu.read("cIdleSpeedTarget") == 820, "taken over"


def test_boot_mode_is_asked_for_until_the_slave_listens():
    with (
        served(user_mode=True, silent_connects=4) as server,
        leisurely(server.url, mode=1, mode_wait_s=5.0) as ecu,
    ):
        assert ecu.read("cIdleSpeedTarget") == 820
        assert server.ecu.slave.state.session.user_mode
    with served(user_mode=True, silent_connects=1000) as server:
        begin = time.monotonic()
        with pytest.raises(ExchangeTimeoutError, match="CONNECT"):
            attach(server.url, mode=1, mode_wait_s=0.3)
        assert time.monotonic() - begin < 5
    limits = [{"mode": 1, "mode_wait_s": wait_s} for wait_s in (-1.0, 86_401.0, float("nan"))]
    for wrong in ({"mode": 2}, *limits):
        with pytest.raises(UsageError, match="mode"):
            attach("udp://127.0.0.1:1", **wrong)


def test_the_slave_ends_the_session_while_recording(tmp_path):
    path = tmp_path / "run.mf4"
    with served() as server, leisurely(server.url) as ecu:
        measurement = ecu.measure("TaskCounter1ms", record=path)
        measurement.start()
        wait_for(lambda: measurement.quality.samples > 100)
        server.end_session()
        with pytest.raises(RemoteProtocolError, match="the slave ended") as caught:
            for _ in measurement:
                pass
        assert "Connect again" in caught.value.hint
        assert not measurement.is_running
        with pytest.raises(RemoteProtocolError, match="ended it"):
            ecu.read("cIdleSpeedTarget")
        ecu.reconnect()
        assert ecu.read("cIdleSpeedTarget") == 820
    with MDF(path) as mdf:
        assert len(mdf.get("TaskCounter1ms")) == measurement.quality.samples


def test_the_recording_goes_on_behind_a_session_that_the_slave_ended(tmp_path):
    path = tmp_path / "run.mf4"
    with served() as server, leisurely(server.url, restore=True) as ecu:
        ecu.set_page(0, 1)
        measurement = ecu.measure("TaskCounter1ms", record=path, reconnect=20)
        measurement.start()
        wait_for(lambda: measurement.quality.samples > 100)
        server.end_session()
        wait_for(lambda: measurement.quality.reconnects == 1, 20)
        time.sleep(0.3)
        measurement.stop()
        assert ecu.pages()[0] == (1, 1)
    (gap,) = measurement.blocks()[0].gaps
    assert gap.reason == "reconnect"
    with MDF(path) as mdf:
        texts = [event.comment or "" for event in mdf.events]
        assert any("the slave ended" in text for text in texts)


def test_what_was_set_is_restored_after_a_restart_and_what_cannot_be_is_told():
    with served() as server, leisurely(server.url) as ecu:
        ecu.set_page(0, 1)
        ecu.set_page(0, 0, ecu=False)
        ecu.write("cIdleSpeedTarget", 900)
        server.reboot()
        wait_for(lambda: not server.ecu.slave.connected)
        assert ecu.reconnect() == ()
        assert ecu.pages()[0] == (0, 0), "not asked for"
        server.reboot()
        wait_for(lambda: not server.ecu.slave.connected)
        (lost,) = ecu.reconnect(restore=True)
        assert ecu.pages()[0] == (1, 0)
        assert lost.slug == "not-restored"
        assert "cIdleSpeedTarget" in lost.text
        assert lost in ecu.diagnostics
        assert ecu.reconnect(restore=True) == (), "told once"


@pytest.mark.parametrize("right", [True, False])
def test_locks_are_opened_again_with_the_keys_that_were_given(right):
    settings = SlaveConfig(security=demo_security(Resource.of(cal_pag=1)))
    calls = []

    def keys(resource, seed):
        calls.append(resource)
        key = demo_key(resource, seed)
        return key if right or len(calls) == 1 else key[::-1] + b"?"

    with (
        EcuServer(build_ecu("demo-engine", settings)) as server,
        leisurely(server.url, keys=keys, restore=True) as ecu,
    ):
        ecu.security.unlock("cal")
        ecu.set_page(0, 1)
        server.reboot()
        wait_for(lambda: not server.ecu.slave.connected)
        if right:
            assert ecu.reconnect() == (), "as connect() was told"
            assert calls == [Resource.of(cal_pag=1)] * 2
            assert ecu.pages()[0] == (1, 1), "pages come behind the locks"
            ecu.set_page(0, 0)
            assert ecu.write("cIdleSpeedTarget", 900).after == 900
            return
        lost = ecu.reconnect()
        assert {one.slug for one in lost} == {"not-restored"}
        assert "cal is locked again" in lost[0].text
        assert all("is not set" in one.text for one in lost[1:])
        assert len(calls) == 2, "the slave counts wrong keys"
        assert ecu.read("TaskCounter1ms") >= 0, "the new session serves what is open"
        assert lost[0] in ecu.diagnostics


def test_a_page_that_is_gone_is_told():
    with served() as server, leisurely(server.url) as ecu:
        ecu.set_page(0, 1)
        server.ecu._config = SlaveConfig(
            byte_order=server.ecu.slave.config.byte_order, ids=server.ecu.slave.config.ids
        )
        server.reboot()
        wait_for(lambda: not server.ecu.slave.connected)
        lost = ecu.reconnect(restore=True)
        assert [one.slug for one in lost] == ["not-restored"] * 2
        assert "page 1 of segment 0 is not set for XCP" in lost[0].text


def test_a_slave_that_never_wakes_up_ends_the_measurement_in_bounded_time(monkeypatch):
    assert acquisition.ASLEEP_S == 600, "ten minutes, as the pages say"
    monkeypatch.setattr(acquisition, "ASLEEP_S", 0.6)
    with served() as server, leisurely(server.url) as ecu:
        measurement = ecu.measure("TaskCounter1ms")
        measurement.start()
        wait_for(lambda: measurement.quality.samples > 100)
        begin = time.monotonic()
        server.sleep()
        with pytest.raises(ExchangeTimeoutError, match="the slave sleeps") as caught:
            list(measurement)
        assert time.monotonic() - begin < 20
        assert caught.value.elapsed_ns > 0.6e9
        assert caught.value.timer == "sleep"
        assert "reconnect" in caught.value.hint
        measurement.stop()  # told once


def test_a_slave_that_sleeps_too_long_is_lost_and_found_again(monkeypatch):
    monkeypatch.setattr(acquisition, "ASLEEP_S", 0.6)
    with served() as server, leisurely(server.url) as ecu:
        measurement = ecu.measure("TaskCounter1ms", reconnect=30)
        measurement.start()
        wait_for(lambda: measurement.quality.samples > 100)
        server.sleep()
        wait_for(lambda: not ecu.is_open, 20)  # it is given up
        server.wake()
        wait_for(lambda: measurement.quality.reconnects == 1, 20)
        before = measurement.quality.samples
        wait_for(lambda: measurement.quality.samples > before + 100)
        measurement.stop()
    assert "slave-asleep" in [one.slug for one in measurement.diagnostics]


def test_measuring_goes_on_after_the_slave_has_slept():
    with served() as server, leisurely(server.url) as ecu:
        measurement = ecu.measure("TaskCounter1ms")
        measurement.start()
        wait_for(lambda: measurement.quality.samples > 100)
        server.sleep()
        wait_for(lambda: any(d.slug == "slave-asleep" for d in measurement.diagnostics))
        time.sleep(2.5)  # longer than a silence that would be looked into
        assert measurement.is_running
        before = measurement.quality.samples
        server.wake()
        wait_for(lambda: measurement.quality.samples > before + 100)
        measurement.stop()
        assert measurement.quality.silences == 0
