"""Software debugging, POD and USER_CMD on the machine pair (layouts with a single public source)."""

from __future__ import annotations

import pytest

from pair.link import RAM, PagedMemory, Pair, config
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import (
    AccessLockedError,
    NegativeResponseError,
    OutOfRangeError,
    UnknownCommandError,
    UsageError,
)
from xcaliper.proto.command import Request, Response, command
from xcaliper.proto.procedure import ask, run_script
from xcaliper.sim.debug_target import MemoryTarget
from xcaliper.wire.layout import packet, u8
from xcaliper.xcp import level1
from xcaliper.xcp.codes import ErrorCode, Group, Resource, error_set
from xcaliper.xcp.handlers import HANDLERS
from xcaliper.xcp.level1 import HwioPin, HwioState, SequenceResult
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.procedures import debug, user
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_state import SlaveState, refuse
from xcaliper.xcp.std import EmptyResponse, TransportLayerCmdResponse
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import GetDaqClockMulticast


def debugged(*, ag: int = 1, pins: int = 2, **more) -> tuple[Pair, MemoryTarget]:
    memory = PagedMemory(ag)
    many = [HwioPin(index=3 * i, mode=0, pin_class=0, state=i & 1) for i in range(pins)]
    target = MemoryTarget(memory, ag=ag, pins=many)
    made = config(ag=ag, granularity_odt_entry=ag, debug=target, **more)
    return Pair(made, memory=memory), target


def test_what_the_target_is() -> None:
    pair, target = debugged()
    assert pair.session.resource.dbg
    assert pair.run(debug.attach()).max_cto_dbg == 64
    vendor = pair.run(debug.vendor_info())
    assert (vendor.vendor_id, vendor.vendor_info) == (0x5843, b"XCaliper")
    assert pair.run(debug.mode_info()).max_hwio_pins == 2
    assert pair.run(debug.jtag_id()) == 0x1234_5678
    assert pair.run(debug.target_resources()).table == b"memory\0"
    pair.run(debug.halt_after_reset())
    pair.run(debug.exclusive_access(1, 7))
    assert (target.halts, target.exclusive) == (True, (1, 7))


@pytest.mark.parametrize("count", [0, 2, 40])
def test_pins(count: int) -> None:
    pair, target = debugged(pins=count)
    found = pair.run(debug.pins())
    assert [pin.index for pin in found] == [3 * i for i in range(count)]
    if not count:
        with pytest.raises(OutOfRangeError):
            pair.run(debug.set_pin_event(0, 1))
        return
    pair.run(debug.set_pin_event(3, 5))
    assert target.triggers == {3: 5}
    wanted = [HwioState(index=0, state=9, frequency=0), HwioState(index=3, state=8, frequency=100)]
    assert pair.run(debug.control_pins(wanted)) == b"\x09\x08"
    assert [pin.state for pin in pair.run(debug.pins())[:2]] == [9, 8]
    with pytest.raises(OutOfRangeError):
        pair.run(debug.control_pins([HwioState(index=1, state=1, frequency=0)]))


def test_pins_of_a_target_that_tells_too_many() -> None:
    info = level1.DbgGetModeInfoResponse(max_hwio_pins=5, dialect=0, feature=0, service_level=0)
    last = HwioPin(index=255, mode=0, pin_class=0, state=0)
    told = level1.DbgGetHwioInfoResponse(count=1, pins=(last,))
    assert run_script(debug.pins(), [info, told])[0] == (last,)
    first = HwioPin(index=0, mode=0, pin_class=0, state=0)
    again = level1.DbgGetHwioInfoResponse(count=1, pins=(first,))
    assert run_script(debug.pins(), [info, again, again])[0] == (first,)


@pytest.mark.parametrize("order", [ByteOrder.INTEL, ByteOrder.MOTOROLA])
@pytest.mark.parametrize("max_cto", [8, 16, 24, 64, 252])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_words(max_cto: int, width: int, order: ByteOrder) -> None:
    pair, _ = debugged(max_cto=max_cto, byte_order=order)
    data = bytes((5 * i) & 0xFF for i in range(width * 300))
    pair.run(debug.write_words(pair.session, 0, RAM.value, width, data))
    assert pair.memory.read(RAM, len(data)) == data
    assert pair.run(debug.read_words(pair.session, 0, RAM.value, width, 300)) == data
    names = set(pair.seen)
    assert ("DBG_WRITE_CAN1" in names) == (max_cto < 24)
    assert ("DBG_READ_CAN1" in names) == (max_cto < 16)
    assert ("DBG_WRITE_NEXT" in names) == (max_cto >= 24)
    pair.run(debug.write_words(pair.session, 0, RAM.value, width, b""))
    assert pair.run(debug.read_words(pair.session, 0, RAM.value, width, 0)) == b""


