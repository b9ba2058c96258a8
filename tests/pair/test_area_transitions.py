"""Transitions of what lasts longer than a command: RESUME, storing, programming, stimulation, debugging.

From the tables of states of the standard, by hand *(XCP Base, states of the slave, RESUME mode,
SET_REQUEST, PROGRAM_START to PROGRAM_RESET, 1.0)*; blocks of software debugging have a single public
source. Besides packets, a step may be one of these:

- ``power``: the slave is switched off and on; its non-volatile memory stays.
- ``wait``: time passes until whatever takes its time is done.
- ``end``, ``gone``: the slave ends the session; the link is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pair.link import PagedMemory, config
from pair.programming import FlashedMemory, sectors
from xcaliper.sim.debug_target import MemoryTarget
from xcaliper.sim.flash import Flash
from xcaliper.xcp.slave import SlaveMachine
from xcaliper.xcp.slave_config import EventConfig
from xcaliper.xcp.slave_program import ProgramSettings
from xcaliper.xcp.slave_store import NonVolatile, StoreSettings

if TYPE_CHECKING:
    from xcaliper.xcp.slave_config import SlaveConfig

MS = 1_000_000
EVENTS = (EventConfig(0, "1ms", time_cycle=1), EventConfig(1, "10ms", stim=True))

#: A list with one element; selected for event 0 as DAQ, and for event 1 as STIM.
LIST = (
    *("ff 00", "d6", "d5 00 01 00", "d4 00 00 00 01", "d3 00 00 00 00 01"),
    *("e2 00 00 00 00 00", "e1 ff 01 00 00 00 00 20"),
)
DAQ_LIST = (*LIST, "e0 00 00 00 00 00 01 00", "de 02 00 00")
STIM_LIST = (*LIST, "e0 02 00 00 01 00 01 00", "de 02 00 00")
CLEAR = ("f6 00 00 00 00 00 00 09", "d1 00 00 00 00 04 00 00")

#: State → (state before, steps from there).
WAYS: dict[str, tuple[str, tuple[str, ...]]] = {
    "OFF SESSION": ("", ()),
    "SESSION": ("OFF SESSION", ("ff 00",)),
    "SELECTED": ("OFF SESSION", DAQ_LIST),
    "STORES": ("SELECTED", ("f9 02 00 01",)),
    "STORES RESUME": ("SELECTED", ("f9 04 00 01",)),
    "STORED": ("STORES RESUME", ("wait",)),
    "RESUME": ("STORED", ("power",)),
    "RESUME SESSION": ("RESUME", ("ff 00",)),
    "CLEARS": ("SESSION", ("f9 08 00 00",)),
    "STORES PAGE": ("SESSION", ("e6 01 00", "f9 01 00 00")),
    "STIM SELECTED": ("OFF SESSION", STIM_LIST),
    "STIM RUNS": ("STIM SELECTED", ("dd 01",)),
    "STIM RESUME": ("STIM SELECTED", ("f9 04 00 01", "wait", "power")),
    "STARTS": ("SESSION", ("d2",)),
    "PROGRAMS": ("STARTS", ("wait",)),
    "ERASES": ("PROGRAMS", CLEAR),
    "ERASED": ("ERASES", ("wait", "f6 00 00 00 00 00 00 09")),
    "PGM BLOCK": ("ERASED", ("d0 09 01 02 03 04 05 06",)),
    "DBG PLACE": ("SESSION", ("c0 fc 0e 00 00 00 00 20",)),
    "DBG BLOCK": ("DBG PLACE", ("c0 fc 0f 01 06",)),
}
#: State, step, first bytes of what the slave says (empty = nothing), state after it.
#: SET_DAQ_PTR may look into a list that RESUME runs, which a master needs to know what it gets.
TRANSITIONS = """
OFF SESSION    | power                    |          | OFF SESSION
SELECTED       | f9 02 00 01              | ff       | STORES
SELECTED       | f9 04 00 01              | ff       | STORES RESUME
SELECTED       | f9 04 00 00              | fe 22    | SELECTED
SELECTED       | f9 06 00 01              | fe 22    | SELECTED
SELECTED       | f9 0c 00 01              | fe 22    | SELECTED
SELECTED       | f9 00 00 00              | fe 22    | SELECTED
SESSION        | f9 04 00 01              | fe 2a    | SESSION
SESSION        | f9 08 00 00              | ff       | CLEARS
SESSION        | f9 01 00 00              | ff       | STORES PAGE
SESSION        | power                    |          | OFF SESSION

