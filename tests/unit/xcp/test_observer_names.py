"""The observer names every command, answer, refusal, event and service request of the tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from xcaliper.core.datatypes import ByteOrder
from xcaliper.proto.command import Request, Response, command
from xcaliper.wire.layout import packet, u8
from xcaliper.xcp import tlcmd
from xcaliper.xcp.codes import ErrorCode, EventCode, Group, ServiceCode, error_set
from xcaliper.xcp.observer import ObserverMachine, TraceRow
from xcaliper.xcp.profile import Profile
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from xcaliper.proto.command import CommandTable

FOLDER = Path(__file__).parents[2] / "vectors" / "xcp"
GOLDEN = json.loads((FOLDER / "vectors.json").read_text("utf-8"))["vectors"]
BY_HAND = json.loads((FOLDER / "unconfirmed.json").read_text("utf-8"))["vectors"]
TRANSPORTS = {
    "xcp": tlcmd.CAN_COMMANDS,
    "can": tlcmd.CAN_COMMANDS,
    "eth": tlcmd.ETH_COMMANDS,
    "usb": tlcmd.USB_COMMANDS,
    "flx": tlcmd.FLEXRAY_COMMANDS,
}
TABLES = {layer: COMMANDS.extended(*rows) for layer, rows in TRANSPORTS.items()}


def observe(
    layer: str, rows: list[tuple[bool, bytes]], order: str = "intel", **profile: Any
) -> list[TraceRow]:
    made = Profile(**({"byte_order": ByteOrder[order.upper()], "max_cto": 255} | profile))
    observer = ObserverMachine(TABLES[layer], made)
    for at, (from_master, raw) in enumerate(rows):
        observer.receive(raw, at, from_master=from_master)
    return observer.rows()


def payload(vector: dict[str, Any]) -> bytes:
    raw = bytes.fromhex(vector["bytes"])
    return raw[4:] if vector["layer"] == "eth" else raw


def is_framing(vector: dict[str, Any]) -> bool:
    return not {"header", "packet_hex", "messages"}.isdisjoint(vector["fields"])


def profile_of(vector: dict[str, Any]) -> dict[str, Any]:
    context = vector.get("context", {})
    return {"ag": context.get("address_granularity", 1)}


def test_every_golden_command_is_named() -> None:
    wrong = []
    seen = set()
    for vector in GOLDEN:
        if vector["layer"] not in TABLES or vector["direction"] != "cmd" or is_framing(vector):
            continue
        raw = payload(vector)
        (row,) = observe(vector["layer"], [(True, raw)], vector["byte_order"], **profile_of(vector))
        told = vector["fields"].get("command", row.name)
        seen.add((vector["layer"], row.name))
        if row.error or row.decoded is None or told not in (row.name, "TRANSPORT_LAYER_CMD"):
            wrong.append((vector["name"], row.text))
    assert wrong == []
    assert len(seen) > 70


def test_every_event_and_service_is_named() -> None:
    names = set()
    for vector in GOLDEN:
        if vector["layer"] == "xcp" and vector["direction"] in ("ev", "serv"):
            kind = "event" if vector["direction"] == "ev" else "service"
            raw = payload(vector)
            context = vector.get("context", {})
            limits = {"max_cto": context.get("max_cto", 255)}
            (row,) = observe("xcp", [(False, raw)], vector["byte_order"], **limits)
            assert row.name == vector["fields"].get(kind, row.name), vector["name"]
            assert not row.error, vector["name"]
            names.add(row.name)
    for code in EventCode:
        (row,) = observe("xcp", [(False, bytes((0xFD, code)) + bytes(8))])
        assert row.name == code.name
        names.add(row.name)
    for code in ServiceCode:
        (row,) = observe("xcp", [(False, bytes((0xFC, code)) + b"a\0")])
        assert row.name == code.name
    assert names >= {code.name for code in EventCode}


@pytest.mark.parametrize("code", [code for code in ErrorCode if code])
def test_every_refusal_is_named_with_its_command(code: ErrorCode) -> None:
    sent, refused = observe("xcp", [(True, b"\xf5\x01"), (False, bytes((0xFE, code)))])
    assert (sent.name, refused.name, refused.kind, refused.error) == (
        "UPLOAD",
        "UPLOAD",
        "ERR",
        code.name,
    )


def test_every_command_of_every_table_is_paired_with_its_answer() -> None:
    """By its first bytes alone, too: a command that is too short still has its name."""
    for layer, table in TABLES.items():
        for info in table:
            rows = observe(layer, [(True, info.prefix)])
            assert rows[0].name == info.name
            refused = observe(layer, [(True, info.prefix), (False, b"\xfe\x20")])
            if info.answered and info.name != "SYNCH":
                assert refused[1].name == info.name, info.name


def test_bytes_made_by_hand_are_decoded_both_ways() -> None:
    for row in BY_HAND:
        both = [(True, bytes.fromhex(row["request"])), (False, bytes.fromhex(row["response"]))]
        sent, answered = observe(row["layer"], both)
        assert (sent.name, answered.name) == (row["command"], row["command"])
        assert sent.decoded is not None
        assert answered.decoded is not None, row["command"]
        assert not sent.error + answered.error


@packet(0xFF)
class GetTemperatureResponse(Response):
    """Degrees."""

    degrees: int = u8(1)


@command(0xF1, 0x07, group=Group.STD, errors=error_set("B U S"))
class GetTemperature(Request[GetTemperatureResponse]):
    """A command of a maker."""

    sensor: int = u8(2)


def test_commands_of_a_maker_are_named_as_well() -> None:
    table: CommandTable = COMMANDS.extended(GetTemperature)
    observer = ObserverMachine(table)
    observer.receive(b"\xf1\x07\x02", 0, from_master=True)
    observer.receive(b"\xff\x2a", 5, from_master=False)
    observer.receive(b"\xf1\x08\x02", 6, from_master=True)
    assert [row.text for row in observer.rows()] == [
        "CMD GET_TEMPERATURE sensor=2",
        "RES GET_TEMPERATURE degrees=42",
        "CMD USER_CMD sub_command=8 parameters=02",
    ]
