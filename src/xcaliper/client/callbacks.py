"""Functions of the user that get blocks, each in a thread of its own behind a bounded queue."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from xcaliper.client.waiting import Waiting
from xcaliper.core.errors import UsageError, XcaliperError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.client.block import Block
    from xcaliper.core.samples import SampleBlock

__all__ = ["Callback"]

MAX_BYTES: Final = 64 << 20
_STOP_S: Final = 5.0
_WAIT_S: Final = 0.5


class Callback:
    """Hands blocks to one function; an error of it ends it, and nothing else.

    Args:
        function: gets each block; blocks that came while it worked are joined.
        make: turns samples into a block.
        max_bytes: of samples that may wait for the function.

    Attributes:
        name: of the function.
        waiting: the queue, with its counters.
    """

    def __init__(
        self,
        function: Callable[[Block], object],
        make: Callable[[SampleBlock], Block],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.name = str(getattr(function, "__name__", type(function).__name__))
        self.waiting = Waiting(max_bytes)
        self._function = function
        self._make = make
        self._error: Exception | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"xcaliper-callback-{self.name}", daemon=True
        )
        self._thread.start()

    def put(self, blocks: Sequence[SampleBlock]) -> None:
        """Queue blocks; never waits."""
        if self._error is None:
            self.waiting.put(blocks)

    def _run(self) -> None:
        done = False
        while not done or len(self.waiting):
            done = self.waiting.wait(_WAIT_S)
            for samples in self.waiting.take():
                if not len(samples):  # nobody expects a block without rows
                    continue
                try:
                    self._function(self._make(samples))
                except Exception as error:  # noqa: BLE001  # anybody's code; told at the stop
                    self._error = error
                    return

    def close(self, timeout_s: float = _STOP_S) -> XcaliperError | None:
        """Let it finish what waits; gives what went wrong in it."""
        self.waiting.close()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        error = self._error
        if error is None:
            if self._thread.is_alive() and self._thread is not threading.current_thread():
                return UsageError(
                    f"callback {self.name}: it did not return in {timeout_s:g} s.",
                    hint="Let it do less, or pass its data on to a thread of your own.",
                )
            return None
        told = UsageError(
            f"callback {self.name}: {type(error).__name__}: {error}",
            hint="It got no block after that; the measurement and its recordings went on.",
        )
        told.__cause__ = error
        return told
