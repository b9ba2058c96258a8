"""Sizes, times and calculated signals as they are written in a shell."""

from __future__ import annotations

import pytest

from xcaliper.cli.choice import Choice, calculated_signals, packed_count, read_split
from xcaliper.cli.live_view import human_bytes
from xcaliper.client.label_file import parse_label_file
from xcaliper.core.errors import UsageError


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
        ("S*", "10ms"), ("Lambda", "100ms"), ("Speed", "10ms"), ("Lamb*", "1ms"),
    ]  # fmt: skip
