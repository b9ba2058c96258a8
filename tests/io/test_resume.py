"""Cold start: an ECU that is killed and started again measures before anybody has connected."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time

import numpy as np
import pytest

import xcaliper
from xcaliper.core.errors import IntegrityError, RemoteProtocolError, ResumeError, SourceError
from xcaliper.daq.saved_plan import SavedPlan
from xcaliper.sim.process import EcuProcess

NAMES = [f"Sig{number:05d}" for number in range(0, 40, 2)]


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def ecu(url: str, nvm, **more) -> EcuProcess:
    return EcuProcess("many-signals", (url,), signals=200, rate_hz=200, nvm=nvm, **more)


def kill(process: EcuProcess) -> None:
    """As a power failure does it."""
    os.kill(process.pid, signal.SIGKILL)
    process.close()


def check_samples(frame, names=NAMES) -> None:
    """Every signal counts with the event, so a sample of another event or signal would show."""
    first = frame[names[0]].to_numpy()
    assert len(first) > 20
    assert np.all(np.diff(first.astype(np.int64)) % 65536 == np.diff(first.astype(np.int64))[0] % 65536)


@pytest.fixture
def stored(tmp_path):
    """URL, NVM file and saved plan of an ECU that was killed after it had stored a measurement."""
    url = f"tcp://127.0.0.1:{free_port()}"
    nvm, plan = tmp_path / "ecu.nvm", tmp_path / "plan.json"
    with ecu(url, nvm) as process:
        with xcaliper.connect(url, cache=False) as connection:
            saved = connection.store_measurement(NAMES, file=plan)
        kill(process)
    return url, nvm, plan, saved


def test_the_first_samples_after_the_start_are_in_the_recording(stored, tmp_path):
    url, nvm, plan, saved = stored
    target = tmp_path / "cold.mf4"
    with ecu(url, nvm):
        time.sleep(0.3)  # the ECU is up before anybody asks
        with xcaliper.connect(url, cache=False, resume=plan, wait_s=10) as connection:
            assert connection.session.status.resume
            assert connection.resumed.compared
            assert connection.resumed.saved.session_configuration_id == saved.session_configuration_id
            measurement = connection.resumed.measure(duration_s=1.0, record=target)
            measurement.run()
            quality = measurement.quality
            frame = measurement.to_pandas()
    print(quality, frame.head(), frame.index[:5])
    assert target.exists()
