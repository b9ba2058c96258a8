"""Sinks: MDF4 on disk and in memory, CSV, memory; existing files; failing writes."""

from __future__ import annotations

import contextlib
import csv
import errno
import os

import numpy as np
import pytest

from xcaliper.core.errors import LinkError, MdfError, SettingsError, UsageError
from xcaliper.core.samples import Gap, SampleBlock
from xcaliper.mdf.conversion import Linear, ValueToText
from xcaliper.mdf.reader import MdfReader
from xcaliper.mdf.storage import MemoryFile
from xcaliper.record.description import (
    EventType,
    RasterDescription,
    RecordingDescription,
    RecordingEvent,
    SignalDescription,
)
from xcaliper.record.files import DiskFile, free_path, repair_file
from xcaliper.record.sinks.csv import CsvSink
from xcaliper.record.sinks.mdf4 import MAX_LOSS_EVENTS, Mdf4Sink
from xcaliper.record.sinks.memory import MemorySink

DTYPE = np.dtype(
    {
        "names": ["rpm", "gear", "flags", "map", "label"],
        "formats": [">u2", "u1", "<u2", (">f4", (2,)), "S6"],
        "offsets": [0, 4, 6, 8, 16],
        "itemsize": 24,
    }
)
SIGNALS = (
    SignalDescription("Engine.rpm", "rpm", "1/min", Linear(0.0, 0.5), 0, 8000, "speed", 0x1234),
    SignalDescription("gear", conversion=ValueToText((0, 1), ("N", "1st"), "?")),
    SignalDescription("bits", "flags", bit_mask=0x0FF0),
    SignalDescription("map", unit="V"),
    SignalDescription("label", is_text=True),
)
DESCRIPTION = RecordingDescription(
    start_ns=10**18,
    rasters=(
        RasterDescription("10 ms/task", 3, 10_000_000, DTYPE, SIGNALS),
        RasterDescription("idle", None, None, DTYPE, SIGNALS[:1]),
    ),
    source="ENGINE",
    epk="EPK_1",
    a2l_name="engine.a2l",
    a2l=b"/begin PROJECT x",
    properties={"host": "bench 1"},
)


def block(start: int, count: int, gaps: tuple[Gap, ...] = ()) -> SampleBlock:
    rows = np.zeros(count, DTYPE)
    n = np.arange(start, start + count)
    rows["rpm"] = n * 2
    rows["gear"] = n % 3
    rows["flags"] = n << 4
    rows["map"] = np.stack([n, -n], axis=1)
    rows["label"] = [f"L{i}".encode() for i in n]
    return SampleBlock(0, n * 10_000_000, rows, gaps)


def test_mdf4_holds_signals_loss_events_and_a2l(tmp_path):
    sink = Mdf4Sink(tmp_path / "r.mf4", DESCRIPTION)
    sink.write(block(0, 5))
    sink.write(block(8, 2, (Gap(0, 40_000_000, 80_000_000, 3, "sequence"),)))
    sink.event(RecordingEvent(EventType.MARKER, 50_000_000, "idle = 900", "write"))
    sink.close()
    file = DiskFile(sink.path)
    reader = MdfReader(file)
    group = reader.groups[0]
    n = np.array([0, 1, 2, 3, 4, 8, 9])
    assert (group.name, group.source, group.cycle_ns) == ("10 ms/task", "ENGINE", 10_000_000)
    assert group.comment == "event channel 3"
    assert reader.phys(group, "Engine.rpm").tolist() == n.tolist()
    assert reader.phys(group, "gear").tolist() == [["N", "1st", "?"][k % 3] for k in n]
    assert reader.raw(group, "bits").tolist() == n.tolist()
    assert reader.raw(group, "map").tolist() == [[k, -k] for k in n]
    assert reader.raw(group, "label").tolist() == [b"L%d" % k for k in n]
    assert reader.t_s(group).tolist() == (n / 100).tolist()
    channel = group.channel("Engine.rpm")
    assert (channel.unit, channel.lower, channel.upper, channel.address) == (
        "1/min",
        0,
        8000,
        0x1234,
    )
    assert [(e.kind, e.t_ns, e.groups, e.text) for e in reader.events] == [
        (2, 40_000_000, (0,), "3 lost until 0.080000 s (sequence)"),
        (6, 50_000_000, (), "idle = 900"),
    ]
    assert [(a.name, a.data) for a in reader.attachments] == [("engine.a2l", b"/begin PROJECT x")]
    assert reader.properties == {
        "ecu": "ENGINE", "epk": "EPK_1", "a2l": "engine.a2l", "host": "bench 1",
    }  # fmt: skip
    assert reader.refresh(reader.groups[1]) == 0
    file.close()


