"""Negative responses with more than a code: the extra bytes some commands explain themselves with."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import WireError
from xcaliper.proto.command import Response
from xcaliper.wire.codec import codec_for
from xcaliper.wire.layout import packet, u8, u16, u32
from xcaliper.xcp.codes import PID_ERR
from xcaliper.xcp.std import ErrorResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BuildChecksumRangeError",
    "DeviceError",
    "Refusal",
    "SequenceMismatch",
    "decode_refusal",
]


@packet(PID_ERR, 0x22)
class BuildChecksumRangeError(Response):
    """ERR_OUT_OF_RANGE of BUILD_CHECKSUM with what the slave can do (XCP Base, BUILD_CHECKSUM, 1.0).

    The alignment is 0 without demand; the word was reserved in 1.0.
    """

    mta_block_size_align: int = u16(2, default=0)
    max_block_size: int = u32(4, unit="AG")


@packet(PID_ERR, 0x29)
class SequenceMismatch(Response):
    """ERR_SEQUENCE inside a block: how many elements were expected (XCP Base, DOWNLOAD_NEXT, 1.0)."""

    expected_elements: int = u8(2, unit="AG")


@packet(PID_ERR, 0x31)
class DeviceError(Response):
    """ERR_GENERIC with a code of the device's maker (XCP Base, error codes, 1.0)."""

    device_error: int = u16(2)


Refusal: TypeAlias = ErrorResponse | BuildChecksumRangeError | SequenceMismatch | DeviceError

_BY_COMMAND: Final[Mapping[tuple[str, int], type[Response]]] = MappingProxyType(
    {
        ("BUILD_CHECKSUM", 0x22): BuildChecksumRangeError,
        ("DOWNLOAD", 0x29): SequenceMismatch,
        ("DOWNLOAD_NEXT", 0x29): SequenceMismatch,
        ("PROGRAM", 0x29): SequenceMismatch,
        ("PROGRAM_NEXT", 0x29): SequenceMismatch,
        ("USER_CMD", 0x31): DeviceError,
        ("PROGRAM_START", 0x31): DeviceError,
        ("PROGRAM_PREPARE", 0x31): DeviceError,
        ("PROGRAM_VERIFY", 0x31): DeviceError,
    }
)


def decode_refusal(packet: bytes, command: str = "", order: ByteOrder = ByteOrder.INTEL) -> Refusal:
    """The ERR packet of a command, in its most telling layout.

    Args:
        packet: bytes from PID ERR on.
        command: standard name of the refused command; without it the answer is generic.
        order: byte order of the slave.

    Raises:
        WireError: not an ERR packet, or shorter than two bytes.
    """
    plain: ErrorResponse = codec_for(ErrorResponse, order).decode(packet)
    special = _BY_COMMAND.get((command, plain.code))
    if special is None:
        return plain
    try:
        detailed: Refusal = codec_for(special, order).decode(packet)
    except WireError:  # the extra bytes are optional
        return plain
    return detailed
