"""A large description for benchmarks: what a series ECU has, in the proportions of real files."""

from __future__ import annotations

import random

TYPES = (("UBYTE", 1), ("SWORD", 2), ("UWORD", 2), ("ULONG", 4), ("FLOAT32_IEEE", 4))
AREAS = ("Eng", "Trq", "Exh", "Fuel", "Air", "Diag", "Com", "Bat", "Gear", "Veh")
WORDS = (
    "speed",
    "pressure",
    "temperature",
    "mass flow",
    "set point",
    "actual value",
    "state",
    "filter",
)

HEAD = """ASAP2_VERSION 1 71
/begin PROJECT Bench "Generated description"
  /begin HEADER "Benchmark"
    PROJECT_NO P0001
  /end HEADER
  /begin MODULE Ecu "Control unit /* no comment */"
    /begin MOD_COMMON "" BYTE_ORDER MSB_LAST ALIGNMENT_LONG 4 /end MOD_COMMON
    /begin MOD_PAR "" EPK "bench" ADDR_EPK 0x8000 /end MOD_PAR
"""

MEASUREMENT = """
    /begin MEASUREMENT {name}
      "{text}, {area} subsystem, raster {event} of the control unit"
      {type} CM_{method} 0 0 {lower} {upper}
      ECU_ADDRESS 0x{address:X}
      ECU_ADDRESS_EXTENSION 0x0
      FORMAT "%8.3"
      PHYS_UNIT "unit {method}"
      SYMBOL_LINK "{symbol}" 0
      DISPLAY_IDENTIFIER DI.{name}
      /* made by the build of {area} */
      /begin ANNOTATION
        ANNOTATION_LABEL "Owner"
        ANNOTATION_ORIGIN "Department {area}/{event}"
        /begin ANNOTATION_TEXT
          "First line of a note about the signal"
          "Second line: see the function description"
        /end ANNOTATION_TEXT
      /end ANNOTATION
      /begin IF_DATA XCP
        /begin DAQ_EVENT
          FIXED_EVENT_LIST
          EVENT 0x{event:X}
        /end DAQ_EVENT
      /end IF_DATA
    /end MEASUREMENT
"""

CHARACTERISTIC = """
    /begin CHARACTERISTIC {name}
      "{text}, {area} subsystem, parameter" // calibrated on the bench
      {kind} 0x{address:X} RL{axes}_{type} 0 CM_{method} {lower} {upper}
      EXTENDED_LIMITS {lower} {upper}
      FORMAT "%8.3"
      DISPLAY_IDENTIFIER DI.{name}
      SYMBOL_LINK "{symbol}" 0
{axis}    /end CHARACTERISTIC
"""

LAYOUT_AXES = {
    0: "",
    1: "AXIS_PTS_X 1 SWORD INDEX_INCR DIRECT",
    2: "AXIS_PTS_X 1 SWORD INDEX_INCR DIRECT AXIS_PTS_Y 2 SWORD INDEX_INCR DIRECT",
}
LAYOUT = """    /begin RECORD_LAYOUT RL{axes}_{type} {entries} FNC_VALUES 3 {type} ROW_DIR DIRECT /end RECORD_LAYOUT
"""

AXIS = """      /begin AXIS_DESCR STD_AXIS {quantity} CM_{method} 16 {lower} {upper}
        FORMAT "%6.2"
        EXTENDED_LIMITS {lower} {upper}
        DEPOSIT ABSOLUTE
      /end AXIS_DESCR
"""


def describe(measurements: int = 100_000, characteristics: int = 50_000, seed: int = 1) -> bytes:
    """An ASAP2 text with so many objects; about 100 MB for the defaults."""
    rng = random.Random(seed)
    parts = [HEAD]
    parts += [
        f'    /begin COMPU_METHOD CM_{n} "" LINEAR "%8.3" "unit {n}" COEFFS_LINEAR 0.{n + 1} {n} /end COMPU_METHOD\n'
        for n in range(400)
    ]
    for kind, _ in TYPES:
        for axes, entries in LAYOUT_AXES.items():
            parts.append(LAYOUT.format(type=kind, axes=axes, entries=entries))
    names = []
    for n in range(measurements):
        values = common(rng, n, 0x2000_0000)
        names.append(values["name"])
        parts.append(MEASUREMENT.format(event=n % 7, **values))
    for n in range(characteristics):
        values = common(rng, n, 0x8000_0000)
        values["name"] = f"{values['name']}_C"
        axes = rng.choice((0, 0, 1, 2))
        quantity = names[n % len(names)] if names else "NO_INPUT_QUANTITY"
        axis = AXIS.format(quantity=quantity, **values) * axes
        parts.append(
            CHARACTERISTIC.format(
                axes=axes, kind=("VALUE", "CURVE", "MAP")[axes], axis=axis, **values
            )
        )
    for start in range(0, len(names), 500):
        body = "\n          ".join(names[start : start + 500])
        parts.append(
            f'    /begin GROUP G{start} "" ROOT\n      /begin REF_MEASUREMENT\n          {body}\n'
            "      /end REF_MEASUREMENT\n    /end GROUP\n"
        )
    parts.append("  /end MODULE\n/end PROJECT\n")
    return "".join(parts).encode()


def common(rng: random.Random, n: int, base: int) -> dict[str, object]:
    area = AREAS[n % len(AREAS)]
    kind, size = TYPES[rng.randrange(len(TYPES))]
    word = rng.choice(WORDS)
    method = rng.randrange(400)  # its factor is at least 0.1: these limits fit every type
    name = f"{area}_{word.replace(' ', '')}.part[{n % 4}]._{n}_"
    return {
        "name": name,
        "area": area,
        "text": word.capitalize(),
        "type": kind,
        "method": method,
        "lower": method + rng.randrange(8) / 8,
        "upper": method + rng.randrange(8, 200) / 8,
        "address": base + n * 0x800 + size * rng.randrange(8),
        "symbol": f"{area}.{word.replace(' ', '_')}[{n}]",
    }
