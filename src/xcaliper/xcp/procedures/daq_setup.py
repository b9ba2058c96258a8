"""Bring DAQ lists into the slave, start and stop them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.address import Address
from xcaliper.core.errors import (
    DaqActiveError,
    ExchangeTimeoutError,
    NegativeResponseError,
    OutOfRangeError,
    RemoteProtocolError,
    SequenceError,
    UnknownCommandError,
)
from xcaliper.proto.procedure import Pipeline, ask
from xcaliper.xcp import daq, level1, std, timecorr
from xcaliper.xcp.codes import DaqListModeRequest, ErrorCode
from xcaliper.xcp.daq_lists import ListKind, OdtEntry
from xcaliper.xcp.procedures.connect import Session, attempt, optional

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.daq_lists import DaqListSetup

__all__ = [
    "SetupHabits",
    "clock",
    "free",
    "prepare",
    "setup",
    "start",
    "start_list",
    "stop",
    "stop_list",
    "stop_selected",
]

_RESTARTS: Final = 3
_MULTIPLE: Final = "WRITE_DAQ_MULTIPLE"
_STOP_LIST: Final = 0
_START_LIST: Final = 1
_SELECT: Final = 2
_STOP_ALL: Final = 0
_START_SELECTED: Final = 1
_STOP_SELECTED: Final = 2
_PREPARE: Final = 3
#: Refusals that say "not this way" and not "not this configuration".
_OTHER_WAY: Final = frozenset({ErrorCode.ERR_MODE_NOT_VALID, ErrorCode.ERR_CMD_UNKNOWN})


@dataclass(slots=True)
class SetupHabits:
    """What a slave turned out to do; the same object serves every set-up of a connection.

    Attributes:
        multiple: False once WRITE_DAQ_MULTIPLE was refused, True once it worked.
        selects: False once START_STOP_DAQ_LIST refused to select a list.
    """

    multiple: bool | None = None
    selects: bool = True


def setup(
    session: Session,
    lists: Sequence[DaqListSetup],
    *,
    multiple: bool | None = None,
    habits: SetupHabits | None = None,
    idle: Collection[int] = (),
) -> Procedure[tuple[int, ...]]:
    """Bring lists into the slave and select them; gives their FIRST_PIDs.

    Dynamic lists are allocated, all ODTs before any entries; static ones are cleared; both are
    filled. Predefined ones only get a mode. An order that the slave finds wrong, or lists that still
    run, start the whole sequence again, a few times.

    Args:
        session: of the connection.
        lists: dynamic ones are numbered from the first dynamic list on, without holes.
        multiple: False where WRITE_DAQ_MULTIPLE is known to be missing; otherwise it is tried where
            the packets are large enough.
        habits: what is known of the slave; it learns.
        idle: numbers of lists that are not selected, so that they do not start with the others.

    Raises:
        NegativeResponseError: the slave refuses the configuration.
        RemoteProtocolError: the slave took a list of direction STIM as one of direction DAQ.
    """
    habits = habits or SetupHabits()
    if multiple is False:
        habits.multiple = False
    turn = 0
    while True:
        try:
            yield from _allocate([one for one in lists if one.kind is ListKind.DYNAMIC])
            yield from _clear(session, [one for one in lists if one.kind is ListKind.STATIC])
            yield from _fill(session, lists, habits)
            yield from _set_modes(session, lists)
            return (yield from _select(lists, habits, idle))
        except (SequenceError, DaqActiveError):
            turn += 1
            if turn == _RESTARTS:
                raise
            yield from stop()


def _allocate(lists: Sequence[DaqListSetup]) -> Procedure[None]:
    if not lists:
        return
    yield from ask(daq.FreeDaq())
    yield from ask(daq.AllocDaq(daq_count=len(lists)))
    for one in lists:
        yield from ask(daq.AllocOdt(daq_list=one.daq_list, odt_count=len(one.odts)))
    for one in lists:
        for number, odt in enumerate(one.odts):
            yield from ask(
                daq.AllocOdtEntry(daq_list=one.daq_list, odt=number, entry_count=len(odt.entries))
            )


def _clear(session: Session, lists: Sequence[DaqListSetup]) -> Procedure[None]:
    """Empty static lists; where that is not possible, the entries written later end them."""
    for one in lists:
        try:
            yield from attempt(session, daq.ClearDaqList(daq_list=one.daq_list))
        except UnknownCommandError:
            yield from ask(daq.StartStopDaqList(mode=_STOP_LIST, daq_list=one.daq_list))


def _fill(session: Session, lists: Sequence[DaqListSetup], habits: SetupHabits) -> Procedure[None]:
    at_once = (session.profile.max_cto - 2) // 8
    for one in lists:
        if one.kind is ListKind.PREDEFINED:
            continue
        for number, odt in enumerate(_ended(session, one)):
            pointer = daq.SetDaqPtr(daq_list=one.daq_list, odt=number, odt_entry=0)
            yield from ask(pointer)
            multiple = habits.multiple is not False and _MULTIPLE not in session.refused
            if at_once > 1 and len(odt) > 1 and multiple:
                try:
                    yield from _write_multiple(session, odt, at_once)
                except UnknownCommandError:
                    habits.multiple = False
                    yield from ask(pointer)
                else:
                    habits.multiple = True
                    continue
            yield from _write_each(session, odt)


def _ended(session: Session, one: DaqListSetup) -> list[tuple[OdtEntry, ...]]:
    """Entries of each ODT; lists that could not be cleared get an unused entry behind the last one."""
    odts = [odt.entries for odt in one.odts]
    clears = "CLEAR_DAQ_LIST" not in session.refused
    if one.kind is not ListKind.STATIC or clears or one.capacity is None:
        return odts
    max_odt, max_odt_entries = one.capacity
    unused = OdtEntry(Address(0), 0)
    ended = [(*odt, unused) if len(odt) < max_odt_entries else odt for odt in odts]
    return ended + [(unused,)] * (max_odt - len(odts))


def _write_each(session: Session, entries: Sequence[OdtEntry]) -> Procedure[None]:
    """One WRITE_DAQ per entry; they wait at the slave where it has a queue."""
    requests = tuple(
        daq.WriteDaq(
            bit_offset=entry.bit_offset,
            size=entry.size,
            address_extension=entry.address.extension,
            address=entry.address.value,
        )
        for entry in entries
    )
    if session.queue_size and len(requests) > 1:
        yield Pipeline(requests, session.queue_size)
        return
    for request in requests:
        yield from ask(request)


def _write_multiple(session: Session, entries: Sequence[OdtEntry], at_once: int) -> Procedure[None]:
    for begin in range(0, len(entries), at_once):
        elements = tuple(
            daq.DaqElement(
                bit_offset=entry.bit_offset,
                size=entry.size,
                address=entry.address.value,
                address_extension=entry.address.extension,
            )
            for entry in entries[begin : begin + at_once]
        )
        yield from attempt(session, daq.WriteDaqMultiple(count=len(elements), elements=elements))


def _set_modes(session: Session, lists: Sequence[DaqListSetup]) -> Procedure[None]:
    for one in lists:
        mode = DaqListModeRequest.of(
            alternating=int(one.alternating),
            direction_stim=int(one.stim),
            dto_ctr=int(one.dto_ctr),
            timestamp=int(one.timestamp),
            pid_off=int(one.pid_off),
        )
        request = daq.SetDaqListMode(
            mode=mode,
            daq_list=one.daq_list,
            event_channel=one.event_channel,
            prescaler=one.prescaler,
            priority=one.priority,
        )
        try:
            yield from ask(request)
        except OutOfRangeError as error:
            if one.priority:  # nothing tells beforehand whether a slave has priorities
                error.hint = f"Slaves without priorities refuse {one.priority}; use priority 0."
            raise
        if one.stim:
            yield from _check_direction(session, one.daq_list)
        if one.packed is not None:
            yield from ask(
                level1.SetDaqPackedMode(
                    daq_list=one.daq_list,
                    daq_packed_mode=one.packed.mode,
                    timestamp_mode=one.packed.timestamp_mode,
                    sample_count=one.packed.sample_count,
                )
            )


def _check_direction(session: Session, daq_list: int) -> Procedure[None]:
    """Some slaves take direction STIM and ignore it; where the mode can be read, it tells."""
    state = yield from optional(session, daq.GetDaqListMode(daq_list=daq_list))
    if state is not None and not state.mode.direction_stim:
        raise RemoteProtocolError(
            f"SET_DAQ_LIST_MODE: DAQ list {daq_list} was given direction STIM and has direction DAQ.",
            hint="Use a list or an event that the slave can stimulate.",
        )


def _select(
    lists: Sequence[DaqListSetup], habits: SetupHabits, idle: Collection[int]
) -> Procedure[tuple[int, ...]]:
    """Select the lists that shall run; idle ones, and all where none can be, tell FIRST_PIDs only."""
    pids: list[int] = []
    for one in lists:
        selects = habits.selects and one.daq_list not in idle
        if selects:
            try:
                reply = yield from ask(daq.StartStopDaqList(mode=_SELECT, daq_list=one.daq_list))
            except NegativeResponseError as error:
                if error.code not in _OTHER_WAY:
                    raise
                habits.selects = selects = False
        if not selects:
            reply = yield from ask(daq.StartStopDaqList(mode=_STOP_LIST, daq_list=one.daq_list))
        pids.append(reply.first_pid)
    return tuple(pids)


def clock(session: Session | None = None) -> Procedure[int | None]:
    """The slave's DAQ clock in ticks, None when it cannot be read (XCP Base, GET_DAQ_CLOCK, 1.0)."""
    reply = yield from optional(session, timecorr.GetDaqClock())
    if isinstance(reply, timecorr.DaqClockLegacy):
        return reply.timestamp
    if isinstance(reply, timecorr.DaqClockExtended):
        return reply.slave_timestamp
    return None


