"""Every transition between the states of session, block and DAQ list, from a list written by hand.

*(XCP Base, states of the slave and of a DAQ list, 1.0)*
"""

from __future__ import annotations

import pytest

from pair.link import Pair, config
from xcaliper.xcp.codes import Resource
from xcaliper.xcp.slave_config import EventConfig
from xcaliper.xcp.slave_security import SecuritySettings

EVENTS = (EventConfig(0, "1ms", time_cycle=1), EventConfig(1, "10ms", stim=True))

#: State → (state before, packets that lead from there to it).
WAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "DISCONNECTED": ("", ()),
    "CONNECTED": ("DISCONNECTED", ("ff 00",)),
    "ALLOCATED": (
        "CONNECTED",
        ("d6", "d5 00 01 00", "d4 00 00 00 01", "d3 00 00 00 00 01"),
    ),
    "CONFIGURED": ("ALLOCATED", ("e2 00 00 00 00 00", "e1 ff 01 00 00 00 00 20")),
    "READY": ("CONFIGURED", ("e0 00 00 00 00 00 01 00",)),
    "SELECTED": ("READY", ("de 02 00 00",)),
    "RUNNING": ("SELECTED", ("dd 01",)),
    "RUNNING+SELECTED": ("RUNNING", ("de 02 00 00",)),
    "STIM READY": ("CONFIGURED", ("e0 02 00 00 01 00 01 00",)),
    "STIM RUNNING": ("STIM READY", ("de 01 00 00",)),
    "BLOCK": ("CONNECTED", ("f6 00 00 00 00 00 00 20", "f0 09 01 02 03 04 05 06")),
}

