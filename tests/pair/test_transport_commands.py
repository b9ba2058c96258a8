"""Commands of the transports on the machine pair: CAN, Ethernet, USB, FlexRay."""

from __future__ import annotations

import pytest

from pair.link import PagedMemory, Pair, config
from xcaliper.core.errors import (
    NegativeResponseError,
    OutOfRangeError,
    RemoteProtocolError,
    SettingsError,
    UnknownCommandError,
    WireError,
)
from xcaliper.proto.procedure import ask, run_script
from xcaliper.wire.codec import encode
from xcaliper.xcp import daq, tlcmd
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures import transport
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_link import (
    CanLink,
    EthLink,
    EthPort,
    FlexRayLink,
    FlxBuffer,
    LinkState,
    UsbLink,
    commands_of,
)
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import CanIdentifier, FlxPacketTypes

CAN = CanLink(
    CanIdentifier(0x700),
    daq_ids={0: CanIdentifier(0x710)},
    fixed=frozenset({1}),
    allowed=frozenset({0x711, 0x712}),
    response_id=CanIdentifier(0x701),
)
USB = UsbLink(0x81, daq_endpoints=frozenset({0x82}), fixed=frozenset({1}))
FLX = FlexRayLink(
    (
        FlxBuffer(0, packet_types=FlxPacketTypes(0x01), slot_id=5),
        FlxBuffer(1, packet_types=FlxPacketTypes(0x04), slot_id=6),
        FlxBuffer(2, max_length=64),
        FlxBuffer(3, max_length=32, packet_types=FlxPacketTypes(0x08)),
    ),
    fixed=frozenset({1}),
)
MAC = bytes.fromhex("0200c0a80001")
ETH = EthLink(
    MAC,
    (
        EthPort("10.0.0.2", 5555, False),
        EthPort("10.0.0.2", 5555, True),
        EthPort("10.0.0.2", 7, True),
    ),
    settable=True,
)


class LinkedPair(Pair):
    """A slave with the commands of its transport, and two lists."""

    def __init__(self, link, *, connected: bool = True, **more) -> None:
        super().__init__(config(link=link, **more), connected=False)
        table = COMMANDS.extended(*commands_of(link))
        self.slave = SlaveMachine(self.config, PagedMemory(), table)
        self.master = MasterMachine(table)
        if connected:
            self.session = self.run(connect())
            self.run(ask(daq.FreeDaq()))
            self.run(ask(daq.AllocDaq(daq_count=2)))


def answer(pair: Pair, packet: str) -> str:
    pair.slave.receive(bytes.fromhex(packet), 0)
    return " ".join(p.hex() for p in pair.slave.outgoing())


# --- CAN -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("connected", [False, True])
def test_a_slave_on_can_is_found_and_confirmed(connected: bool) -> None:
    pair = LinkedPair(CAN, connected=connected)
    assert pair.run(transport.can_slave_id()) == 0x700
    assert [p.hex() for p in pair.to_slave.sent[-2:]] == ["f2ff58435000", "f2ff58435001"]
    assert [p.hex() for p in pair.to_master.sent[-2:]] == ["ff58435000070000", "ffa7bcaf00070000"]
    assert pair.slave.connected is connected


def test_only_an_echo_directly_before_is_confirmed() -> None:
    pair = LinkedPair(CAN)
    assert answer(pair, "f2ff58435001") == ""
    answer(pair, "f2ff58435000")
    answer(pair, "fd")
    assert answer(pair, "f2ff58435001") == ""
    assert answer(pair, "f2ff58435100") == "fe21"
    assert answer(pair, "f2ff58435002") == "fe22"
    assert answer(pair, "f2ff584350") == "fe21"


def test_answers_that_are_no_echo() -> None:
    good = tlcmd.CanGetSlaveIdResponse(echo=b"XCP", can_id=CanIdentifier(1))
    wrong = tlcmd.CanGetSlaveIdResponse(echo=b"abc", can_id=CanIdentifier(1))
    with pytest.raises(RemoteProtocolError, match="584350"):
        run_script(transport.can_slave_id(), [good, wrong])


def test_identifiers_of_lists() -> None:
    pair = LinkedPair(CAN)
    found = pair.run(transport.can_daq_id(0))
    assert (found.can_id, found.can_id_fixed) == (0x710, 0)
    found = pair.run(transport.can_daq_id(1))
    assert (found.can_id, found.can_id_fixed) == (0x701, 1)
    pair.run(transport.set_can_daq_id(0, CanIdentifier(0x711)))
    assert pair.slave.state.link.daq_ids == {0: 0x711}
    for daq_list, number in ((0, 0x713), (1, 0x711), (2, 0x711)):
        with pytest.raises(OutOfRangeError):
            pair.run(transport.set_can_daq_id(daq_list, CanIdentifier(number)))
    with pytest.raises(OutOfRangeError):
        pair.run(transport.can_daq_id(2))
    pair.run(connect())
    assert pair.slave.state.link.daq_ids == {0: 0x710}


