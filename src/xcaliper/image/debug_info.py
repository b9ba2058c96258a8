"""Variables of a program with their types, and the way from a symbol path to a place in memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Final, Protocol

from xcaliper.image.c_types import Array, CType, Enum, Pointer, Struct, size_of, strip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xcaliper.core.diagnostics import Diagnostic

__all__ = [
    "DebugInfo",
    "Place",
    "SymbolPath",
    "Variable",
    "VariableSource",
    "choose",
    "locate",
    "parse_symbol_path",
    "same_unit",
    "type_text",
    "walk",
]

_STEP: Final = re.compile(r"\.?([^.\[\]{}]+)|\[\s*(0[xX][0-9a-fA-F]{1,8}|\d{1,9})\s*\]")
_OLD_INDEX: Final = re.compile(r"_(\d{1,9})_")
_EXTENSION: Final = re.compile(r"\{(\w+):([^{}]*)\}")
_ROOT: Final = re.compile(r"(?:[^.\[\]{}<]|<[^{}]*>)+")
_MAX_STEPS: Final = 256


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable with a fixed address.

    Attributes:
        name: with name spaces and classes as in C++, ``engine::Map::rows``.
        address: where it lies.
        type: its type.
        linkage_name: name in the symbol table where it differs.
        unit: source file of its compile unit.
        function: function of a static local, empty for others.
        is_external: visible outside of its unit.
        is_constant: declared ``const``, also when the linker put it into writable memory, as for ``const volatile``.
    """

    name: str
    address: int
    type: CType
    linkage_name: str = ""
    unit: str = ""
    function: str = ""
    is_external: bool = True
    is_constant: bool = False

    @property
    def size_bytes(self) -> int:
        """Size in memory."""
        return size_of(self.type)


