"""Rules about writing memory, where that is allowed; what is written is restored."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.checks.memory import data_of, halves_apart, point
from xcaliper.conformance.facts import comm_mode, read, region, steady, telling
from xcaliper.conformance.model import (
    FaultError,
    Group,
    Permission,
    Rule,
    SkippedError,
    rule,
)
from xcaliper.xcp import cal, std
from xcaliper.xcp.codes import PID_ERR, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from xcaliper.conformance.probe import Probe, Region

__all__ = ["RULES"]

_CAL: Final = Group.CALIBRATION
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_SEQUENCE: Final = ErrorCode.ERR_SEQUENCE
_WRITE: Final = Permission.WRITE
#: Refusals that say something about the memory and nothing about the command.
_DENIALS: Final = (
    ErrorCode.ERR_WRITE_PROTECTED,
    ErrorCode.ERR_ACCESS_DENIED,
    ErrorCode.ERR_MEMORY_OVERFLOW,
)
#: Into so many parts a place is cut to try whether it can be written.
_SPOTS: Final = 8


def _writable(probe: Probe, place: Region, before: bytes) -> None:
    """Write single elements as they are, spread over a place, once a run for each place.

    Memory may be read as a whole and be writable in parts: structures without a copy in RAM, or without
    room for one.

    Raises:
        SkippedError: some of it cannot be written now.
    """
    ag = probe.profile.ag
    last = len(before) // ag - 1
    spots = sorted({last * part // _SPOTS for part in range(_SPOTS + 1)})

    def attempt(one: Probe) -> bool:
        return all(_takes(one, place, at, before[at * ag : (at + 1) * ag]) for at in spots)

    if not probe.fact(f"writable {place.address} {last}", attempt):
        where = f"the {last + 1} elements at {place.address}" if last else "the memory"
        raise SkippedError(f"{where} cannot be written; switch its page, or name other memory.")


def _takes(probe: Probe, place: Region, at: int, data: bytes) -> bool:
    """Whether one element can be written.

    Raises:
        SkippedError: writing is locked.
    """
    point(probe, place, at)
    answer = probe.ask(cal.Download(count=1, data=data))
    if answer is None or answer[0] != PID_ERR or len(answer) < 2:
        return True
    if answer[1] == ErrorCode.ERR_ACCESS_LOCKED:
        raise SkippedError("DOWNLOAD is locked; give its key or leave the group out.")
    return answer[1] not in _DENIALS


@contextmanager
def _restored(
    probe: Probe, count: int, apart: Callable[[bytes], bool] | None = None
) -> Iterator[tuple[Region, bytes]]:
    """Memory to write, with its content; it is written back at the end, also after a failed rule."""
    place, before = steady(probe, count) if apart is None else telling(probe, count, apart)
    _writable(probe, place, before)
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
        point(probe, place, at // ag)
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
        point(probe, place)
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
    with _restored(probe, 4, halves_apart) as (place, before):
        ag = probe.profile.ag
        point(probe, place)
        probe.use(cal.Download(count=2, data=before[: 2 * ag]))
        found = data_of(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
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
    _writable(probe, *steady(probe, 1))
    point(probe, region(probe))
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
        point(probe, place)
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
        found = data_of(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
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
        point(probe, place)
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
        point(probe, place)
        probe.use(cal.ModifyBits(shift=0, and_mask=0xFFFF, xor_mask=0))
        found = data_of(probe, probe.subject(std.Upload(count=1), 2 * ag), 1)
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
        point(probe, place)
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
        point(probe, place)
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
        point(probe, place)
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
        point(probe, place)
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
        point(probe, place)
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
        point(probe, place)
        request = cal.Download(count=min(room + 1, 0xFF), data=before)
        probe.refused(request, _RANGE, ErrorCode.ERR_CMD_SYNTAX)


RULES: Final[tuple[Rule, ...]] = (
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
