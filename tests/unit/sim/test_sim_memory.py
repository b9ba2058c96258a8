"""Image bytes written by hand, paging rules, fast writers and readers."""

import struct

import numpy as np
import pytest

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.datatypes import DataType as D
from xcaliper.core.errors import (
    AccessDeniedError,
    NegativeResponseError,
    PlanError,
    UsageError,
    WriteProtectedError,
)
from xcaliper.sim.conversion import Linear, RatFunc
from xcaliper.sim.declare import EcuDeclaration
from xcaliper.sim.image import build_image
from xcaliper.sim.items import (
    Axis,
    BitField,
    Curve,
    Event,
    FixAxis,
    Map,
    Measurement,
    Scalar,
    Segment,
    StdAxis,
    StructArray,
    StructMember,
    Text,
    TextMeasurement,
    ValueBlock,
)
from xcaliper.sim.memory import EcuMemory
from xcaliper.sim.signals import ParameterReader, SignalWriter, signal_view, write_text

HALF = Linear(0.5, 10.0)


def meas(name, datatype, **more):
    return Measurement(name=name, datatype=datatype, text="", event="T", **more)


SIGNALS = (
    meas("u8", D.UBYTE),
    meas("u16", D.UWORD, conversion=HALF),
    meas("f64", D.FLOAT64_IEEE),
    meas("i8", D.SBYTE),
    meas("matrix", D.SWORD, shape=(2, 3)),
    meas("i64", D.A_INT64),
    meas("f16", D.FLOAT16_IEEE),
    meas("hyper", D.UWORD, conversion=RatFunc(0.0, 1000.0, 1.0, 0.0)),
    BitField(name="bits", of="u16", mask=0x30, text=""),
    StructArray(
        name="s",
        type_name="S_t",
        members=(
            StructMember(name="a", datatype=D.UBYTE, text=""),
            StructMember(name="b", datatype=D.ULONG, text=""),
            StructMember(name="c", datatype=D.UBYTE, text=""),
        ),
        text="",
        event="T",
        shape=(2,),
    ),
    TextMeasurement(name="txt", size_bytes=4, text="", event="T"),
)
PARAMETERS = (
    Scalar(name="p8", datatype=D.UBYTE, default=7, text="", segment="A"),
    Scalar(name="p16", datatype=D.SWORD, default=8.6, conversion=HALF, text="", segment="A"),
    Axis(name="ax", datatype=D.UBYTE, default=(1, 2), text="", segment="A"),
    Curve(
        name="cur",
        datatype=D.UWORD,
        x=StdAxis(datatype=D.UBYTE, default=(10, 20, 30)),
        default=(100, 200, 300),
        text="",
        segment="A",
    ),
    Map(
        name="rows",
        datatype=D.UBYTE,
        x=FixAxis(offset=0, distance=10, count=3),
        y="ax",
        default=((1, 2, 3), (4, 5, 6)),
        text="",
        segment="B",
    ),
    Map(
        name="cols",
        datatype=D.UBYTE,
        x=FixAxis(offset=0, distance=10, count=3),
        y="ax",
        default=((1, 2, 3), (4, 5, 6)),
        by_column=True,
        text="",
        segment="B",
    ),
    ValueBlock(name="blk", datatype=D.FLOAT32_IEEE, default=(1.5, -2), text="", segment="B"),
    Text(name="str", size_bytes=4, default="ab", text="", segment="B"),
)


def declare(**changes):
    base = {
        "name": "Ecu",
        "text": "",
        "epk": "EPK",
        "events": (Event("T", 0, 10, "t"),),
        "signals": SIGNALS,
        "parameters": PARAMETERS,
        "segments": (
            Segment(name="A", number=0, address=0x1000, size_bytes=0x40),
            Segment(name="B", number=1, address=0x2000, size_bytes=0x40, extension=1),
        ),
        "ram_address": 0x8000,
        "ram_size_bytes": 0x100,
        "epk_address": 0x100,
    }
    return EcuDeclaration(**(base | changes))


def test_signals_are_naturally_aligned_in_order():
    image = build_image(declare())
    offsets = {p.name: p.offset for p in image.placements.values() if p.region == "RAM"}
    assert offsets == {
        "u8": 0,
        "u16": 2,
        "f64": 8,
        "i8": 16,
        "matrix": 18,
        "i64": 32,
        "f16": 40,
        "hyper": 42,
        "s": 44,
        "txt": 68,
    }
    assert image["bits"].address == image["u16"].address == 0x8002
    assert image["s"].size_bytes == 24  # two structures of 12 bytes


