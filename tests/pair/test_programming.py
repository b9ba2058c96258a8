"""Programming on the machine pair: every command, every refusal, blocks, counters, slow flash."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pair.link import RAM, PagedMemory, config
from pair.programming import FLASH, MS, SECTOR_SIZE, FlashPair, answer, sectors
from pair.test_traces import packets_of
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import (
    NegativeResponseError,
    OutOfRangeError,
    SettingsError,
    UnknownCommandError,
    UsageError,
)
from xcaliper.proto.procedure import ask
from xcaliper.wire.codec import encode
from xcaliper.xcp import cal, daq, pgm, std
from xcaliper.xcp.procedures import daq_setup, program
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.procedures.memory import read
from xcaliper.xcp.procedures.program_sequence import ProgramStep, program_absolute
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_program import ProgramSettings, SectorConfig


def started(**more) -> FlashPair:
    pair = FlashPair(**more)
    assert answer(pair, b"\xd2").startswith("ff")
    return pair


class TraceFlash:
    """What the golden trace has: 1 KiB that takes anything and verifies any value."""

    def __init__(self) -> None:
        self.cells = bytearray(0x400)
        self.done: list[object] = []

    def clear(self, sector: SectorConfig) -> None:
        self.cells[:] = b"\xff" * len(self.cells)

    def program(self, address: Address, data: bytes) -> None:
        at = address.value - 0x0800_8000
        self.cells[at : at + len(data)] = data

    def end_segment(self) -> None:
        self.done.append("end")

    def verify(self, mode: int, verification_type: int, value: int) -> bool:
        self.done.append((mode, verification_type, value))
        return True


def test_flash_trace() -> None:
    """Golden: start and clear take their time, a block, a full packet, verification, reset."""
    memory = TraceFlash()
    settings = ProgramSettings(
        (SectorConfig(0, "", Address(0x0800_8000), 0x400),),
        slave_block_mode=False,
        max_bs=2,
        start_ns=150 * MS,
        clear_ns=150 * MS,
    )
    trace = packets_of("t_flash")
    slave = SlaveMachine(
        SlaveConfig(
            max_cto=8,
            max_dto=8,
            slave_block_mode=False,
            program=settings,
            disabled=frozenset({"GET_COMM_MODE_INFO"}),
        ),
        memory,
    )
    now, answers = 0, []
    for number, (direction, packet) in enumerate(trace):
        if direction == "cmd":
            assert answers == [], number
            slave.receive(packet, now)
            answers += slave.outgoing()
        elif number == 1:  # it connects to a slave with other resources
            answers.pop(0)
        else:
            for _ in range(3):
                if not answers and slave.due() is not None:
                    now = slave.due()
                    slave.on_time(now)
                    answers += slave.outgoing()
            assert answers.pop(0).hex() == packet.hex(), number
    assert answers == []
    assert memory.cells[:23] == bytes(range(1, 0x18))
    assert memory.done == ["end", (1, 2, 0xCAFE_BABE)]
    assert now == 300 * MS
    assert not slave.connected
    assert slave.state.program.restart


@pytest.mark.parametrize("order", [ByteOrder.INTEL, ByteOrder.MOTOROLA])
@pytest.mark.parametrize(("ag", "max_cto"), [(1, 8), (1, 64), (2, 16), (4, 16), (4, 252)])
@pytest.mark.parametrize("block", [True, False])
def test_the_plain_sequence_programs_any_slave(
    ag: int, max_cto: int, order: ByteOrder, block: bool
) -> None:
    pair = FlashPair(ag=ag, byte_order=order, max_cto=max_cto, program={"master_block_mode": block})
    assert pair.session.resource.pgm
    data = bytes((3 * i + 1) & 0xFF for i in range(SECTOR_SIZE + 64 * ag))
    steps: list[ProgramStep] = []
    parts = [(FLASH + SECTOR_SIZE // ag, data[: 16 * ag]), (FLASH + 4, data)]
    done = pair.run(program_absolute(pair.session, parts[1:], step=steps.append))
    assert done
    assert pair.memory.read(FLASH + 4, SECTOR_SIZE - 4 * ag) == data[: SECTOR_SIZE - 4 * ag]
    rest = data[SECTOR_SIZE - 4 * ag :]
    assert pair.memory.read(FLASH + SECTOR_SIZE // ag, len(rest)) == rest
    assert pair.flash.clears == {0: 1, 1: 1, 2: 0}
    assert [s.kind for s in steps] == [
        *("start", "clear", "clear", "program", "program", "reset", "done")
    ]
    assert (steps[-1].done_bytes, steps[-1].total_bytes) == (len(data), len(data))
    assert not pair.master.connected
    assert not pair.slave.connected
    assert pair.flash.verify(0, 0, 0)


def test_full_packets_go_where_blocks_do_not() -> None:
    pair = FlashPair(max_cto=8, program={"master_block_mode": False, "slave_block_mode": False})
    inner = pair.run(program.start(pair.session))
    assert not inner.profile.slave_block_mode
    pair.run(program.clear(inner, FLASH, SECTOR_SIZE))
    pair.forget()
    pair.run(program.program(inner, FLASH, bytes(range(1, 18))))
    assert [p.hex() for p in pair.to_slave.sent[1:]] == [
        "c901020304050607",
        "c908090a0b0c0d0e",
        "d0030f1011",
    ]
    with pytest.raises(UnknownCommandError):
        pair.run(ask(pgm.ProgramNext(count=1, data=b"1")))


@pytest.mark.parametrize(
    "missing", [{"PROGRAM_MAX"}, {"PROGRAM_NEXT"}, {"PROGRAM_NEXT", "PROGRAM_MAX"}]
)
def test_it_does_without_optional_commands(missing: set[str]) -> None:
    block = "PROGRAM_NEXT" in missing
    pair = FlashPair(
        max_cto=8, disabled=frozenset(missing), program={"master_block_mode": block, "max_bs": 9}
    )
    inner = pair.run(program.start(pair.session))
    pair.run(program.clear(inner, FLASH, SECTOR_SIZE))
    told: list[int] = []
    pair.run(program.program(inner, FLASH, bytes(range(40)), told.append))
    assert pair.memory.read(FLASH, 40) == bytes(range(40))
    assert told[-1] == 40
    assert inner.refused >= missing
    with pytest.raises(UsageError):
        pair.run(program.program(FlashPair(ag=2).session, FLASH, b"1"))


def test_a_refused_block_goes_as_single_packets() -> None:
    """The slave announces blocks, but has no room for so many packets."""
    pair = FlashPair(max_cto=8, program={"max_bs": 2})
    inner = pair.run(program.start(pair.session))
    liar = replace(inner, max_bs=9)
    pair.run(program.clear(inner, FLASH, SECTOR_SIZE))
    pair.run(program.program(liar, FLASH, bytes(range(30))))
    assert pair.memory.read(FLASH, 30) == bytes(range(30))
    assert "PROGRAM_NEXT" in liar.refused
    with pytest.raises(OutOfRangeError):  # single packets have nothing to fall back to
        pair.run(ask(pgm.Program(count=200, data=b"123456")))


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_lost_packet_of_a_block_is_repaired(lost: int) -> None:
    pair = FlashPair(max_cto=8)
    inner = pair.run(program.start(pair.session))
    pair.run(program.clear(inner, FLASH, SECTOR_SIZE))
    pair.to_slave.lose(lost)
    pair.run(program.program(inner, FLASH, bytes(range(50))))
    assert pair.memory.read(FLASH, 50) == bytes(range(50))


def test_a_lost_answer_does_no_harm() -> None:
    """PROGRAM is repeated at the same place: the same bytes on written cells are no error."""
    pair = FlashPair(max_cto=64, program={"master_block_mode": False})
    inner = pair.run(program.start(pair.session))
    pair.run(program.clear(inner, FLASH, SECTOR_SIZE))
    pair.to_master.lose(1)  # the answer to SET_MTA comes through
    pair.run(program.program(inner, FLASH, bytes(range(200))))
    assert pair.memory.read(FLASH, 200) == bytes(range(200))
    assert pair.master.counters.timeouts == 1


@pytest.mark.parametrize("block", [True, False])
@pytest.mark.parametrize("lost", [None, 1, 3])
def test_functional_access(block: bool, lost: int | None) -> None:
    """Data flows through the cleared areas; a lost answer costs a repetition, not a double."""
    pair = FlashPair(max_cto=16, program={"master_block_mode": block})
    inner = pair.run(program.start(pair.session))
    pair.run(program.clear_areas(1))
    data = bytes((i * 7) & 0xFF for i in range(SECTOR_SIZE + 300))
    if lost is not None:
        pair.to_master.lose(lost)
    pair.run(program.program_functional(inner, data))
    assert pair.memory.read(FLASH, SECTOR_SIZE) == data[:SECTOR_SIZE]
    assert pair.memory.read(FLASH + SECTOR_SIZE, 300) == data[SECTOR_SIZE:]
    assert pair.flash.clears == {0: 1, 1: 1, 2: 0}
    assert pair.master.counters.timeouts == (lost is not None)


def test_functional_counter_wraps_and_refuses_strangers() -> None:
    pair = started(max_cto=16, program={"counter_max": 3})
    assert answer(pair, bytes.fromhex("d101000001000000")) == "ff"
    assert answer(pair, bytes.fromhex("cb00000001")) == "ff"
    for counter in (1, 2, 3, 0, 1):
        assert pair.slave.state.mta == Address(counter)
        assert answer(pair, bytes((0xD0, 1, counter))) == "ff"
    assert pair.memory.read(FLASH, 6) == bytes((1, 2, 3, 0, 1, 0xFF))
    assert answer(pair, bytes.fromhex("f600000001000000")) == "ff"  # the last one again
    assert answer(pair, b"\xd0\x01\x77") == "ff"
    assert pair.memory.read(FLASH, 6) == bytes((1, 2, 3, 0, 1, 0xFF))
    assert pair.slave.state.mta == Address(2)
    assert answer(pair, bytes.fromhex("f600000003000000")) == "ff"
    assert answer(pair, b"\xd0\x01\x77") == "fe29"


def test_functional_data_must_fit_the_areas() -> None:
    pair = started(max_cto=255)
    assert answer(pair, bytes.fromhex("d101000002000000")) == "ff"
    assert answer(pair, bytes.fromhex("cb00000001")) == "ff"
    for turn in range(4):
        assert answer(pair, b"\xd0\xfb" + bytes((turn,)) * 0xFB) == "ff"
    assert answer(pair, b"\xd0\xfb" + bytes(0xFB)) == "fe30"


@pytest.mark.parametrize("order", [ByteOrder.INTEL, ByteOrder.MOTOROLA])
def test_methods_of_the_transfer(order: ByteOrder) -> None:
    """The slave undoes what the master's tool did; the master only passes the numbers on."""
    pair = FlashPair(
        byte_order=order,
        program={
            "decoders": {(0x80, 0): lambda d: d * 2, (0, 0x81): lambda d: bytes(b ^ 1 for b in d)},
            "non_sequential": True,
        },
    )
    info = pair.run(program.program_info(pair.session))
    assert info.properties.compression_supported
    assert info.properties.encryption_supported
    assert info.properties.non_seq_pgm_supported
    inner = pair.run(program.start(pair.session))
    pair.run(program.clear_areas(1))
    pair.run(program.program_functional(inner, b"abcd", compression=0x80, method=0x90))
    assert pair.memory.read(FLASH, 8) == b"abcdabcd"
    pair.run(program.program_functional(inner, b"abcd", encryption=0x81))
    assert pair.memory.read(FLASH + 8, 4) == b"`cbe"
    for wrong in ((1, 0, 0), (0x81, 0, 0), (0x80, 0x81, 0), (0, 0, 1)):
        methods = dict(zip(("compression", "encryption", "method"), wrong, strict=True))
        with pytest.raises(OutOfRangeError):
            pair.run(program.program_functional(inner, b"", **methods))


