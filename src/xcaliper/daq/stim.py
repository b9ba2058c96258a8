"""Rows → STIM DTOs: the way of the decoder backwards; and DAQ DTOs → single rows, as a bypass needs them."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.errors import UsageError
from xcaliper.xcp.dto_sets import DtoSet, DtoSets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from xcaliper.daq.plan import DaqPlan, Raster

__all__ = ["StimEncoder", "sample_sets"]

_CODES: Final = {1: "B", 2: "H", 4: "I"}


class StimEncoder:
    """Makes the DTOs of one list of direction STIM.

    Args:
        plan: what was set up.
        raster: one of its ``stim_rasters``.
        first_pid: as the slave told, for absolute identification fields.

    Attributes:
        raster: as given; rows have its dtype.

    Raises:
        UsageError: the raster is not one of direction STIM.
    """

    def __init__(self, plan: DaqPlan, raster: Raster, first_pid: int = 0) -> None:
        fmt = plan.stim_format
        if fmt is None or not raster.is_stim:
            raise UsageError(f"{raster.name}: its rows come from the slave; they are not sent.")
        self.raster = raster
        mark = plan.byte_order.mark
        sets = DtoSet(raster.daq_list, fmt, raster.odt_sizes, first_pid=first_pid)
        kind = fmt.identification_field
        heads = [
            key[:1] + b"\0" + key[1:] if kind == 3 else key  # FILL
            for key in sets.keys("little" if mark == "<" else "big")
        ]
        self._counter_at = -1
        if fmt.dto_ctr:
            self._counter_at = 1 if kind == 3 else fmt.header_size
        self._size = fmt.timestamp_size
        self._stamp_at = fmt.first_header_size - fmt.timestamp_size
        self._stamp = Struct(f"{mark}{_CODES[self._size]}").pack_into if self._size else None
        self._ticks_dtype = np.dtype(f"{mark}u{self._size or 1}")
        heads[0] = heads[0].ljust(fmt.first_header_size, b"\0")
        spans, at = [], 0
        for size in raster.odt_sizes:
            if size:
                spans.append((at, at + size))
            at += size
        self._first = bytearray(heads[0])
        self._odts = list(zip(heads, spans, strict=True))

    @property
    def packets_per_row(self) -> int:
        """DTOs of one row."""
        return len(self._odts)

    def packets(self, row: bytes | bytearray, *, counter: int = 0, ticks: int = 0) -> list[bytes]:
        """The DTOs of one row, in order.

        Args:
            row: its bytes, in the ECU's byte order.
            counter: DTO counter, where the DTOs have one.
            ticks: timestamp, cut to the width that it has in DTOs.
        """
        first = self._first
        if self._counter_at >= 0:
            first[self._counter_at] = counter & 0xFF
        if self._stamp is not None:
            self._stamp(first, self._stamp_at, ticks & (1 << 8 * self._size) - 1)
        (_, (begin, end)), *rest = self._odts
        found = [bytes(first + row[begin:end])]
        found += [head + row[begin:end] for head, (begin, end) in rest]
        return found

    def encode(
        self,
        rows: NDArray[Any],
        *,
        counters: NDArray[np.integer[Any]] | None = None,
        ticks: NDArray[np.integer[Any]] | None = None,
    ) -> list[NDArray[np.uint8]]:
        """The DTOs of many rows at once.

        Args:
            rows: structured[n] of the raster's dtype.
            counters: DTO counters, integer[n]; None = 0.
            ticks: timestamps, integer[n]; None = 0.

        Returns:
            uint8[n, size] of each ODT, in order: row k of all of them is what row k of the input needs.

        Raises:
            UsageError: the rows are of another dtype.
        """
        if rows.dtype.itemsize != self.raster.dtype.itemsize or rows.ndim != 1:
            raise UsageError(
                f"{self.raster.name}: rows of {self.raster.dtype.itemsize} bytes are needed, "
                f"not {rows.dtype.itemsize}."
            )
        count = len(rows)
        data = np.ascontiguousarray(rows).view(np.uint8).reshape(count, -1)
        found = []
        for head, (begin, end) in self._odts:
            made = np.empty((count, len(head) + end - begin), np.uint8)
            made[:, : len(head)] = np.frombuffer(head, np.uint8)
            made[:, len(head) :] = data[:, begin:end]
            found.append(made)
        if self._counter_at >= 0 and counters is not None:
            found[0][:, self._counter_at] = counters & 0xFF
        if self._size and ticks is not None:
            stamps = (ticks & (1 << 8 * self._size) - 1).astype(self._ticks_dtype)
            at = self._stamp_at
            found[0][:, at : at + self._size] = stamps.view(np.uint8).reshape(count, -1)
        return found


def sample_sets(
    plan: DaqPlan, first_pids: Mapping[int, int]
) -> tuple[DtoSets, dict[DtoSet, Raster]]:
    """What puts single samples of DAQ together, and which raster each one is a row of.

    Slower than a decoder, but a sample is there the moment its last DTO is.

    Args:
        plan: what was set up.
        first_pids: list → FIRST_PID.

    Raises:
        UsageError: samples are packed, or their DTOs do not tell their list.
    """
    if plan.dto_format.pid_off or any(raster.packed for raster in plan.rasters):
        raise UsageError(
            "plan: single samples need DTOs that tell their list and carry one sample.",
            hint="Leave out packed=… and pid_off=….",
        )
    owners = {
        DtoSet(
            raster.daq_list,
            plan.dto_format,
            raster.odt_sizes,
            first_pid=first_pids.get(raster.daq_list, 0),
        ): raster
        for raster in plan.rasters
    }
    return DtoSets(owners, plan.byte_order), owners