def test_segment_bytes_by_hand():
    image = build_image(declare())
    a = image.regions["A"].initial
    # p8 | fill | p16 = (8.6 - 10) / 0.5 = -2.8 -> -3 | NO_AXIS_PTS_X u16 | axis | fill
    assert a[:8] == bytes((7, 0xFF)) + struct.pack("<hH", -3, 2) + bytes((1, 2))
    # curve: count, three points, three words
    assert a[8:18] == bytes((3, 10, 20, 30)) + struct.pack("<3H", 100, 200, 300)
    assert set(a[18:]) == {0xFF}
    b = image.regions["B"].initial
    assert b[:12] == bytes((1, 2, 3, 4, 5, 6, 1, 4, 2, 5, 3, 6))
    assert b[12:24] == struct.pack("<ff", 1.5, -2) + b"ab\0\0"


def test_motorola_bytes_by_hand():
    image = build_image(declare(byte_order=ByteOrder.MOTOROLA))
    assert image.regions["A"].initial[2:6] == struct.pack(">hH", -3, 2)


def test_granularity_scales_addresses_and_keeps_objects_on_borders():
    image = build_image(declare(), ag=4)
    for placed in image.placements.values():
        assert placed.offset % 4 == 0
    assert image["u16"].offset == 4
    assert image["u16"].address == 0x8001
    assert image["f64"].address == 0x8002
    memory = EcuMemory(image)
    memory.write(Address(0x8001), b"\x01\x02\x03\x04")
    assert memory.read(Address(0x8000), 8) == b"\0\0\0\0\x01\x02\x03\x04"


def test_fixed_addresses_are_kept_and_others_flow_around():
    signals = (meas("x", D.UBYTE), meas("y", D.ULONG), meas("z", D.UBYTE, address=0x8001))
    image = build_image(declare(signals=signals))
    assert [image[n].offset for n in "xyz"] == [0, 4, 1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signals": (meas("x", D.ULONG, address=0x8002),)}, "not aligned to 4"),
        (
            {"signals": (meas("x", D.ULONG, address=0x8000), meas("y", D.UBYTE, address=0x8003))},
            "y overlaps x",
        ),
        ({"ram_size_bytes": 8}, "does not fit region RAM"),
        ({"ram_address": 0x1000}, "overlaps region"),
    ],
)
def test_what_does_not_fit_is_named(changes, words):
    with pytest.raises(PlanError, match=words):
        build_image(declare(**changes))


def test_odd_granularity_is_refused():
    with pytest.raises(PlanError, match="granularity 3"):
        build_image(declare(), ag=3)


def test_xcp_reads_its_page_and_writes_only_where_it_may():
    memory = EcuMemory(build_image(declare()))
    at = Address(0x1000)
    memory.write(at, b"\x2a")
    assert memory.read(at, 1) == b"\x2a"
    assert memory.ecu_bytes("A")[0] == 0x2A
    memory.set_page(0, 1, ecu=False, xcp=True)
    assert memory.read(at, 1) == b"\x07"
    assert memory.ecu_bytes("A")[0] == 0x2A
    with pytest.raises(WriteProtectedError) as caught:
        memory.write(at, b"\x00")
    assert caught.value.code == 0x23
    memory.set_page(0, 1, ecu=True, xcp=False)
    assert memory.ecu_bytes("A")[0] == 7
    assert memory.get_page(0, ecu=True) == 1
    assert memory.get_page(0, ecu=False) == 1
    assert memory.get_page(1, ecu=True) == 0


def test_copying_restores_the_reference_and_is_seen_at_once():
    memory = EcuMemory(build_image(declare()))
    view = memory.view(Address(0x1000), 1)
    memory.write(Address(0x1000), b"\x2a")
    assert bytes(view) == b"\x2a"
    memory.copy_page((0, 1), (0, 0))
    assert bytes(view) == b"\x07"
    with pytest.raises(WriteProtectedError):
        memory.copy_page((0, 0), (0, 1))


def test_a_view_follows_the_page():
    memory = EcuMemory(build_image(declare()))
    memory.write(Address(0x1000), b"\x2a")
    view = memory.view(Address(0x1000), 1)
    memory.set_page(0, 1, ecu=False, xcp=True)
    assert bytes(view) == b"\x07"
    memory.set_page(0, 0, ecu=False, xcp=True)
    assert bytes(view) == b"\x2a"


def test_address_extension_is_part_of_the_address():
    memory = EcuMemory(build_image(declare()))
    assert memory.read(Address(0x2000, 1), 2) == b"\x01\x02"
    with pytest.raises(AccessDeniedError) as caught:
        memory.read(Address(0x2000, 0), 2)
    assert caught.value.code == 0x24


@pytest.mark.parametrize("start", [0x0FFF, 0x103F, 0x80FF, 0xFFFF_FFFF])
def test_nothing_outside_can_be_read(start):
    with pytest.raises(AccessDeniedError):
        EcuMemory(build_image(declare())).read(Address(start), 2)


def test_program_identification_is_readable_and_protected():
    memory = EcuMemory(build_image(declare()))
    assert memory.read(Address(0x100), 3) == b"EPK"
    with pytest.raises(WriteProtectedError):
        memory.write(Address(0x100), b"X")


