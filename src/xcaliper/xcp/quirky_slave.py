"""A slave machine with quirks: packets are ignored, refused, changed or held around the plain one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import WireError
from xcaliper.core.ticks import TickClock
from xcaliper.wire.codec import codec_for
from xcaliper.wire.layout import layout_of
from xcaliper.xcp import daq, pag, std
from xcaliper.xcp.codes import PID_ERR, PID_RES, ErrorCode
from xcaliper.xcp.handlers import HANDLERS
from xcaliper.xcp.quirks import Quirk
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from xcaliper.core.address import Address
    from xcaliper.proto.command import CommandTable, Request, Response
    from xcaliper.xcp.dto_block import DtoBlock
    from xcaliper.xcp.events import Event
    from xcaliper.xcp.slave_config import SegmentConfig, SlaveConfig, SlaveMemory
    from xcaliper.xcp.slave_state import DaqList, Handler

__all__ = [
    "BURST_NS",
    "BUSY_NS",
    "DYNAMIC_EXTENSION",
    "LATE_STOP_NS",
    "QuirkySlave",
    "described_config",
    "make_slave",
    "quirky_config",
]

#: Address extension of measurements whose address holds the event.
DYNAMIC_EXTENSION: Final = 2
#: How long DTOs are held back.
BURST_NS: Final = 50_000_000
#: How long the answer to a stop is held back.
LATE_STOP_NS: Final = 250_000_000
#: How long a write keeps the slave busy.
BUSY_NS: Final = 1_500_000_000
#: How long the answer to a start waits for the first DTO.
_EARLY_NS: Final = 100_000_000
_BURST_BYTES: Final = 1_400
_FRAME: Final = 8
_FILL: Final = 0xA5
_FRAME_FILLS: Final = (0x00, 0x55, 0xAA, None)  # None: what was there before
_STALE: Final = 0xF8
_TOP: Final = 256

_CONNECT, _SYNCH, _GET_STATUS, _GET_ID = 0xFF, 0xFC, 0xFD, 0xFA
_SET_CAL_PAGE, _GET_SEGMENT_INFO, _GET_PAGE_INFO, _COPY_CAL_PAGE = 0xEB, 0xE8, 0xE7, 0xE4
_WRITE_DAQ, _WRITE_DAQ_MULTIPLE, _SET_DAQ_LIST_MODE = 0xE1, 0xC7, 0xE0
_START_STOP_DAQ_LIST, _START_STOP_SYNCH, _ALLOC_ODT_ENTRY = 0xDE, 0xDD, 0xD3
_CLOCK_PROPERTIES, _PRIVATE = 0xC6, 0xC1
_WRITES: Final = frozenset({0xF0, 0xEF, 0xEE, 0xED, 0xEC})
_PAGING: Final = frozenset(range(0xE4, 0xEC))
_INFO: Final = frozenset({_GET_STATUS, 0xDA, 0xD9})
_EMPTY_IDS: Final = frozenset({3, 4})
_NO_DIRECTION: Final = 0xFD
_UNWANTED_MODES: Final = 0x23  # alternating, direction STIM, PID_OFF
_EXTENDED: Final = 2
_UNKNOWN: Final = bytes((PID_ERR, ErrorCode.ERR_CMD_UNKNOWN))
_SUBCMD: Final = bytes((PID_ERR, ErrorCode.ERR_SUBCMD_UNKNOWN))
_DENIED: Final = bytes((PID_ERR, ErrorCode.ERR_ACCESS_DENIED))
_NO_PAGE: Final = frozenset({ErrorCode.ERR_PAGE_NOT_VALID, ErrorCode.ERR_SEGMENT_NOT_VALID})


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
        small = _FRAME if field < 2 else 2 * _FRAME
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
        self._refusals = [check for quirk, check in _REFUSALS.items() if self._has(quirk)]
        self._sequels = [sequel for quirk, sequel in _SEQUELS.items() if self._has(quirk)]
        self._now_ns = 0
        self._connects = 0
        self._page_chosen = False
        self._busy_until_ns = 0
        self._parked: tuple[int, bytes] | None = None  # a stop: when it is served
        self._late_answer: tuple[int, bytes] | None = None  # of a start: when it goes at the latest
        self._held: list[DtoBlock] = []
        self._held_since_ns = 0
        self._release = False
        self._lost_messages = 0
        self._remains = bytearray([_STALE]) * _TOP
        self._frames = 0

    # -- commands ---------------------------------------------------------------------------------

    def receive(self, packet: bytes, now_ns: int) -> None:
        """Serve one command, or do with it what the quirks want."""
        self._now_ns = max(now_ns, self._now_ns)
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
                self._parked = (self._now_ns + LATE_STOP_NS, packet)
                return
        self._serve_changed(packet)

    def _ignores(self, packet: bytes) -> bool:
        code = packet[0]
        if code == _CONNECT:
            if self._has(Quirk.BARE_CONNECT) and len(packet) != 2:
                return True
            self._connects += 1
            return self._has(Quirk.SECOND_CONNECT) and self._connects == 1
        return (code == _PRIVATE and self._has(Quirk.PRIVATE_COMMANDS)) or (
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
        return packet[:1] == bytes((_START_STOP_SYNCH,)) and packet[1:2] in (b"\0", b"\2") and (
            self.state.daq.running
        )  # fmt: skip

    def _serve_changed(self, packet: bytes) -> None:
        first = len(self._out)
        super().receive(self._changed(packet), self._now_ns)
        if packet and len(self._out) > first:
            for sequel in self._sequels:
                sequel(self, packet, first)

    def _changed(self, packet: bytes) -> bytes:
        """The packet as the slave understands it."""
        if len(packet) == 8 and packet[0] == _SET_DAQ_LIST_MODE:
            changed = bytearray(packet)
            if self._has(Quirk.STIM_IGNORED):
                changed[1] &= _NO_DIRECTION
            if self._has(Quirk.NO_EVENT_INFO):
                high = 5 if self.config.byte_order.value == "little" else 4
                changed[high] = 0
            return bytes(changed)
        if packet[:1] == bytes((_CLOCK_PROPERTIES,)) and self._has(Quirk.EXTENDED_CLOCK_CLAIMED):
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

    # -- what refusals look at --------------------------------------------------------------------

    def entries_of(self, packet: bytes) -> list[tuple[Address, int]]:
        """Address and size in AG of the entries that a packet writes; none for other packets."""
        kinds: dict[int, type[Any]] = {
            _WRITE_DAQ: daq.WriteDaq,
            _WRITE_DAQ_MULTIPLE: daq.WriteDaqMultiple,
        }
        kind = kinds.get(packet[0])
        if kind is None:
            return []
        try:
            request = codec_for(kind, self.config.byte_order, self.config.ag).decode(packet)
        except WireError:
            return []  # the plain slave says what is wrong
        elements = request.elements if kind is daq.WriteDaqMultiple else (request,)
        return [(_address_of(one), one.size) for one in elements]

    def segment_at(self, address: Address) -> SegmentConfig | None:
        """The calibration segment at an address."""
        for one in self.config.segments:
            start, size = one.address, one.size_bytes // self.config.ag
            inside = start.value <= address.value < start.value + size
            if inside and start.extension == address.extension:
                return one
        return None

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
        self._now_ns = max(now_ns, self._now_ns)
        super().event(channel, now_ns)
        if self._has(Quirk.BURSTS):
            lists = self.state.daq.by_event.get(channel, ())
            self._release = self._release or any(one.priority for _, one in lists)

    def _lose(self, daq_list: DaqList, now_ns: int) -> None:
        super()._lose(daq_list, now_ns)
        if self._has(Quirk.COUNTED_LOSSES) and daq_list.sampler is not None:
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
            if at_ns <= self._now_ns or any(not isinstance(one, bytes) for one in items):
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
        """Answers now; DTOs when a burst is complete."""
        if not self._has(Quirk.BURSTS):
            return items
        answers = [one for one in items if isinstance(one, bytes)]
        fresh = [one for one in items if not isinstance(one, bytes)]
        if self._release or not self.state.daq.running:
            self._release = False
            held, self._held = self._held, []
            return [*held, *items]
        if fresh and not self._held:
            self._held_since_ns = self._now_ns
        self._held += fresh
        size = sum(one.count * one.layout.stride for one in self._held)
        if self._now_ns - self._held_since_ns >= BURST_NS or size >= _BURST_BYTES:
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
        self._now_ns = max(now_ns, self._now_ns)
        super().on_time(now_ns)
        if self._parked is not None and self._parked[0] <= now_ns:
            self._serve_parked()

    def drop(self, now_ns: int) -> None:
        """End the session without a word; nothing of it comes later."""
        self._parked = self._late_answer = None
        self._held.clear()
        super().drop(now_ns)


def _address_of(entry: daq.WriteDaq | daq.DaqElement) -> Address:
    from xcaliper.core.address import Address

    return Address(entry.address, entry.address_extension)


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


# -- refusals: packet → error, None to serve it ---------------------------------------------------


def _empty_stop(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    stops = packet[:2] == bytes((_START_STOP_SYNCH, 0))
    return ErrorCode.ERR_DAQ_CONFIG if stops and not slave.state.daq.lists else None


def _single_start(_slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    starts = packet[:2] == bytes((_START_STOP_DAQ_LIST, 1))
    return ErrorCode.ERR_MODE_NOT_VALID if starts else None


def _second_start(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    starts = packet[0] in (_START_STOP_SYNCH, _START_STOP_DAQ_LIST) and packet[1:2] == b"\1"
    return ErrorCode.ERR_DAQ_ACTIVE if starts and slave.state.daq.running else None


def _strict_mode(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    if packet[0] != _SET_DAQ_LIST_MODE or len(packet) < 2:
        return None
    unwanted = _UNWANTED_MODES
    if Quirk.STIM_IGNORED in slave.config.quirks:
        unwanted &= _NO_DIRECTION
    return ErrorCode.ERR_OUT_OF_RANGE if packet[1] & unwanted else None


def _event_in_address(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    """Entries of one list, and the event of its mode, must name the same event."""
    lists = slave.state.daq.lists
    if packet[0] == _SET_DAQ_LIST_MODE and len(packet) == 8:
        request = codec_for(daq.SetDaqListMode, slave.config.byte_order).decode(packet)
        if request.daq_list >= len(lists):
            return None
        wanted = {request.event_channel}
        written = lists[request.daq_list]
    else:
        pointer = slave.state.daq.pointer
        wanted = {
            address.value >> 16
            for address, _ in slave.entries_of(packet)
            if address.extension == DYNAMIC_EXTENSION
        }
        if pointer is None or not wanted:
            return None
        written = lists[pointer[0]]
    wanted |= {
        entry.address.value >> 16
        for odt in written.odts
        for entry in odt
        if entry is not None and entry.address.extension == DYNAMIC_EXTENSION
    }
    return ErrorCode.ERR_OUT_OF_RANGE if len(wanted) > 1 else None


def _parameter_entry(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    entries = slave.entries_of(packet)
    denied = any(slave.segment_at(address) is not None for address, _ in entries)
    return ErrorCode.ERR_ACCESS_DENIED if denied else None


def _unknown_id(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    if packet[0] != _GET_ID or len(packet) < 2:
        return None
    known = packet[1] in _EMPTY_IDS or packet[1] in slave.config.ids
    return None if known else ErrorCode.ERR_OUT_OF_RANGE


def _copy_of_page_1(_slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    other = packet[0] == _COPY_CAL_PAGE and packet[2:5:2] != b"\1\0"
    return ErrorCode.ERR_ACCESS_DENIED if other else None


def _no_status(_slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    return ErrorCode.ERR_CMD_UNKNOWN if packet[0] == _GET_STATUS else None


def _no_page_chosen(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    early = packet[0] in _WRITES and not slave._page_chosen  # noqa: SLF001 -- the same module
    return ErrorCode.ERR_WRITE_PROTECTED if early else None


def _entries_too_early(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    lists = slave.state.daq.lists[slave.state.daq.first_dynamic :]
    early = packet[0] == _ALLOC_ODT_ENTRY and any(not one.odts for one in lists)
    return ErrorCode.ERR_SEQUENCE if early else None


def _busy(slave: QuirkySlave, packet: bytes) -> ErrorCode | None:
    if packet[0] in (_CONNECT, _SYNCH):
        return None
    busy = slave._now_ns < slave._busy_until_ns  # noqa: SLF001 -- the same module
    return ErrorCode.ERR_CMD_BUSY if busy else None


_REFUSALS: Final[dict[Quirk, Callable[[QuirkySlave, bytes], ErrorCode | None]]] = {
    Quirk.BUSY_AFTER_WRITE: _busy,  # a busy slave does not look at the rest
    Quirk.EMPTY_STOP_REFUSED: _empty_stop,
    Quirk.SYNCHRONOUS_START_ONLY: _single_start,
    Quirk.ONE_SET_AT_A_TIME: _second_start,
    Quirk.STRICT_LIST_MODE: _strict_mode,
    Quirk.EVENT_IN_ADDRESS: _event_in_address,
    Quirk.PARAMETERS_NOT_MEASURED: _parameter_entry,
    Quirk.EMPTY_IDS: _unknown_id,
    Quirk.DENIED_PAGES: _copy_of_page_1,
    Quirk.UNKNOWN_INFO: _no_status,
    Quirk.PAGE_BEFORE_WRITE: _no_page_chosen,
    Quirk.ODTS_BEFORE_ENTRIES: _entries_too_early,
}


# -- sequels: what follows an answer, which is at a position of the queue -------------------------


def _private(slave: QuirkySlave, _packet: bytes, first: int) -> None:
    if slave._out[first] == _SUBCMD:  # noqa: SLF001 -- the same module
        slave._out[first] = _UNKNOWN  # noqa: SLF001 -- the same module


def _init_segment(slave: QuirkySlave, packet: bytes, first: int) -> None:
    answer = slave._out[first]  # noqa: SLF001 -- the same module
    if packet[0] == _GET_PAGE_INFO and isinstance(answer, bytes) and answer[0] == PID_RES:
        slave._out[first] = answer[:2] + b"\1" + answer[3:]  # noqa: SLF001 -- the same module


def _denied_page(slave: QuirkySlave, packet: bytes, first: int) -> None:
    answer = slave._out[first]  # noqa: SLF001 -- the same module
    if packet[0] not in _PAGING or not isinstance(answer, bytes):
        return
    if answer[0] == PID_ERR and answer[1] in _NO_PAGE:
        slave._out[first] = _DENIED  # noqa: SLF001 -- the same module
    elif packet[0] == _COPY_CAL_PAGE and answer[0] == PID_RES:
        for segment in slave.config.segments:
            if len(segment.pages) > 1:
                slave.state.memory.copy_page((segment.number, 1), (segment.number, 0))


def _segment_name(slave: QuirkySlave, packet: bytes, first: int) -> None:
    asks = packet[:2] == bytes((_GET_SEGMENT_INFO, 0)) and packet[3:4] == b"\2"
    if asks and packet[2] < len(slave.config.segments):
        name = slave.config.segments[packet[2]].name.encode("ascii", "replace")
        slave.state.point_text(name)
        answer = pag.SegmentValueInfo(value=len(name))
        slave._out[first] = slave._encode(answer)  # noqa: SLF001 -- the same module


def _claimed_clock(slave: QuirkySlave, packet: bytes, first: int) -> None:
    answer = slave._out[first]  # noqa: SLF001 -- the same module
    if packet[0] == _CLOCK_PROPERTIES and isinstance(answer, bytes) and answer[0] == PID_RES:
        claimed = bytes((answer[1] & 0xFC | _EXTENDED,))
        slave._out[first] = answer[:1] + claimed + answer[2:]  # noqa: SLF001 -- the same module


def _chosen_page(slave: QuirkySlave, packet: bytes, first: int) -> None:
    taken = slave._out[first][:1] == bytes((PID_RES,))  # type: ignore[index] # noqa: SLF001
    if packet[0] == _CONNECT:
        slave._page_chosen = False  # noqa: SLF001 -- the same module
    elif packet[0] == _SET_CAL_PAGE and taken and packet[1] & 2:
        slave._page_chosen = True  # noqa: SLF001 -- the same module
