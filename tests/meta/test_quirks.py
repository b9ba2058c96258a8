"""Every quirk has tests, a row on its page, and a name that the shell takes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from xcaliper.cli.main import main
from xcaliper.xcp.quirks import Quirk

ROOT = Path(__file__).parents[2]
#: Where quirks are tested one by one.
TESTS = (ROOT / "tests" / "pair" / "test_quirks.py", ROOT / "tests" / "io" / "test_quirks_live.py")


@pytest.mark.parametrize("quirk", Quirk, ids=lambda one: one.label)
def test_every_quirk_has_a_test(quirk: Quirk) -> None:
    name = f"Quirk.{quirk.name}"
    users = [path.name for path in TESTS if name in path.read_text("utf-8").split("\n\n\n", 1)[1]]
    assert users, f"{name} is not tested on its own"


def test_every_quirk_has_a_row_on_the_page() -> None:
    sys.path.insert(0, str(ROOT / "docs" / "_ext"))
    try:
        import xctables

        page = xctables.quirks_page()
    finally:
        sys.path.pop(0)
    for quirk in Quirk:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{quirk.label}` |"))
        assert row.count(" | ") == 2
        assert quirk.meaning.endswith(".")
        assert quirk.need.endswith(".")


def test_the_shell_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vecu", "--list-quirks", "--json"]) == 0
    listed = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert listed == [quirk.label for quirk in Quirk]
