"""Every golden vector of XCP through the machines: master, slave and observer.

The master says what the vector says and understands what it answers; the slave, set up as the vector's
fields tell, accepts the command and gives the answer to the byte; the observer names and pairs it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from support.golden import (
    DOCUMENT,
    TABLES,
    VECTORS,
    check_fields,
    order_of,
    request_of,
)
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import NegativeResponseError
from xcaliper.proto.procedure import Burst, Collect, Tell, ask
from xcaliper.xcp import cal, pgm, std
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.dto import Dto
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.observer import ObserverMachine
from xcaliper.xcp.profile import DtoFormat, Profile
from xcaliper.xcp.refusals import decode_refusal

NAMED = {v["name"]: v for v in VECTORS}
TRACES = {t["id"]: t["steps"] for t in DOCUMENT["traces"] if t["layer"] == "xcp"}

#: Frames of transports hold packets, they are none: tests/unit/xcp/test_vectors.py has them.
FRAMES = {
    v["name"]
    for v in VECTORS
    if not {"header", "packet_hex", "messages"}.isdisjoint(v["fields"])
}
PACKETS = [v for v in VECTORS if v["name"] not in FRAMES]
NEXT = {"DOWNLOAD_NEXT": cal.Download, "PROGRAM_NEXT": pgm.Program}
FIRST = {"DOWNLOAD": cal.DownloadNext, "PROGRAM": pgm.ProgramNext}


def of(*directions: str) -> list[dict[str, Any]]:
    return [v for v in PACKETS if v["direction"] in directions]


def packet_of(vector: dict[str, Any]) -> bytes:
    """The packet; vectors of Ethernet are whole messages, LEN and CTR come first."""
    raw = bytes.fromhex(vector["bytes"])
    return raw[4:] if vector["layer"] == "eth" else raw


def ag_of(vector: dict[str, Any]) -> int:
    return vector.get("context", {}).get("address_granularity", 1)


def max_cto_of(vector: dict[str, Any]) -> int:
    least = -(-len(packet_of(vector)) // ag_of(vector)) * ag_of(vector)
    return vector.get("context", {}).get("max_cto", max(252, least))


def name_of(vector: dict[str, Any]) -> str:
    """The command that the vector is, or answers; '' for those that answer any."""
    fields, packet = vector["fields"], packet_of(vector)
    if vector["direction"] == "cmd":
        return TABLES[vector["layer"]].find(packet).name
    if vector["layer"] == "eth":
        return "GET_SLAVE_ID_EXTENDED" if packet[1] == 0xFD else "GET_SLAVE_ID"
    if vector["layer"] == "can":
        return "GET_DAQ_ID" if "can_id_fixed" in fields else "GET_SLAVE_ID"
    if vector["layer"] == "flx":
        return "GET_DAQ_FLX_BUF"
    special = {
        "max_block_size": "BUILD_CHECKSUM",
        "expected_elements": "DOWNLOAD_NEXT",
        "device_error": "PROGRAM_START",
    }
    named = [command for name, command in special.items() if name in fields]
    return fields.get("command", named[0] if named else "")


def asked(vector: dict[str, Any]) -> Any:
    """The request that a vector is, or that it answers."""
    table = TABLES[vector["layer"]]
    if vector["direction"] == "cmd":
        name = name_of(vector)
        fields = {k: v for k, v in vector["fields"].items() if k != "sub_command"}
        if name == "USER_CMD":
            fields = vector["fields"]
        return request_of(table[name].request, fields, name)
    trace = TRACES.get(vector.get("trace", ""), [])
    if trace:
        before = trace[: trace.index(vector["name"])]
        last = next(n for n in reversed(before) if NAMED[n]["direction"] == "cmd")
        return asked(NAMED[last])
    name = name_of(vector) or "GET_STATUS"
    context, fields = vector.get("context", {}), vector["fields"]
    known = {"n": context.get("n"), "mode": fields.get("mode")}
    if name == "UPLOAD" or name.endswith(("SEGMENT_INFO", "SECTOR_INFO")):
        known = {k: v for k, v in known.items() if v is not None}
        return request_of(table[name].request, known, name)
    return request_of(table[name].request, {}, name)


#: Fields of vectors that name the packet or belong to its frame; each test looks at the names itself.
OUTSIDE = {"command", "sub_command", "event", "event_code", "service", "service_code", "error"}
OUTSIDE |= {"error_code", "len", "ctr", "destination", "last"}


def check(vector: dict[str, Any], found: Any) -> None:
    """Every field of the vector is in the packet object."""
    skip = set(OUTSIDE)
    if vector["fields"].get("command") == "USER_CMD":
        skip.remove("sub_command")
    if vector["direction"] == "res" and not hasattr(found, "mode"):
        skip.add("mode")  # of the command
    if "echo_hex" in vector["fields"]:
        assert found.echo.hex() == vector["fields"]["echo_hex"]
        skip.add("echo_hex")
    if vector["direction"] == "serv":
        skip.add("text")
    check_fields(vector, found, command=name_of(vector), skip=skip)


class Master:
    """A master in a session as the vector's context says."""

    def __init__(self, vector: dict[str, Any]) -> None:
        self.master = MasterMachine(TABLES[vector["layer"]])
        if vector["fields"].get("command") == "CONNECT":
            return
        order, ag = order_of(vector), ag_of(vector)
        basic = 0x40 | (order is ByteOrder.MOTOROLA) | (ag.bit_length() - 1) << 1
        max_dto = (1468).to_bytes(2, order.value)
        hello = bytes((0xFF, 0x1D, basic, max_cto_of(vector))) + max_dto + b"\1\1"
        running = self.say(ask(std.Connect()))
        self.master.receive(hello, 0)
        assert running.done()

    def say(self, procedure: Any) -> Any:
        running = self.master.start(procedure, 0)
        self.sent = self.master.outgoing()
        return running


