"""Linker maps: rows as the linkers write them, made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcaliper.core.errors import ImageError
from xcaliper.image.map_file import read_map
from xcaliper.image.program import Program

GNU = """\
Discarded input sections

 .data.unused   0x00000000        0x4 main.o

Linker script and memory map

.data           0x20000000       0x1c
 .data          0x20000000        0x8 main.o
                0x20000000                speed
                0x20000004                gear
 .data.local    0x20000008        0x4 main.o
 .data.a_very_long_section_name
                0x2000000c        0x2 lib.a(part.o)
                0x2000000c                a_very_long_section_name
 COMMON         0x20000010        0x4 lib.a(part.o)
                0x20000010                ns::shared
                0x20000014                PROVIDE (_end = .)
.text           0x08000000      0x100
 .text.main     0x08000000       0x20 main.o
                0x08000000                main
"""
LLD = """\
     VMA      LMA     Size Align Out     In      Symbol
20000000 20000000       1c     4 .data
20000000 20000000        8     4         main.o:(.data)
20000000 20000000        4     1                 speed
20000004 20000004        4     1                 gear
"""
TASKING = """\
**************************** Symbols (sorted on name) ****************************

+-------------------------------------------------+
| Name          | Space addr | Space              |
|=================================================|
| _speed        | 0xd0000000 | mpe:tc0:linear     |
| gear          | 0xd0000004 | mpe:tc0:linear     |
+-------------------------------------------------+

**************************** Used Resources ****************************
| nothing       | 0x00000004 | x |
"""
GHS = """\
Global Symbols (sorted alphabetically)

 .sdata           40000000+000004        speed
 .sdata           40000004+000002        gear
 .bss             40000010+000001        hidden..part_c
 .text            00001000+000020        main
"""
IAR = """\
*** ENTRY LIST
***

Entry                      Address   Size  Type      Object
-----                      -------  -----  ----      ------
speed                  0x2000'0000    0x4  Data  Gb  main.o [1]
a_very_long_entry_name_that_breaks
                       0x2000'0004    0x2  Data  Lc  main.o [1]
main                    0x800'0000   0x20  Code  Gb  main.o [1]

*** MODULE SUMMARY
not                    0x2000'0008    0x4  Data  Gb  main.o [1]
"""
KEIL = """\
Image Symbol Table

    Local Symbols

    Symbol Name                              Value     Ov Type        Size  Object(Section)

    main.c                                   0x00000000   Number         0  main.o ABSOLUTE
    .data                                    0x20000000   Section        8  main.o(.data)
    speed                                    0x20000000   Data           4  main.o(.data)
    main                                     0x08000001   Thumb Code    32  main.o(.text)
"""


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (
            GNU,
            "gnu",
            {
                "speed": 0x20000000,
                "gear": 0x20000004,
                "local": 0x20000008,
                "a_very_long_section_name": 0x2000000C,
                "ns::shared": 0x20000010,
                "main": 0x08000000,
            },
        ),
        (LLD, "lld", {"speed": 0x20000000, "gear": 0x20000004}),
        (TASKING, "tasking", {"_speed": 0xD0000000, "gear": 0xD0000004}),
        (
            GHS,
            "ghs",
            {"speed": 0x40000000, "gear": 0x40000004, "hidden": 0x40000010, "main": 0x1000},
        ),
        (
            IAR,
            "iar",
            {
                "speed": 0x20000000,
                "a_very_long_entry_name_that_breaks": 0x20000004,
                "main": 0x08000000,
            },
        ),
        (KEIL, "keil", {"speed": 0x20000000, "main": 0x08000001}),
    ],
)
def test_tables(text, kind, expected) -> None:
    found = read_map(text)
    assert found.format == kind
    assert {name: symbol.address for name, symbol in found.symbols.items()} == expected


def test_sizes_units_and_kinds() -> None:
    assert read_map(GHS).symbols["gear"].size_bytes == 2
    assert read_map(KEIL).symbols["speed"].unit == "main.o"
    assert read_map(KEIL).symbols["main"].is_code
    assert read_map(GNU).symbols["local"].size_bytes == 4
    assert read_map(GNU).symbols["a_very_long_section_name"].size_bytes == 2


def test_leading_underscores_are_forgiven_and_equal_names_told() -> None:
    assert Program(linker_map=read_map(TASKING)).locate("speed").address == 0xD0000000
    twice = GHS + " .sdata           40000008+000004        speed\n"
    assert read_map(twice).ambiguous == {"speed"}
    assert read_map(twice).symbols["speed"].address == 0x40000000


@settings(deadline=None, max_examples=150)
@given(
    st.text(max_size=300), st.sampled_from([GNU, LLD, TASKING, GHS, IAR, KEIL]), st.integers(0, 400)
)
def test_any_text_gives_a_map_or_our_error(text, base, at) -> None:
    for made in (text, base[:at] + text + base[at:]):
        try:
            read_map(made)
        except ImageError:
            continue


def test_long_lines_take_no_time() -> None:
    with pytest.raises(ImageError):
        read_map(("x" * 100_000 + " 0x" + "1" * 100_000 + "\n") * 20)
