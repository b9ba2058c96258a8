"""Pages of segments: who may use which together, what XCP may do, and masters on strange slaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pair.link import RAM, SEGMENT, SEGMENTS, PagedMemory, Pair, config
from xcaliper.core.address import Address
from xcaliper.core.errors import (
    AccessDeniedError,
    NegativeResponseError,
    RemoteProtocolError,
    WriteProtectedError,
)
from xcaliper.proto.procedure import ask, run_script
from xcaliper.xcp import pag
from xcaliper.xcp.codes import ErrorCode, SegmentMode, negative_response
from xcaliper.xcp.page_access import Access, Side, is_allowed, page_refusal, switch_refusal
from xcaliper.xcp.procedures import memory, pages
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import PageConfig, ScratchMemory

FIRST, SECOND = SEGMENTS
CURVES = SECOND.address
NEVER, ALONE, TOGETHER, ALWAYS = Access


def pair_with(*rules: tuple[int, int, int]) -> Pair:
    """A slave whose second segment has these rights: ECU, XCP read, XCP write; one row per page."""
    made = tuple(
        PageConfig(number, ecu, read, write) for number, (ecu, read, write) in enumerate(rules)
    )
    return Pair(config(segments=(FIRST, replace(SECOND, pages=made))))


def refused(pair: Pair, procedure, code: ErrorCode) -> None:
    with pytest.raises(NegativeResponseError) as caught:
        pair.run(procedure)
    assert caught.value.code == code


# Codes of PAGE_PROPERTIES: 0 never, 1 only while the other side is elsewhere, 2 only together, 3 always.
@pytest.mark.parametrize(
    ("access", "together", "holds"),
    [
        (0, False, False),
        (0, True, False),
        (1, False, True),
        (1, True, False),
        (2, False, False),
        (2, True, True),
        (3, False, True),
        (3, True, True),
    ],
)
def test_each_right_alone_and_together(access, together, holds):
    assert is_allowed(access, together=together) is holds
    rules = PageConfig(0, access, access, access)
    for side in Side:
        assert (page_refusal(rules, side, together=together) == "") is holds


def test_refusals_say_what_is_in_the_way():
    assert page_refusal(PageConfig(0, 0), Side.ECU, together=True) == "may not be used by the ECU"
    assert (
        page_refusal(PageConfig(0, ecu_access=1), Side.ECU, together=True)
        == "may not be used by the ECU while XCP accesses it"
    )
    assert (
        page_refusal(PageConfig(0, xcp_read_access=2), Side.XCP_READ, together=False)
        == "may not be read through XCP unless the ECU uses it"
    )
    assert (
        page_refusal(PageConfig(0, xcp_write_access=1), Side.XCP_WRITE, together=True)
        == "may not be written through XCP while the ECU uses it"
    )


def test_an_xcp_page_has_to_be_good_for_something():
    readable, writable, closed = (
        PageConfig(0, xcp_write_access=0),
        PageConfig(1, xcp_read_access=0),
        PageConfig(2, xcp_read_access=0, xcp_write_access=0),
    )
    rules = (readable, writable, closed)
    assert switch_refusal(rules, 0, 0)[1] == ""
    assert switch_refusal(rules, 0, 1)[1] == ""
    assert switch_refusal(rules, 0, 2) == (2, "may not be read through XCP")


def test_pages_that_must_not_be_shared():
    pair = pair_with((ALWAYS, ALWAYS, ALWAYS), (ALONE, ALONE, ALONE))
    pair.run(pages.set_page(1, 1, ecu=False))
    refused(pair, pages.set_page(1, 1, xcp=False), ErrorCode.ERR_MODE_NOT_VALID)
    refused(pair, pages.set_page(1, 1), ErrorCode.ERR_MODE_NOT_VALID)
    assert pair.run(pages.get_pages(1)) == (0, 1)
    pair.run(pages.set_page(1, 0))
    pair.run(pages.set_page(1, 1, xcp=False))
    assert pair.run(pages.get_pages(1)) == (1, 0)
    refused(pair, pages.set_page(1, 1, ecu=False), ErrorCode.ERR_MODE_NOT_VALID)


def test_pages_that_must_be_shared_are_switched_at_once():
    pair = pair_with((ALWAYS, ALWAYS, ALWAYS), (TOGETHER, TOGETHER, TOGETHER))
    refused(pair, pages.set_page(1, 1, ecu=False), ErrorCode.ERR_MODE_NOT_VALID)
    refused(pair, pages.set_page(1, 1, xcp=False), ErrorCode.ERR_MODE_NOT_VALID)
    pair.run(pages.set_page(1, 1))
    assert pair.run(pages.get_pages(1)) == (1, 1)


def test_all_segments_or_none():
    pair = pair_with((ALWAYS, ALWAYS, ALWAYS), (NEVER, ALWAYS, ALWAYS))
    refused(pair, pages.set_page(0, 1, every=True), ErrorCode.ERR_MODE_NOT_VALID)
    assert pair.run(pages.get_pages(0)) == (0, 0)
    pair.run(pages.set_page(77, 1, ecu=False, every=True))  # the segment number is ignored
    assert [pair.run(pages.get_pages(number)) for number in (0, 1)] == [(0, 1), (0, 1)]
    refused(pair, pages.set_page(0, 2, every=True), ErrorCode.ERR_PAGE_NOT_VALID)
    refused(pair, pages.set_page(0, 0, ecu=False, xcp=False), ErrorCode.ERR_MODE_NOT_VALID)


def test_writing_only_while_the_ecu_is_elsewhere():
    pair = pair_with((ALWAYS, ALWAYS, ALONE), (ALWAYS, ALWAYS, ALWAYS))
    xcp = memory.XcpMemory(pair.session)
    with pytest.raises(WriteProtectedError):
        pair.run(xcp.write(CURVES + 60, b"\1\2\3\4"))
    assert pair.run(xcp.read(CURVES, 4)) == b"\x10\x10\x10\x10"
    pair.run(pages.set_page(1, 1, xcp=False))
    pair.run(xcp.write(CURVES + 60, b"\1\2\3\4"))
    assert pair.run(xcp.read(CURVES + 60, 4)) == b"\1\2\3\4"
    pair.run(xcp.write(RAM, b"\5"))  # memory outside of segments has no pages
    pair.run(xcp.write(SEGMENT, b"\6"))


def test_reading_only_while_the_ecu_is_elsewhere():
    pair = pair_with((ALWAYS, ALONE, ALWAYS), (ALWAYS, ALWAYS, ALWAYS))
    xcp = memory.XcpMemory(pair.session)
    with pytest.raises(AccessDeniedError):
        pair.run(xcp.read(CURVES, 4))
    with pytest.raises(AccessDeniedError):
        pair.run(xcp.read(CURVES + 0x3F, 1))
    with pytest.raises(AccessDeniedError):
        pair.slave.state.memory.view(CURVES, 4)
    assert pair.run(xcp.read(SEGMENT, 4)) == bytes(4)
    pair.run(pages.set_page(1, 1, xcp=False))
    assert pair.run(xcp.read(CURVES, 4)) == b"\x10\x10\x10\x10"
    assert bytes(pair.slave.state.memory.view(CURVES, 2)) == b"\x10\x10"
    other = Address(CURVES.value, 1)  # the same number elsewhere is no part of the segment
    with pytest.raises(AccessDeniedError):
        pair.run(xcp.read(other, 1))


def test_copying_follows_the_rules_of_both_pages():
    pair = pair_with((ALWAYS, NEVER, ALONE), (ALWAYS, ALWAYS, ALWAYS))
    refused(pair, pages.copy_page((1, 0), (1, 1)), ErrorCode.ERR_ACCESS_DENIED)
    refused(pair, pages.copy_page((1, 1), (1, 0)), ErrorCode.ERR_WRITE_PROTECTED)
    pair.run(pages.set_page(1, 1))
    pair.run(pages.copy_page((1, 1), (1, 0)))
    refused(pair, pages.copy_page((1, 1), (0, 1)), ErrorCode.ERR_WRITE_PROTECTED)
    refused(pair, pages.copy_page((1, 5), (1, 0)), ErrorCode.ERR_PAGE_NOT_VALID)
    refused(pair, pages.copy_page((2, 0), (1, 0)), ErrorCode.ERR_SEGMENT_NOT_VALID)


def test_pages_without_rules_leave_the_memory_alone():
    pair = Pair(config(segments=(replace(FIRST, pages=(PageConfig(0), PageConfig(1))),)))
    assert pair.slave.state.memory is pair.memory


# -- the master on slaves that refuse in their own way ---------------------------------------------


def test_switching_looks_at_what_has_become_of_it():
    pair = Pair()
    assert pair.run(pages.switch_page([0], 1, ecu=False, xcp=True)) == {0: (0, 1)}
    assert pair.run(pages.switch_page([0, 1], 1, ecu=True, xcp=True, every=True)) == {
        0: (1, 1),
        1: (1, 1),
    }
    refused(pair, pages.switch_page([0], 7, ecu=True, xcp=True), ErrorCode.ERR_PAGE_NOT_VALID)


def page(number: int) -> pag.GetCalPageResponse:
    return pag.GetCalPageResponse(page=number)


def denied(code: ErrorCode = ErrorCode.ERR_ACCESS_DENIED) -> NegativeResponseError:
    return negative_response("slave", code)


def test_a_refusal_of_what_is_so_already_is_none():
    found, _ = run_script(
        pages.switch_page([0], 1, ecu=True, xcp=True), [denied(), page(1), page(1)]
    )
    assert found == {0: (1, 1)}


def test_a_refusal_stays_one_when_the_page_cannot_be_seen():
    with pytest.raises(AccessDeniedError):
        run_script(pages.switch_page([0], 1, ecu=True, xcp=True), [denied(), denied()])


def test_a_slave_that_agrees_and_stays():
    with pytest.raises(
        RemoteProtocolError, match="agreed to XCP page 1 of segment 0 and is on page 0"
    ):
        run_script(
            pages.switch_page([0], 1, ecu=False, xcp=True),
            [pag.EmptyResponse(), page(1), page(0)],
        )


def test_a_slave_that_shows_no_pages():
    found, _ = run_script(
        pages.switch_page([0], 1, ecu=True, xcp=True), [pag.EmptyResponse(), denied()]
    )
    assert found == {0: (None, None)}


def test_freeze_is_set_and_looked_at():
    pair = Pair()
    pair.run(pages.set_frozen(1, on=True))
    assert pair.run(pages.is_frozen(1)) is True
    pair.run(pages.set_frozen(1, on=False))
    assert pair.run(pages.is_frozen(1)) is False
    refused(pair, pages.set_frozen(9, on=True), ErrorCode.ERR_SEGMENT_NOT_VALID)
    silent, _ = run_script(pages.set_frozen(0, on=True), [pag.EmptyResponse(), denied()])
    assert silent is None
    stays = pag.GetSegmentModeResponse(mode=SegmentMode(0))
    with pytest.raises(RemoteProtocolError, match="segment 0 is not in FREEZE mode"):
        run_script(pages.set_frozen(0, on=True), [pag.EmptyResponse(), stays])


def test_names_of_segments_where_a_slave_has_them():
    pair = Pair()
    session = pair.session
    assert pair.run(pages.segment_name(session, 0)) == ""
    length = pag.SegmentValueInfo(value=5)
    found, steps = run_script(pages.segment_name(session, 0), [length, b"maps\0"])
    assert found == "maps"
    assert len(steps) == 2
    for answers in ([pag.SegmentValueInfo(value=0)], [length, denied()], [denied()]):
        assert run_script(pages.segment_name(session, 0), answers)[0] == ""
    binary = [length, b"\1\2\3\4\5"]
    assert run_script(pages.segment_name(session, 0), binary)[0] == ""


def test_information_of_segments_and_pages():
    pair = Pair()
    found = pair.run(pages.page_info(pair.session))
    assert [(one.number, one.ecu_page, one.xcp_page) for one in found] == [(0, 0, 0), (1, 0, 0)]
    assert found[0].pages[1].properties.xcp_write_access == NEVER
    mapping = [
        pair.run(ask(pag.GetSegmentInfo(mode=2, segment=0, segment_info=item))).value
        for item in range(3)
    ]
    assert mapping == [0x6000_0000, 0x0801_0000, 0x100]


def test_scratch_room_is_reached_behind_the_rules():
    class Roomy(PagedMemory):
        room = bytearray(8)

        def scratch(self) -> memoryview:
            return memoryview(self.room)

    pair = pair_with((ALWAYS, ALWAYS, ALONE), (ALWAYS, ALWAYS, ALWAYS))
    machine = SlaveMachine(pair.config, Roomy())
    assert isinstance(machine.state.memory, ScratchMemory)
    assert machine.state.memory.scratch().obj is Roomy.room
    assert not isinstance(pair.slave.state.memory, ScratchMemory)
