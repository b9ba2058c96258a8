"""Cold start: an ECU that is killed and started again measures before anybody has connected."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from asammdf import MDF

import xcaliper
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import (
    IntegrityError,
    LinkError,
    RemoteProtocolError,
    ResumeError,
    SourceError,
    UsageError,
    XcaliperError,
)
from xcaliper.sim.ecu import STORING
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.gallery.many_signals import truth
from xcaliper.sim.process import EcuProcess
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.slave_config import SlaveConfig

if TYPE_CHECKING:
    from xcaliper.daq.saved_plan import SavedPlan

SIGNALS = 80
NUMBERS = range(0, SIGNALS, 3)
NAMES = ["RunCounter", *(f"Sig{number:05d}" for number in NUMBERS)]
WAIT_S = 20


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def tcp_url() -> str:
    return f"tcp://127.0.0.1:{free_port(socket.SOCK_STREAM)}"


def udp_url() -> str:
    """A master on UDP keeps its port, since the ECU sends to where its last master was."""
    ports = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    return "udp://127.0.0.1:{}?local_port={}".format(*ports)


def make_ecu(url: str, nvm, settings: SlaveConfig | None = None) -> EcuProcess:
    where = url.partition("?")[0]
    options = {"signals": SIGNALS, "rate_hz": 200, "nvm": nvm}
    return EcuProcess("many-signals", (where,), settings, **options)


def kill(process: EcuProcess) -> None:
    """As a power failure does it."""
    os.kill(process.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    process.close()


def store(url: str, tmp_path, settings: SlaveConfig | None = None) -> SavedPlan:
    """Have an ECU store a measurement, then cut its power."""
    process = make_ecu(url, tmp_path / "ecu.nvm", settings).start()
    try:
        with xcaliper.connect(url, cache=False) as connection:
            return connection.store_measurement(NAMES, file=tmp_path / "plan.json")
    finally:
        kill(process)


def check_samples(measurement) -> int:
    """That every sample is true, none is missing, and the first one is that of the first run."""
    (frame,) = measurement.to_pandas().values()
    runs = frame["RunCounter"].to_numpy().astype(np.int64)
    assert measurement.quality.lost == 0
    assert measurement.quality.gaps == 0
    assert runs[0] == 1
    assert np.array_equal(runs, np.arange(1, len(runs) + 1))
    for number in NUMBERS:
        wanted = [truth(number, SIGNALS, int(run)) for run in runs]
        assert np.array_equal(frame[f"Sig{number:05d}"].to_numpy(), wanted)
    steps = np.diff(frame.index.to_numpy()) / 0.005  # an ECU that is kept waiting skips periods
    assert np.all(np.round(steps) >= 1)
    assert np.allclose(steps, np.round(steps))
    return len(runs)


@pytest.mark.parametrize("order", [ByteOrder.INTEL, ByteOrder.MOTOROLA], ids=lambda one: one.value)
def test_the_first_samples_after_a_start_are_in_the_recording(tmp_path, order):
    url, settings = tcp_url(), SlaveConfig(byte_order=order, **STORING)
    saved = store(url, tmp_path, settings)
    target = tmp_path / "cold.mf4"
    with make_ecu(url, tmp_path / "ecu.nvm", settings):
        time.sleep(0.3)  # the ECU runs before anybody asks
        plan = tmp_path / "plan.json"
        with xcaliper.connect(url, cache=False, resume=plan, wait_s=WAIT_S) as connection:
            assert connection.session.status.resume
            assert connection.session.session_configuration_id == saved.session_configuration_id
            assert connection.resumed.compared
            measurement = connection.resumed.measure(duration_s=0.5, record=target)
            measurement.run()
            assert connection.resumed is None
            with pytest.raises(XcaliperError):
                measurement.start()
    rows = check_samples(measurement)
    assert rows > 150
    with MDF(target) as recording:
        assert np.array_equal(recording.get("RunCounter").samples, range(1, rows + 1))


def test_a_master_that_waits_on_udp_gets_everything_from_power_up(tmp_path):
    url = udp_url()
    saved = store(url, tmp_path)
    process = make_ecu(url, tmp_path / "ecu.nvm")
    starter = threading.Timer(0.5, process.start)
    starter.start()
    try:
        with xcaliper.connect(url, cache=False, resume=saved, wait_s=WAIT_S) as connection:
            measurement = connection.resumed.measure(duration_s=0.5)
            measurement.run()
    finally:
        starter.join()
        process.close()
    check_samples(measurement)


def test_an_ordinary_measurement_takes_the_place_of_resumed_lists(tmp_path):
    url = tcp_url()
    saved = store(url, tmp_path)
    with make_ecu(url, tmp_path / "ecu.nvm"):
        with xcaliper.connect(url, cache=False, resume=saved, wait_s=WAIT_S) as connection:
            resumed = connection.resumed
            frame = connection.measure("RunCounter", duration_s=0.3).run().to_pandas()["Fast"]
            assert len(frame) > 20
            with pytest.raises(XcaliperError, match="taken already"):
                resumed.measure()
            connection.clear_stored()
        with pytest.raises(RemoteProtocolError, match="does not run stored DAQ lists"):
            xcaliper.connect(url, cache=False, resume=saved)


def test_other_lists_and_other_programs_have_their_error(tmp_path):
    url = tcp_url()
    saved = store(url, tmp_path)
    with make_ecu(url, tmp_path / "ecu.nvm"):
        other = replace(saved, session_configuration_id=saved.session_configuration_id ^ 1)
        with pytest.raises(ResumeError, match="session configuration id"):
            xcaliper.connect(url, cache=False, resume=other, wait_s=WAIT_S)
        (one,) = saved.plan.lists
        plan = replace(saved.plan, lists=(replace(one, prescaler=2),))
        with pytest.raises(ResumeError, match="DAQ list 0: prescaler"):
            xcaliper.connect(url, cache=False, resume=replace(saved, plan=plan))
        with pytest.raises(IntegrityError, match="EPK"):
            xcaliper.connect(url, cache=False, resume=replace(saved, epk="ANOTHER"))
        with xcaliper.connect(url, cache=False, resume=saved) as connection:  # still running
            assert connection.resumed is not None
    with pytest.raises(SourceError, match="cannot be read"):
        xcaliper.connect(url, resume=tmp_path / "missing.json")
    (tmp_path / "damaged.json").write_text('{"format": 1}')
    with pytest.raises(SourceError, match="no stored measurement"):
        xcaliper.connect(url, resume=tmp_path / "damaged.json")
    with pytest.raises(XcaliperError, match="wait"):
        xcaliper.connect(url, resume=saved, wait_s=-1)
    with pytest.raises(LinkError):
        xcaliper.connect(url, resume=saved, wait_s=0.1)


def test_a_restart_inside_of_the_process_resumes_as_well(tmp_path):
    url = udp_url()
    ecu = build_ecu("many-signals", signals=SIGNALS, rate_hz=200)
    with EcuServer(ecu, (url.partition("?")[0],)) as server:
        with xcaliper.connect(url, cache=False) as connection:
            saved = connection.store_measurement(NAMES)
            with pytest.raises(UsageError, match="nobody would poll"):
                connection.store_measurement(["cStep", "RunCounter"], event={"cStep": "polling"})
        assert ecu.nonvolatile.master.startswith("udp://127.0.0.1:")
        timer = threading.Timer(0.3, server.reboot)
        timer.start()
        time.sleep(0.5)
        with xcaliper.connect(url, cache=False, resume=saved, wait_s=WAIT_S) as connection:
            measurement = connection.resumed.measure(duration_s=0.4)
            measurement.run()
        timer.join()
    (frame,) = measurement.to_pandas().values()
    runs = frame["RunCounter"].to_numpy().astype(np.int64)
    assert np.array_equal(runs, np.arange(runs[0], runs[0] + len(runs)))
    assert len(runs) > 50
