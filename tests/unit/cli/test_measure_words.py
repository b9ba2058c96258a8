"""Sizes, times and calculated signals as they are written in a shell."""

from __future__ import annotations

import io
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from xcaliper.cli.choice import Choice, calculated_signals, packed_count, read_split
from xcaliper.cli.live_view import Values, human_bytes, short_text
from xcaliper.client.label_file import parse_label_file
from xcaliper.core.errors import NotFoundError, SourceError, UsageError


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (None, {}),
        ("100MB", {"split_bytes": 100_000_000}),
        ("1.5 GiB", {"split_bytes": 3 << 29}),
        ("10min", {"split_s": 600.0}),
        ("90s", {"split_s": 90.0}),
        ("2h", {"split_s": 7200.0}),
    ],
)
def test_split(text, meaning):
    assert read_split(text) == meaning


@pytest.mark.parametrize("text", ["", "MB", "-1MB", "10", "5 parsecs", "0.1B", "1e3MB"])
def test_what_is_no_split(text):
    with pytest.raises(UsageError, match="split"):
        read_split(text)


def test_calculated():
    first, second, third = calculated_signals(
        ["Power = Speed * Torque / 9549 [kW]", "Fast=Speed == 3", "Two = Wheel[2] + 1"]
    )
    assert (first.name, first.expression, first.unit) == ("Power", "Speed * Torque / 9549", "kW")
    assert (second.name, second.expression, second.unit) == ("Fast", "Speed == 3", "")
    assert (third.expression, third.unit) == ("Wheel[2] + 1", "")
    for wrong in ("", "Power", "= 3", "Power =", "a == 3"):
        with pytest.raises(UsageError, match="calc"):
            calculated_signals([wrong])


def test_packed_and_bytes():
    assert (packed_count("0"), packed_count("12"), packed_count("max")) == (0, 12, "max")
    with pytest.raises(UsageError, match="packed"):
        packed_count("-1")
    assert [human_bytes(n) for n in (0, 999, 1500, 2_500_000, 3e9, 4e12)] == [
        "0 B", "999 B", "1.5 kB", "2.5 MB", "3.0 GB", "4.0 TB",
    ]  # fmt: skip


class NoIndex:
    """Knows no name at once."""

    def object(self, name):
        return None


class Names:
    """A catalog of two names."""

    names = ("Speed", "Lambda")
    index = NoIndex()

    @staticmethod
    def find(pattern):
        stem = pattern.rstrip("*")
        return [
            one
            for one in Names.names
            if one == pattern or ("*" in pattern and one.startswith(stem))
        ]


def test_events_of_the_command_line_beat_those_of_the_list():
    labels = parse_label_file("Lambda;100ms\nSpeed\n")
    choice = Choice(("S*",), ("10ms", "Lamb*=1ms"), labels)
    names, events = choice.resolve(Names, lambda text: 1, skip_unknown=False)
    assert names == ["S*", "Lambda", "Speed"]
    with pytest.raises(UsageError, match=r"Lamb\* is none of the signals"):
        Choice(("S*",), ("Lamb*=1ms",), None).resolve(Names, lambda text: 1, skip_unknown=False)
    assert list(events.items()) == [
        ("S*", "10ms"), ("Lambda", "10ms"), ("Speed", "10ms"), ("Lamb*", "1ms"),
    ]  # fmt: skip
    assert Choice(("S*",), ("Lamb*=1ms",), labels).resolve(
        Names, lambda text: 1, skip_unknown=False
    )[1] == {"Lambda": "100ms", "Lamb*": "1ms"}


def test_events_for_all_signals_make_those_of_the_list_unimportant(capsys):
    labels = parse_label_file("Lambda;segment\nSpeed;10ms&100ms\n", "x.lab")

    def event(text):
        if text == "10ms":
            return 1
        raise NotFoundError(text, kind="event", nearest=("Task1",))

    choice = Choice((), ("20ms",), labels)
    assert choice.resolve(Names, event, skip_unknown=False)[1] == {
        "Lambda": "20ms",
        "Speed": "20ms",
    }
    assert capsys.readouterr().err == ""
    choice = Choice((), (), labels)
    with pytest.raises(SourceError, match=r"x\.lab:1: Lambda: no such event: 'segment'"):
        choice.resolve(Names, event, skip_unknown=False)
    names, events = choice.resolve(Names, event, skip_unknown=True)
    assert (names, events) == (["Lambda", "Speed"], {"Speed": "10ms"}), "only the event is unknown"
    assert capsys.readouterr().err.splitlines() == [
        "event ignored: x.lab:1: Lambda: no such event: 'segment'.",
        "note: x.lab:2: Speed is measured with 10ms, not with 100ms as well.",
    ]


def test_many_unknown_lines_are_told_in_short(capsys):
    labels = parse_label_file("Speed\n" + "".join(f"Spead{n}\n" for n in range(3000)), "x.lab")
    choice = Choice((), (), labels)
    with pytest.raises(SourceError, match=r"x\.lab:2: .* and 2991 more as well"):
        choice.resolve(Names, lambda text: 1, skip_unknown=False)
    assert choice.resolve(Names, lambda text: 1, skip_unknown=True)[0] == ["Speed"]
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 51
    assert told[-1] == "… and 2950 more such lines"


def test_values_in_cells():
    values = [None, 2.5, "RUN", np.arange(3), np.arange(12.0).reshape(3, 4), np.zeros((0, 2))]
    assert [short_text(value) for value in values] == [
        "", "2.5", "RUN", "[0 1 2]", "0 … 11 (3×4)", "[]",
    ]  # fmt: skip


class LongNames:
    """As much of a measurement as a table of values looks at, and of a block."""

    tracks = (SimpleNamespace(cycle_ns=1, rules=("A" * 60 + "[bold]",)),)
    names = tracks[0].rules

    def __len__(self):
        return 2

    def __getitem__(self, name):
        return np.array([-1234.25, 987654])

    def latest(self, name):
        return np.float64(987654)

    def unit(self, name):
        return "rpm"

    def event_of(self, name):
        return "TaskWithAVeryLongName"


def test_a_narrow_terminal_cuts_names_and_never_numbers():
    values, screen = Values(LongNames()), io.StringIO()
    values.take(LongNames(), extremes=True)
    Console(file=screen, width=64).print(values.table(9, extremes=True))
    _, row = screen.getvalue().splitlines()
    assert row.startswith("AAAA")
    for whole in ("987654  rpm", "-1234.25  987654"):
        assert whole in row
    wide = io.StringIO()
    Console(file=wide, width=200).print(values.table(9, extremes=True))
    assert "A[bold]" in wide.getvalue()
