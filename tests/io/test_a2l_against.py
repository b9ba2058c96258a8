"""``a2l check`` at the shell: report forms, and a description held against a virtual ECU."""

from __future__ import annotations

import json

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


WRONG = (
    ("SIZE_DWORD UNIT_1US", "SIZE_WORD UNIT_1US", "live-contradiction"),
    (
        "IDENTIFICATION_FIELD_TYPE_RELATIVE_BYTE",
        "IDENTIFICATION_FIELD_TYPE_ABSOLUTE",
        "live-contradiction",
    ),
    ("OPTIONAL_CMD GET_DAQ_CLOCK", "", "live-command"),
    ('EPK "XCALIPER-DEMO-1"', 'EPK "OTHER"', "live-epk"),
    ('"Task1ms" "', '"Tick" "', "live-contradiction"),
)


@pytest.mark.parametrize(("right", "wrong", "slug"), WRONG, ids=[row[0] for row in WRONG])
def test_contradiction_is_found_and_corrected(
    url, described, a2l, tmp_path, capsys, right, wrong, slug
):
    head, middle, tail = described.partition("/end A2ML")
    assert tail.count(right) == 1
    corrected = tmp_path / "corrected.a2l"
    file = a2l(head + middle + tail.replace(right, wrong))
    arguments = ["--against", url, "--json", "--severity", "warning"]
    main(["a2l", "check", file, *arguments, "--write-corrected", str(corrected)])
    found = json_lines(capsys.readouterr().out)
    assert slug in [finding["code"] for finding in found]
    assert main(["a2l", "check", str(corrected), *arguments]) == 0
    assert capsys.readouterr().out == ""


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
    assert any(segment.name in text and "address: the A2L says 16" in text for text in texts)
    again = parse(corrected.read_text("utf-8"))
    after = read_xcp(again.module.if_data)
    assert after.protocol_layer == before.protocol_layer
    assert [e.channel for e in after.daq.events] == [e.channel for e in before.daq.events]
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
