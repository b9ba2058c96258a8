"""RECORD_LAYOUT and its elements."""

from typing import Annotated

from xcaliper.a2l.grammar import Ident, Keyword, Since, field, keyword
from xcaliper.a2l.keywords.common import (
    AddrTypeWord,
    DataTypeSizeWord,
    DataTypeWord,
    IndexModeWord,
    IndexOrderWord,
)

__all__ = [
    "AxisPts4",
    "AxisPts5",
    "AxisPtsX",
    "AxisPtsY",
    "AxisPtsZ",
    "AxisRescale4",
    "AxisRescale5",
    "AxisRescaleX",
    "AxisRescaleY",
    "AxisRescaleZ",
    "DistOp4",
    "DistOp5",
    "DistOpX",
    "DistOpY",
    "DistOpZ",
    "FncValues",
    "Identification",
    "NoAxisPts4",
    "NoAxisPts5",
    "NoAxisPtsX",
    "NoAxisPtsY",
    "NoAxisPtsZ",
    "NoRescale4",
    "NoRescale5",
    "NoRescaleX",
    "NoRescaleY",
    "NoRescaleZ",
    "Offset4",
    "Offset5",
    "OffsetX",
    "OffsetY",
    "OffsetZ",
    "RecordLayout",
    "Reserved",
    "RipAddr4",
    "RipAddr5",
    "RipAddrW",
    "RipAddrX",
    "RipAddrY",
    "RipAddrZ",
    "ShiftOp4",
    "ShiftOp5",
    "ShiftOpX",
    "ShiftOpY",
    "ShiftOpZ",
    "SrcAddr4",
    "SrcAddr5",
    "SrcAddrX",
    "SrcAddrY",
    "SrcAddrZ",
]


@keyword("FNC_VALUES")
class FncValues(Keyword):
    """Table or scalar values (ASAP2, FNC_VALUES)."""

    position: int
    datatype: DataTypeWord
    index_mode: IndexModeWord
    address_type: AddrTypeWord


@keyword("IDENTIFICATION")
class Identification(Keyword):
    """An identifier inside the record (ASAP2, IDENTIFICATION)."""

    position: int
    datatype: DataTypeWord


@keyword("RESERVED")
class Reserved(Keyword):
    """Filler, kept as it is (ASAP2, RESERVED)."""

    position: int
    data_size: DataTypeSizeWord


@keyword("AXIS_PTS_X")
class AxisPtsX(Keyword):
    """Points of axis X (ASAP2, AXIS_PTS_X)."""

    position: int
    datatype: DataTypeWord
    index_incr: IndexOrderWord
    addressing: AddrTypeWord


@keyword("AXIS_PTS_Y")
class AxisPtsY(Keyword):
    """Points of axis Y (ASAP2, AXIS_PTS_Y)."""

    position: int
    datatype: DataTypeWord
    index_incr: IndexOrderWord
    addressing: AddrTypeWord


@keyword("AXIS_PTS_Z")
class AxisPtsZ(Keyword):
    """Points of axis Z (ASAP2, AXIS_PTS_Z)."""

    position: int
    datatype: DataTypeWord
    index_incr: IndexOrderWord
    addressing: AddrTypeWord


@keyword("AXIS_PTS_4")
class AxisPts4(Keyword):
    """Points of axis 4 (ASAP2, AXIS_PTS_4)."""

    position: int
    datatype: DataTypeWord
    index_incr: IndexOrderWord
    addressing: AddrTypeWord


@keyword("AXIS_PTS_5")
class AxisPts5(Keyword):
    """Points of axis 5 (ASAP2, AXIS_PTS_5)."""

    position: int
    datatype: DataTypeWord
    index_incr: IndexOrderWord
    addressing: AddrTypeWord


@keyword("AXIS_RESCALE_X")
class AxisRescaleX(Keyword):
    """Rescale pairs of axis X (ASAP2, AXIS_RESCALE_X)."""

    position: int
    datatype: DataTypeWord
    max_number_of_rescale_pairs: int
    index_incr: IndexOrderWord
    addressing: AddrTypeWord


