"""The keyword classes follow the standard's names, and a few are read in full."""

import xcaliper.quantity
from xcaliper.a2l import parse, write
from xcaliper.a2l.grammar import table_of
from xcaliper.a2l.keywords.characteristic import Characteristic
from xcaliper.a2l.keywords.measurement import Measurement
from xcaliper.a2l.keywords.project import Project


def tables(cls, seen):
    if cls not in seen and cls.KEYWORD not in ("IF_DATA", "A2ML"):
        seen[cls] = table_of(cls)
        for entry in seen[cls].optional.values():
            if entry.mode == "object":
                tables(entry.cls, seen)
    return seen


def test_class_and_attribute_names_follow_the_keywords():
    for cls, table in tables(Project, {}).items():
        assert "".join(part.capitalize() for part in table.name.split("_")) == cls.__name__
        for name, entry in table.optional.items():
            assert entry.attr == name.lower()


def test_every_class_says_where_it_comes_from():
    for cls, table in tables(Project, {}).items():
        assert f"(ASAP2, {table.name}" in cls.__doc__


def test_measurement_in_full():
    text = """/begin MEASUREMENT speed "engine speed" UWORD CM 2 0.5 0 8000
      ARRAY_SIZE 4 BIT_MASK 0xFFF BYTE_ORDER MSB_FIRST DISCRETE DISPLAY_IDENTIFIER n ECU_ADDRESS 0x1000
      ECU_ADDRESS_EXTENSION 0x1 ERROR_MASK 0x1000 FORMAT "%6.1" LAYOUT ROW_DIR MATRIX_DIM 2 2 1 MAX_REFRESH 3 10
      PHYS_UNIT "rpm" READ_WRITE REF_MEMORY_SEGMENT ram SYMBOL_LINK "speed" 4 ADDRESS_TYPE DIRECT MODEL_LINK "m/n"
      /begin BIT_OPERATION LEFT_SHIFT 1 SIGN_EXTEND /end BIT_OPERATION
      /begin FUNCTION_LIST f g /end FUNCTION_LIST /begin VIRTUAL a b /end VIRTUAL
      /begin ANNOTATION ANNOTATION_LABEL "l" ANNOTATION_ORIGIN "o"
        /begin ANNOTATION_TEXT "one" "two" /end ANNOTATION_TEXT /end ANNOTATION
      /begin IF_DATA XCP 1 "two" /begin TAG 0x0F /end TAG /end IF_DATA
    /end MEASUREMENT"""
    file = parse(text)
    made = file.module.measurement[0]
    assert not file.diagnostics
    assert (made.name, made.datatype, made.resolution, made.accuracy) == ("speed", "UWORD", 2, 0.5)
    assert (made.ecu_address, made.ecu_address_extension, made.bit_mask) == (0x1000, 1, 0xFFF)
    assert (made.matrix_dim, made.array_size, made.phys_unit) == ((2, 2, 1), 4, "rpm")
    assert (made.discrete, made.read_write, made.symbol_link.offset) == (True, True, 4)
    assert (made.bit_operation.left_shift, made.bit_operation.sign_extend) == (1, True)
    assert (made.function_list.names, made.virtual.names) == (["f", "g"], ["a", "b"])
    assert made.annotation[0].annotation_text.lines == ["one", "two"]
    assert made.if_data[0].items[:2] == ["1", "two"]
    assert made.if_data[0].block("TAG").items == ["0x0F"]
    assert parse(write(made)).module.measurement[0] == made


def test_objects_made_by_hand_are_written():
    made = Measurement("m", 'say "hi"', "UBYTE", "NO_COMPU_METHOD", 0, 0.0, 0, 255, ecu_address=16)
    assert write(made) == (
        '/begin MEASUREMENT m "say \\"hi\\"" UBYTE NO_COMPU_METHOD 0 0.0 0 255\n'
        "  ECU_ADDRESS 0x10\n"
        "/end MEASUREMENT\n"
    )
    assert str(made.where) == ""
    parameter = Characteristic(
        "c", "", "VALUE", 0x20, "U8", 0, "NO_COMPU_METHOD", 0, 1, read_only=True
    )
    assert "VALUE 0x20 U8 0 NO_COMPU_METHOD 0 1\n  READ_ONLY\n" in write(parameter)


def test_variants_and_record_layouts():
    file = parse("""/begin VARIANT_CODING VAR_SEPARATOR "." VAR_NAMING NUMERIC
      /begin VAR_CRITERION Car "" Limousine Kombi VAR_MEASUREMENT m /end VAR_CRITERION
      /begin VAR_CHARACTERISTIC c Car Gear /begin VAR_ADDRESS 0x10 0x20 /end VAR_ADDRESS /end VAR_CHARACTERISTIC
      /begin VAR_FORBIDDEN_COMB Car Kombi Gear Manual /end VAR_FORBIDDEN_COMB /end VARIANT_CODING
      /begin RECORD_LAYOUT L FNC_VALUES 2 UWORD COLUMN_DIR DIRECT RESERVED 1 WORD RESERVED 3 BYTE
      AXIS_PTS_4 4 UBYTE INDEX_DECR DIRECT FIX_NO_AXIS_PTS_X 5 STATIC_RECORD_LAYOUT /end RECORD_LAYOUT""")
    coding = file.module.variant_coding
    assert not file.diagnostics
    assert coding.var_criterion[0].value == ["Limousine", "Kombi"]
    assert coding.var_criterion[0].var_measurement == "m"
    assert coding.var_characteristic[0].var_address.address == [0x10, 0x20]
    assert coding.var_forbidden_comb[0].combination == [("Car", "Kombi"), ("Gear", "Manual")]
    layout = file.module.record_layout[0]
    assert [r.data_size for r in layout.reserved] == ["WORD", "BYTE"]
    assert (layout.axis_pts_4.index_incr, layout.fix_no_axis_pts_x) == ("INDEX_DECR", 5)
    assert layout.static_record_layout


def test_public_names_of_quantity_load():
    for name in xcaliper.quantity.__all__:
        assert getattr(xcaliper.quantity, name).__module__.startswith("xcaliper.quantity.")
