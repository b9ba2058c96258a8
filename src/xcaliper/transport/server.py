"""Serves one slave machine on its ports, in the thread of the caller: one master at a time."""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, runtime_checkable

from xcaliper.transport.port_base import MAX_READS
from xcaliper.transport.ports import SessionRules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from xcaliper.transport.discovery import DiscoveryPort
    from xcaliper.transport.multicast import MulticastPort
    from xcaliper.transport.port_base import Sent, Watched
    from xcaliper.transport.ports import SlavePort

__all__ = ["AnyPort", "BlockMachine", "ServedMachine", "ServerCounters", "SlaveServer"]

_CONNECT: Final = 0xFF
_TURN_NS: Final = 50_000_000


#: What a server listens on: ports of sessions, and shared ones.
AnyPort: TypeAlias = "SlavePort | MulticastPort | DiscoveryPort"


def _never() -> bool:
    return False


class ServedMachine(Protocol):
    """What a server needs of a slave."""

    @property
    def connected(self) -> bool:
        """True inside a session."""
        ...

    def receive(self, packet: bytes, now_ns: int) -> None:
        """Serve one command."""
        ...

    def outgoing(self) -> list[bytes]:
        """Answers and DTOs in order; each is given out once."""
        ...

    def on_time(self, now_ns: int) -> None:
        """A deadline passed."""
        ...

    def due(self) -> int | None:
        """Next deadline in nanoseconds."""
        ...

    def drop(self, now_ns: int) -> None:
        """The connection is gone."""
        ...


@runtime_checkable
class BlockMachine(Protocol):
    """A slave that hands over whole blocks of DTOs."""

    alignment: int

    def outgoing_blocks(self) -> Sequence[Sent]:
        """Answers and DTOs in order; each is given out once."""
        ...


@dataclass(frozen=True, slots=True)
class ServerCounters:
    """What happened on the ports of a server so far.

    Attributes:
        strangers: packets of somebody who holds no session.
        refused: TCP connections turned away.
        broken: connections ended, or datagrams lost, by damage or a failed socket.
    """

    strangers: int
    refused: int
    broken: int


class SlaveServer:
    """A slave machine behind its ports; the port of the newest CONNECT owns the session.

    Args:
        machine: the slave; only the thread that serves may touch it.
        ports: where it listens; the server owns and closes them. A shared one takes no sessions.
        rules: what becomes of a master that comes while another one has the session.
        clock: monotonic nanoseconds, as the machine gets them.

    Attributes:
        machine: as given.
        ports: as given.
        resumed: set by the owner: says whether DAQ lists run without a session. What they say waits
            for whoever comes first, and CONNECT changes nothing about it.
    """

    def __init__(
        self,
        machine: ServedMachine,
        ports: Sequence[AnyPort],
        *,
        rules: SessionRules | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.machine = machine
        self._rules = rules or SessionRules()
        self._blocks = machine if isinstance(machine, BlockMachine) else None
        self.ports = tuple(ports)
        self._clock = clock
        self._owner: AnyPort | None = None
        self.resumed: Callable[[], bool] = _never
        self._strangers = 0
        self._selector = selectors.DefaultSelector()
        self._watched: list[Watched] = []
        for port in self.ports:
            port.in_session = partial(self._in_session, port)
            port.dropped = partial(self._drop, port)
            port.rules = self._rules

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Address of the first port for a master on the same machine."""
        return self.ports[0].url

    @property
    def counters(self) -> ServerCounters:
        """What happened on all ports together."""
        return ServerCounters(
            strangers=self._strangers + sum(port.strangers for port in self.ports),
            refused=sum(port.refused for port in self.ports),
            broken=sum(port.broken for port in self.ports),
        )

    def _in_session(self, port: AnyPort) -> bool:
        return self._owner is port and self.machine.connected

    def _drop(self, port: AnyPort) -> None:
        if self._owner is not port:
            return
        self._owner = None
        if self.machine.connected:
            self.machine.drop(self._clock())
        if not self.resumed():
            self.machine.outgoing()

    def serve(self, stopped: Callable[[], bool], *, until_ns: int | None = None) -> None:
        """Serve until told to stop, noticed within 50 ms; the caller's thread does everything.

        Args:
            stopped: says when to stop.
            until_ns: serve until this time on the server's clock.
        """
        machine, clock = self.machine, self._clock
        while not stopped():
            now = clock()
            wake = now + _TURN_NS
            if until_ns is not None:
                if now >= until_ns:
                    break
                wake = min(wake, until_ns)
            due = machine.due()
            if due is not None and due <= now:
                machine.on_time(now)
                due = machine.due()
            self.flush()
            if due is not None and due < wake:
                wake = due
            self.step(wake - clock())
        self.flush()

    def step(self, wait_ns: int = 0) -> None:
        """Wait at most so long for the master, serve what came, send the answers."""
        self._watch()
        ready = [port for port in self.ports if port.waiting]
        for key, events in self._selector.select(0 if ready else max(wait_ns, 0) / 1e9):
            port: AnyPort = key.data
            if events & selectors.EVENT_WRITE:
                port.flush()
            if events & selectors.EVENT_READ and port not in ready:
                ready.append(port)
        for port in ready:
            for _ in range(MAX_READS if port.one_by_one else 1):
                if not self._receive(port):
                    break

    def _watch(self) -> None:
        """Tell the selector what has changed: connections come and go, pipes get full."""
        wanted = [one for port in self.ports for one in port.watched()]
        if wanted == self._watched:
            return
        for sock, _ in self._watched:
            self._selector.unregister(sock)
        self._watched = wanted
        for port in self.ports:
            for sock, events in port.watched():
                self._selector.register(sock, events, port)

    def _receive(self, port: AnyPort) -> bool:
        """Serve what has come; False when nothing has."""
        packets = port.read()
        now = self._clock()
        for packet in packets:
            if packet[0] == _CONNECT:
                if self._is_taken(port):
                    self._strangers += 1
                    port.turn_away()
                    break
                resumed = self.resumed()
                if self._owner is None:
                    self._owner = port
                self.flush()
                if not resumed:
                    self.machine.outgoing()  # what did not get out was for the old session
                self._owner = port
                port.restart(numbering=not resumed)
                if self._blocks is not None:
                    self._blocks.alignment = port.alignment
            if self._owner is port or port.is_shared:
                self.machine.receive(packet, now)
            else:
                self._strangers += 1
        if self._owner is None and port.master and self.resumed():
            self._owner = port
        self.flush()
        return bool(packets)

    def _is_taken(self, port: AnyPort) -> bool:
        """True when another port has a session that is not to be taken over."""
        if self._rules.takeover or self._owner is port or self._owner is None:
            return False
        return self.machine.connected

    def flush(self) -> None:
        """Send what the slave has to say; while the port is busy its queue fills."""
        owner = self._owner
        if owner is not None and not owner.busy:
            blocks = self._blocks
            owner.send(self.machine.outgoing() if blocks is None else blocks.outgoing_blocks())

    @property
    def master(self) -> str:
        """Address of the master that has the session, or had it last; empty without."""
        return "" if self._owner is None else self._owner.master

    def remember(self, master: str) -> None:
        """Send what there is to a master that has not come yet, where the transport can do that.

        Args:
            master: an address of :attr:`master`.
        """
        for port in self.ports:
            if self._owner is None and port.remember(master):
                self._owner = port

    def hang_up(self) -> None:
        """Forget the session: the machine has started anew and knows of none."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.hang_up()

    def close(self) -> None:
        """End the session and give the sockets back; harmless when closed."""
        for port in self.ports:
            port.close()
            self._drop(port)
        self._selector.close()
