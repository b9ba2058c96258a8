"""The whole ECU without I/O: packets in, packets out, on virtual time."""

import itertools
import struct

import pytest

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import SettingsError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.signals import signal_view
from xcaliper.sim.xcp_section import Endpoint
from xcaliper.xcp.slave_config import SlaveConfig

MS = 1_000_000


class Master:
    """Raw packets to an ECU, at the ECU's time."""

    def __init__(self, ecu):
        self.ecu = ecu
        self.now_ns = 0

    def ask(self, packet):
        self.ecu.receive(bytes(packet), self.now_ns)
        answers = self.ecu.outgoing()
        assert len(answers) == 1
        return answers[0]

    def run(self, ms):
        self.now_ns += ms * MS
        self.ecu.on_time(self.now_ns)
        return self.ecu.outgoing()

    def upload(self, size, chunk=255):
        data = b""
        while len(data) < size:
            count = min(chunk - 1, size - len(data))
            self.ecu.receive(bytes((0xF5, count)), self.now_ns)
            for answer in self.ecu.outgoing():
                assert answer[0] == 0xFF
                data += answer[1:]
        return data[:size]


@pytest.fixture
def master():
    made = Master(build_ecu("demo-engine"))
    made.ask(b"\xff\x00")
    return made


def test_connect_tells_the_settings():
    answer = Master(build_ecu("demo-engine")).ask(b"\xff\x00")
    assert answer[0] == 0xFF
    assert answer[1] & 0x05 == 0x05  # calibration, paging and DAQ
    assert answer[3] == 255
    assert struct.unpack_from("<H", answer, 4) == (1468,)


def test_its_own_a2l_comes_by_upload(master):
    answer = master.ask(b"\xfa\x04")
    (size,) = struct.unpack_from("<I", answer, 4)
    text = master.upload(size).decode("utf-8-sig")  # with a mark: it is not all ASCII
    assert text == master.ecu.a2l
    assert "/begin PROJECT DemoEngine" in text


def test_announcing_writes_the_endpoint_into_the_a2l():
    ecu = build_ecu("demo-engine")
    assert "begin XCP_ON_UDP_IP" not in ecu.a2l
    ecu.announce((Endpoint("udp", "127.0.0.1", 4711),))
    assert '4711 ADDRESS "127.0.0.1"' in ecu.a2l
    ecu.announce((Endpoint("tcp", "::1", 4712),))
    assert "4711" not in ecu.a2l
    assert 'IPV6 "::1"' in ecu.a2l


def test_memory_is_read_while_the_model_runs(master):
    address = master.ecu.image["TaskCounter1ms"].address
    master.run(41)
    answer = master.ask(struct.pack("<BBBBI", 0xF4, 4, 0, 0, address))
    assert struct.unpack_from("<I", answer, 1) == (42,)


def test_writing_a_parameter_changes_the_behaviour(master):
    address = master.ecu.image["cIdleSpeedTarget"].address
    master.run(20)
    before = float(signal_view(master.ecu.memory, "IdleSpeedTarget")[()])
    raw = struct.pack("<H", 1020 * 4)
    assert master.ask(struct.pack("<BBBBI", 0xED, 2, 0, 0, address) + raw)[0] == 0xFF
    master.run(20)
    after = float(signal_view(master.ecu.memory, "IdleSpeedTarget")[()])
    assert after - before == pytest.approx(200 * 4, abs=4)


def test_reference_page_refuses_writing(master):
    address = master.ecu.image["cIdleSpeedTarget"].address
    assert master.ask(bytes((0xEB, 0x02, 1, 1)))[0] == 0xFF  # XCP of segment 1 to page 1
    answer = master.ask(struct.pack("<BBBBI", 0xED, 2, 0, 0, address) + b"\0\0")
    assert answer[:2] == b"\xfe\x23"
    assert master.ask(bytes((0xEA, 0x02, 1)))[-1] == 1
    assert master.ask(bytes((0xEA, 0x01, 1)))[-1] == 0


