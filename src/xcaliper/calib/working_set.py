"""The pages of a slave as the tool knows them: read once, checked by checksum, written and verified."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.calib.mirror import Mirror
from xcaliper.calib.write_plan import changed_runs
from xcaliper.core.errors import IntegrityError, NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xcaliper.calib.port import PagedPort
    from xcaliper.calib.segments import CalibSegment
    from xcaliper.calib.write_plan import Run
    from xcaliper.core.address import Address

    Progress = Callable[[int, int], object]

__all__ = ["Refreshed", "WorkingSet"]

#: Below this length bytes are read back, which costs no more than a checksum.
_READ_BACK_BYTES: Final = 256
#: Stretches of this length are uploaded, not halved any more.
_BLOCK_BYTES: Final = 1024
#: Stretches are cut at multiples of this, which suits the sums of words of every algorithm.
_CUT_BYTES: Final = 64


@dataclass(slots=True)
class Refreshed:
    """What it took to know a segment.

    Attributes:
        checked: bytes that a checksum proved to be as they were known.
        uploaded: bytes that were read.
        changed: bytes that were known otherwise before.
    """

    checked: int = 0
    uploaded: int = 0
    changed: int = 0

    def add(self, other: Refreshed) -> None:
        """Count what another segment took as well."""
        self.checked += other.checked
        self.uploaded += other.uploaded
        self.changed += other.changed


class WorkingSet:
    """Memory of a slave, remembered by segment and page.

    What was read once is not read again, until something happened that may have changed it: a page was
    switched, the link was lost, somebody else wrote. Then a checksum decides, and only what differs is
    uploaded. Memory outside of the segments is never remembered. Not for several threads at once.

    Args:
        port: memory and pages.
        segments: what is remembered.
    """

    def __init__(self, port: PagedPort, segments: Sequence[CalibSegment] = ()) -> None:
        self.port = port
        self.segments = tuple(segments)
        self._mirrors: dict[tuple[int, int | None], Mirror] = {}
        self._away: dict[int, int] = {}  # segment → page that XCP has to go back to

    @property
    def ag(self) -> int:
        """Bytes per address."""
        return self.port.ag

    # --- what is where ---

    def segment_at(self, address: Address, size_bytes: int = 1) -> CalibSegment | None:
        """The segment that holds all these bytes."""
        for one in self.segments:
            if one.holds(address, size_bytes, ag=self.ag):
                return one
        return None

    def segment(self, which: int | str) -> CalibSegment:
        """A segment by number or name.

        Raises:
            NotFoundError: there is none.
        """
        for one in self.segments:
            if which == one.number or (isinstance(which, str) and which == one.name):
                return one
        names = tuple(one.name or str(one.number) for one in self.segments)
        raise NotFoundError(str(which), kind="segment", nearest=names)

    def pages(self, segment: CalibSegment) -> tuple[int | None, int | None]:
        """Page of the ECU and page of XCP; None where nobody tells."""
        return (None, None) if segment.number is None else self.port.pages(segment.number)

    def mirror(self, segment: CalibSegment, page: int | None) -> Mirror:
        """What is known of a page."""
        key = (self.segments.index(segment), page)
        if key not in self._mirrors:
            self._mirrors[key] = Mirror(segment.size_bytes)
        return self._mirrors[key]

    def _seen(self, segment: CalibSegment) -> Mirror:
        """What is known of the page that XCP sees."""
        for number, page in list(self._away.items()):  # the link was lost while it looked elsewhere
            self.port.switch([number], page, ecu=False, xcp=True)
            del self._away[number]
        return self.mirror(segment, self.pages(segment)[1])

    # --- what may have changed ---

    def distrust(self, segment: CalibSegment | None = None) -> None:
        """Something may have changed any page, or those of a segment: a restart, a lost link, a switch."""
        for (number, _), one in self._mirrors.items():
            if segment is None or self.segments[number] is segment:
                one.distrust()

    def forget(self, segment: int, page: int) -> None:
        """The content of a page was replaced."""
        for number, one in enumerate(self.segments):
            if one.number == segment:
                self._mirrors.pop((number, page), None)

    def forget_range(self, address: Address, size_bytes: int) -> None:
        """Somebody else wrote through XCP."""
        for one in self.segments:
            if one.touches(address, size_bytes, ag=self.ag):
                begin = one.offset(address, ag=self.ag)
                self._seen(one).drop(begin, begin + size_bytes)

    # --- reading ---

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as they are known to be, else read.

        Raises:
            XcaliperError: the slave refuses or is silent.
        """
        segment = self.segment_at(address, size_bytes)
        if segment is None or not size_bytes:
            return self.port.read(address, size_bytes)
        mirror = self._seen(segment)
        begin = segment.offset(address, ag=self.ag)
        end = begin + size_bytes
        if mirror.is_certain(begin, end):
            return mirror.get(begin, end)
        data = self.port.read(address, size_bytes)
        mirror.put(begin, data)
        return data

    def read_live(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as they are now, whatever is known."""
        data = self.port.read(address, size_bytes)
        segment = self.segment_at(address, size_bytes)
        if segment is not None and size_bytes:
            self._seen(segment).put(segment.offset(address, ag=self.ag), data)
        return data

    def content(self, segment: CalibSegment, page: int | None = None) -> bytes:
        """All bytes of a page; XCP looks there for a while.

        Args:
            segment: which.
            page: number; None = the page that XCP sees.
        """
        mirror = self.mirror(segment, self.pages(segment)[1] if page is None else page)
        if not mirror.is_certain(0, segment.size_bytes):
            with self.seeing(segment, page):
                self.refresh_segment(segment)
        return mirror.get(0, segment.size_bytes)

    @contextmanager
    def seeing(self, segment: CalibSegment, page: int | None) -> Iterator[None]:
        """Let XCP see a page of a segment for a while.

        Raises:
            UsageError: the slave does not tell its page, so nobody could go back.
        """
        before = self.pages(segment)[1]
        if page is None or page == before or segment.number is None:
            yield
            return
        if before is None:
            raise UsageError(
                f"{segment.label}: the slave does not tell its XCP page, so nobody could go back."
            )
        self.port.switch([segment.number], page, ecu=False, xcp=True)
        try:
            yield
        finally:
            self._away[segment.number] = before
            self.port.switch([segment.number], before, ecu=False, xcp=True)
            del self._away[segment.number]

    # --- bringing up to date ---

    def refresh(self, progress: Progress | None = None) -> Refreshed:
        """Bring what is known of every segment up to date, on the page that XCP sees.

        Args:
            progress: called with bytes that are certain and bytes in all.
        """
        total = sum(one.size_bytes for one in self.segments)
        found, done = Refreshed(), 0
        for segment in self.segments:
            found.add(self.refresh_segment(segment, check=True))
            done += segment.size_bytes
            if progress is not None:
                progress(done, total)
        return found

    def refresh_segment(self, segment: CalibSegment, *, check: bool = False) -> Refreshed:
        """Bring what is known of one segment up to date.

        Args:
            segment: which.
            check: ask for a checksum although nothing has happened.
        """
        mirror = self._seen(segment)
        found = Refreshed()
        for begin, end in list(mirror.known()):
            if check or not mirror.is_certain(begin, end):
                self._check(segment, mirror, begin, end, found)
        for begin, end in list(mirror.unknown()):
            self._upload(segment, mirror, begin, end, found)
        return found

    def _check(
        self, segment: CalibSegment, mirror: Mirror, begin: int, end: int, found: Refreshed
    ) -> None:
        """Prove a stretch by checksum; halve where that fails, upload what is short."""
        todo = [(begin, end)]
        while todo:
            low, high = todo.pop()
            data = mirror.get(low, high)
            alike = self._matches(segment, low, data)
            if alike:
                mirror.confirm(low, high)
                found.checked += high - low
            elif alike is None or high - low <= _BLOCK_BYTES:
                self._upload(segment, mirror, low, high, found)
            else:
                middle = low + (high - low) // 2 // _CUT_BYTES * _CUT_BYTES
                todo += [(middle, high), (low, middle)]

    def _matches(self, segment: CalibSegment, begin: int, data: bytes) -> bool | None:
        if len(data) < _READ_BACK_BYTES:
            return None
        return self.port.matches(segment.start + begin // self.ag, data)

    def _upload(
        self, segment: CalibSegment, mirror: Mirror, begin: int, end: int, found: Refreshed
    ) -> None:
        begin -= begin % self.ag
        before = mirror.get(begin, end)
        was_known = mirror.knows(begin, end)
        data = self.port.read(segment.start + begin // self.ag, end - begin)
        mirror.put(begin, data)
        found.uploaded += len(data)
        if was_known:
            found.changed += sum(a != b for a, b in zip(before, data, strict=True))

    def differing(
        self, segment: CalibSegment, begin: int, data: bytes
    ) -> tuple[list[tuple[int, int]], int]:
        """Where the page that XCP sees is not as ``data``; it is known afterwards.

        Args:
            segment: which.
            begin: offset of the first byte.
            data: bytes as they should be.

        Returns:
            Begin and end of every stretch as offsets of the segment, and how many bytes were read.
        """
        mirror = self._seen(segment)
        found: list[tuple[int, int]] = []
        read = Refreshed()
        todo = [(begin, begin + len(data))]
        while todo:
            low, high = todo.pop()
            wanted = data[low - begin : high - begin]
            alike = self._matches(segment, low, wanted)
            if alike:
                mirror.put(low, wanted)
            elif alike is None or high - low <= _BLOCK_BYTES:
                self._upload(segment, mirror, low, high, read)
                now = mirror.get(low, high)
                found += [(low + a, low + b) for a, b in changed_runs(now, wanted, self.ag)]
            else:
                middle = low + (high - low) // 2 // _CUT_BYTES * _CUT_BYTES
                todo += [(middle, high), (low, middle)]
        return found, read.uploaded

    def remembered(self) -> Iterator[tuple[Address, bytes]]:
        """What is known of the pages that can be written, trusted or not."""
        for segment in self.segments:
            seen = self.pages(segment)[1]
            page = segment.working_page if segment.working_page is not None else seen
            mirror = self.mirror(segment, page)
            for begin, end in mirror.known():
                yield segment.start + begin // self.ag, mirror.get(begin, end)

    # --- writing ---

    def write(self, run: Run, *, verify: bool = True) -> None:
        """Write a run and look whether it is there.

        Short ones are read back; long ones are proven by checksum where the slave has one.

        Raises:
            IntegrityError: memory holds something else than was written.
            XcaliperError: the slave refuses or is silent.
        """
        segment = self.segment_at(run.address, run.size_bytes)
        mirror = self._seen(segment) if segment is not None else None
        begin = segment.offset(run.address, ag=self.ag) if segment is not None else 0
        if mirror is not None:
            mirror.drop(begin, begin + run.size_bytes)  # unknown, until it is seen
            mirror.left_by_us = False
        self.port.write(run.address, run.new)
        found = self._written(run) if verify else run.new
        if mirror is not None:
            mirror.put(begin, found)
        if found != run.new:
            raise IntegrityError(
                f"memory: read back at {run.address}",
                expected=run.new.hex(),
                actual=found.hex(),
                hint="The ECU changed it or did not take it; check page and access rights.",
            )

    def _written(self, run: Run) -> bytes:
        if run.size_bytes >= _READ_BACK_BYTES and self.port.matches(run.address, run.new):
            return run.new
        return self.port.read(run.address, run.size_bytes)
