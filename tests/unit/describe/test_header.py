"""Annotated headers without a program."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.a2l import parse, write
from xcaliper.a2l.check import check
from xcaliper.core.diagnostics import Severity
from xcaliper.describe import parse_header

HEADER = """
#define POINTS 5
#define ROWS (3u)

/* @@ measurement EngineSpeed
 * @@ text    "Speed of the crankshaft"
 * @@ unit    "1/min"
 * @@ linear  0.25 0
 * @@ limits  0 8000
 * @@ format  "%6.1"
 * @@ group   Engine
 * @@ function SpeedSensor
 */
extern volatile uint16_t rpm_raw;

extern uint8_t gear; // @@ measurement
// @@ measurement State
// @@ enum 0=Off 1="Running hot" -3=Broken
extern int8 state;

/* @@ parameter */
static const float gain = 1.5f;
/* @@ parameter @@ nothing on this line */
/* @@ parameter Label
 * @@ symbol  ident.text */
extern const char label[16];
/* @@ axis SpeedAxis
   @@ unit "1/min"
   @@ x EngineSpeed */
extern const uint16_t speed_axis[POINTS];
/* @@ curve Correction
   @@ x SpeedAxis
   @@ hard -2 2
   @@ limits -1 1
   @@ group Engine */
extern const float correction[POINTS];
/* @@ map Ignition
   @@ x SpeedAxis
   @@ y 0 25 100
   @@ linear 0.5 -40 */
extern const uint8_t ignition[ROWS][POINTS];
/* @@ measurement
   @@ type FLOAT64_IEEE
   @@ writable */
