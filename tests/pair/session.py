"""A session that uses every procedure of the master, for tests that need real traffic."""

from __future__ import annotations

from pair.link import RAM, SEGMENT, Pair
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.procedures import daq_info, daq_setup, identify, memory, pages

EVERY_ODD = bytes(range(1, 200, 2))


def lists(*, timestamp: bool = True) -> tuple[DaqListSetup, ...]:
    """Two lists of two ODTs on the first two events."""
    return tuple(
        DaqListSetup(
            daq_list=number,
            event_channel=number,
            odts=(
                OdtSetup((OdtEntry(RAM, 1), OdtEntry(RAM + 16, 2))),
                OdtSetup((OdtEntry(RAM + 32, 4),)),
            ),
            timestamp=timestamp,
        )
        for number in range(2)
    )


def whole_session(pair: Pair, *, multiple: bool = False) -> None:
    """Identify, read, write, pages, data acquisition with a few events; the session stays open."""
    session = pair.session
    ag = session.profile.ag
    xcp = memory.XcpMemory(session)
    pair.run(identify.identify(session))
    assert pair.run(identify.upload_a2l(session))
    pair.run(daq_info.daq_info(session))
    found = pair.run(pages.page_info(session))
    assert found is not None
    assert len(found) == 2
    assert pair.run(xcp.read(RAM, 700)) == (bytes(range(256)) * 3)[:700]
    pair.run(xcp.write(RAM, b"abcd" * ag))
    pair.run(xcp.write(RAM, EVERY_ODD))
    assert pair.run(xcp.read(RAM, len(EVERY_ODD))) == EVERY_ODD
    pair.run(xcp.checksum(SEGMENT, 64))
    pair.run(xcp.modify_bits(RAM, and_mask=0xFFF0, xor_mask=1, shift=4))
    pair.run(pages.set_page(0, 1))
    pair.run(pages.set_page(0, 0))
    pair.run(pages.copy_page((0, 1), (0, 0)))
    timestamp = pair.config.timestamp.size_bytes > 0
    pair.run(daq_setup.setup(session, lists(timestamp=timestamp), multiple=multiple))
    pair.run(daq_setup.clock())
    pair.run(daq_setup.start())
    for turn in range(1, 4):
        pair.event(0, pair.now_ns + 1_000_000 * turn)
        pair.event(1)
    pair.run(daq_setup.stop())
    pair.run(daq_setup.free())
