"""ObserverMachine: pairs both directions of a capture, no I/O, tolerant of what it did not see."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import WireError
from xcaliper.wire.codec import codec_for
from xcaliper.wire.describe import describe_packet
from xcaliper.xcp import cal, daq, pgm, std
from xcaliper.xcp.codes import PID_ERR, PID_EV, PID_RES, PID_SERV, DaqListModeRequest, ErrorCode
from xcaliper.xcp.dto import Dto, decode_dto
from xcaliper.xcp.events import decode_event, decode_service
from xcaliper.xcp.profile import DtoFormat, Profile
from xcaliper.xcp.refusals import decode_refusal
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from xcaliper.proto.command import CommandInfo, CommandTable, Request
    from xcaliper.wire.layout import Packet

__all__ = ["ObserverMachine", "TraceRow"]

_MAX_ROWS: Final = 65_536
_MAX_OUTSTANDING: Final = 256
_FIRST_COMMAND: Final = 0xC0
_SYNCH_ERRORS: Final = (ErrorCode.ERR_CMD_SYNCH, ErrorCode.ERR_CMD_UNKNOWN)
_FIRST_BLOCK: Final = (cal.Download, pgm.Program)
_NEXT_BLOCK: Final = (cal.DownloadNext, pgm.ProgramNext)


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One packet of a session, decoded and paired.

    Attributes:
        t_ns: time of the packet; of the finding for rows without one.
        from_master: direction.
        kind: CMD, RES, ERR, EV, SERV, DAQ or STIM; empty for a finding without packet.
        name: standard name of the command (also for its answer) or event, ``DAQ`` or ``STIM``.
        packet: the bytes.
        decoded: the packet object, None where no layout fits.
        latency_ns: time since the command, for answers.
        error: standard name of the error code, or what was wrong with the packet.
    """

    t_ns: int
    from_master: bool
    kind: str
    name: str
    packet: bytes
    decoded: Packet | Dto | None = None
    latency_ns: int | None = None
    error: str = ""

    @property
    def text(self) -> str:
        """The row without its time as one line."""
        if self.decoded is None:
            shown = f"{self.name} {self.packet.hex(' ')}".rstrip()
        elif isinstance(self.decoded, Dto):
            dto = self.decoded
            parts = (
                ("odt", dto.odt),
                ("daq_list", dto.daq_list),
                ("counter", dto.counter),
                ("timestamp", dto.timestamp),
            )
            known = [f"{name}={value}" for name, value in parts if value is not None]
            shown = " ".join([self.name, *known, dto.data.hex(" ")]).rstrip()
        else:
            shown = describe_packet(self.decoded, self.name)
        kind = "" if self.kind == self.name else self.kind
        return " ".join(part for part in (kind, shown, self.error) if part)


@dataclass(slots=True)
class _Open:
    """A command that waits for its answer.

    Attributes:
        left: bytes that a block upload still has to bring; negative = answered by one packet.
        in_block: True while more packets of a master block are to come.
    """

    info: CommandInfo | None
    request: Request[Any] | None
    name: str
    t_ns: int
    left: int = -1
    in_block: bool = False


