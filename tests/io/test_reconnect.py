"""Slaves that go, come back, fall silent or lie while something is measured."""

from __future__ import annotations

import struct
import time
from contextlib import contextmanager

import numpy as np
import pytest
from asammdf import MDF

import xcaliper
from pair.faulty_link import FaultyLink
from support.served import wait_for
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    IntegrityError,
    LinkError,
    NegativeResponseError,
    RemoteProtocolError,
)
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.process import EcuProcess
from xcaliper.sim.server import EcuServer

TIMEOUT_S = 0.25
DAQ = 0xFC  # first byte below it: a DAQ packet
pytestmark = pytest.mark.timeout(90)


def serve(url: str = "udp://127.0.0.1:0", *, name: str = "demo-engine") -> EcuServer:
    return EcuServer(build_ecu(name), (url,)).start()


@contextmanager
def reachable():
    """An ECU that can be taken away and put back at the same address: [server]."""
    box = [serve()]
    try:
        yield box
    finally:
        if box[0] is not None:
            box[0].close()


def until(measurement, condition, seconds=20.0):
    """Take blocks until it is true; gives them."""
    end = time.monotonic() + seconds
    found = []
    for block in measurement:
        found.append(block)
        if condition():
            return found
        assert time.monotonic() < end, "it did not happen in time"
    raise AssertionError("the measurement ended")


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_ecu_restarts_and_measuring_goes_on_in_the_same_file(scheme, tmp_path):
    path = tmp_path / "run.mf4"
    server = serve(f"{scheme}://127.0.0.1:0")
    url = server.url
    with xcaliper.connect(url, cache=False, timeout_s=TIMEOUT_S) as ecu:
        measurement = ecu.measure(
            ["TaskCounter1ms", "CoolantTemp"],
            event={"CoolantTemp": "polling"},
            polling=20,
            reconnect=30,
            record=path,
        )
        measurement.start()
        time.sleep(0.4)
        server.close()
        time.sleep(0.5)
        server = serve(url)
        time.sleep(0.1)
        wait_for(lambda: measurement.quality.reconnects == 1, 30)
        time.sleep(0.4)
        measurement.stop()
        assert ecu.read("cIdleSpeedTarget") == 820, "the connection serves again"
    server.close()
    blocks = {block.event: block for block in measurement.blocks()}
    block = blocks["Task1ms"]
    (gap,) = block.gaps
    assert gap.reason == "reconnect"
    assert gap.t_to_ns > gap.t_from_ns
    assert (np.diff(block.t) > 0).all(), "one axis"
    away_s = (gap.t_to_ns - gap.t_from_ns) * 1e-9
    assert away_s > 0.4
    assert 0 < gap.before_row < len(block)
    counts = block["TaskCounter1ms"].astype(np.int64)
    assert (np.diff(counts[: gap.before_row]) == 1).all()
    assert (np.diff(counts[gap.before_row :]) == 1).all()
    assert measurement.quality.reconnects == 1
    assert measurement.summary()["reconnects"] == 1
    assert blocks["polling"].t[-1] > gap.t_to_ns * 1e-9, "polling goes on as well"
    figure = measurement.plot("TaskCounter1ms")
    line = figure.axes[0].lines[0]
    (at,) = line.get_xdata()[np.isnan(line.get_ydata())]
    assert at == pytest.approx(gap.t_from_ns * 1e-9), "the line stops where the gap begins"
    with MDF(path) as mdf:
        assert len(mdf.get("TaskCounter1ms")) == len(block)
        texts = [event.comment or "" for event in mdf.events]
        assert any("reconnect" in text for text in texts)
        assert any("found" in text for text in texts)


def test_without_reconnecting_a_restart_is_an_error(tmp_path):
    path = tmp_path / "run.mf4"
    with reachable() as box, xcaliper.connect(box[0].url, cache=False, timeout_s=TIMEOUT_S) as ecu:
        measurement = ecu.measure("TaskCounter1ms", record=path)
        with pytest.raises((LinkError, ExchangeTimeoutError, RemoteProtocolError)) as caught:  # noqa: PT012
            for _ in measurement:
                if measurement.elapsed_s > 0.3 and box[0] is not None:
                    box[0].close()
                    box[0] = None
        assert caught.value.hint
        assert not measurement.is_running
    with MDF(path) as mdf:
        assert len(mdf.get("TaskCounter1ms")) == measurement.quality.samples > 0


def test_stop_tells_of_a_loss_that_nobody_heard_of():
    with reachable() as box, xcaliper.connect(box[0].url, cache=False, timeout_s=TIMEOUT_S) as ecu:
        seen = []
        measurement = ecu.measure("TaskCounter1ms", keep=False)
        measurement.on_block(seen.append)
        measurement.start()
        time.sleep(0.3)
        box[0].close()
        box[0] = None
        time.sleep(0.5)
        with pytest.raises((LinkError, ExchangeTimeoutError, RemoteProtocolError)):
            measurement.stop()
        measurement.stop()
        assert sum(map(len, seen)) == measurement.quality.samples > 0


