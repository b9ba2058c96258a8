"""Pages of calibration segments of a live slave: which are used, switch, copy, freeze.

The page that the ECU works with (ECU page) and the one that reading and writing see (XCP page) are two
things everywhere.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.xcp.codes import ErrorCode, negative_response
from xcaliper.xcp.page_access import PageRules, Side, page_refusal, switch_refusal
from xcaliper.xcp.procedures import pages, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from xcaliper.client.info import SegmentInfo
    from xcaliper.core.address import Address
    from xcaliper.transport.pump import Link
    from xcaliper.xcp.procedures.store import StoreStatus

__all__ = ["Paging", "SegmentPages"]

_MOVE: Final = "Choose the working page for XCP: paging.set(…, ecu=False), in the shell page switch … --side xcp."
_OFFLINE: Final = "Calibrate offline, in the image of the program, and flash it."
_RIGHTS: Final = ("never", "alone", "together", "always")


@dataclass(frozen=True, slots=True)
class SegmentPages:
    """A segment with its pages as they are now; None where the slave does not tell.

    Attributes:
        number: of the segment.
        name: of the segment; may be empty.
        ecu_page: page that the ECU works with.
        xcp_page: page that reading and writing see.
        rules: rights of each page by number, from the slave, else from the A2L; None = unknown.
        frozen: STORE_CAL_REQ stores it.
    """

    number: int
    name: str
    ecu_page: int | None
    xcp_page: int | None
    rules: tuple[PageRules | None, ...]
    frozen: bool | None

    @property
    def label(self) -> str:
        """``segment 1 (Calibration)``."""
        return f"segment {self.number}" + (f" ({self.name})" if self.name else "")

    def rights(self, page: int) -> tuple[str, str, str]:
        """Who may use a page: the ECU, reading and writing through XCP.

        Each is ``never``, ``alone`` (while the other side is elsewhere), ``together`` (only while it is
        there as well), ``always``, or empty when nobody says.
        """
        rules = self.rules[page] if page < len(self.rules) else None
        if rules is None:
            return "", "", ""
        return (
            _RIGHTS[rules.ecu_access],
            _RIGHTS[rules.xcp_read_access],
            _RIGHTS[rules.xcp_write_access],
        )


class Paging:
    """Pages of one connection; ``connection.paging``.

    Args:
        link: gives the link as it is now.
        segments: what the slave and its description say.
        mark: leaves a mark in a running measurement.
        note: told of every page that was set, so that it can be set again after a loss.
        wait: waits until the slave has stored.
        ag: bytes per address.

    Attributes:
        watchers: told of every segment whose page was switched, and page whose content was replaced;
            None instead of a page where it was only switched.
    """

    def __init__(
        self,
        link: Callable[[], Link],
        segments: Sequence[SegmentInfo],
        *,
        mark: Callable[[str], object],
        note: Callable[..., object],
        wait: Callable[[str, float], StoreStatus],
        ag: int,
    ) -> None:
        self._link = link
        self._known = {one.number: one for one in segments}
        self._mark = mark
        self._note = note
        self._wait = wait
        self._ag = ag
        self._used: dict[int, tuple[int | None, int | None]] = {}
        self.watchers: list[Callable[[int, int | None], object]] = []
        self._strict = [one for one in segments if _restricts(one)]

    def __repr__(self) -> str:
        return f"<Paging, {len(self._known)} segments>"

    # --- what there is ---

    def __iter__(self) -> Iterator[SegmentPages]:
        """Every segment as it is now."""
        for number in self._known:
            yield self[number]

    def __len__(self) -> int:
        return len(self._known)

    def __getitem__(self, segment: int | str) -> SegmentPages:
        """A segment, by number or name, as it is now.

        Raises:
            NotFoundError: there is none.
        """
        one = self._find(segment)
        ecu_page, xcp_page = self._look(one.number)
        frozen = self._link().run(pages.is_frozen(one.number))
        return SegmentPages(one.number, one.name, ecu_page, xcp_page, one.page_rules, frozen)

    def _find(self, segment: int | str) -> SegmentInfo:
        for one in self._known.values():
            if segment == one.number or (isinstance(segment, str) and segment == one.name):
                return one
        names = tuple(str(one.name or one.number) for one in self._known.values())
        raise NotFoundError(str(segment), kind="segment", nearest=names)

    def _look(self, number: int) -> tuple[int | None, int | None]:
        self._used[number] = self._link().run(pages.pages_in_use(number))
        return self._used[number]

    def knows(self, segment: int, page: int) -> bool:
        """True when slave or description tell of this page."""
        one = self._known.get(segment)
        return one is not None and (one.pages is None or 0 <= page < one.pages)

    def forget(self) -> None:
        """Nothing is known of the pages in use: a new session has begun."""
        self._used.clear()
        for number in self._known:
            self._tell(number)

    # --- switch and copy ---

    def set(
        self, segment: int | str, page: int, *, ecu: bool = True, xcp: bool = True
    ) -> SegmentPages:
        """Choose the page of a segment for the ECU, for XCP or for both (XCP Base, SET_CAL_PAGE, 1.0).

        Args:
            segment: number or name.
            page: number.
            ecu: the ECU shall work with it.
            xcp: reading and writing shall go there.

        Raises:
            UsageError: the page's rights forbid it; nothing was sent.
            NegativeResponseError: the slave refuses.
            RemoteProtocolError: it agreed and has not done it.
        """
        if not (ecu or xcp):
            raise UsageError("page: neither the ECU nor XCP shall use it.", hint="ecu or xcp=True")
        one = self._find(segment)
        self.switch([one.number], page, ecu=ecu, xcp=xcp)
        return self[one.number]

    def set_all(self, page: int, *, ecu: bool = True, xcp: bool = True) -> None:
        """Choose a page in every segment with one command; as :meth:`set`."""
        numbers = list(self._known)
        if not numbers:
            raise UsageError("page: the slave has no segments.")
        self.switch(numbers, page, ecu=ecu, xcp=xcp, every=True)

    def switch(
        self, segments: Sequence[int], page: int, *, ecu: bool, xcp: bool, every: bool = False
    ) -> None:
        """Choose a page of some segments, one after the other, or of every one with one command.

        Args:
            segments: numbers; all of them with ``every``.
            page: number.
            ecu: the ECU shall work with it.
            xcp: reading and writing shall go there.
            every: use one command.

        Raises:
            As :meth:`set`.
        """
        for number in segments:
            self._check_switch(self._known[number], page, ecu=ecu, xcp=xcp)
        for some in [segments] if every else [[number] for number in segments]:
            found = self._link().run(pages.switch_page(some, page, ecu=ecu, xcp=xcp, every=every))
            self._used.update(found)
            for number in some:
                self._note(number, page, ecu=ecu, xcp=xcp)
                self._tell(number)
            label = "every segment" if every else f"segment {some[0]}"
            self._mark(f"{label}: {_whose(ecu=ecu, xcp=xcp)} {page}")

    def _tell(self, segment: int, page: int | None = None) -> None:
        for watcher in self.watchers:
            watcher(segment, page)

    def used(self, segment: int) -> tuple[int | None, int | None]:
        """Page of the ECU and of XCP as they were last seen; asked for where nobody knows them."""
        return self._used.get(segment) or self._look(segment)

    def _check_switch(self, one: SegmentInfo, page: int, *, ecu: bool, xcp: bool) -> None:
        label = _label(one)
        if one.pages is not None and not 0 <= page < one.pages:
            raise UsageError(f"{label}: page {page} is none of its {one.pages} pages from 0.")
        rules = [rule for rule in one.page_rules if rule is not None]
        if len(rules) < len(one.page_rules) or page >= len(rules):
            return
        ecu_page, xcp_page = self._look(one.number)
        ecu_page, xcp_page = page if ecu else ecu_page, page if xcp else xcp_page
        if ecu_page is None or xcp_page is None or max(ecu_page, xcp_page) >= len(rules):
            return
        which, reason = switch_refusal(rules, ecu_page, xcp_page)
        if reason:
            raise UsageError(
                f"page {which} of {label} {reason}.",
                hint="Switch the other side as well, or first.",
            )

    def copy(self, source: tuple[int | str, int], destination: tuple[int | str, int]) -> None:
        """Copy one (segment, page) onto another (XCP Base, COPY_CAL_PAGE, 1.0).

        Raises:
            WriteProtectedError: the destination may not be written; nothing was sent.
            NegativeResponseError: the slave refuses.
        """
        origin, goal = self._find(source[0]), self._find(destination[0])
        self._refuse(
            goal, destination[1], Side.XCP_WRITE, hint="Copy to a page that may be written."
        )
        self._link().run(pages.copy_page((origin.number, source[1]), (goal.number, destination[1])))
        self._tell(goal.number, destination[1])

    @contextmanager
    def on(self, segment: int | str, page: int) -> Iterator[SegmentPages]:
        """Let XCP see a page for a while; the ECU stays where it is, and XCP goes back afterwards.

        Raises:
            UsageError: the page's rights forbid it, or the slave does not tell what it uses now.
        """
        before = self[segment]
        if before.xcp_page is None:
            raise UsageError(
                f"{before.label}: the slave does not tell its XCP page, so nobody could go back."
            )
        found = before
        if before.xcp_page != page:
            found = self.set(segment, page, ecu=False)
        try:
            yield found
        finally:
            if before.xcp_page != page:
                self.set(segment, before.xcp_page, ecu=False)

    # --- freeze ---

    def freeze(self, segment: int | str, *, on: bool = True) -> None:
        """Mark a segment, or not: :meth:`store` stores its XCP page (XCP Base, SET_SEGMENT_MODE, 1.0).

        Raises:
            NegativeResponseError: the slave cannot.
        """
        self._link().run(pages.set_frozen(self._find(segment).number, on=on))

    def unfreeze(self, segment: int | str) -> None:
        """Take the mark of :meth:`freeze` away."""
        self.freeze(segment, on=False)

    def store(self, *segments: int | str, timeout_s: float = 30.0) -> None:
        """Have frozen segments stored for the next power-up (XCP Base, STORE_CAL_REQ, 1.0).

        Args:
            segments: freeze these before; others that are frozen are stored as well.
            timeout_s: how long that may take.

        Raises:
            NegativeResponseError: the slave cannot.
            RemoteProtocolError: it has not finished in time.
        """
        for segment in segments:
            self.freeze(segment)
        self._link().run(store.store_cal())
        self._wait("EV_STORE_CAL", timeout_s)

    # --- rights, for reading and writing ---

    def check(self, address: Address, size_bytes: int, side: Side) -> None:
        """Refuse in advance what the rights of the page in use forbid, as the slave would.

        Raises:
            WriteProtectedError: with what is in the way of writing.
            AccessDeniedError: of reading.
        """
        for one in self._strict:
            if self._is_inside(one, address, size_bytes):
                used = self._used.get(one.number) or self._look(one.number)
                if self._reason(one, used[1], used, side):  # it may have changed meanwhile
                    xcp_page = self._look(one.number)[1]
                    if xcp_page is not None:
                        self._refuse(one, xcp_page, side)

    def _refuse(self, one: SegmentInfo, page: int, side: Side, hint: str = _MOVE) -> None:
        reason = self._reason(one, page, self._used.get(one.number) or self._look(one.number), side)
        if not reason:
            return
        code = (
            ErrorCode.ERR_WRITE_PROTECTED if side is Side.XCP_WRITE else ErrorCode.ERR_ACCESS_DENIED
        )
        error = negative_response("page", code)
        error.message = f"page {page} of {_label(one)} {reason}; nothing was sent."
        error.hint = hint
        if side is Side.XCP_WRITE and _is_fixed(one):
            error.message = (
                f"no page of {_label(one)} may be written through XCP; nothing was sent."
            )
            error.hint = _OFFLINE
        raise error

    @staticmethod
    def _reason(
        one: SegmentInfo, page: int | None, used: tuple[int | None, int | None], side: Side
    ) -> str:
        if page is None or used[0] is None or page >= len(one.page_rules):
            return ""
        rules = one.page_rules[page]
        return "" if rules is None else page_refusal(rules, side, together=used[0] == page)

    def _is_inside(self, one: SegmentInfo, address: Address, size_bytes: int) -> bool:
        if one.address is None or one.size_bytes is None or one.extension != address.extension:
            return False
        offset = (address.value - one.address) * self._ag
        return offset < one.size_bytes and offset + size_bytes > 0


def _label(one: SegmentInfo) -> str:
    return f"segment {one.number}" + (f" ({one.name})" if one.name else "")


def _whose(*, ecu: bool, xcp: bool) -> str:
    return "page" if ecu and xcp else "ECU page" if ecu else "XCP page"


def _is_fixed(one: SegmentInfo) -> bool:
    """Whether parameters of a segment can never be written while the program runs."""
    return all(rules is not None and not rules.xcp_write_access for rules in one.page_rules)


def _restricts(one: SegmentInfo) -> bool:
    """Whether reading or writing of a segment depends on its pages."""
    always = 3
    return any(
        rules is not None and not rules.xcp_read_access == rules.xcp_write_access == always
        for rules in one.page_rules
    )
