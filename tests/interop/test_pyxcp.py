"""pyxcp, as a master from elsewhere, does everything with the demo ECU that XCaliper does."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

import xcaliper
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.ticks import TickClock
from xcaliper.sim.process import EcuProcess
from xcaliper.xcp.slave_config import SlaveConfig

if TYPE_CHECKING:
    from xcaliper.client.info import ConnectionInfo

CHILD = Path(__file__).with_name("pyxcp_child.py")
TIME_LIMIT_S = 60
DURATION_S = 0.6

SMALL = SlaveConfig(
    byte_order=ByteOrder.MOTOROLA,
    max_cto=32,
    max_dto=64,
    identification_field=3,
    timestamp=TickClock(10, 3, 4),
)
CASES = {
    "udp": ("udp", None),
    "tcp": ("tcp", None),
    "udp-motorola-small": ("udp", SMALL),
}


@dataclass(frozen=True)
class Seen:
    """What both masters found in one ECU."""

    pyxcp: dict
    info: ConnectionInfo
    a2l: bytes
    memory: list[bytes]
    checksum: tuple[str, int]
    area: bytes
    flash: bytes
    working: bytes


def order_of(info) -> str:
    return "big" if info.profile.byte_order is ByteOrder.MOTOROLA else "little"


def ask_pyxcp(job: dict) -> dict:
    done = subprocess.run(
        [sys.executable, str(CHILD)],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module", params=CASES, ids=str)
def seen(request) -> Seen:
    """One ECU, a session of XCaliper, one of pyxcp, and another one of XCaliper."""
    scheme, settings = CASES[request.param]
    with EcuProcess(urls=(f"{scheme}://127.0.0.1:0",), settings=settings) as process:
        with xcaliper.connect(process.url, cache=False) as ecu:
            info = ecu.info
            segment = info.segments[1]
            a2l = ecu.description.data
            counters = [ecu.describe(n)["address"] for n in ("TaskCounter1ms", "TaskCounter10ms")]
            speed = ecu.describe("cIdleSpeedTarget")["address"]
            reads = [(speed, 2), (segment.address + 8, 24), (segment.address, segment.size_bytes)]
            memory = [ecu.read_memory(*one) for one in reads]
            checksum = ecu.checksum(segment.address, segment.size_bytes)
            ecu.set_page(segment.number, 1)
            flash = ecu.read_memory(segment.address, segment.size_bytes)
            ecu.set_page(segment.number, 0)
            changed = bytes(b ^ 0x5A for b in memory[1][:4])
            ecu.write_memory(segment.address + 8, changed)  # flash and RAM differ from now on
            memory[1] = changed + memory[1][4:]
            memory[2] = memory[2][:8] + changed + memory[2][12:]
            area = memory[2]
            checksum = ecu.checksum(segment.address, segment.size_bytes)
        host, _, port = process.url.partition("//")[2].rpartition(":")
        job = {
            "host": host,
            "port": int(port),
            "protocol": scheme.upper(),
            "ids": [0, 1, 4, 5],
            "memory": {
                "read": reads,
                "write": [(speed, "04b0"), (segment.address + 64, "0011223344556677")],
                "checksum": (segment.address, segment.size_bytes),
            },
            "pages": {"segment": segment.number},
            "daq": {
                "duration_s": DURATION_S,
                "lists": [
                    {"event": 0, "odts": [[(counters[0], 4)], [(counters[0], 4), (speed, 2)]]},
                    {"event": 1, "odts": [[(counters[1], 4), (segment.address + 8, 4)]]},
                ],
            },
        }
        found = ask_pyxcp(job)
        with xcaliper.connect(process.url, cache=False) as ecu:
            working = ecu.read_memory(segment.address, segment.size_bytes)
    return Seen(found, info, a2l, memory, checksum, area, flash, working)


def test_connect_tells_the_same(seen):
    profile = seen.info.profile
    assert seen.pyxcp["connect"] == {
        "max_cto": profile.max_cto,
        "max_dto": profile.max_dto,
        "byte_order": profile.byte_order.name,
        "daq": True,
        "cal_pag": True,
    }


def test_identifications(seen):
    ids = {kind: bytes.fromhex(text) for kind, text in seen.pyxcp["ids"].items()}
    assert ids["0"].decode() == seen.info.ecu_name
    assert seen.info.a2l_name.startswith(ids["1"].decode())
    assert ids["5"].decode() == seen.info.epk


def test_a2l_is_uploaded_byte_for_byte(seen):
    assert len(seen.a2l) > 100_000
    assert bytes.fromhex(seen.pyxcp["ids"]["4"]) == seen.a2l


def test_memory_reads_the_same_by_short_upload_and_upload(seen):
    found = seen.pyxcp["memory"]
    assert [bytes.fromhex(text) for text in found["uploaded"]] == seen.memory
    assert [bytes.fromhex(text) for text in found["short"]] == seen.memory[:2]


def test_writing_is_seen_and_undone(seen):
    for (before, after, restored), sent in zip(
        seen.pyxcp["memory"]["written"], ("04b0", "0011223344556677"), strict=True
    ):
        assert after == sent
        assert before != after
        assert restored == before


def test_checksum_agrees_with_ours_and_with_zlib(seen):
    name, value = seen.pyxcp["memory"]["checksum"]
    assert (name, value) == seen.checksum
    assert name == "XCP_CRC_32"
    assert value == zlib.crc32(seen.area)


def test_pages_switch_and_copy(seen):
    found = seen.pyxcp["pages"]
    assert found["segments"] == len(seen.info.segments)
    assert found["start"] == seen.info.segments[1].address
    assert (found["before"], found["switched"], found["after"]) == ([0, 0], [1, 1], [0, 0])
    assert seen.flash != seen.area
    assert seen.working == seen.flash  # COPY_CAL_PAGE brought the flash page into RAM


def test_daq_information(seen):
    assert seen.pyxcp["daq_info"] == {
        "channels": [
            [event.name, (event.cycle_ns or 0) // 1_000_000] for event in seen.info.daq.events
        ],
        "dynamic": "DYNAMIC",
        "timestamp": "S4",
    }


def decode(seen) -> dict[tuple[int, int], list[tuple[int | None, bytes]]]:
    """(list, ODT) → (timestamp, data) as told by the identification field, written anew here."""
    order = order_of(seen.info)
    found: dict[tuple[int, int], list[tuple[int | None, bytes]]] = {}
    for text in seen.pyxcp["daq"]["dtos"]:
        dto = bytes.fromhex(text)
        if seen.info.daq.identification_field == 1:
            odt, daq, at = dto[0], dto[1], 2
        else:
            odt, daq, at = dto[0], int.from_bytes(dto[2:4], order), 4
        stamp = None
        if odt == 0:
            stamp, at = int.from_bytes(dto[at : at + 4], order), at + 4
        found.setdefault((daq, odt), []).append((stamp, dto[at:]))
    return found


def test_dynamic_daq_counts_without_gap(seen):
    assert seen.pyxcp["daq"]["running"]
    order = order_of(seen.info)
    streams = decode(seen)
    assert set(streams) == {(0, 0), (0, 1), (1, 0)}
    for (daq, odt), least, cycle_ns in (
        ((0, 0), DURATION_S * 300, 1_000_000),
        ((0, 1), DURATION_S * 300, 1_000_000),
        ((1, 0), DURATION_S * 30, 10_000_000),
    ):
        rows = streams[daq, odt]
        counts = [int.from_bytes(data[:4], order) for _, data in rows]
        assert len(counts) >= least
        assert counts == list(range(counts[0], counts[0] + len(counts)))
        if odt == 0:
            tick_ns = Fraction(seen.info.daq.clock.tick_ns)
            stamps = [stamp for stamp, _ in rows]
            steps = [(b - a) % (1 << 32) * tick_ns for a, b in pairwise(stamps)]
            assert median(steps) == pytest.approx(cycle_ns, rel=0.02)  # a busy machine may stumble


def test_daq_shows_the_values_in_memory(seen):
    streams = decode(seen)
    assert {data[4:] for _, data in streams[0, 1]} == {seen.memory[0]}
    assert {data[4:] for _, data in streams[1, 0]} == {seen.flash[8:12]}  # copied page by then
    assert [data[:4] for _, data in streams[0, 0]] == [data[:4] for _, data in streams[0, 1]]