def test_clock_multicast_of_another_transport() -> None:
    pair = LinkedPair(CAN)
    assert answer(pair, "f2fa000001") == ""
    answer(pair, "c60200000000")  # RESPONSE_FMT 2
    assert answer(pair, "f2fa000001").startswith("fd08")


# --- Ethernet ------------------------------------------------------------------------------------


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("connected", [False, True])
def test_a_slave_on_ethernet_is_found(connected: bool, extended: bool) -> None:
    pair = LinkedPair(ETH, connected=connected)
    pair.run(transport.find_slaves("10.0.0.9", 6000, extended=extended))
    assert pair.to_master.sent == [] or connected
    replies = pair.slave.replies()
    assert {(r.ip, r.port) for r in replies} == {("10.0.0.9", 6000)}
    first, second = (transport.decode_discovery(r.packet) for r in replies)
    assert first.urls == ("udp://10.0.0.2:5555", "tcp://10.0.0.2:5555")
    assert second.urls == ("tcp://10.0.0.2:7",)
    assert (first.name, first.busy, first.mac) == ("demo", connected, MAC if extended else b"")
    assert first.resource.daq
    assert pair.slave.replies() == []


def test_the_address_can_be_changed() -> None:
    pair = LinkedPair(ETH, connected=False)
    other = bytes(6)
    pair.run(transport.set_slave_ip_address(other, "10.0.0.77", "10.0.0.9", 6000))
    assert pair.slave.replies() == []
    pair.run(transport.set_slave_ip_address(MAC, "10.0.0.77", "10.0.0.9", 6000))
    (reply,) = pair.slave.replies()
    assert reply.packet == b"\xff\xfc\x00" + MAC
    assert {port.ip for port in pair.slave.state.link.ports} == {"10.0.0.77"}
    pair.run(connect())
    pair.run(transport.set_slave_ip_address(MAC, "10.0.0.78", "10.0.0.9", 6000))
    (reply,) = pair.slave.replies()
    assert reply.packet == b"\xfe\xfc\x10" + MAC
    fixed = LinkedPair(EthLink(MAC))
    fixed.run(transport.set_slave_ip_address(MAC, "10.0.0.78", "10.0.0.9", 6000))
    assert fixed.slave.replies()[0].packet == b"\xfe\xfc\x24" + MAC


def test_reserved_modes_are_not_answered() -> None:
    pair = LinkedPair(ETH)
    address = tlcmd.ip_to_bytes("10.0.0.9")
    for request in (
        tlcmd.EthGetSlaveId(port=1, ip=address, ip_version=1),
        tlcmd.EthGetSlaveIdExtended(port=1, ip=address, mode=1),
    ):
        assert answer(pair, encode(request).hex()) == ""
        assert pair.slave.replies() == []
    for _ in range(20):
        pair.slave.receive(encode(tlcmd.EthGetSlaveId(port=1, ip=address)), 0)
    assert len(pair.slave.replies()) == 16  # nobody took them


def test_answers_that_nobody_can_read() -> None:
    with pytest.raises(WireError):
        transport.decode_discovery(bytes(10))
    packet = bytearray(
        encode(
            tlcmd.EthGetSlaveIdResponse(
                ip=tlcmd.ip_to_bytes("::1"),
                port=1,
                status=tlcmd.EthSlaveStatus.of(ip_version=1, protocol=1),
                resource=0,
                length=0,
            )
        )
    )
    assert transport.decode_discovery(bytes(packet)).urls == ("udp://[::1]:1",)
    packet[18] = 3
    with pytest.raises(WireError, match="protocol"):
        transport.decode_discovery(bytes(packet))


# --- USB and FlexRay -----------------------------------------------------------------------------


def test_endpoints_of_lists() -> None:
    pair = LinkedPair(USB)
    assert pair.run(transport.usb_daq_endpoint(0)).endpoint == 0x81
    pair.run(transport.set_usb_daq_endpoint(0, 0x82))
    assert pair.run(transport.usb_daq_endpoint(0)).endpoint == 0x82
    assert pair.run(transport.usb_daq_endpoint(1)).endpoint_fixed
    for daq_list, endpoint in ((0, 0x83), (1, 0x82), (2, 0x82)):
        with pytest.raises(OutOfRangeError):
            pair.run(transport.set_usb_daq_endpoint(daq_list, endpoint))


ASSIGN = {
    "flx_buf": 2,
    "packet_types": FlxPacketTypes(0x10),
    "slot_id": 40,
    "offset": 1,
    "cycle_repetition": 4,
    "max_flx_len_buf": 60,
    "channel": 1,
    "header_crc": 0x123,
}


