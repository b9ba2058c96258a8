"""A slave machine with quirks: packets are ignored, refused, changed or held around the plain one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.ticks import TickClock
from xcaliper.wire.layout import layout_of
from xcaliper.xcp import std
from xcaliper.xcp.codes import PID_ERR, PID_RES
from xcaliper.xcp.handlers import HANDLERS
from xcaliper.xcp.quirk_rules import REFUSALS, SEQUELS, Code
from xcaliper.xcp.quirks import Quirk
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xcaliper.proto.command import CommandTable, Request, Response
    from xcaliper.xcp.codes import ErrorCode
    from xcaliper.xcp.dto_block import DtoBlock
    from xcaliper.xcp.events import Event
    from xcaliper.xcp.slave_config import SlaveConfig, SlaveMemory
    from xcaliper.xcp.slave_state import DaqList, Handler

__all__ = [
    "BURST_NS",
    "LATE_STOP_NS",
    "QuirkySlave",
    "described_config",
    "make_slave",
    "quirky_config",
]

#: How long DTOs are held back.
BURST_NS: Final = 50_000_000
#: How long the answer to a stop is held back.
LATE_STOP_NS: Final = 250_000_000
#: DTOs of the last part of that time follow the answer.
_TAIL_NS: Final = 20_000_000
#: How long the answer to a start waits for the first DTO.
_EARLY_NS: Final = 100_000_000
_BURST_BYTES: Final = 1_400
_FRAME: Final = 8
_FILL: Final = 0xA5
_FRAME_FILLS: Final = (0x00, 0x55, 0xAA, None)  # None: what was there before
_STALE: Final = 0xF8
_TOP: Final = 256

_INFO: Final = frozenset({Code.GET_STATUS, 0xDA, 0xD9})


# -- settings -------------------------------------------------------------------------------------


def quirky_config(config: SlaveConfig) -> SlaveConfig:
    """The settings as its quirks want them; the same when it is done again."""
    changes: dict[str, Any] = {}
    disabled = set(config.disabled)
    for quirk, settings in _SETTINGS.items():
        if quirk in config.quirks:
            changes |= settings
    if Quirk.NANOSECOND_CLOCK in config.quirks:
        changes["timestamp"] = TickClock(1, 0, 4)
    if Quirk.UNKNOWN_CYCLES in config.quirks:
        changes["events"] = tuple(
            replace(event, time_cycle=0, time_unit=0) for event in config.events
        )
    if Quirk.UNKNOWN_INFO in config.quirks:
        disabled |= {"GET_DAQ_PROCESSOR_INFO", "GET_DAQ_RESOLUTION_INFO"}
    if Quirk.NO_EVENT_INFO in config.quirks:
        disabled.add("GET_DAQ_EVENT_INFO")
    if Quirk.PADDED_FRAMES in config.quirks:
        field = changes.get("identification_field", config.identification_field)
        stamp = changes.get("timestamp", config.timestamp).size_bytes
        fits = field + 1 + stamp + config.granularity_odt_entry <= _FRAME
        small = _FRAME if fits else 2 * _FRAME
        changes |= {"max_cto": _FRAME, "max_dto": small, "max_odt_entry_size": _FRAME - 4}
    return replace(config, disabled=frozenset(disabled), **changes)


_SETTINGS: Final[dict[Quirk, dict[str, Any]]] = {
    Quirk.CONTRADICTING_A2L: {"identification_field": 3, "overload": 0, "pid_off": False},
    Quirk.COUNTED_LISTS: {"dynamic": True, "max_daq_is_limit": False},
    Quirk.STRICT_LIST_MODE: {"timestamp_fixed": True, "prescaler": False, "alternating": None},
    Quirk.MIXED_EXTENSIONS: {"address_extension": 0},
    Quirk.EVENT_IN_ADDRESS: {"address_extension": 0},
    Quirk.EMPTY_IDS: {"id_in_packet_limit": 0},
}


def described_config(config: SlaveConfig) -> SlaveConfig:
    """What the A2L says about the slave, which is not always true."""
    if Quirk.CONTRADICTING_A2L in config.quirks:
        return replace(config, identification_field=1, overload=1)
    return config


def make_slave(
    config: SlaveConfig,
    memory: SlaveMemory,
    table: CommandTable = COMMANDS,
    handlers: Mapping[type[Request[Any]], Handler] = HANDLERS,
) -> SlaveMachine:
    """The slave machine for some settings: the plain one, or one with their quirks."""
    kind = QuirkySlave if config.quirks else SlaveMachine
    return kind(config, memory, table, handlers)


# -- the slave ------------------------------------------------------------------------------------


class QuirkySlave(SlaveMachine):
    """The slave role with the quirks of its settings.

    Args:
        config: what the slave is and can; its quirks may change it.
        memory: what it reads and writes.
        table: commands.
        handlers: request class → function.

    Attributes:
        now_ns: latest time that anybody told.
        page_chosen: True once SET_CAL_PAGE has chosen a page for XCP in this session.
        busy_until_ns: until when commands are answered by ERR_CMD_BUSY.
    """

    def __init__(
        self,
        config: SlaveConfig,
        memory: SlaveMemory,
        table: CommandTable = COMMANDS,
        handlers: Mapping[type[Request[Any]], Handler] = HANDLERS,
    ) -> None:
        super().__init__(quirky_config(config), memory, table, handlers)
        self._has = self.config.quirks.__contains__
        self._refusals = [check for quirk, check in REFUSALS.items() if self._has(quirk)]
        self._sequels = [sequel for quirk, sequel in SEQUELS.items() if self._has(quirk)]
        self.now_ns = 0
        self._connects = 0
        self.page_chosen = False
        self.busy_until_ns = 0
        self._parked: tuple[int, bytes] | None = None  # a stop: when it is served
        self._late_answer: tuple[int, bytes | DtoBlock] | None = (
            None  # of a start: when it goes at the latest
        )
        self._held: list[DtoBlock] = []
        self._held_since_ns = 0
        self._release = False
        self._lost_messages = 0
        self._remains = bytearray([_STALE]) * _TOP
        self._frames = 0

    # -- commands ---------------------------------------------------------------------------------

    def receive(self, packet: bytes, now_ns: int) -> None:
        """Serve one command, or do with it what the quirks want."""
        self.now_ns = max(now_ns, self.now_ns)
        self._serve_parked()
        if packet and self._ignores(packet):
            self.counters.ignored += 1
            return
        if packet and self.state.connected:
            code = self._refusal(packet)
            if code is not None:
                self.counters.commands += 1
                self._refuse(bytes((PID_ERR, code)))
                return
            if self._has(Quirk.LATE_STOP) and self._stops(packet):
                self._parked = (self.now_ns + LATE_STOP_NS, packet)
                return
        self._serve_changed(packet)

    def _ignores(self, packet: bytes) -> bool:
        code = packet[0]
        if code == Code.CONNECT:
            if self._has(Quirk.BARE_CONNECT) and len(packet) != 2:
                return True
            self._connects += 1
            return self._has(Quirk.SECOND_CONNECT) and self._connects == 1
        return (code == Code.PRIVATE and self._has(Quirk.PRIVATE_COMMANDS)) or (
            code in _INFO and self._has(Quirk.SILENT_INFO)
        )

    def _refusal(self, packet: bytes) -> ErrorCode | None:
        for check in self._refusals:
            code = check(self, packet)
            if code is not None:
                return code
        return None

    def _stops(self, packet: bytes) -> bool:
        """True for a START_STOP_SYNCH that stops lists which run."""
        stops = packet[0] == Code.START_STOP_SYNCH and packet[1:2] in (b"\0", b"\2")
        return stops and self.state.daq.running

    def _serve_changed(self, packet: bytes) -> None:
        first = len(self._out)
        super().receive(self._changed(packet), self.now_ns)
        answer = self._out[first] if len(self._out) > first else None
        if not packet or not isinstance(answer, bytes):
            return
        for sequel in self._sequels:
            answer = sequel(self, packet, answer)
        self._out[first] = answer
        if packet[0] == Code.CONNECT and self._has(Quirk.DOUBLE_CONNECT):
            self._out.append(answer)
        starts = packet[:2] == bytes((Code.START_STOP_SYNCH, 1)) and answer[0] == PID_RES
        if starts and self._has(Quirk.EARLY_DTOS):
            self._late_answer = (self.now_ns + _EARLY_NS, self._out.pop(first))

    def _changed(self, packet: bytes) -> bytes:
        """The packet as the slave understands it."""
        if len(packet) == 8 and packet[0] == Code.SET_DAQ_LIST_MODE:
            changed = bytearray(packet)
            if self._has(Quirk.STIM_IGNORED):
                changed[1] &= 0xFD
            if self._has(Quirk.NO_EVENT_INFO):
                high = 5 if self.config.byte_order.value == "little" else 4
                changed[high] = 0
            return bytes(changed)
        if packet[:1] == bytes((Code.CLOCK_PROPERTIES,)) and self._has(
            Quirk.EXTENDED_CLOCK_CLAIMED
        ):
            return packet[:1] + b"\0" + packet[2:]
        return packet

    def _serve_parked(self) -> None:
        """Serve the stop that waits; DTOs that wait, too, go out behind its answer."""
        if self._parked is None:
            return
        packet, self._parked = self._parked[1], None
        waiting, self._out = self._out, []
        self._serve_changed(packet)
        self._out += [*self._held, *waiting]
        self._held.clear()
        self._release = True

    # -- answers ----------------------------------------------------------------------------------

    def _encode(self, response: Response | Event) -> bytes:
        packet = super()._encode(response)
        if not self._has(Quirk.STALE_RESERVED):
            return packet
        kept = bytearray(packet)
        for at in _reserved(type(response), len(packet)):
            kept[at] = self._remains[at]
        self._remains[: len(kept)] = kept
        return bytes(kept)

    def _filled(self, packet: bytes, *, is_dto: bool) -> bytes:
        """A packet with what the quirks put behind it."""
        size = len(packet)
        if self._has(Quirk.PADDED_FRAMES) and size < _FRAME:
            self._frames += 1
            fill = _FRAME_FILLS[self._frames % len(_FRAME_FILLS)]
            rest = self._remains[size:_FRAME] if fill is None else bytes([fill]) * (_FRAME - size)
            return packet + bytes(rest)
        if self._has(Quirk.FILLED_DTOS if is_dto else Quirk.PADDED_ANSWERS):
            most = self.config.max_dto if is_dto else self.config.max_cto
            return packet + bytes([_FILL]) * min(-size % 4, most - size)
        return packet

    # -- data acquisition -------------------------------------------------------------------------

    def event(self, channel: int, now_ns: int) -> None:
        """The application reached an event; lists with a priority let nothing wait."""
        self.now_ns = max(now_ns, self.now_ns)
        super().event(channel, now_ns)
        if self._has(Quirk.BURSTS):
            lists = self.state.daq.by_event.get(channel, ())
            self._release = self._release or any(one.priority for _, one in lists)

    def _lose(self, daq_list: DaqList, now_ns: int) -> None:
        super()._lose(daq_list, now_ns)
        if self._has(Quirk.COUNTED_LOSSES):
            assert daq_list.sampler is not None, "only a running list loses samples"
            self._lost_messages += daq_list.sampler.packets

    def take_lost_messages(self) -> int:
        """Messages since the last call that shall use up transport counters without being sent."""
        lost, self._lost_messages = self._lost_messages, 0
        return lost

    # -- machine ----------------------------------------------------------------------------------

    def outgoing_blocks(self) -> list[bytes | DtoBlock]:
        """Answers, events and DTOs, as late and in the order that the quirks want."""
        items = self._paced(super().outgoing_blocks())
        if self._late_answer is not None:
            at_ns, answer = self._late_answer
            if at_ns <= self.now_ns or any(not isinstance(one, bytes) for one in items):
                items.append(answer)
                self._late_answer = None
        out: list[bytes | DtoBlock] = []
        changes = self._has(Quirk.PADDED_FRAMES) or self._has(Quirk.FILLED_DTOS)
        for item in items:
            if isinstance(item, bytes):
                out.append(self._filled(item, is_dto=False))
            elif changes:
                out += [self._filled(packet, is_dto=True) for packet in item.packets()]
            else:
                out.append(item)
        return out

    def _paced(self, items: list[bytes | DtoBlock]) -> list[bytes | DtoBlock]:
        """Answers now; DTOs when a burst is complete, the last ones behind the answer to a stop."""
        tail = self._parked is not None and self.now_ns >= self._parked[0] - _TAIL_NS
        if not (tail or self._has(Quirk.BURSTS)):
            return items
        if not tail and (self._release or not self.state.daq.running):
            self._release = False
            held, self._held = self._held, []
            return [*held, *items]
        answers = [one for one in items if isinstance(one, bytes)]
        fresh = [one for one in items if not isinstance(one, bytes)]
        if fresh and not self._held:
            self._held_since_ns = self.now_ns
        self._held += fresh
        size = sum(one.count * one.layout.stride for one in self._held)
        late = self.now_ns - self._held_since_ns >= BURST_NS or size >= _BURST_BYTES
        if late and not tail:
            held, self._held = self._held, []
            return [*answers, *held]
        self._queued_dtos = sum(map(len, self._held))
        return list(answers)

    def due(self) -> int | None:
        """When something that is held back has to go."""
        times = [super().due()]
        times += [one[0] for one in (self._parked, self._late_answer) if one is not None]
        if self._held:
            times.append(self._held_since_ns + BURST_NS)
        return min((one for one in times if one is not None), default=None)

    def on_time(self, now_ns: int) -> None:
        """Serve what was parked until now."""
        self.now_ns = max(now_ns, self.now_ns)
        super().on_time(now_ns)
        if self._parked is not None and self._parked[0] <= now_ns:
            self._serve_parked()

    def drop(self, now_ns: int) -> None:
        """End the session without a word; nothing of it comes later."""
        self._parked = self._late_answer = None
        self._held.clear()
        super().drop(now_ns)


def _reserved(cls: type[Any], size: int) -> list[int]:
    """Positions of a packet that no field of its layout covers."""
    covered = set(range(2 if cls.__name__.startswith("Ev") else 1))
    end = 0
    for _, term in layout_of(cls).terms:
        start = term.offset if term.offset >= 0 else end
        end = start + term.size_bytes if term.size_bytes else size
        covered.update(range(start, end))
    if cls is std.GetStatusResponse:
        covered.discard(3)  # reserved before the state number came *(1.3)*
    return [at for at in range(size) if at not in covered]
