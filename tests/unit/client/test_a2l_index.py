"""Large descriptions: read on access, opened again by their index, saved byte for byte."""

import os

import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.index import ModuleIndex
from xcaliper.a2l.names import NameTable
from xcaliper.a2l.store import LateText, pack, unpack
from xcaliper.client import a2l_source
from xcaliper.client.a2l_source import IndexFolder, read_a2l, save_a2l
from xcaliper.core.errors import A2lError, UsageError

TEXT = (
    'ASAP2_VERSION 1 71\n/begin PROJECT p ""\n/begin MODULE m ""\nSTRAY 1\n'
    '/begin MOD_PAR "" EPK "x" /end MOD_PAR\n'
    + "".join(
        f'/begin MEASUREMENT m{n} "ä" UBYTE CM 0 0 0 {n} /end MEASUREMENT\n' for n in range(500)
    )
    + '/begin MEASUREMENT m7 "twice" UBYTE /end MEASUREMENT\n/begin GROUP "g" "" /end GROUP\n'
    "LOOSE 2\n/end MODULE\n/end PROJECT\n"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(a2l_source, "LAZY_FROM_BYTES", 1000)
    monkeypatch.setattr(a2l_source, "_RACY_NS", -(1 << 62))
    return IndexFolder(tmp_path / "cache")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "large.a2l"
    path.write_text(TEXT, "utf-8")
    return path


def texts(found):
    found.load_all()
    return [str(d) for d in found.diagnostics]


def test_opened_again_it_is_the_same(folder, file):
    first = read_a2l(file, index=folder)
    assert list(folder.folder.iterdir())
    again = folder.load(file, file.stat())
    assert again is not None
    assert ModuleIndex(again.module).object("m499").upper_limit == 499
    assert again.module.group[0].name == "g"
    assert again.module.mod_par.epk == "x"
    assert again.to_bytes() == file.read_bytes()
    assert texts(again) == texts(first) == texts(parse(TEXT, source=str(file)))
    assert again == first


def test_the_text_is_not_read_for_names(folder, file, monkeypatch):
    read_a2l(file, index=folder)
    again = folder.load(file, file.stat())
    monkeypatch.setattr(LateText, "whole", lambda self: pytest.fail("read as a whole"))
    index = ModuleIndex(again.module)
    with monkeypatch.context() as patch:
        patch.setattr(NameTable, "names", lambda self: pytest.fail("all names were made"))
        assert "m3" in index.spaces["object"]
        assert "nobody" not in index.spaces["object"]
        assert index.object("nobody") is None
        assert index.object("m7").long_identifier == "ä"
        assert "g" in index.spaces["group"]
        assert index.find("m3", "GROUP") is None
    assert index.object("m3").upper_limit == 3
    assert len(again.module.measurement) == 501


def test_names_are_looked_up_as_they_are_now(folder, file):
    read_a2l(file, index=folder)
    again = folder.load(file, file.stat())
    index = ModuleIndex(again.module)
    assert [
        m.name for m in index.spaces["object"].duplicates()
    ] == []  # the second m7 cannot be read
    fresh = ModuleIndex(again.module)
    again.module.measurement[3].name = "renamed"
    del again.module.measurement[5]
    assert fresh.object("m3") is None
    assert fresh.object("m5") is None
    assert fresh.object("renamed").upper_limit == 3


def test_names_that_share_a_sum_are_told_apart():
    table = NameTable.of(
        ["plumless", "x", "buckeroo", "x", ""]
    )  # the CRC-32 of the first and third are equal
    assert [table.find(n) for n in ("plumless", "buckeroo", "x", "", "y")] == [
        [0],
        [2],
        [1, 3],
        [4],
        [],
    ]
    assert table.names() == ["plumless", "x", "buckeroo", "x", ""]
    assert NameTable.of([]).find("x") == []


@pytest.mark.parametrize("same_time", [True, False])
def test_another_content_is_read_anew(folder, file, same_time):
    read_a2l(file, index=folder)
    before = file.stat()
    file.write_text(TEXT.replace("m499", "n499"), "utf-8")
    if same_time:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert folder.load(file, file.stat()) is None
    assert read_a2l(file, index=folder).module.measurement[499].name == "n499"


def test_a_touched_file_keeps_its_index(folder, file):
    read_a2l(file, index=folder)
    os.utime(file, ns=(1, 1))
    assert folder.load(file, file.stat()) is not None


def test_a_fresh_file_is_compared_as_a_whole(folder, file, monkeypatch):
    monkeypatch.setattr(a2l_source, "_RACY_NS", 1 << 62)
    monkeypatch.setattr(a2l_source, "_samples", lambda file, size: "always the same")
    read_a2l(file, index=folder)
    before = file.stat()
    assert folder.load(file, before) is not None
    file.write_text(TEXT.replace("m250", "n250"), "utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert folder.load(file, file.stat()) is None


def test_a_change_after_opening_is_an_error_not_a_wrong_object(folder, file):
    read_a2l(file, index=folder)
    again = folder.load(file, file.stat())
    file.write_text(TEXT.replace("m250", "n250"), "utf-8")
    with pytest.raises(A2lError, match="changed after it was opened"):
        again.to_bytes()


@pytest.mark.parametrize("at", [0, 30, 400, -1])
def test_a_damaged_index_is_not_used(folder, file, at):
    read_a2l(file, index=folder)
    (place,) = folder.folder.iterdir()
    data = bytearray(place.read_bytes())
    meta = data.index(b"\n") + 1
    data[meta + at if at >= 0 else at] ^= 0x41
    place.write_bytes(data)
    assert folder.load(file, file.stat()) is None
    for part in (b"", b"{}", b"\n", bytes(data[:50])):
        place.write_bytes(part)
        assert folder.load(file, file.stat()) is None


def test_a_folder_that_cannot_be_written_is_no_error(file, tmp_path, folder):
    (tmp_path / "taken").write_text("")
    index = IndexFolder(tmp_path / "taken")
    assert len(read_a2l(file, index=index).module.measurement) == 501


def test_only_plain_texts_have_an_index(file):
    assert pack(parse(TEXT)) is None
    assert unpack(b"", b"") is None
    assert unpack(b"x" * 100, b"") is None


def test_save(tmp_path, folder, file):
    part = tmp_path / "part.a2l"
    part.write_bytes('/begin UNIT u "" "ö" DERIVED /end UNIT\r\n'.encode("cp1252"))
    file.write_text(TEXT.replace("STRAY 1", '/include "part.a2l"'), "utf-8")
    found = read_a2l(file, index=folder)
    assert save_a2l(found) == [file]
    assert save_a2l(found, tmp_path / "copy.a2l") == [tmp_path / "copy.a2l"]
    assert (tmp_path / "copy.a2l").read_bytes() == file.read_bytes()
    unit = found.module.unit[0]
    found.document.replace(unit, '/begin UNIT u "" "ü" DERIVED /end UNIT')
    assert save_a2l(found) == [file, part]
    assert part.read_bytes() == '/begin UNIT u "" "ü" DERIVED /end UNIT\r\n'.encode("cp1252")
    with pytest.raises(UsageError, match="included file"):
        save_a2l(found, tmp_path / "copy.a2l")
    with pytest.raises(A2lError, match="cannot be written"):
        save_a2l(read_a2l(file, index=folder), tmp_path / "missing" / "x.a2l")


def test_includes_outside_of_the_folder_need_the_option(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "other.a2l").write_text('/begin GROUP g "" /end GROUP')
    main = tmp_path / "home" / "main.a2l"
    main.write_text(
        '/begin PROJECT p "" /begin MODULE m "" /include ../other.a2l /end MODULE /end PROJECT'
    )
    assert [d.slug for d in read_a2l(main).diagnostics] == ["include-missing"]
    assert "outside of the folder" in read_a2l(main).diagnostics[0].text
    found = read_a2l(main, outside=True)
    assert found.module.group[0].where.source == str(tmp_path / "other.a2l")
    assert not found.diagnostics
