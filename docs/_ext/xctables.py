"""Reference pages from the tables of the code, written before Sphinx reads its sources.

Each page has one function here that returns its MyST text. What a table offers is found by looking at it: columns
that no row fills are left out, and a table that this version does not have gives a page that says so.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import ModuleType

    from sphinx.application import Sphinx

__all__ = ["setup"]

ABSENT: Final = "This version does not have this part yet.\n"


# --- text ----------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Text that MyST shows as it is, outside of code spans."""
    parts = re.split(r"(``.+?``|`[^`]+`)", text)
    return "".join(
        part.replace("|", r"\|") if at % 2 else re.sub(r"([\\|*_<>\[\]`$])", r"\\\1", part)
        for at, part in enumerate(parts)
    )


def code(text: object) -> str:
    """A code span, usable inside a table."""
    shown = str(text).replace("|", r"\|").replace("`", "'")
    return f"`{shown}`" if shown else ""


def summary(thing: object) -> str:
    """First paragraph of a docstring of one's own, on one line."""
    own = vars(thing).get("__doc__") if inspect.isclass(thing) else getattr(thing, "__doc__", None)
    if not own or (dataclasses.is_dataclass(thing) and own.startswith(f"{thing.__name__}(")):
        return ""
    return " ".join(inspect.cleandoc(own).split("\n\n")[0].split())


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A pipe table without the columns that are empty in every row."""
    heads, body = list(head), [list(row) for row in rows]
    keep = [at for at in range(len(heads)) if any(row[at] for row in body)]
    lines = [[heads[at] for at in keep], ["---"] * len(keep)]
    lines += [[row[at] for at in keep] for row in body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def page(title: str, lead: str, *parts: str) -> str:
    """A page with its heading."""
    return "\n".join([f"# {title}\n", f"{lead}\n", *parts])


# --- looking at the code -------------------------------------------------------------------------


def module(name: str) -> ModuleType | None:
    """A module of ours, None where this version lacks it; any other failure is an error."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            return None
        raise


def all_modules() -> list[ModuleType]:
    """Every module of the package."""
    package = importlib.import_module("xcaliper")
    names = [info.name for info in pkgutil.walk_packages(package.__path__, "xcaliper.")]
    return [importlib.import_module(name) for name in names if not name.endswith("__main__")]


def pick(row: object, *names: str) -> Any:
    """First attribute of these names that a row has, '' when it has none."""
    for name in names:
        if (found := getattr(row, name, None)) is not None:
            return found
    return ""


def shown(value: object) -> str:
    """A table value as readers of the standard know it."""
    if value is True:
        return "yes"
    if value is False or value is None or value == "":
        return ""
    if isinstance(value, (tuple, list, frozenset, set)):
        return ", ".join(shown(item) for item in value)
    return str(getattr(value, "name", getattr(value, "__name__", value)) or value)


def byte(value: object) -> str:
    """A code as on the wire."""
    if isinstance(value, (tuple, list, bytes)):
        return " ".join(f"0x{int(part):02X}" for part in value)
    return f"0x{int(value):02X}" if isinstance(value, int) else shown(value)


def fields(kind: object) -> str:
    """Table of the fields of a layout or keyword, '' when it has none."""
    if not (inspect.isclass(kind) and dataclasses.is_dataclass(kind)):
        return ""
    described = described_fields(kind)
    if described:
        return described
    rows = []
    for field in dataclasses.fields(kind):
        shape = field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)
        needed = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        rows.append((code(field.name), code(shape), "" if needed else "yes"))
    return table(("Field", "Type", "Optional"), rows) if rows else ""


def described_fields(kind: type) -> str:
    """Table of a layout by ``wire.describe``, '' when the class is no layout."""
    describe = module("xcaliper.wire.describe")
    function = pick(describe, "describe", "describe_layout", "rows") if describe else None
    if not callable(function):
        return ""
    try:
        found = list(function(kind))
    except (TypeError, ValueError, AttributeError, LookupError):
        return ""
    if not found or not dataclasses.is_dataclass(found[0]):
        return ""
    names = [field.name for field in dataclasses.fields(found[0])]
    rows = [[code(shown(getattr(row, name))) for name in names] for row in found]
    return table([name.replace("_", " ").capitalize() for name in names], rows)


# --- pages ---------------------------------------------------------------------------------------


def errors_page() -> str:
    """The tree of errors, of every package."""
    root = importlib.import_module("xcaliper.core.errors").XcaliperError
    all_modules()
    rows: list[tuple[str, str, str]] = []

    def add(kind: type, depth: int) -> None:
        rows.append(
            (f"{'· ' * depth}{code(kind.__name__)}", code(kind.slug), escape(summary(kind)))
        )
        for child in sorted(set(kind.__subclasses__()), key=lambda item: item.__name__):
            if child.__module__.startswith("xcaliper."):
                add(child, depth + 1)

    add(root, 0)
    return page(
        "Errors",
        "Every exception descends from `XcaliperError`; dots show the depth in the tree. The slug is stable and is what "
        "`--json` prints. The message names the thing first and the remedy last.",
        table(("Error", "Slug", "Meaning"), rows),
    )


