"""Rules about the transport, and about everything that came during the run without being asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import daq_info
from xcaliper.conformance.model import Group, Rule, Severity, SkippedError, rule
from xcaliper.conformance.words import command_name
from xcaliper.core.errors import WireError
from xcaliper.xcp.codes import PID_RES, ErrorCode, EventCode, ServiceCode
from xcaliper.xcp.events import decode_event

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["LAST", "RULES"]

_TRN: Final = Group.TRANSPORT
_OBS: Final = Group.OBSERVED
_STATUS: Final = b"\xfd"
_SYNCH: Final = b"\xfc"
_ETH: Final = "XCP on Ethernet, header, 1.0"


@rule(
    "TRN-001",
    _TRN,
    "Several commands in one datagram",
    "Messages that share a datagram, or a piece of a stream, are all served.",
    _ETH,
)
def _together(probe: Probe) -> None:
    answers = probe.ask_together(_STATUS, _STATUS)
    if not answers or answers[0][0] != PID_RES:
        raise SkippedError("builds on GET_STATUS, which another rule judges.")
    probe.demand(len(answers) == 2, "the second of two commands in a datagram was not answered.")


@rule(
    "TRN-002",
    _TRN,
    "Counter of the master",
    "A gap in the counters of the master does not keep a slave from answering.",
    _ETH,
    severity=Severity.DEVIATION,
)
def _counter_gap(probe: Probe) -> None:
    probe.messages.skip_counter(3)
    answer = probe.ask(_SYNCH)
    probe.demand(answer is not None, "a command behind a gap in CTR was not answered.")


@rule(
    "TRN-003",
    _TRN,
    "Counter after CONNECT",
    "The counter of the slave starts with 0 at the answer to CONNECT.",
    _ETH,
    severity=Severity.NOTE,
)
def _first_counter(probe: Probe) -> None:
    found = [one for one in probe.messages.facts.first_after_connect if one]
    probe.demand(not found, f"the answer to CONNECT had the counter {found[:3]}.")


@rule(
    "TRN-004",
    _TRN,
    "Counters without gaps",
    "CTR grows by 1 from message to message. Lost datagrams look the same: try a direct link.",
    _ETH,
)
def _counters(probe: Probe) -> None:
    gaps = probe.messages.facts.gaps
    probe.demand(not gaps, f"{len(gaps)} times; first {gaps[:1]} (expected, found).")


@rule(
    "TRN-005",
    _TRN,
    "LEN fits the datagram",
    "LEN is the number of bytes of the packet; a message never spans two datagrams.",
    _ETH,
)
def _lengths(probe: Probe) -> None:
    found = probe.messages.facts.overlong
    probe.demand(not found, f"{len(found)} messages; first (LEN, bytes there): {found[:1]}.")


def _limits_known(probe: Probe) -> None:
    if probe.unusable:
        raise SkippedError(f"builds on CONNECT: {probe.unusable}.")


@rule(
    "TRN-006",
    _TRN,
    "No message beyond its limit",
    "No message is longer than MAX_CTO and MAX_DTO.",
    _ETH,
)
def _longest(probe: Probe) -> None:
    _limits_known(probe)
    found = probe.messages.facts.longest
    most = max(probe.profile.max_cto, probe.profile.max_dto)
    probe.demand(found <= most, f"a message had {found} bytes; the limit is {most}.")


@rule(
    "OBS-001",
    _OBS,
    "Every answer belongs to a command",
    "Exactly one RES or ERR answers each command, outside of block transfer.",
    "packet types, 1.0",
)
def _strays(probe: Probe) -> None:
    found = probe.observed.strays
    for asked, packet in found[:8]:
        probe.witness(asked, packet)
    after = command_name(found[0][0]) if found else ""
    probe.demand(not found, f"{len(found)} answers too many; the first after {after}.")


@rule(
    "OBS-002",
    _OBS,
    "Error codes exist",
    "ERR packets carry an error code of the standard.",
    "error codes, 1.0",
    severity=Severity.DEVIATION,
)
def _errors(probe: Probe) -> None:
    found = sorted(probe.observed.errors - {int(code) for code in ErrorCode})
    words = [f"0x{code:02X}" if code >= 0 else "none at all" for code in found]
    probe.demand(not found, f"error codes {', '.join(words)}.")


@rule(
    "OBS-003",
    _OBS,
    "Answers fit MAX_CTO",
    "No RES, ERR, EV or SERV packet exceeds MAX_CTO.",
    "packet types, 1.0",
)
def _longest_answer(probe: Probe) -> None:
    _limits_known(probe)
    found, most = probe.observed.longest_answer, probe.profile.max_cto
    probe.demand(found <= most, f"an answer had {found} bytes; MAX_CTO is {most}.")


@rule(
    "OBS-004",
    _OBS,
    "Events exist and are complete",
    "EV packets carry an event code of the standard and the bytes of its layout.",
    "event codes, 1.0",
    severity=Severity.DEVIATION,
)
def _events(probe: Probe) -> None:
    known = {int(code) for code in EventCode}
    for packet in probe.observed.events:
        probe.witness(b"", packet)
        code = packet[1] if len(packet) > 1 else -1
        probe.demand(code in known, f"event packet {packet.hex(' ')}: no such event.")
        try:
            decode_event(packet, probe.profile.byte_order, max_cto=probe.profile.max_cto)
        except WireError as cause:
            probe.demand(met=False, text=f"event packet {packet.hex(' ')}: {cause}")


@rule(
    "OBS-005",
    _OBS,
    "Service requests exist",
    "SERV packets carry a service request code of the standard.",
    "service request codes, 1.0",
    severity=Severity.DEVIATION,
)
def _services(probe: Probe) -> None:
    known = {int(code) for code in ServiceCode}
    probe.witness(b"", *probe.observed.services[:8])
    wrong = [p.hex(" ") for p in probe.observed.services if len(p) < 2 or p[1] not in known]
    probe.demand(not wrong, f"service requests {wrong[:3]}.")


@rule(
    "OBS-006",
    _OBS,
    "DAQ packets come from lists that run",
    "No DAQ packet comes while no list was started.",
    "packet types, 1.0",
    severity=Severity.DEVIATION,
)
def _idle(probe: Probe) -> None:
    if probe.running_at_start:
        raise SkippedError("lists ran already at the first CONNECT.")
    found = probe.observed.idle_dtos
    probe.demand(not found, f"{found} DAQ packets came while no list ran.")


@rule(
    "OBS-007",
    _OBS,
    "Overload is told as announced",
    "EV_DAQ_OVERLOAD comes only where DAQ_PROPERTIES announces it.",
    "EV_DAQ_OVERLOAD, 1.0",
    severity=Severity.DEVIATION,
)
def _overload(probe: Probe) -> None:
    if daq_info(probe).daq_properties.overload_event:
        raise SkippedError("the slave announces EV_DAQ_OVERLOAD.")
    for packet in probe.observed.events:
        if packet[1:2] == bytes((EventCode.EV_DAQ_OVERLOAD,)):
            probe.witness(b"", packet)
            probe.demand(met=False, text="EV_DAQ_OVERLOAD came, which is not announced.")


RULES: Final[tuple[Rule, ...]] = (_together, _counter_gap)
#: Rules about the whole run, judged at its end.
LAST: Final[tuple[Rule, ...]] = (
    _first_counter,
    _counters,
    _lengths,
    _longest,
    _strays,
    _errors,
    _longest_answer,
    _events,
    _services,
    _idle,
    _overload,
)
