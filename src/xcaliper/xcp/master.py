"""MasterMachine: one exchange in flight, time-outs and recovery, event packets, no I/O.

The machine runs *procedures*. Each step of a procedure is carried out by a generator, which yields the
time until which it waits and is sent the next answer, or None when that time has passed.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar

from xcaliper.core.errors import LocalProtocolError, XcaliperError
from xcaliper.proto.exchange import Running
from xcaliper.proto.procedure import Ask, Burst, Collect, Pipeline, Step, Tell, Uploads
from xcaliper.xcp import std
from xcaliper.xcp.codes import PID_ERR, PID_EV, PID_RES, PID_SERV, EventCode
from xcaliper.xcp.events import ServText, decode_event, decode_service
from xcaliper.xcp.master_exchange import Exchanger, session_ended
from xcaliper.xcp.master_state import MasterCounters, MasterEvent
from xcaliper.xcp.master_streams import BULK_DONE, BulkOffer, pipeline, uploads
from xcaliper.xcp.profile import Profile
from xcaliper.xcp.recovery import Timers
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from xcaliper.proto.command import CommandTable
    from xcaliper.proto.exchange import Exchange
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.master_exchange import Carrying, Unlocker

__all__ = ["MasterCounters", "MasterEvent", "MasterMachine"]

T = TypeVar("T")

_ATTEMPTS: Final = 3
_MAX_EVENTS: Final = 1024
_MAX_TEXT: Final = 65_536
_S: Final = 1_000_000_000


class MasterMachine:
    """The master role without I/O: one command at a time, several where the slave has a queue.

    A link may do simple exchanges (one command, one answer) by itself while the machine is idle, that
    is, while :attr:`idle` is True: the machine has then nothing in flight and nothing to send. It calls
    :meth:`lose_track` before the next procedure, because such commands move the slave's memory
    transfer address. When an answer does not come, the link calls :meth:`suspect` and runs the same
    command as a procedure; the machine then begins with SYNCH, which also gets rid of the late answer.

    A link that sets ``offer.wanted`` also does runs of UPLOADs: while ``offer.bulk`` is set, it sends
    those commands and collects their data, and calls :meth:`bulk_done` at the end or at the first thing
    that is out of the ordinary; the machine goes on from there.

    Args:
        table: commands, own ones included.
        timers: T1 to T7.
        attempts: how often a command is sent at most, unless its step says otherwise.
        busy_patience_ns: how long ERR_CMD_BUSY and its like are answered by waiting and repeating.
        pending_patience_ns: how long EV_CMD_PENDING may put off the end of one attempt.
        connect_patience_ns: how long CONNECT of a user-defined mode is repeated.
        sleep_patience_ns: how long EV_SLEEP keeps commands back when no EV_WAKE_UP comes.
        transport: name of the transport, for the profile.
        unchecked: packets may arrive damaged, for the link has no checksum. Each procedure then begins
            with SYNCH, so that surplus answers to a damaged command cannot pass for later ones, and
            sets its pointers anew.

    Attributes:
        offer: runs of UPLOADs for the link.
    """

    def __init__(  # noqa: PLR0913 - one keyword per bound
        self,
        table: CommandTable = COMMANDS,
        timers: Timers | None = None,
        *,
        attempts: int = _ATTEMPTS,
        busy_patience_ns: int = 10 * _S,
        pending_patience_ns: int = 60 * _S,
        connect_patience_ns: int = 30 * _S,
        sleep_patience_ns: int = 60 * _S,
        transport: str = "",
        unchecked: bool = False,
    ) -> None:
        self.table = table
        self.offer = BulkOffer()
        self._x = Exchanger(
            timers or Timers(),
            Profile(transport=transport),
            attempts=attempts,
            busy_patience_ns=busy_patience_ns,
            pending_patience_ns=pending_patience_ns,
            connect_patience_ns=connect_patience_ns,
            perform=self._perform,
        )
        self._sleep_patience_ns = sleep_patience_ns
        self._unchecked = unchecked
        self._events: deque[MasterEvent] = deque(maxlen=_MAX_EVENTS)
        self._running: Running[Any] | None = None
        self._action: Carrying | None = None
        self._streaming = False  # answers come while later commands of the same step wait in out
        self._deadline_ns: int | None = None
        self._armed_ns = 0  # when the deadline was set
        self._asleep_since: int | None = None

    # -- what is known ----------------------------------------------------------------------------

    @property
    def profile(self) -> Profile:
        """How the two sides talk; set by CONNECT."""
        return self._x.profile

    @property
    def connected(self) -> bool:
        """True from CONNECT to DISCONNECT, or until the session ended otherwise."""
        return self._x.connected

    @property
    def counters(self) -> MasterCounters:
        """Totals; read them, do not write."""
        return self._x.counters

    @property
    def timers(self) -> Timers:
        """T1 to T7; those of the description once it is known."""
        return self._x.timers

    @timers.setter
    def timers(self, timers: Timers) -> None:
        self._x.timers = timers

    @property
    def unlocker(self) -> Unlocker | None:
        """Gives the procedure that unlocks a resource after ERR_ACCESS_LOCKED; None = give up."""
        return self._x.unlocker

    @unlocker.setter
    def unlocker(self, unlocker: Unlocker | None) -> None:
        self._x.unlocker = unlocker

    @property
    def busy(self) -> Exchange | None:
        """The exchange that the slave puts off, by ERR_CMD_BUSY or EV_CMD_PENDING; None = none."""
        return self._x.busy

    @property
    def asleep(self) -> bool:
        """True from EV_SLEEP to EV_WAKE_UP: commands wait, timers stand still."""
        return self._asleep_since is not None

    # -- procedures -------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """True when no procedure runs and nothing waits to be sent."""
        return self._running is None and not self._x.out

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
        self._x.now_ns = now_ns
        if self._unchecked and self.connected:
            self._x.wary = True
            self._x.pointers.doubt()
        running = Running(procedure)
        self._running = running
        self._proceed(None)
        return running

    def cancel(self, running: Running[Any]) -> None:
        """Give up a procedure; the next one begins with SYNCH if an answer is still due."""
        if running is not self._running:
            return
        if self._x.current is not None or self.offer.bulk is not None:
            self._x.stale = True
        self._x.pointers.forget()
        self._stop_action()
        self._running = None
        self._x.out.clear()
        running.fail(LocalProtocolError("procedure: it was cancelled."))
        running.procedure.close()

    def suspect(self) -> None:
        """An answer may still come that nobody waits for: begin the next command with SYNCH."""
        self._x.stale = True

    def lose_track(self) -> None:
        """Commands that the machine does not know of have moved the memory transfer address."""
        self._x.pointers.forget()

    def bulk_done(self, now_ns: int) -> None:
        """The link has done the bulk of :attr:`offer`, or cannot go on with it."""
        self._x.now_ns = now_ns
        self._resume(BULK_DONE)

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
            self._streaming = isinstance(step, Uploads | Pipeline)
            done, answer, error = self._advance(None)
            if not done:
                return

    def _advance(self, packet: bytes | None) -> tuple[bool, Any, XcaliperError | None]:
        """Let the step in progress go on; done means that the procedure gets its answer."""
        action = self._action
        assert action is not None, "only called while a step is carried out"
        try:
            self._deadline_ns = action.send(packet)
            self._armed_ns = self._x.now_ns
        except StopIteration as stop:
            self._stop_action()
            return True, stop.value, None
        except XcaliperError as error:
            self._stop_action()
            if packet is not None:
                self._x.out.clear()  # the rest of a stream that was refused
            return True, None, error
        return False, None, None

    def _stop_action(self) -> None:
        assert self._action is not None, "a procedure that runs has a step that is carried out"
        self._action.close()
        self._action = None
        self._x.current = None
        self._deadline_ns = None

    def _resume(self, packet: bytes | None) -> None:
        done, answer, error = self._advance(packet)
        if done:
            self._proceed(answer, error)

    # -- machine ----------------------------------------------------------------------------------

    def receive(self, packet: bytes, now_ns: int) -> None:
        """Feed a packet of the slave; anything but RES, ERR, EV and SERV is counted and dropped."""
        self._x.now_ns = now_ns
        pid = packet[0] if packet else 0
        if pid == PID_RES or (pid == PID_ERR and len(packet) > 1):
            self.counters.answers += 1
            # Nobody answers what was not sent; of a stream, the first commands may have been.
            unsent = self._x.out and (self.asleep or not self._streaming)
            if self._action is None or unsent:
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
        self._x.now_ns = max(now_ns, self._x.now_ns)
        limit = self._sleep_limit()
        if limit is not None:
            if now_ns < limit:
                return
            self._wake()
        if self._deadline_ns is not None and now_ns >= self._deadline_ns:
            self._resume(None)

    def due(self) -> int | None:
        """Next deadline in nanoseconds, None when nothing is awaited."""
        limit = self._sleep_limit()
        if limit is None or self._deadline_ns is None:
            return self._deadline_ns
        return limit

    def outgoing(self) -> list[bytes]:
        """Commands to send, in order; each is given out once."""
        if self.asleep:
            return []
        out, self._x.out = self._x.out, []
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
        self._events.append(MasterEvent(self._x.now_ns, event.name, event))
        current = self._x.current
        if event.code == EventCode.EV_CMD_PENDING and current is not None:
            current.restart(self._x.now_ns)
            self._deadline_ns = current.deadline_ns
            current.granted_ns, self._x.busy = current.limit_ns, current
        elif event.code == EventCode.EV_SESSION_TERMINATED:
            self._end_session("the slave ended it")
        elif event.code == EventCode.EV_SLEEP and not self.asleep:
            self._asleep_since = self._x.now_ns
        elif event.code == EventCode.EV_WAKE_UP and self.asleep:
            self._wake()

    def _sleep_limit(self) -> int | None:
        """When a sleeping slave is taken for awake; None when it does not sleep."""
        since = self._asleep_since
        return None if since is None else since + self._sleep_patience_ns

    def _wake(self) -> None:
        """The slave listens again: what it slept through does not count for any timer.

        *(XCP Base, EV_SLEEP and EV_WAKE_UP, 1.1)*
        """
        assert self._asleep_since is not None, "only called while it sleeps"
        slept_ns = self._x.now_ns - max(self._asleep_since, self._armed_ns)
        self._asleep_since = None
        if self._deadline_ns is not None:
            self._deadline_ns += slept_ns
        if self._x.current is not None:
            self._x.current.suspend(slept_ns)

    def _end_session(self, reason: str) -> None:
        self._x.end(reason)
        self._asleep_since = None
        if self._running is not None and self._action is not None:
            self._stop_action()
            self._proceed(None, session_ended(reason))

    def _service(self, packet: bytes) -> None:
        service = decode_service(packet, self.profile.byte_order)
        if not isinstance(service, ServText):
            self._events.append(MasterEvent(self._x.now_ns, service.name, service))
            return
        self._x.text += service.data.partition(b"\0")[0]
        if service.is_last or len(self._x.text) > _MAX_TEXT:
            text = self._x.text[:_MAX_TEXT].decode("ascii", "replace")
            self._events.append(MasterEvent(self._x.now_ns, service.name, service, text))
            self._x.text.clear()

    # -- steps ------------------------------------------------------------------------------------

    def _perform(self, step: Step) -> Carrying:
        x = self._x
        if isinstance(step, Ask):
            return self._ask(step)
        if isinstance(step, Uploads):
            return uploads(x, step, self.offer)
        if isinstance(step, Pipeline):
            return pipeline(x, step)
        if isinstance(step, Burst):
            return self._burst(step)
        if isinstance(step, Collect):
            return self._collect(step)
        return self._tell(step)

    def _ask(self, step: Ask) -> Carrying:
        x, request = self._x, step.request
        exchange = x.begin(request, step)
        if isinstance(request, std.Synch):
            return (yield from x.ask_synch(exchange))
        if step.unless_set and not x.stale and x.pointers.is_at(request):
            return std.EmptyResponse()
        answers = yield from x.converse(exchange, (request,), 1)
        return answers[0]

    def _burst(self, step: Burst) -> Carrying:
        x = self._x
        exchange = x.begin(step.requests[-1])
        answers = yield from x.converse(exchange, step.requests, 1, step.separation_ns)
        return answers[0]

    def _collect(self, step: Collect) -> Carrying:
        x, request = self._x, step.request
        return (yield from x.converse(x.begin(request), (request,), step.count))

    def _tell(self, step: Tell) -> Carrying:
        self._x.begin(step.request)
        self._x.out.append(self._x.encode(step.request))
        self._x.pointers.doubt()
        yield from ()  # a generator like the other steps, though it waits for nothing
