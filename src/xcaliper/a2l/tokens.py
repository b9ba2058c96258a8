"""Bytes to tokens: words, strings and block marks; what is odd about them; encodings.

Tokens are read from UTF-8. Whitespace is ASCII's, NEL, NBSP and the byte order mark.
"""

import re
from array import array
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Final, NamedTuple

from xcaliper.a2l.grammar import Places
from xcaliper.a2l.lines import Lines
from xcaliper.core.diagnostics import Severity, Where

__all__ = [
    "A2ML_INCLUDE",
    "BEGIN",
    "END",
    "EOF",
    "INCLUDE_NAME",
    "INNER_WORD",
    "RAW",
    "SKIP",
    "STRING",
    "TOKEN",
    "WORD",
    "Finding",
    "Rare",
    "Stretch",
    "StringEnd",
    "Tokens",
    "decode_text",
    "tokenize",
    "tokens_of",
    "transcode",
]

EOF: Final = 0
WORD: Final = 1
STRING: Final = 2
BEGIN: Final = 3
END: Final = 4
RAW: Final = 5

_SPACE: Final = rb"(?:[\t-\r\x1c-\x20]|\xc2[\x85\xa0]|\xef\xbb\xbf)"
_COMMENT: Final = rb"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/|\xc2[\x85\xa0]|\xef\xbb\xbf"
SKIP: Final = rb"[\t-\r\x1c-\x20]*+(?:(?:" + _COMMENT + rb")[\t-\r\x1c-\x20]*+)*+"
"""Whitespace and comments."""
_PLAIN: Final = rb"[^\t-\r\x1c-\x20\x22/\xc2\xef]++|\xc2(?![\x85\xa0])|\xef(?!\xbb\xbf)"
_INNER: Final = rb"|/(?![*/]|(?i:begin|end)" + _SPACE + rb"++[0-9A-Za-z_\x80-\xff])"
INNER_WORD: Final = rb"(?:" + _PLAIN + rb")(?:" + _PLAIN + _INNER + rb")*+"
"""A word that does not start with a slash."""
TOKEN: Final = re.compile(
    SKIP
    + rb'("[^"\\\n]*+"(?!")'
    + rb"|(?:"
    + _PLAIN
    + rb")(?:"
    + _PLAIN
    + _INNER
    + rb")*+"
    + rb"|/(?i:begin|end|include)(?![0-9A-Za-z_])"
    + rb"|/(?![*/])(?:"
    + _PLAIN
    + _INNER
    + rb")*+"
    + rb'|"|/\*|\Z)'
)
"""Whitespace and comments, then one token as group 1: a plain string, a word, a mark; a lone quote for any
other string, ``/*`` for a comment without end, nothing at the end of the text."""

_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.|"")*+"', re.DOTALL)
_LINE_STRING: Final = re.compile(rb'"(?:[^"\\\n]++|\\[^\n]|"")*+"')
_ESCAPED_PAIR: Final = re.compile(rb"\\([^\n])")
_GLUED: Final = re.compile(rb"[0-9A-Za-z_%]")
"""What stands behind a quote that opens a string, and hardly behind one that closes it."""
_NAIVE_END: Final = re.compile(rb'\\"[ \t]*\r?(?:\n|$)')
_BLOCK_MARK: Final = re.compile(rb"/(?:begin|end)" + _SPACE + rb"+[A-Z]", re.IGNORECASE)
_END_A2ML: Final = re.compile(rb"/end" + _SPACE + rb"+A2ML(?![0-9A-Za-z_])", re.IGNORECASE)
_END_ANY: Final = re.compile(rb"/end(?![0-9A-Za-z_])", re.IGNORECASE)
_A2ML_LEFT: Final = re.compile(
    rb"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)"
    rb"|(/(?i:begin)"
    + _SPACE
    + rb"+(?:A2ML|AXIS_PTS|BLOB|CHARACTERISTIC|COMPU_\w+|FRAME|FUNCTION|GROUP|IF_DATA|INSTANCE"
    rb"|MEASUREMENT|MOD_COMMON|MOD_PAR|MODULE|RECORD_LAYOUT|TRANSFORMER|TYPEDEF_\w+|UNIT|USER_RIGHTS|VARIANT_CODING)"
    rb"(?![0-9A-Za-z_]))|(/(?i:end)(?![0-9A-Za-z_]))"
)
"""Comments, and what shows that an A2ML payload is over: a block of a MODULE as group 1, an ``/end`` as group 2."""
INCLUDE_NAME: Final = re.compile(rb'[^\S\n]*(?!/(?i:begin|end|include)\b)(?:"([^"\n]*)"|([^\s"]+))')
A2ML_INCLUDE: Final = re.compile(
    rb'/\*.*?\*/|//[^\n]*|/include\s+(?:"([^"\n]*)"|([^\s"]+))', re.DOTALL | re.IGNORECASE
)
_ESCAPE: Final = re.compile(r'\\([\\\'"nrt])|""')
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t"}
_MARKS: Final = {"/begin": BEGIN, "/end": END, "/include": WORD}
_CLOSED_COMMENT: Final = re.compile(r"//[^\n]*+\n|/\*(?:[^*]++|\*(?!/))*+\*/")

