"""Steps with many commands: runs of UPLOADs, and commands that wait at the slave (interleaved mode)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import NegativeResponseError, WireError
from xcaliper.xcp import std
from xcaliper.xcp.codes import PID_ERR
from xcaliper.xcp.master_answers import refusal
from xcaliper.xcp.recovery import Action, reaction_to

if TYPE_CHECKING:
    from xcaliper.proto.command import Request
    from xcaliper.proto.procedure import Pipeline, Uploads
    from xcaliper.xcp.master_exchange import Carrying, Exchanger
    from xcaliper.xcp.master_state import Pointers

__all__ = ["BULK_DONE", "Bulk", "BulkOffer", "pipeline", "uploads"]

#: What the machine sends into a step whose bulk has been done.
BULK_DONE: Final = b""
#: Commands of one bulk; progress is told between two of them.
_BULK_COMMANDS: Final = 256
#: Requests of a pipeline whose answers count together.
_BATCH: Final = 32


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
        error = refusal(told, request)
    x.stale = x.stale or responses > 1
    yield from x.react(x.begin(request), (request,), error, whole=responses > 1)


def pipeline(x: Exchanger, step: Pipeline) -> Carrying:
    """Carry out requests with several on their way; gives the list of answers, in order.

    Answers carry no number: when a request gets lost, those behind it answer for the one before. So
    requests go in batches, and answers count only when each request of the batch had one. After a
    time-out, or an error that calls for repetition, SYNCH empties the slave's queue, and the batch is
    done again with one command at a time, pointers restored before.
    """
    answers: list[Any] = []
    for at in range(0, len(step.requests), _BATCH):
        batch = _Batch(x, step.requests[at : at + _BATCH], step)
        answers += yield from batch.carry_out()
    return answers


class _Batch:
    """Requests of a pipeline whose answers count together."""

    def __init__(self, x: Exchanger, requests: tuple[Request[Any], ...], step: Pipeline) -> None:
        self.x = x
        self.requests = requests
        self.independent = step.independent
        self.depth = 1 + max(step.queue, 0)
        self.packets = [x.encode(request) for request in requests]
        self.answers: list[Any] = []
        self.exchange = x.begin(requests[0])
        self.is_running = False  # the timer of the oldest request
        self.sent = 0

    def carry_out(self) -> Carrying:
        """The answers."""
        x = self.x
        before = replace(x.pointers)
        while True:
            yield from x.settle(self.exchange, self.requests[0])
            error = yield from self._flow()
            if error is None and len(self.answers) == len(self.requests):
                return self.answers
            yield from self._recover(error, before)

    def _flow(self) -> Carrying:
        """Send and take answers: a refusal that calls for more, or None at the end or a time-out."""
        x, requests = self.x, self.requests
        self.sent = len(self.answers)
        while len(self.answers) < len(requests):
            request = requests[len(self.answers)]
            self._fill()
            packet = yield self.exchange.deadline_ns
            if packet is None:
                x.counters.timeouts += 1
                return None
            if packet[0] == PID_ERR:
                if x.is_late_synch(packet):
                    continue
                error = refusal(packet, request)
                if not self._may_stand(error, request):
                    return error
                self._take(error)
            elif not x.is_echo(packet, request):
                try:
                    answer = x.decode(request, packet)
                except WireError as cause:
                    x.complain(self.exchange, cause)
                    continue
                x.done((request,), (answer,))
                self._take(answer)
        return None

    def _fill(self) -> None:
        """Send what the slave's queue has room for; start the timer of the oldest."""
        x = self.x
        end = min(len(self.packets), len(self.answers) + self.depth)
        if self.sent < end:
            x.out.extend(self.packets[self.sent : end])
            self.sent = end
        if not self.is_running:
            self.is_running = True
            x.current = self.exchange
            self.exchange.send(x.now_ns)

    def _may_stand(self, error: NegativeResponseError, request: Request[Any]) -> bool:
        """True when a refusal simply takes the place of the answer."""
        action = reaction_to(request.__command__, error.code).action
        return self.independent and action not in (Action.REPEAT, Action.END_SESSION)

    def _take(self, answer: Any) -> None:
        self.answers.append(answer)
        self.is_running = False
        if len(self.answers) < len(self.requests):
            self.exchange = self.x.begin(self.requests[len(self.answers)])

    def _recover(self, error: NegativeResponseError | None, before: Pointers) -> Carrying:
        """What the matrix says about the oldest request; then the batch goes on, one at a time."""
        x = self.x
        at = len(self.answers)
        request = again = self.requests[at]
        self.is_running = False
        together = self.depth > 1
        if together:
            self.depth = 1
            self.answers.clear()
            x.pointers = replace(before)
            again = self.requests[0]
            x.stale = x.stale or self.sent > at + 1
        try:
            yield from x.react(self.exchange, (request,), error, again=again)
        except NegativeResponseError as refusal:
            if not self.independent or x.ended:
                raise
            if not together:  # else its place is found when the batch is done one at a time
                self._take(refusal)
        if together and at:
            self.exchange = x.begin(again)
