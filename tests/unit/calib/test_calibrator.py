"""Writing, groups, undo, history and settling, on an ECU made of bytes that fails on demand."""

from __future__ import annotations

import numpy as np
import pytest

from support.calib_ecu import MAPS, PLAIN, SEGMENTS, TWIN, CalibEcu, catalog, refusal, silence
from xcaliper.calib.calibrator import Calibrator
from xcaliper.calib.groups import Brackets, How
from xcaliper.calib.history import Change, History, Kind, State, Transaction
from xcaliper.calib.settle import Settle
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    IntegrityError,
    LimitError,
    NotFoundError,
    TransactionError,
    UsageError,
    WriteProtectedError,
)

CATALOG = catalog()


class Journal:
    """Keeps what would be on the disk."""

    def __init__(self) -> None:
        self.lines: list[tuple] = []

    def intend(self, transaction: Transaction) -> None:
        self.lines.append(("intent", transaction.as_dict()))

    def settle(self, number, state, runs) -> None:
        self.lines.append((number, str(state)))


def made(**options) -> tuple[CalibEcu, Calibrator]:
    ecu = CalibEcu(**options)
    return ecu, again(ecu)


def again(ecu: CalibEcu, history: History | None = None) -> Calibrator:
    ticks = iter(range(1_000, 1_000_000, 1_000))
    return Calibrator(
        CATALOG, ecu, SEGMENTS, clock=lambda: next(ticks), author="ann", history=history
    )


def word(ecu: CalibEcu, at: int, page: int = 0, segment: int = 0) -> int:
    return int.from_bytes(ecu.pages_of[segment, page][at : at + 2], "little")


def grouped(calib: Calibrator, values: dict, reason: str = "", **options) -> None:
    """One group of some values."""
    with calib.group(reason, **options):
        for name, value in values.items():
            calib[name] = value


# --- single writes ---


def test_a_write_is_verified_remembered_and_followed_by_what_depends_on_it():
    ecu, calib = made()
    calib["b"] = 4
    ecu.log.clear()
    result = calib.write("a", 10, reason="louder")
    assert (word(ecu, 0), word(ecu, 0x20)) == (20, 14)
    assert [one.name for one in result.dependents] == ["sum"]
    assert ecu.log == ["write 0x1000 2", "write 0x1020 2"]
    assert (calib["a"], calib["sum"], calib["twice"]) == (10, 14, 28)
    last = calib.history[2]
    assert (last.kind, last.state, last.author, last.reason) == ("write", "done", "ann", "louder")
    assert last.time_ns == 2_000
    first, second = last.changes
    assert (first.name, first.new, first.unit, first.follows) == ("a", 10.0, "V", False)
    assert (second.name, second.new, second.follows) == ("sum", 14, True)
    assert str(first).startswith("a: ")
    assert str(last).endswith("(louder)")
    (move,) = last.moves
    assert (move.segment, move.written) == (0, 0)
    assert [row["name"] for row in calib.history.rows()] == ["b", "sum", "a", "sum"]
    assert calib.history.of("a") == [last]


def test_what_does_not_change_is_not_sent_and_not_in_the_history():
    ecu, calib = made()
    calib.write("a", calib["a"], dependents=False)
    assert (ecu.writes, len(calib.history)) == (0, 0)


def test_what_is_wrong_is_refused_before_anything_is_sent():
    ecu, calib = made()
    with pytest.raises(LimitError):
        calib["a"] = 1e6
    with pytest.raises(NotFoundError):
        calib["nothing"] = 1
    with pytest.raises(UsageError, match="computed"):
        calib["sum"] = 1
    with pytest.raises(UsageError, match="ax"):
        calib["ax"] = [1, 5, 4, 9]
    with pytest.raises(LimitError):
        calib["b"] = 60_000  # the sum would be outside of its limits
    assert (ecu.writes, len(calib.history)) == (0, 0)


def test_a_refused_write_is_the_slaves_own_error_and_leaves_nothing_open():
    ecu, calib = made()
    ecu.fail = {1: (refusal(), False)}
    before = ecu.active()
    with pytest.raises(WriteProtectedError, match=r"^b: "):
        calib["b"] = 7
    assert ecu.active() == before, "what had been written is put back"
    assert calib.history[1].state is State.UNDONE
    calib["b"] = 7
    assert calib.undo() is not None


def test_a_value_that_the_ecu_alters_is_put_back():
    ecu, calib = made()
    write = ecu.write
    ecu.write = lambda at, data: write(at, data if ecu.writes else b"\x55" * len(data))
    before = word(ecu, 0)
    with pytest.raises(IntegrityError, match=r"^a: memory: read back"):
        calib.write("a", 3, dependents=False)
    assert word(ecu, 0) == before