def start(lists: Sequence[DaqListSetup] = ()) -> Procedure[None]:
    """Start every selected list at once; one after the other where the slave knows no other way.

    When the answer to the start was lost, the repetition is refused although the lists run;
    GET_STATUS tells.

    Args:
        lists: what was set up; without them there is only the common start.

    Raises:
        NegativeResponseError: the slave refuses, and nothing runs.
    """
    try:
        yield from ask(daq.StartStopSynch(mode=_START_SELECTED))
    except NegativeResponseError as error:
        status: Any = yield from optional(None, std.GetStatus())
        if status is not None and status.session_status.daq_running:
            return
        if not lists or not (yield from _start_each(lists)):
            raise error from None


def _start_each(lists: Sequence[DaqListSetup]) -> Procedure[bool]:
    """True when every list runs; else those that did are stopped again."""
    for index, one in enumerate(lists):
        try:
            yield from ask(daq.StartStopDaqList(mode=_START_LIST, daq_list=one.daq_list))
        except NegativeResponseError:
            for started in lists[:index]:
                request = daq.StartStopDaqList(mode=_STOP_LIST, daq_list=started.daq_list)
                yield from _tolerant(request, 0, 0)
            return False
    return True


def start_list(daq_list: int) -> Procedure[int]:
    """Start one more list; gives its FIRST_PID (XCP Base, START_STOP_DAQ_LIST, 1.0).

    Slaves that start selected lists only get it selected.

    Raises:
        NegativeResponseError: the slave refuses.
    """
    try:
        reply = yield from ask(daq.StartStopDaqList(mode=_START_LIST, daq_list=daq_list))
    except NegativeResponseError as error:
        if error.code not in _OTHER_WAY:
            raise
        reply = yield from ask(daq.StartStopDaqList(mode=_SELECT, daq_list=daq_list))
        yield from ask(daq.StartStopSynch(mode=_START_SELECTED))
    return reply.first_pid


