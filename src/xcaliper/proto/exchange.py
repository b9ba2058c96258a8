"""One exchange in flight and one procedure on its way: what every master keeps book of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from xcaliper.core.errors import ExchangeTimeoutError, LocalProtocolError, XcaliperError

if TYPE_CHECKING:
    from xcaliper.proto.procedure import Procedure

__all__ = ["Exchange", "Running", "Waiting"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A peer that has said that it is busy.

    Attributes:
        command: standard name of what it was asked.
        elapsed_ns: since it was asked for the first time.
        limit_ns: when it is given up, counted from there.
    """

    command: str
    elapsed_ns: int
    limit_ns: int

    def __str__(self) -> str:
        return (
            f"{self.command}: the slave is busy for {self.elapsed_ns / 1e9:.0f} s now; "
            f"it is given up after {self.limit_ns / 1e9:.0f} s"
        )


@dataclass(slots=True)
class Exchange:
    """Timer and attempts of one command.

    Attributes:
        command: standard name, for messages.
        timer: name of the timer, T1 to T7.
        timeout_ns: how long one attempt waits.
        attempts: how often the command may be sent.
        patience_ns: longest wait of one attempt, however often the peer asks for more time.
        started_ns: time of the first attempt.
        until_ns: attempts without an answer go on until then, however many; 0 = ``attempts`` counts.
        final: no repetition after an error, and none of its pre-actions.
        stop_daq: running lists may be stopped when they are in the way.
        sent: how often it was sent.
        missed: attempts without an answer, so far.
        repeated: repetitions after an error, so far.
        malformed: answers that did not fit, so far.
        deadline_ns: when the attempt is given up.
        limit_ns: latest possible deadline of the attempt.
        granted_ns: until when the peer may be busy, once it has said that it is.
    """

    command: str
    timer: str
    timeout_ns: int
    attempts: int
    patience_ns: int
    started_ns: int
    until_ns: int = 0
    final: bool = False
    stop_daq: bool = False
    sent: int = 0
    missed: int = 0
    repeated: int = 0
    malformed: int = 0
    deadline_ns: int = 0
    limit_ns: int = 0
    granted_ns: int = 0

    def send(self, now_ns: int) -> None:
        """Note an attempt; its timer starts."""
        self.sent += 1
        self.limit_ns = now_ns + max(self.patience_ns, self.timeout_ns)
        self.restart(now_ns)

    def restart(self, now_ns: int) -> None:
        """Start the timer of this attempt again, never beyond the patience."""
        self.deadline_ns = min(now_ns + self.timeout_ns, self.limit_ns)
        if self.until_ns:
            self.deadline_ns = min(self.deadline_ns, max(self.until_ns, now_ns))

    def suspend(self, time_ns: int) -> None:
        """Put off every deadline: the peer slept for so long."""
        self.deadline_ns += time_ns
        self.limit_ns += time_ns
        if self.until_ns:
            self.until_ns += time_ns

    def miss(self, now_ns: int) -> bool:
        """Note an attempt without an answer; True when there may be another one."""
        self.missed += 1
        return now_ns < self.until_ns if self.until_ns else self.missed < self.attempts

    def timed_out(self, now_ns: int, hint: str = "") -> ExchangeTimeoutError:
        """The error to raise when all attempts are used up."""
        return ExchangeTimeoutError(
            self.command,
            timer=self.timer,
            attempts=max(self.sent, 1),
            elapsed_ns=now_ns - self.started_ns,
            hint=hint,
        )


class Running(Generic[T]):
    """A procedure that a machine runs; tells when it is done, then gives result or error."""

    __slots__ = ("_done", "_error", "_value", "procedure")

    def __init__(self, procedure: Procedure[T]) -> None:
        self.procedure = procedure
        self._done = False
        self._value: T | None = None
        self._error: XcaliperError | None = None

    def done(self) -> bool:
        """True when there is a result or an error."""
        return self._done

    def result(self) -> T:
        """What the procedure returned.

        Raises:
            LocalProtocolError: it is not done.
            XcaliperError: what ended it.
        """
        if not self._done:
            raise LocalProtocolError("procedure: it is still running.", hint="Drive the machine.")
        if self._error is not None:
            raise self._error
        value: T = self._value  # type: ignore[assignment] # set together with _done
        return value

    def succeed(self, value: T) -> None:
        """Set the result; for the machine only."""
        self._done, self._value = True, value

    def fail(self, error: XcaliperError) -> None:
        """Set the error; for the machine only."""
        self._done, self._error = True, error
