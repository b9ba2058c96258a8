"""Load and save gives the same bytes; an edit changes its own stretch and nothing else."""

import copy
import pickle

import pytest

from xcaliper.a2l import SourceText, open_a2l, parse
from xcaliper.a2l.document import open_document
from xcaliper.core.errors import A2lError, UsageError

TEXT = (
    '/* größer */ ASAP2_VERSION 1 71\r\n/begin PROJECT p ""\r\n\t/begin MODULE m ""\r\n'
    '    /begin MEASUREMENT a "ä" UBYTE CM 0x0 00 -1.50e0 255. // end\r\n    /end MEASUREMENT\r\n'
    '    /begin MEASUREMENT b "" UBYTE CM 0 0 0 1 /begin ANNOTATION ANNOTATION_LABEL "x" '
    "/end ANNOTATION /end MEASUREMENT\r\n\t/end MODULE\r\n/end PROJECT"
)

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1", "utf-16-le", "utf-16-be"]


def encoded(text, encoding):
    return text.encode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_unchanged_is_identical(encoding):
    data = encoded(TEXT, encoding) + (b"\r" if encoding in ("cp1252", "utf-8") else b"")
    file = parse(data)
    assert [m.name for m in file.module.measurement] == ["a", "b"]
    assert file.module.measurement[0].long_identifier == "ä"
    assert not file.diagnostics
    assert file.to_bytes() == data


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("lazy", [False, True])
def test_an_edit_changes_its_stretch_only(encoding, lazy):
    data = encoded(TEXT, encoding)
    file = (open_a2l if lazy else parse)(data)
    a, b = file.module.measurement
    file.document.replace(b.annotation[0], "forgotten")
    file.document.replace(b.annotation[0], '/begin ANNOTATION ANNOTATION_LABEL "ÿ" /end ANNOTATION')
    file.document.remove(a)
    expected = TEXT.replace('"x"', '"ÿ"')
    start = expected.index("    /begin MEASUREMENT a")
    stop = expected.index("    /begin MEASUREMENT b")
    expected = expected[:start] + expected[stop:]
    assert file.to_bytes() == encoded(expected, encoding)


@pytest.mark.parametrize("encoding", [None, "utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-32-be"])
def test_lines_may_end_with_a_carriage_return_alone(encoding):
    text = (
        TEXT.replace("\r\n", "\r").replace("ASAP2", '// " open\rASAP2').replace('b ""', 'b "1\r2"')
    )
    data = text if encoding is None else encoded(text, encoding)
    file = parse(data)
    a, b = file.module.measurement
    assert (a.line, b.line, b.long_identifier) == (5, 7, "1\n2")
    assert not file.diagnostics
    assert file.to_bytes() == (text.encode() if encoding is None else data)
    file.document.remove(a)
    file.document.insert(file.document.span(b)[0], "new\n")
    start, stop = text.index("    /begin MEASUREMENT a"), text.index("    /begin MEASUREMENT b")
    expected = text[:start] + "    new\r" + text[stop + 4 :]
    assert file.to_bytes() == encoded(expected, encoding or "utf-8")


def test_a_text_that_the_encoding_lacks_is_refused():
    file = parse(TEXT.encode("cp1252"))
    file.document.replace(file.module.measurement[1], "\N{SNOWMAN}")
    with pytest.raises(A2lError, match="cp1252"):
        file.to_bytes()


@pytest.mark.parametrize("tail", [b"\xff", b"\xff\xfe", b"\xd8", b"\x00\xd8\x00"])
def test_damaged_text_is_given_back_too(tail):
    for data in (
        TEXT.encode("utf-8-sig") + tail,
        TEXT.encode("utf-16") + tail,
        TEXT.encode() + tail,
    ):
        file = parse(data)
        assert file.to_bytes() == data
        start = file.document.span(file.module.measurement[0])[0]
        file.document.insert(start, "/* here */ ")
        changed = file.to_bytes()
        assert changed.endswith(data[-60:])
        assert len(changed) in (len(data) + 11, len(data) + 22)


def test_spans_are_those_of_the_text():
    file = parse(TEXT)
    text = TEXT.encode()

    def of(made):
        return text[slice(*file.document.span(made))].decode()

    a, b = file.module.measurement
    assert of(a).startswith("/begin MEASUREMENT a")
    assert of(a).endswith("/end MEASUREMENT")
    assert of(b.annotation[0]).startswith("/begin ANNOTATION ")
    assert of(b.annotation[0]).endswith("/end ANNOTATION")
    assert of(file.asap2_version) == "ASAP2_VERSION 1 71"
    assert str(b.annotation[0].where) == "<text>:6:53"
    assert file.document.indent_of(file.document.span(a)[0]) == "    "
    assert file.document.newline() == "\r\n"


