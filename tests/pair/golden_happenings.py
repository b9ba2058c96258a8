"""Scenes for errors, events, service requests and DTOs of the golden vectors."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from pair.golden_daq_scenes import EXTENDED, clocks
from pair.golden_pgm_scenes import STARTED, at
from pair.golden_slaves import (
    ALL,
    RAM,
    ROM,
    Scene,
    Served,
    bound,
    events,
    lists,
    program,
    ready,
    running,
    security,
    selected,
)
from support.golden import packet_of
from xcaliper.core.address import Address
from xcaliper.core.ticks import TickClock
from xcaliper.xcp import cal, daq, level1, pag, pgm, std, timecorr
from xcaliper.xcp.codes import ChecksumType, SetRequestMode
from xcaliper.xcp.daq_lists import OdtEntry
from xcaliper.xcp.slave_clock import ClockSettings
from xcaliper.xcp.slave_daq_config import CounterConfig, PackedConfig
from xcaliper.xcp.slave_stim import StimSettings
from xcaliper.xcp.slave_store import NonVolatile, StoredDaq, StoredList
from xcaliper.xcp.tlcmd import EthGetDaqClockMulticast

if TYPE_CHECKING:
    from collections.abc import Callable

    Vector = dict[str, Any]

MS = 1_000_000
US = 1000


def page(segment: int, number: int, mode: int = 3) -> pag.SetCalPage:
    return pag.SetCalPage(mode=pag.CalPageMode(mode), segment=segment, page=number)


def unsound(served: Served) -> None:
    served.memory.sound = False


def forbidden(code: int) -> Callable[[Served], None]:
    """Programming is not possible now, for a reason of the device."""

    def forbid(served: Served) -> None:
        served.slave.state.program.forbidden = code

    return forbid


STORE = std.SetRequest(
    mode=SetRequestMode.of(store_daq_req_no_resume=1), session_configuration_id=1
)
LOCKED = {"security": security(protected=ALL)}
POINTER = daq.SetDaqPtr(daq_list=0, odt=0, odt_entry=0)

#: Error → settings, what comes before, the command that is refused.
ERRORS: dict[str, Scene] = {
    "ERR_CMD_SYNCH": Scene(request=std.Synch()),
    "ERR_CMD_BUSY": Scene(
        before=(*selected(), STORE), request=daq.StartStopDaqList(mode=1, daq_list=0)
    ),
    "ERR_DAQ_ACTIVE": Scene(before=running(), request=POINTER),
    "ERR_PGM_ACTIVE": Scene(before=(pgm.ProgramStart(),), request=daq.FreeDaq()),
    "ERR_CMD_UNKNOWN": Scene({"user_command": None}, request=std.UserCmd(sub_command=1)),
    "ERR_CMD_SYNTAX": Scene(request=b"\xf4\x01"),
    "ERR_OUT_OF_RANGE": Scene(request=std.ShortUpload(count=0, address=RAM)),
    "ERR_WRITE_PROTECTED": Scene(before=(at(ROM),), request=cal.Download(count=1, data=b"\0")),
    "ERR_ACCESS_DENIED": Scene(request=std.ShortUpload(count=1, address=0x7000_0000)),
    "ERR_ACCESS_LOCKED": Scene(LOCKED, request=cal.Download(count=1, data=b"\0")),
    "ERR_PAGE_NOT_VALID": Scene(request=page(0, 99)),
    "ERR_MODE_NOT_VALID": Scene(request=page(0, 0, mode=0)),
    "ERR_SEGMENT_NOT_VALID": Scene(request=page(99, 0)),
    "ERR_SEQUENCE": Scene(request=daq.AllocDaq(daq_count=1)),
    "ERR_DAQ_CONFIG": Scene(before=lists(0), request=daq.StartStopSynch(mode=1)),
    "ERR_MEMORY_OVERFLOW": Scene(
        {"max_daq_lists": 1}, (daq.FreeDaq(),), request=daq.AllocDaq(daq_count=2)
    ),
    "ERR_GENERIC": Scene(request=pgm.ProgramPrepare(code_size=1)),
    "ERR_VERIFY": Scene(
        before=(*STARTED, unsound),
        request=pgm.ProgramVerify(mode=0, verification_type=1, verification_value=0),
    ),
    "ERR_RESOURCE_TEMPORARY_NOT_ACCESSIBLE": Scene(
        {"clocks": ClockSettings(readable=False)}, request=timecorr.GetDaqClock()
    ),
    "ERR_SUBCMD_UNKNOWN": Scene(request=b"\xf2\x01"),
}


def error_scene(vector: Vector) -> Scene:
    """A slave that refuses something with the vector's error."""
    f = SimpleNamespace(**vector["fields"])
    if hasattr(f, "max_block_size"):
        sums = {"checksum": ChecksumType.XCP_ADD_44, "max_checksum_block": f.max_block_size}
        return Scene(sums, (at(RAM),), std.BuildChecksum(block_size=f.mta_block_size_align + 1))
    if hasattr(f, "expected_elements"):
        begun = cal.Download(count=f.expected_elements + 6, data=bytes(6))
        other = cal.DownloadNext(count=2, data=b"\1\2")
        return Scene({"max_cto": 8}, (at(RAM), begun), other)
    if hasattr(f, "device_error"):
        return Scene(before=(forbidden(f.device_error),), request=pgm.ProgramStart())
    return replace(ERRORS[f.error])