def step_of(request: Any) -> tuple[Any, int]:
    """A procedure that sends the request, blocks where it needs one; and its place in them."""
    name = request.__command__.name
    ag_bytes = len(getattr(request, "data", b""))
    if name in NEXT:
        first = NEXT[name](count=request.count + 6, data=b"\1\2\3\4\5\6")
        return burst(first, request), 1
    if name in FIRST and request.count > ag_bytes:
        rest = range(request.count - ag_bytes, 0, -ag_bytes)
        parts = (FIRST[name](count=n, data=bytes(min(n, ag_bytes))) for n in rest)
        return burst(request, *parts), 0
    return ask(request, final=True), 0


def burst(*requests: Any) -> Any:
    return (yield Burst(requests))


def tell(request: Any) -> Any:
    yield Tell(request)


def collect(request: Any) -> Any:
    return (yield Collect(request, 2))


# ----------------------------------------------------------------------------------------- master


def test_the_master_sends_every_command_to_the_byte() -> None:
    wrong: list[Any] = []
    for vector in of("cmd"):
        request = asked(vector)
        one = Master(vector)
        alone = vector["layer"] == "eth" or not request.__command__.answered  # answers go elsewhere
        step, place = (tell(request), 0) if alone else step_of(request)
        one.say(step)
        if [p.hex() for p in one.sent[place : place + 1]] != [packet_of(vector).hex()]:
            wrong.append((vector["name"], [p.hex() for p in one.sent], vector["bytes"]))
    assert wrong == []
    assert len(of("cmd")) > 170


def test_the_master_gives_every_field_of_every_answer() -> None:
    for vector in of("res"):
        one, request = Master(vector), asked(vector)
        packet = packet_of(vector)
        if vector["layer"] == "eth":
            continue
        blocks = isinstance(request, std.Upload) and request.count > len(packet) - 1
        blocks = blocks and ag_of(vector) == 1
        running = one.say(collect(request) if blocks else step_of(request)[0])
        assert one.sent, vector["name"]
        if blocks:
            for each in TRACES[vector["trace"]]:
                if NAMED[each]["fields"].get("command") == "UPLOAD" and NAMED[each]["direction"] == "res":
                    one.master.receive(packet_of(NAMED[each]), 0)
            found = [r for r in running.result() if r.data == packet[1:]]
            assert len(found) == 1, vector["name"]
            answer = found[0]
        else:
            one.master.receive(packet, 0)
            answer = running.result()
        check(vector, answer)
        assert one.master.counters.stray == one.master.counters.malformed == 0, vector["name"]


