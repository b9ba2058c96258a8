"""How a block is declared: links, numbers and arrays as typed fields of a frozen dataclass.

* ``link()`` and ``links()`` go to the link section, in the order of the class body;
* ``u8()`` … ``f64()`` go to the data section, reserved bytes are declared by ``pad``;
* ``counted()`` is a scalar that always equals the length of another field;
* ``array()`` and ``rest()`` follow behind all scalars.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Protocol,
    Self,
    TypeVar,
    cast,
    dataclass_transform,
)

from xcaliper.core.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "HEADER_SIZE",
    "Block",
    "array",
    "block",
    "block_header",
    "counted",
    "f64",
    "i16",
    "i32",
    "i64",
    "link",
    "links",
    "octets",
    "peek_header",
    "rest",
    "u8",
    "u16",
    "u32",
    "u64",
]

HEADER_SIZE: Final = 24
_HEADER: Final = struct.Struct("<4sIQQ")
_LINK: Final = 8


class _Fields(Protocol):
    """What a count rule may look at: the fields decoded so far, by name."""

    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Term:
    """Place of one field: role, struct code, reserved bytes behind it, count rule."""

    role: str
    code: str = ""
    pad: int = 0
    count: Callable[[_Fields], int] | None = None
    of: str = ""
    per: int = 1


def _scalar(code: str, default: float, pad: int) -> Any:
    return field(default=default, metadata={"term": _Term("scalar", code, pad)})


def u8(default: int = 0, *, pad: int = 0) -> Any:
    """Unsigned byte, with ``pad`` reserved bytes behind it."""
    return _scalar("B", default, pad)


def u16(default: int = 0, *, pad: int = 0) -> Any:
    """Unsigned 16 bit."""
    return _scalar("H", default, pad)


def u32(default: int = 0, *, pad: int = 0) -> Any:
    """Unsigned 32 bit."""
    return _scalar("I", default, pad)


def u64(default: int = 0, *, pad: int = 0) -> Any:
    """Unsigned 64 bit."""
    return _scalar("Q", default, pad)


def i16(default: int = 0, *, pad: int = 0) -> Any:
    """Signed 16 bit."""
    return _scalar("h", default, pad)


def i32(default: int = 0, *, pad: int = 0) -> Any:
    """Signed 32 bit."""
    return _scalar("i", default, pad)


def i64(default: int = 0, *, pad: int = 0) -> Any:
    """Signed 64 bit."""
    return _scalar("q", default, pad)


def f64(default: float = 0.0, *, pad: int = 0) -> Any:
    """IEEE double."""
    return _scalar("d", default, pad)


def octets(size: int, default: bytes = b"") -> Any:
    """Exactly ``size`` bytes, zero filled."""
    return field(default=default.ljust(size, b"\0"), metadata={"term": _Term("scalar", f"{size}s")})


def counted(code: str, of: str, *, per: int = 1, pad: int = 0) -> Any:
    """Scalar that equals the number of entries (groups of ``per``) in the field ``of``."""
    return field(
        default=0, init=False, metadata={"term": _Term("count", code, pad, of=of, per=per)}
    )


def link() -> Any:
    """One link."""
    return field(default=0, metadata={"term": _Term("link")})


def links(count: Callable[[_Fields], int]) -> Any:
    """As many links as ``count`` says from the data fields."""
    return field(default=(), metadata={"term": _Term("links", count=count)})


def array(code: str, count: Callable[[_Fields], int]) -> Any:
    """As many numbers as ``count`` says from the fields before it."""
    return field(default=(), metadata={"term": _Term("array", code, count=count)})


def rest() -> Any:
    """All remaining bytes of the block."""
    return field(default=b"", metadata={"term": _Term("rest")})


@dataclass(frozen=True, slots=True)
class _Layout:
    """Compiled terms of one block class."""

    id: bytes
    link_terms: tuple[tuple[str, _Term], ...]
    scalars: tuple[str, ...]
    counts: tuple[tuple[str, str, int], ...]
    fixed: struct.Struct
    offsets: dict[str, int]
    tail: tuple[tuple[str, _Term], ...]
    least_links: int
    link_lists: tuple[str, ...]
    whole: struct.Struct
    values: Callable[[Any], tuple[Any, ...]]


def _getter(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """Function that reads several attributes at once, as a tuple also for one or none."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda block: tuple(getattr(block, name) for name in names)


def _compile(block_id: bytes, cls: type) -> _Layout:
    link_terms: list[tuple[str, _Term]] = []
    scalars: list[str] = []
    counts: list[tuple[str, str, int]] = []
    tail: list[tuple[str, _Term]] = []
    offsets: dict[str, int] = {}
    code = "<"
    for item in fields(cls):
        term: _Term = item.metadata["term"]
        if term.role in {"link", "links"}:
            offsets[item.name] = HEADER_SIZE + _LINK * len(link_terms)
            link_terms.append((item.name, term))
        elif term.role in {"array", "rest"}:
            tail.append((item.name, term))
        else:
            offsets[item.name] = struct.calcsize(code)
            code += term.code + (f"{term.pad}x" if term.pad else "")
            scalars.append(item.name)
            if term.role == "count":
                counts.append((item.name, term.of, term.per))
    singles = tuple(name for name, term in link_terms if term.role == "link")
    lists = tuple(name for name, term in link_terms if term.role == "links")
    assert [name for name, _ in link_terms] == [*singles, *lists], "single links come first"
    return _Layout(
        id=block_id,
        link_terms=tuple(link_terms),
        scalars=tuple(scalars),
        counts=tuple(counts),
        fixed=struct.Struct(code),
        offsets=offsets,
        tail=tuple(tail),
        least_links=len(singles),
        link_lists=lists,
        whole=struct.Struct(f"{_HEADER.format}{len(singles)}Q{code[1:]}"),
        values=_getter((*singles, *scalars)),
    )


