"""What a virtual ECU's A2L says about its DAQ settings is what its slave tells, for every one of them."""

from __future__ import annotations

import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.if_xcp import read_xcp
from xcaliper.cli.main import main
from xcaliper.core.address import Address
from xcaliper.core.ticks import TickClock
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.daq_lists import OdtEntry
from xcaliper.xcp.slave_config import DaqMemory, DaqTotals, EventConfig, FixedList, SlaveConfig
from xcaliper.xcp.slave_daq_config import CounterConfig, CpuLoad, PackedConfig, QueueLoad

pytestmark = pytest.mark.timeout(120)

RAM = Address(0x2000_0000)
PREDEFINED = FixedList(entries=((OdtEntry(RAM, 4), OdtEntry(RAM + 4, 2)),), event_fixed=1)
STATIC = FixedList(max_odt=2, max_odt_entries=7, stim=True, packed=True)


def events(count: int = 4, **settings) -> tuple[EventConfig, ...]:
    """Events with settings that the ECU's declaration does not have."""
    return tuple(EventConfig(n, f"e{n}", **(settings if n != 3 else {})) for n in range(count))


PACKED = PackedConfig(2, 1, 4, (2, 8), mandatory=True)
LOAD = CpuLoad(1.5, 0.5, 0.25, ((1, 0.125), (4, 0.5)))
CASES = {
    "predefined beside dynamic": {"fixed_lists": (PREDEFINED,), "identification_field": 0},
    "static": {
        "dynamic": False,
        "fixed_lists": (PREDEFINED, STATIC),
        "events": events(stim=True, packed=PackedConfig()),
    },
    "limit as MAX_DAQ": {"max_daq_is_limit": True, "max_daq_lists": 9, "prescaler": False},
    "strict optimisation": {
        "optimisation_type": 2,
        "optimisation_strict": True,
        "address_extension": 3,
    },
    "alignment": {"optimisation_type": 4, "address_extension": 1, "granularity_odt_entry": 2},
    "stimulation": {
        "events": events(stim=True, consistency=2),
        "granularity_odt_entry": 1,
        "granularity_odt_entry_stim": 4,
        "max_odt_entry_size_stim": 32,
        "max_dto_stim": 256,
        "bit_stim": True,
    },
    "no identification": {"identification_field": 0, "pid_off": True, "alternating": 2},
    "packed": {"events": events(packed=PACKED, max_daq_list=3, consistency=3)},
    "counter": {"events": events(counter=CounterConfig(1, related_event_fixed=True))},
    "no counter": {"dto_ctr": False, "events": events(counter=CounterConfig()), "overload": 0},
    "resources": {
        "daq_memory": DaqMemory(4096, 10, 5, 2, 1, 2, (25, 0)),
        "totals": DaqTotals(9, 20, 18, 2, 300, 40),
        "cpu_load_max_total": 90.5,
        "core_load_max": ((0, 50.0), (1, 60.5)),
        "core_load_max_total": 100.0,
        "events": events(
            cpu_load=LOAD,
            queue_load=QueueLoad(0.5, 0.25, ((1, 1.0),)),
            cpu_load_stim=LOAD,
            queue_load_stim=QueueLoad(1.5, 0.5),
            cpu_load_max=40.0,
            buffer_reserve=(50, 10),
        ),
    },
    "short timestamps": {"timestamp": TickClock(10, 4, 2), "timestamp_fixed": True, "overload": 1},
}


@pytest.mark.parametrize("case", CASES)
def test_the_description_is_right(case, tmp_path, capsys) -> None:
    ecu = build_ecu("demo-engine", SlaveConfig(**CASES[case]))
    file = tmp_path / "ecu.a2l"
    with EcuServer(ecu) as server:
        file.write_text(ecu.a2l, "utf-8")
        arguments = ["a2l", "check", str(file), "--against", server.url, "--severity", "warning"]
        assert main(arguments) == 0
    assert capsys.readouterr().out == ""


def described(case: str):
    return read_xcp(parse(build_ecu("demo-engine", SlaveConfig(**CASES[case])).a2l).module.if_data)


