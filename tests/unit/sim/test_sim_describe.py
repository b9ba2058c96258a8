"""The A2L of an ECU, read back by parser and quantities, against image and declaration."""

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.aml import parse_aml
from xcaliper.a2l.aml_match import build, match
from xcaliper.a2l.check import check
from xcaliper.a2l.if_xcp import XcpOnTcpIp, XcpOnUdpIp, read_segment, read_xcp
from xcaliper.a2l.ifdata import IfData
from xcaliper.a2l.index import walk
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import XcaliperError
from xcaliper.core.ticks import TickClock
from xcaliper.quantity.catalog import Catalog
from xcaliper.sim.describe import describe
from xcaliper.sim.gallery.demo_engine import demo_engine
from xcaliper.sim.image import build_image
from xcaliper.sim.items import (
    Axis,
    BitField,
    Curve,
    Map,
    Measurement,
    Scalar,
    StructArray,
    Text,
    TextMeasurement,
    ValueBlock,
)
from xcaliper.sim.memory import EcuMemory
from xcaliper.sim.signals import signal_view
from xcaliper.sim.xcp_section import Endpoint, slave_config
from xcaliper.xcp.slave_clock import ClockModel, ClockSettings
from xcaliper.xcp.slave_config import SlaveConfig

SETTINGS = {
    "plain": SlaveConfig(),
    "motorola": SlaveConfig(byte_order=ByteOrder.MOTOROLA),
    "words": SlaveConfig(ag=2, max_cto=254, granularity_odt_entry=2),
    "dwords": SlaveConfig(ag=4, max_cto=252, granularity_odt_entry=4),
}


class Case:
    def __init__(self, settings):
        self.declaration = demo_engine(byte_order=settings.byte_order)
        self.image = build_image(self.declaration, ag=settings.ag)
        self.memory = EcuMemory(self.image)
        self.config = slave_config(self.declaration, settings)
        self.text = describe(
            self.image,
            self.config,
            (Endpoint("udp", "127.0.0.1", 5555), Endpoint("tcp", "::1", 5556)),
        )
        self.file = parse(self.text)
        self.catalog = Catalog(self.file)


@pytest.fixture(scope="module", params=SETTINGS, ids=list(SETTINGS))
def case(request):
    return Case(SETTINGS[request.param])


@pytest.fixture(scope="module")
def plain():
    return Case(SETTINGS["plain"])


def test_parses_and_checks_without_a_finding(case):
    assert case.file.diagnostics == []
    assert check(case.file) == []
    assert case.file.version == "1.71"


def test_every_object_is_described_at_its_place(case):
    for item in (*case.declaration.signals, *case.declaration.parameters):
        if isinstance(item, StructArray):
            continue
        bound = case.catalog.bind(item.name)
        placed = case.image[item.name]
        where = bound.memory_ranges()[0]
        assert where.start == Address(placed.address, placed.extension), item.name
        assert where.size_bytes == placed.size_bytes, item.name


def test_nothing_else_is_described(case):
    expected = {
        item.name
        for item in (*case.declaration.signals, *case.declaration.parameters)
        if not isinstance(item, StructArray)
    }
    names = {name for name in case.catalog.names if not name.startswith("Cylinder[")}
    assert names == expected


def test_types_shapes_limits_and_units_agree(case):
    for item in case.declaration.signals:
        if isinstance(item, Measurement):
            bound = case.catalog.bind(item.name)
            assert bound.datatype is item.datatype
            assert bound.shape == item.shape
            assert (bound.lower, bound.upper) == item.phys_limits
            assert bound.unit == item.conversion.unit
            assert bound.writable == item.writable


def test_defaults_read_back_from_the_image(case):
    for item in case.declaration.parameters:
        bound = case.catalog.bind(item.name)
        if isinstance(item, Axis):
            (where,) = bound.memory_ranges()
            found = bound.to_phys(bound.points(case.memory.read(where.start, where.size_bytes)))
            assert found == pytest.approx(item.default), item.name
            continue
        phys = bound.to_phys(bound.decode(case.memory.read))
        if isinstance(item, Text):
            assert phys.values == item.default
        elif isinstance(item, Scalar) and item.conversion.to_raw(item.default) != phys.values:
            texts = {row[0]: row[-1] for row in getattr(item.conversion, "texts", ())}
            if texts:
                assert str(phys.values) == texts[int(item.default)]
            else:
                assert float(phys.values) == pytest.approx(item.default, rel=1e-3), item.name
        elif isinstance(item, Curve | Map | ValueBlock):
            step = abs((item.conversion.linear or (1, 0))[0]) / 2 + 1e-6
            tolerance = max(step, 1e-3) if item.datatype.is_float else step
            assert np.asarray(phys.values) == pytest.approx(
                np.asarray(item.default), abs=tolerance
            ), item.name
            for axis, points in zip(getattr(item, "axes", ()), phys.axes, strict=True):
                assert points == pytest.approx(case.declaration.points(axis), abs=1e-6)