class Block:
    """Base of every block with a header."""

    __slots__ = ()
    layout: ClassVar[_Layout]

    def __post_init__(self) -> None:
        for name, of, per in self.layout.counts:
            object.__setattr__(self, name, len(getattr(self, of)) // per)

    @classmethod
    def position(cls, name: str) -> int:
        """Byte position of a link, or of a scalar when all links are single, inside the block."""
        layout = cls.layout
        at = layout.offsets[name]
        if name in layout.scalars:
            assert layout.least_links == len(layout.link_terms), "position depends on the block"
            at += HEADER_SIZE + _LINK * layout.least_links
        return at

    def encode(self) -> bytes:
        """The whole block, header included, without padding behind it."""
        layout = self.layout
        tail = b""
        more: tuple[int, ...] = ()
        try:
            for name in layout.link_lists:
                more += getattr(self, name)
            for name, term in layout.tail:
                value = getattr(self, name)
                tail += (
                    value
                    if term.role == "rest"
                    else struct.pack(f"<{len(value)}{term.code}", *value)
                )
            size = layout.whole.size + _LINK * len(more) + len(tail)
            head = (layout.id, 0, size, layout.least_links + len(more))
            if not more:
                return layout.whole.pack(*head, *layout.values(self)) + tail
            values = layout.values(self)
            singles, scalars = values[: layout.least_links], values[layout.least_links :]
            count = len(singles) + len(more)
            links = struct.pack(f"<{count}Q", *singles, *more)
            return _HEADER.pack(*head) + links + layout.fixed.pack(*scalars) + tail
        except struct.error as error:
            raise WireError(
                layout.id.decode(), need="values in range", got=str(error), what="field"
            ) from None

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a block from bytes that start with its header.

        Raises:
            WireError: wrong id, or lengths and counts that do not fit together.
        """
        layout = cls.layout
        name = layout.id.decode()
        block_id, length, link_count = peek_header(data)
        if block_id != layout.id:
            raise WireError(name, need=name, got=ascii(block_id.decode("latin-1")), what="id")
        body_at = HEADER_SIZE + _LINK * link_count
        if len(data) < length or length < body_at + layout.fixed.size:
            raise WireError(name, need=body_at + layout.fixed.size, got=min(length, len(data)))
        targets = struct.unpack_from(f"<{link_count}Q", data, HEADER_SIZE)
        values: dict[str, Any] = dict(
            zip(layout.scalars, layout.fixed.unpack_from(data, body_at), strict=True)
        )
        cls._decode_tail(values, data[body_at + layout.fixed.size : length])
        cls._decode_links(values, targets)
        for count_name, _, _ in layout.counts:
            del values[count_name]
        return cls(**values)

    @classmethod
    def _decode_tail(cls, values: dict[str, Any], data: bytes) -> None:
        at = 0
        for name, term in cls.layout.tail:
            if term.role == "rest":
                values[name] = data[at:]
                continue
            assert term.count is not None, "arrays carry a count rule"
            count = term.count(values)
            size = count * struct.calcsize(term.code)
            if at + size > len(data):
                raise WireError(cls.layout.id.decode(), need=at + size, got=len(data), what=name)
            values[name] = struct.unpack_from(f"<{count}{term.code}", data, at)
            at += size

    @classmethod
    def _decode_links(cls, values: dict[str, Any], targets: tuple[int, ...]) -> None:
        at = 0
        for name, term in cls.layout.link_terms:
            count = 1 if term.count is None else term.count(values)
            if at + count > len(targets):
                raise WireError(
                    cls.layout.id.decode(), need=at + count, got=len(targets), what="link count"
                )
            part = targets[at : at + count]
            values[name] = part[0] if term.role == "link" else part
            at += count


_B = TypeVar("_B", bound=type)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def block(block_id: bytes) -> Callable[[_B], _B]:
    """Decorator that makes a frozen dataclass of the terms and compiles its layout."""

    def decorate(cls: _B) -> _B:
        made: Any = dataclass(frozen=True, slots=True, kw_only=True)(cls)
        made.layout = _compile(block_id, made)
        return cast("_B", made)  # dataclass() returns the same class, rebuilt with slots

    return decorate


def block_header(block_id: bytes, size: int, link_count: int = 0) -> bytes:
    """Header of a block whose links and data take ``size`` bytes."""
    return _HEADER.pack(block_id, 0, HEADER_SIZE + size, link_count)


def peek_header(data: bytes) -> tuple[bytes, int, int]:
    """Id, length and link count from the first 24 bytes of a block.

    Raises:
        WireError: fewer bytes, or a length that cannot hold header and links.
    """
    if len(data) < HEADER_SIZE:
        raise WireError("block header", need=HEADER_SIZE, got=len(data))
    block_id, _, length, link_count = _HEADER.unpack_from(data)
    if length < HEADER_SIZE + _LINK * link_count:
        raise WireError("block header", need=f"{HEADER_SIZE} + 8·{link_count}", got=length)
    return block_id, length, link_count
