"""Text to tree: never raises on content; a defect costs at most the object it sits in."""

from dataclasses import dataclass, field
from typing import Any, Final

from xcaliper.a2l.grammar import Entry, Keyword, Param, Table, table_of
from xcaliper.a2l.ifdata import A2ml, IfBlock, IfData, Quoted, number_of
from xcaliper.a2l.keywords.project import A2mlVersion, Asap2Version, Module, Project
from xcaliper.a2l.tokens import BEGIN, END, EOF, RAW, STRING, WORD, Loader, Tokens, tokenize
from xcaliper.core.diagnostics import Diagnostic, Severity
from xcaliper.core.errors import A2lError

__all__ = ["A2lFile", "parse"]

MAX_DIAGNOSTICS: Final = 1000
MAX_IF_DATA_DEPTH: Final = 64


@dataclass(slots=True)
class A2lFile:
    """A description as a tree.

    Attributes:
        asap2_version: declared version of the format.
        a2ml_version: declared version of the A2ML part.
        project: the outermost block; None for a fragment.
        fragment: objects that stood outside of any MODULE, as a module without a name.
        diagnostics: everything that was odd, in order.
        source: name of the text.
    """

    asap2_version: Asap2Version | None = None
    a2ml_version: A2mlVersion | None = None
    project: Project | None = None
    fragment: Module | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list, compare=False)
    source: str = field(default="", compare=False)

    @property
    def modules(self) -> list[Module]:
        """Every module; a fragment counts as one."""
        found = list(self.project.module) if self.project else []
        return [*found, self.fragment] if self.fragment is not None else found

    @property
    def module(self) -> Module:
        """The first module.

        Raises:
            A2lError: there is none.
        """
        modules = self.modules
        if not modules:
            raise A2lError(
                "description without MODULE.",
                source=self.source,
                hint="Check that this is an ASAP2 file.",
            )
        return modules[0]

    @property
    def version(self) -> str:
        """Declared version as ``"1.71"``; ``"1.71"`` too when nothing is declared."""
        if self.asap2_version is None:
            return "1.71"
        return f"{self.asap2_version.version_no}.{self.asap2_version.upgrade_no:02d}"


def parse(text: str, *, source: str = "", loader: Loader | None = None) -> A2lFile:
    """Read a description; a text without PROJECT is read as the body of a MODULE.

    Args:
        text: the description.
        source: its name, for messages and for the loader.
        loader: gives the text of an include, or None when there is none.
    """
    tokens = tokenize(text, source=source, loader=loader)
    return _Parser(tokens, source).file()


class _MissingError(Exception):
    """A positional parameter is not there; private control flow of the parser."""