@pytest.mark.parametrize(
    "needed", ["compression_required", "encryption_required", "non_sequential_required"]
)
def test_a_format_that_is_required_is_asked_for(needed: str) -> None:
    decoders = {(0x80, 0x80): bytes}
    pair = started(program={needed: True, "decoders": decoders, "non_sequential": True})
    answer(pair, bytes.fromhex("f600000000000009"))
    assert answer(pair, bytes.fromhex("d100000000040000")) == "ff"
    assert answer(pair, b"\xd0\x01\x01") == "fe29"
    assert answer(pair, b"\xc9" + bytes(63)) == "fe29"
    assert answer(pair, bytes.fromhex("cb00000000")) == "fe22"
    assert answer(pair, bytes.fromhex("cb80808000")) == "ff"
    assert answer(pair, b"\xd0\x01\x01") == "ff"


def test_any_other_command_ends_the_transfer() -> None:
    pair = started(program={"compression_required": True, "decoders": {(0x80, 0): bytes}})
    answer(pair, bytes.fromhex("f600000000000009"))
    answer(pair, bytes.fromhex("d100000000040000"))
    assert answer(pair, bytes.fromhex("cb80000000")) == "ff"
    assert answer(pair, b"\xfd").startswith("ff")  # GET_STATUS does not
    assert answer(pair, b"\xd0\x01\x01") == "ff"
    answer(pair, bytes.fromhex("f600000001000009"))
    assert answer(pair, b"\xd0\x01\x01") == "fe29"


