"""ELF files with debug information made byte by byte, in either byte order, for cases no compiler at hand gives."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

TAGS = {
    "array": 0x01, "enum": 0x04, "member": 0x0D, "pointer": 0x0F, "cu": 0x11, "struct": 0x13, "typedef": 0x16,
    "union": 0x17, "subrange": 0x21, "base": 0x24, "const": 0x26, "enumerator": 0x28, "variable": 0x34,
    "volatile": 0x35, "namespace": 0x39, "tu": 0x41, "subprogram": 0x2E, "inheritance": 0x1C, "class": 0x02,
}  # fmt: skip
#: attribute: (number, form)
ATTRIBUTES = {
    "name": (0x03, "string"), "size": (0x0B, "udata"), "bit_offset_old": (0x0C, "udata"), "bit_size": (0x0D, "udata"),
    "language": (0x13, "data1"), "const_value": (0x1C, "sdata"), "upper": (0x2F, "udata"), "count": (0x37, "udata"),
    "offset": (0x38, "udata"), "offset_expr": (0x38, "block1"), "declaration": (0x3C, "flag"),
    "encoding": (0x3E, "data1"), "external": (0x3F, "flag"), "specification": (0x47, "ref4"), "type": (0x49, "ref4"),
    "location": (0x02, "block1"), "bit_offset": (0x6B, "udata"), "linkage": (0x6E, "string"),
    "addr_base": (0x73, "sec_offset"), "signature": (0x69, "ref_sig8"), "abstract_origin": (0x31, "ref4"),
}  # fmt: skip
FORMS = {
    "string": 0x08, "udata": 0x0F, "sdata": 0x0D, "data1": 0x0B, "block1": 0x0A, "flag": 0x0C, "ref4": 0x13,
    "sec_offset": 0x17, "ref_sig8": 0x20,
}  # fmt: skip


def uleb(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def sleb(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        if (value == 0 and not byte & 0x40) or (value == -1 and byte & 0x40):
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


@dataclass
class Die:
    """One entry; references name the entry's key."""

    tag: str
    key: str = ""
    children: list[Die] = field(default_factory=list)
    attributes: dict[str, object] = field(default_factory=dict)


def die(tag: str, key: str = "", *children: Die, **attributes: object) -> Die:
    return Die(tag, key, list(children), attributes)