def test_first_rows_are_in_the_file_at_once_and_ticks_bring_the_rest(tmp_path):
    sink = Mdf4Sink(tmp_path / "r.mf4", DESCRIPTION, flush_period_s=1.0)
    file = DiskFile(sink.path)
    reader = MdfReader(file)
    sink.write(block(0, 5))
    assert reader.refresh(reader.groups[0]) == 5
    sink.write(block(5, 5))
    assert reader.refresh(reader.groups[0]) == 5
    sink.tick(1 << 62)
    assert reader.refresh(reader.groups[0]) == 10
    file.close()
    sink.close()


def test_existing_files_are_safe(tmp_path):
    path = tmp_path / "r.mf4"
    path.write_bytes(b"precious")
    with pytest.raises(SettingsError, match="exists already"):
        Mdf4Sink(path, DESCRIPTION)
    assert path.read_bytes() == b"precious"
    first = Mdf4Sink(path, DESCRIPTION, numbered=True)
    second = Mdf4Sink(path, DESCRIPTION, numbered=True)
    assert [s.path.name for s in (first, second)] == ["r_001.mf4", "r_002.mf4"]
    first.close()
    second.close()
    assert free_path(path).name == "r_003.mf4"
    Mdf4Sink(path, DESCRIPTION, overwrite=True).close()
    assert path.read_bytes()[:3] == b"MDF"


def test_a_recording_that_cannot_begin_leaves_no_file(tmp_path):
    bad = RecordingDescription(
        0, (RasterDescription("x", 0, None, DTYPE, (SignalDescription("missing"),)),)
    )
    with pytest.raises(UsageError, match="missing"):
        Mdf4Sink(tmp_path / "r.mf4", bad)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SettingsError, match="does not exist"):
        Mdf4Sink(tmp_path / "no" / "r.mf4", DESCRIPTION)
    with pytest.raises((MdfError, SettingsError)):
        Mdf4Sink(tmp_path / "a\0b.mf4", DESCRIPTION)


class FullFile(MemoryFile):
    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def append(self, data):
        if len(self.data) + len(data) > self.limit:
            raise MdfError("the disk is full.")
        return super().append(data)


def test_full_disk_stops_the_sink_and_frees_at_close():
    file = FullFile(1 << 30)
    sink = Mdf4Sink("", DESCRIPTION, file=file, flush_period_s=0.0)
    file.limit = len(file.data) + 3000
    written = 0
    with contextlib.suppress(MdfError):
        while written < 1000:
            sink.write(block(written, 5))
            written += 5
    assert written < 1000
    with pytest.raises(MdfError, match="full"):
        sink.write(block(0, 5))
    sink.tick(1 << 62)
    reader = MdfReader(MemoryFile(bytes(file.data)))
    n = reader.refresh(reader.groups[0])
    assert 0 < n <= written
    assert reader.raw(reader.groups[0], "bits").tolist() == list(range(n))
    file.limit = 1 << 30
    sink.close()
    reader = MdfReader(file)
    assert reader.raw(reader.groups[0], "bits").tolist() == list(range(written + 5))


