"""Blocks in both directions: separation, early and late errors, restart, and ways around them."""

from __future__ import annotations

from typing import Any

import pytest

from pair.link import RAM, Pair, config
from pair.programming import FLASH, SECTOR_SIZE, FlashPair
from pair.programming import answer as said
from pair.scripted import MS, SILENCE, TIMES, Scripted
from xcaliper.core.address import Address
from xcaliper.core.errors import (
    AccessDeniedError,
    ExchangeTimeoutError,
    LocalProtocolError,
    OutOfRangeError,
    SequenceError,
    UnknownCommandError,
)
from xcaliper.proto.procedure import Burst, Collect, Tell, ask
from xcaliper.xcp import cal, pgm, std
from xcaliper.xcp.procedures.blocks import DOWNLOAD, PROGRAM, BlockKind, blocks, set_mta
from xcaliper.xcp.procedures.connect import Session, attempt
from xcaliper.xcp.procedures.memory import XcpMemory, upload
from xcaliper.xcp.profile import Profile

T1 = 1000 * MS
FOURTEEN = bytes(range(14))


@pytest.fixture
def pair() -> Pair:
    made = Pair(config(max_cto=8, max_bs=3, min_st=5))
    made.forget()
    return made


# ------------------------------------------------------------------------------------ master blocks


def test_packets_of_a_block_keep_their_distance(pair: Pair) -> None:
    at: list[int] = []
    pair.to_slave.hook = lambda packet, n: (at.append(pair.now_ns), [(0, packet)])[1]
    pair.run(XcpMemory(pair.session).write(RAM, FOURTEEN))
    assert pair.seen == ["SET_MTA", "DOWNLOAD", "DOWNLOAD_NEXT", "DOWNLOAD_NEXT"]
    assert at == [0, 0, 500_000, 1_000_000]
    assert [p.hex() for p in pair.to_slave.sent[1:]] == [
        "f00e000102030405",
        "ef08060708090a0b",
        "ef020c0d",
    ]


def test_an_early_error_stops_the_block_and_is_repeated_after_synch(pair: Pair) -> None:
    """The slave refuses the first packet as out of order; the third is never sent."""
    pair.to_master.hook = lambda packet, n: [(0, packet)]
    extra = iter([[(0, b"\xfe\x29\x00")]])
    answers = pair.slave.receive

    def receive(packet: bytes, now_ns: int) -> None:
        answers(packet, now_ns)
        if packet[0] == 0xF0:
            for _, early in next(extra, []):
                pair.master.receive(early, now_ns)

    pair.slave.receive = receive  # type: ignore[method-assign]
    pair.run(XcpMemory(pair.session).write(RAM, FOURTEEN))
    assert pair.seen == [
        *("SET_MTA", "DOWNLOAD", "SYNCH", "SET_MTA"),
        *("DOWNLOAD", "DOWNLOAD_NEXT", "DOWNLOAD_NEXT"),
    ]
    assert pair.memory.read(RAM, 14) == FOURTEEN


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_lost_packet_of_a_block_is_a_sequence_error(pair: Pair, lost: int) -> None:
    pair.to_slave.lose(lost)
    pair.run(XcpMemory(pair.session).write(RAM, FOURTEEN))
    assert pair.memory.read(RAM, 14) == FOURTEEN
    assert pair.memory.read(RAM + 14, 2) == b"\x0e\x0f", "nothing behind it was written"
    assert pair.seen.count("SYNCH") == 1
    assert pair.seen.count("SET_MTA") == 2


@pytest.mark.parametrize(("kind", "writes"), [("DOWNLOAD", DOWNLOAD), ("PROGRAM", PROGRAM)])
def test_blocks_that_always_break_go_on_as_single_packets(kind: str, writes: BlockKind) -> None:
    """Three times the whole block, as the matrix says; then every byte by its own small packet."""
    if kind == "DOWNLOAD":
        pair, at = Pair(config(max_cto=8, max_bs=3)), RAM
    else:
        pair, at = FlashPair(max_cto=8), FLASH
        for packet in (b"\xd2", b"\xf6\0\0\0" + at.value.to_bytes(4, "little")):
            assert said(pair, packet).startswith("ff")
        assert said(pair, b"\xd1\0\0\0" + SECTOR_SIZE.to_bytes(4, "little")).startswith("ff")
    pair.forget()
    following = {"DOWNLOAD": 0xEF, "PROGRAM": 0xCA}[kind]
    seen = {"n": 0}

    def breaks(packet: bytes, number: int) -> list[tuple[int, bytes]]:
        seen["n"] += packet[0] == following
        lost = packet[0] == following and seen["n"] % 2
        return [] if lost else [(0, packet)]

    pair.to_slave.hook = breaks
    data = bytes(range(1, 41))

    def run():
        yield from set_mta(at)
        yield from blocks(pair.session, at, data, writes, max_cto=8, max_bs=3)

    pair.run(run())
    assert pair.memory.read(at, 40) == data
    nexts = pair.seen.count(f"{kind}_NEXT")
    assert nexts == 6, "blocks are tried thrice, and not again in this transfer"
    assert f"{kind}_NEXT" not in pair.session.refused, "it is the link, not the slave"
    assert (pair.seen.count(kind), pair.seen.count(f"{kind}_MAX")) == (3 + 1, 5)


