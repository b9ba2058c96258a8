"""SET_REQUEST and RESUME: what is stored, what is refused meanwhile, what a power-up makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pair.link import EVENTS, RAM, SEGMENT, SEGMENTS, Pair, config
from xcaliper.core.errors import (
    NegativeResponseError,
    RemoteProtocolError,
    ResumeError,
    SettingsError,
    UsageError,
)
from xcaliper.core.ticks import TickClock
from xcaliper.proto.procedure import ask, run_script
from xcaliper.xcp import daq, level1, std
from xcaliper.xcp.codes import ErrorCode, Resource, SessionStatus, SetRequestMode, negative_response
from xcaliper.xcp.daq_lists import DaqListSetup, ListKind, OdtEntry, OdtSetup, PackedMode
from xcaliper.xcp.procedures import daq_setup, memory, pages, store
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import FixedList, PageConfig
from xcaliper.xcp.slave_daq_config import PackedConfig
from xcaliper.xcp.slave_store import NonVolatile, StoredDaq, StoredList, StoreSettings

TIME = 20_000_000
STORES = StoreSettings(daq=True, resume=True, duration_ns=TIME)
BOTH = (
    DaqListSetup(0, 0, (OdtSetup((OdtEntry(RAM, 4), OdtEntry(RAM + 8, 2))),)),
    DaqListSetup(1, 1, (OdtSetup((OdtEntry(RAM + 16, 1),)),), prescaler=2, priority=3),
)


STATUS_BITS = (
    "store_cal_req",
    "cal_pag_cfg_lost",
    "store_daq_req",
    "clear_daq_req",
    "daq_cfg_lost",
    "daq_running",
    "resume",
)


class Device:
    """A slave that can be switched off and on; its non-volatile memory stays."""

    def __init__(self, **changes) -> None:
        self.config = config(**({"store": STORES} | changes))
        self.kept = NonVolatile()
        self.saved = 0
        self.kept.changed = self.note
        self.pair = self.on(connected=True)

    def note(self) -> None:
        self.saved += 1

    def on(self, *, connected: bool = False) -> Pair:
        pair = Pair(self.config, connected=False)
        pair.slave = SlaveMachine(self.config, pair.memory, nonvolatile=self.kept)
        pair.slave.power_up(pair.now_ns)
        if connected:
            pair.session = pair.run(connect())
        self.pair = pair
        return pair

    def setup(self, *lists: DaqListSetup) -> None:
        self.pair.run(daq_setup.setup(self.pair.session, lists or BOTH))

    def wait(self, time_ns: int = TIME) -> None:
        """Time passes."""
        self.pair.now_ns += time_ns
        due = self.pair.slave.due()
        if due is not None and due <= self.pair.now_ns:
            self.pair.slave.on_time(self.pair.now_ns)
        self.pair.exchange()

    def events(self) -> list[str]:
        return [one.name for one in self.pair.master.events()]

    def status(self) -> tuple[list[str], int]:
        """Bits of SESSION_STATUS that are set, and the session configuration id."""
        found = self.pair.run(store.store_status())
        bits = [name for name in STATUS_BITS if getattr(found.status, name)]
        return bits, found.session_configuration_id

    def stored(self, identifier: int = 0x1234, *, resume: bool = True, lists=()) -> None:
        self.setup(*lists)
        self.pair.run(store.store_daq(identifier, resume=resume))
        self.wait()


def refused(pair: Pair, request, code: ErrorCode) -> None:
    with pytest.raises(NegativeResponseError) as caught:
        pair.run(request if hasattr(request, "send") else ask(request, final=True))
    assert caught.value.code == code


def mode(**bits: int) -> std.SetRequest:
    return std.SetRequest(mode=SetRequestMode.of(**bits), session_configuration_id=7)


# -- SET_REQUEST -----------------------------------------------------------------------------------


def test_storing_lists_takes_its_time_and_tells_the_end():
    device = Device()
    pair = device.pair
    device.setup()
    pair.run(store.store_daq(0x1234, resume=True))
    assert device.status() == (["store_daq_req"], 0)
    device.wait(TIME - 1)
    assert device.events() == []
    assert device.kept.daq is None
    device.wait(1)
    assert device.events() == ["EV_STORE_DAQ"]
    assert device.status() == ([], 0x1234)
    assert device.saved == 1
    assert device.kept.daq.resume
    assert [one.selected for one in device.kept.daq.lists] == [True, True]
    assert device.kept.daq.lists[1].prescaler == 2
    modes = [pair.run(ask(daq.GetDaqListMode(daq_list=n))).mode for n in (0, 1)]
    assert [(one.resume, one.selected, one.running) for one in modes] == [(1, 0, 0)] * 2


def test_the_end_is_noticed_by_the_next_command_as_well():
    device = Device()
    device.setup()
    device.pair.run(store.store_daq(5, resume=False))
    device.pair.now_ns += TIME
    assert device.status() == ([], 5)
    assert device.events() == ["EV_STORE_DAQ"]


def test_the_answer_drops_the_selection_and_only_selected_lists_are_stored():
    device = Device()
    pair = device.pair
    device.setup()
    pair.run(ask(daq.StartStopSynch(mode=2)))  # stop selected: drops the flags
    pair.run(store.select(BOTH[1:]))
    pair.run(store.store_daq(3, resume=True))
    assert not any(one.selected for one in pair.slave.state.daq.lists)
    device.wait()
    first, second = device.kept.daq.lists
    assert (first.selected, first.odts, first.event_channel) == (False, ((None, None),), None)
    assert (second.selected, second.odts[0][0].address, second.priority) == (True, RAM + 16, 3)
    refused(pair, mode(store_daq_req_resume=1), ErrorCode.ERR_DAQ_CONFIG)  # none is selected now


@pytest.mark.parametrize(
    "request_",
    [
        daq.FreeDaq(),
        daq.AllocDaq(daq_count=1),
        daq.ClearDaqList(daq_list=0),
        daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0),
        daq.StartStopDaqList(mode=1, daq_list=0),
        std.Disconnect(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_lists_do_not_change_while_they_are_stored(request_):
    device = Device()
    device.setup()
    device.pair.run(store.store_daq(1, resume=False))
    refused(device.pair, request_, ErrorCode.ERR_CMD_BUSY)
    device.pair.run(ask(std.GetStatus()))
    device.wait()
    device.pair.run(ask(request_) if not isinstance(request_, daq.AllocDaq) else ask(daq.FreeDaq()))


def test_one_request_at_a_time():
    device = Device()
    device.pair.run(store.store_cal())
    code = ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE
    refused(device.pair, mode(clear_daq_req=1), code)
    refused(device.pair, std.Disconnect(), ErrorCode.ERR_CMD_BUSY)
    device.pair.run(ask(daq.FreeDaq()))  # lists are not what is stored
    device.wait()
    device.pair.run(ask(mode(clear_daq_req=1)))
    refused(device.pair, daq.FreeDaq(), ErrorCode.ERR_CMD_BUSY)
    device.wait()
    assert device.events() == ["EV_STORE_CAL", "EV_CLEAR_DAQ"]


def test_erasing():
    device = Device()
    device.stored()
    pair = device.pair
    pair.run(store.select(BOTH))
    pair.run(daq_setup.start())
    refused(pair, store.clear_daq(), ErrorCode.ERR_DAQ_ACTIVE)
    pair.run(daq_setup.stop())
    pair.run(store.clear_daq())
    assert device.status() == (["clear_daq_req"], 0x1234)
    device.wait()
    assert device.status() == ([], 0)
    assert device.kept.daq is None
    assert not pair.run(ask(daq.GetDaqListMode(daq_list=0))).mode.resume


@pytest.mark.parametrize(
    ("changes", "bits"),
    [
        ({}, {}),
        ({}, {"store_daq_req_resume": 1, "store_daq_req_no_resume": 1}),
        ({}, {"store_daq_req_resume": 1, "clear_daq_req": 1}),
        ({"freeze": False}, {"store_cal_req": 1}),
        ({"store": StoreSettings()}, {"store_daq_req_no_resume": 1}),
        ({"store": StoreSettings()}, {"clear_daq_req": 1}),
        ({"store": StoreSettings(daq=True)}, {"store_daq_req_resume": 1}),
        ({"protocol_version": 4}, {"clear_daq_cfg_lost": 1}),
    ],
)
def test_modes_that_do_not_exist(changes, bits):
    device = Device(**changes)
    device.setup()
    refused(device.pair, mode(**bits), ErrorCode.ERR_OUT_OF_RANGE)
    refused(device.pair, std.SetRequest(mode=SetRequestMode(0x40)), ErrorCode.ERR_OUT_OF_RANGE)


def test_id_0_means_none():
    device = Device()
    device.setup()
    request = std.SetRequest(mode=SetRequestMode.of(store_daq_req_resume=1))
    refused(device.pair, request, ErrorCode.ERR_OUT_OF_RANGE)
    for identifier in (0, 0x1_0000):
        with pytest.raises(UsageError):
            device.pair.run(store.store_daq(identifier, resume=True))


def test_lists_that_cannot_run_are_not_stored_for_resume():
    device = Device()
    pair = device.pair
    pair.run(ask(daq.FreeDaq()))
    pair.run(ask(daq.AllocDaq(daq_count=1)))
    pair.run(ask(daq.StartStopDaqList(mode=2, daq_list=0)))
    refused(pair, store.store_daq(1, resume=True), ErrorCode.ERR_DAQ_CONFIG)
    pair.run(store.store_daq(1, resume=False))  # it may be filled later


def test_a_slave_without_events_and_one_that_stores_nothing():
    device = Device(store=replace(STORES, events=False))
    device.stored()
    assert device.events() == []
    assert device.status() == ([], 0x1234)
    with pytest.raises(NegativeResponseError):
        Pair(config(freeze=False)).run(store.store_cal())
    with pytest.raises(SettingsError):
        StoreSettings(resume=True)
    with pytest.raises(SettingsError):
        StoreSettings(duration_ns=-1)


# -- freezing --------------------------------------------------------------------------------------


def test_frozen_segments_are_stored_as_xcp_sees_them_now():
    device = Device()
    pair = device.pair
    xcp = memory.XcpMemory(pair.session)
    pair.run(pages.set_frozen(1, on=True))
    pair.run(pages.set_page(1, 1, ecu=False))
    pair.run(xcp.write(SEGMENTS[1].address, b"tuned"))
    pair.run(xcp.write(SEGMENT, b"not frozen"))
    pair.run(store.store_cal())
    assert device.status() == (["store_cal_req"], 0)
    pair.run(xcp.write(SEGMENTS[1].address, b"later"))
    device.wait()
    assert device.events() == ["EV_STORE_CAL"]
    assert list(device.kept.pages) == [1]
    assert device.kept.pages[1] == b"tuned" + b"\x11" * (0x40 - 5)


def test_pages_are_stored_for_their_init_segment():
    shared = replace(SEGMENTS[1], pages=(PageConfig(0, init_segment=2), PageConfig(1)))
    other = replace(SEGMENTS[1], number=2, name="copy")
    device = Device(segments=(SEGMENTS[0], shared, other))
    device.pair.run(pages.set_frozen(1, on=True))
    device.pair.run(store.store_cal())
    device.wait()
    assert list(device.kept.pages) == [2]
    for goal in (0, 9):  # another size, no such segment: the own one
        strange = replace(SEGMENTS[1], pages=(PageConfig(0, init_segment=goal), PageConfig(1)))
        device = Device(segments=(SEGMENTS[0], strange))
        device.pair.run(pages.set_frozen(1, on=True))
        device.pair.run(store.store_cal())
        device.wait()
        assert list(device.kept.pages) == [1]


def test_lost_things_stay_marked_until_they_are_cleared():
    device = Device()
    device.kept.pages_lost = device.kept.daq_lost = True
    assert device.status() == (["cal_pag_cfg_lost", "daq_cfg_lost"], 0)
    device.pair.run(store.clear_lost(pages=True))
    assert device.status() == (["daq_cfg_lost"], 0)
    device.pair.run(store.clear_lost(daq_lists=True))
    assert device.status() == ([], 0)
    assert device.saved == 2
    device.kept.pages_lost = device.kept.daq_lost = True
    device.pair.run(store.store_cal())
    device.wait()
    device.stored()
    assert device.status() == ([], 0x1234)


# -- RESUME ----------------------------------------------------------------------------------------


def test_stored_lists_run_from_power_up_without_a_session():
    device = Device(timestamp=TickClock(1, 3, 4))
    device.stored()
    pair = device.on()
    assert pair.slave.resumed
    assert [one.kind for one in pair.slave.events()] == ["daq-started"]
    pair.event(0, 1_000_000)
    pair.event(1, 2_000_000)
    # EV_RESUME_MODE: id 0x1234 and the DAQ clock, 0 µs at power-up; then the DTO of list 0.
    assert pair.to_master.sent[0] == bytes.fromhex("FD 00 34 12 00 00 00 00")
    assert pair.to_master.sent[1][:6] == bytes.fromhex("00 00 E8 03 00 00")
    assert len(pair.dtos) == 2
    assert device.events() == ["EV_RESUME_MODE"]


def test_connect_leaves_resumed_lists_running_and_disconnect_does_too():
    device = Device()
    device.stored()
    pair = device.on(connected=True)
    assert device.status() == (["daq_running", "resume"], 0x1234)
    assert device.pair.session.session_configuration_id == 0x1234
    assert pair.run(ask(daq.GetDaqListMode(daq_list=1))).mode == 0b1101_0000
    pair.run(connect())
    pair.run(ask(std.Disconnect()))
    pair.event(0, 1_000_000)
    assert len(pair.dtos) == 1
    pair.run(connect())
    assert device.status() == (["daq_running", "resume"], 0x1234)
    pair.run(daq_setup.stop())
    assert device.status() == ([], 0x1234)
    assert not pair.slave.resumed
    pair.run(connect())  # from now on it is as for any session
    assert pair.slave.state.daq.lists == []


def test_only_resumed_lists_survive_the_end_of_a_session():
    device = Device()
    pair = device.pair
    device.setup()
    pair.run(ask(daq.StartStopSynch(mode=2)))
    pair.run(store.select(BOTH[:1]))
    pair.run(store.store_daq(9, resume=True))
    device.wait()
    pair = device.on(connected=True)
    pair.run(ask(daq.SetDaqPtr(daq_list=1, odt=0, odt_entry=0)))
    entry = daq.WriteDaq(bit_offset=255, size=1, address_extension=0, address=RAM.value)
    pair.run(ask(entry))
    pair.run(
        ask(daq.SetDaqListMode(mode=0x10, daq_list=1, event_channel=1, prescaler=1, priority=0))
    )
    pair.run(ask(daq.StartStopDaqList(mode=1, daq_list=1)))
    pair.run(ask(daq.StartStopDaqList(mode=2, daq_list=0)))
    pair.run(ask(std.Disconnect()))
    first, second = pair.slave.state.daq.lists
    assert (first.running, first.selected) == (True, False)
    assert (second.running, second.odts) == (False, [[None]])


def test_a_master_may_read_what_resumed_lists_hold_but_not_change_it():
    device = Device()
    device.stored()
    pair = device.on(connected=True)
    assert pair.run(store.compare_lists(BOTH)) is True
    pair.run(ask(daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)))
    entry = daq.WriteDaq(bit_offset=255, size=1, address_extension=0, address=RAM.value)
    refused(pair, entry, ErrorCode.ERR_DAQ_ACTIVE)
    other = (replace(BOTH[0], odts=(OdtSetup((OdtEntry(RAM, 4), OdtEntry(RAM + 12, 2))),)),)
    with pytest.raises(ResumeError, match="DAQ list 0, ODT 0, entry 1: expected"):
        pair.run(store.compare_lists(other))
    with pytest.raises(ResumeError, match="DAQ list 1: prescaler: expected 3, found 2"):
        pair.run(store.compare_lists((replace(BOTH[1], prescaler=3),)))
    pair.run(daq_setup.stop())
    with pytest.raises(ResumeError, match="DAQ list 0: expected 'running', found 'stopped'"):
        pair.run(store.compare_lists(BOTH))


def test_the_pointer_moves_in_a_running_list_only_while_resume_runs_it():
    device = Device()
    device.stored()
    pair = device.on(connected=True)
    listed = [
        (number, odt, at)
        for number, one in enumerate(BOTH)
        for odt in range(len(one.odts))
        for at in range(len(one.odts[odt].entries))
    ]
    for number, odt, at in listed:  # every entry, in any order
        wanted = BOTH[number].odts[odt].entries[at]
        pair.run(ask(daq.SetDaqPtr(daq_list=number, odt=odt, odt_entry=at)))
        found = pair.run(ask(daq.ReadDaq()))
        assert (found.address, found.size) == (wanted.address.value, wanted.size)
    for number, odt, at in ((0, 0, 2), (0, 1, 0), (2, 0, 0)):
        refused(
            pair,
            daq.SetDaqPtr(daq_list=number, odt=odt, odt_entry=at),
            ErrorCode.ERR_OUT_OF_RANGE,
        )
    again = daq.SetDaqListMode(mode=0, daq_list=0, event_channel=0, prescaler=1, priority=0)
    refused(pair, again, ErrorCode.ERR_DAQ_ACTIVE)
    assert pair.slave.daq_running
    dtos = len(pair.dtos)
    pair.event(0)
    assert len(pair.dtos) == dtos + 1, "looking has not touched the list"
    pair.run(daq_setup.stop())
    device.setup()
    pair.run(daq_setup.start())
    first = daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)
    refused(pair, first, ErrorCode.ERR_DAQ_ACTIVE)  # lists of the master's own


def test_slaves_that_show_less_are_compared_as_far_as_they_go():
    device = Device(disabled=frozenset({"READ_DAQ", "GET_DAQ_LIST_MODE"}))
    device.stored()
    pair = device.on(connected=True)
    assert pair.run(store.compare_lists(BOTH)) is False


def test_lists_stored_without_resume_wait_selected():
    device = Device()
    device.stored(4, resume=False)
    pair = device.on()
    assert not pair.slave.resumed
    assert pair.to_master.sent == []
    pair.run(connect())
    assert device.status() == ([], 4)
    assert pair.run(ask(daq.GetDaqListMode(daq_list=1))).mode == 0b0001_0001
    pair.run(daq_setup.start())
    pair.event(0, 1_000_000)
    assert len(pair.dtos) == 1
    pair.run(connect())  # the second session begins afresh
    assert pair.slave.state.daq.lists == []


def test_storing_goes_on_when_the_session_ends():
    device = Device()
    device.setup()
    device.pair.run(store.store_daq(6, resume=True))
    device.pair.slave.drop(device.pair.now_ns)
    device.wait()
    assert device.kept.daq.session_configuration_id == 6
    assert device.events() == []  # nobody is there to be told


def test_storing_again_from_a_resumed_session():
    device = Device()
    device.stored()
    pair = device.on(connected=True)
    pair.run(store.select(BOTH[:1]))
    pair.run(store.store_daq(0x77, resume=True))
    device.wait()
    assert [one.selected for one in device.kept.daq.lists] == [True, False]
    assert device.status() == (["daq_running", "resume"], 0x77)  # what runs is still the old one


def test_packed_lists_and_fixed_lists_come_back():
    packed = PackedConfig(mode=1, timestamp_mode=1, sample_count=4)
    events = (replace(config().events[0], packed=packed),)
    predefined = FixedList(entries=((OdtEntry(RAM, 2),),), event_fixed=0)
    device = Device(events=events, fixed_lists=(predefined,))
    lists = (
        replace(BOTH[0], odts=(), kind=ListKind.PREDEFINED),
        replace(BOTH[0], daq_list=1, packed=PackedMode(1, 4, 1)),
    )
    device.stored(lists=lists)
    pair = device.on(connected=True)
    assert pair.run(ask(level1.GetDaqPackedMode(daq_list=1))).sample_count == 4
    assert pair.slave.state.daq.lists[0].odts == [[OdtEntry(RAM, 2)]]
    assert [one.running for one in pair.slave.state.daq.lists] == [True, True]


def kept(*lists: StoredList, resume: bool = True) -> StoredDaq:
    return StoredDaq(8, resume, lists)


GOOD = StoredList(((OdtEntry(RAM, 4),),), selected=True, event_channel=0, timestamp=True)


@pytest.mark.parametrize(
    ("stored", "changes"),
    [
        (kept(replace(GOOD, odts=((OdtEntry(RAM + 0x10_0000, 4),),))), {}),  # no such memory
        (kept(replace(GOOD, event_channel=7)), {}),
        (kept(replace(GOOD, odts=((None,),))), {}),
        (kept(*[GOOD] * 300), {}),
        (kept(GOOD), {"store": StoreSettings(daq=True)}),
        (kept(GOOD, resume=False), {"store": StoreSettings()}),
        (kept(), {"dynamic": False, "fixed_lists": (FixedList(max_odt=1, max_odt_entries=1),)}),
        (kept(GOOD), {"dynamic": False, "fixed_lists": (FixedList(max_odt=2, max_odt_entries=1),)}),
    ],
)
def test_configurations_that_do_not_fit_are_lost_and_told(stored, changes):
    device = Device(**changes)
    device.kept.daq = stored
    pair = device.on(connected=True)
    assert device.status() == (["daq_cfg_lost"], 0)
    assert not pair.slave.daq_running
    assert device.saved == 1


def test_a_timestamp_is_told_only_where_there_is_one():
    device = Device(timestamp=TickClock(1, 3, 0))
    device.stored(lists=(replace(BOTH[0], timestamp=False),))
    pair = device.on()
    pair.exchange()
    assert pair.to_master.sent == [bytes.fromhex("FD 00 34 12")]


def test_the_session_configuration_id_is_checked():
    device = Device()
    device.stored()
    with pytest.raises(RemoteProtocolError, match="does not run stored DAQ lists"):
        store.check_resumed(device.pair.run(store.store_status()), 0x1234)
    pair = device.on(connected=True)
    store.check_resumed(pair.run(store.store_status()), 0x1234)
    with pytest.raises(ResumeError, match="expected 17, found 4660"):
        store.check_resumed(pair.run(store.store_status()), 17)


def test_locked_lists_run_all_the_same_since_no_command_started_them():
    device = Device()
    device.stored()
    device.config = replace(device.config, protected=Resource.of(daq=1))
    pair = device.on()
    pair.event(0, 1_000_000)
    assert len(pair.dtos) == 1


# -- lost answers ----------------------------------------------------------------------------------


def test_a_request_whose_answer_was_lost_is_not_made_twice():
    device = Device()
    device.setup()
    pair = device.pair
    pair.to_master.lose(1)  # behind that of GET_STATUS
    pair.run(store.store_daq(0x55, resume=True))
    device.wait()
    assert device.status() == ([], 0x55)
    pair.to_master.lose(0)
    pair.run(store.store_cal())
    device.wait()
    pair.to_master.lose(0)
    pair.run(store.clear_daq())
    device.wait()
    assert device.status() == ([], 0)


def busy() -> NegativeResponseError:
    return negative_response("slave", ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE)


def told(identifier: int = 0, **bits: int) -> std.GetStatusResponse:
    return std.GetStatusResponse(
        session_status=SessionStatus.of(**bits),
        protection_status=Resource(0),
        session_configuration_id=identifier,
    )


@pytest.mark.parametrize(
    ("procedure", "bit"),
    [(store.store_cal, "store_cal_req"), (store.clear_daq, "clear_daq_req")],
)
def test_a_slave_busy_with_the_same_or_with_something_else(procedure, bit):
    assert run_script(procedure(), [busy(), told(**{bit: 1})])[0] is None
    with pytest.raises(NegativeResponseError):
        run_script(procedure(), [busy(), told(store_daq_req=1)])


def test_a_slave_busy_while_lists_shall_be_stored():
    def made():
        return store.store_daq(3, resume=True)

    assert run_script(made(), [told(), busy(), told(store_daq_req=1)])[0] is None
    with pytest.raises(NegativeResponseError):
        run_script(made(), [told(), busy(), told(store_cal_req=1), told()])
    unsure = negative_response("slave", ErrorCode.ERR_DAQ_CONFIG)
    assert run_script(made(), [told(), unsure, told(3)])[0] is None
    for before, after in ((3, 3), (0, 0), (0, 4)):
        with pytest.raises(NegativeResponseError):
            run_script(made(), [told(before), unsure, told(after)])


def test_lists_of_direction_stim_take_data_from_power_up_on_without_a_session() -> None:
    events = tuple(replace(one, stim=True, max_daq_list=255) for one in EVENTS)
    device = Device(events=events)
    odt = OdtSetup((OdtEntry(RAM, 2),))
    both = (
        DaqListSetup(0, 0, (odt,), timestamp=False),
        DaqListSetup(1, 0, (odt,), timestamp=False, stim=True),
    )
    device.stored(lists=both)
    pair = device.on()
    stim = pair.slave.state.stim
    assert not pair.slave.connected
    assert pair.slave.stim_running
    own = pair.memory.read(RAM, 2)
    pair.event(0)
    assert pair.memory.read(RAM, 2) == own  # nothing has come
    pair.slave.receive(bytes.fromhex("00 01 aa bb"), pair.now_ns)
    pair.event(0)
    assert pair.memory.read(RAM, 2) == b"\xaa\xbb"
    assert stim.counters.applied == 1
    pair.slave.receive(bytes.fromhex("00 01 cc dd"), pair.now_ns)
    pair.session = pair.run(connect())  # which leaves what runs alone
    pair.event(0)
    assert pair.memory.read(RAM, 2) == b"\xcc\xdd"
    assert pair.slave.stim_running
    pair.run(daq_setup.stop())
    assert not pair.slave.stim_running
