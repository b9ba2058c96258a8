"""Plans from a description alone: which transport, how fast, and what a careless user says."""

from __future__ import annotations

import pytest

from xcaliper import plan_offline
from xcaliper.a2l import parse
from xcaliper.client.selection import event_number
from xcaliper.core.errors import NotFoundError, PlanError, UsageError
from xcaliper.daq import EventChannel
from xcaliper.quantity.catalog import Catalog

MEASUREMENT = """
/begin MEASUREMENT {name} "" ULONG NO_COMPU_METHOD 0 0 0 4294967295 {more} /end MEASUREMENT"""
LAYER = """
/begin PROTOCOL_LAYER 0x0104 1000 1000 0 0 0 0 0 8 {dto} BYTE_ORDER_MSB_LAST
 ADDRESS_GRANULARITY_BYTE /end PROTOCOL_LAYER"""
DAQ = """
/begin DAQ DYNAMIC {lists} 2 0 OPTIMISATION_TYPE_DEFAULT ADDRESS_EXTENSION_FREE
 IDENTIFICATION_FIELD_TYPE_ABSOLUTE GRANULARITY_ODT_ENTRY_SIZE_DAQ_BYTE 0x07
 NO_OVERLOAD_INDICATION PRESCALER_SUPPORTED
 /begin EVENT "fast" "fast" 0 DAQ 255 1 6 0 /end EVENT
 /begin EVENT "slow" "slow" 1 DAQ 255 100 6 0 /end EVENT
/end DAQ"""
CAN = """
/begin XCP_ON_CAN 0x0104 CAN_ID_MASTER 0x100 CAN_ID_SLAVE 0x80000101 BAUDRATE 500000
 MAX_BUS_LOAD {load} {fd} {own} /end XCP_ON_CAN"""
FD = "/begin CAN_FD CAN_FD_DATA_TRANSFER_BAUDRATE 2000000 /end CAN_FD"
UDP = """
/begin XCP_ON_UDP_IP 0x0104 5555 ADDRESS "127.0.0.1" {rate} {own} /end XCP_ON_UDP_IP"""


def ecu(transports, *, dto=8, lists=0, names=("A", "B", "C"), more="", block="XCP", daq=DAQ):
    """A description with some measurements, each with an address of its own."""
    objects = "".join(
        MEASUREMENT.format(name=name, more=f"ECU_ADDRESS {0x1000 + 16 * i:#x}")
        for i, name in enumerate(names)
    )
    head = "0x0104" if block == "XCPplus" else ""
    return parse(
        f"""ASAP2_VERSION 1 60 /begin PROJECT P "" /begin MODULE M ""
        /begin IF_DATA {block} {head} {LAYER.format(dto=dto)} {daq.format(lists=lists)} {transports}
        /end IF_DATA {objects} {more} /end MODULE /end PROJECT""",
        source="ecu.a2l",
    )


def can(load=60, fd="", own=""):
    return CAN.format(load=load, fd=fd, own=own)


def udp(rate="", own=""):
    return UDP.format(rate=rate, own=own)


@pytest.mark.parametrize("block", ["XCP", "XCPplus"])
def test_the_link_of_the_description_is_the_measure(block):
    plan = plan_offline(ecu(can(), block=block), "*", event="slow")
    link = plan.link
    assert (link.kind, link.bit_rate, link.extended, link.max_load) == ("can", 500_000, True, 60)
    assert "% of the link, of which 60 % may be used" in plan.describe()
    for load in (0, 250_000):  # a bus load in bit/s, as older files have it
        assert plan_offline(ecu(can(load)), "A", event=0).link.max_load is None
    fast = plan_offline(ecu(can(fd=FD), dto=64), "*", event="fast").link
    assert (fast.kind, fast.data_rate) == ("canfd", 2_000_000)
    known = plan_offline(ecu(udp("MAX_BUS_LOAD 50 MAX_BIT_RATE 1000")), "*", event=0).link
    assert (known.bit_rate, known.max_load, known.is_assumed) == (1e9, 50, False)
    assert "% of 100 Mbit/s" in plan_offline(ecu(udp()), "*", event=0).describe()
    assert plan_offline(ecu(""), "*", event=0).link is None


def test_more_than_the_link_may_have_is_refused_with_the_prescaler_that_helps():
    many = tuple(f"s{i}" for i in range(30))
    with pytest.raises(PlanError, match="MAX_BUS_LOAD 60 % is exceeded") as caught:
        plan_offline(ecu(can(), names=many), "*", event="fast")
    prescaler = int(caught.value.problems[0].rpartition(" ")[2])
    assert plan_offline(ecu(can(), names=many), "*", event="fast", prescaler=prescaler).lists


