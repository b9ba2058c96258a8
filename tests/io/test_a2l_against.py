"""``a2l check`` at the shell: report forms, and a description held against a virtual ECU."""

from __future__ import annotations

import json
import re
import socket

import pytest

from xcaliper import connect
from xcaliper.a2l import parse
from xcaliper.a2l.if_xcp import read_segment, read_xcp
from xcaliper.cli.main import main
from xcaliper.sim.process import EcuProcess

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def url():
    with EcuProcess() as process:
        yield process.url


@pytest.fixture(scope="module")
def described(url, tmp_path_factory):
    """The virtual ECU's own description."""
    with connect(url) as ecu:
        return bytes(ecu.description.data).decode()


@pytest.fixture
def a2l(tmp_path):
    def write(text):
        target = tmp_path / "ecu.a2l"
        target.write_text(text, "utf-8")
        return str(target)

    return write


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


BROKEN = """ASAP2_VERSION 1 71
/begin PROJECT p "" /begin MODULE m ""
/begin MEASUREMENT a "" UBYTE Gone 0 0 0 1 ECU_ADDRESS 1 /end MEASUREMENT
/begin COMPU_METHOD c "" IDENTICAL "%3" "" /end COMPU_METHOD
/end MODULE /end PROJECT
"""


def test_report_forms(a2l, tmp_path, capsys):
    file = a2l(BROKEN)
    assert main(["a2l", "check", file]) == 6
    told = capsys.readouterr()
    assert "reference-dangling" in told.out
    assert "1 errors, 0 warnings, 1 notes" in told.err
    assert main(["a2l", "check", file, "--json", "--severity", "error"]) == 6
    (finding,) = json_lines(capsys.readouterr().out)
    assert (finding["code"], finding["line"], finding["subject"]) == ("reference-dangling", 3, "a")
    assert main(["a2l", "check", file, "--ignore", "reference-*", "--ignore", "unused:c"]) == 0
    assert capsys.readouterr().out == ""


def test_comment_in_the_file_suppresses(a2l, capsys):
    assert (
        main(["a2l", "check", a2l(BROKEN + "/* xcaliper: ignore reference-dangling unused */")])
        == 0
    )
    assert capsys.readouterr().out == ""


def test_sarif(a2l, tmp_path, capsys):
    target = tmp_path / "found.sarif"
    assert main(["a2l", "check", a2l(BROKEN), "--sarif", str(target)]) == 6
    log = json.loads(target.read_text("utf-8"))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "xcaliper"
    rules = {rule["id"]: rule for rule in driver["rules"]}
    assert rules.keys() == {"reference-dangling", "unused"}
    results = {result["ruleId"]: result for result in run["results"]}
    error = results["reference-dangling"]
    assert error["level"] == "error"
    assert driver["rules"][error["ruleIndex"]]["id"] == "reference-dangling"
    (location,) = error["locations"]
    place = location["physicalLocation"]
    assert place["region"]["startLine"] == 3
    assert place["artifactLocation"]["uri"].startswith("file:///")
    assert results["unused"]["level"] == "note"
    assert rules["unused"]["help"]["text"]


def test_right_description(url, described, a2l, capsys):
    assert main(["a2l", "check", a2l(described), "--against", url, "--severity", "warning"]) == 0
    assert capsys.readouterr().out == ""


