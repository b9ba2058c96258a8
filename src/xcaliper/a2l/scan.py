"""The marks of a text: every ``/begin`` and ``/end`` with its keyword and the token behind it.

One driver, two engines with equal results: ``re`` here, and a numba kernel for large texts. Both know the common tokens
only; what is rare (strings over lines, A2ML payloads, includes, comments without end) they hand to the driver.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from xcaliper.a2l.tokens import (
    A2ML_INCLUDE,
    BEGIN,
    END,
    INCLUDE_NAME,
    INNER_WORD,
    SKIP,
    TOKEN,
    Finding,
    Rare,
)
from xcaliper.core.diagnostics import Severity
from xcaliper.core.progress import Progress

__all__ = ["FAST_FROM_BYTES", "Engine", "Include", "Marks", "Scan", "fnv", "scan", "step"]

Engine = Literal["auto", "re", "fast"]

SCANNED: Final = "bytes scanned"
FAST_FROM_BYTES: Final = 2_000_000
"""Size from which the kernel pays for its import."""

DONE: Final = 0
FULL: Final = 1
ODD: Final = 2
OPEN: Final = 3
A2ML: Final = 4
INCLUDE: Final = 5

_CAPACITY: Final = 1 << 16
MAX_FINDINGS: Final = 1001

_JUMP: Final = re.compile(
    rb'(?:[^"/]++|"[^"\\\n]*+"(?!")|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/'
    rb"|/(?![*/]|(?i:begin|end|include)))*+"
)
_BLOCK: Final = re.compile(
    _JUMP.pattern
    + rb'(?<=[\t-\r\x1c-\x20"])(/(?i:begin|end)(?![0-9A-Za-z_]))'
    + SKIP
    + rb"("
    + INNER_WORD
    + rb")(?:"
    + SKIP
    + rb"("
    + INNER_WORD
    + rb'|"[^"\\\n]*+"(?!")))?+'
)
"""What leads to a mark in its usual form, the mark, its keyword, and the token behind it."""
_PLAIN_STRING: Final = re.compile(rb'"[^"\\\n]*+"(?!")')
_MARK: Final = re.compile(rb"/(begin|end|include)(?![0-9A-Za-z_])", re.IGNORECASE)
_INNER_MARK: Final = re.compile(
    rb"/(begin|end)(?=(?:[\t-\r\x1c-\x20]|\xc2[\x85\xa0]|\xef\xbb\xbf)++[0-9A-Za-z_\x80-\xff])",
    re.IGNORECASE,
)
_SPACES: Final = bytes([*range(9, 14), *range(0x1C, 0x21)])
_ENDS: Final = (b"\xc2\x85", b"\xc2\xa0", b"\xef\xbb\xbf", b'"', b"*/")


@dataclass(slots=True)
class Marks:
    """Every block mark, in order; offsets are -1 where there is no such token.

    Attributes:
        kinds: uint8[n], BEGIN or END.
        starts: int32[n] or int64[n], offset of the slash.
        key_starts: int32[n] or int64[n], start of the keyword.
        key_stops: int32[n] or int64[n], its end; the end of the mark when there is no keyword.
        first_starts: int32[n] or int64[n], start of the next word or string before the next mark.
        first_stops: int32[n] or int64[n], its end.
        keys: uint64[n], ``fnv`` of the keyword; 0 without.
    """

    kinds: NDArray[np.uint8]
    starts: NDArray[np.signedinteger[Any]]
    key_starts: NDArray[np.signedinteger[Any]]
    key_stops: NDArray[np.signedinteger[Any]]
    first_starts: NDArray[np.signedinteger[Any]]
    first_stops: NDArray[np.signedinteger[Any]]
    keys: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.kinds)


@dataclass(frozen=True, slots=True)
class Include:
    """An ``/include``: its place, and the name it asks for.

    Attributes:
        start: offset of the slash.
        stop: offset behind the name.
        name: what is included.
        a2ml: it stands inside an A2ML block and is not read.
    """

    start: int
    stop: int
    name: str
    a2ml: bool = False


@dataclass(slots=True)
class Scan:
    """What a scan found.

    Attributes:
        marks: the block marks.
        findings: what was odd about the tokens.
        includes: the includes, in order.
        stop: where reading ended.
        own_stop: where the part ends that cannot reach into another text: the start of a comment without end.
    """

    marks: Marks
    findings: list[Finding] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)
    stop: int = 0
    own_stop: int = 0


def fnv(word: bytes) -> int:
    """FNV-1a, 64 bits, of a keyword."""
    made = 0xCBF29CE484222325
    for byte in word:
        made = (made ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return made


def scan(buffer: bytes, *, engine: Engine = "auto", progress: Progress | None = None) -> Scan:
    """Find the marks of a text.

    Args:
        buffer: the text, UTF-8.
        engine: ``fast`` needs the extra of that name and falls back to ``re``; ``auto`` takes it for large texts.
        progress: told how many bytes are scanned, for large texts.
    """
    kernel: Callable[..., Any] | None = None
    if engine == "fast" or (engine == "auto" and len(buffer) >= FAST_FROM_BYTES):
        from xcaliper.a2l.kernels import compiled_step

        kernel = compiled_step()
    if kernel is None:
        return _Driver(buffer, step, buffer, as_arrays=False).run(progress)
    return _Driver(buffer, kernel, np.frombuffer(buffer, np.uint8), as_arrays=True).run(progress)


class _Driver:
    """Work in progress of one ``scan``."""

    def __init__(
        self, buffer: bytes, engine: Callable[..., Any], codes: Any, *, as_arrays: bool
    ) -> None:
        self.buffer = buffer
        self.engine = engine
        self.codes = codes
        self.as_arrays = as_arrays
        self.rare = Rare(buffer, len(buffer))
        self.findings: list[Finding] = []
        self.includes: list[Include] = []
        offset = np.int32 if len(buffer) < 1 << 31 else np.int64
        self.types: tuple[Any, ...] = (np.uint8, *[offset] * 5, np.uint64)
        self.chunks: list[list[NDArray[Any]]] = [[np.empty(0, kind)] for kind in self.types]
        self.columns: list[Any] = []
        self.want = 0
        self.count = 0

    def run(self, progress: Progress | None) -> Scan:
        stop = own_stop = len(self.buffer)
        at = 0
        capacity = min(_CAPACITY, len(self.buffer) // 4 + 16)
        self.columns = [
            np.zeros(capacity, kind) if self.as_arrays else [0] * capacity for kind in self.types
        ]
        while True:
            at, self.want, self.count, status = self.engine(
                self.codes, stop, at, self.want, self.count, capacity, *self.columns
            )
            if status == DONE:
                break
            if status == OPEN:
                own_stop = at
                at = self.open_comment(at)
                continue
            at = self.rare_token(status, at)
            if progress is not None and status == FULL:
                progress(SCANNED, at, len(self.buffer))
        self.flush()
        made = Marks(*(np.concatenate(chunks) for chunks in self.chunks))
        return Scan(made, self.findings, self.includes, stop, own_stop)

    def flush(self) -> None:
        """Move the marks of this round to the result."""
        for chunks, column, kind in zip(self.chunks, self.columns, self.types, strict=True):
            chunks.append(np.array(column[: self.count], dtype=kind))
        self.count = 0

    def found(self, finding: Finding | None) -> None:
        if finding is not None and len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)

    def rare_token(self, status: int, at: int) -> int:
        """Handle what the engines do not; gives the offset to go on from."""
        if status == FULL:
            self.flush()
            return at
        want, self.want = self.want, 0
        if status == ODD:
            ended = self.rare.string(at)
            self.found(ended.finding)
            if want == 2:
                self.columns[4][self.count - 1] = at
                self.columns[5][self.count - 1] = ended.end
            return ended.end
        if status == A2ML:
            return self.a2ml(at)
        return self.include(at)

    def open_comment(self, at: int) -> int:
        """A comment that nothing closes ends with its line, and so do all behind it: they become ``//`` here."""
        plain = self.buffer[:at] + self.buffer[at:].replace(b"/*", b"//")
        self.codes = np.frombuffer(plain, np.uint8) if self.as_arrays else plain
        self.found(
            Finding(
                at,
                Severity.ERROR,
                "comment-open",
                "Comment: it is never closed; it was ended with its line.",
                "Add */.",
            )
        )
        return at

    def a2ml(self, at: int) -> int:
        stop, finding = self.rare.a2ml(at)
        self.found(finding)
        for one in A2ML_INCLUDE.finditer(self.buffer, at, stop):
            name = one[1] or one[2]
            if name:
                self.includes.append(
                    Include(one.start(), one.end(), name.decode("utf-8", "replace"), a2ml=True)
                )
        return stop

    def include(self, at: int) -> int:
        behind = at + len(b"/include")
        named = INCLUDE_NAME.match(self.buffer, behind)
        if named is None:
            self.found(
                Finding(
                    at,
                    Severity.ERROR,
                    "include-unnamed",
                    "/include: the name is missing.",
                    "Add the name of the file in quotes.",
                )
            )
            self.includes.append(Include(at, behind, ""))
            return behind
        name = named[1] if named[1] is not None else named[2]
        self.includes.append(Include(at, named.end(), name.decode("utf-8", "replace")))
        return named.end()