def test_measured_bytes_mean_the_same_to_the_reader(plain):
    rng = np.random.default_rng(3)
    plain.memory.ram[:] = rng.bytes(len(plain.memory.ram))
    for item in plain.declaration.signals:
        if isinstance(item, Measurement) and item.conversion.linear:
            bound = plain.catalog.bind(item.name)
            (where,) = bound.memory_ranges()
            raw = bound.decode(plain.memory.read(where.start, where.size_bytes))
            mine = signal_view(plain.memory, item.name)
            assert raw.tobytes() == np.ascontiguousarray(mine).tobytes()


def test_curved_conversions_mean_the_same_to_the_reader(plain):
    raws = np.array([1, 125, 300, 1000, 2000, 3600, 60000])
    for name in ("CoolantTempRaw", "EngineSpeedPeriod", "Roughness"):
        mine = plain.declaration[name].conversion.to_phys(raws)
        assert plain.catalog.bind(name).to_phys(raws) == pytest.approx(mine), name


def test_bit_fields_are_cut_by_their_mask(plain):
    status = signal_view(plain.memory, "StatusWord")
    status[()] = 0x5000
    for name, raw in (("FieldGear", 5), ("FlagEngineRunning", 0)):
        bound = plain.catalog.bind(name)
        item = plain.declaration[name]
        assert isinstance(item, BitField)
        (where,) = bound.memory_ranges()
        assert int(bound.decode(plain.memory.read(where.start, where.size_bytes))) == raw


def test_components_of_the_struct_array_lie_where_the_image_has_them(case):
    item = case.declaration["Cylinder"]
    view = signal_view(case.memory, "Cylinder")
    start = case.image["Cylinder"].address * case.image.ag
    for index in range(4):
        for member in item.members:
            bound = case.catalog.bind(f"Cylinder[{index}].{member.name}")
            (where,) = bound.memory_ranges()
            offset = where.start.value * case.image.ag - start
            expected = index * view.dtype.itemsize + view.dtype.fields[member.name][1]
            assert offset == expected, bound.name
            assert bound.shape == member.shape


def test_unknown_index_of_the_struct_array_is_refused(plain):
    with pytest.raises(XcaliperError):
        plain.catalog.bind("Cylinder[4].IgnAngle")


def test_texts_are_read_only_and_have_an_event(plain):
    for item in plain.declaration.signals:
        if isinstance(item, TextMeasurement):
            bound = plain.catalog.bind(item.name)
            assert not bound.writable
            assert bound.events.default == (2,)


def test_default_events_follow_the_tasks(plain):
    channels = {event.name: event.channel for event in plain.declaration.events}
    for item in plain.declaration.signals:
        if isinstance(item, Measurement):
            assert plain.catalog.bind(item.name).default_events == (channels[item.event],)


def test_slave_settings_reach_the_description(case):
    xcp = read_xcp(case.file.module.if_data)
    layer, daq = xcp.protocol_layer, xcp.daq
    assert layer.byte_order is case.config.byte_order
    assert layer.address_granularity == case.config.ag
    assert (layer.max_cto, layer.max_dto) == (case.config.max_cto, case.config.max_dto)
    assert daq.granularity_daq == case.config.granularity_odt_entry
    assert [event.period_ns for event in daq.events] == [10**6, 10**7, 10**8, 0]
    assert [event.name for event in daq.events] == [e.name for e in case.declaration.events]
    assert xcp.pag.max_segments == 2
    udp, tcp = xcp.transports
    assert isinstance(udp, XcpOnUdpIp)
    assert isinstance(tcp, XcpOnTcpIp)
    assert (udp.address, udp.port) == ("127.0.0.1", 5555)
    assert (tcp.ipv6, tcp.port) == ("::1", 5556)


