"""What a description adds to a set as it was read."""

import numpy as np
import pytest

from support.set_ecu import catalog
from xcaliper.calib.formats.described import joined, with_description
from xcaliper.calib.formats.table import read_set
from xcaliper.calib.paramset import Entry, EntryKind, HistoryEntry, ParameterSet

#: By hand: an array of six written as instances by index, one within the other.
CDF = """\
<?xml version="1.0" encoding="utf-8"?>
<MSRSW><SHORT-NAME>any</SHORT-NAME><CATEGORY>CDF20</CATEGORY><SW-SYSTEMS><SW-SYSTEM>
<SHORT-NAME>any</SHORT-NAME><SW-INSTANCE-SPEC><SW-INSTANCE-TREE><SHORT-NAME>any</SHORT-NAME>
<SW-INSTANCE><SHORT-NAME>Block</SHORT-NAME><CATEGORY>VALUE_ARRAY</CATEGORY>{rows}</SW-INSTANCE>
</SW-INSTANCE-TREE></SW-INSTANCE-SPEC></SW-SYSTEM></SW-SYSTEMS></MSRSW>
"""
ROW = "<SW-INSTANCE><SW-ARRAY-INDEX>{}</SW-ARRAY-INDEX><CATEGORY>VALUE_ARRAY</CATEGORY>{}</SW-INSTANCE>"
CELL = """\
<SW-INSTANCE><SW-ARRAY-INDEX>{}</SW-ARRAY-INDEX><CATEGORY>VALUE</CATEGORY><SW-VALUE-CONT>
<UNIT-DISPLAY-NAME>V</UNIT-DISPLAY-NAME><SW-VALUES-PHYS><V>{}</V></SW-VALUES-PHYS></SW-VALUE-CONT></SW-INSTANCE>
"""


@pytest.fixture
def ecu():
    return catalog()


def elements(*names, **more):
    return [
        Entry(name, EntryKind.VALUE, float(number), **more) for number, name in enumerate(names)
    ]


def test_elements_of_a_cdf_file_become_the_block_of_the_description(ecu):
    rows = (
        ROW.format(y, "".join(CELL.format(x, 10 * y + x) for x in reversed(range(3))))
        for y in range(2)
    )
    found = read_set(CDF.format(rows="".join(rows)).encode())
    assert found.diagnostics == ()
    assert found.values.names[0] == "Block[0][2]"
    (block,) = with_description(found.values, ecu)
    assert (block.name, block.kind, block.unit) == ("Block", EntryKind.VAL_BLK, "V")
    assert block.values.tolist() == [[0, 1, 2], [10, 11, 12]]


def test_a_joined_block_takes_the_place_of_its_first_element(ecu):
    first, second, third = elements("Row[2]", "Row[0]", "Row[1]")
    speed, gain = elements("Speed", "Gain")
    found = joined(ParameterSet([speed, first, gain, second, third]), ecu)
    assert [one.name for one in found] == ["Speed", "Row", "Gain"]
    assert found["Row"].values.tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    "entries",
    [
        elements("Row[0]", "Row[1]"),
        elements("Row[0]", "Row[1]", "Row[3]"),
        elements("Row[0]", "Row[1]", "Row[1][0]"),
        elements("Speed[0]"),
        elements("None[0]", "None[1]", "None[2]"),
        elements("Curve[0]", "Curve[1]"),
        [*elements("Row[0]", "Row[1]"), *elements("Row[2]", unit="V")],
        [*elements("Row[0]", "Row[1]"), *elements("Row[2]", is_raw=True)],
        [*elements("Row[0]", "Row[1]"), *elements("Row[2]", history=(HistoryEntry("done"),))],
        [*elements("Row[0]", "Row[1]"), *elements("Row[2]", variant=(("a", "b"),))],
        [*elements("Row[0]", "Row[1]", "Row[2]"), Entry("Row", EntryKind.VAL_BLK, np.ones(3))],
    ],
)
def test_what_is_no_whole_block_stays_as_it_is(ecu, entries):
    values = ParameterSet(entries)
    assert joined(values, ecu) is values


def test_ecu_values_get_the_kinds_of_the_description(ecu):
    text = "CANape PAR V3.2: ~ 0 0\nCurve [INT(32),(1,2)]\n: 1\n: 2\nX : 3\nX : 4\n"
    text += "Woven [UINT(16),(1,3)]\n: 1\n: 2\n: 3\nX : 3\nX : 4\nX : 5\n"
    curve, of_one_axis = with_description(read_set(text.encode()).values, ecu)
    assert curve.kind == EntryKind.CURVE
    assert (of_one_axis.kind, len(of_one_axis.axes)) == (EntryKind.CURVE, 1)
