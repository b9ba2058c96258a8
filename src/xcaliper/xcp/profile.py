"""How the two sides talk: byte order, granularity, packet sizes, DTO header; frozen after CONNECT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xcaliper.core.datatypes import ByteOrder

if TYPE_CHECKING:
    from xcaliper.xcp.std import ConnectResponse

__all__ = ["DtoFormat", "Profile"]


@dataclass(frozen=True, slots=True)
class DtoFormat:
    """Header of DAQ and STIM packets (XCP Base, DTO, 1.0).

    Attributes:
        identification_field: 0 absolute, 1 relative + list u8, 2 relative + list u16,
            3 relative + fill + list u16.
        timestamp_size: bytes of the timestamp in the first ODT, 0 = none.
        dto_ctr: True when a counter byte stands in the first ODT *(1.3)*.
        overload_msb: True when bit 7 of the first byte tells of lost samples.
        pid_off: True when there is no identification field at all.
    """

    identification_field: int = 0
    timestamp_size: int = 0
    dto_ctr: bool = False
    overload_msb: bool = False
    pid_off: bool = False

    @property
    def header_size(self) -> int:
        """Bytes of the identification field; the counter replaces the fill byte of type 3."""
        return 0 if self.pid_off else (1, 2, 3, 4)[self.identification_field]

    @property
    def first_header_size(self) -> int:
        """Bytes before the data in the first ODT of a sample."""
        counter = 1 if self.dto_ctr and (self.pid_off or self.identification_field != 3) else 0
        return self.header_size + counter + self.timestamp_size


@dataclass(frozen=True, slots=True)
class Profile:
    """What CONNECT settled (XCP Base, CONNECT, 1.0)."""

    byte_order: ByteOrder = ByteOrder.INTEL
    ag: int = 1
    max_cto: int = 8
    max_dto: int = 8
    slave_block_mode: bool = False
    comm_mode_optional: bool = False
    transport: str = ""

    @classmethod
    def from_connect(cls, response: ConnectResponse, transport: str = "") -> Profile:
        """The profile of a CONNECT response, decoded with its own byte order."""
        basic = response.comm_mode_basic
        return cls(
            byte_order=ByteOrder.MOTOROLA if basic.byte_order else ByteOrder.INTEL,
            ag=1 << min(basic.granularity, 2),
            max_cto=response.max_cto,
            max_dto=response.max_dto,
            slave_block_mode=bool(basic.slave_block_mode),
            comm_mode_optional=bool(basic.optional),
            transport=transport,
        )
