"""Rules about reading memory, and what they share with those about writing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xcaliper.conformance.facts import region, steady, telling
from xcaliper.conformance.model import (
    Group,
    Rule,
    Severity,
    SkippedError,
    rule,
)
from xcaliper.xcp import std
from xcaliper.xcp.checksum import block_alignment, checksum
from xcaliper.xcp.codes import ChecksumType, ErrorCode

if TYPE_CHECKING:
    from xcaliper.conformance.probe import Probe, Region

__all__ = ["RULES", "data_of", "halves_apart", "point"]

_MEM: Final = Group.MEMORY
_RANGE: Final = ErrorCode.ERR_OUT_OF_RANGE
_SEQUENCE: Final = ErrorCode.ERR_SEQUENCE
_SIZES: Final = {0x01: 1, 0x02: 2, 0x04: 2, 0x07: 2, 0x08: 2}


def point(probe: Probe, place: Region, offset: int = 0) -> None:
    """Let the MTA point into a region."""
    start = place.address + offset
    probe.use(std.SetMta(address=start.value, address_extension=start.extension))


def _short(place: Region, count: int) -> std.ShortUpload:
    start = place.address
    return std.ShortUpload(count=count, address=start.value, address_extension=start.extension)


def data_of(probe: Probe, answer: bytes, count: int) -> bytes:
    """So many elements of an UPLOAD or SHORT_UPLOAD answer."""
    ag = probe.profile.ag
    return answer[ag : ag * (1 + count)]


def halves_apart(data: bytes) -> bool:
    """True when the two halves tell themselves apart."""
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
        data_of(probe, answer, 4) == expected,
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
    place, expected = telling(probe, 4, halves_apart)
    ag = probe.profile.ag
    point(probe, place)
    first = data_of(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
    second = data_of(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
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
    place, expected = telling(probe, 4, halves_apart)
    ag = probe.profile.ag
    probe.use(_short(place, 2))
    found = data_of(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
    probe.demand(found == expected[2 * ag :], "UPLOAD did not go on behind SHORT_UPLOAD.")


@rule(
    "MEM-004",
    _MEM,
    "UPLOAD of nothing",
    "UPLOAD of 0 elements is refused with ERR_OUT_OF_RANGE.",
    "UPLOAD, 1.0",
)
def _upload_nothing(probe: Probe) -> None:
    point(probe, region(probe))
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
    point(probe, place)
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
    point(probe, region(probe))
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
    point(probe, region(probe))
    if probe.connect() is None:
        raise SkippedError("builds on CONNECT in a session, which did not work.")
    probe.refused(std.Upload(count=1), ErrorCode.ERR_ACCESS_DENIED, _SEQUENCE)


def _built(probe: Probe) -> tuple[Region, bytes, std.BuildChecksumResponse]:
    count = 16
    place, expected = steady(probe, count)
    point(probe, place)
    return place, expected, probe.use(std.BuildChecksum(block_size=count))


@rule(
    "MEM-010",
    _MEM,
    "BUILD_CHECKSUM response is complete",
    "The answer to BUILD_CHECKSUM has 8 bytes.",
    "BUILD_CHECKSUM, 1.0",
)
def _checksum_length(probe: Probe) -> None:
    point(probe, region(probe, 16))
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
    point(probe, place)
    probe.use(std.BuildChecksum(block_size=16))
    found = data_of(probe, probe.subject(std.Upload(count=2), 3 * ag), 2)
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
    point(probe, place)
    probe.refused(std.BuildChecksum(block_size=width // probe.profile.ag + 1), _RANGE)


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
)
