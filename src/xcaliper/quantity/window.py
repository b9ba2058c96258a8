"""The values of a table or axis as one stretch of memory, so that they can be measured."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.errors import UsageError
from xcaliper.quantity.record_access import OpenRecord
from xcaliper.quantity.record_layout import Placed

__all__ = ["Window", "window_of"]


@dataclass(frozen=True, slots=True)
class Window:
    """Where the values are and how they are arranged there.

    Attributes:
        address: of the first one.
        datatype: of one value in memory.
        byte_order: of its bytes.
        shape: logical shape, slowest dimension first; a map is (y, x).
        order: dimensions in memory, slowest first.
        flips: index that undoes decreasing storage, one slice per dimension.
    """

    address: Address
    datatype: DataType
    byte_order: ByteOrder
    shape: tuple[int, ...]
    order: tuple[int, ...]
    flips: tuple[slice, ...]

    @property
    def memory_shape(self) -> tuple[int, ...]:
        """Shape as the values lie in memory."""
        return tuple(self.shape[n] for n in self.order)

    @property
    def is_plain(self) -> bool:
        """True when memory has the logical order."""
        return self.order == tuple(range(len(self.order))) and all(
            flip == slice(None) for flip in self.flips
        )

    def arrange(self, memory: NDArray[Any]) -> NDArray[Any]:
        """Samples in logical order, array[n, *shape].

        Args:
            memory: array[n, count], values in the order of memory.
        """
        table = memory.reshape(len(memory), *self.memory_shape)
        logical = table.transpose(0, *(np.argsort(self.order) + 1).tolist())
        return logical[(slice(None), *self.flips)]


def window_of(  # a record and how to see it
    record: OpenRecord,
    placed: Placed,
    byte_order: ByteOrder,
    shape: tuple[int, ...],
    order: tuple[int, ...],
    flips: tuple[slice, ...],
) -> Window:
    """The window of an element of a record.

    Raises:
        UsageError: the values are not in one piece.
    """
    datatype = placed.element.datatype
    assert datatype is not None, "only RESERVED has none"
    size = prod(shape) * datatype.size_bytes
    pieces = record.writes(placed, bytes(size))
    if len(pieces) != 1 or len(pieces[0][1]) != size:
        raise UsageError(
            f"{record.owner}: its values alternate with others in memory and cannot be measured.",
            hint="Read it with read().",
        )
    return Window(pieces[0][0], datatype, byte_order, shape, order, flips)