# --- groups ---


def test_inside_of_a_group_values_are_as_they_will_be_and_nothing_is_sent():
    ecu, calib = made()
    with calib.group("two of them") as group:
        calib["a"] = 3
        calib["b"] = 4
        assert (calib["a"], calib["sum"], ecu.writes) == (3, 7, 0)
        with calib.group("inner"):
            calib.write("curve", 9, at=1)
        assert calib["curve"].values.tolist()[1] == 9
    assert group.transaction is not None
    assert group.transaction.kind is Kind.GROUP
    assert group.transaction.names == ("a", "sum", "b", "curve")
    assert len(calib.history) == 1
    assert (calib["a"], calib["sum"]) == (3, 7)
    assert group.transaction.bytes_changed <= group.transaction.bytes_sent


def test_an_error_inside_of_a_group_drops_it():
    ecu, calib = made()
    with pytest.raises(LimitError):
        grouped(calib, {"a": 3, "b": -1})
    assert (ecu.writes, len(calib.history)) == (0, 0)
    with calib.group("kept") as group:
        calib["a"] = 3
        with pytest.raises(LimitError):
            calib["b"] = -1
    assert group.transaction.names == ("a", "sum"), "a refused write takes nothing else along"


def test_axis_points_are_written_before_the_values():
    ecu, calib = made()
    with calib.group("both", how="order"):
        calib["ax"] = [1, 2, 3, 4]
        calib["curve"] = [5, 6, 7, 8]
        calib["a"] = 1
    assert ecu.log[:2] == ["write 0x1030 4", "write 0x1040 4"]


def test_a_group_on_two_writable_pages_is_prepared_and_taken_at_once():
    ecu, calib = made()
    start = ecu.active()
    with calib.group("swap") as group:
        calib["t1"] = 1000
        calib["t2"] = 2000
    assert ecu.used[1] == [1, 1]
    assert (word(ecu, 0, 1, 1), word(ecu, 0x100, 1, 1)) == (1000, 2000)
    assert ecu.seen[-1] != start
    assert set(ecu.seen) == {start, ecu.active()}, "the ECU never worked with half of it"
    assert (calib["t1"], calib["t2"]) == (1000, 2000)
    assert group.transaction.is_swap
    ecu.seen.clear()
    now = ecu.active()
    calib.undo()
    assert ecu.used[1] == [0, 0], "the page that we left can be overwritten"
    assert ecu.active() == start
    assert set(ecu.seen) == {now, start}
    calib.redo()
    assert ecu.active() == now


def test_a_page_with_another_set_is_not_overwritten_unless_told():
    ecu, calib = made()
    ecu.pages_of[1, 1][40] = 77
    with calib.group() as group:
        calib["t1"] = 1
        calib["t2"] = 2
    assert group.note == "page 1 of segment 1 (twin) holds something else"
    assert ecu.used[1] == [0, 0]
    assert ecu.pages_of[1, 1][40] == 77
    with calib.group(how="swap") as group:
        calib["t1"] = 3
    assert ecu.used[1] == [1, 1]
    assert ecu.pages_of[1, 1][40] != 77
    assert any(77 in run.old for run in group.transaction.to_send), "what it held is in the history"
    ecu.pages_of[1, 0][41] = 78
    calib.working.distrust()
    calib.spare.add(1)
    with calib.group():
        calib["t1"] = 4
        calib["t2"] = 5
    assert ecu.used[1] == [0, 0]


def test_a_group_that_cannot_be_swapped_says_why():
    ecu, calib = made()
    with pytest.raises(UsageError, match="no other page that can be written"):
        grouped(calib, {"a": 7}, how=How.SWAP)
    with pytest.raises(UsageError, match="outside of the segments"):
        grouped(calib, {"t1": 1, "p": 1}, how=How.SWAP)
    ecu.used[1] = [0, 1]
    with pytest.raises(UsageError, match="different pages"):
        grouped(calib, {"t1": 1}, how=How.SWAP)
    assert ecu.writes == 0


