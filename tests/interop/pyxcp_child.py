"""A session of pyxcp with a slave, in a process of its own: job as JSON on stdin, result on stdout.

pyxcp keeps global state and threads and writes to the log as it likes; none of it reaches the tests.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time

from pyxcp.config import create_application_from_config
from pyxcp.master import Master
from pyxcp.transport import FrameAcquisitionPolicy
from pyxcp.transport.transport_ext import FrameCategory


class Keep(FrameAcquisitionPolicy):
    """Keeps the DAQ packets in order of arrival."""

    def __init__(self) -> None:
        super().__init__(None)
        self.dtos: list[str] = []

    def feed(self, frame_type, counter, timestamp, payload) -> None:
        if frame_type == FrameCategory.DAQ:
            self.dtos.append(bytes(payload).hex())

    def finalize(self) -> None:
        pass


def identify(master: Master, kind: int) -> str:
    """GET_ID, text in the response or by upload."""
    found = master.getId(kind)
    if found.mode & 1:
        return bytes(found.identification[: found.length]).hex()
    return master.fetch(found.length).hex()


def memory(master: Master, job: dict) -> dict:
    """Every kind of reading, then writing and reading back."""
    found: dict = {"short": [], "uploaded": []}
    for address, size in job["read"]:
        if size < 200:
            found["short"].append(master.shortUpload(size, address).hex())
        master.setMta(address)
        found["uploaded"].append(master.fetch(size).hex())
    found["written"] = []
    for address, text in job["write"]:
        data = bytes.fromhex(text)
        before = master.shortUpload(len(data), address)
        master.setMta(address)
        master.download(data)
        after = master.shortUpload(len(data), address)
        master.shortDownload(address, 0, before)
        restored = master.shortUpload(len(data), address)
        found["written"].append([before.hex(), after.hex(), restored.hex()])
    address, size = job["checksum"]
    master.setMta(address)
    answer = master.buildChecksum(size)
    found["checksum"] = [str(answer.checksumType), int(answer.checksum)]
    return found


def pages(master: Master, job: dict) -> dict:
    """Switch a segment to its other page and back."""
    segment = job["segment"]
    processor = master.getPagProcessorInfo()
    start = master.getSegmentInfo(0, segment, 0, 0)
    before = [master.getCalPage(1, segment), master.getCalPage(2, segment)]
    master.setCalPage(0x03, segment, 1)
    switched = [master.getCalPage(1, segment), master.getCalPage(2, segment)]
    master.setCalPage(0x03, segment, 0)
    master.copyCalPage(segment, 1, segment, 0)
    return {
        "segments": int(processor.maxSegments),
        "start": int(start.basicInfo),
        "before": list(map(int, before)),
        "switched": list(map(int, switched)),
        "after": [int(master.getCalPage(1, segment)), int(master.getCalPage(2, segment))],
    }


def daq_info(master: Master) -> dict:
    """What pyxcp reads about data acquisition."""
    info = master.getDaqInfo()
    return {
        "channels": [[channel["name"], int(channel["cycle"])] for channel in info["channels"]],
        "dynamic": str(info["processor"]["properties"]["configType"]),
        "timestamp": str(info["resolution"]["timestampMode"]["size"]),
    }


def daq(master: Master, keep: Keep, job: dict) -> dict:
    """Dynamic lists: allocate, fill, run for a while, stop."""
    lists = job["lists"]
    master.freeDaq()
    master.allocDaq(len(lists))
    for number, one in enumerate(lists):
        master.allocOdt(number, len(one["odts"]))
    for number, one in enumerate(lists):
        for odt, entries in enumerate(one["odts"]):
            master.allocOdtEntry(number, odt, len(entries))
    for number, one in enumerate(lists):
        for odt, entries in enumerate(one["odts"]):
            master.setDaqPtr(number, odt, 0)
            for address, size in entries:
                master.writeDaq(0xFF, size, 0, address)
    for number, one in enumerate(lists):
        master.setDaqListMode(0x10, number, one["event"], 1, 0)  # with timestamp
    pids = [int(master.startStopDaqList(2, number).firstPid) for number in range(len(lists))]
    keep.dtos.clear()
    master.startStopSynch(1)
    time.sleep(job["duration_s"])
    status = master.getStatus()
    master.startStopSynch(0)
    time.sleep(0.1)
    master.freeDaq()
    return {
        "first_pids": pids,
        "dtos": list(keep.dtos),
        "running": bool(status.sessionStatus.daqRunning),
    }


def session(job: dict) -> dict:
    """The whole session; the result is ready for JSON."""
    config = create_application_from_config(
        {
            "Transport": {
                "Eth": {
                    "host": job["host"],
                    "port": job["port"],
                    "protocol": job["protocol"],
                    "tcp_nodelay": True,
                }
            },
            "General": {"max_retries": 1, "connect_retries": 1},
        },
        log_level=logging.ERROR,
    )
    config.transport.layer = "ETH"
    keep = Keep()
    found: dict = {}
    with Master("eth", config=config, policy=keep) as master:
        hello = master.connect()
        found["connect"] = {
            "max_cto": int(hello.maxCto),
            "max_dto": int(hello.maxDto),
            "byte_order": str(master.slaveProperties.byteOrder),
            "daq": bool(master.slaveProperties.supportsDaq),
            "cal_pag": bool(master.slaveProperties.supportsCalpag),
        }
        found["ids"] = {str(kind): identify(master, kind) for kind in job["ids"]}
        found["memory"] = memory(master, job["memory"])
        found["pages"] = pages(master, job["pages"])
        found["daq_info"] = daq_info(master)
        found["daq"] = daq(master, keep, job["daq"])
        master.disconnect()
    return found


if __name__ == "__main__":
    told = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        answer = json.dumps(session(told))
    sys.stdout.write(answer)
    sys.stdout.flush()
    os._exit(0)  # pyxcp's threads are not waited for
