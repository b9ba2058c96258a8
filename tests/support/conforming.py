"""A slave machine as a port for the conformance suite: virtual time, and wrongs on demand."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from xcaliper.conformance.model import Permission
from xcaliper.conformance.probe import Limits, Probe
from xcaliper.conformance.runner import Outcome, run
from xcaliper.core.ticks import unit_ns
from xcaliper.xcp.framing.eth import EthFraming
from xcaliper.xcp.quirky_slave import make_slave
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import EthGetDaqClockMulticast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xcaliper.conformance.model import Rule
    from xcaliper.xcp.slave import SlaveMachine
    from xcaliper.xcp.slave_config import SlaveConfig, SlaveMemory

ALL = frozenset(Permission)
ROUND_TRIP_NS = 50_000


class Wrong:
    """What a broken slave does otherwise; this one does everything right.

    ``request`` may change a command before the slave sees it (b"" hides it), ``answer`` what the slave
    says to a command, ``data`` a DAQ packet and ``event`` an EV packet (b"" drops it), ``datagram`` a whole datagram.
    """

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        return packet

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        return came

    def data(self, packet: bytes) -> bytes:
        return packet

    def event(self, packet: bytes) -> bytes:
        return packet

    def datagram(self, data: bytes) -> bytes:
        return data

    def idle(self, slave: SlaveMachine, now_ns: int) -> list[bytes]:
        return []

    def order(self, packets: list[bytes]) -> list[bytes]:
        """Answers to several commands of one datagram."""
        return packets

    def deaf_to_gaps(self) -> bool:
        """Whether a command behind a gap of the master's counter is dropped."""
        return False

    first_counter = 0


class MachinePort:
    """A slave machine that answers at once; its cyclic events fire as virtual time passes."""

    is_stream = False

    def __init__(
        self, config: SlaveConfig, memory: SlaveMemory, wrong: Wrong | None = None
    ) -> None:
        self.slave = make_slave(config, memory, COMMANDS.extended(EthGetDaqClockMulticast))
        self.expected = 0
        self.wrong = wrong or Wrong()
        self.now = 1_000_000_000
        self.framing = EthFraming()
        self.waiting: list[bytes] = []
        self.cycles = {
            event.channel: int(event.time_cycle * unit_ns(event.time_unit))
            for event in config.events
            if event.time_cycle
        }
        self.next = {channel: self.now + cycle for channel, cycle in self.cycles.items()}

    def reopen(self) -> None:
        raise AssertionError("a datagram link has no end")

    def now_ns(self) -> int:
        return self.now

    def send(self, data: bytes) -> None:
        at, packets, count = 0, [], 0
        while at + 4 <= len(data):
            size, counter = struct.unpack_from("<HH", data, at)
            packets += self._serve(data[at + 4 : at + 4 + size], counter)
            at += 4 + size
            count += 1
        self._post(self.wrong.order(packets) if count > 1 else packets)

    def _serve(self, packet: bytes, counter: int) -> list[bytes]:
        self.now += ROUND_TRIP_NS
        if packet[:1] == b"\xff":
            self.framing.reset()
            self.framing.take(self.wrong.first_counter)
        elif counter != self.expected and self.wrong.deaf_to_gaps():
            self.expected = counter + 1
            return []
        self.expected = counter + 1
        changed = self.wrong.request(packet, self.slave)
        if changed:
            self.slave.receive(changed, self.now)
        return self.wrong.answer(packet, self.slave.outgoing(), self.slave)

    def _post(self, packets: Iterable[bytes]) -> None:
        for packet in packets:
            sent = packet
            if packet and packet[0] < 0xFC:
                sent = self.wrong.data(packet)
            elif packet[:1] == b"\xfd":
                sent = self.wrong.event(packet)
            if sent:
                self.waiting.append(self.wrong.datagram(self.framing.frame(sent)))

    def receive(self, until_ns: int) -> bytes | None:
        while not self.waiting:
            due = min(self.next.values(), default=until_ns + 1)
            own = self.slave.due()
            due = due if own is None else min(due, own)
            if due > until_ns:
                self.now = max(self.now, until_ns)
                return None
            self.now = max(self.now, due)
            self._fire()
        return self.waiting.pop(0)

    def _fire(self) -> None:
        own = self.slave.due()
        if own is not None and own <= self.now:
            self.slave.on_time(self.now)
        for channel, due in self.next.items():
            if due <= self.now:
                self.slave.event(channel, self.now)
                self.next[channel] = due + self.cycles[channel]
        self._post(self.slave.outgoing())
        self._post(self.wrong.idle(self.slave, self.now))


def judged(
    config: SlaveConfig,
    memory: SlaveMemory,
    rules: Iterable[Rule],
    wrong: Wrong | None = None,
    *,
    allow: frozenset[Permission] = ALL,
    told: Callable[[object], None] | None = None,
    **options: object,
) -> Outcome:
    """A run of rules on a machine, with everything allowed unless told otherwise."""
    port = MachinePort(config, memory, wrong)
    probe = Probe(port, limits=Limits(), allow=allow, **options)
    return run(probe, rules, told)
