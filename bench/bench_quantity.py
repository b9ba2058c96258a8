"""Raw ↔ physical of large arrays and of a map, against the least that numpy has to do for a linear rule.

Run: ``PYTHONPATH=src python bench/bench_quantity.py``. Best of several rounds; the ratios are the result.
"""

from __future__ import annotations

import json
import time

import numpy as np

from xcaliper.a2l import parse
from xcaliper.core.address import Address
from xcaliper.core.datatypes import DataType
from xcaliper.core.memory import SparseMemory
from xcaliper.quantity.catalog import Catalog
from xcaliper.quantity.rounding import Target, phys_to_raw

ROUNDS = 7
COUNT = 100_000
ROWS = 200


def table(keyword, name, rows):
    return f'/begin {keyword} {name} "" {rows} /end {keyword}\n'


PAIRS = " ".join(f"{n} {3 * n}" for n in range(ROWS))
TEXTS = " ".join(f'{n} "text {n}"' for n in range(ROWS))
RANGES = " ".join(f'{n} {n + 1} "text {n}"' for n in range(0, ROWS, 2))
METHODS = {
    "identical": 'IDENTICAL "" ""',
    "linear": 'LINEAR "" "" COEFFS_LINEAR 0.5 3',
    "rational": 'RAT_FUNC "" "" COEFFS 0 10 0 0 0 1',
    "quadratic": 'RAT_FUNC "" "" COEFFS 1 0 0 0 0 1',
    "formula": 'FORM "" "" /begin FORMULA "X1*2+1" FORMULA_INV "(X1-1)/2" /end FORMULA',
    "interpolation": 'TAB_INTP "" "" COMPU_TAB_REF T_INTP',
    "lookup": 'TAB_NOINTP "" "" COMPU_TAB_REF T_NOINTP',
    "texts": 'TAB_VERB "" "" COMPU_TAB_REF T_VERB',
    "ranges": 'TAB_VERB "" "" COMPU_TAB_REF T_RANGE',
}
BODY = (
    "".join(table("COMPU_METHOD", name, rule) for name, rule in METHODS.items())
    + table("COMPU_TAB", "T_INTP", f"TAB_INTP {ROWS} {PAIRS}")
    + table("COMPU_TAB", "T_NOINTP", f"TAB_NOINTP {ROWS} {PAIRS}")
    + table("COMPU_VTAB", "T_VERB", f"TAB_VERB {ROWS} {TEXTS}")
    + table("COMPU_VTAB_RANGE", "T_RANGE", f"{ROWS // 2} {RANGES}")
    + """
/begin RECORD_LAYOUT M AXIS_PTS_X 1 UWORD INDEX_INCR DIRECT AXIS_PTS_Y 2 UWORD INDEX_INCR DIRECT
  FNC_VALUES 3 UWORD COLUMN_DIR DIRECT /end RECORD_LAYOUT
/begin CHARACTERISTIC map "" MAP 0x1000 M 0 linear 0 50000
  /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY linear 64 0 50000 /end AXIS_DESCR
  /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY linear 64 0 50000 /end AXIS_DESCR
/end CHARACTERISTIC
"""
)


def catalog():
    file = parse(
        f'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m "" {BODY} /end MODULE /end PROJECT'
    )
    assert not file.diagnostics, file.diagnostics
    return Catalog(file)


def best(call):
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    from xcaliper.quantity.compu import compile_conversion

    made = catalog()
    raw = (np.arange(COUNT) % ROWS).astype(np.uint16)
    phys = raw * 0.5 + 3
    floor_out = best(lambda: raw * 0.5 + 3)
    floor_back = best(lambda: np.rint((phys - 3) / 0.5).astype(np.uint16))
    result = {"values": COUNT, "floor_out_ns": floor_out / COUNT * 1e9}
    result["floor_back_ns"] = floor_back / COUNT * 1e9
    for name in METHODS:
        rule = compile_conversion(name, made.index, limits=(0, 1e6))
        target = Target(name, rule, DataType.UWORD, (-1e9, 1e9))
        values = rule.to_phys(raw)
        assert np.array_equal(rule.to_phys(phys_to_raw(values, target).raw), values)
        out, back = (
            best(lambda r=rule: r.to_phys(raw)),
            best(lambda v=values, t=target: phys_to_raw(v, t)),
        )
        result[name] = {"out": round(out / floor_out, 1), "back": round(back / floor_back, 1)}
    result["map_64x64"] = map_ratios(made)
    print(json.dumps(result, indent=2))


def map_ratios(made):
    bound = made.bind("map")
    memory = SparseMemory()
    memory.add(Address(0x1000), bytearray(np.arange(64 * 66, dtype="<u2").tobytes()))
    data = memory.read(Address(0x1000), bound.size_bytes)
    values = bound.to_phys(bound.decode(memory.read)).values

    def least_out():
        block = np.frombuffer(data, "<u2")
        return (
            block[:64] * 0.5 + 3,
            block[64:128] * 0.5 + 3,
            block[128:].reshape(64, 64).T * 0.5 + 3,
        )

    def least_back():
        return np.rint((values.T - 3) / 0.5).astype("<u2").tobytes()

    ((_, written),) = bound.encode(values, read=memory.read)
    assert written == least_back()
    out = best(lambda: bound.to_phys(bound.decode(memory.read)))
    back = best(lambda: bound.encode(values, read=memory.read))
    return {"out": round(out / best(least_out), 1), "back": round(back / best(least_back), 1)}


if __name__ == "__main__":
    main()