STORES         | wait                     | fd 02    | STORED ONLY
STORES         | fd                       | ff 04    | STORES
STORES         | f9 02 00 01              | fe 33    | STORES
STORES         | fe                       | fe 10    | STORES
STORES         | d6                       | fe 10    | STORES
STORES         | e2 00 00 00 00 00        | fe 10    | STORES
STORES         | f4 01 00 00 00 00 00 20  | ff       | STORES
STORES         | fc                       | fe 00    | STORES
STORES         | ff 00                    | ff       | STORES
STORES         | end                      | fd 07    | STORES OFF
STORES         | gone                     |          | STORES OFF
STORES         | power                    |          | OFF SESSION
STORES RESUME  | wait                     | fd 02    | STORED
STORES RESUME  | fe                       | fe 10    | STORES RESUME
STORES RESUME  | power                    |          | OFF SESSION
STORES RESUME  | f9 08 00 00              | fe 33    | STORES RESUME
STORED         | fd                       | ff 00    | STORED
STORED         | fe                       | ff       | OFF SESSION
STORED         | power                    | fd 00    | RESUME
STORED         | f9 08 00 00              | ff       | CLEARS
CLEARS         | wait                     | fd 01    | SESSION
CLEARS         | fe                       | fe 10    | CLEARS
CLEARS         | d6                       | fe 10    | CLEARS
CLEARS         | f9 08 00 00              | fe 33    | CLEARS
CLEARS         | power                    |          | OFF SESSION
STORES PAGE    | wait                     | fd 03    | SESSION
STORES PAGE    | d6                       | ff       | STORES PAGE
STORES PAGE    | fe                       | fe 10    | STORES PAGE

RESUME         | fd                       |          | RESUME
RESUME         | fe                       |          | RESUME
RESUME         | dd 00                    |          | RESUME
RESUME         | d6                       |          | RESUME
RESUME         | ff 00                    | ff       | RESUME SESSION
RESUME         | gone                     |          | RESUME
RESUME         | power                    | fd 00    | RESUME
RESUME SESSION | fd                       | ff c0    | RESUME SESSION
RESUME SESSION | ff 00                    | ff       | RESUME SESSION
RESUME SESSION | fe                       | ff       | RESUME
RESUME SESSION | end                      | fd 07    | RESUME
RESUME SESSION | gone                     |          | RESUME
RESUME SESSION | fc                       | fe 00    | RESUME SESSION
RESUME SESSION | e2 00 00 00 00 00        | ff       | RESUME SESSION
RESUME SESSION | e0 00 00 00 00 00 01 00  | fe 11    | RESUME SESSION
RESUME SESSION | d5 00 01 00              | fe 11    | RESUME SESSION
RESUME SESSION | f9 08 00 00              | fe 11    | RESUME SESSION
RESUME SESSION | d2                       | fe 11    | RESUME SESSION
RESUME SESSION | dd 00                    | ff       | STORED
RESUME SESSION | de 00 00 00              | ff       | STORED
RESUME SESSION | d6                       | ff       | SESSION
RESUME SESSION | power                    | fd 00    | RESUME

STIM SELECTED  | dd 01                    | ff       | STIM RUNS
STIM SELECTED  | 00 00 11                 |          | STIM SELECTED
STIM RUNS      | 00 00 11                 |          | STIM RUNS
STIM RUNS      | fd                       | ff 40    | STIM RUNS
STIM RUNS      | dd 00                    | ff       | STOPPED
STIM RUNS      | de 00 00 00              | ff       | STOPPED
STIM RUNS      | d2                       | fe 11    | STIM RUNS
STIM RUNS      | fe                       | ff       | OFF SESSION
STIM RUNS      | ff 00                    | ff       | SESSION
STIM RUNS      | end                      | fd 07    | OFF SESSION
STIM RESUME    | 00 00 11                 |          | STIM RESUME
STIM RESUME    | ff 00                    | ff       | STIM RESUME SESSION

