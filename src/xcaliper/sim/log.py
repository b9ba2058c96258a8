"""The log of a virtual ECU: what it noticed that no answer tells."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["EcuLog", "LogEntry"]

_MAX_ENTRIES: Final = 1000


@dataclass(slots=True)
class LogEntry:
    """Something that happened, once or several times in a row.

    Attributes:
        t_ns: when it happened first, on the ECU's clock.
        slug: stable name of the kind of thing, such as ``wrong-extension``.
        text: one sentence.
        count: by how many packets of the master in a row, or at how many times.
    """

    t_ns: int
    slug: str
    text: str
    count: int = 1

    def __str__(self) -> str:
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.t_ns / 1e9:.3f} s {self.slug}: {self.text}{times}"


class EcuLog:
    """The latest thousand entries.

    Attributes:
        now_ns: time of the ECU; whoever lets time pass sets it.
        turn: counts what the ECU was asked or let to do; a thing counts once in each.
        told: called with each new entry; a repetition of the latest one only counts.
    """

    def __init__(self) -> None:
        self.now_ns = 0
        self.turn = 0
        self._last_turn = 0
        self.told: Callable[[LogEntry], object] = lambda _entry: None
        self._entries: deque[LogEntry] = deque(maxlen=_MAX_ENTRIES)

    def add(self, slug: str, text: str) -> None:
        """Note something."""
        latest = self._entries[-1] if self._entries else None
        if latest is not None and (latest.slug, latest.text) == (slug, text):
            latest.count += self.turn != self._last_turn
            self._last_turn = self.turn
            return
        self._last_turn = self.turn
        entry = LogEntry(self.now_ns, slug, text)
        self._entries.append(entry)
        self.told(entry)

    def __iter__(self) -> Iterator[LogEntry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def of(self, slug: str) -> list[LogEntry]:
        """The entries of one kind, oldest first."""
        return [entry for entry in self._entries if entry.slug == slug]
