"""Descriptions from files and from the cache: trusted by content, never outside their folder."""

import os
from pathlib import Path

import pytest

from xcaliper.client.a2l_source import A2lCache, default_cache_folder, read_a2l
from xcaliper.core.errors import A2lError

HEAD = 'ASAP2_VERSION 1 71\n/begin PROJECT p ""\n/begin MODULE m ""\n'
TAIL = "/end MODULE\n/end PROJECT\n"


def measurement(name):
    return f'/begin MEASUREMENT {name} "" UWORD NO_COMPU_METHOD 0 0 0 100\n/end MEASUREMENT\n'


def names(file):
    return {item.name for item in file.module.measurement}


def slugs(file):
    return {finding.slug for finding in file.diagnostics}


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "project"
    home.mkdir()
    return home


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XCALIPER_CACHE", str(tmp_path / "cache" / "deep"))
    return A2lCache()


def main_file(folder, body):
    file = folder / "main.a2l"
    file.write_text(HEAD + body + TAIL, "utf-8")
    return file


class TestRead:
    @pytest.mark.parametrize("kind", [Path, str])
    def test_a_file(self, folder, kind):
        file = read_a2l(kind(main_file(folder, measurement("n"))))
        assert names(file) == {"n"}
        assert not file.diagnostics

    def test_a_missing_file_is_named(self, folder):
        with pytest.raises(A2lError, match=r"gone\.a2l.*cannot be read") as caught:
            read_a2l(folder / "gone.a2l")
        assert caught.value.source == str(folder / "gone.a2l")
        assert caught.value.hint

    @pytest.mark.parametrize("path", [".", "a\0b"])
    def test_a_path_that_is_no_file(self, folder, path):
        with pytest.raises(A2lError, match="cannot be read"):
            read_a2l(f"{folder}/{path}")

    def test_damage_is_reported_not_raised(self, folder):
        file = folder / "bad.a2l"
        file.write_bytes(b"\xff\x00/begin PROJECT \xfe")
        assert read_a2l(file).diagnostics


class TestIncludes:
    def test_beside_and_below_the_file(self, folder):
        (folder / "sub").mkdir()
        (folder / "one.a2l").write_text(measurement("one"))
        (folder / "sub" / "two.a2l").write_text(measurement("two"))
        file = read_a2l(main_file(folder, '/include "one.a2l"\n/include "sub\\two.a2l"\n'))
        assert names(file) == {"one", "two"}
        assert not file.diagnostics

    def test_includes_of_includes_are_relative_to_the_including_file(self, folder, monkeypatch):
        (folder / "sub" / "deep").mkdir(parents=True)
        (folder / "sub" / "a.a2l").write_text('/include "deep/b.a2l"\n/include "../top.a2l"\n')
        (folder / "sub" / "deep" / "b.a2l").write_text('/include "c.a2l"\n')
        (folder / "sub" / "deep" / "c.a2l").write_text(measurement("c"))
        (folder / "top.a2l").write_text(measurement("top"))
        main = main_file(folder, '/include "sub/a.a2l"\n')
        assert names(read_a2l(main)) == {"c", "top"}
        monkeypatch.chdir(folder)
        file = read_a2l("main.a2l")
        assert names(file) == {"c", "top"}
        assert not file.diagnostics

    def test_never_outside_the_folder(self, folder):
        outside = folder.parent / "secret.a2l"
        outside.write_text(measurement("secret"))
        (folder.parent / "project-2").mkdir()
        (folder.parent / "project-2" / "near.a2l").write_text(measurement("near"))
        (folder / "sub").mkdir()
        (folder / "sub" / "up.a2l").write_text('/include "../../secret.a2l"\n')
        body = (
            '/include "../secret.a2l"\n'
            f'/include "{outside.as_posix()}"\n'
            '/include "../project-2/near.a2l"\n'
            '/include "sub/up.a2l"\n'
        )
        file = read_a2l(main_file(folder, body + measurement("n")))
        assert names(file) == {"n"}
        assert [f.slug for f in file.diagnostics].count("include-missing") == 4
        assert all("--outside" in f.hint for f in file.diagnostics)

    def test_names_may_differ_in_case(self, folder):
        (folder / "Sub").mkdir()
        (folder / "Sub" / "Part.A2L").write_text(
            '/include "..\\\\sub\\\\OTHER.a2l"\n' + measurement("part")
        )
        (folder / "Sub" / "Other.a2l").write_text(measurement("other"))
        file = read_a2l(main_file(folder, "/include sub/part.a2l\n/include SUB/gone.a2l\n"))
        assert names(file) == {"part", "other"}
        assert [f.where.line for f in file.diagnostics] == [5]

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
    def test_a_pipe_is_no_text(self, folder):
        os.mkfifo(folder / "pipe.a2l")
        file = read_a2l(main_file(folder, "/include pipe.a2l\n" + measurement("n")))
        assert names(file) == {"n"}
        assert slugs(file) == {"include-missing"}

    @pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
    def test_never_through_a_link(self, folder):
        (folder.parent / "secret.a2l").write_text(measurement("secret"))
        (folder / "link.a2l").symlink_to(folder.parent / "secret.a2l")
        (folder / "loop.a2l").symlink_to(folder / "loop.a2l")
        body = '/include "link.a2l"\n/include "loop.a2l"\n'
        file = read_a2l(main_file(folder, body + measurement("n")))
        assert names(file) == {"n"}
        assert slugs(file) == {"include-missing"}

    @pytest.mark.parametrize("name", ["gone.a2l", "sub", "a\0b", "x" * 5000])
    def test_what_cannot_be_read_is_reported(self, folder, name):
        (folder / "sub").mkdir()
        file = read_a2l(main_file(folder, f'/include "{name}"\n' + measurement("n")))
        assert names(file) == {"n"}
        assert "include-missing" in slugs(file)

    def test_cycles_end(self, folder):
        (folder / "a.a2l").write_text('/include "b.a2l"\n' + measurement("a"))
        (folder / "b.a2l").write_text('/include "a.a2l"\n' + measurement("b"))
        file = read_a2l(main_file(folder, '/include "a.a2l"\n'))
        assert names(file) == {"a", "b"}
        assert "include-cycle" in slugs(file)