def test_while_a_group_is_written_the_ecu_can_be_parked():
    ecu, calib = made()
    calib["a"] = 1
    ecu.log.clear()
    with calib.group("parked", how="park") as group:
        calib["a"] = 2
        calib["curve"] = [1, 2, 3, 4]
    assert ecu.log[0] == "ecu 0 1"
    assert ecu.log[-1] == "ecu 0 0"
    assert all(line.startswith("write") for line in ecu.log[1:-1])
    assert not group.transaction.is_swap
    ecu.used[0] = [1, 0]
    ecu.log.clear()
    with calib.group(how="park"):
        calib["a"] = 3
    assert ecu.used[0] == [1, 0], "an ECU that is elsewhere already stays there"
    alone = Calibrator(CATALOG, ecu, [], clock=lambda: 0)
    with alone.group(how="park"):
        alone["p"] = 1


def test_the_ecu_is_told_before_and_after():
    ecu, calib = made()
    calib.brackets = Brackets(b"\x01\x02", b"\x03")
    calib["p"] = 9
    assert ecu.log == ["user 0102", "write 0x3000 1", "user 03"]
    ecu.log.clear()
    ecu.fail = {1: (refusal(), False)}
    with pytest.raises(WriteProtectedError):
        calib["p"] = 10
    assert (ecu.log[0], ecu.log[-1]) == ("user 0102", "user 03")


@pytest.mark.parametrize(
    ("how", "number"),
    [(how, number) for how in ("order", "park") for number in range(5)]
    + [("swap", 0), ("swap", 1)],
)
@pytest.mark.parametrize("carried_out", [False, True])
def test_a_group_that_the_ecu_refuses_at_any_write_leaves_nothing(how, number, carried_out):
    ecu, calib = made()
    journal = calib.history.journal = Journal()
    before, used = ecu.active(), dict(ecu.used)
    ecu.fail = {number: (refusal(), carried_out)}
    names = ("t1", "t2") if how == "swap" else ("a", "curve", "b", "block")
    values = {n: np.full(np.shape(calib[n]), 61) if np.shape(calib[n]) else 61 for n in names}
    with pytest.raises(TransactionError) as caught:
        grouped(calib, values, how=how)
    error = caught.value
    assert error.restored
    assert error.written == error.unknown == ()
    assert isinstance(error.__cause__, WriteProtectedError)
    assert "as it was before" in str(error)
    assert ecu.active() == before
    assert ecu.used == used
    assert journal.lines[-1] == (1, "undone")
    assert calib.history[1].state is State.UNDONE
    assert calib.history.undoable() is None
    calib["p"] = 1  # it can go on


def test_what_cannot_be_put_back_is_told():
    ecu, calib = made()
    ecu.fail = {2: (refusal(), True), 3: (refusal(), False)}
    with pytest.raises(TransactionError, match="settle") as caught:
        grouped(calib, {"a": 3, "curve": [1, 2, 3, 4]}, how="order")
    assert not caught.value.restored
    assert caught.value.written == (("0x00001040", 4),)
    with pytest.raises(UsageError, match="transaction 1"):
        calib["p"] = 1
    ecu.fail = {}
    (found,) = calib.settle("back")
    assert found.state is State.PARTIAL
    assert calib.history[1].state is State.UNDONE
    assert ecu.active() == CalibEcu().active()


def test_a_place_that_is_refused_for_ever_and_never_changed_is_as_before():
    """As with RAM that is granted on the first write, when there is none left."""
    ecu, calib = made()
    ecu.fail = dict.fromkeys((1, 2), (refusal(), False))
    with pytest.raises(TransactionError) as caught:
        grouped(calib, {"a": 3, "curve": [1, 2, 3, 4]}, how="order")
    assert caught.value.restored
    assert ecu.active() == CalibEcu().active()
    assert not calib.history.open()
    ecu, calib = made()
    ecu.fail = dict.fromkeys((0, 1), (refusal(), False))
    with pytest.raises(WriteProtectedError):
        calib["a"] = 3
    assert not calib.history.open()


def test_a_page_that_is_not_taken_leaves_the_other_one():
    ecu, calib = made()
    before = ecu.active()
    ecu.fail_switch = {3: refusal()}
    with pytest.raises(TransactionError) as caught:
        grouped(calib, {"t1": 5}, how="swap")
    assert caught.value.restored
    assert (ecu.active(), ecu.used[1]) == (before, [0, 0])


# --- lost in the middle ---


def lose(number: int, how: str, *, arrived: bool) -> tuple[CalibEcu, Calibrator, TransactionError]:
    ecu, calib = made()
    ecu.fail = {number: (silence(), arrived)}
    names = ("t1", "t2") if how == "swap" else ("a", "curve", "b")
    values = {name: [1, 2, 3, 4] if name == "curve" else 50 for name in names}
    with pytest.raises(TransactionError) as caught:
        grouped(calib, values, "lost", how=how)
    ecu.silent, ecu.fail = False, {}
    return ecu, calib, caught.value


