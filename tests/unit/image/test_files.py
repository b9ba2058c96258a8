"""Intel HEX, S-records and plain bytes: golden files, a reader of the test's own, damage, real files."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meta.tree import ROOT
from xcaliper.core.address import Address, AddressRange
from xcaliper.core.errors import GapError, ImageError, UsageError
from xcaliper.image.files import IMAGE_FORMATS, ImageFile, find_format, read_image, write_image
from xcaliper.image.memory_image import MAX_IMAGE_BYTES, MemoryImage

VECTORS = json.loads((ROOT / "tests/vectors/image/files.json").read_text("utf-8"))
CORPUS = Path(os.environ.get("XCALIPER_CORPUS", ROOT.parent / "shared" / "data")) / "elf"
LINES = {one["name"]: one["lines"] for one in VECTORS}


def text(name, newline="\n", tail="\n"):
    return (newline.join(LINES[name]) + tail).encode()


def by_hand(data):
    """Bytes by address, and the start, as a second reader sees them; only what a sound file has."""
    found, base, start = {}, 0, None
    for line in data.decode("latin-1").split():
        if line[0] == ":":
            raw = bytes.fromhex(line[1:])
            assert len(raw) == raw[0] + 5
            assert sum(raw) & 0xFF == 0
            kind, at, body = raw[3], int.from_bytes(raw[1:3], "big"), raw[4:-1]
            if kind in (2, 4):
                base = int.from_bytes(body, "big") << (4 if kind == 2 else 16)
            if kind in (3, 5):
                start = int.from_bytes(body, "big")
            if kind != 0:
                continue
            at += base
        else:
            raw = bytes.fromhex(line[2:])
            assert len(raw) == raw[0] + 1
            assert sum(raw) & 0xFF == 0xFF
            wide = {"0": 2, "1": 2, "2": 3, "3": 4, "5": 2, "6": 3, "7": 4, "8": 3, "9": 2}[line[1]]
            at, body = int.from_bytes(raw[1 : wide + 1], "big"), raw[wide + 1 : -1]
            if line[1] in "789":
                start = at
            if line[1] not in "123":
                continue
        found.update({at + n: byte for n, byte in enumerate(body)})
    return found, start


def cells(image, ag=1):
    return {
        start.value * ag + n: byte for start, data in image.runs() for n, byte in enumerate(data)
    }


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: one["name"])
def test_golden_files(vector):
    data = text(vector["name"])
    made = read_image(data, source="x")
    runs = {f"0x{start.value:x}": block.hex() for start, block in made.image.runs()}
    assert (made.format, runs) == (vector["format"], vector["runs"])
    assert made.start == vector["start"]
    assert made.header.hex() == vector.get("header", "")
    assert made.diagnostics == ()
    assert write_image(made.image.copy(), like=made) == data  # nothing changed, so no byte does
    changed = made.image.copy()
    first = changed.ranges()[0].start
    changed.write(first, bytes([changed.read(first, 1)[0] ^ 0xFF]))
    again = write_image(changed, like=made)
    assert by_hand(again) == (cells(changed), vector["start"])
    old, new = data.splitlines(), again.splitlines()
    assert len(old) == len(new)
    assert sum(a != b for a, b in zip(old, new, strict=True)) == 1  # one record, and no other


def test_line_ends_letters_and_what_editors_leave():
    lower = "\r\n".join([LINES["ihex-linear"][0], "", *map(str.lower, LINES["ihex-linear"][1:])])
    data = b"\xef\xbb\xbf" + lower.encode() + b"\r\n\x1a"
    made = read_image(data)
    assert cells(made.image) == by_hand(text("ihex-linear"))[0]
    changed = made.image.copy()
    changed.write(Address(0x802FFFE), b"\xab")
    again = write_image(changed, like=made)
    assert again == data.replace(b":03fffe00aabbcccf", b":03fffe00abbbccce")


@pytest.mark.parametrize(
    ("name", "cut", "match"),
    [
        ("ihex-plain", lambda d: d.replace(b"2146", b"2147", 1), r"x:1: .*crc"),
        ("ihex-plain", lambda d: d[:60], r"x:2: .*"),
        ("ihex-plain", lambda d: d[: d.rindex(b":00000001")], "without its end record after 2"),
        ("ihex-plain", lambda d: d + d, "x:4: there is more behind the end record of line 3"),
        ("ihex-plain", lambda d: d.replace(b":00000001FF", b":00000006FA"), "no record type 6"),
        ("ihex-plain", lambda d: b":01\n" + d, "x:1: .*too short"),
        ("ihex-plain", lambda d: b":" + b"00" * 400 + b"\n" + d, "801 characters is no record"),
        ("ihex-plain", lambda d: b":1001zz002146\n" + d, "is no record"),
        ("ihex-segments", lambda d: d.replace(b":04FFFC00", b":04FFFD00").replace(b"04F7", b"04F6"),
         "x:2: the record leaves its segment"),
        ("ihex-segments", lambda d: d.replace(b":020000021200EA", b":0100000212EB"),
         "x:1: a record of type 2 has 1 bytes"),
        ("ihex-linear", lambda d: d.replace(b":01000200DD20", b":01000000DD22"),
         "x:4: the bytes at 0x08030000 are given twice, with different values"),
        ("srec-16", lambda d: d.replace(b"7C08", b"7C09", 1), r"x:2: .*crc"),
        ("srec-16", lambda d: d.replace(b"S5030003F9", b"S5030004F8"),
         "x:5: the file counts 4 records of data, there are 3"),
        ("srec-16", lambda d: d[: d.rindex(b"S9")], "without its end record"),
        ("srec-24", lambda d: b"S304012 \n" + d, "x:1: "),
        ("srec-24", lambda d: b"S303AABB97\n" + d, "S3 record has no room for its address"),
        ("srec-24", lambda d: b"S4030000FC\n" + d, "x:1: "),
    ],
)  # fmt: skip
def test_damage_is_named_with_its_line(name, cut, match):
    with pytest.raises(ImageError, match=match) as wrong:
        read_image(cut(text(name)), source="x")
    assert wrong.value.source == "x"


def test_half_a_file_only_when_told():
    data = text("ihex-plain")[:-12]
    with pytest.raises(ImageError, match="incomplete=True"):
        read_image(data)
    assert read_image(data, incomplete=True).image.size_bytes == 32


def test_bytes_that_are_given_twice_are_told():
    lines = LINES["ihex-plain"]
    data = "\n".join([lines[0], lines[0], *lines[1:]]).encode()
    made = read_image(data, source="x.hex")
    assert [str(one) for one in made.diagnostics] == [
        "x.hex:2: warning [image-twice] the bytes at 0x00000100 are given twice."
    ]
    assert made.image.size_bytes == 32


def test_plain_bytes_need_an_address():
    with pytest.raises(UsageError, match=r"x\.bin: plain bytes do not tell where they belong"):
        read_image(b"\1\2\3", source="x.bin")
    made = read_image(b"\1\2\3", format="binary", address=Address(0x40, 2))
    assert list(made.image.runs()) == [(Address(0x40, 2), b"\1\2\3")]
    assert write_image(made.image, like=made) == b"\1\2\3"
    with pytest.raises(ImageError, match="the file is empty"):
        read_image(b"", format="binary", address=Address(0))
    wide = MemoryImage([(Address(0), b"ab"), (Address(8), b"c")])
    with pytest.raises(GapError, match="9 bytes: the image lacks 6 bytes at 0x00000002"):
        write_image(wide, "binary")
    filled = wide.fill(AddressRange(Address(0), 9), b"-")
    assert write_image(filled, "binary") == b"ab------c"


def test_the_format_is_found_by_content_before_the_name():
    assert find_format(b"\r\n:10010000", "x.s19") == "ihex"
    assert find_format(b"S0030000FC", "x.hex") == "srec"
    assert find_format(b"SMART", "x.bin") == "binary"
    assert (find_format(b"\0\1", "x.hex"), find_format(b"", "a/x.MOT")) == ("", "srec")
    assert {one for fmt in IMAGE_FORMATS.values() for one in fmt.suffixes} > {
        ".hex",
        ".s19",
        ".bin",
    }
    with pytest.raises(ImageError, match="neither Intel HEX nor S-records"):
        read_image(b"\x7fELF", source="x.hex")
    with pytest.raises(UsageError, match="'elf' is not known"):
        read_image(b"", format="elf")
    with pytest.raises(UsageError, match="'elf' is not known"):
        write_image(MemoryImage([(Address(0), b"x")]), "elf")


def test_addresses_of_words():
    data = text("ihex-plain")
    words = read_image(data, ag=2)
    assert words.image.ranges() == [AddressRange(Address(at), 16) for at in (0x100, 0x110)]
    assert words.image.read(Address(0x107), 2) == b"\x19\x01"
    by_bytes = read_image(data, ag=2, file_ag=1)
    assert by_bytes.image.ranges() == [AddressRange(Address(0x80), 32)]
    for one in (words, by_bytes):
        assert write_image(one.image.copy(), like=one) == data
        anew = write_image(one.image, like=one, record_bytes=8)
        again = read_image(anew, ag=2, file_ag=one.file_ag)
        assert (again.image, again.record_bytes) == (one.image, 8)
    odd = data.replace(b":10011000", b":10011100").replace(b"11928", b"11927")
    with pytest.raises(ImageError, match="x:2: 0x111 is inside of an address of 2 bytes"):
        read_image(odd, source="x", ag=2, file_ag=1)
    with pytest.raises(UsageError, match="part of an address of 2 bytes"):
        write_image(MemoryImage([(Address(0), b"abc")], ag=2), "ihex")


def test_what_a_file_cannot_hold():
    image = MemoryImage([(Address(0), b"a"), (Address(0, 1), b"b")])
    with pytest.raises(UsageError, match="one address extension, not 2"):
        write_image(image, "ihex")
    with pytest.raises(UsageError, match="it is empty"):
        write_image(MemoryImage(), "srec")
    for kind in ("ihex", "srec"):
        with pytest.raises(UsageError, match="0x100000000 does not fit the 32 bits"):
            write_image(MemoryImage([(Address(1 << 32), b"x")]), kind)
    with pytest.raises(UsageError, match="records of 251 bytes cannot be written"):
        write_image(MemoryImage([(Address(0), b"x")]), "srec", record_bytes=251)
    with pytest.raises(ImageError, match="too much for an image"):
        read_image(type("Huge", (bytes,), {"__len__": lambda self: 5 * MAX_IMAGE_BYTES})())


def test_another_shape_is_written_anew_like_the_old_one():
    made = read_image(text("srec-24", "\r\n", "\r\n"))
    image = made.image.merge(MemoryImage([(Address(0x10), b"x" * 5)]))
    again = write_image(image, like=made)
    assert again.split(b"\r\n")[0] == b"S0050000686929"
    assert again.split(b"\r\n")[1].startswith(b"S206000010")  # as long as the records of the file
    assert by_hand(again) == (cells(image), made.start)
    assert read_image(again).header == b"hi"


sparse = st.dictionaries(
    st.one_of(
        st.integers(0, 300), st.integers(0xFFF0, 0x10010), st.integers(0xFFFF_FF00, 0xFFFF_FFFF)
    ),
    st.integers(0, 255),
    min_size=1,
    max_size=30,
)


@given(
    sparse,
    st.sampled_from(["ihex", "srec"]),
    st.integers(1, 64),
    st.none() | st.integers(0, 1 << 20),
)
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_a_second_reader_sees_the_same(twin, kind, record_bytes, start):
    image = MemoryImage((Address(at), bytes([byte])) for at, byte in twin.items())
    like = ImageFile(kind, MemoryImage(), start=start, header=b"name")
    data = write_image(image, like=like, record_bytes=record_bytes)
    found, told = by_hand(data)
    assert found == twin
    assert told == (start if kind == "ihex" else start or 0)
    again = read_image(data)
    assert (again.image, again.diagnostics) == (image, ())
    assert again.record_bytes <= record_bytes


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([line for one in VECTORS for line in one["lines"]])).map(
        lambda x: "\n".join(x).encode()
    )
)
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_give_an_image_or_a_named_error(data):
    try:
        made = read_image(data, source="x")
    except (ImageError, UsageError):
        return
    assert write_image(made.image, like=made) == data if made.image.size_bytes else True


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the folder of real files is not here")
@pytest.mark.parametrize("pattern", ["*/*.HEX", "*/*.mot"])
def test_real_files(pattern):
    files = sorted(CORPUS.glob(pattern))
    assert files
    for file in files:
        data = file.read_bytes()
        made = read_image(data, source=file.name)
        assert (cells(made.image), made.start) == by_hand(data.rstrip(b"\x1a"))
        assert made.diagnostics == ()
        assert write_image(made.image.copy(), like=made) == data
        other = "srec" if made.format == "ihex" else "ihex"
        assert read_image(write_image(made.image, other)).image == made.image
