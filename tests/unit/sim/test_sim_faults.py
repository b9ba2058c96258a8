"""Faults on purpose: what arrives is wrong in just the way that the truth says."""

from __future__ import annotations

import pytest

from xcaliper.core.errors import SettingsError
from xcaliper.sim.faults import Faults
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.gallery.many_signals import truth
from xcaliper.transport.ports import Lost
from xcaliper.xcp.slave_config import SlaveConfig

MS = 1_000_000
HEAD = {0: 1, 1: 2, 2: 3, 3: 4}


class Master:
    """Raw packets to an ECU of eight signals every millisecond, measured by one list of two ODTs."""

    def __init__(self, faults: Faults | None, **settings) -> None:
        self.field = settings.get("identification_field", 1)
        config = SlaveConfig(**({"overload": 0} | settings))
        self.ecu = build_ecu("many-signals", config, signals=8, rate_hz=1000, faults=faults)
        self.now_ns = 0
        self.configure()

    def ask(self, text: str) -> bytes:
        self.ecu.receive(bytes.fromhex(text), self.now_ns)
        (answer,) = self.ecu.outgoing()
        return answer

    def configure(self) -> None:
        self.ask("ff00")
        counter = self.ecu.image["RunCounter"].address.to_bytes(4, "little").hex()
        last = self.ecu.image["Sig00007"].address.to_bytes(4, "little").hex()
        for text in (
            "d6", "d5 00 0100", "d4 00 0000 02", "d3 00 0000 00 01", "d3 00 0000 01 01",
            "e2 00 0000 00 00", f"e1 ff 04 00 {counter}", "e2 00 0000 01 00", f"e1 ff 01 00 {last}",
            "e0 10 0000 0000 01 00", "de 01 0000",
        ):  # fmt: skip
            assert self.ask(text)[0] == 0xFF, text

    def run(self, ms: int) -> list[bytes]:
        self.now_ns += ms * MS
        self.ecu.on_time(self.now_ns)
        return self.ecu.outgoing()

    def counters(self, packets) -> list[int]:
        """Values of RunCounter, of the first ODTs."""
        head = HEAD[self.field] + 4
        return [int.from_bytes(p[head : head + 4], "little") for p in packets if len(p) == head + 4]


def test_without_faults_everything_is_right() -> None:
    master = Master(None)
    packets = master.run(50)
    counters = master.counters(packets)
    assert counters == list(range(counters[0], counters[0] + len(counters)))
    assert len(packets) == 2 * len(counters) >= 100
    lasts = [p[-1] for p in packets[1::2]]
    assert lasts == [truth(7, 8, runs) for runs in counters]


@pytest.mark.parametrize("seed", [1, 2])
def test_dropped_samples_are_counted_by_truth_and_by_the_slave(seed: int) -> None:
    master = Master(Faults(seed, drop_samples=0.2), overload=2)
    packets = master.run(500)
    counters = master.counters(packets)
    missing = counters[-1] - counters[0] + 1 - len(counters)
    assert master.ecu.faults is not None
    told = master.ecu.faults.truth
    assert told.samples == master.ecu.slave.counters.lost_samples > 50
    assert told.samples - 5 <= missing <= told.samples  # some may stand at the ends
    assert told.by_list == {0: told.samples}
    assert packets.count(b"\xfd\x06") > 10
    again = Master(Faults(seed, drop_samples=0.2), overload=2)
    assert again.run(500) == packets


def test_lost_packets_leave_a_hole_in_the_numbers_of_the_transport() -> None:
    master = Master(Faults(3, lose_packets=0.1))
    master.now_ns += 200 * MS
    master.ecu.on_time(master.now_ns)
    items = master.ecu.outgoing_blocks()
    lost = sum(item.count for item in items if isinstance(item, Lost))
    assert master.ecu.faults is not None
    assert lost == master.ecu.faults.truth.packets > 10
    assert len(items) == master.ecu.slave.counters.dtos


