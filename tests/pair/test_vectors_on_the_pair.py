"""Every golden vector of XCP through the machines: master, slave and observer.

The master says what the vector says and understands what it answers; the slave, set up as the vector's
fields tell, accepts the command and gives the answer to the byte; the observer names and pairs it.
"""

from __future__ import annotations

from typing import Any

import pytest

from pair.golden_happenings import dto_scene, error_scene, event_scene
from pair.golden_scenes import scene_of
from pair.golden_slaves import Served
from pair.test_traces import REPLAYED
from support.golden import (
    DOCUMENT,
    FRAMES,
    NAMED,
    PACKETS,
    TABLES,
    TRACES,
    VECTORS,
    ag_of,
    asked,
    check_fields,
    max_cto_of,
    name_of,
    of,
    order_of,
    packet_of,
)
from xcaliper.core.datatypes import ByteOrder
from xcaliper.core.errors import NegativeResponseError
from xcaliper.proto.procedure import Burst, Collect, Tell, ask
from xcaliper.xcp import cal, pgm, std
from xcaliper.xcp.codes import ErrorCode
from xcaliper.xcp.dto import Dto
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.observer import ObserverMachine
from xcaliper.xcp.procedures.transport import decode_discovery
from xcaliper.xcp.profile import DtoFormat, Profile
from xcaliper.xcp.refusals import decode_refusal

NEXT = {"DOWNLOAD_NEXT": cal.Download, "PROGRAM_NEXT": pgm.Program}
FIRST = {"DOWNLOAD": cal.DownloadNext, "PROGRAM": pgm.ProgramNext}


#: What no slave of ours sends or takes, and why; everything else is there.
NOT_BY_SLAVE = {
    "set_daq_list_mode_stim_ctr_pidoff": "a prescaler, and no PID, for a list that the master sends",
    "get_status_res_resume_state": "CLEAR_DAQ_REQ while lists run, which the slave refuses",
    "dto_ctr_properties_res_le": "DAQ mode 1 without STIM_DTO_CTR_COPY to copy",
    "dto_ctr_properties_res_be": "likewise",
    "time_correlation_properties_res_le": "a clock relation beside a clock that needs none",
    "time_correlation_properties_res_be": "likewise",
    "eth_get_slave_id_extended_response": "an extended answer whose status says there is none",
    "ev_time_sync_ext_dword_cluster": "SYNC_STATE of a clock that follows none, which may be left out",
}
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
    assert not wrong, "\n".join(map(str, wrong))
    assert len(of("cmd")) > 170


def test_the_master_gives_every_field_of_every_answer() -> None:
    for vector in of("res"):
        one, request = Master(vector), asked(vector)
        packet = packet_of(vector)
        if vector["layer"] == "eth":  # comes to a socket of its own, past the machine
            slave, fields = decode_discovery(packet), vector["fields"]
            assert (slave.host, slave.port, slave.busy) == (
                fields["ip"],
                fields["port"],
                bool(fields["busy"]),
            )
            assert slave.name.encode().hex() == fields["identification_hex"]
            assert slave.mac.hex(":").upper() == fields.get("mac", "")
            continue
        blocks = isinstance(request, std.Upload) and request.count > len(packet) - 1
        blocks = blocks and ag_of(vector) == 1
        running = one.say(collect(request) if blocks else step_of(request)[0])
        assert one.sent, vector["name"]
        if blocks:
            for each in TRACES[vector["trace"]]:
                if (
                    NAMED[each]["fields"].get("command") == "UPLOAD"
                    and NAMED[each]["direction"] == "res"
                ):
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
        observer.receive(packet_of(vector), at, from_master=vector["direction"] == "cmd")
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
        assert row.error == fields.get("error", "").replace("ERR_CMD_SYNCH", "")
        check(vector, row.decoded)


# ------------------------------------------------------------------------------------------ slave


def outcome(vector: dict[str, Any]) -> tuple[Served, list[bytes]]:
    served = Served(vector, scene_of(vector))
    served.now_ns = served.scene.at_ns
    return served, served.ask(served.scene.request)


