"""The recorder as a whole: files by name, triggers, failing outputs, several at once, many slaves."""

from __future__ import annotations

import functools
import operator
import threading
from dataclasses import replace

import numpy as np
import pytest

from support.recording import DESCRIPTION, MS, fast, lost, stream
from xcaliper.core.errors import LinkError, MdfError, NotFoundError, SettingsError, UsageError
from xcaliper.core.samples import SampleBlock
from xcaliper.record.description import EventType, RecordingEvent
from xcaliper.record.recorder import CalculatedSignal, FileOptions, Recorder
from xcaliper.record.sinks.memory import MemorySink
from xcaliper.record.slaves import combine
from xcaliper.record.trigger import Edge, Manual, PageSwitch


def read(path):
    """What asammdf finds: group → channel → values, and the events."""
    from asammdf import MDF

    with MDF(path) as mdf:
        found = {}
        for number, group in enumerate(mdf.groups):
            names = [channel.name for channel in group.channels]
            values = {name: mdf.get(name, group=number).samples for name in names}
            found[group.channel_group.acq_name] = values
        events = [(event.name, event.comment) for event in mdf.events]
    return found, events


def run(recorder, blocks=None):
    for block in stream() if blocks is None else blocks:
        recorder.put(block)
    recorder.close()
    return recorder.stats


@pytest.mark.parametrize("compressed", [False, True])
def test_from_trigger_to_trigger_into_numbered_files(tmp_path, compressed):
    stats = run(
        Recorder(
            DESCRIPTION,
            tmp_path / "run.mf4",
            trigger=Edge("x", 0.5),
            stop="x < -0.5",
            pre_s=0.05,
            post_s=0.02,
            max_recordings=None,
            split_s=0.3,
            calculated=[CalculatedSignal("twice", "n * 2", unit="1")],
            options=FileOptions(compressed=compressed),
        )
    )
    names = [f"run_{k:03d}_{part:03d}.mf4" for k in (1, 2, 3) for part in (1, 2)]
    assert [path.name for path in stats.files] == names
    assert stats.recordings == 3
    assert stats.state == "ended"
    found = [read(path) for path in stats.files]
    for k in range(3):
        parts = [found[2 * k][0], found[2 * k + 1][0]]
        counters = [part["1ms"]["n"].tolist() for part in parts]
        assert functools.reduce(operator.iadd, counters, []) == list(
            range(34 + 1000 * k, 605 + 1000 * k)
        )
        assert len(counters[0]) == 300
        slow = functools.reduce(
            operator.iadd, (part["10ms"]["level"].tolist() for part in parts), []
        )
        assert slow == list(range(4 + 100 * k, 61 + 100 * k))
        twice = functools.reduce(
            operator.iadd, (part["1ms calculated"]["twice"].tolist() for part in parts), []
        )
        assert twice == [2 * n for n in range(34 + 1000 * k, 605 + 1000 * k)]
        seconds = parts[0]["1ms"]["time"]
        np.testing.assert_allclose(seconds, np.array(counters[0]) / 1000, atol=1e-12)
    assert found[0][1] == [
        ("trigger", "x rising through 0.5"), ("split", "continued in run_001_002.mf4"),
    ]  # fmt: skip
    assert found[1][1] == [("split", "continues run_001_001.mf4"), ("stop", "x < -0.5")]


def test_several_recorders_with_signals_and_triggers_of_their_own(tmp_path):
    memory = MemorySink()
    with (
        Recorder(DESCRIPTION, [tmp_path / "all.mf4", tmp_path / "all.csv"]) as everything,
        Recorder(DESCRIPTION, memory, signals=["level"], trigger="n == 500") as some,
        Recorder(
            DESCRIPTION, tmp_path / "page.parquet", signals=["n"], trigger=PageSwitch(), pre_s=0.005
        ) as page,
    ):
        for block in stream(1000, 20):
            for recorder in (everything, some, page):
                recorder.put(block)
        event = RecordingEvent(EventType.MARKER, 990 * MS, "segment 0: page 1", "page")
        for recorder in (everything, some, page):
            recorder.event(event)
    found, events = read(tmp_path / "all.mf4")
    assert found["1ms"]["n"].tolist() == list(range(1000))
    assert ("page", "segment 0: page 1") in events
    assert len((tmp_path / "all_1ms.csv").read_text().splitlines()) == 1001
    assert memory.column(0, "level").tolist() == list(range(50, 100))
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(tmp_path / "page_1ms.parquet")
    assert table.column_names == ["t_ns", "n", "lost"]
    assert table["n"].to_pylist() == list(range(985, 1000))
    assert [p.name for p in everything.stats.files] == ["all.mf4", "all_1ms.csv", "all_10ms.csv"]
    assert everything.stats.recorded_samples == 1100


