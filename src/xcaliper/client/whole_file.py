"""Files put in their place at once: nobody sees half of one, whatever happens meanwhile."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from errno import EACCES
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(place: Path, data: bytes) -> None:
    """Write a file beside its place, make it durable, and put it there in one step.

    A file that is there keeps its rights, and a link stays one; a pipe or device is written as it is.

    Args:
        place: the file.
        data: its content.

    Raises:
        OSError: it cannot be written, or the one that is there is read-only; that one is unchanged.
    """
    if place.exists() and not os.access(place, os.W_OK):
        raise PermissionError(EACCES, os.strerror(EACCES))
    if place.exists() and not place.is_file():
        place.write_bytes(data)  # a pipe or device; a folder is an error
        return
    target = place.resolve()
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
        name = Path(part.name)
        try:
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
            part.close()
            name.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o644)
            name.replace(target)
        except OSError:
            part.close()
            name.unlink(missing_ok=True)
            raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable where the system lets folders be synchronised."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
