"""MasterMachine: one exchange in flight, time-outs and recovery, event packets, no I/O.

The machine runs *procedures*. Each step of a procedure is carried out by a generator inside the
machine, which yields the time until which it waits and is sent the next answer, or None when that
time has passed; so recovery reads from top to bottom like the matrix of the standard.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import (
    LocalProtocolError,
    NegativeResponseError,
    RemoteProtocolError,
    WireError,
    XcaliperError,
)
from xcaliper.proto.exchange import Exchange, Running
from xcaliper.proto.procedure import Ask, Burst, Collect, Step, Tell
from xcaliper.wire.codec import codec_for
from xcaliper.xcp import cal, daq, std
from xcaliper.xcp.codes import (
    PID_ERR,
    PID_EV,
    PID_RES,
    PID_SERV,
    ErrorCode,
    EventCode,
    negative_response,
)
from xcaliper.xcp.events import ServText, decode_event, decode_service
from xcaliper.xcp.profile import Profile
from xcaliper.xcp.recovery import RECOVERY, PreAction, RecoveryRule, Timers
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Generator

    from xcaliper.proto.command import CommandTable, Request, Response
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.events import Event, Service

__all__ = ["MasterCounters", "MasterEvent", "MasterMachine"]

T = TypeVar("T")
_Action: TypeAlias = "Generator[int, bytes | None, Any]"

_ATTEMPTS: Final = 3
_MALFORMED_TOLERANCE: Final = 3
_MAX_EVENTS: Final = 1024
_MAX_TEXT: Final = 65_536
_ECHO_WINDOW: Final = 8
_QUIET_LIMIT: Final = 12
_S: Final = 1_000_000_000
_BUSY: Final = frozenset({ErrorCode.ERR_CMD_BUSY, ErrorCode.ERR_PGM_ACTIVE})
_SYNCH: Final = bytes((0xFC,))


@dataclass(frozen=True, slots=True)
class MasterEvent:
    """An event or service request of the slave.

    Attributes:
        t_ns: when it arrived.
        name: standard name, ``EV_DAQ_OVERLOAD`` or ``SERV_TEXT``; ``EV_`` and the code if unknown.
        content: the decoded packet; that of the last packet for texts.
        text: the whole text of SERV_TEXT.
    """

    t_ns: int
    name: str
    content: Event | Service
    text: str = ""


@dataclass(slots=True)
class MasterCounters:
    """What was unusual since the machine was made.

    Attributes:
        exchanges: commands that were answered.
        timeouts: attempts without an answer.
        stray: answers that nobody waited for: late, repeated, or to nothing.
        malformed: packets that fit no layout.
    """

    exchanges: int = 0
    timeouts: int = 0
    stray: int = 0
    malformed: int = 0


class MasterMachine:
    """The master role without I/O, in standard mode: one command at a time.

    A link may do a simple exchange (one command, one answer) by itself while the machine is idle,
    that is, while :attr:`idle` is True: the machine has then nothing in flight and nothing to send,
    and keeps no memory transfer address or DAQ pointer between procedures. When the answer does not
    come, the link calls :meth:`suspect` and runs the same command as a procedure; the machine then
    begins with SYNCH, which also gets rid of the late answer.

    Args:
        table: commands, own ones included.
        timers: T1 to T7.
        attempts: how often a command is sent at most, unless its step says otherwise.
        busy_patience_ns: how long ERR_CMD_BUSY is answered by waiting and repeating.
        pending_patience_ns: how long EV_CMD_PENDING may put off the end of one command.
        transport: name of the transport, for the profile.

    Attributes:
        profile: how the two sides talk; set by CONNECT.
        connected: True from CONNECT to DISCONNECT, or until the slave ended the session.
        counters: totals; read them, do not write.
    """

    def __init__(
        self,
        table: CommandTable = COMMANDS,
        timers: Timers | None = None,
        *,
        attempts: int = _ATTEMPTS,
        busy_patience_ns: int = 10 * _S,
        pending_patience_ns: int = 60 * _S,
        transport: str = "",
    ) -> None:
        self.table = table
        self.timers = timers or Timers()
        self.profile = Profile(transport=transport)
        self.connected = False
        self.counters = MasterCounters()
        self._attempts = attempts
        self._busy_patience_ns = busy_patience_ns
        self._pending_patience_ns = pending_patience_ns
        self._now_ns = 0
        self._out: list[bytes] = []
        self._events: deque[MasterEvent] = deque(maxlen=_MAX_EVENTS)
        self._text = bytearray()
        self._running: Running[Any] | None = None
        self._action: _Action | None = None
        self._exchange: Exchange | None = None
        self._deadline_ns: int | None = None
        self._stale = False
        self._open_synchs = 0  # sent, not yet answered
        self._terminated = False
        self._mta: Address | None = None
        self._daq_pointer: tuple[int, int, int] | None = None
        self._echo = b""
        self._echo_left = 0

    # -- procedures -------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """True when no procedure runs and nothing waits to be sent."""
        return self._running is None and not self._out

    def start(self, procedure: Procedure[T], now_ns: int) -> Running[T]:
        """Begin a procedure; drive the machine until it is done.

        Raises:
            LocalProtocolError: another procedure is running.
        """
        if self._running is not None:
            procedure.close()
            raise LocalProtocolError(
                "procedure: another one is running.", hint="Wait until it is done."
            )
        self._now_ns = now_ns
        self._mta = None
        self._daq_pointer = None
        running = Running(procedure)
        self._running = running
        self._proceed(None)
        return running

    def cancel(self, running: Running[Any]) -> None:
        """Give up a procedure; the next one begins with SYNCH if an answer is still due."""
        if running is not self._running:
            return
        if self._exchange is not None:
            self._stale = True
        self._stop_action()
        self._running = None
        self._out.clear()
        running.fail(LocalProtocolError("procedure: it was cancelled."))
        running.procedure.close()

    def suspect(self) -> None:
        """An answer may still come that nobody waits for: begin the next command with SYNCH."""
        self._stale = True

    def _proceed(self, answer: Any, error: XcaliperError | None = None) -> None:
        """Hand the answer to the procedure and take up its next step, until one has to wait."""
        running = self._running
        assert running is not None, "only called while a procedure runs"
        procedure = running.procedure
        while True:
            try:
                step = procedure.send(answer) if error is None else procedure.throw(error)
            except StopIteration as stop:
                self._running = None
                running.succeed(stop.value)
                return
            except XcaliperError as failure:
                self._running = None
                running.fail(failure)
                return
            except BaseException:
                self._running = None
                running.fail(LocalProtocolError("procedure: it failed."))
                raise
            self._action = self._perform(step)
            done, answer, error = self._advance(None)
            if not done:
                return

    def _advance(self, packet: bytes | None) -> tuple[bool, Any, XcaliperError | None]:
        """Let the step in progress go on; done means that the procedure gets its answer."""
        action = self._action
        assert action is not None, "only called while a step is carried out"
        try:
            self._deadline_ns = action.send(packet)
        except StopIteration as stop:
            self._stop_action()
            return True, stop.value, None
        except XcaliperError as error:
            self._stop_action()
            return True, None, error
        return False, None, None

    def _stop_action(self) -> None:
        if self._action is not None:
            self._action.close()
        self._action = None
        self._exchange = None
        self._deadline_ns = None

    def _resume(self, packet: bytes | None) -> None:
        done, answer, error = self._advance(packet)
        if done:
            self._proceed(answer, error)

    # -- machine ----------------------------------------------------------------------------------

    def receive(self, packet: bytes, now_ns: int) -> None:
        """Feed a packet of the slave; anything but RES, ERR, EV and SERV is counted and dropped."""
        self._now_ns = now_ns
        pid = packet[0] if packet else 0
        if pid == PID_RES or (pid == PID_ERR and len(packet) > 1):
            if self._action is None:
                self.counters.stray += 1
            else:
                self._resume(packet)
        elif pid == PID_EV and len(packet) > 1:
            self._event(packet)
        elif pid == PID_SERV and len(packet) > 1:
            self._service(packet)
        else:
            self.counters.malformed += 1

    def on_time(self, now_ns: int) -> None:
        """Tell the time; harmless before the deadline."""
        self._now_ns = max(now_ns, self._now_ns)
        if self._deadline_ns is not None and now_ns >= self._deadline_ns:
            self._resume(None)

    def due(self) -> int | None:
        """Next deadline in nanoseconds, None when nothing is awaited."""
        return self._deadline_ns

    def outgoing(self) -> list[bytes]:
        """Commands to send, in order; each is given out once."""
        out, self._out = self._out, []
        return out

    def events(self) -> list[MasterEvent]:
        """Events and service requests, in order; each is given out once, the latest 1024 are kept."""
        found = list(self._events)
        self._events.clear()
        return found

    # -- events and services ----------------------------------------------------------------------

    def _event(self, packet: bytes) -> None:
        profile = self.profile
        event = decode_event(packet, profile.byte_order, max_cto=profile.max_cto)
        self._events.append(MasterEvent(self._now_ns, event.name, event))
        if event.code == EventCode.EV_CMD_PENDING and self._exchange is not None:
            self._exchange.restart(self._now_ns)
            self._deadline_ns = self._exchange.deadline_ns
        elif event.code == EventCode.EV_SESSION_TERMINATED:
            self._end_session()

    def _end_session(self) -> None:
        self.connected = False
        self._terminated = True
        self._out.clear()
        self._text.clear()
        if self._running is not None and self._action is not None:
            self._stop_action()
            self._proceed(None, _session_ended())

    def _service(self, packet: bytes) -> None:
        service = decode_service(packet, self.profile.byte_order)
        if not isinstance(service, ServText):
            self._events.append(MasterEvent(self._now_ns, service.name, service))
            return
        self._text += service.data.partition(b"\0")[0]
        if service.is_last or len(self._text) > _MAX_TEXT:
            text = self._text[:_MAX_TEXT].decode("ascii", "replace")
            self._events.append(MasterEvent(self._now_ns, service.name, service, text))
            self._text.clear()

    # -- steps ------------------------------------------------------------------------------------

    def _perform(self, step: Step) -> _Action:
        if isinstance(step, Ask):
            return self._ask(step)
        if isinstance(step, Burst):
            return self._burst(step)
        if isinstance(step, Collect):
            return self._collect(step)
        return self._tell(step)

    def _begin(self, request: Request[Any], attempts: int = 0, timeout_ns: int = 0) -> Exchange:
        """Book-keeping of a new exchange; refuses what the session cannot do."""
        info = request.__command__
        if self._terminated and info.request is not std.Connect:
            raise _session_ended()
        timer = info.timer
        if isinstance(request, std.Connect) and request.mode != 0:
            timer = "T6"
        return Exchange(
            command=info.name,
            timer=timer,
            timeout_ns=timeout_ns or self.timers.named(timer),
            attempts=attempts or self._attempts,
            patience_ns=self._pending_patience_ns,
            started_ns=self._now_ns,
        )

    def _encode(self, request: Request[Any]) -> bytes:
        profile = self.profile
        packet = codec_for(type(request), profile.byte_order, profile.ag).encode(request)
        if len(packet) > profile.max_cto:
            raise LocalProtocolError(
                f"{request.__command__.name}: {len(packet)} bytes exceed MAX_CTO, "
                f"which is {profile.max_cto}.",
                hint="Ask for less at once.",
            )
        return packet

    def _ask(self, step: Ask) -> _Action:
        request = step.request
        exchange = self._begin(request, step.attempts, step.timeout_ns)
        if isinstance(request, std.Synch):
            if not (yield from self._synchronise()):
                raise self._given_up(exchange)
            return std.ErrorResponse(code=ErrorCode.ERR_CMD_SYNCH)
        answer = yield from self._exchange_packets(exchange, (request,), 1)
        return answer[0]

    def _tell(self, step: Tell) -> _Action:
        self._begin(step.request)
        self._out.append(self._encode(step.request))
        yield from ()  # a generator like the other steps, though it waits for nothing

    def _burst(self, step: Burst) -> _Action:
        exchange = self._begin(step.requests[-1])
        answers = yield from self._exchange_packets(exchange, step.requests, 1, step.separation_ns)
        return answers[0]

    def _collect(self, step: Collect) -> _Action:
        exchange = self._begin(step.request)
        return (yield from self._exchange_packets(exchange, (step.request,), step.count))

    # -- the exchange and its recovery ------------------------------------------------------------

    def _exchange_packets(
        self,
        exchange: Exchange,
        requests: tuple[Request[Any], ...],
        count: int,
        separation_ns: int = 0,
    ) -> _Action:
        """Send, wait for the answers, recover and repeat (XCP Base, error handling matrix, 1.0)."""
        last = requests[-1]
        block = len(requests) > 1
        rule = RECOVERY["block" if block else last.__command__.recovery]
        packets = [self._encode(request) for request in requests]
        first = self._stale and rule.synch and not isinstance(last, std.Disconnect)
        if first and not (yield from self._synchronise()):
            raise self._given_up(exchange)
        while True:
            yield from self._send(packets, separation_ns, exchange)
            answers = yield from self._await(exchange, last, count)
            if isinstance(answers, list):
                self._exchange = None
                if self._stale and isinstance(last, std.Disconnect):
                    raise self._given_up(exchange)  # it may be the answer to something older
                self._stale = False
                self.counters.exchanges += 1
                for request in requests:
                    self._follow(request)
                return answers
            if answers is None:
                self._stale = rule.synch or isinstance(last, std.Connect)
                self.connected = self.connected and not isinstance(last, std.Disconnect)
                repeat = exchange.sent < exchange.attempts
            else:
                self._stale = self._stale or block or count > 1
                repeat = self._may_repeat(exchange, answers, block=block)
                if not repeat:
                    raise answers
                if answers.code in _BUSY:
                    self._exchange = None  # answered: EV_CMD_PENDING has nothing to put off
                    yield from self._pause(self.timers.t7_ns)
            if not repeat or not (yield from self._recover(rule, requests, answers)):
                raise answers or self._given_up(exchange)

    def _may_repeat(self, exchange: Exchange, error: NegativeResponseError, *, block: bool) -> bool:
        if error.code in _BUSY and exchange.attempts > 1:
            exchange.sent -= 1  # being busy is no failed attempt
            return self._now_ns - exchange.started_ns < self._busy_patience_ns
        return block and error.code == ErrorCode.ERR_SEQUENCE and exchange.sent < exchange.attempts

    def _send(self, packets: list[bytes], separation_ns: int, exchange: Exchange) -> _Action:
        for index, packet in enumerate(packets):
            if index and separation_ns:
                yield from self._pause(separation_ns)
            self._out.append(packet)
        exchange.send(self._now_ns)

    def _await(self, exchange: Exchange, request: Request[Any], count: int) -> _Action:
        """The answers, a refusal, or None when the time has passed."""
        self._exchange = exchange
        answers: list[Response] = []
        while len(answers) < count:
            packet = yield exchange.deadline_ns
            if packet is None:
                self.counters.timeouts += 1
                return None
            if packet[0] == PID_ERR:
                if packet[1] == ErrorCode.ERR_CMD_SYNCH:
                    self.counters.stray += 1  # the second answer to a repeated SYNCH
                    self._open_synchs = max(self._open_synchs - 1, 0)
                    continue
                name = request.__command__.name
                return negative_response(name, packet[1], bytes(packet[2:]), request)
            if self._is_echo(packet, request):
                continue
            try:
                answers.append(self._decode(request, packet, len(answers), count))
            except WireError as cause:
                self._complain(exchange, cause)
                continue
            if count > 1:
                exchange.restart(self._now_ns)
        self._open_synchs = 0  # answers keep their order: what has not come by now is lost
        return answers

    def _complain(self, exchange: Exchange, cause: WireError) -> None:
        """Count an answer that does not fit; it may be a late one of another command.

        Raises:
            RemoteProtocolError: there were too many.
        """
        self.counters.malformed += 1
        exchange.malformed += 1
        if exchange.malformed > _MALFORMED_TOLERANCE:
            self._stale = True
            raise RemoteProtocolError(
                f"{exchange.command}: the slave's answer does not fit ({cause})",
                hint="Check that an XCP slave listens there; connect again.",
            ) from cause

    def _is_echo(self, packet: bytes, request: Request[Any]) -> bool:
        """True for the second answer to a CONNECT that was sent twice, or that the net doubled."""
        if self._echo_left <= 0 or isinstance(request, std.Connect):
            return False
        if packet != self._echo:
            self._echo_left -= 1
            return False
        self.counters.stray += 1
        return True

    def _decode(self, request: Request[Any], packet: bytes, index: int, count: int) -> Response:
        """The answer; longer ones are accepted, shorter ones are not.

        Raises:
            WireError: it does not fit.
        """
        if isinstance(request, std.Connect):
            return self._decode_connect(packet)
        profile = self.profile
        if isinstance(request, std.Upload | std.ShortUpload):
            ag = profile.ag
            room = profile.max_cto - ag
            size = request.count * ag - index * room
            size = min(size, room) if count > 1 else size
            if len(packet) < ag + size:
                raise WireError("UPLOAD response", need=f"{ag + size} bytes", got=len(packet))
            return std.UploadResponse(data=bytes(packet[ag : ag + size]))
        codec = codec_for(request.__command__.response, profile.byte_order, profile.ag)
        found: Response = codec.decode(packet, request)
        return found

    def _decode_connect(self, packet: bytes) -> Response:
        if len(packet) < 8:
            raise WireError("ConnectResponse", need="8 bytes", got=len(packet))
        order = ByteOrder.MOTOROLA if packet[2] & 1 else ByteOrder.INTEL
        response: std.ConnectResponse = codec_for(std.ConnectResponse, order).decode(packet)
        if response.max_cto < 8 or response.max_dto < 8:
            raise WireError(
                "ConnectResponse",
                need="MAX_CTO and MAX_DTO of 8 or more",
                got=f"{response.max_cto} and {response.max_dto}",
                what="content",
            )
        self.profile = Profile.from_connect(response, self.profile.transport)
        self.connected = True
        self._terminated = False
        self._text.clear()
        self._echo = bytes(packet)
        self._echo_left = _ECHO_WINDOW
        return response

    def _synchronise(self) -> _Action:
        """SYNCH until it is answered, at most three times; whatever else comes is late.

        Answers keep their order, so only the answer to the last SYNCH says that nothing older is on
        its way; answers to earlier ones, which came too late, are counted off first. Where some got
        lost, silence behind an answer says the same: longer than two time-outs, for late answers come
        as they were asked for, one time-out apart.

        A slave that does not know SYNCH answers ERR_CMD_UNKNOWN, which will do when nothing better
        follows.
        """
        for _ in range(_ATTEMPTS):
            self._out.append(_SYNCH)
            self._open_synchs += 1
            deadline = self._now_ns + self.timers.t1_ns
            limit = self._now_ns + _QUIET_LIMIT * self.timers.t1_ns
            heard = unknown = False
            while True:
                packet = yield deadline
                if packet is None:
                    break
                if packet[0] == PID_ERR and packet[1] == ErrorCode.ERR_CMD_SYNCH:
                    self._open_synchs -= 1
                    if self._open_synchs <= 0:
                        return self._synchronised()
                    heard = True
                else:
                    unknown = packet[0] == PID_ERR and packet[1] == ErrorCode.ERR_CMD_UNKNOWN
                    self.counters.stray += 1
                if heard:
                    deadline = min(self._now_ns + 5 * self.timers.t1_ns // 2, limit)
            if heard or unknown:
                self._open_synchs = min(self._open_synchs, _ATTEMPTS) if heard else 0
                return self._synchronised()
        return False

    def _synchronised(self) -> bool:
        self._stale = False
        return True

    def _recover(
        self,
        rule: RecoveryRule,
        requests: tuple[Request[Any], ...],
        error: NegativeResponseError | None,
    ) -> _Action:
        """Bring the slave back to where the command can be repeated; False when it does not work."""
        self._exchange = None
        for _ in range(_ATTEMPTS):
            if self._stale and rule.synch and not (yield from self._synchronise()):
                return False
            if error is not None and len(requests) == 1:
                return True  # a busy slave has not moved
            restored: bool | None = True
            for action in rule.pre:
                restored = yield from self._restore(action, requests[0])
                if not restored:
                    break
            if restored:
                return True
            if restored is None:
                return False
        return False

    def _restore(self, action: str, request: Request[Any]) -> _Action:
        """Carry out a pre-action: True done, False again, None impossible."""
        before: Request[Any]
        if action == PreAction.SET_MTA:
            if self._mta is None:
                return None
            before = std.SetMta(address=self._mta.value, address_extension=self._mta.extension)
        elif action == PreAction.SET_DAQ_PTR:
            if self._daq_pointer is None:
                return None
            daq_list, odt, odt_entry = self._daq_pointer
            before = daq.SetDaqPtr(daq_list=daq_list, odt=odt, odt_entry=odt_entry)
        elif isinstance(request, daq.AllocDaq):
            before = daq.FreeDaq()
        else:
            return True
        exchange = self._begin(before)
        self._out.append(self._encode(before))
        exchange.send(self._now_ns)
        answers = yield from self._await(exchange, before, 1)
        self._exchange = None
        if answers is None:
            self._stale = True
            return False
        return True if isinstance(answers, list) else None

    def _pause(self, time_ns: int) -> _Action:
        """Wait; answers that come meanwhile belong to nothing."""
        until = self._now_ns + time_ns
        while (yield until) is not None:
            self.counters.stray += 1

    def _given_up(self, exchange: Exchange) -> XcaliperError:
        return exchange.timed_out(self._now_ns, "Check that the slave is there; connect again.")

    # -- what the slave's pointers are ------------------------------------------------------------

    def _follow(self, request: Request[Any]) -> None:
        """Keep MTA and DAQ pointer in step with the slave."""
        match request:
            case std.ShortUpload() | cal.ShortDownload():
                start = Address(request.address, request.address_extension)
                self._mta = start + request.count
            case std.SetMta():
                self._mta = Address(request.address, request.address_extension)
            case std.Upload() | cal.Download():
                self._move(request.count)
            case cal.DownloadMax():
                self._move(self.profile.max_cto // self.profile.ag - 1)
            case std.BuildChecksum():
                self._move(request.block_size)
            case daq.SetDaqPtr():
                self._daq_pointer = (request.daq_list, request.odt, request.odt_entry)
            case daq.WriteDaq() | daq.ReadDaq():
                self._next_entry(1)
            case daq.WriteDaqMultiple():
                self._next_entry(request.count)
            case std.GetId() | daq.GetDaqEventInfo() | std.Connect():
                self._mta = None
            case std.Disconnect():
                self.connected = False
            case _:
                pass

    def _move(self, count_ag: int) -> None:
        if self._mta is not None:
            self._mta += count_ag

    def _next_entry(self, steps: int) -> None:
        if self._daq_pointer is not None:
            daq_list, odt, odt_entry = self._daq_pointer
            self._daq_pointer = (daq_list, odt, odt_entry + steps)


def _session_ended() -> RemoteProtocolError:
    return RemoteProtocolError("session: the slave ended it.", hint="Connect again.")
