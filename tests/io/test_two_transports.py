"""A description of two transports: the blocks of the one in use decide, wherever it stands in the file."""

from __future__ import annotations

import pytest

import xcaliper
from support.served import wait_for
from xcaliper.cli.main import main
from xcaliper.core.errors import LibraryError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.xcp.recovery import Timers
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_daq_config import EventConfig

pytestmark = pytest.mark.timeout(60)

LAYER = """
/begin PROTOCOL_LAYER 0x0100 {times} 255 1400 BYTE_ORDER_MSB_LAST ADDRESS_GRANULARITY_BYTE
 SEED_AND_KEY_EXTERNAL_FUNCTION "{library}" MAX_DTO_STIM 8 /end PROTOCOL_LAYER"""
DAQ = """
/begin DAQ DYNAMIC 0 4 0 OPTIMISATION_TYPE_DEFAULT ADDRESS_EXTENSION_FREE
 IDENTIFICATION_FIELD_TYPE_ABSOLUTE GRANULARITY_ODT_ENTRY_SIZE_DAQ_BYTE 0xF8
 NO_OVERLOAD_INDICATION
 /begin STIM GRANULARITY_ODT_ENTRY_SIZE_STIM_BYTE 0xF8 MIN_ST_STIM {apart} /end STIM /end DAQ"""
PGM = """
/begin PGM PGM_MODE_ABSOLUTE 1 64
 /begin SECTOR "{sector}" 0 0x1000 0x100 0 0 0 /end SECTOR /end PGM"""
CAN = """
/begin XCP_ON_CAN 0x0104 CAN_ID_MASTER 0x100 CAN_ID_SLAVE 0x101 BAUDRATE 500000
 {own} /end XCP_ON_CAN"""


#: Rows of two packets.
SETTINGS = SlaveConfig(
    max_dto_stim=8, events=tuple(EventConfig(n, "", stim=n == 1) for n in range(4))
)


def times(first: int) -> str:
    return " ".join(str(first + n) for n in range(7))


def blocks(first: int, apart: int, name: str) -> str:
    return (
        LAYER.format(times=times(first), library=f"{name}.so")
        + DAQ.format(apart=apart)
        + PGM.format(sector=name)
    )


@pytest.fixture
def server():
    with EcuServer(build_ecu("demo-engine", SETTINGS), ("udp://127.0.0.1:0",)) as found:
        yield found


@pytest.fixture
def described(server, tmp_path):
    """CAN stands first and has blocks of its own, as the transport of the server has."""
    text = server.ecu.a2l
    begin, end = text.index("/begin XCP_ON_UDP_IP"), text.index("/end XCP_ON_UDP_IP")
    can = CAN.format(own=blocks(1501, 1, "can"))
    mine = blocks(1801, 20, "ethernet")
    path = tmp_path / "both.a2l"
    path.write_text(text[:begin] + can + text[begin:end] + mine + text[end:], "utf-8")
    return path


def test_the_blocks_of_the_transport_in_use_decide(server, described, monkeypatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("xcaliper.client.stim_session.sleep", pauses.append)
    with xcaliper.connect(server.url, described) as ecu:
        kinds = [type(one).__name__ for one in ecu.catalog.xcp.transports]
        assert kinds == ["XcpOnCan", "XcpOnUdpIp"]
        for _ in range(2):
            assert ecu.link.machine.timers == Timers.of_ms(*range(1801, 1808))
            assert [one.name for one in ecu.described.pgm.sectors] == ["ethernet"]
            ecu.reconnect()
        names = ("StimulusTorque", "IdleThrottle", "CoolantTemp", "EngineSpeed")
        values = dict.fromkeys(names, 4.0)
        with ecu.stimulate(values, event=1, one_per_datagram=False):
            wait_for(lambda: server.ecu.slave.state.stim.counters.applied >= 5)
    assert max(pauses) > 0.0001, "between the two packets of a row, more than CAN asks for"
    assert max(pauses) <= 0.002


def test_the_library_is_that_of_the_transport_in_use(server, described) -> None:
    with pytest.raises(LibraryError, match=r"ethernet\.so"):
        xcaliper.connect(server.url, described, keys="a2l")


def test_the_conformance_suite_holds_the_slave_against_its_own_transport(
    server, tmp_path, capsys
) -> None:
    """CAN stands first with sizes that are right for CAN; the common blocks are those of the server."""
    text = server.ecu.a2l
    begin = text.index("/begin XCP_ON_UDP_IP")
    can = CAN.format(own=blocks(1501, 1, "can").replace(" 255 1400 ", " 8 8 "))
    path = tmp_path / "both.a2l"
    path.write_text(text[:begin] + can + text[begin:], "utf-8")
    words = ["conformance", server.url, "--group", "a2l", "--timeout", "5"]
    assert main([*words, "--a2l", str(path)]) == 0
    assert " 0 deviations" in capsys.readouterr().out
    server.ecu.slave.state.config.ids[4] = path.read_bytes()
    assert main([*words, "--a2l", "slave"]) == 0
    assert " 0 deviations" in capsys.readouterr().out