#: What the description says rightly, what a wrong one says, code of the finding, words in its text.
WRONG = (
    ("BYTE_ORDER_MSB_LAST", "BYTE_ORDER_MSB_FIRST", "live-contradiction", "BYTE_ORDER_MSB_LAST"),
    ("GRANULARITY_BYTE\n", "GRANULARITY_WORD\n", "live-contradiction", "ADDRESS_GRANULARITY_BYTE"),
    (" 255 1468 ", " 8 1468 ", "live-contradiction", "MAX_CTO: the A2L says 8, the slave says 255"),
    (" 255 1468 ", " 255 64 ", "live-contradiction", "MAX_DTO"),
    ("0x0105 1000", "0x0100 1000", "live-contradiction", "version: the A2L says 0x0100"),
    ("SIZE_DWORD UNIT_1US", "SIZE_WORD UNIT_1US", "live-contradiction", "says SIZE_DWORD"),
    ("SIZE_DWORD UNIT_1US", "SIZE_DWORD UNIT_1MS", "live-contradiction", "says UNIT_1US"),
    ("1 SIZE_DWORD", "7 SIZE_DWORD", "live-contradiction", "TIMESTAMP ticks"),
    ("UNIT_1US\n", "UNIT_1US TIMESTAMP_FIXED\n", "live-contradiction", "says no"),
    ("TYPE_RELATIVE_BYTE", "TYPE_ABSOLUTE", "live-contradiction", "TYPE_RELATIVE_BYTE"),
    ("DYNAMIC 256 4 0", "STATIC 256 4 0", "live-contradiction", "says DYNAMIC"),
    ("DYNAMIC 256 4 0", "DYNAMIC 256 9 0", "live-contradiction", "MAX_EVENT_CHANNEL"),
    ("DYNAMIC 256 4 0", "DYNAMIC 256 4 2", "live-contradiction", "MIN_DAQ"),
    ("OPTIMISATION_TYPE_DEFAULT", "OPTIMISATION_TYPE_ODT_TYPE_32", "live-contradiction", "DEFAULT"),
    ("ADDRESS_EXTENSION_FREE", "ADDRESS_EXTENSION_DAQ", "live-contradiction", "EXTENSION_FREE"),
    ("SIZE_DAQ_BYTE 255", "SIZE_DAQ_WORD 255", "live-contradiction", "SIZE_DAQ_BYTE"),
    ("SIZE_DAQ_BYTE 255", "SIZE_DAQ_BYTE 7", "live-contradiction", "MAX_ODT_ENTRY_SIZE_DAQ"),
    ("INDICATION_EVENT", "INDICATION_PID", "live-contradiction", "OVERLOAD_INDICATION_EVENT"),
    ("PRESCALER_SUPPORTED\n", "PRESCALER_SUPPORTED PID_OFF_SUPPORTED\n", "live-contradiction", "PID_OFF"),
    ('"Task1ms" "', '"Tick" "', "live-event", "says Task1ms"),
    ("0 DAQ 255 1 6 4", "0 DAQ 255 5 6 4", "live-event", "period"),
    ("0 DAQ 255 1 6 4", "0 DAQ 255 1 6 9", "live-event", "priority"),
    ("0 DAQ 255 1 6 4", "0 DAQ 3 1 6 4", "live-event", "MAX_DAQ_LIST"),
    ("0 DAQ 255 1 6 4", "0 DAQ_STIM 255 1 6 4", "live-event", "direction"),
    ("6 4 CONSISTENCY DAQ", "6 4 CONSISTENCY ODT", "live-event", "CONSISTENCY"),
    ("\n            0 2 0 0 0", "\n            5 2 0 0 0", "live-segment", "number"),
    ("\n            0 2 0 0 0", "\n            0 1 0 0 0", "live-segment", "number of pages"),
    ("\n            0 2 0 0 0", "\n            0 2 1 0 0", "live-segment", "address extension"),
    ("\n            0 2 0 0 0", "\n            0 2 0 1 0", "live-segment", "compression"),
    ("\n            0 2 0 0 0", "\n            0 2 0 0 3", "live-segment", "encryption"),
    ("0x8010000 0x1000", "0x8010000 0x2000", "live-segment", "length: the A2L says 0x2000"),
    ("XCP_CRC_32", "XCP_ADD_11", "live-segment", "XCP_CRC_32"),
    ("WRITE_ACCESS_NOT_ALLOWED", "WRITE_ACCESS_DONT_CARE", "live-segment", "PAGE 1"),
    ("\n        2 FREEZE_SUPPORTED", "\n        9 FREEZE_SUPPORTED", "live-contradiction", "PAG MAX_SEGMENTS"),
    ("SLAVE MASTER 32 0", "SLAVE MASTER 4 0", "live-contradiction", "MAX_BS"),
    ('EPK "XCALIPER-DEMO-1"', 'EPK "OTHER"', "live-epk", "OTHER"),
)  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "slug", "words"), WRONG, ids=[row[1] for row in WRONG])
def test_corrected_differs_in_the_wrong_words_alone(
    url, described, a2l, tmp_path, capsys, right, wrong, slug, words
):
    described = described.replace("/begin DAQ\n", "/* a note */ /begin DAQ // and one more\n")
    head, middle, tail = described.partition("/end A2ML")
    assert right in tail
    corrected = tmp_path / "corrected.a2l"
    file = a2l(head + middle + tail.replace(right, wrong, 1))
    arguments = ["--against", url, "--json", "--severity", "warning"]
    main(["a2l", "check", file, *arguments, "--write-corrected", str(corrected)])
    found = [f for f in json_lines(capsys.readouterr().out) if f["code"] == slug]
    assert any(words in f["text"] and f["line"] and f["column"] for f in found), found
    assert corrected.read_text("utf-8") == described
    assert main(["a2l", "check", str(corrected), *arguments]) == 0
    assert capsys.readouterr().out == ""


