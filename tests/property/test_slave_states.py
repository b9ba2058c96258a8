"""Any sequence of commands against a small model of the slave: sessions, locks, answers, secrets."""

from __future__ import annotations

import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from pair.link import RAM, config
from pair.programming import FLASH, SECTOR_SIZE, FlashedMemory, sectors
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.datatypes import ByteOrder
from xcaliper.sim.debug_target import MemoryTarget
from xcaliper.sim.flash import Flash
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import EventConfig, SlaveConfig
from xcaliper.xcp.slave_program import ProgramSettings
from xcaliper.xcp.slave_security import SecuritySettings
from xcaliper.xcp.slave_store import StoreSettings
from xcaliper.xcp.table import COMMANDS

SECRET_AT = RAM + 0x800
SECRET = random.Random(0x5EC2E7).randbytes(24)
CODES = sorted({info.code for info in COMMANDS})
MAX_CTO, MAX_DTO, QUEUE = 16, 64, 40
CAL, DAQ, STIM, PGM, DBG = 0x01, 0x04, 0x08, 0x10, 0x20
LOCKABLE = CAL | DAQ | STIM | PGM | DBG
LOCKS = (CAL, DAQ, STIM, PGM, DBG)
STORE_NS = 20_000_000
EVENTS = (EventConfig(0, "1ms", time_cycle=1), EventConfig(1, "10ms", stim=True))

#: First bytes of commands that may stay without an answer, and why: parts of a block (until its
#: end), GET_DAQ_CLOCK_MULTICAST (answered by an event).
PARTS = frozenset({0xF0, 0xEF, 0xD0, 0xCA})
DEBUG_PARTS = (b"\xc0\xfc\x0c", b"\xc0\xfc\x0d", b"\xc0\xfc\x10")
#: Commands of the transport layer that may be answered to another address, or not at all.
DISCOVERY = b"\xf2"
MULTICAST = b"\xf2\xfa"
UPLOAD, CONNECT, DISCONNECT, UNLOCK, PROGRAM_RESET = 0xF5, 0xFF, 0xFE, 0xF7, 0xCF
SET_REQUEST, PROGRAM_START = 0xF9, 0xD2
#: Refusals that end the session: a wrong key, flash that is not as it should be.
ENDING = {UNLOCK: b"\xfe\x25", 0xC8: b"\xfe\x32"}
#: Commands → resources, one of which must be open for them *(XCP Base, protection of resources, 1.0)*.
GATED = (
    dict.fromkeys((0xF0, 0xEF, 0xEE, 0xED, 0xEC, 0xEB, 0xE4), CAL)
    | dict.fromkeys((0xD6, 0xD5, 0xD4, 0xD3, 0xE3, 0xE2, 0xE1, 0xDE, 0xDD), DAQ | STIM)
    | dict.fromkeys((0xD2, 0xD1, 0xD0, 0xCF, 0xCC, 0xCB, 0xCA, 0xC9, 0xC8), PGM)
)
NOT_WHILE_PROGRAMMING = frozenset({0xF0, 0xED, 0xEC, 0xEB, 0xE4, 0xD6, 0xD5, 0xE2, 0xDE, 0xDD})
PROGRAMMING = frozenset({0xD1, 0xD0, 0xCF, 0xCB, 0xCA, 0xC9, 0xC8})
#: Code and (value, bytes) of what follows.
FLASHING = (
    (0xD2,),
    (0xF6, (0, 3), (FLASH.value, 4)),
    (0xD1, (0, 3), (SECTOR_SIZE, 4)),
    (0xD0, (3, 1), (0x010203, 3)),
    (0xD0, (20, 1), (0x0102030405060708090A0B0C0D0E, 14)),
    (0xCA, (6, 1), (0x010203040506, 6)),
    (0xD0, (0, 1)),
    (0xC8, (0, 1), (1, 2), (0, 4)),
    (0xFC,),
    (0xCF,),
)

small = st.sampled_from([0, 1, 2, 3, 4, 5, 8, 12, 15, 16, 0x80, 0xFE, 0xFF])
places = st.sampled_from([RAM, RAM + 16, SECRET_AT, SECRET_AT + 8, RAM + 0x7FC, Address(0)])


