"""Plain objects have the addresses and meaning of the parts of instances."""

from xcaliper.a2l import parse
from xcaliper.a2l.convert import convert
from xcaliper.quantity.catalog import Catalog
from xcaliper.quantity.flatten import flatten

TEXT = """ASAP2_VERSION 1 71
/begin PROJECT p "" /begin MODULE m ""
/begin MOD_COMMON "" BYTE_ORDER MSB_LAST /end MOD_COMMON
/begin RECORD_LAYOUT RL FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT RA AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT /end RECORD_LAYOUT
/begin TYPEDEF_MEASUREMENT T "" UWORD NO_COMPU_METHOD 0 0 0 255 /end TYPEDEF_MEASUREMENT
/begin TYPEDEF_AXIS X "" NO_INPUT_QUANTITY RA 0 NO_COMPU_METHOD 4 0 255 /end TYPEDEF_AXIS
/begin TYPEDEF_CHARACTERISTIC C "" CURVE RL 0 NO_COMPU_METHOD 0 255
  /begin AXIS_DESCR COM_AXIS NO_INPUT_QUANTITY NO_COMPU_METHOD 4 0 255 AXIS_PTS_REF THIS.x /end AXIS_DESCR
/end TYPEDEF_CHARACTERISTIC
/begin TYPEDEF_STRUCTURE S "" 0x10
  /begin STRUCTURE_COMPONENT v T 0x0 MATRIX_DIM 2 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT x X 0x4 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT c C 0x8 /end STRUCTURE_COMPONENT
  /begin STRUCTURE_COMPONENT far T 0xC ADDRESS_TYPE PLONG /end STRUCTURE_COMPONENT
/end TYPEDEF_STRUCTURE
/begin INSTANCE i "" S 0x1000 MATRIX_DIM 2 READ_WRITE /end INSTANCE
/begin INSTANCE t "" T 0x2000 ECU_ADDRESS_EXTENSION 0x3 /end INSTANCE
/begin GROUP g "" /begin REF_MEASUREMENT t i[1].v /end REF_MEASUREMENT /end GROUP
/end MODULE /end PROJECT
"""


def test_parts_become_objects():
    found = flatten(parse(TEXT).module)
    (t,) = found["t"].objects
    assert (t.name, t.ecu_address, t.ecu_address_extension, t.datatype) == ("t", 0x2000, 3, "UWORD")
    made = {one.name: one for one in found["i"].objects}
    curve = made["i[1].c"]
    assert (curve.KEYWORD, curve.address) == ("CHARACTERISTIC", 0x1018)
    assert curve.axis_descr[0].axis_pts_ref == "i[1].x"
    assert (made["i[1].x"].KEYWORD, made["i[1].x"].address) == ("AXIS_PTS", 0x1014)
    assert (made["i[0].v"].ecu_address, made["i[0].v"].matrix_dim) == (0x1000, (2,))
    assert made["i[0].v"].read_write
    assert found["i"].left_out == ["i[0].far", "i[1].far"]


def test_a_converted_file_means_the_same():
    file = parse(TEXT.encode())
    result = convert(file, "1.61", expand=flatten)
    again = parse(result.editor.to_bytes())
    assert not again.diagnostics
    before, after = Catalog(parse(TEXT)), Catalog(again)
    for name in ("t", "i[1].v", "i[1].c", "i[1].x"):
        assert before.bind(name).address == after.bind(name).address, name
    assert again.module.group[0].ref_measurement.names == ["t", "i[1].v"]
    assert {n.name for n in result.notes if n.kind == "rewritten"} >= {"i", "t"}
