"""The scan engine of ``scan.step`` for numba: the same state machine, byte by byte.

Nothing is imported or compiled before ``compiled_step`` is called.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

__all__ = ["compiled_step", "step_bytes"]


@cache
def compiled_step() -> Callable[..., Any] | None:
    """The compiled engine; None without the ``fast`` extra."""
    try:
        from numba import njit
    except ImportError:
        return None
    compiled: Callable[..., Any]
    try:
        compiled = njit(cache=True, nogil=True)(step_bytes)
    except RuntimeError:  # no folder for the cache can be written
        compiled = njit(nogil=True)(step_bytes)
    return compiled


def step_bytes(  # type: ignore[no-untyped-def] # noqa: ANN201, C901, PLR0912, PLR0913, PLR0915, PLR0917 -- one loop for the compiler
    codes,  # noqa: ANN001 -- numba finds the types
    stop,  # noqa: ANN001
    at,  # noqa: ANN001
    want,  # noqa: ANN001
    count,  # noqa: ANN001
    capacity,  # noqa: ANN001
    kinds,  # noqa: ANN001
    starts,  # noqa: ANN001
    key_starts,  # noqa: ANN001
    key_stops,  # noqa: ANN001
    first_starts,  # noqa: ANN001
    first_stops,  # noqa: ANN001
    keys,  # noqa: ANN001
):
    """Add marks until something rare comes up; see ``scan.step``."""
    i = at
    edge = at
    while True:
        if want == 0:
            while i < stop and codes[i] != 34 and codes[i] != 47:
                i += 1
        else:
            while i < stop:
                c = codes[i]
                if c <= 32 and (9 <= c <= 13 or c >= 28):
                    i += 1
                elif c == 0xC2 and i + 1 < stop and (codes[i + 1] == 0x85 or codes[i + 1] == 0xA0):
                    i += 2
                elif c == 0xEF and i + 2 < stop and codes[i + 1] == 0xBB and codes[i + 2] == 0xBF:
                    i += 3
                else:
                    break
            edge = i
        if i >= stop:
            return stop, want, count, 0
        begin = i
        c = codes[i]
        if c == 34:  # a string on one line without escapes
            i += 1
            while i < stop and codes[i] != 34 and codes[i] != 92 and codes[i] != 10:
                i += 1
            if i >= stop or codes[i] != 34 or (i + 1 < stop and codes[i + 1] == 34):
                return begin, want, count, 2
            i += 1
            if want == 2:
                first_starts[count - 1] = begin
                first_stops[count - 1] = i
            want = 0
            edge = i
            continue
        if c == 47:
            d = codes[i + 1] if i + 1 < stop else 0
            if d == 47:
                while i < stop and codes[i] != 10:
                    i += 1
                edge = i
                continue
            if d == 42:
                i += 2
                while i + 1 < stop and not (codes[i] == 42 and codes[i + 1] == 47):
                    i += 1
                if i + 1 >= stop:
                    return begin, want, count, 3
                i += 2
                edge = i
                continue
            length = 0
            if i + 3 < stop:
                e0 = codes[i + 1] | 32
                e1 = codes[i + 2] | 32
                e2 = codes[i + 3] | 32
                if e0 == 101 and e1 == 110 and e2 == 100:  # end
                    length = 4
                elif e0 == 98 and e1 == 101 and e2 == 103 and i + 5 < stop:  # beg
                    if (codes[i + 4] | 32) == 105 and (codes[i + 5] | 32) == 110:
                        length = 6
                elif (  # include
                    e0 == 105
                    and e1 == 110
                    and e2 == 99
                    and i + 7 < stop
                    and (codes[i + 4] | 32) == 108
                    and (codes[i + 5] | 32) == 117
                    and (codes[i + 6] | 32) == 100
                    and (codes[i + 7] | 32) == 101
                ):
                    length = 8
            if length:
                free = i == edge
                if not free:
                    p = codes[i - 1]
                    free = p <= 32 and (9 <= p <= 13 or p >= 28)
                    if not free and i >= 2 and codes[i - 2] == 0xC2:
                        free = p == 0x85 or p == 0xA0  # noqa: PLR1714 -- a set would cost the loop
                    if not free and i >= 3 and codes[i - 3] == 0xEF:
                        free = codes[i - 2] == 0xBB and p == 0xBF
                j = i + length
                f = codes[j] if j < stop else 32
                is_word = 48 <= f <= 57 or 65 <= f <= 90 or f == 95 or 97 <= f <= 122
                if free:
                    if is_word:
                        length = 0
                elif length == 8:
                    length = 0
                else:  # inside a word: only with whitespace and a word behind it
                    k = j
                    while k < stop:
                        f = codes[k]
                        if f <= 32 and (9 <= f <= 13 or f >= 28):
                            k += 1
                        elif (
                            f == 0xC2
                            and k + 1 < stop
                            and (codes[k + 1] == 0x85 or codes[k + 1] == 0xA0)
                        ):
                            k += 2
                        elif (
                            f == 0xEF
                            and k + 2 < stop
                            and codes[k + 1] == 0xBB
                            and codes[k + 2] == 0xBF
                        ):
                            k += 3
                        else:
                            break
                    f = codes[k] if k < stop else 32
                    is_word = 48 <= f <= 57 or 65 <= f <= 90 or f == 95 or 97 <= f <= 122
                    if k == j or not (is_word or f >= 128):
                        length = 0
            if length == 8:
                return begin, want, count, 5
            if length:
                if count == capacity:
                    return begin, want, count, 1
                kinds[count] = 3 if length == 6 else 4
                starts[count] = begin
                i += length
                edge = i
                key_starts[count] = -1
                key_stops[count] = i
                first_starts[count] = -1
                first_stops[count] = -1
                keys[count] = 0
                count += 1
                want = 1
                continue
            if want == 0:
                i += 1
                edge = -1
                continue
        i += 1  # a word, wanted
        while i < stop:
            c = codes[i]
            if c == 34 or (c <= 32 and (9 <= c <= 13 or c >= 28)):
                break
            if c == 0xC2 and i + 1 < stop and (codes[i + 1] == 0x85 or codes[i + 1] == 0xA0):
                break
            if c == 0xEF and i + 2 < stop and codes[i + 1] == 0xBB and codes[i + 2] == 0xBF:
                break
            if c == 47 and i + 1 < stop:
                d = codes[i + 1]
                if d == 42 or d == 47:  # noqa: PLR1714 -- a tuple would cost the loop
                    break
                j = 0
                if i + 3 < stop:
                    e0 = d | 32
                    e1 = codes[i + 2] | 32
                    e2 = codes[i + 3] | 32
                    if e0 == 101 and e1 == 110 and e2 == 100:
                        j = i + 4
                    elif (
                        e0 == 98
                        and e1 == 101
                        and e2 == 103
                        and i + 5 < stop
                        and (codes[i + 4] | 32) == 105
                        and (codes[i + 5] | 32) == 110
                    ):
                        j = i + 6
                if j:
                    k = j
                    while k < stop:
                        f = codes[k]
                        if f <= 32 and (9 <= f <= 13 or f >= 28):
                            k += 1
                        elif (
                            f == 0xC2
                            and k + 1 < stop
                            and (codes[k + 1] == 0x85 or codes[k + 1] == 0xA0)
                        ):
                            k += 2
                        elif (
                            f == 0xEF
                            and k + 2 < stop
                            and codes[k + 1] == 0xBB
                            and codes[k + 2] == 0xBF
                        ):
                            k += 3
                        else:
                            break
                    f = codes[k] if k < stop else 32
                    is_word = 48 <= f <= 57 or 65 <= f <= 90 or f == 95 or 97 <= f <= 122
                    if k > j and (is_word or f >= 128):
                        break
            i += 1
        edge = i
        if want == 1:
            made = 0xCBF29CE484222325 + 0 * keys[count - 1]  # of the column's type
            for k in range(begin, i):
                made = (made ^ codes[k]) * keys.dtype.type(0x100000001B3)
            key_starts[count - 1] = begin
            key_stops[count - 1] = i
            keys[count - 1] = made
            want = 2
            if (
                i - begin == 4
                and codes[begin] == 65
                and codes[begin + 1] == 50
                and codes[begin + 2] == 77
                and codes[begin + 3] == 76
                and kinds[count - 1] == 3
            ):
                return i, want, count, 4
        else:
            first_starts[count - 1] = begin
            first_stops[count - 1] = i
            want = 0
