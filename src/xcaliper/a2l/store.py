"""The outline of an opened description as bytes, to open it again without a scan; and text that is read late."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, overload
from zlib import crc32

import numpy as np

from xcaliper.a2l.document import Document, Source
from xcaliper.a2l.lines import Lines
from xcaliper.a2l.names import NameTable
from xcaliper.a2l.outline import Container, Outline
from xcaliper.a2l.parse import A2lFile, read_outline
from xcaliper.a2l.scan import Marks, Scan
from xcaliper.a2l.tokens import Finding
from xcaliper.core.diagnostics import Severity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["LateText", "pack", "unpack"]

_FORMAT: Final = b"xcaliper a2l index 2\n"
_DIGEST_BYTES: Final = 4
_MAX_PEEKS: Final = 200
_MAX_PEEK_BYTES: Final = 1 << 20


class LateText:
    """A text that is read as a whole only when more than a few small parts of it are asked for.

    Args:
        size: its length in bytes.
        peek: gives a part, from an offset and a length.
        load: gives all of it.
    """

    __slots__ = ("_all", "_load", "_peek", "_peeks", "size")

    def __init__(
        self, size: int, peek: Callable[[int, int], bytes], load: Callable[[], bytes]
    ) -> None:
        self.size = size
        self._peek = peek
        self._load = load
        self._peeks = 0
        self._all: bytes | None = None

    def __len__(self) -> int:
        return self.size

    def whole(self) -> bytes:
        """The whole text."""
        if self._all is None:
            self._all = self._load()
        return self._all

    @overload
    def __getitem__(self, index: slice) -> bytes: ...
    @overload
    def __getitem__(self, index: int) -> int: ...
    def __getitem__(self, index: slice | int) -> bytes | int:
        if self._all is None and isinstance(index, slice) and self._peeks < _MAX_PEEKS:
            start, stop, _ = index.indices(self.size)
            if stop - start <= _MAX_PEEK_BYTES:
                self._peeks += 1
                return self._peek(start, max(0, stop - start))
        return self.whole()[index]

    def find(self, part: bytes, start: int = 0, stop: int | None = None) -> int:
        """Offset of the first occurrence, -1 without one."""
        return self.whole().find(part, start, self.size if stop is None else stop)

    def rfind(self, part: bytes, start: int = 0, stop: int | None = None) -> int:
        """Offset of the last occurrence, -1 without one."""
        return self.whole().rfind(part, start, self.size if stop is None else stop)

    def count(self, part: bytes, start: int = 0, stop: int | None = None) -> int:
        """Number of occurrences."""
        return self.whole().count(part, start, self.size if stop is None else stop)


def pack(file: A2lFile) -> bytes | None:
    """What ``unpack`` needs to open the same bytes again; None for texts with includes or other encodings.

    Args:
        file: freshly opened, from bytes.
    """
    document, reading = file.document, file._reading  # noqa: SLF001 -- the other half of parse
    if document is None or reading is None or document.diagnostics or len(document.sources) != 1:
        return None
    source = document.sources[0]
    if source.encoding != "utf-8" or source.data is None or document.scan.includes:
        return None
    if source.old_ends:
        return None
    shape, marks = reading.shape, document.scan.marks
    used = (
        np.unique(
            np.concatenate(
                [np.array([c.begin], np.int64) for c in shape.containers if c.begin >= 0]
                + [c.blocks for c in shape.containers]
            )
        )
        if shape.containers
        else np.empty(0, np.int64)
    )
    columns = [getattr(marks, name)[used] for name in _COLUMNS]
    rows: list[dict[str, Any]] = []
    for one in shape.containers:
        rows.append(
            {
                "key": one.key,
                "parent": one.parent,
                "begin": int(np.searchsorted(used, one.begin)) if one.begin >= 0 else -1,
                "head": one.head,
                "blocks": len(one.blocks),
                "broken": sorted(one.broken),
                "gaps": one.gaps,
            }
        )
        columns += [np.searchsorted(used, one.blocks).astype(np.int64), one.stops.astype(np.int64)]
    head: dict[str, Any] = {
        "stop": document.scan.stop,
        "size": len(document.text),
        "marks": len(used),
        "offsets": marks.starts.dtype.str,
        "containers": rows,
        "findings": [list(f) for f in [*document.scan.findings, *shape.findings]],
    }
    found = zip(reading.found.offsets, reading.found.diagnostics, strict=True)
    head["places"] = [(offset, d.where.line, d.where.column) for offset, d in found]
    names = NameTable.of(reading.all_names())
    columns += [names.stops, names.sums, names.order]
    head["names"] = len(names)
    text = json.dumps(head).encode()
    body = b"".join([len(text).to_bytes(8, "little"), text, *(c.tobytes() for c in columns)])
    body += names.joined
    return _FORMAT + crc32(body).to_bytes(_DIGEST_BYTES, "little") + body


_COLUMNS: Final = (
    "kinds",
    "starts",
    "key_starts",
    "key_stops",
    "first_starts",
    "first_stops",
    "keys",
)


def unpack(packed: bytes, text: bytes | LateText, *, source: str = "") -> A2lFile | None:
    """The description that ``packed`` was made from; None when it is damaged or does not fit the text.

    Args:
        packed: from ``pack``.
        text: the same bytes as then; the caller has made sure of that.
        source: its name, for messages.
    """
    start = len(_FORMAT) + _DIGEST_BYTES
    body = memoryview(packed)[start:]
    digest = crc32(body).to_bytes(_DIGEST_BYTES, "little")
    if packed[:start] != _FORMAT + digest or len(body) < 8:
        return None
    at = 8 + int.from_bytes(body[:8], "little")
    head = json.loads(bytes(body[8:at]))
    if head["size"] != len(text):
        return None

    def column(kind: Any, count: int) -> NDArray[Any]:
        nonlocal at
        made = np.frombuffer(body, kind, count, at)
        at += made.nbytes
        return made

    offset = np.dtype(head["offsets"])
    kinds = (np.uint8, *[offset] * 5, np.uint64)
    marks = Marks(*(column(kind, head["marks"]) for kind in kinds))
    containers: list[Container] = []
    for row in head["containers"]:
        one = Container(row["key"], row["parent"], row["begin"], tuple(row["head"]))
        one.blocks = column(np.int64, row["blocks"])
        one.stops = column(np.int64, row["blocks"])
        one.broken = frozenset(row["broken"])
        one.gaps = [tuple(gap) for gap in row["gaps"]]
        containers.append(one)
    findings = [Finding(f[0], Severity(f[1]), *f[2:]) for f in head["findings"]]
    places = {at: (line, column) for at, line, column in head["places"]}
    whole: Any = text
    read = Source(source, whole, whole, "utf-8", Lines(whole, source, places))
    document = Document.single(read, Scan(marks, findings, [], head["stop"]))
    count = head["names"]
    numbers = [column(kind, count) for kind in (np.int64, np.uint32, np.int32)]
    names = NameTable(bytes(body[at:]), *numbers)
    return read_outline(document, Outline(containers), names=names)
