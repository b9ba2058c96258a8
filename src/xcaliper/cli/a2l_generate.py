"""``xcaliper a2l generate``: a description from a program, an annotated header or Python declarations."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from xcaliper.a2l import A2lFile
    from xcaliper.core.progress import Progress

__all__ = ["generate"]

_SHOWN = 20


def generate(  # noqa: PLR0913  # each option is one choice of the user
    out: Path,
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
    event: Annotated[list[str] | None, Parameter(negative=())] = None,
    to: Literal["1.60", "1.61", "1.70", "1.71"] = "1.71",
) -> int:
    """Make a description. Exit code 6 when annotations are wrong, or a pattern fits nothing.

    Args:
        out: the A2L file to write, in front or as --out.
        elf: the linked program; with a header it gives addresses and types.
        map: map of the linker, for symbols that the program file does not have.
        header: a C header with @@ annotations.
        python: an ECU declaration or a function that gives one, as package.module:NAME or file.py:NAME; it is run.
        project: name of the project; from the input file when empty.
        include: pattern of variables to describe; may be repeated.
        exclude: pattern of variables to leave out; may be repeated.
        section: pattern of sections to describe; may be repeated.
        parameter: pattern of variables that are parameters; may be repeated.
        parameter_section: pattern of sections whose variables are parameters; may be repeated.
        structures: typedef makes instances, flat one object per member.
        epk: symbol of the identification text.
        event: DAQ event as NAME:CHANNEL:MILLISECONDS, for IF_DATA XCP; the first one is the default; may be repeated.
        to: version of ASAP2; before 1.70 every structure becomes plain objects.
    """
    from xcaliper.a2l import write
    from xcaliper.cli.program_source import read_bytes, read_program
    from xcaliper.cli.shell import EXIT_FOUND, EXIT_OK, errors, working
    from xcaliper.core.diagnostics import Severity
    from xcaliper.core.errors import UsageError
    from xcaliper.describe.events import parse_event
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
        text = read_bytes(header).decode("utf-8", "replace")
        with working(f"Reading {header.name} …") as told:
            tree = parse_header(
                text, source=header.name, project=project, program=program, progress=told
            )
    else:
        origin = elf or map
        options = GenerateOptions(
            project=project or (origin.stem if origin else ""),
            include=tuple(include or ("*",)),
            exclude=tuple(exclude or ()),
            sections=tuple(section or ()),
            parameters=tuple(parameter or ()),
            parameter_sections=tuple(parameter_section or ()),
            structures=structures if to >= "1.70" else "flat",
            epk=epk,
            events=tuple(parse_event(text) for text in event or ()),
        )
        program = read_program(elf, map, listed=True)
        with working("Describing variables …") as told:
            tree = from_program(program, options, progress=told)
    found = list(tree.diagnostics)
    for finding in found[:_SHOWN]:
        errors().print(str(finding), markup=False, soft_wrap=True)
    if len(found) > _SHOWN:
        errors().print(f"… and {len(found) - _SHOWN} more", markup=False)
    with working(f"Writing {out.name} …") as told:
        lost = _convert(tree, to, told)
        out.write_text(write(tree, progress=told), encoding="utf-8")
    _say(tree, out)
    wrong = any(finding.severity > Severity.INFO for finding in found)
    return EXIT_FOUND if wrong or lost else EXIT_OK


def _convert(tree: A2lFile, version: str, told: Progress | None) -> bool:
    """Bring a description to an older version; True when something cannot be said in it."""
    from xcaliper.a2l.convert import convert
    from xcaliper.cli.shell import errors
    from xcaliper.quantity.flatten import flatten

    if version == tree.version:
        return False
    for module in tree.modules if version < "1.71" else ():
        if module.mod_common is not None:
            module.mod_common.alignment_float16_ieee = None  # no type of C needs it
    result = convert(tree, version, expand=flatten, progress=told)
    result.editor.apply()
    # Instances became plain objects, so that nobody misses their typedefs; their parts keep an index in the name.
    lost = [
        note
        for note in result.lost
        if not note.keyword.startswith("TYPEDEF_") and (note.kind, note.what) != ("kept", "name")
    ]
    for note in lost[:_SHOWN]:
        errors().print(str(note), markup=False, soft_wrap=True)
    return bool(lost)


def _declared(text: str) -> A2lFile:
    """The description of an ECU declared in Python; its module is run, so trust it first."""
    from xcaliper.core.errors import UsageError, XcaliperError
    from xcaliper.sim.declare import EcuDeclaration
    from xcaliper.sim.describe import describe_tree
    from xcaliper.sim.image import build_image
    from xcaliper.xcp.slave_config import SlaveConfig

    try:
        declaration = _imported(text)
        if callable(declaration):
            declaration = declaration()
    except XcaliperError:
        raise
    except Exception as error:
        raise UsageError(
            f"{text}: it cannot be imported: {type(error).__name__}: {error}.",
            hint="Write package.module:NAME or file.py:NAME.",
        ) from error
    if not isinstance(declaration, EcuDeclaration):
        raise UsageError(
            f"{text}: it is no EcuDeclaration.",
            hint="Write package.module:NAME or file.py:NAME; the name is ECU when left out.",
        )
    return describe_tree(build_image(declaration), SlaveConfig())


def _imported(text: str) -> Any:
    """What a name in a module, or in a file that ends in .py, stands for."""
    from importlib import import_module, util

    if ".py" not in text:
        module, _, name = text.partition(":")
        return getattr(import_module(module), name or "ECU")
    path, _, rest = text.partition(".py")
    spec = util.spec_from_file_location(Path(path).name, f"{path}.py")
    assert spec is not None, "names that end in .py have a loader"
    assert spec.loader is not None, "names that end in .py have a loader"
    loaded = util.module_from_spec(spec)
    sys.modules[spec.name] = loaded  # dataclasses look themselves up
    spec.loader.exec_module(loaded)
    return getattr(loaded, rest.lstrip(":") or "ECU")


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