ADDED = (
    "OPTIONAL_CMD GET_DAQ_CLOCK",
    "OPTIONAL_LEVEL1_CMD GET_VERSION",
    "PRESCALER_SUPPORTED",
    "/begin TIMESTAMP_SUPPORTED\n          1 SIZE_DWORD UNIT_1US\n        /end TIMESTAMP_SUPPORTED\n",
    "/begin PAG\n        2 FREEZE_SUPPORTED\n      /end PAG\n",
    "RESUME_SUPPORTED",
    "FREEZE_SUPPORTED",
)


@pytest.mark.parametrize("gone", ADDED)
def test_what_is_not_said_is_added(url, described, a2l, tmp_path, capsys, gone):
    head, middle, tail = described.partition("/end A2ML")
    words = r"\s+".join(map(re.escape, gone.split()))  # lines break anywhere
    assert re.search(words, tail)
    corrected = tmp_path / "corrected.a2l"
    arguments = ["--against", url, "--severity", "warning"]
    file = a2l(head + middle + re.sub(words, "", tail, count=1))
    main(["a2l", "check", file, *arguments, "--write-corrected", str(corrected)])
    assert "[live-" in capsys.readouterr().out
    assert main(["a2l", "check", str(corrected), *arguments]) == 0
    after, right = (
        read_xcp(parse(text).module.if_data) for text in (corrected.read_text("utf-8"), described)
    )
    assert (after.daq, after.pag) == (right.daq, right.pag)
    assert {*after.protocol_layer.optional_cmds} == {*right.protocol_layer.optional_cmds}


def test_description_without_any_interface(url, a2l, tmp_path, capsys):
    file = a2l(
        'ASAP2_VERSION 1 71\n/begin PROJECT p "" /begin MODULE m ""\n/end MODULE /end PROJECT\n'
    )
    corrected = tmp_path / "corrected.a2l"
    arguments = ["--against", url, "--severity", "warning"]
    main(["a2l", "check", file, *arguments, "--write-corrected", str(corrected)])
    assert "the A2L has none" in capsys.readouterr().out
    assert main(["a2l", "check", str(corrected), *arguments, "--ignore", "epk-missing"]) == 0
    assert capsys.readouterr().out == ""
    made = parse(corrected.read_text("utf-8")).module
    assert len(read_xcp(made.if_data).daq.events) == 4
    assert len(made.mod_par.memory_segment) == 2