def test_buffers() -> None:
    pair = LinkedPair(FLX)
    pair.run(transport.assign_buffer(tlcmd.FlxAssign(**ASSIGN)))
    buffers = pair.slave.state.link.buffers
    assert buffers[2] == FlxBuffer(2, 60, FlxPacketTypes(0x10), 40, 1, 4, 1, 0x123)
    pair.run(transport.set_daq_buffers(0, [2]))
    assert pair.run(transport.daq_buffers(0)) == ((2,), False)
    assert pair.run(transport.daq_buffers(1)) == ((), True)
    pair.run(transport.activate_buffer(3))
    assert buffers[3].active
    pair.run(transport.deactivate_buffer(3))
    assert not buffers[3].active
    pair.run(transport.set_daq_buffers(0, []))
    assert pair.run(transport.daq_buffers(0)) == ((), False)
    free = tlcmd.FlxAssign(**(ASSIGN | {"packet_types": FlxPacketTypes(0)}))
    pair.run(transport.assign_buffer(free))
    assert buffers[2] == FlxBuffer(2, 64)
    everything = tlcmd.FlxAssign(**(ASSIGN | {"packet_types": FlxPacketTypes(0), "flx_buf": 0xFF}))
    pair.run(transport.assign_buffer(everything))
    assert tuple(pair.slave.state.link.buffers.values()) == FLX.buffers


@pytest.mark.parametrize(
    "wrong",
    [
        {"flx_buf": 9},
        {"flx_buf": 0},
        {"flx_buf": 1},
        {"packet_types": FlxPacketTypes(0x11)},
        {"offset": 64},
        {"cycle_repetition": 3},
        {"channel": 2},
        {"max_flx_len_buf": 65},
        {"max_flx_len_buf": 0},
    ],
)
def test_buffers_are_checked(wrong: dict) -> None:
    pair = LinkedPair(FLX)
    with pytest.raises(OutOfRangeError):
        pair.run(transport.assign_buffer(tlcmd.FlxAssign(**(ASSIGN | wrong))))
    for procedure in (
        transport.activate_buffer(2),
        transport.deactivate_buffer(9),
        transport.set_daq_buffers(0, [3]),
        transport.set_daq_buffers(0, [9]),
        transport.set_daq_buffers(1, [2]),
        transport.set_daq_buffers(2, []),
        transport.daq_buffers(2),
    ):
        with pytest.raises(OutOfRangeError):
            pair.run(procedure)


# --- another transport ---------------------------------------------------------------------------

FOREIGN = {
    "can": [
        transport.can_slave_id,
        lambda: transport.can_daq_id(0),
        lambda: transport.set_can_daq_id(0, CanIdentifier(1)),
    ],
    "usb": [lambda: transport.usb_daq_endpoint(0), lambda: transport.set_usb_daq_endpoint(0, 1)],
    "flx": [
        lambda: transport.assign_buffer(tlcmd.FlxAssign(**ASSIGN)),
        lambda: transport.activate_buffer(1),
        lambda: transport.daq_buffers(0),
        lambda: transport.set_daq_buffers(0, []),
    ],
    "eth": [
        lambda: ask(tlcmd.EthGetSlaveId(port=1, ip=bytes(16))),
        lambda: ask(tlcmd.EthGetSlaveIdExtended(port=1, ip=bytes(16))),
        lambda: ask(tlcmd.EthSetSlaveIpAddress(port=1, ip=bytes(16), mac=MAC, new_ip=bytes(4))),
    ],
}
LINKS = {"can": CAN, "usb": USB, "flx": FLX, "eth": ETH}


@pytest.mark.parametrize("kind", FOREIGN)
def test_commands_of_another_transport_are_unknown(kind: str) -> None:
    """The table of one transport on a slave that is set up for another, or for none."""
    table = COMMANDS.extended(*commands_of(LINKS[kind]))
    other = USB if kind != "usb" else CAN
    for link in (None, other):
        pair = Pair(config(link=link), connected=False)
        pair.slave = SlaveMachine(pair.config, PagedMemory(), table)
        pair.run(connect())
        for procedure in FOREIGN[kind]:
            with pytest.raises((UnknownCommandError, NegativeResponseError)) as refused:
                pair.run(procedure())
            assert refused.value.code == ErrorCode.ERR_SUBCMD_UNKNOWN


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(SettingsError):
        CanLink(CanIdentifier(1 << 32))
    with pytest.raises(SettingsError):
        FlexRayLink((FlxBuffer(1), FlxBuffer(1)))
    with pytest.raises(SettingsError):
        EthLink(b"12345")
    assert LinkState(CAN).ports == ()
