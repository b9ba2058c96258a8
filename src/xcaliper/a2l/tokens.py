"""Text to tokens: words, strings and block marks, with their places; includes and encodings."""

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from xcaliper.core.diagnostics import Diagnostic, Severity, Where

__all__ = [
    "BEGIN",
    "END",
    "EOF",
    "RAW",
    "STRING",
    "WORD",
    "Loader",
    "Tokens",
    "decode_text",
    "tokenize",
]

Loader = Callable[[str, str], str | None]
"""Takes the requested name and the name of the including text; gives the text or None."""

EOF: Final = 0
WORD: Final = 1
STRING: Final = 2
BEGIN: Final = 3
END: Final = 4
RAW: Final = 5

MAX_INCLUDE_DEPTH: Final = 32
MAX_INCLUDES: Final = 10_000
MAX_INCLUDED_CHARS: Final = 1 << 30
MAX_DIAGNOSTICS: Final = 1000

_TOKEN: Final = re.compile(
    r"""
    (?P<word> [^\s"/\ufeff]++ (?: /(?![*/]|(?:begin|end)\s+\w) [^\s"/]*+ )*+ )
  | (?P<string> " (?: [^"\\]++ | \\. | "" )*+ " )
  | /(?P<mark> begin | end | include )\b
  | (?P<comment> /\*.*?\*/ | //[^\n]*+ )
  | (?P<open> /\* )
  | (?P<odd> / [^\s"/]*+ (?: /(?![*/]) [^\s"/]*+ )*+ )
  | (?P<quote> " )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_END_A2ML: Final = re.compile(r"/end\s+A2ML\b", re.IGNORECASE)
_END_ANY: Final = re.compile(r"/end\b", re.IGNORECASE)
_BLOCK_MARK: Final = re.compile(r"/(?:begin|end)\s+[A-Z]", re.IGNORECASE)
_INCLUDE_NAME: Final = re.compile(r'\s*(?:"([^"\n]*)"|([^\s"]+))')
_A2ML_INCLUDE: Final = re.compile(
    r'/\*.*?\*/|//[^\n]*|/include\s+(?:"([^"\n]*)"|([^\s"]+))', re.S | re.I
)
_ESCAPE: Final = re.compile(r'\\([\\\'"nrt])|""')
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t"}
_NAIVE_END: Final = re.compile(r'\\"[ \t]*\r?(?:\n|$)')


@dataclass(slots=True)
class Tokens:
    """Parallel lists of tokens, closed by one ``EOF`` token.

    Attributes:
        kinds: WORD, STRING, BEGIN, END, RAW or EOF.
        texts: spelling; strings without quotes and with escapes resolved.
        places: positions for ``where``.
        diagnostics: what was wrong on the text level.
    """

    kinds: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    bases: list[int] = field(default_factory=list)
    sources: list[tuple[str, list[int]]] = field(default_factory=list)

    def line_of(self, index: int) -> tuple[str, int]:
        """Source name and 1-based line of a token."""
        where = self.place(self.places[index])
        return where.source, where.line

    def where(self, index: int) -> Where:
        """Place of a token."""
        return self.place(self.places[index])

    def place(self, place: int) -> Where:
        """Source, line and column of a position."""
        which = bisect_right(self.bases, place) - 1
        source, breaks = self.sources[which]
        offset = place - self.bases[which]
        line = bisect_right(breaks, offset)
        return Where(source, line, offset - breaks[line - 1] + 1)


def decode_text(data: bytes) -> tuple[str, str]:
    """Text and the name of its encoding: mark, NUL pattern, UTF-8, then the code pages.

    Undecodable parts of a marked text become replacement characters.
    """
    for mark, name in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe\x00\x00", "utf-32"),
        (b"\x00\x00\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(name, errors="replace"), name
    head = data[:4]
    if len(head) == 4:
        pattern = "".join("0" if b == 0 else "x" for b in head)
        name = {
            "x000": "utf-32-le",
            "000x": "utf-32-be",
            "x0x0": "utf-16-le",
            "0x0x": "utf-16-be",
        }.get(pattern, "")
        if name:
            return data.decode(name, errors="replace"), name
    for name in ("utf-8", "cp1252"):
        try:
            return data.decode(name), name
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), "latin-1"


def tokenize(text: str, *, source: str = "", loader: Loader | None = None) -> Tokens:
    """Split a description into tokens; whatever is wrong becomes a finding.

    Args:
        text: the description.
        source: its name, for messages and for the loader.
        loader: gives the text of an include, or None when there is none.
    """
    scanner = _Scanner(loader)
    scanner.scan(text, source)
    tokens = scanner.tokens
    tokens.kinds.append(EOF)
    tokens.texts.append("")
    tokens.places.append(scanner.last)
    return tokens


def _unescape(body: str) -> str:
    if "\\" not in body and '"' not in body:
        return body
    return _ESCAPE.sub(
        lambda m: '"' if m[1] is None else _ESCAPED.get(m[1], m[1]),
        body,
    )


class _Scanner:
    """Work in progress of one ``tokenize``."""

    def __init__(self, loader: Loader | None) -> None:
        self.loader = loader
        self.tokens = Tokens()
        self.stack: list[tuple[str, str]] = []
        self.includes = 0
        self.chars = 0
        self.next_base = 0
        self.last = 0

    def report(self, severity: Severity, slug: str, place: int, text: str, hint: str = "") -> None:
        found = self.tokens.diagnostics
        if len(found) < MAX_DIAGNOSTICS:
            found.append(Diagnostic(severity, slug, self.tokens.place(place), text, hint))

    def scan(self, text: str, source: str) -> None:
        """Append the tokens of one text; includes recurse, at most MAX_INCLUDE_DEPTH deep."""
        base = self.next_base
        self.next_base += len(text) + 1
        tokens = self.tokens
        tokens.bases.append(base)
        tokens.sources.append((source, [0] + [m.end() for m in re.finditer("\n", text)]))
        self.stack.append((source, text))
        kinds, texts, places = tokens.kinds, tokens.texts, tokens.places
        search = _TOKEN.search
        at = 0
        after_begin = False
        while match := search(text, at):
            at = match.end()
            kind = match.lastgroup
            start = match.start()
            if kind == "word":
                kinds.append(WORD)
                texts.append(match[0])
                places.append(base + start)
                if after_begin and match[0] == "A2ML":
                    at = self.a2ml(text, at, base, source)
            elif kind == "string":
                at = self.string(match, text, base)
            elif kind == "mark":
                mark = match["mark"].lower()
                if mark == "include":
                    at = self.include(text, at, base + start, source)
                else:
                    kinds.append(BEGIN if mark == "begin" else END)
                    texts.append(match[0])
                    places.append(base + start)
                    after_begin = mark == "begin"
                    continue
            elif kind == "comment":
                continue
            else:
                at = self.odd(kind, match, text, base)
            after_begin = False
        self.last = base + len(text)
        self.stack.pop()

    def add(self, kind: int, text: str, place: int) -> None:
        self.tokens.kinds.append(kind)
        self.tokens.texts.append(text)
        self.tokens.places.append(place)

    def string(self, match: re.Match[str], text: str, base: int) -> int:
        """Append a string; where a quote is evidently missing, end it early."""
        raw = match[0]
        if "\n" in raw:
            first = raw[: raw.index("\n") + 1]
            if _NAIVE_END.search(first) or _BLOCK_MARK.search(raw):
                return self.open_string(text, match.start(), base)
        self.add(STRING, _unescape(raw[1:-1]), base + match.start())
        return match.end()

    def open_string(self, text: str, start: int, base: int) -> int:
        """Append a string without closing quote.

        It ends with its line; where that line ends with an escaped quote, the quote was meant to close
        and the backslashes were meant as they are.
        """
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        naive = _NAIVE_END.search(text, start, end)
        if naive:
            self.report(
                Severity.WARNING,
                "string-backslash-end",
                base + start,
                "String: the backslash before the closing quote was taken literally.",
                "Double the backslash.",
            )
            self.add(STRING, text[start + 1 : naive.start() + 1], base + start)
            return naive.start() + 2
        self.report(
            Severity.ERROR,
            "string-open",
            base + start,
            "String: the closing quote is missing; it was ended with its line.",
            "Add the quote.",
        )
        self.add(STRING, _unescape(text[start + 1 : end].rstrip("\r")), base + start)
        return end

    def odd(self, kind: str | None, match: re.Match[str], text: str, base: int) -> int:
        place = base + match.start()
        if kind == "open":
            self.report(
                Severity.ERROR,
                "comment-open",
                place,
                "Comment: it is never closed; the rest of the text was ignored.",
                "Add */.",
            )
            return len(text)
        if kind == "quote":
            return self.open_string(text, match.start(), base)
        self.add(WORD, match[0], place)
        return match.end()

    def a2ml(self, text: str, at: int, base: int, source: str) -> int:
        """Append the payload of an A2ML block as one raw token."""
        end = _END_A2ML.search(text, at)
        if end is None:
            self.report(
                Severity.ERROR,
                "a2ml-open",
                base + at,
                "A2ML: /end A2ML is missing; the block was ended at the next /end.",
                "Add /end A2ML.",
            )
            end = _END_ANY.search(text, at)
        stop = end.start() if end else len(text)
        self.add(RAW, text[at:stop], base + at)
        for found in _A2ML_INCLUDE.finditer(text, at, stop):
            name = found[1] or found[2]
            if name and (self.loader is None or self.loader(name, source) is None):
                self.missing(name, base + found.start())
        return stop

    def missing(self, name: str, place: int) -> None:
        self.report(
            Severity.WARNING,
            "include-missing",
            place,
            f"/include {name}: the text was not found; reading goes on without it.",
            "Put the file beside the description.",
        )

    def include(self, text: str, at: int, place: int, source: str) -> int:
        """Read an included text in place; gives the position behind the name."""
        named = _INCLUDE_NAME.match(text, at)
        if named is None:
            self.report(Severity.ERROR, "include-unnamed", place, "/include: the name is missing.")
            return at
        name = named[1] if named[1] is not None else named[2]
        included = self.loader(name, source) if self.loader else None
        if included is None:
            self.missing(name, place)
            return named.end()
        self.includes += 1
        self.chars += len(included)
        flat = name.replace("\\", "/")
        if any(s.replace("\\", "/") == flat or t == included for s, t in self.stack if t):
            self.report(
                Severity.ERROR,
                "include-cycle",
                place,
                f"/include {name}: the text includes itself; it was left out.",
                "Remove the cycle.",
            )
        elif (
            len(self.stack) > MAX_INCLUDE_DEPTH
            or self.includes > MAX_INCLUDES
            or self.chars > MAX_INCLUDED_CHARS
        ):
            self.report(
                Severity.ERROR,
                "include-limit",
                place,
                f"/include {name}: too deep, too many or too large; it was left out.",
                "Flatten the includes.",
            )
        else:
            self.scan(included, name)
        return named.end()
