"""The slave's side of time correlation: settings, answers, events, refusals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pair.link import Pair, config
from pair.session import lists
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import NegativeResponseError, SettingsError
from xcaliper.core.ticks import TickClock
from xcaliper.proto.procedure import ask
from xcaliper.xcp import timecorr
from xcaliper.xcp.procedures import daq_setup
from xcaliper.xcp.procedures.clock import (
    ALL_INITIATORS,
    COMMON_INITIATORS,
    Stamp,
    clock_properties,
    multicast,
    read_clocks,
    sample_of_event,
)
from xcaliper.xcp.procedures.connect import Session, connect
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_clock import ClockModel, ClockSettings, RunningClock, SlaveClocks
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import ETH_COMMANDS

US = TickClock(1, 3, 4)
NS8 = TickClock(1, 0, 8)
S = 1_000_000_000
MASTER = ClockModel(start_ns=100 * S, resolution=NS8, clock_id=b"grandmas", epoch=1, stratum=1)


def pair_of(**settings) -> Pair:
    """A pair whose link carries the multicasts as well."""
    clocks = settings.pop("clocks", ClockSettings())
    pair = Pair(config(clocks=clocks, **settings), connected=False)
    table = COMMANDS.extended(*ETH_COMMANDS)
    pair.slave = SlaveMachine(pair.config, pair.memory, table)
    pair.master.table = table
    pair.session = pair.run(connect())
    return pair


def properties(pair: Pair, **settings):
    return pair.run(clock_properties(pair.session, **settings))


def read(pair: Pair):
    return pair.run(read_clocks(lambda: pair.now_ns))


def events(pair: Pair) -> list:
    pair.exchange()
    found = [sample_of_event(e.content, e.t_ns) for e in pair.master.events()]
    return [sample for sample in found if sample is not None]


# ------------------------------------------------------------------------------------ clock models


def test_a_clock_drifts_starts_anywhere_and_can_be_set() -> None:
    model = ClockModel(drift_ppm=-50.0, start_ns=7 * S, steps=((10 * S, -3 * S), (20 * S, S)))
    clock = RunningClock(model, US, 0)
    assert clock.ticks(0) == 7_000_000
    assert clock.ticks(9 * S) == 16_000_000 - 450
    assert clock.ticks(10 * S) == 14_000_000 - 500
    assert clock.ticks(20 * S) == 25_000_000 - 1000


def test_jitter_is_a_band_and_repeatable() -> None:
    model = ClockModel(jitter_ns=200_000)
    one, other = RunningClock(model, US, 5), RunningClock(model, US, 5)
    seen = [one.ticks(S) for _ in range(500)]
    assert seen == [other.ticks(S) for _ in range(500)]
    assert 999_900 <= min(seen) < 999_910
    assert 1_000_090 < max(seen) <= 1_000_100


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("drift_ppm", lambda: ClockModel(drift_ppm=2e5)),
        ("jitter_ns", lambda: ClockModel(jitter_ns=-1)),
        ("resolution", lambda: ClockModel(resolution=TickClock(1, 3, 2))),
        ("resolution", lambda: ClockModel(resolution=TickClock(0, 3, 4))),
        ("clock_id", lambda: ClockModel(clock_id=b"short")),
        ("max_before_wrap", lambda: ClockModel(max_before_wrap=0)),
        ("epoch", lambda: ClockModel(epoch=3)),
        ("slave", lambda: ClockSettings(slave=None)),
        ("ecu", lambda: ClockSettings(ecu_stamps=True)),
        ("sampling", lambda: ClockSettings(sampling=4)),
        ("grandmaster", lambda: ClockSettings(discipline="synchronised")),
        ("discipline", lambda: ClockSettings(discipline="wild")),
        ("grandmaster_access", lambda: ClockSettings(grandmaster=MASTER, grandmaster_access=3)),
        ("ecu_access", lambda: ClockSettings(ecu=MASTER, ecu_access=3)),
        ("ecu_synchronised", lambda: ClockSettings(ecu=MASTER, ecu_synchronised=4)),
    ],
)
def test_impossible_clocks_are_refused(key: str, settings) -> None:
    with pytest.raises(SettingsError) as found:
        settings()
    assert found.value.key == key


def test_a_counter_may_wrap_before_its_bits_do() -> None:
    pair = pair_of(clocks=ClockSettings(slave=ClockModel(max_before_wrap=999_999)))
    pair.now_ns = 5 * S + 3_000
    assert read(pair).daq == Stamp(3, 4)


# --------------------------------------------------------------------------- legacy and extended


def test_a_session_begins_in_the_legacy_form_and_leaves_it_once() -> None:
    pair = pair_of()
    pair.now_ns = 4_300 * S  # behind the wrap of 32 bits of microseconds
    assert read(pair).daq == Stamp(4_300_000_000 % 2**32, 4)
    found = properties(pair, response_fmt=COMMON_INITIATORS)
    assert found.config == timecorr.SlaveConfigBits.of(response_fmt=1)
    assert found.observable == timecorr.ObservableClocks.of(xcp_slv_clk=0)
    assert found.sync_state.slv_clk_sync_state == 7
    assert found.blocks.slave == timecorr.ClockInformation(
        clock_id=bytes(8),
        timestamp_ticks=1,
        timestamp_unit=3,
        stratum_level=255,
        native_timestamp_size=4,
        max_timestamp_before_wrap=0xFFFF_FFFF,
    )
    assert found.blocks.grandmaster is found.blocks.relation is found.blocks.ecu is None
    sample = read(pair)
    assert sample.daq is None
    assert sample.slave == Stamp(4_300_000_000 % 2**32, 4)
    pair.run(connect())
    assert read(pair).daq is not None


@pytest.mark.parametrize("order", [ByteOrder.INTEL, ByteOrder.MOTOROLA])
@pytest.mark.parametrize("ag", [1, 2, 4])
def test_every_block_and_every_clock_in_every_layout(order: ByteOrder, ag: int) -> None:
    clocks = ClockSettings(
        slave=ClockModel(start_ns=9 * S),
        grandmaster=MASTER,
        grandmaster_access=1,
        ecu=ClockModel(start_ns=33 * S, clock_id=b"ecuclock"),
        ecu_synchronised=1,
        ecu_grandmaster=b"ecumastr",
        bridge=True,
    )
    pair = pair_of(clocks=clocks, byte_order=order, ag=ag, ids={}, granularity_odt_entry=ag)
    pair.now_ns = 2 * S
    found = properties(pair, response_fmt=ALL_INITIATORS, bridge=True, cluster=0xBEEF)
    assert found.cluster == 0xBEEF
    assert found.config == timecorr.SlaveConfigBits.of(response_fmt=2, time_sync_bridge=2)
    assert found.observable == timecorr.ObservableClocks.of(grandm_clk=1, ecu_clk=1)
    blocks = found.blocks
    assert blocks.grandmaster.clock_id == b"grandmas"
    assert (blocks.grandmaster.epoch, blocks.grandmaster.stratum_level) == (1, 1)
    assert blocks.grandmaster.max_timestamp_before_wrap == 2**64 - 1
    assert blocks.relation == timecorr.ClockRelation(origin=102 * S, slave_timestamp=11_000_000)
    assert blocks.ecu.clock_id == b"ecuclock"
    assert blocks.ecu_grandmaster == b"ecumastr"
    sample = read(pair)
    assert sample.slave == Stamp(11_000_000, 4)
    assert sample.grandmaster == Stamp(102 * S, 8)
    assert sample.ecu == Stamp(35_000_000, 4)
    assert sample.sync_state == timecorr.SyncState.of(
        slv_clk_sync_state=7, grandm_clk_sync_state=1, ecu_clk_sync_state=1
    )


def test_narrow_packets_carry_fewer_bytes_of_each_clock() -> None:
    ecu = ClockModel(start_ns=33 * S, resolution=NS8)
    clocks = ClockSettings(grandmaster=MASTER, grandmaster_access=1, ecu=ecu)
    for max_cto, expected in ((32, (4, 8, 8)), (24, (4, 8, 4)), (20, (4, 4, 4)), (12, (4, None))):
        pair = pair_of(clocks=clocks, max_cto=max_cto)
        properties(pair, response_fmt=COMMON_INITIATORS, info=False)
        sample = read(pair)
        stamps = (sample.slave, sample.grandmaster, sample.ecu)[: len(expected)]
        sizes = tuple(None if one is None else one.size_bytes for one in stamps)
        assert sizes == expected
        if expected[1] == 4:
            assert sample.grandmaster.ticks == 100 * S % 2**32


def test_eight_byte_packets_keep_the_short_forms() -> None:
    pair = pair_of(max_cto=8, clocks=ClockSettings(grandmaster=MASTER, grandmaster_access=1))
    found = properties(pair, response_fmt=ALL_INITIATORS, cluster=5)
    assert found.config.response_fmt == 2
    assert found.blocks.grandmaster.clock_id == b"grandmas"
    pair.now_ns = S
    assert read(pair).daq == Stamp(1_000_000, 4)
    pair.run(multicast(5, 77))
    (event,) = events(pair)
    assert (event.daq, event.cluster, event.initiator) == (Stamp(1_000_000, 4), (None, 77), 2)


# -------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("access", [2, 3])
def test_a_clock_that_is_not_readable_is_refused_by_name(access: int) -> None:
    clocks = ClockSettings(slave=None, ecu=ClockModel(), ecu_stamps=True, ecu_access=access)
    pair = pair_of(clocks=clocks)
    for response_fmt in (0, COMMON_INITIATORS):
        if response_fmt:
            properties(pair, response_fmt=response_fmt)
        with pytest.raises(NegativeResponseError) as found:
            pair.run(ask(timecorr.GetDaqClock(), attempts=1))
        assert found.value.code_name == "ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE"
        assert read(pair) is None


def test_a_slave_may_refuse_its_clock_at_all() -> None:
    pair = pair_of(clocks=ClockSettings(readable=False))
    assert read(pair) is None


@pytest.mark.parametrize(
    "wanted",
    [
        timecorr.SetProperties.of(response_fmt=3),
        timecorr.SetProperties.of(time_sync_bridge=3),
        timecorr.SetProperties.of(time_sync_bridge=1),
    ],
)
def test_what_cannot_be_set_changes_nothing(wanted: timecorr.SetProperties) -> None:
    pair = pair_of()
    properties(pair, response_fmt=COMMON_INITIATORS, cluster=9)
    asked = timecorr.SetProperties(wanted | timecorr.SetProperties.of(set_cluster_id=1))
    request = timecorr.TimeCorrelationProperties(set_properties=asked, cluster_identifier=1)
    with pytest.raises(NegativeResponseError) as found:
        pair.run(ask(request))
    assert found.value.code_name == "ERR_OUT_OF_RANGE"
    after = properties(pair)
    assert (after.config.response_fmt, after.cluster) == (1, 9)


def test_nothing_changes_while_lists_run_but_questions_are_answered() -> None:
    pair = pair_of()
    pair.run(daq_setup.setup(pair.session, lists()))
    pair.run(daq_setup.start())
    with pytest.raises(NegativeResponseError) as found:
        properties(pair, response_fmt=COMMON_INITIATORS)
    assert found.value.code_name == "ERR_TIMECORR_STATE_CHANGE"
    assert properties(pair).config.response_fmt == 0
    assert properties(pair, cluster=0).cluster == 0  # no change
    pair.run(daq_setup.stop())
    assert properties(pair, response_fmt=COMMON_INITIATORS).config.response_fmt == 1


def test_old_slaves_are_told_by_their_version_or_their_refusal() -> None:
    pair = pair_of(disabled=frozenset({"TIME_CORRELATION_PROPERTIES"}))
    assert properties(pair, response_fmt=COMMON_INITIATORS) is None
    pair.forget()
    old = Session(profile=pair.session.profile, protocol_version=(1, 2))
    assert pair.run(clock_properties(old)) is None
    assert pair.seen == []


# ---------------------------------------------------------------------------------------- events


@pytest.mark.parametrize(
    ("response_fmt", "reported"),
    [(0, {0}), (COMMON_INITIATORS, {0}), (ALL_INITIATORS, {0, 1, 4, 5, 6})],
)
def test_triggers_are_reported_as_the_master_chose(response_fmt: int, reported: set[int]) -> None:
    pair = pair_of()
    if response_fmt:
        properties(pair, response_fmt=response_fmt)
    seen = set()
    for initiator in (0, 1, 4, 5, 6):
        pair.slave.time_sync(initiator, S)
        seen |= {sample.initiator for sample in events(pair)}
    assert seen == reported


def test_triggers_are_reported_inside_a_session_only() -> None:
    pair = Pair(config(), connected=False)
    pair.slave.time_sync(0, S)
    assert pair.slave.outgoing() == []


def test_multicasts_are_answered_by_their_cluster_in_the_extended_form_only() -> None:
    pair = pair_of(clocks=ClockSettings(behind_bridge=True))
    pair.run(multicast(0, 1))
    assert events(pair) == []
    properties(pair, response_fmt=COMMON_INITIATORS, cluster=0x1234)
    pair.now_ns = 3 * S
    pair.run(multicast(0x1235, 2))
    assert events(pair) == []
    pair.run(multicast(0x1234, 300))
    (sample,) = events(pair)
    assert sample.cluster == (0x1234, 300 % 256)
    assert sample.initiator == 3
    assert sample.slave == Stamp(3_000_000, 4)
    assert sample.since(17).sent_ns == 17


def test_a_slave_may_stay_out_of_multicasts() -> None:
    pair = pair_of(clocks=ClockSettings(multicast=False))
    properties(pair, response_fmt=COMMON_INITIATORS)
    pair.run(multicast(0, 1))
    assert events(pair) == []


@pytest.mark.parametrize(
    ("discipline", "before", "after"), [("synchronised", 0, 1), ("syntonised", 2, 3)]
)
def test_locking_to_the_grandmaster_is_told(discipline, before: int, after: int) -> None:
    model = ClockModel(drift_ppm=500.0, resolution=NS8)
    clocks = ClockSettings(
        slave=model, grandmaster=MASTER, discipline=discipline, lock_after_ns=10 * S
    )
    pair = pair_of(clocks=clocks, timestamp=TickClock(1, 0, 4))
    found = properties(pair, response_fmt=ALL_INITIATORS)
    assert found.sync_state.slv_clk_sync_state == before
    assert found.observable.xcp_slv_clk == 1
    pair.slave.on_time(9 * S)
    assert events(pair) == []
    pair.slave.on_time(10 * S)
    (sample,) = events(pair)
    assert sample.initiator == 4
    assert sample.sync_state.slv_clk_sync_state == after
    pair.slave.on_time(11 * S)
    assert events(pair) == []
    pair.now_ns = 20 * S
    shown = read(pair).slave.ticks
    assert shown == (120 * S if discipline == "synchronised" else 20 * S + 5_000_000)


def test_dtos_are_stamped_by_the_chosen_clock() -> None:
    for clocks, first in (
        (ClockSettings(slave=ClockModel(start_ns=5 * S)), 6_000_000),
        (ClockSettings(ecu=ClockModel(start_ns=50 * S), ecu_stamps=True), 51_000_000),
        (ClockSettings(grandmaster=MASTER, discipline="synchronised"), 101_000_000),
    ):
        pair = pair_of(clocks=clocks)
        pair.run(daq_setup.setup(pair.session, lists()))
        pair.run(daq_setup.start())
        pair.event(0, S)
        assert int.from_bytes(pair.dtos[0][2:6], "little") == first


def test_a_clock_that_stamps_has_the_ticks_of_the_timestamps() -> None:
    with pytest.raises(SettingsError, match="ticks of the timestamps"):
        SlaveClocks(ClockSettings(slave=ClockModel(resolution=NS8)), US)


def test_a_plain_clock_counts_exactly() -> None:
    """No clock model at all is as exact as ever, for any resolution."""
    for ticks, unit in ((1, 3), (333, 10), (65535, 9)):
        clocks = SlaveClocks(ClockSettings(), TickClock(ticks, unit, 4))
        tick_ns = TickClock(ticks, unit, 4).tick_ns
        for now_ns in (0, 1, 999, 10**15 + 7):
            assert clocks.daq_ticks(now_ns) == int(now_ns / tick_ns)


def test_settings_can_be_changed_like_any_others() -> None:
    changed = replace(ClockSettings(), slave=ClockModel(drift_ppm=1.0), seed=4)
    assert changed.slave.drift_ppm == 1.0


#: (command, answer or event) by hand after the tables of the standard, at 1.5 s of a clock of 1 µs
#: (0x0016E360): legacy clock; extended form on, sync state 7 = not available; extended clock without
#: SYNC_STATE as nothing can follow; a multicast of cluster 0, counter 7, told by initiator 2.
BY_HAND = [
    ("dc", "ff 00 00 00 60 e3 16 00"),
    ("c6 01 00 00 00 00", "ff 01 00 07 00 00 00 00"),
    ("dc", "ff 00 00 01 60 e3 16 00"),
    ("f2 fa 00 00 07", "fd 08 02 41 60 e3 16 00 00 00 07"),
    ("c6 00 00 00 00 00", "ff 01 00 07 00 00 00 00"),
    ("c6 03 00 00 00 00", "fe 22"),
]


def test_bytes_by_hand() -> None:
    pair = pair_of()
    for command, answer in BY_HAND:
        pair.slave.receive(bytes.fromhex(command), 1_500_000_000)
        assert pair.slave.outgoing() == [bytes.fromhex(answer)], command
