"""Each rule about structure and IF_DATA: one defect, one finding, on the right object and line."""

import re
from pathlib import Path

import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.check import check, suppress, suppressions
from xcaliper.a2l.rules import RULES
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.sim.describe import describe_tree
from xcaliper.sim.gallery.demo_engine import demo_engine
from xcaliper.sim.image import build_image
from xcaliper.sim.xcp_section import slave_config
from xcaliper.xcp.slave_config import SlaveConfig

ROOT = Path(__file__).parents[3]


def found(body, *, version="1 71", ignore=("unused", "aml-missing", "epk-missing"), **options):
    text = f'ASAP2_VERSION {version}\n/begin PROJECT p "" /begin MODULE m ""\n{body}\n/end MODULE /end PROJECT'
    tree = parse(text)
    assert tree.diagnostics == []
    return check(tree, ignore=ignore, **options)


def slugs(body, **options):
    return [(d.slug, d.subject) for d in found(body, **options)]


GROUP = '/begin GROUP {} "" {} /begin SUB_GROUP {} /end SUB_GROUP /end GROUP\n'
LAYOUT = "/begin RECORD_LAYOUT L FNC_VALUES 1 UBYTE ROW_DIR DIRECT {} /end RECORD_LAYOUT\n"
VALUE = '/begin CHARACTERISTIC {} "" VALUE 0x10 L 0 NO_COMPU_METHOD 0 1 {} /end CHARACTERISTIC\n'
CURVE = """/begin CHARACTERISTIC a "" CURVE 0 L 0 NO_COMPU_METHOD 0 1
  /begin AXIS_DESCR STD_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 8 0 9 /end AXIS_DESCR /end CHARACTERISTIC\n"""
SEGMENT = """/begin MEMORY_SEGMENT {} "" DATA FLASH INTERN {} {} -1 -1 -1 -1 -1 {} /end MEMORY_SEGMENT\n"""
MOD_PAR = '/begin MOD_PAR "" {} /end MOD_PAR\n'
XCP = """/begin IF_DATA XCP /begin DAQ DYNAMIC 0 {} 0 OPTIMISATION_TYPE_DEFAULT ADDRESS_EXTENSION_FREE
  IDENTIFICATION_FIELD_TYPE_ABSOLUTE GRANULARITY_ODT_ENTRY_SIZE_DAQ_BYTE 4 NO_OVERLOAD_INDICATION {} /end DAQ
  /end IF_DATA\n"""
EVENT = '/begin EVENT "{0}" "e" {0} DAQ 255 10 6 0 /end EVENT '
MEASURED = '/begin MEASUREMENT a "" UBYTE NO_COMPU_METHOD 0 0 0 1 {} /end MEASUREMENT\n'
FIXED = "/begin IF_DATA XCP /begin DAQ_EVENT FIXED_EVENT_LIST EVENT {} /end DAQ_EVENT /end IF_DATA"
VARIABLE = """/begin IF_DATA XCP /begin DAQ_EVENT VARIABLE /begin AVAILABLE_EVENT_LIST EVENT 1 /end AVAILABLE_EVENT_LIST
  /begin DEFAULT_EVENT_LIST EVENT 2 /end DEFAULT_EVENT_LIST /end DAQ_EVENT /end IF_DATA"""
XCP_SEGMENT = "/begin IF_DATA XCP /begin SEGMENT {} {} 0 0 0 {} /end SEGMENT /end IF_DATA"
PAGE = "/begin PAGE {} ECU_ACCESS_DONT_CARE XCP_READ_ACCESS_DONT_CARE XCP_WRITE_ACCESS_DONT_CARE /end PAGE "
VARIANT = """/begin VARIANT_CODING
  /begin VAR_CRITERION Car "" Small Large /end VAR_CRITERION /begin VAR_CRITERION Gear "" Manual Auto /end VAR_CRITERION
  {} /begin VAR_CHARACTERISTIC v Car Gear /begin VAR_ADDRESS {} /end VAR_ADDRESS /end VAR_CHARACTERISTIC
/end VARIANT_CODING"""
FORBIDDEN = "/begin VAR_FORBIDDEN_COMB Car {} Gear Manual /end VAR_FORBIDDEN_COMB"
PARAMETER = LAYOUT.format("") + VALUE.format("v", "")

