"""A master machine on a whole virtual ECU, on one virtual clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pair.link import Pair
from xcaliper.a2l import parse
from xcaliper.calib.parameters import read_value, write_value
from xcaliper.quantity.catalog import Catalog
from xcaliper.sim.gallery import build_ecu
from xcaliper.xcp.procedures import pages
from xcaliper.xcp.procedures.connect import connect
from xcaliper.xcp.procedures.memory import XcpMemory

if TYPE_CHECKING:
    from xcaliper.core.address import Address

MS = 1_000_000


class EcuPair(Pair):
    """Master and virtual ECU, joined; tasks run when their time has come.

    Attributes:
        ecu: the virtual ECU.
        catalog: of its own A2L.
    """

    def __init__(
        self, name: str, settings: Any = None, *, master: dict[str, Any] | None = None, **more: Any
    ) -> None:
        self.ecu = build_ecu(name, settings, **more)
        config = self.ecu.slave.config
        super().__init__(config, connected=False, memory=self.ecu.memory, **(master or {}))
        self.slave = self.ecu
        self.connect()

    def connect(self) -> None:
        """Begin a session, with the description that the ECU has now."""
        self.session = self.run(connect())
        self.port = XcpMemory(self.session)
        self.catalog = Catalog(parse(self.ecu.a2l), ag=self.config.ag)

    def wait(self) -> None:
        """Let time pass until the next packet arrives, or somebody has work."""
        times = [self._travelling[0][0]] if self._travelling else []
        times += [due for due in (self.master.due(), self.ecu.due()) if due is not None]
        self.now_ns = max(self.now_ns, min(times))
        self.ecu.on_time(self.now_ns)
        due = self.master.due()
        if due is not None and self.now_ns >= due:
            self.master.on_time(self.now_ns)

    def pass_ms(self, time_ms: int) -> None:
        """Let the ECU work for a while."""
        end_ns = self.now_ns + time_ms * MS
        while self.ecu.due() <= end_ns:
            self.now_ns = max(self.now_ns, self.ecu.due())
            self.ecu.on_time(self.now_ns)
            self.exchange()
        self.now_ns = end_ns

    def reboot(self) -> None:
        """Power off and on; the master connects anew."""
        self.ecu.reboot(self.now_ns)
        self.connect()

    # -- by name, through the master --------------------------------------------------------------

    def read_bytes(self, address: Address, size_bytes: int) -> bytes:
        return self.run(self.port.read(address, size_bytes))

    def write_bytes(self, address: Address, data: bytes) -> None:
        self.run(self.port.write(address, data))

    def get(self, name: str, *, raw: bool = False) -> Any:
        return read_value(self.catalog.bind(name), self.read_bytes, raw=raw)

    def put(self, name: str, value: Any, *, at: Any = None) -> Any:
        return write_value(
            self.catalog.bind(name),
            value,
            at=at,
            raw=False,
            verify=True,
            read=self.read_bytes,
            write=self.write_bytes,
        )

    def ecu_page(self, page: int, segment: int = 0) -> None:
        self.run(pages.set_page(segment, page, xcp=False))

    def xcp_page(self, page: int, segment: int = 0) -> None:
        self.run(pages.set_page(segment, page, ecu=False))

    def used(self, name: str) -> float:
        """A signal of the ECU's program, read by the master."""
        return float(self.get(name))

    def seen(self, *names: str, runs: int) -> list[tuple[float, ...]]:
        """These signals after each of so many runs of the task."""
        found = []
        for _ in range(runs):
            self.pass_ms(1)
            found.append(tuple(self.used(name) for name in names))
        return found


__all__ = ["MS", "EcuPair"]
