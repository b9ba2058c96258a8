"""Lists of slaves that ours does not imitate, on scripted answers."""

from __future__ import annotations

import pytest

from xcaliper.core.address import Address
from xcaliper.core.errors import NegativeResponseError, SequenceError
from xcaliper.proto.procedure import run_script
from xcaliper.xcp import daq, std, timecorr
from xcaliper.xcp.codes import (
    DaqKeyByte,
    DaqListProperties,
    DaqProperties,
    ErrorCode,
    EventProperties,
    Resource,
    SessionStatus,
    negative_response,
)
from xcaliper.xcp.daq_lists import DaqListSetup, ListKind, OdtEntry, OdtSetup
from xcaliper.xcp.procedures.connect import Session
from xcaliper.xcp.procedures.daq_info import daq_info, list_info
from xcaliper.xcp.procedures.daq_setup import (
    SetupHabits,
    clock,
    free,
    setup,
    start,
    stop,
    stop_selected,
)
from xcaliper.xcp.profile import Profile

SESSION = Session(profile=Profile(max_cto=8, max_dto=8))
OK = std.EmptyResponse()
UNKNOWN = negative_response("X", ErrorCode.ERR_CMD_UNKNOWN)
RANGE = negative_response("X", ErrorCode.ERR_OUT_OF_RANGE)
NOT_VALID = negative_response("X", ErrorCode.ERR_MODE_NOT_VALID)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    SESSION.forget()


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
    (one,), _ = run_script(list_info(SESSION, 1), [info(0b101), *script])
    assert one.odts == odts


@pytest.mark.parametrize(
    ("refused", "asked", "answers", "lists"),
    [
        ({"GET_DAQ_EVENT_INFO", "GET_DAQ_LIST_INFO"}, 1, [], 0),
        ({"GET_DAQ_EVENT_INFO", "SET_DAQ_PTR"}, 2, [info(0b101)], 1),
        ({"GET_DAQ_PROCESSOR_INFO"}, 0, [], 0),
    ],
)
def test_what_the_device_is_known_to_lack_is_not_asked_for(refused, asked, answers, lists) -> None:
    told = daq.GetDaqProcessorInfoResponse(
        daq_properties=DaqProperties(0),
        max_daq=1,
        max_event_channel=2,
        min_daq=0,
        daq_key_byte=DaqKeyByte(0),
    )
    SESSION.refused.update(refused | {"GET_DAQ_RESOLUTION_INFO"})
    first = [] if "GET_DAQ_PROCESSOR_INFO" in refused else [told]
    found, steps = run_script(daq_info(SESSION), [*first, *answers])
    assert len(steps) == asked
    assert found.events is None
    assert [one.odts for one in found.lists] == [()] * lists


def test_asking_ends_with_the_first_list_that_is_not_told() -> None:
    lists, steps = run_script(list_info(SESSION, 5), [info(0b100), info(0b1000), RANGE])
    assert [one.number for one in lists] == [0, 1]
    assert len(steps) == 3


def test_entries_of_predefined_lists_are_bounded() -> None:
    full = [info(0b101, 1, 255), OK, *[read(1)] * 255]
    lists, _ = run_script(list_info(SESSION, 70), [*full * 64, *[info(0b101, 1, 255)] * 6])
    assert [bool(one.odts) for one in lists] == [True] * 64 + [False] * 6


STATIC = DaqListSetup(4, 0, (entries(1, 2),), kind=ListKind.STATIC, capacity=(3, 2))
PID = daq.StartStopDaqListResponse(first_pid=7)


def test_a_list_that_cannot_be_cleared_is_ended_by_unused_entries() -> None:
    habits = SetupHabits()
    # refused clearing, stop; 2 entries fill ODT 0, an unused one ends ODT 1 and ODT 2
    script = [UNKNOWN, PID, OK, OK, OK, OK, OK, OK, OK, OK, PID]
    pids, steps = run_script(setup(SESSION, (STATIC,), habits=habits), script)
    assert pids == (7,)
    assert "CLEAR_DAQ_LIST" in SESSION.refused
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


def test_an_idle_list_is_set_up_and_not_selected() -> None:
    lists = (STATIC, DaqListSetup(5, 1, (entries(3),), kind=ListKind.STATIC, capacity=(1, 1)))
    script = [OK, OK, *[OK] * 3, *[OK] * 2, OK, OK, PID, PID]
    pids, steps = run_script(setup(SESSION, lists, idle={4}), script)
    asked = [s.request for s in steps if isinstance(s.request, daq.StartStopDaqList)]
    assert pids == (7, 7)
    assert [(one.mode, one.daq_list) for one in asked] == [(0, 4), (2, 5)]


