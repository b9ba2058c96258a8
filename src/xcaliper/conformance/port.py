"""Datagrams and streams of Ethernet messages, with every header field kept for the rules to look at.

The readers of :mod:`xcaliper.xcp.framing.eth` settle counters and fill silently, as a master wants it; here they
are what is judged.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from xcaliper.xcp.framing.eth import HEADER_SIZE, EthFraming

__all__ = ["Message", "Messages", "Port", "WireFacts"]

_MODULUS: Final = 1 << 16
_KEEP: Final = 4096
_MAX_PER_READ: Final = 8192
_MAX_STREAM: Final = 1 << 20


class Port(Protocol):
    """What moves the bytes: a socket, or a machine in a test."""

    @property
    def is_stream(self) -> bool:
        """True when message borders are not kept (TCP)."""
        ...

    def now_ns(self) -> int:
        """Monotonic time."""
        ...

    def send(self, data: bytes) -> None:
        """Send one datagram, or a piece of a stream."""
        ...

    def receive(self, until_ns: int) -> bytes | None:
        """The next datagram or piece; None when nothing came until then.

        Raises:
            LinkError: the slave ended the stream, or the link failed.
        """
        ...

    def reopen(self) -> None:
        """Open a stream anew that the slave has ended.

        Raises:
            LinkError: it cannot be opened.
        """
        ...


class Message(NamedTuple):
    """One message of the slave as it arrived."""

    t_ns: int
    counter: int
    packet: bytes


@dataclass(slots=True)
class WireFacts:
    """What was seen of the headers.

    Attributes:
        messages: how many there were.
        gaps: (expected, found) of counters that did not go on, the first few.
        first_after_connect: counters of the answers to CONNECT.
        overlong: LEN, and bytes there were, of messages that did not fit their datagram.
        longest: LEN of the longest message.
    """

    messages: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    first_after_connect: list[int] = field(default_factory=list)
    overlong: list[tuple[int, int]] = field(default_factory=list)
    longest: int = 0


class Messages:
    """Packets over a port: headers put on and taken off.

    Args:
        port: where the bytes go.
        alignment: bytes that messages are aligned to, 1, 2 or 4.
    """

    def __init__(self, port: Port, alignment: int = 1) -> None:
        self.port = port
        self.facts = WireFacts()
        self._alignment = alignment
        self._framing = EthFraming(alignment)
        self._waiting: deque[Message] = deque()
        self._stream = bytearray()
        self._expected: int | None = None

    def restart(self) -> None:
        """A CONNECT follows: counters start again on both sides (XCP on Ethernet, header, 1.0)."""
        self._framing.reset()
        self._expected = None

    def reopen(self) -> None:
        """Begin anew behind a stream that the slave has ended."""
        self.port.reopen()
        self._stream.clear()
        self._waiting.clear()

    def skip_counter(self, count: int) -> None:
        """Leave out counters, as if messages had been lost on their way."""
        self._framing.take(count)

    def send(self, *packets: bytes) -> None:
        """Send packets, all in one datagram."""
        self.port.send(b"".join(map(self._framing.frame, packets)))

    def receive(self, until_ns: int) -> Message | None:
        """The next message; None when nothing came until then."""
        for _ in range(_MAX_PER_READ):
            if self._waiting:
                return self._waiting.popleft()
            data = self.port.receive(until_ns)
            if data is None:
                return None
            self._split(data)
        return None

    def _split(self, data: bytes) -> None:
        if self.port.is_stream:
            self._stream += data
            data = bytes(self._stream)
        now, at = self.port.now_ns(), 0
        while at + HEADER_SIZE <= len(data):
            size = int.from_bytes(data[at : at + 2], "little")
            counter = int.from_bytes(data[at + 2 : at + 4], "little")
            end = at + HEADER_SIZE + size
            if end > len(data):
                break
            self._note(counter, size)
            if size:
                self._waiting.append(Message(now, counter, data[at + HEADER_SIZE : end]))
            at = end + -(HEADER_SIZE + size) % self._alignment
        self._rest(data, at)

    def _rest(self, data: bytes, at: int) -> None:
        """What is left behind the last whole message: more to come in a stream, damage in a datagram."""
        if self.port.is_stream:
            self._stream = bytearray(data[at:] if len(data) - at < _MAX_STREAM else b"")
        elif at < len(data) and len(self.facts.overlong) < _KEEP:
            size = int.from_bytes(data[at : at + 2], "little")
            self.facts.overlong.append((size, len(data) - at))

    def _note(self, counter: int, size: int) -> None:
        facts = self.facts
        facts.messages += 1
        facts.longest = max(facts.longest, size)
        if self._expected is None:
            facts.first_after_connect.append(counter)
        elif counter != self._expected and len(facts.gaps) < _KEEP:
            facts.gaps.append((self._expected, counter))
        self._expected = (counter + 1) % _MODULUS
