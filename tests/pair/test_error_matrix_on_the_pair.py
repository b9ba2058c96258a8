"""Every row of the error handling matrix with a real slave that gives the error.

The rows and what they call for are those of ``test_error_matrix``, where a script gives every error; here the
slave is led to refuse, by its state or by the application behind it, and the master reacts as the row says.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any

import pytest

from pair.golden_slaves import (
    FLASH,
    KEY,
    RAM,
    Everywhere,
    program,
    security,
    settings,
)
from pair.link import Pair
from pair.refused_requests import BY_HAND, CLEAR, STARTED, mta
from pair.scripted import TIMERS
from pair.test_error_matrix import (
    CODES,
    SPECIAL,
    USUAL,
    command_rows,
    packets_of,
    request_of,
    step_of,
)
from xcaliper.core.address import Address
from xcaliper.core.errors import NegativeResponseError, SequenceError
from xcaliper.proto.procedure import Burst, ask
from xcaliper.wire.codec import encode
from xcaliper.xcp import cal, pgm
from xcaliper.xcp.codes import ErrorCode, Resource
from xcaliper.xcp.procedures.connect import Session
from xcaliper.xcp.procedures.unlock import unlock
from xcaliper.xcp.slave_store import StoreSettings
from xcaliper.xcp.table import COMMANDS

MS = 1_000_000
PATIENCE = 1000 * MS
INTEL = {"byte_order": "intel"}


def made(**changes: Any) -> Pair:
    settled = settings(INTEL, {"store": StoreSettings(daq=True), **changes})
    return Pair(settled, memory=Everywhere(1), timers=TIMERS, busy_patience_ns=PATIENCE)


def prepare(pair: Pair, before: tuple[Any, ...]) -> None:
    for one in before:
        if callable(one):
            one(pair)
        else:
            pair.run(ask(one))
    pair.forget()


def answers_of(pair: Pair) -> list[str]:
    return [packet.hex() for packet in pair.to_master.sent]


def caught(pair: Pair, step: Any) -> NegativeResponseError:
    with pytest.raises(NegativeResponseError) as found:
        pair.run(step)
    return found.value


def check(word: str, name: str, code: int, pair: Pair, request: Any) -> None:
    """The slave refuses with the code, and the master does what the word says."""
    begun_ns = pair.now_ns
    error = caught(pair, ask(request))
    assert pair.to_master.sent[0][:2] == bytes((0xFE, code)), name
    assert error.code == code
    assert pair.seen == [name] * (3 if word == "twice" else 1)
    assert pair.now_ns == begun_ns
    assert pair.master.connected == (word != "end")


@pytest.mark.parametrize(("command", "letter"), BY_HAND, ids=lambda part: part)
def test_row_of_a_parameter_or_an_order(command: str, letter: str) -> None:
    changes, before, request = BY_HAND[command, letter]
    assert letter in {row[0]: row[3] for row in command_rows()}[command]
    word, code = SPECIAL.get((command, letter), USUAL.get(letter)), CODES[letter]
    pair = made(**changes)
    prepare(pair, before)
    if word == "wait":
        waits(pair, command, code, ask(request))
    elif word == "skip":
        assert caught(pair, ask(request)).code == code
    else:
        check(str(word), command, code, pair, request)
    if word == "stop":
        pair = made(**changes)
        prepare(pair, before)
        with nullcontext() if can_go_on(command) else pytest.raises(SequenceError):
            pair.run(ask(request, stop_daq=True))
        assert pair.seen == [command, "START_STOP_SYNCH", command]


def can_go_on(command: str) -> bool:
    """Lists that stopped are allocated: only what changes them can go on."""
    return command not in ("ALLOC_DAQ", "ALLOC_ODT")


def waits(pair: Pair, name: str, code: int, step: Any) -> None:
    """The master repeats after T7, again and again, until its patience ends."""
    begun_ns = pair.now_ns
    assert caught(pair, step).code == code
    assert set(answers_of(pair)) <= {f"fe{code:02x}", "fe00", "ff", "fd05"}
    assert answers_of(pair)[0][:4] == f"fe{code:02x}"
    assert pair.seen.count(name) == PATIENCE // TIMERS.t7_ns + 2
    assert PATIENCE <= pair.now_ns - begun_ns <= PATIENCE + TIMERS.t7_ns


#: A command that means nothing without these before it, so that its order would be wrong first.
NEEDS: dict[str, tuple[Any, ...]] = {
    "PROGRAM": STARTED,
    "UPLOAD": (mta(RAM),),
    "BUILD_CHECKSUM": (mta(RAM),),
}
EVERYTHING = Resource.of(cal_pag=1, daq=1, stim=1, pgm=1)
BLOCKS = {"DOWNLOAD_NEXT", "PROGRAM_NEXT"}
#: Nothing is left of these when they are cut.
ONE_BYTE = {row[0] for row in command_rows() if len(encode(request_of(row[0]))) == 1}
#: Rows that no state of this slave gives: letter → commands. Its application may, see below.
NOT_GIVEN = {
    # while it programs, it takes them all the same
    "P": {"DISCONNECT", "SET_MTA", "UPLOAD", "SHORT_UPLOAD", "BUILD_CHECKSUM", "PROGRAM_RESET"},
    "B": {"DISCONNECT"},  # it is served all the same, and ends the work
    # what is cut off is missing from the block, or the key: an error of order
    "S": BLOCKS | {"UNLOCK"} | ONE_BYTE,
    # UNLOCK is for the locked, see BY_HAND
    "L": {"UNLOCK"},
}
LOCKED = security(protected=EVERYTHING, reads=Resource.of(cal_pag=1))


def rows_of(letter: str) -> list[str]:
    listed = [row[0] for row in command_rows() if letter in row[3]]
    return [name for name in listed if name not in NOT_GIVEN.get(letter, ())]


def test_rows_of_a_slave_that_works() -> None:
    for name in rows_of("B"):
        pair = made(program=program(clear_ns=10**12))
        prepare(pair, STARTED)
        pair.slave.receive(encode(CLEAR), pair.now_ns)
        waits(pair, name, 0x10, ask(request_of(name)))


def test_rows_of_a_slave_that_programs() -> None:
    for name in rows_of("P"):
        pair = made()
        prepare(pair, STARTED)
        waits(pair, name, 0x12, step_of(name))


def test_rows_of_commands_that_the_slave_does_not_have() -> None:
    for name in rows_of("U"):
        pair = made(disabled=frozenset({name}))
        pair.forget()
        check(str(SPECIAL.get((name, "U"), "give up")), name, 0x20, pair, request_of(name))


def test_rows_of_packets_that_the_link_cut_short() -> None:
    assert len(rows_of("S")) == 41
    for name in rows_of("S"):
        request = request_of(name)
        pair = made()
        prepare(pair, NEEDS.get(name, ()))
        pair.to_slave.replace(0, encode(request)[:-1])
        check("give up", name, 0x21, pair, request)


def test_rows_of_locked_resources() -> None:
    """Without a key function the command is given up; with one it is repeated behind UNLOCK."""
    for name in rows_of("L"):
        pair = made(security=LOCKED)
        prepare(pair, () if name == "PROGRAM" else NEEDS.get(name, ()))
        request = request_of(name)
        check("give up", name, 0x25, pair, request)
        pair.forget()
        pair.master.unlocker = lambda resource: unlock(Session(), resource, lambda _, seed: KEY)
        with suppress(NegativeResponseError):  # the request is not meant to do anything
            pair.run(ask(request))
        told = [one for one in pair.seen if one not in ("GET_STATUS", "SYNCH")]
        assert told[:4] == [name, "GET_SEED", "UNLOCK", name]
        assert answers_of(pair)[-1] != "fe25", name


def test_blocks_that_lost_a_packet_begin_again() -> None:
    pair = made(max_cto=8)
    prepare(pair, (mta(RAM),))
    pair.to_slave.lose(1)
    block = (
        cal.Download(count=14, data=bytes(range(6))),
        cal.DownloadNext(count=8, data=bytes(range(6, 12))),
        cal.DownloadNext(count=2, data=b"\x0c\x0d"),
    )
    pair.run(burst(block))
    names = ["DOWNLOAD", "DOWNLOAD_NEXT", "DOWNLOAD_NEXT"]
    assert pair.seen == [*names, "SYNCH", "SET_MTA", *names]
    assert answers_of(pair)[0] == "fe2908"
    assert pair.memory.read(Address(RAM), 14) == bytes(range(14))


def test_program_blocks_that_lost_a_packet_begin_again() -> None:
    pair = made(max_cto=8)
    prepare(pair, (*STARTED, CLEAR, mta(FLASH)))
    pair.to_slave.lose(1)
    block = (
        pgm.Program(count=14, data=bytes(range(6))),
        pgm.ProgramNext(count=8, data=bytes(range(6, 12))),
        pgm.ProgramNext(count=2, data=b"\x0c\x0d"),
    )
    pair.run(burst(block))
    names = ["PROGRAM", "PROGRAM_NEXT", "PROGRAM_NEXT"]
    assert pair.seen == [*names, "SYNCH", "SET_MTA", *names]
    assert pair.memory.read(Address(FLASH), 14) == bytes(range(14))


def burst(requests: tuple[Any, ...]) -> Any:
    return (yield Burst(requests))


class Veto:
    """The ECU's application does not let one command be served now."""

    def __init__(self, name: str, code: int) -> None:
        self.name, self.code = name, code
        self.left = 0

    def __call__(self, name: str) -> ErrorCode | None:
        if name != self.name or not self.left:
            return None
        self.left -= 1
        return ErrorCode(self.code)


