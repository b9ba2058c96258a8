"""Every description of the corpus, and our own: read without exception, with the objects a regex counts."""

import os
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from xcaliper.a2l import decode_text, open_a2l, parse, write
from xcaliper.a2l.aml_match import build, match
from xcaliper.a2l.builtin_aml import module_aml
from xcaliper.a2l.check import check
from xcaliper.a2l.if_xcp import (
    read_daq_event,
    read_segment,
    read_xcp,
    write_daq_event,
    write_segment,
    write_xcp,
)
from xcaliper.a2l.ifdata import IfData
from xcaliper.a2l.index import walk
from xcaliper.a2l.rules import RULES
from xcaliper.core.errors import XcaliperError
from xcaliper.quantity.catalog import Catalog
from xcaliper.quantity.lint import lint

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("XCALIPER_CORPUS", ROOT / "../shared/data"))
OWN = sorted(
    (ROOT / "tests/vectors/a2l").glob("*.a2l")
)  # where there is no corpus, these stand for it
FILES = [*OWN, *sorted(CORPUS.glob("a2l/**/*.a2l"))]

KINDS = [
    "MEASUREMENT",
    "CHARACTERISTIC",
    "AXIS_PTS",
    "COMPU_METHOD",
    "COMPU_TAB",
    "COMPU_VTAB",
    "COMPU_VTAB_RANGE",
    "FUNCTION",
    "GROUP",
    "RECORD_LAYOUT",
    "UNIT",
    "INSTANCE",
    "TYPEDEF_STRUCTURE",
    "TYPEDEF_MEASUREMENT",
    "TYPEDEF_CHARACTERISTIC",
    "TYPEDEF_AXIS",
    "STRUCTURE_COMPONENT",
    "AXIS_DESCR",
    "MEMORY_SEGMENT",
]

# A parameter is wrong in the file itself, so one object is left out.
DEFECTS = {
    "first_edition.a2l": "parameter-missing",
    "freeTest.a2l": "parameter-missing",
    "includeModule.a2l": "parameter-missing",
    "includeTest.a2l": "parameter-missing",
}


def load(path):
    def loader(name, source):
        wanted = path.parent / name.replace("\\", "/")
        return decode_text(wanted.read_bytes())[0] if wanted.is_file() else None

    text = decode_text(path.read_bytes())[0]
    return text, parse(text, source=path.name, loader=loader)


