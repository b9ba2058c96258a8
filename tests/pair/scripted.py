"""A master machine whose commands are answered by a script, under a virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xcaliper.proto.procedure import ask
from xcaliper.xcp import daq, std
from xcaliper.xcp.master import MasterMachine
from xcaliper.xcp.recovery import Timers
from xcaliper.xcp.table import COMMANDS

MS = 1_000_000
TIMES = (10, 20, 30, 40, 50, 60, 70)
TIMERS = Timers.of_ms(*TIMES)
PATIENCE = 1000 * MS
CONNECTED = bytes.fromhex("ff1dc0ff00010101")
SILENCE = b""


class Scripted:
    """A master whose commands are answered as a script says; time is virtual.

    Args:
        script: gives the answer to the n-th command of a name (from 0), or None for a good one.
    """

    def __init__(self, script: Callable[[str, int], bytes | None] = lambda name, n: None) -> None:
        self.master = MasterMachine(timers=TIMERS, busy_patience_ns=PATIENCE)
        self.script: Callable[[str, int], bytes | None] = lambda name, n: None
        self.now_ns = 123 * MS
        self.sent: list[str] = []
        self.packets: list[bytes] = []
        self.run(ask(std.Connect()))
        self.run(ask(std.SetMta(address=0x1000)))
        self.run(ask(daq.SetDaqPtr(daq_list=1, odt=2, odt_entry=3)))
        self.script = script
        self.clear()

    def clear(self) -> None:
        self.sent.clear()
        self.packets.clear()
        self.begin_ns = self.now_ns

    @property
    def elapsed_ms(self) -> float:
        return (self.now_ns - self.begin_ns) / MS

    def run(self, procedure: Any) -> Any:
        running = self.master.start(procedure, self.now_ns)
        for _ in range(10_000):
            out = self.master.outgoing()
            for packet in out:
                self.serve(packet)
            if running.done():
                return running.result()
            if not out:
                due = self.master.due()
                assert due is not None, "nothing is awaited"
                self.now_ns = max(self.now_ns, due)
                self.master.on_time(self.now_ns)
        raise AssertionError("no end")

    def serve(self, packet: bytes) -> None:
        info = COMMANDS.find(packet)
        assert info is not None
        number = self.sent.count(info.name)
        self.sent.append(info.name)
        self.packets.append(packet)
        answer = self.script(info.name, number)
        if answer is None:
            answer = self.good(info.name, packet)
        if answer:
            self.master.receive(answer, self.now_ns)

    @staticmethod
    def good(name: str, packet: bytes) -> bytes:
        if name == "SYNCH":
            return b"\xfe\x00"
        if name == "CONNECT":
            return CONNECTED
        if name in ("DOWNLOAD", "PROGRAM") and packet[1] > len(packet) - 2:
            return SILENCE  # a block goes on
        return b"\xff" + bytes(63)
