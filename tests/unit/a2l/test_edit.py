"""Edits change the words that they mean, and every other byte stays."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.a2l import open_a2l, parse
from xcaliper.a2l.edit import Editor
from xcaliper.a2l.keywords.common import ExtendedLimits, SymbolLink
from xcaliper.a2l.keywords.compu import CompuMethod
from xcaliper.a2l.keywords.measurement import Measurement
from xcaliper.core.errors import NotFoundError, UsageError

TEXT = """ASAP2_VERSION 1 71 /* first */
/begin PROJECT p ""
  /begin MODULE m ""
    /begin COMPU_METHOD CM "" IDENTICAL "%4.2" "rpm" /end COMPU_METHOD
    /begin COMPU_METHOD TAB "" TAB_VERB "%4.2" "" COMPU_TAB_REF VT /end COMPU_METHOD
    /begin COMPU_VTAB VT "" TAB_VERB 1 0 "off" /end COMPU_VTAB
    /begin RECORD_LAYOUT RL FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
    /begin RECORD_LAYOUT RA AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
    /begin MEASUREMENT speed "speed CM" UBYTE CM 0x0 00 -1.50e0 255. // CM in a comment
      /* kept */ ECU_ADDRESS 0x00001000 FORMAT "%5.1"
    /end MEASUREMENT
    /begin AXIS_PTS ax "" 0x2000 speed RA 0 CM 4 0 255 /end AXIS_PTS
    /begin CHARACTERISTIC map "" CURVE 0x3000 RL 0 CM 0 255
      /begin AXIS_DESCR COM_AXIS speed CM 4 0 255
        AXIS_PTS_REF ax // the axis
      /end AXIS_DESCR
      /begin IF_DATA X speed /end IF_DATA
    /end CHARACTERISTIC
    /begin TYPEDEF_MEASUREMENT TM "" UBYTE CM 0 0 0 255 /end TYPEDEF_MEASUREMENT
    /begin TYPEDEF_STRUCTURE TS "" 0x4
      /begin STRUCTURE_COMPONENT part TM 0x0 /end STRUCTURE_COMPONENT
    /end TYPEDEF_STRUCTURE
    /begin INSTANCE inst "" TS 0x4000 /end INSTANCE
    /begin GROUP g "" ROOT
      /begin REF_MEASUREMENT
        speed
        inst.part
      /end REF_MEASUREMENT
      /begin SUB_GROUP empty /end SUB_GROUP
    /end GROUP
    /begin GROUP empty "" /end GROUP
    /begin FUNCTION f "" /begin OUT_MEASUREMENT speed inst.part /end OUT_MEASUREMENT /end FUNCTION
  /end MODULE
