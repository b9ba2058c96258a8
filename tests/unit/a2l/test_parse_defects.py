"""One defect per text: what is kept, and which finding names it."""

import time

import pytest

from xcaliper.a2l import parse
from xcaliper.core.diagnostics import Severity

HEAD = 'ASAP2_VERSION 1 71 /begin PROJECT p "" /begin MODULE m ""\n'
TAIL = "\n/end MODULE /end PROJECT"
GOOD = (
    '/begin MEASUREMENT good "" UBYTE NO_COMPU_METHOD 0 0 0 255 ECU_ADDRESS 0x10 /end MEASUREMENT\n'
)


def names(file):
    return [m.name for m in file.module.measurement]


def slugs(file):
    return [d.slug for d in file.diagnostics]


DEFECTS = {
    "unknown block": ("/begin FANCY 1 /begin INNER x /end INNER /end FANCY", "block-unknown"),
    "unknown keyword": ("NOVELTY 1 2 3", "keyword-unknown"),
    "parameter missing": (
        '/begin MEASUREMENT bad "" UBYTE NO_COMPU_METHOD 0 /end MEASUREMENT',
        "parameter-missing",
    ),
    "word for a number": (
        '/begin MEASUREMENT bad "" UBYTE CM zero 0 0 0 /end MEASUREMENT',
        "parameter-missing",
    ),
    "string missing": (
        "/begin MEASUREMENT bad UBYTE CM 0 0 0 0 /end MEASUREMENT",
        "parameter-missing",
    ),
    "optional without value": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 ECU_ADDRESS /end MEASUREMENT',
        "parameter-missing",
    ),
    "unknown enum word": (
        '/begin MEASUREMENT kept "" UTRIPLE CM 0 0 0 0 /end MEASUREMENT',
        "enum-unknown",
    ),
    "wrong end": ('/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 /end CHARACTERISTIC', "end-wrong"),
    "end without keyword": ('/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 /end', "end-wrong"),
    "end missing": ('/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0', "end-missing"),
    "keyword twice": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 FORMAT "%3" FORMAT "%4" /end MEASUREMENT',
        "keyword-twice",
    ),
    "identifier in quotes": (
        '/begin MEASUREMENT "kept" "" UBYTE CM 0 0 0 0 /end MEASUREMENT',
        "identifier-quoted",
    ),
    "fraction for an integer": (
        '/begin MEASUREMENT kept "" UBYTE CM 1.5 0 0 0 /end MEASUREMENT',
        "number-not-whole",
    ),
    "open string": (
        '/begin MEASUREMENT kept "no end\n UBYTE CM 0 0 0 0 /end MEASUREMENT',
        "string-open",
    ),
    "backslash before the quote": (
        '/begin MEASUREMENT kept "C:\\temp\\"\n UBYTE CM 0 0 0 0 /end MEASUREMENT',
        "string-backslash-end",
    ),
    "backslash before the quote in a line, more strings": (
        '/begin MEASUREMENT kept "C:\\temp\\" UBYTE CM 0 0 0 0 FORMAT "%3" /end MEASUREMENT',
        "string-backslash-end",
    ),
    "backslash before the quote in a line, no more strings": (
        '/begin MEASUREMENT kept "C:\\temp\\" UBYTE CM 0 0 0 0 /end MEASUREMENT',
        "string-backslash-end",
    ),
    "backslash before the quote, a string in the next line": (
        '/begin MEASUREMENT kept "C:\\temp\\" UBYTE CM 0 0 0 0\nFORMAT "%3" /end MEASUREMENT',
        "string-backslash-end",
    ),
    "comment closed by a later one": (
        '/* lost\n/begin UNIT u "" "" DERIVED /end UNIT\n/* x */',
        "comment-nested",
    ),
    "missing include": ('/include "nowhere.a2l"', "include-missing"),
    "block without marks": ("IF_DATA XCP 1 2 3", "block-expected"),
    "keyword with marks": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 /begin FORMAT "%3" /end FORMAT /end MEASUREMENT',
        "block-unexpected",
    ),
    "unknown block inside": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 /begin NEWS "x" /end NEWS /end MEASUREMENT',
        "block-unknown",
    ),
    "unknown keyword inside": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 SHINY 1 "x" FORMAT "%3" /end MEASUREMENT',
        "keyword-unknown",
    ),
    "keyword in lower case": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 format "%3" /end MEASUREMENT',
        "keyword-unknown",
    ),
    "block in lower case": (
        '/begin measurement lower "" UBYTE CM 0 0 0 0 /end measurement',
        "block-unknown",
    ),
    "misspelt end": ('/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 /end MEASURMENT', "end-wrong"),
    "inner end missing": (
        (
            '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 /begin ANNOTATION ANNOTATION_LABEL "x" '
            "/end MEASUREMENT"
        ),
        "end-missing",
    ),
    "inner end twice": (
        (
            '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 /begin ANNOTATION /end ANNOTATION '
            "/end ANNOTATION /end MEASUREMENT"
        ),
        "end-wrong",
    ),
    "end twice": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 /end MEASUREMENT /end MEASUREMENT',
        "end-wrong",
    ),
    "end without begin": ("/end CHARACTERISTIC", "end-wrong"),
    "end of nothing": ("/end", "end-wrong"),
    "begin without keyword": ('/begin "x" /end', "block-unknown"),
    "object inside an object": (
        '/begin GROUP kept "" /begin MEASUREMENT inner "" UBYTE CM 0 0 0 0 /end MEASUREMENT /end GROUP',
        "end-missing end-wrong",
    ),
    "interface data never ends": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 /begin IF_DATA XCP 1 /end MEASUREMENT',
        "end-wrong",
    ),
    "interface data of the module never ends": (
        "/begin IF_DATA XCP /begin DAQ 1 /end DAQ",
        "end-missing",
    ),
    "unknown block never ends": ("/begin FANCY 1 2 3", "block-unknown end-missing"),
    "interface data with crossed ends": (
        "/begin IF_DATA XCP /begin DAQ /begin EVENT 1 /end DAQ /end IF_DATA",
        "end-wrong",
    ),
    "interface data with a wrong end": (
        "/begin IF_DATA XCP /begin DAQ 1 /end PAG /end IF_DATA",
        "end-wrong",
    ),
    "name missing": (
        '/begin MEASUREMENT "" UBYTE CM 0 0 0 0 /end MEASUREMENT',
        "identifier-quoted parameter-missing",
    ),
    "bare text": (
        "/begin MEASUREMENT bad description UBYTE CM 0 0 0 0 /end MEASUREMENT",
        "parameter-missing",
    ),
    "everything missing": ("/begin MEASUREMENT /end MEASUREMENT", "parameter-missing"),
    "decimal comma": (
        '/begin MEASUREMENT bad "" UBYTE CM 0 0 0,5 1 /end MEASUREMENT',
        "parameter-missing",
    ),
    "bad hexadecimal": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 ECU_ADDRESS 0xGG /end MEASUREMENT',
        "parameter-missing",
    ),
    "infinite address": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 ECU_ADDRESS inf /end MEASUREMENT',
        "parameter-missing",
    ),
    "one number too many": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 77 FORMAT "%3" /end MEASUREMENT',
        "keyword-unknown",
    ),
    "unknown word of an option": (
        '/begin MEASUREMENT kept "" UBYTE CM 0 0 0 0 BYTE_ORDER MIDDLE /end MEASUREMENT',
        "enum-unknown",
    ),
    "axis without its parameters": (
        (
            '/begin CHARACTERISTIC c "" CURVE 0 RL 0 CM 0 1 /begin AXIS_DESCR STD_AXIS /end AXIS_DESCR '
            "/end CHARACTERISTIC"
        ),
        "parameter-missing",
    ),
    "incomplete row": (
        '/begin COMPU_VTAB t "" TAB_VERB 2 0 "off" 1 /end COMPU_VTAB',
        "list-incomplete",
    ),
    "second block that may stand once": (
        '/begin MOD_PAR "one" /end MOD_PAR /begin MOD_PAR "two" /end MOD_PAR',
        "keyword-twice",
    ),
    "quote inside a text": (
        '/begin MEASUREMENT bad "two" words" UBYTE CM 0 0 0 0\n/end MEASUREMENT',
        "enum-unknown string-open identifier-quoted parameter-missing",
    ),
    "typographic quotes": (
        "/begin MEASUREMENT bad “text” UBYTE CM 0 0 0 0 /end MEASUREMENT",
        "parameter-missing",
    ),
    "open A2ML": ("/begin A2ML struct { uint; }; /end IF_DATA", "a2ml-open"),
    "include without name": ("/include", "include-unnamed"),
    "line of prose": ("Please ask the supplier for the rest", "keyword-unknown"),
    "text between blocks": ('"left over"', "keyword-unknown"),
    "NUL": ("\0", "keyword-unknown"),
}


