"""What a shared library was built for, read from the head of its file: ELF, PE and Mach-O."""

from __future__ import annotations

import platform
import struct
import sys
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HEAD_BYTES", "Binary", "host_binary", "read_binary"]

#: Enough of a file to tell what it is; a PE header stands behind a stub of DOS.
HEAD_BYTES: Final = 4096

_ELF_MACHINES: Final[Mapping[int, str]] = MappingProxyType(
    {3: "x86", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390", 40: "arm", 62: "x86-64", 183: "arm64"}
    | {243: "riscv", 258: "loongarch"}
)
_PE_MACHINES: Final[Mapping[int, str]] = MappingProxyType(
    {0x14C: "x86", 0x1C0: "arm", 0x1C4: "arm", 0x8664: "x86-64", 0xAA64: "arm64"}
)
_MACH_MACHINES: Final[Mapping[int, str]] = MappingProxyType({7: "x86", 12: "arm"})
_WIDE: Final[Mapping[str, str]] = MappingProxyType({"x86": "x86-64", "arm": "arm64"})
_SPELLINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"amd64": "x86-64", "x86_64": "x86-64", "aarch64": "arm64", "i386": "x86", "i486": "x86"}
    | {"i586": "x86", "i686": "x86", "armv7l": "arm", "armv6l": "arm", "ppc64le": "ppc64"}
    | {"s390x": "s390", "riscv64": "riscv", "loongarch64": "loongarch"}
)
_ELF_SHARED: Final = 3
_PE_SHARED: Final = 0x2000
_MACH_SHARED: Final = (6, 8)
_MACH_64: Final = 0x0100_0000


@dataclass(frozen=True, slots=True)
class Binary:
    """What a machine program was built for.

    Attributes:
        format: ``ELF``, ``PE`` or ``Mach-O``.
        bits: 32 or 64.
        machine: ``x86``, ``x86-64``, ``arm``, ``arm64`` …; a number where it has no name here.
        shared: it is a shared library and no program of its own.
    """

    format: str
    bits: int
    machine: str
    shared: bool = True

    def __str__(self) -> str:
        system = {"ELF": "Linux", "PE": "Windows", "Mach-O": "macOS"}[self.format]
        return f"{self.bits} bit, {self.machine}, {self.format} ({system})"


def read_binary(head: bytes) -> Binary | None:
    """What the first bytes of a file say; None when it is no machine program.

    Args:
        head: the first :data:`HEAD_BYTES` of the file, or all of it.
    """
    try:
        if head[:4] == b"\x7fELF":
            return _elf(head)
        if head[:2] == b"MZ":
            return _pe(head)
        if head[:4] in (b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"):
            return _mach(head)
    except struct.error:
        return None
    return None


def _elf(head: bytes) -> Binary | None:
    bits = {1: 32, 2: 64}.get(head[4] if len(head) > 5 else 0)
    if bits is None:
        return None
    mark = ">" if head[5] == 2 else "<"
    kind, machine = struct.unpack_from(mark + "HH", head, 16)
    name = _ELF_MACHINES.get(machine, f"machine {machine}")
    return Binary("ELF", bits, name, kind == _ELF_SHARED)


def _pe(head: bytes) -> Binary | None:
    (at,) = struct.unpack_from("<I", head, 0x3C)
    if head[at : at + 4] != b"PE\0\0":
        return None
    (machine,) = struct.unpack_from("<H", head, at + 4)
    flags, magic = struct.unpack_from("<HH", head, at + 22)
    bits = 64 if magic == 0x20B else 32
    name = _PE_MACHINES.get(machine, f"machine 0x{machine:X}")
    return Binary("PE", bits, name, bool(flags & _PE_SHARED))


def _mach(head: bytes) -> Binary:
    machine, _, kind = struct.unpack_from("<III", head, 4)
    bits = 64 if machine & _MACH_64 else 32
    plain = _MACH_MACHINES.get(machine & ~_MACH_64, f"machine {machine & ~_MACH_64}")
    return Binary(
        "Mach-O", bits, _WIDE.get(plain, plain) if bits == 64 else plain, kind in _MACH_SHARED
    )


def host_binary() -> Binary:
    """What this interpreter can load."""
    formats = {"win32": "PE", "darwin": "Mach-O"}
    bits = struct.calcsize("P") * 8
    word = platform.machine().lower()
    machine = _SPELLINGS.get(word, word)
    if bits == 32:  # a 32-bit interpreter on a 64-bit system
        machine = {wide: narrow for narrow, wide in _WIDE.items()}.get(machine, machine)
    return Binary(formats.get(sys.platform, "ELF"), bits, machine)
