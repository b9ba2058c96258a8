"""Seed and key in the slave: what is locked, what that forbids, and the exchange that opens it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import SettingsError
from xcaliper.xcp.codes import PID_ERR, ErrorCode, Resource, negative_response
from xcaliper.xcp.seed_key import each_resource

if TYPE_CHECKING:
    from collections.abc import Callable

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
        seeds: that length → a fresh seed; unpredictable ones unless a test wants its own, which may
            have another length.
        attempts: wrong keys until GET_SEED is refused for a while; 0 = without limit. Sessions do not
            reset the count, a right key does.
        lockout_ns: how long that lasts.
        wrong_key_disconnects: a wrong key ends the session (XCP Base, UNLOCK, 1.0).
        reads: resources that reading of memory needs: UPLOAD, SHORT_UPLOAD, BUILD_CHECKSUM, and the
            start of lists that sample it. None is needed by default (XCP Base, resource protection, 1.0).
        ranges: the memory that ``reads`` protects, under each address that leads to it; empty = all.
        zeros: reading of locked memory gives zeros, not ERR_ACCESS_LOCKED.
        library: what the description names as SEED_AND_KEY_EXTERNAL_FUNCTION; empty = nothing.
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
    library: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.seed_bytes <= _LONGEST:
            raise SettingsError("seed_bytes", f"{self.seed_bytes} is not 1 to {_LONGEST}")
        if self.attempts < 0 or self.lockout_ns < 0:
            raise SettingsError("attempts", "attempts and lockout_ns cannot be negative")


@dataclass(slots=True)
class _Exchange:
    """One resource on its way from seed to key."""

    resource: Resource
    seed: bytes
    given: int = 0
    total: int = 0
    key: bytes = b""


class SecurityState:
    """Locks of a slave; attempts are counted across sessions.

    Args:
        slave: the session; its ``locked`` is kept here.

    Attributes:
        protected: what a new session finds locked.
        wrong_keys: since the last right one, or since the last lock-out.
        watchful: True while something depends on the order of commands or on what they read.
    """

    __slots__ = (
        "_answered",
        "_closed_until_ns",
        "_exchange",
        "_settings",
        "_slave",
        "protected",
        "watchful",
        "wrong_keys",
    )

    def __init__(self, slave: SlaveState) -> None:
        self._slave = slave
        self._settings = slave.config.security
        self.protected = Resource(slave.config.protected | self._settings.protected)
        self.wrong_keys = 0
        self._closed_until_ns: int | None = None
        self._exchange: _Exchange | None = None
        self._answered: tuple[int, bytes] | None = None
        self.watchful = False
        self.reset(connected=False)

    def reset(self, *, connected: bool) -> None:  # noqa: ARG002 -- every area has this method
        """Lock every protected resource again: a session begins or ends (XCP Base, states, 1.0)."""
        self._slave.locked = Resource(self.protected)
        self._forget()

    def _forget(self) -> None:
        self._exchange = None
        self._answered = None
        self._settle()

    def _settle(self) -> None:
        pending = self._exchange is not None or self._answered is not None
        self.watchful = pending or self.reads_locked

    def heed(self, name: str) -> None:
        """A command arrived: UNLOCK is valid directly after GET_SEED only (XCP Base, UNLOCK, 1.0).

        SYNCH may come between, as a master sends it after a lost answer.
        """
        if name not in _EXCHANGE:
            self._forget()

    # -- seed and key -----------------------------------------------------------------------------

    def first_seed(self, resource: Resource) -> tuple[int, bytes]:
        """The seed of one resource: its length and first part; length 0 where it is not locked.

        It is a fresh one, unless the same is asked for again before any key: a packet that came twice,
        or whose answer was lost, then leaves master and slave with the same seed.

        Raises:
            NegativeResponseError: not exactly one resource, or too many wrong keys lately.
        """
        waiting = self._exchange
        self._forget()
        if resource not in tuple(each_resource(Resource(0xFF))):
            raise negative_response("GET_SEED", ErrorCode.ERR_OUT_OF_RANGE)
        if not resource & self._slave.locked:
            return 0, b""
        if self._locked_out():
            raise negative_response("GET_SEED", ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE)
        if waiting is not None and waiting.resource == resource and not waiting.key:
            self._exchange = _Exchange(resource, waiting.seed)
        else:
            self._exchange = _Exchange(resource, self._fresh_seed())
        self._settle()
        return self.next_seed()

    def _fresh_seed(self) -> bytes:
        seed = bytes(self._settings.seeds(self._settings.seed_bytes))
        if not 0 < len(seed) <= _LONGEST:  # length 0 would say that nothing is locked
            raise negative_response("GET_SEED", ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE)
        return seed

    def next_seed(self) -> tuple[int, bytes]:
        """What remains of the seed, this part included, and this part (XCP Base, GET_SEED, 1.0).

        Raises:
            SequenceError: there is no seed, or nothing of it remains.
        """
        exchange = self._exchange
        if exchange is None or exchange.given == len(exchange.seed):
            self._forget()
            raise negative_response("GET_SEED", ErrorCode.ERR_SEQUENCE)
        rest = exchange.seed[exchange.given :]
        part = rest[: self._slave.config.max_cto - 2]
        exchange.given += len(part)
        return len(rest), part

    def take_key(self, length: int, key: bytes) -> None:
        """A part of the key; the last one opens the resource (XCP Base, UNLOCK, 1.0).

        A part that comes again, because its answer was lost, is answered again and does nothing.

        Args:
            length: bytes that remain, this part included.
            key: this part.

        Raises:
            SequenceError: no complete seed goes before, or the length does not follow.
            AccessLockedError: the key is wrong; the session is over where the settings say so.
        """
        if self._answered == (length, key):
            return
        exchange = self._exchange
        if (
            exchange is None
            or exchange.given < len(exchange.seed)
            or length != (exchange.total - len(exchange.key) or length)
            or not key
        ):
            self._forget()
            raise negative_response("UNLOCK", ErrorCode.ERR_SEQUENCE)
        exchange.total = exchange.total or length
        exchange.key += key
        self._answered = (length, key)
        if len(exchange.key) == exchange.total:
            self._judge(exchange)

    def _judge(self, exchange: _Exchange) -> None:
        """Open the resource or count a wrong key; comparing takes the same time for every key."""
        settings, slave = self._settings, self._slave
        assert settings.key is not None, "a slave without keys has no UNLOCK"
        right = settings.key(exchange.resource, exchange.seed)
        self._exchange = None
        if secrets.compare_digest(right, exchange.key):
            self.wrong_keys = 0
            slave.locked = Resource(slave.locked & ~exchange.resource)
            self._settle()
            return
        self._count_wrong_key()
        if settings.wrong_key_disconnects:
            slave.reset(connected=False)
        self._forget()
        raise negative_response("UNLOCK", ErrorCode.ERR_ACCESS_LOCKED)

    def _count_wrong_key(self) -> None:
        self.wrong_keys += 1
        if self._settings.attempts and self.wrong_keys >= self._settings.attempts:
            self.wrong_keys = 0
            self._closed_until_ns = self._slave.now_ns + self._settings.lockout_ns

    def _locked_out(self) -> bool:
        until = self._closed_until_ns
        if until is not None and self._slave.now_ns >= until:
            self._closed_until_ns = until = None
        return until is not None

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
        wanted = packet[1] if len(packet) > 1 else 0
        if name == "SET_DAQ_LIST_MODE" and bool(wanted & _STIM_BIT) is closed:
            return True
        return any(_direction(one) is closed for one in self._lists(name, packet))

    def _lists(self, name: str, packet: bytes) -> list[DaqList]:
        """The lists that a command is about."""
        daq, order = self._slave.daq, self._slave.config.byte_order
        number = None
        if name in _NAMED:
            byte_order: Any = order.value
            number = int.from_bytes(packet[2:4], byte_order)
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
