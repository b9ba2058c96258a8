"""asammdf reads what the writer wrote: every type, byte order, bit field, array, conversion."""

from __future__ import annotations

import io

import numpy as np
import pytest

from xcaliper.mdf.conversion import (
    Algebraic,
    Identity,
    Linear,
    RangeToText,
    Rational,
    TableInterpolated,
    TableStep,
    ValueToText,
    to_phys,
)
from xcaliper.mdf.description import Attachment, Channel, Group, Header, Source
from xcaliper.mdf.reader import MdfReader
from xcaliper.mdf.storage import MemoryFile
from xcaliper.mdf.writer import EventCause, EventType, MdfWriter, WriterOptions

START = 1_700_000_000_123_456_789


@pytest.fixture
def open_mdf():
    from asammdf import MDF

    opened = []

    def open_(file: MemoryFile) -> MDF:
        opened.append(MDF(io.BytesIO(bytes(file.data))))
        return opened[-1]

    yield open_
    for mdf in opened:
        mdf.close()


def record(group, t_ns, rows, *, parts=3, close=True, **options):
    file = MemoryFile()
    writer = MdfWriter(file, Header(START), [group], options=WriterOptions(**options))
    for t, r in zip(np.array_split(t_ns, parts), np.array_split(rows, parts), strict=True):
        writer.append(0, t, r)
        writer.flush()
    if close:
        writer.close()
    return file


NUMBERS = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]


def random_rows(dtype: np.dtype, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (count, dtype.itemsize), dtype=np.uint8).view(dtype)[:, 0].copy()
    for name in dtype.names:
        if rows[name].dtype.kind == "f":
            rows[name] = np.nan_to_num(rows[name], nan=1.5, posinf=2.5, neginf=-2.5)
    return rows


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("close", [False, True])
def test_every_type_in_both_byte_orders(open_mdf, compressed, close):
    fields = [(f"{o}_{n}", f"{c}{n}") for o, c in (("le", "<"), ("be", ">")) for n in NUMBERS]
    dtype = np.dtype([("pad", "u1"), *fields])
    rows = random_rows(dtype, 500, 1)
    t_ns = np.arange(500, dtype=np.int64) * 1_000_003
    group = Group("all", dtype, [Channel(name) for name, _ in fields])
    mdf = open_mdf(record(group, t_ns, rows, compressed=compressed, close=close))
    for name, code in fields:
        signal = mdf.get(name)
        assert signal.samples.dtype.kind == np.dtype(code).kind
        np.testing.assert_array_equal(signal.samples, rows[name], err_msg=name)
        np.testing.assert_array_equal(signal.timestamps, t_ns / 1e9)


def test_rows_with_holes_and_foreign_order_of_fields(open_mdf):
    dtype = np.dtype(
        {"names": ["b", "a"], "formats": [">i2", "<u4"], "offsets": [9, 2], "itemsize": 17}
    )
    rows = random_rows(dtype, 50, 2)
    t_ns = np.arange(50, dtype=np.int64)
    mdf = open_mdf(record(Group("g", dtype, [Channel("a"), Channel("b")]), t_ns[::2], rows[::2]))
    np.testing.assert_array_equal(mdf.get("a").samples, rows["a"][::2])
    np.testing.assert_array_equal(mdf.get("b").samples, rows["b"][::2])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_every_contiguous_bit_mask(open_mdf, order, size):
    """Model: (word & mask) >> trailing zeros, on the ECU's word."""
    bits = 8 * size
    masks = sorted(
        {
            ((1 << width) - 1) << low
            for low in range(0, bits, 1 if size < 4 else 3)
            for width in {1, 2, 5, 8, 9, 13, 24, 31, 33, 57, bits - low}
            if low + width <= bits
        }
    )
    dtype = np.dtype([("x", "u1"), ("w", f"{order}u{size}")])
    rows = random_rows(dtype, 20, size)
    channels = [Channel(f"m{mask:X}", "w", bit_mask=mask) for mask in masks]
    file = record(Group("g", dtype, channels), np.arange(20, dtype=np.int64), rows)
    mdf = open_mdf(file)
    own = MdfReader(file)
    words = [int(w) for w in rows["w"]]
    for mask, channel in zip(masks, channels, strict=True):
        low = (mask & -mask).bit_length() - 1
        truth = [(w & mask) >> low for w in words]
        assert own.raw(own.groups[0], channel.name).tolist() == truth
        if low % 8 + mask.bit_length() - low > 64:
            continue
        assert mdf.get(channel.name).samples.tolist() == truth, f"{mask:#x}"


