"""Child process of the kill and disk tests: records a 1 kHz counter through pipeline and sink.

Arguments: file, compressed (0 or 1), limit of the file size in bytes (0 = none).
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
from xcaliper.record.sinks.mdf4 import Mdf4Sink

DTYPE = np.dtype([("counter", ">u4"), ("filler", "u1", (12,))])
BATCH = 10
PERIOD_NS = 1_000_000


def main(path: str, compressed: str, limit: str) -> None:
    if int(limit):
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    signals = (SignalDescription("counter"), SignalDescription("filler"))
    rasters = tuple(RasterDescription(n, 1, PERIOD_NS, DTYPE, signals) for n in ("1ms", "second"))
    sink = Mdf4Sink(
        path, RecordingDescription(time.time_ns(), rasters), compressed=compressed == "1"
    )
    pipeline = Pipeline([sink])
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
