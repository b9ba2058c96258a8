"""What objects leave to their module's MOD_COMMON, said by themselves where a merge gives them another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.grammar import table_of
from xcaliper.a2l.keywords.layout import RecordLayout

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from xcaliper.a2l.keywords.project import Module

__all__ = [
    "Spelled",
    "Unsaid",
    "defaults_of",
    "hold_back",
    "joined_defaults",
    "spell_out",
    "unsaid",
]

#: Data types whose place an alignment decides, and how it is without a word: natural.
_ALIGNED: Final[Mapping[str, tuple[int, frozenset[str]]]] = {
    "alignment_byte": (1, frozenset({"UBYTE", "SBYTE", "PBYTE"})),
    "alignment_word": (2, frozenset({"UWORD", "SWORD", "PWORD"})),
    "alignment_long": (4, frozenset({"ULONG", "SLONG", "PLONG"})),
    "alignment_int64": (8, frozenset({"A_UINT64", "A_INT64", "PLONGLONG"})),
    "alignment_float16_ieee": (2, frozenset({"FLOAT16_IEEE"})),
    "alignment_float32_ieee": (4, frozenset({"FLOAT32_IEEE"})),
    "alignment_float64_ieee": (8, frozenset({"FLOAT64_IEEE"})),
}
#: Words of files up to 1.5 in those of today (ASAP2, BYTE_ORDER).
_ORDERS: Final = {"LITTLE_ENDIAN": "MSB_FIRST", "BIG_ENDIAN": "MSB_LAST"}
_WITH_ORDER: Final = (
    "measurement",
    "characteristic",
    "axis_pts",
    "typedef_measurement",
    "typedef_characteristic",
    "typedef_axis",
)
_WITH_AXES: Final = ("characteristic", "typedef_characteristic")
_WITH_DEPOSIT: Final = ("axis_pts", "typedef_axis")
_WITH_POINTERS: Final = ("measurement", "instance", "blob", "typedef_measurement", "typedef_blob")
_OFFSET: Final = "ecu_calibration_offset"
_ONE_BYTE: Final = frozenset({"UBYTE", "SBYTE"})

Defaults = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spelled:
    """An object that now says what its module said for it.

    Attributes:
        made: the object.
        words: what it says now, as ``BYTE_ORDER MSB_FIRST``.
    """

    made: Any
    words: str


@dataclass(frozen=True, slots=True)
class Unsaid:
    """An object that relies on a default that no object can say by itself.

    Attributes:
        made: the object.
        text: what is different for it now.
    """

    made: Any
    text: str


def defaults_of(module: Module) -> Defaults:
    """Attribute of MOD_COMMON or MOD_PAR → what is in effect (ASAP2, MOD_COMMON, MOD_PAR)."""
    common, par = module.mod_common, module.mod_par
    order = (common.byte_order if common else None) or "MSB_LAST"
    found: Defaults = {
        "byte_order": _ORDERS.get(order, order),
        "deposit": (common.deposit if common else None) or "ABSOLUTE",
        _OFFSET: (par.ecu_calibration_offset if par else None) or 0,
    }
    for attr, (natural, _) in _ALIGNED.items():
        given = getattr(common, attr, None)
        found[attr] = given if given and given > 0 else natural
    return found


def _place(module: Module, attr: str) -> Any:
    """What holds a default; None when there is nothing."""
    return module.mod_par if attr == _OFFSET else module.mod_common


def joined_defaults(first: Module, second: Module, *, second_wins: bool) -> Defaults:
    """What is in effect once two modules are one; only a second one that wins changes anything."""
    found = defaults_of(first)
    for attr, value in defaults_of(second).items() if second_wins else ():
        if getattr(_place(second, attr), attr, None) is not None:
            found[attr] = value
    return found


def hold_back(given: Module, wanted: Defaults, into: Module) -> None:
    """Take from a module what would change a default of the one it goes into, that says nothing there."""
    for attr, value in defaults_of(given).items():
        silent = getattr(_place(into, attr), attr, None) is None
        if silent and value != wanted[attr] and _place(given, attr) is not None:
            setattr(_place(given, attr), attr, None)


def spell_out(module: Module, own: Defaults, wanted: Defaults) -> Iterator[Spelled]:
    """Let the objects of a module say what they relied on.

    Args:
        module: its objects are changed.
        own: what is in effect for them.
        wanted: what will be.

    Yields:
        Every object that was changed, once per word.
    """
    differing = {attr: value for attr, value in own.items() if wanted[attr] != value}
    if "byte_order" in differing:
        yield from _orders(module, differing["byte_order"])
    if "deposit" in differing:
        yield from _deposits(module, differing["deposit"])
    alignments = {attr: differing[attr] for attr in _ALIGNED if attr in differing}
    for layout in module.record_layout if alignments else ():
        types = _types(layout)
        for attr, value in alignments.items():
            held = getattr(layout, attr)
            if (held is None or held <= 0) and types & _ALIGNED[attr][1]:
                setattr(layout, attr, value)
                yield Spelled(layout, f"{attr.upper()} {value}")


def _orders(module: Module, order: str) -> Iterator[Spelled]:
    for attr in _WITH_ORDER:
        for made in getattr(module, attr):
            if made.byte_order is None and getattr(made, "datatype", "") not in _ONE_BYTE:
                made.byte_order = order
                yield Spelled(made, f"BYTE_ORDER {order}")


def _deposits(module: Module, deposit: str) -> Iterator[Spelled]:
    for attr in _WITH_DEPOSIT:
        for made in getattr(module, attr):
            if made.deposit is None:
                made.deposit = deposit
                yield Spelled(made, f"DEPOSIT {deposit}")
    for attr in _WITH_AXES:
        for made in getattr(module, attr):
            axes = [axis for axis in made.axis_descr if axis.deposit is None]
            for axis in axes:
                axis.deposit = deposit
            if axes:
                yield Spelled(made, f"AXIS_DESCR DEPOSIT {deposit}")


def _elements(layout: RecordLayout) -> Iterator[Any]:
    for entry in table_of(RecordLayout).optional.values():
        if entry.mode == "object":
            value: Any = getattr(layout, entry.attr)
            yield from [] if value is None else value if entry.repeated else [value]


def _types(layout: RecordLayout) -> set[str]:
    """Data types of a layout, with those of its pointers."""
    found: set[str] = set()
    for made in _elements(layout):
        words = (getattr(made, attr, None) for attr in ("datatype", "addressing", "address_type"))
        found.update(word for word in words if word)
    return found


def unsaid(module: Module, own: Defaults, wanted: Defaults) -> Iterator[Unsaid]:
    """Objects of a module that rely on a default for which they have no word.

    Args:
        module: gives them.
        own: what is in effect for them.
        wanted: what will be.
    """
    texts = []
    if own["byte_order"] != wanted["byte_order"]:
        texts += [
            f"its pointers are read as {wanted['byte_order']} now, not as {own['byte_order']}"
        ]
    moved = own[_OFFSET] != wanted[_OFFSET]
    for made in _pointing(module) if texts else ():
        yield Unsaid(made, texts[0])
    if moved:
        texts += [
            f"ECU_CALIBRATION_OFFSET of its pointers is {wanted[_OFFSET]} now, not {own[_OFFSET]}"
        ]
    for layout in module.record_layout if texts else ():
        words = (
            getattr(made, "addressing", None) or getattr(made, "address_type", None)
            for made in _elements(layout)
        )
        if any(map(_is_pointer, words)):
            yield Unsaid(layout, "; ".join(texts))


def _pointing(module: Module) -> Iterator[Any]:
    """Objects, layouts aside, with a pointer on the way to them."""
    for attr in _WITH_POINTERS:
        yield from (made for made in getattr(module, attr) if _is_pointer(made.address_type))
    for made in module.typedef_structure:
        parts: tuple[Any, ...] = (made, *made.structure_component)
        if any(_is_pointer(part.address_type) for part in parts):
            yield made


def _is_pointer(word: str | None) -> bool:
    return word not in (None, "", "DIRECT")