def test_the_slave_takes_every_command() -> None:
    wrong: list[Any] = []
    for vector in of("cmd"):
        if "trace" in vector or vector["name"] in NOT_BY_SLAVE:
            continue
        served, answers = outcome(vector)
        assert served.talk[-len(answers) - 1][1].hex() == packet_of(vector).hex()
        heads = [answer[:2].hex() for answer in answers]
        name = name_of(vector)
        expected = {"SYNCH": ["fe00"], "GET_DAQ_CLOCK_MULTICAST": ["fd08"]}.get(name)
        goes_on = name in NEXT and vector["fields"]["n"] > len(packet_of(vector)) - 2
        if goes_on or (vector["layer"] == "eth" and expected is None):
            expected = []
        good = heads == expected if expected is not None else [h[:2] for h in heads] == ["ff"]
        if not (good and served.scene.result(served.memory)):
            wrong.append((vector["name"], heads))
    assert not wrong, "\n".join(map(str, wrong))


def test_the_slave_gives_every_answer_to_the_byte() -> None:
    wrong: list[Any] = []
    for vector in of("res"):
        if "trace" in vector or vector["name"] in NOT_BY_SLAVE:
            continue
        served, answers = outcome(vector)
        if vector["layer"] == "eth":
            answers = [reply.packet for reply in served.slave.replies()]
        if [a.hex() for a in answers] != [packet_of(vector).hex()]:
            wrong.append((vector["name"], [a.hex() for a in answers], packet_of(vector).hex()))
    assert not wrong, "\n".join(map(str, wrong))


def test_the_slave_gives_every_error_to_the_byte() -> None:
    for vector in of("err"):
        if "trace" not in vector:
            served = Served(vector, error_scene(vector))
            answers = served.ask(served.scene.request)
            assert [a.hex() for a in answers] == [packet_of(vector).hex()], vector["name"]


def test_the_slave_sends_every_event_and_service_request() -> None:
    for vector in of("ev", "serv"):
        if "trace" not in vector and vector["name"] not in NOT_BY_SLAVE:
            served = Served(vector, event_scene(vector))
            served.now_ns = served.scene.at_ns
            sent = [p for p in served.ask(served.scene.request) if p[0] >= 0xFC]
            assert [p.hex() for p in sent] == [packet_of(vector).hex()], vector["name"]


def test_the_slave_and_the_observer_know_every_dto() -> None:
    """The observer has seen the session from its begin, so it knows what the DTO is made of."""
    for vector in of("dto"):
        if "trace" in vector:
            continue
        fields, stim = vector["fields"], vector["fields"]["kind"] == "stim"
        served = Served(vector, dto_scene(vector))
        sent = served.ask(served.scene.request)
        packet = packet_of(vector)
        if stim:
            assert served.scene.result(served.memory), vector["name"]
        else:
            assert sent[-1].hex() == packet.hex(), vector["name"]
        observer = ObserverMachine(TABLES["xcp"])
        for from_master, each in served.talk:
            observer.receive(each, 0, from_master=from_master)
        row = next(row for row in reversed(observer.rows()) if row.packet == packet)
        assert (row.kind, row.error) == ("STIM" if stim else "DAQ", ""), vector["name"]
        assert isinstance(row.decoded, Dto), vector["name"]
        for name, ours in (
            ("pid", row.decoded.odt),
            ("odt", row.decoded.odt),
            ("daq_list", row.decoded.daq_list),
            ("counter", row.decoded.counter),
            ("timestamp", row.decoded.timestamp),
            ("overload", int(row.decoded.overload)),
            ("data_hex", row.decoded.data.hex()),
        ):
            assert fields.get(name, ours) == ours, vector["name"]


def test_every_vector_is_in_one_of_these_tests() -> None:
    """Frames are checked by the framings; CCP has no machines yet; the rest is all here."""
    assert {v["direction"] for v in PACKETS} == {"cmd", "res", "err", "ev", "serv", "dto"}
    assert {v["layer"] for v in DOCUMENT["vectors"]} == {*TABLES, "sxi", "ccp"}
    assert len(PACKETS) + len(FRAMES) == len(VECTORS)
    assert set(NOT_BY_SLAVE) <= {v["name"] for v in PACKETS if "trace" not in v}
    assert set(TRACES) == set(REPLAYED), (
        "the slave answers whole traces in tests/pair/test_traces.py"
    )
    traced = {name for steps in TRACES.values() for name in steps}
    assert traced == {v["name"] for v in PACKETS if "trace" in v}