@pytest.mark.parametrize("field", [0, 1, 2, 3])
def test_wrong_dtos_are_as_many_as_the_truth_says(field: int) -> None:
    faults = Faults(4, unknown_list=0.1, wrong_length=0.1, wrong_id=0.1)
    master = Master(faults, identification_field=field)
    packets = master.run(300)
    assert master.ecu.faults is not None
    told = master.ecu.faults.truth
    sizes = (HEAD[field] + 8, HEAD[field] + 1)
    assert sum(len(p) not in sizes for p in packets) >= told.wrong_lengths > 30
    assert len(packets) == master.ecu.slave.counters.dtos + told.unknown_lists
    strange = sum(p[0] not in (0, 1) for p in packets)
    if field == 0:
        assert strange == told.wrong_ids + told.unknown_lists
        return
    other = {1: b"\xfe", 2: b"\xfe\xff", 3: b"\xfe\xff"}[field]
    at = 2 if field == 3 else 1
    assert sum(p[at : at + len(other)] == other for p in packets) == told.unknown_lists > 30
    assert strange >= told.wrong_ids > 30


def test_a_slave_that_stops_sending_still_answers() -> None:
    master = Master(Faults(stop_after=7))
    assert len(master.run(20)) == 7
    assert master.run(20) == []
    assert master.ecu.faults is not None
    assert master.ecu.faults.truth.withheld == master.ecu.slave.counters.dtos - 7
    assert master.ask("fd")[:2] == b"\xff\x40"  # it believes that its list runs


def test_a_reboot_forgets_session_lists_and_counters() -> None:
    master = Master(Faults(reboots_s=(0.0305,)))
    before = master.counters(master.run(30))
    assert before[-1] > 25
    assert master.run(30) == []  # nobody is connected any more
    assert not master.ecu.slave.connected
    assert master.ecu.faults is not None
    assert master.ecu.faults.truth.reboots == 1
    master.ecu.receive(b"\xfd", master.now_ns)
    assert master.ecu.outgoing() == []
    master.configure()
    after = master.run(10)
    assert 25 < master.counters(after)[0] < 35  # counted from the reboot on
    stamp = int.from_bytes(after[0][2:6], "little")
    assert 25_000 < stamp < 35_000  # and so does the clock


def test_a_liar_announces_what_it_does_not_keep() -> None:
    lies = {"max_odt_entry_size": 4, "max_daq_lists": 99, "max_dto": 4000}
    master = Master(Faults(lies=lies))
    assert "SIZE_DAQ_BYTE 4 " in " ".join(master.ecu.a2l.split())
    assert master.ask("d9")[2] == 4
    assert master.ask("ff00")[4:6] == (4000).to_bytes(2, "little")
    for text in ("d6", "d5 00 0100", "d4 00 0000 01", "d3 00 0000 00 01", "e2 00 0000 00 00"):
        assert master.ask(text)[0] == 0xFF
    address = master.ecu.image["Sig00000"].address.to_bytes(4, "little").hex()
    assert master.ask(f"e1 ff 08 00 {address}") == b"\xff"  # more than it told


@pytest.mark.parametrize("settings", [{"drop_samples": 1.5}, {"wrong_id": -0.1}])
def test_chances_are_chances(settings: dict) -> None:
    with pytest.raises(SettingsError):
        Faults(**settings)


def test_tasks_that_did_not_run_are_noted_once_while_they_are_measured() -> None:
    """A machine that lets the ECU wait makes holes in the times, not losses: the log tells why."""
    idle = build_ecu("many-signals", signals=8)
    idle.skip_to(500 * MS)
    assert not len(idle.log)
    assert idle.scheduler.skipped
    master = Master(None)
    master.run(20)
    for late_ms in (300, 600):
        master.ecu.skip_to(late_ms * MS)
    (entry,) = master.ecu.log
    assert (entry.slug, entry.count, entry.t_ns) == ("tasks-given-up", 2, 300 * MS)
    counters = master.counters(master.run(600))
    assert counters[-1] - counters[0] == len(counters) - 1, "runs that were given up count nowhere"
