"""A virtual ECU that drops on purpose: the losses measured, recorded and read by asammdf are the truth."""

from __future__ import annotations

import re

import numpy as np
import pytest
from asammdf import MDF

import xcaliper
from support.served import wait_for
from xcaliper.client.daq_port import DaqPort
from xcaliper.daq import framed
from xcaliper.sim.faults import Faults
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.transport import drain

pytestmark = pytest.mark.timeout(180)

NAMES = ["TaskCounter1ms", "WaveCounter"]
LEAST = 20
COMPILE_S = 120


@pytest.fixture(params=["compiled", "numpy", "packets"])
def check_tier(request, monkeypatch):
    """A function that tells how the last measurement's bytes became rows; it is the one asked for."""
    if request.param == "compiled":
        pytest.importorskip("numba", reason="the extra fast is not installed")
        assert drain.prepare(wait_s=COMPILE_S)
    else:
        monkeypatch.setattr(drain, "prepare", lambda **_: False)
        monkeypatch.setattr(drain, "drain_kernel", lambda: None)
    if request.param == "packets":
        monkeypatch.setattr(framed, "is_suitable", lambda _: False)
    decoders, plain = [], DaqPort.begin_time

    def begin_time(port, plan, numbered):
        decoder, origin_ns = plain(port, plan, numbered)
        decoders.append(decoder)
        return decoder, origin_ns

    def check() -> None:
        assert getattr(decoders[-1], "tier", "packets") == request.param

    monkeypatch.setattr(DaqPort, "begin_time", begin_time)
    return check


@pytest.mark.parametrize(
    ("fault", "dto_ctr"),
    [("drop_samples", True), ("lose_packets", False), ("lose_packets", True)],
)
def test_losses_in_the_file_are_those_of_the_ecu(check_tier, fault, dto_ctr, tmp_path):
    """Nothing is lost before the first row and behind the last one, so the counts are exact."""
    path, chance = tmp_path / "drops.mf4", Faults(**{fault: 0.05})
    ecu = build_ecu("demo-engine", faults=chance)
    with (
        EcuServer(ecu, ("udp://127.0.0.1:0",)) as server,
        xcaliper.connect(server.url, cache=False) as connection,
    ):
        server.ecu.faults.faults = Faults()
        measurement = connection.measure(NAMES, dto_ctr=dto_ctr, record=path)
        measurement.start()
        truth = server.ecu.faults.truth

        def rows() -> int:
            return measurement.quality.samples

        def real() -> int:
            return truth.samples + truth.packets

        wait_for(lambda: rows() > 100, 20)
        server.ecu.faults.faults = chance
        wait_for(lambda: real() >= LEAST, 20)
        server.ecu.faults.faults = Faults()
        enough = rows() + 200
        wait_for(lambda: rows() > enough, 20)
        check_tier()
        measurement.stop()
        quality = measurement.quality
        (block,) = measurement.blocks()
    assert real() >= LEAST
    assert quality.lost == real()
    assert sum(gap.lost for gap in block.gaps) == real()
    with MDF(path) as mdf:
        counts = mdf.get("TaskCounter1ms").samples.astype(np.int64)
        marks = [f"{event.name} {event.comment}" for event in mdf.events]
    missing = np.diff(counts) - 1
    assert missing.sum() == real(), "the counter of the ECU's task is a witness of its own"
    marked = [int(found[1]) for mark in marks if (found := re.search(r"(\d+) lost", mark))]
    assert marked == missing[missing > 0].tolist(), marks
