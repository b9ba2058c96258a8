"""Hostile and foreign input: bounded time and memory, one clear finding."""

import time
import tracemalloc

import pytest

from xcaliper.a2l import open_a2l, parse

HEAD = 'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m ""\n'
TAIL = "\n/end MODULE /end PROJECT"
GOOD = '/begin MEASUREMENT good "" UBYTE CM 0 0 0 1 /end MEASUREMENT\n'


def slugs(file):
    return [d.slug for d in file.diagnostics]


@pytest.fixture(autouse=True)
def bounded_time():
    start = time.process_time()
    yield
    assert (
        time.process_time() - start < 20
    )  # seconds are generous; what grows faster than the input takes hours


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 5000, "ELF"),
        (b"MZ\x90\0" + bytes(range(256)) * 5000, "Windows"),
        (b"PK\x03\x04" + bytes(1000), "ZIP"),
        (b"MDF     4.10", "MDF"),
        (b":1000000000", "HEX"),
        (b"S00600004844521B", "S-record"),
        (b"<?xml version='1.0'?>", "XML"),
    ],
)
def test_other_files_are_named(data, kind):
    file = parse(data)
    assert slugs(file) == ["not-asap2"]
    assert kind in file.diagnostics[0].text
    assert file.to_bytes() == data


@pytest.mark.parametrize("seed", range(3))
def test_binary_noise(seed):
    import random

    data = random.Random(seed).randbytes(300_000)
    file = parse(data)
    assert slugs(file) == ["not-asap2"]
    assert file.to_bytes() == data


def test_nesting_of_blocks_that_have_no_end():
    file = parse(HEAD + "/begin X " * 10_000)
    assert "cut-off" in slugs(file)
    assert len(file.diagnostics) <= 1001


def test_nesting_below_an_object():
    for tag in ("X", "MEASUREMENT", "MODULE", "IF_DATA"):
        file = parse(HEAD + f"/begin {tag} " * 10_000 + f"/end {tag} " * 10_000 + GOOD + TAIL)
        assert len(file.diagnostics) <= 1002
        assert repr(file)


def test_a_megabyte_string():
    text = "x" * 2_000_000
    file = parse(HEAD + GOOD.replace('""', f'"{text}"') + GOOD + TAIL)
    assert [len(m.long_identifier) for m in file.module.measurement] == [2_000_000, 0]


@pytest.mark.parametrize(
    "line",
    [
        '"" \\"',
        '"',
        '"a\\"',
        '"""',
        "/*",
        "//",
        "/",
        "/begin A2ML",
        "/begin",
        "/end",
        '\\"',
        "/begin X/",
    ],
)
def test_lines_that_look_for_an_end(line):
    text = HEAD + (line + "\n") * 60_000 + GOOD + TAIL
    assert len(parse(text).diagnostics) <= 1002


def test_a_megabyte_line_of_defects():
    file = parse(HEAD + "/begin X /end Y " * 60_000 + GOOD + TAIL)
    assert len(file.diagnostics) == 1001


def test_a_thousand_broken_objects_drop_out():
    bad = '/begin MEASUREMENT bad "" UBYTE /end MEASUREMENT\n'
    file = open_a2l(HEAD + bad * 3000 + GOOD + bad + TAIL)
    objects = file.module.measurement
    assert len(objects) == 3002
    assert [m.name for m in objects] == ["good"]
    assert len(objects) == 1
    assert objects[0].name == "good"


def test_broken_objects_drop_out_by_index():
    bad = '/begin MEASUREMENT bad "" UBYTE /end MEASUREMENT\n'
    objects = open_a2l(HEAD + bad * 3 + GOOD + bad + TAIL).module.measurement
    assert objects[0].name == "good"
    assert len(objects) == 2
    with pytest.raises(IndexError):
        objects[1]
    assert objects[-1].name == "good"


def test_an_include_bomb():
    """Every text includes the next one twice: two to the power of thirty texts."""
    asked = []

    def loader(name, source):
        asked.append(name)
        number = int(name)
        return f'/include "{number + 1}"\n/include "{number + 1}"\n' + " " * 1000

    file = parse(HEAD + '/include "0"\n' + GOOD + TAIL, loader=loader)
    assert "include-limit" in slugs(file)
    assert [m.name for m in file.module.measurement] == ["good"]
    assert len(asked) < 50_000


def test_memory_follows_the_size():
    data = (HEAD + "/begin X " * 10_000 + '"' * 20_001 + "/* " + TAIL).encode()
    tracemalloc.start()
    try:
        parse(data)
        assert tracemalloc.get_traced_memory()[1] < 60 * len(data) + 20_000_000
    finally:
        tracemalloc.stop()
