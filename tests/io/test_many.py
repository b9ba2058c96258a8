"""Many datagrams with one call: what is sent comes, whole, in order and side by side."""

from __future__ import annotations

import random
import socket
import sys

import numpy as np
import pytest

from xcaliper.transport.many import MOST_BYTES, ManyDatagrams
from xcaliper.transport.udp import UdpTransport

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="recvmmsg is a call of Linux")
UDP_SEGMENT = 103


@pytest.fixture
def pair():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.0.0.1", 0))
        sender.connect(receiver.getsockname())
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        yield sender, receiver


def made() -> ManyDatagrams:
    many = ManyDatagrams.if_possible()
    assert many is not None
    return many


def texts(lengths: list[int], seed: int = 0) -> list[bytes]:
    rng = random.Random(seed)
    return [rng.randbytes(length) for length in lengths]


@pytest.mark.parametrize("seed", range(20))
def test_all_of_it_in_order_whatever_the_lengths(pair, seed: int) -> None:
    sender, receiver = pair
    rng = random.Random(seed)
    usual = rng.choice([1, 60, 700, 1400])
    many = made()
    buffer = memoryview(bytearray(1 << 20))
    for round_number in range(4):
        lengths = [
            usual if rng.random() < 0.7 else rng.randrange(0, 2 * usual + 1)
            for _ in range(rng.randrange(1, 90))
        ]
        sent = texts(lengths, seed + round_number)
        for one in sent:
            sender.send(one)
        found, left = many.receive_into(receiver.fileno(), buffer, 1 << 19)
        assert not left
        assert found == lengths
        assert bytes(buffer[: sum(lengths)]) == b"".join(sent)


def test_nothing_waits(pair) -> None:
    _, receiver = pair
    assert made().receive_into(receiver.fileno(), memoryview(bytearray(100)), 50) == ([], [])


def test_it_stops_behind_the_limit_and_goes_on(pair) -> None:
    sender, receiver = pair
    sent = texts([100] * 50)
    for one in sent:
        sender.send(one)
    many = made()
    many.note(100)
    buffer = memoryview(bytearray(70_000))
    found, left = many.receive_into(receiver.fileno(), buffer, 950)
    assert (found, left) == ([100] * 10, [])
    assert bytes(buffer[:1000]) == b"".join(sent[:10])
    found, left = many.receive_into(receiver.fileno(), buffer, 70_000)
    assert found == [100] * 40
    assert bytes(buffer[:4000]) == b"".join(sent[10:])


def test_a_datagram_of_the_largest_size_is_not_cut_off(pair) -> None:
    sender, receiver = pair
    sent = texts([10, 65_507, 10, 0, 3])
    for one in sent:
        sender.send(one)
    many = made()
    many.note(10)
    buffer = memoryview(bytearray(1 << 18))
    assert many.receive_into(receiver.fileno(), buffer, 1 << 17)[0] == [10, 65_507, 10, 0, 3]
    assert bytes(buffer[:65_530]) == b"".join(sent)
    assert not many.is_worth_it, f"longer than {MOST_BYTES}"


def test_what_finds_no_room_is_handed_over(pair) -> None:
    sender, receiver = pair
    sent = texts([10, 60, 60, 10])
    for one in sent:
        sender.send(one)
    many = made()
    many.note(10)
    buffer = memoryview(bytearray(100))
    found, left = many.receive_into(receiver.fileno(), buffer, 100)
    assert found == [10, 60]
    assert bytes(buffer[:70]) == sent[0] + sent[1]
    assert left == sent[2:]


def test_a_socket_that_failed_says_so(pair) -> None:
    _, receiver = pair
    receiver.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        made().receive_into(99_999, memoryview(bytearray(100)), 50)


def test_a_slave_that_is_gone_is_told(pair) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    transport = UdpTransport("127.0.0.1", port)
    assert transport._many is not None
    transport._many.note(8)
    transport.send(b"hello")
    buffer = memoryview(bytearray(1 << 17))
    with pytest.raises(ConnectionRefusedError):
        transport.poll_into(buffer, 1000)
    transport.close()


def drained(transport: UdpTransport, buffer: memoryview) -> bytes:
    size = sum(size for size, _ in transport.poll_into(buffer, len(buffer) - 70_000))
    return bytes(buffer[:size])


@pytest.fixture
def transport():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as slave:
        slave.bind(("127.0.0.1", 0))
        transport = UdpTransport("127.0.0.1", slave.getsockname()[1], receive_buffer=8 << 20)
        transport.send(b"?")
        _, master = slave.recvfrom(10)
        slave.connect(master)
        yield transport, slave
        transport.close()


def joining(transport):
    """Both ends while the system joins datagrams."""
    link, slave = transport
    link.set_batching(on=True)
    if not link.joining:
        pytest.skip("only newer kernels of Linux join datagrams (UDP_GRO)")
    return link, slave


def test_joining_is_given_up_where_nothing_is_joined(transport) -> None:
    link, slave = joining(transport)
    buffer = memoryview(bytearray(2 << 20))
    datagram = np.arange(1400, dtype=np.uint16).astype(np.uint8).tobytes()
    size = 0
    for _ in range(400):
        for _ in range(20):
            slave.send(datagram)
        found = drained(link, buffer)
        size += len(found)
        assert found == datagram * 20
        link.set_batching(on=True)  # as the pump does with every busy tick
    assert size > 5 << 20
    assert not link.joining
    assert not link.may_join
    link.set_batching(on=False)
    link.set_batching(on=True)
    assert link.joining, "the next measurement tries again"


def test_joining_goes_on_where_it_helps(transport) -> None:
    link, slave = joining(transport)
    buffer = memoryview(bytearray(2 << 20))
    ancillary = [(socket.IPPROTO_UDP, UDP_SEGMENT, (100).to_bytes(2, sys.byteorder))]
    data = texts([3000])[0]
    for _ in range(2000):
        slave.sendmsg([data], ancillary)
        assert drained(link, buffer) == data
    assert link.joining


def test_what_was_joined_before_the_end_still_comes(transport) -> None:
    link, slave = joining(transport)
    ancillary = [(socket.IPPROTO_UDP, UDP_SEGMENT, (100).to_bytes(2, sys.byteorder))]
    data = texts([300])[0]
    slave.sendmsg([data], ancillary)
    link.set_batching(on=False)
    buffer = memoryview(bytearray(1 << 18))
    assert drained(link, buffer) == data
    assert not link.may_join
    slave.send(bytes(20))
    assert link.poll_into(buffer, 1000) == [(20, 0)]


def test_what_found_no_room_comes_before_what_is_newer(transport) -> None:
    link, slave = transport
    sent = texts([4000] * 64)
    slave.send(bytes(100))
    drained(link, memoryview(bytearray(1 << 18)))  # now it knows datagrams of 100 bytes
    for one in sent:
        slave.send(one)
    first = drained(link, memoryview(bytearray(80_000)))
    slave.send(b"newest")
    assert len(first) < sum(map(len, sent))
    assert first + b"".join(link.receive() for _ in range(64 - len(first) // 4000)) == b"".join(
        sent
    )
    assert link.receive() == b"newest"
    assert link.poll(1000) == []
    assert not link.may_join, "nothing is left over"
