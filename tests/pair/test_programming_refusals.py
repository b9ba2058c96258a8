"""The slave refuses each programming command with each code that the standard lists for it."""

from __future__ import annotations

import pytest

from pair.link import RAM
from pair.programming import MS, FlashPair, answer
from pair.session import lists
from xcaliper.xcp.codes import ErrorCode, Resource
from xcaliper.xcp.procedures import daq_setup
from xcaliper.xcp.table import COMMANDS

E = ErrorCode

#: Codes that the table lists and this slave has no reason to send.
NEVER = {
    ("PROGRAM_RESET", E.ERR_PGM_ACTIVE),  # it stays available
    ("PROGRAM_NEXT", E.ERR_OUT_OF_RANGE),  # PROGRAM has refused the block
    ("PROGRAM_VERIFY", E.ERR_GENERIC),
}

MTA = "f600000000000009"
CLEAR = "d100000000040000"
FUNCTIONAL = ["d2", "d101000002000000", "cb00000001", *["d0fb" + "00" * 0xFB] * 4]

#: (command, code) → settings, then packets; the last one is refused.
SPECIAL = {
    ("PROGRAM_START", E.ERR_GENERIC): (
        {"kernel": (RAM, 64)},
        [
            "f600000000000020",
            "cc000400",
            MTA,
            "d2",
        ],
    ),
    ("PROGRAM_CLEAR", E.ERR_OUT_OF_RANGE): ({}, ["d2", MTA, "d100000001000000"]),
    ("PROGRAM_CLEAR", E.ERR_ACCESS_DENIED): ({}, ["d2", CLEAR]),
    ("PROGRAM", E.ERR_OUT_OF_RANGE): ({"master_block_mode": False}, ["d2", MTA, "d0ff" + "00" * 9]),
    ("PROGRAM", E.ERR_ACCESS_DENIED): ({}, ["d2", "d00101"]),
    ("PROGRAM", E.ERR_MEMORY_OVERFLOW): ({}, [*FUNCTIONAL, "d0fb" + "00" * 0xFB]),
    ("PROGRAM_NEXT", E.ERR_ACCESS_DENIED): (
        {},
        [
            "d2",
            "f600000000000020",
            "d0fe" + "00" * 0xFB,
            "",
        ],
    ),
    ("PROGRAM_NEXT", E.ERR_MEMORY_OVERFLOW): ({}, [*FUNCTIONAL, "d0fe" + "00" * 0xFD, "ca01ff"]),
    ("PROGRAM_MAX", E.ERR_MEMORY_OVERFLOW): ({}, [*FUNCTIONAL, "c9" + "00" * 0xFE]),
    ("PROGRAM_PREPARE", E.ERR_OUT_OF_RANGE): (
        {"kernel": (RAM, 64)},
        [
            "f600000000000020",
            "cc004100",
        ],
    ),
    ("PROGRAM_PREPARE", E.ERR_GENERIC): ({"kernel": (RAM, 64)}, [MTA, "cc000100"]),
    ("PROGRAM_FORMAT", E.ERR_OUT_OF_RANGE): ({}, ["d2", "cb01000000"]),
    ("PROGRAM_VERIFY", E.ERR_OUT_OF_RANGE): ({}, ["d2", "c802000000000000"]),
    ("PROGRAM_VERIFY", E.ERR_VERIFY): ({}, ["d2", "c801040000000000"]),
    ("GET_SECTOR_INFO", E.ERR_MODE_NOT_VALID): ({}, ["cd0300"]),
    ("GET_SECTOR_INFO", E.ERR_SEGMENT_NOT_VALID): ({}, ["cd0003"]),
}
SPECIAL["PROGRAM_NEXT", E.ERR_ACCESS_DENIED][1][2:] = ["d0fe" + "00" * 0xFD, "ca0100"]
BODIES = {
    "PROGRAM_CLEAR": "00" * 7,
    "PROGRAM": "0101",
    "GET_SECTOR_INFO": "0000",
    "PROGRAM_PREPARE": "000100",
    "PROGRAM_FORMAT": "00" * 4,
    "PROGRAM_NEXT": "0101",
    "PROGRAM_MAX": "00" * 254,
    "PROGRAM_VERIFY": "00" * 7,
}


def common_refusal(name: str, code: ErrorCode) -> str | None:
    """The answer to a command in a state that calls for a code; None = the code is a special one."""
    packet = COMMANDS[name].prefix + bytes.fromhex(BODIES.get(name, ""))
    more: dict = {"max_cto": 255, "program": {"kernel": (RAM, 64), "clear_ns": MS}}
    if code is E.ERR_CMD_UNKNOWN:
        return answer(FlashPair(disabled=frozenset({name}), **more), packet)
    if code is E.ERR_ACCESS_LOCKED:
        return answer(FlashPair(protected=Resource.of(pgm=1), **more), packet)
    pair = FlashPair(**more)
    if code is E.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE:
        pair.slave.state.program.accessible = False
    elif code is E.ERR_CMD_SYNTAX:
        packet = packet[:-1] if len(packet) > 1 else packet.ljust(256, b"\0")
        answer(pair, b"\xd2" if name != "PROGRAM_PREPARE" else b"\xfd")
        answer(pair, bytes.fromhex(MTA))
        if name == "PROGRAM_NEXT":
            answer(pair, b"\xd0\xfe" + bytes(253))
    elif code is E.ERR_CMD_BUSY:
        for before in ("d2", MTA, CLEAR):
            answer(pair, bytes.fromhex(before))
    elif code is E.ERR_SEQUENCE:
        answer(pair, b"\xd2" if name == "PROGRAM_PREPARE" else b"\xfd")
    elif code is E.ERR_DAQ_ACTIVE:
        pair.run(daq_setup.setup(pair.session, lists()))
        pair.run(daq_setup.start())
    else:
        return None
    return answer(pair, packet)


@pytest.mark.parametrize(
    "name", sorted({"PROGRAM_START", "PROGRAM_RESET", "GET_PGM_PROCESSOR_INFO", *BODIES})
)
def test_every_refusal_that_the_standard_lists(name: str) -> None:
    seen = set()
    for number in COMMANDS[name].errors:
        code = ErrorCode(number)
        if (name, code) in NEVER:
            continue
        if (name, code) in SPECIAL:
            settings, packets = SPECIAL[name, code]
            pair = FlashPair(max_cto=255, program=settings)
            answers = [answer(pair, bytes.fromhex(packet)) for packet in packets]
            assert not any(one.startswith("fe") for one in answers[:-1]), (code.name, answers)
            found = answers[-1]
        else:
            found = common_refusal(name, code)
        assert found is not None, code.name
        assert found.startswith(f"fe{code:02x}"), (code.name, found)
        seen.add(number)
    assert len(seen) + sum(one[0] == name for one in NEVER) == len(COMMANDS[name].errors)
