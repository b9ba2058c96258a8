"""A debug target on the memory of a virtual ECU; unconfirmed, as software debugging is as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from xcaliper.core.address import Address
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.level1 import HwioPin, HwioState, SequenceResult
from xcaliper.xcp.slave_debug import TargetInfo
from xcaliper.xcp.slave_state import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.xcp.slave_config import SlaveMemory

__all__ = ["MemoryTarget"]

_PINS: Final = (
    HwioPin(index=0, mode=1, pin_class=0, state=0),
    HwioPin(index=1, mode=2, pin_class=1, state=1),
)
_INFO: Final = TargetInfo(
    vendor_id=0x5843,
    vendor_info=b"XCaliper",
    jtag_id=0x1234_5678,
    tri_mode=0,
    tri_table=b"memory\0",
)
_MAX_RESULTS: Final = 255


class MemoryTarget:
    """Debugs a memory: target resource 0 is what XCP sees, one address per AG.

    Its low-level chain is looped back: what is shifted in comes out again.

    Args:
        memory: of the ECU.
        ag: bytes per address.
        info: what it says about itself.
        pins: as they are at the start.

    Attributes:
        triggers: index of a pin → what it triggers.
        exclusive: mode and context of the latest EXCLUSIVE_TARGET_ACCESS.
        halts: HALT_AFTER_RESET came: the ECU around may act on it.
    """

    def __init__(
        self,
        memory: SlaveMemory,
        *,
        ag: int = 1,
        info: TargetInfo = _INFO,
        pins: Sequence[HwioPin] = _PINS,
    ) -> None:
        self._memory = memory
        self._ag = ag
        self._info = info
        self._pins = {pin.index: pin for pin in pins}
        self.triggers: dict[int, int] = {}
        self.exclusive = (0, 0)
        self.halts = False

    @property
    def info(self) -> TargetInfo:
        """What the target is."""
        return self._info

    def pins(self) -> Sequence[HwioPin]:
        """The hardware pins, in order of index."""
        return [self._pins[index] for index in sorted(self._pins)]

    def _pin(self, index: int) -> HwioPin:
        pin = self._pins.get(index)
        if pin is None:
            raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
        return pin

    def halt_after_reset(self) -> None:
        """Halt at the next reset."""
        self.halts = True

    def set_pin_event(self, index: int, trigger: int) -> None:
        """Choose what a pin triggers."""
        self.triggers[self._pin(index).index] = trigger

    def control_pins(self, wanted: Sequence[HwioState]) -> bytes:
        """Drive pins, all or none; the state of each afterwards."""
        chosen = [(self._pin(one.index), one.state) for one in wanted]
        for pin, state in chosen:
            self._pins[pin.index] = replace(pin, state=state)
        return bytes(state for _, state in chosen)

    def set_exclusive(self, mode: int, context: int) -> None:
        """Keep others from the target, or let them."""
        self.exclusive = (mode, context)

    def run_sequence(self, mode: int, count: int, sequence: bytes) -> Sequence[SequenceResult]:  # noqa: ARG002 -- the loop has one mode
        """Every step comes back as it went in, four bytes each, first bit first."""
        if count > _MAX_RESULTS or len(sequence) < 4 * count:
            raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
        steps = (sequence[4 * at : 4 * at + 4] for at in range(count))
        return [SequenceResult(status=0, repeat=0, tdo=int.from_bytes(s, "big")) for s in steps]

    def transfer(self, count: int, mode: int, items: bytes) -> tuple[int, bytes]:  # noqa: ARG002 -- likewise
        """The telegrams as they came."""
        return count, items

    def telegram(self, data: bytes) -> bytes:
        """The telegram as it came."""
        return data

    def read(self, tri: int, address: int, width: int, count: int) -> bytes:
        """Words of the memory."""
        return self._memory.read(self._place(tri, address), width * count)

    def write(self, tri: int, address: int, width: int, data: bytes) -> None:  # noqa: ARG002 -- bytes are bytes
        """Replace words of the memory."""
        self._memory.write(self._place(tri, address), data)

    def _place(self, tri: int, address: int) -> Address:
        if tri != 0 or address > 0xFFFF_FFFF:
            raise refuse(ErrorCode.ERR_OUT_OF_RANGE)
        return Address(address)
