"""What a slave knows while a session lasts: MTA, running block, DAQ lists; handlers work on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from xcaliper.core.address import Address
from xcaliper.core.errors import SettingsError
from xcaliper.proto.command import CommandInfo, Response
from xcaliper.xcp.codes import ErrorCode, Resource, negative_response
from xcaliper.xcp.profile import DtoFormat, Profile
from xcaliper.xcp.slave_clock import SlaveClocks
from xcaliper.xcp.slave_debug import DebugState
from xcaliper.xcp.slave_link import LinkState
from xcaliper.xcp.slave_paging import guarded
from xcaliper.xcp.slave_program import FlashMemory, ProgramState
from xcaliper.xcp.slave_security import SecurityState
from xcaliper.xcp.slave_session import SessionState
from xcaliper.xcp.slave_stim import StimState
from xcaliper.xcp.slave_store import NonVolatile, StoreState
from xcaliper.xcp.slave_work import WriteState

if TYPE_CHECKING:
    from xcaliper.core.errors import NegativeResponseError
    from xcaliper.xcp.daq_lists import OdtEntry
    from xcaliper.xcp.events import Event
    from xcaliper.xcp.slave_config import SlaveConfig, SlaveMemory
    from xcaliper.xcp.slave_daq_config import CounterConfig, FixedList
    from xcaliper.xcp.slave_sampler import ListSampler
    from xcaliper.xcp.slave_stim import StimList

__all__ = [
    "Alloc",
    "Block",
    "DaqList",
    "DaqState",
    "Handler",
    "Packing",
    "Served",
    "SlaveState",
    "new_list",
    "refuse",
]


def refuse(code: ErrorCode, info: bytes = b"") -> NegativeResponseError:
    """The error that makes the slave answer ERR; raise it inside a handler."""
    return negative_response("slave", code, info)


class Alloc(Enum):
    """Last of the four allocation commands (XCP Base, DAQ allocation sequence, 1.0)."""

    NONE = 0
    FREE = 1
    DAQ = 2
    ODT = 3
    ENTRY = 4


@dataclass(slots=True)
class Packing:
    """Packed mode of a list; mode 0 = each sample travels alone (XCP Base, SET_DAQ_PACKED_MODE, 1.4)."""

    mode: int = 0
    timestamp_mode: int = 0
    sample_count: int = 1


@dataclass(slots=True, eq=False)
class DaqList:
    """One DAQ list.

    Attributes:
        fixed: settings of a predefined or static list; None for a dynamic one.
        odts: entries of each ODT; None = not written.
        event_channel: None until SET_DAQ_LIST_MODE.
        packing: packed mode.
        resume: power-up starts it, or has started it.
        sampler: what START compiled of a list of direction DAQ; None while stopped.
        stimulus: the same of direction STIM.
        period: events from one sample to the next while it runs.
        skipped: events since the last sample.
        lost: True after dropped samples, until the next one went out.
    """

    fixed: FixedList | None = None
    odts: list[list[OdtEntry | None]] = field(default_factory=list)
    event_channel: int | None = None
    prescaler: int = 1
    priority: int = 0
    timestamp: bool = False
    dto_ctr: bool = False
    stim: bool = False
    alternating: bool = False
    pid_off: bool = False
    packing: Packing = field(default_factory=Packing)
    selected: bool = False
    resume: bool = False
    sampler: ListSampler | None = None
    stimulus: StimList | None = None
    period: int = 1
    skipped: int = 0
    lost: bool = False

    @property
    def running(self) -> bool:
        """True between start and stop."""
        return self.sampler is not None or self.stimulus is not None

    def stop(self) -> None:
        """Stop; :meth:`DaqState.schedule` has to follow."""
        self.sampler = self.stimulus = None

    @property
    def predefined(self) -> bool:
        """True when the entries cannot be changed."""
        return self.fixed is not None and self.fixed.predefined

    def reset(self) -> None:
        """Stop, forget mode and state; entries that may change are emptied (CLEAR_DAQ_LIST, 1.0)."""
        fresh = new_list(self.fixed)
        fresh.odts = (
            self.odts if self.predefined else [[None] * len(entries) for entries in self.odts]
        )
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))


def new_list(fixed: FixedList | None = None) -> DaqList:
    """A list as it is before anybody has set it up."""
    if fixed is None:
        return DaqList()
    made = DaqList(fixed, event_channel=fixed.event_fixed)
    if fixed.predefined:
        made.odts = [list(entries) for entries in fixed.entries]
        made.stim = not fixed.daq
    else:
        made.odts = [[None] * fixed.max_odt_entries for _ in range(fixed.max_odt)]
    return made


class DaqState:
    """All lists, the DAQ pointer and the last allocation command.

    Args:
        fixed: lists that are there from the start.

    Attributes:
        lists: by number; the fixed ones first.
        last: latest of the four allocation commands.
        pointer: list, ODT and entry of SET_DAQ_PTR.
        by_event: running lists of direction DAQ of each event channel, highest priority first.
        stimulated: the same of direction STIM; another object after every change.
        counters: how the DTO counter of an event channel behaves, where it was changed.
    """

    __slots__ = ("_fixed", "by_event", "counters", "last", "lists", "pointer", "stimulated")

    def __init__(self, fixed: Sequence[FixedList] = ()) -> None:
        self._fixed = tuple(fixed)
        self.by_event: dict[int, list[tuple[int, DaqList]]] = {}
        self.stimulated: dict[int, list[tuple[int, DaqList]]] = {}
        self.counters: dict[int, CounterConfig] = {}
        self.pointer: tuple[int, int, int] | None = None
        self.last = Alloc.NONE
        self.lists = [new_list(one) for one in self._fixed]

    @property
    def entries(self) -> int:
        """Entries over all lists."""
        return sum(len(entries) for one in self.lists for entries in one.odts)

    @property
    def first_dynamic(self) -> int:
        """Number of the first list that ALLOC_DAQ makes."""
        return len(self._fixed)

    @property
    def running(self) -> bool:
        """True when any list runs."""
        return bool(self.by_event or self.stimulated)

    def schedule(self) -> None:
        """Sort the running lists to their events."""
        self.by_event, self.stimulated = {}, {}
        for number, daq_list in enumerate(self.lists):
            if daq_list.running and daq_list.event_channel is not None:
                running = self.by_event if daq_list.stimulus is None else self.stimulated
                running.setdefault(daq_list.event_channel, []).append((number, daq_list))
        for lists in (*self.by_event.values(), *self.stimulated.values()):
            lists.sort(key=lambda item: -item[1].priority)

    def free(self) -> None:
        """Stop every list and remove the dynamic ones."""
        del self.lists[self.first_dynamic :]
        for one in self.lists:
            one.stop()
            one.selected = False
        self.last = Alloc.NONE
        self.pointer = None
        self.by_event, self.stimulated = {}, {}

    def keep_resumed(self) -> None:
        """Begin afresh, but let the lists go on that RESUME runs; the others are emptied."""
        for one in self.lists:
            if not (one.resume and one.running):
                one.reset()
            one.selected = False
        self.last = Alloc.NONE
        self.pointer = None
        self.schedule()

    def clear(self) -> None:
        """Begin afresh, as after CONNECT: fixed lists are as they were made."""
        self.lists = [new_list(one) for one in self._fixed]
        self.counters = {}
        self.free()


@dataclass(slots=True)
class Block:
    """A master block that is not complete yet."""

    total: int
    data: bytearray


class SlaveState:
    """The session as handlers see it.

    Attributes:
        announced: what information commands tell; the settings, unless a test wants a liar.
        now_ns: time of the packet that is being served.
        mta: memory transfer address; None = undefined.
        text: when set, the MTA points into this text and not into memory.
        ecu_state: number of the ECU's state, as the A2L describes them *(ECU_STATES, 1.3)*.
        locked: resources that are still protected.
        frozen: segments marked by SET_SEGMENT_MODE.
        clocks: of the slave.
        flash: the memory as programming sees it; None = it has no flash.
        program: programming of the flash.
        link: identifiers, endpoints or buffers of the transport.
        debug: software debugging.
        stim: packets of direction STIM on their way into the memory.
        security: locks, seeds and keys.
        store: what SET_REQUEST stores.
        writing: writes to a memory that takes its time.
        session: how CONNECT is taken, and sleep.
        events: packets that a handler wants to be sent behind its answer.
        alignment: bytes that the transport aligns messages to.
    """

    def __init__(
        self, config: SlaveConfig, memory: SlaveMemory, nonvolatile: NonVolatile | None = None
    ) -> None:
        self.config = config
        self.announced = config
        self.memory = guarded(config, memory)
        self.profile = Profile(
            byte_order=config.byte_order,
            ag=config.ag,
            max_cto=config.max_cto,
            max_dto=config.max_dto,
            slave_block_mode=config.slave_block_mode,
            comm_mode_optional="GET_COMM_MODE_INFO" not in config.disabled,
        )
        self.now_ns = 0
        self.alignment = 1
        self.connected = False
        self.mta: Address | None = None
        self.text: bytes | None = None
        self.block: Block | None = None
        self.daq = DaqState(config.fixed_lists)
        self.ecu_state = 0
        self.locked = Resource(0)
        self.frozen: set[int] = set()
        self.clocks = SlaveClocks(config.clocks, config.timestamp)
        self.events: list[Event] = []
        self.flash = memory if isinstance(memory, FlashMemory) else None
        if config.program is not None and self.flash is None:
            raise SettingsError("program", "the memory cannot be programmed: it lacks FlashMemory")
        self.program = ProgramState(config.program)
        self.link = LinkState(config.link)
        self.debug = DebugState()
        self.stim = StimState(config, memory, self.daq)
        self.security = SecurityState(self)
        self.store = StoreState(self, nonvolatile or NonVolatile())
        self.writing = WriteState(memory)
        self.session = SessionState(self)

    def reset(self, *, connected: bool) -> None:
        """Begin or end a session (XCP Base, states, 1.0): lists, MTA and locks start afresh."""
        self.connected = connected
        self.mta = None
        self.text = None
        self.block = None
        self.store.reset(connected=connected)
        self.program.reset(connected=connected)
        self.writing.reset()
        self.link.reset(connected=connected)
        self.debug.reset(connected=connected)
        self.stim.reset(connected=connected)
        self.security.reset(connected=connected)
        self.events.clear()
        self.clocks.begin_session(self.now_ns)

    @property
    def max_cto(self) -> int:
        """MAX_CTO, or MAX_CTO_PGM while programming, in bytes."""
        program = self.program
        limit = program.settings.max_cto if program.active and program.settings else None
        return self.config.max_cto if limit is None else limit

    @property
    def slave_block_mode(self) -> bool:
        """Whether UPLOAD may be answered by several responses now."""
        program = self.program
        if program.active and program.settings is not None:
            return program.settings.slave_block_mode
        return self.config.slave_block_mode

    @property
    def lingers(self) -> bool:
        """True while what came before still matters to the next command: a block, an exchange, a job."""
        return (
            self.block is not None
            or self.security.watchful
            or self.program.engaged
            or self.writing.at_work
            or self.link.echoed
            or self.debug.block is not None
        )

    def before(self, info: CommandInfo) -> None:
        """A command is about to be served: what only lasts until another one comes ends."""
        self.program.before(info)
        self.writing.before(info)
        self.link.before(info.name)
        self.debug.before(info.name)

    def restart(self) -> None:
        """Begin a session inside one and leave its lists alone; locks, MTA and block start afresh."""
        self.mta = None
        self.text = None
        self.block = None
        for area in (self.program, self.link, self.debug, self.security):
            area.reset(connected=True)
        self.writing.reset()
        self.events.clear()

    def point(self, address: Address) -> None:
        """Set the MTA."""
        self.mta = address
        self.text = None

    def point_text(self, text: bytes) -> None:
        """Let the MTA point to a text, filled up to whole elements."""
        self.mta = Address(0)
        self.text = text + bytes(-len(text) % self.config.ag)

    def address(self) -> Address:
        """The MTA, which must point into memory.

        Raises:
            AccessDeniedError: it is undefined or points to a text.
        """
        if self.mta is None or self.text is not None:
            raise refuse(ErrorCode.ERR_ACCESS_DENIED)
        return self.mta

    def read(self, address: Address, size_bytes: int) -> bytes:
        """Memory as the master may see it: whatever shows memory reads it here.

        Raises:
            AccessDeniedError: there is no such memory.
            AccessLockedError: it cannot be read before a resource is unlocked.
        """
        if not self.security.hides(address, size_bytes):
            return self.memory.read(address, size_bytes)
        if not self.config.security.zeros:
            raise refuse(ErrorCode.ERR_ACCESS_LOCKED)
        return bytes(len(self.memory.read(address, size_bytes)))

    def fetch(self, count_ag: int) -> bytes:
        """Elements at the MTA, from memory or a text; the MTA moves on.

        Raises:
            AccessDeniedError: it is undefined, or there are fewer.
            AccessLockedError: reading is locked.
        """
        if self.mta is None:
            raise refuse(ErrorCode.ERR_ACCESS_DENIED)
        size_bytes = count_ag * self.config.ag
        data = self.read(self.mta, size_bytes) if self.text is None else self.part(size_bytes)
        self.mta += count_ag
        return data

    def part(self, size_bytes: int) -> bytes:
        """The part of the text that the MTA points to.

        Raises:
            AccessDeniedError: there are fewer bytes.
        """
        assert self.mta is not None, "the MTA points into a text"
        assert self.text is not None, "the MTA points into a text"
        at = self.mta.value * self.config.ag
        data = self.text[at : at + size_bytes]
        if len(data) != size_bytes:
            raise refuse(ErrorCode.ERR_ACCESS_DENIED)
        return data

    def dto_format(self, daq_list: DaqList) -> DtoFormat:
        """Header of the DTOs of a list."""
        return DtoFormat(
            identification_field=self.config.identification_field,
            timestamp_size=self.config.timestamp.size_bytes if daq_list.timestamp else 0,
            dto_ctr=daq_list.dto_ctr,
            overload_msb=self.config.overload == 1 and not daq_list.stim,
            pid_off=daq_list.pid_off,
        )


Served: TypeAlias = Response | Sequence[Response] | None
Handler: TypeAlias = Callable[[SlaveState, Any], Served]
