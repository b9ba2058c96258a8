"""Headers as the suite sees them, probes on scripted answers, and packets in words."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from xcaliper.conformance.html import as_html
from xcaliper.conformance.live import limits_of, parse_region
from xcaliper.conformance.model import (
    End,
    FaultError,
    Group,
    Permission,
    Result,
    Severity,
    SkippedError,
    Step,
    Verdict,
    rule,
)
from xcaliper.conformance.port import Messages
from xcaliper.conformance.probe import Limits, Probe
from xcaliper.conformance.report import SCHEMA, Report, as_values
from xcaliper.conformance.rules import RULES
from xcaliper.conformance.runner import Outcome, judge
from xcaliper.conformance.words import answer_text, command_name, error_name, question_text
from xcaliper.core.errors import UsageError, WireError
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.profile import Profile

CONNECTED = bytes.fromhex("ff0500ffbc050101")


def message(counter: int, packet: bytes) -> bytes:
    return len(packet).to_bytes(2, "little") + counter.to_bytes(2, "little") + packet


@dataclass
class Script:
    """Gives datagrams out one after the other; time passes only while nothing is left."""

    data: list[bytes] = field(default_factory=list)
    is_stream: bool = False
    now: int = 0
    sent: list[bytes] = field(default_factory=list)

    def now_ns(self) -> int:
        return self.now

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def receive(self, until_ns: int) -> bytes | None:
        if self.data:
            return self.data.pop(0)
        self.now = max(self.now, until_ns)
        return None

    def reopen(self) -> None:
        raise AssertionError


class Answering(Script):
    """Answers each command by a list."""

    def __init__(self, *answers: bytes) -> None:
        super().__init__()
        self.answers = list(answers)
        self.counter = 0

    def send(self, data: bytes) -> None:
        super().send(data)
        if self.answers and (packet := self.answers.pop(0)):
            self.data.append(message(self.counter, packet))
            self.counter += 1


def test_datagrams_are_split_and_every_header_is_kept():
    port = Script([message(0, b"\xff") + message(1, b"\xff\x01"), message(3, b"\xfd\x05")])
    messages = Messages(port)
    found = [messages.receive(10) for _ in range(4)]
    assert [one and one.packet for one in found] == [b"\xff", b"\xff\x01", b"\xfd\x05", None]
    facts = messages.facts
    assert (facts.messages, facts.longest, facts.gaps) == (3, 2, [(2, 3)])
    assert facts.first_after_connect == [0]


def test_a_stream_is_put_together_and_a_short_datagram_is_noted():
    whole = message(0, b"\xff\x01\x02") + message(1, b"\xff")
    messages = Messages(Script([whole[:5], whole[5:9], whole[9:]], is_stream=True))
    assert [messages.receive(1).packet for _ in range(2)] == [b"\xff\x01\x02", b"\xff"]
    assert not messages.facts.overlong
    messages = Messages(Script([message(0, b"\xff\x01\x02")[:6]]))
    assert messages.receive(1) is None
    assert messages.facts.overlong == [(3, 6)]


def test_fill_between_messages_is_skipped_by_the_alignment():
    first = message(0, b"\xff")
    port = Script([first + bytes(3) + message(1, b"\xff\x01\x02\x03")])
    messages = Messages(port, 4)
    assert [messages.receive(1).packet for _ in range(2)] == [b"\xff", b"\xff\x01\x02\x03"]


def test_counters_begin_anew_with_connect():
    messages = Messages(Script([message(9, b"\xff"), message(0, b"\xff")]))
    messages.receive(1)
    messages.restart()
    messages.receive(1)
    assert messages.facts.first_after_connect == [9, 0]
    assert not messages.facts.gaps


def test_a_probe_connects_and_tells_what_it_saw():
    probe = Probe(Answering(CONNECTED, b"\xfe\x22", b"\xff\x00"))
    assert probe.connect() == CONNECTED
    assert (probe.profile.max_cto, probe.profile.max_dto, probe.unusable) == (255, 1468, "")
    with pytest.raises(FaultError, match="GET_STATUS was refused with ERR_OUT_OF_RANGE"):
        probe.subject(b"\xfd", 6)
    with pytest.raises(FaultError, match="2 bytes instead of 6"):
        probe.subject(b"\xfd", 6)
    with pytest.raises(FaultError, match="was not answered"):
        probe.subject(b"\xfd", 6)
    steps, left_out = probe.transcript()
    assert [step.asked for step in steps] == [b"\xff\x00", b"\xfd", b"\xfd", b"\xfd"]
    assert steps[1].answers == ("ERR_OUT_OF_RANGE",)
    assert left_out == 0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"\xfe\x20", SkippedError),
        (b"\xfe\x25", SkippedError),
        (b"\xfe\x31", FaultError),
        (b"\xff", FaultError),
        (b"", FaultError),
    ],
)
def test_a_refusal_that_was_to_come(answer, error):
    probe = Probe(Answering(answer))
    with pytest.raises(error):
        probe.refused(b"\xf5\x00", ErrorCode.ERR_OUT_OF_RANGE)
    assert Probe(Answering(b"\xfe\x22")).refused(b"\xf5\x00", ErrorCode.ERR_OUT_OF_RANGE)


def test_a_busy_slave_is_asked_a_bounded_number_of_times():
    port = Answering(*[b"\xfe\x10"] * 50)
    with pytest.raises(SkippedError, match="not possible now"):
        Probe(port).subject(b"\xfb", 8)
    assert len(port.sent) == 6


def test_pending_puts_the_time_out_off_within_the_patience():
    class Pending(Script):
        def receive(self, until_ns):
            self.now = min(self.now + 900_000_000, until_ns)
            return message(0, b"\xfd\x05") if self.now < until_ns else None

    port = Pending()
    assert Probe(port).ask(b"\xfd") is None
    assert port.now == Limits().patience_ns


def test_events_services_and_data_are_kept_apart_from_answers():
    port = Script(
        [message(n, p) for n, p in enumerate((b"\xfd\x06", b"\xfc\x01A", b"\x00\x01", b"\xff"))]
    )
    probe = Probe(port)
    came = probe.listen(1)
    assert came == [b"\xfd\x06", b"\xfc\x01A", b"\xff"]
    assert probe.observed.events == [b"\xfd\x06"]
    assert probe.observed.services == [b"\xfc\x01A"]
    assert [packet for _, packet in probe.take_dtos()] == [b"\x00\x01"]
    assert probe.take_dtos() == []
    assert probe.observed.strays == [(b"", b"\xff")]
    assert probe.observed.idle_dtos == 1


def test_a_defect_of_a_rule_is_an_error_and_not_a_verdict_about_the_slave():
    @rule("XXX-001", Group.STATUS, "defect", "nothing", "nothing, 1.0")
    def broken(probe):
        raise WireError("layout", need=1, got=0)

    probe = Probe(Answering(CONNECTED))
    probe.connect()
    result = judge(probe, broken)
    assert result.verdict is Verdict.ERROR
    assert "WireError" in result.reason


def test_words():
    profile = Profile()
    assert question_text(b"\xfd", profile) == "GET_STATUS"
    assert question_text(b"", profile) == "listened"
    assert "SHORT_UPLOAD count=4" in question_text(bytes.fromhex("f404000000100000"), profile)
    assert question_text(b"\xf4\x04", profile) == "SHORT_UPLOAD, 2 bytes"
    assert answer_text(b"\xfe\x99", b"\xfd", profile) == "error code 0x99"
    assert answer_text(b"\xfe", b"\xfd", profile) == "ERR without a code"
    assert "session_status" in answer_text(b"\xff" + bytes(5), b"\xfd", profile)
    assert answer_text(b"\xff", b"\xfd", profile) == "does not fit its layout, 1 bytes"
    assert answer_text(b"\xff", b"\xc2", profile) == "RES"
    assert answer_text(b"\x00\x01", b"\xfd", profile) == "DAQ packet of 2 bytes"
    assert "EvDaqOverload" in answer_text(b"\xfd\x06", b"", profile)
    assert command_name(b"\xc2") == "command 0xC2"
    assert error_name(0x22) == "ERR_OUT_OF_RANGE"


def test_regions_and_limits():
    region = parse_region("0x8000:1+0x40")
    assert (region.address.value, region.address.extension, region.count) == (0x8000, 1, 64)
    assert parse_region("4096").count == 256
    for text in ("", "x", "0x1:999", "0x100000000", "1+0", "1:2:3"):
        with pytest.raises(UsageError):
            parse_region(text)
    limits = limits_of(2.0, 60.0)
    assert (limits.answer_ns, limits.patience_ns, limits.run_ns) == (
        2 * 10**9,
        20 * 10**9,
        60 * 10**9,
    )


def report() -> Report:
    profile = Profile()
    results = (
        Result(RULES[0], Verdict.PASSED, "", (Step(b"\xfd", (), 0, profile),), 1_000_000),
        Result(
            RULES[2], Verdict.FAILED, "7 bytes <b>", (Step(b"\xff\x00", (b"\xff",), 5, profile),)
        ),
        Result(RULES[3], Verdict.FAILED, "bits", left_out=3),
        Result(RULES[4], Verdict.SKIPPED, "why not"),
    )
    return Report(
        "udp://<host>", "1.0", "2026-01-01T00:00:00+00:00", 1.5, "RES", ("daq",), Outcome(results)
    )


def test_the_json_report_has_its_schema():
    values = json.loads(json.dumps(as_values(report())))
    assert values["schema"] == SCHEMA
    assert values["summary"] == {
        "passed": 1,
        "failed": {"violation": 1, "deviation": 1, "note": 0},
        "skipped": 1,
        "error": 0,
    }
    assert values["exit_code"] == 6
    first = values["results"][1]
    assert first["id"] == "SES-003"
    assert first["steps"] == [
        {
            "t_ms": 0.0,
            "asked": "ff 00",
            "question": "CONNECT mode=0",
            "came": ["ff"],
            "answers": first["steps"][0]["answers"],
        }
    ]
    assert values["results"][2]["steps_left_out"] == 3


def test_the_page_needs_nothing_else_and_escapes_what_comes_from_outside():
    page = as_html(report())
    assert "http" not in page.replace("http-equiv", "")
    assert "<b>7" not in page
    assert "7 bytes &lt;b&gt;" in page
    assert "udp://&lt;host&gt;" in page
    for one in report().outcome.results:
        assert one.rule.id in page
    for tile in (
        "1</b>passed",
        "1</b>violation<",
        "1</b>deviation<",
        "0</b>notes<",
        "0</b>errors<",
    ):
        assert f"<b>{tile}" in page


def test_exit_codes():
    assert Outcome(()).exit_code == 0
    assert Outcome((), "gone", End.GONE).exit_code == 4
    assert Outcome((), "its time is up", End.OUT_OF_TIME).exit_code == 1
    assert Outcome((), "interrupted", End.INTERRUPTED).exit_code == 130
    note = next(rule for rule in RULES if rule.severity is Severity.NOTE)
    assert Outcome((Result(note, Verdict.FAILED),)).exit_code == 0
    assert Outcome((Result(note, Verdict.ERROR),)).exit_code == 1
    violation = next(rule for rule in RULES if rule.severity is Severity.VIOLATION)
    assert Outcome((Result(violation, Verdict.FAILED),)).exit_code == 6


def test_the_table_of_rules_is_sound():
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids) >= 80
    for one in RULES:
        assert one.id[3] == "-"
        assert one.id[4:].isdigit()
        assert one.title[0].isupper()
        assert not one.title.endswith(".")
        assert one.demands.endswith(".")
        assert one.source.startswith(("XCP Base, ", "XCP on ", "ASAP2, "))
        assert one.needs <= frozenset(Permission)
    assert {rule.group for rule in RULES} == set(Group)


def test_every_rule_that_a_module_declares_is_in_the_table():
    import importlib
    import pkgutil

    from xcaliper.conformance import checks
    from xcaliper.conformance.model import Rule

    declared = set()
    for info in pkgutil.iter_modules(checks.__path__):
        found = importlib.import_module(f"{checks.__name__}.{info.name}")
        declared |= {thing.id for thing in vars(found).values() if isinstance(thing, Rule)}
    assert declared <= {rule.id for rule in RULES}
