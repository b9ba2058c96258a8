"""Whole samples in received bytes, found and checked as arrays.

The messages of one sample of a list have constant lengths, so all bytes of their headers but CTR are
constant as well. Python looks once at every sample to see which list it is of; all else is done for all
samples of a list at once.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.xcp.framing.eth import HEADER_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from xcaliper.daq.decode import _Stream
    from xcaliper.daq.plan import DaqPlan

__all__ = ["Found", "Template", "Templates", "datagram_borders"]

#: Bytes of samples from which a template pays; below, the packet path is as quick.
LEAST_BYTES: Final = 256
#: Position of the byte in the longest identification field that says nothing.
FILL_AT: Final = 1
#: Position of what tells the list, by type of the identification field, and from which on it has two bytes.
_KEY_AT: Final = (0, 1, 1, 2)
_WIDE: Final = 2
#: Place of CTR in the first eight bytes of a message.
_COUNTER_BIT: Final = 16


@dataclass(slots=True)
class Found:
    """Samples as expected, one behind the other.

    Attributes:
        samples: list and its samples as received, uint8[n, size of the template].
        expected: CTR behind them.
        messages: in all of them.
        end: position behind them.
    """

    samples: list[tuple[int, NDArray[np.uint8]]]
    expected: int
    messages: int
    end: int


class Template:
    """How a sample of one list looks on the wire.

    Args:
        heads: identification field of each message.
        lengths: bytes of each packet.
        spans: (position in the packet, bytes) of the data of each packet.
        alignment: bytes that messages are aligned to.
        stamp: (position, dtype) of the timestamp in the first packet, None = there is none.
        counter_at: position of the DTO counter in the first packet.

    Attributes:
        size: bytes of a sample, with headers and fill.
        counter_at: position of the DTO counter in a sample.
        borders: bool[size + 1], where a message begins or the last one ends.
    """

    def __init__(  # what a sample is made of
        self,
        heads: Sequence[bytes],
        lengths: Sequence[int],
        spans: Sequence[tuple[int, int]],
        alignment: int,
        stamp: tuple[int, np.dtype[Any]] | None,
        counter_at: int,
    ) -> None:
        starts, at = [], 0
        for length in lengths:
            starts.append(at)
            at += HEADER_SIZE + length
            at += -at % alignment
        self.size = at
        texts, masks = [], []
        for head, length in zip(heads, lengths, strict=True):
            mask = bytearray(b"\xff" * (HEADER_SIZE + len(head)))
            if len(head) == 4:
                mask[HEADER_SIZE + FILL_AT] = 0  # also where the DTO counter stands
            text = bytes(a & b for a, b in zip(_message(length, head), mask, strict=True))
            texts.append(int.from_bytes(text, "little"))
            masks.append(int.from_bytes(mask, "little"))
        self._texts, self._masks = np.array(texts, np.uint64), np.array(masks, np.uint64)
        self._starts = np.array(starts, np.intp)
        self.borders = np.zeros(self.size + 1, np.bool_)
        self.borders[[*starts, self.size]] = True
        self._order = np.arange(len(starts), dtype=np.uint16)
        self._spans = [
            (start + HEADER_SIZE + offset, size)
            for start, (offset, size) in zip(starts, spans, strict=True)
        ]
        self._row_size = sum(size for _, size in self._spans)
        self._runs = _runs(self._spans)
        self._stamp = None if stamp is None else (HEADER_SIZE + stamp[0], stamp[1])
        self.counter_at = HEADER_SIZE + counter_at

    def wrong(
        self, words: NDArray[np.uint64], at: NDArray[np.intp], first: NDArray[np.uint16]
    ) -> NDArray[np.bool_]:
        """Which samples are not as expected, bool[n].

        Args:
            words: eight bytes at every position of the buffer.
            at: positions of the samples in the buffer.
            first: expected CTR of their first message.
        """
        counters = (first[:, None] + self._order).astype(np.uint64)
        counters <<= np.uint64(_COUNTER_BIT)
        counters |= self._texts
        found = words[at[:, None] + self._starts]
        found &= self._masks
        bad: NDArray[np.bool_] = (found != counters).any(axis=1)
        return bad

    def data(self, framed: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Data bytes of all messages side by side, uint8[n, row]."""
        if len(self._spans) == 1:
            at, size = self._spans[0]
            return np.ascontiguousarray(framed[:, at : at + size])
        count = len(framed)
        rows = np.empty((count, self._row_size), np.uint8)
        to = 0
        for at, size, step, times in self._runs:
            shape = (count, times, size)
            into = np.ndarray(shape, np.uint8, rows.data, to, (self._row_size, size, 1))
            into[:] = np.ndarray(shape, np.uint8, framed.data, at, (self.size, step, 1))
            to += size * times
        return rows

    def ticks(self, framed: NDArray[np.uint8]) -> NDArray[Any]:
        """Timestamps as sent, zeros where there are none."""
        if self._stamp is None:
            return np.zeros(len(framed), np.uint8)
        at, dtype = self._stamp
        return np.ascontiguousarray(framed[:, at : at + dtype.itemsize]).view(dtype)[:, 0]