def test_another_link_can_be_chosen_or_told():
    both = ecu(can() + udp(own=LAYER.format(dto=1400)))
    assert plan_offline(both, "*", event=1).max_dto == 8
    over = plan_offline(both, "*", event=1, link="udp")
    assert (over.max_dto, over.link.kind) == (1400, "ethernet")
    told = plan_offline(both, "*", event=1, link="can:1M").link
    assert (told.bit_rate, told.max_load, told.extended) == (1e6, 60, True)
    only = ecu(udp(), dto=1400)
    cut = plan_offline(only, "*", event=1, link="can:500k")
    assert (cut.max_dto, cut.link.max_load) == (8, None)
    assert [note.slug for note in cut.diagnostics if note.slug == "daq-frame"]
    fd = plan_offline(only, "*", event=1, link="canfd:500k/2M")
    assert (fd.max_dto, fd.link.data_rate) == (64, 2e6)
    for link, text in (
        ("can", "no transport of kind can"),
        ("canfd", "no transport of kind canfd"),
        ("lin:20k", "not known"),
        ("", "not known"),
        ("can:", "no speed"),
        ("can:0", "no speed"),
        ("udp:fast", "no speed"),
    ):
        with pytest.raises(UsageError, match=text):
            plan_offline(only, "*", link=link)


def test_a_connection_takes_the_blocks_of_its_own_transport():
    xcp = Catalog(ecu(can() + udp(own=LAYER.format(dto=1400)))).xcp
    mine = xcp.merged(xcp.transport_at("udp://127.0.0.1:5555"))
    assert mine.protocol_layer.max_dto == 1400
    assert xcp.transport_at("tcp://gateway:5555") is xcp.transports[0]


def test_several_transports_are_told_and_each_can_be_taken():
    words_ = LAYER.format(dto=1400).replace("GRANULARITY_BYTE", "GRANULARITY_WORD")
    second = udp(own=LAYER.format(dto=600)).replace("5555", "5556")
    file = ecu(can() + udp(own=words_) + second)
    first = plan_offline(file, "A", event=1)
    (note,) = [one for one in first.diagnostics if one.slug == "daq-transport"]
    assert "3 transports, and the first one is taken" in note.text
    for link, dto, ag in (
        ("can", 8, 1),
        ("udp", 1400, 2),
        ("udp://127.0.0.1:5555", 1400, 2),
        ("udp://ecu:5556", 600, 1),
    ):
        plan = plan_offline(file, "A", event=1, link=link)
        assert plan.max_dto == dto
        assert plan.lists[0].odts[0].entries[0].size == 4 // ag
        assert "daq-transport" not in {one.slug for one in plan.diagnostics}
    with pytest.raises(UsageError, match="no transport of kind tcp"):
        plan_offline(file, "A", link="tcp://127.0.0.1:5555")
    alone = plan_offline(ecu(udp()), "A", event=1)
    assert "daq-transport" not in {one.slug for one in alone.diagnostics}


def test_pid_off_takes_the_identifiers_that_are_given_where_a_link_has_any():
    daq = DAQ.replace("PRESCALER_SUPPORTED", "PRESCALER_SUPPORTED PID_OFF_SUPPORTED")
    own = "/begin DAQ_LIST_CAN_ID 0 FIXED 0x200 /end DAQ_LIST_CAN_ID"
    bus, options = ecu(can(own=own), daq=daq), {"event": {"A": 0, "B": 1}, "pid_off": True}
    with pytest.raises(PlanError, match=r"DAQ list 1 has no CAN identifier of its own.*in can_ids"):
        plan_offline(bus, ["A", "B"], **options)
    plan = plan_offline(bus, ["A", "B"], can_ids=[0x300], **options)
    assert [one.can_id for one in plan.lists] == [0x200, 0x300]
    with pytest.raises(PlanError, match="Ethernet has not; switch pid_off off"):
        plan_offline(ecu(udp(), daq=daq), ["A", "B"], **options)