def expected_counts(text):
    """Count block openings with comments, strings and A2ML blanked out."""
    bare = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\]|\\.|"")*"', " ", text, flags=re.S)
    bare = re.sub(r"/begin\s+A2ML\b.*?/end\s+A2ML\b", " ", bare, flags=re.S)
    return Counter(k for k in re.findall(r"/begin\s+(\w+)", bare) if k in KINDS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_file(path):
    start = time.process_time()
    text, file = load(path)
    assert time.process_time() - start < 2 + len(text) / 500_000
    # objects of included texts are not in the count
    file_alone = parse(text, source=path.name) if "/include" in text else file
    found = Counter(
        made.KEYWORD
        for module in file_alone.modules
        for made in walk(module)
        if made.KEYWORD in KINDS
    )
    missing = expected_counts(text) - found
    slugs = {d.slug for d in file.diagnostics}
    if path.name in DEFECTS:
        assert DEFECTS[path.name] in slugs
        assert missing.total() <= 1
    else:
        assert not missing
        assert slugs <= {"include-missing", "keyword-unknown", "string-open"}
    assert parse(write(file)) == file
    check(file)


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_interface_data_and_objects(path):
    _, file = load(path)
    for module in file.modules:
        xcp = read_xcp(module.if_data)
        if xcp is not None:
            assert read_xcp([write_xcp(xcp)]) == xcp
        for made in [*module.measurement, *module.characteristic, *module.instance]:
            event = read_daq_event(made.if_data)
            if event is not None:
                assert read_daq_event([write_daq_event(event)]) == event
        for segment in module.mod_par.memory_segment if module.mod_par else ():
            found = read_segment(segment.if_data)
            if found is not None:
                assert read_segment([write_segment(found)]) == found
    if file.modules:
        catalog = Catalog(file)
        for name in catalog.names:
            try:
                assert catalog.bind(name).memory_ranges()
            except XcaliperError as error:
                assert str(error)  # noqa: PT017 -- every refusal says why


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_bytes_stay(path):
    data = path.read_bytes()
    file = open_a2l(data, source=path.name)
    assert file.to_bytes() == data
    late = [d.text for d in file.diagnostics]
    file.load_all()
    assert file.to_bytes() == data
    assert set(late) <= {d.text for d in file.diagnostics}
    for module in file.modules:
        for made in [*module.measurement, *module.characteristic, *module.group]:
            start, stop = file.document.span(made)
            text = file.document.text[start:stop]
            assert re.match(rb"/begin\s+" + made.KEYWORD.encode(), text)
            assert re.search(rb"/end\s+" + made.KEYWORD.encode() + rb"$", text)
            assert getattr(parse(text.decode("utf-8", "replace")).module, made.KEYWORD.lower()) == [
                made
            ]


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_cut_files(path):
    data = path.read_bytes()
    for part in (1, 3, 7):
        cut = data[: len(data) * part // 8]
        file = parse(cut)
        assert file.to_bytes() == cut
        assert file.diagnostics or not file.modules


# Written differently from what the A2ML says, in the file itself.
KNOWN_MISFITS = {"a2l_test_expected.a2l": {"aml-text-long"}}
#: Interfaces that neither the file nor a standard describes.
FOREIGN = {
    "first_edition.a2l",
    "seldom_used.a2l",
    "freeTest.a2l",
    "includeModule.a2l",
    "includeTest.a2l",
    "testFile.a2l",
}


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_interface_data_match_their_a2ml(file):
    tree = parse(decode_text(file.read_bytes())[0])
    for module in tree.modules:
        aml = module_aml(module)
        for data in (made for made in walk(module) if isinstance(made, IfData)):
            matched = match(aml, data)
            slugs = {d.slug for d in matched.diagnostics}
            allowed = KNOWN_MISFITS.get(file.name, set())
            assert slugs <= allowed | ({"aml-tag-unknown"} if file.name in FOREIGN else set())
            assert build(aml, matched.values) == data


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_checks_end_quickly_with_known_codes(file):
    tree = parse(decode_text(file.read_bytes())[0], source=file.name)
    start = time.process_time()
    found = [*tree.diagnostics, *check(tree), *lint(tree)]
    assert {d.slug for d in found} <= RULES.keys()
    assert time.process_time() - start < 5


def test_seldom_used_keywords():
    path = ROOT / "tests/vectors/a2l/seldom_used.a2l"
    file = parse(path.read_bytes(), source=path.name)
    assert [(d.slug, d.where.line) for d in file.diagnostics] == [("include-missing", 11)]
    module = file.module
    device = module.mod_par
    assert (device.customer_no, device.cpu_type, device.no_of_interfaces) == ("C_1", "Core", 2)
    assert [m.prg_type for m in device.memory_layout] == ["PRG_CODE", "PRG_DATA"]
    layout = module.record_layout[0]
    assert (layout.axis_rescale_5.position, layout.fnc_values.position) == (40, 41)
    assert (layout.src_addr_y.position, layout.rip_addr_4.datatype) == (14, "ULONG")
    assert module.record_layout[1].fix_no_axis_pts_4 == 3
    assert module.measurement[0].long_identifier == 'a "quoted" word and "another"'
    assert [m.ecu_address for m in module.measurement] == [0x1FFFF0000, 0x20]
    axis = module.characteristic[0].axis_descr[0]
    assert (axis.max_grad, axis.monotony, axis.step_size) == (20.0, "NOT_MON", 1)
    assert module.function[0].sub_function.names == ["Inner"]
    assert module.user_rights[0].ref_group[0].names == ["All"]
    assert module.frame[0].frame_measurement.names == ["Warmth", "Extra[1].part-2"]
    assert module.unit[0].si_exponents.temperature == 1


def test_first_edition():
    path = ROOT / "tests/vectors/a2l/first_edition.a2l"
    file = parse(path.read_bytes(), source=path.name)
    found = [(d.slug, d.where.line) for d in file.diagnostics]
    assert found == [("parameter-missing", 10), ("keyword-unknown", 11)]
    assert [c.name for c in file.fragment.characteristic] == ["kept"]
    assert file.fragment.measurement[0].long_identifier == "Motordrehzahl ü"
    assert file.fragment.measurement[0].if_data[0].block("PA_BLOB").items == ["0", "1"]
