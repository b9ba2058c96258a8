"""Raw bytes bound to memory (ASAP2, BLOB, 1.7)."""

from dataclasses import dataclass, replace
from math import prod

from xcaliper.a2l.index import ModuleIndex
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import UsageError
from xcaliper.quantity.instance import Located
from xcaliper.quantity.measurement import chain_of
from xcaliper.quantity.memory_values import Read
from xcaliper.quantity.record_access import PointerChain, read_exactly

__all__ = ["BoundBlob", "bind_located_blob"]


@dataclass(frozen=True, slots=True)
class BoundBlob:
    """A run of bytes without layout and conversion.

    Attributes:
        name: full name.
        description: its long identifier.
        address: first address.
        ag: bytes per address unit.
        size_bytes: number of bytes.
        writable: may be changed.
        pointers: pointers between the address and the data, or None; see ``resolve``.
    """

    name: str
    description: str
    address: Address
    ag: int
    size_bytes: int
    writable: bool
    pointers: PointerChain | None = None

    @property
    def type(self) -> str:
        """``BLOB``."""
        return "BLOB"

    def resolve(self, read: Read) -> "BoundBlob":
        """The same bytes at the address their pointers lead to now.

        Raises:
            UsageError: a pointer is null or cannot be read.
        """
        if self.pointers is None:
            return self
        return replace(self, address=self.pointers.follow(self.address, read), pointers=None)

    def memory_ranges(self) -> list[AddressRange]:
        """What to read; behind a pointer, where the pointer is."""
        if self.pointers is not None:
            return [self.pointers.first(self.address)]
        return [AddressRange(self.address, self.size_bytes)]

    def decode(self, read: Read) -> bytes:
        """The bytes.

        Args:
            read: gives bytes of memory for an address and a size in bytes.
        """
        here = self.resolve(read)
        return read_exactly(read, here.address, here.size_bytes, self.name)

    def encode(self, data: bytes, *, read: Read | None = None) -> list[tuple[Address, bytes]]:
        """Writes that replace the bytes.

        Args:
            data: as many bytes as there are.
            read: gives memory; needed behind a pointer.

        Raises:
            UsageError: wrong number of bytes, or no reader where one is needed.
        """
        here = self.resolve(read) if read is not None else self
        if here.pointers is not None:
            raise UsageError(f"{self.name}: it is behind a pointer.", hint="Give a reader as well.")
        if len(data) != self.size_bytes:
            raise UsageError(
                f"{self.name}: {self.size_bytes} bytes are needed.", hint="Give them as bytes."
            )
        return [(here.address, bytes(data))]


def bind_located_blob(index: ModuleIndex, located: Located, *, ag: int = 1) -> BoundBlob:
    """A blob whose description was found already."""
    made = located.made
    assert located.address is not None, "blobs have an address by grammar"
    return BoundBlob(
        name=located.name,
        description=made.long_identifier,
        address=Address(located.address, located.extension),
        ag=ag,
        size_bytes=max(0, made.size) * prod(located.dims),
        writable=located.access in (None, "CALIBRATION"),
        pointers=chain_of(index, located),
    )