def stop_list(daq_list: int) -> Procedure[None]:
    """Stop one list, the others go on; DTOs on their way may still follow.

    Slaves that stop selected lists only get it selected.

    Raises:
        NegativeResponseError: the slave refuses.
    """
    try:
        yield from ask(daq.StartStopDaqList(mode=_STOP_LIST, daq_list=daq_list))
    except NegativeResponseError as error:
        if error.code not in _OTHER_WAY:
            raise
        yield from ask(daq.StartStopDaqList(mode=_SELECT, daq_list=daq_list))
        yield from ask(daq.StartStopSynch(mode=_STOP_SELECTED))


def stop_selected(daq_lists: Sequence[int]) -> Procedure[None]:
    """Stop some lists at the same event; one after the other where the slave cannot.

    Raises:
        NegativeResponseError: the slave refuses.
    """
    try:
        for number in daq_lists:
            yield from ask(daq.StartStopDaqList(mode=_SELECT, daq_list=number))
        yield from ask(daq.StartStopSynch(mode=_STOP_SELECTED))
    except NegativeResponseError as error:
        if error.code not in _OTHER_WAY:
            raise
        for number in daq_lists:
            yield from ask(daq.StartStopDaqList(mode=_STOP_LIST, daq_list=number))


def prepare() -> Procedure[bool]:
    """Have the slave check the selected lists, so that the start is quick *(1.4)*; False = it cannot.

    Raises:
        NegativeResponseError: the slave finds the lists wrong.
    """
    try:
        yield from ask(daq.StartStopSynch(mode=_PREPARE))
    except NegativeResponseError as error:
        if error.code not in _OTHER_WAY:
            raise
        return False
    return True


def stop(*, attempts: int = 0, timeout_ns: int = 0) -> Procedure[bool]:
    """Stop every list; True when the slave agreed. DTOs on their way may still follow.

    Args:
        attempts: how often it is sent; 0 = as the machine is set.
        timeout_ns: instead of T1; slaves may flush their queue first.
    """
    request = daq.StartStopSynch(mode=_STOP_ALL)
    return (yield from _tolerant(request, attempts, timeout_ns))


def free(*, attempts: int = 0) -> Procedure[bool]:
    """Remove every dynamic list; True when the slave agreed (XCP Base, FREE_DAQ, 1.0)."""
    return (yield from _tolerant(daq.FreeDaq(), attempts, 0))


def _tolerant(request: Any, attempts: int, timeout_ns: int) -> Procedure[bool]:
    try:
        yield from ask(request, attempts=attempts, timeout_ns=timeout_ns)
    except (NegativeResponseError, ExchangeTimeoutError):
        return False
    return True
