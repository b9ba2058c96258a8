"""Many signals over real sockets: every value is right, whatever the datagrams look like; and reboots."""

from __future__ import annotations

import socket
import time

import numpy as np
import pytest

import xcaliper
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import SettingsError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.gallery.many_signals import many_signals, truth
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.slave_config import EventConfig, SlaveConfig
from xcaliper.xcp.slave_daq_config import PackedConfig

pytestmark = pytest.mark.timeout(60)

SIGNALS = 600


@pytest.mark.parametrize(
    ("url", "limit", "settings"),
    [
        ("udp://127.0.0.1:0", 1472, {}),
        ("udp://127.0.0.1:0", 300, {"identification_field": 3}),
        ("udp://127.0.0.1:0", 9000, {"max_dto": 200, "byte_order": ByteOrder.MOTOROLA}),
        ("udp://127.0.0.1:0?alignment=4", 1472, {"max_dto": 101, "identification_field": 0}),
        ("tcp://127.0.0.1:0", 1472, {}),
    ],
)
def test_every_value_is_right(url: str, limit: int, settings: dict) -> None:
    config = SlaveConfig(**({"max_dto": 1468} | settings))
    ecu = build_ecu("many-signals", config, signals=SIGNALS, rate_hz=1000)
    with (
        EcuServer(ecu, [url], datagram_limit=limit) as server,
        xcaliper.connect(
            server.url + url.removeprefix(url.split("?", maxsplit=1)[0]), cache=False
        ) as master,
    ):
        names = ["RunCounter", *(f"Sig{number:05d}" for number in range(SIGNALS))]
        measurement = master.measure(names, duration_s=30)
        with measurement:
            for _ in measurement:
                if sum(len(block) for block in measurement.blocks()) >= 100:
                    break
        (block,) = measurement.blocks()
    quality = measurement.quality
    assert (quality.lost, quality.unknown, quality.incomplete, quality.gaps) == (0, 0, 0, 0)
    runs = np.asarray(block["RunCounter"], np.int64)
    assert set(np.diff(runs)) == {1}
    for number in range(SIGNALS):
        wanted = np.array([truth(number, SIGNALS, int(n)) for n in runs])
        assert (np.asarray(block[f"Sig{number:05d}"], np.int64) == wanted).all(), number
    assert ecu.slave.counters.lost_samples == 0


def test_the_period_is_told_in_microseconds() -> None:
    ecu = build_ecu("many-signals", signals=4, rate_hz=10_000)
    (event,) = ecu.slave.config.events
    assert (event.time_cycle, event.time_unit) == (1, 5)  # once 100 µs
    ecu.on_time(10_000_000)
    assert ecu.memory.ram[ecu.image["RunCounter"].offset] == 101


@pytest.mark.parametrize("settings", [(3, 1000), (10, 0), (10, 1e6), (300_000, 1000)])
def test_ecus_that_cannot_be(settings) -> None:
    with pytest.raises(SettingsError):
        many_signals(*settings)


def test_settings_of_an_event_beside_its_declaration() -> None:
    events = (EventConfig(0, "", max_daq_list=2, packed=PackedConfig()),)
    ecu = build_ecu("many-signals", SlaveConfig(events=events), signals=4)
    (event,) = ecu.slave.config.events
    assert (event.name, event.time_cycle, event.time_unit) == ("Fast", 1, 6)
    assert (event.max_daq_list, event.packed) == (2, PackedConfig())


class Raw:
    """A socket that speaks XCP on UDP or TCP by hand."""

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        host, _, port = rest.rpartition(":")
        kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
        self.sock = socket.socket(socket.AF_INET, kind)
        self.sock.settimeout(5)
        self.sock.connect((host, int(port)))

    def ask(self, text: str) -> bytes:
        packet = bytes.fromhex(text)
        self.sock.send(len(packet).to_bytes(2, "little") + b"\0\0" + packet)
        return self.sock.recv(4096)[4:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_a_rebooted_ecu_knows_nobody(scheme: str) -> None:
    ecu = build_ecu("many-signals", signals=4)
    with EcuServer(ecu, [f"{scheme}://127.0.0.1:0"]) as server, Raw(server.url) as master:
        assert master.ask("ff00")[0] == 0xFF
        assert ecu.slave.connected
        server.reboot()
        until = time.monotonic() + 5
        while ecu.slave.connected and time.monotonic() < until:
            time.sleep(0.005)
        assert not ecu.slave.connected
        if scheme == "tcp":
            assert master.sock.recv(10) == b""  # the connection ended
            return
        master.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            master.ask("fd")
        master.sock.settimeout(5)
        assert master.ask("ff00")[0] == 0xFF
        assert master.ask("fd")[0] == 0xFF
