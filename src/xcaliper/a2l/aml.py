"""A2ML, the grammar of IF_DATA: text to types and back (ASAP2, A2ML).

Real texts are often malformed, so the reader takes what it can: every step advances, every depth and count is
bounded, and what cannot be understood becomes an unknown type plus a finding.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from textwrap import wrap
from typing import Final

from xcaliper.a2l.aml_types import (
    NUMBERS,
    Aml,
    AmlArray,
    AmlEnum,
    AmlNumber,
    AmlOpaque,
    AmlSequence,
    AmlStruct,
    AmlTag,
    AmlTaggedStruct,
    AmlTaggedUnion,
    AmlText,
    AmlType,
    depth_of,
)
from xcaliper.core.diagnostics import Diagnostic, Severity, Where

__all__ = ["MAX_AML_CHARS", "MAX_AML_DEPTH", "Loader", "parse_aml", "write_aml"]

#: Longer texts are not read.
MAX_AML_CHARS: Final = 4 << 20
#: Deeper nesting, references included, is not followed.
MAX_AML_DEPTH: Final = 64
#: More findings than this are not worth reading.
_MAX_FINDINGS: Final = 200
_MAX_INCLUDES: Final = 32
_MAX_DIMENSIONS: Final = 8

_TOKEN: Final = re.compile(
    r"""\s+ | //[^\n]* | /\*.*?\*/
    | (?P<open>/\*)
    | (?P<include>/include\s+(?:"[^"\n]*"|[^\s;]+))
    | "(?P<text>(?:[^"\\\n]|\\.)*)"
    | (?P<number>0[xX][0-9a-fA-F]+|[0-9]+)
    | (?P<word>/?[A-Za-z_][\w.]*)
    | (?P<mark>[-{}()\[\];,=*])
    | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMPOSITES: Final = ("struct", "taggedstruct", "taggedunion", "enum")
_TYPES: Final = (*_COMPOSITES, *NUMBERS)
_ANY: Final = AmlOpaque("")

Loader = Callable[[str], str | None]


def _no_includes(_name: str) -> str | None:
    return None


class _Tokens:
    """Kind, text and place of every token; a stop token at the end."""

    def __init__(self, text: str, where: Where, loader: Loader, found: list[Diagnostic]) -> None:
        self.kinds: list[str] = []
        self.texts: list[str] = []
        self.places: list[tuple[int, int]] = []
        self.missing: list[str] = []
        self.where = where
        self.found = found
        self._loader = loader
        self._included = 0
        start = where.column + len("A2ML") if where.column else 1
        self._scan(text, (where.line, start), ())
        self.kinds.append("stop")
        self.texts.append("")
        self.places.append(self.places[-1] if self.places else (where.line, where.column))

    def report(
        self, severity: Severity, slug: str, place: tuple[int, int], text: str, hint: str
    ) -> None:
        """Note a finding at a line and column of the text."""
        if len(self.found) < _MAX_FINDINGS:
            line, column = place if self.where.line else (0, 0)
            where = replace(self.where, line=line, column=column)
            self.found.append(Diagnostic(severity, slug, where, f"A2ML: {text}", hint, "A2ML"))

    def _scan(self, text: str, first: tuple[int, int], stack: tuple[str, ...]) -> None:
        if len(text) > MAX_AML_CHARS:
            self.report(
                Severity.ERROR,
                "aml-size",
                first,
                f"{len(text)} characters are more than {MAX_AML_CHARS}; it is not read.",
                "Shorten the text; built-in definitions are used.",
            )
            return
        (line, column), counted = first, 0  # place of the character that was counted up to
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup
            if kind is None:
                continue
            lines = text.count("\n", counted, match.start())
            last = text.rfind("\n", counted, match.start()) + 1
            column = match.start() - last + 1 if lines else column + match.start() - counted
            line, counted = line + lines, match.start()
            place = first if stack else (line, column)  # included: where it is included
            if kind == "open":
                self.report(
                    Severity.ERROR,
                    "aml-syntax",
                    place,
                    "a comment does not end; the rest is not read.",
                    "Close it with */.",
                )
                return
            if kind == "include":
                self._include(match[0].split(None, 1)[1].strip('"'), place, stack)
            else:
                self.kinds.append(kind)
                self.texts.append(match[kind])
                self.places.append(place)

    def _include(self, name: str, place: tuple[int, int], stack: tuple[str, ...]) -> None:
        self._included += 1
        usable = name not in stack and self._included <= _MAX_INCLUDES
        text = self._loader(name) if usable else None
        if text is not None:
            self._scan(text, place, (*stack, name))
            return
        self.missing.append(name)
        self.report(
            Severity.WARNING,
            "aml-include-missing",
            place,
            f"{name[:200]} cannot be included; built-in definitions are used.",
            "Put the file beside the description.",
        )


