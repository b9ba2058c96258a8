"""Values that are some bits of a larger one (ASAP2, BIT_MASK, BIT_OPERATION)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.keywords.common import BitOperation
from xcaliper.core.datatypes import DataType
from xcaliper.core.errors import LimitError, UsageError

__all__ = ["BitField", "bit_field"]


@dataclass(frozen=True, slots=True)
class BitField:
    """Mask and shift of a value (ASAP2, BIT_MASK, BIT_OPERATION).

    Attributes:
        mask: bits that belong to the value, before shifting.
        shift: bits to shift right; negative shifts left.
        sign_extend: the top bit of the field is its sign.
    """

    mask: int
    shift: int = 0
    sign_extend: bool = False

    @property
    def bounds(self) -> tuple[int, int]:
        """Lowest and highest raw value."""
        top = self.mask >> self.shift if self.shift >= 0 else self.mask << -self.shift
        top &= (1 << 64) - 1
        width = top.bit_length()
        if self.sign_extend and width:
            return -(1 << (width - 1)), (1 << (width - 1)) - 1
        return 0, top

    def _shift(self, values: NDArray[np.uint64], count: int) -> NDArray[np.uint64]:
        """Shift right by a count; left by a negative one."""
        if abs(count) >= 64:
            return np.zeros_like(values)
        step = np.uint64(abs(count))
        return values >> step if count >= 0 else values << step

    def take(self, memory: NDArray[Any], datatype: DataType) -> NDArray[Any]:
        """Raw values out of memory values."""
        unsigned = memory.astype(f"u{datatype.size_bytes}").astype(np.uint64)
        value = self._shift(unsigned & np.uint64(self.mask), self.shift)
        if self.sign_extend:
            width = (self.bounds[1] + 1).bit_length()
            if width < 64:
                top = np.uint64(1 << (width - 1))
                return np.asarray((value ^ top).astype(np.int64) - np.int64(1 << (width - 1)))
            return value.astype(np.int64)
        if datatype.size_bytes == 8 and not datatype.is_signed:
            return value
        return value.astype(np.int64)

    def put(self, memory: NDArray[Any], raw: NDArray[Any], name: str) -> NDArray[Any]:
        """Memory values with the field replaced by raw values.

        Args:
            memory: memory values now.
            raw: whole raw values of the same shape.
            name: name for messages.

        Raises:
            LimitError: a raw value needs more bits than the field has.
            UsageError: a raw value needs bits that the mask leaves out.
        """
        lower, upper = self.bounds
        outside = np.asarray((raw < lower) | (raw > upper))
        if outside.any():
            phys = float(np.asarray(raw)[outside].flat[0])
            raise LimitError(name, phys=phys, lower=lower, upper=upper)
        size = memory.dtype.itemsize
        now = memory.astype(f"u{size}").astype(np.uint64)
        mask = np.uint64(self.mask)
        moved = self._shift(raw.astype(np.uint64), -self.shift)
        made = ((now & ~mask) | (moved & mask)).astype(f"u{size}").astype(memory.dtype)
        datatype = next(t for t in DataType if not t.is_float and t.dtype() == memory.dtype)
        lost = self.take(made, datatype) != raw
        if lost.any():
            value = np.asarray(raw)[lost].flat[0]
            raise UsageError(
                f"{name}: {value} needs bits outside of the mask 0x{self.mask:X}.",
                hint="Choose a value that the mask can hold; nothing was written.",
            )
        return np.asarray(made)


def bit_field(
    mask: int | None, operation: BitOperation | None, datatype: DataType
) -> BitField | None:
    """The field of an object; None when the whole value counts."""
    if datatype.is_float or (mask is None and operation is None):
        return None
    full = (1 << (8 * datatype.size_bytes)) - 1
    masked = (full if mask is None else mask) & full
    if operation is not None:
        shift = (operation.right_shift or 0) - (operation.left_shift or 0)
        return BitField(masked, max(-64, min(shift, 64)), operation.sign_extend)
    if masked == full:
        return None
    return BitField(masked, (masked & -masked).bit_length() - 1 if masked else 0)
