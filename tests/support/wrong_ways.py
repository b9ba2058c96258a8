"""Ways of a slave to be wrong, for the conformance suite: what it answers, sends, forgets or does not do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from support.conforming import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.xcp.slave import SlaveMachine

OK = b"\xff"
UNKNOWN = b"\xfe\x20"
SYNTAX = b"\xfe\x21"
RANGE = b"\xfe\x22"
DENIED = b"\xfe\x24"


# -- ways to be wrong -----------------------------------------------------------------------------


class Edit(Wrong):
    """Changes the answers to commands that begin so; ``exact`` for the whole command."""

    def __init__(
        self,
        prefix: bytes,
        edit: Callable[..., list[bytes]],
        *,
        exact: bool = False,
        after: bytes = b"",
    ) -> None:
        self.prefix, self.edit, self.exact, self.after = prefix, edit, exact, after
        self.before = self.now = b""

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        self.before, self.now = self.now, packet
        return packet

    def matches(self, asked: bytes) -> bool:
        fits = asked == self.prefix if self.exact else asked.startswith(self.prefix)
        return fits and self.before.startswith(self.after)

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        return self.edit(came, slave) if self.matches(asked) else came


def reply(prefix: bytes, *packets: bytes, exact: bool = False, after: bytes = b"") -> Wrong:
    """Always these answers, inside a session."""

    def edit(came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        return list(packets) if slave.connected or prefix[:1] == b"\xff" else came

    return Edit(prefix, edit, exact=exact, after=after)


def positive(edit: Callable[[bytes], bytes]) -> Callable[..., list[bytes]]:
    """An edit of positive answers only."""
    return lambda came, slave: [edit(p) if p[0] == 0xFF else p for p in came]


def cut(prefix: bytes, size: int, *, after: bytes = b"") -> Wrong:
    return Edit(prefix, positive(lambda p: p[:size]), after=after)


def put(prefix: bytes, index: int, value: int, *, after: bytes = b"", size: int = 1) -> Wrong:
    def edit(p: bytes) -> bytes:
        return p[:index] + value.to_bytes(size, "little") + p[index + size :]

    return Edit(prefix, positive(edit), after=after)


def mask(prefix: bytes, index: int, *, on: int = 0, off: int = 0, after: bytes = b"") -> Wrong:
    def edit(p: bytes) -> bytes:
        return p[:index] + bytes(((p[index] & ~off) | on,)) + p[index + 1 :]

    return Edit(prefix, positive(edit), after=after)


def forgive(prefix: bytes, good: bytes = OK, when: Callable[..., bool] | None = None) -> Wrong:
    """A refusal becomes a positive answer."""

    def edit(came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        if when is not None and not when(slave):
            return came
        return [good if p[0] == 0xFE else p for p in came]

    return Edit(prefix, edit)


class Ask(Wrong):
    """Lets the slave see another command, or none, and says what it should have said."""

    def __init__(self, prefix: bytes, change: Callable[..., bytes], *answers: bytes) -> None:
        self.prefix, self.change, self.answers = prefix, change, answers

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        return self.change(packet, slave) if packet.startswith(self.prefix) else packet

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        if asked.startswith(self.prefix) and self.answers:
            return list(self.answers)
        return came


def ignored(prefix: bytes, move: int = 0) -> Wrong:
    """The command is answered and not carried out, but for the MTA."""

    def change(packet: bytes, slave: SlaveMachine) -> bytes:
        state = slave.state
        if move and packet[0] == 0xED:
            address = int.from_bytes(packet[4:8], "little")
            state.point(
                replace(state.mta, value=address + move) if state.mta else _address(address + move)
            )
        elif move and state.mta is not None:
            state.point(state.mta + move)
        return b""

    return Ask(prefix, change, OK)


def _address(value: int) -> Any:
    from xcaliper.core.address import Address

    return Address(value)


class StuckMta(Wrong):
    """The command leaves the MTA where it was, or puts it at the command's own address."""

    def __init__(self, prefix: bytes, *, own: bool = False, shift: int = 0) -> None:
        self.prefix, self.own, self.shift = prefix, own, shift
        self.mta: Any = None

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        if packet.startswith(self.prefix):
            self.mta = (
                _address(int.from_bytes(packet[4:8], "little")) if self.own else slave.state.mta
            )
        return packet

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        if asked.startswith(self.prefix) and self.mta is not None and slave.state.text is None:
            slave.state.mta = self.mta + self.shift
        return came


class StuckPointer(Wrong):
    """The command leaves the DAQ pointer where it was."""

    def __init__(self, prefix: bytes) -> None:
        self.prefix = prefix
        self.pointer: Any = None

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        if packet.startswith(self.prefix):
            self.pointer = slave.state.daq.pointer
        return packet

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        if asked.startswith(self.prefix):
            slave.state.daq.pointer = self.pointer
        return came


