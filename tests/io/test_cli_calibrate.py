"""``xcaliper cal`` and ``page`` against a virtual ECU, as a shell user types them."""

from __future__ import annotations

import io
import json
from zlib import crc32

import pytest

import xcaliper
from xcaliper.cli.main import main
from xcaliper.core.address import Address
from xcaliper.image.files import read_image, write_image
from xcaliper.image.memory_image import MemoryImage
from xcaliper.sim.process import EcuProcess

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def url():
    with EcuProcess() as process:
        yield process.url


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("XCALIPER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XCALIPER_HISTORY", str(tmp_path / "history"))


def rows(text: str) -> list[dict]:
    return [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]


@pytest.fixture(autouse=True)
def as_at_the_start(url):
    """Every test leaves the ECU on its working pages, with the values of the reference pages."""
    yield
    with xcaliper.connect(url) as ecu:
        ecu.paging.set_all(0)
        for segment in (0, 1):
            ecu.paging.copy((segment, 1), (segment, 0))


@pytest.fixture
def run(capsys):
    """Run a command line; gives the JSON lines that it printed."""

    def ran(*words: str, code: int = 0) -> list[dict]:
        capsys.readouterr()
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


# --- history, sets and images ---


@pytest.fixture(scope="module")
def content(url):
    """Description of the ECU, and an image of what it holds at the start."""
    with xcaliper.connect(url, cache=False) as ecu:
        parts = [
            (Address(one.address), ecu.read_memory(one.address, one.size_bytes))
            for one in ecu.info.segments
        ]
        return ecu.description.data, write_image(MemoryImage(parts), "ihex")


@pytest.fixture
def image(content, tmp_path):
    """An image of what the ECU holds at the start, beside its description."""
    (tmp_path / "demo.a2l").write_bytes(content[0])
    (tmp_path / "demo.hex").write_bytes(content[1])
    return tmp_path / "demo.hex"


def idle(run, *target: str) -> float:
    (row,) = run("cal", "get", *target, "cIdleSpeedTarget")
    return row["value"]


def test_undo_and_redo_over_several_calls(url, run, capsys, tmp_path):
    run("cal", "set", url, "cIdleSpeedTarget", "900", "--reason", "cold start", "--author", "anna")
    run("cal", "set", url, "KFPedal", "--offset", "1", "--where", "x[1], y[1]")
    (done,) = run("cal", "undo", url)
    assert (done["kind"], done["of"], done["state"]) == ("undo", 2, "done")
    first, *_ = rows_of = run("cal", "history", url)
    assert [one["kind"] for one in rows_of] == ["write", "group", "undo"]
    assert (first["author"], first["reason"]) == ("anna", "cold start")
    assert first["changes"][0][:3] == ["cIdleSpeedTarget", 820, 900]
    assert [one["number"] for one in run("cal", "history", url, "KFP*")] == [2, 3]
    run("cal", "redo", url)
    run("cal", "undo", url, "-n", "2")
    assert idle(run, url) == 820
    file = tmp_path / "with.json"
    run("cal", "export", url, str(file))
    lines = xcaliper.load_set(file).values["cIdleSpeedTarget"].history
    assert (lines[0].user, lines[0].remark) == ("anna", ("cold start",))
    assert main(["cal", "history", url]) == 0
    text = capsys.readouterr().out
    assert "cIdleSpeedTarget: 820 → 900 rpm" in text
    assert "undo of 2" in text
    (error,) = run("cal", "undo", url, code=2)
    assert "nothing to take back" in error["message"]


def test_undo_refuses_what_somebody_else_changed(url, run):
    run("cal", "set", url, "cIdleSpeedTarget", "900")
    run("write", url, "cIdleSpeedTarget", "950")
    (error,) = run("cal", "undo", url, code=1)
    assert "undo of transaction 1" in error["message"]
    assert idle(run, url) == 950
    run("cal", "undo", url, "--force")
    assert idle(run, url) == 820


def test_histories_of_choice(url, run, tmp_path):
    file = tmp_path / "own.history"
    run("cal", "set", url, "cIdleSpeedTarget", "900", "--history", str(file))
    run("cal", "set", url, "cIdleSpeedTarget", "910", "--history", "none")
    assert [one["number"] for one in run("cal", "history", str(file))] == [1]
    assert run("cal", "history", url) == []
    run("cal", "set", url, "cIdleSpeedTarget", "820", "--history", "none")
    (error,) = run("cal", "history", str(file), "--settle", "look", code=2)
    assert "only an ECU" in error["message"]
    none = tmp_path / "letter.txt"
    none.write_text("Dear Anna,\n", "utf-8")
    (error,) = run("cal", "history", str(none), code=1)
    assert "no history" in error["message"]


