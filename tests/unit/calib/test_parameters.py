"""Reading and writing bound objects over the memory of the demo engine, without a link."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xcaliper.a2l import parse
from xcaliper.calib.parameters import read_value, write_value
from xcaliper.client.binding import Signal
from xcaliper.client.measurement import Block, join_blocks
from xcaliper.client.names import expand_names, nearest_names
from xcaliper.core.errors import IntegrityError, LimitError, NotFoundError, UsageError
from xcaliper.core.samples import Gap, SampleBlock
from xcaliper.quantity.catalog import Catalog
from xcaliper.sim.gallery import build_ecu


class Bench:
    """A catalog over a memory; counts what is written."""

    def __init__(self) -> None:
        self.ecu = build_ecu("demo-engine")
        self.catalog = Catalog(parse(self.ecu.a2l), ag=1)
        self.sent: list[bytes] = []
        self.takes_writes = True

    def read(self, address, size):
        return self.ecu.memory.read(address, size)

    def write(self, address, data):
        self.sent.append(data)
        if self.takes_writes:
            self.ecu.memory.write(address, data)

    def get(self, name, *, raw=False):
        return read_value(self.catalog.bind(name), self.read, raw=raw)

    def put(self, name, value, *, at=None, raw=False, verify=True):
        return write_value(
            self.catalog.bind(name),
            value,
            at=at,
            raw=raw,
            verify=verify,
            read=self.read,
            write=self.write,
        )


@pytest.fixture
def bench():
    return Bench()


def test_only_what_differs_is_sent(bench):
    values = bench.get("cGearRatios").copy()
    assert bench.put("cGearRatios", values).bytes_sent == 0
    assert bench.sent == []
    values[0] += 1
    values[4] += 1
    done = bench.put("cGearRatios", values)
    assert (done.changed, done.bytes_sent) == (2, 8)
    assert [len(data) for data in bench.sent] == [4, 4]


@pytest.mark.parametrize(
    ("name", "value", "at"),
    [
        ("cIdleSpeedTarget", 1e6, None),
        ("cIdleSpeedTarget", float("nan"), None),
        ("cIdleSpeedTarget", [1, 2], None),
        ("cIdleSpeedTarget", "fast", None),
        ("cIdleSpeedTarget", 900, (0,)),
        ("KFZW", 1, None),
        ("KFZW", 1, (12, 0)),
        ("KFZW", 1, (0, -17)),
        ("KFZW", [1, 2], (0, 0)),
        ("cVehicleName", "x" * 25, None),
        ("cVehicleName", 5, None),
        ("AxisLoad", 5, (11,)),
        ("TaskCounter1ms", 5, None),
    ],
)
def test_nothing_is_sent_when_refused(bench, name, value, at):
    with pytest.raises(UsageError, match=name):
        bench.put(name, value, at=at)
    assert bench.sent == []


def test_raw_limits_are_those_of_the_type(bench):
    assert bench.put("cIdleSpeedTarget", 65535, raw=True).after == 65535
    with pytest.raises(LimitError):
        bench.put("cIdleSpeedTarget", 65536, raw=True)


def test_rows_of_a_map_may_be_given_flat(bench):
    table = bench.get("KFZW")
    flat = [float(value) for value in table.values.ravel()]
    flat[17] = 5.0
    assert bench.put("KFZW", flat).changed == 1
    assert bench.get("KFZW").values[1, 1] == 5.0


def test_cells_count_from_the_end_too(bench):
    bench.put("KFZW", 3.0, at=(-1, -1))
    assert bench.get("KFZW").values[11, 15] == 3.0


def test_memory_that_does_not_take_a_value_is_noticed(bench):
    bench.takes_writes = False
    with pytest.raises(IntegrityError, match="cIdleSpeedTarget"):
        bench.put("cIdleSpeedTarget", 900)
    done = bench.put("cIdleSpeedTarget", 900, verify=False)
    assert done.changed == 0
    assert done.after == 820


def test_a_raw_table_has_raw_axes(bench):
    raw, phys = bench.get("KFZW", raw=True), bench.get("KFZW")
    assert raw.values.dtype.kind == "i"
    assert (raw.unit, raw.axes[0].unit) == ("", "")
    assert raw.axes[0].points[0] * 0.25 == phys.axes[0].points[0] == 500


def test_names(bench):
    assert expand_names(bench.catalog, ["KFZW", "KF?W", "KFZW"]) == ["KFZW"]
    assert nearest_names(bench.catalog, "ENGINESPED")[0] == "EngineSpeed"
    with pytest.raises(NotFoundError) as caught:
        expand_names(bench.catalog, "enginesped")
    assert caught.value.nearest[0] == "EngineSpeed"


# --- blocks ---


def block(bench, names, count, start=0, gaps=(), *, raw_only=False):
    signals = {name: Signal(bench.catalog.bind(name)) for name in names}
    dtype = np.dtype([(name, signals[name].wanted().dtype) for name in names])
    rows = np.zeros(count, dtype)
    t_ns = np.arange(start, start + count, dtype=np.int64) * 1_000_000
    samples = SampleBlock(0, t_ns, rows, gaps)
    return samples, Block("Task1ms", samples, signals, raw_only=raw_only)


def test_a_block_converts_when_asked(bench):
    samples, found = block(bench, ["EngineSpeed", "EngineState"], 3)
    samples.rows["EngineSpeed"] = [4000, 4001, 4002]
    samples.rows["EngineState"] = 2
    assert found["EngineSpeed"].tolist() == [1000.0, 1000.25, 1000.5]
    assert found.raw("EngineSpeed").tolist() == [4000, 4001, 4002]
    assert found.latest("EngineSpeed") == 1000.5
    assert found["EngineState"].tolist() == [bench.catalog.bind("EngineState").to_phys(2)] * 3
    assert found.t.tolist() == [0.0, 0.001, 0.002]
    assert "EngineSpeed" in found
    assert repr(found) == "<Block Task1ms: 3 samples of 2 signals>"
    assert "<td>EngineSpeed</td><td>1000.5</td><td>rpm</td>" in found._repr_html_()
    for ask in (found.__getitem__, found.raw, found.latest):
        with pytest.raises(KeyError):
            ask("Lambda")


def test_a_raw_block_gives_raw_values(bench):
    samples, found = block(bench, ["EngineSpeed"], 2, raw_only=True)
    samples.rows["EngineSpeed"] = [4000, 4001]
    assert found["EngineSpeed"].tolist() == [4000, 4001]


def test_an_empty_block_can_be_shown(bench):
    _, found = block(bench, ["EngineSpeed"], 0)
    assert "–" in found._repr_html_()


def test_joined_blocks_keep_their_gaps(bench):
    first, _ = block(bench, ["EngineSpeed"], 3)
    second, _ = block(bench, ["EngineSpeed"], 2, 5, (Gap(0, 2_000_000, 5_000_000, 2, "lost"),))
    joined = join_blocks([first, second])
    assert len(joined) == 5
    assert joined.gaps == (Gap(3, 2_000_000, 5_000_000, 2, "lost"),)
    assert join_blocks([first]) is first


def test_recordings_know_masks_and_kinds(bench):
    fields = [name for name in bench.catalog.measurements if bench.catalog.bind(name).bits]
    bound = bench.catalog.bind(fields[0])
    told = Signal(bound).description()
    assert (told.bit_mask, told.sign_extend) == (bound.bits.mask, False)
    signed = replace(bound, bits=replace(bound.bits, sign_extend=True))
    assert Signal(signed).description().sign_extend
    assert not told.calibration
    assert Signal(bench.catalog.bind("cIdleSpeedTarget")).description().calibration
