"""VirtualEcu: slave machine, memory and tasks on one virtual clock, without I/O."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from xcaliper.core.datatypes import ByteOrder
from xcaliper.sim.describe import describe
from xcaliper.sim.faults import FaultInjector, Faults
from xcaliper.sim.flash import Flash
from xcaliper.sim.image import build_image
from xcaliper.sim.log import EcuLog
from xcaliper.sim.memory import EcuMemory
from xcaliper.sim.quirky_a2l import describe_quirky
from xcaliper.sim.quirky_memory import QuirkyMemory
from xcaliper.sim.tasks import Scheduler
from xcaliper.sim.xcp_section import slave_config
from xcaliper.transport.port_base import Lost
from xcaliper.xcp.quirks import Quirk
from xcaliper.xcp.quirky_slave import QuirkySlave, described_config, make_slave, quirky_config
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.slave_link import EthLink, EthPort
from xcaliper.xcp.slave_store import NonVolatile, StoreSettings
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import ETH_COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xcaliper.sim.declare import EcuDeclaration
    from xcaliper.sim.image import EcuImage
    from xcaliper.sim.tasks import Task
    from xcaliper.sim.xcp_section import Endpoint
    from xcaliper.transport.port_base import Sent
    from xcaliper.xcp.slave_config import SlaveMemory
    from xcaliper.xcp.slave_link import LinkReply, LinkSettings
    from xcaliper.xcp.slave_program import SectorConfig

__all__ = ["STORING", "MemoryMaker", "Model", "VirtualEcu"]

#: Settings of an ECU that can store what SET_REQUEST asks for.
STORING: Final[dict[str, Any]] = {"freeze": True, "store": StoreSettings(daq=True, resume=True)}

#: Identification types of GET_ID (XCP Base, GET_ID, 1.0).
_ID_ASCII: Final = 0
_ID_A2L_NAME: Final = 1
_ID_A2L_FILE: Final = 2
_ID_A2L_UPLOAD: Final = 4
_ID_EPK: Final = 5


class Model(Protocol):
    """The application of an ECU."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What a scheduler runs, fastest first."""
        ...


class MemoryMaker(Protocol):
    """Makes the memory of an ECU as it is after power-up; :class:`EcuMemory` itself is one."""

    def __call__(
        self,
        image: EcuImage,
        flash: Flash | None,
        stored: Mapping[int, bytes] | None,
        log: EcuLog | None,
    ) -> EcuMemory:
        """A memory over image, flash and what was stored."""
        ...


#: There is no sample of a task that did not run, so nothing is lost either; only the times tell.
_GIVEN_UP: Final = (
    "this machine let the ECU wait too long, tasks did not run and have no samples; "
    "give it fewer signals or a slower event, or the machine less to do"
)


