"""Read and write memory in as few packets as the slave allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.errors import (
    ExchangeTimeoutError,
    OutOfRangeError,
    RemoteProtocolError,
    UnknownCommandError,
    UsageError,
)
from xcaliper.proto.procedure import Burst, Collect, ask
from xcaliper.xcp import cal, std
from xcaliper.xcp.codes import PID_ERR
from xcaliper.xcp.refusals import BuildChecksumRangeError, decode_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.core.address import Address
    from xcaliper.proto.command import Request
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.procedures.connect import Session

__all__ = ["BlockChecksum", "XcpMemory", "checksum", "modify_bits", "read", "upload", "write"]

_MAX_COUNT: Final = 0xFF
_MAX_BLOCKS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class BlockChecksum:
    """Checksum of one block, as the slave computed it.

    Attributes:
        address: first address.
        size_bytes: length of the block.
        checksum_type: algorithm, see :class:`~xcaliper.xcp.codes.ChecksumType`.
        value: result, upper bytes 0.
    """

    address: Address
    size_bytes: int
    checksum_type: int
    value: int


def upload(
    session: Session, count_ag: int, progress: Callable[[int], None] | None = None
) -> Procedure[bytes]:
    """Elements at the MTA, by blocks where the slave can (XCP Base, UPLOAD, 1.0).

    Args:
        session: of the connection.
        count_ag: number of elements.
        progress: called with the number of bytes that have arrived.
    """
    profile = session.profile
    room = profile.max_cto // profile.ag - 1
    step = min(room, _MAX_COUNT)
    if profile.slave_block_mode and _MAX_COUNT // room >= 2:
        step = _MAX_COUNT // room * room
    out = bytearray()
    while count_ag > 0:
        count = min(step, count_ag)
        if count > room:
            replies = yield Collect(std.Upload(count=count), -(-count // room))
            for reply in replies:
                out += reply.data
        else:
            reply = yield from ask(std.Upload(count=count))
            out += reply.data
        count_ag -= count
        if progress is not None:
            progress(len(out))
    return bytes(out)


@dataclass(slots=True)
class XcpMemory:
    """Memory access of one session; remembers which optional commands the slave lacks.

    Attributes:
        session: of the connection.
        missing: names of commands that were refused as unknown.
    """

    session: Session
    missing: set[str] = field(default_factory=set)

    def read(self, address: Address, size_bytes: int) -> Procedure[bytes]:
        """Bytes at an address; a size inside an element reads the whole element.

        Raises:
            UsageError: the size is negative.
        """
        profile = self.session.profile
        if size_bytes < 0:
            raise UsageError(f"read: {size_bytes} bytes is no size.")
        count = -(-size_bytes // profile.ag)
        room = profile.max_cto // profile.ag - 1
        if count <= 2 * room and "SHORT_UPLOAD" not in self.missing:
            try:
                return (yield from self._read_short(address, count, room))[:size_bytes]
            except UnknownCommandError:
                self.missing.add("SHORT_UPLOAD")
        if "UPLOAD" not in self.missing:
            try:
                yield from ask(_set_mta(address))
                return (yield from upload(self.session, count))[:size_bytes]
            except UnknownCommandError:
                if "SHORT_UPLOAD" in self.missing:
                    raise
                self.missing.add("UPLOAD")
        return (yield from self._read_short(address, count, room))[:size_bytes]

    def _read_short(self, address: Address, count: int, room: int) -> Procedure[bytes]:
        step = min(room, _MAX_COUNT)
        out = bytearray()
        for at in range(0, count, step):
            request = std.ShortUpload(
                count=min(step, count - at),
                address_extension=address.extension,
                address=address.value + at,
            )
            out += (yield from ask(request)).data
        return bytes(out)

    def write(self, address: Address, data: bytes) -> Procedure[None]:
        """Replace bytes at an address.

        Raises:
            UsageError: the bytes are no whole elements.
        """
        profile = self.session.profile
        if len(data) % profile.ag:
            raise UsageError(
                f"write: {len(data)} bytes are no whole elements of {profile.ag} bytes."
            )
        count = len(data) // profile.ag
        if not count:
            return
        if count <= (profile.max_cto - 8) // profile.ag and "SHORT_DOWNLOAD" not in self.missing:
            request = cal.ShortDownload(
                count=count,
                address_extension=address.extension,
                address=address.value,
                data=data,
            )
            try:
                yield from ask(request)
            except UnknownCommandError:
                self.missing.add("SHORT_DOWNLOAD")
            else:
                return
        yield from ask(_set_mta(address))
        yield from self._download(address, data)

    def _download(self, address: Address, data: bytes) -> Procedure[None]:
        """Write at the MTA, which points to the address already."""
        ag = self.session.profile.ag
        at = 0
        while at < len(data):
            block = self._block(data[at:])
            if len(block) == 1:
                yield from ask(block[0])
            else:
                try:
                    yield Burst(tuple(block), self.session.min_st_ns)
                except (UnknownCommandError, OutOfRangeError):
                    self.missing.add("DOWNLOAD_NEXT")  # announced, yet refused: single packets
                    yield from ask(_set_mta(address + at // ag))
                    continue
            at += block[0].count * ag

    def _block(self, data: bytes) -> list[Any]:
        """The packets of the next block, one when there is no block mode."""
        profile = self.session.profile
        room = min((profile.max_cto - max(2, profile.ag)) // profile.ag, _MAX_COUNT)
        packets = self.session.max_bs if "DOWNLOAD_NEXT" not in self.missing else 1
        count = min(len(data) // profile.ag, max(packets, 1) * room, _MAX_COUNT)
        step = room * profile.ag
        requests: list[Any] = []
        for at in range(0, count * profile.ag, step):
            kind = cal.DownloadNext if at else cal.Download
            part = data[at : min(at + step, count * profile.ag)]
            requests.append(kind(count=count - at // profile.ag, data=part))
        return requests

    def modify_bits(
        self, address: Address, *, and_mask: int, xor_mask: int, shift: int = 0
    ) -> Procedure[None]:
        """Clear bits where AND is 0, then toggle by XOR; 16-bit masks on the dword at the address.

        A slave without MODIFY_BITS is read and written instead. Bits that are toggled, not set, would
        be back where they were after a repetition; so the command is then sent once.

        Raises:
            ExchangeTimeoutError: no answer; bits to be toggled may be changed or not.
        """
        if "MODIFY_BITS" not in self.missing:
            request = cal.ModifyBits(shift=shift, and_mask=and_mask, xor_mask=xor_mask)
            toggles = bool(and_mask & xor_mask)
            try:
                yield from ask(_set_mta(address))
                yield from ask(request, attempts=1 if toggles else 0)
            except UnknownCommandError:
                self.missing.add("MODIFY_BITS")
            except ExchangeTimeoutError as error:
                if toggles and error.command == "MODIFY_BITS":
                    raise _unknown_bits(error) from error
                raise
            else:
                return
        order: Any = self.session.profile.byte_order.value
        old = int.from_bytes((yield from self.read(address, 4)), order)
        new = (old & ~((~and_mask & 0xFFFF) << shift)) ^ (xor_mask << shift)
        yield from self.write(address, (new & 0xFFFF_FFFF).to_bytes(4, order))

    def checksum(self, address: Address, size_bytes: int) -> Procedure[tuple[BlockChecksum, ...]]:
        """Checksums over a range, one per block that the slave can do at once.

        Raises:
            UsageError: the size is no whole number of elements, or not positive.
            OutOfRangeError: the slave refuses, and its limits do not help.
        """
        ag = self.session.profile.ag
        if size_bytes <= 0 or size_bytes % ag:
            raise UsageError(f"checksum: {size_bytes} bytes are no whole elements of {ag} bytes.")
        left = size_bytes // ag
        limit = left
        found: list[BlockChecksum] = []
        yield from ask(_set_mta(address))
        while left:
            count = min(limit, left)
            try:
                reply = yield from ask(std.BuildChecksum(block_size=count))
            except OutOfRangeError as error:
                smaller = self._checksum_limit(error, count)
                if smaller is None:
                    raise
                limit = smaller
                yield from ask(_set_mta(address))
                continue
            found.append(BlockChecksum(address, count * ag, reply.checksum_type, reply.checksum))
            if len(found) > _MAX_BLOCKS:
                raise RemoteProtocolError(
                    f"BUILD_CHECKSUM: blocks of {limit} elements take too long.",
                    hint="Read the memory instead.",
                )
            address += count
            left -= count
        return tuple(found)

    def _checksum_limit(self, error: OutOfRangeError, count: int) -> int | None:
        """The block size that the refusal allows, None when it does not help."""
        packet = bytes((PID_ERR, error.code)) + error.info
        told = decode_refusal(packet, "BUILD_CHECKSUM", self.session.profile.byte_order)
        if not isinstance(told, BuildChecksumRangeError):
            return None
        largest = told.max_block_size or count
        if told.mta_block_size_align > 1:
            largest -= largest % told.mta_block_size_align
        return largest if 0 < largest < count else None


def _unknown_bits(error: ExchangeTimeoutError) -> ExchangeTimeoutError:
    return ExchangeTimeoutError(
        error.command,
        timer=error.timer,
        attempts=error.attempts,
        elapsed_ns=error.elapsed_ns,
        hint="Nobody knows whether the bits were toggled: read them before you try again.",
    )


def _set_mta(address: Address) -> Request[std.EmptyResponse]:
    return std.SetMta(address=address.value, address_extension=address.extension)


def read(session: Session, address: Address, size_bytes: int) -> Procedure[bytes]:
    """Bytes at an address; see :meth:`XcpMemory.read`."""
    return XcpMemory(session).read(address, size_bytes)


def write(session: Session, address: Address, data: bytes) -> Procedure[None]:
    """Replace bytes at an address; see :meth:`XcpMemory.write`."""
    return XcpMemory(session).write(address, data)


def modify_bits(
    session: Session, address: Address, *, and_mask: int, xor_mask: int, shift: int = 0
) -> Procedure[None]:
    """Change bits of a dword; see :meth:`XcpMemory.modify_bits`."""
    memory = XcpMemory(session)
    return memory.modify_bits(address, and_mask=and_mask, xor_mask=xor_mask, shift=shift)


def checksum(
    session: Session, address: Address, size_bytes: int
) -> Procedure[tuple[BlockChecksum, ...]]:
    """Checksums over a range; see :meth:`XcpMemory.checksum`."""
    return XcpMemory(session).checksum(address, size_bytes)
