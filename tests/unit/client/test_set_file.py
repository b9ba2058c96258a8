"""Files of parameter sets: read whole, written at once, refused by name."""

from __future__ import annotations

import numpy as np
import pytest

import xcaliper
from support.set_ecu import catalog
from xcaliper.calib.entries import AxisKind, Entry, EntryKind, SetAxis
from xcaliper.calib.paramset import ParameterSet
from xcaliper.client import set_file
from xcaliper.core.errors import NotFoundError, ParameterSetError, UsageError

TEXT = 'KONSERVIERUNG_FORMAT 2.0\n\nFESTWERT Gain\n  EINHEIT_W "V"\n  WERT 1.5\nEND\n'


def small():
    axis = SetAxis(AxisKind.STD, np.array([1.0, 2.0]))
    return ParameterSet(
        [
            Entry("Gain", EntryKind.VALUE, 1.5, unit="V"),
            Entry("KL", EntryKind.CURVE, np.array([3.0, 4.0]), (axis,)),
        ]
    )


def test_load(tmp_path):
    file = tmp_path / "one.dcm"
    file.write_text(TEXT, "utf-8")
    found = xcaliper.load_set(file)
    assert found.diagnostics == ()
    assert found.values["Gain"].values == 1.5
    strange = tmp_path / "one.strange"
    strange.write_text(TEXT, "utf-8")
    assert xcaliper.load_set(str(strange)).values["Gain"].unit == "V"  # by its content
    assert xcaliper.load_set(file, format="DCM").values["Gain"].unit == "V"


def test_a_description_tells_what_a_file_does_not(tmp_path):
    file = tmp_path / "one.par"
    file.write_text("CANape PAR V3.2: ~ 0 0\nAxN [UINT(16),(1,2)]\n: 1\n: 2\n", "utf-8")
    assert xcaliper.load_set(file).values["AxN"].kind == EntryKind.VAL_BLK
    assert xcaliper.load_set(file, catalog=catalog()).values["AxN"].kind == EntryKind.AXIS_PTS


def test_save_replaces_a_file_or_leaves_it(tmp_path):
    file = tmp_path / "two.dcm"
    xcaliper.save_set(small(), file)
    first = file.read_bytes()
    assert xcaliper.load_set(file).values["KL"].values.tolist() == [3, 4]
    cube = Entry("KC", EntryKind.CUBOID, np.zeros((2, 2, 2)))
    with pytest.raises(UsageError, match="KC"):
        xcaliper.save_set(ParameterSet([cube]), file)
    assert file.read_bytes() == first
    assert [one.name for one in tmp_path.iterdir()] == ["two.dcm"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("set.docx", "tells no format"), ("set", r"\(none\) tells no format")],
)
def test_save_wants_to_know_the_format(tmp_path, name, words):
    with pytest.raises(UsageError, match=words) as caught:
        xcaliper.save_set(small(), tmp_path / name)
    assert ".dcm" in caught.value.hint
    xcaliper.save_set(small(), tmp_path / name, format="csv")
    assert (tmp_path / name).exists()


def test_what_cannot_be_read_or_written_is_named(tmp_path, monkeypatch):
    with pytest.raises(ParameterSetError, match="No such file") as caught:
        xcaliper.load_set(tmp_path / "gone.dcm")
    assert "gone.dcm" in str(caught.value)
    with pytest.raises(ParameterSetError, match="cannot be written"):
        xcaliper.save_set(small(), tmp_path / "no-folder" / "a.dcm")
    with pytest.raises(NotFoundError, match="morse"):
        xcaliper.save_set(small(), tmp_path / "a.dcm", format="morse")
    file = tmp_path / "big.dcm"
    file.write_text(TEXT, "utf-8")
    monkeypatch.setattr(set_file, "MAX_FILE_BYTES", 10)
    with pytest.raises(ParameterSetError, match="10 are the most"):
        xcaliper.load_set(file)
