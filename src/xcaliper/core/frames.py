"""Frames and packet batches: bytes of a link with the host's time of arrival."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["DtoBatch", "Frame"]


class Frame(NamedTuple):
    """One unit of a link (datagram, CAN frame, piece of a stream).

    Attributes:
        t_ns: host time of arrival, monotonic nanoseconds.
        data: the bytes.
    """

    t_ns: int
    data: bytes


@dataclass(slots=True)
class DtoBatch:
    """DAQ packets of one drain, in order of arrival, transport headers removed.

    Attributes:
        t_ns: host time of the drain, monotonic nanoseconds.
        packets: one per DTO, identification field first.
        lost: (index of the packet behind the gap, number of lost messages), found by the transport
            counter; an index of ``len(packets)`` means at the end.
        sources: identifier on the link (CAN) of each packet; empty where all have the same.
    """

    t_ns: int
    packets: list[bytes] = field(default_factory=list)
    lost: list[tuple[int, int]] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
