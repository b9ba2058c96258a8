"""What an A2L says about DAQ, and what the slave's lists make of it."""

from __future__ import annotations

from xcaliper.a2l.if_xcp import (
    XcpDaq,
    XcpDescription,
    XcpEvent,
    XcpOnCan,
    XcpProtocolLayer,
    XcpStim,
)
from xcaliper.a2l.xcp_extras import XcpMemoryConsumption, XcpOdt, XcpOdtEntry, XcpPackedMode
from xcaliper.a2l.xcp_model import XcpDaqList
from xcaliper.client.binding import declared_daq
from xcaliper.core.address import Address
from xcaliper.daq import DaqAnswers, ListAnswer, ListCanId, Optimisation, merge
from xcaliper.xcp import daq
from xcaliper.xcp.codes import DaqListProperties
from xcaliper.xcp.daq_lists import OdtEntry, OdtSetup
from xcaliper.xcp.profile import Profile

PACKED = XcpPackedMode("EVENT_GROUPED", "STS_FIRST", "MANDATORY", 5)
DAQ = XcpDaq(
    config_type="STATIC",
    max_daq=3,
    min_daq=1,
    optimisation=2,
    optimisation_strict=True,
    dto_ctr_field_supported=True,
    alternating_event=4,
    max_odt_total=17,
    cpu_load_max_total=8.5,
    memory_consumption=XcpMemoryConsumption(100, 1, 2, 3),
    stim=XcpStim(2, 8, bit_stim=True),
    daq_lists=(
        XcpDaqList(
            0,
            predefined=(
                XcpOdt(1, (XcpOdtEntry(0, 0x30),)),
                XcpOdt(0, (XcpOdtEntry(1, 0x20, 1, 2), XcpOdtEntry(0, 0x10, 0, 4))),
            ),
        ),
        XcpDaqList(1, "DAQ_STIM", 4, 7, event_fixed=0),
        XcpDaqList(2, "STIM", 2, 2, packed_mode_supported=True),
    ),
    events=(
        XcpEvent("e", "e", 0, packed_mode=PACKED, buffer_reserve=(10, 20)),
        XcpEvent("f", "f", 1),
    ),
)
DESCRIBED = XcpDescription(
    protocol_layer=XcpProtocolLayer(max_dto_stim=32),
    daq=DAQ,
    transports=(XcpOnCan(daq_list_can_ids=((1, 0x123), (2, None))),),
)


def test_everything_about_lists_and_costs_is_read():
    caps, _ = merge(declared_daq(DESCRIBED), DaqAnswers(), Profile())
    first, second, third = caps.lists
    assert first.is_predefined
    assert first.odts == (
        OdtSetup((OdtEntry(Address(0x10), 4), OdtEntry(Address(0x20, 1), 2))),
        OdtSetup((OdtEntry(Address(0x30), 1),)),
    )
    assert (second.max_odt, second.max_odt_entries, second.event) == (4, 7, 0)
    assert (second.daq, second.stim, second.is_predefined) == (True, True, False)
    assert (third.daq, third.stim, third.packs) == (False, True, True)
    assert caps.can_ids == {1: ListCanId(0x123), 2: ListCanId(None)}
    assert caps.optimisation is Optimisation.ODT_TYPE_32_STRICT
    assert (caps.granularity_stim, caps.max_entry_size_stim, caps.max_dto_stim) == (2, 8, 32)
    assert (caps.bit_stim, caps.dto_ctr, caps.alternating_event) == (True, True, 4)
    assert (caps.events[0].packs, caps.events[0].packed_mode, caps.events[1].packs) == (
        True,
        PACKED,
        False,
    )
    assert (caps.resources.totals.odt, caps.resources.cpu_load_max) == (17, 8.5)
    assert caps.resources.memory.limit == 100
    assert {n: e.reserve for n, e in caps.resources.events.items()} == {0: (10, 20)}


def answer(bits, max_odt=9, entries=9, event=0):
    return daq.GetDaqListInfoResponse(
        daq_list_properties=DaqListProperties(bits),
        max_odt=max_odt,
        max_odt_entries=entries,
        fixed_event=event,
    )


def test_the_slaves_lists_win_and_differences_are_told():
    answers = DaqAnswers(
        lists=(
            ListAnswer(0, answer(0b00101)),
            ListAnswer(1, answer(0b11110, 4, 7, 3)),
            ListAnswer(3, answer(0)),
        )
    )
    caps, found = merge(declared_daq(DESCRIBED), answers, Profile())
    assert [one.number for one in caps.lists] == [0, 1, 2, 3]
    assert len(caps.lists[0].odts) == 2  # the entries cannot be read; the A2L has them
    assert caps.lists[1].event == 3
    assert (caps.lists[1].daq, caps.lists[1].stim, caps.lists[1].packs) == (True, True, True)
    assert caps.lists[3].daq  # neither direction is invalid: tried as DAQ
    assert sum("DAQ_LIST 0: MAX_ODT" in finding.text for finding in found) == 2