class TestCacheFolder:
    def test_chosen_by_the_environment(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XCALIPER_CACHE", str(tmp_path))
        assert default_cache_folder() == tmp_path
        assert A2lCache().folder == tmp_path
        assert A2lCache(tmp_path / "x").folder == tmp_path / "x"

    @pytest.mark.skipif(os.name == "nt", reason="Windows has another variable")
    def test_else_the_folder_of_the_user(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XCALIPER_CACHE", "")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert default_cache_folder() == tmp_path / "xcaliper" / "a2l"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert default_cache_folder() == tmp_path / ".cache" / "xcaliper" / "a2l"


class TestCache:
    def test_nothing_before_the_first(self, cache):
        assert cache.candidates("EPK", 3) == []
        assert not cache.folder.exists()

    def test_found_by_epk_and_size(self, cache):
        path = cache.store("EPK", b"abc")
        assert path.read_bytes() == b"abc"
        assert path.parent == cache.folder
        assert cache.candidates("EPK", 3) == [b"abc"]
        assert cache.candidates("EPK", 4) == []
        assert cache.candidates("EPK2", 3) == []
        assert A2lCache(cache.folder).candidates("EPK", 3) == [b"abc"]

    def test_newest_first(self, cache):
        for age, data in enumerate([b"new", b"mid", b"old"]):
            os.utime(cache.store("EPK", data), (1000 - age, 1000 - age))
        assert cache.candidates("EPK", 3) == [b"new", b"mid", b"old"]

    def test_the_same_content_is_kept_once(self, cache):
        assert cache.store("EPK", b"abc") == cache.store("EPK", b"abc")
        assert len(list(cache.folder.iterdir())) == 1

    @pytest.mark.parametrize("damage", [b"abX", b"ab", b"", b"abcd"])
    def test_damaged_files_are_left_out(self, cache, damage):
        cache.store("EPK", b"abc").write_bytes(damage)
        cache.store("EPK", b"xyz")
        assert cache.candidates("EPK", 3) == [b"xyz"]
        assert cache.candidates("EPK", len(damage)) == ([b"xyz"] if len(damage) == 3 else [])

    def test_storing_again_repairs(self, cache):
        cache.store("EPK", b"abc").write_bytes(b"abX")
        cache.store("EPK", b"abc")
        assert cache.candidates("EPK", 3) == [b"abc"]

    def test_one_unreadable_entry_does_not_hide_the_others(self, cache):
        for content in (b"abc", b"def", b"ghi"):
            cache.store("EPK", content)
        broken = cache.store("EPK", b"xyz")
        broken.unlink()
        broken.mkdir()
        size = broken.stat().st_size
        assert cache.candidates("EPK", size) == []  # the folder itself matches the size
        assert sorted(cache.candidates("EPK", 3)) == [b"abc", b"def", b"ghi"]

    @pytest.mark.parametrize("epk", ["", "../../x", "a/b\\c*?[", "é" * 300, "\udcff", "a\0b"])
    def test_any_epk_stays_in_the_folder(self, cache, epk):
        path = cache.store(epk, b"abc")
        assert path.parent == cache.folder
        assert cache.candidates(epk, 3) == [b"abc"]
        assert cache.candidates(epk + "x", 3) == []

    def test_a_folder_that_cannot_be_written_is_harmless(self, tmp_path):
        (tmp_path / "file").write_text("in the way")
        for folder in (tmp_path / "file", tmp_path / "file" / "below"):
            cache = A2lCache(folder)
            assert cache.store("EPK", b"abc") is None
            assert cache.candidates("EPK", 3) == []

    def test_a_store_that_fails_leaves_nothing_behind(self, cache):
        target = cache.store("EPK", b"abc")
        target.unlink()
        target.mkdir()
        (target / "in the way").touch()
        assert cache.store("EPK", b"abc") is None
        assert list(cache.folder.iterdir()) == [target]

    def test_a_folder_that_cannot_be_listed_is_harmless(self, cache, monkeypatch):
        cache.store("EPK", b"abc")

        def refuse(self, pattern):
            raise PermissionError(13, "no")

        monkeypatch.setattr(Path, "glob", refuse)
        assert cache.candidates("EPK", 3) == []
