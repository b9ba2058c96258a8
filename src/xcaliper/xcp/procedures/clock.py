"""Read and set up the clocks of a slave; what was read as samples with their host interval."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import (
    ExchangeTimeoutError,
    NegativeResponseError,
    UnknownCommandError,
)
from xcaliper.proto.procedure import Tell, ask
from xcaliper.xcp.events import EvTimeSyncExtended, EvTimeSyncLegacy, EvTimeSyncShort
from xcaliper.xcp.procedures.connect import probe
from xcaliper.xcp.procedures.memory import upload
from xcaliper.xcp.timecorr import (
    ClockBlocks,
    DaqClockExtended,
    DaqClockLegacy,
    GetDaqClock,
    GetPropertiesRequest,
    ObservableClocks,
    SetProperties,
    SlaveConfigBits,
    SyncState,
    TimeCorrelationProperties,
    decode_clock_blocks,
)
from xcaliper.xcp.tlcmd import EthGetDaqClockMulticast

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.events import Event, Service
    from xcaliper.xcp.procedures.connect import Session
    from xcaliper.xcp.timecorr import PayloadFmt, TimeCorrelationPropertiesResponse

__all__ = [
    "ALL_INITIATORS",
    "COMMON_INITIATORS",
    "ClockProperties",
    "ClockSample",
    "Stamp",
    "clock_properties",
    "multicast",
    "read_clocks",
    "sample_of_event",
]

#: RESPONSE_FMT: EV_TIME_SYNC for trigger line and multicasts only.
COMMON_INITIATORS: Final = 1
#: RESPONSE_FMT: EV_TIME_SYNC for every initiator.
ALL_INITIATORS: Final = 2

_FIRST_VERSION: Final = (1, 3)
_DWORD: Final = 4
#: How often the properties are asked for when the upload behind them is lost.
_RESTARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Stamp:
    """A timestamp as read.

    Attributes:
        ticks: unsigned.
        size_bytes: 4 or 8.
    """

    ticks: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ClockSample:
    """Clocks of a slave at one instant, and when that was for the host.

    Attributes:
        sent_ns: host time before the instant; None where nothing bounds it (events that the master
            did not ask for).
        received_ns: host time after the instant.
        daq: the clock that stamps DAQ data in the legacy form, which does not say whose it is.
        slave: the XCP slave's clock.
        grandmaster: the grandmaster's.
        ecu: the ECU's.
        sync_state: None when it was not told.
        cluster: (identifier, counter) of the multicast that asked.
        initiator: TRIGGER_INITIATOR of an event, None for an answer.
    """

    sent_ns: int | None
    received_ns: int
    daq: Stamp | None = None
    slave: Stamp | None = None
    grandmaster: Stamp | None = None
    ecu: Stamp | None = None
    sync_state: SyncState | None = None
    cluster: tuple[int | None, int] | None = None
    initiator: int | None = None

    def since(self, sent_ns: int) -> ClockSample:
        """The same, asked for at a time."""
        return replace(self, sent_ns=sent_ns)


@dataclass(frozen=True, slots=True)
class ClockProperties:
    """What a slave says about its clocks.

    Attributes:
        config: response format, which clock stamps, bridge.
        observable: which clocks there are.
        sync_state: how they follow others.
        cluster: cluster identifier.
        blocks: clock information; all None when it was not asked for.
    """

    config: SlaveConfigBits
    observable: ObservableClocks
    sync_state: SyncState
    cluster: int
    blocks: ClockBlocks


def clock_properties(
    session: Session,
    *,
    response_fmt: int = 0,
    bridge: bool | None = None,
    cluster: int | None = None,
    info: bool = True,
) -> Procedure[ClockProperties | None]:
    """Set what is given, ask for the rest; None when the slave knows the legacy form only.

    Args:
        session: of the connection.
        response_fmt: 0 leaves it, :data:`COMMON_INITIATORS` or :data:`ALL_INITIATORS`.
        bridge: switch TIME_SYNC_BRIDGE; None leaves it.
        cluster: identifier to set; None leaves it.
        info: read the clock information blocks as well.

    Raises:
        NegativeResponseError: the slave refuses a setting; nothing has changed then.
        ExchangeTimeoutError: it does not answer SYNCH either, or the link loses too much.
    """
    if (1, 0) < session.protocol_version < _FIRST_VERSION:
        return None  # it said so; minor 0 only means that it does not tell
    request = TimeCorrelationProperties(
        set_properties=SetProperties.of(
            response_fmt=response_fmt,
            time_sync_bridge=0 if bridge is None else 1 if bridge else 2,
            set_cluster_id=int(cluster is not None),
        ),
        get_properties_request=GetPropertiesRequest.of(get_clk_info=int(info)),
        cluster_identifier=cluster or 0,
    )
    turn = 0
    while True:
        try:
            reply = yield from probe(session, request)
        except UnknownCommandError:
            return None
        if reply is None:  # old slaves may stay silent
            session.refused.add(request.__command__.name)
            return None
        try:
            return (yield from _with_blocks(session, reply))
        except ExchangeTimeoutError:  # nobody knows where the MTA is now
            turn += 1
            if turn == _RESTARTS:
                raise


def _with_blocks(
    session: Session, reply: TimeCorrelationPropertiesResponse
) -> Procedure[ClockProperties]:
    size = ClockBlocks.size_bytes(reply.clock_info)
    blocks = ClockBlocks()
    if size:
        memory = yield from upload(session, -(-size // session.profile.ag))
        blocks = decode_clock_blocks(reply.clock_info, memory, session.profile.byte_order)
    return ClockProperties(
        reply.slave_config,
        reply.observable_clocks,
        reply.sync_state,
        reply.cluster_identifier,
        blocks,
    )


def read_clocks(
    now: Callable[[], int], *, attempts: int = 1, timeout_ns: int = 0
) -> Procedure[ClockSample | None]:
    """Every clock that GET_DAQ_CLOCK gives; None when the slave cannot tell (now).

    Args:
        now: host clock in nanoseconds; asked just before the command goes out and just after its
            answer came.
        attempts: a repeated command has a wider interval, which is no error.
        timeout_ns: instead of T1; 0 = T1.
    """
    sent = now()
    try:
        reply = yield from ask(GetDaqClock(), attempts=attempts, timeout_ns=timeout_ns)
    except (NegativeResponseError, ExchangeTimeoutError):
        return None
    received = now()
    if isinstance(reply, DaqClockLegacy):
        return ClockSample(sent, received, daq=Stamp(reply.timestamp, _DWORD))
    assert isinstance(reply, DaqClockExtended), "the only other layout of the answer"
    return _sample(reply, sent, received)


def _stamp(ticks: int | None, code: int) -> Stamp | None:
    return None if ticks is None else Stamp(ticks, 4 * code)


def _sample(
    packet: DaqClockExtended | EvTimeSyncExtended, sent: int | None, received: int
) -> ClockSample:
    fmt: PayloadFmt = packet.payload_fmt
    return ClockSample(
        sent,
        received,
        slave=_stamp(packet.slave_timestamp, fmt.slave),
        grandmaster=_stamp(packet.grandmaster_timestamp, fmt.grandmaster),
        ecu=_stamp(packet.ecu_timestamp, fmt.ecu),
        sync_state=packet.sync_state,
    )


def sample_of_event(event: Event | Service, received_ns: int) -> ClockSample | None:
    """The clocks in an EV_TIME_SYNC of any form; None for other events."""
    if isinstance(event, EvTimeSyncExtended):
        sample = _sample(event, None, received_ns)
        number = None if event.counter is None else (event.cluster_identifier, event.counter)
        initiator = event.trigger_info.trigger_initiator
        return replace(sample, cluster=number, initiator=initiator)
    if isinstance(event, EvTimeSyncShort):
        initiator = event.trigger_info.trigger_initiator
        return ClockSample(
            None,
            received_ns,
            daq=Stamp(event.timestamp, _DWORD),
            cluster=(None, event.counter) if initiator in (2, 3) else None,
            initiator=initiator,
        )
    if isinstance(event, EvTimeSyncLegacy):
        return ClockSample(None, received_ns, daq=Stamp(event.timestamp, _DWORD), initiator=0)
    return None


def multicast(cluster: int, counter: int) -> Procedure[None]:
    """Ask every slave of a cluster for its clocks, where the link itself reaches all of them.

    On Ethernet the same packet goes to a multicast address instead, see
    :class:`~xcaliper.transport.multicast.ClockMulticast`.
    """
    yield Tell(EthGetDaqClockMulticast(cluster_identifier=cluster, counter=counter & 0xFF))
