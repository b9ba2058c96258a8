"""Non-volatile memory of a virtual ECU in a file, so that it survives the end of the process."""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from xcaliper.core.address import Address
from xcaliper.core.errors import SourceError
from xcaliper.xcp.daq_lists import OdtEntry
from xcaliper.xcp.slave_store import NonVolatile, StoredDaq, StoredList

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["NvmFile", "decode", "encode", "is_stored"]

_FORMAT: Final = "xcaliper-nvm"
_VERSION: Final = 1
_MAX_BYTES: Final = 64 << 20
_MAX_LISTS: Final = 0xFFFF
_LARGEST_ID: Final = 0xFFFF
_FLAGS: Final = ("selected", "timestamp", "dto_ctr", "stim", "alternating", "pid_off")


class NvmFile:
    """Keeps what SET_REQUEST stored in a file; a damaged file is left out and told.

    The file is replaced as a whole, so that a crash leaves the old or the new one.

    Args:
        path: of the file; it need not exist.
        ecu: name and program identification of the ECU; what another program stored is not taken.
        on_problem: told why the file cannot be read or written.

    Attributes:
        memory: what it holds, for the ECU; each change is written.
    """

    def __init__(
        self, path: Path, *, ecu: str, on_problem: Callable[[str], object] = lambda _text: None
    ) -> None:
        self.path = path
        self._problem = on_problem
        self._ecu = ecu
        self.memory = self._read()
        self.memory.changed = self._write

    def _read(self) -> NonVolatile:
        try:
            with self.path.open("rb") as file:
                data = file.read(_MAX_BYTES)  # a longer one is damaged without its end
            return decode(data, source=str(self.path), ecu=self._ecu)
        except FileNotFoundError:
            return NonVolatile()
        except OSError as cause:
            self._problem(f"{self.path}: it cannot be read ({cause.strerror}).")
        except SourceError as error:
            self._problem(f"{error} The ECU starts without what was stored.")
        return NonVolatile(daq_lost=True, pages_lost=True)

    def _write(self) -> None:
        temporary = self.path.with_name(f"{self.path.name}.new")
        try:
            with temporary.open("wb") as file:
                file.write(encode(self.memory, ecu=self._ecu))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except OSError as cause:
            self._problem(f"{self.path}: it cannot be written ({cause.strerror}).")


def encode(memory: NonVolatile, *, ecu: str) -> bytes:
    """The bytes of the file: JSON with a CRC over its content."""
    content = {
        "ecu": ecu,
        "master": memory.master,
        "daq": None if memory.daq is None else _daq_to_json(memory.daq),
        "pages": {str(number): data.hex() for number, data in sorted(memory.pages.items())},
        "areas": {name: data.hex() for name, data in sorted(memory.areas.items())},
        "daq_lost": memory.daq_lost,
        "pages_lost": memory.pages_lost,
    }
    text = {"format": _FORMAT, "version": _VERSION, "crc32": _crc(content), "content": content}
    return json.dumps(text, indent=1).encode()


def is_stored(path: Path) -> bool:
    """True for a file that was written here, damaged or not, and for an empty one.

    Raises:
        OSError: it cannot be read.
    """
    mark = json.dumps({"format": _FORMAT}, indent=1).removesuffix("\n}").encode()
    with path.open("rb") as file:
        return mark.startswith(file.read(len(mark)))


def _crc(content: Any) -> int:
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def _daq_to_json(stored: StoredDaq) -> dict[str, Any]:
    lists = []
    for one in stored.lists:
        row = asdict(one)
        row["odts"] = [
            [
                None
                if entry is None
                else [entry.address.value, entry.address.extension, entry.size, entry.bit_offset]
                for entry in entries
            ]
            for entries in one.odts
        ]
        lists.append(row)
    return {
        "session_configuration_id": stored.session_configuration_id,
        "resume": stored.resume,
        "alignment": stored.alignment,
        "lists": lists,
    }


def decode(data: bytes, *, source: str, ecu: str) -> NonVolatile:
    """What a file holds.

    Args:
        data: bytes of the file.
        source: its name, for messages.
        ecu: as it was written.

    Raises:
        SourceError: it is damaged, or another ECU's.
    """
    try:
        text = json.loads(data)
        if (text["format"], text["version"]) != (_FORMAT, _VERSION):
            raise SourceError(f"it is no {_FORMAT} of version {_VERSION}.", source=source)
        content = text["content"]
        if _crc(content) != text["crc32"]:
            raise SourceError("its content does not fit its checksum.", source=source)
        if content["ecu"] != ecu:
            raise SourceError(f"it is that of {content['ecu']!r}, not of {ecu!r}.", source=source)
        return _content(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
        raise SourceError(f"it is damaged ({cause!r}).", source=source) from cause


def _content(content: dict[str, Any]) -> NonVolatile:
    daq = content["daq"]
    return NonVolatile(
        daq=None if daq is None else _daq_from_json(daq),
        pages={int(number): bytes.fromhex(data) for number, data in content["pages"].items()},
        areas={str(name): bytes.fromhex(data) for name, data in content.get("areas", {}).items()},
        daq_lost=bool(content["daq_lost"]),
        pages_lost=bool(content["pages_lost"]),
        master=str(content["master"]),
    )


def _daq_from_json(daq: dict[str, Any]) -> StoredDaq:
    identifier = _number(daq["session_configuration_id"], 1, _LARGEST_ID)
    lists = daq["lists"]
    _number(len(lists), 0, _MAX_LISTS)
    return StoredDaq(
        session_configuration_id=identifier,
        resume=bool(daq["resume"]),
        lists=tuple(_list_from_json(row) for row in lists),
        alignment=_number(daq["alignment"], 1, 4),
    )


def _list_from_json(row: dict[str, Any]) -> StoredList:
    mode, timestamp_mode, samples = (_number(one, 0, 0xFFFF) for one in row["packing"])
    event = row["event_channel"]
    return StoredList(
        odts=tuple(tuple(_entry(entry) for entry in entries) for entries in row["odts"]),
        event_channel=None if event is None else _number(event, 0, 0xFFFF),
        prescaler=_number(row["prescaler"], 1, 0xFF),
        priority=_number(row["priority"], 0, 0xFF),
        packing=(mode, timestamp_mode, samples),
        **{name: bool(row[name]) for name in _FLAGS},
    )


def _entry(entry: list[int] | None) -> OdtEntry | None:
    if entry is None:
        return None
    value, extension, size, bit_offset = entry
    return OdtEntry(
        Address(_number(value, 0, 0xFFFF_FFFF), _number(extension, 0, 0xFF)),
        _number(size, 0, 0xFF),
        _number(bit_offset, 0, 0xFF),
    )


def _number(value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{value!r} is not from {low} to {high}")
    return value
