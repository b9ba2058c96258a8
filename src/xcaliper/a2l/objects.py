"""Tokens of one block to its object: never raises on content; a defect costs at most what it sits in."""

from typing import Any, Final, Protocol

from xcaliper.a2l.grammar import Entry, Keyword, Origin, Param, Table, table_of
from xcaliper.a2l.ifdata import A2ml, IfBlock, IfData, Quoted, number_of
from xcaliper.a2l.tokens import BEGIN, END, EOF, RAW, STRING, WORD, Finding, Tokens
from xcaliper.core.diagnostics import Severity

__all__ = ["ObjectParser", "Report"]

MAX_IF_DATA_DEPTH: Final = 64

_TOKEN_OF: Final = {"text": STRING, "ident": WORD, "int": WORD, "num": WORD}


class Report(Protocol):
    """Takes findings."""

    def add(self, finding: Finding) -> None:
        """Keep one finding."""
        ...


class _MissingError(Exception):
    """A positional parameter is not there; private control flow of the parser."""


class ObjectParser:
    """Reads the tokens of one block, or of what stands between blocks.

    Args:
        tokens: the tokens.
        found: takes findings.
        around: grammars of the blocks around, outer ones first.
        complete: the block has its own end; else somebody has said already that it has none.
    """

    def __init__(
        self,
        tokens: Tokens,
        found: Report,
        around: tuple[Table, ...] = (),
        *,
        complete: bool = True,
    ) -> None:
        self.tokens = tokens
        self.kinds = tokens.kinds
        self.texts = tokens.texts
        self.places = tokens.lines
        self.stretch = tokens.stretch
        self.at = 0
        self.open: list[Table] = list(around)
        self.found = found
        self.cut = not complete
        self.name = ""

    # ---- reporting

    def report(
        self, severity: Severity, slug: str, at: int, text: str, hint: str = "", subject: str = ""
    ) -> None:
        """Keep a finding about a token; it belongs to the block unless it says otherwise."""
        offset = self.tokens.span(min(at, len(self.kinds) - 1))[0]
        self.found.add(Finding(offset, severity, slug, text, hint, subject or self.name))

    def end_of_text(self, name: str) -> None:
        """Say once that the block has no end."""
        if not self.cut:
            self.cut = True
            self.report(
                Severity.ERROR,
                "end-missing",
                self.at,
                f"{name}: /end {name} is missing.",
                f"Add /end {name}.",
            )

    # ---- a stretch

    def block(self, cls: Any) -> Any | None:
        """The object of a block that fills the tokens; None when it cannot be built."""
        self.at = 2
        self.name = self.subject(1)
        made = self.object(cls, 1)
        if self.kinds[self.at] != EOF:
            self.report(
                Severity.WARNING,
                "block-remainder",
                self.at,
                f"{cls.KEYWORD} {self.name}: it ends before its last words; they were skipped.",
                "Check the /end marks inside the block.",
            )
        return made

    def head(self, cls: Any, fallback: str) -> Any:
        """The object of a container from its parameters; what is missing is left empty."""
        table = table_of(cls)
        self.name = self.subject(1)
        self.at = 2
        values: list[Any] = []
        for param in table.params:
            try:
                values.append(self.param(param, table.name))
            except _MissingError as error:
                self.report(
                    Severity.ERROR,
                    "parameter-missing",
                    self.at,
                    f"{table.name} {self.name}".rstrip() + f": {error}; it was taken as empty.",
                    "Complete its parameters.",
                )
                values.append(fallback)
        made = self.new(cls, values, 1)
        self.loose(made, table)
        return made

    def loose(self, made: Any, table: Table) -> bool:
        """Read what stands between blocks into their container; True when something was known."""
        known = False
        optional = table.optional
        while self.kinds[self.at] != EOF:
            kind, text = self.kinds[self.at], self.texts[self.at]
            if kind == WORD and text in optional:
                known = True
                self.optional_plain(made, optional[text], optional)
            elif kind == END:
                self.stray_end(table)
            else:
                self.skip_unknown(table.name, optional)
        return known

    def stray_end(self, table: Table) -> None:
        """Pass over an ``/end`` that closes nothing."""
        at = self.at
        following = self.texts[at + 1] if self.kinds[at + 1] == WORD else ""
        self.at += 2 if following else 1
        self.report(
            Severity.ERROR,
            "end-wrong",
            at,
            f"{table.name}: /end {following[:80]}".rstrip() + " closes nothing; it was left out.",
            "Remove it, or add the /begin.",
            following[:80],
        )

    # ---- objects

    def new(self, cls: Any, values: list[Any], at: int) -> Any:
        """Make an object that knows where it was read."""
        made = cls(*values)
        made._origin = Origin(self.places, self.stretch, at, cls.BLOCK)
        return made

    def object(self, cls: Any, start: int) -> Keyword | None:
        """Read one keyword, its name already taken; None when it cannot be built."""
        made = (
            self.if_data(start)
            if cls is IfData
            else self.a2ml(start)
            if cls is A2ml
            else self.keyword(table_of(cls), start)
        )
        if made is not None:
            made._origin.last = self.at - 1  # noqa: SLF001 -- hot
        return made

    def keyword(self, table: Table, start: int) -> Keyword | None:
        """Read one keyword with a grammar of its own."""
        stop = self.open[-1].optional if self.open else {}
        if table.block:
            self.open.append(table)
            stop = table.optional
        made: Keyword | None = None
        try:
            values = self.params(table)
        except _MissingError as error:
            self.report(
                Severity.ERROR,
                "parameter-missing",
                self.at,
                f"{table.name}{self.named(start)}: {error}; it was left out.",
                "Complete its parameters.",
            )
        else:
            made = self.new(table.cls, values, start)
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
        """Name of the object that starts at a token, with a space before it."""
        subject = self.subject(start)
        return f" {subject}" if subject else ""

    def usual(self, param: Any, at: int) -> Any:
        """The value of a parameter that is as it should be; None where it needs a second look."""
        if self.kinds[at] != _TOKEN_OF[param.kind]:
            return None
        usual = param.usual
        return self.texts[at] if usual is None else usual(self.texts[at])

    def params(self, table: Table) -> list[Any]:
        """Positional parameters; what is as it should be needs no second look."""
        values: list[Any] = []
        for param in table.params:
            value = self.usual(param, self.at)
            if value is None:
                value = self.param(param, table.name)
            else:
                self.at += 1
            values.append(value)
        return values

    def param(self, param: Param, owner: str) -> Any:
        """Read one plain value."""
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
        """A number as integer; fractions are cut."""
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
        if len(params) == 1 and params[0].kind == "text":  # the common case first
            stop_at = self.at
            while self.kinds[stop_at] == STRING:
                stop_at += 1
            found = self.texts[self.at : stop_at]
            self.at = stop_at
            return found
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
            at = self.at
            kind = kinds[at]
            if kind == WORD and texts[at] in optional:
                self.optional_plain(made, optional[texts[at]], optional)
            elif kind == END and texts[at + 1] == table.name and kinds[at + 1] == WORD:
                self.at = at + 2
                return
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
        if following and self.closed_next(at + 2, table.name):
            self.stray_end(table)
            return False
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

    def closed_next(self, at: int, name: str) -> bool:
        """True when the next mark is the ``/end`` of the block itself, so this one is one too many."""
        kinds = self.kinds
        while kinds[at] in (WORD, STRING, RAW):
            at += 1
        return kinds[at] == END and kinds[at + 1] == WORD and self.texts[at + 1] == name

    def store(self, made: Any, entry: Entry, value: Any, at: int) -> None:
        """Put a value to its attribute; of two single ones the first counts."""
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
        self.at = at = start + 1
        if entry.mode == "value" and getattr(made, entry.attr) is None:
            value = self.usual(entry.param, at)  # the common case first
            if value is not None:
                setattr(made, entry.attr, value)
                self.at = at + 1
                return
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
            value = self.object(entry.cls, start)
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
            if self.kinds[self.at] in (WORD, STRING) and self.texts[self.at] not in known:
                self.at += 1  # the value that does not fit has been spoken of

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
        """Keep the payload of an A2ML block."""
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
        kinds, texts = self.kinds, self.texts
        while stack:
            at = self.at
            kind = kinds[at]
            if kind == WORD:
                stack[-1].items.append(texts[at])
                self.at = at + 1
            elif kind in (STRING, RAW):
                stack[-1].items.append(Quoted(texts[at]))
                self.at = at + 1
            elif kind == BEGIN:
                self.if_block(stack)
            elif kind == END:
                self.if_end(stack)
            else:
                self.end_of_text("IF_DATA")
                break
        return made

    def if_block(self, stack: list[IfBlock | IfData]) -> None:
        """Open a block inside IF_DATA."""
        self.at += 1
        tag = self.texts[self.at] if self.kinds[self.at] == WORD else ""
        place = Origin(self.places, self.stretch, self.at, True)
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
        block = IfBlock(tag, place=place)
        stack[-1].items.append(block)
        stack.append(block)

    def if_end(self, stack: list[IfBlock | IfData]) -> None:
        """Close one block, or several when the name says so."""
        following = self.texts[self.at + 1] if self.kinds[self.at + 1] == WORD else ""
        top = stack[-1]
        if following == (top.tag if isinstance(top, IfBlock) else "IF_DATA"):
            self.at += 2
            self.if_close(stack, self.at - 1)
            return
        tags = [b.tag if isinstance(b, IfBlock) else "IF_DATA" for b in stack]
        if following in tags:
            while tags[-1] != following:
                tags.pop()
                self.if_close(stack, self.at - 1)
            self.at += 2
            self.if_close(stack, self.at - 1)
            text = f"IF_DATA: blocks inside {following} are not closed."
        elif any(following == table.name for table in self.open):
            while stack:
                self.if_close(stack, self.at - 1)
            text = f"IF_DATA: /end IF_DATA is missing before /end {following}."
        else:
            self.at += 2 if following else 1
            self.if_close(stack, self.at - 1)
            text = f"IF_DATA: /end {following} was taken as /end {tags[-1]}."
        self.report(
            Severity.ERROR,
            "end-wrong",
            self.at - 1,
            text,
            f"Write /end {tags[-1] if tags else 'IF_DATA'}.",
        )

    def if_close(self, stack: list[IfBlock | IfData], last: int) -> None:
        """Take the innermost block off the stack; its last token is known now."""
        made = stack.pop()
        if isinstance(made, IfBlock) and isinstance(made.place, Origin):
            made.place.last = last
