"""Rules about the clock of a slave and time correlation."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import connect_response, resolution
from xcaliper.conformance.lists import tick_ns
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule
from xcaliper.core.errors import WireError
from xcaliper.wire.codec import codec_for
from xcaliper.xcp import timecorr
from xcaliper.xcp.codes import PID_EV, PID_RES, ErrorCode, EventCode

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_TIM: Final = Group.TIME
_MAY: Final = Permission.DAQ
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_DWORD: Final = 1 << 32
_SIZES: Final = (0, 4, 8, 0)
_WAIT_NS: Final = 300_000_000
_MULTICAST: Final = 2
_COUNTER: Final = 0x5A


def _legacy(probe: Probe) -> int:
    """The clock by a GET_DAQ_CLOCK in legacy form."""
    if not connect_response(probe).resource.daq:
        raise SkippedError("the slave does not announce DAQ.")
    found = probe.use(timecorr.GetDaqClock())
    if not isinstance(found, timecorr.DaqClockLegacy):
        raise SkippedError("the slave answers GET_DAQ_CLOCK in extended form.")
    return found.timestamp


@rule(
    "TIM-001",
    _TIM,
    "GET_DAQ_CLOCK response is complete",
    "The answer to GET_DAQ_CLOCK has 8 bytes.",
    "GET_DAQ_CLOCK, 1.0",
)
def _length(probe: Probe) -> None:
    if not connect_response(probe).resource.daq:
        raise SkippedError("the slave does not announce DAQ.")
    probe.subject(timecorr.GetDaqClock(), 8)


@rule(
    "TIM-002",
    _TIM,
    "The clock goes on",
    "GET_DAQ_CLOCK never goes back, but for its wrap.",
    "GET_DAQ_CLOCK, 1.0",
)
def _monotonous(probe: Probe) -> None:
    values = [_legacy(probe) for _ in range(6)]
    steps = [(b - a) % _DWORD for a, b in itertools.pairwise(values)]
    back = [step for step in steps if step >= _DWORD // 2]
    probe.demand(not back, f"the clock went back in {len(back)} of {len(steps)} readings.")


@rule(
    "TIM-003",
    _TIM,
    "The clock has the announced unit",
    "GET_DAQ_CLOCK counts in the unit of DAQ timestamps.",
    "GET_DAQ_CLOCK, 1.0",
    severity=Severity.DEVIATION,
)
def _rate(probe: Probe) -> None:
    tick = tick_ns(probe)
    if not tick or not resolution(probe).timestamp_mode.size:
        raise SkippedError("the slave has no timestamps.")
    asked = probe.port.now_ns()
    first = _legacy(probe)
    answered = probe.port.now_ns()
    probe.listen(_WAIT_NS)
    again = probe.port.now_ns()
    second = _legacy(probe)
    done = probe.port.now_ns()
    if tick * _DWORD < 2 * (done - asked):
        raise SkippedError("the clock wraps too often.")
    passed = (second - first) % _DWORD * tick
    if passed >= _DWORD // 2 * tick:
        raise SkippedError("builds on a clock that goes on.")
    least, most = again - answered, done - asked
    good = 0.8 * least - tick <= passed <= 1.25 * most + tick
    probe.demand(
        good, f"the clock went {passed / 1e6:g} ms on in {least / 1e6:g} to {most / 1e6:g} ms."
    )


@rule(
    "TIM-004",
    _TIM,
    "Legacy form is plain",
    "In legacy form TRIGGER_INFO and PAYLOAD_FMT are sent as 0.",
    "GET_DAQ_CLOCK, 1.0",
    severity=Severity.NOTE,
)
def _plain(probe: Probe) -> None:
    if not connect_response(probe).resource.daq:
        raise SkippedError("the slave does not announce DAQ.")
    answer = probe.subject(timecorr.GetDaqClock(), 4)
    probe.demand(answer[2:4] == b"\0\0", f"bytes 2 and 3 are {answer[2:4].hex(' ')}.")


@rule(
    "TIM-005",
    _TIM,
    "TIME_CORRELATION_PROPERTIES response is complete",
    "The answer to TIME_CORRELATION_PROPERTIES has 8 bytes.",
    "TIME_CORRELATION_PROPERTIES, 1.3",
)
def _properties(probe: Probe) -> None:
    probe.subject(timecorr.TimeCorrelationProperties(), 8)


@rule(
    "TIM-006",
    _TIM,
    "Legacy after CONNECT",
    "After CONNECT a slave answers in legacy form until the master chooses another one.",
    "TIME_CORRELATION_PROPERTIES, 1.3",
    severity=Severity.DEVIATION,
)
def _starts_legacy(probe: Probe) -> None:
    if probe.connect() is None:
        raise SkippedError("builds on CONNECT in a session, which did not work.")
    found = probe.use(timecorr.TimeCorrelationProperties()).slave_config.response_fmt
    probe.demand(found == 0, f"RESPONSE_FMT is {found} after CONNECT.")


@rule(
    "TIM-007",
    _TIM,
    "Reserved response format",
    "RESPONSE_FMT 3 is reserved and refused with ERR_OUT_OF_RANGE.",
    "TIME_CORRELATION_PROPERTIES, 1.3",
    severity=Severity.DEVIATION,
    needs=_MAY,
)
def _reserved(probe: Probe) -> None:
    probe.use(timecorr.TimeCorrelationProperties())
    wanted = timecorr.SetProperties.of(response_fmt=3)
    try:
        probe.refused(timecorr.TimeCorrelationProperties(set_properties=wanted), _RANGE)
    finally:
        probe.connect()


def _extended(probe: Probe) -> None:
    """Choose the extended form.

    Raises:
        SkippedError: the slave keeps the legacy one.
    """
    if probe.profile.max_cto == 8:
        raise SkippedError("with MAX_CTO 8 there is the legacy form only.")
    wanted = timecorr.SetProperties.of(response_fmt=2)
    found = probe.use(timecorr.TimeCorrelationProperties(set_properties=wanted))
    if found.slave_config.response_fmt != 2:
        raise SkippedError("builds on RESPONSE_FMT, which another rule judges.")


@rule(
    "TIM-008",
    _TIM,
    "Response format is kept",
    "SLAVE_CONFIG tells the response format that was set.",
    "TIME_CORRELATION_PROPERTIES, 1.3",
    needs=_MAY,
)
def _kept(probe: Probe) -> None:
    try:
        probe.use(timecorr.TimeCorrelationProperties())
        wanted = timecorr.SetProperties.of(response_fmt=2)
        request = timecorr.TimeCorrelationProperties(set_properties=wanted)
        found = probe.use(request).slave_config.response_fmt
        probe.demand(found == 2, f"RESPONSE_FMT is {found} after it was set to 2.")
    finally:
        probe.connect()


@rule(
    "TIM-009",
    _TIM,
    "Extended form fits its format byte",
    "The clocks in an extended GET_DAQ_CLOCK are those that PAYLOAD_FMT tells.",
    "GET_DAQ_CLOCK, 1.3",
    needs=_MAY,
)
def _payload(probe: Probe) -> None:
    try:
        _extended(probe)
        answer = probe.subject(timecorr.GetDaqClock(), 4)
        fmt = answer[3]
        codes = (fmt & 3, fmt >> 2 & 3, fmt >> 4 & 3)
        probe.demand(3 not in codes and not fmt & 0x80, f"PAYLOAD_FMT is 0x{fmt:02X}.")
        need = 4 + sum(_SIZES[code] for code in codes)
        probe.demand(need > 4, "no clock is told.")
        probe.demand(len(answer) >= need, f"{len(answer)} bytes came, {need} were announced.")
    finally:
        probe.connect()


def _multicast(probe: Probe, cluster: int) -> list[bytes]:
    """Events on a GET_DAQ_CLOCK_MULTICAST that is sent to this slave alone."""
    packet = b"\xf2\xfa" + cluster.to_bytes(2, "little") + bytes((_COUNTER,))
    kept = len(probe.observed.strays)
    probe.tell(packet)
    came = probe.listen(probe.limits.quiet_ns)
    del probe.observed.strays[kept:]  # judged here
    if any(one[:1] == b"\xfe" and one[1:2] in (b"\x20", b"\x34") for one in came):
        raise SkippedError("the slave does not have GET_DAQ_CLOCK_MULTICAST.")
    return came


@rule(
    "TIM-010",
    _TIM,
    "Multicast has no response",
    "GET_DAQ_CLOCK_MULTICAST is answered by no RES or ERR packet.",
    "GET_DAQ_CLOCK_MULTICAST, 1.3",
)
def _no_response(probe: Probe) -> None:
    probe.use(timecorr.TimeCorrelationProperties())
    came = _multicast(probe, 0xFFFF)
    answers = [packet for packet in came if packet[0] >= PID_RES - 1]
    probe.demand(not answers, f"it was answered with {answers[:1]}.")


@rule(
    "TIM-011",
    _TIM,
    "Multicast in extended form",
    "In extended form a multicast of the own cluster is answered by EV_TIME_SYNC with cluster and "
    "counter.",
    "GET_DAQ_CLOCK_MULTICAST, 1.3",
    severity=Severity.DEVIATION,
    needs=_MAY,
)
def _time_sync(probe: Probe) -> None:
    try:
        _extended(probe)
        cluster = probe.use(timecorr.TimeCorrelationProperties()).cluster_identifier
        came = _multicast(probe, cluster)
        syncs = [p for p in came if p[:2] == bytes((PID_EV, EventCode.EV_TIME_SYNC))]
        if not syncs:
            raise SkippedError("the slave sends no EV_TIME_SYNC on a multicast sent to it alone.")
        probe.demand(len(syncs) == 1, f"{len(syncs)} events came on one multicast.")
        fmt = syncs[0][3]
        at = 4 + sum(_SIZES[code] for code in (fmt & 3, fmt >> 2 & 3, fmt >> 4 & 3))
        tail = syncs[0][at : at + 3]
        good = fmt & 0x40 and probe.number(tail[:2]) == cluster and tail[2:] == bytes((_COUNTER,))
        probe.demand(good, "cluster and counter of the multicast are not in the event.")
    finally:
        probe.connect()


@rule(
    "TIM-012",
    _TIM,
    "Clock information can be read",
    "With GET_CLK_INFO the MTA is set so that UPLOAD gives the blocks that CLOCK_INFO tells.",
    "TIME_CORRELATION_PROPERTIES, 1.3",
)
def _information(probe: Probe) -> None:
    wanted = timecorr.GetPropertiesRequest.of(get_clk_info=1)
    request = timecorr.TimeCorrelationProperties(get_properties_request=wanted)
    info = probe.use(request).clock_info
    if not int(info) & 0x1F:
        raise SkippedError("the slave tells of no clock.")
    ag = probe.profile.ag
    count = min(8 // ag, probe.profile.max_cto // ag - 1)
    answer = probe.ask(bytes((0xF5, count)))
    good = answer is not None and answer[0] == PID_RES and len(answer) >= ag * (1 + count)
    probe.demand(good, "the clock information cannot be uploaded.")


@rule(
    "TIM-013",
    _TIM,
    "Unit of the slave clock exists",
    "The clock information of the slave has a unit from 0 to C and at least one tick.",
    "TIME_CORRELATION_PROPERTIES, 1.3",
)
def _clock_unit(probe: Probe) -> None:
    wanted = timecorr.GetPropertiesRequest.of(get_clk_info=1)
    request = timecorr.TimeCorrelationProperties(get_properties_request=wanted)
    if not probe.use(request).clock_info.slave:
        raise SkippedError("the slave tells nothing of its own clock.")
    data, room = b"", (probe.profile.max_cto // probe.profile.ag - 1) * probe.profile.ag
    while len(data) < 24:
        size = min(room, 24 - len(data))
        answer = probe.ask(bytes((0xF5, size // probe.profile.ag)))
        if answer is None or answer[0] != PID_RES:
            raise SkippedError("builds on clock information that can be read.")
        data += answer[probe.profile.ag :][:size]
    try:
        clock = codec_for(timecorr.ClockInformation, probe.profile.byte_order).decode(data[:24])
    except WireError as cause:
        raise SkippedError("builds on clock information that can be read.") from cause
    good = clock.timestamp_unit <= 0xC and clock.timestamp_ticks
    probe.demand(good, f"the clock counts {clock.timestamp_ticks} of unit {clock.timestamp_unit}.")


@rule(
    "TIM-014",
    _TIM,
    "Cluster is kept",
    "The cluster identifier that was set is told from then on.",
    "TIME_CORRELATION_PROPERTIES, 1.3",
    severity=Severity.DEVIATION,
    needs=_MAY,
)
def _cluster(probe: Probe) -> None:
    before = probe.use(timecorr.TimeCorrelationProperties()).cluster_identifier
    wanted = timecorr.SetProperties.of(set_cluster_id=1)

    def put(cluster: int) -> timecorr.TimeCorrelationProperties:
        return timecorr.TimeCorrelationProperties(set_properties=wanted, cluster_identifier=cluster)

    try:
        probe.use(put(before ^ 0x0123))
        found = probe.use(timecorr.TimeCorrelationProperties()).cluster_identifier
        probe.demand(found == before ^ 0x0123, f"the cluster is 0x{found:04X} after it was set.")
    finally:
        probe.use(put(before))


RULES: Final[tuple[Rule, ...]] = (
    _length,
    _monotonous,
    _rate,
    _plain,
    _properties,
    _starts_legacy,
    _reserved,
    _kept,
    _payload,
    _no_response,
    _time_sync,
    _information,
    _clock_unit,
    _cluster,
)
