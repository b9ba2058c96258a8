"""Software debugging in the slave: the port to a debug target, and the block of a long write.

Every layout of software debugging has a single public source; so has what stands here about order
and answers of its blocks, which follows DOWNLOAD and DOWNLOAD_NEXT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.xcp.level1 import HwioPin, HwioState, SequenceResult

__all__ = ["DebugState", "DebugTarget", "DebugWrite", "TargetInfo"]


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """What a debug target says about itself.

    Attributes:
        vendor_id: of its maker.
        vendor_info: the maker's own bytes.
        dialect: of the low-level commands.
        feature: abilities.
        service_level: abilities.
        jtag_id: of the chip.
        tri_mode: of the table of target resources.
        tri_table: the table itself.
    """

    vendor_id: int = 0
    vendor_info: bytes = b""
    dialect: int = 0
    feature: int = 0
    service_level: int = 0
    jtag_id: int = 0
    tri_mode: int = 0
    tri_table: bytes = b""


class DebugTarget(Protocol):
    """What the debug commands of a slave work on (XCP on software debugging, 1.5).

    Errors are raised as :class:`~xcaliper.core.errors.NegativeResponseError`. Words are in the
    slave's byte order; a target resource (``tri``) is one of its memories or register files.
    """

    @property
    def info(self) -> TargetInfo:
        """What the target is."""
        ...

    def pins(self) -> Sequence[HwioPin]:
        """The hardware pins, in order of index."""
        ...

    def halt_after_reset(self) -> None:
        """Halt the target at its next reset."""
        ...

    def set_pin_event(self, index: int, trigger: int) -> None:
        """Choose what a pin triggers."""
        ...

    def control_pins(self, wanted: Sequence[HwioState]) -> bytes:
        """Drive pins; the state of each afterwards."""
        ...

    def set_exclusive(self, mode: int, context: int) -> None:
        """Keep others from the target, or let them."""
        ...

    def run_sequence(self, mode: int, count: int, sequence: bytes) -> Sequence[SequenceResult]:
        """Run low-level operations."""
        ...

    def transfer(self, count: int, mode: int, items: bytes) -> tuple[int, bytes]:
        """Exchange low-level telegrams; their number and what came back."""
        ...

    def telegram(self, data: bytes) -> bytes:
        """Exchange a low-level binary telegram."""
        ...

    def read(self, tri: int, address: int, width: int, count: int) -> bytes:
        """Words of 1, 2, 4 or 8 bytes."""
        ...

    def write(self, tri: int, address: int, width: int, data: bytes) -> None:
        """Replace words of 1, 2, 4 or 8 bytes."""
        ...


@dataclass(slots=True)
class DebugWrite:
    """A write that is not complete yet, in long or short packets."""

    tri: int
    address: int
    width: int
    count: int
    data: bytearray
    short: bool


class DebugState:
    """What the debug commands remember from one to the next.

    Attributes:
        place: target resource and address that READ_CAN1 named.
        write_place: the same of WRITE_CAN1.
        block: a write in progress.
    """

    def __init__(self) -> None:
        self.reset(connected=False)

    def reset(self, *, connected: bool) -> None:  # noqa: ARG002 -- as for every area
        """Forget everything."""
        self.place: tuple[int, int] | None = None
        self.write_place: tuple[int, int] | None = None
        self.block: DebugWrite | None = None

    def before(self, name: str) -> None:
        """A command is about to be served: any but the next one ends a block."""
        if name not in ("DBG_WRITE_NEXT", "DBG_WRITE_CAN_NEXT"):
            self.block = None