LATER_LINE = {"end missing", "interface data of the module never ends"}
SUBJECTS = {
    "wrong end": "kept",
    "end missing": "kept",
    "inner end missing": "kept",
    "parameter missing": "bad",
    "unknown keyword inside": "kept",
    "second block that may stand once": "",
    "missing include": "nowhere.a2l",
    "unknown block": "FANCY",
    "axis without its parameters": "c",
    "incomplete row": "t",
}


@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.parametrize("form", ["text", "utf-16", "latin", "crlf"])
def test_a_defect_costs_at_most_its_object(name, form):
    text, slug = DEFECTS[name]
    whole = HEAD + GOOD + text + "\n" + GOOD.replace("good", "later") + TAIL
    given = {
        "text": whole,
        "utf-16": whole.encode("utf-16"),
        "latin": (whole + "// ä").encode("cp1252", "replace"),
        "crlf": whole.replace("\n", "\r\n").encode(),
    }[form]
    file = parse(given, source="x.a2l")
    inner = ["inner"] if " inner" in text else []
    kept = ["kept"] if "MEASUREMENT kept" in text or '"kept"' in text else []
    assert names(file) == ["good", *kept, *inner, "later"]
    assert slugs(file) == slug.split()
    finding = file.diagnostics[0]
    assert finding.where.source == "x.a2l"
    assert finding.where.line == (4 if name in LATER_LINE else 3)
    assert finding.where.column >= 1
    assert finding.hint.endswith(".")
    assert finding.subject == SUBJECTS.get(name, finding.subject)


