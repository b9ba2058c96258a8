"""Choices about DAQ lists on the command line reach the plan."""

from __future__ import annotations

import json

import pytest

from xcaliper.cli.main import main

MEASUREMENT = '/begin MEASUREMENT {} "" ULONG NO_COMPU_METHOD 0 0 0 4294967295 ECU_ADDRESS {:#x} /end MEASUREMENT'
A2L = """ASAP2_VERSION 1 60 /begin PROJECT P "" /begin MODULE M ""
/begin IF_DATA XCP
 /begin PROTOCOL_LAYER 0x0103 1000 1000 0 0 0 0 0 8 8 BYTE_ORDER_MSB_LAST ADDRESS_GRANULARITY_BYTE
 /end PROTOCOL_LAYER
 /begin DAQ DYNAMIC 0 2 0 OPTIMISATION_TYPE_DEFAULT ADDRESS_EXTENSION_FREE
  IDENTIFICATION_FIELD_TYPE_ABSOLUTE GRANULARITY_ODT_ENTRY_SIZE_DAQ_BYTE 0x04
  NO_OVERLOAD_INDICATION PRESCALER_SUPPORTED PID_OFF_SUPPORTED DTO_CTR_FIELD_SUPPORTED
  DAQ_ALTERNATING_SUPPORTED 1
  /begin TIMESTAMP_SUPPORTED 1 SIZE_WORD UNIT_1MS /end TIMESTAMP_SUPPORTED
  /begin EVENT "fast" "fast" 0 DAQ 255 1 6 5 /end EVENT
  /begin EVENT "display" "display" 1 DAQ 255 100 6 5 /end EVENT
 /end DAQ
 /begin XCP_ON_CAN 0x0103 CAN_ID_MASTER 0x100 CAN_ID_SLAVE 0x101 BAUDRATE 500000 /end XCP_ON_CAN
/end IF_DATA
""" + "\n".join(MEASUREMENT.format(name, at) for name, at in (("A", 0x1000), ("B", 0x2000)))  # fmt: skip


@pytest.fixture
def rows(tmp_path, capsys):
    """Function: options → rows of the plan for A and B."""
    file = tmp_path / "ecu.a2l"
    file.write_text(f"{A2L}\n/end MODULE /end PROJECT")

    def planned(*options, event="display", code=0):
        found = main(["plan", str(file), "A", "B", "-e", event, "--json", *options])
        told = capsys.readouterr()
        assert found == code, told.err
        return told.err if code else [json.loads(line) for line in told.out.splitlines()][:-1]

    return planned


def test_each_option_changes_the_plan(rows):
    # two ODTs of four bytes: each with its PID, the first one with two bytes of timestamp
    (usual,) = rows()
    assert (usual["odts"], usual["sample_bytes"]) == (2, 2 * (1 + 4) + 2)
    (bare,) = rows("--no-timestamp")
    assert bare["sample_bytes"] == 2 * (1 + 4)
    (counted,) = rows("--dto-ctr")
    assert counted["sample_bytes"] == usual["sample_bytes"] + 1
    (alternating,) = rows("--alternating")
    assert alternating["cycle_ns"] == 2 * usual["cycle_ns"] == 200_000_000
    assert alternating["sample_bytes"] == bare["sample_bytes"]
    apart = rows("--pid-off", "--can-id", "0x601", "--can-id", "2147485186", "--priority", "3")
    assert [(one["odts"], one["sample_bytes"]) for one in apart] == [(1, 6), (1, 6)]
    assert [one["can_id"] for one in apart] == [0x601, 0x8000_0602]
    assert [one["priority"] for one in (usual, *apart)] == [0, 3, 3]


def test_what_the_slave_cannot_do_is_said(rows):
    assert "no CAN identifier of its own" in rows("--pid-off", code=2)
    assert "use event 1, or switch alternating off" in rows("--alternating", event="fast", code=2)
    assert "priority 256 is outside" in rows("--priority", "256", code=2)
    assert "--can-id" in rows("--can-id", "first", code=2)
