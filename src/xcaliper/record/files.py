"""A file on disk as the MDF4 writer needs it: append, patch, read, sync."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xcaliper.core.errors import MdfError, SettingsError
from xcaliper.mdf.repair import examine, repair
from xcaliper.mdf.walk import DAMAGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.mdf.repair import RepairReport

__all__ = ["DiskFile", "free_path", "repair_file"]

_FULL: Final = frozenset(
    {errno.ENOSPC, errno.EFBIG} | {getattr(errno, name, errno.ENOSPC) for name in ("EDQUOT",)}
)
MAX_NUMBER: Final = 99_999
_PIECE: Final = 1 << 24


def free_path(path: str | Path) -> Path:
    """The path itself, or ``name_001``, ``name_002`` … when files of that name exist.

    Raises:
        SettingsError: all numbers are taken.
    """
    wanted = Path(path)
    if not wanted.exists():
        return wanted
    for number in range(1, MAX_NUMBER + 1):
        candidate = wanted.with_name(f"{wanted.stem}_{number:03d}{wanted.suffix}")
        if not candidate.exists():
            return candidate
    raise SettingsError("path", f"{wanted} and all its numbers exist", hint="Use another name.")


class DiskFile:
    """Unbuffered file; every call is complete when it returns.

    Args:
        path: file name.
        create: make a new file; refuses an existing one.
        overwrite: with ``create``, remove an existing file first.
        writable: open for reading and writing, else only for reading.
        positional: write without moving a file pointer; ``None`` = where the system can.

    Raises:
        SettingsError: the file exists, or its folder does not.
        MdfError: the system refuses.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        create: bool = False,
        overwrite: bool = False,
        writable: bool = True,
        positional: bool | None = None,
    ) -> None:
        self.path = Path(path)
        self._positional = hasattr(os, "pwrite") if positional is None else positional
        self._lock = threading.Lock()
        self._fd = _open(self.path, create=create, overwrite=overwrite, writable=writable)
        self._end = os.fstat(self._fd).st_size

    def append(self, data: bytes | bytearray | memoryview) -> int:
        """Write all bytes at the end and return their offset; on failure the end has not moved."""
        offset = self._end
        self.write_at(offset, data)
        self._end = offset + len(data)
        return offset

    def write_at(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all bytes at an offset.

        Raises:
            MdfError: the disk is full or fails.
        """
        with memoryview(data) as view:
            done = 0
            while done < len(view):
                try:
                    count = self._write_some(offset + done, view[done:])
                except OSError as error:
                    raise self._failed(error) from error
                if count <= 0:
                    raise self._failed(OSError(errno.ENOSPC, "nothing was written"))
                done += count

    def _write_some(self, offset: int, view: memoryview) -> int:
        if self._positional:
            return os.pwrite(self._fd, view, offset)
        with self._lock:
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.write(self._fd, view)

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes; fewer at the end of the file."""
        parts: list[bytes] = []
        try:
            while count > 0:
                with self._lock:
                    os.lseek(self._fd, offset, os.SEEK_SET)
                    part = os.read(self._fd, min(count, 1 << 24))
                if not part:
                    break
                parts.append(part)
                offset += len(part)
                count -= len(part)
        except (OSError, OverflowError) as error:
            raise MdfError(f"cannot be read ({error}).", source=str(self.path)) from error
        return b"".join(parts)

    def size(self) -> int:
        """Bytes in the file now, also when another process writes it."""
        return os.fstat(self._fd).st_size

    def sync(self) -> None:
        """Return when the data would survive a power loss."""
        try:
            getattr(os, "fdatasync", os.fsync)(self._fd)
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        """Release the file; harmless when closed before."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _failed(self, error: OSError) -> MdfError:
        size = f"{self._end / 1e6:.1f} MB"
        if error.errno in _FULL:
            return MdfError(
                f"the disk is full after {size}.",
                source=str(self.path),
                hint="Free some space or record elsewhere; the file holds all that was "
                "committed and stays readable.",
            )
        return MdfError(
            f"cannot be written after {size} ({error.strerror or error}).",
            source=str(self.path),
            hint="Check the drive; what was committed stays readable.",
        )


def _open(path: Path, *, create: bool, overwrite: bool, writable: bool) -> int:
    access = os.O_RDWR if writable or create else os.O_RDONLY
    flags = access | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        if create:
            if overwrite:
                path.unlink(missing_ok=True)
            flags |= os.O_CREAT | os.O_EXCL
        return os.open(path, flags, 0o666)
    except FileExistsError as error:
        raise SettingsError(
            "path",
            f"{path} exists already",
            hint="Choose another name, let the name be numbered, or allow overwriting.",
        ) from error
    except FileNotFoundError as error:
        what = path.parent if create else path
        raise SettingsError(
            "path", f"{what} does not exist", hint="Create it or correct the path."
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MdfError(
            f"cannot be opened ({reason}).", source=str(path), hint="Check rights and path."
        ) from error


def repair_file(
    path: str | Path, out: str | Path | None = None, *, overwrite: bool = False
) -> RepairReport:
    """Mend a recording of ours that a power loss or a broken copy cut short.

    Args:
        path: the recording.
        out: where the mended one goes, the recording itself stays as it is; None = mend it in place.
            Nothing is written where the recording is whole.
        overwrite: replace ``out`` if it exists.

    Raises:
        SettingsError: no such file, or ``out`` exists or is the recording itself.
        MdfError: not a recording of ours, or cut before its description was complete; ``out`` is
            not made then.
    """
    if out is None:
        return _mended(Path(path), lambda file: repair(file, time.time_ns()), writable=True)
    report = _mended(Path(path), examine, writable=False)
    if report.changed:
        _copy(Path(path), Path(out), overwrite=overwrite)
        try:
            _mended(Path(out), lambda file: repair(file, time.time_ns()), writable=True)
        except BaseException:
            Path(out).unlink(missing_ok=True)
            raise
    return report


def _mended(path: Path, act: Callable[[DiskFile], RepairReport], *, writable: bool) -> RepairReport:
    """What is done to a file, errors told with its name."""
    file = DiskFile(path, writable=writable)
    try:
        return act(file)
    except MdfError as error:
        hint = error.hint
        if hint == DAMAGED:
            hint = "Its description is cut or damaged, so its samples cannot be told apart."
        raise MdfError(error.message, source=error.source or str(path), hint=hint) from error
    finally:
        file.close()


def _copy(source: Path, target: Path, *, overwrite: bool) -> None:
    """A copy to mend; none stays where it failed."""
    if target.exists() and target.samefile(source):
        raise SettingsError(
            "out",
            f"{target} is the recording itself",
            hint="Name another file, or mend it in place.",
        )
    old, new = DiskFile(source, writable=False), None
    try:
        new = DiskFile(target, create=True, overwrite=overwrite)
        size = old.size()
        for at in range(0, size, _PIECE):
            new.append(old.read_at(at, min(_PIECE, size - at)))
    except BaseException:
        if new is not None:
            new.close()
            target.unlink(missing_ok=True)
        raise
    finally:
        old.close()
    new.close()
