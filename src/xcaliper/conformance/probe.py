"""Probe: asks one question at a time, keeps the transcript, and says what did not fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from xcaliper.conformance.model import FaultError, Permission, SkippedError, Step, TimeIsUpError
from xcaliper.conformance.port import Messages
from xcaliper.conformance.words import command_name, error_name
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import LinkError, WireError
from xcaliper.wire.codec import codec_for
from xcaliper.xcp.codes import PID_ERR, PID_EV, PID_RES, PID_SERV, ErrorCode, EventCode, Resource
from xcaliper.xcp.profile import Profile
from xcaliper.xcp.std import Connect, ConnectResponse, Disconnect, GetStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.conformance.paper import Paper
    from xcaliper.conformance.port import Message, Port
    from xcaliper.core.address import Address
    from xcaliper.proto.command import Request, Response
    from xcaliper.xcp.seed_key import KeyFunction

__all__ = ["Limits", "Observed", "Probe", "Region"]

T = TypeVar("T")
R = TypeVar("R", bound="Response")

_MS: Final = 1_000_000
_KEEP_STEPS: Final = 64
_KEEP_DTOS: Final = 20_000
_KEEP_OTHERS: Final = 1000
_SHOW_DTOS: Final = 4
_BUSY_TRIES: Final = 5
_UNKNOWN: Final = (ErrorCode.ERR_CMD_UNKNOWN, ErrorCode.ERR_SUBCMD_UNKNOWN)
_BUSY: Final = (
    ErrorCode.ERR_CMD_BUSY,
    ErrorCode.ERR_PGM_ACTIVE,
    ErrorCode.ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE,
)

#: Times of an answer after which a late one does not come any more.
_LATEST: Final = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a run waits.

    Attributes:
        answer_ns: for an answer.
        quiet_ns: before silence counts as silence.
        patience_ns: for an answer, however often EV_CMD_PENDING asks for more time.
        listen_ns: how long running lists are listened to, at most.
        rule_ns: for one rule.
        run_ns: for everything.
    """

    answer_ns: int = 1000 * _MS
    quiet_ns: int = 200 * _MS
    patience_ns: int = 10_000 * _MS
    listen_ns: int = 1000 * _MS
    rule_ns: int = 30_000 * _MS
    run_ns: int = 300_000 * _MS


@dataclass(frozen=True, slots=True)
class Region:
    """Memory that may be read.

    Attributes:
        address: of the first element.
        count: elements of AG bytes.
    """

    address: Address
    count: int


@dataclass(slots=True)
class Observed:
    """What came without being asked for, over the whole run, as far as kept.

    Attributes:
        strays: RES and ERR packets that belonged to no question, with the question before.
        errors: error codes that came.
        events: EV packets.
        services: SERV packets.
        longest_answer: bytes of the longest RES, ERR, EV or SERV packet.
        idle_dtos: DAQ packets that came while no list was started.
    """

    strays: list[tuple[bytes, bytes]] = field(default_factory=list)
    errors: set[int] = field(default_factory=set)
    events: list[bytes] = field(default_factory=list)
    services: list[bytes] = field(default_factory=list)
    longest_answer: int = 0
    idle_dtos: int = 0