@keyword("AXIS_RESCALE_Y")
class AxisRescaleY(Keyword):
    """Rescale pairs of axis Y (ASAP2, AXIS_RESCALE_Y)."""

    position: int
    datatype: DataTypeWord
    max_number_of_rescale_pairs: int
    index_incr: IndexOrderWord
    addressing: AddrTypeWord


@keyword("AXIS_RESCALE_Z")
class AxisRescaleZ(Keyword):
    """Rescale pairs of axis Z (ASAP2, AXIS_RESCALE_Z)."""

    position: int
    datatype: DataTypeWord
    max_number_of_rescale_pairs: int
    index_incr: IndexOrderWord
    addressing: AddrTypeWord


@keyword("AXIS_RESCALE_4")
class AxisRescale4(Keyword):
    """Rescale pairs of axis 4 (ASAP2, AXIS_RESCALE_4)."""

    position: int
    datatype: DataTypeWord
    max_number_of_rescale_pairs: int
    index_incr: IndexOrderWord
    addressing: AddrTypeWord


@keyword("AXIS_RESCALE_5")
class AxisRescale5(Keyword):
    """Rescale pairs of axis 5 (ASAP2, AXIS_RESCALE_5)."""

    position: int
    datatype: DataTypeWord
    max_number_of_rescale_pairs: int
    index_incr: IndexOrderWord
    addressing: AddrTypeWord


@keyword("NO_AXIS_PTS_X")
class NoAxisPtsX(Keyword):
    """Actual number of points of axis X (ASAP2, NO_AXIS_PTS_X)."""

    position: int
    datatype: DataTypeWord


@keyword("NO_AXIS_PTS_Y")
class NoAxisPtsY(Keyword):
    """Actual number of points of axis Y (ASAP2, NO_AXIS_PTS_Y)."""

    position: int
    datatype: DataTypeWord


@keyword("NO_AXIS_PTS_Z")
class NoAxisPtsZ(Keyword):
    """Actual number of points of axis Z (ASAP2, NO_AXIS_PTS_Z)."""

    position: int
    datatype: DataTypeWord


@keyword("NO_AXIS_PTS_4")
class NoAxisPts4(Keyword):
    """Actual number of points of axis 4 (ASAP2, NO_AXIS_PTS_4)."""

    position: int
    datatype: DataTypeWord


@keyword("NO_AXIS_PTS_5")
class NoAxisPts5(Keyword):
    """Actual number of points of axis 5 (ASAP2, NO_AXIS_PTS_5)."""

    position: int
    datatype: DataTypeWord


@keyword("NO_RESCALE_X")
class NoRescaleX(Keyword):
    """Actual number of rescale pairs of axis X (ASAP2, NO_RESCALE_X)."""

    position: int
    datatype: DataTypeWord


@keyword("NO_RESCALE_Y")
class NoRescaleY(Keyword):
    """Actual number of rescale pairs of axis Y (ASAP2, NO_RESCALE_Y)."""

    position: int
    datatype: DataTypeWord


@keyword("NO_RESCALE_Z")
class NoRescaleZ(Keyword):
    """Actual number of rescale pairs of axis Z (ASAP2, NO_RESCALE_Z)."""

    position: int
    datatype: DataTypeWord


@keyword("NO_RESCALE_4")
class NoRescale4(Keyword):
    """Actual number of rescale pairs of axis 4 (ASAP2, NO_RESCALE_4)."""

    position: int
    datatype: DataTypeWord


@keyword("NO_RESCALE_5")
class NoRescale5(Keyword):
    """Actual number of rescale pairs of axis 5 (ASAP2, NO_RESCALE_5)."""

    position: int
    datatype: DataTypeWord


@keyword("OFFSET_X")
class OffsetX(Keyword):
    """Offset of fixed axis X (ASAP2, OFFSET_X)."""

    position: int
    datatype: DataTypeWord


@keyword("OFFSET_Y")
class OffsetY(Keyword):
    """Offset of fixed axis Y (ASAP2, OFFSET_Y)."""

    position: int
    datatype: DataTypeWord


@keyword("OFFSET_Z")
class OffsetZ(Keyword):
    """Offset of fixed axis Z (ASAP2, OFFSET_Z)."""

    position: int
    datatype: DataTypeWord