class _Parser:
    def __init__(self, tokens: _Tokens) -> None:
        self.tokens = tokens
        self.at = 0
        self.level = 0
        self.named: dict[tuple[str, str], AmlType] = {}
        self.root: list[AmlTag] = []
        self.depths: dict[int, int] = {}
        self.kept: list[AmlType] = []  # keeps measured types alive, so that identities stay unique

    # ---- tokens

    @property
    def kind(self) -> str:
        return self.tokens.kinds[self.at]

    @property
    def text(self) -> str:
        return self.tokens.texts[self.at]

    def is_mark(self, mark: str) -> bool:
        return self.kind == "mark" and self.text == mark

    def take_mark(self, mark: str) -> bool:
        if self.is_mark(mark):
            self.at += 1
            return True
        return False

    def expect(self, mark: str) -> None:
        if not self.take_mark(mark):
            self.wrong(f"{mark} is missing before {self.text[:40] or 'the end'}.", f"Add {mark}.")

    def wrong(self, text: str, hint: str, slug: str = "aml-syntax") -> None:
        self.tokens.report(Severity.WARNING, slug, self.tokens.places[self.at], text, hint)

    # ---- grammar

    def run(self) -> None:
        odd = False
        while self.kind != "stop":
            start = self.at
            self.declaration()
            if self.at > start:
                odd = False
                continue
            if not odd:  # one finding for a row of odd words
                self.wrong(f"{self.text[:40]} was not expected; it was skipped.", "Remove it.")
            odd = True
            self.at += 1  # every turn advances

    def declaration(self) -> None:
        if self.take_mark(";"):
            return
        if self.kind != "word":
            return
        if self.text == "block":
            self.at += 1
            tag = self.tag_name()
            made = self.member()
            self.expect(";")
            if tag == "IF_DATA":
                self.take_root(made)
        elif self.text in _TYPES:
            made = self.member()
            self.expect(";")
            if (
                isinstance(made, (AmlTaggedUnion, AmlTaggedStruct))
                and made.name.lower() == "if_data"
            ):
                self.take_root(made)

    def take_root(self, made: AmlType | None) -> None:
        if isinstance(made, (AmlTaggedUnion, AmlTaggedStruct)):
            known = {t.tag for t in self.root}
            self.root += [t for t in made.tags if t.tag not in known]
        else:
            self.wrong("IF_DATA holds no tags; it is not used.", "Give it a taggedunion.")

    def tag_name(self) -> str:
        if self.kind in ("text", "word"):
            tag = self.text
            self.at += 1
            return tag
        self.wrong("a tag in quotes is missing.", "Add it.")
        return ""

    def member(self) -> AmlType | None:
        """A type, perhaps repeated; None when there is none."""
        if self.is_mark(";") or self.is_mark("}") or self.is_mark(")"):
            return None
        if self.take_mark("("):
            self.level += 1
            if self.level > MAX_AML_DEPTH:
                self.skip_member()
                element: AmlType | None = self.too_deep("")
            else:
                element = self.repeated()
            self.level -= 1
            self.expect(")")
            self.expect("*")
            return self.measured(AmlSequence(element)) if element is not None else None
        return self.sized(self.type())

    def repeated(self) -> AmlType | None:
        """What stands in parentheses: a type, by many files with a semicolon behind; several are a struct."""
        found = [made] if (made := self.member()) is not None else []
        while self.take_mark(";"):
            if (made := self.member()) is not None:
                found.append(made)
        if len(found) > 1:
            return self.measured(AmlStruct(tuple(found), ""))
        return found[0] if found else None

    def sized(self, made: AmlType) -> AmlType:
        sizes: list[int] = []
        while self.take_mark("["):
            size = 0
            if self.kind == "number" and len(self.text) < 12:
                size = int(self.text, 0) if self.text[:2] in ("0x", "0X") else int(self.text)
                self.at += 1
            else:
                self.wrong("a size is missing.", "Write a number between [ and ].")
            self.expect("]")
            if len(sizes) < _MAX_DIMENSIONS:
                sizes.append(size)
        text = isinstance(made, AmlNumber) and made.kind == "char"
        for size in reversed(sizes):
            made = AmlText(size) if text else AmlArray(made, size)
            text = False
        return self.measured(made)

    def type(self) -> AmlType:
        word = self.text if self.kind == "word" else ""
        if word in NUMBERS:
            self.at += 1
            if self.kind == "word" and self.text not in (*_TYPES, "block"):
                self.at += 1  # a name of the member, as in C; it has no meaning here
            return AmlNumber(word)
        if word not in _COMPOSITES:
            self.wrong(f"{self.text[:40] or 'the end'} is no type.", "Use a type of A2ML.")
            if self.kind not in ("stop", "mark"):
                self.at += 1
            return _ANY
        self.at += 1
        name = ""
        if self.kind == "word" and self.text not in _TYPES:
            name = self.text
            self.at += 1
        if not self.is_mark("{"):
            return self.reference(word, name)
        made = self.body(word, name)
        if name:
            if (word, name) in self.named:
                self.wrong(
                    f"{word} {name} is defined twice; the later one counts from here on.",
                    "Remove one.",
                )
            self.named[word, name] = made
        return made

    def reference(self, word: str, name: str) -> AmlType:
        made = self.named.get((word, name))
        if made is None:
            self.wrong(
                f"{word} {name[:80]} is not defined before its use.",
                "Define it above.",
                "aml-reference",
            )
            return AmlOpaque(name)
        return made

    def body(self, word: str, name: str) -> AmlType:
        self.at += 1
        self.level += 1
        if self.level > MAX_AML_DEPTH:
            self.skip_body()
            made: AmlType = self.too_deep(name)
        elif word == "enum":
            made = AmlEnum(self.words(), name)
        elif word == "struct":
            made = AmlStruct(tuple(self.members()), name)
        elif word == "taggedstruct":
            made = AmlTaggedStruct(tuple(self.tags()), name)
        else:
            made = AmlTaggedUnion(tuple(self.tags()), name)
        self.level -= 1
        return self.measured(made)

    def measured(self, made: AmlType) -> AmlType:
        self.kept.append(made)
        if depth_of(made, self.depths) > MAX_AML_DEPTH:
            return self.too_deep(getattr(made, "name", ""))
        return made

    def too_deep(self, name: str) -> AmlType:
        self.wrong(
            f"types nest deeper than {MAX_AML_DEPTH} levels; the inner ones are not read.",
            "Flatten them.",
            "aml-depth",
        )
        return AmlOpaque(name)

    def skip_body(self) -> None:
        """Go behind the brace that closes the open one."""
        depth = 1
        while depth and self.kind != "stop":
            if self.is_mark("{"):
                depth += 1
            elif self.is_mark("}"):
                depth -= 1
            self.at += 1

    def closes(self) -> bool:
        """True at the end of a body, which is then behind."""
        if self.kind == "stop":
            self.wrong("} is missing at the end.", "Add }.")
            return True
        return self.take_mark("}")

    def words(self) -> dict[str, int]:
        found: dict[str, int] = {}
        number = 0
        while not self.closes():
            if self.take_mark(",") or self.take_mark(";"):
                continue
            if self.kind not in ("text", "word"):
                self.wrong(f"{self.text[:40]} is no word of an enum.", "Put it in quotes.")
                self.at += 1
                continue
            word = self.text
            self.at += 1
            if self.take_mark("="):
                sign = -1 if self.take_mark("-") else 1
                if self.kind == "number" and len(self.text) < 24:
                    hexadecimal = self.text[:2] in ("0x", "0X")
                    number = sign * int(self.text, 16 if hexadecimal else 10)
                    self.at += 1
            found.setdefault(word, number)
            number += 1
        return found

    def members(self) -> list[AmlType]:
        found: list[AmlType] = []
        while not self.closes():
            if self.take_mark(";"):
                continue
            start = self.at
            if self.kind == "word" and self.text == "block":
                # A block as a plain member: the same as a group of that one tag.
                found.append(AmlTaggedUnion((self.tag(),)))
            elif (made := self.member()) is not None:
                found.append(made)
            if self.at == start:
                self.at += 1
                continue
            if not self.is_mark("}"):
                self.expect(";")
        return found

    def tags(self) -> list[AmlTag]:
        found: list[AmlTag] = []
        while not self.closes():
            if self.take_mark(";") or self.take_mark(","):
                continue
            start = self.at
            repeated = self.take_mark("(")
            if self.kind == "text" or (self.kind == "word" and self.text == "block"):
                made = self.tag()
                found.append(replace(made, repeated=True) if repeated else made)
            else:
                self.wrong(f"{self.text[:40]} is no tag; it was skipped.", "Put tags in quotes.")
                self.skip_member()
            if repeated:
                self.take_mark(";")
                self.expect(")")
                self.expect("*")
            if self.at == start:
                self.at += 1
            elif not self.is_mark("}"):
                self.expect(";")
        return found

    def skip_member(self) -> None:
        """Go to the end of a member, over whole bodies."""
        while self.kind != "stop" and not any(map(self.is_mark, ";})")):
            if self.take_mark("{"):
                self.skip_body()
            else:
                self.at += 1

    def tag(self) -> AmlTag:
        block = self.kind == "word" and self.text == "block"
        if block:
            self.at += 1
        return AmlTag(self.tag_name(), self.member(), block)