@pytest.mark.parametrize("how", ["order", "park", "swap"])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("arrived", [False, True])
def test_after_a_loss_what_arrived_is_known_and_the_rest_can_follow(how, number, arrived):
    ecu, calib, error = lose(number, how, arrived=arrived)
    assert not error.restored
    assert len(error.written) == number
    assert len(error.unknown) == 1
    with pytest.raises(UsageError, match="settle"):
        calib["p"] = 1
    written = ecu.writes
    (found,) = calib.settle(Settle.FINISH)
    assert calib.history[1].state is State.DONE
    assert ecu.writes - written == len(found.actual) - found.written, "only the rest is sent"
    assert found.written == number + arrived
    expected = ("t1", "t2") if how == "swap" else ("a", "b")
    assert [calib[name] for name in expected] == [50, 50]
    assert ecu.used == {0: [0, 0], 1: [1, 1] if how == "swap" else [0, 0]}
    assert calib.disagreements() == []
    calib.undo()
    assert ecu.active() == CalibEcu().active()


@pytest.mark.parametrize("how", ["order", "park", "swap"])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("arrived", [False, True])
def test_after_a_loss_everything_can_be_put_back(how, number, arrived):
    ecu, calib, _ = lose(number, how, arrived=arrived)
    calib.settle(Settle.BACK)
    assert ecu.active() == CalibEcu().active()
    assert ecu.used == {0: [0, 0], 1: [0, 0]}
    assert calib.history[1].state is State.UNDONE
    assert calib.disagreements() == []
    calib["t1"] = 3


@pytest.mark.parametrize("how", ["order", "park", "swap"])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("arrived", [False, True])
def test_after_a_loss_looking_makes_history_and_ecu_agree(how, number, arrived):
    ecu, calib, _ = lose(number, how, arrived=arrived)
    writes = ecu.writes
    (found,) = calib.settle()
    assert ecu.writes == writes, "nothing is written"
    there = number + arrived
    state = State.UNDONE if how == "swap" or not there else State.PARTIAL
    assert found.state is state
    assert calib.history[1].state is state
    assert calib.disagreements() == []
    assert found.away == ((0,) if how == "park" else ())
    if state is State.PARTIAL and how == "order":
        calib.undo()
        assert ecu.active() == CalibEcu().active()
    assert ecu.used[1] == [0, 0]


def test_a_switch_that_nobody_answered_is_found_out():
    ecu, calib = made()
    ecu.fail_switch = {3: silence()}
    with pytest.raises(TransactionError) as caught:
        grouped(calib, {"t1": 5}, how="swap")
    assert caught.value.unknown
    ecu.silent = False
    ecu.used[1] = [1, 1]  # it had arrived
    (found,) = calib.settle()
    assert found.state is State.DONE
    assert calib["t1"] == 5


def test_a_loss_is_the_slaves_own_story_and_the_ecu_may_have_restarted():
    ecu, calib, _ = lose(1, "order", arrived=True)
    fresh = CalibEcu()
    ecu.pages_of = fresh.pages_of
    (found,) = calib.settle()
    assert found.state is State.UNDONE
    assert calib.history[1].state is State.UNDONE


# --- undo and redo ---


def test_undo_and_redo_go_back_and_forth_and_a_new_write_ends_the_forth():
    _, calib = made()
    start = calib["a"]
    for value in (2, 3, 4):
        calib["a"] = value
    calib.undo()
    assert calib["a"] == 3
    undone = calib.undo()
    assert (undone.kind, undone.of, calib["a"]) == (Kind.UNDO, 2, 2)
    assert (undone.changes[-1].old, undone.changes[-1].new) == (3, 2)
    redone = calib.redo()
    assert (redone.kind, redone.of, calib["a"]) == (Kind.REDO, 2, 3)
    calib["a"] = 9
    with pytest.raises(UsageError, match="redo"):
        calib.redo()
    for _ in range(3):
        calib.undo()
    assert calib["a"] == start
    with pytest.raises(UsageError, match="undo"):
        calib.undo()


def test_undo_does_not_overwrite_what_somebody_else_did():
    ecu, calib = made()
    calib["t1"] = 5
    ecu.pages_of[1, 0][0] = 6
    with pytest.raises(IntegrityError, match="undo of transaction 1"):
        calib.undo()
    assert ecu.pages_of[1, 0][0] == 6
    assert [one.new for one in calib.disagreements()] == [b"\x06\x00"]
    calib.undo(force=True)
    assert ecu.active() == CalibEcu().active()


# --- what differs ---