def _memo() -> Callable[[bytes], int]:
    known: dict[bytes, int] = {}

    def hashed(word: bytes) -> int:
        made = known.get(word)
        if made is None:
            made = known[word] = fnv(word)
        return made

    return hashed


def step(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 -- one state machine, as in kernels.py
    buffer: bytes,
    stop: int,
    at: int,
    want: int,
    count: int,
    capacity: int,
    kinds: list[int],
    starts: list[int],
    key_starts: list[int],
    key_stops: list[int],
    first_starts: list[int],
    first_stops: list[int],
    keys: list[int],
) -> tuple[int, int, int, int]:
    """Add marks until something rare comes up: offset, what is wanted next, count and why it stopped.

    ``want`` is 1 when the keyword of the last mark may follow, 2 when the first token behind it may, else 0.
    """
    hashed = _memo()
    edge = at
    while True:
        if want:
            found = TOKEN.match(buffer, at, stop)
            assert found is not None, "every byte begins a token, whitespace or the end"
            begin, at = found.span(1)
            edge = begin
        else:
            usual = _BLOCK.match(buffer, at, stop)
            if usual:
                _, mark_at, key_at, first_at = usual.regs
                if count == capacity:
                    return mark_at[0], want, count, FULL
                kinds[count] = BEGIN if mark_at[1] - mark_at[0] == 6 else END
                starts[count] = mark_at[0]
                key_starts[count], key_stops[count] = key_at
                word = buffer[key_at[0] : key_at[1]]
                keys[count] = hashed(word)
                if word == b"A2ML" and kinds[count] == BEGIN:
                    first_starts[count] = first_stops[count] = -1
                    return key_at[1], 2, count + 1, A2ML
                first_starts[count], first_stops[count] = first_at
                count += 1
                want = 2 if first_at[1] < 0 else 0
                at = edge = key_at[1] if want else first_at[1]
                continue
            jumped = _JUMP.match(buffer, at, stop)
            assert jumped is not None, "nothing to jump over is a match too"
            begin = jumped.end()
        if begin >= stop:
            return stop, want, count, DONE
        first = buffer[begin]
        if first == 0x22:
            string = _PLAIN_STRING.match(buffer, begin, stop)
            if string is None:
                return begin, want, count, ODD
            at = edge = string.end()
            if want == 2:
                first_starts[count - 1] = begin
                first_stops[count - 1] = at
            want = 0
            continue
        if first == 0x2F:
            following = buffer[begin + 1 : begin + 2]
            if following == b"/":
                at = buffer.find(b"\n", begin, stop)
                at = edge = stop if at < 0 else at
                continue
            if following == b"*":
                at = edge = buffer.find(b"*/", begin + 2, stop) + 2
                if at == 1:
                    return begin, want, count, OPEN
                continue
            mark = (
                _MARK.match(buffer, begin, stop)
                if begin == edge or _behind_token(buffer, begin)
                else _INNER_MARK.match(buffer, begin, stop)
            )
            if mark:
                length = mark.end() - begin
                if length == 8:
                    return begin, want, count, INCLUDE
                if count == capacity:
                    return begin, want, count, FULL
                kinds[count] = BEGIN if length == 6 else END
                starts[count] = begin
                key_starts[count] = first_starts[count] = first_stops[count] = -1
                key_stops[count] = at = edge = mark.end()
                keys[count] = 0
                count += 1
                want = 1
                continue
            if not want:
                at, edge = begin + 1, -1
                continue
        edge = at
        if want == 1:
            word = buffer[begin:at]
            key_starts[count - 1] = begin
            key_stops[count - 1] = at
            keys[count - 1] = hashed(word)
            want = 2
            if word == b"A2ML" and kinds[count - 1] == BEGIN:
                return at, want, count, A2ML
        else:
            first_starts[count - 1] = begin
            first_stops[count - 1] = at
            want = 0


def _behind_token(buffer: bytes, at: int) -> bool:
    """True when no word goes on at an offset: behind whitespace, a string or a comment."""
    return buffer[at - 1] in _SPACES or buffer[max(0, at - 3) : at].endswith(_ENDS)