OUTSIDE = {
    "d100000000040000": "fe29",
    "d00101": "fe29",
    "d000": "fe29",
    "ca0101": "fe29",
    "c9" + "00" * 63: "fe29",
    "c800000000000000": "fe29",
    "cb00000000": "fe29",
    "cf": "fe29",
    "ce": "ff0303",
    "cd0000": "ff00010000000009",
    "cd0100": "ff00010000040000",
    "cd0202": "ff04",
    "cd0300": "fe27",
    "cd0003": "fe28",
    "cd00": "fe21",
}


@pytest.mark.parametrize("packet", OUTSIDE)
def test_before_the_start_only_questions_are_answered(packet: str) -> None:
    assert answer(FlashPair(), bytes.fromhex(packet)) == OUTSIDE[packet]


INSIDE = {
    # clearing: wrong mode, part of a sector, no sector, no area, reserved area
    "d102000000040000": "fe22",
    "d100000001040000": "fe22",
    "d101000000000000": "fe22",
    "d101000008000000": "fe22",
    "d10000000004": "fe21",
    # data: more than a block, fewer bytes than announced, no block, full packet too short
    "d0ff" + "00" * 62: "",
    "d00401": "fe21",
    "ca0101": "fe2900",
    "c90101": "fe21",
    # format and verification: what there is not
    "cb00000002": "fe22",
    "cb000000": "fe21",
    "c802000000000000": "fe22",
    "c801080000000000": "fe22",
    "c800": "fe21",
    # again: the same answer
    "d2": "ff004140200000",
}