def parse_aml(
    text: str,
    diagnostics: list[Diagnostic] | None = None,
    *,
    where: Where | None = None,
    loader: Loader = _no_includes,
) -> Aml:
    """The types of an A2ML text; never raises on content.

    Args:
        text: what stands between ``/begin A2ML`` and ``/end A2ML``.
        diagnostics: findings are appended here.
        where: place of the text's first line.
        loader: gives the text of an included file, None when it is missing.
    """
    found: list[Diagnostic] = []
    tokens = _Tokens(text, where or Where("", 1), loader, found)
    parser = _Parser(tokens)
    parser.run()
    if not parser.root and not tokens.missing:
        del found[1:]  # nothing of it is used, so only the first of the causes is worth reading
        tokens.report(
            Severity.WARNING,
            "aml-root-missing",
            (tokens.where.line, tokens.where.column),
            'there is no block "IF_DATA" with tags; built-in definitions are used.',
            'End it with block "IF_DATA" taggedunion if_data { … };',
        )
    if diagnostics is not None:
        diagnostics.extend(found)
    root = AmlTaggedUnion(tuple(parser.root), "if_data")
    named = {key: made for key, made in parser.named.items() if key[1].lower() != "if_data"}
    return Aml(root, named, tuple(tokens.missing))


# ---- writing


