"""Any bytes into a slave that programs, is debugged and has a transport: answers or silence, no crash."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pair.link import config
from pair.programming import FLASH, MS, FlashedMemory, sectors
from xcaliper.sim.debug_target import MemoryTarget
from xcaliper.sim.flash import Flash
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_link import (
    CanLink,
    EthLink,
    EthPort,
    FlexRayLink,
    FlxBuffer,
    UsbLink,
    commands_of,
)
from xcaliper.xcp.slave_program import ProgramSettings
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import CanIdentifier

LINKS = (
    CanLink(CanIdentifier(1)),
    UsbLink(),
    FlexRayLink((FlxBuffer(1), FlxBuffer(2))),
    EthLink(ports=(EthPort("127.0.0.1", 1, tcp=False),)),
)
PREFIXES = sorted(
    {info.prefix for info in COMMANDS if info.group in ("PGM", "DBG", "POD")}
    | {kind.__command__.prefix for link in LINKS for kind in commands_of(link)}
    | {b"\xf6", b"\xf1", b"\xfc", b"\xff\x00", b"\xd0", b"\xd2"}
)
likely = st.builds(
    lambda prefix, rest: prefix + rest, st.sampled_from(PREFIXES), st.binary(max_size=40)
)
pointed = st.builds(
    lambda at: b"\xf6\0\0\0" + (FLASH.value + at).to_bytes(4, "little"),
    st.sampled_from([0, 1, 0x400, 0x800, 0xBFF]),
)
fixed = st.sampled_from(
    [b"\xd2", bytes.fromhex("d100000000040000"), bytes.fromhex("d101000003000000")]
)
formats = st.sampled_from([bytes.fromhex("cb00000001"), bytes.fromhex("cb80000000"), b"\xd0\0"])


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.one_of(fixed, pointed, formats, likely), max_size=40),
    st.sampled_from(LINKS),
    st.sampled_from([1, 2, 4]),
    st.booleans(),
)
def test_any_bytes_into_a_slave_with_everything(packets, link, ag, slow) -> None:
    flash = Flash(sectors(ag), ag=ag)
    memory = FlashedMemory(flash, ag)
    program = ProgramSettings(
        flash.sectors,
        functional=True,
        decoders={(0x80, 0): lambda data: data},
        clear_ns=3 * MS if slow else 0,
        program_ns=MS if slow else 0,
        pending_ns=MS,
    )
    made = config(
        ag=ag,
        granularity_odt_entry=ag,
        program=program,
        link=link,
        debug=MemoryTarget(memory, ag=ag),
        user_command=lambda sub, parameters: parameters,
        pod_command=lambda command, parameters: parameters,
    )
    slave = SlaveMachine(made, memory, COMMANDS.extended(*commands_of(link)))
    slave.receive(b"\xff\x00", 0)
    for at, packet in enumerate(packets):
        slave.receive(packet, at * MS)
        due = slave.due()
        if due is not None and due <= at * MS:
            slave.on_time(at * MS)
        for answer in slave.outgoing():
            assert 0 < len(answer) <= made.max_cto
            assert answer[0] in (0xFF, 0xFE, 0xFD)
        assert len(slave.replies()) <= 16
    for _ in range(10):
        due = slave.due()
        if due is None:
            break
        slave.on_time(due)
    else:
        raise AssertionError("work never ends")