def test_optional_settings_reach_the_description():
    settings = SlaveConfig(
        identification_field=3,
        timestamp=TickClock(10, 3, 2),
        timestamp_fixed=True,
        disabled=frozenset({"MODIFY_BITS"}),
        slave_block_mode=False,
        master_block_mode=False,
        overload=1,
        prescaler=False,
    )
    xcp = Case(settings).catalog.xcp
    assert xcp.daq.identification_field == 3
    assert (xcp.daq.timestamp.ticks, xcp.daq.timestamp.size) == (10, 2)
    assert xcp.daq.timestamp.fixed
    assert xcp.daq.overload == 1
    assert not xcp.daq.prescaler_supported
    assert "MODIFY_BITS" not in xcp.protocol_layer.optional_cmds
    assert "SHORT_UPLOAD" in xcp.protocol_layer.optional_cmds
    assert "CONNECT" not in xcp.protocol_layer.optional_cmds
    assert not xcp.protocol_layer.block_slave
    assert not xcp.protocol_layer.block_master


def test_a_slave_without_timestamps_says_so():
    assert Case(SlaveConfig(timestamp=TickClock(1, 3, 0))).catalog.xcp.daq.timestamp is None


def test_identification_and_segments_can_be_checked(plain):
    par = plain.file.module.mod_par
    epk = plain.memory.read(Address(par.addr_epk[0]), len(par.epk))
    assert epk.decode() == par.epk
    paged = [s for s in par.memory_segment if s.if_data]
    assert [(s.name, s.address, s.size) for s in paged] == [
        (s.name, s.address, s.size_bytes) for s in plain.declaration.segments
    ]
    for number, segment in enumerate(paged):
        xcp = read_segment(segment.if_data)
        assert xcp.number == number
        assert [page.number for page in xcp.pages] == [0, 1]
        assert [page.xcp_write_access for page in xcp.pages] == [3, 0]


def test_groups_have_roots_and_functions_their_parts(plain):
    groups = {group.name: group for group in plain.file.module.group}
    roots = {name for name, group in groups.items() if group.root}
    assert roots == {"Engine", "Rasters"}
    below = {name for group in groups.values() if group.sub_group for name in group.sub_group.names}
    assert roots | below == set(groups)
    idle = next(f for f in plain.file.module.function if f.name == "IdleSpeedControl")
    assert "cIdleSpeedTarget" in idle.def_characteristic.names


def test_own_a2ml_explains_all_interface_data(case):
    found = []
    aml = parse_aml(case.file.module.a2ml.text, found)
    blocks = [made for made in walk(case.file.module) if isinstance(made, IfData)]
    assert len(blocks) > 20
    for data in blocks:
        matched = match(aml, data)
        found += matched.diagnostics
        assert build(aml, matched.values) == data
    assert found == []


def test_every_clock_is_described():
    master = ClockModel(resolution=TickClock(1, 0, 8), clock_id=b"grandmas", epoch=1, stratum=2)
    clocks = ClockSettings(
        grandmaster=master,
        grandmaster_access=2,
        discipline="syntonised",
        ecu=ClockModel(),
        ecu_access=3,
        ecu_stamps=True,
    )
    xcp = Case(SlaveConfig(clocks=clocks)).catalog.xcp
    assert xcp.time_correlation.daq_timestamps_relate_to == "ECU_CLOCK"
    slave, told, ecu = xcp.time_correlation.clocks
    assert (slave.kind, slave.readability, slave.synchronisation) == (
        "XCP_SLAVE_CLOCK",
        "RANDOMLY_READABLE",
        "SYNTONIZATION_ONLY",
    )
    assert (told.kind, told.readability) == ("XCP_SLAVE_GRANDMASTER_CLOCK", "LIMITED_READABLE")
    assert (told.uuid, told.quality, told.epoch) == (b"grandmas", 2, "UNIVERSAL_COORDINATED_TIME")
    assert (told.characterization.unit, told.characterization.size) == (0, 8)
    assert told.max_timestamp == 2**64 - 1
    assert (ecu.kind, ecu.readability) == ("ECU_CLOCK", "NOT_READABLE")
    assert "TIME_CORRELATION_PROPERTIES" in xcp.protocol_layer.optional_cmds
    assert xcp.transports[0].optional_subcmds == ("GET_DAQ_CLOCK_MULTICAST",)


def test_legacy_slaves_describe_no_clocks():
    for settings in (
        SlaveConfig(protocol_version=2),
        SlaveConfig(disabled=frozenset({"TIME_CORRELATION_PROPERTIES"})),
    ):
        xcp = Case(settings).catalog.xcp
        assert xcp.time_correlation is None
        assert xcp.transports[0].optional_subcmds == ()
