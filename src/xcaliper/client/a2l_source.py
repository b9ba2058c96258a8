"""Where a description comes from: a file, the slave itself, or the cache of earlier uploads."""

from __future__ import annotations

import contextlib
import json
import os
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xcaliper.a2l import SourceText, open_a2l, parse
from xcaliper.a2l.store import LateText, pack, unpack
from xcaliper.client.whole_file import write_whole
from xcaliper.core.errors import A2lError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.a2l import A2lFile
    from xcaliper.core.progress import Progress

__all__ = [
    "LAZY_FROM_BYTES",
    "MAX_A2L_BYTES",
    "A2lCache",
    "IndexFolder",
    "default_cache_folder",
    "read_a2l",
    "save_a2l",
    "save_text",
]

#: Descriptions of this size and larger are read object by object, on access.
LAZY_FROM_BYTES: Final = 4_000_000

_RACY_NS: Final = 2_000_000_000  # a file may change again within the resolution of its time
_SAMPLES: Final = 16
_SAMPLE_BYTES: Final = 4096

#: A description larger than this is not taken from a slave.
MAX_A2L_BYTES: Final = 1 << 30


def read_a2l(
    path: str | Path,
    *,
    outside: bool = False,
    index: IndexFolder | None = None,
    progress: Progress | None = None,
) -> A2lFile:
    """The description in a file, its includes resolved inside the file's folder.

    Content never raises: look at ``diagnostics``. Objects of large files are read when they are asked for; opening
    such a file again is faster by an index that is kept in the cache folder.

    Args:
        path: the file.
        outside: includes may also lie outside of the file's folder.
        index: where indices of large files are kept; the default cache folder when None.
        progress: told how many bytes of a large file are scanned, and how many of its objects are read.

    Raises:
        A2lError: the file is missing or cannot be read.
    """
    file = Path(path)
    try:
        status = file.stat()
        large = status.st_size >= LAZY_FROM_BYTES
        index = index or (IndexFolder() if large else None)
        known = index.load(file, status) if index and large else None
        if known is not None:
            known.watch(progress)
            return known
        data = file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(str(path), error) from error
    loader = _loader(file, outside=outside)
    if not large:
        return parse(data, source=str(file), loader=loader)
    opened = open_a2l(data, source=str(file), loader=loader, progress=progress)
    if index:
        index.store(file, status, data, opened)
    return opened


def save_a2l(file: A2lFile, path: str | Path | None = None) -> list[Path]:
    """Write a description back: byte for byte as it was read, but for its edits; gives the files written.

    Args:
        file: the description.
        path: where the description itself goes; its own place when None. Included files are only written to
            their own places, and only with edits.

    Raises:
        A2lError: a file cannot be written, or an edit cannot be said in its encoding.
        UsageError: the description goes elsewhere, and edits of it belong into included files.
    """
    target = Path(path if path is not None else file.source)
    elsewhere = target.resolve() != Path(file.source).resolve()
    wanted = [(target, file.to_bytes())]
    if file.document is not None:
        for number, source in enumerate(file.document.sources[1:], 1):
            data = file.document.to_bytes(number)
            if data != (source.text if source.data is None else source.data):
                if elsewhere:
                    raise UsageError(
                        f"{target}: the included file {source.name} would change, too.",
                        hint="Write the description to its own place, or make one file of it by a2l format.",
                    )
                wanted.append((Path(source.name), data))
    for place, data in wanted:
        save_text(place, data)
    return [place for place, _ in wanted]


def save_text(place: Path, data: bytes) -> None:
    """Put a whole description in its place at once; a file that is there keeps its rights, a link stays one.

    Args:
        place: the file.
        data: its content.

    Raises:
        A2lError: it cannot be written, or the one that is there is read-only.
    """
    try:
        write_whole(place, data)
    except OSError as error:
        raise A2lError(
            f"the description cannot be written: {error.strerror or error}.",
            source=str(place),
            hint="Check path and rights.",
        ) from error


def _unreadable(path: str, error: Exception) -> A2lError:
    reason = getattr(error, "strerror", None) or error
    return A2lError(
        f"the description cannot be read: {reason}.", source=path, hint="Check path and rights."
    )


