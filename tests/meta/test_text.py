"""Links lead somewhere, and the text speaks of the project alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from meta.tree import ROOT, files, show

if TYPE_CHECKING:
    from pathlib import Path

LINK: Final = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING: Final = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
FENCE: Final = re.compile(r"^(```|~~~|:::).*?^\1", re.MULTILINE | re.DOTALL)
CODE_SPAN: Final = re.compile(r"`[^`\n]+`")

TEXT_SUFFIXES: Final = (
    ".py",
    ".md",
    ".rst",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
    ".json",
    ".cfg",
    ".a2l",
    ".hex",
    "",
)
#: Assembled from pieces, so that this file does not hit itself.
FORBIDDEN: Final = {
    "number of an issue": re.compile(
        r"(?<![\w&/#(])" + r"#\d{1,4}\b(?![-.])" + r"|\bissue" + r"s? #?\d+\b", re.IGNORECASE
    ),
    "path of a machine": re.compile(
        r"(?<![\w.~*-])/(?:" + "work|root|tmp|opt|home|Users" + r")/\w" + r"|\b[A-Z]:\\Use" + "rs"
    ),
    "address of an index": re.compile(
        r"https?://\S*(?:/sim"
        r"ple\b|pypi\.o"
        r"rg|pythonhost"
        r"ed)|--(?:extra-)?index-u"
        "rl",
        re.IGNORECASE,
    ),
}


def anchors(text: str) -> set[str]:
    """Anchors of the headings, as renderers of Markdown make them."""
    plain = FENCE.sub("", text)
    return {
        re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title.strip().lower()))
        for title in HEADING.findall(plain)
    }


def broken_links(page: Path, text: str) -> list[str]:
    """Relative links of a page that lead nowhere."""
    found = []
    for target in LINK.findall(CODE_SPAN.sub("", FENCE.sub("", text))):
        if re.match(r"[a-z][a-z+.-]*:", target):
            continue
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        if "_generated" in file.parts:
            continue
        if not file.exists() or (
            anchor and file.suffix == ".md" and anchor not in anchors(file.read_text("utf-8"))
        ):
            found.append(target)
    return found


@pytest.mark.parametrize("page", files(".md"), ids=show)
def test_relative_links_resolve(page: Path) -> None:
    assert not broken_links(page, page.read_text("utf-8"))


def test_broken_links_are_seen() -> None:
    page = ROOT / "README.md"
    text = (
        "[a](LICENSE) [b](nowhere.md) [c](CHANGELOG.md#no-such-heading) `[d](code.md)` ![e](x.png)"
    )
    assert broken_links(page, text) == ["nowhere.md", "CHANGELOG.md#no-such-heading", "x.png"]


def hits(text: str) -> list[str]:
    """What is forbidden in a text, with its line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        found += [
            f"line {number}: {what}: {line.strip()[:80]}"
            for what, rule in FORBIDDEN.items()
            if rule.search(line)
        ]
    return found


def test_text_speaks_of_the_project_alone() -> None:
    found = []
    for path in files(*TEXT_SUFFIXES):
        if path.name == "LICENSE":
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # data, not text
        found += [f"{show(path)}, {hit}" for hit in hits(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "see " + "#" + "12",
        "fixes is" + "sue 2",
        "in " + "/wo" + "rk/tree/x",
        "HOME=" + "/ro" + "ot/x",
        "https://py" + "pi.org/project/x",
        "pip install --index-" + "url x",
    ],
)
def test_forbidden_text_is_seen(line: str) -> None:
    assert hits(line)


@pytest.mark.parametrize(
    "line",
    ["# 1. Heading", "color: #1f77b4;", "docs/work/x", "page.md#2-more", "and/or", "src/home/x"],
)
def test_plain_text_is_let_through(line: str) -> None:
    assert not hits(line)
