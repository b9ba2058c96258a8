"""Files of programs and data ↔ :class:`MemoryImage`: Intel HEX, Motorola S-records, plain bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from xcaliper.core.address import Address
from xcaliper.core.diagnostics import Diagnostic, Severity, Where
from xcaliper.core.errors import GapError, ImageError, UsageError
from xcaliper.image.hex_records import Record, pack, records
from xcaliper.image.memory_image import MAX_IMAGE_BYTES, MemoryImage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["IMAGE_FORMATS", "ImageFile", "ImageFormat", "find_format", "read_image", "write_image"]

_RECORD_BYTES: Final = 32
_MAX_NOTES: Final = 20


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """One file format.

    Attributes:
        name: as the shell knows it.
        title: for people.
        suffixes: file name endings, with the dot, lower case.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]


IMAGE_FORMATS: Final[Mapping[str, ImageFormat]] = MappingProxyType(
    {
        one.name: one
        for one in (
            ImageFormat("ihex", "Intel HEX", (".hex", ".ihex", ".ihx", ".h86", ".a43", ".a90")),
            ImageFormat(
                "srec",
                "Motorola S-records",
                (".s19", ".s28", ".s37", ".srec", ".sx", ".mot", ".mhx", ".mxt", ".s"),
            ),
            ImageFormat("binary", "plain bytes", (".bin", ".rom", ".raw")),
        )
    }
)
"""Name → format."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image and how its file says it.

    Attributes:
        format: ``ihex``, ``srec`` or ``binary``.
        image: the memory.
        data: the file as it was read; empty for a new one.
        source: its name.
        file_ag: bytes per address as the file counts.
        start: where execution starts; None when the file does not tell.
        header: text at its head (S-records).
        record_bytes: data bytes of its longest record.
        diagnostics: what is odd about it.
    """

    format: str
    image: MemoryImage
    data: bytes = b""
    source: str = ""
    file_ag: int = 1
    start: int | None = None
    header: bytes = b""
    record_bytes: int = _RECORD_BYTES
    diagnostics: tuple[Diagnostic, ...] = ()


def find_format(data: bytes = b"", source: str = "") -> str:
    """Name of the format of a file, by its first bytes, else by its suffix; empty when neither tells."""
    head = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:4]
    if head[:1] == b":" and head[1:3].isalnum():
        return "ihex"
    if head[:1] == b"S" and head[1:2].isdigit() and head[2:4].isalnum():
        return "srec"
    name = source.lower()
    for one in IMAGE_FORMATS.values():
        if name.endswith(one.suffixes) and (one.name == "binary" or not data):
            return one.name
    return ""


def read_image(  # noqa: PLR0913  # options by name
    data: bytes,
    *,
    source: str = "",
    format: str = "",  # noqa: A002  # the word that users give
    address: Address | None = None,
    extension: int = 0,
    ag: int = 1,
    file_ag: int | None = None,
    incomplete: bool = False,
) -> ImageFile:
    """The memory that a file holds.

    Args:
        data: the file, whole.
        source: its name, for messages and where its bytes do not tell the format.
        format: ``ihex``, ``srec`` or ``binary``; found out when empty.
        address: where plain bytes begin.
        extension: address extension of what records hold; they know none.
        ag: bytes per address of the ECU.
        file_ag: bytes per address as the file counts; those of the ECU when None.
        incomplete: take records without their end record, which half-written files lack as well.

    Raises:
        ImageError: a damaged, half-written or contradicting file.
        UsageError: plain bytes without an address, or an unknown format.
    """
    if len(data) > 4 * MAX_IMAGE_BYTES:
        raise ImageError(f"{len(data)} bytes are too much for an image.", source=source)
    kind = format or find_format(data, source)
    if kind == "binary":
        return _read_binary(data, source, address, ag)
    if kind not in IMAGE_FORMATS:
        if kind:
            raise UsageError(
                f"image format {kind!r} is not known.", hint=f"Use {', '.join(IMAGE_FORMATS)}."
            )
        raise ImageError(
            "it is neither Intel HEX nor S-records.",
            source=source,
            hint='Say format="binary" and an address for plain bytes.',
        )
    return _read_records(data, kind, source, extension, ag, file_ag or ag, incomplete=incomplete)


def _read_binary(data: bytes, source: str, address: Address | None, ag: int) -> ImageFile:
    if address is None:
        raise UsageError(
            f"{source or 'image'}: plain bytes do not tell where they belong.",
            hint="Give the address of the first one.",
        )
    if not data:
        raise ImageError("the file is empty.", source=source)
    return ImageFile("binary", MemoryImage([(address, data)], ag=ag), data, source)


