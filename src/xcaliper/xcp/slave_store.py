"""What SET_REQUEST stores, where it survives power-off, and what is refused meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import SettingsError
from xcaliper.xcp.codes import PID_ERR, ErrorCode, SessionStatus
from xcaliper.xcp.events import EvClearDaq, EvStoreCal, EvStoreDaq

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.proto.command import CommandInfo
    from xcaliper.xcp.daq_lists import OdtEntry
    from xcaliper.xcp.events import Event
    from xcaliper.xcp.slave_state import SlaveState

__all__ = ["NonVolatile", "Request", "StoreSettings", "StoreState", "StoredDaq", "StoredList"]

_BUSY: Final = bytes((PID_ERR, ErrorCode.ERR_CMD_BUSY))
_TEMPORARY: Final = bytes((PID_ERR, ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE))
#: Commands that change what lists hold (XCP Base, SET_REQUEST, 1.0).
_CHANGES_LISTS: Final = frozenset(
    {
        "FREE_DAQ",
        "ALLOC_DAQ",
        "ALLOC_ODT",
        "ALLOC_ODT_ENTRY",
        "CLEAR_DAQ_LIST",
        "SET_DAQ_PTR",
        "WRITE_DAQ",
        "WRITE_DAQ_MULTIPLE",
        "SET_DAQ_LIST_MODE",
        "SET_DAQ_PACKED_MODE",
        "DTO_CTR_PROPERTIES",
        "START_STOP_DAQ_LIST",
    }
)


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What a slave can store, and how long that takes.

    Attributes:
        daq: STORE_DAQ_REQ and CLEAR_DAQ_REQ exist.
        resume: stored lists may start at power-up.
        duration_ns: from the request until everything is stored.
        events: EV_STORE_CAL, EV_STORE_DAQ and EV_CLEAR_DAQ are sent.
    """

    daq: bool = False
    resume: bool = False
    duration_ns: int = 20_000_000
    events: bool = True

    def __post_init__(self) -> None:
        if self.resume and not self.daq:
            raise SettingsError("store", "RESUME needs stored DAQ lists")
        if self.duration_ns < 0:
            raise SettingsError("store", "a duration cannot be negative")


@dataclass(frozen=True, slots=True)
class StoredList:
    """One DAQ list as it was stored; those that were not selected are as empty as they were allocated.

    Attributes:
        odts: entries of each ODT; None = not written.
        selected: it was selected, so it is part of the stored configuration.
        event_channel: None = none was set.
        packing: DAQ_PACKED_MODE, timestamp mode and samples.
    """

    odts: tuple[tuple[OdtEntry | None, ...], ...]
    selected: bool
    event_channel: int | None = None
    prescaler: int = 1
    priority: int = 0
    timestamp: bool = False
    dto_ctr: bool = False
    stim: bool = False
    alternating: bool = False
    pid_off: bool = False
    packing: tuple[int, int, int] = (0, 0, 1)


@dataclass(frozen=True, slots=True)
class StoredDaq:
    """A stored DAQ configuration (XCP Base, SET_REQUEST, 1.0).

    Attributes:
        session_configuration_id: of the master, 1 to 65535.
        resume: the selected lists start at power-up.
        lists: all lists, by number.
        alignment: bytes that the transport aligned messages to.
    """

    session_configuration_id: int
    resume: bool
    lists: tuple[StoredList, ...]
    alignment: int = 1


