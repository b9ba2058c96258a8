"""Every row of the error handling matrix, on a slave that follows a script.

The rows are written out by hand from the standard's tables (XCP Base, table of commands with their error
codes, and error handling matrix, 1.0 with its later additions), not taken from the code under test.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

from pair.scripted import CONNECTED, MS, PATIENCE, SILENCE, TIMERS, TIMES, Scripted
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    NegativeResponseError,
    RemoteProtocolError,
    XcaliperError,
)
from xcaliper.proto.procedure import Burst, ask
from xcaliper.xcp import cal, daq, pgm, std
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.recovery import (
    FOREVER,
    Action,
    MatrixRow,
    PreAction,
    matrix,
    reaction_to,
    timeout_reaction,
)
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CODES = {
    "B": 0x10,
    "D": 0x11,
    "P": 0x12,
    "U": 0x20,
    "S": 0x21,
    "R": 0x22,
    "W": 0x23,
    "A": 0x24,
    "L": 0x25,
    "Pg": 0x26,
    "M": 0x27,
    "Sg": 0x28,
    "Q": 0x29,
    "C": 0x2A,
    "O": 0x30,
    "G": 0x31,
    "V": 0x32,
    "N": 0x33,
    "Sub": 0x34,
    "T": 0x35,
}

#: Command, timer, what precedes the repetition after a time-out, error codes that it may be answered.
COMMAND_ROWS = """
CONNECT                     T1  -       N
DISCONNECT                  T1  SYNCH   B P
GET_STATUS                  T1  SYNCH   N
GET_COMM_MODE_INFO          T1  SYNCH   B U S N
GET_ID                      T1  SYNCH   B U S R N
SET_REQUEST                 T1  SYNCH   B P U S R N
GET_SEED                    T1  SYNCH   B P U S R N
UNLOCK                      T1  SYNCH   B P U S R L Q N
SET_MTA                     T1  SYNCH   B P U S R N
UPLOAD                      T1  MTA     B P U S R A L N
SHORT_UPLOAD                T1  SYNCH   B P U S R A L N
BUILD_CHECKSUM              T2  MTA     B P U S R A L N
TRANSPORT_LAYER_CMD         T1  SYNCH   B P U S R N Sub
USER_CMD                    T1  SYNCH   B P U S R N G
DOWNLOAD                    T1  MTA     B P S R W A L O N
DOWNLOAD_NEXT               T1  BLOCK   B P U S R W A L Q O N
DOWNLOAD_MAX                T1  MTA     B P U S R W A L O N
SHORT_DOWNLOAD              T1  SYNCH   B P U S R W A L O N
MODIFY_BITS                 T1  MTA     B P U S R W A L O N
SET_CAL_PAGE                T1  SYNCH   B P S L Pg M Sg N
GET_CAL_PAGE                T1  SYNCH   B P S L Pg M Sg N
GET_PAG_PROCESSOR_INFO      T1  SYNCH   B P U S L N
GET_SEGMENT_INFO            T1  SYNCH   B P U S R L M Sg N
GET_PAGE_INFO               T1  SYNCH   B P U S L Pg Sg N
SET_SEGMENT_MODE            T1  SYNCH   B P U S L M Sg N
GET_SEGMENT_MODE            T1  SYNCH   B P U S L Sg N
COPY_CAL_PAGE               T1  SYNCH   B P U S W L Pg Sg N
CLEAR_DAQ_LIST              T1  SYNCH   B P S R A L N
SET_DAQ_PTR                 T1  SYNCH   B D P S R L N
WRITE_DAQ                   T1  PTR     B D P S R W A L C N
SET_DAQ_LIST_MODE           T1  SYNCH   B D P S R L M N
GET_DAQ_LIST_MODE           T1  SYNCH   B P U S R L N
START_STOP_DAQ_LIST         T1  SYNCH   B P S R L M C N
START_STOP_SYNCH            T1  SYNCH   B P S L M C N
GET_DAQ_CLOCK               T1  SYNCH   B P U S L N
READ_DAQ                    T1  PTR     B P U S L N
GET_DAQ_PROCESSOR_INFO      T1  SYNCH   B P U S L N
GET_DAQ_RESOLUTION_INFO     T1  SYNCH   B P U S L N
GET_DAQ_LIST_INFO           T1  SYNCH   B P U S R L N
GET_DAQ_EVENT_INFO          T1  SYNCH   B P U S R L N
FREE_DAQ                    T1  SYNCH   B P U S L N
ALLOC_DAQ                   T1  FREE    B D P U S R L Q O N
ALLOC_ODT                   T1  SYNCH   B D P U S R L Q O N
ALLOC_ODT_ENTRY             T1  SYNCH   B D P U S R L Q O N
PROGRAM_START               T3  SYNCH   B D S L G N
PROGRAM_CLEAR               T4  MTA     B S R A L Q N
PROGRAM                     T5  MTA     B S R A L Q O N
PROGRAM_RESET               T5  SYNCH   B P S L Q N
GET_PGM_PROCESSOR_INFO      T1  SYNCH   B U S L N
GET_SECTOR_INFO             T1  SYNCH   B U S L M Sg N
PROGRAM_PREPARE             T3  MTA     B U S R L Q G N
PROGRAM_FORMAT              T1  SYNCH   B U S R L Q N
PROGRAM_NEXT                T5  BLOCK   B U S R A L Q O N
PROGRAM_MAX                 T5  MTA     B U L Q O N
PROGRAM_VERIFY              T3  SYNCH   B U S R L Q G V N
WRITE_DAQ_MULTIPLE          T1  PTR     B D P U S R W A L C N
TIME_CORRELATION_PROPERTIES T1  SYNCH   B U S R N T
DTO_CTR_PROPERTIES          T1  SYNCH   B P U S R L N
"""

#: What an error code calls for, where the command has no row of its own.
USUAL = {
    **dict.fromkeys(("B", "P", "N"), "wait"),
    "D": "stop",
    "L": "unlock",
    "G": "end",
    **dict.fromkeys(
        ("U", "S", "R", "W", "A", "Pg", "M", "Sg", "Q", "C", "O", "Sub", "T"),
        "give up",
    ),
}

#: (command, letter) → what it calls for instead.
SPECIAL = {
    ("UNLOCK", "L"): "end",
    ("UNLOCK", "Q"): "begin again",
    **{(c, "Q"): "begin again" for c in ("ALLOC_DAQ", "ALLOC_ODT", "ALLOC_ODT_ENTRY")},
    ("SET_DAQ_PTR", "D"): "twice",
    **{(c, "Q"): "block" for c in ("DOWNLOAD_NEXT", "PROGRAM_NEXT")},
    **{
        (c, "Q"): "twice"
        for c in (
            *("PROGRAM_CLEAR", "PROGRAM", "PROGRAM_MAX", "PROGRAM_FORMAT", "PROGRAM_PREPARE"),
            *("PROGRAM_VERIFY", "PROGRAM_RESET"),
        )
    },
    ("PROGRAM_RESET", "P"): "twice",
    ("PROGRAM_VERIFY", "V"): "end",
    **{
        (c, "U"): "other command"
        for c in (
            *("DOWNLOAD_NEXT", "PROGRAM_NEXT", "SHORT_UPLOAD", "SHORT_DOWNLOAD", "DOWNLOAD_MAX"),
            *("PROGRAM_MAX", "MODIFY_BITS"),
        )
    },
    **{
        (c, letter): what
        for c in (
            *("GET_PAG_PROCESSOR_INFO", "GET_SEGMENT_INFO", "GET_PAGE_INFO", "GET_SECTOR_INFO"),
            *("GET_DAQ_PROCESSOR_INFO", "GET_DAQ_RESOLUTION_INFO", "GET_DAQ_LIST_INFO"),
            *("GET_DAQ_EVENT_INFO", "GET_PGM_PROCESSOR_INFO"),
        )
        for letter, what in (("U", "A2L"), ("N", "skip"))
    },
    **{(c, "N"): "skip" for c in ("GET_ID", "GET_COMM_MODE_INFO", "GET_DAQ_CLOCK")},
}

#: How the words above are said in the table under test.
WORDS = {
    "wait": (Action.REPEAT, (PreAction.WAIT_T7,), FOREVER),
    "stop": (Action.REPEAT, (PreAction.STOP_DAQ,), 2),
    "unlock": (Action.REPEAT, (PreAction.UNLOCK,), 1),
    "twice": (Action.REPEAT, (), 2),
    "block": (Action.REPEAT, (PreAction.SYNCH, PreAction.SET_MTA), 2),
    "end": (Action.END_SESSION, (), 0),
    "give up": (Action.RAISE, (), 0),
    "begin again": (Action.BEGIN_AGAIN, (), 0),
    "other command": (Action.ALTERNATIVE, (), 0),
    "A2L": (Action.FROM_A2L, (), 0),
    "skip": (Action.SKIP, (), 0),
}
PRE_OF_TIMEOUT = {
    "-": (),
    "SYNCH": ("SYNCH",),
    "MTA": ("SYNCH", "SET_MTA"),
    "BLOCK": ("SYNCH", "SET_MTA"),
    "PTR": ("SYNCH", "SET_DAQ_PTR"),
    "FREE": ("SYNCH", "FREE_DAQ"),
}


def command_rows() -> Iterator[tuple[str, str, str, list[str]]]:
    for line in COMMAND_ROWS.strip().splitlines():
        command, timer, pre, *letters = line.split()
        yield command, timer, pre, letters


def request_of(name: str) -> Any:
    """Some request of a command; numbers are 1, bytes are one zero."""
    cls = COMMANDS[name].request
    values: dict[str, Any] = {}
    for key, parameter in inspect.signature(cls).parameters.items():
        if parameter.default is not inspect.Parameter.empty and key != "data":
            continue
        kind = str(parameter.annotation)
        values[key] = b"\0" if "bytes" in kind else () if "tuple" in kind else 1
    return cls(**values)


def step_of(name: str, **options: Any) -> Any:
    """A procedure that sends the command once; a NEXT command as the end of a block."""
    first = {"DOWNLOAD_NEXT": cal.Download, "PROGRAM_NEXT": pgm.Program}.get(name)
    if first is None:
        return ask(request_of(name), **options)
    following = COMMANDS[name].request
    return block_of(first, following)


def block_of(first: Any, following: Any) -> Any:
    return (yield Burst((first(count=3, data=b"\1\2"), following(count=1, data=b"\3"))))


def packets_of(name: str) -> list[str]:
    return {"DOWNLOAD_NEXT": ["DOWNLOAD", name], "PROGRAM_NEXT": ["PROGRAM", name]}.get(
        name, [name]
    )


def failing(name: str, code: int, times: int = 1000) -> Callable[[str, int], bytes | None]:
    error = bytes((0xFE, code))
    return lambda one, n: error if one == name and n < times else None


def unlock(resource: Any) -> Any:
    yield from ask(std.GetSeed(mode=0, resource=resource))
    yield from ask(std.Unlock(length=1, key=b"k"))


def refused(slave: Scripted, code: int, **options: Any) -> None:
    with pytest.raises(NegativeResponseError) as caught:
        slave.run(step_of(slave.name, **options))
    assert caught.value.code == code


# ------------------------------------------------------------------------------------- the rows


def check_wait(name: str, code: int) -> None:
    slave = Scripted(failing(name, code, times=2))
    slave.run(step_of(name))
    block = packets_of(name)
    between = ["SYNCH", "SET_MTA"] if len(block) > 1 else []
    assert slave.sent == [*block, *between, *block, *between, *block]
    assert slave.elapsed_ms == 2 * TIMES[6]
    slave = Scripted(failing(name, code))
    slave.name = name
    refused(slave, code)
    assert PATIENCE <= slave.elapsed_ms * MS <= PATIENCE + TIMERS.t7_ns


def check_stop(name: str, code: int) -> None:
    slave = Scripted(failing(name, code))
    slave.name = name
    refused(slave, code)
    assert slave.sent == [name], "a running measurement is not stopped silently"
    slave.clear()
    refused(slave, code, stop_daq=True)
    assert slave.sent == [name, *["START_STOP_SYNCH", name] * 2]
    assert slave.packets[1] == b"\xdd\x00"
    slave = Scripted(failing(name, code, times=1))
    slave.run(step_of(name, stop_daq=True))
    assert slave.sent == [name, "START_STOP_SYNCH", name]


def check_unlock(name: str, code: int) -> None:
    block = packets_of(name)
    slave = Scripted(failing(name, code))
    slave.name = name
    refused(slave, code)
    assert slave.sent == block, "without a key function there is nothing to do"
    between = ["SYNCH", "SET_MTA"] if len(block) > 1 else []
    for times, kind in ((1, None), (1000, NegativeResponseError)):
        slave = Scripted(failing(name, code, times=times))
        slave.master.unlocker = unlock
        if kind is None:
            slave.run(step_of(name))
        else:
            slave.name = name
            refused(slave, code)
        assert [s for s in slave.sent if s not in between] == [
            *block,
            "GET_SEED",
            "UNLOCK",
            *block,
        ]


def check_twice(name: str, code: int) -> None:
    slave = Scripted(failing(name, code))
    slave.name = name
    refused(slave, code)
    assert slave.sent == [name] * 3
    assert slave.elapsed_ms == 0
    slave = Scripted(failing(name, code, times=2))
    slave.run(step_of(name))
    assert slave.sent == [name] * 3


def check_block(name: str, code: int) -> None:
    slave = Scripted(failing(name, code))
    slave.name = name
    refused(slave, code)
    block = packets_of(name)
    assert slave.sent == [*block, *["SYNCH", "SET_MTA", *block] * 2]
    assert slave.packets[3] == bytes.fromhex("f600000000100000"), "where the block began"


def check_end(name: str, code: int) -> None:
    slave = Scripted(failing(name, code))
    slave.name = name
    refused(slave, code)
    assert slave.sent == [name]
    assert not slave.master.connected
    with pytest.raises(RemoteProtocolError, match=ErrorCode(code).name):
        slave.run(ask(std.GetStatus()))
    assert slave.sent == [name]
    slave.run(ask(std.Connect()))
    slave.run(ask(std.GetStatus()))
    assert slave.master.connected


def check_give_up(name: str, code: int) -> None:
    slave = Scripted(failing(name, code))
    slave.name = name
    refused(slave, code)
    assert slave.sent == packets_of(name)
    assert slave.elapsed_ms == 0
    assert slave.master.connected


CHECKS = {
    "wait": check_wait,
    "stop": check_stop,
    "unlock": check_unlock,
    "twice": check_twice,
    "block": check_block,
    "end": check_end,
}


@pytest.mark.parametrize(
    ("command", "letters"), [(row[0], row[3]) for row in command_rows()], ids=str
)
def test_row(command: str, letters: list[str]) -> None:
    for letter in letters:
        word = SPECIAL.get((command, letter), USUAL.get(letter))
        assert word is not None, (command, letter)
        CHECKS.get(word, check_give_up)(command, CODES[letter])


@pytest.mark.parametrize(("command", "timer", "pre"), [row[:3] for row in command_rows()])
def test_time_out_row(command: str, timer: str, pre: str) -> None:
    slave = Scripted(lambda name, n: SILENCE if name == command else None)
    with pytest.raises(ExchangeTimeoutError) as caught:
        slave.run(step_of(command))
    block = packets_of(command)
    assert slave.sent == [*block, *[*PRE_OF_TIMEOUT[pre], *block] * 2]
    assert caught.value.timer == timer
    assert slave.elapsed_ms == 3 * TIMES[int(timer[1]) - 1]
    restored = {p.hex() for p in slave.packets if p[0] in (0xF6, 0xE2)} - {slave.packets[0].hex()}
    assert restored <= {"f600000000100000", "e200010002030000"[:12]}
    slave = Scripted(lambda name, n: SILENCE if name == command and n == 0 else None)
    slave.run(step_of(command))
    assert slave.sent == [*block, *PRE_OF_TIMEOUT[pre], *block]


def test_hand_written_rows_and_table_agree() -> None:
    rows = {(row.command, row.code): row for row in matrix(COMMANDS) if row.code is not None}
    listed = set()
    for command, timer, _, letters in command_rows():
        info = COMMANDS[command]
        assert info.timer == timer
        assert info.errors == {CODES[letter] for letter in letters}, command
        for letter in letters:
            code = CODES[letter]
            listed.add((command, code))
            word = SPECIAL.get((command, letter), USUAL.get(letter))
            row = rows[command, code]
            found = row.reaction.action, row.reaction.pre, row.reaction.repeats
            assert found == WORDS[word], (command, letter)
            assert row.severity == (3 if letter == "V" else 2)
    others = {info.name for info in COMMANDS} - {row[0] for row in command_rows()}
    assert "SYNCH" in others
    later = {
        name for name in others if COMMANDS[name].since != "1.0" or COMMANDS[name].group == "TL"
    }
    assert others - later == {"SYNCH"}, "each command of the first edition has its rows"
    assert set(SPECIAL) <= {(c, x) for c, _, _, xs in command_rows() for x in xs}


def test_time_out_rows_and_table_agree() -> None:
    found = {row.command: row for row in matrix(COMMANDS) if row.code is None}
    for command, _, pre, _ in command_rows():
        reaction = timeout_reaction(COMMANDS[command])
        if command.startswith("ALLOC_ODT"):
            assert reaction.pre == (PreAction.SYNCH, PreAction.FREE_DAQ)  # for ALLOC_DAQ alone
        else:
            assert reaction.pre == PRE_OF_TIMEOUT[pre], command
        assert isinstance(found[command], MatrixRow)
        assert found[command].severity is None


# ---------------------------------------------------------------------------- rows of their own kind


def test_synch_is_repeated_and_needs_no_pre_action() -> None:
    slave = Scripted(lambda name, n: SILENCE if name == "SYNCH" else None)
    with pytest.raises(ExchangeTimeoutError):
        slave.run(ask(std.Synch()))
    assert slave.sent == ["SYNCH"] * 3
    for code in ("fe00", "fe20"):
        slave = Scripted(lambda name, n, code=code: bytes.fromhex(code))
        assert slave.run(ask(std.Synch())).code == 0
        assert slave.sent == ["SYNCH"]
        assert slave.master.connected
    slave = Scripted(lambda name, n: b"\xfe\x33")
    with pytest.raises(ExchangeTimeoutError):
        slave.run(ask(std.Synch()))
    assert slave.sent == ["SYNCH"] * 3
    reactions = [reaction_to(COMMANDS["SYNCH"], code) for code in (0x00, 0x20, 0x33)]
    assert [r.action for r in reactions] == [Action.CONTINUE, Action.CONTINUE, Action.REPEAT]
    assert reactions[2].repeats == timeout_reaction(COMMANDS["SYNCH"]).repeats == 2


@pytest.mark.parametrize("command", ["GET_STATUS", "DOWNLOAD", "GET_VERSION"])
def test_codes_that_nobody_knows_give_up_the_command(command: str) -> None:
    for code in (0x36, 0x7F, 0xFF, 0x35):
        check_give_up(command, code)


def test_codes_that_the_command_does_not_list_go_by_their_severity() -> None:
    check_give_up("GET_STATUS", ErrorCode.ERR_GENERIC)
    check_give_up("GET_STATUS", ErrorCode.ERR_SEQUENCE)
    check_end("FREE_DAQ", ErrorCode.ERR_VERIFY)
    check_wait("GET_STATUS", ErrorCode.ERR_CMD_BUSY)
    assert reaction_to(COMMANDS["GET_STATUS"], 0).action is Action.CONTINUE


def test_a_late_answer_to_synch_is_no_refusal() -> None:
    slave = Scripted()
    running = slave.master.start(ask(std.GetStatus()), 0)
    slave.master.outgoing()
    slave.master.receive(b"\xfe\x00", 0)
    assert not running.done()
    slave.master.receive(b"\xff" + bytes(5), 0)
    assert running.result().session_status == 0


@pytest.mark.parametrize("mode", [0, 1])
def test_connect_is_repeated_without_synch_until_its_time_is_over(mode: int) -> None:
    slave = Scripted(lambda name, n: SILENCE)
    with pytest.raises(ExchangeTimeoutError) as caught:
        slave.run(ask(std.Connect(mode=mode), within_ns=1000 * MS))
    assert set(slave.sent) == {"CONNECT"}
    period = (TIMES[0], TIMES[5] + TIMES[6])[mode]
    assert len(slave.sent) in (1000 // period, 1000 // period + 1)
    assert 1000 <= slave.elapsed_ms <= 1000 + TIMES[6]
    assert caught.value.timer == ("T1", "T6")[mode]


def test_connect_of_a_user_defined_mode_has_patience_of_its_own() -> None:
    slave = Scripted(lambda name, n: SILENCE if n < 150 else None)
    slave.run(ask(std.Connect(mode=1)))
    assert len(slave.sent) == 151
    slave = Scripted(lambda name, n: SILENCE)
    with pytest.raises(ExchangeTimeoutError):
        slave.run(ask(std.Connect(mode=1)))
    assert 30_000 <= slave.elapsed_ms <= 30_000 + TIMES[6]
    slave.clear()
    with pytest.raises(ExchangeTimeoutError):
        slave.run(ask(std.Connect(mode=1), attempts=2))
    assert slave.sent == ["CONNECT"] * 2


def test_a_slave_that_cannot_be_had_now_is_connected_to_later() -> None:
    slave = Scripted(failing("CONNECT", 0x33, times=3))
    slave.run(ask(std.Connect()))
    assert slave.sent == ["CONNECT"] * 4
    assert slave.elapsed_ms == 3 * TIMES[6]


def test_a_final_step_is_not_repeated_after_an_error() -> None:
    slave = Scripted(failing("DISCONNECT", 0x10))
    slave.name = "DISCONNECT"
    refused(slave, 0x10, final=True)
    assert slave.sent == ["DISCONNECT"]


def test_a_measurement_that_cannot_be_stopped_stays_in_the_way() -> None:
    def script(name: str, n: int) -> bytes | None:
        return {"WRITE_DAQ": b"\xfe\x11", "START_STOP_SYNCH": b"\xfe\x27"}.get(name)

    slave = Scripted(script)
    slave.name = "WRITE_DAQ"
    refused(slave, 0x11, stop_daq=True)
    assert slave.sent == ["WRITE_DAQ", "START_STOP_SYNCH"]


def test_unlocking_goes_for_the_resource_of_the_command() -> None:
    asked: list[dict[str, int]] = []

    def note(resource: Any) -> Any:
        asked.append(int(resource))
        yield from ()

    for request, bits in (
        (std.ShortUpload(count=1, address=0), 1),
        (cal.Download(count=1, data=b"\0"), 1),
        (daq.FreeDaq(), 4),
        (daq.SetDaqListMode(mode=2, daq_list=0, event_channel=0), 8),
        (pgm.ProgramStart(), 16),
    ):
        name = type(request).__command__.name
        slave = Scripted(failing(name, 0x25, times=1))
        slave.master.unlocker = note
        slave.run(ask(request))
        assert asked.pop() == bits, name
    slave = Scripted(failing("GET_STATUS", 0x25))
    slave.master.unlocker = note
    with pytest.raises(NegativeResponseError):
        slave.run(ask(std.GetStatus()))
    assert not asked, "nobody knows what it needs"


def test_what_the_unlocking_finds_wrong_is_told_and_happens_once() -> None:
    def wrong_key(resource: Any) -> Any:
        with pytest.raises(NegativeResponseError):
            yield from ask(std.GetSeed(mode=0, resource=resource))
        yield from ask(std.Unlock(length=1, key=b"k"))

    def script(name: str, n: int) -> bytes | None:
        return {"DOWNLOAD": b"\xfe\x25", "GET_SEED": b"\xfe\x25", "UNLOCK": b"\xfe\x25"}.get(name)

    slave = Scripted(script)
    slave.master.unlocker = wrong_key
    assert slave.master.unlocker is wrong_key
    with pytest.raises(NegativeResponseError) as caught:
        slave.run(ask(cal.Download(count=1, data=b"\0")))
    assert caught.value.command == "UNLOCK"
    assert slave.sent == ["DOWNLOAD", "GET_SEED", "UNLOCK"]
    assert not slave.master.connected


def test_pending_restarts_every_timer_within_its_bound() -> None:
    for command, timer, _, _ in command_rows():
        if command in ("DOWNLOAD_NEXT", "PROGRAM_NEXT"):
            continue
        slave = Scripted(lambda name, n: SILENCE)
        running = slave.master.start(ask(request_of(command)), slave.now_ns)
        slave.master.outgoing()
        time_ns = TIMES[int(timer[1]) - 1] * MS
        for _ in range(5):
            slave.now_ns += time_ns - 1
            slave.master.receive(b"\xfd\x05", slave.now_ns)
            slave.master.on_time(slave.now_ns)
            assert slave.master.outgoing() == [], command
            assert slave.master.due() == slave.now_ns + time_ns
        answer = CONNECTED if command == "CONNECT" else b"\xff" + bytes(63)
        slave.master.receive(answer, slave.now_ns)
        assert running.done(), command


# --------------------------------------------------------------------------------------------- sleep


def test_a_sleeping_slave_is_left_alone() -> None:
    slave = Scripted()
    master = slave.master
    running = master.start(ask(std.GetStatus()), 0)
    assert master.outgoing() == [b"\xfd"]
    master.receive(b"\xfd\x0a", 4 * MS)
    master.receive(b"\xfd\x0a", 5 * MS)
    assert master.asleep
    assert master.due() == 4 * MS + 60_000 * MS
    master.on_time(5000 * MS)
    assert master.outgoing() == []
    master.receive(b"\xfd\x0b", 6004 * MS)
    master.receive(b"\xfd\x0b", 6004 * MS)
    assert not master.asleep
    assert master.due() == 6010 * MS, "of 10 ms, 4 had passed before the slave slept"
    master.receive(b"\xff" + bytes(5), 6005 * MS)
    assert running.done()
    assert [e.name for e in master.events()] == ["EV_SLEEP", "EV_SLEEP", "EV_WAKE_UP", "EV_WAKE_UP"]


def test_commands_wait_until_the_slave_wakes_up_but_not_for_ever() -> None:
    slave = Scripted()
    master = slave.master
    master.receive(b"\xfd\x0a", 0)
    assert master.due() is None
    running = master.start(ask(std.GetStatus()), 7 * MS)
    assert master.outgoing() == []
    master.receive(b"\xff" + bytes(5), 8 * MS)  # nobody has asked yet
    assert not running.done()
    master.on_time(59_999 * MS)
    assert master.outgoing() == []
    master.on_time(60_000 * MS)
    assert not master.asleep
    assert master.outgoing() == [b"\xfd"]
    assert master.due() == 60_010 * MS
    master.receive(b"\xff" + bytes(5), 60_001 * MS)
    assert running.done()


def test_an_answer_from_before_the_command_was_given_out_is_no_answer() -> None:
    master = Scripted().master
    running = master.start(ask(std.GetStatus()), 0)
    strays = master.counters.stray
    master.receive(b"\xff" + bytes(5), 1)  # of something older: the link took several at once
    master.receive(b"\xfe\x25", 1)
    assert not running.done()
    assert master.counters.stray == strays + 2
    assert master.outgoing() == [b"\xfd"]
    master.receive(b"\xff\x01\x00\x00\x00\x00", 2)
    assert running.result().session_status.store_cal_req
    assert master.idle


def test_a_session_that_ends_in_the_sleep_ends() -> None:
    master = Scripted().master
    running = master.start(ask(std.GetStatus()), 0)
    master.receive(b"\xfd\x0a", 0)
    master.receive(b"\xfd\x07", 1)
    with pytest.raises(XcaliperError, match="ended"):
        running.result()
    assert not master.asleep
    assert master.outgoing() == []


def test_a_slave_that_falls_asleep_while_it_is_connected_to_gets_its_time() -> None:
    slave = Scripted(lambda name, n: SILENCE)
    master = slave.master
    running = master.start(ask(std.Connect(), within_ns=15 * MS), 0)
    master.outgoing()
    master.receive(b"\xfd\x0a", 2 * MS)
    master.receive(b"\xfd\x0b", 1002 * MS)
    for due in (1010 * MS, 1015 * MS):
        assert master.due() == due
        master.on_time(due)
    assert running.done()


def test_waiting_for_a_busy_slave_is_put_off_by_its_sleep() -> None:
    slave = Scripted(failing("GET_STATUS", 0x10, times=1))
    master = slave.master
    running = master.start(ask(std.GetStatus()), 0)
    master.outgoing()
    master.receive(b"\xfe\x10", 0)
    master.receive(b"\xfd\x0a", 20 * MS)
    master.receive(b"\xfd\x0b", 1020 * MS)
    assert master.due() == 1070 * MS
    master.cancel(running)  # nothing is on its way: no SYNCH is needed
    slave.now_ns = 1070 * MS
    slave.clear()
    slave.script = lambda name, n: None
    slave.run(ask(std.GetStatus()))
    assert slave.sent == ["GET_STATUS"]
    master.receive(b"\xfd\x0a", 2000 * MS)
    master.receive(b"\xfd\x0b", 3000 * MS)
    assert master.due() is None
    master.receive(b"\xfd\x07", 3000 * MS)
    assert not master.connected


def test_a_pointer_that_cannot_be_restored_ends_the_attempt() -> None:
    slave = Scripted(lambda name, n: SILENCE if name in ("UPLOAD", "SET_MTA") else None)
    with pytest.raises(ExchangeTimeoutError, match="UPLOAD"):
        slave.run(ask(std.Upload(count=1)))
    assert slave.sent == ["UPLOAD", *["SYNCH", "SET_MTA"] * 3]
    slave = Scripted(lambda name, n: SILENCE if name == "WRITE_DAQ" else None)
    slave.run(ask(daq.FreeDaq()))
    slave.clear()
    with pytest.raises(ExchangeTimeoutError, match="WRITE_DAQ"):
        slave.run(ask(request_of("WRITE_DAQ")))
    assert slave.sent == ["WRITE_DAQ", "SYNCH"]
    slave.script = lambda name, n: None
    slave.run(ask(request_of("WRITE_DAQ")))
    slave.run(ask(std.Disconnect()))
    assert not slave.master.connected


def test_synch_that_is_not_answered_ends_the_recovery() -> None:
    slave = Scripted(lambda name, n: SILENCE if name in ("GET_STATUS", "SYNCH") else None)
    with pytest.raises(ExchangeTimeoutError, match="GET_STATUS"):
        slave.run(ask(std.GetStatus()))
    assert slave.sent == ["GET_STATUS", "SYNCH", "SYNCH", "SYNCH"]
    slave.clear()
    with pytest.raises(ExchangeTimeoutError):
        slave.run(ask(std.GetStatus()))
    assert slave.sent == ["SYNCH"] * 3, "a late answer could be on its way"
