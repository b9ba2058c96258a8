"""Reference pages from the tables of the code, written before Sphinx reads its sources.

Each page has one function here that returns its MyST text. What a table offers is found by looking at it: columns
that no row fills are left out, and a table that this version does not have gives a page that says so.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import pkgutil
import re
import tomllib
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    from sphinx.application import Sphinx

__all__ = ["setup"]

ABSENT: Final = "This version does not have this part yet.\n"


# --- text ----------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Text that MyST shows as it is, outside of code spans and sources in brackets."""
    parts = re.split(r"(``.+?``|`[^`]+`|\*\([^*|]+\)\*)", text)
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


def shown(value: object) -> str:
    """A table value as readers of the standard know it."""
    if value is True:
        return "yes"
    if value is None or value is False:
        return ""
    return str(getattr(value, "name", value))


def own_classes(found: ModuleType) -> list[type]:
    """Public classes that a module defines itself, in its order."""
    return [
        kind
        for name, kind in vars(found).items()
        if inspect.isclass(kind) and kind.__module__ == found.__name__ and name[0] != "_"
    ]


def wire_fields(kind: type) -> str:
    """Table of the fields of a packet, '' when it has none."""
    describe = importlib.import_module("xcaliper.wire.describe")
    rows = [
        (row.offset, row.size, code(row.name), escape(row.type), escape(row.unit), row.presence)
        for row in describe.layout_rows(kind)
    ]
    views = [term.view for _, term in kind.__layout__.terms if term.view is not None]
    if not rows:
        return ""
    head = ("Position", "Bytes", "Field", "Type", "Unit", "Presence")
    parts = [table(head, rows)]
    for name, term in kind.__layout__.terms:
        if term.element is not None:
            parts += [f"{code(name)} repeats:\n", wire_fields(term.element)]
    return "\n".join([*parts, *(view_table(view) for view in dict.fromkeys(views))])


def answers(response: type) -> list[type]:
    """The class of an answer, or the classes that it is chosen from."""
    choice = response.__layout__.choice
    return list(dict.fromkeys([*choice.cases.values(), choice.default])) if choice else [response]


def view_table(view: type) -> str:
    """Named bits or values of an integer field."""
    if callable(groups := getattr(view, "groups", None)):
        rows = [
            (str(bit.shift), str(bit.width), code(bit.name), escape(bit.doc)) for bit in groups()
        ]
        head = ("Bit", "Width", "Name", "Meaning")
    elif issubclass(view, Enum):
        rows = [(f"0x{int(item):02X}", code(item.name), "", "") for item in view]
        head = ("Value", "Name", "", "")
    else:
        return ""
    return f"{code(view.__name__)}:\n\n{table(head, rows)}" if rows else ""


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


#: Layer of a vector → transport whose sub-commands it may use.
LAYERS: Final = {"xcp": "CAN", "eth": "ETH", "can": "CAN", "flx": "FLEXRAY", "usb": "USB"}


def example_bytes() -> dict[tuple[str, str], list[tuple[str, bytes, str]]]:
    """(transport or '', command) → (what, bytes, byte order), from golden and hand-made vectors.

    Traces are left out, and Motorola where there is Intel.
    """
    folder = Path(__file__).parents[2] / "tests" / "vectors" / "xcp"
    transports = module("xcaliper.xcp.tlcmd")
    commands = module("xcaliper.xcp.table").COMMANDS
    found: dict[tuple[str, str], list[tuple[str, bytes, str]]] = {}
    own = {
        layer: {kind.__command__.name for kind in getattr(transports, f"{where}_COMMANDS")}
        for layer, where in LAYERS.items()
    }

    def add(layer: str, name: str, what: str, raw: bytes, order: str) -> None:
        where = LAYERS[layer] if name in own[layer] and name not in commands else ""
        rows = found.setdefault((where, name), [])
        if all(row[0] != what for row in rows):
            rows.append((what, raw, order))

    golden = json.loads((folder / "vectors.json").read_text("utf-8"))["vectors"]
    golden.sort(key=lambda row: ("trace" in row, row["byte_order"] != "intel"))
    for row in golden:
        layer, raw = row["layer"], bytes.fromhex(row["bytes"])
        framed = "header" in row["fields"] or "packet_hex" in row["fields"]
        if layer not in LAYERS or row["direction"] not in ("cmd", "res") or framed:
            continue
        raw = raw[4:] if layer == "eth" else raw
        table = commands.extended(*getattr(transports, f"{LAYERS[layer]}_COMMANDS"))
        info = table.find(raw) if row["direction"] == "cmd" else None
        name = info.name if info is not None else answered_command(row, raw)
        if name:
            what = "Request" if row["direction"] == "cmd" else "Answer"
            add(layer, name, what, raw, row["byte_order"])
    by_hand = json.loads((folder / "unconfirmed.json").read_text("utf-8"))
    for row in (*by_hand["vectors"], *by_hand["answers"]):
        for what in ("request", "response"):
            if what in row:
                shown_as = "Request" if what == "request" else "Answer"
                add(row["layer"], row["command"], shown_as, bytes.fromhex(row[what]), "intel")
    return found


