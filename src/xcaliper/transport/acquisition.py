"""From a transport's bytes to sample blocks while a measurement runs; whoever drives the link calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from xcaliper.daq.framed import BUFFER_BYTES

if TYPE_CHECKING:
    from xcaliper.daq.framed import FramedDecoder
    from xcaliper.transport.base import Transport
    from xcaliper.xcp.framing.eth import DatagramReader, StreamReader

__all__ = ["Acquisition", "BufferedSource"]


@runtime_checkable
class BufferedSource(Protocol):
    """A transport on a socket, whose bytes can go straight into a buffer."""

    def fileno(self) -> int:
        """Descriptor of the socket."""
        ...

    @property
    def may_join(self) -> bool:
        """True when several datagrams may come as one."""
        ...

    def note_received(self, size: int, joins: int, *, emptied: bool) -> None:
        """Others have received from the descriptor.

        Args:
            size: bytes.
            joins: receives that brought several datagrams.
            emptied: nothing waited any more.
        """
        ...

    def take_pending(self) -> list[bytes]:
        """Datagrams that were received but not given out."""
        ...

    def poll_into(self, buffer: memoryview, limit: int) -> list[tuple[int, int]]:
        """Write what waits now into the buffer, one behind the other; never blocks.

        Returns:
            Bytes of each receive, and of each datagram where several were joined, else 0. A stream
            that ended gives 0 bytes last.
        """
        ...


class Acquisition:
    """Decoder, transport and reader of one measurement.

    Args:
        decoder: of the measurement.
        transport: where bytes come from.
        reader: its counter and rest are where the decoder goes on.
        now_ns: host time.

    Attributes:
        decoder: as given.
        ended: True when the peer has closed the stream.
    """

    def __init__(
        self,
        decoder: FramedDecoder,
        transport: Transport,
        reader: DatagramReader | StreamReader,
        now_ns: int,
    ) -> None:
        self.decoder = decoder
        self.ended = False
        self._transport = transport
        self._source = transport if isinstance(transport, BufferedSource) else None
        self._is_stream = transport.is_stream
        decoder.attach(reader, now_ns=now_ns)

    @property
    def descriptor(self) -> int:
        """Of the socket; -1 where there is none."""
        return -1 if self._source is None else self._source.fileno()

    def feed(self, data: bytes, now_ns: int) -> list[bytes]:
        """Take one datagram or piece; gives the packets that are not DAQ.

        Raises:
            FramingError: the stream is broken.
        """
        return self.decoder.feed_bytes(data, now_ns)

    @property
    def can_stay(self) -> bool:
        """True when :meth:`poll` can go on until a given time."""
        return self._source is not None and self.decoder.can_stay

    def poll(self, limit: int, now_ns: int, until_ns: int = 0) -> tuple[int, list[bytes]]:
        """Take what waits, without blocking; gives its size and the packets that are not DAQ.

        Args:
            limit: bytes after which to stop.
            now_ns: host time.
            until_ns: monotonic time until which to stay, if :attr:`can_stay`; 0 = not at all.

        Raises:
            FramingError: the stream is broken.
            OSError: the transport failed.
        """
        source, others, size = self._source, [], 0
        if source is None:
            for piece in self._transport.poll(limit):
                self.ended |= self._is_stream and not piece
                others += self.feed(piece, now_ns)
                size += len(piece)
            self.decoder.publish(now_ns)
            return size, others
        for datagram in source.take_pending():
            others += self.feed(datagram, now_ns)
            size += len(datagram)
        drained = self.decoder.drain(
            source.fileno(), limit, now_ns, joined=source.may_join, until_ns=until_ns
        )
        if drained is not None:
            more, self.ended, found = drained
            joins, emptied = self.decoder.receives
            source.note_received(more, joins, emptied=emptied)
            return size + more, others + found
        received = source.poll_into(self.decoder.room(), min(limit, BUFFER_BYTES))
        self.ended = self._is_stream and bool(received) and received[-1][0] == 0
        found = self.decoder.decode(received, now_ns)
        return size + sum(one for one, _ in received), others + found

    def end(self, now_ns: int) -> None:
        """Make everything that was decoded ready; the reader goes on alone."""
        self.decoder.detach(now_ns)