def test_what_differs_from_the_reference_page_and_from_the_file():
    ecu, calib = made()
    assert not calib.dirty()
    calib["a"] = 400
    calib["curve"] = [9, 9, 9, 9]
    ecu.pages_of[0, 0][0x1F8] ^= 1
    calib.working.distrust()
    found = calib.dirty()
    assert found.names == ("a", "sum", "curve")
    assert found.unnamed == (AddressRange(Address(MAPS + 0x1F8), 1),)
    with pytest.raises(UsageError, match="nothing was saved"):
        calib.dirty("file")
    calib.mark_saved()
    assert not calib.dirty("file")
    calib["t2"] = 1
    assert calib.dirty("file").names == ("t2",)
    calib.undo()
    assert not calib.dirty("file")
    with pytest.raises(UsageError, match="neither"):
        calib.dirty("moon")
    assert ecu.used == {0: [0, 0], 1: [0, 0]}


def test_variants_are_honoured():
    ecu, calib = made()
    calib["gear"] = "Automatic"
    calib["coded"] = 7
    assert (ecu.plain[0x10], ecu.plain[0x20]) == (0, 7)
    calib["gear"] = "Manual"
    assert calib["coded"] == 0
    with calib.group():
        calib["gear"] = "Automatic"
        assert calib["coded"] == 7
        calib["coded"] = 8
    assert ecu.plain[0x20] == 8
    places = calib.places
    assert [one.start.value for one in places.ranges_of("coded")] == [PLAIN + 0x10, PLAIN + 0x20]
    assert places.ranges_of("nothing") == []


def test_bytes_that_were_checked_already_are_one_transaction():
    _ecu, calib = made()
    progress: list[tuple[int, int]] = []
    group = calib.send(
        [(Address(MAPS), b"\x0a\x00"), (Address(TWIN), b"\x01\x02")],
        kind=Kind.APPLY,
        reason="set",
        how=How.ORDER,
        progress=lambda done, total: progress.append((done, total)),
    )
    assert group.transaction.names == ("a", "t1")
    assert group.transaction.changes[0].new == 5.0
    assert progress[-1][0] == progress[-1][1] == group.transaction.bytes_sent
    with calib.group(), pytest.raises(UsageError, match="being made"):
        calib.send([], kind=Kind.APPLY)
    assert calib.send([], kind=Kind.APPLY).transaction is None


def test_a_transaction_is_plain_data_and_back():
    _, calib = made()
    calib.write("curve", 3, at=2)
    with calib.group(how="swap"):
        calib["t1"] = 9
    for one in calib.history:
        back = Transaction.from_dict(one.as_dict())
        assert back.state is State.OPEN
        assert back == Transaction(
            **{n: getattr(one, n) for n in one.__dataclass_fields__ if n != "state"}
        )
    change = Change("m", [1.0], [2.0], cell=(1,))
    assert str(change) == "m[1] changed"
    assert "1 of" not in repr(calib)
    assert "2 transactions" in repr(calib)
    with pytest.raises(UsageError, match="no transaction 9"):
        calib.history[9]


def test_timeouts_of_single_writes_stay_open_until_settled():
    ecu, calib = made()
    ecu.fail = {0: (silence(), True)}
    with pytest.raises(TransactionError) as caught:
        calib.write("p", 5)
    assert isinstance(caught.value.__cause__, ExchangeTimeoutError)
    ecu.silent = False
    calib.settle()
    assert calib["p"] == 5
    assert calib.history[1].state is State.DONE


def test_a_group_that_the_user_breaks_off_is_settled_like_a_lost_one():
    ecu, calib = made()
    ecu.fail = {1: (KeyboardInterrupt(), True)}
    with pytest.raises(KeyboardInterrupt):
        grouped(calib, {"a": 7, "curve": [1, 2, 3, 4]}, how="park")
    ecu.fail = {}
    assert ecu.used[0] == [1, 0], "it is stable until that is decided"
    with pytest.raises(UsageError, match="settle"):
        calib["p"] = 1
    (found,) = calib.settle("back")
    assert (found.state, found.away) == (State.PARTIAL, (0,))
    assert (ecu.used[0], ecu.active()) == ([0, 0], CalibEcu().active())


def test_what_cannot_be_kept_is_not_sent():
    ecu, calib = made()

    class Full(Journal):
        def intend(self, transaction):
            raise UsageError("the disk is full")

    calib.history.journal = Full()
    with pytest.raises(UsageError, match="full"):
        calib["a"] = 7
    assert (ecu.writes, len(calib.history)) == (0, 0)
