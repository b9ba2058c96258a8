"""One broken slave per rule of the conformance suite: each does one thing wrong.

Bytes are those of an Intel slave with MAX_CTO 64 unless the base of a row says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pair.programming import sectors
from support.conforming import Wrong
from support.wrong_ways import (
    DENIED,
    OK,
    RANGE,
    SYNTAX,
    UNKNOWN,
    AnswersStim,
    Ask,
    Between,
    Chain,
    Counted,
    Data,
    Datagram,
    DeafToGaps,
    DeafToStim,
    Early,
    Edit,
    Events,
    FirstOnly,
    InSession,
    KeepsStimMode,
    Late,
    LateCounter,
    LostOdt,
    Multicast,
    NoPrescaler,
    Once,
    OneSynch,
    OpenCal,
    Pending,
    Reversed,
    ShortQueue,
    SlyCounter,
    StaysOpen,
    StillRunning,
    StuckMta,
    StuckPointer,
    WrongFlash,
    cut,
    forgive,
    ignored,
    mask,
    positive,
    programming,
    put,
    reply,
    stimulating,
)
from xcaliper.a2l.xcp_model import (
    XcpChecksum,
    XcpDaq,
    XcpDescription,
    XcpEvent,
    XcpPag,
    XcpPage,
    XcpPgm,
    XcpProtocolLayer,
    XcpSegment,
    XcpStim,
    XcpTimestamp,
)
from xcaliper.conformance.paper import Paper, PaperSegment
from xcaliper.core.datatypes import ByteOrder
from xcaliper.xcp.codes import ChecksumType, Resource
from xcaliper.xcp.slave_config import EventConfig, FixedList
from xcaliper.xcp.slave_daq_config import CounterConfig, PackedConfig
from xcaliper.xcp.slave_program import ProgramSettings
from xcaliper.xcp.slave_security import SecuritySettings
from xcaliper.xcp.slave_store import StoreSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.xcp.seed_key import KeyFunction
    from xcaliper.xcp.slave import SlaveMachine

# -- what the rows are built on -------------------------------------------------------------------

WORDS = {"ag": 2, "granularity_odt_entry": 2}
STATIC = {"dynamic": False, "fixed_lists": (FixedList(max_odt=2, max_odt_entries=4),) * 2}
SCRATCH = 2
FLASHES = {"program": ProgramSettings(sectors())}
STORES = {"store": StoreSettings(daq=True, resume=True)}
STIM_EVENTS = {
    "events": (
        EventConfig(0, "1ms", time_cycle=1),
        EventConfig(
            1,
            "10ms",
            time_cycle=10,
            stim=True,
            counter=CounterConfig(),
            packed=PackedConfig(1, 0, 2),
        ),
        EventConfig(2, "crank", max_daq_list=1),
    )
}
LOCKS = SecuritySettings(
    protected=Resource.of(cal_pag=1, daq=1),
    key=lambda resource, seed: bytes(byte ^ resource for byte in seed),
    seed_bytes=80,
    seeds=lambda size: bytes(range(1, size + 1)),
    attempts=0,
)
PROTECTED = {"security": LOCKS}
LAYER = XcpProtocolLayer(max_cto=64, max_dto=128, block_slave=True)
DAQ = XcpDaq(
    identification_field=1,
    granularity_daq=1,
    max_odt_entry_size_daq=255,
    overload=2,
    timestamp=XcpTimestamp(1, 4, 3),
    prescaler_supported=True,
    events=(
        XcpEvent("1ms", "1ms", 0, time_cycle=1),
        XcpEvent("10ms", "10ms", 1, time_cycle=10),
        XcpEvent("crank", "crank", 2),
    ),
)
DESCRIPTION = XcpDescription(protocol_layer=LAYER, daq=DAQ, pag=XcpPag(2, freeze_supported=True))
READ_ONLY = XcpPage(1, xcp_write_access=0)
CAL = PaperSegment(
    "cal",
    0x6000_0000,
    0x100,
    XcpSegment(0, 2, checksum=XcpChecksum(9), pages=(XcpPage(0), READ_ONLY)),
)
PAPER = Paper(DESCRIPTION, "EPK 1.0", (CAL,))


@dataclass(frozen=True)
class Broken:
    """A slave that breaks one rule.

    Attributes:
        make: makes what is wrong, anew for each run.
        config: settings that the rule needs.
        right: what the sound slave of the same settings does, to show that it breaks nothing.
        paper: what the A2L says.
        key: makes keys of seeds.
    """

    make: Callable[[], Wrong]
    config: dict[str, Any] = field(default_factory=dict)
    right: Callable[[], Wrong] = Wrong
    paper: Paper | None = None
    key: KeyFunction | None = None


def layer(**changes: Any) -> Broken:
    return described(protocol_layer=replace(LAYER, **changes))


def acquisition(**changes: Any) -> Broken:
    return described(daq=replace(DAQ, **changes))


def described(**changes: Any) -> Broken:
    return Broken(Wrong, paper=replace(PAPER, xcp=replace(DESCRIPTION, **changes)))


def segment(**changes: Any) -> Broken:
    wrong = replace(CAL, xcp=replace(CAL.xcp, **changes))
    return Broken(Wrong, paper=replace(PAPER, segments=(wrong,)))


def b(make: Callable[[], Wrong], right: Callable[[], Wrong] = Wrong, **config: Any) -> Broken:
    return Broken(make, config, right)


def locked(make: Callable[[], Wrong], **changes: Any) -> Broken:
    """A slave with seed and key for CAL/PAG and DAQ, and the key for it; seed and key take two packets each."""
    locks = replace(LOCKS, **changes)
    return Broken(make, {"security": locks}, key=locks.key)


def opens(resource: int) -> Callable[[list[bytes], SlaveMachine], list[bytes]]:
    """An edit that opens resources behind a positive answer."""

    def edit(came: list[bytes], slave: SlaveMachine) -> list[bytes]:
        if came[-1][0] == 0xFF:
            slave.state.locked = Resource(slave.state.locked & ~resource)
        return came

    return edit


def running(slave: SlaveMachine) -> bool:
    return slave.daq_running


def big(came: list[bytes], slave: SlaveMachine) -> list[bytes]:
    return [p[:-1] + bytes((p[-1] ^ 1,)) for p in came]


def backwards(packet: bytes) -> bytes:
    stamp = 0xFFFF_FFFF - int.from_bytes(packet[2:6], "little")
    return packet[:2] + stamp.to_bytes(4, "little") + packet[6:]


def too_fast(packet: bytes) -> bytes:
    stamp = int.from_bytes(packet[2:6], "little") * 8 & 0xFFFF_FFFF
    return packet[:2] + stamp.to_bytes(4, "little") + packet[6:]


def clock(change: Callable[[int, int], int]) -> Wrong:
    def edit(p: bytes, count: int) -> bytes:
        if p[3:4] != b"\0":
            return p
        return p[:4] + (change(int.from_bytes(p[4:8], "little"), count) % (1 << 32)).to_bytes(
            4, "little"
        )

    return SlyCounter(b"\xdc", edit)


BROKEN: dict[str, Broken] = {
    # CONNECT, DISCONNECT, SYNCH, GET_STATUS
    "SES-001": b(lambda: Edit(b"\xfd", lambda came, _: came or [OK + bytes(5)])),
    "SES-002": b(lambda: Edit(b"\xfc", lambda came, _: came or [b"\xfe\x00"])),
    "SES-003": b(lambda: cut(b"\xff", 7)),
    "SES-004": b(lambda: mask(b"\xff\x00", 1, on=0x02)),
    "SES-005": b(lambda: mask(b"\xff\x00", 2, on=0x08)),
    "SES-006": b(lambda: mask(b"\xff\x00", 2, on=0x06)),
    "SES-007": b(lambda: put(b"\xff\x00", 3, 4)),
    "SES-008": b(lambda: put(b"\xff\x00", 3, 65), **WORDS),
    "SES-009": b(lambda: put(b"\xff\x00", 4, 4, size=2)),
    "SES-010": b(lambda: put(b"\xff\x00", 4, 129, size=2), **WORDS),
    "SES-011": b(lambda: put(b"\xff\x00", 6, 2)),
    "SES-012": b(lambda: put(b"\xff\x00", 7, 0)),
    "SES-013": b(InSession),
    "SES-014": b(lambda: reply(b"\xff\x7e", OK + bytes(7))),
    "SES-015": b(lambda: Ask(b"\xfe", lambda *_: b"", b"\xfe\x10")),
    "SES-016": b(lambda: reply(b"\xfc", b"\xfe\x31")),
    "SES-017": b(OneSynch),
    "SES-018": b(lambda: Ask(b"\xff\x00\x00", lambda *_: b"")),
    "STA-001": b(lambda: cut(b"\xfd", 5)),
    "STA-002": b(lambda: mask(b"\xfd", 1, on=0x20)),
    "STA-003": b(lambda: mask(b"\xfd", 2, on=0x10)),
    "STA-004": b(lambda: SlyCounter(b"\xfd", lambda p, n: p[:4] + bytes((n & 0xFF, 0)))),
    "STA-005": b(lambda: mask(b"\xfd", 1, on=0x40)),
    "STA-006": b(lambda: mask(b"\xfd", 1, on=0x08)),
    "STA-007": b(lambda: reply(b"\xf9\xc0", OK)),
    # identification and communication modes
    "IDN-001": b(lambda: Chain(*(cut(bytes((0xFA, kind)), 7) for kind in range(6)))),
    "IDN-002": b(lambda: put(b"\xfa\x01", 4, 5), id_in_packet_limit=16),
    "IDN-003": b(lambda: reply(b"\xf5", DENIED, after=b"\xfa")),
    "IDN-004": b(
        lambda: SlyCounter(
            b"\xf5", lambda p, n: p[:1] + bytes((p[1] ^ n & 1,)) + p[2:], after=b"\xfa"
        )
    ),
    "IDN-005": b(lambda: reply(b"\xfa\x7e", b"\xff\0\0\0\x04\0\0\0")),
    "IDN-006": b(lambda: mask(b"\xfa", 1, on=0x80)),
    "IDN-007": b(lambda: mask(b"\xf5", 1, on=0x80, after=b"\xfa\x01")),
    "COM-001": b(lambda: reply(b"\xfb", UNKNOWN)),
    "COM-002": b(lambda: cut(b"\xfb", 7)),
    "COM-003": b(lambda: mask(b"\xfb", 2, on=0x80)),
    "COM-004": b(lambda: put(b"\xfb", 4, 0)),
    "COM-005": b(lambda: put(b"\xfb", 6, 2)),
    "COM-006": b(Reversed),
    "COM-012": b(ShortQueue, interleaved=True, queue_size_commands=6),
    "COM-007": b(lambda: Edit(b"\xf5", lambda came, _: came[:2])),
    "COM-008": b(
        lambda: Edit(b"\xf5", lambda came, _: big(came, None) if len(came) == 3 else came)
    ),
    "COM-009": b(lambda: forgive(b"\xf5\x40", OK + bytes(63)), slave_block_mode=False),
    "COM-010": b(lambda: cut(b"\xc0\x00", 5)),
    "COM-011": b(lambda: put(b"\xc0\x00", 2, 2)),
    # commands that do not exist, syntax
    "UNK-001": b(lambda: reply(b"\xc2", OK)),
    "UNK-002": b(lambda: reply(b"\xc0\x7e", OK)),
    "UNK-003": b(lambda: reply(b"\xf2\x7e", OK)),
    "UNK-004": b(lambda: StuckMta(b"\xc3", shift=1)),
    "UNK-005": b(lambda: reply(b"\xda", OK + bytes(7)), events=()),
    "UNK-006": b(lambda: reply(b"\xce", b"\xff\x01\x00")),
    "UNK-012": b(lambda: reply(b"\xc0\xfc\x13", SYNTAX)),
    "UNK-007": b(lambda: reply(b"\xe1", UNKNOWN, exact=True)),
    "UNK-008": b(lambda: reply(b"\xf0", UNKNOWN, exact=True)),
    "UNK-009": b(lambda: reply(b"\xeb", UNKNOWN, exact=True)),
    "UNK-010": b(
        lambda: Chain(reply(b"\xf8", SYNTAX, exact=True), reply(b"\xf7", UNKNOWN, exact=True))
    ),
    "UNK-011": b(lambda: reply(b"\xd4", UNKNOWN, exact=True)),
    "SYN-001": b(lambda: reply(b"\xfa", OK, exact=True)),
    "SYN-002": b(lambda: reply(b"\xf6\x00\x00", OK, exact=True)),
    "SYN-003": b(lambda: reply(b"\xf5", OK, exact=True)),
    "SYN-004": b(lambda: reply(b"\xf4\x01\x00\x00", OK, exact=True)),
    "SYN-005": b(lambda: reply(b"\xf3\x00\x00\x00", OK, exact=True)),
    "SYN-006": b(lambda: reply(b"\xea", OK, exact=True)),
    "SYN-007": b(lambda: reply(b"\xe8\x00", OK, exact=True)),
    "SYN-008": b(lambda: reply(b"\xd7\x00", OK, exact=True)),
    "SYN-009": b(lambda: reply(b"\xd8\x00", OK, exact=True)),
    "SYN-010": b(lambda: reply(b"\xe2\x00\x00", OK, exact=True)),
    "SYN-011": b(lambda: reply(b"\xe1\xff\x01", OK, exact=True)),
    "SYN-012": b(lambda: reply(b"\xe0\x00\x00", OK, exact=True)),
    "SYN-013": b(lambda: reply(b"\xde\x00", OK, exact=True)),
    "SYN-017": b(
        lambda: reply(b"\xf1", OK, exact=True), user_command=lambda sub_command, parameters: b""
    ),
    "SYN-014": b(lambda: reply(b"\xfc" + bytes(7), SYNTAX, exact=True)),
    "SYN-015": b(lambda: reply(b"\xf6\xa5", RANGE)),
    "SYN-016": b(lambda: reply(b"\xfd" + bytes(64), OK + bytes(5), exact=True)),
    # reading
    "MEM-001": b(lambda: Edit(b"\xf4\x04", big)),
    "MEM-002": b(lambda: StuckMta(b"\xf5\x02")),
    "MEM-003": b(lambda: StuckMta(b"\xf4\x02", own=True)),
    "MEM-004": b(lambda: forgive(b"\xf5\x00")),
    "MEM-005": b(lambda: forgive(b"\xf4\x00")),
    "MEM-006": b(lambda: forgive(b"\xf4\x40", OK + bytes(63))),
    "MEM-007": b(lambda: reply(b"\xf5\x3f", RANGE)),
    "MEM-008": b(lambda: put(b"\xf5", 1, 0xAA), **WORDS),
    "MEM-009": b(lambda: reply(b"\xf5", OK + bytes(1), after=b"\xff")),
    "MEM-010": b(lambda: cut(b"\xf3", 7)),
    "MEM-011": b(lambda: put(b"\xf3", 1, 0x55)),
    "MEM-012": b(lambda: Edit(b"\xf3", positive(lambda p: p[:4] + bytes((p[4] ^ 1,)) + p[5:]))),
    "MEM-013": b(lambda: put(b"\xf3", 7, 1), checksum=ChecksumType.XCP_ADD_11),
    "MEM-014": b(lambda: StuckMta(b"\xf3")),
    "MEM-015": b(
        lambda: forgive(b"\xf3\0\0\0\x03", b"\xff\x04" + bytes(6)),
        checksum=ChecksumType.XCP_ADD_22,
    ),
    # writing
    "CAL-001": b(lambda: ignored(b"\xf0\x02", 2)),
    "CAL-002": b(lambda: StuckMta(b"\xf0\x02")),
    "CAL-003": b(lambda: forgive(b"\xf0\x00")),
    "CAL-004": b(lambda: forgive(b"\xf0\x04")),
    "CAL-005": b(lambda: ignored(b"\xed", 1)),
    "CAL-006": b(lambda: StuckMta(b"\xed", own=True)),
    "CAL-007": b(lambda: Ask(b"\xec\x04", lambda p, _: p[:4] + b"\0\0" + p[6:])),
    "CAL-008": b(lambda: StuckMta(b"\xec\x00", shift=1)),
    "CAL-009": b(lambda: ignored(b"\xee")),
    "CAL-010": b(lambda: Ask(b"\xef\x01", lambda p, _: p[:2] + bytes((p[2] ^ 1,)) + p[3:])),
    "CAL-011": b(lambda: reply(b"\xef", OK, after=b"\xf6")),
    "CAL-012": b(lambda: Edit(b"\xef", lambda came, _: [p[:2] for p in came], after=b"\xf0")),
    "CAL-013": b(lambda: reply(b"\xef", OK, after=b"\xfc")),
    "CAL-014": b(lambda: forgive(b"\xf0\x3f"), master_block_mode=False),
    # pages
    "PAG-001": b(lambda: cut(b"\xe9", 2)),
    "PAG-002": b(lambda: mask(b"\xe9", 2, on=0x80)),
    "PAG-003": b(lambda: cut(b"\xe8\x01", 5)),
    "PAG-004": b(lambda: cut(b"\xe8\x00", 7)),
    "PAG-005": b(lambda: put(b"\xe8\x01\x01", 1, 0)),
    "PAG-006": b(lambda: put(b"\xe8\x00\x01\x01", 4, 0, size=4)),
    "PAG-007": b(lambda: forgive(b"\xe8\x01\x02", OK + bytes(5))),
    "PAG-008": b(lambda: forgive(b"\xe8\x7e", OK + bytes(5))),
    "PAG-009": b(lambda: reply(b"\xe8\x02", RANGE)),
    "PAG-010": b(lambda: put(b"\xea\x02\x01", 3, 7)),
    "PAG-011": b(lambda: forgive(b"\xea\x00", OK + bytes(3))),
    "PAG-012": b(lambda: forgive(b"\xea\x02\x02", OK + bytes(3))),
    "PAG-013": b(lambda: cut(b"\xe7", 2)),
    "PAG-014": b(lambda: mask(b"\xe7", 1, on=0x80)),
    "PAG-015": b(lambda: put(b"\xe7", 2, 9)),
    "PAG-016": b(lambda: forgive(b"\xe7\x00\x00\x02", OK + bytes(2))),
    "PAG-017": b(lambda: put(b"\xe5\x00\x00", 2, 1), freeze=False),
    "PAG-018": b(lambda: forgive(b"\xe5\x00\x02", OK + bytes(2))),
    "PAG-019": b(lambda: ignored(b"\xeb\x02\x00\x01")),
    "PAG-020": b(lambda: Ask(b"\xeb\x02", lambda p, _: b"\xeb\x03" + p[2:])),
    "PAG-021": b(lambda: forgive(b"\xeb\x00")),
    "PAG-022": b(lambda: forgive(b"\xeb\x02\x00\x02")),
    "PAG-023": b(lambda: forgive(b"\xeb\x02\x02")),
    "PAG-024": b(lambda: ignored(b"\xe6\x01")),
    "PAG-025": b(lambda: Ask(b"\xe4\x00", lambda *_: b"", OK)),
    "PAG-026": b(lambda: forgive(b"\xe4\x02")),
    "PAG-027": b(lambda: Ask(b"\xeb\x82", lambda p, _: b"\xeb\x02" + p[2:])),
    "PAG-028": b(
        lambda: Edit(b"\xf0", lambda came, _: [OK if p == b"\xfe\x23" else p for p in came])
    ),
    "PAG-029": b(lambda: forgive(b"\xe6\x01"), freeze=False),
    "PAG-030": b(lambda: forgive(b"\xe6\x00\x02")),
    # what is told of data acquisition
    "DAQ-001": b(lambda: cut(b"\xda", 7)),
    "DAQ-002": b(lambda: mask(b"\xda", 1, on=0xC0)),
    "DAQ-003": b(lambda: put(b"\xda", 6, 5)),
    "DAQ-004": b(lambda: put(b"\xda", 2, 0, size=2), **STATIC),
    "DAQ-005": b(lambda: mask(b"\xda", 7, on=0x20)),
    "DAQ-006": b(lambda: mask(b"\xda", 7, on=0x07)),
    "DAQ-007": b(lambda: mask(b"\xda", 1, on=0x20)),
    "DAQ-008": b(lambda: cut(b"\xd9", 7)),
    "DAQ-009": b(lambda: put(b"\xd9", 1, 3)),
    "DAQ-010": b(lambda: put(b"\xd9", 1, 1), **WORDS),
    "DAQ-011": b(lambda: put(b"\xd9", 2, 0)),
    "DAQ-012": b(lambda: mask(b"\xd9", 5, on=0x03, off=0x04)),
    "DAQ-013": b(lambda: mask(b"\xda", 1, off=0x10)),
    "DAQ-014": b(lambda: mask(b"\xd9", 5, on=0xD0, off=0x20)),
    "DAQ-015": b(lambda: put(b"\xd9", 6, 0, size=2)),
    "DAQ-016": b(lambda: cut(b"\xd7", 6)),
    "DAQ-017": b(lambda: put(b"\xd7\x00\x02", 1, 0)),
    "DAQ-018": b(lambda: put(b"\xd7\x00\x02", 5, 0x0D)),
    "DAQ-019": b(lambda: reply(b"\xf5", DENIED, after=b"\xd7")),
    "DAQ-020": b(lambda: forgive(b"\xd7\x00\x03", OK + bytes(6))),
    "DAQ-021": b(lambda: cut(b"\xd8", 3), **STATIC),
    "DAQ-022": b(lambda: mask(b"\xd8\x00\x01", 1, on=0x01), **STATIC),
    "DAQ-023": b(lambda: mask(b"\xd8\x00\x01", 1, off=0x0C), **STATIC),
    "DAQ-024": b(lambda: put(b"\xd8\x00\x01", 2, 0), **STATIC),
    "DAQ-025": b(lambda: forgive(b"\xd8\x00\xff\xff", OK + bytes(5))),
    "DAQ-026": b(lambda: Chain(stimulating(), put(b"\xd9", 3, 3)), stimulating),
    "DAQ-027": b(lambda: mask(b"\xd7\x00\x02", 1, on=0x08)),
    # configuring lists
    "DQC-001": b(lambda: reply(b"\xd6", b"\xfe\x31")),
    "DQC-002": b(lambda: reply(b"\xd4", OK, after=b"\xd6")),
    "DQC-003": b(lambda: reply(b"\xd3", OK, after=b"\xd6")),
    "DQC-004": b(lambda: reply(b"\xd3", OK, after=b"\xd5")),
    "DQC-005": b(lambda: reply(b"\xd5", OK, after=b"\xd4")),
    "DQC-006": b(lambda: reply(b"\xd4", OK, after=b"\xd3")),
    "DQC-007": b(lambda: forgive(b"\xd5\0\0\0")),
    "DQC-008": b(lambda: forgive(b"\xd4\x00\x01\x00")),
    "DQC-009": b(lambda: put(b"\xda", 2, 0, size=2)),
    "DQC-010": b(lambda: reply(b"\xe2", OK, after=b"\xd6")),
    "DQC-011": b(lambda: forgive(b"\xe2\x00\xfe\xff")),
    "DQC-012": b(lambda: forgive(b"\xe2\0\0\0\x01")),
    "DQC-013": b(lambda: forgive(b"\xe2\0\0\0\0\x02")),
    "DQC-014": b(lambda: put(b"\xdb", 2, 7)),
    "DQC-015": b(lambda: StuckPointer(b"\xe1")),
    "DQC-016": b(lambda: StuckPointer(b"\xdb")),
    "DQC-017": b(lambda: Ask(b"\xc7", lambda p, _: p[:12] + bytes((p[12] + 1,)) + p[13:])),
    "DQC-018": b(lambda: forgive(b"\xe1\xff\x09"), max_odt_entry_size=8),
    "DQC-019": b(lambda: forgive(b"\xe1\xff\x05"), granularity_odt_entry=4, max_odt_entry_size=8),
    "DQC-020": b(lambda: put(b"\xdf", 6, 9)),
    "DQC-021": b(NoPrescaler),
    "DQC-022": b(lambda: forgive(b"\xe0\x10\0\0\x03")),
    "DQC-023": b(lambda: forgive(b"\xe0\0\0\0"), timestamp_fixed=True),
    "DQC-024": b(lambda: mask(b"\xdf", 1, off=0x01)),
    "DQC-025": b(lambda: forgive(b"\xde\x01", b"\xff\x00")),
    "DQC-026": b(lambda: forgive(b"\xde\x7e", b"\xff\x00")),
    "DQC-027": b(lambda: forgive(b"\xdd\x7e")),
    "DQC-028": b(lambda: forgive(b"\xde\x02\xfe\xff", b"\xff\x00")),
    "DQC-029": b(
        lambda: Chain(forgive(b"\xe1\xff\xff"), reply(b"\xde\x01", b"\xff\x00", after=b"\xe1"))
    ),
    "DQC-030": b(lambda: forgive(b"\xe0\x02\x00\x00\x00")),
    "DQC-031": b(lambda: put(b"\xc0\x02", 4, 9, size=2), **STIM_EVENTS),
    "DQC-032": b(lambda: Ask(b"\xc0\x01\x00\x00\x7e", lambda *_: b"", OK), **STIM_EVENTS),
    "DQC-033": b(lambda: cut(b"\xc5", 4), **STIM_EVENTS),
    "DQC-034": b(lambda: forgive(b"\xc5\x00\xfe", OK + bytes(4)), **STIM_EVENTS),
    # running lists
    "RUN-001": b(lambda: Data(lambda _: b"")),
    "RUN-002": b(lambda: mask(b"\xfd", 1, off=0x40)),
    "RUN-003": b(lambda: mask(b"\xdf", 1, off=0x40)),
    "RUN-004": b(lambda: mask(b"\xdf", 1, on=0x01)),
    "RUN-005": b(Early),
    "RUN-006": b(lambda: Data(lambda p: p + bytes(8))),
    "RUN-007": b(lambda: Data(lambda p: p[:1] + bytes((p[1] + 1,)) + p[2:])),
    "RUN-008": b(lambda: Data(backwards), dto_ctr=False),
    "RUN-009": b(lambda: Data(too_fast), dto_ctr=False),
    "RUN-010": b(lambda: Data(lambda p: p[:-1] + bytes((p[-1] ^ 1,)))),
    "RUN-011": b(lambda: Late(b"\xdd\x00")),
    "RUN-012": b(StillRunning),
    "RUN-013": b(LostOdt),
    "RUN-014": b(
        lambda: Ask(b"\xe0", lambda p, _: p[:6] + b"\x01" + p[7:] if p[6:7] == b"\x02" else p)
    ),
    "RUN-015": b(lambda: Counted(lambda p: p[:2] + b"\x07" + p[3:])),
    "RUN-016": b(lambda: forgive(b"\xe2", when=running)),
    "RUN-017": b(lambda: forgive(b"\xe0", when=running)),
    "RUN-018": b(lambda: forgive(b"\xd5", when=running)),
    "RUN-019": b(lambda: Late(b"\xfe")),
    "RUN-020": b(lambda: Ask(b"\xde\0\0\0", lambda *_: b"", b"\xff\x00")),
    "RUN-021": b(lambda: Ask(b"\xdd\x02", lambda *_: b"", OK)),
    "RUN-022": b(lambda: reply(b"\xde\x01", b"\xfe\x27", after=b"\xe0")),
    # stimulation and storing
    "STM-001": b(DeafToStim, **STIM_EVENTS),
    "STM-002": b(lambda: Events(lambda p: p[:5] if p[:2] == b"\xfd\x09" else p), **STIM_EVENTS),
    "STM-003": b(AnswersStim, **STIM_EVENTS),
    "STM-004": b(KeepsStimMode, **STIM_EVENTS),
    "STO-001": b(lambda: mask(b"\xfd", 1, on=0x80)),
    "STO-002": b(lambda: forgive(b"\xf9\x04")),
    "STO-003": b(Pending, **STORES),
    "STO-004": b(lambda: Events(lambda p: b"" if p == b"\xfd\x03" else p), **STORES),
    "STO-005": b(lambda: forgive(b"\xf9\x01"), **STORES),
    "STO-006": b(lambda: put(b"\xfd", 4, 0, size=2), **STORES),
    "STO-007": b(lambda: Ask(b"\xf9\x08", lambda *_: b"", OK), **STORES),
    # clocks
    "TIM-001": b(lambda: Edit(b"\xdc", positive(lambda p: p if p[3] else p[:7]))),
    "TIM-002": b(lambda: clock(lambda v, n: v - 1_000_000 * n)),
    "TIM-003": b(lambda: clock(lambda v, n: 2 * v)),
    "TIM-004": b(
        lambda: Edit(b"\xdc", positive(lambda p: p[:2] + b"\x01" + p[3:] if p[3] == 0 else p))
    ),
    "TIM-005": b(lambda: cut(b"\xc6", 7)),
    "TIM-006": b(
        lambda: Edit(
            b"\xc6", positive(lambda p: p if p[1] & 3 else p[:1] + bytes((p[1] | 1,)) + p[2:])
        )
    ),
    "TIM-007": b(lambda: forgive(b"\xc6\x03", OK + bytes(7))),
    "TIM-008": b(lambda: mask(b"\xc6\x02", 1, off=0x03)),
    "TIM-009": b(lambda: Edit(b"\xdc", positive(lambda p: p[:5] if p[3] else p))),
    "TIM-010": b(lambda: Edit(b"\xf2\xfa", lambda came, _: [OK, *came])),
    "TIM-011": b(Multicast),
    "TIM-012": b(lambda: reply(b"\xf5", DENIED, after=b"\xc6")),
    "TIM-013": b(lambda: put(b"\xf5", 11, 0x20, after=b"\xc6")),
    "TIM-014": b(lambda: put(b"\xc6\x00", 6, 7, size=2)),
    # seed and key, programming
    "SEC-001": b(lambda: reply(b"\xf8\x00\x00", b"\xff\x00")),
    "SEC-002": b(lambda: reply(b"\xf8\x00\x05", b"\xff\x00")),
    "SEC-003": b(lambda: reply(b"\xf8\x01\x01", b"\xff\x00")),
    "SEC-004": b(lambda: reply(b"\xf8\x7e", b"\xff\x00")),
    "SEC-005": b(lambda: reply(b"\xf8\x00\x01", b"\xff\x04" + bytes(4))),
    "SEC-006": b(lambda: reply(b"\xf8\x00\x01", b"\xff\x00"), **PROTECTED),
    "SEC-007": b(lambda: reply(b"\xea\x01\x00", OK + bytes(3)), **PROTECTED),
    "SEC-008": b(lambda: Chain(reply(b"\xf8", UNKNOWN), reply(b"\xf7", UNKNOWN)), **PROTECTED),
    "SEC-009": b(lambda: reply(b"\xf7\x01", b"\xff\x00")),
    "SEC-010": b(lambda: Edit(b"\xf7\x01", lambda *_: [b"\xff\x00"], after=b"\xf8"), **PROTECTED),
    "SEC-011": locked(lambda: put(b"\xf8\x01", 1, 80)),
    "SEC-012": locked(lambda: mask(b"\xf7\x12", 1, on=0x05)),
    "SEC-013": locked(lambda: Edit(b"\xf7\x12", opens(0x05))),
    "SEC-014": locked(OpenCal),
    "SEC-015": b(
        lambda: reply(b"\xda", b"\xfe\x25"),
        security=replace(LOCKS, protected=Resource.of(cal_pag=1)),
    ),
    "SEC-016": locked(lambda: StaysOpen(b"\xfe")),
    "SEC-017": locked(lambda: StaysOpen(b"\xff")),
    "SEC-018": locked(Between),
    "SEC-019": locked(lambda: mask(b"\xf7\x50", 1, off=0x01)),
    "SEC-020": locked(
        lambda: Edit(b"\xfd", lambda came, _: came or [OK + bytes(5)], after=b"\xf7")
    ),
    "PGM-001": b(lambda: programming(info=b"\xff\x01"), programming),
    "PGM-002": b(lambda: programming(info=b"\xff\x00\x01"), programming),
    "PGM-003": b(lambda: programming(info=b"\xff\x09\x01"), programming),
    "PGM-004": b(lambda: programming(sector=RANGE), programming),
    "PGM-005": b(lambda: programming(beyond=OK + bytes(7)), programming),
    "PGM-006": b(lambda: programming(clear=OK), programming),
    "PGM-007": b(lambda: cut(b"\xd2", 6), **FLASHES),
    "PGM-008": b(WrongFlash, **FLASHES),
    "PGM-009": b(
        lambda: Edit(b"\xfd", lambda came, _: came or [OK + bytes(5)], after=b"\xcf"), **FLASHES
    ),
    # the A2L says otherwise
    "A2L-001": layer(max_cto=8),
    "A2L-002": layer(max_dto=8),
    "A2L-003": layer(byte_order=ByteOrder.MOTOROLA),
    "A2L-004": layer(address_granularity=2),
    "A2L-005": layer(block_slave=False),
    "A2L-006": acquisition(config_type="STATIC"),
    "A2L-007": acquisition(identification_field=0),
    "A2L-008": acquisition(timestamp=XcpTimestamp(1, 4, 4)),
    "A2L-009": acquisition(overload=1),
    "A2L-010": acquisition(granularity_daq=4),
    "A2L-011": layer(optional_cmds=("GET_ID", "GET_SECTOR_INFO")),
    "A2L-012": acquisition(events=(replace(DAQ.events[0], time_cycle=2), *DAQ.events[1:])),
    "A2L-013": acquisition(max_odt_entry_size_daq=8),
    "A2L-014": acquisition(prescaler_supported=False),
    "A2L-015": Broken(Wrong, paper=replace(PAPER, epk="EPK 1.1")),
    "A2L-016": Broken(Wrong, paper=replace(PAPER, segments=(replace(CAL, address=0x6000_0004),))),
    "A2L-017": segment(checksum=XcpChecksum(7)),
    "A2L-018": segment(pages=(XcpPage(0), XcpPage(1))),
    "A2L-019": described(pag=XcpPag(2, freeze_supported=False)),
    "A2L-020": Broken(
        lambda: mask(b"\xff\x00", 1, off=0x10),
        paper=replace(PAPER, xcp=replace(DESCRIPTION, pgm=XcpPgm(mode=1, max_sectors=1))),
    ),
    "A2L-021": Broken(
        Wrong, {"security": LOCKS}, paper=replace(PAPER, xcp=XcpDescription(protocol_layer=LAYER))
    ),
    "A2L-022": acquisition(stim=XcpStim()),
    # transport, and what is seen in passing
    "TRN-001": b(FirstOnly),
    "TRN-002": b(DeafToGaps),
    "TRN-003": b(LateCounter),
    "TRN-004": b(lambda: Datagram(lambda d: d[:2] + b"\x00\x80" + d[4:])),
    "TRN-005": b(lambda: Datagram(lambda d: d + b"\x09\x00")),
    "TRN-006": b(lambda: Counted(lambda p: p + bytes(200))),
    "OBS-001": b(lambda: Edit(b"\xfe", lambda came, _: came * 2)),
    "OBS-002": b(lambda: reply(b"\xff\x7e", b"\xfe\x77")),
    "OBS-003": b(lambda: Edit(b"\xfd", positive(lambda p: p + bytes(60)))),
    "OBS-004": b(lambda: Once(b"\xfd", b"\xfd\x55")),
    "OBS-005": b(lambda: Once(b"\xfd", b"\xfc\x55")),
    "OBS-006": b(lambda: Once(b"\xfd", b"\x00\x00\x00\x00\x00\x00")),
    "OBS-007": b(lambda: Once(b"\xfd", b"\xfd\x06"), overload=1),
}