def test_edits_that_overlap_are_refused():
    file = parse(TEXT)
    b = file.module.measurement[1]
    file.document.replace(b.annotation[0], "")
    with pytest.raises(UsageError, match="overlaps"):
        file.document.replace(b, "")
    with pytest.raises(UsageError, match="not read from this file"):
        file.document.replace(parse(TEXT).module.measurement[0], "")


def test_insertions_at_one_place_keep_their_order():
    document = open_document("ab")
    document.insert(1, "x")
    document.insert(1, "y")
    assert document.to_bytes() == b"axyb"


class TestIncludes:
    MAIN = '/begin PROJECT p "" /begin MODULE m ""\n/include "part.a2l"\n/end MODULE /end PROJECT\n'
    PART = '/begin MEASUREMENT i "ö" UBYTE CM 0 0 0 1 /end MEASUREMENT\n'

    def opened(self, part):
        return parse(
            self.MAIN, source="main", loader=lambda name, source: SourceText("sub/" + name, part)
        )

    def test_objects_know_their_file(self):
        file = self.opened(self.PART.encode("utf-16"))
        made = file.module.measurement[0]
        assert str(made.where) == "sub/part.a2l:1:8"
        assert [s.name for s in file.document.sources] == ["main", "sub/part.a2l"]

    def test_an_edit_goes_to_the_file_it_is_in(self):
        file = self.opened(self.PART.encode("utf-16"))
        file.document.replace(file.module.measurement[0], "// ü")
        assert file.to_bytes() == self.MAIN.encode()
        assert file.document.to_bytes(1) == "// ü\n".encode("utf-16")

    def test_an_edit_over_several_files_is_refused(self):
        half = '/begin MEASUREMENT i "" UBYTE CM 0 0 0 1\n'
        main = self.MAIN.replace('part.a2l"', 'part.a2l" /end MEASUREMENT')
        file = parse(main, loader=lambda name, source: half)
        with pytest.raises(UsageError, match="several files"):
            file.document.replace(file.module.measurement[0], "")

    def test_a_comment_without_end_stays_in_its_file(self):
        file = self.opened(self.PART + "/* open")
        assert len(file.module.measurement) == 1
        assert [(d.slug, str(d.where)) for d in file.diagnostics] == [
            ("comment-open", "sub/part.a2l:2:1")
        ]

    def test_a_string_without_end_stays_in_its_file(self):
        file = self.opened(self.PART + '"open')
        assert len(file.module.measurement) == 1
        assert {d.slug for d in file.diagnostics} == {"string-open", "keyword-unknown"}


@pytest.mark.parametrize(
    ("indent", "step", "newline"),
    [("\t", "\t", "\r\n"), ("   ", "    ", "\n"), ("", "  ", "\n"), ("\t", "  ", "\r")],
)
def test_an_updated_object_keeps_its_style(indent, step, newline):
    lines = [
        '/begin PROJECT p "" /begin MODULE m ""',
        f'{indent}/begin MEASUREMENT a "x"  UBYTE CM 0 0 0 1 // odd',
        f"{indent}{step}ECU_ADDRESS 0x0010",
        f"{indent}{step}/begin ANNOTATION",
        f'{indent}{step}{step}ANNOTATION_LABEL "l"',
        f"{indent}{step}/end ANNOTATION",
        f"{indent}/end MEASUREMENT /* stays */",
        "/end MODULE /end PROJECT",
    ]
    file = parse(newline.join(lines).encode())
    made = file.module.measurement[0]
    made.ecu_address = 0x20
    file.update(made)
    lines[1:6] = [
        f'{indent}/begin MEASUREMENT a "x" UBYTE CM 0 0 0 1',
        f"{indent}{step}ECU_ADDRESS 0x20",
        f"{indent}{step}/begin ANNOTATION",
        f'{indent}{step}{step}ANNOTATION_LABEL "l"',
        f"{indent}{step}/end ANNOTATION",
    ]
    assert file.to_bytes() == newline.join(lines).encode()
    made.ecu_address = 0x30
    file.update(made)
    assert b"0x30" in file.to_bytes()
    assert b"0x20" not in file.to_bytes()


def test_copies_and_pickles_leave_the_text_behind():
    file = parse(TEXT)
    made = file.module.measurement[1]
    other = copy.deepcopy(made)
    assert other == made
    assert file.document.span(other) == file.document.span(made)
    packed = pickle.dumps(made)
    assert len(packed) < 2000
    assert pickle.loads(packed) == made
    assert pickle.loads(packed).origin is None


def test_made_by_hand_is_written_as_utf8():
    file = parse(TEXT)
    file.document = None
    assert parse(file.to_bytes()) == file
    with pytest.raises(UsageError, match="made by hand"):
        file.update(file.module.measurement[0])
