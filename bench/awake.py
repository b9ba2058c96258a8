"""Keeps a machine awake while CPU time is compared, and tells what it costs where it is not."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time

import numpy as np


@contextlib.contextmanager
def awake():
    """Keep every core awake by processes that run only when nobody else wants to (SCHED_IDLE).

    A virtual machine whose core halts loses its memory mappings to the host, and what wakes up next is
    charged for getting them back: work of 0.5 ms was seen to take 0.6 to 12 ms of CPU time after a pause
    of 0.2 s, whichever the host pleased. Whoever sleeps looks dear then, whoever polls looks cheap.
    """
    lazy = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile 1: pass"
    processes = []
    if hasattr(os, "SCHED_IDLE"):
        processes = [
            subprocess.Popen([sys.executable, "-c", lazy], stderr=subprocess.DEVNULL)
            for _ in os.sched_getaffinity(0)
        ]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def waking_up() -> float:
    """How many times its hot CPU time a piece of work costs after pauses of 50 ms."""

    def work() -> float:
        begin = time.thread_time()
        values = {str(number): number for number in range(200)}
        for _ in range(20):
            np.linalg.inv(np.eye(4) + len(values))
        return time.thread_time() - begin

    for _ in range(20):
        work()
    hot = statistics.median(work() for _ in range(20))
    cold = []
    for _ in range(20):
        time.sleep(0.05)
        cold.append(work())
    return statistics.median(cold) / hot
