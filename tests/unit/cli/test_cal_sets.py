"""Parameter sets in files: looked at, converted, compared and merged from the shell."""

from __future__ import annotations

import csv
import json

import pytest

from xcaliper.cli.main import main

BASE = """\
* encoding="utf-8"
KONSERVIERUNG_FORMAT 2.0

FESTWERT IdleSpeed
  LANGNAME "Idle set point"
  EINHEIT_W "1/min"
  WERT 780.0
END

FESTWERT Gain
  WERT 1.5
END

STUETZSTELLENVERTEILUNG AxN 3
*SST
  EINHEIT_X "1/min"
  ST/X 800.0 2000.0 4500.0
END

GRUPPENKENNFELD IgnMap 3 2
  LANGNAME "Ignition"
  EINHEIT_X "1/min"
  EINHEIT_Y "%"
  EINHEIT_W "deg"
*SSTX AxN
  ST/X 800.0 2000.0 4500.0
  ST/Y 10.0
  WERT 8.0 14.5 20.0
  ST/Y 80.0
  WERT 2.0 6.0 9.25
END

TEXTSTRING CalLabel
  TEXT "REV C"
END
"""


@pytest.fixture
def sets(tmp_path):
    """Files of a set, and of what two people made of it."""
    made = {
        "base": BASE,
        "anna": BASE.replace("780.0", "800.0").replace("WERT 1.5", "WERT 2.5"),
        "bert": BASE.replace("9.25", "9.5").replace("WERT 1.5", "WERT 3.5"),
        "calm": BASE.replace("9.25", "9.5"),
    }
    for name, text in made.items():
        (tmp_path / f"{name}.dcm").write_text(text, "utf-8")
    return lambda name: str(tmp_path / (name if "." in name else f"{name}.dcm"))


@pytest.fixture
def run(capsys):
    def ran(*words: str, code: int = 0):
        assert main(list(words)) == code
        return capsys.readouterr()

    return ran


def test_a_file_is_listed_and_shown(sets, run):
    lines = run("cal", "list", sets("base")).out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        "IdleSpeed", "Gain", "AxN", "IgnMap", "CalLabel",
    ]  # fmt: skip
    assert "Idle set point" in lines[1]
    assert "2 × 3" in lines[4]
    text = run("cal", "get", sets("base"), "Idle*", "IgnMap", "CalLabel").out
    assert "IdleSpeed    780  1/min" in text
    assert "CalLabel   REV C" in text
    assert text.endswith(
        "IgnMap [deg]\n% \\ 1/min  800  2000  4500\n       10    8  14.5    20\n       80    2     6  9.25\n"
    )
    (row,) = map(json.loads, run("cal", "get", sets("base"), "IgnMap", "--json").out.splitlines())
    assert row["value"]["values"] == [[8, 14.5, 20], [2, 6, 9.25]]
    assert row["unit"] == "deg"


def test_names_that_a_file_does_not_have(sets, run):
    assert "Gain" in run("cal", "get", sets("base"), "Gian", code=3).err
    assert "Z*" in run("cal", "get", sets("base"), "Z*", code=3).err
    assert "ECU" in run("cal", "get", sets("base"), "Gain", "--raw", code=2).err
    assert "gone.dcm" in run("cal", "get", sets("gone"), "Gain", code=3).err
    assert "neither the URL" in run("cal", "set", sets("base"), "Gain", "3", code=2).err


def test_import_keeps_a_set_in_another_format(sets, run, tmp_path):
    out = tmp_path / "out.csv"
    told = run("cal", "import", sets("base"), str(out))
    assert told.out == f"{out}: 5 parameters\n"
    rows = list(csv.DictReader(out.read_text("utf-8-sig").splitlines()))
    assert [row["value"] for row in rows if row["name"] == "IgnMap" and not row["axis"]] == [
        "8.0", "14.5", "20.0", "2.0", "6.0", "9.25",
    ]  # fmt: skip
    assert "exists already" in run("cal", "import", sets("base"), str(out), code=2).err
    told = run("cal", "import", sets("base"), str(out), "I*", "--overwrite", "--json")
    facts = json.loads(told.out)
    assert (facts["entries"], facts["format"], facts["lost"]) == (2, "csv", 0)
    assert "Gain" not in out.read_text("utf-8")


def test_import_tells_what_was_lost_and_keeps_the_rest(sets, run, tmp_path):
    half = tmp_path / "half.dcm"
    half.write_text(BASE.replace("14.5 20.0", "14.5"), "utf-8")
    out = tmp_path / "out.csv"
    told = run("cal", "import", str(half), str(out), code=6)
    assert "IgnMap" in told.err
    assert "half.dcm:" in told.err
    assert told.out == f"{out}: 4 parameters\n"