def test_there_are_enough_of_them():
    assert len(DEFECTS) >= 50


def test_the_first_of_two_counts():
    text = DEFECTS["keyword twice"][0]
    assert parse(HEAD + text + TAIL).module.measurement[0].format == "%3"


def test_escaped_backslash_path_is_kept_literally():
    text = DEFECTS["backslash before the quote"][0]
    assert parse(HEAD + text + TAIL).module.measurement[0].long_identifier == "C:\\temp\\"


def test_cut_off_keeps_what_is_complete():
    file = parse(HEAD + GOOD + '/begin MEASUREMENT half "" UBYTE')
    assert names(file) == ["good"]
    assert slugs(file) == ["parameter-missing", "cut-off"]
    assert max(d.severity for d in file.diagnostics) is Severity.ERROR


def test_names_equal_to_keywords():
    file = parse(
        '/begin PROJECT MODULE "" /begin MODULE ECU "" '
        '/begin MEASUREMENT VERSION "" UBYTE FORMAT 0 0 0 1 DISPLAY_IDENTIFIER FORMAT FORMAT "%1"'
        " /end MEASUREMENT /end MODULE /end PROJECT"
    )
    made = file.module.measurement[0]
    assert (file.project.name, file.module.name, made.name) == ("MODULE", "ECU", "VERSION")
    assert (made.conversion, made.display_identifier, made.format) == ("FORMAT", "FORMAT", "%1")
    assert not file.diagnostics


@pytest.mark.parametrize("name", ["1st", "a-b", "x[3].y(z)", "#x", "open[", "ümlaut", "a/b", "."])
def test_odd_identifiers(name):
    file = parse(HEAD + GOOD.replace("good", name) + TAIL)
    assert names(file) == [name]
    assert not file.diagnostics


def test_number_spellings_are_interchangeable():
    text = (
        '/begin MEASUREMENT n "" A_UINT64 CM 0x8 1E1 0x0 18446744073709551615 '
        "ECU_ADDRESS 4096.0 ECU_ADDRESS_EXTENSION -1 BIT_MASK 0xFFFFFFFFFFFFFFFF /end MEASUREMENT"
    )
    made = parse(HEAD + text + TAIL).module.measurement[0]
    assert (made.resolution, made.accuracy, made.upper_limit) == (8, 10.0, 18446744073709551615)
    assert (made.ecu_address, made.ecu_address_extension) == (4096, -1)
    assert isinstance(made.ecu_address, int)
    assert made.bit_mask == 2**64 - 1


