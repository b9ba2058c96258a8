"""Lines of Intel HEX and S-record files ↔ records, each line checked by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Record", "pack", "records"]

_MAX_LINE: Final = 600
_DAMAGED: Final = "The file is damaged; make it anew."

_SHORTEST: Final = {0: 10, 1: 10, 2: 12, 3: 14, 5: 10, 6: 12, 7: 14, 8: 12, 9: 10}
"""Type of an S-record → characters of the shortest one."""

_KINDS: Final = {
    "srec": {
        0: "header",
        **dict.fromkeys((1, 2, 3), "data"),
        **dict.fromkeys((5, 6), "count"),
        **dict.fromkeys((7, 8, 9), "start"),
    },
    "ihex": {0: "data", 1: "end", 2: "base", 3: "start", 4: "base", 5: "start"},
}


@dataclass(frozen=True, slots=True)
class Record:
    """One line.

    Attributes:
        kind: ``data``, ``base``, ``start``, ``header``, ``count`` or ``end``.
        address: of the data, bases added; as the line says it for everything else.
        data: its bytes.
        code: type as the line says it.
        line: number in its file, from 1.
        offset: address as the line says it.
    """

    kind: str
    address: int
    data: bytes
    code: int
    line: int = 0
    offset: int = -1


def pack(format: str, record: Record) -> str:  # noqa: A002  # the word that users give
    """A record as its line, without the line end."""
    import bincopy

    address = record.offset if record.offset >= 0 else record.address
    size = len(record.data)
    if format == "ihex":
        return str(bincopy.pack_ihex(record.code, address, size, record.data))
    return str(bincopy.pack_srec(str(record.code), address, size, record.data))


def records(data: bytes, format: str, source: str = "") -> Iterator[Record]:  # noqa: A002
    """Every record of a file, bases added.

    Args:
        data: the file.
        format: ``ihex`` or ``srec``.
        source: its name, for messages.

    Raises:
        ImageError: a line is damaged, or something stands behind the end.
    """
    read = _ihex(source) if format == "ihex" else _srec(source)
    ended = 0
    for number, raw in enumerate(data.splitlines(), 1):
        text = raw.strip(b" \t\x00\x1a\x0c")
        if number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        if not text:
            continue
        if ended:
            raise ImageError(
                f"there is more behind the end record of line {ended}.",
                source=source,
                line=number,
                hint="Two files may have been joined; read each by itself.",
            )
        made = read(text, number)
        if made.kind == "end" or (format == "srec" and made.kind == "start"):
            ended = number
        yield made


def _damaged(reason: str, source: str, line: int) -> ImageError:
    return ImageError(reason, source=source, line=line, hint=_DAMAGED)


def _unpack(text: bytes, format: str, source: str, line: int) -> tuple[int, int, bytes]:  # noqa: A002
    """Type, address and bytes of a line, its length and check sum right."""
    import bincopy

    if len(text) > _MAX_LINE:
        raise _damaged(f"a line of {len(text)} characters is no record", source, line)
    unpack = bincopy.unpack_ihex if format == "ihex" else bincopy.unpack_srec
    try:
        code, address, _, data = unpack(text.decode("ascii"))
    except bincopy.Error as error:
        raise _damaged(f"{error}.", source, line) from None
    except (ValueError, IndexError):
        shown = text[:40].decode("ascii", "replace")
        raise _damaged(f"{shown!r} is no record.", source, line) from None
    kind = int(code)
    if kind not in _KINDS[format]:
        raise _damaged(f"there is no record type {kind}.", source, line)
    return kind, address, bytes(data)


def _srec(source: str) -> Callable[[bytes, int], Record]:
    count = 0

    def read(text: bytes, line: int) -> Record:
        nonlocal count
        code, address, data = _unpack(text, "srec", source, line)
        if len(text) < _SHORTEST[code]:
            raise _damaged(f"an S{code} record has no room for its address.", source, line)
        kind = _KINDS["srec"][code]
        count += kind == "data"
        if kind == "count" and address != count:
            text_ = f"the file counts {address} records of data, there are {count}."
            raise _damaged(text_, source, line)
        if kind == "start":
            data = address.to_bytes(4, "big")
        return Record(kind, address, data, code, line, address)

    return read


def _ihex(source: str) -> Callable[[bytes, int], Record]:
    base, segmented = 0, False

    def read(text: bytes, line: int) -> Record:
        nonlocal base, segmented
        code, offset, data = _unpack(text, "ihex", source, line)
        kind = _KINDS["ihex"][code]
        if (kind == "base" and len(data) != 2) or (kind == "start" and len(data) != 4):
            raise _damaged(f"a record of type {code} has {len(data)} bytes.", source, line)
        if kind == "base":
            base = int.from_bytes(data, "big") << (16 if code == 4 else 4)
            segmented = code == 2
        if kind == "data" and segmented and offset + len(data) > 0x1_0000:
            raise _damaged("the record leaves its segment of 64 KiB.", source, line)
        address = base + offset if kind == "data" else offset
        return Record(kind, address, data, code, line, offset)

    return read
