"""The description of a rich ECU with quirks stays a description that can be read and used."""

from __future__ import annotations

import pytest

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.errors import AccessDeniedError
from xcaliper.quantity.catalog import Catalog
from xcaliper.sim.gallery import build_ecu
from xcaliper.xcp.quirks import Quirk
from xcaliper.xcp.slave_config import SlaveConfig


def ecu(*quirks: Quirk):
    return build_ecu("demo-engine", SlaveConfig(quirks=frozenset(quirks)))


def objects(text: str):
    file = parse(text)
    return file, Catalog(file)


@pytest.fixture(scope="module")
def plain():
    return objects(ecu().a2l)


def test_arrays_become_blocks(plain) -> None:
    file, catalog = objects(ecu(Quirk.UNUSUAL_A2L).a2l)
    old_file, old = plain
    arrays = {one.name for one in old_file.module.measurement if one.matrix_dim}
    assert arrays
    assert not any(one.matrix_dim for one in file.module.measurement)
    for name in arrays:
        block, array = catalog.bind(name), old.bind(name)
        assert (block.type, block.address, block.shape, block.datatype) == (
            "VAL_BLK",
            array.address,
            array.shape,
            array.datatype,
        )
        assert block.events == array.events
    grouped = {
        name
        for group in file.module.group
        for name in (group.ref_characteristic.names if group.ref_characteristic else [])
    }
    assert arrays <= grouped
    measured = {
        name
        for group in file.module.group
        for name in (group.ref_measurement.names if group.ref_measurement else [])
    }
    assert not arrays & measured
    assert '/include "XCP_104.aml"' in ecu(Quirk.UNUSUAL_A2L).a2l
    assert [one.slug for one in file.diagnostics] == ["include-missing"]
    assert any(one.upper_limit > 2**32 - 1 for one in file.module.measurement)


def test_events_in_addresses(plain) -> None:
    made = ecu(Quirk.EVENT_IN_ADDRESS)
    file, catalog = objects(made.a2l)
    for one in file.module.measurement:
        bound, before = catalog.bind(one.name), plain[1].bind(one.name)
        assert bound.address.extension == 2
        assert bound.events.fixed == before.events.default == (bound.address.value >> 16,)
        assert bound.address.value & 0xFFFF == before.address.value - 0x2000_0000
    memory = made.slave.state.memory
    bound = catalog.bind("WheelSpeed")
    assert memory.read(bound.address, 4) == made.memory.read(plain[1].bind("WheelSpeed").address, 4)
    instances = {one.name: one for one in file.module.instance}
    assert instances
    assert all(one.ecu_address_extension == 2 for one in instances.values())


def test_addresses_move_with_each_run() -> None:
    made = ecu(Quirk.A2L_PER_RUN, Quirk.MIXED_EXTENSIONS)
    places = []
    for run in range(3):
        _, catalog = objects(made.a2l)
        places.append(catalog.bind("TaskCounter1ms").address)
        for name in ("TaskCounter1ms", "WaveCounter", "WheelSpeed"):
            made.slave.state.memory.view(catalog.bind(name).address, 2)
        if run:
            with pytest.raises(AccessDeniedError):
                made.slave.state.memory.read(places[0], 4)
        made.reboot(run + 1)
    assert len(set(places)) == 3
    assert len({made.a2l, ecu().a2l}) == 2
    with pytest.raises(AccessDeniedError):
        made.slave.state.memory.read(Address(4, 4), 4)
