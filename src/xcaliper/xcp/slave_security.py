"""Seed and key in the slave: what is locked, what that forbids, and the exchange that opens it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import SettingsError
from xcaliper.xcp.codes import PID_ERR, ErrorCode, Resource

if TYPE_CHECKING:
    from xcaliper.core.address import Address, AddressRange
    from xcaliper.proto.command import CommandInfo
    from xcaliper.xcp.seed_key import KeyFunction
    from xcaliper.xcp.slave_state import DaqList, SlaveState

__all__ = ["SecuritySettings", "SecurityState"]

_ERR_LOCKED: Final = bytes((PID_ERR, ErrorCode.ERR_ACCESS_LOCKED))
_LONGEST: Final = 0xFF
#: What may come between GET_SEED and UNLOCK without making the seed void.
_EXCHANGE: Final = frozenset({"GET_SEED", "UNLOCK", "SYNCH"})
_STORE_CAL: Final = 0x11
_STORE_DAQ: Final = 0x2E
_STIM_BIT: Final = 0x02
_POINTED: Final = frozenset({"WRITE_DAQ", "WRITE_DAQ_MULTIPLE", "READ_DAQ"})
_ON_RUNNING: Final = frozenset({"FREE_DAQ"})
#: Commands that name a list, as a word behind the second byte.
_NAMED: Final = frozenset(
    {
        "CLEAR_DAQ_LIST",
        "SET_DAQ_PTR",
        "SET_DAQ_LIST_MODE",
        "GET_DAQ_LIST_MODE",
        "START_STOP_DAQ_LIST",
        "GET_DAQ_LIST_INFO",
        "ALLOC_ODT",
        "ALLOC_ODT_ENTRY",
        "SET_DAQ_PACKED_MODE",
        "GET_DAQ_PACKED_MODE",
    }
)


@dataclass(frozen=True, slots=True)
class SecuritySettings:
    """How a slave protects its resources.

    Attributes:
        protected: resources that a new session finds locked.
        key: the key that opens a resource; None = the slave has neither GET_SEED nor UNLOCK.
        seed_bytes: length of seeds, 1 to 255.
        seeds: length → a fresh seed; unpredictable ones unless a test wants its own.
        attempts: wrong keys until GET_SEED is refused for a while; 0 = without limit. Sessions do not
            reset the count, a right key does.
        lockout_ns: how long that lasts.
        wrong_key_disconnects: a wrong key ends the session (XCP Base, UNLOCK, 1.0).
        reads: resources that reading of memory needs: UPLOAD, SHORT_UPLOAD, BUILD_CHECKSUM, and the
            start of lists that sample it. None is needed by default (XCP Base, resource protection, 1.0).
        ranges: the memory that ``reads`` protects, under each address that leads to it; empty = all.
        zeros: reading of locked memory gives zeros, not ERR_ACCESS_LOCKED.
    """

    protected: Resource = field(default_factory=lambda: Resource(0))
    key: KeyFunction | None = None
    seed_bytes: int = 8
    seeds: Callable[[int], bytes] = secrets.token_bytes
    attempts: int = 3
    lockout_ns: int = 10_000_000_000
    wrong_key_disconnects: bool = True
    reads: Resource = field(default_factory=lambda: Resource(0))
    ranges: tuple[AddressRange, ...] = ()
    zeros: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.seed_bytes <= _LONGEST:
            raise SettingsError("seed_bytes", f"{self.seed_bytes} is not 1 to {_LONGEST}")
        if self.attempts < 0 or self.lockout_ns < 0:
            raise SettingsError("attempts", "attempts and lockout_ns cannot be negative")


class SecurityState:
    """Locks of a slave; attempts are counted across sessions.

    Args:
        slave: the session; its ``locked`` is kept here.

    Attributes:
        watchful: True while something depends on the order of commands or on what they read.
    """

    __slots__ = ("_settings", "_slave", "protected", "watchful")

    def __init__(self, slave: SlaveState) -> None:
        self._slave = slave
        self._settings = slave.config.security
        self.protected = Resource(slave.config.protected | self._settings.protected)
        self.watchful = False
        self.reset(connected=False)

    def reset(self, *, connected: bool) -> None:  # noqa: ARG002 -- every area has this method
        """Lock every protected resource again: a session begins or ends (XCP Base, states, 1.0)."""
        self._slave.locked = Resource(self.protected)
        self._settle()

    def _settle(self) -> None:
        self.watchful = self.reads_locked

    # -- what is refused --------------------------------------------------------------------------

    @property
    def reads_locked(self) -> bool:
        """True while memory cannot be read."""
        return bool(self._settings.reads & self._slave.locked)

    def hides(self, address: Address, size_bytes: int) -> bool:
        """Whether any of these bytes must not be shown now."""
        if not self.reads_locked:
            return False
        ranges, ag = self._settings.ranges, self._slave.config.ag
        return not ranges or any(_overlap(one, address, size_bytes, ag) for one in ranges)

    def refuses(self, info: CommandInfo, packet: bytes) -> bytes | None:
        """The refusal of a command whose resource is locked, else None.

        A DAQ command needs the resource of the direction of the lists it is about; where neither
        direction is open, all of them are refused (XCP Base, resource protection, 1.0).
        """
        locked = self._slave.locked
        if not locked:
            return None
        if info.resource == "daq":
            closed = self._daq_closed(info.name, packet)
        elif info.name == "SET_REQUEST":
            closed = self._store_closed(packet)
        else:
            closed = bool(info.resource) and bool(getattr(locked, info.resource))
        if info.name == "COPY_CAL_PAGE" and not closed:
            closed = self._copies_hidden(packet)
        return _ERR_LOCKED if closed else None

    def _store_closed(self, packet: bytes) -> bool:
        locked, mode = self._slave.locked, packet[1] if len(packet) > 1 else 0
        stores_cal = bool(mode & _STORE_CAL) and bool(locked.cal_pag)
        return stores_cal or (bool(mode & _STORE_DAQ) and not self._open())

    def _copies_hidden(self, packet: bytes) -> bool:
        segments = self._slave.config.segments
        if len(packet) < 2 or packet[1] >= len(segments):
            return False
        source = segments[packet[1]]
        return self.hides(source.address, source.size_bytes)

    def _open(self) -> set[bool]:
        """Directions whose resource is there and open: False DAQ, True STIM."""
        config, locked = self._slave.config, self._slave.locked
        there = {False: bool(config.events) and not locked.daq}
        there[True] = config.takes_stim and not locked.stim
        return {stim for stim, free in there.items() if free}

    def _daq_closed(self, name: str, packet: bytes) -> bool:
        open_ = self._open()
        if len(open_) != 1:
            return not open_
        closed = not next(iter(open_))
        if name == "SET_DAQ_LIST_MODE" and len(packet) > 1:
            if bool(packet[1] & _STIM_BIT) is closed:
                return True
        return any(_direction(one) is closed for one in self._lists(name, packet))

    def _lists(self, name: str, packet: bytes) -> list[DaqList]:
        """The lists that a command is about."""
        daq, config = self._slave.daq, self._slave.config
        number = None
        if name in _NAMED:
            number = int.from_bytes(packet[2:4], config.byte_order.value)
        elif name in _POINTED and daq.pointer is not None:
            number = daq.pointer[0]
        elif name in _ON_RUNNING or (name == "START_STOP_SYNCH" and packet[1:2] == b"\0"):
            return [one for one in daq.lists if one.running]
        elif name == "START_STOP_SYNCH":
            return [one for one in daq.lists if one.selected]
        return [] if number is None or number >= len(daq.lists) else [daq.lists[number]]


def _direction(daq_list: DaqList) -> bool | None:
    """False DAQ, True STIM, None while a list may still take either."""
    fixed = daq_list.fixed
    if fixed is not None and fixed.daq != fixed.stim:
        return fixed.stim
    return daq_list.stim if daq_list.event_channel is not None else None


def _overlap(one: AddressRange, address: Address, size_bytes: int, ag: int) -> bool:
    if one.start.extension != address.extension:
        return False
    offset = (address.value - one.start.value) * ag
    return offset < one.size_bytes and offset + size_bytes > 0
