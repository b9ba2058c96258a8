"""A million random and damaged answers: every procedure of the master ends, with result or reason."""

from __future__ import annotations

import gc
import itertools
import random
import time
import tracemalloc
from collections import Counter

import pytest

from faults.mutation import Mutator, golden, slave_settings
from pair.link import RAM, SEGMENT, PagedMemory, config
from pair.session import lists
from xcaliper.core.errors import XcaliperError
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures import connect, daq_info, daq_setup, identify, memory, pages
from xcaliper.xcp.slave import SlaveMachine

PACKETS = 1_000_000
SEEDS = range(20)
#: Packets of a block plus what SYNCH and repetition put behind them.
LONGEST_QUEUE = 300
LONGEST_S = 3.0
#: A procedure that takes more packets is given up, as a user would; it must end at once then.
PATIENCE = 20_000


def kind_of(error: XcaliperError) -> str:
    """Class of an error that says what happened."""
    assert error.slug
    assert len(str(error)) > 10
    return type(error).__name__


class Liar:
    """A slave and a link that lie, lose, repeat and delay; the master in front of them."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.settings = config(**slave_settings(seed))
        self.slave = SlaveMachine(self.settings, PagedMemory(self.settings.ag))
        self.master = MasterMachine()
        self.mutator = Mutator(self.rng, golden("res", "err", "ev", "serv", "dto"))
        self.now_ns = 0
        self.fed = 0
        self.longest_s = 0.0
        self.outcomes: Counter[str] = Counter()
        self.late: list[bytes] = []
        self.session = self.tell_the_truth()

    # --- the honest way ---

    def tell_the_truth(self) -> connect.Session:
        """A session without any fault, whatever happened before."""
        self.slave.drop(self.now_ns)
        self.slave.outgoing()
        return self.honest(connect.connect())

    def honest(self, procedure):
        """The result of a procedure with a slave that behaves."""
        running = self.master.start(procedure, self.now_ns)
        for _ in range(10_000):
            commands = self.master.outgoing()
            for packet in commands:
                self.slave.receive(packet, self.now_ns)
            for packet in self.slave.outgoing():
                self.master.receive(packet, self.now_ns)
            if running.done():
                return running.result()
            if commands:
                continue
            due = self.master.due()
            assert due is not None
            self.now_ns = max(self.now_ns, due)
            self.master.on_time(self.now_ns)
        raise AssertionError("an honest slave was asked for ever")

    # --- the other one ---

    def procedure(self):
        """Any of the master's procedures, with reasonable and with odd arguments."""
        rng, session = self.rng, self.session
        ag = session.profile.ag
        xcp = memory.XcpMemory(session)
        size = rng.choice((0, 1, 4, 100, 700, 3000))
        return rng.choice(
            (
                lambda: connect.connect(rng.randrange(2)),
                connect.synchronise,
                connect.disconnect,
                lambda: identify.identify(session),
                lambda: identify.upload_a2l(session),
                lambda: identify.get_id(session, rng.randrange(256)),
                lambda: xcp.read(RAM, size),
                lambda: xcp.read(RAM, size),
                lambda: xcp.write(RAM, rng.randbytes(size - size % ag)),
                lambda: xcp.write(RAM, rng.randbytes(size - size % ag)),
                lambda: xcp.checksum(SEGMENT, 64),
                lambda: xcp.modify_bits(RAM, and_mask=1, xor_mask=2),
                lambda: pages.page_info(session),
                lambda: pages.set_page(0, rng.randrange(2)),
                lambda: pages.copy_page((0, 1), (0, 0)),
                lambda: daq_info.daq_info(session),
                lambda: daq_setup.setup(session, lists(), multiple=rng.random() < 0.5),
                daq_setup.start,
                daq_setup.stop,
                daq_setup.clock,
            )
        )()

    def run(self, count: int) -> None:
        """Procedures until so many packets were fed."""
        goal = self.fed + count
        while self.fed < goal:
            if not self.master.connected and self.rng.random() < 0.7:
                self.tell_the_truth()
            self.one(self.procedure(), self.rng.choice((0.0, 0.02, 0.2, 0.6, 1.0)))

    def one(self, procedure, faults: float) -> None:
        """A procedure up to its end."""
        running = self.master.start(procedure, self.now_ns)
        given_up = self.fed + PATIENCE
        for turn in itertools.count():
            if running.done():
                break
            if self.fed > given_up:
                self.master.cancel(running)
                assert running.done()
                break
            assert turn < 100 * PATIENCE, "the master waits without end"
            if not self.exchange(faults) and not running.done():
                self.wait(faults)
        try:
            running.result()
            self.outcomes["result"] += 1
        except XcaliperError as error:
            self.outcomes[kind_of(error)] += 1
        self.check_bounds()
        assert self.master.idle

    def exchange(self, faults: float) -> bool:
        """What the master says reaches the slave; what comes back may be anything.

        Returns:
            True when the master said something.
        """
        commands = self.master.outgoing()
        assert len(commands) <= LONGEST_QUEUE
        for packet in commands:
            assert 0 < len(packet) <= max(self.master.profile.max_cto, 8)
            if self.rng.random() >= faults / 4:
                self.slave.receive(packet, self.now_ns)
        if self.rng.random() < 0.1:
            self.slave.event(self.rng.randrange(3), self.now_ns)
        for packet in self.slave.outgoing():
            if self.rng.random() < faults:
                self.distort(packet)
            else:
                self.feed(packet)
        return bool(commands)

    def distort(self, packet: bytes) -> None:
        """Something else than the packet, before it, instead of it or behind it."""
        chance = self.rng.random()
        if chance < 0.30:
            self.feed(self.mutator.damage(packet))
        elif chance < 0.45:
            self.feed(self.rng.choice(self.mutator.pool))
            if chance < 0.40:
                self.feed(packet)
        elif chance < 0.60:
            self.feed(self.mutator.damage(self.rng.choice(self.mutator.pool)))
            if chance < 0.55:
                self.feed(packet)
        elif chance < 0.68:
            self.feed(self.mutator.noise())
        elif chance < 0.72:
            self.feed(bytes((self.rng.randrange(0xFC, 0x100),)) + self.mutator.noise())
        elif chance < 0.80:
            self.feed(packet)
            self.feed(packet)
        elif chance < 0.90:
            self.late.append(packet)
            if len(self.late) > 3:
                self.feed(self.late.pop(self.rng.randrange(len(self.late))))
        elif chance < 0.92:
            self.feed(b"\xfd\x05")  # EV_CMD_PENDING
        # else: lost

    def wait(self, faults: float) -> None:
        """Time passes up to the next deadline; a talkative slave fills it."""
        due = self.master.due()
        if due is None:
            return
        if self.rng.random() < faults / 2:
            for _ in range(self.rng.randrange(6)):
                self.now_ns += self.rng.randrange(50_000_000)
                self.feed(self.mutator.damage(self.rng.choice(self.mutator.pool)))
            self.feed(b"\xfd\x05")
            return
        self.now_ns = max(self.now_ns, due)
        self.master.on_time(self.now_ns)

    def feed(self, packet: bytes) -> None:
        before = time.perf_counter()
        self.master.receive(packet, self.now_ns)
        self.longest_s = max(self.longest_s, time.perf_counter() - before)
        self.fed += 1

    def check_bounds(self) -> None:
        assert len(self.master.events()) <= 1024
        assert len(self.master.outgoing()) <= LONGEST_QUEUE

    def check_alive(self) -> None:
        """With a slave that tells the truth again everything works, and late answers do no harm."""
        for packet in self.late:
            self.feed(packet)
        self.late.clear()
        session = self.tell_the_truth()
        assert session.profile.max_cto == self.settings.max_cto
        assert session.profile.byte_order is self.settings.byte_order
        xcp = memory.XcpMemory(session)
        wanted = self.slave.state.memory.read(RAM, 40)
        assert self.honest(xcp.read(RAM, 40)) == wanted
        self.session = session


