"""Stimulation by value and by stream: rows are sent for every event of the slave."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from xcaliper.client.stim_session import StimSession
from xcaliper.core.errors import LinkError, UsageError, XcaliperError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xcaliper.client.connection import Connection
    from xcaliper.client.selection import Selection
    from xcaliper.client.stim_session import SessionOptions
    from xcaliper.daq.plan import Raster
    from xcaliper.xcp.dto_sets import DtoSet

__all__ = ["Stimulation"]

_SHORTEST_NS: Final = 100_000
_JOIN_S: Final = 2.0


class Stimulation(StimSession):
    """Values that are sent to the slave once per event; made by ``Connection.stimulate``.

    Where the event serves DAQ too, a sample of it says when to send; else the host's clock does, with the
    event's cycle.

    Args:
        connection: to the slave.
        selection: what is sent, and what says when.
        values: name → value that is held until it is changed.
        stream: name → array[n] of values over ``t_s``; or an iterable of name → value, one for each
            event. When it is over, nothing is sent any more and the ECU's own values come back.
        t_s: float[n], seconds since the first event, ascending; None = one row for each event.
        clock: signal in the plan whose samples say when to send; None = the host's clock does.
        options: measuring besides, reconnecting, and more.

    Attributes:
        events: of the slave that were seen, or cycles of the host's clock.
    """

    def __init__(  # options by name
        self,
        connection: Connection,
        selection: Selection,
        values: Mapping[str, Any],
        stream: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
        t_s: Any = None,
        *,
        clock: str | None = None,
        options: SessionOptions | None = None,
    ) -> None:
        super().__init__(connection, selection, options=options)
        self._trigger = next((r.index for r in self.plan.rasters if clock in r.signals), None)
        if self._beside is not None:
            self._beside.trigger = self._trigger
        self.events = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._names = {name: writer for writer in self._writers for name in writer.names}
        self._held = set(values)
        self._times: NDArray[np.float64] | None = None
        self._length: int | None = None
        self._columns: dict[str, Any] = {}
        self._rows: Iterator[Mapping[str, Any]] | None = None
        self._first_ns: int | None = None
        self._cycle_ns = min((one.cycle_ns or 0) for one in self.plan.stim_rasters)
        if self._trigger is None and not self._cycle_ns:
            raise UsageError(
                "stimulation: its event is not cyclic and serves no DAQ, so nothing says when to send.",
                hint="Choose another event.",
            )
        self._take_stream(stream, t_s)
        missing = set(self._names) - self._held - set(self._columns)
        if missing and self._rows is None:
            raise UsageError(f"stimulation: {', '.join(sorted(missing))} has no value.")
        for name, value in values.items():
            self._names[name].put(name, value)

    def _take_stream(
        self, stream: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None, t_s: Any
    ) -> None:
        if stream is None:
            return
        if not isinstance(stream, Mapping):
            if t_s is not None:
                raise UsageError(
                    "stimulation: an iterator gives a row for each event, without t_s."
                )
            self._rows = iter(stream)
            return
        self._columns = {name: _column(name, column) for name, column in stream.items()}
        lengths = {len(column) for column in self._columns.values()}
        if t_s is not None:
            self._times = _column("t_s", t_s, np.float64)
            lengths.add(len(self._times))
            if not (np.isfinite(self._times).all() and np.all(np.diff(self._times) >= 0)):
                raise UsageError("stimulation: t_s must ascend, without NaN.")
        if len(lengths) != 1 or 0 in lengths:
            raise UsageError("stimulation: columns and t_s must have one length, which is not 0.")
        (self._length,) = lengths

    # --- by value ---

    def set(self, **values: Any) -> None:
        """Change held values; what is sent from the next event on is all of them together.

        Raises:
            NotFoundError: a name that is not stimulated.
            UsageError: a value is not one of its signal.
        """
        self.update(values)

    def update(self, values: Mapping[str, Any]) -> None:
        """The same for names that are no Python names."""
        unknown = set(values) - self._held
        if unknown:
            raise UsageError(
                f"stimulation: {', '.join(sorted(unknown))} is not held; "
                f"there are {', '.join(sorted(self._held))}."
            )
        with self._lock:
            before = [(writer, bytes(writer.row)) for writer in self._writers]
            try:
                for name, value in values.items():
                    self._names[name].put(name, value)
            except BaseException:
                for writer, row in before:
                    writer.row[:] = row
                raise

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    # --- when to send ---

    def start(self) -> Self:
        """Set the lists up, start them, and send by the host's clock where nothing else says when.

        Raises:
            UsageError: it was started before, or something else has the lists.
            NegativeResponseError: the slave refused.
        """
        super().start()
        if self._trigger is None:
            self._thread = threading.Thread(
                target=self._keep_time, name="xcaliper stimulation", daemon=True
            )
            self._thread.start()
        return self

    def _keep_time(self) -> None:
        cycle_ns = max(self._cycle_ns, _SHORTEST_NS)
        next_ns = self._now()
        while not self._over.is_set():
            now_ns = self._now()
            if now_ns >= next_ns and self._is_up:
                self._tell(now_ns, 0, 0)
            if now_ns >= next_ns:
                next_ns += cycle_ns * max((now_ns - next_ns) // cycle_ns, 1)
            self._over.wait(max(next_ns - self._now(), 0) * 1e-9)

    def _on_sample(self, sample: DtoSet, raster: Raster, came_ns: int) -> None:
        if raster.index != self._trigger:
            return
        if sample.ticks is not None:
            came_ns = self._host_ns(sample.ticks) or came_ns
        self._tell(came_ns, sample.counter or 0, sample.ticks or 0)

    def _tell(self, now_ns: int, counter: int, ticks: int) -> None:
        """Send what is due now; the end of a stream or an error ends it."""
        try:
            with self._lock:
                if not self._advance(now_ns):
                    self._over.set()
                    return
                self._send(counter, ticks)
                self._note_sent(now_ns)
        except LinkError:
            pass  # whoever watches the link finds out
        except Exception as error:  # noqa: BLE001 - a stream of the user may raise anything
            self._fail(error if isinstance(error, XcaliperError) else _stream_error(error))

    def _advance(self, now_ns: int) -> bool:
        """Bring the row of the stream into place; False when it is over."""
        at = self.events
        self.events += 1
        if self._rows is not None:
            try:
                row = next(self._rows)
            except StopIteration:
                return False
            for name, value in row.items():
                self._names[name].put(name, value)
            return True
        if self._length is None:
            return True
        if self._times is not None:
            if self._first_ns is None:
                self._first_ns = now_ns
            t_s = self._times[0] + (now_ns - self._first_ns) * 1e-9
            half_s = 0.5e-9 * self._cycle_ns
            if t_s > self._times[-1] + half_s:
                return False
            at = max(int(np.searchsorted(self._times, t_s + 1e-3 * half_s, "right")) - 1, 0)
        if at >= self._length:
            return False
        for name, column in self._columns.items():
            self._names[name].put(name, column[at])
        return True

    def join(self, timeout_s: float = 60.0) -> bool:
        """Wait for the end of the stream; True when it has come."""
        return not self.wait(timeout_s)

    def _finish(self) -> None:
        if self._thread is not None:
            self._thread.join(_JOIN_S)
        super()._finish()


def _column(name: str, values: Any, kind: type[np.float64] | None = None) -> NDArray[Any]:
    """Values of one signal, or times, one for each row."""
    try:
        column = np.asarray(values, kind)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"stimulation: {name} is no column ({error}).",
            hint="Give an array with a value per row.",
        ) from error
    if not column.ndim:
        raise UsageError(
            f"stimulation: {name} is no column, but {values!r:.80}.",
            hint="Hold single values: stimulate({name: value}).",
        )
    return column


def _stream_error(error: Exception) -> UsageError:
    made = UsageError(
        f"stimulation: the stream failed ({type(error).__name__}: {error}).",
        hint="The ECU's own values come back.",
    )
    made.__cause__ = error
    return made