@keyword("OFFSET_4")
class Offset4(Keyword):
    """Offset of fixed axis 4 (ASAP2, OFFSET_4)."""

    position: int
    datatype: DataTypeWord


@keyword("OFFSET_5")
class Offset5(Keyword):
    """Offset of fixed axis 5 (ASAP2, OFFSET_5)."""

    position: int
    datatype: DataTypeWord


@keyword("SHIFT_OP_X")
class ShiftOpX(Keyword):
    """Shift operand of fixed axis X (ASAP2, SHIFT_OP_X)."""

    position: int
    datatype: DataTypeWord


@keyword("SHIFT_OP_Y")
class ShiftOpY(Keyword):
    """Shift operand of fixed axis Y (ASAP2, SHIFT_OP_Y)."""

    position: int
    datatype: DataTypeWord


@keyword("SHIFT_OP_Z")
class ShiftOpZ(Keyword):
    """Shift operand of fixed axis Z (ASAP2, SHIFT_OP_Z)."""

    position: int
    datatype: DataTypeWord


@keyword("SHIFT_OP_4")
class ShiftOp4(Keyword):
    """Shift operand of fixed axis 4 (ASAP2, SHIFT_OP_4)."""

    position: int
    datatype: DataTypeWord


@keyword("SHIFT_OP_5")
class ShiftOp5(Keyword):
    """Shift operand of fixed axis 5 (ASAP2, SHIFT_OP_5)."""

    position: int
    datatype: DataTypeWord


@keyword("DIST_OP_X")
class DistOpX(Keyword):
    """Distance operand of fixed axis X (ASAP2, DIST_OP_X)."""

    position: int
    datatype: DataTypeWord


@keyword("DIST_OP_Y")
class DistOpY(Keyword):
    """Distance operand of fixed axis Y (ASAP2, DIST_OP_Y)."""

    position: int
    datatype: DataTypeWord


@keyword("DIST_OP_Z")
class DistOpZ(Keyword):
    """Distance operand of fixed axis Z (ASAP2, DIST_OP_Z)."""

    position: int
    datatype: DataTypeWord


@keyword("DIST_OP_4")
class DistOp4(Keyword):
    """Distance operand of fixed axis 4 (ASAP2, DIST_OP_4)."""

    position: int
    datatype: DataTypeWord


@keyword("DIST_OP_5")
class DistOp5(Keyword):
    """Distance operand of fixed axis 5 (ASAP2, DIST_OP_5)."""

    position: int
    datatype: DataTypeWord


@keyword("SRC_ADDR_X")
class SrcAddrX(Keyword):
    """Address of the input of axis X (ASAP2, SRC_ADDR_X)."""

    position: int
    datatype: DataTypeWord


@keyword("SRC_ADDR_Y")
class SrcAddrY(Keyword):
    """Address of the input of axis Y (ASAP2, SRC_ADDR_Y)."""

    position: int
    datatype: DataTypeWord


@keyword("SRC_ADDR_Z")
class SrcAddrZ(Keyword):
    """Address of the input of axis Z (ASAP2, SRC_ADDR_Z)."""

    position: int
    datatype: DataTypeWord


@keyword("SRC_ADDR_4")
class SrcAddr4(Keyword):
    """Address of the input of axis 4 (ASAP2, SRC_ADDR_4)."""

    position: int
    datatype: DataTypeWord


@keyword("SRC_ADDR_5")
class SrcAddr5(Keyword):
    """Address of the input of axis 5 (ASAP2, SRC_ADDR_5)."""

    position: int
    datatype: DataTypeWord


@keyword("RIP_ADDR_X")
class RipAddrX(Keyword):
    """Address of the interpolation result of axis X (ASAP2, RIP_ADDR_X)."""

    position: int
    datatype: DataTypeWord


@keyword("RIP_ADDR_Y")
class RipAddrY(Keyword):
    """Address of the interpolation result of axis Y (ASAP2, RIP_ADDR_Y)."""

    position: int
    datatype: DataTypeWord


@keyword("RIP_ADDR_Z")
class RipAddrZ(Keyword):
    """Address of the interpolation result of axis Z (ASAP2, RIP_ADDR_Z)."""

    position: int
    datatype: DataTypeWord