def test_the_transport_in_use_is_held_against_the_ecu(url, described, a2l, tmp_path, capsys):
    """Of several transports with blocks of their own, the one of this port is compared and corrected."""
    head, _, tail = described.partition("/end A2ML")
    start = tail.index("/begin IF_DATA XCP\n      /begin PROTOCOL_LAYER")
    stop = tail.index("/end IF_DATA", start)
    block = tail[start:stop]
    layer = block[block.index("/begin PROTOCOL_LAYER") : block.index("/begin DAQ")]
    daq = block[block.index("/begin DAQ") : block.index("/begin PAG")]
    wrong = layer.replace(" 255 1468 ", " 8 8 ")
    port = url.rpartition(":")[2]
    udp = '/begin XCP_ON_UDP_IP 0x0105 {} ADDRESS "127.0.0.1" TRANSPORT_LAYER_INSTANCE "{}"\n{}{}/end XCP_ON_UDP_IP\n'
    plus = (
        f"/begin IF_DATA XCPplus 0x0105\n{wrong}/begin PAG 2 FREEZE_SUPPORTED /end PAG\n"
        f"/begin XCP_ON_CAN 0x0104 CAN_ID_MASTER 1 CAN_ID_SLAVE 2 BAUDRATE 500000\n{wrong}/end XCP_ON_CAN\n"
        + udp.format(1, "other", wrong, daq)
        + udp.format(port, "mine", wrong, daq)
    )
    text = head.rsplit("/begin A2ML", 1)[0] + tail[:start] + plus + tail[stop:]
    corrected = tmp_path / "corrected.a2l"
    arguments = ["--against", url, "--json", "--severity", "warning"]
    main(["a2l", "check", a2l(text), *arguments, "--write-corrected", str(corrected)])
    found = json_lines(capsys.readouterr().out)
    own = text[: text.rindex("/begin PROTOCOL_LAYER")].count("\n") + 1
    assert [(f["code"], f["line"]) for f in found] == [("live-contradiction", own)] * 2
    at = text.rindex(" 8 8 ")
    assert corrected.read_text("utf-8") == text[:at] + " 255 1468 " + text[at + 5 :]
    assert main(["a2l", "check", str(corrected), *arguments]) == 0


def test_nobody_there_is_an_error(described, a2l, capsys):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert main(["a2l", "check", a2l(described), "--against", f"udp://127.0.0.1:{port}"]) == 4
    assert "nobody listens" in capsys.readouterr().err


def test_sizes_events_and_segments_are_corrected(url, described, a2l, tmp_path, capsys):
    tree = parse(described)
    before = read_xcp(tree.module.if_data)
    segment = next(s for s in tree.module.mod_par.memory_segment if read_segment(s.if_data))
    event = before.daq.events[1]
    wrong = described.replace(f"0x{segment.address:X} 0x{segment.size:X}", "0x10 0x20")
    wrong = wrong.replace(f'"{event.name}"', '"Gone"').replace(
        f'"Gone" "{event.short_name}" {event.channel}', f'"Gone" "{event.short_name}" 99'
    )
    layer = before.protocol_layer
    wrong = wrong.replace(f" {layer.max_cto} {layer.max_dto} ", f" 8 {layer.max_dto} ")
    corrected = tmp_path / "corrected.a2l"
    file = a2l(wrong)
    assert (
        main(
            ["a2l", "check", file, "--against", url, "--json", "--write-corrected", str(corrected)]
        )
        == 0
    )
    texts = [f["text"] for f in json_lines(capsys.readouterr().out)]
    assert any("MAX_CTO: the A2L says 8" in text for text in texts)
    assert any(text.startswith("EVENT 99 Gone: the slave does not have it") for text in texts)
    assert any(f"{event.channel} {event.name}: the A2L does not describe" in text for text in texts)
    assert any(segment.name in text and "address: the A2L says 0x10" in text for text in texts)
    again = parse(corrected.read_text("utf-8"))
    after = read_xcp(again.module.if_data)
    assert after.protocol_layer == before.protocol_layer
    assert sorted(e.channel for e in after.daq.events) == [e.channel for e in before.daq.events]
    assert [(s.address, s.size) for s in again.module.mod_par.memory_segment] == [
        (s.address, s.size) for s in tree.module.mod_par.memory_segment
    ]
    assert again.module.characteristic == tree.module.characteristic
    assert again.module.measurement == tree.module.measurement


def test_encoding_counts_beyond_ascii_only(a2l, capsys):
    text = BROKEN.replace('MODULE m ""', 'MODULE m "°C"').replace("1 71", "1 51")
    assert main(["a2l", "check", a2l(text), "--ignore", "reference-*"]) == 0
    assert "encoding-utf" in capsys.readouterr().out


def test_corrected_needs_an_ecu(a2l, capsys):
    assert main(["a2l", "check", a2l(BROKEN), "--write-corrected", "x.a2l"]) == 2
    assert "--against" in capsys.readouterr().err
