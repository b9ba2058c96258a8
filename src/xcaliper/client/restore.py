"""What a connection has set in its slave, and setting it again after the slave was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    LinkError,
    NegativeResponseError,
    XcaliperError,
)
from xcaliper.xcp.procedures import pages
from xcaliper.xcp.seed_key import each_resource, resource_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.transport.pump import Link
    from xcaliper.xcp.codes import Resource

__all__ = ["SlaveMemoir"]

_MAX_NAMES: Final = 1000
_SHOWN: Final = 5


class SlaveMemoir:
    """What was changed in a slave since its session began.

    Pages and locks can be set again. Values that were written are not: an ECU that has restarted has
    other values around them, and whether they still fit is for the user to say.
    """

    def __init__(self) -> None:
        self._pages: dict[tuple[int, bool], int] = {}
        self._written: dict[str, None] = {}

    def note_page(self, segment: int, page: int, *, ecu: bool, xcp: bool) -> None:
        """A page was set."""
        for is_ecu, wanted in ((True, ecu), (False, xcp)):
            if wanted:
                self._pages[segment, is_ecu] = page

    def note_write(self, name: str) -> None:
        """A parameter, or memory without a name, was written; the latest thousand are kept."""
        self._written.pop(name, None)
        self._written[name] = None
        if len(self._written) > _MAX_NAMES:
            del self._written[next(iter(self._written))]

    def restore(
        self,
        link: Link,
        *,
        locked: Resource,
        unlock: Callable[..., object],
    ) -> tuple[Diagnostic, ...]:
        """Set again what can be; a finding for everything that could not.

        Args:
            link: of the new session.
            locked: resources that were open before and are locked now.
            unlock: opens resources, by name, with the keys that the user gave.

        Raises:
            ExchangeTimeoutError: the slave is gone again.
        """
        found: list[Diagnostic] = []
        for one in map(resource_name, each_resource(locked)):
            try:
                unlock(one)
            except (ExchangeTimeoutError, LinkError):
                raise
            except XcaliperError as error:
                found.append(_lost(link, f"{one} is locked again ({error.message})", "Unlock it."))
        for (segment, is_ecu), page in sorted(self._pages.items()):
            try:
                link.run(pages.set_page(segment, page, ecu=is_ecu, xcp=not is_ecu))
            except NegativeResponseError as error:
                who = "the ECU" if is_ecu else "XCP"
                text = f"page {page} of segment {segment} is not set for {who} ({error.message})"
                found.append(_lost(link, text, "Set it with set_page()."))
        if self._written:
            found.append(self._unwritten(link))
            self._written.clear()
        return tuple(found)

    def _unwritten(self, link: Link) -> Diagnostic:
        names = list(self._written)
        shown = ", ".join(names[-_SHOWN:])
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        text = f"{shown}{more} may have the values of power-up again"
        return _lost(link, text, "Read them; write again what still fits.")


def _lost(link: Link, text: str, hint: str) -> Diagnostic:
    return Diagnostic(Severity.WARNING, "not-restored", Where(link.name), f"{text}.", hint)
