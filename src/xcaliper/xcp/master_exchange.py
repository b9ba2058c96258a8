"""One exchange of the master with its recovery, as generators without I/O.

Each generator yields the time until which it waits and is sent the next answer, or None when that
time has passed; so recovery reads from top to bottom like the matrix of the standard.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from xcaliper.core.errors import (
    LocalProtocolError,
    NegativeResponseError,
    RemoteProtocolError,
    WireError,
    XcaliperError,
)
from xcaliper.proto.exchange import Exchange
from xcaliper.wire.codec import codec_for
from xcaliper.xcp import cal, daq, pag, pgm, std
from xcaliper.xcp.codes import (
    PID_ERR,
    ErrorCode,
    Resource,
)
from xcaliper.xcp.master_answers import (
    Echoes,
    decode_answer,
    decode_connect,
    refusal,
    resource_of,
)
from xcaliper.xcp.master_state import MasterCounters, Pointers
from xcaliper.xcp.profile import Profile
from xcaliper.xcp.recovery import (
    FOREVER,
    RECOVERY,
    Action,
    PreAction,
    Reaction,
    reaction_to,
    timeout_reaction,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.proto.command import Request, Response
    from xcaliper.proto.procedure import Ask, Procedure, Step
    from xcaliper.xcp.recovery import Timers

__all__ = ["Carrying", "Exchanger", "Unlocker", "session_ended"]

T = TypeVar("T")
#: A step that is being carried out.
Carrying: TypeAlias = Generator[int, "bytes | None", Any]
#: Gives the procedure that unlocks a resource.
Unlocker: TypeAlias = "Callable[[Resource], Procedure[Any]]"

_ATTEMPTS: Final = 3
_MALFORMED_TOLERANCE: Final = 3
_QUIET_LIMIT: Final = 12
_TRANSPORT_LAYER_CMD: Final = 0xF2
_LEAST_CTO: Final = 8
_SYNCH: Final = bytes((0xFC,))
#: What changes memory.
_WRITES: Final = (
    cal.Download,
    cal.DownloadNext,
    cal.DownloadMax,
    cal.ShortDownload,
    cal.ModifyBits,
    pag.CopyCalPage,
    pgm.Program,
    pgm.ProgramNext,
    pgm.ProgramMax,
)
_STOP_ALL: Final = 0


class Exchanger:
    """What the steps of procedures share: the session's state, packets to send, recovery.

    Args:
        timers: T1 to T7.
        profile: how the two sides talk before CONNECT.
        attempts: how often a command is sent at most, unless its step says otherwise.
        busy_patience_ns: how long a busy slave is waited for, within one exchange.
        pending_patience_ns: how long EV_CMD_PENDING may put off the end of one attempt.
        connect_patience_ns: how long CONNECT of a user-defined mode is repeated.
        perform: carries out a step, for procedures inside of a step.

    Attributes:
        timers: as given.
        profile: how the two sides talk; set by CONNECT.
        counters: totals.
        pointers: where the slave's pointers stand.
        now_ns: latest time that was told.
        out: packets to send.
        text: of SERV_TEXT so far, until its end comes.
        current: exchange whose answer is awaited.
        busy: exchange that the slave has put off.
        connected: True inside a session.
        ended: why the session ended without us; empty while it did not.
        stale: an answer may come that nobody waits for; the next command begins with SYNCH.
        wary: the same for once, even before DISCONNECT.
        unlocker: gives the procedure that unlocks a resource; None = locked stays locked.
    """

    def __init__(
        self,
        timers: Timers,
        profile: Profile,
        *,
        attempts: int,
        busy_patience_ns: int,
        pending_patience_ns: int,
        connect_patience_ns: int,
        perform: Callable[[Step], Carrying],
    ) -> None:
        self.timers = timers
        self.profile = self._told = profile
        self.counters = MasterCounters()
        self.pointers = Pointers()
        self.now_ns = 0
        self.out: list[bytes] = []
        self.text = bytearray()
        self.current: Exchange | None = None
        self.busy: Exchange | None = None
        self.connected = False
        self.ended = ""
        self.stale = self.wary = False
        self.unlocker: Unlocker | None = None
        self._perform = perform
        self._attempts = attempts
        self._busy_patience_ns = busy_patience_ns
        self._pending_patience_ns = pending_patience_ns
        self._connect_patience_ns = connect_patience_ns
        self._open_synchs = 0  # sent, not yet answered
        self._unlocking = False
        self._echoes = Echoes()

    # -- begin ------------------------------------------------------------------------------------

    def begin(self, request: Request[Any], step: Ask | None = None) -> Exchange:
        """A new exchange; refuses what the session cannot do.

        Raises:
            RemoteProtocolError: the session has ended, and this is not CONNECT.
        """
        info = request.__command__
        if self.ended and not isinstance(request, std.Connect):
            raise session_ended(self.ended)
        self.busy = None
        user_defined = isinstance(request, std.Connect) and request.mode != 0
        timer = "T6" if user_defined else info.timer
        exchange = Exchange(
            command=info.name,
            timer=timer,
            timeout_ns=self.timers.named(timer),
            attempts=self._attempts,
            patience_ns=self._pending_patience_ns,
            started_ns=self.now_ns,
        )
        within_ns = self._connect_patience_ns if user_defined else 0
        if step is not None:
            exchange.timeout_ns = step.timeout_ns or exchange.timeout_ns
            exchange.final, exchange.stop_daq = step.final, step.stop_daq
            within_ns = step.within_ns or (0 if step.attempts else within_ns)
            exchange.attempts = step.attempts or self._attempts
        if within_ns:
            exchange.until_ns = self.now_ns + within_ns
        return exchange

    @property
    def max_cto(self) -> int:
        """MAX_CTO that is in force: that of programming between PROGRAM_START and PROGRAM_RESET."""
        return self.profile.max_cto

    def encode(self, request: Request[Any]) -> bytes:
        """The packet of a request.

        Raises:
            LocalProtocolError: it is longer than MAX_CTO.
        """
        profile = self.profile
        packet = codec_for(type(request), profile.byte_order, profile.ag).encode(request)
        may_be_long = not self.connected and packet[0] == _TRANSPORT_LAYER_CMD  # discovery
        if len(packet) > self.max_cto and not may_be_long:
            raise LocalProtocolError(
                f"{request.__command__.name}: {len(packet)} bytes exceed MAX_CTO, "
                f"which is {self.max_cto}.",
                hint="Ask for less at once.",
            )
        return packet

    def end(self, reason: str) -> None:
        """The session is over; only CONNECT is sent from now on."""
        self.connected = False
        self.ended = reason
        self.out.clear()
        self.text.clear()
        self.pointers.forget()

    # -- the exchange and its recovery ------------------------------------------------------------

    def converse(
        self,
        exchange: Exchange,
        requests: Sequence[Request[Any]],
        count: int,
        separation_ns: int = 0,
    ) -> Carrying:
        """Send, wait for the answers, recover and repeat; gives the list of answers."""
        last = requests[-1]
        packets = [self.encode(request) for request in requests]
        if self.wary or not isinstance(last, std.Disconnect):
            yield from self.settle(exchange, last)
        while True:
            answers = yield from self._send(exchange, packets, separation_ns, last)
            if answers is None:
                answers = yield from self._await(exchange, last, count)
            if isinstance(answers, list):
                if self.stale and isinstance(last, std.Disconnect):
                    raise self.given_up(exchange)  # it may be the answer to something older
                self.done(requests, answers)
                return answers
            if len(requests) > 1 or count > 1:
                self.stale = True  # more answers, or errors about the rest, may come
            yield from self.react(exchange, requests, answers if answers else None, whole=count > 1)
            if isinstance(last, _WRITES) and (answers is None or len(requests) > 1):
                self.counters.repeated_writes += 1

    def settle(self, exchange: Exchange, request: Request[Any]) -> Carrying:
        """Get rid of late answers before a command, where its kind allows SYNCH."""
        needed, self.wary = self.stale or self.wary, False
        if not needed or PreAction.SYNCH not in timeout_reaction(request.__command__).pre:
            return
        if not (yield from self._synchronise()):
            raise self.given_up(exchange)

    def done(self, requests: Sequence[Request[Any]], answers: Sequence[Response]) -> None:
        """Note that the slave has carried out what these requests said."""
        self.current = self.busy = None
        self.stale = False
        self.counters.exchanges += 1
        for request in requests:
            self.pointers.follow(request, self.profile, self.max_cto)
        last = requests[-1]
        if isinstance(last, std.Disconnect | pgm.ProgramReset):
            self.connected = False
            self.profile = self._told
        elif isinstance(last, pgm.ProgramStart):
            answer = answers[0]
            assert isinstance(answer, pgm.ProgramStartResponse), "decoded by the table"
            self.profile = replace(
                self.profile,
                max_cto=max(answer.max_cto_pgm, _LEAST_CTO),
                slave_block_mode=bool(answer.comm_mode_pgm.slave_block_mode),
            )

    def react(
        self,
        exchange: Exchange,
        requests: Sequence[Request[Any]],
        error: NegativeResponseError | None,
        *,
        whole: bool = False,
        again: Request[Any] | None = None,
    ) -> Carrying:
        """Do what the matrix says; returns when the command shall be repeated.

        Args:
            exchange: of the command.
            requests: one, or the packets of a block.
            error: None = a time-out.
            whole: the answer was to come in several packets.
            again: what will be sent next, when it is another command.

        Raises:
            NegativeResponseError: the slave refused, and that is final.
            ExchangeTimeoutError: no answer, and that is final.
        """
        last = requests[-1]
        self.current = None
        self.pointers.doubt()
        info = last.__command__
        on_time_out = self._timeout_reaction(requests if again is None else (again,))
        if error is None:
            self.stale = PreAction.SYNCH in on_time_out.pre or isinstance(last, std.Connect)
            if isinstance(last, std.Disconnect):
                self.connected = False
            if not exchange.miss(self.now_ns):
                raise self.given_up(exchange)
            if PreAction.WAIT_T7 in on_time_out.pre:
                until_ns = exchange.until_ns or self.now_ns + self.timers.t7_ns
                yield from self.pause(min(self.timers.t7_ns, until_ns - self.now_ns))
                if exchange.until_ns and self.now_ns >= exchange.until_ns:
                    raise self.given_up(exchange)
        else:
            reaction = self._chosen(exchange, reaction_to(info, error.code), error)
            for pre in reaction.pre:
                yield from self._prepare(pre, last, error)
            if len(requests) == 1 and not whole and not self.stale:
                return  # a slave that refused a single packet has not moved
        if not (yield from self._recover(on_time_out, requests)):
            raise error or self.given_up(exchange)

    def _timeout_reaction(self, requests: Sequence[Request[Any]]) -> Reaction:
        last = requests[-1]
        if len(requests) > 1:
            return RECOVERY["block"]
        user_defined = isinstance(last, std.Connect) and last.mode != 0
        return timeout_reaction(last.__command__, user_defined=user_defined)

    def _chosen(
        self, exchange: Exchange, reaction: Reaction, error: NegativeResponseError
    ) -> Reaction:
        """The reaction when it is to repeat once more.

        Raises:
            NegativeResponseError: it is not.
        """
        if reaction.action is Action.END_SESSION:
            self.end(f"the slave answered {error.code_name} to {error.command}")
        if reaction.action is not Action.REPEAT or exchange.final:
            raise error
        if PreAction.STOP_DAQ in reaction.pre and not exchange.stop_daq:
            raise error
        exchange.repeated += 1
        if reaction.repeats == FOREVER:
            exchange.granted_ns = exchange.until_ns or exchange.started_ns + self._busy_patience_ns
            if self.now_ns >= exchange.granted_ns:
                raise error
            self.busy = exchange
        elif exchange.repeated > reaction.repeats:
            raise error
        return reaction

    def _prepare(
        self, pre: PreAction, request: Request[Any], error: NegativeResponseError
    ) -> Carrying:
        """Carry out a pre-action that the error asks for; pointers are restored later."""
        if pre is PreAction.WAIT_T7:
            yield from self.pause(self.timers.t7_ns)
        elif pre is PreAction.STOP_DAQ:
            if not (yield from self._simple(daq.StartStopSynch(mode=_STOP_ALL))):
                raise error
        elif pre is PreAction.UNLOCK:
            resource = resource_of(request)
            if self.unlocker is None or self._unlocking or not resource:
                raise error
            self._unlocking = True
            try:
                yield from self._nested(self.unlocker(resource))
            finally:
                self._unlocking = False

    def _nested(self, procedure: Procedure[T]) -> Generator[int, bytes | None, T]:
        """Run a procedure inside of a step."""
        answer: Any = None
        error: XcaliperError | None = None
        try:
            while True:
                try:
                    step = procedure.send(answer) if error is None else procedure.throw(error)
                except StopIteration as stop:
                    value: T = stop.value
                    return value
                answer = error = None
                try:
                    answer = yield from self._perform(step)
                except XcaliperError as failure:
                    error = failure
        finally:
            procedure.close()

    def _send(
        self, exchange: Exchange, packets: list[bytes], separation_ns: int, last: Request[Any]
    ) -> Carrying:
        """Send the packets of an attempt; a refusal that comes between them ends the sending."""
        for index, packet in enumerate(packets):
            if index and separation_ns:
                refusal = yield from self._separate(separation_ns, last)
                if refusal is not None:
                    return refusal
            self.out.append(packet)
        exchange.send(self.now_ns)
        return None

    def _separate(self, time_ns: int, request: Request[Any]) -> Carrying:
        """Wait between two packets of a block; gives a refusal that came early, or None."""
        until = self.now_ns + time_ns
        while (packet := (yield until)) is not None:
            if packet[0] != PID_ERR:
                self.counters.stray += 1
            elif not self.is_late_synch(packet):
                return refusal(packet, request)
        return None

    def _await(self, exchange: Exchange, request: Request[Any], count: int) -> Carrying:
        """The answers, a refusal, or None when the time has passed."""
        self.current = exchange
        answers: list[Response] = []
        while len(answers) < count:
            packet = yield exchange.deadline_ns
            if packet is None:
                self.counters.timeouts += 1
                return None
            if packet[0] == PID_ERR:
                if self.is_late_synch(packet):
                    continue
                return refusal(packet, request)
            if self.is_echo(packet, request):
                continue
            try:
                answers.append(self.decode(request, packet, len(answers), count))
            except WireError as cause:
                self.complain(exchange, cause)
                continue
            if count > 1:
                exchange.restart(self.now_ns)
        self._open_synchs = 0  # answers keep their order: what has not come by now is lost
        return answers

    def is_late_synch(self, packet: bytes) -> bool:
        """True for an answer to a SYNCH that was sent twice; it is counted off."""
        if packet[1] != ErrorCode.ERR_CMD_SYNCH:
            return False
        self.counters.stray += 1
        self._open_synchs = max(self._open_synchs - 1, 0)
        return True

    def complain(self, exchange: Exchange, cause: WireError) -> None:
        """Count an answer that does not fit; it may be a late one of another command.

        Raises:
            RemoteProtocolError: there were too many.
        """
        self.counters.malformed += 1
        exchange.malformed += 1
        if exchange.malformed > _MALFORMED_TOLERANCE:
            self.stale = True
            raise RemoteProtocolError(
                f"{exchange.command}: the slave's answer does not fit ({cause})",
                hint="Check that an XCP slave listens there; connect again.",
            ) from cause

    def is_echo(self, packet: bytes, request: Request[Any]) -> bool:
        """True for an answer to CONNECT that comes once more; it is counted."""
        found = self._echoes.has(packet, request)
        self.counters.stray += found
        return found

    def decode(
        self, request: Request[Any], packet: bytes, index: int = 0, count: int = 1
    ) -> Response:
        """The answer; that of CONNECT begins a session.

        Raises:
            WireError: it does not fit.
        """
        if not isinstance(request, std.Connect):
            return decode_answer(request, packet, self.profile, self.max_cto, index, count)
        response = decode_connect(packet)
        self.profile = self._told = Profile.from_connect(response, self.profile.transport)
        self.connected = True
        self.ended = ""
        self.text.clear()
        self._echoes.expect(packet)
        return response

    # -- SYNCH and pre-actions --------------------------------------------------------------------

    def ask_synch(self, exchange: Exchange) -> Carrying:
        """SYNCH as a command of its own: done when it is answered."""
        if not (yield from self._synchronise()):
            raise self.given_up(exchange)
        return std.ErrorResponse(code=ErrorCode.ERR_CMD_SYNCH)

    def _synchronise(self) -> Carrying:
        """SYNCH until it is answered, at most three times; whatever else comes is late.

        Answers keep their order, so only the answer to the last SYNCH says that nothing older is on
        its way; answers to earlier ones, which came too late, are counted off first. Where some got
        lost, silence behind an answer says the same: longer than two time-outs, for late answers come
        as they were asked for, one time-out apart. Should they come after all, the next SYNCH counts
        them off.

        A slave that does not know SYNCH answers ERR_CMD_UNKNOWN, which will do when nothing better
        follows.
        """
        for _ in range(_ATTEMPTS):
            self.out.append(_SYNCH)
            self._open_synchs += 1
            deadline = self.now_ns + self.timers.t1_ns
            limit = self.now_ns + _QUIET_LIMIT * self.timers.t1_ns
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
                    deadline = min(self.now_ns + 5 * self.timers.t1_ns // 2, limit)
            if heard or unknown:
                self._open_synchs = min(self._open_synchs, _ATTEMPTS) if heard else 0
                return self._synchronised()
        return False

    def _synchronised(self) -> bool:
        self.stale = False
        return True

    def _recover(self, reaction: Reaction, requests: Sequence[Request[Any]]) -> Carrying:
        """Bring the slave back to where the command can be repeated; False when it does not work."""
        for _ in range(_ATTEMPTS):
            wants_synch = self.stale and PreAction.SYNCH in reaction.pre
            if wants_synch and not (yield from self._synchronise()):
                return False
            restored: bool | None = True
            for pre in reaction.pre:
                restored = yield from self._restore(pre, requests[0])
                if not restored:
                    break
            if restored:
                return True
            if restored is None:
                return False
        return False

    def _restore(self, pre: PreAction, request: Request[Any]) -> Carrying:
        """Set a pointer again, or free the lists: True done, False again, None impossible."""
        before: Request[Any]
        if pre is PreAction.SET_MTA:
            mta = self.pointers.mta
            if mta is None:
                return None
            before = std.SetMta(address=mta.value, address_extension=mta.extension)
        elif pre is PreAction.SET_DAQ_PTR:
            if self.pointers.daq is None:
                return None
            daq_list, odt, odt_entry = self.pointers.daq
            before = daq.SetDaqPtr(daq_list=daq_list, odt=odt, odt_entry=odt_entry)
        elif pre is PreAction.FREE_DAQ and isinstance(request, daq.AllocDaq):
            before = daq.FreeDaq()
        else:
            return True
        return (yield from self._simple(before))

    def _simple(self, request: Request[Any]) -> Carrying:
        """One exchange without recovery: True done, False no answer, None refused."""
        exchange = self.begin(request)
        self.out.append(self.encode(request))
        exchange.send(self.now_ns)
        answers = yield from self._await(exchange, request, 1)
        self.current = None
        if answers is None:
            self.stale = True
            return False
        if not isinstance(answers, list):
            return None
        self.pointers.follow(request, self.profile, self.max_cto)
        return True

    def pause(self, time_ns: int) -> Carrying:
        """Wait; answers that come meanwhile belong to nothing."""
        until = self.now_ns + time_ns
        while (yield until) is not None:
            self.counters.stray += 1

    def given_up(self, exchange: Exchange) -> XcaliperError:
        """The error when nothing helped."""
        return exchange.timed_out(self.now_ns, "Check that the slave is there; connect again.")


def session_ended(reason: str) -> RemoteProtocolError:
    """The error of everything that is tried after the end."""
    return RemoteProtocolError(f"session: {reason}.", hint="Connect again.")
