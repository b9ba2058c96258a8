"""A description from a program: variables as measurements and parameters, structures as typedefs."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, Final

from xcaliper.a2l.keywords import memory as kw_memory
from xcaliper.a2l.keywords import project as kw_project
from xcaliper.a2l.keywords.characteristic import Characteristic
from xcaliper.a2l.keywords.common import SymbolLink
from xcaliper.a2l.keywords.measurement import Measurement
from xcaliper.a2l.keywords.typedef import Instance
from xcaliper.a2l.parse import A2lFile
from xcaliper.core.datatypes import ByteOrder, DataType
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import NotFoundError, UsageError
from xcaliper.core.progress import Progress, counted
from xcaliper.describe.enums import a2l_name
from xcaliper.describe.events import add_events
from xcaliper.describe.selection import GenerateOptions, chosen_of, listed_of, untyped_of
from xcaliper.describe.takeover import free_name, matrix_dim
from xcaliper.describe.typedefs import Typedefs, limits_of, scalar_type
from xcaliper.image.c_types import (
    Base,
    CType,
    Struct,
    Typedef,
    element_of,
    size_of,
    strip,
)
from xcaliper.image.debug_info import Variable, type_text

if TYPE_CHECKING:
    from xcaliper.image.program import Program

__all__ = ["GenerateOptions", "generate", "natural_alignment"]

_MAX_OBJECTS: Final = 1_000_000
_SHOWN: Final = 5
_MAX_ALIKE: Final = 5000  # comparing names is slow
_ORDER_WORDS: Final = {ByteOrder.INTEL: "MSB_LAST", ByteOrder.MOTOROLA: "MSB_FIRST"}


def generate(
    program: Program,
    options: GenerateOptions | None = None,
    *,
    progress: Progress | None = None,
) -> A2lFile:
    """A description of the variables of a program, ready to be updated later: every object has its SYMBOL_LINK.

    Without types every symbol becomes an unsigned number of its size, or an array of bytes. What ASAP2 cannot say, and
    patterns that no variable has, stand in the diagnostics of the result.

    Args:
        program: with types, or at least with symbols.
        options: what to describe.
        progress: told how many of many variables are described.

    Raises:
        UsageError: the program lists neither variables nor symbols.
        NotFoundError: the EPK symbol does not exist.
    """
    options = options or GenerateOptions()
    name = a2l_name(options.project)
    module = kw_project.Module(name, f"generated from {options.project}")
    module.mod_common = natural_alignment(program.byte_order or ByteOrder.INTEL)
    if options.epk:
        module.mod_par = _identification(program, options.epk)
    maker = _Maker(module, program, options)
    listed = listed_of(program)
    untyped = untyped_of(program, listed)
    if "*" not in options.include:  # asked for by name
        listed += untyped
    elif untyped and listed:
        maker.untyped(untyped)
    listed.sort(key=lambda v: (v.name, v.address))
    if not listed:
        raise UsageError(
            "program: it has neither debug information nor symbols of variables.",
            hint="Give the linked program before any strip, best compiled with -g.",
        )
    maker.placed()
    chosen = list(chosen_of(listed, program, options))
    maker.unmatched(listed)
    counts = Counter((variable.name, variable.function) for variable, _ in chosen)
    for variable, parameter in counted(chosen, "variables described", len(chosen), progress):
        maker.variable(
            variable, parameter=parameter, alone=counts[variable.name, variable.function] == 1
        )
    if options.events:
        add_events(module, maker.measured, options.events, program.byte_order or ByteOrder.INTEL)
    return A2lFile(
        asap2_version=kw_project.Asap2Version(1, 71),
        project=kw_project.Project(name, "", module=[module]),
        diagnostics=maker.findings,
    )


def natural_alignment(order: ByteOrder) -> kw_memory.ModCommon:
    """Defaults of a module as a C compiler lays things out."""
    return kw_memory.ModCommon(
        "natural alignment",
        alignment_byte=1,
        alignment_word=2,
        alignment_long=4,
        alignment_int64=8,
        alignment_float16_ieee=2,
        alignment_float32_ieee=4,
        alignment_float64_ieee=8,
        byte_order=_ORDER_WORDS[order],
    )


def _identification(program: Program, symbol: str) -> kw_memory.ModPar:
    place = program.locate(symbol)
    if place is None:
        raise NotFoundError(symbol, kind="EPK symbol", nearest=program.nearest(symbol))
    text = program.elf.text_at(place.address) if program.elf else None
    return kw_memory.ModPar("", addr_epk=[place.address], epk=text)


class _Maker:
    """Makes the objects of one module."""

    def __init__(
        self, module: kw_project.Module, program: Program, options: GenerateOptions
    ) -> None:
        self.module = module
        self.program = program
        self.numbered: dict[int, str] | None = None
        self.options = options
        self.names: set[str] = set()
        self.findings: list[Diagnostic] = []
        self.measured: list[Instance] = []
        self.typedefs = Typedefs(module, self.left_out)

    def finding(self, severity: Severity, slug: str, name: str, text: str, hint: str) -> None:
        """Report what the description does not say."""
        where = Where(self.program.elf.source if self.program.elf else "")
        self.findings.append(Diagnostic(severity, slug, where, f"{name}: {text}", hint, name))

    def left_out(self, name: str, kind: CType) -> None:
        """Report a variable or member that ASAP2 has no form for."""
        self.finding(
            Severity.INFO,
            "type-unfit",
            name,
            f"its type {type_text(kind)} has no form in ASAP2; it was left out.",
            "",
        )

    def placed(self) -> None:
        """Report addresses that are not those of the running program."""
        elf = self.program.elf
        if elf is not None and not elf.is_linked:
            self.finding(
                Severity.WARNING,
                "not-linked",
                elf.source,
                "this is an object file; its addresses are not those of the program.",
                "Give the linked program.",
            )
        elif elf is not None and elf.is_movable:
            self.finding(
                Severity.INFO,
                "movable",
                elf.source,
                "this program is position independent; its addresses count from where it is loaded.",
                "Link with -no-pie where addresses shall be absolute.",
            )

    def untyped(self, variables: list[Variable]) -> None:
        """Report symbols without debug information: mostly libraries."""
        names = sorted({variable.name for variable in variables})
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        self.finding(
            Severity.INFO,
            "no-types",
            shown,
            f"{len(names)} symbols have no debug information; they were left out.",
            "Name them with an include pattern, or compile their files with -g.",
        )

    def unmatched(self, listed: list[Variable]) -> None:
        """Report patterns that fit no variable or section: mostly typing errors."""
        elf = self.program.elf
        sections = [section.name for section in elf.sections] if elf else []
        names = [variable.name for variable in listed]
        for option, patterns, known in (
            ("include", self.options.include, names),
            ("exclude", self.options.exclude, names),
            ("parameter", self.options.parameters, names),
            ("section", self.options.sections, sections),
            ("parameter section", self.options.parameter_sections, sections),
        ):
            for pattern in patterns:
                if not any(fnmatchcase(name, pattern) for name in known):
                    near = get_close_matches(pattern.strip("*"), known[:_MAX_ALIKE], n=1)
                    self.finding(
                        Severity.WARNING,
                        "no-match",
                        pattern,
                        f"this {option} pattern fits nothing in the program.",
                        f"Did you mean {near[0]}?" if near else "Patterns know * and ?.",
                    )

    def variable(self, variable: Variable, *, parameter: bool, alone: bool) -> None:
        """Add a variable in the form its type asks for; what has no form is left out."""
        wanted = f"{variable.function}_{variable.name}" if variable.function else variable.name
        link = variable.name
        if variable.function:
            link += f"{{Function:{variable.function}}}"
        if variable.unit and not alone:
            unit = variable.unit.replace("\\", "/").rpartition("/")[2].replace(".", "_")
            link += f"{{CompileUnit:{unit}}}"
        found = self.program.locate(link)
        if found is None or found.address != variable.address:
            link = self.symbol(variable)
        if link:
            self.place(a2l_name(wanted), link, variable.type, variable.address, parameter=parameter)
        else:
            self.finding(
                Severity.INFO,
                "ambiguous-name",
                wanted,
                "others have the same name, and no link tells them apart; it was left out.",
                "Rename it in the program.",
            )

    def symbol(self, variable: Variable) -> str:
        """The linker's own name of a variable that shares all its other names; empty when it has none."""
        if self.numbered is None:
            symbols = self.program.elf.symbols if self.program.elf else ()
            self.numbered = {s.address: s.name for s in symbols if s.kind == "object"}
        name = self.numbered.get(variable.address, "")
        return name if variable.name.rpartition("::")[2] in name else ""

    def place(self, name: str, link: str, kind: CType, address: int, *, parameter: bool) -> None:
        """Add what lies at an address."""
        element, dims = element_of(kind)
        bare = strip(element)
        if 0 in dims or not size_of(kind):
            if not isinstance(bare, Struct):
                self.left_out(name, kind)
            return
        if isinstance(bare, Struct):
            if self.options.structures == "typedef":
                self.instance(name, link, element, dims, address, parameter=parameter)
            else:
                self.flat(name, link, bare, dims, address, parameter=parameter)
            return
        self.scalar(name, link, element, dims, address, parameter=parameter)

    def name(self, wanted: str) -> str:
        made = free_name(wanted, self.names)
        self.names.add(made)
        return made

    def scalar(
        self,
        name: str,
        link: str,
        element: CType,
        dims: tuple[int, ...],
        address: int,
        *,
        parameter: bool,
    ) -> None:
        """A number or an array of numbers."""
        datatype = scalar_type(element, None)
        if datatype is None:
            self.left_out(name, element)
            return
        conversion = self.typedefs.conversion(element)
        lower, upper = limits_of(element, datatype, None)
        if parameter:
            self.parameter(name, link, element, dims, address)
            return
        self.module.measurement.append(
            Measurement(
                self.name(name),
                "",
                datatype.value,
                conversion,
                0,
                0.0,
                lower,
                upper,
                ecu_address=address,
                matrix_dim=matrix_dim(dims, "1.71") or None,
                layout="ROW_DIR" if len(dims) > 1 else None,
                discrete=conversion != "NO_COMPU_METHOD",
                symbol_link=SymbolLink(link, 0),
            )
        )

    def parameter(
        self, name: str, link: str, element: CType, dims: tuple[int, ...], address: int
    ) -> None:
        """A value, a text or a block of values."""
        datatype = scalar_type(element, None)
        assert datatype is not None, "checked before"
        conversion = self.typedefs.conversion(element)
        lower, upper = limits_of(element, datatype, None)
        bare = strip(element)
        text = isinstance(bare, Base) and bare.is_character and len(dims) == 1
        kind = "ASCII" if text else "VAL_BLK" if dims else "VALUE"
        self.module.characteristic.append(
            Characteristic(
                self.name(name),
                "",
                kind,
                address,
                self.typedefs.layout(DataType.UBYTE if text else datatype),
                0.0,
                conversion,
                0 if text else lower,
                255 if text else upper,
                discrete=conversion != "NO_COMPU_METHOD",
                matrix_dim=None if text else matrix_dim(dims, "1.71") or None,
                number=dims[0] if text else None,
                symbol_link=SymbolLink(link, 0),
            )
        )

    def instance(
        self,
        name: str,
        link: str,
        element: CType,
        dims: tuple[int, ...],
        address: int,
        *,
        parameter: bool,
    ) -> None:
        """A structure or an array of structures."""
        label = element.name if isinstance(element, Typedef) else ""
        bare = strip(element)
        assert isinstance(bare, Struct), "checked before"
        typedef = self.typedefs.structure(bare, label, parameter=parameter)
        made = Instance(
            self.name(name),
            "",
            typedef,
            address,
            matrix_dim=matrix_dim(dims, "1.71") or None,
            symbol_link=SymbolLink(link, 0),
        )
        self.module.instance.append(made)
        if not parameter:
            self.measured.append(made)

    def flat(
        self,
        name: str,
        link: str,
        struct: Struct,
        dims: tuple[int, ...],
        address: int,
        *,
        parameter: bool,
    ) -> None:
        """One object per member and element."""
        if prod(dims) * max(1, len(struct.members)) + len(self.names) > _MAX_OBJECTS:
            raise UsageError(
                f"{name}: too many objects in one description.",
                hint="Describe structures as typedefs, or choose fewer variables.",
            )
        for at, indices in enumerate(product(*(range(n) for n in dims))):
            suffix = "".join(f"[{i}]" for i in indices)
            begin = address + at * struct.size_bytes
            for member in struct.flat():
                path = f"{suffix}.{member.name}"
                if member.bit_size:
                    self.bits(f"{name}{path}", f"{link}{path}", member, begin, parameter=parameter)
                else:
                    self.place(
                        f"{name}{path}",
                        f"{link}{path}",
                        member.type,
                        begin + member.offset,
                        parameter=parameter,
                    )

    def bits(self, name: str, link: str, member: Any, begin: int, *, parameter: bool) -> None:
        """A bit field on its own."""
        datatype = scalar_type(member.type, member)
        if datatype is None:
            self.left_out(name, member.type)
            return
        lower, upper = limits_of(member.type, datatype, member)
        conversion = self.typedefs.conversion(member.type)
        if parameter:
            made = Characteristic(
                self.name(name),
                "",
                "VALUE",
                begin + member.offset,
                self.typedefs.layout(datatype),
                0.0,
                conversion,
                lower,
                upper,
                bit_mask=member.bit_mask,
                bit_operation=self.typedefs.sign_extension(member, datatype),
                symbol_link=SymbolLink(link, 0),
            )
            self.module.characteristic.append(made)
            return
        measurement = Measurement(
            self.name(name),
            "",
            datatype.value,
            conversion,
            0,
            0.0,
            lower,
            upper,
            ecu_address=begin + member.offset,
            bit_mask=member.bit_mask,
            bit_operation=self.typedefs.sign_extension(member, datatype),
            symbol_link=SymbolLink(link, 0),
        )
        self.module.measurement.append(measurement)
