"""Parameters that were measured, as a set of one moment: from our own recordings and from those of asammdf."""

from __future__ import annotations

import asammdf
import numpy as np
import pytest

from support.parameters import described
from xcaliper.calib.paramset import EntryKind
from xcaliper.client.recorded_set import recorded_set
from xcaliper.core.errors import MdfError
from xcaliper.mdf.conversion import Linear
from xcaliper.mdf.description import Channel, Group, Header
from xcaliper.mdf.writer import MdfWriter
from xcaliper.record.files import DiskFile

MS = 1_000_000


@pytest.fixture
def told():
    return []


@pytest.fixture
def ours(tmp_path):
    """Two rasters: speed every ms as a number of tenths, block every 10 ms; rpm is no parameter."""
    fast = np.dtype([("speed", "<u2"), ("rpm", "<u2")])
    slow = np.dtype([("block", "u1", (2, 3)), ("torque", "<u2")])
    path = tmp_path / "a.mf4"
    file = DiskFile(path, create=True)
    tenth = Linear(0.0, 0.1)
    groups = [
        Group("1ms", fast, [Channel("speed", "speed", conversion=tenth), Channel("rpm", "rpm")]),
        Group("10ms", slow, [Channel("block", "block"), Channel("torque", "torque")]),
    ]
    writer = MdfWriter(file, Header(0), groups)
    n = np.arange(100)
    rows = np.zeros(100, fast)
    rows["speed"], rows["rpm"] = n, 7
    writer.append(0, n * MS, rows)
    few = np.zeros(10, slow)
    few["block"] = np.arange(10)[:, None, None]
    few["torque"] = 5
    writer.append(1, np.arange(10) * 10 * MS, few)
    writer.close()
    file.close()
    return path


def test_last_values_at_the_end_and_at_a_time(ours, told):
    catalog = described()
    end = recorded_set(ours, catalog, on_problem=told.append)
    assert set(end.names) == {"speed", "block", "torque"}
    assert end["speed"].values == pytest.approx(9.9)
    assert (end["speed"].unit, end["block"].kind) == ("1/min", EntryKind.VAL_BLK)
    assert end["block"].values.tolist() == [[9] * 3] * 2
    some = recorded_set(
        ours, catalog, at_s=0.0425, names=["block", "speed"], on_problem=told.append
    )
    assert some.names == ("block", "speed")
    assert some["speed"].values == pytest.approx(4.2)
    assert some["block"].values.tolist() == [[4] * 3] * 2
    assert told == []
    assert "rpm" in recorded_set(ours, on_problem=told.append)


def test_what_the_recording_does_not_have_is_told(ours, told):
    found = recorded_set(
        ours, described(), at_s=-1.0, names=["speed", "mode"], on_problem=told.append
    )
    assert len(found) == 0
    assert [one.subject for one in told] == ["speed", "mode"]
    assert "until -1 s" in told[0].text


def test_recordings_of_other_tools(tmp_path, told):
    path = tmp_path / "b.mf4"
    times = np.array([0.0, 1.0, 2.0])
    signals = [
        asammdf.Signal(np.array([5, 6, 7], np.uint16), times, name="torque"),
        asammdf.Signal(np.array([b"off", b"on", b"auto"]), times, name="mode", encoding="utf-8"),
    ]
    with asammdf.MDF() as file:
        file.append(signals)
        file.save(path)
    found = recorded_set(path, described(), at_s=1.5, on_problem=told.append)
    assert {one.name: one.values for one in found} == {"torque": 6, "mode": "on"}
    assert told == []


def test_what_is_no_recording_is_refused(tmp_path, told):
    path = tmp_path / "c.mf4"
    path.write_bytes(b"\x7fELF" + bytes(100))
    with pytest.raises(MdfError, match="no recording"):
        recorded_set(path, on_problem=told.append)
