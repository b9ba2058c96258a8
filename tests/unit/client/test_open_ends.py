"""What a session lost at its end: behind the last rows, or in front of those of the next session."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from xcaliper.client.acquisition import Acquisition
from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.frames import DtoBatch
from xcaliper.core.ticks import TickClock
from xcaliper.daq import ClockReading, DaqDecoder, DaqPlan, EventChannel, Raster
from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry, OdtSetup
from xcaliper.xcp.profile import DtoFormat

MS = 1_000_000


class Port:
    """Of a slave that has nothing more to say."""

    def take_overloads(self) -> int:
        return 0

    def halt(self, *, lists: bool) -> None:
        assert lists


def decoder_of(plan: DaqPlan) -> DaqDecoder:
    """It has got a row of 10 ms, and five messages are missing behind it."""
    decoder = DaqDecoder(plan, start=ClockReading(0, 0))
    packet = b"\0\0" + (10_000).to_bytes(4, "little") + b"\7"
    decoder.feed(DtoBatch(0, [packet], [(1, 5)]))
    return decoder


def acquisition() -> tuple[Acquisition, list]:
    raster = Raster(
        0, "e", EventChannel(0, "e", MS), 0, 1, np.dtype([("x", "u1")]), (1,)
    )  # fmt: skip
    setup = DaqListSetup(0, 0, (OdtSetup((OdtEntry(Address(0), 1),)),))
    plan = DaqPlan(
        (setup,), (raster,), DtoFormat(1, 4), ByteOrder.INTEL, TickClock(1, 3, 4), 1400
    )  # fmt: skip
    made = Acquisition(Port(), plan, {"x": SimpleNamespace(name="y")}, reconnect_s=9.0)
    made.number(0)
    delivered: list = []
    made._deliver = delivered.extend
    made._decoder, made._offset_ns = decoder_of(plan), 1000 * MS
    return made, delivered


def test_the_end_of_a_measurement_hands_them_out_without_rows() -> None:
    made, delivered = acquisition()
    made.halt()
    (block,) = delivered
    assert (len(block), block.rows.dtype.names) == (0, ("y",))
    (gap,) = block.gaps
    assert (gap.t_from_ns, gap.t_to_ns, gap.lost, gap.reason) == (
        1010 * MS,
        1010 * MS,
        5,
        "counter",
    )
    made.halt()
    assert len(delivered) == 1, "once"


def test_they_stand_in_front_of_the_first_row_of_the_next_session() -> None:
    made, delivered = acquisition()
    made._retire()
    made._decoder, made._offset_ns = decoder_of(made.plan), 2000 * MS
    made._marks = {0: "reconnect"}
    rows = np.zeros(1, made.plan.rasters[0].dtype)
    made._on_blocks(DaqDecoder(made.plan, start=ClockReading(0, 0)).feed(
        DtoBatch(0, [b"\0\0" + (20_000).to_bytes(4, "little") + rows.tobytes()])
    ))  # fmt: skip
    (block,) = delivered
    told = [(gap.before_row, gap.t_from_ns, gap.lost, gap.reason) for gap in block.gaps]
    assert told[0] == (0, 1010 * MS, 5, "counter")
    assert told[1][3] == "reconnect"
    made.halt()
    assert [len(one) for one in delivered] == [1, 0], "the end of the second one is open again"
