"""The slave of this project breaks no rule, whatever its settings are; the suite leaves it as it was."""

from __future__ import annotations

import pytest

from pair.link import config
from pair.test_conformance_broken import varied
from support.broken_slaves import STIM_EVENTS, STORES
from support.conforming import ALL, MachinePort, Wrong, judged
from xcaliper.conformance.model import Group, Permission, Severity, Verdict
from xcaliper.conformance.probe import Limits, Probe, Region
from xcaliper.conformance.rules import RULES, choose
from xcaliper.conformance.runner import begin, run
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import LinkError
from xcaliper.core.ticks import TickClock
from xcaliper.sim.gallery import CONCEPT_NAMES, build_ecu
from xcaliper.xcp.codes import ChecksumType, Resource
from xcaliper.xcp.slave_config import FixedList
from xcaliper.xcp.slave_security import SecuritySettings

OPTIONAL = frozenset(
    {
        "SHORT_UPLOAD",
        "GET_COMM_MODE_INFO",
        "BUILD_CHECKSUM",
        "READ_DAQ",
        "GET_DAQ_CLOCK",
        "GET_VERSION",
    }
)
SETTINGS = {
    "plain": {},
    "word": {"ag": 2, "granularity_odt_entry": 2},
    "dword": {"ag": 4, "granularity_odt_entry": 4},
    "motorola": {"byte_order": ByteOrder.MOTOROLA},
    "motorola-word": {"byte_order": ByteOrder.MOTOROLA, "ag": 2, "granularity_odt_entry": 4},
    "smallest": {"max_cto": 8, "max_dto": 8},
    "largest": {"max_cto": 255, "max_dto": 1468},
    "fewer-commands": {"disabled": OPTIONAL},
    "no-information": {
        "disabled": frozenset(
            {
                "GET_DAQ_PROCESSOR_INFO",
                "GET_DAQ_RESOLUTION_INFO",
                "GET_DAQ_EVENT_INFO",
                "GET_PAG_PROCESSOR_INFO",
                "GET_SEGMENT_INFO",
                "GET_PAGE_INFO",
            }
        )
    },
    "no-blocks": {"slave_block_mode": False, "master_block_mode": False},
    "no-daq": {"events": ()},
    "no-segments": {"segments": ()},
    "absolute": {"identification_field": 0},
    "list-word": {"identification_field": 2},
    "list-aligned": {"identification_field": 3},
    "overload-msb": {"overload": 1},
    "no-timestamps": {"timestamp": TickClock(1, 3, 0)},
    "short-timestamps": {"timestamp": TickClock(1, 3, 2)},
    "fixed-timestamps": {"timestamp": TickClock(10, 2, 4), "timestamp_fixed": True},
    "granularity-4": {"granularity_odt_entry": 4, "max_odt_entry_size": 8},
    "no-prescaler": {"prescaler": False, "priority": False, "dto_ctr": False},
    "static": {"dynamic": False, "fixed_lists": (FixedList(max_odt=2, max_odt_entries=4),) * 2},
    "id-in-packet": {"id_in_packet_limit": 32},
    "checksum-8": {"checksum": ChecksumType.XCP_ADD_11},
    "checksum-words": {"checksum": ChecksumType.XCP_ADD_22},
    "checksum-dwords": {"checksum": ChecksumType.XCP_ADD_44, "byte_order": ByteOrder.MOTOROLA},
    "checksum-crc16": {"checksum": ChecksumType.XCP_CRC_16},
    "stimulated": STIM_EVENTS,
    "storing": STORES,
    "old": {
        "protocol_version": 0,
        "disabled": frozenset({"GET_VERSION", "TIME_CORRELATION_PROPERTIES"}),
    },
}


