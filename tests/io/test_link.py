"""Links over real sockets: the ordinary way, both transports, both IP versions."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from support.served import (
    BASE,
    CONTENT,
    TalkativeSlave,
    linked,
    message,
    open_link,
    scripted,
    serving,
    slave,
    tcp_server,
    udp_server,
    wait_for,
)
from xcaliper.core.errors import AccessDeniedError, LinkError, LocalProtocolError, UsageError
from xcaliper.proto.procedure import ask
from xcaliper.transport.udp import UdpTransport, has_gro
from xcaliper.xcp.std import Connect, GetStatus, ShortUpload, UserCmd

if TYPE_CHECKING:
    from xcaliper.core.frames import DtoBatch


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


HOSTS = [
    "127.0.0.1",
    pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="no ::1 here")),
]


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
@pytest.mark.parametrize("host", HOSTS)
def test_commands_reach_the_slave_and_the_session_ends(scheme: str, host: str) -> None:
    with linked(scheme, host=host) as (link, server):
        assert link.run(ask(GetStatus())).session_status.daq_running == 0
        assert link.short_upload(BASE + 16, 4) == CONTENT[16:20]
        assert link.short_upload(BASE, 254) == CONTENT[:254]
        with pytest.raises(AccessDeniedError):
            link.short_upload(0x9000, 4)
        assert link.short_upload(BASE + 1, 1) == CONTENT[1:2]
        assert link.lost_messages == 0
        assert server.machine.connected
        link.close()
        wait_for(lambda: not server.machine.connected)


def test_wrong_sizes_and_addresses_are_refused_before_sending() -> None:
    with linked() as (link, server):
        served = server.machine.counters.commands
        for address, size, extension in (
            (BASE, 0, 0),
            (BASE, 255, 0),
            (BASE, -1, 0),
            (1 << 32, 4, 0),
            (-1, 4, 0),
            (BASE, 4, 256),
        ):
            with pytest.raises(UsageError):
                link.short_upload(address, size, extension)
        assert server.machine.counters.commands == served


def test_short_upload_of_motorola_words() -> None:
    from xcaliper.core.datatypes import ByteOrder

    with linked(
        machine=slave(byte_order=ByteOrder.MOTOROLA, ag=2, max_cto=254, granularity_odt_entry=2)
    ) as (link, _):
        with pytest.raises(UsageError, match="granularity"):
            link.short_upload(BASE, 3)
        expected = link.run(ask(ShortUpload(count=3, address=BASE))).data
        assert link.short_upload(BASE, 6) == expected


class Numbers:
    """A sink that checks that nothing is missing, doubled or out of order."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.lost: list[tuple[int, int]] = []

    def __call__(self, batch: DtoBatch) -> None:
        self.lost += [(len(self.numbers) + at, missing) for at, missing in batch.lost]
        self.numbers += [int.from_bytes(packet[1:5], "little") for packet in batch.packets]


def burst(count: int) -> UserCmd:
    return UserCmd(sub_command=0, parameters=count.to_bytes(4, "little"))


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_packets_gathered_into_datagrams_arrive_whole_and_in_order(scheme: str) -> None:
    sink = Numbers()
    with linked(scheme, TalkativeSlave()) as (link, _):
        link.start_daq(sink)
        for _ in range(20):
            link.run(ask(burst(100)))
            assert link.short_upload(BASE, 4) == CONTENT[:4]
        link.stop_daq()
        assert sink.numbers == list(range(2000))
        assert sink.lost == []
        assert link.lost_messages == 0


def test_idle_link_delivers_by_its_pump() -> None:
    sink = Numbers()
    with linked("udp", TalkativeSlave()) as (link, _server):
        link.start_daq(sink)
        link.run(ask(burst(0)))
        with pytest.raises(UsageError):
            link.start_daq(sink)
        link.run(ask(burst(50)))
        wait_for(lambda: len(sink.numbers) == 50)
        link.stop_daq()
        link.run(ask(burst(10)))
        wait_for(lambda: link.daq_stray == 10)


@pytest.mark.skipif(not has_gro(), reason="the system cannot join datagrams")
def test_joined_datagrams_are_told_apart() -> None:
    slave_machine = TalkativeSlave(dto_size=1400)
    with serving(udp_server(slave_machine, limit=1472)) as server, contextlib.ExitStack() as stack:
        host, port = server.ports[0].address
        transport = stack.enter_context(contextlib.closing(UdpTransport(host, port)))
        transport.set_batching(on=True)
        assert transport.joining
        transport.set_wait(1_000_000_000)
        transport.send(message(0, b"\xff\x00"))
        assert transport.receive()[4] == 0xFF
        transport.send(message(1, b"\xf1\x00" + (40).to_bytes(4, "little")))
        found = [transport.receive()]
        end = time.monotonic() + 5
        while len(found) < 40 and time.monotonic() < end:
            found += transport.poll(1 << 20)
        assert [len(datagram) for datagram in found] == [5 + 1404] + [1404] * 39
        assert [datagram[5] for datagram in found[1:]] == list(range(1, 40))


def test_much_daq_is_taken_in_joined_datagrams_and_commands_go_on() -> None:
    sink = Numbers()
    with linked("udp", TalkativeSlave(dto_size=1300)) as (link, server):
        link.start_daq(sink)
        for count in range(1, 41):
            link.submit(ask(burst(60))).result(5)
            wait_for(lambda count=count: link.daq_received == 60 * count)
            assert link.short_upload(BASE + count, 4) == CONTENT[count : count + 4]
        assert link.transport.joining == has_gro()
        link.stop_daq()
        assert not link.transport.joining
        assert sink.numbers == list(range(2400))
        assert link.short_upload(BASE, 4) == CONTENT[:4]
        assert link.lost_messages == 0
        assert server.counters.broken == 0


