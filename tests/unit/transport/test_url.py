"""URLs of slaves."""

from __future__ import annotations

import pytest

from xcaliper.core.errors import UsageError
from xcaliper.transport.url import DEFAULT_PORT, LinkUrl, open_transport, parse_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("udp://127.0.0.1:5555", LinkUrl("udp", "127.0.0.1", 5555)),
        ("tcp://[::1]:5556", LinkUrl("tcp", "::1", 5556, receive_buffer=4 << 20)),
        ("udp://[fe80::1%eth0]:1", LinkUrl("udp", "fe80::1%eth0", 1)),
        ("UDP://ecu.local", LinkUrl("udp", "ecu.local", DEFAULT_PORT)),
        (
            "udp://h:1/?local_port=7&local_host=10.0.0.1",
            LinkUrl("udp", "h", 1, local_host="10.0.0.1", local_port=7),
        ),
        (
            "tcp://h:1?alignment=4&receive_buffer=65536",
            LinkUrl("tcp", "h", 1, alignment=4, receive_buffer=65536),
        ),
    ],
)
def test_parts_of_good_urls(url: str, expected: LinkUrl) -> None:
    assert parse_url(url) == expected


def test_text_of_a_url_is_one_again() -> None:
    for url in ("udp://127.0.0.1:5555", "tcp://[::1]:5556"):
        assert str(parse_url(url)) == url


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "start with"),
        ("127.0.0.1:5555", "udp"),
        ("usb://x:1", "usb"),
        ("udp://", "host"),
        ("udp://:5555", "host"),
        ("udp://h:70000", "address"),
        ("udp://h:port", "address"),
        ("udp://[::1:5", "address"),
        ("udp://h:1/path", "only"),
        ("udp://me@h:1", "only"),
        ("udp://h:1#x", "only"),
        ("udp://h:1?speed=3", "speed"),
        ("udp://h:1?local_port=x", "local_port"),
        ("udp://h:1?local_port=65536", "65535"),
        ("udp://h:1?local_port=²", "local_port"),
        ("udp://h:1?local_port=1&local_port=2", "twice"),
        ("udp://h:1?alignment=3", "alignment"),
        ("udp://h:1?alignment", "address"),
    ],
)
def test_wrong_urls_are_refused_with_the_reason(url: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        parse_url(url)


def test_port_zero_cannot_be_opened() -> None:
    with pytest.raises(UsageError, match="port 0"):
        open_transport("udp://127.0.0.1:0")
