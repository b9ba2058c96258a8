"""Keywords and word sets that many objects share."""

from typing import Annotated

from xcaliper.a2l.grammar import Ident, Keyword, Ref, Rest, Text, Words, field, keyword
from xcaliper.a2l.ifdata import IfData

__all__ = [
    "AddrTypeWord",
    "AddressTypeWord",
    "Annotation",
    "AnnotationText",
    "BitOperation",
    "ByteOrderWord",
    "CalibrationAccessWord",
    "ConversionRef",
    "DataTypeSizeWord",
    "DataTypeWord",
    "DepositWord",
    "EncodingWord",
    "ExtendedLimits",
    "FunctionList",
    "IfData",
    "IndexModeWord",
    "IndexOrderWord",
    "LayoutRef",
    "MaxRefresh",
    "MonotonyWord",
    "ObjectRef",
    "SymbolLink",
]

DataTypeWord = Annotated[
    str,
    Words(
        "UBYTE",
        "SBYTE",
        "UWORD",
        "SWORD",
        "ULONG",
        "SLONG",
        "A_UINT64",
        "A_INT64",
        "FLOAT16_IEEE",
        "FLOAT32_IEEE",
        "FLOAT64_IEEE",
    ),
]
DataTypeSizeWord = Annotated[str, Words("BYTE", "WORD", "LONG")]
ByteOrderWord = Annotated[
    str,
    Words(
        "MSB_LAST",
        "MSB_FIRST",
        "LITTLE_ENDIAN",
        "BIG_ENDIAN",
        "MSB_FIRST_MSW_LAST",
        "MSB_LAST_MSW_FIRST",
    ),
]
AddressTypeWord = Annotated[str, Words("PBYTE", "PWORD", "PLONG", "PLONGLONG", "DIRECT")]
AddrTypeWord = AddressTypeWord
IndexOrderWord = Annotated[str, Words("INDEX_INCR", "INDEX_DECR")]
IndexModeWord = Annotated[
    str,
    Words(
        "ROW_DIR",
        "COLUMN_DIR",
        "ALTERNATE_CURVES",
        "ALTERNATE_WITH_X",
        "ALTERNATE_WITH_Y",
    ),
]
DepositWord = Annotated[str, Words("ABSOLUTE", "DIFFERENCE")]
MonotonyWord = Annotated[
    str,
    Words(
        "MON_DECREASE",
        "MON_INCREASE",
        "STRICT_DECREASE",
        "STRICT_INCREASE",
        "MONOTONOUS",
        "STRICT_MON",
        "NOT_MON",
    ),
]
CalibrationAccessWord = Annotated[
    str,
    Words("CALIBRATION", "NO_CALIBRATION", "NOT_IN_MCD_SYSTEM", "OFFLINE_CALIBRATION"),
]
EncodingWord = Annotated[str, Words("UTF8", "UTF16", "UTF32")]

ConversionRef = Annotated[Ident, Ref("COMPU_METHOD", none="NO_COMPU_METHOD")]
LayoutRef = Annotated[Ident, Ref("RECORD_LAYOUT")]
InputRef = Annotated[Ident, Ref("MEASUREMENT", "INSTANCE", none="NO_INPUT_QUANTITY")]
ObjectRef = Annotated[Ident, Ref("AXIS_PTS", "BLOB", "CHARACTERISTIC", "INSTANCE", "MEASUREMENT")]
SegmentRef = Annotated[Ident, Ref("MEMORY_SEGMENT")]


@keyword("ANNOTATION_TEXT", block=True)
class AnnotationText(Keyword):
    """Lines of a note (ASAP2, ANNOTATION_TEXT)."""

    lines: Annotated[list[Text], Rest()] = field(default_factory=list)


@keyword("ANNOTATION", block=True)
class Annotation(Keyword):
    """A note on an object (ASAP2, ANNOTATION)."""

    annotation_label: Text | None = None
    annotation_origin: Text | None = None
    annotation_text: AnnotationText | None = None


@keyword("BIT_OPERATION", block=True)
class BitOperation(Keyword):
    """Shift after masking, instead of the automatic one (ASAP2, BIT_OPERATION)."""

    left_shift: int | None = None
    right_shift: int | None = None
    sign_extend: bool = False


@keyword("EXTENDED_LIMITS")
class ExtendedLimits(Keyword):
    """Hard physical limits (ASAP2, EXTENDED_LIMITS)."""

    lower_limit: float
    upper_limit: float


@keyword("FUNCTION_LIST", block=True)
class FunctionList(Keyword):
    """Functions an object belongs to (ASAP2, FUNCTION_LIST)."""

    names: Annotated[list[Annotated[Ident, Ref("FUNCTION")]], Rest()] = field(default_factory=list)


@keyword("MAX_REFRESH")
class MaxRefresh(Keyword):
    """Fastest useful refresh (ASAP2, MAX_REFRESH): unit code and rate."""

    scaling_unit: int
    rate: int


@keyword("SYMBOL_LINK", since="1.60")
class SymbolLink(Keyword):
    """Symbol of the linker whose address counts (ASAP2, SYMBOL_LINK)."""

    symbol_name: Text
    offset: int