def test_by_hand_and_again(tmp_path):
    recorder = Recorder(
        DESCRIPTION, tmp_path / "r.mf4", trigger=Manual(), pre_s=0.01, max_recordings=2
    )
    assert recorder.stats.state == "waiting"
    for number, block in enumerate(stream(2000, 10)):
        recorder.put(block)
        if number in (39, 199):  # both rasters: 200 ms and 1000 ms
            recorder.trigger("now")
        if number in (79, 239):
            recorder.stop("enough")
    recorder.close()
    spans = [read(path)[0]["1ms"]["n"][[0, -1]].tolist() for path in recorder.stats.files]
    assert spans == [[189, 399], [989, 1199]]
    assert ("stop", "enough") not in read(recorder.stats.files[0])[1]
    assert ("manual", "enough") in read(recorder.stats.files[0])[1]
    with pytest.raises(UsageError):
        recorder.trigger()


class Breaks(MemorySink):
    def __init__(self, after):
        super().__init__()
        self.after = after
        self.failed = threading.Event()

    def write(self, block):
        if len(self.blocks) >= self.after:
            self.failed.set()
            raise MdfError("broken.")
        super().write(block)


def test_an_output_that_fails_is_told_and_the_others_go_on(tmp_path):
    broken, good = Breaks(3), MemorySink()
    recorder = Recorder(DESCRIPTION, [broken, tmp_path / "r.mf4", good])
    told = 0
    for number, block in enumerate(stream(3000, 10)):
        if number == 50:
            assert broken.failed.wait(20)
        try:
            recorder.put(block)
        except MdfError:
            told += 1
        assert recorder.is_working
    with pytest.raises(MdfError, match="broken"):
        recorder.close()
    assert told == 1
    assert [str(e) for e in recorder.errors] == ["broken."]
    assert good.column(0, "n").tolist() == list(range(3000))
    assert read(tmp_path / "r.mf4")[0]["1ms"]["n"].tolist() == list(range(3000))


def test_own_sinks_are_closed_once_whatever_fails():
    class Counts(MemorySink):
        closed = 0

        def close(self):
            self.closed += 1

    sink = Counts()
    recorder = Recorder(DESCRIPTION, sink)
    with pytest.raises(UsageError, match="raster 2"):
        recorder.put(replace(fast(0, 3), raster=2))
    recorder.put(fast(0, 3))
    recorder.close()
    recorder.close()
    assert sink.closed == 1
    assert len(sink.t_ns(0)) == 3