SESSION        | d2                       |          | STARTS
SESSION        | cf                       | fe 29    | SESSION
SESSION        | d0 01 11                 | fe 29    | SESSION
SESSION        | d1 00 00 00 00 04 00 00  | fe 29    | SESSION
SESSION        | c8 00 01 00 00 00 00 00  | fe 29    | SESSION
SESSION        | ca 01 11                 | fe 29    | SESSION
STARTS         | fd                       | ff       | STARTS
STARTS         | d2                       | fe 10    | STARTS
STARTS         | fc                       | fe 00    | SESSION
STARTS         | fe                       | ff       | OFF SESSION
STARTS         | ff 00                    | ff       | SESSION
STARTS         | wait                     | fd 05 ff | PROGRAMS
PROGRAMS       | d2                       | ff       | PROGRAMS
PROGRAMS       | d6                       | fe 12    | PROGRAMS
PROGRAMS       | f0 01 11                 | fe 12    | PROGRAMS
PROGRAMS       | eb 03 01 00              | fe 12    | PROGRAMS
PROGRAMS       | f9 01 00 00              | fe 12    | PROGRAMS
PROGRAMS       | f4 01 00 00 00 00 00 20  | ff       | PROGRAMS
PROGRAMS       | f6 00 00 00 00 00 00 09  | ff       | PROGRAMS
PROGRAMS       | ca 01 11                 | fe 29    | PROGRAMS
PROGRAMS       | d1 00 00 00 00 04 00 00  | fe 24    | PROGRAMS
PROGRAMS       | fc                       | fe 00    | PROGRAMS
PROGRAMS       | fd                       | ff       | PROGRAMS
PROGRAMS       | fe                       | ff       | OFF SESSION
PROGRAMS       | ff 00                    | ff       | SESSION
PROGRAMS       | cf                       | ff       | RESTARTS
PROGRAMS       | end                      | fd 07    | OFF SESSION
PROGRAMS       | gone                     |          | OFF SESSION
ERASES         | wait                     | fd 05 ff | ERASED
ERASES         | fc                       | fe 00    | PROGRAMS
ERASES         | d0 01 11                 | fe 10    | ERASES
ERASES         | cf                       | fe 10    | ERASES
ERASES         | fd                       | ff       | ERASES
ERASES         | fe                       | ff       | OFF SESSION
ERASED         | d0 01 11                 | ff       | ERASED
ERASED         | d0 00                    | ff       | ERASED
ERASED         | c9 01 02 03 04 05 06 07  | ff       | ERASED
ERASED         | d0 09 01 02 03 04 05 06  |          | PGM BLOCK
ERASED         | cf                       | ff       | RESTARTS
PGM BLOCK      | ca 03 07 08 09           | ff       | ERASED
PGM BLOCK      | ca 02 07 08              | fe 29    | ERASED
PGM BLOCK      | fc                       | fe 00    | ERASED
PGM BLOCK      | fd                       | ff       | ERASED
PGM BLOCK      | cf                       | ff       | RESTARTS
PGM BLOCK      | fe                       | ff       | OFF SESSION

