"""Memory of several objects is fetched together and used by the same thread only."""

from __future__ import annotations

from dataclasses import dataclass

from xcaliper.client.ahead import ReadAhead
from xcaliper.core.address import Address, AddressRange
from xcaliper.xcp.codes import ErrorCode, negative_response

A, B = Address(0x100), Address(0x200)


@dataclass
class Bound:
    places: list[tuple[Address, int]]

    def memory_ranges(self) -> list[AddressRange]:
        return [AddressRange(address, size) for address, size in self.places]


class Memory:
    def __init__(self) -> None:
        self.single: list[Address] = []
        self.many: list[list[tuple[Address, int]]] = []
        self.refuses = False
        self.ahead = ReadAhead(self.read, self.read_many)

    def read(self, address: Address, size: int) -> bytes:
        self.single.append(address)
        return b"s" * size

    def read_many(self, places) -> list[bytes]:
        self.many.append(list(places))
        if self.refuses:
            raise negative_response("SHORT_UPLOAD", ErrorCode.ERR_ACCESS_DENIED)
        return [b"m" * size for _, size in places]


def test_what_was_fetched_is_not_read_again_until_it_is_dropped() -> None:
    memory = Memory()
    memory.ahead.fetch([Bound([(A, 2), (B, 4)]), None, Bound([(A, 2)])])
    assert memory.many == [[(A, 2), (B, 4)]], "each place once"
    assert memory.ahead(A, 2) == memory.ahead(A, 2) == b"mm"
    assert memory.ahead(B, 2) == b"ss", "another size is another place"
    memory.ahead.drop()
    assert memory.ahead(A, 2) == b"ss"


def test_a_refusal_leaves_each_object_to_itself() -> None:
    memory = Memory()
    memory.refuses = True
    memory.ahead.fetch([Bound([(A, 2)])])
    assert memory.ahead(A, 2) == b"ss"
