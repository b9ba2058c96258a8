"""DAQ decode rate: the numpy tier against memcpy and against unpacking value by value.

Run: ``PYTHONPATH=src python bench/bench_decode.py``. Figures are medians; the ratios are the result.
"""

from __future__ import annotations

import json
import statistics
import struct
import sys
import time

import numpy as np

from xcaliper.core.address import Address
from xcaliper.core.frames import DtoBatch
from xcaliper.core.ticks import TickClock
from xcaliper.daq import (
    DaqCapabilities,
    DaqDecoder,
    EventChannel,
    Wanted,
    WantedSignal,
    compile_plan,
)

ROUNDS = 7
BATCH = 256  # DTOs per drain


def plan_of(signals, max_dto, lists):
    events = tuple(EventChannel(i, f"e{i}", 1_000_000) for i in range(lists))
    caps = DaqCapabilities(
        identification_field=1,
        clock=TickClock(1, 3, 4),
        max_entry_size=248,
        events=events,
        max_dto=max_dto,
    )
    wanted = tuple(
        WantedSignal(f"s{i}", Address(0x1000 + 8 * i), np.dtype("<f4"), fixed_event=i % lists)
        for i in range(signals)
    )
    return compile_plan(Wanted(wanted), caps)


def packets_of(plan, samples):
    rng = np.random.default_rng(1)
    packets = []
    for sample in range(samples):
        for raster in plan.rasters:
            for odt, size in enumerate(raster.odt_sizes):
                stamp = struct.pack("<I", sample * 1000) if odt == 0 else b""
                packets.append(bytes([odt, raster.daq_list]) + stamp + rng.bytes(size))
    return packets


def batches_of(packets):
    return [
        DtoBatch(i * 1_000_000, packets[at : at + BATCH])
        for i, at in enumerate(range(0, len(packets), BATCH))
    ]


def decode(plan, batches):
    decoder = DaqDecoder(plan)
    begin = time.perf_counter()
    rows = sum(len(block) for batch in batches for block in decoder.feed(batch))
    took = time.perf_counter() - begin
    assert decoder.finish().is_clean
    return took, rows


def naive(plan, packets):
    """What a straightforward decoder does: a dictionary entry and an unpack per value."""
    layout = {}
    for raster, setup in zip(plan.rasters, plan.lists, strict=True):
        at = 0
        for odt, described in enumerate(setup.odts):
            values, position = [], 6 if odt == 0 else 2
            for entry in described.entries:
                name = next(n for n in raster.signals if raster.dtype.fields[n][1] == at)
                values.append((name, position))
                position, at = position + entry.size, at + entry.size
            layout[odt, raster.daq_list] = values
    out = {name: [] for raster in plan.rasters for name in raster.signals}
    begin = time.perf_counter()
    for packet in packets:
        for name, position in layout[packet[0], packet[1]]:
            out[name].append(struct.unpack_from("<f", packet, position)[0])
    return time.perf_counter() - begin


def memcpy(total):
    source, target = np.zeros(total, np.uint8), np.empty(total, np.uint8)
    target[:] = source
    begin = time.perf_counter()
    target[:] = source
    return time.perf_counter() - begin


def median(function, *arguments):
    return statistics.median(function(*arguments) for _ in range(ROUNDS))


def measure(title, plan, samples):
    packets = packets_of(plan, samples)
    batches = batches_of(packets)
    total = sum(map(len, packets))
    took = median(lambda: decode(plan, batches)[0])
    assert decode(plan, batches)[1] == samples * len(plan.rasters)
    by_value = median(naive, plan, packets)
    return {
        "case": title,
        "dto_per_s": round(len(packets) / took),
        "mb_per_s": round(total / took / 1e6, 1),
        "times_naive": round(by_value / took, 2),
        "of_memcpy": round(median(memcpy, total) / took, 5),
    }


def main():
    cases = [
        ("single ODT, 2 signals", plan_of(2, 64, 1), 100_000),
        ("single ODT, 4 lists, 8 signals each", plan_of(32, 64, 4), 25_000),
        ("20 ODTs x 4 lists, 1000 signals", plan_of(1000, 54, 4), 1_000),
        ("20 ODTs x 4 lists, 10 000 signals", plan_of(10_000, 500, 4), 100),
        ("single ODT of 1400 bytes", plan_of(345, 1400, 1), 5_000),
    ]
    results = [measure(*case) for case in cases]
    if "--json" in sys.argv:
        print(json.dumps(results, indent=1))
        return
    for row in results:
        print(
            f"{row['case']:38} {row['dto_per_s'] / 1e3:8.0f} k DTO/s {row['mb_per_s']:8.1f} MB/s "
            f"{row['times_naive']:7.2f} x naive {row['of_memcpy']:.4f} of memcpy"
        )


if __name__ == "__main__":
    main()