def test_a_file_that_cannot_be_opened_at_the_trigger_is_told(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    good = MemorySink()
    recorder = Recorder(DESCRIPTION, [folder / "r.mf4", good], trigger="n == 100")
    folder.rmdir()
    told = []
    for block in stream():
        try:
            recorder.put(block)
        except SettingsError as error:
            told.append(error)
    with pytest.raises(SettingsError, match="does not exist"):
        recorder.close()
    assert len(told) <= 1
    assert good.column(0, "n").tolist() == list(range(100, 3000))


def test_a_full_queue_is_marked_in_the_recording(tmp_path):
    gate = threading.Event()
    inside = threading.Event()

    class Slow(MemorySink):
        def write(self, block):
            inside.set()
            assert gate.wait(20)
            super().write(block)

    slow = Slow()
    recorder = Recorder(DESCRIPTION, [slow, tmp_path / "r.mf4"], queue_bytes=20 * 30)
    assert recorder.put(fast(0, 10))
    assert inside.wait(20)
    taken = [recorder.put(fast(k, k + 10)) for k in range(10, 60, 10)]
    assert taken == [True, True, False, False, False]
    assert recorder.stats.dropped_samples == 30
    gate.set()
    for _ in range(2000):
        if recorder.put(fast(60, 70)):
            break
        threading.Event().wait(0.005)
    recorder.close()
    dropped = recorder.stats.dropped_samples
    found, events = read(tmp_path / "r.mf4")
    assert found["1ms"]["n"].tolist() == [*range(30), *range(60, 70)]
    assert events == [("loss", f"{dropped} lost until 0.060000 s (queue)")]


def test_gaps_are_visible_in_each_format(tmp_path):
    memory = MemorySink(DESCRIPTION)
    outputs = [tmp_path / "r.mf4", tmp_path / "r.csv", tmp_path / "r.parquet", memory]
    run(Recorder(DESCRIPTION, outputs), [fast(0, 10), fast(20, 30, [lost(0, 9, 20)])])
    assert read(tmp_path / "r.mf4")[1] == [("loss", "10 lost until 0.020000 s (counter)")]
    lines = (tmp_path / "r_1ms.csv").read_text().splitlines()
    assert [line.rsplit(",", 1)[1] for line in lines[9:13]] == ["0", "0", "10", "0"]
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(tmp_path / "r_1ms.parquet")
    assert table["lost"].to_pylist() == [0] * 10 + [10] + [0] * 9
    assert memory.to_pandas()["1ms"]["lost"].sum() == 10
    assert "10 lost" in (tmp_path / "r_events.csv").read_text()


def test_several_slaves_in_one_file(tmp_path):
    other = replace(DESCRIPTION, source="GEARBOX", a2l_name="g.a2l", a2l=b"gear")
    first = replace(DESCRIPTION, a2l_name="e.a2l", a2l=b"engine", epk="E7")
    recorder = Recorder(
        combine([first, other]),
        tmp_path / "r.mf4",
        calculated=[CalculatedSignal("slip", "`ENGINE/1ms:n` - `GEARBOX/1ms:n`")],
    )
    engine = recorder.slave(0)
    gearbox = recorder.slave(1, lambda t_ns: t_ns + 3 * MS)
    for block in stream(500, 20):
        engine.put(block)
        gearbox.put(block)
    engine.close()
    gearbox.close()
    recorder.close()
    found, _ = read(tmp_path / "r.mf4")
    assert list(found) == [
        "ENGINE/1ms", "ENGINE/10ms", "GEARBOX/1ms", "GEARBOX/10ms", "ENGINE/1ms calculated",
    ]  # fmt: skip
    np.testing.assert_allclose(found["GEARBOX/1ms"]["time"][0], 0.003)
    assert set(found["ENGINE/1ms calculated"]["slip"][:490].tolist()) == {3}
    from asammdf import MDF

    with MDF(tmp_path / "r.mf4") as mdf:
        sources = [group.channel_group.acq_source.name for group in mdf.groups]
        assert sources == ["ENGINE", "ENGINE", "GEARBOX", "GEARBOX", "ENGINE"]
        flags = [mdf.groups[n].channels[1].flags & 0x100 for n in (0, 4)]
        assert flags == [0, 0x100]  # calculated
        assert [a.file_name for a in mdf.attachments] == ["e.a2l", "g.a2l"]
    with pytest.raises(UsageError, match="slave 2"):
        recorder.slave(2)


def test_rows_with_headers_between_them_are_recorded_by_name(tmp_path):
    """The decoder may hand out rows that are views into received bytes."""
    wide = np.dtype({"names": ["n", "x"], "formats": ["<u4", "<f8"], "offsets": [3, 9],
                     "itemsize": 20})  # fmt: skip
    recorder = Recorder(DESCRIPTION, tmp_path / "r.mf4")
    plain = fast(0, 50)
    rows = np.zeros(50, wide)
    rows["n"], rows["x"] = plain.rows["n"], plain.rows["x"]
    recorder.put(SampleBlock(0, plain.t_ns, rows))
    recorder.put(fast(50, 60))
    recorder.close()
    found, _ = read(tmp_path / "r.mf4")
    assert found["1ms"]["n"].tolist() == list(range(60))
    np.testing.assert_array_equal(found["1ms"]["x"], fast(0, 60).rows["x"])


@pytest.mark.parametrize(
    ("taken", "output", "settings", "clash"),
    [
        ("r.mf4", "r.mf4", {}, True),
        ("r_001.mf4", "r.mf4", {}, False),
        ("r_001.mf4", "r.mf4", {"split_s": 1.0}, True),
        ("r_007_002.mf4", "r.mf4", {"trigger": "n > 0", "max_recordings": None}, True),
        ("r.mf4", "r.mf4", {"split_s": 1.0}, False),
        ("r_1ms.csv", "r.csv", {}, True),
        ("r_1ms.csv", "r.mf4", {}, False),
        ("r_002_1ms.parquet", "r.parquet", {"split_bytes": 99_000}, True),
    ],
)
def test_existing_files_are_found_before_the_measurement(tmp_path, taken, output, settings, clash):
    (tmp_path / taken).write_text("precious")
    if not clash:
        Recorder(DESCRIPTION, tmp_path / output, **settings).close()
        return
    with pytest.raises(SettingsError, match="exists already"):
        Recorder(DESCRIPTION, tmp_path / output, **settings)
    assert [p.name for p in tmp_path.iterdir()] == [taken]
    recorder = Recorder(
        DESCRIPTION, tmp_path / output, options=FileOptions(numbered=True), **settings
    )
    run(recorder, stream(100))
    assert (tmp_path / taken).read_text() == "precious"
    assert all(path.name.startswith(("r_001", "r_002")) for path in recorder.stats.files)
    assert recorder.stats.files


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"outputs": "r.txt"}, SettingsError),
        ({"outputs": []}, SettingsError),
        ({"outputs": "no/r.mf4"}, SettingsError),
        ({"signals": ["nix"]}, NotFoundError),
        ({"trigger": "nix > 0"}, NotFoundError),
        ({"stop": "n >"}, UsageError),
        ({"pre_s": -1.0}, SettingsError),
        ({"post_s": float("nan")}, SettingsError),
        ({"split_s": 0.0}, SettingsError),
        ({"split_s": 0.0999}, SettingsError),
        ({"split_bytes": 0}, SettingsError),
        ({"split_bytes": 65_535}, SettingsError),
        ({"max_recordings": 0}, SettingsError),
        ({"ring_bytes": 0}, SettingsError),
        ({"calculated": [CalculatedSignal("n", "x")]}, SettingsError),
        ({"calculated": [CalculatedSignal(" ", "x")]}, SettingsError),
        ({"pre_s": 1.0}, SettingsError),  # before what?
        ({"max_recordings": None}, SettingsError),  # at which trigger?
        ({"pre_s": "1", "trigger": "n > 0"}, SettingsError),
        ({"split_s": "1"}, SettingsError),
        ({"split_bytes": 1.5}, SettingsError),
        ({"trigger": 5}, SettingsError),
        ({"trigger": "t > 5"}, SettingsError),
        ({"trigger": "n > 0", "stop": ["manual", None]}, SettingsError),
        ({"signals": []}, SettingsError),
        ({"outputs": None}, SettingsError),
        ({"outputs": ["r.mf4", "./r.mf4"]}, SettingsError),
        ({"outputs": "."}, SettingsError),
    ],
)
def test_settings_that_cannot_be(tmp_path, monkeypatch, settings, error):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error):
        Recorder(DESCRIPTION, **({"outputs": "r.mf4"} | settings))
    assert not list(tmp_path.iterdir())


