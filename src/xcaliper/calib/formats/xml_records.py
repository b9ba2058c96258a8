"""XML files of parameter sets, read in one pass: one small tree per instance, never the whole file.

Entities are not expanded: declarations of entities and references to undeclared ones are refused, external
ones are never fetched. A DOCTYPE without them is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from xcaliper.core.errors import ParameterSetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["MAX_CELLS", "MAX_DEPTH", "MAX_SIZE_BYTES", "Broken", "Node", "XmlRecords"]

MAX_SIZE_BYTES: Final = 1 << 29
MAX_DEPTH: Final = 100
MAX_CELLS: Final = 50_000_000
"""Elements and values of one file."""
_CELL: Final = "V"
_HINT: Final = "Give another format."
_REFUSED: Final = "Entities have no place in such a file; write their text in place of them."


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a file stops being XML.

    Attributes:
        text: what is wrong there, without a full stop.
        line: 1-based.
        column: 1-based.
    """

    text: str
    line: int
    column: int

    def finding(self, entries: int) -> tuple[str, str]:
        """Slug and text of the finding, after that many entries."""
        return "half-a-file", (
            f"The file breaks off in column {self.column}: {self.text}. {entries} entries before are "
            "read, what follows is not."
        )


class Node:
    """An element of a record.

    Attributes:
        tag: name of the element.
        attributes: by name.
        line: where it begins.
        outer: name of the element around it, for a record; empty otherwise.
        parent: record around it, for a record within another.
        children: elements, and the texts of V elements, in order.
        text: character data.
        has_inner: another record of the same kind is inside.
    """

    __slots__ = (
        "attributes", "children", "has_inner", "line", "outer", "parent", "parts", "tag", "text",
    )  # fmt: skip

    def __init__(self, tag: str, attributes: dict[str, str], line: int) -> None:
        self.tag = tag
        self.attributes = attributes
        self.line = line
        self.outer = ""
        self.parent: Node | None = None
        self.children: list[Node | str] = []
        self.parts: list[str] = []
        self.text = ""
        self.has_inner = False

    def all(self, tag: str) -> Iterator[Node]:
        """Child elements of that name."""
        return (one for one in self.children if isinstance(one, Node) and one.tag == tag)

    def child(self, tag: str) -> Node | None:
        """First child element of that name."""
        for one in self.children:
            if isinstance(one, Node) and one.tag == tag:
                return one
        return None

    def value(self, tag: str) -> str:
        """Text of the first child element of that name, without blanks around; or an empty text."""
        found = self.child(tag)
        return found.text.strip() if found is not None else ""


class XmlRecords:
    """Reads records out of one file.

    Args:
        source: name of the file, for messages.
        root: name of the root element; a file with another one is refused.
        records: names of the elements that become trees.
        inner: that of them which may be inside itself; inner ones are records of their own, handed over
            before the one around them is.
        done: called with every record.
    """

    def __init__(
        self,
        source: str,
        root: str,
        records: frozenset[str],
        inner: str,
        done: Callable[[Node], None],
    ) -> None:
        self.source = source
        self.root = root
        self.attributes: dict[str, str] = {}
        self._records = records
        self._inner = inner
        self._done = done
        self._path: list[str] = []
        self._open: list[Node] = []
        self._parts: list[str] = []
        self._around: list[Node] = []
        self._count = 0
        self._started = False
        self._parser = self._made()

    def _made(self) -> expat.XMLParserType:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.buffer_size = 1 << 16
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._entity_declared
        parser.SkippedEntityHandler = self._entity_used
        return parser

    def read(self, data: bytes) -> Broken | None:
        """Read the whole file.

        Args:
            data: its bytes; the encoding is that of its XML declaration.

        Returns:
            Where it is broken, once its root was seen; what was complete before has been handed over.

        Raises:
            ParameterSetError: no such file at all, entities, or more than fits.
        """
        if len(data) > MAX_SIZE_BYTES:
            raise self._error(f"{len(data)} bytes, at most {MAX_SIZE_BYTES} are read", "Split it.")
        try:
            self._parser.Parse(data, True)
        except expat.ExpatError as error:
            broken = Broken(str(error).partition(":")[0], error.lineno, error.offset + 1)
        except (LookupError, ValueError) as error:  # an encoding that expat does not take
            broken = Broken(str(error), self._parser.CurrentLineNumber, 1)
        else:
            return None
        if not self._started:
            raise ParameterSetError(
                f"no XML: {broken.text}.",
                source=self.source,
                line=broken.line,
                column=broken.column,
                hint=_HINT,
            )
        return broken

    def _error(self, text: str, hint: str) -> ParameterSetError:
        line = self._parser.CurrentLineNumber
        return ParameterSetError(f"{text}.", source=self.source, line=line, hint=hint)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._started:
            self._started = True
            self.attributes = attributes
            if tag != self.root:
                raise self._error(f"the root element is {tag[:40]!r}, not {self.root!r}", _HINT)
        self._count += 1
        if self._count > MAX_CELLS:
            raise self._error(f"more than {MAX_CELLS} elements", "Split it.")
        if len(self._path) >= MAX_DEPTH:
            raise self._error(f"more than {MAX_DEPTH} elements inside each other", "Flatten it.")
        if self._open and tag == _CELL:
            self._parts = []
        elif self._open or tag in self._records:
            node = Node(tag, attributes, self._parser.CurrentLineNumber)
            if not self._open:
                node.outer = self._path[-1] if self._path else ""
            if tag == self._inner:
                self._begin_inner(node)
            self._open.append(node)
            self._parts = node.parts
        self._path.append(tag)

    def _begin_inner(self, node: Node) -> None:
        if self._around:
            node.parent = self._around[-1]
            node.parent.has_inner = True
        self._around.append(node)

    def _characters(self, text: str) -> None:
        if self._open:
            self._parts.append(text)

    def _end(self, tag: str) -> None:
        self._path.pop()
        if not self._open:
            return
        if tag == _CELL:
            self._open[-1].children.append("".join(self._parts))
            self._parts = self._open[-1].parts
            return
        node = self._open.pop()
        node.text = "".join(node.parts)
        node.parts.clear()
        if tag == self._inner:
            self._around.pop()
        if self._open:
            self._parts = self._open[-1].parts
        if not self._open or node.parent is not None:
            self._done(node)
        else:
            self._open[-1].children.append(node)

    def _entity_declared(self, name: str, *_: object) -> None:
        raise self._error(f"the DOCTYPE declares the entity {name[:40]!r}", _REFUSED)

    def _entity_used(self, name: str, _parameter: bool) -> None:  # noqa: FBT001 - as expat calls it
        raise self._error(f"the entity {name[:40]!r} is not declared", _REFUSED)
