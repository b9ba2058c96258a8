"""What the public API measured is what asammdf reads from the recording, sample by sample."""

from __future__ import annotations

import numpy as np
import pytest
from asammdf import MDF

import xcaliper
from xcaliper.sim.process import EcuProcess
from xcaliper.xcp.slave_config import SlaveConfig

DURATION_S = 2.0
LONG_S = 60.0
PERIOD_S = 0.001
#: An ECU that a busy machine keeps from running makes up for it: what is lost is lost by us.
MAX_LATE_S = 5.0


@pytest.fixture(scope="module", params=["udp", "tcp"])
def recorded(request, tmp_path_factory):
    """Every measurement of the demo ECU for two seconds: blocks by event, and the opened file."""
    path = tmp_path_factory.mktemp("recording") / "all.mf4"
    with (
        EcuProcess(urls=(f"{request.param}://127.0.0.1:0",), max_late_s=MAX_LATE_S) as process,
        xcaliper.connect(process.url, cache=False) as ecu,
    ):
        names = ecu.names(kind="measurement")
        measurement = ecu.measure(names, duration_s=DURATION_S, record=path).run()
        a2l = ecu.description.data
    with MDF(path) as mdf:
        yield measurement, mdf, a2l


def groups(recorded):
    """(block, index of its channel group) for every event."""
    measurement, mdf, _ = recorded
    blocks = {block.event: block for block in measurement.blocks()}
    found = {group.channel_group.acq_name: n for n, group in enumerate(mdf.groups)}
    assert set(found) == set(blocks)
    return [(blocks[event], number) for event, number in found.items()]


def samples(mdf, name: str, group: int, *, raw: bool) -> np.ndarray:
    """Samples as a plain array; asammdf wraps arrays into records of one field."""
    found = mdf.get(name, group=group, raw=raw).samples
    return found[name] if found.dtype.names else found


def test_all_signals_of_all_events_are_there(recorded):
    measurement, _, _ = recorded
    pairs = groups(recorded)
    assert {block.event for block, _ in pairs} >= {"Task1ms", "Task10ms", "Task100ms", "CrankSync"}
    names = [name for block, _ in pairs for name in block.names]
    assert sorted(names) == sorted(measurement.signals)
    assert len(names) >= 150
    quality = measurement.quality
    assert quality.samples == sum(len(block) for block, _ in pairs)
    assert (quality.lost, quality.gaps, quality.incomplete, quality.dropped) == (0, 0, 0, 0)
    first = pairs[0][0]  # every millisecond of the slave's clock has its sample
    assert len(first) == round((first.t[-1] - first.t[0]) * 1000) + 1 > 100


def test_time_axis(recorded):
    _, mdf, _ = recorded
    for block, group in groups(recorded):
        for name in (block.names[0], block.names[-1]):
            stamps = mdf.get(name, group=group).timestamps
            np.testing.assert_array_equal(stamps, block.t, err_msg=name)
        assert (np.diff(block.t) > 0).all()


def test_every_raw_value(recorded):
    _, mdf, _ = recorded
    compared = 0
    for block, group in groups(recorded):
        for name in block.names:
            theirs, ours = samples(mdf, name, group, raw=True), block.raw(name)
            assert theirs.shape == ours.shape, name
            np.testing.assert_array_equal(theirs, ours, err_msg=name)
            compared += ours.size
    assert compared > 100_000


def test_every_physical_value(recorded):
    measurement, mdf, _ = recorded
    texts = numbers = 0
    for block, group in groups(recorded):
        for name in block.names:
            theirs, ours = samples(mdf, name, group, raw=False), block[name]
            assert theirs.shape == ours.shape, name
            if ours.dtype.kind == "O":
                decoded = [str(text) for text in np.char.decode(theirs, "utf-8").ravel()]
                assert decoded == ours.ravel().tolist(), name
                texts += 1
            else:
                np.testing.assert_allclose(theirs, ours, rtol=1e-12, err_msg=name)
                numbers += 1
            assert mdf.get(name, group=group).unit == measurement.unit(name), name
    assert texts > 5
    assert numbers > 100


def test_counter_without_gap_or_duplicate(recorded):
    _, mdf, _ = recorded
    for name in ("TaskCounter1ms", "TaskCounter10ms", "TaskCounter100ms", "SegmentCounter"):
        assert (np.diff(mdf.get(name).samples.astype(np.int64)) == 1).all(), name


def test_description_is_attached(recorded):
    _, mdf, a2l = recorded
    assert len(mdf.attachments) == 1
    data, name, _ = mdf.extract_attachment(0)
    assert bytes(data) == a2l
    assert str(name).endswith(".a2l")


def test_changes_while_recording_are_marked(tmp_path):
    """A parameter written meanwhile shows in the file: in the value of its copy and as an event."""
    path = tmp_path / "marked.mf4"
    with EcuProcess() as process, xcaliper.connect(process.url, cache=False) as ecu:
        measurement = ecu.measure(["TaskCounter1ms", "EngineSpeed"], duration_s=1.0, record=path)
        written = False
        for _ in measurement:
            if not written:
                ecu.write("cIdleSpeedTarget", 1100)
                written = True
    with MDF(path) as mdf:
        texts = [str(event.name) + str(event.comment) for event in mdf.events]
    assert any("cIdleSpeedTarget" in text for text in texts)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_minute_at_1_khz_has_no_gap_and_no_duplicate(tmp_path):
    """In real time: the counter of the 1 ms task for 60 s, beside signals of the other events."""
    path = tmp_path / "minute.mf4"
    settings = SlaveConfig(queue_size=16_384)
    names = ["TaskCounter1ms", "EngineSpeed", "TaskCounter10ms", "LambdaActual", "SegmentCounter"]
    with (
        EcuProcess(settings=settings, max_late_s=MAX_LATE_S) as process,
        xcaliper.connect(process.url, cache=False) as ecu,
    ):
        measurement = ecu.measure(names, duration_s=LONG_S, record=path, keep=False).run()
        assert measurement.quality.lost == 0
    with MDF(path) as mdf:
        signal = mdf.get("TaskCounter1ms")
        counts = signal.samples.astype(np.int64)
        assert len(counts) >= LONG_S * 1000 * 0.98
        assert (np.diff(counts) == 1).all()
        steps = np.diff(signal.timestamps)
        assert (steps > 0).all()
        assert steps.mean() == pytest.approx(PERIOD_S, rel=0.01)
        assert (np.diff(mdf.get("TaskCounter10ms").samples.astype(np.int64)) == 1).all()
        assert (np.diff(mdf.get("SegmentCounter").samples.astype(np.int64)) == 1).all()
