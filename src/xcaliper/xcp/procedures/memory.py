"""Read and write memory in as few packets as the slave allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from xcaliper.core.errors import (
    ExchangeTimeoutError,
    NegativeResponseError,
    OutOfRangeError,
    RemoteProtocolError,
    UnknownCommandError,
    UsageError,
)
from xcaliper.proto.procedure import Pipeline, Uploads, ask
from xcaliper.xcp import cal, std
from xcaliper.xcp.codes import PID_ERR
from xcaliper.xcp.procedures.blocks import blocks, set_mta
from xcaliper.xcp.procedures.chunks import (
    download_pieces,
    read_commands,
    short_counts,
    upload_counts,
)
from xcaliper.xcp.refusals import BuildChecksumRangeError, decode_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from xcaliper.core.address import Address
    from xcaliper.proto.procedure import Procedure
    from xcaliper.xcp.procedures.connect import Session

__all__ = [
    "BlockChecksum",
    "XcpMemory",
    "checksum",
    "modify_bits",
    "read",
    "told_and_uploaded",
    "upload",
    "write",
]

T = TypeVar("T")

#: Stands among the refused commands for UPLOADs with several responses.
SLAVE_BLOCKS: Final = "UPLOAD, slave block mode"
#: Commands of one place that are worth to be interleaved; longer ones are read by UPLOAD.
_FEW_SHORTS: Final = 2
_MAX_BLOCKS: Final = 1 << 16
#: How often an answer is asked for when the upload behind it is lost.
_RESTARTS: Final = 3


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
    block = profile.slave_block_mode and SLAVE_BLOCKS not in session.refused
    found: bytes = yield Uploads(upload_counts(count_ag, room, block=block), progress)
    return found


def told_and_uploaded(
    session: Session, asked: Callable[[], Procedure[T]], size_bytes: Callable[[T], int]
) -> Procedure[tuple[T, bytes]]:
    """An answer that points the MTA at more, and the bytes there; none where the slave refuses them.

    A lost answer during the upload starts both again: nobody knows where the MTA is then.

    Args:
        session: of the connection.
        asked: makes the procedure that asks.
        size_bytes: of what the MTA points at after an answer; 0 = nothing.

    Raises:
        ExchangeTimeoutError: the link loses too much.
    """
    turn = 0
    while True:
        answer = yield from asked()
        size = size_bytes(answer)
        if not size:
            return answer, b""
        try:
            found = yield from upload(session, -(-size // session.profile.ag))
        except NegativeResponseError:
            return answer, b""
        except ExchangeTimeoutError:
            turn += 1
            if turn == _RESTARTS:
                raise
            continue
        return answer, found[:size]


@dataclass(slots=True)
class XcpMemory:
    """Memory access of one session; the session remembers which optional commands the slave lacks.

    Attributes:
        session: of the connection.
    """

    session: Session

    def read(self, address: Address, size_bytes: int) -> Procedure[bytes]:
        """Bytes at an address; a size inside an element reads the whole element.

        Raises:
            UsageError: the size is negative.
        """
        profile, refused = self.session.profile, self.session.refused
        if size_bytes < 0:
            raise UsageError(f"read: {size_bytes} bytes is no size.")
        count = -(-size_bytes // profile.ag)
        room = profile.max_cto // profile.ag - 1
        block = profile.slave_block_mode and SLAVE_BLOCKS not in refused
        is_short, _ = read_commands(count, room, block=block)
        if (is_short and "SHORT_UPLOAD" not in refused) or "UPLOAD" in refused:
            try:
                return (yield from self._read_short(address, count))[:size_bytes]
            except UnknownCommandError:
                refused.add("SHORT_UPLOAD")
                if "UPLOAD" in refused:
                    raise
        try:
            return (yield from self._read_at(address, count))[:size_bytes]
        except UnknownCommandError:
            refused.add("UPLOAD")
            if "SHORT_UPLOAD" in refused:
                raise
        return (yield from self._read_short(address, count))[:size_bytes]

    def _read_at(self, address: Address, count: int) -> Procedure[bytes]:
        """By SET_MTA and UPLOAD; single ones when the slave dislikes blocks that it announced."""
        session = self.session
        yield from set_mta(address)
        try:
            return (yield from upload(session, count))
        except OutOfRangeError:
            room = session.profile.max_cto // session.profile.ag - 1
            blocks_tried = session.profile.slave_block_mode and SLAVE_BLOCKS not in session.refused
            if not blocks_tried or count <= room:
                raise
        session.refused.add(SLAVE_BLOCKS)
        try:
            yield from set_mta(address)
            return (yield from upload(session, count))
        except OutOfRangeError:
            session.refused.discard(SLAVE_BLOCKS)  # it was not the block
            raise

    def _read_short(self, address: Address, count: int) -> Procedure[bytes]:
        out = bytearray()
        for request in self._shorts(address, count):
            out += (yield from ask(request)).data
        return bytes(out)

    def _shorts(self, address: Address, count: int) -> list[std.ShortUpload]:
        room = self.session.profile.max_cto // self.session.profile.ag - 1
        requests: list[std.ShortUpload] = []
        for part in short_counts(count, room):
            requests.append(
                std.ShortUpload(
                    count=part, address_extension=address.extension, address=address.value
                )
            )
            address += part
        return requests

    def read_many(self, places: Sequence[tuple[Address, int]]) -> Procedure[list[bytes]]:
        """Bytes of many places, in order; their commands wait at the slave where it has a queue.

        *(XCP Base, interleaved mode, 1.0)*

        Args:
            places: address and size in bytes of each.

        Raises:
            UsageError: a size is negative.
            NegativeResponseError: of the first place that the slave refuses.
        """
        session = self.session
        ag = session.profile.ag
        room = session.profile.max_cto // ag - 1
        small = [-(-size // ag) <= _FEW_SHORTS * room for _, size in places]
        found: dict[int, bytes] = {}
        if session.queue_size and "SHORT_UPLOAD" not in session.refused:
            chosen = [index for index, fits in enumerate(small) if fits]
            try:
                found = yield from self._interleaved(places, chosen)
            except UnknownCommandError:
                session.refused.add("SHORT_UPLOAD")
        result: list[bytes] = []
        for index, (address, size) in enumerate(places):
            if index not in found:
                found[index] = yield from self.read(address, size)
            result.append(found[index])
        return result

    def _interleaved(
        self, places: Sequence[tuple[Address, int]], chosen: Sequence[int]
    ) -> Procedure[dict[int, bytes]]:
        """Some of the places, by their index."""
        ag = self.session.profile.ag
        shorts = [self._shorts(places[i][0], -(-places[i][1] // ag)) for i in chosen]
        requests = tuple(request for part in shorts for request in part)
        if not requests:
            return {}
        answers = iter((yield Pipeline(requests, self.session.queue_size)))
        found: dict[int, bytes] = {}
        for index, part in zip(chosen, shorts, strict=True):
            data = b"".join(next(answers).data for _ in part)
            found[index] = data[: places[index][1]]
        return found

    def write(self, address: Address, data: bytes) -> Procedure[None]:
        """Replace bytes at an address.

        Raises:
            UsageError: the bytes are no whole elements.
        """
        session = self.session
        ag = session.profile.ag
        if len(data) % ag:
            raise UsageError(f"write: {len(data)} bytes are no whole elements of {ag} bytes.")
        if not data:
            return
        room = (session.profile.max_cto - 8) // ag
        done = 0
        if "SHORT_DOWNLOAD" not in session.refused and self._short_is_best(len(data) // ag, room):
            try:
                while done < len(data):
                    part = data[done : done + room * ag]
                    yield from self._write_short(address + done // ag, part)
                    done += len(part)
            except UnknownCommandError:
                session.refused.add("SHORT_DOWNLOAD")
            else:
                return
        yield from set_mta(address + done // ag)
        yield from blocks(session, address + done // ag, data[done:])

    def _short_is_best(self, count: int, room: int) -> bool:
        """One SHORT_DOWNLOAD; or several, where even so many are fewer packets."""
        if count <= room:
            return True
        session = self.session
        max_cto, ag = session.profile.max_cto, session.profile.ag
        pieces = download_pieces(
            count,
            room=(max_cto - max(2, ag)) // ag,
            max_room=max_cto // ag - 1 if "DOWNLOAD_MAX" not in session.refused else 0,
            packets=max(session.max_bs, 1) if "DOWNLOAD_NEXT" not in session.refused else 1,
        )
        packets = 2 + len(pieces) + sum(piece.packets for piece in pieces)
        return room > 0 and 2 * -(-count // room) < packets

    def _write_short(self, address: Address, data: bytes) -> Procedure[None]:
        request = cal.ShortDownload(
            count=len(data) // self.session.profile.ag,
            address_extension=address.extension,
            address=address.value,
            data=data,
        )
        yield from ask(request)

    def modify_bits(
        self, address: Address, *, and_mask: int, xor_mask: int, shift: int = 0
    ) -> Procedure[None]:
        """Clear bits where AND is 0, then toggle by XOR; 16-bit masks on the dword at the address.

        A slave without MODIFY_BITS is read and written instead. Bits that are toggled, not set, would
        be back where they were after a repetition; so the command is then sent once.

        Raises:
            ExchangeTimeoutError: no answer; bits to be toggled may be changed or not.
        """
        if "MODIFY_BITS" not in self.session.refused:
            request = cal.ModifyBits(shift=shift, and_mask=and_mask, xor_mask=xor_mask)
            toggles = bool(and_mask & xor_mask)
            try:
                yield from set_mta(address)
                yield from ask(request, attempts=1 if toggles else 0)
            except UnknownCommandError:
                self.session.refused.add("MODIFY_BITS")
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
        yield from set_mta(address)
        while left:
            count = min(limit, left)
            try:
                reply = yield from ask(std.BuildChecksum(block_size=count))
            except OutOfRangeError as error:
                smaller = self._checksum_limit(error, count)
                if smaller is None:
                    raise
                limit = smaller
                yield from set_mta(address)
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
