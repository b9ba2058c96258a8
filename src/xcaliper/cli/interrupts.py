"""Ctrl+C, SIGTERM and SIGHUP in the shell: the first one ends what runs, further ones do not disturb the end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from xcaliper.cli.shell import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Interrupts", "Stopped", "first_interrupt_only"]

#: Seconds behind the first signal in which others are ignored; an end is bounded, but a disk may hang.
_PATIENCE_S: Final = 3.0
#: Signals that ask for an end, and what they do where nobody has chosen otherwise.
_UNTOUCHED: Final[dict[str, Any]] = {
    "SIGINT": signal.default_int_handler,
    "SIGTERM": signal.SIG_DFL,
    "SIGHUP": signal.SIG_DFL,  # none on Windows
}
#: Offset of exit codes that tell a signal.
_SIGNALLED: Final = 128


class Stopped(KeyboardInterrupt):
    """The end was asked for; its text is what asked."""


class Interrupts:
    """What came so far.

    Attributes:
        number: of the first signal; None = none came.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._first_s = 0.0
        self._terminals = [fd for fd in (1, 2) if os.isatty(fd)]

    def on_signal(self, number: int, _frame: Any) -> None:
        """Handler of all of them; the first raises."""
        if self.number is None:
            self.number = number
            self._first_s = time.monotonic()
            self._leave_terminal()
            raise Stopped("Ctrl+C" if number == signal.SIGINT else signal.Signals(number).name)
        if time.monotonic() - self._first_s > _PATIENCE_S:
            sys.stderr.write("Given up; files are readable, but not closed.\n")
            os._exit(_SIGNALLED + self.number)

    def _leave_terminal(self) -> None:
        """Write nowhere where the terminal was closed: what ends must not fail for that."""
        for fd in self._terminals:
            if not os.isatty(fd):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, fd)
                os.close(nowhere)

    def exit_code(self, code: int) -> int:
        """The exit code of the process: 128 and the number of the signal where one ended it."""
        return code if self.number is None or code != EXIT_INTERRUPTED else _SIGNALLED + self.number


@contextmanager
def first_interrupt_only(*, to_the_end: bool) -> Iterator[Interrupts]:
    """The first Ctrl+C, SIGTERM or SIGHUP raises KeyboardInterrupt; later ones let files be closed.

    After some seconds one more ends the process at once; recordings are readable even so. A signal
    that is ignored, as SIGHUP below ``nohup``, stays ignored.

    Args:
        to_the_end: later ones stay ignored behind this, until the process has ended.
    """
    came = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {
        getattr(signal, name): handler
        for name, handler in _UNTOUCHED.items()
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is handler
    }
    for number in before:
        signal.signal(number, came.on_signal)
    try:
        yield came
    finally:
        stays = (
            to_the_end and came.number is not None
        )  # ours would go before the interpreter has ended
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if stays else handler)