@pytest.mark.parametrize("positional", [True, False])
def test_disk_file_survives_short_writes_and_reports_a_full_disk(tmp_path, monkeypatch, positional):
    if positional and not hasattr(os, "pwrite"):
        pytest.skip("no positional write here")
    file = DiskFile(tmp_path / "f", create=True, positional=positional)
    name = "pwrite" if positional else "write"
    real = getattr(os, name)
    budget = 25

    def stingy(fd, view, *args):
        nonlocal budget
        if budget <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = real(fd, view[: min(7, budget)], *args)
        budget -= count
        return count

    monkeypatch.setattr(os, name, stingy)
    assert file.append(b"0123456789") == 0
    assert file.append(b"abcdefghij") == 10
    with pytest.raises(MdfError, match="disk is full") as caught:
        file.append(b"lost and more")
    assert "stays readable" in str(caught.value)
    budget = 100
    assert file.append(b"AB") == 20  # the failed bytes are overwritten
    file.write_at(1, b"xyz")
    monkeypatch.undo()
    assert file.read_at(0, 22) == b"0xyz456789abcdefghijAB"
    file.sync()
    file.close()
    file.close()


def test_many_losses_end_in_one_event():
    file = MemoryFile()
    sink = Mdf4Sink("", DESCRIPTION, file=file)
    gaps = tuple(Gap(0, 0, 1, 1, "counter") for _ in range(MAX_LOSS_EVENTS + 7))
    sink.write(block(0, 1, gaps))
    sink.close()
    events = MdfReader(file).events
    assert len(events) == MAX_LOSS_EVENTS + 1
    assert events[-1].text.startswith("7 more losses")


def test_csv_physical(tmp_path):
    sink = CsvSink(tmp_path / "r.csv", DESCRIPTION)
    sink.write(block(0, 3))
    sink.event(RecordingEvent(EventType.MARKER, 10, 'say "hi", twice'))
    sink.tick(0)
    sink.close()
    assert [p.name for p in sink.paths] == ["r_10_ms_task.csv", "r_idle.csv"]
    with sink.paths[0].open(newline="") as file:
        table = list(csv.reader(file))
    assert (
        table
        == [
            [
                "time [s]",
                "Engine.rpm [1/min]",
                "gear",
                "bits",
                "map[0] [V]",
                "map[1] [V]",
                "label",
                "lost",
            ],
            ["0.000000000", "0.0", "N", "0", "0.0", "-0.0", "L0", "0"],
            ["0.010000000", "1.0", "1st", "1", "1.0", "-1.0", "L1", "0"],
            ["0.020000000", "2.0", "?", "2", "2.0", "-2.0", "L2", "0"],
        ]
        or table[1][5] == "0.0"
    )
    events = (tmp_path / "r_events.csv").read_text()
    assert '"say ""hi"", twice"' in events
    with pytest.raises(SettingsError, match="exists already"):
        CsvSink(tmp_path / "r.csv", DESCRIPTION)
    CsvSink(tmp_path / "r.csv", DESCRIPTION, overwrite=True).close()
    assert not (tmp_path / "r_events.csv").exists()  # they were of the recording before


