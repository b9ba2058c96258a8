"""Steps with many commands: runs of UPLOADs, and commands that wait at the slave (interleaved mode)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import NegativeResponseError, WireError
from xcaliper.xcp import std
from xcaliper.xcp.codes import PID_ERR
from xcaliper.xcp.recovery import Action, reaction_to

if TYPE_CHECKING:
    from xcaliper.proto.exchange import Exchange
    from xcaliper.proto.procedure import Pipeline, Uploads
    from xcaliper.xcp.master_exchange import Carrying, Exchanger

__all__ = ["BULK_DONE", "Bulk", "BulkOffer", "pipeline", "uploads"]

#: What the machine sends into a step whose bulk has been done.
BULK_DONE: Final = b""
#: Commands of one bulk; progress is told between two of them.
_BULK_COMMANDS: Final = 256


@dataclass(slots=True)
class Bulk:
    """A run of UPLOADs that a link may do by itself, one after the other.

    Attributes:
        packets: the commands.
        sizes: per command, bytes of data in each of its responses.
        head: bytes before the data of a response.
        data: data of the responses so far, in order; of commands that were answered wholly.
        done: commands that were answered wholly.
    """

    packets: list[bytes]
    sizes: list[tuple[int, ...]]
    head: int
    data: list[bytes] = field(default_factory=list)
    done: int = 0


@dataclass(slots=True)
class BulkOffer:
    """Where a machine and a link meet.

    Attributes:
        wanted: the link looks for bulks.
        bulk: the one to do now; None = none.
    """

    wanted: bool = False
    bulk: Bulk | None = None


def uploads(x: Exchanger, step: Uploads, offer: BulkOffer) -> Carrying:
    """Carry out a run of UPLOADs; gives the bytes.

    A bulk that did not end well is a time-out of the command it stopped at: SYNCH gets rid of what is
    still coming, SET_MTA restores the pointer, and the run goes on.
    """
    out = bytearray()
    counts = step.counts
    at = 0
    while at < len(counts):
        if offer.wanted and len(counts) - at > 1:
            at += yield from _bulk(x, counts[at : at + _BULK_COMMANDS], offer, out)
        else:
            yield from _one(x, counts[at], out)
            at += 1
        if step.progress is not None:
            step.progress(len(out))
    return bytes(out)


def _one(x: Exchanger, count: int, out: bytearray) -> Carrying:
    """One command by the machine's own means."""
    request = std.Upload(count=count)
    room = x.max_cto // x.profile.ag - 1
    replies = yield from x.converse(x.begin(request), (request,), -(-count // room))
    for reply in replies:
        out += reply.data


def _bulk(x: Exchanger, counts: tuple[int, ...], offer: BulkOffer, out: bytearray) -> Carrying:
    """Let the link do commands; gives how many were done. Where it stopped, one is done by hand."""
    first = std.Upload(count=counts[0])
    yield from x.settle(x.begin(first), first)
    bulk = _prepared(x, counts)
    offer.bulk = bulk
    try:
        told = yield x.now_ns + x.timers.t1_ns
    finally:
        offer.bulk = None
    for data in bulk.data:
        out += data
    done = bulk.done
    x.pointers.advance(sum(counts[:done]))
    x.counters.exchanges += done
    if done == len(counts):
        return done
    yield from _after_trouble(x, std.Upload(count=counts[done]), told, len(bulk.sizes[done]))
    yield from _one(x, counts[done], out)
    return done + 1


def _prepared(x: Exchanger, counts: tuple[int, ...]) -> Bulk:
    ag = x.profile.ag
    room = x.max_cto // ag - 1
    packets: dict[int, bytes] = {}
    sizes: dict[int, tuple[int, ...]] = {}
    for count in set(counts):
        packets[count] = x.encode(std.Upload(count=count))
        whole, rest = divmod(count, room)
        sizes[count] = (room * ag,) * whole + ((rest * ag,) if rest else ())
    return Bulk([packets[n] for n in counts], [sizes[n] for n in counts], ag)


def _after_trouble(
    x: Exchanger, request: std.Upload, told: bytes | None, responses: int
) -> Carrying:
    """Recover from what ended a bulk: a refusal, a packet that does not fit, or a time-out."""
    error = None
    if not told:
        x.counters.timeouts += 1
    elif told[0] != PID_ERR:
        x.counters.stray += 1
    elif not x.is_late_synch(told):
        error = x.refusal(told, request)
    x.stale = x.stale or responses > 1
    yield from x.react(x.begin(request), (request,), error, whole=responses > 1)


def pipeline(x: Exchanger, step: Pipeline) -> Carrying:
    """Carry out requests with several on their way; gives the list of answers, in order.

    The timer is that of the oldest one. After a time-out, or an error that calls for repetition, SYNCH
    empties the slave's queue; everything from the first unanswered request on is sent again, pointers
    restored before.
    """
    run = _PipelineRun(x, step)
    while len(run.answers) < len(step.requests):
        request = step.requests[len(run.answers)]
        if run.exchange is None:
            run.exchange = x.begin(request)
        yield from x.settle(run.exchange, request)
        error = yield from run.flow()
        if error is not None or len(run.answers) < len(step.requests):
            yield from run.recover(error)
    return run.answers


class _PipelineRun:
    """State of one pipeline: answers so far, and the exchange of the oldest request without one."""

    def __init__(self, x: Exchanger, step: Pipeline) -> None:
        self.x = x
        self.step = step
        self.packets = [x.encode(request) for request in step.requests]
        self.answers: list[Any] = []
        self.exchange: Exchange | None = None
        self.sent = 0

    def flow(self) -> Carrying:
        """Send and take answers until all are there: None; or until an error, or a time-out: None."""
        x, requests = self.x, self.step.requests
        self.sent = len(self.answers)
        while len(self.answers) < len(requests):
            at = len(self.answers)
            request = requests[at]
            if self.exchange is None:
                self.exchange = x.begin(request)
            self._fill(at, self.exchange)
            packet = yield self.exchange.deadline_ns
            if packet is None:
                x.counters.timeouts += 1
                return None
            if packet[0] == PID_ERR:
                if x.is_late_synch(packet):
                    continue
                error = x.refusal(packet, request)
                if not self._may_stand(error):
                    return error
                self._take(error)
                continue
            if x.is_echo(packet, request):
                continue
            try:
                answer = x.decode(request, packet)
            except WireError as cause:
                x.complain(self.exchange, cause)
                continue
            x.done((request,), (answer,))
            self._take(answer)
        return None

    def _fill(self, at: int, exchange: Exchange) -> None:
        """Send what the slave's queue has room for; start the timer of the oldest."""
        x = self.x
        end = min(len(self.packets), at + 1 + max(self.step.queue, 0))
        if self.sent < end:
            x.out.extend(self.packets[self.sent : end])
            self.sent = end
        if x.current is not exchange:
            x.current = exchange
            exchange.send(x.now_ns)

    def _may_stand(self, error: NegativeResponseError) -> bool:
        """True when a refusal simply takes the place of the answer."""
        request: Any = error.request
        action = reaction_to(request.__command__, error.code).action
        return self.step.independent and action not in (Action.REPEAT, Action.END_SESSION)

    def _take(self, answer: Any) -> None:
        self.answers.append(answer)
        self.exchange = self.x.current = None

    def recover(self, error: NegativeResponseError | None) -> Carrying:
        """What the matrix says about the oldest request; those behind it are thrown away by SYNCH."""
        x = self.x
        at = len(self.answers)
        if self.sent > at + 1:
            x.stale = True
        assert self.exchange is not None, "set for the oldest request"
        try:
            yield from x.react(self.exchange, (self.step.requests[at],), error)
        except NegativeResponseError as refusal:
            if not self.step.independent or x.ended:
                raise
            self._take(refusal)
