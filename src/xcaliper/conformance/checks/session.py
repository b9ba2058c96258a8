"""Rules about CONNECT, DISCONNECT, SYNCH and GET_STATUS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import connect_response
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule
from xcaliper.xcp.codes import PID_ERR, PID_RES, ErrorCode
from xcaliper.xcp.std import GetStatus

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_CONNECT: Final = b"\xff\x00"
_SYNCH: Final = b"\xfc"
_STATUS: Final = b"\xfd"
_OLD_VERSION: Final = 0x10
_IN: Final = Group.SESSION


def _closed(probe: Probe) -> None:
    answer = probe.disconnect()
    if answer is None or answer[0] != PID_RES:
        raise SkippedError("builds on DISCONNECT, which did not work.")


@rule(
    "SES-001",
    _IN,
    "Silence outside a session",
    "A disconnected slave ignores every command but CONNECT.",
    "slave states, 1.0",
)
def _silent_status(probe: Probe) -> None:
    _closed(probe)
    probe.silent_to(_STATUS, "outside a session")


@rule(
    "SES-002",
    _IN,
    "No synchronisation outside a session",
    "A disconnected slave ignores SYNCH as well.",
    "slave states, 1.0",
)
def _silent_synch(probe: Probe) -> None:
    _closed(probe)
    probe.silent_to(_SYNCH, "outside a session")


@rule(
    "SES-003",
    _IN,
    "CONNECT response is complete",
    "The positive answer to CONNECT has 8 bytes.",
    "CONNECT, 1.0",
)
def _connect_length(probe: Probe) -> None:
    probe.cite("connect")
    size = len(probe.connect_packet)
    probe.demand(size >= 8, f"the answer to CONNECT has {size} bytes instead of 8.")


@rule(
    "SES-004",
    _IN,
    "RESOURCE has no unknown bits",
    "Bits 1, 6 and 7 of RESOURCE are reserved and sent as 0.",
    "CONNECT, 1.0",
    severity=Severity.DEVIATION,
)
def _resource_bits(probe: Probe) -> None:
    found = int(connect_response(probe).resource)
    probe.demand(not found & 0xC2, f"RESOURCE is 0x{found:02X}: reserved bits are set.")


@rule(
    "SES-005",
    _IN,
    "COMM_MODE_BASIC has no unknown bits",
    "Bits 3 to 5 of COMM_MODE_BASIC are reserved and sent as 0.",
    "CONNECT, 1.0",
    severity=Severity.DEVIATION,
)
def _basic_bits(probe: Probe) -> None:
    found = int(connect_response(probe).comm_mode_basic)
    probe.demand(not found & 0x38, f"COMM_MODE_BASIC is 0x{found:02X}: reserved bits are set.")


@rule(
    "SES-006",
    _IN,
    "Address granularity exists",
    "ADDRESS_GRANULARITY is 0, 1 or 2: byte, word or dword.",
    "CONNECT, 1.0",
)
def _granularity(probe: Probe) -> None:
    found = connect_response(probe).comm_mode_basic.granularity
    probe.demand(found != 3, "ADDRESS_GRANULARITY is 3, which is reserved.")


@rule("SES-007", _IN, "MAX_CTO is large enough", "MAX_CTO is 8 or more.", "CONNECT, 1.0")
def _max_cto(probe: Probe) -> None:
    found = connect_response(probe).max_cto
    probe.demand(found >= 8, f"MAX_CTO is {found}.")


@rule(
    "SES-008",
    _IN,
    "MAX_CTO fits the granularity",
    "MAX_CTO is a multiple of the address granularity.",
    "CONNECT, 1.0",
)
def _max_cto_multiple(probe: Probe) -> None:
    found, ag = connect_response(probe).max_cto, probe.profile.ag
    probe.demand(found % ag == 0, f"MAX_CTO {found} is no multiple of {ag} bytes.")


@rule("SES-009", _IN, "MAX_DTO is large enough", "MAX_DTO is 8 or more.", "CONNECT, 1.0")
def _max_dto(probe: Probe) -> None:
    found = connect_response(probe).max_dto
    probe.demand(found >= 8, f"MAX_DTO is {found}.")


@rule(
    "SES-010",
    _IN,
    "MAX_DTO fits the granularity",
    "MAX_DTO is a multiple of the address granularity.",
    "CONNECT, 1.0",
)
def _max_dto_multiple(probe: Probe) -> None:
    found, ag = connect_response(probe).max_dto, probe.profile.ag
    probe.demand(found % ag == 0, f"MAX_DTO {found} is no multiple of {ag} bytes.")


@rule(
    "SES-011",
    _IN,
    "Protocol layer version",
    "The protocol layer has major version 1.",
    "CONNECT, 1.0",
)
def _protocol_version(probe: Probe) -> None:
    found = connect_response(probe).protocol_layer_version
    probe.demand(found in (1, _OLD_VERSION), f"the protocol layer version is 0x{found:02X}.")


@rule(
    "SES-012",
    _IN,
    "Transport layer version",
    "The transport layer has a major version above 0.",
    "CONNECT, 1.0",
    severity=Severity.DEVIATION,
)
def _transport_version(probe: Probe) -> None:
    found = connect_response(probe).transport_layer_version
    probe.demand(found, "the transport layer version is 0.")


@rule(
    "SES-013",
    _IN,
    "CONNECT inside a session",
    "CONNECT of the master that is connected is answered again, with the same parameters.",
    "CONNECT, 1.0",
)
def _connect_again(probe: Probe) -> None:
    probe.cite("connect")
    answer = probe.subject(_CONNECT)
    same = answer[:8] == probe.connect_packet[:8]
    probe.demand(same, "the parameters are others than in the first answer.")


@rule(
    "SES-014",
    _IN,
    "Unknown mode of CONNECT",
    "A mode of CONNECT other than 0 and 1 is refused with ERR_OUT_OF_RANGE or ignored.",
    "CONNECT, 1.0",
    severity=Severity.DEVIATION,
)
def _connect_mode(probe: Probe) -> None:
    answer = probe.ask(b"\xff\x7e", wait_ns=probe.limits.quiet_ns)
    if answer is None:
        return
    probe.demand(answer[0] == PID_ERR, "CONNECT with mode 0x7E was accepted.")


@rule(
    "SES-015",
    _IN,
    "DISCONNECT is answered",
    "DISCONNECT outside of storing and programming is answered positively.",
    "DISCONNECT, 1.0",
)
def _disconnect(probe: Probe) -> None:
    answer = probe.disconnect()
    probe.demand(answer is not None, "DISCONNECT was not answered.")
    probe.demand(answer and answer[0] == PID_RES, "DISCONNECT was refused.")


@rule(
    "SES-016",
    _IN,
    "SYNCH gives ERR_CMD_SYNCH",
    "The answer to SYNCH is always ERR_CMD_SYNCH.",
    "SYNCH, 1.0",
)
def _synch(probe: Probe) -> None:
    answer = probe.ask(_SYNCH)
    probe.demand(answer is not None, "SYNCH was not answered.")
    found = (answer or b"").hex(" ")
    probe.demand(found[:5] == "fe 00", f"SYNCH was answered with {found}.")


@rule(
    "SES-017",
    _IN,
    "Every SYNCH has its answer",
    "Each of several SYNCH in a row is answered with ERR_CMD_SYNCH.",
    "SYNCH, 1.0",
)
def _synch_again(probe: Probe) -> None:
    probe.ask(_STATUS)
    answers = [probe.ask(_SYNCH) for _ in range(4)]
    if answers[0] is None or answers[0][:2] != b"\xfe\x00":
        raise SkippedError("builds on SYNCH, which another rule judges.")
    wrong = [n for n, one in enumerate(answers, 1) if one is None or one[:2] != b"\xfe\x00"]
    probe.demand(not wrong, f"SYNCH number {wrong} of four was not answered so.")


@rule(
    "SES-018",
    _IN,
    "CONNECT with fill bytes",
    "A receiver accepts packets that are longer than needed.",
    "packet structure, 1.0",
    severity=Severity.NOTE,
)
def _connect_padded(probe: Probe) -> None:
    answer = probe.ask(_CONNECT + bytes(6))
    probe.demand(
        answer is not None and answer[0] == PID_RES, "CONNECT with six fill bytes was not accepted."
    )


@rule(
    "STA-001",
    Group.STATUS,
    "GET_STATUS response is complete",
    "GET_STATUS is mandatory and its answer has 6 bytes.",
    "GET_STATUS, 1.0",
)
def _status(probe: Probe) -> None:
    answer = probe.ask(GetStatus())
    probe.demand(answer is not None, "GET_STATUS was not answered.")
    probe.demand(answer and answer[0] == PID_RES, "GET_STATUS was refused.")
    probe.demand(answer and len(answer) >= 6, "the answer to GET_STATUS has fewer than 6 bytes.")


@rule(
    "STA-002",
    Group.STATUS,
    "SESSION_STATUS has no unknown bits",
    "Bit 5 of SESSION_STATUS is reserved and sent as 0.",
    "GET_STATUS, 1.0",
    severity=Severity.DEVIATION,
)
def _status_bits(probe: Probe) -> None:
    found = int(probe.use(GetStatus()).session_status)
    probe.demand(not found & 0x20, f"SESSION_STATUS is 0x{found:02X}: bit 5 is set.")


@rule(
    "STA-003",
    Group.STATUS,
    "Only what exists is protected",
    "A resource that CONNECT does not announce cannot be protected.",
    "GET_STATUS, 1.0",
)
def _protection(probe: Probe) -> None:
    there = int(connect_response(probe).resource)
    found = int(probe.use(GetStatus()).protection_status)
    probe.demand(
        not found & ~there, f"the protection status is 0x{found:02X}, RESOURCE 0x{there:02X}."
    )


@rule(
    "STA-004",
    Group.STATUS,
    "Status does not change by itself",
    "Protection and session configuration id only change by commands.",
    "GET_STATUS, 1.0",
)
def _status_twice(probe: Probe) -> None:
    first, second = probe.use(GetStatus()), probe.use(GetStatus())
    same = (
        first.protection_status == second.protection_status
        and first.session_configuration_id == second.session_configuration_id
    )
    probe.demand(same, "two answers in a row differ though nothing was done.")


@rule(
    "STA-005",
    Group.STATUS,
    "Nothing runs after CONNECT",
    "Lists run when they were started in the session, or in RESUME mode.",
    "GET_STATUS, 1.0",
    severity=Severity.NOTE,
)
def _running(probe: Probe) -> None:
    probe.cite("status")
    probe.demand(
        not probe.running_at_start or probe.status_at_start[1] & 0x80,
        "DAQ_RUNNING was set at the first CONNECT without RESUME.",
    )


@rule(
    "STA-006",
    Group.STATUS,
    "Nothing is being stored after CONNECT",
    "Store and clear requests are pending after SET_REQUEST only.",
    "GET_STATUS, 1.0",
    severity=Severity.NOTE,
)
def _pending(probe: Probe) -> None:
    found = int(probe.use(GetStatus()).session_status) & 0x0D
    probe.demand(not found, f"SESSION_STATUS shows pending requests: 0x{found:02X}.")


@rule(
    "STA-007",
    Group.STATUS,
    "Unknown mode of SET_REQUEST",
    "SET_REQUEST with reserved bits only is refused with ERR_OUT_OF_RANGE.",
    "SET_REQUEST, 1.0",
    needs=Permission.STORE,
)
def _set_request(probe: Probe) -> None:
    codes = (ErrorCode.ERR_OUT_OF_RANGE, ErrorCode.ERR_MODE_NOT_VALID)
    probe.refused(b"\xf9\xc0\x00\x00", *codes)


RULES: Final[tuple[Rule, ...]] = (
    _silent_status,
    _silent_synch,
    _connect_length,
    _resource_bits,
    _basic_bits,
    _granularity,
    _max_cto,
    _max_cto_multiple,
    _max_dto,
    _max_dto_multiple,
    _protocol_version,
    _transport_version,
    _connect_again,
    _connect_mode,
    _disconnect,
    _synch,
    _synch_again,
    _connect_padded,
    _status,
    _status_bits,
    _protection,
    _status_twice,
    _running,
    _pending,
    _set_request,
)
