"""What a file of parameter values does not tell and a description does.

PAR does not tell curves, maps, axes and blocks apart. CDF may hold an array element by element, as
``VALUE_ARRAY`` with SW-ARRAY-INDEX, where the description has one parameter of several values; by the file
alone it cannot be told from an array of instances, each of them a parameter.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Final

from xcaliper.calib.formats.cells import plain, shaped
from xcaliper.calib.formats.par import with_kinds
from xcaliper.calib.paramset import Entry, EntryKind
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.quantity.characteristic import BoundCharacteristic

if TYPE_CHECKING:
    from xcaliper.calib.paramset import ParameterSet, Variant
    from xcaliper.quantity.catalog import Catalog

    Parts = dict[tuple[int, ...], Entry]

__all__ = ["joined", "with_description"]

_ELEMENT: Final = re.compile(r"(.*[^\]])((?:\[[0-9]{1,9}\]){1,3})", re.DOTALL)


def with_description(values: ParameterSet, catalog: Catalog) -> ParameterSet:
    """The set with kinds, shapes and arrays as a description has them.

    ECU values of an array become a curve, map, axis or block, and single elements of an array become one
    block. What the description does not have, or has in another size, stays as it is.

    Args:
        values: as they were read.
        catalog: the description.
    """
    return joined(with_kinds(values, catalog, only=lambda one: one.is_raw), catalog)


def joined(values: ParameterSet, catalog: Catalog) -> ParameterSet:
    """The set with single elements of an array of the description as one block, in the place of the first.

    Args:
        values: as they were read; elements are scalars ``name[i]``, ``name[i][j]``, slowest index first.
        catalog: the description; an array stays as it is where elements are missing, or differ in unit,
            functions, history or marks.
    """
    arrays: dict[tuple[str, Variant], Parts] = {}
    for one in values:
        if one.kind == EntryKind.VALUE and (found := _ELEMENT.fullmatch(one.name)):
            index = tuple(map(int, found[2][1:-1].split("][")))
            arrays.setdefault((found[1], one.variant), {})[index] = one
    blocks: dict[Any, Entry] = {}
    gone: set[Any] = set()
    for (name, variant), parts in arrays.items():
        if (name, variant) not in values and (block := _block(name, parts, catalog)):
            blocks[next(iter(parts.values())).key] = block
            gone.update(one.key for one in parts.values())
    if not blocks:
        return values
    return values.replaced(
        blocks.get(one.key, one) for one in values if one.key in blocks or one.key not in gone
    )


def _block(name: str, parts: Parts, catalog: Catalog) -> Entry | None:
    """All elements as one entry; None where the description has no such block, or has more or fewer."""
    try:
        bound = catalog.bind(name)
    except (NotFoundError, UsageError):
        return None
    if not isinstance(bound, BoundCharacteristic) or bound.type != EntryKind.VAL_BLK:
        return None
    indices = list(product(*map(range, bound.shape))) if len(parts) == prod(bound.shape) else []
    if not indices or any(index not in parts for index in indices):
        return None
    first = parts[indices[0]]
    if any(_facts(one) != _facts(first) for one in parts.values()):
        return None
    cells = [plain(parts[index].values) for index in indices]
    return replace(
        first, name=name, kind=EntryKind.VAL_BLK, values=shaped(cells, bound.shape), category=""
    )


def _facts(entry: Entry) -> tuple[Any, ...]:
    """What one block has once, and its elements may have each for itself."""
    return entry.unit, entry.functions, entry.history, entry.flags, entry.is_raw
