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
    "missing include": ('/include "nowhere.a2l"', "include-missing"),
    "block without marks": ("IF_DATA XCP 1 2 3", "block-expected"),
    "keyword with marks": ("", ""),
}
del DEFECTS["keyword with marks"]


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_costs_at_most_its_object(name):
    text, slug = DEFECTS[name]
    file = parse(HEAD + GOOD + text + "\n" + GOOD.replace("good", "later") + TAIL, source="x.a2l")
    kept = ["kept"] if " kept" in text or '"kept"' in text else []
    assert names(file) == ["good", *kept, "later"]
    assert slugs(file) == [slug]
    assert file.diagnostics[0].where.line == (3 if name != "end missing" else 4)
    assert file.diagnostics[0].where.source == "x.a2l"


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


def test_unterminated_comment():
    file = parse(HEAD + GOOD + "/* never closed " + GOOD + TAIL)
    assert names(file) == ["good"]
    assert "comment-open" in slugs(file)


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
