"""A session of 500 writes that could have ended at any of them: each time history and ECU agree.

At every write, before it is sent, after it was sent, or after it was read back in turn, the file of the
history and the ECU are copied; a tool that is started on the copies must find out what became of the last
transaction.
"""

from __future__ import annotations

import copy
import random

import pytest

from support.calib_ecu import SEGMENTS, CalibEcu, catalog
from xcaliper.calib.calibrator import Calibrator
from xcaliper.calib.history import State
from xcaliper.calib.settle import Settle
from xcaliper.client.history_file import HistoryFile

CATALOG = catalog()
WRITES = 500
NAMES = ("a", "b", "t1", "t2", "p", "coded")


class Watched(CalibEcu):
    """Tells somebody before and after every write, and after every reading."""

    watch = staticmethod(lambda _where: None)

    def write(self, address, data):
        self.watch("intent")
        super().write(address, data)
        self.watch("sent")

    def read(self, address, size_bytes):
        found = super().read(address, size_bytes)
        self.watch("seen")
        return found

    def __deepcopy__(self, memo):
        made = CalibEcu()
        made.pages_of = {key: bytearray(data) for key, data in self.pages_of.items()}
        made.plain = bytearray(self.plain)
        made.used = {key: list(pages) for key, pages in self.used.items()}
        return made


def connect(ecu, file) -> Calibrator:
    calib = Calibrator(CATALOG, ecu, SEGMENTS, clock=lambda: 0, history=file.history())
    calib.spare.add(1)
    return calib


def state_of(ecu) -> tuple:
    return (*ecu.active(), bytes(ecu.plain))


def session(calib, rng, ecu):
    """Writes, groups of every kind, undo and redo, until the ECU has seen 500 writes."""
    while ecu.writes < WRITES:
        choice = rng.random()
        if choice < 0.5:
            calib.write(rng.choice(NAMES), rng.randrange(60))
        elif choice < 0.6:
            calib.write("curve", rng.randrange(200), at=rng.randrange(4))
        elif choice < 0.7 and calib.history.undoable() is not None:
            calib.undo()
        elif choice < 0.75 and calib.history.redoable() is not None:
            calib.redo()
        else:
            how = rng.choice(["auto", "order", "park"])
            names = ("a", "b", "t1", "t2") if how == "park" else NAMES
            with calib.group(how=how):
                for name in rng.sample(names, 3):
                    calib.write(name, rng.randrange(60))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_tool_that_ends_at_any_write_finds_out_what_became_of_it(seed, tmp_path):
    rng = random.Random(seed)
    path, other = tmp_path / "history", tmp_path / "copy"
    ecu = Watched()
    ended: list[int] = []
    problems: list[str] = []

    def end(where: str) -> None:
        number = ecu.writes - (where != "intent")  # of the write that is being made
        if where != ("intent", "sent", "seen")[(number + seed) % 3] or number in ended[-1:]:
            return
        how = tuple(Settle)[number // 3 % 3]
        ended.append(number)
        other.write_bytes(path.read_bytes())
        left = copy.deepcopy(ecu)
        with HistoryFile(other) as file:
            calib = connect(left, file)
            opened = calib.history.open()
            before = state_of(left)
            found = calib.settle(how)
            if len(opened) > 1 or calib.history.open():
                problems.append(f"{ecu.writes} {where}: {len(opened)} open")
            if how is Settle.LOOK and state_of(left) != before:
                problems.append(f"{ecu.writes} {where}: looking has changed it")
            if calib.disagreements():
                problems.append(f"{ecu.writes} {where}: {calib.disagreements()}")
            wanted = {Settle.FINISH: State.DONE, Settle.BACK: State.UNDONE}.get(how)
            states = [calib.history[one.transaction.number].state for one in found]
            if wanted and any(one is not wanted for one in states):
                problems.append(f"{ecu.writes} {where}: not {wanted}")

    with HistoryFile(path) as file:
        calib = connect(ecu, file)
        ecu.watch = end
        session(calib, rng, ecu)
        ecu.watch = lambda _where: None
        assert calib.disagreements() == []
    assert not problems, problems[:5]
    assert len(set(range(WRITES)) - set(ended)) < WRITES // 100, (
        "at nearly every write it ended once"
    )
