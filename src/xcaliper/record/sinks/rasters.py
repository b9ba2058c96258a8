"""What the formats with a file or folder per raster share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import UsageError
from xcaliper.mdf.placement import unique_names

if TYPE_CHECKING:
    from pathlib import Path

    from xcaliper.record.description import RecordingDescription

__all__ = ["check_raster", "raster_paths", "stem_of"]

_UNSAFE: Final = re.compile(r"[^\w.-]+")


def stem_of(path: Path, suffix: str) -> Path:
    """Folder and stem of the files; the suffix of the format is not part of it."""
    return path.with_suffix("") if path.suffix.lower() == suffix else path


def raster_paths(stem: Path, description: RecordingDescription, suffix: str) -> tuple[Path, ...]:
    """``stem_raster`` with the suffix, for each raster; no two are alike."""
    names = unique_names(_UNSAFE.sub("_", raster.name) for raster in description.rasters)
    return tuple(stem.with_name(f"{stem.name}_{name}{suffix}") for name in names)


def check_raster(number: int, count: int) -> None:
    """Refuse a block of a raster that is not described.

    Raises:
        UsageError: it is not.
    """
    if not 0 <= number < count:
        raise UsageError(
            f"raster {number}: the recording has {count} rasters.",
            hint="Describe every raster before the start.",
        )
