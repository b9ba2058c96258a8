"""Work of the slave that lasts: the answer comes at its end, EV_CMD_PENDING before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from xcaliper.core.errors import NegativeResponseError
from xcaliper.xcp.codes import PID_ERR, ErrorCode
from xcaliper.xcp.events import EvCmdPending
from xcaliper.xcp.std import ErrorResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.core.address import Address
    from xcaliper.proto.command import CommandInfo, Response
    from xcaliper.xcp.events import Event
    from xcaliper.xcp.slave_config import SlaveMemory

__all__ = ["SlowMemory", "Work", "WriteState"]

_BUSY: Final = bytes((PID_ERR, ErrorCode.ERR_CMD_BUSY))
#: What a slave listens to while it works on a command: SYNCH ends the work.
_ALWAYS: Final = frozenset({"CONNECT", "DISCONNECT", "SYNCH", "GET_STATUS"})
#: Time from one EV_CMD_PENDING to the next while a slow memory is written.
_PENDING_NS: Final = 100_000_000


@dataclass(slots=True)
class _Job:
    ready_ns: int
    pending_ns: int
    step_ns: int
    finish: Callable[[], Response]


class Work:
    """One command at work, or none."""

    __slots__ = ("_job",)

    def __init__(self) -> None:
        self._job: _Job | None = None

    def __bool__(self) -> bool:
        """True while a command is at work."""
        return self._job is not None

    def begin(
        self, now_ns: int, duration_ns: int, step_ns: int, finish: Callable[[], Response]
    ) -> Response | None:
        """Do something now, or after its time; the answer, or None when it comes later.

        Args:
            now_ns: time of the command.
            duration_ns: how long it takes.
            step_ns: time from one EV_CMD_PENDING to the next meanwhile.
            finish: does it and gives the answer, or raises what the slave refuses with.
        """
        if duration_ns <= 0:
            return finish()
        self._job = _Job(now_ns + duration_ns, now_ns + step_ns, step_ns, finish)
        return None

    def end(self) -> None:
        """Give up what is at work; nobody hears of it."""
        self._job = None

    def refuses(self, info: CommandInfo) -> bytes | None:
        """ERR_CMD_BUSY for a command that has to wait (XCP Base, ERR_CMD_BUSY, 1.0)."""
        return _BUSY if self._job is not None and info.name not in _ALWAYS else None

    def due(self) -> int | None:
        """When something is to be sent; None while nothing lasts."""
        return None if self._job is None else min(self._job.ready_ns, self._job.pending_ns)

    def on_time(self, now_ns: int) -> list[Response | Event]:
        """What is to be sent by now (XCP Base, EV_CMD_PENDING, 1.0)."""
        job = self._job
        if job is None:
            return []
        if now_ns >= job.ready_ns:
            self._job = None
            try:
                return [job.finish()]
            except NegativeResponseError as error:
                return [ErrorResponse(code=error.code, info=error.info)]
        if now_ns < job.pending_ns:
            return []
        job.pending_ns += job.step_ns * (1 + (now_ns - job.pending_ns) // job.step_ns)
        return [EvCmdPending()]


@runtime_checkable
class SlowMemory(Protocol):
    """A memory whose writing takes time, such as EEPROM."""

    def write_ns(self, address: Address, data: bytes) -> tuple[int, int]:
        """How long a write takes in ns: until its answer, and after it until the next one is taken."""
        ...


class WriteState:
    """Writing of one slave: what lasts, and what has to wait for it.

    Args:
        memory: what is written.
    """

    __slots__ = ("_busy_until_ns", "_memory", "_work")

    def __init__(self, memory: SlaveMemory) -> None:
        self._memory = memory if isinstance(memory, SlowMemory) else None
        self._work = Work()
        self._busy_until_ns = 0

    @property
    def at_work(self) -> bool:
        """True while a write waits for its answer."""
        return bool(self._work)

    def reset(self) -> None:
        """A session begins or ends: a write that was not answered is given up."""
        self._work.end()

    def before(self, info: CommandInfo) -> None:
        """A command is about to be served: SYNCH gives up a write that was not answered."""
        if info.name == "SYNCH":
            self._work.end()

    def refuses(self, info: CommandInfo, now_ns: int) -> bytes | None:
        """ERR_CMD_BUSY while the memory is at work: for everything, or for writes only.

        *(XCP Base, ERR_CMD_BUSY, 1.0)*
        """
        if self._work:
            return self._work.refuses(info)
        waits = info.group == "CAL" and now_ns < self._busy_until_ns
        return _BUSY if waits else None

    def write(
        self, now_ns: int, address: Address, data: bytes, finish: Callable[[], Response]
    ) -> Response | None:
        """Write now or after the time that the memory takes; the answer, or None when it comes later.

        Args:
            now_ns: time of the command.
            address: what is written.
            data: likewise.
            finish: writes, and gives the answer.
        """
        if self._memory is None:
            return finish()
        duration_ns, rest_ns = self._memory.write_ns(address, data)

        def done() -> Response:
            answer = finish()
            self._busy_until_ns = now_ns + duration_ns + rest_ns
            return answer

        return self._work.begin(now_ns, duration_ns, _PENDING_NS, done)

    def due(self) -> int | None:
        """When something is to be sent; None while nothing lasts."""
        return self._work.due()

    def on_time(self, now_ns: int) -> list[Response | Event]:
        """What is to be sent by now (XCP Base, EV_CMD_PENDING, 1.0)."""
        return self._work.on_time(now_ns)
