"""A whole session on a bad link under the virtual clock, and what both sides know about it.

Three links:

- ``wire``: keeps the order, has counters and a checksum (SxI, USB, FlexRay, CAN, a quiet Ethernet):
  loses, delays, repeats; what is corrupted is lost.
- ``net``: datagrams with a counter and a checksum (UDP): the same, and packets overtake each other.
- ``raw``: keeps the order, has neither counter nor checksum: loses, delays; what is corrupted arrives.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from pair.link import RAM, PagedMemory, Pair, config
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import IntegrityError, XcaliperError
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming
from xcaliper.xcp.procedures import daq_setup, pages
from xcaliper.xcp.procedures.connect import connect, disconnect
from xcaliper.xcp.procedures.identify import identify
from xcaliper.xcp.procedures.memory import XcpMemory
from xcaliper.xcp.procedures.unlock import unlock
from xcaliper.xcp.recovery import Timers
from xcaliper.xcp.slave_security import SecuritySettings
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xcaliper.core.address import Address
    from xcaliper.proto.procedure import Procedure

T = TypeVar("T")
MS = 1_000_000
T1 = Timers().t1_ns
LATEST_MS = 3500
LINKS = ("wire", "net", "raw")
MOST = 0.2
#: Where the session writes, and the places that it only reads.
WRITTEN = (RAM + 0x100, RAM + 0x200, RAM + 0x300)
TOGGLED = RAM + 0x400
#: The ECU changes what is written here: a write that is carried out twice undoes its change.
LIVELY = WRITTEN[1]
SET_MTA = b"\xf6"
_KINDS = ("lose", "delay", "repeat", "overtake", "corrupt")


def key_of(resource: Resource, seed: bytes) -> bytes:
    return bytes(byte ^ 0x5A ^ resource for byte in seed)


class TruthMemory(PagedMemory):
    """Memory that notes every write, and an ECU that changes some of what was written at once.

    Attributes:
        log: address and bytes of each write that the slave applied.
        changes: positions in the log behind which the ECU changed the first element of the write.

    Args:
        ag: bytes per address unit.
        chance: of the ECU; None = it changes nothing.
    """

    def __init__(self, ag: int, chance: random.Random | None) -> None:
        super().__init__(ag)
        self.log: list[tuple[int, bytes]] = []
        self.changes: list[int] = []
        self._chance = chance

    def write(self, address: Address, data: bytes) -> None:
        super().write(address, data)
        self.log.append((address.value, bytes(data)))
        lively = self._chance is not None and address.value == LIVELY.value
        if lively and self._chance.random() < 0.5:
            self.plain.write(address, bytes(byte ^ 0xFF for byte in data[: self.ag]))
            self.changes.append(len(self.log) - 1)


@dataclass(frozen=True)
class Claim:
    """What the master says about one write.

    Attributes:
        at: first address.
        data: bytes to write.
        first: length of the truth log when the write began.
        last: the same when it ended.
        done: True when the master says that it is done.
        repeated: writes that the master says it may have carried out more than once.
        spoilt: damaged packets arrived in both readings that were to verify it.
        disturbed: damaged packets arrived while it was written.
    """

    at: int
    data: bytes
    first: int
    last: int
    done: bool
    repeated: int
    spoilt: bool = False
    disturbed: bool = False


class Used(NamedTuple):
    """What a step took.

    Attributes:
        time_ns: on the virtual clock.
        packets: that the master sent.
    """

    time_ns: int
    packets: int


#: What each step takes, by its name: at best, and by small single packets.
Calm = tuple[dict[str, Used], dict[str, Used]]


@dataclass
class Weather:
    """One direction of the link.

    Attributes:
        chance: seeded.
        severity: share of packets that something happens to.
        link: kind of link.
        budget: faults left, shared by both directions; to shrink a failing run.
        faults: what happened, by kind.
    """

    chance: random.Random
    severity: float
    link: str
    budget: list[int]
    faults: dict[str, int] = field(default_factory=dict)
    last_ns: int = 0

    def fault(self) -> str:
        if self.chance.random() >= self.severity or self.budget[0] <= 0:
            return ""
        kind = self.chance.choice(_KINDS)
        if self.link != "net" and kind == "overtake":
            kind = "delay"
        if self.link == "raw" and kind == "repeat":
            kind = "corrupt"
        self.budget[0] -= 1
        self.faults[kind] = self.faults.get(kind, 0) + 1
        return kind

    def carry(self, frame: bytes, now_ns: int) -> tuple[str, list[tuple[int, bytes]]]:
        """What becomes of a frame: name of the fault, and (time, frame) for each copy."""
        kind = self.fault()
        at_ns = now_ns + MS // 10
        copies = [(at_ns, frame)]
        if kind == "lose" or (kind == "corrupt" and self.link != "raw"):
            return kind, []
        if kind == "delay":
            copies = [(at_ns + self.chance.choice((2, 100, 900, 1500, LATEST_MS)) * MS, frame)]
        elif kind == "overtake":
            return kind, [(at_ns + self.chance.choice((1, 400, 1200, 2600)) * MS, frame)]
        elif kind == "repeat":
            copies.append((at_ns + self.chance.choice((0, 1, 700)) * MS, frame))
        elif kind == "corrupt":
            copies = [(at_ns, self.damage(frame))]
        kept = []
        for wanted_ns, copy in copies:
            if self.link == "net":
                kept.append((wanted_ns, copy))
                continue
            self.last_ns = max(wanted_ns, self.last_ns)
            kept.append((self.last_ns, copy))
        return kind, kept

    def damage(self, frame: bytes) -> bytes:
        chance = self.chance
        if chance.random() < 0.2:
            return frame[: chance.randrange(1, len(frame) + 1)]
        wrong = bytearray(frame)
        for _ in range(chance.randrange(1, 4)):
            wrong[chance.randrange(len(wrong))] ^= 1 << chance.randrange(8)
        return bytes(wrong)


class StormPair(Pair):
    """Master and slave in a storm; packets carry counters where the link has them."""

    def __init__(
        self, seed: int, link: str, severity: float, faults: int = 1 << 30, *, slow: bool = False
    ) -> None:
        chance = random.Random(seed)
        ag = chance.choice((1, 1, 2, 4))
        max_cto = chance.choice((8, 16, 32, 64))
        super().__init__(
            config(
                max_cto=8 if slow else max_cto,
                ag=ag,
                granularity_odt_entry=ag,
                max_odt_entry_size=255 // ag * ag,
                byte_order=chance.choice((ByteOrder.INTEL, ByteOrder.MOTOROLA)),
                security=SecuritySettings(
                    protected=Resource.of(cal_pag=1, daq=1),
                    key=key_of,
                    seed_bytes=chance.choice((4, 20)),
                    seeds=random.Random(seed ^ 0x5EC).randbytes,
                    attempts=0,
                ),
                slave_block_mode=chance.random() < 0.5 and not slow,
                master_block_mode=chance.random() < 0.5 and not slow,
            ),
            connected=False,
            unchecked=link == "raw",
        )
        lively = (
            random.Random(seed ^ 0xEC0) if link != "raw" else None
        )  # else nothing could be verified
        self.memory = TruthMemory(ag, lively)
        self.slave.state.memory = self.memory
        self.link = link
        budget = [faults]
        self.down = Weather(random.Random(seed * 2 + 1), severity, link, budget)
        self.up = Weather(random.Random(seed * 2 + 2), severity, link, budget)
        self.framings = {up: EthFraming() for up in (False, True)}
        self.readers = {
            False: DatagramReader(answers_from=0xC0),
            True: DatagramReader(),
        }
        self.trace: list[tuple[int, bool, str, bytes]] = []
        self.sent = 0
        self.damaged = [0, 0]  # packets that arrived damaged, down and up
        self.pointer_in_doubt = False  # one came down damaged since the last good SET_MTA
        self.doubted: set[int] = set()  # positions in the log of writes that went by such a pointer

    @property
    def faults(self) -> int:
        """What happened to packets so far."""
        return sum(self.down.faults.values()) + sum(self.up.faults.values())

    # -- the link --------------------------------------------------------------------------------

    def run(self, procedure, *, steps: int = 100_000):
        """The result of a procedure; leaner than that of a pair, for there are many runs."""
        master, travelling = self.master, self._travelling
        running = master.start(procedure, self.now_ns)
        self._post(up=False)
        for _ in range(steps):
            if running.done():
                return running.result()
            due = master.due()
            if travelling and (due is None or travelling[0][0] <= due):
                self._arrive()
            else:
                assert due is not None, "nothing is awaited: the procedure hangs"
                self.now_ns = max(self.now_ns, due)
                master.on_time(self.now_ns)
                self._post(up=False)
        raise AssertionError(f"no end after {steps} steps at {self.now_ns} ns")

    def exchange(self) -> None:
        """Let what the slave says begin to travel, and everything that is due now arrive."""
        self._post(up=True)
        while self._travelling and self._travelling[0][0] <= self.now_ns:
            self._arrive()

    def _post(self, *, up: bool) -> None:
        framed = self.link != "raw"
        for packet in (self.slave if up else self.master).outgoing():
            self.sent += not up
            frame = packet
            if framed:
                if not up and packet[0] == 0xFF:  # as the driver does
                    self.framings[False].reset()
                    self.readers[True].reset()
                frame = self.framings[up].frame(packet)
            kind, copies = (self.up if up else self.down).carry(frame, self.now_ns)
            self.trace.append((self.now_ns, up, kind, packet))
            for at_ns, copy in copies:
                item = (at_ns, next(self._order), up, copy, copy != frame)
                heapq.heappush(self._travelling, item)

    def _arrive(self) -> None:
        at_ns, _, up, frame, damaged = heapq.heappop(self._travelling)
        self.now_ns = max(self.now_ns, at_ns)
        self.damaged[up] += damaged
        packets = [frame]
        if self.link != "raw":
            if not up and frame[4] == 0xFF:  # as the slave's port does
                self.readers[False].reset()
                self.framings[True].reset()
            packets = self.readers[up].feed(frame, self.now_ns)
        for packet in packets:
            if up and packet[0] < 0xFC:
                self.dtos.append(packet)
            elif up:
                self.master.receive(packet, self.now_ns)
            else:
                before = len(self.memory.log)
                self.pointer_in_doubt |= damaged
                self.slave.receive(packet, self.now_ns)
                if self.pointer_in_doubt:
                    self.doubted.update(range(before, len(self.memory.log)))
                self.pointer_in_doubt &= damaged or packet[:1] != SET_MTA
        self._post(up=not up)  # whoever heard it may answer

    def told(self) -> str:
        """The packets of the run, one a line, with what happened to them."""
        lines = []
        for now_ns, up, kind, packet in self.trace:
            name = "" if up else getattr(COMMANDS.find(packet), "name", "?")
            way = "<-" if up else "->"
            lines.append(f"{now_ns / MS:10.1f} ms {way} {packet.hex(' ')} {name} {kind.upper()}")
        return "\n".join(lines)


class WrongResultError(AssertionError):
    """A result that is not right although no error said so."""


class Session:
    """connect, unlock, identify, read, write, toggle, pages, measure, disconnect; checked step by step.

    Attributes:
        errors: step → the error it ended with.
        claims: writes, in order.
        unsure: procedures that said that the slave may not have heard them.
        calm: what each step takes on a calm link; None = it is not looked at.
        used: what each step took.
        checks: results that were held against the truth.
        wrong: those that were not right, though no error said so, where damage to the packets of
            this very step explains it.
    """

    def __init__(self, pair: StormPair, seed: int, calm: Calm | None = None) -> None:
        self.pair = pair
        self.calm = calm
        self.chance = random.Random(~seed)
        self.errors: dict[str, XcaliperError] = {}
        self.claims: list[Claim] = []
        self.unsure: list[str] = []
        self.used: dict[str, Used] = {}
        self.steps = 0
        self.checks = 0
        self.wrong: list[str] = []
        self._damaged = [0, 0]
        self._misled = False

    def run(self) -> None:
        for name, step in self.plan():
            self.steps += 1
            before_ns, before = self.pair.now_ns, self.pair.sent
            faults = self.pair.faults
            try:
                step()
            except XcaliperError as error:
                self.errors[name] = error
            used_ns, sent = self.pair.now_ns - before_ns, self.pair.sent - before
            self.used[name] = used = Used(used_ns, sent)
            self.check_used(name, used, self.pair.faults - faults)
            if not self.pair.master.idle:
                raise WrongResultError(f"{name}: the machine is not idle")

    def check_used(self, name: str, used: Used, faults: int) -> None:
        """No more than on a calm link, so much for each fault, and what is left from before."""
        if self.calm is None:
            return
        # without CONNECT, or where it was damaged, packets are small and there are no blocks
        slow = self.pair.link == "raw" or "connect" in self.errors
        calm = self.calm[slow][name]
        asleep = sum(one.name == "EV_SLEEP" for one in self.pair.master.events())
        assert not asleep or self.pair.link == "raw", "only damage makes this event"
        time_ns = calm.time_ns + faults * COST_NS + BEFORE_NS + asleep * SLEEP_NS
        packets = calm.packets + (faults + 1) * (min(calm.packets, BLOCK) + COST_SYNCHS)
        if name == "identify" and self.pair.link == "raw" and any(self.pair.damaged):
            packets = 1 << 16  # how long an identification is may be damaged as well
        if used.time_ns > time_ns or used.packets > packets:
            raise WrongResultError(
                f"{name}: {used} with {faults} faults, {calm} without, "
                f"bounds {time_ns / 1e9:.1f} s, {packets} packets"
            )

    def plan(self) -> Iterator[tuple[str, object]]:
        """Name and body of each step."""
        yield "connect", self.connect
        yield "unlock", self.unlock
        yield "identify", lambda: self.ask(identify(self.pair.session))
        for size in (4, 12, 100):
            yield f"read {size}", lambda size=size: self.read(RAM, size)
        for at, size in zip(WRITTEN, (4, 20, 100), strict=True):
            yield f"write {size}", lambda at=at, size=size: self.write(at, size)
        yield "toggle", self.toggle
        yield "page", self.page
        yield "measure", self.measure
        for at, size in zip(WRITTEN, (4, 20, 100), strict=True):
            yield f"rewrite {size}", lambda at=at, size=size: self.write(at, size)
            yield f"read back {size}", lambda at=at, size=size: self.read(at, size)
        yield "disconnect", self.disconnect

    # -- steps -----------------------------------------------------------------------------------

    def ask(self, procedure: Procedure[T]) -> T:
        """Run a procedure; only packets that arrive damaged from now on excuse its result."""
        self._damaged = list(self.pair.damaged)
        return self.pair.run(procedure)

    def tell(self, name: str, procedure: Procedure[bool]) -> bool:
        """The same for one that says False when nobody knows; then there must be a reason."""
        if self.ask(procedure):
            return True
        self.unsure.append(name)
        if not self.pair.faults and not self.errors and len(self.unsure) == 1:
            raise WrongResultError(f"{name}: False, though nothing happened to the link")
        return False

    def connect(self) -> None:
        pair = self.pair
        self._misled = True  # without a session, nothing after it can be trusted
        pair.session = self.ask(connect(attempts=5, twice=pair.link == "raw"))
        self.must(pair.slave.connected, "connected, says the master, and the slave is not")
        told, config = pair.session.profile, pair.config
        same = all(
            getattr(told, name) == getattr(config, name)
            for name in ("max_cto", "max_dto", "ag", "byte_order")
        )
        self.must(same, "MAX_CTO, MAX_DTO, granularity or byte order is another")
        self._misled = not same  # twice damaged in the same way
        self.memory = XcpMemory(pair.session)

    def unlock(self) -> None:
        pair = self.pair
        for resource in (Resource.of(cal_pag=1), Resource.of(daq=1)):
            left = self.ask(unlock(pair.session, resource, key_of))
            self.must(not left & resource, "unlocked, says the master's procedure")
            self.must(not pair.slave.state.locked & resource, "unlocked, says the master")

    def read(self, at: Address, size: int) -> None:
        found = self.ask(XcpMemory(self.pair.session).read(at, size))
        self.must(found == self.pair.memory.plain.read(at, size), f"read {size} bytes at {at}")

    def write(self, at: Address, size: int) -> None:
        """Written and, where packets may arrive damaged, read back twice.

        Without a checksum, only damage in both of the readings excuses what is not there.
        """
        pair, memory = self.pair, XcpMemory(self.pair.session)
        data = self.chance.randbytes(size)
        first, repeated = len(pair.memory.log), pair.master.counters.repeated_writes
        damaged = list(pair.damaged)
        changes = len(pair.memory.changes)
        looks = 2 if pair.link == "raw" else 0
        spoilt, done = [], False
        try:
            self.ask(memory.write(at, data))
            for _ in range(looks):
                found = self.ask(memory.read(at, size))
                if found != data:
                    raise IntegrityError("write", expected=data.hex(), actual=found.hex())
                spoilt.append(self.excused())
            done = True
        finally:
            repeated = pair.master.counters.repeated_writes - repeated
            claim = Claim(
                at.value,
                data,
                first,
                len(pair.memory.log),
                done,
                repeated,
                done and bool(looks) and all(spoilt),
                pair.damaged != damaged,
            )
            self.claims.append(claim)
        changed = len(pair.memory.changes) > changes
        found = pair.memory.plain.read(at, size)
        same = found[pair.config.ag * changed :] == data[pair.config.ag * changed :]
        self.must(same, f"wrote {size} bytes at {at}", excused=claim.spoilt or self._misled)

    def toggle(self) -> None:
        """Bits that are toggled twice are as they were: the command must never be repeated."""
        pair = self.pair
        before = pair.memory.plain.read(TOGGLED, 4)
        first = len(pair.memory.log)
        procedure = XcpMemory(pair.session).modify_bits(
            TOGGLED, and_mask=0xFFFF, xor_mask=0x00FF, shift=4
        )
        try:
            self.ask(procedure)
        finally:
            places = [at for at, _ in pair.memory.log[first:]]
            self.must(places.count(TOGGLED.value) <= 1, "toggled more than once")
        order = pair.config.byte_order.value
        wanted = int.from_bytes(before, order) ^ 0x0FF0
        found = int.from_bytes(pair.memory.plain.read(TOGGLED, 4), order)
        self.must(found == wanted, f"toggled {wanted:08x}, found {found:08x}")

    def page(self) -> None:
        pair = self.pair
        self.ask(pages.set_page(1, 1))
        self.must(pair.memory.used[1, True] == 1, "page 1 is not set for the ECU")
        self.must(pair.memory.used[1, False] == 1, "page 1 is not set for XCP")
        self.ask(pages.copy_page((1, 1), (1, 0)))
        self.must(pair.memory.pages[1, 0] == pair.memory.pages[1, 1], "the page is not copied")
        self.ask(pages.set_page(1, 0))
        self.must(pair.memory.used[1, True] == 0, "page 0 is not set again")

    def measure(self) -> None:
        pair = self.pair
        ag = pair.config.ag
        lists = (
            DaqListSetup(
                0, 0, (OdtSetup((OdtEntry(RAM, 2), OdtEntry(RAM + 8, 1))),), timestamp=False
            ),
            DaqListSetup(
                1,
                1,
                (OdtSetup((OdtEntry(RAM + 16, 1),)), OdtSetup((OdtEntry(RAM, 1),))),
                timestamp=False,
            ),
        )
        self.ask(daq_setup.setup(pair.session, lists))
        since_setup = self._damaged
        entries = [
            [[one and (one.address.value, one.size) for one in odt] for odt in daq_list.odts]
            for daq_list in pair.slave.state.daq.lists
        ]
        wanted = [
            [[(one.address.value, one.size) for one in odt.entries] for odt in one.odts]
            for one in lists
        ]
        self.must(entries == wanted, f"lists {entries} instead of {wanted}")
        self.ask(daq_setup.start())
        self.must(pair.slave.daq_running, "started, says the master")
        pair.dtos.clear()
        for turn in range(3):
            pair.event(0, pair.now_ns + 5 * MS)
            pair.event(1, pair.now_ns + MS * turn)
        pair.now_ns += 10_000 * MS  # whatever is on its way arrives
        pair.exchange()
        read = pair.memory.plain.read
        sent = {
            bytes((0, 0)) + read(RAM, 2 * ag) + read(RAM + 8, ag),
            bytes((0, 1)) + read(RAM + 16, ag),
            bytes((1, 1)) + read(RAM, ag),
        }
        self._damaged = since_setup  # lists are what their setup made of them
        self.must(set(pair.dtos) <= sent, f"DTOs {[one.hex() for one in pair.dtos]}")
        if self.tell("stop", daq_setup.stop()):
            self.must(not pair.slave.daq_running, "stopped, says the master")
        if self.tell("free", daq_setup.free()):
            self.must(not pair.slave.state.daq.lists, "freed, says the master")

    def disconnect(self) -> None:
        if self.tell("disconnect", disconnect()):
            self._damaged = [
                0,
                0,
            ]  # sent once, so its answer may be an older one where packets are damaged
            self.must(not self.pair.slave.connected, "disconnected, says the master")

    def afterwards(self) -> None:
        """The weather clears: what is on its way arrives, and a new session works as ever."""
        pair = self.pair
        pair.down.severity = pair.up.severity = 0.0
        for _ in range(3):
            pair.now_ns += 20_000 * MS
            pair.exchange()
        pair.session = pair.run(connect())
        self.unlock()
        memory = XcpMemory(pair.session)
        pair.run(memory.write(WRITTEN[0], b"all good"))
        if pair.run(memory.read(WRITTEN[0], 8)) != b"all good":
            raise WrongResultError("a new session reads something else than it wrote")
        if not pair.run(disconnect()) or pair.slave.connected:
            raise WrongResultError("a new session does not end")

    # -- checks ----------------------------------------------------------------------------------

    def must(self, truth: bool, text: str, *, excused: bool | None = None) -> None:
        """Something that the master claims; only damage to the packets of this very claim excuses it."""
        self.checks += 1
        if truth:
            return
        if not (self.excused() if excused is None else excused):
            raise WrongResultError(text)
        self.wrong.append(text)

    def excused(self) -> bool:
        return self.pair.link == "raw" and (self._misled or self.pair.damaged != self._damaged)

    def check_writes(self) -> None:
        """The truth against the claims: nothing late, nothing foreign, nothing twice without a word.

        A write that got no answer is repeated by the matrix of the standard, with the same bytes at
        the same place: none comes behind the end, and the master says that it was repeated. Where
        damaged packets arrive, they and what follows until the next SET_MTA that is sound may write
        anything anywhere, but nothing else may.
        """
        if self._misled:
            return  # sizes and orders of another slave: SET_MTA says another address
        log, ag = self.pair.memory.log, self.pair.config.ag
        doubted = self.pair.doubted
        ends = [claim.last for claim in self.claims]
        owned = set()
        for claim, until in zip(self.claims, [*ends[1:], len(log)], strict=True):
            times = [0] * len(claim.data)
            latest = claim.last if claim.done else until
            for index, (at, data) in enumerate(log):
                begin = (at - claim.at) * ag
                if not 0 <= begin < len(claim.data) or claim.data[begin:][: len(data)] != data:
                    continue
                if not claim.first <= index < latest:
                    if index in doubted:
                        continue
                    raise WrongResultError(f"a write at {claim.at:#x} came outside of its time")
                owned.add(index)
                for cell in range(begin, begin + len(data)):
                    times[cell] += 1
            self.check_times(claim, times)
        foreign = [
            at
            for index, (at, _) in enumerate(log)
            if index not in owned | doubted and at != TOGGLED.value
        ]
        if foreign:
            raise WrongResultError(f"nobody wrote at {[hex(at) for at in foreign]}")

    def check_times(self, claim: Claim, times: list[int]) -> None:
        """How often each byte of a claim was written, against what the master says."""
        if claim.done and not min(times) and not claim.spoilt:
            raise WrongResultError(f"a write at {claim.at:#x} is not done, or not whole")
        if max(times) > 1 + claim.repeated and not claim.disturbed:
            raise WrongResultError(
                f"a write at {claim.at:#x} was applied {max(times)} times, and the master "
                f"speaks of {claim.repeated} repetitions"
            )


#: A damaged packet may be EV_SLEEP, which the master believes for a minute.
SLEEP_NS = 60_000 * MS
#: What one packet that something happens to costs at most, by the timers: its command waits for T1,
#: the packet is late by up to 3.5 s, and SYNCH stays quiet for 2.5 T1 behind an answer that came late.
COST_NS = T1 + LATEST_MS * MS + 5 * T1 // 2
#: What is left from the step before: a late answer, and three SYNCHs with their quiet times.
BEFORE_NS = T1 + 3 * (T1 + 5 * T1 // 2)
#: Packets of the master: three SYNCHs and a pointer, and the exchange again, a block at most.
COST_SYNCHS = 3 + 1
BLOCK = 33

#: Step → (time in ns, packets of the master) on a calm link, by configuration.
_CALM: dict[object, Calm] = {}


def calm_of(seed: int, pair: StormPair) -> Calm:
    """What each step takes where nothing happens: as fast as it goes, and by small single packets."""
    made = pair.config
    blocks = made.slave_block_mode, made.master_block_mode, made.security.seed_bytes
    key = pair.link, made.max_cto, made.ag, made.byte_order, blocks
    if key not in _CALM:
        sessions = [Session(StormPair(seed, pair.link, 0.0, slow=slow), seed) for slow in (0, 1)]
        for session in sessions:
            session.run()
        _CALM[key] = sessions[0].used, sessions[1].used
    return _CALM[key]


def storm(seed: int, *, faults: int = 1 << 30) -> tuple[Session, StormPair]:
    """One run; raises :class:`WrongResultError` when the master claims what is not true."""
    chance = random.Random(seed ^ 0x5EED)
    pair = StormPair(seed, LINKS[seed % 3], chance.uniform(0.01, MOST), faults)
    session = Session(pair, seed, calm_of(seed, pair))
    try:
        session.run()
        session.check_writes()
        session.afterwards()
    except AssertionError as error:
        error.add_note(f"seed {seed}, link {pair.link}, at most {faults} faults\n{pair.told()}")
        raise
    return session, pair


def shrunk(seed: int) -> AssertionError:
    """The failure of a seed that fails, with the fewest faults that make it fail."""
    for faults in range(400):
        try:
            storm(seed, faults=faults)
        except AssertionError as error:
            return error
    return AssertionError(f"seed {seed} fails with 400 faults or more only")
