"""How far long work is: pure code tells a callback, counts rise to their total."""

import pytest

from xcaliper.a2l import open_a2l
from xcaliper.a2l.check import check
from xcaliper.a2l.diff import diff
from xcaliper.a2l.scan import scan
from xcaliper.core.progress import counted
from xcaliper.quantity.lint import lint

TEXT = (
    'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m ""\n'
    + "".join(
        f'/begin MEASUREMENT m{n} "" UBYTE NO_COMPU_METHOD 0 0 0 255 ECU_ADDRESS {n} /end MEASUREMENT\n'
        for n in range(2500)
    )
    + "/end MODULE /end PROJECT"
)


@pytest.fixture
def told():
    calls = {}

    def progress(what, done, total):
        calls.setdefault(what, []).append((done, total))

    progress.calls = calls
    return progress


def rises(calls):
    counts = [done for done, _ in calls]
    return counts == sorted(counts) and len({total for _, total in calls}) == 1


def test_every_item_comes_and_the_last_report_is_complete(told):
    assert list(counted(iter(range(1234)), "things", 1234, told)) == list(range(1234))
    assert told.calls["things"][0] == (0, 1234)
    assert told.calls["things"][-1] == (1234, 1234)
    assert 200 <= len(told.calls["things"]) <= 210
    assert rises(told.calls["things"])


def test_few_items_and_nobody_who_looks(told):
    assert list(counted([1, 2], "things", 2, told)) == [1, 2]
    assert list(counted([1, 2], "things", 2, None, few=0)) == [1, 2]
    assert not told.calls


@pytest.mark.parametrize("engine", ["re", "fast"])
def test_bytes_scanned(told, engine):
    data = b"/begin X /end X\n" * 100_000
    assert len(scan(data, engine=engine, progress=told).marks) == 200_000
    assert rises(told.calls["bytes scanned"])
    assert [total for _, total in told.calls["bytes scanned"]] == [len(data)] * 3


def test_objects_read_checked_and_compared(told):
    file = open_a2l(TEXT, progress=told)
    assert not told.calls
    list(file.module.measurement[:1500])
    assert told.calls["objects read"] == [(1000, 2500)]
    findings = check(file, progress=told) + lint(file, progress=told)
    assert told.calls["objects read"] == [(1000, 2500), (2000, 2500)]
    rules = told.calls["rules checked"]
    assert rules[-1][0] == rules[-1][1] > 5
    assert told.calls["objects checked"][-1] == (2500, 2500)
    assert findings == check(open_a2l(TEXT)) + lint(open_a2l(TEXT))
    other = open_a2l(TEXT.replace("ECU_ADDRESS 7 ", "ECU_ADDRESS 8 "))
    assert len(diff(file, other, progress=told).changes) == 1
    assert told.calls["MEASUREMENT compared"][-1] == (2500, 2500)


def test_nobody_is_told_any_more(told):
    file = open_a2l(TEXT, progress=told)
    file.watch(None)
    file.load_all()
    file.watch(told)
    assert not told.calls
