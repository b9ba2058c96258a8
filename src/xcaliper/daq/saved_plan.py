"""A plan as JSON and back, so that lists which an ECU has stored can be decoded in another process."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from xcaliper.core.address import Address
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import SourceError
from xcaliper.core.ticks import TickClock
from xcaliper.daq.capabilities import EventChannel
from xcaliper.daq.plan import DaqPlan, Raster
from xcaliper.xcp.daq_lists import DaqListSetup, ListKind, OdtEntry, OdtSetup, PackedMode
from xcaliper.xcp.profile import DtoFormat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SavedPlan", "session_configuration_id"]

_FORMAT: Final = "xcaliper-resume"
_VERSION: Final = 1
_MAX_BYTES: Final = 256 << 20
_MAX_ROW: Final = 1 << 24
_MODE: Final = ("timestamp", "dto_ctr", "stim", "pid_off", "alternating")


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """What has to be known to decode lists that an ECU has stored.

    Attributes:
        session_configuration_id: that the lists were stored with.
        plan: of the lists; signals that are polled are not in it.
        first_pids: DAQ list → FIRST_PID, for absolute identification fields.
        names: the signals, as they are called in the description.
        url: of the slave.
        epk: program that the lists belong to; empty = not known.
        resume: they start at power-up.
    """

    session_configuration_id: int
    plan: DaqPlan
    first_pids: Mapping[int, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    url: str = ""
    epk: str = ""
    resume: bool = True

    def to_bytes(self) -> bytes:
        """JSON with a CRC over its content."""
        content = {
            "session_configuration_id": self.session_configuration_id,
            "url": self.url,
            "epk": self.epk,
            "resume": self.resume,
            "names": list(self.names),
            "first_pids": {str(number): pid for number, pid in self.first_pids.items()},
            "plan": _plan_to_json(self.plan),
        }
        text = {"format": _FORMAT, "version": _VERSION, "crc32": _crc(content), "content": content}
        return json.dumps(text, indent=1).encode()

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "saved plan") -> SavedPlan:
        """What :meth:`to_bytes` gave.

        Raises:
            SourceError: it is damaged, or something else.
        """
        try:
            if len(data) > _MAX_BYTES:
                raise ValueError("too long")  # noqa: TRY301  # told as damage below
            text = json.loads(data)
            if (text["format"], text["version"]) != (_FORMAT, _VERSION):
                raise ValueError(f"no {_FORMAT} of version {_VERSION}")  # noqa: TRY301
            content = text["content"]
            if _crc(content) != text["crc32"]:
                raise ValueError("it does not fit its checksum")  # noqa: TRY301
            return cls(
                session_configuration_id=_number(content["session_configuration_id"], 1, 0xFFFF),
                plan=_plan_from_json(content["plan"]),
                first_pids={
                    int(n): _number(pid, 0, 255) for n, pid in content["first_pids"].items()
                },
                names=tuple(map(str, content["names"])),
                url=str(content["url"]),
                epk=str(content["epk"]),
                resume=bool(content["resume"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as cause:
            raise SourceError(
                f"it is no stored measurement ({cause}).",
                source=source,
                hint="Take the file that store_measurement() has written.",
            ) from cause


def session_configuration_id(plan: DaqPlan) -> int:
    """An id of a plan's lists, 1 to 65535: equal lists have equal ids (XCP Base, SET_REQUEST, 1.0)."""
    rows = [_setup_to_json(one) for one in plan.lists]
    return _crc(rows) % 0xFFFF + 1


