"""Frames: bytes of a link with the host's time of arrival."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Frame"]


class Frame(NamedTuple):
    """One unit of a link (datagram, CAN frame, piece of a stream).

    Attributes:
        t_ns: host time of arrival, monotonic nanoseconds.
        data: the bytes.
    """

    t_ns: int
    data: bytes