class VirtualEcu:
    """An ECU that runs its application and serves XCP, on a clock that the caller owns.

    Time starts at 0 and only moves in :meth:`on_time`; nothing sleeps, so hours pass in minutes.

    Args:
        declaration: what the ECU is.
        model: makes the application over the ECU's memory.
        settings: of the slave; events, segments and identifications are filled in.
        endpoints: where it will be reached, for the A2L.
        faults: what goes wrong on purpose.
        nonvolatile: what survives power-off; None = an empty one, which survives :meth:`reboot`.
        memory: makes its memory; another one than usual is another concept of calibration.

    Attributes:
        image: placements and initial bytes.
        memory: live memory.
        flash: what XCP programs, kept when the ECU starts anew; None = there is none.
        model: the application.
        scheduler: runs its tasks.
        slave: the slave machine.
        a2l: text of the description.
        nonvolatile: what SET_REQUEST stored.
        faults: what goes wrong, with the truth about it; None when nothing does.
        log: what the ECU noticed and no answer tells.
    """

    def __init__(  # each one is a choice of its own
        self,
        declaration: EcuDeclaration,
        model: Callable[[EcuMemory], Model],
        settings: SlaveConfig | None = None,
        endpoints: tuple[Endpoint, ...] = (),
        faults: Faults | None = None,
        nonvolatile: NonVolatile | None = None,
        memory: MemoryMaker = EcuMemory,
    ) -> None:
        self.log = EcuLog()
        self._make_memory = memory
        self.declaration = declaration
        self._settings = settings or SlaveConfig(byte_order=declaration.byte_order, **STORING)
        self.nonvolatile = nonvolatile or NonVolatile()
        self.image = build_image(declaration, ag=self._settings.ag)
        self._make_model = model
        order = "big" if self._settings.byte_order is ByteOrder.MOTOROLA else "little"
        field = self._settings.identification_field
        self.faults = FaultInjector(faults, field, order) if faults else None
        self._reboots_ns = [int(at * 1e9) for at in sorted(faults.reboots_s)] if faults else []
        program = self._settings.program
        self.flash: Flash | None = None
        if program is not None:
            programmed = _programmed(self.image, program.sectors)
            self.flash = Flash(program.sectors, ag=self.image.ag, initial=programmed)
        self._boot_ns = 0
        self._run = 0
        self._endpoints = endpoints
        self.alignment = 1
        self._load()
        self.announce(endpoints)

    def _forget_pages(self) -> None:
        """What was stored for segments in flash is gone when that flash was erased."""
        stored = self.nonvolatile.pages
        left = {
            number: data for number, data in stored.items() if number not in self.memory.cleared
        }
        if len(left) < len(stored):
            self.nonvolatile.pages = left
            self.nonvolatile.changed()

    def _load(self) -> None:
        """Memory and application as they are after power-up."""
        self.memory = self._make_memory(self.image, self.flash, self._stored_pages(), self.log)
        self.model = self._make_model(self.memory)
        self.scheduler = Scheduler(self.model.tasks)

    def _stored_pages(self) -> dict[int, bytes]:
        """Stored calibration data, as far as it fits the segments; the rest is told as lost."""
        sizes = {one.number: one.size_bytes for one in self.declaration.segments}
        stored = self.nonvolatile.pages
        fits = {number: data for number, data in stored.items() if sizes.get(number) == len(data)}
        if len(fits) < len(stored):
            self.nonvolatile.pages = fits
            self.nonvolatile.pages_lost = True
            self.nonvolatile.changed()
        return fits

    def announce(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Write the A2L anew for these endpoints; ends a running session."""
        self._endpoints = endpoints
        config = quirky_config(slave_config(self.declaration, self._settings))
        config = replace(config, link=self._link(endpoints))
        told = replace(config, **self.faults.faults.lies) if self.faults else config
        if config.quirks:
            written = described_config(told)
            self.a2l = describe_quirky(self.image, written, endpoints, self._run)
        else:
            self.a2l = describe(self.image, told, endpoints)
        name = self.declaration.name
        ids = {
            _ID_ASCII: name.encode(),
            _ID_A2L_NAME: name.encode(),
            _ID_A2L_FILE: f"{name}.a2l".encode(),
            _ID_A2L_UPLOAD: self.a2l.encode("utf-8-sig"),
            _ID_EPK: self.declaration.epk.encode(),
            **self._settings.ids,
        }
        self._config, self._told = replace(config, ids=ids), replace(told, ids=ids)
        self._power_up()

    def _link(self, endpoints: tuple[Endpoint, ...]) -> LinkSettings:
        """What the ECU tells when slaves are searched for; other links are as set."""
        chosen = self._settings.link
        if chosen is not None and not isinstance(chosen, EthLink):
            return chosen
        number = zlib.crc32(self.declaration.name.encode())
        own = chosen or EthLink(b"\x02\0" + number.to_bytes(4, "big"))
        ports = [EthPort(e.host, e.port, e.scheme == "tcp") for e in endpoints if ":" not in e.host]
        return replace(own, ports=(*own.ports, *ports))

    def _power_up(self) -> None:
        """A slave without a session; stored lists are restored."""
        table = COMMANDS.extended(*ETH_COMMANDS)
        memory: SlaveMemory = self.memory
        if self._config.quirks:
            memory = QuirkyMemory(self.memory, self.declaration, self._config, self._run)
        self.slave = make_slave(self._config, memory, table, nonvolatile=self.nonvolatile)
        self.slave.state.announced = self._told
        self.slave.alignment = self.alignment
        if self.faults is not None and self.faults.faults.drop_samples:
            self.slave.drops = self.faults.drops
        self.slave.power_up(0)

    def reboot(self, now_ns: int) -> None:
        """Start anew without a word: session, lists, memory and clocks are those of power-up.

        Working pages begin with what STORE_CAL_REQ stored since their flash was erased, else as programmed; ECU and XCP use the
        first page again; RAM is empty, resources are locked, segments are not in FREEZE mode. Lists
        that were stored with RESUME run from the start, those without are configured and selected.
        """
        self._boot_ns = now_ns
        self._forget_pages()
        self._load()
        self._run += 1
        if Quirk.A2L_PER_RUN in self._config.quirks:
            self.announce(self._endpoints)
        else:
            self._power_up()
        if self.faults is not None:
            self.faults.truth.reboots += 1

    def receive(self, packet: bytes, now_ns: int) -> None:
        """Serve one packet of the master."""
        self.log.now_ns = now_ns
        self.log.turn += 1
        self.slave.receive(packet, now_ns - self._boot_ns)

    def search(self, packet: bytes, now_ns: int) -> list[LinkReply]:
        """Answers to a packet that searches for slaves, for the addresses that it names."""
        self.receive(packet, now_ns)
        return self.slave.replies()

    def outgoing(self) -> list[bytes]:
        """Packets to send, in order; each is given out once."""
        if self.faults is None:
            return self.slave.outgoing()
        return [item for item in self.outgoing_blocks() if isinstance(item, bytes)]

    def outgoing_blocks(self) -> Sequence[Sent]:
        """The same for a transport that sends whole blocks of DTOs as they lie."""
        self.slave.alignment = self.alignment
        items = self.slave.outgoing_blocks()
        sent: Sequence[Sent] = items if self.faults is None else self.faults.spoil(items)
        lost = self.slave.take_lost_messages() if isinstance(self.slave, QuirkySlave) else 0
        return [*sent, Lost(lost)] if lost else sent

    def due(self) -> int:
        """Time of the next task, or of the slave's work."""
        due_ns = self.scheduler.next_due_ns() + self._boot_ns
        slave_ns = self.slave.due()
        if slave_ns is not None:
            due_ns = min(due_ns, slave_ns + self._boot_ns)
        return min(due_ns, self._reboots_ns[0]) if self._reboots_ns else due_ns

    def skip_to(self, now_ns: int) -> None:
        """Give up tasks that are due before a time; noted while they are being measured."""
        if self.scheduler.skip_to(now_ns - self._boot_ns) and self.slave.daq_running:
            self.log.now_ns = now_ns
            self.log.turn += 1
            self.log.add("tasks-given-up", _GIVEN_UP)

    def on_time(self, now_ns: int) -> None:
        """Run every task due up to a time and sample its event's DAQ lists."""
        while self._reboots_ns and self._reboots_ns[0] <= now_ns:
            at_ns = self._reboots_ns.pop(0)
            self._run_until(at_ns)
            self.reboot(at_ns)
        if self.slave.state.program.restart:  # its answer has gone out
            self.reboot(now_ns)
        self._run_until(now_ns)

    def _run_until(self, now_ns: int) -> None:
        self.log.now_ns = now_ns
        self.log.turn += 1
        slave = self.slave
        slave.on_time(now_ns - self._boot_ns)
        for t_ns, channel in self.scheduler.run_until(now_ns - self._boot_ns):
            if channel >= 0 and slave.daq_running:
                slave.event(channel, t_ns)


def _programmed(image: EcuImage, sectors: Sequence[SectorConfig]) -> dict[int, bytes]:
    """What the flash holds after it left the factory: sectors that begin where a region does."""
    regions = {(one.address, one.extension): one.initial for one in image.regions.values()}
    places = {one.number: (one.address.value, one.address.extension) for one in sectors}
    return {number: regions[place] for number, place in places.items() if place in regions}
