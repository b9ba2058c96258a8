"""Draw time.svg: two virtual slaves before and after correlation, from a simulated run.

Run it with the project's Python from the root of the repository; the same seed gives the same file.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from xcaliper.core.ticks import TickClock
from xcaliper.daq import ClockReading, Timeline
from xcaliper.daq.correlation import Correlator
from xcaliper.xcp.procedures.clock import ClockSample, Stamp
from xcaliper.xcp.slave_clock import ClockModel, ClockSettings, SlaveClocks

SECOND = 1_000_000_000
TICK = TickClock(1, 3, 4)
LENGTH_S = 10
WIDTH, HEIGHT, LEFT, TOP, GAP = 760, 190, 70, 30, 70
COLOURS = {50.0: "#1f77b4", -50.0: "#d62728"}


def run(ppm: float, seed: int) -> tuple[list[float], list[float], list[float], list[float]]:
    """Seconds; raw error in µs; correlated error in µs; stated bound in µs."""
    rng = random.Random(seed)
    model = ClockModel(drift_ppm=ppm, jitter_ns=200_000, start_ns=seed * SECOND)
    clocks = SlaveClocks(ClockSettings(slave=model, seed=seed), TICK)
    boot = 1000 * SECOND
    timeline = Timeline(TICK, [None], ClockReading(clocks.daq_ticks(0) % 2**32, boot))
    correlator = Correlator(timeline)
    seconds, raw, mapped, bound = [], [], [], []
    for at in range(0, LENGTH_S * SECOND, SECOND // 20):
        out, back = rng.randint(10_000, 210_000), rng.randint(10_000, 210_000)
        ticks = clocks.daq_ticks(at + out) % 2**32
        sample = ClockSample(boot + at, boot + at + out + back, daq=Stamp(ticks, 4))
        correlator.add(sample)
        line = correlator.to_host()
        assert line is not None, "a reading was added"
        now = at + out
        assert clocks.slave is not None, "the settings have one"
        shown = clocks.slave.shows_ns(now)
        whole, rest = divmod(shown, 1000)
        placed = timeline.reading(whole % 2**32, 4, boot + now)
        assert placed is not None, "the axis has begun"
        placed += rest
        error = int(line.correlate(np.array([placed], np.int64))[0]) - boot - now
        seconds.append(at / SECOND)
        raw.append((shown - model.start_ns - now) / 1000)
        mapped.append(error / 1000)
        bound.append(line.uncertainty_at(placed) / 1000)
    return seconds, raw, mapped, bound


def chart(number: int, title: str, limit: float, curves: list[tuple[str, list[float], str]]) -> str:
    """One panel with a symmetric axis in µs."""
    top = TOP + number * (HEIGHT + GAP)
    middle = top + HEIGHT / 2
    parts = [
        f'<text x="{LEFT}" y="{top - 10}" font-weight="bold">{title}</text>',
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="gray"/>',
    ]
    for share in (-1, -0.5, 0, 0.5, 1):
        y = middle - share * HEIGHT / 2
        parts.append(
            f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{share * limit:g}</text>'
        )
    for style, values, colour in curves:
        step = WIDTH / len(values)
        points = " ".join(
            f"{LEFT + at * step:.1f},{middle - max(-1, min(v / limit, 1)) * HEIGHT / 2:.1f}"
            for at, v in enumerate(values)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" {style}/>')
    for second in range(0, LENGTH_S + 1, 2):
        x = LEFT + second * WIDTH / LENGTH_S
        y = top + HEIGHT + 18
        parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{second} s</text>')
    return "\n".join(parts)


def main() -> None:
    """Write time.svg beside this script."""
    found = {ppm: run(ppm, seed) for seed, ppm in enumerate(COLOURS, 1)}
    before = [('stroke-width="2"', found[ppm][1], colour) for ppm, colour in COLOURS.items()]
    after = []
    for ppm, colour in COLOURS.items():
        _, _, mapped, bound = found[ppm]
        dashes = 'stroke-dasharray="3 3" opacity="0.6"'
        after += [(dashes, bound, colour), (dashes, [-b for b in bound], colour)]
        after.append(('stroke-width="2"', mapped, colour))
    height = TOP + 2 * (HEIGHT + GAP)
    style = 'font-family="sans-serif" font-size="12"'
    body = "\n".join(
        [
            chart(0, "Before: time of each slave minus true time, µs", 500, before),
            chart(1, "After: error on the host's axis, µs; dashed: the stated bound", 200, after),
        ]
    )
    view = f"0 0 {LEFT + WIDTH + 20} {height}"
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" {style}>\n'
    svg += f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    Path(__file__).with_name("time.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main()
