"""Expressions over signals: numpy's meaning, bounds, errors that say where, memory across blocks."""

from __future__ import annotations

import numpy as np
import pytest

from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.expression import (
    MAX_DEPTH,
    Input,
    Known,
    as_numbers,
    compile_expression,
)

N = 50
RNG = np.random.default_rng(5)
T_NS = np.cumsum(RNG.integers(1_000_000, 20_000_000, N)).astype(np.int64)
VALUES = {
    "a": RNG.integers(0, 9, N).astype("<u2"),
    "s": RNG.integers(-50, 50, N).astype(">i2"),
    "big": (RNG.integers(0, 1 << 40, N).astype(np.uint64) << np.uint64(20)),
    "f": RNG.normal(size=N).astype("<f4"),
    "ok": RNG.integers(0, 2, N).astype(bool),
    "v": RNG.normal(size=(N, 3)),
    "m": RNG.normal(size=(N, 2, 3)).astype("f4"),
    "pump.rate[1].x": RNG.normal(size=N),
    "odd name/°C": RNG.normal(size=N),
    "gear": RNG.integers(0, 3, N).astype("u1"),
}
TEXTS = np.array(["P", "R", "D"], dtype=object)[VALUES["gear"]]
KNOWN = {
    name: Known(values.dtype, values.dtype, values.shape[1:], name == "gear")
    for name, values in VALUES.items()
}


def feed(expression, start=0, stop=N):
    given = []
    for item in expression.inputs:
        if item.kind == "time":
            given.append(T_NS[start:stop])
        elif item.kind == "text":
            given.append(TEXTS[start:stop])
        else:
            given.append(as_numbers(VALUES[item.name])[start:stop])
    return T_NS[start:stop], given


def value(text):
    expression = compile_expression(text, KNOWN)
    result = expression.start()(*feed(expression))
    assert result.dtype == expression.dtype
    assert result.shape == (N, *expression.shape)
    return result


A, S, F, V, M = (np.asarray(VALUES[k]).astype(d) for k, d in
                 (("a", "i8"), ("s", "i8"), ("f", "f8"), ("v", "f8"), ("m", "f8")))  # fmt: skip
