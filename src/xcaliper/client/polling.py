"""Signals that no DAQ list can carry, read again and again at a bounded rate."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import NegativeResponseError, UsageError, XcaliperError
from xcaliper.core.samples import Gap, SampleBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.core.address import Address
    from xcaliper.daq.plan import PolledSignal

__all__ = ["DEFAULT_POLL_HZ", "Poller", "polled_dtype", "polling_rate"]

DEFAULT_POLL_HZ: Final = 10.0
MAX_POLL_HZ: Final = 1000.0
_STOP_S: Final = 10.0


def polling_rate(polling: bool | float) -> float:  # noqa: FBT001  # as users say it
    """Rounds per second: True is the usual rate, 0 and False are none.

    Raises:
        UsageError: it is not a rate, or too high.
    """
    if isinstance(polling, bool):
        return DEFAULT_POLL_HZ if polling else 0.0
    if not 0 <= polling <= MAX_POLL_HZ:
        raise UsageError(
            f"polling: {polling} rounds per second are not between 0 and {MAX_POLL_HZ:g}.",
            hint="Each signal costs a command and its answer; measure what has to be fast.",
        )
    return float(polling)


def polled_dtype(signals: Sequence[PolledSignal]) -> np.dtype[Any]:
    """Of a row: one field per signal, side by side."""
    return np.dtype([(one.name, one.wanted.dtype) for one in signals])


class Poller:
    """Reads all signals in rounds, one row per round.

    Rounds begin one period apart, or later when one takes longer; after each, the link is left alone
    for at least as long as the round took. So polling never takes more than half of the link from
    others, and each signal is read equally often. The values of a row are read one after another; its
    time is the middle of that.

    Args:
        read: gives bytes of memory for an address and a size.
        signals: in the order of the columns.
        rate_hz: rounds per second at most.
        raster: index of the blocks.
        deliver: gets one block per row, with the host's time in ``t_ns``; called in the poller's thread.

    Attributes:
        dtype: of a row.
        trouble: why the link did not serve; None while it does. The poller pauses until it is cleared.
        missed: rounds in which a value could not be read.
        diagnostics: signals that the slave refused to give, each told once.
    """

    def __init__(
        self,
        read: Callable[[Address, int], bytes],
        signals: Sequence[PolledSignal],
        rate_hz: float,
        raster: int,
        deliver: Callable[[SampleBlock], None],
    ) -> None:
        self.dtype = polled_dtype(signals)
        self.trouble: XcaliperError | None = None
        self.missed = 0
        self.diagnostics: dict[str, Diagnostic] = {}
        self._read = read
        self._signals = tuple(signals)
        self._period_s = 1.0 / rate_hz
        self._raster = raster
        self._deliver = deliver
        self._last_ns = 0
        self._lost = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="xcaliper-poll", daemon=True)

    def start(self) -> None:
        """Begin with the first round."""
        self._last_ns = time.monotonic_ns()
        self._thread.start()

    def stop(self) -> None:
        """End behind the value that is being read; harmless when it never began."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            begin = time.monotonic()
            if self.trouble is None:
                self._round()
            end = time.monotonic()
            due = max(due + self._period_s, end + (end - begin))
            self._stop.wait(due - end)

    def _round(self) -> None:
        """One row, or a miss."""
        begin_ns = time.monotonic_ns()
        data = bytearray()
        for one in self._signals:
            if self._stop.is_set():
                return
            try:
                data += self._read(one.wanted.address, one.wanted.size_bytes)
            except NegativeResponseError as error:
                self._note(one.name, error)
                self._miss()
                return
            except XcaliperError as error:
                self.trouble = error
                self._miss()
                return
        t_ns = (begin_ns + time.monotonic_ns()) // 2
        gaps: tuple[Gap, ...] = ()
        if self._lost:
            gaps = (Gap(0, self._last_ns, t_ns, self._lost, "polling"),)
            self._lost = 0
        rows = np.frombuffer(bytes(data), self.dtype)
        self._deliver(SampleBlock(self._raster, np.array([t_ns], np.int64), rows, gaps))
        self._last_ns = t_ns

    def _miss(self) -> None:
        self.missed += 1
        self._lost += 1

    def _note(self, name: str, error: NegativeResponseError) -> None:
        if name not in self.diagnostics:
            self.diagnostics[name] = Diagnostic(
                Severity.WARNING,
                "polling-refused",
                Where(),
                f"{name}: the slave refused to give it: {error.message}",
                "Rounds without it are missing in the polled raster.",
                subject=name,
            )