class Full:
    """A file that takes so many bytes more."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = self.file.write(data[: self.room])
        self.room -= count
        return count


def test_text_files_never_end_with_half_a_line(tmp_path):
    """A killed process leaves what was handed to the system; a full disk takes parts of lines."""
    sink = CsvSink(tmp_path / "r.csv", DESCRIPTION)
    for n in range(0, 20_000, 1000):
        sink.write(block(n, 1000))
        data = sink.paths[0].read_bytes()
        assert data[-1:] in (b"", b"\n")
    assert len(data) > 100_000
    sink.tick(0)
    whole = sink.paths[0].read_bytes()
    lines = sink._files[0]
    lines._file = Full(lines._file, 80)
    sink.write(block(20_000, 5))
    with pytest.raises(LinkError, match="No space left"):
        sink.tick(0)
    with pytest.raises(LinkError, match="No space left"):
        sink.tick(0)
    sink.close()
    added = sink.paths[0].read_bytes().removeprefix(whole).decode()
    assert 60 < 2 * len(added) < 160  # the second of two lines was cut
    assert [line.split(",")[0] for line in added.splitlines()] == ["200.000000000"]
    assert added.endswith(",0\n")


def test_csv_raw(tmp_path):
    sink = CsvSink(tmp_path / "raw", DESCRIPTION, physical=False, delimiter=";")
    sink.write(block(1, 1))
    sink.close()
    lines = sink.paths[0].read_text().splitlines()
    assert lines == [
        "time [s];Engine.rpm;gear;bits;map[0];map[1];label;lost",
        "0.010000000;2;1;1;1.0;-1.0;L1;0",
    ]
    with pytest.raises((UsageError, LinkError)):
        sink.write(SampleBlock(7, np.arange(1), np.zeros(1, DTYPE)))


def test_memory_keeps_copies_and_its_bound():
    sink = MemorySink(max_bytes=(24 + 8) * 10)
    first = block(0, 6)
    sink.write(first)
    first.rows["gear"] = 99
    assert sink.column(0, "gear").tolist() == [0, 1, 2, 0, 1, 2]
    sink.write(block(6, 6))
    assert sink.dropped_samples == 6
    assert sink.t_ns(0).tolist() == [n * 10_000_000 for n in range(6, 12)]
    with pytest.raises(UsageError):
        sink.column(1, "gear")
    sink.write(block(12, 6))
    sink.describe(DESCRIPTION)
    assert sink.columns(0)["lost"].tolist() == [12, 0, 0, 0, 0, 0]
    (gap,) = sink.gaps(0)
    assert (gap.t_from_ns, gap.t_to_ns, gap.lost, gap.reason) == (0, 110_000_000, 12, "queue")


def test_a_cut_file_is_repaired_and_others_are_refused(tmp_path):
    sink = Mdf4Sink(tmp_path / "r.mf4", DESCRIPTION, flush_period_s=0.0)
    for n in range(10):
        sink.write(block(n * 5, 5))
    sink.close()
    data = sink.path.read_bytes()
    sink.path.write_bytes(data[: len(data) - 300])
    assert repair_file(sink.path).groups[0].cycles >= 45
    assert not repair_file(sink.path).changed
    file = DiskFile(sink.path, writable=False)
    assert MdfReader(file).history[-1] == "Recording repaired."
    file.close()
    other = tmp_path / "other.txt"
    other.write_text("hello")
    with pytest.raises(MdfError, match=r"other\.txt"):
        repair_file(other)
    with pytest.raises(SettingsError, match="does not exist"):
        repair_file(tmp_path / "none.mf4")
    other.write_bytes(data[:500])
    with pytest.raises(MdfError, match="description is cut"):
        repair_file(other)
    other.write_bytes(b"MDF     3.30    ".ljust(28, b"\0") + b"\x4a\x01" + bytes(500))
    with pytest.raises(MdfError, match=r"MDF 3\.30"):
        repair_file(other)


def test_csv_masks_like_the_ecu(tmp_path):
    dtype = np.dtype([("w", ">i2")])
    signals = (
        SignalDescription("signed", "w", bit_mask=0x0FF0, sign_extend=True),
        SignalDescription("up", "w", bit_mask=0x000F, bit_shift=-4),
        SignalDescription("split", "w", bit_mask=0x0A),
    )
    description = RecordingDescription(0, (RasterDescription("g", 0, None, dtype, signals),))
    sink = CsvSink(tmp_path / "m", description)
    sink.write(SampleBlock(0, np.arange(2), np.array([(0x0FFE,), (0x0081,)], dtype)))
    sink.close()
    lines = sink.paths[0].read_text().splitlines()[1:]
    assert [line.split(",")[1:-1] for line in lines] == [["-1", "224", "5"], ["8", "16", "0"]]