def test_attempts_are_bounded_and_another_program_is_refused():
    with reachable() as box, xcaliper.connect(box[0].url, cache=False, timeout_s=TIMEOUT_S) as ecu:
        measurement = ecu.measure("TaskCounter1ms", reconnect=1.0)
        measurement.start()
        time.sleep(0.2)
        box[0].close()
        box[0] = None
        begin = time.monotonic()
        with pytest.raises((LinkError, ExchangeTimeoutError, RemoteProtocolError)) as caught:
            until(measurement, lambda: False, 30)
        assert time.monotonic() - begin < 15
        assert "1 s" in caught.value.hint
    with reachable() as box, xcaliper.connect(box[0].url, cache=False, timeout_s=TIMEOUT_S) as ecu:
        ecu.description.texts[5] = "ANOTHER-PROGRAM"
        with pytest.raises(IntegrityError, match="another program"):
            ecu.reconnect()


# -- peers that misbehave ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def process():
    with EcuProcess() as child:
        yield child


@pytest.fixture
def link(process):
    with FaultyLink(process.url) as relay:
        yield relay


@pytest.fixture
def ecu(link):
    with xcaliper.connect(link.url, cache=False, timeout_s=TIMEOUT_S) as connection:
        yield connection
        link.heal()


def messages(datagram: bytes):
    """The messages of a datagram, headers included."""
    at = 0
    while at + 4 < len(datagram):
        end = at + 4 + int.from_bytes(datagram[at : at + 2], "little")
        yield datagram[at:end]
        at = end


def answers(link, code: int, instead: bytes):
    """Answer a command with something else; the slave does not see it."""

    def down(datagram: bytes):
        if datagram[4] != code:
            return [(0.0, datagram)]
        counter = int.from_bytes(datagram[2:4], "little")
        link.refused = (counter, instead)
        # SYNCH-like harmless command in its place: GET_STATUS, whose answer is replaced
        return [(0.0, struct.pack("<HH", 1, counter) + b"\xfd")]

    def up(datagram: bytes):
        if getattr(link, "refused", None) and datagram[4] >= 0xFE:
            link.refused = None
            return [(0.0, struct.pack("<H", len(instead)) + datagram[2:4] + instead)]
        return [(0.0, datagram)]

    link.down, link.up = down, up


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (0xD5, 0x30),  # ALLOC_DAQ: ERR_MEMORY_OVERFLOW, though there should be room
        (0xE0, 0x22),  # SET_DAQ_LIST_MODE: ERR_OUT_OF_RANGE
        (0xDE, 0x24),  # START_STOP_DAQ_LIST: ERR_ACCESS_DENIED
    ],
)
def test_slave_that_refuses_is_named_with_the_command(link, ecu, tmp_path, code, error):
    path = tmp_path / "never.mf4"
    measurement = ecu.measure("TaskCounter1ms", record=path, duration_s=1)
    answers(link, code, bytes((0xFE, error)))
    with pytest.raises(NegativeResponseError) as caught:
        measurement.run()
    assert caught.value.code == error
    assert not measurement.is_running
    link.heal()
    assert ecu.measure("TaskCounter1ms", duration_s=0.3).run().quality.samples > 0


def test_slave_that_stops_sending_but_answers_is_noticed(link, ecu):
    """The data stop, GET_STATUS says that lists run: counted and told, and no endless silence."""
    measurement = ecu.measure("TaskCounter1ms", duration_s=4.0)

    def only_answers(datagram: bytes):
        left = b"".join(one for one in messages(datagram) if one[4] >= DAQ)
        return [(0.0, left)] if left else []

    link.up = only_answers
    measurement.run()
    assert measurement.quality.silences == 1
    (finding,) = [one for one in measurement.diagnostics if one.slug == "daq-silent"]
    assert "Task1ms" in finding.text
    assert measurement.summary()["diagnostics"]


def test_wrong_list_numbers_are_counted_and_explained(link, ecu):
    def renumbered(datagram: bytes):
        found = bytearray()
        for message in messages(datagram):
            wrong = bytearray(message)
            if wrong[4] < DAQ:
                wrong[5] = 0x77  # relative ODT, DAQ list
            found += wrong
        return [(0.0, bytes(found))]

    measurement = ecu.measure("TaskCounter1ms", duration_s=3.0)
    link.up = renumbered
    measurement.run()
    assert measurement.quality.samples == 0
    assert measurement.quality.unknown > 50
    (finding,) = [one for one in measurement.diagnostics if one.slug == "daq-silent"]
    assert "belong to no list" in finding.text


def test_lists_that_the_slave_stopped_are_set_up_again(link, ecu):
    """Somebody else stops the lists: an error, or with reconnect a gap."""
    for counter, reconnect in ((0x7001, False), (0x7100, 20)):
        measurement = ecu.measure("TaskCounter1ms", reconnect=reconnect)
        measurement.start()
        time.sleep(0.3)
        link.inject_down(struct.pack("<HH", 2, counter) + b"\xdd\x00")  # START_STOP_SYNCH, all
        if reconnect:
            until(measurement, lambda m=measurement: m.quality.reconnects == 1)
            measurement.stop()
            reasons = [gap.reason for gap in measurement.blocks()[0].gaps]
            assert reasons == ["reconnect"]
        else:
            with pytest.raises(RemoteProtocolError, match="stopped its DAQ lists"):
                until(measurement, lambda: False)
