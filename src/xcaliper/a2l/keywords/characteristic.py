"""CHARACTERISTIC, BLOB and their own keywords."""

from typing import Annotated

from xcaliper.a2l.grammar import (
    Hex,
    Ident,
    Keyword,
    Ref,
    Rest,
    Since,
    Text,
    Words,
    field,
    keyword,
)
from xcaliper.a2l.keywords.axis import AxisDescr
from xcaliper.a2l.keywords.common import (
    AddressTypeWord,
    Annotation,
    BitOperation,
    ByteOrderWord,
    CalibrationAccessWord,
    ConversionRef,
    EncodingWord,
    ExtendedLimits,
    FunctionList,
    IfData,
    LayoutRef,
    MaxRefresh,
    ObjectRef,
    SegmentRef,
    SymbolLink,
)

__all__ = [
    "Blob",
    "CharTypeWord",
    "Characteristic",
    "DependentCharacteristic",
    "MapList",
    "VirtualCharacteristic",
]

CharTypeWord = Annotated[
    str, Words("VALUE", "CURVE", "MAP", "CUBOID", "CUBE_4", "CUBE_5", "VAL_BLK", "ASCII")
]


@keyword("DEPENDENT_CHARACTERISTIC", block=True)
class DependentCharacteristic(Keyword):
    """A parameter recomputed from others (ASAP2, DEPENDENT_CHARACTERISTIC)."""

    formula: Text
    characteristic: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("VIRTUAL_CHARACTERISTIC", block=True)
class VirtualCharacteristic(Keyword):
    """A parameter without memory, computed from others (ASAP2, VIRTUAL_CHARACTERISTIC)."""

    formula: Text
    characteristic: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("MAP_LIST", block=True)
class MapList(Keyword):
    """Maps that make up a cuboid, in Z order (ASAP2, MAP_LIST)."""

    names: Annotated[list[Annotated[Ident, Ref("CHARACTERISTIC")]], Rest()] = field(
        default_factory=list
    )


@keyword("CHARACTERISTIC", block=True)
class Characteristic(Keyword):
    """A parameter of the ECU (ASAP2, CHARACTERISTIC)."""

    name: Ident
    long_identifier: Text
    type: CharTypeWord
    address: Hex
    deposit: LayoutRef
    max_diff: float
    conversion: ConversionRef
    lower_limit: float
    upper_limit: float
    display_identifier: Ident | None = None
    axis_descr: list[AxisDescr] = field(default_factory=list)
    bit_mask: Hex | None = None
    bit_operation: BitOperation | None = None
    byte_order: ByteOrderWord | None = None
    calibration_access: CalibrationAccessWord | None = None
    comparison_quantity: Annotated[Ident | None, Ref("MEASUREMENT")] = None
    dependent_characteristic: DependentCharacteristic | None = None
    discrete: Annotated[bool, Since("1.60")] = False
    ecu_address_extension: Hex | None = None
    encoding: Annotated[EncodingWord | None, Since("1.70")] = None
    extended_limits: ExtendedLimits | None = None
    format: Text | None = None
    guard_rails: bool = False
    map_list: MapList | None = None
    matrix_dim: tuple[int, ...] | None = None
    max_refresh: MaxRefresh | None = None
    model_link: Annotated[Text | None, Since("1.70")] = None
    number: int | None = None
    phys_unit: Annotated[Text | None, Since("1.60")] = None
    read_only: bool = False
    ref_memory_segment: SegmentRef | None = None
    step_size: Annotated[float | None, Since("1.60")] = None
    symbol_link: SymbolLink | None = None
    virtual_characteristic: VirtualCharacteristic | None = None
    function_list: FunctionList | None = None
    annotation: list[Annotation] = field(default_factory=list)
    if_data: list[IfData] = field(default_factory=list)


@keyword("BLOB", block=True, since="1.70")
class Blob(Keyword):
    """Raw bytes without layout and conversion (ASAP2, BLOB, 1.7)."""

    name: Ident
    long_identifier: Text
    address: Hex
    size: int
    display_identifier: Ident | None = None
    address_type: AddressTypeWord | None = None
    calibration_access: CalibrationAccessWord | None = None
    ecu_address_extension: Hex | None = None
    max_refresh: MaxRefresh | None = None
    model_link: Text | None = None
    symbol_link: SymbolLink | None = None
    annotation: list[Annotation] = field(default_factory=list)
    if_data: list[IfData] = field(default_factory=list)
