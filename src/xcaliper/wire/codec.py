"""Layout × (byte order, granularity) → cached encode and decode closures."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar, cast

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import WireError
from xcaliper.wire.layout import Layout, Packet, Term, layout_of

__all__ = ["Codec", "codec_for", "decode", "encode"]

P = TypeVar("P", bound=Packet)
_CACHE_SIZE: Final = 4096


class _Head(NamedTuple):
    """Terms of fixed position that share one struct."""

    struct: struct.Struct
    names: tuple[str, ...]
    terms: tuple[Term, ...]


class _Tail(NamedTuple):
    """One term of variable size, at its final offset."""

    name: str
    term: Term
    offset: int


def _mark(order: ByteOrder, term: Term) -> str:
    return "<" if term.little else order.mark


class Codec:
    """Encodes and decodes one layout for one byte order and granularity.

    Attributes:
        min_size_bytes: a shorter packet is refused.
    """

    __slots__ = (
        "_head",
        "_optional",
        "_prefix",
        "_tail",
        "ag",
        "cls",
        "layout",
        "min_size_bytes",
        "order",
    )

    def __init__(self, cls: type[Packet], order: ByteOrder, ag: int) -> None:
        self.cls = cls
        self.layout: Layout = layout_of(cls)
        self.order = order
        self.ag = ag
        self._prefix = self.layout.prefix
        placed = sorted(self.layout.terms, key=lambda item: item[1].offset)
        sized = [i for i in placed if i[1].kind in ("int", "float", "fixed")]
        self._optional = tuple(i for i in sized if i[1].optional)
        self._head = _build_head(self.layout, [i for i in sized if not i[1].optional], order)
        self._tail = tuple(
            _Tail(name, term, -(-term.offset // ag) * ag if term.aligned else term.offset)
            for name, term in placed
            if term.kind in ("data", "elements")
        )
        self.min_size_bytes = max(sum(head.struct.size for head in self._head), len(self._prefix))

    def encode(self, packet: Packet) -> bytes:
        """The bytes of a packet.

        Raises:
            WireError: a value does not fit its field.
        """
        out = bytearray(self._prefix)
        try:
            for head in self._head:
                out += head.struct.pack(*[getattr(packet, name) for name in head.names])
            for name, term in self._optional:
                value = getattr(packet, name)
                if value is None:
                    break
                _fill(out, term.offset)
                out += struct.pack(_mark(self.order, term) + term.code, value)
            for tail in self._tail:
                self._encode_tail(out, tail, getattr(packet, tail.name))
        except struct.error as error:
            raise WireError(
                self.layout.name, need=str(error), got=repr(packet), what="value"
            ) from None
        return bytes(out)

    def _encode_tail(self, out: bytearray, tail: _Tail, value: Any) -> None:
        if not value:
            return
        _fill(out, tail.offset)
        if tail.term.kind == "data":
            out += value
            return
        codec = codec_for(cast("type[Packet]", tail.term.element), self.order, self.ag)
        for item in value:
            part = codec.encode(item)
            out += part.ljust(codec.min_size_bytes, b"\0")

    def decode(self, packet: bytes, request: Packet | None = None) -> Any:
        """The packet object; longer packets are accepted, reserved bytes ignored.

        Args:
            packet: bytes from the packet identifier on.
            request: the request that a response answers, for layouts that are counted by it.

        Raises:
            WireError: too short, or another packet identifier.
        """
        if len(packet) < self.min_size_bytes:
            raise WireError(self.layout.name, need=f"{self.min_size_bytes} bytes", got=len(packet))
        prefix = self._prefix
        if prefix and packet[: len(prefix)] != prefix:
            raise WireError(
                self.layout.name,
                need=prefix.hex(" "),
                got=packet[: len(prefix)].hex(" "),
                what="identifier",
            )
        values: dict[str, Any] = {}
        at = len(prefix)
        for head in self._head:
            for name, term, value in zip(
                head.names, head.terms, head.struct.unpack_from(packet, at), strict=True
            ):
                values[name] = value if term.view is None else term.view(value)
            at += head.struct.size
        for name, term in self._optional:
            values[name] = None
            if len(packet) >= term.offset + term.size_bytes:
                raw = struct.unpack_from(_mark(self.order, term) + term.code, packet, term.offset)
                values[name] = raw[0] if term.view is None else term.view(raw[0])
        for tail in self._tail:
            values[tail.name] = self._decode_tail(packet, tail, values, request)
        return self.cls(**values)

    def _decode_tail(
        self, packet: bytes, tail: _Tail, values: dict[str, Any], request: Packet | None
    ) -> Any:
        count = _count_of(tail.term, values, request)
        if tail.term.kind == "data":
            rest = bytes(packet[tail.offset :])
            if count is None:
                return rest
            return rest[: count * (self.ag if tail.term.unit == "AG" else 1)]
        codec = codec_for(cast("type[Packet]", tail.term.element), self.order, self.ag)
        size = codec.min_size_bytes
        room = max(0, len(packet) - tail.offset) // size
        if count is None:
            count = room
        if count > room:
            raise WireError(
                self.layout.name, need=f"{tail.offset + count * size} bytes", got=len(packet)
            )
        starts = range(tail.offset, tail.offset + count * size, size)
        return tuple(codec.decode(packet[at : at + size]) for at in starts)


def _count_of(term: Term, values: dict[str, Any], request: Packet | None) -> int | None:
    if not term.count:
        return None
    if term.count.startswith("request."):
        return None if request is None else int(getattr(request, term.count[8:]))
    count = values[term.count]
    return None if count is None else int(count)


def _fill(out: bytearray, offset: int) -> None:
    if len(out) < offset:
        out += bytes(offset - len(out))


def _build_head(
    layout: Layout, placed: list[tuple[str, Term]], order: ByteOrder
) -> tuple[_Head, ...]:
    """Group terms of fixed position into structs; a change of byte order starts a new one."""
    heads: list[_Head] = []
    position = len(layout.prefix)
    run: list[tuple[str, Term]] = []
    fmt = ""
    mark = ""
    for name, term in placed:
        assert term.offset >= position, f"{layout.name}.{name} overlaps the field before it"
        here = _mark(order, term)
        if mark and here != mark and term.size_bytes > 1 and term.kind != "fixed":
            heads.append(_head(mark, fmt, run))
            run, fmt, mark = [], "", here
        mark = mark or here
        gap = term.offset - position
        fmt += (f"{gap}x" if gap else "") + term.code
        run.append((name, term))
        position = term.offset + term.size_bytes
    if run:
        heads.append(_head(mark, fmt, run))
    return tuple(heads)


def _head(mark: str, fmt: str, run: list[tuple[str, Term]]) -> _Head:
    return _Head(struct.Struct(mark + fmt), tuple(n for n, _ in run), tuple(t for _, t in run))


@lru_cache(maxsize=_CACHE_SIZE)
def _cached(cls: Any, order: ByteOrder, ag: int) -> Codec:
    return Codec(cls, order, ag)


def codec_for(cls: type[Packet], order: ByteOrder = ByteOrder.INTEL, ag: int = 1) -> Codec:
    """The codec of a layout class; built once per byte order and granularity."""
    key: Any = cls
    return _cached(key, order, ag)


def encode(packet: Packet, order: ByteOrder = ByteOrder.INTEL, ag: int = 1) -> bytes:
    """The bytes of a packet.

    Raises:
        WireError: a value does not fit its field.
    """
    return codec_for(type(packet), order, ag).encode(packet)


def decode(
    cls: type[P],
    packet: bytes,
    order: ByteOrder = ByteOrder.INTEL,
    ag: int = 1,
    *,
    request: Packet | None = None,
) -> P:
    """The packet object of a layout class.

    Raises:
        WireError: the bytes do not fit the layout.
    """
    found: P = codec_for(cls, order, ag).decode(packet, request)
    return found