#: State, packet, first bytes of the answer (empty = none), state after it.
TRANSITIONS = """
DISCONNECTED     | ff 00                   | ff    | CONNECTED
DISCONNECTED     | ff 01                   | fe 22 | DISCONNECTED
DISCONNECTED     | fe                      |       | DISCONNECTED
DISCONNECTED     | fc                      |       | DISCONNECTED
DISCONNECTED     | fd                      |       | DISCONNECTED
DISCONNECTED     | f4 01 00 00 00 00 00 20 |       | DISCONNECTED
DISCONNECTED     | d6                      |       | DISCONNECTED
DISCONNECTED     | 00 11                   |       | DISCONNECTED

CONNECTED        | ff 00                   | ff    | CONNECTED
CONNECTED        | ff 01                   | fe 22 | CONNECTED
CONNECTED        | fe                      | ff    | DISCONNECTED
CONNECTED        | fc                      | fe 00 | CONNECTED
CONNECTED        | fd                      | ff 00 | CONNECTED
CONNECTED        | 00 11                   |       | CONNECTED
CONNECTED        | d6                      | ff    | CONNECTED
CONNECTED        | d5 00 01 00             | fe 29 | CONNECTED
CONNECTED        | d4 00 00 00 01          | fe 29 | CONNECTED
CONNECTED        | d3 00 00 00 00 01       | fe 29 | CONNECTED
CONNECTED        | dd 00                   | ff    | CONNECTED
CONNECTED        | dd 01                   | fe 2a | CONNECTED
CONNECTED        | dd 02                   | ff    | CONNECTED
CONNECTED        | de 01 00 00             | fe 22 | CONNECTED
CONNECTED        | ef 09 01 02 03 04 05 06 | fe 29 | CONNECTED

ALLOCATED        | ff 00                   | ff    | CONNECTED
ALLOCATED        | fe                      | ff    | DISCONNECTED
ALLOCATED        | d6                      | ff    | CONNECTED
ALLOCATED        | d5 00 01 00             | fe 29 | ALLOCATED
ALLOCATED        | de 01 00 00             | fe 2a | ALLOCATED
ALLOCATED        | fc                      | fe 00 | ALLOCATED

CONFIGURED       | ff 00                   | ff    | CONNECTED
CONFIGURED       | fe                      | ff    | DISCONNECTED
CONFIGURED       | d6                      | ff    | CONNECTED
CONFIGURED       | e3 00 00 00             | ff    | ALLOCATED
CONFIGURED       | e0 00 00 00 00 00 01 00 | ff    | READY
CONFIGURED       | e0 02 00 00 01 00 01 00 | ff    | STIM READY
CONFIGURED       | e0 02 00 00 00 00 01 00 | fe 27 | CONFIGURED
CONFIGURED       | e0 00 00 00 09 00 01 00 | fe 22 | CONFIGURED
CONFIGURED       | de 01 00 00             | fe 2a | CONFIGURED
CONFIGURED       | dd 01                   | fe 2a | CONFIGURED

READY            | ff 00                   | ff    | CONNECTED
READY            | fe                      | ff    | DISCONNECTED
READY            | d6                      | ff    | CONNECTED
READY            | e3 00 00 00             | ff    | ALLOCATED
READY            | e0 00 00 00 00 00 01 00 | ff    | READY
READY            | de 00 00 00             | ff    | READY
READY            | de 01 00 00             | ff    | RUNNING
READY            | de 02 00 00             | ff    | SELECTED
READY            | de 03 00 00             | fe 27 | READY
READY            | dd 00                   | ff    | READY
READY            | dd 01                   | fe 2a | READY
READY            | dd 02                   | ff    | READY

SELECTED         | ff 00                   | ff    | CONNECTED
SELECTED         | fe                      | ff    | DISCONNECTED
SELECTED         | d6                      | ff    | CONNECTED
SELECTED         | e3 00 00 00             | ff    | ALLOCATED
SELECTED         | de 01 00 00             | ff    | RUNNING+SELECTED
SELECTED         | dd 00                   | ff    | READY
SELECTED         | dd 01                   | ff    | RUNNING
SELECTED         | dd 02                   | ff    | READY
SELECTED         | dd 03                   | ff    | SELECTED

RUNNING          | ff 00                   | ff    | CONNECTED
RUNNING          | fe                      | ff    | DISCONNECTED
RUNNING          | d6                      | ff    | CONNECTED
RUNNING          | e3 00 00 00             | ff    | ALLOCATED
RUNNING          | fd                      | ff 40 | RUNNING
RUNNING          | fc                      | fe 00 | RUNNING
RUNNING          | e2 00 00 00 00 00       | fe 11 | RUNNING
RUNNING          | e0 00 00 00 00 00 01 00 | fe 11 | RUNNING
RUNNING          | de 00 00 00             | ff    | READY
RUNNING          | de 01 00 00             | ff    | RUNNING
RUNNING          | de 02 00 00             | ff    | RUNNING+SELECTED
RUNNING          | dd 00                   | ff    | READY
RUNNING          | dd 01                   | fe 2a | RUNNING
RUNNING          | dd 02                   | ff    | RUNNING
RUNNING+SELECTED | dd 02                   | ff    | READY
RUNNING+SELECTED | dd 00                   | ff    | READY
RUNNING+SELECTED | de 00 00 00             | ff    | SELECTED
RUNNING+SELECTED | fe                      | ff    | DISCONNECTED

STIM READY       | de 01 00 00             | ff    | STIM RUNNING
STIM READY       | e0 00 00 00 00 00 01 00 | ff    | READY
STIM READY       | fe                      | ff    | DISCONNECTED
STIM RUNNING     | 00 00 11                |       | STIM RUNNING
STIM RUNNING     | de 00 00 00             | ff    | STIM READY
STIM RUNNING     | dd 00                   | ff    | STIM READY
STIM RUNNING     | ff 00                   | ff    | CONNECTED
STIM RUNNING     | fe                      | ff    | DISCONNECTED

BLOCK            | ef 03 07 08 09          | ff    | CONNECTED
BLOCK            | ef 02 07 08             | fe 29 | CONNECTED
BLOCK            | fc                      | fe 00 | CONNECTED
BLOCK            | fd                      | ff    | CONNECTED
BLOCK            | f0 09 01 02 03 04 05 06 |       | BLOCK
BLOCK            | c5                      | fe 20 | CONNECTED
BLOCK            | ff 00                   | ff    | CONNECTED
BLOCK            | fe                      | ff    | DISCONNECTED
"""


def rows() -> list[tuple[str, str, str, str]]:
    found = []
    for line in TRANSITIONS.strip().splitlines():
        if line:
            before, packet, answer, after = (part.strip() for part in line.split("|"))
            found.append((before, packet, answer, after))
    return found


def state_of(pair: Pair) -> str:
    """The state as the slave has it inside."""
    state = pair.slave.state
    if not state.connected:
        assert not state.daq.lists
        return "DISCONNECTED"
    if state.block is not None:
        return "BLOCK"
    if not state.daq.lists:
        return "CONNECTED"
    (one,) = state.daq.lists
    if one.running:
        running = "STIM RUNNING" if one.stim else "RUNNING"
        return f"{running}+SELECTED" if one.selected else running
    if one.selected:
        return "SELECTED"
    if one.event_channel is not None:
        return "STIM READY" if one.stim else "READY"
    return "CONFIGURED" if one.odts[0][0] is not None else "ALLOCATED"


def say(pair: Pair, packet: str) -> list[bytes]:
    pair.slave.receive(bytes.fromhex(packet), pair.now_ns)
    return pair.slave.outgoing()