class Maker:
    """Builds one compile unit (and sections around it) for a target."""

    def __init__(self, *, big: bool = False, wide: bool = False, version: int = 4) -> None:
        self.mark = ">" if big else "<"
        self.wide = wide
        self.version = version
        self.address_size = 8 if wide else 4

    def pack(self, code: str, *values: int) -> bytes:
        return struct.pack(self.mark + code, *values)

    def address(self, value: int) -> bytes:
        return self.pack("Q" if self.wide else "I", value)

    def at(self, value: int) -> bytes:
        """DW_OP_addr."""
        return b"\x03" + self.address(value)

    def unit(self, top: Die) -> tuple[bytes, bytes]:
        """.debug_info and .debug_abbrev."""
        flat: list[Die] = []

        def collect(node: Die) -> None:
            flat.append(node)
            for child in node.children:
                collect(child)

        collect(top)
        abbrev = b""
        for code, node in enumerate(flat, 1):
            abbrev += uleb(code) + uleb(TAGS[node.tag]) + bytes([bool(node.children)])
            for name in node.attributes:
                number, form = ATTRIBUTES[name]
                abbrev += uleb(number) + uleb(FORMS[form])
            abbrev += b"\0\0"
        abbrev += b"\0"
        head = 12 if self.version >= 5 else 11
        places: dict[str, int] = {}
        body = b""
        for _ in range(2):  # references know their target in the second round
            body = self.body(top, flat, places, head)
        length = len(body) + head - 4
        if self.version >= 5:
            header = self.pack("IHBBI", length, self.version, 1, self.address_size, 0)
        else:
            header = self.pack("IHIB", length, self.version, 0, self.address_size)
        return header + body, abbrev

    def body(self, top: Die, flat: list[Die], places: dict[str, int], head: int) -> bytes:
        out = bytearray()

        def emit(node: Die) -> None:
            if node.key:
                places[node.key] = head + len(out)
            out.extend(uleb(next(n for n, d in enumerate(flat, 1) if d is node)))
            for name, value in node.attributes.items():
                out.extend(self.value(ATTRIBUTES[name][1], value, places))
            if node.children:
                for child in node.children:
                    emit(child)
                out.append(0)

        emit(top)
        return bytes(out)

    def value(self, form: str, value: object, places: dict[str, int]) -> bytes:
        if form == "string":
            return str(value).encode() + b"\0"
        if form == "ref4":
            return self.pack("I", places.get(str(value), 0))
        if form == "block1":
            assert isinstance(value, bytes)
            return bytes([len(value)]) + value
        assert isinstance(value, int)
        made = {
            "udata": uleb,
            "sdata": sleb,
            "data1": lambda v: bytes([v]),
            "flag": lambda v: bytes([v]),
        }
        return made[form](value) if form in made else self.pack("I", value)

    def elf(
        self,
        top: Die,
        symbols: tuple[tuple[str, int, int], ...] = (),
        extra: dict[str, bytes] | None = None,
    ) -> bytes:
        """The file; symbols are (name, address, size) in a data section from 0x1000 on."""
        info, abbrev = self.unit(top)
        names = b"\0" + b"".join(name.encode() + b"\0" for name, _, _ in symbols)
        table = bytes(24 if self.wide else 16)
        at = 1
        for name, address, size in symbols:
            if self.wide:
                table += self.pack("IBBHQQ", at, 0x11, 0, 1, address, size)
            else:
                table += self.pack("IIIBBH", at, address, size, 0x11, 0, 1)
            at += len(name) + 1
        parts: list[tuple[str, int, int, int, bytes, int, int]] = [
            ("", 0, 0, 0, b"", 0, 0),
            (".data", 1, 3, 0x1000, bytes(range(256)), 0, 0),
            (".debug_info", 1, 0, 0, info, 0, 0),
            (".debug_abbrev", 1, 0, 0, abbrev, 0, 0),
            (".symtab", 2, 0, 0, table, 5, 24 if self.wide else 16),
            (".strtab", 3, 0, 0, names, 0, 0),
            *((name, 1, 0, 0, data, 0, 0) for name, data in (extra or {}).items()),
        ]
        strings = b"\0" + b"".join(p[0].encode() + b"\0" for p in parts[1:]) + b".shstrtab\0"
        parts.append((".shstrtab", 3, 0, 0, strings, 0, 0))
        return self.file(parts, strings)

    def file(
        self, parts: list[tuple[str, int, int, int, bytes, int, int]], strings: bytes
    ) -> bytes:
        head = 64 if self.wide else 52
        body, rows = b"", b""
        for name, kind, flags, address, data, link, entry in parts:
            offset = head + len(body)
            body += data
            at = strings.find(b"\0" + name.encode() + b"\0") + 1 if name else 0
            code = "IIQQQQIIQQ" if self.wide else "IIIIIIIIII"
            rows += self.pack(code, at, kind, flags, address, offset, len(data), link, 0, 1, entry)
        ident = (
            b"\x7fELF" + bytes([2 if self.wide else 1, 2 if self.mark == ">" else 1, 1]) + bytes(9)
        )
        code = "HHIQQQIHHHHHH" if self.wide else "HHIIIIIHHHHHH"
        row = 64 if self.wide else 40
        fixed = self.pack(
            code, 2, 0, 1, 0, 0, head + len(body), 0, head, 0, 0, row, len(parts), len(parts) - 1
        )
        return ident + fixed + body + rows
