"""Images on disk: read with named errors, written whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xcaliper.client.memory_access import as_address
from xcaliper.client.whole_file import write_whole
from xcaliper.core.errors import ImageError, IntegrityError, UsageError
from xcaliper.image.checksum import repair_checksums
from xcaliper.image.files import read_image, write_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xcaliper.core.address import Address
    from xcaliper.image.checksum import ChecksumRegion, ChecksumState
    from xcaliper.image.epk import FoundEpk
    from xcaliper.image.files import ImageFile

__all__ = ["SavedImage", "load_image", "save_image"]


@dataclass(frozen=True, slots=True)
class SavedImage:
    """What saving did.

    Attributes:
        path: the file.
        size_bytes: its length.
        checksums: what was found about each checksum before it was set right.
    """

    path: Path
    size_bytes: int
    checksums: tuple[ChecksumState, ...] = ()


def load_image(  # options by name
    path: str | Path,
    *,
    ag: int,
    format: str = "",  # noqa: A002  # the word that users give
    address: int | Address | None = None,
    extension: int = 0,
    file_ag: int | None = None,
    incomplete: bool = False,
) -> ImageFile:
    """The memory that a file holds; see :func:`~xcaliper.image.files.read_image`.

    Raises:
        ImageError: the file is missing, damaged or half-written.
        UsageError: plain bytes without an address.
    """
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise ImageError(
            f"the image cannot be read: {reason}.", source=str(path), hint="Check path and rights."
        ) from error
    return read_image(
        data,
        source=str(path),
        format=format,
        address=None if address is None else as_address(address, extension),
        extension=extension,
        ag=ag,
        file_ag=file_ag,
        incomplete=incomplete,
    )


def save_image(  # options by name
    file: ImageFile,
    epk: FoundEpk,
    checksums: Sequence[ChecksumRegion],
    *,
    path: str | Path | None,
    format: str = "",  # noqa: A002  # the word that users give
    overwrite: bool = False,
) -> SavedImage:
    """Set the checksums of an image right and write it like the file that it came from.

    Args:
        file: the image and its file.
        epk: what was found when it was read.
        checksums: what to set right.
        path: the new file; None is the one that was read.
        format: that of the file that was read when empty.
        overwrite: replace a file that exists.

    Raises:
        UsageError: the file exists, or the format cannot hold the image.
        GapError: a checksum needs what the image does not hold, or plain bytes would have gaps.
        IntegrityError: the EPK is not what it was.
        ImageError: the file cannot be written.
    """
    target = Path(path if path is not None else file.source)
    if target.exists() and not overwrite:
        raise UsageError(
            f"{target}: the file exists.", hint="Give another name, or say overwrite=True."
        )
    states = repair_checksums(file.image, checksums)
    for one in epk.described_places:
        found = file.image.read(one.start, one.size_bytes).decode("latin-1")
        if found != epk.wanted:
            raise IntegrityError("image: EPK", expected=epk.wanted, actual=found)
    data = write_image(file.image, format, like=file)
    try:
        write_whole(target, data)
    except OSError as error:
        raise ImageError(
            f"the image cannot be written: {error.strerror or error}.",
            source=str(target),
            hint="Check path and rights.",
        ) from error
    return SavedImage(target, len(data), states)