def answered_command(row: dict[str, Any], raw: bytes) -> str:
    """Name of the command that a vector of an answer belongs to, '' where it does not say."""
    fields = row["fields"]
    if row["layer"] == "eth" and "ip" not in fields:
        return ""  # a frame around another answer
    if row["layer"] == "eth":
        return "GET_SLAVE_ID_EXTENDED" if raw[:2] == b"\xff\xfd" else "GET_SLAVE_ID"
    if row["layer"] == "can":
        return "GET_DAQ_ID" if "can_id_fixed" in fields else "GET_SLAVE_ID"
    if row["layer"] == "flx":
        return "GET_DAQ_FLX_BUF"
    return str(fields.get("command", ""))


def example_text(info: Any, rows: list[tuple[str, bytes, str]]) -> str:
    """Example packets of a command, each with what it says."""
    codec = importlib.import_module("xcaliper.wire.codec")
    describe = importlib.import_module("xcaliper.wire.describe")
    order_of = importlib.import_module("xcaliper.core.datatypes").ByteOrder
    lines = []
    request = None
    for what, raw, order in sorted(rows, key=lambda row: row[0] != "Request"):
        kind = info.request if what == "Request" else info.response
        try:
            told = codec.codec_for(kind, order_of[order.upper()]).decode(raw, request)
            request = told if what == "Request" else request
            text = describe.describe_packet(told, info.name if what == "Request" else "RES")
        except ValueError:  # an answer to another form of the request
            text = "RES"
        lines.append(f"{raw.hex(' ')}\n    {what}: {text}")
    if info.answered and not any(row[0] == "Answer" for row in rows):
        plain = not info.response.__layout__.terms and info.response.__layout__.choice is None
        lines.append("ff\n    Answer: RES" if plain else "no example of an answer")
    if not rows:
        lines.append("no example of a request")
    return "```text\n" + "\n".join(lines) + "\n```\n"


def commands_page() -> str:
    """XCP commands with their layouts, in the order of the table."""
    found = module("xcaliper.xcp.table")
    lead = (
        "The commands of XCP that this version knows, from the table that master, slave and observer share. "
        "Positions count from the packet identifier; gaps are reserved."
    )
    if found is None:
        return page("XCP commands", lead, ABSENT)
    transports = module("xcaliper.xcp.tlcmd")
    codes = importlib.import_module("xcaliper.xcp.codes").ErrorCode
    rows = [("", info) for info in found.COMMANDS]
    for name in ("CAN", "ETH", "USB", "FLEXRAY") if transports else ():
        rows += [
            (f" ({name})", kind.__command__) for kind in getattr(transports, f"{name}_COMMANDS")
        ]
    overview = table(
        ("Command", "Code", "Group", "Mandatory", "Since", "Timer", "Resource"),
        [
            (
                code(info.name) + where,
                " ".join(f"0x{part:02X}" for part in info.prefix),
                escape(shown(info.group)),
                shown(info.mandatory),
                escape(shown(info.since)),
                shown(info.timer),
                escape(shown(info.resource)),
            )
            for where, info in rows
        ],
    )
    parts = [overview]
    examples = example_bytes()
    for where, info in rows:
        parts += [f"## {info.name}{where}\n", f"{escape(summary(info.request))}\n"]
        if not info.confirmed:
            parts.append("Unconfirmed: the layout has a single public source.\n")
        if listing := wire_fields(info.request):
            parts += ["Request:\n", listing]
        if not info.answered:
            parts.append("There is no positive answer.\n")
        for answer in answers(info.response) if info.answered else ():
            if listing := wire_fields(answer):
                title = "Positive answer" + (
                    f" {code(answer.__name__)}" if answer is not info.response else ""
                )
                parts += [f"{title}:\n", listing]
        errors = ", ".join(code(codes(number).name) for number in sorted(info.errors))
        parts.append(f"May be refused with {errors}.\n")
        parts += [
            "Example:\n",
            example_text(
                info,
                examples.get((where.strip(" ()"), info.name))
                or examples.get(("CAN", info.name), []),
            ),
        ]
    return page("XCP commands", lead, *parts)


