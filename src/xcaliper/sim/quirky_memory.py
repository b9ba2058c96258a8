"""Memory of a virtual ECU as a slave with quirks shows it: other addresses, writes without effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.core.address import Address
from xcaliper.xcp.quirk_rules import DYNAMIC_EXTENSION, segment_at
from xcaliper.xcp.quirks import Quirk

if TYPE_CHECKING:
    from xcaliper.sim.declare import EcuDeclaration
    from xcaliper.sim.memory import EcuMemory
    from xcaliper.xcp.slave_config import SlaveConfig
    from xcaliper.xcp.slave_program import SectorConfig

__all__ = ["MIRROR_EXTENSION", "QuirkyMemory", "run_shift"]

#: Address extension under which the RAM can be seen a second time.
MIRROR_EXTENSION: Final = 4
_OFFSET: Final = 0xFFFF
_RUN_BYTES: Final = 0x0100_0000
_RUNS: Final = 8
#: An extension where there is no memory.
_NOWHERE: Final = 0xFF


def run_shift(config: SlaveConfig, run: int) -> int:
    """By how many addresses the RAM of a run is moved; the first run is run 0."""
    moves = Quirk.A2L_PER_RUN in config.quirks
    return run % _RUNS * _RUN_BYTES // config.ag if moves else 0


class QuirkyMemory:
    """What the slave reads and writes, with the quirks of its settings.

    Args:
        memory: of the ECU.
        declaration: of the ECU.
        config: of its slave.
        run: number of the power-up, from 0.
    """

    def __init__(
        self, memory: EcuMemory, declaration: EcuDeclaration, config: SlaveConfig, run: int = 0
    ) -> None:
        self._memory = memory
        self._config = config
        self._has = config.quirks.__contains__
        self._ram = range(
            declaration.ram_address,
            declaration.ram_address + declaration.ram_size_bytes // config.ag,
        )
        self._shift = run_shift(config, run)

    def _real(self, address: Address) -> Address:
        value, extension = address.value, address.extension
        if extension == DYNAMIC_EXTENSION and self._has(Quirk.EVENT_IN_ADDRESS):
            return Address(self._ram.start + (value & _OFFSET))
        if extension == MIRROR_EXTENSION and self._has(Quirk.MIXED_EXTENSIONS):
            extension = 0
        if self._shift and extension == 0:
            if value in self._ram:
                return Address(value, _NOWHERE)
            if value - self._shift in self._ram:
                value -= self._shift
        return Address(value, extension)

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Bytes as XCP sees them."""
        return self._memory.read(self._real(address), size_bytes)

    def view(self, address: Address, size_bytes: int) -> memoryview:
        """A read-only window that stays current."""
        return self._memory.view(self._real(address), size_bytes)

    def write(self, address: Address, data: bytes) -> None:
        """Replace bytes as XCP sees them; with a quirk the ECU does not see it."""
        real = self._real(address)
        segment = segment_at(self._config, real)
        if segment is None or not self._has(Quirk.UNAPPLIED_WRITES):
            self._memory.write(real, data)
            return
        used = self._memory.ecu_bytes(segment.name)
        before = bytes(used)
        self._memory.write(real, data)
        used[:] = before

    def write_ns(self, address: Address, data: bytes) -> tuple[int, int]:
        """How long a write takes in ns: until its answer, and after it until the next one."""
        return self._memory.write_ns(self._real(address), data)

    def scratch(self) -> memoryview:
        """Room of the slave's own behind the RAM."""
        return self._memory.scratch()

    def set_page(self, segment: int, page: int, *, ecu: bool, xcp: bool) -> None:
        """Choose a page of a segment for the ECU, XCP or both."""
        self._memory.set_page(segment, page, ecu=ecu, xcp=xcp)

    def get_page(self, segment: int, *, ecu: bool) -> int:
        """The page in use by the ECU, or by XCP."""
        return self._memory.get_page(segment, ecu=ecu)

    def copy_page(self, source: tuple[int, int], destination: tuple[int, int]) -> None:
        """Copy (segment, page) onto (segment, page)."""
        self._memory.copy_page(source, destination)

    def clear(self, sector: SectorConfig) -> None:
        """Erase a sector of the flash."""
        self._memory.clear(sector)

    def program(self, address: Address, data: bytes) -> None:
        """Write erased cells of the flash."""
        self._memory.program(address, data)

    def end_segment(self) -> None:
        """What was written to the flash is complete."""
        self._memory.end_segment()

    def verify(self, mode: int, verification_type: int, value: int) -> bool:
        """Whether the flash is as it should be."""
        return self._memory.verify(mode, verification_type, value)