@pytest.mark.parametrize(("segment", "page", "code"), [(2, 0, 0x28), (0, 2, 0x26), (-1, 0, 0x28)])
def test_wrong_segment_or_page_has_its_code(segment, page, code):
    memory = EcuMemory(build_image(declare()))
    with pytest.raises(NegativeResponseError) as caught:
        memory.set_page(segment, page, ecu=True, xcp=True)
    assert caught.value.code == code


def test_generation_tells_what_the_ecu_would_notice():
    memory = EcuMemory(build_image(declare()))
    memory.write(Address(0x8000), b"\x01")
    assert memory.generation == 0
    memory.write(Address(0x1000), b"\x01")
    assert memory.generation == 1
    memory.set_page(0, 1, ecu=True, xcp=False)
    assert memory.generation == 2
    memory.write(Address(0x1000), b"\x02")  # XCP on page 0, the ECU on page 1
    assert memory.generation == 2


def test_writer_scales_rounds_saturates_and_leaves_others_alone():
    memory = EcuMemory(build_image(declare()))
    signal_view(memory, "matrix")[:] = [[1, 2, 3], [4, 5, 6]]
    writer = SignalWriter(memory, ["hyper", "u8", "u16", "f64", "i8", "i64", "f16"])
    writer.write(
        {"u8": 300, "u16": 12.2, "f64": 1.25, "i8": -200, "i64": -5, "f16": 1e9, "hyper": 4.0}
    )
    ram = memory.ram
    assert ram[0] == 255
    assert struct.unpack_from("<H", ram, 2) == (4,)
    assert struct.unpack_from("<d", ram, 8) == (1.25,)
    assert struct.unpack_from("<b", ram, 16) == (-128,)
    assert struct.unpack_from("<6h", ram, 18) == (1, 2, 3, 4, 5, 6)
    assert struct.unpack_from("<q", ram, 32) == (-5,)
    assert struct.unpack_from("<e", ram, 40) == (65504.0,)
    assert struct.unpack_from("<H", ram, 42) == (250,)


def test_writer_survives_what_is_no_number():
    memory = EcuMemory(build_image(declare()))
    SignalWriter(memory, ["u8", "i64"]).write({"u8": float("nan"), "i64": float("inf")})
    assert struct.unpack_from("<q", memory.ram, 32)[0] > 2**62
    SignalWriter(memory, []).write({})


def test_writer_takes_scalars_only():
    memory = EcuMemory(build_image(declare()))
    for name in ("matrix", "s", "p8", "bits"):
        with pytest.raises(UsageError):
            SignalWriter(memory, [name])


def test_views_and_texts():
    memory = EcuMemory(build_image(declare(byte_order=ByteOrder.MOTOROLA)))
    view = signal_view(memory, "s")
    view["b"][1] = 0x01020304
    assert memory.ram[44 + 12 + 4 :][:4] == b"\x01\x02\x03\x04"
    assert view.dtype.itemsize == 12
    write_text(memory, "txt", "hello")
    assert bytes(signal_view(memory, "txt")) == b"hell"
    with pytest.raises(UsageError):
        signal_view(memory, "bits")


def test_reader_gives_physical_values_of_the_ecu_page():
    memory = EcuMemory(build_image(declare()))
    reader = ParameterReader(memory)
    assert reader.refresh()
    assert not reader.refresh()
    assert reader.scalars == {"p8": 7.0, "p16": 8.5}
    assert reader.blocks["blk"] == [1.5, -2.0]
    assert reader.texts == {"str": "ab"}
    for name in ("rows", "cols"):
        assert reader.tables[name].rows == [[1, 2, 3], [4, 5, 6]]
    memory.write(Address(0x1000), b"\x09")
    assert reader.refresh()
    assert reader.scalars["p8"] == 9.0
    memory.set_page(0, 1, ecu=True, xcp=False)
    reader.refresh()
    assert reader.scalars["p8"] == 7.0


def test_tables_interpolate_and_clamp():
    reader = ParameterReader(EcuMemory(build_image(declare())))
    reader.refresh()
    curve = reader.tables["cur"]
    assert [curve.at(x) for x in (-5, 10, 15, 30, 99, float("nan"))] == [
        100,
        100,
        150,
        300,
        300,
        100,
    ]
    table = reader.tables["cols"]
    assert table.at(5, 1.5) == pytest.approx(3.0)  # between 1, 2, 4 and 5
    assert table.at(20, 9) == 6


def test_reader_survives_any_bytes():
    memory = EcuMemory(build_image(declare()))
    reader = ParameterReader(memory)
    rng = np.random.default_rng(5)
    for _ in range(50):
        memory.write(Address(0x1000), rng.bytes(0x40))
        memory.write(Address(0x2000, 1), rng.bytes(0x40))
        reader.refresh()
        values = [*reader.scalars.values(), *reader.blocks["blk"]]
        values += [reader.tables[name].at(x, 1.0) for name in ("cur", "rows") for x in (0, 15)]
        assert np.isfinite(values).all()