def error_handling_page() -> str:
    """What the master does about each error of each command."""
    found = module("xcaliper.xcp.recovery")
    lead = (
        "What the master does when a command is refused or not answered, by command and condition, from the table that "
        "it follows *(XCP Base, error handling matrix, 1.0)*. Codes that a row does not name give up the command; "
        "severity 3 ends the session."
    )
    commands = module("xcaliper.xcp.table")
    if found is None or commands is None:
        return page("Error handling", lead, ABSENT)
    codes = importlib.import_module("xcaliper.xcp.codes").ErrorCode
    grouped: dict[tuple[str, object], list[object]] = {}
    for row in found.matrix(commands.COMMANDS):
        grouped.setdefault((row.command, row.reaction), []).append(row)
    rows = []
    last = ""
    for (command, reaction), members in grouped.items():
        names = [code(codes(m.code).name) if m.code is not None else "no answer" for m in members]
        endless = "within a time" if reaction.repeats == found.FOREVER else str(reaction.repeats)
        rows.append(
            (
                code(command) if command != last else "",
                ", ".join(names),
                escape(", ".join(reaction.pre)),
                escape(reaction.action.value),
                endless if reaction.repeats else "",
                escape(reaction.note),
            )
        )
        last = command
    head = ("Command", "Condition", "First", "Then", "Repetitions", "Note")
    return page("Error handling", lead, table(head, rows))


def packets_page() -> str:
    """Error codes, events and service requests: what a slave sends besides answers and data."""
    lead = (
        "What a slave sends besides positive answers and data: refusals, events, service requests."
    )
    codes = module("xcaliper.xcp.codes")
    if codes is None:
        return page("Errors, events and services", lead, ABSENT)
    meanings = [(item, codes.meaning_of(item)) for item in codes.ErrorCode]
    parts = [
        "## Error codes\n",
        table(
            ("Code", "Name", "Severity", "Meaning", "Remedy", "Since"),
            [
                (
                    f"0x{item:02X}",
                    code(item.name),
                    f"S{meaning.severity}",
                    escape(meaning.meaning),
                    escape(meaning.remedy),
                    meaning.since,
                )
                for item, meaning in meanings
            ],
        ),
    ]
    for title, name, base, names in (
        ("Refusals that say more", "refusals", "Response", None),
        ("Events", "events", "Event", codes.EventCode),
        ("Service requests", "events", "Service", codes.ServiceCode),
    ):
        found = module(f"xcaliper.xcp.{name}")
        parts.append(f"## {title}\n")
        if names is not None:
            parts.append(table(("Code", "Name"), [(f"0x{i:02X}", code(i.name)) for i in names]))
        for kind in own_classes(found):
            if base in (parent.__name__ for parent in kind.__mro__[1:]):
                parts.append(f"### {kind.__name__}\n\n{escape(summary(kind))}\n")
                parts.append(wire_fields(kind) if hasattr(kind, "__layout__") else "")
    kinds = [(f"0x{item:02X}", code(item.name)) for item in codes.ChecksumType]
    parts += ["## Checksum types\n", table(("Type", "Name"), kinds)]
    return page("Errors, events and services", lead, *parts)


def keywords_page() -> str:
    """ASAP2 keywords with their parameters and optional keywords."""
    lead = "The ASAP2 keywords that are read into typed objects. Others are kept as they are."
    grammar = module("xcaliper.a2l.grammar")
    if grammar is None:
        return page("A2L keywords", lead, ABSENT)
    kinds = [
        kind
        for found in all_modules()
        if found.__name__.startswith("xcaliper.a2l.keywords.")
        for kind in own_classes(found)
        if issubclass(kind, grammar.Keyword) and kind.KEYWORD
    ]
    parts = []
    for kind in sorted(kinds, key=lambda item: (item.KEYWORD, item.__name__)):
        grammar_table = grammar.table_of(kind)
        since = f" Since {kind.SINCE}." if kind.SINCE else ""
        shape = "Block." if kind.BLOCK else ""
        parts += [
            f"## {escape(kind.KEYWORD)}\n",
            f"{escape(summary(kind))} {shape}{since} Class {code(kind.__name__)}.\n",
        ]
        rows = [
            (code(item.attr), escape(item.kind), shown(item.since)) for item in grammar_table.params
        ]
        if grammar_table.rest is not None:
            attr, items = grammar_table.rest
            rows.append(
                (code(attr), escape("repeated " + ", ".join(item.kind for item in items)), "")
            )
        if rows:
            parts.append(table(("Parameter", "Kind", "Since"), rows))
        if grammar_table.optional:
            names = [
                code(name) + (" (many)" if item.repeated else "")
                for name, item in sorted(grammar_table.optional.items())
            ]
            parts.append(f"May hold: {', '.join(names)}.\n")
    return page("A2L keywords", lead, *(parts or [ABSENT]))


