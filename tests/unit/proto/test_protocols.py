"""What both sides promise by name: the machines, and memory for engines that know no protocol."""

from __future__ import annotations

import inspect

import pytest

from xcaliper.proto.machine import Machine
from xcaliper.proto.memory_port import MemoryPort
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.observer import ObserverMachine
from xcaliper.xcp.procedures.memory import XcpMemory
from xcaliper.xcp.quirky_slave import QuirkySlave
from xcaliper.xcp.slave import SlaveMachine


@pytest.mark.parametrize(
    ("made", "promise"),
    [
        (MasterMachine, Machine),
        (SlaveMachine, Machine),
        (QuirkySlave, Machine),
        (XcpMemory, MemoryPort),
    ],
)
def test_methods_take_what_was_promised(made: type, promise: type) -> None:
    names = [name for name, value in vars(promise).items() if inspect.isfunction(value)]
    methods = [name for name in names if not name.startswith("_")]
    assert methods
    for name in methods:
        wanted = inspect.signature(getattr(promise, name)).parameters
        assert list(inspect.signature(getattr(made, name)).parameters)[: len(wanted)] == list(
            wanted
        ), name


def test_an_observer_hears_both_sides_and_sends_nothing() -> None:
    assert not hasattr(ObserverMachine, "outgoing")
