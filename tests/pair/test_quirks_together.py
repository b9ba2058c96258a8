"""Quirks together: all that go together at once, and random choices, measured and calibrated."""

from __future__ import annotations

import random

import pytest

from support.strange import ALL_FAST, MS, SLOW, Bench
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import NotFoundError, SettingsError
from xcaliper.xcp.quirks import ALL_COMPATIBLE, CONFLICTS, Quirk, check_quirks, quirks_named
from xcaliper.xcp.quirky_slave import QuirkySlave, make_slave, quirky_config
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import SlaveConfig

SEEDS = 50


def survive(quirks: frozenset[Quirk], time_ns: int = 40 * MS, **settings) -> None:
    bench = Bench(*quirks, **settings)
    bench.check_samples(bench.measure((*ALL_FAST, *SLOW), time_ns))
    assert bench.quality.unknown == bench.quality.malformed == bench.quality.lost_messages == 0
    bench.check_calibration()
    bench.check_samples(bench.measure("SlowCount", 80 * MS))
    bench.connection.close()
    assert not bench.ecu.slave.connected


def without_rivals(wanted: set[Quirk]) -> frozenset[Quirk]:
    """A choice without quirks that exclude each other: of each pair the first one leaves."""
    for pair in CONFLICTS:
        if pair <= wanted:
            wanted -= {min(pair, key=lambda one: one.value)}
    return frozenset(wanted)


def test_all_that_go_together() -> None:
    left = set(Quirk) - ALL_COMPATIBLE
    assert len(ALL_COMPATIBLE) >= 36
    survive(ALL_COMPATIBLE)
    for quirk in sorted(left, key=lambda one: one.value):
        rivals = {one for pair in CONFLICTS if quirk in pair for one in pair - {quirk}}
        survive(frozenset(ALL_COMPATIBLE - rivals | {quirk}))


@pytest.mark.parametrize("start", range(0, SEEDS, 10))
def test_random_choices(start: int) -> None:
    for seed in range(start, start + 10):
        rnd = random.Random(seed)
        wanted = set(rnd.sample(sorted(Quirk, key=lambda one: one.value), rnd.randint(2, 20)))
        quirks = without_rivals(wanted)
        ag = rnd.choice((1, 1, 2, 4))
        settings = {
            "byte_order": rnd.choice((ByteOrder.INTEL, ByteOrder.MOTOROLA)),
            "ag": ag,
            "max_cto": rnd.choice((32, 252)),
            "granularity_odt_entry": ag,
            "max_odt_entry_size": 240,
            "identification_field": rnd.randrange(4),
        }
        try:
            survive(quirks, rnd.choice((40, 60, 90)) * MS, **settings)
        except Exception as error:
            names = " ".join(sorted(one.label for one in quirks))
            error.add_note(f"seed {seed}: {names} {settings}")
            raise


def test_names_and_rivals() -> None:
    assert quirks_named(["filled-dtos", " Second_Connect "]) == {
        Quirk.FILLED_DTOS,
        Quirk.SECOND_CONNECT,
    }
    assert quirks_named(["all-compatible"]) == ALL_COMPATIBLE
    with pytest.raises(NotFoundError, match="filled-dtos"):
        quirks_named(["filled-frames"])
    with pytest.raises(NotFoundError):
        quirks_named(["?"])
    for pair in CONFLICTS:
        with pytest.raises(SettingsError, match="exclude each other"):
            check_quirks(pair)
        with pytest.raises(SettingsError):
            SlaveConfig(quirks=pair)
    with pytest.raises(SettingsError):
        quirks_named(["all-compatible", "silent-info"])
    assert len({quirk.label for quirk in Quirk}) == len(Quirk) == 40


def test_machine_of_the_settings() -> None:
    memory = Bench(connected=False).ecu.memory
    assert type(make_slave(SlaveConfig(), memory)) is SlaveMachine
    made = make_slave(SlaveConfig(quirks=ALL_COMPATIBLE), memory)
    assert isinstance(made, QuirkySlave)
    assert quirky_config(made.config) == made.config, "done twice is done once"