@keyword("RIP_ADDR_4")
class RipAddr4(Keyword):
    """Address of the interpolation result of axis 4 (ASAP2, RIP_ADDR_4)."""

    position: int
    datatype: DataTypeWord


@keyword("RIP_ADDR_5")
class RipAddr5(Keyword):
    """Address of the interpolation result of axis 5 (ASAP2, RIP_ADDR_5)."""

    position: int
    datatype: DataTypeWord


@keyword("RIP_ADDR_W")
class RipAddrW(Keyword):
    """Address of the interpolation result of the table (ASAP2, RIP_ADDR_W)."""

    position: int
    datatype: DataTypeWord


@keyword("RECORD_LAYOUT", block=True)
class RecordLayout(Keyword):
    """How a record lies in memory (ASAP2, RECORD_LAYOUT)."""

    name: Ident
    fnc_values: FncValues | None = None
    identification: Identification | None = None
    reserved: list[Reserved] = field(default_factory=list)
    axis_pts_x: AxisPtsX | None = None
    axis_pts_y: AxisPtsY | None = None
    axis_pts_z: AxisPtsZ | None = None
    axis_pts_4: AxisPts4 | None = None
    axis_pts_5: AxisPts5 | None = None
    axis_rescale_x: AxisRescaleX | None = None
    axis_rescale_y: AxisRescaleY | None = None
    axis_rescale_z: AxisRescaleZ | None = None
    axis_rescale_4: AxisRescale4 | None = None
    axis_rescale_5: AxisRescale5 | None = None
    no_axis_pts_x: NoAxisPtsX | None = None
    no_axis_pts_y: NoAxisPtsY | None = None
    no_axis_pts_z: NoAxisPtsZ | None = None
    no_axis_pts_4: NoAxisPts4 | None = None
    no_axis_pts_5: NoAxisPts5 | None = None
    no_rescale_x: NoRescaleX | None = None
    no_rescale_y: NoRescaleY | None = None
    no_rescale_z: NoRescaleZ | None = None
    no_rescale_4: NoRescale4 | None = None
    no_rescale_5: NoRescale5 | None = None
    fix_no_axis_pts_x: int | None = None
    fix_no_axis_pts_y: int | None = None
    fix_no_axis_pts_z: int | None = None
    fix_no_axis_pts_4: int | None = None
    fix_no_axis_pts_5: int | None = None
    offset_x: OffsetX | None = None
    offset_y: OffsetY | None = None
    offset_z: OffsetZ | None = None
    offset_4: Offset4 | None = None
    offset_5: Offset5 | None = None
    shift_op_x: ShiftOpX | None = None
    shift_op_y: ShiftOpY | None = None
    shift_op_z: ShiftOpZ | None = None
    shift_op_4: ShiftOp4 | None = None
    shift_op_5: ShiftOp5 | None = None
    dist_op_x: DistOpX | None = None
    dist_op_y: DistOpY | None = None
    dist_op_z: DistOpZ | None = None
    dist_op_4: DistOp4 | None = None
    dist_op_5: DistOp5 | None = None
    src_addr_x: SrcAddrX | None = None
    src_addr_y: SrcAddrY | None = None
    src_addr_z: SrcAddrZ | None = None
    src_addr_4: SrcAddr4 | None = None
    src_addr_5: SrcAddr5 | None = None
    rip_addr_x: RipAddrX | None = None
    rip_addr_y: RipAddrY | None = None
    rip_addr_z: RipAddrZ | None = None
    rip_addr_4: RipAddr4 | None = None
    rip_addr_5: RipAddr5 | None = None
    rip_addr_w: RipAddrW | None = None
    alignment_byte: int | None = None
    alignment_word: int | None = None
    alignment_long: int | None = None
    alignment_int64: Annotated[int | None, Since("1.60")] = None
    alignment_float16_ieee: Annotated[int | None, Since("1.71")] = None
    alignment_float32_ieee: int | None = None
    alignment_float64_ieee: int | None = None
    static_record_layout: Annotated[bool, Since("1.60")] = False
    static_address_offsets: Annotated[bool, Since("1.70")] = False
