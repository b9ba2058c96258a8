"""``xcaliper cal`` and ``page`` against a virtual ECU, as a shell user types them."""

from __future__ import annotations

import json

import pytest

from xcaliper.cli.main import main
from xcaliper.sim.process import EcuProcess

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def url():
    with EcuProcess() as process:
        yield process.url


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XCALIPER_CACHE", str(tmp_path / "cache"))


def rows(text: str) -> list[dict]:
    return [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]


@pytest.fixture
def run(capsys):
    """Run a command line; gives the JSON lines that it printed."""

    def ran(*words: str, code: int = 0) -> list[dict]:
        assert main([*words, "--json"]) == code
        told = capsys.readouterr()
        return rows(told.out if code == 0 else told.err)

    return ran


def cells(run, url: str, name: str) -> list[list[float]]:
    (row,) = run("cal", "get", url, name)
    return row["value"]["values"]


def test_list(url, run, capsys):
    found = {row["name"]: row for row in run("cal", "list", url)}
    assert "EngineSpeed" not in found
    assert found["KFZW"]["kind"] == "MAP"
    assert found["KFZW"]["shape"] == [12, 16]
    assert (found["KFZW"]["lower"], found["KFZW"]["upper"]) == (-15, 60)
    assert main(["cal", "list", url, "cIdleSpeed*"]) == 0
    text = capsys.readouterr().out
    assert "400 … 2000" in text
    assert [line.split()[0] for line in text.splitlines()] == ["name", "cIdleSpeedTarget"]


def test_get(url, run, capsys):
    assert main(["cal", "get", url, "cIdleSpeedTarget", "KFPedal", "--surface"]) == 0
    text = capsys.readouterr().out
    assert "cIdleSpeedTarget" in text
    assert "KFPedal [%]\n" in text
    assert "KFPedal [%], 0 …" in text  # the drawing
    assert [row["name"] for row in run("cal", "get", url, "KF*")] == [
        "KFZW", "KFLambda", "KFVolumetricEfficiency", "KFPedal", "KFInjectionPhase", "KFCamIntake",
    ]  # fmt: skip
    assert run("cal", "get", url, "cIdleSpeedTarget", "--raw")[0]["value"] == 3280


def test_set_changes_what_is_selected_and_nothing_else(url, run, capsys):
    before = cells(run, url, "KFZW")  # speeds 500, 900 … 6500 in steps of 400; loads 10, 18 … 98
    done = run("cal", "set", url, "KFZW", "--offset", "-2", "--where", "x 900..1700, y >= 90")
    assert (done[0]["changed"], done[0]["unit"]) == (6, "°CA")
    after = cells(run, url, "KFZW")
    for y in range(12):
        for x in range(16):
            step = -2 if y >= 10 and 1 <= x <= 3 else 0
            assert after[y][x] == pytest.approx(before[y][x] + step)
    assert main(["cal", "set", url, "KFZW", "--offset", "2", "--where", "x 900..1700", "--where", "y[10..11]"]) == 0  # fmt: skip
    text = capsys.readouterr().out
    assert "KFZW: 6 of 192 values changed" in text
    assert text.count("*") == 6
    assert cells(run, url, "KFZW") == before


def test_set_knows_every_operation(url, run):
    before = cells(run, url, "KFPedal")
    for words in (
        ("--scale", "0.5"), ("--clip", "-5..40"), ("--interpolate", "xy"), ("--smooth", "3"),
        ("--fill", "left", "--where", "x[2]"), ("12.5", "--where", "value > 20"),
    ):  # fmt: skip
        (done,) = run("cal", "set", url, "KFPedal", *words)
        assert done["changed"], words
        assert cells(run, url, "KFPedal") == done["after"]
        flat = [str(value) for row in before for value in row]
        run("cal", "set", url, "KFPedal", *flat)
    assert cells(run, url, "KFPedal") == before


def test_set_of_single_values_and_texts(url, run, capsys):
    assert main(["cal", "set", url, "cIdleSpeedTarget", "--offset", "-20.1"]) == 0
    text = capsys.readouterr().out
    assert "cIdleSpeedTarget: 820 → 800 rpm" in text
    assert "rounded" in text
    assert run("cal", "set", url, "cIdleSpeedTarget", "820")[0]["before"] == 800
    assert run("cal", "set", url, "KFZW[0,0]", "-2")[0]["before"] == pytest.approx(11.6)
    assert run("cal", "set", url, "KFZW", "11.6", "--where", "x[0], y[0]")[0]["after"] == (
        pytest.approx(11.6)
    )
    assert run("cal", "set", url, "cVehicleName", "Proto", "7")[0]["after"] == "Proto 7"
    run("cal", "set", url, "cVehicleName", "Demo", "saloon")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["cal", "set", "URL", "KFZW", "--offset", "100"], 2, "-15 … 60"),
        (["cal", "set", "URL", "KFZW", "99", "--where", "x[0], y[0]"], 2, "-15 … 60"),
        (["cal", "set", "URL", "KFZW", "--where", "x 1..2", "5"], 2, "KFZW: no cell meets"),
        (["cal", "set", "URL", "cVehicleName", "--offset", "1"], 2, "cVehicleName: it is a text"),
        (["cal", "set", "URL", "KFZX", "--offset", "1"], 3, "KFZW"),
        (["cal", "get", "URL", "KFZX"], 3, "KFZW"),
        (["cal", "get", "URL", "Engine*"], 3, "parameter"),
        (["cal", "get", "udp://127.0.0.1:9", "KFZW"], 4, "127.0.0.1:9"),
    ],
)
def test_what_cannot_be_changed_stays(url, run, words, code, told):
    before = cells(run, url, "KFZW")
    (error,) = run(*[url if word == "URL" else word for word in words], code=code)
    assert told in f"{error['message']} {error['hint']}"
    assert cells(run, url, "KFZW") == before


def pages(found: list[dict]) -> dict[int, tuple[int, int]]:
    return {one["segment"]: (one["ecu_page"], one["xcp_page"]) for one in found}


def test_pages_in_either_order(url, run, capsys):
    assert pages(run("page", "show", url)) == pages(run("page", url)) == {0: (0, 0), 1: (0, 0)}
    assert pages(run("page", "switch", url, "1", "1", "--side", "xcp"))[1] == (0, 1)
    assert pages(run("page", url, "set", "1", "1"))[1] == (1, 1)
    assert pages(run("page", url, "switch", "all", "0")) == {0: (0, 0), 1: (0, 0)}
    run("cal", "set", url, "cIdleSpeedTarget", "900")
    assert pages(run("page", "copy", url, "1", "1", "1", "0"))[1] == (0, 0)
    assert run("cal", "get", url, "cIdleSpeedTarget")[0]["value"] == 820
    assert main(["page", "show", url]) == 0
    assert "used by" in capsys.readouterr().out


def test_freeze_marks_segments(url, run):
    frozen = {one["segment"]: one["frozen"] for one in run("page", "freeze", url, "1")}
    assert frozen == {0: False, 1: True}
    frozen = {one["segment"]: one["frozen"] for one in run("page", url, "unfreeze", "all")}
    assert frozen == {0: False, 1: False}
