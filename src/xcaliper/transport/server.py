"""Serves one slave machine on one port, in the thread of the caller."""

from __future__ import annotations

import select
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

from xcaliper.transport.ports import DATAGRAM_LIMIT, TcpPort, UdpPort

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from xcaliper.transport.ports import SlavePort

__all__ = ["ServedMachine", "SlaveServer", "TcpServer", "UdpServer"]

_CONNECT: Final = 0xFF
_TURN_NS: Final = 50_000_000


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


class SlaveServer:
    """A slave machine behind a port.

    Args:
        machine: the slave; only the thread that serves may touch it.
        port: where it listens; the server owns and closes it.
        clock: monotonic nanoseconds.

    Attributes:
        machine: as given.
        port: as given.
    """

    def __init__(
        self,
        machine: ServedMachine,
        port: SlavePort,
        *,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.machine = machine
        self.port = port
        self._clock = clock
        port.in_session = self._in_session
        port.dropped = self._drop

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
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on; the port is a real one when 0 was asked for."""
        return self.port.address

    @property
    def url(self) -> str:
        """Address for a master on the same machine."""
        return self.port.url

    def _in_session(self) -> bool:
        return self.machine.connected

    def _drop(self) -> None:
        if self.machine.connected:
            self.machine.drop(self._clock())
        self.machine.outgoing()

    def serve(
        self,
        stop: threading.Event | Callable[[], bool],
        *,
        next_due_ns: Callable[[], int | None] | None = None,
        on_due: Callable[[int], object] | None = None,
        until_ns: int | None = None,
    ) -> None:
        """Serve until told to stop, noticed within 50 ms; the caller's thread does everything.

        Args:
            stop: an event, or a function that says True.
            next_due_ns: when the ECU's next task is due, on the server's clock; None = none.
            on_due: runs the tasks that are due; gets the time.
            until_ns: serve until this time on the server's clock.
        """
        stopped = stop.is_set if isinstance(stop, threading.Event) else stop
        machine, clock = self.machine, self._clock
        while not stopped():
            now = clock()
            if until_ns is not None and now >= until_ns:
                break
            wake = now + _TURN_NS if until_ns is None else min(now + _TURN_NS, until_ns)
            own = machine.due()
            if own is not None and own <= now:
                machine.on_time(now)
                own = machine.due()
            due = next_due_ns() if next_due_ns is not None else None
            if due is not None and due <= now and on_due is not None:
                on_due(now)
                due = next_due_ns() if next_due_ns is not None else None
            self.flush()
            for time_ns in (own, due):
                if time_ns is not None and time_ns < wake:
                    wake = time_ns
            self.step(wake - clock())
        self.flush()

    def step(self, wait_ns: int = 0) -> None:
        """Wait at most so long for the master, serve what came, send the answers."""
        port = self.port
        ready, writable, _ = select.select(
            port.sockets(), port.blocked(), [], max(wait_ns, 0) / 1e9
        )
        if writable:
            port.flush()
        if not ready:
            return
        now = self._clock()
        for packet in port.read():
            if packet[0] == _CONNECT:
                self.flush()
                port.restart()
            self.machine.receive(packet, now)
        self.flush()

    def flush(self) -> None:
        """Send what the slave has to say; while the port is busy its queue fills."""
        if not self.port.busy:
            self.port.send(self.machine.outgoing())

    def close(self) -> None:
        """End the session and give the sockets back; harmless when closed."""
        self.port.close()
        self._drop()


class UdpServer(SlaveServer):
    """A slave on UDP; see :class:`~xcaliper.transport.ports.UdpPort`.

    Raises:
        LinkError: the port cannot be had.
    """

    def __init__(
        self,
        machine: ServedMachine,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        limit: int = DATAGRAM_LIMIT,
        segmentation: bool = True,
        alignment: int = 1,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        made = UdpPort(host, port, alignment=alignment, limit=limit, segmentation=segmentation)
        super().__init__(machine, made, clock=clock)


class TcpServer(SlaveServer):
    """A slave on TCP; see :class:`~xcaliper.transport.ports.TcpPort`.

    Raises:
        LinkError: the port cannot be had.
    """

    def __init__(
        self,
        machine: ServedMachine,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        max_packet: int = 0xFFFF,
        alignment: int = 1,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        made = TcpPort(host, port, alignment=alignment, max_packet=max_packet)
        super().__init__(machine, made, clock=clock)
