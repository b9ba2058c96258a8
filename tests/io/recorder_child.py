"""Child process of the kill and disk tests: records a 1 kHz counter through pipeline and sink.

Arguments: file, compressed (0 or 1), limit of the file size in bytes (0 = none), and how: ``plain``,
``split`` (a file per 200 ms), ``triggered`` (300 ms of every 500 ms, 100 ms before the trigger) or
``files`` (by the suffix of the name).
Prints ``produced <count> <monotonic ns>`` after handing a batch over.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from xcaliper.core.errors import XcaliperError
from xcaliper.core.samples import SampleBlock
from xcaliper.record.description import (
    EventType,
    RasterDescription,
    RecordingDescription,
    RecordingEvent,
    SignalDescription,
)
from xcaliper.record.pipeline import Pipeline
from xcaliper.record.recorder import FileOptions, Recorder
from xcaliper.record.sinks.mdf4 import Mdf4Sink
from xcaliper.record.trigger import At

DTYPE = np.dtype([("counter", ">u4"), ("filler", "u1", (12,))])
BATCH = 10
PERIOD_NS = 1_000_000


def target(path: str, how: str, *, compressed: bool) -> Pipeline | Recorder:
    signals = (SignalDescription("counter"), SignalDescription("filler"))
    rasters = tuple(RasterDescription(n, 1, PERIOD_NS, DTYPE, signals) for n in ("1ms", "second"))
    description = RecordingDescription(time.time_ns(), rasters)
    options = FileOptions(compressed=compressed, flush_period_s=0.1)
    if how == "files":
        return Recorder(description, path, options=options)
    if how == "split":
        return Recorder(description, path, split_s=0.2, options=options)
    if how == "triggered":
        return Recorder(
            description,
            path,
            trigger=At(0.2, every_s=0.5),
            pre_s=0.1,
            post_s=0.2,
            max_recordings=None,
            options=options,
        )
    return Pipeline([Mdf4Sink(path, description, compressed=compressed)])


def main(path: str, compressed: str, limit: str, how: str = "plain") -> None:
    if int(limit):
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    pipeline = target(path, how, compressed=compressed == "1")
    start = time.monotonic_ns()
    count = 0
    try:
        while count < 120_000:
            rows = np.zeros(BATCH, DTYPE)
            rows["counter"] = np.arange(count, count + BATCH)
            t_ns = np.arange(count, count + BATCH, dtype=np.int64) * PERIOD_NS
            for raster in (0, 1):
                pipeline.put(SampleBlock(raster, t_ns, rows))
            count += BATCH
            if count % 200 == 0:
                pipeline.event(RecordingEvent(EventType.MARKER, int(t_ns[-1]), f"at {count}"))
            print(f"produced {count} {time.monotonic_ns()}", flush=True)
            behind = start + count * PERIOD_NS - time.monotonic_ns()
            if behind > 0 and not int(limit):
                time.sleep(behind / 1e9)
        pipeline.close()
    except XcaliperError as error:
        print(f"error {type(error).__name__} {error}", flush=True)
        try:
            pipeline.close()
        except XcaliperError as again:
            print(f"closed {type(again).__name__} {again}", flush=True)
            sys.exit(3)


if __name__ == "__main__":
    main(*sys.argv[1:])
