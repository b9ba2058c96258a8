"""Calibration through a real master and slave: which packets, on which pages, when packets are lost.

Segment 0 has a RAM page and a page that cannot be written; both pages of segment 1 can be written.
"""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from pair.link import RAM, SEGMENTS, PagedMemory, Pair, config, refusal
from xcaliper.a2l import parse
from xcaliper.calib.calibrator import Calibrator
from xcaliper.calib.groups import Brackets
from xcaliper.calib.history import State
from xcaliper.calib.segments import CalibSegment, PageUse
from xcaliper.client.commands import Commands
from xcaliper.client.memory_access import MemoryAccess
from xcaliper.client.paging import Paging
from xcaliper.client.slave_port import SlavePort, calibration_segments
from xcaliper.client.survey import survey_segments
from xcaliper.core.errors import (
    NegativeResponseError,
    TransactionError,
    UnknownCommandError,
    XcaliperError,
)
from xcaliper.quantity.catalog import Catalog
from xcaliper.xcp.codes import ChecksumType, ErrorCode
from xcaliper.xcp.slave_store import StoreSettings

TEXT = """ASAP2_VERSION 1 71 /begin PROJECT P "" /begin MODULE M ""
/begin RECORD_LAYOUT L FNC_VALUES 1 ULONG ROW_DIR DIRECT /end RECORD_LAYOUT
/begin MOD_PAR ""
  /begin MEMORY_SEGMENT Extra "" DATA RAM INTERN 0x20000000 0x100 -1 -1 -1 -1 -1 /end MEMORY_SEGMENT
  /begin MEMORY_SEGMENT Code "" CODE FLASH INTERN 0x08000000 0x100 -1 -1 -1 -1 -1 /end MEMORY_SEGMENT
  /begin MEMORY_SEGMENT Cal "" DATA FLASH INTERN 0x60000010 0x20 -1 -1 -1 -1 -1 /end MEMORY_SEGMENT
/end MOD_PAR
/begin CHARACTERISTIC one "" VALUE 0x60000000 L 0 NO_COMPU_METHOD 0 4294967295 /end CHARACTERISTIC
/begin CHARACTERISTIC two "" VALUE 0x60000040 L 0 NO_COMPU_METHOD 0 4294967295 /end CHARACTERISTIC
/begin CHARACTERISTIC ram "" VALUE 0x20000000 L 0 NO_COMPU_METHOD 0 4294967295 /end CHARACTERISTIC
/begin CHARACTERISTIC all "" VAL_BLK 0x60000000 L 0 NO_COMPU_METHOD 0 4294967295 MATRIX_DIM 64 /end CHARACTERISTIC
/begin CHARACTERISTIC a "" VALUE 0x60010000 L 0 NO_COMPU_METHOD 0 4294967295 /end CHARACTERISTIC
/begin CHARACTERISTIC b "" VALUE 0x60010030 L 0 NO_COMPU_METHOD 0 4294967295 /end CHARACTERISTIC
/end MODULE /end PROJECT"""
FILE = parse(TEXT)


class Bench:
    """A slave machine and calibration on it, as a connection would have it."""

    def __init__(self, **changes) -> None:
        settings = {"store": StoreSettings(daq=True)} | changes
        self.pair = Pair(config(**settings), memory=PagedMemory())
        link = SimpleNamespace(run=self.pair.run, name="pair")
        self.segments = survey_segments(link, self.pair.session, FILE)
        self.connection = SimpleNamespace(
            link=link,
            session=self.pair.session,
            info=SimpleNamespace(segments=self.segments),
            description=SimpleNamespace(file=FILE),
            catalog=Catalog(FILE),
            commands=Commands(link),
        )
        self.memory = MemoryAccess(self.connection)
        self.memory.know(self.segments)
        self.connection.paging = Paging(
            lambda: link,
            self.segments,
            mark=lambda _: None,
            note=lambda *_, **__: None,
            wait=lambda *_: None,
            ag=1,
        )
        self.port = SlavePort(self.connection, self.memory)
        self.calib = self.connect()

    def connect(self, history=None) -> Calibrator:
        made = Calibrator(
            Catalog(FILE),
            self.port,
            calibration_segments(self.connection),
            clock=lambda: 0,
            history=history,
        )
        self.pair.forget()
        return made

    def active(self) -> dict[int, bytes]:
        memory = self.pair.memory
        return {
            s.number: bytes(memory.pages[s.number, memory.used[s.number, True]]) for s in SEGMENTS
        }

    def group(self, values: dict[str, int], **options):
        with self.calib.group(**options) as group:
            for name, value in values.items():
                self.calib[name] = value
        return group


def test_segments_come_from_the_slave_and_the_rest_from_the_description():
    paged, other, plain = calibration_segments(Bench().connection)
    assert paged == CalibSegment(
        0, "", SEGMENTS[0].address, 0x100, (PageUse(0), PageUse(1, ecu=3, xcp_write=0))
    )
    assert other.pages == (PageUse(0), PageUse(1))
    assert (plain.number, plain.name, plain.start, plain.size_bytes) == (None, "Extra", RAM, 0x100)


def test_a_write_is_one_short_download_and_one_short_upload():
    bench = Bench()
    bench.calib["one"] = 7
    bench.pair.forget()
    bench.calib["one"] = 8
    assert bench.pair.seen == ["SHORT_DOWNLOAD", "SHORT_UPLOAD"]
    bench.pair.forget()
    assert bench.calib["one"] == 8
    assert bench.pair.seen == []