/end PROJECT
"""


@pytest.fixture(params=[parse, open_a2l])
def opened(request):
    file = request.param(TEXT.encode())
    return Editor(file), file.module


def edited(editor):
    data = editor.to_bytes()
    again = parse(data)
    assert not again.diagnostics
    assert again.module == editor.file.module
    return data.decode()


def test_nothing_asked_nothing_changed(opened):
    editor, module = opened
    editor.touch(*module.measurement, *module.group)
    assert edited(editor) == TEXT


def test_an_attribute_changes_one_word(opened):
    editor, module = opened
    made = module.measurement[0]
    editor.change(made, upper_limit=200.0, ecu_address=0x1FFF, format="%6.2")
    expected = TEXT.replace("255. //", "200.0 //").replace("0x00001000", "0x00001FFF")
    assert edited(editor) == expected.replace('"%5.1"', '"%6.2"')


def test_attributes_come_and_go(opened):
    editor, module = opened
    made = module.measurement[0]
    editor.change(made, format=None, symbol_link=SymbolLink("s", 2), discrete=True)
    expected = TEXT.replace(' FORMAT "%5.1"', "").replace(
        "    /end MEASUREMENT\n", '      DISCRETE\n      SYMBOL_LINK "s" 2\n    /end MEASUREMENT\n'
    )
    text = edited(editor)
    assert sorted(text.splitlines()) == sorted(expected.splitlines())
    editor.change(made, format="%5.1", symbol_link=None, discrete=False)
    assert edited(editor) == TEXT


def test_inner_objects_change_alone(opened):
    editor, module = opened
    made = module.characteristic[0].axis_descr[0]
    editor.change(made, max_axis_points=3, extended_limits=ExtendedLimits(0.0, 9.0))
    assert edited(editor) == TEXT.replace("COM_AXIS speed CM 4", "COM_AXIS speed CM 3").replace(
        "      /end AXIS_DESCR", "        EXTENDED_LIMITS 0.0 9.0\n      /end AXIS_DESCR"
    )


def test_interfaces_change_word_by_word(opened):
    editor, module = opened
    editor.change(module.characteristic[0].if_data[0], items=["other", "1"])
    text = edited(editor)
    assert "/begin IF_DATA X other 1 /end IF_DATA" in text


def test_unknown_attributes_are_refused(opened):
    editor, module = opened
    with pytest.raises(UsageError, match="no attribute colour"):
        editor.change(module.measurement[0], colour=1)
    with pytest.raises(UsageError, match="references"):
        editor.change(module.measurement[0], name="x")


class TestRename:
    def test_follows_every_reference_and_nothing_else(self, opened):
        editor, module = opened
        (done,) = editor.rename(module, {"speed": "nEngine"})
        assert (done.keyword, done.references) == ("MEASUREMENT", 4)
        expected = (
            TEXT.replace("MEASUREMENT speed", "MEASUREMENT nEngine", 1)
            .replace("0x2000 speed", "0x2000 nEngine")
            .replace("COM_AXIS speed", "COM_AXIS nEngine")
            .replace("        speed\n", "        nEngine\n")
            .replace("OUT_MEASUREMENT speed", "OUT_MEASUREMENT nEngine")
        )
        assert edited(editor) == expected

    @pytest.mark.parametrize(
        ("old", "references"),
        [
            ("CM", 5),
            ("RL", 1),
            ("VT", 1),
            ("ax", 1),
            ("TM", 1),
            ("TS", 1),
            ("inst", 2),
            ("empty", 1),
        ],
    )
    def test_all_kinds(self, opened, old, references):
        editor, module = opened
        (done,) = editor.rename(module, {old: "NEW"})
        assert done.references == references
        text = edited(editor)
        assert text.count("NEW") == references + 1
        assert text.replace("NEW", old) == TEXT

    def test_two_names_change_places(self, opened):
        editor, module = opened
        editor.rename(module, {"speed": "ax", "ax": "speed"})
        assert [m.name for m in module.measurement] == ["ax"]
        assert module.axis_pts[0].input_quantity == "ax"
        assert module.characteristic[0].axis_descr[0].axis_pts_ref == "speed"
        edited(editor)

    def test_refusals(self, opened):
        editor, module = opened
        with pytest.raises(NotFoundError):
            editor.rename(module, {"sped": "x"})
        with pytest.raises(UsageError, match="taken"):
            editor.rename(module, {"speed": "map"})
        with pytest.raises(UsageError, match="identifier"):
            editor.rename(module, {"speed": "two words"})
        assert edited(editor) == TEXT


class TestRemove:
    def test_refused_with_references(self, opened):
        editor, module = opened
        with pytest.raises(UsageError, match="needs it"):
            editor.remove(module, [module.measurement[0]])
        assert edited(editor) == TEXT

    def test_lists_are_cleaned(self, opened):
        editor, module = opened
        editor.remove(module, [module.measurement[0]], references="clean")
        text = edited(editor)
        assert "MEASUREMENT speed" not in text
        assert "        speed\n" not in text
        assert "0x2000 NO_INPUT_QUANTITY" in text
        assert "IF_DATA X speed" in text
        assert "// the axis" in text

    def test_what_is_needed_is_no_matter_of_cleaning(self, opened):
        editor, module = opened
        with pytest.raises(UsageError, match="CHARACTERISTIC map needs it"):
            editor.remove(module, [module.axis_pts[0]], references="clean")

    def test_cascade(self, opened):
        editor, module = opened
        gone = editor.remove(module, [module.record_layout[1]], references="cascade")
        assert [made.name for made in gone] == ["RA", "ax", "map"]
        edited(editor)

    def test_instances_leave_with_their_parts(self, opened):
        editor, module = opened
        editor.remove(module, [module.instance[0]], references="clean")
        assert "inst" not in edited(editor)


def test_prune_goes_on_until_all_is_used(opened):
    editor, module = opened
    gone = {made.name for made in editor.prune(module)}
    assert gone == {"TAB", "VT", "empty"}
    text = edited(editor)
    assert "SUB_GROUP empty" not in text
    with pytest.raises(UsageError, match="MEASUREMENT"):
        editor.prune(module, ["MEASUREMENT"])


class TestAdd:
    def made(self, name):
        return Measurement(name, "", "UBYTE", "CM", 0, 0.0, 0.0, 1.0)

    def test_stands_behind_its_kind(self, opened):
        editor, module = opened
        editor.add(module, self.made("one"))
        two = self.made("two")
        editor.add(module, two)
        editor.apply()
        two.upper_limit = 5.0
        text = edited(editor)
        assert text.index("MEASUREMENT speed") < text.index("MEASUREMENT one")
        assert text.index("MEASUREMENT one") < text.index("MEASUREMENT two")
        assert '    /begin MEASUREMENT two "" UBYTE CM 0 0.0 0.0 5.0\n' in text
        editor.remove(module, [module.measurement[1], two])
        assert edited(editor) == TEXT

    def test_goes_into_an_empty_module(self):
        file = parse(b'/begin PROJECT p ""\n/begin MODULE m ""\n/end MODULE\n/end PROJECT\n')
        editor = Editor(file)
        editor.add(file.module, self.made("one"))
        edited(editor)

    def test_taken_names_are_refused(self, opened):
        editor, module = opened
        with pytest.raises(UsageError, match="taken"):
            editor.add(module, self.made("map"))
        with pytest.raises(UsageError, match="does not contain"):
            editor.add(module, ExtendedLimits(0.0, 1.0))

    def test_descriptions_without_text_can_be_edited_too(self, opened):
        _, module = opened
        file = parse(TEXT)
        file.document = None
        editor = Editor(file)
        editor.add(file.module, CompuMethod("N", "", "IDENTICAL", "%1.0", ""))
        editor.rename(file.module, {"speed": "other"})
        again = parse(editor.to_bytes())
        assert again.module.axis_pts[0].input_quantity == "other"
        assert again.module == file.module != module


def test_version_is_declared_where_it_was_missing():
    file = parse(b'/begin PROJECT p ""\r\n/end PROJECT\r\n')
    Editor(file).set_version("1.60")
    editor = Editor(file)
    assert file.version == "1.60"
    file = parse(b'/begin PROJECT p ""\r\n/end PROJECT\r\n')
    editor = Editor(file)
    editor.set_version("1.60")
    assert editor.to_bytes().startswith(b"ASAP2_VERSION 1 60\r\n/begin")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(["speed", "map", "ax", "x.y", "FORMAT", "z"]), max_size=8),
    st.lists(st.sampled_from(["speed", "map", "ax", "x.y", "z"]), max_size=8),
    st.sampled_from([" ", "\n      ", " // c\n\t"]),
)
def test_any_list_becomes_any_other(before, after, blank):
    names = blank.join(["", *before, ""])
    text = f'/begin GROUP g ""\n  /begin REF_MEASUREMENT{names}\n  /end REF_MEASUREMENT\n  ROOT\n/end GROUP\n'
    file = parse(text)
    group = file.fragment.group[0]
    editor = Editor(file)
    editor.change(group.ref_measurement, names=list(after))
    again = parse(editor.to_bytes())
    assert again.fragment.group[0] == group
    assert again.fragment.group[0].ref_measurement.names == after
    assert not again.diagnostics