def test_memory_outside_is_denied(master):
    answer = master.ask(struct.pack("<BBBBI", 0xF4, 4, 0, 0, 0x1234))
    assert answer[0] == 0xFE
    assert answer[1] in (0x22, 0x24)


def daq(master, event, name, size, prescaler=1):
    """One list with one entry."""
    address = master.ecu.image[name].address
    for packet in (
        b"\xd6",
        struct.pack("<BBH", 0xD5, 0, 1),
        struct.pack("<BBHB", 0xD4, 0, 0, 1),
        struct.pack("<BBHBB", 0xD3, 0, 0, 0, 1),
        struct.pack("<BBHBB", 0xE2, 0, 0, 0, 0),
        struct.pack("<BBBBI", 0xE1, 0xFF, size, 0, address),
        struct.pack("<BBHHBB", 0xE0, 0x10, 0, event, prescaler, 0),
        struct.pack("<BBH", 0xDE, 2, 0),
        struct.pack("<BB", 0xDD, 1),
    ):
        assert master.ask(packet)[0] == 0xFF, packet.hex()


def test_daq_of_the_counter_has_no_gap_and_the_time_of_the_task(master):
    daq(master, 0, "TaskCounter1ms", 4)
    rows = [struct.unpack("<BBII", packet) for packet in master.run(500)]
    assert [row[3] for row in rows] == list(range(1, 502))
    assert [row[2] for row in rows] == [1000 * n for n in range(501)]  # 1 µs ticks


def test_prescaler_thins_out(master):
    daq(master, 0, "TaskCounter1ms", 4, prescaler=5)
    counts = [struct.unpack("<BBII", packet)[3] for packet in master.run(100)]
    assert {b - a for a, b in itertools.pairwise(counts)} == {5}


def test_crank_synchronous_daq_follows_the_speed(master):
    master.run(5000)
    daq(master, 3, "SegmentCounter", 4)
    rows = [struct.unpack("<BBII", packet) for packet in master.run(1000)]
    speed = float(signal_view(master.ecu.memory, "EngineSpeed")[()]) * 0.25
    assert len(rows) == pytest.approx(speed / 30, abs=2)
    counts = [row[3] for row in rows]
    assert counts == list(range(counts[0], counts[0] + len(counts)))
    steps = [b[2] - a[2] for a, b in itertools.pairwise(rows)]
    assert steps == [pytest.approx(30e6 / speed, rel=0.1)] * len(steps)


@pytest.mark.parametrize("order", [ByteOrder.INTEL, ByteOrder.MOTOROLA])
@pytest.mark.parametrize("ag", [1, 2, 4])
def test_every_byte_order_and_granularity_is_served(order, ag):
    settings = SlaveConfig(byte_order=order, ag=ag, max_cto=252, granularity_odt_entry=ag)
    master = Master(build_ecu("demo-engine", settings))
    answer = master.ask(b"\xff\x00")
    assert answer[2] & 0x07 == (order is ByteOrder.MOTOROLA) | {1: 0, 2: 2, 4: 4}[ag]
    master.run(9)
    address = master.ecu.image["TaskCounter1ms"].address
    answer = master.ask(struct.pack(f"{order.mark}BBBBI", 0xF4, 4 // ag, 0, 0, address))
    assert struct.unpack_from(f"{order.mark}I", answer, max(1, ag)) == (10,)


def test_a_disabled_command_is_unknown():
    settings = SlaveConfig(disabled=frozenset({"SHORT_UPLOAD"}))
    master = Master(build_ecu("demo-engine", settings))
    master.ask(b"\xff\x00")
    assert master.ask(struct.pack("<BBBBI", 0xF4, 4, 0, 0, 0x2000_0000))[:2] == b"\xfe\x20"
    with pytest.raises(SettingsError):
        build_ecu("demo-engine", SlaveConfig(disabled=frozenset({"CONNECT"})))


def test_due_is_the_next_task():
    ecu = build_ecu("demo-engine")
    assert ecu.due() == 0
    ecu.on_time(0)
    assert ecu.due() == MS
