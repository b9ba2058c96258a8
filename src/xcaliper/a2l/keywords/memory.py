"""MOD_PAR, MOD_COMMON and the memory of the ECU."""

from typing import Annotated

from xcaliper.a2l.grammar import (
    Hex,
    Ident,
    Keyword,
    Ref,
    Rest,
    Since,
    Text,
    Until,
    Words,
    field,
    keyword,
)
from xcaliper.a2l.keywords.common import ByteOrderWord, DepositWord, IfData

__all__ = [
    "CalibrationHandle",
    "CalibrationMethod",
    "MemoryLayout",
    "MemorySegment",
    "ModCommon",
    "ModPar",
    "SystemConstant",
]


@keyword("CALIBRATION_HANDLE", block=True)
class CalibrationHandle(Keyword):
    """Numbers that a calibration method needs (ASAP2, CALIBRATION_HANDLE)."""

    handle: Annotated[list[Hex], Rest()] = field(default_factory=list)
    calibration_handle_text: Annotated[Text | None, Since("1.60")] = None


@keyword("CALIBRATION_METHOD", block=True)
class CalibrationMethod(Keyword):
    """A way to calibrate this ECU (ASAP2, CALIBRATION_METHOD)."""

    method: Text
    version: int
    calibration_handle: list[CalibrationHandle] = field(default_factory=list)


@keyword("MEMORY_LAYOUT", block=True)
class MemoryLayout(Keyword):
    """A memory area in the form before MEMORY_SEGMENT (ASAP2, MEMORY_LAYOUT)."""

    prg_type: Annotated[str, Words("PRG_CODE", "PRG_DATA", "PRG_RESERVED")]
    address: Hex
    size: Hex
    offset_1: int
    offset_2: int
    offset_3: int
    offset_4: int
    offset_5: int
    if_data: list[IfData] = field(default_factory=list)


@keyword("MEMORY_SEGMENT", block=True)
class MemorySegment(Keyword):
    """A memory area of the ECU; offsets of −1 mean no mirror (ASAP2, MEMORY_SEGMENT)."""

    name: Ident
    long_identifier: Text
    prg_type: Annotated[
        str,
        Words(
            "CALIBRATION_VARIABLES",
            "CODE",
            "DATA",
            "EXCLUDE_FROM_FLASH",
            "OFFLINE_DATA",
            "RESERVED",
            "SERAM",
            "VARIABLES",
        ),
    ]
    memory_type: Annotated[
        str, Words("EEPROM", "EPROM", "FLASH", "RAM", "ROM", "REGISTER", "NOT_IN_ECU")
    ]
    attribute: Annotated[str, Words("INTERN", "EXTERN")]
    address: Hex
    size: Hex
    offset_1: int
    offset_2: int
    offset_3: int
    offset_4: int
    offset_5: int
    if_data: list[IfData] = field(default_factory=list)


@keyword("SYSTEM_CONSTANT")
class SystemConstant(Keyword):
    """A named constant for formulas; the value is text (ASAP2, SYSTEM_CONSTANT)."""

    name: Text
    value: Text


@keyword("MOD_PAR", block=True)
class ModPar(Keyword):
    """Identification and memory of the ECU (ASAP2, MOD_PAR)."""

    comment: Text
    version: Text | None = None
    addr_epk: list[Hex] = field(default_factory=list)
    epk: Text | None = None
    supplier: Text | None = None
    customer: Text | None = None
    customer_no: Text | None = None
    user: Text | None = None
    phone_no: Text | None = None
    ecu: Text | None = None
    cpu_type: Text | None = None
    no_of_interfaces: int | None = None
    ecu_calibration_offset: Hex | None = None
    calibration_method: list[CalibrationMethod] = field(default_factory=list)
    memory_layout: list[MemoryLayout] = field(default_factory=list)
    memory_segment: list[MemorySegment] = field(default_factory=list)
    system_constant: list[SystemConstant] = field(default_factory=list)


@keyword("MOD_COMMON", block=True)
class ModCommon(Keyword):
    """Defaults for every object of the module (ASAP2, MOD_COMMON)."""

    comment: Text
    alignment_byte: int | None = None
    alignment_word: int | None = None
    alignment_long: int | None = None
    alignment_int64: Annotated[int | None, Since("1.60")] = None
    alignment_float16_ieee: Annotated[int | None, Since("1.71")] = None
    alignment_float32_ieee: int | None = None
    alignment_float64_ieee: int | None = None
    byte_order: ByteOrderWord | None = None
    data_size: int | None = None
    deposit: DepositWord | None = None
    s_rec_layout: Annotated[Ident | None, Ref("RECORD_LAYOUT"), Until("1.60")] = None
