"""The example that the documentation gives for each code: the bad text has the finding, the good one has not."""

import tomllib
from pathlib import Path

import pytest

from xcaliper.a2l import parse
from xcaliper.a2l.check import check
from xcaliper.a2l.rules import RULES
from xcaliper.quantity.lint import lint

TABLE = Path(__file__).parents[3] / "docs" / "_ext" / "a2l_rules.toml"
EXAMPLES = tomllib.loads(TABLE.read_text("utf-8"))
LAYOUTS = """/begin RECORD_LAYOUT L FNC_VALUES 1 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
/begin RECORD_LAYOUT LX AXIS_PTS_X 1 UBYTE INDEX_INCR DIRECT FIX_NO_AXIS_PTS_X 3
  FNC_VALUES 2 UBYTE ROW_DIR DIRECT /end RECORD_LAYOUT
"""


def found(example, text):
    version = example.get("version", "1 71")
    if not example.get("whole"):
        head = f'ASAP2_VERSION {version}\n/begin PROJECT p "" /begin MODULE m ""\n{LAYOUTS}'
        text = f"{head}{text}/end MODULE /end PROJECT\n"
    tree = parse(text)
    told = [*tree.diagnostics, *check(tree), *lint(tree)]
    return [f for f in told if f.subject not in ("L", "LX")], text


def test_every_code_has_an_example_or_a_reason():
    assert EXAMPLES.keys() == RULES.keys()
    assert all(example.keys() & {"none", "bad"} for example in EXAMPLES.values())


@pytest.mark.parametrize("slug", [slug for slug, e in EXAMPLES.items() if "bad" in e])
def test_example(slug):
    example = EXAMPLES[slug]
    bad, text = found(example, example["bad"])
    mine = [f for f in bad if f.slug == slug]
    assert mine, [str(f) for f in bad]
    for one in mine:
        assert 0 < one.where.line <= text.count("\n") + 1
        assert one.where.column > 0
    good, _ = found(example, example["good"])
    assert [str(f) for f in good if f.slug == slug] == []
    assert [str(f) for f in good if f.slug not in {*SIDE, slug}] == []


#: Findings that a text of a few lines has beside the point.
SIDE = {"unused", "aml-missing", "epk-missing"}
