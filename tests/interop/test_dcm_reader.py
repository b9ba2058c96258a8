"""DCM written here and read by dcmReader, and files of others read by both."""

import os
from pathlib import Path

import numpy as np
import pytest
from dcmReader.dcm_reader import DcmReader

from meta.tree import ROOT
from xcaliper.calib.formats.table import read_set, write_set
from xcaliper.calib.paramset import AxisKind, Entry, EntryKind, ParameterSet, SetAxis

CORPUS = Path(os.environ.get("XCALIPER_CORPUS", ROOT.parent / "shared" / "data"))
SAMPLES = sorted(CORPUS.glob("params/*/*.dcm"))


def by_others(path):
    """Name → values, axes, unit and function, as dcmReader sees them."""
    reader = DcmReader()
    reader.read(str(path))
    found = {}
    for one in reader.get_parameters():
        found[one.name] = (one.text if one.value is None else one.value, [], one)
    for one in reader.get_block_parameters():
        rows = one.values
        found[one.name] = (rows[0] if one.y_dimension < 2 else rows, [], one)
    for line in (
        *reader.get_characteristic_lines(),
        *reader.get_fixed_characteristic_lines(),
        *reader.get_group_characteristic_lines(),
    ):
        found[line.name] = (list(line.values.values()), [list(line.values)], line)
    for table in (
        *reader.get_characteristic_maps(),
        *reader.get_fixed_characteristic_maps(),
        *reader.get_group_characteristic_maps(),
    ):
        rows = [list(row.values()) for row in table.values.values()]
        x = list(next(iter(table.values.values())))
        found[table.name] = (rows, [x, list(table.values)], table)
    for one in reader.get_distributions():
        found[one.name] = (one.values, [], one)
    return found


def compare(values, path):
    """Hold every entry against what dcmReader says; gives how many there were."""
    found = by_others(path)
    assert set(found) == {one.name for one in values}
    for one in values:
        others, axes, made = found[one.name]
        if isinstance(one.values, str):
            assert others == one.values
        else:
            assert np.array_equal(np.asarray(others, dtype=float), np.asarray(one.values))
        assert [list(map(float, axis)) for axis in axes] == [a.values.tolist() for a in one.axes]
        assert (made.description or "") == one.long_name
        assert (made.display_name or "") == one.display_name
        assert (made.function or "") == " ".join(one.functions)
        unit = getattr(made, "unit_values", None) or getattr(made, "unit", None)
        unit = made.unit_x if one.kind == EntryKind.AXIS_PTS else unit
        assert (unit or "") == one.unit
    return len(found)


def test_what_is_written_here_is_read_there(tmp_path):
    def axis(kind, ref="", count=7):
        points = np.arange(count) * 1.25 - 1e-7
        return SetAxis(AxisKind(f"{kind}_AXIS"), points, ref, unit="°C")

    more = {"long_name": "a text", "display_name": "d.e", "functions": ("F",), "unit": "km/h"}
    table = np.random.default_rng(7).normal(size=(3, 7)) * 1e5
    entries = [
        Entry("v", EntryKind.VALUE, 1 / 3, **more),
        Entry("t", EntryKind.VALUE, "on", **more),
    ]
    # dcmReader takes every line of a block for a row; lines here have six values, as is usual
    entries += [Entry("b1", EntryKind.VAL_BLK, table[0, :6], **more)]
    entries += [Entry("b2", EntryKind.VAL_BLK, table[:, :6], **more)]
    entries += [Entry("ax", EntryKind.AXIS_PTS, np.arange(9.0), **more)]
    for kind, ref in (("STD", ""), ("FIX", ""), ("COM", "shared")):
        axes = (axis(kind, ref), axis(kind, ref, 3))
        entries.append(Entry(f"c{kind}", EntryKind.CURVE, table[1], axes[:1], **more))
        entries.append(Entry(f"m{kind}", EntryKind.MAP, table, axes, **more))
    values = ParameterSet(entries)
    path = tmp_path / "ours.dcm"
    path.write_bytes(write_set(values, "dcm"))
    assert compare(values, path) == 11


@pytest.mark.skipif(not SAMPLES, reason="the folder of files by others is not here")
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_files_of_others_are_read_fully_and_alike(path):
    found = read_set(path.read_bytes(), source=path.name)
    assert all(one.severity == 0 for one in found.diagnostics)
    assert compare(found.values, path) == len(found.values)
