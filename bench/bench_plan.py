"""Planning 10 000 signals: CPU time, as ratio to sorting them, and ODTs against first-fit-decreasing.

Run: ``PYTHONPATH=src python bench/bench_plan.py``. Figures are medians of CPU time over interleaved rounds; the ratio to a plain
sort of the signals by address is the result, because it does not depend on the machine. The bar is one second of CPU on any machine
that sorts 10 000 signals in a millisecond: a ratio below 1000.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time

import numpy as np

from xcaliper.core.address import Address
from xcaliper.core.ticks import TickClock
from xcaliper.daq import (
    DaqCapabilities,
    EventChannel,
    Optimisation,
    Wanted,
    WantedSignal,
    compile_plan,
)

BAR = 1000
EVENTS = (EventChannel(0, "1ms", 1_000_000), EventChannel(1, "10ms", 10_000_000, consistency=1))
CODES = ("u1", "<u2", "<u4", "<f4", "<f8")


def scattered(count, rng):
    """Signals of every size with gaps between them, on two events."""
    found, at = [], 0x1000
    for index in range(count):
        dtype = np.dtype(rng.choice(CODES))
        at += -at % dtype.itemsize
        found.append(WantedSignal(f"s{index}", Address(at), dtype, default_event=index % 2))
        at += dtype.itemsize + rng.randint(0, 40)
    return tuple(found)


def slaves():
    ethernet = {
        "max_dto": 1400,
        "identification_field": 3,
        "clock": TickClock(1, 0, 4),
        "max_entry_size": 248,
    }
    for rule in (0, 2, 4, 5):
        yield (
            f"Ethernet, {Optimisation(rule).name}",
            DaqCapabilities(
                **ethernet
                | {
                    "events": EVENTS,
                    "optimisation_type": rule,
                    "max_entry_size": 8 if rule == 5 else 248,
                }
            ),
        )
    yield (
        "CAN",
        DaqCapabilities(
            max_dto=8,
            identification_field=1,
            clock=TickClock(1, 3, 2),
            max_entry_size=6,
            events=EVENTS,
        ),
    )


def plain_first_fit(plan, signals, caps):
    """ODTs that first-fit-decreasing of whole signals needs, over all lists."""
    payload = caps.max_dto - plan.dto_format.header_size
    total = 0
    for event in {s.default_event for s in signals}:
        free = [caps.max_dto - plan.dto_format.first_header_size]
        slots = [255]
        start: dict[int, int] = {}
        sizes = sorted((s.size_bytes for s in signals if s.default_event == event), reverse=True)
        for size in sizes:
            at = start.get(size, 0)
            while at < len(free) and (free[at] < size or not slots[at]):
                at += 1
            if at == len(free):
                free.append(payload)
                slots.append(255)
            free[at] -= size
            slots[at] -= 1
            start[size] = at
        total += len(free)
    return total


def least_by_bytes(plan, signals, caps):
    """ODTs that the bytes alone need, over all events."""
    payload = caps.max_dto - plan.dto_format.header_size
    total = 0
    for event in {s.default_event for s in signals}:
        size = sum(s.size_bytes for s in signals if s.default_event == event)
        total += -(-(size + plan.dto_format.timestamp_size) // payload)
    return total


def timed(function):
    begin = time.process_time()
    result = function()
    return time.process_time() - begin, result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    signals = scattered(options.signals, random.Random(1))
    rows = []
    for name, caps in slaves():
        planning, sorting, plan = [], [], None
        for _ in range(options.rounds):
            taken, _ = timed(
                lambda: sorted(signals, key=lambda s: (s.address.extension, s.address.value))
            )
            sorting.append(taken)
            taken, plan = timed(lambda caps=caps: compile_plan(Wanted(signals), caps))
            planning.append(taken)
        cpu, plain = statistics.median(planning), statistics.median(sorting)
        odts = sum(len(setup.odts) for setup in plan.lists)
        whole = caps.optimisation is Optimisation.DEFAULT and caps.max_dto > 16
        rows.append(
            {
                "slave": name,
                "cpu_s": cpu,
                "ratio_to_sort": cpu / max(plain, 1e-6),
                "odts": odts,
                "least": least_by_bytes(plan, signals, caps),
                "first_fit": plain_first_fit(plan, signals, caps) if whole else None,
            }
        )
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        against = f", the bytes need {row['least']}"
        if row["first_fit"] is not None:
            against += f", first-fit-decreasing {row['first_fit']}"
        print(
            f"{row['slave']}: {row['ratio_to_sort']:.0f} × sorting (bar {BAR}), {row['cpu_s']:.3f} s CPU, {row['odts']} ODTs{against}"
        )


if __name__ == "__main__":
    main()
