"""Any bytes into either machine: no foreign exception, no growth."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pair.link import RAM, PagedMemory, config
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.proto.procedure import ask
from xcaliper.wire.codec import encode
from xcaliper.xcp import std
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures.connect import Session, connect
from xcaliper.xcp.procedures.memory import read, write
from xcaliper.xcp.profile import Profile
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.table import COMMANDS

CODES = sorted({info.code for info in COMMANDS})
command_like = st.builds(
    lambda info, rest: info.prefix + rest,
    st.sampled_from(list(COMMANDS)),
    st.binary(max_size=24),
)
near_ram = st.builds(
    lambda code, n, at: bytes((code, n, 0, 0)) + (RAM.value + at).to_bytes(4, "little"),
    st.sampled_from([0xF6, 0xF4, 0xED, 0xF3, 0xE1]),
    st.integers(0, 255),
    st.integers(0, 0x5000),
)
packets = st.lists(st.one_of(st.binary(max_size=80), command_like, near_ram), max_size=60)


@settings(deadline=None, max_examples=150)
@given(packets, st.sampled_from([1, 2, 4]), st.integers(0, 3))
def test_any_bytes_into_the_slave(received: list[bytes], ag: int, kind: int) -> None:
    slave = SlaveMachine(
        config(ag=ag, granularity_odt_entry=ag, identification_field=kind, queue_size=64),
        PagedMemory(ag),
    )
    slave.receive(b"\xff\x00", 0)
    for number, packet in enumerate(received):
        slave.receive(packet, number)
        slave.event(number % 3, number)
    out = slave.outgoing()
    assert all(0 < len(packet) <= 128 for packet in out)
    assert len(out) <= 64 + 1 + 9 * len(received)
    commands = slave.counters.commands
    assert commands + slave.counters.ignored == len(received) + 1


@settings(deadline=None, max_examples=50)
@given(st.lists(command_like, min_size=1, max_size=30))
def test_the_slave_does_not_grow_when_nobody_drains(received: list[bytes]) -> None:
    slave = SlaveMachine(config(queue_size=32), PagedMemory())
    slave.receive(b"\xff\x00", 0)
    for number in range(6000):
        slave.receive(received[number % len(received)], 0)
        slave.receive(b"\xff\x00", 0)
    assert len(slave.outgoing()) <= 32 + 4096 + 300


answers = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda pid, rest: bytes((pid,)) + rest, st.integers(0xFC, 0xFF), st.binary(max_size=20)
    ),
    st.sampled_from([b"\xff", b"\xfe\x00", b"\xfe\x10", b"\xfd\x05", b"\xfd\x07"]),
)
feeds = st.lists(st.one_of(answers, st.integers(0, 5_000_000_000)), max_size=80)
session = Session(profile=Profile(max_cto=32, max_dto=32), max_bs=4)


@settings(deadline=None, max_examples=300)
@given(feeds, st.integers(0, 3))
def test_any_bytes_into_the_master(feed: list[bytes | int], choice: int) -> None:
    master = MasterMachine()
    now_ns = 0

    def procedure():
        if choice == 0:
            return connect()
        if choice == 1:
            return read(session, Address(0), 300)
        if choice == 2:
            return write(session, Address(0), bytes(100))
        return ask(std.GetStatus())

    ready = master.start(ask(std.Connect()), now_ns)
    master.receive(bytes.fromhex("ff1dc02020000101"), now_ns)  # MAX_CTO and MAX_DTO 32
    assert ready.done()
    master.outgoing()
    running = master.start(procedure(), now_ns)
    for item in feed:
        if running.done():
            running = master.start(procedure(), now_ns)
        if isinstance(item, bytes):
            master.receive(item, now_ns)
        else:
            now_ns += item
            master.on_time(now_ns)
        assert len(master.outgoing()) <= 64
    for _ in range(1000):
        if running.done():
            break
        due = master.due()
        assert due is not None
        now_ns = max(now_ns, due)
        master.on_time(now_ns)
        master.outgoing()
    assert running.done()
    assert len(master.events()) <= 1024


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 0xFFFF), st.integers(1, 200))
def test_what_the_slave_serves_is_what_it_holds(offset: int, count: int) -> None:
    slave = SlaveMachine(config(max_cto=252), PagedMemory())
    slave.receive(b"\xff\x00", 0)
    slave.outgoing()
    slave.receive(encode(std.ShortUpload(count=count, address=RAM.value + offset)), 0)
    (answer,) = slave.outgoing()
    inside = offset + count <= 0x4000
    expected = bytes((offset + i) & 0xFF for i in range(count))
    assert answer == (b"\xff" + expected if inside else b"\xfe\x24")


@settings(deadline=None, max_examples=200)
@given(
    st.integers(0, 0xFFFF_FFFF) | st.integers(0, 0x5000).map(lambda at: RAM.value + at),
    st.lists(st.integers(0, 255), min_size=1, max_size=3),
    st.integers(0, 1),
    st.sampled_from([1, 2, 4]),
    st.tuples(st.booleans(), st.booleans(), st.sampled_from(["SHORT_UPLOAD", "UPLOAD", "GET_ID"])),
)
def test_the_short_way_answers_what_the_handler_does(
    address: int, counts: list[int], extension: int, ag: int, case: tuple[bool, bool, str]
) -> None:
    motorola, blocks, name = case
    order = ByteOrder.MOTOROLA if motorola else ByteOrder.INTEL
    settings_ = config(
        ag=ag,
        granularity_odt_entry=ag,
        byte_order=order,
        max_cto=64,
        slave_block_mode=blocks,
        ids={1: bytes(range(200)) * 2},
    )
    if name == "SHORT_UPLOAD":
        first, reads = (
            encode(std.GetStatus(), order),
            [
                encode(
                    std.ShortUpload(count=n, address=address, address_extension=extension), order
                )
                for n in counts
            ],
        )
    else:
        text = encode(std.GetId(identification_type=1), order)
        mta = encode(std.SetMta(address=address, address_extension=extension), order)
        first = text if name == "GET_ID" else mta
        reads = [encode(std.Upload(count=n), order) for n in counts]
    results = []
    for fill in (b"", b"\0"):  # a longer packet takes the general way
        slave = SlaveMachine(settings_, PagedMemory(ag))
        for one in (b"\xff\x00", first, *(packet + fill for packet in reads)):
            slave.receive(one, 0)
        results.append((slave.outgoing(), slave.state.mta, slave.state.text, slave.counters))
    assert results[0] == results[1]
