"""Procedures: sequences of commands as generators, without I/O.

A procedure yields steps and is sent answers. A negative answer is thrown into it as a
:class:`~xcaliper.core.errors.NegativeResponseError`, a missing one as an
:class:`~xcaliper.core.errors.ExchangeTimeoutError`; it may catch and go on.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from xcaliper.core.errors import LocalProtocolError
from xcaliper.proto.command import Request, Response

__all__ = ["Ask", "Burst", "Collect", "Procedure", "Step", "Tell", "ask", "run_script"]

R = TypeVar("R", bound=Response)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """Send one request and wait for its answer.

    Attributes:
        request: the command.
        attempts: how often it may be sent, first time included; 0 = as the machine is set.
        timeout_ns: instead of the command's timer; 0 = the timer.
    """

    request: Request[Any]
    attempts: int = 0
    timeout_ns: int = 0


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


Step: TypeAlias = Ask | Tell | Burst | Collect
Procedure: TypeAlias = Generator[Step, Any, T]


def ask(request: Request[R], *, attempts: int = 0, timeout_ns: int = 0) -> Procedure[R]:
    """The typed answer to a request.

    Use it as ``reply = yield from ask(GetStatus())``.
    """
    reply: R = yield Ask(request, attempts, timeout_ns)
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
