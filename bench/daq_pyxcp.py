"""pyxcp as a receiver of bench_daq.py: its own DAQ classes, a process of its own, job and result as JSON."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time

from pyxcp.config import create_application_from_config
from pyxcp.daq_stim import DaqList, DaqOnlinePolicy
from pyxcp.master import Master


class Keep(DaqOnlinePolicy):
    """Counts and keeps the latest values; less than any use of them would do."""

    def initialize(self) -> None:
        self.rows = [0] * len(self.daq_lists)
        self.latest = [None] * len(self.daq_lists)

    def on_daq_list(self, daq_list, _timestamp0, _timestamp1, payload) -> None:
        self.rows[daq_list] += 1
        self.latest[daq_list] = payload

    def finalize(self) -> None:
        pass


def lists_of(signals: list[int]) -> list[DaqList]:
    """The same floats as the A2L of the other receiver."""
    address, found = 0x1000, []
    for event, count in enumerate(signals):
        names = [(f"e{event}_{n}", address + 4 * n, 0, "F32") for n in range(count)]
        found.append(
            DaqList(
                name=f"e{event}", event_num=event, stim=False, enable_timestamps=True,
                measurements=names, priority=0, prescaler=1,
            )
        )  # fmt: skip
        address += 4 * count
    return found


def session(job: dict) -> dict:
    eth = {"host": "127.0.0.1", "port": job["port"], "protocol": "UDP"}
    config = create_application_from_config(
        {"Transport": {"layer": "ETH", "Eth": eth}}, log_level=logging.CRITICAL
    )
    keep = Keep(lists_of(job["signals"]))
    with Master("eth", config=config, policy=keep) as master:
        master.connect()
        keep.setup()
        used, began = time.process_time(), time.perf_counter()
        keep.start()
        time.sleep(job["send_s"])
        used, took = time.process_time() - used, time.perf_counter() - began
        keep.stop()
        time.sleep(0.2)
        sent = 0
        for number in range(len(job["signals"])):
            answer = master.userCmd(number, b"")
            sent += int.from_bytes(bytes(answer)[-4:], "little")
    rows = list(keep.rows)
    signals = sum(n * count for n, count in zip(rows, job["signals"], strict=True))
    return {"cpu_s": used, "s": took, "rows": sum(rows), "sent": sent, "signals": signals}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        result = json.dumps(session(json.loads(sys.argv[1])))
    sys.stdout.write(result + "\n")
    sys.stdout.flush()
    os._exit(0)  # pyxcp's threads are not waited for
