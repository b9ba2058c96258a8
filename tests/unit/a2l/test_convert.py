"""Another version says the same where it can, and tells what it cannot say."""

import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.check import check
from xcaliper.a2l.convert import VERSIONS, Expanded, convert
from xcaliper.core.errors import UsageError

NEW = """ASAP2_VERSION 1 71 /* v */
/begin PROJECT p ""
  /begin MODULE m ""
    /begin COMPU_METHOD ID "" IDENTICAL "%4.2" "rpm" /end COMPU_METHOD
    /begin COMPU_METHOD LIN "" LINEAR "%4.2" "km" COEFFS_LINEAR 2 -6 /end COMPU_METHOD
    /begin COMPU_TAB TAB "" TAB_NOINTP 1 0 1 DEFAULT_VALUE_NUMERIC 7 /end COMPU_TAB
    /begin RECORD_LAYOUT RL FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
    /begin MEASUREMENT a "" UBYTE LIN 0x0 00 0 255. // kept
      MATRIX_DIM 4
      PHYS_UNIT "m"
      SYMBOL_LINK "a" 0
    /end MEASUREMENT
    /begin MEASUREMENT b "" A_UINT64 NO_COMPU_METHOD 0 0 0 255 PHYS_UNIT "s" /end MEASUREMENT
    /begin CHARACTERISTIC v "" VAL_BLK 0x10 RL 0 ID 0 255 MATRIX_DIM 2 3 ENCODING UTF8 /end CHARACTERISTIC
    /begin TYPEDEF_MEASUREMENT T "" UBYTE ID 0 0 0 255 /end TYPEDEF_MEASUREMENT
    /begin INSTANCE i "" T 0x20 /end INSTANCE
    /begin GROUP g "" /begin REF_MEASUREMENT a i /end REF_MEASUREMENT /end GROUP
  /end MODULE
/end PROJECT
"""
OLD = """ASAP2_VERSION 1 50
/begin PROJECT p "" /begin MODULE m ""
  /begin MOD_COMMON "" BYTE_ORDER LITTLE_ENDIAN S_REC_LAYOUT RL /end MOD_COMMON
  /begin RECORD_LAYOUT RL FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
  /begin COMPU_METHOD F "" FORM "%4.2" "" /begin FORMULA "X1 ^ 2" /end FORMULA /end COMPU_METHOD
  /begin MEASUREMENT a "" UBYTE F 0 0 0 255 ARRAY_SIZE 4 /end MEASUREMENT
  /begin CHARACTERISTIC v "" ASCII 0x10 RL 0 F 0 255 NUMBER 8 /end CHARACTERISTIC
/end MODULE /end PROJECT
"""


def converted(text, version, **how):
    file = parse(text.encode())
    result = convert(file, version, **how)
    data = result.editor.to_bytes()
    again = parse(data)
    assert not again.diagnostics
    assert again == file
    assert again.version == version
    assert not [d for d in check(again) if d.slug in ("version-too-new", "reference-dangling")]
    return again.module, {(n.kind, n.name, n.what) for n in result.notes}, data.decode()


def test_down_to_1_50():
    module, notes, text = converted(NEW, "1.50")
    methods = {m.name: m for m in module.compu_method}
    assert methods["ID"].conversion_type == methods["LIN"].conversion_type == "RAT_FUNC"
    c = methods["LIN"].coeffs
    for phys in (0, 10, 31):  # the way back of PHYS = 2 INT - 6
        raw = (c.a * phys**2 + c.b * phys + c.c) / (c.d * phys**2 + c.e * phys + c.f)
        assert 2 * raw - 6 == phys
    a, b = module.measurement
    assert (a.array_size, a.matrix_dim, a.phys_unit, a.symbol_link) == (4, None, None, None)
    assert (methods[a.conversion].unit, methods[a.conversion].coeffs) == ("m", c)
    assert methods[b.conversion].unit == "s"
    assert methods[b.conversion].conversion_type == "RAT_FUNC"
    assert module.characteristic[0].number == 6
    assert module.compu_tab[0].default_value == "7"
    assert not module.instance
    assert not module.typedef_measurement
    assert module.group[0].ref_measurement.names == ["a"]
    assert "0x0 00 0 255. /* kept */" in text
    assert notes == {
        ("rewritten", "", "// comments"),
        ("rewritten", "ID", "IDENTICAL"),
        ("rewritten", "LIN", "LINEAR"),
        ("rewritten", "TAB", "DEFAULT_VALUE_NUMERIC"),
        ("rewritten", "a", "MATRIX_DIM"),
        ("rewritten", "a", "PHYS_UNIT"),
        ("dropped", "a", "SYMBOL_LINK"),
        ("kept", "b", "A_UINT64"),
        ("rewritten", "b", "PHYS_UNIT"),
        ("dropped", "v", "MATRIX_DIM"),
        ("dropped", "v", "ENCODING"),
        ("dropped", "T", "TYPEDEF_MEASUREMENT"),
        ("dropped", "i", "INSTANCE"),
    }


