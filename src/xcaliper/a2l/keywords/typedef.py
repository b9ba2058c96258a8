"""Typedefs and instances."""

from typing import Annotated

from xcaliper.a2l.grammar import (
    Hex,
    Ident,
    Keyword,
    Ref,
    Since,
    Text,
    Unit,
    field,
    keyword,
)
from xcaliper.a2l.keywords.axis import AxisDescr
from xcaliper.a2l.keywords.characteristic import CharTypeWord
from xcaliper.a2l.keywords.common import (
    AddressTypeWord,
    Annotation,
    BitOperation,
    ByteOrderWord,
    CalibrationAccessWord,
    ConversionRef,
    DataTypeWord,
    DepositWord,
    EncodingWord,
    ExtendedLimits,
    IfData,
    InputRef,
    LayoutRef,
    MaxRefresh,
    MonotonyWord,
    SymbolLink,
)
from xcaliper.a2l.keywords.measurement import LayoutWord

__all__ = [
    "Instance",
    "Limits",
    "Overwrite",
    "StructureComponent",
    "TypedefAxis",
    "TypedefBlob",
    "TypedefCharacteristic",
    "TypedefMeasurement",
    "TypedefStructure",
]

TypedefRef = Annotated[
    Ident,
    Ref(
        "TYPEDEF_AXIS",
        "TYPEDEF_BLOB",
        "TYPEDEF_CHARACTERISTIC",
        "TYPEDEF_MEASUREMENT",
        "TYPEDEF_STRUCTURE",
    ),
]


@keyword("TYPEDEF_MEASUREMENT", block=True, since="1.70")
class TypedefMeasurement(Keyword):
    """A measurement without an address (ASAP2, TYPEDEF_MEASUREMENT, 1.7)."""

    name: Ident
    long_identifier: Text
    datatype: DataTypeWord
    conversion: ConversionRef
    resolution: Annotated[int, Unit("bit")]
    accuracy: Annotated[float, Unit("%")]
    lower_limit: float
    upper_limit: float
    address_type: AddressTypeWord | None = None
    bit_mask: Hex | None = None
    bit_operation: BitOperation | None = None
    byte_order: ByteOrderWord | None = None
    discrete: bool = False
    error_mask: Hex | None = None
    format: Text | None = None
    layout: LayoutWord | None = None
    matrix_dim: tuple[int, ...] | None = None
    phys_unit: Text | None = None


@keyword("TYPEDEF_CHARACTERISTIC", block=True, since="1.70")
class TypedefCharacteristic(Keyword):
    """A parameter without an address (ASAP2, TYPEDEF_CHARACTERISTIC, 1.7)."""

    name: Ident
    long_identifier: Text
    type: CharTypeWord
    deposit: LayoutRef
    max_diff: float
    conversion: ConversionRef
    lower_limit: float
    upper_limit: float
    axis_descr: list[AxisDescr] = field(default_factory=list)
    bit_mask: Hex | None = None
    byte_order: ByteOrderWord | None = None
    discrete: bool = False
    encoding: EncodingWord | None = None
    extended_limits: ExtendedLimits | None = None
    format: Text | None = None
    matrix_dim: tuple[int, ...] | None = None
    number: int | None = None
    phys_unit: Text | None = None
    step_size: float | None = None


@keyword("TYPEDEF_AXIS", block=True, since="1.70")
class TypedefAxis(Keyword):
    """Axis points without an address (ASAP2, TYPEDEF_AXIS, 1.7)."""

    name: Ident
    long_identifier: Text
    input_quantity: InputRef
    deposit_record: LayoutRef
    max_diff: float
    conversion: ConversionRef
    max_axis_points: int
    lower_limit: float
    upper_limit: float
    byte_order: ByteOrderWord | None = None
    deposit: DepositWord | None = None
    extended_limits: ExtendedLimits | None = None
    format: Text | None = None
    monotony: MonotonyWord | None = None
    phys_unit: Text | None = None
    step_size: float | None = None


@keyword("TYPEDEF_BLOB", block=True, since="1.70")
class TypedefBlob(Keyword):
    """Raw bytes without an address (ASAP2, TYPEDEF_BLOB, 1.7)."""

    name: Ident
    long_identifier: Text
    size: int
    address_type: Annotated[AddressTypeWord | None, Since("1.71")] = None


@keyword("STRUCTURE_COMPONENT", block=True, since="1.70")
class StructureComponent(Keyword):
    """A member of a structure (ASAP2, STRUCTURE_COMPONENT, 1.7)."""

    name: Ident
    typedef_name: TypedefRef
    address_offset: Hex
    address_type: Annotated[AddressTypeWord | None, Since("1.71")] = None
    layout: LayoutWord | None = None
    matrix_dim: tuple[int, ...] | None = None
    symbol_type_link: Text | None = None


@keyword("TYPEDEF_STRUCTURE", block=True, since="1.70")
class TypedefStructure(Keyword):
    """A structure of typedefs (ASAP2, TYPEDEF_STRUCTURE, 1.7)."""

    name: Ident
    long_identifier: Text
    total_size: Hex
    address_type: Annotated[AddressTypeWord | None, Since("1.71")] = None
    consistent_exchange: bool = False
    symbol_type_link: Text | None = None
    structure_component: list[StructureComponent] = field(default_factory=list)


@keyword("LIMITS", since="1.70")
class Limits(Keyword):
    """Physical limits that replace those of a typedef (ASAP2, LIMITS, 1.7)."""

    lower_limit: float
    upper_limit: float


@keyword("OVERWRITE", block=True, since="1.70")
class Overwrite(Keyword):
    """Properties that an instance changes (ASAP2, OVERWRITE, 1.7)."""

    name: Ident
    axis_number: int
    conversion: ConversionRef | None = None
    extended_limits: ExtendedLimits | None = None
    format: Text | None = None
    input_quantity: InputRef | None = None
    limits: Limits | None = None
    monotony: MonotonyWord | None = None
    phys_unit: Text | None = None


@keyword("INSTANCE", block=True, since="1.70")
class Instance(Keyword):
    """A typedef at an address (ASAP2, INSTANCE, 1.7)."""

    name: Ident
    long_identifier: Text
    typedef_name: TypedefRef
    address: Hex
    display_identifier: Ident | None = None
    address_type: Annotated[AddressTypeWord | None, Since("1.71")] = None
    calibration_access: CalibrationAccessWord | None = None
    ecu_address_extension: Hex | None = None
    layout: LayoutWord | None = None
    matrix_dim: tuple[int, ...] | None = None
    max_refresh: MaxRefresh | None = None
    model_link: Text | None = None
    read_write: bool = False
    symbol_link: SymbolLink | None = None
    overwrite: list[Overwrite] = field(default_factory=list)
    annotation: list[Annotation] = field(default_factory=list)
    if_data: list[IfData] = field(default_factory=list)
