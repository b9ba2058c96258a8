"""Time units against the standard's list; counters over wraps, back-steps and batches."""

from fractions import Fraction

import numpy as np
import pytest

from xcaliper.core.ticks import UNIT_NS, TickClock, TickUnwrapper, unit_ns

#: code: length in picoseconds
UNITS_PS = {
    0: 10**3,
    1: 10**4,
    2: 10**5,
    3: 10**6,
    4: 10**7,
    5: 10**8,
    6: 10**9,
    7: 10**10,
    8: 10**11,
    9: 10**12,
    10: 1,
    11: 10,
    12: 100,
}


def test_every_unit():
    assert {code: ns * 1000 for code, ns in UNIT_NS.items()} == UNITS_PS


@pytest.mark.parametrize("code", UNITS_PS)
def test_code_in_the_low_and_in_the_high_nibble(code):
    assert unit_ns(code) == UNIT_NS[code]
    assert unit_ns(code << 4) == UNIT_NS[code]


@pytest.mark.parametrize("code", [13, 14, 15, 0xD0, 0xFF])
def test_reserved_codes_have_no_length(code):
    assert unit_ns(code) == 0


def test_clock():
    clock = TickClock(ticks=25, unit=10, size_bytes=4)
    assert clock.tick_ns == Fraction(1, 40)
    assert clock.modulus == 4294967296
    assert TickClock(1, 3, 2).tick_ns == 1000
    assert TickClock(1, 3, 2).modulus == 65536


def feed(unwrapper, *values, dtype=np.uint32):
    return unwrapper.extend(np.array(values, dtype)).tolist()


def test_starts_where_the_counter_stands():
    unwrapper = TickUnwrapper(256)
    assert unwrapper.last is None
    assert feed(unwrapper) == []
    assert unwrapper.last is None
    assert feed(unwrapper, 200) == [200]
    assert unwrapper.last == 200


def test_wraps_inside_a_batch_and_between_batches():
    unwrapper = TickUnwrapper(256)
    assert feed(unwrapper, 250, 254, 2, dtype=np.uint8) == [250, 254, 258]
    assert feed(unwrapper, 100, dtype=np.uint8) == [356]
    assert feed(unwrapper, 220, 10, dtype=np.uint8) == [476, 522]
    assert feed(unwrapper, dtype=np.uint8) == []
    assert feed(unwrapper, 10, dtype=np.uint8) == [522]
    assert unwrapper.last == 522


def test_late_samples_go_back_also_over_a_wrap():
    unwrapper = TickUnwrapper(256)
    assert feed(unwrapper, 250, 4, 252, 6) == [250, 260, 252, 262]
    assert feed(unwrapper, 255) == [255]
    assert feed(unwrapper, 3) == [259]


def test_a_step_back_over_zero_is_negative():
    assert feed(TickUnwrapper(256), 1, 255) == [1, -1]


@pytest.mark.parametrize(
    ("second", "extended"), [(127, 127), (128, 128), (129, -127), (255, -1), (0, 0)]
)
def test_half_a_modulus_is_forward_more_is_back(second, extended):
    assert feed(TickUnwrapper(256), 0, second) == [0, extended]
    split = TickUnwrapper(256)
    assert feed(split, 0) + feed(split, second) == [0, extended]


def test_many_wraps_of_a_32_bit_counter():
    step = 0x7FFF_FFFF
    true = np.arange(1000, dtype=np.int64) * step + 5
    unwrapper = TickUnwrapper(1 << 32)
    wire = (true % (1 << 32)).astype(">u4")
    parts = [unwrapper.extend(part) for part in np.array_split(wire, 7)]
    assert np.array_equal(np.concatenate(parts), true)
    assert parts[0].dtype == np.int64
    assert unwrapper.last == true[-1]


def test_counters_of_64_bits_stay_as_they_are():
    unwrapper = TickUnwrapper(1 << 64)
    assert feed(unwrapper, 5, 1 << 40, 7, dtype=np.uint64) == [5, 1 << 40, 7]
    assert unwrapper.last == 7
    assert feed(unwrapper, 1 << 62, dtype=np.uint64) == [1 << 62]


def test_the_input_is_left_alone():
    raw = np.array([250, 3], np.int64)
    out = TickUnwrapper(256).extend(raw)
    out[0] = 99
    assert raw.tolist() == [250, 3]
