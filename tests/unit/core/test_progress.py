"""How far a long work is: what a callback is told."""

import pytest

from xcaliper.core.progress import counted


@pytest.mark.parametrize(
    ("total", "few", "told"),
    [(1000, 1000, 200), (1001, 1000, 201), (999, 1000, None), (3, 0, 3), (0, 0, 0)],
)
def test_parts_are_told_and_the_end_once(total, few, told):
    calls = []
    items = counted(range(total), "items", total, lambda *call: calls.append(call), few=few)
    assert list(items) == list(range(total))
    if told is None:
        assert calls == []
        return
    assert calls[-1] == ("items", total, total)
    done = [call[1] for call in calls[:-1]]
    assert len(done) == told
    assert done == sorted(set(done))
    assert done[:1] == [0] * bool(total)


def test_nobody_looks():
    assert list(counted(iter("abc"), "letters", 5000, None)) == ["a", "b", "c"]