SESSION        | c0 fc 0f 01 06           | fe 22    | SESSION
SESSION        | c0 fc 10 06 11 22 33 44  | fe 22    | SESSION
SESSION        | c0 fc 0e 00 00 00 00 20  | ff       | DBG PLACE
DBG PLACE      | c0 fc 0f 01 06           | ff       | DBG BLOCK
DBG PLACE      | c0 fc 0f 03 06           | fe 22    | SESSION
DBG PLACE      | c0 fc 10 06 11 22 33 44  | fe 22    | DBG PLACE
DBG PLACE      | c0 fc 00                 | ff       | SESSION
DBG PLACE      | ff 00                    | ff       | SESSION
DBG PLACE      | fe                       | ff       | OFF SESSION
DBG BLOCK      | c0 fc 10 06 11 22 33 44  |          | DBG BLOCK
DBG BLOCK      | c0 fc 10 02 55 66        | fe 22    | SESSION
DBG BLOCK      | c0 fc 0f 01 06           | fe 22    | SESSION
DBG BLOCK      | fc                       | fe 00    | SESSION
DBG BLOCK      | fd                       | ff       | SESSION
DBG BLOCK      | c0 fc 00                 | ff       | SESSION
DBG BLOCK      | fe                       | ff       | OFF SESSION
DBG BLOCK      | end                      | fd 07    | OFF SESSION
"""


class Device:
    """A slave with everything that lasts, and what its power-off leaves."""

    def __init__(self) -> None:
        settings = ProgramSettings(sectors(), start_ns=150 * MS, clear_ns=150 * MS)
        self.flash = Flash(settings.sectors)
        memory = PagedMemory()
        self.config: SlaveConfig = config(
            max_cto=8,
            max_dto=8,
            events=EVENTS,
            program=settings,
            store=StoreSettings(daq=True, resume=True),
            debug=MemoryTarget(memory),
        )
        self.kept = NonVolatile()
        self.now_ns = 0
        self.slave = self.made()

    def made(self) -> SlaveMachine:
        return SlaveMachine(self.config, FlashedMemory(self.flash), nonvolatile=self.kept)

    def step(self, step: str) -> list[bytes]:
        """One step of the table; what the slave says to it."""
        self.now_ns += MS
        if step == "power":
            self.slave = self.made()
            self.slave.power_up(self.now_ns)
        elif step == "wait":
            for _ in range(20):
                due = self.slave.due()
                if due is None:
                    break
                self.now_ns = max(due, self.now_ns)
                self.slave.on_time(self.now_ns)
        elif step == "end":
            self.slave.terminate(self.now_ns)
        elif step == "gone":
            self.slave.drop(self.now_ns)
        else:
            self.slave.receive(bytes.fromhex(step), self.now_ns)
        return self.slave.outgoing()

    @property
    def state(self) -> str:
        """As the slave has it inside."""
        state = self.slave.state
        suffix = " SESSION" if state.connected else ""
        if state.store.request is not None:
            assert not state.program.engaged
            return self._storing + ("" if state.connected else " OFF")
        if state.program.engaged:
            assert state.connected
            return self._programming
        if state.store.resumed:
            return ("STIM RESUME" if self.slave.stim_running else "RESUME") + suffix
        if not state.connected:
            assert not state.locked
            assert not self.slave.daq_running
            return "RESTARTS" if state.program.restart else "OFF SESSION"
        if state.debug.block is not None:
            return "DBG BLOCK"
        if state.debug.write_place is not None:
            return "DBG PLACE"
        return self._listing

    @property
    def _storing(self) -> str:
        request = self.slave.state.store.request
        assert request is not None
        if request.clear:
            return "CLEARS"
        if request.pages is not None:
            return "STORES PAGE"
        assert request.daq is not None
        return "STORES RESUME" if request.daq.resume else "STORES"

    @property
    def _programming(self) -> str:
        program = self.slave.state.program
        if program.due() is not None:
            return "ERASES" if program.active else "STARTS"
        if program.block is not None:
            return "PGM BLOCK"
        return "ERASED" if program.cleared else "PROGRAMS"

    @property
    def _listing(self) -> str:
        lists = self.slave.state.daq.lists
        if not lists:
            return "SESSION"
        (one,) = lists
        if one.running:
            return "STIM RUNS" if one.stim else "RUNS"
        if one.selected:
            return "STIM SELECTED" if one.stim else "SELECTED"
        if self.kept.daq is None:
            return "STOPPED"
        return "STORED" if one.resume else "STORED ONLY"


def rows() -> list[tuple[str, str, str, str]]:
    lines = [line for line in TRANSITIONS.splitlines() if line.strip()]
    return [tuple(part.strip() for part in line.split("|")) for line in lines]


def brought_to(state: str) -> Device:
    device = Device()
    way: list[tuple[str, tuple[str, ...]]] = []
    at = state
    while at:
        before, steps = WAYS[at]
        way.insert(0, (at, steps))
        at = before
    for at, steps in way:
        for step in steps:
            said = device.step(step)
            assert not said or said[-1][0] in {0xFF, 0xFD}, f"{step}: {said}"
        assert device.state == at
    return device


@pytest.mark.parametrize(("before", "step", "says", "after"), rows())
def test_transition(before: str, step: str, says: str, after: str) -> None:
    device = brought_to(before)
    said = device.step(step)
    told = [one.hex(" ") for one in said]
    if step == "wait" and says.count(" ") == 2:  # EV_CMD_PENDING, then the answer
        assert [one[:5] for one in told[:-1]] == ["fd 05"] * (len(told) - 1)
        assert len(told) >= 2
        assert told[-1].startswith("ff")
    else:
        assert len(told) == bool(says), told
        assert not says or told[0].startswith(says), told
    assert device.state == after


def test_every_state_is_left_and_reached_by_the_table() -> None:
    table = rows()
    assert {before for before, *_ in table} == set(WAYS)
    assert set(WAYS) <= {after for *_, after in table} | {"SELECTED", "STIM SELECTED"}
    assert len({row[:2] for row in table}) == len(table)


@pytest.mark.parametrize("state", WAYS)
def test_power_off_leaves_what_was_stored(state: str) -> None:
    """From every state: what runs afterwards depends on the non-volatile memory only."""
    device = brought_to(state)
    stored = device.kept.daq
    said = device.step("power")
    resumes = stored is not None and stored.resume
    assert [one[:2] for one in said] == [b"\xfd\x00"] * resumes
    wanted = "STIM RESUME" if "STIM" in state else "RESUME"
    assert device.state == (wanted if resumes else "OFF SESSION")
    assert device.slave.daq_running == resumes
