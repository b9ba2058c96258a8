"""Event channels on virtual time: cyclic tasks, and one whose period follows the engine."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Firing", "Scheduler", "Task"]

#: How often a task without a period is asked again.
STANDSTILL_NS: Final = 10_000_000
_SHORTEST_NS: Final = 1_000


class Firing(NamedTuple):
    """A task has just run, or is about to; its signals are consistent until the next firing.

    Attributes:
        t_ns: time the task was due or, where it takes time, ends; virtual.
        channel: event channel; -1 for a task without one.
    """

    t_ns: int
    channel: int


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of the application that runs again and again.

    Attributes:
        channel: event channel that fires after each run; -1 for none.
        run: the work; gets the due time in ns.
        period_ns: fixed period, or a function that tells the time to the next run and 0
            while there is none (an engine at standstill).
        offset_ns: first due time.
        start_channel: event channel that fires before each run; -1 for none. A bypass takes its
            inputs there and gives its outputs at ``channel``.
        runtime_ns: time from ``start_channel`` to the end of the run, as if the work took so long:
            what a master has to answer in. 0 = no time passes.
    """

    name: str
    channel: int
    run: Callable[[int], None]
    period_ns: int | Callable[[], int]
    offset_ns: int = 0
    start_channel: int = -1
    runtime_ns: int = 0


class Scheduler:
    """Runs tasks at their due times; of equal times in the order of the list.

    Args:
        tasks: fastest first.

    Attributes:
        skipped: runs given up by :meth:`skip_to`.

    Raises:
        UsageError: a fixed period is too short.
    """

    def __init__(self, tasks: tuple[Task, ...]) -> None:
        for task in tasks:
            if isinstance(task.period_ns, int) and task.period_ns < _SHORTEST_NS:
                raise UsageError(f"task {task.name}: a period is at least {_SHORTEST_NS} ns.")
            longest = task.period_ns if isinstance(task.period_ns, int) else 1
            if not 0 <= task.runtime_ns < longest:
                raise UsageError(
                    f"task {task.name}: a run lasts 0 ns, or less than a fixed period of the task."
                )
        self.skipped = 0
        self._tasks = tasks
        self._fixed_ns = [one.period_ns if isinstance(one.period_ns, int) else 0 for one in tasks]
        self._heap = [(task.offset_ns, at) for at, task in enumerate(tasks)]
        heapq.heapify(self._heap)
        self._begun: set[int] = set()
        self._standing = {
            at for at, task in enumerate(tasks) if not isinstance(task.period_ns, int)
        }

    def next_due_ns(self) -> int:
        """Time of the next run.

        Raises:
            UsageError: there are no tasks.
        """
        if not self._heap:
            raise UsageError("scheduler: there are no tasks.")
        return self._heap[0][0]

    def run_until(self, now_ns: int) -> Iterator[Firing]:
        """Run everything due up to and including a time; one firing per run.

        The caller samples memory between two firings, as a DAQ event does.
        """
        while self._heap and self._heap[0][0] <= now_ns:
            due_ns, at = self._heap[0]
            task = self._tasks[at]
            if at in self._standing:
                wait_ns = self._wait_ns(task)
                if not wait_ns:
                    heapq.heapreplace(self._heap, (due_ns + STANDSTILL_NS, at))
                    continue
                self._standing.discard(at)
                heapq.heapreplace(self._heap, (due_ns + wait_ns, at))
                continue
            begun_ns = due_ns
            if at in self._begun:
                self._begun.discard(at)
                begun_ns -= task.runtime_ns
            elif task.start_channel >= 0:
                yield Firing(due_ns, task.start_channel)
                if task.runtime_ns:
                    self._begun.add(at)
                    heapq.heapreplace(self._heap, (due_ns + task.runtime_ns, at))
                    continue
            task.run(begun_ns)
            wait_ns = self._fixed_ns[at] or self._wait_ns(task)
            if not wait_ns:
                self._standing.add(at)
            heapq.heapreplace(self._heap, (begun_ns + (wait_ns or STANDSTILL_NS), at))
            yield Firing(due_ns, task.channel)

    def _wait_ns(self, task: Task) -> int:
        if isinstance(task.period_ns, int):
            return task.period_ns
        wait_ns = task.period_ns()
        return max(wait_ns, _SHORTEST_NS) if wait_ns > 0 else 0

    def skip_to(self, now_ns: int) -> int:
        """Give up every run before a time, keeping fixed tasks on their grid.

        Returns:
            Number of runs given up, also added to :attr:`skipped`.
        """
        skipped = 0
        for index, (due_ns, at) in enumerate(self._heap):
            if due_ns >= now_ns:
                continue
            period_ns = self._tasks[at].period_ns
            if at in self._begun:
                self._begun.discard(at)
                due_ns -= self._tasks[at].runtime_ns  # noqa: PLW2901  # back on its grid
            if isinstance(period_ns, int):
                count = -((due_ns - now_ns) // period_ns)
                self._heap[index] = (due_ns + count * period_ns, at)
                skipped += count
            else:
                self._heap[index] = (now_ns, at)
                skipped += at not in self._standing
        heapq.heapify(self._heap)
        self.skipped += skipped
        return skipped