def write_aml(aml: Aml) -> str:
    """A2ML text that ``parse_aml`` reads back to equal types; named types stand first."""
    lines: list[str] = []
    written: set[int] = set()
    for made in aml.named.values():
        lines.append(f"{_spell(made, 0, written)};")
        written.add(id(made))
    lines.append(f'block "IF_DATA" {_spell(aml.root, 0, written)};')
    return "\n".join(lines)


def _spell(made: AmlType, level: int, written: set[int]) -> str:
    if isinstance(made, AmlNumber):
        return made.kind
    if isinstance(made, AmlText):
        return f"char[{made.size}]"
    if isinstance(made, AmlArray):
        return _spell_array(made, level, written)
    if isinstance(made, AmlSequence):
        return f"({_spell(made.element, level, written)})*"
    word = _word_of(made)
    head = f"{word} {made.name}" if made.name else word
    if isinstance(made, AmlOpaque) or id(made) in written:
        return head
    indent = "  " * (level + 1)
    if isinstance(made, AmlEnum):
        rows = ", ".join(f'"{text}" = {number}' for text, number in made.words.items())
        lines = wrap(rows, 96 - len(indent), break_long_words=False, break_on_hyphens=False)
        inner = f"\n{indent}".join(lines)
    elif isinstance(made, AmlStruct):
        inner = f"\n{indent}".join(f"{_spell(m, level + 1, written)};" for m in made.members)
    else:
        inner = f"\n{indent}".join(f"{_spell_tag(t, level + 1, written)};" for t in made.tags)
    return f"{head} {{\n{indent}{inner}\n{'  ' * level}}}"


def _spell_array(made: AmlArray, level: int, written: set[int]) -> str:
    sizes = f"[{made.size}]"
    element = made.element
    while isinstance(element, AmlArray):
        sizes += f"[{element.size}]"
        element = element.element
    if isinstance(element, AmlText):
        return f"char{sizes}[{element.size}]"
    return _spell(element, level, written) + sizes


def _word_of(made: AmlType) -> str:
    if isinstance(made, AmlEnum):
        return "enum"
    if isinstance(made, AmlTaggedStruct):
        return "taggedstruct"
    return "taggedunion" if isinstance(made, AmlTaggedUnion) else "struct"


def _spell_tag(made: AmlTag, level: int, written: set[int]) -> str:
    head = f'{"block " if made.block else ""}"{made.tag}"'
    if made.type is not None:
        head += f" {_spell(made.type, level, written)}"
    return f"({head})*" if made.repeated else head