def test_a_long_write_is_proven_by_a_checksum():
    bench = Bench()
    bench.calib["all"] = [0x01010101 + n for n in range(64)]
    assert bench.pair.seen.count("BUILD_CHECKSUM") == 1
    assert bench.pair.seen[-1] == "BUILD_CHECKSUM"
    assert bench.active()[0] == b"".join(bytes((n, 1, 1, 1)) for n in range(1, 65))


def test_an_algorithm_that_nobody_knows_is_replaced_by_reading():
    settings = {"checksum": ChecksumType.XCP_USER_DEFINED, "user_checksum": len}
    bench = Bench(**settings)
    bench.calib["all"] = [0x01010101 + n for n in range(64)]
    assert bench.active()[0][4] == 2
    bench.port.checksums = len
    bench.pair.forget()
    bench.calib["all"] = [0x02020202 + n for n in range(64)]
    assert bench.pair.seen[-1] == "BUILD_CHECKSUM"


def test_the_working_set_costs_a_checksum_when_nothing_has_changed():
    bench = Bench()
    bench.calib.refresh()
    bench.pair.forget()
    found = bench.calib.refresh()
    assert found.uploaded == 0x40, "what is short is read, which costs no more"
    assert set(bench.pair.seen) <= {"SET_MTA", "BUILD_CHECKSUM", "SHORT_UPLOAD", "UPLOAD"}
    assert bench.pair.seen.count("BUILD_CHECKSUM") == 2


def test_a_group_is_written_on_the_other_page_and_the_ecu_takes_it():
    bench = Bench()
    memory = bench.pair.memory
    memory.pages[1, 1][:] = memory.pages[1, 0]
    start = bench.active()
    states = []
    write, switch = memory.write, memory.set_page
    memory.write = lambda at, data: (write(at, data), states.append(bench.active()))
    memory.set_page = lambda *a, **k: (switch(*a, **k), states.append(bench.active()))
    group = bench.group({"a": 1, "b": 2})
    assert group.transaction.is_swap
    assert bench.pair.memory.used == {(0, True): 0, (0, False): 0, (1, True): 1, (1, False): 1}
    assert [one for n, one in enumerate(states) if one not in states[:n]] == [start, bench.active()]
    bench.calib.undo()
    assert bench.active() == start


def test_while_the_ecu_is_parked_it_works_with_the_reference_page():
    bench = Bench()
    reference = bytes(bench.pair.memory.pages[0, 1])
    states = []
    write = bench.pair.memory.write
    bench.pair.memory.write = lambda at, data: (write(at, data), states.append(bench.active()[0]))
    bench.group({"one": 1, "two": 2}, how="park")
    assert states == [reference, reference]
    assert bench.active()[0][:4] == b"\1\0\0\0"


def test_user_commands_stand_around_a_group():
    told: list[tuple[int, bytes]] = []
    bench = Bench(user_command=lambda sub, data: told.append((sub, data)) or b"")
    bench.calib.brackets = Brackets(b"\x07\x01", b"\x08")
    bench.group({"one": 1, "two": 2}, how="order")
    assert told == [(7, b"\x01"), (8, b"")]
    assert (bench.pair.seen[-1], bench.pair.seen.count("USER_CMD")) == ("USER_CMD", 2)
    lacking = Bench()
    before = lacking.active()
    lacking.calib.brackets = Brackets(b"\x07")
    with pytest.raises(UnknownCommandError):
        lacking.calib["one"] = 1
    assert lacking.active() == before


def test_memory_without_pages_is_written_while_other_segments_are_parked():
    bench = Bench()
    bench.group({"ram": 5, "one": 6}, how="park")
    assert bench.pair.seen.count("SET_CAL_PAGE") == 2
    assert (bench.calib["ram"], bench.calib["one"]) == (5, 6)


@pytest.mark.parametrize("seed", range(40))
def test_lost_packets_end_in_a_group_that_is_whole_or_known(seed):
    """Packets are lost at random; in the end the group is there, or not at all, or settled."""
    rng = random.Random(seed)
    bench = Bench()
    bench.pair.memory.pages[1, 1][:] = bench.pair.memory.pages[1, 0]
    before = bench.active()
    how = rng.choice(["order", "park", "swap"])
    values = {"a": 1, "b": 2} if how == "swap" else {"one": 1, "two": 2, "a": 3}

    def lose(packet, number):
        return [] if rng.random() < 0.35 else [(0, packet)]

    bench.pair.to_slave.hook = bench.pair.to_master.hook = lose
    try:
        bench.group(values, how=how)
    except XcaliperError as error:
        bench.pair.forget()
        bench.connection.paging.forget()
        if isinstance(error, TransactionError) and not error.restored:
            bench.calib = bench.connect(bench.calib.history)
            bench.calib.settle(rng.choice(["finish", "back"]))
        else:
            assert bench.active() == before
    bench.pair.forget()
    assert not bench.calib.history.open()
    done = [one for one in bench.calib.history if one.state is State.DONE]
    bench.calib.working.distrust()
    now = {name: bench.calib[name] for name in values}
    if done:
        assert now == values
    else:
        assert bench.active() == before
    assert bench.calib.disagreements() == []


def test_a_slave_that_refuses_the_second_write_of_a_group_is_as_before():
    bench = Bench()
    before = bench.active()
    write, count = bench.pair.memory.write, []

    def refuse_second(address, data):
        count.append(1)
        if len(count) == 2:
            raise refusal(ErrorCode.ERR_ACCESS_DENIED)
        write(address, data)

    bench.pair.memory.write = refuse_second
    with pytest.raises(TransactionError) as caught:
        bench.group({"one": 1, "two": 2}, how="order")
    assert caught.value.restored
    assert isinstance(caught.value.__cause__, NegativeResponseError)
    assert bench.active() == before