def test_64_bit_addresses():
    file = parse(HEAD + GOOD.replace("0x10", "0x7FFF12345678") + TAIL)
    assert file.module.measurement[0].ecu_address == 0x7FFF12345678


def test_fragment_is_the_body_of_a_module():
    file = parse(GOOD + '/begin GROUP g "" ROOT /end GROUP')
    assert file.project is None
    assert file.modules == [file.fragment]
    assert file.module.group[0].root


def test_module_without_project():
    file = parse('/begin MODULE m ""' + GOOD + "/end MODULE")
    assert file.module.name == "m"


@pytest.mark.parametrize(
    "text", ["", "hello world", "\x7fELF\x01\x01\x01\0\0\0 \x00\x02", "/end", "/begin"]
)
def test_what_is_no_description_gives_one_finding(text):
    file = parse(text)
    assert slugs(file) == ["not-asap2"]
    assert file.modules == []


def test_deep_nesting_of_unknown_blocks():
    bomb = "/begin X " * 10_000 + "/end X " * 10_000
    file = parse(HEAD + bomb + GOOD + TAIL)
    assert names(file) == ["good"]
    assert slugs(file) == ["block-unknown"]


def test_deep_nesting_in_if_data():
    bomb = "/begin IF_DATA V " + "/begin X 1 " * 10_000 + "/end X " * 10_000 + "/end IF_DATA\n"
    file = parse(HEAD + bomb + GOOD + TAIL)
    assert names(file) == ["good"]
    assert slugs(file) == ["nesting-depth"]
    assert repr(file)


def test_nesting_that_is_never_closed():
    assert "cut-off" in slugs(parse(HEAD + "/begin IF_DATA V " + "/begin X " * 10_000))


def test_megabyte_string_in_bounded_time():
    text = "x" * 3_000_000 + '""' + '\\"' * 100_000
    start = time.process_time()
    file = parse(HEAD + GOOD.replace('""', f'"{text}"') + TAIL)
    assert len(file.module.measurement[0].long_identifier) == 3_000_001 + 100_000
    assert time.process_time() - start < 5


@pytest.mark.parametrize("engine", ["re", "fast"])
@pytest.mark.parametrize(
    ("spelled", "text", "found"),
    [
        ('"C:\\dir\\" UBYTE', "C:\\dir\\", ["string-backslash-end"]),
        ('"C:\\a \\"b\\" c\\" UBYTE', 'C:\\a \\"b\\" c\\', ["string-backslash-end"]),
        ('"C:\\dir\\\\" UBYTE', "C:\\dir\\", []),
        ('"the \\"b\\" of c" UBYTE', 'the "b" of c', []),
        ('"5\\" pipe" UBYTE', '5" pipe', []),
        ('"5\\" pipe\nof a plant" UBYTE', '5" pipe\nof a plant', []),
        ('"the \\"b\\" of c"UBYTE', 'the "b" of c', []),
    ],
)
def test_backslash_before_a_quote(spelled, text, found, engine):
    block = GOOD.replace('"" UBYTE', spelled).replace("ECU_", 'FORMAT "%3" ECU_')
    file = parse(HEAD + block + GOOD + TAIL, engine=engine)
    assert names(file) == ["good", "good"]
    assert slugs(file) == found
    first = file.module.measurement[0]
    assert (first.long_identifier, first.format, first.ecu_address) == (text, "%3", 0x10)


def test_quotes_behind_backslashes_in_bounded_time():
    start = time.process_time()
    for line in ('"a' + '\\" ' * 200_000 + '"x', '"a' + '\\" ' * 200_000):
        file = parse(HEAD + GOOD + line + "\n" + GOOD + TAIL)
        assert "good" in names(file)
    assert time.process_time() - start < 10


def test_comment_closed_by_a_later_one():
    hidden = f"/* note\n{GOOD}// b */"
    file = parse(HEAD + GOOD + "/* a /* b */" + GOOD + hidden + "/* c\n" + GOOD + "/* d */" + TAIL)
    assert names(file) == ["good", "good"]
    assert [(d.slug, d.where.line) for d in file.diagnostics] == [("comment-nested", 6)]
    quoted = GOOD.replace('""', '"/* a"')
    assert slugs(parse(HEAD + quoted + quoted + "/* b */" + TAIL)) == []


