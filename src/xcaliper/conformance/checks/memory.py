"""Rules about reading memory and, where allowed, writing it; what is written is restored."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import comm_mode, read, region, steady, telling
from xcaliper.conformance.model import (
    FaultError,
    Group,
    Permission,
    Rule,
    Severity,
    SkippedError,
    rule,
)
from xcaliper.xcp import cal, std
from xcaliper.xcp.checksum import block_alignment, checksum
from xcaliper.xcp.codes import PID_ERR, ChecksumType, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcaliper.conformance.probe import Probe, Region

__all__ = ["RULES"]

_MEM: Final = Group.MEMORY
_CAL: Final = Group.CALIBRATION
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_SEQUENCE: Final = ErrorCode.ERR_SEQUENCE
_WRITE: Final = Permission.WRITE
_SIZES: Final = {0x01: 1, 0x02: 2, 0x04: 2, 0x07: 2, 0x08: 2}


def _point(probe: Probe, place: Region, offset: int = 0) -> None:
    start = place.address + offset
    probe.use(std.SetMta(address=start.value, address_extension=start.extension))


def _short(place: Region, count: int) -> std.ShortUpload:
    start = place.address
    return std.ShortUpload(count=count, address=start.value, address_extension=start.extension)


def _data(probe: Probe, answer: bytes, count: int) -> bytes:
    ag = probe.profile.ag
    return answer[ag : ag * (1 + count)]


def _halves_apart(data: bytes) -> bool:
    half = len(data) // 2
    return data[:half] != data[half:]


# -- reading --------------------------------------------------------------------------------------


@rule(
    "MEM-001",
    _MEM,
    "SHORT_UPLOAD and UPLOAD read the same",
    "SHORT_UPLOAD gives what SET_MTA and UPLOAD give at the same address.",
    "SHORT_UPLOAD, 1.0",
)
def _same(probe: Probe) -> None:
    place, expected = steady(probe, 4)
    answer = probe.subject(_short(place, 4), 5 * probe.profile.ag)
    probe.demand(
        _data(probe, answer, 4) == expected,
        "SHORT_UPLOAD gives other bytes than SET_MTA and UPLOAD.",
    )


@rule(
    "MEM-002",
    _MEM,
    "UPLOAD moves the MTA",
    "UPLOAD of n elements moves the MTA n elements on.",
    "UPLOAD, 1.0",
)
def _moves(probe: Probe) -> None:
    place, expected = telling(probe, 4, _halves_apart)
    ag = probe.profile.ag
    _point(probe, place)
    first = _data(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
    second = _data(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
    if first != expected[: 2 * ag]:
        raise SkippedError("builds on UPLOAD reading the same twice.")
    probe.demand(second == expected[2 * ag :], "the second UPLOAD did not go on behind the first.")


@rule(
    "MEM-003",
    _MEM,
    "SHORT_UPLOAD leaves the MTA behind",
    "After SHORT_UPLOAD the MTA is its address plus the number of elements.",
    "SHORT_UPLOAD, 1.0",
)
def _leaves(probe: Probe) -> None:
    place, expected = telling(probe, 4, _halves_apart)
    ag = probe.profile.ag
    probe.use(_short(place, 2))
    found = _data(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
    probe.demand(found == expected[2 * ag :], "UPLOAD did not go on behind SHORT_UPLOAD.")


@rule(
    "MEM-004",
    _MEM,
    "UPLOAD of nothing",
    "UPLOAD of 0 elements is refused with ERR_OUT_OF_RANGE.",
    "UPLOAD, 1.0",
)
def _upload_nothing(probe: Probe) -> None:
    _point(probe, region(probe))
    probe.refused(std.Upload(count=0), _RANGE)


@rule(
    "MEM-005",
    _MEM,
    "SHORT_UPLOAD of nothing",
    "SHORT_UPLOAD of 0 elements is refused with ERR_OUT_OF_RANGE.",
    "SHORT_UPLOAD, 1.0",
)
def _short_nothing(probe: Probe) -> None:
    probe.refused(_short(region(probe), 0), _RANGE)


@rule(
    "MEM-006",
    _MEM,
    "SHORT_UPLOAD of too much",
    "SHORT_UPLOAD of more than a packet holds is refused with ERR_OUT_OF_RANGE, also with slave "
    "block mode.",
    "SHORT_UPLOAD, 1.0",
)
def _short_much(probe: Probe) -> None:
    count = probe.profile.max_cto // probe.profile.ag
    if count > 0xFF:
        raise SkippedError("a packet holds more than can be asked for.")
    probe.refused(_short(region(probe), count), _RANGE)


@rule(
    "MEM-007",
    _MEM,
    "Largest UPLOAD",
    "A single response holds MAX_CTO / AG - 1 elements.",
    "UPLOAD, 1.0",
)
def _largest(probe: Probe) -> None:
    count = min(probe.profile.max_cto // probe.profile.ag - 1, 0xFF)
    place = region(probe, count)
    _point(probe, place)
    probe.subject(std.Upload(count=count), probe.profile.ag * (1 + count))


@rule(
    "MEM-008",
    _MEM,
    "Fill before the data",
    "With a granularity above 1 the bytes between RES and the data are sent as 0.",
    "UPLOAD, 1.0",
    severity=Severity.DEVIATION,
)
def _fill(probe: Probe) -> None:
    ag = probe.profile.ag
    if ag == 1:
        raise SkippedError("with granularity 1 there is no fill.")
    _point(probe, region(probe))
    answer = probe.subject(std.Upload(count=1), 2 * ag)
    probe.demand(answer[1:ag] == bytes(ag - 1), f"the fill is {answer[1:ag].hex(' ')}.")


@rule(
    "MEM-009",
    _MEM,
    "No MTA after CONNECT",
    "The MTA is undefined after CONNECT; UPLOAD without SET_MTA is refused.",
    "SET_MTA, 1.0",
    severity=Severity.DEVIATION,
)
def _undefined(probe: Probe) -> None:
    _point(probe, region(probe))
    if probe.connect() is None:
        raise SkippedError("builds on CONNECT in a session, which did not work.")
    probe.refused(std.Upload(count=1), ErrorCode.ERR_ACCESS_DENIED, _SEQUENCE)


def _built(probe: Probe) -> tuple[Region, bytes, std.BuildChecksumResponse]:
    count = 16
    place, expected = steady(probe, count)
    _point(probe, place)
    return place, expected, probe.use(std.BuildChecksum(block_size=count))


@rule(
    "MEM-010",
    _MEM,
    "BUILD_CHECKSUM response is complete",
    "The answer to BUILD_CHECKSUM has 8 bytes.",
    "BUILD_CHECKSUM, 1.0",
)
def _checksum_length(probe: Probe) -> None:
    _point(probe, region(probe, 16))
    probe.subject(std.BuildChecksum(block_size=16), 8)


@rule(
    "MEM-011",
    _MEM,
    "Type of checksum exists",
    "The type of checksum is 1 to 9, or FF for a user-defined one.",
    "BUILD_CHECKSUM, 1.0",
)
def _checksum_type(probe: Probe) -> None:
    _, _, found = _built(probe)
    known = found.checksum_type in tuple(ChecksumType)
    probe.demand(known, f"checksum type 0x{found.checksum_type:02X} does not exist.")


def _standard(found: std.BuildChecksumResponse) -> ChecksumType:
    if found.checksum_type not in range(1, 10):
        raise SkippedError("the checksum is none of the standard's.")
    return ChecksumType(found.checksum_type)


@rule(
    "MEM-012",
    _MEM,
    "BUILD_CHECKSUM is right",
    "The result is the checksum, of the type that is told, of the bytes that UPLOAD gives.",
    "BUILD_CHECKSUM, 1.0",
)
def _checksum_value(probe: Probe) -> None:
    _, expected, found = _built(probe)
    kind = _standard(found)
    right = checksum(kind, expected, probe.profile.byte_order)
    size = _SIZES.get(int(kind), 4)
    same = found.checksum & ((1 << 8 * size) - 1) == right
    probe.demand(same, f"{kind.name} is 0x{found.checksum:X} instead of 0x{right:X}.")


@rule(
    "MEM-013",
    _MEM,
    "Short checksums are filled with 0",
    "A checksum of 8 or 16 bits has 0 in the upper bytes of the result.",
    "BUILD_CHECKSUM, 1.0",
    severity=Severity.DEVIATION,
)
def _checksum_top(probe: Probe) -> None:
    _, _, found = _built(probe)
    kind = _standard(found)
    size = _SIZES.get(int(kind), 4)
    if size == 4:
        raise SkippedError(f"{kind.name} has 32 bits.")
    probe.demand(
        not found.checksum >> 8 * size,
        f"{kind.name} has {size} bytes; the result is 0x{found.checksum:08X}.",
    )


@rule(
    "MEM-014",
    _MEM,
    "BUILD_CHECKSUM moves the MTA",
    "BUILD_CHECKSUM moves the MTA behind its block.",
    "BUILD_CHECKSUM, 1.0",
)
def _checksum_moves(probe: Probe) -> None:
    ag = probe.profile.ag
    place, expected = telling(probe, 18, lambda data: data[: 2 * ag] != data[16 * ag :])
    _point(probe, place)
    probe.use(std.BuildChecksum(block_size=16))
    found = _data(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
    probe.demand(found == expected[16 * ag :], "UPLOAD did not go on behind the block.")


@rule(
    "MEM-015",
    _MEM,
    "Checksum of a block that is not aligned",
    "A block whose size the algorithm cannot take is refused with ERR_OUT_OF_RANGE.",
    "BUILD_CHECKSUM, 1.0",
)
def _checksum_align(probe: Probe) -> None:
    place, _, found = _built(probe)
    width = block_alignment(_standard(found))
    if width <= probe.profile.ag:
        raise SkippedError("every size is possible.")
    _point(probe, place)
    probe.refused(std.BuildChecksum(block_size=width // probe.profile.ag + 1), _RANGE)


# -- writing --------------------------------------------------------------------------------------


def _writable(probe: Probe) -> None:
    """Write one element as it is, once a run.

    Raises:
        SkippedError: the memory cannot be written now.
    """

    def attempt(one: Probe) -> bool:
        place, before = steady(one, 1)
        _point(one, place)
        answer = one.ask(cal.Download(count=1, data=before))
        if answer is None or answer[0] != PID_ERR or len(answer) < 2:
            return True
        if answer[1] == ErrorCode.ERR_ACCESS_LOCKED:
            raise SkippedError("DOWNLOAD is locked; give its key or leave the group out.")
        return answer[1] not in (ErrorCode.ERR_WRITE_PROTECTED, ErrorCode.ERR_ACCESS_DENIED)

    if not probe.fact("writable", attempt):
        raise SkippedError("the memory cannot be written; switch its page, or name other memory.")


@contextmanager
def _restored(
    probe: Probe, count: int, apart: Callable[[bytes], bool] | None = None
) -> Iterator[tuple[Region, bytes]]:
    """Memory to write, with its content; it is written back at the end, also after a failed rule."""
    _writable(probe)
    place, before = steady(probe, count) if apart is None else telling(probe, count, apart)
    try:
        yield place, before
    finally:
        _write_back(probe, place, before)


def _write_back(probe: Probe, place: Region, before: bytes) -> None:
    ag = probe.profile.ag
    room = (probe.profile.max_cto - max(2, ag)) // ag
    probe.ask(b"\xfc")  # a block that a rule left open ends here
    now = read(probe, place.address, len(before) // ag)
    if now == before:
        return
    for at in range(0, len(before), room * ag):
        part = before[at : at + room * ag]
        _point(probe, place, at // ag)
        probe.use(cal.Download(count=len(part) // ag, data=part))
    if read(probe, place.address, len(before) // ag) != before:
        raise FaultError("what the rule wrote could not be restored.")


def _other(data: bytes) -> bytes:
    """Bytes that differ from these in every bit."""
    return bytes(byte ^ 0xFF for byte in data)


@rule(
    "CAL-001",
    _CAL,
    "DOWNLOAD writes",
    "What DOWNLOAD wrote is what UPLOAD reads.",
    "DOWNLOAD, 1.0",
    needs=_WRITE,
)
def _download(probe: Probe) -> None:
    with _restored(probe, 2) as (place, before):
        _point(probe, place)
        probe.subject(cal.Download(count=2, data=_other(before)))
        found = read(probe, place.address, 2)
        probe.demand(found == _other(before), "UPLOAD gives other bytes than DOWNLOAD wrote.")


@rule(
    "CAL-002",
    _CAL,
    "DOWNLOAD moves the MTA",
    "DOWNLOAD moves the MTA behind what it wrote.",
    "DOWNLOAD, 1.0",
    needs=_WRITE,
)
def _download_moves(probe: Probe) -> None:
    with _restored(probe, 4, _halves_apart) as (place, before):
        ag = probe.profile.ag
        _point(probe, place)
        probe.use(cal.Download(count=2, data=before[: 2 * ag]))
        found = _data(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
        probe.demand(found == before[2 * ag :], "UPLOAD did not go on behind DOWNLOAD.")


@rule(
    "CAL-003",
    _CAL,
    "DOWNLOAD of nothing",
    "DOWNLOAD of 0 elements is refused with ERR_OUT_OF_RANGE.",
    "DOWNLOAD, 1.0",
    needs=_WRITE,
)
def _download_nothing(probe: Probe) -> None:
    _writable(probe)
    _point(probe, region(probe))
    probe.refused(cal.Download(count=0, data=b""), _RANGE)


@rule(
    "CAL-004",
    _CAL,
    "DOWNLOAD with too few bytes",
    "DOWNLOAD with fewer data bytes than it says is refused with ERR_CMD_SYNTAX.",
    "DOWNLOAD, 1.0",
    needs=_WRITE,
)
def _download_short(probe: Probe) -> None:
    with _restored(probe, 4) as (place, before):
        ag = probe.profile.ag
        _point(probe, place)
        packet = probe.bytes_of(cal.Download(count=4, data=before))
        probe.refused(packet[: len(packet) - 2 * ag], ErrorCode.ERR_CMD_SYNTAX)


@rule(
    "CAL-005",
    _CAL,
    "SHORT_DOWNLOAD writes",
    "What SHORT_DOWNLOAD wrote is what UPLOAD reads.",
    "SHORT_DOWNLOAD, 1.0",
    needs=_WRITE,
)
def _short_download(probe: Probe) -> None:
    _room_for_short(probe)
    with _restored(probe, 1) as (place, before):
        probe.subject(_short_request(place, _other(before)))
        found = read(probe, place.address, 1)
        probe.demand(found == _other(before), "UPLOAD gives other bytes than SHORT_DOWNLOAD wrote.")


@rule(
    "CAL-006",
    _CAL,
    "SHORT_DOWNLOAD leaves the MTA behind",
    "After SHORT_DOWNLOAD the MTA is its address plus the number of elements.",
    "SHORT_DOWNLOAD, 1.0",
    needs=_WRITE,
)
def _short_download_moves(probe: Probe) -> None:
    _room_for_short(probe)
    ag = probe.profile.ag
    with _restored(probe, 3, lambda data: data[: 2 * ag] != data[ag:]) as (place, before):
        probe.use(_short_request(place, before[:ag]))
        found = _data(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
        probe.demand(found == before[ag:], "UPLOAD did not go on behind SHORT_DOWNLOAD.")


def _room_for_short(probe: Probe) -> None:
    if probe.profile.max_cto < 8 + probe.profile.ag:
        raise SkippedError("SHORT_DOWNLOAD has no room for data with this MAX_CTO.")


def _short_request(place: Region, data: bytes) -> cal.ShortDownload:
    return cal.ShortDownload(
        count=1, address=place.address.value, address_extension=place.address.extension, data=data
    )


@rule(
    "CAL-007",
    _CAL,
    "MODIFY_BITS clears and toggles",
    "MODIFY_BITS clears the bits that are 0 in the AND mask, then toggles those of the XOR mask.",
    "MODIFY_BITS, 1.0",
    needs=_WRITE,
)
def _modify(probe: Probe) -> None:
    count = 4 // probe.profile.ag
    with _restored(probe, count) as (place, before):
        _point(probe, place)
        probe.subject(cal.ModifyBits(shift=4, and_mask=0xFFF0, xor_mask=0x0305))
        old = probe.number(before)
        right = (old & ~(0x000F << 4) ^ (0x0305 << 4)) & 0xFFFF_FFFF
        found = probe.number(read(probe, place.address, count))
        probe.demand(found == right, f"0x{old:08X} became 0x{found:08X} instead of 0x{right:08X}.")


@rule(
    "CAL-008",
    _CAL,
    "MODIFY_BITS leaves the MTA",
    "MODIFY_BITS does not move the MTA.",
    "MODIFY_BITS, 1.0",
    needs=_WRITE,
)
def _modify_mta(probe: Probe) -> None:
    ag = probe.profile.ag
    count = 4 // ag + 1
    with _restored(probe, count, lambda data: data[:ag] != data[ag : 2 * ag]) as (
        place,
        before,
    ):
        _point(probe, place)
        probe.use(cal.ModifyBits(shift=0, and_mask=0xFFFF, xor_mask=0))
        found = _data(probe, probe.subject(std.Upload(count=1), 2 * ag), 1)
        probe.demand(found == before[:ag], "UPLOAD does not read where MODIFY_BITS worked.")


@rule(
    "CAL-009",
    _CAL,
    "DOWNLOAD_MAX writes",
    "DOWNLOAD_MAX writes MAX_CTO / AG - 1 elements, which UPLOAD reads.",
    "DOWNLOAD_MAX, 1.0",
    needs=_WRITE,
)
def _download_max(probe: Probe) -> None:
    count = probe.profile.max_cto // probe.profile.ag - 1
    with _restored(probe, count) as (place, before):
        _point(probe, place)
        probe.subject(cal.DownloadMax(data=_other(before)))
        found = read(probe, place.address, count)
        probe.demand(found == _other(before), "UPLOAD gives other bytes than DOWNLOAD_MAX wrote.")


def _block_room(probe: Probe) -> int:
    """Elements that fit one packet of a block.

    Raises:
        SkippedError: the slave takes no blocks.
    """
    mode = comm_mode(probe)
    if not mode.comm_mode_optional.master_block_mode:
        raise SkippedError("the slave has no master block mode.")
    if mode.max_bs < 2:
        raise SkippedError("MAX_BS leaves no room for a block.")
    ag = probe.profile.ag
    room = (probe.profile.max_cto - max(2, ag)) // ag
    if 2 * room > 0xFF:
        if room >= 0xFF:
            raise SkippedError("a single packet takes all that a block may have.")
        return room
    return room


@rule(
    "CAL-010",
    _CAL,
    "Block download writes",
    "DOWNLOAD and DOWNLOAD_NEXT write one block and are answered once, at its end.",
    "block transfer, 1.0",
    needs=_WRITE,
)
def _block(probe: Probe) -> None:
    room = _block_room(probe)
    with _restored(probe, room + 1) as (place, before):
        new, split = _other(before), room * probe.profile.ag
        _point(probe, place)
        probe.tell(probe.bytes_of(cal.Download(count=room + 1, data=new[:split])))
        probe.listen(max(comm_mode(probe).min_st * 100_000, 1_000_000))
        probe.subject(cal.DownloadNext(count=1, data=new[split:]))
        found = read(probe, place.address, room + 1)
        probe.demand(found == new, "UPLOAD gives other bytes than the block wrote.")


@rule(
    "CAL-011",
    _CAL,
    "DOWNLOAD_NEXT without a block",
    "DOWNLOAD_NEXT that follows no DOWNLOAD is refused with ERR_SEQUENCE.",
    "DOWNLOAD_NEXT, 1.0",
    needs=_WRITE,
)
def _next_alone(probe: Probe) -> None:
    with _restored(probe, 1) as (place, before):
        _point(probe, place)
        probe.refused(cal.DownloadNext(count=1, data=before), _SEQUENCE)


@rule(
    "CAL-012",
    _CAL,
    "DOWNLOAD_NEXT with a wrong number",
    "DOWNLOAD_NEXT whose number of elements is not what is missing is refused with ERR_SEQUENCE "
    "and the number that was expected.",
    "DOWNLOAD_NEXT, 1.0",
    needs=_WRITE,
)
def _next_wrong(probe: Probe) -> None:
    room = _block_room(probe)
    with _restored(probe, room + 2) as (place, before):
        ag = probe.profile.ag
        split = room * ag
        _point(probe, place)
        probe.tell(probe.bytes_of(cal.Download(count=room + 2, data=before[:split])))
        answer = probe.refused(cal.DownloadNext(count=1, data=before[split:][:ag]), _SEQUENCE)
        probe.demand(answer[2:3] == b"\x02", "the refusal does not carry the expected number, 2.")


@rule(
    "CAL-013",
    _CAL,
    "SYNCH ends a block",
    "SYNCH drops a running block; DOWNLOAD_NEXT after it is refused.",
    "SYNCH, 1.0",
    needs=_WRITE,
)
def _synch_block(probe: Probe) -> None:
    room = _block_room(probe)
    with _restored(probe, room + 1) as (place, before):
        split = room * probe.profile.ag
        _point(probe, place)
        probe.tell(probe.bytes_of(cal.Download(count=room + 1, data=before[:split])))
        answer = probe.ask(b"\xfc")
        if answer is None or answer[:2] != b"\xfe\x00":
            raise SkippedError("builds on SYNCH, which another rule judges.")
        probe.refused(cal.DownloadNext(count=1, data=before[split:]), _SEQUENCE)


@rule(
    "CAL-014",
    _CAL,
    "DOWNLOAD of too much without blocks",
    "Without MASTER_BLOCK_MODE a DOWNLOAD of more than a packet holds is refused.",
    "DOWNLOAD, 1.0",
    needs=_WRITE,
)
def _download_much(probe: Probe) -> None:
    if comm_mode(probe).comm_mode_optional.master_block_mode:
        raise SkippedError("the slave has master block mode.")
    ag = probe.profile.ag
    room = (probe.profile.max_cto - max(2, ag)) // ag
    with _restored(probe, room) as (place, before):
        _point(probe, place)
        request = cal.Download(count=min(room + 1, 0xFF), data=before)
        probe.refused(request, _RANGE, ErrorCode.ERR_CMD_SYNTAX)


RULES: Final[tuple[Rule, ...]] = (
    _same,
    _moves,
    _leaves,
    _upload_nothing,
    _short_nothing,
    _short_much,
    _largest,
    _fill,
    _undefined,
    _checksum_length,
    _checksum_type,
    _checksum_value,
    _checksum_top,
    _checksum_moves,
    _checksum_align,
    _download,
    _download_moves,
    _download_nothing,
    _download_short,
    _short_download,
    _short_download_moves,
    _modify,
    _modify_mta,
    _download_max,
    _block,
    _next_alone,
    _next_wrong,
    _synch_block,
    _download_much,
)
