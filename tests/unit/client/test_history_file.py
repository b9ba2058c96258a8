"""The file of a history: what is in it after any cut, what is damaged, who may write it."""

from __future__ import annotations

import json
import os
from zlib import crc32

import pytest

from xcaliper.calib.history import Change, Kind, PageMove, State, Transaction
from xcaliper.calib.write_plan import Run
from xcaliper.client.history_file import HistoryFile, read_history
from xcaliper.core.address import Address
from xcaliper.core.errors import IntegrityError, SourceError, UsageError

HEAD = '{"format":"xcaliper-history","version":1,"epk":"E1","a2l":"a.a2l"}'


def line(text: str) -> bytes:
    return f"{crc32(text.encode()):08x} {text}\n".encode()


def transaction(number: int) -> Transaction:
    return Transaction(
        number,
        Kind.GROUP,
        1_700_000_000_000_000_000 + number,
        "ann",
        "why “so”",
        (Change("a", 1.5, [2, "x"], (0, 1), "V"),),
        (Run(Address(0x10, 2), b"\0\1", b"\1\2"),),
        (Run(Address(0x20), b"\0", b"\3"),),
        (PageMove(0, 0, 1, 0, 0),),
    )


def filled(path) -> bytes:
    with HistoryFile(path, epk="E1", a2l="a.a2l") as file:
        history = file.history()
        for number in (1, 2, 3):
            history.begin(transaction(number))
            if number < 3:
                history.settle(number, State.DONE)
        history.settle(2, State.PARTIAL, (Run(Address(0x10, 2), b"\0", b"\1"),))
    return path.read_bytes()


def test_lines_are_checksum_and_json_by_hand(tmp_path):
    path = tmp_path / "h"
    data = filled(path)
    first, second, third, *_ = data.splitlines(keepends=True)
    assert first == line(HEAD)
    record = json.loads(second[9:])
    assert second == line(second[9:-1].decode())
    assert record["intent"]["runs"] == [[0x10, 2, "0001", "0102"]]
    assert record["intent"]["changes"] == [["a", 1.5, [2, "x"], [0, 1], "V", False]]
    assert json.loads(third[9:]) == {"settled": 1, "state": "done", "runs": None}


def test_what_was_kept_is_there_again(tmp_path):
    path = tmp_path / "h"
    filled(path)
    with HistoryFile(path, epk="E1") as file:
        history = file.history()
        assert file.diagnostics == ()
        states = [one.state for one in history]
        assert states == [State.DONE, State.PARTIAL, State.OPEN]
        assert history[2].runs == (Run(Address(0x10, 2), b"\0", b"\1"),)
        assert history[3] == transaction(3)
        assert history.next_number == 4
        history.settle(3, State.UNDONE, ())
    found, notes = read_history(path)
    assert (found[3].state, found[3].runs, notes) == (State.UNDONE, (), ())


def test_a_file_cut_anywhere_is_read_up_to_its_last_whole_line(tmp_path):
    path = tmp_path / "h"
    data = filled(path)
    ends = [n + 1 for n, byte in enumerate(data) if byte == 10]
    near = {end + step for end in ends for step in (-2, -1, 0, 1)} | set(range(0, len(data), 61))
    for size in sorted(one for one in near | {0} if one <= len(data)):
        path.write_bytes(data[:size])
        whole = max((end for end in ends if end <= size), default=0)
        with HistoryFile(path, epk="E1", a2l="a.a2l") as file:
            count = data[:whole].count(b'{"intent"')
            assert len(file.history()) == count
            torn = size != whole and whole > 0
            assert [one.slug for one in file.diagnostics] == ["torn-line"] * torn
        assert path.read_bytes() == (data[:whole] or line(HEAD)), "what follows begins a line"


def test_damage_in_the_middle_is_told_and_the_rest_is_read(tmp_path):
    path = tmp_path / "h"
    lines = filled(path).splitlines(keepends=True)
    lines[1] = lines[1].replace(b"ann", b"ANN")
    lines.insert(3, line('{"intent":{"number":"x"}}'))
    lines.insert(4, line("[1]"))
    lines.insert(5, line('{"settled":99,"state":"done","runs":null}'))
    path.write_bytes(b"".join(lines))
    found, notes = read_history(path)
    assert list(found.transactions) == [2, 3]
    assert [one.where.line for one in notes] == [2, 3, 4, 5, 6]
    assert {one.slug for one in notes} == {"damaged-line"}


def test_any_byte_changed_gives_a_history_or_an_error_of_ours(tmp_path):
    path = tmp_path / "h"
    data = filled(path)
    for at in range(0, len(data), 7):
        for value in (0, 10, 0x7B, 0xFF):
            path.write_bytes(data[:at] + bytes([value]) + data[at + 1 :])
            try:
                found, notes = read_history(path)
            except SourceError:
                continue
            assert notes or len(found) == 3


def test_what_is_no_history_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "h"
    for content, text in (
        (b"hello\n", "no history"),
        (line('{"format":"other"}'), "no history"),
        (line('{"format":"xcaliper-history","version":9}'), "version is 9"),
    ):
        path.write_bytes(content)
        with pytest.raises(SourceError, match=text):
            HistoryFile(path)
        assert path.read_bytes() == content
    with pytest.raises(SourceError, match="cannot be written"):
        HistoryFile(tmp_path / "no" / "folder")
    with pytest.raises(SourceError, match="cannot be read"):
        read_history(tmp_path / "nothing")


def test_a_history_belongs_to_one_program_and_one_writer(tmp_path):
    path = tmp_path / "h"
    filled(path)
    with pytest.raises(IntegrityError, match="another program"):
        HistoryFile(path, epk="E2")
    with HistoryFile(path), pytest.raises(UsageError, match="keeps this history"):
        HistoryFile(path)
    HistoryFile(path, epk="E1").close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is always full")  # noqa: PTH110
def test_a_full_disk_is_told_before_anything_is_sent(tmp_path, monkeypatch):
    path = tmp_path / "h"
    with HistoryFile(path, epk="E1") as file:
        size = path.stat().st_size
        full = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115
        real, file._file = file._file, full
        with pytest.raises(SourceError, match="cannot be written") as caught:
            file.intend(transaction(1))
        assert "Nothing is sent" in caught.value.hint
        full.close()
        file._file = real
        assert path.stat().st_size == size
        file.intend(transaction(1))
    assert len(read_history(path)[0]) == 1


def test_a_line_that_was_written_in_part_does_not_hide_the_next(tmp_path):
    path = tmp_path / "h"
    with HistoryFile(path, epk="E1") as file:
        real = file._file

        class Short:
            def write(self, data):
                real.write(data[:5])
                raise OSError(28, "No space left on device")

            def fileno(self):
                return real.fileno()

        file._file = Short()
        with pytest.raises(SourceError, match="No space left"):
            file.intend(transaction(1))
        file._file = real
        file.intend(transaction(1))
    found, notes = read_history(path)
    assert (len(found), notes) == (1, ())