def blocks_page() -> str:
    """MDF4 blocks that are written."""
    lead = "The MDF4 blocks that recordings are made of, from the layouts that write them."
    found = module("xcaliper.mdf.blocks")
    if found is None:
        return page("MDF4 blocks", lead, ABSENT)
    parts = []
    for kind in own_classes(found):
        if not dataclasses.is_dataclass(kind):
            continue
        rows = []
        for item in dataclasses.fields(kind):
            term = item.metadata.get("term")
            what = " ".join(filter(None, (getattr(term, "role", ""), getattr(term, "code", ""))))
            rows.append(
                (
                    code(item.name),
                    code(item.type if isinstance(item.type, str) else item.type.__name__),
                    code(what),
                )
            )
        parts += [f"## {kind.__name__}\n", f"{escape(summary(kind))}\n"]
        parts += [table(("Field", "Type", "Stored as"), rows)] if rows else []
    return page("MDF4 blocks", lead, *(parts or [ABSENT]))


def cli_page() -> str:
    """Verbs and options of the shell command."""
    lead = "The verbs of the `xcaliper` command. Each also answers `--help`."
    found = module("xcaliper.cli.main")
    if found is None:
        return page("Shell command", lead, ABSENT)
    app = found.make_app()
    text = app.generate_docs(output_format="markdown", heading_level=2, usage_name="xcaliper")
    text = re.sub(r"#+ Table of Contents\n\n(?:\s*- .*\n)+", "", text)  # the theme has one
    # Links inside the text point to anchors that the theme names differently.
    return page("Shell command", lead, re.sub(r"\[([^\]]+)\]\(#[^)]*\)", r"\1", text))


def quirks_page() -> str:
    """What slaves do differently, one switch each."""
    lead = (
        "What slaves do differently from what one expects. Each is a switch of the virtual ECU: `xcaliper vecu demo-engine "
        "--quirk name`, or `SlaveConfig(quirks=…)`. The client measures and calibrates with every one of them; "
        "[](../../howto/try-a-strange-slave.md) shows how to find out what another tool does."
    )
    found = module("xcaliper.xcp.quirks")
    if found is None:
        return page("Quirks of slaves", lead, ABSENT)
    rows = [(code(one.label), escape(one.meaning), escape(one.need)) for one in found.Quirk]
    rivals = [
        f"- {' and '.join(code(one.label) for one in sorted(pair, key=lambda item: item.value))}: {escape(why)}"
        for pair, why in found.CONFLICTS.items()
    ]
    return page(
        "Quirks of slaves",
        lead,
        table(("Quirk", "What the slave does", "What a master needs"), rows),
        "These exclude each other; `--quirks all-compatible` takes the one that is listed first:\n",
        "\n".join(rivals) + "\n",
    )


def set_formats_page() -> str:
    """File formats of parameter sets, and what each can hold."""
    lead = (
        "Names, numbers and one-dimensional blocks have a place in every format; the table tells what else. What a set has "
        "beyond that is missing in the file, or refused with its reason where the file would be wrong without it; "
        "`losses()` of `xcaliper.calib.formats.table` tells it before. See also [](../set-text.md)."
    )
    found = module("xcaliper.calib.formats.table")
    if found is None:
        return page("Formats of parameter sets", lead, ABSENT)
    model = importlib.import_module("xcaliper.calib.formats.model")
    rows = [
        (
            code(one.name),
            escape(one.title),
            " ".join(map(code, one.suffixes)),
            shown(one.read is not None),
            shown(one.write is not None),
        )
        for one in found.FORMATS
    ]
    names = [one.name for one in found.FORMATS]
    holds = [
        (escape(str(what)), *(shown(what in one.holds) for one in found.FORMATS))
        for what in model.Holds
    ]
    return page(
        "Formats of parameter sets",
        lead,
        table(("Name", "Format", "Files", "Read", "Written"), rows),
        table(("Holds", *map(code, names)), holds),
    )


def a2l_rules() -> list[Any]:
    """The rules of findings about descriptions, by code."""
    found = module("xcaliper.a2l.rules")
    return [] if found is None else sorted(found.RULES.values(), key=lambda rule: rule.slug)


