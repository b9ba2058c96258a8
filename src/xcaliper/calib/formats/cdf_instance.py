"""Names and variants of SW-INSTANCE, as CDF and PaCo have them *(CDF 2.0, SW-INSTANCE)*."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xcaliper.calib.formats.xml_records import Node
    from xcaliper.calib.paramset import Variant

__all__ = ["bodies", "full_name"]


def full_name(node: Node) -> str:
    """``structure.member`` and ``array[index]``; as it stands where it is full already; empty without."""
    own, index = node.value("SHORT-NAME"), node.value("SW-ARRAY-INDEX")
    outer = full_name(node.parent) if node.parent is not None else ""
    if not own and not index:
        return ""
    if not own:
        return outer and f"{outer}{index if index.startswith('[') else f'[{index}]'}"
    if not outer or own.startswith((f"{outer}.", f"{outer}[")):
        return own
    return f"{outer}.{own}"


def bodies(node: Node) -> list[tuple[Node, Variant]]:
    """What holds values, axes and history: the instance itself, or each of its variants."""
    variants = node.child("SW-INSTANCE-PROPS-VARIANTS")
    if variants is None:
        return [(node, ())]
    found: list[tuple[Node, Variant]] = [
        (one, _variant_of(one)) for one in variants.all("SW-INSTANCE-PROPS-VARIANT")
    ]
    return [(node, ()), *found] if node.child("SW-VALUE-CONT") is not None else found


def _variant_of(node: Node) -> Variant:
    criteria = node.child("SW-VCD-CRITERION-VALUES")
    if criteria is None:
        return ()
    return tuple(
        (one.value("SW-VCD-CRITERION-REF"), one.value("VT"))
        for one in criteria.all("SW-VCD-CRITERION-VALUE")
    )