@dataclass(frozen=True, slots=True)
class SymbolPath:
    """What a symbol text names.

    Attributes:
        root: name of the variable.
        steps: member names and indices, in order.
        unit: compile unit that was asked for, empty for any.
        function: function of a static local, empty for any.
        namespace: name space that was asked for; None for any.
    """

    root: str
    steps: tuple[str | int, ...] = ()
    unit: str = ""
    function: str = ""
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a symbol path leads.

    Attributes:
        address: first byte; of a bit field, that of its storage unit.
        type: type of what lies there; None when only a symbol table or map is known.
        size_bytes: size, 0 when unknown.
        bit_size: width of a bit field, 0 for others.
        bit_shift: bits of the storage unit below the field.
        storage_bytes: size of the storage unit of a bit field.
        symbol: name of the variable or symbol it lies in.
    """

    address: int
    type: CType | None
    size_bytes: int
    bit_size: int = 0
    bit_shift: int = 0
    storage_bytes: int = 0
    symbol: str = ""

    @property
    def bit_mask(self) -> int:
        """Bits of the storage unit that belong to a bit field, 0 for others."""
        return ((1 << self.bit_size) - 1) << self.bit_shift


class VariableSource(Protocol):
    """Something that finds variables by name."""

    def find(self, name: str) -> tuple[Variable, ...]:
        """Variables of a name, external ones first."""
        ...

    def at(self, address: int) -> Variable | None:
        """The variable that begins at an address."""
        ...


def parse_symbol_path(text: str) -> SymbolPath | None:
    """The path a symbol text spells; None when it spells none.

    ``base.member[1].sub``, ``base.member._1_.sub`` and ``a[1][2]`` are understood, and the extensions
    ``{Function:f}{CompileUnit:u}{Namespace:n}`` that some tools put behind the name *(ASAP2, SYMBOL_LINK, 1.6)*.
    """
    wanted = {key.lower(): value for key, value in _EXTENSION.findall(text)}
    bare = _EXTENSION.sub("", text).strip()
    root = _ROOT.match(bare)
    if root is None:
        return None
    steps: list[str | int] = []
    at = root.end()
    while at < len(bare):
        step = _STEP.match(bare, at)
        if step is None or len(steps) == _MAX_STEPS:
            return None
        at = step.end()
        old = _OLD_INDEX.fullmatch(step[1]) if step[1] else None
        number = step[2] or (old[1] if old else "")
        if number:
            steps.append(int(number, 16 if "x" in number.lower() else 10))
        else:
            steps.append(step[1])
    return SymbolPath(
        root[0].strip(),
        tuple(steps),
        wanted.get("compileunit", ""),
        wanted.get("function", ""),
        wanted.get("namespace"),
    )


class DebugInfo:
    """Every variable of a program.

    Args:
        variables: what the file describes.
        diagnostics: what could not be read.
    """

    def __init__(
        self, variables: Iterable[Variable], diagnostics: tuple[Diagnostic, ...] = ()
    ) -> None:
        self.variables = tuple(variables)
        self.diagnostics = diagnostics
        self._by_name: dict[str, list[Variable]] = {}
        self._by_address: dict[int, Variable] = {}
        for variable in self.variables:
            for name in {variable.name, variable.linkage_name} - {""}:
                self._by_name.setdefault(name, []).append(variable)

    def __iter__(self) -> Iterator[Variable]:
        return iter(self.variables)

    def __len__(self) -> int:
        return len(self.variables)

    def find(self, name: str) -> tuple[Variable, ...]:
        """Variables of a name, plain or mangled: external ones first, static locals last."""
        found = self._by_name.get(name, ())
        return tuple(sorted(found, key=lambda v: (bool(v.function), not v.is_external)))

    def at(self, address: int) -> Variable | None:
        """The variable that begins at an address; the first one of several."""
        if not self._by_address:
            for variable in self.variables:
                self._by_address.setdefault(variable.address, variable)
        return self._by_address.get(address)


def choose(variables: Iterable[Variable], path: SymbolPath) -> Variable | None:
    """The variable that fits the name extensions of a path; the first when several do."""
    for variable in variables:
        if path.unit and not same_unit(variable.unit, path.unit):
            continue
        if (
            path.function
            and variable.function.rpartition("::")[2] != path.function.rpartition("::")[2]
        ):
            continue
        space = path.namespace
        if space and space.lower() != "global" and not variable.name.startswith(f"{space}::"):
            continue
        return variable
    return None


def same_unit(unit: str, wanted: str) -> bool:
    """Compile units are the same when the file names agree; ``unit_c`` stands for ``unit.c``."""
    name = unit.replace("\\", "/").rpartition("/")[2]
    asked = wanted.replace("\\", "/").rpartition("/")[2]
    return asked in (name, name.replace(".", "_"), name.rpartition(".")[0])


def locate(source: VariableSource, path: SymbolPath) -> Place | None:
    """Where a path leads by the types of the program; None when there is no such thing.

    The root may carry a compile unit as prefix, ``unit_c.variable``, or be split where a C++ name holds dots.
    """
    variable = choose(source.find(path.root), path)
    steps = path.steps
    if variable is None and steps and isinstance(steps[0], str):
        prefixed = SymbolPath(steps[0], steps[1:], path.root, path.function, path.namespace)
        variable = choose(source.find(steps[0]), prefixed)
        steps = steps[1:]
    if variable is None and path.namespace and "::" not in path.root:
        inner = SymbolPath(f"{path.namespace}::{path.root}", path.steps, path.unit, path.function)
        return locate(source, inner)
    return None if variable is None else walk(variable, steps)


def walk(variable: Variable, steps: tuple[str | int, ...]) -> Place | None:
    """Follow members and indices from a variable; None when one does not exist."""
    address, kind, member = variable.address, variable.type, None
    for step in steps:
        bare = strip(kind)
        if isinstance(step, str):
            found = bare.find(step) if isinstance(bare, Struct) else None
            if found is None:
                return None
            address, kind, member = address + found.offset, found.type, found
        else:
            if not isinstance(bare, Array) or (bare.dims[0] and step >= bare.dims[0]):
                return None
            rest = bare.dims[1:]
            address += step * size_of(bare.element) * prod(rest)
            kind = Array(bare.element, rest) if rest else bare.element
            member = None
    if member is not None and member.bit_size:
        return Place(
            address,
            kind,
            member.storage_bytes,
            member.bit_size,
            member.bit_shift,
            member.storage_bytes,
            variable.name,
        )
    return Place(address, kind, size_of(kind), symbol=variable.name)


def type_text(kind: CType | None) -> str:
    """A short name of a type for reports."""
    if kind is None:
        return "?"
    bare = strip(kind)
    if isinstance(bare, Array):
        dims = "".join(f"[{n or ''}]" for n in bare.dims)
        return f"{type_text(bare.element)}{dims}"
    if isinstance(bare, Pointer):
        return f"{bare.target or 'void'} *"
    if isinstance(bare, (Struct, Enum)):
        word = bare.kind if isinstance(bare, Struct) else "enum"
        return f"{word} {bare.name}".rstrip()
    return getattr(bare, "name", "") or type(bare).__name__.lower()