def a2l_rules_page() -> str:
    """Codes of findings about descriptions, with a page each."""
    lead = (
        "The codes of `xcaliper a2l check`. Not wanted ones are left out with `--ignore code`, with `--ignore code:name*` "
        "for some objects, or by a comment in the file: `/* xcaliper: ignore code:name* */`. `--select` reports some codes only, "
        "`--level code=severity` weighs one otherwise, and `xcaliper.toml` keeps all of this, see [](../../guide/a2l.md)."
    )
    rules = a2l_rules()
    if not rules:
        return page("Findings about descriptions", lead, ABSENT)
    rows = (
        [
            f"[{code(rule.slug)}](a2l-rules/{rule.slug}.md)",
            rule.severity.name.lower(),
            escape(rule.title),
        ]
        for rule in rules
    )
    names = "\n".join(f"a2l-rules/{rule.slug}" for rule in rules)
    tree = f"```{{toctree}}\n:hidden:\n\n{names}\n```\n"
    return page(
        "Findings about descriptions", lead, table(("code", "severity", "what"), rows), tree
    )


def a2l_rule_example(slug: str) -> list[str]:
    """A text that has a finding and one that has not; why there is none."""
    table = Path(__file__).with_name("a2l_rules.toml")
    example = tomllib.loads(table.read_text("utf-8")).get(slug, {})
    if "bad" not in example:
        return [f"**Example:** none. {escape(example['none'])}\n"] if "none" in example else []
    texts = (("Found in", example["bad"]), ("Not found in", example["good"]))
    return [f"**{title}**\n\n```text\n{text.strip()}\n```\n" for title, text in texts]


def a2l_rule_page(rule: Any) -> str:
    """One code of a finding: what it means and what to do."""
    lead = f"{escape(rule.title)}. Severity: {rule.severity.name.lower()}."
    silence = (
        f"To silence it: `xcaliper a2l check --ignore {rule.slug}`, or `/* xcaliper: ignore {rule.slug} */` in the file; "
        f"to weigh it otherwise: `--level {rule.slug}=info`.\n"
    )
    parts = (
        f"{escape(rule.explanation)}\n",
        *a2l_rule_example(rule.slug),
        f"**What to do:** {escape(rule.remedy)}\n",
        silence,
        "[All codes](../a2l-rules.md)\n",
    )
    return page(code(rule.slug), lead, *parts)


def conformance_page() -> str:
    """The rules of the conformance suite, group by group."""
    lead = (
        "What `xcaliper conformance` demands of a slave, in the order of a run. A rule that needs something is run when "
        "`--allow` names it; `daq` is allowed unless lists run already. See [](../../guide/conformance.md)."
    )
    found = module("xcaliper.conformance.rules")
    if found is None:
        return page("Conformance rules", lead, ABSENT)
    groups: dict[str, list[list[str]]] = {}
    for rule in found.RULES:
        needs = ", ".join(sorted(need.value for need in rule.needs))
        what = f"**{escape(rule.title)}.** {escape(rule.demands)} *({escape(rule.source)})*"
        row = [code(rule.id), rule.severity.value, needs, what]
        groups.setdefault(rule.group.value, []).append(row)
    parts = [
        f"## {name}\n\n{table(('rule', 'severity', 'needs', 'demand'), rows)}"
        for name, rows in groups.items()
    ]
    return page("Conformance rules", lead, *parts)


def api_page() -> str:
    """Public names with signature and docstring."""
    package = importlib.import_module("xcaliper")
    lead = (
        "What `import xcaliper` offers. Everything else may change between versions without notice."
    )
    parts = []
    for name in sorted(getattr(package, "__all__", ())):
        if name.startswith("__") or not callable(thing := getattr(package, name)):
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
    "a2l-rules.md": a2l_rules_page,
    "api.md": api_page,
    "cli.md": cli_page,
    "commands.md": commands_page,
    "error-handling.md": error_handling_page,
    "errors.md": errors_page,
    "conformance-rules.md": conformance_page,
    "keywords.md": keywords_page,
    "mdf-blocks.md": blocks_page,
    "packets.md": packets_page,
    "quirks.md": quirks_page,
    "set-formats.md": set_formats_page,
}


def write_pages(app: Sphinx) -> None:
    """Write every page that changed, so that unchanged ones are not built again."""
    folder = Path(app.srcdir) / "reference" / "_generated"
    texts = {name: make() for name, make in PAGES.items()}
    texts |= {f"a2l-rules/{rule.slug}.md": a2l_rule_page(rule) for rule in a2l_rules()}
    for old in folder.rglob("*.md"):
        if old.relative_to(folder).as_posix() not in texts:
            old.unlink()
    for name, text in texts.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text("utf-8") != text:
            target.write_text(text, "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Hook into Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
