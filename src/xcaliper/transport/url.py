"""``udp://host:port`` → transport, with options as a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from xcaliper.core.errors import UsageError
from xcaliper.transport.base import RECEIVE_BUFFER, STREAM_BUFFER, format_address

if TYPE_CHECKING:
    from xcaliper.transport.base import Transport

__all__ = ["DEFAULT_PORT", "LinkUrl", "open_transport", "parse_url"]

#: Port that slaves usually listen on *(XCP on Ethernet, common practice)*.
DEFAULT_PORT: Final = 5555

_SCHEMES: Final = ("udp", "tcp")
_OPTIONS: Final = ("local_host", "local_port", "receive_buffer", "alignment")
_EXAMPLE: Final = "Write it like udp://192.168.0.10:5555 or tcp://[::1]:5555."


@dataclass(frozen=True, slots=True)
class LinkUrl:
    """A checked address of a slave.

    Attributes:
        scheme: ``udp`` or ``tcp``.
        host: name or address, without brackets.
        port: 1 to 65535 (0 for a slave that takes any).
        local_host: own address, empty = the system chooses.
        local_port: own port, 0 = any.
        receive_buffer: bytes of kernel buffer to ask for.
        alignment: bytes messages are aligned to, 1, 2 or 4.
    """

    scheme: str
    host: str
    port: int
    local_host: str = ""
    local_port: int = 0
    receive_buffer: int = RECEIVE_BUFFER
    alignment: int = 1

    def __str__(self) -> str:
        return format_address(self.scheme, (self.host, self.port))


def _number(url: str, name: str, text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text[:12]) <= high:
        raise UsageError(f"{url}: {name} {text!r} is not a number from {low} to {high}.")
    return int(text)


def parse_url(url: str) -> LinkUrl:
    """The parts of a URL, checked.

    Raises:
        UsageError: it cannot be an address of a slave; the message says which part.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as cause:
        raise UsageError(f"{url}: not an address ({cause}).", hint=_EXAMPLE) from cause
    if parts.scheme not in _SCHEMES:
        kind = f"{parts.scheme!r} is none of" if parts.scheme else "it must start with one of"
        raise UsageError(f"{url}: {kind} {', '.join(_SCHEMES)}.", hint=_EXAMPLE)
    if not host:
        raise UsageError(f"{url}: the host is missing.", hint=_EXAMPLE)
    if parts.path not in ("", "/") or parts.fragment or parts.username is not None:
        raise UsageError(f"{url}: only host, port and options may be given.", hint=_EXAMPLE)
    values: dict[str, str] = {}
    for name, text in options:
        if name not in _OPTIONS or name in values:
            what = "is given twice" if name in values else "is none of " + ", ".join(_OPTIONS)
            raise UsageError(f"{url}: option {name!r} {what}.")
        values[name] = text
    alignment = _number(url, "alignment", values.get("alignment", "1"), 1, 4)
    if alignment == 3:
        raise UsageError(f"{url}: alignment 3 is none of 1, 2, 4 bytes.")
    usual = STREAM_BUFFER if parts.scheme == "tcp" else RECEIVE_BUFFER
    return LinkUrl(
        scheme=parts.scheme,
        host=host,
        port=DEFAULT_PORT if port is None else port,
        local_host=values.get("local_host", ""),
        local_port=_number(url, "local_port", values.get("local_port", "0"), 0, 65535),
        receive_buffer=_number(
            url, "receive_buffer", values.get("receive_buffer", str(usual)), 4096, 1 << 30
        ),
        alignment=alignment,
    )


def open_transport(url: str | LinkUrl) -> Transport:
    """An open transport to the slave of a URL.

    Raises:
        UsageError: the URL is wrong, or the host has no address.
        LinkError: the socket cannot be opened.
    """
    from xcaliper.transport.tcp import TcpTransport
    from xcaliper.transport.udp import UdpTransport

    found = parse_url(url) if isinstance(url, str) else url
    if found.port == 0:
        raise UsageError(f"{found}: port 0 is nobody's.", hint=_EXAMPLE)
    make = UdpTransport if found.scheme == "udp" else TcpTransport
    return make(
        found.host,
        found.port,
        local_host=found.local_host,
        local_port=found.local_port,
        receive_buffer=found.receive_buffer,
    )
