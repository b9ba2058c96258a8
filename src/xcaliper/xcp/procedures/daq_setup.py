"""Bring DAQ lists into the slave, start and stop them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import (
    DaqActiveError,
    ExchangeTimeoutError,
    NegativeResponseError,
    SequenceError,
    UnknownCommandError,
)
from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq, std, timecorr
from xcaliper.xcp.codes import DaqListModeRequest
from xcaliper.xcp.procedures.connect import Session, optional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.daq_lists import DaqListSetup, OdtEntry

__all__ = ["clock", "free", "setup", "start", "stop"]

_RESTARTS: Final = 3
_STOP_ALL: Final = 0
_START_SELECTED: Final = 1
_SELECT: Final = 2


def setup(
    session: Session, lists: Sequence[DaqListSetup], *, multiple: bool = True
) -> Procedure[tuple[int, ...]]:
    """Allocate, fill and select dynamic lists; gives their FIRST_PIDs.

    All lists get their ODTs before any ODT gets entries. An order that the slave finds wrong, or
    lists that still run, start the whole sequence again, a few times.

    Args:
        session: of the connection.
        lists: numbered from the first dynamic list on, without holes.
        multiple: use WRITE_DAQ_MULTIPLE where packet and slave allow.

    Raises:
        NegativeResponseError: the slave refuses the configuration.
    """
    for attempt in range(_RESTARTS):
        try:
            yield from _allocate(lists)
            yield from _fill(session, lists, multiple=multiple)
            return (yield from _select(lists))
        except (SequenceError, DaqActiveError):
            if attempt == _RESTARTS - 1:
                raise
            yield from stop()
    raise AssertionError("the last round returns or raises")


def _allocate(lists: Sequence[DaqListSetup]) -> Procedure[None]:
    yield from ask(daq.FreeDaq())
    yield from ask(daq.AllocDaq(daq_count=len(lists)))
    for one in lists:
        yield from ask(daq.AllocOdt(daq_list=one.daq_list, odt_count=len(one.odts)))
    for one in lists:
        for number, odt in enumerate(one.odts):
            yield from ask(
                daq.AllocOdtEntry(daq_list=one.daq_list, odt=number, entry_count=len(odt.entries))
            )


def _fill(session: Session, lists: Sequence[DaqListSetup], *, multiple: bool) -> Procedure[None]:
    at_once = (session.profile.max_cto - 2) // 8 if multiple else 1
    for one in lists:
        for number, odt in enumerate(one.odts):
            pointer = daq.SetDaqPtr(daq_list=one.daq_list, odt=number, odt_entry=0)
            yield from ask(pointer)
            if at_once > 1 and len(odt.entries) > 1:
                try:
                    yield from _write_multiple(odt.entries, at_once)
                except UnknownCommandError:
                    at_once = 1
                    yield from ask(pointer)
                else:
                    continue
            for entry in odt.entries:
                yield from ask(
                    daq.WriteDaq(
                        bit_offset=entry.bit_offset,
                        size=entry.size,
                        address_extension=entry.address.extension,
                        address=entry.address.value,
                    )
                )


def _write_multiple(entries: Sequence[OdtEntry], at_once: int) -> Procedure[None]:
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
        yield from ask(daq.WriteDaqMultiple(count=len(elements), elements=elements))


def _select(lists: Sequence[DaqListSetup]) -> Procedure[tuple[int, ...]]:
    pids: list[int] = []
    for one in lists:
        mode = DaqListModeRequest.of(
            direction_stim=int(one.stim),
            dto_ctr=int(one.dto_ctr),
            timestamp=int(one.timestamp),
        )
        yield from ask(
            daq.SetDaqListMode(
                mode=mode,
                daq_list=one.daq_list,
                event_channel=one.event_channel,
                prescaler=one.prescaler,
                priority=one.priority,
            )
        )
    for one in lists:
        reply = yield from ask(daq.StartStopDaqList(mode=_SELECT, daq_list=one.daq_list))
        pids.append(reply.first_pid)
    return tuple(pids)


def clock() -> Procedure[int | None]:
    """The slave's DAQ clock in ticks, None when it cannot be read (XCP Base, GET_DAQ_CLOCK, 1.0)."""
    reply = yield from optional(timecorr.GetDaqClock())
    if isinstance(reply, timecorr.DaqClockLegacy):
        return reply.timestamp
    if isinstance(reply, timecorr.DaqClockExtended):
        return reply.slave_timestamp
    return None


def start() -> Procedure[None]:
    """Start every selected list at once.

    When the answer to the start was lost, the repetition is refused although the lists run;
    GET_STATUS tells.

    Raises:
        NegativeResponseError: the slave refuses, and nothing runs.
    """
    try:
        yield from ask(daq.StartStopSynch(mode=_START_SELECTED))
    except NegativeResponseError as error:
        status: Any = yield from optional(std.GetStatus())
        if status is None or not status.session_status.daq_running:
            raise error from None


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
