"""Flash and single commands over a real link to a virtual ECU."""

from __future__ import annotations

from dataclasses import replace

import pytest

from xcaliper import connect
from xcaliper.core.address import Address
from xcaliper.core.errors import NegativeResponseError, UnknownCommandError, UsageError
from xcaliper.proto.command import Request, Response, command
from xcaliper.sim.debug_target import MemoryTarget
from xcaliper.sim.flash import flash_settings
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer
from xcaliper.wire.layout import packet, u8, u16
from xcaliper.xcp.codes import Group, error_set
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.std import GetStatus
from xcaliper.xcp.tlcmd import EthGetDaqClockMulticast

FLASH = Address(0x0810_0000)


@packet(0xFF)
class GetOdometerResponse(Response):
    """Kilometres."""

    distance: int = u16(2)


@command(0xF1, 0x42, group=Group.STD, errors=error_set("B U S"))
class GetOdometer(Request[GetOdometerResponse]):
    """A command of the maker."""

    unit: int = u8(2)


def serve(sub_command: int, parameters: bytes) -> bytes:
    return bytes((0,)) + (1234 * sub_command & 0xFFFF).to_bytes(2, "little") + parameters


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_the_flash_of_a_virtual_ecu(scheme: str) -> None:
    settings = SlaveConfig(program=flash_settings(clear_ns=150_000_000))
    with EcuServer(build_ecu("demo-engine", settings), (f"{scheme}://127.0.0.1:0",)) as server:
        data = bytes(range(256)) * 4
        with connect(server.url, cache=False) as ecu:
            assert ecu.info.program is not None
            assert "absolute mode, functional mode; 4 sectors" in str(ecu.info)
            assert ecu.info.as_dict()["program"]["max_sector"] == 4
            assert ecu.program.sectors[0].name == "calibration0"
            described = ecu.catalog.xcp.merged().pgm
            assert described.sectors[0].address == FLASH.value
            steps: list[str] = []
            told = ecu.program.write([(FLASH.value + 8, data)], step=lambda s: steps.append(s.kind))
            assert told
            assert steps == ["start", "clear", "program", "reset", "done"]
        with connect(server.url, cache=False) as ecu:
            assert ecu.read_memory(FLASH, 10) == b"\xff" * 8 + data[:2]
            with pytest.raises(NegativeResponseError, match="ERR_WRITE_PROTECTED"):
                ecu.write_memory(FLASH, b"1")


def test_commands_of_the_maker() -> None:
    settings = SlaveConfig(user_command=serve)
    with (
        EcuServer(build_ecu("demo-engine", settings)) as server,
        connect(server.url, cache=False, commands=(GetOdometer,)) as ecu,
    ):
        send = ecu.commands
        assert "GET_ODOMETER" in send.names()
        assert send.ask(GetOdometer(unit=0)).distance == 1234 * 0x42 & 0xFFFF
        assert send.user(b"\x01ab") == b"\x00\xd2\x04ab"
        assert send.raw(bytes.fromhex("f14200")).distance == 1234 * 0x42 & 0xFFFF
        assert send.ask(GetStatus()).session_status is not None
        send.tell(EthGetDaqClockMulticast(cluster_identifier=0, counter=1))
        with pytest.raises(UsageError, match="not answered"):
            send.ask(EthGetDaqClockMulticast(cluster_identifier=0, counter=1))
        with pytest.raises(UnknownCommandError, match="TRANSPORT_LAYER_CMD"):
            send.transport(b"\x12")
        with pytest.raises(UsageError, match="sub-command"):
            send.user(b"")
        assert ecu.info.program is None
        assert ecu.program.info is None
        with pytest.raises(UsageError, match="does not offer"):
            ecu.program.write([(0, b"1")])


def test_a_virtual_ecu_can_be_debugged() -> None:
    from xcaliper.xcp.procedures import debug

    ecu = build_ecu("demo-engine")
    target = MemoryTarget(ecu.memory)
    ecu = build_ecu("demo-engine", replace(SlaveConfig(), debug=target))
    with EcuServer(ecu) as server, connect(server.url, cache=False) as found:
        assert found.session.resource.dbg
        assert found.link.run(debug.jtag_id()) == 0x1234_5678
