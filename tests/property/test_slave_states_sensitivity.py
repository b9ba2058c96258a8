"""The model of the slave is worth something: it catches slaves that are wrong in one small place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from property.test_slave_states import SlaveStates
from xcaliper.xcp.codes import Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.xcp.slave import SlaveMachine

#: As many examples as the model itself gets; the first that fails ends it, and nothing is shrunk.
BUDGET = settings(
    max_examples=300,
    stateful_step_count=30,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def override(part: object, **methods: Callable) -> None:
    """Give one object methods of its own; its class may have slots."""
    part.__class__ = type("Broken", (type(part),), {"__slots__": (), **methods})


def shows_the_secret(slave: SlaveMachine) -> None:
    override(slave.state.security, hides=lambda _self, _address, _size_bytes: False)


def without_gate_for(name: str) -> Callable[[SlaveMachine], None]:
    def broken(slave: SlaveMachine) -> None:
        refuses = type(slave.state.security).refuses
        override(
            slave.state.security,
            refuses=lambda self, info, packet: (
                None if info.name == name else refuses(self, info, packet)
            ),
        )

    return broken


def stays_after_a_wrong_key(slave: SlaveMachine) -> None:
    reset = slave.state.reset
    receive = slave.receive

    def keeps(packet: bytes, now_ns: int) -> None:
        unlocking = packet[:1] == b"\xf7"
        slave.state.reset = (lambda **_: None) if unlocking else reset
        receive(packet, now_ns)

    slave.receive = keeps


def stays_open_after_disconnect(slave: SlaveMachine) -> None:
    receive = slave.receive

    def keeps(packet: bytes, now_ns: int) -> None:
        before = slave.state.locked
        receive(packet, now_ns)
        if packet == b"\xfe" and not slave.connected:
            slave.state.locked = before

    slave.receive = keeps


def unlocks_too_much(slave: SlaveMachine) -> None:
    receive = slave.receive

    def opens(packet: bytes, now_ns: int) -> None:
        before = slave.state.locked
        receive(packet, now_ns)
        if slave.state.locked != before and slave.connected and packet[:1] == b"\xf7":
            slave.state.locked = Resource(0)

    slave.receive = opens


def programs_beside_everything(slave: SlaveMachine) -> None:
    override(slave.state.program, refuses=lambda _self, _info: None)


def stores_beside_everything(slave: SlaveMachine) -> None:
    override(slave.state.store, refuses=lambda _self, _info: None)


def answers_before_connect(slave: SlaveMachine) -> None:
    receive = slave.receive

    def talks(packet: bytes, now_ns: int) -> None:
        if packet[:1] == b"\xfd" and not slave.connected:
            slave._out.append(b"\xff\0\0\0\0\0")
        receive(packet, now_ns)

    slave.receive = talks


def runs_on_after_disconnect(slave: SlaveMachine) -> None:
    override(slave.state.store, reset=lambda _self, *, connected: None)


def forgets_stimulation(slave: SlaveMachine) -> None:
    override(slave.state.stim, apply=lambda *_: [])


def mixes_directions(slave: SlaveMachine) -> None:
    security = slave.state.security
    override(security, _daq_closed=lambda self, _name, _packet: not self._open())


def wants_both_directions(slave: SlaveMachine) -> None:
    security = slave.state.security
    override(security, _daq_closed=lambda self, _name, _packet: len(self._open()) < 2)


MUTATIONS = {
    "hides nothing": shows_the_secret,
    "DOWNLOAD open": without_gate_for("DOWNLOAD"),
    "SHORT_DOWNLOAD open": without_gate_for("SHORT_DOWNLOAD"),
    "START_STOP_SYNCH open": without_gate_for("START_STOP_SYNCH"),
    "FREE_DAQ open": without_gate_for("FREE_DAQ"),
    "PROGRAM_START open": without_gate_for("PROGRAM_START"),
    "DBG_READ_CAN1 open": without_gate_for("DBG_READ_CAN1"),
    "session goes on after a wrong key": stays_after_a_wrong_key,
    "open after DISCONNECT": stays_open_after_disconnect,
    "one key opens all": unlocks_too_much,
    "everything goes while programming": programs_beside_everything,
    "everything goes while storing": stores_beside_everything,
    "talks before CONNECT": answers_before_connect,
    "lists run on after DISCONNECT": runs_on_after_disconnect,
    "STIM is not written": forgets_stimulation,
    "one direction opens the other": mixes_directions,
    "one direction alone opens nothing": wants_both_directions,
}


class Mutant(SlaveStates):
    """The model with a slave that is wrong."""

    broken: Callable[[SlaveMachine], None]

    def make_slave(self, settings, memory):
        slave = super().make_slave(settings, memory)
        type(self).broken(slave)
        return slave


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_model_catches(name: str) -> None:
    class One(Mutant):
        broken = staticmethod(MUTATIONS[name])

    with pytest.raises(BaseException) as caught:
        run_state_machine_as_test(One, settings=BUDGET)
    found = caught.value
    errors = found.exceptions if isinstance(found, BaseExceptionGroup) else (found,)
    assert any(isinstance(error, AssertionError | ValueError) for error in errors), errors


def test_the_slave_itself_passes_with_the_same_budget() -> None:
    class Sound(Mutant):
        broken = staticmethod(lambda _slave: None)

    run_state_machine_as_test(Sound, settings=settings(BUDGET, max_examples=60))
