"""The guide's example prints what the guide says, and the guide knows every reason of a refusal."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/guide/planning.md").read_text("utf-8")
PLANNING = ("event_choice", "planner", "plan_checks", "assemble", "packed_choice", "list_drafts")


def block(kind):
    return re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL).group(1)


def test_the_example_prints_what_the_page_shows():
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(block("python"), "planning.md", "exec"), {})
    assert out.getvalue() == block("text")


def test_every_option_of_the_table_exists():
    from xcaliper.daq import Wanted

    table = PAGE.split("## Choices")[1].split("##")[0]
    names = {
        n for row in re.findall(r"^\| (`.*?) \|", table, re.M) for n in re.findall(r"`(\w+)`", row)
    }
    assert names <= set(Wanted.__dataclass_fields__)


def problem_texts():
    """The literal parts of every text that planning hands to problem() or refuse()."""
    for name in PLANNING:
        tree = ast.parse((ROOT / f"src/xcaliper/daq/{name}.py").read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in (
                "problem",
                "refuse",
            ):
                for argument in node.args:
                    if isinstance(argument, ast.Constant | ast.JoinedStr):
                        parts = (
                            argument.values if isinstance(argument, ast.JoinedStr) else [argument]
                        )
                        yield " ".join(
                            part.value for part in parts if isinstance(part, ast.Constant)
                        )


def test_the_page_knows_every_reason():
    table = PAGE.split("## Why a plan is refused")[1]
    phrases = [p.split("…") for p in re.findall(r"\*([^*|]+)\*", table)]
    texts = list(problem_texts())
    assert len(texts) > 15
    for text in texts:
        if len(text.split()) < 4:
            continue  # passes on a sentence that is made elsewhere
        known = any(all(part.strip() in text for part in phrase) for phrase in phrases)
        assert known or text.startswith("cannot be"), text
