"""Bad peers and bad input through the public interface: a clear error or a count, never a hang."""

from __future__ import annotations

import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from asammdf import MDF

import xcaliper
from pair.faulty_link import FaultyLink
from support.served import wait_for
from xcaliper.client.compare import compare
from xcaliper.client.facts import live_facts
from xcaliper.core.diagnostics import Severity
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    LimitError,
    LinkError,
    NotFoundError,
    PlanError,
    UsageError,
)
from xcaliper.sim.process import EcuProcess

TIMEOUT_S = 0.25
#: Three attempts of a command, each with SYNCH behind it, and a margin for a busy machine.
PATIENCE_S = 12 * TIMEOUT_S + 5.0

pytestmark = pytest.mark.timeout(90)


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


@contextmanager
def within(limit_s: float):
    """Fails when the block takes longer."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < limit_s


def constants(ecu) -> dict[str, object]:
    """Parameters and their values, told apart by their values."""
    return {name: ecu.read(name) for name in ("cIdleSpeedTarget", "cIdleKp")}


def check_recovered(ecu, link, truth) -> None:
    """After the fault everything is as before, and no answer goes to the wrong question."""
    link.heal()
    for _ in range(3):
        for name, value in truth.items():
            assert ecu.read(name) == value


# -- answers --------------------------------------------------------------------------------------


def test_late_answers_are_not_mixed_up(ecu, link):
    """Every answer comes when nobody waits for it any more."""
    truth = constants(ecu)
    link.up = lambda datagram: [(1.5 * TIMEOUT_S, datagram)]
    for name, value in truth.items():
        with within(PATIENCE_S):
            try:
                assert ecu.read(name) == value
            except ExchangeTimeoutError as error:
                assert "UPLOAD" in error.message  # noqa: PT017 -- an answer is as good as the error
    check_recovered(ecu, link, truth)


def test_missing_answers_end_in_a_time_out(ecu, link):
    truth = constants(ecu)
    link.up = lambda datagram: []
    with within(PATIENCE_S), pytest.raises(ExchangeTimeoutError) as caught:
        ecu.read("cIdleSpeedTarget")
    assert caught.value.command == "SHORT_UPLOAD"
    assert caught.value.attempts >= 1
    assert caught.value.hint
    check_recovered(ecu, link, truth)


def test_identification_is_optional(process, link, tmp_path):
    """A slave that leaves GET_ID unanswered is used with the description that is given."""
    with xcaliper.connect(process.url) as ecu:
        path = tmp_path / "ecu.a2l"
        path.write_bytes(ecu.description.data)
        truth = constants(ecu)
    link.down = lambda datagram: [] if datagram[4:5] == b"\xfa" else [(0.0, datagram)]
    with xcaliper.connect(link.url, path, cache=False, timeout_s=TIMEOUT_S) as ecu:
        assert constants(ecu) == truth
        (note,) = [d for d in ecu.diagnostics if d.slug == "id-unanswered"]
        assert "type 0 and 1" in note.text
        facts = live_facts(ecu)
        assert not facts.commands["GET_ID"]
        found = compare(ecu, facts)
        assert [d.text for d in found if d.severity is Severity.ERROR] == []
    with xcaliper.connect(link.url, timeout_s=TIMEOUT_S) as ecu:
        assert ecu.description.file is None
        assert {"id-unanswered", "no-a2l"} <= {d.slug for d in ecu.diagnostics}


def test_long_and_repeated_answers_are_tolerated(ecu, link):
    truth = constants(ecu)

    def longer(datagram: bytes) -> list[tuple[float, bytes]]:
        size, counter = struct.unpack_from("<HH", datagram)
        message = struct.pack("<HH", size + 40, counter) + datagram[4 : 4 + size] + b"\xa5" * 40
        return [(0.0, message), (0.0, message)]

    link.up = longer
    for _ in range(20):
        for name, value in truth.items():
            assert ecu.read(name) == value
    check_recovered(ecu, link, truth)


@pytest.mark.parametrize("seed", range(4))
def test_wrong_answers_end_in_an_error(ecu, link, seed):
    """Anything may come back: wrong codes, cut packets, noise, wrong lengths."""
    rng = random.Random(seed)
    truth = constants(ecu)

    def wrong(datagram: bytes) -> list[tuple[float, bytes]]:
        data = bytearray(datagram)
        way = rng.randrange(5)
        if way == 0:
            return [(0.0, rng.randbytes(rng.randrange(80)))]
        if way == 1:
            return [(0.0, datagram[: rng.randrange(len(datagram))])]
        if way == 2:
            data[0] ^= 0xFF  # LEN
        elif way == 3:
            data[4] = rng.choice((0x00, 0xFC, 0xFD, 0xFE))
        else:
            data = data[:4] + b"\xff"
            data[0] = 1
        return [(0.0, bytes(data))]

    link.up = wrong
    errors = 0
    for _ in range(4):
        with within(PATIENCE_S):
            try:
                ecu.read("cIdleSpeedTarget")
            except xcaliper.XcaliperError as error:
                errors += bool(error.message)
    assert errors == 4
    check_recovered(ecu, link, truth)


def test_peer_that_is_no_slave():
    """Something listens there and answers, but not XCP."""
    rng = random.Random(5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
        echo.bind(("127.0.0.1", 0))
        url = f"udp://127.0.0.1:{echo.getsockname()[1]}"
        with FaultyLink(url) as link:
            noise = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            link.down = lambda datagram: [
                *([(0.0, datagram)] if noise.sendto(rng.randbytes(60), link.master) else [])
            ]
            with within(PATIENCE_S), pytest.raises(xcaliper.XcaliperError) as caught:
                xcaliper.connect(link.url, cache=False, timeout_s=TIMEOUT_S)
            noise.close()
    assert "CONNECT" in caught.value.message


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_closed_port(scheme):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with within(PATIENCE_S), pytest.raises((LinkError, ExchangeTimeoutError)) as caught:
        xcaliper.connect(f"{scheme}://127.0.0.1:{port}", cache=False, timeout_s=TIMEOUT_S)
    assert caught.value.hint


# -- strangers ------------------------------------------------------------------------------------


def test_strangers_on_both_sides(process, link, ecu):
    """Datagrams of somebody else reach neither the session nor the memory."""
    truth = constants(ecu)
    address = ecu.describe("cIdleSpeedTarget")["address"]
    host, _, port = process.url.partition("//")[2].rpartition(":")
    rng = random.Random(6)
    write = struct.pack("<HHBBBBIH", 10, 0, 0xED, 2, 0, 0, address, 0x1234)
    answer = struct.pack("<HHBH", 3, 1, 0xFF, 0x4321)
    assert link.master is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(200):
            stranger.sendto(write, (host, int(port)))
            stranger.sendto(answer, link.master)
            noise = rng.randbytes(rng.randrange(1, 100))
            if noise[4:5] != b"\xff":  # CONNECT would be a change of the master, as is its right
                stranger.sendto(noise, (host, int(port)))
            stranger.sendto(noise, link.master)
            for name, value in truth.items():
                assert ecu.read(name) == value


# -- measuring ------------------------------------------------------------------------------------


def test_lost_repeated_and_swapped_daq_is_counted(link, ecu):
    """Rows are right or missing; a loss is counted, a repeated datagram makes no row."""
    rng = random.Random(7)
    dropped = 0

    def unreliable(datagram: bytes) -> list[tuple[float, bytes]]:
        nonlocal dropped
        if datagram[4] >= 0xFC:
            return [(0.0, datagram)]
        chance = rng.random()
        if chance < 0.03:
            dropped += 1
            return []
        if chance < 0.06:
            return [(0.0, datagram), (0.0, datagram)]
        return [(0.0, datagram)]

    measurement = ecu.measure(["TaskCounter1ms", "WaveCounter"])
    link.up = unreliable
    measurement.start()
    # samples of 2 s; a busy machine puts more of them into a datagram, so there are fewer to drop
    wait_for(lambda: measurement.quality.samples >= 2000 and dropped > 20, 30)
    measurement.stop()
    (block,) = measurement.blocks()
    counts = block["TaskCounter1ms"].astype(np.int64)
    assert (np.diff(counts) >= 1).all()
    np.testing.assert_array_equal(-counts, block["WaveCounter"])
    quality = measurement.quality
    assert dropped > 10
    missing = int((np.diff(counts) - 1).sum())
    assert missing > 0
    assert quality.lost >= missing // 2
    assert quality.gaps > 0
    assert sum(gap.before_row > 0 for gap in block.gaps) > 0


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_ecu_dies_while_measuring(scheme, tmp_path):
    """The measurement ends with a named error soon, and the recording holds what came before."""
    path = tmp_path / "died.mf4"
    with (
        EcuProcess(urls=(f"{scheme}://127.0.0.1:0",)) as doomed,
        xcaliper.connect(doomed.url, cache=False, timeout_s=TIMEOUT_S) as ecu,
    ):
        measurement = ecu.measure(["TaskCounter1ms", "EngineSpeed"], duration_s=60, record=path)
        rows = 0
        with within(30.0), pytest.raises((LinkError, ExchangeTimeoutError)) as caught:  # noqa: PT012
            for block in measurement:
                rows += len(block)
                if rows > 500 and doomed.pid is not None:
                    os.kill(doomed.pid, signal.SIGKILL)
                    rows = -1_000_000
        assert caught.value.message
        assert not measurement.is_running
    with MDF(path) as mdf:
        counts = mdf.get("TaskCounter1ms").samples.astype(np.int64)
        assert len(counts) > 500
        assert (np.diff(counts) == 1).all()


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_full_disk_while_recording(process, tmp_path):
    """The error says that the disk is full; file and connection are still good."""
    path = tmp_path / "full.mf4"
    child = Path(__file__).with_name("full_disk_child.py")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(child), process.url, str(path), "600000"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
    )
    assert done.returncode == 0, done.stderr
    report, alive, *_ = [*done.stdout.splitlines(), "", ""]
    slug, seconds, message = [*report.split("|"), "", ""][:3]
    assert slug not in ("none", ""), done.stdout
    assert "full" in message
    assert alive.startswith("alive")
    assert path.stat().st_size <= 600_000
    assert float(seconds) < 15, "the error came at the end only"
    with MDF(path) as mdf:
        counts = mdf.get("TaskCounter1ms").samples.astype(np.int64)
        assert len(counts) > 100
        assert (np.diff(counts) == 1).all()


# -- what the user gets wrong ---------------------------------------------------------------------


def test_unknown_names_are_suggested(ecu):
    for call in (
        lambda: ecu.read("EnginSpeed"),
        lambda: ecu.measure(["EnginSpeed"], duration_s=1),
        lambda: ecu.describe("engineSpeed"),
    ):
        with pytest.raises(NotFoundError) as caught:
            call()
        assert "EngineSpeed" in caught.value.nearest
    with pytest.raises(NotFoundError) as caught:
        ecu.write("cIdleSpeedTarge", 900)
    assert "cIdleSpeedTarget" in caught.value.nearest


BAD_WRITES = {
    "too high": ("cIdleSpeedTarget", 2001, {}),
    "too low": ("cIdleSpeedTarget", 399, {}),
    "not a number": ("cIdleSpeedTarget", float("nan"), {}),
    "infinite": ("cIdleSpeedTarget", float("inf"), {}),
    "text": ("cIdleSpeedTarget", "fast", {}),
    "list for a scalar": ("cIdleSpeedTarget", [900, 900], {}),
    "wrong shape": ("KFZW", np.zeros((3, 3)), {}),
    "turned shape": ("KFZW", np.zeros((16, 12)), {}),
    "ragged": ("KFZW", [[1, 2], [3]], {}),
    "one cell too high": ("KFZW", np.full((12, 16), 61.0), {}),
    "cell outside": ("KFZW", 12.5, {"at": (12, 0)}),
    "cell of a scalar": ("cIdleSpeedTarget", 900, {"at": (0,)}),
    "raw too wide": ("cIdleSpeedTarget", 70_000, {"raw": True}),
    "read-only": ("EngineSpeed", 900, {}),
}


@pytest.mark.parametrize("case", BAD_WRITES)
def test_bad_values_are_refused_before_anything_is_written(link, ecu, case):
    name, value, options = BAD_WRITES[case]
    areas = [(segment.address, segment.size_bytes) for segment in ecu.info.segments]
    before = [ecu.checksum(*area) for area in areas]
    sent: list[int] = []

    def spy(datagram: bytes) -> list[tuple[float, bytes]]:
        sent.append(datagram[4])
        return [(0.0, datagram)]

    link.down = spy
    with pytest.raises(UsageError) as caught:
        ecu.write(name, value, **options)
    assert caught.value.message
    writing = {0xF0, 0xEF, 0xEE, 0xED, 0xEC, 0xF6}
    assert not writing & set(sent), "a write was begun"
    assert [ecu.checksum(*area) for area in areas] == before


def test_limits_cost_no_byte_on_the_link(link, ecu):
    before = link.down_bytes
    with pytest.raises(LimitError) as caught:
        ecu.write("cIdleSpeedTarget", 2001)
    assert (caught.value.lower, caught.value.upper) == (400, 2000)
    with pytest.raises(LimitError) as caught:
        ecu.write("KFZW", 61.0, at=(3, 4))
    assert caught.value.name == "KFZW[3][4]"
    with pytest.raises(LimitError):
        ecu.write("cIdleSpeedTarget", -1, raw=True)
    with pytest.raises(UsageError):
        ecu.write("EngineSpeed", 1)
    assert link.down_bytes == before


def test_impossible_measurements_are_refused_with_reasons(ecu):
    with pytest.raises(UsageError):
        ecu.measure([], duration_s=1)
    with pytest.raises(UsageError):
        ecu.measure(["EngineSpeed"], duration_s=-1)
    with pytest.raises(NotFoundError):
        ecu.measure(["EngineSpeed"], event="every now and then")
    with pytest.raises((PlanError, UsageError)):
        ecu.measure(["EngineSpeed"], prescaler=0)
