"""A description in another version of the format, and a list of what that version cannot say."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from xcaliper.a2l.clone import clone
from xcaliper.a2l.comments import comment_spans
from xcaliper.a2l.document import Patch
from xcaliper.a2l.edit import Editor
from xcaliper.a2l.formula_text import translated
from xcaliper.a2l.grammar import table_of
from xcaliper.a2l.ifdata import A2ml, IfData
from xcaliper.a2l.index import ModuleIndex, owner_of, walk
from xcaliper.a2l.keywords.compu import Coeffs, CompuMethod
from xcaliper.a2l.lines import bytes_of
from xcaliper.core.errors import UsageError
from xcaliper.core.progress import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from xcaliper.a2l.grammar import Entry, Keyword
    from xcaliper.a2l.keywords.project import Module
    from xcaliper.a2l.parse import A2lFile
    from xcaliper.core.progress import Progress

__all__ = ["VERSIONS", "Conversion", "Expanded", "Note", "convert"]

VERSIONS: Final = ("1.50", "1.51", "1.60", "1.61", "1.70", "1.71")

_WORDS: Final = {
    "A_INT64": "1.60",
    "A_UINT64": "1.60",
    "FLOAT16_IEEE": "1.71",
    "CUBE_4": "1.60",
    "CUBE_5": "1.60",
    "MSB_FIRST_MSW_LAST": "1.70",
    "MSB_LAST_MSW_FIRST": "1.70",
    "NOT_IN_ECU": "1.70",
    "PLONGLONG": "1.70",
}
"""Words of enumerations that came later, without another way to say them."""

_MONOTONY: Final = frozenset({"MONOTONOUS", "STRICT_MON", "NOT_MON"})
_ENDIAN: Final = {"LITTLE_ENDIAN": "MSB_FIRST", "BIG_ENDIAN": "MSB_LAST"}
_UP_TO_15: Final = re.compile(r"[\^&|~]|\b(?:XOR|arc(?:sin|cos|tan))\b", re.IGNORECASE)
_FROM_16: Final = re.compile(r"[&|^~!]|<<|>>|\b(?:pow|asin|acos|atan)\b", re.IGNORECASE)

_LISTS: Final = {
    "REF_CHARACTERISTIC": ("CHARACTERISTIC", "AXIS_PTS"),
    "DEF_CHARACTERISTIC": ("CHARACTERISTIC", "AXIS_PTS"),
    **dict.fromkeys(
        ("REF_MEASUREMENT", "IN_MEASUREMENT", "LOC_MEASUREMENT", "OUT_MEASUREMENT"),
        ("MEASUREMENT",),
    ),
}
"""Lists that may name instances, and what of them belongs there."""

Kind = Literal["rewritten", "dropped", "kept"]


class Expanded(NamedTuple):
    """An INSTANCE as plain objects.

    Attributes:
        objects: the objects.
        left_out: names of parts that have no plain form.
    """

    objects: list[Keyword]
    left_out: list[str]


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that the other version says differently or not at all.

    Attributes:
        kind: ``rewritten`` means the same; ``dropped`` is lost; ``kept`` stands there although tools for the version
            may not know it.
        keyword: kind of the object.
        name: its name.
        what: keyword or word concerned.
        text: what was done.
        line: line of the object as it was read.
        source: included file that it stands in; empty for the description itself.
    """

    kind: Kind
    keyword: str
    name: str
    what: str
    text: str
    line: int = 0
    source: str = ""

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        if self.source:
            where = f"{self.source} {where}"
        return f"{self.kind:9} {where}{self.keyword} {self.name}".rstrip() + (
            f": {self.what} {self.text}"
        )


@dataclass(slots=True)
class Conversion:
    """The result of a conversion.

    Attributes:
        editor: writes the file.
        source: version before.
        target: version now.
        notes: what changed its form, was lost, or stands there too new.
    """

    editor: Editor
    source: str
    target: str
    notes: list[Note] = field(default_factory=list)

    @property
    def lost(self) -> list[Note]:
        """What the target version cannot say."""
        return [note for note in self.notes if note.kind != "rewritten"]

    def as_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        names = ("kind", "keyword", "name", "what", "text", "line", "source")
        return {
            "source": self.source,
            "target": self.target,
            "notes": [{name: getattr(note, name) for name in names} for note in self.notes],
        }