def _message(length: int, head: bytes) -> bytes:
    """What is known of the beginning of a message: LEN and identification field, CTR left out."""
    return length.to_bytes(2, "little") + bytes(2) + head


def _runs(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int, int, int]]:
    """Pieces of one size at even distances as (first position, bytes, distance, how many)."""
    runs: list[tuple[int, int, int, int]] = []
    for at, size in spans:
        if runs and runs[-1][1] == size:
            first, _, step, times = runs[-1]
            if times == 1 or at == first + step * times:
                runs[-1] = first, size, at - first if times == 1 else step, times + 1
                continue
        runs.append((at, size, 0, 1))
    return runs


class Templates:
    """The templates of a plan, for the lengths that were seen last.

    Args:
        plan: what was set up.
        streams: state of its lists.
    """

    def __init__(self, plan: DaqPlan, streams: Sequence[_Stream]) -> None:
        self._head = plan.dto_format
        self._mark = plan.byte_order.mark
        self._streams = streams
        self._made: list[tuple[list[int], Template] | None] = [None] * len(streams)
        self._alignment = 0
        self._borders = np.empty(0, np.bool_)
        self._lengths = self._borders_at = np.empty(0, np.intp)
        self._sizes: dict[int, int] = {}
        self._steps: NDArray[np.int64] = np.array([len(s.planned) for s in streams])
        self._keys = {self._key(stream): which for which, stream in enumerate(streams)}
        self._routes = np.full(
            256 if self._head.identification_field < _WIDE else 1 << 16, -1, np.intp
        )
        self._routes[list(self._keys)] = list(self._keys.values())

    def head(self, stream: _Stream, odt: int) -> bytes:
        """Identification field of a message."""
        kind, daq_list = self._head.identification_field, stream.raster.daq_list
        first = bytes([stream.first_pid + odt])
        order: Any = "big" if self._mark == ">" else "little"
        if kind == 0:
            return first
        if kind == 1:
            return first + bytes([daq_list])
        return first + bytes(kind - 2) + daq_list.to_bytes(2, order)

    def _key(self, stream: _Stream) -> int:
        """What tells the list of a first message: PID, or the bytes of the number as a word."""
        head = self.head(stream, 0)
        return head[-1] if len(head) < 3 else head[-2] | head[-1] << 8

    def refresh(self, alignment: int) -> None:
        """Make templates anew where the lengths have changed."""
        stale = fresh = alignment != self._alignment
        self._alignment = alignment
        for which, stream in enumerate(self._streams):
            made = self._made[which]
            if made is None or stale or made[0] != stream.lengths:
                self._made[which] = list(stream.lengths), self._make(stream)
                self._sizes[self._key(stream)] = self.of(which).size
                fresh = True
        if fresh:
            borders = [self.of(which).borders for which in range(len(self._streams))]
            self._borders = np.concatenate(borders)
            self._lengths = np.array([len(one) - 1 for one in borders], np.intp)
            self._borders_at = np.cumsum(self._lengths + 1) - self._lengths - 1

    def of(self, which: int) -> Template:
        """The template of a list; :meth:`refresh` comes before."""
        made = self._made[which]
        assert made is not None, "made by refresh()"
        return made[1]

    def _make(self, stream: _Stream) -> Template:
        head = self._head
        size = head.timestamp_size
        stamp = (head.first_header_size - size, np.dtype(f"{self._mark}u{size}")) if size else None
        counter_at = 1 if head.identification_field == 3 else head.header_size
        return Template(
            [self.head(stream, odt) for odt in range(len(stream.planned))],
            stream.lengths,
            list(zip(stream.offsets, stream.raster.odt_sizes, strict=True)),
            self._alignment,
            stamp,
            counter_at if head.dto_ctr else -1,
        )

    def match(
        self,
        buffer: NDArray[np.uint8],
        begin: int,
        end: int,
        expected: int,
        datagrams: Sequence[int] = (),
    ) -> Found | None:
        """The samples from ``begin`` on up to the first one that is not as expected.

        Args:
            buffer: uint8[n]; some bytes behind ``end`` must belong to it.
            begin: where a sample should begin.
            end: of what was received.
            expected: CTR of the first message.
            datagrams: where datagrams begin and end, in order; no message crosses that.
        """
        at, which = self._positions(buffer, begin, end)
        if len(at):
            crossed = self._first_crossed(at, which, datagrams)
            at, which = at[:crossed], which[:crossed]
        if not len(at):
            return None
        steps = self._steps[which]
        behind = np.cumsum(steps)
        first = ((behind - steps + expected) & 0xFFFF).astype(np.uint16)
        words: NDArray[np.uint64] = np.ndarray((len(buffer) - 7,), "<u8", buffer, 0, (1,))
        good = len(at)
        samples: list[tuple[int, NDArray[np.intp], NDArray[np.intp]]] = []
        for one in range(len(self._streams)) if len(self._streams) > 1 else (0,):
            places = np.flatnonzero(which == one) if len(self._streams) > 1 else np.arange(good)
            if not len(places):
                continue
            template = self.of(one)
            mine = at[places]
            wrong = template.wrong(words, mine, first[places])
            if wrong.any():
                good = min(good, int(places[wrong.argmax()]))
            samples.append((one, places, mine))
        if not good:
            return None
        taken = []
        for one, places, mine in samples:
            count = int(np.searchsorted(places, good))
            if count:
                taken.append((one, _gather(buffer, mine[:count], self.of(one).size)))
        messages = int(behind[good - 1])
        last = int(at[good - 1]) + self.of(int(which[good - 1])).size
        return Found(taken, (expected + messages) & 0xFFFF, messages, last)

    def _first_crossed(
        self, at: NDArray[np.intp], which: NDArray[np.intp], datagrams: Sequence[int]
    ) -> int:
        """The first sample with a message that crosses the border of a datagram."""
        borders = np.array(datagrams[bisect_right(datagrams, at[0]) :], np.intp)
        if not len(borders):
            return len(at)
        sample = np.searchsorted(at, borders, "right") - 1
        lists = which[sample]
        # what lies behind the last sample is not asked for
        places = np.minimum(borders - at[sample], self._lengths[lists])
        crossing = ~self._borders[places + self._borders_at[lists]]
        return int(sample[crossing.argmax()]) if crossing.any() else len(at)

    def _positions(
        self, buffer: NDArray[np.uint8], begin: int, end: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where samples should begin, and of which lists they are."""
        if len(self._streams) == 1:
            size = self.of(0).size
            count = (end - begin) // size
            return begin + size * np.arange(count), np.zeros(count, np.intp)
        if len(set(self._sizes.values())) == 1:
            return self._evenly(buffer, begin, end)
        data = buffer[begin:end].tobytes()
        starts, lists = _walk(data, self._head.identification_field, self._sizes, self._keys)
        return np.array(starts, np.intp) + begin, np.array(lists, np.intp)

    def _evenly(
        self, buffer: NDArray[np.uint8], begin: int, end: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The same where samples of all lists are equally large: nobody has to go through them."""
        size = self.of(0).size
        at = begin + size * np.arange((end - begin) // size)
        kind = self._head.identification_field
        place = HEADER_SIZE + _KEY_AT[kind]
        keys = buffer[at + place].astype(np.intp)
        if kind >= _WIDE:
            keys |= buffer[at + place + 1].astype(np.intp) << 8
        which = self._routes[keys]
        known = len(which) if which.min(initial=0) >= 0 else int((which < 0).argmax())
        return at[:known], which[:known]


def _walk(
    data: bytes, kind: int, sizes: dict[int, int], lists: dict[int, int]
) -> tuple[list[int], list[int]]:
    """From sample to sample; the one loop of this tier."""
    starts: list[int] = []
    found: list[int] = []
    put: Callable[[int], None] = starts.append
    put_list: Callable[[int], None] = found.append
    place = HEADER_SIZE + _KEY_AT[kind]
    wide = kind >= _WIDE
    end = len(data)
    at = 0
    last = end - place - 1 - wide
    while at <= last:
        key = data[at + place]
        if wide:
            key |= data[at + place + 1] << 8
        size = sizes.get(key)
        if size is None or at + size > end:
            break
        put(at)
        put_list(lists[key])
        at += size
    return starts, found


def _gather(buffer: NDArray[np.uint8], at: NDArray[np.intp], size: int) -> NDArray[np.uint8]:
    """Pieces of the buffer one below the other, uint8[n, size]."""
    pieces: NDArray[Any] = np.ndarray((len(buffer) - size + 1,), f"V{size}", buffer, 0, (1,))
    return pieces[at].view(np.uint8).reshape(len(at), size)


def datagram_borders(begin: int, received: Sequence[tuple[int, int]]) -> list[int]:
    """Where datagrams begin, and where the last one ends; empty ones are none.

    Args:
        begin: of the first one.
        received: bytes of each receive, and of each datagram where several were joined, else 0.
    """
    borders = [begin]
    for size, segment in received:
        end = begin + size
        borders += range(begin + segment, end, segment) if segment else ()
        if size:
            borders.append(end)
        begin = end
    return borders
