"""How often the pump looks, how much it takes, how long it stays, and how often threads take turns."""

from __future__ import annotations

import sys
from typing import Final

from xcaliper.transport.driver import HOLD_BYTES, LATE_BYTES

__all__ = ["Pace", "Turns"]

_TICK_S: Final = 0.001
_SHORT_TICK_S: Final = 0.0004  # a default buffer of 208 KiB holds 1.1 ms of a Gbit/s
_SLOW_TICK_S: Final = 0.004
#: A tick lasts so long when much comes, if a burst meanwhile takes no more than a quarter of the buffer:
#: few large steps cost less than many small ones, most of all where arrays are compared.
_BUSY_TICK_S: Final = 0.004
#: A tick is at most so long when little comes, and what a burst of two Gbit/s puts into the kernel's
#: buffer meanwhile, with what the kernel adds to each datagram, has to fit.
_LONGEST_TICK_S: Final = 0.02
_BURST_BYTES_PER_S: Final = 400e6
_ENOUGH_BUFFER: Final = 1 << 20
_LATE_NS: Final = 3_000_000
#: How long the pump stays in the receive: when somebody looks at what comes, and else.
_FRESH_STAY_NS: Final = 20_000_000
_STAY_NS: Final = 100_000_000
#: Late drains of much data after which threads shall take turns more often, and how often.
_MANY_WAITS: Final = 3
_HURRY_S: Final = 0.001
_SETTLING_NS: Final = 500_000_000


class Pace:
    """Pauses, stays and shares of one pump: little data shall cost little, much shall find room.

    Args:
        buffer_size: bytes that the kernel holds, 0 = unknown.

    Attributes:
        is_fresh: somebody looks at blocks as they come.
        is_late: the last drain began long after it should have.
        share_size: what :meth:`share` gave last.
        large: bytes of a drain that is followed by the next one at once, an eighth of the kernel's buffer.
        pause_s: until the next drain.
        stay_ns: how long to stay in the receive.
    """

    def __init__(self, buffer_size: int) -> None:
        enough = buffer_size >= _ENOUGH_BUFFER or buffer_size == 0
        self._tick_s = _TICK_S if enough else _SHORT_TICK_S
        by_buffer = buffer_size / _BURST_BYTES_PER_S
        self._patient_tick_s = min(max(by_buffer, _SLOW_TICK_S), _LONGEST_TICK_S)
        self._busy_tick_s = max(min(by_buffer / 4, _BUSY_TICK_S), self._tick_s)
        self._longest_s = self._tick_s
        self._was_full = False
        self._drained_ns = 0
        self.large = min((buffer_size or HOLD_BYTES) // 8, HOLD_BYTES // 2)
        self.is_fresh = self.is_late = False
        self.pause_s = self._tick_s
        self.stay_ns = _STAY_NS
        self.share_size = HOLD_BYTES

    def begin(self, now_ns: int, *, patient: bool) -> None:
        """DAQ begins.

        Args:
            now_ns: monotonic time.
            patient: times of samples do not depend on when they are received.
        """
        may_wait = patient and self._tick_s == _TICK_S
        self._longest_s = self._patient_tick_s if may_wait else self._tick_s
        self.pause_s = self._tick_s
        self._drained_ns = now_ns

    def share(self, now_ns: int, *, running: bool, wanted: bool) -> int:
        """Bytes that one drain may take: much when the last one is long ago, or was full.

        Other threads of the application can keep the interpreter for milliseconds at a time; a
        command that waits meanwhile waits for them, not for the drain. On a saturated link large
        drains cost less, and nobody waits for it yet.

        Args:
            now_ns: monotonic time.
            running: DAQ has a sink.
            wanted: somebody waits for the link.
        """
        due_ns = self._drained_ns + int(self.pause_s * 1e9)
        self.is_late = running and now_ns - due_ns > _LATE_NS
        long_ago = running and now_ns - self._drained_ns > _LATE_NS
        self._drained_ns = now_ns
        is_much = not wanted and running and (long_ago or self._was_full)
        self.share_size = LATE_BYTES if self.is_late or is_much else HOLD_BYTES
        return self.share_size

    def drained(self, size: int, worthwhile: int) -> None:
        """A drain has brought so many bytes; the next pause depends on it."""
        self._was_full = size >= HOLD_BYTES
        self._choose(size, worthwhile)

    def stayed(self, size: int, worthwhile: int, until_ns: int, now_ns: int) -> None:
        """A stay that should have ended at a time has brought so many bytes."""
        self._drained_ns = now_ns
        self.is_late = now_ns - until_ns > _LATE_NS
        self._choose(size // (self.stay_ns // 1_000_000), worthwhile)

    def is_behind(self, size: int, worthwhile: int) -> bool:
        """True when a drain has probably left something, so that the next one should follow at once.

        Args:
            size: bytes that it has brought.
            worthwhile: bytes that are much.
        """
        if self._busy_tick_s > self._tick_s:
            return size >= self.share_size
        return size > max(self.large, worthwhile)

    def _choose(self, size: int, worthwhile: int) -> None:
        """Tick less often when little comes.

        Args:
            size: bytes of a drain, or of a millisecond of a stay.
            worthwhile: bytes that are much.
        """
        self.stay_ns = _FRESH_STAY_NS if self.is_fresh else _STAY_NS
        longest_s = min(self._longest_s, _SLOW_TICK_S) if self.is_fresh else self._longest_s
        busy_s = self._tick_s if self.is_fresh else min(self._busy_tick_s, longest_s)
        self.pause_s = busy_s if size > worthwhile else min(2 * self.pause_s, longest_s)


class Turns:
    """The thread switch interval of the interpreter while DAQ runs; a setting of the whole process.

    Args:
        interval_s: to set while DAQ runs; None = only when it is needed.
        may_hurry: then 1 ms while a decoder's DAQ starts, and once a busy thread has kept the pump
            waiting while much came.
    """

    def __init__(self, interval_s: float | None, *, may_hurry: bool) -> None:
        self._interval_s = interval_s
        self._may_hurry = may_hurry
        self._before = self._now = 0.0
        self._waits = self._settling_ns = 0

    def begin(self, *, stays: bool) -> None:
        """DAQ begins; starting takes several turns of several threads where the pump stays."""
        self._waits = 0
        if self._interval_s is not None:
            self._take_more_often(self._interval_s)
        elif stays and self._may_hurry:
            self._settling_ns = _SETTLING_NS
            self._take_more_often(_HURRY_S)

    def stayed(self, stay_ns: int) -> None:
        """Samples came during a stay: with the first of these the hurry of the start is over."""
        if self._settling_ns:
            self._settling_ns = max(self._settling_ns - stay_ns, 0)
            if not self._settling_ns:
                self._put_back()

    def note_wait(self) -> None:
        """Another thread kept the interpreter while much came: ask for shorter turns, if allowed."""
        self._waits += 1
        if self._waits == _MANY_WAITS and self._may_hurry:
            self._settling_ns = 0  # the hurry of the start goes on
            self._take_more_often(_HURRY_S)

    def end(self) -> None:
        """DAQ has ended: as before, unless somebody else has set it since."""
        self._settling_ns = 0
        self._put_back()

    def _take_more_often(self, interval_s: float) -> None:
        before = sys.getswitchinterval()
        if before > interval_s and not self._before:
            self._before = before
            sys.setswitchinterval(interval_s)
            self._now = sys.getswitchinterval()  # as the interpreter rounds it

    def _put_back(self) -> None:
        before, self._before = self._before, 0.0
        if before and sys.getswitchinterval() == self._now:
            sys.setswitchinterval(before)
