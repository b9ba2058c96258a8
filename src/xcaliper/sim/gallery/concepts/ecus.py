"""The concepts: where parameters live, what a write does to them, how pages are switched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.sim.ecu import STORING
from xcaliper.sim.eeprom import EepromEmulation, EepromMemory, EepromTimes
from xcaliper.sim.flash_table import POINTER_BYTES, FlashTableMemory
from xcaliper.sim.gallery.concepts.program import STRUCTURES, concept_program
from xcaliper.sim.granted import GrantedMemory, SinglePointerMemory, blocks, structures
from xcaliper.sim.image import build_image
from xcaliper.sim.items import CalibrationMethod, MemoryKind, Page, Segment, ValueBlock
from xcaliper.sim.memory import EcuMemory
from xcaliper.sim.overlay import WholeOverlayMemory
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_program import CAL_AREA, ProgramSettings, SectorConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.sim.declare import EcuDeclaration
    from xcaliper.sim.ecu import MemoryMaker
    from xcaliper.sim.granted import Piece
    from xcaliper.sim.image import EcuImage
    from xcaliper.xcp.slave_store import NonVolatile

__all__ = ["CONCEPTS", "ConceptEcu", "with_sectors"]

_HOME: Final = "Calibration"
_FLASH: Final = 0x0801_0000
_TABLE: Final = 0x0802_0000
_RAM: Final = 0x2001_0000
_CALIBRATION_RAM: Final = 0x2002_0000
_EEPROM: Final = 0x0A00_0000
_EEPROM_AREA: Final = "eeprom"
_SIZE: Final = 0x400
_TABLE_SIZE: Final = 0x100
#: Calibration RAM of the pointer concepts: structures A and C fit together, B behind A does not.
_STRUCTURE_ROOM: Final = 400
_BLOCK: Final = 128
_BLOCKS_OF_RAM: Final = 4
_FLASH_ONLY: Final = (Page(0, "flash", writable=False),)
_RAM_ONLY: Final = (Page(0, "working memory", writable=True),)
_TWO_RAM: Final = (
    Page(0, "first working memory", writable=True),
    Page(1, "second working memory", writable=True),
)
_GRANTED: Final = {
    "CalRamUsed": "bytes of calibration RAM in use",
    "CalRamFree": "bytes of calibration RAM that are left",
    "CalRamPieces": "blocks or structures that have a copy in RAM",
}
_POINTERS: Final = {"PointersInRam": "pointers that lead to RAM"}
_WEAR: Final = {
    "EepromErases0": "how often the first sector was erased",
    "EepromErases1": "how often the second sector was erased",
    "EepromWrites": "records written",
}


@dataclass(frozen=True, slots=True)
class ConceptEcu:
    """What makes an ECU of a concept.

    Attributes:
        declaration: of the ECU.
        memory: makes its memory.
        device: EEPROM that outlives power-off; None = it has none.
    """

    declaration: EcuDeclaration
    memory: MemoryMaker = EcuMemory
    device: EepromEmulation | None = None

    def keep(self, nonvolatile: NonVolatile) -> None:
        """Let the EEPROM begin with what a file kept, and the file follow it."""
        device = self.device
        if device is None:
            return
        device.load(nonvolatile.areas.get(_EEPROM_AREA, b""))

        def keep() -> None:
            nonvolatile.areas[_EEPROM_AREA] = device.dump()
            nonvolatile.changed()

        device.changed = keep

    @property
    def sectors(self) -> tuple[SectorConfig, ...]:
        """Flash sectors under the segments, so that parameters and pointers can be programmed."""
        places: list[tuple[str, int, int, int]] = []
        flash_extension = self.declaration.flash_extension
        for one in self.declaration.segments:
            if one.initial_at is not None:
                places.append((one.initial_name, one.initial_at, flash_extension, one.size_bytes))
            elif one.kind is MemoryKind.FLASH:
                places.append((one.name, one.address, one.extension, one.size_bytes))
        return tuple(
            SectorConfig(number, name, Address(address, extension), size_bytes, area=CAL_AREA)
            for number, (name, address, extension, size_bytes) in enumerate(places)
        )


def with_sectors(settings: SlaveConfig | None, own: tuple[SectorConfig, ...]) -> SlaveConfig:
    """Settings whose flash begins with the sectors of the parameters.

    Args:
        settings: as given; those that cannot program stay so. None = the usual ones, which can.
        own: sectors of the parameters.
    """
    if settings is None:
        program = ProgramSettings(own, functional=True) if own else None
        settings = SlaveConfig(**STORING, program=program)
    if settings.program is None or not own:
        return settings
    others = settings.program.sectors if settings.program.sectors != own else ()
    sectors = tuple(
        replace(
            sector,
            number=number,
            clear_sequence_number=2 * number,
            program_sequence_number=2 * number + 1,
        )
        for number, sector in enumerate((*own, *others))
    )
    return replace(settings, program=replace(settings.program, sectors=sectors))


def _segment(text: str, **more: Any) -> Segment:
    """The usual segment of the parameters, in flash, with changes."""
    made = Segment(name=_HOME, number=0, address=_FLASH, size_bytes=_SIZE, text=text)
    return replace(made, **more)


def _flash_parameters(order: ByteOrder, _ag: int) -> ConceptEcu:
    segment = _segment("Parameters in flash", pages=_FLASH_ONLY)
    return ConceptEcu(
        concept_program(
            "FlashParameters", "Parameters in flash: no online writing", [segment], byte_order=order
        )
    )


def _eeprom(order: ByteOrder, ag: int) -> ConceptEcu:
    segment = _segment(
        "Parameters in EEPROM", pages=_RAM_ONLY, address=_EEPROM, kind=MemoryKind.EEPROM
    )
    declaration = concept_program(
        "EepromParameters",
        "Parameters in an EEPROM of two flash sectors: slow writes that wear",
        [segment],
        figures=_WEAR,
        byte_order=order,
    )
    initial = build_image(declaration, ag=ag).regions[_HOME].initial
    device = EepromEmulation(initial)
    memory = partial(EepromMemory, device=device, times=EepromTimes())
    return ConceptEcu(declaration, memory, device)


def _ram_parameters(order: ByteOrder, _ag: int) -> ConceptEcu:
    segment = _segment(
        "Parameters in RAM",
        pages=_RAM_ONLY,
        address=_RAM,
        kind=MemoryKind.RAM,
        initial_at=_FLASH,
    )
    return ConceptEcu(
        concept_program(
            "RamParameters",
            "Parameters in RAM, initial values in flash at a fixed offset",
            [segment],
            byte_order=order,
        )
    )


def _two_pages(order: ByteOrder, _ag: int) -> ConceptEcu:
    segment = _segment(
        "Parameters in RAM, twice",
        pages=_TWO_RAM,
        address=_RAM,
        kind=MemoryKind.RAM,
        initial_at=_FLASH,
    )
    return ConceptEcu(
        concept_program(
            "TwoPages",
            "Two pages of RAM, of which the ECU takes either in one instant",
            [segment],
            byte_order=order,
        )
    )


def _flash_overlay(order: ByteOrder, _ag: int) -> ConceptEcu:
    half = _SIZE // 2
    control = _segment("Structures A and B", name="Control", size_bytes=half)
    tables = _segment(
        "Structures C and D", name="Tables", number=1, address=_FLASH + half, size_bytes=half
    )
    return ConceptEcu(
        concept_program(
            "FlashOverlay",
            "Flash covered by RAM of the chip, on or off as a whole",
            [control, tables],
            homes={"C": "Tables", "D": "Tables"},
            byte_order=order,
        ),
        WholeOverlayMemory,
    )


def _dynamic_overlay(order: ByteOrder, _ag: int) -> ConceptEcu:
    return ConceptEcu(
        concept_program(
            "DynamicOverlay",
            f"RAM for {_BLOCKS_OF_RAM} of {_SIZE // _BLOCK} blocks, granted on the first write",
            [_segment("Parameters in flash, covered block by block")],
            figures=_GRANTED,
            byte_order=order,
        ),
        partial(
            GrantedMemory,
            pieces=lambda _image: blocks(_SIZE, _BLOCK),
            room_bytes=_BLOCK * _BLOCKS_OF_RAM,
        ),
    )


def _pieces(image: EcuImage) -> tuple[Piece, ...]:
    return structures(image, STRUCTURES)


def _single_pointer(order: ByteOrder, _ag: int) -> ConceptEcu:
    return ConceptEcu(
        concept_program(
            "SinglePointer",
            "Structures behind one table of pointers in RAM",
            [_segment("Parameters in flash, structures copied on the first write")],
            figures=_GRANTED | _POINTERS,
            byte_order=order,
        ),
        partial(SinglePointerMemory, pieces=_pieces, room_bytes=_STRUCTURE_ROOM),
    )


def _double_pointer(order: ByteOrder, _ag: int) -> ConceptEcu:
    return ConceptEcu(
        concept_program(
            "DoublePointer",
            "Structures behind two tables of pointers, one pointer chooses",
            [_segment("Parameters in flash, structures copied on the first write")],
            figures=_GRANTED,
            byte_order=order,
        ),
        partial(GrantedMemory, pieces=_pieces, room_bytes=_STRUCTURE_ROOM),
    )


def _flash_table(order: ByteOrder, ag: int) -> ConceptEcu:
    """Structures A and C lead to RAM as delivered."""

    def declared(pointers: tuple[float, ...]) -> EcuDeclaration:
        table = Segment(
            name="Pointers",
            number=1,
            address=_TABLE,
            size_bytes=_TABLE_SIZE,
            text="Table of pointers in flash",
            pages=_FLASH_ONLY,
        )
        handle = (_TABLE, POINTER_BYTES * len(STRUCTURES), POINTER_BYTES, _FLASH, _SIZE)
        return concept_program(
            "FlashPointers",
            "Structures behind a table of pointers in flash",
            [_segment("Parameters in flash, some with a copy in RAM", pages=_RAM_ONLY), table],
            figures=_POINTERS,
            further=(
                ValueBlock(
                    name="PointerTable",
                    datatype=DataType.ULONG,
                    text="address of each structure, A to D",
                    segment="Pointers",
                    default=pointers,
                ),
            ),
            method=CalibrationMethod("InCircuit2", 1, handle),
            byte_order=order,
        )

    pieces = _pieces(build_image(declared((0.0,) * len(STRUCTURES)), ag=ag))
    pointers, used = [], 0
    for piece in pieces:
        if piece.name in ("A", "C"):
            pointers.append(_CALIBRATION_RAM + used // ag)
            used += -(-piece.size_bytes // 4) * 4
        else:
            pointers.append(_FLASH + piece.offset // ag)
    return ConceptEcu(
        declared(tuple(map(float, pointers))),
        partial(
            FlashTableMemory,
            pieces=_pieces,
            ram_address=_CALIBRATION_RAM,
            room_bytes=_STRUCTURE_ROOM,
        ),
    )


#: Name in the gallery → what makes the ECU, from byte order and bytes per address.
CONCEPTS: Final[dict[str, Callable[[ByteOrder, int], ConceptEcu]]] = {
    "flash-parameters": _flash_parameters,
    "eeprom": _eeprom,
    "ram-parameters": _ram_parameters,
    "two-ram-pages": _two_pages,
    "flash-overlay": _flash_overlay,
    "dynamic-overlay": _dynamic_overlay,
    "autosar-single-pointer": _single_pointer,
    "double-pointer": _double_pointer,
    "pointer-table-in-flash": _flash_table,
}