class _Parser:
    """Work in progress of one ``parse``."""

    def __init__(self, tokens: Tokens, source: str) -> None:
        self.tokens = tokens
        self.kinds = tokens.kinds
        self.texts = tokens.texts
        self.at = 0
        self.open: list[Table] = []
        self.cut = False
        self.result = A2lFile(source=source, diagnostics=list(tokens.diagnostics))

    # ---- reporting

    def report(
        self, severity: Severity, slug: str, at: int, text: str, hint: str = "", subject: str = ""
    ) -> None:
        found = self.result.diagnostics
        if len(found) == MAX_DIAGNOSTICS:
            slug, severity = "too-many", Severity.WARNING
            text, hint, subject = "Description: further findings are not listed.", "", ""
        if len(found) <= MAX_DIAGNOSTICS:
            found.append(Diagnostic(severity, slug, self.tokens.where(at), text, hint, subject))

    def end_of_text(self, name: str) -> None:
        if not self.cut:
            self.cut = True
            self.report(
                Severity.ERROR,
                "cut-off",
                self.at,
                f"{name}: the text ends inside the block.",
                "Get the complete file.",
                name,
            )

    # ---- the file

    def file(self) -> A2lFile:
        """Read everything; objects outside of any MODULE go to a fragment."""
        known = False
        root = _root_optional()
        inner = table_of(Module).optional
        while self.kinds[self.at] != EOF:
            block = self.kinds[self.at] == BEGIN and self.kinds[self.at + 1] == WORD
            name = self.texts[self.at + 1] if block else self.texts[self.at]
            if name in root and (block or self.kinds[self.at] == WORD):
                known = True
                self.entry(self.owner(name), root[name], root, block=block)
            elif name in inner and (block or self.kinds[self.at] == WORD):
                known = True
                if self.result.fragment is None:
                    self.result.fragment = self.new(Module, ["", ""], self.at)
                self.entry(self.result.fragment, inner[name], inner, block=block)
            elif block:
                self.unknown_block("file")
            else:
                self.skip_unknown("file", root if known else root | inner)
        if not known:
            self.result.diagnostics.clear()
            self.report(
                Severity.ERROR,
                "not-asap2",
                0,
                "Text: no ASAP2 keyword was found.",
                "Give an A2L file.",
            )
        return self.result

    def owner(self, name: str) -> Any:
        """Who keeps a keyword of the outermost level; a bare MODULE gets a nameless project."""
        if name != "MODULE":
            return self.result
        if self.result.project is None:
            self.result.project = Project("", "")
        return self.result.project

    def entry(self, made: Any, entry: Entry, known: dict[str, Entry], *, block: bool) -> None:
        if block:
            self.optional_block(made, entry)
        else:
            self.optional_plain(made, entry, known)

    # ---- objects

    def new(self, cls: Any, values: list[Any], at: int) -> Any:
        made = cls(*values)
        made.source, made.line = self.tokens.line_of(at)
        return made

    def object(self, cls: Any, start: int) -> Keyword | None:
        """Read one keyword, its name already taken; None when it cannot be built."""
        if cls is IfData:
            return self.if_data(start)
        if cls is A2ml:
            return self.a2ml(start)
        table = table_of(cls)
        stop = self.open[-1].optional if self.open else {}
        if table.block:
            self.open.append(table)
            stop = table.optional
        made: Keyword | None = None
        try:
            values = [self.param(p, table.name) for p in table.params]
        except _MissingError as error:
            self.report(
                Severity.ERROR,
                "parameter-missing",
                min(self.at, len(self.kinds) - 1),
                f"{table.name}{self.named(start)}: {error}; it was left out.",
                "Complete its parameters.",
                self.subject(start),
            )
        else:
            made = self.new(cls, values, start)
            if table.rest:
                setattr(made, table.rest[0], self.rest(table, stop))
        if table.block:
            if made is None:
                self.skip_to_end(table)
            else:
                self.body(made, table)
            self.open.pop()
        return made

    def subject(self, start: int) -> str:
        """Name of the object that starts at a token, as far as it has one."""
        return self.texts[start + 1] if self.kinds[start + 1] == WORD else ""

    def named(self, start: int) -> str:
        subject = self.subject(start)
        return f" {subject}" if subject else ""

    def param(self, param: Param, owner: str) -> Any:
        kind = self.kinds[self.at]
        text = self.texts[self.at]
        if kind not in (WORD, STRING):
            raise _MissingError(f"parameter {param.attr} is missing")
        if param.kind == "text":
            if kind != STRING:
                raise _MissingError(f"parameter {param.attr} needs a string, found {text[:80]}")
            self.at += 1
            return text
        if param.kind == "ident":
            if kind == STRING:
                self.report(
                    Severity.WARNING,
                    "identifier-quoted",
                    self.at,
                    f"{owner}: parameter {param.attr} is an identifier but stands in quotes.",
                    "Remove the quotes.",
                )
            elif param.words is not None and text not in param.words:
                self.report(
                    Severity.WARNING,
                    "enum-unknown",
                    self.at,
                    f"{owner}: parameter {param.attr} has the unknown word {text[:80]}.",
                    f"Use one of {', '.join(sorted(param.words))}.",
                )
            self.at += 1
            return text
        value = number_of(text) if kind == WORD else None
        if value is None:
            raise _MissingError(f"parameter {param.attr} needs a number, found {text[:80]}")
        if param.kind == "int" and isinstance(value, float):
            value = self.whole(value, param, owner)
        self.at += 1
        return value

    def whole(self, value: float, param: Param, owner: str) -> int:
        if not value.is_integer():
            if value != value or abs(value) == float("inf"):  # noqa: PLR0124 -- not a number
                raise _MissingError(f"parameter {param.attr} needs a whole number")
            self.report(
                Severity.WARNING,
                "number-not-whole",
                self.at,
                f"{owner}: parameter {param.attr} must be whole; {value:g} was cut.",
                "Write an integer.",
            )
        return int(value)

    def fits(self, param: Param, stop: dict[str, Entry]) -> bool:
        """True when the next token can be one more element of a list."""
        kind = self.kinds[self.at]
        text = self.texts[self.at]
        if param.kind == "text":
            return kind == STRING
        if param.kind == "ident":
            return kind == STRING or (kind == WORD and text not in stop)
        return kind == WORD and number_of(text) is not None

    def rest(self, table: Table, stop: dict[str, Entry]) -> list[Any]:
        """Elements of a list without count, until one does not fit."""
        assert table.rest is not None, "only called for tables with a list"
        params = table.rest[1]
        found: list[Any] = []
        while self.fits(params[0], stop):
            try:
                row = [self.param(p, table.name) for p in params]
            except _MissingError as error:
                self.report(
                    Severity.ERROR,
                    "list-incomplete",
                    self.at,
                    f"{table.name}: the last row is incomplete: {error}.",
                    "Complete the row.",
                )
                break
            found.append(tuple(row) if len(params) > 1 else row[0])
        return found

    # ---- bodies

    def body(self, made: Any, table: Table) -> None:
        """Optional keywords up to and with ``/end``."""
        optional = table.optional
        kinds, texts = self.kinds, self.texts
        while True:
            kind = kinds[self.at]
            if kind == WORD and texts[self.at] in optional:
                self.optional_plain(made, optional[texts[self.at]], optional)
            elif kind == BEGIN:
                entry = optional.get(texts[self.at + 1]) if kinds[self.at + 1] == WORD else None
                if entry is not None:
                    self.optional_block(made, entry)
                elif self.opens_outside(texts[self.at + 1]):
                    self.report(
                        Severity.ERROR,
                        "end-missing",
                        self.at,
                        f"{table.name}: /end {table.name} is missing.",
                        f"Add /end {table.name}.",
                    )
                    return
                else:
                    self.unknown_block(table.name)
            elif kind == END:
                if self.end(table):
                    return
            elif kind == EOF:
                self.end_of_text(table.name)
                return
            else:
                self.skip_unknown(table.name, optional)

    def opens_outside(self, name: str) -> bool:
        """True when a block belongs to an enclosing block, so this one was not closed."""
        return any(
            name in outer.optional and outer.optional[name].block for outer in self.open[:-1]
        )

    def end(self, table: Table) -> bool:
        """Take ``/end``; the block always ends, even if the ``/end`` was not its own."""
        at = self.at
        following = self.texts[at + 1] if self.kinds[at + 1] == WORD else ""
        if following == table.name:
            self.at += 2
            return True
        if following and any(following == outer.name for outer in self.open[:-1]):
            self.report(
                Severity.ERROR,
                "end-missing",
                at,
                f"{table.name}: /end {table.name} is missing before /end {following}.",
                f"Add /end {table.name}.",
            )
            return True
        outside = self.open[-2].optional if len(self.open) > 1 else {}
        bare = not following or (following in outside and not outside[following].block)
        self.at += 1 if bare else 2
        self.report(
            Severity.ERROR,
            "end-wrong",
            at,
            f"{table.name}: /end {following or 'without a keyword'} was taken as /end {table.name}."
            if not bare
            else f"{table.name}: /end has no keyword.",
            f"Write /end {table.name}.",
        )
        return True

    def store(self, made: Any, entry: Entry, value: Any, at: int) -> None:
        if entry.repeated:
            getattr(made, entry.attr).append(value)
        elif getattr(made, entry.attr) not in (None, False):
            self.report(
                Severity.WARNING,
                "keyword-twice",
                at,
                f"{entry.name}: it stands here a second time; the first one counts.",
                "Remove one.",
            )
        else:
            setattr(made, entry.attr, value)

    def optional_block(self, made: Any, entry: Entry) -> None:
        """Read ``/begin NAME …``; plain keywords between block marks are accepted."""
        start = self.at + 1
        self.at += 2
        if entry.mode == "object" and entry.block:
            value = self.object(entry.cls, start)
            if value is not None:
                self.store(made, entry, value, start)
            return
        self.report(
            Severity.WARNING,
            "block-unexpected",
            start,
            f"{entry.name}: it is not a block.",
            "Remove /begin and /end.",
        )
        self.at -= 1
        self.optional_plain(made, entry, {})
        self.skip_to_end(Table(None, entry.name, True, (), None, {}))

    def optional_plain(self, made: Any, entry: Entry, known: dict[str, Entry]) -> None:
        """Read a keyword that stands without block marks."""
        start = self.at
        self.at += 1
        if entry.mode == "flag":
            self.store(made, entry, True, start)
            return
        if entry.mode == "object":
            if entry.block:
                self.report(
                    Severity.ERROR,
                    "block-expected",
                    start,
                    f"{entry.name}: it must stand between /begin and /end; it was left out.",
                    "Add them.",
                )
                self.skip_unknown(entry.name, known, quiet=True)
                return
            value: Any = self.object(entry.cls, start)
            if value is not None:
                self.store(made, entry, value, start)
            return
        assert entry.param is not None, "values and lists have an element"
        try:
            if entry.mode == "values":
                numbers: list[Any] = []
                while self.fits(entry.param, known):
                    numbers.append(self.param(entry.param, entry.name))
                self.store(made, entry, tuple(numbers), start)
            else:
                self.store(made, entry, self.param(entry.param, entry.name), start)
        except _MissingError as error:
            self.report(
                Severity.ERROR,
                "parameter-missing",
                start,
                f"{entry.name}: {error}; it was left out.",
                "Complete its parameters.",
            )

    # ---- recovery

    def skip_unknown(self, owner: str, known: dict[str, Entry], *, quiet: bool = False) -> None:
        """Pass over tokens up to a known keyword, a block or an end."""
        start = self.at
        while self.kinds[self.at] in (WORD, STRING, RAW):
            if self.at > start and self.kinds[self.at] == WORD and self.texts[self.at] in known:
                break
            self.at += 1
        if self.at == start:  # an /end where nothing is open, or a bare /begin
            if self.kinds[self.at] == END and self.kinds[self.at + 1] == WORD:
                self.at += 1
            self.at += 1 if self.kinds[self.at] != EOF else 0
        if not quiet:
            self.report(
                Severity.WARNING,
                "keyword-unknown",
                start,
                f"{owner}: {self.texts[start][:80]} is not known here; it was skipped.",
                "Check the spelling and the version.",
            )

    def unknown_block(self, owner: str) -> None:
        """Pass over a whole block by counting its marks."""
        name = self.texts[self.at + 1] if self.kinds[self.at + 1] == WORD else ""
        self.report(
            Severity.WARNING,
            "block-unknown",
            self.at,
            f"{owner}: /begin {name[:80]} is not known here; the block was skipped.",
            "Check the spelling and the version.",
        )
        self.at += 1
        self.skip_to_end(Table(None, name, True, (), None, {}))

    def skip_to_end(self, table: Table) -> None:
        """Go behind the end of the current block, whatever stands before it."""
        depth = 0
        kinds = self.kinds
        while True:
            kind = kinds[self.at]
            if kind == EOF:
                self.end_of_text(table.name)
                return
            if kind == BEGIN:
                depth += 1
            elif kind == END:
                if depth == 0:
                    self.at += 1
                    if kinds[self.at] == WORD:
                        self.at += 1
                    return
                depth -= 1
            self.at += 1

    # ---- blocks with a grammar of their own

    def a2ml(self, start: int) -> A2ml:
        text = ""
        if self.kinds[self.at] == RAW:
            text = self.texts[self.at]
            self.at += 1
        self.skip_to_end(Table(None, "A2ML", True, (), None, {}))
        made: A2ml = self.new(A2ml, [text], start)
        return made

    def if_data(self, start: int) -> IfData:
        """Read the generic tree; never deeper than MAX_IF_DATA_DEPTH."""
        name = ""
        if self.kinds[self.at] in (WORD, STRING):
            name = self.texts[self.at]
            self.at += 1
        made: IfData = self.new(IfData, [name], start)
        stack: list[IfBlock | IfData] = [made]
        while stack:
            kind = self.kinds[self.at]
            text = self.texts[self.at]
            if kind == WORD:
                stack[-1].items.append(text)
                self.at += 1
            elif kind in (STRING, RAW):
                stack[-1].items.append(Quoted(text))
                self.at += 1
            elif kind == BEGIN:
                self.if_block(stack)
            elif kind == END:
                self.if_end(stack)
            else:
                self.end_of_text("IF_DATA")
                break
        return made

    def if_block(self, stack: list[IfBlock | IfData]) -> None:
        self.at += 1
        tag = self.texts[self.at] if self.kinds[self.at] == WORD else ""
        line = self.tokens.line_of(self.at)[1]
        if tag:
            self.at += 1
        if len(stack) >= MAX_IF_DATA_DEPTH:
            self.report(
                Severity.ERROR,
                "nesting-depth",
                self.at,
                f"IF_DATA: block {tag[:80]} is nested too deeply; it was skipped.",
                "Flatten the data.",
            )
            self.skip_to_end(Table(None, tag, True, (), None, {}))
            return
        block = IfBlock(tag, line=line)
        stack[-1].items.append(block)
        stack.append(block)

    def if_end(self, stack: list[IfBlock | IfData]) -> None:
        """Close one block, or several when the name says so."""
        tags = [b.tag if isinstance(b, IfBlock) else "IF_DATA" for b in stack]
        following = self.texts[self.at + 1] if self.kinds[self.at + 1] == WORD else ""
        if following == tags[-1]:
            self.at += 2
            stack.pop()
            return
        if following in tags:
            while tags[-1] != following:
                tags.pop()
                stack.pop()
            stack.pop()
            self.at += 2
            text = f"IF_DATA: blocks inside {following} are not closed."
        elif any(following == table.name for table in self.open):
            stack.clear()
            text = f"IF_DATA: /end IF_DATA is missing before /end {following}."
        else:
            stack.pop()
            self.at += 2 if following else 1
            text = f"IF_DATA: /end {following} was taken as /end {tags[-1]}."
        self.report(
            Severity.ERROR,
            "end-wrong",
            self.at - 1,
            text,
            f"Write /end {tags[-1] if tags else 'IF_DATA'}.",
        )


def _root_optional() -> dict[str, Entry]:
    return {
        entry.name: entry
        for entry in (
            Entry("ASAP2_VERSION", "asap2_version", "object", Asap2Version),
            Entry("A2ML_VERSION", "a2ml_version", "object", A2mlVersion),
            Entry("PROJECT", "project", "object", Project, block=True),
            Entry("MODULE", "module", "object", Module, repeated=True, block=True),
        )
    }