class Probe:
    """One slave under test.

    Args:
        port: where it is.
        limits: how long to wait.
        allow: what rules may do to the slave.
        alignment: bytes that messages are aligned to.
        paper: what the A2L says, None without one.
        region: memory to read, None = found out.
        key: makes keys of seeds; None = protected resources stay locked.
        scratch: sector of the flash that may be erased and programmed; None = none.

    Attributes:
        profile: what the CONNECT response says, as far as it makes sense.
        connect_packet: the first answer to CONNECT.
        in_flight: True from a question to its answer; after an interrupt nobody knows whether it was served.
        connected: True inside a session.
        url: of the slave; empty where it has none.
        own_paper: True to take the A2L from the slave at the beginning.
        opened: True when what can be unlocked in this session has been.
        not_opened: resources whose key did not fit.
        ended: True when the slave has closed the stream; CONNECT opens it again.
        measuring: True while lists were started by a rule.
        dtos: DAQ packets with their time, since the last :meth:`take_dtos`.
        observed: what came besides answers.
        silent: questions in a row that were not answered.
        unsettled: True while the answer to some question may still come.
    """

    def __init__(  # noqa: PLR0913  # options by name
        self,
        port: Port,
        *,
        limits: Limits | None = None,
        allow: frozenset[Permission] = frozenset(),
        alignment: int = 1,
        paper: Paper | None = None,
        region: Region | None = None,
        key: KeyFunction | None = None,
        scratch: int | None = None,
    ) -> None:
        self.port = port
        self.limits = limits or Limits()
        self.allow = allow
        self.paper = paper
        self.url = ""
        self.own_paper = False
        self.given_region = region
        self.key = key
        self.scratch = scratch
        self.opened = False
        self.not_opened = Resource(0)
        self.messages = Messages(port, alignment)
        self.profile = Profile()
        self.connect_packet = b""
        self.connected = False
        self.ended = False
        self.measuring = False
        self.dtos: list[tuple[int, bytes]] = []
        self.observed = Observed()
        self.silent = 0
        self.status_at_start: bytes = b""
        self._facts: dict[str, tuple[Any, SkippedError | None]] = {}
        self._sources: dict[str, tuple[Step, ...]] = {}
        self._steps: list[Step] = []
        self._left_out = 0
        self._start_ns = port.now_ns()
        self._end_ns = self._start_ns + self.limits.run_ns
        self._rule_end_ns = self._end_ns
        self._last_asked = b""
        self._owed = 0
        self.unsettled = False
        self.in_flight = False

    # -- packets ----------------------------------------------------------------------------------

    def bytes_of(self, question: Request[Any] | bytes) -> bytes:
        """The packet of a question."""
        if isinstance(question, bytes):
            return question
        return codec_for(type(question), self.profile.byte_order, self.profile.ag).encode(question)

    def number(self, data: bytes) -> int:
        """An unsigned number of a packet, in the slave's byte order."""
        return int.from_bytes(
            data, "big" if self.profile.byte_order is ByteOrder.MOTOROLA else "little"
        )

    def ask(self, question: Request[Any] | bytes, wait_ns: int = 0) -> bytes | None:
        """Send one command and give its RES or ERR packet; None when none came in time."""
        packet = self.bytes_of(question)
        self._clear_line()
        self._go_on()
        sent_ns = self.port.now_ns()
        self._last_asked = packet
        self.in_flight = True
        self._send(packet)
        answer = self._answer(sent_ns, wait_ns or self.limits.answer_ns)
        self.in_flight = False
        self._keep(packet, () if answer is None else (answer,), sent_ns)
        if not wait_ns:
            self.silent = self.silent + 1 if answer is None else 0
            self._owed += answer is None
        self.unsettled |= answer is None
        return answer

    def settle(self) -> None:
        """Behind a rule: let no late answer pass for that of the next question; bounded in time."""
        if self.unsettled and self.connected:
            self.connected = self.synchronise()
        elif self._owed:  # outside a session SYNCH is not answered
            self._await_late()

    def synchronise(self) -> bool:
        """Send SYNCH and take what comes until its answer; False when that did not come.

        An answer that was late for its question so does not pass for that of the next one.
        """
        self._clear_line()
        self._go_on()
        came = found = False
        self._last_asked = b"\xfc"
        self._send(b"\xfc")
        until = self.port.now_ns() + _LATEST * self.limits.answer_ns
        while not found and (left := until - self.port.now_ns()) > 0:
            answer = self._answer(self.port.now_ns(), left)
            if answer is None:
                break
            came = True
            found = answer[:2] == bytes((PID_ERR, ErrorCode.ERR_CMD_SYNCH))
        self.silent = 0 if came else self.silent + 1
        if found:
            if self._owed:  # that was the late answer to another SYNCH, perhaps
                self._take_late(self.port.now_ns() + self.limits.quiet_ns)
            self._owed, self.unsettled = 0, False
        return found

    def _await_late(self) -> None:
        """Take late answers, as many as are missing, for a while."""
        self._take_late(self.port.now_ns() + _LATEST * self.limits.answer_ns, missing_only=True)
        self._take_late(self.port.now_ns() + self.limits.quiet_ns)

    def _take_late(self, until_ns: int, *, missing_only: bool = False) -> None:
        until_ns = min(until_ns, self._rule_end_ns)
        while not missing_only or self._owed:
            message = self._receive(until_ns)
            if message is None:
                return
            if self._sort(message):
                self._note_stray(message.packet)

    def ask_together(self, *packets: bytes) -> list[bytes]:
        """Send several commands in one datagram and give their answers in order, as many as came."""
        return self.collect(packets, len(packets))

    def collect(self, packets: tuple[bytes, ...], count: int) -> list[bytes]:
        """Send commands in one datagram and give up to ``count`` answers, in order."""
        self._clear_line()
        self._go_on()
        sent_ns = self.port.now_ns()
        self._last_asked = packets[-1]
        self._send(*packets)
        came: list[bytes] = []
        while len(came) < count:
            answer = self._answer(self.port.now_ns(), self.limits.answer_ns)
            if answer is None:
                self.unsettled = True
                break
            came.append(answer)
            if answer[0] == PID_ERR and len(packets) == 1:
                break
        for packet in packets[:-1]:
            self._keep(packet, (), sent_ns)
        self._keep(packets[-1], tuple(came), sent_ns)
        return came

    def tell(self, packet: bytes) -> None:
        """Send one packet that is not answered."""
        self._clear_line()
        self._go_on()
        self._last_asked = packet
        self._send(packet)
        self._keep(packet, (), self.port.now_ns())

    def listen(self, wait_ns: int) -> list[bytes]:
        """Take what comes for a while; gives events and answers, DAQ packets go to :attr:`dtos`."""
        self._go_on()
        begin = self.port.now_ns()
        until = min(begin + wait_ns, self._rule_end_ns)
        came: list[bytes] = []
        data: list[bytes] = []
        while (message := self._receive(until)) is not None:
            if self._sort(message):
                self._note_stray(message.packet)
            kept, most = (
                (came, _KEEP_OTHERS) if message.packet[0] >= PID_SERV else (data, _SHOW_DTOS)
            )
            if len(kept) < most:
                kept.append(message.packet)
        if came or data or wait_ns >= self.limits.quiet_ns:
            self._keep(b"", (*came, *data), begin)
        return came

    def take_dtos(self) -> list[tuple[int, bytes]]:
        """DAQ packets so far, with the time of their arrival; each is given out once."""
        found, self.dtos = self.dtos, []
        return found

    def _send(self, *packets: bytes) -> None:
        if packets[0][:1] == b"\xff":
            if self.ended:
                self.messages.reopen()
                self.ended = False
            self.messages.restart()
        if self.ended:
            return
        try:
            self.messages.send(*packets)
        except LinkError as error:
            self._end_stream(error)

    def _receive(self, until_ns: int) -> Message | None:
        if self.ended:
            return None
        try:
            return self.messages.receive(until_ns)
        except LinkError as error:
            self._end_stream(error)
            return None

    def _end_stream(self, error: LinkError) -> None:
        """A slave may end a stream with the session; anything else ends the run."""
        if not self.port.is_stream:
            raise error
        self.ended = True
        self.connected = False

    def _answer(self, start_ns: int, wait_ns: int) -> bytes | None:
        limit = min(start_ns + max(self.limits.patience_ns, wait_ns), self._rule_end_ns)
        until = min(start_ns + wait_ns, limit)
        while (message := self._receive(until)) is not None:
            if self._sort(message):
                return message.packet
            if message.packet[:2] == bytes((PID_EV, EventCode.EV_CMD_PENDING)):
                until = min(self.port.now_ns() + wait_ns, limit)
        return None

    def _sort(self, message: Message) -> bool:
        """True for an answer; everything else is put where it belongs."""
        packet, seen = message.packet, self.observed
        pid = packet[0]
        if pid < PID_SERV:
            if not self.measuring:
                seen.idle_dtos += 1
            if len(self.dtos) < _KEEP_DTOS:
                self.dtos.append((message.t_ns, packet))
            return False
        seen.longest_answer = max(seen.longest_answer, len(packet))
        if pid == PID_ERR:
            seen.errors.add(packet[1] if len(packet) > 1 else -1)
        elif pid in (PID_EV, PID_SERV):
            kept = seen.events if pid == PID_EV else seen.services
            if len(kept) < _KEEP_OTHERS:
                kept.append(packet)
        return pid in (PID_RES, PID_ERR)

    def _clear_line(self) -> None:
        """Whatever answers wait now belong to no question."""
        while (message := self._receive(self.port.now_ns())) is not None:
            if self._sort(message):
                self._note_stray(message.packet)

    def _note_stray(self, packet: bytes) -> None:
        if self._owed:  # late, not too many: a question before was not answered in time
            self._owed -= 1
            return
        if len(self.observed.strays) < _KEEP_OTHERS:
            self.observed.strays.append((self._last_asked, packet))

    def _go_on(self) -> None:
        now = self.port.now_ns()
        if now >= self._end_ns:
            raise TimeIsUpError("run: its time is up.", hint="Allow more with --limit.")
        if now >= self._rule_end_ns:
            raise FaultError("the rule could not be finished in its time.")

    # -- transcript -------------------------------------------------------------------------------

    def begin_rule(self) -> None:
        """Start a new transcript and the time of a rule."""
        self._steps, self._left_out = [], 0
        self._rule_end_ns = min(self.port.now_ns() + self.limits.rule_ns, self._end_ns)

    def cite(self, name: str) -> None:
        """Put what an earlier rule asked into the transcript, once."""
        for step in self._sources.get(name, ()):
            if step not in self._steps and len(self._steps) < _KEEP_STEPS:
                self._steps.append(step)

    def witness(self, asked: bytes, *came: bytes) -> None:
        """Put something that was seen earlier into the transcript."""
        self._keep(asked, came, self.port.now_ns())

    def begin_last(self) -> None:
        """A little time for the last words, also when the time of the run is up."""
        self._end_ns = self.port.now_ns() + 4 * self.limits.answer_ns
        self._steps, self._left_out = [], 0
        self._rule_end_ns = self._end_ns

    def transcript(self) -> tuple[tuple[Step, ...], int]:
        """The steps of the rule so far, and how many were not kept."""
        return tuple(self._steps), self._left_out

    def _keep(self, asked: bytes, came: tuple[bytes, ...], t_ns: int) -> None:
        if len(self._steps) >= _KEEP_STEPS:
            self._left_out += 1
            return
        self._steps.append(Step(asked, came, t_ns - self._start_ns, self.profile))

    # -- judging ----------------------------------------------------------------------------------

    @staticmethod
    def demand(met: object, text: str) -> None:
        """Fail the rule unless the condition holds."""
        if not met:
            raise FaultError(text)

    def subject(self, question: Request[Any] | bytes, need: int = 1) -> bytes:
        """The positive answer that the rule is about.

        Raises:
            FaultError: no answer, a refusal, or fewer bytes than the layout has.
            SkippedError: the slave does not have the command, or has it locked or busy.
        """
        name = command_name(self.bytes_of(question))
        answer = self._patiently(question)
        if answer is None:
            raise FaultError(f"{name} was not answered.")
        if answer[0] == PID_ERR:
            self._maybe_skip(name, answer)
            raise FaultError(f"{name} was refused with {error_name(answer[1])}.")
        if len(answer) < need:
            raise FaultError(f"the answer to {name} has {len(answer)} bytes instead of {need}.")
        return answer

    def use(self, request: Request[R]) -> R:
        """The decoded answer to a step that other rules judge.

        Raises:
            SkippedError: it cannot be had.
        """
        packet = self.bytes_of(request)
        answer = self._patiently(request)
        name = command_name(packet)
        if answer is None:
            raise SkippedError(f"builds on {name}, which was not answered.")
        if answer[0] == PID_ERR:
            self._maybe_skip(name, answer)
            raise SkippedError(f"builds on {name}, which was refused with {error_name(answer[1])}.")
        codec = codec_for(request.__command__.response, self.profile.byte_order, self.profile.ag)
        try:
            found: R = codec.decode(answer, request)
        except WireError as cause:
            raise SkippedError(f"builds on {name}, whose answer does not fit.") from cause
        return found

    def refused(self, question: Request[Any] | bytes, *codes: ErrorCode) -> bytes:
        """The refusal that the rule is about: an ERR packet with one of the codes.

        Raises:
            FaultError: no answer, a positive one, or another code.
            SkippedError: the slave does not have the command, or has it locked or busy.
        """
        packet = self.bytes_of(question)
        name = command_name(packet)
        wanted = " or ".join(code.name for code in codes)
        answer = self._patiently(question, expected=codes)
        if answer is None:
            raise FaultError(f"{name} was not answered; {wanted} was to come.")
        if answer[0] != PID_ERR:
            raise FaultError(f"{name} was accepted; {wanted} was to come.")
        if len(answer) < 2 or answer[1] not in codes:
            self._maybe_skip(name, answer)
            raise FaultError(
                f"{name} was refused with {error_name(answer[1])} instead of {wanted}."
            )
        return answer

    def silent_to(self, packet: bytes, why: str) -> None:
        """Fail the rule when the packet is answered."""
        answer = self.ask(packet, wait_ns=self.limits.quiet_ns)
        if answer is not None:
            raise FaultError(f"{command_name(packet)} was answered {why}.")

    def knows(self, packet: bytes) -> bool | None:
        """Whether the slave has a command, asked with a packet too short to do anything; None = locked."""
        answer = self._patiently(packet)
        if answer is None:
            raise SkippedError(f"builds on {command_name(packet)}, which was not answered.")
        if answer[0] == PID_ERR and len(answer) > 1:
            if answer[1] == ErrorCode.ERR_ACCESS_LOCKED:
                return None
            return answer[1] not in _UNKNOWN
        return True

    def _patiently(
        self, question: Request[Any] | bytes, expected: tuple[ErrorCode, ...] = ()
    ) -> bytes | None:
        answer = self.ask(question)
        for _ in range(_BUSY_TRIES):
            code = answer[1] if answer is not None and answer[0] == PID_ERR and answer[1:] else -1
            if code not in {int(one) for one in _BUSY if one not in expected}:
                break
            self.listen(self.limits.quiet_ns)
            answer = self.ask(question)
        return answer

    @staticmethod
    def _maybe_skip(name: str, answer: bytes) -> None:
        code = answer[1] if len(answer) > 1 else -1
        if code in _UNKNOWN:
            raise SkippedError(f"the slave does not have {name}.")
        if code == ErrorCode.ERR_ACCESS_LOCKED:
            raise SkippedError(f"{name} is locked; unlock the resource or leave the group out.")
        if code in _BUSY:
            raise SkippedError(f"{name} is not possible now ({error_name(code)}).")

    # -- session ----------------------------------------------------------------------------------

    def connect(self) -> bytes | None:
        """Send CONNECT and take over what the answer says; None when there is no positive answer."""
        answer = self.ask(bytes((Connect.__command__.code, 0)))
        self.measuring = self.opened = False
        if answer is None or answer[0] != PID_RES:
            self.connected = False
            return None
        self.connected = True
        if not self.connect_packet:
            self.connect_packet = answer
            self._take_over(answer)
            self._sources["connect"] = tuple(self._steps[-1:])
        return answer

    def _take_over(self, answer: bytes) -> None:
        if len(answer) < 8:
            return
        order = ByteOrder.MOTOROLA if answer[2] & 1 else ByteOrder.INTEL
        self.profile = Profile.from_connect(codec_for(ConnectResponse, order).decode(answer))

    @property
    def unusable(self) -> str:
        """Why nothing can be built on the CONNECT response; empty when it will do."""
        packet, profile = self.connect_packet, self.profile
        if len(packet) < 8:
            return "the answer to CONNECT is too short"
        if packet[2] >> 1 & 3 == 3:
            return "the address granularity is none that exists"
        if profile.max_cto < 8 or profile.max_dto < 8:
            return "MAX_CTO or MAX_DTO is too small"
        return ""

    def disconnect(self) -> bytes | None:
        """Send DISCONNECT; the session counts as ended whatever comes."""
        answer = self.ask(Disconnect())
        if answer is not None and answer[0] == PID_RES:
            self.connected = False
            self.measuring = False
        return answer

    @property
    def running_at_start(self) -> bool:
        """True when lists ran already at the first CONNECT."""
        return len(self.status_at_start) > 1 and bool(self.status_at_start[1] & 0x40)

    def note_status(self) -> None:
        """Keep the first GET_STATUS answer; rules ask for their own."""
        answer = self.ask(GetStatus())
        if answer is not None and answer[0] == PID_RES:
            self.status_at_start = answer
            self._sources["status"] = tuple(self._steps[-1:])

    # -- facts ------------------------------------------------------------------------------------

    def fact(self, name: str, find: Callable[[Probe], T]) -> T:
        """Something found out once and used by many rules; what it skipped with is remembered too.

        What was asked for it stands in the transcript of every rule that uses it.
        """
        if name in self._facts:
            self.cite(name)
        else:
            begin = len(self._steps)
            try:
                self._facts[name] = (find(self), None)
            except SkippedError as skipped:
                self._facts[name] = (None, skipped)
            self._sources[name] = tuple(self._steps[begin:])
        value, why = self._facts[name]
        if why is not None:
            raise SkippedError(str(why))
        found: T = value
        return found
