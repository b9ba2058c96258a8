"""VirtualEcu: slave machine, memory and tasks on one virtual clock, without I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from xcaliper.core.datatypes import ByteOrder
from xcaliper.sim.describe import describe
from xcaliper.sim.faults import FaultInjector, Faults
from xcaliper.sim.image import build_image
from xcaliper.sim.memory import EcuMemory
from xcaliper.sim.quirky_a2l import describe_quirky
from xcaliper.sim.quirky_memory import QuirkyMemory
from xcaliper.sim.tasks import Scheduler
from xcaliper.sim.xcp_section import slave_config
from xcaliper.transport.ports import Lost
from xcaliper.xcp.quirks import Quirk
from xcaliper.xcp.quirky_slave import QuirkySlave, described_config, make_slave, quirky_config
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import EthGetDaqClockMulticast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.sim.declare import EcuDeclaration
    from xcaliper.sim.tasks import Task
    from xcaliper.sim.xcp_section import Endpoint
    from xcaliper.transport.ports import Sent
    from xcaliper.xcp.slave_config import SlaveMemory

__all__ = ["Model", "VirtualEcu"]

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


class VirtualEcu:
    """An ECU that runs its application and serves XCP, on a clock that the caller owns.

    Time starts at 0 and only moves in :meth:`on_time`; nothing sleeps, so hours pass in minutes.

    Args:
        declaration: what the ECU is.
        model: makes the application over the ECU's memory.
        settings: of the slave; events, segments and identifications are filled in.
        endpoints: where it will be reached, for the A2L.
        faults: what goes wrong on purpose.

    Attributes:
        image: placements and initial bytes.
        memory: live memory.
        model: the application.
        scheduler: runs its tasks.
        slave: the slave machine.
        a2l: text of the description.
        faults: what goes wrong, with the truth about it; None when nothing does.
    """

    def __init__(
        self,
        declaration: EcuDeclaration,
        model: Callable[[EcuMemory], Model],
        settings: SlaveConfig | None = None,
        endpoints: tuple[Endpoint, ...] = (),
        faults: Faults | None = None,
    ) -> None:
        self.declaration = declaration
        self._settings = settings or SlaveConfig(byte_order=declaration.byte_order)
        self.image = build_image(declaration, ag=self._settings.ag)
        self._make_model = model
        order = "big" if self._settings.byte_order is ByteOrder.MOTOROLA else "little"
        field = self._settings.identification_field
        self.faults = FaultInjector(faults, field, order) if faults else None
        self._reboots_ns = [int(at * 1e9) for at in sorted(faults.reboots_s)] if faults else []
        self._boot_ns = 0
        self._run = 0
        self._endpoints = endpoints
        self.alignment = 1
        self._load()
        self.announce(endpoints)

    def _load(self) -> None:
        """Memory and application as they are after power-up."""
        self.memory = EcuMemory(self.image)
        self.model = self._make_model(self.memory)
        self.scheduler = Scheduler(self.model.tasks)

    def announce(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Write the A2L anew for these endpoints; ends a running session."""
        self._endpoints = endpoints
        config = quirky_config(slave_config(self.declaration, self._settings))
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
            _ID_A2L_UPLOAD: self.a2l.encode("utf-8"),
            _ID_EPK: self.declaration.epk.encode(),
            **self._settings.ids,
        }
        self._config, self._told = replace(config, ids=ids), replace(told, ids=ids)
        self._power_up()

    def _power_up(self) -> None:
        """A slave without a session."""
        table = COMMANDS.extended(EthGetDaqClockMulticast)
        memory: SlaveMemory = self.memory
        if self._config.quirks:
            memory = QuirkyMemory(self.memory, self.declaration, self._config, self._run)
        self.slave = make_slave(self._config, memory, table)
        self.slave.state.announced = self._told
        if self.faults is not None and self.faults.faults.drop_samples:
            self.slave.drops = self.faults.drops

    def reboot(self, now_ns: int) -> None:
        """Start anew without a word: session, lists, memory and clocks are those of power-up."""
        self._boot_ns = now_ns
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
        self.slave.receive(packet, now_ns - self._boot_ns)

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
        """Time of the next task."""
        due_ns = self.scheduler.next_due_ns() + self._boot_ns
        slave_ns = self.slave.due()
        if slave_ns is not None:
            due_ns = min(due_ns, slave_ns + self._boot_ns)
        return min(due_ns, self._reboots_ns[0]) if self._reboots_ns else due_ns

    def skip_to(self, now_ns: int) -> None:
        """Give up tasks that are due before a time."""
        self.scheduler.skip_to(now_ns - self._boot_ns)

    def on_time(self, now_ns: int) -> None:
        """Run every task due up to a time and sample its event's DAQ lists."""
        while self._reboots_ns and self._reboots_ns[0] <= now_ns:
            at_ns = self._reboots_ns.pop(0)
            self._run_until(at_ns)
            self.reboot(at_ns)
        self._run_until(now_ns)

    def _run_until(self, now_ns: int) -> None:
        slave = self.slave
        slave.on_time(now_ns - self._boot_ns)
        for t_ns, channel in self.scheduler.run_until(now_ns - self._boot_ns):
            if channel >= 0 and slave.daq_running:
                slave.event(channel, t_ns)