@pytest.mark.parametrize("packet", INSIDE)
def test_what_the_flash_refuses(packet: str) -> None:
    pair = started()
    answer(pair, bytes.fromhex("f600000000000009"))
    assert answer(pair, bytes.fromhex(packet)) == INSIDE[packet]


def test_addresses_that_are_no_flash() -> None:
    pair = started()
    for place in (RAM, Address(FLASH.value, 1)):
        answer(pair, encode(std.SetMta(address=place.value, address_extension=place.extension)))
        assert answer(pair, bytes.fromhex("d100000000040000")) == "fe24"
        assert answer(pair, b"\xd0\x01\x01") == "fe24"
    answer(pair, b"\xfa\x01")  # the MTA points to a text
    assert answer(pair, b"\xd0\x01\x01") == "fe24"
    answer(pair, encode(std.SetMta(address=FLASH.value)))
    assert answer(pair, b"\xd0\x02\x01\x02") == "ff"
    answer(pair, encode(std.SetMta(address=FLASH.value)))
    assert answer(pair, b"\xd0\x02\x01\x03") == "fe24"  # not erased in between
    assert pair.memory.read(FLASH, 3) == b"\x01\x02\xff"


def test_blocks_end_with_anything_else() -> None:
    pair = started(max_cto=8)
    for between, expected in (("fc", "fe00"), ("f600000000000009", "ff"), ("ca05", "fe2908")):
        answer(pair, bytes.fromhex("f600000000000009"))
        assert answer(pair, bytes.fromhex("d00e010203040506")) == ""
        assert answer(pair, bytes.fromhex(between)) == expected
        assert answer(pair, bytes.fromhex("ca0807")) == "fe2900"
    assert answer(pair, bytes.fromhex("d00e010203040506")) == ""
    assert answer(pair, bytes.fromhex("ca0807")) == "fe21"
    assert answer(pair, bytes.fromhex("d0ff010203040506")) == "fe22"


