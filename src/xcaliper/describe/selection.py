"""Which variables of a program a description is made for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from xcaliper.core.errors import UsageError
from xcaliper.image.c_types import Array, Base, CType, Void, strip
from xcaliper.image.debug_info import DebugInfo, Variable
from xcaliper.image.map_file import MapSymbol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xcaliper.a2l.if_xcp import XcpEvent
    from xcaliper.image.elf import Section, Symbol
    from xcaliper.image.program import Program

__all__ = ["GenerateOptions", "chosen_of", "listed_of", "untyped_of"]


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """What to describe and how.

    Attributes:
        project: name of PROJECT and MODULE.
        include: patterns of variable names, with ``*`` and ``?``.
        exclude: patterns of variable names to leave out.
        sections: patterns of section names; empty for all.
        parameters: patterns of variables that become parameters.
        parameter_sections: patterns of sections whose variables become parameters. Variables in read-only sections
            and those declared ``const`` always do.
        structures: ``typedef`` makes INSTANCE and TYPEDEF_STRUCTURE, ``flat`` one object per member.
        epk: symbol of the identification text, empty for none.
        events: DAQ events of the slave; the first one is the default of every measurement. None leaves IF_DATA out.
    """

    project: str = "program"
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    parameter_sections: tuple[str, ...] = ()
    structures: Literal["typedef", "flat"] = "typedef"
    epk: str = ""
    events: tuple[XcpEvent, ...] = ()


def listed_of(program: Program) -> list[Variable]:
    """Variables with types, else symbols."""
    if isinstance(program.types, DebugInfo) and program.types.variables:
        return [_sized(variable, program) for variable in program.types.variables]
    if program.elf is not None:
        return _symbols(program.elf.symbols)
    if program.linker_map is not None:
        return _symbols(s for s in program.linker_map.symbols.values() if not s.is_code)
    raise UsageError(
        "program: its variables are not listed.", hint="Give an ELF file or a linker map."
    )


def _symbols(symbols: Iterable[Symbol | MapSymbol]) -> list[Variable]:
    """Symbols as numbers or bytes of their size."""
    return [
        Variable(symbol.name, symbol.address, _bytes(symbol.size_bytes), unit=symbol.unit)
        for symbol in symbols
        if symbol.size_bytes
        and (isinstance(symbol, MapSymbol) or (symbol.kind == "object" and symbol.section))
    ]


def untyped_of(program: Program, listed: list[Variable]) -> list[Variable]:
    """Symbols of parts of the program that were compiled without debug information."""
    if program.elf is None:
        return []
    known = {variable.address for variable in listed}
    return [v for v in _symbols(program.elf.symbols) if v.address not in known]


def _sized(variable: Variable, program: Program) -> Variable:
    """A variable whose type the compiler left out (``-g1``) has at least the size of its symbol."""
    if program.elf is None or not isinstance(strip(variable.type), Void):
        return variable
    symbols = program.elf.find(variable.linkage_name or variable.name)
    size = next((s.size_bytes for s in symbols if s.address == variable.address), 0)
    return replace(variable, type=_bytes(size)) if size else variable


def _bytes(size: int) -> CType:
    if size in (1, 2, 4, 8):
        return Base(f"uint{8 * size}_t", "unsigned", size)
    return Array(Base("uint8_t", "unsigned", 1), (size,))


def chosen_of(
    listed: list[Variable], program: Program, options: GenerateOptions
) -> Iterator[tuple[Variable, bool]]:
    """Variables that were asked for, and whether each is a parameter."""
    for variable in listed:
        if not _matches(variable.name, options.include) or _matches(variable.name, options.exclude):
            continue
        section: Section | None = program.elf.section_at(variable.address) if program.elf else None
        place = section.name if section else ""
        if options.sections and not _matches(place, options.sections):
            continue
        constant = variable.is_constant or (section is not None and not section.is_writable)
        yield (
            variable,
            (
                constant
                or _matches(variable.name, options.parameters)
                or _matches(place, options.parameter_sections)
            ),
        )


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
