"""Plans of samples: the gather with scratch room gives the bytes of the plain one, in every unit."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from xcaliper.xcp.slave_sampler import Head, SamplePlan, dto_head

SIZE = 4096


class Memory:
    """Bytes with scratch room behind them."""

    def __init__(self) -> None:
        self.data = bytearray(np.random.default_rng(1).bytes(SIZE + 1024))

    def view(self, offset: int, size: int) -> memoryview:
        return memoryview(self.data)[offset : offset + size]

    @property
    def scratch(self) -> memoryview:
        return memoryview(self.data)[SIZE:]


def entries(rng, unit: int, count: int) -> list[tuple[int, int]]:
    sizes = rng.choice([n for n in (1, 2, 4, 8) if n >= unit], count)
    return [(int(rng.integers(0, SIZE // 8 - 1)) * 8 + 8 % max(unit, 1), int(n)) for n in sizes]


@pytest.mark.parametrize("unit", [1, 2, 4, 8])
@pytest.mark.parametrize("kind", [0, 1, 2, 3])
@pytest.mark.parametrize("alignment", [1, 4])
def test_scratch_room_changes_nothing(unit: int, kind: int, alignment: int) -> None:
    rng = np.random.default_rng(unit)
    memory = Memory()
    odts = [entries(rng, unit, n) for n in (5, 9, 3)]
    head = Head(
        [dto_head(kind, odt, 7, "<") for odt in range(3)],
        timestamp=struct.Struct("<I"),
        counter_at=(1, 2, 3, 1)[kind],
        msb=True,
    )
    views = [[memory.view(*entry) for entry in odt] for odt in odts]
    plain = SamplePlan(views, head, alignment=alignment)
    fast = SamplePlan(views, head, alignment=alignment, scratch=memory.scratch)
    assert plain.layout.sizes == fast.layout.sizes
    for turn in range(3):
        memory.data[:SIZE] = rng.bytes(SIZE)
        rows = []
        for plan in (plain, fast):
            row = np.zeros(plan.layout.stride // plan.layout.unit.itemsize, plan.layout.unit)
            plan.fill(row, 0x1_0000_0007 + turn, 250 + turn, turn == 1)
            rows.append(row.tobytes())
        assert rows[0] == rows[1]
        at = 0
        for number, odt in enumerate(odts):
            field = dto_head(kind, number, 7, "<")
            if number == 0:
                mark = bytes((0x80,)) if turn == 1 else b"\0"
                counter = bytes((250 + turn,))
                field = mark + (counter + field[2:] if kind == 3 else field[1:] + counter)
                field += struct.pack("<I", 7 + turn)
            packet = field + b"".join(bytes(memory.view(*entry)) for entry in odt)
            length = int.from_bytes(rows[0][at : at + 2], "little")
            assert rows[0][at + 4 : at + 4 + length] == packet
            at += -(-(4 + length) // alignment) * alignment
        assert at == len(rows[0])


def test_wide_units_are_used_where_everything_fits() -> None:
    memory = Memory()
    head = Head([dto_head(3, 0, 0, "<")], timestamp=struct.Struct("<I"), counter_at=-1)
    views = [[memory.view(16, 4), memory.view(64, 8)]]  # 4 of the transport + 4 + 4 before them
    assert SamplePlan(views, head, scratch=memory.scratch).layout.unit.itemsize == 4
    views = [[memory.view(16, 4), memory.view(66, 2)]]
    assert SamplePlan(views, head, scratch=memory.scratch).layout.unit.itemsize == 2
    assert SamplePlan(views, head).layout.unit.itemsize == 1


def test_headers_that_are_longer_than_the_scratch_room_go_the_plain_way() -> None:
    memory = Memory()
    head = Head([dto_head(1, odt, 0, "<") for odt in range(200)], timestamp=None, counter_at=-1)
    views = [[memory.view(8 * odt, 1)] for odt in range(200)]
    plan = SamplePlan(views, head, scratch=memory.scratch)
    row = np.zeros(plan.layout.stride, np.uint8)
    plan.fill(row, 0, 0, False)
    assert row[6::7].tobytes() == memory.data[0:1600:8]
