"""Samples from a socket through the framed decoder: both tiers, commands in between, change-overs."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import sys
import threading
import time
from functools import cache

import numpy as np
import pytest

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import LinkError
from xcaliper.core.ticks import TickClock
from xcaliper.daq import DaqPlan, EventChannel, Raster
from xcaliper.daq.framed import FramedDecoder
from xcaliper.proto.procedure import ask
from xcaliper.transport import drain
from xcaliper.transport.pump import Link
from xcaliper.transport.tcp import TcpTransport
from xcaliper.transport.udp import UdpTransport, has_gro
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.profile import DtoFormat
from xcaliper.xcp.std import Connect, ShortUpload

UDP_SEGMENT = 103
SIZES = (20, 30)
CONNECTED = bytes((0xFF, 0x04, 0x80, 0xFF, 0xFF, 0x00, 1, 1))


@cache
def compiled():
    pytest.importorskip("numba", reason="the extra fast is not installed")
    return drain.compile_drain()


def kernel_of(tier: str):
    return compiled() if tier == "compiled" else None


def plan() -> DaqPlan:
    rasters, setups = [], []
    for index in range(2):
        event = EventChannel(index, f"e{index}", 1_000_000)
        dtype = np.dtype([(f"s{index}", "u1", (sum(SIZES),))])
        rasters.append(Raster(index, event.name, event, index, 1, dtype, SIZES))
        odts = tuple(OdtSetup((OdtEntry(Address(0), size),)) for size in SIZES)
        setups.append(DaqListSetup(index, index, odts))
    return DaqPlan(
        tuple(setups), tuple(rasters), DtoFormat(1, 4), ByteOrder.INTEL, TickClock(1, 3, 4), 255
    )


class Slave:
    """The other end of the socket; it says everything before it is asked."""

    def __init__(self, kind: str) -> None:
        self.stream = kind == "tcp"
        self._ctr = 0
        self._samples = 0
        style = socket.SOCK_STREAM if self.stream else socket.SOCK_DGRAM
        self._bound = socket.socket(socket.AF_INET, style)
        self._bound.bind(("127.0.0.1", 0))
        port = self._bound.getsockname()[1]
        if self.stream:
            self._bound.listen(1)
            self.transport = TcpTransport("127.0.0.1", port)
            self.sock, _ = self._bound.accept()
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.transport = UdpTransport("127.0.0.1", port)
            self.sock = self._bound
            self.sock.connect(self.transport._sock.getsockname())

    def close(self) -> None:
        self.sock.close()
        self._bound.close()

    def message(self, packet: bytes) -> bytes:
        self._ctr += 1
        return struct.pack("<HH", len(packet), (self._ctr - 1) & 0xFFFF) + packet

    def sample(self) -> list[bytes]:
        """Messages of the next sample; lists take turns."""
        number = self._samples
        self._samples += 1
        first = bytes((0, number % 2)) + struct.pack("<I", 1000 * number)
        body = [bytes([number & 0xFF]) * size for size in SIZES]
        return [self.message(first + body[0]), self.message(bytes((1, number % 2)) + body[1])]

    def send(self, data: bytes) -> None:
        self.sock.sendall(data) if self.stream else self.sock.send(data)

    def send_samples(self, count: int) -> None:
        for _ in range(count):
            self.send(b"".join(self.sample()))

    def answer(self, packet: bytes) -> None:
        self.send(self.message(packet))


@contextlib.contextmanager
def linked(kind: str):
    slave = Slave(kind)
    with contextlib.ExitStack() as stack:
        stack.callback(slave.close)
        link = Link(slave.transport, MasterMachine(), threaded=False)
        stack.callback(link.transport.close)
        slave.answer(CONNECTED)
        link.run(ask(Connect()))
        yield slave, link


def poll_often(link: Link) -> None:
    for _ in range(20):
        link.poll()


def values(blocks) -> list[int]:
    """First byte of every row in the order of the time axis."""
    rows = [(t, row[0][0]) for b in blocks for t, row in zip(b.t_ns.tolist(), b.rows, strict=True)]
    return [int(value) for _, value in sorted(rows, key=lambda one: one[0])]


@pytest.mark.parametrize("tier", ["numpy", "compiled"])
@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_nothing_is_lost_between_commands_and_at_either_end(kind: str, tier: str) -> None:
    kernel = kernel_of(tier)
    with linked(kind) as (slave, link):
        decoder = FramedDecoder(
            plan(), kernel=lambda: kernel, control=drain.control_block(), period_ns=0
        )
        blocks = []
        link.start_blocks(decoder, blocks.extend)
        slave.send_samples(100)
        for _ in range(10):
            link.poll()
        for number in range(20):  # answers behind samples, as a busy slave sends them
            slave.send_samples(5)
            slave.answer(bytes((0xFF, number)))
            assert link.short_upload(0x1000, 1) == bytes([number])
        half = slave.sample()
        slave.send(half[0])
        link.stop_daq()
        assert decoder.tier == tier
        assert values(blocks) == list(range(200))
        assert link.daq_received == 401
        # the packet path goes on where the decoder ended
        batches = []
        link.start_daq(batches.append)
        slave.send(half[1])
        slave.send_samples(3)
        for _ in range(5):
            link.poll()
        link.stop_daq()
        assert sum(len(batch.packets) for batch in batches) == 7
        assert link.lost_messages == 0
        assert decoder.finish().incomplete == 1


@pytest.mark.parametrize("tier", ["numpy", "compiled"])
def test_an_answer_behind_a_full_buffer_takes_few_receives(tier: str) -> None:
    kernel = kernel_of(tier)
    with linked("udp") as (slave, link):
        decoder = FramedDecoder(
            plan(), kernel=lambda: kernel, control=drain.control_block(), period_ns=0
        )
        blocks = []
        link.start_blocks(decoder, blocks.extend)
        receives = []
        receive = slave.transport.receive

        def counted() -> bytes:
            receives.append(1)
            return receive()

        slave.transport.receive = counted
        slave.send_samples(600)
        slave.answer(b"\xff\x2a")
        assert link.short_upload(0x1000, 1) == b"\x2a"
        slave.send_samples(600)
        slave.answer(b"\xff\x2b")
        assert link.run(ask(ShortUpload(count=1, address=0x1000))).data == b"\x2b"
        assert len(receives) < 20
        slave.transport.receive = receive
        link.stop_daq()
        assert values(blocks) == [number & 0xFF for number in range(1200)]


def test_threads_take_turns_more_often_only_while_a_busy_one_delays_data() -> None:
    before = sys.getswitchinterval()
    with linked("udp") as (slave, _):
        for may_hurry, expected in ((True, True), (False, False)):
            now = [0]
            link = Link(
                slave.transport,
                MasterMachine(),
                threaded=False,
                may_hurry=may_hurry,
                clock=lambda now=now: now[0],
            )
            link.start_daq(lambda _: None)
            seen = []
            for _ in range(5):
                slave.send_samples(3000)
                now[0] += 20_000_000  # the pump comes late
                link._tick()
                seen.append(sys.getswitchinterval() < before)
            link.stop_daq()
            assert any(seen) is expected
            assert sys.getswitchinterval() == before


@pytest.mark.parametrize("tier", ["numpy", "compiled"])
def test_joined_datagrams_are_taken_apart(tier: str) -> None:
    if not has_gro():
        pytest.skip("only Linux joins datagrams")
    kernel = kernel_of(tier)
    with linked("udp") as (slave, link):
        decoder = FramedDecoder(
            plan(), kernel=lambda: kernel, control=drain.control_block(), period_ns=0
        )
        blocks = []
        link.start_blocks(decoder, blocks.extend)
        link.transport.set_batching(on=True)
        samples = [b"".join(slave.sample()) for _ in range(100)]
        damaged = samples[40][:-3]
        slave.sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, len(samples[0]))
        slave.send(b"".join(samples[:40]) + damaged)  # the last of joined ones may be shorter
        slave.send(b"".join(samples[41:]))
        for _ in range(5):
            link.poll()
        link.stop_daq()
        assert values(blocks) == [*range(40), *range(41, 100)]
        assert link.malformed == 1
        assert link.lost_messages == 1
        assert decoder.quality.incomplete == 1


@pytest.mark.parametrize("tier", ["numpy", "compiled"])
def test_a_stream_that_ends_is_told(tier: str) -> None:
    kernel = kernel_of(tier)
    with linked("tcp") as (slave, link):
        decoder = FramedDecoder(
            plan(), kernel=lambda: kernel, control=drain.control_block(), period_ns=0
        )
        blocks = []
        link.start_blocks(decoder, blocks.extend)
        slave.send_samples(10)
        slave.sock.shutdown(socket.SHUT_WR)
        with pytest.raises(LinkError, match="closed the connection"):
            poll_often(link)
        link.stop_daq()
        assert values(blocks) == list(range(10))


@pytest.mark.parametrize("tier", ["numpy", "compiled"])
def test_an_overload_that_the_slave_tells_of_marks_the_gap(tier: str) -> None:
    kernel = kernel_of(tier)
    with linked("udp") as (slave, link):
        decoder = FramedDecoder(
            plan(), kernel=lambda: kernel, control=drain.control_block(), period_ns=0
        )
        blocks = []
        link.start_blocks(decoder, blocks.extend)
        slave.send_samples(10)
        link.poll()
        slave.answer(b"\xfd\x06")
        slave._samples += 20
        slave.send_samples(10)
        for _ in range(3):
            link.poll()
        link.stop_daq()
        gaps = [gap for block in blocks for gap in block.gaps]
        assert {gap.reason for gap in gaps} == {"overload"}
        assert decoder.quality.overloads == 1
        assert [event.name for event in link.events()] == ["EV_DAQ_OVERLOAD"]


def test_blocks_that_nobody_takes_are_counted_and_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xcaliper.daq.ready_blocks.MOST_BYTES", 1000)
    from xcaliper.xcp.framing.eth import DatagramReader

    decoder = FramedDecoder(plan(), period_ns=0)
    decoder.attach(DatagramReader())
    with linked("udp") as (slave, _):
        for _ in range(60):
            decoder.feed_bytes(b"".join(slave.sample()), 0)
        kept = decoder.take_ready()
        assert 0 < len(kept) < 60
        for _ in range(2):
            decoder.feed_bytes(b"".join(slave.sample()), 0)
        late = decoder.take_ready()
    assert decoder.dropped == 60 - len(kept)
    marked = [gap for block in late for gap in block.gaps]
    assert sum(gap.lost for gap in marked) == decoder.dropped
    assert {gap.reason for gap in marked} == {"queue"}


@cache
def resident():
    if sys.platform != "linux":
        pytest.skip("only Linux has the receive that stays")
    return drain.compile_reside(compiled())


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_the_pump_stays_in_the_receive_until_somebody_needs_the_link(kind: str) -> None:
    kernel, staying, stays = compiled(), resident(), []

    def counted(*args) -> int:
        stays.append(1)
        return staying(*args)

    slave = Slave(kind)
    slave.sock.settimeout(10)

    def answer() -> None:
        uploads = itertools.count()
        while (command := slave.sock.recv(100)[4]) != 0xFE:  # DISCONNECT
            slave.answer(CONNECTED if command == 0xFF else bytes((0xFF, next(uploads))))
        slave.answer(b"\xff")

    answering = threading.Thread(target=answer)
    answering.start()
    with contextlib.closing(slave), Link(slave.transport, MasterMachine()) as link:
        link.run(ask(Connect()))
        link.short_upload(0x1000, 1)
        decoder = FramedDecoder(
            plan(), kernel=lambda: kernel, resident=lambda: counted, control=drain.control_block()
        )
        assert decoder.is_patient
        blocks, answers = [], []
        link.start_blocks(decoder, blocks.extend)
        for number in range(40):
            slave.send_samples(20)
            if number % 4 == 0:
                before = len(stays)
                while len(stays) == before:  # the pump is in there
                    time.sleep(0.001)
                answers.append(link.short_upload(0x1000, 1)[0])
        slave.answer(b"\xfd\x06")
        while not link.events():  # an event ends a stay, too
            time.sleep(0.001)
        link.stop_daq()
        assert values(blocks) == [number & 0xFF for number in range(800)]
        assert answers == list(range(1, 11))
        assert decoder.finish().overloads == 1
        link.close()
        answering.join(10)


def test_the_end_of_a_stream_ends_the_stay() -> None:
    kernel, staying = compiled(), resident()
    with linked_threaded() as (slave, link):
        decoder = FramedDecoder(
            plan(), kernel=lambda: kernel, resident=lambda: staying, control=drain.control_block()
        )
        blocks = []
        link.start_blocks(decoder, blocks.extend)
        slave.send_samples(50)
        slave.sock.close()
        deadline = time.monotonic() + 10
        while link.failure is None and time.monotonic() < deadline:
            time.sleep(0.001)
        assert "closed" in str(link.failure)
        link.stop_daq()
        assert values(blocks) == list(range(50))


@contextlib.contextmanager
def linked_threaded():
    slave = Slave("tcp")
    with contextlib.closing(slave), Link(slave.transport, MasterMachine()) as link:
        slave.answer(CONNECTED)
        link.run(ask(Connect()))
        slave.sock.recv(100)
        yield slave, link


def test_a_full_storage_ends_the_stay_and_is_handed_out_once() -> None:
    """Rows that are left over when a storage is full wait for the next stay."""
    kernel, staying = compiled(), resident()
    with linked("udp") as (slave, link):
        decoder = FramedDecoder(
            plan(),
            kernel=lambda: kernel,
            resident=lambda: staying,
            control=drain.control_block(),
            storage_bytes=4096,
        )
        blocks = []
        link.start_blocks(decoder, blocks.extend)
        count = 2 * 50 + 10
        slave.send_samples(count)
        begin = time.monotonic_ns()
        size, ended, others = decoder.drain(
            link.transport.fileno(), 1 << 20, begin, until_ns=begin + 10_000_000_000
        )
        took = time.monotonic_ns() - begin
        assert size
        assert not ended
        assert not others
        assert took < 5_000_000_000, "it stayed although the storage was full"
        link.stop_daq()
        assert values(blocks) == list(range(count))
