"""``xcaliper a2l generate``: a description from a program, an annotated header or Python declarations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from xcaliper.a2l import A2lFile

__all__ = ["generate"]


def generate(  # noqa: PLR0913  # each option is one choice of the user
    out: Path,
    /,
    *,
    elf: Path | None = None,
    map: Path | None = None,  # noqa: A002  # the name of the option
    header: Path | None = None,
    python: str = "",
    project: str = "",
    include: Annotated[list[str] | None, Parameter(negative=())] = None,
    exclude: Annotated[list[str] | None, Parameter(negative=())] = None,
    section: Annotated[list[str] | None, Parameter(negative=())] = None,
    parameter: Annotated[list[str] | None, Parameter(negative=())] = None,
    parameter_section: Annotated[list[str] | None, Parameter(negative=())] = None,
    structures: Literal["typedef", "flat"] = "typedef",
    epk: str = "",
) -> int:
    """Make a description. Exit code 6 when annotations are wrong.

    Args:
        out: the A2L file to write.
        elf: the linked program; with a header it gives addresses and types.
        map: map of the linker, for symbols that the program file does not have.
        header: a C header with @@ annotations.
        python: an ECU declaration or a function that gives one, as package.module:NAME.
        project: name of the project; from the input file when empty.
        include: pattern of variables to describe; may be repeated.
        exclude: pattern of variables to leave out; may be repeated.
        section: pattern of sections to describe; may be repeated.
        parameter: pattern of variables that are parameters; may be repeated.
        parameter_section: pattern of sections whose variables are parameters; may be repeated.
        structures: typedef makes instances, flat one object per member.
        epk: symbol of the identification text.
    """
    from xcaliper.a2l import write
    from xcaliper.cli.program_source import read_program
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK, errors
    from xcaliper.core.errors import UsageError
    from xcaliper.describe.generator import GenerateOptions
    from xcaliper.describe.generator import generate as from_program
    from xcaliper.describe.header import parse_header

    if sum((bool(python), header is not None or bool(elf or map))) != 1:
        raise UsageError(
            "generate: nothing, or too much, to describe.",
            hint="Give --elf, --map, --header (with or without --elf), or --python.",
        )
    if python:
        tree = _declared(python)
    elif header is not None:
        program = read_program(elf, map) if elf or map else None
        text = header.read_text(encoding="utf-8", errors="replace")
        tree = parse_header(text, source=header.name, project=project, program=program)
    else:
        origin = elf or map
        options = GenerateOptions(
            project=project or (origin.stem if origin else ""),
            include=tuple(include or ("*",)),
            exclude=tuple(exclude or ()),
            sections=tuple(section or ()),
            parameters=tuple(parameter or ()),
            parameter_sections=tuple(parameter_section or ()),
            structures=structures,
            epk=epk,
        )
        tree = from_program(read_program(elf, map, listed=True), options)
    for finding in tree.diagnostics:
        errors().print(str(finding), markup=False, soft_wrap=True)
    out.write_text(write(tree), encoding="utf-8")
    _say(tree, out)
    return EXIT_FOUND if tree.diagnostics else EXIT_OK


def _declared(text: str) -> A2lFile:
    """The description of an ECU declared in Python; its module is imported, so trust it first."""
    from importlib import import_module

    from xcaliper.core.errors import UsageError
    from xcaliper.sim.declare import EcuDeclaration
    from xcaliper.sim.describe import describe_tree
    from xcaliper.sim.image import build_image
    from xcaliper.xcp.slave_config import SlaveConfig

    module, _, name = text.partition(":")
    try:
        declaration = getattr(import_module(module), name or "ECU")
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"{text}: it cannot be imported: {error}.", hint="Write package.module:NAME."
        ) from error
    if callable(declaration):
        declaration = declaration()
    if not isinstance(declaration, EcuDeclaration):
        raise UsageError(f"{text}: it is no EcuDeclaration.", hint="Write package.module:NAME.")
    return describe_tree(build_image(declaration), SlaveConfig())


def _say(tree: A2lFile, out: Path) -> None:
    from xcaliper.cli.shell import stdout

    counts = [
        (label, sum(len(getattr(module, attr)) for module in tree.modules))
        for label, attr in (
            ("measurements", "measurement"),
            ("parameters", "characteristic"),
            ("axes", "axis_pts"),
            ("instances", "instance"),
        )
    ]
    text = ", ".join(f"{count} {label}" for label, count in counts)
    stdout().print(f"{out}: {text}", markup=False, soft_wrap=True)
