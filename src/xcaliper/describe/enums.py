"""Enumerations of the program as verbal conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xcaliper.a2l.keywords.compu import CompuMethod, CompuVtab
from xcaliper.image.c_types import CType, Enum, strip

if TYPE_CHECKING:
    from xcaliper.a2l.index import ModuleIndex
    from xcaliper.describe.report import ChangeSink

__all__ = ["EnumConversions", "a2l_name", "enum_conversion"]


def a2l_name(text: str) -> str:
    """An identifier of ASAP2 for a name of C or C++: name spaces become underscores."""
    plain = text.replace("::", "_")
    made = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in plain)
    return f"_{made}" if made[:1].isdigit() else made or "unnamed"


def enum_conversion(name: str, enum: Enum) -> tuple[CompuMethod, CompuVtab]:
    """COMPU_METHOD and COMPU_VTAB of an enumeration (ASAP2, TAB_VERB)."""
    pairs = _pairs(enum)
    text = f"enum {enum.name}".rstrip()
    table = CompuVtab(name, text, "TAB_VERB", len(pairs), pairs)
    return CompuMethod(name, text, "TAB_VERB", "%.0", "", compu_tab_ref=name), table


def _pairs(enum: Enum) -> list[tuple[float, str]]:
    """One text per value; of several names for a value the first one counts."""
    found: dict[int, str] = {}
    for name, value in enum.values:
        found.setdefault(value, name)
    return list(found.items())


class EnumConversions:
    """Keeps the conversions of enumerations in step.

    Args:
        index: the module.
        editor: takes the changes of tables.
    """

    def __init__(self, index: ModuleIndex, editor: ChangeSink) -> None:
        self.index = index
        self.editor = editor
        self.made: dict[Enum, str] = {}
        self.owner: dict[str, Enum] = {}

    def apply(self, made: Any, element: CType, editor: ChangeSink) -> None:
        """Give an object the conversion of its enumeration, or bring the one it has up to date.

        A conversion whose texts are not those of the program was made by somebody on purpose and stays.

        Args:
            made: the object.
            element: its type.
            editor: takes the changes of the object itself.
        """
        enum = strip(element)
        if not isinstance(enum, Enum) or not enum.values:
            return
        method = self.index.find(made.conversion, "COMPU_METHOD")
        if made.conversion != "NO_COMPU_METHOD" and method is None:
            return
        if method is None or method.conversion_type == "IDENTICAL":
            editor.set(made, "conversion", self.name_for(enum), "conversion")
            return
        table = self.index.find(method.compu_tab_ref or "", "COMPU_VTAB")
        if method.conversion_type != "TAB_VERB" or table is None:
            return
        owner = self.owner.setdefault(table.name, enum)
        if owner != enum:
            editor.set(made, "conversion", self.name_for(enum), "conversion")
        elif self.derived(table, enum):
            pairs = _pairs(enum)
            if {float(v): t for v, t in table.pairs} != {float(v): t for v, t in pairs}:
                self.editor.set(table, "pairs", pairs, "conversion")
                self.editor.set(table, "number_value_pairs", len(pairs), "conversion")

    def derived(self, table: Any, enum: Enum) -> bool:
        """True when a table was made from an enumeration: it has its name or one of its texts."""
        names = {name for name, _ in enum.values}
        return table.name == a2l_name(enum.name) or any(text in names for _, text in table.pairs)

    def name_for(self, enum: Enum) -> str:
        """The conversion of an enumeration; made on first use."""
        if enum in self.made:
            return self.made[enum]
        wanted = a2l_name(enum.name or f"enum_{enum.values[0][0]}")
        module = self.index.module
        methods = {method.name: method for method in module.compu_method}
        tables = {
            table.name
            for kind in ("compu_tab", "compu_vtab", "compu_vtab_range")
            for table in getattr(module, kind)
        }
        name, count = wanted, 1
        taken = set(self.made.values())
        while name in methods or name in tables or name in taken:
            method = methods.get(name)
            table = self.index.find(method.compu_tab_ref or "", "COMPU_VTAB") if method else None
            if table is not None and {float(v): t for v, t in table.pairs} == {
                float(v): t for v, t in _pairs(enum)
            }:
                self.made[enum] = name
                return name
            count += 1
            name = f"{wanted}_{count}"
        method, table = enum_conversion(name, enum)
        self.editor.add(module.compu_method, method)
        self.editor.add(module.compu_vtab, table)
        self.made[enum] = name
        return name