# ----------------------------------------------------------------------------- events and services


def later(time_ns: int) -> Callable[[Served], None]:
    return lambda served: served.wait(time_ns)


def request_store(**bits: int) -> std.SetRequest:
    number = 0 if "store_cal_req" in bits or "clear_daq_req" in bits else 1
    return std.SetRequest(mode=SetRequestMode.of(**bits), session_configuration_id=number)


def resumed(f: Any) -> Scene:
    """Power comes back at the time of the event, and the stored lists start."""
    odts = ((OdtEntry(Address(RAM), 1),),)
    one = StoredList(odts, selected=True, event_channel=0, timestamp=True)
    kept = NonVolatile()
    kept.daq = StoredDaq(f.session_configuration_id, resume=True, lists=(one,))
    return Scene(nonvolatile=kept, request=lambda served: served.slave.power_up(f.timestamp * US))


def overload(f: Any) -> Scene:
    def twice(served: Served) -> None:
        for _ in range(2):
            served.slave.event(0, 0)

    return Scene({"overload": 2, "queue_size": 1}, running(), twice)


def time_sync(f: Any) -> Scene:
    if hasattr(f, "ecu_timestamp") and f.trigger_initiator == 1:
        made = clocks(
            f,
            2,  # the slave shows the grandmaster's 2 ns, which is 1 of its own ticks
            1,
            1,
            start_ns=(0, f.grandmaster_timestamp, f.ecu_timestamp),
            discipline="synchronised",
            grandmaster_access=1,
            ecu_synchronised=1,
        )
        sync = f.trigger_initiator
        return Scene(made, (EXTENDED,), lambda served: served.slave.time_sync(sync, 0))
    if getattr(f, "trigger_info", 0):
        ask = EthGetDaqClockMulticast(cluster_identifier=0, counter=f.counter)
        settings = {"clocks": ClockSettings(sampling=f.time_of_sampling)}
        return Scene(settings, (EXTENDED,), ask, at_ns=f.timestamp * US, layer="eth")
    return Scene(request=lambda served: served.slave.time_sync(0, f.timestamp * US))


def stim_timeout(f: Any) -> Scene:
    """A list for STIM whose data does not come, or comes with a wrong counter."""
    number, channel = (f.number, 0) if f.info_type else (0, f.number)
    mode = 0x0A if f.failure_type else 0x02

    def act(served: Served) -> None:
        if f.failure_type:
            served.ask(bytes((0, *number.to_bytes(2, "little"), 0x77, 0x11)))
        served.slave.event(channel, 0)

    start = daq.StartStopDaqList(mode=1, daq_list=number)
    changes = {
        "stim": StimSettings(grace=0, timeout_of_list=bool(f.info_type)),
        "events": events(counter=CounterConfig(stim_mode=1)),
    }
    return Scene(changes, (*ready(number, channel, mode), start), act)


def told(f: Any) -> Scene:
    info = bytes.fromhex(getattr(f, "data_hex", "")) or bytes((getattr(f, "state_number", 0),))
    return Scene(request=lambda served: served.slave.notify(f.event_code, info))


PENDING = {"program": program(start_ns=500 * MS, pending_ns=100 * MS)}
EVENTS: dict[str, Callable[[Any], Scene]] = {
    "EV_RESUME_MODE": resumed,
    "EV_CLEAR_DAQ": lambda f: Scene(
        before=(request_store(clear_daq_req=1),), request=later(20 * MS)
    ),
    "EV_STORE_DAQ": lambda f: Scene(before=(*selected(), STORE), request=later(20 * MS)),
    "EV_STORE_CAL": lambda f: Scene(
        before=(request_store(store_cal_req=1),), request=later(20 * MS)
    ),
    "EV_CMD_PENDING": lambda f: Scene(PENDING, (pgm.ProgramStart(),), later(100 * MS)),
    "EV_DAQ_OVERLOAD": overload,
    "EV_SESSION_TERMINATED": lambda f: Scene(request=lambda served: served.slave.terminate(0)),
    "EV_SLEEP": lambda f: Scene(request=lambda served: served.slave.sleep()),
    "EV_WAKE_UP": lambda f: Scene(
        before=(lambda served: served.slave.sleep(),), request=lambda served: served.slave.wake()
    ),
    "EV_TIME_SYNC": time_sync,
    "EV_STIM_TIMEOUT": stim_timeout,
    "EV_ECU_STATE_CHANGE": told,
    "EV_USER": told,
    "EV_TRANSPORT": told,
    "SERV_RESET": lambda f: Scene(request=lambda served: served.slave.request_service(0)),
    "SERV_TEXT": lambda f: Scene(request=lambda served: served.slave.say(f.text)),
}