#: Writing two elements, and as many as fit a packet: rules that have to be left out for a concept.
SKIPPED = {
    "flash-parameters": ["CAL-001", "CAL-009"],
    "autosar-single-pointer": ["CAL-009"],
    "double-pointer": ["CAL-009"],
    "pointer-table-in-flash": ["CAL-009"],
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_sound_slave_breaks_no_rule(name):
    made = config(**SETTINGS[name])
    outcome = judged(made, varied(made.ag), RULES)
    wrong = {
        o.rule.id: o.reason for o in outcome.results if o.verdict in (Verdict.FAILED, Verdict.ERROR)
    }
    assert not wrong
    assert not outcome.stopped
    assert outcome.exit_code == 0
    assert outcome.count(Verdict.PASSED) >= 80


# Not the EEPROM: it is busy with what the rule before has written when a block begins.
@pytest.mark.parametrize("name", [one for one in CONCEPT_NAMES if one != "eeprom"])
def test_no_concept_of_calibration_breaks_a_rule(name):
    """Memory that can be written in parts, or not at all, is no fault of the commands."""
    ecu = build_ecu(name)
    outcome = judged(ecu.slave.config, ecu.memory, RULES)
    found = {o.rule.id: (o.verdict, o.reason) for o in outcome.results}
    wrong = [one for one in found.items() if one[1][0] in (Verdict.FAILED, Verdict.ERROR)]
    assert not wrong
    skipped = [one for one in ("CAL-001", "CAL-009") if found[one][0] is Verdict.SKIPPED]
    assert skipped == SKIPPED.get(name, [])


@pytest.mark.parametrize("resource", ["cal_pag", "daq"])
def test_protected_resources_are_left_alone(resource):
    locks = SecuritySettings(protected=Resource.of(**{resource: 1}), key=lambda _, seed: seed)
    made = config(security=locks)
    outcome = judged(made, varied(1), RULES, region=Region(Address(0x2000_0000), 256))
    wrong = {
        o.rule.id: o.reason for o in outcome.results if o.verdict in (Verdict.FAILED, Verdict.ERROR)
    }
    assert not wrong
    locked = [o for o in outcome.results if "locked" in o.reason]
    assert len(locked) > 20


def test_keys_open_what_a_run_needs():
    locks = SecuritySettings(protected=Resource.of(cal_pag=1, daq=1), key=lambda _, seed: seed)
    outcome = judged(config(security=locks), varied(1), RULES, key=lambda _, seed: seed)
    plain = judged(config(), varied(1), RULES)
    bad = (Verdict.FAILED, Verdict.ERROR)
    assert not [one.rule.id for one in outcome.results if one.verdict in bad]
    passed = [
        {one.rule.id for one in run.results if one.verdict is Verdict.PASSED}
        for run in (outcome, plain)
    ]
    assert passed[0] > passed[1]
    assert len(passed[0]) > len(passed[1]) + 5


def test_a_key_that_does_not_fit_is_tried_once_in_front_of_the_groups():
    locks = SecuritySettings(protected=Resource.of(daq=1), key=lambda _, seed: seed, attempts=0)
    wrong = choose(groups=("memory", "daq-info", "daq-run"))
    tried = []

    def key(resource, seed):
        tried.append(resource)
        return bytes(len(seed))

    outcome = judged(config(security=locks), varied(1), wrong, key=key)
    assert not outcome.count(Verdict.FAILED)
    assert not outcome.stopped
    assert len(tried) == 1


def test_nothing_is_touched_without_permission():
    seen: set[int] = set()

    class Listening(Wrong):
        def request(self, packet, slave):
            seen.add(packet[0])
            return packet

    outcome = judged(config(), varied(1), RULES, Listening(), allow=frozenset())
    assert outcome.exit_code == 0
    changing = {0xF9, 0xF7, *range(0xEC, 0xF1), 0xEB, 0xE6, 0xE4, 0xE0, 0xE1, 0xE3, 0xDD, 0xDE}
    changing |= {0xD6, 0xD5, 0xD4, 0xD3, 0xD2, 0xD1, 0xD0, 0xCF, 0xC7}
    assert not (seen & changing) - {0xF7}  # UNLOCK: its code alone, too short to be a key
    needs = {one.rule.id for one in outcome.results if one.rule.needs}
    skipped = {one.rule.id for one in outcome.results if "not allowed" in one.reason}
    assert needs == skipped


def test_memory_and_pages_are_as_they_were():
    memory = varied(1)
    before = {key: bytes(page) for key, page in memory.pages.items()}, dict(memory.used)
    outcome = judged(config(), memory, RULES, allow=ALL)
    assert outcome.count(Verdict.PASSED) > 180
    assert ({key: bytes(page) for key, page in memory.pages.items()}, dict(memory.used)) == before


def test_what_a_failed_rule_wrote_is_restored():
    """DOWNLOAD writes other bytes than it was sent: the rule fails and the memory is what it was."""

    class Twisted(Wrong):
        done = False

        def request(self, packet, slave):
            if packet[:2] == b"\xf0\x02" and not self.done:
                Twisted.done = True
                return packet[:2] + b"\x12\x34"
            return packet

    memory = varied(1)
    before = {key: bytes(page) for key, page in memory.pages.items()}
    outcome = judged(config(), memory, choose(select=("CAL-001",)), Twisted())
    assert [one.verdict for one in outcome.results] == [Verdict.FAILED]
    assert Twisted.done
    assert {key: bytes(page) for key, page in memory.pages.items()} == before


def test_lists_that_run_at_the_start_are_left_alone():
    class Running(Wrong):
        def answer(self, asked, came, slave):
            if asked != b"\xfd":
                return came
            return [p[:1] + bytes((p[1] | 0xC0,)) + p[2:] for p in came]  # RESUME, DAQ_RUNNING

    outcome = judged(config(), varied(1), RULES, Running())
    daq = [one for one in outcome.results if Permission.DAQ in one.rule.needs]
    assert {one.verdict for one in daq} == {Verdict.SKIPPED}
    assert "lists ran" in daq[0].reason
    taken = Probe(MachinePort(config(), varied(1), Running()), allow=ALL)
    begin(taken, take_over_lists=True)
    assert Permission.DAQ in taken.allow


def test_a_slave_that_stops_answering_ends_the_run():
    class Dying(Wrong):
        count = 0

        def answer(self, asked, came, slave):
            self.count += 1
            return came if self.count < 100 else []

    probe = Probe(MachinePort(config(), varied(1), Dying()), allow=ALL)
    outcome = run(probe, RULES)
    assert "does not answer" in outcome.stopped
    assert outcome.exit_code == 4
    assert 10 < len(outcome.results) < len(RULES)


def test_a_slave_that_is_not_there_is_said_so():
    class Silent(Wrong):
        def answer(self, asked, came, slave):
            return []

    outcome = run(Probe(MachinePort(config(), varied(1), Silent())), RULES)
    assert not outcome.results
    assert "CONNECT was not answered" in outcome.stopped
    assert outcome.exit_code == 4


def test_the_run_ends_in_its_time_and_disconnects():
    port = MachinePort(config(), varied(1))
    outcome = run(Probe(port, limits=Limits(run_ns=1_000_000_000), allow=ALL), RULES)
    assert "time is up" in outcome.stopped
    assert outcome.exit_code == 1
    assert not port.slave.connected
    assert port.now < 4_000_000_000


@pytest.mark.parametrize("at", [1, 100, 700])
def test_an_interrupt_ends_the_session_and_keeps_what_was_found(at):
    """At 700 packets lists run or memory is written: it is put back all the same."""

    class Interrupted(MachinePort):
        count = 0

        def send(self, data):
            super().send(data)
            self.count += 1
            if self.count == at:
                raise KeyboardInterrupt

    memory = varied(1)
    before = {key: bytes(page) for key, page in memory.pages.items()}, dict(memory.used)
    port = Interrupted(config(), memory)
    outcome = run(Probe(port, allow=ALL), RULES)
    assert outcome.exit_code == 130
    assert outcome.stopped == "interrupted."
    assert len(outcome.results) < len(RULES)
    assert port.count > at
    assert not port.slave.connected
    assert ({key: bytes(page) for key, page in memory.pages.items()}, dict(memory.used)) == before


def test_an_interrupt_between_rules_ends_the_session():
    def told(_):
        raise KeyboardInterrupt

    port = MachinePort(config(), varied(1))
    outcome = run(Probe(port, allow=ALL), RULES, told)
    assert outcome.exit_code == 130
    assert len(outcome.results) == 1
    assert not port.slave.connected


def test_a_slave_that_talks_without_end_costs_the_time_of_a_rule():
    class Chatter(Wrong):
        def answer(self, asked, came, slave):
            if asked[:1] == b"\xfb":
                return []
            return came

        def idle(self, slave, now_ns):
            return [b"\xfd\x05"]  # EV_CMD_PENDING for ever

    outcome = judged(config(), varied(1), choose(select=("COM-002", "STA-001")), Chatter())
    verdicts = {one.rule.id: one.verdict for one in outcome.results}
    assert verdicts == {"COM-002": Verdict.FAILED, "STA-001": Verdict.PASSED}


def test_an_answer_that_comes_late_is_neither_too_many_nor_that_of_the_next_question():
    class Late(MachinePort):
        kept: tuple = ()

        def receive(self, until_ns):
            if self.kept and self.now >= self.kept[0]:
                late, self.kept = self.kept[1], ()
                return late
            found = super().receive(until_ns)
            if found is not None and found[4:6] == b"\xfe\x20" and not self.done:
                self.done = True
                self.kept = (self.now + 1_100_000_000, found)
                return self.receive(until_ns)
            return found

        done = False

    port = Late(config(), varied(1))
    outcome = run(Probe(port, allow=ALL), choose(groups=("unknown", "syntax", "observed")))
    assert port.done
    failed = {one.rule.id: one.reason for one in outcome.results if one.verdict is Verdict.FAILED}
    assert list(failed.values()) == [next(iter(failed.values()))]
    assert "not answered" in next(iter(failed.values()))


def test_busy_slaves_are_asked_again():
    class Busy(Wrong):
        left = 2

        def answer(self, asked, came, slave):
            if asked == b"\xfb" and self.left:
                self.left -= 1
                return [b"\xfe\x10"]
            return came

    outcome = judged(config(), varied(1), choose(select=("COM-002",)), Busy())
    assert [one.verdict for one in outcome.results] == [Verdict.PASSED]


def test_a_given_region_is_used_and_constant_memory_decides_nothing():
    memory = varied(1)
    for page in memory.pages.values():
        page[:] = bytes(len(page))
    memory._show(0)
    rules = choose(select=("MEM-001", "MEM-002", "MEM-003"))
    outcome = judged(config(), memory, rules)
    assert [one.verdict.value for one in outcome.results] == ["passed", "skipped", "skipped"]
    ram = Region(Address(0x2000_0000), 256)
    outcome = judged(config(), memory, rules, region=ram)
    assert [one.verdict.value for one in outcome.results] == ["passed"] * 3


def test_a_stream_that_the_slave_closes_is_opened_again():
    class Closing(MachinePort):
        is_stream = True
        closed = 0

        def send(self, data):
            super().send(data)
            if data[4:5] == b"\xfe":
                self.closed += 1
                self.dead = True

        def receive(self, until_ns):
            found = super().receive(until_ns)
            if found is None and getattr(self, "dead", False):
                raise LinkError("closed")
            return found

        def reopen(self):
            self.dead = False

    port = Closing(config(), varied(1))
    outcome = run(Probe(port, allow=ALL), RULES)
    assert not outcome.stopped
    assert outcome.count(Verdict.FAILED) == 0
    assert port.closed > 3


def test_groups_severities_and_names_choose_rules():
    assert choose() == RULES
    assert {rule.group for rule in choose(groups=("memory",))} == {Group.MEMORY}
    assert {rule.severity for rule in choose(severity="violation")} == {Severity.VIOLATION}
    assert [rule.id for rule in choose(select=("MEM-001", "STA"), ignore=("STA-00",))] == [
        "MEM-001"
    ]


@pytest.mark.parametrize(
    "options",
    [{"select": ("NO-1",)}, {"groups": ("all",)}, {"severity": "bad"}, {"ignore": ("x",)}],
)
def test_unknown_choices_are_refused(options):
    from xcaliper.core.errors import UsageError

    with pytest.raises(UsageError):
        choose(**options)