FREE_BUDGET: Final = 1 << 20
BUDGET_PER_BYTE: Final = 8


class Finding(NamedTuple):
    """Something odd at an offset; becomes a ``Diagnostic`` once its place is known."""

    offset: int
    severity: Severity
    slug: str
    text: str
    hint: str = ""
    subject: str = ""


class StringEnd(NamedTuple):
    """Where a string ends.

    Attributes:
        end: offset behind it.
        stop: offset behind its content, which starts behind the opening quote.
        literal: backslashes stand for themselves.
        finding: what was odd.
    """

    end: int
    stop: int
    literal: bool = False
    finding: Finding | None = None


class Rare:
    """The tokens that need a second look: strings over lines, A2ML payloads.

    Looking for the end of a string that has none costs time; the sum is bounded by the size of the text.

    Args:
        buffer: the text, UTF-8.
        stop: offset where it ends.
    """

    def __init__(self, buffer: bytes, stop: int) -> None:
        self.buffer = buffer
        self.stop = stop
        self.budget = FREE_BUDGET + BUDGET_PER_BYTE * len(buffer)
        self.a2ml_end = -1

    def string(self, at: int) -> StringEnd:
        """End of the string that opens at an offset; where a quote is evidently missing, an early one."""
        buffer = self.buffer
        found = _LINE_STRING.match(buffer, at, self.stop)
        if found:
            end = found.end()
            early = self.early(at, end) if _GLUED.match(buffer, end, self.stop) else None
            return early or StringEnd(end, end - 1)
        limit = min(self.stop, at + self.budget)
        found = _STRING.match(buffer, at, limit)
        end = found.end() if found else limit
        self.budget = max(0, self.budget - (end - at))
        if not found:
            return self.open_string(at)
        line = buffer.find(b"\n", at, end) + 1
        if _NAIVE_END.search(buffer, at, line) or _BLOCK_MARK.search(buffer, at, end):
            return self.open_string(at)
        early = self.early(at, line) if _GLUED.match(buffer, end, self.stop) else None
        return early or StringEnd(end, end - 1)

    def early(self, start: int, stop: int) -> StringEnd | None:
        r"""The end of a string at a quote that a backslash escapes by mistake, as in ``"C:\dir\" UWORD``.

        A blank follows it, and no escaped quote before it opened a word in quotes.
        """
        if self.budget <= 0:
            return None
        self.budget -= stop - start
        opened = False
        for found in _ESCAPED_PAIR.finditer(self.buffer, start + 1, stop):
            if found[1] != b'"':
                continue
            if not opened and self.buffer[found.end() : found.end() + 1] in b" \t\r\n":
                return self.literal(start, found.start())
            opened = not opened
        return None

    @staticmethod
    def literal(start: int, backslash: int) -> StringEnd:
        """A string that ends behind a backslash and the quote it escapes."""
        finding = Finding(
            start,
            Severity.WARNING,
            "string-backslash-end",
            "String: the backslash before the closing quote was taken literally.",
            "Double the backslash.",
        )
        return StringEnd(backslash + 2, backslash + 1, True, finding)

    def open_string(self, start: int) -> StringEnd:
        """End of a string without closing quote.

        It ends with its line; where that line ends with an escaped quote, or has one before a blank, the quote was
        meant to close and the backslashes were meant as they are.
        """
        buffer = self.buffer
        end = buffer.find(b"\n", start, self.stop)
        end = self.stop if end < 0 else end
        naive = _NAIVE_END.search(buffer, start + 1, end)
        if naive:
            return self.literal(start, naive.start())
        early = self.early(start, end)
        if early:
            return early
        finding = Finding(
            start,
            Severity.ERROR,
            "string-open",
            "String: the closing quote is missing; it was ended with its line.",
            "Add the quote.",
        )
        stop = end - 1 if buffer[end - 1 : end] == b"\r" and end - 1 > start else end
        return StringEnd(end, stop, False, finding)

    def a2ml(self, at: int) -> tuple[int, Finding | None]:
        """Offset where the payload of an A2ML block ends, from behind its keyword: at the ``/end`` that closes it.

        Where that is missing, it ends before the next block of a MODULE, or at the next ``/end``.
        """
        if self.a2ml_end < at:
            found = _END_A2ML.search(self.buffer, at, self.stop)
            self.a2ml_end = found.start() if found else self.stop + 1
        end = self.a2ml_end
        for found in _A2ML_LEFT.finditer(self.buffer, at, min(end, self.stop)):
            if found[1] or (found[2] and end > self.stop):
                end = found.start()
                break
        if end == self.a2ml_end <= self.stop:
            return end, None
        if end > self.stop:
            found_end = _END_ANY.search(self.buffer, at, self.stop)
            end = found_end.start() if found_end else self.stop
        finding = Finding(
            at,
            Severity.ERROR,
            "a2ml-open",
            "A2ML: /end A2ML is missing; the block was ended at the next block or /end.",
            "Add /end A2ML.",
        )
        return end, finding