@pytest.mark.parametrize("name", ["all.cdfx", "all.json", "all.dcm"])
def test_export_and_apply(url, run, tmp_path, name):
    file = str(tmp_path / name)
    (kept,) = run("cal", "export", url, file, "c*", "KF*")
    assert kept["entries"] > 60
    run("cal", "set", url, "cIdleSpeedTarget", "900")
    run("cal", "set", url, "KFZW", "--offset", "1", "--where", "x[0]")
    assert main(["cal", "diff", url, file, "c*", "KF*", "--relative", "1e-9"]) == 6
    (plan,) = run("cal", "apply", url, file, "--dry-run")
    assert plan["counts"]["applied"] == 2
    assert plan["bytes_sent"] == 0
    assert idle(run, url) == 900
    (plan,) = run("cal", "apply", url, file, "--reason", "back to Monday")
    assert 0 < plan["bytes_sent"] <= 26  # 12 cells of 2 bytes, and one value
    assert main(["cal", "diff", url, file, "c*", "KF*", "--relative", "1e-9"]) == 0
    (last,) = run("cal", "history", url)[-1:]
    assert (last["kind"], last["reason"]) == ("apply", "back to Monday")


def test_functions_of_a_description(url, run, tmp_path):
    file = str(tmp_path / "lambda.json")
    (kept,) = run("cal", "export", url, file, "--function", "LambdaControl")
    assert kept["entries"] == 6
    assert run("cal", "diff", url, file, "--function", "LambdaControl")[0]["equal"] == 6
    (error,) = run("cal", "export", url, file, "--function", "LamdaControl", "--overwrite", code=3)
    assert "LambdaControl" in error["hint"]


def test_apply_is_all_or_nothing_unless_told(url, run, tmp_path, capsys):
    file = tmp_path / "bad.dcm"
    file.write_text(
        "KONSERVIERUNG_FORMAT 2.0\n"
        "FESTWERT cIdleSpeedTarget\n WERT 850.0\nEND\n"
        "FESTWERT cIdleKp\n WERT 99.0\nEND\n"
        "FESTWERT cUnknown\n WERT 1.0\nEND\n",
        "utf-8",
    )
    assert main(["cal", "apply", url, str(file)]) == 6
    text = capsys.readouterr().out
    assert "cIdleKp: outside limits" in text
    assert "cUnknown: not in A2L" in text
    assert "nothing is written" in text
    assert idle(run, url) == 820
    assert main(["cal", "apply", url, str(file), "--partly"]) == 6
    capsys.readouterr()
    assert idle(run, url) == 850
    assert main(["cal", "apply", url, str(file), "cIdleKp", "--clamp"]) == 0
    assert "clamped" in capsys.readouterr().out
    run("cal", "undo", url, "-n", "2")
    assert idle(run, url) == 820
    (error,) = run("cal", "apply", url, str(file), "Nothing*", code=3)
    assert "Nothing*" in error["message"]


def test_an_image_is_changed_like_an_ecu(image, run, tmp_path, capsys):
    before = image.read_bytes()
    described = ("--a2l", str(tmp_path / "demo.a2l"))
    new = tmp_path / "new.hex"
    run("cal", "set", str(image), "cIdleSpeedTarget", "777", "--out", str(new), *described)
    assert image.read_bytes() == before
    assert idle(run, str(new), *described) == 777
    assert main(["cal", "diff", str(image), str(new), *described]) == 6
    assert "~ cIdleSpeedTarget: 820 → 777 rpm" in capsys.readouterr().out
    run("cal", "undo", str(new), "--in-place", *described)
    assert idle(run, str(new), *described) == 820
    file = tmp_path / "part.json"
    run("cal", "export", str(image), str(file), "KF*", *described)
    run("cal", "set", str(new), "KFZW", "0", "--where", "x[0]", "--in-place", *described)
    run("cal", "apply", str(new), str(file), "--in-place", *described)
    assert main(["cal", "diff", str(new), str(file), "KF*", *described]) == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["set", "IMAGE", "cIdleSpeedTarget", "777", "A2L"], 2, "where does the changed image go"),
        (["set", "IMAGE", "cIdleSpeedTarget", "777", "--out", "IMAGE", "A2L"], 2, "exists already"),
        (["set", "IMAGE", "cIdleSpeedTarget", "9", "--in-place", "A2L"], 2, "400 … 2000"),
        (["set", "IMAGE", "cIdleSpeedTarget", "777", "--in-place"], 2, "--a2l"),
        (["get", "gone.hex", "cIdleSpeedTarget", "A2L"], 3, "gone.hex"),
        (["set", "IMAGE", "cIdleSpeedTarget", "777", "--in-place", "--checksum", "1..2", "A2L"], 2, "--checksum"),
        (["get", "IMAGE", "cIdleSpeedTarget", "--offset", "far", "A2L"], 2, "--offset"),
        (["get", "IMAGE", "cIdleSpeedTarget", "--variant", "Gear", "A2L"], 2, "NAME=VALUE"),
        (["get", "IMAGE", "cIdleSpeedTarget", "--variant", "Gear=1", "A2L"], 3, "Gear"),
    ],
)  # fmt: skip
def test_images_that_stay_as_they_are(image, run, tmp_path, words, code, told):
    before = image.read_bytes()
    described = ["--a2l", str(tmp_path / "demo.a2l")]
    line = [
        part
        for word in words
        for part in (described if word == "A2L" else [str(image)] if word == "IMAGE" else [word])
    ]
    assert main(["cal", *line, "--json"]) == code
    assert image.read_bytes() == before


