"""A line in memory, on virtual time, with seeded faults: for tests without sockets."""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import SettingsError
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming, StreamReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.transport.server import ServedMachine

__all__ = ["Faults", "LoopbackLine", "LoopbackTransport", "SlaveEnd"]

_CONNECT: Final = 0xFF
_MAX_STEPS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Faults:
    """What may happen to a datagram; probabilities from 0 to 1.

    Attributes:
        loss: it never arrives.
        duplicate: it arrives twice.
        reorder: it arrives after ``late_ns`` more.
        corrupt: one bit of it is wrong.
        delay_ns: time on the way.
        jitter_ns: up to so much more, evenly; alone it can change the order, too.
        late_ns: delay of a reordered one.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    delay_ns: int = 10_000
    jitter_ns: int = 0
    late_ns: int = 1_000_000

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder", "corrupt"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise SettingsError(name, "a probability is from 0 to 1")


class LoopbackLine:
    """A clock, and what is on its way on it; time goes on only when somebody waits.

    Args:
        faults: of both directions.
        seed: of everything random; the same seed gives the same faults.
        stream: a byte stream that is cut anywhere, without faults, instead of datagrams.

    Attributes:
        lost: datagrams that never arrived.
        transport: the master's end.
    """

    def __init__(
        self, faults: Faults | None = None, *, seed: int = 0, stream: bool = False
    ) -> None:
        self.faults = faults or Faults()
        self.lost = 0
        self.is_stream = stream
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._now_ns = 0
        self._order = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._stream_free_ns = {"slave": 0, "master": 0}
        self._serve: Callable[[bytes, int], Iterable[bytes]] | None = None
        self.transport = LoopbackTransport(self)

    def clock(self) -> int:
        """The virtual time, nanoseconds."""
        return self._now_ns

    def attach(self, serve: Callable[[bytes, int], Iterable[bytes]]) -> None:
        """Set the other end: a function of datagram and time that gives datagrams to send back."""
        self._serve = serve

    def at(self, t_ns: int, action: Callable[[], None]) -> None:
        """Do something when the time has come."""
        self._order += 1
        heapq.heappush(self._queue, (max(t_ns, self._now_ns), self._order, action))

    def to_slave(self, data: bytes) -> None:
        """Put a datagram of the master on the line."""
        self._put("slave", data, self._arrive_at_slave)

    def to_master(self, data: bytes) -> None:
        """Put a datagram of the slave on the line."""
        self._put("master", data, self.transport.arrive)

    def _arrive_at_slave(self, data: bytes) -> None:
        if self._serve is not None:
            for answer in self._serve(data, self._now_ns):
                self.to_master(answer)

    def _put(self, side: str, data: bytes, arrive: Callable[[bytes], None]) -> None:
        if self.is_stream:
            self._put_pieces(side, data, arrive)
            return
        faults, rnd = self.faults, self._random
        if rnd.random() < faults.loss:
            self.lost += 1
            return
        if data and rnd.random() < faults.corrupt:
            damaged = bytearray(data)
            damaged[rnd.randrange(len(damaged))] ^= 1 << rnd.randrange(8)
            data = bytes(damaged)
        for _ in range(1 + (rnd.random() < faults.duplicate)):
            t_ns = self._now_ns + faults.delay_ns + rnd.randint(0, faults.jitter_ns)
            if rnd.random() < faults.reorder:
                t_ns += faults.late_ns
            self.at(t_ns, _Later(arrive, data))

    def _put_pieces(self, side: str, data: bytes, arrive: Callable[[bytes], None]) -> None:
        at = 0
        while at < len(data):
            size = self._random.randint(1, len(data) - at)
            t_ns = max(self._now_ns + self.faults.delay_ns, self._stream_free_ns[side])
            self._stream_free_ns[side] = t_ns
            self.at(t_ns, _Later(arrive, data[at : at + size]))
            at += size

    def step(self, until_ns: int) -> bool:
        """Go on to the next thing that happens; False (and the time is there) when nothing does."""
        if self._queue and self._queue[0][0] <= until_ns:
            self._now_ns, _, action = heapq.heappop(self._queue)
            action()
            return True
        self._now_ns = max(self._now_ns, until_ns)
        return False

    def run_until(self, until_ns: int) -> None:
        """Let everything happen up to a time."""
        for _ in range(_MAX_STEPS):
            if not self.step(until_ns):
                return


class _Later:
    """An arrival that waits; a bound pair instead of a closure over a loop variable."""

    __slots__ = ("_arrive", "_data")

    def __init__(self, arrive: Callable[[bytes], None], data: bytes) -> None:
        self._arrive = arrive
        self._data = data

    def __call__(self) -> None:
        self._arrive(self._data)


class LoopbackTransport:
    """The master's end of a line; waiting makes the virtual time go on.

    Attributes:
        closed: True after :meth:`close`.
    """

    name: Final = "loopback://"
    buffer_size: Final = 1 << 20

    def __init__(self, line: LoopbackLine) -> None:
        self.is_stream = line.is_stream
        self.diagnostics: list[Diagnostic] = []
        self.closed = False
        self._line = line
        self._waiting: deque[bytes] = deque()
        self._wait_ns = 0

    def arrive(self, data: bytes) -> None:
        """Take what came over the line."""
        self._waiting.append(data)

    def send(self, data: bytes) -> None:
        """Put a datagram on the line."""
        if self.closed:
            raise OSError("closed")
        self._line.to_slave(bytes(data))

    def receive(self) -> bytes:
        """The next datagram or piece; raises ``BlockingIOError`` after the time to wait."""
        if self.closed:
            raise OSError("closed")
        until_ns = self._line.clock() + self._wait_ns
        while not self._waiting:
            if not self._line.step(until_ns) and not self._waiting:
                raise BlockingIOError
        return self._waiting.popleft()

    def set_wait(self, wait_ns: int) -> None:
        """Let ``receive`` wait at most so long."""
        self._wait_ns = wait_ns

    def poll(self, limit: int) -> list[bytes]:
        """What has arrived by now; time does not go on."""
        self._line.run_until(self._line.clock())
        found: list[bytes] = []
        size = 0
        while self._waiting and size < limit:
            found.append(self._waiting.popleft())
            size += len(found[-1])
        return found

    def set_batching(self, *, on: bool) -> None:
        """Nothing to switch in memory."""

    def close(self) -> None:
        """End it; harmless when closed."""
        self.closed = True


class SlaveEnd:
    """The slave's end of a line: framing and a slave machine.

    Attributes:
        machine: the slave.
    """

    def __init__(self, line: LoopbackLine, machine: ServedMachine, *, alignment: int = 1) -> None:
        self.machine = machine
        self._line = line
        self._framing = EthFraming(alignment)
        self._reader: DatagramReader | StreamReader = (
            StreamReader(alignment) if line.is_stream else DatagramReader(alignment)
        )
        line.attach(self._receive)

    def _receive(self, data: bytes, now_ns: int) -> list[bytes]:
        for packet in self._reader.feed(data, now_ns):
            if packet[0] == _CONNECT:
                self.flush()
                self._framing.reset()
            self.machine.receive(packet, now_ns)
        return self._datagrams()

    def _datagrams(self) -> list[bytes]:
        return self._framing.frame_many(self.machine.outgoing())

    def flush(self) -> None:
        """Send what the slave has to say of its own accord (events, DAQ)."""
        for datagram in self._datagrams():
            self._line.to_master(datagram)