def test_other_commands_wait_until_programming_ends() -> None:
    pair = started()
    for request in (cal.Download(count=1, data=b"1"), daq.FreeDaq()):
        assert answer(pair, request) == "fe12", request
    for request in (std.GetStatus(), std.SetMta(address=RAM.value), std.Upload(count=4)):
        assert answer(pair, request).startswith("ff")
    assert answer(pair, b"\xf4\x02\x00\x00" + RAM.value.to_bytes(4, "little")) == "ff0001"
    assert answer(pair, b"\xfe") == "ff"
    assert answer(pair, b"\xff\x00").startswith("ff")
    assert answer(pair, daq.FreeDaq()) == "ff"  # a new session does not program


def test_start_is_refused_while_lists_run_or_the_ecu_objects() -> None:
    from pair.session import lists

    pair = FlashPair()
    pair.run(daq_setup.setup(pair.session, lists()))
    pair.run(daq_setup.start())
    assert answer(pair, b"\xd2") == "fe11"
    pair.run(daq_setup.stop())
    pair.slave.state.program.forbidden = 0x0123
    assert answer(pair, b"\xd2") == "fe312301"
    with pytest.raises(NegativeResponseError, match="ERR_GENERIC"):
        pair.run(program.start(pair.session))
    pair.slave.state.program.forbidden = None
    pair.slave.state.program.accessible = False
    assert answer(pair, b"\xce") == "fe33"
    assert answer(pair, b"\xd2") == "fe33"


def test_slow_flash_keeps_the_master_waiting() -> None:
    pair = FlashPair(
        program={
            "start_ns": 250 * MS,
            "clear_ns": 25_000 * MS,
            "program_ns": 150 * MS,
            "verify_ns": 120 * MS,
        }
    )
    parts = [(FLASH, b"1234")]
    assert pair.run(program_absolute(pair.session, parts, verification=(0, 0, 0)))
    pending = [p for p in pair.to_master.sent if p == b"\xfd\x05"]
    assert len(pending) == 2 + 249 + 1 + 1 + 1
    assert pair.now_ns == (250 + 25_000 + 150 + 150 + 120) * MS
    assert pair.master.counters.timeouts == 0


def test_a_slave_at_work_is_busy_and_synch_ends_the_work() -> None:
    pair = started(program={"clear_ns": 500 * MS})
    answer(pair, bytes.fromhex("f600000000000009"))
    assert answer(pair, bytes.fromhex("d100000000040000")) == ""
    assert answer(pair, bytes.fromhex("f600000000000009")) == "fe10"
    assert answer(pair, b"\xfd").startswith("ff")
    assert pair.slave.due() == 100 * MS
    pair.slave.on_time(20 * MS)
    assert pair.slave.outgoing() == []
    pair.slave.on_time(330 * MS)
    assert pair.slave.outgoing() == [b"\xfd\x05"]
    assert pair.slave.due() == 400 * MS
    assert answer(pair, b"\xfc") == "fe00"
    assert pair.slave.due() is None
    assert pair.flash.clears[0] == 0
    pair.slave.on_time(600 * MS)
    assert pair.slave.outgoing() == []
    assert answer(pair, bytes.fromhex("f600000000000009")) == "ff"


