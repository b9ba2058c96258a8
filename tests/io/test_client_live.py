"""The Python interface against a virtual ECU in its own process, over loopback."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import xcaliper
from xcaliper.client.a2l_source import A2lCache
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    IntegrityError,
    LimitError,
    LinkError,
    LocalProtocolError,
    NotFoundError,
    PlanError,
    RemoteProtocolError,
    UsageError,
    WriteProtectedError,
)
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.process import EcuProcess
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.slave_config import SlaveConfig

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    before = os.environ.get("XCALIPER_CACHE")
    os.environ["XCALIPER_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    with EcuProcess() as process:
        yield process.url
    if before is None:
        del os.environ["XCALIPER_CACHE"]
    else:
        os.environ["XCALIPER_CACHE"] = before


@pytest.fixture
def ecu(url):
    with xcaliper.connect(url) as connection:
        yield connection


# --- life ---


@pytest.mark.timeout(180)  # a thousand exchanges: each one waits its turn on a busy machine
def test_twenty_connections_leave_nothing_behind(url):
    with xcaliper.connect(url):
        pass  # what the first one leaves for all: caches, compiled code
    gc.collect()  # what earlier tests left to the collector does not count
    threads = threading.active_count()
    folder = Path("/proc/self/fd")
    files = len(list(folder.iterdir())) if folder.exists() else 0
    for _ in range(20):
        with xcaliper.connect(url) as ecu:
            assert ecu.is_open
        assert not ecu.is_open
    assert threading.active_count() == threads
    if folder.exists():
        assert len(list(folder.iterdir())) == files


def test_closed_connection_says_so(url):
    ecu = xcaliper.connect(url)
    ecu.close()
    ecu.close()
    with pytest.raises(LinkError, match="closed"):
        ecu.read("EngineSpeed")


def test_nobody_there():
    with pytest.raises((LinkError, ExchangeTimeoutError)):
        xcaliper.connect("udp://127.0.0.1:9", timeout_s=0.2)


def test_nothing_is_printed_and_no_logging_configured(url, capfd):
    with xcaliper.connect(url) as ecu:
        ecu.read("EngineSpeed")
        ecu.measure("EngineSpeed", duration_s=0.1).run()
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "")
    logging = sys.modules.get("logging")
    assert logging is None or "xcaliper" not in logging.Logger.manager.loggerDict


# --- description ---


def test_second_connection_takes_the_a2l_from_the_cache(url, tmp_path):
    cache = A2lCache(tmp_path)
    with xcaliper.connect(url, cache=cache) as ecu:
        assert ecu.info.a2l_origin == "upload"
        content = ecu.description.data
    with xcaliper.connect(url, cache=cache) as ecu:
        assert ecu.info.a2l_origin == "cache"
        assert ecu.description.data == content
    with xcaliper.connect(url, cache=False) as ecu:
        assert ecu.info.a2l_origin == "upload"


def test_cached_content_of_equal_length_but_other_bytes_is_not_trusted(url, tmp_path):
    cache = A2lCache(tmp_path)
    with xcaliper.connect(url, cache=False) as ecu:
        epk, content = ecu.info.epk, ecu.description.data
    cache.store(epk, content.replace(b"EngineSpeed", b"EngineSpeex"))
    with xcaliper.connect(url, cache=cache) as ecu:
        assert ecu.info.a2l_origin == "upload"
        assert "EngineSpeed" in ecu.names()


def test_without_checksums_the_a2l_is_uploaded_each_time(tmp_path):
    settings = SlaveConfig(disabled=frozenset({"BUILD_CHECKSUM"}))
    cache = A2lCache(tmp_path)
    with EcuServer(build_ecu("demo-engine", settings), ("udp://127.0.0.1:0",)) as server:
        for _ in range(2):
            with xcaliper.connect(server.url, cache=cache) as ecu:
                assert ecu.info.a2l_origin == "upload"


def test_description_of_another_program_is_read_only_until_confirmed(url, tmp_path):
    with xcaliper.connect(url) as ecu:
        text = ecu.description.data.replace(b"XCALIPER-DEMO-1", b"XCALIPER-DEMO-9")
    file = tmp_path / "other.a2l"
    file.write_bytes(text)
    with xcaliper.connect(url, a2l=file) as ecu:
        assert ecu.info.a2l_origin == "file"
        assert [d.slug for d in ecu.diagnostics].count("epk-mismatch") == 1
        before = ecu.read("cFanSpeedMax")
        with pytest.raises(IntegrityError, match=r"confirm\(\)"):
            ecu.write("cFanSpeedMax", 50)
        assert ecu.read("cFanSpeedMax") == before
        ecu.confirm()
        assert ecu.write("cFanSpeedMax", 50).after == 50
        ecu.write("cFanSpeedMax", before)


# --- reading and writing ---


def test_names_and_nearest_names(ecu):
    assert "EngineSpeed" in ecu.names("Engine*", kind="measurement")
    assert "KFZW" in ecu.names(kind="characteristic")
    with pytest.raises(NotFoundError) as caught:
        ecu.read("enginespeeed")
    assert "EngineSpeed" in caught.value.nearest
    with pytest.raises(UsageError, match="list"):
        ecu.read("Engine*")
    assert set(ecu.read(["Engine*"])) == set(ecu.names("Engine*"))


def test_scalar_rounding_limits_and_raw(ecu):
    done = ecu.write("cIdleSpeedTarget", 900.3)
    assert done.after == 900.25
    assert done.rounded
    assert ecu.read("cIdleSpeedTarget", raw=True) == 3601
    with pytest.raises(LimitError) as caught:
        ecu.write("cIdleSpeedTarget", 1e5)
    assert (caught.value.name, caught.value.phys) == ("cIdleSpeedTarget", 1e5)
    assert ecu.read("cIdleSpeedTarget") == 900.25
    assert ecu.write("cIdleSpeedTarget", 3280, raw=True).after == 3280
    assert ecu.read("cIdleSpeedTarget") == 820
    again = ecu.write("cIdleSpeedTarget", 820)
    assert (again.changed, again.bytes_sent) == (0, 0)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cIdleSpeedTarget", "abc", "cIdleSpeedTarget: 'abc' is not a number"),
        ("cIdleSpeedTarget", [1, 2], "cIdleSpeedTarget: one value is needed, 2"),
        ("cLambdaEnable", "MAYBE", "cLambdaEnable: 'MAYBE' is not one of its texts"),
        ("KFZW", 12, "192 values .* are needed, 1 value was given"),
        ("cGearRatios", [1, 2], "5 values are needed, 2 values"),
        ("cVehicleName", "x" * 100, "room for 24"),
        ("EngineSpeed", 1, "read-only"),
        ("AxisLoad", list(range(12, 0, -1)), "AxisLoad"),
    ],
)
def test_refused_before_a_byte_is_sent(ecu, name, value, words):
    before = ecu.read(name, raw=True)
    with pytest.raises(UsageError, match=words):
        ecu.write(name, value)
    if name != "EngineSpeed":
        assert np.array_equal(
            getattr(ecu.read(name, raw=True), "values", ecu.read(name, raw=True)),
            getattr(before, "values", before),
        )


def test_cells_of_a_map(ecu):
    table = ecu.read("KFZW")
    assert table.shape == (12, 16)
    assert [axis.name for axis in table.axes] == ["EngineSpeed", "Load"]
    done = ecu.write("KFZW", 7.5, at=(2, 3))
    assert (done.after, done.changed, done.bytes_sent) == (7.5, 1, 2)
    now = ecu.read("KFZW")
    assert now.values[2, 3] == 7.5
    assert np.sum(now.values != table.values) == 1
    with pytest.raises(UsageError, match="no cell"):
        ecu.write("KFZW", 1, at=(12, 0))
    with pytest.raises(UsageError, match="no cell"):
        ecu.write("KFZW", 1, at=(0,))
    assert ecu.write("KFZW", table).changed == 1
    assert ecu.read("KFZW") == table


def test_arrays_count_as_numpy_does(ecu):
    before = ecu.read("cGearRatios")
    assert ecu.write("cGearRatios", 4.0, at=-1).after == 4.0
    assert ecu.read("cGearRatios")[4] == 4.0
    assert ecu.write("cGearRatios", [5, 4, 3, 2, 1]).changed == 5
    assert ecu.read("cGearRatios").tolist() == [5, 4, 3, 2, 1]
    ecu.write("cGearRatios", before)
    flat = ecu.read("cAdaptationStart")
    assert ecu.write("cAdaptationStart", [1.0] * flat.size).size == flat.size


def test_enumerations_and_texts(ecu):
    assert ecu.write("cLambdaEnable", "OFF").after == "OFF"
    assert ecu.read("cLambdaEnable", raw=True) == 0
    assert ecu.write("cLambdaEnable", 1).after == "ON"
    assert ecu.write("cVehicleName", "Kombi").after == "Kombi"
    assert ecu.read("cVehicleName", raw=True)[:6].tolist() == [75, 111, 109, 98, 105, 0]
    ecu.write("cVehicleName", "Demo saloon")


def test_axis_points_move_every_table_that_uses_them(ecu):
    points = ecu.read("AxisEngineSpeed")
    moved = points.copy()
    moved[0] -= 50
    ecu.write("AxisEngineSpeed", moved)
    assert ecu.read("KFZW").axes[0].points[0] == moved[0]
    ecu.write("AxisEngineSpeed", points)


def test_reference_page_is_write_protected(ecu):
    assert ecu.pages() == {0: (0, 0), 1: (0, 0)}
    ecu.set_page(1, 1)
    try:
        assert ecu.pages()[1] == (1, 1)
        with pytest.raises(WriteProtectedError, match="cIdleSpeedTarget") as caught:
            ecu.write("cIdleSpeedTarget", 1000)
        assert "working page" in caught.value.hint
    finally:
        ecu.set_page(1, 0)
    ecu.write("cIdleSpeedTarget", 1000)
    ecu.copy_page((1, 1), (1, 0))
    assert ecu.read("cIdleSpeedTarget") == 820


def test_memory_by_address(ecu):
    address = ecu.describe("cIdleSpeedTarget")["address"]
    assert ecu.read_memory(address, 2) == ecu.short_upload(address, 2) == b"\xd0\x0c"
    ecu.write_memory(address, b"\xd4\x0c")
    assert ecu.read("cIdleSpeedTarget") == 821
    ecu.write_memory(address, b"\xd0\x0c")
    assert ecu.checksum(address, 2)[0] == "XCP_CRC_32"
    for bad in (-1, 1 << 32):
        with pytest.raises(UsageError, match="address"):
            ecu.read_memory(bad, 2)


@pytest.mark.parametrize("order", [ByteOrder.INTEL, ByteOrder.MOTOROLA])
@pytest.mark.parametrize("ag", [2, 4])
def test_wide_addresses(ag, order):
    settings = SlaveConfig(
        byte_order=order, ag=ag, max_cto=252, max_dto=1464,
        granularity_odt_entry=ag, max_odt_entry_size=252,
    )  # fmt: skip
    server = EcuServer(build_ecu("demo-engine", settings), ("udp://127.0.0.1:0",))
    with server, xcaliper.connect(server.url, cache=False) as ecu:
        names = [
            name for name in ecu.names(kind="characteristic") if ecu.describe(name)["writable"]
        ]
        before = ecu.read(names)
        ecu.write("cIdleSpeedTarget", 950)
        ecu.write("KFZW", 5, at=(1, 1))
        ecu.write("cLambdaEnable", "OFF")  # one byte of an address that holds several
        ecu.write("cVehicleName", "Kombi")
        after = ecu.read(names)
        changed = {
            name for name in before if not np.array_equal(_raw(before[name]), _raw(after[name]))
        }
        assert changed == {"cIdleSpeedTarget", "KFZW", "cLambdaEnable", "cVehicleName"}
        assert after["KFZW"].values[1, 1] == 5
        assert np.sum(after["KFZW"].values != before["KFZW"].values) == 1
        names = ["EngineSpeed", "WheelSpeed", "EngineState"]
        with ecu.measure(names, event="Task10ms") as measured:
            wait_for(measured, 15)
        assert measured.quality.samples >= 15
        assert measured.blocks()[0]["EngineSpeed"].max() < 8000


def _raw(value):
    return getattr(value, "values", value)


# --- measuring ---


def test_measure_twice_on_one_connection(ecu):
    for _ in range(2):
        began = time.perf_counter()
        measured = ecu.measure(["EngineSpeed", "CoolantTemp"], duration_s=0.4).run()
        most = 1000 * (time.perf_counter() - began)
        least = max(300 - max(most - 500, 0), 0)  # a busy machine begins it later
        assert measured.quality.lost == 0
        blocks = {block.event: block for block in measured.blocks()}
        assert set(blocks) == {"Task1ms", "Task100ms"}
        assert least < len(blocks["Task1ms"]) <= most
        assert np.allclose(np.diff(blocks["Task1ms"].t), 0.001)
    with pytest.raises(LocalProtocolError, match="ended"):
        measured.start()


def test_events_by_name_number_period_and_pattern(ecu):
    for event in ("Task10ms", "task10MS", 1, "1", "10ms", "10 ms", "0.01s"):
        (raster,) = ecu.plan("EngineSpeed", event=event).rasters
        assert (raster.name, raster.event_channel) == ("Task10ms", 1)
    plan = ecu.plan("Engine*", event={"Engine*": "100ms", "EngineSpeed": "Task10ms"})
    assert plan.raster_of("EngineSpeed").name == "Task10ms"
    assert plan.raster_of("EngineState").name == "Task100ms"
    with pytest.raises(NotFoundError) as caught:
        ecu.plan("EngineSpeed", event="11ms")
    assert "Task10ms" in caught.value.nearest
    with pytest.raises(PlanError, match="prescaler"):
        ecu.plan("EngineSpeed", prescaler=0)


def test_prescaler_and_raw(ecu):
    measured = ecu.measure("EngineSpeed", duration_s=0.3, prescaler=5, raw=True).run()
    (block,) = measured.blocks()
    assert np.allclose(np.diff(block.t), 0.005)
    assert block["EngineSpeed"].dtype == np.uint16
    assert measured.unit("EngineSpeed") == ""


def test_arrays_texts_and_enumerations_in_blocks_and_frames(ecu):
    names = ["WheelSpeed", "DigitalInputs", "EngineState", "cVehicleName", "LoadHistogram"]
    measured = ecu.measure(names, event="Task10ms", duration_s=0.3).run()
    (block,) = measured.blocks()
    n = len(block)
    assert block["WheelSpeed"].shape == (n, 4)
    assert block["LoadHistogram"].shape == (n, 4, 6)
    assert set(block["DigitalInputs"].ravel()) <= {"ON", "OFF"}
    assert block.raw("EngineState").dtype == np.uint8
    assert set(block["cVehicleName"]) == {"Demo saloon"}
    assert block.latest("EngineState") == block["EngineState"][-1]
    for take in (block.__getitem__, block.raw, block.latest):
        with pytest.raises(
            KeyError, match="not in this block of Task10ms, which has WheelSpeed, D"
        ):
            take("EngineSpeed")
    assert "EngineState" in block._repr_html_()
    assert "<tr><td>Task10ms</td><td>5</td>" in measured._repr_html_()
    pandas = pytest.importorskip("pandas")
    frame = measured.to_pandas()["Task10ms"]
    assert isinstance(frame, pandas.DataFrame)
    assert frame.shape == (n, 4 + 8 + 1 + 1 + 24)
    assert frame["LoadHistogram[3][5]"].iloc[-1] == block["LoadHistogram"][-1, 3, 5]
    pytest.importorskip("polars")
    assert measured.to_polars()["Task10ms"].shape == (n, 1 + frame.shape[1])


def wait_for(measurement, count):
    """Let a running measurement gather samples, however long a busy machine takes."""
    deadline = time.monotonic() + 20
    while measurement.quality.samples < count and time.monotonic() < deadline:
        time.sleep(0.02)


def test_a_second_measurement_waits_for_the_first(ecu):
    first = ecu.measure("EngineSpeed")
    second = ecu.measure("Lambda", duration_s=0.2)
    with first:
        with pytest.raises(UsageError, match="another measurement"):
            second.start()
        with pytest.raises(UsageError, match="another measurement"):
            ecu.measure("Lambda")
        wait_for(first, 250)
    assert sum(len(block) for block in first) > 200  # the second did not disturb it
    assert first.quality.samples == len(first.blocks()[0])
    assert len(second.run().blocks()) == 1


def test_nothing_is_lost_for_those_who_look_afterwards(ecu):
    with ecu.measure("EngineSpeed") as measured:
        wait_for(measured, 250)
    assert len(measured.blocks()[0]) == measured.quality.samples > 200


def test_stop_from_another_thread_wakes_the_reader(ecu, monkeypatch):
    monkeypatch.setattr("xcaliper.client.measurement._BLOCK_S", 30.0)
    measurement = ecu.measure("EngineSpeed")
    measurement.start()
    reader = threading.Thread(target=lambda: list(measurement))
    reader.start()
    time.sleep(0.1)
    measurement.stop()
    reader.join(10)
    assert not reader.is_alive()


def test_commands_from_threads_while_measuring(ecu):
    found, errors = [], []

    def reader():
        try:
            found.extend(ecu.read("TaskCounter1ms") for _ in range(50))
        except Exception as error:
            errors.append(error)

    measured = ecu.measure("EngineSpeed", duration_s=0.5)
    threads = [threading.Thread(target=reader) for _ in range(4)]
    with measured:
        for thread in threads:
            thread.start()
        for _ in measured:
            pass
        for thread in threads:
            thread.join(20)
    assert errors == []
    assert len(found) == 200
    assert measured.quality.lost == 0


def test_two_ecus_in_one_process(ecu):
    with EcuProcess() as other, xcaliper.connect(other.url) as second:
        one = ecu.measure("EngineSpeed", duration_s=0.4)
        two = second.measure("Lambda", duration_s=0.4)
        with one, two:
            blocks = [*one, *two]
        assert {name for block in blocks for name in block.names} == {"EngineSpeed", "Lambda"}
        second.write("cIdleSpeedTarget", 1234)
        assert ecu.read("cIdleSpeedTarget") == 820


def test_recording_holds_what_was_measured_and_written(ecu, tmp_path):
    asammdf = pytest.importorskip("asammdf")
    file = tmp_path / "run.mf4"
    with ecu.measure(["EngineSpeed", "EngineState"], duration_s=0.6, record=file) as measured:
        for _ in measured:
            if measured.elapsed_s > 0.3 and ecu.read("cFanSpeedMax") == 100:
                ecu.write("cFanSpeedMax", 90)
    ecu.write("cFanSpeedMax", 100)
    block = next(block for block in measured.blocks() if "EngineSpeed" in block)
    with asammdf.MDF(file) as recording:
        signal = recording.get("EngineSpeed")
        assert signal.unit == "rpm"
        assert np.array_equal(signal.samples, block["EngineSpeed"])
        assert np.allclose(signal.timestamps, block.t)
        comments = [event.comment for event in recording.events]
    assert any("cFanSpeedMax: 100" in comment for comment in comments)
    with pytest.raises(UsageError, match="exists"):
        ecu.measure("EngineSpeed", duration_s=0.1, record=file).run()
    assert ecu.measure("EngineSpeed", duration_s=0.1).run().quality.samples > 0


# --- a slave that goes away ---


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs to freeze a process")
def test_stop_is_bounded_when_the_slave_falls_silent(tmp_path):
    file = tmp_path / "silent.mf4"
    process = EcuProcess().start()
    try:
        ecu = xcaliper.connect(process.url)
        measured = ecu.measure("EngineSpeed", record=file)
        blocks = iter(measured)
        first = next(blocks)
        os.kill(process.pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(ExchangeTimeoutError, match="stopping"):
            measured.stop()
        assert time.monotonic() - began < 3
        assert list(blocks) == [] or measured.quality.samples >= len(first)
        began = time.monotonic()
        ecu.close()
        assert time.monotonic() - began < 2
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.close()
    asammdf = pytest.importorskip("asammdf")
    with asammdf.MDF(file) as recording:
        assert len(recording.get("EngineSpeed").samples) == measured.quality.samples


def test_iteration_ends_with_an_error_when_the_slave_dies(tmp_path):
    process = EcuProcess().start()
    ecu = xcaliper.connect(process.url)
    try:
        measured = ecu.measure("EngineSpeed")
        blocks = iter(measured)
        next(blocks)
        process.close()
        began = time.monotonic()
        with pytest.raises((LinkError, ExchangeTimeoutError, RemoteProtocolError)):
            for _ in blocks:
                pass
        assert time.monotonic() - began < 8
        assert not measured.is_running
        assert list(measured.blocks())
    finally:
        ecu.close()
