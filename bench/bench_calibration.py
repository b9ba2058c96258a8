"""Bytes that are sent for bytes that change: a set applied, a download, a day of single changes.

Run: ``PYTHONPATH=src python bench/bench_calibration.py``. A virtual ECU in a process of its own; what counts is
packets and bytes on the link, so that what else runs does not matter.

``changed`` are the bytes that differ, ``elements`` those of the numbers that differ: a float that becomes 3 % less
may differ in two of its four bytes. What is sent beyond that are numbers that stay, less than 8 bytes between two that
do not: another packet costs more than they do.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np

import xcaliper
from xcaliper.core.memory import SparseMemory
from xcaliper.sim.process import EcuProcess


class Counter:
    """Counts what goes through the port of a calibration."""

    def __init__(self, calib: Any) -> None:
        self._port = calib.working.port
        self.reset()
        self._write, self._read = self._port.write, self._port.read
        self._matches = self._port.matches
        self._port.write, self._port.read = self.write, self.read
        self._port.matches = self.matches

    def reset(self) -> None:
        """Begin anew."""
        self.writes = self.written = self.reads = self.read_bytes = self.checksums = 0

    def write(self, address: Any, data: bytes) -> None:
        self.writes += 1
        self.written += len(data)
        self._write(address, data)

    def read(self, address: Any, size: int) -> bytes:
        self.reads += 1
        self.read_bytes += size
        return self._read(address, size)

    def matches(self, address: Any, data: bytes) -> bool | None:
        self.checksums += 1
        return self._matches(address, data)

    def row(self, changed: int, elements: int) -> dict[str, Any]:
        """Figures for a number of changed bytes, and of the bytes of the numbers they are in."""
        return {
            "changed": changed,
            "elements": elements,
            "sent": self.written,
            "sent_per_changed": round(self.written / max(changed, 1), 3),
            "sent_per_elements": round(self.written / max(elements, 1), 3),
            "writes": self.writes,
            "reads": self.reads,
            "bytes_read": self.read_bytes,
            "checksums": self.checksums,
        }


def contents(calib: Any) -> list[bytes]:
    """Every segment as it is."""
    return [calib.working.content(one) for one in calib.working.segments]


def differing(left: list[bytes], right: list[bytes]) -> int:
    """Bytes that differ."""
    pairs = zip(left, right, strict=True)
    return sum(int(np.sum(np.frombuffer(a, "u1") != np.frombuffer(b, "u1"))) for a, b in pairs)


def borders(calib: Any) -> list[tuple[int, int, int]]:
    """First byte, element size and number of elements of every run of numbers of the description."""
    found: list[tuple[int, int, int]] = []
    catalog = calib.catalog
    for name in (*catalog.characteristics, *catalog.axis_pts):
        bound = catalog.bind(name)
        start = bound.address.value
        axes = getattr(bound, "axes", None)
        counts = (bound.max_points,) if axes is None else tuple(one.max_points for one in axes)
        cells = None if axes or axes is None else int(np.prod(bound.shape))
        record = bound.layout.place(start, counts, order=bound.byte_order, values=cells)
        for one in record.placed:
            size = one.element.size_bytes
            found += [(start + begin, size, length // size) for begin, length in one.pieces()]
    return found


def floor(calib: Any, left: list[bytes], right: list[bytes]) -> int:
    """Bytes of the numbers that differ; those of no number count singly."""
    runs = borders(calib)
    total = 0
    for segment, a, b in zip(calib.working.segments, left, right, strict=True):
        differs = np.frombuffer(a, "u1") != np.frombuffer(b, "u1")
        whole = differs.copy()
        for start, size, count in runs:
            begin = start - segment.start.value
            if begin >= 0 and begin + size * count <= len(a):
                part = differs[begin : begin + size * count].reshape(count, size).any(axis=1)
                whole[begin : begin + size * count] = np.repeat(part, size)
        total += int(whole.sum())
    return total


def calibrate(calib: Any, seed: int) -> None:
    """Some hundred changes as people make them: scalars, cells, a region of a map, a whole curve."""
    rng = np.random.default_rng(seed)
    scalars = [n for n in calib.catalog.characteristics if n.startswith("c")]
    for name in rng.choice(scalars, 20, replace=False):
        value = calib[name]
        if isinstance(value, float) and value:
            calib.write(name, value * 0.97)
    for name in ("KFZW", "KFLambda"):
        table = calib[name]
        values = table.values.copy()
        values[2:6, 3:9] *= 0.95
        calib.write(name, values)
        for _ in range(10):
            at = (int(rng.integers(12)), int(rng.integers(16)))
            calib.write(name, float(table.values[at]) * 0.98, at=at)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=6)
    seed = parser.parse_args().seed
    found: dict[str, Any] = {}
    with EcuProcess() as process, xcaliper.connect(process.url, cache=False) as ecu:
        calib = ecu.calib
        calib.refresh()
        counter = Counter(calib)
        morning = contents(calib)

        elements = []
        last = [morning]

        def count(_: Any) -> None:
            now = contents(calib)
            elements.append(floor(calib, last[0], now))
            last[0] = now

        calib.on_change = count
        calibrate(calib, seed)
        calib.on_change = lambda _: None
        evening = contents(calib)
        changed = sum(one.bytes_changed for one in calib.history)
        found["single_changes"] = counter.row(changed, sum(elements))
        least = floor(calib, morning, evening)
        saved = calib.snapshot(name="evening")
        image = SparseMemory()
        for segment, data in zip(calib.working.segments, evening, strict=True):
            image.add(segment.start, bytearray(data))

        for number in range(len(morning)):  # as after a reset
            ecu.copy_page((number, 1), (number, 0))
        calib.refresh()
        counter.reset()
        calib.apply(saved)
        found["set_applied"] = counter.row(differing(morning, evening), least)
        calib.working.distrust()
        assert contents(calib) == evening, "every byte equals the one before"

        for number in range(len(morning)):
            ecu.copy_page((number, 1), (number, 0))
        counter.reset()
        calib.synchronise(image, "download")
        found["download"] = counter.row(differing(morning, evening), least)
        calib.working.distrust()
        assert contents(calib) == evening, "every byte equals the one before"

        counter.reset()
        calib.synchronise(image, "offline")
        found["equal"] = counter.row(0, 0)
        total = sum(map(len, evening))
        found["bytes_of_all_segments"] = total
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
