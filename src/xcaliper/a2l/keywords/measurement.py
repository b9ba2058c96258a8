"""MEASUREMENT and its own keywords."""

from typing import Annotated

from xcaliper.a2l.grammar import (
    Hex,
    Ident,
    Keyword,
    Rest,
    Since,
    Text,
    Unit,
    Until,
    field,
    keyword,
)
from xcaliper.a2l.keywords.common import (
    AddressTypeWord,
    Annotation,
    BitOperation,
    ByteOrderWord,
    ConversionRef,
    DataTypeWord,
    FunctionList,
    IfData,
    IndexModeWord,
    MaxRefresh,
    ObjectRef,
    SegmentRef,
    SymbolLink,
)

__all__ = ["LayoutWord", "Measurement", "Virtual"]

LayoutWord = IndexModeWord


@keyword("VIRTUAL", block=True)
class Virtual(Keyword):
    """Inputs of a measurement that has no memory (ASAP2, VIRTUAL)."""

    names: Annotated[list[ObjectRef], Rest()] = field(default_factory=list)


@keyword("MEASUREMENT", block=True)
class Measurement(Keyword):
    """A readable quantity of the ECU (ASAP2, MEASUREMENT)."""

    name: Ident
    long_identifier: Text
    datatype: DataTypeWord
    conversion: ConversionRef
    resolution: Annotated[int, Unit("bit")]
    accuracy: Annotated[float, Unit("%")]
    lower_limit: float
    upper_limit: float
    display_identifier: Ident | None = None
    ecu_address: Hex | None = None
    ecu_address_extension: Hex | None = None
    address_type: Annotated[AddressTypeWord | None, Since("1.70")] = None
    byte_order: ByteOrderWord | None = None
    bit_mask: Hex | None = None
    bit_operation: BitOperation | None = None
    error_mask: Hex | None = None
    array_size: Annotated[int | None, Until("1.51")] = None
    matrix_dim: tuple[int, ...] | None = None
    layout: Annotated[LayoutWord | None, Since("1.60")] = None
    format: Text | None = None
    phys_unit: Annotated[Text | None, Since("1.60")] = None
    discrete: Annotated[bool, Since("1.60")] = False
    read_write: bool = False
    ref_memory_segment: SegmentRef | None = None
    max_refresh: MaxRefresh | None = None
    model_link: Annotated[Text | None, Since("1.70")] = None
    symbol_link: SymbolLink | None = None
    virtual: Virtual | None = None
    function_list: FunctionList | None = None
    annotation: list[Annotation] = field(default_factory=list)
    if_data: list[IfData] = field(default_factory=list)
