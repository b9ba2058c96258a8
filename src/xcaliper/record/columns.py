"""Columns of a block for formats and expressions that want values, not rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.mdf.conversion import RangeToText, ValueToText, to_phys
from xcaliper.record.description import EventCause, EventType, RecordingEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from xcaliper.core.samples import Gap, SampleBlock
    from xcaliper.record.description import RasterDescription, SignalDescription

__all__ = [
    "LOST",
    "LostColumn",
    "element_names",
    "elements",
    "gap_event",
    "has_texts",
    "number_values",
    "raw_values",
    "signal_values",
    "text_values",
    "texts_of",
]

LOST: Final = "lost"
_ENCODINGS: Final = frozenset({"latin-1", "utf-8", "utf-16-le", "utf-16-be"})


def raw_values(signal: SignalDescription, rows: NDArray[Any]) -> NDArray[Any]:
    """ECU values of a signal, masks applied; array[n, *shape]."""
    raw: NDArray[Any] = rows[signal.column]
    if signal.bit_mask is not None and raw.dtype.kind in "iu":
        return _masked(signal, signal.bit_mask, raw)
    return raw


def signal_values(
    signal: SignalDescription, rows: NDArray[Any], *, physical: bool = True
) -> NDArray[Any]:
    """Physical or masked raw values of a signal; array[n, *shape]."""
    raw = raw_values(signal, rows)
    if signal.raw or not physical or raw.dtype.kind not in "iufb":
        return raw
    return to_phys(signal.conversion, raw)


def has_texts(signal: SignalDescription, dtype: np.dtype[Any]) -> bool:
    """Whether the values of a signal are texts, or numbers with a text each."""
    named = isinstance(signal.conversion, (ValueToText, RangeToText)) and not signal.raw
    return named or dtype[signal.column].base.kind == "S"


def number_values(signal: SignalDescription, rows: NDArray[Any]) -> NDArray[Any]:
    """Physical values, but raw ones where those are texts."""
    named = isinstance(signal.conversion, (ValueToText, RangeToText))
    return signal_values(signal, rows, physical=not named)


def text_values(signal: SignalDescription, rows: NDArray[Any]) -> NDArray[Any]:
    """Texts of a signal that has them, array[n, *shape] of objects."""
    values = signal_values(signal, rows)
    if values.dtype.kind == "O":
        return values
    flat = np.array(texts_of(values.reshape(-1), signal), dtype=object)
    return flat.reshape(values.shape)


def _masked(signal: SignalDescription, mask: int, raw: NDArray[Any]) -> NDArray[Any]:
    full = (1 << 8 * raw.dtype.itemsize) - 1
    mask &= full
    shift = max((mask & -mask).bit_length() - 1, 0)
    if signal.bit_shift is not None:
        shift = min(max(signal.bit_shift, -63), 63)
    if mask == full and not shift:
        return raw
    octets = raw.astype(raw.dtype.newbyteorder("=")).view(f"=u{raw.dtype.itemsize}")
    word = octets.astype(np.uint64) & np.uint64(mask)
    word = word >> np.uint64(shift) if shift >= 0 else word << np.uint64(-shift)
    width = mask.bit_length() - shift
    if signal.sign_extend and 0 < width < 64:
        top = np.uint64(1 << (width - 1))
        return np.asarray((word ^ top).view(np.int64) - np.int64(top))
    return word


def elements(values: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """One column per element of an array signal, the last index fastest."""
    for index in np.ndindex(values.shape[1:]):
        yield values[(slice(None), *index)]


def element_names(raster: RasterDescription, signal: SignalDescription) -> Iterator[str]:
    """Names of these columns.

    Raises:
        UsageError: the rows do not have the signal.
    """
    if signal.column not in (raster.dtype.names or ()):
        raise UsageError(
            f"{signal.name}: the rows have no field {signal.column!r}.",
            hint="Check the raster's dtype.",
        )
    for index in np.ndindex(raster.dtype[signal.column].shape):
        yield signal.name + "".join(f"[{n}]" for n in index)


def texts_of(column: NDArray[Any], signal: SignalDescription) -> list[str]:
    """Values as people read them."""
    if column.dtype.kind == "S":
        encoding = signal.encoding if signal.encoding in _ENCODINGS else "latin-1"
        return [text.decode(encoding, "replace") for text in column.tolist()]
    if column.dtype.kind == "V":
        return [bytes(text).hex() for text in column]
    return [str(value) for value in column.tolist()]


def gap_event(raster: int, gap: Gap) -> RecordingEvent:
    """A loss as an event."""
    count = f"{gap.lost} lost" if gap.lost else "samples lost"
    text = f"{count} until {gap.t_to_ns / 1e9:.6f} s ({gap.reason})"
    return RecordingEvent(
        EventType.ACQUISITION_INTERRUPT, gap.t_from_ns, text, "loss", EventCause.ERROR, raster
    )


class LostColumn:
    """How many samples were lost right before each row; keeps what waits for a next row.

    Args:
        before: raster → a loss in front of its first row.
    """

    def __init__(self, before: Mapping[int, Gap] | None = None) -> None:
        self._waiting = {raster: gap.lost or -1 for raster, gap in (before or {}).items()}

    def column(self, block: SampleBlock) -> NDArray[np.int64]:
        """int64[n]: 0 = none, -1 = an unknown number."""
        count = len(block)
        lost = np.zeros(count, np.int64)
        behind = self._waiting.pop(block.raster, 0)
        if count:
            lost[0], behind = behind, 0
        for gap in block.gaps:
            at = max(gap.before_row, 0)
            if at < count:
                lost[at] = _sum(int(lost[at]), gap.lost or -1)
            else:
                behind = _sum(behind, gap.lost or -1)
        if behind:
            self._waiting[block.raster] = behind
        return lost


def _sum(known: int, more: int) -> int:
    return -1 if known < 0 or more < 0 else known + more