def test_work_that_fails_is_answered_at_its_end() -> None:
    pair = started(program={"program_ns": 10 * MS, "verify_ns": 10 * MS})
    answer(pair, encode(std.SetMta(address=RAM.value)))
    assert answer(pair, b"\xd0\x01\x01") == ""
    pair.slave.on_time(10 * MS)
    assert pair.slave.outgoing() == [b"\xfe\x24"]
    assert answer(pair, bytes.fromhex("c801040000000000")) == ""
    pair.slave.events()
    pair.slave.on_time(20 * MS)
    assert pair.slave.outgoing() == [b"\xfe\x32"]
    assert not pair.slave.connected
    assert [e.kind for e in pair.slave.events()] == ["disconnected"]


def test_verification_by_value() -> None:
    import zlib

    pair = FlashPair()
    inner = pair.run(program.start(pair.session))
    pair.run(program.clear(inner, FLASH, SECTOR_SIZE))
    pair.run(program.program(inner, FLASH, b"abc"))
    pair.run(program.end_segment())
    areas = (b"abc".ljust(SECTOR_SIZE, b"\xff"), b"\xff" * SECTOR_SIZE)
    pair.run(program.verify(mode=1, verification_type=1, value=zlib.crc32(b"".join(areas))))
    whole = zlib.crc32(b"".join(areas) + b"\xff" * SECTOR_SIZE)
    pair.run(program.verify(mode=1, verification_type=4, value=whole))
    pair.run(program.verify())
    with pytest.raises(NegativeResponseError, match="ERR_VERIFY"):
        pair.run(program.verify(mode=1, verification_type=4, value=whole ^ 1))
    assert not pair.slave.connected


def test_a_kernel_goes_to_ram_first() -> None:
    pair = FlashPair(program={"kernel": (RAM, 0x100)})

    def sequence(entry: int = 0x10):
        code = bytes(range(64))
        yield from program.prepare(pair.session, RAM + 0x10, code, RAM + entry)
        return (yield from program.start(pair.session))

    with pytest.raises(NegativeResponseError, match="ERR_GENERIC"):
        pair.run(sequence(0x50))
    pair.run(connect())  # that refusal ends the session
    pair.run(sequence())
    assert pair.slave.state.program.prepared == (RAM + 0x10, 64)
    assert pair.memory.read(RAM + 0x10, 64) == bytes(range(64))
    assert answer(pair, bytes.fromhex("cc004000")) == "fe29"
    with pytest.raises(UsageError):
        pair.run(program.prepare(pair.session, RAM, b"", RAM))


def test_a_kernel_has_its_place() -> None:
    pair = FlashPair(program={"kernel": (RAM, 0x100)})
    assert answer(pair, bytes.fromhex("cc004000")) == "fe31"  # no MTA
    for at, size, expected in ((RAM + 0x100, 1, "fe31"), (RAM, 0x101, "fe22"), (RAM, 0, "fe22")):
        answer(pair, encode(std.SetMta(address=at.value)))
        assert answer(pair, encode(pgm.ProgramPrepare(code_size=size))) == expected
    assert answer(pair, encode(pgm.ProgramPrepare(code_size=0x100))) == "ff"
    assert answer(pair, bytes.fromhex("cc00")) == "fe21"
    assert answer(FlashPair(), bytes.fromhex("cc000100")) == "fe20"


