"""Headers of DAQ and STIM packets, and splitting of packed samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.xcp.profile import DtoFormat

__all__ = ["Dto", "decode_dto", "encode_dto", "join_packed", "split_packed"]

_OVERLOAD: Final = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class Dto:
    """One DAQ or STIM packet (XCP Base, DTO, 1.0).

    Attributes:
        odt: PID of absolute identification, else relative ODT number; None without identification.
        daq_list: number of the list; None for absolute identification.
        counter: DTO counter of the first ODT *(1.3)*.
        timestamp: ticks, of the first ODT.
        overload: True when the slave tells of lost samples.
        data: entries in order.
    """

    odt: int | None = None
    daq_list: int | None = None
    counter: int | None = None
    timestamp: int | None = None
    overload: bool = False
    data: bytes = b""


def _endian(order: ByteOrder) -> Literal["little", "big"]:
    return "little" if order.mark == "<" else "big"


def _is_first(odt: int, fmt: DtoFormat, *, first_odt: bool | None) -> bool:
    if first_odt is not None:
        return first_odt
    return fmt.pid_off or odt == 0


def decode_dto(
    packet: bytes,
    fmt: DtoFormat,
    order: ByteOrder = ByteOrder.INTEL,
    *,
    first_odt: bool | None = None,
) -> Dto:
    """The parts of a DAQ or STIM packet.

    Args:
        packet: bytes from the identification field on.
        fmt: what the header looks like.
        order: byte order of the slave.
        first_odt: True when the packet is the first of its sample, which has counter and timestamp;
            None = ODT 0 is. Absolute identification must say it, unless the list starts with PID 0.

    Raises:
        WireError: shorter than its header.
    """
    need = fmt.header_size
    if len(packet) < need:
        raise WireError("DTO", need=f"{need} bytes", got=len(packet))
    name = _endian(order)
    kind = fmt.identification_field
    odt = 0 if fmt.pid_off else packet[0]
    overload = fmt.overload_msb and not fmt.pid_off and bool(odt & _OVERLOAD)
    odt &= ~_OVERLOAD if overload else 0xFF
    first = _is_first(odt, fmt, first_odt=first_odt)
    if first and len(packet) < fmt.first_header_size:
        raise WireError("DTO", need=f"{fmt.first_header_size} bytes", got=len(packet))
    daq_list: int | None = None
    if not fmt.pid_off and kind:
        daq_list = packet[1] if kind == 1 else int.from_bytes(packet[need - 2 : need], name)
    counter: int | None = None
    timestamp: int | None = None
    if first:
        if fmt.dto_ctr:
            inside = kind == 3 and not fmt.pid_off  # the counter takes the fill byte
            counter = packet[1 if inside else need]
        need = fmt.first_header_size
        if fmt.timestamp_size:
            timestamp = int.from_bytes(packet[need - fmt.timestamp_size : need], name)
    return Dto(
        odt=None if fmt.pid_off else odt,
        daq_list=daq_list,
        counter=counter,
        timestamp=timestamp,
        overload=overload,
        data=bytes(packet[need:]),
    )


def encode_dto(
    dto: Dto,
    fmt: DtoFormat,
    order: ByteOrder = ByteOrder.INTEL,
    *,
    first_odt: bool | None = None,
) -> bytes:
    """The bytes of a DAQ or STIM packet; parts that are None count as 0.

    Raises:
        WireError: a number does not fit the header.
    """
    name = _endian(order)
    odt = dto.odt or 0
    first = _is_first(odt, fmt, first_odt=first_odt)
    counter = bytes([(dto.counter or 0) & 0xFF]) if first and fmt.dto_ctr else b""
    try:
        head = _identification(dto, fmt, counter, name)
        stamp = b""
        if first and fmt.timestamp_size:
            modulus = 1 << 8 * fmt.timestamp_size
            stamp = ((dto.timestamp or 0) % modulus).to_bytes(fmt.timestamp_size, name)
    except (OverflowError, ValueError) as error:
        raise WireError("DTO", need=str(error), got=dto, what="value") from None
    return head + stamp + dto.data


def _identification(
    dto: Dto, fmt: DtoFormat, counter: bytes, name: Literal["little", "big"]
) -> bytes:
    """Identification field with the counter in its place."""
    if fmt.pid_off:
        return counter
    odt = dto.odt or 0
    if fmt.overload_msb and odt & _OVERLOAD:
        raise ValueError("ODT below 0x80 beside the overload bit")
    first = bytes([odt | (_OVERLOAD if fmt.overload_msb and dto.overload else 0)])
    daq_list = dto.daq_list or 0
    match fmt.identification_field:
        case 0:
            return first + counter
        case 1:
            return first + bytes([daq_list]) + counter
        case 2:
            return first + daq_list.to_bytes(2, name) + counter
        case _:
            return first + (counter or b"\0") + daq_list.to_bytes(2, name)


def split_packed(
    data: bytes, entry_sizes: Sequence[int], mode: int, sample_count: int
) -> list[list[bytes]]:
    """Samples of a packed ODT, one list per entry (XCP Base, SET_DAQ_PACKED_MODE, 1.4).

    Args:
        data: entries behind the header.
        entry_sizes: bytes of each entry.
        mode: 1 grouped by element, 2 grouped by event, 0 not packed.
        sample_count: samples per entry.

    Raises:
        WireError: not as many bytes as the entries take.
    """
    count = sample_count if mode else 1
    need = sum(entry_sizes) * count
    if len(data) < need:
        raise WireError("packed ODT", need=f"{need} bytes", got=len(data))
    found: list[list[bytes]] = [[] for _ in entry_sizes]
    at = 0
    order = (
        [i for i in range(len(entry_sizes)) for _ in range(count)]
        if mode == 1
        else list(range(len(entry_sizes))) * count
    )
    for entry in order:
        found[entry].append(data[at : at + entry_sizes[entry]])
        at += entry_sizes[entry]
    return found


def join_packed(samples: Sequence[Sequence[bytes]], mode: int) -> bytes:
    """Bytes of a packed ODT from the samples of each entry; undoes :func:`split_packed`."""
    if mode == 1:
        return b"".join(sample for entry in samples for sample in entry)
    return b"".join(sample for event in zip(*samples, strict=True) for sample in event)