class Data(Wrong):
    """Changes DAQ packets."""

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        self.change = change

    def data(self, packet: bytes) -> bytes:
        return self.change(packet)


class Chain(Wrong):
    """Several of them; the first that changes an answer wins."""

    def __init__(self, *parts: Wrong) -> None:
        self.parts = parts

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        for part in self.parts:
            packet = part.request(packet, slave)
        return packet

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        for part in self.parts:
            changed = part.answer(asked, came, slave)
            if changed != came:
                return changed
        return came


class SlyCounter(Edit):
    """Edits with a number that grows by each match."""

    def __init__(self, prefix: bytes, edit: Callable[[bytes, int], bytes], **options: Any) -> None:
        super().__init__(prefix, self._edit, **options)
        self.count, self.change = 0, edit

    def _edit(self, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        self.count += 1
        return [self.change(p, self.count) if p[0] == 0xFF else p for p in came]


class InSession(Edit):
    """Another MAX_DTO for a CONNECT inside a session."""

    def __init__(self) -> None:
        super().__init__(b"\xff\x00", self._other, exact=True)
        self.inside = False

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        self.inside = slave.connected
        return super().request(packet, slave)

    def _other(self, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        return [p[:4] + b"\x10" + p[5:] for p in came] if self.inside else came


class OneSynch(Wrong):
    """Answers one SYNCH of several in a row."""

    def __init__(self) -> None:
        self.row = 0

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        self.row = self.row + 1 if asked == b"\xfc" else 0
        return came if self.row < 2 else []


class Reversed(Edit):
    """Interleaved mode whose answers come in the wrong order."""

    def __init__(self) -> None:
        super().__init__(
            b"\xfb", lambda came, _: [b"\xff\x00\x03\x00\x20\x00\x02\x10" for _ in came]
        )

    def order(self, packets: list[bytes]) -> list[bytes]:
        return packets[::-1]


class Early(Wrong):
    """A DAQ packet before the answer to the start."""

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        if asked != b"\xdd\x01" or not slave.daq_running:
            return came
        for channel in slave.state.daq.by_event:
            slave.event(channel, slave.state.now_ns)
        return slave.outgoing() + came


class Late(Wrong):
    """A DAQ packet 300 ms after lists were stopped by a command, once."""

    def __init__(self, command: bytes) -> None:
        self.command, self.due, self.last, self.running = command, 0, b"", False

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        if packet == self.command and slave.daq_running and self.due == 0:
            self.due = -1
        return packet

    def data(self, packet: bytes) -> bytes:
        self.last = packet
        return packet

    def idle(self, slave: SlaveMachine, now_ns: int) -> list[bytes]:
        if self.due == -1:
            self.due = now_ns + 300_000_000
        if 0 < self.due <= now_ns:
            self.due = 1 << 63
            return [self.last]
        return []


class StillRunning(Wrong):
    """DAQ_RUNNING stays after START_STOP_SYNCH stop all."""

    def __init__(self) -> None:
        self.stuck = False

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        if packet == b"\xdd\x00":
            self.stuck = slave.daq_running
        return packet

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        if asked == b"\xfd" and self.stuck:
            self.stuck = False
            return [p[:1] + bytes((p[1] | 0x40,)) + p[2:] for p in came]
        return came


class LostOdt(Wrong):
    """Every second ODT 1 is missing."""

    def __init__(self) -> None:
        self.count = 0

    def data(self, packet: bytes) -> bytes:
        if packet[0] != 1:
            return packet
        self.count += 1
        return packet if self.count % 2 else b""


class Counted(Wrong):
    """Changes the DAQ packets of lists with a counter."""

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        self.counted, self.change = False, change

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        if packet[:1] == b"\xe0" and len(packet) >= 8:
            self.counted = bool(packet[1] & 8)
        return packet

    def data(self, packet: bytes) -> bytes:
        return self.change(packet) if self.counted else packet


class Datagram(Wrong):
    """Changes one datagram, the 50th."""

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        self.count, self.change = 0, change

    def datagram(self, data: bytes) -> bytes:
        self.count += 1
        return self.change(data) if self.count == 50 else data


class Once(Wrong):
    """An extra packet behind the first answer to a command."""

    def __init__(self, prefix: bytes, packet: bytes) -> None:
        self.prefix, self.packet, self.done = prefix, packet, False

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        if self.done or not asked.startswith(self.prefix) or not came:
            return came
        self.done = True
        return [*came, self.packet]


class NoPrescaler(Wrong):
    """Takes a prescaler of 0 for 1."""

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        zero = packet[:1] == b"\xe0" and packet[6:7] == b"\0"
        return packet[:6] + b"\x01" + packet[7:] if zero else packet


class DeafToGaps(Wrong):
    def deaf_to_gaps(self) -> bool:
        return True


class LateCounter(Wrong):
    first_counter = 5


class FirstOnly(Wrong):
    def order(self, packets: list[bytes]) -> list[bytes]:
        return packets[:1]


class Multicast(Edit):
    """Another counter in EV_TIME_SYNC."""

    def __init__(self) -> None:
        super().__init__(b"\xf2\xfa", lambda came, _: [p.replace(b"\x5a", b"\x5b") for p in came])


class Pending(Wrong):
    """STORE_CAL_REQ stays set in SESSION_STATUS from the first request of it on."""

    def __init__(self) -> None:
        self.asked = False

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        self.asked = self.asked or asked[:2] == b"\xf9\x01"
        if asked == b"\xfd" and self.asked:
            return [p[:1] + bytes((p[1] | 1,)) + p[2:] for p in came]
        return came


class Events(Wrong):
    """Changes EV packets; b"" drops them."""

    def __init__(self, change: Callable[[bytes], bytes]) -> None:
        self.change = change

    def event(self, packet: bytes) -> bytes:
        return self.change(packet)


class DeafToStim(Wrong):
    """STIM packets get lost."""

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        return b"" if packet and packet[0] < 0xC0 else packet


class KeepsStimMode(Wrong):
    """Says that the counter of STIM packets will be compared, and does not compare it."""

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        return b"\xc5\x00" + packet[2:] if packet[:1] == b"\xc5" else packet


class ShortQueue(Wrong):
    """The queue takes three commands, whatever it announces."""

    def order(self, packets: list[bytes]) -> list[bytes]:
        return [*packets[:3], *[b"\xfe\x10"] * len(packets[3:])]


class WrongFlash(Wrong):
    """One bit of each PROGRAM does not keep what it was told."""

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        if packet[:1] == b"\xd0" and packet[1]:
            return packet[:-1] + bytes((packet[-1] ^ 1,))
        return packet


class AnswersStim(Wrong):
    """STIM packets are answered as unknown commands where no list runs."""

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        idle = asked and asked[0] < 0xC0 and not slave.daq_running
        return [UNKNOWN] if idle else came


class OpenCal(Wrong):
    """CAL/PAG stays closed in effect where it is told as open, behind an UNLOCK that came directly before."""

    def __init__(self) -> None:
        self.before = self.now = b""

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        self.before, self.now = self.now, packet
        return packet

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        denied = asked == b"\xea\x01\x00" and self.before[:1] == b"\xf7"
        return [b"\xfe\x25"] if denied else came


class StaysOpen(Wrong):
    """What was open before a command is open after it: DISCONNECT, or CONNECT in a session."""

    def __init__(self, command: bytes) -> None:
        self.command, self.kept = command, None

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        if packet.startswith(self.command) and slave.connected:
            self.kept = slave.state.locked
        return packet

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        if self.kept is not None and slave.connected:
            slave.state.locked, self.kept = self.kept, None
        return came


class Between(Wrong):
    """GET_STATUS between a seed and its key does no harm."""

    def __init__(self) -> None:
        self.before = b""

    def request(self, packet: bytes, slave: SlaveMachine) -> bytes:
        behind, self.before = self.before[:1], packet
        return b"" if packet == b"\xfd" and behind == b"\xf8" else packet

    def answer(self, asked: bytes, came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        if asked == b"\xfd" and not came and slave.connected:
            return [bytes((0xFF, 0, slave.state.locked, 0, 0, 0))]
        return came


def programming(**changed: bytes) -> Wrong:
    """What a slave with PGM and one sector tells."""
    said = {
        "info": b"\xff\x01\x01",
        "sector": b"\xff\x00\x00\x00\x00\x00\x01\x00",
        "beyond": b"\xfe\x28",
        "clear": b"\xfe\x29",
    } | changed
    return Chain(
        mask(b"\xff\x00", 1, on=0x10),
        reply(b"\xce", said["info"]),
        reply(b"\xcd\x00\x00", said["sector"]),
        reply(b"\xcd\x01\x00", said["sector"]),
        reply(b"\xcd\x00\x01", said["beyond"]),
        reply(b"\xd1", said["clear"]),
    )


def stimulating() -> Wrong:
    """A slave whose event channel 2 serves STIM."""
    return Chain(mask(b"\xff\x00", 1, on=0x08), mask(b"\xd7\x00\x02", 1, on=0x08))