def test_import_of_what_is_no_set(run, tmp_path):
    none = tmp_path / "letter.txt"
    none.write_text("Dear Anna,\n", "utf-8")
    assert "letter.txt" in run("cal", "import", str(none), str(tmp_path / "out.csv"), code=1).err
    told = run("cal", "import", str(none), str(tmp_path / "o.csv"), "--from", "morse", code=3)
    assert "dcm" in told.err
    assert not (tmp_path / "out.csv").exists()


def test_files_that_tell_no_format(sets, run, tmp_path):
    told = run("cal", "import", sets("base"), str(tmp_path / "out.docx"), code=2)
    assert "tells no format" in told.err
    assert ".dcm" in told.err
    run("cal", "import", sets("base"), str(tmp_path / "out.docx"), "--to", "csv")
    assert (tmp_path / "out.docx").read_text("utf-8-sig").startswith("name,")


def test_export_of_a_file_takes_what_is_named(sets, run, tmp_path):
    out = tmp_path / "part.csv"
    assert (
        run("cal", "export", sets("base"), str(out), "Gain", "Ax*").out == f"{out}: 2 parameters\n"
    )
    told = run("cal", "export", sets("base"), str(out), "Nothing*", code=3)
    assert "Nothing*" in told.err


def test_diff(sets, run):
    told = run("cal", "diff", sets("base"), sets("anna"), code=6)
    assert "~ IdleSpeed: 780 → 800 1/min\n" in told.out
    assert told.out.endswith("2 differ, 3 equal, 0 only left, 0 only right\n")
    run("cal", "diff", sets("base"), sets("base"))
    run("cal", "diff", sets("base"), sets("anna"), "--absolute", "20")
    run("cal", "diff", sets("base"), sets("anna"), "IgnMap")
    facts = json.loads(run("cal", "diff", sets("base"), sets("anna"), "--json", code=6).out)
    assert [one["name"] for one in facts["changed"]] == ["IdleSpeed", "Gain"]
    assert "Zzz" in run("cal", "diff", sets("base"), sets("anna"), "Zzz", code=3).err


def test_merge_of_what_does_not_touch(sets, run, tmp_path):
    out = tmp_path / "both.dcm"
    told = run("cal", "merge", sets("base"), sets("anna"), sets("calm"), "--out", str(out))
    assert told.out.startswith("2 from mine, 1 from theirs, 0 from both, 0 conflicts\n")
    assert told.out.endswith(f"{out}: 5 parameters\n")
    (row, _) = map(
        json.loads, run("cal", "get", str(out), "IdleSpeed", "IgnMap", "--json").out.splitlines()
    )
    assert row["value"] == 800
    assert "9.5" in run("cal", "get", str(out), "IgnMap").out


def test_merge_writes_nothing_while_a_conflict_is_open(sets, run, tmp_path):
    out = tmp_path / "both.dcm"
    sides = (sets("base"), sets("anna"), sets("bert"))
    told = run("cal", "merge", *sides, "--out", str(out), code=6)
    assert "Gain: both changed data" in told.out
    assert not out.exists()
    for words, value in (
        (("--take", "theirs"), 3.5), (("--take", "Gain=mine"), 2.5), (("--take", "Gain=mine", "--take", "base"), 2.5),
    ):  # fmt: skip
        facts = json.loads(
            run("cal", "merge", *sides, "--out", str(out), *words, "--overwrite", "--json").out
        )
        assert facts["conflicts"] == []
        assert facts["written"]["entries"] == 5
        (row,) = map(json.loads, run("cal", "get", str(out), "Gain", "--json").out.splitlines())
        assert row["value"] == value


@pytest.mark.parametrize(
    ("take", "code", "words"),
    [
        (("--take", "mine", "--take", "theirs"), 2, "one of them"),
        (("--take", "hers"), 2, "hers"),
        (("--take", "Zzz=mine"), 3, "Zzz"),
        (("--take", "Gain=hers"), 2, "hers"),
    ],
)
def test_merge_choices_that_mean_nothing(sets, run, take, code, words):
    told = run("cal", "merge", sets("base"), sets("anna"), sets("bert"), *take, code=code)
    assert words in told.err


def test_functions_of_a_set(sets, run, tmp_path):
    file = tmp_path / "functions.dcm"
    file.write_text(
        BASE.replace('LANGNAME "Idle set point"', 'LANGNAME "Idle set point"\n  FUNKTION Idle'),
        "utf-8",
    )
    out = tmp_path / "idle.csv"
    assert run("cal", "export", str(file), str(out), "--function", "Idle").out == (
        f"{out}: 1 parameter\n"
    )
    told = run("cal", "diff", str(file), sets("anna"), "--function", "Idle", code=6)
    assert told.out.startswith("~ IdleSpeed: 780 → 800 1/min\n1 differ, 0 equal")
    assert "--a2l" in run("cal", "diff", str(file), str(file), "--group", "G", code=2).err
    other = tmp_path / "other.csv"
    assert run("cal", "export", str(file), str(other), "--function", "Warm", code=3).err
    assert not other.exists()
