"""Layout × (byte order, granularity) → cached encode and decode closures."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar, cast

from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import WireError
from xcaliper.wire.layout import AFTER, Layout, Packet, Term, layout_of

__all__ = ["Codec", "codec_for", "decode", "encode"]

P = TypeVar("P", bound=Packet)
_CACHE_SIZE: Final = 4096
_SIZED_CODES: Final = ("", "B", "H", "", "I", "", "", "", "Q")


class _Head(NamedTuple):
    """Neighbouring terms of fixed position that share one struct."""

    struct: struct.Struct
    names: tuple[str, ...]
    terms: tuple[Term, ...]


def _mark(order: ByteOrder, term: Term) -> str:
    return term.order or order.mark


class _Scope(NamedTuple):
    """Where paths find their numbers while one packet is read or written."""

    layout: Layout
    values: dict[str, Any]
    request: Packet | None
    ag: int

    def number(self, path: str) -> int | None:
        """The number that a path names; None when it is not known."""
        if path == "AG":
            return self.ag
        name, _, rest = path.partition(".")
        if name == "request":
            return None if self.request is None else int(getattr(self.request, rest))
        value = self.values[name]
        if not rest or value is None:
            return None if value is None else int(value)
        view = next(term.view for field, term in self.layout.terms if field == name)
        assert view is not None, f"{self.layout.name}.{name}: a path with groups needs a view"
        return int(getattr(view(value), rest))

    def start(self, term: Term, at: int) -> int:
        """Offset of a term when the one before it ended at ``at``."""
        start = at if term.offset == AFTER else term.offset
        step = (self.number(term.align) or 1) if term.align else 1
        return -(-start // step) * step

    def absent(self, term: Term) -> bool:
        """True when a flag says that the term is not there."""
        return bool(term.when) and not self.number(term.when)

    def code(self, term: Term) -> str:
        """Struct letter of a term of one value; empty when its size is 0."""
        if term.kind != "sized":
            return term.code
        told = self.number(term.by) or 0
        size = told
        if term.sizes:
            size = term.sizes[told] if told < len(term.sizes) else -1
        if size == 0:
            return ""
        code = _SIZED_CODES[size] if 0 < size < len(_SIZED_CODES) else ""
        if not code:
            raise WireError(self.layout.name, need="1, 2, 4 or 8 bytes", got=told, what=term.by)
        return code


class Codec:
    """Encodes and decodes one layout for one byte order and granularity.

    Attributes:
        min_size_bytes: a shorter packet is refused.
    """

    __slots__ = (
        "_fixed",
        "_head",
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
        plain = 0
        while plain < len(self.layout.terms) and self.layout.terms[plain][1].is_plain:
            plain += 1
        self._head = _build_head(self.layout, self.layout.terms[:plain], order)
        self._tail = self.layout.terms[plain:]
        self._fixed = tuple(item for item in self.layout.terms if item[1].kind == "fixed")
        self.min_size_bytes = len(self._prefix) + sum(head.struct.size for head in self._head)

    def encode(self, packet: Packet, request: Packet | None = None) -> bytes:
        """The bytes of a packet.

        Args:
            packet: an object of the layout class.
            request: the request that a response answers, for layouts that depend on it.

        Raises:
            WireError: a value does not fit its field.
        """
        out = bytearray(self._prefix)
        try:
            for head in self._head:
                out += head.struct.pack(*[getattr(packet, name) for name in head.names])
            if self._tail:
                values = {name: getattr(packet, name) for name, _ in self.layout.terms}
                scope = _Scope(self.layout, values, request, self.ag)
                ended = ""
                for name, term in self._tail:
                    value = values[name]
                    if value is None and term.optional:
                        ended = ended or name
                    elif ended and value:
                        raise self._wrong(ended, "a value before " + name, None)
                    else:
                        self._encode_term(out, scope, (name, term), value)
        except struct.error as error:
            raise self._wrong("value", str(error), packet) from None
        for name, term in self._fixed:  # struct would cut or fill them silently
            value = getattr(packet, name)
            if value is not None and len(value) != term.size_bytes:
                raise self._wrong(name, f"{term.size_bytes} bytes", value)
        return bytes(out)

    def _wrong(self, what: str, need: object, got: object) -> WireError:
        return WireError(self.layout.name, need=need, got=got, what=what)

    def _encode_term(
        self, out: bytearray, scope: _Scope, field: tuple[str, Term], value: Any
    ) -> None:
        name, term = field
        if term.kind in ("data", "elements"):
            if value:
                _fill(out, scope.start(term, len(out)))
                out += value if term.kind == "data" else self._encode_elements(scope, field, value)
            return
        code = "" if scope.absent(term) else scope.code(term)
        if not code:
            if value is not None:
                raise self._wrong(name, f"nothing, as {term.when or term.by} is 0", value)
            return
        _fill(out, scope.start(term, len(out)))
        out += struct.pack(_mark(self.order, term) + code, value)

    def _encode_elements(self, scope: _Scope, field: tuple[str, Term], value: Any) -> bytes:
        name, term = field
        count = scope.number(term.count) if term.count else len(value)
        if count is not None and count != len(value):
            raise self._wrong(name, f"{count} elements, as {term.count} says", len(value))
        codec = codec_for(cast("type[Packet]", term.element), self.order, self.ag)
        return b"".join(codec.encode(item).ljust(codec.min_size_bytes, b"\0") for item in value)

    def decode(self, packet: bytes, request: Packet | None = None) -> Any:
        """The packet object; longer packets are accepted, reserved bytes ignored.

        Args:
            packet: bytes from the packet identifier on.
            request: the request that a response answers, for layouts that depend on it.

        Raises:
            WireError: too short, or another packet identifier.
        """
        if self.layout.choice is not None:
            return self._chosen(packet, request).decode(packet, request)
        if len(packet) < self.min_size_bytes:
            raise self._wrong("length", f"{self.min_size_bytes} bytes", len(packet))
        prefix = self._prefix
        if prefix and packet[: len(prefix)] != prefix:
            raise self._wrong("identifier", prefix.hex(" "), packet[: len(prefix)].hex(" "))
        values: dict[str, Any] = {}
        at = len(prefix)
        for head in self._head:
            for name, term, value in zip(
                head.names, head.terms, head.struct.unpack_from(packet, at), strict=True
            ):
                values[name] = value if term.view is None else term.view(value)
            at += head.struct.size
        if self._tail:
            scope = _Scope(self.layout, values, request, self.ag)
            for name, term in self._tail:
                values[name], at = self._decode_term(packet, scope, term, at)
        return self.cls(**values)

    def _chosen(self, packet: bytes, request: Packet | None) -> Codec:
        choice = self.layout.choice
        assert choice is not None  # callers checked
        source, _, name = choice.by.partition(".")
        number: int | None = None
        if source == "packet" and int(name) < len(packet):
            number = packet[int(name)]
        elif source == "request" and request is not None:
            number = int(getattr(request, name))
        case = choice.default if number is None else choice.cases.get(number, choice.default)
        return codec_for(case, self.order, self.ag)

    def _decode_term(self, packet: bytes, scope: _Scope, term: Term, at: int) -> tuple[Any, int]:
        """Value of a term and the offset behind it."""
        if scope.absent(term):
            return None, at
        start = scope.start(term, at)
        if term.kind == "data":
            rest = bytes(packet[start:])
            count = scope.number(term.count) if term.count else None
            if count is not None:
                rest = rest[: count * ((scope.number(term.scale) or 1) if term.scale else 1)]
            return rest, start + len(rest)
        if term.kind == "elements":
            return self._decode_elements(packet, scope, term, start)
        code = scope.code(term)
        if not code:
            return None, at
        full = _mark(self.order, term) + code
        end = start + struct.calcsize(full)
        if len(packet) < end:
            if term.optional:
                return None, at
            raise self._wrong("length", f"{end} bytes", len(packet))
        value = struct.unpack_from(full, packet, start)[0]
        return (value if term.view is None else term.view(value)), end

    def _decode_elements(
        self, packet: bytes, scope: _Scope, term: Term, start: int
    ) -> tuple[Any, int]:
        codec = codec_for(cast("type[Packet]", term.element), self.order, self.ag)
        size = codec.min_size_bytes
        room = max(0, len(packet) - start) // size
        count = scope.number(term.count) if term.count else None
        if count is None:
            count = room
        end = start + count * size
        if count > room:
            raise self._wrong("length", f"{end} bytes", len(packet))
        starts = range(start, end, size)
        return tuple(codec.decode(packet[here : here + size]) for here in starts), end


def _fill(out: bytearray, offset: int) -> None:
    if len(out) < offset:
        out += bytes(offset - len(out))


def _build_head(
    layout: Layout, plain: tuple[tuple[str, Term], ...], order: ByteOrder
) -> tuple[_Head, ...]:
    """Group terms of fixed position into structs; a change of byte order starts a new one."""
    heads: list[_Head] = []
    position = len(layout.prefix)
    run: list[tuple[str, Term]] = []
    fmt = ""
    mark = ""
    for name, term in plain:
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


def encode(
    packet: Packet,
    order: ByteOrder = ByteOrder.INTEL,
    ag: int = 1,
    *,
    request: Packet | None = None,
) -> bytes:
    """The bytes of a packet.

    Raises:
        WireError: a value does not fit its field.
    """
    return codec_for(type(packet), order, ag).encode(packet, request)


def decode(
    cls: type[P],
    packet: bytes,
    order: ByteOrder = ByteOrder.INTEL,
    ag: int = 1,
    *,
    request: Packet | None = None,
) -> P:
    """The packet object of a layout class; of a subclass where the base class has a choice.

    Raises:
        WireError: the bytes do not fit the layout.
    """
    found: P = codec_for(cls, order, ag).decode(packet, request)
    return found