def test_packets_have_the_size_of_programming() -> None:
    pair = FlashPair(max_cto=64, program={"max_cto": 16, "slave_block_mode": False})
    inner = pair.run(program.start(pair.session))
    assert (inner.profile.max_cto, pair.master.profile.max_cto) == (16, 16)
    assert pair.run(read(inner, RAM, 40)) == bytes(range(40))
    assert max(len(p) for p in pair.to_master.sent[-4:]) == 16
    assert answer(pair, b"\xd0\x10" + bytes(16)) == "fe21"
    assert answer(pair, b"\xf5\x10") == "fe22"
    pair.run(program.reset())
    assert not pair.slave.state.program.active


def test_reset_may_stay_without_answer() -> None:
    pair = FlashPair(program={"reset_answered": False})
    pair.run(program.start(pair.session))
    assert pair.run(program.reset()) is False
    assert not pair.slave.connected
    assert pair.seen.count("PROGRAM_RESET") == 1


def test_what_cannot_be_programmed_is_said_before_anything_is_erased() -> None:
    pair = FlashPair()
    with pytest.raises(UsageError, match="no known sector"):
        pair.run(program_absolute(pair.session, [(RAM, b"1")]))
    with pytest.raises(UsageError, match="nothing"):
        pair.run(program_absolute(pair.session, [(RAM, b"")]))


def test_locked_programming_is_refused() -> None:
    from xcaliper.xcp.codes import Resource

    pair = FlashPair(protected=Resource.of(pgm=1))
    for packet in ("d2", "ce", "cd0000", "cf"):
        assert answer(pair, bytes.fromhex(packet)) == "fe25"


def test_sectors_of_the_description_serve_where_the_slave_is_silent() -> None:
    gone = frozenset({"GET_SECTOR_INFO"})
    pair = FlashPair(disabled=gone)
    info = pair.run(program.program_info(pair.session))
    assert (info.max_sector, info.sectors) == (3, ())
    known = [program.Sector(one.number, one.address, one.size_bytes) for one in sectors()]
    assert pair.run(program_absolute(pair.session, [(FLASH, b"12")], sectors=known))
    assert pair.memory.read(FLASH, 3) == b"12\xff"
    silent = FlashPair(disabled=gone | {"GET_PGM_PROCESSOR_INFO"})
    assert silent.run(program.program_info(silent.session)) is None
    with pytest.raises(UsageError):
        silent.run(program_absolute(silent.session, [(FLASH, b"1")]))
    with pytest.raises(UsageError):
        silent.run(program.clear(silent.session, FLASH, 0))


def test_a_sector_without_name() -> None:
    settings = ProgramSettings((SectorConfig(0, "", FLASH, SECTOR_SIZE),))
    pair = FlashPair()
    made = config(program=settings)
    pair.slave = SlaveMachine(made, pair.memory)
    pair.now_ns += 1
    assert answer(pair, b"\xff\x00").startswith("ff")
    assert answer(pair, bytes.fromhex("cd0200")) == "ff00"
    info = pair.run(program.program_info(pair.session))
    assert info.sectors[0].name == ""
    assert answer(pair, b"\xd2").startswith("ff")
    assert answer(pair, bytes.fromhex("d101000001000000")) == "fe22"  # no functional access


def test_a_slave_without_flash_knows_no_programming() -> None:
    from pair.link import Pair

    pair = Pair()
    assert not pair.session.resource.pgm
    assert pair.run(program.program_info(pair.session)) is None
    with pytest.raises(UnknownCommandError):
        pair.run(program.start(pair.session))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"sectors": (SectorConfig(1, "", FLASH, 4),)}, "count from 0"),
        ({"absolute": False}, "neither"),
        ({"pending_ns": 0}, "not a time"),
        ({"decoders": {(1, 0): bytes}}, "0x80"),
    ],
)
def test_settings_that_make_no_sense(changes: dict, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        ProgramSettings(**({"sectors": sectors()} | changes))


def test_memory_has_to_be_one_that_can_be_programmed() -> None:
    with pytest.raises(SettingsError, match="FlashMemory"):
        SlaveMachine(config(program=ProgramSettings(sectors())), PagedMemory())