def _loader(first: Path, *, outside: bool = False) -> Callable[[str, str], SourceText | None]:
    """Includes relative to the including file, never outside the folder of the first one unless allowed."""
    root = first.resolve().parent

    def load(requested: str, source: str) -> SourceText | None:
        wanted = requested.replace("\\", "/")
        try:
            target = _spelled(Path(source).resolve().parent, wanted).resolve()
            if not target.is_file():  # a folder, or a pipe that nobody writes to
                return None
            if not outside and not target.is_relative_to(root):
                return SourceText(str(target), None)
            return SourceText(str(target), target.read_bytes())
        except (OSError, RuntimeError, ValueError):  # missing, a link to itself, a NUL in the name
            return None

    return load


def _spelled(folder: Path, wanted: str) -> Path:
    """The path of a file whose name may be written in other letters: many descriptions come from Windows."""
    exact = folder / wanted
    if exact.exists():
        return exact
    found = folder
    for part in Path(wanted).parts:
        below = found / part
        if not below.exists() and found.is_dir():
            folded = part.casefold()
            below = next(
                (one for one in sorted(found.iterdir()) if one.name.casefold() == folded), below
            )
        found = below
    return found


class IndexFolder:
    """Indices of large descriptions, by path; each is used only while size, time and content still fit.

    A content is compared by samples when size and time are unchanged, else by all of it. The text itself is read
    when first needed, and compared then.

    Args:
        folder: where they live; made when the first one is stored.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_cache_folder() / "index"

    def _place(self, file: Path) -> Path:
        return self.folder / f"{_digest(str(file.resolve()).encode(errors='backslashreplace'))}.idx"

    def load(self, file: Path, status: os.stat_result) -> A2lFile | None:
        """The description, opened by its index; None when there is none that fits."""
        try:
            meta, _, packed = self._place(file).read_bytes().partition(b"\n")
            known = json.loads(meta)
            if known["size"] != status.st_size:
                return None
            trusted = (
                known["mtime_ns"] == status.st_mtime_ns
                and known["stored_ns"] - status.st_mtime_ns > _RACY_NS
                and known["samples"] == _samples(file, status.st_size)
            )
            if not trusted and known["sha256"] != sha256(file.read_bytes()).hexdigest():
                return None
            content = str(known["sha256"])
            return unpack(packed, _late_text(file, status, content), source=str(file))
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            IndexError,
        ):  # damaged, or by another version
            return None

    def store(self, file: Path, status: os.stat_result, data: bytes, opened: A2lFile) -> None:
        """Keep the index of a description that was just opened; never an error."""
        packed = pack(opened)
        if packed is None:
            return
        try:
            meta = {
                "size": status.st_size,
                "mtime_ns": status.st_mtime_ns,
                "stored_ns": time.time_ns(),
                "samples": _samples(file, status.st_size),
                "sha256": sha256(data).hexdigest(),
            }
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._place(file), json.dumps(meta).encode() + b"\n" + packed)
        except OSError:
            return


def _samples(file: Path, size: int) -> str:
    """Digest of a few stretches, spread over the file."""
    found = sha256()
    with file.open("rb", buffering=0) as stream:
        for part in range(_SAMPLES):
            stream.seek(max(0, size - _SAMPLE_BYTES) * part // (_SAMPLES - 1))
            found.update(stream.read(_SAMPLE_BYTES))
    return found.hexdigest()


def _late_text(file: Path, status: os.stat_result, content: str) -> LateText:
    def peek(start: int, size: int) -> bytes:
        try:
            with file.open("rb", buffering=0) as stream:
                stream.seek(start)
                return stream.read(size)
        except OSError as error:
            raise _unreadable(str(file), error) from error

    def load() -> bytes:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise _unreadable(str(file), error) from error
        if sha256(data).hexdigest() != content:
            raise A2lError(
                "the description changed after it was opened.",
                source=str(file),
                hint="Open it again.",
            )
        return data

    return LateText(status.st_size, peek, load)


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
            write_whole(target, data)
        except OSError:
            return None
        return target


def _epk_digest(epk: str) -> str:
    return _digest(epk.encode(errors="backslashreplace"))  # an EPK is any bytes, read as text


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]
