"""A UDP relay between a master and a slave that counts, loses, delays and damages on demand.

The order is kept: what is delayed delays all that follows it.
"""

from __future__ import annotations

import heapq
import itertools
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Self
from urllib.parse import urlsplit

#: What becomes of a datagram: (delay in s, datagram) for each copy that goes on.
Fault = Callable[[bytes], list[tuple[float, bytes]]]


def pass_on(datagram: bytes) -> list[tuple[float, bytes]]:
    """No fault."""
    return [(0.0, datagram)]


class FaultyLink:
    """The relay; ``url`` is where the master connects to.

    Attributes:
        down: fault of what the master sends; called in the relay's thread.
        up: fault of what the slave sends.
        down_bytes: bytes that came from the master so far.
        master: address of the master, once it spoke.
    """

    def __init__(self, slave_url: str) -> None:
        where = urlsplit(slave_url)
        self.down: Fault = pass_on
        self.up: Fault = pass_on
        self.down_bytes = 0
        self.master: tuple[str, int] | None = None
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self._front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back.connect((where.hostname, where.port))
        self._back.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"udp://127.0.0.1:{self._front.getsockname()[1]}"

    def inject_down(self, datagram: bytes) -> None:
        """Send something to the slave as if the master had; its answer goes to the master."""
        self._back.send(datagram)

    def heal(self) -> None:
        """No more faults; what is delayed still comes."""
        self.down = self.up = pass_on

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)
        self._front.close()
        self._back.close()

    def _run(self) -> None:
        waiting: list[tuple[float, int, bool, bytes]] = []
        order = itertools.count()
        last = {True: 0.0, False: 0.0}
        while not self._stop.is_set():
            wait_s = min(max(waiting[0][0] - time.monotonic(), 0), 0.02) if waiting else 0.02
            ready, _, _ = select.select([self._front, self._back], [], [], wait_s)
            for sock in ready:
                is_down = sock is self._front
                try:
                    datagram, peer = sock.recvfrom(65536)
                except OSError:  # the slave is gone
                    continue
                if is_down:
                    self.master = peer
                    self.down_bytes += len(datagram)
                now = time.monotonic()
                for delay_s, copy in (self.down if is_down else self.up)(datagram):
                    last[is_down] = max(now + delay_s, last[is_down])  # nobody overtakes
                    heapq.heappush(waiting, (last[is_down], next(order), is_down, copy))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, is_down, datagram = heapq.heappop(waiting)
                try:
                    if is_down:
                        self._back.send(datagram)
                    elif self.master is not None:
                        self._front.sendto(datagram, self.master)
                except OSError:  # nobody listens there any more
                    continue
