"""A slave for each golden vector: set up so that it takes the command or gives the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from support.golden import DOCUMENT, TABLES, order_of
from xcaliper.core.address import Address
from xcaliper.core.memory import SparseMemory
from xcaliper.wire.codec import encode
from xcaliper.xcp import daq, std
from xcaliper.xcp.codes import (
    DaqListModeRequest,
    ErrorCode,
    Resource,
    negative_response,
)
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_clock import ClockSettings
from xcaliper.xcp.slave_config import (
    EventConfig,
    MappingConfig,
    PageConfig,
    SegmentConfig,
    SlaveConfig,
)
from xcaliper.xcp.slave_daq_config import CounterConfig, PackedConfig
from xcaliper.xcp.slave_program import ProgramSettings, SectorConfig
from xcaliper.xcp.slave_security import SecuritySettings
from xcaliper.xcp.slave_session import SessionSettings
from xcaliper.xcp.slave_store import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.xcp.slave_store import NonVolatile

RAM = 0x2000_0000
ROM = 0x0000_F000
FLASH = 0x0800_8000
SECTOR_SIZE = 0x400
KEY = bytes.fromhex("11223344")
SEED = bytes.fromhex("deadbeef")
ALL = Resource.of(cal_pag=1, daq=1, pgm=1)
PATTERN = next(bytes.fromhex(r["data"]) for r in DOCUMENT["checksums"] if r["name"] == "pattern_32")


class Everywhere(SparseMemory):
    """Memory at every address that a vector names; all pages look alike; the flash takes everything."""

    def __init__(self, ag: int) -> None:
        super().__init__(ag)
        self.add(Address(0), bytes(0x1_0000))
        self.add(Address(0x000C_5508), bytes(16))
        self.add(Address(RAM), bytes(0x4000))
        self.add(Address(RAM, 1), bytes(0x2000))
        self.add(Address(FLASH), bytes(8 * SECTOR_SIZE))
        self.pages: dict[tuple[int, bool], int] = {}
        self.sound, self.burnt = True, False

    def write(self, address: Address, data: bytes) -> None:
        if address.value == ROM:
            raise negative_response("memory", ErrorCode.ERR_WRITE_PROTECTED)
        super().write(address, data)

    def set_page(self, segment: int, page: int, *, ecu: bool, xcp: bool) -> None:
        self.pages |= {
            (segment, who): page for who, wanted in ((True, ecu), (False, xcp)) if wanted
        }

    def get_page(self, segment: int, *, ecu: bool) -> int:
        return self.pages.get((segment, ecu), 0)

    def copy_page(self, source: tuple[int, int], destination: tuple[int, int]) -> None:
        if self.burnt:
            raise negative_response("memory", ErrorCode.ERR_WRITE_PROTECTED)
        self.copied = source, destination

    def clear(self, sector: SectorConfig) -> None:
        self.write(sector.address, b"\xff" * sector.size_bytes)

    def program(self, address: Address, data: bytes) -> None:
        self.write(address, data)

    def end_segment(self) -> None:
        self.ended = True

    def verify(self, mode: int, verification_type: int, value: int) -> bool:
        return self.sound


@dataclass
class Scene:
    """What a slave is, what it has been told, and what it is asked.

    Attributes:
        changes: of the slave's settings.
        before: requests that come before; a callable gets the slave.
        request: what is asked, also as bytes; a callable lets something happen instead.
        at_ns: when.
        result: what must be true of the slave's memory afterwards.
        nonvolatile: what survives power-off.
        layer: whose commands the slave knows beside its own; empty = that of the vector.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    before: tuple[Any, ...] = ()
    request: Any = None
    at_ns: int = 0
    result: Callable[[Everywhere], bool] = lambda memory: True
    nonvolatile: NonVolatile | None = None
    layer: str = ""


def events(**changes: Any) -> tuple[EventConfig, ...]:
    usual: dict[str, Any] = {"stim": True, "packed": PackedConfig(), "counter": CounterConfig()}
    return tuple(EventConfig(n, f"ev{n}", **(usual | changes)) for n in range(6))


def sectors(count: int = 3, **changes: Any) -> tuple[SectorConfig, ...]:
    return tuple(
        SectorConfig(n, "flash", Address(FLASH + n * SECTOR_SIZE), SECTOR_SIZE, **changes)
        for n in range(count)
    )


def program(**changes: Any) -> ProgramSettings:
    usual: dict[str, Any] = {
        "sectors": sectors(),
        "functional": True,
        "non_sequential": True,
        "decoders": {(0x81, 0x82): bytes},
        "kernel": (Address(RAM), 0x1000),
    }
    return ProgramSettings(**(usual | changes))