@pytest.mark.parametrize("order", [ByteOrder.INTEL, ByteOrder.MOTOROLA])
def test_bits_of_a_word(order: ByteOrder) -> None:
    pair, _ = debugged(byte_order=order)
    pair.memory.write(RAM, bytes.fromhex("11223344"))
    before = pair.run(debug.modify_word(0, RAM.value, 4, mask=0x0FF0, value=0xFFFF_FFFF))
    assert before == bytes.fromhex("11223344")
    number = int.from_bytes(bytes.fromhex("11223344"), order.value) | 0x0FF0
    assert pair.memory.read(RAM, 4) == number.to_bytes(4, order.value)


def test_words_on_coarse_addresses() -> None:
    pair, _ = debugged(ag=4, max_cto=16)
    data = bytes(range(160))
    pair.run(debug.write_words(pair.session, 0, RAM.value, 8, data))
    assert pair.memory.read(RAM, 160) == data
    assert pair.run(debug.read_words(pair.session, 0, RAM.value, 4, 40)) == data


def test_few_words_go_in_one_packet() -> None:
    pair, _ = debugged()
    pair.forget()
    pair.run(debug.write_words(pair.session, 0, RAM.value, 2, b"abcd"))
    assert pair.seen == ["DBG_WRITE"]
    assert pair.memory.read(RAM, 4) == b"abcd"


def test_low_level() -> None:
    pair, _ = debugged()
    steps = pair.run(debug.run_sequence(0, 2, bytes.fromhex("0102030405060708")))
    assert steps == (
        SequenceResult(status=0, repeat=0, tdo=0x0102_0304),
        SequenceResult(status=0, repeat=0, tdo=0x0506_0708),
    )
    assert pair.run(debug.transfer(1, 0, b"\x08\xaa")).items == b"\x08\xaa"
    assert pair.run(debug.telegram(b"abc")) == b"abc"
    with pytest.raises(OutOfRangeError):
        pair.run(debug.run_sequence(0, 300, b""))
    with pytest.raises(OutOfRangeError):  # twelve results do not fit 64 bytes
        pair.run(debug.run_sequence(0, 12, bytes(48)))


def hexed(pair: Pair, packet: str) -> str:
    pair.slave.receive(bytes.fromhex(packet), 0)
    return " ".join(p.hex() for p in pair.slave.outgoing())


@pytest.mark.parametrize(
    ("packets", "answers"),
    [
        (["c0fc110000030100" + "00" * 8], ["fe22"]),  # three bytes are no word
        (["c0fc1100000400f0" + "00" * 8], ["fe22"]),  # more than fit
        (["c0fc110001040100" + "0000002000000000"], ["fe22"]),  # another resource
        (["c0fc110000040100" + "0000000000000000"], ["fe24"]),  # no memory
        (["c0fc0c0000040000" + "00" * 8], ["fe22"]),
        (["c0fc0c0000040100" + "00" * 8 + "01"], ["fe21"]),
        (["c0fc0b0000030000" + "00" * 16], ["fe21"]),
        (["c0fc130104"], ["fe22"]),  # no READ_CAN1 before
        (["c0fc0f0104"], ["fe22"]),  # no WRITE_CAN1 before
        (["c0fc0d0001000000ff"], ["fe22"]),  # no block
        (["c0fc0e0000000020", "c0fc0f0300"], ["ff", "fe22"]),
        (["c0fc0e0000000020", "c0fc0f0102", "c0fc100101"], ["ff", "ff", "fe22"]),
        (["c0fc0e0000000020", "c0fc0f0102", "fd", "c0fc10020102"], ["ff", "ff", "ff", "fe22"]),
        (["c0fc0e0000000020", "c0fc0f0102", "c0fc1002aabb"], ["ff", "ff", "ff"]),
        (["c0fc0509"], ["fe22"]),  # no such pin
        (["c0fc77"], ["fe34"]),
        (["c0fc05"], ["fe21"]),
    ],
)
def test_refusals(packets: list[str], answers: list[str]) -> None:
    pair, _ = debugged()
    found = [hexed(pair, packet) for packet in packets]
    assert [one if one[:2] == "fe" else one[:2] for one in found] == answers