def test_lists_stop_one_by_one_where_nothing_else_works() -> None:
    _, steps = run_script(stop_selected([1, 2]), [NOT_VALID, PID, PID])
    assert [(s.request.mode, s.request.daq_list) for s in steps[1:]] == [(0, 1), (0, 2)]


SEQUENCE = negative_response("X", ErrorCode.ERR_SEQUENCE)
ACTIVE = negative_response("X", ErrorCode.ERR_DAQ_ACTIVE)
DYNAMIC = DaqListSetup(0, 0, (entries(1),))


def test_an_order_that_the_slave_finds_wrong_starts_again_and_ends_at_last() -> None:
    whole = [OK] * 4 + [OK, OK, OK, PID]  # free, 3 × alloc; pointer, entry, mode, selection
    pids, steps = run_script(setup(SESSION, (DYNAMIC,)), [OK, SEQUENCE, OK, ACTIVE, RANGE, *whole])
    assert pids == (7,)
    begins = [n for n, step in enumerate(steps) if isinstance(step.request, daq.FreeDaq)]
    stops = [n for n, step in enumerate(steps) if isinstance(step.request, daq.StartStopSynch)]
    assert (begins, stops) == ([0, 3, 5], [2, 4])
    with pytest.raises(SequenceError):
        run_script(setup(SESSION, (DYNAMIC,)), [SEQUENCE, OK, SEQUENCE, OK, SEQUENCE])


@pytest.mark.parametrize("running", [True, False])
def test_a_refused_start_is_believed_only_when_nothing_runs(running) -> None:
    status = std.GetStatusResponse(
        session_status=SessionStatus.of(daq_running=int(running)),
        protection_status=Resource(0),
    )
    if running:
        _, steps = run_script(start(), [RANGE, status])
        assert len(steps) == 2
    else:
        with pytest.raises(NegativeResponseError, match="ERR_OUT_OF_RANGE"):
            run_script(start(), [RANGE, status])


def test_a_slave_that_does_not_stop_is_told_by_the_result() -> None:
    assert run_script(stop(), [OK])[0] is True
    assert run_script(stop(), [RANGE])[0] is False
    assert run_script(free(), [UNKNOWN])[0] is False


def test_a_clock_that_cannot_be_read_is_none() -> None:
    assert run_script(clock(), [UNKNOWN])[0] is None
    assert run_script(clock(), [timecorr.DaqClockLegacy(timestamp=5)])[0] == 5
    assert run_script(clock(), [OK])[0] is None  # an answer of no known form


def processor(events, max_daq=0, min_daq=0, *, dynamic=False):
    return daq.GetDaqProcessorInfoResponse(
        daq_properties=DaqProperties.of(dynamic=int(dynamic)),
        max_daq=max_daq,
        max_event_channel=events,
        min_daq=min_daq,
        daq_key_byte=DaqKeyByte(0),
    )


def event(name_length):
    return daq.GetDaqEventInfoResponse(
        daq_event_properties=EventProperties(4),
        max_daq_list=1,
        name_length=name_length,
        time_cycle=1,
        time_unit=6,
        priority=0,
    )


def test_events_are_told_as_far_as_the_slave_tells_them() -> None:
    """One with a name, one without, one whose name cannot be read, then none any more."""
    named = b"task\0"
    script = [processor(4), UNKNOWN, event(5), named, event(0), event(3), RANGE, RANGE]
    found, _ = run_script(daq_info(Session(profile=SESSION.profile)), script)
    assert [one.name for one in found.events] == ["task", "", ""]
    assert found.resolution is None
    found, _ = run_script(
        daq_info(Session(profile=SESSION.profile)), [processor(2), UNKNOWN, RANGE]
    )
    assert found.events is None, "not one is known"


def test_only_lists_that_can_exist_are_asked_for() -> None:
    found, steps = run_script(daq_info(Session(profile=SESSION.profile)), [UNKNOWN, UNKNOWN])
    assert (found.processor, found.events, found.lists) == (None, None, ())
    assert len(steps) == 2
    found, _ = run_script(
        daq_info(Session(profile=SESSION.profile)), [processor(0, 1, 2), UNKNOWN, info(4), info(4)]
    )
    assert len(found.lists) == 2, "MAX_DAQ counts the predefined ones as well"
    told = [processor(0, 9, 1, dynamic=True), UNKNOWN, info(4)]
    found, _ = run_script(daq_info(Session(profile=SESSION.profile)), told)
    assert len(found.lists) == 1
