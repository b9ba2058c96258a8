"""Many datagrams with one call (recvmmsg), where the interpreter would need a call for each."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
from typing import TYPE_CHECKING, Final, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["MOST_BYTES", "ManyDatagrams"]

#: Datagrams of one call.
_BATCH: Final = 64
#: Longest datagram for which one call pays.
MOST_BYTES: Final = 9216
_LARGEST: Final = 65536
#: Calls of one poll.
_MOST_CALLS: Final = 4096
# struct mmsghdr of 64-bit Linux in words: name, its size, iov, count, control, its size, flags, length.
_WORDS: Final = 8
_IOV, _COUNT = 2, 3
_LENGTH_AT: Final = 14  # in half words


class ManyDatagrams:
    """Receives datagrams side by side, without a Python object for each.

    Slots are as long as the longest datagram so far, so datagrams of one length need not be moved. What
    does not fit a slot comes to a second place, so nothing is cut off.

    Attributes:
        longest: bytes of the longest datagram so far, 0 = none was noted.
    """

    @classmethod
    def if_possible(cls) -> Self | None:
        """None where the system has no such call, or another layout of its structures."""
        fits = sys.platform == "linux" and sys.maxsize > 2**32 and sys.byteorder == "little"
        if not fits:
            return None
        try:
            # A call that keeps the interpreter: it never blocks, and to get it back can take long.
            return cls(ctypes.PyDLL(None, use_errno=True).recvmmsg)
        except (OSError, AttributeError):
            return None

    def __init__(self, call: Callable[..., int]) -> None:
        self.longest = 0
        self._call = call
        self._rest: NDArray[np.uint8] = np.empty((_BATCH, _LARGEST), np.uint8)
        self._pieces: NDArray[np.uint64] = np.zeros((_BATCH, 2, 2), np.uint64)
        steps = np.arange(_BATCH, dtype=np.uint64)
        self._pieces[:, 1, 0] = steps * np.uint64(_LARGEST) + np.uint64(self._rest.ctypes.data)
        self._pieces[:, 1, 1] = _LARGEST
        self._headers: NDArray[np.uint64] = np.zeros((_BATCH, _WORDS), np.uint64)
        self._headers[:, _IOV] = steps * np.uint64(self._pieces.strides[0]) + np.uint64(
            self._pieces.ctypes.data
        )
        self._headers[:, _COUNT] = 2
        self._lengths = self._headers.view(np.uint32)[:, _LENGTH_AT]
        self._steps = steps
        self._address = ctypes.c_void_p(self._headers.ctypes.data)

    def note(self, length: int) -> None:
        """A datagram of a length has come another way."""
        self.longest = max(self.longest, length)

    @property
    def is_worth_it(self) -> bool:
        """True when the length of datagrams is known and not too large."""
        return 0 < self.longest <= MOST_BYTES

    def receive_into(
        self, descriptor: int, buffer: memoryview, limit: int
    ) -> tuple[list[int], list[bytes]]:
        """Write what waits into a buffer, one behind the other; never blocks.

        Args:
            descriptor: of a datagram socket.
            buffer: with room for the limit and a datagram.
            limit: bytes after which to stop.

        Returns:
            Bytes of each datagram, and datagrams behind them that found no room in the buffer.

        Raises:
            OSError: the socket failed before anything had come.
        """
        base = np.uint64(np.frombuffer(buffer, np.uint8).ctypes.data)
        found: list[int] = []
        at = 0
        for _ in range(_MOST_CALLS):
            slot = max(self.longest, 1)
            count = min(_BATCH, (len(buffer) - at) // slot, -(-(limit - at) // slot))
            if count <= 0:
                break
            pieces = self._pieces[:count, 0]
            pieces[:, 0] = self._steps[:count] * np.uint64(slot) + (base + np.uint64(at))
            pieces[:, 1] = slot
            taken = self._call(descriptor, self._address, count, socket.MSG_DONTWAIT, None)
            if taken < 0:
                code = ctypes.get_errno()
                if code in (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR) or found:
                    break
                raise OSError(code, os.strerror(code))
            lengths = self._lengths[:taken].tolist()
            self.longest = max(self.longest, *lengths, 0)
            if self.longest > slot:
                fit, left = self._unfold(buffer, at, slot, lengths)
                found += lengths[:fit]
                at += sum(lengths[:fit])
                if left:
                    return found, left
            else:
                at = _close_up(buffer, at, slot, lengths)
                found += lengths
            if taken < count:
                break
        return found, []

    def _unfold(
        self, buffer: memoryview, at: int, slot: int, lengths: Sequence[int]
    ) -> tuple[int, list[bytes]]:
        """Datagrams some of which are longer than their slots; gives how many fit, and the others."""
        whole = [
            buffer[at + n * slot : at + n * slot + min(length, slot)].tobytes()
            + self._rest[n, : max(length - slot, 0)].tobytes()
            for n, length in enumerate(lengths)
        ]
        for number, datagram in enumerate(whole):
            if at + len(datagram) > len(buffer):
                return number, whole[number:]
            buffer[at : at + len(datagram)] = datagram
            at += len(datagram)
        return len(whole), []


def _close_up(buffer: memoryview, at: int, slot: int, lengths: Sequence[int]) -> int:
    """Move datagrams together that are shorter than their slots; gives where the last one ends."""
    to = begin = at  # what lies from begin on has to go there
    for number, length in enumerate(lengths):
        if length == slot:
            continue
        end = at + number * slot + length
        if to != begin:
            buffer[to : to + end - begin] = buffer[begin:end]
        to += end - begin
        begin = at + (number + 1) * slot
    end = at + len(lengths) * slot
    if end > begin:
        if to != begin:
            buffer[to : to + end - begin] = buffer[begin:end]
        to += end - begin
    return to
