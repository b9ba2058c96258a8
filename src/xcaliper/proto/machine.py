"""What every machine without I/O looks like; time is an argument."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Machine"]


class Machine(Protocol):
    """A protocol role: fed with packets, asked for packets, woken by time."""

    def receive(self, packet: bytes, now_ns: int) -> None:
        """Feed one packet from the peer."""
        ...

    def on_time(self, now_ns: int) -> None:
        """Tell that a deadline passed; harmless when none did."""
        ...

    def due(self) -> int | None:
        """Next deadline in nanoseconds, None when there is none."""
        ...

    def outgoing(self) -> list[bytes]:
        """Packets to send, in order; each is given out once."""
        ...

    def events(self) -> list[Any]:
        """What happened, in order; each is given out once."""
        ...
