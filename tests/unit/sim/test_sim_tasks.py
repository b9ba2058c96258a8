"""Tasks on virtual time."""

import itertools

import pytest

from xcaliper.core.errors import UsageError
from xcaliper.sim.tasks import Firing, Scheduler, Task

MS = 1_000_000


def nothing(now_ns):
    return None


def test_equal_times_keep_the_order_of_the_list():
    seen = []
    tasks = (
        Task("fast", 0, lambda t: seen.append(("fast", t)), 1 * MS),
        Task("slow", 1, lambda t: seen.append(("slow", t)), 2 * MS),
    )
    firings = list(Scheduler(tasks).run_until(2 * MS))
    assert seen == [
        ("fast", 0),
        ("slow", 0),
        ("fast", MS),
        ("fast", 2 * MS),
        ("slow", 2 * MS),
    ]
    assert firings[1] == Firing(0, 1)
    assert [f.t_ns for f in firings] == [t for _, t in seen]


def test_the_caller_sees_memory_between_two_runs():
    state = []
    scheduler = Scheduler((Task("a", 0, state.append, MS),))
    for count, _ in enumerate(scheduler.run_until(5 * MS), 1):
        assert len(state) == count


def test_next_due_and_offset():
    scheduler = Scheduler((Task("a", 0, nothing, 5 * MS, offset_ns=3 * MS),))
    assert scheduler.next_due_ns() == 3 * MS
    assert list(scheduler.run_until(2 * MS)) == []
    assert len(list(scheduler.run_until(3 * MS))) == 1
    assert scheduler.next_due_ns() == 8 * MS


def test_crank_event_follows_the_speed():
    speed = [600]  # half a revolution takes 30 / rpm seconds

    def period():
        return int(30e9 / speed[0])

    scheduler = Scheduler((Task("crank", 3, nothing, period),))
    slow = [f.t_ns for f in scheduler.run_until(1000 * MS)]
    assert [b - a for a, b in itertools.pairwise(slow)] == [50 * MS] * (len(slow) - 1)
    speed[0] = 3000
    fast = [f.t_ns for f in scheduler.run_until(2000 * MS)]
    assert len(fast) >= 95
    assert [b - a for a, b in itertools.pairwise(fast)] == [10 * MS] * (len(fast) - 1)


def test_crank_event_rests_at_standstill_and_comes_back():
    period = [0]
    runs = []
    scheduler = Scheduler((Task("crank", 3, runs.append, lambda: period[0]),))
    assert list(scheduler.run_until(500 * MS)) == []
    period[0] = 20 * MS
    first = [f.t_ns for f in scheduler.run_until(600 * MS)]
    assert len(first) >= 4
    assert 500 * MS < first[0] <= 540 * MS
    period[0] = 0
    last = list(scheduler.run_until(900 * MS))
    assert len(last) <= 1
    assert runs == first + [f.t_ns for f in last]


def test_a_late_caller_may_skip_and_fixed_tasks_stay_on_their_grid():
    scheduler = Scheduler((Task("a", 0, nothing, MS), Task("b", 1, nothing, 10 * MS)))
    list(scheduler.run_until(0))
    skipped = scheduler.skip_to(100 * MS + 1)
    assert skipped == 100 + 10
    assert scheduler.skipped == skipped
    assert [f for f in scheduler.run_until(110 * MS) if f.channel == 1] == [Firing(110 * MS, 1)]
    assert scheduler.skip_to(50 * MS) == 0


def test_nonsense_is_refused():
    with pytest.raises(UsageError):
        Scheduler((Task("a", 0, nothing, 0),))
    with pytest.raises(UsageError):
        Scheduler(()).next_due_ns()


def test_a_period_that_is_too_short_cannot_hang_the_scheduler():
    scheduler = Scheduler((Task("a", 0, nothing, lambda: 1),))
    assert len(list(scheduler.run_until(10_000))) <= 10


def test_a_task_may_fire_before_it_runs_and_take_its_time():
    seen = []
    slow = Task("slow", 1, seen.append, 10 * MS, start_channel=0, runtime_ns=4 * MS)
    fast = Task("fast", 2, seen.append, 5 * MS)
    scheduler = Scheduler((slow, fast))
    fired = [(f.t_ns // MS, f.channel) for f in scheduler.run_until(12 * MS)]
    assert fired == [(0, 0), (0, 2), (4, 1), (5, 2), (10, 0), (10, 2)]
    assert scheduler.next_due_ns() == 14 * MS
    assert seen == [0, 0, 5 * MS, 10 * MS]  # a run gets the time at which it was due
    at_once = Scheduler((Task("a", 1, nothing, MS, start_channel=0),))
    assert list(at_once.run_until(0)) == [Firing(0, 0), Firing(0, 1)]


def test_a_run_that_was_begun_is_given_up_as_a_whole():
    scheduler = Scheduler((Task("a", 1, nothing, 10 * MS, start_channel=0, runtime_ns=4 * MS),))
    assert [f.channel for f in scheduler.run_until(0)] == [0]
    assert scheduler.skip_to(25 * MS) == 3
    assert [(f.t_ns // MS, f.channel) for f in scheduler.run_until(34 * MS)] == [(30, 0), (34, 1)]


@pytest.mark.parametrize("runtime_ns", [-1, MS])
def test_a_run_is_shorter_than_the_period(runtime_ns):
    with pytest.raises(UsageError, match="lasts"):
        Scheduler((Task("a", 0, nothing, MS, runtime_ns=runtime_ns),))
