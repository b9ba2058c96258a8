"""How far long work is: pure code tells a callback, counts rise to their total."""

import struct

import pytest

from xcaliper.a2l import open_a2l
from xcaliper.a2l.check import check
from xcaliper.a2l.convert import convert
from xcaliper.a2l.diff import diff
from xcaliper.a2l.edit import Editor
from xcaliper.a2l.merge import merge
from xcaliper.a2l.scan import scan
from xcaliper.a2l.tidy import tidy
from xcaliper.core.progress import counted
from xcaliper.describe.generator import generate
from xcaliper.describe.updater import update
from xcaliper.image.elf import read_elf
from xcaliper.image.program import Program
from xcaliper.quantity.lint import lint

TEXT = (
    'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m ""\n'
    + "".join(
        f'/begin MEASUREMENT m{n} "" UBYTE NO_COMPU_METHOD 0 0 0 255 ECU_ADDRESS {n} /end MEASUREMENT\n'
        for n in range(2500)
    )
    + "/end MODULE /end PROJECT"
)


@pytest.fixture
def told():
    calls = {}

    def progress(what, done, total):
        calls.setdefault(what, []).append((done, total))

    progress.calls = calls
    return progress


def rises(calls):
    counts = [done for done, _ in calls]
    return counts == sorted(counts) and len({total for _, total in calls}) == 1


def test_every_item_comes_and_the_last_report_is_complete(told):
    assert list(counted(iter(range(1234)), "things", 1234, told)) == list(range(1234))
    assert told.calls["things"][0] == (0, 1234)
    assert told.calls["things"][-1] == (1234, 1234)
    assert 200 <= len(told.calls["things"]) <= 210
    assert rises(told.calls["things"])


def test_few_items_and_nobody_who_looks(told):
    assert list(counted([1, 2], "things", 2, told)) == [1, 2]
    assert list(counted([1, 2], "things", 2, None, few=0)) == [1, 2]
    assert not told.calls


@pytest.mark.parametrize("engine", ["re", "fast"])
def test_bytes_scanned(told, engine):
    data = b"/begin X /end X\n" * 100_000
    assert len(scan(data, engine=engine, progress=told).marks) == 200_000
    assert rises(told.calls["bytes scanned"])
    assert [total for _, total in told.calls["bytes scanned"]] == [len(data)] * 3


def test_objects_read_checked_and_compared(told):
    file = open_a2l(TEXT, progress=told)
    assert not told.calls
    list(file.module.measurement[:1500])
    assert told.calls["objects read"] == [(1000, 2500)]
    findings = check(file, progress=told) + lint(file, progress=told)
    assert told.calls["objects read"] == [(1000, 2500), (2000, 2500)]
    rules = told.calls["rules checked"]
    assert rules[-1][0] == rules[-1][1] > 5
    assert told.calls["objects checked"][-1] == (2500, 2500)
    assert findings == check(open_a2l(TEXT)) + lint(open_a2l(TEXT))
    other = open_a2l(TEXT.replace("ECU_ADDRESS 7 ", "ECU_ADDRESS 8 "))
    assert len(diff(file, other, progress=told).changes) == 1
    assert told.calls["MEASUREMENT compared"][-1] == (2500, 2500)


def test_objects_merged_converted_and_written(told):
    """Every long edit counts up to its total, and its result is that without anybody who looks."""
    other = TEXT.replace("MEASUREMENT m", "MEASUREMENT n").replace("/end PROJECT", "/end PROJECT ")
    file = open_a2l(TEXT)
    editor, _ = merge(file, open_a2l(other), progress=told)
    assert told.calls["objects merged"][-1] == (2500, 2500)
    editor.apply(told)
    assert len(open_a2l(editor.to_bytes()).module.measurement) == 5000
    file = open_a2l(TEXT.replace("UBYTE", "A_UINT64"))
    convert(file, "1.51", progress=told).editor.apply(told)
    assert told.calls["objects converted"][-1] == (2500, 2500)
    assert tidy(open_a2l(TEXT), progress=told) == tidy(open_a2l(TEXT))
    assert told.calls["MEASUREMENT written"][-1] == (2500, 2500)
    editor = Editor(file := open_a2l(TEXT))
    for made in file.module.measurement:
        editor.change(made, ecu_address=made.ecu_address + 1)
    editor.apply(told)
    assert told.calls["texts changed"][-1] == (2500, 2500)
    assert all(rises(calls) for what, calls in told.calls.items() if what != "objects read")


def test_symbols_read_matched_and_described(told):
    """The program: its symbol table, its types where there are any, and what is made of them."""
    count = 1500
    names = [f"m{n}" for n in range(count)]
    strings, at = b"\0", []
    for name in names:
        at.append(len(strings))
        strings += name.encode() + b"\0"
    table = bytes(16) + b"".join(
        struct.pack("<IIIBBH", offset, 0x2000 + n, 1, 0x11, 0, 1) for n, offset in enumerate(at)
    )
    elf = read_elf(elf_file(table, strings), source="p.elf", progress=told)
    assert told.calls["symbols read"][-1] == (count + 1, count + 1)
    program = Program(elf=elf)
    file = open_a2l(TEXT)
    report = update(file, program, progress=told)
    assert told.calls["symbols matched"][-1] == (2500, 2500)
    assert report.counts() == {"addresses_moved": 1500, "types_changed": 0, "vanished": 1000}
    made = generate(program, progress=told)
    assert told.calls["variables described"][-1] == (count, count)
    assert len(made.module.measurement) == count
    assert all(rises(calls) for calls in told.calls.values())


def elf_file(table, strings):
    """A linked 32-bit little-endian program of nothing but a symbol table, laid out by hand."""
    names = b"\0.data\0.symtab\0.strtab\0"
    start = 52
    places = [start, start + len(table), start + len(table) + len(strings)]
    headers = places[2] + len(names)
    rows = [
        (0,) * 10,
        (1, 8, 3, 0x2000, start, 0x1000, 0, 0, 1, 0),
        (7, 2, 0, 0, places[0], len(table), 3, 1, 4, 16),
        (15, 3, 0, 0, places[1], len(strings), 0, 0, 1, 0),
        (15, 3, 0, 0, places[2], len(names), 0, 0, 1, 0),
    ]
    head = b"\x7fELF\x01\x01\x01" + bytes(9)
    head += struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, 0, 0, headers, 0, 52, 32, 0, 40, len(rows), 4)
    return head + table + strings + names + b"".join(struct.pack("<10I", *row) for row in rows)


def test_nobody_is_told_any_more(told):
    file = open_a2l(TEXT, progress=told)
    file.watch(None)
    file.load_all()
    file.watch(told)
    assert not told.calls
