"""The golden vectors of XCP, and how their fields stand in packet objects of ours."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, get_type_hints

from xcaliper.core.datatypes import ByteOrder
from xcaliper.wire.layout import BitField
from xcaliper.xcp.codes import ChecksumType
from xcaliper.xcp.daq import DaqElement
from xcaliper.xcp.table import COMMANDS
from xcaliper.xcp.tlcmd import (
    CAN_COMMANDS,
    ETH_COMMANDS,
    FLEXRAY_COMMANDS,
    ip_from_bytes,
    ip_to_bytes,
)

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "xcp" / "vectors.json").read_text("utf-8")
)
VECTORS = [v for v in DOCUMENT["vectors"] if v["layer"] != "ccp"]

TABLES = {
    "xcp": COMMANDS.extended(*CAN_COMMANDS),
    "eth": COMMANDS.extended(*ETH_COMMANDS),
    "can": COMMANDS.extended(*CAN_COMMANDS),
    "flx": COMMANDS.extended(*FLEXRAY_COMMANDS),
}

#: Name in the vectors → name of ours, where they differ.
ALIASES = {
    "n": "count",
    "basic_info": "value",
    "mapping_info": "value",
    "src_segment": "source_segment",
    "src_page": "source_page",
    "dst_segment": "destination_segment",
    "dst_page": "destination_page",
    "timestamp_size": "size",
    "timestamp_fixed": "fixed",
    "timestamp_unit": "unit",
    "address_extension_type": "address_extension",
    "identification_field_type": "identification_field",
    "stim_ctr_cpy_present": "stim_dto_ctr_copy_present",
    "non_seq_supported": "non_seq_pgm_supported",
    "non_seq_required": "non_seq_pgm_required",
    "identification_hex": "identification",
    "can_id_cmd_stim": "can_id",
    "id_length": "length",
    "ext_supported": "extended_supported",
    "fixed": "buffers_fixed",
    "min_st_us": "min_st",
}
ALIASES_BY_COMMAND = {
    ("GET_ID", "type"): "identification_type",
    ("GET_ID", "identification_hex"): "data",
    ("BUILD_CHECKSUM", "type"): "checksum_type",
    ("BUILD_CHECKSUM", "type_name"): "checksum_type",
    ("PROGRAM_VERIFY", "type"): "verification_type",
    ("PROGRAM_VERIFY", "value"): "verification_value",
    ("CONNECT", "address_granularity"): "granularity",
    ("GET_DAQ_RESOLUTION_INFO", "timestamp_fixed"): "fixed",
}
#: How a value of ours is written in the vectors, where it differs.
CONVERSIONS = {
    "min_st_us": lambda v: v * 100,
    "address_granularity": lambda v: 1 << v,
    "type_name": lambda v: ChecksumType(v).name,
    "ip": ip_from_bytes,
    "new_ip": ip_from_bytes,
    "mac": lambda v: v.hex(":").upper(),
    "text": lambda v: v if isinstance(v, str) else v.decode("ascii"),
    "buffers": list,
}


def order_of(vector):
    return ByteOrder.MOTOROLA if vector["byte_order"] == "motorola" else ByteOrder.INTEL


def values_of(obj):
    """Every field and every named bit of a packet object; fields win over bits."""
    fields = {name: getattr(obj, name) for name, _ in obj.__layout__.terms}
    bits = {}
    for value in fields.values():
        if isinstance(value, BitField):
            bits.update(value.fields())
    return {**bits, **fields}


def plain(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, BitField):
        return int(value)
    if isinstance(value, tuple):
        return [{n: plain(v) for n, v in values_of(item).items()} for item in value]
    return value


def check_fields(vector, obj, *, command="", skip=()):
    """Compare every field of a vector; an unknown name is an error, not a skip."""
    ours = values_of(obj)
    for name, expected in vector["fields"].items():
        if name in skip:
            continue
        key = ALIASES_BY_COMMAND.get((command, name)) or (
            name if name in ours else ALIASES.get(name, name.removesuffix("_hex"))
        )
        assert key in ours, f"{vector['name']}: no field for {name}"
        found = ours[key]
        found = CONVERSIONS[name](found) if name in CONVERSIONS else plain(found)
        if name == "elements":
            found = [{k: v for k, v in item.items() if k != "fill"} for item in found]
        assert found == expected, f"{vector['name']}.{name}"


#: The other way round: how a value of the vectors is said to a packet object.
FIELDS = {
    "ip": ip_to_bytes,
    "new_ip": lambda text: ip_to_bytes(text)[:4],
    "mac": lambda text: bytes.fromhex(text.replace(":", "")),
    "text": lambda text: text.encode("ascii"),
    "buffers": bytes,
    "elements": lambda rows: tuple(DaqElement(**row) for row in rows),
}


def request_of(cls: type[Any], fields: dict[str, Any], command: str = "") -> Any:
    """The request of a vector's fields; what they leave out has its default, else 1 or one zero byte."""
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    for name, value in fields.items():
        key = ALIASES_BY_COMMAND.get((command, name)) or (
            name if name in hints else ALIASES.get(name, name.removesuffix("_hex"))
        )
        if key not in hints or isinstance(value, bool):
            continue
        convert = FIELDS.get(name) or (bytes.fromhex if name.endswith("_hex") else lambda raw: raw)
        made = convert(value)
        kind = hints[key]
        is_bits = isinstance(kind, type) and issubclass(kind, BitField)
        values[key] = kind(made) if is_bits else made
    for key, parameter in inspect.signature(cls).parameters.items():
        if key not in values and (parameter.default is inspect.Parameter.empty or key == "data"):
            kind = str(parameter.annotation)
            values[key] = b"\0" if "bytes" in kind else () if "tuple" in kind else 1
    return cls(**values)


NAMED = {v["name"]: v for v in VECTORS}
TRACES = {t["id"]: t["steps"] for t in DOCUMENT["traces"] if t["layer"] == "xcp"}

#: Frames of transports hold packets, they are none: tests/unit/xcp/test_vectors.py has them.
FRAMES = {
    v["name"] for v in VECTORS if not {"header", "packet_hex", "messages"}.isdisjoint(v["fields"])
}
PACKETS = [v for v in VECTORS if v["name"] not in FRAMES]


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
