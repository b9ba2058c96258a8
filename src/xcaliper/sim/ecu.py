"""VirtualEcu: slave machine, memory and tasks on one virtual clock, without I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from xcaliper.sim.describe import describe
from xcaliper.sim.image import build_image
from xcaliper.sim.memory import EcuMemory
from xcaliper.sim.tasks import Scheduler
from xcaliper.sim.xcp_section import slave_config
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import SlaveConfig
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import EthGetDaqClockMulticast

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.sim.declare import EcuDeclaration
    from xcaliper.sim.tasks import Task
    from xcaliper.sim.xcp_section import Endpoint

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

    Attributes:
        image: placements and initial bytes.
        memory: live memory.
        model: the application.
        scheduler: runs its tasks.
        slave: the slave machine.
        a2l: text of the description.
    """

    def __init__(
        self,
        declaration: EcuDeclaration,
        model: Callable[[EcuMemory], Model],
        settings: SlaveConfig | None = None,
        endpoints: tuple[Endpoint, ...] = (),
    ) -> None:
        self.declaration = declaration
        self._settings = settings or SlaveConfig(byte_order=declaration.byte_order)
        self.image = build_image(declaration, ag=self._settings.ag)
        self.memory = EcuMemory(self.image)
        self.model = model(self.memory)
        self.scheduler = Scheduler(self.model.tasks)
        self.announce(endpoints)

    def announce(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Write the A2L anew for these endpoints; ends a running session."""
        config = slave_config(self.declaration, self._settings)
        self.a2l = describe(self.image, config, endpoints)
        name = self.declaration.name
        ids = {
            _ID_ASCII: name.encode(),
            _ID_A2L_NAME: name.encode(),
            _ID_A2L_FILE: f"{name}.a2l".encode(),
            _ID_A2L_UPLOAD: self.a2l.encode("utf-8"),
            _ID_EPK: self.declaration.epk.encode(),
            **self._settings.ids,
        }
        table = COMMANDS.extended(EthGetDaqClockMulticast)
        self.slave = SlaveMachine(replace(config, ids=ids), self.memory, table)

    def receive(self, packet: bytes, now_ns: int) -> None:
        """Serve one packet of the master."""
        self.slave.receive(packet, now_ns)

    def outgoing(self) -> list[bytes]:
        """Packets to send, in order; each is given out once."""
        return self.slave.outgoing()

    def due(self) -> int:
        """Time of the next task."""
        return self.scheduler.next_due_ns()

    def on_time(self, now_ns: int) -> None:
        """Run every task due up to a time and sample its event's DAQ lists."""
        slave = self.slave
        slave.on_time(now_ns)
        for t_ns, channel in self.scheduler.run_until(now_ns):
            if channel >= 0 and slave.daq_running:
                slave.event(channel, t_ns)
