"""Counters of a measurement in words."""

from __future__ import annotations

from dataclasses import fields

from xcaliper.client.quality import Quality


def test_everything_that_is_not_in_the_table_is_said_in_words() -> None:
    assert Quality(samples=5, lost=3, gaps=1).oddities == ""
    assert Quality(unknown=1).oddities == "1 packet of an unknown list"
    every = Quality(*range(100, 100 + len(fields(Quality))))
    for field in fields(Quality):
        told = str(getattr(every, field.name)) in every.oddities
        assert told == (field.name not in ("samples", "lost", "gaps"))
