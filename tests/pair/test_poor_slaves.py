"""Procedures with slaves that refuse, stay silent or lose packets where others answer."""

from __future__ import annotations

from typing import Any

import pytest

from pair.scripted import MS, TIMES, Scripted
from xcaliper.core.address import Address
from xcaliper.core.errors import ExchangeTimeoutError, NegativeResponseError
from xcaliper.proto.procedure import Ask, Pipeline, ask, run_script
from xcaliper.xcp import daq, pag, pgm, std, timecorr
from xcaliper.xcp.codes import (
    DaqListModeState,
    DaqListProperties,
    DaqProperties,
    ErrorCode,
    GetIdMode,
    Resource,
    negative_response,
)
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.events import EvUser
from xcaliper.xcp.procedures import (
    blocks,
    clock,
    counters,
    daq_info,
    identify,
    pages,
    program,
    store,
)
from xcaliper.xcp.procedures.connect import Session
from xcaliper.xcp.recovery import Timers

OK = std.EmptyResponse()
RANGE = negative_response("", ErrorCode.ERR_OUT_OF_RANGE)
UNKNOWN = negative_response("", ErrorCode.ERR_CMD_UNKNOWN)
DENIED = negative_response("", ErrorCode.ERR_ACCESS_DENIED)
SYNCHED = std.ErrorResponse(code=0)


def lost(command: str) -> ExchangeTimeoutError:
    return ExchangeTimeoutError(command, timer="T1", attempts=1, elapsed_ns=1)


def test_timers_of_the_description_count_from_the_next_command_on() -> None:
    slave = Scripted()
    slave.master.timers = Timers.of_ms(500, *TIMES[1:])
    assert slave.master.timers.t1_ns == 500 * MS
    slave.master.start(ask(std.GetStatus()), 0)
    assert slave.master.due() == 500 * MS


def test_a_batch_that_meets_a_lock_goes_on_one_at_a_time() -> None:
    """The refusal finds its place there; the answers of the others are kept."""

    def script(name: str, number: int) -> bytes | None:
        return b"\xfe\x25" if number in (0, 3) else None

    slave = Scripted(script)
    requests = tuple(daq.GetDaqEventInfo(event_channel=n) for n in range(3))

    def batch() -> Any:
        return (yield Pipeline(requests, queue=2, independent=True))

    found = slave.run(batch())
    assert [isinstance(one, NegativeResponseError) for one in found] == [True, False, False]


def test_old_slaves_do_not_know_time_correlation() -> None:
    session = Session()
    silent = [lost("TIME_CORRELATION_PROPERTIES"), SYNCHED]
    assert run_script(clock.clock_properties(session), silent * 2)[0] is None
    assert session.refused == {"TIME_CORRELATION_PROPERTIES"}
    assert run_script(clock.clock_properties(session), [])[0] is None
    assert run_script(clock.clock_properties(Session()), [UNKNOWN])[0] is None


def test_other_events_tell_no_clock() -> None:
    assert clock.sample_of_event(EvUser(data=b"\1"), 7) is None


def test_the_counter_of_an_event_is_checked_and_what_was_before_is_told() -> None:
    before = timecorr.DtoCtrPropertiesResponse(
        properties=timecorr.DtoCtrPropertyBits(0),
        related_event_channel=4,
        mode=timecorr.DtoCtrMode.of(daq_mode=1),
    )
    found, steps = run_script(counters.check_counter(2, 3), [before, before])
    assert found == (4, timecorr.DtoCtrMode.of(daq_mode=1))
    first, second = (step.request for step in steps)
    assert (first.event_channel, int(first.modifier)) == (2, 0)
    assert (second.event_channel, second.related_event_channel, int(second.mode)) == (2, 3, 2)
    assert int(second.modifier) == 5, "the DAQ mode stays as it is"


def processor(events: int) -> daq.GetDaqProcessorInfoResponse:
    return daq.GetDaqProcessorInfoResponse(
        daq_properties=DaqProperties(0),
        max_daq=2,
        max_event_channel=events,
        min_daq=0,
        daq_key_byte=daq.DaqKeyByte(0),
    )


def test_events_that_are_not_told() -> None:
    event = daq.GetDaqEventInfoResponse(
        daq_event_properties=daq.EventProperties(0),
        max_daq_list=1,
        name_length=0,
        time_cycle=1,
        time_unit=6,
        priority=0,
    )
    info = run_script(daq_info.daq_info(Session()), [processor(2), *[RANGE] * 3])[0]
    assert info.events is None, "the description may know better"
    info = run_script(daq_info.daq_info(Session()), [processor(2), RANGE, event, *[RANGE] * 2])[0]
    assert info.events is not None
    assert len(info.events) == 1


