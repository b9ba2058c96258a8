"""Damaged frames, DTOs, descriptions and recordings: every reader ends with a value or our error."""

from __future__ import annotations

import gc
import random
import struct
import time
import tracemalloc

import numpy as np
import pytest

from faults.mutation import Mutator, golden
from pair.link import RAM, Pair, config
from xcaliper.a2l.check import check
from xcaliper.a2l.parse import parse
from xcaliper.a2l.write import write
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import A2lError, FramingError, MdfError, XcaliperError
from xcaliper.core.frames import DtoBatch
from xcaliper.core.ticks import TickClock
from xcaliper.daq import (
    DaqCapabilities,
    DaqDecoder,
    EventChannel,
    Wanted,
    WantedSignal,
    compile_plan,
)
from xcaliper.mdf.description import Attachment, Channel, Group, Header
from xcaliper.mdf.reader import MdfReader
from xcaliper.mdf.repair import repair
from xcaliper.mdf.storage import MemoryFile
from xcaliper.mdf.writer import EventType, MdfWriter, WriterOptions
from xcaliper.quantity.catalog import Catalog
from xcaliper.sim.gallery import build_ecu
from xcaliper.xcp.framing.eth import DatagramReader, EthFraming, StreamReader
from xcaliper.xcp.procedures import daq_setup

DATAGRAMS = 50_000
CHUNKS = 50_000
BATCHES = 1_500
DESCRIPTIONS = 500
RECORDINGS = 600
LONGEST_S = 10.0
MAX_PACKET = 1468


def grown(work) -> int:
    """Bytes that are still held after a repetition of the work; the first round fills caches."""
    work()
    tracemalloc.start()
    try:
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


# -- Ethernet -------------------------------------------------------------------------------------


def messages(rng: random.Random, framing: EthFraming, pool: list[bytes]) -> bytes:
    """A datagram of one to four messages."""
    return b"".join(framing.frame(rng.choice(pool)) for _ in range(rng.randint(1, 4)))


