"""``a2l check`` at the shell: which findings, how many, how bad, and their forms for machines."""

import json
import re

import pytest

from xcaliper.a2l.rules import RULES
from xcaliper.cli.main import main

UNUSED = "".join(
    f'/begin COMPU_METHOD c{n} "" IDENTICAL "%3" "" /end COMPU_METHOD\n' for n in range(12)
)
TEXT = f"""ASAP2_VERSION 1 71
/begin PROJECT p "" /begin MODULE m ""
/begin MEASUREMENT a "" UBYTE Gone 0 0 9 1 ECU_ADDRESS 1 /end MEASUREMENT
{UNUSED}/end MODULE /end PROJECT
"""


@pytest.fixture
def run(tmp_path, capsys):
    file = tmp_path / "ecu.a2l"
    file.write_text(TEXT, "utf-8")

    def call(*options):
        code = main(["a2l", "check", str(file), *options])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def codes(text):
    return re.findall(r"^\S+ (?:error|warning|info) \[([a-z-]+)\]", text, re.MULTILINE)


def test_a_frequent_code_is_counted(run):
    code, out, err = run()
    assert code == 6
    assert codes(out).count("unused") == 10
    assert "… and 2 more [unused]; --limit 0 lists them." in out
    assert "2 errors, 0 warnings, 12 notes" in err
    assert codes(run("--limit", "0")[1]).count("unused") == 12
    assert codes(run("--limit", "1")[1]).count("unused") == 1
    assert len(run("--json")[1].splitlines()) == 14


def test_codes_are_chosen_and_weighed(run):
    assert set(codes(run("--select", "limits-*")[1])) == {"limits-reversed"}
    code, out, _ = run("--ignore", "limits-*", "--ignore", "unused:c?", "--ignore", "unused:c10")
    assert (code, codes(out)) == (6, ["reference-dangling", "unused"])
    code, out, _ = run("--level", "limits-reversed=info", "--level", "reference-*=warning")
    assert code == 0
    assert "info [limits-reversed]" in out
    assert run("--select", "unused", "--level", "unused=error")[0] == 6


def test_statistics(run):
    code, out, _ = run("--statistics")
    rows = [line.split() for line in out.splitlines()]
    assert code == 6
    assert rows == [
        ["12", "info", "unused"],
        ["1", "error", "limits-reversed"],
        ["1", "error", "reference-dangling"],
    ]
    assert json.loads(run("--statistics", "--json")[1].splitlines()[0]) == {
        "code": "unused",
        "severity": "info",
        "count": 12,
    }


@pytest.mark.parametrize(
    "options",
    [("--select", "unusd"), ("--ignore", "x:y"), ("--level", "unused=bad"), ("--level", "unused")],
)
def test_misspelled_options_are_errors(run, options):
    code, _, err = run(*options)
    assert code == 2
    assert "error usage" in err


SETTINGS = 'ignore = ["unused"]\nseverity = "info"\n[{}.levels]\n"limits-*" = "warning"\n'


@pytest.mark.parametrize(
    ("name", "table"),
    [("xcaliper.toml", "a2l-check"), ("pyproject.toml", "tool.xcaliper.a2l-check")],
)
def test_settings_of_a_folder(run, tmp_path, name, table):
    (tmp_path / name).write_text(f"[{table}]\n" + SETTINGS.format(table), "utf-8")
    code, out, _ = run()
    assert (code, codes(out)) == (6, ["reference-dangling", "limits-reversed"])
    assert "warning [limits-reversed]" in out
    assert "error [limits-reversed]" in run("--level", "limits-reversed=error")[1]


@pytest.mark.parametrize(
    "text", ["[a2l-check]\nignor = []", "[a2l-check]\nignore = 'unused'", "a2l-check = 1", "[a2l"]
)
def test_wrong_settings_are_errors(run, tmp_path, text):
    (tmp_path / "xcaliper.toml").write_text(text, "utf-8")
    code, _, err = run()
    assert code == 2
    assert "xcaliper.toml" in err


def test_places_are_no_pictures(run, tmp_path, capsys):
    """``:100:`` between name and column is a line, not an emoji."""
    file = tmp_path / "long.a2l"
    file.write_text(TEXT.replace("\n/begin MEAS", "\n" * 98 + "/begin MEAS"), "utf-8")
    main(["a2l", "check", str(file), "--select", "limits-reversed"])
    assert "long.a2l:100:8: error" in capsys.readouterr().out


def test_sarif_has_the_structure_of_the_standard(run, tmp_path):
    target = tmp_path / "found.sarif"
    assert run("--sarif", str(target))[0] == 6
    log = json.loads(target.read_text("utf-8"))
    assert log.keys() == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (once,) = log["runs"]
    assert once.keys() <= {"tool", "results", "columnKind"}
    assert once["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    driver = once["tool"]["driver"]
    assert driver["name"]
    assert re.fullmatch(r"\d+\.\d+.*", driver["version"])
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids))
    for rule in driver["rules"]:
        assert rule["id"] in RULES
        assert all(rule[k]["text"] for k in ("shortDescription", "fullDescription", "help"))
        assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
    assert len(once["results"]) == 14
    for result in once["results"]:
        assert result["ruleId"] == ids[result["ruleIndex"]]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert re.fullmatch(r"file:///[^\s\\]+", place["artifactLocation"]["uri"])
        assert place["region"]["startLine"] >= 1
        assert place["region"]["startColumn"] >= 1