def _crc(content: Any) -> int:
    return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def _number(value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{value!r} is not from {low} to {high}")
    return value


# -- plans -----------------------------------------------------------------------------------------


def _plan_to_json(plan: DaqPlan) -> dict[str, Any]:
    head, clock = plan.dto_format, plan.clock
    return {
        "lists": [_setup_to_json(one) for one in plan.lists],
        "rasters": [_raster_to_json(one) for one in plan.rasters],
        "dto_format": {
            "identification_field": head.identification_field,
            "timestamp_size": head.timestamp_size,
            "dto_ctr": head.dto_ctr,
            "overload_msb": head.overload_msb,
            "pid_off": head.pid_off,
        },
        "byte_order": plan.byte_order.value,
        "clock": None if clock is None else [clock.ticks, clock.unit, clock.size_bytes],
        "max_dto": plan.max_dto,
    }


def _plan_from_json(made: dict[str, Any]) -> DaqPlan:
    head, clock = made["dto_format"], made["clock"]
    dto_format = DtoFormat(
        identification_field=_number(head["identification_field"], 0, 3),
        timestamp_size=_number(head["timestamp_size"], 0, 4),
        dto_ctr=bool(head["dto_ctr"]),
        overload_msb=bool(head["overload_msb"]),
        pid_off=bool(head["pid_off"]),
    )
    lists = tuple(_setup_from_json(one) for one in made["lists"])
    rasters = tuple(_raster_from_json(one) for one in made["rasters"])
    if len(lists) != len(rasters) or not lists:
        raise ValueError(f"{len(lists)} lists and {len(rasters)} rasters")
    for number, (one, raster) in enumerate(zip(lists, rasters, strict=True)):
        sizes = len(raster.odt_sizes)
        if raster.index != number or raster.daq_list != one.daq_list or sizes != len(one.odts):
            raise ValueError(f"raster {number} does not belong to its list")
        if sum(raster.odt_sizes) != raster.dtype.itemsize:
            raise ValueError(f"the rows of raster {number} are not as long as its ODTs")
    return DaqPlan(
        lists=lists,
        rasters=rasters,
        dto_format=dto_format,
        byte_order=ByteOrder(made["byte_order"]),
        clock=None if clock is None else _clock(clock),
        max_dto=_number(made["max_dto"], 1, 0xFFFF),
    )


def _clock(values: Sequence[int]) -> TickClock:
    ticks, unit, size_bytes = values
    return TickClock(_number(ticks, 1, 0xFFFF), _number(unit, 0, 12), _number(size_bytes, 1, 4))


def _setup_to_json(one: DaqListSetup) -> dict[str, Any]:
    packed = one.packed
    return {
        "daq_list": one.daq_list,
        "event_channel": one.event_channel,
        "prescaler": one.prescaler,
        "priority": one.priority,
        "kind": one.kind.value,
        "capacity": None if one.capacity is None else list(one.capacity),
        "packed": None
        if packed is None
        else [packed.mode, packed.sample_count, packed.timestamp_mode],
        "odts": [
            [[e.address.value, e.address.extension, e.size, e.bit_offset] for e in odt.entries]
            for odt in one.odts
        ],
        **{name: getattr(one, name) for name in _MODE},
    }


def _setup_from_json(made: dict[str, Any]) -> DaqListSetup:
    modes: dict[str, Any] = {name: bool(made[name]) for name in _MODE}
    return DaqListSetup(
        daq_list=_number(made["daq_list"], 0, 0xFFFF),
        event_channel=_number(made["event_channel"], 0, 0xFFFF),
        odts=tuple(OdtSetup(tuple(map(_entry, odt))) for odt in made["odts"]),
        prescaler=_number(made["prescaler"], 1, 0xFF),
        priority=_number(made["priority"], 0, 0xFF),
        kind=ListKind(made["kind"]),
        capacity=_capacity(made["capacity"]),
        packed=_packed(made["packed"]),
        **modes,
    )


def _capacity(values: Sequence[int] | None) -> tuple[int, int] | None:
    if values is None:
        return None
    odts, entries = values
    return _number(odts, 0, 0xFF), _number(entries, 0, 0xFF)


def _packed(values: Sequence[int] | None) -> PackedMode | None:
    if values is None:
        return None
    mode, samples, timestamp_mode = values
    return PackedMode(
        _number(mode, 1, 2), _number(samples, 1, 0xFFFF), _number(timestamp_mode, 0, 1)
    )


def _entry(values: Sequence[int]) -> OdtEntry:
    value, extension, size, bit_offset = values
    address = Address(_number(value, 0, 0xFFFF_FFFF), _number(extension, 0, 0xFF))
    return OdtEntry(address, _number(size, 0, 0xFF), _number(bit_offset, 0, 0xFF))


def _raster_to_json(one: Raster) -> dict[str, Any]:
    packed, event = one.packed, one.event
    return {
        "index": one.index,
        "name": one.name,
        "event": [event.number, event.name, event.cycle_ns],
        "daq_list": one.daq_list,
        "prescaler": one.prescaler,
        "alternating": one.alternating,
        "odt_sizes": list(one.odt_sizes),
        "filler_bytes": one.filler_bytes,
        "entry_sizes": [list(sizes) for sizes in one.entry_sizes],
        "packed": None
        if packed is None
        else [packed.mode, packed.sample_count, packed.timestamp_mode],
        "row_bytes": one.dtype.itemsize,
        "fields": [
            [name, dtype.base.str, list(dtype.shape), offset]
            for name, (dtype, offset, *_) in (one.dtype.fields or {}).items()
        ],
    }


def _raster_from_json(made: dict[str, Any]) -> Raster:
    number, name, cycle_ns = made["event"]
    sizes = tuple(_number(size, 0, 0xFFFF) for size in made["odt_sizes"])
    return Raster(
        index=_number(made["index"], 0, 0xFFFF),
        name=str(made["name"]),
        event=EventChannel(
            _number(number, 0, 0xFFFF),
            str(name),
            None if cycle_ns is None else _number(cycle_ns, 1, 1 << 62),
        ),
        daq_list=_number(made["daq_list"], 0, 0xFFFF),
        prescaler=_number(made["prescaler"], 1, 0xFF),
        dtype=_dtype(made["fields"], _number(made["row_bytes"], 0, _MAX_ROW)),
        odt_sizes=sizes,
        filler_bytes=_number(made["filler_bytes"], 0, _MAX_ROW),
        packed=_packed(made["packed"]),
        entry_sizes=tuple(
            tuple(_number(size, 0, 0xFFFF) for size in entries) for entries in made["entry_sizes"]
        ),
        alternating=bool(made["alternating"]),
    )


def _dtype(fields: Sequence[Sequence[Any]], row_bytes: int) -> np.dtype[Any]:
    """The rows of a raster; every field lies inside of them and holds numbers or bytes."""
    formats = []
    for name, text, shape, offset in fields:
        base = np.dtype(str(text))
        if base.kind not in "iufSV" or base.names:
            raise ValueError(f"{name}: {text!r} is no type of a measurement")
        made = np.dtype((base, tuple(_number(n, 1, _MAX_ROW) for n in shape)))
        _number(offset, 0, row_bytes - made.itemsize)
        formats.append(made)
    return np.dtype(
        {
            "names": [str(row[0]) for row in fields],
            "formats": formats,
            "offsets": [row[3] for row in fields],
            "itemsize": row_bytes,
        }
    )
