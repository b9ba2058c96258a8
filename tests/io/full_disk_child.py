"""Measures into a file whose size is limited, as if the disk were full; arguments: url, file, limit."""

from __future__ import annotations

import resource
import signal
import sys
import time

import xcaliper


def main(url: str, path: str, limit: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    with xcaliper.connect(url, cache=False) as ecu:
        measurement = ecu.measure("*", duration_s=30, record=path)
        start = time.monotonic()
        try:
            measurement.run()
        except xcaliper.XcaliperError as error:
            print(f"{error.slug}|{time.monotonic() - start:.1f}|{error}", flush=True)
            print("alive", ecu.read("cIdleSpeedTarget"), flush=True)
        else:
            print("none|0|no error", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