def test_unterminated_comment():
    for engine in ("re", "fast"):
        lost, kept = GOOD.replace("good", "lost"), GOOD.replace('""', '"a /* b"')
        file = parse(HEAD + GOOD + "/* never closed " + lost + kept + TAIL, engine=engine)
        assert names(file) == ["good", "good"]
        assert file.module.measurement[1].long_identifier == "a /* b"
        assert [(d.slug, d.where.line) for d in file.diagnostics] == [("comment-open", 3)]
        inside = GOOD.replace(" UBYTE", " UBYTE /* one word\n")
        file = parse(HEAD + inside + GOOD + TAIL, engine=engine)
        assert names(file) == ["good", "good"]
        assert file.module.measurement[0].origin.span() == (len(HEAD), len(HEAD + inside) - 1)


def test_many_defects_stay_bounded():
    file = parse(HEAD + "/begin X /end X " * 5000 + TAIL)
    assert len(file.diagnostics) == 1001
    assert slugs(file)[-1] == "too-many"


def test_includes_in_place_even_half_a_block():
    texts = {"a.a2l": '/begin MEASUREMENT inner "" UBYTE CM 0', "b.a2l": "0 0 1 /end MEASUREMENT"}
    asked = []

    def loader(name, source):
        asked.append((name, source))
        return texts.get(name)

    file = parse(HEAD + '/include a.a2l /INCLUDE "b.a2l"' + TAIL, source="top", loader=loader)
    assert names(file) == ["inner"]
    assert asked == [("a.a2l", "top"), ("b.a2l", "top")]
    assert file.module.measurement[0].where.source == "a.a2l"
    assert not file.diagnostics


def test_cyclic_include():
    file = parse(
        HEAD + "/include a.a2l" + TAIL, loader=lambda name, source: GOOD + ' /include "a.a2l"'
    )
    assert names(file) == ["good"]
    assert slugs(file) == ["include-cycle"]


def test_include_bomb_is_bounded():
    counter = iter(range(10**9))
    file = parse(
        HEAD + "/include x" + TAIL, loader=lambda name, source: f"/include x{next(counter)}"
    )
    assert "include-limit" in slugs(file)


def test_lines_are_right():
    file = parse(HEAD + "\n\n" + GOOD + TAIL)
    assert file.module.measurement[0].line == 4


@pytest.mark.parametrize("engine", ["re", "fast"])
@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("/end MODULE\n", 3),
        ('/begin MEASUREMENT bad "" UBYTE CM 0 0 0 0 /end MODULE\n', 3),
        ("/end MODULE /end PROJECT\n", 3),
        ("/end MODULE /* no end of the module behind */ \n", None),
    ],
)
def test_a_module_that_is_closed_too_early_goes_on(wrong, line, engine):
    tail = TAIL if line else "\n/end PROJECT"
    other = GOOD.replace("good", "other")
    file = parse(HEAD + GOOD + wrong + other + GOOD.replace("good", "third") + tail, engine=engine)
    assert len(file.modules) == 1
    assert [n for n in names(file) if n != "bad"] == ["good", "other", "third"]
    assert "end-wrong" in slugs(file)
    if line:
        assert next(d.where.line for d in file.diagnostics if d.slug == "end-wrong") == line


@pytest.mark.parametrize("engine", ["re", "fast"])
@pytest.mark.parametrize("behind", ["", "/begin A2ML struct { uint; }; /end A2ML\n"])
def test_a2ml_without_end_costs_no_neighbour(engine, behind):
    open_block = '/begin A2ML /* as in /begin MEASUREMENT */ block "IF_DATA" struct { uint; };\n'
    file = parse(
        HEAD + open_block + GOOD + behind + GOOD.replace("good", "b") + TAIL, engine=engine
    )
    assert names(file) == ["good", "b"]
    assert [(d.slug, d.where.line) for d in file.diagnostics][:2] == [
        ("a2ml-open", 2),
        ("end-missing", 3),
    ]
    assert file.module.a2ml.text.rstrip().endswith("};")


def test_many_a2ml_without_end_take_linear_time():
    file = parse(HEAD + "/begin A2ML /* x " * 30_000 + "*/ /begin A2ML " * 30_000 + GOOD + TAIL)
    assert names(file) == ["good"]
