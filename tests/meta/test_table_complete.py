"""Every command has a golden vector, a slave handler and a master procedure, or stands in the list of gaps."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meta import gaps
from xcaliper.xcp import tlcmd
from xcaliper.xcp.handlers import HANDLERS
from xcaliper.xcp.procedures import PROCEDURES
from xcaliper.xcp.recovery import RECOVERY
from xcaliper.xcp.table import COMMANDS

if TYPE_CHECKING:
    from xcaliper.proto.command import CommandInfo, CommandTable

VECTORS = Path(__file__).parents[1] / "vectors" / "xcp" / "vectors.json"
EXTENSION = Path(__file__).parents[2] / "docs" / "_ext" / "xctables.py"
UNCONFIRMED = VECTORS.with_name("unconfirmed.json")
TRANSPORTS = {
    "CAN": tlcmd.CAN_COMMANDS,
    "ETH": tlcmd.ETH_COMMANDS,
    "USB": tlcmd.USB_COMMANDS,
    "FLX": tlcmd.FLEXRAY_COMMANDS,
}


def rows() -> dict[str, CommandInfo]:
    """Every row of every table; those of transports carry its name."""
    found = {info.name: info for info in COMMANDS}
    for transport, commands in TRANSPORTS.items():
        found |= {f"{transport} {c.__command__.name}": c.__command__ for c in commands}
    return found


def tables() -> dict[str, CommandTable]:
    layers = {"xcp": "CAN", "eth": "ETH", "can": "CAN", "flx": "FLX"}
    return {layer: COMMANDS.extended(*TRANSPORTS[name]) for layer, name in layers.items()}


def requests_with_vector() -> set[type[Any]]:
    found = set()
    known = tables()
    for vector in json.loads(VECTORS.read_text("utf-8"))["vectors"]:
        if vector["layer"] not in known or vector["direction"] != "cmd":
            continue
        packet = bytes.fromhex(vector["bytes"])
        if vector["layer"] == "eth":
            packet = packet[4:]
        info = known[vector["layer"]].find(packet)
        if info is not None:
            found.add(info.request)
    return found


def check(kind: str, missing: set[str], listed: frozenset[str]) -> None:
    new = sorted(missing - listed)
    assert not new, f"no {kind}: {', '.join(new)}; make one, or list it in tests/meta/gaps.py"
    closed = sorted(listed - missing)
    assert not closed, f"no longer without {kind}: {', '.join(closed)}; take it off the list"


def test_every_command_has_a_vector() -> None:
    covered = requests_with_vector()
    check("vector", {n for n, i in rows().items() if i.request not in covered}, gaps.NO_VECTOR)


def test_what_has_no_vector_has_bytes_by_hand_and_says_so() -> None:
    """Every command has bytes; those that nobody else confirms are marked in the table as well."""
    made = {
        f"{'USB ' * (row['layer'] == 'usb')}{row['command']}"
        for row in json.loads(UNCONFIRMED.read_text("utf-8"))["vectors"]
    }
    assert made == gaps.NO_VECTOR
    generic = {"TRANSPORT_LAYER_CMD"}
    assert {name for name in made - generic if rows()[name].confirmed} == set()


def test_every_command_has_its_bytes_on_the_reference_page() -> None:
    """Each section shows layout and example of the request, and of every answer there is."""
    spec = importlib.util.spec_from_file_location("xctables", EXTENSION)
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    text = tables.commands_page()
    parts = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    sections = {part.partition("\n")[0]: part for part in parts}
    names = {"FLX": "FLEXRAY"}
    for name, info in rows().items():
        where = name.partition(" ")[0] if " " in name else ""
        title = f"{info.name} ({names.get(where, where)})" if where else name
        part = sections[title]
        first = " ".join(f"{byte:02x}" for byte in info.prefix)
        assert f"\n{first}" in part, title
        assert "Request" in part, title
        if info.answered:
            answer = info.response.__layout__
            assert "Answer" in part or "no example" in part, title
            assert answer.terms == () or "Position" in part or answer.choice, title
    assert "no example" not in text


def test_every_command_has_a_handler() -> None:
    check("handler", {n for n, i in rows().items() if i.request not in HANDLERS}, gaps.NO_HANDLER)


def test_every_command_has_a_procedure() -> None:
    with_procedure = {name for name, functions in PROCEDURES.items() if functions}
    missing = {n for n, i in rows().items() if not {n, i.name} & with_procedure}
    check("procedure", missing, gaps.NO_PROCEDURE)


def test_handlers_and_procedures_are_for_commands() -> None:
    known = rows()
    assert set(HANDLERS) <= {info.request for info in known.values()}
    assert set(PROCEDURES) <= set(known) | {info.name for info in known.values()}


def test_every_procedure_is_one() -> None:
    assert all(callable(f) for functions in PROCEDURES.values() for f in functions)


@pytest.mark.parametrize("info", rows().values(), ids=rows().keys())
def test_columns_are_filled(info: CommandInfo) -> None:
    assert info.timer in {"T1", "T2", "T3", "T4", "T5"}
    assert info.recovery in RECOVERY
    assert info.resource in {"", "cal_pag", "daq", "pgm", "dbg"}
    assert re.fullmatch(r"1\.[0-5]", info.since)
    assert info.errors
    assert info.response.__layout__ is not None


def test_codes_are_those_of_the_standard() -> None:
    """The one-byte commands fill 0xFF down to 0xC5 but for nothing."""
    assert {info.code for info in COMMANDS} == set(range(0xC5, 0x100)) | {0xC0}
