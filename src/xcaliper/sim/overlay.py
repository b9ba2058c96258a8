"""Flash overlay that is on or off as a whole: one bit of the chip covers the flash of all segments."""

from __future__ import annotations

from xcaliper.sim.memory import EcuMemory

__all__ = ["WholeOverlayMemory"]


class WholeOverlayMemory(EcuMemory):
    """A memory in which the page of one segment is the page of all, for the ECU and for XCP each."""

    def set_page(self, segment: int, page: int, *, ecu: bool, xcp: bool) -> None:
        """Choose a page of every segment, whichever was named (XCP Base, SET_CAL_PAGE, 1.0).

        Raises:
            NegativeResponseError: segment or page does not exist.
        """
        super().set_page(segment, page, ecu=ecu, xcp=xcp)
        for other in range(len(self._paged)):
            super().set_page(other, page, ecu=ecu, xcp=xcp)
