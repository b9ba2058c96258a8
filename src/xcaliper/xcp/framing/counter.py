"""Message counters of transport headers: sending, and finding gaps on reception."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from xcaliper.core.diagnostics import Diagnostic, Severity, Where

__all__ = ["LATE_PART", "CounterWatch", "FramingCounts", "Gap"]

_MAX_GAPS: Final = 1024
#: Part of a round of the counter that can be late; more in a row stand behind a long gap.
LATE_PART: Final = 16


class Gap(NamedTuple):
    """Messages that the counter says are missing.

    Attributes:
        t_from_ns: time of the last message before the gap.
        t_to_ns: time of the first message behind it.
        missing: how many are missing.
    """

    t_from_ns: int
    t_to_ns: int
    missing: int


@dataclass(slots=True)
class FramingCounts:
    """What a reader met; only ever grows.

    Attributes:
        messages: packets given out.
        malformed: frames, or rests of frames, that had to be dropped.
        empty: messages of length 0, skipped.
        checksum: messages dropped because of a wrong checksum.
        duplicates: datagrams dropped because the net had doubled them.
        overtaken: answers, or commands, dropped because later ones came before them; they count as late, too.
    """

    messages: int = 0
    malformed: int = 0
    empty: int = 0
    checksum: int = 0
    duplicates: int = 0
    overtaken: int = 0

    def diagnostics(self, source: str) -> list[Diagnostic]:
        """A finding for every kind of damage that happened."""
        kinds = (
            ("framing-malformed", self.malformed, "did not fit their length field"),
            ("framing-empty", self.empty, "had length 0"),
            ("framing-checksum", self.checksum, "had a wrong checksum"),
            ("framing-duplicate", self.duplicates, "came twice"),
            ("framing-overtaken", self.overtaken, "came behind later ones"),
        )
        return [
            Diagnostic(
                Severity.WARNING,
                slug,
                Where(source),
                f"{source}: {count} messages {what}.",
                "They were dropped; check the transport settings against the A2L.",
            )
            for slug, count, what in kinds
            if count
        ]


class CounterWatch:
    """Finds missing messages by a free-running counter.

    A step of up to half the modulus is a gap; a larger one is a late or doubled message, which is
    counted in ``late`` and moves nothing. A sixteenth of a round of them in a row, with nothing else
    between, is more than any network delays: they are not late, and more than half of a round is
    missing.

    A reader may take a message that carries the expected value by itself, when it sets ``expected``
    and ``last_t_ns`` as :meth:`see` would.

    Attributes:
        expected: counter of the next message; -1 when any will do.
        last_t_ns: time of the last message.
        lost: messages missing so far.
        late: messages that came out of order or twice.
        gaps: the latest gaps, oldest first, bounded.
    """

    __slots__ = (
        "_modulus", "_run", "_run_expected", "_run_next", "expected", "gaps", "last_t_ns", "late",
        "lost",
    )  # fmt: skip

    def __init__(self, modulus: int) -> None:
        self._modulus = modulus
        self.expected = -1
        self.last_t_ns = 0
        self.lost = 0
        self.late = 0
        # late messages in a row, what would follow them, and what was expected meanwhile
        self._run, self._run_next, self._run_expected = 0, -1, -1
        self.gaps: deque[Gap] = deque(maxlen=_MAX_GAPS)

    def reset(self) -> None:
        """Forget where the counter stood; the next message may carry any value."""
        self.expected = -1

    @property
    def late_run(self) -> tuple[int, int, int]:
        """Late messages in a row, the counter that would follow, and what is expected meanwhile."""
        return self._run, self._run_next, self._run_expected

    def see(self, counter: int, t_ns: int) -> int:
        """How many messages are missing just before this one."""
        missing = 0
        if counter != self.expected and self.expected >= 0:
            missing = (counter - self.expected) % self._modulus
            if missing >= self._modulus // 2:
                self.late += 1
                missing = self._behind_run(counter, missing)
                if not missing:
                    return 0
            self.lost += missing
            self.gaps.append(Gap(self.last_t_ns, t_ns, missing))
        self.expected = (counter + 1) % self._modulus
        self.last_t_ns = t_ns
        return missing

    def _behind_run(self, counter: int, missing: int) -> int:
        """Messages missing before a run of late ones that is too long to be late; else 0."""
        goes_on = counter == self._run_next and self.expected == self._run_expected
        self._run = self._run + 1 if goes_on else 1
        self._run_next, self._run_expected = (counter + 1) % self._modulus, self.expected
        if self._run < self._modulus // LATE_PART:
            return 0
        self.late -= self._run
        return missing - self._run + 1
