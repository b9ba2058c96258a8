"""What a user is told when the link or the slave fails in the middle of something."""

from __future__ import annotations

import struct
import threading
import time

import pytest

import xcaliper
from pair.faulty_link import FaultyLink
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    IntegrityError,
    LinkError,
    NegativeResponseError,
    RemoteProtocolError,
    XcaliperError,
)
from xcaliper.sim.process import EcuProcess

TIMEOUT_S = 0.4
ANSWER = 0xFE  # first bytes from here on: RES and ERR
pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def process():
    with EcuProcess() as child:
        yield child


@pytest.fixture
def link(process):
    with FaultyLink(process.url) as relay:
        yield relay


@pytest.fixture
def ecu(link):
    with xcaliper.connect(link.url, cache=False, timeout_s=TIMEOUT_S) as connection:
        yield connection
        link.heal()


def place(ecu, name="cIdleSpeedTarget") -> int:
    return ecu.describe(name)["address"]


def readable(error: XcaliperError) -> None:
    """A sentence that names the command, and what to do."""
    assert error.message.endswith(".")
    assert error.hint.endswith(".")
    assert "Traceback" not in str(error)
    assert len(str(error)) < 400


@pytest.mark.parametrize("way", ["down", "up"])
def test_slave_that_vanishes_inside_a_block(link, ecu, way):
    at = place(ecu, "TaskCounter1ms")
    passed = []

    def vanish(datagram: bytes):
        passed.append(datagram)
        return [(0.0, datagram)] if len(passed) <= 3 else []

    setattr(link, way, vanish)
    begin = time.monotonic()
    with pytest.raises(ExchangeTimeoutError) as caught:
        [ecu.read_memory(at, 600) for _ in range(20)]
    assert time.monotonic() - begin < 15
    readable(caught.value)
    assert caught.value.command in ("UPLOAD", "SET_MTA", "SYNCH", "SHORT_UPLOAD")
    link.heal()
    assert ecu.read("cIdleSpeedTarget") == 820, "the link serves again when the slave is back"


def test_write_whose_answer_never_comes_is_no_success(link, ecu):
    """What arrived at the slave is unknown: an error, and the next read shows it."""
    before = ecu.read("cIdleSpeedTarget")
    writes = []

    def down(datagram: bytes):
        if datagram[4] in (0xF0, 0xED):
            writes.append(datagram)
        return [(0.0, datagram)]

    def mute(datagram: bytes):
        return [] if writes and datagram[4] >= ANSWER else [(0.0, datagram)]

    link.down, link.up = down, mute
    with pytest.raises(ExchangeTimeoutError) as caught:
        ecu.write("cIdleSpeedTarget", before + 10)
    readable(caught.value)
    link.heal()
    assert ecu.read("cIdleSpeedTarget") in (before, before + 10)
    result = ecu.write("cIdleSpeedTarget", before)
    assert result.after == before


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_write_that_had_to_be_repeated_says_so(link, ecu, lost):
    before = ecu.read("cIdleSpeedTarget")
    left, writes = [lost], []

    def down(datagram: bytes):
        writes.append(datagram[4] in (0xF0, 0xED))
        return [(0.0, datagram)]

    def up(datagram: bytes):
        if left[0] and writes and writes[-1] and datagram[4] >= ANSWER:
            left[0] -= 1
            return []
        return [(0.0, datagram)]

    link.down, link.up = down, up
    result = ecu.write("cIdleSpeedTarget", before + 10, verify=not lost)
    assert (result.repeated, result.verified) == (lost, not lost)
    assert sum(writes) == 1 + lost
    told = [one.slug for one in result.diagnostics]
    assert told == ["write-repeated"] * bool(lost)
    assert result.as_dict()["repeated"] == lost
    link.heal()
    ecu.write("cIdleSpeedTarget", before)


def test_damaged_write_is_found_by_reading_back(link, ecu):
    """Nothing on a real UDP link damages bytes; a relay that recomputes checksums can."""
    before = ecu.read("cIdleSpeedTarget")

    def flip(datagram: bytes):
        if datagram[4] == 0xED:
            wrong = bytearray(datagram)
            wrong[-1] ^= 0x01
            return [(0.0, bytes(wrong))]
        return [(0.0, datagram)]

    link.down = flip
    with pytest.raises(IntegrityError) as caught:
        ecu.write("cIdleSpeedTarget", before + 30)
    assert "cIdleSpeedTarget" in str(caught.value)
    link.heal()
    ecu.write("cIdleSpeedTarget", before)


@pytest.mark.parametrize("late_s", [0.5, 0.9])
def test_late_answers_give_right_values_or_a_time_out(link, ecu, late_s):
    names = ["cIdleSpeedTarget", "cIdleGainP", "cIdleSpeedTarget"]
    known = {}
    for name in dict.fromkeys(names):
        try:
            known[name] = ecu.read(name)
        except XcaliperError:
            names = ["cIdleSpeedTarget"]
    count = [0]

    def late(datagram: bytes):
        count[0] += 1
        return [(late_s if count[0] % 3 == 0 else 0.0, datagram)]

    link.up = late
    for name in names * 2:
        if name not in known:
            continue
        try:
            found = ecu.read(name)
        except ExchangeTimeoutError as error:
            readable(error)
        else:
            assert found == known[name]


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\x01", bytes(4), b"\xff" * 40, struct.pack("<HH", 500, 7) + b"\xff", bytes(1400)],
)
def test_garbage_between_the_answers(link, ecu, garbage):
    link.up = lambda datagram: [(0.0, garbage), (0.0, datagram), (0.0, garbage)]
    failed = 0
    for _ in range(5):
        try:
            assert ecu.read("cIdleSpeedTarget") == 820
        except XcaliperError as error:
            readable(error)
            failed += 1
    assert failed <= 2
    link.heal()
    time.sleep(0.05)
    assert ecu.read("cIdleSpeedTarget") == 820


def test_a_refusal_says_for_what(link, ecu):
    with pytest.raises(NegativeResponseError) as caught:
        ecu.read_memory(0x1, 4)
    readable(caught.value)
    assert "ERR_ACCESS_DENIED" in str(caught.value)


def test_a_session_that_somebody_else_ended(link, ecu):
    ecu.link.run(xcaliper_goodbye())
    with pytest.raises((ExchangeTimeoutError, RemoteProtocolError, LinkError)) as caught:
        ecu.read("cIdleSpeedTarget")
    readable(caught.value)
    ecu.reconnect()
    assert ecu.read("cIdleSpeedTarget") == 820


def xcaliper_goodbye():
    from xcaliper.xcp.procedures.connect import disconnect

    return disconnect()


def test_closing_while_the_slave_is_silent_is_quick(link, ecu):
    link.up = lambda datagram: []
    told = []

    def look() -> None:
        try:
            told.append(ecu.read("cIdleSpeedTarget"))
        except XcaliperError as error:
            told.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    time.sleep(0.05)
    begin = time.monotonic()
    ecu.close()
    assert time.monotonic() - begin < 5
    reader.join(5)
    assert not reader.is_alive()
    assert isinstance(told[0], XcaliperError)
