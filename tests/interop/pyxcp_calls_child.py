"""Calls of pyxcp's master, one by one, in a process of its own: job as JSON on stdin, results on stdout.

A call is the name of a method and its arguments, {"hex": ...} for bytes and {"type": ...} for a name
of pyxcp.types; a result is what it gave, or the error that it raised.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading

from pyxcp import types
from pyxcp.config import create_application_from_config
from pyxcp.cpp_ext.cpp_ext import DaqList
from pyxcp.daq_stim import DaqOnlinePolicy
from pyxcp.master import Master
from pyxcp.transport import FrameAcquisitionPolicy
from pyxcp.transport.transport_ext import FrameCategory

ENOUGH = 40
PATIENCE_S = 10.0


def application(job: dict):
    eth = {"host": job["host"], "port": job["port"], "protocol": job["protocol"]}
    config = create_application_from_config(
        {
            "Transport": {"Eth": {**eth, "tcp_nodelay": True}},
            "General": {"max_retries": 0, "connect_retries": 1},
        },
        log_level=logging.CRITICAL,
    )
    config.transport.layer = "ETH"
    return config


def plain(value):
    """Anything that pyxcp gives, ready for JSON: parsed structures become objects."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, bool | None):
        return value
    if isinstance(value, int):
        named = type(value) is not int and not hasattr(value, "intvalue")
        return int(value) if named or type(value) is int else str(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items() if k not in ("_io", "master")}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    found = {k: plain(v) for k, v in vars(value).items() if not k.startswith("_")}
    return found or str(value)


def argument(value):
    if isinstance(value, dict) and "hex" in value:
        return bytes.fromhex(value["hex"])
    if isinstance(value, dict) and "type" in value:
        found = types
        for name in value["type"].split("."):
            found = getattr(found, name)
        return found
    return value


class Keep(FrameAcquisitionPolicy):
    """Keeps samples and events in order of arrival."""

    def __init__(self) -> None:
        super().__init__(None)
        self.dtos: list[str] = []
        self.events: list[str] = []
        self.enough = threading.Event()

    def feed(self, frame_type, counter, timestamp, payload) -> None:
        if frame_type == FrameCategory.DAQ:
            self.dtos.append(bytes(payload).hex())
            if len(self.dtos) >= ENOUGH:
                self.enough.set()
        elif frame_type == FrameCategory.EVENT:
            self.events.append(bytes(payload).hex())

    def finalize(self) -> None:
        pass


def calls(job: dict) -> dict:
    """Every call of a session; an error does not end it."""
    keep = Keep()
    results: list = []
    with Master("eth", config=application(job), policy=keep) as master:
        for name, *arguments in job["calls"]:
            if name == "await_samples":
                keep.dtos.clear()
                keep.enough.clear()
                results.append(keep.enough.wait(PATIENCE_S))
                continue
            try:
                results.append(plain(getattr(master, name)(*map(argument, arguments))))
            except Exception as error:
                results.append({"error": type(error).__name__, "told": str(error)})
        return {"results": results, "dtos": keep.dtos[:ENOUGH], "events": keep.events}


class Rows(DaqOnlinePolicy):
    """What pyxcp's own DAQ classes decode."""

    def initialize(self) -> None:
        self.rows: dict[str, list] = {one.name: [] for one in self.daq_lists}
        self.enough = threading.Event()
        super().initialize()

    def on_daq_list(self, daq_list, timestamp0, timestamp1, payload) -> None:
        rows = self.rows[self.daq_lists[daq_list].name]
        if len(rows) < ENOUGH:
            rows.append([timestamp1, *payload])
        if all(len(one) >= ENOUGH for one in self.rows.values()):
            self.enough.set()

    def finalize(self) -> None:
        pass


def measure(job: dict) -> dict:
    """A measurement by pyxcp's DAQ classes: they plan, set up, decode and scale timestamps."""
    application(job)
    policy = Rows([DaqList(*one) for one in job["lists"]])
    with Master("eth", config=application(job), policy=policy) as master:
        master.connect()
        policy.setup()
        policy.start()
        enough = policy.enough.wait(PATIENCE_S)
        policy.stop()
        master.disconnect()
        return {
            "enough": enough,
            "rows": policy.rows,
            "headers": [x.headers for x in policy.daq_lists],
        }


if __name__ == "__main__":
    told = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        answer = json.dumps({"calls": calls, "measure": measure}[told["kind"]](told))
    sys.stdout.write(answer)
    sys.stdout.flush()
    os._exit(0)  # pyxcp's threads are not waited for
