"""Calibration of a virtual ECU over loopback: sets, pages, the choice after connecting, a lost link."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

import xcaliper
from support.served import hasty
from xcaliper.calib.groups import Brackets
from xcaliper.calib.history import Kind, State
from xcaliper.calib.settle import Settle
from xcaliper.client.connect_choice import Choice, Outcome
from xcaliper.core.address import Address
from xcaliper.core.errors import (
    IntegrityError,
    NegativeResponseError,
    PlanError,
    TransactionError,
    UnknownCommandError,
    UsageError,
)
from xcaliper.core.memory import SparseMemory
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer

pytestmark = pytest.mark.timeout(90)
SCALARS = 0x0802_0000


@pytest.fixture
def server():
    with EcuServer(build_ecu("demo-engine")) as made:
        yield made


@pytest.fixture
def ecu(server):
    with hasty(server.url) as connection:
        yield connection


def page_bytes(server) -> dict[int, bytes]:
    """Page 0 of both segments, as the ECU has it."""
    memory = server.ecu.memory
    return {n: bytes(memory._paged[n].pages[0]) for n in (0, 1)}


def image_of(calib) -> SparseMemory:
    """The segments as memory of their own, to work on offline."""
    image = SparseMemory()
    for segment in calib.working.segments:
        image.add(segment.start, bytearray(calib.working.content(segment)))
    return image


def change_some(calib) -> None:
    rng = np.random.default_rng(3)
    calib["cIdleSpeedTarget"] = 900
    calib["cLambdaKi"] = 0.7
    with calib.group("maps", how="order"):
        for _ in range(20):
            at = (int(rng.integers(12)), int(rng.integers(16)))
            calib.write("KFZW", float(rng.uniform(-10, 50)), at=at)
        calib.write("AxisCoolantTemp", -31, at=0)


# --- sets ---


def test_a_set_saved_and_applied_after_a_reset_gives_every_byte_back(server, ecu):
    calib = ecu.calib
    change_some(calib)
    saved = calib.snapshot(name="evening")
    evening = page_bytes(server)
    assert saved["cIdleSpeedTarget"].history[-1].state == "changed"
    server.ecu.reboot(server.ecu.scheduler.next_due_ns())
    ecu.reconnect()
    morning = page_bytes(server)
    assert morning != evening
    applied = calib.apply(saved, reason="next morning")
    assert page_bytes(server) == evening
    changed = sum(a != b for n in (0, 1) for a, b in zip(morning[n], evening[n], strict=True))
    assert changed <= applied.bytes_sent <= 4 * changed
    assert applied.transaction.kind is Kind.APPLY
    assert calib.apply(saved).transaction is None, "nothing is sent twice"
    calib.undo()
    assert page_bytes(server) == morning


def test_a_set_with_wrong_entries_is_refused_as_a_whole_unless_told(server, ecu):
    calib = ecu.calib
    before = page_bytes(server)
    values = calib.snapshot(["cIdleSpeedTarget", "cLambdaKi"])
    wrong = values.with_entries(
        replace(values[name], values=value)
        for name, value in (("cIdleSpeedTarget", 9e9), ("cLambdaKi", 0.9))
    )
    with pytest.raises(PlanError, match="cIdleSpeedTarget: outside limits") as caught:
        calib.apply(wrong)
    assert len(caught.value.problems) == 1
    assert page_bytes(server) == before
    applied = calib.apply(wrong, partial=True)
    assert applied.transaction.names == ("cLambdaKi",)
    assert ecu.read("cLambdaKi") == pytest.approx(0.9)


# --- beside the connection ---


def test_what_is_written_beside_calibration_is_seen(ecu):
    calib = ecu.calib
    assert calib["cIdleSpeedTarget"] == 820
    ecu.write("cIdleSpeedTarget", 830)
    assert calib["cIdleSpeedTarget"] == 830
    ecu.set_page(1, 1, ecu=False)
    assert calib["cIdleSpeedTarget"] == 820
    ecu.set_page(1, 0, ecu=False)
    assert calib["cIdleSpeedTarget"] == 830
    assert calib.dirty().names == ("cIdleSpeedTarget",)
    ecu.copy_page((1, 1), (1, 0))
    assert calib["cIdleSpeedTarget"] == 820
    assert not calib.dirty()
    ecu.security  # noqa: B018
    ecu.look_again()
    ecu.set_page(1, 1, ecu=False)
    ecu.set_page(1, 0, ecu=False)
    ecu.write("cIdleSpeedTarget", 840)
    assert calib["cIdleSpeedTarget"] == 840


def test_a_write_costs_one_packet_and_one_to_read_it_back(ecu):
    calib = ecu.calib
    calib["cIdleSpeedTarget"] = 900
    sent: list[int] = []
    run = ecu.link.run
    ecu.link.run = lambda procedure, *a, **k: sent.append(1) or run(procedure, *a, **k)
    calib["cIdleSpeedTarget"] = 910
    assert len(sent) == 2
    del sent[:]
    assert calib["cIdleSpeedTarget"] == 910
    assert sent == []


def test_changes_leave_marks_in_a_running_measurement(ecu, tmp_path):
    from asammdf import MDF

    measurement = ecu.measure("EngineSpeed", record=tmp_path / "run.mf4")
    measurement.start()
    time.sleep(0.2)
    with ecu.calib.group("both"):
        ecu.calib["cIdleSpeedTarget"] = 905
        ecu.calib["cLambdaKi"] = 0.5
    time.sleep(0.1)
    measurement.stop()
    with MDF(tmp_path / "run.mf4") as mdf:
        texts = " ".join(event.comment or event.name or "" for event in mdf.events)
    assert "820 → 905" in texts


def test_an_ecu_without_user_commands_refuses_the_bracket_and_nothing_is_written(server, ecu):
    before = page_bytes(server)
    ecu.calib.brackets = Brackets(b"\x01")
    with pytest.raises((UnknownCommandError, NegativeResponseError)):
        ecu.calib["cIdleSpeedTarget"] = 900
    assert page_bytes(server) == before


# --- history ---


def test_a_history_is_continued_by_the_next_session(server, tmp_path):
    path = tmp_path / "history"
    with xcaliper.connect(server.url, cache=False) as ecu:
        ecu.calib.keep_history(path)
        with pytest.raises(UsageError, match="there is one already"):
            ecu.calib.keep_history(path)
        ecu.calib.author = "ann"
        ecu.calib.write("cIdleSpeedTarget", 900, reason="louder")
    with xcaliper.connect(server.url, cache=False) as ecu:
        ecu.calib.keep_history(path)
        assert [one.reason for one in ecu.calib.history] == ["louder"]
        assert ecu.calib.disagreements() == []
        ecu.calib.undo()
        assert ecu.read("cIdleSpeedTarget") == 820
    with xcaliper.connect(server.url, cache=False) as ecu:
        ecu.calib.keep_history(path)
        assert [str(one.kind) for one in ecu.calib.history] == ["write", "undo"]
        ecu.calib.redo()
        assert ecu.read("cIdleSpeedTarget") == 900


# --- the choice after connecting ---


def offline_change(ecu, image, *names) -> SparseMemory:
    """Other values in the image, as if it had been calibrated offline."""
    for name in names:
        bound = ecu.catalog.bind(name)
        image.write(bound.address, bytes(b ^ 1 for b in image.read(bound.address, 1)))
    return image


def test_equal_data_needs_no_choice_and_costs_checksums_only(server, ecu):
    image = image_of(ecu.calib)
    ecu.reconnect()
    seen: list[tuple] = []
    found = ecu.calib.synchronise(image, "offline", progress=lambda *a: seen.append(a))
    assert found.outcome is Outcome.EQUAL
    assert [one.uploaded for one in found.segments] == [0, 0]
    assert [one.label for one in found.segments] == [
        "segment 0 (CalibrationMaps)",
        "segment 1 (CalibrationScalars)",
    ]
    assert seen == [("compare", 4096, 5120), ("compare", 5120, 5120)]
    ecu.calib["cIdleSpeedTarget"] = 900
    assert ecu.calib.dirty("file").names == ("cIdleSpeedTarget",)


def test_the_file_wins_while_the_ecu_is_on_its_flash_page(server, ecu):
    calib = ecu.calib
    image = offline_change(ecu, image_of(calib), "cIdleSpeedTarget", "cLambdaKi", "KFZW")
    ecu.set_page(0, 1)
    ecu.set_page(1, 1)
    seen: list[tuple] = []
    pages: list[tuple] = []

    def progress(text, done, total):
        seen.append((text, done, total))
        pages.append([server.ecu.memory.get_page(n, ecu=True) for n in (0, 1)])

    found = calib.synchronise(image, Choice.DOWNLOAD, progress=progress, reason="offline work")
    assert found.outcome is Outcome.DOWNLOADED
    assert sum(one.bytes_changed for one in found.segments) == 3
    assert found.transaction.kind is Kind.DOWNLOAD
    assert set(found.transaction.names) == {"cIdleSpeedTarget", "cLambdaKi", "KFZW"}
    assert found.transaction.bytes_sent <= 3 * 8
    assert [pages[n] for n, one in enumerate(seen) if one[0] == "download"] == [[1, 1]] * 3
    for number in (0, 1):
        assert server.ecu.memory.get_page(number, ecu=True) == 0
        assert server.ecu.memory.get_page(number, ecu=False) == 0
    assert page_bytes(server)[1] == image.read(Address(SCALARS), 0x400)
    assert calib.synchronise(image, "offline").outcome is Outcome.EQUAL
    calib.undo()
    assert calib["cIdleSpeedTarget"] == 820


def test_the_ecu_wins(server, ecu):
    calib = ecu.calib
    image = image_of(calib)
    calib["cIdleSpeedTarget"] = 900
    found = calib.synchronise(image, "upload")
    assert (found.outcome, found.transaction) == (Outcome.UPLOADED, None)
    assert image.read(Address(SCALARS), 0x400) == page_bytes(server)[1]
    assert not calib.dirty("file")


def test_each_parameter_by_itself(server, ecu):
    calib = ecu.calib
    image = offline_change(ecu, image_of(calib), "cIdleSpeedTarget", "cLambdaKi")
    asked = []

    def ask(question):
        asked.append({one.name: (one.ecu, one.data) for one in question.parameters()})
        assert question.dirty.names == ("cIdleSpeedTarget", "cLambdaKi")
        return {"cIdleSpeedTarget": "data", "cLambdaKi": "ecu"}

    with pytest.raises(UsageError, match="nothing is decided for cLambdaKi"):
        calib.synchronise(image, {"cIdleSpeedTarget": "data"})
    ki = ecu.read("cLambdaKi")
    found = calib.synchronise(image, ask)
    assert found.outcome is Outcome.DECIDED
    assert found.kept == ("cLambdaKi",)
    assert found.transaction.names == ("cIdleSpeedTarget",)
    assert asked[0]["cIdleSpeedTarget"] == (820, ecu.read("cIdleSpeedTarget"))
    assert ecu.read("cLambdaKi") == ki
    assert calib.synchronise(image, "offline").outcome is Outcome.EQUAL


def test_offline_nothing_is_written_until_it_is_decided(ecu):
    calib = ecu.calib
    image = offline_change(ecu, image_of(calib), "cIdleSpeedTarget")
    assert calib.synchronise(image, lambda _question: "offline").outcome is Outcome.OFFLINE
    with pytest.raises(UsageError, match="offline"):
        calib["cLambdaKi"] = 0.5
    with pytest.raises(UsageError, match="'perhaps' is no choice"):
        calib.synchronise(image, "perhaps")
    assert calib.synchronise(image, "download").outcome is Outcome.DOWNLOADED
    calib["cLambdaKi"] = 0.5


def test_what_the_image_does_not_have_is_not_compared(server, ecu):
    calib = ecu.calib
    whole = image_of(calib)
    part = SparseMemory()
    part.add(Address(SCALARS + 16), bytearray(whole.read(Address(SCALARS + 16), 64)))
    calib["KFZW"] = np.full((12, 16), 3.0)
    assert calib.synchronise(part, "offline").outcome is Outcome.EQUAL
    part.write(Address(SCALARS + 20), b"\x55")
    found = calib.synchronise(part, "download")
    assert found.transaction.bytes_changed == 1


def test_the_data_of_another_program_is_not_written(server, tmp_path):
    path = tmp_path / "other.a2l"
    path.write_text(server.ecu.a2l.replace('EPK "XCALIPER-DEMO-1"', 'EPK "OTHER"'), "utf-8")
    with xcaliper.connect(server.url, a2l=path, cache=False) as ecu:
        image = offline_change(ecu, image_of(ecu.calib), "cIdleSpeedTarget")
        found = ecu.calib.synchronise(image, "download")
        assert (found.outcome, found.transaction) == (Outcome.READ_ONLY, None)
        ecu.calib.is_offline = False
        with pytest.raises(IntegrityError, match="EPK"):
            ecu.calib["cIdleSpeedTarget"] = 900
        ecu.confirm()
        assert ecu.calib.synchronise(image, "download").outcome is Outcome.DOWNLOADED


# --- a lost link ---


def lose_at(ecu, number: int) -> None:
    """From the write of this number on nobody answers."""
    port, count = ecu.calib.working.port, [0]
    write = port.write

    def counted(address, data):
        if count[0] == number:
            ecu.link.close()
        count[0] += 1
        write(address, data)

    port.write = counted


@pytest.mark.parametrize("how", [Settle.FINISH, Settle.BACK])
def test_a_download_that_was_cut_off_is_known_and_can_be_finished(server, ecu, how):
    calib = ecu.calib
    before = page_bytes(server)
    image = offline_change(ecu, image_of(calib), "cIdleSpeedTarget", "cLambdaKi", "KFZW")
    lose_at(ecu, 2)
    with pytest.raises(TransactionError) as caught:
        calib.synchronise(image, "download")
    assert len(caught.value.written) == 2
    assert len(caught.value.unknown) == 1
    assert [server.ecu.memory.get_page(n, ecu=True) for n in (0, 1)] == [1, 1], "it is stable"
    del calib.working.port.write
    ecu.reconnect()
    with pytest.raises(UsageError, match="settle"):
        calib["cIdleSpeedTarget"] = 900
    (found,) = calib.settle(how)
    assert (found.state, found.written, found.away) == (State.PARTIAL, 2, (0, 1))
    assert [server.ecu.memory.get_page(n, ecu=True) for n in (0, 1)] == [0, 0]
    if how is Settle.BACK:
        assert page_bytes(server) == before
    else:
        assert calib.synchronise(image, "offline").outcome is Outcome.EQUAL
        calib.undo()
        assert page_bytes(server) == before


def test_after_a_restart_of_the_ecu_what_was_known_can_be_downloaded_again(server, ecu):
    calib = ecu.calib
    change_some(calib)
    calib.refresh()
    evening = page_bytes(server)
    server.ecu.reboot(server.ecu.scheduler.next_due_ns())
    ecu.reconnect()
    assert page_bytes(server) != evening
    found = calib.synchronise(None, "download")
    assert found.outcome is Outcome.DOWNLOADED
    assert page_bytes(server) == evening
    other = xcaliper.connect(server.url, cache=False)
    with other, pytest.raises(UsageError, match="nothing is known"):
        other.calib.synchronise(None, "download")