@pytest.mark.parametrize("seed", SEEDS)
def test_master_survives(seed):
    liar = Liar(seed)
    for _ in range(10):
        liar.run(PACKETS // len(SEEDS) // 10)
        liar.check_alive()
    assert liar.longest_s < LONGEST_S
    assert liar.fed >= PACKETS // len(SEEDS)
    assert liar.outcomes["result"] > 100
    assert liar.outcomes["ExchangeTimeoutError"] > 10
    assert sum(liar.outcomes.values()) - liar.outcomes["result"] > 100
    counters = liar.master.counters
    assert counters.timeouts
    assert counters.stray
    assert counters.malformed


@pytest.mark.parametrize("seed", [100, 101])
def test_noise_alone_ends_every_procedure(seed):
    """A slave that says nothing right: whatever comes, the end comes within the patience."""
    liar = Liar(seed)
    for _ in range(300):
        start_ns = liar.now_ns
        running = liar.master.start(liar.procedure(), liar.now_ns)
        fed = 0
        while not running.done():
            liar.master.outgoing()
            for _ in range(liar.rng.randrange(4)):
                liar.master.receive(liar.mutator.noise(), liar.now_ns)
                fed += 1
            due = liar.master.due()
            if due is not None:
                liar.now_ns = max(liar.now_ns, due)
                liar.master.on_time(liar.now_ns)
            assert fed < 10 * PATIENCE
        assert liar.now_ns - start_ns < 3600 * 10**9


@pytest.mark.parametrize("seed", [200, 201])
def test_master_does_not_grow(seed):
    """The second half of a long session leaves nothing behind that the first did not."""
    liar = Liar(seed)

    def traced(count: int) -> int:
        liar.run(count)
        liar.check_alive()
        gc.collect()
        # Of the master and of its liar: the process of the tests has things of its own to keep.
        ours = [tracemalloc.Filter(True, f"*{part}*") for part in ("xcaliper", "faults", "support")]
        found = tracemalloc.take_snapshot().filter_traces(ours).statistics("filename")
        return sum(one.size for one in found)

    tracemalloc.start()
    try:
        first = traced(5_000)
        assert first > 0
        second = traced(10_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert second - first < 200_000
    assert peak < 64 << 20


def test_texts_and_events_without_end():
    """Endless texts and events are cut and dropped, never kept."""
    master = MasterMachine()
    for _ in range(200_000):
        master.receive(b"\xfc\x01" + b"A" * 200, 0)
        master.receive(b"\xfd\x03", 0)
    found = master.events()
    assert len(found) == 1024
    assert all(len(event.text) <= 65_536 for event in found)
    assert not master.events()
