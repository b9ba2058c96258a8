"""Where a description comes from: a file, the slave itself, or the cache of earlier uploads."""

from __future__ import annotations

import contextlib
import os
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xcaliper.a2l import decode_text, parse
from xcaliper.core.errors import A2lError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.a2l import A2lFile

__all__ = ["MAX_A2L_BYTES", "A2lCache", "default_cache_folder", "read_a2l"]

#: A description larger than this is not taken from a slave.
MAX_A2L_BYTES: Final = 1 << 30


def read_a2l(path: str | Path) -> A2lFile:
    """The description in a file, its includes resolved inside the file's folder.

    Content never raises: look at ``diagnostics``.

    Raises:
        A2lError: the file is missing or cannot be read.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise A2lError(
            f"the description cannot be read: {reason}.",
            source=str(path),
            hint="Check path and rights.",
        ) from error
    return parse(decode_text(data)[0], source=str(file), loader=_loader(file))


def _loader(first: Path) -> Callable[[str, str], str | None]:
    """Includes relative to the including file, never outside the folder of the first one."""
    root = first.resolve().parent
    folders = {str(first): root}  # an included text is known by the name it was asked for with

    def load(requested: str, source: str) -> str | None:
        wanted = requested.replace("\\", "/")
        try:
            target = (folders.get(source, root) / wanted).resolve()
            if not target.is_relative_to(root):
                return None
            text = decode_text(target.read_bytes())[0]
        except (OSError, RuntimeError, ValueError):  # missing, a link to itself, a NUL in the name
            return None
        folders[requested] = target.parent
        return text

    return load


def default_cache_folder() -> Path:
    """``XCALIPER_CACHE``, else the user's cache folder."""
    chosen = os.environ.get("XCALIPER_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "xcaliper" / "a2l"


class A2lCache:
    """Uploaded descriptions, found by EPK and size, trusted only by content.

    Args:
        folder: where files live; made when the first one is stored.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_cache_folder()

    def candidates(self, epk: str, size: int) -> list[bytes]:
        """Contents stored for an EPK and a size, newest first; damaged files are left out."""
        found: list[tuple[int, bytes]] = []
        for file in self._files(epk):
            with contextlib.suppress(OSError):
                status = file.stat()
                if status.st_size != size:
                    continue
                data = file.read_bytes()
                if file.stem.endswith(f"-{_digest(data)}"):
                    found.append((status.st_mtime_ns, data))
        return [data for _, data in sorted(found, key=lambda item: -item[0])]

    def _files(self, epk: str) -> list[Path]:
        try:
            return list(self.folder.glob(f"{_epk_digest(epk)}-*.a2l"))
        except OSError:
            return []

    def store(self, epk: str, data: bytes) -> Path | None:
        """Keep a content; None when the folder cannot be written (never an error)."""
        target = self.folder / f"{_epk_digest(epk)}-{_digest(data)}.a2l"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as part:
                name = Path(part.name)
                try:
                    part.write(data)
                    part.close()
                    name.replace(target)
                except OSError:
                    part.close()
                    name.unlink(missing_ok=True)
                    raise
        except OSError:
            return None
        return target


def _epk_digest(epk: str) -> str:
    return _digest(epk.encode(errors="backslashreplace"))  # an EPK is any bytes, read as text


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]