@dataclass(slots=True)
class NonVolatile:
    """Memory of a slave that survives power-off.

    Attributes:
        daq: stored configuration, None = none.
        pages: segment → bytes that its page 0 has after power-up; segments without are as programmed.
        daq_lost: a stored configuration could not be restored.
        pages_lost: stored calibration data could not be restored.
        areas: further memory of the ECU around the slave, by name; not touched by SET_REQUEST.
        master: address of whoever asked for it, as the transport writes it; empty = unknown.
        changed: called after each change.
    """

    daq: StoredDaq | None = None
    pages: dict[int, bytes] = field(default_factory=dict)
    daq_lost: bool = False
    pages_lost: bool = False
    areas: dict[str, bytes] = field(default_factory=dict)
    master: str = ""
    changed: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is being carried out.

    Attributes:
        due_ns: when it is done.
        pages: calibration data to store, None = none asked for.
        daq: DAQ configuration to store, None = none asked for.
        clear: the stored DAQ configuration shall be erased.
    """

    due_ns: int
    pages: dict[int, bytes] | None = None
    daq: StoredDaq | None = None
    clear: bool = False


class StoreState:
    """Storing of one slave: the request under way, and what RESUME made of the lists.

    Args:
        slave: the session.
        memory: what survives power-off.

    Attributes:
        memory: as given.
        request: what is being stored, None = nothing.
        pristine: the lists are those of power-up; the first CONNECT leaves them.
    """

    __slots__ = ("_in_resume", "_slave", "memory", "pristine", "request")

    def __init__(self, slave: SlaveState, memory: NonVolatile) -> None:
        self._slave = slave
        self.memory = memory
        self.request: Request | None = None
        self.pristine = False
        self._in_resume = False

    def begin_resume(self) -> None:
        """Stored lists have been started at power-up."""
        self._in_resume = True

    @property
    def resumed(self) -> bool:
        """True while lists run that power-up has started (XCP Base, RESUME mode, 1.0)."""
        if self._in_resume:
            self._in_resume = any(one.resume and one.running for one in self._slave.daq.lists)
        return self._in_resume

    def reset(self, *, connected: bool) -> None:
        """A session begins or ends: lists start afresh, but for those that RESUME runs.

        A request under way goes on, and so does the first session with lists that were stored without
        RESUME.
        """
        daq = self._slave.daq
        if self.pristine:
            self.pristine = not connected
        elif self.resumed:
            daq.keep_resumed()
        else:
            daq.clear()

    def status(self) -> SessionStatus:
        """SESSION_STATUS (XCP Base, GET_STATUS, 1.0)."""
        request, memory = self.request, self.memory
        return SessionStatus.of(
            store_cal_req=int(request is not None and request.pages is not None),
            cal_pag_cfg_lost=int(memory.pages_lost),
            store_daq_req=int(request is not None and request.daq is not None),
            clear_daq_req=int(request is not None and request.clear),
            daq_cfg_lost=int(memory.daq_lost),
            daq_running=int(self._slave.daq.running),
            resume=int(self.resumed),
        )

    @property
    def session_configuration_id(self) -> int:
        """That of the stored configuration, 0 without (XCP Base, GET_STATUS, 1.0)."""
        return 0 if self.memory.daq is None else self.memory.daq.session_configuration_id

    def refuses(self, info: CommandInfo) -> bytes | None:
        """The refusal of a command while something is being stored (XCP Base, SET_REQUEST, 1.0)."""
        request = self.request
        if request is None:
            return None
        if info.name == "SET_REQUEST":
            return _TEMPORARY
        about_lists = request.daq is not None or request.clear
        if info.name == "DISCONNECT" or (about_lists and info.name in _CHANGES_LISTS):
            return _BUSY
        return None

    def due(self) -> int | None:
        """When the request under way is done."""
        return None if self.request is None else self.request.due_ns

    def on_time(self, now_ns: int) -> list[Event]:
        """Finish what is due; gives the events that tell of it."""
        request = self.request
        if request is None or now_ns < request.due_ns:
            return []
        self.request = None
        memory = self.memory
        events: list[Event] = []
        if request.pages is not None:
            memory.pages.update(request.pages)
            memory.pages_lost = False
            events.append(EvStoreCal())
        if request.clear:
            memory.daq = None
            events.append(EvClearDaq())
        if request.daq is not None:
            memory.daq = request.daq
            memory.daq_lost = False
            events.append(EvStoreDaq())
        if request.clear or request.daq is not None:
            self._mark_lists()
        memory.changed()
        return events if self._slave.config.store.events else []

    def _mark_lists(self) -> None:
        """Tell which lists a power-up will start (XCP Base, GET_DAQ_LIST_MODE, 1.0)."""
        stored = self.memory.daq
        kept = stored.lists if stored is not None and stored.resume else ()
        if self.resumed:
            return  # these run because of what was stored before
        for number, daq_list in enumerate(self._slave.daq.lists):
            daq_list.resume = number < len(kept) and kept[number].selected