DEFECTS = {
    "group-cycle": (GROUP.format("g", "", "h") + GROUP.format("h", "", "g"), "g"),
    "group-parents": (
        GROUP.format("x", "ROOT", "g") + GROUP.format("y", "ROOT", "g") + GROUP.format("g", "", ""),
        "g",
    ),
    "group-no-root": (GROUP.format("g", "", ""), "g"),
    "group-root-inside": (GROUP.format("x", "ROOT", "g") + GROUP.format("g", "ROOT", ""), "g"),
    "variant-addresses": (PARAMETER + VARIANT.format("", "1 2 3"), "v"),
    "variant-value": (PARAMETER + VARIANT.format(FORBIDDEN.format("Huge"), "1 2 3 4"), ""),
    "layout-incomplete": (LAYOUT.format("") + CURVE, "a"),
    "layout-dimension": (
        LAYOUT.format("AXIS_PTS_X 2 UBYTE INDEX_INCR DIRECT FIX_NO_AXIS_PTS_X 5") + CURVE,
        "a",
    ),
    "layout-position": (LAYOUT.format("NO_AXIS_PTS_X 1 UBYTE"), "L"),
    "version-deprecated": (MEASURED.format("ARRAY_SIZE 4"), "a"),
    "epk-address": (MOD_PAR.format('EPK "1.0"'), ""),
    "epk-missing": (MOD_PAR.format("ADDR_EPK 0x10"), ""),
    "memory-outside": (
        MOD_PAR.format('EPK "1.0" ADDR_EPK 0x10 ' + SEGMENT.format("s", "0x20", "0x20", "")),
        "",
    ),
    "segment-overlap": (
        MOD_PAR.format(
            SEGMENT.format("s", "0x20", "0x20", "") + SEGMENT.format("t", "0x3F", 4, "")
        ),
        "t",
    ),
    "name-duplicate": (
        MOD_PAR.format(SEGMENT.format("s", 0, 1, "") + SEGMENT.format("s", 8, 1, "")),
        "s",
    ),
    "segment-number": (
        MOD_PAR.format(
            SEGMENT.format("s", 0, 1, XCP_SEGMENT.format(0, 1, PAGE.format(0)))
            + SEGMENT.format("t", 8, 1, XCP_SEGMENT.format(0, 1, PAGE.format(0)))
        ),
        "t",
    ),
    "segment-pages": (
        MOD_PAR.format(SEGMENT.format("s", 0, 1, XCP_SEGMENT.format(0, 2, PAGE.format(0)))),
        "s",
    ),
    "table-duplicate": ('/begin COMPU_VTAB t "" TAB_VERB 2 1 "x" 1 "y" /end COMPU_VTAB', "t"),
    "table-unsorted": ('/begin COMPU_TAB t "" TAB_INTP 2 2 0 1 5 /end COMPU_TAB', "t"),
    "event-unknown": (XCP.format(1, EVENT.format(1)) + MEASURED.format(FIXED.format(7)), "a"),
    "event-duplicate": (XCP.format(2, EVENT.format(1) * 2), "m"),
    "event-count": (XCP.format(1, EVENT.format(0) + EVENT.format(1)), "m"),
    "event-default": (
        XCP.format(2, EVENT.format(1) + EVENT.format(2)) + MEASURED.format(VARIABLE),
        "a",
    ),
    "blob-address": (
        MEASURED.format("ECU_ADDRESS 0x20 /begin IF_DATA ASAP1B_CCP KP_BLOB 0 0x24 1 /end IF_DATA"),
        "a",
    ),
    "aml-mismatch": (XCP.format(1, "STRANGE"), "XCP"),
    "aml-tag-unknown": ("/begin IF_DATA OTHER 1 /end IF_DATA", "OTHER"),
    "aml-syntax": ('/begin A2ML block "IF_DATA" taggedunion { "X" } /end A2ML', "A2ML"),
}


