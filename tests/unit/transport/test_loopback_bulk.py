"""Runs of UPLOADs done by the link itself, on virtual time: losses, events, DAQ, ends of streams."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.served import BASE, message
from xcaliper.core.address import Address
from xcaliper.core.errors import AccessDeniedError, ExchangeTimeoutError, LinkError, XcaliperError
from xcaliper.core.memory import SparseMemory
from xcaliper.transport.loopback import Faults, LoopbackLine, SlaveEnd
from xcaliper.transport.pump import Link
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures.connect import Session, connect
from xcaliper.xcp.procedures.memory import XcpMemory
from xcaliper.xcp.recovery import Timers
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import SlaveConfig

TIMERS = Timers.of_ms(50, 50, 50, 50, 50, 50, 10)
LONG = bytes(i * 7 & 0xFF for i in range(9000))


class Hooked(SlaveMachine):
    """A slave that says something of its own before the answer to the n-th UPLOAD."""

    def __init__(self, config: SlaveConfig, number: int, extra: list[bytes]) -> None:
        memory = SparseMemory()
        memory.add(Address(BASE), bytearray(LONG))
        super().__init__(config, memory)
        self.left = number
        self.extra = extra
        self.silent = False

    def receive(self, packet: bytes, now_ns: int) -> None:
        if self.silent:
            return
        if packet[0] == 0xF5:
            if not self.left and self.connected:
                self._out += self.extra
            self.left -= 1
        super().receive(packet, now_ns)


def made(
    line: LoopbackLine, number: int = -1, *extra: bytes, max_cto: int = 64
) -> tuple[Link, XcpMemory, Hooked]:
    machine = Hooked(SlaveConfig(max_cto=max_cto), number, list(extra))
    SlaveEnd(line, machine)
    master = MasterMachine(timers=TIMERS, attempts=20)
    link = Link(line.transport, master, threaded=False, clock=line.clock)
    session: Session = link.run(connect())
    return link, XcpMemory(session), machine


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("max_cto", [8, 64, 255])
def test_long_reads_arrive_whole(stream: bool, max_cto: int) -> None:
    line = LoopbackLine(stream=stream, seed=5)
    link, memory, machine = made(line, max_cto=max_cto)
    for size in (9000, 1000, 300):
        assert link.run(memory.read(Address(BASE), size)) == LONG[:size]
    counters = link.machine.counters
    assert (counters.timeouts, counters.stray, counters.malformed) == (0, 0, 0)
    assert machine.counters.refused == 0
    link.close()


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.02, 0.1]),
    duplicate=st.sampled_from([0.0, 0.2]),
)
def test_what_is_lost_or_doubled_never_gives_wrong_bytes(
    seed: int, loss: float, duplicate: float
) -> None:
    line = LoopbackLine(seed=seed)
    link, memory, _ = made(line)
    line.faults = Faults(loss=loss, duplicate=duplicate)
    for _ in range(3):
        try:
            assert link.run(memory.read(Address(BASE), 3000)) == LONG[:3000]
        except ExchangeTimeoutError:
            assert loss
    link.close()


@pytest.mark.parametrize(
    ("extra", "stray"),
    [
        (b"\xfd\x06", 0),  # an event is told and does not end the run
        (b"\xfc\x00", 0),
        (b"\xff\x01", 1),  # a response of another command
        (b"\xfe\x00", 1),  # a late answer to SYNCH
        (b"\x01daq", 0),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_comes_between_is_told_and_the_run_goes_on(
    stream: bool, extra: bytes, stray: int
) -> None:
    line = LoopbackLine(stream=stream, seed=1)
    link, memory, _ = made(line, 3, extra)
    assert link.run(memory.read(Address(BASE), 3000)) == LONG[:3000]
    assert len(link.events()) == (extra[0] in (0xFD, 0xFC))
    assert link.daq_stray == (extra[0] == 1)
    assert (link.machine.counters.stray > 0) is bool(stray)
    link.close()


def test_a_refusal_in_the_middle_is_that_of_the_slave() -> None:
    line = LoopbackLine()
    link, memory, _ = made(line)
    with pytest.raises(AccessDeniedError):
        link.run(memory.read(Address(BASE), 9500))
    assert link.run(memory.read(Address(BASE), 700)) == LONG[:700]
    link.close()


def test_a_session_that_ends_in_the_middle_ends_the_run() -> None:
    line = LoopbackLine()
    link, memory, _ = made(line, 4, b"\xfd\x07")
    with pytest.raises(XcaliperError, match="ended"):
        link.run(memory.read(Address(BASE), 3000))
    link.close()


def test_silence_in_the_middle_ends_in_bounded_time() -> None:
    line = LoopbackLine()
    link, memory, machine = made(line)

    original = machine.receive

    def receive(packet: bytes, now_ns: int) -> None:
        if packet[0] == 0xF5 and machine.left < -5:
            machine.silent = True
        original(packet, now_ns)

    machine.receive = receive  # type: ignore[method-assign]
    started = line.clock()
    with pytest.raises(ExchangeTimeoutError):
        link.run(memory.read(Address(BASE), 3000))
    assert line.clock() - started < 2_000_000_000
    link.close()


def test_the_callers_time_ends_a_run() -> None:
    line = LoopbackLine()
    link, memory, _ = made(line)
    with pytest.raises(ExchangeTimeoutError, match="caller"):
        link.run(memory.read(Address(BASE), 9000), timeout_s=0.0001)
    assert link.run(memory.read(Address(BASE), 700)) == LONG[:700]
    link.close()


def test_losses_beside_the_run_do_not_end_it() -> None:
    """A DAQ packet that was lost is told to the inbox; the answer behind it counts."""
    line = LoopbackLine()
    link, memory, machine = made(line)
    gaps: list[tuple[int, int]] = []
    link.start_daq(lambda batch: gaps.extend(batch.lost))
    machine._out.append(b"\x01gone")
    line.faults = Faults(loss=1.0)
    line.run_until(line.clock() + 1_000_000)
    line.faults = Faults()
    assert link.run(memory.read(Address(BASE), 3000)) == LONG[:3000]
    link.stop_daq()
    link.close()


def test_a_stream_that_ends_in_the_middle_is_a_broken_link() -> None:
    line = LoopbackLine(stream=True)
    link, memory, machine = made(line)
    original = machine.receive

    def receive(packet: bytes, now_ns: int) -> None:
        if packet[0] == 0xF5 and machine.left < -5:
            line.at(now_ns, lambda: line.transport.arrive(b""))
            return
        original(packet, now_ns)

    machine.receive = receive  # type: ignore[method-assign]
    with pytest.raises(LinkError):
        link.run(memory.read(Address(BASE), 3000))
    link.close()


def test_a_short_upload_moves_the_pointer_and_the_machine_knows() -> None:
    line = LoopbackLine()
    link, memory, machine = made(line)
    assert link.run(memory.read(Address(BASE), 700)) == LONG[:700]
    link.short_upload(BASE, 4)
    assert link.short_upload(BASE, 4) == LONG[:4]
    assert link.run(memory.read(Address(BASE + 700), 700)) == LONG[700:1400]
    commands = machine.counters.commands
    assert link.run(memory.read(Address(BASE + 1400), 700)) == LONG[1400:2100]
    assert machine.counters.commands - commands == -(-700 // 252), "no SET_MTA"
    link.close()


def test_short_uploads_wait_while_the_slave_sleeps() -> None:
    line = LoopbackLine()
    link, memory, machine = made(line)
    assert link.short_upload(BASE, 4) == LONG[:4]
    assert link.short_upload(BASE, 4) == LONG[:4]
    machine.notify(0x0A)
    line.to_master(message(7, machine.outgoing()[0]))
    line.run_until(line.clock() + 1_000_000)
    link.poll()
    started = line.clock()
    assert link.short_upload(BASE, 4) == LONG[:4]
    assert line.clock() - started >= 59_000_000_000, "there was no EV_WAKE_UP"
    assert memory.session.refused == set()
    link.close()
