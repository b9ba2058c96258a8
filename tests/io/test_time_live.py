"""Time correlation over real sockets: slaves whose clocks run differently land on one axis."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from support.served import wait_for
from xcaliper import connect, measure_together
from xcaliper.core.errors import LinkError
from xcaliper.core.ticks import TickClock
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.transport.multicast import ClockMulticast
from xcaliper.xcp.slave_clock import ClockModel, ClockSettings
from xcaliper.xcp.slave_config import SlaveConfig

CYCLE_NS = 10_000_000
NAMES = ["EngineSpeed"]


def serve(**clocks) -> EcuServer:
    settings = SlaveConfig(clocks=ClockSettings(**clocks))
    return EcuServer(build_ecu("demo-engine", settings)).start()


def phase(times_ns: np.ndarray) -> float:
    """Where in the 10 ms grid of its ECU the last samples lie, as a mean angle in ns."""
    angles = np.exp(2j * np.pi * (times_ns[-30:] % CYCLE_NS) / CYCLE_NS)
    return float(np.angle(angles.mean()) / (2 * np.pi) * CYCLE_NS)


@pytest.mark.parametrize("multicast", [False, True])
def test_two_slaves_with_different_clocks_land_on_one_axis(multicast: bool) -> None:
    """Both ECUs run their task every 10 ms of true time, so the grid on the axis tells the error."""
    servers = [
        serve(slave=ClockModel(drift_ppm=500.0, start_ns=10**12)),
        serve(slave=ClockModel(drift_ppm=-500.0, start_ns=5 * 10**12)),
    ]
    connections = [connect(server.url) for server in servers]
    sender = None
    try:
        selections = {
            name: one.select(NAMES, event="10ms")
            for name, one in zip("ab", connections, strict=True)
        }
        measurement = measure_together(selections, duration_s=2.0)
        if multicast:
            cluster = servers[0].endpoints[0].port  # nobody else on this host has this number now
            sender = measurement.multicast = ClockMulticast(cluster, interface="127.0.0.1")
            try:
                sender.send()
            except LinkError as error:
                pytest.skip(f"no multicast on the loopback interface: {error}")
        measurement.run()
        found = {block.event[0]: np.rint(block.t * 1e9) for block in measurement.blocks()}
        zeros = [server._zero_ns for server in servers]
        apart = phase(found["a"]) - phase(found["b"]) - (zeros[0] - zeros[1])
        apart = (apart + CYCLE_NS / 2) % CYCLE_NS - CYCLE_NS / 2
        for name, drift in (("a", 500), ("b", -500)):
            line = measurement.correlations[name]
            assert line.axis == "host"
            assert abs(line.drift_ppm - drift) <= line.drift_uncertainty_ppm
            assert measurement.summary()["time"][name]["time_method"] == line.method
        # the bound holds for the line; the axis follows it within a second
        assert abs(apart) <= measurement.axis_error_ns + 200_000
        if multicast and "EV_TIME_SYNC" in measurement.correlations["a"].method:
            assert connections[0].port.clocks().cluster == cluster
    finally:
        if sender is not None:
            sender.close()
        for one in connections:
            one.close()
        for server in servers:
            server.close()


def test_a_grandmasters_utc_dates_the_recording(tmp_path) -> None:
    start_ns = 1_600_000_000 * 10**9
    master = ClockModel(start_ns=start_ns, resolution=TickClock(1, 0, 8), epoch=1)
    server = serve(grandmaster=master, grandmaster_access=1, slave=ClockModel(drift_ppm=100.0))
    connection = connect(server.url)
    path = tmp_path / "run.mf4"
    try:
        measurement = connection.measure(NAMES, event="10ms", duration_s=0.5, record=path)
        measurement.run()
        line = measurement.correlation
        assert line.axis.startswith("grandmaster")
        assert line.epoch == "UTC"
        asammdf = pytest.importorskip("asammdf")
        with asammdf.MDF(path) as file:
            assert abs(file.header.start_time.timestamp() - start_ns / 1e9) < 60
            assert "time_method" in file.header.comment
            assert "grandmaster" in file.header.comment
    finally:
        connection.close()
        server.close()


def legacy(clocks: ClockSettings) -> SlaveConfig:
    return SlaveConfig(
        protocol_version=0,
        disabled=frozenset({"TIME_CORRELATION_PROPERTIES", "GET_VERSION"}),
        clocks=clocks,
    )


def test_a_legacy_slave_is_correlated_all_the_same() -> None:
    settings = legacy(ClockSettings(slave=ClockModel(drift_ppm=1000.0)))
    with EcuServer(build_ecu("demo-engine", settings)) as server:
        connection = connect(server.url)
        try:
            measurement = connection.measure(NAMES, event="10ms", duration_s=1.0)
            measurement.run()
            line = measurement.correlation
            assert connection.port.clocks() is None
            assert line.method == "GET_DAQ_CLOCK"
            assert abs(line.drift_ppm - 1000) <= line.drift_uncertainty_ppm
        finally:
            connection.close()


def test_a_clock_that_nobody_can_read_is_no_trouble() -> None:
    server = serve(ecu=ClockModel(start_ns=10**9), ecu_stamps=True, ecu_access=3)
    connection = connect(server.url)
    try:
        measurement = connection.measure(NAMES, event="10ms", duration_s=0.5)
        measurement.run()
        assert measurement.quality.samples > 20
        assert "arrival" in measurement.correlation.describe()
    finally:
        connection.close()
        server.close()


def test_a_clock_that_is_set_forward_is_told() -> None:
    """By less than a second, which its timestamps alone do not show."""
    server = serve(slave=ClockModel(start_ns=10**12))
    connection = connect(server.url)
    try:
        with connection.measure(NAMES, event="10ms") as measurement:
            wait_for(lambda: (line := measurement.correlation) and line.readings >= 60)
            clock = server.ecu.slave.state.clocks.slave
            clock.model = replace(clock.model, steps=((0, 400_000_000),))
            wait_for(lambda: measurement.diagnostics)
        (finding,) = measurement.diagnostics
        assert finding.slug == "daq-clock-set"
        assert re.search(r"set forward by 0\.[1-4]\d\d s", finding.text)
    finally:
        connection.close()
        server.close()


def test_a_reading_that_is_always_the_same_shifts_nothing(monkeypatch) -> None:
    """A slave whose GET_DAQ_CLOCK is a stub, beside one that is in order."""
    monkeypatch.setattr("xcaliper.xcp.handlers.clock._DWORD", 0)
    clocks = ClockSettings(slave=ClockModel(start_ns=3000 * 10**9))
    server = EcuServer(build_ecu("demo-engine", legacy(clocks))).start()
    connection = connect(server.url)
    try:
        measurement = connection.measure(NAMES, event="10ms", duration_s=0.6).run()
        (block,) = measurement.blocks()
        assert 0 <= block.t[0] <= block.t[-1] < 60, "not 1295 s before the start"
        assert "arrival" in measurement.correlation.describe()
        assert [one.slug for one in measurement.diagnostics] == ["daq-other-clock"]
    finally:
        connection.close()
        server.close()