@pytest.mark.parametrize("slug", DEFECTS)
def test_one_defect_is_found(slug):
    body, subject = DEFECTS[slug]
    notes = {"unused", "aml-missing", "epk-missing", "group-no-root", "if-xcp-unknown"} - {slug}
    made = slugs(body, ignore=notes)
    assert (slug, subject) in made
    assert {s for s, _ in made} == {slug}


def test_places_are_those_of_the_objects():
    body = MEASURED.format("") + GROUP.format("g", "", "h") + GROUP.format("h", "", "g")
    (finding,) = found(body)
    assert finding.where.line == 4
    assert finding.severity is Severity.ERROR


def test_forbidden_combinations_need_no_address():
    body = PARAMETER + VARIANT.format(FORBIDDEN.format("Large"), "1 2 3")
    assert slugs(body) == []


def test_a_long_chain_of_groups_is_no_cycle():
    body = "".join(GROUP.format(f"g{n}", "" if n else "ROOT", f"g{n + 1}") for n in range(3000))
    assert slugs(body + '/begin GROUP g3000 "" /end GROUP') == []


LAYER = """/begin PROTOCOL_LAYER 0x0104 1000 1000 0 0 0 0 0 8 8 BYTE_ORDER_MSB_{} ADDRESS_GRANULARITY_BYTE
 /end PROTOCOL_LAYER"""
UDP = '/begin XCP_ON_UDP_IP 0x0104 {} ADDRESS "127.0.0.1" {} /end XCP_ON_UDP_IP'


@pytest.mark.parametrize("orders", ["LL", "LF", "FL", "F-", "L-", "-L"])
def test_the_byte_order_of_every_transport_is_compared(orders):
    layers = [LAYER.format({"L": "LAST", "F": "FIRST"}[o]) if o != "-" else "" for o in orders]
    udp = UDP.format(5555, layers[0]) + UDP.format(5556, layers[1])
    common = '/begin MOD_COMMON "" BYTE_ORDER MSB_LAST /end MOD_COMMON '
    told = [d.slug for d in found(common + f"/begin IF_DATA XCP {udp} /end IF_DATA")]
    assert ("byte-order-differs" in told) == ("F" in orders)


def test_events_without_any_description_are_one_finding():
    body = XCP.format(1, "") + MEASURED.format(FIXED.format(7))
    assert slugs(body) == [("event-unknown", "m")]
    assert slugs(MEASURED.format(FIXED.format(7))) == [("event-unknown", "m")]


def test_rasters_of_ccp():
    module = '/begin IF_DATA ASAP1B_CCP /begin RASTER "r" "r" 1 4 1 /end RASTER /end IF_DATA'
    blob = "/begin IF_DATA ASAP1B_CCP KP_BLOB 0 0x20 1 RASTER {} /end IF_DATA"
    used = "ECU_ADDRESS 0x20 " + blob
    assert slugs(module + MEASURED.format(used.format(1))) == []
    assert slugs(module + MEASURED.format(used.format(2))) == [("event-unknown", "a")]


def test_unused_servants():
    body = LAYOUT.format("") + '/begin COMPU_METHOD c "" IDENTICAL "%3" "" /end COMPU_METHOD'
    assert slugs(body, ignore=()) == [("unused", "c"), ("unused", "L")]
    assert slugs(PARAMETER, ignore=()) == []


@pytest.mark.parametrize(
    ("version", "encoding", "slug"),
    [
        ("1 51", "utf-8", "encoding-utf"),
        ("1 51", "utf-16", "encoding-utf"),
        ("1 51", "cp1252", None),
        ("1 60", "utf-8", "encoding-mark"),
        ("1 60", "utf-8-sig", None),
    ],
)
def test_encoding(version, encoding, slug):
    made = [d.slug for d in found("", version=version, encoding=encoding)]
    assert made == ([slug] if slug else [])


