"""The tiers of the framed decoder, and the packet path that they are held against."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING

import pytest

from xcaliper.core.frames import DtoBatch
from xcaliper.daq import DaqDecoder, DaqPlan, kernels
from xcaliper.daq.framed import FramedDecoder

if TYPE_CHECKING:
    from xcaliper.xcp.framing.eth import DatagramReader, StreamReader


def pids_of(plan: DaqPlan) -> dict[int, int]:
    pids, free = {}, 3
    for raster in plan.rasters:
        pids[raster.daq_list] = free
        free += len(raster.odt_sizes)
    return pids


class PacketPath:
    """Reader, inbox and DaqDecoder as they work together without the framed decoder."""

    def __init__(self, plan: DaqPlan, reader: DatagramReader | StreamReader) -> None:
        self.decoder = DaqDecoder(plan, pids_of(plan))
        self.reader, self.others, self.missing = reader, [], 0

    def feed(self, pieces: list[bytes], t_ns: int):
        batch = DtoBatch(t_ns)
        for piece in pieces:
            packets = self.reader.feed(piece, t_ns)
            missing_at = dict(self.reader.new_gaps)
            for index, packet in enumerate(packets):
                self.missing += missing_at.get(index, 0)
                if packet[0] >= 0xFC:
                    self.others.append(packet)
                    continue
                if self.missing:
                    batch.lost.append((len(batch.packets), self.missing))
                    self.missing = 0
                batch.packets.append(packet)
        return self.decoder.feed(batch) if batch.packets else []

    def finish(self):
        if self.missing:
            self.decoder.feed(DtoBatch(0, [], [(0, self.missing)]))
        return self.decoder.finish()


class Framed:
    def __init__(self, plan, reader, kernel, received) -> None:
        self.decoder = FramedDecoder(
            plan, pids_of(plan), kernel=kernel, period_ns=0, storage_bytes=1 << 20
        )
        self.reader, self.others, self._received = reader, [], received
        self.decoder.attach(reader)

    def feed(self, pieces: list[bytes], t_ns: int):
        if len(pieces) == 1:
            self.others += self.decoder.feed_bytes(pieces[0], t_ns)
        else:
            room = self.decoder.room()
            data = b"".join(pieces)
            room[: len(data)] = data
            self.others += self.decoder.decode(self._received(pieces), t_ns)
        return self.decoder.take_ready()

    def finish(self):
        self.decoder.detach(0)
        assert self.decoder.take_ready() == []
        return self.decoder.finish()


def joined(pieces: list[bytes]) -> list[tuple[int, int]]:
    """How a system tells of datagrams of one size that it has joined; the last may be shorter."""
    found: list[tuple[int, int]] = []
    for piece in pieces:
        size = len(piece)
        if (
            found
            and found[-1][1]
            and size
            and found[-1][0] % found[-1][1] == 0
            and size <= found[-1][1]
        ):
            found[-1] = (found[-1][0] + size, found[-1][1])
        else:
            found.append((size, size))
    return [(total, segment if segment < total else 0) for total, segment in found]


def shown(blocks):
    return [(b.raster, b.t_ns.tolist(), b.rows.tobytes(), b.rows.dtype, b.gaps) for b in blocks]


def reader_state(reader):
    return (
        reader.lost, reader.late, asdict(reader.counts), list(reader.gaps), reader.expected,
    )  # fmt: skip


def late_kernel(after: int):
    """A kernel that becomes available in the middle of a measurement."""
    calls = iter(range(1 << 30))
    return lambda: kernels.drain if next(calls) >= after else None


@cache
def compiled():
    pytest.importorskip("numba", reason="the extra fast is not installed")
    from xcaliper.transport.drain import compile_drain

    return compile_drain()


def at_once(kernel):
    return lambda: kernel


TIERS = {
    "numpy": lambda: lambda: None,
    "compiled": lambda: at_once(compiled()),
    "twin": lambda: lambda: kernels.drain,
    "change-over": lambda: late_kernel(3),
}


def same(plan, make_reader, pieces_at, tier) -> int:
    oracle = PacketPath(plan, make_reader())
    framed = Framed(plan, make_reader(), TIERS[tier](), joined)
    rows = 0
    for number, pieces in enumerate(pieces_at):
        t_ns = 1_000_000 * number
        expected, got = oracle.feed(pieces, t_ns), framed.feed(pieces, t_ns)
        assert shown(got) == shown(expected)
        assert framed.others == oracle.others
        assert reader_state(framed.reader) == reader_state(oracle.reader)
        rows += sum(map(len, got))
    assert framed.finish() == oracle.finish()
    assert shown(framed.decoder.ends) == shown(oracle.decoder.ends)
    return rows
