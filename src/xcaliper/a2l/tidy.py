"""A description laid out anew: one indent, one order; comments stay beside what they stood at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from xcaliper.a2l.comments import PlacedComments, place_comments
from xcaliper.a2l.grammar import table_of
from xcaliper.a2l.ifdata import IfData
from xcaliper.a2l.keywords.project import Module
from xcaliper.a2l.write import write
from xcaliper.core.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from xcaliper.a2l.parse import A2lFile
    from xcaliper.core.progress import Progress

__all__ = ["Tidied", "sort_objects", "tidy"]

Order = Literal["keep", "name", "address"]

_NO_ADDRESS: Final = 1 << 64
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Tidied:
    """A description laid out anew.

    Attributes:
        text: the whole new text.
        lost: comments and unknown parts that are not in it.
    """

    text: str
    lost: list[Diagnostic]


def tidy(file: A2lFile, *, order: Order = "keep", progress: Progress | None = None) -> Tidied:
    """The description written anew, with includes in place.

    A comment on a line of its own stays above what follows it, another one at the end of its line.

    Args:
        file: the description; with an order, its modules are sorted.
        order: ``keep`` leaves objects of a keyword in their order; ``name`` and ``address`` sort them.
        progress: told how many objects are written, for large files.
    """
    unknown = _unknown(file)
    placed = place_comments(file)
    if order != "keep":
        for module in file.modules:
            sort_objects(module, order)
    text = write(file, placed.remarks, progress)
    if file.document is not None:  # with the line ends that it had
        text = text.replace("\r\n", "\n").replace("\n", file.document.newline())
    return Tidied(text, [*_lost(file, placed), *unknown])


def sort_objects(module: Module, order: Order) -> None:
    """Sort the objects of each keyword that has names; equal ones keep their order.

    Args:
        module: the module; its text does not change.
        order: ``name``, or ``address`` with objects without address behind the others, by name.
    """
    for entry in table_of(Module).optional.values():
        if not entry.repeated or entry.cls is None or entry.cls is IfData:
            continue
        if any(param.attr == "name" for param in table_of(entry.cls).params):
            made: list[Any] = list(getattr(module, entry.attr))
            made.sort(key=_by_address if order == "address" else _by_name)
            setattr(module, entry.attr, made)


def _by_name(made: Any) -> tuple[str, str]:
    return made.name.casefold(), made.name


def _by_address(made: Any) -> tuple[int, int, str]:
    address = getattr(made, "address", getattr(made, "ecu_address", None))
    extension = getattr(made, "ecu_address_extension", None) or 0
    return extension, _NO_ADDRESS if address is None else address, made.name


def _lost(file: A2lFile, placed: PlacedComments) -> list[Diagnostic]:
    """Comments whose place is not in the new text."""
    document = file.document
    if document is None:
        return []
    found: list[Diagnostic] = []
    for start, comment in placed.left():
        text = " ".join(comment.split())
        shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
        found.append(
            Diagnostic(
                Severity.INFO,
                "comment-lost",
                document.where(start),
                f"comment: {shown} is not in the new text.",
                "Move what matters to ANNOTATION.",
                "",
            )
        )
    return found


def _unknown(file: A2lFile) -> list[Diagnostic]:
    """What reading passed over, which writing anew does not bring back."""
    file.load_all()
    return [
        Diagnostic(
            Severity.WARNING,
            "part-lost",
            one.where,
            f"text: what was found here is not in the new text ({one.text.rstrip('.')}).",
            "Mend the finding first.",
            one.subject,
        )
        for one in file.diagnostics
        if one.slug in _SKIPPED
    ]


_SKIPPED: Final = frozenset(
    {
        "block-expected",
        "block-remainder",
        "block-unexpected",
        "block-unknown",
        "keyword-twice",
        "keyword-unknown",
        "list-incomplete",
        "nesting-depth",
        "parameter-missing",
    }
)
