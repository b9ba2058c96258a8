"""The paging of a connection on a slave machine: rights in advance, both pages apart, freeze."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from pair.link import RAM, SEGMENTS, Pair, config
from xcaliper.client.info import SegmentInfo
from xcaliper.client.paging import Paging
from xcaliper.client.survey import survey_segments
from xcaliper.core.address import Address
from xcaliper.core.errors import (
    AccessDeniedError,
    NegativeResponseError,
    NotFoundError,
    RemoteProtocolError,
    UsageError,
    WriteProtectedError,
)
from xcaliper.xcp.page_access import Side
from xcaliper.xcp.procedures import pages, store
from xcaliper.xcp.slave_config import PageConfig
from xcaliper.xcp.slave_store import StoreSettings

CURVES = SEGMENTS[1].address


class Bench:
    """A slave, a paging on it and what the paging did."""

    def __init__(self, *rules: tuple[int, int, int], **changes) -> None:
        made = tuple(PageConfig(n, *one) for n, one in enumerate(rules))
        segment = replace(SEGMENTS[1], pages=made) if rules else SEGMENTS[1]
        settings = {"segments": (SEGMENTS[0], segment), "store": StoreSettings(daq=True)}
        self.pair = Pair(config(**(settings | changes)))
        self.marks: list[str] = []
        self.waits: list[str] = []
        link = SimpleNamespace(run=self.pair.run)
        found = survey_segments(link, self.pair.session, None)
        self.paging = self.make(found)
        self.pair.forget()

    def make(self, segments: tuple[SegmentInfo, ...]) -> Paging:
        link = SimpleNamespace(run=self.pair.run)
        return Paging(
            lambda: link,
            segments,
            mark=self.marks.append,
            note=lambda *_, **__: None,
            wait=lambda event, _: self.waits.append(event),
            ag=self.pair.config.ag,
        )


def test_segments_tell_both_pages_their_rights_and_freeze():
    bench = Bench((3, 3, 3), (1, 2, 0))
    paging = bench.paging
    assert len(paging) == 2
    first, second = paging
    assert (first.ecu_page, first.xcp_page, first.frozen, first.label) == (0, 0, False, "segment 0")
    assert second.rights(0) == ("always", "always", "always")
    assert second.rights(1) == ("alone", "together", "never")
    assert second.rights(9) == ("", "", "")
    with pytest.raises(NotFoundError):
        paging[7]
    assert "2 segments" in repr(paging)


def test_the_ecu_page_and_the_xcp_page_are_switched_apart():
    bench = Bench()
    found = bench.paging.set(0, 1, ecu=False)
    assert (found.ecu_page, found.xcp_page) == (0, 1)
    found = bench.paging.set(0, 1, xcp=False)
    assert (found.ecu_page, found.xcp_page) == (1, 1)
    bench.paging.set(0, 0)
    bench.paging.set_all(1, xcp=False)
    assert [one.ecu_page for one in bench.paging] == [1, 1]
    assert bench.marks == [
        "segment 0: XCP page 1",
        "segment 0: ECU page 1",
        "segment 0: page 0",
        "every segment: ECU page 1",
    ]
    with pytest.raises(UsageError, match="neither"):
        bench.paging.set(0, 1, ecu=False, xcp=False)
    with pytest.raises(UsageError, match="page 5 is none of its 2 pages"):
        bench.paging.set(0, 5)


def test_what_the_rights_forbid_is_not_sent():
    bench = Bench((3, 3, 3), (1, 1, 1))
    with pytest.raises(
        UsageError, match="page 1 of segment 1 may not be used by the ECU while XCP"
    ):
        bench.paging.set(1, 1)
    with pytest.raises(UsageError, match="segment 1"):
        bench.paging.set_all(1)
    assert "SET_CAL_PAGE" not in bench.pair.seen
    bench.paging.set(1, 1, ecu=False)
    with pytest.raises(UsageError, match="while XCP accesses it"):
        bench.paging.set(1, 1, xcp=False)


def test_writing_is_refused_in_advance_with_what_is_in_the_way():
    bench = Bench((3, 3, 1), (3, 3, 3))
    paging = bench.paging
    with pytest.raises(WriteProtectedError) as caught:
        paging.check(CURVES + 3, 4, Side.XCP_WRITE)
    assert caught.value.message == (
        "page 0 of segment 1 may not be written through XCP while the ECU uses it; nothing was sent."
    )
    paging.check(CURVES, 4, Side.XCP_READ)
    paging.check(RAM, 4, Side.XCP_WRITE)
    paging.check(Address(CURVES.value, 1), 4, Side.XCP_WRITE)
    bench.pair.run(pages.set_page(1, 1, xcp=False))  # somebody else has switched
    paging.check(CURVES + 3, 4, Side.XCP_WRITE)
    bench.pair.forget()
    paging.check(CURVES + 3, 4, Side.XCP_WRITE)
    assert bench.pair.seen == []  # what is allowed costs nothing
    paging.forget()
    paging.check(CURVES + 3, 4, Side.XCP_WRITE)
    assert bench.pair.seen == ["GET_CAL_PAGE", "GET_CAL_PAGE"]


def test_reading_and_copying_are_refused_in_advance_too():
    bench = Bench((3, 1, 1), (3, 3, 3))
    with pytest.raises(
        AccessDeniedError, match="may not be read through XCP while the ECU uses it"
    ):
        bench.paging.check(CURVES, 1, Side.XCP_READ)
    with pytest.raises(WriteProtectedError, match="page 0 of segment 1"):
        bench.paging.copy((1, 1), (1, 0))
    bench.paging.copy((1, 0), (1, 1))
    with pytest.raises(WriteProtectedError, match="page 1 of segment 0 may not be written"):
        bench.paging.copy((0, 0), (0, 1))
    assert bench.pair.seen.count("COPY_CAL_PAGE") == 1


def test_xcp_looks_at_another_page_for_a_while():
    bench = Bench()
    with bench.paging.on(0, 1) as found:
        assert (found.ecu_page, found.xcp_page) == (0, 1)
        with bench.paging.on(0, 1):
            assert bench.paging[0].xcp_page == 1
    assert bench.paging[0].xcp_page == 0
    with pytest.raises(ZeroDivisionError), bench.paging.on(1, 1):
        raise ZeroDivisionError
    assert bench.paging[1].xcp_page == 0


def test_freezing_and_storing():
    bench = Bench()
    bench.paging.freeze(0)
    assert bench.paging[0].frozen
    bench.paging.unfreeze(0)
    bench.paging.store(1)
    assert bench.waits == ["EV_STORE_CAL"]
    assert bench.pair.run(store.store_status()).is_storing
    bench.pair.now_ns += bench.pair.config.store.duration_ns
    assert not bench.pair.run(store.store_status()).is_storing
    assert list(bench.pair.slave.state.store.memory.pages) == [1]
    with pytest.raises(NegativeResponseError):
        Bench(freeze=False).paging.freeze(0)


def test_a_slave_that_tells_nothing_is_left_to_decide():
    bench = Bench(disabled=frozenset({"GET_CAL_PAGE", "GET_PAGE_INFO", "GET_SEGMENT_MODE"}))
    one = bench.paging[1]
    assert (one.ecu_page, one.xcp_page, one.frozen, one.rules) == (None, None, None, ())
    bench.paging.set(1, 1)
    assert bench.pair.memory.used[1, False] == 1
    bench.paging.check(CURVES, 4, Side.XCP_WRITE)
    with pytest.raises(UsageError, match="does not tell its XCP page"), bench.paging.on(1, 0):
        raise AssertionError
    nothing = bench.make(())
    with pytest.raises(UsageError, match="no segments"):
        nothing.set_all(0)


def test_rules_of_the_description_count_where_the_slave_has_none():
    bench = Bench(disabled=frozenset({"GET_CAL_PAGE"}))
    rules = (PageConfig(0, xcp_write_access=1), PageConfig(1))
    segment = SegmentInfo(1, "curves", CURVES.value, 0x40, 2, page_rules=rules)
    paging = bench.make((segment,))
    paging.check(CURVES, 4, Side.XCP_WRITE)  # nobody knows which page is in use
    paging.set("curves", 1)
    assert bench.pair.memory.used[1, True] == 1


def test_a_slave_that_agrees_and_stays_is_told():
    bench = Bench()
    bench.pair.memory.set_page = lambda *_, **__: None
    with pytest.raises(RemoteProtocolError, match="agreed to ECU page 1 of segment 1"):
        bench.paging.set(1, 1)