def commands_page() -> str:
    """XCP commands by group, with their layouts."""
    found = module("xcaliper.xcp.table")
    lead = "The commands of XCP 1.0 to 1.5, from the table that master, slave and observer share."
    if found is None or not hasattr(found, "COMMANDS"):
        return page("XCP commands", lead, ABSENT)
    listed = found.COMMANDS
    rows = list(listed.values()) if isinstance(listed, Mapping) else list(listed)
    overview = table(
        ("Command", "Code", "Group", "Optional", "Since", "Timer", "Resource"),
        [
            (
                code(pick(row, "standard_name", "name", "__name__")),
                byte(pick(row, "code", "key", "pid")),
                shown(pick(row, "group")),
                shown(pick(row, "optional")),
                shown(pick(row, "since", "first_version", "version")),
                shown(pick(row, "timer")),
                shown(pick(row, "resource")),
            )
            for row in rows
        ],
    )
    parts = [overview]
    for row in rows:
        request = row if inspect.isclass(row) else pick(row, "request", "layout", "request_type")
        name = shown(pick(row, "standard_name", "name", "__name__"))
        response = pick(row, "response", "response_type", "Response")
        parts.append(f"## {name}\n")
        if text := summary(request):
            parts.append(f"{escape(text)}\n")
        if listing := fields(request):
            parts += ["Request:\n", listing]
        if listing := fields(response):
            parts += [f"Positive response {code(shown(response))}:\n", listing]
    return page("XCP commands", lead, *parts)


def keywords_page() -> str:
    """ASAP2 keywords with their parameters."""
    lead = "The ASAP2 keywords that are read into typed objects. Other blocks are kept as they are."
    listed: Any = None
    for name in ("xcaliper.a2l.keywords", "xcaliper.a2l.grammar", "xcaliper.a2l"):
        if (found := module(name)) is not None:
            listed = listed or pick(found, "KEYWORDS", "REGISTRY", "keyword_table")
    if callable(listed) and not isinstance(listed, Mapping):
        listed = listed()
    if not listed:
        return page("A2L keywords", lead, ABSENT)
    pairs = (
        list(listed.items())
        if isinstance(listed, Mapping)
        else [(pick(kind, "__keyword__", "keyword") or kind.__name__, kind) for kind in listed]
    )
    parts = []
    for name, entry in sorted(pairs, key=lambda pair: shown(pair[0])):
        kind = entry if inspect.isclass(entry) else pick(entry, "cls", "kind", "type")
        parts.append(f"## {escape(shown(name))}\n")
        if text := summary(kind):
            parts.append(f"{escape(text)}\n")
        if listing := fields(kind):
            parts.append(listing)
    return page("A2L keywords", lead, *parts)


def blocks_page() -> str:
    """MDF4 blocks that are written."""
    lead = "The MDF4 blocks that recordings are made of, from the layouts that write them."
    found = module("xcaliper.mdf.blocks")
    names = getattr(found, "__all__", ())
    parts = []
    for name in sorted(names):
        kind = getattr(found, name)
        if inspect.isclass(kind) and dataclasses.is_dataclass(kind):
            parts += [f"## {name}\n", f"{escape(summary(kind))}\n", fields(kind)]
    return page("MDF4 blocks", lead, *(parts or [ABSENT]))


def cli_page() -> str:
    """Verbs and options of the shell command."""
    lead = "The verbs of the `xcaliper` command. Each also answers `--help`."
    found = module("xcaliper.cli.main")
    app = pick(found, "app", "APP") if found else ""
    for maker in ("build_app", "make_app", "create_app"):
        if not app and callable(function := pick(found, maker)):
            app = function()
    if not hasattr(app, "generate_docs"):
        return page("Shell command", lead, ABSENT)
    text = (
        app.generate_docs(
            output_format="markdown", heading_level=2, generate_toc=False, usage_name="xcaliper"
        )
        if "usage_name" in inspect.signature(app.generate_docs).parameters
        else app.generate_docs(output_format="markdown", heading_level=2)
    )
    # Links inside the text point to anchors that the theme names differently.
    return page("Shell command", lead, re.sub(r"\[([^\]]+)\]\(#[^)]*\)", r"\1", text))


def api_page() -> str:
    """Public names with signature and docstring."""
    package = importlib.import_module("xcaliper")
    lead = (
        "What `import xcaliper` offers. Everything else may change between versions without notice."
    )
    parts = []
    for name in sorted(getattr(package, "__all__", ())):
        thing = getattr(package, name)
        if name.startswith("__") or not callable(thing):
            continue
        try:
            signature = str(inspect.signature(thing))
        except (TypeError, ValueError):
            signature = "(…)"
        kind = "class " if inspect.isclass(thing) else ""
        parts += [f"## {name}\n", f"```text\n{kind}{name}{signature}\n```\n"]
        if inspect.isclass(thing):
            parts.append(f"{escape(summary(thing))}\n")
            parts.append(members(thing))
        elif thing.__doc__:
            parts.append(f"```text\n{inspect.cleandoc(thing.__doc__)}\n```\n")
    return page("Python names", lead, *(parts or [ABSENT]))


def members(kind: type) -> str:
    """Table of the public methods and properties of a class."""
    rows = []
    for name, member in sorted(vars(kind).items()):
        plain = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
        if name.startswith("_") or not (inspect.isfunction(plain) or isinstance(plain, property)):
            continue
        rows.append(
            (code(name + ("" if isinstance(plain, property) else "()")), escape(summary(plain)))
        )
    return table(("Name", "Gives"), rows) if rows else ""


#: File name → function that writes its text.
PAGES: Final[dict[str, Callable[[], str]]] = {
    "api.md": api_page,
    "cli.md": cli_page,
    "commands.md": commands_page,
    "errors.md": errors_page,
    "keywords.md": keywords_page,
    "mdf-blocks.md": blocks_page,
}


def write_pages(app: Sphinx) -> None:
    """Write every page that changed, so that unchanged ones are not built again."""
    folder = Path(app.srcdir) / "reference" / "_generated"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.name not in PAGES:
            old.unlink()
    for name, make in PAGES.items():
        text = make()
        target = folder / name
        if not target.exists() or target.read_text("utf-8") != text:
            target.write_text(text, "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Hook into Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
