"""SlaveMachine: decode → guard (connected, known, locked) → handler → encode, and DAQ sampling."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from xcaliper.core.address import Address
from xcaliper.core.errors import NegativeResponseError, SettingsError, UsageError, WireError
from xcaliper.proto.command import CommandInfo, CommandTable, Response
from xcaliper.wire.codec import Codec, codec_for
from xcaliper.xcp.codes import (
    PID_ERR,
    PID_EV,
    PID_RES,
    PID_SERV,
    ErrorCode,
    EventCode,
    Group,
    ServiceCode,
)
from xcaliper.xcp.handlers import HANDLERS
from xcaliper.xcp.handlers.clock import time_sync
from xcaliper.xcp.handlers.std import short_upload, upload
from xcaliper.xcp.handlers.store import power_up
from xcaliper.xcp.handlers.transport import DISCOVERY
from xcaliper.xcp.slave_sampler import PackedSampler
from xcaliper.xcp.slave_state import SlaveState
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from xcaliper.proto.command import Request
    from xcaliper.xcp.dto_block import DtoBlock
    from xcaliper.xcp.events import Event
    from xcaliper.xcp.slave_config import SlaveConfig, SlaveMemory
    from xcaliper.xcp.slave_link import LinkReply
    from xcaliper.xcp.slave_sampler import ListSampler
    from xcaliper.xcp.slave_state import DaqList, Handler
    from xcaliper.xcp.slave_store import NonVolatile

__all__ = ["Area", "SlaveCounters", "SlaveEvent", "SlaveMachine"]

_CONNECT: Final = 0xFF
_SYNC_STATE_CHANGED: Final = 4
_SHORT_UPLOAD: Final = 0xF4
_UPLOAD: Final = 0xF5
_SHORT_SIZE: Final = 8
_UPLOAD_SIZE: Final = 2
_READS: Final = frozenset((bytes((_SHORT_UPLOAD,)), bytes((_UPLOAD,))))
_SYNCH: Final = 0xFC
_FIRST_COMMAND: Final = 0xC0
_RESERVED: Final = PID_SERV  # first bytes below it are those of samples
_MAX_ANSWERS: Final = 4096
_NO_LIMIT: Final = 1 << 62
_MAX_EVENTS: Final = 1024
_ERR_UNKNOWN: Final = bytes((PID_ERR, ErrorCode.ERR_CMD_UNKNOWN))
_ERR_SUBCMD: Final = bytes((PID_ERR, ErrorCode.ERR_SUBCMD_UNKNOWN))
_ERR_BUSY: Final = bytes((PID_ERR, ErrorCode.ERR_CMD_BUSY))
_ERR_SYNTAX: Final = bytes((PID_ERR, ErrorCode.ERR_CMD_SYNTAX))
_ERR_DENIED: Final = bytes((PID_ERR, ErrorCode.ERR_ACCESS_DENIED))
_BLOCK_COMMANDS: Final = frozenset({"DOWNLOAD_NEXT", "SYNCH"})


@dataclass(frozen=True, slots=True)
class SlaveEvent:
    """Something that the ECU around the slave may want to know.

    Attributes:
        t_ns: when.
        kind: ``connected``, ``disconnected``, ``user-mode``, ``daq-started``, ``daq-stopped`` or
            ``overload``; ``user-mode`` comes with every CONNECT that asks for the mode of the user.
    """

    t_ns: int
    kind: str


@dataclass(slots=True)
class SlaveCounters:
    """What passed through the slave since it was made.

    Attributes:
        commands: packets that were served or refused.
        refused: ERR answers, those to SYNCH left out.
        ignored: packets without any effect: before CONNECT, empty, STIM while no list takes it, or
            answers not drained.
        dtos: DAQ packets queued.
        lost_samples: samples of one list that were dropped because the queue was full.
    """

    commands: int = 0
    refused: int = 0
    ignored: int = 0
    dtos: int = 0
    lost_samples: int = 0


class Area(Protocol):
    """A part of the slave that has deadlines of its own."""

    def due(self) -> int | None:
        """When it wants to be called; None = never."""
        ...

    def on_time(self, now_ns: int) -> Sequence[Response | Event]:
        """What it has to send by now."""
        ...


@dataclass(frozen=True, slots=True)
class _Entry:
    info: CommandInfo
    codec: Codec
    handler: Handler


def _is_discovery(entry: _Entry | bytes) -> bool:
    """Whether a command is served outside of a session as well."""
    return isinstance(entry, _Entry) and entry.info.request in DISCOVERY


class _Budget:
    """What the link takes: a bucket that fills at a rate and holds a burst."""

    def __init__(self, config: SlaveConfig) -> None:
        assert config.link_bytes_per_s is not None, "no budget, no bucket"
        self._rate = config.link_bytes_per_s
        self._room = config.link_burst_bytes * 1_000_000_000
        self._left = self._room
        self._last_ns = 0

    def take(self, sampler: ListSampler, now_ns: int) -> bool:
        """Whether the DTOs of a sample find room now."""
        grown = self._left + max(now_ns - self._last_ns, 0) * self._rate
        self._left = min(grown, self._room)
        self._last_ns = now_ns
        cost = sampler.size_bytes * 1_000_000_000
        if cost > self._left:
            return False
        self._left -= cost
        return True


class SlaveMachine:
    """The slave role without I/O.

    Args:
        config: what the slave is and can.
        memory: what it reads and writes.
        table: commands; those without a handler are refused as unknown.
        handlers: request class → function.
        nonvolatile: what survives power-off; None = an empty one of its own.

    Attributes:
        state: the session, as handlers see it.
        counters: totals; read them, do not write.
        drops: asked with the number of a list before its sample is queued; True drops the sample, as
            if the queue were full. For tests.
    """

    def __init__(
        self,
        config: SlaveConfig,
        memory: SlaveMemory,
        table: CommandTable = COMMANDS,
        handlers: Mapping[type[Request[Any]], Handler] = HANDLERS,
        nonvolatile: NonVolatile | None = None,
    ) -> None:
        self.config = config
        self.state = SlaveState(config, memory, nonvolatile)
        self.counters = SlaveCounters()
        self._out: list[bytes | DtoBlock] = []
        self.drops: Callable[[int], bool] | None = None
        self._budget = _Budget(config) if config.link_bytes_per_s is not None else None
        self._queued_dtos = 0
        self._waiting = 0  # commands since answers were taken away
        self._most_waiting = config.queue_size_commands + 1 if config.interleaved else _NO_LIMIT
        self._queue_size = config.queue_size
        self._events: deque[SlaveEvent] = deque(maxlen=_MAX_EVENTS)
        self._event_counters = [0] * len(config.events)
        self._entries: list[_Entry | None] = [None] * 256
        self._families: dict[int, dict[bytes, _Entry]] = {}
        self._longest = 0
        self._encoders: dict[type[Response | Event], Codec] = {}
        self._backlog = config.queue_size + _MAX_ANSWERS
        self._short = struct.Struct(config.byte_order.mark + "BBxBI")
        self._max_short = self._max_upload = 0
        self._room = (config.max_cto // config.ag - 1) * config.ag
        self._answer_head = bytes((PID_RES,)).ljust(config.ag, b"\0")
        self._areas: tuple[Area, ...] = (
            self.state.store,
            self.state.program,
            self.state.writing,
        )
        self._enter(table, handlers)

    def _enter(self, table: CommandTable, handlers: Mapping[type[Request[Any]], Handler]) -> None:
        config = self.config
        for name in sorted(config.disabled):
            if name not in table or (table[name].group == Group.STD and table[name].mandatory):
                raise SettingsError("disabled", f"{name} is not an optional command")
        absent = config.absent_commands
        for info in table:
            handler = handlers.get(info.request)
            if handler is None or info.name in absent or info.group in config.absent_groups:
                continue
            entry = _Entry(info, codec_for(info.request, config.byte_order, config.ag), handler)
            if len(info.prefix) == 1:
                self._entries[info.code] = entry
            else:
                self._families.setdefault(info.code, {})[info.prefix] = entry
                self._longest = max(self._longest, len(info.prefix))
        if config.veto is not None:
            return  # which has to be asked: there is no short way
        short = self._entries[_SHORT_UPLOAD]
        if short is not None and short.handler is short_upload:
            self._max_short = self._room // config.ag
        long = self._entries[_UPLOAD]
        if long is not None and long.handler is upload:
            self._max_upload = 0xFF if config.slave_block_mode else self._room // config.ag

    # -- commands ---------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """True inside a session."""
        return self.state.connected

    @property
    def daq_running(self) -> bool:
        """True when any list runs."""
        return self.state.daq.running

    @property
    def stim_running(self) -> bool:
        """True when any list of direction STIM runs."""
        return bool(self.state.daq.stimulated)

    def receive(self, packet: bytes, now_ns: int) -> None:
        """Serve one packet of the master; silent before CONNECT."""
        state = self.state
        if state.session.asleep:
            self.counters.ignored += 1
            return
        if packet[:1] in _READS and self._short_way(packet):
            return
        if packet and packet[0] < _FIRST_COMMAND and state.stim.receive(packet):
            return
        if not packet or packet[0] < _FIRST_COMMAND or len(self._out) > self._backlog:
            self.counters.ignored += 1
            return
        entry = self._find(packet)
        if not state.connected and packet[0] != _CONNECT and not _is_discovery(entry):
            self.counters.ignored += 1
            return
        self.counters.commands += 1
        state.now_ns = now_ns
        due_ns = self.due()
        if due_ns is not None and due_ns <= now_ns:
            self._finish_due(now_ns)
        if not self._has_room(packet):
            self._out.append(_ERR_BUSY)
            self.counters.refused += 1
            return
        if isinstance(entry, bytes):
            self._refuse(entry)
        elif (refusal := self._gate(entry, packet)) is not None:
            self._refuse(refusal)
        else:
            self._serve(entry, packet)

    def _has_room(self, packet: bytes) -> bool:
        """Whether the queue of interleaved mode takes a command; SYNCH empties it.

        *(XCP Base, interleaved mode, 1.0)*
        """
        if packet[0] == _SYNCH:
            self._waiting = 0
        elif self.state.block is None:  # packets inside of a block do not wait
            self._waiting += 1
        return self._waiting <= self._most_waiting

    def _gate(self, entry: _Entry, packet: bytes) -> bytes | None:
        """The refusal of a command that may not run now, before its handler sees it."""
        if len(packet) > self.state.max_cto and not _is_discovery(entry):
            return _ERR_SYNTAX
        state = self.state
        refusal = (
            state.program.refuses(entry.info)
            or state.store.refuses(entry.info)
            or state.writing.refuses(entry.info, state.now_ns)
        )
        security = state.security
        if security.watchful:
            security.heed(entry.info.name)
        return refusal or security.refuses(entry.info, packet) or self._vetoed(entry.info.name)

    def _vetoed(self, name: str) -> bytes | None:
        veto = self.config.veto
        code = None if veto is None else veto(name)
        return None if code is None else bytes((PID_ERR, code))

    def _short_way(self, packet: bytes) -> bool:
        """Serve a plain UPLOAD or SHORT_UPLOAD without objects; False leaves it to the general way.

        Polling and the transfer of whole areas live on these commands, so they are worth a way of
        their own; it never answers anything that the handlers would not.
        """
        state = self.state
        if (
            self._waiting >= self._most_waiting
            or not state.connected
            or state.lingers
            or len(self._out) > self._backlog
        ):
            return False
        size = len(packet)
        text = None
        if size == _UPLOAD_SIZE and packet[0] == _UPLOAD:
            count, largest = packet[1], self._max_upload
            start, text = state.mta, state.text
        elif size == _SHORT_SIZE and packet[0] == _SHORT_UPLOAD:
            _, count, extension, value = self._short.unpack(packet)
            start, largest = Address(value, extension), self._max_short
        else:
            return False
        if start is None or not 0 < count <= largest:
            return False
        wanted = count * self.config.ag
        try:
            data = state.memory.read(start, wanted) if text is None else state.part(wanted)
        except (NegativeResponseError, UsageError):
            return False
        state.mta = start + count
        state.text = text
        self.counters.commands += 1
        self._waiting += 1
        room, head = self._room, self._answer_head
        if wanted <= room:
            self._out.append(head + data)
        else:
            self._out += [head + data[at : at + room] for at in range(0, wanted, room)]
        return True

    def _find(self, packet: bytes) -> _Entry | bytes:
        """The command with the longest code that fits, or the refusal.

        *(XCP Base, ERR_SUBCMD_UNKNOWN, 1.3)*
        """
        alone, family = self._entries[packet[0]], self._families.get(packet[0])
        if family is None:
            return alone or _ERR_UNKNOWN
        for length in range(min(self._longest, len(packet)), 1, -1):
            entry = family.get(bytes(packet[:length]))
            if entry is not None:
                return entry
        if alone is not None:
            return alone
        return _ERR_SYNTAX if len(packet) < 2 else _ERR_SUBCMD

    def _refuse(self, packet: bytes) -> None:
        self.counters.refused += 1
        self.state.block = None
        self._out.append(packet)

    def _serve(self, entry: _Entry, packet: bytes) -> None:
        state = self.state
        before = state.connected, state.daq.running
        if state.block is not None and entry.info.name not in _BLOCK_COMMANDS:
            state.block = None
        state.before(entry.info)
        try:
            request = entry.codec.decode(packet)
            served = entry.handler(state, request)
        except WireError:
            self._refuse(_ERR_SYNTAX)
        except NegativeResponseError as error:
            self._refuse(bytes((PID_ERR, error.code)) + error.info)
        except UsageError:
            self._refuse(_ERR_DENIED)  # a plain memory says so when there is none
        else:
            if entry.info.code == _CONNECT and before[1] and not state.daq.running:
                self._forget_samples()
            if isinstance(served, Response):
                self._out.append(self._encode(served, request))
            elif served is not None:
                self._out.extend(self._encode(one, request) for one in served)
            self._send_events()
        if before != (state.connected, state.daq.running):
            self._note(*before)
        if state.session.user_mode and entry.info.code == _CONNECT:
            self._events.append(SlaveEvent(state.now_ns, "user-mode"))

    def _forget_samples(self) -> None:
        """What lists of the session before have queued is not for the master of the new one."""
        self._out = [item for item in self._out if isinstance(item, bytes) and item[0] >= _RESERVED]
        self._queued_dtos = 0

    def _send_events(self) -> None:
        events = self.state.events
        while events:
            self._out.append(self._encode(events.pop(0)))

    def _encode(self, response: Response | Event, request: Request[Any] | None = None) -> bytes:
        cls = type(response)
        codec = self._encoders.get(cls)
        if codec is None:
            codec = codec_for(cls, self.config.byte_order, self.config.ag)
            self._encoders[cls] = codec
        return codec.encode(response, request)

    def _note(self, connected: bool, running: bool) -> None:  # noqa: FBT001 -- state before
        state = self.state
        if running and not state.daq.running:
            self._events.append(SlaveEvent(state.now_ns, "daq-stopped"))
        if connected != state.connected:
            kind = "connected" if state.connected else "disconnected"
            self._events.append(SlaveEvent(state.now_ns, kind))
        if not running and state.daq.running:
            self._events.append(SlaveEvent(state.now_ns, "daq-started"))

    # -- data acquisition -------------------------------------------------------------------------

    def event(self, channel: int, now_ns: int) -> None:
        """The application reached an event: write what has come for it, sample every running list of it.

        Lists go out in order of priority, each prescaled on its own; a list whose DTOs do not fit
        the queue any more loses the sample, which is counted and told as configured.

        Raises:
            UsageError: there is no such event channel.
        """
        if not 0 <= channel < len(self._event_counters):
            raise UsageError(f"event channel {channel}: the slave has {len(self._event_counters)}.")
        if self.state.session.asleep:
            return
        daq = self.state.daq
        if daq.stimulated:
            for told in self.state.stim.apply(channel, self._event_counters, now_ns):
                self._out.append(self._encode(told))
        counter = (self._event_counters[channel] + 1) & 0xFF
        self._event_counters[channel] = counter
        lists = daq.by_event.get(channel)
        if not lists:
            return
        ticks = self.state.clocks.daq_ticks(now_ns)
        for number, daq_list in lists:
            skipped = daq_list.skipped + 1
            if skipped < daq_list.period:
                daq_list.skipped = skipped
                continue
            daq_list.skipped = 0
            sampler = daq_list.sampler
            assert sampler is not None, "schedule() keeps running lists only"
            if daq_list.dto_ctr:
                counter = self._counter_of(channel)
            if isinstance(sampler, PackedSampler) and not sampler.collect(ticks):
                continue
            packets = sampler.packets
            if (
                self._queued_dtos + packets > self._queue_size
                or (self.drops is not None and self.drops(number))
                or (self._budget is not None and not self._budget.take(sampler, now_ns))
            ):
                self._lose(daq_list, now_ns)
                continue
            sampler.take(self._out, ticks, counter, lost=daq_list.lost)
            daq_list.lost = False
            self._queued_dtos += packets
            self.counters.dtos += packets

    def _counter_of(self, channel: int) -> int:
        """The counter that DTOs of a channel carry (XCP Base, DTO_CTR_PROPERTIES, 1.3)."""
        made = self.state.daq.counters.get(channel) or self.config.events[channel].counter
        related = made.related_event if made is not None else None
        source = channel if related is None else related
        if made is not None and made.daq_mode:
            return self.state.stim.counter_copy(source)
        return self._event_counters[source]

    def _lose(self, daq_list: DaqList, now_ns: int) -> None:
        """Count lost samples; tell once until the list gets through again.

        *(XCP Base, EV_DAQ_OVERLOAD, 1.0)*
        """
        sampler = daq_list.sampler
        assert sampler is not None, "only a running list loses samples"
        sampler.drop()
        self.counters.lost_samples += sampler.samples
        if daq_list.lost:
            return
        daq_list.lost = True
        self._events.append(SlaveEvent(now_ns, "overload"))
        if self.config.overload == 2:
            self.notify(EventCode.EV_DAQ_OVERLOAD)

    # -- what the application may send ------------------------------------------------------------

    def notify(self, code: int, info: bytes = b"") -> None:
        """Send an event packet, inside a session only (XCP Base, EV, 1.0)."""
        self._tell(PID_EV, code, info)

    def enter_state(self, number: int) -> None:
        """The ECU is in another state: GET_STATUS tells it, and EV_ECU_STATE_CHANGE once.

        *(XCP Base, EV_ECU_STATE_CHANGE and STATE_NUMBER, 1.3)*

        Args:
            number: of the state, as the A2L describes it; 0 to 255.

        Raises:
            UsageError: it is none.
        """
        if not 0 <= number <= 0xFF:
            raise UsageError(f"state of the ECU: {number} is not from 0 to 255.")
        if number != self.state.ecu_state:
            self.state.ecu_state = number
            self.notify(EventCode.EV_ECU_STATE_CHANGE, bytes((number,)))

    def time_sync(self, initiator: int, now_ns: int) -> None:
        """Something triggered the clocks to be read: send EV_TIME_SYNC if the master wants it.

        Args:
            initiator: 0 trigger line, 1 sync event, 4 sync state changed, 5 leap second, 6 reset of
                the ECU released *(XCP Base, EV_TIME_SYNC, 1.0; initiators 1.3)*.
            now_ns: when.
        """
        if not self.state.connected or len(self._out) > self._backlog:
            return
        self.state.now_ns = now_ns
        event = time_sync(self.state, initiator)
        if event is not None:
            self._out.append(self._encode(event))

    def request_service(self, code: int, info: bytes = b"") -> None:
        """Send a service request packet, inside a session only (XCP Base, SERV, 1.0)."""
        self._tell(PID_SERV, code, info)

    def say(self, text: str) -> None:
        """Send a text as SERV_TEXT packets, the last one ends with NUL (XCP Base, SERV_TEXT, 1.0)."""
        raw = text.encode("ascii", "replace").replace(b"\0", b"?") + b"\0"
        step = self.config.max_cto - 2
        for at in range(0, len(raw), step):
            self.request_service(ServiceCode.SERV_TEXT, raw[at : at + step])

    def _tell(self, pid: int, code: int, info: bytes) -> None:
        packet = bytes((pid, code)) + info
        if len(packet) > self.config.max_cto:
            raise UsageError(f"packet of {len(packet)} bytes: MAX_CTO is {self.config.max_cto}.")
        if self.state.connected and len(self._out) <= self._backlog:
            self._out.append(packet)

    def power_up(self, now_ns: int) -> None:
        """Restore what was stored; lists that RESUME starts run, and EV_RESUME_MODE goes out first.

        *(XCP Base, EV_RESUME_MODE, 1.0)*
        """
        before = self.state.connected, self.state.daq.running
        self.state.now_ns = now_ns
        event = power_up(self.state)
        if event is not None:
            self._out.append(self._encode(event))
        self._note(*before)

    @property
    def resumed(self) -> bool:
        """True while lists run that a power-up has started."""
        return self.state.store.resumed

    def terminate(self, now_ns: int) -> None:
        """End the session from the slave's side (XCP Base, EV_SESSION_TERMINATED, 1.0)."""
        if not self.state.connected:
            return
        self.notify(EventCode.EV_SESSION_TERMINATED)
        self.drop(now_ns)

    def sleep(self) -> None:
        """Fall asleep: tell the master, then serve and sample nothing (XCP Base, EV_SLEEP, 1.1)."""
        if not self.state.session.asleep:
            self.notify(EventCode.EV_SLEEP)
        self.state.session.asleep = True

    def wake(self) -> None:
        """Wake up: tell the master, go on where it stopped (XCP Base, EV_WAKE_UP, 1.1)."""
        if self.state.session.asleep:
            self.state.session.asleep = False
            self.notify(EventCode.EV_WAKE_UP)

    def drop(self, now_ns: int) -> None:
        """End the session without a word: the connection is gone."""
        before = self.state.connected, self.state.daq.running
        self.state.now_ns = now_ns
        self.state.session.asleep = False
        self.state.reset(connected=False)
        self._note(*before)

    # -- machine ----------------------------------------------------------------------------------

    def outgoing(self) -> list[bytes]:
        """Answers, events and DTOs in order; each is given out once."""
        found: list[bytes] = []
        for item in self.outgoing_blocks():
            if isinstance(item, bytes):
                found.append(item)
            else:
                found += item.packets()
        return found

    def outgoing_blocks(self) -> list[bytes | DtoBlock]:
        """The same for a transport that sends whole blocks of DTOs as they lie."""
        out, self._out = self._out, []
        self._queued_dtos = self._waiting = 0
        return out

    @property
    def alignment(self) -> int:
        """Bytes that the transport aligns messages to; lists that start from now on keep to it."""
        return self.state.alignment

    @alignment.setter
    def alignment(self, size_bytes: int) -> None:
        self.state.alignment = size_bytes

    def events(self) -> list[SlaveEvent]:
        """What happened, in order; each is given out once, the latest thousand are kept."""
        found = list(self._events)
        self._events.clear()
        return found

    def due(self) -> int | None:
        """When something that takes its time is done; None when nothing does."""
        times = [due for area in self._areas if (due := area.due()) is not None]
        return min(times, default=None)

    def _finish_due(self, now_ns: int) -> None:
        """Let every area go on with what is due, and send what it has to say."""
        state = self.state
        for area in self._areas:
            before = state.connected, state.daq.running
            state.now_ns = max(state.now_ns, now_ns)
            said = area.on_time(now_ns)
            if state.connected or before[0]:  # in a session, or at its end
                self._out.extend(map(self._encode, said))
            self._send_events()
            if before != (state.connected, state.daq.running):
                self._note(*before)

    def on_time(self, now_ns: int) -> None:
        """Go on with work that lasts, and tell when a clock begins to follow another."""
        self._finish_due(now_ns)
        if self.state.clocks.state_changed(now_ns):
            self.time_sync(_SYNC_STATE_CHANGED, now_ns)

    def replies(self) -> list[LinkReply]:
        """Answers for addresses that requests named (discovery); each is given out once."""
        found, self.state.link.replies = self.state.link.replies, []
        return found
