"""Facts about a slave that many rules build on, each asked for once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.conformance.model import SkippedError
from xcaliper.conformance.probe import Region
from xcaliper.core.address import Address
from xcaliper.core.ticks import unit_ns
from xcaliper.wire.codec import codec_for
from xcaliper.xcp import daq, pag, std

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.conformance.probe import Probe

__all__ = [
    "EventFacts",
    "SegmentFacts",
    "comm_mode",
    "connect_response",
    "daq_info",
    "event_infos",
    "pag_info",
    "read",
    "region",
    "resolution",
    "segments",
    "steady",
    "telling",
]

_MAX_EVENTS: Final = 64
_MAX_SEGMENTS: Final = 64
_CLOSE_READS: Final = 3
_LOOK_FOR: Final = 512


@dataclass(frozen=True, slots=True)
class EventFacts:
    """An event channel with what GET_DAQ_EVENT_INFO says."""

    number: int
    info: daq.GetDaqEventInfoResponse

    @property
    def cycle_ns(self) -> int:
        """Period; 0 when not cyclic or when the unit is none that exists."""
        unit = self.info.time_unit
        return int(self.info.time_cycle * unit_ns(unit)) if unit <= 0xC else 0


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """A segment with what GET_SEGMENT_INFO says; length counts AG elements."""

    number: int
    info: pag.SegmentStandardInfo
    address: int
    length: int


def connect_response(probe: Probe) -> std.ConnectResponse:
    """The first CONNECT response.

    Raises:
        SkippedError: it is too short.
    """
    probe.cite("connect")
    if len(probe.connect_packet) < 8:
        raise SkippedError("builds on CONNECT, whose answer is too short.")
    found: std.ConnectResponse = codec_for(std.ConnectResponse, probe.profile.byte_order).decode(
        probe.connect_packet
    )
    return found


def comm_mode(probe: Probe) -> std.GetCommModeInfoResponse:
    """GET_COMM_MODE_INFO."""
    return probe.fact("comm mode", lambda p: p.use(std.GetCommModeInfo()))


def daq_info(probe: Probe) -> daq.GetDaqProcessorInfoResponse:
    """GET_DAQ_PROCESSOR_INFO of a slave that announces DAQ."""
    if not connect_response(probe).resource.daq:
        raise SkippedError("the slave does not announce DAQ.")
    return probe.fact("daq info", lambda p: p.use(daq.GetDaqProcessorInfo()))


def resolution(probe: Probe) -> daq.GetDaqResolutionInfoResponse:
    """GET_DAQ_RESOLUTION_INFO of a slave that announces DAQ."""
    if not connect_response(probe).resource.daq:
        raise SkippedError("the slave does not announce DAQ.")
    return probe.fact("resolution", lambda p: p.use(daq.GetDaqResolutionInfo()))


def event_infos(probe: Probe) -> list[EventFacts]:
    """Event channels, at most the first 64."""
    return probe.fact("events", _event_infos)


def _event_infos(probe: Probe) -> list[EventFacts]:
    count = daq_info(probe).max_event_channel
    if count == 0:
        raise SkippedError("the slave does not tell how many event channels it has.")
    return [
        EventFacts(number, probe.use(daq.GetDaqEventInfo(event_channel=number)))
        for number in range(min(count, _MAX_EVENTS))
    ]


def pag_info(probe: Probe) -> pag.GetPagProcessorInfoResponse:
    """GET_PAG_PROCESSOR_INFO of a slave that announces CAL/PAG."""
    if not connect_response(probe).resource.cal_pag:
        raise SkippedError("the slave does not announce CAL/PAG.")
    return probe.fact("pag info", lambda p: p.use(pag.GetPagProcessorInfo()))


def segments(probe: Probe) -> list[SegmentFacts]:
    """Calibration segments, at most the first 64.

    Raises:
        SkippedError: there are none, or they are not told.
    """
    return probe.fact("segments", _segments)


def _segments(probe: Probe) -> list[SegmentFacts]:
    count = pag_info(probe).max_segment
    if count == 0:
        raise SkippedError("the slave has no calibration segments.")
    found = []
    for number in range(min(count, _MAX_SEGMENTS)):
        standard = probe.use(pag.GetSegmentInfo(mode=1, segment=number))
        values = [
            probe.use(pag.GetSegmentInfo(mode=0, segment=number, segment_info=which))
            for which in (0, 1)
        ]
        assert isinstance(standard, pag.SegmentStandardInfo), "the codec chooses by the mode"
        numbers = [one.value for one in values if isinstance(one, pag.SegmentValueInfo)]
        found.append(SegmentFacts(number, standard, numbers[0], numbers[1]))
    return found


def region(probe: Probe, count: int = 1) -> Region:
    """Memory to read, of at least so many elements.

    Raises:
        SkippedError: none is known, or it is too small.
    """
    found = probe.fact("region", _region)
    if found.count < count:
        raise SkippedError(f"needs {count} elements of readable memory; {found.count} are known.")
    return found


def _region(probe: Probe) -> Region:
    if probe.given_region is not None:
        return probe.given_region
    for segment in segments(probe):
        if segment.length:
            return Region(Address(segment.address, segment.info.address_extension), segment.length)
    raise SkippedError("no readable memory is known; name some with --address.")


def read(probe: Probe, start: Address, count: int) -> bytes:
    """Elements of memory by SET_MTA and UPLOAD, in single packets."""
    profile, found, done = probe.profile, b"", 0
    probe.use(std.SetMta(address=start.value, address_extension=start.extension))
    room = profile.max_cto // profile.ag - 1
    while done < count:
        part = min(room, count - done)
        found += probe.use(std.Upload(count=part)).data
        done += part
    return found


def steady(probe: Probe, count: int) -> tuple[Region, bytes]:
    """Memory that reads the same twice, so that two ways of reading can be compared.

    Raises:
        SkippedError: it changes all the time.
    """
    place = region(probe, count)
    before = read(probe, place.address, count)
    for _ in range(_CLOSE_READS):
        again = read(probe, place.address, count)
        if again == before:
            return place, before
        before = again
    raise SkippedError("the memory at the address changes all the time; name steady memory.")


def telling(probe: Probe, count: int, apart: Callable[[bytes], bool]) -> tuple[Region, bytes]:
    """Steady memory whose content shows where it was read, so that a wrong place can be told from the right one.

    Args:
        probe: the slave.
        count: elements.
        apart: whether the content of so many elements will do.

    Raises:
        SkippedError: there is none in the first 512 elements.
    """
    place = region(probe, count)
    most = min(place.count, _LOOK_FOR)
    ag, data = probe.profile.ag, probe.fact("content", lambda p: read(p, place.address, most))
    for at in range(most - count + 1):
        if not apart(data[at * ag : (at + count) * ag]):
            continue
        found = Region(place.address + at, place.count - at)
        if read(probe, found.address, count) == data[at * ag : (at + count) * ag]:
            return found, data[at * ag : (at + count) * ag]
    raise SkippedError("the memory has the same content everywhere, or changes; name other memory.")