@pytest.mark.parametrize("alignment", [1, 2, 4])
@pytest.mark.parametrize("seed", [1, 2])
def test_datagrams(seed, alignment):
    rng = random.Random(seed)
    pool = [packet for packet in golden("cmd", "res", "dto") if packet]
    mutator = Mutator(rng, pool)
    framing = EthFraming(alignment)
    reader = DatagramReader(alignment, max_packet=MAX_PACKET)

    def work() -> None:
        for _ in range(DATAGRAMS // 2):
            datagram = messages(rng, framing, pool)
            if rng.random() < 0.7:
                datagram = mutator.damage(datagram)
            packets = reader.feed(datagram, rng.randrange(10**9))
            assert sum(map(len, packets)) + 4 * len(packets) <= len(datagram)
            assert all(0 < len(packet) <= MAX_PACKET for packet in packets)
            assert all(0 <= at <= len(packets) and n > 0 for at, n in reader.new_gaps)

    assert grown(work) < 300_000
    assert reader.counts.malformed > 1000
    assert len(reader.gaps) < 10_000
    reader.reset()
    assert reader.feed(EthFraming(alignment).frame(b"\xff\x00")) == [b"\xff\x00"]


@pytest.mark.parametrize("alignment", [1, 4])
@pytest.mark.parametrize("seed", [1, 2])
def test_streams(seed, alignment):
    """Broken streams raise FramingError, and nothing else, until they are begun anew."""
    rng = random.Random(seed)
    pool = [packet for packet in golden("cmd", "res", "dto") if packet]
    mutator = Mutator(rng, pool)
    framing = EthFraming(alignment)
    reader = StreamReader(alignment, max_packet=MAX_PACKET)
    broken = 0

    def work() -> None:
        nonlocal broken
        for _ in range(CHUNKS // 2):
            chunk = messages(rng, framing, pool)
            if rng.random() < 0.2:
                chunk = mutator.damage(chunk)
            cut = rng.randint(0, len(chunk))
            try:
                for part in (chunk[:cut], chunk[cut:]):
                    for packet in reader.feed(part, 0):
                        assert 0 < len(packet) <= MAX_PACKET
            except FramingError as error:
                broken += "LEN" in str(error)
                with pytest.raises(FramingError):
                    reader.feed(b"")
                reader.reset()

    assert grown(work) < 300_000
    assert broken > 100
    reader.reset()
    assert reader.feed(EthFraming(alignment).frame(b"\xff\x00")) == [b"\xff\x00"]


# -- data acquisition -----------------------------------------------------------------------------

ORDERS = (ByteOrder.INTEL, ByteOrder.MOTOROLA)


def measured(identification_field: int, byte_order: ByteOrder, max_dto: int):
    """A pair that measures five signals on two events, and the plan."""
    settings = config(
        identification_field=identification_field,
        byte_order=byte_order,
        max_dto=max_dto,
        timestamp=TickClock(1, 6, 2),
    )
    events = (EventChannel(0, "1ms", 1_000_000), EventChannel(1, "10ms", 10_000_000))
    caps = DaqCapabilities(
        identification_field=identification_field,
        byte_order=byte_order,
        max_event_channel=2,
        clock=settings.timestamp,
        prescaler=True,
        events=events,
        max_dto=max_dto,
    )
    mark = byte_order.mark
    signals = (
        WantedSignal("a", RAM, np.dtype(f"{mark}u4"), default_event=0),
        WantedSignal("b", RAM + 9, np.dtype("u1"), default_event=0),
        WantedSignal("c", RAM + 16, np.dtype((f"{mark}f8", (4,))), default_event=0),
        WantedSignal("d", RAM + 64, np.dtype(f"{mark}i2"), default_event=1),
        WantedSignal("e", RAM + 70, np.dtype(("u1", (50,))), default_event=1),
    )
    plan = compile_plan(Wanted(signals), caps)
    pair = Pair(settings)
    pids = pair.run(daq_setup.setup(pair.session, plan.lists))
    pair.run(daq_setup.start())
    first_pids = {one.daq_list: pid for one, pid in zip(plan.lists, pids, strict=True)}
    return pair, plan, first_pids


def take(pair: Pair, turns: int) -> list[bytes]:
    """DTOs of so many milliseconds."""
    pair.dtos.clear()
    for turn in range(turns):
        pair.event(0, pair.now_ns + 1_000_000)
        if turn % 10 == 0:
            pair.event(1)
    return list(pair.dtos)


@pytest.mark.parametrize("identification_field", [0, 1, 2, 3])
@pytest.mark.parametrize("max_dto", [16, 128])
def test_daq_decoder(identification_field, max_dto):
    """Rows stay in order and of the right form whatever comes; good samples are read afterwards."""
    order = ORDERS[identification_field % 2]
    pair, plan, first_pids = measured(identification_field, order, max_dto)
    rng = random.Random(identification_field)
    decoder = DaqDecoder(plan, first_pids)
    good = take(pair, 200)
    mutator = Mutator(rng, good)
    longest_s = 0.0

    def feed(packets: list[bytes], lost: list[tuple[int, int]]) -> None:
        nonlocal longest_s
        before = time.perf_counter()
        blocks = decoder.feed(DtoBatch(rng.randrange(10**12), packets, lost))
        longest_s = max(longest_s, time.perf_counter() - before)
        for block in blocks:
            raster = plan.rasters[block.raster]
            assert len(block.t_ns) == len(block.rows) <= len(packets) + 2
            assert block.rows.dtype == raster.dtype
            assert (np.diff(block.t_ns) >= 0).all()
            assert all(0 <= gap.before_row <= len(block) for gap in block.gaps)

    def work() -> None:
        for _ in range(BATCHES // 2):
            start = rng.randrange(len(good))
            packets = good[start : start + rng.randrange(100)]
            for _ in range(rng.choice((0, 1, 1, 3, 30))):
                at = rng.randrange(len(packets) + 1)
                way = rng.randrange(5)
                if way == 0:
                    packets.insert(at, mutator.noise())
                elif way == 1:
                    packets.insert(at, rng.choice(good))
                elif packets:
                    at %= len(packets)
                    if way == 2:
                        del packets[at]
                    elif way == 3:
                        packets[at] = mutator.damage(packets[at])
                    else:
                        packets.append(packets.pop(at))
            lost = [
                (rng.randint(0, 2 * len(packets)), rng.randint(-1, 70_000))
                for _ in range(rng.choice((0, 0, 1, 3)))
            ]
            feed(packets, lost)

    assert grown(work) < 1_000_000
    assert longest_s < LONGEST_S
    quality = decoder.quality
    assert quality.unknown
    assert quality.incomplete
    assert quality.samples > BATCHES

    feed(take(pair, 30), [(0, 5)])  # whatever was begun is thrown away
    pair.memory.write(RAM, struct.pack(f"{order.mark}I", 0xCAFE_F00D))
    found: dict[int, list] = {}
    for block in decoder.feed(DtoBatch(0, take(pair, 20))):
        found.setdefault(block.raster, []).extend(block.rows)
    rows = found[plan.rasters.index(plan.raster_of("a"))]
    assert len(rows) >= 19
    assert all(int(row["a"]) == 0xCAFE_F00D for row in rows[1:])
    decoder.finish()


# -- descriptions ---------------------------------------------------------------------------------


class Scribbler:
    """Damages the text of a description, by letters, words and lines."""

    WORDS = (
        "/begin", "/end", "/begin MEASUREMENT", "/end MODULE", "/end PROJECT", "IF_DATA", '"', "/*",
        "*/", "//", "\\", "0x", "0xFFFFFFFFFFFFFFFFFFFF", "-1", "1e999", "nan", "-", "1.5.2",
        "999999999999999999999999", "MATRIX_DIM 65535 65535 65535", "NO_COMPU_METHOD", "\0", "é",
        "/include nowhere.aml", "FORMULA \"X1/0\"", "ARRAY_SIZE -5", "VIRTUAL", "\ufeff", "]", "{",
    )  # fmt: skip

    def __init__(self, rng: random.Random, text: str) -> None:
        self.rng = rng
        self.lines = text.splitlines(keepends=True)

    def scribble(self) -> str:
        """The text with one to eight damages."""
        rng = self.rng
        lines = list(self.lines)
        for _ in range(rng.choice((1, 1, 2, 4, 8))):
            at = rng.randrange(len(lines))
            way = rng.randrange(9)
            line = lines[at]
            words = line.split(" ")
            word = rng.randrange(len(words))
            if way == 0:
                del lines[at : at + rng.choice((1, 1, 2, 20))]
            elif way == 1:
                lines.insert(at, rng.choice(lines))
            elif way == 2:
                lines[at : at + 5] = reversed(lines[at : at + 5])
            elif way == 3:
                words[word] = rng.choice(self.WORDS)
                lines[at] = " ".join(words)
            elif way == 4:
                words.insert(word, rng.choice(self.WORDS))
                lines[at] = " ".join(words)
            elif way == 5:
                del words[word]
                lines[at] = " ".join(words)
            elif way == 6:
                words[word] = rng.choice(rng.choice(lines).split(" "))
                lines[at] = " ".join(words)
            elif way == 7:
                spot = rng.randrange(len(line) + 1)
                lines[at] = line[:spot] + chr(rng.randrange(1, 256)) + line[spot + 1 :]
            elif rng.random() < 0.2:
                del lines[at:]
                lines = lines or ["\n"]
        return "".join(lines)


@pytest.fixture(scope="module")
def description() -> str:
    return build_ecu("demo-engine").a2l


@pytest.mark.parametrize("seed", range(4))
def test_descriptions(seed, description):
    """Parsing never fails; what can be bound is bound, what cannot is told by our errors."""
    rng = random.Random(seed)
    scribbler = Scribbler(rng, description)
    complained = bound = refused = 0
    for turn in range(DESCRIPTIONS):
        text = scribbler.scribble()
        before = time.perf_counter()
        file = parse(text, source="scribble.a2l")
        assert time.perf_counter() - before < LONGEST_S
        assert len(file.diagnostics) < 10_000
        complained += bool(file.diagnostics)
        if turn % 5:
            continue
        try:
            check(file)
            catalog = Catalog(file)
        except A2lError:
            continue
        for name in catalog.names:
            try:
                catalog.bind(name)
            except XcaliperError:
                refused += 1
            else:
                bound += 1
        assert parse(write(file)).modules is not None
    assert complained > DESCRIPTIONS // 3
    assert bound > DESCRIPTIONS
    assert refused


# -- recordings -----------------------------------------------------------------------------------


def recording(*, compressed: bool, close: bool) -> bytes:
    """A small file with every kind of block that we write."""
    dtype = np.dtype([("n", ">u2"), ("x", "<f8", (3,)), ("t", "S6")])
    file = MemoryFile()
    groups = [
        Group("a", dtype, [Channel("n"), Channel("x"), Channel("bits", "n", bit_mask=0x0FF0)]),
        Group("b", dtype, [Channel("n"), Channel("t", vlsd=True)]),
    ]
    writer = MdfWriter(
        file,
        Header(5),
        groups,
        attachments=[Attachment("demo.a2l", b"/begin PROJECT" * 20)],
        options=WriterOptions(compressed=compressed),
    )
    for start in range(0, 60, 6):
        rows = np.array([(k, (k, k / 2, -k), b"%d" % k) for k in range(start, start + 6)], dtype)
        for number in range(2):
            writer.append(number, np.arange(start, start + 6), rows)
        writer.commit(start)
        writer.add_event(EventType.MARKER, start, f"e{start}")
    if close:
        writer.close(9)
    return bytes(file.data)


def damaged(rng: random.Random, good: bytes, mutator: Mutator) -> bytes:
    """The file with a few bytes, links or lengths changed, cut or grown."""
    data = bytearray(good)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(data))
        way = rng.randrange(6)
        if way == 0:
            data[at] = rng.randrange(256)
        elif way == 1:
            at -= at % 8  # links and lengths
            data[at : at + 8] = struct.pack("<Q", rng.choice((0, 1, 64, 2**32, 2**63, 2**64 - 1)))
        elif way == 2:
            at -= at % 8
            data[at : at + 8] = struct.pack("<Q", rng.randrange(0, len(data), 8))
        elif way == 3:
            data[at : at + 16] = mutator.damage(bytes(data[at : at + 16]))
        elif way == 4 and rng.random() < 0.3:
            del data[at:]
            data = data or bytearray(b"M")
        else:
            data[at : at + 4] = rng.randbytes(4)
    return bytes(data)


def read_everything(data: bytes) -> int:
    """Number of records that could be read."""
    reader = MdfReader(MemoryFile(data))
    assert len(reader.history) < 10_000
    records = 0
    for group in reader.groups:
        reader.refresh(group)
        t_s = reader.t_s(group)
        for channel in group.channels:
            raw = reader.raw(group, channel.name)
            assert len(raw) == len(t_s)
            assert len(reader.phys(group, channel.name)) == len(t_s)
        records += len(t_s)
    assert len(reader.events) < 10_000
    assert len(reader.attachments) < 10_000
    return records


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("close", [False, True])
def test_recordings(compressed, close):
    """Reading and repairing a damaged file ends quickly, in bounded memory, with MdfError at worst."""
    rng = random.Random(2 * compressed + close)
    good = recording(compressed=compressed, close=close)
    mutator = Mutator(rng, [good[k : k + 40] for k in range(0, len(good), 40)])
    outcomes = {"read": 0, "refused": 0, "repaired": 0, "lost": 0}
    assert read_everything(good) == 120
    tracemalloc.start()
    try:
        for _ in range(RECORDINGS):
            data = damaged(rng, good, mutator)
            before = time.perf_counter()
            try:
                read_everything(data)
                outcomes["read"] += 1
            except MdfError:
                outcomes["refused"] += 1
            file = MemoryFile(data)
            try:
                repair(file, 77)
                read_everything(bytes(file.data))
                outcomes["repaired"] += 1
            except MdfError:
                outcomes["lost"] += 1
            assert time.perf_counter() - before < LONGEST_S
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert min(outcomes.values()) > RECORDINGS // 20, outcomes
