"""Heads of machine programs, made by hand from the ELF, PE and Mach-O layouts."""

from __future__ import annotations

import struct

import pytest

from xcaliper.sandbox import binary
from xcaliper.sandbox.binary import Binary, host_binary, read_binary
from xcaliper.sandbox.helpers import helper_variable


def elf(bits: int, machine: int, *, kind: int = 3, big: bool = False) -> bytes:
    mark = ">" if big else "<"
    ident = b"\x7fELF" + bytes((bits // 32, 2 if big else 1, 1)) + bytes(9)
    return ident + struct.pack(mark + "HHI", kind, machine, 1) + bytes(40)


def pe(machine: int, magic: int, flags: int = 0x2000) -> bytes:
    stub = (b"MZ" + bytes(0x3A) + struct.pack("<I", 0x80)).ljust(0x80, b"\0")
    coff = struct.pack("<HHIIIHH", machine, 0, 0, 0, 0, 0xE0, flags)
    return stub + b"PE\0\0" + coff + struct.pack("<H", magic)


def mach(magic: bytes, cpu: int, kind: int) -> bytes:
    return magic + struct.pack("<III", cpu, 3, kind)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (elf(64, 62), Binary("ELF", 64, "x86-64")),
        (elf(32, 3), Binary("ELF", 32, "x86")),
        (elf(32, 20, big=True), Binary("ELF", 32, "ppc")),
        (elf(64, 183, kind=2), Binary("ELF", 64, "arm64", shared=False)),
        (elf(64, 9999), Binary("ELF", 64, "machine 9999")),
        (pe(0x14C, 0x10B), Binary("PE", 32, "x86")),
        (pe(0x8664, 0x20B), Binary("PE", 64, "x86-64")),
        (pe(0xAA64, 0x20B, 0x22), Binary("PE", 64, "arm64", shared=False)),
        (pe(0x1234, 0x20B), Binary("PE", 64, "machine 0x1234")),
        (mach(b"\xcf\xfa\xed\xfe", 0x0100_0007, 6), Binary("Mach-O", 64, "x86-64")),
        (mach(b"\xcf\xfa\xed\xfe", 0x0100_000C, 8), Binary("Mach-O", 64, "arm64")),
        (mach(b"\xce\xfa\xed\xfe", 7, 2), Binary("Mach-O", 32, "x86", shared=False)),
        (mach(b"\xcf\xfa\xed\xfe", 0x0100_0063, 6), Binary("Mach-O", 64, "machine 99")),
    ],
)
def test_heads(head: bytes, expected: Binary) -> None:
    assert read_binary(head) == expected
    for length in range(len(head)):
        read_binary(head[:length])  # whatever is cut off, it is an answer


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"MZ",
        b"#!/bin/sh\n",
        b"\x7fELF",
        b"\x7fELF\x07" + bytes(60),
        pe(0x14C, 0x10B).replace(b"PE\0\0", b"NE\0\0"),
        b"MZ" + b"\xff" * 100,
    ],
)
def test_what_is_no_machine_program(head: bytes) -> None:
    assert read_binary(head) is None


def test_words_for_people() -> None:
    assert str(Binary("PE", 32, "x86")) == "32 bit, x86, PE (Windows)"
    assert helper_variable("x86-64") == "XCALIPER_HELPER_X86_64"


@pytest.mark.parametrize(
    ("system", "word", "pointer", "expected"),
    [
        ("linux", "x86_64", 8, Binary("ELF", 64, "x86-64")),
        ("linux", "x86_64", 4, Binary("ELF", 32, "x86")),
        ("win32", "AMD64", 8, Binary("PE", 64, "x86-64")),
        ("darwin", "arm64", 8, Binary("Mach-O", 64, "arm64")),
        ("linux", "aarch64", 4, Binary("ELF", 32, "arm")),
        ("linux", "sparc", 8, Binary("ELF", 64, "sparc")),
        ("linux", "armv7l", 4, Binary("ELF", 32, "arm")),
    ],
)
def test_what_this_interpreter_loads(monkeypatch, system, word, pointer, expected) -> None:
    monkeypatch.setattr(binary.sys, "platform", system)
    monkeypatch.setattr(binary.platform, "machine", lambda: word)
    monkeypatch.setattr(binary.struct, "calcsize", lambda _: pointer)
    assert host_binary() == expected
