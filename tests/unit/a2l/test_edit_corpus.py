"""Edits of real files: what is read back is what was meant, and few bytes differ."""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.diff import diff
from xcaliper.a2l.edit import Editor
from xcaliper.a2l.index import ModuleIndex
from xcaliper.core.errors import UsageError

ROOT = Path(os.environ.get("XCALIPER_CORPUS", Path(__file__).parents[3] / "../shared/data"))
FILES = sorted(p for p in ROOT.glob("a2l/**/*.a2l") if p.stat().st_size < 300_000)


@pytest.mark.skipif(not FILES, reason="the corpus is not here")
def test_renames_in_real_files():
    renamed = 0
    for path in FILES:
        data = path.read_bytes()
        file = parse(data, source=path.name)
        if file.document is None or len(file.document.sources) > 1:
            continue
        editor = Editor(file)
        for module in file.modules[:1]:
            for kind in ("measurement", "characteristic", "compu_method", "record_layout"):
                for made in getattr(module, kind)[:1]:
                    before = made.name
                    editor.rename(module, {before: f"{before}_xQz"}, made.KEYWORD)
                    renamed += 1
        edited = editor.to_bytes()
        again = parse(edited, source=path.name)
        assert again.modules == file.modules, f"{path}\n{diff(file, again).text()[:500]}"
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            edited = edited.replace("_xQz".encode(encoding), b"")
        assert edited == data, path
    assert renamed


def names_of(data):
    """Kind and name of every block directly below a module, by a plain search; comments and strings left out."""
    text = re.sub(rb'/\*.*?\*/|//[^\n]*|"(?:[^"\\]|\\.|"")*"', b'""', data, flags=re.DOTALL)
    found, depth, module = [], 0, 0
    for mark, keyword, name in re.findall(rb"/(begin|end)\s+(\w+)(?:\s+([^\s/]+))?", text):
        depth += 1 if mark == b"begin" else -1
        module = depth if (mark, keyword) == (b"begin", b"MODULE") else module
        if (
            mark == b"begin"
            and depth == module + 1
            and keyword not in (b"IF_DATA", b"MOD_PAR", b"A2ML")
        ):
            found.append((keyword.decode(), (name or b"").decode("latin-1")))
    return found


def dangling(file):
    return {
        (ref.user.KEYWORD, getattr(ref.user, "name", ""), ref.attr, ref.name)
        for module in file.modules
        for ref in ModuleIndex(module).dangling()
    }


def is_plain(data, file):
    """True for files that the plain search can follow: one text, no grammar, 8 bits, whole."""
    whole = file.project is not None and file.modules and len(file.document.sources) == 1
    return bool(whole) and b"A2ML" not in data and b"\0" not in data and not file.diagnostics


@pytest.mark.skipif(not FILES, reason="the corpus is not here")
def test_pruning_real_files():
    gone_in_all = counted = 0
    for path in FILES:
        data = path.read_bytes()
        file = parse(data, source=path.name)
        if len(file.document.sources) > 1 or file.project is None:
            continue
        before = dangling(file)
        editor = Editor(file)
        gone = [made for module in file.modules for made in editor.prune(module)]
        text = editor.to_bytes()
        again = parse(text, source=path.name)
        assert again.modules == file.modules, path
        assert dangling(again) <= before, path
        assert not [m for module in again.modules for m in Editor(again).prune(module)], path
        gone_in_all += len(gone)
        if is_plain(data, file):
            left = Counter(names_of(data)) - Counter(names_of(text))
            assert left == Counter((made.KEYWORD, made.name) for made in gone), path
            kept = iter(data.splitlines())
            groups = any(made.KEYWORD == "GROUP" for made in gone)
            assert groups or all(line in kept for line in text.splitlines() if line.strip()), path
            counted += 1
    assert gone_in_all
    assert counted


@pytest.mark.skipif(not FILES, reason="the corpus is not here")
@pytest.mark.parametrize("references", ["clean", "cascade"])
def test_removing_from_real_files(references):
    removed = 0
    for path in FILES:
        file = parse(path.read_bytes(), source=path.name)
        if len(file.document.sources) > 1 or file.project is None:
            continue
        before = dangling(file)
        editor = Editor(file)
        for module in file.modules:
            if ModuleIndex(module).duplicates:
                continue
            for kind in ("measurement", "axis_pts", "compu_method", "instance"):
                for made in getattr(module, kind)[:2]:
                    try:
                        removed += len(editor.remove(module, [made], references=references))
                    except UsageError:
                        assert references == "clean"
        again = parse(editor.to_bytes(), source=path.name)
        assert again.modules == file.modules, path
        assert dangling(again) <= before, path
    assert removed
