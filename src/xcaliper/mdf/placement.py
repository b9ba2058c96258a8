"""Where a channel lies in its row: data type, bytes, bits, array shape; and its unique name."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from xcaliper.mdf.description import Channel

__all__ = ["Placement", "place", "text_type", "unique_names"]

_TEXT_TYPES: Final = {"latin-1": 6, "utf-8": 7, "utf-16-le": 8, "utf-16-be": 9}
_NUMBER_TYPES: Final = {"u": 0, "b": 0, "i": 2, "f": 4}
_BYTE_ARRAY: Final = 10


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a channel lies in its row *(MDF4, CN block)*.

    Attributes:
        data_type: CN data type code.
        shape: dimensions of an array, () for a scalar.
        stride: distance of two array elements in bytes.
        scale: raw value per stored unit, other than 1 where a mask is not shifted down.
        remark: what could not be expressed; empty when everything was.
    """

    data_type: int
    byte_offset: int
    bit_offset: int
    bit_count: int
    shape: tuple[int, ...] = ()
    stride: int = 0
    scale: float = 1.0
    remark: str = ""


def text_type(encoding: str) -> int:
    """CN data type of a text; Latin-1, which reads every byte, for an unknown encoding."""
    return _TEXT_TYPES.get(encoding, _TEXT_TYPES["latin-1"])


def _is_big_endian(dtype: np.dtype[Any]) -> bool:
    return dtype.str[0] == ">"


def _number_place(channel: Channel, base: np.dtype[Any], offset: int) -> Placement:
    big = _is_big_endian(base)
    size = base.itemsize
    data_type = _NUMBER_TYPES[base.kind] + big
    whole = Placement(data_type, offset, 0, 8 * size)
    full = (1 << 8 * size) - 1
    if channel.bit_mask is None or base.kind == "f":
        return whole
    mask = channel.bit_mask & full
    if channel.bit_shift is not None and channel.bit_shift > 0:
        mask = mask >> channel.bit_shift << channel.bit_shift  # bits that are shifted out
    if mask == full and not channel.bit_shift:
        return whole
    low = (mask & -mask).bit_length() - 1
    count = mask.bit_length() - low
    if not mask or mask != ((1 << count) - 1) << low:
        remark = f"Bit mask 0x{mask:X} is not contiguous: the whole word is recorded."
        return Placement(data_type, offset, 0, 8 * size, remark=remark)
    shift = low if channel.bit_shift is None else channel.bit_shift
    start = low // 8
    if big:  # the byte that holds the lowest bits comes last
        start = size - (low + count + 7) // 8
    scale = 2.0 ** (low - shift)
    field_type = int(big) + (2 if channel.sign_extend else 0)
    return Placement(field_type, offset + start, low % 8, count, scale=scale)


def place(channel: Channel, dtype: np.dtype[Any]) -> Placement:
    """Position and type of a channel in the rows of a group.

    Raises:
        UsageError: no such field, or a type that MDF4 cannot hold.
    """
    name = channel.field or channel.name
    fields = dtype.fields
    if fields is None or name not in fields:
        raise UsageError(
            f"{channel.name}: the rows have no field {name!r}.", hint="Check the raster's dtype."
        )
    item, offset = fields[name][:2]
    base, shape = item.subdtype or (item, ())
    if base.kind in _NUMBER_TYPES and base.itemsize <= 8:
        if not shape:
            return _number_place(channel, base, offset)
        found = Placement(_NUMBER_TYPES[base.kind] + _is_big_endian(base), offset, 0, 0)
    elif base.kind == "S" and not shape:
        found = Placement(text_type(channel.encoding), offset, 0, 0)
    elif base.kind in "SV":
        found = Placement(_BYTE_ARRAY, offset, 0, 0)
    else:
        raise UsageError(
            f"{channel.name}: MDF4 has no type for {base}.",
            hint="Use integers or floats of up to 8 bytes, bytes or fixed text.",
        )
    if base.itemsize == 0 or prod(shape) == 0:
        raise UsageError(f"{channel.name}: its field is empty.", hint="Leave the signal out.")
    remark = ""
    if shape and channel.bit_mask is not None:
        remark = f"Bit mask 0x{channel.bit_mask:X} is not applied to the elements of an array."
    return Placement(
        found.data_type, offset, 0, 8 * base.itemsize, tuple(shape), base.itemsize, remark=remark
    )


def unique_names(names: Iterable[str]) -> list[str]:
    """The names in their order, with ``_2``, ``_3`` … behind those that came before."""
    wanted = [name or "unnamed" for name in names]
    taken = set(wanted)
    seen: set[str] = set()
    counters: dict[str, int] = {}
    result: list[str] = []
    for name in wanted:
        unique = name
        while unique in seen or (unique != name and unique in taken):
            counters[name] = counters.get(name, 1) + 1
            unique = f"{name}_{counters[name]}"
        seen.add(unique)
        result.append(unique)
    return result
