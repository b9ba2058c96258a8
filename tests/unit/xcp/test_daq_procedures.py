"""Lists of slaves that ours does not imitate, on scripted answers."""

from __future__ import annotations

import pytest

from xcaliper.core.address import Address
from xcaliper.core.errors import NegativeResponseError
from xcaliper.proto.procedure import run_script
from xcaliper.xcp import daq, std
from xcaliper.xcp.codes import DaqListProperties, ErrorCode, negative_response
from xcaliper.xcp.daq_lists import DaqListSetup, ListKind, OdtEntry, OdtSetup
from xcaliper.xcp.procedures.connect import Session
from xcaliper.xcp.procedures.daq_info import list_info
from xcaliper.xcp.procedures.daq_setup import SetupHabits, setup, stop_selected
from xcaliper.xcp.profile import Profile

SESSION = Session(profile=Profile(max_cto=8, max_dto=8))
OK = std.EmptyResponse()
UNKNOWN = negative_response("X", ErrorCode.ERR_CMD_UNKNOWN)
RANGE = negative_response("X", ErrorCode.ERR_OUT_OF_RANGE)
NOT_VALID = negative_response("X", ErrorCode.ERR_MODE_NOT_VALID)


def info(bits, max_odt=2, entries=3):
    return daq.GetDaqListInfoResponse(
        daq_list_properties=DaqListProperties(bits), max_odt=max_odt, max_odt_entries=entries
    )


def read(address, size=1):
    return daq.ReadDaqResponse(bit_offset=0xFF, size=size, address_extension=0, address=address)


def entries(*places):
    return OdtSetup(tuple(OdtEntry(Address(place), 1) for place in places))


UNUSED = read(0, 0)


@pytest.mark.parametrize(
    ("script", "odts"),
    [
        ([OK, read(1), read(2), UNUSED, OK, read(3), RANGE], (entries(1, 2), entries(3))),
        ([OK, read(1), read(2), read(3), OK, UNUSED], (entries(1, 2, 3),)),
        ([OK, UNUSED], ()),  # an empty first ODT ends the list
        ([RANGE], ()),
        ([OK, RANGE], ()),
        ([OK, read(1), RANGE, RANGE], ()),  # known in part only
    ],
)
def test_predefined_lists_end_in_many_ways(script, odts) -> None:
    (one,), _ = run_script(list_info(1), [info(0b101), *script])
    assert one.odts == odts


def test_asking_ends_with_the_first_list_that_is_not_told() -> None:
    lists, steps = run_script(list_info(5), [info(0b100), info(0b1000), RANGE])
    assert [one.number for one in lists] == [0, 1]
    assert len(steps) == 3


def test_entries_of_predefined_lists_are_bounded() -> None:
    full = [info(0b101, 1, 255), OK, *[read(1)] * 255]
    lists, _ = run_script(list_info(70), [*full * 64, *[info(0b101, 1, 255)] * 6])
    assert [bool(one.odts) for one in lists] == [True] * 64 + [False] * 6


STATIC = DaqListSetup(4, 0, (entries(1, 2),), kind=ListKind.STATIC, capacity=(3, 2))
PID = daq.StartStopDaqListResponse(first_pid=7)


def test_a_list_that_cannot_be_cleared_is_ended_by_unused_entries() -> None:
    habits = SetupHabits()
    # refused clearing, stop; 2 entries fill ODT 0, an unused one ends ODT 1 and ODT 2
    script = [UNKNOWN, PID, OK, OK, OK, OK, OK, OK, OK, OK, PID]
    pids, steps = run_script(setup(SESSION, (STATIC,), habits=habits), script)
    assert pids == (7,)
    assert not habits.clears
    written = [s.request for s in steps if isinstance(s.request, daq.WriteDaq)]
    assert [(w.address, w.size) for w in written] == [(1, 1), (2, 1), (0, 0), (0, 0)]
    pointers = [s.request.odt for s in steps if isinstance(s.request, daq.SetDaqPtr)]
    assert pointers == [0, 1, 2]


def test_a_refused_selection_of_another_reason_is_told() -> None:
    with pytest.raises(NegativeResponseError, match="ERR_OUT_OF_RANGE"):
        run_script(setup(SESSION, (STATIC,)), [OK, OK, OK, OK, OK, RANGE])


def test_a_slave_that_selects_nothing_tells_its_pids_all_the_same() -> None:
    habits = SetupHabits()
    pids, steps = run_script(
        setup(SESSION, (STATIC,), habits=habits), [OK, OK, OK, OK, OK, NOT_VALID, PID]
    )
    assert (pids, habits.selects) == ((7,), False)
    assert [s.request.mode for s in steps[-2:]] == [2, 0]
    _, steps = run_script(setup(SESSION, (STATIC,), habits=habits), [OK, OK, OK, OK, OK, PID])
    assert steps[-1].request.mode == 0


def test_lists_stop_one_by_one_where_nothing_else_works() -> None:
    _, steps = run_script(stop_selected([1, 2]), [NOT_VALID, PID, PID])
    assert [(s.request.mode, s.request.daq_list) for s in steps[1:]] == [(0, 1), (0, 2)]