extern myfloat odd;
/* an ordinary comment */
int untouched;
"""


def test_every_kind() -> None:
    tree = parse_header(HEADER, source="src/ecu.h")
    assert tree.diagnostics == []
    tree = parse(write(tree))
    assert tree.diagnostics == []
    assert [f for f in check(tree) if f.severity is Severity.ERROR] == []
    module = tree.module
    assert module.name == "ecu"
    speed, gear, state, odd = module.measurement
    assert (speed.name, speed.long_identifier, speed.datatype) == (
        "EngineSpeed",
        "Speed of the crankshaft",
        "UWORD",
    )
    assert (speed.lower_limit, speed.upper_limit, speed.format) == (0, 8000, "%6.1")
    assert (speed.symbol_link.symbol_name, speed.symbol_link.offset) == ("rpm_raw", 0)
    methods = {m.name: m for m in module.compu_method}
    made = methods[speed.conversion]
    assert (made.conversion_type, made.unit, made.coeffs_linear.a) == ("LINEAR", "1/min", 0.25)
    assert (gear.name, gear.datatype, gear.conversion) == ("gear", "UBYTE", "NO_COMPU_METHOD")
    assert state.datatype == "SBYTE"
    tables = {t.name: t.pairs for t in module.compu_vtab}
    assert tables[methods[state.conversion].compu_tab_ref] == [
        (0, "Off"),
        (1, "Running hot"),
        (-3, "Broken"),
    ]
    assert (odd.datatype, odd.read_write) == ("FLOAT64_IEEE", True)
    made = {c.name: c for c in module.characteristic}
    assert made["gain"].type == "VALUE"
    assert (made["Label"].type, made["Label"].number, made["Label"].symbol_link.symbol_name) == (
        "ASCII",
        16,
        "ident.text",
    )
    (axis,) = module.axis_pts
    assert (axis.name, axis.max_axis_points, axis.input_quantity) == ("SpeedAxis", 5, "EngineSpeed")
    curve, table = made["Correction"], made["Ignition"]
    assert curve.axis_descr[0].axis_pts_ref == "SpeedAxis"
    assert (curve.extended_limits.lower_limit, curve.lower_limit) == (-2, -1)
    x, y = table.axis_descr
    assert (x.attribute, x.max_axis_points) == ("COM_AXIS", 5)
    assert (y.attribute, y.fix_axis_par_list.axis_pts_value) == ("FIX_AXIS", [0, 25, 100])
    assert (table.lower_limit, table.upper_limit) == (-40, 87.5)
    (group,) = module.group
    assert group.ref_measurement.names == ["EngineSpeed"]
    assert group.ref_characteristic.names == ["Correction"]
    assert module.function[0].out_measurement.names == ["EngineSpeed"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/* @@ measurment */ int a;", ("measurment", "stands before the kind")),
        ("/* @@ measurement\n@@ colour red */ int a;", ("colour", "unknown")),
        ("/* @@ measurement */ what a;", ("what", "unknown")),
        ("/* @@ measurement\n@@ type HUGE */ int a;", ("type", "unknown")),
        ("/* @@ measurement */", ("no declaration",)),
        ("/* @@ measurement */ int f(void);", ("no declaration",)),
        ("/* @@ measurement */ int a[N];", ("dimension",)),
        ("/* @@ axis */ int a;", ("one dimension",)),
        ("/* @@ curve */ int a[3];", ("axes",)),
        ("/* @@ map\n@@ x A\n@@ y B */ int a[3];", ("2 dimensions",)),
        ("/* @@ instance */ struct s a;", ("members are not known",)),
        ("/* @@ measurement\n@@ linear 0 */ int a;", ("factor",)),
        ("int a; // @@ measurement X\nint b; // @@ measurement X", ("there already",)),
        ("/* @@ measurement\n@@ limits 0 */ int a;", ("lower and an upper",)),
        ("/* @@ parameter\n@@ hard low high */ int a;", ("hard", "lower and an upper")),
        ("/* @@ measurement\n@@ linear 0 5 */ int a;", ("no way back",)),
        ("/* @@ measurement\n@@ enum Off On */ int a;", ("VALUE=TEXT",)),
        ("/* @@ measurement\n@@ unti rpm */ int a;", ("Did you mean unit?",)),
        ("/* @@ curve\n@@ x Nowhere */ int a[3];", ("axis Nowhere is not there", "@@ axis Nowhere")),
        ("/* @@ measurement\nint a;", ("no end",)),
        ("/* @@ measurement */ int a, b;", ("several variables",)),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_line(text, words) -> None:
    tree = parse_header("\n\n" + text, source="ecu.h")
    assert tree.diagnostics
    finding = str(tree.diagnostics[0])
    assert finding.startswith(("ecu.h:3:", "ecu.h:4:"))
    assert all(word in finding for word in words), finding
    assert tree.diagnostics[0].hint
    parse(write(tree))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("  /* @@ measurement\n   *   @@ colour red */ int a;", (2, 8)),
        ("int a;  // @@ measurment", (1, 12)),
        ("// @@ measurement\n//  @@ limits x\nint a;", (2, 5)),
        ("/* @@ curve\r\n   @@ x Nowhere */ int a[3];", (2, 4)),
    ],
)
def test_mistakes_are_told_with_their_column(text, where) -> None:
    (finding,) = parse_header(text, source="ecu.h").diagnostics
    assert (finding.where.line, finding.where.column) == where


@pytest.mark.parametrize(
    ("declaration", "datatype", "dims"),
    [
        ("unsigned long int a;", "ULONG", None),
        ("long unsigned a;", "ULONG", None),
        ("short int a;", "SWORD", None),
        ("EXTERN_C CAL_CONST uint16_t a;", "UWORD", None),
        ('uint8_t a __attribute__((section(".cal"), aligned(4)));', "UBYTE", None),
        ("_Alignas(8) uint8_t a;", "UBYTE", None),
        ("uint8_t a[N];", "UBYTE", (16,)),
        ("uint8_t a[2u * (N - 1)][0x10UL];", "UBYTE", (16, 30)),
        ("uint8_t a[M];", "UBYTE", (33,)),
    ],
)
def test_declarations(declaration, datatype, dims) -> None:
    text = (
        f"#define N 0x10u /* cells */\n#define M ((N << 1) + 1)\n/* @@ measurement */ {declaration}"
    )
    tree = parse_header(text)
    assert tree.diagnostics == []
    (made,) = tree.module.measurement
    assert (made.datatype, made.matrix_dim) == (datatype, dims)


@pytest.mark.parametrize(
    "size", ["A", "B", "1 / 0", "1 << 99", "f(2)", "-3", "9" * 300, "(" * 99, "2.5"]
)
def test_sizes_that_are_none(size) -> None:
    text = f"#define A B\n#define B A\n/* @@ measurement */ int a[{size}];"
    (finding,) = parse_header(text).diagnostics
    assert "dimension" in finding.text or "no declaration" in finding.text


def test_axis_may_stand_behind_its_table() -> None:
    text = "/* @@ curve\n@@ x A */ float c[3];\n/* @@ axis A */ float a[3];"
    assert parse_header(text).diagnostics == []


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=200), st.integers(0, len(HEADER)))
def test_any_text_gives_a_description(text, at) -> None:
    for made in (text, HEADER[:at] + text + HEADER[at:], HEADER[:at]):
        assert parse(write(parse_header(made))).diagnostics == []