@pytest.mark.parametrize("version", ["1.60", "1.61"])
def test_down_to_1_60(version):
    module, notes, text = converted(NEW, version)
    assert module.measurement[0].matrix_dim == (4, 1, 1)
    assert "MATRIX_DIM 4 1 1\n" in text
    assert module.characteristic[0].matrix_dim == (2, 3, 1)
    assert notes == {
        ("rewritten", "a", "MATRIX_DIM"),
        ("rewritten", "v", "MATRIX_DIM"),
        ("dropped", "v", "ENCODING"),
        ("dropped", "T", "TYPEDEF_MEASUREMENT"),
        ("dropped", "i", "INSTANCE"),
    }


def test_instances_may_become_plain_objects():
    def expand(module):
        plain = parse(
            '/begin MEASUREMENT i "" UBYTE ID 0 0 0 255 ECU_ADDRESS 0x20 /end MEASUREMENT'
        )
        return {"i": Expanded(plain.module.measurement, ["i.far"])}

    module, notes, _ = converted(NEW, "1.61", expand=expand)
    assert [m.name for m in module.measurement] == ["a", "b", "i"]
    assert module.group[0].ref_measurement.names == ["a", "i"]
    assert ("rewritten", "i", "INSTANCE") in notes
    assert ("dropped", "i", "i.far") in notes
    assert ("rewritten", "T", "TYPEDEF_MEASUREMENT") in notes


@pytest.mark.parametrize("version", ["1.70", "1.71"])
def test_nothing_is_lost_between_near_versions(version):
    _, notes, text = converted(NEW, version)
    assert not notes
    assert text == NEW.replace("1 71", version.replace(".", " "))


@pytest.mark.parametrize(("version", "dims"), [("1.61", (4, 1, 1)), ("1.71", (4,))])
def test_up(version, dims):
    module, notes, _ = converted(OLD, version)
    assert module.measurement[0].array_size is None
    assert module.measurement[0].matrix_dim == dims
    assert module.characteristic[0].matrix_dim == (8, *dims[1:])
    assert module.mod_common.byte_order == "MSB_FIRST"
    assert module.compu_method[0].formula.fx == "pow(X1, 2)"
    assert notes == {
        ("rewritten", "", "LITTLE_ENDIAN"),
        ("dropped", "", "S_REC_LAYOUT"),
        ("rewritten", "F", "FORMULA"),
        ("rewritten", "a", "ARRAY_SIZE"),
        ("rewritten", "v", "NUMBER"),
    }


def test_more_than_three_dimensions_are_told():
    text = NEW.replace("MATRIX_DIM 4", "MATRIX_DIM 2 1 2 2")
    module, notes, _ = converted(text, "1.60")
    assert module.measurement[0].matrix_dim == (8, 1, 1)
    assert ("dropped", "a", "MATRIX_DIM") in notes


def test_the_same_version_changes_nothing():
    assert converted(NEW, "1.71")[2] == NEW
    assert converted(OLD, "1.50")[2] == OLD


def test_unknown_versions_are_refused():
    with pytest.raises(UsageError, match=r"1\.99"):
        convert(parse(NEW), "1.99")
    assert list(VERSIONS) == sorted(VERSIONS)


def test_encodings_that_the_version_lacks():
    file = parse(NEW.replace('a ""', 'a "ä"').encode())
    assert any(note.what == "encoding" for note in convert(file, "1.51").lost)


def test_comments_become_those_of_the_version():
    text = NEW.replace("255. // kept", "255. // kept */ all")
    _, notes, edited = converted("// head\n" + text, "1.50")
    assert ("rewritten", "", "// comments") in notes
    assert edited.startswith("/* head */\nASAP2_VERSION 1 50 /* v */")
    assert "255. /* kept * / all */\n" in edited
    assert "//" not in edited


def test_names_with_an_index_are_told():
    _, notes, _ = converted(NEW.replace("MEASUREMENT a ", "MEASUREMENT a[0] "), "1.61")
    assert ("kept", "a[0]", "name") in notes
