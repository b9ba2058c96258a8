"""Commands that lack something, written out; a test fails when a line is missing or too much."""

from __future__ import annotations

from typing import Final

__all__ = ["NO_HANDLER", "NO_PROCEDURE", "NO_VECTOR"]

#: No golden vector: the layouts have a single public source, or the row is the generic form of others.
#: Their bytes, made by hand, stand in tests/vectors/xcp/unconfirmed.json.
NO_VECTOR: Final[frozenset[str]] = frozenset(
    {
        "TRANSPORT_LAYER_CMD",
        "DBG_ATTACH",
        "DBG_GET_VENDOR_INFO",
        "DBG_GET_MODE_INFO",
        "DBG_GET_JTAG_ID",
        "DBG_HALT_AFTER_RESET",
        "DBG_GET_HWIO_INFO",
        "DBG_SET_HWIO_EVENT",
        "DBG_HWIO_CONTROL",
        "DBG_EXCLUSIVE_TARGET_ACCESS",
        "DBG_SEQUENCE_MULTIPLE",
        "DBG_LLT",
        "DBG_READ_MODIFY_WRITE",
        "DBG_WRITE",
        "DBG_WRITE_NEXT",
        "DBG_WRITE_CAN1",
        "DBG_WRITE_CAN2",
        "DBG_WRITE_CAN_NEXT",
        "DBG_READ",
        "DBG_READ_CAN1",
        "DBG_READ_CAN2",
        "DBG_GET_TRI_DESC_TBL",
        "DBG_LLBT",
        "POD_COMMAND",
        "USB GET_DAQ_EP",
        "USB SET_DAQ_EP",
    }
)

#: The slave refuses them as unknown, or a shell answers them outside of a session.
NO_HANDLER: Final[frozenset[str]] = frozenset()

#: No sequence of the master needs them yet; send them with ``ask``.
NO_PROCEDURE: Final[frozenset[str]] = frozenset()
