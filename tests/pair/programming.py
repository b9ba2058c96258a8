"""A slave with flash for the machine pair: sectors on paged memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pair.link import PagedMemory, Pair, config
from xcaliper.core.address import Address
from xcaliper.sim.flash import Flash
from xcaliper.wire.codec import encode
from xcaliper.xcp.slave_program import ProgramSettings, SectorConfig

if TYPE_CHECKING:
    from xcaliper.wire.layout import Packet

FLASH = Address(0x0900_0000)
SECTOR_SIZE = 0x400
MS = 1_000_000


def sectors(ag: int = 1) -> tuple[SectorConfig, ...]:
    """Three sectors, cleared and programmed in turn; the first two are for calibration."""
    return tuple(
        SectorConfig(
            number,
            name,
            FLASH + number * SECTOR_SIZE // ag,
            SECTOR_SIZE,
            clear_sequence_number=2 * number,
            program_sequence_number=2 * number + 1,
            area=area,
        )
        for number, (name, area) in enumerate((("cal0", 1), ("cal1", 1), ("code", 2)))
    )


class FlashedMemory(PagedMemory):
    """Pages and RAM as for every pair, and flash behind them."""

    def __init__(self, flash: Flash, ag: int = 1) -> None:
        super().__init__(ag)
        self.flash = flash
        self.clear = flash.clear
        self.program = flash.program
        self.end_segment = flash.end_segment
        self.verify = flash.verify

    def read(self, address: Address, size_bytes: int) -> bytes:
        for sector, cells in self.flash.runs():
            at = (address.value - sector.address.value) * self.ag
            if at >= 0 and at + size_bytes <= sector.size_bytes:
                return bytes(cells[at : at + size_bytes])
        return super().read(address, size_bytes)


class FlashPair(Pair):
    """The pair with a slave that programs."""

    def __init__(self, *, ag: int = 1, program: dict | None = None, **more: object) -> None:
        settings = ProgramSettings(sectors(ag), **({"functional": True} | (program or {})))
        made = config(ag=ag, granularity_odt_entry=ag, program=settings, **more)
        self.flash = Flash(settings.sectors, ag=ag)
        super().__init__(made, memory=FlashedMemory(self.flash, ag))

    def wait(self) -> None:
        """As ever, and the slave wakes up in time."""
        due, wanted = self.slave.due(), self.master.due()
        soonest = min((t for t in (wanted, *(t[0] for t in self._travelling[:1])) if t), default=0)
        if due is not None and (not soonest or due <= soonest):
            self.now_ns = max(self.now_ns, due)
            self.slave.on_time(self.now_ns)
            return
        super().wait()


def answer(pair: FlashPair, packet: bytes | Packet) -> str:
    """What the slave sends at once, in hex; nothing is ''."""
    raw = packet if isinstance(packet, bytes) else encode(packet, pair.config.byte_order)
    pair.slave.receive(raw, pair.now_ns)
    return " ".join(p.hex() for p in pair.slave.outgoing())