BIG = VALUES["big"]
X, ODD, OK, GEAR = VALUES["pump.rate[1].x"], VALUES["odd name/°C"], VALUES["ok"], VALUES["gear"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a - s", A - S),  # no wrap of small types
        ("a + 2 * f / 3 - -s", A + 2 * F / 3 + S),
        ("a // 2 + a % 3 + s // 4 + s % 4", A // 2 + A % 3 + S // 4 + S % 4),
        ("a ** 2", A**2),
        ("(a + 1) ** -1", 1 / (A + 1.0)),
        ("abs(f) ** 0.5", np.abs(F) ** 0.5),
        ("big + s", VALUES["big"].astype(float) + S),
        ("big >> 20 & 255", (BIG >> 20) & 255),
        ("(big + 4095) % 1000 + (~big >> 8)", (BIG + 4095) % 1000 + (~BIG >> 8)),
        ("(big << 3) // 7 if big > 5 else 0", np.where(BIG > 5, (BIG << 3) // 7, np.uint64(0))),
        ("big >> 64 | min(big, 3) ^ 1", np.minimum(BIG, 3) ^ 1),
        ("s >> 70 | a << 2 ^ 1", np.where(S < 0, -1, 0) | ((A << 2) ^ 1)),
        ("~a & 6", ~A & 6),
        ("a > 3", A > 3),
        ("1 < a <= 5", (A > 1) & (A <= 5)),
        ("(a > 3) & ~(s < 0) | ok", (A > 3) & ~(S < 0) | OK),
        ("a > 3 and not s < 0 or ok", (A > 3) & ~(S < 0) | OK),
        ("ok + ok", OK.astype(int) * 2),
        ("-ok", -OK.astype(int)),
        ("f if ok else a", np.where(OK, F, A)),
        ("where(v > 0, v, f)", np.where(V > 0, V, F[:, None])),
        ("v * f", V * F[:, None]),
        ("m - v", M - V[:, None, :]),
        ("m[1, 0] + m[0][2]", M[:, 1, 0] + M[:, 0, 2]),
        ("m[-1, ::2]", M[:, -1, ::2]),
        ("v[0:2] * a", V[:, 0:2] * A[:, None]),
        ("sum(m) + mean(v) - min(v) + max(m)",
         M.sum((1, 2)) + V.mean(1) - V.min(1) + M.max((1, 2))),
        ("any(v > 1) or all(v < 1)", (V > 1).any(1) | (V < 1).all(1)),
        ("min(a, s, 3)", np.minimum(np.minimum(A, S), 3)),
        ("max(f, 0)", np.maximum(F, 0)),
        ("clip(s, -5, 5) + sign(s)", np.clip(S, -5, 5) + np.sign(S)),
        ("sin(f) + sqrt(abs(f)) + atan2(f, a) + pow(f, 2)",
         np.sin(F) + np.sqrt(np.abs(F)) + np.arctan2(F, A) + F**2),
        ("floor(f) + ceil(f) + round(f) + trunc(f)",
         np.floor(F) + np.ceil(F) + np.rint(F) + np.trunc(F)),
        ("pump.rate[1].x * 2", X * 2),
        ("`pump.rate[1].x` + `odd name/°C` / pi", X + ODD / np.pi),
        ("t + 1", T_NS / 1e9 + 1),
        ("gear == 'D' or 'P' != gear", (TEXTS == "D") | (TEXTS != "P")),
        ("gear + raw(gear)", 2 * GEAR.astype(int)),
        ("  f\n  +\n  1  # a comment", F + 1),
        ("log(f * 0)", np.full(N, -np.inf)),
        ("isnan(0 / (f * 0)) and not isfinite(inf)", np.ones(N, bool)),
    ],
)  # fmt: skip
def test_means_what_numpy_means(text, expected):
    result = value(text)
    assert result.dtype.kind == np.asarray(expected).dtype.kind
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def naive(name):
    """The functions with memory, sample by sample."""
    out, dt = [], np.diff(T_NS, prepend=T_NS[0]) / 1e9
    for k in range(N):
        before = k - 1 if k else 0
        match name:
            case "previous(s)":
                out.append(S[before])
            case "delta(s)":
                out.append(S[k] - S[before])
            case "derivative(f)":
                out.append((F[k] - F[before]) / dt[k] if k else 0.0)
            case "integral(f)":
                out.append((out[-1] if k else 0.0) + (F[k] + F[before]) / 2 * dt[k])
            case "lowpass(f, 0.05)":
                last = out[-1] if k else F[0]
                out.append(last + (1 - np.exp(-dt[k] / 0.05)) * (F[k] - last))
            case "hold(f, a > 6)":
                out.append(F[k] if A[k] > 6 else out[-1] if k else np.nan)
            case "count(a > 6)":
                out.append((out[-1] if k else 0) + (A[k] > 6))
            case "rising(a > 6)":
                out.append(A[k] > 6 and not A[before] > 6)
            case "falling(a > 6)":
                out.append(A[before] > 6 and not A[k] > 6)
    return out


MEMORIES = [
    "previous(s)", "delta(s)", "derivative(f)", "integral(f)", "lowpass(f, 0.05)",
    "hold(f, a > 6)", "count(a > 6)", "rising(a > 6)", "falling(a > 6)",
]  # fmt: skip


@pytest.mark.parametrize("text", MEMORIES)
def test_memory_reaches_over_blocks(text):
    expected = naive(text)
    np.testing.assert_allclose(value(text), expected, rtol=1e-9, atol=1e-12)
    expression = compile_expression(text, KNOWN)
    for cuts in ([1], [7, 7, 30], list(range(1, N))):
        running = expression.start()
        parts = [
            running(*feed(expression, start, stop))
            for start, stop in zip([0, *cuts], [*cuts, N], strict=True)
        ]
        np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-9, atol=1e-12)


def test_edges_with_hysteresis():
    known = {"x": Known(np.dtype("f8"), np.dtype("f8"))}
    x = np.array([5, 3, 4.5, 5, 5.1, 4.6, 5.5, 3.9, 5.2, np.nan, 6, 2, 9, 4.4], float)
    t_ns = np.arange(len(x)) * 10**6

    def fired(text):
        expression = compile_expression(text, known)
        whole = expression.start()(t_ns, [x])
        running = expression.start()
        single = [bool(running(t_ns[k : k + 1], [x[k : k + 1]])[0]) for k in range(len(x))]
        assert single == whole.tolist()
        return np.nonzero(whole)[0].tolist()

    assert fired("rising(x, 5)") == [4, 6, 8, 12]  # 5 itself is not above, the first is no edge
    assert fired("rising(x, 5, 1)") == [4, 8, 12]  # 4.6 was not low enough
    assert fired("falling(x, 4.5)") == [1, 7, 11, 13]
    assert fired("falling(x, 4.5, 1)") == [7, 11, 13]
    assert fired("rising(x, 5, 1) or falling(x, 4.5, 1)") == [4, 7, 8, 11, 12, 13]


def test_arrays_have_memories_per_element_and_missing_values_do_not_spread():
    both = value("lowpass(v, 0.05)")
    for k in range(3):
        np.testing.assert_allclose(both[:, k], value(f"lowpass(v[{k}], 0.05)"))
    known = {"x": Known(np.dtype("f8"), np.dtype("f8"))}
    x = np.array([np.nan, 1, np.nan, 3.0])
    t_ns = np.array([0, 1, 2, 3]) * 10**9
    run = compile_expression("lowpass(x, 1)", known).start()
    kept = run(t_ns, [x])
    assert np.isfinite(kept).all()
    assert kept[2] == kept[1]
    assert compile_expression("integral(x)", known).start()(t_ns, [x]).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("", None, "empty"),
        ("a +", None, "at its end: invalid syntax"),
        ("a + * 2", 5, "invalid syntax"),
        ("a $ s", 3, "invalid syntax"),
        ("lambda: 1", 1, "nothing that expressions know"),
        ("s + [a]", 5, "nothing that expressions know"),
        ("().__class__", 1, "nothing that expressions know"),
        ("`odd name/°C` + (x := 3)", 18, "nothing that expressions know"),
        ("f'{a}'", 1, "nothing that expressions know"),
        ("1 + a @ m", 5, "operator"),
        ("a in v", 1, "comparison"),
        ("s + (f & 3)", 6, "whole numbers"),
        ("m + v[0:2]", 1, "do not fit"),
        ("1 + m[5, 0]", 5, "outside"),
        ("v[a]", 3, "index must be a whole number"),
        ("f * sin(a, s)", 5, "takes 1 arguments, 2 are given"),
        ("rising()", 1, "takes 1 to 3"),
        ("sin(x=3)", 1, "plain arguments"),
        ("a.sin(3)", 1, "only the functions"),
        ("a == 'x'", 6, "no texts"),
        ("gear < 'D'", 8, "by == or !="),
        ("f + 'D'", 5, "by == or !="),
        ("raw(a + 1)", 1, "raw() takes the name"),
        ("hold(f, v > 0)", 1, "one value per sample"),
        ("1 + 99999999999999999999", 5, "64 bits"),
        ("3j + a", 1, "no number"),
        ("a\0", None, "cannot"),
        ("(" * 500 + "a" + ")" * 500, None, "nested"),
        ("+".join(["a"] * (MAX_DEPTH + 5)), None, "too deeply or too long"),
        ("a" + " + 1" * 1100, None, "characters"),
        ("-" * 3000 + "a", None, "nested"),
    ],
)
def test_errors_say_where(text, place, what):
    with pytest.raises(UsageError) as caught:
        compile_expression(text, KNOWN)
    message = caught.value.message
    assert what in message or what in str(caught.value), message
    assert len(message) < 400
    if place is not None:
        assert f"character {place}:" in message, message


