"""What a declaration says about memory, as MOD_PAR with MEMORY_SEGMENTs *(ASAP2, MOD_PAR, 1.2)*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.a2l.if_xcp import write_segment
from xcaliper.a2l.keywords import memory as kw_memory
from xcaliper.sim.image import CODE, RAM
from xcaliper.sim.items import MemoryKind
from xcaliper.sim.xcp_section import describe_segment

if TYPE_CHECKING:
    from xcaliper.sim.image import EcuImage
    from xcaliper.xcp.slave_config import SlaveConfig

__all__ = ["describe_memory"]

_NO_MIRRORS: Final = (-1, -1, -1, -1, -1)
#: Program type, memory type and attribute of a segment with parameters, by the kind of its memory.
_SEGMENT_WORDS: Final = {
    MemoryKind.FLASH: ("DATA", "FLASH", "INTERN"),
    MemoryKind.RAM: ("CALIBRATION_VARIABLES", "RAM", "INTERN"),
    MemoryKind.EEPROM: ("DATA", "EEPROM", "INTERN"),
    MemoryKind.PERIPHERALS: ("DATA", "REGISTER", "INTERN"),
    MemoryKind.EXTERNAL_FLASH: ("DATA", "FLASH", "EXTERN"),
}
#: The same of memory without objects.
_AREA_WORDS: Final = {
    MemoryKind.FLASH: ("RESERVED", "FLASH", "INTERN"),
    MemoryKind.RAM: ("RESERVED", "RAM", "INTERN"),
    MemoryKind.EEPROM: ("RESERVED", "EEPROM", "INTERN"),
    MemoryKind.PERIPHERALS: ("VARIABLES", "REGISTER", "INTERN"),
    MemoryKind.EXTERNAL_FLASH: ("RESERVED", "FLASH", "EXTERN"),
}


def describe_memory(image: EcuImage, config: SlaveConfig) -> kw_memory.ModPar:
    """MOD_PAR of an ECU: program, method of calibration, every run of memory with its pages."""
    declaration = image.declaration
    made = kw_memory.ModPar(
        declaration.text,
        version=declaration.epk,
        addr_epk=[declaration.epk_address],
        epk=declaration.epk,
        ecu=declaration.name,
        cpu_type="virtual",
    )
    if declaration.method is not None:
        method = declaration.method
        handles = [kw_memory.CalibrationHandle(list(method.handle))] if method.handle else []
        made.calibration_method.append(
            kw_memory.CalibrationMethod(method.name, method.version, calibration_handle=handles)
        )
    made.memory_segment += [
        _memory_segment(image, RAM, ("VARIABLES", "RAM", "INTERN"), "Measurement variables"),
        _memory_segment(image, CODE, ("CODE", "FLASH", "INTERN"), "Program identification"),
    ]
    for segment in declaration.segments:
        words = _SEGMENT_WORDS[segment.kind]
        described = _memory_segment(image, segment.name, words, segment.text)
        described.if_data.append(write_segment(describe_segment(segment, config)))
        made.memory_segment.append(described)
        if segment.initial_at is not None:
            text = f"Initial values of {segment.name}"
            words = ("OFFLINE_DATA", "FLASH", "INTERN")
            made.memory_segment.append(_memory_segment(image, segment.initial_name, words, text))
    made.memory_segment += [
        _memory_segment(image, area.name, _AREA_WORDS[area.kind], area.text)
        for area in declaration.areas
        if not _is_aliased(image, area.name)
    ]
    return made


def _is_aliased(image: EcuImage, name: str) -> bool:
    """Whether other memory has the same addresses: MEMORY_SEGMENT cannot tell an address extension."""
    one = image.regions[name]
    end = one.address + len(one.initial) // image.ag
    return any(
        other.name != name
        and other.address < end
        and one.address < other.address + len(other.initial) // image.ag
        for other in image.regions.values()
    )


def _memory_segment(
    image: EcuImage, name: str, words: tuple[str, str, str], text: str
) -> kw_memory.MemorySegment:
    region = image.regions[name]
    size_bytes = len(region.initial)
    return kw_memory.MemorySegment(name, text, *words, region.address, size_bytes, *_NO_MIRRORS)
