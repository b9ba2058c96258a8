"""Single values in bulk: those of one layout and conversion are decoded and converted as one array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from xcaliper.calib.entries import Entry, EntryKind
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import UsageError
from xcaliper.quantity.characteristic import BoundCharacteristic
from xcaliper.quantity.memory_values import from_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from xcaliper.calib.memory_blocks import MemoryBlocks
    from xcaliper.quantity.catalog import Catalog

    Members = list[tuple[int, str, Any]]

__all__ = ["ScalarGroups"]


@dataclass(slots=True)
class _Group:
    """Parameters that differ only in their address.

    Attributes:
        bound: one of them.
        members: order, name and description of each.
    """

    bound: BoundCharacteristic
    members: Members = field(default_factory=list)

    def starts(self, ag: int) -> NDArray[np.int64]:
        """First byte of each, counted in bytes."""
        base = np.asarray([made.address for _, _, made in self.members], dtype=np.int64) * ag
        (element,) = self.bound.layout.elements
        assert element.datatype is not None, "only RESERVED has none"
        return base + -base % self.bound.layout.alignment[element.datatype]


class ScalarGroups:
    """Parameters of type VALUE, sorted by layout, conversion and address extension.

    Args:
        catalog: names and descriptions.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._groups: dict[tuple[Any, ...], _Group | None] = {}
        coding = catalog.variants
        self._coded = frozenset(coding.names if coding.criteria else ())

    def add(self, order: int, name: str, made: Any) -> bool:
        """Take a parameter in; False for one that has to be read singly."""
        if (
            made.KEYWORD != "CHARACTERISTIC"
            or made.type != "VALUE"
            or made.bit_mask is not None
            or made.bit_operation is not None
            or made.virtual_characteristic is not None
            or made.dependent_characteristic is not None
            or name in self._coded
            or not 0 <= made.address < 1 << 48
        ):
            return False
        extension = made.ecu_address_extension or 0
        key = (
            made.deposit,
            made.conversion,
            made.phys_unit,
            made.byte_order,
            extension,
        )
        group = self._groups.get(key)
        if group is None:
            if key in self._groups:
                return False
            group = self._groups[key] = self._made(name)
            if group is None:
                return False
        group.members.append((order, name, made))
        return True

    def _made(self, name: str) -> _Group | None:
        """A group after the pattern of one parameter; None where each is different."""
        try:
            bound = self._catalog.bind(name)
        except UsageError:
            return None
        assert isinstance(bound, BoundCharacteristic), "asked for parameters only"
        elements = bound.layout.elements
        plain = len(elements) == 1 and elements[0].pointer is None and bound.pointers is None
        by_limits = bound.conversion.kind == "rational"  # limits decide between two solutions
        return _Group(bound) if plain and bound.shape == () and not by_limits else None

    def _filled(self) -> Iterator[tuple[int, _Group]]:
        for key, group in self._groups.items():
            if group is not None and group.members:
                yield key[-1], group

    def ranges(self) -> Iterator[AddressRange]:
        """Where they are."""
        ag = self._catalog.ag
        for extension, group in self._filled():
            size = group.bound.datatype.size_bytes
            for start in group.starts(ag).tolist():
                first = start // ag
                yield AddressRange(Address(first, extension), start + size - first * ag)

    def entries(
        self,
        blocks: MemoryBlocks,
        functions: Callable[[str], tuple[str, ...]],
        problem: Callable[[str, str, str], None],
        *,
        raw: bool,
    ) -> Iterator[tuple[int, Entry]]:
        """Order and entry of each that could be read.

        Args:
            blocks: memory.
            functions: gives the functions of a name.
            problem: is told name, slug and text of each that is left out.
            raw: ECU values instead of physical ones.
        """
        for extension, group in self._filled():
            bound = group.bound
            data, good = blocks.gather(
                extension, group.starts(self._catalog.ag), bound.datatype.size_bytes
            )
            found = from_bytes(data.tobytes(), bound.datatype, bound.byte_order)
            values = (found if raw else bound.conversion.to_phys(found)).tolist()
            unit = "" if raw else bound.unit
            for (order, name, made), value, there in zip(
                group.members, values, good.tolist(), strict=True
            ):
                if not there:
                    problem(name, "unreadable", f"{name}: memory cannot be read; it is left out.")
                    continue
                yield (
                    order,
                    Entry(
                        name,
                        EntryKind.VALUE,
                        value,
                        (),
                        unit,
                        made.long_identifier,
                        made.display_identifier or "",
                        functions(name),
                        is_raw=raw,
                    ),
                )