class Stretch:
    """A part of a text and the offsets of its tokens, found when first asked for.

    Args:
        text: the whole text, UTF-8.
        start: where the part starts.
        stop: where it ends.
    """

    __slots__ = ("_offsets", "start", "stop", "text")

    def __init__(self, text: bytes, start: int, stop: int) -> None:
        self.text = text
        self.start = start
        self.stop = stop
        self._offsets: array[int] | None = None

    def __call__(self, index: int) -> tuple[int, int]:
        """Start and end of a token in the whole text."""
        offsets = self._offsets
        if offsets is None:
            pairs = _offsets(self.text[self.start : self.stop])
            offsets = self._offsets = array("q", chain.from_iterable(pairs))
        index = min(index, len(offsets) // 2 - 1)
        return self.start + offsets[2 * index], self.start + offsets[2 * index + 1]

    def tokens(self, places: Places) -> "Tokens":
        """All tokens of the part."""
        return tokens_of(self.text, self.start, self.stop, places)


def _offsets(buffer: bytes) -> list[tuple[int, int]]:
    if b"A2ML" not in buffer and _open_comment(buffer) < 0:
        pairs: list[tuple[int, int]] = []
        for found in TOKEN.finditer(buffer):
            start, stop = found.span(1)
            if stop - start < 2 and buffer[start:stop] in (b'"', b""):
                break
            if buffer[start:stop] == b"/*":
                break
            pairs.append((start, stop))
        if pairs and start == stop:
            pairs.append((len(buffer), len(buffer)))
            return pairs
    return _walk(buffer)[2]


@dataclass(slots=True)
class Tokens:
    """Parallel lists of tokens of a stretch of text, closed by one ``EOF`` token.

    Attributes:
        lines: gives places.
        stretch: gives offsets.
        kinds: WORD, STRING, BEGIN, END, RAW or EOF.
        texts: spelling; strings without quotes and with escapes resolved.
    """

    lines: Places
    stretch: Stretch
    kinds: list[int]
    texts: list[str]

    def span(self, index: int) -> tuple[int, int]:
        """Start and end of a token in the whole text."""
        return self.stretch(index)

    def where(self, index: int) -> Where:
        """Place of a token."""
        return self.lines.where(self.span(index)[0])

    def line_of(self, index: int) -> int:
        """1-based line of a token."""
        return self.where(index).line


def tokenize(text: str, *, source: str = "") -> Tokens:
    """Split a text without includes into tokens.

    Args:
        text: the text.
        source: its name, for messages.
    """
    whole = text.encode("utf-8", "surrogatepass")
    return tokens_of(whole, 0, len(whole), Lines(whole, source))


def tokens_of(text: bytes, start: int, stop: int, lines: Places) -> Tokens:
    """Tokens of a part of a text.

    Args:
        text: the whole text, UTF-8.
        start: where the part starts; not inside of a token.
        stop: where it ends.
        lines: gives places in the whole text.
    """
    buffer = text[start:stop]
    stretch = Stretch(text, start, stop)
    simple = _split(buffer)
    if simple is not None:
        return Tokens(lines, stretch, *simple)
    if b"\0" in buffer or b"A2ML" in buffer or _open_comment(buffer) >= 0:
        kinds, texts, _ = _walk(buffer)
        return Tokens(lines, stretch, kinds, texts)
    raw = TOKEN.findall(buffer)
    del raw[raw.index(b"") :]
    texts = b"\0".join(raw).decode("utf-8", "replace").split("\0") if raw else []
    kinds = [WORD] * len(texts)
    for at in [at for at, word in enumerate(texts) if word < "0"]:  # quotes and slashes sort before
        word = texts[at]
        if word[0] == '"':
            if word == '"':  # something rare: once more, token by token
                kinds, texts, _ = _walk(buffer)
                return Tokens(lines, stretch, kinds, texts)
            kinds[at] = STRING
            texts[at] = word[1:-1]
        elif word[0] == "/":
            kind = _MARKS.get(word)
            if kind is None:
                if word == "/*":
                    kinds, texts, _ = _walk(buffer)
                    return Tokens(lines, stretch, kinds, texts)
                kind = _MARKS.get(word.lower(), WORD)
            kinds[at] = kind
    kinds.append(EOF)
    texts.append("")
    return Tokens(lines, stretch, kinds, texts)


def _split(buffer: bytes) -> tuple[list[int], list[str]] | None:
    """Kinds and texts of an ASCII text that is as nearly all are; None where it takes ``TOKEN`` to tell.

    Such a text has no A2ML block, backslash, doubled quote or string over lines; a slash outside of its strings and comments
    begins a whole word ``/begin`` or ``/end``, and no comment has a quote. ``str.split`` has the whitespace of ASCII.
    """
    if b"\\" in buffer or b"A2ML" in buffer or not buffer.isascii():
        return None
    pieces = buffer.decode("ascii").split('"')
    if not len(pieces) & 1:
        return None
    texts: list[str] = []
    quoted: list[int] = []
    slashes = 0
    last = len(pieces) - 1
    for at, part in enumerate(pieces):
        piece = part
        if at & 1:
            if "\n" in piece:
                return None
            quoted.append(len(texts))
            texts.append(piece)
            continue
        if "/" in piece:
            if "//" in piece or "/*" in piece:
                piece = _without_comments(piece)
            slashes += piece.count("/")  # those of other comments make the sum wrong
        elif not piece and 0 < at < last:
            return None
        texts += piece.split()
    kinds = list(map(_MARKS.get, texts, repeat(WORD)))
    for at in quoted:
        kinds[at] = STRING
    if slashes != kinds.count(BEGIN) + kinds.count(END):
        return None
    kinds.append(EOF)
    texts.append("")
    return kinds, texts


def _without_comments(piece: str) -> str:
    """A part of a text without its comments; as it is where one has no end, each search for that being in vain."""
    if piece.rfind("//") > piece.rfind("\n") or piece.rfind("/*") > piece.rfind("*/"):
        return piece
    return _CLOSED_COMMENT.sub(" ", piece)


def _open_comment(buffer: bytes) -> int:
    """Offset behind which no comment that begins is closed; -1 when none begins there."""
    return buffer.find(b"/*", buffer.rfind(b"*/") + 1) if b"/*" in buffer else -1


def _walk(buffer: bytes) -> tuple[list[int], list[str], list[tuple[int, int]]]:
    """Kinds, texts and offsets, one token after the other, odd ones included."""
    rare = Rare(buffer, len(buffer))
    kinds: list[int] = []
    texts: list[str] = []
    offsets: list[tuple[int, int]] = []

    def add(kind: int, text: str, start: int, end: int) -> int:
        kinds.append(kind)
        texts.append(text)
        offsets.append((start, end))
        return end

    opened = _open_comment(buffer)
    plain = buffer  # where comments are never closed, they are read as // comments, each search being in vain
    if opened >= 0:
        plain = buffer[:opened] + buffer[opened:].replace(b"/*", b"//")
    at = 0
    while True:
        found = TOKEN.match(plain, at)
        assert found is not None, "every byte begins a token, whitespace or the end"
        start, at = found.span(1)
        word = buffer[start:at]
        if not word:
            break
        if word == b"/*":  # never closed: it ends with its line
            at = buffer.find(b"\n", start)
            if at < 0:
                break
            continue
        if word[0] == 0x22:
            if at - start > 1:
                add(STRING, _decode(word[1:-1]), start, at)
                continue
            ended = rare.string(start)
            body = _decode(buffer[start + 1 : ended.stop])
            at = add(STRING, body if ended.literal else _unescape(body), start, ended.end)
            continue
        text = _decode(word)
        kind = _MARKS.get(text.lower(), WORD) if word[0] == 0x2F else WORD
        add(kind, text, start, at)
        if word == b"A2ML" and len(kinds) > 1 and kinds[-2] == BEGIN:
            end, _ = rare.a2ml(at)
            at = add(RAW, _decode(buffer[at:end]), at, end)
    add(EOF, "", len(buffer), len(buffer))
    return kinds, texts, offsets


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _unescape(body: str) -> str:
    if "\\" not in body and '"' not in body:
        return body
    return _ESCAPE.sub(
        lambda m: '"' if m[1] is None else _ESCAPED.get(m[1], m[1]),
        body,
    )


def transcode(data: bytes) -> tuple[bytes, str]:
    """The text of a file as UTF-8 without mark, and the name of its encoding as ``decode_text`` gives it.

    UTF-8 stays as it is, byte for byte, even where it is damaged behind a mark.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        return data[3:], "utf-8-sig"
    if data.isascii() and b"\0" not in data[:4]:
        return data, "utf-8"
    text, name = decode_text(data)
    return (data if name == "utf-8" else text.encode("utf-8", "surrogatepass")), name


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
