"""The suite on a real slave: a transport as a port, and what the description knows."""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.paper import paper_of
from xcaliper.conformance.probe import Limits, Probe, Region
from xcaliper.core.address import Address
from xcaliper.core.errors import LinkError, UsageError
from xcaliper.transport.base import link_error
from xcaliper.transport.url import open_transport, parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from xcaliper.client.keys import Keys
    from xcaliper.conformance.model import Permission
    from xcaliper.conformance.paper import Paper
    from xcaliper.transport.url import LinkUrl
    from xcaliper.xcp.seed_key import KeyFunction

__all__ = ["TransportPort", "keys_for", "limits_of", "opened", "parse_region", "read_paper"]

_POLL_BYTES: Final = 1 << 20
_MAX_COUNT: Final = 1 << 24


class TransportPort:
    """Datagrams and pieces of a transport, with deadlines.

    Args:
        where: address of the slave.
        clock: monotonic nanoseconds.

    Raises:
        UsageError: the host has no address.
        LinkError: the link cannot be opened.
    """

    def __init__(self, where: LinkUrl, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._where = where
        self._transport = open_transport(where)
        self._clock = clock
        self._waiting: deque[bytes] = deque()

    @property
    def is_stream(self) -> bool:
        """True for TCP."""
        return self._transport.is_stream

    def now_ns(self) -> int:
        """Monotonic time."""
        return self._clock()

    def send(self, data: bytes) -> None:
        """Send one datagram or piece.

        Raises:
            LinkError: it cannot be sent.
        """
        try:
            self._transport.send(data)
        except OSError as cause:
            raise link_error(self._transport.name, cause, "sending") from cause

    def receive(self, until_ns: int) -> bytes | None:
        """The next datagram or piece; None when nothing came until then.

        Raises:
            LinkError: the link failed, or the slave closed it.
        """
        if self._waiting:
            return self._waiting.popleft()
        try:
            data = self._take(until_ns)
        except OSError as cause:
            raise link_error(self._transport.name, cause, "receiving") from cause
        if data == b"" and self.is_stream:
            raise LinkError(f"{self._transport.name}: the slave closed the connection.")
        return data

    def _take(self, until_ns: int) -> bytes | None:
        left = until_ns - self._clock()
        if left <= 0:
            self._waiting.extend(self._transport.poll(_POLL_BYTES))
            return self._waiting.popleft() if self._waiting else None
        self._transport.set_wait(left)
        try:
            return self._transport.receive()
        except (BlockingIOError, TimeoutError):
            return None

    def reopen(self) -> None:
        """Open the link anew.

        Raises:
            LinkError: it cannot be opened.
        """
        self._transport.close()
        self._waiting.clear()
        self._transport = open_transport(self._where)

    def close(self) -> None:
        """Give the transport back."""
        self._transport.close()


@contextmanager
def opened(  # noqa: PLR0913  # options by name
    url: str,
    *,
    limits: Limits | None = None,
    allow: frozenset[Permission] = frozenset(),
    paper: Paper | None = None,
    own_paper: bool = False,
    region: Region | None = None,
    key: KeyFunction | None = None,
    scratch: int | None = None,
) -> Iterator[Probe]:
    """A probe on the slave of a URL; the socket is given back at the end.

    Args:
        url: of the slave.
        limits: how long to wait.
        allow: what rules may do to the slave.
        paper: what its description says.
        own_paper: take the description that the slave carries.
        region: memory to read; None = that of the description.
        key: makes keys of seeds.
        scratch: sector of the flash that may be erased and programmed.

    Raises:
        UsageError: the URL is wrong.
        LinkError: the link cannot be opened.
    """
    where = parse_url(url)
    port = TransportPort(where)
    try:
        if region is None and paper is not None:
            region = paper.region
        probe = Probe(
            port,
            limits=limits,
            allow=allow,
            alignment=where.alignment,
            paper=paper,
            region=region,
            key=key,
            scratch=scratch,
        )
        probe.url, probe.own_paper = str(where), own_paper
        yield probe
    finally:
        port.close()


def limits_of(timeout_s: float, limit_s: float) -> Limits:
    """Limits of a run by the time for an answer and for everything, in seconds."""
    answer_ns = int(timeout_s * 1e9)
    plain = Limits()
    return replace(
        plain,
        answer_ns=answer_ns,
        patience_ns=max(plain.patience_ns, 10 * answer_ns),
        run_ns=int(limit_s * 1e9),
    )


def read_paper(path: Path, url: str) -> Paper:
    """What an A2L says about XCP on a link and about calibration memory.

    Raises:
        A2lError: the file cannot be read.
        UsageError: the URL is wrong.
    """
    from xcaliper.client.a2l_source import read_a2l

    return paper_of(read_a2l(path), str(parse_url(url)))


def keys_for(keys: Keys | None, a2l: Path | None, paper: Paper | None) -> KeyFunction | None:
    """One key function of what the user gave; None without.

    Raises:
        SettingsError: the keys cannot be used.
        LibraryError: the library of the description is not beside it.
    """
    from xcaliper.client.keys import key_function

    if keys is None:
        return None
    layer = paper.xcp.protocol_layer if paper is not None and paper.xcp is not None else None
    return key_function(keys, a2l=a2l, described=layer.seed_and_key if layer else None)


def parse_region(text: str) -> Region:
    """Memory given as ``ADDRESS[:EXTENSION][+COUNT]``, numbers in any Python notation.

    Raises:
        UsageError: it is not.
    """
    place, _, count = text.partition("+")
    address, _, extension = place.partition(":")
    try:
        numbers = int(address, 0), int(extension or "0", 0), int(count or "256", 0)
    except ValueError:
        raise UsageError(
            f"{text}: not an address.", hint="Write it like 0x20000000, 0x8000:1 or 0x8000:1+64."
        ) from None
    value, ext, size = numbers
    if not (0 <= value < 1 << 32 and 0 <= ext <= 0xFF and 0 < size <= _MAX_COUNT):
        raise UsageError(f"{text}: address, extension or count is out of range.")
    return Region(Address(value, ext), size)
