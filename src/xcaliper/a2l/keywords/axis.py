"""AXIS_PTS, AXIS_DESCR and the fixed axes."""

from typing import Annotated

from xcaliper.a2l.grammar import Hex, Ident, Keyword, Ref, Rest, Since, Text, Words, field, keyword
from xcaliper.a2l.keywords.common import (
    Annotation,
    ByteOrderWord,
    CalibrationAccessWord,
    ConversionRef,
    DepositWord,
    ExtendedLimits,
    FunctionList,
    IfData,
    InputRef,
    LayoutRef,
    MaxRefresh,
    MonotonyWord,
    SegmentRef,
    SymbolLink,
)

__all__ = ["AxisDescr", "AxisPts", "FixAxisPar", "FixAxisParDist", "FixAxisParList"]


@keyword("FIX_AXIS_PAR")
class FixAxisPar(Keyword):
    """Points offset + i·2^shift, internal values (ASAP2, FIX_AXIS_PAR)."""

    offset: float
    shift: float
    number_apo: int


@keyword("FIX_AXIS_PAR_DIST")
class FixAxisParDist(Keyword):
    """Points offset + i·distance, internal values (ASAP2, FIX_AXIS_PAR_DIST)."""

    offset: float
    distance: float
    number_apo: int


@keyword("FIX_AXIS_PAR_LIST", block=True)
class FixAxisParList(Keyword):
    """Points listed in the description, internal values (ASAP2, FIX_AXIS_PAR_LIST)."""

    axis_pts_value: Annotated[list[float], Rest()] = field(default_factory=list)


@keyword("AXIS_DESCR", block=True)
class AxisDescr(Keyword):
    """One axis of a table (ASAP2, AXIS_DESCR)."""

    attribute: Annotated[str, Words("STD_AXIS", "FIX_AXIS", "COM_AXIS", "RES_AXIS", "CURVE_AXIS")]
    input_quantity: InputRef
    conversion: ConversionRef
    max_axis_points: int
    lower_limit: float
    upper_limit: float
    axis_pts_ref: Annotated[Ident | None, Ref("AXIS_PTS", "TYPEDEF_AXIS")] = None
    curve_axis_ref: Annotated[Ident | None, Ref("CHARACTERISTIC")] = None
    fix_axis_par: FixAxisPar | None = None
    fix_axis_par_dist: FixAxisParDist | None = None
    fix_axis_par_list: FixAxisParList | None = None
    byte_order: ByteOrderWord | None = None
    deposit: DepositWord | None = None
    extended_limits: ExtendedLimits | None = None
    format: Text | None = None
    max_grad: float | None = None
    monotony: MonotonyWord | None = None
    phys_unit: Annotated[Text | None, Since("1.60")] = None
    read_only: bool = False
    step_size: Annotated[float | None, Since("1.60")] = None
    annotation: list[Annotation] = field(default_factory=list)


@keyword("AXIS_PTS", block=True)
class AxisPts(Keyword):
    """Axis points kept on their own, for several tables (ASAP2, AXIS_PTS)."""

    name: Ident
    long_identifier: Text
    address: Hex
    input_quantity: InputRef
    deposit_record: LayoutRef
    max_diff: float
    conversion: ConversionRef
    max_axis_points: int
    lower_limit: float
    upper_limit: float
    display_identifier: Ident | None = None
    byte_order: ByteOrderWord | None = None
    calibration_access: CalibrationAccessWord | None = None
    deposit: DepositWord | None = None
    ecu_address_extension: Hex | None = None
    extended_limits: ExtendedLimits | None = None
    format: Text | None = None
    guard_rails: bool = False
    max_refresh: Annotated[MaxRefresh | None, Since("1.70")] = None
    model_link: Annotated[Text | None, Since("1.70")] = None
    monotony: MonotonyWord | None = None
    phys_unit: Annotated[Text | None, Since("1.60")] = None
    read_only: bool = False
    ref_memory_segment: SegmentRef | None = None
    step_size: Annotated[float | None, Since("1.60")] = None
    symbol_link: SymbolLink | None = None
    function_list: FunctionList | None = None
    annotation: list[Annotation] = field(default_factory=list)
    if_data: list[IfData] = field(default_factory=list)