def test_mask_that_is_not_contiguous_keeps_the_word(open_mdf):
    dtype = np.dtype([("w", ">u2")])
    rows = np.array([(0x1234,), (0xFFFF,)], dtype)
    mdf = open_mdf(
        record(Group("g", dtype, [Channel("w", bit_mask=0xA)]), np.arange(2), rows, parts=1)
    )
    assert mdf.get("w").samples.tolist() == [0x1234, 0xFFFF]
    assert "0xA is not contiguous" in mdf.get("w").comment


def test_masked_without_shift_keeps_its_weight(open_mdf):
    dtype = np.dtype([("w", "<u2")])
    rows = np.array([(0x1230,), (0xFFF0,)], dtype)
    group = Group("g", dtype, [Channel("w", bit_mask=0xFF0, bit_shift=0)])
    mdf = open_mdf(record(group, np.arange(2), rows, parts=1))
    assert mdf.get("w").samples.tolist() == [0x230, 0xFF0]


@pytest.mark.parametrize("code", ["<f4", ">f8", ">i2", "<u8", "u1"])
@pytest.mark.parametrize("shape", [(5,), (1,), (3, 4), (2, 3, 4)])
def test_arrays(open_mdf, code, shape):
    dtype = np.dtype([("n", "u1"), ("map", code, shape), ("after", "<u2")])
    rows = random_rows(dtype, 30, 3)
    mdf = open_mdf(
        record(Group("g", dtype, [Channel("map"), Channel("after")]), np.arange(30), rows)
    )
    samples = mdf.get("map").samples
    values = samples["map"] if samples.dtype.names else samples
    np.testing.assert_array_equal(values.reshape(rows["map"].shape), rows["map"])
    np.testing.assert_array_equal(mdf.get("after").samples, rows["after"])


def test_map_with_fixed_axes(open_mdf):
    dtype = np.dtype([("map", ">f4", (2, 3))])
    rows = random_rows(dtype, 10, 4)
    axes = ((800.0, 6000.0), (10.0, 50.0, 90.0))
    mdf = open_mdf(record(Group("g", dtype, [Channel("map", axes=axes)]), np.arange(10), rows))
    samples = mdf.get("map").samples
    np.testing.assert_array_equal(samples["map"], rows["map"])
    assert samples["axis_0"][0].tolist() == list(axes[0])
    assert samples["axis_1"][9].tolist() == list(axes[1])


RAW = np.array([-7, -3, -1, 0, 1, 2, 3, 4, 9, 50], np.int16)
NUMERIC = {
    "identity": Identity(),
    "linear": Linear(-40.0, 0.5),
    "rational": Rational(0.0, -2.0, 3.0, 0.0, 0.5, 7.25),
    "algebraic": Algebraic("X*X*0.5 + 3 - X/4"),
    "interpolated": TableInterpolated((5, -5, 0), (50.0, -10.0, 0.0)),
}


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("code", ["<i2", ">i2", ">f4"])
def test_numeric_conversions(open_mdf, name, code):
    rule = NUMERIC[name]
    dtype = np.dtype([("x", code)])
    rows = RAW.astype(code).view(dtype)
    mdf = open_mdf(
        record(Group("g", dtype, [Channel("x", unit="°C", conversion=rule)]), np.arange(10), rows)
    )
    signal = mdf.get("x")
    x = RAW.astype(float)
    truth = {
        "identity": x,
        "linear": -40 + 0.5 * x,
        "rational": (-2 * x + 3) / (0.5 * x + 7.25),
        "algebraic": x * x * 0.5 + 3 - x / 4,
        "interpolated": np.interp(x, [-5, 0, 5], [-10, 0, 50]),
    }[name]
    np.testing.assert_allclose(signal.samples, truth, rtol=1e-6 if code == ">f4" else 1e-12)
    np.testing.assert_allclose(to_phys(rule, rows["x"]), truth, rtol=1e-12)
    assert signal.unit == "°C"