def test_stim_packets_carry_timestamps_where_wanted():
    stamp = "PRESCALER_SUPPORTED /begin TIMESTAMP_SUPPORTED 1 SIZE_WORD UNIT_1MS /end TIMESTAMP_SUPPORTED"
    daq = DAQ.replace("0 DAQ 255", "0 DAQ_STIM 255").replace("PRESCALER_SUPPORTED", stamp)
    sizes = [
        plan_offline(
            ecu(udp(), daq=daq), "A", event=0, stim="A", **options
        ).stim_format.timestamp_size
        for options in ({}, {"stim_timestamp": True})
    ]
    assert sizes == [0, 2]


def test_a_pattern_leaves_out_what_cannot_be_measured_and_says_so():
    lost = MEASUREMENT.format(name="Lost", more="")
    file = ecu(udp(), more=lost)
    plan = plan_offline(file, "*", event=0)
    assert [raster.signals for raster in plan.rasters] == [("A", "B", "C")]
    (note,) = [one for one in plan.diagnostics if one.slug == "daq-left-out"]
    assert "Lost: it has no address" in note.text
    assert "note: Lost: it has no address" in plan.describe()
    with pytest.raises(UsageError, match="Lost: it has no address"):
        plan_offline(file, ["A", "Lost"], event=0)
    with pytest.raises(UsageError, match=r"no measurable signal among them. Lost: it has no"):
        plan_offline(file, "Lo*", event=0)


def test_one_reason_is_one_problem():
    many = tuple(f"s{i}" for i in range(30))
    with pytest.raises(PlanError) as caught:
        plan_offline(ecu(udp(), names=many), "*", event=9)
    (problem,) = caught.value.problems
    assert problem == (
        "s0, s1, s2 and 27 more: event 9 does not exist; use one of 0 (fast), 1 (slow)"
    )
    plan = plan_offline(ecu(udp(), names=many), "*", event=9, polling=True)
    assert plan.describe().count("polled:") == 1
    assert "s6, s7 and 22 more, event 9 does not exist" in plan.describe()


def test_max_daq_of_the_description_is_kept():
    file = ecu(udp(), lists=1)
    with pytest.raises(PlanError, match="MAX_DAQ 1 is exceeded: 2 would be used; leave out A, or"):
        plan_offline(file, "*", event={"*": "slow", "A": "fast"})
    assert len(plan_offline(file, "*", event="fast").lists) == 1


EVENTS = (
    EventChannel(0, "a", 10_000_000),
    EventChannel(1, "b", 10_000_000),
    EventChannel(2, "c", 570_000),
)


def test_events_as_they_are_said():
    assert event_number(EVENTS, " C ") == 2
    assert event_number(EVENTS, "0.57ms") == 2
    assert event_number(EVENTS, "1") == 1
    with pytest.raises(UsageError, match=r"2 events have 10ms. Name one: a, b"):
        event_number(EVENTS, "10ms")
    with pytest.raises(NotFoundError, match="no such event"):
        event_number(EVENTS, "0x1")


@pytest.mark.parametrize(
    "wrong",
    [
        {"event": 1.0},
        {"event": True},
        {"event": ["fast"]},
        {"event": {"A": None}},
        {"prescaler": "2"},
        {"prescaler": 2.5},
        {"packed": "many"},
        {"packed": 1.5},
        {"priority": None},
        {"polling": "fast"},
    ],
    ids=str,
)
def test_options_that_are_no_numbers_are_refused_by_name(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        plan_offline(ecu(udp()), "*", **wrong)


def test_names_that_are_no_texts():
    with pytest.raises(UsageError, match="5 is no name"):
        plan_offline(ecu(udp()), [5])


def test_thousands_of_names_of_members_are_found_one_by_one():
    """Each exact name is a look into a set; a pattern for each took the square of their number."""
    members = "".join(f'/begin STRUCTURE_COMPONENT m{i} T {4 * i} /end STRUCTURE_COMPONENT\n'
                      for i in range(40))  # fmt: skip
    more = f"""/begin TYPEDEF_MEASUREMENT T "" ULONG NO_COMPU_METHOD 0 0 0 1 /end TYPEDEF_MEASUREMENT
    /begin TYPEDEF_STRUCTURE S "" 160 {members} /end TYPEDEF_STRUCTURE
    /begin INSTANCE I "" S 0x2000 MATRIX_DIM 50 /end INSTANCE"""
    file = ecu(udp(), names=(), more=more, dto=1400)
    catalog = Catalog(file)
    names = list(catalog.measurements)
    assert len(names) == 2000
    assert catalog.find(names[7]) == [names[7]]
    assert catalog.find("I[0].nothing") == []
    assert len(plan_offline(file, names, event=0).rasters[0].signals) == 2000