def test_checksums_of_an_image_are_set_right(image, run, tmp_path, capsys):
    described = ("--a2l", str(tmp_path / "demo.a2l"))
    region = "0x08020000..0x080203FB:XCP_CRC_32@0x080203FC"
    words = ("cal", "set", str(image), "cIdleSpeedTarget", "777", "--in-place", *described)
    run(*words, "--checksum", region)
    data = read_image(image.read_bytes(), source="demo.hex").image.read(Address(0x0802_0000), 1024)
    assert int.from_bytes(data[-4:], "little") == crc32(data[:-4])


def test_connect_by_a_scripted_choice(url, image, run, tmp_path, capsys):
    described = ("--a2l", str(tmp_path / "demo.a2l"))
    run("cal", "set", str(image), "cIdleSpeedTarget", "777", "--in-place", *described)
    (error,) = run("cal", "connect", url, str(image), code=2)
    assert "differ in 1 parameters, and nobody can be asked" in error["message"]
    (done,) = run("cal", "connect", url, str(image), "--choose", "offline")
    assert done["outcome"] == "offline"
    assert idle(run, url) == 820
    (done,) = run("cal", "connect", url, str(image), "--choose", "download")
    assert (done["outcome"], done["bytes_sent"]) == ("downloaded", 1)  # 820 and 777 share a byte
    assert idle(run, url) == 777
    assert run("cal", "history", url)[-1]["kind"] == "download"
    assert run("cal", "connect", url, str(image))[0]["outcome"] == "equal"
    run("cal", "undo", url)
    (error,) = run("cal", "connect", url, str(image), "--choose", "upload", code=2)
    assert "where does the changed image go" in error["message"]
    (done,) = run("cal", "connect", url, str(image), "--choose", "*=ecu", "--in-place")
    assert (done["outcome"], done["kept"]) == ("decided", ["cIdleSpeedTarget"])
    assert idle(run, str(image), *described) == 820


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "outcome", "ecu", "held"),
    [
        ("d\n", "downloaded", 777, 777),
        ("x\n\nu\n", "uploaded", 820, 820),
        ("o\n", "offline", 820, 777),
        ("p\nd\n", "decided", 777, 777),
        ("p\nE\n", "decided", 820, 820),
    ],
)
def test_connect_by_asking(
    url, image, run, tmp_path, monkeypatch, capsys, typed, outcome, ecu, held
):
    described = ("--a2l", str(tmp_path / "demo.a2l"))
    run("cal", "set", str(image), "cIdleSpeedTarget", "777", "--in-place", *described)
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    assert main(["cal", "connect", url, str(image), "--in-place"]) == 0
    told = capsys.readouterr()
    assert outcome in told.out
    assert "1 parameters: cIdleSpeedTarget" in told.err
    assert (idle(run, url), idle(run, str(image), *described)) == (ecu, held)
    run("cal", "set", url, "cIdleSpeedTarget", "820")


def test_connect_without_an_answer_writes_nothing(url, image, run, tmp_path, monkeypatch):
    described = ("--a2l", str(tmp_path / "demo.a2l"))
    run("cal", "set", str(image), "cIdleSpeedTarget", "777", "--in-place", *described)
    monkeypatch.setattr("sys.stdin", Terminal(""))
    assert main(["cal", "connect", url, str(image), "--in-place"]) == 2
    assert idle(run, url) == 820
    assert idle(run, str(image), *described) == 777
