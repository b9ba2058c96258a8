"""Strategies derived from the layouts: encode∘decode = id, and any bytes are a packet or WireError."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import WireError
from xcaliper.wire.codec import codec_for
from xcaliper.wire.describe import describe_packet, layout_rows
from xcaliper.wire.layout import layout_of
from xcaliper.xcp import events, refusals, std, timecorr, tlcmd
from xcaliper.xcp.dto import Dto, decode_dto, encode_dto, join_packed, split_packed
from xcaliper.xcp.events import decode_event, decode_service
from xcaliper.xcp.profile import DtoFormat
from xcaliper.xcp.refusals import decode_refusal
from xcaliper.xcp.table import COMMANDS

TRANSPORTS = (
    tlcmd.CAN_COMMANDS,
    tlcmd.ETH_COMMANDS,
    tlcmd.USB_COMMANDS,
    tlcmd.FLEXRAY_COMMANDS,
)
INFOS = list({i.request: i for t in TRANSPORTS for i in COMMANDS.extended(*t)}.values())
LONE = [
    *(
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and hasattr(kind, "__layout__")
    ),
    refusals.BuildChecksumRangeError,
    refusals.SequenceMismatch,
    refusals.DeviceError,
    std.ErrorResponse,
    timecorr.ClockInformation,
    timecorr.GrandmasterInformation,
    timecorr.ClockRelation,
    tlcmd.EthSetSlaveIpAddressError,
]
LONE = [kind for kind in LONE if kind.__module__.startswith("xcaliper.xcp")]

orders = st.sampled_from([ByteOrder.INTEL, ByteOrder.MOTOROLA])
granularities = st.sampled_from([1, 2, 4])


def classes_of(response):
    choice = layout_of(response).choice
    return [response] if choice is None else list(dict.fromkeys(choice.cases.values()))


ALL = [
    *((info.request, None) for info in INFOS),
    *((kind, info.request) for info in INFOS for kind in classes_of(info.response)),
    *((kind, None) for kind in LONE),
]


def look_up(path, values, request, ag, views):
    if path == "AG":
        return ag
    name, _, rest = path.partition(".")
    if name == "request":
        return getattr(request, rest)
    return getattr(views[name](values[name]), rest) if rest else values[name]


@st.composite
def packets(draw, cls, request=None, ag=1):
    """An object of a layout class whose dependent fields agree with each other."""
    terms = layout_of(cls).terms
    views = {name: term.view for name, term in terms}
    width_names = {t.by for _, t in terms if t.by and not t.sizes} | {
        t.scale for _, t in terms if t.scale not in ("", "AG")
    }
    counters = {t.count: name for name, t in terms if t.count}
    values = {}
    ended = False
    for name, term in terms:
        if term.kind == "int":
            absent = bool(term.when) and not look_up(term.when, values, request, ag, views)
            if name in width_names or (request is None and name == "width"):
                number = draw(st.sampled_from([1, 2, 4, 8]))
            elif name in counters:
                number = draw(st.integers(0, 5))
            else:
                number = draw(st.integers(0, (1 << 8 * term.size_bytes) - 1))
            if name == "payload_fmt":
                number = sum(draw(st.integers(0, 2)) << s for s in (0, 2, 4)) | number & 0x40
            if term.optional and (ended or draw(st.booleans())):
                ended = True
                absent = True
            values[name] = None if absent else (term.view(number) if term.view else number)
        elif term.kind == "fixed":
            values[name] = draw(st.binary(min_size=term.size_bytes, max_size=term.size_bytes))
        elif term.kind == "sized":
            size = look_up(term.by, values, request, ag, views)
            size = term.sizes[size] if term.sizes else size
            values[name] = draw(st.integers(0, (1 << 8 * size) - 1)) if size else None
        elif term.kind == "data":
            count = look_up(term.count, values, request, ag, views) if term.count else None
            scale = look_up(term.scale, values, request, ag, views) if term.scale else 1
            size = draw(st.integers(0, 9)) if count is None else count * scale
            values[name] = draw(st.binary(min_size=size, max_size=size))
        else:
            count = look_up(term.count, values, request, ag, views) if term.count else 2
            items = [draw(packets(term.element)) for _ in range(count)]
            values[name] = tuple(items)
    return cls(**values)


@pytest.mark.parametrize(("cls", "request_class"), ALL, ids=lambda c: getattr(c, "__name__", "-"))
@given(data=st.data(), order=orders, ag=granularities)
@settings(deadline=None, max_examples=12)
def test_encode_then_decode_is_identity(cls, request_class, data, order, ag):
    request = data.draw(packets(request_class, ag=ag)) if request_class else None
    packet = data.draw(packets(cls, request, ag))
    codec = codec_for(cls, order, ag)
    raw = codec.encode(packet, request)
    assert codec.decode(raw, request) == packet
    padded = raw + b"\xaa" * data.draw(st.integers(0, 3))
    terms = layout_of(cls).terms
    if terms and (any(t.optional for _, t in terms) or terms[-1][1].kind == "data"):
        return  # more bytes may mean more
    assert codec.decode(padded, request) == packet


@pytest.mark.parametrize(("cls", "request_class"), ALL, ids=lambda c: getattr(c, "__name__", "-"))
@given(data=st.data(), tail=st.binary(max_size=40), order=orders, ag=granularities)
@settings(deadline=None, max_examples=15)
def test_any_bytes_are_a_packet_or_wire_error(cls, request_class, data, tail, order, ag):
    request = data.draw(packets(request_class, ag=ag)) if request_class else None
    raw = layout_of(cls).prefix + tail
    try:
        packet = codec_for(cls, order, ag).decode(raw, request)
    except WireError:
        return
    assert isinstance(packet, cls)
    assert "\n" not in describe_packet(packet)


@given(raw=st.binary(max_size=24), order=orders, max_cto=st.sampled_from([8, 255]))
@settings(deadline=None, max_examples=200)
def test_any_unsolicited_packet_is_survived(raw, order, max_cto):
    for prefix in (b"", b"\xfd", b"\xfd\x08", b"\xfc", b"\xfe", b"\xfe\x22"):
        packet = prefix + raw
        for pid, decode in (
            (0xFD, lambda p: decode_event(p, order, max_cto=max_cto)),
            (0xFC, lambda p: decode_service(p, order)),
            (0xFE, lambda p: decode_refusal(p, "BUILD_CHECKSUM", order)),
        ):
            if len(packet) >= 2 and packet[0] == pid:
                assert decode(packet) is not None
            else:
                with pytest.raises(WireError):
                    decode(packet)


def test_rows_of_every_layout_are_text():
    for cls, _ in ALL:
        for row in layout_rows(cls):
            assert all(isinstance(text, str) and text == text.strip() for text in row[:6])
            assert all((row.name, row.offset, row.size, row.type))


formats = st.builds(
    DtoFormat,
    identification_field=st.integers(0, 3),
    timestamp_size=st.sampled_from([0, 1, 2, 4]),
    dto_ctr=st.booleans(),
    overload_msb=st.booleans(),
    pid_off=st.booleans(),
)


@given(
    fmt=formats,
    order=orders,
    first=st.booleans(),
    odt=st.integers(0, 0x7B),
    daq_list=st.integers(0, 255),
    counter=st.integers(0, 255),
    timestamp=st.integers(0, 255),
    overload=st.booleans(),
    body=st.binary(max_size=8),
)
@settings(deadline=None, max_examples=200)
def test_dto_round_trip(fmt, order, first, odt, daq_list, counter, timestamp, overload, body):
    dto = Dto(
        odt=None if fmt.pid_off else odt,
        daq_list=None if fmt.pid_off or not fmt.identification_field else daq_list,
        counter=counter if first and fmt.dto_ctr else None,
        timestamp=timestamp if first and fmt.timestamp_size else None,
        overload=overload and fmt.overload_msb and not fmt.pid_off,
        data=body,
    )
    raw = encode_dto(dto, fmt, order, first_odt=first)
    assert decode_dto(raw, fmt, order, first_odt=first) == dto
    assert len(raw) == (fmt.first_header_size if first else fmt.header_size) + len(body)


@given(raw=st.binary(max_size=12), fmt=formats, first=st.sampled_from([None, True, False]))
@settings(deadline=None, max_examples=200)
def test_any_dto_is_survived(raw, fmt, first):
    try:
        dto = decode_dto(raw, fmt, first_odt=first)
    except WireError:
        assert len(raw) < fmt.first_header_size
        return
    assert raw.endswith(dto.data)


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    mode=st.integers(0, 2),
    count=st.integers(1, 4),
    data=st.data(),
)
@settings(deadline=None, max_examples=80)
def test_packed_round_trip(sizes, mode, count, data):
    per_entry = count if mode else 1
    samples = [
        [data.draw(st.binary(min_size=s, max_size=s)) for _ in range(per_entry)] for s in sizes
    ]
    raw = join_packed(samples, mode)
    assert split_packed(raw, sizes, mode, count) == samples
    with pytest.raises(WireError):
        split_packed(raw[:-1], sizes, mode, count)
