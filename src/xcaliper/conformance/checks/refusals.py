"""Rules about commands that do not exist and packets that do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import connect_response, daq_info, read, steady, telling
from xcaliper.conformance.model import Group, Permission, Rule, Severity, SkippedError, rule
from xcaliper.xcp import std
from xcaliper.xcp.codes import PID_ERR, PID_RES, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.conformance.probe import Probe

__all__ = ["RULES"]

_UNK: Final = Group.UNKNOWN
_SYN: Final = Group.SYNTAX
_UNKNOWN: Final = ErrorCode.ERR_CMD_UNKNOWN
_SUBCMD: Final = ErrorCode.ERR_SUBCMD_UNKNOWN
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_SYNTAX: Final = ErrorCode.ERR_CMD_SYNTAX
_LOCKED: Final = ErrorCode.ERR_ACCESS_LOCKED
_UNUSED: Final = (0xC1, 0xC2, 0xC3, 0xC4)


@rule(
    "UNK-001",
    _UNK,
    "Unused command codes",
    "The codes C1 to C4 belong to no command and are refused with ERR_CMD_UNKNOWN.",
    "command codes, 1.0",
)
def _unused(probe: Probe) -> None:
    for code in _UNUSED:
        answer = probe.ask(bytes((code,)), wait_ns=probe.limits.quiet_ns)
        probe.demand(answer is not None, f"code {code:02X} was not answered.")
        probe.demand(
            answer and answer[:2] == bytes((PID_ERR, _UNKNOWN)),
            f"code {code:02X} was answered with {(answer or b'').hex(' ')}.",
        )


@rule(
    "UNK-002",
    _UNK,
    "Unknown second-level command",
    "An unknown command behind C0 is refused with ERR_SUBCMD_UNKNOWN, or ERR_CMD_UNKNOWN where "
    "C0 is unknown.",
    "second-level commands, 1.3",
)
def _second_level(probe: Probe) -> None:
    answer = probe.ask(b"\xc0\x7e\x00\x00")
    probe.demand(answer is not None, "C0 7E was not answered.")
    good = answer and answer[0] == PID_ERR and answer[1] in (_SUBCMD, _UNKNOWN)
    probe.demand(good, f"C0 7E was answered with {(answer or b'').hex(' ')}.")


@rule(
    "UNK-003",
    _UNK,
    "Unknown transport layer command",
    "An unknown sub-command of TRANSPORT_LAYER_CMD is refused.",
    "TRANSPORT_LAYER_CMD, 1.0",
)
def _transport(probe: Probe) -> None:
    answer = probe.ask(b"\xf2\x7e\x00\x00")
    probe.demand(answer is not None, "F2 7E was not answered.")
    good = answer and answer[0] == PID_ERR and answer[1] in (_SUBCMD, _UNKNOWN, _RANGE)
    probe.demand(good, f"F2 7E was answered with {(answer or b'').hex(' ')}.")


@rule(
    "UNK-004",
    _UNK,
    "Unknown command has no effect",
    "A command that is refused as unknown changes nothing: the MTA stays.",
    "command codes, 1.0",
)
def _no_effect(probe: Probe) -> None:
    place, expected = telling(probe, 3, _tail_apart(probe.profile.ag))
    read(probe, place.address, 1)
    answer = probe.ask(b"\xc3\x01\x02\x03\x04\x05\x06\x07", wait_ns=probe.limits.quiet_ns)
    if answer is None or answer[:2] != b"\xfe\x20":
        raise SkippedError("builds on the refusal of code C3, which another rule judges.")
    ag = probe.profile.ag
    found = probe.subject(std.Upload(count=1), 2 * ag)[ag : 2 * ag]
    probe.demand(found == expected[ag : 2 * ag], "the MTA was moved by an unknown command.")


def _tail_apart(ag: int) -> Callable[[bytes], bool]:
    return lambda data: len({data[:ag], data[ag : 2 * ag], data[2 * ag :]}) == 3


def _absent(resource: str, packet: bytes, name: str) -> Callable[[Probe], None]:
    def check(probe: Probe) -> None:
        if getattr(connect_response(probe).resource, resource):
            raise SkippedError("the slave announces the resource.")
        answer = probe.ask(packet)
        probe.demand(answer is not None, f"{name} was not answered.")
        probe.demand(
            answer and answer[:2] == bytes((PID_ERR, _UNKNOWN)),
            f"{name} was not refused with ERR_CMD_UNKNOWN.",
        )

    return check


_absent_daq = rule(
    "UNK-005",
    _UNK,
    "No DAQ commands without DAQ",
    "Without DAQ in RESOURCE its commands are refused with ERR_CMD_UNKNOWN.",
    "CONNECT, 1.0",
)(_absent("daq", b"\xda", "GET_DAQ_PROCESSOR_INFO"))
_absent_pgm = rule(
    "UNK-006",
    _UNK,
    "No programming commands without PGM",
    "Without PGM in RESOURCE its commands are refused with ERR_CMD_UNKNOWN.",
    "CONNECT, 1.0",
)(_absent("pgm", b"\xce", "GET_PGM_PROCESSOR_INFO"))


@rule(
    "UNK-012",
    _UNK,
    "No debugging commands without DBG",
    "Without DBG in RESOURCE its commands are refused with ERR_CMD_UNKNOWN or ERR_SUBCMD_UNKNOWN.",
    "CONNECT, 1.5",
)
def _absent_dbg(probe: Probe) -> None:
    if connect_response(probe).resource.dbg:
        raise SkippedError("the slave announces the resource.")
    known = probe.knows(b"\xc0\xfc\x13")
    probe.demand(known is False, "a command of debugging was not refused as unknown.")


def _missing(probe: Probe, codes: dict[int, str]) -> list[str]:
    return [name for code, name in codes.items() if probe.knows(bytes((code,))) is False]


@rule(
    "UNK-007",
    _UNK,
    "Mandatory DAQ commands",
    "A slave with DAQ has SET_DAQ_PTR, WRITE_DAQ, SET_DAQ_LIST_MODE, START_STOP_DAQ_LIST and "
    "START_STOP_SYNCH.",
    "command overview, 1.0",
    needs=Permission.DAQ,
)
def _mandatory_daq(probe: Probe) -> None:
    if not connect_response(probe).resource.daq:
        raise SkippedError("the slave does not announce DAQ.")
    missing = _missing(
        probe,
        {
            0xE2: "SET_DAQ_PTR",
            0xE1: "WRITE_DAQ",
            0xE0: "SET_DAQ_LIST_MODE",
            0xDE: "START_STOP_DAQ_LIST",
            0xDD: "START_STOP_SYNCH",
        },
    )
    probe.demand(not missing, f"{', '.join(missing)}: unknown.")


@rule(
    "UNK-008",
    _UNK,
    "Mandatory calibration command",
    "A slave with CAL/PAG has DOWNLOAD.",
    "command overview, 1.0",
    needs=Permission.WRITE,
)
def _mandatory_cal(probe: Probe) -> None:
    if not connect_response(probe).resource.cal_pag:
        raise SkippedError("the slave does not announce CAL/PAG.")
    probe.demand(not _missing(probe, {0xF0: "DOWNLOAD"}), "DOWNLOAD: unknown.")


@rule(
    "UNK-009",
    _UNK,
    "Page commands come in pairs",
    "A slave has both SET_CAL_PAGE and GET_CAL_PAGE, or none of them.",
    "command overview, 1.0",
    needs=Permission.PAGE,
)
def _page_pair(probe: Probe) -> None:
    missing = _missing(probe, {0xEB: "SET_CAL_PAGE", 0xEA: "GET_CAL_PAGE"})
    probe.demand(len(missing) != 1, f"{', '.join(missing)}: unknown, the other one is there.")


@rule(
    "UNK-010",
    _UNK,
    "Seed and key come in pairs",
    "A slave has both GET_SEED and UNLOCK, or none of them.",
    "command overview, 1.0",
)
def _seed_pair(probe: Probe) -> None:
    missing = _missing(probe, {0xF8: "GET_SEED", 0xF7: "UNLOCK"})
    probe.demand(len(missing) != 1, f"{', '.join(missing)}: unknown, the other one is there.")


@rule(
    "UNK-011",
    _UNK,
    "Commands of dynamic lists",
    "A slave with dynamic lists has ALLOC_DAQ, ALLOC_ODT and ALLOC_ODT_ENTRY.",
    "command overview, 1.0",
    needs=Permission.DAQ,
)
def _allocation(probe: Probe) -> None:
    if not daq_info(probe).daq_properties.dynamic:
        raise SkippedError("the slave's lists are static.")
    missing = _missing(probe, {0xD5: "ALLOC_DAQ", 0xD4: "ALLOC_ODT", 0xD3: "ALLOC_ODT_ENTRY"})
    probe.demand(not missing, f"{', '.join(missing)}: unknown.")


def _short(packet: bytes, name: str) -> Callable[[Probe], None]:
    def check(probe: Probe) -> None:
        answer = probe.refused(packet, _SYNTAX)
        probe.demand(answer[0] == PID_ERR, f"{name} was accepted with {len(packet)} bytes.")

    return check


def _too_short(number: str, packet: bytes, name: str, *, needs: Permission | None = None) -> Rule:
    return rule(
        number,
        _SYN,
        f"{name} that is too short",
        f"{name} with fewer bytes than its layout has is refused with ERR_CMD_SYNTAX.",
        f"{name}, 1.0",
        needs=needs,
    )(_short(packet, name))


_SHORT_PACKETS: Final[tuple[Rule, ...]] = (
    _too_short("SYN-001", b"\xfa", "GET_ID"),
    _too_short("SYN-002", b"\xf6\x00\x00", "SET_MTA"),
    _too_short("SYN-003", b"\xf5", "UPLOAD"),
    _too_short("SYN-004", b"\xf4\x01\x00\x00", "SHORT_UPLOAD"),
    _too_short("SYN-005", b"\xf3\x00\x00\x00", "BUILD_CHECKSUM"),
    _too_short("SYN-006", b"\xea", "GET_CAL_PAGE"),
    _too_short("SYN-007", b"\xe8\x00", "GET_SEGMENT_INFO"),
    _too_short("SYN-008", b"\xd7\x00", "GET_DAQ_EVENT_INFO"),
    _too_short("SYN-009", b"\xd8\x00", "GET_DAQ_LIST_INFO"),
    _too_short("SYN-010", b"\xe2\x00\x00", "SET_DAQ_PTR", needs=Permission.DAQ),
    _too_short("SYN-011", b"\xe1\xff\x01", "WRITE_DAQ", needs=Permission.DAQ),
    _too_short("SYN-012", b"\xe0\x00\x00", "SET_DAQ_LIST_MODE", needs=Permission.DAQ),
    _too_short("SYN-013", b"\xde\x00", "START_STOP_DAQ_LIST", needs=Permission.DAQ),
    _too_short("SYN-017", b"\xf1", "USER_CMD"),
)


@rule(
    "SYN-014",
    _SYN,
    "Commands with fill bytes",
    "A receiver accepts packets that are longer than needed.",
    "packet structure, 1.0",
)
def _padded(probe: Probe) -> None:
    plain = probe.ask(b"\xfc")
    if plain is None or plain[:2] != b"\xfe\x00":
        raise SkippedError("builds on SYNCH, which another rule judges.")
    answer = probe.ask(b"\xfc" + bytes(7))
    probe.demand(
        answer is not None and answer[:2] == b"\xfe\x00",
        "SYNCH with seven fill bytes was not served.",
    )


@rule(
    "SYN-015",
    _SYN,
    "Reserved bytes are ignored",
    "Reserved bytes of a command do not matter, whatever they hold.",
    "packet structure, 1.0",
    severity=Severity.DEVIATION,
)
def _reserved(probe: Probe) -> None:
    place, _ = steady(probe, 1)
    packet = probe.bytes_of(
        std.SetMta(address=place.address.value, address_extension=place.address.extension)
    )
    probe.use(std.SetMta(address=place.address.value, address_extension=place.address.extension))
    answer = probe.ask(packet[:1] + b"\xa5\x5a" + packet[3:])
    probe.demand(
        answer is not None and answer[0] == PID_RES,
        "SET_MTA with other reserved bytes was not accepted.",
    )


@rule(
    "SYN-016",
    _SYN,
    "Longer than MAX_CTO",
    "A command of more than MAX_CTO bytes is refused or ignored.",
    "packet structure, 1.0",
    severity=Severity.DEVIATION,
)
def _too_long(probe: Probe) -> None:
    answer = probe.ask(b"\xfd" + bytes(probe.profile.max_cto), wait_ns=probe.limits.quiet_ns)
    probe.demand(
        answer is None or answer[0] == PID_ERR,
        f"a command of {probe.profile.max_cto + 1} bytes was accepted.",
    )


RULES: Final[tuple[Rule, ...]] = (
    _unused,
    _second_level,
    _transport,
    _no_effect,
    _absent_daq,
    _absent_pgm,
    _absent_dbg,
    _mandatory_daq,
    _mandatory_cal,
    _page_pair,
    _seed_pair,
    _allocation,
    *_SHORT_PACKETS,
    _padded,
    _reserved,
    _too_long,
)