def event_scene(vector: Vector) -> Scene:
    """A slave to which the vector's event happens."""
    f = SimpleNamespace(**vector["fields"])
    return EVENTS[getattr(f, "event", None) or f.service](f)


# ------------------------------------------------------------------------------------------- DTOs


def dto_scene(vector: Vector) -> Scene:
    """A slave with a list that sends the DTO, or takes it, at the vector's time."""
    context, fields = vector["context"], vector["fields"]
    stim, pid = fields["kind"] == "stim", fields.get("pid", 0)
    number = fields.get("daq_list", 1 if pid else 0)
    first = context.get("first_pid", pid)
    size, packed = context["timestamp_size"], context.get("packed_mode", 0)
    data = sampled(context, fields)
    mode = 0x02 * stim | 0x08 * context.get("dto_ctr", False) | 0x10 * bool(size)
    mode |= 0x20 * context.get("pid_off", False)
    entries = context.get("entries", [len(data[0])])
    odts = pid - first + 1
    before: list[Any] = [daq.GetDaqProcessorInfo(), daq.GetDaqResolutionInfo()]
    before += [*lists(number, odts, len(entries), first=first)]
    for odt in range(odts):
        before.append(daq.SetDaqPtr(daq_list=number, odt=odt, odt_entry=0))
        for at_, length in enumerate(entries):
            address = RAM + 16 * at_
            before.append(
                daq.WriteDaq(bit_offset=0xFF, size=length, address_extension=0, address=address)
            )
    before.append(bound(number, 0, mode))
    samples, last = context.get("sample_count", 1), context.get("timestamp_mode", 1) == 0
    if packed:
        before.append(
            level1.SetDaqPackedMode(
                daq_list=number,
                daq_packed_mode=packed,
                timestamp_mode=context["timestamp_mode"],
                sample_count=samples,
            )
        )
    before.append(daq.StartStopDaqList(mode=1, daq_list=number))
    changes = {
        "identification_field": context["id_type"],
        "timestamp": TickClock(1, 3, size),
        "overload": 1 if context.get("overload_msb") else 0,
        "queue_size": 1 if fields.get("overload") else 64,
        "pid_off": context.get("pid_off", False),
        "events": events(packed=PackedConfig(packed, context["timestamp_mode"], samples))
        if packed
        else events(packed=None),
    }
    act = take(packet_of(vector)) if stim else send(fields, data, samples, last=last)
    expected = data[0]
    return Scene(
        changes,
        tuple(before),
        act,
        result=lambda memory: memory.read(Address(RAM), len(expected)) == expected,
    )


def sampled(context: dict[str, Any], fields: dict[str, Any]) -> list[bytes]:
    """What stands in memory at each sample: entry A, and entry B 16 bytes behind."""
    if "data_hex" in fields:
        return [bytes.fromhex(fields["data_hex"])]
    sizes = context["entries"]
    return [
        a.to_bytes(sizes[0], "little").ljust(16, b"\0") + b.to_bytes(sizes[1], "little")
        for a, b in zip(fields["A"], fields["B"], strict=True)
    ]


def take(packet: bytes) -> Callable[[Served], None]:
    """The packet comes, then its event."""

    def act(served: Served) -> None:
        served.ask(packet)
        served.slave.event(0, 0)

    return act


def send(
    fields: dict[str, Any], data: list[bytes], samples: int, *, last: bool
) -> Callable[[Served], None]:
    """The events before it, unheard; then those of the DTO, at its time."""
    time_ns = fields.get("timestamp", 0) * US

    def act(served: Served) -> None:
        for _ in range(fields.get("counter", 1) - 1):
            served.slave.event(0, 0)
            served.slave.outgoing()
        for _ in range(2 * fields.get("overload", 0)):
            served.slave.event(0, 0)
        served.slave.outgoing()
        for number, values in enumerate(data):
            served.memory.write(Address(RAM), values)
            turn = number - (samples - 1) * last
            served.slave.event(0, time_ns + turn * 100 * US)

    return act
