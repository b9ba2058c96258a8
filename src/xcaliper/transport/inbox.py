"""DAQ packets on their way from whoever drives the link to the sink, in order and bounded."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.core.frames import DtoBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.core.samples import SampleBlock
    from xcaliper.daq.framed import FramedDecoder

__all__ = ["BlockSink", "DaqInbox", "DaqSink"]

DaqSink: TypeAlias = "Callable[[DtoBatch], object]"
BlockSink: TypeAlias = "Callable[[list[SampleBlock]], object]"

_MAX_BYTES: Final = 256 << 20
_MAX_BATCH: Final = 1 << 16
_OVERHEAD: Final = 64


class DaqInbox:
    """Packets and gaps in order of arrival.

    One thread at a time puts in (it holds the link's lock), one at a time takes out (it holds the
    lock in here); both may go on together, because the deque is the only thing they share.

    Attributes:
        received: packets put in.
        stray: packets that came while nobody wanted any.
        dropped: packets that found no room because the sink was too slow; marked as lost.
        error: first exception of the sink; it gets nothing after that.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._queue: deque[bytes | int] = deque()
        self._max_bytes = max_bytes
        self._bytes_in = 0
        self._bytes_out = 0
        self._missing = 0
        self._sink: DaqSink | None = None
        self._decoder: FramedDecoder | None = None
        self._block_sink: BlockSink | None = None
        self._lock = threading.RLock()
        self._delivering = False
        self.received = 0
        self.stray = 0
        self.dropped = 0
        self.error: Exception | None = None

    @property
    def running(self) -> bool:
        """True while a sink is set."""
        return self._sink is not None or self._block_sink is not None

    @property
    def waiting(self) -> int:
        """Packets and gaps, or blocks, not yet delivered."""
        decoder = self._decoder
        return len(self._queue) if decoder is None else int(decoder.is_ready)

    def start(self, sink: DaqSink) -> None:
        """Begin: what comes from now on goes to the sink."""
        with self._lock:
            self._queue.clear()
            self._bytes_in = self._bytes_out = 0
            self._missing = 0
            self.error = None
            self._sink = sink

    def start_blocks(self, decoder: FramedDecoder, sink: BlockSink) -> None:
        """Begin: blocks that the decoder makes ready go to the sink; packets are not expected."""
        with self._lock:
            self._missing = 0
            self.error = None
            self._decoder, self._block_sink = decoder, sink

    def put(self, packet: bytes) -> None:
        """Append one packet."""
        if self._sink is None:
            self.stray += 1
            return
        size = self._bytes_in + len(packet) + _OVERHEAD
        if size - self._bytes_out > self._max_bytes:
            self.dropped += 1
            self._missing += 1
            return
        if self._missing:
            self._queue.append(self._missing)
            self._missing = 0
        self._bytes_in = size
        self.received += 1
        self._queue.append(packet)

    def put_gap(self, missing: int) -> None:
        """Note that messages are missing before the next packet."""
        self._missing += missing

    def put_all(self, packets: Sequence[bytes], gaps: Sequence[tuple[int, int]]) -> None:
        """Append packets, none of which is a command answer, with their gaps."""
        put = self.put
        if not gaps:
            for packet in packets:
                put(packet)
            return
        missing_at = dict(gaps)
        for index, packet in enumerate(packets):
            if index in missing_at:
                self._missing += missing_at[index]
            put(packet)

    def deliver(self, now_ns: int, timeout_s: float = -1) -> bool:
        """Hand everything that waits to the sink; False when another thread keeps it busy.

        Never raises; an exception of the sink is kept in ``error``.
        """
        if not self._lock.acquire(timeout=timeout_s):
            return False
        try:
            if self._delivering:  # the sink itself asked
                return False
            self._delivering = True
            try:
                self._deliver_blocks()
                for _ in range(self._max_bytes // _OVERHEAD // _MAX_BATCH + 1):
                    if not self._queue:
                        break
                    self._hand_over(self._take(now_ns))
            finally:
                self._delivering = False
        finally:
            self._lock.release()
        return True

    def _deliver_blocks(self) -> None:
        decoder, sink = self._decoder, self._block_sink
        if decoder is None or sink is None:
            return
        blocks = decoder.take_ready()
        if blocks and self.error is None:
            try:
                sink(blocks)
            except Exception as error:  # noqa: BLE001 - a user's sink must not end the pump
                self.error = error

    def _take(self, now_ns: int) -> DtoBatch:
        batch = DtoBatch(now_ns)
        packets, lost = batch.packets, batch.lost
        pop = self._queue.popleft
        size = 0
        for _ in range(min(len(self._queue), _MAX_BATCH)):
            item = pop()
            if isinstance(item, int):
                lost.append((len(packets), item))
            else:
                packets.append(item)
                size += len(item) + _OVERHEAD
        self._bytes_out += size
        return batch

    def _hand_over(self, batch: DtoBatch) -> None:
        sink = self._sink
        if sink is None or self.error is not None:
            self.dropped += len(batch.packets)
            return
        try:
            sink(batch)
        except Exception as error:  # noqa: BLE001 - a user's sink must not end the pump
            self.error = error

    def finish(self, now_ns: int, timeout_s: float) -> bool:
        """Deliver the rest and let the sink go; False when it was still busy after the time."""
        if self._missing:
            self._queue.append(self._missing)
            self._missing = 0
        done = self.deliver(now_ns, timeout_s)
        self._sink = self._block_sink = self._decoder = None
        return done
