"""Rules about GET_ID, GET_COMM_MODE_INFO and versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import comm_mode, connect_response, read, steady
from xcaliper.conformance.model import FaultError, Group, Rule, Severity, SkippedError, rule
from xcaliper.xcp import std
from xcaliper.xcp.codes import PID_ERR, PID_RES, ErrorCode, GetIdMode
from xcaliper.xcp.level1 import GetVersion

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_TYPES: Final = range(6)
_TEXTS: Final = (0, 1)
_SOME: Final = 64
_MOST_AHEAD: Final = 32
_ID: Final = Group.IDENTIFICATION
_COM: Final = Group.COMM_MODE


def _known(probe: Probe) -> list[tuple[int, std.GetIdResponse]]:
    """Identifications with a length above 0.

    Raises:
        SkippedError: there are none.
    """
    found = []
    for kind in _TYPES:
        answer = probe.ask(std.GetId(identification_type=kind))
        if answer is None or answer[0] != PID_RES or len(answer) < 8:
            continue
        length = probe.number(answer[4:8])
        if length and not answer[1] & 1:
            found.append((kind, std.GetIdResponse(mode=_mode(answer[1]), length=length)))
        elif length:
            data = answer[8 : 8 + length]
            found.append((kind, std.GetIdResponse(mode=_mode(answer[1]), length=length, data=data)))
    if not found:
        raise SkippedError("the slave identifies itself by nothing.")
    return found


def _mode(value: int) -> GetIdMode:
    return GetIdMode(value)


def _by_upload(probe: Probe) -> list[tuple[int, std.GetIdResponse]]:
    found = [(kind, one) for kind, one in probe.fact("ids", _known) if not one.mode.transfer_mode]
    if not found:
        raise SkippedError("every identification travels in the response.")
    return found


def _fetch(probe: Probe, kind: int, length: int) -> bytes:
    """The beginning of an identification, by UPLOAD."""
    probe.use(std.GetId(identification_type=kind))
    ag = probe.profile.ag
    count = min(probe.profile.max_cto // ag - 1, -(-length // ag), _SOME)
    return probe.use(std.Upload(count=count)).data[:length]


@rule(
    "IDN-001",
    _ID,
    "GET_ID response is complete",
    "The answer to GET_ID has 8 bytes; types that do not exist have length 0 or are refused.",
    "GET_ID, 1.0",
)
def _layout(probe: Probe) -> None:
    for kind in _TYPES:
        answer = probe.ask(std.GetId(identification_type=kind))
        probe.demand(answer is not None, f"GET_ID {kind} was not answered.")
        if answer and answer[0] == PID_ERR:
            if answer[1] == ErrorCode.ERR_CMD_UNKNOWN:
                raise SkippedError("the slave does not have GET_ID.")
            continue
        size = len(answer or b"")
        probe.demand(size >= 8, f"the answer to GET_ID {kind} has {size} bytes.")


@rule(
    "IDN-002",
    _ID,
    "Text in the response has its length",
    "With TRANSFER_MODE 1 the response carries as many bytes as Length says.",
    "GET_ID, 1.0",
)
def _in_packet(probe: Probe) -> None:
    inside = [(kind, one) for kind, one in probe.fact("ids", _known) if one.mode.transfer_mode]
    if not inside:
        raise SkippedError("no identification travels in the response.")
    for kind, one in inside:
        probe.demand(
            len(one.data) == one.length,
            f"GET_ID {kind} says {one.length} bytes and carries {len(one.data)}.",
        )


@rule(
    "IDN-003",
    _ID,
    "Text can be uploaded",
    "With TRANSFER_MODE 0 GET_ID sets the MTA so that UPLOAD gives the identification.",
    "GET_ID, 1.0",
)
def _upload(probe: Probe) -> None:
    for kind, _ in _by_upload(probe):
        probe.use(std.GetId(identification_type=kind))
        probe.subject(std.Upload(count=1), 2 * probe.profile.ag)


@rule(
    "IDN-004",
    _ID,
    "Identification is always the same",
    "Asked for twice, an identification has the same content.",
    "GET_ID, 1.0",
)
def _twice(probe: Probe) -> None:
    for kind, one in _by_upload(probe):
        first, second = (_fetch(probe, kind, one.length) for _ in range(2))
        probe.demand(first == second, f"identification {kind} read twice differs.")


@rule(
    "IDN-005",
    _ID,
    "Unknown type of identification",
    "An identification that does not exist has length 0 or is refused with ERR_OUT_OF_RANGE.",
    "GET_ID, 1.0",
)
def _unknown(probe: Probe) -> None:
    answer = probe.ask(std.GetId(identification_type=0x7E))
    if answer is not None and answer[0] == PID_RES and len(answer) >= 8:
        probe.demand(answer[4:8] == bytes(4), "type 0x7E, which is reserved, has a length.")
        return
    probe.refused(std.GetId(identification_type=0x7E), ErrorCode.ERR_OUT_OF_RANGE)


@rule(
    "IDN-006",
    _ID,
    "Mode of GET_ID has no unknown bits",
    "Bits 2 to 7 of MODE are reserved and sent as 0.",
    "GET_ID, 1.0",
    severity=Severity.DEVIATION,
)
def _mode_bits(probe: Probe) -> None:
    for kind, one in probe.fact("ids", _known):
        mode = int(one.mode)
        probe.demand(not mode & 0xFC, f"MODE of identification {kind} is 0x{mode:02X}.")


@rule(
    "IDN-007",
    _ID,
    "Names are ASCII text",
    "Identification types 0 and 1 are printable ASCII text.",
    "GET_ID, 1.0",
    severity=Severity.DEVIATION,
)
def _ascii(probe: Probe) -> None:
    for kind, one in probe.fact("ids", _known):
        if kind not in _TEXTS:
            continue
        text = one.data if one.mode.transfer_mode else _fetch(probe, kind, one.length)
        good = all(0x20 <= byte < 0x7F for byte in text.rstrip(b"\0"))
        probe.demand(good, f"identification {kind} is {text!r}.")


@rule(
    "COM-001",
    _COM,
    "GET_COMM_MODE_INFO when announced",
    "With OPTIONAL set in COMM_MODE_BASIC the slave has GET_COMM_MODE_INFO.",
    "CONNECT, 1.0",
)
def _announced(probe: Probe) -> None:
    if not connect_response(probe).comm_mode_basic.optional:
        raise SkippedError("OPTIONAL is not set.")
    answer = probe.ask(std.GetCommModeInfo())
    unknown = answer is not None and answer[:2] == b"\xfe\x20"
    probe.demand(not unknown, "OPTIONAL is set, GET_COMM_MODE_INFO is unknown.")


@rule(
    "COM-002",
    _COM,
    "GET_COMM_MODE_INFO response is complete",
    "The answer to GET_COMM_MODE_INFO has 8 bytes.",
    "GET_COMM_MODE_INFO, 1.0",
)
def _comm_length(probe: Probe) -> None:
    probe.subject(std.GetCommModeInfo(), 8)


@rule(
    "COM-003",
    _COM,
    "COMM_MODE_OPTIONAL has no unknown bits",
    "Bits 2 to 7 of COMM_MODE_OPTIONAL are reserved and sent as 0.",
    "GET_COMM_MODE_INFO, 1.0",
    severity=Severity.DEVIATION,
)
def _comm_bits(probe: Probe) -> None:
    found = int(comm_mode(probe).comm_mode_optional)
    probe.demand(not found & 0xFC, f"COMM_MODE_OPTIONAL is 0x{found:02X}.")


@rule(
    "COM-004",
    _COM,
    "Master block mode has a size",
    "A slave with MASTER_BLOCK_MODE takes at least one packet per block.",
    "GET_COMM_MODE_INFO, 1.0",
)
def _max_bs(probe: Probe) -> None:
    found = comm_mode(probe)
    if not found.comm_mode_optional.master_block_mode:
        raise SkippedError("the slave has no master block mode.")
    probe.demand(found.max_bs, "MASTER_BLOCK_MODE is set and MAX_BS is 0.")


@rule(
    "COM-005",
    _COM,
    "Interleaved mode has a queue",
    "QUEUE_SIZE is above 0 with INTERLEAVED_MODE and 0 without.",
    "GET_COMM_MODE_INFO, 1.0",
    severity=Severity.DEVIATION,
)
def _queue(probe: Probe) -> None:
    found = comm_mode(probe)
    mode = found.comm_mode_optional.interleaved_mode
    probe.demand(
        bool(mode) == bool(found.queue_size),
        f"INTERLEAVED_MODE is {mode}, QUEUE_SIZE {found.queue_size}.",
    )


@rule(
    "COM-006",
    _COM,
    "Interleaved commands keep their order",
    "Commands sent ahead, up to QUEUE_SIZE, are answered in the order in which they were sent.",
    "interleaved mode, 1.0",
)
def _interleaved(probe: Probe) -> None:
    found = comm_mode(probe)
    if not found.comm_mode_optional.interleaved_mode or not found.queue_size:
        raise SkippedError("the slave has no interleaved mode.")
    answers = probe.ask_together(b"\xfd", b"\xfc")
    kinds = [answer[0] for answer in answers]
    probe.demand(
        kinds == [PID_RES, PID_ERR],
        "GET_STATUS and SYNCH sent at once were not answered in this order.",
    )


@rule(
    "COM-012",
    _COM,
    "The queue takes what it announces",
    "QUEUE_SIZE commands may be sent ahead; none of them is refused with ERR_CMD_BUSY or dropped.",
    "interleaved mode, 1.0",
)
def _whole_queue(probe: Probe) -> None:
    found = comm_mode(probe)
    if not found.comm_mode_optional.interleaved_mode or not found.queue_size:
        raise SkippedError("the slave has no interleaved mode.")
    count = min(found.queue_size, _MOST_AHEAD)
    answers = probe.ask_together(*[b"\xfd"] * count)
    good = [answer for answer in answers if answer[0] == PID_RES]
    probe.demand(
        len(good) == count,
        f"{len(good)} of {count} GET_STATUS sent at once were served, QUEUE_SIZE is {found.queue_size}.",
    )


def _block(probe: Probe) -> tuple[int, list[bytes], bytes]:
    """(elements per packet, responses, the same bytes read singly) of a block upload."""
    if not connect_response(probe).comm_mode_basic.slave_block_mode:
        raise SkippedError("the slave has no slave block mode.")
    room = probe.profile.max_cto // probe.profile.ag - 1
    count = 2 * room + 1
    if count > 0xFF:
        raise SkippedError("a single packet takes nearly 255 elements already.")
    place, expected = steady(probe, count)
    probe.use(std.SetMta(address=place.address.value, address_extension=place.address.extension))
    answers = probe.collect((probe.bytes_of(std.Upload(count=count)),), 3)
    return room, answers, expected


@rule(
    "COM-007",
    _COM,
    "Slave block mode: number of responses",
    "A long UPLOAD is answered by as many full responses as needed and one with the rest.",
    "block transfer, 1.0",
)
def _block_count(probe: Probe) -> None:
    room, answers, _ = _block(probe)
    ag = probe.profile.ag
    least = [ag * (1 + count) for count in (room, room, 1)]
    got = [len(answer) if answer[0] == PID_RES else 0 for answer in answers]
    good = len(got) == 3 and all(size >= need for size, need in zip(got, least, strict=True))
    probe.demand(good, f"responses of {got} bytes came; {least} were to come.")
    probe.demand(
        got[:2] == least[:2], f"full responses have {got[:2]} bytes instead of {least[:2]}."
    )


@rule(
    "COM-008",
    _COM,
    "Slave block mode: content",
    "A block has the content that single responses have.",
    "block transfer, 1.0",
)
def _block_content(probe: Probe) -> None:
    room, answers, expected = _block(probe)
    ag = probe.profile.ag
    if len(answers) != 3:
        raise SkippedError("builds on the number of responses, which another rule judges.")
    parts = (room, room, 1)
    found = b"".join(
        answer[ag : ag * (1 + count)] for answer, count in zip(answers, parts, strict=True)
    )
    probe.demand(found == expected, "the block differs from the same memory read singly.")


@rule(
    "COM-009",
    _COM,
    "No blocks without slave block mode",
    "Without SLAVE_BLOCK_MODE an UPLOAD of more than a packet is refused with ERR_OUT_OF_RANGE.",
    "UPLOAD, 1.0",
)
def _no_block(probe: Probe) -> None:
    if connect_response(probe).comm_mode_basic.slave_block_mode:
        raise SkippedError("the slave has slave block mode.")
    room = probe.profile.max_cto // probe.profile.ag - 1
    if room >= 0xFF:
        raise SkippedError("a single packet takes 255 elements already.")
    place, _ = steady(probe, 1)
    read(probe, place.address, 1)
    probe.refused(std.Upload(count=room + 1), ErrorCode.ERR_OUT_OF_RANGE)


@rule(
    "COM-010",
    _COM,
    "GET_VERSION response is complete",
    "The answer to GET_VERSION has 6 bytes.",
    "GET_VERSION, 1.4",
)
def _version(probe: Probe) -> None:
    probe.subject(GetVersion(), 6)


@rule(
    "COM-011",
    _COM,
    "Versions agree",
    "GET_VERSION tells the same major versions as CONNECT.",
    "GET_VERSION, 1.4",
)
def _versions(probe: Probe) -> None:
    told, first = probe.use(GetVersion()), connect_response(probe)
    ours = (told.protocol_major, told.transport_major)
    theirs = (first.protocol_layer_version, first.transport_layer_version)
    if theirs[0] != 1 or not theirs[1]:
        raise SkippedError("builds on the versions of CONNECT, which other rules judge.")
    if ours != theirs:
        raise FaultError(f"GET_VERSION tells major versions {ours}, CONNECT {theirs}.")


RULES: Final[tuple[Rule, ...]] = (
    _layout,
    _in_packet,
    _upload,
    _twice,
    _unknown,
    _mode_bits,
    _ascii,
    _announced,
    _comm_length,
    _comm_bits,
    _max_bs,
    _queue,
    _interleaved,
    _whole_queue,
    _block_count,
    _block_content,
    _no_block,
    _version,
    _versions,
)