@pytest.mark.parametrize(
    ("text", "name", "nearest"),
    [
        ("a + pump.rate[1].y", "pump.rate[1].y", "pump.rate[1].x"),
        ("`od name/°C`", "od name/°C", "odd name/°C"),
        ("lowpas(f, 1)", "lowpas", "lowpass"),
        ("__import__('os')", "__import__", None),
        ("a.__class__.__mro__", "a.__class__.__mro__", None),
    ],
)
def test_unknown_names_come_with_the_nearest(text, name, nearest):
    with pytest.raises(NotFoundError) as caught:
        compile_expression(text, KNOWN)
    assert caught.value.name == name
    assert nearest in caught.value.nearest if nearest else not caught.value.nearest
    if not nearest and "signal" in caught.value.kind:
        assert next(iter(KNOWN)) in caught.value.hint, "those that there are"


def test_sizes_are_bounded_before_anything_is_allocated():
    known = {
        "row": Known(np.dtype("f8"), np.dtype("f8"), (1, 60_000)),
        "column": Known(np.dtype("f8"), np.dtype("f8"), (60_000, 1)),
        "huge": Known(np.dtype("u1"), np.dtype("u1"), (1 << 20,)),
    }
    with pytest.raises(UsageError, match="3600000000 elements"):
        compile_expression("row * column", known)
    with pytest.raises(UsageError, match="more than 65536 elements"):
        compile_expression("huge[0]", known)


def test_long_blocks_are_computed_in_pieces():
    known = {"v": Known(np.dtype("f8"), np.dtype("f8"), (60_000,))}
    expression = compile_expression("delta(sum(v * 2))", known)
    rows = np.ones((100, 60_000)) * np.arange(100)[:, None]
    result = expression.start()(np.arange(100), [rows])
    assert result.tolist() == [0] + [120_000] * 99


def test_inputs_are_named_once():
    expression = compile_expression("a + a * raw(a) + f + t", KNOWN)
    assert expression.inputs == (
        Input("a"), Input("a", "raw"), Input("f"), Input("", "time"),
    )  # fmt: skip
    assert expression.names == ("a", "f")
    assert compile_expression("t", {"t": KNOWN["a"]}).inputs == (Input("t"),)


def test_no_samples_give_no_values():
    for text in [*MEMORIES, "sum(m)", "gear == 'D'", "where(a > 1, v, 0)"]:
        expression = compile_expression(text, KNOWN)
        running = expression.start()
        assert running(*feed(expression, 0, 0)).shape == (0, *expression.shape)
        assert len(running(*feed(expression, 0, 5))) == 5