def brought_to(state: str, **settings: object) -> Pair:
    pair = Pair(config(max_cto=8, events=EVENTS, **settings), connected=False)
    way: list[tuple[str, str]] = []
    at = state
    while at:
        before, packets = WAYS[at]
        way = [(at, packet) for packet in packets] + way
        at = before
    for _, packet in way:
        answers = say(pair, packet)
        assert all(answer[0] == 0xFF for answer in answers), f"{packet}: {answers}"
    assert state_of(pair) == state
    return pair


@pytest.mark.parametrize(("before", "packet", "answer", "after"), rows())
def test_transition(before: str, packet: str, answer: str, after: str) -> None:
    pair = brought_to(before)
    answers = say(pair, packet)
    told = [one.hex(" ") for one in answers]
    assert len(told) == bool(answer), told
    assert not answer or told[0].startswith(answer), told
    assert state_of(pair) == after


def test_every_state_is_left_and_reached_by_the_table() -> None:
    table = rows()
    assert {before for before, *_ in table} == set(WAYS)
    assert {after for *_, after in table} == set(WAYS)
    assert len(set(table)) == len(table)
    for state in WAYS:  # a session can be ended, and begun anew, from everywhere
        endings = {packet for before, packet, *_ in table if before == state}
        assert "fe" in endings, state


@pytest.mark.parametrize("state", WAYS)
def test_ends_that_no_command_makes(state: str) -> None:
    """The slave ends the session itself, or the link is gone: from every state, to the same one."""
    pair = brought_to(state)
    pair.slave.terminate(0)
    assert pair.slave.outgoing() == ([] if state == "DISCONNECTED" else [b"\xfd\x07"])
    assert state_of(pair) == "DISCONNECTED"
    pair = brought_to(state)
    pair.slave.drop(0)
    assert pair.slave.outgoing() == []
    assert state_of(pair) == "DISCONNECTED"
    assert say(pair, "ff 00")[0][0] == 0xFF


@pytest.mark.parametrize("state", [state for state in WAYS if state != "DISCONNECTED"])
def test_sleep_keeps_every_state(state: str) -> None:
    pair = brought_to(state)
    pair.slave.sleep()
    for packet in ("fe", "ff 00", "fc"):
        pair.slave.receive(bytes.fromhex(packet), 0)
    pair.slave.wake()
    assert pair.slave.outgoing() == [b"\xfd\x0a", b"\xfd\x0b"]
    assert state_of(pair) == state


# -- locks ----------------------------------------------------------------------------------------

SEED = bytes.fromhex("01020304")
RIGHT, WRONG = "f7 04 fefdfcfb", "f7 04 00000000"
#: Locked at first, packets, first bytes of the last answer, locked then, connected then.
UNLOCKING = [
    (0x05, [], "", 0x05, True),
    (0x05, ["f8 00 01"], "ff 04", 0x05, True),
    (0x05, ["f8 00 01", RIGHT], "ff 04", 0x04, True),
    (0x05, ["f8 00 01", RIGHT, "f8 00 04", RIGHT], "ff 00", 0x00, True),
    (0x05, ["f8 00 01", RIGHT, "f8 00 01"], "ff 00", 0x04, True),
    (0x05, ["f8 00 01", WRONG], "fe 25", 0x05, False),
    (0x05, ["f8 00 01", RIGHT, "f8 00 04", WRONG], "fe 25", 0x05, False),
    (0x05, [RIGHT], "fe 29", 0x05, True),
    (0x05, ["f8 00 01", RIGHT, "fe"], "ff", 0x05, False),
    (0x05, ["f8 00 01", RIGHT, "ff 00"], "ff", 0x05, True),
    (0x05, ["f8 00 01", "fc", RIGHT], "ff 04", 0x04, True),
    (0x05, ["f8 00 01", "fd", RIGHT], "fe 29", 0x05, True),
]


@pytest.mark.parametrize(("protected", "packets", "answer", "locked", "connected"), UNLOCKING)
def test_locks(protected, packets, answer, locked, connected) -> None:
    pair = Pair(
        config(
            max_cto=8,
            events=EVENTS,
            security=SecuritySettings(
                protected=Resource(protected),
                key=lambda _resource, seed: bytes(byte ^ 0xFF for byte in seed),
                seed_bytes=4,
                seeds=lambda _length: SEED,
            ),
        )
    )
    told = b""
    for packet in packets:
        (told,) = say(pair, packet)
    assert told.hex(" ").startswith(answer)
    assert pair.slave.connected is connected
    assert int(pair.slave.state.locked) == locked
