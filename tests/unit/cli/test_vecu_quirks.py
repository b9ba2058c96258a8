"""Quirks on the command line."""

from __future__ import annotations

import pytest

from xcaliper.cli.main import main
from xcaliper.xcp.quirks import Quirk


def test_quirks_are_listed_with_their_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vecu", "--list-quirks"]) == 0
    shown = capsys.readouterr().out
    assert all(quirk.label in shown for quirk in Quirk)
    assert "0xC1 does nothing" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--quirk", "filled-frames"], "filled-dtos"),
        (["--quirk", "unknown-info", "--quirk", "silent-info"], "exclude each other"),
        (["--quirks", "all-compatible", "--quirk", "mixed-extensions"], "exclude each other"),
        (["--quirks", "some"], "all-compatible"),
    ],
)
def test_wrong_names_and_rivals(
    options: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vecu", "demo-engine", *options]) != 0
    told = capsys.readouterr()
    assert text in " ".join((told.out + told.err).split())
