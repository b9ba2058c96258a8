"""Parameter sets and a virtual ECU over loopback: brought together after connecting, kept in files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import xcaliper
from support.served import hasty
from xcaliper.calib.history import Kind
from xcaliper.calib.outcomes import Outcome as Entered
from xcaliper.cli.main import main
from xcaliper.client.connect_choice import Outcome
from xcaliper.client.set_file import load_set
from xcaliper.core.errors import PlanError, UsageError
from xcaliper.sim.gallery import build_ecu
from xcaliper.sim.server import EcuServer

pytestmark = pytest.mark.timeout(90)
NAMES = ("cIdleSpeedTarget", "cLambdaKi", "KFZW")


@pytest.fixture
def server():
    with EcuServer(build_ecu("demo-engine")) as made:
        yield made


@pytest.fixture
def ecu(server):
    with hasty(server.url) as connection:
        yield connection


def changed(values, **new):
    """A set with other values."""
    return values.with_entries(replace(values[name], values=value) for name, value in new.items())


def test_a_set_is_working_data_and_downloaded_while_the_ecu_is_elsewhere(server, ecu):
    calib = ecu.calib
    values = calib.snapshot(NAMES)
    assert calib.synchronise(values, "offline").outcome is Outcome.EQUAL
    table = values["KFZW"].values.copy()
    table[2, 3] += 1.5
    wanted = changed(values, cIdleSpeedTarget=900, KFZW=table)
    pages = []

    def progress(text, _done, _total):
        pages.append((text, server.ecu.memory.get_page(0, ecu=True)))

    found = calib.synchronise(wanted, "download", progress=progress, reason="set of monday")
    assert found.outcome is Outcome.DOWNLOADED
    assert {page for text, page in pages if text == "download"} == {1}
    assert server.ecu.memory.get_page(0, ecu=True) == 0
    assert found.transaction.kind is Kind.DOWNLOAD
    assert set(found.transaction.names) == {"cIdleSpeedTarget", "KFZW"}
    assert sum(one.bytes_changed for one in found.segments) == found.transaction.bytes_changed
    assert found.values is None
    assert found.plan.counts() == {Entered.APPLIED: 2, Entered.UNCHANGED: 1}
    assert calib["cIdleSpeedTarget"] == 900
    assert ecu.read("KFZW").values[2, 3] == pytest.approx(table[2, 3])
    calib.undo()
    assert calib.synchronise(values, "offline").outcome is Outcome.EQUAL


def test_the_ecu_wins_over_a_set_which_takes_its_values(ecu):
    calib = ecu.calib
    values = calib.snapshot(NAMES)
    calib["cIdleSpeedTarget"] = 910
    calib.write("KFZW", 33.0, at=(1, 1))
    found = calib.synchronise(values, "upload")
    assert (found.outcome, found.transaction) == (Outcome.UPLOADED, None)
    assert found.values["cIdleSpeedTarget"].values == 910
    assert found.values["KFZW"].values[1, 1] == pytest.approx(33.0, abs=0.5)
    assert found.values["cLambdaKi"] == values["cLambdaKi"]
    assert found.values.names == values.names
    assert calib.synchronise(found.values, "offline").outcome is Outcome.EQUAL


def test_each_entry_of_a_set_by_itself(ecu):
    calib = ecu.calib
    values = calib.snapshot(NAMES)
    wanted = changed(values, cIdleSpeedTarget=900, cLambdaKi=0.9)
    asked = []

    def ask(question):
        asked.extend((one.name, one.ecu, one.data) for one in question.parameters())
        return {"cIdleSpeedTarget": "data", "cLambdaKi": "ecu"}

    with pytest.raises(UsageError, match="nothing is decided for cLambdaKi"):
        calib.synchronise(wanted, {"cIdleSpeedTarget": "data"})
    found = calib.synchronise(wanted, ask)
    assert asked == [
        ("cIdleSpeedTarget", 820, 900),
        ("cLambdaKi", pytest.approx(values["cLambdaKi"].values), 0.9),
    ]
    assert (found.outcome, found.kept) == (Outcome.DECIDED, ("cLambdaKi",))
    assert found.transaction.names == ("cIdleSpeedTarget",)
    assert calib.synchronise(found.values, "offline").outcome is Outcome.EQUAL


def test_entries_that_the_ecu_cannot_take_stop_the_download_until_it_is_decided(ecu):
    calib = ecu.calib
    values = calib.snapshot(NAMES)
    wanted = changed(values, cIdleSpeedTarget=9e9, cLambdaKi=0.9)
    strange = wanted.with_entries([replace(values["cLambdaKi"], name="cUnknown")])
    with pytest.raises(PlanError) as caught:
        calib.synchronise(strange, "download")
    assert [one.partition(" (")[0] for one in caught.value.problems] == [
        "cIdleSpeedTarget: outside limits",
        "cUnknown: not in A2L",
    ]
    with pytest.raises(PlanError, match="cIdleSpeedTarget"):
        calib.synchronise(strange, lambda question: dict.fromkeys(question.dirty.names, "data"))
    assert calib.history.open() == []
    assert calib["cLambdaKi"] == pytest.approx(values["cLambdaKi"].values)
    sides = {"cIdleSpeedTarget": "ecu", "cUnknown": "ecu", "cLambdaKi": "data"}
    found = calib.synchronise(strange, sides)
    assert "no value for cUnknown" in found.note
    assert calib["cLambdaKi"] == pytest.approx(0.9)
    assert found.values["cIdleSpeedTarget"].values == 820
    assert found.values["cUnknown"] == strange["cUnknown"]


def test_offline_with_a_set_nothing_is_written_until_it_is_decided(ecu):
    calib = ecu.calib
    wanted = changed(calib.snapshot(NAMES), cIdleSpeedTarget=900)
    assert calib.synchronise(wanted, "offline").outcome is Outcome.OFFLINE
    with pytest.raises(UsageError, match="offline"):
        calib["cLambdaKi"] = 0.5
    assert calib.synchronise(wanted, "download").outcome is Outcome.DOWNLOADED
    calib["cLambdaKi"] = 0.5


def test_export_keeps_a_set_that_the_same_ecu_takes(ecu, tmp_path):
    calib = ecu.calib
    calib["cIdleSpeedTarget"] = 880
    some = calib.export(tmp_path / "some.cdfx", NAMES)
    assert some.names == NAMES
    with pytest.raises(UsageError, match="nothing was saved"):
        calib.dirty("file")
    with pytest.raises(UsageError, match=r"\.xyz"):
        calib.export(tmp_path / "all.xyz")
    calib.export(tmp_path / "all.json", name="evening")
    assert not calib.dirty("file")
    calib["cIdleSpeedTarget"] = 700
    assert calib.dirty("file").names == ("cIdleSpeedTarget",)
    read = load_set(tmp_path / "all.json").values
    assert (read.name, read["cIdleSpeedTarget"].values) == ("evening", 880)
    calib.apply(load_set(tmp_path / "some.cdfx").values)
    assert calib["cIdleSpeedTarget"] == 880
    assert np.array_equal(read["KFZW"].values, some["KFZW"].values)


def test_a_set_of_another_program_is_told_and_applied_all_the_same(ecu):
    calib = ecu.calib
    values = calib.snapshot(NAMES)
    assert values.origin.epk == calib.program == "XCALIPER-DEMO-1"
    assert calib.plan_set(values).diagnostics == ()
    other = changed(values, cIdleSpeedTarget=900).with_head(
        origin=replace(values.origin, epk="XCALIPER-DEMO-0\0")
    )
    applied = calib.apply(other)
    (note,) = applied.plan.diagnostics
    assert note.slug == "set-of-other-program"
    assert "'XCALIPER-DEMO-0'" in note.text
    assert "'XCALIPER-DEMO-1'" in note.text
    assert str(note) in str(applied)
    assert applied.plan.as_dict()["diagnostics"] == [str(note)]
    assert calib["cIdleSpeedTarget"] == 900
    calib.undo()
    assert "XCALIPER-DEMO-0" in calib.synchronise(other, "download").note
    unknown = other.with_head(origin=replace(values.origin, epk=""))
    assert calib.plan_set(unknown).diagnostics == ()


def test_the_shell_names_both_programs(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XCALIPER_CACHE", str(tmp_path))
    monkeypatch.setenv("XCALIPER_HISTORY", str(tmp_path))
    with xcaliper.connect(server.url, cache=False) as ecu:
        values = changed(ecu.calib.snapshot(NAMES), cIdleSpeedTarget=900)
    other = values.with_head(origin=replace(values.origin, epk="XCALIPER-DEMO-0"))
    xcaliper.save_set(other, tmp_path / "other.cdfx")
    words = [server.url, str(tmp_path / "other.cdfx")]
    for verb, more in (("apply", []), ("undo", None), ("connect", ["--choose", "download"])):
        given = [server.url] if more is None else [*words, *more]
        assert main(["cal", verb, *given]) == 0
        told = capsys.readouterr()
        if more is not None:
            assert "'XCALIPER-DEMO-0' (EPK), this is 'XCALIPER-DEMO-1'" in told.out + told.err
    with xcaliper.connect(server.url, cache=False) as ecu:
        assert ecu.read("cIdleSpeedTarget") == 900