def test_the_expected_count_is_told() -> None:
    slave = Scripted(lambda name, n: b"\xfe\x29\x08" if name == "DOWNLOAD_NEXT" else None)
    burst = (cal.Download(count=3, data=b"\1\2"), cal.DownloadNext(count=1, data=b"\3"))
    with pytest.raises(SequenceError) as caught:
        slave.run(step(Burst(burst)))
    assert caught.value.info == b"\x08"


def step(one: Any) -> Any:
    return (yield one)


def test_a_late_answer_to_synch_between_packets_is_no_error() -> None:
    slave = Scripted()
    burst = (cal.Download(count=3, data=b"\1\2"), cal.DownloadNext(count=1, data=b"\3"))
    running = slave.master.start(step(Burst(burst, 5 * MS)), slave.now_ns)
    assert len(slave.master.outgoing()) == 1
    slave.master.receive(b"\xfe\x00", slave.now_ns)
    slave.master.receive(b"\xff", slave.now_ns)
    assert slave.master.outgoing() == []
    slave.now_ns += 5 * MS
    slave.master.on_time(slave.now_ns)
    assert len(slave.master.outgoing()) == 1
    slave.master.receive(b"\xff", slave.now_ns)
    assert running.done()
    assert slave.master.counters.stray == 2


def test_blocks_without_known_pointer_are_not_repeated() -> None:
    slave = Scripted(lambda name, n: SILENCE if name == "DOWNLOAD_NEXT" else None)
    slave.master.lose_track()
    burst = (cal.Download(count=3, data=b"\1\2"), cal.DownloadNext(count=1, data=b"\3"))
    with pytest.raises(ExchangeTimeoutError):
        slave.run(step(Burst(burst)))
    assert slave.sent == ["DOWNLOAD", "DOWNLOAD_NEXT", "SYNCH"]


def test_a_slave_that_lacks_blocks_gets_single_packets_and_is_not_asked_again() -> None:
    pair = Pair(config(max_cto=8, max_bs=3))
    pair.to_slave.hook = lambda packet, n: [
        (0, b"\xc1" if packet[0] == 0xEF else packet)  # unknown to this slave
    ]
    memory = XcpMemory(pair.session)
    for _ in range(2):
        pair.forget()
        pair.to_slave.hook = lambda packet, n: [(0, b"\xc1" if packet[0] == 0xEF else packet)]
        pair.run(memory.write(RAM, FOURTEEN))
        assert pair.memory.read(RAM, 14) == FOURTEEN
    assert pair.session.refused == {"DOWNLOAD_NEXT"}
    assert pair.seen == ["SET_MTA", "DOWNLOAD_MAX", "DOWNLOAD_MAX"]


# ---------------------------------------------------------------------------------------- programming


def programming(script=lambda name, n: None, *, max_cto_pgm: int = 16) -> tuple[Scripted, Session]:
    def answer(name: str, n: int) -> bytes | None:
        if name == "PROGRAM_START":
            return bytes((0xFF, 0, 1, max_cto_pgm, 4, 2, 0))
        return script(name, n)

    slave = Scripted(answer)
    slave.run(ask(pgm.ProgramStart()))
    slave.clear()
    return slave, Session(profile=Profile(max_cto=255, max_dto=255))


def program(session: Session, data: bytes, **more: Any) -> Any:
    yield from set_mta(Address(0x8000))
    told: list[int] = []
    limits = {"max_cto": 16, "max_bs": 4, "min_st_ns": 200_000} | more
    yield from blocks(session, Address(0x8000), data, PROGRAM, progress=told.append, **limits)
    return told