class WatchedMemory(FlashedMemory):
    """Notes when the slave reads the secret; WRITE_DAQ may ask for a view, to see whether it is there."""

    def __init__(self, flash: Flash) -> None:
        super().__init__(flash)
        self.plain.write(SECRET_AT, SECRET)
        self.looked = False

    def read(self, address: Address, size_bytes: int) -> bytes:
        begin, end = SECRET_AT.value, SECRET_AT.value + len(SECRET)
        self.looked |= address.value < end and address.value + size_bytes > begin
        return super().read(address, size_bytes)


def key_of(resource: Resource, seed: bytes) -> bytes:
    return bytes(byte ^ 0xA5 ^ resource for byte in seed)


class SlaveStates(RuleBasedStateMachine):
    """The model is what the attributes say; the slave is the real one."""

    @initialize(
        order=st.sampled_from([ByteOrder.INTEL, ByteOrder.MOTOROLA]),
        blocks=st.booleans(),
        zeros=st.sampled_from([False, False, True]),
    )
    def power_up(self, order: ByteOrder, blocks: bool, zeros: bool) -> None:
        self.order = order
        self.blocks = blocks
        self.zeros = zeros  # the slave sees whether there is memory, and shows zeros
        program = ProgramSettings(
            sectors(),
            clear_ns=150_000_000,
            master_block_mode=blocks,
            slave_block_mode=blocks,
        )
        self.memory = WatchedMemory(Flash(program.sectors))
        self.slave = self.make_slave(
            config(
                program=program,
                store=StoreSettings(daq=True, resume=True, duration_ns=STORE_NS),
                debug=MemoryTarget(self.memory),
                byte_order=order,
                events=EVENTS,
                max_cto=MAX_CTO,
                max_dto=MAX_DTO,
                queue_size=QUEUE,
                slave_block_mode=blocks,
                master_block_mode=blocks,
                max_odt_entries_total=200,
                max_daq_lists=8,
                security=SecuritySettings(
                    protected=Resource(LOCKABLE),
                    key=key_of,
                    seed_bytes=4,
                    seeds=random.Random(1).randbytes,
                    reads=Resource(CAL),
                    ranges=(AddressRange(SECRET_AT, len(SECRET)),),
                    zeros=zeros,
                ),
            ),
            self.memory,
        )
        self.connected = self.programming = False
        self.locked = LOCKABLE
        self.now_ns = 0
        self.storing_until = 0

    def make_slave(self, settings: SlaveConfig, memory: WatchedMemory) -> SlaveMachine:
        """The slave to be tested."""
        return SlaveMachine(settings, memory)

    # -- talking ---------------------------------------------------------------------------------

    def send(self, packet: bytes) -> list[bytes]:
        """One command; the answers, checked against what the standard says about their number."""
        self.memory.looked = False
        was_connected, was_locked = self.connected, self.locked
        self.now_ns += 1_000_000
        self.slave.receive(packet, self.now_ns)
        out = self.drain()
        for _ in range(50):  # a slow command is answered later
            due = self.slave.due()
            if due is None or any(one[0] >= 0xFE for one in out):
                break
            self.now_ns = max(due, self.now_ns)
            self.slave.on_time(self.now_ns)
            out += self.drain()
        answers = [one for one in out if one[0] >= 0xFE]
        self.check_number(packet, answers, was_connected=was_connected)
        if was_connected and answers:
            self.check_gate(packet, answers[0])
        self.follow(packet, answers)
        hidden = was_locked & self.locked
        if hidden & CAL and (hidden & DBG or packet[:1] != b"\xc0"):
            # the start of a list of direction STIM tries its memory: read and written as it is
            tries = packet[:1] in (b"\xde", b"\xdd") and not was_locked & STIM
            looked = self.memory.looked and not tries
            assert self.zeros or not looked, f"{packet.hex()} looked at the secret"
            self.check_secret(out)
        return answers

    def drain(self) -> list[bytes]:
        out = self.slave.outgoing()
        assert len(out) <= QUEUE + 20
        for one in out:
            assert 0 < len(one) <= (MAX_CTO if one[0] >= 0xFC else MAX_DTO)
        assert len(self.slave.events()) <= 1024
        return out

    def check_secret(self, out: list[bytes]) -> None:
        pieces = {SECRET[i : i + 3] for i in range(len(SECRET) - 2)}
        for one in out:
            assert not any(piece in one for piece in pieces), one.hex()

    def check_number(self, packet: bytes, answers: list[bytes], *, was_connected: bool) -> None:
        code = packet[0] if packet else 0
        if code < 0xC0 or (not was_connected and code != CONNECT):
            assert answers == [], packet.hex()
        elif code == UPLOAD and answers and answers[0][0] == 0xFF:
            count, room = packet[1], MAX_CTO - 1
            assert len(answers) == -(-count // room)
            assert sum(len(one) - 1 for one in answers) == count
            assert self.blocks or len(answers) == 1
        elif code in PARTS and not answers:
            assert self.blocks, "a part of a block, though there is no block mode"
            assert packet[1] > (MAX_CTO - 2), packet.hex()
        elif packet[:2] == MULTICAST or packet[:1] == DISCOVERY:
            assert len(answers) <= 1
        elif packet[:3] in DEBUG_PARTS and not answers:
            assert self.slave.state.debug.block is not None, "a part of a block"
        else:
            assert len(answers) == 1, f"{packet.hex()} → {[one.hex() for one in answers]}"

    def check_gate(self, packet: bytes, answer: bytes) -> None:
        """What is locked, or has no place while something lasts, is refused for that reason only."""
        needed = GATED.get(packet[0], 0)
        if packet[:2] == b"\xc0\xfc":
            needed = DBG
        if needed and needed & self.locked == needed:
            assert answer[0] == 0xFE, f"{packet.hex()} passed though it is locked"
        if self.programming and packet[0] in NOT_WHILE_PROGRAMMING:
            assert answer[0] == 0xFE, f"{packet.hex()} passed while programming"
        if packet[0] in PROGRAMMING and not self.programming:
            assert answer[0] == 0xFE, f"{packet.hex()} passed without PROGRAM_START"
        if self.now_ns < self.storing_until and packet[0] in (DISCONNECT, SET_REQUEST):
            assert answer[0] == 0xFE, f"{packet.hex()} passed while storing"

    def follow(self, packet: bytes, answers: list[bytes]) -> None:
        """The model's own idea of session and locks."""
        code = packet[0] if packet else 0
        done = bool(answers) and answers[0][0] == 0xFF
        if code == PROGRAM_START and done:
            self.programming = True
        if code == SET_REQUEST and done and packet[1] & 0x0F:
            self.storing_until = self.now_ns + STORE_NS
        if code == CONNECT and done:
            self.connected, self.locked, self.programming = True, LOCKABLE, False
        elif (code in (DISCONNECT, PROGRAM_RESET) and done) or (
            answers and answers[0][:2] == ENDING.get(code)
        ):
            self.end_session()
        elif code == UNLOCK and done:
            self.locked &= answers[0][1]

    def end_session(self) -> None:
        self.connected, self.locked, self.programming = False, LOCKABLE, False

    def word(self, value: int, size: int = 4) -> bytes:
        return value.to_bytes(size, self.order.value)

    # -- rules -----------------------------------------------------------------------------------

    @rule(packet=st.binary(max_size=MAX_CTO + 4))
    def noise(self, packet: bytes) -> None:
        self.send(packet)

    @rule(code=st.sampled_from(CODES), rest=st.lists(small, max_size=MAX_CTO - 1))
    def any_command(self, code: int, rest: list[int]) -> None:
        self.send(bytes((code, *rest)))

    @rule(code=st.integers(0xC0, 0xFF), rest=st.binary(max_size=7))
    def any_code(self, code: int, rest: bytes) -> None:
        self.send(bytes((code,)) + rest)

    @rule()
    def connect(self) -> None:
        (answer,) = self.send(b"\xff\x00")
        assert answer[0] == 0xFF
        assert not self.slave.daq_running

    @precondition(lambda self: not self.connected)
    @rule(place=places, count=st.integers(1, 15))
    def begin_and_look(self, place: Address, count: int) -> None:
        """Else most of the time would pass without a session."""
        self.connect()
        self.look(place, count)

    @precondition(lambda self: not self.connected)
    @rule(resource=st.sampled_from(LOCKS))
    def begin_and_unlock(self, resource: int) -> None:
        self.connect()
        self.unlock(resource, True)

    @precondition(lambda self: self.connected)
    @rule()
    def disconnect(self) -> None:
        self.send(b"\xfe")

    @rule(place=places, count=st.integers(0, 20))
    def look(self, place: Address, count: int) -> None:
        """Everything that reads: short, long, checksum."""
        at = self.word(place.value)
        self.send(bytes((0xF4, count, 0, place.extension)) + at)
        self.send(bytes((0xF6, 0, 0, place.extension)) + at)
        self.send(bytes((0xF5, count)))
        self.send(bytes((0xF6, 0, 0, place.extension)) + at)
        self.send(bytes((0xF3, 0, 0, 0)) + self.word(count))

    @rule(place=places, data=st.binary(min_size=1, max_size=8))
    def write(self, place: Address, data: bytes) -> None:
        """Everything that writes; the secret itself is put back for the next look."""
        at = self.word(place.value)
        before = self.memory.plain.read(SECRET_AT, len(SECRET))
        self.send(bytes((0xED, len(data), 0, place.extension)) + at + data)
        self.send(bytes((0xF6, 0, 0, place.extension)) + at)
        self.send(bytes((0xF0, len(data))) + data)
        self.send(bytes((0xEC, 4)) + self.word(0xFFFF, 2) + self.word(0x00FF, 2))
        if self.locked & CAL or not self.connected:
            assert self.memory.plain.read(SECRET_AT, len(SECRET)) == before, "written though locked"
        self.memory.plain.write(SECRET_AT, SECRET)

    @rule(count=st.integers(1, 60), parts=st.integers(1, 5))
    def block(self, count: int, parts: int) -> None:
        """A block of the master's, whole or broken off."""
        self.send(bytes((0xF6, 0, 0, 0)) + self.word(RAM.value))
        left, code = count, 0xF0
        for _ in range(parts):
            if left <= 0:
                break
            size = min(left, MAX_CTO - 2)
            self.send(bytes((code, left)) + bytes(size))
            left, code = left - size, 0xEF

    @rule(
        place=places,
        size=st.sampled_from([1, 2, 4, 8]),
        event=st.integers(0, 1),
        stim=st.booleans(),
    )
    def measure(self, place: Address, size: int, event: int, stim: bool) -> None:
        """A list of one entry, set up and started; nothing of the secret may come."""
        number = self.word(0, 2)
        self.send(b"\xd6")
        self.send(b"\xd5\x00" + self.word(1, 2))
        self.send(b"\xd4\x00" + number + b"\x01")
        self.send(b"\xd3\x00" + number + b"\x00\x01")
        self.send(b"\xe2\x00" + number + b"\x00\x00")
        self.send(bytes((0xE1, 0xFF, size, place.extension)) + self.word(place.value))
        mode = 0x02 if stim else 0
        self.send(bytes((0xE0, mode)) + number + self.word(event, 2) + b"\x01\x00")
        self.send(b"\xde\x01" + number)
        self.sample(event)

    @rule(event=st.integers(0, 1))
    def sample(self, event: int) -> None:
        for _ in range(QUEUE):
            self.slave.event(event, self.now_ns)
        out = self.drain()
        assert self.connected or not out
        if self.locked & CAL:
            self.check_secret(out)

    @rule(resource=st.sampled_from([*LOCKS, CAL | DAQ, 0x80]), right=st.booleans())
    def unlock(self, resource: int, right: bool) -> None:
        answers = self.send(bytes((0xF8, 0, resource)))
        if not answers or answers[0][0] != 0xFF:
            return
        length = answers[0][1]
        seed = answers[0][2 : 2 + length]
        key = key_of(Resource(resource), seed)
        if not right:
            key = bytes(byte ^ 1 for byte in key)
        self.send(bytes((0xF7, len(key))) + key)
        if right and length:
            assert not self.locked & resource

    @rule()
    def tell_status(self) -> None:
        answers = self.send(b"\xfd")
        if not self.connected:
            return
        (answer,) = answers
        assert answer[2] == self.locked, "protection of GET_STATUS"
        assert bool(answer[1] & 0x40) == self.slave.daq_running

    @rule(mode=st.sampled_from([1, 2, 4, 8, 9, 3, 0]), number=st.integers(0, 2), wait=st.booleans())
    def store(self, mode: int, number: int, wait: bool) -> None:
        """SET_REQUEST, and what may not be done until it is done."""
        self.send(bytes((SET_REQUEST, mode)) + self.word(number, 2))
        self.send(bytes((SET_REQUEST, mode)) + self.word(number, 2))
        self.send(b"\xfe")
        if wait:
            self.now_ns += 2 * STORE_NS
            self.slave.on_time(self.now_ns)
            assert all(one[0] == 0xFD for one in self.drain())
            assert self.slave.state.store.request is None

    @precondition(lambda self: self.connected)
    @rule()
    def leave_while_it_stores(self) -> None:
        self.send(bytes((SET_REQUEST, 8)) + self.word(0, 2))
        self.send(b"\xfe")

    @rule(steps=st.lists(st.sampled_from(range(len(FLASHING))), min_size=1, max_size=6))
    def flash(self, steps: list[int]) -> None:
        """Commands of programming in any order."""
        for step in steps:
            code, *rest = FLASHING[step]
            self.send(bytes((code,)) + b"".join(self.word(v, n) for v, n in rest))

    @precondition(lambda self: self.connected)
    @rule()
    def begin_to_flash(self) -> None:
        self.unlock(CAL, True)
        self.unlock(PGM, True)
        (answer,) = self.send(b"\xd2")
        self.send(b"\xed\x01\x00\x00" + self.word(RAM.value) + b"\x00")
        busy = self.slave.daq_running or self.slave.state.store.request is not None
        assert busy or answer[0] == 0xFF or self.locked & PGM, "nothing is in the way"

    @rule(place=places, width=st.sampled_from([1, 2, 4, 3]), count=st.integers(0, 9))
    def debug(self, place: Address, width: int, count: int) -> None:
        """Short packets of debugging: reading, and writing by blocks."""
        at = self.word(place.value)
        before = self.memory.plain.read(SECRET_AT, len(SECRET))
        self.send(b"\xc0\xfc\x12\x00" + at)
        self.send(bytes((0xC0, 0xFC, 0x13, width, count)))
        self.send(b"\xc0\xfc\x0e\x00" + at)
        self.send(bytes((0xC0, 0xFC, 0x0F, width, count)))
        self.send(bytes((0xC0, 0xFC, 0x10, count)) + bytes(12))
        if self.locked & DBG or not self.connected:
            assert self.memory.plain.read(SECRET_AT, len(SECRET)) == before, "written though locked"
        self.memory.plain.write(SECRET_AT, SECRET)

    @rule(sub=st.integers(0xF8, 0xFF), rest=st.binary(max_size=10))
    def transport(self, sub: int, rest: bytes) -> None:
        """Commands of the transport layer; what goes to other addresses is bounded as well."""
        self.send(bytes((0xF2, sub)) + rest)
        assert len(self.slave.replies()) <= 1

    @rule(mode=st.integers(0, 3))
    def start_stop_all(self, mode: int) -> None:
        self.send(bytes((0xDD, mode)))

    @rule(data=st.binary(min_size=1, max_size=1), opens=st.booleans())
    def stimulate_a_list(self, data: bytes, opens: bool) -> None:
        """A list of direction STIM writes what came, and only while STIM is open."""
        if not self.connected:
            self.connect()
        self.unlock(DAQ, True)
        if opens:
            self.unlock(STIM, True)
        number = self.word(0, 2)
        for packet in (
            *(b"\xd6", b"\xd5\x00" + self.word(1, 2), b"\xd4\x00" + number + b"\x01"),
            *(b"\xd3\x00" + number + b"\x00\x01", b"\xe2\x00" + number + b"\x00\x00"),
            bytes((0xE1, 0xFF, 1, 0)) + self.word(RAM.value),
            b"\xe0\x02" + number + self.word(1, 2) + b"\x01\x00",
            b"\xde\x01" + number,
        ):
            self.send(packet)
        runs = self.slave.stim_running
        assert not runs or not self.locked & STIM, "it runs though it is locked"
        before = self.memory.plain.read(RAM, 4)
        self.send(b"\x00\x00" + data)
        self.slave.event(1, self.now_ns)
        self.drain()
        wanted = data + before[1:] if runs else before
        assert self.memory.plain.read(RAM, 4) == wanted, "STIM"

    @rule(opens=st.sampled_from([DAQ, STIM, DAQ | STIM]), stim=st.booleans())
    def choose_a_direction(self, opens: int, stim: bool) -> None:
        """A list takes a direction whose resource is open, and is refused the other for that alone."""
        if not self.connected:
            self.connect()
        for one in (DAQ, STIM):
            if opens & one:
                self.unlock(one, True)
        number = self.word(0, 2)
        for packet in (
            *(b"\xd6", b"\xd5\x00" + self.word(1, 2), b"\xd4\x00" + number + b"\x01"),
            *(b"\xd3\x00" + number + b"\x00\x01", b"\xe2\x00" + number + b"\x00\x00"),
            bytes((0xE1, 0xFF, 1, 0)) + self.word(RAM.value),
        ):
            (answer,) = self.send(packet)
            some = self.locked & (DAQ | STIM) != DAQ | STIM
            assert not some or answer != b"\xfe\x25", "one direction is enough to make a list"
            if answer != b"\xff":
                return  # something else is in the way, such as programming
        mode = bytes((0xE0, 2 * stim)) + number + self.word(1, 2) + b"\x01\x00"
        if self.locked & (STIM if stim else DAQ):
            assert self.send(mode) == [b"\xfe\x25"], "the direction is locked"
            return
        assert self.send(mode) == [b"\xff"], "the direction is open"
        (started,) = self.send(b"\xde\x01" + number)
        assert started[:1] == b"\xff"
        assert self.slave.daq_running, "of either direction"
        assert self.slave.stim_running is stim
        # the other direction is still refused, and what is open may be stopped
        other = bytes((0xE0, 2 * (not stim))) + mode[2:]
        assert self.send(other)[0][:1] == b"\xfe"
        assert self.send(b"\xde\x00" + number)[0][:1] == b"\xff"

    @rule(packet=st.binary(min_size=1, max_size=20))
    def stimulate(self, packet: bytes) -> None:
        self.send(bytes((packet[0] % 0xC0,)) + packet[1:])

    @rule()
    def end_by_itself(self) -> None:
        self.slave.terminate(self.now_ns)
        out = self.drain()
        assert ([one[:2] for one in out] == [b"\xfd\x07"]) == self.connected
        self.end_session()

    @rule()
    def lose_power_of_the_link(self) -> None:
        self.slave.drop(self.now_ns)
        self.end_session()

    @rule(packets=st.lists(st.binary(min_size=1, max_size=8), max_size=5))
    def sleep(self, packets: list[bytes]) -> None:
        self.slave.sleep()
        assert self.drain() == ([b"\xfd\x0a"] if self.connected else [])
        for packet in packets:
            self.slave.receive(packet, self.now_ns)
            self.slave.event(0, self.now_ns)
        assert self.drain() == []
        self.slave.wake()
        assert self.drain() == ([b"\xfd\x0b"] if self.connected else [])

    # -- always ----------------------------------------------------------------------------------

    @invariant()
    def agrees_with_the_model(self) -> None:
        if not hasattr(self, "slave"):
            return
        assert self.slave.connected == self.connected
        assert int(self.slave.state.locked) == self.locked
        assert self.connected or not self.slave.daq_running
        assert self.slave.state.program.active == self.programming
        assert len(self.slave.state.daq.lists) <= 8
        assert self.slave.state.daq.entries <= 200
        assert self.slave.outgoing() == []


SlaveStates.TestCase.settings = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestSlaveStates = SlaveStates.TestCase
