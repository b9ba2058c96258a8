"""All that is known about a program, behind one question: where does this symbol text lead?"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import UsageError
from xcaliper.image.debug_info import (
    DebugInfo,
    Place,
    SymbolPath,
    Variable,
    VariableSource,
    locate,
    parse_symbol_path,
    same_unit,
)

if TYPE_CHECKING:
    from xcaliper.core.datatypes import ByteOrder
    from xcaliper.image.elf import ElfFile
    from xcaliper.image.map_file import LinkerMap

__all__ = ["Program", "demangle"]

_MAX_ALIKE: Final = 5000  # comparing names is slow
_LENGTH: Final = re.compile(r"L?([1-9]\d{0,3})")


class Program:
    """Types, symbol table and map of one program; what knows most answers first.

    Args:
        types: variables with types.
        elf: sections and symbols.
        linker_map: symbols of a map.

    Raises:
        UsageError: nothing was given.
    """

    def __init__(
        self,
        *,
        types: VariableSource | None = None,
        elf: ElfFile | None = None,
        linker_map: LinkerMap | None = None,
    ) -> None:
        if types is None and elf is None and linker_map is None:
            raise UsageError("program: give its types, its symbols or its map.")
        self.types = types
        self.elf = elf
        self.linker_map = linker_map
        self._demangled: dict[str, str] | None = None
        self._listed: list[str] | None = None

    @property
    def byte_order(self) -> ByteOrder | None:
        """Order of bytes in its memory; None when only a map is known."""
        return self.elf.byte_order if self.elf else None

    @property
    def has_types(self) -> bool:
        """True when places come with types."""
        return self.types is not None and not (
            isinstance(self.types, DebugInfo) and not self.types.variables
        )

    def locate(self, text: str) -> Place | None:
        """Where a symbol text leads; None when the program has no such thing."""
        path = parse_symbol_path(text)
        if self.types is not None and path is not None:
            place = locate(self.types, path)
            if place is not None:
                return place
            exact = self.types.find(text)  # names of other languages hold dots and brackets
            if exact:
                return Place(exact[0].address, exact[0].type, exact[0].size_bytes, symbol=text)
        bare = text.partition("{")[0].strip()
        found = self._symbol(text)
        if found is not None or path is None or bare == text:
            return found
        return self._extended(path, bare)

    def _extended(self, path: SymbolPath, name: str) -> Place | None:
        """The symbol of a name with extensions; another variable of the same name is not taken for it."""
        if path.function:
            function = path.function.rpartition("::")[2]
            return self._symbol(f"{function}.{name}")  # as LLVM names static locals
        symbols = self.elf.find(name) if self.elf else ()
        if path.unit and symbols:
            named = [s for s in symbols if not s.unit or same_unit(s.unit, path.unit)]
            if not named:
                return None
            best = max(named, key=lambda s: bool(s.unit))
            return self._typed(best.address, best.size_bytes, name)
        return self._symbol(name)

    def _symbol(self, name: str) -> Place | None:
        if self.elf is not None:
            # Some compilers put an underscore in front of every name of C.
            for candidate in (name, f"_{name}", self._mangled().get(name, "")):
                symbols = self.elf.find(candidate) if candidate else ()
                if symbols:
                    return self._typed(symbols[0].address, symbols[0].size_bytes, candidate)
        if self.linker_map is not None:
            found = self.linker_map.find(name)
            if found is not None:
                return Place(found.address, None, found.size_bytes, symbol=found.name)
        return None

    def _typed(self, address: int, size: int, symbol: str) -> Place:
        """A place by its symbol, with the type of the variable that lies there.

        Compilers number static locals, ``count.2``, and only the address tells which variable that is.
        """
        variable = self.types.at(address) if self.types is not None else None
        if variable is None or variable.size_bytes != size:
            return Place(address, None, size, symbol=symbol)
        return Place(address, variable.type, size, symbol=symbol)

    def _mangled(self) -> dict[str, str]:
        if self._demangled is None:
            assert self.elf is not None, "only asked with symbols"
            plain = ((demangle(s.name), s.name) for s in self.elf.symbols)
            self._demangled = {name: symbol for name, symbol in plain if name}
        return self._demangled

    def nearest(self, text: str) -> tuple[str, ...]:
        """Names that look like a missing one, best first."""
        root = re.split(r"[.\[{]", text, maxsplit=1)[0]
        start = root[:2].casefold()
        alike = [name for name in self._names() if name[:2].casefold() == start]
        return tuple(get_close_matches(root, alike[:_MAX_ALIKE], n=3))

    def _names(self) -> list[str]:
        """Names a link could mean, sorted."""
        if self._listed is None:
            names: set[str] = set()
            if self.elf is not None:  # the same for every reader of types
                objects = [s.name for s in self.elf.symbols if s.kind == "object"]
                names.update(demangle(name) or name for name in objects)
            if not names and isinstance(self.types, DebugInfo):
                names.update(v.name for v in self.types.variables)
            if self.linker_map is not None:
                names.update(self.linker_map.symbols)
            self._listed = sorted(names)
        return self._listed

    def variables(self) -> tuple[Variable, ...]:
        """Every variable with its type.

        Raises:
            UsageError: the types were not read in full.
        """
        if not isinstance(self.types, DebugInfo):
            raise UsageError(
                "program: its types are not listed.", hint="Give an ELF file linked with -g."
            )
        return self.types.variables


def demangle(symbol: str) -> str:
    """The C++ name of a variable, ``engine::rows`` for ``_ZN6engine4rowsE``; empty for anything else.

    Only plain names in name spaces and classes are understood; templates and functions are not variables' names.
    """
    if not symbol.startswith("_Z"):
        return ""
    nested = symbol.startswith("_ZN")
    at = 3 if nested else 2
    parts: list[str] = []
    while at < len(symbol) and not (nested and symbol[at] == "E"):
        length = _LENGTH.match(symbol, at)
        if length is None or length.end() + int(length[1]) > len(symbol):
            return ""
        at = length.end() + int(length[1])
        part = symbol[length.end() : at]
        parts.append("(anonymous namespace)" if part.startswith("_GLOBAL__N_") else part)
        if not nested:
            break
    done = at + 1 == len(symbol) if nested else at == len(symbol)
    return "::".join(p for p in parts if p != "(anonymous namespace)") if done else ""
