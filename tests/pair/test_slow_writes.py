"""A slave whose memory is slow to write: answers that come later, events meanwhile, busy afterwards."""

from __future__ import annotations

import pytest

from pair.link import RAM, PagedMemory, config, refusal
from xcaliper.core.errors import AccessDeniedError
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.slave import SlaveMachine

MS = 1_000_000
AT = RAM.value.to_bytes(4, "little")


class Slow(PagedMemory):
    """Writes last; what is told to fail fails at its end."""

    times = (250 * MS, 40 * MS)
    fails = False

    def write_ns(self, address, data):
        return self.times

    def write(self, address, data):
        if self.fails:
            raise refusal(ErrorCode.ERR_ACCESS_DENIED)
        super().write(address, data)


class Bench:
    """Raw packets to a slave, at a time."""

    def __init__(self) -> None:
        self.memory = Slow()
        self.slave = SlaveMachine(config(max_cto=16), self.memory)
        self.ask(b"\xff\0", 0)

    def ask(self, packet: bytes, at_ms: int) -> list[str]:
        self.slave.receive(packet, at_ms * MS)
        return self.told()

    def wait(self, at_ms: int) -> list[str]:
        self.slave.on_time(at_ms * MS)
        return self.told()

    def told(self) -> list[str]:
        return [packet.hex() for packet in self.slave.outgoing()]


SHORT = b"\xed\x02\0\0" + AT + b"\xaa\xbb"
SET_MTA = b"\xf6\0\0\0" + AT
WRITES = [
    ("SHORT_DOWNLOAD", (SHORT,), b"\xaa\xbb", 2),
    ("DOWNLOAD", (SET_MTA, b"\xf0\x02\xaa\xbb"), b"\xaa\xbb", 2),
    ("DOWNLOAD_MAX", (SET_MTA, b"\xee" + bytes(range(15))), bytes(range(15)), 15),
    (
        "DOWNLOAD_NEXT",
        (SET_MTA, b"\xf0\x10" + bytes(range(14)), b"\xef\x02\x0e\x0f"),
        bytes(range(16)),
        16,
    ),
    # bits 4 to 7 of the dword are cleared, bit 0 toggles; the MTA stays
    ("MODIFY_BITS", (SET_MTA, b"\xec\0\x0f\xff\x01\0"), b"\x01\x01", 0),
]


@pytest.mark.parametrize(("name", "packets", "data", "moved"), WRITES, ids=[w[0] for w in WRITES])
def test_every_write_is_answered_at_its_end(name, packets, data, moved):
    bench = Bench()
    for packet in packets:
        answers = bench.ask(packet, 1000)
    assert answers == []
    assert bench.slave.due() == 1100 * MS
    assert bench.wait(1099) == []
    assert bench.wait(1100) == ["fd05"]
    assert bench.wait(1199) == []
    assert bench.wait(1249) == ["fd05"]
    assert bench.memory.read(RAM, 2) == b"\0\1"
    assert bench.wait(1250) == ["ff"]
    assert bench.memory.read(RAM, len(data)) == data
    assert bench.slave.state.mta == RAM + moved
    assert bench.slave.due() is None


def test_while_it_lasts_everything_but_status_and_synch_is_busy():
    bench = Bench()
    bench.ask(SHORT, 0)
    upload = b"\xf4\x02\0\0" + AT
    assert bench.ask(upload, 1) == ["fe10"]  # also what has a short way through the slave
    assert bench.ask(SHORT, 1) == ["fe10"]
    assert bench.ask(b"\xfd", 1)[0].startswith("ff")
    assert bench.ask(b"\xfc", 2) == ["fe00"]  # SYNCH: the write is given up
    assert bench.slave.due() is None
    assert bench.wait(500) == []
    assert bench.ask(upload, 500) == ["ff0001"]


def test_afterwards_only_writes_are_busy():
    bench = Bench()
    bench.ask(SHORT, 0)
    assert bench.wait(250) == ["ff"]
    assert bench.ask(b"\xf4\x02\0\0" + AT, 260) == ["ffaabb"]
    assert bench.ask(SHORT, 289) == ["fe10"]
    bench.memory.times = (0, 10 * MS)
    assert bench.ask(SHORT, 290) == ["ff"]
    assert bench.ask(SHORT, 299) == ["fe10"]
    assert bench.ask(SHORT, 300) == ["ff"]
    assert bench.ask(b"\xed\0\0\0" + AT, 320) == ["ff"]  # nothing to write


def test_a_refusal_comes_at_the_end_too():
    bench = Bench()
    bench.memory.fails = True
    assert bench.ask(SHORT, 0) == []
    assert bench.wait(250) == ["fe24"]
    assert bench.ask(SHORT, 260) == []  # a write that failed leaves nothing to wait for
    with pytest.raises(AccessDeniedError):
        bench.memory.write(RAM, b"\0")


def test_a_session_that_ends_takes_its_write_along():
    bench = Bench()
    bench.ask(SHORT, 0)
    assert bench.ask(b"\xfe", 10) == ["ff"]
    assert bench.wait(500) == []
    bench.ask(b"\xff\0", 600)
    bench.ask(SHORT, 600)
    assert bench.ask(b"\xff\0", 610)[0].startswith("ff")  # CONNECT inside of a session
    assert bench.wait(1000) == []
    assert bench.memory.read(RAM, 2) == b"\0\1"
