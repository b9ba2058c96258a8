"""The demo ECU under every kind of setting, calibrated and measured through the public API."""

import itertools
import socket

import numpy as np
import pytest

import xcaliper
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.ticks import TickClock
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.codes import ChecksumType
from xcaliper.xcp.slave_config import SlaveConfig

US4 = TickClock(1, 3, 4)
ORDERS = (ByteOrder.INTEL, ByteOrder.MOTOROLA)
HEADERS = [
    (order, ag, field, US4, 255 // ag * ag, 1468)
    for order, ag, field in itertools.product(ORDERS, (1, 2, 4), (0, 1, 2, 3))
]
CLOCKS = [
    (order, ag, 1, clock, 32, 64)
    for (order, ag), clock in zip(
        itertools.cycle([(ByteOrder.INTEL, 1), (ByteOrder.MOTOROLA, 2)]),
        [TickClock(1, 3, 2), TickClock(1, 5, 1), TickClock(1, 5, 2), TickClock(1, 0, 4)],
        strict=False,
    )
]
TIGHT = [
    (ByteOrder.INTEL, 1, 0, TickClock(1, 3, 2), 8, 8),
    (ByteOrder.MOTOROLA, 4, 0, TickClock(1, 3, 2), 8, 8),
    (ByteOrder.INTEL, 1, 1, TickClock(1, 3, 0), 64, 256),
]


def settings(order, ag, field, clock, max_cto, max_dto, **more):
    return SlaveConfig(
        byte_order=order,
        ag=ag,
        identification_field=field,
        timestamp=clock,
        max_cto=max_cto,
        max_dto=max_dto,
        granularity_odt_entry=ag,
        max_odt_entry_size=min(255, max_dto) // ag * ag,
        **more,
    )


def take(ecu, names, count):
    """A stopped measurement with at least so many samples of the 1 ms task, however long they take."""
    measurement = ecu.measure(names, duration_s=30)
    with measurement:
        for _ in measurement:
            if sum(len(b) for b in measurement.blocks() if "TaskCounter1ms" in b) >= count:
                break
    return measurement


def show(row):
    order, ag, field, clock, max_cto, max_dto = row
    return f"{order.name}-ag{ag}-id{field}-ts{clock.size_bytes}x{clock.unit}-{max_cto}-{max_dto}"


@pytest.mark.parametrize("row", HEADERS + CLOCKS + TIGHT, ids=show)
def test_calibrate_and_measure(row):
    max_dto, clock = row[5], row[3]
    names = ["TaskCounter1ms", "TaskCounter10ms"]
    if max_dto > 8:
        names += ["TimeUs", "EngineSpeed", "EngineState", "CoolantTemp"]
    with (
        EcuServer(build_ecu("demo-engine", settings(*row))) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
    ):
        assert ecu.diagnostics == ()
        assert ecu.write("cIdleSpeedTarget", 900).before == 820
        assert ecu.read("cIdleSpeedTarget") == 900
        before = ecu.read("KFZW").values
        ecu.write("KFZW", 10, at=(2, 3))
        after = ecu.read("KFZW").values
        assert after[2, 3] == 10
        assert int((before != after).sum()) == 1
        measurement = take(ecu, names, 100)
        counted = next(b for b in measurement.blocks() if "TaskCounter1ms" in b)
        quality = measurement.quality
    counters = counted["TaskCounter1ms"].astype(np.int64)
    assert len(counters) >= 100
    assert set(np.diff(counters)) == {1}
    assert (quality.lost, quality.unknown, quality.incomplete, quality.gaps) == (0, 0, 0, 0)
    if clock.size_bytes:
        steps = np.diff(counted.t)
        assert np.median(steps) == pytest.approx(1e-3, abs=2e-4)


@pytest.mark.parametrize(
    "kind", [k for k in ChecksumType if k is not ChecksumType.XCP_USER_DEFINED]
)
def test_every_checksum_type(kind):
    row = (ByteOrder.MOTOROLA, 1, 1, US4, 255, 1468)
    with (
        EcuServer(build_ecu("demo-engine", settings(*row, checksum=kind))) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
    ):
        where = ecu.catalog.bind("KFZW").address
        name, first = ecu.checksum(where, 64)
        assert name == kind.name
        value = float(ecu.read("KFZW").values[0, 0])
        ecu.write("KFZW", value + 1, at=(0, 0))
        assert ecu.checksum(where, 64)[1] != first
        ecu.write("KFZW", value, at=(0, 0))
        assert ecu.checksum(where, 64)[1] == first


@pytest.mark.parametrize(
    "command",
    [
        "SHORT_UPLOAD", "SHORT_DOWNLOAD", "GET_COMM_MODE_INFO", "GET_DAQ_PROCESSOR_INFO",
        "GET_DAQ_RESOLUTION_INFO", "GET_DAQ_EVENT_INFO", "WRITE_DAQ_MULTIPLE", "GET_DAQ_CLOCK",
        "BUILD_CHECKSUM", "GET_PAG_PROCESSOR_INFO", "GET_VERSION",
    ],
)  # fmt: skip
def test_optional_commands_may_be_missing(command):
    row = (ByteOrder.INTEL, 1, 1, US4, 255, 1468)
    with (
        EcuServer(
            build_ecu("demo-engine", settings(*row, disabled=frozenset({command})))
        ) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
    ):
        ecu.write("cIdleSpeedTarget", 900)
        assert ecu.read("cIdleSpeedTarget") == 900
        measurement = take(ecu, ["TaskCounter1ms", "EngineSpeed"], 50)
        assert measurement.quality.samples >= 50


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:0", "udp://[::1]:0", "tcp://[::1]:0"])
def test_other_roads(url):
    if "::1" in url and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with (
        EcuServer(build_ecu("demo-engine"), [url]) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
    ):
        measurement = take(ecu, ["TaskCounter1ms"], 100)
        counters = measurement.blocks()[0]["TaskCounter1ms"].astype(np.int64)
        assert set(np.diff(counters)) == {1}