def test_debugging_can_be_locked_and_absent() -> None:
    pair, _ = debugged(protected=Resource.of(dbg=1))
    with pytest.raises(AccessLockedError):
        pair.run(debug.attach())
    with pytest.raises(UnknownCommandError):
        Pair().run(debug.attach())
    with pytest.raises(UsageError):
        pair.run(debug.read_words(pair.session, 0, 0, 3, 1))
    with pytest.raises(UsageError):
        pair.run(debug.write_words(pair.session, 0, 0, 2, b"1"))
    narrow, _ = debugged(max_cto=8)
    with pytest.raises(UsageError, match="do not fit"):
        narrow.run(debug.write_words(narrow.session, 0, 0, 8, bytes(8)))


def serve(command: int, parameters: bytes) -> bytes:
    if command == 9:
        raise refuse(ErrorCode.ERR_GENERIC, b"\x07\x00")
    return bytes((command & 0xFF,)) * 100 if command == 8 else parameters[::-1]


def test_user_and_pod_commands() -> None:
    pair = Pair(config(user_command=serve, pod_command=serve))
    assert pair.run(user.user_cmd(1, b"abc")) == b"cba"
    assert pair.run(debug.pod_command(1, b"ab")) == b"ba"
    with pytest.raises(NegativeResponseError, match="ERR_GENERIC") as refused:
        pair.run(user.user_cmd(9))
    assert refused.value.info == b"\x07\x00"
    pair = Pair(config(user_command=serve))  # ERR_GENERIC ends a session
    with pytest.raises(OutOfRangeError):  # the answer would not fit
        pair.run(user.user_cmd(8))
    for procedure in (user.user_cmd(1), debug.pod_command(1), user.transport_cmd(0x12)):
        with pytest.raises(UnknownCommandError):
            Pair().run(procedure)
    told, _ = run_script(user.transport_cmd(1), [TransportLayerCmdResponse(data=b"x")])
    assert told == b"x"
    old = Pair(config(protocol_version=2))
    assert hexed(old, "f212") == "fe20"
    assert hexed(Pair(), "f212") == "fe34"
    assert hexed(Pair(), "f2") == "fe21"


def test_packets_as_bytes() -> None:
    pair = Pair(config(user_command=serve))
    table, profile = pair.master.table, pair.session.profile
    reply = pair.run(user.send_packet(table, profile, bytes.fromhex("f1010203")))
    assert reply.data == b"\x03\x02"
    multicast = COMMANDS.extended(GetDaqClockMulticast)
    assert pair.run(user.send_packet(multicast, profile, bytes.fromhex("f2fa010002"))) is None
    assert pair.to_slave.sent[-1].hex() == "f2fa010002"
    with pytest.raises(UsageError, match="no such command"):
        pair.run(user.send_packet(table, profile, b"\xc1"))
    with pytest.raises(UsageError, match="without bytes"):
        pair.run(user.send_packet(table, profile, b""))
    with pytest.raises(UsageError, match="SHORT_UPLOAD"):
        pair.run(user.send_packet(table, profile, b"\xf4"))


@packet(0xFF)
class GetTemperatureResponse(Response):
    """Degrees."""

    degrees: int = u8(1)


@command(0xF1, 0x07, group=Group.STD, errors=error_set("B U S R"))
class GetTemperature(Request[GetTemperatureResponse]):
    """A command of a maker, behind USER_CMD."""

    sensor: int = u8(2)


@command(0xC1, 0x01, 0x02, 0x03, group=Group.STD, errors=error_set("B U S"))
class DeepCommand(Request[EmptyResponse]):
    """A command with four bytes of code."""


def get_temperature(slave: SlaveState, request: GetTemperature) -> GetTemperatureResponse:
    """20 degrees and the sensor's number; there are three sensors."""
    if request.sensor > 2:
        raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
    return GetTemperatureResponse(degrees=20 + request.sensor)


def test_a_command_of_ones_own_on_both_sides() -> None:
    table = COMMANDS.extended(GetTemperature, DeepCommand)
    own = {GetTemperature: get_temperature, DeepCommand: lambda slave, request: EmptyResponse()}
    pair = Pair(config(user_command=serve), connected=False)
    pair.slave = SlaveMachine(pair.config, pair.memory, table, {**HANDLERS, **own})
    pair.master = MasterMachine(table)
    pair.run(connect())
    assert pair.run(ask(GetTemperature(sensor=2))).degrees == 22
    pair.run(ask(DeepCommand()))
    with pytest.raises(OutOfRangeError, match="GET_TEMPERATURE"):
        pair.run(ask(GetTemperature(sensor=3)))
    assert pair.run(user.user_cmd(5, b"ab")) == b"ba"  # what is not declared goes the general way
    assert hexed(pair, "c101") == "fe34"
    with pytest.raises(UnknownCommandError, match="DEEP_COMMAND"):
        Pair().run(ask(DeepCommand()))