def convert(
    file: A2lFile,
    version: str,
    *,
    expand: Callable[[Module], dict[str, Expanded]] | None = None,
    progress: Progress | None = None,
) -> Conversion:
    """Bring a description to another version of the format.

    Args:
        file: the description; it is changed.
        version: one of ``VERSIONS``.
        expand: gives plain objects by the name of an INSTANCE, for versions that have none; without it instances are
            dropped.
        progress: told how many objects are converted, for large files.

    Raises:
        UsageError: the version is none of them.
    """
    if version not in VERSIONS:
        raise UsageError(
            f"version {version}: it is unknown.", hint=f"Use one of {', '.join(VERSIONS)}."
        )
    editor = Editor(file)
    result = Conversion(editor, file.version, version)
    for module in file.modules:
        _Work(result, module, expand).run(progress)
    if file.asap2_version is None or file.version != version:
        editor.set_version(version)
    _text(file, result)
    return result


def _text(file: A2lFile, result: Conversion) -> None:
    """Up to 1.5 there are 8-bit code pages only, and no comments behind ``//``."""
    document = file.document
    if document is None or result.target >= "1.60":
        return
    for source in document.sources:
        if source.encoding.startswith("utf") and not bytes(source.text).isascii():
            text = f"({source.encoding}) stays; the version has 8-bit code pages only"
            result.notes.append(Note("kept", "file", source.name, "encoding", text))
    result.editor.apply()
    changed = [(patch.start, patch.stop) for patch in document.patches]
    new: list[Patch] = []
    for start, stop in comment_spans(bytes_of(document.text)):
        at = bisect_right(changed, (start, stop))
        before, behind = changed[max(0, at - 1) : at], changed[at : at + 1]
        free = all(b <= start for _, b in before) and all(a >= stop for a, _ in behind)
        if free and document.text[start : start + 2] == b"//":
            text = document.text[start + 2 : stop].decode("utf-8", "replace").rstrip()
            new.append(Patch(start, stop, f"/*{text.replace('*/', '* /')} */"))
    if new:
        document.edit(new)
        text = f"{len(new)} became /* */"
        result.notes.append(Note("rewritten", "file", file.source, "// comments", text))


