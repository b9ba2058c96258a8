"""What the meta tests look at: files of the project, modules of the package."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "src" / "xcaliper"
SKIPPED_FOLDERS: Final = frozenset(
    {"_build", "_generated", "__pycache__", "build", "dist", "htmlcov", "node_modules"}
)


def files(*suffixes: str) -> list[Path]:
    """Every file of the project with one of the suffixes, made and hidden folders left out ('.ci' stays)."""
    found = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts[:-1])
        if path.name.startswith(".git") and path.parent == ROOT:
            continue  # of the repository, not of the project
        if hidden or SKIPPED_FOLDERS.intersection(parts) or not path.is_file():
            continue
        if not suffixes or path.suffix in suffixes:
            found.append(path)
    return found


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def show(path: Path) -> str:
    """Path as in messages and test ids."""
    return path.relative_to(ROOT).as_posix()


@cache
def syntax(path: Path) -> ast.Module:
    """Syntax tree of a module."""
    return ast.parse(path.read_text("utf-8"), filename=str(path))
