"""What the writer, the reader and the repair need of a file; and a file in memory."""

from __future__ import annotations

from typing import Protocol

__all__ = ["MemoryFile", "ReadableFile", "RepairableFile", "WritableFile"]


class WritableFile(Protocol):
    """A file that grows at its end and is patched in place."""

    def append(self, data: bytes | bytearray | memoryview) -> int:
        """Write all bytes at the end and return their offset.

        When it raises, the end has not moved: the next append starts at the same offset.
        """
        ...

    def write_at(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Overwrite bytes that were appended before."""
        ...

    def sync(self) -> None:
        """Return when everything written so far would survive a power loss."""
        ...


class ReadableFile(Protocol):
    """A file that is read at any offset."""

    def size(self) -> int:
        """Number of bytes in the file now."""
        ...

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``offset``; fewer at the end of the file."""
        ...


class RepairableFile(WritableFile, ReadableFile, Protocol):
    """A file that is read and mended."""


class MemoryFile:
    """A file in memory, for tests and for recordings that never touch a disk."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    def append(self, data: bytes | bytearray | memoryview) -> int:
        """Add bytes and return their offset."""
        offset = len(self.data)
        self.data += data
        return offset

    def write_at(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Overwrite existing bytes."""
        assert 0 <= offset <= len(self.data) - len(data), "patches stay inside what was appended"
        self.data[offset : offset + len(data)] = data

    def sync(self) -> None:
        """Nothing to wait for."""

    def size(self) -> int:
        """Number of bytes."""
        return len(self.data)

    def read_at(self, offset: int, count: int) -> bytes:
        """Bytes from an offset."""
        return bytes(self.data[offset : offset + count])
