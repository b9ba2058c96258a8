"""Ctrl+C in the shell: the first one ends what runs, further ones do not disturb the end."""

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

__all__ = ["first_interrupt_only"]

#: Seconds behind the first Ctrl+C in which others are ignored; an end is bounded, but a disk may hang.
_PATIENCE_S: Final = 3.0


@contextmanager
def first_interrupt_only(*, to_the_end: bool) -> Iterator[None]:
    """The first Ctrl+C raises KeyboardInterrupt; later ones let files be closed.

    After some seconds one more ends the process at once; recordings are readable even so.

    Args:
        to_the_end: later ones stay ignored behind this, until the process has ended.
    """
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not ours or threading.current_thread() is not threading.main_thread():
        yield
        return
    first_s = 0.0

    def on_interrupt(_number: int, _frame: Any) -> None:
        nonlocal first_s
        if not first_s:
            first_s = time.monotonic()
            raise KeyboardInterrupt
        if time.monotonic() - first_s > _PATIENCE_S:
            sys.stderr.write("Given up; files are readable, but not closed.\n")
            os._exit(EXIT_INTERRUPTED)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        stays = to_the_end and first_s  # ours would go before the interpreter has ended
        signal.signal(signal.SIGINT, signal.SIG_IGN if stays else signal.default_int_handler)
