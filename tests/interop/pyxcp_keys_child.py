"""pyxcp unlocks a slave, in a process of its own: job as JSON on stdin, result on stdout."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys

from pyxcp import types
from pyxcp.config import create_application_from_config
from pyxcp.master import Master

MASK = 0x5A


def key(resource: int, seed: bytes) -> bytes:
    """What the demo ECU wants, written anew here."""
    return bytes(((byte ^ MASK) + resource) % 256 for byte in seed[::-1])


def wrong_key(resource: int, seed: bytes) -> bytes:
    return bytes(len(seed))


def parts(master: Master, resource: int) -> int:
    """Seed and key in as many parts as it takes; pyxcp's own loop ends after the second one."""
    reply = master.getSeed(types.XcpGetSeedMode.FIRST_PART, resource)
    seed, asked = bytes(reply.seed), 1
    while len(seed) < reply.length:
        seed += bytes(master.getSeed(types.XcpGetSeedMode.REMAINING, 0).seed)
        asked += 1
    whole, room = key(resource, seed), master.slaveProperties.maxCto - 2
    for at in range(0, len(whole), room):
        master.unlock(len(whole) - at, whole[at : at + room])
    return asked


def locked(master: Master) -> dict[str, bool]:
    return {name: bool(value) for name, value in master.getCurrentProtectionStatus().items()}


def session(job: dict) -> dict:
    """The whole session; the result is ready for JSON."""
    config = create_application_from_config(
        {
            "Transport": {"Eth": {"host": job["host"], "port": job["port"], "protocol": "UDP"}},
            "General": {
                "max_retries": 0,
                "connect_retries": 1,
                "seed_n_key_function": wrong_key if job["wrong"] else key,
            },
        },
        log_level=logging.CRITICAL,
    )
    config.transport.layer = "ETH"
    found: dict = {}
    with Master("eth", config=config) as master:
        master.connect()
        found["before"] = locked(master)
        if job["long"]:
            master.transport_name = "can"  # it reads seeds in parts on CAN only
        try:
            if job["own_loop"]:
                found["parts"] = parts(master, 0x01)
            else:
                master.cond_unlock(job["resources"])
        except Exception as error:
            found["error"] = f"{type(error).__name__}: {error}"
            return found
        found["after"] = locked(master)
        address = job["address"]
        before = master.shortUpload(2, address)
        master.shortDownload(address, 0, bytes(before[::-1]))
        found["written"] = bytes(master.shortUpload(2, address)) == bytes(before[::-1])
        master.shortDownload(address, 0, bytes(before))
        master.disconnect()
    return found


if __name__ == "__main__":
    told = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        answer = json.dumps(session(told))
    sys.stdout.write(answer)
    sys.stdout.flush()
    os._exit(0)  # pyxcp's threads are not waited for