def test_step_table(open_mdf):
    rule = TableStep((0, 10, 20), (1.0, 2.0, 3.0))
    dtype = np.dtype([("x", "<i2")])
    raw = np.array([-4, 0, 4, 5, 6, 10, 15, 16, 20, 99], np.int16)
    mdf = open_mdf(
        record(Group("g", dtype, [Channel("x", conversion=rule)]), np.arange(10), raw.view(dtype))
    )
    truth = [1, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert mdf.get("x").samples.tolist() == truth
    assert to_phys(rule, raw).tolist() == truth


def as_text(samples) -> list[str]:
    return [s.decode("utf-8") if isinstance(s, bytes) else str(s) for s in samples]


@pytest.mark.parametrize("code", ["u1", ">u2", "<i4"])
def test_enums_are_text(open_mdf, code):
    rule = ValueToText((0, 1, 4), ("off", "läuft <&>", "x" * 300), "?")
    dtype = np.dtype([("x", code)])
    rows = np.array([0, 1, 2, 4, 9]).astype(code).view(dtype)
    mdf = open_mdf(record(Group("g", dtype, [Channel("x", conversion=rule)]), np.arange(5), rows))
    truth = ["off", "läuft <&>", "?", "x" * 300, "?"]
    assert as_text(mdf.get("x").samples) == truth
    assert to_phys(rule, rows["x"]).tolist() == truth


def test_ranges_are_text(open_mdf):
    rule = RangeToText((0, 10, 20), (9, 19, 20), ("low", "mid", "one"), "none")
    dtype = np.dtype([("x", "<i2")])
    rows = np.array([-1, 0, 9, 10, 19, 20, 21], "<i2").view(dtype)
    mdf = open_mdf(record(Group("g", dtype, [Channel("x", conversion=rule)]), np.arange(7), rows))
    truth = ["none", "low", "low", "mid", "mid", "one", "none"]
    assert as_text(mdf.get("x").samples) == truth
    assert to_phys(rule, rows["x"]).tolist() == truth


def test_bit_field_with_text(open_mdf):
    rule = ValueToText((0, 1, 2, 3), ("a", "b", "c", "d"), "?")
    dtype = np.dtype([("w", ">u4")])
    rows = np.array([(i << 13,) for i in (0, 3, 1, 2)], dtype)
    channel = Channel("w", bit_mask=3 << 13, conversion=rule)
    mdf = open_mdf(record(Group("g", dtype, [channel]), np.arange(4), rows))
    assert as_text(mdf.get("w").samples) == ["a", "d", "b", "c"]


@pytest.mark.parametrize("vlsd", [False, True])
def test_text_fields(open_mdf, vlsd):
    dtype = np.dtype([("t", "S12"), ("n", "<u2")])
    texts = [b"", b"A", b"\xe4\xf6 text", b"123456789012"]
    rows = np.array([(t, i) for i, t in enumerate(texts)], dtype)
    file = record(Group("g", dtype, [Channel("t", vlsd=vlsd), Channel("n")]), np.arange(4), rows)
    mdf = open_mdf(file)
    assert [s.rstrip(b"\0").decode("latin-1") for s in mdf.get("t", raw=True).samples] == [
        t.decode("latin-1") for t in texts
    ]
    assert mdf.get("n").samples.tolist() == [0, 1, 2, 3]
    own = MdfReader(file)
    assert own.raw(own.groups[0], "t").tolist() == texts


def test_raw_bytes(open_mdf):
    dtype = np.dtype([("b", "V5")])
    rows = np.frombuffer(bytes(range(50)), dtype)
    mdf = open_mdf(record(Group("g", dtype, [Channel("b")]), np.arange(10), rows))
    assert bytes(np.ascontiguousarray(mdf.get("b").samples).tobytes()) == bytes(range(50))


def test_header_sources_limits_events_and_attachments(open_mdf):
    dtype = np.dtype([("x", "<u2")])
    a2l = ("/begin PROJECT ä <&> /end PROJECT\n" * 500).encode()
    header = Header(
        START, 60, 60, "A <b> & c", "dep", "proj", "subj", "Test & <drive>", {"epk": "EPK 1"}
    )
    groups = [
        Group(
            "10ms",
            dtype,
            [Channel("x", unit="1/min", lower=0, upper=8000, comment="a < b", address=0x1000)],
            Source("ENGINE", "udp", 1, 7),
        ),
        Group(
            "empty", dtype, [Channel("y", "x"), Channel("nan", "x", lower=float("nan"), upper=3)]
        ),
        Group("no channels", np.dtype([])),
    ]
    file = MemoryFile()
    writer = MdfWriter(
        file,
        header,
        groups,
        [Attachment("demo.a2l", a2l, "text/plain", "the A2L"), Attachment("b", b"")],
    )
    writer.append(0, np.array([0, 10_000_000]), np.zeros(2, dtype))
    writer.append(2, np.array([5]), np.zeros(1, np.dtype([])))
    writer.add_event(
        EventType.ACQUISITION_INTERRUPT, 5_000_001, "3 lost", group_index=0, cause=EventCause.ERROR
    )
    writer.add_event(EventType.MARKER, 7_500_000, "idle = 850 <rpm>", name="write")
    writer.close(START + 10**10)
    mdf = open_mdf(file)
    assert mdf.version == "4.10"
    assert mdf.header.abs_time == START
    assert round(mdf.start_time.timestamp() * 1e3) == START // 10**6
    assert (mdf.header.author, mdf.header.department, mdf.header.project, mdf.header.subject) == (
        "A <b> & c",
        "dep",
        "proj",
        "subj",
    )
    assert mdf.header.description == "Test & <drive>"
    assert [g.channel_group.acq_name for g in mdf.groups] == ["10ms", "empty", "no channels"]
    source = mdf.groups[0].channel_group.acq_source
    assert (source.name, source.path, source.source_type, source.bus_type) == (
        "ENGINE",
        "udp",
        1,
        7,
    )
    channel = mdf.groups[0].channels[1]
    assert (channel.lower_limit, channel.upper_limit, channel.flags & 0x10) == (0, 8000, 0x10)
    assert channel.unit == "1/min"
    assert mdf.groups[1].channels[2].flags & 0x10 == 0
    assert mdf.get("y").samples.tolist() == []
    assert mdf.groups[2].channel_group.cycles_nr == 1
    assert [(e.event_type, e.value, e.comment, e.name) for e in mdf.events] == [
        (2, pytest.approx(0.005000001), "3 lost", ""),
        (6, pytest.approx(0.0075), "idle = 850 <rpm>", "write"),
    ]
    assert mdf.events[0].scopes == [0]
    data, name, _ = mdf.extract_attachment(0)[:3]
    assert (bytes(data if isinstance(data, (bytes, bytearray)) else data.encode()), str(name)) == (
        a2l,
        "demo.a2l",
    )
    own = MdfReader(file)
    assert [(a.name, a.data) for a in own.attachments] == [("demo.a2l", a2l), ("b", b"")]
    assert own.history == ["Recording started.", "Recording closed."]
    assert own.properties["epk"] == "EPK 1"


def test_hostile_names(open_mdf):
    dtype = np.dtype([("x", "<u2")])
    long = "n" * 5000
    names = [
        "time",
        "same",
        "same",
        "same_2",
        "",
        "a.b[3]\\c",
        "<&>\"'",
        "ü\u4e2d\U0001f600",
        "ctl\x01\x1f",
        long,
    ]
    channels = [Channel(n, "x", comment="c\x00d\x02 ]]>") for n in names]
    rows = np.array([(7,), (9,)], dtype)
    file = record(
        Group("g<&>\x03", dtype, channels, comment="x\ud800y"), np.arange(2), rows, parts=1
    )
    mdf = open_mdf(file)
    found = [c.name for c in mdf.groups[0].channels]
    assert found == ["time_2", "time", "same", "same_3", "same_2", "unnamed", *names[5:]]
    for index in range(1, len(found)):
        assert mdf.get(group=0, index=index).samples.tolist() == [7, 9]
    assert [c.name for c in MdfReader(file).groups[0].channels] == found[1:]


def test_many_commits_then_close(open_mdf):
    dtype = np.dtype([("n", ">u4")])
    file = MemoryFile()
    writer = MdfWriter(file, Header(START), [Group("g", dtype, [Channel("n")])])
    for n in range(300):
        writer.append(0, np.array([n * 1_000_000]), np.array([(n,)], dtype))
        writer.commit(n)
        if n in {0, 1, 57, 299}:
            assert open_mdf(file).get("n").samples.tolist() == list(range(n + 1))
    writer.close()
    assert open_mdf(file).get("n").samples.tolist() == list(range(300))


def test_mdfreader_agrees(tmp_path):
    mdfreader = pytest.importorskip(
        "mdfreader", reason="its licence keeps it out of the test packages"
    )
    dtype = np.dtype([("a", ">u2"), ("b", "<f4"), ("m", "<f8", (2, 2)), ("e", "u1")])
    rows = random_rows(dtype, 100, 9)
    rows["e"] %= 3
    channels = [
        Channel("a", conversion=Linear(1, 0.5)), Channel("b"), Channel("m"),
        Channel("e", conversion=ValueToText((0, 1), ("zero", "one"), "many")),
        Channel("bits", "a", bit_mask=0x3F0),
    ]  # fmt: skip
    for closed in (False, True):
        path = tmp_path / f"{closed}.mf4"
        path.write_bytes(
            record(Group("g", dtype, channels), np.arange(100) * 10**7, rows, close=closed).data
        )
        mdf = mdfreader.Mdf(str(path))
        np.testing.assert_allclose(mdf.get_channel_data("a"), 1 + 0.5 * rows["a"])
        np.testing.assert_array_equal(mdf.get_channel_data("b"), rows["b"])
        np.testing.assert_array_equal(mdf.get_channel_data("m"), rows["m"])
        np.testing.assert_array_equal(mdf.get_channel_data("bits"), (rows["a"] & 0x3F0) >> 4)
        texts = [t.decode() if isinstance(t, bytes) else str(t) for t in mdf.get_channel_data("e")]
        assert texts == [("zero", "one", "many")[e] for e in rows["e"]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_signed_bit_fields_and_bits_that_are_shifted_out(open_mdf, order):
    dtype = np.dtype([("w", f"{order}u2")])
    words = [0x0FF0, 0x0080, 0x07F0, 0xF80F]
    rows = np.array(words, f"{order}u2").view(dtype)
    channels = [
        Channel("signed", "w", bit_mask=0x0FF0, sign_extend=True),
        Channel("cut", "w", bit_mask=0x0FF0, bit_shift=6),
    ]
    file = record(Group("g", dtype, channels), np.arange(4), rows)
    mdf = open_mdf(file)
    own = MdfReader(file)
    signed = [-1, 8, 127, -128]
    cut = [(w & 0x0FF0) >> 6 for w in words]
    assert mdf.get("signed").samples.tolist() == signed
    assert own.raw(own.groups[0], "signed").tolist() == signed
    assert mdf.get("cut").samples.tolist() == cut
    assert own.phys(own.groups[0], "cut").tolist() == cut


def test_text_declared_as_an_array_of_bytes(open_mdf):
    dtype = np.dtype([("t", "u1", (5,))])
    texts = [b"", b"ab", b"cd\0ef", b"12345"]
    rows = np.array([t.ljust(5, b"\0") for t in texts], "S5").view(dtype)
    mdf = open_mdf(record(Group("g", dtype, [Channel("t", vlsd=True)]), np.arange(4), rows))
    found = [s.rstrip(b"\0") for s in mdf.get("t").samples.tolist()]
    assert found == [b"", b"ab", b"cd", b"12345"]
