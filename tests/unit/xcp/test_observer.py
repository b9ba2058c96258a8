"""The observer against the golden traces, late answers, lost answers and joining mid-session."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.datatypes import ByteOrder
from xcaliper.xcp.observer import ObserverMachine
from xcaliper.xcp.profile import DtoFormat, Profile
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import CAN_COMMANDS

DOCUMENT = json.loads(
    (Path(__file__).parents[2] / "vectors" / "xcp" / "vectors.json").read_text("utf-8")
)
BY_NAME = {v["name"]: v for v in DOCUMENT["vectors"]}
TRACES = [t for t in DOCUMENT["traces"] if t["layer"] == "xcp"]


def h(text):
    return bytes.fromhex(text)


def run(observer, *steps):
    for number, (side, text) in enumerate(steps):
        observer.receive(h(text), 10 * number, from_master=side == ">")
    return observer.rows()


@pytest.mark.parametrize("trace", TRACES, ids=lambda t: t["id"])
def test_golden_traces_pair(trace):
    observer = ObserverMachine()
    for number, name in enumerate(trace["steps"]):
        vector = BY_NAME[name]
        observer.receive(h(vector["bytes"]), number, from_master=vector["direction"] == "cmd")
    rows = [row for row in observer.rows() if row.packet]
    assert len(rows) == len(trace["steps"])
    for row, name in zip(rows, trace["steps"], strict=True):
        vector = BY_NAME[name]
        fields = vector["fields"]
        assert row.packet == h(vector["bytes"])
        if vector["direction"] in ("cmd", "res"):
            assert row.name == fields["command"], name
            assert row.decoded is not None
            assert row.error == "", name
        elif vector["direction"] == "ev":
            assert row.name == fields["event"]
        elif vector["direction"] == "dto":
            assert row.decoded.timestamp == fields["timestamp"]
            assert row.decoded.data == h(fields["data_hex"])
        elif fields["error"] != "ERR_CMD_SYNCH":
            assert row.error == fields["error"]
        if vector["direction"] in ("res", "err"):
            assert row.latency_ns is not None
        assert row.text


def test_there_are_traces():
    assert [t["id"] for t in TRACES] == [
        "t_daq",
        "t_cal",
        "t_block",
        "t_seed",
        "t_flash",
        "t_recover",
    ]


def test_byte_order_and_granularity_come_from_connect():
    rows = run(
        ObserverMachine(),
        (">", "ff00"),
        ("<", "ff01c32000400101"),
        (">", "f402000000001000"),
        ("<", "ff0011223344"),
    )
    assert rows[2].decoded.address == 0x1000
    assert rows[3].decoded.data == h("11223344")
    assert rows[3].latency_ns == 10
    assert rows[3].text == "RES SHORT_UPLOAD data=11 22 33 44"


def test_events_come_between():
    rows = run(
        ObserverMachine(), (">", "d2"), ("<", "fd05"), ("<", "fc0168690a00"), ("<", "fe31efbe")
    )
    assert [r.kind for r in rows] == ["CMD", "EV", "SERV", "ERR"]
    assert [r.name for r in rows] == [
        "PROGRAM_START",
        "EV_CMD_PENDING",
        "SERV_TEXT",
        "PROGRAM_START",
    ]
    assert rows[3].decoded.device_error == 0xBEEF
    assert (rows[3].latency_ns, rows[3].error) == (30, "ERR_GENERIC")


def test_a_late_answer_before_the_synch():
    rows = run(
        ObserverMachine(), (">", "f502"), (">", "fc"), ("<", "ff0102"), ("<", "fe00"), (">", "fd")
    )
    assert [(r.kind, r.name, r.error) for r in rows] == [
        ("CMD", "UPLOAD", ""),
        ("CMD", "SYNCH", ""),
        ("", "UPLOAD", "no answer"),
        ("RES", "UPLOAD", "late"),
        ("ERR", "SYNCH", ""),
        ("CMD", "GET_STATUS", ""),
    ]
    assert rows[3].decoded.data == h("0102")


def test_a_late_refusal_before_the_synch():
    rows = run(ObserverMachine(), (">", "f502"), (">", "fc"), ("<", "fe24"), ("<", "fe00"))
    assert [r.name for r in rows if r.kind == "ERR"] == ["UPLOAD", "SYNCH"]


def test_slave_block_upload_takes_several_answers():
    rows = run(
        ObserverMachine(),
        (">", "f509"),
        ("<", "ff" + "11" * 7),
        ("<", "ff" + "22" * 7),
        (">", "fd"),
        ("<", "ff0000000000"),
    )
    assert [r.name for r in rows] == ["UPLOAD", "UPLOAD", "UPLOAD", "GET_STATUS", "GET_STATUS"]
    assert rows[2].decoded.data == h("2222")
    assert not any(r.error for r in rows)


def test_master_block_is_answered_once():
    rows = run(
        ObserverMachine(),
        (">", "f00e010203040506"),
        (">", "ef08010203040506"),
        (">", "ef020102"),
        ("<", "ff"),
        (">", "fd"),
    )
    assert [(r.kind, r.name, r.error) for r in rows][-2:] == [
        ("RES", "DOWNLOAD_NEXT", ""),
        ("CMD", "GET_STATUS", ""),
    ]


def test_interleaved_answers_come_in_order():
    rows = run(
        ObserverMachine(),
        (">", "fb"),
        ("<", "ff00020000000111"),
        (">", "f502"),
        (">", "fd"),
        ("<", "ff0102"),
        ("<", "ff0000000000"),
    )
    assert [r.name for r in rows][-2:] == ["UPLOAD", "GET_STATUS"]
    assert not any(r.error for r in rows)


def test_joining_late_needs_the_profile():
    observer = ObserverMachine(
        profile=Profile(byte_order=ByteOrder.MOTOROLA), dto=DtoFormat(1, timestamp_size=4)
    )
    rows = run(
        observer, ("<", "ff01"), ("<", "0005000003e8aa"), (">", "e3000102"), (">", "0005000003e8bb")
    )
    assert rows[0].error == "answer to nothing seen"
    assert (rows[1].decoded.daq_list, rows[1].decoded.timestamp) == (5, 1000)
    assert rows[1].text == "DAQ odt=0 daq_list=5 timestamp=1000 aa"
    assert rows[2].decoded.daq_list == 0x0102
    assert (rows[3].kind, rows[3].decoded.data) == ("STIM", b"\xbb")


def test_unknown_things_are_rows_too():
    rows = run(
        ObserverMachine(),
        (">", "c4"),
        ("<", "fe20"),
        (">", "f4"),
        ("<", "fd"),
        ("<", ""),
        ("<", "00"),
    )
    assert rows[0].name == "CMD_C4"
    assert rows[1].error == "ERR_CMD_UNKNOWN"
    assert "ShortUpload" in rows[2].error
    assert rows[4].error == "empty"
    assert rows[5].decoded is None


packets = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([h(v["bytes"]) for v in DOCUMENT["vectors"] if v["layer"] == "xcp"]),
)


@given(st.lists(st.tuples(packets, st.booleans()), max_size=30))
@settings(deadline=None, max_examples=150)
def test_any_capture_is_survived(steps):
    observer = ObserverMachine()
    for number, (packet, from_master) in enumerate(steps):
        observer.receive(packet, number, from_master=from_master)
    rows = observer.rows()
    assert [(r.packet, r.from_master) for r in rows if r.packet] == [s for s in steps if s[0]]
    assert all(isinstance(row.text, str) for row in rows)


def test_memory_is_bounded():
    observer = ObserverMachine()
    for number in range(70_000):
        observer.receive(b"\x01\x02", number, from_master=False)
    assert observer.dropped == 70_000 - len(observer.rows()) > 0


def test_daq_headers_are_learned():
    rows = run(
        ObserverMachine(),
        (">", "da"),
        ("<", "ff10010001000040"),
        (">", "d9"),
        ("<", "ff01f801f8320100"),
        (">", "e010050000000100"),
        ("<", "ff"),
        ("<", "0005e803aa"),
        ("<", "0105bb"),
        ("<", "00"),
        (">", "d6"),
        ("<", "ff"),
        ("<", "0005e803aa"),
    )
    stamped, second, damaged, after = rows[6], rows[7], rows[8], rows[11]
    assert (stamped.decoded.timestamp, stamped.decoded.data) == (1000, b"\xaa")
    assert (second.decoded.timestamp, second.decoded.data) == (None, b"\xbb")
    assert (damaged.decoded, "DTO" in damaged.error) == (None, True)
    assert after.decoded.timestamp is None


def test_multicasts_wait_for_nothing():
    table = COMMANDS.extended(*CAN_COMMANDS)
    rows = run(ObserverMachine(table), (">", "f2fa01002a"), (">", "fd"), ("<", "ff0000000000"))
    assert [(r.kind, r.name) for r in rows] == [
        ("CMD", "GET_DAQ_CLOCK_MULTICAST"),
        ("CMD", "GET_STATUS"),
        ("RES", "GET_STATUS"),
    ]


def test_damaged_answers_are_named():
    rows = run(
        ObserverMachine(), (">", "fd"), ("<", "fe"), (">", "fd"), ("<", "ff01"), ("<", "fe99")
    )
    assert (rows[1].kind, rows[1].name, rows[1].decoded) == ("ERR", "GET_STATUS", None)
    assert "ErrorResponse" in rows[1].error
    assert "GetStatusResponse" in rows[3].error
    assert rows[4].error == "ERR_99"


def test_what_is_cut_short_teaches_nothing():
    """Neither a command without its list nor an answer without its FIRST_PID; and SYNCH drops the rest."""
    observer = ObserverMachine(outstanding=3)
    told = [("de01", True), ("ff05", False), ("de010000", True), ("ff", False)]
    told += [("fd", True), ("fd", True), ("fc", True), ("fe00", False)]
    for at, (text, from_master) in enumerate(told):
        observer.receive(h(text), at, from_master=from_master)
    rows = observer.rows()
    assert [(r.name, bool(r.error)) for r in rows if r.packet][:4] == [
        ("START_STOP_DAQ_LIST", True),
        ("START_STOP_DAQ_LIST", False),
        ("START_STOP_DAQ_LIST", False),
        ("START_STOP_DAQ_LIST", True),
    ]
    assert (rows[-1].name, rows[-1].kind) == ("SYNCH", "ERR")
