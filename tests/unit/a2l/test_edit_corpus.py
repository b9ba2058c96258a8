"""Edits of real files: what is read back is what was meant, and few bytes differ."""

import os
from pathlib import Path

import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.diff import diff
from xcaliper.a2l.edit import Editor

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