def rows_of_an_application() -> set[tuple[str, str]]:
    """What no state of our slave gives: nothing of it is away for a while, or overflows as it is written."""
    given = {(name, letter) for letter in "BPUSL" for name in rows_of(letter)} | set(BY_HAND)
    given |= {(name, "Q") for name in BLOCKS}
    rows = {(row[0], letter) for row in command_rows() for letter in row[3]}
    assert given <= rows
    assert len(given) > 300
    assert len(rows) == 420
    return rows - given


#: Where a block may be written.
WRITABLE = {"DOWNLOAD_NEXT": (mta(RAM),), "PROGRAM_NEXT": (*STARTED, CLEAR, mta(FLASH))}


def step_on_pair(name: str) -> Any:
    """As ``step_of``; blocks as long as packets of 8 bytes make them."""
    if name not in BLOCKS:
        return step_of(name)
    first = {"DOWNLOAD_NEXT": cal.Download, "PROGRAM_NEXT": pgm.Program}[name]
    following = COMMANDS[name].request
    return burst((first(count=8, data=bytes(6)), following(count=2, data=b"\1\2")))


def test_rows_of_an_application_that_refuses() -> None:
    rows = rows_of_an_application()
    assert {letter for _, letter in rows} == {*"NORWAGPBS", "Pg"}
    for name, letter in sorted(rows):
        word, code = SPECIAL.get((name, letter), USUAL.get(letter)), CODES[letter]
        veto = Veto(name, code)
        pair = made(veto=veto, **({"max_cto": 8} if name in BLOCKS else {}))
        prepare(pair, WRITABLE.get(name, ()))
        veto.left = 10**9
        begun_ns = pair.now_ns
        if word == "wait":
            waits(pair, name, code, step_on_pair(name))
            pair.forget()
            veto.left = 2  # in the end it may
            with suppress(NegativeResponseError):  # the request is not meant to do anything
                pair.run(step_on_pair(name))
            assert pair.seen.count(name) == 3, (name, letter)
            assert answers_of(pair)[-1] != f"fe{code:02x}", (name, letter)
            continue
        assert caught(pair, step_on_pair(name)).code == code, (name, letter)
        times = 3 if word == "twice" else 1
        assert answers_of(pair) == [f"fe{code:02x}"] * times, (name, letter)
        assert pair.seen == packets_of(name) * times, (name, letter)
        assert pair.now_ns == begun_ns, (name, letter)
        assert pair.master.connected == (word != "end"), (name, letter)