class _Work:
    """One module on its way to another version."""

    def __init__(
        self,
        result: Conversion,
        module: Module,
        expand: Callable[[Module], dict[str, Expanded]] | None,
    ) -> None:
        self.result = result
        self.editor = result.editor
        self.module = module
        self.target = result.target
        self.crosses = (result.source < "1.60") != (self.target < "1.60")
        self.upward = self.target > result.source
        self.expand = expand
        self.user: Any = None
        self.changed = False
        self.expanded = False
        self.units: dict[tuple[str, str], str] = {}
        self.made: list[Keyword] = []
        self.translated: set[int] = set()  # identities of what has its formula in the new syntax

    def run(self, progress: Progress | None) -> None:
        if self.target < "1.70" and self.module.instance:
            self.instances()
        index = ModuleIndex(self.module)
        self.methods = index.spaces["conversion"]
        too_new = [u for u in index.users() if self.target < u.SINCE]
        leaving = {id(user) for user in too_new}
        users = list(index.users())
        for user in counted(users, "objects converted", len(users), progress):
            if id(user) in leaving:
                continue
            self.user, self.changed = user, False
            if self.target < "1.70" and "[" in str(getattr(user, "name", "")):
                self.note("kept", "name", "has an index in brackets, which came with 1.70")
            for made in list(walk(user)):
                if not isinstance(made, (IfData, A2ml)):
                    self.keyword(made)
            if self.changed:
                self.editor.touch(user)
        self.drop(too_new)

    def drop(self, too_new: list[Keyword]) -> None:
        """Remove objects that came later, and what cannot do without them."""
        for user in too_new:
            self.user = user
            if user.KEYWORD.startswith("TYPEDEF_") and self.expanded and not self.module.instance:
                self.note("rewritten", user.KEYWORD, "is in the plain objects of its instances")
            else:
                self.note("dropped", user.KEYWORD, f"came with {user.SINCE}")
        self.editor.add_all(self.module, self.made)
        if too_new:
            gone = self.editor.remove(self.module, too_new, references="cascade")
            for user in gone[len(too_new) :]:
                self.user = user
                self.note("dropped", user.KEYWORD, "needs an object that the version lacks")

    def note(self, kind: Kind, what: str, text: str) -> None:
        user = self.user
        name = str(getattr(user, "name", ""))
        source = user.where.source
        if source == self.result.editor.file.source:
            source = ""
        self.result.notes.append(Note(kind, user.KEYWORD, name, what, text, user.line, source))
        self.changed = self.changed or kind != "kept"

    def instances(self) -> None:
        """Put plain objects in place of instances."""
        found = self.expand(self.module) if self.expand is not None else {}
        taken = ModuleIndex(self.module).spaces["object"]
        plain: dict[str, Any] = {}
        gone: set[str] = set()
        for instance in list(self.module.instance):
            objects, left_out = found.get(instance.name, Expanded([], []))
            new = [
                one for one in objects if getattr(one, "name", "") not in taken or len(objects) == 1
            ]
            if not new:
                continue
            self.user = instance
            self.note("rewritten", "INSTANCE", f"became {len(new)} plain objects")
            for name in left_out:
                self.note("dropped", name, "lies behind a pointer, or has no plain form")
            self.editor.drop(self.module, [instance])
            self.editor.add_all(self.module, new)
            plain.update({one.name: one for one in new})  # type: ignore[attr-defined]  # objects have names
            gone.add(instance.name)
        if gone:
            self.expanded = True
            self.members(gone, plain)

    def members(self, gone: set[str], plain: dict[str, Any]) -> None:
        """Lists that named an instance, or a structure inside it, name the plain objects of their kind."""
        taken = ModuleIndex(self.module).spaces["object"]

        def now(name: str, kinds: tuple[str, ...]) -> list[str]:
            if name in taken or not owner_of(name, gone):
                return [name]
            inside = (f"{name}.", f"{name}[")
            return [
                n for n, made in plain.items() if n.startswith(inside) and made.KEYWORD in kinds
            ]

        for user in ModuleIndex(self.module).users():
            for holder in walk(user):
                kinds = _LISTS.get(holder.KEYWORD)
                if kinds is None:
                    continue
                held: Any = holder
                names = [one for name in held.names for one in now(name, kinds)]
                if names != held.names:
                    held.names = names
                    self.user = user
                    self.note("rewritten", held.KEYWORD, "names the plain objects of instances")
                    self.editor.touch(user)

    # ---- one keyword

    def keyword(self, made: Any) -> None:
        """Bring the values and optional keywords of one keyword to the version."""
        special = _SPECIAL.get(made.KEYWORD)
        if special is not None:
            special(self, made)
        table = table_of(type(made))
        for param in table.params:
            value = getattr(made, param.attr)
            if param.words is not None:
                self.word(value)
        for entry in table.optional.values():
            value = getattr(made, entry.attr)
            if value is None or value is False or value == []:
                continue
            since = entry.since or (entry.cls.SINCE if entry.mode == "object" else "")
            if since > self.target:
                self.too_new(made, entry, since)
            elif entry.until and entry.until < self.target:
                self.too_old(made, entry)
            elif entry.param is not None and entry.param.words is not None:
                self.optional_word(made, entry, value)
        if "matrix_dim" in {entry.attr for entry in table.optional.values()}:
            self.dims(made)

    def word(self, value: str) -> None:
        since = _WORDS.get(value, "")
        if since > self.target:
            self.note("kept", value, f"came with {since} and has no equivalent")

    def optional_word(self, made: Any, entry: Entry, value: str) -> None:
        if value in _MONOTONY and entry.attr == "monotony" and self.target < "1.60":
            setattr(made, entry.attr, None)
            self.note("dropped", f"{entry.name} {value}", "came with 1.60")
        elif value in _ENDIAN and self.crosses and self.upward:
            setattr(made, entry.attr, _ENDIAN[value])
            text = f"became {_ENDIAN[value]}, which is what it meant up to 1.5"
            self.note("rewritten", value, text)
        else:
            self.word(value)

    def too_new(self, made: Any, entry: Entry, since: str) -> None:
        """Remove a keyword that came later; say the same otherwise where there is a way."""
        value = getattr(made, entry.attr)
        rewrite = _REWRITES.get(entry.attr)
        if rewrite is not None and rewrite(self, made, value):
            setattr(made, entry.attr, None)
            return
        gone: Any = [] if entry.repeated else False if entry.mode == "flag" else None
        setattr(made, entry.attr, gone)
        self.note("dropped", entry.name, f"came with {since}")

    def too_old(self, made: Any, entry: Entry) -> None:
        """Replace a keyword that is no more."""
        value = getattr(made, entry.attr)
        setattr(made, entry.attr, None)
        if entry.attr != "array_size":
            self.note("dropped", entry.name, f"ended with {entry.until}")
            return
        if made.matrix_dim is None:
            made.matrix_dim = (value,) if self.target >= "1.70" else (value, 1, 1)
        self.note("rewritten", "ARRAY_SIZE", "became MATRIX_DIM")

    # ---- equivalents

    def dims(self, made: Any) -> None:
        """Sizes of arrays: one number up to 1.5, three up to 1.6, any from 1.7 on."""
        dims = made.matrix_dim
        number = getattr(made, "number", None)
        if dims is None:
            if self.target >= "1.60" and self.crosses and number is not None:
                made.number = None
                made.matrix_dim = (number,) if self.target >= "1.70" else (number, 1, 1)
                self.note("rewritten", "NUMBER", "became MATRIX_DIM")
            return
        if self.target >= "1.70":
            return
        used = [size for size in dims if size > 1]
        if self.target >= "1.60":
            self.three_dims(made, dims, used)
            return
        attr = "array_size" if made.KEYWORD == "MEASUREMENT" else "number"
        total = prod(used)
        made.matrix_dim = None
        if attr != "number" or made.type in ("VAL_BLK", "ASCII"):
            setattr(made, attr, total)
        if len(used) > 1:
            self.note("dropped", "MATRIX_DIM", f"became {attr.upper()} {total}; the shape is lost")
        else:
            self.note("rewritten", "MATRIX_DIM", f"became {attr.upper()} {total}")

    def three_dims(self, made: Any, dims: tuple[int, ...], used: list[int]) -> None:
        if len(dims) == 3:
            return
        if len(dims) < 3:
            made.matrix_dim = (*dims, *(1,) * (3 - len(dims)))
            self.note("rewritten", "MATRIX_DIM", "has three numbers now")
        elif all(size <= 1 for size in dims[3:]):
            made.matrix_dim = dims[:3]
            self.note("rewritten", "MATRIX_DIM", "has three numbers now")
        else:
            made.matrix_dim = (prod(used), 1, 1)
            self.note("dropped", "MATRIX_DIM", "had more than three dimensions; the shape is lost")

    def method(self, made: CompuMethod) -> None:
        """IDENTICAL and LINEAR came with 1.60; both are rational functions."""
        if self.target >= "1.60":
            return
        kind = made.conversion_type
        if kind == "IDENTICAL":
            coeffs = Coeffs(0, 1, 0, 0, 0, 1)
        elif kind == "LINEAR" and made.coeffs_linear is not None:
            a, b = made.coeffs_linear.a, made.coeffs_linear.b
            if a == 0:
                self.note("kept", "LINEAR", "with slope 0 has no inverse")
                return
            coeffs = Coeffs(0, 1, -b, 0, 0, a)
            made.coeffs_linear = None
        else:
            return
        made.conversion_type = "RAT_FUNC"
        made.coeffs = coeffs
        self.note("rewritten", kind, "became RAT_FUNC")

    def formula(self, made: Any) -> None:
        """Operators and functions changed their meaning with 1.60."""
        if not self.crosses or id(made) in self.translated:
            return
        self.translated.add(id(made))
        for attr in ("fx", "formula", "formula_inv"):
            text = getattr(made, attr, None)
            if not text or not (_UP_TO_15 if self.upward else _FROM_16).search(text):
                continue
            new = translated(text, upward=self.upward)
            if new is None:
                why = "is not understood" if self.upward else "works on bits or is not understood"
                self.note("kept", "FORMULA", f"{why}, and the syntax changed with 1.60; check it")
            elif new != text:
                setattr(made, attr, new)
                self.note("rewritten", "FORMULA", f"{text} became {new}")

    def axis_numbers(self, made: Any) -> None:
        """Numbers of fixed axes are integers before 1.70."""
        table = table_of(type(made))
        values = [getattr(made, param.attr) for param in table.params]
        if table.rest is not None:
            values += getattr(made, table.rest[0])
        if self.target < "1.70" and any(value != int(value) for value in values):
            self.note("kept", made.KEYWORD, "has fractions, which came with 1.70")

    def phys_unit(self, made: Any, value: str) -> bool:
        """A unit of its own becomes a conversion of its own."""
        name = made.conversion
        known: Any = self.methods.get(name)
        if known is not None and known.unit == value:
            self.note("rewritten", "PHYS_UNIT", "is that of the conversion")
            return True
        if known is None and name != "NO_COMPU_METHOD":
            return False
        new = self.units.get((name, value))
        if new is None:
            new = self.unit_method(known, name, value)
        made.conversion = new
        self.note("rewritten", "PHYS_UNIT", f"became that of the conversion {new}")
        return True

    def unit_method(self, known: Any, name: str, unit: str) -> str:
        base = "IDENTITY" if known is None else name
        number = 1
        while f"{base}_U{number}" in self.methods or f"{base}_U{number}" in self.units.values():
            number += 1
        new = self.units[name, unit] = f"{base}_U{number}"
        if known is None:
            made = CompuMethod(new, "", "IDENTICAL", "%8.4", unit)
        else:
            made = clone(known)
            made.name, made.unit = new, unit
        user, changed = self.user, self.changed
        notes = len(self.result.notes)
        self.method(made)
        if (
            known is not None
            and known.formula is not None
            and id(known.formula) not in self.translated
        ):
            self.formula(made.formula)
        made.status_string_ref = None
        del self.result.notes[notes:]  # a note stands at the method it was copied from
        self.user, self.changed = user, changed
        self.made.append(made)
        return new

    def default_number(self, made: Any, value: float) -> bool:
        if made.default_value is None:
            made.default_value = f"{value:g}"
        self.note("rewritten", "DEFAULT_VALUE_NUMERIC", "became DEFAULT_VALUE")
        return True

    def one_way(self, made: Any, value: str) -> bool:  # noqa: ARG002 -- one of a table
        """Row by row is what everybody assumes."""
        if value == "ROW_DIR":
            self.note("rewritten", "LAYOUT", "ROW_DIR is the default")
        return value == "ROW_DIR"

    def direct(self, made: Any, value: str) -> bool:  # noqa: ARG002 -- one of a table
        if value == "DIRECT":
            self.note("rewritten", "ADDRESS_TYPE", "DIRECT is the default")
        return value == "DIRECT"


_SPECIAL: Final[dict[str, Callable[[_Work, Any], None]]] = {
    "COMPU_METHOD": _Work.method,
    "FORMULA": _Work.formula,
    "DEPENDENT_CHARACTERISTIC": _Work.formula,
    "VIRTUAL_CHARACTERISTIC": _Work.formula,
    "FIX_AXIS_PAR": _Work.axis_numbers,
    "FIX_AXIS_PAR_DIST": _Work.axis_numbers,
    "FIX_AXIS_PAR_LIST": _Work.axis_numbers,
}
_REWRITES: Final[dict[str, Callable[[_Work, Any, Any], bool]]] = {
    "phys_unit": _Work.phys_unit,
    "default_value_numeric": _Work.default_number,
    "layout": _Work.one_way,
    "address_type": _Work.direct,
}