def test_programming_has_limits_of_its_own() -> None:
    slave, session = programming()
    told = slave.run(program(session, bytes(range(100))))
    assert told == [56, 100]
    assert slave.sent == ["SET_MTA", *["PROGRAM", *["PROGRAM_NEXT"] * 3] * 2]
    assert [len(p) for p in slave.packets[1:5]] == [16] * 4
    assert [p[1] for p in slave.packets[1:]] == [56, 42, 28, 14, 44, 30, 16, 2]
    assert slave.now_ns - slave.begin_ns == 6 * 200_000
    with pytest.raises(LocalProtocolError, match="which is 16"):
        slave.run(ask(pgm.Program(count=20, data=bytes(20))))
    slave.run(ask(pgm.ProgramReset()))
    slave.run(ask(cal.Download(count=20, data=bytes(20))))


def test_a_nonsense_limit_of_programming_is_not_believed() -> None:
    slave, session = programming(max_cto_pgm=0)
    assert slave.run(program(session, bytes(20), max_cto=8, max_bs=0)) == [7, 14, 20]


def test_full_packets_are_programmed_where_there_are_no_blocks() -> None:
    slave, session = programming()
    slave.run(program(session, bytes(32), max_bs=0))
    assert slave.sent == ["SET_MTA", "PROGRAM_MAX", "PROGRAM_MAX", "PROGRAM"]
    assert slave.packets[-1][:2] == b"\xd0\x02"
    # the pointer has moved by what each of them carries
    slave.clear()
    slave.run(set_mta(Address(0x8020)))
    assert slave.sent == []


@pytest.mark.parametrize("lacking", ["PROGRAM_NEXT", "PROGRAM_MAX"])
def test_commands_of_programming_that_lack_are_replaced(lacking: str) -> None:
    slave, session = programming(lambda name, n: b"\xfe\x20" if name == lacking else None)
    max_bs = 4 if lacking == "PROGRAM_NEXT" else 0
    for _ in range(2):
        slave.clear()
        slave.run(program(session, bytes(30), max_bs=max_bs))
    assert lacking not in slave.sent
    assert session.refused == {lacking}


# ------------------------------------------------------------------------------------- slave blocks


def test_a_slave_that_announces_blocks_and_refuses_them_is_read_by_single_ones() -> None:
    pair = Pair(config(max_cto=8, slave_block_mode=True))

    def hook(packet: bytes, n: int) -> list[tuple[int, bytes]]:
        return [(0, b"\xf5\x00" if packet[0] == 0xF5 and packet[1] > 7 else packet)]

    memory = XcpMemory(pair.session)
    pair.to_slave.hook = hook
    assert pair.run(memory.read(RAM, 200)) == pair.memory.read(RAM, 200)
    pair.forget()
    pair.to_slave.hook = hook
    assert pair.run(memory.read(RAM, 70)) == pair.memory.read(RAM, 70)
    assert pair.seen == ["SET_MTA", *["UPLOAD"] * 10]
    assert len(pair.session.refused) == 1


def test_an_address_out_of_range_says_nothing_about_slave_blocks() -> None:
    pair = Pair(config(max_cto=8))
    pair.to_slave.hook = lambda packet, n: [(0, b"\xf5\x00" if packet[0] == 0xF5 else packet)]
    with pytest.raises(OutOfRangeError):
        pair.run(XcpMemory(pair.session).read(RAM, 200))
    assert pair.session.refused == set()
    pair = Pair(config(max_cto=8, slave_block_mode=False))
    pair.to_slave.hook = lambda packet, n: [(0, b"\xf5\x00" if packet[0] == 0xF5 else packet)]
    with pytest.raises(OutOfRangeError):
        pair.run(XcpMemory(pair.session).read(RAM, 200))


@pytest.mark.parametrize("number", [1, 3, 9])
def test_an_error_inside_the_answers_repeats_all_of_them(number: int) -> None:
    """A busy slave in the middle of a block has moved its pointer; it is set again."""
    pair = Pair(config(max_cto=8))
    pair.forget()
    pair.to_master.hook = lambda packet, n: [(0, b"\xfe\x10" if n == number else packet)]
    assert pair.run(XcpMemory(pair.session).read(RAM, 80)) == pair.memory.read(RAM, 80)
    assert pair.seen == ["SET_MTA", "UPLOAD", "SYNCH", "SET_MTA", "UPLOAD"]