def _read_records(
    data: bytes, kind: str, source: str, extension: int, ag: int, file_ag: int, *, incomplete: bool
) -> ImageFile:
    runs: list[tuple[Address, bytes, int]] = []
    made = ImageFile(kind, MemoryImage(ag=ag), data, source, file_ag)
    longest, ended = 0, False
    for one in records(data, kind, source):
        if one.kind == "data":
            at = one.address * file_ag
            if at % ag:
                raise ImageError(
                    f"0x{one.address:X} is inside of an address of {ag} bytes.",
                    source=source,
                    line=one.line,
                    hint="Say how many bytes the addresses of the file count (file_ag).",
                )
            runs.append((Address(at // ag, extension), one.data, one.line))
            longest = max(longest, len(one.data))
        elif one.kind == "header":
            made = replace(made, header=one.data)
        elif one.kind in ("start", "end"):
            ended = ended or one.kind == "end" or kind == "srec"
            if one.data:
                made = replace(made, start=int.from_bytes(one.data, "big"))
    if not ended and not incomplete:
        raise ImageError(
            f"the file ends without its end record after {len(runs)} records of data.",
            source=source,
            hint="It is half-written: make it anew; or take it as it is with incomplete=True.",
        )
    image, notes = _assemble(runs, ag, source)
    return replace(
        made, image=image, record_bytes=longest or _RECORD_BYTES, diagnostics=tuple(notes)
    )


def _assemble(
    runs: list[tuple[Address, bytes, int]], ag: int, source: str
) -> tuple[MemoryImage, list[Diagnostic]]:
    """Records as one image; bytes that are given twice are told, with different values refused."""
    notes: list[Diagnostic] = []
    joined: list[tuple[Address, bytearray]] = []
    for address, data, line in sorted(runs, key=lambda run: run[0].value):
        offset = (address.value - joined[-1][0].value) * ag if joined else -1
        if not joined or offset > len(joined[-1][1]):
            joined.append((address, bytearray(data)))
            continue
        seen = joined[-1][1]
        there = seen[offset : offset + len(data)]
        if there and there != data[: len(there)]:
            raise ImageError(
                f"the bytes at {address} are given twice, with different values.",
                source=source,
                line=line,
                hint="Two files may have been joined; keep one of the values.",
            )
        if there and len(notes) < _MAX_NOTES:
            text = f"the bytes at {address} are given twice."
            notes.append(Diagnostic(Severity.WARNING, "image-twice", Where(source, line), text))
        seen += data[len(there) :]
    return MemoryImage(joined, ag=ag), notes


# --- writing ---


def write_image(
    image: MemoryImage,
    format: str = "",  # noqa: A002  # the word that users give
    *,
    like: ImageFile | None = None,
    record_bytes: int | None = None,
) -> bytes:
    """The bytes of a file that holds an image.

    Written like a file that was read, only the records whose bytes changed are other than before:
    order, lengths, header, start address and line ends stay.

    Args:
        image: what to write.
        format: ``ihex``, ``srec`` or ``binary``; that of ``like`` when empty.
        like: a file that was read.
        record_bytes: data bytes per record; those of ``like``, or 32, when None.

    Raises:
        GapError: plain bytes cannot hold gaps.
        UsageError: the format cannot hold the image.
    """
    like = like or ImageFile(format, image, file_ag=image.ag)
    kind = format or like.format
    if kind not in IMAGE_FORMATS:
        raise UsageError(
            f"image format {kind!r} is not known.", hint=f"Use {', '.join(IMAGE_FORMATS)}."
        )
    ranges = image.ranges()
    if not ranges:
        raise UsageError("image: it is empty.", hint="There is nothing to write.")
    if len(image.extensions) > 1:
        raise UsageError(
            f"image: a file holds one address extension, not {len(image.extensions)}.",
            hint="Crop the image to each, and write one file for each.",
        )
    if kind == "binary":
        return _write_binary(image)
    same = kind == like.format and record_bytes is None
    if same and like.data and like.image.ranges() == ranges:
        return _patched(image, like)
    return _anew(image, kind, like, record_bytes or like.record_bytes)


def _write_binary(image: MemoryImage) -> bytes:
    gaps = image.gaps()
    if gaps:
        first, last = image.ranges()[0].start, image.ranges()[-1]
        size = (last.start.value - first.value) * image.ag + last.size_bytes
        raise GapError(first, size, gaps[0], hint="Plain bytes hold no gaps: fill() them first.")
    return next(image.runs())[1]


def _patched(image: MemoryImage, like: ImageFile) -> bytes:
    """The file as it was, with other bytes in the records that need them."""
    lines = like.data.splitlines(keepends=True)
    extension = image.extensions[0]
    for one in records(like.data, like.format, like.source):
        if one.kind != "data" or not one.data:
            continue
        at = Address(one.address * like.file_ag // image.ag, extension)
        new = image.read(at, len(one.data))
        if new != one.data:
            lines[one.line - 1] = _repacked(lines[one.line - 1], replace(one, data=new), like)
    return b"".join(lines)


def _repacked(line: bytes, record: Record, like: ImageFile) -> bytes:
    """A line with another record; letters and what stands around it stay."""
    begin = line.index(b":" if like.format == "ihex" else b"S")
    old = line[begin : begin + len(pack(like.format, record))]
    made = pack(like.format, record)
    if old.upper() != old:
        made = made[:1] + made[1:].lower()
    return line[:begin] + made.encode("ascii") + line[begin + len(old) :]


def _anew(image: MemoryImage, kind: str, like: ImageFile, record_bytes: int) -> bytes:
    limit = 250 if kind == "srec" else 255
    step = like.file_ag
    if not step <= record_bytes <= limit or record_bytes % step:
        raise UsageError(
            f"image: records of {record_bytes} bytes cannot be written.",
            hint=f"Take a multiple of {step} up to {limit}.",
        )
    newline = "\r\n" if b"\r\n" in like.data[:1024] else "\n"
    made = _ihex_lines if kind == "ihex" else _srec_lines
    return (newline.join(made(image, like, record_bytes)) + newline).encode("ascii")


def _chunks(image: MemoryImage, file_ag: int, record_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Address as the file counts, and bytes, of every record; none crosses 64 K addresses."""
    for start, data in image.runs():
        first = start.value * image.ag
        if first % file_ag or len(data) % file_ag:
            raise UsageError(
                f"image: the run at {start} has a part of an address of {file_ag} bytes.",
                hint="Fill it up to whole addresses.",
            )
        at = 0
        while at < len(data):
            here = (first + at) // file_ag
            room = min(
                record_bytes - (first + at) % record_bytes, (0x1_0000 - here % 0x1_0000) * file_ag
            )
            size = min(room - room % file_ag or file_ag, len(data) - at)
            yield here, data[at : at + size]
            at += size


def _ihex_lines(image: MemoryImage, like: ImageFile, record_bytes: int) -> Iterator[str]:
    upper = 0
    for address, data in _chunks(image, like.file_ag, record_bytes):
        _check_address(address, 32)
        if address >> 16 != upper:
            upper = address >> 16
            yield pack("ihex", Record("base", 0, upper.to_bytes(2, "big"), code=4))
        yield pack("ihex", Record("data", address & 0xFFFF, data, code=0))
    if like.start is not None:
        _check_address(like.start, 32)
        yield pack("ihex", Record("start", 0, like.start.to_bytes(4, "big"), code=5))
    yield pack("ihex", Record("end", 0, b"", code=1))


def _srec_lines(image: MemoryImage, like: ImageFile, record_bytes: int) -> Iterator[str]:
    last = image.ranges()[-1]
    highest = (last.start.value * image.ag + last.size_bytes - 1) // like.file_ag
    highest = max(highest, like.start or 0)
    _check_address(highest, 32)
    wide = 1 if highest <= 0xFFFF else 2 if highest <= 0xFF_FFFF else 3
    wide = max(wide, _widest(like))
    yield pack("srec", Record("header", 0, like.header[:252], code=0))
    count = 0
    for address, data in _chunks(image, like.file_ag, record_bytes):
        yield pack("srec", Record("data", address, data, code=wide))
        count += 1
    if count <= 0xFF_FFFF:
        yield pack("srec", Record("count", count, b"", code=5 if count <= 0xFFFF else 6))
    yield pack("srec", Record("start", like.start or 0, b"", code=10 - wide))


def _widest(like: ImageFile) -> int:
    """The kind of data record that a file uses: S1, S2 or S3."""
    if like.format != "srec" or not like.data:
        return 1
    return max((one.code for one in records(like.data, "srec") if one.kind == "data"), default=1)


def _check_address(address: int, bits: int) -> None:
    if address >> bits:
        raise UsageError(
            f"image: 0x{address:X} does not fit the {bits} bits of an address in the file.",
            hint="Crop the image to what the file can hold.",
        )