def listed(*, predefined: bool) -> daq.GetDaqListInfoResponse:
    return daq.GetDaqListInfoResponse(
        daq_list_properties=DaqListProperties.of(predefined=int(predefined)),
        max_odt=1,
        max_odt_entries=1,
        fixed_event=0,
    )


def test_lists_that_are_not_told_or_cannot_be_read() -> None:
    script = [listed(predefined=False), RANGE]
    assert len(run_script(daq_info.list_info(Session(), 5), script)[0]) == 1
    script = [listed(predefined=True), RANGE]
    (one,) = run_script(daq_info.list_info(Session(), 1), script)[0]
    assert one.odts == ()


def test_texts_of_a_slave_that_leaves_some_types_unanswered() -> None:
    name = std.GetIdResponse(mode=GetIdMode.of(transfer_mode=1), length=4, data=b"demo")
    unanswered: list[int] = []
    script = [lost("GET_ID"), SYNCHED, name, DENIED]
    found, _ = run_script(identify.identify(Session(), (0, 1, 2), unanswered=unanswered), script)
    assert (found, unanswered) == ({1: "demo"}, [0])
    script = [lost("GET_ID"), SYNCHED, lost("GET_ID"), SYNCHED]
    found, steps = run_script(identify.identify(Session(), (0, 1, 2)), script)
    assert found == {}
    assert len(steps) == 4, "the third is not asked for any more"
    far = std.GetIdResponse(mode=GetIdMode(0), length=4, data=b"")
    with pytest.raises(ExchangeTimeoutError, match="UPLOAD"):
        run_script(identify.identify(Session(), (1,)), [far, lost("UPLOAD")] * 9)


def test_pages_that_are_not_told() -> None:
    assert run_script(pages.pages_in_use(0), [UNKNOWN])[0] == (None, None)
    told = pag.GetCalPageResponse(page=1)
    assert run_script(pages.pages_in_use(0), [told, RANGE])[0] == (1, None)


def sector(start: int) -> pgm.SectorRangeInfo:
    return pgm.SectorRangeInfo(
        clear_sequence_number=0,
        program_sequence_number=0,
        programming_method=0,
        sector_info=start,
    )


def test_sectors_that_are_not_told() -> None:
    told = pgm.GetPgmProcessorInfoResponse(pgm_properties=pgm.PgmProperties(1), max_sector=2)
    script = [told, sector(0), sector(8), RANGE, RANGE, RANGE]
    info = run_script(program.program_info(Session(resource=Resource.of(pgm=1))), script)[0]
    assert info is not None
    assert len(info.sectors) == 1


def test_functional_programming_without_blocks_begins_again_at_the_counter() -> None:
    session = Session(max_bs=4)
    script = [OK, RANGE, *[OK] * 6]
    _, steps = run_script(program.program_functional(session, bytes(12)), script)
    sent = [step.request for step in steps if isinstance(step, Ask)]
    names = [request.__command__.name for request in sent]
    assert names == ["PROGRAM_FORMAT", "SET_MTA", "PROGRAM_MAX", "PROGRAM", "PROGRAM"]
    assert (sent[1].address, sent[1].address_extension) == (1, 0)
    assert [request.count for request in sent[3:]] == [5, 0]


def test_resumed_lists_that_cannot_be_compared() -> None:
    """A slave without GET_DAQ_LIST_MODE, or one that does not let its entries be read, is believed."""
    odts = (OdtSetup((OdtEntry(Address(0), 1),)),) * 2
    one = DaqListSetup(0, 0, odts)
    assert run_script(store.compare_lists([one]), [RANGE, RANGE])[0] is False
    running = daq.GetDaqListModeResponse(
        mode=DaqListModeState.of(running=1, timestamp=1), event_channel=0, prescaler=1, priority=0
    )
    found, steps = run_script(store.compare_lists([one, one]), [running, RANGE, running])
    assert found is False
    assert len(steps) == 3


def test_a_block_whose_rest_is_cut_anew_tells_its_progress() -> None:
    told: list[int] = []
    session = Session(max_bs=4)
    script = [RANGE, *[OK] * 9]
    run_script(blocks.blocks(session, Address(0), bytes(20), progress=told.append), script)
    assert told[-1] == 20
