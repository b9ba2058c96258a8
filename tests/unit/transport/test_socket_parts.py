"""Parts of the socket shells that need no socket."""

from __future__ import annotations

import socket

import pytest

from xcaliper.core.errors import UsageError
from xcaliper.transport.base import ask_receive_buffer, format_address, link_error, resolve
from xcaliper.transport.ports import segment_runs


class FakeSocket:
    """Grants at most so many bytes, as a kernel with a small rmem_max does."""

    def __init__(self, most: int, *, forced: bool) -> None:
        self.most, self.forced, self.value = most, forced, 212_992

    def setsockopt(self, level: int, option: int, value: int) -> None:
        if option != socket.SO_RCVBUF and not self.forced:
            raise PermissionError("not allowed")
        self.value = 2 * (value if self.forced else min(value, self.most))

    def getsockopt(self, level: int, option: int) -> int:
        return self.value


@pytest.mark.skipif(not hasattr(socket, "SO_RCVBUF"), reason="no such option")
@pytest.mark.parametrize(
    ("most", "forced", "granted", "warned"),
    [(4 << 20, False, 4 << 20, False), (212_992, False, 212_992, True), (1, True, 4 << 20, False)],
)
def test_small_buffer_is_warned_about_once_with_the_cure(
    most: int, forced: bool, granted: int, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xcaliper.transport.base._LINUX", True)
    got, found = ask_receive_buffer(FakeSocket(most, forced=forced), 4 << 20, "udp://x:1")
    assert got == granted
    assert len(found) == warned
    for diagnostic in found:
        assert diagnostic.slug == "small-receive-buffer"
        assert "sysctl -w net.core.rmem_max=4194304" in str(diagnostic)


def test_a_small_wish_is_no_reason_to_warn() -> None:
    assert ask_receive_buffer(FakeSocket(65536, forced=False), 65536, "udp://x:1")[1] == []


def test_runs_of_equal_datagrams() -> None:
    sizes = [4, 4, 4, 2, 4, 4, 9, 9, 1, 1]
    runs = segment_runs([bytes(size) for size in sizes])
    assert [[len(part) for part in run] for run in runs] == [[4, 4, 4, 2], [4, 4], [9, 9, 1], [1]]
    assert [len(run) for run in segment_runs([b"x"] * 130)] == [60, 60, 10]
    assert all(sum(map(len, run)) <= 65000 for run in segment_runs([bytes(9000)] * 20))


def test_addresses_as_text() -> None:
    assert format_address("udp", ("1.2.3.4", 5)) == "udp://1.2.3.4:5"
    assert format_address("tcp", ("::1", 5, 0, 0)) == "tcp://[::1]:5"
    assert format_address("udp", "") == "udp://?"


def test_errors_name_the_peer_and_the_cure() -> None:
    refused = link_error("udp://x:1", ConnectionRefusedError(), "sending")
    assert "nobody listens" in str(refused)
    assert "Start the slave" in str(refused)
    assert "sending failed (broken)" in str(
        link_error("udp://x:1", OSError(5, "broken"), "sending")
    )


def test_hosts_that_cannot_be() -> None:
    for host in ("a" * 300, "bad host name"):
        with pytest.raises(UsageError, match="host"):
            resolve(host, 1, socket.SOCK_DGRAM)
