"""Random calibration sessions on an ECU that refuses, alters or falls silent at random writes.

Whatever happens: a group is there wholly or not at all, history and ECU agree once it is settled, and undo
goes back to the bytes of before.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from support.calib_ecu import SEGMENTS, CalibEcu, catalog, refusal, silence
from xcaliper.calib.calibrator import Calibrator
from xcaliper.calib.history import History, State, Transaction
from xcaliper.calib.settle import Settle
from xcaliper.core.errors import IntegrityError, TransactionError, UsageError, WriteProtectedError

CATALOG = catalog()
NAMES = ("a", "b", "t1", "t2", "p", "curve", "block")


class Disk:
    """What a tool that is killed leaves behind."""

    def __init__(self) -> None:
        self.kept: dict[int, dict] = {}
        self.ends: dict[int, tuple] = {}

    def intend(self, transaction: Transaction) -> None:
        self.kept[transaction.number] = transaction.as_dict()

    def settle(self, number, state, runs) -> None:
        self.ends[number] = (state, runs)

    def history(self) -> History:
        from dataclasses import replace

        found = {}
        for number, row in self.kept.items():
            one = Transaction.from_dict(row)
            state, runs = self.ends.get(number, (State.OPEN, None))
            found[number] = replace(one, state=state, runs=one.runs if runs is None else runs)
        return History(self, found)


steps = st.lists(
    st.tuples(
        st.sampled_from(["write", "group", "swap", "park", "undo", "redo", "restart"]),
        st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 63)), min_size=1, max_size=4),
        st.none()
        | st.tuples(st.integers(0, 4), st.sampled_from(["refuse", "lose"]), st.booleans()),
        st.sampled_from(list(Settle)),
    ),
    min_size=1,
    max_size=8,
)


def value(name: str, number: int) -> object:
    if name == "curve":
        return [number, number ^ 1, number, 5]
    return [number] * 300 if name == "block" else number


def state_of(ecu: CalibEcu) -> tuple:
    return (*ecu.active(), bytes(ecu.plain))


def connect(ecu: CalibEcu, disk: Disk) -> Calibrator:
    made = Calibrator(CATALOG, ecu, SEGMENTS, clock=lambda: 0, history=disk.history())
    made.spare.add(1)
    return made


def carry_out(calib: Calibrator, kind: str, writes) -> None:
    if kind == "undo":
        calib.undo()
    elif kind == "redo":
        calib.redo()
    elif kind == "write":
        name, number = writes[0]
        calib.write(name, value(name, number))
    else:
        how = {"group": "auto"}.get(kind, kind)
        with calib.group(how=how):
            for name, number in writes:
                calib.write(name, value(name, number))


@settings(max_examples=150, deadline=None)
@given(steps)
def test_whatever_happens_history_and_ecu_agree(session):
    ecu, disk = CalibEcu(), Disk()
    calib = connect(ecu, disk)
    for kind, writes, fault, how in session:
        if kind == "restart":
            calib = connect(ecu, disk)
            continue
        before = state_of(ecu)
        if fault is not None:
            number, what, arrived = fault
            error = refusal() if what == "refuse" else silence()
            ecu.fail = {ecu.writes + number: (error, arrived)}
        try:
            carry_out(calib, kind, writes)
        except TransactionError as error:
            ecu.silent, ecu.fail = False, {}
            if error.restored:
                assert state_of(ecu) == before
            else:
                calib = connect(ecu, disk)  # as after a kill
                calib.settle(how)
                if how is Settle.BACK:
                    assert state_of(ecu) == before
        except (WriteProtectedError, UsageError, IntegrityError):
            assert state_of(ecu) == before, "it was refused as a whole"
        ecu.fail = {}
        assert calib.disagreements() == []
        assert not calib.history.open()
    for _ in range(100):
        if calib.history.undoable() is None:
            break
        calib.undo()
    first = CalibEcu()
    assert calib.history.undoable() is None
    assert state_of(ecu) == (*first.active(), bytes(first.plain))
