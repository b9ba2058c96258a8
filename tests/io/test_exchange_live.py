"""Time-outs of the description, interleaved reading and remembered refusals, over real sockets."""

from __future__ import annotations

import pytest

import xcaliper
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.recovery import Timers
from xcaliper.xcp.slave_config import SlaveConfig

pytestmark = pytest.mark.timeout(60)
MS = 1_000_000


def served(**settings) -> EcuServer:
    return EcuServer(build_ecu("demo-engine", SlaveConfig(**settings)), ("udp://127.0.0.1:0",))


def test_time_outs_are_those_of_the_description_of_each_connection(tmp_path) -> None:
    with served() as server:
        with xcaliper.connect(server.url, cache=False) as ecu:
            layer = ecu.catalog.xcp.merged().protocol_layer
            assert ecu.link.machine.timers.t1_ns == layer.t1 * MS
            text = ecu.description.data.decode()
        times = f"{layer.t1} {layer.t2} {layer.t3} {layer.t4} {layer.t5} {layer.t6} {layer.t7}"
        other = " ".join(str(1500 + i) for i in range(1, 8))
        flat = text.replace(times, other, 1)
        if flat == text:  # one number per line
            lines = text.splitlines()
            at = next(i for i, line in enumerate(lines) if "begin PROTOCOL_LAYER" in line)
            words = [line.strip() for line in lines[at + 1 : at + 12]]
            first = words.index(str(layer.t1))
            for i in range(7):
                lines[at + 1 + first + i] = str(1501 + i)
            flat = "\n".join(lines)
        file = tmp_path / "other.a2l"
        file.write_text(flat)
        with xcaliper.connect(server.url, a2l=file) as ecu:
            assert ecu.link.machine.timers == Timers.of_ms(*range(1501, 1508))
            ecu.reconnect()
            assert ecu.link.machine.timers == Timers.of_ms(*range(1501, 1508))
        with xcaliper.connect(server.url, a2l=file, timeout_s=3.0) as ecu:
            assert ecu.link.machine.timers.t1_ns == 3000 * MS
            assert ecu.link.machine.timers.t7_ns == 1507 * MS


def test_many_names_are_read_interleaved_with_the_same_result() -> None:
    values = []
    for interleaved in (False, True):
        with served(interleaved=interleaved) as server, xcaliper.connect(server.url) as ecu:
            assert ecu.session.queue_size == (4 if interleaved else 0)
            names = ecu.names(kind="characteristic")
            # the read-only ones are texts of the running engine
            names = [name for name in names if ecu.describe(name)["writable"]]
            assert len(names) > 50
            values.append(repr(ecu.read(names)))
            layer = ecu.catalog.xcp.merged().protocol_layer
            assert layer.interleaved_queue == (4 if interleaved else None)
            ecu.write("cIdleSpeedTarget", 955)
            assert ecu.read(["cIdleSpeedTarget"]) == {"cIdleSpeedTarget": 955}
            assert ecu.link.machine.counters.stray == 0
    assert values[0] == values[1]


def test_refused_commands_are_remembered_until_forgotten_also_by_a_new_session() -> None:
    lacking = frozenset({"SHORT_UPLOAD", "GET_VERSION", "WRITE_DAQ_MULTIPLE"})
    with served(disabled=lacking) as server, xcaliper.connect(server.url) as ecu:
        ecu.read_memory(ecu.describe("cIdleSpeedTarget")["address"], 2)
        assert {"SHORT_UPLOAD", "GET_VERSION"} <= ecu.session.refused <= lacking
        remembered = set(ecu.session.refused)
        ecu.reconnect()
        assert ecu.session.refused == remembered
        ecu.forget()
        assert ecu.session.refused == set()
        ecu.read("cIdleSpeedTarget")
        assert ecu.session.refused == {"SHORT_UPLOAD"}
