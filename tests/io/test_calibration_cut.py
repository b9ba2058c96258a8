"""Calibration of virtual ECUs that refuse, fall silent or vanish in the middle of it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import xcaliper
from pair.faulty_link import FaultyLink
from xcaliper.calib.history import State
from xcaliper.calib.settle import Settle
from xcaliper.cli.main import main
from xcaliper.client.a2l_source import A2lCache
from xcaliper.client.connect_choice import Outcome
from xcaliper.core.errors import MemoryOverflowError, TransactionError, UsageError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer

BUILD_CHECKSUM = 0xF3
DOWNLOADS = (0xF0, 0xEF, 0xEE, 0xED, 0xEC)  # DOWNLOAD to MODIFY_BITS
NAMES = ("cIdleSpeedTarget", "cLambdaKi", "cLambdaKp", "KFZW", "cIdleKp")
TIMEOUT_S = 0.25
pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def server():
    with EcuServer(build_ecu("demo-engine")) as made:
        yield made


@pytest.fixture
def link(server):
    with FaultyLink(server.url) as relay:
        yield relay


def cut_after(link: FaultyLink, writes: int, *, answered: bool) -> None:
    """The cable breaks at a download: before it arrives, or before its answer does."""
    seen: list[bytes] = []
    broken = [False]

    def down(datagram: bytes):
        if not broken[0] and datagram[4] in DOWNLOADS:
            seen.append(datagram)
            broken[0] = len(seen) > writes
            return [(0.0, datagram)] if answered or not broken[0] else []
        return [] if broken[0] else [(0.0, datagram)]

    link.down = down
    link.up = lambda datagram: [] if broken[0] else [(0.0, datagram)]


def wanted(ecu):
    """A set with another value for five parameters of both segments."""
    values = ecu.calib.snapshot(NAMES)
    table = values["KFZW"].values.copy()
    table[4:6, 3] += 2.25
    changes = {"cIdleSpeedTarget": 900, "cLambdaKi": 0.9, "cLambdaKp": 0.8, "cIdleKp": 0.05}
    return values.with_entries(
        [replace(values[name], values=value) for name, value in changes.items()]
        + [replace(values["KFZW"], values=table)]
    )


def page_bytes(server) -> dict[int, bytes]:
    """Page 0 of both segments, as the ECU has it."""
    return {n: bytes(server.ecu.memory._paged[n].pages[0]) for n in (0, 1)}


def ecu_pages(server) -> list[int]:
    return [server.ecu.memory.get_page(n, ecu=True) for n in (0, 1)]


@pytest.mark.parametrize("answered", [False, True])
def test_a_cable_that_breaks_in_a_download_leaves_a_known_state_and_the_rest_follows(
    server, link, answered
):
    before = page_bytes(server)
    with xcaliper.connect(link.url, cache=False, timeout_s=TIMEOUT_S) as ecu:
        calib, data = ecu.calib, wanted(ecu)
        cut_after(link, 2, answered=answered)
        with pytest.raises(TransactionError) as caught:
            calib.synchronise(data, "download", reason="monday")
        error = caught.value
        assert (error.restored, len(error.written), len(error.unknown)) == (False, 2, 1)
        assert ecu_pages(server) == [1, 1], "the ECU works with its flash meanwhile"
        link.heal()
        ecu.reconnect()
        with pytest.raises(UsageError, match="settle"):
            calib["cIdleSpeedTarget"] = 870
        sent: list[int] = []
        write = calib.working.port.write
        calib.working.port.write = lambda at, new: (sent.append(len(new)), write(at, new))
        (found,) = calib.settle(Settle.FINISH)
        del calib.working.port.write
        assert (found.state, found.written) == (State.PARTIAL, 2 + answered)
        assert len(sent) == len(found.actual) - found.written, "only the rest is sent"
        assert (ecu_pages(server), calib.history[1].state) == ([0, 0], State.DONE)
        assert calib.disagreements() == []
        assert calib.synchronise(data, "offline").outcome is Outcome.EQUAL
        assert page_bytes(server) != before
        calib.undo()
    assert page_bytes(server) == before


def test_after_a_break_the_same_set_is_downloaded_again_and_only_the_rest_is_sent(server, link):
    with xcaliper.connect(link.url, cache=False, timeout_s=TIMEOUT_S) as ecu:
        calib, data = ecu.calib, wanted(ecu)
        cut_after(link, 2, answered=True)
        with pytest.raises(TransactionError):
            calib.synchronise(data, "download")
        link.heal()
        ecu.reconnect()
        done = calib.synchronise(data, "download")
        assert [(one.state, one.written) for one in done.settled] == [(State.PARTIAL, 3)]
        assert done.outcome is Outcome.DOWNLOADED
        runs = len(calib.history[1].runs) + len(done.transaction.runs)
        assert runs == len(done.settled[0].actual)
        assert calib.synchronise(data, "offline").outcome is Outcome.EQUAL
        assert ecu_pages(server) == [0, 0], "also where nothing was left to be sent"
        assert "page 1 of segment 0" in done.note
        assert calib.disagreements() == []


def test_an_ecu_that_was_left_elsewhere_is_told_when_nothing_is_decided(server, link):
    with xcaliper.connect(link.url, cache=False, timeout_s=TIMEOUT_S) as ecu:
        calib, data = ecu.calib, wanted(ecu)
        cut_after(link, 0, answered=False)
        with pytest.raises(TransactionError):
            calib.synchronise(data, "download")
        link.heal()
        ecu.reconnect()
        done = calib.synchronise(data, "offline")
        assert (done.outcome, ecu_pages(server)) == (Outcome.OFFLINE, [1, 1])
        assert "still works with page 1 of segment 0" in done.note


@pytest.mark.parametrize("how", ["look", "finish", "back"])
def test_the_shell_settles_what_a_broken_cable_left(
    server, link, how, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("XCALIPER_CACHE", str(tmp_path))
    path = tmp_path / "engine.history"
    before = page_bytes(server)
    with xcaliper.connect(link.url, cache=False, timeout_s=TIMEOUT_S) as ecu:
        ecu.calib.keep_history(path)
        data = wanted(ecu)
        cut_after(link, 2, answered=False)
        with pytest.raises(TransactionError):
            ecu.calib.apply(data, how="order")
        ecu.calib.close()
        link.heal()

    def shell(*words: str) -> list[dict]:
        capsys.readouterr()
        assert main(["cal", "history", server.url, "--history", str(path), "--json", *words]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    state = {"look": "partial", "finish": "done", "back": "undone"}[how]
    assert [one["state"] for one in shell()] == ["open"]
    assert [one["state"] for one in shell("--settle", how)] == [state]
    with xcaliper.connect(server.url, cache=False) as ecu:
        ecu.calib.keep_history(path)
        assert ecu.calib.disagreements() == []
        assert (page_bytes(server) == before) is (how == "back")
        assert ecu.calib.plan_set(data).is_complete
        assert (not ecu.calib.plan_set(data).writes) is (how == "finish")


def test_ram_that_is_used_up_leaves_a_group_as_before_and_nothing_open():
    with (
        EcuServer(build_ecu("dynamic-overlay")) as server,
        xcaliper.connect(server.url, cache=False) as ecu,
    ):
        calib = ecu.calib
        for name in ("cGainA", "cGainB", "cGainC", "cGainD"):
            calib[name] = 1.5
        held = page_bytes_of(ecu)
        with pytest.raises(MemoryOverflowError, match="VecB"):
            calib["VecB"] = np.asarray(calib["VecB"]) + 1
        assert calib.history.open() == []
        assert page_bytes_of(ecu) == held
        with pytest.raises(TransactionError) as caught:
            change_both(calib)
        assert caught.value.restored
        assert calib["cGainA"] == 1.5
        assert page_bytes_of(ecu) == held
        assert [str(one.state) for one in calib.history] == [*["done"] * 4, "undone", "undone"]


def change_both(calib) -> None:
    with calib.group("both", how="order"):
        calib["cGainA"] = 1.75
        calib["VecB"] = np.asarray(calib["VecB"]) + 1


def page_bytes_of(ecu) -> bytes:
    """All of the only segment, read anew."""
    (segment,) = ecu.calib.working.segments
    return ecu.calib.working.read_live(segment.start, segment.size_bytes)


def test_a_slave_that_leaves_checksums_unanswered_is_read_instead(server, link, tmp_path):
    asked: list[bytes] = []

    def down(datagram: bytes):
        if datagram[4] == BUILD_CHECKSUM:
            asked.append(datagram)
            return []
        return [(0.0, datagram)]

    link.down = down
    for _ in range(2):  # the second time its A2L would be taken from the cache
        with xcaliper.connect(link.url, cache=A2lCache(tmp_path), timeout_s=TIMEOUT_S) as ecu:
            calib = ecu.calib
            table = calib["KFZW"].values
            calib["KFZW"] = table + 1.0
            assert np.allclose(ecu.read("KFZW").values, table + 1.0, atol=0.5)
            assert calib.refresh().checked == 0
            calib.undo()
            known = len(asked)
            assert known, "it was tried"
            ecu.reconnect()
            assert calib.refresh().uploaded > 0
            calib["KFZW"] = table + 2.0
            calib.undo()
            assert len(asked) == known, "once is enough"
            assert calib.disagreements() == []
