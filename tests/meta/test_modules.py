"""Each module says what it is, lists what it offers, and keeps no state."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

import pytest

from meta.tree import modules, show, syntax

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MUTABLE_CALLS: Final = frozenset(
    {
        "list",
        "dict",
        "set",
        "bytearray",
        "defaultdict",
        "deque",
        "OrderedDict",
        "Counter",
        "array",
        "count",
    }
    | {
        "WeakKeyDictionary",
        "WeakValueDictionary",
        "WeakSet",
        "Lock",
        "RLock",
        "Queue",
        "ContextVar",
        "local",
    }
)
MUTATING_METHODS: Final = frozenset(
    {
        "append",
        "extend",
        "insert",
        "add",
        "update",
        "setdefault",
        "pop",
        "popitem",
        "remove",
        "discard",
        "clear",
    }
)

every_module = pytest.mark.parametrize("path", modules(), ids=show)


def public_definitions(
    tree: ast.Module,
) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def listed_names(tree: ast.Module) -> list[str] | None:
    """Content of ``__all__``, None without one."""
    for name, _, value in assignments(tree):
        if name == "__all__" and isinstance(value, (ast.List, ast.Tuple)):
            return [ast.literal_eval(item) for item in value.elts]
    return None


def assignments(tree: ast.Module) -> Iterator[tuple[str, str, ast.expr | None]]:
    """Name, annotation and value of every assignment at module level, also inside if and try."""
    todo = list(tree.body)
    while todo:
        node = todo.pop()
        for block in ("body", "orelse", "finalbody"):
            if isinstance(node, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
                todo += getattr(node, block, [])
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, ast.unparse(node.annotation), node.value
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, "", node.value


def is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)):
        return True
    if isinstance(value, ast.Call):
        function = value.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return name in MUTABLE_CALLS
    return False


def state_in(tree: ast.Module) -> list[str]:
    """Every piece of module-level mutable state: unmarked containers, changed tables, ``global``."""
    found = []
    tables = set()
    for name, annotation, value in assignments(tree):
        if name.startswith("__") or not is_mutable(value):
            continue
        if "Final" in annotation or name.lstrip("_").isupper():
            tables.add(name)
        else:
            found.append(f"{name}: a container that is neither Final nor a table")
        if isinstance(value, ast.Call) and not (value.args or value.keywords):
            found.append(f"{name}: starts empty, so somebody will fill it")
        if isinstance(value, (ast.List, ast.Dict)) and not ast.unparse(value).strip("[]{} "):
            found.append(f"{name}: starts empty, so somebody will fill it")
    for function in ast.walk(tree):
        if isinstance(function, ast.Global):
            found.append(f"line {function.lineno}: global {', '.join(function.names)}")
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for node in ast.walk(function):
            if changed := changed_name(node):
                local = {arg.arg for arg in ast.walk(function) if isinstance(arg, ast.arg)}
                if changed in tables - local:
                    found.append(f"line {node.lineno}: {changed} is changed")  # type: ignore[attr-defined]
    return found


def changed_name(node: ast.AST) -> str:
    """Name of the container that a node changes, '' when it changes none."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
        return node.value.id if isinstance(node.value, ast.Name) else ""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = node.func.value
        if node.func.attr in MUTATING_METHODS and isinstance(owner, ast.Name):
            return owner.id
    return ""


@every_module
def test_module_has_docstring(path: Path) -> None:
    assert ast.get_docstring(syntax(path)), f"{show(path)}: say in one line what the module offers"


@every_module
def test_module_lists_its_public_names(path: Path) -> None:
    tree = syntax(path)
    defined = [node.name for node in public_definitions(tree)]
    listed = listed_names(tree)
    if path.name == "__main__.py" or (not defined and listed is None):
        return
    assert listed is not None, f"{show(path)}: add __all__"
    assert len(listed) == len(set(listed)), f"{show(path)}: __all__ names something twice"
    missing = sorted(set(defined) - set(listed))
    assert not missing, (
        f"{show(path)}: not in __all__: {', '.join(missing)}; list or underscore them"
    )


@every_module
def test_public_things_have_docstrings(path: Path) -> None:
    bare = []
    for node in public_definitions(syntax(path)):
        bare += [] if ast.get_docstring(node) or is_overload(node) else [node.name]
        if isinstance(node, ast.ClassDef):
            bare += [f"{node.name}.{name}" for name in bare_methods(node)]
    assert not bare, f"{show(path)}: no docstring: {', '.join(bare)}"


def is_overload(node: ast.stmt) -> bool:
    """True for one of several signatures; what they stand for has the docstring."""
    marks = getattr(node, "decorator_list", ())
    return any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in marks)


def bare_methods(node: ast.ClassDef) -> list[str]:
    names = []
    for member in node.body:
        if not isinstance(
            member, (ast.FunctionDef, ast.AsyncFunctionDef)
        ) or member.name.startswith("_"):
            continue
        marks = {ast.unparse(mark).split(".")[-1] for mark in member.decorator_list}
        if not ast.get_docstring(member) and not marks & {"override", "overload", "setter"}:
            names.append(member.name)
    return names


@every_module
def test_module_keeps_no_state(path: Path) -> None:
    assert not state_in(syntax(path)), show(path)


@pytest.mark.parametrize(
    "text",
    [
        "cache = {}",
        "seen: list[int] = []",
        "CACHE = {}",
        "from collections import deque\nqueue = deque([1])",
        "TABLE: Final = {1: 2}\ndef f():\n    TABLE[3] = 4",
        "TABLE: Final = [1]\ndef f():\n    TABLE.append(3)",
        "n = 0\ndef f():\n    global n\n    n += 1",
        "if True:\n    known = set()",
    ],
)
def test_state_is_recognised(text: str) -> None:
    assert state_in(ast.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "TABLE: Final = {1: 2}",
        "NAMES = ('a', 'b')",
        "__all__ = ['f']",
        "TABLE: Final = [1]\ndef f(TABLE):\n    TABLE.append(3)",
        "def f():\n    cache = {}\n    cache[1] = 2",
    ],
)
def test_tables_are_no_state(text: str) -> None:
    assert not state_in(ast.parse(text))
