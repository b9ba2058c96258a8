"""Tree to text."""

import re
from typing import Any, Final

from xcaliper.a2l.grammar import Entry, Keyword, Param, table_of
from xcaliper.a2l.ifdata import A2ml, IfBlock, IfData, IfItem, Quoted
from xcaliper.a2l.parse import A2lFile
from xcaliper.core.progress import Progress, counted

__all__ = ["Remarks", "Slot", "item_lines", "item_word", "plain", "quote", "write"]

_WORD: Final = re.compile(r'[^\s"/\ufeff]+(?:/(?![*/])[^\s"/]*)*')
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_INDENT: Final = "  "

Slot = tuple[int, str, int]
"""A place that may have comments; see ``Remarks``."""


def quote(text: str) -> str:
    """A string in quotes, with escapes."""
    return f'"{text.translate(_ESCAPES)}"'


class Remarks:
    """Comments that stand beside what is written, by the place they belong to.

    A place is the identity of an object or list of items, a slot in it and a number: ``""`` is the head of an object,
    ``"end"`` its end, ``"row"`` an element of its list, ``"item"`` an item of an IF_DATA, else an optional keyword.
    """

    def __init__(self) -> None:
        self.before: dict[Slot, list[str]] = {}
        self.behind: dict[Slot, list[str]] = {}

    def lines(self, slot: Slot, indent: str, text: str) -> list[str]:
        """A line with the comments before and behind it."""
        inner = indent + _INDENT if slot[1] == "end" else indent
        above = [f"{inner}{one}" for one in self.before.pop(slot, ())]
        behind = self.behind.pop(slot, [])
        return [*above, " ".join([f"{indent}{text}", *_one_line(behind)])]

    def has(self, slot: Slot) -> bool:
        """True when there are comments at a place."""
        return slot in self.before or slot in self.behind


def _one_line(comments: list[str]) -> list[str]:
    """Comments that may follow each other; only the last one may reach to the end of the line."""
    return [
        one
        if one.startswith("/*") or at == len(comments) - 1
        else f"/*{one[2:].replace('*/', '* /')} */"
        for at, one in enumerate(comments)
    ]


def write(
    tree: A2lFile | Keyword, remarks: Remarks | None = None, progress: Progress | None = None
) -> str:
    """ASAP2 text of a whole description or of one object.

    Args:
        tree: the description or object; ``parse`` reads the text back to an equal tree.
        remarks: comments to write with it; those that found their place are taken out.
        progress: told how many objects of each keyword are written, where there are many.
    """
    writer = _Writer(remarks or Remarks(), progress)
    if isinstance(tree, A2lFile):
        for one in (tree.asap2_version, tree.a2ml_version, tree.project):
            if one:
                writer.keyword(one, 0)
        if tree.fragment:
            writer.optional(tree.fragment, 0)
        writer.lines += writer.remarks.before.pop((0, "end", 0), [])
    else:
        writer.keyword(tree, 0)
    return "\n".join(writer.lines) + "\n"


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


def item_word(item: str) -> str:
    """Spelling of a word or string of an IF_DATA."""
    return quote(item) if isinstance(item, Quoted) else _word(item)


def item_lines(items: list[IfItem]) -> list[str]:
    """Items of an IF_DATA on lines, two blanks per level."""
    writer = _Writer(Remarks())
    writer.items(items, 0)
    return writer.lines


class _Writer:
    """Collects lines."""

    def __init__(self, remarks: Remarks, progress: Progress | None = None) -> None:
        self.remarks = remarks
        self.progress = progress
        self.lines: list[str] = []

    def line(self, slot: Slot, level: int, text: str) -> None:
        self.lines += self.remarks.lines(slot, _INDENT * level, text)

    def keyword(self, made: Any, level: int) -> None:
        if isinstance(made, IfData):
            self.line((id(made), "", 0), level, f"/begin IF_DATA {_word(made.name)}")
            self.items(made.items, level + 1)
            self.line((id(made), "end", 0), level, "/end IF_DATA")
            return
        if isinstance(made, A2ml):
            self.line((id(made), "", 0), level, f"/begin A2ML{made.text}/end A2ML")
            return
        table = table_of(made.__class__)
        head = [table.name] + [plain(getattr(made, p.attr), p) for p in table.params]
        if table.block:
            head.insert(0, "/begin")
        rows = _rows(made, table.rest) if table.rest else []
        if not table.block:
            self.line((id(made), "", 0), level, " ".join(head + rows))
            return
        self.line((id(made), "", 0), level, " ".join(head))
        for number, row in enumerate(rows):
            self.line((id(made), "row", number), level + 1, row)
        self.optional(made, level + 1)
        self.line((id(made), "end", 0), level, f"/end {table.name}")

    def optional(self, made: Any, level: int) -> None:
        """Every optional keyword that is set, in the order of the class."""
        for entry in table_of(made.__class__).optional.values():
            value = getattr(made, entry.attr)
            if value is None or value is False:
                continue
            held = value if entry.repeated else (value,)
            if self.progress is not None:
                held = counted(held, f"{entry.name} written", len(held), self.progress)
            for number, one in enumerate(held):
                self.entry((id(made), entry.attr, number), entry, one, level)

    def entry(self, slot: Slot, entry: Entry, value: Any, level: int) -> None:
        if entry.mode == "object":
            self.keyword(value, level)
        elif entry.mode == "flag":
            self.line(slot, level, entry.name)
        else:
            assert entry.param is not None, "values have an element"
            values = value if entry.mode == "values" else (value,)
            words = [entry.name, *(plain(v, entry.param) for v in values)]
            self.line(slot, level, " ".join(words))

    def items(self, items: list[IfItem], level: int) -> None:
        """Words on lines of moderate length, blocks on their own."""
        words: list[str] = []
        last: Slot = (0, "", 0)
        for at, item in enumerate(items):
            slot = (id(items), "item", at)
            if words and (isinstance(item, IfBlock) or slot in self.remarks.before):
                self.line(last, level, " ".join(words))
                words = []
            if isinstance(item, IfBlock):
                self.line(slot, level, f"/begin {_word(item.tag)}")
                self.items(item.items, level + 1)
                self.line((id(item), "end", 0), level, f"/end {_word(item.tag)}")
                continue
            self.lines += [_INDENT * level + one for one in self.remarks.before.pop(slot, ())]
            words.append(item_word(item))
            last = slot
            if slot in self.remarks.behind or sum(map(len, words)) > 80:
                self.line(slot, level, " ".join(words))
                words = []
        if words:
            self.line(last, level, " ".join(words))


def _rows(made: Any, rest: tuple[str, tuple[Param, ...]]) -> list[str]:
    attr, params = rest
    if len(params) == 1:
        return [plain(value, params[0]) for value in getattr(made, attr)]
    return [
        " ".join(plain(v, p) for v, p in zip(row, params, strict=True))
        for row in getattr(made, attr)
    ]
