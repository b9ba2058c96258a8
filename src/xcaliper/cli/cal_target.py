"""What the ``cal`` verbs work on: a slave behind a URL, an image, or a file of parameter values."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from xcaliper.cli.cal_options import (
    ChangeOptions,
    ChoiceOptions,
    TargetOptions,
    checksum_region,
    number,
    offset_of,
    pairs,
)
from xcaliper.cli.cal_source import SetSource, matching
from xcaliper.cli.opening import open_ecu
from xcaliper.core.errors import UsageError, XcaliperError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from xcaliper.calib.formats.model import ReadSet
    from xcaliper.calib.paramset import ParameterSet
    from xcaliper.cli.cal_source import Source
    from xcaliper.client.connection import Connection
    from xcaliper.client.offline import OfflineImage
    from xcaliper.core.diagnostics import Diagnostic
    from xcaliper.quantity.catalog import Catalog

    Target = Connection | OfflineImage

__all__ = [
    "Taken",
    "changing",
    "check_place",
    "described",
    "image_of",
    "is_image",
    "is_live",
    "load",
    "looking",
    "meant_by",
    "open_slave",
    "opened",
    "physical",
    "save_image",
    "take_from",
    "tell",
]

#: Findings that are told one by one.
_TOLD: Final = 50


def is_live(target: str) -> bool:
    """True for the URL of a slave."""
    return "://" in target


def is_image(target: str) -> bool:
    """True for a file whose name says that it is an image."""
    from xcaliper.image.files import IMAGE_FORMATS

    suffix = Path(target).suffix.lower()
    return any(suffix in one.suffixes for one in IMAGE_FORMATS.values())


# --- opening ---


@contextmanager
def opened(
    target: str, options: TargetOptions | None = None, change: ChangeOptions | None = None
) -> Iterator[Target]:
    """A slave or an image, in the variant that the options name; closed at the end, not saved.

    Args:
        target: URL or file.
        options: how to open it.
        change: how it will be changed; None where it is not.

    Raises:
        UsageError: it is neither.
        XcaliperError: it cannot be opened.
    """
    if is_live(target):
        with open_slave(target, options) as ecu:
            yield ecu
        return
    image = image_of(target, options, change)
    for criterion, value in pairs(options.variant if options else (), "variant").items():
        image.choose_variant(criterion, value)
    tell(image.diagnostics)
    yield image


def open_slave(target: str, options: TargetOptions | None = None) -> Connection:
    """A slave by its URL, in the variant that the options name; a context manager that closes it.

    Raises:
        XcaliperError: it cannot be opened, or has no such variant.
    """
    options = options or TargetOptions()
    chosen = pairs(options.variant, "variant")
    ecu = open_ecu(target, options.a2l, timeout=options.timeout, keys=options)
    try:
        for criterion, value in chosen.items():
            ecu.choose_variant(criterion, value)
    except BaseException:
        ecu.close()
        raise
    return ecu


def image_of(
    target: str,
    options: TargetOptions | None,
    change: ChangeOptions | None,
    *,
    catalog: Catalog | None = None,
) -> OfflineImage:
    """An image by name.

    Args:
        target: the file.
        options: how to open it.
        change: checksums to set right.
        catalog: names and descriptions, where they are known already.

    Raises:
        UsageError: it is no image, or there is no description.
        ImageError: it cannot be read.
    """
    from xcaliper.client.offline import open_image

    options = options or TargetOptions()
    if not is_image(target):
        raise UsageError(
            f"{target}: it is neither the URL of a slave nor an image.",
            hint="As udp://127.0.0.1:5555, or engine.hex with --a2l engine.a2l.",
        )
    described_by = catalog or options.a2l
    if described_by is None:
        raise UsageError(f"{target}: an image tells no names.", hint="Give its --a2l.")
    return open_image(
        described_by,
        target,
        offset=offset_of(options.offset),
        checksums=[checksum_region(one) for one in (change.checksum if change else ())],
        address=None if options.address is None else number(options.address, "address"),
    )


@contextmanager
def changing(
    target: str, options: TargetOptions | None = None, change: ChangeOptions | None = None
) -> Iterator[Target]:
    """A slave or an image to change, with its history; an image is saved when all went well.

    Raises:
        UsageError: it is neither, or nothing says where a changed image goes.
        XcaliperError: it cannot be opened or saved.
    """
    from xcaliper.calib.history import State
    from xcaliper.cli.cal_history import kept_history
    from xcaliper.client.offline import OfflineImage

    change = change or ChangeOptions()
    if not is_live(target) and is_image(target):
        check_place(target, change)
    with opened(target, options, change) as memory:
        if change.confirm:
            memory.confirm()
        with kept_history(target, memory, change):
            before = set(memory.calib.history.transactions)
            yield memory
            try:
                if isinstance(memory, OfflineImage):
                    save_image(memory, target, change)
            except XcaliperError:
                for number_ in set(memory.calib.history.transactions) - before:
                    memory.calib.history.settle(number_, State.UNDONE, ())
                raise


def check_place(target: str, change: ChangeOptions) -> None:
    """Refuse before anything is done what could not be saved in the end.

    Raises:
        UsageError: no place for a changed image, or one that is taken.
    """
    if change.out is not None and change.in_place:
        raise UsageError("--out and --in-place: one of them is enough.")
    if change.out is None and not change.in_place:
        raise UsageError(
            f"{target}: where does the changed image go?", hint="Use --out FILE, or --in-place."
        )
    if change.out is not None and change.out.exists():
        raise UsageError(f"{change.out}: it exists already.", hint="Give another name.")


def save_image(image: OfflineImage, target: str, change: ChangeOptions) -> None:
    """Write an image that changed where the options say; nothing is written where it did not.

    Raises:
        XcaliperError: it cannot be written; the file that is there is as it was.
    """
    from xcaliper.cli.shell import errors

    if not (image.is_changed or change.checksum):
        return
    done = image.save(change.out or Path(target), overwrite=change.in_place)
    for text in (f"wrote {done.path}", *map(str, done.checksums)):
        errors().print(text, markup=False, soft_wrap=True)


@contextmanager
def looking(
    target: str, options: TargetOptions | None = None, *, raw: bool = False
) -> Iterator[Source]:
    """What can be looked at: a slave, an image, or a file of parameter values.

    Args:
        target: URL or file.
        options: how to open it; their description makes physical values of ECU values in a file.
        raw: ECU values are asked for.

    Raises:
        XcaliperError: it cannot be opened.
    """
    if is_live(target) or is_image(target):
        with opened(target, options) as memory:
            yield memory
    else:
        yield SetSource(physical(load(target).values, described(options), raw=raw))


def load(target: str | Path, *, form: str = "") -> ReadSet:
    """A file of parameter values; what could not be understood is told on standard error.

    Args:
        target: the file.
        form: its format; found out when empty.

    Raises:
        NotFoundError: no such format.
        ParameterSetError: it cannot be read.
    """
    from xcaliper.client.set_file import load_set

    found = load_set(target, format=form)
    tell(found.diagnostics)
    return found


# --- sets ---


@dataclass(frozen=True, slots=True)
class Taken:
    """Parameters of a target.

    Attributes:
        values: the set.
        catalog: their description, where there is one.
    """

    values: ParameterSet
    catalog: Catalog | None = None


def take_from(  # noqa: PLR0913  # options by name
    target: str,
    patterns: tuple[str, ...] = (),
    options: TargetOptions | None = None,
    *,
    choice: ChoiceOptions | None = None,
    raw: bool = False,
    read_only: bool = True,
    quiet: bool = False,
    with_history: bool = False,
) -> Taken:
    """The parameters of a slave, an image or a file as a set; what is left out is told on standard error.

    Args:
        target: URL or file.
        patterns: names, with * and ?; everything without any. They may mean nothing here.
        options: how to open it.
        choice: functions and groups; of a file, groups are those of the description that the options name.
        raw: ECU values of a slave or an image.
        read_only: of a slave or an image, also what its description calls read-only; a plain name takes it
            in any case.
        quiet: do not tell what is left out for being read-only.
        with_history: take along what the history of a slave or an image tells of each parameter.

    Raises:
        XcaliperError: it cannot be opened or read.
    """
    from xcaliper.calib.extract import extract
    from xcaliper.cli.cal_history import known_history

    if not is_live(target) and not is_image(target):
        whole = physical(load(target).values, described(options), raw=raw)
        part = whole.filter(names=matching(whole.names, patterns)) if patterns else whole
        taken = Taken(part, described(options))
        return (
            replace(taken, values=part.filter(names=meant_by(choice, taken))) if choice else taken
        )
    problems: list[Diagnostic] = []
    chosen = pairs(options.variant, "variant") if options else {}
    with opened(target, options) as memory:
        names = _named(memory.catalog, patterns, choice)
        if not read_only:
            names = _writable(memory.catalog, names, patterns, [] if quiet else problems)
        given: dict[str, Any] = {
            "variants": chosen or None, "raw": raw, "on_problem": problems.append,
        }  # fmt: skip
        if with_history:
            known_history(target, memory)
            made = memory.calib.snapshot(names, **given)
        else:
            made = extract(memory.catalog, memory.read_memory, names, **given)
    tell(problems)
    if not is_live(target):
        made = made.with_head(origin=replace(made.origin, image=Path(target).name))
    return Taken(made, memory.catalog)


def _named(catalog: Catalog, patterns: tuple[str, ...], choice: ChoiceOptions | None) -> list[str]:
    """The parameters that are asked for."""
    from xcaliper.calib.extract import parameter_names

    known: Iterable[str] = parameter_names(catalog)
    if patterns:
        known = matching(known, patterns)
    if choice:
        wanted = choice.names(catalog)
        known = (one for one in known if one in wanted)
    return list(known)


def _writable(
    catalog: Catalog, names: list[str], patterns: tuple[str, ...], problems: list[Diagnostic]
) -> list[str]:
    """Without what is read-only, unless it is named itself."""
    from xcaliper.calib.select import without_read_only

    plain = frozenset(patterns)
    others = [one for one in names if one not in plain]
    kept = {*plain, *without_read_only(catalog, others, problems.append)}
    return [one for one in names if one in kept]


def meant_by(choice: ChoiceOptions, *sides: Taken) -> set[str]:
    """Names that functions and groups mean, as far as any of the sides can tell.

    Raises:
        NotFoundError: a description has no such function or group.
        UsageError: groups, and no description that tells them.
    """
    found: set[str] = set()
    catalogs = {id(one.catalog): one.catalog for one in sides if one.catalog is not None}
    for catalog in catalogs.values():
        found |= choice.names(catalog)
    if choice.group and not catalogs:
        raise UsageError("--group: a set tells no groups.", hint="Give the description with --a2l.")
    for one in sides:
        found.update(one.values.filter(functions=choice.function).names if choice.function else ())
    return found


def physical(values: ParameterSet, catalog: Catalog | None, *, raw: bool = False) -> ParameterSet:
    """A set as people read it: ECU values converted where a description is at hand.

    Args:
        values: as a file has them.
        catalog: the description.
        raw: leave ECU values as they are.
    """
    from xcaliper.calib.formats.par import with_kinds
    from xcaliper.calib.named_values import to_physical

    if catalog is None or not any(one.is_raw for one in values):
        return values
    values = with_kinds(values, catalog, only=lambda one: one.is_raw)
    if raw:
        return values
    problems: list[Diagnostic] = []
    made = to_physical(values, catalog, on_problem=problems.append)
    tell(problems)
    return made


def described(options: TargetOptions | None) -> Catalog | None:
    """Names and objects of the description that the options name; None without one.

    Raises:
        A2lError: it cannot be read.
    """
    from xcaliper.client.a2l_source import read_a2l
    from xcaliper.quantity.catalog import Catalog

    if options is None or options.a2l is None:
        return None
    return Catalog(read_a2l(options.a2l))


def tell(findings: Iterable[Diagnostic]) -> None:
    """Say on standard error what was found; very many are counted."""
    from xcaliper.cli.shell import errors

    lines = [str(one) for one in findings]
    for line in lines[:_TOLD]:
        errors().print(line, markup=False, soft_wrap=True)
    if len(lines) > _TOLD:
        errors().print(f"… and {len(lines) - _TOLD} more like these", markup=False)