class ObserverMachine:
    """Follows a session from outside.

    It learns byte order, granularity and packet sizes from the CONNECT response, and the DTO header
    from DAQ information; when it joins a running session, it goes by what it is told.

    Args:
        table: commands, those of the transport and own ones included.
        profile: how the two sides talk, until a CONNECT tells better.
        dto: header of DTOs; None = learned.
        outstanding: commands that may wait at once; more than 1 in interleaved mode.

    Attributes:
        profile: how the two sides talk.
        dropped: rows that were lost because nobody took them.
    """

    def __init__(
        self,
        table: CommandTable = COMMANDS,
        profile: Profile | None = None,
        *,
        dto: DtoFormat | None = None,
        outstanding: int = 1,
    ) -> None:
        self.table = table
        self.profile = profile or Profile()
        self.dropped = 0
        self._outstanding = max(1, min(outstanding, _MAX_OUTSTANDING))
        self._rows: deque[TraceRow] = deque()
        self._open: deque[_Open] = deque()
        self._abandoned: _Open | None = None
        self._daq = _DaqKnowledge(dto)

    def rows(self) -> list[TraceRow]:
        """Rows since the last call, in order."""
        found = list(self._rows)
        self._rows.clear()
        return found

    def receive(self, packet: bytes, now_ns: int, *, from_master: bool) -> None:
        """Feed one packet of either direction, in order of time."""
        if not packet:
            self._emit(TraceRow(now_ns, from_master, "", "packet", b"", error="empty"))
        elif from_master:
            self._from_master(packet, now_ns)
        else:
            self._from_slave(packet, now_ns)

    def _emit(self, row: TraceRow) -> None:
        if len(self._rows) >= _MAX_ROWS:
            self._rows.popleft()
            self.dropped += 1
        self._rows.append(row)

    # --- master → slave --------------------------------------------------------------------------

    def _from_master(self, packet: bytes, t_ns: int) -> None:
        if packet[0] < _FIRST_COMMAND:
            self._emit(self._dto_row(packet, t_ns, from_master=True))
            return
        info = self.table.find(packet)
        name = info.name if info else f"CMD_{packet[0]:02X}"
        request: Request[Any] | None = None
        error = "" if info else "unknown command"
        if info:
            try:
                codec = codec_for(info.request, self.profile.byte_order, self.profile.ag)
                request = codec.decode(packet)
            except WireError as wrong:
                error = str(wrong)
        self._emit(TraceRow(t_ns, True, "CMD", name, packet, request, None, error))
        if info is None or info.answered:
            self._note(_Open(info, request, name, t_ns))

    def _note(self, new: _Open) -> None:
        """Remember what waits for an answer."""
        request = new.request
        if isinstance(request, (std.Connect, std.Synch)):
            self._abandon(new.t_ns, keep=0)
        elif isinstance(request, (*_FIRST_BLOCK, *_NEXT_BLOCK)):
            if self._open and self._open[-1].in_block and isinstance(request, _NEXT_BLOCK):
                self._open.pop()  # this packet takes its place
            new.in_block = len(request.data) < request.count * self.profile.ag
        elif isinstance(request, std.Upload):
            new.left = request.count * self.profile.ag
        self._abandon(new.t_ns, keep=self._outstanding - 1)
        self._open.append(new)

    def _abandon(self, t_ns: int, *, keep: int) -> None:
        """Give up the oldest open commands."""
        while len(self._open) > keep:
            old = self._open.popleft()
            self._abandoned = old
            waited = t_ns - old.t_ns
            self._emit(TraceRow(t_ns, False, "", old.name, b"", None, waited, "no answer"))

    # --- slave → master --------------------------------------------------------------------------

    def _from_slave(self, packet: bytes, t_ns: int) -> None:
        pid = packet[0]
        if pid == PID_RES:
            self._answer(packet, t_ns)
        elif pid == PID_ERR:
            self._refusal(packet, t_ns)
        elif pid in (PID_EV, PID_SERV):
            self._unsolicited(packet, t_ns)
        else:
            self._emit(self._dto_row(packet, t_ns, from_master=False))

    def _unsolicited(self, packet: bytes, t_ns: int) -> None:
        kind = "EV" if packet[0] == PID_EV else "SERV"
        order = self.profile.byte_order
        try:
            found = (
                decode_event(packet, order, max_cto=self.profile.max_cto)
                if kind == "EV"
                else decode_service(packet, order)
            )
        except WireError as wrong:
            self._emit(TraceRow(t_ns, False, kind, kind, packet, error=str(wrong)))
            return
        self._emit(TraceRow(t_ns, False, kind, found.name, packet, found))

    def _refusal(self, packet: bytes, t_ns: int) -> None:
        code = packet[1] if len(packet) > 1 else -1
        if code == ErrorCode.ERR_CMD_SYNCH:
            while self._open and not isinstance(self._open[0].request, std.Synch):
                self._open.popleft()
        old = self._open[0] if self._open else None
        if old is None or (isinstance(old.request, std.Synch) and code not in _SYNCH_ERRORS):
            old, self._abandoned = self._abandoned, None  # a late one, SYNCH still waits
        else:
            self._open.popleft()
        name = old.name if old else "ERR"
        latency = t_ns - old.t_ns if old else None
        try:
            found = decode_refusal(packet, name, self.profile.byte_order)
        except WireError as wrong:
            self._emit(TraceRow(t_ns, False, "ERR", name, packet, None, latency, str(wrong)))
            return
        known = code in ErrorCode.__members__.values()
        error = ErrorCode(code).name if known else f"ERR_{code:02X}"
        if error == "ERR_CMD_SYNCH":
            error = ""
        self._emit(TraceRow(t_ns, False, "ERR", name, packet, found, latency, error))

    def _answer(self, packet: bytes, t_ns: int) -> None:
        old = self._open[0] if self._open else None
        error = ""
        if old is None or isinstance(old.request, std.Synch):
            old, self._abandoned = self._abandoned, None
            error = "late" if old else "answer to nothing seen"
        decoded, wrong = self._decode_answer(old, packet)
        if not error and old is not None:
            self._settle(old, decoded)
            self._learn(old.request, decoded)
        latency = t_ns - old.t_ns if old else None
        name = old.name if old else "RES"
        self._emit(TraceRow(t_ns, False, "RES", name, packet, decoded, latency, wrong or error))

    def _settle(self, old: _Open, decoded: Packet | None) -> None:
        """Take a command off the list; a block upload stays until all its bytes came."""
        if isinstance(decoded, std.UploadResponse) and old.left > len(decoded.data) > 0:
            old.left -= len(decoded.data)
        else:
            self._open.popleft()

    def _decode_answer(self, old: _Open | None, packet: bytes) -> tuple[Packet | None, str]:
        """The response object, or None and what is wrong."""
        if old is None or old.info is None:
            return None, ""
        order, ag = self.profile.byte_order, self.profile.ag
        request = old.request
        if isinstance(request, std.Upload) and old.left >= 0:
            request = replace(request, count=-(-old.left // ag))
        if isinstance(request, std.Connect) and len(packet) > 2:
            order = ByteOrder.MOTOROLA if packet[2] & 1 else ByteOrder.INTEL
        try:
            return codec_for(old.info.response, order, ag).decode(packet, request), ""
        except WireError as wrong:
            return None, str(wrong)

    def _learn(self, request: Request[Any] | None, answer: Packet | None) -> None:
        """Take over what an answer tells about the session."""
        if isinstance(answer, std.ConnectResponse):
            self.profile = Profile.from_connect(answer, self.profile.transport)
        elif isinstance(answer, std.GetCommModeInfoResponse):
            if answer.comm_mode_optional.interleaved_mode:
                self._outstanding = answer.queue_size + 1
        else:
            self._daq.learn(request, answer)

    # --- data ------------------------------------------------------------------------------------

    def _dto_row(self, packet: bytes, t_ns: int, *, from_master: bool) -> TraceRow:
        kind = "STIM" if from_master else "DAQ"
        try:
            dto = self._daq.decode(packet, self.profile.byte_order)
        except WireError as wrong:
            return TraceRow(t_ns, from_master, kind, kind, packet, error=str(wrong))
        return TraceRow(t_ns, from_master, kind, kind, packet, dto)


class _DaqKnowledge:
    """What the commands told about DTO headers; list numbers bound its memory."""

    def __init__(self, given: DtoFormat | None) -> None:
        self._given = given
        self._identification: int | None = None
        self._overload_msb = False
        self._timestamp_size: int | None = None
        self._timestamp_fixed = False
        self._modes: dict[int, int] = {}
        self._first_pids: dict[int, int] = {}

    def learn(self, request: Request[Any] | None, answer: Packet | None) -> None:
        """Look at a command that was answered positively."""
        if isinstance(answer, daq.GetDaqProcessorInfoResponse):
            self._identification = answer.daq_key_byte.identification_field
            self._overload_msb = bool(answer.daq_properties.overload_msb)
        elif isinstance(answer, daq.GetDaqResolutionInfoResponse):
            size = answer.timestamp_mode.size
            self._timestamp_size = size if size in (1, 2, 4) else 0
            self._timestamp_fixed = bool(answer.timestamp_mode.fixed)
        elif isinstance(request, daq.StartStopDaqList):
            if isinstance(answer, daq.StartStopDaqListResponse):
                self._first_pids[answer.first_pid] = request.daq_list
        elif isinstance(request, daq.SetDaqListMode):
            self._modes[request.daq_list] = int(request.mode)
        elif isinstance(request, daq.FreeDaq):
            self._modes.clear()
            self._first_pids.clear()

    def decode(self, packet: bytes, order: ByteOrder) -> Dto | None:
        """The parts of a DTO, None as long as its header is not known.

        Lists without identification field are told apart by the transport, which is not seen here: only
        one that is alone is known.

        Raises:
            WireError: shorter than its header.
        """
        if self._given is not None:
            return decode_dto(packet, self._given, order)
        if self._identification is None or self._timestamp_size is None:
            return None
        plain = DtoFormat(self._identification, overload_msb=self._overload_msb)
        modes = [DaqListModeRequest(mode) for mode in self._modes.values()]
        if any(mode.pid_off for mode in modes):
            if len(modes) > 1:
                return None
            return decode_dto(packet, self._format(plain, modes[0]), order, first_odt=True)
        found = decode_dto(packet, plain, order)
        if self._identification:
            daq_list, first = found.daq_list, found.odt == 0
        else:
            daq_list = self._first_pids.get(-1 if found.odt is None else found.odt)
            first = daq_list is not None
        mode = DaqListModeRequest(self._modes.get(-1 if daq_list is None else daq_list, 0))
        return decode_dto(packet, self._format(plain, mode), order, first_odt=first)

    def _format(self, plain: DtoFormat, mode: DaqListModeRequest) -> DtoFormat:
        """The header of a list in a mode."""
        stamped = mode.timestamp or self._timestamp_fixed
        return replace(
            plain,
            timestamp_size=(self._timestamp_size or 0) if stamped else 0,
            dto_ctr=bool(mode.dto_ctr),
            pid_off=bool(mode.pid_off),
        )