def segments(count: int = 3, mappings: int = 3, pages: int = 4, **page: Any) -> tuple[Any, ...]:
    mapping = MappingConfig(0x1_0000, 0, 0x100)
    return tuple(
        SegmentConfig(
            n,
            f"seg{n}",
            Address(0x8000_0000 if n == 0 else 0x100 * n),
            0x100,
            tuple(PageConfig(p, **page) for p in range(pages)),
            (mapping,) * mappings,
        )
        for n in range(count)
    )


def security(**changes: Any) -> SecuritySettings:
    return SecuritySettings(**({"key": lambda _, seed: KEY, "seeds": lambda n: SEED} | changes))


def settings(vector: dict[str, Any], changes: dict[str, Any]) -> SlaveConfig:
    """A slave with everything, and what the vector's context says."""
    context = vector.get("context", {})
    ag = context.get("address_granularity", 1)
    usual = {
        "byte_order": order_of(vector),
        "ag": ag,
        "granularity_odt_entry": ag,
        "max_odt_entry_size": 248,
        "max_cto": context.get("max_cto", 252),
        "identification_field": 2,
        "max_daq_lists": 1000,
        "events": events(),
        "segments": segments(),
        "ids": {1: b"XCPSIM"},
        "freeze": True,
        "bit_stim": True,
        "store": StoreSettings(daq=True, resume=True),
        "security": security(),
        "program": program(),
        "session": SessionSettings(user_mode=True),
        "clocks": ClockSettings(bridge=True),
        "user_command": lambda sub_command, parameters: b"",
    }
    return SlaveConfig(**(usual | changes))


class Served:
    """A slave that has been led to where the vector takes place."""

    def __init__(self, vector: dict[str, Any], scene: Scene) -> None:
        self.config = settings(vector, scene.changes)
        self.memory = Everywhere(self.config.ag)
        self.scene, self.now_ns = scene, 0
        table = TABLES[scene.layer or vector["layer"]]
        self.slave = SlaveMachine(self.config, self.memory, table, nonvolatile=scene.nonvolatile)
        self.talk: list[tuple[bool, bytes]] = []
        if not isinstance(scene.request, std.Connect) and not scene.nonvolatile:
            self.tell(std.Connect())
        for request in scene.before:
            self.tell(request)

    def tell(self, request: Any) -> list[bytes]:
        """The answers; a refusal of a preparation is an error of the scene."""
        answers = self.ask(request)
        for answer in answers:
            assert answer[:1] != b"\xfe", (request, answer.hex())
        return answers

    def ask(self, request: Any) -> list[bytes]:
        """The answers to a request, or what comes of a happening."""
        if callable(request):
            request(self)
        else:
            raw = isinstance(request, bytes)
            config = self.config
            packet = request if raw else encode(request, config.byte_order, config.ag)
            self.talk.append((True, packet))
            self.slave.receive(packet, self.now_ns)
        answers = self.slave.outgoing()
        self.talk += [(False, answer) for answer in answers]
        return answers

    def wait(self, time_ns: int) -> None:
        self.now_ns += time_ns
        self.slave.on_time(self.now_ns)


def lists(number: int, odts: int = 1, entries: int = 1, *, first: int = 0) -> tuple[Any, ...]:
    """Allocate lists up to this number; it gets the ODTs, list 0 so many before it."""
    made: list[Any] = [daq.FreeDaq(), daq.AllocDaq(daq_count=number + 1)]
    if first:
        made.append(daq.AllocOdt(daq_list=0, odt_count=first))
    made.append(daq.AllocOdt(daq_list=number, odt_count=odts))
    made += [daq.AllocOdtEntry(daq_list=number, odt=n, entry_count=entries) for n in range(odts)]
    return tuple(made)


def bound(number: int, event: int = 0, mode: int = 0x10, priority: int = 0) -> daq.SetDaqListMode:
    return daq.SetDaqListMode(
        mode=DaqListModeRequest(mode), daq_list=number, event_channel=event, priority=priority
    )


def ready(number: int, event: int = 0, mode: int = 0x10, *, first: int = 0) -> tuple[Any, ...]:
    """A list of one entry that could run."""
    return (
        *lists(number, first=first),
        daq.SetDaqPtr(daq_list=number, odt=0, odt_entry=0),
        daq.WriteDaq(bit_offset=0xFF, size=1, address_extension=0, address=RAM),
        bound(number, event, mode),
    )


def selected(number: int = 0) -> tuple[Any, ...]:
    return (*ready(number), daq.StartStopDaqList(mode=2, daq_list=number))


def running(number: int = 0) -> tuple[Any, ...]:
    return (*ready(number), daq.StartStopDaqList(mode=1, daq_list=number))
