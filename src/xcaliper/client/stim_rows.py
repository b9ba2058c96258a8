"""Single rows as a bypass and a stimulation need them: values of signals in bytes, one sample at a time."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.quantity.measurement import BoundMeasurement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xcaliper.client.binding import Signal
    from xcaliper.daq.plan import Raster

__all__ = ["RowReader", "RowWriter"]

_CODES: Final = {
    ("u", 1): "B",
    ("i", 1): "b",
    ("u", 2): "H",
    ("i", 2): "h",
    ("u", 4): "I",
    ("i", 4): "i",
    ("u", 8): "Q",
    ("i", 8): "q",
    ("f", 2): "e",
    ("f", 4): "f",
    ("f", 8): "d",
}


def _plain(signal: Signal) -> tuple[Struct, float, float] | None:
    """How a scalar with a linear conversion is packed, None for everything else."""
    bound = signal.bound
    if not isinstance(bound, BoundMeasurement) or bound.shape or bound.bits:
        return None
    linear = bound.conversion.linear
    if linear is None or bound.byte_order.is_mixed:
        return None
    dtype = bound.datatype.dtype(bound.byte_order)
    code = _CODES.get((dtype.kind, dtype.itemsize))
    mark = "<" if dtype.newbyteorder("<") == dtype else ">"
    return None if code is None else (Struct(mark + code), *linear)


class RowReader:
    """Physical values of the signals of a row.

    Args:
        raster: of the rows.
        signals: name → signal.

    Attributes:
        names: signals of the raster, in its order.
    """

    def __init__(self, raster: Raster, signals: Mapping[str, Signal]) -> None:
        self.names = raster.signals
        fields: Mapping[str, Any] = raster.dtype.fields or {}
        self._readers = [self._reader(raster, name, signals[name], fields) for name in self.names]

    @staticmethod
    def _reader(
        raster: Raster, name: str, signal: Signal, fields: Mapping[str, Any]
    ) -> Callable[[bytearray], Any]:
        at = fields[name][1]
        plain = _plain(signal)
        if plain is None:

            def read(row: bytearray) -> Any:
                value = signal.phys(np.frombuffer(row, raster.dtype, 1)[name])[0]
                return value.item() if isinstance(value, np.generic) else value

            return read
        packer, a, b = plain
        unpack = packer.unpack_from
        if (a, b) == (1.0, 0.0):
            return lambda row: unpack(row, at)[0]
        return lambda row: unpack(row, at)[0] * a + b

    def read(self, row: bytearray) -> list[Any]:
        """Values in the order of ``names``: numbers, texts, or arrays."""
        return [read(row) for read in self._readers]


class RowWriter:
    """A row that is filled with physical values.

    Args:
        raster: of the rows.
        signals: name → signal.

    Attributes:
        row: its bytes now.
        names: signals of the raster.
        clamped: values that were brought to a limit so far.

    Raises:
        UsageError: a signal shares its bytes with others and cannot be written alone.
    """

    def __init__(self, raster: Raster, signals: Mapping[str, Signal]) -> None:
        self.row = bytearray(raster.dtype.itemsize)
        self.names = raster.signals
        self.clamped = 0
        fields: Mapping[str, Any] = raster.dtype.fields or {}
        self._writers: dict[str, Callable[[Any], None]] = {}
        for name in self.names:
            dtype, at = fields[name][:2]
            self._writers[name] = self._writer(signals[name], at, dtype.itemsize)

    def _writer(self, signal: Signal, at: int, size: int) -> Callable[[Any], None]:
        bound = signal.bound
        if not isinstance(bound, BoundMeasurement):
            raise UsageError(
                f"{signal.name}: only measurements are stimulated.", hint="Write it with write()."
            )
        if bound.bits is not None:
            if bound.bits.mask.bit_count() != 1 or bound.shape:
                raise UsageError(
                    f"{signal.name}: it shares its bytes with others (BIT_MASK {bound.bits.mask:#x}).",
                    hint="Stimulate single bits, or the whole word.",
                )
            return self._bit(bound, at, size)
        plain = _plain(signal)
        if plain is None:
            return self._any(bound, at, size)
        return self._number(bound, at, *plain)

    def _bit(self, bound: BoundMeasurement, at: int, size: int) -> Callable[[Any], None]:
        def write(phys: Any) -> None:
            if np.ndim(phys):
                raise UsageError(f"{bound.name}: it is a single bit, {phys!r:.80} was given.")
            raw = bool(np.any(bound.phys_to_raw(phys, clamp=True).raw))
            self.row[at : at + size] = bytes([raw]).ljust(size, b"\0")

        return write

    def _any(self, bound: BoundMeasurement, at: int, size: int) -> Callable[[Any], None]:
        def write(phys: Any) -> None:
            ((_, data),) = bound.encode(phys, clamp=True)
            self.row[at : at + size] = data

        return write

    def _number(
        self, bound: BoundMeasurement, at: int, packer: Struct, a: float, b: float
    ) -> Callable[[Any], None]:
        whole = not bound.datatype.is_float
        low, high = bound.lower, bound.upper
        if whole:
            ends = sorted(float(raw) * a + b for raw in bound.datatype.limits)
            low, high = max(low, ends[0]), min(high, ends[1])
        pack, name, row = packer.pack_into, bound.name, self.row

        def write(phys: Any) -> None:
            value = float(phys)
            if not low <= value <= high:
                if value != value:  # noqa: PLR0124  # NaN
                    raise UsageError(f"{name}: NaN is no value to be sent.")
                self.clamped += 1
                value = low if value < low else high
            raw = (value - b) / a
            pack(row, at, round(raw) if whole else raw)

        return write

    def put(self, name: str, phys: Any) -> None:
        """Set the value of one signal; values beyond its limits are brought to them.

        Raises:
            UsageError: the value is not one of this signal.
        """
        try:
            self._writers[name](phys)
        except UsageError as error:
            if name in error.message:
                raise
            raise UsageError(f"{name}: {error.message}", hint=error.hint) from error
        except (TypeError, ValueError, OverflowError) as error:
            raise UsageError(
                f"{name}: {phys!r:.80} is no value to be sent ({error}).",
                hint="Give a number, or what the description makes of it.",
            ) from error

    def put_all(self, values: Sequence[Any]) -> None:
        """Set all values, in the order of ``names``; as :meth:`put`."""
        for name, value in zip(self._writers, values, strict=True):
            self.put(name, value)