def test_one_command_with_several_answers_as_a_step() -> None:
    pair = Pair(config(max_cto=8))
    pair.run(set_mta(RAM))
    replies = pair.run(step(Collect(std.Upload(count=16), 3)))
    assert b"".join(reply.data for reply in replies) == pair.memory.read(RAM, 16)


# ---------------------------------------------------------------------------------------- the pointer


def test_no_pointer_is_set_twice(pair: Pair) -> None:
    memory = XcpMemory(pair.session)
    pair.run(memory.write(RAM, FOURTEEN))
    pair.run(memory.write(RAM + 14, FOURTEEN))
    assert pair.run(memory.read(RAM + 28, 80)) == pair.memory.read(RAM + 28, 80)
    assert pair.seen.count("SET_MTA") == 1
    assert pair.memory.read(RAM, 28) == FOURTEEN * 2


@pytest.mark.parametrize(
    "between",
    [
        lambda pair: pair.run(ask(std.ShortUpload(count=1, address=RAM.value))),
        lambda pair: pair.run(ask(std.GetId(identification_type=4))),
        lambda pair: pair.run(ask(std.BuildChecksum(block_size=4))),
        lambda pair: pair.run(ask(std.Connect())),
        lambda pair: pair.master.lose_track(),
        lambda pair: pair.master.suspect(),
        "refused download",
    ],
)
def test_a_pointer_that_is_not_sure_is_set_again(pair: Pair, between) -> None:
    memory = XcpMemory(pair.session)
    pair.run(memory.write(RAM, FOURTEEN))
    if between == "refused download":
        refuse_download(pair)
    else:
        between(pair)
    pair.forget()
    pair.run(memory.write(RAM + 14, FOURTEEN))
    assert "SET_MTA" in pair.seen
    assert pair.memory.read(RAM + 14, 14) == FOURTEEN


def refuse_download(pair: Pair) -> None:
    with pytest.raises(Exception, match="ERR"):
        pair.run(ask(cal.Download(count=0, data=b"")))


def test_a_command_that_is_not_answered_leaves_the_pointer_in_doubt(pair: Pair) -> None:
    def procedure():
        yield from set_mta(RAM)
        yield Tell(std.GetStatus())

    pair.run(procedure())
    pair.forget()
    pair.run(set_mta(RAM))
    assert pair.seen == ["SET_MTA"]


def test_a_cancelled_procedure_leaves_the_pointer_unknown(pair: Pair) -> None:
    pair.run(set_mta(RAM))
    running = pair.master.start(ask(std.GetStatus()), pair.now_ns)
    pair.master.cancel(running)
    pair.forget()
    pair.run(set_mta(RAM))
    assert "SET_MTA" in pair.seen


# -------------------------------------------------------------------------------- refused commands


def test_a_refused_command_is_sent_once_per_device() -> None:
    slave = Scripted(lambda name, n: b"\xfe\x20" if name == "GET_ID" else None)
    session = Session()
    for _ in range(2):
        with pytest.raises(UnknownCommandError, match="GET_ID"):
            slave.run(attempt(session, std.GetId(identification_type=1)))
    assert slave.sent == ["GET_ID"]
    session.forget()
    with pytest.raises(UnknownCommandError):
        slave.run(attempt(session, std.GetId(identification_type=1)))
    with pytest.raises(UnknownCommandError):
        slave.run(attempt(None, std.GetId(identification_type=1)))
    assert slave.sent == ["GET_ID"] * 3


def test_memory_that_is_denied_says_nothing_about_commands(pair: Pair) -> None:
    with pytest.raises(AccessDeniedError):
        pair.run(XcpMemory(pair.session).read(Address(0x1234), 80))
    assert pair.session.refused == set()


# ------------------------------------------------------------------------------ runs done by a link


