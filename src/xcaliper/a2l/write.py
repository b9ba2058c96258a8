"""Tree to text."""

import re
from typing import Any, Final

from xcaliper.a2l.grammar import Entry, Keyword, Param, table_of
from xcaliper.a2l.ifdata import A2ml, IfBlock, IfData, IfItem, Quoted
from xcaliper.a2l.parse import A2lFile

__all__ = ["item_lines", "plain", "quote", "write"]

_WORD: Final = re.compile(r'[^\s"/\ufeff]+(?:/(?![*/])[^\s"/]*)*')
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_INDENT: Final = "  "


def quote(text: str) -> str:
    """A string in quotes, with escapes."""
    return f'"{text.translate(_ESCAPES)}"'


def write(tree: A2lFile | Keyword) -> str:
    """ASAP2 text of a whole description or of one object.

    Args:
        tree: the description or object; ``parse`` reads the text back to an equal tree.
    """
    lines: list[str] = []
    if isinstance(tree, A2lFile):
        if tree.asap2_version:
            _keyword(tree.asap2_version, 0, lines)
        if tree.a2ml_version:
            _keyword(tree.a2ml_version, 0, lines)
        if tree.project:
            _keyword(tree.project, 0, lines)
        if tree.fragment:
            _optional(tree.fragment, 0, lines)
    else:
        _keyword(tree, 0, lines)
    return "\n".join(lines) + "\n"


def _word(text: str) -> str:
    return text if _WORD.fullmatch(text) else quote(text)


def plain(value: Any, param: Param) -> str:
    """The spelling of one plain value."""
    if param.kind == "text":
        return quote(value)
    if param.kind == "ident":
        return _word(value)
    if isinstance(value, float):
        return repr(value)
    if param.hexadecimal and value >= 0:
        return f"0x{value:X}"
    return str(value)


def _keyword(made: Any, level: int, lines: list[str]) -> None:
    if isinstance(made, IfData):
        _if_data(made, level, lines)
        return
    if isinstance(made, A2ml):
        lines.append(f"{_INDENT * level}/begin A2ML{made.text}/end A2ML")
        return
    table = table_of(made.__class__)
    head = [table.name] + [plain(getattr(made, p.attr), p) for p in table.params]
    indent = _INDENT * level
    if table.block:
        head.insert(0, "/begin")
    rows = _rows(made, table.rest) if table.rest else []
    if not table.block:
        lines.append(indent + " ".join(head + rows))
        return
    lines.append(indent + " ".join(head))
    lines.extend(f"{indent}{_INDENT}{row}" for row in rows)
    _optional(made, level + 1, lines)
    lines.append(f"{indent}/end {table.name}")


def _rows(made: Any, rest: tuple[str, tuple[Param, ...]]) -> list[str]:
    attr, params = rest
    if len(params) == 1:
        return [plain(value, params[0]) for value in getattr(made, attr)]
    return [
        " ".join(plain(v, p) for v, p in zip(row, params, strict=True))
        for row in getattr(made, attr)
    ]


def _optional(made: Any, level: int, lines: list[str]) -> None:
    """Every optional keyword that is set, in the order of the class."""
    for entry in table_of(made.__class__).optional.values():
        value = getattr(made, entry.attr)
        if value is None or value is False:
            continue
        for one in value if entry.repeated else (value,):
            _entry(entry, one, level, lines)


def _entry(entry: Entry, value: Any, level: int, lines: list[str]) -> None:
    indent = _INDENT * level
    if entry.mode == "object":
        _keyword(value, level, lines)
    elif entry.mode == "flag":
        lines.append(indent + entry.name)
    else:
        assert entry.param is not None, "values have an element"
        values = value if entry.mode == "values" else (value,)
        lines.append(" ".join([indent + entry.name, *(plain(v, entry.param) for v in values)]))


def item_lines(items: list[IfItem]) -> list[str]:
    """Items of an IF_DATA as lines without a common indent."""
    lines: list[str] = []
    _items(items, 0, lines)
    return lines


def _if_data(made: IfData, level: int, lines: list[str]) -> None:
    lines.append(f"{_INDENT * level}/begin IF_DATA {_word(made.name)}")
    _items(made.items, level + 1, lines)
    lines.append(f"{_INDENT * level}/end IF_DATA")


def _items(items: list[IfItem], level: int, lines: list[str]) -> None:
    """Words on lines of moderate length, blocks on their own."""
    indent = _INDENT * level
    words: list[str] = []
    for item in items:
        if isinstance(item, IfBlock):
            if words:
                lines.append(indent + " ".join(words))
                words = []
            lines.append(f"{indent}/begin {_word(item.tag)}")
            _items(item.items, level + 1, lines)
            lines.append(f"{indent}/end {_word(item.tag)}")
        else:
            words.append(quote(item) if isinstance(item, Quoted) else _word(item))
            if sum(map(len, words)) > 80:
                lines.append(indent + " ".join(words))
                words = []
    if words:
        lines.append(indent + " ".join(words))
