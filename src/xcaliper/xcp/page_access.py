"""Who may use a page of a segment, and while who else does (XCP Base, GET_PAGE_INFO, 1.0).

The page that the application uses is the ECU page, the one that XCP accesses see is the XCP page.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Access", "PageRules", "Side", "is_allowed", "page_refusal", "switch_refusal"]


class Access(IntEnum):
    """One right of a page (XCP Base, PAGE_PROPERTIES, 1.0)."""

    NOT_ALLOWED = 0
    WITHOUT_THE_OTHER = 1
    WITH_THE_OTHER = 2
    DONT_CARE = 3


class Side(IntEnum):
    """What somebody wants of a page."""

    ECU = 0
    XCP_READ = 1
    XCP_WRITE = 2


class PageRules(Protocol):
    """The rights of a page as codes 0 to 3, see :class:`Access`."""

    @property
    def ecu_access(self) -> int:
        """Of the application."""
        ...

    @property
    def xcp_read_access(self) -> int:
        """Of reading through XCP."""
        ...

    @property
    def xcp_write_access(self) -> int:
        """Of writing through XCP."""
        ...


def is_allowed(access: int, *, together: bool) -> bool:
    """Whether a right holds while the other side uses the same page (or another one)."""
    return bool(access & (Access.WITH_THE_OTHER if together else Access.WITHOUT_THE_OTHER))


def page_refusal(rules: PageRules, side: Side, *, together: bool) -> str:
    """Why a page may not be used like this, as the end of a sentence; empty when it may.

    Args:
        rules: rights of the page.
        side: who wants what.
        together: ECU page and XCP page are this page.
    """
    access = (rules.ecu_access, rules.xcp_read_access, rules.xcp_write_access)[side]
    if is_allowed(access, together=together):
        return ""
    verb = ("be used by the ECU", "be read through XCP", "be written through XCP")[side]
    if access == Access.NOT_ALLOWED:
        return f"may not {verb}"
    other = "XCP accesses it" if side is Side.ECU else "the ECU uses it"
    return f"may not {verb} {'while' if together else 'unless'} {other}"


def switch_refusal(pages: Sequence[PageRules], ecu_page: int, xcp_page: int) -> tuple[int, str]:
    """Why a segment may not have these two pages in use: (page, reason); reason empty when it may.

    The XCP page has to be good for reading or for writing.

    Args:
        pages: rights of the pages of the segment, by number.
        ecu_page: page that the application would use.
        xcp_page: page that XCP would see.
    """
    together = ecu_page == xcp_page
    reason = page_refusal(pages[ecu_page], Side.ECU, together=together)
    if reason:
        return ecu_page, reason
    rules = pages[xcp_page]
    reason = page_refusal(rules, Side.XCP_READ, together=together)
    if reason and not page_refusal(rules, Side.XCP_WRITE, together=together):
        reason = ""
    return xcp_page, reason