def test_gaps_are_marked_where_they_are_and_carry_their_time() -> None:
    def answer(data: bytes) -> list[bytes]:
        if data[4] == 0xFF:
            return [message(0, bytes.fromhex("ff0500ffbc050101"))]
        if data[4] != 0xF1:
            return [message(10, b"\xff")]
        dtos = [(1, 0), (2, 1), (6, 2), (7, 3)]
        return [
            *(message(ctr, b"\x01" + bytes((number, 0, 0, 0))) for ctr, number in dtos),
            message(8, b"\xff") + message(9, b"\x01\x04\x00\x00\x00"),
        ]

    sink = Numbers()
    with scripted(answer) as url, open_link(url) as link:
        link.run(ask(Connect()))
        link.start_daq(sink)
        before = time.monotonic_ns()
        link.run(ask(burst(0)))
        link.stop_daq()
        assert sink.numbers == [0, 1, 2, 3, 4]
        assert sink.lost == [(2, 3)]
        assert link.lost_messages == 3
        (gap,) = link.gaps
        assert gap.missing == 3
        assert before <= gap.t_from_ns <= gap.t_to_ns <= time.monotonic_ns()


def test_two_links_in_one_process_do_not_disturb_each_other() -> None:
    with linked("udp") as (first, _), linked("tcp") as (second, server):
        for _ in range(50):
            assert first.short_upload(BASE, 4) == second.short_upload(BASE, 4)
        first.close()
        assert second.short_upload(BASE + 8, 2) == CONTENT[8:10]
        assert server.machine.connected


def test_threads_submit_and_ask_while_daq_runs() -> None:
    sink = Numbers()
    with linked("udp", TalkativeSlave()) as (link, _):
        link.start_daq(sink)
        stop = threading.Event()
        answered = [0, 0]

        def hammer(which: int) -> None:
            while not stop.is_set():
                at = answered[which] % 200
                assert link.short_upload(BASE + at, 4) == CONTENT[at : at + 4]
                answered[which] += 1

        with ThreadPoolExecutor(3) as pool:
            hammers = [pool.submit(hammer, which) for which in (0, 1)]
            try:
                futures = [link.submit(ask(burst(20))) for _ in range(50)]
                for future in futures:
                    future.result(timeout=10)
            finally:
                stop.set()
            for future in hammers:
                future.result(timeout=10)
        wait_for(lambda: link.daq_received == 1000)
        link.stop_daq()
        assert sink.numbers == list(range(1000))
        assert link.lost_messages == 0
        assert min(answered) > 20, "a caller in a tight loop kept the others out"


def test_sink_that_raises_is_reported_at_stop_and_the_link_goes_on() -> None:
    def sink(batch: DtoBatch) -> None:
        raise ZeroDivisionError("sink")

    with linked("udp", TalkativeSlave()) as (link, _):
        link.start_daq(sink)
        link.run(ask(burst(5)))
        wait_for(lambda: link.daq_received == 5)
        with pytest.raises(ZeroDivisionError):
            link.stop_daq()
        link.stop_daq()
        assert link.short_upload(BASE, 4) == CONTENT[:4]
        assert link.submit(ask(burst(0))).result(5) is not None


def test_sink_cannot_lock_up_the_link() -> None:
    caught: list[BaseException] = []

    with linked("udp", TalkativeSlave()) as (link, _):

        def sink(batch: DtoBatch) -> None:
            try:
                link.run(ask(burst(0)))
            except LocalProtocolError as error:
                caught.append(error)

        link.start_daq(sink)
        link.submit(ask(burst(5))).result(5)
        link.stop_daq()
        assert link.short_upload(BASE, 4) == CONTENT[:4]


def test_second_tcp_client_is_turned_away_and_the_first_goes_on() -> None:
    with linked("tcp") as (link, server):
        with socket.create_connection(server.ports[0].address, timeout=5) as other:
            assert other.recv(1) == b""
        assert link.short_upload(BASE, 4) == CONTENT[:4]
        assert server.counters.refused == 1


def test_tcp_server_serves_one_client_after_another() -> None:
    with serving(tcp_server(slave())) as server:
        for _ in range(5):
            with open_link(server.url) as link:
                link.run(ask(Connect()))
                assert link.short_upload(BASE, 4) == CONTENT[:4]
            wait_for(lambda: not server.machine.connected)


def test_unknown_host_and_used_port_are_named() -> None:
    with serving(udp_server(slave())) as server:
        used = server.ports[0].address[1]
        with pytest.raises(LinkError, match=str(used)):
            udp_server(slave(), "127.0.0.1", used)
    with pytest.raises(UsageError, match="host"):
        open_link("udp://no.such.host.invalid:5555")


def test_answers_go_to_whoever_asked_when_masters_change() -> None:
    with serving(udp_server(slave())) as server, contextlib.ExitStack() as stack:
        for at in range(0, 40, 4):
            link = stack.enter_context(open_link(server.url))
            link.run(ask(Connect()))
            assert link.short_upload(BASE + at, 4) == CONTENT[at : at + 4]
            assert link.lost_messages == 0


def test_small_limit_spreads_messages_over_datagrams() -> None:
    sink = Numbers()
    for segmentation in (False, True):
        sink.numbers.clear()
        with linked("udp", TalkativeSlave(), limit=100, segmentation=segmentation) as (link, _):
            link.start_daq(sink)
            link.run(ask(burst(300)))
            wait_for(lambda link=link: link.daq_received == 300)
            link.stop_daq()
        assert sink.numbers == list(range(300))