def test_folders_that_cannot_take_a_file_are_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mf4").mkdir()
    for path, reason in (("file/r.mf4", "is no folder"), ("folder.mf4", "is a folder")):
        with pytest.raises(SettingsError, match=reason):
            Recorder(DESCRIPTION, tmp_path / path, options=FileOptions(overwrite=True))
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(SettingsError, match="cannot be written to"):
        Recorder(DESCRIPTION, tmp_path / "r.csv")


def test_files_wait_until_they_are_wanted_and_go_when_they_are_not(tmp_path):
    outputs = [tmp_path / "r.mf4", tmp_path / "r.csv", tmp_path / "r.parquet"]
    recorder = Recorder(DESCRIPTION, outputs, at_once=False)
    assert not list(tmp_path.iterdir())
    recorder.open_files()
    recorder.open_files()
    assert len(list(tmp_path.iterdir())) == 5
    recorder.discard()
    assert not list(tmp_path.iterdir())
    recorder = Recorder(DESCRIPTION, outputs)
    recorder.put(fast(0, 1))
    recorder.discard()
    assert len(list(tmp_path.iterdir())) == 5  # there is a sample in it


def test_an_output_that_cannot_be_opened_ends_it_before_it_begins(tmp_path):
    (tmp_path / "r.parquet_events.csv").write_text("mine")
    with pytest.raises(SettingsError, match="events"):
        Recorder(DESCRIPTION, [tmp_path / "a.mf4", tmp_path / "r.parquet"])
    bad = replace(DESCRIPTION.rasters[0], dtype=np.dtype([("n", "<u4")]))
    with pytest.raises(UsageError, match="no field"):
        Recorder(replace(DESCRIPTION, rasters=(bad,)), [MemorySink(), tmp_path / "b.mf4"])
    assert not (tmp_path / "b.mf4").exists()


def test_what_cannot_be_recorded_is_known_before_the_trigger(tmp_path):
    bad = replace(
        DESCRIPTION,
        rasters=(replace(DESCRIPTION.rasters[0], dtype=np.dtype([("n", "<u4")])),),
    )
    for name in ("r.mf4", "r.csv", "r.parquet"):
        with pytest.raises(UsageError, match="x"):
            Recorder(bad, tmp_path / name, trigger=Manual())
    assert not list(tmp_path.iterdir())


def test_a_hanging_output_does_not_hang_the_caller():
    hold, inside = threading.Event(), threading.Event()

    class Hangs(MemorySink):
        def write(self, block):
            inside.set()
            assert hold.wait(30)

    recorder = Recorder(DESCRIPTION, Hangs())
    recorder.put(fast(0, 1))
    assert inside.wait(20)
    with pytest.raises(LinkError, match="not finished"):
        recorder.close(timeout_s=0.05)
    hold.set()
    recorder.close(timeout_s=20)