class Doing:
    """A link of sorts: does the bulk of a master by itself, up to a point.

    Args:
        pair: master and slave.
        good: commands that are done before the trouble.
    """

    def __init__(self, pair: Pair, good: int) -> None:
        self.pair = pair
        self.good = good
        self.bulks = 0
        pair.master.offer.wanted = True

    def run(self, procedure: Any) -> Any:
        pair = self.pair
        running = pair.master.start(procedure, pair.now_ns)
        for _ in range(10_000):
            pair.exchange()
            if running.done():
                return running.result()
            bulk = pair.master.offer.bulk
            if bulk is None:
                pair.wait()
            elif self.do(bulk):
                pair.master.bulk_done(pair.now_ns)
        raise AssertionError("no end")

    def do(self, bulk: Any) -> bool:
        self.bulks += 1
        for packet, sizes in zip(bulk.packets, bulk.sizes, strict=True):
            if not self.good:
                return self.trouble(packet)
            self.good -= 1
            self.pair.slave.receive(packet, self.pair.now_ns)
            answers = self.pair.slave.outgoing()
            assert [len(a) - bulk.head for a in answers] == list(sizes)
            bulk.data += [a[bulk.head :] for a in answers]
            bulk.done += 1
        return True

    def trouble(self, packet: bytes) -> bool:
        self.good = 1000
        return True


@pytest.mark.parametrize("max_cto", [8, 64])
@pytest.mark.parametrize("good", [0, 1, 3, 1000])
def test_a_bulk_that_ends_early_goes_on_behind_what_is_there(max_cto: int, good: int) -> None:
    pair = Pair(config(max_cto=max_cto))
    doing = Doing(pair, good)
    pair.forget()
    assert doing.run(XcpMemory(pair.session).read(RAM, 3000)) == pair.memory.read(RAM, 3000)
    assert doing.bulks == (1 if good == 1000 else 2)
    assert pair.seen.count("SYNCH") == (good < 1000)
    assert pair.master.counters.timeouts == (good < 1000)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (b"\xff\x01", None),
        (b"\xfe\x00", None),
        (b"\xfe\x10", None),
        (b"\xfe\x24", AccessDeniedError),
    ],
)
@pytest.mark.parametrize("max_cto", [8, 252])
def test_a_packet_that_does_not_belong_ends_a_bulk(max_cto: int, told: bytes, error: Any) -> None:
    pair = Pair(config(max_cto=max_cto))

    class Odd(Doing):
        def trouble(self, packet: bytes) -> bool:
            self.good = 1000
            self.pair.master.receive(told, self.pair.now_ns)
            return False

    doing = Odd(pair, 2)
    if error is None:
        assert doing.run(XcpMemory(pair.session).read(RAM, 4000)) == pair.memory.read(RAM, 4000)
    else:
        with pytest.raises(error):
            doing.run(XcpMemory(pair.session).read(RAM, 4000))
    assert pair.master.offer.bulk is None


def test_a_bulk_that_nobody_does_is_done_by_hand() -> None:
    pair = Pair(config(max_cto=8))
    pair.master.offer.wanted = True
    assert pair.run(XcpMemory(pair.session).read(RAM, 600)) == pair.memory.read(RAM, 600)
    assert pair.now_ns == T1 * pair.master.counters.timeouts


def test_cancelling_in_a_bulk_makes_the_next_command_begin_with_synch() -> None:
    pair = Pair(config(max_cto=8))
    pair.master.offer.wanted = True
    running = pair.master.start(XcpMemory(pair.session).read(RAM, 600), 0)
    pair.exchange()
    assert pair.master.offer.bulk is not None
    pair.master.cancel(running)
    assert pair.master.offer.bulk is None
    pair.forget()
    pair.run(ask(std.GetStatus()))
    assert pair.seen == ["SYNCH", "GET_STATUS"]


def test_progress_of_uploads_is_told() -> None:
    slave = Scripted(lambda name, n: b"\xff" + bytes(254))
    told: list[int] = []
    session = Session(profile=Profile(max_cto=255, max_dto=255))
    assert slave.run(upload(session, 600, told.append)) == bytes(600)
    assert told == [254, 508, 600]
    assert slave.elapsed_ms < TIMES[0]


def test_a_packet_of_a_block_that_is_too_short_ends_the_block() -> None:
    """ERR_CMD_SYNTAX; nothing is written and the next DOWNLOAD_NEXT is out of sequence, with 0 expected."""
    pair = Pair(config(max_cto=8))
    pair.run(ask(std.SetMta(address=RAM.value)))
    before = pair.memory.read(RAM, 16)
    for packet, answer in (
        (bytes((0xF0, 10)) + b"abcdef", []),
        (bytes((0xEF, 4)) + b"ghi", [b"\xfe\x21"]),
        (bytes((0xEF, 4)) + b"ghij", [b"\xfe\x29\x00"]),
    ):
        pair.slave.receive(packet, 0)
        assert pair.slave.outgoing() == answer
    assert pair.memory.read(RAM, 16) == before
