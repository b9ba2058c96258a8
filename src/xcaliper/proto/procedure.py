"""Procedures: sequences of commands as generators, without I/O.

A procedure yields steps and is sent answers. A negative answer is thrown into it as a
:class:`~xcaliper.core.errors.NegativeResponseError`, a missing one as an
:class:`~xcaliper.core.errors.ExchangeTimeoutError`; it may catch and go on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from xcaliper.core.errors import LocalProtocolError
from xcaliper.proto.command import Request, Response

__all__ = [
    "Ask",
    "Burst",
    "Collect",
    "Pipeline",
    "Procedure",
    "Step",
    "Tell",
    "Uploads",
    "ask",
    "run_script",
]

R = TypeVar("R", bound=Response)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """Send one request and wait for its answer.

    Attributes:
        request: the command.
        attempts: how often it may be sent without an answer, first time included; 0 = as the machine
            is set.
        timeout_ns: instead of the command's timer; 0 = the timer.
        within_ns: go on without an answer for so long, however many attempts; 0 = ``attempts`` counts.
        stop_daq: running DAQ lists may be stopped when they are in the way.
        final: no repetition after an error: it ends within one time-out per attempt.
        unless_set: do not send a pointer to where it is known to be already.
    """

    request: Request[Any]
    attempts: int = 0
    timeout_ns: int = 0
    within_ns: int = 0
    stop_daq: bool = False
    final: bool = False
    unless_set: bool = False


@dataclass(frozen=True, slots=True)
class Tell:
    """Send one request that has no answer."""

    request: Request[Any]


@dataclass(frozen=True, slots=True)
class Burst:
    """Send the packets of a master block; the last one is answered.

    Attributes:
        requests: DOWNLOAD, DOWNLOAD_NEXT … or PROGRAM, PROGRAM_NEXT …
        separation_ns: least time between two packets (MIN_ST).
    """

    requests: tuple[Request[Any], ...]
    separation_ns: int = 0


@dataclass(frozen=True, slots=True)
class Collect:
    """Send one request and wait for several answers (slave block mode).

    Attributes:
        request: UPLOAD.
        count: number of responses; the step's answer is the list of them.
    """

    request: Request[Any]
    count: int


@dataclass(frozen=True, slots=True)
class Uploads:
    """Read elements at the MTA by a run of UPLOADs, as fast as the link can.

    Attributes:
        counts: elements of each command; more than fit one answer need slave block mode.
        progress: called now and then with the number of bytes so far.
    """

    counts: tuple[int, ...]
    progress: Callable[[int], None] | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Send several requests, each with one answer, without waiting for every answer.

    The step's answer is the list of theirs, in order.

    Attributes:
        requests: all of them may be repeated without harm.
        queue: commands that may wait at the slave besides the one it works on (QUEUE_SIZE); 0 = one
            command at a time.
        independent: a refusal takes the place of its answer and the others go on; False = it ends the
            step.
    """

    requests: tuple[Request[Any], ...]
    queue: int = 0
    independent: bool = False


Step: TypeAlias = Ask | Tell | Burst | Collect | Uploads | Pipeline
Procedure: TypeAlias = Generator[Step, Any, T]


def ask(  # noqa: PLR0913 - one keyword per field of the step
    request: Request[R],
    *,
    attempts: int = 0,
    timeout_ns: int = 0,
    within_ns: int = 0,
    stop_daq: bool = False,
    final: bool = False,
    unless_set: bool = False,
) -> Procedure[R]:
    """The typed answer to a request; the options are those of :class:`Ask`.

    Use it as ``reply = yield from ask(GetStatus())``.
    """
    reply: R = yield Ask(request, attempts, timeout_ns, within_ns, stop_daq, final, unless_set)
    return reply


def run_script(procedure: Procedure[T], answers: Iterable[Any]) -> tuple[T, list[Step]]:
    """Run a procedure on a list of answers; exceptions in the list are thrown into it.

    Returns:
        The result, and every step that the procedure took.

    Raises:
        LocalProtocolError: the script ended before the procedure did.
    """
    steps: list[Step] = []
    script = iter(answers)
    try:
        step = next(procedure)
        while True:
            steps.append(step)
            try:
                answer = next(script)
            except StopIteration:
                break
            if isinstance(answer, BaseException):
                step = procedure.throw(answer)
            else:
                step = procedure.send(answer)
    except StopIteration as done:
        return done.value, steps
    procedure.close()
    raise LocalProtocolError(f"script: it ended before the procedure, after {len(steps)} steps.")