def test_the_master_raises_every_error_with_its_details() -> None:
    for vector in of("err"):
        one, request = Master(vector), asked(vector)
        packet, fields = packet_of(vector), vector["fields"]
        if fields["error"] == "ERR_CMD_SYNCH":
            running = one.say(ask(std.Synch()))
            one.master.receive(packet, 0)
            assert running.result().code == 0
            continue
        running = one.say(step_of(request)[0])
        one.master.receive(packet, 0)
        for _ in range(9):  # a block is tried again, from its beginning
            if running.done():
                break
            for sent in one.master.outgoing():
                answer = {0xFC: b"\xfe\x00", 0xF6: b"\xff"}.get(sent[0], b"")
                if answer:
                    one.master.receive(answer, 0)
                elif sent[0] in (0xEF, 0xCA):
                    one.master.receive(packet, 0)
        with pytest.raises(NegativeResponseError) as caught:
            running.result()
        assert caught.value.code == ErrorCode[fields["error"]] == fields["error_code"]
        assert caught.value.command == request.__command__.name or name_of(vector) in FIRST
        refusal = decode_refusal(packet, name_of(vector), order_of(vector))
        check(vector, refusal)


def test_the_master_tells_every_event_and_service_request() -> None:
    for vector in of("ev", "serv"):
        one, fields = Master(vector), vector["fields"]
        one.master.receive(packet_of(vector), 7)
        (event,) = one.master.events()
        assert event.t_ns == 7
        kind = "event" if vector["direction"] == "ev" else "service"
        assert (event.name, event.content.code) == (fields[kind], fields[f"{kind}_code"])
        assert event.text == fields.get("text", ""), vector["name"]
        check(vector, event.content)
        assert event.name != "EV_SESSION_TERMINATED" or not one.master.connected
        assert one.master.asleep == (event.name == "EV_SLEEP")


# --------------------------------------------------------------------------------------- observer


def observer_of(vector: dict[str, Any], dto: DtoFormat | None = None) -> ObserverMachine:
    profile = Profile(byte_order=order_of(vector), ag=ag_of(vector), max_cto=max_cto_of(vector))
    return ObserverMachine(TABLES[vector["layer"]], profile, dto=dto)


def test_the_observer_names_and_pairs_every_packet() -> None:
    for vector in of("cmd", "res", "err", "ev", "serv"):
        if "trace" in vector or (vector["layer"], vector["direction"]) == ("eth", "res"):
            continue
        packet, direction, fields = packet_of(vector), vector["direction"], vector["fields"]
        observer = observer_of(vector)
        if direction in ("res", "err"):
            one = Master(vector)
            one.say(step_of(asked(vector))[0])
            for sent in one.sent:
                observer.receive(sent, 0, from_master=True)
            observer.rows()
        observer.receive(packet, 5, from_master=direction == "cmd")
        (row,) = observer.rows()
        kinds = {"cmd": "CMD", "res": "RES", "err": "ERR", "ev": "EV", "serv": "SERV"}
        assert row.kind == kinds[direction], vector["name"]
        kind = {"ev": "event", "serv": "service"}.get(direction)
        assert row.name == (fields[kind] if kind else name_of(vector) or row.name), vector["name"]
        refused = {"ERR_CMD_SYNCH": ""}.get(fields.get("error"), fields.get("error", ""))
        assert row.error == refused, vector["name"]
        assert row.latency_ns == (5 if direction in ("res", "err") and row.name != "ERR" else None)
        assert row.decoded is not None, vector["name"]
        check(vector, row.decoded)


@pytest.mark.parametrize("trace", TRACES)
def test_the_observer_follows_every_trace(trace: str) -> None:
    observer = ObserverMachine(TABLES["xcp"])
    vectors = [NAMED[name] for name in TRACES[trace]]
    for at, vector in enumerate(vectors):
        from_master = vector["direction"] in ("cmd",)
        observer.receive(packet_of(vector), at, from_master=from_master)
    rows = [row for row in observer.rows() if row.packet]
    assert [row.packet for row in rows] == [packet_of(v) for v in vectors]
    for row, vector in zip(rows, vectors, strict=True):
        fields = vector["fields"]
        assert row.decoded is not None, vector["name"]
        if vector["direction"] == "dto":
            assert isinstance(row.decoded, Dto)
            assert row.decoded.timestamp == fields.get("timestamp"), vector["name"]
            assert row.decoded.data.hex() == fields["data_hex"], vector["name"]
            continue
        assert row.name == fields.get("command", fields.get("event", row.name)), vector["name"]
        late = vector["name"] in ("t_recover_05_synch_cmd",)
        assert row.error == ("" if late else fields.get("error", "")).replace("ERR_CMD_SYNCH", "")
        check(vector, row.decoded)


