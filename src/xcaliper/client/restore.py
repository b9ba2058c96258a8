"""What a connection has set in its slave, and setting it again after the slave was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import (
    ExchangeTimeoutError,
    LinkError,
    NegativeResponseError,
    UnlockError,
    XcaliperError,
)
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.procedures import pages
from xcaliper.xcp.seed_key import each_resource, resource_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.transport.pump import Link

__all__ = ["SlaveMemoir"]

_MAX_NAMES: Final = 1000
_SHOWN: Final = 5
_CAL: Final = resource_name(Resource.of(cal_pag=1))


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
        renew: Callable[[], Link],
    ) -> tuple[Diagnostic, ...]:
        """Set again what can be; a finding for everything that could not.

        Args:
            link: of the new session.
            locked: resources that were open before and are locked now.
            unlock: opens resources, by name, with the keys that the user gave.
            renew: begins another session; a slave ends the one in which it gets a wrong key.

        Raises:
            ExchangeTimeoutError: the slave is gone again.
        """
        names = [resource_name(one) for one in each_resource(locked)]
        shut: dict[str, XcaliperError] = {}
        link = _open_all(link, names, shut, unlock, renew)
        found = [
            _lost(link, f"{one} is locked again ({error.message})", "Unlock it.")
            for one, error in shut.items()
        ]
        for (segment, is_ecu), page in sorted(self._pages.items()):
            error = shut.get(_CAL)  # not tried: the slave counts wrong keys
            try:
                if error is None:
                    link.run(pages.set_page(segment, page, ecu=is_ecu, xcp=not is_ecu))
            except UnlockError as wrong:  # it was to be opened on demand
                error = shut[_CAL] = wrong
                link = _open_all(renew(), names, shut, unlock, renew)
            except NegativeResponseError as refused:
                error = refused
            if error is not None:
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


def _open_all(
    link: Link,
    names: Sequence[str],
    shut: dict[str, XcaliperError],
    unlock: Callable[..., object],
    renew: Callable[[], Link],
) -> Link:
    """Open resources but those that are shut, and add to these; gives the link of the session.

    A wrong key ends the session, and all is locked again: the others are opened in a new one.
    """
    for _ in range(len(names) + 1):
        wrong = _open_each([one for one in names if one not in shut], shut, unlock)
        if not wrong:
            break
        link = renew()
    return link


def _open_each(
    names: Sequence[str], shut: dict[str, XcaliperError], unlock: Callable[..., object]
) -> bool:
    """Open one after the other; True when a wrong key has ended the session."""
    for one in names:
        try:
            unlock(one)
        except (ExchangeTimeoutError, LinkError):
            raise
        except XcaliperError as error:
            shut[one] = error
            if isinstance(error, UnlockError):
                return True
    return False


def _lost(link: Link, text: str, hint: str) -> Diagnostic:
    return Diagnostic(Severity.WARNING, "not-restored", Where(link.name), f"{text}.", hint)