def test_lists_that_are_there_from_the_start_are_described() -> None:
    first, second = described("static").daq.daq_lists
    assert (first.number, first.max_odt, first.max_odt_entries, first.event_fixed) == (0, 1, 2, 1)
    entries = [(e.number, e.address, e.size, e.bit_offset) for e in first.predefined[0].entries]
    assert entries == [(0, 0x2000_0000, 4, 255), (1, 0x2000_0004, 2, 255)]
    assert (second.direction, second.max_odt, second.max_odt_entries) == ("DAQ_STIM", 2, 7)
    assert second.packed_mode_supported
    assert not second.predefined
    mixed = described("predefined beside dynamic").daq
    assert (mixed.config_type, mixed.max_daq, mixed.min_daq) == ("DYNAMIC", 257, 1)
    assert mixed.daq_lists[0].first_pid == 0


def test_commands_that_the_slave_does_not_have_are_not_described() -> None:
    layer = described("static").protocol_layer
    assert "ALLOC_DAQ" not in layer.optional_cmds
    assert "SET_DAQ_PACKED_MODE" in layer.level1_cmds
    layer = described("stimulation").protocol_layer
    assert "SET_DAQ_PACKED_MODE" not in layer.level1_cmds
    assert layer.max_dto_stim == 256
    assert "DTO_CTR_PROPERTIES" in described("counter").protocol_layer.optional_cmds
    assert "DTO_CTR_PROPERTIES" not in described("no counter").protocol_layer.optional_cmds


def test_packed_mode_counters_and_costs_are_described() -> None:
    packed = described("packed").daq.events[0].packed_mode
    assert (packed.grouping, packed.timestamp, packed.duty) == (
        "EVENT_GROUPED",
        "STS_FIRST",
        "MANDATORY",
    )
    assert (packed.samples, packed.alternatives) == (4, (2, 8))
    event = described("counter").daq.events[0]
    assert (event.related_event, event.related_event_fixed) == (1, True)
    assert event.event_counter_present
    daq = described("resources").daq
    memory = daq.memory_consumption
    assert (memory.limit, memory.per_daq_list, memory.per_odt, memory.per_odt_entry) == (
        4096,
        10,
        5,
        2,
    )
    assert (memory.daq_buffer_factor, memory.stim_buffer_factor) == (1, 2)
    assert memory.reserve == (25, 0)
    assert (daq.max_daq_total, daq.max_odt_total, daq.max_odt_daq_total) == (9, 20, 18)
    assert (daq.max_odt_stim_total, daq.max_odt_entries_daq_total) == (2, 300)
    assert daq.cpu_load_max_total == 90.5
    load = daq.events[0]
    assert (load.cpu_load_max, load.buffer_reserve) == (40.0, (50, 10))
    assert load.cpu_load_daq.size_factors == LOAD.sizes
    assert (load.cpu_load_queue.per_odt, load.cpu_load_queue.per_element) == (0.5, 0.25)
    assert load.cpu_load_queue.core_loads == ((1, 1.0),)
    assert load.cpu_load_stim.size_factors == LOAD.sizes
    assert load.cpu_load_queue_stim.per_odt == 1.5
    assert (daq.core_load_max, daq.core_load_max_total) == (((0, 50.0), (1, 60.5)), 100.0)
    strict = described("strict optimisation").daq
    assert (strict.optimisation, strict.optimisation_strict, strict.address_extension) == (
        2,
        True,
        3,
    )
    assert described("no identification").daq.alternating_event == 2


def test_a_lie_is_found_by_the_check(tmp_path, capsys) -> None:
    """The other direction: a description without one of the words is not clean."""
    ecu = build_ecu("demo-engine", SlaveConfig(**CASES["strict optimisation"]))
    file = tmp_path / "ecu.a2l"
    with EcuServer(ecu) as server:
        head, found, tail = ecu.a2l.rpartition("OPTIMISATION_TYPE_ODT_STRICT")
        assert found
        file.write_text(head + tail, "utf-8")
        main(["a2l", "check", str(file), "--against", server.url, "--severity", "warning"])
    assert "OPTIMISATION_TYPE_ODT_STRICT: the A2L says no" in capsys.readouterr().out