def test_suppressions():
    one = Diagnostic(Severity.INFO, "unused", Where(), "", subject="Tmp_1")
    two = Diagnostic(Severity.INFO, "unused", Where(), "", subject="Kept")
    assert suppress([one, two], []) == [one, two]
    assert suppress([one, two], ["unused"]) == []
    assert suppress([one, two], ["unused:Tmp*"]) == [two]
    assert suppress([one, two], ["other", "unused:tmp*"]) == [one, two]
    text = "/* xcaliper: ignore unused:Tmp*, epk-missing */ x\n// xcaliper: ignore aml-*\n"
    assert suppressions(text) == ["unused:Tmp*", "epk-missing", "aml-*"]


def test_virtual_ecu_is_clean():
    declaration = demo_engine()
    image = build_image(declaration)
    tree = describe_tree(image, slave_config(declaration, SlaveConfig()))
    assert check(tree) == []


def test_rules_are_complete_sentences():
    for slug, rule in RULES.items():
        assert rule.slug == slug
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+|unused", slug)
        assert rule.title[0].isupper()
        assert not rule.title.endswith(".")
        assert rule.explanation.endswith(".")
        assert rule.remedy.endswith((".", "*/."))


def test_every_code_in_the_source_has_a_rule():
    sources = [
        *(ROOT / "src/xcaliper/a2l").glob("*.py"),
        ROOT / "src/xcaliper/quantity/lint.py",
        ROOT / "src/xcaliper/client/compare.py",
    ]
    words = set()
    for source in sources:
        text = source.read_text("utf-8")
        words |= set(re.findall(r'"([a-z][a-z0-9]*(?:-[a-z0-9]+)+)"', text))
    foreign = {
        "by-name",
        "daq-contradiction",
        "daq-assumed",
        "epk-mismatch",
    }  # of the DAQ survey, renamed
    foreign |= {w for w in words if re.match(r"(utf|latin)-", w)}
    assert words - foreign <= RULES.keys()
    used = words | {
        f"if-{kind}-{what}" for kind in ("xcp", "ccp") for what in ("missing", "unknown")
    }
    assert RULES.keys() - used <= {"unused"}


METHOD = '/begin COMPU_METHOD c "" {} "%3" "" {} /end COMPU_METHOD'


@pytest.mark.parametrize(
    ("method", "severity"),
    [
        (METHOD.format("RAT_FUNC", "COEFFS 0 2 4 0 1 2"), Severity.ERROR),
        (METHOD.format("RAT_FUNC", "COEFFS 0 1 0 0 0 0"), Severity.ERROR),
        (METHOD.format("LINEAR", "COEFFS_LINEAR 0 1"), Severity.WARNING),
        (METHOD.format("RAT_FUNC", "COEFFS 0 0 5 0 1 0"), None),
        (METHOD.format("LINEAR", "COEFFS_LINEAR -1 0"), None),
    ],
)
def test_conversions_that_give_one_value(method, severity):
    told = [(d.slug, d.severity) for d in found(method)]
    assert told == ([] if severity is None else [("conversion-degenerate", severity)])


def test_same_object_twice_is_less_than_another_of_its_name():
    one = MEASURED.format("ECU_ADDRESS 1")
    assert [d.severity for d in found(one + one)] == [Severity.WARNING]
    assert [d.severity for d in found(one + MEASURED.format("ECU_ADDRESS 2"))] == [Severity.ERROR]


def test_a_widespread_word_for_no_input_is_no_name():
    assert slugs(MEASURED.format("/begin VIRTUAL NoInput /end VIRTUAL")) == []
    assert slugs(MEASURED.format("/begin VIRTUAL Gone /end VIRTUAL")) == [
        ("reference-dangling", "a")
    ]


def test_dangling_names_are_pointed_at():
    (one,) = found(MEASURED.replace("NO_COMPU_METHOD", "Gone").format(""))
    assert (one.where.line, one.where.column) == (3, len('/begin MEASUREMENT a "" UBYTE ') + 1)
