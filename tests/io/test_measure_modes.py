"""Ways to take a measurement: callbacks, streams, polling, calculated signals, recordings, two slaves."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest
from asammdf import MDF

import xcaliper
from support.served import wait_for
from xcaliper import Recording
from xcaliper.client.recording import open_recordings
from xcaliper.core.errors import MdfError, NotFoundError, PlanError, SettingsError, UsageError
from xcaliper.record.calculated import CalculatedSignal
from xcaliper.record.sinks.memory import MemorySink
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.process import EcuProcess
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_daq_config import CounterConfig, EventConfig

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def url():
    with EcuProcess() as process:
        yield process.url


@pytest.fixture(scope="module")
def other_url():
    with EcuProcess(seed=7) as process:
        yield process.url


@pytest.fixture
def ecu(url):
    with xcaliper.connect(url, cache=False) as connection:
        yield connection


@pytest.fixture
def other(other_url):
    with xcaliper.connect(other_url, cache=False) as connection:
        yield connection


def test_the_dto_counter_of_another_event_is_no_loss(tmp_path):
    def events(**settings):
        counter = CounterConfig(related_event=1, **settings)
        return tuple(EventConfig(n, "", counter=counter if n == 0 else None) for n in range(4))

    def served(**settings):
        return EcuServer(build_ecu("demo-engine", SlaveConfig(events=events(**settings))))

    with served() as server, xcaliper.connect(server.url, cache=False) as ecu:
        measurement = ecu.measure("TaskCounter1ms", dto_ctr=True, duration_s=0.2).run()
        (block,) = measurement.blocks()
        assert len(block) > 20
        assert (measurement.quality.lost, block.gaps) == (0, ())
    with (
        served(related_event_fixed=True) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
    ):
        file = tmp_path / "run.mf4"
        with pytest.raises(UsageError, match=r"event 0 \(Task1ms\).*Switch dto_ctr off"):
            ecu.measure("TaskCounter1ms", dto_ctr=True, duration_s=0.2, record=file).run()
        assert not file.exists()
        assert ecu.measure("TaskCounter1ms", duration_s=0.1).run().quality.lost == 0


# --- callbacks and streams ---


def test_a_measurement_that_nobody_reads_ends_with_its_duration(ecu, tmp_path):
    class Full(MemorySink):
        def close(self):
            super().close()
            raise MdfError("sink: the disk is full.")

    counts: list[int] = []
    path = tmp_path / "run.mf4"
    measurement = ecu.measure("TaskCounter1ms", duration_s=0.4, record=[path, Recording([Full()])])
    measurement.on_block(lambda block: counts.append(len(block)))
    measurement.start()
    wait_for(lambda: not measurement.is_running, 20)
    with pytest.raises(MdfError, match="disk is full"):
        measurement.stop()
    measurement.stop()
    (block,) = measurement.blocks()
    assert 200 < len(block) == sum(counts)
    assert block.t[-1] < 5
    with MDF(path) as mdf:
        assert len(mdf.get("TaskCounter1ms")) == len(block)
    assert ecu.measure("TaskCounter1ms", duration_s=0.1).run().quality.samples > 0


def test_callbacks_get_every_sample_in_a_thread_of_their_own(ecu):
    seen: list[np.ndarray] = []
    freshness: list[bool] = []
    threads = set()
    measurement = ecu.measure("TaskCounter1ms", duration_s=0.6, keep=False)

    @measurement.on_block
    def collect(block):
        threads.add(threading.current_thread().name)
        seen.append(block["TaskCounter1ms"].astype(np.int64))
        freshness.append(ecu.link._pace.is_fresh)

    measurement.run()
    assert freshness[0]  # the last ones come when it has ended
    assert not ecu.link._pace.is_fresh
    counts = np.concatenate(seen)
    assert len(counts) == measurement.quality.samples > 20
    assert (np.diff(counts) == 1).all()
    assert threads == {"xcaliper-callback-collect"}
    assert {queue.name for queue in measurement.queues} == {"reader", "callback collect"}
    with pytest.raises(UsageError, match="keep=False"):
        measurement.blocks()


def test_error_of_a_callback_ends_it_alone_and_is_told_at_the_stop(ecu, tmp_path):
    path = tmp_path / "run.mf4"
    good = []
    measurement = ecu.measure("TaskCounter1ms", duration_s=0.5, keep=False, record=path)
    measurement.on_block(lambda block: good.append(len(block)))

    def bad(block):
        raise ZeroDivisionError("of mine")

    measurement.on_block(bad)
    with pytest.raises(UsageError, match="callback bad: ZeroDivisionError: of mine") as caught:
        measurement.run()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert sum(good) == measurement.quality.samples > 20
    with MDF(path) as mdf:
        assert len(mdf.get("TaskCounter1ms")) == sum(good)
    measurement.stop()  # told once
    with pytest.raises(xcaliper.XcaliperError, match="ended"):
        measurement.on_block(bad)


def test_slow_callback_loses_what_it_cannot_hold_counted_and_marked(ecu):
    """A reader that is too slow: bounded memory, loss counted, place marked, recording whole."""
    release = threading.Event()
    blocks = []
    sink = MemorySink()
    measurement = ecu.measure("TaskCounter1ms", duration_s=30, keep=False, record=Recording([sink]))

    def slow(block):
        release.wait(30)
        blocks.append(block)

    measurement.on_block(slow, max_bytes=1000)
    with measurement:
        for _ in measurement:
            if measurement.quality.dropped > 50:
                release.set()
                break
    dropped = next(q.dropped for q in measurement.queues if q.name == "callback slow")
    assert dropped == measurement.quality.dropped > 0
    counts = np.concatenate([block["TaskCounter1ms"] for block in blocks]).astype(np.int64)
    gaps = [gap for block in blocks for gap in block.gaps]
    assert {gap.reason for gap in gaps} == {"queue"}
    assert sum(gap.lost for gap in gaps) == dropped == int((np.diff(counts) - 1).sum())
    assert len(sink.column(0, "TaskCounter1ms")) == len(counts) + dropped


def test_async_stream_lets_other_tasks_run(ecu):
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async def main():
        ticking = asyncio.create_task(tick())
        async with ecu.measure("TaskCounter1ms", duration_s=0.6) as measurement:
            counts = [block["TaskCounter1ms"].astype(np.int64) async for block in measurement]
        ticking.cancel()
        return np.concatenate(counts), measurement

    counts, measurement = asyncio.run(main())
    assert (np.diff(counts) == 1).all()
    assert len(counts) == measurement.quality.samples > 20
    assert ticks > 2
    assert not measurement.is_running


def test_leaving_an_async_stream_stops_the_lists(ecu):
    async def main():
        measurement = ecu.measure("TaskCounter1ms")
        async with measurement:
            async for _ in measurement:
                break
        return measurement

    assert not asyncio.run(main()).is_running
    assert ecu.measure("TaskCounter1ms", duration_s=0.2).run().quality.samples > 0


# --- polling ---


def test_what_is_polled_is_a_raster_of_its_own_and_marked(ecu, tmp_path):
    path = tmp_path / "polled.mf4"
    measurement = ecu.measure(
        ["TaskCounter1ms", "CoolantTemp", "cIdleSpeedTarget"],
        event={"c*": "polling", "CoolantTemp": "polling"},
        polling=50,
        duration_s=1.0,
        record=path,
    ).run()
    assert {one.name for one in measurement.plan.polled} == {"CoolantTemp", "cIdleSpeedTarget"}
    assert all(one.reason for one in measurement.plan.polled)
    by_event = {block.event: block for block in measurement.blocks()}
    polled = by_event["polling"]
    assert set(polled.names) == {"CoolantTemp", "cIdleSpeedTarget"}
    assert 1 <= len(polled) <= 52, "the rate is bounded"
    assert (np.diff(polled.t) > 0).all()
    assert set(polled["cIdleSpeedTarget"]) == {ecu.read("cIdleSpeedTarget")}
    assert abs(polled.t[-1] - by_event["Task1ms"].t[-1]) < 1.0, "one time axis"
    kinds = {row["event"]: row["kind"] for row in measurement.summary()["events"]}
    assert kinds == {"Task1ms": "daq", "polling": "polling"}
    with MDF(path) as mdf:
        assert len(mdf.get("CoolantTemp")) == len(polled)
        assert any("polled" in group.channel_group.comment for group in mdf.groups)
    everything = ecu.measure("CoolantTemp", event="polling", duration_s=0.5).run()
    assert 1 <= everything.quality.samples <= 6
    for rate in (-1, 1e6, float("nan")):
        with pytest.raises(UsageError, match="rounds per second"):
            ecu.plan("CoolantTemp", polling=rate)


# --- calculated signals ---


def test_calculated_signals_in_blocks_and_recordings(ecu, tmp_path):
    path = tmp_path / "calc.mf4"
    measurement = ecu.measure(
        ["EngineSpeed", "TaskCounter1ms", "CoolantTemp"],
        calculated=[
            CalculatedSignal("Power", "EngineSpeed * TaskCounter1ms / 9549", unit="kW"),
            CalculatedSignal("Slow", "CoolantTemp + 0 * EngineSpeed", raster="Task100ms"),
        ],
        duration_s=0.8,
        record=path,
    ).run()
    blocks = {name: block for block in measurement.blocks() for name in block.names}
    fast = blocks["EngineSpeed"]
    np.testing.assert_allclose(
        blocks["Power"]["Power"], fast["EngineSpeed"] * fast["TaskCounter1ms"] / 9549
    )
    np.testing.assert_array_equal(blocks["Power"].t, fast.t)
    assert measurement.unit("Power") == "kW"
    slow = blocks["Slow"]
    same = np.isin(blocks["CoolantTemp"].t, slow.t)
    np.testing.assert_allclose(slow["Slow"], blocks["CoolantTemp"]["CoolantTemp"][same])
    assert measurement.quality.samples == len(fast) + len(blocks["CoolantTemp"])
    with MDF(path) as mdf:
        recorded = mdf.get("Power")
        np.testing.assert_allclose(recorded.samples, blocks["Power"]["Power"])
        assert recorded.unit == "kW"
    short = ecu.measure(["EngineSpeed"], calculated={"Double": "2 * EngineSpeed"}, duration_s=0.2)
    assert "Double" in short.run().blocks()[-1].names
    with pytest.raises(NotFoundError) as caught:
        ecu.measure(["EngineSpeed"], calculated={"Bad": "EnginSpeed * 2"})
    assert "EngineSpeed" in caught.value.nearest


# --- recordings ---


def test_several_recordings_with_triggers_of_their_own(ecu, tmp_path):
    whole, part, text = tmp_path / "all.mf4", tmp_path / "part.mf4", tmp_path / "part.csv"
    measurement = ecu.measure(
        ["TaskCounter1ms", "EngineSpeed"],
        duration_s=1.6,
        record=[
            whole,
            Recording(
                [part, text],
                signals=("TaskCounter1ms",),
                trigger="TaskCounter1ms % 1000 == 500",
                pre_s=0.1,
                post_s=0.2,
            ),
        ],
    ).run()
    counts = measurement.blocks()[0]["TaskCounter1ms"].astype(np.int64)
    at = int(np.flatnonzero(counts % 1000 == 500)[0])
    first = max(0, at - 100)
    with MDF(part) as mdf:
        np.testing.assert_array_equal(mdf.get("TaskCounter1ms").samples, counts[first : at + 201])
        assert "EngineSpeed" not in mdf
    with MDF(whole) as mdf:
        assert len(mdf.get("EngineSpeed")) == len(counts)
    names = {queue.name for queue in measurement.queues}
    assert {"reader", f"record {whole}", f"record {part}, {text}"} == names
    with pytest.raises(SettingsError, match="exists"):
        ecu.measure("EngineSpeed", record=whole, duration_s=0.2).run()
    with pytest.raises(UsageError, match="neither a path"):
        ecu.measure("EngineSpeed", record=7)
    assert ecu.measure("EngineSpeed", duration_s=0.2).run().quality.samples > 0


def test_all_recordings_can_begin_or_none_does(ecu, tmp_path):
    old, fresh = tmp_path / "old.mf4", tmp_path / "new.csv"
    old.write_bytes(b"precious")
    for wrong, error, text in (
        (Recording(tmp_path / "x.mf4", trigger="EngineSped > 1"), NotFoundError, "EngineSpeed"),
        (Recording(tmp_path / "x.mf4", trigger="Lambda > 1"), NotFoundError, "not measured: add"),
        (Recording(tmp_path / "x.mf4", signals=["Lambda"]), NotFoundError, "not measured: add"),
        (Recording(tmp_path / "x.mf4", repeat=True), UsageError, "without a trigger"),
        (Recording(tmp_path / "x.txt"), SettingsError, "no format"),
        (Recording(fresh), UsageError, "named twice"),
    ):
        record = [Recording(old, overwrite=True), fresh, wrong]
        with pytest.raises(error, match=text):
            ecu.measure("EngineSpeed", duration_s=0.2, record=record).run()
        assert [path.name for path in tmp_path.iterdir()] == ["old.mf4"]
        assert old.read_bytes() == b"precious"
    with pytest.raises(NotFoundError, match="not measured: add Lambda"):
        ecu.measure("EngineSpeed", calculated={"Twice": "Lambda * 2"})
    with pytest.raises(UsageError, match="'Twice': 2 is no calculated"):
        ecu.measure("EngineSpeed", calculated={"Twice": 2})
    sink = MemorySink()
    again = Recording([old, sink], numbered=True, signals="EngineSpeed", flush_period_s=0.0)
    count = ecu.measure("EngineSpeed", duration_s=0.3, record=again).run().quality.samples
    assert len(sink.to_pandas()["Task1ms"]) == count > 50
    with MDF(tmp_path / "old_001.mf4") as mdf:
        assert len(mdf.get("EngineSpeed")) == count


def test_what_one_file_cannot_take_goes_on_into_the_others(ecu, tmp_path):
    class Breaks(MemorySink):
        def write(self, block):
            raise MdfError("broken.")

    measurement = ecu.measure(
        "TaskCounter1ms", duration_s=0.6, record=Recording([Breaks(), tmp_path / "good.mf4"])
    )
    with pytest.raises(MdfError, match="broken"):
        measurement.run()
    assert measurement.elapsed_s >= 0.6
    assert str(measurement.record_error) == "broken."
    with MDF(tmp_path / "good.mf4") as mdf:
        assert len(mdf.get("TaskCounter1ms")) == measurement.quality.samples > 200
    measurement = ecu.measure("TaskCounter1ms", duration_s=30, record=[Recording(Breaks())])
    with pytest.raises(MdfError, match="broken"):
        measurement.run()
    assert measurement.elapsed_s < 20  # there is nothing left to record to


def test_manual_trigger_and_page_switch(ecu, tmp_path):
    by_hand, by_page = tmp_path / "hand.mf4", tmp_path / "page.mf4"
    with ecu.measure(
        "TaskCounter1ms",
        record=[
            Recording(by_hand, trigger="manual", post_s=0.1),
            Recording(by_page, trigger="page", post_s=0.1),
        ],
    ) as measurement:
        time.sleep(0.3)
        measurement.trigger("now")
        ecu.set_page(1, 1)
        ecu.set_page(1, 0)
        time.sleep(0.4)
        files = [recorder.stats.files for recorder in measurement.recorders]
    assert files == [(by_hand,), (by_page,)]
    for path in (by_hand, by_page):
        with MDF(path) as mdf:
            assert 0 < len(mdf.get("TaskCounter1ms")) <= 110


# --- several slaves ---


def test_two_slaves_on_one_axis_in_one_file(ecu, other, tmp_path):
    path = tmp_path / "two.mf4"
    measurement = xcaliper.measure_together(
        {
            "left": ecu.select(["EngineSpeed", "TaskCounter1ms"]),
            "right": other.select(["EngineSpeed", "WaveCounter"]),
        },
        duration_s=1.0,
        record=path,
        calculated={"Difference": "`left/EngineSpeed` - `right/EngineSpeed`"},
    )
    assert set(measurement.signals) == {
        "left/EngineSpeed", "right/EngineSpeed", "TaskCounter1ms", "WaveCounter", "Difference",
    }  # fmt: skip
    with measurement:
        other.set_page(1, 1)
        other.set_page(1, 0)
        for _ in measurement:
            pass
    blocks = {block.event: block for block in measurement.blocks()}
    left, right = blocks["left/Task1ms"], blocks["right/Task1ms"]
    assert (np.diff(left["TaskCounter1ms"].astype(int)) == 1).all()
    assert (np.diff(right["WaveCounter"].astype(int)) == -1).all()
    assert abs(left.t[0] - right.t[0]) < 1.0, "a common start"
    assert abs(left.t[-1] - right.t[-1]) < 1.0, "and a common end"
    assert set(measurement.plans) == {"left", "right"}
    for correlation in measurement.correlations.values():
        assert correlation is not None
        assert correlation.readings >= 1
    assert measurement.axis_error_ns is not None
    assert measurement.summary()["time"]["left"]["time_axis"] == "host"
    assert len(blocks["left/Task1ms calculated"]) > 20
    with MDF(path) as mdf:
        sources = {
            group.channel_group.acq_name: group.channel_group.acq_source.name
            for group in mdf.groups
        }
        assert sources["left/Task1ms"] == "left"
        assert sources["right/Task1ms"] == "right"
        assert len(mdf.get("right/EngineSpeed")) == len(right)
        for words in ("left epk", "right epk", "left time_axis", "right time_axis"):
            assert words in mdf.header.comment
        names = [one.file_name for one in mdf.attachments]
        assert names == ["left_DemoEngine.a2l", "right_DemoEngine.a2l"]
        marks = [event.comment for event in mdf.events]
        assert marks == ["right: segment 1: page 1", "right: segment 1: page 0"]
    assert not ecu.port.measurement.is_running


def test_selections_that_cannot_be_measured_together(ecu, other):
    one = ecu.select("EngineSpeed")
    for wrong in ([], [one, one], {"a": one, "b": ecu.select("Lambda")}):
        with pytest.raises(UsageError, match="measure_together"):
            xcaliper.measure_together(wrong)
    labels = xcaliper.measure_together([one, other.select("EngineSpeed")]).plans
    assert len(labels) == 2, "slaves of one name are told apart by numbers"
    with (
        ecu.measure("EngineSpeed"),
        pytest.raises(UsageError, match="has them"),
    ):
        xcaliper.measure_together([one, other.select("EngineSpeed")])


# --- curves, maps, axes ---


def test_maps_and_axes_are_measured_as_arrays(ecu, tmp_path):
    path = tmp_path / "map.mf4"
    before = ecu.read("KFZW")
    with ecu.measure(
        ["KFZW", "AxisEngineSpeed", "cGearRatios"], event="Task100ms", record=path
    ) as measurement:
        time.sleep(0.35)
        ecu.write("KFZW", before.values[2, 3] + 1.5, at=(2, 3))
        time.sleep(0.35)
        after = ecu.read("KFZW")
    (block,) = measurement.blocks()
    ecu.write("KFZW", before)
    assert block["KFZW"].shape == (len(block), 12, 16)
    np.testing.assert_array_equal(block["KFZW"][0], before.values)
    np.testing.assert_array_equal(block["KFZW"][-1], after.values)
    np.testing.assert_array_equal(block["AxisEngineSpeed"][-1], ecu.read("AxisEngineSpeed"))
    with MDF(path) as mdf:
        recorded = mdf.get("KFZW").samples
        values = recorded["KFZW"] if recorded.dtype.names else recorded
        np.testing.assert_allclose(values[-1].reshape(12, 16), after.values)


# --- options ---


def test_options_reach_the_plan_and_wrong_ones_are_refused(ecu):
    plan = ecu.plan("EngineSpeed", prescaler=10, priority=3)
    assert (plan.lists[0].prescaler, plan.lists[0].priority) == (10, 3)
    with pytest.raises(TypeError, match="no such option: prescalar"):
        ecu.plan("EngineSpeed", prescalar=2)
    with pytest.raises((PlanError, UsageError)):
        ecu.plan("EngineSpeed", prescaler=0)
    for seconds in (-1, float("nan"), 1e9):
        with pytest.raises(UsageError, match="reconnect"):
            ecu.measure("EngineSpeed", reconnect=seconds)


def test_plan_without_an_ecu_is_that_with_one(ecu, tmp_path):
    file = tmp_path / "ecu.a2l"
    file.write_bytes(ecu.description.data)
    names = ["Engine*", "Lambda", "KFZW", "WheelSpeed"]
    for options in ({}, {"event": "Task10ms"}, {"event": {"Lambda": "100ms"}, "prescaler": 2}):
        there, here = ecu.plan(names, **options), xcaliper.plan_offline(file, names, **options)
        assert here.lists == there.lists
        assert [r.name for r in here.rasters] == [r.name for r in there.rasters]
        assert here.describe().splitlines()[0] == there.describe().splitlines()[0]
    with pytest.raises(NotFoundError):
        xcaliper.plan_offline(file, ["EnginSpeed"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"duration_s": "1"}, "'1' is not a length of time"),
        ({"duration_s": float("nan")}, "nan is not a length of time"),
        ({"calculated": "EngineSpeed * 2"}, "is no calculated signal"),
        ({"calculated": {"Twice": 2}}, "2 is no calculated signal"),
        ({"calculated": ["EngineSpeed * 2"]}, "is no calculated signal"),
    ],
)
def test_what_is_no_option_is_refused_in_words(ecu, options, words):
    with pytest.raises(UsageError, match=words):
        ecu.measure("EngineSpeed", **options)


def test_what_notebooks_show(ecu):
    measurement = ecu.measure(["EngineSpeed", "WheelSpeed"], duration_s=0.3).run()
    assert "<table>" in ecu._repr_html_()
    assert "EngineSpeed" in measurement.blocks()[0]._repr_html_()
    assert "Task1ms" in measurement._repr_html_()
    data = measurement.to_xarray()
    wheel = next(one for one in data.values() if "WheelSpeed" in one)
    assert wheel["WheelSpeed"].shape == (wheel.sizes["t"], 4)
    assert wheel["WheelSpeed"].attrs["units"]
    figure = measurement.plot("EngineSpeed")
    assert len(figure.axes) == 1
    assert figure._repr_png_().startswith(b"\x89PNG"), "shown wherever it is"
    with pytest.raises(NotFoundError):
        measurement.plot("EnginSpeed")
    with pytest.raises(UsageError, match="one number per sample"):
        measurement.plot("WheelSpeed")


def test_time_begins_when_the_files_are_open(ecu, tmp_path, monkeypatch):
    """Else the first samples lie as far behind time 0 as opening took, and "at 0.5" comes too late."""
    opened = []

    def open_slowly(*given):
        found = open_recordings(*given)
        time.sleep(0.3)
        opened.append((time.monotonic_ns(), time.time_ns()))
        return found

    monkeypatch.setattr("xcaliper.client.together.open_recordings", open_slowly)
    files = [tmp_path / f"run{n}.mf4" for n in range(3)]
    measurement = ecu.measure("EngineSpeed", duration_s=0.3, record=files).run()
    ((at_ns, utc_ns),) = opened
    near_ns = 200_000_000  # less than it took, more than clocks are off
    assert measurement.correlation.offset_ns > at_ns - near_ns, "host's time of the slave's time 0"
    for file in files:
        with MDF(file) as mdf:
            assert int(mdf.header.abs_time) > utc_ns - near_ns, "and the file says that one"
            assert len(mdf.get("EngineSpeed").samples) == measurement.quality.samples
